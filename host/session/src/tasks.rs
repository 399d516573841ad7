//! What operators queued: one request each, after the plugin.

use trellis_cwmp::{
    Envelope, GetParameterValuesResponse, Header, Message, decode, encode, namespace,
};
use trellis_store::{Task, TaskResult};

use crate::conversation::{Conversation, Lost};
use crate::learn::is_secret;
use crate::sessions::Acs;
use crate::visit::{Visit, lost};

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
        for (id, mut task) in acs.store.open_tasks(&self.key).await.map_err(lost)? {
            let was_sent = task.sent_ms.is_some();
            if !was_sent {
                task.sent_ms = Some(self.now_ms());
                self.changes.tasks.push((id, task.clone()));
                self.keep(acs).await?;
            }
            let (outcome, end) = match request(&task) {
                Ok(_) if was_sent => (Err(format!("the server was stopped; {UNKNOWN}")), Ok(())),
                Ok(request) => match self.carry(acs, cpe, request).await {
                    Ok(answer) => (envelope(answer), Ok(())),
                    // The device knows nothing of it: the next session tries again.
                    Err(Lost::Unsent) => {
                        self.changes.tasks.push((id, Task { sent_ms: None, ..task }));
                        self.keep(acs).await?;
                        return Err(Lost::Unsent);
                    }
                    Err(lost) => (Err(format!("{lost}; {UNKNOWN}")), Err(lost)),
                },
                Err(problem) => (Err(problem), Ok(())),
            };
            let result = Some(TaskResult { at_ms: self.now_ms(), outcome });
            // There may be passwords in the request, and nobody needs it any more.
            self.changes.tasks.push((id, Task { result, request: Vec::new(), ..task }));
            self.keep(acs).await?;
            end?;
        }
        Ok(())
    }
}

fn request(task: &Task) -> Result<Message, String> {
    let envelope = match decode(&task.request, None) {
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
fn envelope(message: Message) -> Result<Vec<u8>, String> {
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
