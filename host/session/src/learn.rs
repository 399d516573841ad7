//! What an exchange teaches about the device's parameters.

use trellis_cwmp::{GetParameterNames, Message, ParameterInfoStruct, ParameterList, is_secret};
use trellis_store::TreeChange;

/// The changes that follow from a request and its response.
pub(crate) fn learn(request: &Message, response: &Message, now_ms: i64) -> Vec<TreeChange> {
    match (request, response) {
        (Message::GetParameterValues(_), Message::GetParameterValuesResponse(it)) => {
            values(&it.parameter_list, now_ms).collect()
        }
        (Message::SetParameterValues(it), Message::SetParameterValuesResponse(_)) => {
            values(&it.parameter_list, now_ms).collect()
        }
        (Message::GetParameterNames(asked), Message::GetParameterNamesResponse(it)) => {
            names(asked, &it.parameter_list, now_ms)
        }
        (Message::SetParameterAttributes(it), Message::SetParameterAttributesResponse) => {
            let changed = it.parameter_list.iter().filter(|row| row.notification_change);
            changed
                .filter(|row| !row.name.is_empty() && !row.name.ends_with('.'))
                .map(|row| TreeChange::Notification {
                    name: row.name.clone(),
                    notification: row.notification,
                    at_ms: now_ms,
                })
                .collect()
        }
        (Message::GetParameterAttributes(_), Message::GetParameterAttributesResponse(it)) => it
            .parameter_list
            .iter()
            .map(|row| TreeChange::Notification {
                name: row.name.clone(),
                notification: row.notification,
                at_ms: now_ms,
            })
            .collect(),
        (Message::AddObject(it), Message::AddObjectResponse(added)) => vec![TreeChange::Name {
            name: format!("{}{}.", it.object_name, added.instance_number),
            writable: true,
            at_ms: now_ms,
        }],
        (Message::DeleteObject(it), Message::DeleteObjectResponse(_)) => {
            vec![TreeChange::Removed { path: it.object_name.clone() }]
        }
        _ => Vec::new(),
    }
}

/// The names that there are; and, when all below a path were asked for, that there are no others.
fn names(asked: &GetParameterNames, list: &[ParameterInfoStruct], now_ms: i64) -> Vec<TreeChange> {
    let mut changes = Vec::with_capacity(list.len() + 1);
    if !asked.next_level && (asked.parameter_path.is_empty() || asked.parameter_path.ends_with('.'))
    {
        let names = list.iter().map(|row| row.name.clone()).collect();
        changes.push(TreeChange::Only { path: asked.parameter_path.clone(), names });
    }
    changes.extend(list.iter().map(|row| TreeChange::Name {
        name: row.name.clone(),
        writable: row.writable,
        at_ms: now_ms,
    }));
    changes
}

fn values(list: &ParameterList, now_ms: i64) -> impl Iterator<Item = TreeChange> {
    list.iter().map(move |row| TreeChange::Value {
        name: row.name.to_owned(),
        value: if is_secret(row.name) { String::new() } else { row.value.to_owned() },
        value_type: row.value_type.local_name().to_owned(),
        at_ms: now_ms,
    })
}
