//! Builds plugins for WebAssembly.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::steps::{announce, binary, cargo, root, run, target, works};

/// The workspaces of plugins in Rust, and the folder in `target` that each one's files go to: those
/// that ship, the examples, and those that tests use.
pub(crate) const WORKSPACES: [(&str, &str); 6] = [
    ("plugins", "plugins"),
    ("plugins/examples/firmware", "examples/firmware"),
    ("plugins/examples/rust", "examples/rust"),
    ("tests/guests", "guests"),
    ("tests/guests-http", "guests-http"),
    ("tests/guests-bare", "guests-bare"),
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

/// The examples that are written in other languages, and what building each needs.
const LANGUAGES: [(&str, &[&str]); 4] = [
    ("rust", &[]),
    ("javascript", &["node", "npm"]),
    ("python", &["python3", "make"]),
    ("c", &["python3", "make"]),
];

/// Builds the examples in all languages, with the server's own command. Where a tool is missing that
/// says so; where CI runs, that is an error.
pub(crate) fn build_languages() -> anyhow::Result<()> {
    for (language, tools) in LANGUAGES {
        if let Some(tool) = tools.iter().find(|tool| !works(tool, &["--version"])) {
            if std::env::var_os("CI").is_some() {
                bail!("the example in {language} cannot be built: {tool} is not installed");
            }
            announce(&format!("SKIPPED: the example in {language}, since {tool} is not installed"));
            continue;
        }
        announce(&format!("building the example in {language}"));
        run(Command::new(binary("debug", "trellis"))
            .current_dir(root())
            .args(["plugin", "build"])
            .arg(format!("plugins/examples/{language}"))
            .env_remove("CARGO_TARGET_DIR")
            .stdout(std::process::Stdio::null()))?;
    }
    Ok(())
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
