//! Where POSTs become sessions: each is decoded here, and goes to its session's task.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use trellis_catalog::Catalog;
use trellis_cwmp::{Decoded, DeviceId, Envelope, Message, Quirk, Quirks, decode, is_empty_post};
use trellis_store::{Credential, DeviceKey, Store, StoreError};

use crate::caller::Caller;
use crate::conversation::{Conversation, Lost, cut, millis};
use crate::kinds::Kinds;
use crate::metric::limit_reached;
use crate::open::{Arrival, Expected, Handle, Join, OpenSessions, Opened};
use crate::portions::LearnedPortions;
use crate::post::{Answer, Content, Post, Reply, SessionId};
use crate::queue::{Queue, Waiting};
use crate::redirect::redirected;
use crate::session;
use crate::settings::SessionSettings;
use crate::transcripts::{Recorded, WAITING_MAX};
use crate::visit::Visit;

/// What a session works with.
pub(crate) struct Acs {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) catalog: Catalog,
    pub(crate) settings: SessionSettings,
    pub(crate) portions: LearnedPortions,
    /// Where sessions hand over what was recorded.
    pub(crate) recorded: Queue<Recorded>,
    kinds: Kinds,
}

/// The sessions of this server. Clones share them.
#[derive(Clone)]
pub struct Sessions(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) acs: Arc<Acs>,
    pub(crate) open: OpenSessions,
    /// What the task that keeps transcripts takes.
    pub(crate) waiting: tokio::sync::Mutex<Option<Waiting<Recorded>>>,
    tasks: TaskTracker,
    /// Cancelled when no new session is to begin.
    closed: CancellationToken,
    /// Cancelled when every session is to end.
    stopping: CancellationToken,
}

/// How long a new session waits for the end of the one that it supersedes.
const SUPERSEDE_WAIT: Duration = Duration::from_secs(10);

/// How long sessions that are ended may take for that.
const LAST_WAIT: Duration = Duration::from_secs(5);

impl Sessions {
    /// No sessions yet. Reads what models of devices have shown.
    pub async fn new(
        store: Arc<dyn Store>,
        catalog: Catalog,
        settings: SessionSettings,
    ) -> Result<Self, StoreError> {
        let kinds = Kinds::new(settings.metric_kinds_max);
        let portions = LearnedPortions::new(store.learned_portions().await?, settings.models_max);
        let (recorded, waiting) = Queue::new(WAITING_MAX, settings.transcript_queue_bytes);
        Ok(Self(Arc::new(Shared {
            waiting: tokio::sync::Mutex::new(Some(waiting)),
            acs: Arc::new(Acs { store, catalog, settings, portions, recorded, kinds }),
            open: OpenSessions::default(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            stopping: CancellationToken::new(),
        })))
    }

    /// The open session of a POST whose headers have come. `cookies` are the sessions that the
    /// device names, `connection` the one that last used its connection, for devices without
    /// cookies.
    pub fn arrival(
        &self,
        cookies: &[SessionId],
        connection: Option<&SessionId>,
    ) -> Option<Arrival> {
        self.0.open.find(cookies, connection)
    }

    /// The credentials of a user name that the server gave to a device. A store that fails has
    /// none, and says so in the log.
    pub async fn credentials(&self, username: &str) -> Vec<Credential> {
        self.0.acs.store.credentials(username).await.unwrap_or_else(|error| {
            tracing::error!(%error, "the store failed");
            Vec::new()
        })
    }

    /// Answers one POST. `caller` says who sent it, if it may begin a session, and `may_redirect`
    /// whether the device may be sent on: not where it was sent on too often already.
    pub async fn post(
        &self,
        body: bytes::Bytes,
        charset: Option<&str>,
        arrival: Option<Arrival>,
        caller: Caller,
        may_redirect: bool,
    ) -> Answer {
        if is_empty_post(&body) {
            return self.forward(arrival, Ok(Content::Empty), Quirks::default()).await;
        }
        let Decoded { envelope, quirks } = match self.decode(body, charset).await {
            Ok(decoded) => decoded,
            Err(why) => return self.forward(arrival, Err(why), Quirks::default()).await,
        };
        if !quirks.is_empty() {
            let names: Vec<&str> = quirks.iter().map(|it| it.quirk.name()).collect();
            let method = cut(envelope.message.name());
            tracing::debug!(method, quirks = names.join(","), "a message was repaired");
        }
        if quirks.contains(Quirk::Soap12Envelope) {
            let why = "the envelope is SOAP 1.2; CWMP uses SOAP 1.1".to_owned();
            return self.forward(arrival, Err(why), quirks).await;
        }
        match &envelope.message {
            Message::Inform(inform) => {
                // In a session, whoever opened it may begin anew, and nobody else.
                let caller = match arrival {
                    Some(arrival) => Arc::clone(&arrival.caller),
                    None => Arc::new(caller),
                };
                let visit = Visit::new(inform.device_id.clone(), caller);
                let redirects = &self.0.acs.settings.redirects;
                match redirected(redirects, &visit.key).filter(|_| may_redirect) {
                    Some(to) if visit.caller.may_be(&visit.key).is_ok() => {
                        // Whoever knows only what all new devices know does not end it.
                        if !visit.caller.is_onboarding() {
                            self.0.open.supersede(&visit.key);
                        }
                        Answer::redirect(to)
                    }
                    _ => self.begin(visit, envelope, quirks).await,
                }
            }
            _ => self.forward(arrival, Ok(Content::Message(Box::new(envelope))), quirks).await,
        }
    }

    /// Whether new sessions are taken.
    pub fn accepts(&self) -> bool {
        !self.0.closed.is_cancelled()
    }

    /// How many sessions there are.
    pub fn count(&self) -> usize {
        self.0.open.count()
    }

    /// Whether a device is in a session.
    pub fn has_session(&self, device: &DeviceKey) -> bool {
        self.0.open.has(device)
    }

    /// Leaves work that has just been queued for a device to the session that it has, if it has one.
    pub fn join(&self, device: &DeviceKey) -> Join {
        self.0.open.join(device)
    }

    /// Waits from now on for a session of a device to begin.
    pub fn expect<'a>(&'a self, device: &'a DeviceKey) -> Expected<'a> {
        self.0.open.expect(device)
    }

    /// Begins no more sessions, lets those in flight finish, and ends what is left after
    /// `grace`.
    pub async fn shutdown(&self, grace: Duration) {
        self.0.closed.cancel();
        self.0.tasks.close();
        if tokio::time::timeout(grace, self.0.tasks.wait()).await.is_err() {
            self.0.stopping.cancel();
            // One that computes, such as over a large tree, hears of it when it has done so.
            if tokio::time::timeout(LAST_WAIT, self.0.tasks.wait()).await.is_err() {
                tracing::warn!(sessions = self.count(), "some sessions do not end");
            }
        }
    }

    async fn decode(&self, body: bytes::Bytes, charset: Option<&str>) -> Result<Decoded, String> {
        if body.len() <= self.0.acs.settings.decode_inline_bytes {
            return decode(&body, charset).map_err(|error| error.to_string());
        }
        let charset = charset.map(str::to_owned);
        let decoding = tokio::task::spawn_blocking(move || {
            decode(&body, charset.as_deref()).map_err(|error| error.to_string())
        });
        decoding.await.unwrap_or_else(|error| Err(error.to_string()))
    }

    /// Opens a session for an Inform, and ends the one that the device had.
    async fn begin(&self, visit: Visit, inform: Envelope, quirks: Quirks) -> Answer {
        if let Err(why) = check_device_id(&visit.device_id) {
            return Answer::bad_request(why);
        }
        if self.0.closed.is_cancelled() {
            return Answer::unavailable("the server is stopping");
        }
        let Ok(id) = SessionId::random() else {
            return Answer::unavailable("the system gives no random numbers");
        };
        if let Err(why) = visit.caller.may_be(&visit.key) {
            tracing::warn!(device = %visit.key, why, "a device is refused");
            return Answer::forbidden(why);
        }
        if let Message::Inform(inform) = &inform.message
            && let Err(lost) = visit.may_onboard(&self.0.acs, inform).await
        {
            return match lost {
                Lost::Refused(why) => Answer::forbidden(why),
                other => Answer::unavailable(&other.to_string()),
            };
        }
        let sessions_max = self.0.acs.settings.sessions_max;
        let caller = Arc::clone(&visit.caller);
        let opened = self.0.open.open(id.clone(), &visit.key, caller, sessions_max);
        let Ok(Opened { handle, previous, line }) = opened else {
            limit_reached("sessions");
            return Answer::unavailable("every session is taken");
        };
        let shared = Arc::clone(&self.0);
        let deadline = Instant::now() + self.0.acs.settings.answer;
        let (reply, answer) = oneshot::channel();
        let span = tracing::info_span!("session", device = %visit.key);
        let mut cpe = Conversation::new(
            (reply, deadline.into()),
            line,
            &handle,
            self.0.stopping.clone(),
            &self.0.acs.settings,
        );
        cpe.quirks = quirks;
        self.0.tasks.spawn(
            async move { shared.run(handle, previous, cpe, visit, inform).await }.instrument(span),
        );
        match self.wait(answer, deadline).await {
            // The device has been told nothing: it is to come again later.
            None => Answer::unavailable("the server is too busy"),
            Some(reply) => Answer { reply, session: Some(id) },
        }
    }

    /// Passes a POST to its session.
    async fn forward(
        &self,
        arrival: Option<Arrival>,
        content: Result<Content, String>,
        quirks: Quirks,
    ) -> Answer {
        let Some(arrival) = arrival else {
            return Answer::bad_request(match content {
                Err(why) => why,
                Ok(_) => "there is no such session; a session begins with an Inform".to_owned(),
            });
        };
        let (reply, answer) = oneshot::channel();
        // The queue has one place, so a device that sends without waiting waits here.
        let deadline = Instant::now() + self.0.acs.settings.answer;
        let sent = arrival.posts.send(Post { content, quirks, reply, deadline: deadline.into() });
        let sent = tokio::time::timeout_at(deadline, sent).await;
        let reply = match sent {
            Ok(Ok(())) => self
                .wait(answer, deadline)
                .await
                .unwrap_or_else(|| Reply::BadRequest("the server took too long".to_owned())),
            Ok(Err(_)) => Reply::BadRequest("the session has ended".to_owned()),
            Err(_) => Reply::BadRequest("the session is busy with another POST".to_owned()),
        };
        Answer { reply, session: Some(arrival.session.clone()) }
    }

    /// The answer of a session; `None` where there is none in time.
    async fn wait(&self, answer: oneshot::Receiver<Reply>, deadline: Instant) -> Option<Reply> {
        match tokio::time::timeout_at(deadline, answer).await {
            Ok(Ok(reply)) => Some(reply),
            Ok(Err(_)) => Some(Reply::BadRequest("the session has ended".to_owned())),
            Err(_) => {
                limit_reached("answer_time");
                None
            }
        }
    }
}

impl Shared {
    /// The task of one session.
    async fn run(
        &self,
        handle: Handle,
        previous: Option<Handle>,
        mut cpe: Conversation,
        mut visit: Visit,
        inform: Envelope,
    ) {
        let superseded = handle.superseded.clone();
        // Whatever happens below, the device's next Inform must find the way free.
        let _end = End { shared: self, device: visit.key.clone(), handle };
        let result = match previous {
            // The old session may still be writing; it must not write over this one.
            Some(previous) => {
                let ended = previous.ended.cancelled();
                if tokio::time::timeout(SUPERSEDE_WAIT, ended).await.is_ok() {
                    Ok(())
                } else {
                    // The device gets its answer now, but the place stays taken until the old
                    // session has ended: nothing may run beside it.
                    let lost = Lost::Store("the previous session does not end".to_owned());
                    cpe.refuse(&lost);
                    previous.ended.cancelled().await;
                    Err(lost)
                }
            }
            None => Ok(()),
        };
        let result = match result {
            Ok(()) if superseded.is_cancelled() => Err(Lost::Superseded),
            Ok(()) => session::run(&self.acs, &mut cpe, &mut visit, inform).await,
            Err(lost) => Err(lost),
        };
        cpe.close_to_work();
        if let Err(lost) = &result {
            // The outcome of a lost session is for the operator; nobody waits for it.
            let _ = visit.record(&self.acs, &mut cpe, Some(lost)).await;
            cpe.refuse(lost);
        }
        // Anybody can be refused any number of times: that is not worth a place on the disk.
        if !matches!(result, Err(Lost::NotAdmitted(..))) {
            visit.hand_over_recordings(&self.acs);
        }
        count(&self.acs.kinds, &visit, &cpe);
        report(&visit, &cpe, &result);
    }
}

/// The longest part of a DeviceId, in bytes. The standard has 64 characters.
const DEVICE_ID_BYTES_MAX: usize = 256;

fn check_device_id(id: &DeviceId) -> Result<(), String> {
    if id.serial_number.is_empty() {
        // Without it, all devices of a kind would be one.
        return Err("the Inform has no SerialNumber".to_owned());
    }
    let parts = [
        ("Manufacturer", &id.manufacturer),
        ("OUI", &id.oui),
        ("ProductClass", &id.product_class),
        ("SerialNumber", &id.serial_number),
    ];
    match parts.iter().find(|(_, part)| part.len() > DEVICE_ID_BYTES_MAX) {
        Some((name, part)) => {
            Err(format!("the {name} has {} bytes; the limit is {DEVICE_ID_BYTES_MAX}", part.len()))
        }
        None => Ok(()),
    }
}

/// Counts what had to be repaired, by the kind of the device.
fn count(kinds: &Kinds, visit: &Visit, cpe: &Conversation) {
    if cpe.quirks.is_empty() {
        return;
    }
    let id = &visit.device_id;
    let kind = [&id.manufacturer, &id.product_class, &visit.software_version];
    let [manufacturer, product_class, software_version] = kinds.label(kind.map(String::as_str));
    for sighting in cpe.quirks.iter() {
        let labels = [
            ("quirk", sighting.quirk.name().to_owned()),
            ("manufacturer", manufacturer.clone()),
            ("product_class", product_class.clone()),
            ("software_version", software_version.clone()),
        ];
        let count = u64::try_from(sighting.count).unwrap_or(u64::MAX);
        metrics::counter!("trellis_quirks_total", &labels).increment(count);
    }
}

/// How many events the line of a session names.
const EVENTS_SHOWN_MAX: usize = 8;

/// One line for each session.
fn report(visit: &Visit, cpe: &Conversation, result: &Result<(), Lost>) {
    let events = visit.header.last_events.iter().take(EVENTS_SHOWN_MAX);
    let events: Vec<&str> = events.map(|it| it.0.as_str()).collect();
    let news: serde_json::Map<String, serde_json::Value> =
        visit.news.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let outcome = visit.outcome(result.as_ref().err());
    let label = match (result, visit.plugin_failure()) {
        (Err(_), _) => "lost",
        (Ok(()), Some(_)) => "plugin_fault",
        (Ok(()), None) => "ok",
    };
    metrics::counter!("trellis_sessions_total", "outcome" => label).increment(1);
    // One that was not let in was not served.
    if let Some(selected) = visit.plugin.as_ref().filter(|_| visit.is_served(result)) {
        selected.plugin.count_session();
    }
    metrics::histogram!("trellis_session_seconds").record(cpe.elapsed());
    tracing::info!(
        plugin = visit.header.plugin.as_ref().map(|it| it.0.as_str()),
        manufacturer = visit.device_id.manufacturer,
        product_class = visit.device_id.product_class,
        events = events.join(", "),
        rpcs = cpe.rpcs,
        ms = millis(cpe.elapsed()),
        facts = %serde_json::Value::Object(news),
        outcome,
        "session"
    );
}

/// Frees the way for the device's next session, also if this one panics.
pub(crate) struct End<'a> {
    pub(crate) shared: &'a Shared,
    pub(crate) device: DeviceKey,
    pub(crate) handle: Handle,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.shared.open.close(&self.device, &self.handle);
    }
}

impl Answer {
    fn bad_request(why: impl Into<String>) -> Self {
        Self { reply: Reply::BadRequest(why.into()), session: None }
    }

    fn redirect(to: &str) -> Self {
        tracing::debug!(to, "a device is sent to another server");
        Self { reply: Reply::Redirect(to.to_owned()), session: None }
    }

    fn forbidden(why: String) -> Self {
        Self { reply: Reply::Forbidden(why), session: None }
    }

    fn unavailable(why: &str) -> Self {
        Self { reply: Reply::Unavailable(why.to_owned()), session: None }
    }
}
