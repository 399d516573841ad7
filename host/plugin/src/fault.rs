//! How a run of a plugin goes wrong, in words for its author.

use wasmtime::{Trap, WasmBacktrace};
use wasmtime_wasi::I32Exit;

use crate::state::RunState;

/// What kind of fault ended a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// `provision` returned an error.
    Error,
    /// The run was ended from outside: the device has hung up, or begun anew.
    Ended,
    /// The plugin panicked or aborted.
    Panic,
    /// Any other trap.
    Trap,
    /// The plugin used up its CPU.
    Fuel,
    /// The plugin asked for more memory than it has.
    Memory,
    /// The run took too long.
    WallTime,
    /// The plugin sent too many requests.
    Rpcs,
    /// The plugin called the host too often.
    Calls,
    /// The plugin wrote too much to the log; the run went on.
    Log,
    /// The plugin wanted to keep too much; the run went on.
    MemoryStore,
    /// What the plugin published could not be looked through for secrets, and is what it was before; the
    /// run went on.
    Facts,
    /// A request over HTTP did not leave, or its answer did not come in: no grant, or a limit; the run
    /// went on.
    Http,
    /// The plugin does not have what it was called for, or answered with what it must not.
    Contract,
    /// The settings do not fit the plugin's schema; it was not called.
    Settings,
    /// No run was free.
    Busy,
    /// The server failed.
    Host,
}

/// Why a run ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFault {
    /// What kind.
    pub kind: FaultKind,
    /// What happened, the plugin's own message first.
    pub message: String,
    /// Where in the plugin, innermost first.
    pub backtrace: Vec<String>,
}

/// A limit that a host function enforces by ending the run.
#[derive(Debug, thiserror::Error)]
#[error("the limit of {limit} requests in one run is reached")]
pub(crate) struct RpcLimit {
    pub(crate) limit: u32,
}

/// Another such limit.
#[derive(Debug, thiserror::Error)]
#[error("the limit of {limit} calls of the host in one run is reached")]
pub(crate) struct CallLimit {
    pub(crate) limit: u32,
}

/// Counts a limit that was reached.
pub(crate) fn limit_reached(limit: &'static str) {
    metrics::counter!("trellis_limit_reached_total", "limit" => limit).increment(1);
}

impl FaultKind {
    /// A word for lists and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Trap => "trap",
            Self::Fuel => "fuel",
            Self::Memory => "memory",
            Self::WallTime => "wall-time",
            Self::Rpcs => "rpcs",
            Self::Calls => "calls",
            Self::Log => "log",
            Self::MemoryStore => "memory-store",
            Self::Facts => "facts",
            Self::Http => "http",
            Self::Contract => "contract",
            Self::Settings => "settings",
            Self::Busy => "busy",
            Self::Ended => "ended",
            Self::Host => "host",
        }
    }
}

impl RunFault {
    pub(crate) fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), backtrace: Vec::new() }
    }

    /// The same as others may see it: without secrets, and not longer than is kept.
    pub(crate) fn shown(self, state: &mut RunState) -> Self {
        // In this order: of a secret that is cut in two, neither part would be found.
        let message = cut(state.without_secrets(&self.message), MESSAGE_BYTES_MAX);
        Self { message, ..self }
    }

    /// Explains the error that a call into the plugin ended with.
    /// The plugin has `printed` this last.
    pub(crate) fn explain(error: &wasmtime::Error, printed: &str, state: &RunState) -> Self {
        let printed = printed.trim();
        let (kind, message) = if let Some(limit) = error.downcast_ref::<RpcLimit>() {
            (FaultKind::Rpcs, limit.to_string())
        } else if let Some(limit) = error.downcast_ref::<CallLimit>() {
            (FaultKind::Calls, limit.to_string())
        } else if let Some(exit) = error.downcast_ref::<I32Exit>() {
            let message = if printed.is_empty() { "without a message" } else { printed };
            (FaultKind::Panic, format!("the plugin exited with status {}: {message}", exit.0))
        } else if state.memory_refused {
            let limit = state.limits.memory_bytes;
            (FaultKind::Memory, format!("the memory limit of {limit} bytes is reached"))
        } else {
            match error.downcast_ref::<Trap>() {
                Some(Trap::OutOfFuel) => {
                    let limit = state.limits.fuel;
                    (FaultKind::Fuel, format!("the CPU limit of {limit} fuel is reached"))
                }
                Some(Trap::UnreachableCodeReached) if !printed.is_empty() => {
                    (FaultKind::Panic, printed.to_owned())
                }
                Some(Trap::UnreachableCodeReached) => {
                    (FaultKind::Panic, "the plugin aborted without a message".to_owned())
                }
                Some(Trap::MemoryOutOfBounds) => (
                    FaultKind::Trap,
                    "memory was accessed out of bounds, as endless recursion does too".to_owned(),
                ),
                Some(trap) => (FaultKind::Trap, trap.to_string()),
                // It has no type of its own.
                None if format!("{error:#}").contains("fuel allocated for hostcalls") => {
                    let limit = state.limits.host_call_bytes;
                    limit_reached("plugin_host_call_bytes");
                    let message =
                        format!("the limit of {limit} bytes that one call hands over is reached");
                    (FaultKind::Calls, message)
                }
                // What a plugin hands over that cannot be taken, such as text that is not UTF-8 or
                // is too large, shows as such an error inside its own code.
                None if error.downcast_ref::<WasmBacktrace>().is_some() => {
                    (FaultKind::Trap, format!("{:#}", error.root_cause()))
                }
                None => (FaultKind::Host, format!("{error:#}")),
            }
        };
        Self { backtrace: backtrace(error), ..Self::new(kind, message) }
    }
}

/// The longest message of a fault, and the longest name in a backtrace, in bytes: both are the
/// plugin's own.
const MESSAGE_BYTES_MAX: usize = 8 << 10;
const NAME_BYTES_MAX: usize = 300;

fn cut(mut text: String, bytes_max: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes_max));
    text
}

fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => cut(format!("{:#}", rustc_demangle::demangle(name)), NAME_BYTES_MAX),
        None => format!("function {}", frame.func_index()),
    };
    trace.frames().iter().map(name).collect()
}
