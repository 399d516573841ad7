//! The plugin for MikroTik routers: RouterOS with its `tr069-client` package, whose data model is
//! TR-181 below `Device.`.
//!
//! It does all that the standard plugin does (see [`trellis_plugin_common`]), and what only
//! RouterOS needs, as MikroTik documents it:
//!
//! - names the router: `X_MIKROTIK_SystemIdentity` from a template such as `cpe-{serial}`;
//! - reads `X_MIKROTIK_ArchName`, the architecture, which each firmware package is made for;
//! - brings the router to a version of RouterOS, once ([`Firmware`]).
//!
//! | fact | |
//! |---|---|
//! | `device.name` | text: the system identity |
//! | `device.architecture` | text, such as `arm` |
//! | `firmware.state` | text: `current`, `downloading`, `blocked` or `failed`; absent when no version is set |
//! | `firmware.fault` | text: why, when `blocked` or `failed` |

mod firmware;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use trellis_plugin::serde_json::{Value as Json, json};
use trellis_plugin::{Cpe, DeviceId, Manifest, Matcher, Plugin, Result};
use trellis_plugin_common::{Extra, Follow, defaults, provision, schema};

pub use crate::firmware::Firmware;

const IDENTITY: &str = "DeviceInfo.X_MIKROTIK_SystemIdentity";
const ARCHITECTURE: &str = "DeviceInfo.X_MIKROTIK_ArchName";

const FOLLOW: [Follow; 2] = [
    Follow { path: IDENTITY, fact: "device.name" },
    Follow { path: ARCHITECTURE, fact: "device.architecture" },
];

/// The plugin.
#[derive(Debug)]
pub struct MikroTik;

/// What the operator can set.
#[derive(Debug, Deserialize)]
pub struct Settings {
    /// What every plugin has.
    #[serde(flatten)]
    pub common: trellis_plugin_common::Settings,
    /// The router's name, with `{serial}`, `{oui}` and `{product-class}` in it; empty leaves the
    /// name as it is.
    #[serde(default)]
    pub identity: String,
    /// The version of RouterOS that the router shall have.
    #[serde(default)]
    pub firmware: Option<Firmware>,
}

impl Plugin for MikroTik {
    type Settings = Settings;

    fn manifest() -> Manifest {
        let mut properties = schema();
        let mut values = defaults();
        if let (Some(properties), Some(values)) =
            (properties.as_object_mut(), values.as_object_mut())
        {
            properties.insert("identity".to_owned(), identity_schema());
            properties.insert("firmware".to_owned(), firmware::schema());
            values.insert("identity".to_owned(), json!(""));
            values.insert("firmware".to_owned(), Json::Null);
        }
        Manifest::new("mikrotik", env!("CARGO_PKG_VERSION"))
            .description("MikroTik routers (RouterOS): name, architecture and firmware")
            .serves(Matcher::new().manufacturer("MikroTik"))
            .settings(json!({ "type": "object", "properties": properties }), values)
    }

    fn provision(cpe: &mut Cpe, settings: Settings) -> Result<()> {
        let mut parameters = BTreeMap::new();
        if let Some(name) = name(&settings.identity, &cpe.device()) {
            parameters.insert(format!("{}{IDENTITY}", cpe.root()), name);
        }
        let extra = Extra { parameters, follow: &FOLLOW };
        let device = provision(cpe, &settings.common, extra)?;
        firmware::provision(cpe, settings.firmware.as_ref(), &device)
    }
}

fn identity_schema() -> Json {
    json!({
        "type": "string",
        "description": "The router's name, with {serial}, {oui} and {product-class} in it; empty \
                        leaves it as it is.",
    })
}

/// The name by a template. `None` where the router lacks what the template names, such as a product
/// class: a name with a gap is nobody's.
fn name(template: &str, device: &DeviceId) -> Option<String> {
    let mut name = template.to_owned();
    for (part, text) in [
        ("{serial}", &device.serial_number),
        ("{oui}", &device.oui),
        ("{product-class}", &device.product_class),
    ] {
        if name.contains(part) {
            if text.is_empty() {
                return None;
            }
            name = name.replace(part, text);
        }
    }
    Some(name).filter(|name| !name.is_empty())
}

trellis_plugin::export!(MikroTik);
