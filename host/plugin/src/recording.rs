//! What a run was told, asked and did: enough to run it again without the device.
//!
//! A plugin has no other input than its host calls. Those that ask the device are recorded with
//! their answers; those that read what the run began with (the Inform, the memory, the settings)
//! are recorded by name, and what they read is in [`Context`]. So a later run of the same version
//! over the same recording does the same.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use trellis_cwmp::{Message, OpResultStruct, ParameterList};

use crate::exchange::Exchange;
use crate::fault::{FaultKind, limit_reached};
use crate::hook::{Answer, Hook};
use crate::state::{Context, FactValue};
use crate::transcript::envelope;

/// One run.
#[derive(Clone)]
pub struct Recording {
    /// What was called.
    pub hook: Hook,
    /// What it began with.
    pub context: Context,
    /// What it did, in order.
    pub calls: Vec<Call>,
    /// How it ended.
    pub outcome: Result<Answer, (FaultKind, String)>,
    /// Whether there was no room for all of it.
    pub is_cut: bool,
    /// About how many bytes all of it takes.
    pub bytes: usize,
}

/// A call of the host.
#[derive(Clone, PartialEq)]
pub enum Call {
    /// A request to the device.
    Rpc(Box<Rpc>),
    /// A request that the host refused: which, and why.
    Refused(String, String),
    /// Something kept in the memory, or deleted from it.
    Memory(String, Option<Vec<u8>>),
    /// A deadline set, or cleared.
    Deadline(String, Option<u64>),
    /// A fact published, or withdrawn.
    Fact(String, Option<FactValue>),
    /// A line of log: its level and its text.
    Log(&'static str, String),
    /// A request over HTTP.
    Http(Box<Exchange>),
    /// A part of the settings, and its revision.
    Revision(String, String),
    /// Something read of what the run began with.
    Read(&'static str),
}

/// A request to the device.
#[derive(Clone, PartialEq)]
pub struct Rpc {
    /// The request.
    pub request: Message,
    /// The response or the fault; or why there is none.
    pub answer: Result<Message, String>,
}

/// Records a run, as far as there is room. Clones record the same run.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<Tape>>);

struct Tape {
    calls: Vec<Call>,
    room: Room,
    heard: Heard,
}

/// Room for so many bytes. Once something did not fit, nothing fits any more.
#[derive(Default)]
struct Room {
    bytes: usize,
    is_over: bool,
}

impl Room {
    fn take(&mut self, bytes: usize) -> bool {
        match self.bytes.checked_sub(bytes) {
            Some(left) if !self.is_over => self.bytes = left,
            _ => self.is_over = true,
        }
        !self.is_over
    }
}

/// What a run has heard over HTTP, which may name secrets: also where it is not recorded.
#[derive(Default)]
struct Heard {
    exchanges: Vec<Exchange>,
    room: Room,
    /// How much was heard, in bytes and requests.
    amount: usize,
}

/// Where an exchange is recorded, for what becomes of it.
#[derive(Clone)]
pub(crate) struct ExchangeRecorder {
    recorder: Recorder,
    /// Its place among the calls, and that among what was heard.
    places: [usize; 2],
}

impl Tape {
    fn cut(&mut self) {
        if !std::mem::replace(&mut self.room.is_over, true) {
            limit_reached("plugin_recording");
        }
    }

    fn take(&mut self, bytes: usize) -> bool {
        let was_over = self.room.is_over;
        let fits = self.room.take(bytes);
        if !fits && !was_over {
            limit_reached("plugin_recording");
        }
        fits
    }
}

impl Recorder {
    /// With room for so many bytes; without any, nothing is recorded.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self(Arc::new(Mutex::new(Tape {
            calls: Vec::new(),
            room: Room { bytes: bytes_max, is_over: bytes_max == 0 },
            heard: Heard::default(),
        })))
    }

    /// Remembers what is heard over HTTP from now on, as far as there is room for it.
    pub(crate) fn hear(&self, bytes_max: usize) {
        self.lock().heard.room.bytes = bytes_max;
    }

    /// Notes a call. What it costs is not made where there is no room.
    pub(crate) fn note(&self, bytes: usize, call: impl FnOnce() -> Call) {
        let mut tape = self.lock();
        if tape.take(bytes.saturating_add(size_of::<Call>())) {
            tape.calls.push(call());
        }
    }

    /// Notes an exchange that goes on.
    pub(crate) fn note_exchange(&self, exchange: Exchange) -> ExchangeRecorder {
        let bytes = exchange.url.len() + exchange.body.as_bytes().len() + size_of::<Exchange>();
        let mut tape = self.lock();
        let places = [tape.calls.len(), tape.heard.exchanges.len()];
        tape.heard.amount = tape.heard.amount.saturating_add(1);
        if tape.heard.room.take(bytes) {
            tape.heard.exchanges.push(exchange.clone());
        }
        if tape.take(bytes.saturating_add(size_of::<Call>())) {
            tape.calls.push(Call::Http(Box::new(exchange)));
        }
        ExchangeRecorder { recorder: self.clone(), places }
    }

    /// How much was heard over HTTP so far, in bytes and requests.
    pub(crate) fn heard(&self) -> usize {
        self.lock().heard.amount
    }

    /// Looks at the requests over HTTP so far. Whether there was room for all that was heard: else
    /// none is looked at.
    pub(crate) fn look_at_heard(&self, look: impl FnMut(&Exchange)) -> bool {
        let heard = &self.lock().heard;
        if !heard.room.is_over {
            heard.exchanges.iter().for_each(look);
        }
        !heard.room.is_over
    }

    /// Whether there is room for so many bytes.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        let tape = self.lock();
        !tape.room.is_over && tape.room.bytes >= bytes
    }

    /// Leaves out what comes from now on.
    pub(crate) fn cut(&self) {
        self.lock().cut();
    }

    fn lock(&self) -> MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The recording of a run.
    pub(crate) fn finish(
        &self,
        hook: Hook,
        context: Context,
        outcome: Result<Answer, (FaultKind, String)>,
    ) -> Recording {
        let mut tape = self.lock();
        let is_cut = std::mem::replace(&mut tape.room.is_over, true);
        let used = context.record_bytes.saturating_sub(tape.room.bytes);
        let bytes = size_of::<Context>() + used + begun_with(&hook, &context) + answered(&outcome);
        Recording { hook, context, calls: std::mem::take(&mut tape.calls), outcome, is_cut, bytes }
    }
}

impl ExchangeRecorder {
    /// Notes what became of the exchange.
    pub(crate) fn note(&self, bytes: usize, change: impl Fn(&mut Exchange)) {
        let mut tape = self.recorder.lock();
        let [call, heard] = self.places;
        tape.heard.amount = tape.heard.amount.saturating_add(bytes);
        if tape.heard.room.take(bytes)
            && let Some(exchange) = tape.heard.exchanges.get_mut(heard)
        {
            change(exchange);
        }
        if tape.take(bytes)
            && let Some(Call::Http(exchange)) = tape.calls.get_mut(call)
        {
            change(exchange);
        }
    }
}

/// About how many bytes that takes which a run begins with.
fn begun_with(hook: &Hook, context: &Context) -> usize {
    let memory = context.notes.memory.iter().map(|(key, value)| key.len() + value.len());
    let arguments = if let Hook::Action { arguments, .. } = hook { arguments.len() } else { 0 };
    context.transfers.iter().map(size).sum::<usize>()
        + memory.sum::<usize>()
        + context.settings.effective.len()
        + context.settings.set.len()
        + list(&context.inform_parameters)
        + context.operations.len() * (size_of::<OpResultStruct>() + 512)
        // Up to 16 arguments of a name and a value.
        + context.requested_downloads.len() * 16 * 320
        + arguments
}

/// How many bytes an answer takes that has content.
fn answered(outcome: &Result<Answer, (FaultKind, String)>) -> usize {
    if let Ok(Answer::Result(json)) = outcome { json.len() } else { 0 }
}

/// About how many bytes a list of values takes.
fn list(list: &ParameterList) -> usize {
    list.iter().map(|row| row.name.len() + row.value.len() + 32).sum()
}

/// About how many bytes a message takes.
pub(crate) fn size(message: &Message) -> usize {
    let texts = |texts: &[String]| -> usize { texts.iter().map(|it| it.len() + 32).sum() };
    let small = 256;
    small
        + match message {
            Message::GetParameterValuesResponse(it) => list(&it.parameter_list),
            Message::SetParameterValues(it) => list(&it.parameter_list),
            Message::GetParameterValues(it) => texts(&it.parameter_names),
            Message::GetParameterNamesResponse(it) => {
                it.parameter_list.iter().map(|row| row.name.len() + 32).sum()
            }
            Message::GetParameterAttributesResponse(it) => {
                let rows = it.parameter_list.iter();
                rows.map(|row| row.name.len() + 64 + texts(&row.access_list)).sum()
            }
            Message::SetParameterAttributes(it) => {
                let rows = it.parameter_list.iter();
                rows.map(|row| row.name.len() + 64 + texts(&row.access_list)).sum()
            }
            Message::GetParameterAttributes(it) => texts(&it.parameter_names),
            Message::GetRPCMethodsResponse(it) => texts(&it.method_list),
            // The others are rare: as long as they are written.
            other => envelope(other.clone()).len(),
        }
}
