//! Accepts connections and serves HTTP/1.1 on them.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use trellis_session::limit_reached;

use crate::auth::Authenticator;
use crate::body::BodyMemory;
use crate::http::{Connection, Front, Handler, answer};
use crate::settings::SouthboundSettings;
use crate::tls::{Tls, TlsSettings, common_name};

/// A bound address.
pub struct Listener {
    listener: TcpListener,
    tls: Option<Arc<Tls>>,
    front: Arc<Front>,
}

/// An address that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct ListenerError {
    /// The address.
    address: SocketAddr,
    /// Why.
    source: io::Error,
}

/// How long to wait when the system has no more connections to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Listener {
    /// Binds an address, with TLS where there are certificates.
    pub async fn bind(
        address: SocketAddr,
        settings: SouthboundSettings,
        tls: Option<TlsSettings>,
    ) -> Result<Self, ListenerError> {
        let error = |source| ListenerError { address, source };
        let tls = match tls {
            Some(tls) => {
                let read = tokio::task::spawn_blocking(move || Tls::new(tls)).await;
                let read =
                    read.map_err(io::Error::other).and_then(|it| it.map_err(io::Error::other));
                Some(Arc::new(read.map_err(error)?))
            }
            None => None,
        };
        let listener = TcpListener::bind(address).await.map_err(error)?;
        let memory = BodyMemory::new(&settings);
        let authenticator = Authenticator::new(settings.auth.clone()).map_err(error)?;
        Ok(Self { listener, tls, front: Arc::new(Front { settings, memory, authenticator }) })
    }

    /// The address, with the port that the system chose if that was left to it.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop`, then lets requests in flight finish.
    pub async fn serve<H: Handler>(self, handler: H, stop: CancellationToken) {
        let connections = TaskTracker::new();
        let front = self.front;
        let keeping_up = self.tls.clone().map(|tls| tokio::spawn(tls.keep_up(stop.clone())));
        let permits = Arc::new(Semaphore::new(front.settings.connections_max));
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Most often too many open files: others must end first.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
                limit_reached("connections");
                continue;
            };
            let (handler, front, stop) = (handler.clone(), Arc::clone(&front), stop.clone());
            let tls = self.tls.clone();
            connections.spawn(async move {
                let open = metrics::gauge!("trellis_connections_open");
                open.increment(1);
                serve_stream(stream, address.ip(), tls.as_deref(), handler, front, stop).await;
                open.decrement(1);
                drop(permit);
            });
        }
        connections.close();
        connections.wait().await;
        front.memory.lingering.close();
        front.memory.lingering.wait().await;
        if let Some(keeping_up) = keeping_up {
            // It has the same end.
            let _ = keeping_up.await;
        }
    }
}

async fn serve_stream<H: Handler>(
    stream: TcpStream,
    source: IpAddr,
    tls: Option<&Tls>,
    handler: H,
    front: Arc<Front>,
    stop: CancellationToken,
) {
    // Answers are small and complete; nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return serve_connection(stream, Connection::new(source), handler, front, stop).await;
    };
    match tls.accept(stream).await {
        Ok(stream) => {
            let connection = Connection::secure(source, common_name(&stream));
            serve_connection(stream, connection, handler, front, stop).await;
        }
        Err(problem) => {
            metrics::counter!("trellis_handshake_failures_total").increment(1);
            tracing::debug!(problem, "a connection could not be made secure");
        }
    }
}

async fn serve_connection<H: Handler, S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    state: Connection,
    handler: H,
    front: Arc<Front>,
    stop: CancellationToken,
) {
    let settings = &front.settings;
    let state = Arc::new(state);
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(settings.write_time));
    let watched = Arc::clone(&state);
    let shared = Arc::clone(&front);
    let service = service_fn(move |request| {
        let (state, handler, front) = (Arc::clone(&state), handler.clone(), Arc::clone(&shared));
        async move { answer(request, &state, &handler, &front).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.session_idle)
        .max_headers(settings.headers_max)
        .max_buf_size(settings.header_bytes_max.max(8 << 10))
        // Old devices compare header names with care for case.
        .title_case_headers(true)
        .keep_alive(true)
        // A device may close its side once it has sent all it has.
        .half_close(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    tokio::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = watched.idle_for(settings.idle) => {
            limit_reached("idle_time");
            return;
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        let cause = error.source().and_then(|it| it.downcast_ref::<io::Error>());
        if cause.is_some_and(|it| it.kind() == io::ErrorKind::TimedOut) {
            limit_reached("write_time");
        }
        tracing::debug!(%error, "a connection ended early");
    }
}
