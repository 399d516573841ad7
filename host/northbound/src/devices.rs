//! The API's view of devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawPathParams, State};
use axum::http::StatusCode;
use serde::Serialize;
use trellis_store::DeviceKey;

use crate::listener::Server;
use crate::problem::Problem;

/// What became of a connection request.
#[derive(Serialize)]
pub(crate) struct Called {
    outcome: &'static str,
    detail: String,
}

/// Asks a device to open a session (TR-069 3.2.2). The answer comes when the device has answered;
/// that it accepted does not mean that its session has begun.
pub(crate) async fn connection_request(
    State(server): State<Arc<Server>>,
    Path(id): Path<String>,
    raw: RawPathParams,
) -> Result<Json<Called>, Problem> {
    // A device's id is percent-encoded by itself: as it is copied from the log it must work, and
    // also as a program encodes it.
    let copied = raw.iter().find(|(name, _)| *name == "id").map(|(_, id)| id.to_owned());
    for id in copied.into_iter().chain([id]) {
        let device = DeviceKey::from_text(id);
        if let Some(outcome) = server.contact.call(&device).await? {
            return Ok(Json(Called { outcome: outcome.name(), detail: outcome.to_string() }));
        }
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "there is no such device"))
}
