//! Records as bytes: a version, then the content.

use std::io::Read;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// The version of every record that this program writes. A later one reads the earlier ones.
const VERSION: u8 = 1;

/// zstd's fastest ordinary level: trees shrink tenfold with it, and more costs only time.
const LEVEL: i32 = 1;

/// No tree part is larger once decompressed; a record that claims more is broken.
const DECOMPRESSED_BYTES_MAX: u64 = 1 << 30;

/// Writes a record.
pub(crate) fn write<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(record, vec![VERSION]).map_err(|error| StoreError::Write(error.to_string()))
}

/// Reads a record of the given kind, which belongs to `key`.
pub(crate) fn read<T: DeserializeOwned>(
    kind: &'static str,
    key: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    let corrupt = |reason: String| StoreError::Corrupt { kind, key: key.to_owned(), reason };
    match bytes.split_first() {
        Some((&VERSION, content)) => {
            postcard::from_bytes(content).map_err(|error| corrupt(error.to_string()))
        }
        Some((version, _)) => Err(corrupt(format!("it has version {version}"))),
        None => Err(corrupt("it is empty".to_owned())),
    }
}

/// Writes a record that is large and repeats itself.
pub(crate) fn write_compressed<T: Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    let plain = write(record)?;
    zstd::bulk::compress(&plain, LEVEL).map_err(|error| StoreError::Write(error.to_string()))
}

/// Reads such a record.
pub(crate) fn read_compressed<T: DeserializeOwned>(
    kind: &'static str,
    key: &str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    let mut plain = Vec::new();
    zstd::stream::Decoder::new(bytes)
        .and_then(|decoder| decoder.take(DECOMPRESSED_BYTES_MAX).read_to_end(&mut plain))
        .map_err(|error| StoreError::Corrupt {
            kind,
            key: key.to_owned(),
            reason: format!("it cannot be decompressed: {error}"),
        })?;
    read(kind, key, &plain)
}
