//! What real devices sent decodes to the facts that were noted beside it.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod shared_files;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use trellis_cwmp::*;

#[test]
fn every_message_of_the_corpus_decodes_to_its_facts() {
    let Some(folder) = shared_files::folder("corpus") else { return };
    let (mut decoded, mut repaired, mut refused) = (0, 0, 0);
    let mut problems = Vec::new();
    for file in shared_files::files(&folder, "xml") {
        let bytes = std::fs::read(&file).expect("the file can be read");
        let expected = std::fs::read(file.with_extension("expect.json")).expect("the facts");
        let expected: Value = serde_json::from_slice(&expected).expect("facts are JSON");
        let name = file.file_name().expect("a name").to_string_lossy().into_owned();
        match check(&bytes, &expected) {
            Ok(Outcome::Decoded) => decoded += 1,
            Ok(Outcome::Repaired) => repaired += 1,
            Ok(Outcome::Refused(why)) => {
                refused += 1;
                println!("refused  {name}: {why}");
            }
            Err(problem) => problems.push(format!("{name}: {problem}")),
        }
    }
    println!("{decoded} decoded as they are, {repaired} repaired, {refused} refused");
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

enum Outcome {
    Decoded,
    Repaired,
    Refused(String),
}

fn check(bytes: &[u8], expected: &Value) -> Result<Outcome, String> {
    if expected["empty_post"] == json!(true) {
        return if is_empty_post(bytes) { Ok(Outcome::Decoded) } else { Err("not empty".into()) };
    }
    let may_refuse = expected["wellformed"] == json!(false)
        || expected["policy"].as_str().is_some_and(|policy| policy.starts_with("reject"));
    let message = match decode(bytes, None) {
        Ok(message) => message,
        // An envelope without a Body is well-formed, and no message.
        Err(error) if error.kind == DecodeErrorKind::NoBody => {
            return Ok(Outcome::Refused(error.to_string()));
        }
        Err(error) if may_refuse => return Ok(Outcome::Refused(error.to_string())),
        Err(error) => return Err(format!("refused: {error}")),
    };
    compare(&message, expected)?;
    Ok(if message.quirks.is_empty() { Outcome::Decoded } else { Outcome::Repaired })
}

fn compare(message: &Decoded, expected: &Value) -> Result<(), String> {
    let envelope = &message.envelope;
    let facts = Facts { expected, padded: message.quirks.contains(Quirk::PaddedText) };
    match expected["method"].as_str() {
        None => facts.is("method", &json!(envelope.message.name()), &json!(""))?,
        Some(method) => facts.is("method", &json!(envelope.message.name()), &json!(method))?,
    }
    facts.text("cwmp_id", envelope.header.id.as_deref())?;
    if envelope.message != Message::Fault(Fault::default()) && !expected["method_ns"].is_null() {
        let urn = expected["method_ns"].as_str().unwrap_or_default().trim();
        // For a fault the corpus notes the namespace of soap:Fault.
        if expected["method"] != "Fault" {
            facts.is("method_ns", &json!(envelope.namespace), &json!(urn))?;
        }
    }
    facts.text("header_NoMoreRequests", envelope.header.no_more_requests.map(bit))?;
    facts.number("header_SessionTimeout", envelope.header.session_timeout)?;
    match &envelope.message {
        Message::Inform(it) => {
            facts.text("manufacturer", Some(&it.device_id.manufacturer))?;
            facts.text("oui", Some(&it.device_id.oui))?;
            facts.text("product_class", Some(&it.device_id.product_class))?;
            facts.text("serial", Some(&it.device_id.serial_number))?;
            facts.text("current_time", Some(&it.current_time))?;
            facts.number("max_envelopes", Some(it.max_envelopes))?;
            facts.number("retry_count", Some(it.retry_count))?;
            let events: Vec<Value> =
                it.event.iter().map(|event| json!([event.event_code, event.command_key])).collect();
            facts.rows("events", &events)?;
            facts.parameters(&it.parameter_list)?;
        }
        Message::GetParameterValuesResponse(it) => facts.parameters(&it.parameter_list)?,
        Message::GetParameterNamesResponse(it) => {
            let rows: Vec<Value> =
                it.parameter_list.iter().map(|row| json!([row.name, bit(row.writable)])).collect();
            facts.rows("names", &rows)?;
        }
        Message::GetParameterAttributesResponse(it) => {
            let rows: Vec<Value> = it
                .parameter_list
                .iter()
                .map(|row| json!([row.name, row.notification.to_string(), row.access_list]))
                .collect();
            facts.rows("attributes", &rows)?;
        }
        Message::GetRPCMethodsResponse(it) => {
            facts
                .rows("methods", &it.method_list.iter().map(|it| json!(it)).collect::<Vec<_>>())?;
        }
        Message::SetParameterValuesResponse(it) => facts.number("status", Some(it.status))?,
        Message::DeleteObjectResponse(it) => facts.number("status", Some(it.status))?,
        Message::AddObjectResponse(it) => {
            facts.number("status", Some(it.status))?;
            facts.number("instance_number", Some(it.instance_number))?;
        }
        Message::DownloadResponse(it) | Message::UploadResponse(it) => {
            facts.number("status", Some(it.status))?;
            facts.text("start_time", Some(&it.start_time))?;
            facts.text("complete_time", Some(&it.complete_time))?;
        }
        Message::TransferComplete(it) => {
            facts.text("command_key", Some(&it.command_key))?;
            facts.number("fault_code", Some(it.fault_struct.fault_code))?;
            facts.text("fault_string", Some(&it.fault_struct.fault_string))?;
            facts.text("start_time", Some(&it.start_time))?;
            facts.text("complete_time", Some(&it.complete_time))?;
        }
        Message::AutonomousTransferComplete(it) => {
            facts.text("announce_url", Some(&it.announce_url))?;
            facts.text("transfer_url", Some(&it.transfer_url))?;
            facts.text("is_download", Some(bit(it.is_download)))?;
            facts.text("file_type", Some(&it.file_type))?;
            facts.number("file_size", Some(it.file_size))?;
            facts.text("target_file_name", Some(&it.target_file_name))?;
            facts.number("fault_code", Some(it.fault_struct.fault_code))?;
        }
        Message::RequestDownload(it) => {
            facts.text("file_type", Some(&it.file_type))?;
            let rows: Vec<Value> =
                it.file_type_arg.iter().map(|arg| json!([arg.name, arg.value])).collect();
            facts.rows("file_type_args", &rows)?;
        }
        Message::Kicked(it) => {
            facts.text("command", Some(&it.command))?;
            facts.text("referer", Some(&it.referer))?;
            facts.text("arg", Some(&it.arg))?;
            facts.text("next", Some(&it.next))?;
        }
        Message::Fault(it) => {
            facts.number("fault_code", Some(it.fault_code))?;
            facts.text("fault_string", Some(&it.fault_string))?;
            facts.text("soap_faultcode", Some(&it.soap_fault_code))?;
            facts.text("soap_faultstring", Some(&it.soap_fault_string))?;
            let rows: Vec<Value> = it
                .set_parameter_values_fault
                .iter()
                .map(|f| {
                    let code = match f.fault_code {
                        0 => String::new(),
                        code => code.to_string(),
                    };
                    json!([f.parameter_name, code, f.fault_string])
                })
                .collect();
            facts.rows("spv_faults", &rows)?;
        }
        Message::DUStateChangeComplete(it) => {
            facts.text("command_key", Some(&it.command_key))?;
            facts.results(&it.results)?;
        }
        Message::AutonomousDUStateChangeComplete(it) => facts.results(&it.results)?,
        Message::GetQueuedTransfersResponse(it) => {
            let rows: Vec<Value> = it
                .transfer_list
                .iter()
                .map(|t| json!({"CommandKey": t.command_key, "State": t.state.to_string()}))
                .collect();
            facts.rows("transfers", &rows)?;
        }
        Message::GetAllQueuedTransfersResponse(it) => {
            facts.is_count("transfers", it.transfer_list.len())?;
        }
        Message::GetOptionsResponse(it) => facts.is_count("options", it.option_list.len())?,
        _ => {}
    }
    Ok(())
}

fn bit(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

struct Facts<'a> {
    expected: &'a Value,
    padded: bool,
}

impl Facts<'_> {
    fn is(&self, field: &str, found: &Value, wanted: &Value) -> Result<(), String> {
        if found == wanted {
            return Ok(());
        }
        Err(format!("{field}: found {found}, wanted {wanted}"))
    }

    fn is_count(&self, field: &str, found: usize) -> Result<(), String> {
        let wanted = self.expected[field].as_array().map_or(found, Vec::len);
        self.is(field, &json!(found), &json!(wanted))
    }

    /// A text; missing and empty are the same, and padding is trimmed where it was noted.
    fn text(&self, field: &str, found: Option<&str>) -> Result<(), String> {
        let Some(wanted) = self.expected.get(field) else { return Ok(()) };
        let wanted = wanted.as_str().unwrap_or_default();
        let found = found.unwrap_or_default();
        let same = match field {
            "is_download" | "header_NoMoreRequests" => {
                (wanted == "1" || wanted == "true") == (found == "1")
            }
            _ => found == wanted || (self.padded && found == wanted.trim()),
        };
        if same { Ok(()) } else { Err(format!("{field}: found {found:?}, wanted {wanted:?}")) }
    }

    fn number(&self, field: &str, found: Option<u32>) -> Result<(), String> {
        let Some(wanted) = self.expected.get(field) else { return Ok(()) };
        let Some(wanted) = wanted.as_str() else { return Ok(()) };
        let wanted = wanted.trim().parse::<u32>().unwrap_or_default();
        self.is(field, &json!(found.unwrap_or_default()), &json!(wanted))
    }

    /// Rows, whole or by count, first, last and hash.
    fn rows(&self, field: &str, found: &[Value]) -> Result<(), String> {
        if let Some(wanted) = self.expected[field].as_array() {
            let wanted: Vec<Value> = wanted.iter().map(normal).collect();
            let mut found: Vec<Value> = found.iter().map(normal).collect();
            for (found, wanted) in found.iter_mut().zip(&wanted) {
                // An empty boolean is read as false.
                if wanted[1] == "" && found[1] == "0" {
                    *found = wanted.clone();
                }
            }
            return self.is(field, &json!(found), &json!(wanted));
        }
        let Some(count) = self.expected[format!("{field}_count")].as_u64() else { return Ok(()) };
        self.is(&format!("{field}_count"), &json!(found.len()), &json!(count))?;
        if let Some(hash) = self.expected[format!("{field}_sha256")].as_str() {
            if self.padded {
                // The hash is over the raw text; the ends of the list must do.
                for (end, row) in [("first", found.first()), ("last", found.last())] {
                    let wanted = &self.expected[format!("{field}_{end}")];
                    let row = row.unwrap_or(&Value::Null);
                    self.is(end, &normal(row), &normal(wanted))?;
                }
                return Ok(());
            }
            // The hash is over the raw text, and a boolean has two spellings.
            let spellings = [("0", "1"), ("false", "true")];
            let sums = spellings.map(|spelling| sum(found, spelling));
            if !sums.iter().any(|sum| sum == hash) {
                return Err(format!("{field}_sha256: found {sums:?}, wanted {hash}"));
            }
        }
        Ok(())
    }

    fn parameters(&self, list: &ParameterList) -> Result<(), String> {
        let Some(wanted) = self.expected["parameters"].as_array() else {
            let rows: Vec<Value> = list
                .iter()
                .map(|row| json!([row.name, row.value, row.value_type.as_str()]))
                .collect();
            return self.rows("parameters", &rows);
        };
        self.is("parameters", &json!(list.len()), &json!(wanted.len()))?;
        for (found, wanted) in list.iter().zip(wanted) {
            let name = wanted[0].as_str().unwrap_or_default().trim();
            self.is("name", &json!(found.name), &json!(name))?;
            let value = wanted[1].as_str().unwrap_or_default();
            self.is("value", &json!(found.value), &json!(value))?;
            let declared = wanted[2].as_str().unwrap_or("string");
            let base = declared.rsplit(':').next().and_then(|it| it.split('(').next());
            self.is("type", &json!(found.value_type.local_name()), &json!(base))?;
        }
        Ok(())
    }

    fn results(&self, results: &[OpResultStruct]) -> Result<(), String> {
        let Some(wanted) = self.expected["results"].as_array() else { return Ok(()) };
        self.is("results", &json!(results.len()), &json!(wanted.len()))?;
        for (found, wanted) in results.iter().zip(wanted) {
            self.is("UUID", &json!(found.uuid), &wanted["UUID"])?;
            self.is("Version", &json!(found.version), &wanted["Version"])?;
            self.is("CurrentState", &json!(found.current_state), &wanted["CurrentState"])?;
            self.is("StartTime", &json!(found.start_time), &wanted["StartTime"])?;
        }
        Ok(())
    }
}

/// The hash of rows, with booleans spelled in one of the two ways.
fn sum(rows: &[Value], (no, yes): (&str, &str)) -> String {
    let lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let cells = row.as_array().expect("a row").iter().map(|cell| match cell.as_str() {
                Some("0") if row.as_array().is_some_and(|row| row.len() == 2) => no,
                Some("1") if row.as_array().is_some_and(|row| row.len() == 2) => yes,
                text => text.unwrap_or_default(),
            });
            cells.collect::<Vec<_>>().join("\t")
        })
        .collect();
    Sha256::digest(lines.join("\n")).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Trims texts and writes booleans one way, since the facts hold them raw.
fn normal(value: &Value) -> Value {
    match value {
        Value::String(text) => match text.trim() {
            "true" | "TRUE" | "True" => json!("1"),
            "false" | "FALSE" | "False" => json!("0"),
            text => json!(text),
        },
        Value::Array(cells) => cells.iter().map(normal).collect(),
        Value::Null => json!(""),
        other => other.clone(),
    }
}
