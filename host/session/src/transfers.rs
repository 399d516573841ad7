//! Transfers that requests begin and end (TR-069 A.3.2.8, A.4.1.5, A.4.1.8).

use std::time::Duration;

use trellis_cwmp::Message;
use trellis_store::{Transfer, TransferEnd, TransferOutcome};

use crate::conversation::{cut, millis};

/// What a request and its answer tell of a transfer. A device must report the end of one within
/// `report` of the time at which it was to begin.
pub(crate) fn told(
    request: &Message,
    answer: &Message,
    now_ms: i64,
    report: Duration,
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
        requested_ms: now_ms,
        expires_ms: now_ms.saturating_add(i64::try_from(millis(wait)).unwrap_or(i64::MAX)),
        end: outcome.map(|outcome| TransferEnd {
            at_ms: now_ms,
            outcome,
            complete_time: cut(complete_time),
        }),
    })
}
