//! What one run of a plugin may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of one run. The operator sets them; a manifest may wish for less or more, and gets
/// at most what [`LimitsMax`] allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Linear memory of the plugin, in bytes. Default 16 MiB.
    pub memory_bytes: usize,
    /// CPU, in wasmtime's fuel: about an instruction each. It does not count waiting for the
    /// device. Default 2,000,000,000, about an eighth of a second.
    pub fuel: u64,
    /// From the first instruction to the end, the device's answers included. Default 10 min.
    #[serde(rename = "wall-seconds", with = "seconds")]
    pub wall: Duration,
    /// Requests to the device. Default 1,000.
    pub rpcs: u32,
    /// One device's memory for one plugin, keys and values, in bytes. Default 64 KiB.
    pub memory_store_bytes: usize,
    /// Deadlines of one device for one plugin. Default 16.
    pub deadlines: usize,
    /// Facts about one device from one run. Default 256.
    pub facts: usize,
    /// Lines of log in one run; the rest is counted. Default 200.
    pub log_lines: u32,
    /// One line of log, in bytes; the rest is cut. Default 2 KiB.
    pub log_line_bytes: usize,
    /// What one run writes to the log, in bytes; the rest is counted. Default 64 KiB.
    pub log_bytes: usize,
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

/// What the operator sets for one plugin. It goes before the limits of all and before the manifest's
/// wishes; absent fields are left as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OwnLimits {
    /// See [`Limits::memory_bytes`].
    pub memory_bytes: Option<usize>,
    /// See [`Limits::fuel`].
    pub fuel: Option<u64>,
    /// See [`Limits::wall`], in seconds.
    pub wall_seconds: Option<u64>,
    /// See [`Limits::rpcs`].
    pub rpcs: Option<u32>,
    /// See [`Limits::memory_store_bytes`].
    pub memory_store_bytes: Option<usize>,
    /// See [`Limits::deadlines`].
    pub deadlines: Option<usize>,
    /// See [`Limits::facts`].
    pub facts: Option<usize>,
    /// See [`Limits::fact_bytes`].
    pub fact_bytes: Option<usize>,
    /// See [`Limits::log_lines`].
    pub log_lines: Option<u32>,
    /// See [`Limits::log_line_bytes`].
    pub log_line_bytes: Option<usize>,
    /// See [`Limits::log_bytes`].
    pub log_bytes: Option<usize>,
    /// See [`Limits::list_items`].
    pub list_items: Option<usize>,
    /// See [`Limits::host_calls`].
    pub host_calls: Option<u32>,
    /// See [`Limits::host_call_bytes`].
    pub host_call_bytes: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 16 << 20,
            fuel: 2_000_000_000,
            wall: Duration::from_secs(600),
            rpcs: 1_000,
            memory_store_bytes: 64 << 10,
            deadlines: 16,
            facts: 256,
            log_lines: 200,
            log_line_bytes: 2 << 10,
            log_bytes: 64 << 10,
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

impl Limits {
    /// These limits, and of what manifests wish for what another version was granted where that is
    /// more.
    pub fn at_least(self, other: &Self) -> Self {
        Self {
            memory_bytes: self.memory_bytes.max(other.memory_bytes),
            fuel: self.fuel.max(other.fuel),
            wall: self.wall.max(other.wall),
            rpcs: self.rpcs.max(other.rpcs),
            ..self
        }
    }

    /// These limits with what the operator sets for one plugin.
    pub(crate) fn with_own(self, own: &OwnLimits) -> Self {
        let wall = own.wall_seconds.map(Duration::from_secs);
        Self {
            memory_bytes: own.memory_bytes.unwrap_or(self.memory_bytes).min(Self::MEMORY_BYTES_CAP),
            fuel: own.fuel.unwrap_or(self.fuel),
            wall: wall.unwrap_or(self.wall),
            rpcs: own.rpcs.unwrap_or(self.rpcs),
            memory_store_bytes: own.memory_store_bytes.unwrap_or(self.memory_store_bytes),
            deadlines: own.deadlines.unwrap_or(self.deadlines),
            facts: own.facts.unwrap_or(self.facts),
            fact_bytes: own.fact_bytes.unwrap_or(self.fact_bytes),
            log_lines: own.log_lines.unwrap_or(self.log_lines),
            log_line_bytes: own.log_line_bytes.unwrap_or(self.log_line_bytes),
            log_bytes: own.log_bytes.unwrap_or(self.log_bytes),
            list_items: own.list_items.unwrap_or(self.list_items),
            host_calls: own.host_calls.unwrap_or(self.host_calls),
            host_call_bytes: own.host_call_bytes.unwrap_or(self.host_call_bytes),
        }
    }
}

/// A time in seconds, as settings have it.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(time.as_secs())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_secs)
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
