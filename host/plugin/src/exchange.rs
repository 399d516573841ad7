//! HTTP exchanges of a plugin: as they are recorded, and as a later run is answered with them.

use std::io;

use serde::{Deserialize, Serialize};
use wasmtime_wasi_http::Error;

/// A request of a plugin over HTTP, and its answer. The headers of the request are not kept: they
/// carry credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exchange {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The body.
    pub body: Content,
    /// The answer; or why there is none.
    pub answer: Result<HttpAnswer, HttpFailure>,
}

/// An answer, as far as the plugin read it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body, in the parts in which it came.
    pub body: Vec<Content>,
    /// Why the body ends early, if it does.
    pub failure: Option<HttpFailure>,
}

/// Bytes that are mostly text, and kept as text where they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Content {
    /// Text.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

/// Why a request or its answer has failed, as plugins are told. What they cannot do anything about
/// is not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "each is the error of wasi:http that it becomes")]
pub enum HttpFailure {
    /// The run was over before there was an answer.
    Unanswered,
    /// The recording that answers does not hold the answer.
    NotRecorded,
    HttpRequestDenied,
    ConnectionLimitReached,
    DnsError,
    ConnectionRefused,
    ConnectionTimeout,
    ConnectionReadTimeout,
    TlsProtocolError,
    HttpRequestBodySize,
    HttpRequestUriInvalid,
    HttpResponseBodySize,
    HttpResponseTimeout,
    HttpProtocolError,
}

impl From<&Error> for HttpFailure {
    fn from(error: &Error) -> Self {
        match error {
            Error::HttpRequestDenied => Self::HttpRequestDenied,
            Error::ConnectionLimitReached => Self::ConnectionLimitReached,
            Error::DnsTimeout | Error::DnsError { .. } => Self::DnsError,
            Error::Connect(error) if error.kind() == io::ErrorKind::TimedOut => {
                Self::ConnectionTimeout
            }
            // The system's calls have a number; what did not come from one is the resolver's.
            Error::Connect(error) if error.raw_os_error().is_none() => Self::DnsError,
            Error::Connect(_) | Error::ConnectionRefused => Self::ConnectionRefused,
            Error::ConnectionTimeout => Self::ConnectionTimeout,
            Error::ConnectionReadTimeout => Self::ConnectionReadTimeout,
            Error::Tls(_) | Error::InvalidDnsNameError(_) | Error::TlsProtocolError => {
                Self::TlsProtocolError
            }
            Error::HttpRequestBodySize(_) => Self::HttpRequestBodySize,
            Error::HttpRequestUriInvalid => Self::HttpRequestUriInvalid,
            Error::HttpResponseBodySize(_) => Self::HttpResponseBodySize,
            Error::HttpResponseTimeout => Self::HttpResponseTimeout,
            _ => Self::HttpProtocolError,
        }
    }
}

/// What a plugin is told where nothing is sent: in a replay, in a shadow, and on the bench.
const NOT_RECORDED: &str = "nothing is sent here, and no answer to this request was recorded";

impl From<HttpFailure> for Error {
    fn from(failure: HttpFailure) -> Self {
        match failure {
            HttpFailure::Unanswered | HttpFailure::NotRecorded => {
                Self::InternalError(Some(NOT_RECORDED.to_owned()))
            }
            HttpFailure::HttpRequestDenied => Self::HttpRequestDenied,
            HttpFailure::ConnectionLimitReached => Self::ConnectionLimitReached,
            HttpFailure::DnsError => Self::DnsError { rcode: None, info_code: None },
            HttpFailure::ConnectionRefused => Self::ConnectionRefused,
            HttpFailure::ConnectionTimeout => Self::ConnectionTimeout,
            HttpFailure::ConnectionReadTimeout => Self::ConnectionReadTimeout,
            HttpFailure::TlsProtocolError => Self::TlsProtocolError,
            HttpFailure::HttpRequestBodySize => Self::HttpRequestBodySize(None),
            HttpFailure::HttpRequestUriInvalid => Self::HttpRequestUriInvalid,
            HttpFailure::HttpResponseBodySize => Self::HttpResponseBodySize(None),
            HttpFailure::HttpResponseTimeout => Self::HttpResponseTimeout,
            HttpFailure::HttpProtocolError => Self::HttpProtocolError,
        }
    }
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Content {
    /// Bytes as what they are.
    pub fn new(bytes: Vec<u8>) -> Self {
        String::from_utf8(bytes).map_or_else(|error| Self::Bytes(error.into_bytes()), Self::Text)
    }

    /// Adds what came after it.
    pub(crate) fn extend(&mut self, more: &[u8]) {
        let mut bytes = match std::mem::take(self) {
            Self::Text(text) => text.into_bytes(),
            Self::Bytes(bytes) => bytes,
        };
        bytes.extend_from_slice(more);
        *self = Self::new(bytes);
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl Exchange {
    /// A request that has no answer yet.
    pub(crate) fn new(method: &http::Method, url: String) -> Self {
        let body = Content::default();
        Self { method: method.to_string(), url, body, answer: Err(HttpFailure::Unanswered) }
    }

    /// How well another request is the same one: entirely, or except for its query and body, which
    /// may hold what has changed.
    pub(crate) fn fits(&self, other: &Self) -> Option<bool> {
        let place = |it: &Self| it.url.find(['?', '#']).unwrap_or(it.url.len());
        let is_same_place = self.url.get(..place(self)) == other.url.get(..place(other));
        if self.method != other.method || !is_same_place {
            return None;
        }
        Some(self.url == other.url && self.body == other.body)
    }
}
