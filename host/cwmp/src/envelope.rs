//! One CWMP message with its SOAP header.

use crate::messages::Message;

/// One SOAP envelope of CWMP (TR-069 3.5).
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The CWMP namespace URN, as the sender wrote it or as it is to be written.
    pub namespace: String,
    /// The header elements.
    pub header: Header,
    /// What the Body holds.
    pub message: Message,
}

/// The CWMP elements of a SOAP header (TR-069 3.5, Table 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// `ID`: ties a response to its request; echoed verbatim. `None` if there is none.
    pub id: Option<String>,
    /// `HoldRequests`: deprecated, from the ACS only.
    pub hold_requests: Option<bool>,
    /// `NoMoreRequests`: TR-069 Issue 1 only; never sent.
    pub no_more_requests: Option<bool>,
    /// `SessionTimeout` in seconds: in an Inform only, since CWMP 1.3.
    pub session_timeout: Option<u32>,
    /// `SupportedCWMPVersions`: a comma list, in an Inform only, since CWMP 1.4.
    pub supported_cwmp_versions: Option<String>,
    /// `UseCWMPVersion`: in an InformResponse only, since CWMP 1.4.
    pub use_cwmp_version: Option<String>,
}
