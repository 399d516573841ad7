//! Sessions of a plugin with a simulated device: everything but the network and the server.

use std::collections::BTreeSet;
use std::sync::Arc;

use trellis_cwmp::{CwmpVersion, DeviceId, EventStruct, FaultStruct, Message, TransferComplete};
use trellis_plugin_host::{
    Admission, Answer, Context, Hook, Next, Notes, Outcome, PASSING_EVENTS, Plugin, PluginSettings,
    Portions, Redactor, Run, Traits, Transcript,
};

use crate::device::{Device, UNKNOWN_TIME};

/// A plugin and a device, from session to session.
pub struct Rehearsal {
    plugin: Arc<Plugin>,
    device: Device,
    settings: PluginSettings,
    notes: Notes,
    /// Events of which the plugin was told in a run that failed, or that it was not told of at all:
    /// the next run is told of them, as on the server.
    untold: Vec<String>,
    /// Seconds since 1970.
    now: u64,
    /// Requests over HTTP since the session began.
    unanswered: usize,
}

/// One session of it.
pub struct Visit {
    /// Why the device called.
    pub events: Vec<String>,
    /// What the plugin did, hook by hook.
    pub transcripts: Vec<Transcript>,
    /// Requests over HTTP, which nobody answers here.
    pub unanswered: usize,
}

/// When the first session is: always the same, so that its transcript is.
const BEGIN: u64 = 1_800_000_000;
/// How much later each further session is, in seconds.
const BETWEEN: u64 = 300;
/// What is recorded of a run, in bytes.
const RECORD_BYTES: usize = 16 << 20;

impl Rehearsal {
    /// A plugin that has never seen the device.
    pub fn new(plugin: Arc<Plugin>, device: Device, settings: PluginSettings) -> Self {
        let (notes, untold) = (Notes::default(), Vec::new());
        Self { plugin, device, settings, notes, untold, now: BEGIN, unanswered: 0 }
    }

    /// Whether a matcher of the plugin fits the device, as its Inform tells of it.
    pub fn is_matched(&self) -> bool {
        let (told, root) = (self.device.inform_parameters(), self.device.root());
        let find = |name: &str| {
            let is_it = |it: &str| it.strip_prefix(root.as_str()) == Some(name);
            told.iter().find(|row| is_it(row.name)).map_or("", |row| row.value)
        };
        let traits = Traits {
            manufacturer: &self.device.manufacturer,
            oui: &self.device.oui,
            product_class: &self.device.product_class,
            software_version: find("DeviceInfo.SoftwareVersion"),
            hardware_version: find("DeviceInfo.HardwareVersion"),
            root: &root,
        };
        self.plugin.closeness(&traits).is_some()
    }

    /// The device as it is by now.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A session, for these reasons, with these actions after the plugin's turn: names, and
    /// arguments as JSON.
    pub async fn session(&mut self, events: &[String], actions: &[(String, String)]) -> Visit {
        let mut transcripts = Vec::new();
        if self.plugin.admits() {
            let transcript = self.run(Hook::Admit, events).await;
            let decision = match &transcript.outcome {
                Outcome::Answered(Answer::Admission(decision)) => decision.clone(),
                _ => Admission::Quarantine(String::new()),
            };
            transcripts.push(transcript);
            if decision != Admission::Accept {
                if matches!(decision, Admission::Quarantine(_)) {
                    self.untold = self.with_untold(events);
                }
                return self.ended(events, transcripts);
            }
        }
        let told = self.with_untold(events);
        let transcript = self.run(Hook::Provision, &told).await;
        let has_failed = matches!(transcript.outcome, Outcome::Failed(..));
        transcripts.push(transcript);
        for (name, arguments) in actions {
            let hook = Hook::Action { name: name.clone(), arguments: arguments.clone() };
            transcripts.push(self.run_told(hook, &told, has_failed).await);
        }
        self.untold = if has_failed { told } else { Vec::new() };
        self.ended(events, transcripts)
    }

    /// The events of a session, and those that wait to be told.
    fn with_untold(&self, events: &[String]) -> Vec<String> {
        let waits = |event: &&String| {
            let is_passing = PASSING_EVENTS.contains(&read_event(event).event_code.as_str());
            !is_passing && !events.contains(event)
        };
        events.iter().chain(self.untold.iter().filter(waits)).cloned().collect()
    }

    /// Lets time pass until the first deadline, and calls the plugin for it. `None` where there is
    /// no deadline.
    pub async fn expire(&mut self) -> Option<Visit> {
        let (name, at) = self.notes.deadlines.iter().min_by_key(|(_, at)| **at)?;
        let (deadline, at) = (name.clone(), *at);
        self.now = self.now.max(at);
        self.notes.deadlines.remove(&deadline);
        let transcript = self.run(Hook::Expired { deadline: deadline.clone() }, &[]).await;
        Some(self.ended(&[format!("deadline {deadline}")], vec![transcript]))
    }

    fn ended(&mut self, events: &[String], transcripts: Vec<Transcript>) -> Visit {
        self.now += BETWEEN;
        let unanswered = std::mem::take(&mut self.unanswered);
        Visit { events: events.to_vec(), transcripts, unanswered }
    }

    async fn run(&mut self, hook: Hook, events: &[String]) -> Transcript {
        self.run_told(hook, events, true).await
    }

    /// With what the device has reported, or without where an earlier run was told of it.
    async fn run_told(&mut self, hook: Hook, events: &[String], reports: bool) -> Transcript {
        let mut context = self.context(events);
        if !reports {
            context.transfers = Vec::new();
        }
        if matches!(hook, Hook::Expired { .. }) {
            // The device is not there.
            context.inform_parameters = Arc::default();
        }
        let mut run = Run::start(Arc::clone(&self.plugin), hook, context);
        let finished = loop {
            match run.next().await {
                Next::Finished(finished) => break *finished,
                Next::Ask(ask) => {
                    if let Some(notes) = ask.notes {
                        self.notes = notes;
                    }
                    // A plugin that has ended waits for nothing.
                    let _ = ask.reply.send(Ok(self.device.answer(&ask.request)));
                }
            }
        };
        if let Some(notes) = finished.notes {
            self.notes = notes;
        }
        self.unanswered += finished.unanswered.len();
        let recorded = finished.recording.as_slice();
        // A run that could not begin has none; there is room for every other.
        Transcript::of(recorded, &mut Redactor::new([0; 32])).pop().unwrap_or_else(|| Transcript {
            hook: Hook::Provision,
            input: trellis_plugin_host::Input::default(),
            calls: Vec::new(),
            outcome: Outcome::Failed(
                "busy".to_owned(),
                finished.fault.map(|it| it.message).unwrap_or_default(),
            ),
            is_cut: true,
        })
    }

    fn context(&self, events: &[String]) -> Context {
        let id = &self.device;
        let mut context = Context {
            device: format!("{}-{}-{}", id.oui, id.product_class, id.serial_number),
            device_id: DeviceId {
                manufacturer: id.manufacturer.clone(),
                oui: id.oui.clone(),
                product_class: id.product_class.clone(),
                serial_number: id.serial_number.clone(),
            },
            cwmp_version: CwmpVersion::parse(&id.cwmp_version).unwrap_or(CwmpVersion::V1_0),
            events: events.iter().map(|event| read_event(event)).collect(),
            inform_parameters: Arc::new(id.inform_parameters()),
            root: id.root(),
            changed_elsewhere: false,
            retry_count: 0,
            transfers: Vec::new(),
            operations: Vec::new(),
            requested_downloads: Vec::new(),
            portions: Portions::default(),
            methods_lacking: BTreeSet::new(),
            now_seconds: self.now,
            notes: self.notes.clone(),
            settings: self.settings.clone(),
            seed: 0,
            record_bytes: RECORD_BYTES,
            is_rehearsal: true,
            recorded_http: Vec::new(),
            limits: None,
            http_limits: None,
        };
        // What comes with the event for a transfer that has ended.
        for event in events.iter().map(|event| read_event(event)) {
            if event.event_code == "7 TRANSFER COMPLETE" {
                context.add_message(Message::TransferComplete(TransferComplete {
                    command_key: event.command_key,
                    fault_struct: FaultStruct::default(),
                    start_time: UNKNOWN_TIME.to_owned(),
                    complete_time: UNKNOWN_TIME.to_owned(),
                }));
            }
        }
        context
    }
}

/// An event such as `1 BOOT`, perhaps with a command key: `M Reboot:key`.
fn read_event(text: &str) -> EventStruct {
    let (code, key) = text.split_once(':').unwrap_or((text, ""));
    EventStruct { event_code: code.trim().to_owned(), command_key: key.trim().to_owned() }
}
