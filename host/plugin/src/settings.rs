//! The settings that a run is given.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::cache::hex;
use crate::redact::padded;

/// The settings of a plugin for a device, as JSON.
#[derive(Clone, PartialEq, Eq)]
pub struct PluginSettings {
    /// What holds: what was set, over the manifest's defaults.
    pub effective: Arc<str>,
    /// What was set, as an array of objects, each over the one before. Another version may have other
    /// defaults under them, and a replay of it needs to tell the two apart.
    pub set: Arc<str>,
    /// What makes the revisions of their parts.
    pub key: RevisionKey,
    /// Revisions that were told in the run that is run again, by JSON pointer.
    pub recorded: BTreeMap<String, String>,
    /// Why the plugin cannot be called with them: they do not fit its schema. It is not, then.
    pub misfit: Option<Arc<str>>,
}

impl PluginSettings {
    /// What was set, each over the one before and all over these defaults, with a revision of this key.
    pub fn new(
        defaults: Map<String, Value>,
        set: Vec<Map<String, Value>>,
        key: &RevisionKey,
    ) -> Self {
        // JSON can always be written.
        let text = serde_json::to_string(&set).unwrap_or_default();
        let mut effective = defaults;
        set.into_iter().for_each(|layer| lay_over(&mut effective, layer));
        let effective = Value::Object(effective).to_string();
        Self {
            effective: Arc::from(effective),
            set: Arc::from(text),
            key: key.clone(),
            recorded: BTreeMap::new(),
            misfit: None,
        }
    }

    /// The revision of a part, by its JSON pointer: what was recorded of it, else a digest. Of a part
    /// that is not there it is that of `null`.
    pub fn revision(&self, part: &str) -> String {
        if let Some(recorded) = self.recorded.get(part) {
            return recorded.clone();
        }
        let value = serde_json::from_str::<Value>(&self.effective).unwrap_or_default();
        self.key.revision(&value.pointer(part).unwrap_or(&Value::Null).to_string())
    }
}

/// Makes revisions of settings: digests of them that tell nothing of the secrets in them to whoever
/// does not have the key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct RevisionKey([u8; 32]);

/// Hexadecimal digits of a revision.
const REVISION_DIGITS: usize = 16;

impl RevisionKey {
    /// A key that is made of the server's secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        let mac = mac(secret, b"revisions of settings");
        Self(mac.finalize().into_bytes().into())
    }

    /// The revision of settings, as JSON.
    pub(crate) fn revision(&self, settings: &str) -> String {
        let digest = hex(&mac(&self.0, settings.as_bytes()).finalize().into_bytes());
        digest.chars().take(REVISION_DIGITS).collect()
    }
}

fn mac(key: &[u8; 32], text: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new(&padded(key).into());
    mac.update(text);
    mac
}

impl fmt::Debug for RevisionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevisionKey").finish_non_exhaustive()
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
        Self::new(Map::new(), Vec::new(), &RevisionKey::default())
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

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_is_laid_one_over_the_other_in_order_and_kept_apart_from_the_defaults() {
        let object = |text: &str| serde_json::from_str::<Map<String, Value>>(text).expect("JSON");
        let defaults = object(r#"{"wan":{"mode":"dhcp"},"ntp":1}"#);
        let set = vec![object(r#"{"wan":null}"#), object(r#"{"wan":{"vlan":7}}"#)];
        let settings = PluginSettings::new(defaults, set, &RevisionKey::default());
        assert_eq!(&*settings.effective, r#"{"ntp":1,"wan":{"vlan":7}}"#);
        assert_eq!(&*settings.set, r#"[{"wan":null},{"wan":{"vlan":7}}]"#);
        assert_eq!(format!("{settings:?}"), "PluginSettings { .. }");
        let of = |text: &str, secret: u8, part: &str| {
            let key = RevisionKey::new(&[secret; 32]);
            PluginSettings::new(object(text), Vec::new(), &key).revision(part)
        };
        let (one, other) = (r#"{"wan":{"vlan":7},"ntp":1}"#, r#"{"wan":{"vlan":7},"ntp":2}"#);
        assert_eq!(of(one, 1, "/wan"), of(other, 1, "/wan"));
        assert_ne!(of(one, 1, ""), of(other, 1, ""));
        assert_ne!(of(one, 1, "/wan"), of(one, 2, "/wan"), "it tells nothing without the key");
        assert_eq!(of(one, 1, "/none"), of(one, 1, "no pointer"));
    }
}
