//! Devices that another server is to serve (TR-069 3.4.2).

use trellis_plugin_host::Pattern;
use trellis_store::DeviceKey;

/// Sends devices to another server, before anything is recorded of them.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// The devices, by their keys (`OUI-ProductClass-SerialNumber`).
    pub devices: Pattern,
    /// The URL of the server that is to serve them.
    pub to: String,
}

/// Where a device is to go, by the first rule that it fits.
pub(crate) fn redirected<'a>(rules: &'a [Redirect], device: &DeviceKey) -> Option<&'a str> {
    let rule = rules.iter().find(|rule| rule.devices.matches(device.as_str()))?;
    Some(&rule.to)
}
