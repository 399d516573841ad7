//! The `Authorization` header (RFC 7616, RFC 7617, and RFC 2069, which old devices follow).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use trellis_session::{Credential, Holder};

/// What a device sends to prove who it is.
pub(crate) enum Authorization {
    Basic(Basic),
    Digest(Digest),
}

/// A user name and a password in clear.
pub(crate) struct Basic {
    username: String,
    password: String,
}

/// An answer to a challenge.
#[derive(Default)]
pub(crate) struct Digest {
    pub(crate) realm: String,
    pub(crate) nonce: String,
    /// Which answer to this challenge it is; 1 for devices that do not count.
    pub(crate) count: u32,
    username: String,
    uri: String,
    response: String,
    algorithm: Algorithm,
    /// The text of the count, and the device's own challenge; `None` in the manner of RFC 2069.
    qop: Option<(String, String)>,
    cnonce: String,
}

/// A hash function, and whether the session's challenge goes into the first hash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Algorithm {
    #[default]
    Md5,
    Md5Sess,
    Sha256,
    Sha256Sess,
}

impl Authorization {
    /// Reads the header; `None` when it is of no use.
    pub(crate) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once([' ', '\t'])?;
        if scheme.eq_ignore_ascii_case("basic") {
            let text = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
            let (username, password) = text.split_once(':')?;
            let (username, password) = (username.to_owned(), password.to_owned());
            return Some(Self::Basic(Basic { username, password }));
        }
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut digest = Digest { count: 1, ..Digest::default() };
        let mut count = None;
        let mut has_qop = false;
        for (name, value) in parameters(rest) {
            let text = || value.clone();
            match name.to_ascii_lowercase().as_str() {
                "realm" => digest.realm = text(),
                "nonce" => digest.nonce = text(),
                "username" => digest.username = text(),
                "uri" => digest.uri = text(),
                "response" => digest.response = text(),
                "algorithm" => digest.algorithm = Algorithm::parse(&text())?,
                "cnonce" => digest.cnonce = text(),
                "nc" => count = Some(text()),
                "qop" if text().eq_ignore_ascii_case("auth") => has_qop = true,
                // What nobody offered.
                "qop" => return None,
                _ => {}
            }
        }
        if has_qop {
            let text = count.filter(|it| it.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
            digest.count = u32::from_str_radix(&text, 16).ok()?;
            digest.qop = Some((text, digest.cnonce.clone()));
        }
        Some(Self::Digest(digest))
    }

    pub(crate) fn username(&self) -> &str {
        match self {
            Self::Basic(basic) => &basic.username,
            Self::Digest(digest) => &digest.username,
        }
    }
}

/// The parameters of a header: names and values with or without quotes. Laxer than RFC 7616, as
/// some devices leave out the quotes that it wants.
fn parameters(text: &str) -> Vec<(&str, String)> {
    let mut parameters = Vec::new();
    let mut rest = text;
    while let Some((name, value)) = rest.split_once('=') {
        let name = name.trim_matches(|c: char| c == ',' || c.is_whitespace());
        let value = value.trim_start();
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (value, after) = value.split_once(',').unwrap_or((value, ""));
                (value.trim().to_owned(), after)
            }
        };
        parameters.push((name, value));
        rest = after;
    }
    parameters
}

/// A quoted text whose first quote has been read, and what comes after it.
fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, text.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

impl Basic {
    pub(crate) fn proves(&self, realm: &str, credential: &Credential) -> bool {
        let own = Credential::new(&self.username, realm, &self.password, Holder::Onboarding);
        own.ha1_sha256.ct_eq(&credential.ha1_sha256).into()
    }
}

impl Digest {
    /// Whether the response is the one of this credential (RFC 7616 3.4.1).
    pub(crate) fn proves(&self, method: &str, credential: &Credential) -> bool {
        let hash = |text: String| self.algorithm.hash(&text);
        let mut first = match self.algorithm {
            Algorithm::Md5 | Algorithm::Md5Sess => hex(&credential.ha1_md5),
            Algorithm::Sha256 | Algorithm::Sha256Sess => hex(&credential.ha1_sha256),
        };
        if matches!(self.algorithm, Algorithm::Md5Sess | Algorithm::Sha256Sess) {
            first = hash(format!("{first}:{}:{}", self.nonce, self.cnonce));
        }
        let second = hash(format!("{method}:{}", self.uri));
        let nonce = &self.nonce;
        let wanted = match &self.qop {
            Some((count, cnonce)) => {
                hash(format!("{first}:{nonce}:{count}:{cnonce}:auth:{second}"))
            }
            None => hash(format!("{first}:{nonce}:{second}")),
        };
        let response = self.response.to_ascii_lowercase();
        wanted.as_bytes().ct_eq(response.as_bytes()).into()
    }
}

impl Algorithm {
    fn parse(text: &str) -> Option<Self> {
        let all = [Self::Md5, Self::Md5Sess, Self::Sha256, Self::Sha256Sess];
        all.into_iter().find(|it| it.as_str().eq_ignore_ascii_case(text.trim()))
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
        }
    }

    fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(text)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(text)),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proves(algorithm: &str, qop: &str, response: &str) -> bool {
        let header = format!(
            "Digest username=\"crUser\", realm=\"cpe\", uri=\"/a1b2c3\", \
             nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", {algorithm}{qop}\
             response=\"{response}\""
        );
        let Some(Authorization::Digest(digest)) = Authorization::parse(&header) else {
            return false;
        };
        let credential = Credential::new("crUser", "cpe", "crPass", Holder::Onboarding);
        digest.proves("GET", &credential)
    }

    // Of TR-069 requirements, computed with another implementation.
    #[test]
    fn every_variant_of_digest_is_recognised() {
        let qop = "qop=auth, nc=00000001, cnonce=\"0a4f113b\", ";
        let quoted = "qop=\"auth\", nc=\"00000001\", cnonce=\"0a4f113b\", ";
        for (algorithm, qop, response) in [
            ("", qop, "6ab22d0255a3112b97f0fa10ffe23e08"),
            ("algorithm=MD5, ", quoted, "6ab22d0255a3112b97f0fa10ffe23e08"),
            ("opaque=, algorithm=\"md5\", ", qop, "6AB22D0255A3112B97F0FA10FFE23E08"),
            ("algorithm=MD5-sess, ", qop, "f28c6d4cc5700e284af6b3244e55d01f"),
            ("", "", "957f4ff197859eb4c24bba60cdd2ba0d"),
            (
                "algorithm=SHA-256, ",
                qop,
                "94582debe7e9adfdd5cb733baa3dbc84c89a8aa0ee4c90dfdfcc5f8f8d089f41",
            ),
        ] {
            assert!(proves(algorithm, qop, response), "{algorithm}{qop}");
            assert!(!proves(algorithm, qop, "00112233445566778899aabbccddeeff"));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for header in ["", "Digest", "Digest ", "Basic !!", "Bearer x", "Digest qop=auth-int"] {
            assert!(Authorization::parse(header).is_none(), "{header}");
        }
        let Some(Authorization::Digest(empty)) = Authorization::parse("Digest realm=x") else {
            panic!("it is one, though of no use");
        };
        let credential = Credential::new("", "x", "", Holder::Onboarding);
        assert!(!empty.proves("POST", &credential));
    }

    #[test]
    fn basic_is_a_user_name_and_a_password() {
        let Some(Authorization::Basic(basic)) = Authorization::parse("basic dXNlcjpwYTpzcw==")
        else {
            panic!("it is Basic");
        };
        assert_eq!((basic.username.as_str(), basic.password.as_str()), ("user", "pa:ss"));
        let credential = |password| Credential::new("user", "r", password, Holder::Onboarding);
        assert!(basic.proves("r", &credential("pa:ss")));
        assert!(!basic.proves("r", &credential("pass")));
    }
}
