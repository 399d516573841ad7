//! Reading an envelope of the ACS, strictly.
//!
//! An ACS that is lenient on input must still be exact on output, because the devices in the
//! field are not lenient. Whatever differs from the schema and the rules of the standard is
//! therefore an error here, even where a real CPE would shrug.

use std::fmt;

use roxmltree::{Document, Node};

use crate::error::{CpeError, violation};
use crate::fields::{SOAP, elements, name, only_attributes, text};
use crate::request::AcsRequest;
use crate::response::{AcsFault, AcsResponse};

/// What a CPE guarantees to accept as a request.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024;

/// The one message of an envelope.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The ACS asks.
    Request(AcsRequest),
    /// The ACS answers.
    Response(AcsResponse),
    /// The ACS refuses.
    Fault(AcsFault),
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(request) => write!(f, "the request {}", request.method()),
            Self::Response(response) => write!(f, "{}Response", response.method()),
            Self::Fault(fault) => write!(f, "the fault {}", fault.code),
        }
    }
}

/// An envelope of the ACS.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// The cwmp namespace its elements are in.
    pub urn: String,
    /// The ID header.
    pub id: Option<String>,
    /// The UseCWMPVersion header.
    pub use_cwmp_version: Option<String>,
    /// The content.
    pub message: Message,
}

impl Envelope {
    /// Reads an envelope; every deviation from the schema is a violation.
    pub fn parse(xml: &[u8]) -> Result<Self, CpeError> {
        let Ok(source) = std::str::from_utf8(xml) else {
            return violation("the envelope is not UTF-8");
        };
        check_declaration(source)?;
        let document = Document::parse(source)
            .or_else(|error| violation(format!("the envelope is not well-formed: {error}")))?;
        let root = document.root_element();
        if name(root) != "Envelope" || root.tag_name().namespace() != Some(SOAP) {
            return violation(format!(
                "the root is <{}> in {:?}, not a SOAP 1.1 Envelope",
                name(root),
                root.tag_name().namespace().unwrap_or_default()
            ));
        }
        only_attributes(root, &[(SOAP, "encodingStyle")])?;
        let (header, body) = header_and_body(root)?;
        let mut contents = elements(body)?.into_iter();
        let (Some(content), None) = (contents.next(), contents.next()) else {
            return violation("the Body must have exactly one child");
        };
        let (message, urn) = if content.tag_name().namespace() == Some(SOAP) {
            let (fault, urn) = AcsFault::parse(content)?;
            (Message::Fault(fault), urn)
        } else {
            let urn = cwmp_urn(content)?;
            only_attributes(content, &[])?;
            (method(content, &urn)?, urn)
        };
        let mut envelope = Self { urn, id: None, use_cwmp_version: None, message };
        if let Some(header) = header {
            envelope.read_header(header)?;
        }
        if let Message::Request(request) = &envelope.message {
            if xml.len() > REQUEST_BYTES_MAX {
                return violation(format!(
                    "the {} envelope has {} bytes, a CPE takes {REQUEST_BYTES_MAX}",
                    request.method(),
                    xml.len()
                ));
            }
            if envelope.id.as_deref().unwrap_or_default().is_empty() {
                return violation(format!("the {} request has no ID", request.method()));
            }
        }
        Ok(envelope)
    }

    fn read_header(&mut self, header: Node<'_, '_>) -> Result<(), CpeError> {
        for element in elements(header)? {
            if element.tag_name().namespace() != Some(self.urn.as_str()) {
                return violation(format!(
                    "the header <{}> is not in the namespace {}",
                    name(element),
                    self.urn
                ));
            }
            let must_understand = element.attribute((SOAP, "mustUnderstand"));
            only_attributes(element, &[(SOAP, "mustUnderstand")])?;
            let slot = match name(element) {
                "ID" => &mut self.id,
                "UseCWMPVersion" => match self.message {
                    Message::Response(AcsResponse::Inform) => &mut self.use_cwmp_version,
                    _ => return violation("UseCWMPVersion outside an InformResponse"),
                },
                other => return violation(format!("the ACS never sends the header {other}")),
            };
            if must_understand != Some("1") {
                return violation(format!(
                    "the header {} lacks mustUnderstand=\"1\"",
                    name(element)
                ));
            }
            if slot.replace(text(element)?).is_some() {
                return violation(format!("the header {} is there twice", name(element)));
            }
        }
        Ok(())
    }
}

fn check_declaration(source: &str) -> Result<(), CpeError> {
    let declaration = source.strip_prefix("<?xml").and_then(|rest| rest.split("?>").next());
    let encoding = declaration.and_then(|text| text.split("encoding=").nth(1));
    let named = encoding.and_then(|text| text.get(1..)).unwrap_or("utf-8");
    if named.to_ascii_lowercase().starts_with("utf-8") {
        Ok(())
    } else {
        violation(format!("the declared encoding is not UTF-8: {named:?}"))
    }
}

fn header_and_body<'a, 'i>(
    root: Node<'a, 'i>,
) -> Result<(Option<Node<'a, 'i>>, Node<'a, 'i>), CpeError> {
    let mut children = elements(root)?.into_iter().peekable();
    let is = |node: &Node<'_, '_>, wanted| {
        name(*node) == wanted && node.tag_name().namespace() == Some(SOAP)
    };
    let header = children.next_if(|node| is(node, "Header"));
    match (children.next_if(|node| is(node, "Body")), children.next()) {
        (Some(body), None) => Ok((header, body)),
        (Some(_), Some(extra)) => violation(format!("<{}> after the Body", name(extra))),
        (None, Some(other)) => violation(format!("<{}> where the Body is due", name(other))),
        (None, None) => violation("the Envelope has no Body"),
    }
}

/// The namespace of a cwmp element, which must be one of those that exist.
pub(crate) fn cwmp_urn(node: Node<'_, '_>) -> Result<String, CpeError> {
    let urn = node.tag_name().namespace().unwrap_or_default();
    let known = urn
        .strip_prefix("urn:dslforum-org:cwmp-1-")
        .is_some_and(|minor| matches!(minor, "0" | "1" | "2"));
    if known {
        Ok(urn.to_owned())
    } else {
        violation(format!("<{}> is in {urn:?}, which is no cwmp namespace", name(node)))
    }
}

fn method(content: Node<'_, '_>, urn: &str) -> Result<Message, CpeError> {
    let result = match name(content).strip_suffix("Response") {
        Some(method) => AcsResponse::parse(method, content).map(Message::Response),
        None => AcsRequest::parse(content, urn).map(Message::Request),
    };
    // The text of a violation says which element; here is said in which message.
    result.map_err(|error| match error {
        CpeError::Violation(text) => CpeError::Violation(format!("in {}: {text}", name(content))),
        other => other,
    })
}
