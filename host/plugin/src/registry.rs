//! Which plugin serves which device: a table that is never changed, only replaced.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::matcher::Traits;
use crate::plugin::Plugin;

/// One plugin that serves: a version, and perhaps another for a share of its devices.
#[derive(Clone, Debug)]
pub struct Serving {
    /// The version that serves.
    pub stable: Arc<Plugin>,
    /// The version that serves a share of the devices.
    pub canary: Option<Canary>,
}

/// A version on trial.
#[derive(Clone, Debug)]
pub struct Canary {
    /// The version.
    pub plugin: Arc<Plugin>,
    /// The share of devices that it serves, in hundredths of a percent.
    pub share: u32,
}

/// All devices, in hundredths of a percent.
pub const SHARE_ALL: u32 = 10_000;

/// The plugins that serve.
#[derive(Debug, Default)]
pub struct Registry {
    serving: Vec<Serving>,
    /// Pairs of plugins that were found to fit a device equally well, by their names.
    ties: Mutex<HashSet<(Arc<str>, Arc<str>)>>,
}

/// What decides which plugin serves a device.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The device, as logs name it.
    pub device: &'a str,
    /// What it says of itself.
    pub traits: Traits<'a>,
    /// The plugin that is to serve it whatever the matchers say.
    pub pinned: Option<&'a str>,
}

impl Registry {
    /// These plugins. Fails where two of them have matchers that fit the same devices equally
    /// closely; the text names both.
    pub fn new(mut serving: Vec<Serving>) -> Result<Self, String> {
        serving.sort_by(|one, other| one.stable.name.cmp(&other.stable.name));
        for (number, one) in serving.iter().enumerate() {
            for other in serving.iter().skip(number + 1) {
                for (one, other) in
                    one.versions().flat_map(|one| other.versions().map(move |other| (one, other)))
                {
                    check_tie(one, other)?;
                }
            }
        }
        Ok(Self { serving, ties: Mutex::default() })
    }

    /// The plugins that serve, by name.
    pub fn serving(&self) -> impl Iterator<Item = &Serving> {
        self.serving.iter()
    }

    /// The plugin that serves a device: the one that it is pinned to, else the one that describes
    /// it most closely.
    pub fn select(&self, candidate: &Candidate<'_>) -> Option<Arc<Plugin>> {
        let serving = match candidate.pinned {
            Some(name) => self.serving.iter().find(|it| &*it.stable.name == name)?,
            None => self.closest(&candidate.traits)?,
        };
        let version = serving.version_for(candidate.device);
        // A version on trial is not tried with devices that it does not describe.
        let fits = candidate.pinned.is_some() || version.closeness(&candidate.traits).is_some();
        Some(Arc::clone(if fits { version } else { &serving.stable }))
    }

    fn closest(&self, traits: &Traits<'_>) -> Option<&Serving> {
        let fitting = self.serving.iter().filter_map(|it| Some((it.stable.closeness(traits)?, it)));
        // The first by name wins a tie, so that it is at least always the same.
        let best = fitting.reduce(|best, other| {
            if other.0 == best.0 {
                self.note_tie(&best.1.stable.name, &other.1.stable.name);
            }
            if other.0 > best.0 { other } else { best }
        });
        best.map(|(_, serving)| serving)
    }

    /// Says once of two plugins that both fit a device equally well.
    fn note_tie(&self, one: &Arc<str>, two: &Arc<str>) {
        metrics::counter!("trellis_plugin_ties_total").increment(1);
        let mut ties = self.ties.lock().unwrap_or_else(PoisonError::into_inner);
        if ties.insert((Arc::clone(one), Arc::clone(two))) {
            tracing::warn!(%one, %two, "two plugins fit a device equally well; {one} serves it");
        }
    }
}

impl Serving {
    fn versions(&self) -> impl Iterator<Item = &Arc<Plugin>> {
        std::iter::once(&self.stable).chain(self.canary.iter().map(|canary| &canary.plugin))
    }

    /// The version that serves a device: for one device always the same, as long as the trial
    /// goes on.
    fn version_for(&self, device: &str) -> &Arc<Plugin> {
        match &self.canary {
            Some(canary) if place(&canary.plugin.digest, device) < canary.share => &canary.plugin,
            _ => &self.stable,
        }
    }
}

/// A device's place among all devices, from 0 to [`SHARE_ALL`], in the trial of one version.
fn place(digest: &str, device: &str) -> u32 {
    let hash = Sha256::new().chain_update(digest).chain_update(device).finalize();
    let first = hash.iter().take(4).fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
    first % SHARE_ALL
}

fn check_tie(one: &Plugin, other: &Plugin) -> Result<(), String> {
    for ours in &one.manifest.matchers {
        if let Some(theirs) = other.manifest.matchers.iter().find(|theirs| ours.ties_with(theirs)) {
            return Err(format!(
                "the matcher {theirs} of the plugin {:?} and {ours} of the plugin {:?} fit the \
                 same devices equally closely: make one of them more specific, or remove one of \
                 the plugins",
                other.name, one.name
            ));
        }
    }
    Ok(())
}
