//! What a plugin says of itself.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

/// A plugin's manifest, built step by step:
///
/// ```
/// use trellis_plugin::{Manifest, Matcher};
///
/// let manifest = Manifest::new("acme", "1.2.0")
///     .description("Acme's fibre routers")
///     .serves(Matcher::new().manufacturer("Acme*").product_class("FR-5?0"));
/// ```
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    name: String,
    version: String,
    description: String,
    matchers: Vec<Matcher>,
    settings: Settings,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    actions: BTreeMap<String, Action>,
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    admit: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<Limits>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    schema: Value,
    defaults: Value,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Action {
    description: String,
    schema: Value,
}

/// Which devices a plugin serves. All fields that are given must match; a matcher without any
/// matches every device. `*` stands for any text and `?` for one character. Of several plugins
/// that match, the most specific one serves the device.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Matcher {
    #[serde(skip_serializing_if = "Option::is_none")]
    manufacturer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    oui: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    product_class: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hardware_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    root: Option<String>,
}

/// What a run of the plugin needs, where the server's defaults are not enough. Wishes: the
/// operator's own limits are never passed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Memory, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Computation, in the engine's fuel, about one per instruction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fuel: Option<u64>,
    /// From the run's start to its end, in seconds, with the waits for the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_seconds: Option<u64>,
    /// Requests to the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rpcs: Option<u32>,
}

// === impl Manifest ===

impl Manifest {
    /// A plugin of this name, which is also its identity on the server, and version (semver). It
    /// serves no device until [`serves`](Self::serves) is called, except where it is pinned.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: String::new(),
            matchers: Vec::new(),
            settings: Settings { schema: json!({ "type": "object" }), defaults: json!({}) },
            actions: BTreeMap::new(),
            admit: false,
            limits: None,
        }
    }

    /// One line for people.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Serves the devices that match. Called more than once, it serves those of each matcher.
    pub fn serves(mut self, matcher: Matcher) -> Self {
        self.matchers.push(matcher);
        self
    }

    /// The settings' JSON schema, and their values where the operator sets none: an object.
    pub fn settings(mut self, schema: Value, defaults: Value) -> Self {
        self.settings = Settings { schema, defaults };
        self
    }

    /// An action that operators can have the plugin do: its name (lower-case letters, digits and
    /// dashes), one line for people, and the JSON schema of its arguments. See
    /// [`Plugin::action`](crate::Plugin::action).
    pub fn action(
        mut self,
        name: impl Into<String>,
        description: impl Into<String>,
        schema: Value,
    ) -> Self {
        self.actions.insert(name.into(), Action { description: description.into(), schema });
        self
    }

    /// Has the plugin asked at each Inform whether the device may come in. See
    /// [`Plugin::admit`](crate::Plugin::admit).
    pub fn admits(mut self) -> Self {
        self.admit = true;
        self
    }

    /// Whether [`admits`](Self::admits) was said.
    pub fn does_admit(&self) -> bool {
        self.admit
    }

    /// What a run needs.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = Some(limits);
        self
    }

    /// The settings that hold where the operator sets nothing.
    pub fn default_settings(&self) -> &Value {
        &self.settings.defaults
    }

    /// Whether operators can have the plugin do this.
    pub fn has_action(&self, name: &str) -> bool {
        self.actions.contains_key(name)
    }

    /// The JSON object that the host reads.
    pub fn to_json(&self) -> String {
        // Nothing in a manifest can fail to be JSON; an empty text is refused when it is loaded.
        serde_json::to_string(self).unwrap_or_default()
    }
}

// === impl Matcher ===

impl Matcher {
    /// Matches every device.
    pub fn new() -> Self {
        Self::default()
    }

    /// The manufacturer in the Inform's device id.
    pub fn manufacturer(mut self, glob: impl Into<String>) -> Self {
        self.manufacturer = Some(glob.into());
        self
    }

    /// Six hexadecimal digits.
    pub fn oui(mut self, glob: impl Into<String>) -> Self {
        self.oui = Some(glob.into());
        self
    }

    /// The product class in the Inform's device id.
    pub fn product_class(mut self, glob: impl Into<String>) -> Self {
        self.product_class = Some(glob.into());
        self
    }

    /// `DeviceInfo.SoftwareVersion` in the Inform.
    pub fn software_version(mut self, glob: impl Into<String>) -> Self {
        self.software_version = Some(glob.into());
        self
    }

    /// `DeviceInfo.HardwareVersion` in the Inform.
    pub fn hardware_version(mut self, glob: impl Into<String>) -> Self {
        self.hardware_version = Some(glob.into());
        self
    }

    /// The data model's root: `Device.` or `InternetGatewayDevice.`.
    pub fn root(mut self, glob: impl Into<String>) -> Self {
        self.root = Some(glob.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_kebab_case_json() {
        let manifest = Manifest::new("acme", "1.0.0")
            .serves(Matcher::new().product_class("FR-5?0"))
            .serves(Matcher::new())
            .limits(Limits { memory_bytes: Some(1 << 20), ..Limits::default() });
        let expected = json!({
            "name": "acme",
            "version": "1.0.0",
            "description": "",
            "matchers": [{ "product-class": "FR-5?0" }, {}],
            "settings": { "schema": { "type": "object" }, "defaults": {} },
            "limits": { "memory-bytes": 1_048_576 },
        });
        assert_eq!(serde_json::from_str::<Value>(&manifest.to_json()).unwrap(), expected);
    }
}
