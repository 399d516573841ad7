//! What goes between the HTTP side and a session.

use std::fmt;
use std::time::Instant;

use tokio::sync::oneshot;
use trellis_cwmp::{Envelope, Quirks};

/// Names a session; travels as a cookie. It cannot be guessed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SessionId(String);

/// One POST of a device.
pub(crate) struct Post {
    /// What it holds; or, if that is no message, why.
    pub(crate) content: Result<Content, String>,
    /// What had to be repaired in it.
    pub(crate) quirks: Quirks,
    /// Takes the answer.
    pub(crate) reply: oneshot::Sender<Reply>,
    /// Until when it is waited for.
    pub(crate) deadline: Instant,
}

/// What a POST holds.
pub(crate) enum Content {
    /// Nothing: it is the server's turn.
    Empty,
    /// A message.
    Message(Box<Envelope>),
}

/// The answer to one POST.
#[derive(Clone, PartialEq, Eq)]
pub enum Reply {
    /// An envelope, with status 200.
    Envelope(Vec<u8>),
    /// Nothing: the session is over. Status 204.
    NoContent,
    /// The same, for devices that want status 200.
    Empty,
    /// A violation of the protocol, which ends the session. Status 400.
    BadRequest(String),
    /// Another server is to serve the device, from the same message on: the URL. Status 302 or 307.
    Redirect(String),
    /// The device may not do this. Status 403.
    Forbidden(String),
    /// The server has no room; the device is to try later. Status 503.
    Unavailable(String),
}

/// The answer to one POST, and its session.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What to send.
    pub reply: Reply,
    /// The session that the POST belongs to, if it has one.
    pub session: Option<SessionId>,
}

/// A text that nobody can guess: 128 bits in hexadecimal digits.
pub(crate) fn random_text() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl SessionId {
    /// A new one.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        random_text().map(Self)
    }

    /// One that a cookie named.
    pub fn from_cookie(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// As a cookie names it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // There are passwords in requests.
            Self::Envelope(bytes) => write!(f, "Envelope({} bytes)", bytes.len()),
            Self::NoContent => f.write_str("NoContent"),
            Self::Empty => f.write_str("Empty"),
            Self::Redirect(to) => write!(f, "Redirect({to:?})"),
            Self::BadRequest(why) => write!(f, "BadRequest({why:?})"),
            Self::Forbidden(why) => write!(f, "Forbidden({why:?})"),
            Self::Unavailable(why) => write!(f, "Unavailable({why:?})"),
        }
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows it can speak in its name.
        f.write_str("SessionId(***)")
    }
}
