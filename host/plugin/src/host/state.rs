//! `settings`, `facts` and `log`: what a run reads and leaves on the host.

use crate::bindings::{facts, log, settings};
use crate::fault::{FaultKind, limit_reached};
use crate::hook::Reach;
use crate::host::check_name;
use crate::recording::Call;
use crate::state::{FactValue, RunState};

type Answer<T> = wasmtime::Result<T>;

impl settings::Host for RunState {
    fn get(&mut self) -> Answer<String> {
        self.looked_at("settings.get");
        Ok(self.context.settings.effective.to_string())
    }

    fn revision(&mut self, part: String) -> Answer<String> {
        let revision = self.revision_of(&part);
        let noted = part.len() + revision.len();
        self.recorder.note(noted, || Call::Revision(part, revision.clone()));
        Ok(revision)
    }
}

impl facts::Host for RunState {
    fn publish(&mut self, name: String, value: facts::Fact) -> Answer<Result<(), String>> {
        self.looked_at("facts.publish");
        Ok(self.publish(name, value))
    }

    fn withdraw(&mut self, name: String) -> Answer<()> {
        self.looked_at("facts.withdraw");
        // There is no fact of a name that cannot be one.
        let is_name = check_name("the name of the fact", &name).is_ok();
        if is_name && self.reach != Reach::AtInform && self.has_room_for_fact(&name) {
            self.recorder.note(name.len(), || Call::Fact(name.clone(), None));
            self.facts.insert(name, None);
        }
        Ok(())
    }
}

impl log::Host for RunState {
    fn write(&mut self, level: log::Level, message: String) -> Answer<()> {
        self.looked_at("log.write");
        self.log(level, &message);
        Ok(())
    }
}

/// The parts of the settings that have a revision of their own in one run, and the longest pointer to
/// one, in bytes: beyond that they have that of all settings, which changes when they do.
const PARTS_MAX: usize = 64;
const POINTER_BYTES_MAX: usize = 1 << 10;

impl RunState {
    fn revision_of(&mut self, part: &str) -> String {
        if let Some(known) = self.revisions.get(part) {
            return known.clone();
        }
        let has_room = self.revisions.len() < PARTS_MAX && part.len() <= POINTER_BYTES_MAX;
        if !has_room && !part.is_empty() {
            return self.revision_of("");
        }
        let revision = self.context.settings.revision(part);
        self.revisions.insert(part.to_owned(), revision.clone());
        revision
    }

    fn publish(&mut self, name: String, value: facts::Fact) -> Result<(), String> {
        check_name("the name of the fact", &name)?;
        if self.reach == Reach::AtInform {
            return Err("the device has yet to be let in: nothing is known of it".to_owned());
        }
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
        let mut bytes = name.len();
        if let FactValue::Text(text) = &value {
            bytes += text.len();
            self.secrets.add_fact(&name, text);
        }
        self.recorder.note(bytes, || Call::Fact(name.clone(), Some(value.clone())));
        self.facts.insert(name, Some(value));
        Ok(())
    }

    /// What was published, without the secrets that this run knows: facts are shown to everybody. Those
    /// that cannot be looked through stay what they were.
    pub(crate) fn shown_facts(&mut self) -> Vec<(String, Option<FactValue>)> {
        let facts = std::mem::take(&mut self.facts);
        let mut shown = Vec::with_capacity(facts.len());
        for (name, value) in facts {
            let value = match value {
                Some(FactValue::Text(text)) if !self.is_identity(&text) => {
                    let Ok(text) = self.try_without_secrets(&text) else {
                        let why = "not all facts were published: the run knows more secrets than are \
                                   looked for";
                        self.overrun(FaultKind::Facts, why.to_owned());
                        continue;
                    };
                    Some(FactValue::Text(text))
                }
                value => value,
            };
            shown.push((name, value));
        }
        shown
    }

    /// Makers use parts of a device's identity as passwords; they are no secrets all the same.
    fn is_identity(&self, text: &str) -> bool {
        let id = &self.context.device_id;
        [&id.manufacturer, &id.oui, &id.product_class, &id.serial_number]
            .into_iter()
            .any(|it| it == text)
    }

    /// A text without the secrets that this run knows, or why it is left out.
    pub(crate) fn without_secrets(&mut self, text: &str) -> String {
        self.try_without_secrets(text).unwrap_or_else(str::to_owned)
    }

    fn try_without_secrets(&mut self, text: &str) -> Result<String, &'static str> {
        self.secrets.heard(self.recorder.heard());
        let recorder = &self.recorder;
        self.secrets.out_of(text, &self.context.notes.memory, |redactor| {
            recorder.look_at_heard(|exchange| drop(redactor.exchange(exchange)))
        })
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
        let (lines, bytes) = (self.limits.log_lines, self.limits.log_bytes);
        if self.log_lines > lines {
            return self
                .overrun(FaultKind::Log, format!("the limit of {lines} log lines is reached"));
        }
        // Before it is cut: of a secret that is cut in two, neither part would be found.
        let message = self.without_secrets(message);
        let end = message.floor_char_boundary(self.limits.log_line_bytes);
        if end < message.len() {
            limit_reached("plugin_log_line_bytes");
        }
        self.log_bytes = self.log_bytes.saturating_add(end);
        if self.log_bytes > bytes {
            limit_reached("plugin_log_bytes");
            let fault = format!("the limit of {bytes} log bytes is reached");
            return self.overrun(FaultKind::Log, fault);
        }
        // One line is one line: a plugin must not write what looks like another's.
        let line = message.get(..end).unwrap_or_default().replace(['\n', '\r'], " ");
        let name = match level {
            log::Level::Debug => "debug",
            log::Level::Info => "info",
            log::Level::Warn => "warn",
            log::Level::Error => "error",
        };
        self.recorder.note(line.len(), || Call::Log(name, line.clone()));
        if self.context.is_rehearsal {
            return;
        }
        let (device, plugin) = (self.context.device.as_str(), &*self.plugin);
        match level {
            log::Level::Debug => tracing::debug!(target: "plugin", device, plugin, "{line}"),
            log::Level::Info => tracing::info!(target: "plugin", device, plugin, "{line}"),
            log::Level::Warn => tracing::warn!(target: "plugin", device, plugin, "{line}"),
            log::Level::Error => tracing::error!(target: "plugin", device, plugin, "{line}"),
        }
    }
}
