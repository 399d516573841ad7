//! `trellis faults`: what went wrong, of all devices.

use clap::Args;
use serde_json::{Value, json};

use crate::client::{ApiArguments, Client};
use crate::output::{self, line, table, text};

/// What `trellis faults` is asked.
#[derive(Debug, Args)]
pub(crate) struct FaultsArguments {
    /// Only those of sessions in which this plugin ran.
    #[arg(long, value_name = "NAME")]
    plugin: Option<String>,
    /// Only those since then: a time, or how long ago, such as 2h or 3d.
    #[arg(long, value_name = "TIME", default_value = "24h")]
    since: String,
    /// So many at most.
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    limit: usize,
    #[command(flatten)]
    api: ApiArguments,
}

pub(crate) fn run(arguments: &FaultsArguments) -> anyhow::Result<()> {
    let client = Client::new(&arguments.api)?;
    let since = super::since(&arguments.since)?.to_string();
    let mut faults = Vec::new();
    let wanted = [("since", Some(since.as_str())), ("plugin", arguments.plugin.as_deref())];
    let has_more = arguments.limit > 0
        && client.pages("faults", &wanted, |page| {
            if let Value::Array(found) = page {
                faults.extend(found);
            }
            Ok(faults.len() < arguments.limit)
        })?;
    let is_all = !has_more && faults.len() <= arguments.limit;
    faults.truncate(arguments.limit);
    faults.sort_by(|one, other| text(one, "at").cmp(text(other, "at")));
    if arguments.api.json {
        return output::json(&json!(faults));
    }
    output::print(&list(&faults));
    if faults.is_empty() {
        eprintln!("there are none since {since} of these devices and plugins");
    }
    if !is_all {
        eprintln!("there are more: --limit, --since and --plugin say which are shown");
    }
    Ok(())
}

fn list(faults: &[Value]) -> String {
    let head = ["AT", "DEVICE", "PLUGIN", "KIND", "WHAT"].map(str::to_owned).to_vec();
    let rows = faults.iter().map(|it| {
        let plugin = it.get("plugin").filter(|it| !it.is_null());
        let plugin = plugin.map(|it| format!("{} {}", text(it, "name"), text(it, "version")));
        vec![
            text(it, "at").get(..19).unwrap_or_default().to_owned(),
            text(it, "device").to_owned(),
            plugin.unwrap_or_else(|| "-".to_owned()),
            text(it, "kind").to_owned(),
            line(text(it, "message")),
        ]
    });
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}
