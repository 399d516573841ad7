//! Changes of a plugin by operators: all of one or nothing.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::MutexGuard;
use trellis_store::PluginRecord;

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::state::{State, counters, known, needed, used, with_counters};
use crate::versions;

impl Catalog {
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

    /// Changes one plugin: all of it or nothing.
    pub(crate) async fn change(
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
        self.0.changes.send_modify(|changes| *changes += 1);
        **state = next;
        Ok(())
    }
}
