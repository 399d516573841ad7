//! Calls devices: not one that is here already, not one that was called a moment ago, and not all
//! at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use trellis_session::{ConnectionRequestKey, Join, Sessions, limit_reached};
use trellis_store::{Device, DeviceKey, Store, StoreError};

use crate::networks::Networks;
use crate::outcome::Outcome;
use crate::request::{self, Login};
use crate::target::{Target, udp_address};

/// How devices are called.
#[derive(Clone, Debug)]
pub struct ContactSettings {
    /// How long one connection request may take. Default 15 s.
    pub request_max: Duration,
    /// How long a device that accepted one has to come before it may be called again: at least
    /// 30 s (TR-069 3.2.2.1). Default 30 s.
    pub repeat: Duration,
    /// Devices that are called at once. Default 200.
    pub requests_max: usize,
    /// The addresses that may be called.
    pub networks: Networks,
    /// What is tried after the login that the server gave to the device, in this order. Default
    /// nothing.
    pub logins: Vec<Login>,
}

impl Default for ContactSettings {
    fn default() -> Self {
        Self {
            request_max: Duration::from_secs(15),
            repeat: Duration::from_secs(30),
            requests_max: 200,
            networks: Networks::default(),
            logins: Vec::new(),
        }
    }
}

/// Calls devices. Clones share what was called.
#[derive(Clone)]
pub struct ConnectionRequests(Arc<Shared>);

struct Shared {
    store: Arc<dyn Store>,
    sessions: Sessions,
    key: ConnectionRequestKey,
    settings: ContactSettings,
    permits: Semaphore,
    calls: Mutex<Calls>,
}

/// Devices that are being called, or were.
#[derive(Default)]
struct Calls {
    by_device: HashMap<DeviceKey, Called>,
    /// When those that are over were last dropped.
    swept: Option<Instant>,
}

/// A device that is being called, or was.
struct Called {
    /// Until when it is not called again.
    until: Instant,
    /// When it was called, in milliseconds since 1970.
    at_ms: i64,
}

/// A call. Dropped before its outcome, the device may have heard it all the same.
struct Call<'a> {
    shared: &'a Shared,
    device: &'a DeviceKey,
}

/// How long a device that is busy, or refuses the login, is left alone.
const REFUSED_PAUSE: Duration = Duration::from_secs(10);

/// How often calls that are over are dropped.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a session that is about to end may take.
const END_WAIT: Duration = Duration::from_secs(5);

impl ConnectionRequests {
    /// Nobody called yet. `key` is what the server makes the devices' logins of.
    pub fn new(
        store: Arc<dyn Store>,
        sessions: Sessions,
        key: ConnectionRequestKey,
        settings: ContactSettings,
    ) -> Self {
        let permits = Semaphore::new(settings.requests_max);
        let calls = Mutex::default();
        Self(Arc::new(Shared { store, sessions, key, settings, permits, calls }))
    }

    /// Calls a device, unless it is here. `None` if there is no such device.
    pub async fn call(&self, device: &DeviceKey) -> Result<Option<Outcome>, StoreError> {
        let Some(outcome) = self.0.call(device).await? else { return Ok(None) };
        metrics::counter!("trellis_connection_requests_total", "outcome" => outcome.name())
            .increment(1);
        let detail = outcome.to_string();
        let detail = detail.as_str();
        tracing::info!(%device, outcome = outcome.name(), detail, "connection request");
        Ok(Some(outcome))
    }
}

impl Shared {
    async fn call(&self, device: &DeviceKey) -> Result<Option<Outcome>, StoreError> {
        // From here on no session of the device can begin unseen.
        let comes = self.sessions.expect(device);
        match self.sessions.join(device) {
            Join::Joined => return Ok(Some(Outcome::InSession)),
            Join::Ending(ended) => {
                let _ = tokio::time::timeout(END_WAIT, ended.cancelled()).await;
            }
            Join::None => {}
        }
        // What that session has told counts.
        let Some(header) = self.store.device(device).await? else { return Ok(None) };
        let target = match Target::read(&header.connection_request_url) {
            Ok(target) => target,
            Err(outcome) => return Ok(Some(outcome)),
        };
        let Ok(_permit) = self.permits.try_acquire() else {
            limit_reached("connection_requests");
            return Ok(Some(Outcome::TooMany));
        };
        let call = match self.begin(device, &header) {
            Ok(call) => call,
            Err(seconds) => return Ok(Some(Outcome::Waiting(seconds))),
        };
        let logins = self.logins(device, &header);
        let calling = async {
            match target.addresses(&self.settings.networks).await {
                Ok(addresses) => request::call(&target, &addresses, &logins).await,
                Err(outcome) => outcome,
            }
        };
        let request_max = self.settings.request_max;
        let outcome = tokio::select! {
            called = tokio::time::timeout(request_max, calling) => called,
            // Some devices open their session before they answer.
            () = comes.session() => Ok(Outcome::Accepted),
        };
        let (outcome, pause) = match outcome {
            // Whether it heard the request is not known.
            Err(_) => {
                let seconds = request_max.as_secs();
                let why = format!("the device did not answer in {seconds} s");
                (Outcome::Unreachable(why), self.settings.repeat)
            }
            Ok(Outcome::Accepted) => (Outcome::Accepted, self.settings.repeat),
            Ok(outcome @ (Outcome::Busy | Outcome::BadCredentials)) => (outcome, REFUSED_PAUSE),
            Ok(outcome) => (outcome, Duration::ZERO),
        };
        call.end(pause);
        Ok(Some(explained(outcome, &header)))
    }

    /// Takes note that a device is called; or says for how many seconds it may not be.
    fn begin<'a>(&'a self, device: &'a DeviceKey, header: &Device) -> Result<Call<'a>, u64> {
        let now = Instant::now();
        let mut calls = self.lock();
        if calls.swept.is_none_or(|swept| now.duration_since(swept) > SWEEP) {
            calls.by_device.retain(|_, it| it.until > now);
            calls.swept = Some(now);
        }
        if let Some(before) = calls.by_device.get(device)
            && before.until > now
            && !has_come(header, before.at_ms)
        {
            return Err(before.until.duration_since(now).as_secs() + 1);
        }
        let until = now + self.settings.request_max + self.settings.repeat;
        let called = Called { until, at_ms: Timestamp::now().as_millisecond() };
        calls.by_device.insert(device.clone(), called);
        Ok(Call { shared: self, device })
    }

    /// The logins that the device may know, the likeliest first.
    fn logins(&self, device: &DeviceKey, header: &Device) -> Vec<Login> {
        let given = header.connection_request_logins;
        // The last one may not have reached the device.
        let given = (given.saturating_sub(1)..=given).rev().filter(|number| *number > 0);
        let given = given.map(|number| {
            let (username, password) = self.key.login(device, number);
            Login { username, password }
        });
        given.chain(self.settings.logins.iter().cloned()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call<'_> {
    /// It has an outcome; the device is left alone for `pause` from now.
    fn end(self, pause: Duration) {
        if let Some(called) = self.shared.lock().by_device.get_mut(self.device) {
            called.until = Instant::now() + pause;
        }
    }
}

/// Whether the device has come since, because it was called.
fn has_come(header: &Device, since_ms: i64) -> bool {
    header.last_inform_ms >= since_ms
        && header.last_events.iter().any(|(code, _)| code == "6 CONNECTION REQUEST")
}

/// What an operator should know of a device that cannot be reached.
fn explained(outcome: Outcome, header: &Device) -> Outcome {
    let udp = udp_address(&header.udp_connection_request_address);
    match (outcome, udp) {
        (Outcome::Unreachable(why), Some(udp)) if header.nat_detected != Some(false) => {
            let why = format!(
                "{why}; the device may be behind NAT and listens for connection requests over UDP \
                 at {udp}, which this server does not send"
            );
            Outcome::Unreachable(why)
        }
        (outcome, _) => outcome,
    }
}
