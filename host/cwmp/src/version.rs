//! CWMP versions and the namespaces they travel under (TR-069 A.6, Table 89).

use std::fmt;

/// A version of CWMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CwmpVersion {
    /// TR-069 Issue 1 and Amendment 1.
    V1_0,
    /// Amendment 2.
    V1_1,
    /// Amendment 3.
    V1_2,
    /// Amendment 4.
    V1_3,
    /// Amendments 5 and 6.
    V1_4,
}

/// Namespace URNs.
pub mod namespace {
    /// CWMP 1.0.
    pub const CWMP_1_0: &str = "urn:dslforum-org:cwmp-1-0";
    /// CWMP 1.1.
    pub const CWMP_1_1: &str = "urn:dslforum-org:cwmp-1-1";
    /// CWMP 1.2, 1.3 and 1.4: there is no later URN.
    pub const CWMP_1_2: &str = "urn:dslforum-org:cwmp-1-2";
    /// What the namespaces of CWMP 1 begin with, also those that devices made up.
    const CWMP_1_PREFIX: &str = "urn:dslforum-org:cwmp-1-";

    /// Whether a URN is a namespace of CWMP 1, be it one that the standard has or one that a
    /// device made up, such as `urn:dslforum-org:cwmp-1-4`.
    pub fn is_cwmp_1(urn: &str) -> bool {
        let minor = urn.strip_prefix(CWMP_1_PREFIX).unwrap_or_default();
        (1..=3).contains(&minor.len()) && minor.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The SOAP 1.1 envelope.
    pub const SOAP_ENVELOPE: &str = "http://schemas.xmlsoap.org/soap/envelope/";
    /// The SOAP 1.1 encoding.
    pub const SOAP_ENCODING: &str = "http://schemas.xmlsoap.org/soap/encoding/";
    /// The SOAP 1.2 envelope, which CWMP does not use.
    pub const SOAP_12_ENVELOPE: &str = "http://www.w3.org/2003/05/soap-envelope";
    /// XML Schema.
    pub const XSD: &str = "http://www.w3.org/2001/XMLSchema";
    /// XML Schema instances.
    pub const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
}

impl CwmpVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 5] = [Self::V1_0, Self::V1_1, Self::V1_2, Self::V1_3, Self::V1_4];

    /// The version as `SupportedCWMPVersions` writes it, such as `1.4`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
            Self::V1_4 => "1.4",
        }
    }

    /// Reads `1.4`; white space around it does not matter.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.as_str() == text.trim())
    }

    /// The namespace in which this version's messages travel.
    pub fn namespace(self) -> &'static str {
        match self {
            Self::V1_0 => namespace::CWMP_1_0,
            Self::V1_1 => namespace::CWMP_1_1,
            Self::V1_2 | Self::V1_3 | Self::V1_4 => namespace::CWMP_1_2,
        }
    }

    /// The version that a namespace stands for when nothing else says it. Unknown minors are
    /// taken as 1.2, whose grammar they extend (TR-069 3.7.2.1).
    pub fn of_namespace(urn: &str) -> Self {
        match urn {
            namespace::CWMP_1_1 => Self::V1_1,
            namespace::CWMP_1_0 => Self::V1_0,
            other if namespace::is_cwmp_1(other) => Self::V1_2,
            _ => Self::V1_0,
        }
    }
}

impl fmt::Display for CwmpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
