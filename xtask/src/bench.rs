//! Measurements, made with an optimised server.

use std::process::Command;

use crate::plugins;
use crate::steps::{announce, binary, cargo, run, target};

/// CPU time and memory per session.
pub(crate) fn session(sessions: u32, json: bool) -> anyhow::Result<()> {
    let mut command = bench("session")?;
    command.args(["--sessions", &sessions.to_string()]);
    if json {
        command.arg("--json");
    }
    run(&mut command)
}

/// Latency of sessions while one in ten misbehaves. An error where that is felt too much.
pub(crate) fn hostile(seconds: u64) -> anyhow::Result<()> {
    let mut command = bench("hostile")?;
    command.arg("--plugins").arg(target().join("guests-bare"));
    run(command.args(["--seconds", &seconds.to_string()]))
}

/// Builds what is measured and what measures.
fn bench(what: &str) -> anyhow::Result<Command> {
    plugins::build()?;
    announce("building an optimised server (the first time takes minutes)");
    run(cargo().args(["build", "--locked", "--release", "-p", "trellis", "-p", "trellis-bench"]))?;
    announce("measuring");
    let mut command = Command::new(binary("release", "trellis-bench"));
    command.arg(what).arg("--server").arg(binary("release", "trellis"));
    command.arg("--plugins").arg(target().join("guests"));
    Ok(command)
}
