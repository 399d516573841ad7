//! Files that become versions: compiled and checked, kept, then used.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::MutexGuard;
use tokio::task::{Id, JoinSet};
use trellis_plugin_host::{Loader, Plugin, Registry, Serving};
use trellis_store::{PluginCounters, PluginRecord, PluginVersion, Store, StoreError};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::fit::Fit;
use crate::state::{State, counters, needed, serving, used, with_counters};
use crate::versions::{self, Took, Use, short};

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
    /// Whether the plugin is disabled: then it serves nobody all the same.
    pub is_disabled: bool,
}

/// Where a file comes from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// An operator.
    Operator(&'a str),
    /// The plugin folder.
    Folder(&'a Put<'a>),
}

/// What is known of a file of the folder.
pub(crate) struct Put<'a> {
    /// Whether somebody has just put it there, by its digest: the folder may have had it since before
    /// the server started, or under another name.
    pub(crate) is_new: &'a (dyn Fn(&str) -> bool + Sync),
    /// How often operators had changed which version serves when it was put there, by plugin: where they
    /// have done so since, it is kept and does not serve.
    pub(crate) chosen: &'a BTreeMap<String, u64>,
}

impl Catalog {
    /// Loads a file on behalf of `by`. It is used so from the next session of each device on.
    pub async fn load(&self, wasm: Bytes, by: &str, how: Use) -> Result<Loaded, CatalogError> {
        self.take(wasm, Source::Operator(by), how).await
    }

    /// Takes a file. One that the folder has had before changes nothing if it is known, or was removed
    /// by an operator.
    pub(crate) async fn take(
        &self,
        wasm: Bytes,
        source: Source<'_>,
        how: Use,
    ) -> Result<Loaded, CatalogError> {
        let _one_of_few = self.0.loads.acquire().await;
        // Not under the lock: compiling takes seconds.
        let plugin = self.0.loader.load(wasm.clone()).await.map_err(CatalogError::Refused)?;
        let (name, digest) = (plugin.manifest.name.clone(), plugin.digest.clone());
        let version = plugin.manifest.version.clone();
        let mut state = self.0.state.lock().await;
        let known = state.records.get(&name);
        let is_disabled = known.is_some_and(|it| it.is_disabled);
        let was_there =
            known.is_some_and(|it| it.version(&digest).is_some() || it.removed.contains(&digest));
        let (was_put, how) = match source {
            Source::Operator(_) => (true, how),
            Source::Folder(Put { is_new, chosen }) => {
                let is_same = chosen.get(&name) == state.chosen.get(&name);
                (is_new(&digest), if is_same { how } else { Use::Keep })
            }
        };
        // One that could not be run goes on as what it was.
        let is_put_right =
            matches!(how, Use::Serve | Use::Keep) && state.broken.contains_key(&digest);
        let is_gone = known.is_none_or(|it| it.versions.is_empty());
        let took = if how == Use::Keep && is_gone {
            // The plugin was removed since.
            Took::Unused
        } else if was_there && (!was_put || is_put_right) {
            self.take_again(&mut state, plugin, wasm).await?
        } else {
            self.take_anew(&mut state, plugin, wasm, source, how).await?
        };
        Ok(Loaded { name, version, digest, took, is_disabled })
    }

    async fn take_anew(
        &self,
        state: &mut MutexGuard<'_, State>,
        plugin: Plugin,
        wasm: Bytes,
        source: Source<'_>,
        how: Use,
    ) -> Result<Took, CatalogError> {
        let (name, digest) = (plugin.manifest.name.clone(), plugin.digest.clone());
        let known = state.records.get(&name);
        let plugins_max = self.0.settings.plugins_max;
        let plugins = state.records.values().filter(|it| !it.versions.is_empty()).count();
        if known.is_none_or(|it| it.versions.is_empty()) && plugins >= plugins_max {
            let why = format!("there are {plugins_max} plugins, which is the limit");
            return Err(CatalogError::Conflict(why));
        }
        let known = known.map(|it| with_counters(it, &state.loaded));
        let new = || PluginRecord { name: name.clone(), ..PluginRecord::default() };
        let mut record = known.unwrap_or_else(new);
        let by = match source {
            Source::Operator(by) => by,
            Source::Folder(_) => "folder",
        };
        let version = PluginVersion {
            version: plugin.manifest.version.clone(),
            digest: digest.clone(),
            bytes: plugin.bytes,
            loaded_ms: Timestamp::now().as_millisecond(),
            loaded_by: by.to_owned(),
            counters: PluginCounters::default(),
        };
        if let Some(known) = record.version(&digest) {
            plugin.resume(counters(&known.counters));
        }
        let took = versions::add(&mut record, version, how, self.0.settings.versions_max);
        let mut next = State::clone(state);
        next.broken.remove(&digest);
        if matches!(source, Source::Operator(_)) && how != Use::Shadow {
            *next.chosen.entry(name.clone()).or_default() += 1;
        }
        // One that runs already goes on counting.
        next.loaded.entry(digest.clone()).or_insert_with(|| Arc::new(plugin));
        next.records.insert(name.clone(), record);
        self.adopt(state, next, &name, Fit::NewVersions, Some((&digest, wasm))).await?;
        Ok(took)
    }

    /// Takes a file again whose version is kept, or was removed: at most what was lost of it is put
    /// right.
    async fn take_again(
        &self,
        state: &mut MutexGuard<'_, State>,
        plugin: Plugin,
        wasm: Bytes,
    ) -> Result<Took, CatalogError> {
        let (name, digest) = (plugin.manifest.name.clone(), plugin.digest.clone());
        let known = state.records.get(&name);
        let Some(version) = known.and_then(|it| it.version(&digest)) else {
            return Ok(Took::Unused);
        };
        let serves = known.is_some_and(|it| used(it).any(|it| *it == digest));
        if state.broken.contains_key(&digest) {
            plugin.resume(counters(&version.counters));
            let mut next = State::clone(state);
            next.broken.remove(&digest);
            next.loaded.insert(digest.clone(), Arc::new(plugin));
            self.adopt(state, next, &name, Fit::Any, Some((&digest, wasm))).await?;
            return Ok(Took::PutRight);
        }
        // Without its file nothing serves after the next start.
        if self.0.store.plugin_file(&digest).await.ok().is_none_or(|kept| kept != wasm) {
            self.0.store.add_plugin_file(&digest, wasm.into()).await?;
        }
        Ok(if serves { Took::Known } else { Took::Unused })
    }
}

/// Loads a version that is kept, and goes on with what it has counted.
pub(crate) async fn load_kept(
    store: &dyn Store,
    loader: &Loader,
    version: &PluginVersion,
) -> Result<Plugin, String> {
    let unread = |error: StoreError| {
        format!(
            "its file cannot be read: {error}; `trellis plugin load` of the same file puts it right"
        )
    };
    let file = store.plugin_file(&version.digest).await.map_err(unread)?;
    let plugin = loader.load_kept(file.into(), &version.digest).await?;
    plugin.resume(counters(&version.counters));
    Ok(plugin)
}

/// Loads the versions that serve, and those that would after a rollback: as many at once as there are
/// cores, since nobody is served yet.
pub(crate) async fn load_all(store: &Arc<dyn Store>, loader: &Loader, state: &mut State) {
    let at_once = std::thread::available_parallelism().map_or(1, usize::from);
    let needed = needed(state);
    let mut wanted = state.records.values().flat_map(|record| {
        let versions = record.versions.iter().filter(|it| needed.contains(&it.digest));
        versions.map(|version| (record.name.clone(), version.clone()))
    });
    let mut loading = JoinSet::new();
    let mut named: HashMap<Id, (String, String)> = HashMap::new();
    loop {
        while loading.len() < at_once
            && let Some((name, version)) = wanted.next()
        {
            let (store, loader) = (Arc::clone(store), loader.clone());
            let digest = version.digest.clone();
            let task =
                loading.spawn(async move { load_kept(store.as_ref(), &loader, &version).await });
            named.insert(task.id(), (name, digest));
        }
        let Some(loaded) = loading.join_next_with_id().await else { return };
        let (id, loaded) = match loaded {
            Ok((id, loaded)) => (id, loaded),
            Err(error) => (error.id(), Err(error.to_string())),
        };
        let Some((plugin, digest)) = named.remove(&id) else { continue };
        match loaded {
            Ok(loaded) => drop(state.loaded.insert(digest, Arc::new(loaded))),
            Err(why) => {
                let version = short(&digest);
                tracing::error!(plugin, version, "a plugin was not loaded: {why}");
                // What would only serve after a rollback is in nobody's way.
                if state.records.get(&plugin).is_some_and(|it| used(it).any(|it| *it == digest)) {
                    state.broken.insert(digest, why);
                }
            }
        }
    }
}

/// Of plugins that tie, which they may since one of them could not be run for a while, has only those
/// serve that were there first.
pub(crate) fn leave_out_ties(state: &mut State) {
    let since = |record: &PluginRecord| {
        record.active.as_ref().and_then(|it| record.version(it)).map(|it| it.loaded_ms)
    };
    let mut records: Vec<&PluginRecord> = state.records.values().collect();
    records.sort_by_key(|record| since(record));
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for record in records {
        let Some(serving) = serving(state, record) else { continue };
        let stable = Serving { canary: None, ..serving.clone() };
        let name = &record.name;
        // Its trial may be all that ties.
        let trial = serving.canary.as_ref().map(|canary| canary.plugin.digest.clone());
        for (serving, tied) in [(serving, trial), (stable, record.active.clone())] {
            kept.push(serving);
            let Err(why) = Registry::new(kept.clone()) else { break };
            kept.pop();
            let Some(digest) = tied else { continue };
            tracing::error!(plugin = name, version = short(&digest), "it does not serve: {why}");
            let why = format!("{why}; then `trellis plugin enable {name}`");
            left_out.push((digest, why));
        }
    }
    for (digest, why) in left_out {
        state.loaded.remove(&digest);
        state.broken.insert(digest, why);
    }
}
