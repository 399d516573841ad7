//! The API's view of devices.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
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
    uri: Uri,
) -> Result<Json<Called>, Problem> {
    // A device's id is percent-encoded by itself. A program encodes that once more; people copy it
    // from the log as it is.
    let copied = uri.path().split('/').nth(2).unwrap_or_default().to_owned();
    for id in [id, copied] {
        let device = DeviceKey::from_text(id);
        if let Some(outcome) = server.contact.call(&device).await? {
            return Ok(Json(Called { outcome: outcome.name(), detail: outcome.to_string() }));
        }
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "there is no such device"))
}
