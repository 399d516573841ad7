//! Whether what operators set fits the versions that serve.

use std::cell::Cell;
use std::sync::Arc;

use serde_json::Value;
use trellis_plugin_host::Plugin;
use trellis_store::{DeviceKey, Orders};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::settings::{Effective, Layer, Origin};
use crate::table::Table;

/// What a change must fit to be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Nothing: it is the way out of something worse.
    Any,
    /// All that is set must fit the versions that begin to serve.
    NewVersions,
    /// What is newly set for all devices of the plugin must fit the versions that serve.
    Settings,
}

/// Devices that are looked at in one go.
const PAGE: usize = 1_000;

impl Catalog {
    /// Whether all that is set for a plugin fits the versions of it that serve in this table, as far
    /// as the change asks: what is set for all of its devices, for those with a tag, and for single ones.
    pub(crate) async fn check_fit(
        &self,
        table: &Arc<Table>,
        name: &str,
        fit: Fit,
    ) -> Result<(), CatalogError> {
        let before = self.0.table.load_full();
        let serves = |plugin: &Plugin| before.versions(name).any(|it| it.digest == plugin.digest);
        for plugin in table.ready(name).filter(|it| it.has_settings_schema()) {
            let held_against = match fit {
                Fit::Any => continue,
                Fit::NewVersions if serves(plugin) => continue,
                Fit::NewVersions => None,
                Fit::Settings => Some(&before),
            };
            let change = Change { plugin, before: held_against, after: table };
            change.check_shared()?;
            self.check_devices(&change, None).await?;
        }
        Ok(())
    }

    /// Whether what is newly set for a tag fits the versions of a plugin that serve in this table, and so
    /// for all devices that have it.
    pub(crate) async fn check_tag_fit(
        &self,
        table: &Arc<Table>,
        name: &str,
        tag: &str,
    ) -> Result<(), CatalogError> {
        let before = self.0.table.load_full();
        for plugin in table.ready(name).filter(|it| it.has_settings_schema()) {
            let change = Change { plugin, before: Some(&before), after: table };
            change.check(&tagged(tag), Some(&Origin::Tag(tag.to_owned()))).map_err(refused)?;
            self.check_devices(&change, Some(tag)).await?;
        }
        Ok(())
    }

    /// Whether what holds for single devices fits: for all of them, or for those with a tag.
    async fn check_devices(
        &self,
        change: &Change<'_>,
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
            let plugin = Arc::clone(change.plugin);
            let (before, table) = (change.before.cloned(), Arc::clone(change.after));
            // A million devices may have settings of their own.
            let misfits = tokio::task::spawn_blocking(move || {
                let change = Change { plugin: &plugin, before: before.as_ref(), after: &table };
                change.misfits(page)
            });
            let failed =
                |error| CatalogError::Refused(format!("the settings were not checked: {error}"));
            let misfits = misfits.await.map_err(failed)?;
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

/// A version that is to serve with what is set.
struct Change<'a> {
    plugin: &'a Arc<Plugin>,
    /// What is set until now, if this version serves already.
    before: Option<&'a Arc<Table>>,
    after: &'a Arc<Table>,
}

impl Change<'_> {
    /// Whether what holds for devices of which this is said fits.
    fn check(&self, orders: &Orders, set: Option<&Origin>) -> Result<(), String> {
        let after = self.after.layers_for(self.plugin, orders);
        let before = || Some(self.before?.layers_for(self.plugin, orders));
        check_change(self.plugin, before, after, set)
    }

    /// What is set for all devices, and what is set for a tag over it.
    fn check_shared(&self) -> Result<(), CatalogError> {
        self.check(&Orders::default(), Some(&Origin::Plugin)).map_err(refused)?;
        let name = &self.plugin.manifest.name;
        for (tag, _) in self.after.tags.iter().filter(|(_, said)| said.settings.contains_key(name))
        {
            self.check(&tagged(tag), None).map_err(|why| refused(format!("tag {tag}: {why}")))?;
        }
        Ok(())
    }

    /// The devices for which it does not fit, with the reasons.
    fn misfits(&self, devices: Vec<(DeviceKey, Orders)>) -> Vec<(DeviceKey, String)> {
        let misfits = devices.into_iter().filter_map(|(device, orders)| {
            if !self.after.says_more(&self.plugin.manifest.name, &orders) {
                return None;
            }
            self.check(&orders, None).err().map(|why| (device, why))
        });
        misfits.collect()
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

    /// The versions of a plugin that serve, or would if it were enabled.
    pub(crate) fn ready(&self, name: &str) -> impl Iterator<Item = &Arc<Plugin>> {
        self.versions(name).chain(self.idle.get(name))
    }

    /// The plugins of which there are such versions.
    fn ready_names(&self) -> impl Iterator<Item = &str> {
        let serving = self.registry.serving().map(|it| it.stable.manifest.name.as_str());
        serving.chain(self.idle.keys().map(String::as_str))
    }

    /// Whether what is newly said of a device fits the plugins that serve, of which it is what is `set` for
    /// one just now, or for none.
    pub(crate) fn check_orders(
        &self,
        before: &Orders,
        after: &Orders,
        set: Option<&str>,
    ) -> Result<(), CatalogError> {
        for plugin in self.ready_names().flat_map(|name| self.ready(name)) {
            let is_set = set == Some(plugin.manifest.name.as_str());
            let set = is_set.then_some(&Origin::Device);
            let before = || Some(self.layers_for(plugin, before));
            check_change(plugin, before, self.layers_for(plugin, after), set).map_err(refused)?;
        }
        Ok(())
    }

    /// What of what the configuration, operators and tags say of a plugin, or of all, does not fit the
    /// versions that serve.
    pub(crate) fn shared_misfits(self: &Arc<Self>, of: Option<&str>) -> Vec<String> {
        let names = self.ready_names().filter(|name| of.is_none_or(|of| of == *name));
        let versions = names.flat_map(|name| self.ready(name));
        let check = |plugin| Change { plugin, before: None, after: self }.check_shared().err();
        versions.filter_map(check).map(|why| why.to_string()).collect()
    }
}

fn refused(why: String) -> CatalogError {
    CatalogError::Conflict(why)
}

/// What is said of a device that has a tag, and of which nothing else is said.
fn tagged(tag: &str) -> Orders {
    Orders { tags: [tag.to_owned()].into(), ..Orders::default() }
}

/// Whether what comes of the layers `after` a change fits a version, of those `before` it if the version
/// serves already. What did not fit then is no reason against the change, unless it is `set` just now.
fn check_change(
    plugin: &Plugin,
    before: impl FnOnce() -> Option<Vec<Layer>>,
    after: Vec<Layer>,
    set: Option<&Origin>,
) -> Result<(), String> {
    let Err((why, is_set)) = misfit(plugin, after, set) else { return Ok(()) };
    let is_worse = is_set || before().is_none_or(|before| fits(plugin, before).is_ok());
    if is_worse { Err(why) } else { Ok(()) }
}

/// Whether what comes of these layers fits a version. The error names each field that does not, and
/// where it is set.
pub(crate) fn fits(plugin: &Plugin, layers: Vec<Layer>) -> Result<(), String> {
    misfit(plugin, layers, None).map_err(|(why, _)| why)
}

/// The same; the error says too whether something of it is set in one place.
fn misfit(plugin: &Plugin, layers: Vec<Layer>, set: Option<&Origin>) -> Result<(), (String, bool)> {
    if !plugin.has_settings_schema() {
        return Ok(());
    }
    let Effective { settings, origins } = Effective::of(layers);
    let is_set = Cell::new(false);
    let comes_from = |path: &str| {
        // An array is set as a whole.
        let (_, origin) = ancestors(path).find_map(|it| origins.get_key_value(it))?;
        is_set.set(is_set.get() || Some(origin) == set);
        Some(format!("set for: {origin}"))
    };
    plugin.check_settings(&Value::Object(settings), comes_from).map_err(|why| {
        let (name, version) = (&plugin.manifest.name, &plugin.manifest.version);
        (format!("the settings do not fit {name} {version}: {why}"), is_set.get())
    })
}

/// A JSON pointer, and those that it is below, the nearest first.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(path), |path| Some(path.rsplit_once('/')?.0))
}
