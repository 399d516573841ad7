//! The catalog: plugins loaded, changed and asked for while sessions go on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Semaphore, watch};
use trellis_plugin_host::{Loader, Plugin, RevisionKey, Traits};
use trellis_store::{DeviceKey, Orders, PluginRecord, Store, StoreError};

use crate::error::CatalogError;
use crate::loading::{leave_out_ties, load_all};
use crate::settings::Object;
use crate::state::{State, known, used, with_counters};
use crate::table::{Selected, Table};
use crate::trial::TrialSettings;
use crate::versions::short;

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

/// The plugins of an installation. Clones share them.
#[derive(Clone)]
pub struct Catalog(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) loader: Loader,
    pub(crate) settings: CatalogSettings,
    pub(crate) revision_key: RevisionKey,
    /// What sessions see.
    pub(crate) table: ArcSwap<Table>,
    /// One change at a time, from its check to the disk. Sessions never wait for it.
    pub(crate) state: Mutex<State>,
    /// How often that was changed: what was refused may fit by now.
    pub(crate) changes: watch::Sender<u64>,
    /// Files of the plugin folder that were not taken, and why.
    pub(crate) refused: ArcSwap<BTreeMap<PathBuf, String>>,
    /// Files that are compiled at once.
    pub(crate) loads: Semaphore,
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
            broken: BTreeMap::new(),
            tags: store.tags().await?.into_iter().collect(),
            chosen: BTreeMap::new(),
            noted: HashSet::new(),
        };
        load_all(&store, &loader, &mut state).await;
        let revision_key = RevisionKey::new(&store.secret().await?);
        let catalog = Self(Arc::new(Shared {
            store,
            loader,
            settings,
            revision_key,
            table: ArcSwap::default(),
            state: Mutex::new(State::default()),
            changes: watch::Sender::new(0),
            refused: ArcSwap::default(),
            loads: Semaphore::new(LOADS_MAX),
            orders: Mutex::new(()),
        }));
        leave_out_ties(&mut state);
        match catalog.table(&state) {
            Ok(table) => {
                let table = Arc::new(table);
                // The configuration may have changed since.
                table.shared_misfits(None).iter().for_each(|why| tracing::error!("{why}"));
                catalog.see(table);
            }
            Err(error) => tracing::error!("no plugin serves: {error}"),
        }
        *catalog.0.state.lock().await = state;
        catalog.sweep().await;
        Ok(catalog)
    }

    /// Has sessions see a table from now on.
    pub(crate) fn see(&self, table: Arc<Table>) {
        let broken = u32::try_from(table.broken.len()).unwrap_or(u32::MAX);
        metrics::gauge!("trellis_plugin_versions_broken").set(f64::from(broken));
        self.0.table.store(table);
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

    /// The version of a plugin that serves, or would if it were enabled.
    pub fn ready(&self, name: &str) -> Option<Arc<Plugin>> {
        self.0.table.load().ready(name).next().map(Arc::clone)
    }

    /// Whether there is a plugin of this name, be it that it does not serve.
    pub async fn has(&self, name: &str) -> bool {
        known(&*self.0.state.lock().await, name).is_ok()
    }

    /// The largest file that is taken for a plugin, in bytes.
    pub fn file_bytes_max(&self) -> u64 {
        self.0.loader.file_bytes_max()
    }

    /// Why a version that is to serve cannot be run, if that is so.
    pub fn broken(&self, digest: &str) -> Option<String> {
        self.0.table.load().broken.get(digest).cloned()
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

    /// How often operators have changed which version serves, by plugin.
    pub(crate) async fn chosen(&self) -> BTreeMap<String, u64> {
        self.0.state.lock().await.chosen.clone()
    }

    /// Why a version does not serve of which the folder has the file; nothing where it is used.
    pub(crate) async fn unused(&self, name: &str, digest: &str) -> Option<String> {
        let state = self.0.state.lock().await;
        let record = state.records.get(name)?;
        let pin = format!("`trellis plugin pin {name} {}` has this one serve", short(digest));
        if used(record).any(|it| it == digest) {
            let enable = format!("the plugin is disabled; `trellis plugin enable {name}`");
            return record.is_disabled.then_some(enable);
        }
        Some(if record.removed.contains(digest) || record.versions.is_empty() {
            "it was removed; `trellis plugin load` has it serve again".to_owned()
        } else if record.is_pinned {
            format!("another version is pinned; {pin}")
        } else {
            format!("another version serves; {pin}")
        })
    }

    /// Files of the plugin folder that were not taken when they were last looked at, and why; and the
    /// newest file of a plugin there, where its version does not serve.
    pub fn refused_files(&self) -> Arc<BTreeMap<PathBuf, String>> {
        self.0.refused.load_full()
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
