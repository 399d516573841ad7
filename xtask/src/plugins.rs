//! Builds plugins for WebAssembly.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::steps::{announce, cargo, root, run, target};

/// The workspaces of plugins in Rust, and the folder in `target` that each one's files go to: those
/// that ship, the examples, and those that tests use.
pub(crate) const WORKSPACES: [(&str, &str); 5] = [
    ("plugins", "plugins"),
    ("plugins/examples/firmware", "examples/firmware"),
    ("plugins/examples/rust", "examples/rust"),
    ("tests/guests", "guests"),
    ("tests/guests-http", "guests-http"),
];

/// Of these, the ones that have tests of their own.
pub(crate) const WITH_TESTS: [&str; 3] =
    ["plugins", "plugins/examples/firmware", "plugins/examples/rust"];

const TARGET: &str = "wasm32-wasip2";

/// Where plugins are built. One folder for all: they share what they are made of.
pub(crate) fn build_folder() -> PathBuf {
    target().join("wasm")
}

/// Builds all plugins in Rust. Returns the folder of those that ship.
pub(crate) fn build() -> anyhow::Result<PathBuf> {
    ensure_target()?;
    announce("building the plugins for WebAssembly");
    for (from, to) in WORKSPACES {
        workspace(from, to)?;
    }
    Ok(target().join("plugins"))
}

/// Builds one workspace of plugins and copies what it makes into `target/<to>`.
fn workspace(from: &str, to: &str) -> anyhow::Result<()> {
    let folder = target().join(to);
    let built = build_folder().join(TARGET).join("release");
    // What is left of a plugin that is gone or has another name must not be shipped.
    for old in wasm_files(&built).unwrap_or_default() {
        std::fs::remove_file(old)?;
    }
    run(cargo()
        .current_dir(root().join(from))
        .args(["build", "--release", "--locked", "--target", TARGET])
        .env("CARGO_TARGET_DIR", build_folder()))?;
    std::fs::create_dir_all(&folder)?;
    for old in wasm_files(&folder)? {
        std::fs::remove_file(old)?;
    }
    for file in wasm_files(&built)? {
        let name = file.file_name().context("a file without a name")?;
        std::fs::copy(&file, folder.join(name))?;
    }
    Ok(())
}

fn wasm_files(folder: &std::path::Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Installs Rust's WebAssembly target where it is missing.
fn ensure_target() -> anyhow::Result<()> {
    if has_target() {
        return Ok(());
    }
    announce(&format!("installing Rust's target {TARGET}"));
    let added = Command::new("rustup").args(["target", "add", TARGET]).status();
    if !added.is_ok_and(|status| status.success()) || !has_target() {
        bail!(
            "Rust's target {TARGET} is missing, and `rustup target add {TARGET}` did not bring \
             it. Install it by hand: with rustup by that command; with a distribution's Rust by \
             its package for wasm32-wasip2; then run this again"
        );
    }
    Ok(())
}

fn has_target() -> bool {
    let arguments = ["--print", "target-libdir", "--target", TARGET];
    let Ok(output) = Command::new("rustc").args(arguments).output() else { return false };
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success() && PathBuf::from(folder).is_dir()
}
