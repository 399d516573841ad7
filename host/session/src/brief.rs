//! Messages in a few words, without values: there are secrets among them.

use trellis_cwmp::*;

/// Names shown of a list.
const NAMES_SHOWN: usize = 4;

/// What a message says, for the log and the history.
pub(crate) fn brief(message: &Message) -> String {
    match message {
        Message::Fault(fault) => format!("fault {fault}"),
        Message::GetParameterValues(it) => names(it.parameter_names.iter().map(String::as_str)),
        Message::GetParameterAttributes(it) => names(it.parameter_names.iter().map(String::as_str)),
        Message::SetParameterValues(it) => names(it.parameter_list.iter().map(|row| row.name)),
        Message::GetParameterNames(it) => {
            let depth = if it.next_level { "next level of" } else { "all of" };
            format!("{depth} {:?}", it.parameter_path)
        }
        Message::SetParameterAttributes(it) => {
            names(it.parameter_list.iter().map(|row| row.name.as_str()))
        }
        Message::GetParameterValuesResponse(it) => count(it.parameter_list.len(), "value"),
        Message::GetParameterNamesResponse(it) => count(it.parameter_list.len(), "name"),
        Message::GetParameterAttributesResponse(it) => count(it.parameter_list.len(), "parameter"),
        Message::GetRPCMethodsResponse(it) => count(it.method_list.len(), "method"),
        Message::SetParameterValuesResponse(it) => status(it.status),
        Message::DeleteObjectResponse(it) => status(it.status),
        Message::DownloadResponse(it) | Message::UploadResponse(it) => status(it.status),
        Message::AddObject(it) => it.object_name.clone(),
        Message::DeleteObject(it) => it.object_name.clone(),
        Message::AddObjectResponse(it) => {
            format!("instance {}, {}", it.instance_number, status(it.status))
        }
        Message::Download(it) => format!("{} (key {:?})", it.file_type, it.command_key),
        Message::ScheduleDownload(it) => format!("{} (key {:?})", it.file_type, it.command_key),
        Message::Upload(it) => format!("{} (key {:?})", it.file_type, it.command_key),
        Message::Reboot(it) => format!("key {:?}", it.command_key),
        Message::CancelTransfer(it) => format!("key {:?}", it.command_key),
        Message::ScheduleInform(it) => {
            format!("in {} s (key {:?})", it.delay_seconds, it.command_key)
        }
        Message::ChangeDUState(it) => count(it.operations.len(), "operation"),
        Message::TransferComplete(it) => transfer(&it.command_key, &it.fault_struct),
        Message::AutonomousTransferComplete(it) => transfer(&it.file_type, &it.fault_struct),
        Message::DUStateChangeComplete(it) => count(it.results.len(), "result"),
        Message::AutonomousDUStateChangeComplete(it) => count(it.results.len(), "result"),
        Message::RequestDownload(it) => it.file_type.clone(),
        _ => String::from("ok"),
    }
}

/// What the device answered. Its words on a fault may quote what it was sent, and are left out
/// where there was a secret in it.
pub(crate) fn brief_answer(request: &Message, answer: &Message) -> String {
    match answer {
        Message::Fault(fault) if holds_secret(request) => {
            let rejected = fault.set_parameter_values_fault.iter();
            let rejected = rejected.map(|it| format!("; {}: {}", it.parameter_name, it.fault_code));
            format!("fault {}{}", fault.fault_code, rejected.collect::<String>())
        }
        answer => brief(answer),
    }
}

fn holds_secret(request: &Message) -> bool {
    match request {
        Message::SetParameterValues(it) => it.parameter_list.iter().any(|row| is_secret(row.name)),
        Message::Download(it) => !it.password.is_empty(),
        Message::Upload(it) => !it.password.is_empty(),
        Message::ScheduleDownload(it) => !it.password.is_empty(),
        Message::ChangeDUState(_) => true,
        _ => false,
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str> + Clone) -> String {
    let total = names.clone().count();
    let mut text = names.take(NAMES_SHOWN).collect::<Vec<_>>().join(", ");
    if total > NAMES_SHOWN {
        text.push_str(&format!(" and {} more", total - NAMES_SHOWN));
    }
    text
}

fn count(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn status(status: u32) -> String {
    match status {
        0 => "done".to_owned(),
        _ => "accepted, to be applied later".to_owned(),
    }
}

fn transfer(key: &str, fault: &FaultStruct) -> String {
    match fault.fault_code {
        0 => format!("{key:?} succeeded"),
        code => format!("{key:?} failed: {code} {}", fault.fault_string),
    }
}
