//! What the runs of one version of a plugin have used and how they ended.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

/// What one version of a plugin has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Sessions that it served, also those in which it was not asked anything.
    pub sessions: u64,
    /// Calls of its hooks that have ended.
    pub runs: u64,
    /// Requests to devices.
    pub rpcs: u64,
    /// Runs that ended in a fault, and limits that were reached without an end of the run, by kind.
    pub faults: BTreeMap<String, u64>,
    /// CPU, in wasmtime's fuel.
    pub fuel: u64,
    /// Time in which it computed, in microseconds.
    pub busy_us: u64,
    /// Time in which it waited for devices, in microseconds.
    pub parked_us: u64,
    /// The most linear memory that one run has had, in bytes.
    pub memory_bytes_high: u64,
}

/// What one run used.
#[derive(Default)]
pub(crate) struct Used {
    pub(crate) rpcs: u32,
    pub(crate) fault: Option<&'static str>,
    pub(crate) fuel: u64,
    pub(crate) busy: Duration,
    pub(crate) parked: Duration,
    pub(crate) memory_bytes: usize,
}

/// Counts what runs use, for operators and for their metrics.
pub(crate) struct Stats {
    counters: Mutex<Counters>,
    labels: [(&'static str, String); 2],
    /// Made when first used: a file that is only checked leaves no trace in the metrics.
    meters: OnceLock<Meters>,
}

/// Where the metrics count.
struct Meters {
    sessions: Counter,
    runs: Counter,
    rpcs: Counter,
    fuel: Counter,
    busy: Histogram,
    parked: Histogram,
    memory: Gauge,
}

impl Stats {
    /// Counts from zero, for this version.
    pub(crate) fn new(plugin: &str, version: &str) -> Self {
        let labels = [("plugin", plugin.to_owned()), ("version", version.to_owned())];
        Self { counters: Mutex::default(), labels, meters: OnceLock::new() }
    }

    /// What was counted so far.
    pub(crate) fn counters(&self) -> Counters {
        self.lock().clone()
    }

    /// Goes on from what an earlier process counted.
    pub(crate) fn resume(&self, counters: Counters) {
        *self.lock() = counters;
    }

    pub(crate) fn count_session(&self) {
        self.meters().sessions.increment(1);
        self.lock().sessions += 1;
    }

    pub(crate) fn add(&self, used: &Used) {
        let meters = self.meters();
        meters.runs.increment(1);
        meters.rpcs.increment(u64::from(used.rpcs));
        meters.fuel.increment(used.fuel);
        meters.busy.record(used.busy);
        meters.parked.record(used.parked);
        if let Some(kind) = used.fault {
            self.count_fault(kind);
        }
        let mut counters = self.lock();
        counters.runs += 1;
        counters.rpcs += u64::from(used.rpcs);
        counters.fuel = counters.fuel.saturating_add(used.fuel);
        counters.busy_us = counters.busy_us.saturating_add(micros(used.busy));
        counters.parked_us = counters.parked_us.saturating_add(micros(used.parked));
        let memory_bytes = u64::try_from(used.memory_bytes).unwrap_or(u64::MAX);
        counters.memory_bytes_high = counters.memory_bytes_high.max(memory_bytes);
        let high = u32::try_from(counters.memory_bytes_high).unwrap_or(u32::MAX);
        meters.memory.set(f64::from(high));
    }

    /// Counts a fault, or a limit that was reached without an end of the run.
    pub(crate) fn count_fault(&self, kind: &'static str) {
        let [plugin, version] = self.labels.clone();
        let labels = [plugin, version, ("kind", kind.to_owned())];
        metrics::counter!("trellis_plugin_faults_total", &labels).increment(1);
        *self.lock().faults.entry(kind.to_owned()).or_default() += 1;
    }

    fn meters(&self) -> &Meters {
        self.meters.get_or_init(|| Meters::new(&self.labels))
    }

    fn lock(&self) -> MutexGuard<'_, Counters> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meters {
    fn new(labels: &[(&'static str, String); 2]) -> Self {
        Self {
            sessions: metrics::counter!("trellis_plugin_sessions_total", labels),
            runs: metrics::counter!("trellis_plugin_runs_total", labels),
            rpcs: metrics::counter!("trellis_plugin_rpcs_total", labels),
            fuel: metrics::counter!("trellis_plugin_fuel_total", labels),
            busy: metrics::histogram!("trellis_plugin_busy_seconds", labels),
            parked: metrics::histogram!("trellis_plugin_parked_seconds", labels),
            memory: metrics::gauge!("trellis_plugin_memory_bytes_high", labels),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
