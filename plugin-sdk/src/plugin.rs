//! The trait that a plugin implements, and what the two exports of the contract do with it.

use serde::de::DeserializeOwned;

use crate::bindings::exports::trellis::acs::admission::{Decision, Refusal};
use crate::{Cpe, Error, Manifest, Result, host};

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

    /// Runs one of the manifest's [actions](Manifest::action), on behalf of an operator, after
    /// `provision`. The server has held the arguments against the action's schema. Operators see
    /// the answer, or the error's text.
    fn action(
        cpe: &mut Cpe,
        settings: Self::Settings,
        name: &str,
        arguments: serde_json::Value,
    ) -> Result<serde_json::Value> {
        let _ = (cpe, settings, arguments);
        Err(Error::other(format!("there is no action {name:?}")))
    }

    /// Decides at an Inform whether the device may come in, where the manifest
    /// [says so](Manifest::admits). Nothing can be asked of the device, and nothing kept.
    fn admit(cpe: &Cpe, settings: Self::Settings) -> Admission {
        let _ = (cpe, settings);
        Admission::Accept
    }

    /// Called when a [deadline](Cpe::deadlines) has passed. The device is not there: nothing can be
    /// asked of it. An error becomes a fault of the device that operators see, and so does every
    /// deadline of a plugin that does not say otherwise.
    fn expired(cpe: &mut Cpe, settings: Self::Settings, deadline: &str) -> Result<()> {
        let _ = (cpe, settings);
        Err(Error::other(format!("the deadline {deadline:?} has passed")))
    }
}

/// Whether a device may come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Accept,
    /// Its Inform is answered with this fault, and nothing is recorded of it.
    Refuse {
        /// 8000 to 8006 or 8800 to 8899.
        code: u32,
        /// Says why.
        text: String,
    },
    /// What it tells is recorded, and nothing is asked of it in this session. The text says why, for
    /// operators.
    Quarantine(String),
}

impl From<Admission> for Decision {
    fn from(admission: Admission) -> Self {
        match admission {
            Admission::Accept => Self::Accept,
            Admission::Refuse { code, text } => Self::Refuse(Refusal { code, text }),
            Admission::Quarantine(why) => Self::Quarantine(why),
        }
    }
}

#[doc(hidden)]
pub fn __describe<P: Plugin>() -> String {
    P::manifest().to_json()
}

#[doc(hidden)]
pub fn __provision<P: Plugin>() -> core::result::Result<(), String> {
    P::provision(&mut Cpe::of_session(), settings::<P>()?).map_err(|error| error.to_string())
}

#[doc(hidden)]
pub fn __action<P: Plugin>(name: &str, arguments: &str) -> core::result::Result<String, String> {
    let arguments = serde_json::from_str(arguments)
        .map_err(|error| format!("the arguments are not JSON: {error}"))?;
    let result = P::action(&mut Cpe::of_session(), settings::<P>()?, name, arguments);
    result.map(|result| result.to_string()).map_err(|error| error.to_string())
}

#[doc(hidden)]
pub fn __admit<P: Plugin>() -> Admission {
    match settings::<P>() {
        Ok(settings) => P::admit(&Cpe::of_session(), settings),
        Err(why) => Admission::Quarantine(why),
    }
}

#[doc(hidden)]
pub fn __expired<P: Plugin>(deadline: &str) -> core::result::Result<(), String> {
    let expired = P::expired(&mut Cpe::of_session(), settings::<P>()?, deadline);
    expired.map_err(|error| error.to_string())
}

fn settings<P: Plugin>() -> core::result::Result<P::Settings, String> {
    serde_json::from_str(&host::settings::get())
        .map_err(|error| format!("the settings do not fit this plugin: {error}"))
}
