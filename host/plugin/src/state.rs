//! What the host keeps for one run of a plugin.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};
use trellis_cwmp::{
    CwmpVersion, DeviceId, EventStruct, Fault, Message, OpResultStruct, ParameterList,
    RequestDownload, cpe_fault,
};
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::WasiHttpCtx;

use crate::addressing::Addressing;
use crate::arguments;
use crate::bindings::types;
use crate::chance::set_up;
use crate::exchange::Exchange;
use crate::fault::{FaultKind, RpcLimit, RunFault};
use crate::hook::Reach;
use crate::http::{Gate, HttpLimits};
use crate::limits::Limits;
use crate::output::Output;
use crate::recording::{Call, Recorder, Rpc, size};
use crate::run::Ask;
use crate::secrets::Secrets;
use crate::settings::PluginSettings;

/// What one plugin keeps for one device.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Notes {
    /// Its memory.
    pub memory: BTreeMap<String, Vec<u8>>,
    /// When it is to be woken, by name, in seconds since 1970.
    pub deadlines: BTreeMap<String, u64>,
}

/// What a run is about.
#[derive(Clone)]
pub struct Context {
    /// The device, as logs name it.
    pub device: String,
    /// The device.
    pub device_id: DeviceId,
    /// The version of CWMP in this session.
    pub cwmp_version: CwmpVersion,
    /// Why it called.
    pub events: Vec<EventStruct>,
    /// What its Inform told.
    pub inform_parameters: Arc<ParameterList>,
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: String,
    /// Whether its ParameterKey is not that of the last change that it acknowledged.
    pub changed_elsewhere: bool,
    /// How many sessions failed before.
    pub retry_count: u32,
    /// The TransferComplete and AutonomousTransferComplete messages of this session.
    pub transfers: Vec<Message>,
    /// The results of operations on deployment units, with their command keys.
    pub operations: Vec<(String, OpResultStruct)>,
    /// The files that the device asked for.
    pub requested_downloads: Vec<RequestDownload>,
    /// How much may be asked of the device at once.
    pub portions: Portions,
    /// Methods that the device is known not to have.
    pub methods_lacking: BTreeSet<String>,
    /// Seconds since 1970.
    pub now_seconds: u64,
    /// What the plugin kept in earlier sessions.
    pub notes: Notes,
    /// The plugin's settings for the device.
    pub settings: PluginSettings,
    /// What random numbers that need not be secret are made of.
    pub seed: u64,
    /// How many bytes of what the run does are recorded; 0 records nothing.
    pub record_bytes: usize,
    /// Whether there is no device behind it: random numbers for secrets come from the seed too.
    pub is_rehearsal: bool,
    /// What answers requests over HTTP in a run over a recording; elsewhere nothing.
    pub recorded_http: Vec<Exchange>,
    /// What the run may use, where that is not what its plugin may: in a run over a recording.
    pub limits: Option<Arc<Limits>>,
    /// What it can use of HTTP; what the plugin has where it is not given.
    pub http_limits: Option<HttpLimits>,
}

/// Events that mean nothing once their session is over: they are not told again.
pub const PASSING_EVENTS: [&str; 3] = ["2 PERIODIC", "6 CONNECTION REQUEST", "14 HEARTBEAT"];

/// How much may be asked of a device at once, beside what the standard allows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Portions {
    /// Names in one GetParameterValues.
    pub names_max: Option<usize>,
    /// Values in one SetParameterValues of `ensure-values`.
    pub values_max: Option<usize>,
    /// Whether names are asked for level by level only.
    pub by_level: bool,
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactValue {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

/// Resources of WASI, such as streams, that a run can have at once.
const RESOURCES_MAX: usize = 1_000;

/// The data of the wasmtime store of one run.
pub(crate) struct RunState {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) recorder: Recorder,
    /// What must not be seen in its log.
    pub(crate) secrets: Secrets,
    pub(crate) http: WasiHttpCtx,
    /// What decides over HTTP requests: none is granted until the run says otherwise.
    pub(crate) gate: Gate,
    pub(crate) output: Output,
    pub(crate) limits: Arc<Limits>,
    pub(crate) context: Context,
    pub(crate) plugin: Arc<str>,
    pub(crate) reach: Reach,
    /// Whether the plugin can be woken.
    pub(crate) has_expiry: bool,
    /// Whether the notes have changed since they were last handed out.
    pub(crate) notes_changed: bool,
    pub(crate) facts: BTreeMap<String, Option<FactValue>>,
    /// Revisions of parts of the settings that were asked for.
    pub(crate) revisions: BTreeMap<String, String>,
    pub(crate) asks: mpsc::Sender<Ask>,
    pub(crate) rpcs: u32,
    pub(crate) addressing: Addressing,
    /// What the device has shown that it can answer at once, if it could not answer more.
    pub(crate) names_learned: Option<usize>,
    pub(crate) log_lines: u32,
    pub(crate) log_bytes: usize,
    /// Limits that were reached without an end of the run.
    pub(crate) overruns: Vec<RunFault>,
    /// How long the plugin has waited for the device.
    pub(crate) parked: Duration,
    pub(crate) memory_refused: bool,
    /// How many bytes the plugin's memory for the device has, keys and values.
    pub(crate) memory_bytes: usize,
    /// How much linear memory all instances have, in bytes.
    pub(crate) linear_bytes: usize,
    /// Calls of the host so far.
    pub(crate) host_calls: u32,
    lost: Option<String>,
}

/// How a host function ends other than well: the guest is told, or the run ends.
pub(crate) enum Failure {
    Guest(types::Error),
    Trap(wasmtime::Error),
}

impl Context {
    /// Adds a message that the device sent before the plugin's turn, where plugins can see it.
    pub fn add_message(&mut self, message: Message) {
        match message {
            Message::DUStateChangeComplete(it) => {
                let key = it.command_key;
                let results = it.results.into_iter().map(|result| (key.clone(), result));
                self.operations.extend(results);
            }
            Message::AutonomousDUStateChangeComplete(it) => {
                let results = it.results.into_iter().map(|result| (String::new(), result));
                self.operations.extend(results);
            }
            Message::RequestDownload(it) => self.requested_downloads.push(it),
            message => self.transfers.push(message),
        }
    }
}

impl RunState {
    pub(crate) fn new(
        context: Context,
        plugin: Arc<str>,
        reach: Reach,
        limits: Arc<Limits>,
        asks: mpsc::Sender<Ask>,
    ) -> Self {
        let output = Output::default();
        let addressing = Addressing::of(&context.inform_parameters);
        let memory = context.notes.memory.iter();
        let memory_bytes = memory.map(|(key, value)| key.len() + value.len()).sum();
        let mut wasi = WasiCtx::builder();
        wasi.stdout(output.clone()).stderr(output.clone());
        set_up(&mut wasi, context.now_seconds, context.seed, context.is_rehearsal);
        let recorder = Recorder::new(context.record_bytes);
        let mut table = ResourceTable::new();
        table.set_max_capacity(RESOURCES_MAX);
        Self {
            table,
            wasi: wasi.build(),
            http: WasiHttpCtx::new(),
            gate: Gate::closed(recorder.clone()),
            recorder,
            secrets: Secrets::new(&context),
            output,
            limits,
            context,
            plugin,
            reach,
            has_expiry: false,
            notes_changed: false,
            facts: BTreeMap::new(),
            revisions: BTreeMap::new(),
            asks,
            rpcs: 0,
            addressing,
            names_learned: None,
            log_lines: 0,
            log_bytes: 0,
            overruns: Vec::new(),
            parked: Duration::ZERO,
            memory_refused: false,
            memory_bytes,
            linear_bytes: 0,
            host_calls: 0,
            lost: None,
        }
    }

    /// Sends a request to the device and waits for its answer.
    pub(crate) async fn call(&mut self, request: Message) -> Result<Message, Failure> {
        let method = request.name().to_owned();
        let result = self.send(request).await;
        if let Err(Failure::Guest(types::Error::Refused(why))) = &result {
            self.recorder.note(why.len(), || Call::Refused(method, why.clone()));
        }
        result
    }

    async fn send(&mut self, request: Message) -> Result<Message, Failure> {
        match self.reach {
            Reach::Device => {}
            Reach::AtInform => {
                return Err(refused("the device has yet to be let in: nothing can be asked of it"));
            }
            Reach::Nobody => return Err(refused("the device is not there")),
        }
        if let Some(why) = &self.lost {
            return Err(Failure::Guest(types::Error::Lost(why.clone())));
        }
        arguments::check(&request, self.context.cwmp_version, &self.limits)
            .and_then(|()| self.addressing.check(&request))
            .map_err(refused)?;
        let method = request.name();
        if self.context.methods_lacking.contains(method) {
            return Err(refused(format!(
                "the device does not have {method}: it answered with fault 9000, and has the same \
                 software since"
            )));
        }
        let method = method.to_owned();
        self.rpcs += 1;
        if self.rpcs > self.limits.rpcs {
            let limit = RpcLimit { limit: self.limits.rpcs };
            return Err(Failure::Trap(wasmtime::Error::new(limit)));
        }
        let (reply, answer) = oneshot::channel();
        // What the plugin remembers must be on disk before anything that depends on it leaves.
        let notes = self.notes_changed.then(|| self.context.notes.clone());
        self.notes_changed = false;
        let since = Instant::now();
        let gone = || "the session has ended".to_owned();
        self.secrets.add(&request);
        let bytes = size(&request);
        let recorded = self.recorder.has_room(bytes).then(|| request.clone());
        let sent = self.asks.send(Ask { request, notes, reply }).await.map_err(|_| gone());
        let answer = match sent {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(gone())),
            Err(gone) => Err(gone),
        };
        self.parked += since.elapsed();
        if let Ok(answer) = &answer {
            self.secrets.add(answer);
        }
        match recorded {
            Some(request) => {
                let bytes = bytes + answer.as_ref().map_or_else(String::len, size);
                let call = || Call::Rpc(Box::new(Rpc { request, answer: answer.clone() }));
                self.recorder.note(bytes, call);
            }
            None => self.recorder.cut(),
        }
        match answer {
            Ok(Message::Fault(fault)) => {
                let fault = to_cpe_fault(fault);
                if fault.code == cpe_fault::METHOD_NOT_SUPPORTED {
                    self.context.methods_lacking.insert(method);
                }
                Err(Failure::Guest(types::Error::Fault(fault)))
            }
            Ok(message) => {
                self.addressing.learn(&message);
                Ok(message)
            }
            Err(why) => {
                self.lost = Some(why.clone());
                Err(Failure::Guest(types::Error::Lost(why)))
            }
        }
    }

    /// Like [`RunState::call`], for a request whose response has content.
    pub(crate) async fn ask<T>(
        &mut self,
        request: Message,
        read: impl FnOnce(Message) -> Option<T>,
    ) -> Result<T, Failure> {
        let answer = self.call(request).await?;
        let name = answer.name().to_owned();
        read(answer).ok_or_else(|| {
            let why = format!("the device answered with {name}");
            self.lost = Some(why.clone());
            Failure::Guest(types::Error::Lost(why))
        })
    }

    /// Notes a limit that was reached, once for each kind, where the run goes on.
    pub(crate) fn overrun(&mut self, kind: FaultKind, message: String) {
        if self.overruns.iter().all(|it| it.kind != kind) {
            self.overruns.push(RunFault::new(kind, message));
        }
    }

    /// Notes that the plugin looked at something that the run began with.
    pub(crate) fn looked_at(&self, what: &'static str) {
        self.recorder.note(0, || Call::Read(what));
    }
}

/// Parts the two ways in which a host function can end badly.
pub(crate) fn to_guest<T>(result: Result<T, Failure>) -> wasmtime::Result<Result<T, types::Error>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(Failure::Guest(error)) => Ok(Err(error)),
        Err(Failure::Trap(error)) => Err(error),
    }
}

/// A refusal: the request is not sent.
pub(crate) fn refused(problem: impl Into<String>) -> Failure {
    Failure::Guest(types::Error::Refused(problem.into()))
}

/// A fault as the plugin sees it. A code that the standard does not define counts as 9001
/// (A.5.1).
fn to_cpe_fault(fault: Fault) -> types::CpeFault {
    let (code, text) = match fault.fault_code {
        code @ (9000..=9032 | 9800..=9899) => (code, fault.fault_string),
        code => (cpe_fault::REQUEST_DENIED, format!("{} (fault {code})", fault.fault_string)),
    };
    types::CpeFault {
        code,
        text,
        parameters: fault
            .set_parameter_values_fault
            .into_iter()
            .map(|it| types::ParameterFault {
                name: it.parameter_name,
                code: it.fault_code,
                text: it.fault_string,
            })
            .collect(),
    }
}

impl ResourceLimiter for RunState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // A component may have several memories; the limit is for all of them.
        let linear_bytes = self.linear_bytes.saturating_add(desired.saturating_sub(current));
        let granted = linear_bytes <= self.limits.memory_bytes;
        self.memory_refused |= !granted;
        if granted {
            self.linear_bytes = linear_bytes;
        }
        Ok(granted)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // The pool bounds tables.
        Ok(true)
    }
}

impl WasiView for RunState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}
