//! Connections of operators: a bounded number, and none that says nothing for long.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_http::timeout::RequestBodyTimeoutLayer;

use crate::unread::take_unread;

/// Connections at once; further ones wait.
const CONNECTIONS_MAX: usize = 256;

/// How long a connection may take to say what it wants.
const HEADER_TIME: Duration = Duration::from_secs(30);

/// How long an answer may be left unread.
const WRITE_TIME: Duration = Duration::from_secs(60);

/// How long nothing may come of a body that has begun.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Serves what connects until `stop`, and what runs by then to its end.
pub(crate) async fn serve(mut listener: TcpListener, router: Router, stop: CancellationToken) {
    let router = router
        .layer(axum::middleware::from_fn(take_unread))
        .layer(RequestBodyTimeoutLayer::new(BODY_TIME));
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    let mut next = async || {
        // The semaphore is never closed.
        let permit = Arc::clone(&permits).acquire_owned().await.ok();
        // This one waits a moment where there are no file handles left.
        (permit, Listener::accept(&mut listener).await.0)
    };
    while let Some((permit, stream)) = stop.run_until_cancelled(next()).await {
        let (router, stop) = (router.clone(), stop.clone());
        connections.spawn(async move {
            connection(stream, router, stop).await;
            drop(permit);
        });
    }
    connections.close();
    connections.wait().await;
}

async fn connection(stream: TcpStream, router: Router, stop: CancellationToken) {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(WRITE_TIME));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router));
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "an operator's connection ended early");
    }
}
