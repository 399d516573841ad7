//! What a request may hold. The standard bounds every argument, and a device that gets more
//! answers with a fault that says little; the host says which argument and which limit.

use std::collections::HashSet;

use trellis_cwmp::{CwmpVersion, Message, Operation, ParameterList, Secret, TimeWindowStruct};

use crate::limits::Limits;

/// The largest envelope that every device accepts (TR-069 3.5).
pub(crate) const ENVELOPE_BYTES_MAX: usize = 32_768;
/// What an envelope takes around its arguments, generously.
const ENVELOPE_BYTES: usize = 1_024;

type Check = Result<(), String>;

/// Checks a request against TR-069 A.2.1 and the version of the session.
pub(crate) fn check(request: &Message, version: CwmpVersion, limits: &Limits) -> Check {
    since(request, version)?;
    match request {
        Message::SetParameterValues(it) => {
            key("ParameterKey", &it.parameter_key)?;
            values(&it.parameter_list, limits)
        }
        Message::GetParameterValues(it) => names(&it.parameter_names, limits),
        Message::GetParameterAttributes(it) => names(&it.parameter_names, limits),
        Message::GetParameterNames(it) => path(&it.parameter_path),
        Message::SetParameterAttributes(it) => {
            count("ParameterList", it.parameter_list.len(), 1, limits.list_items)?;
            for row in &it.parameter_list {
                path(&row.name)?;
                let highest = if version >= CwmpVersion::V1_4 { 6 } else { 2 };
                if row.notification > highest {
                    return Err(format!(
                        "Notification {} is beyond {highest}, the highest of CWMP {version}",
                        row.notification
                    ));
                }
                for entry in &row.access_list {
                    text("AccessList", entry, 64)?;
                }
            }
            let rows = it.parameter_list.iter();
            let access = |list: &[String]| list.iter().map(|entry| name_len(entry)).sum::<usize>();
            fits(rows.map(|row| name_len(&row.name) + 300 + access(&row.access_list)).sum())
        }
        Message::AddObject(it) => {
            key("ParameterKey", &it.parameter_key)?;
            object(&it.object_name)
        }
        Message::DeleteObject(it) => {
            key("ParameterKey", &it.parameter_key)?;
            object(&it.object_name)
        }
        Message::Download(it) => {
            key("CommandKey", &it.command_key)?;
            file(&it.file_type, &it.url, &it.username, &it.password)?;
            text("TargetFileName", &it.target_file_name, 256)?;
            text("SuccessURL", &it.success_url, 256)?;
            text("FailureURL", &it.failure_url, 256)
        }
        Message::Upload(it) => {
            key("CommandKey", &it.command_key)?;
            file(&it.file_type, &it.url, &it.username, &it.password)
        }
        Message::ScheduleDownload(it) => {
            key("CommandKey", &it.command_key)?;
            file(&it.file_type, &it.url, &it.username, &it.password)?;
            text("TargetFileName", &it.target_file_name, 256)?;
            windows(&it.time_window_list)
        }
        Message::Reboot(it) => key("CommandKey", &it.command_key),
        Message::CancelTransfer(it) => key("CommandKey", &it.command_key),
        Message::ScheduleInform(it) => {
            key("CommandKey", &it.command_key)?;
            if it.delay_seconds == 0 {
                return Err("DelaySeconds must be more than 0".to_owned());
            }
            Ok(())
        }
        Message::SetVouchers(it) => {
            count("VoucherList", it.voucher_list.len(), 1, limits.list_items)?;
            it.voucher_list
                .iter()
                .try_for_each(|it| text("VoucherList", it, ENVELOPE_BYTES_MAX))?;
            fits(it.voucher_list.iter().map(|it| name_len(it)).sum())
        }
        Message::GetOptions(it) => text("OptionName", &it.option_name, 64),
        Message::ChangeDUState(it) => {
            key("CommandKey", &it.command_key)?;
            count("Operations", it.operations.len(), 1, 16)?;
            it.operations.iter().try_for_each(operation)?;
            fits(it.operations.iter().map(operation_len).sum())
        }
        _ => Ok(()),
    }
}

/// How many bytes a text takes in an envelope: some characters travel as references.
pub(crate) fn encoded_len(text: &str) -> usize {
    text.chars()
        .map(|character| match character {
            '&' | '<' | '>' | '"' => 6,
            '\t' | '\n' | ' '..='~' => 1,
            _ => 10,
        })
        .sum()
}

/// How many bytes a name takes in a list of names.
pub(crate) fn name_len(name: &str) -> usize {
    encoded_len(name) + "<string></string>".len()
}

/// How many bytes a value takes in a list of values, with its tags.
pub(crate) fn value_len(name: &str, value: &str) -> usize {
    encoded_len(name) + encoded_len(value) + 128
}

/// What is left of an envelope for such a list.
pub(crate) const LIST_BYTES_MAX: usize = ENVELOPE_BYTES_MAX - ENVELOPE_BYTES;

fn since(request: &Message, version: CwmpVersion) -> Check {
    let since = match request {
        Message::GetAllQueuedTransfers => CwmpVersion::V1_1,
        Message::ScheduleDownload(_) | Message::CancelTransfer(_) | Message::ChangeDUState(_) => {
            CwmpVersion::V1_2
        }
        _ => CwmpVersion::V1_0,
    };
    if version < since {
        let name = request.name();
        return Err(format!("{name} needs CWMP {since}, and this session is CWMP {version}"));
    }
    Ok(())
}

fn text(argument: &str, text: &str, characters_max: usize) -> Check {
    let characters = text.chars().count();
    if characters > characters_max {
        return Err(format!(
            "{argument} has {characters} characters; the limit is {characters_max}"
        ));
    }
    if let Some(bad) = text.chars().find(|c| {
        matches!(c, '\0'..='\u{8}' | '\u{B}' | '\u{C}' | '\u{E}'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}')
    }) {
        return Err(format!(
            "{argument} holds the character U+{:04X}, which XML cannot carry",
            u32::from(bad)
        ));
    }
    Ok(())
}

fn key(argument: &str, key: &str) -> Check {
    text(argument, key, 32)
}

fn path(path: &str) -> Check {
    text("a parameter path", path, 256)
}

fn object(path_: &str) -> Check {
    path(path_)?;
    if !path_.ends_with('.') {
        return Err(format!("ObjectName {path_:?} must end with a dot"));
    }
    Ok(())
}

fn count(argument: &str, found: usize, min: usize, max: usize) -> Check {
    if found < min || found > max {
        return Err(format!("{argument} has {found} entries; {min} to {max} are possible"));
    }
    Ok(())
}

fn names(names: &[String], limits: &Limits) -> Check {
    count("ParameterNames", names.len(), 1, limits.list_items)?;
    names.iter().try_for_each(|name| path(name))?;
    fits(names.iter().map(|name| name_len(name)).sum())
}

fn values(list: &ParameterList, limits: &Limits) -> Check {
    count("ParameterList", list.len(), 0, limits.list_items)?;
    let mut seen = HashSet::new();
    for row in list.iter() {
        path(row.name)?;
        if row.name.ends_with('.') {
            return Err(format!("{:?} is an object; only parameters have values", row.name));
        }
        if !seen.insert(row.name) {
            return Err(format!("{:?} is in the list twice", row.name));
        }
        text(&format!("the value of {}", row.name), row.value, ENVELOPE_BYTES_MAX)?;
    }
    fits(list.iter().map(|row| value_len(row.name, row.value)).sum())
}

fn fits(bytes: usize) -> Check {
    if bytes > LIST_BYTES_MAX {
        return Err(format!(
            "the request would take {bytes} bytes; every device accepts {ENVELOPE_BYTES_MAX} and \
             not more: split it, or use ensure-values, which does"
        ));
    }
    Ok(())
}

fn file(file_type: &str, url: &str, username: &str, password: &Secret) -> Check {
    text("FileType", file_type, 64)?;
    if file_type == trellis_cwmp::file_type::STORED_FIRMWARE_REPORTED {
        let wanted = trellis_cwmp::file_type::STORED_FIRMWARE;
        return Err(format!(
            "FileType {file_type:?} is how devices report such files; ask for {wanted:?}"
        ));
    }
    check_url("URL", url, 256)?;
    text("Username", username, 256)?;
    text("Password", password.reveal(), 256)
}

fn check_url(argument: &str, url: &str, characters_max: usize) -> Check {
    text(argument, url, characters_max)?;
    let authority = url
        .split_once("://")
        .map_or("", |(_, rest)| rest.split(['/', '?', '#']).next().unwrap_or_default());
    if authority.contains('@') {
        return Err(format!(
            "{argument} holds a user name; the device would refuse it: use Username and Password"
        ));
    }
    Ok(())
}

fn windows(windows: &[TimeWindowStruct]) -> Check {
    count("TimeWindowList", windows.len(), 1, 2)?;
    for window in windows {
        text("WindowMode", &window.window_mode, 64)?;
        text("UserMessage", &window.user_message, 256)?;
        if window.window_end < window.window_start {
            return Err("a time window ends before it starts".to_owned());
        }
    }
    if let [first, second] = windows
        && second.window_start < first.window_end
    {
        return Err("the time windows overlap".to_owned());
    }
    Ok(())
}

fn operation_len(operation: &Operation) -> usize {
    let tags = 300;
    let texts: [Option<&str>; 5] = match operation {
        Operation::Install(it) => [
            Some(&it.url),
            it.username.as_deref(),
            it.password.as_ref().map(Secret::reveal),
            it.execution_env_ref.as_deref(),
            it.uuid.as_deref(),
        ],
        Operation::Update(it) => [
            it.url.as_deref(),
            it.username.as_deref(),
            it.password.as_ref().map(Secret::reveal),
            it.version.as_deref(),
            it.uuid.as_deref(),
        ],
        Operation::Uninstall(it) => {
            [Some(&it.uuid), it.version.as_deref(), it.execution_env_ref.as_deref(), None, None]
        }
    };
    tags + texts.into_iter().flatten().map(encoded_len).sum::<usize>()
}

fn operation(operation: &Operation) -> Check {
    let optional = |argument: &str, it: &Option<String>, max| {
        it.as_deref().map_or(Ok(()), |it| text(argument, it, max))
    };
    match operation {
        Operation::Install(it) => {
            check_url("URL", &it.url, 1024)?;
            it.uuid.as_deref().map_or(Ok(()), uuid)?;
            optional("Username", &it.username, 256)?;
            optional("ExecutionEnvRef", &it.execution_env_ref, 256)?;
            secret(it.password.as_ref())
        }
        Operation::Update(it) => {
            secret(it.password.as_ref())?;
            it.url.as_deref().map_or(Ok(()), |url| check_url("URL", url, 1024))?;
            it.uuid.as_deref().map_or(Ok(()), uuid)?;
            optional("Version", &it.version, 32)?;
            optional("Username", &it.username, 256)?;
            if it.uuid.is_none() && it.url.is_none() && it.version.is_some() {
                return Err("an update of everything must not name a Version".to_owned());
            }
            Ok(())
        }
        Operation::Uninstall(it) => {
            uuid(&it.uuid)?;
            optional("Version", &it.version, 32)?;
            optional("ExecutionEnvRef", &it.execution_env_ref, 256)
        }
    }
}

fn secret(password: Option<&Secret>) -> Check {
    password.map_or(Ok(()), |it| text("Password", it.reveal(), 256))
}

fn uuid(uuid: &str) -> Check {
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    let digits = uuid.chars().all(|c| c == '-' || c.is_ascii_hexdigit());
    if lengths != [8, 4, 4, 4, 12] || !digits {
        return Err(format!("{uuid:?} is not a UUID"));
    }
    Ok(())
}
