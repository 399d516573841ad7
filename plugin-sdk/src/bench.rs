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

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};

use serde_json::Value as Json;

use crate::bindings::trellis::acs::types::Error as WireError;
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
    events: Vec<Event>,
    inform: Vec<String>,
    transfers: Vec<Transfer>,
    changed_elsewhere: bool,
    parameters: BTreeMap<String, Parameter>,
    settings: Option<Json>,
    faults: VecDeque<(String, u32)>,
    rpcs: Vec<String>,
    memory: BTreeMap<String, Vec<u8>>,
    memory_writes: usize,
    deadlines: BTreeMap<String, u64>,
    facts: BTreeMap<String, Fact>,
    log: Vec<String>,
}

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
            events: Vec::new(),
            inform: Vec::new(),
            transfers: Vec::new(),
            changed_elsewhere: false,
            parameters: BTreeMap::new(),
            settings: None,
            faults: VecDeque::new(),
            rpcs: Vec::new(),
            memory: BTreeMap::new(),
            memory_writes: 0,
            deadlines: BTreeMap::new(),
            facts: BTreeMap::new(),
            log: Vec::new(),
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

    /// Sets the operator's settings, over the manifest's defaults; `null` leaves the defaults.
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

    /// Begins a session: why the device calls, and which parameters its Inform has. Forgets the
    /// last session's requests.
    pub fn session(&mut self, events: &[&str], inform: &[&str]) -> &mut Self {
        let event = |code: &&str| Event { code: (*code).to_owned(), command_key: String::new() };
        self.events = events.iter().map(event).collect();
        self.inform = inform.iter().map(|name| (*name).to_owned()).collect();
        self.transfers.clear();
        self.changed_elsewhere = false;
        self.rpcs.clear();
        self.memory_writes = 0;
        self
    }

    /// The device has another ParameterKey in this session than its last change had.
    pub fn changed_elsewhere(&mut self) -> &mut Self {
        self.changed_elsewhere = true;
        self
    }

    /// The device reports the end of a transfer in this session.
    pub fn completed(&mut self, command_key: &str, fault_code: u32) -> &mut Self {
        self.transfers.push(Transfer {
            command_key: command_key.to_owned(),
            file_type: String::new(),
            fault_code,
            fault_text: String::new(),
            start_time: String::new(),
            complete_time: String::new(),
        });
        self
    }

    /// Runs the plugin's turn. An error is the text that the server would store.
    pub fn run<P: Plugin>(&mut self) -> Result<(), String> {
        self.with(crate::__provision::<P>, &P::manifest())
    }

    /// Runs an action, after [`run`](Self::run) as on the server. The arguments are taken as they
    /// are: only the server holds them against the schema.
    pub fn action<P: Plugin>(&mut self, name: &str, arguments: &Json) -> Result<Json, String> {
        let arguments = arguments.to_string();
        let result = self.with(|| crate::__action::<P>(name, &arguments), &P::manifest())?;
        serde_json::from_str(&result).map_err(|error| error.to_string())
    }

    /// Asks the plugin whether the device may come in.
    pub fn admit<P: Plugin>(&mut self) -> Admission {
        self.with(crate::__admit::<P>, &P::manifest())
    }

    /// Lets time pass until the first of the deadlines, and calls the plugin for it. `None` where
    /// there is no deadline.
    pub fn expire<P: Plugin>(&mut self) -> Option<Result<(), String>> {
        let (name, at) = self.deadlines.iter().min_by_key(|(_, at)| **at)?;
        let (name, at) = (name.clone(), *at);
        self.now = self.now.max(at);
        self.deadlines.remove(&name);
        self.rpcs.clear();
        Some(self.with(|| crate::__expired::<P>(&name), &P::manifest()))
    }

    /// The deadlines that are set: name, and seconds since 1970.
    pub fn deadlines(&self) -> &BTreeMap<String, u64> {
        &self.deadlines
    }

    /// Calls the plugin with this bench as its host.
    fn with<T>(&mut self, call: impl FnOnce() -> T, manifest: &Manifest) -> T {
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
        let ordered = self.faults.iter().position(|(request, _)| text.starts_with(request));
        self.rpcs.push(text);
        match ordered.and_then(|position| self.faults.remove(position)) {
            Some((_, code)) => Err(fault(code)),
            None => Ok(()),
        }
    }
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
