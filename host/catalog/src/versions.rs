//! What happens to the versions of one plugin. Nothing here is loaded or stored.

use trellis_store::{PluginCounters, PluginRecord, PluginVersion, Shadow, Trial};

use crate::error::CatalogError;

/// Versions that served before and can be gone back to.
const EARLIER_MAX: usize = 20;

/// Digits of a digest that name a version.
const DIGEST_DIGITS_MIN: usize = 8;

/// Versions that are gone and of which that is remembered.
const REMOVED_MAX: usize = 1_000;

/// What became of a version that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Took {
    /// It serves all devices of the plugin.
    Over,
    /// It serves a share of them.
    Share,
    /// It serves none, and runs beside the one that does.
    Shadow,
    /// It is kept and serves none, because the plugin is pinned to another version.
    Nothing,
    /// It was known and changed nothing.
    Known,
    /// It was known and could not be run; it goes on as what it was.
    PutRight,
    /// It is kept, or was removed by an operator, and nothing was changed: it serves nobody.
    Unused,
}

/// How a version that is loaded is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It serves all devices of the plugin.
    Serve,
    /// It serves a share of them, in hundredths of a percent, if another version serves.
    Trial(u32),
    /// It serves none, and is run over what the one that serves did in each session.
    Shadow,
    /// It is kept, and serves none.
    Keep,
}

/// Adds a version that was loaded, if it is not known, and has it used so. `versions_max` are kept.
pub(crate) fn add(
    record: &mut PluginRecord,
    version: PluginVersion,
    how: Use,
    versions_max: usize,
) -> Took {
    let digest = version.digest.clone();
    record.removed.remove(&digest);
    if record.version(&digest).is_none() {
        record.versions.push(version);
    }
    let took = match (how, &record.active) {
        (Use::Serve, Some(active)) if *active == digest && record.trial.is_some() => {
            // Whoever loads it wants it to serve.
            end_trial(record, "was taken back: the other version was loaded again");
            Took::Over
        }
        (_, Some(active)) if *active == digest => Took::Known,
        (Use::Shadow, Some(_)) => {
            record.shadow = Some(Shadow { digest: digest.clone(), ..Shadow::default() });
            Took::Shadow
        }
        (Use::Keep, _) => Took::Unused,
        _ if record.is_pinned => Took::Nothing,
        (Use::Trial(share), Some(_)) => {
            begin_trial(record, &digest, share);
            Took::Share
        }
        _ => {
            activate(record, &digest);
            Took::Over
        }
    };
    drop_oldest(record, versions_max);
    took
}

/// Lets a version serve all devices of the plugin, which ends a trial, and its being a shadow.
pub(crate) fn activate(record: &mut PluginRecord, digest: &str) {
    record.trial = None;
    unshadow(record, digest);
    if record.active.as_deref() == Some(digest) {
        return;
    }
    if let Some(active) = record.active.replace(digest.to_owned()) {
        record.earlier.retain(|it| *it != active && it != digest);
        record.earlier.push(active);
        let surplus = record.earlier.len().saturating_sub(EARLIER_MAX);
        record.earlier.drain(..surplus);
    }
}

/// A version is not its own shadow.
fn unshadow(record: &mut PluginRecord, digest: &str) {
    if record.shadow.as_ref().is_some_and(|shadow| shadow.digest == digest) {
        record.shadow = None;
    }
}

/// Ends a trial, and notes how.
pub(crate) fn end_trial(record: &mut PluginRecord, how: &str) {
    if let Some(trial) = record.trial.take() {
        record.last_trial = Some(format!("{} {how}", short(&trial.digest)));
    }
}

/// Goes back: from a trial to the version that serves the others, else to the version that served
/// before. `from` says what is to be left: where that was left already, nothing is done.
pub(crate) fn rollback(record: &mut PluginRecord, from: Option<&str>) -> Result<(), CatalogError> {
    let leaves = record.trial.as_ref().map(|trial| &trial.digest).or(record.active.as_ref());
    if let Some(from) = from {
        let wanted = find(record, from)?;
        if leaves != Some(&wanted.digest) {
            return Err(CatalogError::Refused(format!(
                "{from} is neither on trial nor the version that serves, so there is nothing to go \
                 back from"
            )));
        }
    }
    if record.trial.is_some() {
        end_trial(record, "was taken back by hand");
        return Ok(());
    }
    let Some(before) = record.earlier.pop() else {
        let name = &record.name;
        return Err(CatalogError::Unknown(format!("no version of {name} has served before")));
    };
    // The version that is gone back from is not gone back to.
    unshadow(record, &before);
    record.active = Some(before);
    Ok(())
}

/// Lets the version on trial serve all devices; without one, the shadow.
pub(crate) fn promote(record: &mut PluginRecord) -> Result<(), CatalogError> {
    let Some(trial) = record.trial.take() else {
        let Some(shadow) = record.shadow.take() else {
            let name = &record.name;
            return Err(CatalogError::Unknown(format!("no version of {name} is on trial")));
        };
        activate(record, &shadow.digest);
        return Ok(());
    };
    record.last_trial = Some(format!("{} serves all devices", short(&trial.digest)));
    activate(record, &trial.digest);
    Ok(())
}

/// The version that a text names: what it calls itself, if no other one does, or the begin of its
/// digest.
pub(crate) fn find<'a>(
    record: &'a PluginRecord,
    named: &str,
) -> Result<&'a PluginVersion, CatalogError> {
    // Fewer digits may be a slip.
    let is_digest = named.len() >= DIGEST_DIGITS_MIN;
    let mut meant = record
        .versions
        .iter()
        .filter(|it| it.version == named || (is_digest && it.digest.starts_with(named)));
    let unknown = |why: &str| {
        let name = &record.name;
        let kept: Vec<String> = record
            .versions
            .iter()
            .map(|it| format!("{} ({})", it.version, short(&it.digest)))
            .collect();
        let kept = kept.join(", ");
        Err(CatalogError::Unknown(format!("{why} {named:?} of the plugin {name}; it has {kept}")))
    };
    match (meant.next(), meant.next()) {
        (Some(version), None) => Ok(version),
        (Some(_), Some(_)) => {
            unknown("name one by the begin of its digest: there is more than one version")
        }
        (None, _) => unknown(
            "there is no version, and none whose digest begins with at least 8 digits of it,",
        ),
    }
}

/// Removes a version, which must not serve.
pub(crate) fn remove(record: &mut PluginRecord, digest: &str) -> Result<(), CatalogError> {
    let serves = record.active.as_deref() == Some(digest)
        || record.trial.as_ref().is_some_and(|trial| trial.digest == digest)
        || record.shadow.as_ref().is_some_and(|shadow| shadow.digest == digest);
    if serves {
        let version = short(digest);
        return Err(CatalogError::Refused(format!(
            "the version {version} serves devices, or is tried; let another one serve first, or \
             remove the plugin"
        )));
    }
    record.versions.retain(|it| it.digest != digest);
    record.earlier.retain(|it| it != digest);
    forget(record, [digest.to_owned()]);
    Ok(())
}

/// The begin of a digest, enough for people.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

fn begin_trial(record: &mut PluginRecord, digest: &str, share: u32) {
    let counters =
        |digest: &str| record.version(digest).map(|it| it.counters.clone()).unwrap_or_default();
    let others_since: PluginCounters = record.active.as_deref().map(counters).unwrap_or_default();
    let since = counters(digest);
    unshadow(record, digest);
    record.trial = Some(Trial { digest: digest.to_owned(), share, since, others_since });
    record.last_trial = None;
}

/// Notes versions that are gone.
pub(crate) fn forget(record: &mut PluginRecord, digests: impl IntoIterator<Item = String>) {
    record.removed.extend(digests);
    while record.removed.len() > REMOVED_MAX {
        record.removed.pop_first();
    }
}

/// Drops the oldest versions beyond `versions_max` that neither serve nor served last.
fn drop_oldest(record: &mut PluginRecord, versions_max: usize) {
    let mut surplus = record.versions.len().saturating_sub(versions_max.max(1));
    let trial = record.trial.as_ref().map(|trial| trial.digest.clone());
    let shadow = record.shadow.as_ref().map(|shadow| shadow.digest.clone());
    let kept = [record.active.clone(), trial, shadow, record.earlier.last().cloned()];
    let last = record.versions.last().map(|it| it.digest.clone());
    let mut dropped = Vec::new();
    record.versions.retain(|it| {
        let goes = surplus > 0
            && !kept.contains(&Some(it.digest.clone()))
            && last.as_ref() != Some(&it.digest);
        if goes {
            surplus -= 1;
            dropped.push(it.digest.clone());
        }
        !goes
    });
    // A file of the folder that is one of them must not come back as something new.
    forget(record, dropped);
    let versions = &record.versions;
    record.earlier.retain(|digest| versions.iter().any(|it| it.digest == *digest));
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn version(number: u32) -> PluginVersion {
        PluginVersion {
            version: format!("1.{number}.0"),
            digest: format!("{number:064}"),
            ..PluginVersion::default()
        }
    }

    fn record(versions: u32) -> PluginRecord {
        let mut record = PluginRecord { name: "acme".to_owned(), ..PluginRecord::default() };
        for number in 1..=versions {
            add(&mut record, version(number), Use::Serve, 20);
        }
        record
    }

    fn active(record: &PluginRecord) -> &str {
        let digest = record.active.as_deref().expect("one serves");
        &record.version(digest).expect("it is kept").version
    }

    #[test]
    fn rollback_goes_back_one_version_at_a_time_and_then_says_that_there_is_none() {
        let mut record = record(3);
        assert_eq!(active(&record), "1.3.0");
        rollback(&mut record, None).expect("a version before");
        assert_eq!(active(&record), "1.2.0");
        rollback(&mut record, None).expect("a version before");
        assert_eq!(active(&record), "1.1.0");
        assert!(matches!(rollback(&mut record, None), Err(CatalogError::Unknown(_))));
        assert_eq!(active(&record), "1.1.0");
    }

    #[test]
    fn a_trial_ends_with_a_rollback_or_with_all_devices() {
        let mut tried = record(1);
        assert_eq!(add(&mut tried, version(2), Use::Trial(1_000), 20), Took::Share);
        assert_eq!(active(&tried), "1.1.0");
        rollback(&mut tried, None).expect("the trial ends");
        assert_eq!((active(&tried), &tried.trial), ("1.1.0", &None));
        assert_eq!(add(&mut tried, version(2), Use::Trial(1_000), 20), Took::Share);
        promote(&mut tried).expect("a trial");
        assert_eq!(active(&tried), "1.2.0");
        assert!(promote(&mut tried).is_err());
        rollback(&mut tried, None).expect("a version before");
        assert_eq!(active(&tried), "1.1.0");
    }

    #[test]
    fn a_shadow_serves_nobody_until_it_is_promoted() {
        let mut shadowed = record(1);
        assert_eq!(add(&mut shadowed, version(2), Use::Shadow, 20), Took::Shadow);
        assert_eq!(active(&shadowed), "1.1.0");
        assert!(remove(&mut shadowed, &version(2).digest).is_err());
        promote(&mut shadowed).expect("a shadow");
        assert_eq!((active(&shadowed), &shadowed.shadow), ("1.2.0", &None));
    }

    #[test]
    fn a_version_that_is_only_kept_does_not_serve_though_no_other_one_does() {
        let mut removed = PluginRecord { name: "acme".to_owned(), ..PluginRecord::default() };
        assert_eq!(add(&mut removed, version(1), Use::Keep, 20), Took::Unused);
        assert_eq!((removed.active, removed.versions.len()), (None, 1));
    }

    #[test]
    fn a_pinned_plugin_keeps_what_is_loaded_and_goes_on_with_its_version() {
        let mut record = record(1);
        record.is_pinned = true;
        assert_eq!(add(&mut record, version(2), Use::Serve, 20), Took::Nothing);
        assert_eq!(active(&record), "1.1.0");
        assert_eq!(record.versions.len(), 2);
    }

    #[test]
    fn the_oldest_versions_go_but_never_one_that_serves_or_served_last() {
        let mut record = record(1);
        record.is_pinned = true;
        for number in 2..=9 {
            add(&mut record, version(number), Use::Serve, 3);
        }
        let kept: Vec<&str> = record.versions.iter().map(|it| it.version.as_str()).collect();
        assert_eq!(kept, ["1.1.0", "1.8.0", "1.9.0"]);
        assert!(record.removed.contains(&version(2).digest), "it must not come back as new");
    }

    #[test]
    fn a_version_is_found_by_its_name_or_the_begin_of_its_digest() {
        let mut record = record(1);
        assert_eq!(find(&record, "1.1.0").expect("found").digest, version(1).digest);
        let rebuilt = PluginVersion { digest: "f".repeat(64), ..version(1) };
        add(&mut record, rebuilt.clone(), Use::Serve, 20);
        assert!(find(&record, "1.1.0").is_err(), "there are two of them");
        assert_eq!(find(&record, "ffffffff").expect("found").digest, rebuilt.digest);
        assert!(find(&record, "9.9.9").is_err() && find(&record, "").is_err());
        assert!(find(&record, "fff").is_err(), "a few digits may be a slip");
    }

    #[test]
    fn a_version_that_serves_cannot_be_removed_and_another_is_not_taken_up_again() {
        let mut record = record(2);
        assert!(remove(&mut record, &version(2).digest).is_err());
        remove(&mut record, &version(1).digest).expect("it serves nobody");
        assert!(record.removed.contains(&version(1).digest));
        assert!(rollback(&mut record, None).is_err());
    }
}
