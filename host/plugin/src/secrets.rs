//! The secrets that one run may know, kept out of what it logs.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use aho_corasick::AhoCorasick;
use trellis_cwmp::{Message, Operation, ParameterList, Secret, is_secret, is_secret_setting};

use crate::fault::limit_reached;
use crate::redact::Redactor;
use crate::scrub::{BYTES_MAX, LEFT_OUT, Scrubber};
use crate::state::Context;

/// Secrets by name: of the settings, the arguments, and the device.
pub(crate) struct Secrets {
    /// JSON texts that may name some: read once something is logged.
    texts: Vec<Arc<str>>,
    values: HashSet<String>,
    /// How many bytes of them were met. With more than can be looked for, none is kept.
    bytes: usize,
    /// How often was looked for them.
    looks: u32,
    /// How much was heard over HTTP when that was done last.
    heard: usize,
    /// What finds those that were there when something was last logged.
    finder: Option<Scrubber>,
}

/// What is shown where more was heard over HTTP than can be looked through for secrets.
const UNHEARD: &str = "(left out: this run has heard more over HTTP than is looked through for secrets; \
                       [plugins.http] heard-bytes-max)";

/// How often one run looks through what may name secrets.
const LOOKS_MAX: u32 = 100;

/// Finds words of which one is in every name of a secret.
static WORDS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = ["pass", "key", "secret", "psk", "pin", "credential", "token", "community", "sig"];
    AhoCorasick::builder().ascii_case_insensitive(true).build(words).ok()
});

/// Whether something that is kept may be, or hold, a secret that is named.
fn may_name_secrets(key: &str, value: &[u8]) -> bool {
    let holds_word = || WORDS.as_ref().is_none_or(|words| words.is_match(value));
    !value.is_empty() && (is_secret_setting(key) || holds_word())
}

impl Secrets {
    /// What a run begins with.
    pub(crate) fn new(context: &Context) -> Self {
        let mut secrets = Self {
            texts: vec![Arc::clone(&context.settings.effective)],
            values: HashSet::new(),
            bytes: 0,
            looks: 0,
            heard: 0,
            finder: None,
        };
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
            Message::Download(it) => self.add_file(&it.url, &it.password),
            Message::Upload(it) => self.add_file(&it.url, &it.password),
            Message::ScheduleDownload(it) => self.add_file(&it.url, &it.password),
            Message::ChangeDUState(it) => {
                let passwords = it.operations.iter().filter_map(Operation::password);
                passwords.for_each(|password| self.add_value(password.reveal()));
            }
            _ => {}
        }
    }

    /// Adds a fact, where its name says that it is one.
    pub(crate) fn add_fact(&mut self, name: &str, text: &str) {
        if is_secret_setting(name) {
            self.add_value(text);
        }
    }

    /// Takes note that the plugin keeps something else under a name: what it kept there is
    /// remembered, as far as it named secrets, and what it keeps now is looked at when something is logged.
    pub(crate) fn replaced(&mut self, key: &str, old: &[u8], new: &[u8]) {
        if may_name_secrets(key, new) {
            self.finder = None;
        }
        if may_name_secrets(key, old) && self.may_look() {
            self.add_named(|redactor| drop(redactor.kept(key, old)));
        }
    }

    /// Takes note that so much was heard over HTTP by now.
    pub(crate) fn heard(&mut self, bytes: usize) {
        if std::mem::replace(&mut self.heard, bytes) != bytes {
            self.finder = None;
        }
    }

    /// Whether there is room for another look: they take time that is no plugin's.
    fn may_look(&mut self) -> bool {
        if self.looks >= LOOKS_MAX {
            if !self.is_overfull() {
                limit_reached("plugin_secrets");
            }
            self.bytes = usize::MAX;
            self.values = HashSet::new();
            return false;
        }
        self.looks += 1;
        !self.is_overfull()
    }

    fn add_list(&mut self, list: &ParameterList) {
        list.iter().filter(|row| is_secret(row.name)).for_each(|row| self.add_value(row.value));
    }

    fn add_file(&mut self, url: &str, password: &Secret) {
        self.add_named(|redactor| drop(redactor.url(url)));
        self.add_value(password.reveal());
    }

    /// Adds what a look at something finds named.
    fn add_named(&mut self, look: impl FnOnce(&mut Redactor)) {
        let mut redactor = Redactor::blunt();
        look(&mut redactor);
        redactor.met().for_each(|secret| self.add_value(secret));
    }

    fn add_value(&mut self, value: &str) {
        if value.is_empty() || self.is_overfull() || self.values.contains(value) {
            return;
        }
        self.finder = None;
        self.bytes = self.bytes.saturating_add(value.len());
        if self.is_overfull() {
            // The device chooses how many there are: they are not kept where they do not help.
            limit_reached("plugin_secrets");
            self.values = HashSet::new();
        } else {
            self.values.insert(value.to_owned());
        }
    }

    fn is_overfull(&self) -> bool {
        self.bytes > BYTES_MAX
    }

    /// A text without them, and without those of what the plugin keeps and has heard; or what is shown in
    /// its place. `look_at_heard` says whether all of that could be looked at.
    pub(crate) fn out_of(
        &mut self,
        text: &str,
        memory: &BTreeMap<String, Vec<u8>>,
        look_at_heard: impl FnOnce(&mut Redactor) -> bool,
    ) -> Result<String, &'static str> {
        if self.is_overfull() {
            return Err(LEFT_OUT);
        }
        if let Some(finder) = &self.finder {
            return found(finder, text);
        }
        if !self.may_look() {
            return Err(LEFT_OUT);
        }
        let mut redactor = Redactor::blunt();
        if !look_at_heard(&mut redactor) {
            limit_reached("plugin_secrets");
            return Err(UNHEARD);
        }
        for text in &self.texts {
            redactor.json(text);
        }
        for value in &self.values {
            redactor.mark(value);
        }
        for (key, value) in memory {
            redactor.kept(key, value);
        }
        found(self.finder.insert(redactor.scrubber()), text)
    }
}

fn found(finder: &Scrubber, text: &str) -> Result<String, &'static str> {
    if finder.is_overfull() { Err(LEFT_OUT) } else { Ok(finder.text(text)) }
}
