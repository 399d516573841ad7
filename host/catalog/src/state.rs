//! What the catalog holds in memory, and what sessions are to see of it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use trellis_plugin_host::{Canary, Counters, Plugin, Registry, Serving};
use trellis_store::{PluginCounters, PluginRecord, TagOrders};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::settings::{Layer, Origin};
use crate::table::{Table, object};

/// What plugins there are, what is set for them, and which of them are ready to run.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) records: BTreeMap<String, PluginRecord>,
    /// The versions that are ready to run, by digest.
    pub(crate) loaded: HashMap<String, Arc<Plugin>>,
    /// Why others that are to be ready are not, by digest.
    pub(crate) broken: BTreeMap<String, String>,
    pub(crate) tags: BTreeMap<String, TagOrders>,
    /// How often operators have changed which version serves, by plugin, since the server runs.
    pub(crate) chosen: BTreeMap<String, u64>,
    /// Plugins of whose shadows something is to be kept.
    pub(crate) noted: HashSet<String>,
}

impl Catalog {
    /// What sessions see of a state. Fails where two plugins fit the same devices equally closely.
    pub(crate) fn table(&self, state: &State) -> Result<Table, CatalogError> {
        let serving = state.records.values().filter_map(|record| serving(state, record));
        let registry = Registry::new(serving.collect()).map_err(CatalogError::Conflict)?;
        let layers = state.records.keys().chain(self.0.settings.configured.keys()).map(|name| {
            let configured = self.0.settings.configured.get(name).cloned();
            let configured =
                configured.map(|settings| Layer { origin: Origin::Configuration, settings });
            let set = state.records.get(name).and_then(|it| it.settings.as_ref()).and_then(object);
            let set = set.map(|settings| Layer { origin: Origin::Plugin, settings });
            (name.clone(), configured.into_iter().chain(set).collect())
        });
        let mut table =
            Table::new(registry, layers.collect(), state.tags.clone(), self.0.revision_key.clone());
        table.broken = state.broken.clone();
        let idle = state.records.values().filter(|it| it.is_disabled).filter_map(|record| {
            let plugin = state.loaded.get(record.active.as_ref()?)?;
            Some((record.name.clone(), Arc::clone(plugin)))
        });
        table.idle = idle.collect();
        table.shadows = state
            .records
            .values()
            .filter(|it| !it.is_disabled)
            .filter_map(|record| {
                let plugin = state.loaded.get(&record.shadow.as_ref()?.digest)?;
                Some((record.name.clone(), Arc::clone(plugin)))
            })
            .collect();
        Ok(table)
    }
}

/// What serves of a plugin, if something does.
pub(crate) fn serving(state: &State, record: &PluginRecord) -> Option<Serving> {
    if record.is_disabled {
        return None;
    }
    let stable = Arc::clone(state.loaded.get(record.active.as_ref()?)?);
    let canary = record.trial.as_ref().and_then(|trial| {
        let plugin = Arc::clone(state.loaded.get(&trial.digest)?);
        Some(Canary { plugin, share: trial.share })
    });
    Some(Serving { stable, canary })
}

/// The versions that run: for all devices, for a share of them, and for none.
pub(crate) fn used(record: &PluginRecord) -> impl Iterator<Item = &String> {
    let trial = record.trial.as_ref().map(|trial| &trial.digest);
    let shadow = record.shadow.as_ref().map(|shadow| &shadow.digest);
    record.active.iter().chain(trial).chain(shadow)
}

/// The versions that are to be ready: those that serve, and those that would after a rollback.
pub(crate) fn needed(state: &State) -> HashSet<String> {
    let records = state.records.values();
    let digests = records.flat_map(|record| used(record).chain(record.earlier.last()));
    digests.cloned().collect()
}

pub(crate) fn known<'a>(state: &'a State, name: &str) -> Result<&'a PluginRecord, CatalogError> {
    let known = state.records.get(name).filter(|it| !it.versions.is_empty());
    known.ok_or_else(|| CatalogError::Unknown(format!("there is no plugin {name:?}")))
}

/// A record with what its versions have done by now.
pub(crate) fn with_counters(
    record: &PluginRecord,
    loaded: &HashMap<String, Arc<Plugin>>,
) -> PluginRecord {
    let mut record = record.clone();
    for version in &mut record.versions {
        if let Some(plugin) = loaded.get(&version.digest) {
            version.counters = stored(plugin.counters());
        }
    }
    record
}

fn stored(counters: Counters) -> PluginCounters {
    let Counters { sessions, runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high } =
        counters;
    PluginCounters { sessions, runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high }
}

pub(crate) fn counters(stored: &PluginCounters) -> Counters {
    let PluginCounters {
        sessions,
        runs,
        rpcs,
        faults,
        fuel,
        busy_us,
        parked_us,
        memory_bytes_high,
    } = stored.clone();
    Counters { sessions, runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high }
}
