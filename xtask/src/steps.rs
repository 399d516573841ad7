//! Running other programs, and saying so.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().map(PathBuf::from).unwrap_or(manifest)
}

/// The folder of everything that is built.
pub(crate) fn target() -> PathBuf {
    let folder =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    // Programs run in several folders; one that is relative is relative to the root.
    root().join(folder)
}

/// A program that `cargo build` made.
pub(crate) fn binary(profile: &str, name: &str) -> PathBuf {
    target().join(profile).join(name)
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // Set by the outer cargo for this program; the inner one has its own. Some crates are compiled anew
    // when these change, and everything that needs them.
    let is_outer = |name: &str| {
        ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.starts_with(prefix))
    };
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(is_outer) {
            command.env_remove(name);
        }
    }
    command
}

/// Builds all programs. A part of them would be built with other features of what they share, and
/// wasmtime, which takes minutes, compiled once for each choice.
pub(crate) fn build_programs() -> anyhow::Result<()> {
    run(cargo().args(["build", "--locked", "--workspace"]))
}

/// Says what comes next.
pub(crate) fn announce(what: &str) {
    eprintln!("{} {what}", bold("==>"));
}

/// Runs a program to its end; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(|it| it.to_string_lossy()).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("cannot start {shown}"))?;
    if !status.success() {
        bail!("{shown} failed: {status}");
    }
    Ok(())
}

/// Whether a program is there and works.
pub(crate) fn works(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}

fn paint(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::io::stderr().is_terminal() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

/// Bold on a terminal.
pub(crate) fn bold(text: &str) -> String {
    paint("1", text)
}

/// Dim on a terminal.
pub(crate) fn dim(text: &str) -> String {
    paint("2", text)
}

/// Green on a terminal.
pub(crate) fn green(text: &str) -> String {
    paint("32", text)
}

/// Red on a terminal.
pub(crate) fn red(text: &str) -> String {
    paint("31", text)
}
