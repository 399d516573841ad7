//! How records are ordered: one letter for the keyspace, then the device, so that one
//! device's rows are adjacent and a prefix finds them.

use crate::records::DeviceKey;

/// The keyspaces.
#[derive(Clone, Copy)]
pub(crate) enum Keyspace {
    /// Device headers.
    Header,
    /// Parts of parameter trees.
    Tree,
    /// Plugin memory.
    Memory,
    /// Tasks that are not done.
    OpenTask,
    /// Tasks that are done.
    DoneTask,
    /// File transfers.
    Transfer,
    /// Faults.
    Fault,
    /// Sessions.
    Session,
    /// Credentials that the server gave to devices, by user name.
    Credential,
    /// How much the devices of a model can tell at once, by a hash of the model.
    Portion,
    /// Tokens of the API, by number.
    ApiToken,
}

/// Ends the device in a key. Keys are percent-encoded, so it cannot occur in one.
const END: u8 = 0;

impl Keyspace {
    fn letter(self) -> u8 {
        match self {
            Self::Header => b'h',
            Self::Tree => b'p',
            Self::Memory => b'm',
            Self::OpenTask => b'q',
            Self::DoneTask => b'd',
            Self::Transfer => b'x',
            Self::Fault => b'f',
            Self::Session => b's',
            Self::Credential => b'c',
            Self::Portion => b'n',
            Self::ApiToken => b't',
        }
    }

    /// Where this keyspace begins.
    pub(crate) fn start(self) -> Vec<u8> {
        vec![self.letter()]
    }

    /// The row of a name that is no device's.
    pub(crate) fn named(self, name: &str) -> Vec<u8> {
        let mut key = self.start();
        key.extend_from_slice(name.as_bytes());
        key
    }

    /// Where a device's rows begin.
    pub(crate) fn device(self, device: &DeviceKey) -> Vec<u8> {
        let mut key = Vec::with_capacity(device.as_str().len() + 32);
        key.push(self.letter());
        key.extend_from_slice(device.as_str().as_bytes());
        key.push(END);
        key
    }

    /// One row of a device.
    pub(crate) fn row(self, device: &DeviceKey, row: &[u8]) -> Vec<u8> {
        let mut key = self.device(device);
        key.extend_from_slice(row);
        key
    }
}

/// The device that a key belongs to.
pub(crate) fn device_of(key: &[u8]) -> Option<DeviceKey> {
    let text = key.get(1..)?.split(|byte| *byte == END).next()?;
    Some(DeviceKey::from_text(std::str::from_utf8(text).ok()?))
}

/// The row within its device's rows.
pub(crate) fn row_of(key: &[u8]) -> &[u8] {
    let end = key.iter().position(|byte| *byte == END).unwrap_or(key.len());
    key.get(end + 1..).unwrap_or_default()
}
