//! A pull reader over one message: elements, text, and a note of every repair.

use std::borrow::Cow;

use quick_xml::NsReader;
use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::{NamespaceError, QName, ResolveResult};

use crate::boolean;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::quirk::{Quirk, Quirks};
use crate::secret::Secret;

/// No CWMP message nests deeper than a dozen levels; a vendor's extension may.
const DEPTH_MAX: usize = 10_000;

/// How many elements an error's path names at most, and how many bytes of each.
const PATH_MAX: usize = 12;
const NAME_SHOWN_MAX: usize = 64;

/// Reads one document, element by element.
///
/// The caller keeps one rule: after [`Xml::child`] has returned an element, it is consumed by
/// exactly one of `text`, `skip`, or calls of `child` until they return `None`.
pub(crate) struct Xml<'a> {
    reader: NsReader<&'a [u8]>,
    source: &'a str,
    /// Where each open element's tag starts; names are looked up only for an error.
    open: Vec<usize>,
    /// Repairs so far.
    pub(crate) quirks: Quirks,
}

/// The start tag of an element.
pub(crate) struct Element<'a>(BytesStart<'a>);

type Result<T> = std::result::Result<T, DecodeError>;

impl<'a> Xml<'a> {
    pub(crate) fn new(source: &'a str, quirks: Quirks) -> Self {
        let mut reader = NsReader::from_str(source);
        let config = reader.config_mut();
        config.expand_empty_elements = true;
        config.allow_dangling_amp = true;
        Self { reader, source, open: Vec::with_capacity(16), quirks }
    }

    /// The next child element of the current one, or `None` when that ends.
    pub(crate) fn child(&mut self) -> Result<Option<Element<'a>>> {
        loop {
            let offset = self.offset();
            match self.event()? {
                Event::Start(start) => {
                    self.enter(offset)?;
                    return Ok(Some(Element(start)));
                }
                Event::End(_) => {
                    self.open.pop();
                    return Ok(None);
                }
                Event::Text(text) if text.trim_ascii().is_empty() => {}
                Event::Text(_) | Event::CData(_) | Event::GeneralRef(_) => {
                    self.quirks.note(Quirk::StrayText, offset);
                }
                Event::DocType(_) => return Err(self.error(DecodeErrorKind::Dtd)),
                Event::Eof => return Err(self.error(DecodeErrorKind::Truncated)),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// The exact text of the current element, which ends with it.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>> {
        let mut text = Cow::Borrowed("");
        loop {
            let offset = self.offset();
            match self.event()? {
                Event::Text(piece) => {
                    let piece = piece.xml10_content();
                    if piece.contains('&') {
                        self.quirks.note(Quirk::BareAmpersand, offset);
                    }
                    append(&mut text, piece);
                }
                Event::CData(piece) => append(&mut text, piece.xml10_content()),
                Event::GeneralRef(reference) => {
                    let piece = self.resolve(&reference, offset);
                    append(&mut text, piece);
                }
                Event::Start(_) => {
                    self.quirks.note(Quirk::StrayElement, offset);
                    self.enter(offset)?;
                    self.skip()?;
                }
                Event::End(_) => {
                    self.open.pop();
                    return Ok(text);
                }
                Event::DocType(_) => return Err(self.error(DecodeErrorKind::Dtd)),
                Event::Eof => return Err(self.error(DecodeErrorKind::Truncated)),
                Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            }
        }
    }

    /// Text that is a name, a code or a number: without the white space around it.
    pub(crate) fn token(&mut self) -> Result<Cow<'a, str>> {
        let offset = self.offset();
        let text = self.text()?;
        if text.trim().len() == text.len() {
            return Ok(text);
        }
        self.quirks.note(Quirk::PaddedText, offset);
        Ok(match text {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim()),
            Cow::Owned(text) => Cow::Owned(text.trim().to_owned()),
        })
    }

    /// A token that is kept.
    pub(crate) fn string(&mut self) -> Result<String> {
        self.token().map(Cow::into_owned)
    }

    /// A number; zero, noted, when it is none.
    pub(crate) fn number<T: std::str::FromStr + Default>(&mut self) -> Result<T> {
        let offset = self.offset();
        let text = self.token()?;
        Ok(text.strip_prefix('+').unwrap_or(&text).parse().unwrap_or_else(|_| {
            self.quirks.note(Quirk::OddNumber, offset);
            T::default()
        }))
    }

    /// A boolean in any spelling that devices use.
    pub(crate) fn boolean(&mut self) -> Result<bool> {
        let offset = self.offset();
        let (value, quirk) = boolean::parse(&self.token()?);
        if let Some(quirk) = quirk {
            self.quirks.note(quirk, offset);
        }
        Ok(value)
    }

    /// Reads a string into a slot; the first one counts.
    pub(crate) fn string_into(&mut self, slot: &mut Option<String>) -> Result<()> {
        let value = self.string()?;
        self.first(slot, value);
        Ok(())
    }

    /// Reads a secret, exactly, into a slot; the first one counts.
    pub(crate) fn secret_into(&mut self, slot: &mut Option<Secret>) -> Result<()> {
        let value = Secret::new(self.text()?);
        self.first(slot, value);
        Ok(())
    }

    /// Reads a number into a slot; the first one counts.
    pub(crate) fn number_into<T>(&mut self, slot: &mut Option<T>) -> Result<()>
    where
        T: std::str::FromStr + Default,
    {
        let value = self.number()?;
        self.first(slot, value);
        Ok(())
    }

    /// Reads a boolean into a slot; the first one counts.
    pub(crate) fn boolean_into(&mut self, slot: &mut Option<bool>) -> Result<()> {
        let value = self.boolean()?;
        self.first(slot, value);
        Ok(())
    }

    /// Reads the members of a SOAP array. The members count, not what `arrayType` says.
    pub(crate) fn array<T>(
        &mut self,
        list: &Element<'a>,
        member: &str,
        mut read: impl FnMut(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        let mut members = Vec::new();
        self.members(list, member, |xml| {
            members.push(read(xml)?);
            Ok(())
        })?;
        Ok(members)
    }

    /// Calls `read` for each member of a SOAP array.
    pub(crate) fn members(
        &mut self,
        list: &Element<'a>,
        member: &str,
        mut read: impl FnMut(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let offset = self.offset();
        let mut count = 0_usize;
        while let Some(child) = self.child()? {
            if child.name() == member {
                count += 1;
                read(self)?;
            } else {
                self.skip_unknown()?;
            }
        }
        match self.attribute(list, "arrayType")?.as_deref().map(array_count) {
            None => self.quirks.note(Quirk::MissingArrayType, offset),
            Some(declared) if declared != Some(count) => {
                self.quirks.note(Quirk::WrongArrayCount, offset);
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// Passes over the rest of the current element.
    pub(crate) fn skip(&mut self) -> Result<()> {
        let end = self.open.len().saturating_sub(1);
        while self.open.len() > end {
            let offset = self.offset();
            match self.event()? {
                Event::Start(_) => self.enter(offset)?,
                Event::End(_) => {
                    self.open.pop();
                }
                Event::DocType(_) => return Err(self.error(DecodeErrorKind::Dtd)),
                Event::Eof => return Err(self.error(DecodeErrorKind::Truncated)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Passes over an element that the message does not have.
    pub(crate) fn skip_unknown(&mut self) -> Result<()> {
        self.note(Quirk::UnknownElement);
        self.skip()
    }

    /// Notes a repair where the reader stands.
    pub(crate) fn note(&mut self, quirk: Quirk) {
        let offset = self.offset();
        self.quirks.note(quirk, offset);
    }

    /// Keeps the first of several elements of the same name.
    pub(crate) fn first<T>(&mut self, slot: &mut Option<T>, value: T) {
        if slot.is_some() {
            self.note(Quirk::DuplicateElement);
        } else {
            *slot = Some(value);
        }
    }

    /// The value of an element, or its default, noted, when the element was not there.
    pub(crate) fn required<T: Default>(&mut self, slot: Option<T>) -> T {
        slot.unwrap_or_else(|| {
            self.note(Quirk::MissingElement);
            T::default()
        })
    }

    /// The namespace of an element; `None` if it is in none.
    pub(crate) fn namespace_of(&mut self, element: &Element<'a>) -> Option<String> {
        match self.reader.resolver().resolve_element(element.0.name()).0 {
            ResolveResult::Bound(namespace) => Some(namespace.into_inner().to_owned()),
            ResolveResult::Unbound => None,
            ResolveResult::Unknown(_) => {
                self.note(Quirk::UnboundPrefix);
                None
            }
        }
    }

    /// An attribute of an element, by its local name.
    pub(crate) fn attribute(&self, element: &Element<'a>, local: &str) -> Result<Option<String>> {
        for attribute in element.0.attributes().with_checks(false) {
            let attribute =
                attribute.map_err(|_| self.error(malformed("an attribute cannot be read")))?;
            if attribute.key.local_name().into_inner() == local {
                return Ok(Some(attribute.value.into_owned()));
            }
        }
        Ok(None)
    }

    /// Splits a qualified name in an attribute value, and tells whether its prefix is bound.
    pub(crate) fn resolve_name<'n>(&self, name: &'n str) -> (bool, &'n str) {
        let name = QName(name);
        let (namespace, local) = self.reader.resolver().resolve(name, true);
        (matches!(namespace, ResolveResult::Bound(_)), local.into_inner())
    }

    /// What stands after the root element, if it is more than white space and comments.
    pub(crate) fn rest(&mut self) {
        let rest = self.source.get(self.offset()..).unwrap_or_default();
        if !rest.trim_matches(|c: char| c.is_whitespace() || c == '\0').is_empty()
            || rest.contains('\0')
        {
            self.note(Quirk::TrailingJunk);
        }
    }

    /// An error where the reader stands.
    pub(crate) fn error(&self, kind: DecodeErrorKind) -> DecodeError {
        let names = self.open.iter().take(PATH_MAX).map(|start| self.name_at(*start));
        let mut path = Vec::new();
        for name in names {
            path.push(name);
            // What looks like an element in such a one is part of a text, be it a password.
            if HOLDS_TEXT.contains(&name) {
                break;
            }
        }
        DecodeError { kind, offset: self.offset(), path: path.join("/") }
    }

    fn enter(&mut self, offset: usize) -> Result<()> {
        self.open.push(offset);
        if self.open.len() > DEPTH_MAX {
            return Err(self.error(DecodeErrorKind::TooDeep(DEPTH_MAX)));
        }
        Ok(())
    }

    fn event(&mut self) -> Result<Event<'a>> {
        self.reader.read_event().map_err(|error| {
            self.error(match error {
                XmlError::Syntax(SyntaxError::InvalidBangMarkup) => {
                    malformed("a <! begins neither a comment nor CDATA")
                }
                XmlError::Syntax(_) | XmlError::IllFormed(IllFormedError::MissingEndTag(_)) => {
                    DecodeErrorKind::Truncated
                }
                XmlError::IllFormed(_) => malformed("the tags do not match"),
                XmlError::InvalidAttr(_) => malformed("an attribute cannot be read"),
                XmlError::Encoding(_) => malformed("the text is not in its encoding"),
                XmlError::Escape(_) => malformed("a reference cannot be read"),
                XmlError::Namespace(NamespaceError::TooManyBindings(_)) => {
                    malformed("there are too many namespace declarations")
                }
                XmlError::Namespace(_) => malformed("a namespace declaration cannot be read"),
                XmlError::Io(_) => malformed("it cannot be read"),
            })
        })
    }

    fn resolve(&mut self, reference: &BytesRef<'a>, offset: usize) -> Cow<'a, str> {
        if reference.is_char_ref() {
            return match reference.resolve_char_ref() {
                Ok(Some(character)) if allowed(character) => Cow::Owned(character.to_string()),
                _ => {
                    self.quirks.note(Quirk::ControlCharacter, offset);
                    Cow::Borrowed("")
                }
            };
        }
        let name = reference.xml10_content();
        match name.as_ref() {
            "amp" => Cow::Borrowed("&"),
            "lt" => Cow::Borrowed("<"),
            "gt" => Cow::Borrowed(">"),
            "quot" => Cow::Borrowed("\""),
            "apos" => Cow::Borrowed("'"),
            other => {
                self.quirks.note(Quirk::UnknownEntity, offset);
                Cow::Owned(format!("&{other};"))
            }
        }
    }

    fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    fn name_at(&self, start: usize) -> &'a str {
        let tag = self.source.get(start..).unwrap_or_default().trim_start_matches('<');
        let name = tag.split(|c: char| c.is_whitespace() || c == '>' || c == '/').next();
        let name = name.and_then(|name| name.rsplit(':').next()).unwrap_or_default();
        name.get(..name.floor_char_boundary(NAME_SHOWN_MAX)).unwrap_or_default()
    }
}

/// Elements that hold text that is the device's or the operator's own.
const HOLDS_TEXT: [&str; 6] = ["Value", "Password", "Username", "URL", "FaultString", "string"];

impl Element<'_> {
    /// The local name.
    pub(crate) fn name(&self) -> &str {
        self.0.local_name().into_inner()
    }

    /// Whether the name has a prefix.
    pub(crate) fn is_prefixed(&self) -> bool {
        self.0.name().prefix().is_some()
    }
}

/// Whether XML 1.0 can carry a character.
pub(crate) fn allowed(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | '\u{20}'..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The `8` of `cwmp:ParameterValueStruct[8]`.
fn array_count(array_type: &str) -> Option<usize> {
    array_type.trim().strip_suffix(']')?.rsplit('[').next()?.trim().parse().ok()
}

/// In our own words: the parser's quote the message, and there may be a password in it.
fn malformed(problem: &str) -> DecodeErrorKind {
    DecodeErrorKind::Malformed(problem.to_owned())
}

fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}
