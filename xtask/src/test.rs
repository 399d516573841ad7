//! All tests.

use crate::plugins;
use crate::steps::{announce, cargo, green, root, run, works};

/// Lints, builds what tests need, and runs everything.
pub(crate) fn run_all() -> anyhow::Result<()> {
    lint()?;
    plugins::build()?;
    announce("building the server, the simulated devices and the tests");
    run(cargo().args(["build", "--locked", "--workspace", "--all-targets"]))?;
    plugins::build_languages()?;
    announce("running the tests");
    if works("cargo", &["nextest", "--version"]) {
        run(cargo().args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]))?;
    } else {
        run(cargo().args(["test", "--locked", "--workspace", "--all-targets", "--no-fail-fast"]))?;
    }
    announce("running the tests of the plugins that ship and of the examples");
    for workspace in plugins::WITH_TESTS {
        run(cargo()
            .current_dir(root().join(workspace))
            .args(["test", "--locked", "--workspace"])
            .env("CARGO_TARGET_DIR", plugins::build_folder()))?;
    }
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
        let workspaces = plugins::WORKSPACES.iter().map(|(workspace, _)| *workspace);
        for workspace in workspaces.chain(["tests/fuzz"]) {
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
        for workspace in plugins::WITH_TESTS {
            run(cargo()
                .current_dir(root().join(workspace))
                .args(["clippy", "--locked", "--workspace", "--all-targets"])
                .args(["--", "-D", "warnings"])
                .env("CARGO_TARGET_DIR", plugins::build_folder()))?;
        }
    } else {
        announce("SKIPPED: lints, since clippy is not installed");
    }
    Ok(())
}
