//! The open sessions: which POST belongs to which, and one session per device.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{mpsc, oneshot};
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
    /// Who waits for a session of a device to begin.
    expected: HashMap<DeviceKey, Vec<oneshot::Sender<()>>>,
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
    wanted: Wanted,
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
    pub(crate) wanted: Wanted,
    /// Whether more than half of all places were taken when the session began.
    pub(crate) is_crowded: bool,
}

/// Every place is taken.
pub(crate) struct Full;

/// How many POSTs of a session are on their way.
#[derive(Clone, Default)]
pub(crate) struct Arriving(Arc<AtomicUsize>);

/// Whether there may be new work for a session, and whether it still looks for some.
#[derive(Clone, Default)]
pub(crate) struct Wanted(Arc<AtomicU8>);

const IDLE: u8 = 0;
const WANTED: u8 = 1;
const ENDING: u8 = 2;

/// Whether work that has just been queued for a device is done in a session that it has.
pub enum Join {
    /// It has none.
    None,
    /// It has, and the session looks for new work before it ends.
    Joined,
    /// Its session has looked for the last time, and will be over when this is cancelled.
    Ending(CancellationToken),
}

/// Waits for a session of a device to begin.
pub struct Expected<'a> {
    open: &'a OpenSessions,
    device: &'a DeviceKey,
    begun: oneshot::Receiver<()>,
}

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
            wanted: Wanted::default(),
        };
        open.sessions.insert(session, entry);
        let previous = open.devices.insert(device.clone(), handle.clone());
        let expected = open.expected.remove(device);
        drop(open);
        for waiting in expected.into_iter().flatten() {
            // Whoever has given up is not told.
            let _ = waiting.send(());
        }
        if let Some(previous) = &previous {
            previous.superseded.cancel();
        }
        let is_crowded = taken > sessions_max / 2;
        let line = Line { posts, arriving, wanted: handle.wanted.clone(), is_crowded };
        Ok(Opened { handle, previous, line })
    }

    /// Takes the place of a device that has no session, for work that no session may run beside. An
    /// Inform supersedes it. Nobody leaves work to it.
    pub(crate) fn occupy(&self, session: SessionId, device: &DeviceKey) -> Option<Handle> {
        let mut open = self.lock();
        if open.devices.contains_key(device) {
            return None;
        }
        let handle = Handle {
            session,
            superseded: CancellationToken::new(),
            ended: CancellationToken::new(),
            wanted: Wanted::default(),
        };
        handle.wanted.close();
        open.devices.insert(device.clone(), handle.clone());
        Some(handle)
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

    /// Has the open session of a device look for work that has just been queued.
    pub(crate) fn join(&self, device: &DeviceKey) -> Join {
        match self.lock().devices.get(device) {
            None => Join::None,
            Some(handle) if handle.wanted.want() => Join::Joined,
            Some(handle) => Join::Ending(handle.ended.clone()),
        }
    }

    /// Whether a device has a session.
    pub(crate) fn has(&self, device: &DeviceKey) -> bool {
        let open = self.lock();
        open.devices.get(device).is_some_and(|it| open.sessions.contains_key(&it.session))
    }

    /// Ends the session that a device has, if it has one.
    pub(crate) fn supersede(&self, device: &DeviceKey) {
        if let Some(handle) = self.lock().devices.get(device) {
            handle.superseded.cancel();
        }
    }

    /// Waits from now on for a session of a device to begin.
    pub(crate) fn expect<'a>(&'a self, device: &'a DeviceKey) -> Expected<'a> {
        let (begins, begun) = oneshot::channel();
        self.lock().expected.entry(device.clone()).or_default().push(begins);
        Expected { open: self, device, begun }
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

impl Wanted {
    /// Asks the session to look for work. No if it does not look any more.
    fn want(&self) -> bool {
        self.0.fetch_max(WANTED, Ordering::AcqRel) != ENDING
    }

    /// The session looks for no more work, whatever comes.
    pub(crate) fn close(&self) {
        self.0.store(ENDING, Ordering::Release);
    }

    /// Whether there may be new work. If not, the session has looked for the last time.
    pub(crate) fn take(&self) -> bool {
        let next = |now| Some(if now == WANTED { IDLE } else { ENDING });
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, next) == Ok(WANTED)
    }
}

impl Expected<'_> {
    /// Returns when one has begun.
    pub async fn session(mut self) {
        // The sender is kept until then.
        let _ = (&mut self.begun).await;
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.begun.close();
        let mut open = self.open.lock();
        if let Some(waiting) = open.expected.get_mut(self.device) {
            waiting.retain(|it| !it.is_closed());
            if waiting.is_empty() {
                open.expected.remove(self.device);
            }
        }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.arriving.0.fetch_sub(1, Ordering::Relaxed);
    }
}
