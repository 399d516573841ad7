//! How sessions behave.

use std::collections::HashSet;
use std::time::Duration;

use crate::connection_request::ConnectionRequestKey;
use crate::habits::Quirk;
use crate::redirect::Redirect;

/// Settings of all sessions.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// Sessions at once; the next Inform is answered with 503. Default 10,000.
    pub sessions_max: usize,
    /// How long a silent device keeps its session, unless its Inform asks for another time.
    /// At least 30 s (TR-069 3.7.2.4). Default 60 s.
    pub silence: Duration,
    /// The longest time an Inform may ask for. Default 10 min.
    pub silence_max: Duration,
    /// What becomes of unknown devices. Default: they are accepted.
    pub unknown_devices: UnknownDevices,
    /// The devices that have a credential in the configuration. Default none.
    pub named_devices: HashSet<String>,
    /// What devices want, by model; a later row goes before an earlier one. Default nothing.
    pub quirks: Vec<Quirk>,
    /// Models of which is remembered how much their devices can tell at once. Default 10,000.
    pub models_max: usize,
    /// Devices that another server is to serve. Default none.
    pub redirects: Vec<Redirect>,
    /// Whether a device that has a credential of its own may come in with the onboarding one again
    /// when it says that it was reset. Default yes.
    pub onboard_again: bool,
    /// The realm of HTTP authentication, for the credentials that devices are given. Default
    /// `trellis`.
    pub realm: String,
    /// What the devices' logins for connection requests are made of; without it they are given
    /// none. Default none.
    pub connection_request_key: Option<ConnectionRequestKey>,
    /// The longest that a session lasts. Default 2 h.
    pub session_max: Duration,
    /// How long a POST waits for its answer; devices give up after 30 s. Default 25 s.
    pub answer: Duration,
    /// Requests that a device may send before its empty POST. Default 100.
    pub cpe_requests_max: u32,
    /// Facts that are kept for a device. Default 256.
    pub facts_max: usize,
    /// Steps of a session that are kept. Default 500.
    pub steps_max: usize,
    /// Things learned of a device's tree that wait in memory for the end of the session; with
    /// more they are written at once. Default 20,000.
    pub tree_changes_max: usize,
    /// Messages of a device that no plugin has seen yet, in bytes; beyond that the oldest go.
    /// Default 64 KiB.
    pub undelivered_bytes_max: usize,
    /// How long after the time at which a transfer was to begin its end must be told; later it has
    /// expired. The standard gives devices an hour (A.3.2.8). Default 65 min.
    pub transfer_report: Duration,
    /// What is recorded of one run of a plugin, in bytes; 0 records nothing. Default 256 KiB.
    pub record_bytes: usize,
    /// How much of plugins' runs waits to be kept, in bytes. Default 64 MiB.
    pub transcript_queue_bytes: usize,
    /// How long transcripts of plugins are kept. Default 72 h.
    pub transcript_time: Duration,
    /// How long a plugin may go on once its session is lost. Default 1 s.
    pub lost_grace: Duration,
    /// Kinds of devices (manufacturer, product class, software version) that metrics tell apart.
    /// Default 500.
    pub metric_kinds_max: usize,
    /// Messages larger than this, in bytes, are decoded on another thread. Default 128 KiB.
    pub decode_inline_bytes: usize,
}

/// What becomes of devices that the server has never heard of and that have no credential of
/// their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownDevices {
    /// They are served.
    Accept,
    /// They are recorded, and nothing is asked of them until this is `Accept`.
    Quarantine,
    /// They get fault 8003, and nothing is recorded.
    Refuse,
}

/// The least silence that the standard allows an ACS to take for the end.
pub(crate) const SILENCE_MIN: Duration = Duration::from_secs(30);

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            silence: Duration::from_secs(60),
            silence_max: Duration::from_secs(600),
            unknown_devices: UnknownDevices::Accept,
            named_devices: HashSet::new(),
            quirks: Vec::new(),
            models_max: 10_000,
            redirects: Vec::new(),
            onboard_again: true,
            realm: "trellis".to_owned(),
            connection_request_key: None,
            session_max: Duration::from_secs(7_200),
            answer: Duration::from_secs(25),
            cpe_requests_max: 100,
            facts_max: 256,
            steps_max: 500,
            tree_changes_max: 20_000,
            undelivered_bytes_max: 64 << 10,
            transfer_report: Duration::from_secs(65 * 60),
            record_bytes: 256 << 10,
            transcript_queue_bytes: 64 << 20,
            transcript_time: Duration::from_secs(72 * 3_600),
            lost_grace: Duration::from_secs(1),
            metric_kinds_max: 500,
            decode_inline_bytes: 128 << 10,
        }
    }
}
