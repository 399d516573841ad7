//! The API's view of devices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path, RawPathParams, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use trellis_catalog::DevicePin;
use trellis_session::is_secret_setting;
use trellis_store::{Device, DeviceKey, FactValue, Session, Step};
use utoipa::{IntoParams, ToSchema};

use crate::body::{self, Parameters};
use crate::listener::Server;
use crate::paging;
use crate::problem::{self, Problem};
use crate::settings::{PluginWanted, SECRET};
use crate::time;

/// What became of a connection request.
#[derive(Serialize, ToSchema)]
pub(crate) struct Called {
    /// A word for it, such as `accepted`.
    outcome: &'static str,
    /// What happened.
    detail: String,
}

/// A device as lists have it.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceView {
    /// `OUI-ProductClass-SerialNumber`, percent-encoded (TR-069 3.4.4).
    id: String,
    /// The maker's name.
    manufacturer: String,
    /// Part of the identity.
    oui: String,
    /// Part of the identity.
    product_class: String,
    /// Part of the identity.
    serial_number: String,
    /// As last told.
    software_version: String,
    /// When the first Inform came.
    first_inform: String,
    /// When the last Inform came.
    last_inform: String,
    /// The plugin of the last session and its version.
    plugin: Option<PluginUsed>,
    /// What plugins published.
    facts: BTreeMap<String, FactView>,
    /// Whether nothing is asked of the device.
    quarantined: bool,
}

/// A device with all that there is to know of it beside its parameters and its history.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceDetails {
    #[serde(flatten)]
    device: DeviceView,
    /// Whether it is in a session now.
    in_session: bool,
    /// The version of CWMP in its last session.
    cwmp_version: String,
    /// `Device.` or `InternetGatewayDevice.`.
    root: String,
    /// The events of its last Inform.
    last_events: Vec<EventView>,
    /// When the last `1 BOOT` came.
    last_boot: Option<String>,
    /// When the last `0 BOOTSTRAP` came.
    last_bootstrap: Option<String>,
    /// How many sessions were opened.
    sessions: u64,
    /// As last told, or as the last acknowledged change has set it.
    parameter_key: String,
    /// Where it takes connection requests.
    connection_request_url: String,
    /// Why its plugin has nothing asked of it.
    quarantine_reason: Option<String>,
    /// Its tags.
    tags: BTreeSet<String>,
    /// The plugin that is to serve it, whatever the matchers say.
    pin: Option<PinView>,
}

/// The plugin that is to serve a device, whatever the matchers say.
#[derive(Serialize, ToSchema)]
pub(crate) struct PinView {
    /// Its name.
    plugin: String,
    /// The tag that says so; absent where it is said of the device itself.
    tag: Option<String>,
    /// Whether the plugin serves. If not, the device is served by nobody.
    serves: bool,
}

/// A plugin and its version.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginUsed {
    /// Its name.
    name: String,
    /// What the version calls itself.
    version: String,
}

/// Something that a plugin published.
#[derive(Serialize, ToSchema)]
pub(crate) struct FactView {
    /// A text, a number, or yes or no. Of a fact with a secret's name only that it is there.
    value: serde_json::Value,
    /// Since when it is so.
    since: String,
}

/// Why a device called.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its code, such as `1 BOOT`.
    code: String,
    /// The command key of the request that led to it.
    command_key: String,
}

/// Some devices.
#[derive(Serialize, ToSchema)]
pub(crate) struct DevicePage {
    /// In the order of their ids.
    devices: Vec<DeviceView>,
    /// What to ask for next: `after` this one. Absent at the end.
    next: Option<String>,
}

/// Which devices.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParameters {
    /// Those after this id.
    after: Option<String>,
    /// So many, 1 to 1,000. Default 100.
    limit: Option<usize>,
}

/// Which parameters.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PathParameters {
    /// Those whose names begin so.
    path: Option<String>,
}

/// A parameter or an object of a device as last heard of.
#[derive(Serialize, ToSchema)]
pub(crate) struct ParameterView {
    /// Its full name; objects end with a dot.
    name: String,
    /// Its value. Secrets are not kept.
    value: Option<String>,
    /// The type of the value.
    #[serde(rename = "type")]
    value_type: Option<String>,
    /// Whether it can be set.
    writable: Option<bool>,
}

/// A session, with every step of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// When it began.
    began: String,
    /// How long it took, in milliseconds.
    took_ms: u64,
    /// Why the device called.
    events: Vec<EventView>,
    /// The plugin that ran.
    plugin: Option<PluginUsed>,
    /// How it ended.
    outcome: String,
    /// What was said, in order, in brief and without secrets.
    steps: Vec<StepView>,
    /// How many steps were not kept because there were too many.
    steps_dropped: u64,
}

/// One exchange.
#[derive(Serialize, ToSchema)]
pub(crate) struct StepView {
    /// Milliseconds since the session began.
    after_ms: u64,
    /// The method, or `action`.
    method: String,
    /// What was asked.
    request: String,
    /// What was answered.
    answer: String,
}

/// The device that a path names, if the server knows it.
pub(crate) struct KnownDevice(pub(crate) DeviceKey, pub(crate) Device);

impl FromRequestParts<Arc<Server>> for KnownDevice {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, server: &Arc<Server>) -> Result<Self, Problem> {
        let unknown = || {
            let why = "there is no such device; ids are OUI-ProductClass-SerialNumber, percent-encoded, \
                       as the list of devices and the log have them";
            Problem::new(StatusCode::NOT_FOUND, why)
        };
        let parameters =
            RawPathParams::from_request_parts(parts, server).await.map_err(|_| unknown())?;
        let decoded = parameters.iter().find(|(name, _)| *name == "id").map(|(_, id)| id);
        // A device's id is percent-encoded by itself. A program encodes that once more; people copy
        // it from the log as it is.
        let copied = parts.uri.path().split('/').nth(2).unwrap_or_default();
        for id in decoded.into_iter().chain([copied]) {
            let key = DeviceKey::from_text(id);
            if let Some(device) = server.store.device(&key).await? {
                return Ok(Self(key, device));
            }
        }
        Err(unknown())
    }
}

/// Devices, in the order of their ids.
#[utoipa::path(get, path = "/devices", tag = "devices", params(PageParameters),
    responses((status = 200, body = DevicePage)))]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    Parameters(page): Parameters<PageParameters>,
) -> Result<Json<DevicePage>, Problem> {
    let limit = paging::limit(page.limit, 1_000)?;
    let after = page.after.map(DeviceKey::from_text);
    // One more, to see whether there are more.
    let mut devices = server.store.devices(after.as_ref(), limit + 1).await?;
    let is_last = devices.len() <= limit;
    devices.truncate(limit);
    let last = devices.last().map(|(key, _)| key.to_string());
    let devices = devices.into_iter().map(|(key, device)| view(&key, device)).collect();
    Ok(Json(DevicePage { devices, next: last.filter(|_| !is_last) }))
}

/// One device.
#[utoipa::path(get, path = "/devices/{id}", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = DeviceDetails), (status = 404, body = problem::Body)))]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    KnownDevice(key, device): KnownDevice,
) -> Result<Json<DeviceDetails>, Problem> {
    let orders = server.store.orders(&key).await?;
    let pin = server.catalog.device_pin(&orders).map(|it| {
        let DevicePin { plugin, tag, serves } = it;
        PinView { plugin, tag, serves }
    });
    Ok(Json(DeviceDetails {
        in_session: server.sessions.has_session(&key),
        cwmp_version: device.cwmp_version.clone(),
        root: device.root.clone(),
        last_events: events(device.last_events.clone()),
        last_boot: device.last_boot_ms.map(time::text),
        last_bootstrap: device.last_bootstrap_ms.map(time::text),
        sessions: device.sessions,
        parameter_key: device.parameter_key.clone(),
        connection_request_url: device.connection_request_url.clone(),
        quarantine_reason: device.quarantine_reason.clone(),
        tags: orders.tags,
        pin,
        device: view(&key, device),
    }))
}

/// What is known of a device's parameters. Nothing is asked of the device.
#[utoipa::path(get, path = "/devices/{id}/parameters", tag = "devices",
    params(("id" = String, Path), PathParameters),
    responses((status = 200, body = Vec<ParameterView>), (status = 404, body = problem::Body)))]
pub(crate) async fn parameters(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
    Parameters(wanted): Parameters<PathParameters>,
) -> Result<Json<Vec<ParameterView>>, Problem> {
    let path = wanted.path.unwrap_or_default();
    let tree = server.store.tree(&key).await?;
    let entries = tree.0.into_iter().filter(|(name, _)| name.starts_with(&path));
    let view = |(name, entry): (String, trellis_store::Entry)| ParameterView {
        name,
        value: entry.value,
        value_type: entry.value_type,
        writable: entry.writable,
    };
    Ok(Json(entries.map(view).collect()))
}

/// The last sessions of a device in which something happened, with every step, oldest first.
#[utoipa::path(get, path = "/devices/{id}/sessions", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = Vec<SessionView>), (status = 404, body = problem::Body)))]
pub(crate) async fn sessions(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
) -> Result<Json<Vec<SessionView>>, Problem> {
    let view = |it: Session| SessionView {
        began: time::text(it.began_ms),
        took_ms: it.took_ms,
        events: events(it.events),
        plugin: it.plugin.map(used),
        outcome: it.outcome,
        steps: it.steps.into_iter().map(step).collect(),
        steps_dropped: it.steps_dropped,
    };
    Ok(Json(server.store.sessions(&key).await?.into_iter().map(view).collect()))
}

/// Asks a device to open a session (TR-069 3.2.2). The answer comes when the device has answered;
/// that it accepted does not mean that its session has begun.
#[utoipa::path(post, path = "/devices/{id}/connection-request", tag = "devices",
    params(("id" = String, Path)),
    responses((status = 200, body = Called), (status = 404, body = problem::Body)))]
pub(crate) async fn connection_request(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
) -> Result<Json<Called>, Problem> {
    match server.contact.call(&key).await? {
        Some(outcome) => Ok(Json(Called { outcome: outcome.name(), detail: outcome.to_string() })),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such device")),
    }
}

/// Gives a device a tag.
#[utoipa::path(put, path = "/devices/{id}/tags/{tag}", tag = "devices",
    params(("id" = String, Path), ("tag" = String, Path)),
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn add_tag(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
    Path((_, tag)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    server.catalog.add_tag(&key, &tag).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a tag from a device.
#[utoipa::path(delete, path = "/devices/{id}/tags/{tag}", tag = "devices",
    params(("id" = String, Path), ("tag" = String, Path)),
    responses((status = 204), (status = 404, body = problem::Body)))]
pub(crate) async fn remove_tag(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
    Path((_, tag)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    server.catalog.remove_tag(&key, &tag).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has a plugin serve a device, whatever the matchers say.
#[utoipa::path(put, path = "/devices/{id}/plugin", tag = "devices", params(("id" = String, Path)),
    request_body = PluginWanted,
    responses((status = 204), (status = 404, body = problem::Body)))]
pub(crate) async fn pin(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
    body::Json(wanted): body::Json<PluginWanted>,
) -> Result<StatusCode, Problem> {
    server.catalog.pin_device(&key, Some(&wanted.plugin)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has the plugin that fits it serve a device.
#[utoipa::path(delete, path = "/devices/{id}/plugin", tag = "devices", params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = problem::Body)))]
pub(crate) async fn unpin(
    State(server): State<Arc<Server>>,
    KnownDevice(key, _): KnownDevice,
) -> Result<StatusCode, Problem> {
    server.catalog.pin_device(&key, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn view(key: &DeviceKey, device: Device) -> DeviceView {
    let fact = |(name, fact): (String, trellis_store::Fact)| {
        let value = match fact.value {
            _ if is_secret_setting(&name) => SECRET.into(),
            FactValue::Text(text) => text.into(),
            FactValue::Number(number) => number.into(),
            FactValue::Flag(flag) => flag.into(),
        };
        (name, FactView { value, since: time::text(fact.since_ms) })
    };
    DeviceView {
        id: key.to_string(),
        manufacturer: device.manufacturer,
        oui: device.oui,
        product_class: device.product_class,
        serial_number: device.serial_number,
        software_version: device.software_version,
        first_inform: time::text(device.first_inform_ms),
        last_inform: time::text(device.last_inform_ms),
        plugin: device.plugin.map(used),
        facts: device.facts.into_iter().map(fact).collect(),
        quarantined: device.is_quarantined || device.quarantine_reason.is_some(),
    }
}

pub(crate) fn used((name, version): (String, String)) -> PluginUsed {
    PluginUsed { name, version }
}

fn step(it: Step) -> StepView {
    let Step { after_ms, method, request, answer } = it;
    StepView { after_ms, method, request, answer }
}

fn events(events: Vec<(String, String)>) -> Vec<EventView> {
    events.into_iter().map(|(code, command_key)| EventView { code, command_key }).collect()
}
