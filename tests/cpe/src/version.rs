//! CWMP versions and their namespaces.
//!
//! Versions 1.2, 1.3 and 1.4 share one namespace; from 1.4 on the version is negotiated with
//! header elements instead.

use std::fmt;

/// A version of CWMP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CwmpVersion {
    /// CWMP 1.0
    V1_0,
    /// CWMP 1.1
    V1_1,
    /// CWMP 1.2
    V1_2,
    /// CWMP 1.3
    V1_3,
    /// CWMP 1.4
    V1_4,
}

impl CwmpVersion {
    /// All versions, oldest first.
    pub const ALL: [Self; 5] = [Self::V1_0, Self::V1_1, Self::V1_2, Self::V1_3, Self::V1_4];

    /// The namespace the version uses on the wire.
    #[must_use]
    pub fn urn(self) -> &'static str {
        match self {
            Self::V1_0 => "urn:dslforum-org:cwmp-1-0",
            Self::V1_1 => "urn:dslforum-org:cwmp-1-1",
            Self::V1_2 | Self::V1_3 | Self::V1_4 => "urn:dslforum-org:cwmp-1-2",
        }
    }

    /// The version as text, such as `1.4`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_0 => "1.0",
            Self::V1_1 => "1.1",
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
            Self::V1_4 => "1.4",
        }
    }

    /// Reads a version such as `1.4`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.name() == text)
    }

    /// The SupportedCWMPVersions list of a CPE of this version, which 1.4 introduced.
    #[must_use]
    pub fn supported_list(self) -> Option<&'static str> {
        (self == Self::V1_4).then_some("1.0,1.1,1.2,1.3,1.4")
    }
}

impl fmt::Display for CwmpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
