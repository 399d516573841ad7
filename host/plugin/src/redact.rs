//! Secrets out of recordings.
//!
//! What is secret is known by its name: parameters, settings and arguments called `Password` and the
//! like, and the passwords of transfers. Each is replaced by a mark that is the same for the same
//! secret, so that a plugin which compares two of them still does the same; and wherever the
//! secret itself turns up, in a log or in a plugin's memory, it is replaced there too.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use trellis_cwmp::{
    Message, Operation, Parameter, ParameterList, Secret, is_secret, is_secret_setting,
};

/// A secret shorter than this is not looked for elsewhere: it would be found everywhere.
const LOOKED_FOR_BYTES_MIN: usize = 4;

/// How a mark begins.
pub(crate) const MARK: &str = "(secret ";

/// Replaces secrets in one recording.
pub struct Redactor {
    key: [u8; 32],
    /// The secrets that were met, and their marks.
    met: BTreeMap<String, String>,
}

impl Redactor {
    /// With a key of this installation, so that nobody can tell by its mark what a secret is.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key, met: BTreeMap::new() }
    }

    /// The mark that stands for a secret.
    pub(crate) fn mark(&mut self, secret: &str) -> String {
        if secret.is_empty() || secret.starts_with(MARK) {
            return secret.to_owned();
        }
        if let Some(mark) = self.met.get(secret) {
            return mark.clone();
        }
        let mut mac = Hmac::<Sha256>::new(&padded(&self.key).into());
        mac.update(secret.as_bytes());
        let bytes = mac.finalize().into_bytes();
        let digits: String = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let mark = format!("{MARK}{digits})");
        self.met.insert(secret.to_owned(), mark.clone());
        mark
    }

    /// Replaces what was met, wherever it is in a text.
    pub(crate) fn scrub(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // Longer ones first: one may hold another.
        let mut met: Vec<_> =
            self.met.iter().filter(|(secret, _)| secret.len() >= LOOKED_FOR_BYTES_MIN).collect();
        met.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
        for (secret, mark) in met {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), mark);
            }
        }
        text
    }

    /// Replaces the secrets of a JSON text.
    pub(crate) fn json(&mut self, text: &str) -> String {
        match serde_json::from_str::<Value>(text) {
            Ok(mut value) => {
                self.value("", &mut value);
                value.to_string()
            }
            Err(_) => text.to_owned(),
        }
    }

    fn value(&mut self, name: &str, value: &mut Value) {
        match value {
            // Whatever is below a secret is one.
            Value::Object(fields) if is_secret_setting(name) => {
                fields.iter_mut().for_each(|(_, value)| self.value("secret", value));
            }
            Value::Object(fields) => {
                // A list of parameters often names them beside their values.
                let named = fields.get("name").and_then(Value::as_str).is_some_and(is_secret);
                for (field, value) in fields.iter_mut() {
                    let stands_for = if named && field == "value" { "secret" } else { field };
                    self.value(stands_for, value);
                }
            }
            Value::Array(items) if is_secret_setting(name) => {
                items.iter_mut().for_each(|item| self.value(name, item));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(name, item)),
            Value::String(text) if is_secret_setting(name) => *text = self.mark(text),
            _ => {}
        }
    }

    /// A list of values without its secrets.
    pub(crate) fn list(&mut self, list: &ParameterList) -> ParameterList {
        let mut shown = ParameterList::new();
        for Parameter { name, value, value_type } in list.iter() {
            if is_secret(name) {
                shown.push(name, &self.mark(value), value_type);
            } else {
                shown.push(name, value, value_type);
            }
        }
        shown
    }

    /// A message without its secrets.
    pub(crate) fn message(&mut self, message: &Message) -> Message {
        let mut message = message.clone();
        match &mut message {
            Message::SetParameterValues(it) => it.parameter_list = self.list(&it.parameter_list),
            Message::GetParameterValuesResponse(it) => {
                it.parameter_list = self.list(&it.parameter_list);
            }
            Message::Inform(it) => it.parameter_list = self.list(&it.parameter_list),
            Message::Download(it) => it.password = self.secret(&it.password),
            Message::Upload(it) => it.password = self.secret(&it.password),
            Message::ScheduleDownload(it) => it.password = self.secret(&it.password),
            Message::ChangeDUState(it) => {
                for operation in &mut it.operations {
                    match operation {
                        Operation::Install(it) => {
                            it.password = it.password.take().map(|it| self.secret(&it));
                        }
                        Operation::Update(it) => {
                            it.password = it.password.take().map(|it| self.secret(&it));
                        }
                        Operation::Uninstall(_) => {}
                    }
                }
            }
            _ => {}
        }
        message
    }

    fn secret(&mut self, secret: &Secret) -> Secret {
        Secret::new(self.mark(secret.reveal()))
    }
}

/// One block of SHA-256, the natural length of a key for HMAC.
fn padded(key: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_one_mark_wherever_it_is_and_is_found_in_other_texts() {
        let mut redactor = Redactor::new([7; 32]);
        let settings = redactor.json(r#"{"wifi":{"passphrase":"tops3cret","ssid":"home"}}"#);
        assert!(!settings.contains("tops3cret") && settings.contains("home"), "{settings}");
        let list: ParameterList = [
            ("Device.WiFi.AccessPoint.1.Security.KeyPassphrase", "tops3cret", Default::default()),
            ("Device.WiFi.SSID.1.SSID", "tops3cret home", Default::default()),
        ]
        .into_iter()
        .collect();
        let shown = redactor.list(&list);
        let mark = redactor.mark("tops3cret");
        assert_eq!(shown.iter().next().map(|row| row.value), Some(mark.as_str()));
        assert_eq!(redactor.scrub("set tops3cret"), format!("set {mark}"));
        assert_ne!(Redactor::new([8; 32]).mark("tops3cret"), mark);
    }
}
