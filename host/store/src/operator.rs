//! What operators have laid down: the plugins, and what devices are to be served by and with.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// What operators say of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// Its tags.
    pub tags: BTreeSet<String>,
    /// The plugin that is to serve it, whatever the matchers say.
    pub plugin: Option<String>,
    /// Its settings, by plugin.
    pub settings: BTreeMap<String, Settings>,
}

/// What operators say of all devices that have a tag.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagOrders {
    /// The plugin that is to serve them, whatever the matchers say.
    pub plugin: Option<String>,
    /// Their settings, by plugin.
    pub settings: BTreeMap<String, Settings>,
}

/// Settings of a plugin: a JSON object as text. `Debug` shows only its size: there may be passwords
/// in it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings(pub String);

/// A plugin, with every version of it that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRecord {
    /// Its name.
    pub name: String,
    /// The versions, in the order in which they were loaded.
    pub versions: Vec<PluginVersion>,
    /// The digest of the version that serves.
    pub active: Option<String>,
    /// The digests of those that served before it, the last one last.
    pub earlier: Vec<String>,
    /// Whether a version that is loaded does not take over.
    pub is_pinned: bool,
    /// Whether it serves no device.
    pub is_disabled: bool,
    /// The version that serves a share of the devices.
    pub trial: Option<Trial>,
    /// The version that runs beside the others and changes nothing.
    pub shadow: Option<Shadow>,
    /// How the last trial ended, in words.
    pub last_trial: Option<String>,
    /// The operator's settings for all its devices.
    pub settings: Option<Settings>,
    /// The digests of versions that were removed: a file of the plugin folder that is one of them is
    /// left where it is.
    pub removed: BTreeSet<String>,
}

/// One version of a plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginVersion {
    /// What it calls itself.
    pub version: String,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub digest: String,
    /// The size of its file, in bytes.
    pub bytes: u64,
    /// When it was loaded, in milliseconds since 1970.
    pub loaded_ms: i64,
    /// Who loaded it: the name of a token, or `folder`.
    pub loaded_by: String,
    /// What it has done.
    pub counters: PluginCounters,
}

/// What one version of a plugin has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCounters {
    /// Sessions that it served.
    pub sessions: u64,
    /// Calls of its hooks that have ended.
    pub runs: u64,
    /// Requests to devices.
    pub rpcs: u64,
    /// Runs that ended in a fault, and limits that were reached without an end of the run, by kind.
    pub faults: BTreeMap<String, u64>,
    /// CPU, in wasmtime's fuel.
    pub fuel: u64,
    /// Time in which it computed, in microseconds.
    pub busy_us: u64,
    /// Time in which it waited for devices, in microseconds.
    pub parked_us: u64,
    /// The most linear memory that one run has had, in bytes.
    pub memory_bytes_high: u64,
}

/// A version on trial.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The version, by its digest.
    pub digest: String,
    /// The share of devices that it serves, in hundredths of a percent.
    pub share: u32,
    /// What it had done when the trial began.
    pub since: PluginCounters,
    /// What the version that serves the others had done then.
    pub others_since: PluginCounters,
}

/// A version that runs beside the one that serves, over what that one did in each session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shadow {
    /// The version, by its digest.
    pub digest: String,
    /// Runs that it was held against.
    pub runs: u64,
    /// Of these, the ones that were the same.
    pub same: u64,
    /// Runs that it could not be held against: they were recorded in part, or ended by the clock.
    pub skipped: u64,
    /// What it asked that the recordings do not hold.
    pub unanswered: u64,
    /// Where it decided otherwise, by kind.
    pub differences: BTreeMap<String, u64>,
    /// The last of these, the newest last.
    pub last: Vec<ShadowDifference>,
}

/// Something that a shadow decided otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowDifference {
    /// When the session began, in milliseconds since 1970.
    pub at_ms: i64,
    /// The device.
    pub device: String,
    /// What it is about.
    pub kind: String,
    /// What the version that serves did, if it did anything in its place.
    pub old: Option<String>,
    /// What the shadow did, if it did anything in its place.
    pub new: Option<String>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl Orders {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl TagOrders {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl PluginRecord {
    /// A version by its digest.
    pub fn version(&self, digest: &str) -> Option<&PluginVersion> {
        self.versions.iter().find(|version| version.digest == digest)
    }
}
