//! Group commit: many writers, one flush.
//!
//! sled's own flush thread makes nothing durable that anybody could wait for. Here every
//! writer waits for a flush that began after its write; one flush serves all who wait.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;

type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// Writers that may wait for a flush at once; further ones wait to wait.
const WAITERS_MAX: usize = 16_384;

/// The thread that flushes. It ends, and with it its hold on the database, when the last
/// handle is dropped.
#[derive(Clone)]
pub(crate) struct Committer(Arc<Running>);

struct Running {
    waiters: Option<mpsc::Sender<Waiter>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread. It waits `delay` after the first writer of a group for others to join
    /// it: a flush costs far more than what one session does besides.
    pub(crate) fn start(db: sled::Db, delay: Duration) -> std::io::Result<Self> {
        let (waiters, mut queue) = mpsc::channel::<Waiter>(WAITERS_MAX);
        let thread = thread::Builder::new().name("trellis-commit".to_owned()).spawn(move || {
            let mut group = Vec::new();
            while let Some(first) = queue.blocking_recv() {
                group.push(first);
                thread::sleep(delay);
                while let Ok(waiter) = queue.try_recv() {
                    group.push(waiter);
                }
                let began = Instant::now();
                let result = db.flush();
                metrics::histogram!("trellis_store_flush_seconds").record(began.elapsed());
                for waiter in group.drain(..) {
                    let result = match &result {
                        Ok(_) => Ok(()),
                        Err(error) => Err(StoreError::Database(error.clone())),
                    };
                    // A writer that no longer waits has lost its session; nobody is told.
                    let _ = waiter.send(result);
                }
            }
        })?;
        Ok(Self(Arc::new(Running { waiters: Some(waiters), thread: Some(thread) })))
    }

    /// Returns when all that was written before the call is on disk.
    pub(crate) async fn durable(&self) -> Result<(), StoreError> {
        let (waiter, done) = oneshot::channel();
        let waiters = self.0.waiters.as_ref().ok_or(StoreError::Closing)?;
        waiters.send(waiter).await.map_err(|_| StoreError::Closing)?;
        done.await.map_err(|_| StoreError::Closing)?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.waiters.take());
        if let Some(thread) = self.thread.take() {
            // The thread only flushes; if it panicked there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}
