//! A device and a server in memory, to test a plugin without either. Not there in a component.
//!
//! ```
//! use trellis_plugin::bench::Bench;
//! # use trellis_plugin::{Cpe, Manifest, Plugin, Result};
//! # struct Hello;
//! # impl Plugin for Hello {
//! #     type Settings = trellis_plugin::serde_json::Value;
//! #     fn manifest() -> Manifest { Manifest::new("hello", "0.1.0") }
//! #     fn provision(cpe: &mut Cpe, _: Self::Settings) -> Result<()> {
//! #         let up = cpe.get::<u32>("Device.DeviceInfo.UpTime")?;
//! #         cpe.fact("device.uptime-s", up)
//! #     }
//! # }
//! let mut bench = Bench::new("Device.");
//! bench.parameter("Device.DeviceInfo.UpTime", "unsignedInt", "42");
//! bench.session(&["2 PERIODIC"], &[]);
//! bench.run::<Hello>().unwrap();
//! assert_eq!(bench.rpcs(), ["GetParameterValues Device.DeviceInfo.UpTime"]);
//! assert_eq!(bench.fact("device.uptime-s"), Some(&42.0.into()));
//! ```

mod calls;
mod device;
mod transcript;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

use crate::bindings::trellis::acs::transfers::{AnyQueuedTransfer, TransferStatus};
use crate::bindings::trellis::acs::types::{Error as WireError, ParameterValue};
use crate::{Admission, DeviceId, Event, Fact, Fault, Manifest, Plugin, Transfer};

pub(crate) use self::calls::{
    control, deadlines, facts, log, memory, parameters, session, settings, software, transfers,
};

thread_local! {
    /// The bench of the plugin that runs on this thread.
    static RUNNING: RefCell<Option<Bench>> = const { RefCell::new(None) };
}

/// The device, the server and what both of them remember.
#[derive(Debug)]
pub struct Bench {
    device: DeviceId,
    root: String,
    now: u64,
    told: Told,
    /// Whether the last run failed: the next one is told again what it was told.
    tells_again: bool,
    queue: Vec<AnyQueuedTransfer>,
    parameters: BTreeMap<String, Parameter>,
    /// What a new row of a table has: its names, and what they begin as.
    tables: BTreeMap<String, Vec<(String, Parameter)>>,
    /// The last number of a row that a table gave.
    instances: BTreeMap<String, u32>,
    settings: Option<Json>,
    reach: Reach,
    faults: VecDeque<(String, u32)>,
    rpcs: Vec<String>,
    memory: BTreeMap<String, Vec<u8>>,
    memory_writes: usize,
    deadlines: BTreeMap<String, u64>,
    facts: BTreeMap<String, Fact>,
    log: Vec<String>,
    transcript: String,
}

/// What the device has told.
#[derive(Debug, Default)]
struct Told {
    events: Vec<Event>,
    /// The names of the Inform's parameters.
    inform: Vec<String>,
    transfers: Vec<Transfer>,
    changed_elsewhere: bool,
}

/// Whom the hook that runs can speak to, as on the server.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reach {
    Device,
    /// The device has yet to be let in, and nothing is kept.
    AtInform,
    /// The device is not there.
    Nobody,
}

/// Events that are not told again: the device has them each time.
const PASSING_EVENTS: [&str; 3] = ["2 PERIODIC", "6 CONNECTION REQUEST", "14 HEARTBEAT"];

/// The faults that an Inform may be refused with, and the one that stands for any other.
const REFUSALS: [std::ops::RangeInclusive<u32>; 2] = [8000..=8006, 8800..=8899];
const REQUEST_DENIED: u32 = 8001;

/// How far ahead a deadline is at least that a plugin sets when it is woken, in seconds.
const WOKEN_AGAIN_MIN: u64 = 10;

#[derive(Clone, Debug)]
struct Parameter {
    value: String,
    kind: String,
    notification: u32,
    read_only: bool,
}

impl Bench {
    /// A device with this root of the data model, and no parameters yet.
    pub fn new(root: &str) -> Self {
        Self {
            device: DeviceId {
                manufacturer: "Acme".to_owned(),
                oui: "00AABB".to_owned(),
                product_class: "FR-500".to_owned(),
                serial_number: "S1".to_owned(),
            },
            root: root.to_owned(),
            now: 1_800_000_000,
            told: Told::default(),
            tells_again: false,
            queue: Vec::new(),
            parameters: BTreeMap::new(),
            tables: BTreeMap::new(),
            instances: BTreeMap::new(),
            settings: None,
            reach: Reach::Device,
            faults: VecDeque::new(),
            rpcs: Vec::new(),
            memory: BTreeMap::new(),
            memory_writes: 0,
            deadlines: BTreeMap::new(),
            facts: BTreeMap::new(),
            log: Vec::new(),
            transcript: String::new(),
        }
    }

    /// Gives the device a parameter, or another value of it.
    pub fn parameter(&mut self, name: &str, kind: &str, value: &str) -> &mut Self {
        let known = self.parameters.get(name);
        let notification = known.map_or(0, |known| known.notification);
        let read_only = known.is_some_and(|known| known.read_only);
        let (value, kind) = (value.to_owned(), kind.to_owned());
        let parameter = Parameter { value, kind, notification, read_only };
        self.parameters.insert(name.to_owned(), parameter);
        self
    }

    /// Gives the device a table, such as `Device.NAT.PortMapping.`, with what a new row of it has: name,
    /// type and value, the name as it is below the row.
    pub fn table(&mut self, table: &str, row: &[(&str, &str, &str)]) -> &mut Self {
        let row = row.iter().map(|(name, kind, value)| {
            let (value, kind) = ((*value).to_owned(), (*kind).to_owned());
            ((*name).to_owned(), Parameter { value, kind, notification: 0, read_only: false })
        });
        self.tables.insert(table.to_owned(), row.collect());
        self
    }

    /// Has the device refuse to have a parameter set: fault 9003, with 9008 for this one.
    pub fn read_only(&mut self, name: &str) -> &mut Self {
        if let Some(parameter) = self.parameters.get_mut(name) {
            parameter.read_only = true;
        }
        self
    }

    /// Has the device forget what it was to tell of, as after a reset.
    pub fn forget_notifications(&mut self) -> &mut Self {
        for parameter in self.parameters.values_mut() {
            parameter.notification = 0;
        }
        self
    }

    /// Sets the operator's settings, over the manifest's defaults; `null` leaves the defaults. They
    /// are taken as they are: only the server holds them against the schema.
    pub fn settings(&mut self, settings: Json) -> &mut Self {
        self.settings = Some(settings);
        self
    }

    /// Answers the next request whose text in [`rpcs`](Self::rpcs) begins so with a fault.
    pub fn fault(&mut self, request: &str, code: u32) -> &mut Self {
        self.faults.push_back((request.to_owned(), code));
        self
    }

    /// Lets time pass.
    pub fn wait(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now.saturating_add(seconds);
        self
    }

    /// Begins a session: why the device calls, and which parameters its Inform has. An event may have
    /// a command key: `M Reboot:key`. Forgets the last session's requests. Where the last run failed, the
    /// plugin is told again what that was told, as on the server.
    pub fn session(&mut self, events: &[&str], inform: &[&str]) -> &mut Self {
        let event = |event: &&str| {
            let (code, key) = event.split_once(':').unwrap_or((event, ""));
            Event { code: code.to_owned(), command_key: key.to_owned() }
        };
        let told = Told {
            events: events.iter().map(event).collect(),
            inform: inform.iter().map(|name| (*name).to_owned()).collect(),
            ..Told::default()
        };
        let before = std::mem::replace(&mut self.told, told);
        if std::mem::take(&mut self.tells_again) {
            for event in before.events {
                let is_same =
                    |it: &Event| (&it.code, &it.command_key) == (&event.code, &event.command_key);
                let is_passing = PASSING_EVENTS.contains(&event.code.as_str());
                if !is_passing && !self.told.events.iter().any(is_same) {
                    self.told.events.push(event);
                }
            }
            self.told.transfers = before.transfers;
            self.told.changed_elsewhere = before.changed_elsewhere;
        }
        self.rpcs.clear();
        self.memory_writes = 0;
        let told = self.told.events.iter().map(|event| match event.command_key.as_str() {
            "" => event.code.clone(),
            key => format!("{}:{key}", event.code),
        });
        let told: Vec<String> = told.collect();
        self.note_begin(&format!("session {}", told.join(", ")));
        self
    }

    /// The device has another ParameterKey in this session than its last change had.
    pub fn changed_elsewhere(&mut self) -> &mut Self {
        self.told.changed_elsewhere = true;
        self
    }

    /// The device knows nothing of the transfers that it was asked for, as when the requests were
    /// lost on their way.
    pub fn forget_transfers(&mut self) -> &mut Self {
        self.queue.clear();
        self
    }

    /// The device reports the end of a transfer in this session; 0 is success.
    pub fn completed(&mut self, command_key: &str, fault_code: u32) -> &mut Self {
        self.queue.retain(|it| it.command_key != command_key);
        let unknown_time = || "0001-01-01T00:00:00Z".to_owned();
        self.told.transfers.push(Transfer {
            command_key: command_key.to_owned(),
            file_type: String::new(),
            fault_code,
            fault_text: if fault_code == 0 { String::new() } else { "bench".to_owned() },
            start_time: unknown_time(),
            complete_time: unknown_time(),
        });
        self
    }

    /// Runs the plugin's turn. An error is the text that the server would store.
    pub fn run<P: Plugin>(&mut self) -> Result<(), String> {
        self.note("provision");
        let result = self.with(Reach::Device, crate::__provision::<P>, &P::manifest());
        self.note_end(&result);
        self.tells_again = result.is_err();
        if result.is_ok() {
            // Actions come after that, and are not told a second time.
            self.told.transfers.clear();
            self.told.changed_elsewhere = false;
        }
        result
    }

    /// Runs an action, after [`run`](Self::run) as on the server. The manifest must have it. The
    /// arguments are taken as they are: only the server holds them against the schema.
    pub fn action<P: Plugin>(&mut self, name: &str, arguments: &Json) -> Result<Json, String> {
        let manifest = P::manifest();
        if !manifest.has_action(name) {
            return Err(format!("the manifest has no action {name:?}: the server would refuse it"));
        }
        let arguments = arguments.to_string();
        let call = || crate::__action::<P>(name, &arguments);
        self.note(&format!("action {name} {arguments}"));
        let result = self.with(Reach::Device, call, &manifest);
        let result =
            result.and_then(|json| serde_json::from_str(&json).map_err(|error| error.to_string()));
        match &result {
            Ok(answer) => self.note(&format!("  = answered {answer}")),
            Err(why) => self.note(&format!("  = failed: {why}")),
        }
        result
    }

    /// Asks the plugin whether the device may come in. Everybody may where the manifest does not
    /// [say](Manifest::admits) that it is to be asked.
    pub fn admit<P: Plugin>(&mut self) -> Admission {
        let manifest = P::manifest();
        if !manifest.does_admit() {
            return Admission::Accept;
        }
        self.note("admit");
        let decision = match self.with(Reach::AtInform, crate::__admit::<P>, &manifest) {
            Admission::Refuse { code, text } if !REFUSALS.iter().any(|it| it.contains(&code)) => {
                Admission::Refuse { code: REQUEST_DENIED, text }
            }
            decision => {
                self.tells_again |= matches!(decision, Admission::Quarantine(_));
                decision
            }
        };
        self.note(&match &decision {
            Admission::Accept => "  = accepted".to_owned(),
            Admission::Refuse { code, text } => format!("  = refused {code} {text}"),
            Admission::Quarantine(why) => format!("  = quarantined: {why}"),
        });
        decision
    }

    /// Lets time pass until the first of the deadlines, and calls the plugin for it. `None` where
    /// there is no deadline.
    pub fn expire<P: Plugin>(&mut self) -> Option<Result<(), String>> {
        let (name, at) = self.deadlines.iter().min_by_key(|(_, at)| **at)?;
        let (name, at) = (name.clone(), *at);
        self.now = self.now.max(at);
        self.deadlines.remove(&name);
        self.rpcs.clear();
        // The device is not there to tell of anything; what it has told waits for its next session.
        let told = std::mem::take(&mut self.told);
        self.note_begin(&format!("expired {name}"));
        let result = self.with(Reach::Nobody, || crate::__expired::<P>(&name), &P::manifest());
        self.note_end(&result);
        self.told = told;
        Some(result)
    }

    /// The deadlines that are set: name, and seconds since 1970.
    pub fn deadlines(&self) -> &BTreeMap<String, u64> {
        &self.deadlines
    }

    /// Calls the plugin with this bench as its host.
    fn with<T>(&mut self, reach: Reach, call: impl FnOnce() -> T, manifest: &Manifest) -> T {
        self.reach = reach;
        let settings = overlay(manifest, self.settings.as_ref());
        let mut bench = std::mem::replace(self, Self::new(""));
        let own = bench.settings.replace(settings);
        RUNNING.set(Some(bench));
        let result = call();
        if let Some(mut bench) = RUNNING.take() {
            bench.settings = own;
            *self = bench;
        }
        result
    }

    /// The requests of this session: the method, and what it was asked for.
    pub fn rpcs(&self) -> &[String] {
        &self.rpcs
    }

    /// A parameter's value on the device.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(|parameter| parameter.value.as_str())
    }

    /// How a parameter is watched: the standard's number.
    pub fn notification(&self, name: &str) -> Option<u32> {
        self.parameters.get(name).map(|parameter| parameter.notification)
    }

    /// A published fact.
    pub fn fact(&self, name: &str) -> Option<&Fact> {
        self.facts.get(name)
    }

    /// How often the plugin wrote its memory in this session.
    pub fn memory_writes(&self) -> usize {
        self.memory_writes
    }

    /// The lines of the log, of all sessions.
    pub fn log(&self) -> &[String] {
        &self.log
    }

    /// Notes a request, and is the fault that was ordered for it.
    fn request(&mut self, text: String) -> Result<(), WireError> {
        self.request_with(text, &[])
    }

    /// The same for one that sets values.
    fn request_with(&mut self, text: String, values: &[ParameterValue]) -> Result<(), WireError> {
        let refused = match self.reach {
            Reach::Device => None,
            Reach::AtInform => Some("the device has yet to be let in: nothing can be asked of it"),
            Reach::Nobody => Some("the device is not there"),
        };
        self.note(&format!("  > {text}"));
        self.note_values(values);
        if let Some(why) = refused {
            return self.noted(Err(WireError::Refused(why.to_owned())));
        }
        let ordered = self.faults.iter().position(|(request, _)| text.starts_with(request));
        self.rpcs.push(text);
        match ordered.and_then(|position| self.faults.remove(position)) {
            Some((_, code)) => self.noted(Err(fault(code))),
            None => Ok(()),
        }
    }

    /// Queues a transfer that the device was asked for.
    fn transfer(
        &mut self,
        method: &str,
        url: &str,
        queued: AnyQueuedTransfer,
    ) -> Result<TransferStatus, WireError> {
        self.request(format!("{method} {} {url}", queued.command_key))?;
        self.queue.push(queued);
        Ok(TransferStatus { status: 1, start_time: String::new(), complete_time: String::new() })
    }

    /// Whether the hook that runs may leave something behind.
    fn may_keep(&self) -> Result<(), String> {
        if self.reach == Reach::AtInform {
            return Err("the device has yet to be let in: nothing can be kept".to_owned());
        }
        Ok(())
    }

    fn remember(&mut self, key: &str, value: Option<&[u8]>) -> Result<(), String> {
        self.may_keep()?;
        self.memory_writes = self.memory_writes.saturating_add(1);
        self.note_memory(key, value);
        match value {
            Some(value) => drop(self.memory.insert(key.to_owned(), value.to_vec())),
            None => drop(self.memory.remove(key)),
        }
        Ok(())
    }

    fn set_deadline(&mut self, name: &str, at: u64) -> Result<(), String> {
        self.may_keep()?;
        let soonest = self.now.saturating_add(WOKEN_AGAIN_MIN);
        let at = if self.reach == Reach::Nobody { at.max(soonest) } else { at };
        self.note(&format!("  deadline {name} at {at}"));
        self.deadlines.insert(name.to_owned(), at);
        Ok(())
    }

    fn publish(&mut self, name: &str, value: Option<&Fact>) -> Result<(), String> {
        self.may_keep()?;
        self.note_fact(name, value);
        match value {
            Some(value) => drop(self.facts.insert(name.to_owned(), value.clone())),
            None => drop(self.facts.remove(name)),
        }
        Ok(())
    }
}

/// FNV-1a, in hexadecimal digits.
fn digest(text: &str) -> String {
    let digest = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |digest, byte| {
        (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{digest:016x}")
}

/// The operator's settings over the manifest's defaults, as the server lays them: objects are
/// merged, everything else is replaced.
fn overlay(manifest: &Manifest, own: Option<&Json>) -> Json {
    let mut settings = manifest.default_settings().clone();
    if let Some(own @ Json::Object(_)) = own {
        merge(&mut settings, own);
    }
    settings
}

fn merge(settings: &mut Json, own: &Json) {
    match (settings, own) {
        (Json::Object(settings), Json::Object(own)) => {
            for (name, value) in own {
                merge(settings.entry(name.clone()).or_insert(Json::Null), value);
            }
        }
        (settings, own) => *settings = own.clone(),
    }
}

fn fault(code: u32) -> WireError {
    WireError::Fault(Fault { code, text: "bench".to_owned(), parameters: Vec::new() })
}

#[cfg(test)]
mod tests;
