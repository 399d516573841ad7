//! Actions of plugins: queued here, run in the device's next session.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use trellis_store::{Task, TaskId, Work};
use utoipa::{IntoParams, ToSchema};

use crate::body::{self, Parameters};
use crate::devices::KnownDevice;
use crate::listener::Server;
use crate::problem::{self, Problem};

/// An action that was queued for a device.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionView {
    /// Its number.
    id: u64,
    /// Which action.
    name: String,
    /// `queued`, `running`, `done` or `failed`.
    state: &'static str,
    /// When it was queued.
    queued: String,
    /// When it was done, or failed.
    ended: Option<String>,
    /// What the plugin answered.
    result: Option<Value>,
    /// Why it failed. Where the session was lost, it is not known what the device has done.
    error: Option<String>,
}

/// How an action is queued.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct QueueParameters {
    /// Whether the device is asked to open a session now. Default yes.
    call: Option<bool>,
}

/// Queues an action. It is on disk when the answer comes, and runs in the device's session if it is
/// in one, else in its next one.
#[utoipa::path(post, path = "/devices/{id}/actions/{action}", tag = "devices",
    params(("id" = String, Path), ("action" = String, Path, description = "The action's name"), QueueParameters),
    request_body(content = Value, description = "The arguments, as the action's schema wants them"),
    responses((status = 202, body = ActionView), (status = 404, body = problem::Body),
        (status = 409, description = "No plugin serves the device, or too much is queued", body = problem::Body),
        (status = 422, description = "The arguments do not fit", body = problem::Body)))]
pub(crate) async fn queue(
    State(server): State<Arc<Server>>,
    KnownDevice(device, header): KnownDevice,
    Path((_, name)): Path<(String, String)>,
    Parameters(parameters): Parameters<QueueParameters>,
    body::Json(arguments): body::Json<Value>,
) -> Result<(StatusCode, Json<ActionView>), Problem> {
    let Some(plugin) = server.catalog.serving_device(&device, &header).await? else {
        return Err(Problem::new(StatusCode::CONFLICT, "no plugin serves the device"));
    };
    let manifest = &plugin.manifest;
    if !manifest.actions.contains_key(&name) {
        let known: Vec<&str> = manifest.actions.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        let why = format!("the plugin {} has no action {name:?}; it has: {known}", manifest.name);
        return Err(Problem::new(StatusCode::NOT_FOUND, why));
    }
    let arguments =
        if arguments.is_null() { Value::Object(serde_json::Map::new()) } else { arguments };
    plugin
        .check_arguments(&name, &arguments)
        .map_err(|why| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why))?;
    let task = Task {
        created_ms: Timestamp::now().as_millisecond(),
        work: Work::Action { name, arguments: arguments.to_string() },
        sent_ms: None,
        attempts: 0,
        result: None,
    };
    let id = server.store.enqueue_task(&device, &task).await?;
    if parameters.call.unwrap_or(true) {
        server.call_soon(device);
    }
    Ok((StatusCode::ACCEPTED, Json(view(id, task))))
}

/// The actions of a device: those that are done, as far as they are kept, and those that are not.
#[utoipa::path(get, path = "/devices/{id}/actions", tag = "devices", params(("id" = String, Path)),
    responses((status = 200, body = Vec<ActionView>), (status = 404, body = problem::Body)))]
pub(crate) async fn list(
    State(server): State<Arc<Server>>,
    KnownDevice(device, _): KnownDevice,
) -> Result<Json<Vec<ActionView>>, Problem> {
    let mut tasks = server.store.done_tasks(&device).await?;
    tasks.extend(server.store.open_tasks(&device).await?);
    let actions = tasks.into_iter().filter(|(_, task)| matches!(task.work, Work::Action { .. }));
    Ok(Json(actions.map(|(id, task)| view(id, task)).collect()))
}

/// One action of a device.
#[utoipa::path(get, path = "/devices/{id}/actions/{action}", tag = "devices",
    params(("id" = String, Path), ("action" = u64, Path, description = "The number of one that was queued")),
    responses((status = 200, body = ActionView), (status = 404, body = problem::Body)))]
pub(crate) async fn show(
    State(server): State<Arc<Server>>,
    KnownDevice(device, _): KnownDevice,
    Path((_, number)): Path<(String, String)>,
) -> Result<Json<ActionView>, Problem> {
    let mut tasks = server.store.open_tasks(&device).await?;
    tasks.extend(server.store.done_tasks(&device).await?);
    let found = tasks
        .into_iter()
        .find(|(id, task)| id.0.to_string() == number && matches!(task.work, Work::Action { .. }));
    match found {
        Some((id, task)) => Ok(Json(view(id, task))),
        None => Err(Problem::new(StatusCode::NOT_FOUND, "there is no such action, or no more")),
    }
}

fn view(id: TaskId, task: Task) -> ActionView {
    let name = match task.work {
        Work::Action { name, .. } => name,
        Work::Request { method, .. } => method,
    };
    let state = match (&task.result, task.sent_ms) {
        (Some(result), _) if result.outcome.is_ok() => "done",
        (Some(_), _) => "failed",
        (None, Some(_)) => "running",
        (None, None) => "queued",
    };
    let ended = task.result.as_ref().map(|it| crate::time::text(it.at_ms));
    let (result, error) = match task.result.map(|it| it.outcome) {
        Some(Ok(json)) => (serde_json::from_slice(&json).ok(), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    ActionView {
        id: id.0,
        name,
        state,
        queued: crate::time::text(task.created_ms),
        ended,
        result,
        error,
    }
}
