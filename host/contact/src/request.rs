//! One connection request over HTTP (TR-069 3.2.2.2): a GET, the device's challenge, and the GET
//! once more with the answer to it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_auth::{PasswordClient, PasswordParams};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, USER_AGENT, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_util::task::AbortOnDropHandle;

use crate::outcome::Outcome;
use crate::target::Target;

/// A user name and a password for connection requests. `Debug` shows only the former.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
}

/// Devices should answer with nothing; of what they send, this much is read, in bytes.
const BODY_BYTES_MAX: usize = 16 << 10;

/// As much of a device's own words as is told to the operator, in bytes.
const DETAIL_BYTES_MAX: usize = 200;

/// The largest head of an answer, in bytes.
const HEAD_BYTES_MAX: usize = 16 << 10;

/// How long the rest of a challenge may take; without it another connection is made.
const BODY_MAX: Duration = Duration::from_secs(1);

/// How long one address of several may take to answer at all.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Calls a device. The logins are tried in turn until it accepts one.
pub(crate) async fn call(target: &Target, addresses: &[SocketAddr], logins: &[Login]) -> Outcome {
    match try_to_call(target, addresses, logins).await {
        Ok(outcome) | Err(outcome) => outcome,
    }
}

async fn try_to_call(
    target: &Target,
    addresses: &[SocketAddr],
    logins: &[Login],
) -> Result<Outcome, Outcome> {
    let mut line = Line { target, addresses, open: None };
    let mut answer = line.get(None).await?;
    for login in logins {
        if answer.status != StatusCode::UNAUTHORIZED {
            break;
        }
        let authorization = answer.respond(target, login)?;
        answer = line.get(Some(&authorization)).await?;
        if answer.is_stale() {
            // The credentials are right, and the challenge was too old.
            let authorization = answer.respond(target, login)?;
            answer = line.get(Some(&authorization)).await?;
        }
    }
    Ok(match answer.status {
        StatusCode::OK | StatusCode::NO_CONTENT => Outcome::Accepted,
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Busy,
        StatusCode::UNAUTHORIZED => Outcome::BadCredentials,
        status => Outcome::Unexpected(status.as_u16()),
    })
}

/// The connection to a device: many close it after each answer.
struct Line<'a> {
    target: &'a Target,
    addresses: &'a [SocketAddr],
    open: Option<Open>,
}

struct Open {
    sender: SendRequest<Empty<Bytes>>,
    _serving: AbortOnDropHandle<()>,
}

/// What a device answered.
struct Answer {
    status: StatusCode,
    challenges: Vec<HeaderValue>,
}

impl Line<'_> {
    async fn get(&mut self, authorization: Option<&HeaderValue>) -> Result<Answer, Outcome> {
        if let Some(mut open) = self.open.take()
            && open.sender.ready().await.is_ok()
            && let Ok(response) = open.sender.send_request(self.request(authorization)?).await
        {
            return Ok(self.read(open, response).await);
        }
        let mut open = self.connect().await?;
        match open.sender.send_request(self.request(authorization)?).await {
            Ok(response) => Ok(self.read(open, response).await),
            Err(error) => Err(Outcome::Unreachable(format!("no answer of the device: {error}"))),
        }
    }

    async fn connect(&self) -> Result<Open, Outcome> {
        let mut why = String::new();
        for address in self.addresses {
            match tokio::time::timeout(CONNECT_MAX, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return open(stream).await,
                Ok(Err(error)) => why = format!("no connection to {address}: {error}"),
                Err(_) => why = format!("no connection to {address} in {CONNECT_MAX:?}"),
            }
        }
        Err(Outcome::Unreachable(why))
    }

    fn request(
        &self,
        authorization: Option<&HeaderValue>,
    ) -> Result<Request<Empty<Bytes>>, Outcome> {
        let mut request = Request::get(self.target.path.as_str())
            .header(HOST, &self.target.authority)
            .header(USER_AGENT, "Trellis");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let no_url = |error| Outcome::NoUrl(format!("the device's URL cannot be sent: {error}"));
        request.body(Empty::new()).map_err(no_url)
    }

    /// Takes the answer in, and keeps the connection if it is to be used again and can be.
    async fn read(&mut self, open: Open, response: Response<Incoming>) -> Answer {
        let (head, body) = response.into_parts();
        if head.status == StatusCode::UNAUTHORIZED {
            let rest = Limited::new(body, BODY_BYTES_MAX).collect();
            if let Ok(Ok(_)) = tokio::time::timeout(BODY_MAX, rest).await {
                self.open = Some(open);
            }
        }
        let challenges = head.headers.get_all(WWW_AUTHENTICATE).iter().cloned().collect();
        Answer { status: head.status, challenges }
    }
}

async fn open(stream: TcpStream) -> Result<Open, Outcome> {
    let handshake = http1::Builder::new()
        // Old devices compare header names with care for case.
        .title_case_headers(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .max_buf_size(HEAD_BYTES_MAX)
        .handshake(TokioIo::new(stream));
    let (sender, connection) = handshake
        .await
        .map_err(|error| Outcome::Unreachable(format!("no connection to the device: {error}")))?;
    let serving = tokio::spawn(async move {
        // Its errors are told to whoever sent the request.
        let _ = connection.await;
    });
    Ok(Open { sender, _serving: AbortOnDropHandle::new(serving) })
}

impl Answer {
    /// Answers the device's challenge with the best method that both sides know.
    fn respond(&self, target: &Target, login: &Login) -> Result<HeaderValue, Outcome> {
        let mut builder = PasswordClient::builder();
        for challenge in &self.challenges {
            builder = builder.challenges(challenge.to_str().unwrap_or_default());
        }
        let unknown = |why: String| {
            // The device's own words may be in it.
            let end = why.floor_char_boundary(DETAIL_BYTES_MAX);
            let why = why.get(..end).unwrap_or_default();
            Outcome::Unreachable(format!("the device's challenge cannot be answered: {why}"))
        };
        let PasswordClient::Digest(mut digest) = builder.build().map_err(unknown)? else {
            return Err(unknown("it is not for HTTP Digest".to_owned()));
        };
        let mut respond = |body| {
            digest.respond(&PasswordParams {
                username: &login.username,
                password: &login.password,
                uri: target.path.as_str(),
                method: "GET",
                body,
            })
        };
        // With a body the library prefers `auth-int`, which many devices offer and do not have.
        let response = respond(None).or_else(|_| respond(Some(&[]))).map_err(unknown)?;
        HeaderValue::try_from(response).map_err(|error| unknown(error.to_string()))
    }

    fn is_stale(&self) -> bool {
        self.status == StatusCode::UNAUTHORIZED
            && self.challenges.iter().filter_map(|it| it.to_str().ok()).any(|challenges| {
                let challenges = http_auth::parse_challenges(challenges).unwrap_or_default();
                challenges.iter().flat_map(|it| &it.params).any(|(name, value)| {
                    name.eq_ignore_ascii_case("stale")
                        && value.as_escaped().eq_ignore_ascii_case("true")
                })
            })
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}
