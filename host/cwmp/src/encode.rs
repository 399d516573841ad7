//! From an envelope to bytes that the Broadband Forum's schemas accept.

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::envelope::{Envelope, Header};
use crate::error::EncodeError;
use crate::messages::Message;
use crate::parameters::ValueType;
use crate::style::Style;
use crate::version::namespace;
use crate::xml::allowed;

type Result<T> = std::result::Result<T, EncodeError>;

/// Writes an envelope (TR-069 3.5): UTF-8 with an XML declaration, characters beyond ASCII as
/// references (E-08), elements in schema order and never self-closed, only the method in the
/// CWMP namespace, every array with its type and count.
pub fn encode(envelope: &Envelope) -> Result<Vec<u8>> {
    encode_in_style(envelope, Style::default())
}

/// Writes an envelope as a device wants it.
pub fn encode_in_style(envelope: &Envelope, style: Style) -> Result<Vec<u8>> {
    let writer = Writer::new(Vec::with_capacity(1024));
    let mut out = Output { writer, style, begun: None };
    if style.declaration {
        out.writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    }
    let mut root = BytesStart::new("soapenv:Envelope");
    root.push_attribute(("xmlns:soapenv", namespace::SOAP_ENVELOPE));
    root.push_attribute(("xmlns:soapenc", namespace::SOAP_ENCODING));
    root.push_attribute(("xmlns:xsd", namespace::XSD));
    root.push_attribute(("xmlns:xsi", namespace::XSI));
    root.push_attribute(("xmlns:cwmp", envelope.namespace.as_str()));
    out.begin(root)?;
    out.header(&envelope.header)?;
    out.element("soapenv:Body", |out| match &envelope.message {
        Message::Empty => Ok(()),
        Message::Fault(fault) => fault.write_soap(out),
        message => out.method(message.name(), |out| message.write(out)),
    })?;
    out.close("soapenv:Envelope")?;
    Ok(out.writer.into_inner())
}

/// Where the messages write themselves to.
pub(crate) struct Output {
    writer: Writer<Vec<u8>>,
    style: Style,
    /// An element that has begun and may turn out to be empty, where such ones are written apart.
    begun: Option<BytesStart<'static>>,
}

impl Output {
    /// An element with children.
    pub(crate) fn element(
        &mut self,
        name: &str,
        children: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.begin(BytesStart::new(name))?;
        children(self)?;
        self.close(name)
    }

    /// An element of the CWMP namespace.
    pub(crate) fn method(
        &mut self,
        name: &str,
        children: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        self.element(&format!("cwmp:{name}"), children)
    }

    /// An element with one attribute and children.
    pub(crate) fn element_with(
        &mut self,
        name: &str,
        attribute: (&str, &str),
        children: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let mut start = BytesStart::new(name);
        start.push_attribute(attribute);
        self.begin(start)?;
        children(self)?;
        self.close(name)
    }

    /// A SOAP array: `member_type` with its prefix, and one call of `write` per member.
    pub(crate) fn array<T>(
        &mut self,
        name: &str,
        member_type: &str,
        members: &[T],
        mut write: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        let array_type = format!("{member_type}[{}]", members.len());
        self.element_with(name, ("soapenc:arrayType", &array_type), |out| {
            members.iter().try_for_each(|member| write(out, member))
        })
    }

    /// An array of strings.
    pub(crate) fn strings(&mut self, name: &str, members: &[String]) -> Result<()> {
        self.array(name, "xsd:string", members, |out, member| out.text("string", member))
    }

    /// An element that holds text.
    pub(crate) fn text(&mut self, name: &str, text: &str) -> Result<()> {
        self.element(name, |out| out.characters(name, text))
    }

    /// An element that holds text and says of which type.
    pub(crate) fn typed_text(&mut self, name: &str, xsi_type: &str, text: &str) -> Result<()> {
        self.element_with(name, ("xsi:type", xsi_type), |out| out.characters(name, text))
    }

    /// A parameter's value with its type.
    pub(crate) fn value(&mut self, value_type: ValueType, text: &str) -> Result<()> {
        let text = match value_type {
            ValueType::Boolean => self.style.booleans.value(text),
            _ => text,
        };
        self.typed_text("Value", value_type.as_str(), text)
    }

    /// An element that is left out when there is no text.
    pub(crate) fn optional(&mut self, name: &str, text: Option<&str>) -> Result<()> {
        text.map_or(Ok(()), |text| self.text(name, text))
    }

    /// An element that holds a number.
    pub(crate) fn number(&mut self, name: &str, number: impl std::fmt::Display) -> Result<()> {
        self.text(name, &number.to_string())
    }

    /// An element that holds a boolean.
    pub(crate) fn boolean(&mut self, name: &str, value: bool) -> Result<()> {
        self.text(name, self.style.booleans.argument(value))
    }

    fn header(&mut self, header: &Header) -> Result<()> {
        if *header == Header::default() {
            return Ok(());
        }
        self.element("soapenv:Header", |out| {
            out.header_text("ID", header.id.as_deref(), "1")?;
            out.header_text("HoldRequests", header.hold_requests.map(bit), "1")?;
            out.header_text("NoMoreRequests", header.no_more_requests.map(bit), "0")?;
            let timeout = header.session_timeout.map(|seconds| seconds.to_string());
            out.header_text("SessionTimeout", timeout.as_deref(), "0")?;
            let supported = header.supported_cwmp_versions.as_deref();
            out.header_text("SupportedCWMPVersions", supported, "0")?;
            out.header_text("UseCWMPVersion", header.use_cwmp_version.as_deref(), "1")
        })
    }

    fn header_text(&mut self, name: &str, text: Option<&str>, must: &str) -> Result<()> {
        let Some(text) = text else { return Ok(()) };
        let attribute = ("soapenv:mustUnderstand", must);
        self.element_with(&format!("cwmp:{name}"), attribute, |out| out.characters(name, text))
    }

    fn characters(&mut self, element: &str, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.go_on()?;
        let escaped = escape(element, text)?;
        self.writer.write_event(Event::Text(BytesText::from_escaped(escaped)))?;
        Ok(())
    }

    fn begin(&mut self, start: BytesStart<'_>) -> Result<()> {
        self.go_on()?;
        if self.style.self_closing {
            self.begun = Some(start.into_owned());
            return Ok(());
        }
        Ok(self.writer.write_event(Event::Start(start))?)
    }

    /// What has begun is not empty.
    fn go_on(&mut self) -> Result<()> {
        match self.begun.take() {
            Some(start) => Ok(self.writer.write_event(Event::Start(start))?),
            None => Ok(()),
        }
    }

    fn close(&mut self, name: &str) -> Result<()> {
        if let Some(empty) = self.begun.take() {
            return Ok(self.writer.write_event(Event::Empty(empty))?);
        }
        self.writer.write_event(Event::End(BytesEnd::new(name)))?;
        Ok(())
    }
}

fn bit(value: bool) -> &'static str {
    if value { "1" } else { "0" }
}

/// A text as envelopes of ours have it. The library's escaping leaves carriage returns and
/// non-ASCII characters as they are; a reader would turn the first into line feeds, and old devices
/// do not know the second. Characters that XML cannot have are left out.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\t' | '\n' | ' '..='~' => escaped.push(character),
            other if allowed(other) => escaped.push_str(&format!("&#{};", u32::from(other))),
            _ => {}
        }
    }
    escaped
}

fn escape(element: &str, text: &str) -> Result<String> {
    match text.chars().find(|character| !allowed(*character)) {
        Some(character) => Err(EncodeError::ForbiddenCharacter {
            element: element.to_owned(),
            character: u32::from(character),
        }),
        None => Ok(escaped(text)),
    }
}
