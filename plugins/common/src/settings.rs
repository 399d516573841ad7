//! What the operator can set.

use std::collections::BTreeMap;

use serde::Deserialize;
use trellis_plugin::serde_json::{Value as Json, json};

/// The settings that all shipped plugins have.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Settings {
    /// Parameters by their full path and the value that they shall have. A path that begins with
    /// a dot is below the device's root, whichever that is; paths of the other root are skipped.
    /// A list becomes the standard's comma-separated list, and `null` leaves a parameter alone.
    pub parameters: BTreeMap<String, Json>,
    /// How often the device calls, in seconds; 0 leaves that to the device.
    pub periodic_inform_interval: u32,
    /// How often the device is read, in seconds; 0 is only once.
    pub refresh_interval: u64,
    /// Whether the device shall tell of changes by others.
    pub notifications: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parameters: BTreeMap::new(),
            periodic_inform_interval: 3_600,
            refresh_interval: 86_400,
            notifications: true,
        }
    }
}

/// The JSON schema's properties.
pub fn schema() -> Json {
    json!({
        "parameters": {
            "type": "object",
            "description": "The values that parameters shall have, by their path. A path that \
                            begins with a dot is below the device's root.",
            "additionalProperties": {
                "type": ["string", "number", "boolean", "array", "null"],
            },
        },
        "periodic-inform-interval": {
            "type": "integer",
            "minimum": 0,
            "description": "How often the device calls, in seconds; 0 leaves it as it is.",
        },
        "refresh-interval": {
            "type": "integer",
            "minimum": 0,
            "description": "How often the device is read, in seconds; 0 is only once.",
        },
        "notifications": {
            "type": "boolean",
            "description": "Whether the device shall tell of changes by others.",
        },
    })
}

/// The values where the operator sets none.
pub fn defaults() -> Json {
    let settings = Settings::default();
    json!({
        "parameters": {},
        "periodic-inform-interval": settings.periodic_inform_interval,
        "refresh-interval": settings.refresh_interval,
        "notifications": settings.notifications,
    })
}
