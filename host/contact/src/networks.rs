//! Which addresses may be called. The URL comes from the device: without rules it could make the
//! server call anything in the operator's network.

use std::net::IpAddr;

use ipnet::IpNet;

/// The addresses that may be called.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Where devices are. Default everywhere.
    pub allow: Vec<IpNet>,
    /// What is never called, also if it is allowed. Default: the machine itself, link-local
    /// addresses, where clouds keep their secrets, and what is no single host's address.
    pub deny: Vec<IpNet>,
}

/// What is never called unless the operator says so.
const DENY: [&str; 10] = [
    "0.0.0.0/8",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "fd00:ec2::/32",
    "fe80::/10",
    "ff00::/8",
];

impl Default for Networks {
    fn default() -> Self {
        let parse = |texts: &[&str]| texts.iter().filter_map(|it| it.parse().ok()).collect();
        Self { allow: parse(&["0.0.0.0/0", "::/0"]), deny: parse(&DENY) }
    }
}

impl Networks {
    /// Whether an address may be called. An IPv4 address in IPv6 form is the IPv4 address.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let holds = |networks: &[IpNet]| networks.iter().any(|it| it.contains(&address));
        holds(&self.allow) && !holds(&self.deny)
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_machine_itself_and_link_local_addresses_are_not_called() {
        let networks = Networks::default();
        assert_eq!(networks.deny.len(), DENY.len(), "every network can be read");
        for (address, may) in [
            ("10.1.2.3", true),
            ("203.0.113.7", true),
            ("2001:db8::1", true),
            ("127.0.0.1", false),
            ("127.8.8.8", false),
            ("::ffff:127.0.0.1", false),
            ("::1", false),
            ("0.0.0.0", false),
            ("169.254.169.254", false),
            ("::ffff:169.254.169.254", false),
            ("fe80::1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
        ] {
            assert_eq!(networks.permit(address.parse().expect("an address")), may, "{address}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_not_called() {
        let allow = vec!["10.0.0.0/8".parse().expect("a network")];
        let networks = Networks { allow, ..Networks::default() };
        assert!(networks.permit("10.9.9.9".parse().expect("an address")));
        assert!(!networks.permit("192.0.2.1".parse().expect("an address")));
    }
}
