//! All tests.

use crate::plugins;
use crate::steps::{announce, cargo, green, root, run, target, works};

/// Lints, builds what tests need, and runs everything.
pub(crate) fn run_all() -> anyhow::Result<()> {
    lint()?;
    plugins::build()?;
    announce("building the server, the simulated devices and the tests");
    run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))?;
    announce("running the tests");
    if works("cargo", &["nextest", "--version"]) {
        run(cargo().args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]))?;
    } else {
        run(cargo().args(["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast"]))?;
    }
    announce("running the tests of the plugins that ship");
    run(cargo()
        .current_dir(root().join("plugins"))
        .args(["test", "--locked", "--workspace"])
        .env("CARGO_TARGET_DIR", target().join("wasm-plugins")))?;
    announce("running the examples in the documentation");
    run(cargo().args(["test", "--locked", "--workspace", "--doc"]))?;
    announce(&green("all tests passed"));
    Ok(())
}

/// Formatting and lints, where the tools are installed.
pub(crate) fn lint() -> anyhow::Result<()> {
    if works("cargo", &["fmt", "--version"]) {
        announce("checking the formatting");
        run(cargo().args(["fmt", "--all", "--check"]))?;
        for workspace in plugins::WORKSPACES.iter().chain(&["tests/fuzz"]) {
            run(cargo().current_dir(root().join(workspace)).args(["fmt", "--all", "--check"]))?;
        }
    } else {
        announce("SKIPPED: formatting, since rustfmt is not installed");
    }
    if works("cargo", &["clippy", "--version"]) {
        announce("checking lints");
        run(cargo().args([
            "clippy",
            "--locked",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ]))?;
        run(cargo()
            .current_dir(root().join("plugins"))
            .args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
            .env("CARGO_TARGET_DIR", target().join("wasm-plugins")))?;
    } else {
        announce("SKIPPED: lints, since clippy is not installed");
    }
    Ok(())
}
