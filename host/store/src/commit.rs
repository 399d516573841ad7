//! Group commit: many writers, one flush.
//!
//! sled's own flush thread makes nothing durable that anybody could wait for. Here every
//! writer waits for a flush that began after its write; one flush serves all who wait.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use sled::Batch;
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;

/// A write that somebody waits for.
struct Write {
    batch: Batch,
    done: oneshot::Sender<Result<(), StoreError>>,
}

/// Writes that may wait for a flush at once; further ones wait to wait.
const WAITING_MAX: usize = 16_384;

/// The thread that writes and flushes. It ends, and with it its hold on the database, when the
/// last handle is dropped.
#[derive(Clone)]
pub(crate) struct Committer {
    running: Arc<Running>,
    wait_max: Duration,
}

struct Running {
    writes: Option<mpsc::Sender<Write>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Committer {
    /// Starts the thread. It waits `delay` after the first write of a group for others to join
    /// it: a flush costs far more than what one session does besides. Nobody waits longer than
    /// `wait_max` for a flush.
    pub(crate) fn start(
        db: sled::Db,
        delay: Duration,
        wait_max: Duration,
    ) -> std::io::Result<Self> {
        let (writes, mut queue) = mpsc::channel::<Write>(WAITING_MAX);
        let thread = thread::Builder::new().name("trellis-commit".to_owned()).spawn(move || {
            let mut group = Vec::new();
            while let Some(first) = queue.blocking_recv() {
                group.push(first);
                thread::sleep(delay);
                while let Ok(write) = queue.try_recv() {
                    group.push(write);
                }
                commit(&db, group.drain(..));
            }
        })?;
        let running = Running { writes: Some(writes), thread: Some(thread) };
        Ok(Self { running: Arc::new(running), wait_max })
    }

    /// Writes a batch, all or nothing, and returns when it is on disk; so is then all that was
    /// written before the call.
    pub(crate) async fn commit(&self, batch: Batch) -> Result<(), StoreError> {
        let (done, committed) = oneshot::channel();
        let writes = self.running.writes.as_ref().ok_or(StoreError::Closing)?;
        let committing = async {
            writes.send(Write { batch, done }).await.map_err(|_| StoreError::Closing)?;
            committed.await.map_err(|_| StoreError::Closing)?
        };
        match tokio::time::timeout(self.wait_max, committing).await {
            Ok(result) => result,
            Err(_) => {
                limit_reached("commit_time");
                Err(StoreError::Slow(self.wait_max))
            }
        }
    }
}

/// Counts a limit that was reached.
pub(crate) fn limit_reached(limit: &'static str) {
    metrics::counter!("trellis_limit_reached_total", "limit" => limit).increment(1);
}

/// Writes a group and flushes once.
fn commit(db: &sled::Db, group: impl Iterator<Item = Write>) {
    let mut written = Vec::new();
    for Write { batch, done } in group {
        match db.apply_batch(batch) {
            Ok(()) => written.push(done),
            // A writer that no longer waits has lost its session; nobody is told.
            Err(error) => drop(done.send(Err(StoreError::Database(error)))),
        }
    }
    let began = Instant::now();
    let flushed = db.flush();
    metrics::histogram!("trellis_store_flush_seconds").record(began.elapsed());
    for done in written {
        let result = match &flushed {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::Database(error.clone())),
        };
        drop(done.send(result));
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.writes.take());
        if let Some(thread) = self.thread.take() {
            // The thread only flushes; if it panicked there is nothing left to wait for.
            let _ = thread.join();
        }
    }
}
