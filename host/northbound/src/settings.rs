//! Settings of plugins: for all devices, for those with a tag, for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use trellis_catalog::Effective;
use trellis_session::is_secret_setting;
use trellis_store::Settings;
use utoipa::ToSchema;

use crate::body;
use crate::devices::KnownDevice;
use crate::listener::Server;
use crate::problem::{self, Problem};

type Object = Map<String, Value>;

/// What stands for a secret that is set.
pub(crate) const SECRET: &str = "(secret)";

/// What holds in the end, and where it comes from.
#[derive(Serialize, ToSchema)]
pub(crate) struct EffectiveView {
    /// The settings that hold. Secrets are not shown.
    #[schema(value_type = Object)]
    settings: Object,
    /// Where each of them comes from, by its JSON pointer: `default`, `configuration`, `plugin`,
    /// `tag NAME` or `device`.
    origins: BTreeMap<String, String>,
}

/// What is said of devices that have a tag.
#[derive(Serialize, ToSchema)]
pub(crate) struct TagView {
    /// The plugin that is to serve them.
    plugin: Option<String>,
    /// Their settings, by plugin. Secrets are not shown.
    #[schema(value_type = BTreeMap<String, Object>)]
    settings: BTreeMap<String, Object>,
}

/// Names a plugin.
#[derive(Deserialize, ToSchema)]
pub(crate) struct PluginWanted {
    /// Its name.
    pub(crate) plugin: String,
}

/// What is set for all devices of a plugin, over the manifest's defaults and the configuration file.
/// Secrets are not shown.
#[utoipa::path(get, path = "/plugins/{name}/settings", tag = "settings", params(("name" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = problem::Body)))]
pub(crate) async fn of_plugin(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<Json<Object>, Problem> {
    Ok(Json(shown(server.catalog.plugin_settings(&name).await?)))
}

/// Sets what holds for all devices of a plugin, in place of what was set before; an empty object
/// takes it back.
#[utoipa::path(put, path = "/plugins/{name}/settings", tag = "settings", params(("name" = String, Path)),
    request_body = Object,
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn set_of_plugin(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    body::Json(settings): body::Json<Object>,
) -> Result<StatusCode, Problem> {
    check(&settings)?;
    server.catalog.set_plugin_settings(&name, &settings).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is said of tags.
#[utoipa::path(get, path = "/tags", tag = "settings", responses((status = 200, body = BTreeMap<String, TagView>)))]
pub(crate) async fn tags(State(server): State<Arc<Server>>) -> Json<BTreeMap<String, TagView>> {
    let tags = server.catalog.tags().await.into_iter();
    Json(
        tags.map(|(tag, said)| {
            let settings = said.settings.iter().map(|(name, it)| (name.clone(), stored(it)));
            (tag, TagView { plugin: said.plugin, settings: settings.collect() })
        })
        .collect(),
    )
}

/// Sets what holds for devices that have a tag, in place of what was set before; an empty object
/// takes it back. Of several tags of a device the last one by name goes first.
#[utoipa::path(put, path = "/tags/{tag}/settings/{plugin}", tag = "settings",
    params(("tag" = String, Path), ("plugin" = String, Path)), request_body = Object,
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn set_of_tag(
    State(server): State<Arc<Server>>,
    Path((tag, plugin)): Path<(String, String)>,
    body::Json(settings): body::Json<Object>,
) -> Result<StatusCode, Problem> {
    check(&settings)?;
    server.catalog.set_tag_settings(&tag, &plugin, &settings).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has a plugin serve the devices that have a tag, whatever the matchers say.
#[utoipa::path(put, path = "/tags/{tag}/plugin", tag = "settings", params(("tag" = String, Path)),
    request_body = PluginWanted,
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn pin_tag(
    State(server): State<Arc<Server>>,
    Path(tag): Path<String>,
    body::Json(wanted): body::Json<PluginWanted>,
) -> Result<StatusCode, Problem> {
    server.catalog.pin_tag(&tag, Some(&wanted.plugin)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Has the plugin that fits them serve the devices that have a tag.
#[utoipa::path(delete, path = "/tags/{tag}/plugin", tag = "settings", params(("tag" = String, Path)),
    responses((status = 204)))]
pub(crate) async fn unpin_tag(
    State(server): State<Arc<Server>>,
    Path(tag): Path<String>,
) -> Result<StatusCode, Problem> {
    server.catalog.pin_tag(&tag, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What holds for a device in the end, and where each part of it comes from.
#[utoipa::path(get, path = "/devices/{id}/settings/{plugin}", tag = "settings",
    params(("id" = String, Path), ("plugin" = String, Path)),
    responses((status = 200, body = EffectiveView), (status = 404, body = problem::Body)))]
pub(crate) async fn of_device(
    State(server): State<Arc<Server>>,
    KnownDevice(device, _): KnownDevice,
    Path((_, plugin)): Path<(String, String)>,
) -> Result<Json<EffectiveView>, Problem> {
    let effective = server.catalog.effective(&device, &plugin).await?;
    Ok(Json(effective_view(effective)))
}

/// Sets what holds for one device, in place of what was set before; an empty object takes it back.
#[utoipa::path(put, path = "/devices/{id}/settings/{plugin}", tag = "settings",
    params(("id" = String, Path), ("plugin" = String, Path)), request_body = Object,
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn set_of_device(
    State(server): State<Arc<Server>>,
    KnownDevice(device, _): KnownDevice,
    Path((_, plugin)): Path<(String, String)>,
    body::Json(settings): body::Json<Object>,
) -> Result<StatusCode, Problem> {
    check(&settings)?;
    server.catalog.set_device_settings(&device, &plugin, &settings).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(crate) fn effective_view(it: Effective) -> EffectiveView {
    let origins = it.origins.iter().map(|(path, origin)| (path.clone(), origin.to_string()));
    EffectiveView { origins: origins.collect(), settings: shown(it.settings) }
}

/// Settings without their secrets.
pub(crate) fn shown(settings: Object) -> Object {
    let show = |(name, value): (String, Value)| {
        let value = match value {
            Value::Null => Value::Null,
            // Whatever is below it is the secret.
            _ if is_secret_setting(&name) => Value::String(SECRET.to_owned()),
            value => shown_item(value),
        };
        (name, value)
    };
    settings.into_iter().map(show).collect()
}

fn shown_item(item: Value) -> Value {
    match item {
        Value::Object(fields) => Value::Object(shown(fields)),
        Value::Array(items) => Value::Array(items.into_iter().map(shown_item).collect()),
        item => item,
    }
}

fn stored(settings: &Settings) -> Object {
    shown(serde_json::from_str(&settings.0).unwrap_or_default())
}

/// What was shown in place of a secret must not become the secret.
fn check(settings: &Object) -> Result<(), Problem> {
    fn stands_for_one(value: &Value) -> bool {
        match value {
            Value::String(text) => text == SECRET,
            Value::Array(items) => items.iter().any(stands_for_one),
            Value::Object(fields) => fields.values().any(stands_for_one),
            _ => false,
        }
    }
    if settings.values().any(stands_for_one) {
        let why = format!("{SECRET} stands for a secret that is not shown: send the secret itself");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    Ok(())
}
