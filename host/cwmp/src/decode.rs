//! From the bytes of one HTTP message to an envelope.

use std::borrow::Cow;

use crate::charset::to_utf8;
use crate::envelope::{Envelope, Header};
use crate::error::{DecodeError, DecodeErrorKind};
use crate::messages::{Fault, Message};
use crate::quirk::{Quirk, Quirks};
use crate::repair;
use crate::version::namespace;
use crate::xml::{Element, Xml};

/// A message and what had to be repaired in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The message.
    pub envelope: Envelope,
    /// The repairs.
    pub quirks: Quirks,
}

/// How many characters of a foreign name an error shows.
const NAME_SHOWN_MAX: usize = 100;

type Result<T> = std::result::Result<T, DecodeError>;

/// Whether a body says nothing: zero bytes, white space, or an XML declaration alone. Headers
/// do not decide that (H-07).
pub fn is_empty_post(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body).trim_ascii();
    // A declaration alone is short; a longer one is left to the parser.
    body.is_empty()
        || (body.len() < 128
            && body.starts_with(b"<?xml")
            && body.ends_with(b"?>")
            && body.iter().filter(|byte| **byte == b'<').count() == 1)
}

/// Decodes one message. `charset` is what the `Content-Type` said, if it said something.
///
/// Time and memory are linear in the size of the body, which the caller limits. A message
/// that is not well-formed is refused, unless the fault is one of those that devices are known
/// for and that leave no doubt about what is meant.
pub fn decode(body: &[u8], charset: Option<&str>) -> Result<Decoded> {
    let mut quirks = Quirks::default();
    let text = to_utf8(body, charset, &mut quirks)?;
    let text = trim(&text, &mut quirks);
    let text = match repair::control_characters(text) {
        Some((clean, offset)) => {
            quirks.note(Quirk::ControlCharacter, offset);
            clean
        }
        None => Cow::Borrowed(text),
    };
    read(&text, quirks.clone()).or_else(|error| {
        // Only these two can come of a stray `<`.
        if !matches!(error.kind, DecodeErrorKind::Malformed(_) | DecodeErrorKind::Truncated) {
            return Err(error);
        }
        let Some((mended, offset)) = repair::bare_less_than(&text) else { return Err(error) };
        quirks.note(Quirk::BareLessThan, offset);
        // The message is what it is: if mending does not help, the first error tells more.
        read(&mended, quirks).map_err(|_| error)
    })
}

/// Drops white space before the XML declaration, and what C programs leave behind.
fn trim<'a>(text: &'a str, quirks: &mut Quirks) -> &'a str {
    let trimmed = text.trim_start_matches(['\u{FEFF}', ' ', '\t', '\r', '\n']);
    if trimmed.len() != text.len() && trimmed.starts_with("<?xml") {
        quirks.note(Quirk::LeadingJunk, 0);
    }
    let end = trimmed.trim_end_matches(['\0', ' ', '\t', '\r', '\n']);
    if trimmed.get(end.len()..).is_some_and(|tail| tail.contains('\0')) {
        quirks.note(Quirk::TrailingJunk, end.len());
        return end;
    }
    trimmed
}

fn read(text: &str, quirks: Quirks) -> Result<Decoded> {
    let mut xml = Xml::new(text, quirks);
    let root = root(&mut xml)?;
    let soap = xml.namespace_of(&root);
    match soap.as_deref() {
        Some(namespace::SOAP_ENVELOPE) => {}
        Some(namespace::SOAP_12_ENVELOPE) => xml.note(Quirk::Soap12Envelope),
        _ => xml.note(Quirk::WrongSoapNamespace),
    }
    let mut header = Header::default();
    let mut body = None;
    while let Some(element) = xml.child()? {
        match element.name() {
            "Header" => read_header(&mut xml, &mut header)?,
            name if name.eq_ignore_ascii_case("Body") => {
                if name != "Body" {
                    xml.note(Quirk::WrongCase);
                }
                if body.is_some() {
                    return Err(xml.error(DecodeErrorKind::SecondBody));
                }
                body = Some(read_body(&mut xml)?);
            }
            _ => xml.skip_unknown()?,
        }
    }
    let Some((urn, message)) = body else { return Err(xml.error(DecodeErrorKind::NoBody)) };
    xml.rest();
    if header.id.is_none() && message.is_request() {
        xml.note(Quirk::MissingId);
    }
    let namespace = match (&message, urn) {
        (Message::Empty, _) => String::new(),
        (_, urn) => checked_namespace(&mut xml, urn.as_deref().unwrap_or_default()),
    };
    Ok(Decoded { envelope: Envelope { namespace, header, message }, quirks: xml.quirks })
}

fn root<'a>(xml: &mut Xml<'a>) -> Result<Element<'a>> {
    let element = xml.child();
    if xml.quirks.contains(Quirk::StrayText) {
        let problem = "text before the root element".to_owned();
        return Err(xml.error(DecodeErrorKind::Malformed(problem)));
    }
    let Some(element) = element? else {
        return Err(xml.error(DecodeErrorKind::Truncated));
    };
    match element.name() {
        "Envelope" => Ok(element),
        name if name.eq_ignore_ascii_case("Envelope") => {
            xml.note(Quirk::WrongCase);
            Ok(element)
        }
        name => {
            Err(xml.error(DecodeErrorKind::NotSoap(name.chars().take(NAME_SHOWN_MAX).collect())))
        }
    }
}

fn read_header(xml: &mut Xml<'_>, header: &mut Header) -> Result<()> {
    while let Some(element) = xml.child()? {
        match element.name() {
            "ID" if header.id.is_some() => {
                xml.note(Quirk::DuplicateId);
                xml.skip()?;
            }
            // The ID is echoed verbatim, white space included.
            "ID" => header.id = Some(xml.text()?.into_owned()),
            "HoldRequests" => xml.boolean_into(&mut header.hold_requests)?,
            "NoMoreRequests" => xml.boolean_into(&mut header.no_more_requests)?,
            "SessionTimeout" => xml.number_into(&mut header.session_timeout)?,
            "SupportedCWMPVersions" => xml.string_into(&mut header.supported_cwmp_versions)?,
            "UseCWMPVersion" => xml.string_into(&mut header.use_cwmp_version)?,
            _ => {
                xml.note(Quirk::UnknownHeader);
                xml.skip()?;
            }
        }
    }
    Ok(())
}

/// Reads the first element of the Body, and with it the namespace of the method.
fn read_body(xml: &mut Xml<'_>) -> Result<(Option<String>, Message)> {
    let Some(method) = xml.child()? else {
        xml.note(Quirk::EmptyBody);
        return Ok((None, Message::Empty));
    };
    let (urn, message) = if method.name() == "Fault" {
        let (urn, fault) = Fault::read_soap(xml)?;
        (urn, Message::Fault(fault))
    } else {
        let urn = xml.namespace_of(&method);
        (urn, Message::read(xml, method.name())?)
    };
    while xml.child()?.is_some() {
        xml.note(Quirk::ExtraBodyElement);
        xml.skip()?;
    }
    Ok((urn, message))
}

fn checked_namespace(xml: &mut Xml<'_>, urn: &str) -> String {
    let trimmed = urn.trim();
    if trimmed.len() != urn.len() {
        xml.note(Quirk::PaddedNamespace);
    }
    if !matches!(trimmed, namespace::CWMP_1_0 | namespace::CWMP_1_1 | namespace::CWMP_1_2) {
        xml.note(Quirk::UnknownCwmpNamespace);
    }
    trimmed.to_owned()
}
