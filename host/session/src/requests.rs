//! Requests of the device, which are answered before the server speaks (TR-069 3.7.2.2).

use trellis_cwmp::{
    AcsFault, Envelope, FaultStruct, GetRPCMethodsResponse, Header, KickedResponse, Message,
    file_type,
};
use trellis_store::{Transfer, TransferEnd, TransferOutcome};

use crate::conversation::{Conversation, Lost, cut};
use crate::metric::limit_reached;
use crate::sessions::Acs;
use crate::visit::Visit;

/// The methods that [`answer`] and the Inform answer without a fault.
const METHODS: [&str; 8] = [
    "Inform",
    "GetRPCMethods",
    "TransferComplete",
    "AutonomousTransferComplete",
    "RequestDownload",
    "Kicked",
    "DUStateChangeComplete",
    "AutonomousDUStateChangeComplete",
];

/// Keeps what a request tells, then answers it: the answer lets the device forget it.
pub(crate) async fn answer(
    acs: &Acs,
    cpe: &mut Conversation,
    visit: &mut Visit,
    request: Envelope,
) -> Result<(), Lost> {
    let Envelope { header, message, .. } = request;
    visit.requests += 1;
    if visit.requests > acs.settings.cpe_requests_max {
        limit_reached("cpe_requests");
        return Err(Lost::Violation("too many requests in one session".to_owned()));
    }
    let response = match &message {
        Message::GetRPCMethods => {
            let method_list = METHODS.map(str::to_owned).to_vec();
            Message::GetRPCMethodsResponse(GetRPCMethodsResponse { method_list })
        }
        Message::TransferComplete(it) => {
            visit.compare_firmware(acs, it).await?;
            let end = ended(visit, [&it.command_key, "", "", &it.complete_time], &it.fault_struct);
            visit.changes.transfers.push(end);
            Message::TransferCompleteResponse
        }
        Message::AutonomousTransferComplete(it) => {
            let method = if it.is_download { "autonomous download" } else { "autonomous upload" };
            let end =
                ended(visit, ["", method, &it.file_type, &it.complete_time], &it.fault_struct);
            visit.changes.transfers.push(end);
            Message::AutonomousTransferCompleteResponse
        }
        Message::DUStateChangeComplete(_) => Message::DUStateChangeCompleteResponse,
        Message::AutonomousDUStateChangeComplete(_) => {
            Message::AutonomousDUStateChangeCompleteResponse
        }
        Message::RequestDownload(_) => Message::RequestDownloadResponse,
        Message::Kicked(it) => {
            Message::KickedResponse(KickedResponse { next_url: it.next.clone() })
        }
        // Unknown to CWMP, or the server's to send; an Inform has a session of its own.
        _ => return fault(cpe, &header, &message, AcsFault::MethodNotSupported),
    };
    cpe.note_request(&message, "ok");
    if let Message::TransferComplete(_)
    | Message::AutonomousTransferComplete(_)
    | Message::RequestDownload(_)
    | Message::DUStateChangeComplete(_)
    | Message::AutonomousDUStateChangeComplete(_) = &message
    {
        visit.remember(acs, &message);
    }
    visit.keep(acs).await?;
    cpe.respond(&header, response, None);
    Ok(())
}

fn fault(
    cpe: &mut Conversation,
    header: &Header,
    message: &Message,
    fault: AcsFault,
) -> Result<(), Lost> {
    cpe.note_request(message, fault.text());
    cpe.respond_fault(header, fault);
    Ok(())
}

/// The end of a transfer that a report tells of.
fn ended(
    visit: &Visit,
    [command_key, method, file_type, complete_time]: [&str; 4],
    fault: &FaultStruct,
) -> Transfer {
    let now_ms = visit.now_ms();
    Transfer {
        command_key: cut(command_key),
        method: method.to_owned(),
        file_type: cut(file_type::as_requested(file_type)),
        software_version: visit.software_version.clone(),
        requested_ms: now_ms,
        expires_ms: now_ms,
        end: Some(TransferEnd {
            at_ms: now_ms,
            outcome: TransferOutcome::of_fault(fault.fault_code, &cut(&fault.fault_string)),
            software_version: visit.software_version.clone(),
            complete_time: cut(complete_time),
        }),
    }
}
