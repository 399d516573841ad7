//! `parameters`: the device's data model.

use std::collections::HashSet;

use trellis_cwmp::*;

use crate::bindings::parameters::{
    AddedObject, AttributeChange, Ensured, Host, ParameterAttributes, ParameterName,
};
use crate::bindings::types::{CpeFault, Error, ParameterValue};
use crate::fault::limit_reached;
use crate::state::{Failure, RunState, refused, to_guest};

type Answer<T> = wasmtime::Result<std::result::Result<T, Error>>;

impl Host for RunState {
    async fn get_parameter_values(&mut self, names: Vec<String>) -> Answer<Vec<ParameterValue>> {
        to_guest(match self.read_values(names).await {
            Ok(list) => {
                let texts = |row: &Parameter<'_>| row.name.len() + row.value.len();
                self.fits(list.iter().map(|row| texts(&row))).map(|()| to_guest_values(&list))
            }
            Err(failure) => Err(failure),
        })
    }

    async fn set_parameter_values(
        &mut self,
        values: Vec<ParameterValue>,
        parameter_key: String,
    ) -> Answer<u32> {
        to_guest(match from_guest_values(&values) {
            Ok(list) => self.write_values(list, parameter_key).await,
            Err(failure) => Err(failure),
        })
    }

    async fn get_parameter_names(
        &mut self,
        path: String,
        next_level: bool,
    ) -> Answer<Vec<ParameterName>> {
        let rows = self.read_names(path, next_level).await;
        to_guest(rows.and_then(|rows| self.to_guest_names(rows)))
    }

    async fn get_parameter_attributes(
        &mut self,
        names: Vec<String>,
    ) -> Answer<Vec<ParameterAttributes>> {
        let request =
            Message::GetParameterAttributes(GetParameterAttributes { parameter_names: names });
        let rows = self.ask(request, |answer| match answer {
            Message::GetParameterAttributesResponse(it) => Some(it.parameter_list),
            _ => None,
        });
        let rows = rows.await.and_then(|rows| {
            let texts = rows.iter().map(|row| {
                row.name.len()
                    + row.access_list.iter().map(|it| it.len() + ROW_BYTES).sum::<usize>()
            });
            self.fits(texts).map(|()| rows)
        });
        to_guest(rows.map(|rows| {
            let rows = rows.into_iter();
            rows.map(|row| ParameterAttributes {
                name: row.name,
                notification: row.notification,
                access_list: row.access_list,
            })
            .collect()
        }))
    }

    async fn set_parameter_attributes(&mut self, changes: Vec<AttributeChange>) -> Answer<()> {
        let rows = changes.into_iter().map(|change| SetParameterAttributesStruct {
            name: change.name,
            notification_change: change.notification.is_some(),
            notification: change.notification.unwrap_or_default(),
            access_list_change: change.access_list.is_some(),
            access_list: change.access_list.unwrap_or_default(),
        });
        let request = SetParameterAttributes { parameter_list: rows.collect() };
        to_guest(self.call(Message::SetParameterAttributes(request)).await.map(|_| ()))
    }

    async fn add_object(
        &mut self,
        object_name: String,
        parameter_key: String,
    ) -> Answer<AddedObject> {
        to_guest(self.add(object_name, parameter_key).await)
    }

    async fn delete_object(&mut self, object_name: String, parameter_key: String) -> Answer<u32> {
        let request = Message::DeleteObject(DeleteObject { object_name, parameter_key });
        let status = self.ask(request, |answer| match answer {
            Message::DeleteObjectResponse(it) => Some(it.status),
            _ => None,
        });
        to_guest(status.await)
    }

    async fn ensure_values(
        &mut self,
        values: Vec<ParameterValue>,
        parameter_key: String,
    ) -> Answer<Ensured> {
        to_guest(self.ensure(values, parameter_key).await)
    }

    async fn ensure_instance(
        &mut self,
        table: String,
        keys: Vec<ParameterValue>,
        parameter_key: String,
    ) -> Answer<u32> {
        to_guest(self.ensure_row(table, keys, parameter_key).await)
    }

    async fn walk(&mut self, path: String) -> Answer<Vec<ParameterName>> {
        let rows = self.walk_names(path).await;
        to_guest(rows.and_then(|rows| self.to_guest_names(rows)))
    }
}

impl RunState {
    pub(crate) async fn write_values(
        &mut self,
        parameter_list: ParameterList,
        parameter_key: String,
    ) -> Result<u32, Failure> {
        let request = SetParameterValues { parameter_list, parameter_key };
        let status = self.ask(Message::SetParameterValues(request), |answer| match answer {
            Message::SetParameterValuesResponse(it) => Some(it.status),
            _ => None,
        });
        status.await
    }

    /// Reads names. A device that does not know the empty path, which stands for all of its data
    /// models, is asked for the one that its Inform shows.
    pub(crate) async fn read_names(
        &mut self,
        path: String,
        next_level: bool,
    ) -> Result<Vec<ParameterInfoStruct>, Failure> {
        let is_empty = path.is_empty();
        match self.ask_names(path, next_level).await {
            Err(Failure::Guest(Error::Fault(fault)))
                if is_empty
                    && fault.code == cpe_fault::INVALID_PARAMETER_NAME
                    && !self.context.root.is_empty() =>
            {
                self.ask_names(self.context.root.clone(), next_level).await
            }
            result => result,
        }
    }

    async fn ask_names(
        &mut self,
        parameter_path: String,
        next_level: bool,
    ) -> Result<Vec<ParameterInfoStruct>, Failure> {
        let request = GetParameterNames { parameter_path, next_level };
        let rows = self.ask(Message::GetParameterNames(request), |answer| match answer {
            Message::GetParameterNamesResponse(it) => Some(it.parameter_list),
            _ => None,
        });
        rows.await
    }

    pub(crate) async fn add(
        &mut self,
        object_name: String,
        parameter_key: String,
    ) -> Result<AddedObject, Failure> {
        let request = Message::AddObject(AddObject { object_name, parameter_key });
        let added = self.ask(request, |answer| match answer {
            Message::AddObjectResponse(it) => Some(it),
            _ => None,
        });
        let AddObjectResponse { instance_number, status } = added.await?;
        Ok(AddedObject { instance_number, status })
    }
}

/// What a row takes in a guest's memory beside its texts: places in two lists, and the
/// allocator's own.
const ROW_BYTES: usize = 128;

impl RunState {
    /// Refuses an answer that would take more than half of the plugin's memory: in the standard's
    /// own words, so that a plugin that asks a small device for less also asks a large one.
    pub(crate) fn fits(&self, texts: impl Iterator<Item = usize>) -> Result<(), Failure> {
        let needed: usize = texts.map(|bytes| bytes + ROW_BYTES).sum();
        let room = self.limits.memory_bytes / 2;
        if needed <= room {
            return Ok(());
        }
        limit_reached("answer_bytes");
        Err(Failure::Guest(Error::Fault(CpeFault {
            code: cpe_fault::RESOURCES_EXCEEDED,
            text: format!(
                "the answer takes {needed} bytes and the plugin has room for {room}: ask for less"
            ),
            parameters: Vec::new(),
        })))
    }

    fn to_guest_names(
        &self,
        rows: Vec<ParameterInfoStruct>,
    ) -> Result<Vec<ParameterName>, Failure> {
        self.fits(rows.iter().map(|row| row.name.len()))?;
        let rows = rows.into_iter();
        Ok(rows.map(|row| ParameterName { name: row.name, writable: row.writable }).collect())
    }
}

/// A device that answers a name twice means it once.
pub(super) fn to_guest_values(list: &ParameterList) -> Vec<ParameterValue> {
    let mut seen = HashSet::with_capacity(list.len());
    list.iter()
        .filter(|row| seen.insert(row.name))
        .map(|row| ParameterValue {
            name: row.name.to_owned(),
            value: row.value.to_owned(),
            value_type: row.value_type.local_name().to_owned(),
        })
        .collect()
}

fn from_guest_values(values: &[ParameterValue]) -> Result<ParameterList, Failure> {
    let mut list = ParameterList::new();
    for value in values {
        list.push(&value.name, &value.value, value_type(value)?);
    }
    Ok(list)
}

/// The type that a guest named.
pub(crate) fn value_type(value: &ParameterValue) -> Result<ValueType, Failure> {
    ValueType::of_local_name(&value.value_type).ok_or_else(|| {
        let known: Vec<&str> = ValueType::ALL.iter().map(|it| it.local_name()).collect();
        refused(format!(
            "the type {:?} of {} is unknown; the types are {}",
            value.value_type,
            value.name,
            known.join(", ")
        ))
    })
}
