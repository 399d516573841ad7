//! The API: every path of it, and its description.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::body;
use crate::description;
use crate::listener::Server;
use crate::problem::{self, Problem};
use crate::time;
use crate::tokens::{TokenError, add_token};
use crate::{actions, devices, faults, plugins, settings, transcripts};

/// What the API says of itself.
#[derive(OpenApi)]
#[openapi(
    info(title = "Trellis", description = "The operator's side of the Auto Configuration Server"),
    security(("token" = [])),
    modifiers(&BearerToken),
    components(schemas(problem::Body)),
    tags(
        (name = "plugins", description = "The vendors' logic: its versions, and which of them serve"),
        (name = "settings", description = "Settings of plugins, and which devices they serve"),
        (name = "devices", description = "Devices, their history, and what they are to do"),
        (name = "tokens", description = "Who may use the API"),
    )
)]
struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(bearer));
    }
}

/// A token of the API, without itself.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Whose it is.
    name: String,
    /// When it was made.
    created: String,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewToken {
    /// Whose it is.
    name: String,
    /// The token. It is shown only now.
    token: String,
}

/// A token that is to be made.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TokenWanted {
    /// Whose it is to be.
    name: String,
}

/// The API's paths, and its description as JSON.
pub(crate) fn router(server: &Arc<Server>) -> (Router<Arc<Server>>, String) {
    let file_bytes_max = usize::try_from(server.catalog.file_bytes_max()).unwrap_or(usize::MAX);
    let plugin_files = OpenApiRouter::new()
        .routes(routes!(plugins::list, plugins::load))
        .layer(DefaultBodyLimit::max(file_bytes_max.saturating_add(1)));
    let (router, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .merge(plugin_files)
        .routes(routes!(plugins::refused))
        .routes(routes!(plugins::show, plugins::remove))
        .routes(routes!(plugins::remove_version))
        .routes(routes!(plugins::rollback))
        .routes(routes!(plugins::promote))
        .routes(routes!(plugins::unshadow))
        .routes(routes!(plugins::enable))
        .routes(routes!(plugins::disable))
        .routes(routes!(plugins::pin, plugins::unpin))
        .routes(routes!(transcripts::list))
        .routes(routes!(settings::of_plugin, settings::set_of_plugin))
        .routes(routes!(settings::tags))
        .routes(routes!(settings::set_of_tag))
        .routes(routes!(settings::pin_tag, settings::unpin_tag))
        .routes(routes!(settings::of_device, settings::set_of_device))
        .routes(routes!(devices::list))
        .routes(routes!(devices::show))
        .routes(routes!(devices::parameters))
        .routes(routes!(devices::sessions))
        .routes(routes!(faults::of_device))
        .routes(routes!(faults::all))
        .routes(routes!(devices::connection_request))
        .routes(routes!(devices::add_tag, devices::remove_tag))
        .routes(routes!(devices::pin, devices::unpin))
        .routes(routes!(actions::list))
        .routes(routes!(actions::queue, actions::show))
        .routes(routes!(list_tokens, make_token))
        .routes(routes!(revoke_token))
        .split_for_parts();
    description::complete(&mut description);
    let description = description.to_pretty_json().unwrap_or_default();
    (router, description)
}

/// The tokens of the API.
#[utoipa::path(get, path = "/tokens", tag = "tokens", responses((status = 200, body = Vec<TokenView>)))]
pub(crate) async fn list_tokens(
    State(server): State<Arc<Server>>,
) -> Result<Json<Vec<TokenView>>, Problem> {
    let tokens = server.store.api_tokens().await?.into_iter();
    let view = |it: trellis_store::ApiToken| TokenView {
        name: it.name,
        created: time::text(it.created_ms),
    };
    Ok(Json(tokens.map(view).collect()))
}

/// Makes a token of the API. It is shown only in this answer.
#[utoipa::path(post, path = "/tokens", tag = "tokens", request_body = TokenWanted,
    responses((status = 201, body = NewToken), (status = 422, body = problem::Body)))]
pub(crate) async fn make_token(
    State(server): State<Arc<Server>>,
    body::Json(wanted): body::Json<TokenWanted>,
) -> Result<(StatusCode, Json<NewToken>), Problem> {
    let _one_at_a_time = server.tokens.0.lock().await;
    match add_token(server.store.as_ref(), &wanted.name).await {
        Ok(token) => Ok((StatusCode::CREATED, Json(NewToken { name: wanted.name, token }))),
        Err(TokenError::Store(error)) => Err(error.into()),
        Err(error) => Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())),
    }
}

/// Revokes a token of the API.
#[utoipa::path(delete, path = "/tokens/{name}", tag = "tokens", params(("name" = String, Path)),
    responses((status = 204), (status = 404, body = problem::Body), (status = 422, body = problem::Body)))]
pub(crate) async fn revoke_token(
    State(server): State<Arc<Server>>,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    let _one_at_a_time = server.tokens.0.lock().await;
    let tokens = server.store.api_tokens().await?;
    if tokens.iter().all(|it| it.name == name) && !tokens.is_empty() {
        let why = "it is the last token: make another one first";
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    if server.store.remove_api_tokens(&name).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(Problem::new(StatusCode::NOT_FOUND, format!("there is no token {name:?}")))
    }
}
