//! One run of a plugin: one call of one of its hooks, in an instance of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use trellis_cwmp::Message;
use wasmtime::Store;

use crate::bindings::log;
use crate::engine::FUEL_YIELD_INTERVAL;
use crate::fault::{FaultKind, RunFault, limit_reached};
use crate::hook::{Admission, Answer, Hook};
use crate::plugin::Plugin;
use crate::recording::Recording;
use crate::state::{Context, FactValue, Notes, RunState};
use crate::stats::Used;
use crate::toll::Toll;

/// A plugin that runs, or waits for the device. Dropping it ends it at once.
pub struct Run {
    running: Pin<Box<dyn Future<Output = Finished> + Send>>,
    asks: mpsc::Receiver<Ask>,
    /// Whom to count it for if it is dropped.
    unfinished: Option<Arc<Plugin>>,
    asked: u32,
}

/// A request that the plugin has for the device.
pub struct Ask {
    /// The request, checked.
    pub request: Message,
    /// What the plugin keeps, if that has changed: to be on disk before the request leaves.
    pub notes: Option<Notes>,
    /// Takes the device's response or fault, or why the session was lost.
    pub reply: oneshot::Sender<Result<Message, String>>,
}

/// What the plugin wants next.
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub enum Next {
    /// A request to the device.
    Ask(Ask),
    /// Nothing more.
    Finished(Box<Finished>),
}

/// How a run ended and what it leaves behind.
pub struct Finished {
    /// What it answered; nothing where there is a fault.
    pub answer: Answer,
    /// Why it ended early, if it did.
    pub fault: Option<RunFault>,
    /// Limits that were reached without an end of the run.
    pub overruns: Vec<RunFault>,
    /// What the plugin keeps, if that has changed and is worth keeping.
    pub notes: Option<Notes>,
    /// Facts published, and withdrawn.
    pub facts: Vec<(String, Option<FactValue>)>,
    /// How many values the device can tell at once, if it could not tell more.
    pub names_learned: Option<usize>,
    /// Lines of log that were over the limit.
    pub log_lines_dropped: u32,
    /// What it was told, asked and did, where that is recorded.
    pub recording: Option<Recording>,
    /// What it asked over HTTP that the recording which answers does not hold.
    pub unanswered: Vec<String>,
    /// Whether it has sent something over HTTP: then it cannot be taken for not done.
    pub has_sent_http: bool,
}

impl Run {
    /// Begins a run. Nothing happens before the first [`Run::next`].
    pub fn start(plugin: Arc<Plugin>, hook: Hook, context: Context) -> Self {
        // One place: a plugin has one request at a time.
        let (sender, asks) = mpsc::channel(1);
        let unfinished = (!context.is_rehearsal).then(|| Arc::clone(&plugin));
        let running = Box::pin(run(plugin, hook, context, sender));
        Self { running, asks, unfinished, asked: 0 }
    }

    /// Ends it at once, and counts it as ended so.
    pub fn end(mut self, kind: FaultKind) {
        self.count(kind);
    }

    fn count(&mut self, kind: FaultKind) {
        if let Some(plugin) = self.unfinished.take() {
            plugin.stats.add(&Used {
                rpcs: self.asked,
                fault: Some(kind.name()),
                ..Used::default()
            });
        }
    }

    /// Lets the plugin run until it wants something. Not to be called again once it has
    /// finished.
    pub async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            Some(ask) = self.asks.recv() => {
                self.asked += 1;
                Next::Ask(ask)
            }
            finished = &mut self.running => {
                self.unfinished = None;
                Next::Finished(Box::new(finished))
            }
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.count(FaultKind::Ended);
    }
}

async fn run(
    plugin: Arc<Plugin>,
    hook: Hook,
    mut context: Context,
    asks: mpsc::Sender<Ask>,
) -> Finished {
    let limits = Arc::clone(context.limits.get_or_insert_with(|| Arc::clone(&plugin.limits)));
    let http_limits = context.http_limits.get_or_insert_with(|| plugin.grants.limits().clone());
    let (wall, http_limits) = (limits.wall, http_limits.clone());
    if let Some(why) = &context.settings.misfit {
        let fault = RunFault::new(FaultKind::Settings, &**why);
        plugin.stats.add(&Used { fault: Some(fault.kind.name()), ..Used::default() });
        return Finished::not_begun(fault);
    }
    let Ok(_permit) = plugin.engine.permits.try_acquire() else {
        limit_reached("plugin_runs");
        return Finished::not_begun(RunFault::new(FaultKind::Busy, "every plugin run is taken"));
    };
    let began_with = (context.record_bytes > 0).then(|| context.clone());
    let mut state = RunState::new(context, Arc::clone(&plugin.name), hook.reach(), limits, asks);
    let is_rehearsal = state.context.is_rehearsal;
    state.gate.open(Arc::clone(&plugin.grants), http_limits);
    if is_rehearsal {
        state.gate.replay(std::mem::take(&mut state.context.recorded_http));
    }
    state.has_expiry = plugin.hooks.expiry.is_some();
    if let Hook::Action { arguments, .. } = &hook {
        state.secrets.add_json(arguments);
    }
    let mut store = Store::new(&plugin.engine.engine, state);
    let mut busy = Duration::ZERO;
    let called = timed(call(&plugin, &hook, &mut store), &mut busy);
    let called = tokio::time::timeout(wall, called).await;
    let left = store.get_fuel().unwrap_or_default();
    let mut state = store.into_data();
    let printed = state.output.clone().shown(|text| state.without_secrets(text));
    let result = match called {
        Ok(Ok(Ok(answer))) => Ok(answer),
        Ok(Ok(Err(message))) => Err(RunFault::new(FaultKind::Error, message)),
        Ok(Err(error)) => Err(RunFault::explain(&error, &printed, &state)),
        Err(_) => Err(RunFault::new(
            FaultKind::WallTime,
            format!("the wall-time limit of {} is reached", seconds(wall)),
        )),
    };
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        state.log(log::Level::Info, line);
    }
    let (answer, fault) = match result {
        Ok(answer) => (shown(answer, &mut state), None),
        Err(fault) => (Answer::Done, Some(fault.shown(&mut state))),
    };
    for obstacle in state.gate.obstacles() {
        let obstacle = RunFault::new(FaultKind::Http, obstacle).shown(&mut state);
        state.overruns.push(obstacle);
    }
    let facts = state.shown_facts();
    // What is only tried is none of what the version has done.
    if !is_rehearsal {
        plugin.stats.add(&Used {
            rpcs: state.rpcs,
            fault: fault.as_ref().map(|fault| fault.kind.name()),
            fuel: state.limits.fuel.saturating_sub(left),
            busy,
            parked: state.parked,
            memory_bytes: state.linear_bytes,
        });
        for overrun in &state.overruns {
            plugin.stats.count_fault(overrun.kind.name());
        }
    }
    let recording = began_with.map(|context| {
        let outcome = match &fault {
            Some(fault) => Err((fault.kind, fault.message.clone())),
            None => Ok(answer.clone()),
        };
        state.recorder.finish(hook, context, outcome)
    });
    // A run that trapped may have stopped half-way through its notes.
    let trapped = fault.as_ref().is_some_and(|fault| fault.kind != FaultKind::Error);
    Finished {
        answer,
        fault,
        overruns: state.overruns,
        notes: (state.notes_changed && !trapped).then_some(state.context.notes),
        facts,
        names_learned: state.names_learned,
        log_lines_dropped: state.log_lines.saturating_sub(state.limits.log_lines),
        recording,
        unanswered: state.gate.unanswered(),
        has_sent_http: !is_rehearsal && state.gate.has_sent(),
    }
}

/// What a decision says to people, without secrets.
fn shown(answer: Answer, state: &mut RunState) -> Answer {
    match answer {
        Answer::Admission(Admission::Refuse { code, text }) => {
            Answer::Admission(Admission::Refuse { code, text: state.without_secrets(&text) })
        }
        Answer::Admission(Admission::Quarantine(why)) => {
            Answer::Admission(Admission::Quarantine(state.without_secrets(&why)))
        }
        answer => answer,
    }
}

/// Measures how long a future computes, not how long it waits.
async fn timed<F: Future>(future: F, busy: &mut Duration) -> F::Output {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| {
        let since = Instant::now();
        let polled = future.as_mut().poll(cx);
        *busy += since.elapsed();
        polled
    })
    .await
}

/// Calls one hook in a new instance. The inner error is the plugin's own.
async fn call(
    plugin: &Plugin,
    hook: &Hook,
    store: &mut Store<RunState>,
) -> wasmtime::Result<Result<Answer, String>> {
    prepare(store)?;
    let hooks = &plugin.hooks;
    if *hook == Hook::Provision {
        let instance = plugin.instance.instantiate_async(&mut *store).await?;
        return Ok(instance.call_provision(store).await?.map(|()| Answer::Done));
    }
    let instance = plugin.instance.instance_pre().instantiate_async(&mut *store).await?;
    match hook {
        Hook::Provision => Ok(Ok(Answer::Done)),
        Hook::Action { name, arguments } => {
            let Some(actions) = &hooks.actions else { return missing("actions") };
            let actions = actions.load(&mut *store, &instance)?;
            Ok(actions.call_run(store, name, arguments).await?.map(Answer::Result))
        }
        Hook::Admit => {
            let Some(admission) = &hooks.admission else { return missing("admission") };
            let admission = admission.load(&mut *store, &instance)?;
            let decision = admission.call_admit(store).await?;
            Ok(Ok(Answer::Admission(Admission::from(decision))))
        }
        Hook::Expired { deadline } => {
            let Some(expiry) = &hooks.expiry else { return missing("expiry") };
            let expiry = expiry.load(&mut *store, &instance)?;
            Ok(expiry.call_expired(store, deadline).await?.map(|()| Answer::Done))
        }
    }
}

fn missing<T>(interface: &str) -> wasmtime::Result<Result<T, String>> {
    Ok(Err(format!("the plugin does not export {interface}")))
}

/// Sets the limits that wasmtime itself watches.
pub(crate) fn prepare(store: &mut Store<RunState>) -> wasmtime::Result<()> {
    store.limiter(|state| state);
    store.call_hook_async(Toll);
    let fuel = store.data().limits.fuel;
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(store.data().limits.host_call_bytes);
    store.fuel_async_yield_interval(Some(FUEL_YIELD_INTERVAL))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

impl Finished {
    fn not_begun(fault: RunFault) -> Self {
        Self {
            answer: Answer::Done,
            fault: Some(fault),
            overruns: Vec::new(),
            notes: None,
            facts: Vec::new(),
            names_learned: None,
            log_lines_dropped: 0,
            recording: None,
            unanswered: Vec::new(),
            has_sent_http: false,
        }
    }
}
