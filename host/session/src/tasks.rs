//! What operators queued: one request each, after the plugin.

use trellis_cwmp::{Envelope, Header, Message, decode, encode, namespace};
use trellis_store::{Task, TaskResult};

use crate::conversation::{Conversation, Lost};
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
                    Err(lost) => (Err(format!("{lost}; {UNKNOWN}")), Err(lost)),
                },
                Err(problem) => (Err(problem), Ok(())),
            };
            let result = Some(TaskResult { at_ms: self.now_ms(), outcome });
            self.changes.tasks.push((id, Task { result, ..task }));
            self.keep(acs).await?;
            end?;
        }
        Ok(())
    }
}

fn request(task: &Task) -> Result<Message, String> {
    match decode(&task.request, None) {
        Ok(decoded) if decoded.envelope.message.is_request() => Ok(decoded.envelope.message),
        Ok(decoded) => Err(format!("{} is not a request", decoded.envelope.message.name())),
        Err(error) => Err(format!("the stored request cannot be read: {error}")),
    }
}

fn envelope(message: Message) -> Result<Vec<u8>, String> {
    let namespace = namespace::CWMP_1_2.to_owned();
    let envelope = Envelope { namespace, header: Header::default(), message };
    encode(&envelope).map_err(|error| error.to_string())
}
