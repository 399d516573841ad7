//! Shadows: versions that are run over what the ones that serve did.
//!
//! One run at a time, and never for long: a shadow has what live sessions leave over. Sessions for
//! which there is no time are left out, and counted.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use trellis_plugin_host::Plugin;
use trellis_rehearsal::replay;
use trellis_store::{Shadow, ShadowDifference};

use crate::conversation::cut;
use crate::metric::limit_reached;
use crate::queue::{Queue, Waiting, Waits};
use crate::sessions::Sessions;
use crate::transcripts::SessionTranscript;

/// Sessions that wait to be run over: most are small, and all together have room for so many bytes.
pub(crate) const SHADOWED_MAX: usize = 4_096;

/// How long one run of a shadow may take.
const RUN_MAX: Duration = Duration::from_secs(5);

/// How long others have their turn after a run, in times that it took.
const PAUSE: u32 = 3;

/// A session, and the version that is to be run over it.
pub(crate) struct Shadowed(SessionTranscript, Arc<Plugin>);

impl Sessions {
    /// Has a session of so many bytes run over by its plugin's shadow, if it has one and there is time.
    pub(crate) fn shadow(
        &self,
        session: SessionTranscript,
        bytes: usize,
        shadows: &Queue<Shadowed>,
    ) {
        let Some(shadow) = self.0.acs.catalog.shadow(&session.plugin) else { return };
        if shadow.digest != session.digest {
            shadows.hand_over(Shadowed(session, shadow), bytes, "shadows");
        }
    }

    /// Runs shadows over what waits, until `stop`.
    pub(crate) async fn keep_shadows(
        self,
        mut waiting: Waiting<Shadowed>,
        stop: CancellationToken,
    ) {
        while let Some(Some(Waits(Shadowed(session, shadow), room))) =
            stop.run_until_cancelled(waiting.recv()).await
        {
            // It was ended, or is another one, since.
            let current = self.0.acs.catalog.shadow(&session.plugin);
            if current.is_none_or(|it| it.digest != shadow.digest) {
                continue;
            }
            let since = Instant::now();
            let compared = self.hold_against(&session, shadow);
            if stop.run_until_cancelled(compared).await.is_none() {
                return;
            }
            drop((session, room));
            let pause = since.elapsed().saturating_mul(PAUSE);
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Runs a shadow over what the plugin did, and notes where it decides otherwise. Nothing of what
    /// it does reaches anything.
    async fn hold_against(&self, session: &SessionTranscript, shadow: Arc<Plugin>) {
        let (mut runs, mut same, mut skipped, mut unanswered) = (0, 0, 0, 0);
        let mut found = Vec::new();
        for transcript in &session.runs {
            let replayed = replay(Arc::clone(&shadow), transcript, &session.digest, None);
            let Ok(replayed) = tokio::time::timeout(RUN_MAX, replayed).await else {
                limit_reached("shadow_time");
                skipped += 1;
                continue;
            };
            let Ok(replayed) = replayed else {
                skipped += 1;
                continue;
            };
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
            kept.skipped += skipped;
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
        self.0.acs.catalog.note_shadow(&session.plugin, &digest, note).await;
    }
}
