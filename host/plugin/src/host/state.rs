//! `memory`, `settings`, `facts` and `log`: what a run reads and leaves on the host.

use crate::bindings::{facts, log, memory, settings};
use crate::fault::limit_reached;
use crate::state::{FactValue, RunState};

/// The longest name of a fact or of a memory entry, in bytes.
const NAME_BYTES_MAX: usize = 128;

type Answer<T> = wasmtime::Result<T>;

impl memory::Host for RunState {
    fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        self.host_call()?;
        Ok(self.context.memory.get(&key).cloned())
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Answer<Result<(), String>> {
        self.host_call()?;
        Ok(self.remember(key, value))
    }

    fn delete(&mut self, key: String) -> Answer<()> {
        self.host_call()?;
        if let Some(value) = self.context.memory.remove(&key) {
            self.memory_bytes = self.memory_bytes.saturating_sub(key.len() + value.len());
            self.memory_changed = true;
        }
        Ok(())
    }

    fn keys(&mut self) -> Answer<Vec<String>> {
        self.host_call()?;
        Ok(self.context.memory.keys().cloned().collect())
    }
}

impl settings::Host for RunState {
    fn get(&mut self) -> Answer<String> {
        self.host_call()?;
        Ok(self.settings.to_string())
    }
}

impl facts::Host for RunState {
    fn publish(&mut self, name: String, value: facts::Fact) -> Answer<Result<(), String>> {
        self.host_call()?;
        Ok(self.publish(name, value))
    }

    fn withdraw(&mut self, name: String) -> Answer<()> {
        self.host_call()?;
        if self.has_room_for_fact(&name) {
            self.facts.insert(name, None);
        }
        Ok(())
    }
}

impl log::Host for RunState {
    fn write(&mut self, level: log::Level, message: String) -> Answer<()> {
        self.host_call()?;
        self.log(level, &message);
        Ok(())
    }
}

impl RunState {
    fn remember(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        check_name("the key", &key)?;
        let replaced = self.context.memory.get(&key);
        if replaced == Some(&value) {
            return Ok(());
        }
        let replaced = replaced.map_or(0, |value| key.len() + value.len());
        let bytes = self.memory_bytes.saturating_sub(replaced) + key.len() + value.len();
        let limit = self.limits.memory_store_bytes;
        if bytes > limit {
            limit_reached("plugin_memory_store");
            return Err(format!("the memory would hold {bytes} bytes; the limit is {limit}"));
        }
        self.context.memory.insert(key, value);
        self.memory_bytes = bytes;
        self.memory_changed = true;
        Ok(())
    }

    fn publish(&mut self, name: String, value: facts::Fact) -> Result<(), String> {
        check_name("the name of the fact", &name)?;
        let limit = self.limits.fact_bytes;
        let value = match value {
            facts::Fact::Text(text) if text.len() > limit => {
                limit_reached("plugin_fact_bytes");
                return Err(format!("{name} has {} bytes; the limit is {limit}", text.len()));
            }
            facts::Fact::Text(text) => FactValue::Text(text),
            facts::Fact::Number(number) if !number.is_finite() => {
                return Err(format!("{name} is not a finite number"));
            }
            facts::Fact::Number(number) => FactValue::Number(number),
            facts::Fact::Flag(flag) => FactValue::Flag(flag),
        };
        if !self.has_room_for_fact(&name) {
            return Err(format!("one run can publish {} facts", self.limits.facts));
        }
        self.facts.insert(name, Some(value));
        Ok(())
    }

    fn has_room_for_fact(&self, name: &str) -> bool {
        let has_room = self.facts.len() < self.limits.facts || self.facts.contains_key(name);
        if !has_room {
            limit_reached("plugin_facts");
        }
        has_room
    }

    /// Writes a line of the plugin to the log, as far as there is room for it.
    pub(crate) fn log(&mut self, level: log::Level, message: &str) {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines > self.limits.log_lines {
            return;
        }
        let end = message.floor_char_boundary(self.limits.log_line_bytes);
        // One line is one line: a plugin must not write what looks like another's.
        let line = message.get(..end).unwrap_or_default().replace(['\n', '\r'], " ");
        let (device, plugin) = (self.context.device.as_str(), &*self.plugin);
        match level {
            log::Level::Debug => tracing::debug!(target: "plugin", device, plugin, "{line}"),
            log::Level::Info => tracing::info!(target: "plugin", device, plugin, "{line}"),
            log::Level::Warn => tracing::warn!(target: "plugin", device, plugin, "{line}"),
            log::Level::Error => tracing::error!(target: "plugin", device, plugin, "{line}"),
        }
    }
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("{what} must have 1 to {NAME_BYTES_MAX} bytes"));
    }
    Ok(())
}
