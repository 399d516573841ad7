//! Whether a device may come in, as its plugin says.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use trellis_plugin_host::{Admission, Answer, FaultKind, Finished, Hook, Next, Run, RunFault};

use crate::conversation::{Conversation, Lost, cut};
use crate::sessions::Acs;
use crate::visit::Visit;

/// How long a plugin may take over it: the device waits for the answer to its Inform.
const ADMIT_MAX: Duration = Duration::from_secs(10);

impl Visit {
    /// Asks the plugin whether the device may come in, if it has an opinion. A plugin that fails
    /// over it quarantines the device: it is neither let in unseen nor turned away for good.
    pub(crate) async fn ask_admission(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        let Some(selected) = self.plugin.clone().filter(|it| it.plugin.admits()) else {
            return Ok(());
        };
        let context = self.context(acs).await?;
        let run = Run::start(Arc::clone(&selected.plugin), Hook::Admit, context);
        let finished = tokio::select! {
            finished = run_alone(run, ADMIT_MAX) => finished,
            lost = cpe.interrupted() => return Err(lost),
        };
        let (answer, fault) = match finished {
            Some(finished) => {
                if finished.fault.as_ref().is_some_and(|it| it.kind == FaultKind::Busy) {
                    return Err(Lost::Store("every plugin run is taken".to_owned()));
                }
                self.recordings.extend(finished.recording);
                let now_ms = self.now_ms();
                for overrun in finished.overruns {
                    self.record_overrun(overrun, now_ms);
                }
                (finished.answer, finished.fault)
            }
            None => {
                let seconds = ADMIT_MAX.as_secs();
                let message = format!("admit took longer than {seconds} s");
                let fault = RunFault { kind: FaultKind::WallTime, message, backtrace: Vec::new() };
                (Answer::Done, Some(fault))
            }
        };
        if let Some(fault) = fault {
            self.quarantine(&format!("the plugin's admit failed: {}", fault.message));
            self.record_fault(fault, self.now_ms());
            return Ok(());
        }
        match answer {
            Answer::Admission(Admission::Refuse { code, text }) => {
                Err(Lost::NotAdmitted(code, cut(&text)))
            }
            Answer::Admission(Admission::Quarantine(why)) => {
                self.quarantine(&why);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn quarantine(&mut self, why: &str) {
        tracing::warn!(device = %self.key, why, "a device is quarantined by its plugin");
        self.is_quarantined = true;
        self.header.quarantine_reason = Some(cut(why));
    }
}

/// Runs a hook that cannot speak to the device; nothing where it takes longer than that.
pub(crate) async fn run_alone(mut run: Run, time: Duration) -> Option<Finished> {
    let end = Instant::now() + time;
    loop {
        match tokio::time::timeout_at(end, run.next()).await {
            Ok(Next::Finished(finished)) => return Some(*finished),
            // The host refuses such requests before they come here.
            Ok(Next::Ask(ask)) => drop(ask),
            Err(_) => {
                run.end(FaultKind::WallTime);
                return None;
            }
        }
    }
}
