//! Errors of the API (RFC 9457).

use axum::Json;
use axum::body::to_bytes;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use trellis_catalog::CatalogError;
use trellis_store::StoreError;
use utoipa::ToSchema;

/// The type of a problem's body.
pub(crate) const PROBLEM: &str = "application/problem+json";

/// What went wrong with a request.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
}

/// A problem as it is told (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct Body {
    /// The status in words.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What happened, and what to do.
    detail: String,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into() }
    }
}

/// The longest reason that is taken over, in bytes.
const REASON_BYTES_MAX: usize = 4 << 10;

/// Errors that are no problems yet, such as those of the router, as ones.
pub(crate) async fn told(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let kind = response.headers().get(header::CONTENT_TYPE);
    if !is_error || kind.is_some_and(|it| it == PROBLEM) {
        return response;
    }
    let allowed = response.headers().get(header::ALLOW).cloned();
    let reason = to_bytes(response.into_body(), REASON_BYTES_MAX).await.unwrap_or_default();
    let reason = match (status, std::str::from_utf8(&reason)) {
        (StatusCode::METHOD_NOT_ALLOWED, _) => "this path has other methods: see `Allow`",
        (_, Ok(reason)) if !reason.is_empty() => reason,
        _ => status.canonical_reason().unwrap_or("the request cannot be served"),
    };
    let mut response = Problem::new(status, reason).into_response();
    if let Some(allowed) = allowed {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::TooManyTasks { .. } = error {
            return Self::new(StatusCode::CONFLICT, error.to_string());
        }
        tracing::error!(%error, "the store failed");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "the store fails; the log says how")
    }
}

impl From<CatalogError> for Problem {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Unknown(what) => Self::new(StatusCode::NOT_FOUND, what),
            CatalogError::Refused(why) | CatalogError::Conflict(why) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, why)
            }
            CatalogError::Store(error) => error.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self { status, detail } = self;
        let title = status.canonical_reason().unwrap_or("Error");
        let body = Body { title: title.to_owned(), status: status.as_u16(), detail };
        let mut response = (status, Json(body)).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        response
    }
}
