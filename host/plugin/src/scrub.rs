//! Secrets that are known, found where nothing names them.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, MatchKind};
use serde_json::Value;
use trellis_cwmp::escaped;

use crate::exchange::{Content, Exchange, HttpAnswer};
use crate::redact::MARK;

/// A secret shorter than this is not looked for: it would be found everywhere.
const BYTES_MIN: usize = 4;

/// Words that stand for something else almost everywhere.
const WORDS: [&str; 4] = ["true", "false", "null", "none"];

/// Elements of an envelope whose text is never a secret: names, and who the device is, which many
/// makers have their default passwords be.
const NAMES: [&str; 8] = [
    "Name",
    "string",
    "ParameterPath",
    "ObjectName",
    "Manufacturer",
    "OUI",
    "ProductClass",
    "SerialNumber",
];

/// Replaces the secrets that were met.
pub(crate) struct Scrubber {
    /// Finds them as they are, and as they are written in XML.
    finders: Option<(AhoCorasick, AhoCorasick)>,
    marks: Vec<String>,
}

impl Scrubber {
    pub(crate) fn new(met: &BTreeMap<String, String>) -> Self {
        let looked_for = |secret: &str| {
            secret.len() >= BYTES_MIN && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(secret))
        };
        let met: Vec<_> = met.iter().filter(|(secret, _)| looked_for(secret)).collect();
        let finder = |patterns: Vec<String>| {
            // One secret may hold another.
            AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(patterns).ok()
        };
        let plain = || met.iter().map(|(secret, _)| (*secret).clone()).collect();
        let in_xml = || met.iter().map(|(secret, _)| escaped(secret)).collect();
        let finders = if met.is_empty() { None } else { finder(plain()).zip(finder(in_xml())) };
        Self { finders, marks: met.into_iter().map(|(_, mark)| mark.clone()).collect() }
    }

    /// A text without them.
    pub(crate) fn text(&self, text: &str) -> String {
        match &self.finders {
            Some((finder, _)) => finder.replace_all(text, &self.marks),
            None => text.to_owned(),
        }
    }

    /// Bytes without them. What is not text keeps its length: a plugin reads it by that.
    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Some((finder, _)) = &self.finders else { return bytes };
        let mut bytes = match String::from_utf8(bytes) {
            Ok(text) => return finder.replace_all(&text, &self.marks).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let found: Vec<_> = finder.find_iter(&bytes).map(|it| it.range()).collect();
        for range in found {
            let filler = MARK.bytes().chain(std::iter::repeat(b'0'));
            if let Some(secret) = bytes.get_mut(range) {
                secret.iter_mut().zip(filler).for_each(|(byte, with)| *byte = with);
            }
        }
        bytes
    }

    /// JSON without them; its names stay, and so does what is no JSON.
    pub(crate) fn json(&self, text: String) -> String {
        if self.finders.is_none() {
            return text;
        }
        let Ok(value) = serde_json::from_str::<Value>(&text) else { return self.text(&text) };
        let mut shown = value.clone();
        self.value(&mut shown);
        if shown == value { text } else { shown.to_string() }
    }

    fn value(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.values_mut().for_each(|value| self.value(value)),
            _ => {}
        }
    }

    /// An envelope of our own writing without them: the markup stays, and so do names.
    pub(crate) fn envelope(&self, xml: String) -> String {
        let Some((_, finder)) = &self.finders else { return xml };
        if !finder.is_match(&xml) {
            return xml;
        }
        let mut shown = String::with_capacity(xml.len());
        let mut is_name = false;
        for part in xml.split_inclusive('>') {
            let (text, tag) = part.split_at(part.find('<').unwrap_or(part.len()));
            if is_name {
                shown.push_str(text);
            } else {
                shown.push_str(&finder.replace_all(text, &self.marks));
            }
            shown.push_str(tag);
            let element = tag.trim_start_matches('<').split(['>', ' ', '/']).next();
            is_name = element.is_some_and(|element| NAMES.contains(&element));
        }
        shown
    }

    /// A request over HTTP and its answer without them.
    pub(crate) fn exchange(&self, exchange: Exchange) -> Exchange {
        let content = |content: Content| match content {
            Content::Text(text) => Content::Text(self.json(text)),
            Content::Bytes(bytes) => Content::Bytes(self.bytes(bytes)),
        };
        let answer = exchange.answer.map(|answer| HttpAnswer {
            headers: answer.headers.into_iter().map(|(name, it)| (name, self.text(&it))).collect(),
            body: answer.body.into_iter().map(content).collect(),
            ..answer
        });
        let (url, body) = (self.text(&exchange.url), content(exchange.body));
        Exchange { url, body, answer, ..exchange }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber(secrets: &[&str]) -> Scrubber {
        let met = secrets.iter().map(|it| ((*it).to_owned(), "masked-00000001".to_owned()));
        Scrubber::new(&met.collect())
    }

    #[test]
    fn a_secret_is_found_as_it_is_written_in_xml_and_json() {
        let secret = "p&ss<'\"\\1";
        let scrubber = scrubber(&[secret]);
        let xml = format!("<A><Value>{}</Value></A>", escaped(secret));
        assert_eq!(scrubber.envelope(xml), "<A><Value>masked-00000001</Value></A>");
        let json = serde_json::json!({ "a": [secret], "b": 1 }).to_string();
        assert_eq!(scrubber.json(json), r#"{"a":["masked-00000001"],"b":1}"#);
    }

    #[test]
    fn a_secret_that_is_a_common_word_harms_neither_markup_nor_names_nor_numbers() {
        let scrubber = scrubber(&["Value", "Device", "1234", "true"]);
        let xml = "<Value><Name>Device.X</Name><Value>Device</Value><A>true</A></Value>";
        let shown = xml.replace("<Value>Device<", "<Value>masked-00000001<");
        assert_eq!(scrubber.envelope(xml.to_owned()), shown);
        let json = r#"{"Device":1234,"x":true}"#;
        assert_eq!(scrubber.json(json.to_owned()), json);
    }

    #[test]
    fn what_is_not_text_keeps_its_length() {
        let scrubber = scrubber(&["tops3cret-passphrase"]);
        let kept = [&[0xff, 20][..], b"tops3cret-passphrase", &[0xfe]].concat();
        let shown = scrubber.bytes(kept.clone());
        assert_eq!(shown.len(), kept.len());
        assert!(!shown.windows(9).any(|part| part == b"tops3cret"), "{shown:?}");
    }
}
