//! The session cookies.
//!
//! A CPE keeps cookies for one session only and guarantees room for 512 bytes in all, so an ACS
//! that needs more, or sets a cookie the CPE could not return, breaks the session.

use crate::error::{CpeError, violation};

use super::url::Url;

/// What a CPE guarantees to keep, names and values together.
pub const COOKIE_BYTES_MAX: usize = 512;

/// The cookies of one session.
#[derive(Debug, Clone, Default)]
pub struct Cookies {
    pairs: Vec<(String, String)>,
}

impl Cookies {
    /// Takes one Set-Cookie value.
    pub fn set(&mut self, header: &str, url: &Url) -> Result<(), CpeError> {
        let mut parts = header.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return violation(format!("Set-Cookie without name=value: {header:?}"));
        };
        let mut delete = false;
        for attribute in parts {
            let (key, setting) = attribute.split_once('=').unwrap_or((attribute, ""));
            match key.to_ascii_lowercase().as_str() {
                "secure" => return violation("a Secure cookie over plain http never comes back"),
                "path" if !covers(setting, url.path_only()) => {
                    return violation(format!(
                        "the cookie's Path {setting:?} does not cover the ACS path {:?}",
                        url.path_only()
                    ));
                }
                "max-age" => delete = setting.parse::<i64>().is_ok_and(|age| age <= 0),
                _ => {}
            }
        }
        self.pairs.retain(|(known, _)| known != name);
        if !delete {
            self.pairs.push((name.to_owned(), value.to_owned()));
        }
        let total: usize = self.pairs.iter().map(|(name, value)| name.len() + value.len()).sum();
        if total > COOKIE_BYTES_MAX {
            return violation(format!("{total} bytes of cookies, at most {COOKIE_BYTES_MAX} fit"));
        }
        Ok(())
    }

    /// The value of the Cookie header, if there is any cookie.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        if self.pairs.is_empty() {
            return None;
        }
        let pairs: Vec<String> =
            self.pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Some(pairs.join("; "))
    }

    /// All pairs of name and value.
    #[must_use]
    pub fn pairs(&self) -> &[(String, String)] {
        &self.pairs
    }

    /// Forgets or replaces all cookies, for tests that forge them.
    pub fn replace(&mut self, pairs: Vec<(String, String)>) {
        self.pairs = pairs;
    }
}

fn covers(cookie_path: &str, path: &str) -> bool {
    path == cookie_path
        || path
            .strip_prefix(cookie_path)
            .is_some_and(|rest| cookie_path.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url() -> Url {
        Url::parse("http://acs:7547/cwmp").unwrap()
    }

    #[test]
    fn cookies_are_kept_replaced_and_returned() {
        let mut cookies = Cookies::default();
        cookies.set("s=1; Path=/; HttpOnly", &url()).unwrap();
        cookies.set("t=2", &url()).unwrap();
        cookies.set("s=3", &url()).unwrap();
        assert_eq!(cookies.header().as_deref(), Some("t=2; s=3"));
        cookies.set("t=; Max-Age=0", &url()).unwrap();
        assert_eq!(cookies.header().as_deref(), Some("s=3"));
    }

    #[test]
    fn cookies_that_cannot_come_back_are_violations() {
        let mut cookies = Cookies::default();
        assert!(cookies.set("s=1; Secure", &url()).is_err());
        assert!(cookies.set("s=1; Path=/other", &url()).is_err());
        assert!(cookies.set(&format!("s={}", "x".repeat(512)), &url()).is_err());
    }
}
