//! The log: lines on standard error, for people or as JSON.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::cli::LogFormat;
use crate::config::LogConfig;

/// Lines that may wait for a reader that is slower than the server; further ones are dropped.
const LINES_MAX: usize = 100_000;

/// Starts logging, on a thread of its own: whoever reads the log must not be able to stop the
/// server. Fails on a filter that cannot be read. Lines that wait are written when the guard is
/// dropped.
pub(crate) fn start(config: &LogConfig) -> anyhow::Result<WorkerGuard> {
    let filter = EnvFilter::try_new(&config.filter)
        .with_context(|| format!("the log filter {:?} cannot be read", config.filter))?;
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .thread_name("trellis-log")
        .finish(std::io::stderr());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal());
    match config.format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
    Ok(guard)
}
