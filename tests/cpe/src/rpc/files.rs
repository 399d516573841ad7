//! Download, Upload, ScheduleDownload, ScheduleInform and the queue of transfers.

use crate::cpe::Cpe;
use crate::fault::CpeFault;
use crate::request::TransferRequest;
use crate::transfers::{Transfer, TransferKind, UNKNOWN_TIME};
use crate::version::CwmpVersion;
use crate::write::{array, element};

use super::Answer;

/// How many transfers a device keeps; the lists on the wire have room for sixteen.
const TRANSFERS_MAX: usize = 16;

impl Cpe {
    pub(super) fn download(&mut self, request: &TransferRequest) -> Answer {
        let stored = self.version() >= CwmpVersion::V1_4;
        let known = match request.file_type.as_str() {
            "1 Firmware Upgrade Image" | "2 Web Content" | "3 Vendor Configuration File" => true,
            "4 Tone File" | "5 Ringer File" => self.version() >= CwmpVersion::V1_2,
            "6 Stored Firmware Image" => stored,
            other => other.starts_with("X "),
        };
        self.queue(known, TransferKind::Download, request)?;
        Ok(not_done_yet())
    }

    pub(super) fn upload(&mut self, request: &TransferRequest) -> Answer {
        let file_type = request.file_type.as_str();
        let numbered = |prefix: &str| {
            let number = file_type.strip_prefix(prefix);
            number.is_some_and(|number| number.parse::<u32>().is_ok_and(|number| number > 0))
        };
        let known = matches!(file_type, "1 Vendor Configuration File" | "2 Vendor Log File")
            || numbered("3 Vendor Configuration File ")
            || numbered("4 Vendor Log File ")
            || file_type.starts_with("X ");
        self.queue(known, TransferKind::Upload, request)?;
        Ok(not_done_yet())
    }

    pub(super) fn schedule_download(&mut self, request: &TransferRequest) -> Answer {
        let ordered = request.windows.iter().all(|(start, end)| start <= end);
        let apart = request
            .windows
            .iter()
            .zip(request.windows.iter().skip(1))
            .all(|((_, end), (start, _))| start >= end);
        if !ordered || !apart {
            return Err(CpeFault::because(9003, "the time windows overlap"));
        }
        self.queue(true, TransferKind::ScheduleDownload, request)?;
        Ok(String::new())
    }

    fn queue(
        &mut self,
        known: bool,
        kind: TransferKind,
        request: &TransferRequest,
    ) -> Result<(), CpeFault> {
        if !known {
            return Err(CpeFault::because(9003, format!("unknown FileType {}", request.file_type)));
        }
        let Some((scheme, rest)) = request.url.split_once("://") else {
            return Err(CpeFault::because(9003, "the URL is not absolute"));
        };
        if !matches!(scheme, "http" | "https" | "ftp" | "tftp") {
            return Err(CpeFault::new(9013));
        }
        if rest.split('/').next().is_some_and(|authority| authority.contains('@')) {
            return Err(CpeFault::because(9003, "the URL holds user information"));
        }
        if self.transfers.len() >= TRANSFERS_MAX {
            return Err(CpeFault::new(9004));
        }
        let due = self.after(request.delay_seconds);
        self.transfers.push(Transfer { kind, request: request.clone(), due });
        Ok(())
    }

    pub(super) fn schedule_inform(&mut self, delay_seconds: u32, key: &str) -> Answer {
        if delay_seconds == 0 {
            return Err(CpeFault::because(9003, "DelaySeconds must be greater than 0"));
        }
        // The same key again means another time, not another inform.
        self.scheduled.retain(|(_, known)| key.is_empty() || known != key);
        if self.scheduled.len() >= TRANSFERS_MAX {
            return Err(CpeFault::new(9004));
        }
        let due = self.after(delay_seconds);
        self.scheduled.push((due, key.to_owned()));
        Ok(String::new())
    }

    /// The queued transfers, with all their facts for GetAllQueuedTransfers.
    pub(super) fn queued_transfers(&self, all: bool) -> String {
        let item = if all { "AllQueuedTransferStruct" } else { "QueuedTransferStruct" };
        let mut xml = String::new();
        for transfer in &self.transfers {
            let request = &transfer.request;
            xml.push_str(&format!("<{item}>"));
            xml.push_str(&element("CommandKey", &request.command_key));
            xml.push_str(&element("State", "1"));
            if all {
                let download = transfer.kind != TransferKind::Upload;
                xml.push_str(&element("IsDownload", if download { "1" } else { "0" }));
                xml.push_str(&element("FileType", &request.file_type));
                xml.push_str(&element("FileSize", &request.file_size.to_string()));
                xml.push_str(&element("TargetFileName", &request.target_file_name));
            }
            xml.push_str(&format!("</{item}>"));
        }
        array("TransferList", &format!("cwmp:{item}"), self.transfers.len(), &xml)
    }
}

/// The arguments of a DownloadResponse when TransferComplete will follow.
fn not_done_yet() -> String {
    [
        element("Status", "1"),
        element("StartTime", UNKNOWN_TIME),
        element("CompleteTime", UNKNOWN_TIME),
    ]
    .concat()
}

/// GetOptions: one option, or none when another name is asked for.
pub(super) fn options(name: &str) -> String {
    if !matches!(name, "" | "Support") {
        return array("OptionList", "cwmp:OptionStruct", 0, "");
    }
    let xml = [
        "<OptionStruct>".to_owned(),
        element("OptionName", "Support"),
        element("VoucherSN", "1"),
        element("State", "3"),
        element("Mode", "2"),
        element("StartDate", UNKNOWN_TIME),
        element("ExpirationDate", UNKNOWN_TIME),
        element("IsTransferable", "0"),
        "</OptionStruct>".to_owned(),
    ]
    .concat();
    array("OptionList", "cwmp:OptionStruct", 1, &xml)
}
