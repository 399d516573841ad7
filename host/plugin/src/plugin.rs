//! One version of one plugin, ready to run.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::bindings::VendorPluginPre;
use crate::bindings::hooks::{actions, admission, expiry};
use crate::engine::PluginEngine;
use crate::http::{Grants, HttpLimits};
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::matcher::{CompiledMatcher, Specificity, Traits};
use crate::schema::Schema;
use crate::state::RunState;
use crate::stats::{Counters, Stats};

/// A plugin that was checked, compiled and linked.
pub struct Plugin {
    /// What it says about itself.
    pub manifest: Manifest,
    /// The SHA-256 of its file, in hexadecimal digits.
    pub digest: String,
    /// The size of its file, in bytes.
    pub bytes: u64,
    /// What it imports, in order.
    pub imports: Vec<String>,
    pub(crate) name: Arc<str>,
    pub(crate) matchers: Vec<CompiledMatcher>,
    pub(crate) limits: Arc<Limits>,
    /// The origins that its HTTP requests may go to.
    pub(crate) grants: Arc<Grants>,
    pub(crate) settings: Schema,
    pub(crate) actions: BTreeMap<String, Schema>,
    pub(crate) engine: PluginEngine,
    pub(crate) instance: VendorPluginPre<RunState>,
    pub(crate) hooks: Hooks,
    pub(crate) stats: Stats,
}

/// What it exports beside `describe` and `provision`.
pub(crate) struct Hooks {
    pub(crate) actions: Option<actions::GuestIndices>,
    pub(crate) admission: Option<admission::GuestIndices>,
    pub(crate) expiry: Option<expiry::GuestIndices>,
}

impl Plugin {
    /// The limits of its runs.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How closely it describes a device, if it does.
    pub fn closeness(&self, traits: &Traits<'_>) -> Option<Specificity> {
        self.matchers.iter().filter_map(|matcher| matcher.matches(traits)).max()
    }

    /// Whether it is asked at an Inform if the device may come in.
    pub fn admits(&self) -> bool {
        self.manifest.admit
    }

    /// The world that it is of: the contract's name for it, or the optional interfaces that it
    /// exports beside what every plugin does.
    pub fn world(&self) -> String {
        let hooks = &self.hooks;
        let optional = [
            hooks.actions.is_some().then_some("actions"),
            hooks.admission.is_some().then_some("admission"),
            hooks.expiry.is_some().then_some("expiry"),
        ];
        let exported: Vec<&str> = optional.into_iter().flatten().collect();
        let contract = format!("{}/", crate::imports::CONTRACT);
        let version =
            self.imports.iter().find_map(|it| Some(it.strip_prefix(&contract)?.split_once('@')?.1));
        let version = version.unwrap_or(crate::imports::CONTRACT_VERSION);
        match exported.as_slice() {
            [] => format!("{contract}vendor-plugin@{version}"),
            all if all.len() == optional.len() => {
                format!("{contract}full-vendor-plugin@{version}")
            }
            some => format!("{contract}vendor-plugin@{version} with {}", some.join(" and ")),
        }
    }

    /// Whether it can be woken when a deadline passes.
    pub fn expires(&self) -> bool {
        self.hooks.expiry.is_some()
    }

    /// Checks settings against its schema. The error names what is wrong, without values, and where it
    /// `comes_from`, by its JSON pointer.
    pub fn check_settings(
        &self,
        settings: &Value,
        comes_from: impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        self.settings.check_set(settings, comes_from)
    }

    /// Whether there are settings that do not fit it.
    pub fn has_settings_schema(&self) -> bool {
        !self.settings.takes_any()
    }

    /// Checks the arguments of one of its actions, which must be there.
    pub fn check_arguments(&self, action: &str, arguments: &Value) -> Result<(), String> {
        match self.actions.get(action) {
            Some(schema) => schema
                .check(arguments)
                .map_err(|why| format!("the arguments of {action} do not fit: {why}")),
            None => Err(format!("the plugin {} has no action {action:?}", self.name)),
        }
    }

    /// Counts a session that it served.
    pub fn count_session(&self) {
        self.stats.count_session();
    }

    /// What it has done in this process, and before it as far as [`Plugin::resume`] said.
    pub fn counters(&self) -> Counters {
        self.stats.counters()
    }

    /// Whether it may send requests over HTTP.
    pub fn reaches_out(&self) -> bool {
        !self.grants.is_empty()
    }

    /// The limits of its HTTP.
    pub fn http_limits(&self) -> &HttpLimits {
        self.grants.limits()
    }

    /// The origins that it may send requests to over HTTP.
    pub fn http_origins(&self) -> Vec<String> {
        self.grants.origins().collect()
    }

    /// Counts on from what an earlier process counted.
    pub fn resume(&self, counters: Counters) {
        self.stats.resume(counters);
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Plugin({} {})", self.manifest.name, self.manifest.version)
    }
}
