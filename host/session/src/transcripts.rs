//! Transcripts: what plugins were told, asked and did, kept after the session is over.
//!
//! Sessions only hand over what was recorded; taking secrets out and writing are done by one task,
//! which may lag behind. Where it lags too far, transcripts are dropped and counted.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;
use trellis_plugin_host::{Recording, Redactor, Transcript};
use trellis_store::{DeviceKey, StoredTranscript};

use crate::queue::{Queue, Waits};
use crate::sessions::{Acs, Sessions};
use crate::shadow::{SHADOWED_MAX, Shadowed};

/// The plugin's part in a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionTranscript {
    /// When the session began, in milliseconds since 1970.
    pub began_ms: i64,
    /// The device.
    pub device: String,
    /// The plugin.
    pub plugin: String,
    /// What the version calls itself.
    pub version: String,
    /// The SHA-256 of its file.
    pub digest: String,
    /// What it did, hook by hook.
    pub runs: Vec<Transcript>,
}

/// A session that is over.
pub(crate) struct Recorded {
    pub(crate) began_ms: i64,
    pub(crate) device: DeviceKey,
    pub(crate) plugin: String,
    pub(crate) version: String,
    pub(crate) digest: String,
    pub(crate) recordings: Vec<Recording>,
}

/// Sessions that wait to be kept: most are small, and all together have room for so many bytes.
pub(crate) const WAITING_MAX: usize = 16_384;
/// Sessions that are kept at once.
const BATCH_MAX: usize = 256;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How often those that are too old are removed, and how many at once.
const DROP_EVERY: Duration = Duration::from_secs(60);
const DROP_MAX: usize = 50_000;

impl Acs {
    /// Has a session's recordings kept, if there are any and there is room.
    pub(crate) fn keep_recordings(&self, recorded: Recorded) {
        if !recorded.recordings.is_empty() {
            let bytes = recorded.recordings.iter().map(|it| it.bytes).sum();
            self.recorded.hand_over(recorded, bytes, "transcripts");
        }
    }
}

impl Sessions {
    /// Keeps transcripts, and removes those that are too old, until `stop`. To be stopped after the
    /// sessions.
    pub async fn keep_transcripts(self, stop: CancellationToken) {
        let waiting = self.0.waiting.lock().await.take();
        let Some(mut waiting) = waiting else { return };
        let key = match self.0.acs.store.secret().await {
            Ok(secret) => {
                Sha256::new().chain_update(b"transcripts").chain_update(secret).finalize().into()
            }
            Err(error) => {
                tracing::error!(%error, "no transcripts are kept");
                return;
            }
        };
        let bytes_max = self.0.acs.settings.transcript_queue_bytes;
        let (shadows, shadowed) = Queue::new(SHADOWED_MAX, bytes_max);
        let running = tokio::spawn(self.clone().keep_shadows(shadowed, stop.clone()));
        let mut dropped_at = tokio::time::Instant::now();
        let mut batch = Vec::new();
        loop {
            let next = stop.run_until_cancelled(tokio::time::timeout(
                DROP_EVERY,
                waiting.recv_many(&mut batch, BATCH_MAX),
            ));
            let stopped = next.await.is_none();
            if stopped {
                while batch.len() < WAITING_MAX
                    && let Ok(recorded) = waiting.try_recv()
                {
                    batch.push(recorded);
                }
            } else if !batch.is_empty() {
                stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
                while batch.len() < BATCH_MAX
                    && let Ok(recorded) = waiting.try_recv()
                {
                    batch.push(recorded);
                }
            }
            if !batch.is_empty() {
                self.keep(std::mem::take(&mut batch), key, &shadows).await;
            }
            if stopped {
                // It has the same end.
                let _ = running.await;
                return;
            }
            if dropped_at.elapsed() >= DROP_EVERY {
                dropped_at = tokio::time::Instant::now();
                self.drop_old().await;
            }
        }
    }

    async fn keep(&self, batch: Vec<Waits<Recorded>>, key: [u8; 32], shadows: &Queue<Shadowed>) {
        let count = batch.len();
        let made = tokio::task::spawn_blocking(move || {
            let sessions = batch.into_iter().map(|Waits(recorded, room)| {
                let session = session(recorded, key);
                drop(room);
                (stored(&session), session)
            });
            sessions.collect::<Vec<_>>()
        });
        let sessions = match made.await {
            Ok(sessions) => sessions,
            Err(error) => {
                tracing::error!(%error, "transcripts of {count} sessions could not be made");
                return;
            }
        };
        let mut transcripts = Vec::with_capacity(sessions.len());
        for (stored, session) in sessions {
            let Some(stored) = stored else { continue };
            self.shadow(session, stored.json.len(), shadows);
            transcripts.push(stored);
        }
        if let Err(error) = self.0.acs.store.add_transcripts(transcripts).await {
            tracing::warn!(%error, "transcripts of sessions were not kept");
        }
    }

    async fn drop_old(&self) {
        let Ok(time) = jiff::SignedDuration::try_from(self.0.acs.settings.transcript_time) else {
            return;
        };
        let before_ms = Timestamp::now().checked_sub(time).map(Timestamp::as_millisecond);
        let Ok(before_ms) = before_ms else { return };
        if let Err(error) = self.0.acs.store.drop_transcripts(before_ms, DROP_MAX).await {
            tracing::warn!(%error, "old transcripts were not removed");
        }
    }
}

fn session(recorded: Recorded, key: [u8; 32]) -> SessionTranscript {
    let Recorded { began_ms, device, plugin, version, digest, recordings } = recorded;
    let runs = Transcript::of(&recordings, &mut Redactor::new(key));
    SessionTranscript { began_ms, device: device.to_string(), plugin, version, digest, runs }
}

fn stored(session: &SessionTranscript) -> Option<StoredTranscript> {
    Some(StoredTranscript {
        at_ms: session.began_ms,
        device: DeviceKey::from_text(session.device.as_str()),
        plugin: session.plugin.clone(),
        json: serde_json::to_string(session).ok()?,
    })
}
