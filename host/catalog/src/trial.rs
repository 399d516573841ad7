//! Whether a version on trial does worse than the one that serves the others.

use std::collections::BTreeMap;

use trellis_store::{PluginCounters, Trial};

/// When a trial is ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialSettings {
    /// Runs of the new version before it is judged. Default 20.
    pub runs_min: u64,
    /// How much its rate of faults may exceed the old version's, in percent of its runs. Default 5.
    pub margin_percent: u32,
}

impl Default for TrialSettings {
    fn default() -> Self {
        Self { runs_min: 20, margin_percent: 5 }
    }
}

/// Why a trial must end, if it must.
pub(crate) fn verdict(
    trial: &Trial,
    tried: &PluginCounters,
    others: &PluginCounters,
    settings: &TrialSettings,
) -> Option<String> {
    let (runs, faults) = since(tried, &trial.since);
    if runs < settings.runs_min.max(1) {
        return None;
    }
    let (other_runs, other_faults) = since(others, &trial.others_since);
    let rate = percent(faults, runs);
    // Nobody else has run: then it must do well by itself.
    let other_rate = if other_runs == 0 { 0.0 } else { percent(other_faults, other_runs) };
    (rate > other_rate + f64::from(settings.margin_percent)).then(|| {
        let kinds = kinds(tried, &trial.since);
        format!(
            "{faults} of {runs} runs failed ({rate:.1} %: {kinds}), of the other version \
             {other_faults} of {other_runs} ({other_rate:.1} %)"
        )
    })
}

/// Runs and faulty runs since a time.
fn since(now: &PluginCounters, then: &PluginCounters) -> (u64, u64) {
    let runs = now.runs.saturating_sub(then.runs);
    (runs, now.faulty().saturating_sub(then.faulty()))
}

fn kinds(now: &PluginCounters, then: &PluginCounters) -> String {
    let new: BTreeMap<&str, u64> = now
        .faults
        .iter()
        .map(|(kind, count)| {
            (kind.as_str(), count.saturating_sub(then.faults.get(kind).copied().unwrap_or(0)))
        })
        .filter(|(_, count)| *count > 0)
        .collect();
    new.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

fn percent(part: u64, whole: u64) -> f64 {
    // Counts of one trial are far below what a double tells apart.
    let double = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    100.0 * double(part) / double(whole.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(runs: u64, faults: u64) -> PluginCounters {
        let faults = [("trap".to_owned(), faults)].into();
        PluginCounters { runs, faults, ..PluginCounters::default() }
    }

    #[test]
    fn a_trial_ends_when_its_rate_of_faults_exceeds_the_others_by_more_than_the_margin() {
        let trial = Trial {
            digest: String::new(),
            share: 1_000,
            since: counters(100, 100),
            others_since: counters(1_000, 0),
        };
        for (tried, others, ends) in [
            // Too few runs to tell.
            (counters(119, 119), counters(2_000, 0), false),
            (counters(120, 102), counters(2_000, 0), true),
            // 5 % is the margin.
            (counters(200, 105), counters(2_000, 0), false),
            (counters(200, 106), counters(2_000, 0), true),
            // The others fail as often.
            (counters(200, 150), counters(2_000, 500), false),
            (counters(120, 102), counters(1_000, 0), true),
        ] {
            let verdict = verdict(&trial, &tried, &others, &TrialSettings::default());
            assert_eq!(verdict.is_some(), ends, "{tried:?} {others:?}: {verdict:?}");
        }
    }
}
