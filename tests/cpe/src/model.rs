//! The data model of a device type, read from a JSON file and shared by all its devices.
//!
//! A model holds what the factory put in: every parameter with its syntax, first value and
//! access, and for each table the template of a new instance. Values may hold placeholders, such
//! as `{serial}` or `{mac+1}`, so that thousands of devices differ; see [`crate::tree`].

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::CpeError;
use crate::value::Syntax;
use crate::version::CwmpVersion;

/// How a parameter may be used, from the letters in the model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Access {
    /// `w`: SetParameterValues is possible.
    pub writable: bool,
    /// `h`: reads back empty, as passwords do.
    pub hidden: bool,
    /// `f`: active notification is always on.
    pub forced_active: bool,
    /// `d`: active notification is refused.
    pub denies_active: bool,
}

/// One parameter, or one row of a template.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// What values look like.
    pub syntax: Syntax,
    /// The factory value, with placeholders.
    pub factory: Box<str>,
    /// How it may be used.
    pub access: Access,
}

/// A multi-instance object.
#[derive(Debug, Clone)]
pub struct Table {
    /// Whether AddObject and DeleteObject are possible.
    pub writable: bool,
    /// How many instances there may be.
    pub entries_max: usize,
    /// The parameters of a new instance, by name relative to it.
    pub template: Vec<(Box<str>, Parameter)>,
}

/// What kind of object a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// A single object.
    Plain,
    /// A multi-instance object; writable when AddObject is possible.
    Table {
        /// Whether AddObject is possible.
        writable: bool,
    },
    /// One instance; writable when DeleteObject is possible.
    Instance {
        /// Whether DeleteObject is possible.
        writable: bool,
    },
}

impl ObjectKind {
    /// The Writable flag of GetParameterNames.
    #[must_use]
    pub fn writable(self) -> bool {
        match self {
            Self::Plain => false,
            Self::Table { writable } | Self::Instance { writable } => writable,
        }
    }
}

/// A data model.
#[derive(Debug, Clone)]
pub struct Model {
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: String,
    /// DeviceId.Manufacturer.
    pub manufacturer: String,
    /// DeviceId.OUI.
    pub oui: String,
    /// DeviceId.ProductClass.
    pub product_class: String,
    /// The CWMP version devices of this type speak.
    pub version: CwmpVersion,
    /// Parameters of every Inform.
    pub forced_inform: Vec<String>,
    /// Optional RPC methods these devices do not have.
    pub unsupported: Vec<String>,
    /// All parameters by path.
    pub parameters: BTreeMap<Box<str>, Parameter>,
    /// All objects by path, each ending with a dot.
    pub objects: BTreeMap<Box<str>, ObjectKind>,
    /// Tables by path, with `{i}` in place of instance numbers.
    pub tables: BTreeMap<Box<str>, Table>,
}

type Row = (String, String, String, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    root: String,
    version: String,
    manufacturer: String,
    oui: String,
    product_class: String,
    forced_inform: Vec<String>,
    #[serde(default)]
    unsupported: Vec<String>,
    tables: BTreeMap<String, FileTable>,
    parameters: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTable {
    #[serde(default)]
    writable: bool,
    #[serde(default = "entries_max")]
    entries_max: usize,
    #[serde(default)]
    template: Vec<Row>,
}

fn entries_max() -> usize {
    64
}

impl Model {
    /// The names of the built-in models.
    pub const BUILT_IN: [&'static str; 3] = ["tr181", "tr098", "tr181-mikrotik"];

    /// A model that is part of this crate.
    pub fn built_in(name: &str) -> Result<Self, CpeError> {
        match name {
            "tr181" => Self::from_json(include_str!("../models/tr181.json")),
            "tr098" => Self::from_json(include_str!("../models/tr098.json")),
            "tr181-mikrotik" => Self::from_json(include_str!("../models/tr181-mikrotik.json")),
            _ => Err(CpeError::Model(format!("no built-in model {name:?}"))),
        }
    }

    /// Reads a model file.
    pub fn from_json(json: &str) -> Result<Self, CpeError> {
        let file: File =
            serde_json::from_str(json).map_err(|error| CpeError::Model(error.to_string()))?;
        let version = CwmpVersion::parse(&file.version)
            .ok_or_else(|| CpeError::Model(format!("unknown version {:?}", file.version)))?;
        let mut model = Self {
            root: file.root,
            manufacturer: file.manufacturer,
            oui: file.oui,
            product_class: file.product_class,
            version,
            forced_inform: file.forced_inform,
            unsupported: file.unsupported,
            parameters: BTreeMap::new(),
            objects: BTreeMap::new(),
            tables: BTreeMap::new(),
        };
        for (path, table) in file.tables {
            let template = table.template.into_iter().map(parameter).collect::<Result<_, _>>()?;
            let FileTable { writable, entries_max, .. } = table;
            let table = Table { writable, entries_max, template };
            model.tables.insert(path.into_boxed_str(), table);
        }
        for row in file.parameters {
            let (path, parameter) = parameter(row)?;
            if !path.starts_with(&model.root) || path.ends_with('.') || path.len() > 256 {
                return Err(CpeError::Model(format!("bad parameter path {path:?}")));
            }
            if model.parameters.insert(path.clone(), parameter).is_some() {
                return Err(CpeError::Model(format!("parameter {path:?} twice")));
            }
        }
        model.find_objects();
        for name in &model.forced_inform {
            if !model.parameters.contains_key(name.as_str()) {
                return Err(CpeError::Model(format!("forced parameter {name:?} does not exist")));
            }
        }
        Ok(model)
    }

    /// Fills the list of objects from the parameter paths and the tables.
    fn find_objects(&mut self) {
        let mut objects = BTreeMap::new();
        for path in self.parameters.keys() {
            for object in ancestors(path) {
                if !objects.contains_key(object) {
                    objects.insert(Box::from(object), self.kind(object));
                }
            }
        }
        // A table without any entry is an object all the same, wherever its parent exists.
        let parents: Vec<Box<str>> = objects.keys().cloned().collect();
        for (pattern, table) in &self.tables {
            for parent in &parents {
                if parent_of(pattern) == Some(normalised(parent).as_str()) {
                    let name = pattern.get(parent_of(pattern).map_or(0, str::len)..);
                    let path = format!("{parent}{}", name.unwrap_or_default());
                    let kind = ObjectKind::Table { writable: table.writable };
                    objects.entry(path.into_boxed_str()).or_insert(kind);
                }
            }
        }
        self.objects = objects;
    }

    fn kind(&self, object: &str) -> ObjectKind {
        let pattern = normalised(object);
        if let Some(table) = self.tables.get(pattern.as_str()) {
            return ObjectKind::Table { writable: table.writable };
        }
        match pattern.strip_suffix("{i}.").map(|table| self.tables.get(table)) {
            Some(table) => {
                ObjectKind::Instance { writable: table.is_some_and(|table| table.writable) }
            }
            None => ObjectKind::Plain,
        }
    }
}

fn parameter(row: Row) -> Result<(Box<str>, Parameter), CpeError> {
    let (name, syntax, factory, letters) = row;
    let syntax = Syntax::parse(&syntax)
        .ok_or_else(|| CpeError::Model(format!("{name}: unknown type {syntax:?}")))?;
    if !factory.contains('{') && !syntax.accepts(&factory) {
        return Err(CpeError::Model(format!("{name}: {factory:?} is not a valid value")));
    }
    let mut access = Access::default();
    for letter in letters.chars() {
        match letter {
            'r' => {}
            'w' => access.writable = true,
            'h' => access.hidden = true,
            'f' => access.forced_active = true,
            'd' => access.denies_active = true,
            _ => return Err(CpeError::Model(format!("{name}: unknown access {letters:?}"))),
        }
    }
    let factory = factory.into_boxed_str();
    Ok((name.into_boxed_str(), Parameter { syntax, factory, access }))
}

/// All objects a path lies in, outermost first; an object path names itself last.
pub(crate) fn ancestors(path: &str) -> impl DoubleEndedIterator<Item = &str> {
    path.match_indices('.').filter_map(|(at, _)| path.get(..=at))
}

/// The object that holds the given object, if it is not the root.
pub(crate) fn parent_of(object: &str) -> Option<&str> {
    let inner = object.strip_suffix('.')?;
    inner.rfind('.').and_then(|at| inner.get(..=at))
}

/// The path with `{i}` in place of every instance number.
pub(crate) fn normalised(path: &str) -> String {
    let is_number = |node: &str| !node.is_empty() && node.bytes().all(|b| b.is_ascii_digit());
    let nodes: Vec<&str> =
        path.split('.').map(|node| if is_number(node) { "{i}" } else { node }).collect();
    nodes.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_models_are_as_large_as_those_of_home_gateways() {
        for (name, least) in [("tr181", 300), ("tr098", 300), ("tr181-mikrotik", 190)] {
            let model = Model::built_in(name).unwrap();
            assert!(model.parameters.len() >= least, "{name}: {}", model.parameters.len());
            assert!(model.tables.values().any(|table| !table.template.is_empty()));
        }
    }

    #[test]
    fn every_instance_in_a_model_belongs_to_a_table() {
        for name in Model::BUILT_IN {
            let model = Model::built_in(name).unwrap();
            for path in model.objects.keys() {
                if let Some(table) = normalised(path).strip_suffix("{i}.") {
                    assert!(model.tables.contains_key(table), "{name}: no table {table}");
                }
            }
        }
    }

    #[test]
    fn a_model_with_a_bad_value_is_refused() {
        let json = r#"{"root":"Device.","version":"1.2","manufacturer":"A","oui":"00D09E",
            "product_class":"X","forced_inform":[],"tables":{},
            "parameters":[["Device.A","unsignedInt","x","r"]]}"#;
        let error = Model::from_json(json).unwrap_err().to_string();
        assert!(error.contains("Device.A"), "{error}");
    }

    #[test]
    fn paths_are_taken_apart() {
        assert_eq!(ancestors("A.B.C").collect::<Vec<_>>(), ["A.", "A.B."]);
        assert_eq!(parent_of("A.B.1."), Some("A.B."));
        assert_eq!(parent_of("A."), None);
        assert_eq!(normalised("A.B.12.C1."), "A.B.{i}.C1.");
    }
}
