//! What operators queued: a request or an action each, after the plugin.

use std::time::Instant;

use trellis_cwmp::{
    Envelope, GetParameterValuesResponse, Header, Message, decode, encode, is_secret, namespace,
};
use trellis_plugin_host::{Answer, Hook};
use trellis_store::{Task, TaskResult, Work};

use crate::conversation::{Conversation, Lost};
use crate::sessions::Acs;
use crate::visit::{Visit, store_failed};

/// How often something is begun whose session is lost before anything of it has left.
const ATTEMPTS_MAX: u32 = 5;

const UNKNOWN: &str = "whether the device did it is not known";

impl Visit {
    /// Runs the device's open tasks, oldest first. Each one's result is kept before the next
    /// begins. One whose session is lost, or that a crash cut short, is not repeated: its
    /// outcome is unknown.
    pub(crate) async fn run_tasks(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        for (id, mut task) in acs.store.open_tasks(&self.key).await.map_err(store_failed)? {
            let was_sent = task.sent_ms.is_some();
            if !was_sent {
                task.sent_ms = Some(self.now_ms());
                self.changes.tasks.push((id, task.clone()));
                self.keep(acs).await?;
            }
            let (outcome, end) = match &task.work {
                _ if was_sent => (Err(format!("the server was stopped; {UNKNOWN}")), Ok(())),
                Work::Request { envelope, .. } => self.run_request(acs, cpe, envelope).await,
                Work::Action { name, arguments } => {
                    self.run_action(acs, cpe, name, arguments).await
                }
            };
            // The device knows nothing of it: the next session tries again.
            if let Err(Lost::Unsent) = end
                && task.attempts + 1 < ATTEMPTS_MAX
            {
                let attempts = task.attempts + 1;
                self.changes.tasks.push((id, Task { sent_ms: None, attempts, ..task }));
                self.keep(acs).await?;
                return end;
            }
            let result = Some(TaskResult { at_ms: self.now_ms(), outcome });
            // There may be passwords in it, and nobody needs it any more.
            self.changes.tasks.push((id, Task { result, work: task.work.done(), ..task }));
            self.keep(acs).await?;
            end?;
        }
        Ok(())
    }

    async fn run_request(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        envelope: &[u8],
    ) -> (Outcome, Result<(), Lost>) {
        let request = match request(envelope) {
            Ok(request) => request,
            Err(problem) => return (Err(problem), Ok(())),
        };
        match self.carry(acs, cpe, request).await {
            Ok(answer) => (answered(answer), Ok(())),
            Err(lost) => (Err(format!("{lost}; {UNKNOWN}")), Err(lost)),
        }
    }

    /// Has the plugin run one of its actions.
    async fn run_action(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        name: &str,
        arguments: &str,
    ) -> (Outcome, Result<(), Lost>) {
        let began = Instant::now();
        if let Err(problem) = self.check_action(name, arguments) {
            cpe.note_action(name, &problem, began);
            return (Err(problem), Ok(()));
        }
        let rpcs = cpe.rpcs;
        let hook = Hook::Action { name: name.to_owned(), arguments: arguments.to_owned() };
        let (finished, end) = self.run_hook(acs, cpe, hook).await;
        let outcome = match &finished {
            Some(finished) => match (&finished.fault, &finished.answer) {
                (Some(fault), _) => Err(fault.message.clone()),
                (None, Answer::Result(json)) => result(json),
                (None, _) => Err("the plugin answered nothing".to_owned()),
            },
            None => Err("the plugin was ended".to_owned()),
        };
        // One that was ended cannot say whether it has sent something.
        let reaches_out = self.plugin.as_ref().is_some_and(|it| it.plugin.reaches_out());
        let may_have_sent = finished.as_ref().map_or(reaches_out, |it| it.has_sent_http);
        if let Some(finished) = finished {
            self.take_in(acs, finished).await;
        }
        let (outcome, end) = match end {
            Ok(()) => (outcome, Ok(())),
            // Nothing has left: it can be done again.
            Err(_) if cpe.rpcs == rpcs && !may_have_sent => (outcome, Err(Lost::Unsent)),
            Err(lost) => (Err(format!("{lost}; {UNKNOWN}")), Err(lost)),
        };
        let shown = outcome.as_ref().map_or_else(String::as_str, |_| "done");
        cpe.note_action(name, shown, began);
        (outcome, end)
    }

    /// Whether the plugin that serves the device by now has the action, with such arguments.
    fn check_action(&self, name: &str, arguments: &str) -> Result<(), String> {
        let Some(selected) = &self.plugin else {
            return Err("no plugin serves the device".to_owned());
        };
        let arguments = serde_json::from_str(arguments)
            .map_err(|error| format!("the arguments are not JSON: {error}"))?;
        selected.plugin.check_arguments(name, &arguments)
    }
}

/// What is kept of something that was done, or why it was not.
type Outcome = Result<Vec<u8>, String>;

/// An action's result as it is kept.
fn result(json: &str) -> Outcome {
    if json.len() > ANSWER_BYTES_MAX {
        return Err(format!("done; the result has {} bytes and is not kept", json.len()));
    }
    match serde_json::from_str::<serde::de::IgnoredAny>(json) {
        Ok(_) => Ok(json.as_bytes().to_vec()),
        Err(error) => Err(format!("done; the result is not JSON: {error}")),
    }
}

fn request(envelope: &[u8]) -> Result<Message, String> {
    let envelope = match decode(envelope, None) {
        Ok(decoded) => decoded.envelope,
        Err(error) => return Err(format!("the stored request cannot be read: {error}")),
    };
    if !envelope.message.is_request() {
        return Err(format!("{} is not a request", envelope.message.name()));
    }
    // One that cannot be written must not cost the device its session.
    encode(&envelope).map_err(|error| format!("the request cannot be sent: {error}"))?;
    Ok(envelope.message)
}

/// The largest answer that is kept with its task, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// The answer as it is kept: without secrets, and not beyond a size.
fn answered(message: Message) -> Outcome {
    let message = match message {
        Message::GetParameterValuesResponse(it) => {
            let rows = it.parameter_list.iter();
            let rows = rows.map(|row| {
                (row.name, if is_secret(row.name) { "" } else { row.value }, row.value_type)
            });
            let parameter_list = rows.collect();
            Message::GetParameterValuesResponse(GetParameterValuesResponse { parameter_list })
        }
        other => other,
    };
    let namespace = namespace::CWMP_1_2.to_owned();
    let envelope = Envelope { namespace, header: Header::default(), message };
    let bytes = encode(&envelope).map_err(|error| error.to_string())?;
    if bytes.len() > ANSWER_BYTES_MAX {
        return Err(format!("done; the answer has {} bytes and is not kept", bytes.len()));
    }
    Ok(bytes)
}
