//! The author's bench: a plugin's file checked, tried with a simulated device, and run over what
//! an older version did. No server is needed but for the recordings.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use trellis_plugin_host::{FaultKind, Outcome, Plugin, PluginSettings, RevisionKey};
use trellis_rehearsal::{Device, Rehearsal, Visit, show_transcript};

use crate::commands::load::{Compiling, load, runtime};
use crate::output::{self, bold, counted};

#[derive(Debug, Args)]
pub(crate) struct CheckArguments {
    /// The plugin's file.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// The plugin's file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The simulated device, as JSON; docs/plugins.md says how.
    #[arg(long, value_name = "MODEL.json")]
    device: PathBuf,
    /// The events of one session, such as "1 BOOT" or "M Reboot:key,1 BOOT"; once for each session.
    /// Default: one session with "0 BOOTSTRAP,1 BOOT", and one with "2 PERIODIC".
    #[arg(long, value_name = "EVENTS")]
    events: Vec<String>,
    /// An action in the last session: its name, and its arguments as JSON, such as
    /// `reboot={"delay":5}`.
    #[arg(long, value_name = "NAME=JSON")]
    action: Vec<String>,
    /// Settings over the manifest's defaults, as JSON or `@FILE`.
    #[arg(long, value_name = "JSON")]
    settings: Option<String>,
    /// After the sessions, let time pass until each deadline.
    #[arg(long)]
    expire: bool,
    /// Compare the transcript with this file.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Write the transcript to the file of `--expect` instead of comparing it.
    #[arg(long, requires = "expect")]
    update: bool,
    /// Print the sessions as JSON, with every call and answer.
    #[arg(long, conflicts_with = "expect")]
    json: bool,
}

/// The event codes that stand for themselves (TR-069 3.7.1.5, table 8).
const EVENT_CODES: [&str; 15] = [
    "0 BOOTSTRAP",
    "1 BOOT",
    "2 PERIODIC",
    "3 SCHEDULED",
    "4 VALUE CHANGE",
    "5 KICKED",
    "6 CONNECTION REQUEST",
    "7 TRANSFER COMPLETE",
    "8 DIAGNOSTICS COMPLETE",
    "9 REQUEST DOWNLOAD",
    "10 AUTONOMOUS TRANSFER COMPLETE",
    "11 DU STATE CHANGE COMPLETE",
    "12 AUTONOMOUS DU STATE CHANGE COMPLETE",
    "13 WAKEUP",
    "14 HEARTBEAT",
];

/// How many deadlines are waited for: a plugin may set one each time.
const DEADLINES_MAX: usize = 10;

/// `trellis plugin check`.
pub(crate) fn check(arguments: &CheckArguments) -> anyhow::Result<()> {
    let began = Instant::now();
    let plugin = load(&arguments.file, Compiling::Anew)?;
    let seconds = began.elapsed().as_secs_f64();
    if arguments.json {
        return output::json(&found(&plugin, seconds));
    }
    output::print(&shown(&plugin, seconds));
    Ok(())
}

/// What a file is, for machines.
fn found(plugin: &Plugin, seconds: f64) -> Value {
    let manifest = &plugin.manifest;
    let matchers: Vec<String> = manifest.matchers.iter().map(ToString::to_string).collect();
    let actions = manifest.actions.iter().map(|(name, action)| {
        let told = json!({ "description": action.description, "schema": action.schema });
        (name.clone(), told)
    });
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "world": plugin.world(),
        "bytes": plugin.bytes,
        "compile_seconds": seconds,
        "sha256": plugin.digest,
        "imports": plugin.imports,
        "matchers": matchers,
        "actions": actions.collect::<serde_json::Map<_, _>>(),
        "admits": plugin.admits(),
        "expires": plugin.expires(),
        "settings_schema": manifest.settings.schema,
        "defaults": manifest.settings.defaults,
        "limits": plugin.limits(),
        "needs": needs(plugin),
    })
}

/// What the operator must grant before a server takes the file.
fn needs(plugin: &Plugin) -> Option<String> {
    let name = &plugin.manifest.name;
    let calls_out = plugin.imports.iter().any(|it| it.starts_with("wasi:http/"));
    calls_out.then(|| {
        format!("in the server's configuration, [plugins.for.{name}] http = [\"https://...\"]")
    })
}

/// What a file is, for people.
fn shown(plugin: &Plugin, seconds: f64) -> String {
    let manifest = &plugin.manifest;
    let matchers: Vec<String> = manifest.matchers.iter().map(ToString::to_string).collect();
    let actions = manifest.actions.iter().map(|(name, action)| {
        let fields = fields(&action.schema, &serde_json::Map::new()).join("; ");
        format!("{name} ({fields}) {}", action.description)
    });
    let mut hooks = vec!["describe", "provision"];
    hooks.extend((!manifest.actions.is_empty()).then_some("actions"));
    hooks.extend(plugin.admits().then_some("admission"));
    hooks.extend(plugin.expires().then_some("expiry"));
    let limits = plugin.limits();
    let mut text = format!(
        "{} {} is a plugin that this version of trellis runs\n",
        bold(&manifest.name),
        manifest.version
    );
    for (name, lines) in [
        ("world", vec![plugin.world()]),
        ("hooks", vec![hooks.join(" ")]),
        ("size", vec![format!("{} bytes", plugin.bytes)]),
        ("compiled in", vec![format!("{seconds:.1} s")]),
        ("sha256", vec![plugin.digest.clone()]),
        ("matchers", matchers),
        ("settings", fields(&manifest.settings.schema, &manifest.settings.defaults)),
        ("actions", actions.collect()),
        (
            "limits",
            vec![format!(
                "{} MiB of memory, {} million fuel, {} s, {} requests",
                limits.memory_bytes >> 20,
                limits.fuel / 1_000_000,
                limits.wall.as_secs(),
                limits.rpcs
            )],
        ),
        ("imports", plugin.imports.clone()),
        ("needs", needs(plugin).into_iter().collect()),
    ] {
        let lines = if lines.is_empty() { vec!["none".to_owned()] } else { lines };
        for (number, line) in lines.iter().enumerate() {
            text.push_str(&format!("{:<14}{line}\n", if number == 0 { name } else { "" }));
        }
    }
    if manifest.matchers.is_empty() {
        text.push_str("it has no matcher: it serves only devices that are pinned to it\n");
    }
    text
}

/// The fields of an object that a schema speaks of: their types, and their defaults.
fn fields(schema: &Value, defaults: &serde_json::Map<String, Value>) -> Vec<String> {
    let named = schema.get("properties").and_then(Value::as_object);
    let mut names: Vec<&String> = named.into_iter().flat_map(serde_json::Map::keys).collect();
    names.extend(defaults.keys().filter(|name| !named.is_some_and(|it| it.contains_key(*name))));
    let field = |name: &String| {
        let kind = named.and_then(|it| it.get(name)?.get("type"));
        let kind = match kind {
            Some(Value::String(kind)) => format!(": {kind}"),
            Some(kinds) => format!(": {kinds}"),
            None => String::new(),
        };
        let default = defaults.get(name).map(|it| format!(" = {it}")).unwrap_or_default();
        format!("{name}{kind}{default}")
    };
    names.into_iter().map(field).collect()
}

/// `trellis plugin test`.
pub(crate) fn test(arguments: &TestArguments) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(&arguments.device)
        .with_context(|| format!("cannot read {}", arguments.device.display()))?;
    let device =
        Device::from_json(&text).with_context(|| format!("{}", arguments.device.display()))?;
    let plugin = load(&arguments.file, Compiling::Once)?;
    let settings = settings(&plugin, arguments.settings.as_deref())?;
    let actions = arguments.action.iter().map(|it| action(&plugin, it));
    let actions = actions.collect::<anyhow::Result<Vec<_>>>()?;
    let sessions: Vec<Vec<String>> = match arguments.events.as_slice() {
        [] => {
            vec![vec!["0 BOOTSTRAP".to_owned(), "1 BOOT".to_owned()], vec!["2 PERIODIC".to_owned()]]
        }
        events => {
            events.iter().map(|it| it.split(',').map(|it| it.trim().to_owned()).collect()).collect()
        }
    };
    sessions.iter().flatten().try_for_each(|event| check_event(event))?;
    let visits = runtime()?.block_on(async {
        let mut rehearsal = Rehearsal::new(plugin, device, settings);
        if !rehearsal.is_matched() {
            eprintln!(
                "the device fits no matcher of the plugin: a server has the plugin serve it only where \
                 it is pinned to it"
            );
        }
        let mut visits = Vec::new();
        let last = sessions.len().saturating_sub(1);
        for (number, events) in sessions.iter().enumerate() {
            let actions = if number == last { actions.as_slice() } else { &[] };
            visits.push(rehearsal.session(events, actions).await);
        }
        for _ in 0..if arguments.expire { DEADLINES_MAX } else { 0 } {
            let Some(visit) = rehearsal.expire().await else { break };
            visits.push(visit);
        }
        visits
    });
    let unanswered: usize = visits.iter().map(|it| it.unanswered).sum();
    if unanswered > 0 {
        let requests = counted(unanswered, "request");
        eprintln!("the bench has no HTTP: {requests} of the plugin failed");
    }
    if arguments.json {
        let sessions =
            visits.iter().map(|it| json!({ "events": it.events, "runs": it.transcripts }));
        output::json(&sessions.collect())?;
    } else {
        compare(&visits.iter().map(show).collect::<Vec<_>>().join("\n"), arguments)?;
    }
    if arguments.expect.is_none()
        && let Some((hook, kind)) = visits.iter().find_map(broken)
    {
        anyhow::bail!("{hook} did not end by itself ({kind}); the transcript says how");
    }
    Ok(())
}

/// An event that no device sends is a slip.
fn check_event(event: &str) -> anyhow::Result<()> {
    let code = event.split_once(':').map_or(event, |(code, _)| code).trim();
    let is_free = code.starts_with("M ") || code.starts_with("X ");
    anyhow::ensure!(
        is_free || EVENT_CODES.contains(&code),
        "{code:?} is no event code; there are {}, and those that begin with \"M \" or \"X \"",
        EVENT_CODES.map(|code| format!("{code:?}")).join(", ")
    );
    Ok(())
}

/// The first run that the plugin did not end by itself, with an error or without.
fn broken(visit: &Visit) -> Option<(&str, &str)> {
    visit.transcripts.iter().find_map(|transcript| match &transcript.outcome {
        Outcome::Failed(kind, _) if kind != FaultKind::Error.name() => {
            Some((transcript.hook.name(), kind.as_str()))
        }
        _ => None,
    })
}

/// One session for people.
fn show(visit: &Visit) -> String {
    let hooks: String = visit.transcripts.iter().map(show_transcript).collect();
    format!("session {}\n{hooks}", visit.events.join(", "))
}

fn compare(text: &str, arguments: &TestArguments) -> anyhow::Result<()> {
    let Some(file) = &arguments.expect else {
        output::print(text);
        return Ok(());
    };
    if arguments.update {
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
        output::print(&format!("{} is written\n", file.display()));
        return Ok(());
    }
    let expected = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read {}; --update writes it", file.display()))?;
    if expected == text {
        output::print(&format!("as expected by {}\n", file.display()));
        return Ok(());
    }
    output::print(&trellis_rehearsal::diff(&expected, text));
    anyhow::bail!(
        "the transcript is not that of {}; if it should be, run this again with --update",
        file.display()
    )
}

/// The settings that hold in the end.
fn settings(plugin: &Plugin, own: Option<&str>) -> anyhow::Result<PluginSettings> {
    let own: serde_json::Map<String, Value> = match own {
        Some(text) => match super::json("settings", text)? {
            Value::Object(settings) => settings,
            _ => anyhow::bail!("--settings is not a JSON object"),
        },
        None => serde_json::Map::new(),
    };
    let defaults = plugin.manifest.settings.defaults.clone();
    let settings = PluginSettings::new(defaults, vec![own], &RevisionKey::default());
    plugin
        .check_settings(&serde_json::from_str(&settings.effective)?, |_| None)
        .map_err(|why| anyhow::anyhow!("the settings do not fit the plugin's schema: {why}"))?;
    Ok(settings)
}

fn action(plugin: &Plugin, text: &str) -> anyhow::Result<(String, String)> {
    let (name, arguments) = text.split_once('=').unwrap_or((text, "{}"));
    let value = super::json(&format!("arguments of the action {name}"), arguments)?;
    plugin
        .check_arguments(name, &value)
        .map_err(|why| anyhow::anyhow!("the action {name}: {why}"))?;
    Ok((name.to_owned(), value.to_string()))
}
