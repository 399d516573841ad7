//! What is kept, as the rest of the server sees it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use trellis_cwmp::{DeviceId, ValueType, file_type};

use crate::tree::TreeChange;

/// Identifies a device: `OUI-ProductClass-SerialNumber`, percent-encoded (TR-069 3.4.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DeviceKey(String);

/// The header of a device: what every session reads, in one small record.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Device {
    /// The maker's name.
    pub manufacturer: String,
    /// Part of the identity.
    pub oui: String,
    /// Part of the identity.
    pub product_class: String,
    /// Part of the identity.
    pub serial_number: String,
    /// `DeviceInfo.SoftwareVersion` as last told.
    pub software_version: String,
    /// Methods that this software does not have: the device answered fault 9000.
    pub methods_lacking: BTreeSet<String>,
    /// The version of CWMP in the last session, such as `1.2`.
    pub cwmp_version: String,
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: String,
    /// When the first Inform came, in milliseconds since 1970.
    pub first_inform_ms: i64,
    /// When the last Inform came, in milliseconds since 1970.
    pub last_inform_ms: i64,
    /// The events of the last Inform with their command keys.
    pub last_events: Vec<(String, String)>,
    /// When the last `0 BOOTSTRAP` came, in milliseconds since 1970.
    pub last_bootstrap_ms: Option<i64>,
    /// When the last `1 BOOT` came, in milliseconds since 1970.
    pub last_boot_ms: Option<i64>,
    /// How many sessions were opened.
    pub sessions: u64,
    /// `ManagementServer.ParameterKey` as last told, or as the last acknowledged change has set it.
    pub parameter_key: String,
    /// The ParameterKey of the last change that the device acknowledged, as long as it has not told
    /// another.
    pub acknowledged_parameter_key: Option<String>,
    /// Since when its ParameterKey is not that of a change which it acknowledged, in milliseconds
    /// since 1970: somebody else may have changed it, or it lost the change.
    pub changed_elsewhere_ms: Option<i64>,
    /// Whether no run of a plugin that ended well has been told of that.
    pub undelivered_change: bool,
    /// Diagnostics that were started and whose end has yet to be told, by the path of their
    /// object.
    pub diagnostics: BTreeSet<String>,
    /// `ManagementServer.ConnectionRequestURL` as last told.
    pub connection_request_url: String,
    /// `ManagementServer.UDPConnectionRequestAddress` as last told.
    pub udp_connection_request_address: String,
    /// `ManagementServer.NATDetected` as last told.
    pub nat_detected: Option<bool>,
    /// The number of the last login for connection requests that the device was given, from 1;
    /// none is used twice.
    pub connection_request_logins: u32,
    /// Whether the device was asked to take a login since it was last reset, be it that one or
    /// one of a plugin's.
    pub has_login: bool,
    /// The plugin of the last session and its version.
    pub plugin: Option<(String, String)>,
    /// What plugins published.
    pub facts: BTreeMap<String, Fact>,
    /// Events that no run of a plugin has seen to its end, with their command keys.
    pub undelivered_events: Vec<(String, String)>,
    /// Messages of the device that no run of a plugin has seen to its end, as envelopes.
    pub undelivered_messages: Vec<Undelivered>,
    /// Whether nothing is to be asked of the device.
    pub is_quarantined: bool,
    /// Why the plugin has nothing asked of the device in its last session, if it has.
    pub quarantine_reason: Option<String>,
    /// Whether the device has proved its identity with a credential of its own.
    pub has_own_credential: bool,
    /// What Informs told since the tree was last written. It is newer than the tree, and
    /// bounded: see [`crate::SledSettings::informed_bytes_max`].
    pub informed: BTreeMap<String, InformedParameter>,
}

/// A message of the device as an envelope, for a plugin that has yet to see it. `Debug` shows only
/// its size.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered(pub Vec<u8>);

/// A parameter that an Inform told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InformedParameter {
    /// Its exact text.
    pub value: String,
    /// Its type without prefix.
    pub value_type: String,
    /// When it was told, in milliseconds since 1970.
    pub at_ms: i64,
}

/// A normalised fact, such as `wifi.ssid`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub value: FactValue,
    /// Since when it is so, in milliseconds since 1970.
    pub since_ms: i64,
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum FactValue {
    /// Text.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
}

/// What a device proves its identity with. The passwords are not in it, but what HTTP Digest makes of
/// them is as good as they are: `Debug` shows neither.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The user name.
    pub username: String,
    /// MD5 of `username:realm:password` (RFC 7616 3.4.2).
    pub ha1_md5: [u8; 16],
    /// SHA-256 of the same.
    pub ha1_sha256: [u8; 32],
    /// Whose it is.
    pub holder: Holder,
    /// Whether the device has used it: it is never forgotten for one that was not used.
    pub is_proven: bool,
}

/// Who may use a credential.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Holder {
    /// This device, as the operator says.
    Device(DeviceKey),
    /// This device, which was given it by the server.
    Given(DeviceKey),
    /// The device whose identity the user name is (TR-069 3.4.4), and any device if it is none.
    Username,
    /// Any device that has no other credential yet: it is given one of its own.
    Onboarding,
}

/// What devices of one kind have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Model {
    /// The maker's name.
    pub manufacturer: String,
    /// The kind of product.
    pub product_class: String,
    /// `DeviceInfo.SoftwareVersion`.
    pub software_version: String,
}

/// Lets its bearer use the API. The token itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Whose it is, for people.
    pub name: String,
    /// SHA-256 of the token. It has no salt: a token is random and cannot be guessed.
    pub sha256: [u8; 32],
    /// When it was made, in milliseconds since 1970.
    pub created_ms: i64,
}

/// What one plugin keeps for one device.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notes {
    /// Its memory.
    pub memory: BTreeMap<String, Vec<u8>>,
    /// When it is to be woken, by name, in seconds since 1970.
    pub deadlines: BTreeMap<String, u64>,
}

/// A deadline of a plugin that has passed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// When it was to be, in seconds since 1970.
    pub at: u64,
    /// The device that it is about.
    pub device: DeviceKey,
    /// Whose it is.
    pub plugin: String,
    /// Its name.
    pub name: String,
}

/// The number of a task, growing, never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// Work that an operator queued for a device's next session.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// When it was queued, in milliseconds since 1970.
    pub created_ms: i64,
    /// What is to be done.
    pub work: Work,
    /// When it was begun, in milliseconds since 1970. A task that was begun and has no result was
    /// cut short, and whether the device did it is not known.
    pub sent_ms: Option<i64>,
    /// How often it was begun and nothing of it had left when the session was lost.
    pub attempts: u32,
    /// What became of it.
    pub result: Option<TaskResult>,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// One request to the device.
    Request {
        /// The name of the method, for lists.
        method: String,
        /// The request as an envelope: the standard's own form outlives ours. Empty once it is done.
        envelope: Vec<u8>,
    },
    /// One action of the plugin that serves the device.
    Action {
        /// Its name.
        name: String,
        /// Its arguments as JSON. Empty once it is done: there may be passwords in it.
        arguments: String,
    },
}

/// What became of a task.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskResult {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The device's answer as an envelope or the action's as JSON, or why there is none.
    pub outcome: Result<Vec<u8>, String>,
}

/// A file transfer that a device was asked for, or that it told of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Ties the TransferComplete to it.
    pub command_key: String,
    /// The method that asked for it.
    pub method: String,
    /// The type of file, as it is asked for.
    pub file_type: String,
    /// `DeviceInfo.SoftwareVersion` when it was asked for, or when it was told.
    pub software_version: String,
    /// When it was asked for, in milliseconds since 1970.
    pub requested_ms: i64,
    /// When its end must have been told, in milliseconds since 1970; later it has none.
    pub expires_ms: i64,
    /// What became of it.
    pub end: Option<TransferEnd>,
}

/// The end of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferEnd {
    /// When it was told, in milliseconds since 1970.
    pub at_ms: i64,
    /// How it ended.
    pub outcome: TransferOutcome,
    /// `DeviceInfo.SoftwareVersion` in the session that told of it.
    pub software_version: String,
    /// When it ended by the device's own account, in its own words: it tells a report that is
    /// repeated from another one.
    pub complete_time: String,
}

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TransferOutcome {
    /// The file was transferred, and applied where it is to be.
    Done,
    /// It failed.
    Failed {
        /// The standard's code.
        code: u32,
        /// What the device says.
        text: String,
    },
    /// It was cancelled before it began.
    Cancelled,
    /// Nothing was heard of it in time.
    Expired,
}

/// Something that went wrong and that an operator may want to see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Whose fault it is: `plugin`, `cpe`, `operator` or `server`.
    pub blame: String,
    /// The plugin that ran, with its version.
    pub plugin: Option<(String, String)>,
    /// A word for the kind, such as `trap` or `fuel`.
    pub kind: String,
    /// What happened.
    pub message: String,
    /// Where in the plugin, innermost first.
    pub backtrace: Vec<String>,
}

/// A session in which something happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// When it began, in milliseconds since 1970.
    pub began_ms: i64,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The events with their command keys.
    pub events: Vec<(String, String)>,
    /// The plugin that ran, with its version.
    pub plugin: Option<(String, String)>,
    /// How it ended, in a word or two.
    pub outcome: String,
    /// Every message that was exchanged, in order.
    pub steps: Vec<Step>,
    /// How many steps were not kept because there were too many.
    pub steps_dropped: u64,
}

/// One exchange in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Milliseconds since the session began.
    pub after_ms: u64,
    /// The method.
    pub method: String,
    /// What was asked, in brief and without secrets.
    pub request: String,
    /// What was answered, in brief and without secrets.
    pub answer: String,
}

/// What the plugin was told, asked and did in a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTranscript {
    /// When the session began, in milliseconds since 1970.
    pub at_ms: i64,
    /// The device.
    pub device: DeviceKey,
    /// The plugin.
    pub plugin: String,
    /// All of it, as JSON.
    pub json: String,
}

/// Which transcripts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TranscriptQuery {
    /// Those since this time, in milliseconds since 1970.
    pub since_ms: i64,
    /// Those after this place, which an earlier answer named.
    pub after: Option<Vec<u8>>,
    /// Those of this device.
    pub device: Option<DeviceKey>,
    /// Those of this plugin.
    pub plugin: Option<String>,
    /// So many.
    pub limit: usize,
}

/// Some of what a query asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What was found, in order. It may be nothing though there is more.
    pub found: Vec<T>,
    /// The place of the last one that was looked at: more may come after it, unless there is none.
    pub next: Option<Vec<u8>>,
}

/// Which faults, of all devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultQuery {
    /// Those since this time, in milliseconds since 1970.
    pub since_ms: i64,
    /// Those after this place, which an earlier answer named.
    pub after: Option<Vec<u8>>,
    /// Those of sessions in which this plugin ran.
    pub plugin: Option<String>,
    /// So many.
    pub limit: usize,
}

/// What an Inform shows to be no longer true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forget {
    /// Nothing of it.
    Nothing,
    /// The parameters: the device has another root.
    Tree,
    /// The parameters, and the transfers that are open: the device was reset (TR-069 3.7.1.5,
    /// `0 BOOTSTRAP`).
    TreeAndTransfers,
}

/// What a session has to keep, written in one step.
#[derive(Default)]
pub struct Changes {
    /// The header, if it changed.
    pub header: Option<Device>,
    /// What was learned about parameters.
    pub tree: Vec<TreeChange>,
    /// What a plugin keeps.
    pub notes: Option<(String, Notes)>,
    /// Tasks that were sent, and tasks that are done.
    pub tasks: Vec<(TaskId, Task)>,
    /// Transfers that were asked for or have ended.
    pub transfers: Vec<Transfer>,
    /// What went wrong.
    pub faults: Vec<Fault>,
    /// The session itself.
    pub session: Option<Session>,
}

// === impl DeviceKey ===

impl DeviceKey {
    /// A key from its text form, as the API and the logs show it.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text form.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&DeviceId> for DeviceKey {
    fn from(id: &DeviceId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

// === impl Credential ===

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("username", &self.username)
            .field("holder", &self.holder)
            .finish_non_exhaustive()
    }
}

// === impl Transfer ===

impl Transfer {
    /// Whether the transfer was of firmware that is to run by the time its end is told.
    pub fn is_firmware(&self) -> bool {
        self.file_type == file_type::FIRMWARE
    }
}

// === impl Undelivered ===

impl fmt::Debug for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

// === impl Notes ===

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Plugins may keep secrets in it.
        f.debug_struct("Notes")
            .field("memory", &self.memory.keys())
            .field("deadlines", &self.deadlines)
            .finish()
    }
}

// === impl Work ===

impl Work {
    /// The same without what may be secret in it, for what is done.
    #[must_use]
    pub fn done(self) -> Self {
        match self {
            Self::Request { method, .. } => Self::Request { method, envelope: Vec::new() },
            Self::Action { name, .. } => Self::Action { name, arguments: String::new() },
        }
    }
}

// === impl InformedParameter ===

impl fmt::Debug for InformedParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.value_type)
    }
}

// === impl Device ===

impl Device {
    /// Takes in what an Inform told of one parameter.
    pub fn inform(&mut self, name: &str, value: &str, value_type: ValueType, at_ms: i64) {
        if let Some(known) = self.informed.get_mut(name) {
            value.clone_into(&mut known.value);
            value_type.local_name().clone_into(&mut known.value_type);
            known.at_ms = at_ms;
            return;
        }
        let value_type = value_type.local_name().to_owned();
        let told = InformedParameter { value: value.to_owned(), value_type, at_ms };
        self.informed.insert(name.to_owned(), told);
    }

    /// Publishes a fact; tells whether it is news.
    pub fn publish(&mut self, name: &str, value: FactValue, now_ms: i64) -> bool {
        if self.facts.get(name).is_some_and(|fact| fact.value == value) {
            return false;
        }
        self.facts.insert(name.to_owned(), Fact { value, since_ms: now_ms });
        true
    }
}

// === impl Changes ===

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.header.is_none()
            && self.tree.is_empty()
            && self.notes.is_none()
            && self.tasks.is_empty()
            && self.transfers.is_empty()
            && self.faults.is_empty()
            && self.session.is_none()
    }
}

// === impl Transfer ===

impl Transfer {
    /// Whether it was asked for and its end is not known.
    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }

    /// Whether nobody asked for it: it ends no transfer that somebody did ask for.
    pub fn is_autonomous(&self) -> bool {
        self.method.starts_with("autonomous")
    }
}

// === impl TransferOutcome ===

impl TransferOutcome {
    /// What a fault code and its text say; 0 is success (TR-069 A.3.3.2).
    pub fn of_fault(code: u32, text: &str) -> Self {
        if code == 0 { Self::Done } else { Self::Failed { code, text: text.to_owned() } }
    }
}

// === impl FactValue ===

impl fmt::Display for FactValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
        }
    }
}
