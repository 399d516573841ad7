//! The API's view of plugins.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trellis_catalog::{Effective, Took, Use};
use trellis_plugin_host::{Plugin, SHARE_ALL};
use trellis_store::{PluginRecord, PluginVersion, ShadowDifference};
use utoipa::{IntoParams, ToSchema};

use crate::body::{self, Parameters};
use crate::listener::Server;
use crate::problem::{self, Problem};
use crate::settings::{EffectiveView, effective_view};
use crate::time;
use crate::tokens::Operator;

/// What is gone back from.
#[derive(Deserialize, IntoParams)]
pub(crate) struct RollbackParameters {
    /// The version that is to be left. Nothing is done where it neither serves nor is on trial, such as
    /// after a trial that has ended by itself.
    from: Option<String>,
}

/// A plugin with its versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginView {
    /// Its name.
    name: String,
    /// What it is for, as the version that serves says.
    description: Option<String>,
    /// What the version that serves calls itself.
    version: Option<String>,
    /// The SHA-256 of its file.
    digest: Option<String>,
    /// Whether it may serve devices.
    enabled: bool,
    /// Whether a version that is loaded does not take over.
    pinned: bool,
    /// The version on trial.
    trial: Option<TrialView>,
    /// The version that is run over what the one that serves does, and where it differs.
    shadow: Option<ShadowView>,
    /// How the last trial ended.
    last_trial: Option<String>,
    /// The versions that are kept, in the order in which they were loaded.
    versions: Vec<VersionView>,
}

/// A plugin with all that there is to know of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginDetails {
    #[serde(flatten)]
    plugin: PluginView,
    /// The devices that it serves, as the version that serves says.
    #[schema(value_type = Vec<Object>)]
    matchers: Vec<String>,
    /// What operators can have it do, with a JSON schema each.
    actions: BTreeMap<String, ActionView>,
    /// The JSON schema of its settings.
    settings_schema: Value,
    /// What holds for devices of which nothing more is said, and where it comes from.
    settings: EffectiveView,
    /// What it imports: what it can touch.
    imports: Vec<String>,
    /// The origins that it may send requests to over HTTP: what the configuration grants.
    http: Vec<String>,
    /// Whether it is asked at each Inform if the device may come in.
    admits: bool,
    /// Whether it can be woken when a deadline passes.
    expires: bool,
    /// The limits of each of its runs.
    limits: BTreeMap<String, u64>,
}

/// Something that operators can have a plugin do.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionView {
    /// What it does.
    description: String,
    /// The JSON schema of its arguments.
    schema: Value,
}

/// A version on trial.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialView {
    /// What it calls itself.
    version: String,
    /// The SHA-256 of its file.
    digest: String,
    /// The share of the plugin's devices that it serves, in percent.
    share_percent: f64,
}

/// A version that is run over what the one that serves does.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShadowView {
    /// What it calls itself.
    version: String,
    /// The SHA-256 of its file.
    digest: String,
    /// Runs that it was held against.
    runs: u64,
    /// Of these, the ones that were the same.
    same: u64,
    /// What it asked that the recordings do not hold.
    unanswered: u64,
    /// Where it decided otherwise, by kind.
    differences: BTreeMap<String, u64>,
    /// The last of these, the newest last.
    last: Vec<DifferenceView>,
}

/// Something that a shadow decided otherwise.
#[derive(Serialize, ToSchema)]
pub(crate) struct DifferenceView {
    /// When the session began.
    at: String,
    /// The device.
    device: String,
    /// What it is about.
    kind: String,
    /// What the version that serves did.
    old: Option<String>,
    /// What the shadow did.
    new: Option<String>,
}

/// One version of a plugin.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionView {
    /// What it calls itself.
    version: String,
    /// The SHA-256 of its file.
    digest: String,
    /// The size of its file, in bytes.
    bytes: u64,
    /// When it was loaded.
    loaded: String,
    /// Who loaded it: the name of a token, or `folder`.
    loaded_by: String,
    /// Whether it serves devices, or would if the plugin were enabled.
    serves: bool,
    /// Why it cannot be run though it is to serve, if that is so: then nobody is served by it.
    broken: Option<String>,
    /// Sessions that it served, also those in which it was not asked anything.
    sessions: u64,
    /// Calls of its hooks.
    runs: u64,
    /// Requests to devices.
    rpcs: u64,
    /// Runs that failed, by kind.
    faults: BTreeMap<String, u64>,
    /// CPU, in fuel: about an instruction each.
    fuel: u64,
    /// Time in which it computed, in seconds.
    busy_seconds: f64,
    /// Time in which it waited for devices, in seconds.
    parked_seconds: f64,
    /// The most linear memory that one run has had, in bytes.
    memory_bytes_high: u64,
}

/// A file of the plugin folder that was not taken.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedFile {
    /// Its path.
    file: String,
    /// What is wrong with it, and what to change.
    why: String,
}

/// What became of a file that was loaded.
#[derive(Serialize, ToSchema)]
pub(crate) struct LoadedView {
    /// The plugin.
    name: String,
    /// What the version calls itself.
    version: String,
    /// The SHA-256 of the file.
    digest: String,
    /// `serves`: all devices of the plugin from their next session on; `trial`: a share of them;
    /// `shadow`: none, it is run over what the other one does;
    /// `kept`: none, the plugin is pinned; `disabled`: none, the plugin is disabled; `put-right`: it
    /// could not be run, and goes on as what it was; `known`: it served already.
    outcome: &'static str,
}

/// How a file is loaded.
#[derive(Deserialize, IntoParams)]
pub(crate) struct LoadParameters {
    /// The share of the plugin's devices that the version is to serve on trial, in percent.
    trial: Option<f64>,
    /// Whether it is to serve none, and to be run over what the version that serves does.
    shadow: Option<bool>,
}

/// Names a version.
#[derive(Deserialize, ToSchema)]
pub(crate) struct VersionWanted {
    /// What it calls itself, or the begin of its digest.
    version: String,
}

type Answer<T> = Result<Json<T>, Problem>;

/// All plugins.
#[utoipa::path(get, path = "/plugins", tag = "plugins", responses((status = 200, body = Vec<PluginView>)))]
pub(crate) async fn list(State(server): State<Arc<Server>>) -> Json<Vec<PluginView>> {
    let plugins = server.catalog.plugins().await;
    Json(plugins.into_iter().map(|record| view(&server, record)).collect())
}

/// Files of the plugin folder that were not taken when they were last looked at, and the newest file of
/// a plugin there if its version does not serve.
#[utoipa::path(get, path = "/refused-files", tag = "plugins", responses((status = 200, body = Vec<RefusedFile>)))]
pub(crate) async fn refused(State(server): State<Arc<Server>>) -> Json<Vec<RefusedFile>> {
    let files = server.catalog.refused_files();
    let view = |(path, why): (&PathBuf, &String)| RefusedFile {
        file: path.display().to_string(),
        why: why.clone(),
    };
    Json(files.iter().map(view).collect())
}

/// Loads a plugin's file. It serves from the next session of each device on; sessions in progress
/// end on the version that they began with.
#[utoipa::path(post, path = "/plugins", tag = "plugins", params(LoadParameters),
    request_body(content = Vec<u8>, content_type = "application/wasm"),
    responses((status = 201, body = LoadedView),
        (status = 422, description = "What is wrong with the file, and what to change", body = problem::Body)))]
pub(crate) async fn load(
    State(server): State<Arc<Server>>,
    Extension(Operator(by)): Extension<Operator>,
    Parameters(parameters): Parameters<LoadParameters>,
    headers: HeaderMap,
    file: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<LoadedView>), Problem> {
    let file = file.map_err(|error| unread(&server, &headers, &error))?;
    let how = match (parameters.trial, parameters.shadow.unwrap_or_default()) {
        (None, false) => Use::Serve,
        (Some(percent), false) => Use::Trial(share(percent)?),
        (None, true) => Use::Shadow,
        (Some(_), true) => {
            let why = "a version is on trial or a shadow, not both";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
        }
    };
    let loaded = server.catalog.load(file, &by, how).await?;
    tracing::info!(
        by,
        plugin = loaded.name,
        version = loaded.version,
        sha256 = loaded.digest,
        "plugin loaded"
    );
    let outcome = match loaded.took {
        Took::Nothing => "kept",
        _ if loaded.is_disabled => "disabled",
        Took::Over => "serves",
        Took::Share => "trial",
        Took::Shadow => "shadow",
        Took::PutRight => "put-right",
        Took::Known | Took::Unused => "known",
    };
    let (name, version, digest) = (loaded.name, loaded.version, loaded.digest);
    Ok((StatusCode::CREATED, Json(LoadedView { name, version, digest, outcome })))
}

/// Why a file did not come in.
fn unread(server: &Server, headers: &HeaderMap, error: &BytesRejection) -> Problem {
    if error.status() != StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(error.status(), error.body_text());
    }
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    let bytes = match declared {
        Some(declared) => format!("it has {declared} bytes"),
        None => "it is too large".to_owned(),
    };
    let limit = server.catalog.file_bytes_max();
    let why = format!("{bytes}; the limit is {limit} ([plugins] file-bytes-max)");
    Problem::new(error.status(), why)
}

/// One plugin with all that there is to know of it.
#[utoipa::path(get, path = "/plugins/{name}", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginDetails), (status = 404, body = problem::Body)))]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Answer<PluginDetails> {
    let (record, active) = server.catalog.plugin(&name).await?;
    let settings = active.as_deref().map(|it| server.catalog.common_settings(it));
    Ok(Json(details(&server, record, active.as_deref(), settings.unwrap_or_default())))
}

/// Removes a plugin with all its versions. What it keeps for devices stays, and so do its settings.
#[utoipa::path(delete, path = "/plugins/{name}", tag = "plugins", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = problem::Body)))]
pub(crate) async fn remove(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    server.catalog.remove(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Removes a version of a plugin that serves nobody.
#[utoipa::path(delete, path = "/plugins/{name}/versions/{version}", tag = "plugins",
    params(("name" = String, Path), ("version" = String, Path)),
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn remove_version(
    State(server): State<Arc<Server>>,
    Path((name, version)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    server.catalog.remove_version(&name, &version).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Goes back: from a trial to the version that serves the others, else to the version that served
/// before. It holds from the next session of each device on.
#[utoipa::path(post, path = "/plugins/{name}/rollback", tag = "plugins",
    params(("name" = String, Path), RollbackParameters),
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body),
        (status = 422, description = "`from` was left already", body = problem::Body)))]
pub(crate) async fn rollback(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    Parameters(wanted): Parameters<RollbackParameters>,
) -> Answer<PluginView> {
    let record = server.catalog.rollback(&name, wanted.from.as_deref()).await?;
    Ok(changed(&server, record))
}

/// Lets the version on trial serve all devices of the plugin.
#[utoipa::path(post, path = "/plugins/{name}/promote", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body)))]
pub(crate) async fn promote(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Answer<PluginView> {
    let record = server.catalog.promote(&name).await?;
    Ok(changed(&server, record))
}

/// Lets a plugin serve devices.
#[utoipa::path(post, path = "/plugins/{name}/enable", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body)))]
pub(crate) async fn enable(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Answer<PluginView> {
    let record = server.catalog.enable(&name, true).await?;
    Ok(changed(&server, record))
}

/// Lets a plugin serve no device: others that fit them do.
#[utoipa::path(post, path = "/plugins/{name}/disable", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body)))]
pub(crate) async fn disable(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Answer<PluginView> {
    let record = server.catalog.enable(&name, false).await?;
    Ok(changed(&server, record))
}

/// Ends the shadow of a plugin.
#[utoipa::path(delete, path = "/plugins/{name}/shadow", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body)))]
pub(crate) async fn unshadow(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Answer<PluginView> {
    let record = server.catalog.unshadow(&name).await?;
    Ok(changed(&server, record))
}

/// Lets one version of a plugin serve, whatever is loaded after it.
#[utoipa::path(put, path = "/plugins/{name}/pin", tag = "plugins", params(("name" = String, Path)),
    request_body = VersionWanted,
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body)))]
pub(crate) async fn pin(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
    body::Json(wanted): body::Json<VersionWanted>,
) -> Answer<PluginView> {
    let record = server.catalog.pin(&name, &wanted.version).await?;
    Ok(changed(&server, record))
}

/// Lets a version that is loaded take over again.
#[utoipa::path(delete, path = "/plugins/{name}/pin", tag = "plugins", params(("name" = String, Path)),
    responses((status = 200, body = PluginView), (status = 404, body = problem::Body)))]
pub(crate) async fn unpin(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Answer<PluginView> {
    let record = server.catalog.unpin(&name).await?;
    Ok(changed(&server, record))
}

fn changed(server: &Server, record: PluginRecord) -> Json<PluginView> {
    Json(view(server, record))
}

/// A share in percent as the catalog has it.
fn share(percent: f64) -> Result<u32, Problem> {
    let all = f64::from(SHARE_ALL);
    let share = (percent / 100.0 * all).round();
    // The cast below is of a whole number within bounds.
    if !(1.0..=all).contains(&share) {
        let why = format!("trial is {percent}; it must be a share in percent, 0.01 to 100");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    Ok(format!("{share:.0}").parse().unwrap_or(SHARE_ALL))
}

fn view(server: &Server, record: PluginRecord) -> PluginView {
    let serving = server.catalog.serving(&record.name);
    let version_of = |digest: &str| record.version(digest).map(|it| it.version.clone());
    let trial = record.trial.as_ref().map(|trial| TrialView {
        version: version_of(&trial.digest).unwrap_or_default(),
        digest: trial.digest.clone(),
        share_percent: f64::from(trial.share) * 100.0 / f64::from(SHARE_ALL),
    });
    let shadow = record.shadow.clone().map(|it| ShadowView {
        version: version_of(&it.digest).unwrap_or_default(),
        digest: it.digest,
        runs: it.runs,
        same: it.same,
        unanswered: it.unanswered,
        differences: it.differences,
        last: it.last.into_iter().map(difference).collect(),
    });
    let view_of = |it: &PluginVersion| {
        let broken = server.catalog.broken(&it.digest);
        let is_wanted = record.active.as_ref() == Some(&it.digest)
            || record.trial.as_ref().is_some_and(|trial| trial.digest == it.digest);
        version(it, is_wanted && broken.is_none(), broken)
    };
    PluginView {
        description: serving.map(|it| it.manifest.description.clone()),
        version: record.active.as_deref().and_then(version_of),
        digest: record.active.clone(),
        enabled: !record.is_disabled,
        pinned: record.is_pinned,
        trial,
        shadow,
        last_trial: record.last_trial.clone(),
        versions: record.versions.iter().map(view_of).collect(),
        name: record.name,
    }
}

fn difference(it: ShadowDifference) -> DifferenceView {
    let ShadowDifference { at_ms, device, kind, old, new } = it;
    DifferenceView { at: time::text(at_ms), device, kind, old, new }
}

fn version(it: &PluginVersion, serves: bool, broken: Option<String>) -> VersionView {
    let counters = &it.counters;
    VersionView {
        version: it.version.clone(),
        digest: it.digest.clone(),
        bytes: it.bytes,
        loaded: time::text(it.loaded_ms),
        loaded_by: it.loaded_by.clone(),
        serves,
        broken,
        sessions: counters.sessions,
        runs: counters.runs,
        rpcs: counters.rpcs,
        faults: counters.faults.clone(),
        fuel: counters.fuel,
        busy_seconds: time::seconds(counters.busy_us),
        parked_seconds: time::seconds(counters.parked_us),
        memory_bytes_high: counters.memory_bytes_high,
    }
}

fn details(
    server: &Server,
    record: PluginRecord,
    active: Option<&Plugin>,
    settings: Effective,
) -> PluginDetails {
    let manifest = active.map(|it| &it.manifest);
    let matchers = manifest.into_iter().flat_map(|it| &it.matchers);
    let actions = manifest.into_iter().flat_map(|it| &it.actions);
    let action = |(name, it): (&String, &trellis_plugin_host::ActionManifest)| {
        let view = ActionView { description: it.description.clone(), schema: it.schema.clone() };
        (name.clone(), view)
    };
    PluginDetails {
        matchers: matchers.map(ToString::to_string).collect(),
        actions: actions.map(action).collect(),
        settings_schema: manifest.map(|it| it.settings.schema.clone()).unwrap_or_default(),
        settings: effective_view(settings),
        imports: active.map(|it| it.imports.clone()).unwrap_or_default(),
        http: active.map(Plugin::http_origins).unwrap_or_default(),
        admits: active.is_some_and(Plugin::admits),
        expires: active.is_some_and(Plugin::expires),
        limits: active.map(limits).unwrap_or_default(),
        plugin: view(server, record),
    }
}

fn limits(plugin: &Plugin) -> BTreeMap<String, u64> {
    let limits = serde_json::to_value(plugin.limits());
    limits.and_then(serde_json::from_value).unwrap_or_default()
}
