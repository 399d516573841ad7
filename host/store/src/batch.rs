//! What a session has learned, as one batch of rows: all or nothing.

use sled::Batch;

use crate::aliases::Aliases;
use crate::codec;
use crate::commit::limit_reached;
use crate::error::StoreError;
use crate::keys::{self, Keyspace, row_of};
use crate::records::*;
use crate::sled_store::{SledStore, informed_changes, now_ms};
use crate::transfers::{Merged, merge};
use crate::tree::{Applied, Tree, TreeChange};

impl SledStore {
    /// Adds rows to a device's history and drops the oldest beyond the limit.
    fn append(
        &self,
        batch: &mut Batch,
        keyspace: Keyspace,
        device: &DeviceKey,
        rows: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        if rows.is_empty() {
            return Ok(());
        }
        let prefix = keyspace.device(device);
        let old = self.db.scan_prefix(&prefix).keys().collect::<Result<Vec<_>, _>>()?;
        let surplus = (old.len() + rows.len()).saturating_sub(self.settings.history_max);
        old.into_iter().take(surplus).for_each(|key| batch.remove(key));
        self.add(batch, keyspace, device, rows)
    }

    /// Adds rows after those that a device has.
    fn add(
        &self,
        batch: &mut Batch,
        keyspace: Keyspace,
        device: &DeviceKey,
        rows: Vec<Vec<u8>>,
    ) -> Result<(), StoreError> {
        for row in rows {
            let number = self.db.generate_id()?;
            batch.insert(keyspace.row(device, &number.to_be_bytes()), row);
        }
        Ok(())
    }

    pub(crate) fn write_tree(
        &self,
        batch: &mut Batch,
        device: &DeviceKey,
        known: Tree,
        changes: impl Iterator<Item = TreeChange>,
    ) -> Result<(), StoreError> {
        let mut tree = known;
        let (names_max, bytes_max) =
            (self.settings.tree_names_max, self.settings.tree_value_bytes_max);
        let (mut news, mut refused) = (0_usize, 0_usize);
        let mut aliases = Aliases::default();
        for change in changes {
            let change = aliases.resolve(&mut tree, change);
            match tree.apply_within(change, names_max, bytes_max) {
                Applied::News => news += 1,
                Applied::Known => {}
                Applied::Refused => refused += 1,
            }
        }
        if refused > 0 {
            limit_reached("tree");
            tracing::warn!(%device, refused, "no room for more or for larger parameters of a device");
        }
        if news == 0 {
            return Ok(());
        }
        let parts = tree.parts(self.settings.tree_part_bytes);
        let prefix = Keyspace::Tree.device(device);
        for row in self.db.scan_prefix(&prefix) {
            let (key, _) = row?;
            let part = std::str::from_utf8(row_of(&key)).unwrap_or_default();
            if !parts.contains_key(part) {
                batch.remove(key);
            }
        }
        for (part, entries) in parts {
            let key = Keyspace::Tree.row(device, part.as_bytes());
            batch.insert(key, codec::write_compressed(&entries)?);
        }
        Ok(())
    }

    pub(crate) fn batch(&self, device: &DeviceKey, changes: Changes) -> Result<Batch, StoreError> {
        let Changes { mut header, tree, notes, tasks, transfers, faults, session } = changes;
        let mut batch = Batch::default();
        if !tree.is_empty() {
            // What Informs told is older than what the session read, and goes in first.
            let informed = header.as_mut().map(|header| std::mem::take(&mut header.informed));
            let changes = informed_changes(informed.unwrap_or_default()).chain(tree);
            self.write_tree(&mut batch, device, self.read_tree(device)?, changes)?;
        }
        if let Some(header) = &header {
            batch.insert(Keyspace::Header.device(device), codec::write(header)?);
        }
        if let Some((plugin, notes)) = notes {
            self.write_notes(&mut batch, device, &plugin, &notes)?;
        }
        let mut done = Vec::new();
        for (id, task) in &tasks {
            let open = Keyspace::OpenTask.row(device, &id.0.to_be_bytes());
            if task.result.is_some() {
                batch.remove(open);
                done.push(codec::write(&(id.0, task))?);
            } else {
                batch.insert(open, codec::write(task)?);
            }
        }
        self.append(&mut batch, Keyspace::DoneTask, device, done)?;
        self.write_transfers(&mut batch, device, transfers)?;
        let faults = faults.iter().map(codec::write).collect::<Result<_, _>>()?;
        self.append(&mut batch, Keyspace::Fault, device, faults)?;
        let session = session.iter().map(codec::write).collect::<Result<_, _>>()?;
        self.append(&mut batch, Keyspace::Session, device, session)?;
        Ok(batch)
    }

    /// Keeps what a plugin notes, and moves its deadlines to where they are looked for.
    fn write_notes(
        &self,
        batch: &mut Batch,
        device: &DeviceKey,
        plugin: &str,
        notes: &Notes,
    ) -> Result<(), StoreError> {
        let key = Keyspace::Notes.row(device, plugin.as_bytes());
        let known = self.read_notes(device, plugin)?;
        for (name, at) in &known.deadlines {
            if notes.deadlines.get(name) != Some(at) {
                batch.remove(keys::deadline(device, plugin, name, *at));
            }
        }
        for (name, at) in &notes.deadlines {
            batch.insert(keys::deadline(device, plugin, name, *at), &[]);
        }
        if *notes == Notes::default() {
            batch.remove(key);
        } else {
            batch.insert(key, codec::write(notes)?);
        }
        Ok(())
    }

    fn write_transfers(
        &self,
        batch: &mut Batch,
        device: &DeviceKey,
        transfers: Vec<Transfer>,
    ) -> Result<(), StoreError> {
        if transfers.is_empty() {
            return Ok(());
        }
        let known = self.rows::<Transfer>(Keyspace::Transfer, "transfer", device)?;
        let Merged { changed, added, dropped } =
            merge(known, transfers, now_ms(), self.settings.history_max);
        for (row, transfer) in changed {
            batch.insert(Keyspace::Transfer.row(device, &row), codec::write(&transfer)?);
        }
        for row in dropped {
            batch.remove(Keyspace::Transfer.row(device, &row));
        }
        let added = added.iter().map(codec::write).collect::<Result<_, _>>()?;
        self.add(batch, Keyspace::Transfer, device, added)
    }
}
