//! One session of a device.

use std::collections::BTreeMap;

use trellis_plugin::{Cpe, Result, Values, event};

use crate::desired::{Desired, Due};
use crate::facts::{self, Known, cut, tell};
use crate::model::{self, Model};
use crate::read::{Reading, answered, read, read_narrowed};
use crate::state::State;
use crate::watch::watch;
use crate::{Follow, Settings};

/// How many parameters are kept of a device.
pub(crate) const KEPT_MAX: usize = 64;

/// How much of a parameter's text is kept, in bytes.
const TEXT_BYTES_MAX: usize = 512;

const UPTIME: &str = "DeviceInfo.UpTime";

/// What a vendor's plugin adds.
#[derive(Debug, Default)]
pub struct Extra<'a> {
    /// Parameters by their full path, and their values. The operator's settings win.
    pub parameters: BTreeMap<String, String>,
    /// What is read and published beyond the common facts.
    pub follow: &'a [Follow],
}

/// What is known of the device after the session.
#[derive(Clone, Debug, Default)]
pub struct Device {
    known: Known,
}

impl Device {
    /// A parameter's text as it was last seen; the path is below the root.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.known.get(path).map(String::as_str).filter(|text| !text.is_empty())
    }
}

/// Learns the device, keeps what is known of it up to date and its settings applied. An error is
/// a lost session, or a limit of the host: the device's faults are tolerated.
pub fn provision(cpe: &mut Cpe, settings: &Settings, extra: Extra<'_>) -> Result<Device> {
    let before = State::load(cpe);
    if cpe.has_event(event::HEARTBEAT) {
        // Always alone, and only a sign of life.
        return Ok(Device { known: before.map(|state| state.known).unwrap_or_default() });
    }
    let root = cpe.root();
    let inform = cpe.inform();
    let known_device = before.clone().filter(|state| {
        let version = inform.text(&format!("{root}DeviceInfo.SoftwareVersion"));
        state.root == root
            && !cpe.has_event(event::BOOTSTRAP)
            && version.is_none_or(|version| {
                state
                    .known
                    .get("DeviceInfo.SoftwareVersion")
                    .is_none_or(|known| known == cut(version, TEXT_BYTES_MAX))
            })
    });
    let fresh = known_device.is_none();
    let mut run = Run {
        model: model::of(&root),
        follow: extra.follow,
        state: known_device.unwrap_or_else(|| State::new(root.clone())),
        watch: Vec::new(),
    };

    let age = cpe.now().saturating_sub(run.state.read_at);
    if fresh || settings.refresh_interval > 0 && age >= settings.refresh_interval {
        run.refresh(cpe)?;
    }
    // Last, because it is what the next session's Inform is compared with: some devices tell their
    // version in two ways.
    run.take(cpe, &inform)?;
    run.publish(cpe, before.as_ref())?;

    let desired =
        Desired::new(&root, settings, &cpe.settings_revision("/parameters"), extra.parameters);
    if let Some(due) = desired.due(cpe, run.state.config.as_ref(), fresh) {
        run.configure(cpe, &desired, due)?;
    }
    if settings.notifications {
        run.watch.sort_unstable();
        run.watch.dedup();
        watch(cpe, &run.watch)?;
    }
    if before.as_ref() != Some(&run.state) {
        run.state.save(cpe)?;
    }
    Ok(Device { known: run.state.known })
}

struct Run<'a> {
    model: &'static Model,
    follow: &'a [Follow],
    state: State,
    /// What the device shall tell of from now on.
    watch: Vec<String>,
}

impl Run<'_> {
    /// Reads the device: what it answered the last time, or, the first time and when it no
    /// longer answers that, everything of its model.
    fn refresh(&mut self, cpe: &mut Cpe) -> Result<()> {
        let root = self.state.root.as_str();
        let mut kept: Vec<_> = self.model.kept.iter().map(|kept| kept.path).collect();
        kept.extend(self.follow.iter().map(|follow| follow.path));
        kept.push(UPTIME);
        let (paths, narrowed) = (&self.state.paths, &self.state.narrowed);
        let known = match (paths.is_empty(), narrowed.is_empty()) {
            (true, true) => None,
            (true, false) => Some(Values::default()),
            (false, _) => answered(cpe.get_many(paths.iter().cloned()))?,
        };
        let reading = match known {
            Some(mut values) => {
                values.extend(read_narrowed(cpe, root, narrowed, &kept)?);
                Reading { values, paths: paths.clone(), narrowed: narrowed.clone() }
            }
            None => {
                let objects = self.model.objects.iter();
                let objects = objects.map(|object| format!("{root}{object}")).collect();
                read(cpe, root, objects, &kept)?
            }
        };
        self.state.read_at = cpe.now();
        if reading.values.is_empty() {
            // A device that answers nothing today has not lost what it told before.
            return Ok(());
        }
        (self.state.paths, self.state.narrowed) = (reading.paths, reading.narrowed);
        let before = std::mem::take(&mut self.state.known);
        self.keep(&reading.values, &before);
        self.uptime(cpe, &reading.values)
    }

    /// Keeps what the model says of a reading, and notes what is new to be watched.
    fn keep(&mut self, values: &Values, before: &Known) {
        let kept = self.model.kept.iter().map(|kept| (kept.path, kept.watched));
        let kept = kept.chain(self.follow.iter().map(|follow| (follow.path, true)));
        for (pattern, watched) in kept {
            for parameter in values {
                let root = self.state.root.as_str();
                let Some(name) = parameter.name.strip_prefix(root) else { continue };
                let room = self.state.known.len() < KEPT_MAX;
                if !room || !model::matches(pattern, name) {
                    continue;
                }
                if watched && !before.contains_key(name) {
                    self.watch.push(parameter.name.clone());
                }
                let text = cut(parameter.value.text(), TEXT_BYTES_MAX);
                self.state.known.insert(name.to_owned(), text.to_owned());
            }
        }
    }

    /// Takes from the Inform what is kept already: that costs nothing.
    fn take(&mut self, cpe: &mut Cpe, inform: &Values) -> Result<()> {
        for parameter in inform {
            let Some(name) = parameter.name.strip_prefix(&self.state.root) else { continue };
            if let Some(known) = self.state.known.get_mut(name) {
                cut(parameter.value.text(), TEXT_BYTES_MAX).clone_into(known);
            }
        }
        self.uptime(cpe, inform)
    }

    /// Published and not kept: it is another one each time.
    fn uptime(&self, cpe: &mut Cpe, values: &Values) -> Result<()> {
        let uptime_s = values.parse::<u32>(&format!("{}{UPTIME}", self.state.root));
        uptime_s.map_or(Ok(()), |uptime_s| tell(cpe, "device.uptime-s", uptime_s))
    }

    /// Applies the settings. A device that comes back from a restart with other values than it
    /// was given may have been reset without telling: then it has lost what cannot be compared,
    /// too.
    fn configure(&mut self, cpe: &mut Cpe, desired: &Desired, due: Due) -> Result<()> {
        let mut due = due;
        let mut applied = desired.apply(cpe, due, self.state.config.as_ref())?;
        if due == Due::Readable && applied.wrote && cpe.has_event(event::BOOT) {
            due = Due::Everything;
            applied = desired.apply(cpe, due, None)?;
            let root = self.state.root.as_str();
            let known = self.state.known.keys().filter(|name| self.is_watched(name));
            self.watch = known.map(|name| format!("{root}{name}")).collect();
        }
        if due == Due::Everything && !applied.config.failed {
            self.watch.extend(desired.watchable(&applied.config).cloned());
        }
        self.state.config = Some(applied.config);
        Ok(())
    }

    /// Whether the device shall tell of changes of what has this name below the root.
    fn is_watched(&self, name: &str) -> bool {
        let watched = self.model.kept.iter().filter(|kept| kept.watched).map(|kept| kept.path);
        let mut watched = watched.chain(self.follow.iter().map(|follow| follow.path));
        watched.any(|pattern| model::matches(pattern, name))
    }

    /// Publishes the facts that changed since the last session.
    fn publish(&self, cpe: &mut Cpe, before: Option<&State>) -> Result<()> {
        let before = before.map(|state| facts::of(&state.known, self.follow)).unwrap_or_default();
        let now = facts::of(&self.state.known, self.follow);
        for (name, fact) in &now {
            if before.get(name) != Some(fact) {
                tell(cpe, name, fact.clone())?;
            }
        }
        for name in before.keys().filter(|name| !now.contains_key(*name)) {
            cpe.withdraw_fact(name);
        }
        Ok(())
    }
}
