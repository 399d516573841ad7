//! The API's view of plugins.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use trellis_catalog::{Took, Use};
use trellis_plugin_host::SHARE_ALL;
use trellis_store::PluginRecord;
use utoipa::{IntoParams, ToSchema};

use crate::body::{self, Parameters};
use crate::listener::Server;
use crate::plugin_views::{PluginDetails, PluginView, details, view};
use crate::problem::{self, Problem};
use crate::tokens::Operator;

/// What is gone back from.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct RollbackParameters {
    /// The version that is to be left. Nothing is done where it neither serves nor is on trial, such as
    /// after a trial that has ended by itself.
    from: Option<String>,
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
#[into_params(parameter_in = Query)]
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
