//! What a plugin did on the bench, as text: for people, and for a file to compare it with.

use std::path::Path;

use super::Bench;
use crate::Fact;
use crate::bindings::trellis::acs::types::{Error, ParameterValue};

/// Set to 1, it has [`Bench::expect`] write the file instead of comparing it.
const UPDATE: &str = "TRELLIS_UPDATE";

impl Bench {
    /// What the plugin did so far, in all sessions: its hooks, its requests in order, what it left
    /// behind, and how each hook ended.
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// Compares the [transcript](Self::transcript) with a file, whose path is from the package's folder.
    /// The error is the first line that differs. `TRELLIS_UPDATE=1 cargo test` writes the file.
    pub fn expect(&self, file: impl AsRef<Path>) -> Result<(), String> {
        let file = file.as_ref();
        let name = file.display();
        if std::env::var(UPDATE).is_ok_and(|it| it == "1") {
            return std::fs::write(file, &self.transcript)
                .map_err(|error| format!("cannot write {name}: {error}"));
        }
        self.compare(file)
    }

    pub(super) fn compare(&self, file: &Path) -> Result<(), String> {
        let name = file.display();
        let expected = std::fs::read_to_string(file).map_err(|error| {
            format!("cannot read {name}: {error}; `{UPDATE}=1 cargo test` writes it")
        })?;
        let (mut wanted, mut found) = (expected.lines(), self.transcript.lines());
        for number in 1_u32.. {
            let (wanted, found) = (wanted.next(), found.next());
            if wanted != found {
                let shown = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
                return Err(format!(
                    "{name}:{number} has\n  {}\nand now it is\n  {}\nIf it should be, \
                     `{UPDATE}=1 cargo test` writes the file.",
                    shown(wanted),
                    shown(found)
                ));
            }
            if wanted.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// What begins here, set off from what was before.
    pub(super) fn note_begin(&mut self, what: &str) {
        if !self.transcript.is_empty() {
            self.transcript.push('\n');
        }
        self.note(what);
    }

    pub(super) fn note_end(&mut self, result: &Result<(), String>) {
        match result {
            Ok(()) => self.note("  = ok"),
            Err(why) => self.note(&format!("  = failed: {why}")),
        }
    }

    pub(super) fn note(&mut self, line: &str) {
        self.transcript.push_str(line);
        self.transcript.push('\n');
    }

    /// What a request sets.
    pub(super) fn note_values(&mut self, values: &[ParameterValue]) {
        for ParameterValue { name, value, value_type } in values {
            self.note(&format!("      {name} = {value:?} ({value_type})"));
        }
    }

    pub(super) fn note_memory(&mut self, key: &str, value: Option<&[u8]>) {
        self.note(&match value {
            Some(value) => match std::str::from_utf8(value) {
                Ok(text) => format!("  remember {key} = {}", one_line(text)),
                Err(_) => format!("  remember {key} = {value:?}"),
            },
            None => format!("  forget {key}"),
        });
    }

    pub(super) fn note_log(&mut self, level: &str, message: &str) {
        self.note(&format!("  log {level}: {}", one_line(message)));
    }

    /// Answers a request, and notes how where it was not done.
    pub(super) fn answer<T>(
        &mut self,
        request: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let answer = request(self);
        self.noted(answer)
    }

    /// How the device, or the server for it, has answered where it did not do what was asked.
    pub(super) fn noted<T>(&mut self, answer: Result<T, Error>) -> Result<T, Error> {
        let is_noted = self.transcript.lines().next_back().is_some_and(|it| it.starts_with("  < "));
        match &answer {
            Ok(_) => {}
            Err(_) if is_noted => {}
            Err(Error::Fault(fault)) => {
                self.note(&format!("  < fault {}", fault.code));
                for it in &fault.parameters {
                    self.note(&format!("      {} {}", it.name, it.code));
                }
            }
            Err(Error::Refused(why)) => self.note(&format!("  < refused: {why}")),
            Err(Error::Lost(why)) => self.note(&format!("  < lost: {why}")),
        }
        answer
    }

    pub(super) fn note_fact(&mut self, name: &str, value: Option<&Fact>) {
        self.note(&match value {
            Some(Fact::Text(text)) => format!("  fact {name} = {text:?}"),
            Some(Fact::Number(number)) => format!("  fact {name} = {number}"),
            Some(Fact::Flag(flag)) => format!("  fact {name} = {flag}"),
            None => format!("  withdraw {name}"),
        });
    }
}

/// A text as one line, as the server writes it.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
