//! Faults of all devices.

use std::ops::Bound;

use crate::codec;
use crate::error::StoreError;
use crate::keys::{Keyspace, device_of};
use crate::records::{DeviceKey, Fault, FaultQuery, Page};
use crate::sled_store::SledStore;

/// Faults that one query looks at: what is asked for may be rare.
const LOOKED_AT_MAX: usize = 20_000;

impl SledStore {
    /// Blocks.
    pub(crate) fn read_faults(
        &self,
        query: &FaultQuery,
    ) -> Result<Page<(DeviceKey, Fault)>, StoreError> {
        let prefix = Keyspace::Fault.start();
        let start = match &query.after {
            Some(after) if *after >= prefix => Bound::Excluded(after.clone()),
            _ => Bound::Included(prefix.clone()),
        };
        let mut found = Vec::new();
        let rows = self.db.range::<Vec<u8>, _>((start, Bound::Unbounded));
        for (number, row) in rows.enumerate() {
            let (key, value) = row?;
            if !key.starts_with(&prefix) {
                break;
            }
            let Some(device) = device_of(&key) else { continue };
            let fault: Fault = codec::read("fault", device.as_str(), &value)?;
            let ran = fault.plugin.as_ref().map(|(name, _)| name);
            if fault.at_ms >= query.since_ms
                && query.plugin.as_ref().is_none_or(|it| ran == Some(it))
            {
                found.push((device, fault));
            }
            if found.len() >= query.limit || number + 1 >= LOOKED_AT_MAX {
                return Ok(Page { found, next: Some(key.to_vec()) });
            }
        }
        Ok(Page { found, next: None })
    }
}
