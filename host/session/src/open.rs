//! The open sessions: which POST belongs to which, and one session per device.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trellis_store::DeviceKey;

use crate::caller::Caller;
use crate::post::{Post, SessionId};

/// POSTs may wait for a session that is busy with an earlier one; more wait to wait.
const QUEUE: usize = 1;

/// The open sessions of this server.
#[derive(Default)]
pub(crate) struct OpenSessions(Mutex<Open>);

#[derive(Default)]
struct Open {
    sessions: HashMap<SessionId, Entry>,
    devices: HashMap<DeviceKey, Handle>,
}

struct Entry {
    posts: mpsc::Sender<Post>,
    arriving: Arriving,
    /// Who opened it: whoever knows its cookie is taken for them, and for nobody else.
    caller: Arc<Caller>,
    /// Whether the device has shown that it sends cookies.
    has_cookie: bool,
}

/// The session that a device has.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) session: SessionId,
    /// Cancelled when the device opens another.
    pub(crate) superseded: CancellationToken,
    /// Cancelled when the session is over.
    pub(crate) ended: CancellationToken,
}

/// A session that has just been opened.
pub(crate) struct Opened {
    pub(crate) handle: Handle,
    /// The session that the device had.
    pub(crate) previous: Option<Handle>,
    pub(crate) line: Line,
}

/// What a session hears of its device.
pub(crate) struct Line {
    pub(crate) posts: mpsc::Receiver<Post>,
    pub(crate) arriving: Arriving,
    /// Whether more than half of all places were taken when the session began.
    pub(crate) is_crowded: bool,
}

/// Every place is taken.
pub(crate) struct Full;

/// How many POSTs of a session are on their way.
#[derive(Clone, Default)]
pub(crate) struct Arriving(Arc<AtomicUsize>);

/// A POST on its way to an open session, from its first header to its answer. While there is
/// one, the device is not silent, however long its body takes.
pub struct Arrival {
    pub(crate) session: SessionId,
    pub(crate) caller: Arc<Caller>,
    pub(crate) posts: mpsc::Sender<Post>,
    arriving: Arriving,
}

impl OpenSessions {
    /// Opens a session for a device and ends the one that it had.
    pub(crate) fn open(
        &self,
        session: SessionId,
        device: &DeviceKey,
        caller: Arc<Caller>,
        sessions_max: usize,
    ) -> Result<Opened, Full> {
        let mut open = self.lock();
        let taken = open.sessions.len();
        // A session that supersedes another takes its place; but where sessions do not end, there
        // must be an end to those that wait for it.
        let replaces = open.devices.contains_key(device) && taken < sessions_max.saturating_mul(2);
        if taken >= sessions_max && !replaces {
            return Err(Full);
        }
        let (sender, posts) = mpsc::channel(QUEUE);
        let arriving = Arriving::default();
        let entry = Entry { posts: sender, arriving: arriving.clone(), caller, has_cookie: false };
        let handle = Handle {
            session: session.clone(),
            superseded: CancellationToken::new(),
            ended: CancellationToken::new(),
        };
        open.sessions.insert(session, entry);
        let previous = open.devices.insert(device.clone(), handle.clone());
        drop(open);
        if let Some(previous) = &previous {
            previous.superseded.cancel();
        }
        let line = Line { posts, arriving, is_crowded: taken > sessions_max / 2 };
        Ok(Opened { handle, previous, line })
    }

    /// Takes a session out.
    pub(crate) fn close(&self, device: &DeviceKey, handle: &Handle) {
        let mut open = self.lock();
        open.sessions.remove(&handle.session);
        if open.devices.get(device).is_some_and(|it| it.session == handle.session) {
            open.devices.remove(device);
        }
        drop(open);
        handle.ended.cancel();
    }

    /// The session of a POST with these cookies, on a connection that `connection` last used.
    /// The connection speaks only for a device that has sent no cookie of its session: behind a
    /// proxy, two devices may share one.
    pub(crate) fn find(
        &self,
        cookies: &[SessionId],
        connection: Option<&SessionId>,
    ) -> Option<Arrival> {
        let mut open = self.lock();
        let named = cookies.iter().find(|cookie| open.sessions.contains_key(cookie));
        let entry = open.sessions.get_mut(named.or(connection)?)?;
        if named.is_none() && entry.has_cookie {
            return None;
        }
        entry.has_cookie |= named.is_some();
        entry.arriving.0.fetch_add(1, Ordering::Relaxed);
        Some(Arrival {
            session: named.or(connection)?.clone(),
            caller: Arc::clone(&entry.caller),
            posts: entry.posts.clone(),
            arriving: entry.arriving.clone(),
        })
    }

    /// How many sessions there are.
    pub(crate) fn count(&self) -> usize {
        self.lock().sessions.len()
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Arriving {
    /// Whether a POST is on its way.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arriving.0.fetch_sub(1, Ordering::Relaxed);
    }
}
