//! `trellis tag`: what holds for devices that have a tag.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::client::{ApiArguments, Client};
use crate::output::{self, table, text};

#[derive(Debug, Subcommand)]
pub(crate) enum TagCommand {
    /// List the tags of which something is said.
    List,
    /// Set or show the settings of a plugin for devices that have a tag. Of several tags of a device
    /// the last one by name goes first.
    Settings {
        /// The tag.
        tag: String,
        /// The plugin.
        plugin: String,
        /// What is to be set in place of what was set before, as JSON, `@FILE` or `-` for standard input;
        /// `{}` takes it back.
        settings: Option<String>,
    },
    /// Have a plugin serve the devices that have a tag whatever the matchers say; without one, the
    /// plugin that fits each.
    Pin {
        /// The tag.
        tag: String,
        /// The plugin.
        plugin: Option<String>,
    },
}

pub(crate) fn run(command: &TagCommand, api: &ApiArguments) -> anyhow::Result<()> {
    let client = Client::new(api)?;
    let answer = match command {
        TagCommand::List => client.get(&["tags"])?,
        TagCommand::Settings { tag, plugin, settings } => {
            if let Some(settings) = settings {
                let settings = super::json("settings", settings)?;
                client.put(&["tags", tag, "settings", plugin], &settings)?;
            }
            let mut tags = client.get(&["tags"])?;
            let set = tags.get_mut(tag).and_then(|it| it.get_mut("settings")?.get_mut(plugin));
            return output::json(&set.map(Value::take).unwrap_or_else(|| json!({})));
        }
        TagCommand::Pin { tag, plugin: Some(plugin) } => {
            client.put(&["tags", tag, "plugin"], &json!({ "plugin": plugin }))?
        }
        TagCommand::Pin { tag, plugin: None } => client.delete(&["tags", tag, "plugin"])?,
    };
    if api.json {
        return output::json(&answer);
    }
    output::print(&match command {
        TagCommand::Pin { tag, plugin: Some(plugin) } => {
            format!(
                "devices with the tag {tag} are served by {plugin} from their next sessions on\n"
            )
        }
        TagCommand::Pin { tag, plugin: None } => {
            format!("devices with the tag {tag} are served by the plugins that fit them\n")
        }
        _ => list(&answer),
    });
    Ok(())
}

fn list(answer: &Value) -> String {
    let head = ["TAG", "PLUGIN", "SETTINGS OF"].map(str::to_owned).to_vec();
    let rows = answer.as_object().into_iter().flatten().map(|(tag, said)| {
        let set = said.get("settings").and_then(Value::as_object);
        let plugins: Vec<&str> = set.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        vec![tag.clone(), text(said, "plugin").to_owned(), plugins.join(", ")]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
