//! The end of a wait: what is to come of it when nothing has come.

use crate::{Error, Result, host};

/// The deadlines of this device and this plugin; see [`Cpe::deadlines`](crate::Cpe::deadlines).
///
/// They are kept like the memory and survive a restart of the server. When one passes,
/// [`Plugin::expired`](crate::Plugin::expired) is called once, whether or not the device is there.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines(pub(crate) ());

impl Deadlines {
    /// Sets a deadline in so many seconds from now, or moves it there.
    pub fn set_in(self, name: &str, seconds: u64) -> Result<()> {
        self.set_at(name, host::session::now().saturating_add(seconds))
    }

    /// Sets a deadline at a time in seconds since 1970, or moves it there.
    pub fn set_at(self, name: &str, at: u64) -> Result<()> {
        host::deadlines::set(name, at).map_err(Error::Refused)
    }

    /// Takes a deadline back, which need not exist.
    pub fn clear(self, name: &str) {
        host::deadlines::clear(name);
    }

    /// The deadlines that are set: name, and seconds since 1970.
    pub fn pending(self) -> Vec<(String, u64)> {
        host::deadlines::pending()
    }
}
