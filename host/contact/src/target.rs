//! Where a device is called, as it tells in its Informs.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use hyper::Uri;
use hyper::http::uri::PathAndQuery;
use tokio::sync::Semaphore;
use trellis_session::limit_reached;

use crate::networks::Networks;
use crate::outcome::Outcome;

/// A ConnectionRequestURL that can be used (TR-069 3.2.2.2).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A name, or an address without brackets.
    host: String,
    port: u16,
    /// Host and port as the URL has them.
    pub(crate) authority: String,
    /// The request target, as it is sent and as it is part of the digest.
    pub(crate) path: PathAndQuery,
}

const HTTP_PORT: u16 = 80;

impl Target {
    /// Reads a URL. Only `http` is allowed, and nothing that would be a credential.
    pub(crate) fn read(url: &str) -> Result<Self, Outcome> {
        let no_url = |why: &str| Outcome::NoUrl(why.to_owned());
        if url.is_empty() {
            return Err(no_url("the device has told no ConnectionRequestURL"));
        }
        let Ok(uri) = url.trim().parse::<Uri>() else {
            return Err(no_url("the device's ConnectionRequestURL is no URL"));
        };
        match uri.scheme_str() {
            Some(scheme) if scheme.eq_ignore_ascii_case("http") => {}
            _ => {
                return Err(no_url(
                    "the device's ConnectionRequestURL does not begin with http://",
                ));
            }
        }
        let Some(authority) = uri.authority().filter(|it| !it.as_str().contains('@')) else {
            return Err(no_url("the device's ConnectionRequestURL has no host, or a user name"));
        };
        let port = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
        let port = match port.strip_prefix(':') {
            None | Some("") => HTTP_PORT,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return Err(no_url("the device's ConnectionRequestURL has no such port")),
            },
        };
        let path = uri.path_and_query().cloned();
        Ok(Self {
            host: authority.host().trim_matches(['[', ']']).to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            path: path.unwrap_or_else(|| PathAndQuery::from_static("/")),
        })
    }

    /// The addresses of the host that may be called. They are what is connected to, so that a name
    /// cannot mean another address afterwards.
    pub(crate) async fn addresses(&self, networks: &Networks) -> Result<Vec<SocketAddr>, Outcome> {
        let found: Vec<SocketAddr> = match self.host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, self.port)],
            Err(_) => self.look_up().await?,
        };
        let allowed: Vec<SocketAddr> =
            found.into_iter().filter(|it| networks.permit(it.ip())).collect();
        if allowed.is_empty() {
            let why = format!("the rules of [connection-request] do not allow {:?}", self.host);
            return Err(Outcome::NotAllowed(why));
        }
        Ok(allowed)
    }

    /// A lookup cannot be cut short; it keeps its place until it ends by itself.
    async fn look_up(&self) -> Result<Vec<SocketAddr>, Outcome> {
        let Ok(place) = LOOKUPS.try_acquire() else {
            limit_reached("lookups");
            return Err(Outcome::TooMany);
        };
        let (host, port) = (self.host.clone(), self.port);
        let lookup = tokio::task::spawn_blocking(move || {
            let _place = place;
            (host.as_str(), port).to_socket_addrs().map(Iterator::collect)
        });
        let found = lookup.await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
        found.map_err(|error| {
            Outcome::Unreachable(format!("the name {:?} has no address: {error}", self.host))
        })
    }
}

/// Names that are looked up at once: each takes a thread for as long as the network likes.
static LOOKUPS: Semaphore = Semaphore::const_new(16);

/// A UDPConnectionRequestAddress with its port, which is 80 where the device tells none
/// (TR-069 G.2.2.3). `None` where there is no address.
pub(crate) fn udp_address(told: &str) -> Option<String> {
    let told = told.trim();
    if told.is_empty() || told.contains(char::is_control) {
        return None;
    }
    let has_port = told.parse::<SocketAddr>().is_ok();
    Some(match told.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(address) if !has_port => SocketAddr::new(address, HTTP_PORT).to_string(),
        _ if has_port || told.contains(':') => told.to_owned(),
        _ => format!("{told}:{HTTP_PORT}"),
    })
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_called_as_it_is_told() {
        for (url, host, port, path) in [
            ("http://10.0.0.1:7547/x?y=z", "10.0.0.1", 7547, "/x?y=z"),
            ("http://10.0.0.1", "10.0.0.1", 80, "/"),
            ("http://[2001:db8::1]:30005/a/", "2001:db8::1", 30005, "/a/"),
            ("HTTP://cpe.example/%20", "cpe.example", 80, "/%20"),
        ] {
            let target = Target::read(url).expect("it can be called");
            assert_eq!(
                (target.host.as_str(), target.port, target.path.as_str()),
                (host, port, path),
                "{url}"
            );
        }
    }

    #[test]
    fn other_urls_are_not_called() {
        for url in [
            "",
            "https://10.0.0.1/",
            "ftp://10.0.0.1/",
            "10.0.0.1:7547",
            "http://a b/",
            "http://user:password@10.0.0.1/",
            "http:///x",
            "http://10.0.0.1:99999/",
            "http://10.0.0.1:0/",
            "http://10.0.0.1:-1/",
            "/x",
        ] {
            assert!(matches!(Target::read(url), Err(Outcome::NoUrl(_))), "{url}");
        }
    }

    #[test]
    fn an_address_for_udp_has_port_80_unless_it_tells_another() {
        for (told, address) in [
            ("192.0.2.1", Some("192.0.2.1:80")),
            ("192.0.2.1:7547", Some("192.0.2.1:7547")),
            ("gw.example", Some("gw.example:80")),
            ("gw.example:1024", Some("gw.example:1024")),
            ("[2001:db8::1]", Some("[2001:db8::1]:80")),
            ("[2001:db8::1]:1024", Some("[2001:db8::1]:1024")),
            ("2001:db8::1", Some("[2001:db8::1]:80")),
            (" ", None),
            ("192.0.2.1:1\nforged", None),
        ] {
            assert_eq!(udp_address(told).as_deref(), address, "{told}");
        }
    }
}
