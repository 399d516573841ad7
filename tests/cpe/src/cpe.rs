//! One simulated CPE: its parameters, its events and what it still has to do.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::events::{CpeRequest, Event, Events};
use crate::http::HttpOptions;
use crate::identity::Identity;
use crate::model::Model;
use crate::transfers::{Transfer, Unit};
use crate::tree::Tree;
use crate::version::CwmpVersion;

/// How a CPE behaves; one value is shared by all devices that behave alike.
#[derive(Debug, Clone)]
pub struct Options {
    /// The CWMP version, or that of the model.
    pub version: Option<CwmpVersion>,
    /// The HTTP client's behaviour.
    pub http: HttpOptions,
    /// Methods answered with fault 9000, besides those the model names.
    pub unsupported: Vec<String>,
    /// The fault every file transfer ends with.
    pub file_fault: Option<u16>,
    /// Local time, for CurrentTime, as hours from UTC.
    pub utc_offset_hours: i8,
    /// How much faster than the wall clock intervals and delays pass.
    pub speed: f64,
    /// How many requests of one session are answered before the ACS is said to loop.
    pub requests_max: usize,
    /// Whether each session asks the ACS for its methods.
    pub get_rpc_methods: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            version: None,
            http: HttpOptions::default(),
            unsupported: Vec::new(),
            file_fault: None,
            utc_offset_hours: 1,
            speed: 1.0,
            requests_max: 10_000,
            get_rpc_methods: false,
        }
    }
}

/// What an ACS request asked for that happens only after the session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pending {
    pub(crate) reboots: Vec<String>,
    pub(crate) factory_reset: bool,
    pub(crate) bootstrap: bool,
    pub(crate) diagnostics: Vec<String>,
    pub(crate) unit_changes: Vec<CpeRequest>,
}

/// A simulated CPE.
#[derive(Debug, Clone)]
pub struct Cpe {
    pub(crate) identity: Identity,
    pub(crate) tree: Tree,
    pub(crate) options: Arc<Options>,
    pub(crate) events: Events,
    pub(crate) requests: VecDeque<CpeRequest>,
    pub(crate) changed: BTreeSet<Box<str>>,
    pub(crate) retry_count: u32,
    pub(crate) failures_since_boot: u32,
    pub(crate) transfers: Vec<Transfer>,
    pub(crate) scheduled: Vec<(Instant, String)>,
    pub(crate) units: Vec<Unit>,
    pub(crate) pending: Pending,
    pub(crate) ids: u64,
}

impl Cpe {
    /// A device fresh from the factory, which will announce itself with `0 BOOTSTRAP`.
    #[must_use]
    pub fn new(model: Arc<Model>, identity: Identity, options: Arc<Options>) -> Self {
        let mut cpe = Self {
            identity,
            tree: Tree::new(model),
            options,
            events: Events::default(),
            requests: VecDeque::new(),
            changed: BTreeSet::new(),
            retry_count: 0,
            failures_since_boot: 0,
            transfers: Vec::new(),
            scheduled: Vec::new(),
            units: Vec::new(),
            pending: Pending::default(),
            ids: 0,
        };
        cpe.queue_event("0 BOOTSTRAP", "");
        cpe.queue_event("1 BOOT", "");
        cpe
    }

    /// Who the device is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The parameters.
    #[must_use]
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The CWMP version the device speaks.
    #[must_use]
    pub fn version(&self) -> CwmpVersion {
        self.options.version.unwrap_or(self.tree.model().version)
    }

    /// The value of a parameter, hidden or not.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.tree.value(name, &self.identity)
    }

    /// Sets a value silently, whether writable or not; false when there is no such parameter.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        self.tree.set(name, value)
    }

    /// Changes a value as something other than the ACS would. The change is reported as the
    /// Notification attribute says; true when it calls for a session now.
    pub fn value_change(&mut self, name: &str, value: &str) -> bool {
        if self.get(name).as_deref() == Some(value) || !self.tree.set(name, value) {
            return false;
        }
        let notification = self.tree.attributes(name).notification;
        if matches!(notification, 1 | 2 | 4..=6) {
            self.changed.insert(name.into());
        }
        let active = notification == 2;
        if active {
            self.queue_event("4 VALUE CHANGE", "");
        }
        active
    }

    /// Queues an event for the next Inform.
    pub fn queue_event(&mut self, code: &str, command_key: &str) {
        self.events.push(Event::new(code, command_key));
    }

    /// Queues a request for the next session, together with its numbered event.
    pub fn queue_request(&mut self, request: CpeRequest) {
        let code = match request.method.as_str() {
            "TransferComplete" => Some("7 TRANSFER COMPLETE"),
            "AutonomousTransferComplete" => Some("10 AUTONOMOUS TRANSFER COMPLETE"),
            "DUStateChangeComplete" => Some("11 DU STATE CHANGE COMPLETE"),
            "AutonomousDUStateChangeComplete" => Some("12 AUTONOMOUS DU STATE CHANGE COMPLETE"),
            "RequestDownload" => Some("9 REQUEST DOWNLOAD"),
            "Kicked" => Some("5 KICKED"),
            _ => None,
        };
        if let Some(code) = code {
            self.queue_event(code, "");
        }
        if let Some(event) = request.event.clone() {
            self.events.push(event);
        }
        self.requests.push_back(request);
    }

    /// The events that are not confirmed yet.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        self.events.due()
    }

    /// How many sessions failed in a row.
    #[must_use]
    pub fn retry_count(&self) -> u32 {
        self.retry_count
    }

    /// Restarts the device.
    pub fn boot(&mut self) {
        self.identity.booted = Instant::now();
        self.failures_since_boot = 0;
        self.changed.clear();
        self.events.reboot();
        self.queue_event("1 BOOT", "");
    }

    /// Goes back to the factory state and restarts.
    pub fn factory_reset(&mut self) {
        // The firmware is what survives.
        let path = self.tree.path("DeviceInfo.SoftwareVersion");
        let firmware = self.get(&path);
        self.tree.reset();
        if let Some(firmware) = firmware {
            self.tree.set(&path, &firmware);
        }
        self.transfers.clear();
        self.scheduled.clear();
        self.units.clear();
        self.bootstrap();
        self.boot();
    }

    /// Announces the device as new. Nothing that was to be told before matters any more.
    pub(crate) fn bootstrap(&mut self) {
        self.events.clear();
        self.requests.clear();
        self.changed.clear();
        self.queue_event("0 BOOTSTRAP", "");
    }

    /// What was asked for in a session and happens after its clean end.
    pub(crate) fn after_session(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if pending.factory_reset {
            self.factory_reset();
        } else if pending.bootstrap {
            self.bootstrap();
        }
        for request in pending.unit_changes {
            self.queue_request(request);
        }
        for path in pending.diagnostics {
            self.finish_diagnostics(&path);
        }
        if !pending.reboots.is_empty() {
            self.boot();
            for key in pending.reboots {
                self.queue_event("M Reboot", &key);
            }
        }
    }

    /// Puts plausible results beside a DiagnosticsState.
    fn finish_diagnostics(&mut self, state: &str) {
        let object = state.strip_suffix("DiagnosticsState").unwrap_or_default();
        let count = self.get(&format!("{object}NumberOfRepetitions")).unwrap_or_default();
        for (name, value) in [
            ("DiagnosticsState", "Complete"),
            ("SuccessCount", count.as_str()),
            ("FailureCount", "0"),
            ("AverageResponseTime", "12"),
            ("MinimumResponseTime", "8"),
            ("MaximumResponseTime", "21"),
        ] {
            self.tree.set(&format!("{object}{name}"), value);
        }
        self.queue_event("8 DIAGNOSTICS COMPLETE", "");
    }

    /// A delay the ACS asked for, at the speed of this device.
    pub(crate) fn scaled(&self, seconds: f64) -> Duration {
        let speed = if self.options.speed > 0.0 { self.options.speed } else { 1.0 };
        Duration::try_from_secs_f64(seconds / speed).unwrap_or(Duration::MAX)
    }

    /// When a delay of that many seconds from now is over.
    pub(crate) fn after(&self, seconds: u32) -> Instant {
        let now = Instant::now();
        now.checked_add(self.scaled(f64::from(seconds))).unwrap_or(now)
    }

    /// A number of ManagementServer, such as PeriodicInformInterval.
    pub(crate) fn management_number(&self, name: &str) -> Option<u32> {
        self.get(&self.tree.path(&format!("ManagementServer.{name}")))?.parse().ok()
    }
}
