//! The API's view of transcripts.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::IntoResponse;
use axum::response::Response;
use serde::Deserialize;
use trellis_store::{DeviceKey, Page, TranscriptQuery};
use utoipa::IntoParams;

use crate::body::Parameters;
use crate::listener::Server;
use crate::paging;
use crate::problem::{self, Problem};
use crate::time;

/// Which transcripts.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
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
    let limit = paging::limit(wanted.limit, 500)?;
    let since_ms = time::since(wanted.since.as_deref()).map_err(wrong)?;
    let after = paging::place(wanted.after.as_deref())?;
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
    let next = next.map(|next| format!(",\"next\":\"{}\"", paging::next(next)));
    let body = format!("{{\"transcripts\":[{}]{}}}", texts.join(","), next.unwrap_or_default());
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
