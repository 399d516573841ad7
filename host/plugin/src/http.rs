//! Outgoing HTTP of plugins (`wasi:http`): to origins that the operator granted, and no others.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use url::{Origin, Url};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    default_send_request,
};

use crate::fault::limit_reached;
use crate::state::RunState;

/// How much of it there is for one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpLimits {
    /// How long one request may take until its answer begins, and how long a body may stand still.
    /// Default 10 s.
    pub time: Duration,
    /// The body of a request, and that of an answer, in bytes. Default 1 MiB.
    pub body_bytes: usize,
    /// Requests in one run. Default 50.
    pub requests: u32,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self { time: Duration::from_secs(10), body_bytes: 1 << 20, requests: 50 }
    }
}

/// Where a plugin may send requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    origins: Vec<Origin>,
    limits: HttpLimits,
}

/// What decides over the requests of one run.
pub(crate) struct Gate {
    grants: Arc<Grants>,
    sent: u32,
}

impl Grants {
    /// Grants origins, such as `https://api.example`. The error says which is none.
    pub(crate) fn new(origins: &[String], limits: &HttpLimits) -> Result<Self, String> {
        let origins = origins.iter().map(|text| origin(text));
        Ok(Self { origins: origins.collect::<Result<_, _>>()?, limits: limits.clone() })
    }

    /// Whether nothing is granted.
    pub(crate) fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}

/// Whether a text is an origin that can be granted; the error says why not.
pub fn check_origin(text: &str) -> Result<(), String> {
    origin(text).map(|_| ())
}

/// Reads an origin: scheme, host and port, and nothing else.
fn origin(text: &str) -> Result<Origin, String> {
    let wrong = |why: &str| format!("{text:?} is no origin such as https://api.example: {why}");
    let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("it must begin with http:// or https://"));
    }
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must name a host and perhaps a port, and nothing else"));
    }
    Ok(url.origin())
}

impl Gate {
    pub(crate) fn new(grants: Arc<Grants>) -> Self {
        Self { grants, sent: 0 }
    }

    /// Whether a request may leave.
    fn check(&mut self, uri: &http::Uri) -> Result<(), Error> {
        let origin = Url::parse(&uri.to_string()).map(|url| url.origin());
        if !origin.is_ok_and(|origin| self.grants.origins.contains(&origin)) {
            let host = uri.host().unwrap_or_default();
            tracing::warn!(target: "plugin", host, "an HTTP request to an origin that is not granted");
            return Err(Error::HttpRequestDenied);
        }
        self.sent = self.sent.saturating_add(1);
        if self.sent > self.grants.limits.requests {
            limit_reached("plugin_http_requests");
            return Err(Error::ConnectionLimitReached);
        }
        Ok(())
    }
}

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Box<dyn Future<Output = Result<(http::Response<WasiBody>, Io), Error>> + Send>;

impl WasiHttpHooks for Gate {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _processed: Io,
    ) -> Sent {
        if let Err(error) = self.check(request.uri()) {
            return Box::new(std::future::ready(Err(error)));
        }
        let HttpLimits { time, body_bytes, .. } = self.grants.limits;
        let wished = options.unwrap_or_default();
        let within = |wished: Option<Duration>| Some(wished.unwrap_or(time).min(time));
        let options = RequestOptions {
            connect_timeout: within(wished.connect_timeout),
            first_byte_timeout: within(wished.first_byte_timeout),
            between_bytes_timeout: within(wished.between_bytes_timeout),
        };
        let request = request.map(|body| limited(body, body_bytes, Error::HttpRequestBodySize));
        Box::new(async move {
            let sending = Pin::from(Box::new(default_send_request(request, Some(options))));
            let (response, io) = tokio::time::timeout(time, sending).await.map_err(|_| {
                limit_reached("plugin_http_time");
                Error::HttpResponseTimeout
            })??;
            let response = response
                .map(|body| limited(body.boxed_unsync(), body_bytes, Error::HttpResponseBodySize));
            let io: Io = Box::new(io);
            Ok((response, io))
        })
    }
}

/// A body that ends with an error where it is too long.
fn limited(body: WasiBody, bytes_max: usize, too_long: fn(Option<u64>) -> Error) -> WasiBody {
    let limited = Limited::new(body, bytes_max).map_err(move |error| {
        if error.is::<LengthLimitError>() {
            limit_reached("plugin_http_body");
            return too_long(u64::try_from(bytes_max).ok());
        }
        error.downcast::<Error>().map_or(Error::HttpProtocolError, |error| *error)
    });
    limited.boxed_unsync()
}

impl WasiHttpView for RunState {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.gate, table: &mut self.table, ctx: &mut self.http }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_granted_may_be_asked_and_not_without_end() {
        let limits = HttpLimits { requests: 3, ..HttpLimits::default() };
        let origins = ["https://api.example".to_owned(), "http://127.0.0.1:8080".to_owned()];
        let grants = Grants::new(&origins, &limits).expect("origins");
        let mut gate = Gate::new(Arc::new(grants));
        for (uri, may) in [
            ("https://api.example/v1?x=1", true),
            ("https://API.example:443/", true),
            ("http://api.example/", false),
            ("https://api.example:8443/", false),
            ("https://api.example.evil/", false),
            ("https://api.example@evil/", false),
            ("https://evil/?https://api.example", false),
            ("http://127.0.0.1:8080/", true),
            // The limit of three.
            ("http://127.0.0.1:8080/", false),
        ] {
            let uri = uri.parse().expect("a URI");
            assert_eq!(gate.check(&uri).is_ok(), may, "{uri}");
        }
    }

    #[test]
    fn an_origin_is_a_scheme_a_host_and_a_port() {
        assert!(origin("https://api.example").is_ok() && origin("http://[::1]:80").is_ok());
        for text in [
            "api.example",
            "ftp://api.example",
            "https://api.example/v1",
            "https://a:b@c",
            "https://a?x",
            "https://",
            "*",
        ] {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
