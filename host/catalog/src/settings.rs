//! A plugin's settings for a device: one layer over the other.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// Where a setting comes from; a later one goes before an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The manifest.
    Default,
    /// The configuration file.
    Configuration,
    /// What was set for all devices of the plugin.
    Plugin,
    /// What was set for devices with this tag. Of several tags the last one by name goes first.
    Tag(String),
    /// What was set for the device.
    Device,
}

/// What one place says.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Which place.
    pub origin: Origin,
    /// What it says.
    pub settings: Object,
}

/// What holds in the end.
#[derive(Clone, Debug, Default)]
pub struct Effective {
    /// The settings.
    pub settings: Object,
    /// Where each of them comes from, by its path as a JSON pointer.
    pub origins: BTreeMap<String, Origin>,
}

impl Effective {
    /// Lays layers over each other, the first one undermost: objects field by field, everything
    /// else whole.
    pub fn of(layers: impl IntoIterator<Item = Layer>) -> Self {
        let mut effective = Self::default();
        for Layer { origin, settings } in layers {
            lay(&mut effective.settings, settings, "", &origin, &mut effective.origins);
        }
        effective
    }
}

fn lay(
    under: &mut Object,
    over: Object,
    path: &str,
    origin: &Origin,
    origins: &mut BTreeMap<String, Origin>,
) {
    for (name, value) in over {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (under.get_mut(&name), value) {
            (Some(Value::Object(under)), Value::Object(over)) => {
                if !over.is_empty() {
                    // An empty object has an origin of its own.
                    origins.remove(&path);
                }
                lay(under, over, &path, origin, origins);
            }
            (_, value) => {
                let below = format!("{path}/");
                origins.remove(&path);
                // The sign after the slash ends what begins so.
                let known = origins.range(below..format!("{path}0"));
                let known: Vec<String> = known.map(|(known, _)| known.clone()).collect();
                known.iter().for_each(|known| drop(origins.remove(known)));
                note(&value, &path, origin, origins);
                under.insert(name, value);
            }
        }
    }
}

/// Notes where each field of a value comes from.
fn note(value: &Value, path: &str, origin: &Origin, origins: &mut BTreeMap<String, Origin>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
                note(value, &path, origin, origins);
            }
        }
        _ => {
            origins.insert(path.to_owned(), origin.clone());
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Configuration => f.write_str("configuration"),
            Self::Plugin => f.write_str("plugin"),
            Self::Tag(tag) => write!(f, "tag {tag}"),
            Self::Device => f.write_str("device"),
        }
    }
}

#[cfg(test)]
#[allow(clippy::panic, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    fn layer(origin: Origin, settings: Value) -> Layer {
        let Value::Object(settings) = settings else { panic!("not an object") };
        Layer { origin, settings }
    }

    #[test]
    fn a_later_layer_goes_before_an_earlier_one_field_by_field() {
        let effective = Effective::of([
            layer(Origin::Default, json!({ "wifi": { "ssid": "a", "channel": 1 }, "ntp": ["x"] })),
            layer(Origin::Plugin, json!({ "wifi": { "ssid": "b" }, "ntp": ["y"] })),
            layer(Origin::Tag("lab".to_owned()), json!({ "wifi": { "channel": 6 } })),
            layer(Origin::Device, json!({ "wifi": { "ssid": "c" }, "a/b": {} })),
        ]);
        let wanted = json!({ "wifi": { "ssid": "c", "channel": 6 }, "ntp": ["y"], "a/b": {} });
        assert_eq!(Value::Object(effective.settings), wanted);
        let origins: Vec<(&str, String)> =
            effective.origins.iter().map(|(path, it)| (path.as_str(), it.to_string())).collect();
        let wanted = [
            ("/a~1b", "device".to_owned()),
            ("/ntp", "plugin".to_owned()),
            ("/wifi/channel", "tag lab".to_owned()),
            ("/wifi/ssid", "device".to_owned()),
        ];
        assert_eq!(origins, wanted);
    }

    #[test]
    fn what_replaces_an_object_leaves_nothing_of_its_fields() {
        let effective = Effective::of([
            layer(Origin::Default, json!({ "a": { "b": 1 } })),
            layer(Origin::Device, json!({ "a": 2 })),
        ]);
        assert_eq!(effective.origins.keys().collect::<Vec<_>>(), ["/a"]);
    }
}
