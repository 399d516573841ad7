//! The plugins that are loaded.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::cache::Cache;
use crate::engine::PluginEngine;
use crate::limits::{Limits, LimitsMax};
use crate::matcher::Traits;
use crate::plugin::{LoadError, Plugin};

/// What the registry loads, and how.
#[derive(Clone, Default)]
pub struct RegistrySettings {
    /// The folder of `.wasm` files.
    pub folder: PathBuf,
    /// The data folder, for compiled plugins.
    pub data: PathBuf,
    /// The limits of every run.
    pub limits: Limits,
    /// What manifests get at most.
    pub limits_max: LimitsMax,
    /// The operator's settings, by plugin.
    pub settings: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
}

/// The plugins that are loaded, by name.
#[derive(Debug, Default)]
pub struct Registry {
    plugins: Vec<Arc<Plugin>>,
    /// Pairs of plugins that were found to fit a device equally well, by their names.
    ties: Mutex<HashSet<(Arc<str>, Arc<str>)>>,
}

impl Registry {
    /// Loads every `.wasm` file of a folder. A file that cannot be used is reported, and the
    /// others are loaded all the same.
    pub async fn load(
        engine: &PluginEngine,
        settings: &RegistrySettings,
    ) -> std::io::Result<(Self, Vec<LoadError>)> {
        let cache = Arc::new(Cache::open(&settings.data)?);
        let mut registry = Self::default();
        let mut errors = Vec::new();
        for file in wasm_files(&settings.folder)? {
            let operators = |name: &str| settings.settings.get(name).cloned().unwrap_or_default();
            let cache = Arc::clone(&cache);
            let limits = (&settings.limits, &settings.limits_max);
            match Plugin::load(engine, cache, &file, limits, operators).await {
                Ok(plugin) => {
                    if let Err(reason) = registry.add(plugin) {
                        errors.push(LoadError { file, reason });
                    }
                }
                Err(error) => errors.push(error),
            }
        }
        if let Err(error) = cache.sweep() {
            tracing::warn!(%error, "cannot remove compiled plugins that nobody uses");
        }
        Ok((registry, errors))
    }

    /// The plugins, by name.
    pub fn plugins(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        self.plugins.iter()
    }

    /// The plugin that describes a device most closely.
    pub fn select(&self, traits: &Traits<'_>) -> Option<Arc<Plugin>> {
        let closeness = |plugin: &Plugin| {
            plugin.matchers.iter().filter_map(|matcher| matcher.matches(traits)).max()
        };
        let candidates = self.plugins.iter().filter_map(|it| Some((closeness(it)?, it)));
        // The first by name wins a tie, so that it is at least always the same.
        let best = candidates.reduce(|best, other| {
            if other.0 == best.0 {
                self.note_tie(&best.1.name, &other.1.name);
            }
            if other.0 > best.0 { other } else { best }
        });
        best.map(|(_, plugin)| Arc::clone(plugin))
    }

    /// Says once of two plugins that both fit a device equally well.
    fn note_tie(&self, one: &Arc<str>, two: &Arc<str>) {
        metrics::counter!("trellis_plugin_ties_total").increment(1);
        let mut ties = self.ties.lock().unwrap_or_else(PoisonError::into_inner);
        if ties.insert((Arc::clone(one), Arc::clone(two))) {
            tracing::warn!(%one, %two, "two plugins fit a device equally well; {one} serves it");
        }
    }

    fn add(&mut self, plugin: Plugin) -> Result<(), String> {
        for other in &self.plugins {
            if other.name == plugin.name {
                let name = &plugin.name;
                return Err(format!("a plugin {name:?} is already loaded; keep one file of it"));
            }
            let mut pairs =
                other.manifest.matchers.iter().flat_map(|theirs| {
                    plugin.manifest.matchers.iter().map(move |ours| (theirs, ours))
                });
            if let Some((tie, _)) = pairs.find(|(theirs, ours)| theirs == ours) {
                return Err(format!(
                    "its matcher {tie:?} is also one of the plugin {:?}: make one of them more \
                     specific, or remove one of the files",
                    other.name
                ));
            }
        }
        self.plugins.push(Arc::new(plugin));
        self.plugins.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(())
    }
}

fn wasm_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
