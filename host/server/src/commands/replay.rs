//! `trellis replay`: a new version of a plugin over what the old one did.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use trellis_rehearsal::{Kind, replay};
use trellis_session::SessionTranscript;

use crate::client::{ApiArguments, Client};
use crate::commands::load::{Compiling, load, runtime};
use crate::commands::transcript;
use crate::output::{self, bold, counted};

#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The file of the new version.
    #[arg(long, value_name = "FILE")]
    plugin: PathBuf,
    /// Only sessions of this device.
    #[arg(long, value_name = "ID")]
    device: Option<String>,
    /// Only sessions since then: a time (RFC 3339), or how long ago, such as 24h or 3d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Differences that are printed; all are counted.
    #[arg(long, default_value_t = 50)]
    show: usize,
    /// Fail where anything is different, was not recorded or could not be run, and where nothing was:
    /// for a script.
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    api: ApiArguments,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    sessions: usize,
    runs: usize,
    same: usize,
    skipped: usize,
    unanswered: usize,
    by_kind: BTreeMap<Kind, usize>,
    /// What is printed: differences, and what could not be compared.
    shown: Vec<Value>,
    uncompared: Vec<Value>,
    /// How much of that.
    show: usize,
}

pub(crate) fn run(arguments: &ReplayArguments) -> anyhow::Result<()> {
    let client = Client::new(&arguments.api)?.untamed();
    let since = arguments.since.as_deref().map(super::since).transpose()?;
    if let Some(device) = &arguments.device {
        // A slip in the id would look as if nothing had been recorded.
        client.get(&["devices", device])?;
    }
    let plugin = load(&arguments.plugin, Compiling::Once)?;
    let runtime = runtime()?;
    let mut found = Found { show: arguments.show, ..Found::default() };
    let since = since.as_ref().map(ToString::to_string);
    let wanted = [
        ("plugin", Some(plugin.manifest.name.as_str())),
        ("device", arguments.device.as_deref()),
        ("since", since.as_deref()),
    ];
    client.pages("transcripts", &wanted, |page| {
        for session in transcript::read(&page)? {
            found.sessions += 1;
            for transcript in &session.runs {
                // As the server ran it: what operators set for the plugin is not known here.
                let limits = transcript.input.limits.clone().map(|then| {
                    let is_the_same = session.digest == plugin.digest;
                    if is_the_same { then } else { then.at_least(plugin.limits()) }
                });
                let replayed =
                    runtime.block_on(replay(plugin.clone(), transcript, &session.digest, limits));
                found.take(&session, transcript.hook.name(), replayed);
            }
        }
        eprintln!("{}", counted(found.sessions, "session"));
        Ok(true)
    })?;
    let version = &plugin.manifest.version;
    if arguments.api.json {
        output::json(&found.json(&plugin.manifest.name, version))?;
    } else {
        found.shown.iter_mut().chain(&mut found.uncompared).for_each(output::tame);
        output::print(&found.text(&plugin.manifest.name, version));
    }
    if arguments.strict {
        anyhow::ensure!(found.runs > 0, "nothing was recorded, so nothing is shown to be the same");
        anyhow::ensure!(
            found.same == found.runs,
            "{} of {} runs are not the same; what is printed says where",
            found.runs - found.same,
            found.runs
        );
    }
    Ok(())
}

impl Found {
    fn take(
        &mut self,
        session: &SessionTranscript,
        hook: &str,
        replayed: Result<trellis_rehearsal::Replayed, String>,
    ) {
        self.runs += 1;
        let replayed = match replayed {
            Ok(replayed) => replayed,
            Err(why) => {
                self.skipped += 1;
                let skipped = told(session, hook, json!({ "skipped": why }));
                add(&mut self.uncompared, self.show, skipped);
                return;
            }
        };
        self.unanswered += replayed.unanswered.len();
        if replayed.differences.is_empty() && replayed.unanswered.is_empty() {
            self.same += 1;
        }
        for asked in replayed.unanswered {
            let unanswered = json!({ "kind": "unanswered", "new": asked });
            add(&mut self.uncompared, self.show, told(session, hook, unanswered));
        }
        for difference in replayed.differences {
            *self.by_kind.entry(difference.kind).or_default() += 1;
            let shown = json!({
                "kind": difference.kind.name(),
                "number": difference.number,
                "old": difference.old,
                "new": difference.new,
            });
            add(&mut self.shown, self.show, told(session, hook, shown));
        }
    }

    /// What is printed, differences first, and how much there is in all.
    fn shown(&self) -> (Vec<&Value>, usize) {
        let total = self.by_kind.values().sum::<usize>() + self.unanswered + self.skipped;
        (self.shown.iter().chain(&self.uncompared).take(self.show).collect(), total)
    }

    fn json(&self, name: &str, version: &str) -> Value {
        let by_kind: BTreeMap<&str, usize> =
            self.by_kind.iter().map(|(kind, count)| (kind.name(), *count)).collect();
        json!({
            "plugin": name,
            "version": version,
            "sessions": self.sessions,
            "runs": self.runs,
            "same": self.same,
            "skipped": self.skipped,
            "unanswered": self.unanswered,
            "differences": by_kind,
            "shown": self.shown().0,
        })
    }

    fn text(&self, name: &str, version: &str) -> String {
        let mut text = String::new();
        let (shown, total) = self.shown();
        for it in &shown {
            let field = |name: &str| it.get(name).and_then(Value::as_str);
            let (device, began) =
                (field("device").unwrap_or_default(), field("began").unwrap_or_default());
            let hook = field("hook").unwrap_or_default();
            text.push_str(&format!("{} {began} {hook}\n", bold(device)));
            if let Some(why) = field("skipped") {
                text.push_str(&format!("  skipped: {why}\n"));
                continue;
            }
            let number = it.get("number").map(|it| format!(" {it}")).unwrap_or_default();
            let kind = field("kind").unwrap_or_default();
            text.push_str(&format!("  {kind}{number}\n"));
            let indented = |it: &str| it.replace('\n', "\n        ");
            text.push_str(&format!("    old {}\n", field("old").map_or("-".to_owned(), indented)));
            text.push_str(&format!("    new {}\n", field("new").map_or("-".to_owned(), indented)));
        }
        text.push_str(&format!(
            "{name} {version}: {}, {}, {} the same\n",
            counted(self.sessions, "session"),
            counted(self.runs, "run"),
            self.same
        ));
        for (kind, count) in &self.by_kind {
            let differences = counted(*count, &format!("{} difference", kind.name()));
            text.push_str(&format!("  {differences}\n"));
        }
        if self.unanswered > 0 {
            let requests = counted(self.unanswered, "request");
            text.push_str(&format!("  {requests} that the recordings do not hold\n"));
        }
        if self.skipped > 0 {
            let runs = counted(self.skipped, "run");
            text.push_str(&format!("  {runs} that cannot be run again\n"));
        }
        if total > shown.len() {
            text.push_str(&format!("  {} of {total} are shown (--show)\n", shown.len()));
        }
        if self.sessions == 0 {
            text.push_str("  the server has recorded none of this plugin, device and time\n");
        }
        text
    }
}

/// Something that was found, and where.
fn told(session: &SessionTranscript, hook: &str, mut what: Value) -> Value {
    if let Some(what) = what.as_object_mut() {
        let began = Timestamp::from_millisecond(session.began_ms).unwrap_or_default();
        what.insert("device".to_owned(), session.device.clone().into());
        what.insert("began".to_owned(), began.to_string().into());
        what.insert("version".to_owned(), session.version.clone().into());
        what.insert("hook".to_owned(), hook.into());
    }
    what
}

/// Adds something where there is room.
fn add(list: &mut Vec<Value>, max: usize, what: Value) {
    if list.len() < max {
        list.push(what);
    }
}
