//! Who may use the API: whoever bears one of its tokens (RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use trellis_store::{ApiToken, Store, StoreError};

use crate::listener::Server;
use crate::problem::Problem;

/// A token that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system has no random numbers.
    #[error("no token can be made: {0}")]
    Random(#[from] getrandom::Error),
    /// The name is not one.
    #[error(
        "the name {0:?} must be 1 to {NAME_BYTES_MAX} letters, digits, dashes, underscores, dots and @"
    )]
    Name(String),
    /// There is one of this name.
    #[error("there is a token {0:?}; revoke it first, or choose another name")]
    Taken(String),
    /// There are too many.
    #[error("there are {TOKENS_MAX} tokens, which is the limit; revoke some")]
    TooMany,
    /// It cannot be shown.
    #[error("the first token of the API cannot be shown: {0}")]
    Show(#[from] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How every token begins, so that it is known for one wherever it turns up.
const PREFIX: &str = "trellis_";

/// The longest name of a token, in bytes, and how many tokens there may be.
const NAME_BYTES_MAX: usize = 64;
const TOKENS_MAX: usize = 1_000;

/// Makes the first token of an installation, unless there are tokens, and shows it to whoever starts
/// it. It counts once it was shown.
pub async fn first_token(
    store: &dyn Store,
    show: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), TokenError> {
    if !store.api_tokens().await?.is_empty() {
        return Ok(());
    }
    let token = random_token()?;
    show(&token)?;
    Ok(store.add_api_token(&named("first", &token)).await?)
}

/// Makes another token. It counts once it is on disk.
pub async fn add_token(store: &dyn Store, name: &str) -> Result<String, TokenError> {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if name.is_empty() || name.len() > NAME_BYTES_MAX || !name.chars().all(good) {
        return Err(TokenError::Name(name.chars().take(NAME_BYTES_MAX).collect()));
    }
    let known = store.api_tokens().await?;
    if known.iter().any(|it| it.name == name) {
        return Err(TokenError::Taken(name.to_owned()));
    }
    if known.len() >= TOKENS_MAX {
        return Err(TokenError::TooMany);
    }
    let token = random_token()?;
    store.add_api_token(&named(name, &token)).await?;
    Ok(token)
}

fn random_token() -> Result<String, TokenError> {
    let mut random = [0; 20];
    getrandom::fill(&mut random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{digits}"))
}

fn named(name: &str, token: &str) -> ApiToken {
    let created_ms = Timestamp::now().as_millisecond();
    ApiToken { name: name.to_owned(), sha256: hash(token), created_ms }
}

/// Who has sent a request: the name of the token.
#[derive(Clone, Debug)]
pub(crate) struct Operator(pub(crate) String);

/// Lets requests pass that bear a token.
pub(crate) async fn check(
    State(server): State<Arc<Server>>,
    mut request: Request,
    next: Next,
) -> Result<Response, Response> {
    let header = request.headers().get(header::AUTHORIZATION);
    let borne = header.and_then(|it| it.to_str().ok()).and_then(|it| it.split_once(' '));
    let borne = borne.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    let Some((_, token)) = borne else {
        let why = "the API asks for a token: `Authorization: Bearer ...`";
        return Err(unauthorized(why));
    };
    let tokens = server.store.api_tokens().await;
    let tokens = tokens.map_err(|error| Problem::from(error).into_response())?;
    let hash = hash(token.trim());
    // All of them are compared, so that the time tells nothing.
    let mut bearer = None;
    for token in tokens {
        if bool::from(token.sha256.as_slice().ct_eq(&hash)) {
            bearer = Some(token.name);
        }
    }
    let Some(name) = bearer else {
        metrics::counter!("trellis_api_refusals_total").increment(1);
        return Err(unauthorized("the API does not know this token"));
    };
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    request.extensions_mut().insert(Operator(name.clone()));
    if method.is_safe() {
        return Ok(next.run(request).await);
    }
    // A change is made to its end, and told, also for a client that hangs up.
    let changed = server.calls.spawn(async move {
        let response = next.run(request).await;
        // Who did what, for those who ask later.
        let status = response.status().as_u16();
        tracing::info!(target: "audit", by = name, %method, path, status, "api");
        response
    });
    changed.await.map_err(|error| {
        tracing::error!(%error, "a change through the API failed");
        let why = "the server failed; the log says how";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, why).into_response()
    })
}

fn unauthorized(why: &str) -> Response {
    let mut response = Problem::new(StatusCode::UNAUTHORIZED, why).into_response();
    let bearer = HeaderValue::from_static("Bearer realm=\"trellis\"");
    response.headers_mut().insert(header::WWW_AUTHENTICATE, bearer);
    response
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
