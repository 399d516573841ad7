//! What a device got wrong and the decoder repaired.

/// A repair. Its [`name`](Quirk::name) is stable: it goes into metrics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quirk {
    /// Bytes that are not the declared encoding; read as windows-1252.
    WrongEncoding,
    /// White space or other bytes before the XML declaration.
    LeadingJunk,
    /// Bytes after the end of the envelope; a second envelope counts as such.
    TrailingJunk,
    /// A character that XML forbids; dropped.
    ControlCharacter,
    /// An `&` that starts no entity; taken as itself.
    BareAmpersand,
    /// An entity that nothing declares; kept as written.
    UnknownEntity,
    /// A `<` that starts no tag; taken as itself.
    BareLessThan,
    /// A prefix that nothing declares; the local name decides.
    UnboundPrefix,
    /// The envelope is in the SOAP 1.2 namespace.
    Soap12Envelope,
    /// The envelope is in a namespace that is not SOAP's.
    WrongSoapNamespace,
    /// `Envelope` or `Body` in another case.
    WrongCase,
    /// A CWMP namespace that the standard does not know.
    UnknownCwmpNamespace,
    /// White space around the namespace URN.
    PaddedNamespace,
    /// Children in a namespace where the schema wants none.
    QualifiedChild,
    /// No `ID` header on a request.
    MissingId,
    /// A second `ID` header; the first counts.
    DuplicateId,
    /// A header element that this version of Trellis does not know.
    UnknownHeader,
    /// More than one element in the Body; the first counts.
    ExtraBodyElement,
    /// The Body holds nothing: Issue 1's way of saying nothing.
    EmptyBody,
    /// An element that the message does not have; ignored.
    UnknownElement,
    /// An element twice where once is meant; the first counts.
    DuplicateElement,
    /// Text where only elements belong; ignored.
    StrayText,
    /// Elements where only text belongs; ignored.
    StrayElement,
    /// An element that must be there is not; taken as empty, zero or false.
    MissingElement,
    /// No `Value` element; taken as empty.
    MissingValue,
    /// No `xsi:type` on a value; taken as a string.
    MissingType,
    /// An `xsi:type` that is none of the standard's; taken as a string.
    UnknownType,
    /// An `xsi:type` without or with an unbound prefix; its local name decides.
    UnprefixedType,
    /// No `arrayType` on an array.
    MissingArrayType,
    /// `arrayType` does not say how many members there are.
    WrongArrayCount,
    /// White space around a name, code or number; trimmed.
    PaddedText,
    /// A number that is none; taken as zero.
    OddNumber,
    /// A boolean in a spelling that the standard does not have.
    OddBoolean,
    /// An OUI that is not six upper-case hexadecimal digits.
    OddOui,
    /// A SOAP fault without CWMP detail; taken as 9002.
    MissingFaultDetail,
    /// A struct wrapped in another element where the schema puts it directly.
    WrappedStruct,
}

/// A quirk, how often it was seen in one message, and where first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What was repaired.
    pub quirk: Quirk,
    /// How often.
    pub count: usize,
    /// The byte offset, in the message as UTF-8, of the first one.
    pub first_offset: usize,
}

/// The repairs of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Quirks(Vec<Sighting>);

impl Quirk {
    /// A name for metrics and logs: lower case, with underscores, never changed.
    pub fn name(self) -> &'static str {
        match self {
            Self::WrongEncoding => "wrong_encoding",
            Self::LeadingJunk => "leading_junk",
            Self::TrailingJunk => "trailing_junk",
            Self::ControlCharacter => "control_character",
            Self::BareAmpersand => "bare_ampersand",
            Self::UnknownEntity => "unknown_entity",
            Self::BareLessThan => "bare_less_than",
            Self::UnboundPrefix => "unbound_prefix",
            Self::Soap12Envelope => "soap_12_envelope",
            Self::WrongSoapNamespace => "wrong_soap_namespace",
            Self::WrongCase => "wrong_case",
            Self::UnknownCwmpNamespace => "unknown_cwmp_namespace",
            Self::PaddedNamespace => "padded_namespace",
            Self::QualifiedChild => "qualified_child",
            Self::MissingId => "missing_id",
            Self::DuplicateId => "duplicate_id",
            Self::UnknownHeader => "unknown_header",
            Self::ExtraBodyElement => "extra_body_element",
            Self::EmptyBody => "empty_body",
            Self::UnknownElement => "unknown_element",
            Self::DuplicateElement => "duplicate_element",
            Self::StrayText => "stray_text",
            Self::StrayElement => "stray_element",
            Self::MissingElement => "missing_element",
            Self::MissingValue => "missing_value",
            Self::MissingType => "missing_type",
            Self::UnknownType => "unknown_type",
            Self::UnprefixedType => "unprefixed_type",
            Self::MissingArrayType => "missing_array_type",
            Self::WrongArrayCount => "wrong_array_count",
            Self::PaddedText => "padded_text",
            Self::OddNumber => "odd_number",
            Self::OddBoolean => "odd_boolean",
            Self::OddOui => "odd_oui",
            Self::MissingFaultDetail => "missing_fault_detail",
            Self::WrappedStruct => "wrapped_struct",
        }
    }
}

impl Quirks {
    /// Notes a repair at a byte offset.
    pub(crate) fn note(&mut self, quirk: Quirk, offset: usize) {
        match self.0.iter_mut().find(|seen| seen.quirk == quirk) {
            Some(seen) => seen.count += 1,
            None => self.0.push(Sighting { quirk, count: 1, first_offset: offset }),
        }
    }

    /// Adds the repairs of another message; the offsets of the first count.
    pub fn add(&mut self, other: &Self) {
        for sighting in other.iter() {
            match self.0.iter_mut().find(|seen| seen.quirk == sighting.quirk) {
                Some(seen) => seen.count += sighting.count,
                None => self.0.push(*sighting),
            }
        }
    }

    /// Whether the message needed no repair.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this repair was made.
    pub fn contains(&self, quirk: Quirk) -> bool {
        self.0.iter().any(|seen| seen.quirk == quirk)
    }

    /// The repairs, in the order in which they were first met.
    pub fn iter(&self) -> impl Iterator<Item = &Sighting> {
        self.0.iter()
    }
}
