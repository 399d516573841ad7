//! The deadlines of plugins, in the order of time.

use std::ops::Bound;

use crate::error::StoreError;
use crate::keys::{self, Keyspace};
use crate::records::Deadline;
use crate::sled_store::SledStore;

/// The row of a deadline.
pub(crate) fn key(it: &Deadline) -> Vec<u8> {
    keys::deadline(&it.device, &it.plugin, &it.name, it.at)
}

impl SledStore {
    /// Blocks.
    pub(crate) fn read_due_deadlines(
        &self,
        now: u64,
        after: Option<&Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        let mut end = Keyspace::Deadline.start();
        end.extend(now.saturating_add(1).to_be_bytes());
        let start = match after.map(key) {
            // sled does not take a range that ends before it begins.
            Some(after) if after >= end => return Ok(Vec::new()),
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(Keyspace::Deadline.start()),
        };
        let rows = self.db.range::<Vec<u8>, _>((start, Bound::Excluded(end))).keys().take(limit);
        rows.map(|key| Ok(keys::deadline_of(&key?))).filter_map(Result::transpose).collect()
    }
}
