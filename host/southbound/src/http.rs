//! One request: what HTTP asks before and after a session answers (TR-069 3.4.1, 3.4.6).

use std::convert::Infallible;
use std::future::Future;
use std::io::Read;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
    SET_COOKIE,
};
use hyper::{Method, Request, Response, StatusCode};
use rand::RngExt;
use tokio::sync::{Semaphore, SemaphorePermit};
use trellis_session::{Answer, Reply, SessionId, Sessions};

use crate::cookie;
use crate::settings::SouthboundSettings;

/// Answers POSTs. The server's is [`Sessions`]; the benchmark has one that answers without
/// doing anything.
pub trait Handler: Clone + Send + Sync + 'static {
    /// Whether a POST would belong to a session; see [`Sessions::is_open`].
    fn is_open(&self, cookie: Option<&SessionId>, connection: Option<&SessionId>) -> bool;

    /// Answers one POST; see [`Sessions::post`].
    fn post(
        &self,
        body: Bytes,
        charset: Option<&str>,
        cookie: Option<SessionId>,
        connection: Option<SessionId>,
    ) -> impl Future<Output = Answer> + Send;
}

impl Handler for Sessions {
    fn is_open(&self, cookie: Option<&SessionId>, connection: Option<&SessionId>) -> bool {
        Sessions::is_open(self, cookie, connection)
    }

    async fn post(
        &self,
        body: Bytes,
        charset: Option<&str>,
        cookie: Option<SessionId>,
        connection: Option<SessionId>,
    ) -> Answer {
        Sessions::post(self, body, charset, cookie, connection).await
    }
}

/// What one connection remembers: the session that last used it, for devices without cookies.
#[derive(Default)]
pub(crate) struct Connection(Mutex<Option<SessionId>>);

type HttpResponse = Response<Full<Bytes>>;

/// Why a request is answered without asking a session.
struct Refusal(StatusCode, &'static str);

/// Answers one request.
pub(crate) async fn answer<H: Handler>(
    request: Request<Incoming>,
    connection: &Connection,
    handler: &H,
    settings: &SouthboundSettings,
    large_bodies: &Semaphore,
) -> Result<HttpResponse, Infallible> {
    if request.method() != Method::POST {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "CWMP uses POST");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return Ok(response);
    }
    let (head, body) = request.into_parts();
    let cookie = cookie::session(&head.headers);
    let named = connection.get();
    let max = if handler.is_open(cookie.as_ref(), named.as_ref()) {
        settings.body_bytes_max
    } else {
        settings.first_body_bytes_max.min(settings.body_bytes_max)
    };
    // The permit is held until the answer is there: so long the body is in memory.
    let (body, _large) = match read_body(&head.headers, body, max, settings, large_bodies).await {
        Ok(read) => read,
        Err(Refusal(status, why)) => return Ok(text(status, why)),
    };
    let charset = charset(&head.headers);
    let answer = handler.post(body, charset.as_deref(), cookie.clone(), named).await;
    connection.set(answer.session.clone());
    let mut response = response(answer.reply, settings);
    if let Some(session) = answer.session.filter(|session| Some(session) != cookie.as_ref())
        && let Ok(value) = HeaderValue::from_str(&cookie::set_cookie(&session))
    {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    Ok(response)
}

fn response(reply: Reply, settings: &SouthboundSettings) -> HttpResponse {
    match reply {
        Reply::Envelope(bytes) => {
            let mut response = Response::new(Full::new(Bytes::from(bytes)));
            let xml = HeaderValue::from_static("text/xml; charset=\"utf-8\"");
            response.headers_mut().insert(CONTENT_TYPE, xml);
            response
        }
        Reply::NoContent => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Reply::BadRequest(why) => text(StatusCode::BAD_REQUEST, why),
        Reply::Unavailable(why) => {
            let least = settings.retry_after.as_secs();
            let seconds = rand::rng().random_range(least..=least.saturating_mul(2));
            let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
    }
}

const TOO_LARGE: Refusal = Refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large");

/// Reads a body of up to `max` bytes, decompressed. A large one has to wait for one of the
/// places in `large_bodies`.
async fn read_body<'a>(
    headers: &HeaderMap,
    body: Incoming,
    max: usize,
    settings: &SouthboundSettings,
    large_bodies: &'a Semaphore,
) -> Result<(Bytes, Option<SemaphorePermit<'a>>), Refusal> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|it| it.to_str().ok()?.parse().ok());
    if declared.is_some_and(|length: usize| length > max) {
        limit_reached("body_bytes");
        return Err(TOO_LARGE);
    }
    let coding = Coding::of(headers)?;
    let small = settings.first_body_bytes_max;
    let reading = collect(body, max, small, large_bodies);
    let Ok(read) = tokio::time::timeout(settings.body_time, reading).await else {
        limit_reached("body_time");
        return Err(Refusal(StatusCode::REQUEST_TIMEOUT, "the body takes too long"));
    };
    let (bytes, mut permit) = read?;
    let Some(coding) = coding else { return Ok((bytes, permit)) };
    if permit.is_none() && max > small {
        // What it inflates to is not known before.
        permit = large_bodies.acquire().await.ok();
    }
    let inflating = tokio::task::spawn_blocking(move || coding.inflate(&bytes, max));
    let bytes = inflating
        .await
        .map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the body cannot be decompressed"))??;
    if bytes.len() > max {
        limit_reached("body_bytes");
        return Err(TOO_LARGE);
    }
    Ok((bytes.into(), permit))
}

async fn collect(
    mut body: Incoming,
    max: usize,
    small: usize,
    large_bodies: &Semaphore,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Refusal> {
    let mut bytes = BytesMut::new();
    let mut permit = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the body is cut off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            limit_reached("body_bytes");
            return Err(TOO_LARGE);
        }
        if bytes.len() + data.len() > small && permit.is_none() {
            permit = large_bodies.acquire().await.ok();
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes.freeze(), permit))
}

/// A content coding that devices may use (TR-069 3.4.7).
#[derive(Clone, Copy)]
enum Coding {
    Gzip,
    Deflate,
}

impl Coding {
    fn of(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let Some(value) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(None),
            "gzip" | "x-gzip" => Ok(Some(Self::Gzip)),
            "deflate" => Ok(Some(Self::Deflate)),
            _ => Err(Refusal(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "the content codings are gzip and deflate",
            )),
        }
    }

    /// Decompresses, and stops one byte past the limit. Deflate comes with a zlib header from
    /// some devices and without from others.
    fn inflate(self, bytes: &[u8], max: usize) -> Result<Vec<u8>, Refusal> {
        let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
        let read = |reader: &mut dyn Read| {
            let mut inflated = Vec::new();
            reader.take(limit).read_to_end(&mut inflated).map(|_| inflated)
        };
        let inflated = match self {
            Self::Gzip => read(&mut flate2::read::MultiGzDecoder::new(bytes)),
            Self::Deflate => read(&mut flate2::read::ZlibDecoder::new(bytes))
                .or_else(|_| read(&mut flate2::read::DeflateDecoder::new(bytes))),
        };
        inflated.map_err(|_| Refusal(StatusCode::BAD_REQUEST, "the body cannot be decompressed"))
    }
}

fn charset(headers: &HeaderMap) -> Option<String> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let parameters = content_type.split(';').skip(1).filter_map(|it| it.split_once('='));
    parameters
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_owned())
        .find(|value| !value.is_empty())
}

fn text(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    let mut response = Response::new(Full::new(Bytes::from(text.into() + "\n")));
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}

fn limit_reached(limit: &'static str) {
    metrics::counter!("trellis_limit_reached_total", "limit" => limit).increment(1);
}

// === impl Connection ===

impl Connection {
    fn get(&self) -> Option<SessionId> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, session: Option<SessionId>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }
}
