//! Who may use the API: whoever bears one of its tokens (RFC 6750).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use trellis_store::{ApiToken, Store, StoreError};

use crate::listener::Server;
use crate::problem::Problem;

/// A token that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The system has no random numbers.
    #[error("no token can be made: {0}")]
    Random(#[from] getrandom::Error),
    /// It cannot be shown.
    #[error("the first token of the API cannot be shown: {0}")]
    Show(#[from] std::io::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How every token begins, so that it is known for one wherever it turns up.
const PREFIX: &str = "trellis_";

/// Makes the first token of an installation, unless there are tokens, and shows it to whoever starts
/// it. It counts once it was shown.
pub async fn first_token(
    store: &dyn Store,
    show: impl FnOnce(&str) -> std::io::Result<()>,
) -> Result<(), TokenError> {
    if !store.api_tokens().await?.is_empty() {
        return Ok(());
    }
    let mut random = [0; 20];
    getrandom::fill(&mut random)?;
    let digits: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let token = format!("{PREFIX}{digits}");
    let created_ms = Timestamp::now().as_millisecond();
    let name = "first".to_owned();
    show(&token)?;
    store.add_api_token(&ApiToken { name, sha256: hash(&token), created_ms }).await?;
    Ok(())
}

/// Lets requests pass that bear a token.
pub(crate) async fn check(
    State(server): State<Arc<Server>>,
    request: Request,
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
    let known =
        tokens.iter().fold(Choice::from(0), |known, it| known | it.sha256.as_slice().ct_eq(&hash));
    if bool::from(known) {
        Ok(next.run(request).await)
    } else {
        metrics::counter!("trellis_api_refusals_total").increment(1);
        Err(unauthorized("the API does not know this token"))
    }
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
