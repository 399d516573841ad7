//! The parameters of one device: the shared model plus what differs from it.
//!
//! Thousands of devices run in one process, so a device holds only the values that were set, the
//! instances that were added or removed and the attributes that were changed. Everything else is
//! computed from the model, with the device's serial number, address and clock filled in.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::identity::Identity;
use crate::model::{Model, ObjectKind, Parameter, ancestors, normalised, parent_of};

/// The attributes of one parameter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// The Notification attribute.
    pub notification: u8,
    /// The AccessList.
    pub access_list: Vec<String>,
}

/// Why AddObject or DeleteObject was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectError {
    /// No such table or instance, or not one that may change.
    Unknown,
    /// The table is full.
    Full,
}

/// The parameters of one device.
#[derive(Debug, Clone)]
pub struct Tree {
    model: Arc<Model>,
    values: BTreeMap<Box<str>, Box<str>>,
    added: BTreeSet<Box<str>>,
    removed: BTreeSet<Box<str>>,
    highest: BTreeMap<Box<str>, u32>,
    attributes: BTreeMap<Box<str>, Attributes>,
}

impl Tree {
    /// A device as it left the factory.
    #[must_use]
    pub fn new(model: Arc<Model>) -> Self {
        Self {
            model,
            values: BTreeMap::new(),
            added: BTreeSet::new(),
            removed: BTreeSet::new(),
            highest: BTreeMap::new(),
            attributes: BTreeMap::new(),
        }
    }

    /// The model of the device.
    #[must_use]
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The full path of a name given relative to the root.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        format!("{}{name}", self.model.root)
    }

    /// The definition of a parameter, if it exists on this device now.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Parameter> {
        if let Some(parameter) = self.model.parameters.get(path) {
            return (!self.is_removed(path)).then_some(parameter);
        }
        let instance = ancestors(path).rev().find(|object| self.added.contains(*object))?;
        let name = path.get(instance.len()..)?;
        let table = self.model.tables.get(normalised(parent_of(instance)?).as_str())?;
        table.template.iter().find(|(known, _)| &**known == name).map(|(_, found)| found)
    }

    /// What kind of object a path names, if it exists on this device now.
    #[must_use]
    pub fn object(&self, path: &str) -> Option<ObjectKind> {
        if let Some(kind) = self.model.objects.get(path) {
            return (!self.is_removed(path)).then_some(*kind);
        }
        let instance = ancestors(path).rev().find(|object| self.added.contains(*object))?;
        if instance == path {
            return Some(ObjectKind::Instance { writable: true });
        }
        let pattern = normalised(path);
        if let Some(table) = self.model.tables.get(pattern.as_str()) {
            return Some(ObjectKind::Table { writable: table.writable });
        }
        let inner = path.get(instance.len()..)?;
        let table = self.model.tables.get(normalised(parent_of(instance)?).as_str())?;
        table.template.iter().any(|(name, _)| name.starts_with(inner)).then_some(ObjectKind::Plain)
    }

    /// The value of a parameter as the device itself sees it, hidden or not.
    #[must_use]
    pub fn value(&self, path: &str, identity: &Identity) -> Option<String> {
        let parameter = self.find(path)?;
        if let Some(value) = self.values.get(path) {
            return Some(value.to_string());
        }
        if let Some(table) = parameter.factory.strip_prefix("{entries") {
            return Some(self.entries(path, table.trim_end_matches('}')).to_string());
        }
        Some(identity.fill(&parameter.factory))
    }

    /// The value of a parameter as the ACS reads it.
    #[must_use]
    pub fn readable(&self, path: &str, identity: &Identity) -> Option<String> {
        if self.find(path)?.access.hidden {
            Some(String::new())
        } else {
            self.value(path, identity)
        }
    }

    /// Sets a value without any check but that the parameter exists.
    pub fn set(&mut self, path: &str, value: &str) -> bool {
        let exists = self.find(path).is_some();
        if exists {
            self.values.insert(path.into(), value.into());
        }
        exists
    }

    /// All parameters below an object, or in the whole tree for the empty path.
    #[must_use]
    pub fn parameters(&self, object: &str) -> Vec<String> {
        let mut found: Vec<String> = from_prefix(&self.model.parameters, object)
            .filter(|path| !self.is_removed(path))
            .map(ToString::to_string)
            .collect();
        for instance in self.added_at(object) {
            found.extend(
                self.template(instance)
                    .map(|(name, _)| format!("{instance}{name}"))
                    .filter(|path| path.starts_with(object)),
            );
        }
        found.sort_unstable();
        found
    }

    /// All objects below an object, itself included.
    #[must_use]
    pub fn objects(&self, object: &str) -> Vec<String> {
        let mut found: BTreeSet<String> = from_prefix(&self.model.objects, object)
            .filter(|path| !self.is_removed(path))
            .map(ToString::to_string)
            .collect();
        for instance in self.added_at(object) {
            found.insert(instance.to_string());
            for (name, _) in self.template(instance) {
                found.extend(ancestors(name).map(|inner| format!("{instance}{inner}")));
            }
            let pattern = normalised(instance);
            for table in from_prefix(&self.model.tables, &pattern) {
                let inner = table.get(pattern.len()..).unwrap_or_default();
                if !inner.contains('{') {
                    found.insert(format!("{instance}{inner}"));
                }
            }
        }
        found.retain(|path| path.starts_with(object));
        found.into_iter().collect()
    }

    /// The instances of a table.
    #[must_use]
    pub fn instances(&self, table: &str) -> Vec<String> {
        let number =
            |path: &String| path.get(table.len()..)?.strip_suffix('.')?.parse::<u32>().ok();
        let mut found: Vec<String> =
            self.objects(table).into_iter().filter(|path| number(path).is_some()).collect();
        found.sort_by_key(number);
        found
    }

    /// Adds an instance with the values of the template. Numbers are never used twice.
    pub fn add(&mut self, table: &str) -> Result<u32, ObjectError> {
        let Some(ObjectKind::Table { writable: true }) = self.object(table) else {
            return Err(ObjectError::Unknown);
        };
        let pattern = normalised(table);
        let entries_max = self.model.tables.get(pattern.as_str()).map_or(0, |t| t.entries_max);
        let instances = self.instances(table);
        if instances.len() >= entries_max {
            return Err(ObjectError::Full);
        }
        let number = self.highest_number(table, &instances).saturating_add(1);
        self.highest.insert(table.into(), number);
        self.added.insert(format!("{table}{number}.").into_boxed_str());
        Ok(number)
    }

    /// Deletes an instance with everything in it.
    pub fn delete(&mut self, instance: &str) -> Result<(), ObjectError> {
        let Some(ObjectKind::Instance { writable: true }) = self.object(instance) else {
            return Err(ObjectError::Unknown);
        };
        let Some(table) = parent_of(instance) else {
            return Err(ObjectError::Unknown);
        };
        // The number stays used even when it was the highest.
        let number = self.highest_number(table, &self.instances(table));
        self.highest.insert(table.into(), number);
        if !self.added.contains(instance) {
            self.removed.insert(instance.into());
        }
        self.added.retain(|path| !path.starts_with(instance));
        self.highest.retain(|path, _| !path.starts_with(instance));
        self.values.retain(|path, _| !path.starts_with(instance));
        self.attributes.retain(|path, _| !path.starts_with(instance));
        Ok(())
    }

    /// The attributes of a parameter.
    #[must_use]
    pub fn attributes(&self, path: &str) -> Attributes {
        let mut found = self.attributes.get(path).cloned().unwrap_or_default();
        if self.find(path).is_some_and(|parameter| parameter.access.forced_active) {
            found.notification = 2;
        }
        found
    }

    /// Sets the attributes of a parameter.
    pub fn set_attributes(&mut self, path: &str, attributes: Attributes) {
        self.attributes.insert(path.into(), attributes);
    }

    /// Goes back to the factory state.
    pub fn reset(&mut self) {
        *self = Self::new(Arc::clone(&self.model));
    }

    fn is_removed(&self, path: &str) -> bool {
        !self.removed.is_empty() && ancestors(path).any(|object| self.removed.contains(object))
    }

    /// The added instances that lie in an object, or that the object lies in.
    fn added_at<'a>(&'a self, object: &'a str) -> impl Iterator<Item = &'a str> {
        let paths = self.added.iter().map(|path| &**path);
        paths.filter(move |path| path.starts_with(object) || object.starts_with(path))
    }

    fn template(&self, instance: &str) -> impl Iterator<Item = &(Box<str>, Parameter)> {
        let table =
            parent_of(instance).and_then(|table| self.model.tables.get(normalised(table).as_str()));
        table.into_iter().flat_map(|table| table.template.iter())
    }

    fn highest_number(&self, table: &str, instances: &[String]) -> u32 {
        let last = instances.last().and_then(|path| path.get(table.len()..));
        let present = last.and_then(|tail| tail.trim_end_matches('.').parse().ok()).unwrap_or(0);
        self.highest.get(table).copied().unwrap_or(0).max(present)
    }

    /// The value of a NumberOfEntries parameter; `named` is `:Table` when the names differ.
    fn entries(&self, path: &str, named: &str) -> usize {
        let at = path.rfind('.').map_or(0, |at| at.saturating_add(1));
        let (object, name) = path.split_at_checked(at).unwrap_or(("", path));
        let table = named
            .strip_prefix(':')
            .unwrap_or_else(|| name.strip_suffix("NumberOfEntries").unwrap_or(name));
        self.instances(&format!("{object}{table}.")).len()
    }
}

fn from_prefix<'a, V>(
    map: &'a BTreeMap<Box<str>, V>,
    prefix: &'a str,
) -> impl Iterator<Item = &'a str> {
    map.range::<str, _>((Bound::Included(prefix), Bound::Unbounded))
        .map(|(path, _)| &**path)
        .take_while(move |path| path.starts_with(prefix))
}
