//! What is remembered of a device.

use serde::{Deserialize, Serialize};
use trellis_plugin::{Cpe, Result};

use crate::facts::{Known, tolerated};

const KEY: &str = "device";

/// The record's form. One of another form is not read: the device is then learned anew.
const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct State {
    version: u32,
    pub(crate) root: String,
    /// When the device was last read, in seconds since 1970.
    pub(crate) read_at: u64,
    /// The paths that the device can answer together.
    pub(crate) paths: Vec<String>,
    /// Objects that are too much for it, and are read name by name.
    #[serde(default)]
    pub(crate) narrowed: Vec<String>,
    /// What is kept of the readings, by the names below the root.
    pub(crate) known: Known,
    /// What became of the settings; `None` until they were tried.
    pub(crate) config: Option<Config>,
}

/// What became of the settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Of which settings this is said.
    pub(crate) hash: u64,
    pub(crate) tried_at: u64,
    pub(crate) failed: bool,
    /// Settings that the device lacks or refuses: not tried again before something changes.
    #[serde(default)]
    pub(crate) left_out: Vec<String>,
}

impl State {
    pub(crate) fn new(root: String) -> Self {
        Self {
            version: VERSION,
            root,
            read_at: 0,
            paths: Vec::new(),
            narrowed: Vec::new(),
            known: Known::new(),
            config: None,
        }
    }

    pub(crate) fn load(cpe: &Cpe) -> Option<Self> {
        // A record that cannot be read is as good as none; it must not stop every session.
        let state = cpe.memory().get::<Self>(KEY).unwrap_or_default();
        state.filter(|state| state.version == VERSION)
    }

    /// Saves it. A record beyond the host's limit is not: the device is then learned anew, which
    /// is better than to fail its session.
    pub(crate) fn save(&self, cpe: &Cpe) -> Result<()> {
        tolerated(cpe, cpe.memory().set(KEY, self))
    }
}
