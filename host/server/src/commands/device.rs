//! `trellis device`: the devices of a running server, and what they are to do.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{ApiArguments, Client};
use crate::commands::transcript;
use crate::output::{self, bold, line, number, table, text};

#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// List devices, in the order of their ids.
    List {
        /// Only those after this id.
        #[arg(long, value_name = "ID")]
        after: Option<String>,
    },
    /// Show a device: what it told, what plugins published, its last faults.
    Show {
        /// Its id, as lists and logs have it.
        id: String,
    },
    /// Show a device's last sessions with every step.
    Sessions {
        /// The device.
        id: String,
    },
    /// Print what the device's plugin was told, asked and did in the last sessions, without secrets.
    Transcript {
        /// The device.
        id: String,
        /// So many of the last sessions that are kept.
        #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
        last: u16,
        /// Only sessions since then: a time (RFC 3339), or how long ago, such as 24h or 3d.
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
    },
    /// Have the device's plugin run an action, and print what became of it.
    Action {
        /// The device.
        id: String,
        /// The action.
        action: String,
        /// Its arguments, as JSON, `@FILE` or `-` for standard input.
        #[arg(default_value = "{}")]
        arguments: String,
        /// How long to wait for the device, in seconds; 0 only queues it. When the time is over the
        /// action stays queued, and the command fails.
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        wait: u64,
    },
    /// Show what became of the actions of a device, or of one of them.
    Actions {
        /// The device.
        id: String,
        /// The number of the action.
        number: Option<u64>,
    },
    /// Ask a device to open a session now.
    Call {
        /// The device.
        id: String,
    },
    /// Set or show what holds for a device: the plugin's settings.
    Settings {
        /// The device.
        id: String,
        /// The plugin.
        plugin: String,
        /// What is to be set in place of what was set before, as JSON, `@FILE` or `-` for standard input;
        /// `{}` takes it back.
        settings: Option<String>,
    },
    /// Give a device a tag.
    Tag {
        /// The device.
        id: String,
        /// The tag.
        tag: String,
    },
    /// Take a tag from a device.
    Untag {
        /// The device.
        id: String,
        /// The tag.
        tag: String,
    },
    /// Have a plugin serve a device whatever the matchers say; without one, the plugin that fits it.
    Pin {
        /// The device.
        id: String,
        /// The plugin.
        plugin: Option<String>,
    },
}

/// The longest wait for an action, in seconds.
const WAIT_MAX: u64 = 7 * 24 * 3_600;

/// How often it is asked what became of an action.
const ASK_EVERY: std::time::Duration = std::time::Duration::from_millis(300);

pub(crate) fn run(command: &DeviceCommand, api: &ApiArguments) -> anyhow::Result<()> {
    let client = Client::new(api)?;
    let answer = match command {
        DeviceCommand::List { after } => {
            client.query(&["devices"], &[("after", after.as_deref())])?
        }
        DeviceCommand::Show { id } => {
            let mut device = client.get(&["devices", id])?;
            let faults = client.get(&["devices", id, "faults"])?;
            if let Some(device) = device.as_object_mut() {
                device.insert("faults".to_owned(), faults);
            }
            device
        }
        DeviceCommand::Sessions { id } => client.get(&["devices", id, "sessions"])?,
        DeviceCommand::Transcript { id, last, since } => {
            let since = since.as_deref().map(super::since).transpose()?;
            transcript::last(&client, id, since, (*last).into())?
        }
        DeviceCommand::Action { id, action, arguments, wait } => {
            let arguments = super::json("arguments", arguments)?;
            let queued = client.post(&["devices", id, "actions", action], &arguments)?;
            await_action(&client, id, queued, *wait)?
        }
        DeviceCommand::Actions { id, number: None } => client.get(&["devices", id, "actions"])?,
        DeviceCommand::Actions { id, number: Some(number) } => {
            client.get(&["devices", id, "actions", &number.to_string()])?
        }
        DeviceCommand::Call { id } => {
            client.post(&["devices", id, "connection-request"], &Value::Null)?
        }
        DeviceCommand::Settings { id, plugin, settings: None } => {
            client.get(&["devices", id, "settings", plugin])?
        }
        DeviceCommand::Settings { id, plugin, settings: Some(settings) } => {
            let settings = super::json("settings", settings)?;
            client.put(&["devices", id, "settings", plugin], &settings)?;
            // What was taken back may have been of a plugin that is gone.
            client.get_if_there(&["devices", id, "settings", plugin])?
        }
        DeviceCommand::Tag { id, tag } => {
            client.put(&["devices", id, "tags", tag], &Value::Null)?
        }
        DeviceCommand::Untag { id, tag } => client.delete(&["devices", id, "tags", tag])?,
        DeviceCommand::Pin { id, plugin: Some(plugin) } => {
            client.put(&["devices", id, "plugin"], &json!({ "plugin": plugin }))?
        }
        DeviceCommand::Pin { id, plugin: None } => client.delete(&["devices", id, "plugin"])?,
    };
    let is_action = matches!(command, DeviceCommand::Action { .. });
    let failed = is_action && text(&answer, "state") == "failed";
    if api.json {
        output::json(&answer)?;
    } else {
        output::print(&match command {
            DeviceCommand::List { .. } => list(&answer),
            DeviceCommand::Show { .. } => device(&answer),
            DeviceCommand::Sessions { .. } => sessions(&answer),
            DeviceCommand::Transcript { .. } => transcript::shown(&answer)?,
            DeviceCommand::Action { .. } => action(&answer),
            DeviceCommand::Actions { .. } => actions(&answer),
            DeviceCommand::Call { .. } => format!("{}\n", text(&answer, "detail")),
            DeviceCommand::Settings { .. } => settings(&answer),
            DeviceCommand::Tag { id, tag } => format!("{id} has the tag {tag}\n"),
            DeviceCommand::Untag { id, tag } => format!("{id} does not have the tag {tag}\n"),
            DeviceCommand::Pin { id, plugin: Some(plugin) } => {
                format!("{id} is served by {plugin} from its next session on\n")
            }
            DeviceCommand::Pin { id, plugin: None } => {
                format!("{id} is served by the plugin that fits it\n")
            }
        });
    }
    anyhow::ensure!(!failed, "the action failed");
    if let DeviceCommand::Action { id, wait: 1.., .. } = command {
        anyhow::ensure!(
            text(&answer, "state") == "done",
            "the device has not done it yet; it stays queued, and `trellis device actions {id} {}` \
             tells what becomes of it",
            number(&answer, "id")
        );
    }
    let is_called =
        !matches!(command, DeviceCommand::Call { .. }) || text(&answer, "outcome") == "accepted";
    anyhow::ensure!(is_called, "the device does not come");
    Ok(())
}

/// Waits until an action has ended.
fn await_action(client: &Client, id: &str, queued: Value, wait: u64) -> anyhow::Result<Value> {
    let end = std::time::Instant::now() + std::time::Duration::from_secs(wait.min(WAIT_MAX));
    let number = number(&queued, "id").to_string();
    let mut current = queued;
    while matches!(text(&current, "state"), "queued" | "running") && std::time::Instant::now() < end
    {
        std::thread::sleep(ASK_EVERY);
        current = client.get(&["devices", id, "actions", &number])?;
    }
    Ok(current)
}

fn list(answer: &Value) -> String {
    let head = ["ID", "MANUFACTURER", "SOFTWARE", "PLUGIN", "LAST INFORM", "STATE"];
    let head = head.map(str::to_owned);
    let devices = answer.get("devices").and_then(Value::as_array);
    let rows = devices.into_iter().flatten().map(|it| {
        let plugin = it.get("plugin").map(|it| text(it, "name")).unwrap_or("-");
        vec![
            text(it, "id").to_owned(),
            text(it, "manufacturer").to_owned(),
            text(it, "software_version").to_owned(),
            plugin.to_owned(),
            text(it, "last_inform").get(..19).unwrap_or_default().to_owned(),
            if is_quarantined(it) { "quarantined" } else { "" }.to_owned(),
        ]
    });
    let mut lines = table(&std::iter::once(head.to_vec()).chain(rows).collect::<Vec<_>>());
    if let Some(next) = answer.get("next").and_then(Value::as_str) {
        lines.push_str(&format!("there are more: --after {next}\n"));
    }
    lines
}

fn is_quarantined(device: &Value) -> bool {
    device.get("quarantined").and_then(Value::as_bool) == Some(true)
}

fn device(it: &Value) -> String {
    let mut lines = format!("{}\n", bold(text(it, "id")));
    for name in [
        "manufacturer",
        "product_class",
        "software_version",
        "cwmp_version",
        "first_inform",
        "last_inform",
        "last_boot",
        "connection_request_url",
    ] {
        lines.push_str(&format!("  {:<24}{}\n", name.replace('_', " "), text(it, name)));
    }
    if let Some(plugin) = it.get("plugin").filter(|it| !it.is_null()) {
        let (name, version) = (text(plugin, "name"), text(plugin, "version"));
        lines.push_str(&format!("  {:<24}{name} {version}\n", "plugin"));
    }
    if let Some(pin) = it.get("pin").filter(|it| !it.is_null()) {
        let plugin = text(pin, "plugin");
        let by = match pin.get("tag").and_then(Value::as_str) {
            Some(tag) => format!(" by the tag {tag}"),
            None => String::new(),
        };
        let what = match pin.get("serves") {
            Some(Value::Bool(false)) => "does not serve: nobody serves the device",
            _ => "serves it whatever the matchers say",
        };
        lines.push_str(&format!("  {:<24}{plugin}{by}, which {what}\n", "pinned to"));
    }
    if is_quarantined(it) {
        let why = it.get("quarantine_reason").and_then(Value::as_str);
        let why = why.unwrap_or("it was not known when it came ([session] unknown-devices)");
        lines.push_str(&format!("  {:<24}{}\n", "quarantined", line(why)));
    }
    let tags = it.get("tags").and_then(Value::as_array);
    let tags: Vec<&str> = tags.into_iter().flatten().filter_map(Value::as_str).collect();
    lines.push_str(&format!("  {:<24}{}\n", "tags", tags.join(", ")));
    for (name, fact) in it.get("facts").and_then(Value::as_object).into_iter().flatten() {
        let value = fact.get("value").map(ToString::to_string).unwrap_or_default();
        lines.push_str(&format!("  {name:<24}{value}\n"));
    }
    for fault in it.get("faults").and_then(Value::as_array).into_iter().flatten() {
        let at = text(fault, "at").get(..19).unwrap_or_default();
        lines.push_str(&format!(
            "  fault {at} {}: {}\n",
            text(fault, "kind"),
            line(text(fault, "message"))
        ));
    }
    lines
}

fn sessions(answer: &Value) -> String {
    let sessions = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    if sessions.is_empty() {
        return "none is kept; a session in which nothing was asked of the device is not\n"
            .to_owned();
    }
    let mut lines = String::new();
    for it in sessions {
        let events = it.get("events").and_then(Value::as_array);
        let events: Vec<&str> = events.into_iter().flatten().map(|it| text(it, "code")).collect();
        let began = text(it, "began").get(..19).unwrap_or_default();
        let head = format!("{began}  {}  {} ms", events.join(", "), number(it, "took_ms"));
        lines.push_str(&format!("{}  {}\n", bold(&head), line(text(it, "outcome"))));
        for step in it.get("steps").and_then(Value::as_array).into_iter().flatten() {
            let (method, request, answer) =
                (text(step, "method"), text(step, "request"), text(step, "answer"));
            let after = number(step, "after_ms");
            lines.push_str(&format!(
                "  {after:>6} ms  {method:<24} {} -> {}\n",
                line(request),
                line(answer)
            ));
        }
    }
    lines
}

fn action(it: &Value) -> String {
    let (name, state) = (text(it, "name"), text(it, "state"));
    let told = match it.get("error").and_then(Value::as_str) {
        Some(error) => line(error),
        None => {
            it.get("result").filter(|it| !it.is_null()).map(ToString::to_string).unwrap_or_default()
        }
    };
    let line = format!("{} {} {state} {told}", bold(name), number(it, "id"));
    format!("{}\n", line.trim_end())
}

fn actions(answer: &Value) -> String {
    let all = answer.as_array().map_or(std::slice::from_ref(answer), Vec::as_slice);
    if all.is_empty() {
        return "none was queued\n".to_owned();
    }
    all.iter().map(|it| format!("{}  {}", text(it, "queued"), action(it))).collect()
}

/// Settings that hold, and where each of them comes from.
pub(super) fn settings(answer: &Value) -> String {
    let origins = answer.get("origins").and_then(Value::as_object);
    let head = vec!["SETTING".to_owned(), "VALUE".to_owned(), "FROM".to_owned()];
    let rows = origins.into_iter().flatten().map(|(path, origin)| {
        let pointer = format!("/settings{path}");
        let value = answer.pointer(&pointer).map(ToString::to_string).unwrap_or_default();
        vec![path.clone(), value, origin.as_str().unwrap_or_default().to_owned()]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
