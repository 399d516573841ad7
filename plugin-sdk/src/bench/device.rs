//! How the bench's device answers.

use super::{Bench, Parameter, fault};
use crate::bindings::trellis::acs::parameters::{
    AddedObject, AttributeChange, Ensured, ParameterAttributes, ParameterName,
};
use crate::bindings::trellis::acs::types::{CpeFault, Error, ParameterFault, ParameterValue};
use crate::fault::{
    INVALID_ARGUMENTS, INVALID_PARAMETER_NAME, INVALID_PARAMETER_TYPE, NON_WRITABLE_PARAMETER,
};

impl Bench {
    pub(super) fn get_values(&mut self, names: &[String]) -> Result<Vec<ParameterValue>, Error> {
        self.request(format!("GetParameterValues {}", names.join(" ")))?;
        let mut values = Vec::new();
        for name in names {
            self.must_exist(name)?;
            for (known, parameter) in &self.parameters {
                if known == name || is_object(name) && known.starts_with(name.as_str()) {
                    values.push(ParameterValue {
                        name: known.clone(),
                        value: parameter.value.clone(),
                        value_type: parameter.kind.clone(),
                    });
                }
            }
        }
        Ok(values)
    }

    pub(super) fn set_values(&mut self, values: &[ParameterValue]) -> Result<u32, Error> {
        let names: Vec<_> = values.iter().map(|value| value.name.as_str()).collect();
        self.request(format!("SetParameterValues {}", names.join(" ")))?;
        for value in values {
            let known = self.parameters.get(&value.name);
            let known = known.ok_or_else(|| fault(INVALID_PARAMETER_NAME))?;
            if known.kind != value.value_type {
                return Err(fault(INVALID_PARAMETER_TYPE));
            }
        }
        let read_only = values.iter().filter(|value| {
            self.parameters.get(&value.name).is_some_and(|parameter| parameter.read_only)
        });
        let parameters: Vec<_> = read_only
            .map(|value| ParameterFault {
                name: value.name.clone(),
                code: NON_WRITABLE_PARAMETER,
                text: "bench".to_owned(),
            })
            .collect();
        if !parameters.is_empty() {
            let (code, text) = (INVALID_ARGUMENTS, "bench".to_owned());
            return Err(Error::Fault(CpeFault { code, text, parameters }));
        }
        for value in values {
            self.parameter(&value.name, &value.value_type, &value.value);
        }
        Ok(0)
    }

    pub(super) fn names(&mut self, path: &str, next: bool) -> Result<Vec<ParameterName>, Error> {
        self.request(format!("GetParameterNames {path}"))?;
        self.must_exist(path)?;
        let mut names: Vec<String> = Vec::new();
        for known in self.parameters.keys().filter(|known| known.starts_with(path)) {
            let rest = known.strip_prefix(path).unwrap_or_default();
            for (dot, _) in rest.match_indices('.').take(if next { 1 } else { usize::MAX }) {
                names.push(format!("{path}{}.", rest.get(..dot).unwrap_or_default()));
            }
            if !next || !rest.contains('.') {
                names.push(known.clone());
            }
        }
        names.dedup();
        let name = |name| ParameterName { name, writable: true };
        Ok(names.into_iter().map(name).collect())
    }

    pub(super) fn attributes(
        &mut self,
        names: &[String],
    ) -> Result<Vec<ParameterAttributes>, Error> {
        self.request(format!("GetParameterAttributes {}", names.join(" ")))?;
        let mut attributes = Vec::new();
        for name in names {
            self.must_exist(name)?;
            let below = self.parameters.iter().filter(|(known, _)| known.starts_with(name));
            attributes.extend(below.map(|(known, parameter)| ParameterAttributes {
                name: known.clone(),
                notification: parameter.notification,
                access_list: Vec::new(),
            }));
        }
        Ok(attributes)
    }

    pub(super) fn set_attributes(&mut self, changes: &[AttributeChange]) -> Result<(), Error> {
        let names: Vec<_> = changes.iter().map(|change| change.name.as_str()).collect();
        self.request(format!("SetParameterAttributes {}", names.join(" ")))?;
        for name in names {
            self.must_exist(name)?;
        }
        for change in changes {
            let Some(notification) = change.notification else { continue };
            for (known, parameter) in &mut self.parameters {
                let object = is_object(&change.name);
                if *known == change.name || object && known.starts_with(&change.name) {
                    parameter.notification = notification;
                }
            }
        }
        Ok(())
    }

    /// Adds an empty row; what a real device has in it, the test adds with
    /// [`parameter`](Self::parameter).
    pub(super) fn add(&mut self, table: &str) -> Result<AddedObject, Error> {
        self.request(format!("AddObject {table}"))?;
        let number = |name: &String| name.strip_prefix(table)?.split('.').next()?.parse().ok();
        let last: u32 = self.parameters.keys().filter_map(number).max().unwrap_or(0);
        Ok(AddedObject { instance_number: last.saturating_add(1), status: 0 })
    }

    pub(super) fn delete(&mut self, row: &str) -> Result<u32, Error> {
        self.request(format!("DeleteObject {row}"))?;
        self.must_exist(row)?;
        self.parameters.retain(|name, _| !name.starts_with(row));
        Ok(0)
    }

    /// As the host does it: reads what exists, writes what differs.
    pub(super) fn ensure(&mut self, values: &[ParameterValue]) -> Result<Ensured, Error> {
        let missing = |value: &&ParameterValue| !self.parameters.contains_key(&value.name);
        let missing: Vec<_> =
            values.iter().filter(missing).map(|value| value.name.clone()).collect();
        let there: Vec<_> = values.iter().filter(|value| !missing.contains(&value.name)).collect();
        let names: Vec<_> = there.iter().map(|value| value.name.clone()).collect();
        let mut different = Vec::new();
        if !names.is_empty() {
            let known = self.get_values(&names)?;
            for (value, known) in there.into_iter().zip(known) {
                if !same(&value.value, &known) {
                    different
                        .push(ParameterValue { value_type: known.value_type, ..value.clone() });
                }
            }
        }
        let written = different.iter().map(|value| value.name.clone()).collect();
        let status = if different.is_empty() { 0 } else { self.set_values(&different)? };
        Ok(Ensured { written, missing, status })
    }

    pub(super) fn ensure_row(
        &mut self,
        table: &str,
        keys: &[ParameterValue],
    ) -> Result<u32, Error> {
        let rows = self.get_values(&[table.to_owned()])?;
        let number = |name: &str| -> Option<u32> {
            name.strip_prefix(table)?.split('.').next()?.parse().ok()
        };
        for row in rows.iter().filter_map(|value| number(&value.name)) {
            let holds = |key: &ParameterValue| {
                let name = format!("{table}{row}.{}", key.name);
                rows.iter().any(|value| value.name == name && same(&key.value, value))
            };
            if keys.iter().all(holds) {
                return Ok(row);
            }
        }
        let row = self.add(table)?.instance_number;
        for key in keys {
            let name = format!("{table}{row}.{}", key.name);
            self.parameter(&name, &key.value_type, &key.value);
        }
        Ok(row)
    }

    fn must_exist(&self, name: &str) -> Result<(), Error> {
        let there = |(known, _): (&String, &Parameter)| {
            known == name || is_object(name) && known.starts_with(name)
        };
        if self.parameters.iter().any(there) { Ok(()) } else { Err(fault(INVALID_PARAMETER_NAME)) }
    }
}

fn is_object(name: &str) -> bool {
    name.is_empty() || name.ends_with('.')
}

/// Whether a wanted text is what the device has.
fn same(wanted: &str, known: &ParameterValue) -> bool {
    if known.value_type != "boolean" {
        return wanted == known.value;
    }
    let truth = |text: &str| matches!(text, "1" | "true");
    truth(wanted) == truth(&known.value)
}
