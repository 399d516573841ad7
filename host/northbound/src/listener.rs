//! The operator's listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trellis_catalog::Catalog;
use trellis_contact::ConnectionRequests;
use trellis_session::Sessions;
use trellis_store::{DeviceKey, Store};

use crate::api;
use crate::connections;
use crate::metrics::Metrics;
use crate::problem::{self, Problem};
use crate::tokens;

/// What the listener tells of.
pub struct Server {
    /// The sessions of devices.
    pub sessions: Sessions,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The plugins.
    pub catalog: Catalog,
    /// How devices are called.
    pub contact: ConnectionRequests,
    /// What the server counts.
    pub metrics: Metrics,
    /// Calls of devices that nobody waits for.
    pub calls: Calls,
    /// One change of the tokens at a time.
    pub tokens: TokenChanges,
}

/// One change of the tokens at a time: what is checked before it must hold until it is made.
#[derive(Debug, Default)]
pub struct TokenChanges(pub(crate) tokio::sync::Mutex<()>);

/// Calls of devices that nobody waits for: they end with the listener.
#[derive(Clone)]
pub struct Calls {
    tasks: TaskTracker,
    /// Changes through the API that are being made.
    changes: TaskTracker,
    stop: CancellationToken,
}

/// Such calls at once. A device that is not called does its work in its next session all the same.
const CALLS_MAX: usize = 1_000;

impl Calls {
    /// Calls that end with `stop`.
    pub fn new(stop: CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), changes: TaskTracker::new(), stop }
    }

    /// Does something to its end, whether or not somebody waits for it.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        change: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.changes.spawn(change)
    }
}

impl Server {
    /// Asks a device to open a session, unless one that it has does what is queued.
    pub(crate) fn call_soon(&self, device: DeviceKey) {
        if self.calls.tasks.len() >= CALLS_MAX {
            metrics::counter!("trellis_limit_reached_total", "limit" => "calls").increment(1);
            return;
        }
        let (contact, stop) = (self.contact.clone(), self.calls.stop.clone());
        self.calls.tasks.spawn(stop.run_until_cancelled_owned(async move {
            if let Err(error) = contact.call(&device).await {
                tracing::error!(%device, %error, "the store failed");
            }
        }));
    }
}

/// A bound address.
pub struct Listener(TcpListener);

/// An address that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for operators: {source}")]
pub struct ListenerError {
    /// The address.
    address: SocketAddr,
    /// Why.
    source: std::io::Error,
}

/// How long a flush may take before the server is not ready.
const STORE_WAIT: Duration = Duration::from_secs(2);

impl Listener {
    /// Binds an address.
    pub async fn bind(address: SocketAddr) -> Result<Self, ListenerError> {
        let listener = TcpListener::bind(address).await;
        listener.map(Self).map_err(|source| ListenerError { address, source })
    }

    /// The address, with the port that the system chose if that was left to it.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until `stop`.
    pub async fn serve(self, server: Server, stop: CancellationToken) {
        let keeping_up = tokio::spawn(server.metrics.clone().keep_up(stop.clone()));
        let calls = server.calls.clone();
        let server = Arc::new(server);
        let (api, description) = api::router(&server);
        let api = api.route_layer(from_fn_with_state(Arc::clone(&server), tokens::check));
        let description = Arc::<str>::from(description);
        let describe =
            async move || ([(header::CONTENT_TYPE, "application/json")], description.to_string());
        let router = Router::new()
            .route("/metrics", get(metrics))
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(ready))
            .route("/openapi.json", get(describe))
            .merge(api)
            .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing here"))
            .layer(map_response(problem::told))
            .with_state(server);
        connections::serve(self.0, router, stop).await;
        calls.tasks.close();
        calls.tasks.wait().await;
        calls.changes.close();
        calls.changes.wait().await;
        // It has the same end.
        let _ = keeping_up.await;
    }
}

async fn metrics(State(server): State<Arc<Server>>) -> Response {
    metrics::gauge!("trellis_sessions_open").set(count(server.sessions.count()));
    let text = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (text, server.metrics.render()).into_response()
}

/// Whether devices can be sent here: new sessions are taken, and the disk keeps up.
async fn ready(State(server): State<Arc<Server>>) -> Response {
    let not_ready = |why| (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    if !server.sessions.accepts() {
        return not_ready("the server is stopping\n");
    }
    match tokio::time::timeout(STORE_WAIT, server.store.flush()).await {
        Ok(Ok(())) => "ready\n".into_response(),
        Ok(Err(error)) => {
            tracing::error!(%error, "the server is not ready");
            not_ready("the store fails; the log says how\n")
        }
        Err(_) => not_ready("the store does not answer\n"),
    }
}

/// Counts fit into a double far beyond what a machine can hold.
fn count(number: usize) -> f64 {
    u32::try_from(number).unwrap_or(u32::MAX).into()
}
