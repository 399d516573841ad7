//! What one run of a plugin may use.

use serde::Deserialize;
use std::time::Duration;

/// The limits of one run. The operator sets them; a manifest may wish for less or more, and
/// gets at most [`Limits::CAP`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Linear memory of the plugin, in bytes. Default 16 MiB.
    pub memory_bytes: usize,
    /// CPU, in wasmtime's fuel: about an instruction each. It does not count waiting for the
    /// device. Default 2,000,000,000, about an eighth of a second.
    pub fuel: u64,
    /// From the first instruction to the end, the device's answers included. Default 10 min.
    pub wall: Duration,
    /// Requests to the device. Default 1,000.
    pub rpcs: u32,
    /// One device's memory for one plugin, keys and values, in bytes. Default 64 KiB.
    pub memory_store_bytes: usize,
    /// Facts about one device from one run. Default 256.
    pub facts: usize,
    /// Lines of log in one run; the rest is counted. Default 200.
    pub log_lines: u32,
    /// One line of log, in bytes; the rest is cut. Default 2 KiB.
    pub log_line_bytes: usize,
    /// Names or values in one call. Default 8,192.
    pub list_items: usize,
}

/// What a manifest wishes for. Absent fields wish for the default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct WishedLimits {
    /// See [`Limits::memory_bytes`].
    pub memory_bytes: Option<usize>,
    /// See [`Limits::fuel`].
    pub fuel: Option<u64>,
    /// See [`Limits::wall`], in seconds.
    pub wall_seconds: Option<u64>,
    /// See [`Limits::rpcs`].
    pub rpcs: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 16 << 20,
            fuel: 2_000_000_000,
            wall: Duration::from_secs(600),
            rpcs: 1_000,
            memory_store_bytes: 64 << 10,
            facts: 256,
            log_lines: 200,
            log_line_bytes: 2 << 10,
            list_items: 8_192,
        }
    }
}

impl Limits {
    /// The most memory any plugin gets, since the engine reserves it, in bytes.
    pub const MEMORY_BYTES_CAP: usize = 64 << 20;
    /// The most fuel any plugin gets.
    pub const FUEL_CAP: u64 = 100_000_000_000;
    /// The longest any run takes.
    pub const WALL_CAP: Duration = Duration::from_secs(1_800);
    /// The most requests any run makes.
    pub const RPCS_CAP: u32 = 5_000;

    /// These limits with a manifest's wishes, as far as the caps allow.
    pub(crate) fn with_wishes(&self, wishes: &WishedLimits) -> Self {
        let wall = wishes.wall_seconds.map_or(self.wall, Duration::from_secs);
        Self {
            memory_bytes: wishes
                .memory_bytes
                .unwrap_or(self.memory_bytes)
                .min(Self::MEMORY_BYTES_CAP),
            fuel: wishes.fuel.unwrap_or(self.fuel).min(Self::FUEL_CAP),
            wall: wall.min(Self::WALL_CAP),
            rpcs: wishes.rpcs.unwrap_or(self.rpcs).min(Self::RPCS_CAP),
            ..self.clone()
        }
    }
}
