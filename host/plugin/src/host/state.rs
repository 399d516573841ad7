//! `memory`, `settings`, `facts` and `log`: what a run reads and leaves on the host.

use crate::bindings::{facts, log, memory, settings};
use crate::state::{FactValue, RunState};

/// The longest name of a fact or of a memory entry, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The longest text of a fact, in bytes.
const FACT_BYTES_MAX: usize = 1_024;

impl memory::Host for RunState {
    fn get(&mut self, key: String) -> Option<Vec<u8>> {
        self.context.memory.get(&key).cloned()
    }

    fn set(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        check_name("the key", &key)?;
        let bytes = self.memory_bytes_with(&key, &value);
        let limit = self.limits.memory_store_bytes;
        if bytes > limit {
            metrics::counter!("trellis_limit_reached_total", "limit" => "plugin_memory_store")
                .increment(1);
            return Err(format!("the memory would hold {bytes} bytes; the limit is {limit}"));
        }
        if self.context.memory.get(&key) != Some(&value) {
            self.context.memory.insert(key, value);
            self.memory_changed = true;
        }
        Ok(())
    }

    fn delete(&mut self, key: String) {
        self.memory_changed |= self.context.memory.remove(&key).is_some();
    }

    fn keys(&mut self) -> Vec<String> {
        self.context.memory.keys().cloned().collect()
    }
}

impl settings::Host for RunState {
    fn get(&mut self) -> String {
        self.settings.to_string()
    }
}

impl facts::Host for RunState {
    fn publish(&mut self, name: String, value: facts::Fact) -> Result<(), String> {
        check_name("the name of the fact", &name)?;
        let value = match value {
            facts::Fact::Text(text) if text.len() > FACT_BYTES_MAX => {
                let bytes = text.len();
                return Err(format!("{name} has {bytes} bytes; the limit is {FACT_BYTES_MAX}"));
            }
            facts::Fact::Text(text) => FactValue::Text(text),
            facts::Fact::Number(number) if !number.is_finite() => {
                return Err(format!("{name} is not a finite number"));
            }
            facts::Fact::Number(number) => FactValue::Number(number),
            facts::Fact::Flag(flag) => FactValue::Flag(flag),
        };
        let limit = self.limits.facts;
        if self.facts.len() >= limit && !self.facts.contains_key(&name) {
            return Err(format!("one run can publish {limit} facts"));
        }
        self.facts.insert(name, Some(value));
        Ok(())
    }

    fn withdraw(&mut self, name: String) {
        if self.facts.len() < self.limits.facts || self.facts.contains_key(&name) {
            self.facts.insert(name, None);
        }
    }
}

impl log::Host for RunState {
    fn write(&mut self, level: log::Level, message: String) {
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
