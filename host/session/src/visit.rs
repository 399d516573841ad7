//! What one session knows of its device, and what it has yet to keep.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use trellis_catalog::Selected;
use trellis_cwmp::{
    AcsFault, CwmpVersion, DeviceId, Envelope, EventStruct, Inform, Message, ParameterList,
    is_secret, is_true, namespace,
};
use trellis_plugin_host::{PASSING_EVENTS, Recording, Traits};
use trellis_store::{Changes, Device, DeviceKey, Forget, Model, Notes, Session, StoreError};

use crate::caller::{Caller, normalised};
use crate::conversation::{Conversation, Lost, cut, millis};
use crate::habits::Habits;
use crate::metric::limit_reached;
use crate::sessions::Acs;
use crate::settings::{SILENCE_MIN, UnknownDevices};
use crate::transcripts::Recorded;

/// An Inform has at most this many events (TR-069 A.3.3.1).
const EVENTS_MAX: usize = 64;

/// One visit of a device.
pub(crate) struct Visit {
    pub(crate) key: DeviceKey,
    pub(crate) device_id: DeviceId,
    pub(crate) caller: Arc<Caller>,
    pub(crate) began: Timestamp,
    pub(crate) version: CwmpVersion,
    pub(crate) events: Vec<EventStruct>,
    pub(crate) retry_count: u32,
    pub(crate) inform_parameters: Arc<ParameterList>,
    /// As the Inform tells it.
    pub(crate) software_version: String,
    /// How many requests the device has sent.
    pub(crate) requests: u32,
    /// The plugin that serves the device in this session, with its settings.
    pub(crate) plugin: Option<Selected>,
    /// What a plugin keeps for the device, once that was read, with its name.
    pub(crate) notes: Option<(String, Notes)>,
    /// Whether nothing is to be asked of the device in this session.
    pub(crate) is_quarantined: bool,
    pub(crate) habits: Habits,
    pub(crate) header: Device,
    pub(crate) header_changed: bool,
    /// What has yet to be kept.
    pub(crate) changes: Changes,
    /// Facts that are news, for the log.
    pub(crate) news: Vec<(String, String)>,
    /// What runs of the plugin were told, asked and did.
    pub(crate) recordings: Vec<Recording>,
    /// Why the first run of the plugin that ended early did.
    pub(crate) plugin_fault: Option<String>,
    /// The first limit that a run of it reached without an end of the run.
    pub(crate) plugin_overrun: Option<String>,
    /// Why nobody serves the device, though somebody should.
    unserved: Option<String>,
    is_recorded: bool,
}

impl Visit {
    pub(crate) fn new(device_id: DeviceId, caller: Arc<Caller>) -> Self {
        Self {
            key: DeviceKey::from(&device_id),
            device_id,
            caller,
            began: Timestamp::now(),
            version: CwmpVersion::V1_0,
            events: Vec::new(),
            retry_count: 0,
            inform_parameters: Arc::default(),
            software_version: String::new(),
            requests: 0,
            plugin: None,
            notes: None,
            is_quarantined: false,
            habits: Habits::default(),
            header: Device::default(),
            header_changed: false,
            changes: Changes::default(),
            news: Vec::new(),
            recordings: Vec::new(),
            plugin_fault: None,
            plugin_overrun: None,
            unserved: None,
            is_recorded: false,
        }
    }

    /// Agrees on a version (TR-069 3.7.2.1) and on how long the device may be silent. Returns
    /// what the InformResponse says of the version.
    pub(crate) fn agree(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        inform: &Envelope,
    ) -> Result<Option<String>, Lost> {
        let header = &inform.header;
        let asked = header.session_timeout.map(|s| Duration::from_secs(u64::from(s)));
        let silence = asked
            .unwrap_or(acs.settings.silence)
            .clamp(SILENCE_MIN, acs.settings.silence_max.max(SILENCE_MIN));
        let of_namespace = CwmpVersion::of_namespace(&inform.namespace);
        let supported = header.supported_cwmp_versions.as_deref();
        let (version, agreed) =
            match supported.filter(|it| it.contains(|c: char| c.is_ascii_digit())) {
                Some(supported) => {
                    let best = supported.split(',').filter_map(CwmpVersion::parse).max();
                    (best, best.map(|version| version.to_string()))
                }
                None if of_namespace == CwmpVersion::V1_2 && asked.is_some() => {
                    (Some(CwmpVersion::V1_3), None)
                }
                None => (Some(of_namespace), None),
            };
        // A device looks for our elements in the namespace that it declared itself, also when
        // the standard has no such namespace.
        let urn = if namespace::is_cwmp_1(&inform.namespace) {
            inform.namespace.clone()
        } else {
            version.unwrap_or(CwmpVersion::V1_0).namespace().to_owned()
        };
        cpe.agree(silence, acs.settings.silence, urn);
        let Some(version) = version else {
            cpe.respond_fault(header, AcsFault::VersionIncompatible);
            return Err(Lost::Refused("no common version of CWMP".to_owned()));
        };
        self.version = version;
        Ok(agreed)
    }

    /// Takes in the Inform and keeps it.
    pub(crate) async fn record_inform(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        inform: Message,
    ) -> Result<(), Lost> {
        let Message::Inform(inform) = inform else {
            return Err(Lost::Violation("no Inform".to_owned()));
        };
        let known = acs.store.device(&self.key).await.map_err(store_failed)?;
        let is_known = known.is_some();
        self.header = known.unwrap_or_default();
        let orders = acs.store.orders(&self.key).await.map_err(store_failed)?;
        let forget = self.forget(&inform);
        self.admit(acs, is_known)?;
        self.update_header(&inform, forget);
        self.events = inform.event;
        self.retry_count = inform.retry_count;
        self.inform_parameters = Arc::new(inform.parameter_list);
        let traits = self.traits(&self.inform_parameters);
        let software_version = cut(traits.software_version);
        let habits = Habits::of(&acs.settings.quirks, &traits);
        let plugin = acs.catalog.select(&self.key, &traits, &orders);
        if plugin.is_none()
            && let Some(pin) = acs.catalog.device_pin(&orders)
        {
            let by = pin.tag.map(|tag| format!(" by the tag {tag}")).unwrap_or_default();
            let why = format!("pinned{by} to the plugin {}, which does not serve", pin.plugin);
            tracing::warn!(device = %self.key, "nobody serves a device: it is {why}");
            self.unserved = Some(why);
        }
        self.plugin = plugin;
        self.habits = habits;
        self.software_version = software_version;
        self.header.plugin = self.plugin.as_ref().map(|it| {
            let manifest = &it.plugin.manifest;
            (manifest.name.clone(), manifest.version.clone())
        });
        self.is_quarantined = self.header.is_quarantined;
        self.header.quarantine_reason = None;
        if self.is_quarantined {
            self.plugin = None;
        }
        self.ask_admission(acs, cpe).await?;
        acs.store.record_inform(&self.key, &mut self.header, forget).await.map_err(store_failed)?;
        self.is_recorded = true;
        self.add_undelivered_events();
        Ok(())
    }

    /// Whether a device that comes in with the onboarding credential may: one that has a
    /// credential of its own is whoever holds that. To be asked before its open session, which
    /// may be another's, is ended.
    pub(crate) async fn may_onboard(&self, acs: &Acs, inform: &Inform) -> Result<(), Lost> {
        if !self.caller.is_onboarding() {
            return Ok(());
        }
        let refused = || Err(Lost::Refused("the device has a credential of its own".to_owned()));
        if acs.settings.named_devices.contains(&normalised(self.key.as_str())) {
            return refused();
        }
        let known = acs.store.device(&self.key).await.map_err(store_failed)?;
        if !known.is_some_and(|header| header.has_own_credential) {
            return Ok(());
        }
        let says_it_was_reset = inform.event.iter().any(|event| event.event_code == "0 BOOTSTRAP");
        if !says_it_was_reset || !acs.settings.onboard_again {
            return refused();
        }
        // Only its own word says that it was reset.
        metrics::counter!("trellis_onboarded_again_total").increment(1);
        tracing::warn!(device = %self.key, "a device that had a credential of its own is onboarded");
        Ok(())
    }

    /// Decides whether the device may come in. Nothing is recorded of one that may not.
    fn admit(&mut self, acs: &Acs, is_known: bool) -> Result<(), Lost> {
        let is_proven = self.caller.is_one_device();
        match acs.settings.unknown_devices {
            UnknownDevices::Accept => self.header.is_quarantined = false,
            UnknownDevices::Quarantine if is_proven => self.header.is_quarantined = false,
            UnknownDevices::Quarantine => self.header.is_quarantined |= !is_known,
            UnknownDevices::Refuse if !is_known && !is_proven => return Err(Lost::Unknown),
            UnknownDevices::Refuse => {}
        }
        Ok(())
    }

    /// What an Inform shows to be no longer true.
    fn forget(&self, inform: &Inform) -> Forget {
        let known = self.header.root.as_str();
        let other_root = |name: &str| root_of(name).is_some_and(|root| root != known);
        if inform.event.iter().any(|event| event.event_code == "0 BOOTSTRAP") {
            Forget::TreeAndTransfers
        } else if !known.is_empty() && inform.parameter_list.iter().any(|row| other_root(row.name))
        {
            Forget::Tree
        } else {
            Forget::Nothing
        }
    }

    fn update_header(&mut self, inform: &Inform, forget: Forget) {
        let now_ms = self.began.as_millisecond();
        let header = &mut self.header;
        let id = &inform.device_id;
        if header.first_inform_ms == 0 {
            header.first_inform_ms = now_ms;
            header.oui.clone_from(&id.oui);
            header.product_class.clone_from(&id.product_class);
            header.serial_number.clone_from(&id.serial_number);
        }
        header.manufacturer.clone_from(&id.manufacturer);
        header.cwmp_version = self.version.to_string();
        header.last_inform_ms = now_ms;
        header.last_events = events(&inform.event);
        for (code, key) in &header.last_events {
            let event = (code.clone(), key.clone());
            let is_new = !header.undelivered_events.contains(&event);
            if !PASSING_EVENTS.contains(&code.as_str()) && is_new {
                if header.undelivered_events.len() >= EVENTS_MAX {
                    limit_reached("undelivered_events");
                    header.undelivered_events.remove(0);
                }
                header.undelivered_events.push(event);
            }
        }
        header.sessions += 1;
        if forget != Forget::Nothing {
            header.informed.clear();
        }
        if forget == Forget::TreeAndTransfers {
            header.last_bootstrap_ms = Some(now_ms);
            header.parameter_key.clear();
            header.acknowledged_parameter_key = None;
            header.changed_elsewhere_ms = None;
            header.undelivered_change = false;
            header.diagnostics.clear();
            header.has_login = false;
            header.methods_lacking.clear();
        }
        if inform.event.iter().any(|event| event.event_code == "1 BOOT") {
            header.last_boot_ms = Some(now_ms);
        }
        for row in inform.parameter_list.iter() {
            let value = if is_secret(row.name) { "" } else { row.value };
            header.inform(row.name, value, row.value_type, now_ms);
            if let Some(root) = root_of(row.name)
                && header.root != root
            {
                root.clone_into(&mut header.root);
            }
            match below_root(row.name) {
                Some("DeviceInfo.SoftwareVersion") if row.value != header.software_version => {
                    header.software_version = cut(row.value);
                    header.methods_lacking.clear();
                }
                Some("ManagementServer.ParameterKey") => {
                    header.parameter_key = cut(row.value);
                    // A key of another is told of once: after that, nothing is known to be ours.
                    let ours = header.acknowledged_parameter_key.as_ref();
                    if ours.is_some_and(|ours| *ours != header.parameter_key) {
                        header.acknowledged_parameter_key = None;
                        header.changed_elsewhere_ms = Some(now_ms);
                        header.undelivered_change = true;
                    }
                }
                Some("ManagementServer.ConnectionRequestURL") => {
                    header.connection_request_url = cut(row.value);
                }
                Some("ManagementServer.UDPConnectionRequestAddress") => {
                    header.udp_connection_request_address = cut(row.value);
                }
                Some("ManagementServer.NATDetected") => {
                    header.nat_detected = Some(is_true(row.value));
                }
                _ => {}
            }
        }
    }

    fn traits<'a>(&'a self, parameters: &'a ParameterList) -> Traits<'a> {
        let find = |suffix: &str| {
            let mut rows = parameters.iter();
            rows.find(|row| below_root(row.name) == Some(suffix)).map_or("", |row| row.value)
        };
        Traits {
            manufacturer: &self.device_id.manufacturer,
            oui: &self.device_id.oui,
            product_class: &self.device_id.product_class,
            software_version: find("DeviceInfo.SoftwareVersion"),
            hardware_version: find("DeviceInfo.HardwareVersion"),
            root: &self.header.root,
        }
    }

    /// Keeps what must be on disk before the next message leaves. What was learned of the tree
    /// waits for the end of the session: a tree is large, and the device can be asked again.
    pub(crate) async fn keep(&mut self, acs: &Acs) -> Result<(), Lost> {
        let tree = std::mem::take(&mut self.changes.tree);
        let result = self.keep_all(acs).await;
        self.changes.tree = tree;
        result
    }

    /// Keeps all that has been learned so far.
    pub(crate) async fn keep_all(&mut self, acs: &Acs) -> Result<(), Lost> {
        let mut changes = std::mem::take(&mut self.changes);
        if self.header_changed || !changes.tree.is_empty() {
            // The store moves what Informs told into a tree that it writes anyway.
            changes.header = Some(self.header.clone());
            if !changes.tree.is_empty() {
                self.header.informed.clear();
            }
            self.header_changed = false;
        }
        if changes.is_empty() {
            return Ok(());
        }
        acs.store.record(&self.key, changes).await.map_err(store_failed)
    }

    /// How the session ended, for operators: a plugin that failed is told also where the device
    /// itself was served to its end.
    pub(crate) fn outcome(&self, lost: Option<&Lost>) -> String {
        match (lost, self.plugin_failure(), &self.unserved) {
            (Some(lost), _, _) => lost.to_string(),
            // All of it is in the fault.
            (None, Some(fault), _) => format!("plugin fault: {}", cut(fault)),
            (None, None, Some(why)) => format!("served by nobody: {why}"),
            (None, None, None) => "ok".to_owned(),
        }
    }

    /// What the session says of its plugin's faults: the one that ended a run goes before a limit that
    /// ended none.
    pub(crate) fn plugin_failure(&self) -> Option<&str> {
        self.plugin_fault.as_deref().or(self.plugin_overrun.as_deref())
    }

    /// Whether the device was let in, and its plugin could speak to it.
    pub(crate) fn is_served(&self, result: &Result<(), Lost>) -> bool {
        self.is_recorded && !self.is_quarantined && !matches!(result, Err(Lost::NotAdmitted(..)))
    }

    /// Keeps everything, the session itself included if anything happened in it.
    pub(crate) async fn record(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        lost: Option<&Lost>,
    ) -> Result<(), Lost> {
        if !self.is_recorded {
            return Ok(());
        }
        if !cpe.steps.is_empty()
            || self.plugin_failure().is_some()
            || self.unserved.is_some()
            || lost.is_some()
        {
            self.changes.session = Some(Session {
                began_ms: self.began.as_millisecond(),
                took_ms: millis(cpe.elapsed()),
                events: events(&self.events),
                plugin: self.header.plugin.clone(),
                outcome: self.outcome(lost),
                steps: std::mem::take(&mut cpe.steps),
                steps_dropped: cpe.steps_dropped,
            });
        }
        self.keep_all(acs).await
    }

    /// The plugin that runs, with its version; without one, the one of the last session.
    pub(crate) fn plugin_used(&self) -> Option<(String, String)> {
        let used = self.plugin.as_ref().map(|it| &it.plugin.manifest);
        let used = used.map(|it| (it.name.clone(), it.version.clone()));
        used.or_else(|| self.header.plugin.clone())
    }

    /// Hands over what the plugin did, to be kept.
    pub(crate) fn hand_over_recordings(&mut self, acs: &Acs) {
        let Some(selected) = &self.plugin else { return };
        acs.keep_recordings(Recorded {
            began_ms: self.began.as_millisecond(),
            device: self.key.clone(),
            plugin: selected.plugin.manifest.name.clone(),
            version: selected.plugin.manifest.version.clone(),
            digest: selected.plugin.digest.clone(),
            recordings: std::mem::take(&mut self.recordings),
        });
    }

    /// The model of the device.
    pub(crate) fn model(&self) -> Model {
        Model {
            manufacturer: self.device_id.manufacturer.clone(),
            product_class: self.device_id.product_class.clone(),
            software_version: self.header.software_version.clone(),
        }
    }

    /// Milliseconds since 1970, now.
    pub(crate) fn now_ms(&self) -> i64 {
        Timestamp::now().as_millisecond()
    }
}

/// A failure of the store ends the session: nothing is acknowledged that is not kept.
#[allow(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn store_failed(error: StoreError) -> Lost {
    tracing::error!(%error, "the store failed");
    Lost::Store("the server cannot keep anything at the moment".to_owned())
}

/// `Device.` or `InternetGatewayDevice.`, where a path begins with it.
fn root_of(name: &str) -> Option<&str> {
    let root = name.split_inclusive('.').next()?;
    matches!(root, "Device." | "InternetGatewayDevice.").then_some(root)
}

fn below_root(name: &str) -> Option<&str> {
    name.strip_prefix(root_of(name)?)
}

fn events(events: &[EventStruct]) -> Vec<(String, String)> {
    let pairs = events.iter().take(EVENTS_MAX);
    pairs.map(|event| (cut(&event.event_code), cut(&event.command_key))).collect()
}
