//! The plugin for any device of the standard data models, TR-181 (`Device.`) and TR-098
//! (`InternetGatewayDevice.`), that no vendor's plugin serves.
//!
//! What it does, which facts it publishes and what it costs is in [`trellis_plugin_common`]; its
//! settings are [`Settings`].

use trellis_plugin::serde_json::json;
use trellis_plugin::{Cpe, Manifest, Matcher, Plugin, Result};
use trellis_plugin_common::{Extra, Settings, defaults, provision, schema};

/// The plugin.
#[derive(Debug)]
pub struct Standard;

impl Plugin for Standard {
    type Settings = Settings;

    fn manifest() -> Manifest {
        Manifest::new("standard", env!("CARGO_PKG_VERSION"))
            .description("Any device of the standard data models, TR-181 and TR-098")
            .serves(Matcher::new())
            .settings(json!({ "type": "object", "properties": schema() }), defaults())
    }

    fn provision(cpe: &mut Cpe, settings: Settings) -> Result<()> {
        provision(cpe, &settings, Extra::default()).map(|_| ())
    }
}

trellis_plugin::export!(Standard);
