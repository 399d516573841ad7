//! What sessions see of the catalog: never changed, only replaced.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_plugin_host::{Candidate, Plugin, PluginSettings, Registry, RevisionKey, Traits};
use trellis_store::{Orders, Settings, TagOrders};

use crate::fit::fits;
use crate::settings::{Layer, Object, Origin};

/// The plugin that serves a device, with its settings.
#[derive(Clone, Debug)]
pub struct Selected {
    /// The version of the plugin.
    pub plugin: Arc<Plugin>,
    /// Its settings for the device.
    pub settings: PluginSettings,
}

/// The plugin that operators want for a device, whatever the matchers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DevicePin {
    /// Its name.
    pub plugin: String,
    /// The tag that says so; else it is said of the device itself.
    pub tag: Option<String>,
    /// Whether the plugin serves. If not, the device is served by nobody.
    pub serves: bool,
}

/// One state of the catalog.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) registry: Registry,
    /// What makes the revisions of settings.
    pub(crate) key: RevisionKey,
    /// What operators set for all devices of a plugin, by plugin, undermost first.
    pub(crate) layers: BTreeMap<String, Vec<Layer>>,
    /// What operators say of tags.
    pub(crate) tags: BTreeMap<String, TagOrders>,
    /// The versions that are run over what others did, by plugin.
    pub(crate) shadows: BTreeMap<String, Arc<Plugin>>,
    /// The versions of disabled plugins that would serve, by plugin.
    pub(crate) idle: BTreeMap<String, Arc<Plugin>>,
    /// Why versions that are to serve cannot be run, by digest.
    pub(crate) broken: BTreeMap<String, String>,
    /// The settings of devices of which nothing more is said, by the digest of the version.
    pub(crate) common: BTreeMap<String, PluginSettings>,
}

impl Table {
    /// Takes these plugins and settings.
    pub(crate) fn new(
        registry: Registry,
        layers: BTreeMap<String, Vec<Layer>>,
        tags: BTreeMap<String, TagOrders>,
        key: RevisionKey,
    ) -> Self {
        let mut table = Self { registry, layers, tags, key, ..Self::default() };
        let names = table.registry.serving().map(|it| it.stable.manifest.name.as_str());
        let versions = names.flat_map(|name| table.versions(name));
        let common = versions.map(|plugin| {
            (plugin.digest.clone(), table.settings(plugin, table.below_tags(plugin)))
        });
        table.common = common.collect();
        table
    }

    pub(crate) fn select(
        &self,
        device: &str,
        traits: &Traits<'_>,
        orders: &Orders,
    ) -> Option<Selected> {
        let pinned = self.pinned(orders).map(|(plugin, _)| plugin);
        let candidate = Candidate { device, traits: *traits, pinned };
        let plugin = self.registry.select(&candidate)?;
        let settings = match self.common.get(&plugin.digest) {
            Some(common) if !self.says_more(&plugin.manifest.name, orders) => common.clone(),
            _ => self.settings(&plugin, self.layers_for(&plugin, orders)),
        };
        Some(Selected { plugin, settings })
    }

    /// The plugin that operators want for a device: by itself, else by its tags in order, with the tag.
    pub(crate) fn pinned<'a>(&'a self, orders: &'a Orders) -> Option<(&'a str, Option<&'a str>)> {
        let by_itself = orders.plugin.as_deref().map(|plugin| (plugin, None));
        let by_tag = |tag: &'a String| Some((self.tags.get(tag)?.plugin.as_deref()?, Some(&**tag)));
        by_itself.or_else(|| orders.tags.iter().find_map(by_tag))
    }

    /// The same, for people.
    pub(crate) fn device_pin(&self, orders: &Orders) -> Option<DevicePin> {
        let (plugin, tag) = self.pinned(orders)?;
        Some(DevicePin {
            plugin: plugin.to_owned(),
            tag: tag.map(str::to_owned),
            serves: self.versions(plugin).next().is_some(),
        })
    }

    /// The defaults of a plugin, and over them what is set for all of its devices.
    pub(crate) fn below_tags(&self, plugin: &Plugin) -> Vec<Layer> {
        self.layers_for(plugin, &Orders::default())
    }

    /// All that holds for a device, undermost first.
    pub(crate) fn layers_for(&self, plugin: &Plugin, orders: &Orders) -> Vec<Layer> {
        let defaults = plugin.manifest.settings.defaults.clone();
        let mut layers = vec![Layer { origin: Origin::Default, settings: defaults }];
        layers.extend(self.set_for(&plugin.manifest.name, orders));
        layers
    }

    /// All that is set for a device over the defaults of a plugin, undermost first.
    pub(crate) fn set_for(&self, name: &str, orders: &Orders) -> Vec<Layer> {
        let mut layers: Vec<Layer> = self.layers.get(name).into_iter().flatten().cloned().collect();
        for tag in &orders.tags {
            let said = self.tags.get(tag).and_then(|it| it.settings.get(name));
            if let Some(settings) = said.and_then(object) {
                layers.push(Layer { origin: Origin::Tag(tag.clone()), settings });
            }
        }
        if let Some(settings) = orders.settings.get(name).and_then(object) {
            layers.push(Layer { origin: Origin::Device, settings });
        }
        layers
    }

    /// Whether something is set for a device beyond what holds for all devices of a plugin.
    pub(crate) fn says_more(&self, plugin: &str, orders: &Orders) -> bool {
        let tagged =
            |tag: &String| self.tags.get(tag).is_some_and(|it| it.settings.contains_key(plugin));
        orders.settings.contains_key(plugin) || orders.tags.iter().any(tagged)
    }

    /// The settings of a version that come of these layers, of which the first are the defaults. They
    /// were checked when they were set; since then, the configuration may have changed, or another
    /// version may have been gone back to.
    fn settings(&self, plugin: &Plugin, layers: Vec<Layer>) -> PluginSettings {
        let misfit = fits(plugin, layers.clone()).err().map(Arc::from);
        let mut layers = layers.into_iter().map(|layer| layer.settings);
        let defaults = layers.next().unwrap_or_default();
        PluginSettings { misfit, ..PluginSettings::new(defaults, layers.collect(), &self.key) }
    }
}

/// Settings as they are kept. They were checked when they were set.
pub(crate) fn object(settings: &Settings) -> Option<Object> {
    serde_json::from_str(&settings.0).ok()
}
