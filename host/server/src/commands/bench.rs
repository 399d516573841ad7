//! The author's bench: a plugin's file checked, tried with a simulated device, and run over what
//! an older version did. No server is needed but for the recordings.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use trellis_plugin_host::{EngineSettings, Loader, LoaderSettings, Plugin, PluginEngine};
use trellis_rehearsal::{Device, Rehearsal, Visit, show_transcript};

use crate::output::{self, bold};

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
    /// Settings over the manifest's defaults, as JSON.
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
}

/// How many deadlines are waited for: a plugin may set one each time.
const DEADLINES_MAX: usize = 10;

/// `trellis plugin check`.
pub(crate) fn check(arguments: &CheckArguments) -> anyhow::Result<()> {
    let wasm = read(&arguments.file)?;
    let bytes = wasm.len();
    let began = Instant::now();
    let plugin =
        load(wasm).map_err(|why| anyhow::anyhow!("{}: {why}", arguments.file.display()))?;
    let seconds = began.elapsed().as_secs_f64();
    let manifest = &plugin.manifest;
    let matchers: Vec<String> = manifest.matchers.iter().map(ToString::to_string).collect();
    let found = json!({
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "world": "trellis:acs/vendor-plugin@0.1",
        "bytes": bytes,
        "compile-seconds": seconds,
        "sha256": plugin.digest,
        "imports": plugin.imports,
        "matchers": matchers,
        "actions": manifest.actions.keys().collect::<Vec<_>>(),
        "admits": plugin.admits(),
        "expires": plugin.expires(),
        "settings-schema": manifest.settings.schema,
        "defaults": manifest.settings.defaults,
    });
    if arguments.json {
        return output::json(&found);
    }
    let list = |items: &[String]| {
        if items.is_empty() { "none".to_owned() } else { items.join("\n              ") }
    };
    let actions: Vec<String> = manifest.actions.keys().cloned().collect();
    let mut hooks = vec!["describe", "provision"];
    hooks.extend((!actions.is_empty()).then_some("actions"));
    hooks.extend(plugin.admits().then_some("admission"));
    hooks.extend(plugin.expires().then_some("expiry"));
    output::print(&format!(
        "{} {} is a plugin that this version of trellis runs\n\
         world         trellis:acs/vendor-plugin@0.1\n\
         hooks         {}\n\
         size          {bytes} bytes\n\
         compiled in   {seconds:.1} s\n\
         sha256        {}\n\
         matchers      {}\n\
         actions       {}\n\
         imports       {}\n",
        bold(&manifest.name),
        manifest.version,
        hooks.join(" "),
        plugin.digest,
        list(&matchers),
        list(&actions),
        list(&plugin.imports),
    ));
    if matchers.is_empty() {
        output::print("it has no matcher: it serves only devices that are pinned to it\n");
    }
    Ok(())
}

/// `trellis plugin test`.
pub(crate) fn test(arguments: &TestArguments) -> anyhow::Result<()> {
    let wasm = read(&arguments.file)?;
    let text = std::fs::read_to_string(&arguments.device)
        .with_context(|| format!("cannot read {}", arguments.device.display()))?;
    let device =
        Device::from_json(&text).with_context(|| format!("{}", arguments.device.display()))?;
    let plugin =
        load(wasm).map_err(|why| anyhow::anyhow!("{}: {why}", arguments.file.display()))?;
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
    let visits = runtime()?.block_on(async {
        let mut rehearsal = Rehearsal::new(plugin, device, &settings);
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
    let text = visits.iter().map(show).collect::<Vec<_>>().join("\n");
    compare(&text, arguments)
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
fn settings(plugin: &Plugin, own: Option<&str>) -> anyhow::Result<Value> {
    let own: serde_json::Map<String, Value> = match own {
        Some(text) => serde_json::from_str(text).context("--settings is not a JSON object")?,
        None => serde_json::Map::new(),
    };
    let layers = [
        (trellis_catalog::Origin::Default, plugin.manifest.settings.defaults.clone()),
        (trellis_catalog::Origin::Device, own),
    ];
    let layers = layers.map(|(origin, settings)| trellis_catalog::Layer { origin, settings });
    let settings = Value::Object(trellis_catalog::merged(layers));
    plugin
        .check_settings(&settings)
        .map_err(|why| anyhow::anyhow!("the settings do not fit the plugin's schema: {why}"))?;
    Ok(settings)
}

fn action(plugin: &Plugin, text: &str) -> anyhow::Result<(String, String)> {
    let (name, arguments) = text.split_once('=').unwrap_or((text, "{}"));
    let value: Value = serde_json::from_str(arguments)
        .with_context(|| format!("the arguments of the action {name} are not JSON"))?;
    plugin
        .check_arguments(name, &value)
        .map_err(|why| anyhow::anyhow!("the action {name}: {why}"))?;
    Ok((name.to_owned(), value.to_string()))
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Loads a file as the server would. The error says what is wrong with it.
pub(crate) fn load(wasm: Vec<u8>) -> Result<Arc<Plugin>, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let engine = PluginEngine::new(&EngineSettings { runs_max: 8, compile_on_all_cores: true });
    let engine = engine.map_err(|error| format!("{error:#}"))?;
    let data = folder.path().to_owned();
    let settings = LoaderSettings { data, is_rehearsal: true, ..LoaderSettings::default() };
    let loader = Loader::new(engine, settings).map_err(|error| error.to_string())?;
    let runtime = runtime().map_err(|error| error.to_string())?;
    runtime.block_on(loader.load(wasm.into())).map(Arc::new)
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
