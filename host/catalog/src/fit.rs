//! Whether what operators set fits the versions that serve.

use std::sync::Arc;

use serde_json::Value;
use trellis_plugin_host::Plugin;
use trellis_store::{DeviceKey, Orders};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::settings::{Effective, Layer};
use crate::state::State;
use crate::table::Table;

/// Which versions all that is set must fit, for a change to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// None: it is the way out of something worse.
    Any,
    /// Those that begin to serve. What does not fit another one is not made worse.
    NewVersions,
    /// All that serve.
    All,
}

/// Devices that are looked at in one go.
const PAGE: usize = 1_000;

impl Catalog {
    /// Whether all that is set for a plugin fits the versions of it that serve in this table: what is
    /// set for all of its devices, for those with a tag, and for single ones.
    pub(crate) async fn check_fit(
        &self,
        table: &Arc<Table>,
        name: &str,
        fit: Fit,
    ) -> Result<(), CatalogError> {
        let served = self.0.table.load_full();
        let serves = |plugin: &Plugin| served.versions(name).any(|it| it.digest == plugin.digest);
        let versions = table.versions(name).filter(|plugin| match fit {
            Fit::Any => false,
            Fit::NewVersions => !serves(plugin),
            Fit::All => true,
        });
        for plugin in versions.filter(|it| it.has_settings_schema()) {
            table.check_shared(plugin)?;
            self.check_devices(table, plugin, None).await?;
        }
        Ok(())
    }

    /// Whether what is set for a tag fits the versions of a plugin that serve in this table, and so for
    /// all devices that have it.
    pub(crate) async fn check_tag_fit(
        &self,
        table: &Arc<Table>,
        name: &str,
        tag: &str,
    ) -> Result<(), CatalogError> {
        let orders = Orders { tags: [tag.to_owned()].into(), ..Orders::default() };
        table.check_effective(name, &orders)?;
        for plugin in table.versions(name).filter(|it| it.has_settings_schema()) {
            self.check_devices(table, plugin, Some(tag)).await?;
        }
        Ok(())
    }

    /// Says in the log what does not fit, where that is no reason not to go on.
    pub(crate) async fn warn_of_misfits(&self, state: &State) {
        let Ok(table) = self.table(state) else { return };
        let table = Arc::new(table);
        for name in state.records.keys() {
            if let Err(why) = self.check_fit(&table, name, Fit::All).await {
                tracing::error!(plugin = name, "{why}");
            }
        }
    }

    /// Whether what holds for single devices fits a version: for all of them, or for those with a tag.
    async fn check_devices(
        &self,
        table: &Arc<Table>,
        plugin: &Arc<Plugin>,
        tag: Option<&str>,
    ) -> Result<(), CatalogError> {
        let mut after: Option<DeviceKey> = None;
        let mut first = None;
        let mut count = 0_usize;
        loop {
            let mut page = self.0.store.devices_with_orders(after.as_ref(), PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            page.retain(|(_, orders)| tag.is_none_or(|tag| orders.tags.contains(tag)));
            let (table, plugin) = (Arc::clone(table), Arc::clone(plugin));
            // A million devices may have settings of their own.
            let checked = tokio::task::spawn_blocking(move || table.misfits(&plugin, page));
            let Ok(misfits) = checked.await else { break };
            count += misfits.len();
            first = first.or_else(|| misfits.into_iter().next());
        }
        let Some((device, why)) = first else { return Ok(()) };
        let others = match count {
            1 => String::new(),
            count => format!("; nor do those of {} more devices", count - 1),
        };
        Err(CatalogError::Conflict(format!("device {device}: {why}{others}")))
    }
}

impl Table {
    /// The versions of a plugin that serve.
    pub(crate) fn versions(&self, name: &str) -> impl Iterator<Item = &Arc<Plugin>> {
        let serving = self.registry.serving().filter(move |it| it.stable.manifest.name == name);
        serving.flat_map(|it| {
            std::iter::once(&it.stable).chain(it.canary.iter().map(|canary| &canary.plugin))
        })
    }

    /// Whether what is set for all devices of a plugin fits a version, and what is set for a tag over
    /// it.
    fn check_shared(&self, plugin: &Plugin) -> Result<(), CatalogError> {
        fits(plugin, self.below_tags(plugin)).map_err(CatalogError::Conflict)?;
        for (tag, said) in &self.tags {
            if said.settings.contains_key(&plugin.manifest.name) {
                let orders = Orders { tags: [tag.clone()].into(), ..Orders::default() };
                fits(plugin, self.layers_for(plugin, &orders))
                    .map_err(|why| CatalogError::Conflict(format!("tag {tag}: {why}")))?;
            }
        }
        Ok(())
    }

    /// The devices of which what is set does not fit a version, with the reasons.
    fn misfits(
        &self,
        plugin: &Plugin,
        devices: Vec<(DeviceKey, Orders)>,
    ) -> Vec<(DeviceKey, String)> {
        let misfits = devices.into_iter().filter_map(|(device, orders)| {
            if !self.says_more(&plugin.manifest.name, &orders) {
                return None;
            }
            fits(plugin, self.layers_for(plugin, &orders)).err().map(|why| (device, why))
        });
        misfits.collect()
    }

    /// Whether all that is set for a device fits the plugins that serve.
    pub(crate) fn check_orders(&self, orders: &Orders) -> Result<(), CatalogError> {
        for serving in self.registry.serving() {
            let name = &serving.stable.manifest.name;
            if self.says_more(name, orders) {
                self.check_effective(name, orders)?;
            }
        }
        Ok(())
    }

    /// Whether all that is set for a device fits the versions of a plugin that serve.
    pub(crate) fn check_effective(&self, name: &str, orders: &Orders) -> Result<(), CatalogError> {
        for plugin in self.versions(name) {
            fits(plugin, self.layers_for(plugin, orders)).map_err(CatalogError::Conflict)?;
        }
        Ok(())
    }
}

/// Whether what comes of these layers fits a version. The error names each field that does not, and
/// where it is set.
pub(crate) fn fits(plugin: &Plugin, layers: Vec<Layer>) -> Result<(), String> {
    if !plugin.has_settings_schema() {
        return Ok(());
    }
    let Effective { settings, origins } = Effective::of(layers);
    let comes_from = |path: &str| origins.get(path).map(|it| format!("set for: {it}"));
    plugin.check_settings(&Value::Object(settings), comes_from).map_err(|why| {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        format!("the settings do not fit {name} {version}: {why}")
    })
}
