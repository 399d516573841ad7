//! A plugin run again over a recording, with the answers that the device gave then.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use trellis_cwmp::*;
use trellis_plugin_host::{
    Limits, Next, Outcome, Plugin, PluginSettings, Redactor, RevisionKey, Rpc, Run, Transcript,
    UNANSWERED_CHARACTERS, comparable,
};

use crate::device::UNKNOWN_TIME;
use crate::differences::{Difference, differences};
use crate::show::show_message;

type Object = serde_json::Map<String, Value>;

/// What came of it.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Where the new run decides differently.
    pub differences: Vec<Difference>,
    /// What it asked that the recording does not hold.
    pub unanswered: Vec<String>,
    /// What it did.
    pub transcript: Transcript,
}

/// What is recorded of a run over a recording, in bytes.
const RECORD_BYTES: usize = 4 << 20;

/// Ends of a run that have nothing to do with what it was told.
const BY_THE_CLOCK: [&str; 3] = ["wall-time", "ended", "busy"];

/// What the recorded session tells of the device.
struct Recorded {
    /// What was asked and answered, and whether that was used.
    rpcs: Vec<(String, Result<Message, String>, bool)>,
    /// The values that were told or set.
    values: BTreeMap<String, (String, ValueType)>,
}

/// Runs a plugin over a transcript of the version with this digest, within these limits instead of
/// its own if there are any. Another version has its own defaults under what was set. Fails where
/// the transcript cannot be run again.
pub async fn replay(
    plugin: Arc<Plugin>,
    transcript: &Transcript,
    recorded_of: &str,
    limits: Option<Limits>,
) -> Result<Replayed, String> {
    if transcript.is_cut {
        return Err("the recording was too large to be kept whole".to_owned());
    }
    if let Outcome::Failed(kind, _) = &transcript.outcome
        && BY_THE_CLOCK.contains(&kind.as_str())
    {
        return Err(format!("it ended by the clock ({kind}), which a replay does not have"));
    }
    let mut context = transcript.context(RECORD_BYTES)?;
    context.limits = limits.map(Arc::new);
    if recorded_of != plugin.digest {
        context.settings = settings_of(&plugin, &context.settings)?;
    }
    let mut recorded = Recorded::of(transcript)?;
    let mut unanswered = Vec::new();
    let mut run = Run::start(plugin, transcript.hook.clone(), context);
    let mut finished = loop {
        match run.next().await {
            Next::Finished(finished) => break *finished,
            Next::Ask(ask) => {
                let answer = recorded.answer(&ask.request).ok_or_else(|| {
                    let asked = show_message(&ask.request).join(" ");
                    unanswered.push(asked.chars().take(UNANSWERED_CHARACTERS).collect());
                    "the recording does not hold the answer".to_owned()
                });
                // A plugin that has ended waits for nothing.
                let _ = ask.reply.send(answer.and_then(|it| it));
            }
        }
    };
    unanswered.append(&mut finished.unanswered);
    let recording = finished.recording.ok_or("the run was not recorded")?;
    let new = Transcript::of(&[recording], &mut Redactor::new([0; 32])).pop();
    let new = new.ok_or("the run was not recorded")?;
    Ok(Replayed { differences: differences(transcript, &new), unanswered, transcript: new })
}

/// What was set, over the defaults of this version. A default that is secret looks as it does in the
/// rest of the recording.
fn settings_of(plugin: &Plugin, recorded: &PluginSettings) -> Result<PluginSettings, String> {
    let unreadable = |error: serde_json::Error| format!("the recorded settings: {error}");
    let set = serde_json::from_str(&recorded.set).map_err(unreadable)?;
    let effective: Object = serde_json::from_str(&recorded.effective).map_err(unreadable)?;
    let mut defaults = plugin.manifest.settings.defaults.clone();
    let masked = Redactor::blunt().json(&Value::Object(defaults.clone()).to_string());
    let masked: Object = serde_json::from_str(&masked).map_err(unreadable)?;
    mask(&mut defaults, &masked, &effective);
    let mut settings = PluginSettings::new(defaults, set, &RevisionKey::default());
    // Of what is the same, the revision is.
    let (old, new) = (Value::Object(effective), serde_json::from_str(&settings.effective));
    let new: Value = new.map_err(unreadable)?;
    settings.recorded.clone_from(&recorded.recorded);
    settings.recorded.retain(|part, _| old.pointer(part) == new.pointer(part));
    Ok(settings)
}

/// Has secrets among `defaults`, which are those that differ in `masked`, be as they were `recorded`.
fn mask(defaults: &mut Object, masked: &Object, recorded: &Object) {
    for (name, default) in defaults {
        let (Some(masked), Some(recorded)) = (masked.get(name), recorded.get(name)) else {
            continue;
        };
        match (default, masked, recorded) {
            (Value::Object(default), Value::Object(masked), Value::Object(recorded)) => {
                mask(default, masked, recorded);
            }
            (default, masked, recorded) if default != masked => default.clone_from(recorded),
            _ => {}
        }
    }
}

impl Recorded {
    fn of(transcript: &Transcript) -> Result<Self, String> {
        let mut recorded = Self { rpcs: Vec::new(), values: BTreeMap::new() };
        let context = transcript.context(0)?;
        recorded.learn(&context.inform_parameters);
        for call in &transcript.calls {
            let Some(rpc) = call.rpc() else { continue };
            let Rpc { request, answer } = rpc?;
            if let Ok(Message::GetParameterValuesResponse(it)) = &answer {
                recorded.learn(&it.parameter_list);
            }
            recorded.rpcs.push((comparable(&request), answer, false));
        }
        Ok(recorded)
    }

    fn learn(&mut self, list: &ParameterList) {
        for row in list.iter() {
            let value = (row.value.to_owned(), row.value_type);
            self.values.entry(row.name.to_owned()).or_insert(value);
        }
    }

    /// What the device has told or taken by now.
    fn follow(&mut self, request: &Message, answer: &Result<Message, String>) {
        let list = match (request, answer) {
            (_, Ok(Message::GetParameterValuesResponse(it))) => &it.parameter_list,
            (Message::SetParameterValues(it), Ok(Message::SetParameterValuesResponse(_))) => {
                &it.parameter_list
            }
            _ => return,
        };
        for row in list.iter() {
            self.values.insert(row.name.to_owned(), (row.value.to_owned(), row.value_type));
        }
    }

    /// The answer that the device gave to the same request; or the one that follows from what it
    /// told; or, to a request that changes something, that it did so.
    fn answer(&mut self, request: &Message) -> Option<Result<Message, String>> {
        let wanted = comparable(request);
        if let Some((_, answer, used)) =
            self.rpcs.iter_mut().find(|(key, _, used)| !*used && *key == wanted)
        {
            *used = true;
            let answer = answer.clone();
            self.follow(request, &answer);
            return Some(answer);
        }
        let begun = TransferStatus {
            status: 1,
            start_time: UNKNOWN_TIME.to_owned(),
            complete_time: UNKNOWN_TIME.to_owned(),
        };
        Some(Ok(match request {
            Message::GetParameterValues(it) => {
                let mut list = ParameterList::new();
                for name in &it.parameter_names {
                    let (value, value_type) = self.values.get(name)?;
                    list.push(name, value, *value_type);
                }
                let parameter_list = list;
                Message::GetParameterValuesResponse(GetParameterValuesResponse { parameter_list })
            }
            Message::SetParameterValues(_) => {
                let taken = SetParameterValuesResponse { status: 0 };
                let answer = Ok(Message::SetParameterValuesResponse(taken));
                self.follow(request, &answer);
                return Some(answer);
            }
            Message::DeleteObject(_) => {
                Message::DeleteObjectResponse(DeleteObjectResponse { status: 0 })
            }
            Message::SetParameterAttributes(_) => Message::SetParameterAttributesResponse,
            Message::Reboot(_) => Message::RebootResponse,
            Message::FactoryReset => Message::FactoryResetResponse,
            Message::ScheduleInform(_) => Message::ScheduleInformResponse,
            Message::Download(_) => Message::DownloadResponse(begun),
            Message::Upload(_) => Message::UploadResponse(begun),
            _ => return None,
        }))
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_default_that_is_secret_is_what_it_was_in_the_recording_and_others_are_the_new_ones() {
        let object = |text: &str| serde_json::from_str::<Object>(text).expect("JSON");
        let mut defaults = object(r#"{"wifi":{"passphrase":"factory1","ssid":"new"},"pin":"0"}"#);
        let masked = object(r#"{"wifi":{"passphrase":"masked-0","ssid":"new"},"pin":"masked-0"}"#);
        let recorded = object(r#"{"wifi":{"passphrase":"masked-7","ssid":"old"}}"#);
        mask(&mut defaults, &masked, &recorded);
        let wanted = r#"{"wifi":{"passphrase":"masked-7","ssid":"new"},"pin":"0"}"#;
        assert_eq!(defaults, object(wanted));
    }
}
