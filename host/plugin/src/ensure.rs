//! What every vendor's plugin needs, once: values and rows that are as they should be.

use std::collections::{HashMap, HashSet, VecDeque};

use trellis_cwmp::{DeleteObject, Message, ParameterList, ValueType, cpe_fault};

use crate::arguments::value_len;
use crate::bindings::parameters::Ensured;
use crate::bindings::types::{self, ParameterValue};
use crate::fault::limit_reached;
use crate::host::host_value_type;
use crate::portions::cut;
use crate::state::{Failure, RunState, refused};

/// Faults after which a smaller request may succeed.
const SMALLER_MAY_SUCCEED: [u32; 4] = [
    cpe_fault::INTERNAL_ERROR,
    cpe_fault::INVALID_ARGUMENTS,
    cpe_fault::RESOURCES_EXCEEDED,
    cpe_fault::INVALID_PARAMETER_NAME,
];

/// Name, value and type of what is to be written.
type Differing<'a> = (&'a str, &'a str, ValueType);

/// Values and their types, by name.
type Known = HashMap<String, (String, ValueType)>;

impl RunState {
    /// Reads, compares, writes only what differs.
    pub(crate) async fn ensure(
        &mut self,
        wanted: Vec<ParameterValue>,
        parameter_key: String,
    ) -> Result<Ensured, Failure> {
        self.check_items("values", wanted.len())?;
        let names: Vec<String> = wanted.iter().map(|it| it.name.clone()).collect();
        if names.iter().collect::<HashSet<_>>().len() != names.len() {
            return Err(refused("a name is in the list twice"));
        }
        let known = self.read_what_there_is(names).await?;
        let mut missing = Vec::new();
        let mut differing = Vec::new();
        for it in &wanted {
            // Some devices leave out of an answer what they do not have.
            let Some((value, known_type)) = known.get(&it.name) else {
                missing.push(it.name.clone());
                continue;
            };
            let wanted_type =
                if it.value_type.is_empty() { *known_type } else { host_value_type(it)? };
            if !same(wanted_type, &it.value, value) {
                differing.push((it.name.as_str(), it.value.as_str(), wanted_type));
            }
        }
        let mut ensured = Ensured { written: Vec::new(), missing, status: 0 };
        let values_max = self.context.portions.values_max;
        let len = |(name, value, _): &Differing<'_>| value_len(name, value);
        let mut open: VecDeque<_> = cut(differing, values_max, len).into();
        while let Some(mut batch) = open.pop_front() {
            let list: ParameterList = batch.iter().copied().collect();
            match self.write_values(list, parameter_key.clone()).await {
                Ok(status) => {
                    let written = batch.into_iter().map(|(name, _, _)| name.to_owned());
                    ensured.written.extend(written);
                    ensured.status = ensured.status.max(status);
                }
                Err(Failure::Guest(types::Error::Fault(fault)))
                    if fault.code == cpe_fault::RESOURCES_EXCEEDED && batch.len() > 1 =>
                {
                    let rest = batch.split_off(batch.len() / 2);
                    open.push_front(rest);
                    open.push_front(batch);
                }
                Err(failure) => return Err(failure),
            }
        }
        Ok(ensured)
    }

    /// Finds a row by its keys, or adds it.
    pub(crate) async fn ensure_row(
        &mut self,
        table: String,
        keys: Vec<ParameterValue>,
        parameter_key: String,
    ) -> Result<u32, Failure> {
        if !table.ends_with('.') {
            return Err(refused(format!("the table {table:?} must end with a dot")));
        }
        if keys.is_empty() {
            return Err(refused("a row needs at least one key to be found by"));
        }
        let instances: Vec<u32> = self
            .read_names(table.clone(), true)
            .await?
            .iter()
            .filter_map(|row| row.name.strip_prefix(&table)?.strip_suffix('.')?.parse().ok())
            .collect();
        self.check_items("rows times keys", instances.len().saturating_mul(keys.len()))?;
        let mut names = Vec::new();
        for instance in &instances {
            names.extend(keys.iter().map(|key| format!("{table}{instance}.{}", key.name)));
        }
        let known = self.read_what_there_is(names).await?;
        let found = instances.into_iter().find(|instance| {
            keys.iter().all(|key| {
                let known = known.get(&format!("{table}{instance}.{}", key.name));
                known.is_some_and(|(value, value_type)| same(*value_type, &key.value, value))
            })
        });
        if let Some(instance) = found {
            return Ok(instance);
        }
        let instance = self.add(table.clone(), parameter_key.clone()).await?.instance_number;
        let values = keys
            .into_iter()
            .map(|key| ParameterValue { name: format!("{table}{instance}.{}", key.name), ..key });
        let failure = match self.ensure(values.collect(), parameter_key.clone()).await {
            Ok(ensured) => match ensured.missing.into_iter().next() {
                None => return Ok(instance),
                Some(missing) => refused(format!("the new row has no {missing}")),
            },
            Err(failure) => failure,
        };
        // A row without its keys would never be found, and another be added in every session.
        let row = DeleteObject { object_name: format!("{table}{instance}."), parameter_key };
        match self.call(Message::DeleteObject(row)).await {
            Err(Failure::Trap(error)) => Err(Failure::Trap(error)),
            _ => Err(failure),
        }
    }

    pub(crate) fn check_items(&self, what: &str, count: usize) -> Result<(), Failure> {
        let limit = self.limits.list_items;
        if count <= limit {
            return Ok(());
        }
        limit_reached("plugin_list_items");
        Err(refused(format!("there are {count} {what}; the limit is {limit}")))
    }

    /// Reads values that may not all be there. What was not asked for is not kept.
    async fn read_what_there_is(&mut self, names: Vec<String>) -> Result<Known, Failure> {
        let mut known = Known::with_capacity(names.len());
        let mut bytes = 0_usize;
        let mut portions = self.portions_of(names, &SMALLER_MAY_SUCCEED);
        while let Some(portion) = portions.next(self).await {
            match portion {
                Ok((asked, list)) => {
                    let asked: HashSet<&str> = asked.iter().map(String::as_str).collect();
                    for row in list.iter().filter(|row| asked.contains(row.name)) {
                        bytes = bytes.saturating_add(row.value.len());
                        known.insert(row.name.to_owned(), (row.value.to_owned(), row.value_type));
                    }
                    self.fits([bytes].into_iter())?;
                }
                Err(Failure::Guest(types::Error::Fault(fault)))
                    if fault.code == cpe_fault::INVALID_PARAMETER_NAME => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(known)
    }
}

/// Whether two texts say the same in a type.
fn same(value_type: ValueType, one: &str, other: &str) -> bool {
    let number = |text: &str| text.trim().parse::<i128>().ok();
    match value_type {
        ValueType::Boolean => {
            let truth = |text: &str| match text.trim() {
                "1" | "true" | "True" | "TRUE" => Some(true),
                "0" | "false" | "False" | "FALSE" => Some(false),
                _ => None,
            };
            one == other || (truth(one).is_some() && truth(one) == truth(other))
        }
        ValueType::Int | ValueType::UnsignedInt | ValueType::Long | ValueType::UnsignedLong => {
            one == other || (number(one).is_some() && number(one) == number(other))
        }
        ValueType::HexBinary => one.trim().eq_ignore_ascii_case(other.trim()),
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean_in_their_type() {
        assert!(same(ValueType::Boolean, "1", "true"));
        assert!(!same(ValueType::Boolean, "1", "0"));
        assert!(!same(ValueType::Boolean, "yes", "0"));
        assert!(same(ValueType::UnsignedLong, "18446744073709551615", "18446744073709551615"));
        assert!(same(ValueType::Int, "+5", "05"));
        assert!(!same(ValueType::String, "5", "05"));
        assert!(!same(ValueType::String, "a ", "a"));
    }
}
