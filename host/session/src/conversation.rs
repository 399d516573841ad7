//! The dialogue of one session: whose turn it is, and what was said.

use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use trellis_cwmp::{AcsFault, Envelope, Header, Message, Quirks, encode_in_style};
use trellis_store::Step;

use crate::brief::{brief, brief_answer};
use crate::habits::Habits;
use crate::metric::limit_reached;
use crate::open::{Handle, Line};
use crate::post::{Content, Reply};
use crate::settings::{SILENCE_MIN, SessionSettings};

/// Why a session ended before its time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Lost {
    /// The device fell silent.
    #[error("the device was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The session lasted longer than any may.
    #[error("the session lasted longer than {} s", .0.as_secs())]
    TooLong(Duration),
    /// The device began anew.
    #[error("the device opened another session")]
    Superseded,
    /// Nobody waits for the answer any more.
    #[error("the connection was lost")]
    Abandoned,
    /// The device waited for an answer for too long.
    #[error("the answer took longer than {} s", .0.as_secs())]
    TooSlow(Duration),
    /// A request could not be sent, because nobody waited for it any more.
    #[error("the connection was lost before the request was sent")]
    Unsent,
    /// The server stops.
    #[error("the server is stopping")]
    Stopping,
    /// The device broke the protocol.
    #[error("protocol violation: {0}")]
    Violation(String),
    /// The server could not keep what it was told.
    #[error("{0}")]
    Store(String),
    /// The server does not know the device, and is not to serve such ones.
    #[error("the device is not known")]
    Unknown,
    /// The server refused the device.
    #[error("refused: {0}")]
    Refused(String),
    /// The plugin did not let the device in: the fault's code and text.
    #[error("the plugin did not let the device in: {0} {1}")]
    NotAdmitted(u32, String),
}

/// One session's exchange of messages. At any time either the device waits for an answer,
/// whose slot is in `owed`, or the server waits for the next POST.
pub(crate) struct Conversation {
    line: Line,
    owed: Option<oneshot::Sender<Reply>>,
    /// Until when the device, or what is between, waits for it.
    owed_until: Instant,
    /// How long a POST waits for its answer.
    answer_max: Duration,
    session_max: Duration,
    superseded: CancellationToken,
    stopping: CancellationToken,
    silence: Duration,
    /// From the second POST on.
    silence_agreed: Duration,
    namespace: String,
    /// How the device wants to be spoken to.
    pub(crate) habits: Habits,
    /// Begins the ID of every request, so that none is like one of another session.
    id_prefix: String,
    requests: u64,
    /// Whether the Inform has been answered.
    is_open: bool,
    began: Instant,
    steps_max: usize,
    /// What had to be repaired in the device's messages.
    pub(crate) quirks: Quirks,
    /// What was said.
    pub(crate) steps: Vec<Step>,
    /// How many steps there was no room for.
    pub(crate) steps_dropped: u64,
    /// How many requests were sent to the device.
    pub(crate) rpcs: u32,
}

/// A request that is on its way.
pub(crate) struct Asked {
    /// What was asked.
    pub(crate) request: Message,
    id: String,
    sent: Instant,
}

impl Conversation {
    /// A session whose Inform waits for its answer in `owed`, until then.
    pub(crate) fn new(
        (owed, owed_until): (oneshot::Sender<Reply>, Instant),
        line: Line,
        handle: &Handle,
        stopping: CancellationToken,
        settings: &SessionSettings,
    ) -> Self {
        Self {
            line,
            owed: Some(owed),
            owed_until,
            answer_max: settings.answer,
            session_max: settings.session_max,
            superseded: handle.superseded.clone(),
            stopping,
            silence: SILENCE_MIN,
            silence_agreed: SILENCE_MIN,
            namespace: String::new(),
            habits: Habits::default(),
            id_prefix: handle.session.as_str().chars().take(8).chain(['-']).collect(),
            requests: 0,
            is_open: false,
            began: Instant::now(),
            steps_max: settings.steps_max,
            quirks: Quirks::default(),
            steps: Vec::new(),
            steps_dropped: 0,
            rpcs: 0,
        }
    }

    /// Sets how long the device may be silent, and the namespace of all that follows. Where
    /// places are scarce, a device that has sent nothing but an Inform, as anybody can, gets no
    /// longer than `usual`.
    pub(crate) fn agree(&mut self, silence: Duration, usual: Duration, namespace: String) {
        self.silence_agreed = silence;
        self.silence = if self.line.is_crowded { silence.min(usual) } else { silence };
        self.namespace = namespace;
    }

    /// Whether work may have been queued for the device since it was last looked for. After a no
    /// the session is to end: nobody leaves work to it any more.
    pub(crate) fn is_wanted(&self) -> bool {
        self.line.wanted.take()
    }

    /// Nobody is to leave work to this session any more.
    pub(crate) fn close_to_work(&self) {
        self.line.wanted.close();
    }

    /// How long the session has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// The next POST.
    pub(crate) async fn receive(&mut self) -> Result<Content, Lost> {
        self.is_open = true;
        let post = loop {
            if self.began.elapsed() > self.session_max {
                limit_reached("session_time");
                return Err(Lost::TooLong(self.session_max));
            }
            let post = tokio::select! {
                biased;
                () = self.superseded.cancelled() => return Err(Lost::Superseded),
                post = tokio::time::timeout(self.silence, self.line.posts.recv()) => post,
                () = self.stopping.cancelled() => return Err(Lost::Stopping),
            };
            match post {
                Ok(Some(post)) => break post,
                // A body on its way has deadlines of its own.
                Err(_) if self.line.arriving.any() => {}
                Ok(None) | Err(_) => return Err(Lost::Silent(self.silence)),
            }
        };
        self.silence = self.silence_agreed;
        self.owed = Some(post.reply);
        self.owed_until = post.deadline;
        self.quirks.add(&post.quirks);
        post.content.map_err(Lost::Violation)
    }

    /// Returns when the session cannot go on, whatever the server is doing for it: the device
    /// has begun anew or hung up, or the server stops.
    pub(crate) async fn interrupted(&mut self) -> Lost {
        let (owed_until, answer_max) = (self.owed_until, self.answer_max);
        let abandoned = async {
            match &mut self.owed {
                Some(owed) => owed.closed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = self.superseded.cancelled() => Lost::Superseded,
            () = abandoned => {
                if Instant::now() >= owed_until {
                    Lost::TooSlow(answer_max)
                } else {
                    Lost::Abandoned
                }
            }
            () = self.stopping.cancelled() => Lost::Stopping,
        }
    }

    /// Answers a request of the device, with the ID of the request.
    pub(crate) fn respond(&mut self, request: &Header, message: Message, version: Option<String>) {
        let header =
            Header { id: request.id.clone(), use_cwmp_version: version, ..Header::default() };
        self.send(header, message);
    }

    /// Answers a request of the device with a fault.
    pub(crate) fn respond_fault(&mut self, request: &Header, fault: AcsFault) {
        self.respond(request, Message::Fault(fault.to_fault()), None);
    }

    /// Answers the Inform of a device that is not let in.
    pub(crate) fn respond_refusal(&mut self, request: &Header, code: u32, text: &str) {
        let mut fault = AcsFault::RequestDenied.to_fault();
        fault.fault_code = code;
        cut(text).clone_into(&mut fault.fault_string);
        self.respond(request, Message::Fault(fault), None);
    }

    /// Sends a request to the device, if there is still somebody who waits for it.
    pub(crate) fn ask(&mut self, request: Message) -> Result<Asked, Lost> {
        if self.owed.as_ref().is_none_or(oneshot::Sender::is_closed) {
            return Err(Lost::Unsent);
        }
        self.requests += 1;
        self.rpcs += 1;
        let id = format!("{}{}", self.id_prefix, self.requests);
        let header = Header { id: Some(id.clone()), ..Header::default() };
        let request = self.send(header, request);
        Ok(Asked { request, id, sent: Instant::now() })
    }

    /// Takes a POST as the answer to a request: its response or its fault.
    pub(crate) fn answer_to(&mut self, asked: &Asked, post: Content) -> Result<Message, Lost> {
        let name = asked.request.name();
        let answer = match post {
            Content::Message(envelope) => *envelope,
            Content::Empty => return Err(Lost::Violation(format!("no answer to {name}"))),
        };
        match answer.header.id.as_deref().map(str::trim) {
            Some(id) if id != asked.id && id.starts_with(&self.id_prefix) => {
                // A copy of an earlier answer must not pass for this one.
                return Err(Lost::Violation(format!("an old answer in answer to {name}")));
            }
            Some(id) if id != asked.id => {
                // Some devices answer with an ID of their own; one request is out at a time.
                tracing::debug!(method = name, "the answer has another ID than the request");
            }
            _ => {}
        }
        let message = answer.message;
        if !message.answers(name) && !matches!(message, Message::Fault(_)) {
            return Err(Lost::Violation(format!("{:?} in answer to {name}", cut(message.name()))));
        }
        let outcome = if matches!(message, Message::Fault(_)) { "fault" } else { "ok" };
        let labels = [("method", name.to_owned()), ("outcome", outcome.to_owned())];
        metrics::counter!("trellis_rpcs_total", &labels).increment(1);
        let said = brief_answer(&asked.request, &message);
        self.note(name, &brief(&asked.request), &said, asked.sent);
        Ok(message)
    }

    /// Ends the session: there is nothing left to say.
    pub(crate) fn end(&mut self) {
        self.reply(if self.habits.ends_with_200 { Reply::Empty } else { Reply::NoContent });
    }

    /// Ends the session badly, if an answer is still owed.
    pub(crate) fn refuse(&mut self, lost: &Lost) {
        self.reply(match lost {
            // In mid-session a 503 means nothing to a device (TR-069 3.7.2).
            Lost::Stopping | Lost::Store(_) if !self.is_open => {
                Reply::Unavailable(lost.to_string())
            }
            Lost::Refused(why) => Reply::Forbidden(why.clone()),
            other => Reply::BadRequest(other.to_string()),
        });
    }

    /// Notes an exchange that the device began.
    pub(crate) fn note_request(&mut self, request: &Message, answer: &str) {
        self.note(request.name(), &brief(request), answer, Instant::now());
    }

    /// Notes an action of the plugin and what became of it.
    pub(crate) fn note_action(&mut self, name: &str, outcome: &str, began: Instant) {
        self.note("action", name, outcome, began);
    }

    /// Sends a message and gives it back.
    fn send(&mut self, header: Header, message: Message) -> Message {
        let envelope = Envelope { namespace: self.namespace.clone(), header, message };
        let reply = match encode_in_style(&envelope, self.habits.style) {
            Ok(bytes) => Reply::Envelope(bytes),
            // Requests are checked before, so this is a fault of ours.
            Err(error) => {
                tracing::error!(%error, method = envelope.message.name(), "cannot be encoded");
                Reply::BadRequest(error.to_string())
            }
        };
        self.reply(reply);
        envelope.message
    }

    fn reply(&mut self, reply: Reply) {
        if let Some(owed) = self.owed.take() {
            // Nobody listens when the connection is gone; the device will begin anew.
            let _ = owed.send(reply);
        }
    }

    fn note(&mut self, method: &str, request: &str, answer: &str, sent: Instant) {
        let (method, request, answer) = (cut(method), cut(request), cut(answer));
        tracing::debug!(method, request, answer, ms = millis(sent.elapsed()), "rpc");
        if self.steps.len() >= self.steps_max {
            if self.steps_dropped == 0 {
                limit_reached("steps");
            }
            self.steps_dropped += 1;
            return;
        }
        let after_ms = millis(self.began.elapsed());
        self.steps.push(Step { after_ms, method, request, answer });
    }
}

/// The longest text of a step, in bytes; part of it is the device's own.
const TEXT_BYTES_MAX: usize = 400;

/// As much of a text as is shown.
pub(crate) fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(TEXT_BYTES_MAX);
    text.get(..end).unwrap_or_default().to_owned()
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
