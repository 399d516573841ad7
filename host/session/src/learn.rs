//! What an exchange teaches about the device's parameters.

use trellis_cwmp::{Message, ParameterList};
use trellis_store::TreeChange;

/// Parameters whose values are never kept when the server sets them; devices read them back
/// as nothing (TR-106 3.2).
const SECRET_WORDS: [&str; 5] = ["Password", "Passphrase", "PreSharedKey", "WEPKey", "SecretKey"];

/// The changes that follow from a request and its response.
pub(crate) fn learn(request: &Message, response: &Message, now_ms: i64) -> Vec<TreeChange> {
    match (request, response) {
        (Message::GetParameterValues(_), Message::GetParameterValuesResponse(it)) => {
            values(&it.parameter_list, now_ms).collect()
        }
        (Message::SetParameterValues(it), Message::SetParameterValuesResponse(_)) => {
            let list = &it.parameter_list;
            values(list, now_ms).filter(|change| !is_secret(change)).collect()
        }
        (Message::GetParameterNames(_), Message::GetParameterNamesResponse(it)) => it
            .parameter_list
            .iter()
            .map(|row| TreeChange::Name {
                name: row.name.clone(),
                writable: row.writable,
                at_ms: now_ms,
            })
            .collect(),
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

fn values(list: &ParameterList, now_ms: i64) -> impl Iterator<Item = TreeChange> {
    list.iter().map(move |row| TreeChange::Value {
        name: row.name.to_owned(),
        value: row.value.to_owned(),
        value_type: row.value_type.local_name().to_owned(),
        at_ms: now_ms,
    })
}

fn is_secret(change: &TreeChange) -> bool {
    let TreeChange::Value { name, .. } = change else { return false };
    let last = name.rsplit('.').next().unwrap_or_default();
    SECRET_WORDS.iter().any(|word| last.contains(word))
}
