//! The catalog: plugins loaded, changed and asked for while sessions go on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::task::JoinSet;
use trellis_plugin_host::{Loader, Plugin, Traits};
use trellis_store::{
    DeviceKey, Orders, PluginCounters, PluginRecord, PluginVersion, Store, StoreError,
};

use crate::error::CatalogError;
use crate::settings::Object;
use crate::state::{
    State, check_settings, counters, known, load_kept, needed, used, with_counters,
};
use crate::table::{Selected, Table};
use crate::trial::TrialSettings;
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
    pub(crate) loader: Loader,
    pub(crate) settings: CatalogSettings,
    /// What sessions see.
    pub(crate) table: ArcSwap<Table>,
    /// One change at a time, from its check to the disk. Sessions never wait for it.
    pub(crate) state: Mutex<State>,
    /// How often that was changed: what was refused may fit by now.
    pub(crate) changes: watch::Sender<u64>,
    /// Files of the plugin folder that were not taken, and why.
    pub(crate) refused: ArcSwap<BTreeMap<PathBuf, String>>,
    /// Files that are compiled at once.
    loads: Semaphore,
    /// One change of a device's orders at a time.
    pub(crate) orders: Mutex<()>,
}

/// Files that are compiled at once.
const LOADS_MAX: usize = 2;

/// How long a compiled file that no plugin needs is left alone: one that is being loaded is not known
/// yet.
const UNUSED: Duration = Duration::from_hours(1);

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
        load_all(&store, &loader, &mut state).await;
        let catalog = Self(Arc::new(Shared {
            store,
            loader,
            settings,
            table: ArcSwap::default(),
            state: Mutex::new(State::default()),
            changes: watch::Sender::new(0),
            refused: ArcSwap::default(),
            loads: Semaphore::new(LOADS_MAX),
            orders: Mutex::new(()),
        }));
        match catalog.table(&state) {
            Ok(table) => {
                for name in state.records.keys() {
                    // The configuration may have changed since.
                    if let Err(why) = check_settings(&table, name) {
                        tracing::error!(plugin = name, "{why}");
                    }
                }
                catalog.0.table.store(Arc::new(table));
            }
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

    /// Files of the plugin folder that were not taken when they were last looked at, and why.
    pub fn refused_files(&self) -> Arc<BTreeMap<PathBuf, String>> {
        self.0.refused.load_full()
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
            let serves = known.is_some_and(|it| used(it).any(|it| *it == plugin.digest));
            return Ok(loaded(if serves { Took::Known } else { Took::Unused }));
        }
        let plugins_max = self.0.settings.plugins_max;
        let plugins = state.records.values().filter(|it| !it.versions.is_empty()).count();
        if known.is_none_or(|it| it.versions.is_empty()) && plugins >= plugins_max {
            let why = format!("there are {plugins_max} plugins, which is the limit");
            return Err(CatalogError::Conflict(why));
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

    /// The version that is to be run over what the one that serves did, if there is one.
    pub fn shadow(&self, name: &str) -> Option<Arc<Plugin>> {
        self.0.table.load().shadows.get(name).map(Arc::clone)
    }

    /// Removes files of versions that nobody will ask for.
    async fn sweep(&self) {
        if let Err(error) = self.0.store.keep_plugin_files(self.digests().await).await {
            tracing::warn!(%error, "cannot remove files of plugins that nobody uses");
        }
        self.sweep_compiled().await;
    }

    /// The versions that are kept.
    async fn digests(&self) -> HashSet<String> {
        let state = self.0.state.lock().await;
        let versions = state.records.values().flat_map(|record| &record.versions);
        versions.map(|it| it.digest.clone()).collect()
    }

    /// Removes compiled plugins that nobody will ask for.
    pub(crate) async fn sweep_compiled(&self) {
        let keep = self.digests().await;
        let shared = Arc::clone(&self.0);
        let swept = tokio::task::spawn_blocking(move || shared.loader.sweep(&keep, UNUSED)).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "cannot remove compiled plugins that nobody uses");
        }
    }
}

/// Loads the versions that serve, and those that would after a rollback: as many at once as there are
/// cores, since nobody is served yet.
async fn load_all(store: &Arc<dyn Store>, loader: &Loader, state: &mut State) {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let needed = needed(state);
    let mut wanted = state.records.values().flat_map(|record| {
        let versions = record.versions.iter().filter(|it| needed.contains(&it.digest));
        versions.map(|version| (record.name.clone(), version.clone()))
    });
    let mut loading = JoinSet::new();
    loop {
        while loading.len() < at_once
            && let Some((name, version)) = wanted.next()
        {
            let (store, loader) = (Arc::clone(store), loader.clone());
            loading.spawn(async move {
                let plugin = load_kept(store.as_ref(), &loader, &version).await;
                (name, version.digest, plugin)
            });
        }
        let Some(loaded) = loading.join_next().await else { return };
        match loaded {
            Ok((_, digest, Ok(plugin))) => {
                state.loaded.insert(digest, Arc::new(plugin));
            }
            Ok((plugin, digest, Err(error))) => {
                let version = short(&digest);
                tracing::error!(plugin, version, "a plugin was not loaded: {error}");
            }
            Err(error) => tracing::error!("a plugin was not loaded: {error}"),
        }
    }
}
