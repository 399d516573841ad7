//! The API's view of transcripts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use trellis_store::{DeviceKey, Page, TranscriptQuery};
use utoipa::IntoParams;

use crate::body::Parameters;
use crate::listener::Server;
use crate::problem::{self, Problem};
use crate::time;

/// Which transcripts.
#[derive(Deserialize, IntoParams)]
pub(crate) struct TranscriptParameters {
    /// Those of sessions since this time (RFC 3339).
    since: Option<String>,
    /// Those of this device.
    device: Option<String>,
    /// Those of this plugin.
    plugin: Option<String>,
    /// Those after this place: `next` of an earlier answer.
    after: Option<String>,
    /// So many, 1 to 500. Default 100.
    limit: Option<usize>,
}

/// What plugins were told, asked and did, oldest first: an object with `transcripts` and, where there
/// may be more, `next`.
#[utoipa::path(get, path = "/transcripts", tag = "plugins", params(TranscriptParameters),
    responses((status = 200, body = Object), (status = 422, body = problem::Body)))]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Parameters(wanted): Parameters<TranscriptParameters>,
) -> Result<Response, Problem> {
    let wrong = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    let limit = wanted.limit.unwrap_or(100);
    if !(1..=500).contains(&limit) {
        return Err(wrong(format!("limit is {limit}; it must be 1 to 500")));
    }
    let since_ms = time::since(wanted.since.as_deref()).map_err(wrong)?;
    let after = wanted.after.map(|after| URL_SAFE_NO_PAD.decode(after)).transpose();
    let after = after.map_err(|_| wrong("after is not `next` of an answer".to_owned()))?;
    let query = TranscriptQuery {
        since_ms,
        after,
        device: wanted.device.map(DeviceKey::from_text),
        plugin: wanted.plugin,
        limit,
    };
    let Page { found, next } = server.store.transcripts(query).await?;
    // They are JSON already.
    let texts: Vec<&str> = found.iter().map(|it| it.json.as_str()).collect();
    let next = next.map(|next| format!(",\"next\":\"{}\"", URL_SAFE_NO_PAD.encode(next)));
    let body = format!("{{\"transcripts\":[{}]{}}}", texts.join(","), next.unwrap_or_default());
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
