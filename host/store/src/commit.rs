//! Group commit: many writers, one flush.
//!
//! sled's own flush thread makes nothing durable that anybody could wait for. Here every
//! writer waits for a flush that began after its write; one flush serves all who wait.

use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;

type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// Writers that may wait for a flush at once; further ones wait to wait.
const WAITERS_MAX: usize = 16_384;

/// The thread that flushes. It ends when the last handle is dropped.
#[derive(Clone)]
pub(crate) struct Committer {
    waiters: mpsc::Sender<Waiter>,
}

impl Committer {
    /// Starts the thread.
    pub(crate) fn start(db: sled::Db) -> std::io::Result<Self> {
        let (waiters, mut queue) = mpsc::channel::<Waiter>(WAITERS_MAX);
        thread::Builder::new().name("trellis-commit".to_owned()).spawn(move || {
            let mut group = Vec::new();
            while queue.blocking_recv_many(&mut group, WAITERS_MAX) > 0 {
                let result = db.flush();
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
        Ok(Self { waiters })
    }

    /// Returns when all that was written before the call is on disk.
    pub(crate) async fn durable(&self) -> Result<(), StoreError> {
        let (waiter, done) = oneshot::channel();
        self.waiters.send(waiter).await.map_err(|_| StoreError::Closing)?;
        done.await.map_err(|_| StoreError::Closing)?
    }
}
