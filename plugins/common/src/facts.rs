//! Facts from what is known of a device.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use trellis_plugin::{Cpe, Error, Fact, Result, Value};

use crate::Follow;
use crate::model::matches;

/// Parameters below the root, and their texts.
pub(crate) type Known = BTreeMap<String, String>;

/// The longest fact that the host takes, in bytes.
const FACT_BYTES_MAX: usize = 1024;

/// As much of a text as there is room for.
pub fn cut(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

/// Publishes a fact. One that the host refuses is logged: it must not keep the device from being
/// configured.
pub fn tell(cpe: &mut Cpe, name: &str, fact: impl Into<Fact>) -> Result<()> {
    let fact = match fact.into() {
        Fact::Text(text) => Fact::from(cut(&text, FACT_BYTES_MAX)),
        other => other,
    };
    let told = cpe.fact(name, fact);
    tolerated(cpe, told)
}

/// Logs what the host refused.
pub(crate) fn tolerated(cpe: &Cpe, result: Result<()>) -> Result<()> {
    match result {
        Err(Error::Refused(why)) => {
            cpe.log().warn(why);
            Ok(())
        }
        other => other,
    }
}

/// Everything that can be said of a device with these parameters.
pub(crate) fn of(known: &Known, follow: &[Follow]) -> BTreeMap<String, Fact> {
    let mut facts = BTreeMap::new();
    let mut text = |fact: &str, text: Option<&str>| {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            facts.insert(fact.to_owned(), Fact::from(cut(text, FACT_BYTES_MAX)));
        }
    };
    let get = |name: &str| known.get(name).map(String::as_str);
    text("device.software-version", get("DeviceInfo.SoftwareVersion"));
    text("device.hardware-version", get("DeviceInfo.HardwareVersion"));
    text("device.model", get("DeviceInfo.ModelName"));
    text("wan.ipv4-address", wan_address(known));
    let networks = networks(known);
    let enabled = networks.iter().find(|(_, enabled)| *enabled).or(networks.first());
    text("wifi.ssid", enabled.map(|(ssid, _)| *ssid));
    let ssids: Vec<_> = networks.iter().map(|(ssid, _)| *ssid).collect();
    text("wifi.ssids", Some(&ssids.join(", ")));
    for follow in follow {
        text(follow.fact, all(known, follow.path).next().map(|(_, value)| value));
    }
    if let Some(hosts) = hosts(known) {
        facts.insert("lan.hosts".to_owned(), hosts.into());
    }
    facts
}

fn all<'a>(known: &'a Known, pattern: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let matching = known.iter().filter(move |(name, _)| matches(pattern, name));
    matching.map(|(name, value)| (name.as_str(), value.as_str()))
}

/// The networks' names, and whether they are enabled.
fn networks(known: &Known) -> Vec<(&str, bool)> {
    let ssids = ["WiFi.SSID.*.SSID", "LANDevice.*.WLANConfiguration.*.SSID"];
    let ssids = ssids.into_iter().flat_map(|pattern| all(known, pattern));
    let network = |(name, ssid): (&str, _)| {
        let enable = name.strip_suffix("SSID").map(|row| format!("{row}Enable"));
        let enable = enable.and_then(|name| known.get(&name));
        let enabled = enable.is_none_or(|text| Value::from(text.as_str()).parse() == Ok(true));
        (ssid, enabled)
    };
    ssids.map(network).filter(|(ssid, _)| !ssid.is_empty()).collect()
}

/// `None` where no table of hosts is known.
fn hosts(known: &Known) -> Option<u32> {
    let counts = ["Hosts.HostNumberOfEntries", "LANDevice.*.Hosts.HostNumberOfEntries"];
    let counts = counts.into_iter().flat_map(|pattern| all(known, pattern));
    let counts: Vec<u32> = counts.filter_map(|(_, count)| count.trim().parse().ok()).collect();
    if counts.is_empty() { None } else { Some(counts.into_iter().fold(0, u32::saturating_add)) }
}

/// The address towards the server: the one at which the device wants to be called, when it is an
/// interface's; else one that it was given from outside. A static address among others cannot be
/// told from a local one, and is not guessed.
fn wan_address(known: &Known) -> Option<&str> {
    const GIVEN: [&str; 4] = [
        "PPP.Interface.*.IPCP.LocalIPAddress",
        "DHCPv4.Client.*.IPAddress",
        "WANDevice.*.WANConnectionDevice.*.WANPPPConnection.*.ExternalIPAddress",
        "WANDevice.*.WANConnectionDevice.*.WANIPConnection.*.ExternalIPAddress",
    ];
    const OWN: &str = "IP.Interface.*.IPv4Address.*.IPAddress";
    let given = || GIVEN.into_iter().flat_map(|pattern| all(known, pattern));
    let url = known.get("ManagementServer.ConnectionRequestURL");
    let called = url.and_then(|url| host(url));
    let called = given().chain(all(known, OWN)).find(|(_, address)| Some(*address) == called);
    let usable = |(_, address): &(&str, &str)| {
        address
            .parse()
            .is_ok_and(|address: Ipv4Addr| !address.is_unspecified() && !address.is_loopback())
    };
    called.or_else(|| given().find(usable)).map(|(_, address)| address)
}

/// The host of `http://host:port/path`.
fn host(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    rest.split(['/', ':']).next().filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(known: &[(&str, &str)], fact: &str, expected: Option<&str>) {
        let known = known.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let expected = expected.map(Fact::from);
        assert_eq!(of(&known, &[]).get(fact), expected.as_ref(), "{fact} of {known:?}");
    }

    #[test]
    fn the_wan_address_is_the_one_that_faces_the_server() {
        let url = ("ManagementServer.ConnectionRequestURL", "http://10.1.2.3:7547/x");
        let lan = ("IP.Interface.1.IPv4Address.1.IPAddress", "192.168.1.1");
        let wan = ("IP.Interface.2.IPv4Address.1.IPAddress", "10.1.2.3");
        let dhcp = ("DHCPv4.Client.1.IPAddress", "203.0.113.9");
        let none = ("DHCPv4.Client.1.IPAddress", "0.0.0.0");
        check(&[lan, wan, url], "wan.ipv4-address", Some("10.1.2.3"));
        check(&[lan, dhcp, url], "wan.ipv4-address", Some("203.0.113.9"));
        check(&[lan, none], "wan.ipv4-address", None);
    }

    #[test]
    fn the_first_enabled_network_is_the_ssid() {
        let known = [
            ("WiFi.SSID.1.Enable", "0"),
            ("WiFi.SSID.1.SSID", "guests"),
            ("WiFi.SSID.2.Enable", "true"),
            ("WiFi.SSID.2.SSID", "home"),
        ];
        check(&known, "wifi.ssid", Some("home"));
        check(&known, "wifi.ssids", Some("guests, home"));
        check(&[], "wifi.ssids", None);
    }

    #[test]
    fn the_hosts_of_all_networks_count() {
        let known = [
            ("LANDevice.1.Hosts.HostNumberOfEntries", "2"),
            ("LANDevice.2.Hosts.HostNumberOfEntries", "3"),
        ];
        let known = known.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        assert_eq!(hosts(&known), Some(5));
        assert_eq!(hosts(&Known::new()), None);
    }
}
