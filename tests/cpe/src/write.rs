//! Writing the envelopes of the CPE.
//!
//! Written out by hand, on purpose without the server's own codec: a mistake made there must not
//! be made here as well. The prefixes differ from those the server uses, so that it cannot rely
//! on them.

use std::fmt::Write as _;

use crate::events::Event;
use crate::identity::Identity;
use crate::value::DataType;
use crate::version::CwmpVersion;

/// A parameter with its type and value.
pub type TypedValue = (String, DataType, String);

/// The text with the characters escaped that XML needs escaped.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A bare carriage return would be read back as a line feed.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            // Other control characters cannot occur in XML at all.
            control if control < ' ' => {}
            other => out.push(other),
        }
    }
    out
}

/// An element without attributes.
#[must_use]
pub fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>", escape(text))
}

/// An array element with its arrayType; `items` is XML.
#[must_use]
pub fn array(name: &str, item_type: &str, count: usize, items: &str) -> String {
    format!(r#"<{name} soapenc:arrayType="{item_type}[{count}]">{items}</{name}>"#)
}

/// An array of strings.
#[must_use]
pub fn strings(name: &str, items: &[String]) -> String {
    let xml: String = items.iter().map(|item| element("string", item)).collect();
    array(name, "xsd:string", items.len(), &xml)
}

/// A ParameterList of names and typed values.
#[must_use]
pub fn parameter_list(values: &[TypedValue]) -> String {
    let mut xml = String::new();
    for (name, data_type, value) in values {
        // Writing to a string cannot fail.
        let _ = write!(
            xml,
            r#"<ParameterValueStruct>{}<Value xsi:type="{}">{}</Value></ParameterValueStruct>"#,
            element("Name", name),
            data_type.qualified(),
            escape(value)
        );
    }
    array("ParameterList", "cwmp:ParameterValueStruct", values.len(), &xml)
}

/// A whole envelope around one Body element; `headers` is XML besides the ID.
#[must_use]
pub fn envelope(urn: &str, id: Option<&str>, headers: &str, body: &str) -> String {
    let id = id.map_or(String::new(), |id| {
        format!(r#"<cwmp:ID soapenv:mustUnderstand="1">{}</cwmp:ID>"#, escape(id))
    });
    format!(
        concat!(
            r#"<?xml version="1.0" encoding="UTF-8"?>"#,
            "\n",
            r#"<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" "#,
            r#"xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" "#,
            r#"xmlns:xsd="http://www.w3.org/2001/XMLSchema" "#,
            r#"xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:cwmp="{urn}">"#,
            "<soapenv:Header>{id}{headers}</soapenv:Header>",
            "<soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
        ),
        urn = urn,
        id = id,
        headers = headers,
        body = body
    )
}

/// What an Inform says.
#[derive(Debug, Clone)]
pub struct Inform<'a> {
    /// The DeviceId.
    pub identity: &'a Identity,
    /// The events.
    pub events: &'a [Event],
    /// Local time with its offset.
    pub current_time: &'a str,
    /// How often the session failed before.
    pub retry_count: u32,
    /// The parameters.
    pub parameters: &'a [TypedValue],
}

/// A whole Inform envelope.
#[must_use]
pub fn inform_xml(version: CwmpVersion, id: &str, inform: &Inform<'_>) -> String {
    let identity = inform.identity;
    let events: String = inform
        .events
        .iter()
        .map(|event| {
            format!(
                "<EventStruct>{}{}</EventStruct>",
                element("EventCode", &event.code),
                element("CommandKey", &event.command_key)
            )
        })
        .collect();
    let body = [
        "<cwmp:Inform><DeviceId>".to_owned(),
        element("Manufacturer", &identity.manufacturer),
        element("OUI", &identity.oui),
        element("ProductClass", &identity.product_class),
        element("SerialNumber", &identity.serial_number),
        "</DeviceId>".to_owned(),
        array("Event", "cwmp:EventStruct", inform.events.len(), &events),
        element("MaxEnvelopes", "1"),
        element("CurrentTime", inform.current_time),
        element("RetryCount", &inform.retry_count.to_string()),
        parameter_list(inform.parameters),
        "</cwmp:Inform>".to_owned(),
    ]
    .concat();
    let versions = version.supported_list().map_or(String::new(), |list| {
        format!(
            r#"<cwmp:SupportedCWMPVersions soapenv:mustUnderstand="0">{list}</cwmp:SupportedCWMPVersions>"#
        )
    });
    envelope(version.urn(), Some(id), &versions, &body)
}
