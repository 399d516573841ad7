//! Transcripts of sessions, in the order of time.
//!
//! They are alike, and there are as many as sessions: those that are added together are compressed
//! together, with what a query asks for in front.

use serde::{Deserialize, Serialize};
use sled::Batch;

use crate::codec;
use crate::error::StoreError;
use crate::keys::{self, Keyspace};
use crate::records::{DeviceKey, Page, StoredTranscript, TranscriptQuery};
use crate::sled_store::SledStore;

/// Transcripts that one query looks at: what is asked for may be rare.
const LOOKED_AT_MAX: usize = 20_000;

/// A page that is larger takes no further transcript, in bytes of JSON.
const PAGE_BYTES: usize = 8 << 20;

/// A block that is larger takes no further transcript, in bytes of JSON.
const BLOCK_BYTES: usize = 256 << 10;

/// Transcripts that were added together.
#[derive(Serialize, Deserialize)]
struct Block {
    heads: Vec<Head>,
    /// Their texts, compressed.
    texts: Vec<u8>,
}

/// What a query asks for.
#[derive(Serialize, Deserialize)]
struct Head {
    at_ms: i64,
    device: DeviceKey,
    plugin: String,
}

impl SledStore {
    /// The rows of transcripts. Compresses: not for the runtime's own threads.
    pub(crate) fn transcript_rows(
        &self,
        mut transcripts: Vec<StoredTranscript>,
    ) -> Result<Batch, StoreError> {
        transcripts.sort_by_key(|it| it.at_ms);
        let mut batch = Batch::default();
        let mut transcripts = transcripts.into_iter().peekable();
        while transcripts.peek().is_some() {
            let (mut heads, mut texts, mut bytes, mut last_ms) = (Vec::new(), Vec::new(), 0, 0);
            while bytes < BLOCK_BYTES
                && let Some(StoredTranscript { at_ms, device, plugin, json }) = transcripts.next()
            {
                bytes += json.len();
                last_ms = at_ms;
                heads.push(Head { at_ms, device, plugin });
                texts.push(json);
            }
            let block = Block { heads, texts: codec::write_compressed(&texts)? };
            // By the last of them: what is older than a row's time is older than all that it holds.
            batch.insert(keys::transcripts(last_ms, self.db.generate_id()?), codec::write(&block)?);
        }
        Ok(batch)
    }

    /// What removes up to `limit` rows from before a time. Blocks.
    pub(crate) fn old_transcripts(
        &self,
        before_ms: i64,
        limit: usize,
    ) -> Result<Batch, StoreError> {
        let old = Keyspace::Transcript.start()..keys::transcripts_from(before_ms);
        let mut batch = Batch::default();
        for key in self.db.range(old).keys().take(limit) {
            batch.remove(key?);
        }
        Ok(batch)
    }

    /// Blocks.
    pub(crate) fn read_transcripts(
        &self,
        query: &TranscriptQuery,
    ) -> Result<Page<StoredTranscript>, StoreError> {
        let (mut start, mut skipped) = (keys::transcripts_from(query.since_ms), 0);
        if let Some((key, place)) = query.after.as_deref().and_then(place_of)
            && key >= start.as_slice()
        {
            (start, skipped) = (key.to_vec(), place);
        }
        let is_wanted = |head: &Head| {
            head.at_ms >= query.since_ms
                && query.device.as_ref().is_none_or(|it| *it == head.device)
                && query.plugin.as_ref().is_none_or(|it| *it == head.plugin)
        };
        let end = keys::transcripts_from(i64::MAX);
        let (mut found, mut looked_at, mut bytes) = (Vec::new(), 0, 0);
        for row in self.db.range(start.clone()..end) {
            let (key, value) = row?;
            let Block { heads, texts } = codec::read("transcripts", "", &value)?;
            let skip = if *key == *start { skipped } else { 0 };
            // Most blocks hold nothing of a device that is asked for.
            let mut opened: Option<Vec<String>> = None;
            for (number, head) in heads.into_iter().enumerate().skip(skip) {
                looked_at += 1;
                if is_wanted(&head) {
                    let texts = match &mut opened {
                        Some(texts) => texts,
                        none => none.insert(codec::read_compressed("transcripts", "", &texts)?),
                    };
                    let json = texts.get_mut(number).map(std::mem::take).unwrap_or_default();
                    let Head { at_ms, device, plugin } = head;
                    bytes += json.len();
                    found.push(StoredTranscript { at_ms, device, plugin, json });
                }
                let is_full = found.len() >= query.limit || bytes >= PAGE_BYTES;
                if is_full || looked_at >= LOOKED_AT_MAX {
                    return Ok(Page { found, next: Some(place(&key, number + 1)) });
                }
            }
        }
        Ok(Page { found, next: None })
    }
}

/// A place among the transcripts: a row, and how many of its transcripts are before.
fn place(key: &[u8], before: usize) -> Vec<u8> {
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    [key, &before.to_be_bytes()].concat()
}

fn place_of(place: &[u8]) -> Option<(&[u8], usize)> {
    let (key, before) = place.split_last_chunk::<4>()?;
    Some((key, usize::try_from(u32::from_be_bytes(*before)).ok()?))
}
