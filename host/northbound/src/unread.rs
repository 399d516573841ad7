//! The part of a request that no handler reads. A client that is still sending when the connection is
//! closed hears of that, and not of the answer: so the rest is taken before the answer leaves.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// How long the rest of a request is taken, which nobody reads.
const UNREAD_TIME: Duration = Duration::from_secs(5);

/// A body that its reader and whoever comes after it share.
#[derive(Clone)]
struct Shared(Arc<Mutex<Body>>);

/// Answers, once what the client sends has come.
pub(crate) async fn take_unread(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(body)));
    let mut rest = body.clone();
    let response = next.run(Request::from_parts(parts, Body::new(body))).await;
    let taken =
        async { while let Some(Ok(_)) = poll_fn(|it| Pin::new(&mut rest).poll_frame(it)).await {} };
    // Whoever sends for longer hears of the end of the connection.
    let _ = tokio::time::timeout(UNREAD_TIME, taken).await;
    response
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut body = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Pin::new(&mut *body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
