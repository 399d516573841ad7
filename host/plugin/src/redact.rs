//! Secrets out of recordings.
//!
//! What is secret is known by its name: parameters, settings and arguments called `Password` and the
//! like, and the passwords of transfers. Each is replaced by a mark that is the same for the same
//! secret, so that a plugin which compares two of them still does the same. Then the secrets
//! themselves are looked for everywhere else, in a log or in a plugin's memory: see
//! [`Scrubber`].

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;
use trellis_cwmp::{
    Message, Operation, Parameter, ParameterList, Secret, is_secret, is_secret_setting,
};
use url::{Url, form_urlencoded};

use crate::exchange::{Content, Exchange};
use crate::ordered::Json;
use crate::scrub::Scrubber;
use crate::state::FactValue;

/// How a mark begins: letters that go anywhere where a password does.
pub(crate) const MARK: &str = "masked-";

/// The digits of a mark.
const MARK_DIGITS: usize = 8;

/// Replaces secrets that are known by their names, and remembers them.
pub struct Redactor {
    key: Option<[u8; 32]>,
    /// The secrets that were met, and their marks.
    met: BTreeMap<String, String>,
}

/// What stands for a secret that is not text, as long as that is: whoever reads it goes by its length.
pub(crate) fn filler() -> impl Iterator<Item = u8> {
    MARK.bytes().chain(std::iter::repeat(b'0'))
}

/// Whether a text is a mark.
fn is_mark(text: &str) -> bool {
    text.strip_prefix(MARK).is_some_and(|digits| {
        digits.len() == MARK_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// A text in which all marks look the same.
pub fn without_marks(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(MARK) {
        let end = at + MARK.len() + MARK_DIGITS;
        match rest.get(at..end) {
            Some(mark) if is_mark(mark) => {
                shown.push_str(rest.get(..at).unwrap_or_default());
                shown.push_str("(secret)");
                rest = rest.get(end..).unwrap_or_default();
            }
            _ => {
                let end = at + MARK.len();
                shown.push_str(rest.get(..end).unwrap_or_default());
                rest = rest.get(end..).unwrap_or_default();
            }
        }
    }
    shown + rest
}

impl Redactor {
    /// With a key of this installation, so that nobody can tell by its mark what a secret is.
    pub fn new(key: [u8; 32]) -> Self {
        Self { key: Some(key), met: BTreeMap::new() }
    }

    /// All secrets get the same mark.
    pub fn blunt() -> Self {
        Self { key: None, met: BTreeMap::new() }
    }

    /// What looks for the secrets that were met, in texts that do not name them.
    pub(crate) fn scrubber(&self) -> Scrubber {
        Scrubber::new(&self.met)
    }

    /// The secrets that were met.
    pub(crate) fn met(&self) -> impl Iterator<Item = &str> {
        self.met.keys().map(String::as_str)
    }

    /// The mark that stands for a secret.
    pub(crate) fn mark(&mut self, secret: &str) -> String {
        if secret.is_empty() || is_mark(secret) {
            return secret.to_owned();
        }
        if let Some(mark) = self.met.get(secret) {
            return mark.clone();
        }
        let digits = match &self.key {
            None => "0".repeat(MARK_DIGITS),
            Some(key) => {
                let mut mac = Hmac::<Sha256>::new(&padded(key).into());
                mac.update(secret.as_bytes());
                let bytes = mac.finalize().into_bytes();
                bytes.iter().take(MARK_DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
            }
        };
        let mark = format!("{MARK}{digits}");
        self.met.insert(secret.to_owned(), mark.clone());
        mark
    }

    /// Replaces the secrets of a JSON text.
    pub fn json(&mut self, text: &str) -> String {
        self.known_json("", text).unwrap_or_else(|| text.to_owned())
    }

    /// The same, for a text with a name of its own that may be no JSON.
    fn known_json(&mut self, name: &str, text: &str) -> Option<String> {
        let value = Json::read(text)?;
        let mut shown = value.clone();
        self.value(name, &mut shown);
        // A plugin may depend on how it is written.
        Some(if shown == value { text.to_owned() } else { shown.to_string() })
    }

    fn value(&mut self, name: &str, value: &mut Json) {
        match value {
            // Whatever is below a secret is one.
            Json::Object(fields) if is_secret_setting(name) => {
                fields.iter_mut().for_each(|(_, value)| self.value("secret", value));
            }
            Json::Object(fields) => {
                // A list of parameters often names them beside their values.
                let named = Json::texts_of(fields, "name").any(is_secret);
                for (field, value) in fields.iter_mut() {
                    let stands_for = if named && field == "value" { "secret" } else { field };
                    self.value(stands_for, value);
                }
            }
            Json::Array(items) => items.iter_mut().for_each(|item| self.value(name, item)),
            Json::Text(text) if is_secret_setting(name) => *text = self.mark(text),
            Json::Text(text) if text.contains("://") => *text = self.url(text),
            // It stays a number, for whoever reads it as one.
            Json::Number(number) if is_secret_setting(name) => {
                self.mark(&number.to_string());
                *number = 0.into();
            }
            _ => {}
        }
    }

    /// What a plugin keeps under a name, without its secrets: all of it where the name says so, else
    /// what is named in it.
    pub(crate) fn kept(&mut self, name: &str, bytes: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(bytes);
        if let Some(json) = text.ok().and_then(|text| self.known_json(name, text)) {
            return json.into_bytes();
        }
        match text {
            _ if !is_secret_setting(name) => bytes.to_owned(),
            Ok(text) => self.mark(text).into_bytes(),
            Err(_) => filler().take(bytes.len()).collect(),
        }
    }

    /// A fact without its secrets.
    pub(crate) fn fact(&mut self, name: &str, value: &FactValue) -> FactValue {
        match value {
            FactValue::Text(text) if is_secret_setting(name) => FactValue::Text(self.mark(text)),
            FactValue::Number(_) if is_secret_setting(name) => FactValue::Number(0.0),
            value => value.clone(),
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
            Message::Download(it) => self.file(&mut it.url, &mut it.password),
            Message::Upload(it) => self.file(&mut it.url, &mut it.password),
            Message::ScheduleDownload(it) => self.file(&mut it.url, &mut it.password),
            Message::ChangeDUState(it) => {
                for operation in &mut it.operations {
                    match operation {
                        Operation::Install(it) => {
                            it.url = self.url(&it.url);
                            it.password = it.password.take().map(|it| self.secret(&it));
                        }
                        Operation::Update(it) => {
                            it.url = it.url.take().map(|url| self.url(&url));
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

    /// A request over HTTP and its answer without their secrets.
    pub(crate) fn exchange(&mut self, exchange: &Exchange) -> Exchange {
        let Exchange { method, url, body, answer } = exchange;
        let answer = answer.clone().map(|mut answer| {
            let whole: Vec<u8> = answer.body.iter().flat_map(Content::as_bytes).copied().collect();
            let whole = Content::new(whole);
            let shown = self.content(&whole);
            if shown != whole {
                let length = shown.as_bytes().len().to_string();
                let declared = |name: &str| name.eq_ignore_ascii_case("content-length");
                answer
                    .headers
                    .iter_mut()
                    .filter(|(name, _)| declared(name))
                    .for_each(|(_, value)| value.clone_from(&length));
                answer.body = vec![shown];
            }
            for (name, value) in &mut answer.headers {
                if is_secret_setting(name) || name.contains("cookie") || name.contains("auth") {
                    *value = self.mark(value);
                } else if name.eq_ignore_ascii_case("location") {
                    *value = self.url(value);
                }
            }
            answer
        });
        Exchange { method: method.clone(), url: self.url(url), body: self.content(body), answer }
    }

    /// A URL, or what an answer says in place of one: the values of its query and of what follows a
    /// `#` are named.
    pub(crate) fn url(&mut self, text: &str) -> String {
        let Ok(mut url) = Url::parse(text) else {
            // Behind the mark, which belongs to the path.
            let (path, pairs) =
                text.split_at(text.find(['?', '#']).map_or(text.len(), |it| it + 1));
            return match self.named(pairs) {
                Some(shown) => format!("{path}{shown}"),
                None => text.to_owned(),
            };
        };
        let is_bare = url.username().is_empty() && url.password().is_none();
        let query = url.query().and_then(|it| self.named(it));
        let fragment = url.fragment().and_then(|it| self.named(it));
        if is_bare && query.is_none() && fragment.is_none() {
            return text.to_owned();
        }
        // That there is a login is no secret, and may be what the plugin looks at. Fails for URLs that
        // cannot have any, which have none.
        if let Some(password) = url.password() {
            let password = percent_decode_str(password).decode_utf8_lossy();
            let mark = self.mark(&password);
            let _ = url.set_password(Some(&mark));
        }
        if !url.username().is_empty() {
            let _ = url.set_username("user");
        }
        if query.is_some() {
            url.set_query(query.as_deref());
        }
        if fragment.is_some() {
            url.set_fragment(fragment.as_deref());
        }
        url.to_string()
    }

    /// Names and values as a URL or a form has them, without secrets. Nothing where there is none.
    fn named(&mut self, text: &str) -> Option<String> {
        let pairs = form_urlencoded::parse(text.as_bytes()).into_owned();
        let pairs: Vec<(String, String)> = pairs.collect();
        let is_secret = |name: &str| is_secret_setting(name) || is_signature(name);
        if !pairs.iter().any(|(name, _)| is_secret(name)) {
            return None;
        }
        let mut shown = form_urlencoded::Serializer::new(String::new());
        for (name, value) in pairs {
            let value = if is_secret(&name) { self.mark(&value) } else { value };
            shown.append_pair(&name, &value);
        }
        Some(shown.finish())
    }

    /// A body. Where its secrets cannot be told from the rest of it, all of it is one.
    fn content(&mut self, content: &Content) -> Content {
        let Content::Text(text) = content else { return content.clone() };
        if let Some(json) = self.known_json("", text) {
            return Content::Text(json);
        }
        let is_form = !text.contains(['<', '{', '\n', ' ']) && text.contains('=');
        if !is_secret_setting(text) {
            content.clone()
        } else if is_form {
            Content::Text(self.named(text).unwrap_or_else(|| text.clone()))
        } else {
            Content::Text(self.mark(text))
        }
    }

    /// Where a file is, and what one needs to get it.
    fn file(&mut self, url: &mut String, password: &mut Secret) {
        *url = self.url(url);
        *password = self.secret(password);
    }

    fn secret(&mut self, secret: &Secret) -> Secret {
        Secret::new(self.mark(secret.reveal()))
    }
}

/// Whether a value in a URL or a form is what lets whoever has it get the file.
fn is_signature(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "key" || name == "sig" || name.ends_with("signature")
}

/// One block of SHA-256, the natural length of a key for HMAC.
pub(crate) fn padded(key: &[u8; 32]) -> [u8; 64] {
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
        assert_eq!(redactor.scrubber().text("set tops3cret"), format!("set {mark}"));
        assert_ne!(Redactor::new([8; 32]).mark("tops3cret"), mark);
    }

    #[test]
    fn marks_look_the_same_once_they_are_not_to_be_compared_and_nothing_else_does() {
        assert_eq!(without_marks("x=masked-0a0b0c0d y"), "x=(secret) y");
        assert_eq!(without_marks("masked-ball masked-"), "masked-ball masked-");
        assert_eq!(without_marks("masked-ü0b0c0d0e"), "masked-ü0b0c0d0e");
    }

    #[test]
    fn what_names_no_secret_stays_as_it_is_written() {
        let mut redactor = Redactor::new([7; 32]);
        let text = "{ \"b\": 1.0,\n \"a\": 100000000000000000000 }";
        assert_eq!(redactor.json(text), text);
        assert_eq!(redactor.json(r#"{"pin":1234}"#), r#"{"pin":0}"#);
    }

    #[test]
    fn a_login_in_a_url_is_masked_and_still_one_and_fields_keep_their_order() {
        let mut redactor = Redactor::new([7; 32]);
        let shown = redactor.json(r#"{"url":"http://me:s3cr3t@a/f?token=abc","by":1,"a":2}"#);
        let (password, token) = (redactor.mark("s3cr3t"), redactor.mark("abc"));
        let url = format!("http://user:{password}@a/f?token={token}");
        assert_eq!(shown, format!(r#"{{"url":"{url}","by":1,"a":2}}"#));
        assert_eq!(redactor.url("ftp://anonymous@a/f"), "ftp://user@a/f");
    }

    #[test]
    fn what_a_plugin_keeps_or_publishes_under_a_secret_name_is_masked() {
        let mut redactor = Redactor::new([7; 32]);
        for (name, value) in [
            ("admin-password", &b"s3cr3t"[..]),
            ("admin-password", b"\"s3cr3t\""),
            ("state", b"{\"psk\":\"s3cr3t\"}"),
        ] {
            let shown = String::from_utf8_lossy(&redactor.kept(name, value)).into_owned();
            assert!(!shown.contains("s3cr3t") && shown.contains(MARK), "{name}: {shown}");
        }
        assert_eq!(redactor.kept("state", b"{ \"a\": 1 }"), b"{ \"a\": 1 }");
        assert_eq!(redactor.kept("psk", &[0xff, 1, 2]).len(), 3);
        let fact = redactor.fact("wifi.passphrase", &FactValue::Text("s3cr3t".to_owned()));
        assert_ne!(fact, FactValue::Text("s3cr3t".to_owned()));
    }

    #[test]
    fn an_exchange_over_http_is_kept_without_what_is_secret_in_it() {
        let mut redactor = Redactor::new([7; 32]);
        let answer = |body: &str| {
            Ok(crate::exchange::HttpAnswer {
                status: 200,
                headers: [("content-length", "9"), ("set-cookie", "session=c00kie")]
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .to_vec(),
                body: vec![Content::new(body.as_bytes().to_owned())],
                failure: None,
            })
        };
        for (url, body, told) in [
            ("https://a/x?token=s3cr3t&y=1", "", ""),
            ("https://user:s3cr3t@a/x", "", ""),
            ("https://a/x", r#"{"password":"s3cr3t"}"#, r#"{"a":[{"psk":"s3cr3t"}]}"#),
            ("https://a/x", "user=me&password=s3cr3t", "<a><password>s3cr3t</password></a>"),
        ] {
            let exchange = Exchange {
                method: "POST".to_owned(),
                url: url.to_owned(),
                body: Content::new(body.as_bytes().to_owned()),
                answer: answer(told),
            };
            let shown = format!("{:?}", redactor.exchange(&exchange));
            assert!(!shown.contains("s3cr3t") && !shown.contains("c00kie"), "{shown}");
            assert!(shown.contains("a/x"), "{shown}");
        }
    }
}
