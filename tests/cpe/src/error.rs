//! What can go wrong in a session, as seen from the CPE.
//!
//! The simulator exists to find mistakes of the ACS, so a broken rule is an error value of its
//! own, [`CpeError::Violation`], whose text says which rule and what was found instead.

/// Why a session, or a low-level exchange, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CpeError {
    /// The ACS sent something the standard forbids.
    #[error("the ACS broke a rule: {0}")]
    Violation(String),
    /// The ACS answered with a status other than 200 or 204.
    #[error("HTTP status {status} where a CWMP answer was due: {body}")]
    Status {
        /// The status code.
        status: u16,
        /// The start of the body, for the log.
        body: String,
    },
    /// The ACS refused a CPE request with a SOAP fault that ends the session.
    #[error("the ACS answered {method} with fault {code}: {text}")]
    AcsFault {
        /// The CPE request that was refused.
        method: String,
        /// A code of the 8000 range.
        code: u16,
        /// The FaultString.
        text: String,
    },
    /// The ACS closed the connection where an answer was due.
    #[error("the ACS closed the connection while {0}")]
    Closed(&'static str),
    /// The ACS did not answer in time.
    #[error("no answer within {after_ms} ms while {action}")]
    Timeout {
        /// What the CPE waited for.
        action: &'static str,
        /// The deadline that passed.
        after_ms: u128,
    },
    /// The network failed.
    #[error("{action} failed: {source}")]
    Io {
        /// What the CPE was doing.
        action: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The ACS URL cannot be used.
    #[error("cannot use the URL {url:?}: {reason}")]
    Url {
        /// The URL as given.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A data model file, or a name in it, is not usable.
    #[error("data model: {0}")]
    Model(String),
}

impl CpeError {
    /// Whether the ACS is to blame by the standard, rather than the network or the test.
    #[must_use]
    pub fn is_violation(&self) -> bool {
        match self {
            Self::Violation(_) => true,
            // A loaded ACS may refuse an Inform with 503, and 401 asks for credentials.
            Self::Status { status, .. } => !matches!(status, 401 | 503),
            _ => false,
        }
    }
}

/// Shorthand for a violation.
pub(crate) fn violation<T>(what: impl Into<String>) -> Result<T, CpeError> {
    Err(CpeError::Violation(what.into()))
}
