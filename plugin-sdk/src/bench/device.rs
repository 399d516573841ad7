//! How the bench's device answers.

use std::collections::{BTreeMap, BTreeSet};

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
        self.request_with(format!("SetParameterValues {}", names.join(" ")), values)?;
        let wrong = |value: &ParameterValue| match self.parameters.get(&value.name) {
            None => Some(INVALID_PARAMETER_NAME),
            Some(known) if known.read_only => Some(NON_WRITABLE_PARAMETER),
            Some(known) if known.kind != value.value_type => Some(INVALID_PARAMETER_TYPE),
            Some(_) => None,
        };
        let faults = values.iter().filter_map(|value| {
            let (name, text) = (value.name.clone(), "bench".to_owned());
            Some(ParameterFault { name, code: wrong(value)?, text })
        });
        let parameters: Vec<_> = faults.collect();
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
        let mut names = BTreeMap::new();
        let tables = self.tables.keys().map(|it| (it, false));
        let known = self.parameters.iter().map(|(name, it)| (name, !it.read_only));
        for (known, writable) in known.chain(tables) {
            let Some(rest) = known.strip_prefix(path) else { continue };
            if rest.is_empty() && !is_object(path) {
                names.insert(known.clone(), writable);
            }
            let mut end = path.len();
            for part in rest.split_inclusive('.') {
                end += part.len();
                let name = known.get(..end).unwrap_or_default().to_owned();
                let writable =
                    if is_object(&name) { self.is_row_or_table(&name) } else { writable };
                names.insert(name, writable);
                if next {
                    break;
                }
            }
        }
        let name = |(name, writable)| ParameterName { name, writable };
        Ok(names.into_iter().map(name).collect())
    }

    /// Whether rows can be added to an object, or the object is such a row.
    fn is_row_or_table(&self, object: &str) -> bool {
        self.tables.keys().any(|table| {
            let row = object.strip_prefix(table.as_str()).and_then(|it| it.strip_suffix('.'));
            table == object || row.is_some_and(|it| it.parse::<u32>().is_ok())
        })
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

    /// Adds a row: with what [`table`](Self::table) says, else with what the last row has, without
    /// values.
    pub(super) fn add(&mut self, table: &str) -> Result<AddedObject, Error> {
        self.request(format!("AddObject {table}"))?;
        let rows = self.parameters.keys().filter_map(|name| row_of(table, name));
        let last = rows.max();
        let below = |row: u32| format!("{table}{row}.");
        let row = match (self.tables.get(table), last) {
            (Some(row), _) => row.clone(),
            (None, Some(last)) => {
                let last = below(last);
                let names = self.parameters.iter().filter_map(|(name, it)| {
                    let parameter = Parameter { value: String::new(), ..it.clone() };
                    Some((name.strip_prefix(&last)?.to_owned(), parameter))
                });
                names.collect()
            }
            (None, None) => return Err(fault(INVALID_PARAMETER_NAME)),
        };
        let given = self.instances.get(table).copied().max(last).unwrap_or(0);
        let instance_number = given.saturating_add(1);
        self.instances.insert(table.to_owned(), instance_number);
        let row = row.into_iter().map(|(name, it)| (below(instance_number) + &name, it));
        self.parameters.extend(row);
        Ok(AddedObject { instance_number, status: 0 })
    }

    pub(super) fn delete(&mut self, row: &str) -> Result<u32, Error> {
        self.request(format!("DeleteObject {row}"))?;
        self.must_exist(row)?;
        self.parameters.retain(|name, _| !name.starts_with(row));
        Ok(0)
    }

    /// As the host does it: reads what exists, writes what differs.
    pub(super) fn ensure(&mut self, values: &[ParameterValue]) -> Result<Ensured, Error> {
        let names: BTreeSet<_> = values.iter().map(|value| &value.name).collect();
        if names.len() != values.len() {
            return Err(Error::Refused("a name is in the list twice".to_owned()));
        }
        let missing = |value: &&ParameterValue| !self.parameters.contains_key(&value.name);
        let missing: Vec<_> =
            values.iter().filter(missing).map(|value| value.name.clone()).collect();
        let there: Vec<_> = values.iter().filter(|value| !missing.contains(&value.name)).collect();
        let names: Vec<_> = there.iter().map(|value| value.name.clone()).collect();
        let mut different = Vec::new();
        if !names.is_empty() {
            let known = self.get_values(&names)?;
            for (value, known) in there.into_iter().zip(known) {
                let is_typed = !value.value_type.is_empty();
                let value_type =
                    if is_typed { value.value_type.clone() } else { known.value_type.clone() };
                if !same(&value_type, &value.value, &known.value) {
                    different.push(ParameterValue { value_type, ..value.clone() });
                }
            }
        }
        let written = different.iter().map(|value| value.name.clone()).collect();
        let status = if different.is_empty() { 0 } else { self.set_values(&different)? };
        Ok(Ensured { written, missing, status })
    }

    /// As the host does it: finds the row, or adds it and takes it away where its keys cannot be set.
    pub(super) fn ensure_row(
        &mut self,
        table: &str,
        keys: &[ParameterValue],
    ) -> Result<u32, Error> {
        if !table.ends_with('.') {
            return Err(Error::Refused(format!("the table {table:?} must end with a dot")));
        }
        if keys.is_empty() {
            return Err(Error::Refused("a row needs at least one key to be found by".to_owned()));
        }
        let rows = self.names(table, true)?;
        let rows: BTreeSet<u32> = rows.iter().filter_map(|it| row_of(table, &it.name)).collect();
        let wanted = |row: u32| {
            let name = move |key: &ParameterValue| format!("{table}{row}.{}", key.name);
            keys.iter().map(move |key| ParameterValue { name: name(key), ..key.clone() })
        };
        let names = rows.iter().flat_map(|row| wanted(*row)).map(|it| it.name);
        let names: Vec<_> = names.filter(|it| self.parameters.contains_key(it)).collect();
        let known = if names.is_empty() { Vec::new() } else { self.get_values(&names)? };
        let holds = |key: &ParameterValue| {
            let known = known.iter().find(|it| it.name == key.name);
            known.is_some_and(|it| same(&it.value_type, &key.value, &it.value))
        };
        if let Some(row) = rows.into_iter().find(|row| wanted(*row).all(|key| holds(&key))) {
            return Ok(row);
        }
        let row = self.add(table)?.instance_number;
        let failure = match self.ensure(&wanted(row).collect::<Vec<_>>()) {
            Ok(ensured) => match ensured.missing.first() {
                None => return Ok(row),
                Some(missing) => Error::Refused(format!("the new row has no {missing}")),
            },
            Err(error) => error,
        };
        // What went wrong first is what counts.
        let _ = self.delete(&format!("{table}{row}."));
        Err(failure)
    }

    fn must_exist(&self, name: &str) -> Result<(), Error> {
        let is_below = |known: &String| known == name || is_object(name) && known.starts_with(name);
        let is_there = self.parameters.keys().chain(self.tables.keys()).any(is_below);
        if is_there { Ok(()) } else { Err(fault(INVALID_PARAMETER_NAME)) }
    }
}

/// The row of a table that a name is in.
fn row_of(table: &str, name: &str) -> Option<u32> {
    name.strip_prefix(table)?.split('.').next()?.parse().ok()
}

fn is_object(name: &str) -> bool {
    name.is_empty() || name.ends_with('.')
}

/// Whether two texts say the same in a type, as the host compares them.
fn same(kind: &str, wanted: &str, known: &str) -> bool {
    let truth = |text: &str| match text.trim() {
        "1" | "true" | "True" | "TRUE" => Some(true),
        "0" | "false" | "False" | "FALSE" => Some(false),
        _ => None,
    };
    let number = |text: &str| text.trim().parse::<i128>().ok();
    wanted == known
        || match kind {
            "boolean" => truth(wanted).is_some() && truth(wanted) == truth(known),
            "int" | "unsignedInt" | "long" | "unsignedLong" => {
                number(wanted).is_some() && number(wanted) == number(known)
            }
            "hexBinary" => wanted.trim().eq_ignore_ascii_case(known.trim()),
            _ => false,
        }
}
