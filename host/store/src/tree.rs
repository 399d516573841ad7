//! What is known of a device's parameters, and how it is laid out on disk.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// All that is known of a device's parameters, by full path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree(pub BTreeMap<String, Entry>);

/// What is known of one parameter or object.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The exact text, if it was read.
    pub value: Option<String>,
    /// The type without prefix, if it was told.
    pub value_type: Option<String>,
    /// Whether it can be set, added to or deleted, if that was asked.
    pub writable: Option<bool>,
    /// The notification attribute, if it was asked or set.
    pub notification: Option<u32>,
    /// When any of this was last told, in milliseconds since 1970.
    pub at_ms: i64,
}

/// One thing that a session learned about the tree.
#[derive(Clone, PartialEq, Eq)]
pub enum TreeChange {
    /// A parameter has this value.
    Value {
        /// The full path.
        name: String,
        /// The exact text.
        value: String,
        /// The type without prefix.
        value_type: String,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A parameter or object exists.
    Name {
        /// The full path.
        name: String,
        /// Whether it can be set, added to or deleted.
        writable: bool,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// A parameter has this notification attribute.
    Notification {
        /// The full path.
        name: String,
        /// 0 to 6.
        notification: u32,
        /// When, in milliseconds since 1970.
        at_ms: i64,
    },
    /// Nothing is left at or below this path.
    Removed {
        /// A path that ends with a dot, or a parameter's.
        path: String,
    },
}

impl Tree {
    /// Takes in a change, unless it brings a new name beyond `names_max`. Tells whether it did.
    pub(crate) fn apply_within(&mut self, change: TreeChange, names_max: usize) -> bool {
        let name = match &change {
            TreeChange::Value { name, .. }
            | TreeChange::Name { name, .. }
            | TreeChange::Notification { name, .. } => name,
            TreeChange::Removed { path } => path,
        };
        let is_new = !matches!(change, TreeChange::Removed { .. }) && !self.0.contains_key(name);
        if is_new && self.0.len() >= names_max {
            return false;
        }
        self.apply(change);
        true
    }

    /// Takes in a change.
    pub fn apply(&mut self, change: TreeChange) {
        match change {
            TreeChange::Value { name, value, value_type, at_ms } => {
                let entry = self.0.entry(name).or_default();
                entry.value = Some(value);
                entry.value_type = Some(value_type);
                entry.at_ms = at_ms;
            }
            TreeChange::Name { name, writable, at_ms } => {
                let entry = self.0.entry(name).or_default();
                entry.writable = Some(writable);
                entry.at_ms = entry.at_ms.max(at_ms);
            }
            TreeChange::Notification { name, notification, at_ms } => {
                let entry = self.0.entry(name).or_default();
                entry.notification = Some(notification);
                entry.at_ms = entry.at_ms.max(at_ms);
            }
            TreeChange::Removed { path } => {
                if path.ends_with('.') {
                    self.0.retain(|name, _| !name.starts_with(&path));
                } else {
                    self.0.remove(&path);
                }
            }
        }
    }

    /// The tree in the parts that are stored: whole, or by first-level object.
    pub(crate) fn parts(&self, whole_bytes_max: usize) -> BTreeMap<&str, BTreeMap<&str, &Entry>> {
        let bytes: usize = self.0.iter().map(|(name, entry)| name.len() + entry.bytes()).sum();
        let mut parts: BTreeMap<&str, BTreeMap<&str, &Entry>> = BTreeMap::new();
        for (name, entry) in &self.0 {
            let part = if bytes > whole_bytes_max { first_level(name) } else { "" };
            parts.entry(part).or_default().insert(name, entry);
        }
        parts
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        self.value.as_ref().map_or(0, String::len) + 16
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("value_type", &self.value_type)
            .field("writable", &self.writable)
            .field("notification", &self.notification)
            .finish_non_exhaustive()
    }
}

/// `Device.WiFi.` of `Device.WiFi.SSID.1.SSID`; empty for what stands in the root.
fn first_level(name: &str) -> &str {
    let mut dots = name.match_indices('.').map(|(at, _)| at + 1);
    dots.nth(1).and_then(|end| name.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(names: &[&str]) -> Tree {
        Tree(names.iter().map(|name| ((*name).to_owned(), Entry::default())).collect())
    }

    #[test]
    fn a_small_tree_is_one_part_and_a_large_one_has_a_part_per_first_level_object() {
        let tree = tree(&["Device.A", "Device.WiFi.SSID.1.SSID", "Device.WiFi.X", "Device.IP.Y"]);
        assert_eq!(tree.parts(1 << 16).into_keys().collect::<Vec<_>>(), [""]);
        let parts = tree.parts(10);
        assert_eq!(parts.keys().copied().collect::<Vec<_>>(), ["", "Device.IP.", "Device.WiFi."]);
        assert_eq!(parts["Device.WiFi."].len(), 2);
    }

    #[test]
    fn removing_an_object_removes_all_below_it_and_nothing_else() {
        let mut tree = tree(&["Device.A.1.X", "Device.A.1.", "Device.A.10.X", "Device.B"]);
        tree.apply(TreeChange::Removed { path: "Device.A.1.".to_owned() });
        assert_eq!(tree.0.into_keys().collect::<Vec<_>>(), ["Device.A.10.X", "Device.B"]);
    }
}
