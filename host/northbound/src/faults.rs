//! The API's view of what went wrong.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use trellis_store::{DeviceKey, Fault, FaultQuery, Page};
use utoipa::{IntoParams, ToSchema};

use crate::body::Parameters;
use crate::devices::{KnownDevice, PluginUsed, used};
use crate::listener::Server;
use crate::paging;
use crate::problem::{self, Problem};
use crate::time;

/// Something that went wrong.
#[derive(Serialize, ToSchema)]
pub(crate) struct FaultView {
    /// When.
    at: String,
    /// Whose fault it is: `plugin`, `cpe`, `operator` or `server`.
    blame: String,
    /// The plugin that ran.
    plugin: Option<PluginUsed>,
    /// A word for the kind, such as `trap` or `fuel`.
    kind: String,
    /// What happened.
    message: String,
    /// Where in the plugin, innermost first.
    backtrace: Vec<String>,
}

/// Something that went wrong with a device.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceFaultView {
    /// The device.
    device: String,
    #[serde(flatten)]
    fault: FaultView,
}

/// Some of the faults of all devices.
#[derive(Serialize, ToSchema)]
pub(crate) struct FaultPage {
    /// By device; those of one device oldest first.
    faults: Vec<DeviceFaultView>,
    /// What to ask for as `after` to see more, where there may be more.
    next: Option<String>,
}

/// Which faults.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct FaultParameters {
    /// Those since this time (RFC 3339).
    since: Option<String>,
    /// Those of sessions in which this plugin ran.
    plugin: Option<String>,
    /// Those after this place: `next` of an earlier answer.
    after: Option<String>,
    /// So many, 1 to 1,000. Default 100.
    limit: Option<usize>,
}

/// The faults of all devices that are kept, by device. A page may be empty though there are more.
#[utoipa::path(get, path = "/faults", tag = "devices", params(FaultParameters),
    responses((status = 200, body = FaultPage), (status = 422, body = problem::Body)))]
pub(crate) async fn all(
    State(server): State<Arc<Server>>,
    Parameters(wanted): Parameters<FaultParameters>,
) -> Result<Json<FaultPage>, Problem> {
    let wrong = |why: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why);
    let limit = paging::limit(wanted.limit, 1_000)?;
    let since_ms = time::since(wanted.since.as_deref()).map_err(wrong)?;
    let after = paging::place(wanted.after.as_deref())?;
    let query = FaultQuery { since_ms, after, plugin: wanted.plugin, limit };
    let Page { found, next } = server.store.find_faults(query).await?;
    let shown = |(device, fault): (DeviceKey, Fault)| DeviceFaultView {
        device: device.to_string(),
        fault: view(fault),
    };
    let faults = found.into_iter().map(shown).collect();
    Ok(Json(FaultPage { faults, next: next.map(paging::next) }))
}

/// The last faults of a device, oldest first.
#[utoipa::path(get, path = "/devices/{id}/faults", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = Vec<FaultView>), (status = 404, body = problem::Body)))]
pub(crate) async fn of_device(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
) -> Result<Json<Vec<FaultView>>, Problem> {
    Ok(Json(server.store.faults(&key).await?.into_iter().map(view).collect()))
}

fn view(it: Fault) -> FaultView {
    FaultView {
        at: time::text(it.at_ms),
        blame: it.blame,
        plugin: it.plugin.map(used),
        kind: it.kind,
        message: it.message,
        backtrace: it.backtrace,
    }
}
