//! What a plugin was told, asked and did, for people.

use std::collections::VecDeque;

use anyhow::Context;
use jiff::{Span, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use trellis_rehearsal::show_transcript;
use trellis_session::SessionTranscript;

use crate::client::Client;
use crate::output::{self, bold, text};

/// How far back is looked, in hours before the device's last Inform, until enough is found: the
/// server has transcripts by time, those of all devices together.
const LOOK_BACK: [i64; 4] = [1, 6, 24, 7 * 24];

/// The last transcripts of a device that the server keeps, the oldest first.
pub(super) fn last(
    client: &Client,
    id: &str,
    since: Option<Timestamp>,
    count: usize,
) -> anyhow::Result<Value> {
    let device = client.get(&["devices", id])?;
    let last_inform = text(&device, "last_inform").parse::<Timestamp>();
    if let (None, Ok(last_inform)) = (since, last_inform) {
        for hours in LOOK_BACK {
            let since = last_inform.checked_sub(Span::new().hours(hours))?;
            let found = kept_since(client, id, Some(since), count)?;
            if found.len() >= count {
                return Ok(found.into_iter().collect());
            }
        }
    }
    Ok(kept_since(client, id, since, count)?.into_iter().collect())
}

/// The last of those since some time.
fn kept_since(
    client: &Client,
    id: &str,
    since: Option<Timestamp>,
    count: usize,
) -> anyhow::Result<VecDeque<Value>> {
    let since = since.as_ref().map(ToString::to_string);
    let mut last = VecDeque::new();
    client.pages("transcripts", &[("device", Some(id)), ("since", since.as_deref())], |page| {
        if let Value::Array(found) = page {
            last.extend(found);
        }
        last.drain(..last.len().saturating_sub(count));
        Ok(true)
    })?;
    Ok(last)
}

/// Transcripts, as the server has told them.
pub(super) fn read(transcripts: &Value) -> anyhow::Result<Vec<SessionTranscript>> {
    Deserialize::deserialize(transcripts)
        .context("the server's transcripts are of another version than this program")
}

/// Transcripts, a line for each thing.
pub(super) fn shown(transcripts: &Value) -> anyhow::Result<String> {
    let sessions = read(transcripts)?;
    if sessions.is_empty() {
        return Ok("none is kept, or not yet: a transcript comes a moment after its session, and \
                   [plugins.transcripts] hours says how long it stays\n"
            .to_owned());
    }
    let session = |it: &SessionTranscript| {
        let began = Timestamp::from_millisecond(it.began_ms).unwrap_or_default();
        let head = format!("{began:.0}  {} {}", it.plugin, it.version);
        let run = |run: &trellis_plugin_host::Transcript| {
            let cut = if run.is_cut { "  (it was too large to be kept whole)\n" } else { "" };
            output::tamed(&show_transcript(run)) + cut
        };
        format!("{}\n{}", bold(&head), it.runs.iter().map(run).collect::<String>())
    };
    Ok(sessions.iter().map(session).collect::<Vec<_>>().join("\n"))
}
