//! The standard, statement by statement: a test `sNNN_...` proves statement NNN of the list that
//! `cargo xtask conformance` prints, by the bytes that the server sends.

mod auth;
mod connection_requests;
mod encoding;
mod events;
mod habits;
mod header;
mod http;
mod model;
mod quirks;
mod quirks_http;
mod quirks_model;
mod rpc;
mod session;
mod tls;
mod transfers;

use serde_json::Value as Json;
use trellis_cpe::{Http, Response};
use trellis_store::DeviceKey;

use crate::raw::{connect, envelope, id, inform, post};
use crate::server::{Server, guests};

/// A server whose plugin does for devices of the class `script` what the steps say.
fn scripted(steps: &Json) -> Server {
    scripted_with(steps, "")
}

/// The same, with more configuration.
fn scripted_with(steps: &Json, config: &str) -> Server {
    let script = toml(steps);
    let config = format!("{config}\n[plugins.settings.scripted]\nscript = {script}\n");
    Server::with_config(&guests(), &config)
}

/// The inline TOML of a JSON value.
fn toml(json: &Json) -> String {
    match json {
        Json::Array(items) => {
            format!("[{}]", items.iter().map(toml).collect::<Vec<_>>().join(", "))
        }
        Json::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| format!("{name:?} = {}", toml(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The device that the script is for.
const SERIAL: &str = "S1";

fn device() -> DeviceKey {
    DeviceKey::from_text("00D09E-script-S1")
}

/// Its Inform.
fn script_inform() -> String {
    inform("script", SERIAL)
}

/// An answer to a request, with its ID.
fn answer(asked: &Response, body: &str) -> String {
    envelope(&id(asked), body)
}

/// An answer without arguments.
fn done(asked: &Response, method: &str) -> String {
    answer(asked, &format!("<cwmp:{method}Response></cwmp:{method}Response>"))
}

/// An answer that tells only a status.
fn status(asked: &Response, method: &str, status: u32) -> String {
    let body = format!("<Status>{status}</Status>");
    answer(asked, &format!("<cwmp:{method}Response>{body}</cwmp:{method}Response>"))
}

/// Values by name, all of them strings.
fn values_of(asked: &Response, values: &[(&str, &str)]) -> String {
    let values: Vec<_> = values.iter().map(|(name, text)| (*name, "xsd:string", *text)).collect();
    typed_values(asked, &values)
}

/// Values by name and type.
fn typed_values(asked: &Response, values: &[(&str, &str, &str)]) -> String {
    let rows: String = values
        .iter()
        .map(|(name, kind, text)| {
            format!(
                "<ParameterValueStruct><Name>{name}</Name>\
                 <Value xsi:type=\"{kind}\">{text}</Value></ParameterValueStruct>"
            )
        })
        .collect();
    answer(
        asked,
        &format!(
            "<cwmp:GetParameterValuesResponse><ParameterList \
             enc:arrayType=\"cwmp:ParameterValueStruct[{}]\">{rows}</ParameterList>\
             </cwmp:GetParameterValuesResponse>",
            values.len()
        ),
    )
}

/// A fault of the device, with more in its detail.
fn fault_with(asked: &Response, code: u32, more: &str) -> String {
    answer(
        asked,
        &format!(
            "<soap:Fault><faultcode>Client</faultcode><faultstring>CWMP fault</faultstring>\
             <detail><cwmp:Fault><FaultCode>{code}</FaultCode><FaultString>no</FaultString>{more}\
             </cwmp:Fault></detail></soap:Fault>"
        ),
    )
}

/// A fault of the device.
fn fault(asked: &Response, code: u32) -> String {
    fault_with(asked, code, "")
}

/// Opens the script's session; the answer is the first request.
async fn open(server: &Server) -> (Http, Response) {
    open_with(server, &script_inform()).await
}

/// Opens a session with an Inform; the answer is the first request.
async fn open_with(server: &Server, inform: &str) -> (Http, Response) {
    let mut cpe = connect(&server.url());
    let opened = post(&mut cpe, inform).await;
    assert!(opened.text().contains("<cwmp:InformResponse>"), "{}", opened.text());
    let asked = post(&mut cpe, "").await;
    (cpe, asked)
}

/// Whether an answer holds a method.
fn holds(answer: &Response, method: &str) -> bool {
    answer.status == 200 && answer.text().contains(&format!("<cwmp:{method}>"))
}

/// What the steps of the device's `number`th session said.
fn said(server: &Server, number: usize) -> std::collections::BTreeMap<String, String> {
    server.facts(&device(), number)
}

/// An Inform with other events: code and command key.
fn with_events(inform: &str, events: &[(&str, &str)]) -> String {
    let rows: String = events
        .iter()
        .map(|(code, key)| {
            format!(
                "<EventStruct><EventCode>{code}</EventCode><CommandKey>{key}</CommandKey>\
                 </EventStruct>"
            )
        })
        .collect();
    let (before, rest) = inform.split_once("<Event ").expect("events");
    let (_, after) = rest.split_once("</Event>").expect("their end");
    let count = events.len();
    let open = format!("<Event enc:arrayType=\"cwmp:EventStruct[{count}]\">");
    format!("{before}{open}{rows}</Event>{after}")
}

/// An Inform with one more parameter, a string.
fn with_parameter(inform: &str, name: &str, text: &str) -> String {
    inform.replace(
        "</ParameterList>",
        &format!(
            "<ParameterValueStruct><Name>{name}</Name><Value xsi:type=\"xsd:string\">{text}</Value>\
             </ParameterValueStruct></ParameterList>"
        ),
    )
}

/// An envelope in another CWMP namespace, with more in its Header.
fn in_namespace(envelope: &str, urn: &str, header: &str) -> String {
    envelope
        .replace("urn:dslforum-org:cwmp-1-2", urn)
        .replace("</cwmp:ID>", &format!("</cwmp:ID>{header}"))
}

/// A session of the script that reads some of `names`, each of which is `same`. The device
/// refuses the reads that `refused` has a fault for. The answer is the last one.
async fn read_to_the_end(
    server: &Server,
    names: &[String],
    refused: impl Fn(&[&str]) -> Option<u32>,
) -> Response {
    let (mut cpe, mut asked) = open(server).await;
    while asked.status == 200 {
        let text = asked.text();
        let named = names.iter().filter(|name| text.contains(&format!("<string>{name}<")));
        let named: Vec<&str> = named.map(String::as_str).collect();
        let answer = match refused(&named) {
            Some(code) => fault(&asked, code),
            None => {
                let values: Vec<_> = named.iter().map(|name| (*name, "same")).collect();
                values_of(&asked, &values)
            }
        };
        asked = post(&mut cpe, &answer).await;
    }
    asked
}
