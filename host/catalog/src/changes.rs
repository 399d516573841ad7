//! Changes of a plugin by operators: all of one or nothing.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::MutexGuard;
use trellis_store::PluginRecord;

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::fit::Fit;
use crate::loading::load_kept;
use crate::state::{State, known, needed, used, with_counters};
use crate::versions::{self, short};

impl Catalog {
    /// Lets the version before serve again, or ends a trial.
    /// `from` says which version is to be left: nothing is done where that does not serve.
    pub async fn rollback(
        &self,
        name: &str,
        from: Option<&str>,
    ) -> Result<PluginRecord, CatalogError> {
        let record = self.change(name, |record| versions::rollback(record, from)).await?;
        // Going back is the way out, whatever was set since.
        for why in self.0.table.load_full().shared_misfits(Some(name)) {
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
        let fit = if enabled { Fit::NewVersions } else { Fit::Any };
        let change = |record: &mut PluginRecord| {
            record.is_disabled = !enabled;
            Ok(())
        };
        self.change_with(name, change, fit, By::Operator).await
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
            record.shadow = None;
            record.earlier.clear();
            record.is_pinned = false;
            record.is_disabled = false;
            Ok(())
        })
        .await
        .map(|_| ())
    }

    /// Changes one plugin: all of it or nothing.
    async fn change(
        &self,
        name: &str,
        change: impl Fn(&mut PluginRecord) -> Result<(), CatalogError>,
    ) -> Result<PluginRecord, CatalogError> {
        self.change_with(name, change, Fit::Any, By::Operator).await
    }

    /// Changes one plugin, if its settings fit what would serve.
    async fn change_checked(
        &self,
        name: &str,
        change: impl Fn(&mut PluginRecord) -> Result<(), CatalogError>,
    ) -> Result<PluginRecord, CatalogError> {
        self.change_with(name, change, Fit::NewVersions, By::Operator).await
    }

    pub(crate) async fn change_with(
        &self,
        name: &str,
        change: impl Fn(&mut PluginRecord) -> Result<(), CatalogError>,
        fit: Fit,
        by: By,
    ) -> Result<PluginRecord, CatalogError> {
        // Not under the lock: compiling takes seconds.
        let mut ready = {
            let state = self.0.state.lock().await;
            let before = known(&state, name)?;
            let mut record = before.clone();
            change(&mut record)?;
            let missing = missing(&record, before, &state, fit);
            drop(state);
            let mut ready = HashMap::new();
            for version in missing.iter().filter_map(|digest| record.version(digest)) {
                let plugin = load_kept(self.0.store.as_ref(), &self.0.loader, version).await;
                ready.insert(version.digest.clone(), plugin);
            }
            ready
        };
        let mut state = self.0.state.lock().await;
        let before = known(&state, name)?.clone();
        let mut record = with_counters(&before, &state.loaded);
        change(&mut record)?;
        // One that could not be run before need not be for what has nothing to do with it.
        let must_serve = record.active != before.active || fit != Fit::Any;
        let mut next = state.clone();
        if by == By::Operator && is_choice(&before, &record) {
            *next.chosen.entry(name.to_owned()).or_default() += 1;
        }
        for digest in missing(&record, &before, &next, fit) {
            match ready.remove(&digest).unwrap_or_else(|| Err("it was changed just now".to_owned()))
            {
                Ok(plugin) => {
                    next.broken.remove(&digest);
                    next.loaded.insert(digest, Arc::new(plugin));
                }
                Err(why) if record.active.as_ref() == Some(&digest) && must_serve => {
                    let version = short(&digest);
                    let why = format!("the version {version} cannot be loaded: {why}");
                    return Err(CatalogError::Refused(why));
                }
                Err(why) => {
                    // It must not be in the way of what is to be done.
                    tracing::error!(plugin = name, version = short(&digest), "not loaded: {why}");
                    if record.trial.as_ref().is_some_and(|it| it.digest == digest) {
                        versions::end_trial(&mut record, "was taken back: it cannot be loaded");
                    }
                    record.shadow = record.shadow.filter(|it| it.digest != digest);
                }
            }
        }
        next.records.insert(name.to_owned(), record.clone());
        self.adopt(&mut state, next, name, fit, None).await?;
        Ok(record)
    }

    /// Makes a state the one that holds: checked, kept, then seen. With it, the file of a version may
    /// come, by its digest.
    pub(crate) async fn adopt(
        &self,
        state: &mut MutexGuard<'_, State>,
        mut next: State,
        changed: &str,
        fit: Fit,
        file: Option<(&str, Bytes)>,
    ) -> Result<(), CatalogError> {
        let needed = needed(&next);
        next.loaded.retain(|digest, _| needed.contains(digest));
        let used: HashSet<&String> = next.records.values().flat_map(used).collect();
        next.broken.retain(|digest, _| used.contains(digest));
        let table = Arc::new(self.table(&next)?);
        // What is set for a device is checked against a table: until this one is seen.
        let _no_other_orders = self.0.orders.lock().await;
        self.check_fit(&table, changed, fit).await?;
        if let Some((digest, wasm)) = file {
            self.0.store.add_plugin_file(digest, wasm.into()).await?;
        }
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
        self.see(table);
        self.0.changes.send_modify(|changes| *changes += 1);
        **state = next;
        Ok(())
    }
}

/// Who changes something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Operator,
    /// A trial that goes badly ends by itself.
    Itself,
}

/// Whether another version is to serve from now on, or none: the folder is not to undo that.
fn is_choice(before: &PluginRecord, after: &PluginRecord) -> bool {
    before.active != after.active
        || before.trial != after.trial
        || before.is_pinned != after.is_pinned
        || before.versions.is_empty() != after.versions.is_empty()
}

/// The versions of a plugin that are to run and are not loaded. What could not be run before is not in
/// the way of a change that has nothing to do with it.
fn missing(record: &PluginRecord, before: &PluginRecord, state: &State, fit: Fit) -> Vec<String> {
    let begins =
        |digest: &String| record.active != before.active && record.active.as_ref() == Some(digest);
    let is_left =
        |digest: &String| fit == Fit::Any && state.broken.contains_key(digest) && !begins(digest);
    let missing = |digest: &&String| !state.loaded.contains_key(*digest) && !is_left(digest);
    used(record).filter(missing).cloned().collect()
}
