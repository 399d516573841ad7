//! How records are ordered: one letter for the keyspace, then the device, so that one
//! device's rows are adjacent and a prefix finds them.

use crate::records::{Deadline, DeviceKey};

/// The keyspaces.
#[derive(Clone, Copy)]
pub(crate) enum Keyspace {
    /// Device headers.
    Header,
    /// Parts of parameter trees.
    Tree,
    /// What plugins keep.
    Notes,
    /// The deadlines of plugins, in the order of time.
    Deadline,
    /// What operators say of single devices.
    Orders,
    /// What operators say of devices that have a tag, by tag.
    Tag,
    /// Plugins, by name.
    Plugin,
    /// Transcripts of sessions, in the order of time.
    Transcript,
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
            Self::Notes => b'm',
            Self::Deadline => b'w',
            Self::Orders => b'o',
            Self::Tag => b'g',
            Self::Plugin => b'v',
            Self::Transcript => b'y',
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

/// The row of a deadline: rows are ordered by time.
pub(crate) fn deadline(device: &DeviceKey, plugin: &str, name: &str, at: u64) -> Vec<u8> {
    let mut key = Keyspace::Deadline.start();
    key.extend_from_slice(&at.to_be_bytes());
    for text in [device.as_str(), plugin, name] {
        key.extend_from_slice(text.as_bytes());
        key.push(END);
    }
    key
}

/// The deadline of a row. The name is the plugin's own and may hold the end mark.
pub(crate) fn deadline_of(key: &[u8]) -> Option<Deadline> {
    let (at, texts) = key.get(1..)?.split_first_chunk::<8>()?;
    let mut texts = std::str::from_utf8(texts.strip_suffix(&[END])?).ok()?.splitn(3, '\0');
    let device = DeviceKey::from_text(texts.next()?);
    let plugin = texts.next()?.to_owned();
    let name = texts.next()?.to_owned();
    Some(Deadline { at: u64::from_be_bytes(*at), device, plugin, name })
}

/// A row of transcripts: rows are ordered by time.
pub(crate) fn transcripts(at_ms: i64, number: u64) -> Vec<u8> {
    let mut key = transcripts_from(at_ms);
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// Where the transcripts of a time begin.
pub(crate) fn transcripts_from(at_ms: i64) -> Vec<u8> {
    let mut key = Keyspace::Transcript.start();
    key.extend_from_slice(&u64::try_from(at_ms).unwrap_or_default().to_be_bytes());
    key
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_read_back_from_its_row_whatever_its_name() {
        let device = DeviceKey::from_text("00D09E-GW%2D1-S1");
        for name in ["reboot", "", "a\0b", "ü"] {
            let key = deadline(&device, "acme", name, 1_800_000_000);
            let read = deadline_of(&key).expect("a deadline");
            let wanted = (1_800_000_000, device.clone(), "acme".to_owned(), name.to_owned());
            assert_eq!((read.at, read.device, read.plugin, read.name), wanted);
        }
    }
}
