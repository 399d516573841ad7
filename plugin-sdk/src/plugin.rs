//! The trait that a plugin implements, and what the two exports of the contract do with it.

use serde::de::DeserializeOwned;

use crate::{Cpe, Manifest, Result, host};

/// A plugin: what it is, and what it does with a device.
///
/// It has no state of its own. Every session starts a fresh instance; what must last is kept in
/// [`Cpe::memory`].
pub trait Plugin {
    /// What the operator can set. The host gives the effective settings, which are the
    /// manifest's defaults with the operator's values over them. [`serde_json::Value`] takes
    /// anything; a plugin without settings has a struct without fields, `struct Settings {}`.
    type Settings: DeserializeOwned;

    /// What the plugin is and which devices it serves. Called when the file is loaded: there is
    /// no device yet.
    fn manifest() -> Manifest;

    /// Called once in a session, when it is the server's turn to speak. An error ends the run
    /// and is stored as the device's fault.
    fn provision(cpe: &mut Cpe, settings: Self::Settings) -> Result<()>;
}

#[doc(hidden)]
pub fn __describe<P: Plugin>() -> String {
    P::manifest().to_json()
}

#[doc(hidden)]
pub fn __provision<P: Plugin>() -> core::result::Result<(), String> {
    let settings = serde_json::from_str(&host::settings::get())
        .map_err(|error| format!("the settings do not fit this plugin: {error}"))?;
    P::provision(&mut Cpe::of_session(), settings).map_err(|error| error.to_string())
}
