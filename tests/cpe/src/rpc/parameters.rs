//! GetParameterValues, GetParameterNames and SetParameterValues.

use crate::cpe::Cpe;
use crate::fault::{CpeFault, ParameterFault};
use crate::model::ObjectKind;
use crate::request::SetValue;
use crate::value::DataType;
use crate::write::{TypedValue, array, element, parameter_list};

use super::Answer;

impl Cpe {
    pub(super) fn get_parameter_values(&self, names: &[String]) -> Answer {
        let mut values = Vec::new();
        for name in names {
            for path in self.selected(name)? {
                values.extend(self.typed_value(&path));
            }
        }
        Ok(parameter_list(&values))
    }

    /// A parameter as the ACS reads it.
    pub(crate) fn typed_value(&self, path: &str) -> Option<TypedValue> {
        let data_type = self.tree.find(path)?.syntax.data_type;
        let value = self.tree.readable(path, &self.identity)?;
        Some((path.to_owned(), data_type, value))
    }

    pub(super) fn get_parameter_names(&self, path: &str, next_level: bool) -> Answer {
        let root = &self.tree.model().root;
        let names = if path.is_empty() && next_level {
            vec![root.clone()]
        } else if path.is_empty() || path.ends_with('.') {
            if !path.is_empty() && self.tree.object(path).is_none() {
                return Err(CpeFault::because(9005, format!("no such object: {path}")));
            }
            let is_child = |name: &String| {
                let inner = name.get(path.len()..).unwrap_or_default();
                !inner.is_empty() && !inner.trim_end_matches('.').contains('.')
            };
            let mut names = self.tree.objects(path);
            names.extend(self.tree.parameters(path));
            names.retain(|name| !next_level || is_child(name));
            names
        } else if self.tree.find(path).is_none() {
            return Err(CpeFault::because(9005, format!("no such parameter: {path}")));
        } else if next_level {
            return Err(CpeFault::because(9003, "a parameter has no next level"));
        } else {
            vec![path.to_owned()]
        };
        let xml: String = names.iter().map(|name| self.info(name)).collect();
        Ok(array("ParameterList", "cwmp:ParameterInfoStruct", names.len(), &xml))
    }

    fn info(&self, name: &str) -> String {
        let writable = if name.ends_with('.') {
            self.tree.object(name).is_some_and(ObjectKind::writable)
        } else {
            self.tree.find(name).is_some_and(|parameter| parameter.access.writable)
        };
        format!(
            "<ParameterInfoStruct>{}{}</ParameterInfoStruct>",
            element("Name", name),
            element("Writable", if writable { "1" } else { "0" })
        )
    }

    /// All values or none.
    pub(super) fn set_parameter_values(&mut self, values: &[SetValue], key: &str) -> Answer {
        let faults: Vec<ParameterFault> = values
            .iter()
            .filter_map(|entry| {
                let code = self.check(entry).err()?;
                Some(ParameterFault { name: entry.name.clone(), code })
            })
            .collect();
        if !faults.is_empty() {
            return Err(CpeFault { parameters: faults, ..CpeFault::new(9003) });
        }
        for entry in values {
            self.apply(entry);
        }
        self.set_parameter_key(key);
        Ok(element("Status", "0"))
    }

    fn check(&self, entry: &SetValue) -> Result<(), u16> {
        let parameter = self.tree.find(&entry.name).ok_or(9005_u16)?;
        if !parameter.access.writable {
            return Err(9008);
        }
        if DataType::parse(&entry.type_name) != Some(parameter.syntax.data_type) {
            return Err(9006);
        }
        if parameter.syntax.accepts(&entry.value) { Ok(()) } else { Err(9007) }
    }

    fn apply(&mut self, entry: &SetValue) {
        // One spelling inside, so that equal values are equal.
        let boolean = DataType::parse(&entry.type_name) == Some(DataType::Boolean);
        let value = match entry.value.as_str() {
            "true" if boolean => "1",
            "false" if boolean => "0",
            other => other,
        };
        let before = self.get(&entry.name);
        self.tree.set(&entry.name, value);
        if entry.name == self.tree.path("ManagementServer.URL") && before.as_deref() != Some(value)
        {
            self.pending.bootstrap = true;
        }
        if entry.name.ends_with(".DiagnosticsState") {
            self.pending.diagnostics.retain(|path| *path != entry.name);
            if value == "Requested" {
                self.pending.diagnostics.push(entry.name.clone());
            } else {
                self.tree.set(&entry.name, "None");
            }
        }
    }
}
