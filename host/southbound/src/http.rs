//! One request: what HTTP asks before and after a session answers (TR-069 3.4.1, 3.4.6).

use std::convert::Infallible;
use std::future::Future;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{
    ALLOW, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE,
};
use hyper::{Method, Request, Response, StatusCode};
use rand::RngExt;
use trellis_session::{Answer, Arrival, Caller, Credential, Reply, SessionId, Sessions};

use crate::auth::{Authenticator, Proof, Unproved};
use crate::body::{BodyMemory, Reader, linger};
use crate::cookie;
use crate::redirect;
use crate::settings::SouthboundSettings;

/// Answers POSTs. The server's is [`Sessions`]; the benchmark has one that answers without
/// doing anything.
pub trait Handler: Clone + Send + Sync + 'static {
    /// A POST on its way to an open session.
    type Arrival: Send;

    /// Takes note of a POST whose headers have come; see [`Sessions::arrival`].
    fn arrival(
        &self,
        cookies: &[SessionId],
        connection: Option<&SessionId>,
    ) -> Option<Self::Arrival>;

    /// The credentials of a user name; see [`Sessions::credentials`].
    fn credentials(&self, username: &str) -> impl Future<Output = Vec<Credential>> + Send;

    /// Answers one POST; see [`Sessions::post`].
    fn post(
        &self,
        body: Bytes,
        charset: Option<&str>,
        arrival: Option<Self::Arrival>,
        caller: Caller,
        may_redirect: bool,
    ) -> impl Future<Output = Answer> + Send;
}

impl Handler for Sessions {
    type Arrival = Arrival;

    fn arrival(&self, cookies: &[SessionId], connection: Option<&SessionId>) -> Option<Arrival> {
        Sessions::arrival(self, cookies, connection)
    }

    async fn credentials(&self, username: &str) -> Vec<Credential> {
        Sessions::credentials(self, username).await
    }

    async fn post(
        &self,
        body: Bytes,
        charset: Option<&str>,
        arrival: Option<Arrival>,
        caller: Caller,
        may_redirect: bool,
    ) -> Answer {
        Sessions::post(self, body, charset, arrival, caller, may_redirect).await
    }
}

/// What all connections of a listener share.
pub(crate) struct Front {
    pub(crate) settings: SouthboundSettings,
    pub(crate) memory: BodyMemory,
    pub(crate) authenticator: Authenticator,
}

/// What one connection remembers.
pub(crate) struct Connection {
    /// Who is at its other end.
    source: IpAddr,
    /// The session that last used it, for devices without cookies.
    session: Mutex<Option<SessionId>>,
    /// How many requests have come, and how many of them are answered.
    requests: AtomicUsize,
    answers: AtomicUsize,
    /// Whether the last answer leaves a session open.
    in_session: AtomicBool,
    /// Whether nobody on the way can read along.
    is_secure: bool,
    /// The common name of the certificate that the device has proved to be its own.
    certificate: Option<String>,
}

pub(crate) type HttpResponse = Response<Full<Bytes>>;

/// Why a request is answered without asking a session.
pub(crate) struct Refusal(pub(crate) StatusCode, pub(crate) &'static str);

/// Answers one request, and counts the answer.
pub(crate) async fn answer<H: Handler>(
    request: Request<Incoming>,
    connection: &Connection,
    handler: &H,
    front: &Front,
) -> Result<HttpResponse, Infallible> {
    connection.requests.fetch_add(1, Ordering::Relaxed);
    let response = respond(request, connection, handler, front).await;
    let is_open = response.status() == StatusCode::OK && response.body().size_hint().lower() > 0;
    connection.in_session.store(is_open, Ordering::Relaxed);
    connection.answers.fetch_add(1, Ordering::Relaxed);
    let status = response.status().as_u16().to_string();
    metrics::counter!("trellis_posts_total", "status" => status).increment(1);
    Ok(response)
}

async fn respond<H: Handler>(
    request: Request<Incoming>,
    connection: &Connection,
    handler: &H,
    front: &Front,
) -> HttpResponse {
    if request.method() != Method::POST {
        let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "CWMP uses POST");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST"));
        return response;
    }
    let Front { settings, memory, authenticator } = front;
    let (head, mut body) = request.into_parts();
    let hops = redirect::hops(&head.uri);
    let cookies = cookie::sessions(&head.headers);
    let arrival = handler.arrival(&cookies, connection.session().as_ref());
    // Whoever knows a session's cookie has proved who they are (TR-069 3.4.4).
    let caller = match arrival {
        Some(_) => Ok(Caller::Anonymous),
        None => {
            let given = |username: String| async move { handler.credentials(&username).await };
            let proof = Proof {
                headers: &head.headers,
                source: connection.source,
                secure: connection.is_secure,
                certificate: connection.certificate.as_deref(),
            };
            authenticator.check(head.method.as_str(), proof, given).await
        }
    };
    let caller = match caller {
        Ok(caller) => caller,
        Err(unproved) => {
            linger(memory, &head.headers, body);
            let why = match unproved {
                Unproved::Busy => "too many devices come in at once",
                Unproved::Guessed => "too many wrong passwords",
                Unproved::Wrong | Unproved::Stale => {
                    return challenge(authenticator, unproved, connection.is_secure);
                }
            };
            return response(Reply::Unavailable(why.to_owned()), hops, settings);
        }
    };
    let max = if arrival.is_some() {
        settings.body_bytes_max
    } else {
        settings.first_body_bytes_max.min(settings.body_bytes_max)
    };
    // The lease is held until the answer is there: so long the body is in memory.
    let reader = Reader { settings, memory, max };
    let (body, _lease) = match reader.read(&head.headers, &mut body).await {
        Ok(read) => read,
        Err(Refusal(status, why)) => {
            linger(memory, &head.headers, body);
            return match status {
                StatusCode::SERVICE_UNAVAILABLE => {
                    response(Reply::Unavailable(why.to_owned()), hops, settings)
                }
                status => text(status, why),
            };
        }
    };
    let charset = charset(&head.headers);
    let may_redirect = hops < redirect::HOPS_MAX;
    let answer = handler.post(body, charset.as_deref(), arrival, caller, may_redirect).await;
    connection.set_session(answer.session.clone());
    let mut response = response(answer.reply, hops, settings);
    if let Some(session) = answer.session.filter(|session| !cookies.contains(session))
        && let Ok(value) = HeaderValue::from_str(&cookie::set_cookie(&session))
    {
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}

/// Asks a device for its credentials (TR-069 3.4.4).
fn challenge(authenticator: &Authenticator, unproved: Unproved, secure: bool) -> HttpResponse {
    let mut response = text(StatusCode::UNAUTHORIZED, "who are you?");
    for challenge in authenticator.challenges(unproved, secure) {
        response.headers_mut().append(WWW_AUTHENTICATE, challenge);
    }
    response
}

fn response(reply: Reply, hops: u8, settings: &SouthboundSettings) -> HttpResponse {
    match reply {
        Reply::Redirect(to) => redirect::response(&to, hops, settings),
        Reply::Envelope(bytes) => {
            let mut response = Response::new(Full::new(Bytes::from(bytes)));
            let xml = HeaderValue::from_static("text/xml; charset=\"utf-8\"");
            response.headers_mut().insert(CONTENT_TYPE, xml);
            response
        }
        Reply::Empty => Response::new(Full::default()),
        Reply::NoContent => {
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        Reply::BadRequest(why) => text(StatusCode::BAD_REQUEST, why),
        Reply::Forbidden(why) => text(StatusCode::FORBIDDEN, why),
        Reply::Unavailable(why) => {
            let least = settings.retry_after.as_secs();
            let seconds = rand::rng().random_range(least..=least.saturating_mul(2));
            let mut response = text(StatusCode::SERVICE_UNAVAILABLE, why);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            response
        }
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

// === impl Connection ===

impl Connection {
    /// One that everybody on the way can read.
    pub(crate) fn new(source: IpAddr) -> Self {
        Self {
            source,
            session: Mutex::default(),
            requests: AtomicUsize::default(),
            answers: AtomicUsize::default(),
            in_session: AtomicBool::default(),
            is_secure: false,
            certificate: None,
        }
    }

    /// One with TLS.
    pub(crate) fn secure(source: IpAddr, certificate: Option<String>) -> Self {
        Self { is_secure: true, certificate, ..Self::new(source) }
    }

    fn session(&self) -> Option<SessionId> {
        self.session.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_session(&self, session: Option<SessionId>) {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = session;
    }

    /// Returns when no request has come for `idle`, and none is waited for in a session.
    pub(crate) async fn idle_for(&self, idle: Duration) {
        let mut seen = self.requests.load(Ordering::Relaxed);
        loop {
            tokio::time::sleep(idle).await;
            let requests = self.requests.load(Ordering::Relaxed);
            let is_busy = requests > self.answers.load(Ordering::Relaxed);
            if requests == seen && !is_busy && !self.in_session.load(Ordering::Relaxed) {
                return;
            }
            seen = requests;
        }
    }
}
