//! The ways to fail.

use core::fmt;

use crate::Fault;
use crate::bindings::trellis::acs::types;

/// What a plugin's function returns.
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why something did not happen.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// The device answered with a fault: it did nothing of what was asked. The codes are in
    /// [`fault`](crate::fault).
    Fault(Fault),
    /// The host did not send the request; the device knows nothing of it. The text says what is
    /// wrong with the request, or which limit it passes.
    Refused(String),
    /// The session was lost after the request was sent. Whether the device did it is not known,
    /// and every later request of this run ends the same way.
    Lost(String),
    /// A value is not what it was taken for, such as a text where a number was expected.
    Invalid(String),
    /// The plugin's own.
    Other(String),
}

impl Error {
    /// The plugin's own error with this text.
    pub fn other(text: impl fmt::Display) -> Self {
        Self::Other(text.to_string())
    }

    /// The device's fault, when it is one.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Fault(fault) => Some(fault),
            _ => None,
        }
    }

    /// Whether the device answered with a fault of this code, such as
    /// [`fault::INVALID_PARAMETER_NAME`](crate::fault::INVALID_PARAMETER_NAME).
    pub fn is_fault(&self, code: u32) -> bool {
        self.fault().is_some_and(|fault| fault.code == code)
    }

    /// Whether the session is gone: nothing more can be asked in this run.
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => {
                write!(f, "the device answered with fault {}: {}", fault.code, fault.text)?;
                for parameter in &fault.parameters {
                    write!(f, "; {}: {} {}", parameter.name, parameter.code, parameter.text)?;
                }
                Ok(())
            }
            Self::Refused(text) => write!(f, "not sent: {text}"),
            Self::Lost(text) => write!(f, "session lost: {text}"),
            Self::Invalid(text) | Self::Other(text) => f.write_str(text),
        }
    }
}

impl core::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        match error {
            types::Error::Fault(fault) => Self::Fault(fault),
            types::Error::Refused(text) => Self::Refused(text),
            types::Error::Lost(text) => Self::Lost(text),
        }
    }
}

impl From<String> for Error {
    fn from(text: String) -> Self {
        Self::Other(text)
    }
}

impl From<&str> for Error {
    fn from(text: &str) -> Self {
        Self::Other(text.to_owned())
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::Invalid(error.to_string())
    }
}
