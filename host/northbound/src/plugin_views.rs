//! Plugins as the API shows them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use trellis_catalog::Effective;
use trellis_plugin_host::{HttpLimits, Plugin, SHARE_ALL};
use trellis_store::{PluginRecord, PluginVersion, ShadowDifference};
use utoipa::ToSchema;

use crate::listener::Server;
use crate::settings::{EffectiveView, effective_view};
use crate::time;

/// A plugin with its versions.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginView {
    /// Its name.
    name: String,
    /// What it is for, as the version that serves says.
    description: Option<String>,
    /// What the version that serves calls itself.
    version: Option<String>,
    /// The SHA-256 of its file.
    digest: Option<String>,
    /// Whether it may serve devices.
    enabled: bool,
    /// Whether a version that is loaded does not take over.
    pinned: bool,
    /// The version on trial.
    trial: Option<TrialView>,
    /// The version that is run over what the one that serves does, and where it differs.
    shadow: Option<ShadowView>,
    /// How the last trial ended.
    last_trial: Option<String>,
    /// The versions that are kept, in the order in which they were loaded.
    versions: Vec<VersionView>,
}

/// A plugin with all that there is to know of it.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginDetails {
    #[serde(flatten)]
    plugin: PluginView,
    /// The devices that it serves, as the version that serves says.
    matchers: Vec<String>,
    /// What operators can have it do, with a JSON schema each.
    actions: BTreeMap<String, ActionOffered>,
    /// The JSON schema of its settings.
    settings_schema: Value,
    /// What holds for devices of which nothing more is said, and where it comes from.
    settings: EffectiveView,
    /// What it imports: what it can touch.
    imports: Vec<String>,
    /// The origins that it may send requests to over HTTP: what the configuration grants.
    http: Vec<String>,
    /// The limits of HTTP in each of its runs, where something is granted.
    http_limits: BTreeMap<String, u64>,
    /// Whether it is asked at each Inform if the device may come in.
    admits: bool,
    /// Whether it can be woken when a deadline passes.
    expires: bool,
    /// The limits of each of its runs.
    limits: BTreeMap<String, u64>,
}

/// Something that operators can have a plugin do.
#[derive(Serialize, ToSchema)]
pub(crate) struct ActionOffered {
    /// What it does.
    description: String,
    /// The JSON schema of its arguments.
    schema: Value,
}

/// A version on trial.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrialView {
    /// What it calls itself.
    version: String,
    /// The SHA-256 of its file.
    digest: String,
    /// The share of the plugin's devices that it serves, in percent.
    share_percent: f64,
}

/// A version that is run over what the one that serves does.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShadowView {
    /// What it calls itself.
    version: String,
    /// The SHA-256 of its file.
    digest: String,
    /// Runs that it was held against.
    runs: u64,
    /// Of these, the ones that were the same.
    same: u64,
    /// Runs that it could not be held against: they were recorded in part, or ended by the clock.
    skipped: u64,
    /// What it asked that the recordings do not hold.
    unanswered: u64,
    /// Where it decided otherwise, by kind.
    differences: BTreeMap<String, u64>,
    /// The last of these, the newest last.
    last: Vec<DifferenceView>,
}

/// Something that a shadow decided otherwise.
#[derive(Serialize, ToSchema)]
pub(crate) struct DifferenceView {
    /// When the session began.
    at: String,
    /// The device.
    device: String,
    /// What it is about.
    kind: String,
    /// What the version that serves did.
    old: Option<String>,
    /// What the shadow did.
    new: Option<String>,
}

/// One version of a plugin.
#[derive(Serialize, ToSchema)]
pub(crate) struct VersionView {
    /// What it calls itself.
    version: String,
    /// The SHA-256 of its file.
    digest: String,
    /// The size of its file, in bytes.
    bytes: u64,
    /// When it was loaded.
    loaded: String,
    /// Who loaded it: the name of a token, or `folder`.
    loaded_by: String,
    /// Whether it serves devices, or would if the plugin were enabled.
    serves: bool,
    /// Why it cannot be run though it is to serve, if that is so: then nobody is served by it.
    broken: Option<String>,
    /// Sessions that it served, also those in which it was not asked anything.
    sessions: u64,
    /// Calls of its hooks.
    runs: u64,
    /// Requests to devices.
    rpcs: u64,
    /// Runs that failed, and limits that were reached without an end of the run, by kind.
    faults: BTreeMap<String, u64>,
    /// CPU, in fuel: about an instruction each.
    fuel: u64,
    /// Time in which it computed, in seconds.
    busy_seconds: f64,
    /// Time in which it waited for devices, in seconds.
    parked_seconds: f64,
    /// The most linear memory that one run has had, in bytes.
    memory_bytes_high: u64,
}

/// A plugin as the API shows it.
pub(crate) fn view(server: &Server, record: PluginRecord) -> PluginView {
    let serving = server.catalog.ready(&record.name);
    let version_of = |digest: &str| record.version(digest).map(|it| it.version.clone());
    let trial = record.trial.as_ref().map(|trial| TrialView {
        version: version_of(&trial.digest).unwrap_or_default(),
        digest: trial.digest.clone(),
        share_percent: f64::from(trial.share) * 100.0 / f64::from(SHARE_ALL),
    });
    let shadow = record.shadow.clone().map(|it| ShadowView {
        version: version_of(&it.digest).unwrap_or_default(),
        digest: it.digest,
        runs: it.runs,
        same: it.same,
        skipped: it.skipped,
        unanswered: it.unanswered,
        differences: it.differences,
        last: it.last.into_iter().map(difference).collect(),
    });
    let view_of = |it: &PluginVersion| {
        let broken = server.catalog.broken(&it.digest);
        let is_wanted = record.active.as_ref() == Some(&it.digest)
            || record.trial.as_ref().is_some_and(|trial| trial.digest == it.digest);
        version(it, is_wanted && broken.is_none(), broken)
    };
    PluginView {
        description: serving.map(|it| it.manifest.description.clone()),
        version: record.active.as_deref().and_then(version_of),
        digest: record.active.clone(),
        enabled: !record.is_disabled,
        pinned: record.is_pinned,
        trial,
        shadow,
        last_trial: record.last_trial.clone(),
        versions: record.versions.iter().map(view_of).collect(),
        name: record.name,
    }
}

fn difference(it: ShadowDifference) -> DifferenceView {
    let ShadowDifference { at_ms, device, kind, old, new } = it;
    DifferenceView { at: time::text(at_ms), device, kind, old, new }
}

fn version(it: &PluginVersion, serves: bool, broken: Option<String>) -> VersionView {
    let counters = &it.counters;
    VersionView {
        version: it.version.clone(),
        digest: it.digest.clone(),
        bytes: it.bytes,
        loaded: time::text(it.loaded_ms),
        loaded_by: it.loaded_by.clone(),
        serves,
        broken,
        sessions: counters.sessions,
        runs: counters.runs,
        rpcs: counters.rpcs,
        faults: counters.faults.clone(),
        fuel: counters.fuel,
        busy_seconds: time::seconds(counters.busy_us),
        parked_seconds: time::seconds(counters.parked_us),
        memory_bytes_high: counters.memory_bytes_high,
    }
}

/// A plugin with all that there is to know of it, of which this version is to serve.
pub(crate) fn details(
    server: &Server,
    record: PluginRecord,
    active: Option<&Plugin>,
    settings: Effective,
) -> PluginDetails {
    let manifest = active.map(|it| &it.manifest);
    let matchers = manifest.into_iter().flat_map(|it| &it.matchers);
    let actions = manifest.into_iter().flat_map(|it| &it.actions);
    let action = |(name, it): (&String, &trellis_plugin_host::ActionManifest)| {
        let view = ActionOffered { description: it.description.clone(), schema: it.schema.clone() };
        (name.clone(), view)
    };
    PluginDetails {
        matchers: matchers.map(ToString::to_string).collect(),
        actions: actions.map(action).collect(),
        settings_schema: manifest.map(|it| it.settings.schema.clone()).unwrap_or_default(),
        settings: effective_view(settings),
        imports: active.map(|it| it.imports.clone()).unwrap_or_default(),
        http: active.map(Plugin::http_origins).unwrap_or_default(),
        http_limits: active.filter(|it| it.reaches_out()).map(http_limits).unwrap_or_default(),
        admits: active.is_some_and(Plugin::admits),
        expires: active.is_some_and(Plugin::expires),
        limits: active.map(limits).unwrap_or_default(),
        plugin: view(server, record),
    }
}

/// With the names that the configuration has for them.
fn http_limits(plugin: &Plugin) -> BTreeMap<String, u64> {
    let HttpLimits { time, body_bytes, requests, heard_bytes } = plugin.http_limits();
    let number = |size: usize| u64::try_from(size).unwrap_or(u64::MAX);
    let limits = [
        ("seconds-max", time.as_secs()),
        ("body-bytes-max", number(*body_bytes)),
        ("requests-max", u64::from(*requests)),
        ("heard-bytes-max", number(*heard_bytes)),
    ];
    limits.map(|(name, limit)| (name.to_owned(), limit)).into()
}

/// With the names that the configuration has for them.
fn limits(plugin: &Plugin) -> BTreeMap<String, u64> {
    let limits = serde_json::to_value(plugin.limits());
    limits.and_then(serde_json::from_value).unwrap_or_default()
}
