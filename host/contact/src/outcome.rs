//! What became of a connection request.

use std::fmt;

/// What became of a connection request. That a device accepted one does not mean that its session
/// has begun (TR-069 3.2.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device said that it will come, or has come already.
    Accepted,
    /// Nothing was sent: the device is in a session, which takes up what is queued for it.
    InSession,
    /// Nothing was sent: the device was called a moment ago. It may be called again in so many
    /// seconds.
    Waiting(u64),
    /// The device is busy, or was called too often: status 503.
    Busy,
    /// The device knows none of the credentials.
    BadCredentials,
    /// The device cannot be called: it has told no URL of the kind that the standard allows.
    NoUrl(String),
    /// The operator's rules forbid its address.
    NotAllowed(String),
    /// There was no answer, or none that can be read.
    Unreachable(String),
    /// The device answered with another status.
    Unexpected(u16),
    /// Too many devices are being called.
    TooMany,
}

impl Outcome {
    /// A word for it, for metrics and programs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::InSession => "in-session",
            Self::Waiting(_) => "waiting",
            Self::Busy => "busy",
            Self::BadCredentials => "bad-credentials",
            Self::NoUrl(_) => "no-url",
            Self::NotAllowed(_) => "not-allowed",
            Self::Unreachable(_) => "unreachable",
            Self::Unexpected(_) => "unexpected-answer",
            Self::TooMany => "too-many",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("the device has accepted the connection request"),
            Self::InSession => f.write_str("the device is in a session"),
            Self::Waiting(seconds) => {
                write!(f, "the device was called a moment ago; call it again in {seconds} s")
            }
            Self::Busy => f.write_str("the device is busy or was called too often (503)"),
            Self::BadCredentials => {
                f.write_str("the device refuses the user name and password for connection requests")
            }
            Self::NoUrl(why) | Self::NotAllowed(why) | Self::Unreachable(why) => f.write_str(why),
            Self::Unexpected(404) => {
                f.write_str("the device answered 404: its URL is old until its next Inform")
            }
            Self::Unexpected(status @ 300..=399) => {
                write!(f, "the device answered {status}; redirects are not followed")
            }
            Self::Unexpected(status) => write!(f, "the device answered {status}"),
            Self::TooMany => f.write_str("too many devices are being called; try again"),
        }
    }
}
