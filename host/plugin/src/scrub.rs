//! Secrets that are known, found where nothing names them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use trellis_cwmp::escaped;
use url::form_urlencoded;

use crate::exchange::{Content, Exchange, HttpAnswer};
use crate::fault::limit_reached;
use crate::ordered::Json;
use crate::redact::filler;

/// A secret shorter than this is not looked for: it would be found everywhere.
const BYTES_MIN: usize = 4;

/// A secret shorter than this is found where it stands alone, and not within a word or a number.
const ALONE_BELOW: usize = 8;

/// How much of secrets can be looked for, in bytes: of the secrets themselves, and of all that they are
/// written as, with what each takes beside its text.
pub(crate) const BYTES_MAX: usize = 64 << 10;
const FORMS_BYTES_MAX: usize = 256 << 10;
const EACH_BYTES: usize = 16;

/// What is shown where there are more.
pub(crate) const LEFT_OUT: &str = "(left out: this run knows more secrets than can be looked for)";

/// Words that stand for something else almost everywhere, and the passwords that many makers give.
const WORDS: [&str; 18] = [
    "true", "false", "null", "none", "masked", "secret", "admin", "root", "user", "guest",
    "default", "support", "password", "0000", "1234", "12345", "123456", "12345678",
];

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
    /// Those that are found anywhere.
    anywhere: Option<Finder>,
    /// Those that are found where they stand alone.
    alone: Option<Finder>,
    is_overfull: bool,
}

/// Finds secrets as they are, as they are written in JSON and in URLs, and all that as it is written
/// in XML.
struct Finder {
    plain: AhoCorasick,
    xml: AhoCorasick,
    marks: Vec<String>,
}

impl Finder {
    /// Of forms of secrets, and what is shown in place of each.
    fn new(forms: Vec<(String, String)>) -> Option<Self> {
        let finder = |patterns: Vec<String>| {
            // One secret may hold another. Of the kinds, this one takes little room.
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(patterns)
                .ok()
        };
        if forms.is_empty() {
            return None;
        }
        let (forms, marks): (Vec<String>, Vec<String>) = forms.into_iter().unzip();
        let xml = finder(forms.iter().map(|it| escaped(it)).collect())?;
        Some(Self { plain: finder(forms)?, xml, marks })
    }
}

/// How a text is written: as it is, within a string of JSON, with and without letters beyond ASCII,
/// and in the query of a URL.
fn forms(secret: &str) -> BTreeSet<String> {
    let json = serde_json::to_string(secret).unwrap_or_default();
    let json = json.strip_prefix('"').and_then(|it| it.strip_suffix('"')).unwrap_or_default();
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            let mut units = [0; 2];
            for unit in letter.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    let query: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let path = query.replace('+', "%20");
    [secret.to_owned(), json.to_owned(), ascii, query, path].into()
}

/// Whether neither a letter nor a digit is beside a part of a text.
fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    let is_word =
        |byte: Option<&u8>| byte.is_some_and(|it| it.is_ascii_alphanumeric() || *it >= 0x80);
    let before = range.start.checked_sub(1).and_then(|it| text.get(it));
    !is_word(before) && !is_word(text.get(range.end))
}

impl Scrubber {
    pub(crate) fn new(met: &BTreeMap<String, String>) -> Self {
        let looked_for = |secret: &str| {
            secret.len() >= BYTES_MIN && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(secret))
        };
        let (mut anywhere, mut alone, mut bytes) = (Vec::new(), Vec::new(), 0);
        for (secret, mark) in met.iter().filter(|(secret, _)| looked_for(secret)) {
            let kind = if secret.len() < ALONE_BELOW { &mut alone } else { &mut anywhere };
            for form in forms(secret) {
                bytes += form.len() + EACH_BYTES;
                kind.push((form, mark.clone()));
            }
            // The device chooses how many there are: no more of them are made than can be looked for.
            if bytes > FORMS_BYTES_MAX {
                limit_reached("plugin_secrets");
                return Self { anywhere: None, alone: None, is_overfull: true };
            }
        }
        let (anywhere, alone) = (Finder::new(anywhere), Finder::new(alone));
        Self { anywhere, alone, is_overfull: false }
    }

    /// Whether there are more than can be looked for: then no text is shown.
    pub(crate) fn is_overfull(&self) -> bool {
        self.is_overfull
    }

    /// A text without them.
    pub(crate) fn text(&self, text: &str) -> String {
        if self.is_overfull {
            return LEFT_OUT.to_owned();
        }
        self.without(text, |finder| &finder.plain, self.alone.as_ref())
    }

    /// A text, as it is or as it is written in XML, without those that are found anywhere and those
    /// that stand alone.
    fn without(
        &self,
        text: &str,
        written: fn(&Finder) -> &AhoCorasick,
        alone: Option<&Finder>,
    ) -> String {
        let mut shown = match &self.anywhere {
            Some(it) => written(it).replace_all(text, &it.marks),
            None => text.to_owned(),
        };
        if let Some(it) = alone {
            let whole = std::mem::take(&mut shown);
            written(it).replace_all_with(&whole, &mut shown, |found, secret, shown| {
                let mark = it.marks.get(found.pattern().as_usize());
                let is_meant = stands_alone(whole.as_bytes(), &found.range());
                shown.push_str(mark.filter(|_| is_meant).map_or(secret, String::as_str));
                true
            });
        }
        shown
    }

    /// Bytes without them. What is not text keeps its length: a plugin reads it by that.
    pub(crate) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        let mut bytes = match String::from_utf8(bytes) {
            Ok(text) => return self.text(&text).into_bytes(),
            Err(error) => error.into_bytes(),
        };
        let anywhere = self.anywhere.iter().flat_map(|it| it.plain.find_iter(&bytes));
        let alone = self.alone.iter().flat_map(|it| it.plain.find_iter(&bytes));
        let alone = alone.filter(|it| stands_alone(&bytes, &it.range()));
        let found: Vec<_> = anywhere.chain(alone).map(|it| it.range()).collect();
        for range in found {
            if let Some(secret) = bytes.get_mut(range) {
                secret.iter_mut().zip(filler()).for_each(|(byte, with)| *byte = with);
            }
        }
        bytes
    }

    /// JSON without them; its names stay, and so does what is no JSON.
    pub(crate) fn json(&self, text: String) -> String {
        if self.anywhere.is_none() && self.alone.is_none() {
            return text;
        }
        let Some(value) = Json::read(&text) else { return self.text(&text) };
        let mut shown = value.clone();
        self.value(&mut shown);
        if shown == value { text } else { shown.to_string() }
    }

    fn value(&self, value: &mut Json) {
        match value {
            Json::Text(text) => *text = self.text(text),
            Json::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Json::Object(fields) => fields.iter_mut().for_each(|(_, value)| self.value(value)),
            _ => {}
        }
    }

    /// An envelope of our own writing without them: the markup stays, and so do names, and numbers and
    /// times that whoever reads it must find to be such.
    pub(crate) fn envelope(&self, xml: String) -> String {
        let holds =
            |finder: &Option<Finder>| finder.as_ref().is_some_and(|it| it.xml.is_match(&xml));
        if !holds(&self.anywhere) && !holds(&self.alone) {
            return xml;
        }
        let mut shown = String::with_capacity(xml.len());
        let (mut element, mut opening) = ("", "");
        for part in xml.split_inclusive('>') {
            let (text, tag) = part.split_at(part.find('<').unwrap_or(part.len()));
            let is_text = element == "Value" && opening.contains("xsd:string");
            if NAMES.contains(&element) || (is_number(text) && !is_text) {
                shown.push_str(text);
            } else {
                shown.push_str(&self.without(text, |finder| &finder.xml, self.alone.as_ref()));
            }
            shown.push_str(tag);
            opening = tag;
            element = tag.trim_start_matches('<').split(['>', ' ', '/']).next().unwrap_or_default();
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

/// Whether a text is a number or a time.
fn is_number(text: &str) -> bool {
    let may_be = |byte: u8| byte.is_ascii_digit() || b"+-.:TZ".contains(&byte);
    !text.is_empty() && text.bytes().all(may_be)
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
    fn a_secret_is_found_as_it_is_written_within_texts() {
        let secret = "Schlüssel \"1\" & 2";
        let scrubber = scrubber(&[secret]);
        let json = serde_json::json!({ "harmless": secret }).to_string();
        for (text, shown) in [
            (format!("log {json}"), "log {\"harmless\":\"masked-00000001\"}"),
            (r#"{"a":"Schl\u00fcssel \"1\" & 2"}"#.to_owned(), r#"{"a":"masked-00000001"}"#),
            ("/?x=Schl%C3%BCssel+%221%22+%26+2&y".to_owned(), "/?x=masked-00000001&y"),
            ("/Schl%C3%BCssel%20%221%22%20%26%202/".to_owned(), "/masked-00000001/"),
        ] {
            assert_eq!(scrubber.text(&text), shown);
        }
    }

    #[test]
    fn a_secret_that_is_a_common_word_harms_neither_markup_nor_names_nor_numbers() {
        let scrubber = scrubber(&["Value", "Device", "4321", "true"]);
        let xml = "<Value><Name>Device.X</Name><Value>Device</Value><A>true</A></Value>";
        let shown = xml.replace("<Value>Device<", "<Value>masked-00000001<");
        assert_eq!(scrubber.envelope(xml.to_owned()), shown);
        let json = r#"{"Device":4321,"x":true}"#;
        assert_eq!(scrubber.json(json.to_owned()), json);
    }

    #[test]
    fn a_short_secret_is_found_where_it_stands_alone_and_not_in_a_number() {
        let scrubber = scrubber(&["4711", "tops3cret-passphrase"]);
        assert_eq!(scrubber.text("pin=4711, x14711 47110"), "pin=masked-00000001, x14711 47110");
        let xml = "<FaultCode>4711</FaultCode><Value xsi:type=\"xsd:unsignedInt\">4711</Value>\
                   <Value xsi:type=\"xsd:string\">4711</Value>";
        let shown = xml.replace("xsd:string\">4711", "xsd:string\">masked-00000001");
        assert_eq!(scrubber.envelope(xml.to_owned()), shown);
        let zeros = "<Value xsi:type=\"xsd:unsignedInt\">100000000</Value>";
        let long = self::scrubber(&["00000000"]);
        assert_eq!(long.envelope(zeros.to_owned()), zeros, "a number stays one");
    }

    #[test]
    fn where_there_are_more_than_can_be_looked_for_nothing_is_shown() {
        let scrubber = scrubber(&[&"x".repeat(FORMS_BYTES_MAX)]);
        assert!(scrubber.is_overfull());
        assert_eq!(scrubber.text("harmless"), LEFT_OUT);
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
