//! Transfers that requests begin and end (TR-069 A.3.2.8, A.4.1.5, A.4.1.8).

use std::time::Duration;

use trellis_cwmp::{Message, TransferComplete};
use trellis_store::{Fault, Transfer, TransferEnd, TransferOutcome};

use crate::conversation::{Lost, cut, millis};
use crate::sessions::Acs;
use crate::visit::{Visit, store_failed};

impl Visit {
    /// A device that reports the success of a firmware upgrade runs the new firmware, and the Inform
    /// of the same session tells its version (TR-069 A.3.3.2). One that is as before is a fault.
    pub(crate) async fn compare_firmware(
        &mut self,
        acs: &Acs,
        told: &TransferComplete,
    ) -> Result<(), Lost> {
        if told.fault_struct.fault_code != 0 {
            return Ok(());
        }
        let transfers = acs.store.transfers(&self.key).await.map_err(store_failed)?;
        let mut begun = transfers.iter().filter(|it| it.is_open() && it.is_firmware());
        let Some(begun) = begun.find(|it| it.command_key == told.command_key) else {
            return Ok(());
        };
        let (before, after) = (&begun.software_version, &self.software_version);
        tracing::info!(device = %self.key, before, after, "firmware was upgraded");
        // Some devices report before they boot, or tell no version.
        let has_booted = self.header.last_boot_ms.is_some_and(|at_ms| at_ms >= begun.requested_ms);
        if before != after || after.is_empty() || !has_booted {
            return Ok(());
        }
        metrics::counter!("trellis_firmware_unchanged_total").increment(1);
        let message = format!("the device reports a firmware upgrade and still runs {after}");
        tracing::warn!(device = %self.key, fault = message, "the device failed");
        self.changes.faults.push(Fault {
            at_ms: self.now_ms(),
            blame: "cpe".to_owned(),
            plugin: self.header.plugin.clone(),
            kind: "firmware-unchanged".to_owned(),
            message,
            backtrace: Vec::new(),
        });
        Ok(())
    }
}

/// What a request and its answer tell of a transfer. A device must report the end of one within
/// `report` of the time at which it was to begin.
pub(crate) fn told(
    request: &Message,
    answer: &Message,
    now_ms: i64,
    report: Duration,
    software_version: &str,
) -> Option<Transfer> {
    let (command_key, file_type, delay_s) = match request {
        Message::Download(it) => (&it.command_key, it.file_type.as_str(), it.delay_seconds),
        Message::Upload(it) => (&it.command_key, it.file_type.as_str(), it.delay_seconds),
        Message::ScheduleDownload(it) => {
            let ends = it.time_window_list.iter().map(|window| window.window_end);
            (&it.command_key, it.file_type.as_str(), ends.max().unwrap_or_default())
        }
        Message::CancelTransfer(it) => (&it.command_key, "", 0),
        _ => return None,
    };
    let (outcome, complete_time) = match answer {
        Message::DownloadResponse(status) | Message::UploadResponse(status) => {
            let done = (status.status == 0).then_some(TransferOutcome::Done);
            (done, status.complete_time.as_str())
        }
        Message::ScheduleDownloadResponse => (None, ""),
        Message::CancelTransferResponse => (Some(TransferOutcome::Cancelled), ""),
        // That a transfer could not be cancelled says nothing of its end.
        Message::Fault(fault) if !matches!(request, Message::CancelTransfer(_)) => {
            (Some(TransferOutcome::of_fault(fault.fault_code, &cut(&fault.fault_string))), "")
        }
        _ => return None,
    };
    let wait = Duration::from_secs(delay_s.into()).saturating_add(report);
    Some(Transfer {
        command_key: command_key.clone(),
        method: request.name().to_owned(),
        file_type: file_type.to_owned(),
        software_version: software_version.to_owned(),
        requested_ms: now_ms,
        expires_ms: now_ms.saturating_add(i64::try_from(millis(wait)).unwrap_or(i64::MAX)),
        end: outcome.map(|outcome| TransferEnd {
            at_ms: now_ms,
            outcome,
            software_version: software_version.to_owned(),
            complete_time: cut(complete_time),
        }),
    })
}
