//! Deadlines of plugins: what a plugin waits for has not come in time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use trellis_cwmp::DeviceId;
use trellis_plugin_host::{Context, FaultKind, Hook, Run, RunFault, Traits};
use trellis_store::{Deadline, Orders, Session};

use crate::admission::run_alone;
use crate::caller::Caller;
use crate::conversation::{Lost, cut};
use crate::post::SessionId;
use crate::sessions::{End, Sessions, Shared};
use crate::visit::{Visit, store_failed};

/// How often deadlines are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Deadlines that are looked at in one round.
const ROUND_MAX: usize = 1_000;

/// Plugins that run for deadlines at once, and of these, runs of one plugin: one that takes its time
/// must not keep the others waiting.
const AT_ONCE: usize = 32;
const OF_ONE_PLUGIN: usize = 8;

/// How long a plugin may take over one.
const EXPIRED_MAX: Duration = Duration::from_secs(30);

impl Sessions {
    /// Calls plugins whose deadlines have passed, until `stop`. A device that is in a session is
    /// left to it; its turn comes after that, if the deadline is still there.
    pub async fn keep_deadlines(self, stop: CancellationToken) {
        let mut running = JoinSet::<(Deadline, bool)>::new();
        // By plugin, those that run.
        let mut of_plugin = HashMap::<String, HashSet<Deadline>>::new();
        // Where the last round has ended: what cannot be called now must not hide what can.
        let mut after: Option<Deadline> = None;
        // Whether a deadline has found no place, and one that had a place was dealt with since.
        let mut has_more = false;
        loop {
            let pause = async {
                tokio::select! {
                    () = tokio::time::sleep(LOOK_EVERY) => None,
                    ended = running.join_next(), if has_more && !running.is_empty() => ended,
                }
            };
            let Some(mut ended) = stop.run_until_cancelled(pause).await else { break };
            let mut is_dealt_with = false;
            while let Some(run) = ended.take().or_else(|| running.try_join_next()) {
                // A run that panicked is counted for good, and its plugin has one place less.
                let Ok((deadline, has_ended)) = run else { continue };
                is_dealt_with |= has_ended;
                if let Some(running) = of_plugin.get_mut(&deadline.plugin) {
                    running.remove(&deadline);
                }
            }
            of_plugin.retain(|_, running| !running.is_empty());
            let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default();
            let due = self.0.acs.store.due_deadlines(now, after.clone(), ROUND_MAX).await;
            let due = match due {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(%error, "deadlines of plugins cannot be read");
                    continue;
                }
            };
            let is_all = due.len() < ROUND_MAX;
            let mut last = after.take();
            let mut is_full = false;
            for deadline in due {
                if running.len() >= AT_ONCE {
                    is_full = true;
                    break;
                }
                last = Some(deadline.clone());
                let beside = of_plugin.entry(deadline.plugin.clone()).or_default();
                if beside.contains(&deadline) {
                    continue;
                }
                if beside.len() >= OF_ONE_PLUGIN {
                    is_full = true;
                    continue;
                }
                beside.insert(deadline.clone());
                let span = tracing::info_span!("deadline", device = %deadline.device);
                let shared = Arc::clone(&self.0);
                let call = async move { (deadline.clone(), shared.expire(deadline).await) };
                running.spawn(call.instrument(span));
            }
            after = if is_all && running.len() < AT_ONCE { None } else { last };
            // Those of a plugin that cannot be called now end at once, and must not be tried
            // without a pause.
            has_more = is_full && (is_dealt_with || !has_more);
        }
        while running.join_next().await.is_some() {}
    }
}

impl Shared {
    /// Calls a plugin for one deadline, in the device's place, so that no session runs beside it. An
    /// Inform of the device ends it; then it is for the plugin's next run, or for a later round. Whether
    /// it was dealt with.
    async fn expire(&self, deadline: Deadline) -> bool {
        let Ok(id) = SessionId::random() else { return false };
        let Some(handle) = self.open.occupy(id, &deadline.device) else { return false };
        let superseded = handle.superseded.clone();
        let end = End { shared: self, device: deadline.device.clone(), handle };
        let name = deadline.name.clone();
        let called = superseded.run_until_cancelled(self.call_expired(deadline)).await;
        let mut is_dealt_with = false;
        match called {
            // What came of it is kept to the end: an Inform that has come waits for that.
            Some(Ok(Some(mut visit))) => {
                visit.hand_over_recordings(&self.acs);
                match visit.keep_all(&self.acs).await {
                    Ok(()) => is_dealt_with = true,
                    Err(error) => {
                        tracing::error!(name, %error, "what came of a deadline was not kept");
                    }
                }
            }
            Some(Ok(None)) => {}
            Some(Err(error)) => tracing::error!(name, %error, "a deadline was not dealt with"),
            None => tracing::debug!(name, "the device has come; its deadline waits"),
        }
        drop(end);
        is_dealt_with
    }

    /// Calls the plugin; what comes of it is in the visit, to be kept. Nothing where the plugin
    /// cannot be called now and may be later.
    async fn call_expired(&self, deadline: Deadline) -> Result<Option<Visit>, Lost> {
        let known =
            self.acs.store.notes(&deadline.device, &deadline.plugin).await.map_err(store_failed)?;
        let header = self.acs.store.device(&deadline.device).await.map_err(store_failed)?;
        let is_due = known.deadlines.get(&deadline.name) == Some(&deadline.at);
        let Some(header) = header.filter(|_| is_due) else {
            // A session has taken it back, or put it off, since it was found.
            self.acs.store.drop_deadline(&deadline).await.map_err(store_failed)?;
            return Ok(None);
        };
        let Deadline { device, plugin: name, name: which, .. } = deadline;
        let device_id = DeviceId {
            manufacturer: header.manufacturer.clone(),
            oui: header.oui.clone(),
            product_class: header.product_class.clone(),
            serial_number: header.serial_number.clone(),
        };
        let mut visit = Visit::new(device_id, Arc::new(Caller::Anonymous));
        visit.key = device;
        visit.header = header;
        // Whoever set the deadline is called, whoever serves the device by now.
        let orders = self.acs.store.orders(&visit.key).await.map_err(store_failed)?;
        let orders = Orders { plugin: Some(name.clone()), ..orders };
        visit.plugin = self.acs.catalog.select(&visit.key, &Traits::default(), &orders);
        if visit.plugin.is_none() && self.acs.catalog.has(&name).await {
            // It is disabled, or could not be loaded: it may serve again.
            return Ok(None);
        }
        if let Some(why) = visit.plugin.as_ref().and_then(|it| it.settings.misfit.as_ref()) {
            // It is called once they are put right.
            tracing::debug!(device = %visit.key, plugin = name, "a deadline waits: {why}");
            return Ok(None);
        }
        let mut notes = known;
        // It is over, whatever comes of it; the plugin may set it again.
        notes.deadlines.remove(&which);
        visit.notes = Some((name.clone(), notes.clone()));
        visit.changes.notes = Some((name.clone(), notes));
        let fault = match visit.plugin.clone().filter(|it| it.plugin.expires()) {
            Some(selected) => {
                // The device tells of nothing now: what waits to be told is for its next session.
                let context = Context {
                    transfers: Vec::new(),
                    operations: Vec::new(),
                    requested_downloads: Vec::new(),
                    changed_elsewhere: false,
                    ..visit.context(&self.acs).await?
                };
                let hook = Hook::Expired { deadline: which.clone() };
                let run = Run::start(Arc::clone(&selected.plugin), hook, context);
                match run_alone(run, EXPIRED_MAX).await {
                    Some(finished) => {
                        let fault = finished.fault.clone();
                        if fault.as_ref().is_some_and(|it| it.kind == FaultKind::Busy) {
                            return Ok(None);
                        }
                        visit.take_in(&self.acs, finished).await;
                        fault
                    }
                    None => {
                        let seconds = EXPIRED_MAX.as_secs();
                        let message = format!("expired took longer than {seconds} s");
                        let kind = FaultKind::WallTime;
                        let fault = RunFault { kind, message, backtrace: Vec::new() };
                        visit.record_fault(fault.clone(), visit.now_ms());
                        Some(fault)
                    }
                }
            }
            None => {
                let message = format!(
                    "the deadline {which:?} of the plugin {name} has passed, and the plugin does \
                     not serve or cannot be woken any more"
                );
                let fault = RunFault { kind: FaultKind::Contract, message, backtrace: Vec::new() };
                visit.record_fault(fault.clone(), visit.now_ms());
                // Not of the plugin that the device had last.
                let blamed = Some((name.clone(), String::new()));
                visit.changes.faults.iter_mut().for_each(|it| it.plugin.clone_from(&blamed));
                Some(fault)
            }
        };
        let outcome = fault.map_or_else(|| "ok".to_owned(), |fault| fault.message);
        visit.changes.session = Some(Session {
            began_ms: visit.began.as_millisecond(),
            took_ms: 0,
            events: vec![("deadline".to_owned(), cut(&which))],
            plugin: visit.plugin_used(),
            outcome: cut(&outcome),
            steps: Vec::new(),
            steps_dropped: 0,
        });
        tracing::info!(deadline = which, outcome, "deadline");
        Ok(Some(visit))
    }
}
