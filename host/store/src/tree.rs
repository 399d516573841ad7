//! What is known of a device's parameters, and how it is laid out on disk.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};
use trellis_cwmp::Time;

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
    /// Since when it is so, in milliseconds since 1970.
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
    /// Below this path there are these names and no others.
    Only {
        /// A path that ends with a dot; empty for all.
        path: String,
        /// The full paths.
        names: HashSet<String>,
    },
    /// Nothing is left at or below this path.
    Removed {
        /// A path that ends with a dot, or a parameter's.
        path: String,
    },
}

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Applied {
    /// It was news.
    News,
    /// It was known.
    Known,
    /// There was no room for it.
    Refused,
}

impl Applied {
    fn of(is_news: bool) -> Self {
        if is_news { Self::News } else { Self::Known }
    }
}

impl Tree {
    /// Takes in a change, unless it brings a new name beyond `names_max` or a value of more than
    /// `value_bytes_max`.
    pub(crate) fn apply_within(
        &mut self,
        change: TreeChange,
        names_max: usize,
        value_bytes_max: usize,
    ) -> Applied {
        let (name, value_bytes) = match &change {
            TreeChange::Value { name, value, .. } => (name, value.len()),
            TreeChange::Name { name, .. } | TreeChange::Notification { name, .. } => (name, 0),
            TreeChange::Removed { .. } | TreeChange::Only { .. } => {
                return Applied::of(self.apply(change));
            }
        };
        let is_new = !self.0.contains_key(name);
        if is_new && self.0.len() >= names_max || value_bytes > value_bytes_max {
            return Applied::Refused;
        }
        Applied::of(self.apply(change))
    }

    /// Takes in a change; tells whether it was news.
    pub fn apply(&mut self, change: TreeChange) -> bool {
        match change {
            TreeChange::Value { name, value, value_type, at_ms } => {
                self.update(name, at_ms, |it| {
                    let is_news = it.value.as_ref() != Some(&value)
                        || it.value_type.as_ref() != Some(&value_type);
                    (it.value, it.value_type) = (Some(value), Some(value_type));
                    is_news
                })
            }
            TreeChange::Name { name, writable, at_ms } => {
                self.update(name, at_ms, |it| it.writable.replace(writable) != Some(writable))
            }
            TreeChange::Notification { name, notification, at_ms } => {
                self.update(name, at_ms, |it| {
                    it.notification.replace(notification) != Some(notification)
                })
            }
            TreeChange::Only { path, names } => {
                self.keep(|name| !name.starts_with(&path) || name == path || names.contains(name))
            }
            TreeChange::Removed { path } if path.ends_with('.') => {
                self.keep(|name| !name.starts_with(&path))
            }
            TreeChange::Removed { path } => self.0.remove(&path).is_some(),
        }
    }

    fn update(&mut self, name: String, at_ms: i64, set: impl FnOnce(&mut Entry) -> bool) -> bool {
        let entry = self.0.entry(name).or_default();
        let is_news = set(entry);
        if is_news {
            entry.at_ms = at_ms;
        }
        is_news
    }

    fn keep(&mut self, keep: impl Fn(&str) -> bool) -> bool {
        let before = self.0.len();
        self.0.retain(|name, _| keep(name));
        self.0.len() < before
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
    /// What the value means, if it is a time.
    pub fn time(&self) -> Option<Time> {
        let is_time = self.value_type.as_deref() == Some("dateTime");
        self.value.as_deref().filter(|_| is_time).and_then(Time::read)
    }

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
    fn what_a_full_list_of_names_does_not_have_is_gone() {
        let mut tree =
            tree(&["Device.A.", "Device.A.1.", "Device.A.1.X", "Device.A.2.X", "Device.B"]);
        let names = ["Device.A.", "Device.A.1.", "Device.A.1.X"].map(str::to_owned).into();
        tree.apply(TreeChange::Only { path: "Device.A.".to_owned(), names });
        let left: Vec<String> = tree.0.into_keys().collect();
        assert_eq!(left, ["Device.A.", "Device.A.1.", "Device.A.1.X", "Device.B"]);
    }

    #[test]
    fn removing_an_object_removes_all_below_it_and_nothing_else() {
        let mut tree = tree(&["Device.A.1.X", "Device.A.1.", "Device.A.10.X", "Device.B"]);
        tree.apply(TreeChange::Removed { path: "Device.A.1.".to_owned() });
        assert_eq!(tree.0.into_keys().collect::<Vec<_>>(), ["Device.A.10.X", "Device.B"]);
    }
}
