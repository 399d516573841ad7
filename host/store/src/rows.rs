//! Rows of which each device has one.

use serde::de::DeserializeOwned;

use crate::codec;
use crate::error::StoreError;
use crate::keys::{Keyspace, device_of};
use crate::records::DeviceKey;
use crate::sled_store::SledStore;

impl SledStore {
    /// Up to `limit` rows of a keyspace in which each device has one, after one device's.
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
        for row in self.db.range(start..).take(limit) {
            let (key, value) = row?;
            if !key.starts_with(&keyspace.start()) {
                break;
            }
            if let Some(device) = device_of(&key) {
                let record = codec::read(kind, device.as_str(), &value)?;
                rows.push((device, record));
            }
        }
        Ok(rows)
    }
}
