//! Transcripts for people: what was asked, what was answered, and what came of it.

use trellis_cwmp::{Message, ParameterList};
use trellis_plugin_host::{
    Admission, Answer, CallRecord, Exchange, FactValue, Hook, HttpAnswer, HttpFailure, Outcome,
    Rpc, Transcript,
};

/// A whole transcript, a line for each thing.
pub fn show_transcript(transcript: &Transcript) -> String {
    let mut lines = vec![match &transcript.hook {
        Hook::Action { name, arguments } => format!("action {name} {arguments}"),
        Hook::Expired { deadline } => format!("expired {deadline}"),
        hook => hook.name().to_owned(),
    }];
    for call in &transcript.calls {
        lines.extend(show_call(call).into_iter().map(|line| format!("  {line}")));
    }
    lines.push(format!("  = {}", show_outcome(&transcript.outcome)));
    lines.join("\n") + "\n"
}

/// A call of the host; nothing for one that only read what the run began with.
pub fn show_call(call: &CallRecord) -> Vec<String> {
    match call {
        CallRecord::Rpc { .. } => match call.rpc() {
            Some(Ok(Rpc { request, answer })) => {
                let mut lines = arrow(">", show_message(&request));
                lines.extend(match answer {
                    Ok(answer) => arrow("<", show_message(&answer)),
                    Err(why) => vec![format!("< no answer: {why}")],
                });
                lines
            }
            _ => vec!["> a request that cannot be read".to_owned()],
        },
        CallRecord::Refused { method, why } => vec![format!("refused {method}: {why}")],
        CallRecord::Memory { key, value: None } => vec![format!("forget {key}")],
        CallRecord::Memory { key, value: Some(value) } => {
            vec![format!("remember {key} = {}", String::from_utf8_lossy(value))]
        }
        CallRecord::Deadline { name, at: None } => vec![format!("deadline {name} cleared")],
        CallRecord::Deadline { name, at: Some(at) } => vec![format!("deadline {name} at {at}")],
        CallRecord::Fact { name, value: None } => vec![format!("withdraw {name}")],
        CallRecord::Fact { name, value: Some(value) } => {
            vec![format!("fact {name} = {}", show_fact(value))]
        }
        CallRecord::Log { level, line } => vec![format!("log {level}: {line}")],
        CallRecord::Http(exchange) => {
            let answer = match &exchange.answer {
                Ok(HttpAnswer { status, body, failure: None, .. }) => {
                    let bytes: usize = body.iter().map(|part| part.as_bytes().len()).sum();
                    format!("{status}, {bytes} bytes")
                }
                Ok(HttpAnswer { status, failure: Some(why), .. }) => {
                    format!("{status}, {}", show_failure(*why))
                }
                Err(why) => show_failure(*why),
            };
            vec![format!("> {}", show_exchange(exchange)), format!("< {answer}")]
        }
        CallRecord::Revision { .. } | CallRecord::Read { .. } => Vec::new(),
    }
}

/// A message: its method, and a line for each thing in it.
pub fn show_message(message: &Message) -> Vec<String> {
    let name = message.name();
    match message {
        Message::Fault(fault) => vec![format!("fault {fault}")],
        Message::GetParameterValues(it) => listed(name, it.parameter_names.iter()),
        Message::GetParameterAttributes(it) => listed(name, it.parameter_names.iter()),
        Message::GetParameterNames(it) => {
            let depth = if it.next_level { "next level of" } else { "all of" };
            vec![format!("{name} {depth} {:?}", it.parameter_path)]
        }
        Message::SetParameterValues(it) => {
            with_values(format!("{name} (key {:?})", it.parameter_key), &it.parameter_list)
        }
        Message::GetParameterValuesResponse(it) => with_values(name.to_owned(), &it.parameter_list),
        Message::GetParameterNamesResponse(it) => {
            let row = |writable: bool| if writable { " (writable)" } else { "" };
            let rows = it.parameter_list.iter();
            let rows = rows.map(|it| format!("{}{}", it.name, row(it.writable)));
            listed(name, rows.collect::<Vec<_>>().iter())
        }
        Message::SetParameterValuesResponse(it) => vec![format!("{name} {}", it.status)],
        Message::DeleteObjectResponse(it) => vec![format!("{name} {}", it.status)],
        Message::AddObject(it) => vec![format!("{name} {}", it.object_name)],
        Message::DeleteObject(it) => vec![format!("{name} {}", it.object_name)],
        Message::AddObjectResponse(it) => {
            vec![format!("{name} instance {}, {}", it.instance_number, it.status)]
        }
        Message::Download(it) => {
            vec![format!("{name} {} {} (key {:?})", it.file_type, it.url, it.command_key)]
        }
        Message::Upload(it) => {
            vec![format!("{name} {} {} (key {:?})", it.file_type, it.url, it.command_key)]
        }
        Message::DownloadResponse(it) | Message::UploadResponse(it) => {
            vec![format!("{name} {}", it.status)]
        }
        Message::Reboot(it) => vec![format!("{name} (key {:?})", it.command_key)],
        Message::ScheduleInform(it) => {
            vec![format!("{name} in {} s (key {:?})", it.delay_seconds, it.command_key)]
        }
        Message::SetParameterAttributes(it) => {
            let rows = it.parameter_list.iter().map(|row| {
                let notification =
                    row.notification_change.then(|| format!(" notification {}", row.notification));
                let access = row
                    .access_list_change
                    .then(|| format!(" access {}", row.access_list.join(",")));
                let (notification, access) =
                    (notification.unwrap_or_default(), access.unwrap_or_default());
                format!("{}{notification}{access}", row.name)
            });
            listed(name, rows.collect::<Vec<_>>().iter())
        }
        // What is left is short, and says no secret of a device.
        Message::ChangeDUState(it) => {
            vec![format!("{name} {} operations (key {:?})", it.operations.len(), it.command_key)]
        }
        Message::ScheduleDownload(it) => {
            vec![format!("{name} {} {} (key {:?})", it.file_type, it.url, it.command_key)]
        }
        Message::CancelTransfer(it) => vec![format!("{name} (key {:?})", it.command_key)],
        Message::GetRPCMethodsResponse(it) => listed(name, it.method_list.iter()),
        _ => vec![name.to_owned()],
    }
}

/// Why a request over HTTP failed: in words, or as `wasi:http` calls it.
fn show_failure(why: HttpFailure) -> String {
    match why {
        HttpFailure::Unanswered => "the run was over before there was an answer".to_owned(),
        HttpFailure::NotRecorded => "nothing is sent here, and no answer was recorded".to_owned(),
        why => format!("{why:?}"),
    }
}

/// A request over HTTP. Of one that failed the body is left out: it was sent as far as somebody
/// read it.
pub(crate) fn show_exchange(exchange: &Exchange) -> String {
    let is_read = exchange.answer.as_ref().is_ok_and(|it| it.status < 400);
    let body = if is_read { exchange.body.as_bytes() } else { &[] };
    let body = String::from_utf8_lossy(body);
    format!("{} {} {body}", exchange.method, exchange.url).trim_end().to_owned()
}

/// How a run ended.
pub(crate) fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Answered(Answer::Done) => "ok".to_owned(),
        Outcome::Answered(Answer::Result(json)) => format!("answered {json}"),
        Outcome::Answered(Answer::Admission(Admission::Accept)) => "accepted".to_owned(),
        Outcome::Answered(Answer::Admission(Admission::Refuse { code, text })) => {
            format!("refused {code} {text}")
        }
        Outcome::Answered(Answer::Admission(Admission::Quarantine(why))) => {
            format!("quarantined: {why}")
        }
        Outcome::Failed(kind, message) => format!("failed ({kind}): {message}"),
    }
}

/// A fact's value.
pub(crate) fn show_fact(value: &FactValue) -> String {
    match value {
        FactValue::Text(text) => format!("{text:?}"),
        FactValue::Number(number) => number.to_string(),
        FactValue::Flag(flag) => flag.to_string(),
    }
}

fn arrow(arrow: &str, lines: Vec<String>) -> Vec<String> {
    let mut lines = lines.into_iter();
    let first = lines.next().map(|line| format!("{arrow} {line}"));
    first.into_iter().chain(lines.map(|line| format!("    {line}"))).collect()
}

fn listed<'a>(name: &str, rows: impl Iterator<Item = &'a String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(rows.cloned()).collect()
}

fn with_values(first: String, list: &ParameterList) -> Vec<String> {
    let rows = list
        .iter()
        .map(|row| format!("{} = {:?} ({})", row.name, row.value, row.value_type.local_name()));
    std::iter::once(first).chain(rows).collect()
}
