//! What lasts from one session of a device to the next.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result, host};

/// A small key-value store for this device and this plugin; see [`Cpe::memory`](crate::Cpe::memory).
///
/// What is set before a request is on disk before that request leaves, the rest when the run
/// ends. Values are kept as JSON; give them a version, because the plugin that reads them may be
/// newer than the one that wrote them.
#[derive(Clone, Copy, Debug)]
pub struct Memory(pub(crate) ());

impl Memory {
    /// The value of a key, `None` when it was never set. A value of another shape is
    /// [`Error::Invalid`].
    pub fn get<T: DeserializeOwned>(self, key: &str) -> Result<Option<T>> {
        match self.get_bytes(key) {
            Some(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            None => Ok(None),
        }
    }

    /// Keeps a value. [`Error::Refused`] when it does not fit into the device's share.
    pub fn set<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Result<()> {
        self.set_bytes(key, &serde_json::to_vec(value)?)
    }

    /// The bytes of a key, as they were set.
    pub fn get_bytes(self, key: &str) -> Option<Vec<u8>> {
        host::memory::get(key)
    }

    /// Keeps bytes that are not JSON.
    pub fn set_bytes(self, key: &str, value: &[u8]) -> Result<()> {
        host::memory::set(key, value).map_err(Error::Refused)
    }

    /// Forgets a key, which need not exist.
    pub fn delete(self, key: &str) {
        host::memory::delete(key);
    }

    /// All keys that are set.
    pub fn keys(self) -> Vec<String> {
        host::memory::keys()
    }
}
