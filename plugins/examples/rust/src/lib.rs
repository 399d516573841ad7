//! Gives the device's first WiFi network the name that the operator chose.
//!
//! The same plugin is written in four languages; this is the one in Rust.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use trellis_plugin::serde_json::{self, json};
use trellis_plugin::{Cpe, Error, Manifest, Matcher, Plugin, Result, Value};

/// Counts, in the plugin's memory of the device, how often the name was changed.
const CHANGES: &str = "changes";

struct Wifi;

/// What the operator can set. The server fills in the manifest's defaults, so nothing is optional.
#[derive(Deserialize)]
struct Settings {
    ssid: String,
}

/// What the action `set-ssid` is given. The server has held it against the action's schema.
#[derive(Deserialize)]
struct SetSsid {
    ssid: String,
}

impl Plugin for Wifi {
    type Settings = Settings;

    /// Called when the file is loaded: there is no device yet.
    fn manifest() -> Manifest {
        let ssid = json!({ "type": "string", "minLength": 1, "maxLength": 32 });
        let settings = json!({
            "type": "object",
            "properties": { "ssid": ssid },
            "additionalProperties": false,
        });
        let arguments = json!({
            "type": "object",
            "properties": { "ssid": ssid },
            "required": ["ssid"],
            "additionalProperties": false,
        });
        Manifest::new("wifi-rust", env!("CARGO_PKG_VERSION"))
            .description("Sets the name of the WiFi network")
            .serves(Matcher::new().manufacturer("Acme Broadband"))
            .settings(settings, json!({ "ssid": "Trellis" }))
            .action("set-ssid", "Sets the SSID until the settings say otherwise", arguments)
    }

    /// Called once in each session. What it returns as an error becomes the device's fault; `?`
    /// does that with every request that fails.
    fn provision(cpe: &mut Cpe, settings: Settings) -> Result<()> {
        let Settings { ssid } = settings;
        let path = path(&cpe.root());

        // The device keeps this key with the change: it tells who made the last one.
        cpe.set_parameter_key("wifi");
        // Asks for the value, and sets it where it is another one. A value without a type is of
        // the type that the device reports.
        let ensured = cpe.ensure([(path, Value::untyped(&ssid))])?;
        if !ensured.missing.is_empty() {
            return Err(Error::other(format!("the device has no {path}")));
        }
        cpe.fact("wifi.ssid", ssid.as_str())?;

        if !ensured.written.is_empty() {
            // A plugin starts afresh in each session; only this memory lasts.
            let changes = cpe.memory().get::<u64>(CHANGES)?.unwrap_or_default();
            cpe.memory().set(CHANGES, &(changes + 1))?;
            cpe.log().info(format!("the SSID is now \"{ssid}\""));
        }
        Ok(())
    }

    /// Called when an operator wants the action, after `provision`, in an instance of its own. There
    /// is one action, so its name says nothing new.
    fn action(
        cpe: &mut Cpe,
        _: Settings,
        _: &str,
        arguments: serde_json::Value,
    ) -> Result<serde_json::Value> {
        let SetSsid { ssid } = serde_json::from_value(arguments)?;
        let path = path(&cpe.root());

        // Sets the value without asking for it, and needs its type.
        cpe.set_parameter_key("wifi");
        cpe.set([(path, Value::from(ssid.as_str()))])?;
        cpe.fact("wifi.ssid", ssid.as_str())?;
        Ok(json!({ "ssid": ssid }))
    }
}

/// Where the name is in the device's data model: TR-181 has the root `Device.`, TR-098
/// `InternetGatewayDevice.`.
fn path(root: &str) -> &'static str {
    match root {
        "Device." => "Device.WiFi.SSID.1.SSID",
        _ => "InternetGatewayDevice.LANDevice.1.WLANConfiguration.1.SSID",
    }
}

trellis_plugin::export!(Wifi);
