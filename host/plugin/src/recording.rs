//! What a run was told, asked and did: enough to run it again without the device.
//!
//! A plugin has no other input than its host calls. Those that ask the device are recorded with
//! their answers; those that read what the run began with (the Inform, the memory, the settings)
//! are recorded by name, and what they read is in [`Context`]. So a later run of the same version
//! over the same recording does the same.

use trellis_cwmp::Message;

use crate::fault::FaultKind;
use crate::hook::{Answer, Hook};
use crate::state::{Context, FactValue};

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

/// Records a run, as far as there is room.
pub(crate) struct Recorder {
    calls: Vec<Call>,
    /// How many bytes there is room for yet.
    room: usize,
    is_cut: bool,
}

impl Recorder {
    /// With room for so many bytes; without any, nothing is recorded.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self { calls: Vec::new(), room: bytes_max, is_cut: bytes_max == 0 }
    }

    /// Notes a call. What it costs is not made where there is no room.
    pub(crate) fn note(&mut self, bytes: usize, call: impl FnOnce() -> Call) {
        if self.is_cut {
            return;
        }
        match self.room.checked_sub(bytes.saturating_add(size_of::<Call>())) {
            Some(room) => {
                self.room = room;
                self.calls.push(call());
            }
            None => self.is_cut = true,
        }
    }

    /// Whether anything is recorded.
    pub(crate) fn is_on(&self) -> bool {
        !self.is_cut
    }

    /// The recording of a run.
    pub(crate) fn finish(
        self,
        hook: Hook,
        context: Context,
        outcome: Result<Answer, (FaultKind, String)>,
    ) -> Recording {
        Recording { hook, context, calls: self.calls, outcome, is_cut: self.is_cut }
    }
}

/// About how many bytes a message takes.
pub(crate) fn size(message: &Message) -> usize {
    let list = |list: &trellis_cwmp::ParameterList| -> usize {
        list.iter().map(|row| row.name.len() + row.value.len() + 32).sum()
    };
    let small = 256;
    small
        + match message {
            Message::GetParameterValuesResponse(it) => list(&it.parameter_list),
            Message::SetParameterValues(it) => list(&it.parameter_list),
            Message::GetParameterValues(it) => it.parameter_names.iter().map(String::len).sum(),
            Message::GetParameterNamesResponse(it) => {
                it.parameter_list.iter().map(|row| row.name.len() + 32).sum()
            }
            Message::GetParameterAttributesResponse(it) => {
                it.parameter_list.iter().map(|row| row.name.len() + 64).sum()
            }
            Message::SetParameterAttributes(it) => {
                it.parameter_list.iter().map(|row| row.name.len() + 64).sum()
            }
            _ => 0,
        }
}
