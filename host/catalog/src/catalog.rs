//! The catalog: plugins loaded, changed and asked for while sessions go on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard, Semaphore};
use tokio_util::sync::CancellationToken;
use trellis_plugin_host::{Canary, Counters, Loader, Plugin, Registry, Serving, Traits};
use trellis_store::{
    DeviceKey, Orders, PluginCounters, PluginRecord, PluginVersion, Shadow, Store, StoreError,
    TagOrders, Trial,
};

use crate::error::CatalogError;
use crate::settings::{Effective, Layer, Object, Origin};
use crate::table::{Selected, Table, object};
use crate::trial::{TrialSettings, verdict};
use crate::versions::{self, Took, Use, short};

/// How the catalog behaves.
#[derive(Clone, Debug)]
pub struct CatalogSettings {
    /// Versions of one plugin that are kept. Default 20.
    pub versions_max: usize,
    /// Plugins that are kept. Default 200.
    pub plugins_max: usize,
    /// When a trial is ended by itself.
    pub trial: TrialSettings,
    /// The configuration file's settings, by plugin.
    pub configured: BTreeMap<String, Object>,
}

impl Default for CatalogSettings {
    fn default() -> Self {
        Self {
            versions_max: 20,
            plugins_max: 200,
            trial: TrialSettings::default(),
            configured: BTreeMap::new(),
        }
    }
}

/// A file that was taken.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The plugin.
    pub name: String,
    /// What the version calls itself.
    pub version: String,
    /// The SHA-256 of the file.
    pub digest: String,
    /// What became of it.
    pub took: Took,
}

/// The plugins of an installation. Clones share them.
#[derive(Clone)]
pub struct Catalog(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    loader: Loader,
    settings: CatalogSettings,
    /// What sessions see.
    pub(crate) table: ArcSwap<Table>,
    /// One change at a time, from its check to the disk. Sessions never wait for it.
    pub(crate) state: Mutex<State>,
    /// Files that are compiled at once.
    loads: Semaphore,
    /// One change of a device's orders at a time.
    pub(crate) orders: Mutex<()>,
}

#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) records: BTreeMap<String, PluginRecord>,
    /// The versions that are ready to run, by digest.
    loaded: HashMap<String, Arc<Plugin>>,
    pub(crate) tags: BTreeMap<String, TagOrders>,
    /// Plugins of whose shadows something is to be kept.
    noted: HashSet<String>,
}

/// Files that are compiled at once.
const LOADS_MAX: usize = 2;

/// Differences of a shadow that are kept.
const SHADOW_LAST_MAX: usize = 100;

/// How often trials are judged.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// How often what versions have done is kept.
const KEEP_EVERY: u32 = 30;

impl Catalog {
    /// Opens the catalog: what served when the server stopped serves again. A version that cannot
    /// be loaded any more is reported in the log, and its plugin serves nobody.
    pub async fn open(
        store: Arc<dyn Store>,
        loader: Loader,
        settings: CatalogSettings,
    ) -> Result<Self, StoreError> {
        let mut state = State {
            records: store.plugins().await?.into_iter().map(|it| (it.name.clone(), it)).collect(),
            loaded: HashMap::new(),
            tags: store.tags().await?.into_iter().collect(),
            noted: HashSet::new(),
        };
        for record in state.records.values() {
            for digest in used(record) {
                let loaded = match store.plugin_file(digest).await {
                    Ok(file) => loader.load(file.into()).await,
                    Err(error) => Err(error.to_string()),
                };
                match loaded {
                    Ok(plugin) => {
                        let known = record.version(digest);
                        plugin.resume(known.map(|it| counters(&it.counters)).unwrap_or_default());
                        state.loaded.insert(digest.clone(), Arc::new(plugin));
                    }
                    Err(error) => {
                        let (plugin, version) = (&record.name, short(digest));
                        tracing::error!(plugin, version, "a plugin was not loaded: {error}");
                    }
                }
            }
        }
        let catalog = Self(Arc::new(Shared {
            store,
            loader,
            settings,
            table: ArcSwap::default(),
            state: Mutex::new(State::default()),
            loads: Semaphore::new(LOADS_MAX),
            orders: Mutex::new(()),
        }));
        match catalog.table(&state) {
            Ok(table) => catalog.0.table.store(Arc::new(table)),
            Err(error) => tracing::error!("no plugin serves: {error}"),
        }
        *catalog.0.state.lock().await = state;
        catalog.sweep().await;
        Ok(catalog)
    }

    /// The plugin that serves a device, and its settings.
    pub fn select(
        &self,
        device: &DeviceKey,
        traits: &Traits<'_>,
        orders: &Orders,
    ) -> Option<Selected> {
        self.0.table.load().select(device.as_str(), traits, orders)
    }

    /// The version of a plugin that serves, if one does.
    pub fn serving(&self, name: &str) -> Option<Arc<Plugin>> {
        let table = self.0.table.load();
        let mut serving = table.registry.serving();
        serving.find(|it| it.stable.manifest.name == name).map(|it| Arc::clone(&it.stable))
    }

    /// Whether there is a plugin of this name, be it that it does not serve.
    pub async fn has(&self, name: &str) -> bool {
        known(&*self.0.state.lock().await, name).is_ok()
    }

    /// The largest file that is taken for a plugin, in bytes.
    pub fn file_bytes_max(&self) -> u64 {
        self.0.loader.file_bytes_max()
    }

    /// All plugins with what their versions have done, by name.
    pub async fn plugins(&self) -> Vec<PluginRecord> {
        let state = self.0.state.lock().await;
        let records = state.records.values().filter(|it| !it.versions.is_empty());
        records.map(|record| with_counters(record, &state.loaded)).collect()
    }

    /// One plugin with what its versions have done, and the version that serves.
    pub async fn plugin(
        &self,
        name: &str,
    ) -> Result<(PluginRecord, Option<Arc<Plugin>>), CatalogError> {
        let state = self.0.state.lock().await;
        let record = with_counters(known(&state, name)?, &state.loaded);
        let active = record.active.as_ref().and_then(|it| state.loaded.get(it)).map(Arc::clone);
        Ok((record, active))
    }

    /// Loads a file on behalf of `by`. It is used so from the next session of each device on.
    pub async fn load(&self, wasm: Bytes, by: &str, how: Use) -> Result<Loaded, CatalogError> {
        self.take(wasm, by, how, false).await
    }

    /// Loads a file of the plugin folder. One that is known, or that somebody has removed, changes
    /// nothing.
    pub(crate) async fn load_from_folder(&self, wasm: Bytes) -> Result<Loaded, CatalogError> {
        self.take(wasm, "folder", Use::Serve, true).await
    }

    async fn take(
        &self,
        wasm: Bytes,
        by: &str,
        how: Use,
        only_new: bool,
    ) -> Result<Loaded, CatalogError> {
        let _one_of_few = self.0.loads.acquire().await;
        // Not under the lock: compiling takes seconds.
        let plugin = self.0.loader.load(wasm.clone()).await.map_err(CatalogError::Refused)?;
        let manifest = &plugin.manifest;
        let loaded = |took: Took| Loaded {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
            digest: plugin.digest.clone(),
            took,
        };
        let mut state = self.0.state.lock().await;
        let known = state.records.get(&manifest.name);
        if only_new
            && known.is_some_and(|it| {
                it.version(&plugin.digest).is_some() || it.removed.contains(&plugin.digest)
            })
        {
            // Its file may have been lost: without it nothing serves after the next start.
            if self.0.store.plugin_file(&plugin.digest).await.is_err()
                && known.is_some_and(|it| it.version(&plugin.digest).is_some())
            {
                self.0.store.add_plugin_file(&plugin.digest, wasm.to_vec()).await?;
            }
            return Ok(loaded(Took::Known));
        }
        let plugins_max = self.0.settings.plugins_max;
        let plugins = state.records.values().filter(|it| !it.versions.is_empty()).count();
        if known.is_none_or(|it| it.versions.is_empty()) && plugins >= plugins_max {
            let why = format!("there are {plugins_max} plugins, which is the limit");
            return Err(CatalogError::Refused(why));
        }
        let known = known.map(|it| with_counters(it, &state.loaded));
        let name = manifest.name.clone();
        let mut record = known.unwrap_or_else(|| PluginRecord { name, ..PluginRecord::default() });
        let version = PluginVersion {
            version: manifest.version.clone(),
            digest: plugin.digest.clone(),
            bytes: plugin.bytes,
            loaded_ms: Timestamp::now().as_millisecond(),
            loaded_by: by.to_owned(),
            counters: PluginCounters::default(),
        };
        if let Some(known) = record.version(&plugin.digest) {
            plugin.resume(counters(&known.counters));
        }
        let took = versions::add(&mut record, version, how, self.0.settings.versions_max);
        let loaded = loaded(took);
        let mut next = state.clone();
        // One that runs already goes on counting.
        next.loaded.entry(loaded.digest.clone()).or_insert_with(|| Arc::new(plugin));
        next.records.insert(loaded.name.clone(), record);
        self.check_settings(&next, &loaded.name)?;
        self.0.store.add_plugin_file(&loaded.digest, wasm.to_vec()).await?;
        self.adopt(&mut state, next, &loaded.name).await?;
        Ok(loaded)
    }

    /// Lets the version before serve again, or ends a trial.
    pub async fn rollback(&self, name: &str) -> Result<PluginRecord, CatalogError> {
        let record = self.change(name, versions::rollback).await?;
        // Going back is the way out, whatever was set since.
        let state = self.0.state.lock().await;
        if let Err(why) = self.check_settings(&state, name) {
            tracing::warn!(plugin = name, "after the rollback: {why}");
        }
        Ok(record)
    }

    /// Lets the version on trial serve all devices.
    pub async fn promote(&self, name: &str) -> Result<PluginRecord, CatalogError> {
        self.change_checked(name, versions::promote).await
    }

    /// Ends the shadow of a plugin, which need not have one.
    pub async fn unshadow(&self, name: &str) -> Result<PluginRecord, CatalogError> {
        self.change(name, |record| {
            record.shadow = None;
            Ok(())
        })
        .await
    }

    /// The version that is to be run over what the one that serves did, if there is one.
    pub fn shadow(&self, name: &str) -> Option<Arc<Plugin>> {
        self.0.table.load().shadows.get(name).map(Arc::clone)
    }

    /// Keeps what a shadow was found to do, with its counters.
    pub async fn note_shadow(&self, name: &str, digest: &str, note: impl FnOnce(&mut Shadow)) {
        let mut state = self.0.state.lock().await;
        let shadow = state.records.get_mut(name).and_then(|record| record.shadow.as_mut());
        if let Some(shadow) = shadow.filter(|it| it.digest == digest) {
            note(shadow);
            let surplus = shadow.last.len().saturating_sub(SHADOW_LAST_MAX);
            shadow.last.drain(..surplus);
            let name = name.to_owned();
            state.noted.insert(name);
        }
    }

    /// Lets one version serve, whatever is loaded after it.
    pub async fn pin(&self, name: &str, version: &str) -> Result<PluginRecord, CatalogError> {
        self.change_checked(name, |record| {
            let digest = versions::find(record, version)?.digest.clone();
            versions::activate(record, &digest);
            record.is_pinned = true;
            Ok(())
        })
        .await
    }

    /// Lets a version that is loaded take over again.
    pub async fn unpin(&self, name: &str) -> Result<PluginRecord, CatalogError> {
        self.change(name, |record| {
            record.is_pinned = false;
            Ok(())
        })
        .await
    }

    /// Lets a plugin serve its devices, or none.
    pub async fn enable(&self, name: &str, enabled: bool) -> Result<PluginRecord, CatalogError> {
        self.change_checked(name, |record| {
            record.is_disabled = !enabled;
            Ok(())
        })
        .await
    }

    /// Removes one version of a plugin that serves nobody.
    pub async fn remove_version(&self, name: &str, version: &str) -> Result<(), CatalogError> {
        self.change(name, |record| {
            let digest = versions::find(record, version)?.digest.clone();
            versions::remove(record, &digest)
        })
        .await
        .map(|_| ())
    }

    /// Removes a plugin with all its versions. What it keeps for devices stays, and so do its
    /// settings, should it come again.
    pub async fn remove(&self, name: &str) -> Result<(), CatalogError> {
        self.change(name, |record| {
            let removed: Vec<String> = record.versions.drain(..).map(|it| it.digest).collect();
            versions::forget(record, removed);
            record.active = None;
            record.trial = None;
            record.earlier.clear();
            record.is_pinned = false;
            record.is_disabled = false;
            Ok(())
        })
        .await
        .map(|_| ())
    }

    /// Judges trials and keeps what versions have done, until `stop`.
    pub async fn keep_up(self, stop: CancellationToken) {
        let mut round = 0_u32;
        while stop.run_until_cancelled(tokio::time::sleep(JUDGE_EVERY)).await.is_some() {
            self.judge().await;
            round = round.wrapping_add(1);
            if round.is_multiple_of(KEEP_EVERY) {
                self.keep_counters().await;
            }
        }
        self.keep_counters().await;
    }

    /// Ends trials that go badly.
    async fn judge(&self) {
        let state = self.0.state.lock().await;
        let failed: Vec<(String, Trial, String)> = state
            .records
            .values()
            .filter_map(|record| {
                let record = with_counters(record, &state.loaded);
                let trial = record.trial.as_ref()?;
                let done = |digest: &str| record.version(digest).map(|it| &it.counters);
                let tried = done(&trial.digest)?;
                let others = done(record.active.as_deref()?)?;
                let why = verdict(trial, tried, others, &self.0.settings.trial)?;
                Some((record.name.clone(), trial.clone(), why))
            })
            .collect();
        drop(state);
        for (name, judged, why) in failed {
            tracing::error!(plugin = name, "a version on trial is taken back: {why}");
            metrics::counter!("trellis_plugin_trials_failed_total", "plugin" => name.clone())
                .increment(1);
            let ended = self.change(&name, |record| {
                // Another may have begun since.
                if record.trial.as_ref() == Some(&judged)
                    && let Some(trial) = record.trial.take()
                {
                    let version = short(&trial.digest);
                    record.last_trial = Some(format!("{version} was taken back: {why}"));
                }
                Ok(())
            });
            if let Err(error) = ended.await {
                tracing::error!(plugin = name, %error, "a trial that goes badly could not be ended");
            }
        }
    }

    /// Keeps what versions have done. What was done after that is lost with a crash.
    async fn keep_counters(&self) {
        let mut state = self.0.state.lock().await;
        let current: Vec<PluginRecord> =
            state.records.values().map(|it| with_counters(it, &state.loaded)).collect();
        let changed: Vec<PluginRecord> = current
            .into_iter()
            .filter(|record| {
                state.records.get(&record.name) != Some(record)
                    || state.noted.contains(&record.name)
            })
            .collect();
        if changed.is_empty() {
            return;
        }
        if let Err(error) = self.0.store.set_plugins(&changed).await {
            tracing::warn!(%error, "what plugins have done was not kept");
            return;
        }
        state.noted.clear();
        state.records.extend(changed.into_iter().map(|record| (record.name.clone(), record)));
    }

    /// Changes one plugin: all of it or nothing.
    async fn change(
        &self,
        name: &str,
        change: impl FnOnce(&mut PluginRecord) -> Result<(), CatalogError>,
    ) -> Result<PluginRecord, CatalogError> {
        self.change_with(name, change, false).await
    }

    /// Changes one plugin, if its settings fit what would serve.
    async fn change_checked(
        &self,
        name: &str,
        change: impl FnOnce(&mut PluginRecord) -> Result<(), CatalogError>,
    ) -> Result<PluginRecord, CatalogError> {
        self.change_with(name, change, true).await
    }

    async fn change_with(
        &self,
        name: &str,
        change: impl FnOnce(&mut PluginRecord) -> Result<(), CatalogError>,
        check: bool,
    ) -> Result<PluginRecord, CatalogError> {
        let mut state = self.0.state.lock().await;
        let mut record = with_counters(known(&state, name)?, &state.loaded);
        change(&mut record)?;
        let mut next = state.clone();
        for digest in used(&record) {
            if !next.loaded.contains_key(digest) {
                let file = self.0.store.plugin_file(digest).await?;
                let plugin =
                    self.0.loader.load(file.into()).await.map_err(CatalogError::Refused)?;
                let known = record.version(digest);
                plugin.resume(known.map(|it| counters(&it.counters)).unwrap_or_default());
                next.loaded.insert(digest.clone(), Arc::new(plugin));
            }
        }
        next.records.insert(name.to_owned(), record.clone());
        if check {
            self.check_settings(&next, name)?;
        }
        self.adopt(&mut state, next, name).await?;
        Ok(record)
    }

    /// Makes a state the one that holds: checked, kept, then seen.
    pub(crate) async fn adopt(
        &self,
        state: &mut MutexGuard<'_, State>,
        mut next: State,
        changed: &str,
    ) -> Result<(), CatalogError> {
        let table = self.table(&next)?;
        let record = next.records.get(changed).cloned();
        self.0.store.set_plugins(record.as_slice()).await?;
        let digests = |record: Option<&PluginRecord>| -> HashSet<String> {
            record.into_iter().flat_map(|it| &it.versions).map(|it| it.digest.clone()).collect()
        };
        let kept = digests(record.as_ref());
        for gone in digests(state.records.get(changed)).difference(&kept) {
            // Still under the lock: somebody may load the same file again.
            if let Err(error) = self.0.store.remove_plugin_file(gone).await {
                tracing::warn!(plugin = changed, %error, "the file of a version was not removed");
            }
        }
        let needed = needed(&next);
        next.loaded.retain(|digest, _| needed.contains(digest));
        self.0.table.store(Arc::new(table));
        **state = next;
        Ok(())
    }

    /// What sessions see of a state. Fails where two plugins fit the same devices equally closely.
    pub(crate) fn table(&self, state: &State) -> Result<Table, CatalogError> {
        let serving = state.records.values().filter(|it| !it.is_disabled).filter_map(|record| {
            let stable = Arc::clone(state.loaded.get(record.active.as_ref()?)?);
            let canary = record.trial.as_ref().and_then(|trial| {
                let plugin = Arc::clone(state.loaded.get(&trial.digest)?);
                Some(Canary { plugin, share: trial.share })
            });
            Some(Serving { stable, canary })
        });
        let registry = Registry::new(serving.collect()).map_err(CatalogError::Refused)?;
        let layers = state.records.keys().chain(self.0.settings.configured.keys()).map(|name| {
            let configured = self.0.settings.configured.get(name).cloned();
            let configured =
                configured.map(|settings| Layer { origin: Origin::Configuration, settings });
            let set = state.records.get(name).and_then(|it| it.settings.as_ref()).and_then(object);
            let set = set.map(|settings| Layer { origin: Origin::Plugin, settings });
            (name.clone(), configured.into_iter().chain(set).collect())
        });
        let mut table = Table::new(registry, layers.collect(), state.tags.clone());
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

    /// Whether what is set for all devices of a plugin fits the versions of it that serve.
    pub(crate) fn check_settings(&self, state: &State, name: &str) -> Result<(), CatalogError> {
        let table = self.table(state)?;
        let Some(serving) = table.registry.serving().find(|it| it.stable.manifest.name == name)
        else {
            return Ok(());
        };
        let canary = serving.canary.as_ref().map(|canary| &canary.plugin);
        for plugin in std::iter::once(&serving.stable).chain(canary) {
            let effective = Effective::of(table.below_tags(plugin));
            fits(plugin, effective)?;
        }
        Ok(())
    }

    /// Removes compiled plugins that nobody will ask for.
    async fn sweep(&self) {
        let records = self.plugins().await;
        let versions = records.iter().flat_map(|record| &record.versions);
        let keep: HashSet<String> = versions.map(|it| it.digest.clone()).collect();
        let shared = Arc::clone(&self.0);
        let swept = tokio::task::spawn_blocking(move || shared.loader.sweep(&keep)).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "cannot remove compiled plugins that nobody uses");
        }
    }
}

/// The versions that run: for all devices, for a share of them, and for none.
fn used(record: &PluginRecord) -> impl Iterator<Item = &String> {
    let trial = record.trial.as_ref().map(|trial| &trial.digest);
    let shadow = record.shadow.as_ref().map(|shadow| &shadow.digest);
    record.active.iter().chain(trial).chain(shadow)
}

/// The versions that are to be ready: those that serve, and those that would after a rollback.
fn needed(state: &State) -> HashSet<String> {
    let records = state.records.values();
    let digests = records.flat_map(|record| used(record).chain(record.earlier.last()));
    digests.cloned().collect()
}

pub(crate) fn known<'a>(state: &'a State, name: &str) -> Result<&'a PluginRecord, CatalogError> {
    let known = state.records.get(name).filter(|it| !it.versions.is_empty());
    known.ok_or_else(|| CatalogError::Unknown(format!("there is no plugin {name:?}")))
}

pub(crate) fn fits(plugin: &Plugin, effective: Effective) -> Result<(), CatalogError> {
    plugin.check_settings(&serde_json::Value::Object(effective.settings)).map_err(|why| {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        CatalogError::Refused(format!("the settings do not fit {name} {version}: {why}"))
    })
}

/// A record with what its versions have done by now.
fn with_counters(record: &PluginRecord, loaded: &HashMap<String, Arc<Plugin>>) -> PluginRecord {
    let mut record = record.clone();
    for version in &mut record.versions {
        if let Some(plugin) = loaded.get(&version.digest) {
            version.counters = stored(plugin.counters());
        }
    }
    record
}

fn stored(counters: Counters) -> PluginCounters {
    let Counters { runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high } = counters;
    PluginCounters { runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high }
}

fn counters(stored: &PluginCounters) -> Counters {
    let PluginCounters { runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high } =
        stored.clone();
    Counters { runs, rpcs, faults, fuel, busy_us, parked_us, memory_bytes_high }
}
