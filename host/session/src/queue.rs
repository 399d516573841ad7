//! What waits for a task, bounded by number and by bytes. Nobody waits for room.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::metric::limit_reached;

/// Where something is handed over.
pub(crate) struct Queue<T> {
    sender: mpsc::Sender<Waits<T>>,
    /// For so many KiB there is room yet.
    room: Arc<Semaphore>,
}

/// Something that waits, and its room.
pub(crate) struct Waits<T>(pub(crate) T, pub(crate) OwnedSemaphorePermit);

/// Where it is taken from.
pub(crate) type Waiting<T> = mpsc::Receiver<Waits<T>>;

impl<T> Queue<T> {
    /// With room for so many, and for so many bytes of all together.
    pub(crate) fn new(number_max: usize, bytes_max: usize) -> (Self, Waiting<T>) {
        let (sender, waiting) = mpsc::channel(number_max);
        (Self { sender, room: Arc::new(Semaphore::new(bytes_max >> 10)) }, waiting)
    }

    /// Hands over something of so many bytes, where there is room; else the limit of this name is
    /// counted.
    pub(crate) fn hand_over(&self, what: T, bytes: usize, limit: &'static str) {
        let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX).saturating_add(1);
        let room = Arc::clone(&self.room).try_acquire_many_owned(kib);
        if !room.is_ok_and(|room| self.sender.try_send(Waits(what, room)).is_ok()) {
            limit_reached(limit);
        }
    }
}
