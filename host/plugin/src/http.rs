//! Outgoing HTTP of plugins (`wasi:http`): to origins that the operator granted, and no others.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::header::HeaderName;
use http_body::Frame;
use http_body_util::{BodyExt, LengthLimitError, Limited, StreamBody};
use serde::{Deserialize, Serialize};
use url::{Origin, Url};
use wasmtime_wasi_http::{
    Error, RequestOptions, WasiBody, WasiHttpCtxView, WasiHttpHooks, WasiHttpView,
    default_send_request,
};

use crate::exchange::{Content, Exchange, HttpAnswer, HttpFailure};
use crate::fault::limit_reached;
use crate::recording::{ExchangeRecorder, Recorder};
use crate::redact::Redactor;
use crate::state::RunState;

/// How much is told of a request that a recording cannot answer.
pub const UNANSWERED_CHARACTERS: usize = 1_000;

/// How much of it there is for one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HttpLimits {
    /// How long one request may take until its answer begins, and how long a body may stand still.
    /// Default 10 s.
    pub time: Duration,
    /// The body of a request, and that of an answer, in bytes. Default 1 MiB.
    pub body_bytes: usize,
    /// Requests in one run. Default 50.
    pub requests: u32,
    /// What a run hears is looked through for the names of secrets, up to so many bytes; of one that
    /// hears more, later lines of log and texts of faults are left out. Default 4 MiB.
    pub heard_bytes: usize,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            body_bytes: 1 << 20,
            requests: 50,
            heard_bytes: 4 << 20,
        }
    }
}

/// Where a plugin may send requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grants {
    origins: Vec<Origin>,
    limits: HttpLimits,
}

/// What was in the way of the requests of one run, in words.
#[derive(Clone, Default)]
struct Obstacles(Arc<Mutex<Vec<String>>>);

/// How many of them are told.
const OBSTACLES_MAX: usize = 4;

impl Obstacles {
    /// Counts a limit that was reached, and keeps what is said of it.
    fn met(&self, limit: &'static str, what: String) {
        limit_reached(limit);
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < OBSTACLES_MAX && !told.contains(&what) {
            told.push(what);
        }
    }

    /// The same for a request that took too long, if it did.
    fn timed_out(&self, failure: HttpFailure, limit: Duration) {
        let too_slow = [
            HttpFailure::ConnectionTimeout,
            HttpFailure::ConnectionReadTimeout,
            HttpFailure::HttpResponseTimeout,
        ];
        if too_slow.contains(&failure) {
            let seconds = limit.as_secs_f64();
            let what = format!("an HTTP request took too long; the limit is {seconds} s");
            self.met("plugin_http_time", what);
        }
    }
}

/// What decides over the requests of one run.
pub(crate) struct Gate {
    grants: Arc<Grants>,
    limits: HttpLimits,
    sent: u32,
    obstacles: Obstacles,
    recorder: Recorder,
    /// What answers in place of the network, in a run over a recording.
    replay: Option<Arc<Mutex<Replay>>>,
}

/// Answers that were recorded.
struct Replay {
    /// Those that were not given yet.
    recorded: Vec<Exchange>,
    /// Requests for which there was none.
    unanswered: Vec<String>,
}

impl Grants {
    /// Grants origins, such as `https://api.example`. The error says which is none.
    pub(crate) fn new(origins: &[String], limits: &HttpLimits) -> Result<Self, String> {
        let origins = origins.iter().map(|text| origin(text));
        Ok(Self { origins: origins.collect::<Result<_, _>>()?, limits: limits.clone() })
    }

    /// How much there is for one run.
    pub(crate) fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    /// The origins, as text.
    pub(crate) fn origins(&self) -> impl Iterator<Item = String> {
        self.origins.iter().map(Origin::ascii_serialization)
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
    /// Grants nothing.
    pub(crate) fn closed(recorder: Recorder) -> Self {
        let (grants, limits) = (Arc::default(), HttpLimits::default());
        Self { grants, limits, sent: 0, obstacles: Obstacles::default(), recorder, replay: None }
    }

    /// Lets requests to these origins pass, within these limits.
    pub(crate) fn open(&mut self, grants: Arc<Grants>, limits: HttpLimits) {
        self.recorder.hear(limits.heard_bytes);
        (self.grants, self.limits) = (grants, limits);
    }

    /// Answers with what was recorded, and sends nothing.
    pub(crate) fn replay(&mut self, recorded: Vec<Exchange>) {
        self.replay = Some(Arc::new(Mutex::new(Replay { recorded, unanswered: Vec::new() })));
    }

    /// Whether a request has left, or may have.
    pub(crate) fn has_sent(&self) -> bool {
        self.sent > 0 && !self.grants.is_empty()
    }

    /// What was in the way of its requests.
    pub(crate) fn obstacles(&self) -> Vec<String> {
        self.obstacles.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that the recording could not answer.
    pub(crate) fn unanswered(&self) -> Vec<String> {
        let Some(replay) = &self.replay else { return Vec::new() };
        std::mem::take(&mut replay.lock().unwrap_or_else(PoisonError::into_inner).unanswered)
    }

    /// Counts a request, and looks at what can be told of it without the network. Those that may not
    /// leave count too: there must be an end to them.
    fn count(&mut self, uri: &http::Uri) -> Result<(), Error> {
        self.sent = self.sent.saturating_add(1);
        if self.sent > self.limits.requests {
            let limit = self.limits.requests;
            let what = format!("the limit of {limit} HTTP requests in one run is reached");
            self.obstacles.met("plugin_http_requests", what);
            return Err(Error::ConnectionLimitReached);
        }
        // A login goes into a header: in a URL it would be sent to nobody, and shown to everybody.
        if uri.authority().is_some_and(|it| it.as_str().contains('@')) {
            return Err(Error::HttpRequestUriInvalid);
        }
        Ok(())
    }

    /// Whether a request may leave.
    fn check(&mut self, uri: &http::Uri) -> Result<(), Error> {
        self.count(uri)?;
        let origin = Url::parse(&uri.to_string()).map(|url| url.origin());
        if !origin.is_ok_and(|origin| self.grants.origins.contains(&origin)) {
            let scheme = uri.scheme_str().unwrap_or_default();
            let host = uri.host().unwrap_or_default();
            let port = uri.port().map(|it| format!(":{it}")).unwrap_or_default();
            let what = format!(
                "an HTTP request to {scheme}://{host}{port} was not sent: the operator does not grant \
                 that origin"
            );
            self.obstacles.met("plugin_http_origin", what);
            return Err(Error::HttpRequestDenied);
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
        let exchange = Exchange::new(request.method(), request.uri().to_string());
        let HttpLimits { time, body_bytes, .. } = self.limits;
        // Here and not when it is answered: what a plugin does meanwhile comes after it.
        let recorded = self.recorder.note_exchange(exchange.clone());
        if let Some(replay) = self.replay.clone() {
            // Whether it may leave is in the recording; how many there are is counted again.
            if let Err(error) = self.count(request.uri()) {
                recorded.note(0, |exchange| exchange.answer = Err(HttpFailure::from(&error)));
                return Box::new(std::future::ready(Err(error)));
            }
            let obstacles = self.obstacles.clone();
            let request = request.map(|body| limited(body, body_bytes, &REQUEST, obstacles));
            return Box::new(answered(request, exchange, replay, recorded));
        }
        if let Err(error) = self.check(request.uri()) {
            recorded.note(0, |exchange| exchange.answer = Err(HttpFailure::from(&error)));
            return Box::new(std::future::ready(Err(error)));
        }
        let wished = options.unwrap_or_default();
        let within = |wished: Option<Duration>| Some(wished.unwrap_or(time).min(time));
        let wishes =
            [wished.connect_timeout, wished.first_byte_timeout, wished.between_bytes_timeout];
        // A shorter time is the plugin's own, and no limit that it reaches.
        let has_own_time = wishes.into_iter().flatten().any(|it| it < time);
        let options = RequestOptions {
            connect_timeout: within(wished.connect_timeout),
            first_byte_timeout: within(wished.first_byte_timeout),
            between_bytes_timeout: within(wished.between_bytes_timeout),
        };
        let asked = recorded.clone();
        // What sends it does not say of a body why it ended.
        let is_too_long = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&is_too_long);
        let request = request.map(|body| {
            let body = limited(body, body_bytes, &REQUEST, self.obstacles.clone());
            let listen = move |part: &[u8]| {
                asked.note(part.len(), |exchange| exchange.body.extend(part));
            };
            overheard(body, listen, move |failure| {
                ended.fetch_or(failure == HttpFailure::HttpRequestBodySize, Ordering::Relaxed);
            })
        });
        let obstacles = self.obstacles.clone();
        Box::new(async move {
            let began = tokio::time::Instant::now();
            let sending = Pin::from(Box::new(default_send_request(request, Some(options))));
            let sent = match tokio::time::timeout(time, sending).await {
                Ok(sent) => sent,
                Err(_) => Err(Error::HttpResponseTimeout),
            };
            let (response, io) = sent.map_err(|error| {
                let failure = match is_too_long.load(Ordering::Relaxed) {
                    true => HttpFailure::HttpRequestBodySize,
                    false => HttpFailure::from(&error),
                };
                if !has_own_time || began.elapsed() >= time {
                    obstacles.timed_out(failure, time);
                }
                recorded.note(0, |exchange| exchange.answer = Err(failure));
                Error::from(failure)
            })?;
            let (head, body) = response.into_parts();
            let headers: Vec<(String, String)> = head
                .headers
                .iter()
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                })
                .collect();
            let bytes = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
            let status = head.status.as_u16();
            recorded.note(bytes, |exchange| {
                let headers = headers.clone();
                exchange.answer = Ok(HttpAnswer { status, headers, ..HttpAnswer::default() });
            });
            let heard = recorded.clone();
            let listen = move |part: &[u8]| {
                heard.note(part.len(), |exchange| {
                    if let Ok(answer) = &mut exchange.answer {
                        answer.body.push(Content::new(part.to_owned()));
                    }
                });
            };
            let slow = obstacles.clone();
            let failed = move |failure| {
                if !has_own_time {
                    slow.timed_out(failure, time);
                }
                recorded.note(0, |exchange| {
                    if let Ok(answer) = &mut exchange.answer {
                        answer.failure = Some(failure);
                    }
                });
            };
            let body = limited(body.boxed_unsync(), body_bytes, &ANSWER, obstacles);
            let response = http::Response::from_parts(head, overheard(body, listen, failed));
            let io: Io = Box::new(io);
            Ok((response, io))
        })
    }
}

/// Answers a request with what was recorded.
async fn answered(
    request: http::Request<WasiBody>,
    mut exchange: Exchange,
    replay: Arc<Mutex<Replay>>,
    recorded: ExchangeRecorder,
) -> Result<(http::Response<WasiBody>, Io), Error> {
    let body = match request.into_body().collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => {
            // As it is told where the request is sent.
            let failure = HttpFailure::from(&error);
            recorded.note(0, |exchange| exchange.answer = Err(failure));
            return Err(Error::from(failure));
        }
    };
    exchange.body = Content::new(body.to_vec());
    recorded.note(body.len(), |noted| noted.body.clone_from(&exchange.body));
    let answer = {
        let mut replay = replay.lock().unwrap_or_else(PoisonError::into_inner);
        let fits =
            |wanted| replay.recorded.iter().position(|it| it.fits(&exchange) == Some(wanted));
        match fits(true).or_else(|| fits(false)) {
            Some(place) => replay.recorded.remove(place).answer,
            None => {
                let url = Redactor::blunt().url(&exchange.url);
                let asked = format!("{} {url}", exchange.method);
                replay.unanswered.push(asked.chars().take(UNANSWERED_CHARACTERS).collect());
                Err(HttpFailure::NotRecorded)
            }
        }
    };
    let told = |it: &HttpAnswer| it.body.iter().map(|part| part.as_bytes().len()).sum();
    recorded.note(answer.as_ref().map_or(0, told), |noted| noted.answer.clone_from(&answer));
    let HttpAnswer { status, headers, body, failure } = answer?;
    let parts =
        body.into_iter().map(|part| Ok(Frame::data(Bytes::copy_from_slice(part.as_bytes()))));
    let parts = parts.chain(failure.map(|failure| Err(Error::from(failure))));
    let mut response = http::Response::new(StreamBody::new(stream::iter(parts)).boxed_unsync());
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse()) {
            response.headers_mut().append(name, value);
        }
    }
    let io: Io = Box::new(std::future::ready(Ok(())));
    Ok((response, io))
}

/// A body whose parts somebody else hears of too.
fn overheard(
    body: WasiBody,
    mut listen: impl FnMut(&[u8]) + Send + 'static,
    mut failed: impl FnMut(HttpFailure) + Send + 'static,
) -> WasiBody {
    let body = body.map_frame(move |frame| {
        if let Some(part) = frame.data_ref() {
            listen(part);
        }
        frame
    });
    let body = body.map_err(move |error| {
        let failure = HttpFailure::from(&error);
        failed(failure);
        Error::from(failure)
    });
    body.boxed_unsync()
}

/// What has a body, and the error where it is too long.
struct Of(&'static str, fn(Option<u64>) -> Error);

static REQUEST: Of = Of("request", Error::HttpRequestBodySize);
static ANSWER: Of = Of("answer", Error::HttpResponseBodySize);

/// A body that ends with an error where it is too long.
fn limited(body: WasiBody, bytes_max: usize, of: &'static Of, obstacles: Obstacles) -> WasiBody {
    let limited = Limited::new(body, bytes_max).map_err(move |error| {
        if error.is::<LengthLimitError>() {
            let Of(whose, too_long) = of;
            let what = format!(
                "the limit of {bytes_max} bytes for the body of an HTTP {whose} is reached"
            );
            obstacles.met("plugin_http_body", what);
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
        let limits = HttpLimits { requests: 8, ..HttpLimits::default() };
        let origins = ["https://api.example".to_owned(), "http://127.0.0.1:8080".to_owned()];
        let grants = Grants::new(&origins, &limits).expect("origins");
        let mut gate = Gate::closed(Recorder::new(0));
        gate.open(Arc::new(grants), limits);
        for (uri, may) in [
            ("https://api.example/v1?x=1", true),
            ("https://API.example:443/", true),
            ("http://api.example/", false),
            ("https://api.example:8443/", false),
            ("https://api.example.evil/", false),
            ("https://api.example@evil/", false),
            ("https://evil/?https://api.example", false),
            ("http://127.0.0.1:8080/", true),
            // The limit of eight.
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
