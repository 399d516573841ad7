//! Measurements, made with an optimised server.

use crate::plugins;
use crate::steps::{announce, binary, cargo, run, target};

/// CPU time and memory per session.
pub(crate) fn session(sessions: u32, json: bool) -> anyhow::Result<()> {
    plugins::build()?;
    announce("building an optimised server (the first time takes minutes)");
    run(cargo().args(["build", "--locked", "--release", "-p", "trellis", "-p", "trellis-bench"]))?;
    announce("measuring");
    let mut command = std::process::Command::new(binary("release", "trellis-bench"));
    command
        .arg("session")
        .arg("--server")
        .arg(binary("release", "trellis"))
        .arg("--plugins")
        .arg(target().join("guests"))
        .args(["--sessions", &sessions.to_string()]);
    if json {
        command.arg("--json");
    }
    run(&mut command)
}
