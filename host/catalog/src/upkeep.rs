//! What is done from time to time: trials are judged, and what versions have done is kept.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use trellis_store::{PluginRecord, Shadow, Trial};

use crate::catalog::Catalog;
use crate::changes::By;
use crate::fit::Fit;
use crate::state::with_counters;
use crate::trial::verdict;
use crate::versions::end_trial;

/// How often trials are judged.
const JUDGE_EVERY: Duration = Duration::from_secs(1);

/// How often what versions have done is kept.
const KEEP_EVERY: u32 = 30;

/// Differences of a shadow that are kept.
const SHADOW_LAST_MAX: usize = 100;

impl Catalog {
    /// Keeps what a shadow was found to do, with its counters.
    pub async fn note_shadow(&self, name: &str, digest: &str, note: impl FnOnce(&mut Shadow)) {
        let mut state = self.0.state.lock().await;
        let shadow = state.records.get_mut(name).and_then(|record| record.shadow.as_mut());
        if let Some(shadow) = shadow.filter(|it| it.digest == digest) {
            note(shadow);
            let surplus = shadow.last.len().saturating_sub(SHADOW_LAST_MAX);
            shadow.last.drain(..surplus);
            let name = name.to_owned();
            state.noted.insert(name);
        }
    }

    /// Judges trials and keeps what versions have done, until `stop`.
    pub async fn keep_up(self, stop: CancellationToken) {
        let mut round = 0_u32;
        while stop.run_until_cancelled(tokio::time::sleep(JUDGE_EVERY)).await.is_some() {
            self.judge().await;
            round = round.wrapping_add(1);
            if round.is_multiple_of(KEEP_EVERY) {
                self.keep_counters().await;
                self.sweep_compiled().await;
            }
        }
        self.keep_counters().await;
    }

    /// Ends trials that go badly.
    async fn judge(&self) {
        let state = self.0.state.lock().await;
        let failed: Vec<(String, Trial, String)> = state
            .records
            .values()
            .filter_map(|record| {
                let record = with_counters(record, &state.loaded);
                let trial = record.trial.as_ref()?;
                let done = |digest: &str| record.version(digest).map(|it| &it.counters);
                let tried = done(&trial.digest)?;
                let others = done(record.active.as_deref()?)?;
                let why = verdict(trial, tried, others, &self.0.settings.trial)?;
                Some((record.name.clone(), trial.clone(), why))
            })
            .collect();
        drop(state);
        for (name, judged, why) in failed {
            tracing::error!(plugin = name, "a version on trial is taken back: {why}");
            metrics::counter!("trellis_plugin_trials_failed_total", "plugin" => name.clone())
                .increment(1);
            let end = |record: &mut PluginRecord| {
                // Another may have begun since.
                if record.trial.as_ref() == Some(&judged) {
                    end_trial(record, &format!("was taken back: {why}"));
                }
                Ok(())
            };
            if let Err(error) = self.change_with(&name, end, Fit::Any, By::Itself).await {
                tracing::error!(plugin = name, %error, "a trial that goes badly could not be ended");
            }
        }
    }

    /// Keeps what versions have done. What was done after that is lost with a crash.
    async fn keep_counters(&self) {
        let mut state = self.0.state.lock().await;
        let current: Vec<PluginRecord> =
            state.records.values().map(|it| with_counters(it, &state.loaded)).collect();
        let changed: Vec<PluginRecord> = current
            .into_iter()
            .filter(|record| {
                state.records.get(&record.name) != Some(record)
                    || state.noted.contains(&record.name)
            })
            .collect();
        if changed.is_empty() {
            return;
        }
        if let Err(error) = self.0.store.set_plugins(&changed).await {
            tracing::warn!(%error, "what plugins have done was not kept");
            return;
        }
        state.noted.clear();
        state.records.extend(changed.into_iter().map(|record| (record.name.clone(), record)));
    }
}
