//! Which addresses may be called. The URL comes from the device: without rules it could make the
//! server call anything in the operator's network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// The addresses that may be called.
#[derive(Clone, Debug)]
pub struct Networks {
    /// Where devices are. Default everywhere.
    pub allow: Vec<IpNet>,
    /// What is never called, also if it is allowed. Default: the machine itself, link-local
    /// addresses, the known ones where clouds keep their secrets, and what is no single host's
    /// address.
    pub deny: Vec<IpNet>,
}

/// What is never called unless the operator says so.
const DENY: [&str; 16] = [
    "0.0.0.0/8",
    "100.100.100.200/32",
    "127.0.0.0/8",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "2001::/32",
    "fd00:ec2::/32",
    "fd20:ce::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
];

impl Default for Networks {
    fn default() -> Self {
        let parse = |texts: &[&str]| texts.iter().filter_map(|it| it.parse().ok()).collect();
        Self { allow: parse(&["0.0.0.0/0", "::/0"]), deny: parse(&DENY) }
    }
}

impl Networks {
    /// Whether an address may be called. An IPv4 address in IPv6 form is the IPv4 address, and one
    /// that leads to an IPv4 address must be allowed to do so.
    pub fn permit(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let holds = |networks: &[IpNet]| networks.iter().any(|it| it.contains(&address));
        let leads = match address {
            IpAddr::V6(address) => embedded(address),
            IpAddr::V4(_) => None,
        };
        holds(&self.allow)
            && !holds(&self.deny)
            && leads.is_none_or(|address| self.permit(IpAddr::V4(address)))
    }
}

/// The IPv4 address that an IPv6 address leads to: NAT64 (RFC 6052), 6to4 (RFC 3056), and the old
/// forms of RFC 4291 and RFC 2765.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] | [0, 0, 0, 0, 0, 0] | [0, 0, 0, 0, 0xffff, 0] => Some(of(g, h)),
        [0x2002, ..] => Some(of(b, c)),
        _ => None,
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
            ("64:ff9b::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::cb00:7107", true),
            ("2002:7f00:1::", false),
            ("::127.0.0.1", false),
            ("::ffff:0:7f00:1", false),
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
