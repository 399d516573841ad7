//! Where the data models keep what is read: TR-181 below `Device.`, TR-098 below
//! `InternetGatewayDevice.`.

/// A parameter that a vendor's plugin follows beyond the common ones.
#[derive(Clone, Copy, Debug)]
pub struct Follow {
    /// The path below the root; `*` stands for an instance number. It must be in an object that
    /// is read anyway, such as `DeviceInfo.`.
    pub path: &'static str,
    /// The fact that it is published as.
    pub fact: &'static str,
}

/// One data model. All paths are relative to the root.
#[derive(Debug)]
pub(crate) struct Model {
    /// What a reading asks for.
    pub(crate) objects: &'static [&'static str],
    /// What of it is kept, the most important first; `*` is an instance number.
    pub(crate) kept: &'static [Kept],
}

#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) path: &'static str,
    /// Whether the device shall tell of changes. What each Inform has anyway need not be.
    pub(crate) watched: bool,
}

const fn kept(path: &'static str) -> Kept {
    Kept { path, watched: false }
}

const fn watched(path: &'static str) -> Kept {
    Kept { path, watched: true }
}

static DEVICE: Model = Model {
    objects: &[
        "DeviceInfo.",
        "ManagementServer.",
        "WiFi.SSID.",
        "IP.Interface.",
        "PPP.Interface.",
        "DHCPv4.Client.",
        "Hosts.HostNumberOfEntries",
    ],
    kept: &[
        kept("DeviceInfo.SoftwareVersion"),
        kept("DeviceInfo.HardwareVersion"),
        kept("DeviceInfo.ModelName"),
        kept("ManagementServer.ConnectionRequestURL"),
        watched("Hosts.HostNumberOfEntries"),
        watched("WiFi.SSID.*.SSID"),
        watched("WiFi.SSID.*.Enable"),
        watched("PPP.Interface.*.IPCP.LocalIPAddress"),
        watched("DHCPv4.Client.*.IPAddress"),
        watched("IP.Interface.*.IPv4Address.*.IPAddress"),
    ],
};

static GATEWAY: Model = Model {
    objects: &[
        "DeviceInfo.",
        "ManagementServer.",
        "LANDevice.1.WLANConfiguration.",
        "LANDevice.1.Hosts.HostNumberOfEntries",
        "WANDevice.",
    ],
    kept: &[
        kept("DeviceInfo.SoftwareVersion"),
        kept("DeviceInfo.HardwareVersion"),
        kept("DeviceInfo.ModelName"),
        kept("ManagementServer.ConnectionRequestURL"),
        watched("LANDevice.*.Hosts.HostNumberOfEntries"),
        watched("LANDevice.*.WLANConfiguration.*.SSID"),
        watched("LANDevice.*.WLANConfiguration.*.Enable"),
        watched("WANDevice.*.WANConnectionDevice.*.WANPPPConnection.*.ExternalIPAddress"),
        watched("WANDevice.*.WANConnectionDevice.*.WANIPConnection.*.ExternalIPAddress"),
    ],
};

/// The model of a root. Unknown roots are taken for the current model.
pub(crate) fn of(root: &str) -> &'static Model {
    if root == "InternetGatewayDevice." { &GATEWAY } else { &DEVICE }
}

/// Whether a name (below the root) is what the pattern says.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    pattern.split('.').count() == name.split('.').count() && leads_to(pattern, name)
}

/// Whether an object (below the root, without its last dot) or a name can lie on the pattern's
/// way.
pub(crate) fn leads_to(pattern: &str, object: &str) -> bool {
    let mut pattern = pattern.split('.');
    object.split('.').all(|node| pattern.next().is_some_and(|part| part == "*" || part == node))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_one_node() {
        assert!(matches("WiFi.SSID.*.SSID", "WiFi.SSID.12.SSID"));
        assert!(!matches("WiFi.SSID.*.SSID", "WiFi.SSID.12.Stats.SSID"));
        assert!(!matches("WiFi.SSID.*.SSID", "WiFi.SSID.12"));
        assert!(leads_to("WiFi.SSID.*.SSID", "WiFi.SSID.12"));
        assert!(!leads_to("WiFi.SSID.*.SSID", "WiFi.Radio"));
    }
}
