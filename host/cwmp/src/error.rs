//! Why a message could not be read or written.

use std::fmt;

/// A message that cannot be read: where, and what is wrong with it.
#[derive(Debug, thiserror::Error)]
#[error("{kind}, at byte {offset}{}", At(path))]
pub struct DecodeError {
    /// What is wrong.
    pub kind: DecodeErrorKind,
    /// Byte offset in the message (in its UTF-8 form, when it came in another encoding).
    pub offset: usize,
    /// The open elements, such as `Envelope/Body/Inform`.
    pub path: String,
}

/// What can be wrong with a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeErrorKind {
    /// The XML parser gave up.
    #[error("not well-formed XML: {0}")]
    Malformed(String),
    /// The message ends before its envelope does.
    #[error("the message ends before its envelope does")]
    Truncated,
    /// The message has a document type declaration, which SOAP forbids.
    #[error("a document type declaration is not allowed in SOAP")]
    Dtd,
    /// The root element is not a SOAP envelope.
    #[error("the root element is {0:?}, not a SOAP Envelope")]
    NotSoap(String),
    /// The envelope has no Body.
    #[error("the SOAP Envelope has no Body")]
    NoBody,
    /// The envelope has more than one Body.
    #[error("the SOAP Envelope has more than one Body")]
    SecondBody,
    /// Elements are nested deeper than any CWMP message.
    #[error("elements are nested deeper than {0} levels")]
    TooDeep(usize),
    /// The declared character encoding is not known.
    #[error("unknown character encoding {0:?}")]
    UnknownEncoding(String),
}

/// A message that must not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A text holds a character that XML 1.0 cannot carry.
    #[error("the text of {element} holds the character U+{character:04X}, which XML cannot carry")]
    ForbiddenCharacter {
        /// The element that would hold it.
        element: String,
        /// The character's code point.
        character: u32,
    },
    /// The message is one that has no encoding, such as [`crate::Message::Unsupported`].
    #[error("a message of the kind {0} cannot be encoded")]
    NotEncodable(&'static str),
    /// The writer failed.
    #[error("could not write the message")]
    Write(#[from] std::io::Error),
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " in {}", self.0) }
    }
}
