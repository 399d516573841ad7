//! Transcripts: what plugins were told, asked and did, kept after the session is over.
//!
//! Sessions only hand over what was recorded; taking secrets out and writing are done by one task,
//! which may lag behind. Where it lags too far, transcripts are dropped and counted.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use trellis_plugin_host::{Recording, Redactor, Transcript};
use trellis_rehearsal::replay;
use trellis_store::{DeviceKey, Shadow, ShadowDifference, StoredTranscript};

use crate::conversation::cut;
use crate::metric::limit_reached;
use crate::sessions::Sessions;

/// The plugin's part in a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
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

/// Where sessions hand over what was recorded.
pub(crate) struct Transcripts(mpsc::Sender<Recorded>);

/// What waits to be kept.
pub(crate) type Waiting = mpsc::Receiver<Recorded>;

/// Sessions that wait to be kept: each may have what is recorded of a few runs.
const WAITING_MAX: usize = 1_024;
/// Sessions that are kept at once.
const BATCH_MAX: usize = 256;
/// How long the first of a batch waits for others.
const GATHER: Duration = Duration::from_millis(500);
/// How often those that are too old are removed, and how many at once.
const DROP_EVERY: Duration = Duration::from_secs(60);
const DROP_MAX: usize = 50_000;

impl Transcripts {
    pub(crate) fn new() -> (Self, Waiting) {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        (Self(sender), waiting)
    }

    pub(crate) fn hand_over(&self, recorded: Recorded) {
        if !recorded.recordings.is_empty() && self.0.try_send(recorded).is_err() {
            limit_reached("transcripts");
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
                self.keep(std::mem::take(&mut batch), key).await;
            }
            if stopped {
                return;
            }
            if dropped_at.elapsed() >= DROP_EVERY {
                dropped_at = tokio::time::Instant::now();
                self.drop_old().await;
            }
        }
    }

    async fn keep(&self, batch: Vec<Recorded>, key: [u8; 32]) {
        let made = tokio::task::spawn_blocking(move || {
            batch.into_iter().map(|recorded| session(recorded, key)).collect::<Vec<_>>()
        });
        let Ok(sessions) = made.await else { return };
        for session in &sessions {
            self.hold_against_shadow(session).await;
        }
        let written = tokio::task::spawn_blocking(move || {
            sessions.into_iter().filter_map(|session| stored(&session)).collect()
        });
        let Ok(transcripts) = written.await else { return };
        if let Err(error) = self.0.acs.store.add_transcripts(transcripts).await {
            tracing::warn!(%error, "transcripts of sessions were not kept");
        }
    }

    /// Runs the plugin's shadow, if it has one, over what the plugin did, and notes where the shadow
    /// decides otherwise. Nothing of what it does reaches anything.
    async fn hold_against_shadow(&self, session: &SessionTranscript) {
        let catalog = &self.0.acs.catalog;
        let Some(shadow) = catalog.shadow(&session.plugin) else { return };
        if shadow.digest == session.digest {
            return;
        }
        let (mut runs, mut same, mut unanswered) = (0, 0, 0);
        let mut found = Vec::new();
        for transcript in session.runs.iter().filter(|it| !it.is_cut) {
            let Ok(replayed) = replay(Arc::clone(&shadow), transcript).await else { continue };
            runs += 1;
            same += u64::from(replayed.differences.is_empty() && replayed.unanswered.is_empty());
            unanswered += u64::try_from(replayed.unanswered.len()).unwrap_or(u64::MAX);
            found.extend(replayed.differences);
        }
        for difference in &found {
            let labels =
                [("plugin", session.plugin.clone()), ("kind", difference.kind.name().to_owned())];
            metrics::counter!("trellis_plugin_shadow_differences_total", &labels).increment(1);
        }
        let digest = shadow.digest.clone();
        let note = |kept: &mut Shadow| {
            kept.runs += runs;
            kept.same += same;
            kept.unanswered += unanswered;
            for it in found {
                let kind = it.kind.name().to_owned();
                *kept.differences.entry(kind.clone()).or_default() += 1;
                kept.last.push(ShadowDifference {
                    at_ms: session.began_ms,
                    device: session.device.clone(),
                    kind,
                    old: it.old.map(|text| cut(&text)),
                    new: it.new.map(|text| cut(&text)),
                });
            }
        };
        catalog.note_shadow(&session.plugin, &digest, note).await;
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
