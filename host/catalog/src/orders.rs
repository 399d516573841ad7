//! What operators set: for all devices of a plugin, for those with a tag, for one.

use std::collections::BTreeMap;
use std::sync::Arc;

use trellis_plugin_host::{Plugin, Traits};
use trellis_store::{Device, DeviceKey, Orders, Settings, TagOrders};

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::fit::Fit;
use crate::settings::{Effective, Object};
use crate::state::known;
use crate::table::{DevicePin, Table, object};

/// The longest settings of one plugin in one place, and the longest tag, in bytes.
const SETTINGS_BYTES_MAX: usize = 64 << 10;
const TAG_BYTES_MAX: usize = 64;
/// Tags of one device.
const TAGS_MAX: usize = 32;

impl Catalog {
    /// What is set for all devices of a plugin, beside the configuration file. It stays when the plugin is
    /// removed.
    pub async fn plugin_settings(&self, name: &str) -> Result<Object, CatalogError> {
        let state = self.0.state.lock().await;
        let record = match state.records.get(name) {
            Some(record) if record.settings.is_some() => record,
            _ => known(&state, name)?,
        };
        Ok(record.settings.as_ref().and_then(object).unwrap_or_default())
    }

    /// What holds for devices of a version of which nothing more is said, and where it comes from.
    pub fn common_settings(&self, plugin: &Plugin) -> Effective {
        Effective::of(self.0.table.load().below_tags(plugin))
    }

    /// Sets what holds for all devices of a plugin; an empty object takes it back.
    pub async fn set_plugin_settings(
        &self,
        name: &str,
        settings: &Object,
    ) -> Result<(), CatalogError> {
        let kept = kept(settings)?;
        let mut state = self.0.state.lock().await;
        let mut next = state.clone();
        // What was set for a plugin that is gone can still be taken back.
        let found = match state.records.get(name) {
            Some(record) if kept.is_none() => record,
            _ => known(&state, name)?,
        };
        let mut record = found.clone();
        let checks = kept.is_some();
        record.settings = kept;
        next.records.insert(name.to_owned(), record);
        if checks {
            ready(&self.0.table.load(), name)?;
        }
        let fit = if checks { Fit::Settings } else { Fit::Any };
        self.adopt(&mut state, next, name, fit, None).await
    }

    /// What is said of devices that have a tag.
    pub async fn tag(&self, tag: &str) -> TagOrders {
        self.0.state.lock().await.tags.get(tag).cloned().unwrap_or_default()
    }

    /// What is said of tags, by tag.
    pub async fn tags(&self) -> BTreeMap<String, TagOrders> {
        self.0.state.lock().await.tags.clone()
    }

    /// Sets what holds for devices that have a tag; an empty object takes it back.
    pub async fn set_tag_settings(
        &self,
        tag: &str,
        plugin: &str,
        settings: &Object,
    ) -> Result<(), CatalogError> {
        check_tag(tag)?;
        let kept = kept(settings)?;
        let checks = kept.is_some();
        self.change_tag(
            tag,
            |said| match kept {
                Some(kept) => drop(said.settings.insert(plugin.to_owned(), kept)),
                None => drop(said.settings.remove(plugin)),
            },
            async |table| {
                if !checks {
                    return Ok(());
                }
                ready(table, plugin)?;
                self.check_tag_fit(table, plugin, tag).await
            },
        )
        .await
    }

    /// Has a plugin serve the devices that have a tag, or the one that fits them.
    pub async fn pin_tag(&self, tag: &str, plugin: Option<&str>) -> Result<(), CatalogError> {
        check_tag(tag)?;
        let plugin = plugin.map(str::to_owned);
        let wanted = plugin.clone();
        self.change_tag(
            tag,
            |said| said.plugin = plugin,
            async |table| match &wanted {
                Some(name) => served(table, name).map(|_| ()),
                None => Ok(()),
            },
        )
        .await
    }

    /// What is said of a device.
    pub async fn orders(&self, device: &DeviceKey) -> Result<Orders, CatalogError> {
        Ok(self.0.store.orders(device).await?)
    }

    /// The plugin that is to serve a device of which this is said, whatever the matchers say.
    pub fn device_pin(&self, orders: &Orders) -> Option<DevicePin> {
        self.0.table.load().device_pin(orders)
    }

    /// The version that is to serve a device in its next session: of the plugin that it is pinned
    /// to, else of the one that served it last, else of the one that fits what is known of it.
    pub async fn serving_device(
        &self,
        device: &DeviceKey,
        header: &Device,
    ) -> Result<Option<Arc<Plugin>>, CatalogError> {
        let orders = self.0.store.orders(device).await?;
        let table = self.0.table.load();
        let traits = Traits {
            manufacturer: &header.manufacturer,
            oui: &header.oui,
            product_class: &header.product_class,
            software_version: &header.software_version,
            hardware_version: "",
            root: &header.root,
        };
        let used = header.plugin.as_ref().map(|(name, _)| name.clone());
        let pinned = table.pinned(&orders).map(|(plugin, _)| plugin.to_owned());
        let last = pinned.or(used);
        let served = last.and_then(|plugin| {
            let orders = Orders { plugin: Some(plugin), ..orders.clone() };
            table.select(device.as_str(), &traits, &orders)
        });
        let fits = || table.select(device.as_str(), &traits, &orders);
        Ok(served.or_else(fits).map(|it| it.plugin))
    }

    /// Gives a device a tag.
    pub async fn add_tag(&self, device: &DeviceKey, tag: &str) -> Result<(), CatalogError> {
        check_tag(tag)?;
        self.change_orders(device, |orders, table| {
            let before = orders.clone();
            orders.tags.insert(tag.to_owned());
            if orders.tags.len() > TAGS_MAX {
                let why = format!("a device can have {TAGS_MAX} tags");
                return Err(CatalogError::Refused(why));
            }
            table.check_orders(&before, orders, None)
        })
        .await
    }

    /// Takes a tag from a device, which need not have it.
    pub async fn remove_tag(&self, device: &DeviceKey, tag: &str) -> Result<(), CatalogError> {
        self.change_orders(device, |orders, _| {
            orders.tags.remove(tag);
            Ok(())
        })
        .await
    }

    /// Has a plugin serve a device, or the one that fits it.
    pub async fn pin_device(
        &self,
        device: &DeviceKey,
        plugin: Option<&str>,
    ) -> Result<(), CatalogError> {
        self.change_orders(device, |orders, table| {
            if let Some(name) = plugin {
                served(table, name)?;
            }
            orders.plugin = plugin.map(str::to_owned);
            Ok(())
        })
        .await
    }

    /// Sets what holds for one device; an empty object takes it back.
    pub async fn set_device_settings(
        &self,
        device: &DeviceKey,
        plugin: &str,
        settings: &Object,
    ) -> Result<(), CatalogError> {
        let kept = kept(settings)?;
        self.change_orders(device, |orders, table| match kept {
            Some(kept) => {
                ready(table, plugin)?;
                let before = orders.clone();
                orders.settings.insert(plugin.to_owned(), kept);
                table.check_orders(&before, orders, Some(plugin))
            }
            None => {
                orders.settings.remove(plugin);
                Ok(())
            }
        })
        .await
    }

    /// What holds for a device in the end, and where each part of it comes from.
    pub async fn effective(
        &self,
        device: &DeviceKey,
        plugin: &str,
    ) -> Result<Effective, CatalogError> {
        let orders = self.0.store.orders(device).await?;
        let table = self.0.table.load_full();
        // What is set can be seen, and taken back, also of a plugin that cannot be run, or is gone.
        let layers = match ready(&table, plugin) {
            Ok(version) => table.layers_for(version, &orders),
            Err(unknown) => {
                let layers = table.set_for(plugin, &orders);
                if layers.is_empty() && !self.has(plugin).await {
                    return Err(unknown);
                }
                layers
            }
        };
        Ok(Effective::of(layers))
    }

    async fn change_tag(
        &self,
        tag: &str,
        change: impl FnOnce(&mut TagOrders),
        check: impl AsyncFnOnce(&Arc<Table>) -> Result<(), CatalogError>,
    ) -> Result<(), CatalogError> {
        let mut state = self.0.state.lock().await;
        let mut next = state.clone();
        let mut said = next.tags.get(tag).cloned().unwrap_or_default();
        change(&mut said);
        if said.is_empty() {
            next.tags.remove(tag);
        } else {
            next.tags.insert(tag.to_owned(), said.clone());
        }
        let table = Arc::new(self.table(&next)?);
        let _no_other_orders = self.0.orders.lock().await;
        check(&table).await?;
        self.0.store.set_tag(tag, &said).await?;
        self.see(table);
        self.0.changes.send_modify(|changes| *changes += 1);
        *state = next;
        Ok(())
    }

    async fn change_orders(
        &self,
        device: &DeviceKey,
        change: impl FnOnce(&mut Orders, &Table) -> Result<(), CatalogError>,
    ) -> Result<(), CatalogError> {
        let _one_at_a_time = self.0.orders.lock().await;
        let mut orders = self.0.store.orders(device).await?;
        // Under the lock: nothing begins to serve meanwhile.
        let table = self.0.table.load_full();
        change(&mut orders, &table)?;
        Ok(self.0.store.set_orders(device, &orders).await?)
    }
}

/// The version of a plugin that serves.
fn served(table: &Table, name: &str) -> Result<Arc<Plugin>, CatalogError> {
    let found = table.registry.serving().find(|it| it.stable.manifest.name == name);
    found.map(|it| Arc::clone(&it.stable)).ok_or_else(|| {
        CatalogError::Unknown(format!("no plugin {name:?} serves: load it, or enable it"))
    })
}

/// A version of a plugin that serves, or would if it were enabled: without one, nothing can be held
/// against its schema.
fn ready<'a>(table: &'a Table, name: &str) -> Result<&'a Arc<Plugin>, CatalogError> {
    table.ready(name).next().ok_or_else(|| {
        CatalogError::Unknown(format!(
            "no plugin {name:?} can be run: load it first, so that its settings can be checked"
        ))
    })
}

/// Settings as they are kept; none where nothing is set.
fn kept(settings: &Object) -> Result<Option<Settings>, CatalogError> {
    if settings.is_empty() {
        return Ok(None);
    }
    let text = serde_json::Value::Object(settings.clone()).to_string();
    if text.len() > SETTINGS_BYTES_MAX {
        let bytes = text.len();
        let why = format!("the settings have {bytes} bytes; the limit is {SETTINGS_BYTES_MAX}");
        return Err(CatalogError::Refused(why));
    }
    Ok(Some(Settings(text)))
}

fn check_tag(tag: &str) -> Result<(), CatalogError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if tag.is_empty() || tag.len() > TAG_BYTES_MAX || !tag.bytes().all(good) {
        return Err(CatalogError::Refused(format!(
            "the tag {tag:?} must be 1 to {TAG_BYTES_MAX} letters, digits, dashes, underscores, \
             dots and colons"
        )));
    }
    Ok(())
}
