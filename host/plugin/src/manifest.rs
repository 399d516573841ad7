//! What a plugin says about itself.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::limits::WishedLimits;
use crate::matcher::Matcher;

/// The manifest that a plugin's `describe` returns, as JSON. Unknown fields are ignored, so
/// that a newer plugin still loads; unknown fields inside a matcher are not, since they would
/// widen it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Manifest {
    /// Names the plugin: lower-case letters, digits and dashes, at most 64.
    pub name: String,
    /// Its own version, by semantic versioning.
    pub version: String,
    /// What it is for, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Which devices it serves: those that any of these match.
    #[serde(default)]
    pub matchers: Vec<Matcher>,
    /// Its settings.
    #[serde(default)]
    pub settings: SettingsManifest,
    /// What operators can have it do, by name: as names of plugins are.
    #[serde(default)]
    pub actions: BTreeMap<String, ActionManifest>,
    /// Whether it is asked at each Inform if the device may come in.
    #[serde(default)]
    pub admit: bool,
    /// The limits it wishes for.
    #[serde(default)]
    pub limits: WishedLimits,
}

/// What can be set.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SettingsManifest {
    /// A JSON schema.
    #[serde(default)]
    pub schema: serde_json::Value,
    /// The value of each field that nobody sets.
    #[serde(default)]
    pub defaults: serde_json::Map<String, serde_json::Value>,
}

/// Something that operators can have a plugin do.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ActionManifest {
    /// What it does, in a sentence.
    #[serde(default)]
    pub description: String,
    /// A JSON schema of its arguments.
    #[serde(default)]
    pub schema: serde_json::Value,
}

impl Manifest {
    /// Reads a manifest; the error says what to change.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let manifest: Self = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let name = &manifest.name;
        check_name("the name", name)?;
        for name in manifest.actions.keys() {
            check_name("the action", name)?;
        }
        semver::Version::parse(&manifest.version).map_err(|error| {
            format!("the version {:?} is not a semantic version: {error}", manifest.version)
        })?;
        for (what, bytes, limit) in [
            ("the version", manifest.version.len(), 64),
            ("the description", manifest.description.len(), 1_000),
        ] {
            if bytes > limit {
                return Err(format!("{what} has {bytes} bytes; the limit is {limit}"));
            }
        }
        for (what, count, limit) in
            [("matchers", manifest.matchers.len(), 64), ("actions", manifest.actions.len(), 64)]
        {
            if count > limit {
                return Err(format!("it has {count} {what}; the limit is {limit}"));
            }
        }
        for matcher in &manifest.matchers {
            matcher.check()?;
        }
        Ok(manifest)
    }
}

fn check_name(what: &str, name: &str) -> Result<(), String> {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(good) {
        return Err(format!(
            "{what} {name:?} must be 1 to 64 lower-case letters, digits and dashes"
        ));
    }
    Ok(())
}
