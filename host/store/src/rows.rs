//! Rows of which each device has one.

use serde::de::DeserializeOwned;

use crate::codec;
use crate::error::StoreError;
use crate::keys::{Keyspace, device_of};
use crate::records::DeviceKey;
use crate::sled_store::SledStore;

impl SledStore {
    /// Up to `limit` rows of a keyspace in which each device has one, after one device's. One that
    /// cannot be read is told in the log, and is in the way of no other.
    pub(crate) fn rows_by_device<T: DeserializeOwned>(
        &self,
        keyspace: Keyspace,
        kind: &'static str,
        after: Option<&DeviceKey>,
        limit: usize,
    ) -> Result<Vec<(DeviceKey, T)>, StoreError> {
        let start = match after {
            // The end mark is zero, so the next key is past it.
            Some(device) => keyspace.row(device, &[0]),
            None => keyspace.start(),
        };
        let mut rows = Vec::new();
        for row in self.db.range(start..) {
            let (key, value) = row?;
            if rows.len() >= limit || !key.starts_with(&keyspace.start()) {
                break;
            }
            let Some(device) = device_of(&key) else { continue };
            match codec::read(kind, device.as_str(), &value) {
                Ok(record) => rows.push((device, record)),
                Err(error) => tracing::error!(%error, "a record is left out"),
            }
        }
        Ok(rows)
    }
}
