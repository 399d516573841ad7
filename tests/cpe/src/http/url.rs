//! The ACS URL, taken apart.

use crate::error::CpeError;

/// An `http` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url {
    /// Host name or address, IPv6 without its brackets.
    pub host: String,
    /// Port, 80 when the URL names none.
    pub port: u16,
    /// Path and query, at least `/`.
    pub path: String,
}

impl Url {
    /// Reads an absolute `http` URL.
    pub fn parse(text: &str) -> Result<Self, CpeError> {
        let bad = |reason| CpeError::Url { url: text.to_owned(), reason };
        let rest = text.strip_prefix("http://").ok_or_else(|| bad("only http:// is supported"))?;
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        if authority.contains('@') {
            return Err(bad("user information is not allowed"));
        }
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, tail) = rest.split_once(']').ok_or_else(|| bad("no closing bracket"))?;
            (host, tail.strip_prefix(':'))
        } else {
            match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            }
        };
        if host.is_empty() {
            return Err(bad("no host"));
        }
        let port = match port {
            Some(port) => port.parse().map_err(|_| bad("the port is not a number"))?,
            None => 80,
        };
        Ok(Self { host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The value of the Host header.
    #[must_use]
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// The path without its query, which is what a cookie's Path is compared with.
    #[must_use]
    pub fn path_only(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }
}

#[cfg(test)]
mod tests {
    use super::Url;

    #[test]
    fn a_url_is_taken_apart_into_host_port_and_path() {
        let url = Url::parse("http://[::1]:7547/acs?x=1").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("::1", 7547, "/acs?x=1"));
        assert_eq!(url.authority(), "[::1]:7547");
        assert_eq!(url.path_only(), "/acs");
        assert_eq!(Url::parse("http://acs").unwrap().path, "/");
        assert!(Url::parse("https://acs/").is_err());
        assert!(Url::parse("http://u:p@acs/").is_err());
    }
}
