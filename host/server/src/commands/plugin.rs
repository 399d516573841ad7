//! `trellis plugin`: the plugins of a running server.

use std::path::PathBuf;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{ApiArguments, Client};
use crate::commands::bench::{self, CheckArguments, TestArguments};
use crate::commands::build::{BuildArguments, build};
use crate::commands::device;
use crate::commands::new::{NewArguments, new};
use crate::output::{self, bold, counted, line, number, table, text};

#[derive(Debug, Subcommand)]
pub(crate) enum PluginCommand {
    /// Load a plugin's file into the server. It serves from the next session of each device on.
    Load {
        /// The file.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Have it serve only a share of the plugin's devices, in percent. It is taken back by itself
        /// when it fails more often than the version which serves the others.
        #[arg(long, value_name = "PERCENT")]
        trial: Option<f64>,
        /// Have it serve nobody, and run it over what the version that serves does in each session;
        /// `show` tells where it decides otherwise.
        #[arg(long, conflicts_with = "trial")]
        shadow: bool,
    },
    /// End the shadow of a plugin.
    Unshadow {
        /// The plugin.
        name: String,
    },
    /// Make a folder with a new plugin that builds and whose test passes.
    New(NewArguments),
    /// Build the plugin of a folder, whatever it is written in, and check what was built.
    Build(BuildArguments),
    /// Check a plugin's file without a server: what it is, and whether it would be taken.
    Check(CheckArguments),
    /// Run a plugin with a simulated device, without a server, and print what it does.
    Test(TestArguments),
    /// List the plugins.
    List,
    /// Show a plugin: its versions and what they have done, its actions, its limits.
    Show {
        /// Its name.
        name: String,
    },
    /// Have one version serve, whatever is loaded after it.
    Pin {
        /// The plugin.
        name: String,
        /// What the version calls itself, or the begin of its digest.
        version: String,
    },
    /// Let a version that is loaded take over again.
    Unpin {
        /// The plugin.
        name: String,
    },
    /// Go back to the version that served before, or end a trial.
    Rollback {
        /// The plugin.
        name: String,
    },
    /// Have the version on trial serve all devices of the plugin; without one, the shadow.
    Promote {
        /// The plugin.
        name: String,
    },
    /// Let a plugin serve its devices.
    Enable {
        /// The plugin.
        name: String,
    },
    /// Let a plugin serve no device.
    Disable {
        /// The plugin.
        name: String,
    },
    /// Set what holds for all devices of a plugin, and show what holds and where it comes from; with
    /// `--json`, only what was set.
    Settings {
        /// The plugin.
        name: String,
        /// What is to be set in place of what was set before, as JSON, `@FILE` or `-` for standard input;
        /// `{}` takes it back.
        settings: Option<String>,
    },
    /// Remove a plugin with all its versions, or one version that serves nobody.
    Remove {
        /// The plugin.
        name: String,
        /// Only this version.
        version: Option<String>,
    },
}

pub(crate) fn run(command: &PluginCommand, api: &ApiArguments) -> anyhow::Result<()> {
    match command {
        PluginCommand::New(arguments) => return new(arguments),
        PluginCommand::Build(arguments) => return build(arguments),
        PluginCommand::Check(arguments) => return bench::check(arguments),
        PluginCommand::Test(arguments) => return bench::test(arguments),
        _ => {}
    }
    let client = Client::new(api)?;
    let plugin = |name: &str, verb: &str| client.post(&["plugins", name, verb], &Value::Null);
    let answer = match command {
        PluginCommand::Load { file, trial, shadow } => {
            let wasm =
                std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
            let query = match trial {
                Some(share) => format!("?trial={share}"),
                None if *shadow => "?shadow=true".to_owned(),
                None => String::new(),
            };
            eprintln!("checking and compiling {} ...", file.display());
            client.upload(&query, &wasm).with_context(|| format!("{}", file.display()))?
        }
        PluginCommand::New(_)
        | PluginCommand::Build(_)
        | PluginCommand::Check(_)
        | PluginCommand::Test(_) => return Ok(()),
        PluginCommand::List => client.get(&["plugins"])?,
        PluginCommand::Show { name } => client.get(&["plugins", name])?,
        PluginCommand::Pin { name, version } => {
            client.put(&["plugins", name, "pin"], &json!({ "version": version }))?
        }
        PluginCommand::Unpin { name } => client.delete(&["plugins", name, "pin"])?,
        PluginCommand::Unshadow { name } => client.delete(&["plugins", name, "shadow"])?,
        PluginCommand::Rollback { name } => plugin(name, "rollback")?,
        PluginCommand::Promote { name } => plugin(name, "promote")?,
        PluginCommand::Enable { name } => plugin(name, "enable")?,
        PluginCommand::Disable { name } => plugin(name, "disable")?,
        PluginCommand::Settings { name, settings } => {
            if let Some(settings) = settings {
                let settings = super::json("settings", settings)?;
                client.put(&["plugins", name, "settings"], &settings)?;
            }
            let part: &[&str] = if api.json { &["settings"] } else { &[] };
            let path = [&["plugins", name], part].concat();
            // What is set stays when a plugin is removed, and can be looked at and taken back.
            match client.get_if_there(&path)? {
                Value::Null if settings.is_some() => Value::Null,
                Value::Null => kept_settings(&client.get(&["plugins", name, "settings"])?),
                shown => shown,
            }
        }
        PluginCommand::Remove { name, version: None } => client.delete(&["plugins", name])?,
        PluginCommand::Remove { name, version: Some(version) } => {
            client.delete(&["plugins", name, "versions", version])?
        }
    };
    if api.json {
        return output::json(&answer);
    }
    output::print(&match command {
        PluginCommand::Load { .. } => loaded(&answer),
        PluginCommand::List => list(&answer) + &refused(&client.get(&["refused-files"])?),
        PluginCommand::Settings { .. } => {
            device::settings(answer.get("settings").unwrap_or(&Value::Null))
        }
        PluginCommand::Show { .. } => details(&answer),
        PluginCommand::Remove { name, version: None } => format!(
            "{name} is removed\nits settings and what it keeps for devices stay, for when it is \
             loaded again\n{UNSERVED}"
        ),
        PluginCommand::Remove { name, version: Some(version) } => {
            format!("the version {version} of {name} is removed\n")
        }
        PluginCommand::Disable { .. } => state(&answer) + UNSERVED,
        _ => state(&answer),
    });
    Ok(())
}

/// What is set for a plugin that is not there, as [`device::settings`] shows it.
fn kept_settings(set: &Value) -> Value {
    let names = set.as_object().into_iter().flatten().map(|(name, _)| format!("/{name}"));
    let origins: serde_json::Map<_, _> = names.map(|name| (name, "plugin".into())).collect();
    json!({ "settings": { "settings": set, "origins": origins } })
}

/// What becomes of the devices of a plugin that does not serve any more.
const UNSERVED: &str = "its devices are served by another plugin that fits them, if there is one; those \
                        that are pinned to it, by nobody\n";

fn loaded(answer: &Value) -> String {
    let what = match text(answer, "outcome") {
        "serves" => "serves from the next session of each device on",
        "trial" => "serves a share of its devices from their next sessions on",
        "shadow" => "serves nobody, and is run over what the other version does",
        "kept" => "is kept and not used: the plugin is pinned to another version",
        "put-right" => "can be run again, and goes on as what it was",
        "disabled" => {
            "is kept and serves nobody: the plugin is disabled; `trellis plugin enable` has it serve"
        }
        _ => "serves already",
    };
    let (name, version, digest) =
        (text(answer, "name"), text(answer, "version"), text(answer, "digest"));
    format!("{} {version} ({}) {what}\n", bold(name), short(digest))
}

fn list(answer: &Value) -> String {
    let plugins = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    if plugins.is_empty() {
        return "there are no plugins; `trellis plugin load FILE` loads one\n".to_owned();
    }
    let head = ["NAME", "VERSION", "STATE", "RUNS", "FAULTS", "DESCRIPTION"].map(str::to_owned);
    let rows = plugins.iter().map(|plugin| {
        let serving = serving(plugin);
        vec![
            text(plugin, "name").to_owned(),
            text(plugin, "version").to_owned(),
            flags(plugin),
            serving.map(|it| number(it, "runs")).unwrap_or_default().to_string(),
            serving.map(faults).unwrap_or_default().to_string(),
            text(plugin, "description").to_owned(),
        ]
    });
    table(&std::iter::once(head.to_vec()).chain(rows).collect::<Vec<_>>())
}

/// What of the plugin folder was not taken.
fn refused(answer: &Value) -> String {
    let files = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let shown =
        |it: &Value| format!("not used: {}: {}\n", line(text(it, "file")), line(text(it, "why")));
    files.iter().map(shown).collect()
}

/// The version of a plugin that serves all devices, or those that have no part in a trial.
fn serving(plugin: &Value) -> Option<&Value> {
    let trial = plugin.pointer("/trial/digest");
    let versions = plugin.get("versions")?.as_array()?;
    versions
        .iter()
        .find(|it| it.get("serves") == Some(&Value::Bool(true)) && it.get("digest") != trial)
}

fn flags(plugin: &Value) -> String {
    let is = |name: &str| plugin.get(name) == Some(&Value::Bool(true));
    let mut flags = vec![if is("enabled") { "enabled" } else { "disabled" }.to_owned()];
    if broken(plugin).next().is_some() {
        flags.push("broken".to_owned());
    }
    if is("pinned") {
        flags.push("pinned".to_owned());
    }
    if let Some(trial) = plugin.get("trial").filter(|it| !it.is_null()) {
        let share = trial.get("share_percent").map(ToString::to_string).unwrap_or_default();
        flags.push(format!("{} on trial for {share} %", text(trial, "version")));
    }
    if let Some(shadow) = plugin.get("shadow").filter(|it| !it.is_null()) {
        flags.push(format!("{} is its shadow", text(shadow, "version")));
    }
    flags.join(", ")
}

/// The versions that are to serve and cannot be run, and why.
fn broken(plugin: &Value) -> impl Iterator<Item = (&str, &str)> {
    let versions = plugin.get("versions").and_then(Value::as_array);
    let why = |it: &'_ Value| it.get("broken").and_then(Value::as_str).is_some();
    let broken = versions.into_iter().flatten().filter(move |it| why(it));
    broken.map(|it| (text(it, "version"), text(it, "broken")))
}

fn faults(version: &Value) -> u64 {
    let faults = version.get("faults").and_then(Value::as_object);
    faults.map(|it| it.values().filter_map(Value::as_u64).sum()).unwrap_or_default()
}

fn state(plugin: &Value) -> String {
    let (name, version) = (bold(text(plugin, "name")), text(plugin, "version"));
    let digest = match text(plugin, "digest") {
        "" => String::new(),
        digest => format!(" ({})", short(digest)),
    };
    let mut lines = format!("{name} {version}{digest}: {}\n", flags(plugin));
    for (version, why) in broken(plugin) {
        lines.push_str(&format!("{version} serves nobody: {}\n", line(why)));
    }
    lines
}

fn details(plugin: &Value) -> String {
    let mut lines = state(plugin);
    lines.push_str(&format!("{}\n", text(plugin, "description")));
    if let Some(ended) = plugin.get("last_trial").and_then(Value::as_str) {
        lines.push_str(&format!("last trial: {ended}\n"));
    }
    if let Some(shadow) = plugin.get("shadow").filter(|it| !it.is_null()) {
        lines.push_str(&shadowed(shadow));
    }
    let list = |name: &str| -> Vec<String> {
        let items = plugin.get(name).and_then(Value::as_array);
        let items = items.map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    lines.push_str(&format!("\n{}\n", bold("serves")));
    list("matchers").iter().for_each(|it| lines.push_str(&format!("  {it}\n")));
    lines.push_str(&format!("{}\n", bold("actions")));
    let actions = plugin.get("actions").and_then(Value::as_object);
    for (name, action) in actions.into_iter().flatten() {
        lines.push_str(&format!("  {name}: {}\n", text(action, "description")));
    }
    lines.push_str(&format!("{}\n", bold("settings")));
    let settings = device::settings(plugin.get("settings").unwrap_or(&Value::Null));
    settings.lines().skip(1).for_each(|it| lines.push_str(&format!("  {it}\n")));
    lines.push_str(&format!("{}\n  {}\n", bold("imports"), list("imports").join(" ")));
    let http = list("http");
    if !http.is_empty() {
        lines.push_str(&format!("{}\n  {}\n", bold("granted over HTTP"), http.join(" ")));
        let limits = plugin.get("http_limits").and_then(Value::as_object);
        for (name, limit) in limits.into_iter().flatten() {
            lines.push_str(&format!("  {name} = {limit}\n"));
        }
    }
    lines.push_str(&format!("{}\n", bold("limits")));
    let limits = plugin.get("limits").and_then(Value::as_object);
    for (name, limit) in limits.into_iter().flatten() {
        lines.push_str(&format!("  {name} = {limit}\n"));
    }
    lines.push('\n');
    let head = [
        "VERSION", "DIGEST", "LOADED", "BY", "SERVES", "SESSIONS", "RUNS", "RPCS", "FAULTS",
        "BUSY S", "MEMORY",
    ];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    let versions = plugin.get("versions").and_then(Value::as_array);
    for it in versions.into_iter().flatten() {
        let serves = it.get("serves") == Some(&Value::Bool(true));
        let is_enabled = plugin.get("enabled") == Some(&Value::Bool(true));
        let busy = it.get("busy_seconds").and_then(Value::as_f64).unwrap_or_default();
        rows.push(vec![
            text(it, "version").to_owned(),
            short(text(it, "digest")).to_owned(),
            text(it, "loaded").get(..19).unwrap_or_default().to_owned(),
            text(it, "loaded_by").to_owned(),
            if serves && is_enabled { "yes" } else { "no" }.to_owned(),
            number(it, "sessions").to_string(),
            number(it, "runs").to_string(),
            number(it, "rpcs").to_string(),
            faults(it).to_string(),
            format!("{busy:.3}"),
            number(it, "memory_bytes_high").to_string(),
        ]);
    }
    lines + &table(&rows)
}

/// What a shadow was found to do.
fn shadowed(shadow: &Value) -> String {
    let many = |count: u64, what: &str| counted(usize::try_from(count).unwrap_or(usize::MAX), what);
    let (runs, same) = (many(number(shadow, "runs"), "run"), number(shadow, "same"));
    let version = text(shadow, "version");
    let mut lines = format!("shadow {version}: {runs}, {same} the same\n");
    let skipped = number(shadow, "skipped");
    if skipped > 0 {
        lines.push_str(&format!("  {} that cannot be run again\n", many(skipped, "run")));
    }
    let differences = shadow.get("differences").and_then(Value::as_object);
    for (kind, count) in differences.into_iter().flatten() {
        let count = count.as_u64().unwrap_or_default();
        lines.push_str(&format!("  {}\n", many(count, &format!("{kind} difference"))));
    }
    let last = shadow.get("last").and_then(Value::as_array);
    for it in last.into_iter().flatten().rev().take(5) {
        let at = text(it, "at").get(..19).unwrap_or_default();
        lines.push_str(&format!("  {at} {} {}\n", text(it, "device"), text(it, "kind")));
        for side in ["old", "new"] {
            let what = text(it, side).replace('\n', "\n        ");
            lines.push_str(&format!("    {side} {what}\n"));
        }
    }
    lines
}

/// The begin of a digest, enough for people.
fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}
