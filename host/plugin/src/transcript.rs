//! A recording as it is kept: without secrets, in a form that later versions read.
//!
//! Messages are kept as SOAP envelopes, the standard's own form.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use trellis_cwmp::{
    AutonomousDUStateChangeComplete, CwmpVersion, DUStateChangeComplete, Envelope, Header, Inform,
    Message, decode, encode, namespace,
};

use crate::exchange::Exchange;
use crate::hook::{Admission, Answer, Hook};
use crate::http::HttpLimits;
use crate::limits::Limits;
use crate::recording::{Call, Recording, Rpc};
use crate::redact::{Redactor, without_marks};
use crate::scrub::Scrubber;
use crate::settings::{PluginSettings, RevisionKey};
use crate::state::{Context, FactValue, Notes, Portions};

/// One run of a plugin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    /// What was called.
    pub hook: Hook,
    /// What it began with.
    pub input: Input,
    /// What it did, in order.
    pub calls: Vec<CallRecord>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether there was no room for all of it: then it cannot be run again.
    pub is_cut: bool,
}

/// What a run began with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// The device, as logs name it.
    pub device: String,
    /// The version of CWMP in the session.
    pub cwmp_version: String,
    /// The Inform, as an envelope.
    pub inform: String,
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: String,
    /// See [`Context::changed_elsewhere`].
    pub changed_elsewhere: bool,
    /// What the device sent before the plugin's turn, as envelopes.
    pub messages: Vec<String>,
    /// See [`Portions::names_max`].
    pub names_max: Option<u64>,
    /// See [`Portions::values_max`].
    pub values_max: Option<u64>,
    /// See [`Portions::by_level`].
    pub by_level: bool,
    /// See [`Context::methods_lacking`].
    pub methods_lacking: BTreeSet<String>,
    /// Seconds since 1970.
    pub now: u64,
    /// What the plugin had in its memory.
    pub memory: BTreeMap<String, Vec<u8>>,
    /// Its deadlines.
    pub deadlines: BTreeMap<String, u64>,
    /// The settings that held, as JSON.
    pub settings: String,
    /// What of them was set, as JSON; the rest are the defaults of the version that ran.
    pub settings_set: String,
    /// What random numbers that need not be secret were made of.
    pub seed: u64,
    /// What it could use.
    pub limits: Option<Limits>,
    /// What it could use of HTTP.
    #[serde(default)]
    pub http_limits: Option<HttpLimits>,
}

/// A call of the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallRecord {
    /// A request to the device and its answer, as envelopes; or why there is none.
    Rpc {
        /// The request.
        request: String,
        /// The response or the fault.
        answer: Result<String, String>,
    },
    /// A request that the host refused.
    Refused {
        /// The method.
        method: String,
        /// What was wrong with it.
        why: String,
    },
    /// Something kept in the memory, or deleted from it.
    Memory {
        /// Its key.
        key: String,
        /// Its value.
        value: Option<Vec<u8>>,
    },
    /// A deadline set, or cleared.
    Deadline {
        /// Its name.
        name: String,
        /// Seconds since 1970.
        at: Option<u64>,
    },
    /// A fact published, or withdrawn.
    Fact {
        /// Its name.
        name: String,
        /// Its value.
        value: Option<FactValue>,
    },
    /// A line of log.
    Log {
        /// `debug`, `info`, `warn` or `error`.
        level: String,
        /// The line.
        line: String,
    },
    /// A request over HTTP.
    Http(Box<Exchange>),
    /// A part of the settings asked for its revision.
    Revision {
        /// The part, as a JSON pointer.
        part: String,
        /// Its revision.
        revision: String,
    },
    /// Something read of what the run began with.
    Read {
        /// The function.
        what: String,
    },
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Well.
    Answered(Answer),
    /// In a fault: its kind, and what happened.
    Failed(String, String),
}

impl Transcript {
    /// Recordings of one session as they are kept: without secrets, as far as `redactor` can tell
    /// them. What one run names as a secret is one in all of them.
    pub fn of(recordings: &[Recording], redactor: &mut Redactor) -> Vec<Self> {
        let named: Vec<Self> = recordings.iter().map(|it| Self::named(it, redactor)).collect();
        let scrubber = redactor.scrubber();
        if scrubber.is_overfull() {
            return recordings.iter().map(Self::withheld).collect();
        }
        named.into_iter().map(|transcript| transcript.scrubbed(&scrubber)).collect()
    }

    /// That there was a run, and nothing of what it knew.
    fn withheld(recording: &Recording) -> Self {
        let hook = match &recording.hook {
            Hook::Action { name, .. } => {
                Hook::Action { name: name.clone(), arguments: "{}".to_owned() }
            }
            hook => hook.clone(),
        };
        let outcome = match &recording.outcome {
            Ok(_) => Outcome::Answered(Answer::Done),
            Err((kind, _)) => Outcome::Failed(kind.name().to_owned(), String::new()),
        };
        let device = recording.context.device.clone();
        let input = Input { device, now: recording.context.now_seconds, ..Input::default() };
        Self { hook, input, calls: Vec::new(), outcome, is_cut: true }
    }

    /// A recording without the secrets that are named.
    fn named(recording: &Recording, redactor: &mut Redactor) -> Self {
        let context = &recording.context;
        let input = input(context, redactor);
        let hook = match &recording.hook {
            Hook::Action { name, arguments } => {
                Hook::Action { name: name.clone(), arguments: redactor.json(arguments) }
            }
            hook => hook.clone(),
        };
        let calls = recording.calls.iter().map(|call| record(call, redactor)).collect();
        let outcome = match &recording.outcome {
            Ok(Answer::Result(json)) => {
                // As JSON, so that it is the same however the plugin's language writes it.
                let value = serde_json::from_str::<serde_json::Value>(json);
                let json = value.map_or_else(|_| json.clone(), |value| value.to_string());
                Outcome::Answered(Answer::Result(redactor.json(&json)))
            }
            Ok(answer) => Outcome::Answered(answer.clone()),
            Err((kind, message)) => Outcome::Failed(kind.name().to_owned(), message.clone()),
        };
        Self { hook, input, calls, outcome, is_cut: recording.is_cut }
    }

    /// Without the secrets that were met elsewhere.
    fn scrubbed(self, scrubber: &Scrubber) -> Self {
        let Self { hook, input, calls, outcome, is_cut } = self;
        let hook = match hook {
            Hook::Action { name, arguments } => {
                Hook::Action { name, arguments: scrubber.json(arguments) }
            }
            hook => hook,
        };
        let memory = input.memory.into_iter();
        let input = Input {
            inform: scrubber.envelope(input.inform),
            messages: input.messages.into_iter().map(|it| scrubber.envelope(it)).collect(),
            memory: memory.map(|(key, it)| (scrubber.text(&key), scrubber.bytes(it))).collect(),
            settings: scrubber.json(input.settings),
            settings_set: scrubber.json(input.settings_set),
            ..input
        };
        let calls = calls.into_iter().map(|call| scrubbed(call, scrubber)).collect();
        let outcome = match outcome {
            Outcome::Answered(Answer::Result(json)) => {
                Outcome::Answered(Answer::Result(scrubber.json(json)))
            }
            Outcome::Answered(Answer::Admission(Admission::Refuse { code, text })) => {
                let text = scrubber.text(&text);
                Outcome::Answered(Answer::Admission(Admission::Refuse { code, text }))
            }
            Outcome::Answered(Answer::Admission(Admission::Quarantine(why))) => {
                Outcome::Answered(Answer::Admission(Admission::Quarantine(scrubber.text(&why))))
            }
            Outcome::Failed(kind, message) => Outcome::Failed(kind, scrubber.text(&message)),
            outcome => outcome,
        };
        Self { hook, input, calls, outcome, is_cut }
    }

    /// The revisions of parts of the settings that were told.
    fn revisions(&self) -> BTreeMap<String, String> {
        let told = self.calls.iter().filter_map(|call| match call {
            CallRecord::Revision { part, revision } => Some((part.clone(), revision.clone())),
            _ => None,
        });
        told.collect()
    }

    /// What a run over this transcript begins with. Fails where it cannot be read.
    pub fn context(&self, record_bytes: usize) -> Result<Context, String> {
        let input = &self.input;
        let Message::Inform(inform) = read(&input.inform)? else {
            return Err("the Inform of the transcript is none".to_owned());
        };
        let version = CwmpVersion::parse(&input.cwmp_version);
        let size = |number: Option<u64>| number.and_then(|it| usize::try_from(it).ok());
        let mut context = Context {
            device: input.device.clone(),
            device_id: inform.device_id,
            cwmp_version: version.unwrap_or(CwmpVersion::V1_0),
            events: inform.event,
            inform_parameters: Arc::new(inform.parameter_list),
            root: input.root.clone(),
            changed_elsewhere: input.changed_elsewhere,
            retry_count: inform.retry_count,
            transfers: Vec::new(),
            operations: Vec::new(),
            requested_downloads: Vec::new(),
            portions: Portions {
                names_max: size(input.names_max),
                values_max: size(input.values_max),
                by_level: input.by_level,
            },
            methods_lacking: input.methods_lacking.clone(),
            now_seconds: input.now,
            notes: Notes { memory: input.memory.clone(), deadlines: input.deadlines.clone() },
            settings: PluginSettings {
                effective: Arc::from(input.settings.as_str()),
                set: Arc::from(input.settings_set.as_str()),
                key: RevisionKey::default(),
                recorded: self.revisions(),
                misfit: None,
            },
            seed: input.seed,
            record_bytes,
            is_rehearsal: true,
            recorded_http: self.calls.iter().filter_map(CallRecord::exchange).cloned().collect(),
            limits: None,
            http_limits: self.input.http_limits.clone(),
        };
        for message in &input.messages {
            context.add_message(read(message)?);
        }
        Ok(context)
    }
}

/// A message such that two are the same if, and only if, they ask the same; secrets look all the same.
pub fn comparable(message: &Message) -> String {
    without_marks(&envelope(Redactor::blunt().message(message)))
}

/// A message of a transcript.
pub(crate) fn read(envelope: &str) -> Result<Message, String> {
    let decoded = decode(envelope.as_bytes(), None);
    decoded.map(|it| it.envelope.message).map_err(|error| error.to_string())
}

impl CallRecord {
    /// The request over HTTP and its answer.
    pub fn exchange(&self) -> Option<&Exchange> {
        match self {
            Self::Http(exchange) => Some(exchange),
            _ => None,
        }
    }

    /// The request and the answer of an RPC.
    pub fn rpc(&self) -> Option<Result<Rpc, String>> {
        let Self::Rpc { request, answer } = self else { return None };
        let answer = match answer {
            Ok(answer) => match read(answer) {
                Ok(answer) => Ok(answer),
                Err(error) => return Some(Err(error)),
            },
            Err(why) => Err(why.clone()),
        };
        Some(read(request).map(|request| Rpc { request, answer }))
    }
}

fn input(context: &Context, redactor: &mut Redactor) -> Input {
    let settings = redactor.json(&context.settings.effective);
    let settings_set = redactor.json(&context.settings.set);
    let inform = Inform {
        device_id: context.device_id.clone(),
        event: context.events.clone(),
        max_envelopes: 1,
        current_time: String::new(),
        retry_count: context.retry_count,
        parameter_list: redactor.list(&context.inform_parameters),
    };
    let operations = context.operations.iter().cloned().map(|(command_key, result)| {
        if command_key.is_empty() {
            let results = vec![result];
            Message::AutonomousDUStateChangeComplete(AutonomousDUStateChangeComplete { results })
        } else {
            let results = vec![result];
            Message::DUStateChangeComplete(DUStateChangeComplete { results, command_key })
        }
    });
    let wanted = context.requested_downloads.iter().cloned().map(Message::RequestDownload);
    let messages = context.transfers.iter().cloned().chain(operations).chain(wanted);
    let memory = context.notes.memory.iter();
    let memory = memory.map(|(key, value)| (key.clone(), redactor.kept(key, value))).collect();
    let number = |size: Option<usize>| size.and_then(|it| u64::try_from(it).ok());
    Input {
        device: context.device.clone(),
        cwmp_version: context.cwmp_version.to_string(),
        inform: envelope(Message::Inform(inform)),
        root: context.root.clone(),
        changed_elsewhere: context.changed_elsewhere,
        messages: messages.map(envelope).collect(),
        names_max: number(context.portions.names_max),
        values_max: number(context.portions.values_max),
        by_level: context.portions.by_level,
        methods_lacking: context.methods_lacking.clone(),
        now: context.now_seconds,
        memory,
        deadlines: context.notes.deadlines.clone(),
        settings,
        settings_set,
        seed: context.seed,
        limits: context.limits.as_deref().cloned(),
        http_limits: context.http_limits.clone(),
    }
}

/// A message as it is kept. One that cannot be written is left out, and shows as an empty text.
pub(crate) fn envelope(message: Message) -> String {
    let namespace = namespace::CWMP_1_2.to_owned();
    let envelope = Envelope { namespace, header: Header::default(), message };
    let bytes = encode(&envelope).unwrap_or_default();
    String::from_utf8(bytes).unwrap_or_default()
}

/// A call without the secrets that are named.
fn record(call: &Call, redactor: &mut Redactor) -> CallRecord {
    match call {
        Call::Rpc(rpc) => {
            let request = envelope(redactor.message(&rpc.request));
            let answer = match &rpc.answer {
                Ok(answer) => Ok(envelope(redactor.message(answer))),
                Err(why) => Err(why.clone()),
            };
            CallRecord::Rpc { request, answer }
        }
        Call::Http(exchange) => CallRecord::Http(Box::new(redactor.exchange(exchange))),
        Call::Refused(method, why) => {
            CallRecord::Refused { method: method.clone(), why: why.clone() }
        }
        Call::Memory(key, value) => {
            let value = value.as_ref().map(|value| redactor.kept(key, value));
            CallRecord::Memory { key: key.clone(), value }
        }
        Call::Deadline(name, at) => CallRecord::Deadline { name: name.clone(), at: *at },
        Call::Fact(name, value) => {
            let value = value.as_ref().map(|value| redactor.fact(name, value));
            CallRecord::Fact { name: name.clone(), value }
        }
        Call::Log(level, line) => {
            CallRecord::Log { level: (*level).to_owned(), line: line.clone() }
        }
        Call::Revision(part, revision) => {
            CallRecord::Revision { part: part.clone(), revision: revision.clone() }
        }
        Call::Read(what) => CallRecord::Read { what: (*what).to_owned() },
    }
}

/// A call without the secrets that were met elsewhere.
fn scrubbed(call: CallRecord, scrubber: &Scrubber) -> CallRecord {
    match call {
        CallRecord::Rpc { request, answer } => CallRecord::Rpc {
            request: scrubber.envelope(request),
            answer: match answer {
                Ok(answer) => Ok(scrubber.envelope(answer)),
                Err(why) => Err(scrubber.text(&why)),
            },
        },
        CallRecord::Http(exchange) => CallRecord::Http(Box::new(scrubber.exchange(*exchange))),
        CallRecord::Refused { method, why } => {
            CallRecord::Refused { method, why: scrubber.text(&why) }
        }
        CallRecord::Memory { key, value } => {
            let value = value.map(|value| scrubber.bytes(value));
            CallRecord::Memory { key: scrubber.text(&key), value }
        }
        CallRecord::Deadline { name, at } => {
            CallRecord::Deadline { name: scrubber.text(&name), at }
        }
        CallRecord::Fact { name, value } => {
            let value = match value {
                Some(FactValue::Text(text)) => Some(FactValue::Text(scrubber.text(&text))),
                value => value,
            };
            CallRecord::Fact { name: scrubber.text(&name), value }
        }
        CallRecord::Log { level, line } => CallRecord::Log { level, line: scrubber.text(&line) },
        call @ (CallRecord::Revision { .. } | CallRecord::Read { .. }) => call,
    }
}
