//! `trellis plugin build`: a plugin's folder becomes a component, whatever it is written in.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;

use crate::commands::bench::{CheckArguments, check};
use crate::output;

#[derive(Debug, Args)]
pub(crate) struct BuildArguments {
    /// The plugin's folder: with a Cargo.toml, a package.json or a Makefile.
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// What plugins in Rust are built for.
const TARGET: &str = "wasm32-wasip2";

/// Where every plugin ends up, below its folder.
const BUILT: &str = "build";

pub(crate) fn build(arguments: &BuildArguments) -> anyhow::Result<()> {
    let folder = &arguments.folder;
    let has = |name: &str| folder.join(name).is_file();
    let file = if has("Cargo.toml") {
        rust(folder)?
    } else if has("package.json") {
        javascript(folder)?
    } else if has("Makefile") {
        makefile(folder)?
    } else {
        let folder = folder.display();
        bail!("there is no Cargo.toml, package.json or Makefile in {folder}: nothing to build");
    };
    step(&format!("checking {}", file.display()));
    check(&CheckArguments { file: file.clone(), json: false })?;
    output::print(&format!("built {}\n", file.display()));
    Ok(())
}

fn rust(folder: &Path) -> anyhow::Result<PathBuf> {
    if !has_target(folder) {
        step(&format!("installing Rust's target {TARGET}"));
        let added =
            Command::new("rustup").current_dir(folder).args(["target", "add", TARGET]).status();
        if !added.is_ok_and(|status| status.success()) {
            bail!("Rust's target {TARGET} is missing: `rustup target add {TARGET}` brings it");
        }
    }
    step("compiling with cargo");
    let output = Command::new("cargo")
        .current_dir(folder)
        .args(["build", "--release", "--target", TARGET])
        .arg("--message-format=json-render-diagnostics")
        .stdout(Stdio::piped())
        .spawn()
        .and_then(std::process::Child::wait_with_output)
        .context("cannot start cargo; https://rustup.rs brings it")?;
    if !output.status.success() {
        bail!("cargo failed: {}", output.status);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut files = messages.filter_map(|message| {
        let files = message.get("filenames")?.as_array()?;
        files.iter().filter_map(Value::as_str).find(|it| it.ends_with(".wasm")).map(PathBuf::from)
    });
    let made = files.next_back().with_context(|| {
        format!(
            "cargo has made no .wasm file: does {} have crate-type = [\"cdylib\"]?",
            folder.join("Cargo.toml").display()
        )
    })?;
    // A crate's name has underscores where a plugin's has dashes.
    let name = made.file_name().context("a file without a name")?.to_string_lossy();
    std::fs::create_dir_all(folder.join(BUILT))?;
    let file = folder.join(BUILT).join(name.replace('_', "-"));
    std::fs::copy(&made, &file).with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

fn javascript(folder: &Path) -> anyhow::Result<PathBuf> {
    if !is_installed(folder) {
        step("installing what package.json names");
        let how = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
        run(folder, "npm", &[how, "--no-audit", "--no-fund"], "Node.js brings npm")?;
    }
    step("putting it together with npm");
    run(folder, "npm", &["run", "--silent", "build"], "Node.js brings npm")?;
    newest(folder)
}

/// Whether npm has installed all of what the folder names now: it writes its note last.
fn is_installed(folder: &Path) -> bool {
    let written = |name: &str| std::fs::metadata(folder.join(name)).and_then(|it| it.modified());
    let Ok(installed) = written("node_modules/.package-lock.json") else { return false };
    let named = ["package.json", "package-lock.json"].map(written);
    named.into_iter().flatten().all(|changed| changed <= installed)
}

fn makefile(folder: &Path) -> anyhow::Result<PathBuf> {
    step("building with make, which installs its tools where they are missing");
    run(folder, "make", &["--silent"], "install GNU make")?;
    newest(folder)
}

/// The component that was just made.
fn newest(folder: &Path) -> anyhow::Result<PathBuf> {
    let built = folder.join(BUILT);
    let mut files = Vec::new();
    for entry in std::fs::read_dir(&built)
        .with_context(|| format!("the build has made no folder {}", built.display()))?
    {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push((std::fs::metadata(&path)?.modified()?, path));
        }
    }
    files.sort();
    let last = files.pop().map(|(_, path)| path);
    last.with_context(|| format!("the build has made no .wasm file in {}", built.display()))
}

fn run(folder: &Path, program: &str, arguments: &[&str], missing: &str) -> anyhow::Result<()> {
    let status = Command::new(program).current_dir(folder).args(arguments).status();
    let status = status.with_context(|| format!("cannot start {program}; {missing}"))?;
    if !status.success() {
        bail!("{program} {} failed: {status}", arguments.join(" "));
    }
    Ok(())
}

/// Whether the Rust of the folder, which may choose its own, has the target.
fn has_target(folder: &Path) -> bool {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(folder).args(["--print", "target-libdir", "--target", TARGET]);
    let Ok(output) = rustc.output() else { return false };
    let folder = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success() && Path::new(&folder).is_dir()
}

/// Says what comes next.
fn step(what: &str) {
    eprintln!("==> {what}");
}
