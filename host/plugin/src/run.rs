//! One run of a plugin: a session's turn to speak.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use trellis_cwmp::Message;
use wasmtime::Store;

use crate::bindings::log;
use crate::engine::FUEL_YIELD_INTERVAL;
use crate::fault::{FaultKind, RunFault, limit_reached};
use crate::plugin::Plugin;
use crate::state::{Context, FactValue, Memory, RunState};

/// A plugin that runs, or waits for the device. Dropping it ends it at once.
pub struct Run {
    running: Pin<Box<dyn Future<Output = Finished> + Send>>,
    asks: mpsc::Receiver<Ask>,
}

/// A request that the plugin has for the device.
pub struct Ask {
    /// The request, checked.
    pub request: Message,
    /// What the plugin's memory has become, if it has changed: to be kept before the request
    /// leaves.
    pub memory: Option<Memory>,
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
    /// Why it ended early, if it did.
    pub fault: Option<RunFault>,
    /// What the plugin's memory has become, if it has changed and is worth keeping.
    pub memory: Option<Memory>,
    /// Facts published, and withdrawn.
    pub facts: Vec<(String, Option<FactValue>)>,
    /// How many values the device can tell at once, if it could not tell more.
    pub names_learned: Option<usize>,
    /// CPU used, in fuel.
    pub fuel: u64,
    /// Lines of log that were over the limit.
    pub log_lines_dropped: u32,
}

impl Run {
    /// Begins a run. Nothing happens before the first [`Run::next`].
    pub fn start(plugin: Arc<Plugin>, context: Context) -> Self {
        // One place: a plugin has one request at a time.
        let (sender, asks) = mpsc::channel(1);
        Self { running: Box::pin(run(plugin, context, sender)), asks }
    }

    /// Lets the plugin run until it wants something. Not to be called again once it has
    /// finished.
    pub async fn next(&mut self) -> Next {
        tokio::select! {
            biased;
            Some(ask) = self.asks.recv() => Next::Ask(ask),
            finished = &mut self.running => Next::Finished(Box::new(finished)),
        }
    }
}

async fn run(plugin: Arc<Plugin>, context: Context, asks: mpsc::Sender<Ask>) -> Finished {
    let limits = Arc::clone(&plugin.limits);
    let wall = limits.wall;
    let Ok(_permit) = plugin.engine.permits.try_acquire() else {
        limit_reached("plugin_runs");
        return Finished::busy();
    };
    let settings = Arc::clone(&plugin.settings);
    let state = RunState::new(context, settings, Arc::clone(&plugin.name), limits, asks);
    let mut store = Store::new(&plugin.engine.engine, state);
    let fault = match tokio::time::timeout(wall, provision(&plugin, &mut store)).await {
        Ok(fault) => fault,
        Err(_) => Some(RunFault::new(
            FaultKind::WallTime,
            format!("the wall-time limit of {} is reached", seconds(wall)),
        )),
    };
    let left = store.get_fuel().unwrap_or_default();
    let mut state = store.into_data();
    let printed = state.output.text();
    for line in printed.lines().filter(|line| !line.trim().is_empty()) {
        state.log(log::Level::Info, line);
    }
    let trapped = fault.as_ref().is_some_and(|fault| fault.kind != FaultKind::Error);
    let log_lines = state.limits.log_lines;
    Finished {
        fault,
        // A run that trapped may have stopped half-way through its notes.
        memory: (state.memory_changed && !trapped).then_some(state.context.memory),
        facts: state.facts.into_iter().collect(),
        names_learned: state.names_learned,
        fuel: state.limits.fuel.saturating_sub(left),
        log_lines_dropped: state.log_lines.saturating_sub(log_lines),
    }
}

async fn provision(plugin: &Plugin, store: &mut Store<RunState>) -> Option<RunFault> {
    let result = call(plugin, store).await;
    match result {
        Ok(Ok(())) => None,
        Ok(Err(message)) => Some(RunFault::new(FaultKind::Error, message)),
        Err(error) => Some(RunFault::explain(&error, store.data())),
    }
}

async fn call(
    plugin: &Plugin,
    store: &mut Store<RunState>,
) -> wasmtime::Result<Result<(), String>> {
    prepare(store)?;
    let instance = plugin.instance.instantiate_async(&mut *store).await?;
    instance.call_provision(store).await
}

/// Sets the limits that wasmtime itself watches.
pub(crate) fn prepare(store: &mut Store<RunState>) -> wasmtime::Result<()> {
    store.limiter(|state| state);
    let fuel = store.data().limits.fuel;
    store.set_fuel(fuel)?;
    store.set_hostcall_fuel(store.data().limits.host_call_bytes);
    store.fuel_async_yield_interval(Some(FUEL_YIELD_INTERVAL))
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

impl Finished {
    fn busy() -> Self {
        Self {
            fault: Some(RunFault::new(FaultKind::Busy, "every plugin run is taken")),
            memory: None,
            facts: Vec::new(),
            names_learned: None,
            fuel: 0,
            log_lines_dropped: 0,
        }
    }
}
