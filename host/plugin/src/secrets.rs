//! The secrets that one run may know, kept out of what it logs.

use std::sync::Arc;

use trellis_cwmp::{Message, ParameterList, is_secret};

use crate::redact::Redactor;
use crate::scrub::Scrubber;
use crate::state::Context;

/// Secrets of devices that are remembered for it.
const REMEMBERED_MAX: usize = 1_000;

/// Secrets by name: of the settings, the arguments, and the device.
pub(crate) struct Secrets {
    /// JSON texts that may name some: read once something is logged.
    texts: Vec<Arc<str>>,
    values: Vec<String>,
    /// What finds those that were there when something was last logged.
    finder: Option<Scrubber>,
}

impl Secrets {
    /// What a run begins with.
    pub(crate) fn new(context: &Context) -> Self {
        let mut secrets =
            Self { texts: vec![Arc::clone(&context.settings)], values: Vec::new(), finder: None };
        secrets.add_list(&context.inform_parameters);
        secrets
    }

    /// Adds those of a JSON text.
    pub(crate) fn add_json(&mut self, text: &str) {
        self.texts.push(Arc::from(text));
        self.finder = None;
    }

    /// Adds those of a message.
    pub(crate) fn add(&mut self, message: &Message) {
        match message {
            Message::SetParameterValues(it) => self.add_list(&it.parameter_list),
            Message::GetParameterValuesResponse(it) => self.add_list(&it.parameter_list),
            Message::Download(it) => self.add_value(it.password.reveal()),
            Message::Upload(it) => self.add_value(it.password.reveal()),
            Message::ScheduleDownload(it) => self.add_value(it.password.reveal()),
            _ => {}
        }
    }

    fn add_list(&mut self, list: &ParameterList) {
        list.iter().filter(|row| is_secret(row.name)).for_each(|row| self.add_value(row.value));
    }

    fn add_value(&mut self, value: &str) {
        if !value.is_empty() && self.values.len() < REMEMBERED_MAX {
            self.values.push(value.to_owned());
            self.finder = None;
        }
    }

    /// A text without them.
    pub(crate) fn out_of(&mut self, text: &str) -> String {
        let (texts, values) = (&self.texts, &self.values);
        let finder = self.finder.get_or_insert_with(|| {
            let mut redactor = Redactor::blunt();
            for text in texts {
                redactor.json(text);
            }
            for value in values {
                redactor.mark(value);
            }
            redactor.scrubber()
        });
        finder.text(text)
    }
}
