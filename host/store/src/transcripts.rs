//! Transcripts of sessions, in the order of time.

use sled::Batch;

use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::records::{StoredTranscript, TranscriptQuery};
use crate::sled_store::SledStore;

/// Rows that one query looks at: what is asked for may be rare.
const LOOKED_AT_MAX: usize = 20_000;

impl SledStore {
    /// The rows of transcripts. Compresses: not for the runtime's own threads.
    pub(crate) fn transcript_rows(
        &self,
        transcripts: Vec<StoredTranscript>,
    ) -> Result<Batch, StoreError> {
        let mut batch = Batch::default();
        for StoredTranscript { at_ms, device, plugin, json } in transcripts {
            let key = keys::transcript(at_ms, self.db.generate_id()?, &device, &plugin);
            batch.insert(key, codec::write_compressed(&json)?);
        }
        Ok(batch)
    }

    /// Blocks.
    pub(crate) fn read_transcripts(
        &self,
        query: &TranscriptQuery,
    ) -> Result<(Vec<StoredTranscript>, Option<Vec<u8>>), StoreError> {
        let mut start = keys::transcripts_from(query.since_ms);
        if let Some(after) = &query.after {
            start = start.max([after.as_slice(), &[0]].concat());
        }
        let end = keys::transcripts_from(i64::MAX);
        let mut found = Vec::new();
        for (number, row) in self.db.range(start..end).enumerate() {
            let (key, value) = row?;
            let Some((at_ms, device, plugin)) = keys::transcript_of(&key) else { continue };
            let is_wanted = query.device.as_ref().is_none_or(|it| *it == device)
                && query.plugin.as_ref().is_none_or(|it| *it == plugin);
            if is_wanted {
                let json = codec::read_compressed("transcript", device.as_str(), &value)?;
                found.push(StoredTranscript { at_ms, device, plugin, json });
            }
            if found.len() >= query.limit || number + 1 >= LOOKED_AT_MAX {
                return Ok((found, Some(key.to_vec())));
            }
        }
        Ok((found, None))
    }
}
