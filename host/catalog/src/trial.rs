//! Whether a version on trial does worse than the one that serves the others.

use std::collections::BTreeMap;

use trellis_store::{PluginCounters, Trial};

/// When a trial is ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialSettings {
    /// Runs of the new version before it is judged. Default 20.
    pub runs_min: u64,
    /// How much its rate of faults may exceed the old version's, in percent of its runs, beside what
    /// chance explains. Default 5.
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
    let (mut other_runs, mut other_faults) = since(others, &trial.others_since);
    if other_runs < settings.runs_min {
        // It serves everybody, or almost: then the other version's past has to do.
        (other_runs, other_faults) = since(others, &PluginCounters::default());
    }
    let rate = percent(faults, runs);
    let other_rate = percent(other_faults, other_runs);
    let chance = CHANCE * (variance(rate, runs) + variance(other_rate, other_runs)).sqrt();
    (rate - other_rate - f64::from(settings.margin_percent) > chance).then(|| {
        let kinds = kinds(tried, &trial.since);
        format!(
            "{faults} of {runs} runs failed ({rate:.1} %: {kinds}), of the other version \
             {other_faults} of {other_runs} ({other_rate:.1} %)"
        )
    })
}

/// How many standard deviations of a difference are more than chance: trials are judged often.
const CHANCE: f64 = 2.5;

/// What is no failed run of a version: the server had no room, or a limit was reached and the run went
/// on. That a device hangs up may well be one: of a version that takes too long, or asks what the device
/// cannot bear.
const NO_FAULT: [&str; 6] = ["busy", "host", "log", "memory-store", "http", "facts"];

/// Runs and faulty runs since a time.
fn since(now: &PluginCounters, then: &PluginCounters) -> (u64, u64) {
    let faulty = |counters: &PluginCounters| -> u64 {
        let kinds = counters.faults.iter();
        kinds.filter(|(kind, _)| !NO_FAULT.contains(&kind.as_str())).map(|(_, count)| count).sum()
    };
    let runs = now.runs.saturating_sub(then.runs);
    (runs, faulty(now).saturating_sub(faulty(then)))
}

/// The variance of a rate in percent that was seen in so many runs.
fn variance(rate: f64, runs: u64) -> f64 {
    rate * (100.0 - rate) / double(runs.max(1))
}

fn kinds(now: &PluginCounters, then: &PluginCounters) -> String {
    let new: BTreeMap<&str, u64> = now
        .faults
        .iter()
        .map(|(kind, count)| {
            (kind.as_str(), count.saturating_sub(then.faults.get(kind).copied().unwrap_or(0)))
        })
        .filter(|(kind, count)| *count > 0 && !NO_FAULT.contains(kind))
        .collect();
    new.iter().map(|(kind, count)| format!("{kind} {count}")).collect::<Vec<_>>().join(", ")
}

fn percent(part: u64, whole: u64) -> f64 {
    100.0 * double(part) / double(whole.max(1))
}

/// Counts of one trial are far below what a double tells apart.
fn double(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(runs: u64, faults: u64) -> PluginCounters {
        let faults = [("trap".to_owned(), faults)].into();
        PluginCounters { runs, faults, ..PluginCounters::default() }
    }

    fn trial(since: PluginCounters, others_since: PluginCounters) -> Trial {
        Trial { digest: String::new(), share: 1_000, since, others_since }
    }

    #[test]
    fn two_versions_that_fail_equally_often_are_hardly_ever_told_apart() {
        let trial = trial(counters(0, 0), counters(0, 0));
        // Judged after each run, as often as can be; both fail in one of ten.
        let mut seed = 1_u64;
        let mut random = || {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            seed >> 33
        };
        let mut ended = 0;
        for _ in 0..200 {
            let (mut tried, mut others) = ((0, 0), (0, 0));
            for _ in 0..500 {
                tried = (tried.0 + 1, tried.1 + u64::from(random() % 10 == 0));
                for _ in 0..9 {
                    others = (others.0 + 1, others.1 + u64::from(random() % 10 == 0));
                }
                let (tried, others) = (counters(tried.0, tried.1), counters(others.0, others.1));
                if verdict(&trial, &tried, &others, &TrialSettings::default()).is_some() {
                    ended += 1;
                    break;
                }
            }
        }
        assert!(ended <= 10, "{ended} of 200");
    }

    #[test]
    fn a_version_on_which_devices_hang_up_is_taken_back_and_one_without_room_is_not() {
        let trial = trial(counters(0, 0), counters(0, 0));
        for (kind, ends) in [("ended", true)].into_iter().chain(NO_FAULT.map(|it| (it, false))) {
            let faults = [(kind.to_owned(), 90)].into();
            let tried = PluginCounters { runs: 100, faults, ..PluginCounters::default() };
            let verdict = verdict(&trial, &tried, &counters(1_000, 0), &TrialSettings::default());
            assert_eq!(verdict.is_some(), ends, "{kind}");
        }
    }

    #[test]
    fn a_trial_ends_when_its_rate_of_faults_exceeds_the_others_by_more_than_the_margin() {
        let trial = trial(counters(100, 100), counters(1_000, 0));
        for (tried, others, ends) in [
            // Too few runs to tell.
            (counters(119, 119), counters(2_000, 0), false),
            (counters(120, 120), counters(2_000, 0), true),
            // Two of twenty may be chance.
            (counters(120, 102), counters(2_000, 0), false),
            // 5 % is the margin, and with many runs a little more is no chance.
            (counters(200, 105), counters(2_000, 0), false),
            (counters(10_100, 600), counters(20_000, 0), false),
            (counters(10_100, 800), counters(20_000, 0), true),
            // The others fail as often.
            (counters(200, 150), counters(2_000, 500), false),
            // Nobody else has run: then what the other has done before counts.
            (counters(120, 110), counters(1_000, 0), true),
            (counters(120, 110), counters(1_000, 500), false),
        ] {
            let verdict = verdict(&trial, &tried, &others, &TrialSettings::default());
            assert_eq!(verdict.is_some(), ends, "{tried:?} {others:?}: {verdict:?}");
        }
    }
}
