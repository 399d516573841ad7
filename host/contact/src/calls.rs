//! Calls devices: not one that is here already, not one that was called a moment ago, and not all
//! at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;
use trellis_session::{ConnectionRequestKey, Join, Sessions};
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
    called: Mutex<HashMap<DeviceKey, Called>>,
}

/// A device that is being called, or was.
#[derive(Clone, Copy)]
struct Called {
    at: Instant,
    at_ms: i64,
}

/// A device that is being called. Unless it accepts, it may be called again at once.
struct Call<'a> {
    shared: &'a Shared,
    device: &'a DeviceKey,
    is_accepted: bool,
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if !self.is_accepted {
            self.shared.lock().remove(self.device);
        }
    }
}

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
        let called = Mutex::default();
        Self(Arc::new(Shared { store, sessions, key, settings, permits, called }))
    }

    /// Calls a device, unless it is here. `None` if there is no such device.
    pub async fn call(&self, device: &DeviceKey) -> Result<Option<Outcome>, StoreError> {
        let Some(header) = self.0.store.device(device).await? else { return Ok(None) };
        let outcome = self.0.call(device, &header).await;
        metrics::counter!("trellis_connection_requests_total", "outcome" => outcome.name())
            .increment(1);
        tracing::info!(%device, outcome = outcome.name(), detail = %outcome, "connection request");
        Ok(Some(outcome))
    }
}

impl Shared {
    async fn call(&self, device: &DeviceKey, header: &Device) -> Outcome {
        match self.sessions.join(device) {
            Join::Joined => return Outcome::InSession,
            Join::Ending(ended) => {
                let _ = tokio::time::timeout(END_WAIT, ended.cancelled()).await;
            }
            Join::None => {}
        }
        let target = match Target::read(&header.connection_request_url) {
            Ok(target) => target,
            Err(outcome) => return outcome,
        };
        let Ok(_permit) = self.permits.try_acquire() else {
            metrics::counter!("trellis_limit_reached_total", "limit" => "connection_requests")
                .increment(1);
            return Outcome::TooMany;
        };
        let mut call = match self.begin(device, header) {
            Ok(call) => call,
            Err(seconds) => return Outcome::Waiting(seconds),
        };
        // Some devices open their session before they answer.
        let comes = self.sessions.expect(device);
        let calling = async {
            match target.addresses(&self.settings.networks).await {
                Ok(addresses) => {
                    request::call(&target, &addresses, &self.logins(device, header)).await
                }
                Err(outcome) => outcome,
            }
        };
        let outcome = tokio::select! {
            called = tokio::time::timeout(self.settings.request_max, calling) => {
                called.unwrap_or_else(|_| {
                    let seconds = self.settings.request_max.as_secs();
                    Outcome::Unreachable(format!("the device did not answer in {seconds} s"))
                })
            }
            () = comes.session() => Outcome::Accepted,
        };
        call.is_accepted = outcome == Outcome::Accepted;
        explained(outcome, header)
    }

    /// Takes note that a device is called; or says for how many seconds it may not be.
    fn begin<'a>(&'a self, device: &'a DeviceKey, header: &Device) -> Result<Call<'a>, u64> {
        let now = Called { at: Instant::now(), at_ms: Timestamp::now().as_millisecond() };
        let repeat = self.settings.repeat;
        let mut called = self.lock();
        called.retain(|_, it| it.at.elapsed() < repeat);
        if let Some(before) = called.get(device)
            && !has_come(header, before.at_ms)
        {
            return Err(repeat.saturating_sub(before.at.elapsed()).as_secs() + 1);
        }
        called.insert(device.clone(), now);
        Ok(Call { shared: self, device, is_accepted: false })
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

    fn lock(&self) -> MutexGuard<'_, HashMap<DeviceKey, Called>> {
        self.called.lock().unwrap_or_else(PoisonError::into_inner)
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
