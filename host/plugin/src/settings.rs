//! The settings that a run is given.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The settings of a plugin for a device, as JSON objects.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginSettings {
    /// What holds: what was set, over the manifest's defaults.
    pub effective: Arc<str>,
    /// What was set. Another version may have other defaults, and a replay of it needs to tell the
    /// two apart.
    pub set: Arc<str>,
}

impl PluginSettings {
    /// What was set, over these defaults.
    pub fn new(defaults: &Map<String, Value>, set: Map<String, Value>) -> Self {
        let text = Value::Object(set.clone()).to_string();
        let mut effective = defaults.clone();
        lay_over(&mut effective, set);
        let effective = Value::Object(effective).to_string();
        Self { effective: Arc::from(effective), set: Arc::from(text) }
    }
}

/// Settings hold secrets.
impl fmt::Debug for PluginSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginSettings").finish_non_exhaustive()
    }
}

impl Default for PluginSettings {
    fn default() -> Self {
        Self { effective: Arc::from("{}"), set: Arc::from("{}") }
    }
}

/// Lays settings over others: objects field by field, everything else whole.
pub fn lay_over(under: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (under.get_mut(&name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => lay_over(under, over),
            (_, value) => drop(under.insert(name, value)),
        }
    }
}
