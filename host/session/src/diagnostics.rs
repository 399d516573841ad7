//! The results of diagnostics (TR-069 A.3.2.1, event `8 DIAGNOSTICS COMPLETE`).

use trellis_cwmp::{GetParameterValues, Message};

use crate::conversation::{Conversation, Lost};
use crate::notes::diagnostics;
use crate::sessions::Acs;
use crate::visit::Visit;

impl Visit {
    /// Reads the results of the diagnostics that were started on the device, once it says that some
    /// are complete, unless the plugin has read them.
    pub(crate) async fn read_diagnostics(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        let are_complete = |code: &str| code == "8 DIAGNOSTICS COMPLETE";
        if !self.events.iter().any(|event| are_complete(&event.event_code)) {
            return Ok(());
        }
        let started: Vec<String> = self.header.diagnostics.iter().cloned().collect();
        for object in started {
            let parameter_names = vec![object.clone()];
            let request = Message::GetParameterValues(GetParameterValues { parameter_names });
            let may_come = match self.carry(acs, cpe, request).await? {
                Message::GetParameterValuesResponse(it) => {
                    let mut rows = it.parameter_list.iter();
                    // One that was never begun, such as after a reboot, says `None`.
                    rows.any(|row| diagnostics(row.name).is_some() && row.value != "None")
                }
                _ => false,
            };
            if !may_come {
                // The object is gone, or cannot be read: it is not asked for again.
                tracing::warn!(object, "there are no results of diagnostics");
                self.header_changed |= self.header.diagnostics.remove(&object);
            }
        }
        Ok(())
    }
}
