//! What one run of a plugin may use.

use serde::Deserialize;
use std::time::Duration;

/// The limits of one run. The operator sets them; a manifest may wish for less or more, and gets
/// at most what [`LimitsMax`] allows.
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
    /// One fact, in bytes. Default 1 KiB.
    pub fact_bytes: usize,
    /// Names or values in one call, and rows that are searched for one. Default 8,192.
    pub list_items: usize,
    /// Calls of the host, whether or not they reach the device. Default 20,000.
    pub host_calls: u32,
    /// What one call hands over to the host, in bytes. Default 1 MiB.
    pub host_call_bytes: usize,
}

/// The most that a manifest gets, whatever it wishes for. The operator sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsMax {
    /// See [`Limits::memory_bytes`]; the engine reserves it. Default 64 MiB.
    pub memory_bytes: usize,
    /// See [`Limits::fuel`]. Default 100,000,000,000, about six seconds.
    pub fuel: u64,
    /// See [`Limits::wall`]. Default 30 min.
    pub wall: Duration,
    /// See [`Limits::rpcs`]. Default 5,000.
    pub rpcs: u32,
}

/// What a manifest wishes for. Absent fields wish for the default; unknown ones are a newer SDK's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
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
            fact_bytes: 1 << 10,
            list_items: 8_192,
            host_calls: 20_000,
            host_call_bytes: 1 << 20,
        }
    }
}

impl Default for LimitsMax {
    fn default() -> Self {
        Self {
            memory_bytes: Limits::MEMORY_BYTES_CAP,
            fuel: 100_000_000_000,
            wall: Duration::from_secs(1_800),
            rpcs: 5_000,
        }
    }
}

impl Limits {
    /// The most memory that the engine can give, in bytes: it reserves as much for every run.
    pub const MEMORY_BYTES_CAP: usize = 64 << 20;

    /// These limits with a manifest's wishes. A wish for more than the operator's limit is granted
    /// up to `max`; the operator's own limit stands, be it beyond that.
    pub(crate) fn with_wishes(&self, wishes: &WishedLimits, max: &LimitsMax) -> Self {
        let wall = wishes.wall_seconds.map(Duration::from_secs);
        Self {
            memory_bytes: granted(wishes.memory_bytes, self.memory_bytes, max.memory_bytes),
            fuel: granted(wishes.fuel, self.fuel, max.fuel),
            wall: granted(wall, self.wall, max.wall),
            rpcs: granted(wishes.rpcs, self.rpcs, max.rpcs),
            ..self.clone()
        }
    }
}

fn granted<T: Ord>(wished: Option<T>, own: T, max: T) -> T {
    match wished {
        Some(wished) if wished > own => wished.min(max).max(own),
        Some(wished) => wished,
        None => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_granted_up_to_the_operators_maximum() {
        assert_eq!(granted(None, 10, 100), 10);
        assert_eq!(granted(Some(5), 10, 100), 5);
        assert_eq!(granted(Some(50), 10, 100), 50);
        assert_eq!(granted(Some(500), 10, 100), 100);
        assert_eq!(granted(Some(500), 10, 1), 10);
    }
}
