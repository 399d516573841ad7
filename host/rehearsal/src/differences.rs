//! Where two runs decide differently.

use std::collections::BTreeMap;

use serde::Serialize;
use similar::{Algorithm, DiffOp, TextDiff, capture_diff_slices};
use trellis_plugin_host::{CallRecord, Rpc, Transcript, comparable, without_marks};

use crate::show::{show_exchange, show_fact, show_message, show_outcome};

/// What a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What the device is asked.
    Request,
    /// What is kept in the memory in the end.
    Memory,
    /// Which deadlines are set in the end.
    Deadline,
    /// Which facts are published in the end.
    Fact,
    /// What is written to the log.
    Log,
    /// How the run ends.
    Outcome,
}

/// Something that two runs do differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// What it is about.
    pub kind: Kind,
    /// Which of the runs' decisions of this kind, from 1.
    pub number: usize,
    /// What the old run did, if it did anything in its place.
    pub old: Option<String>,
    /// What the new run did, if it did anything in its place.
    pub new: Option<String>,
}

impl Kind {
    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Memory => "memory",
            Self::Deadline => "deadline",
            Self::Fact => "fact",
            Self::Log => "log",
            Self::Outcome => "outcome",
        }
    }
}

/// Where two runs differ in what they decide; what they read is none of it. Secrets are not
/// compared.
pub fn differences(old: &Transcript, new: &Transcript) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(Kind::Request, &requests(old), &requests(new), &mut found);
    compare(Kind::Memory, &last_memory(old), &last_memory(new), &mut found);
    compare(Kind::Deadline, &last_deadlines(old), &last_deadlines(new), &mut found);
    compare(Kind::Fact, &last_facts(old), &last_facts(new), &mut found);
    compare(Kind::Log, &log_lines(old), &log_lines(new), &mut found);
    compare(Kind::Outcome, &outcome(old), &outcome(new), &mut found);
    found
}

/// Something that was decided.
#[derive(Clone)]
struct Decision {
    /// What it is compared by.
    key: String,
    /// What people are shown of it.
    shown: String,
}

impl Decision {
    fn new(text: &str) -> Self {
        let key = without_marks(text);
        Self { shown: key.clone(), key }
    }
}

fn compare(kind: Kind, old: &[Decision], new: &[Decision], found: &mut Vec<Difference>) {
    let keys = |decisions: &[Decision]| -> Vec<String> {
        decisions.iter().map(|it| it.key.clone()).collect()
    };
    for op in capture_diff_slices(Algorithm::Myers, &keys(old), &keys(new)) {
        let (before, after) = (op.old_range(), op.new_range());
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        for place in 0..before.len().max(after.len()) {
            let before = old.get(before.clone()).and_then(|it| it.get(place));
            let after = new.get(after.clone()).and_then(|it| it.get(place));
            // Where what people are shown is the same, they are shown all of it.
            let is_same = before.zip(after).is_some_and(|(old, new)| old.shown == new.shown);
            let shown = |it: &Decision| if is_same { it.key.clone() } else { it.shown.clone() };
            found.push(Difference {
                kind,
                number: op.old_range().start.max(op.new_range().start) + place + 1,
                old: before.map(shown),
                new: after.map(shown),
            });
        }
    }
}

/// Two texts line by line: what only the old one has, and what only the new one has.
pub fn diff(old: &str, new: &str) -> String {
    let diff = TextDiff::from_lines(old, new);
    diff.unified_diff().context_radius(3).header("expected", "now").to_string()
}

fn requests(transcript: &Transcript) -> Vec<Decision> {
    let calls = transcript.calls.iter().filter_map(|call| match call {
        CallRecord::Rpc { .. } => match call.rpc() {
            Some(Ok(Rpc { request, .. })) => Some(Decision {
                key: comparable(&request),
                shown: without_marks(&show_message(&request).join("\n")),
            }),
            _ => Some(Decision::new("a request that cannot be read")),
        },
        CallRecord::Refused { method, why } => {
            Some(Decision::new(&format!("{method}, refused: {why}")))
        }
        CallRecord::Http(exchange) => Some(Decision::new(&show_exchange(exchange))),
        _ => None,
    });
    calls.collect()
}

fn last_memory(transcript: &Transcript) -> Vec<Decision> {
    last(transcript, |call| match call {
        CallRecord::Memory { key, value } => {
            let value = value.as_ref().map(|it| canonical(&String::from_utf8_lossy(it)));
            Some((key, value.unwrap_or_else(|| "deleted".to_owned())))
        }
        _ => None,
    })
}

/// JSON in one spelling: where secrets are masked in it, it is written anew.
fn canonical(text: &str) -> String {
    let value = serde_json::from_str::<serde_json::Value>(text);
    value.map_or_else(|_| text.to_owned(), |value| value.to_string())
}

fn last_deadlines(transcript: &Transcript) -> Vec<Decision> {
    last(transcript, |call| match call {
        CallRecord::Deadline { name, at } => {
            Some((name, at.map_or_else(|| "cleared".to_owned(), |at| at.to_string())))
        }
        _ => None,
    })
}

fn last_facts(transcript: &Transcript) -> Vec<Decision> {
    last(transcript, |call| match call {
        CallRecord::Fact { name, value } => {
            Some((name, value.as_ref().map_or_else(|| "withdrawn".to_owned(), show_fact)))
        }
        _ => None,
    })
}

/// What holds in the end of what was said of each name.
fn last<'a>(
    transcript: &'a Transcript,
    said: impl Fn(&'a CallRecord) -> Option<(&'a String, String)>,
) -> Vec<Decision> {
    let last: BTreeMap<&String, String> = transcript.calls.iter().filter_map(said).collect();
    last.into_iter().map(|(name, value)| Decision::new(&format!("{name} = {value}"))).collect()
}

fn log_lines(transcript: &Transcript) -> Vec<Decision> {
    let lines = transcript.calls.iter().filter_map(|call| match call {
        CallRecord::Log { level, line } => Some(Decision::new(&format!("{level}: {line}"))),
        _ => None,
    });
    lines.collect()
}

fn outcome(transcript: &Transcript) -> Vec<Decision> {
    vec![Decision::new(&show_outcome(&transcript.outcome))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(old: &[&str], new: &[&str]) -> Vec<(usize, Option<String>, Option<String>)> {
        let texts = |list: &[&str]| list.iter().map(|it| Decision::new(it)).collect::<Vec<_>>();
        let mut found = Vec::new();
        compare(Kind::Request, &texts(old), &texts(new), &mut found);
        found.into_iter().map(|it| (it.number, it.old, it.new)).collect()
    }

    #[test]
    fn one_more_decision_is_one_difference_and_not_all_that_follow() {
        assert_eq!(found(&["a", "b", "c"], &["a", "x", "b", "c"]), [(2, None, Some("x".into()))]);
        assert_eq!(found(&["a", "b"], &["a", "c"]), [(2, Some("b".into()), Some("c".into()))]);
        assert_eq!(found(&["a"], &["a"]), []);
    }

    #[test]
    fn secrets_are_not_compared() {
        assert_eq!(found(&["x = masked-0a0b0c0d y"], &["x = masked-ffffffff y"]), []);
    }
}
