//! Lines in the server's log.

use core::fmt::Display;

pub use crate::bindings::trellis::acs::log::Level;
use crate::host;

/// The server's log; see [`Cpe::log`](crate::Cpe::log). The host adds the device, the session and
/// the plugin to each line. Never write secrets to it.
#[derive(Clone, Copy, Debug)]
pub struct Log(pub(crate) ());

impl Log {
    /// For people who look for a mistake in the plugin.
    pub fn debug(self, message: impl Display) {
        host::log::write(Level::Debug, &message.to_string());
    }

    /// Something worth knowing happened.
    pub fn info(self, message: impl Display) {
        host::log::write(Level::Info, &message.to_string());
    }

    /// Something is not as it should be, and the plugin went on.
    pub fn warn(self, message: impl Display) {
        host::log::write(Level::Warn, &message.to_string());
    }

    /// Something failed.
    pub fn error(self, message: impl Display) {
        host::log::write(Level::Error, &message.to_string());
    }
}
