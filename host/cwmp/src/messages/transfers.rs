//! File transfers (TR-069 A.3.2.8, A.3.3.2, A.3.3.3, A.4.1.1, A.4.1.5 to A.4.1.9, A.4.2.2).

use super::{Body, FaultStruct, generic::read_command_key};
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::secret::Secret;
use crate::xml::Xml;

/// Asks the CPE to fetch a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Download {
    /// Ties the TransferComplete to this request; at most 32 characters.
    pub command_key: String,
    /// Such as `1 Firmware Upgrade Image`; at most 64 characters.
    pub file_type: String,
    /// At most 256 characters, without user name and password.
    pub url: String,
    /// For the file server; at most 256 characters.
    pub username: String,
    /// For the file server; at most 256 characters.
    pub password: Secret,
    /// In bytes; 0 when not known.
    pub file_size: u32,
    /// At most 256 characters.
    pub target_file_name: String,
    /// When to begin, in seconds from now.
    pub delay_seconds: u32,
    /// For a browser that waits; empty otherwise.
    pub success_url: String,
    /// For a browser that waits; empty otherwise.
    pub failure_url: String,
}

/// What became of a transfer so far. The type of `DownloadResponse` and `UploadResponse`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferStatus {
    /// 0: done; 1: a TransferComplete will follow.
    pub status: u32,
    /// When it began, or Unknown Time.
    pub start_time: String,
    /// When it was done, or Unknown Time.
    pub complete_time: String,
}

/// Answers a Download.
pub type DownloadResponse = TransferStatus;
/// Answers an Upload.
pub type UploadResponse = TransferStatus;

/// Asks the CPE to send a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upload {
    /// Ties the TransferComplete to this request; at most 32 characters.
    pub command_key: String,
    /// Such as `3 Vendor Configuration File 1`; at most 64 characters.
    pub file_type: String,
    /// Where to PUT it; at most 256 characters.
    pub url: String,
    /// For the file server; at most 256 characters.
    pub username: String,
    /// For the file server; at most 256 characters.
    pub password: Secret,
    /// When to begin, in seconds from now.
    pub delay_seconds: u32,
}

/// Asks the CPE to fetch a file within time windows; since CWMP 1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleDownload {
    /// Ties the TransferComplete to this request; at most 32 characters.
    pub command_key: String,
    /// As in Download.
    pub file_type: String,
    /// As in Download.
    pub url: String,
    /// As in Download.
    pub username: String,
    /// As in Download.
    pub password: Secret,
    /// As in Download.
    pub file_size: u32,
    /// As in Download.
    pub target_file_name: String,
    /// One or two windows that do not overlap.
    pub time_window_list: Vec<TimeWindowStruct>,
}

/// When a scheduled download may happen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TimeWindowStruct {
    /// Seconds from now.
    pub window_start: u32,
    /// Seconds from now.
    pub window_end: u32,
    /// Such as `3 When Idle`.
    pub window_mode: String,
    /// What to ask the user in the mode `4 Confirmation Needed`.
    pub user_message: String,
    /// 0: none; -1: as the CPE likes.
    pub max_retries: i32,
}

/// Asks the CPE to give up a transfer; since CWMP 1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CancelTransfer {
    /// Which; one that the CPE does not know is no error.
    pub command_key: String,
}

/// A transfer that the ACS asked for has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransferComplete {
    /// The key of the request.
    pub command_key: String,
    /// Code 0 is success.
    pub fault_struct: FaultStruct,
    /// When it began, or Unknown Time.
    pub start_time: String,
    /// When it was done, or Unknown Time.
    pub complete_time: String,
}

/// A transfer that the ACS did not ask for has ended; since CWMP 1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AutonomousTransferComplete {
    /// Where the file was announced.
    pub announce_url: String,
    /// Where the file was.
    pub transfer_url: String,
    /// Download or upload.
    pub is_download: bool,
    /// Such as `1 Firmware Upgrade Image`.
    pub file_type: String,
    /// In bytes.
    pub file_size: u32,
    /// Where the CPE put it.
    pub target_file_name: String,
    /// Code 0 is success.
    pub fault_struct: FaultStruct,
    /// When it began, or Unknown Time.
    pub start_time: String,
    /// When it was done, or Unknown Time.
    pub complete_time: String,
}

/// The CPE wants a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestDownload {
    /// Of which type.
    pub file_type: String,
    /// Which one; at most 16 arguments.
    pub file_type_arg: Vec<ArgStruct>,
}

/// A named argument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgStruct {
    /// At most 64 characters.
    pub name: String,
    /// At most 256 characters.
    pub value: String,
}

/// The transfers that the ACS asked for and that have not ended; deprecated since CWMP 1.2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetQueuedTransfersResponse {
    /// At most 16.
    pub transfer_list: Vec<QueuedTransferStruct>,
}

/// A queued transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueuedTransferStruct {
    /// The key of the request.
    pub command_key: String,
    /// 1 not started, 2 in progress, 3 completed.
    pub state: u32,
}

/// All transfers that have not ended; since CWMP 1.1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GetAllQueuedTransfersResponse {
    /// At most 16.
    pub transfer_list: Vec<AllQueuedTransferStruct>,
}

/// A queued transfer with its file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllQueuedTransferStruct {
    /// The key of the request; empty when the ACS did not ask for it.
    pub command_key: String,
    /// 1 not started, 2 in progress, 3 completed.
    pub state: u32,
    /// Download or upload.
    pub is_download: bool,
    /// Of which type.
    pub file_type: String,
    /// In bytes.
    pub file_size: u32,
    /// Where the CPE puts it.
    pub target_file_name: String,
}

// === impl Body ===

/// The arguments that the three requests share; each takes those it has.
#[derive(Default)]
struct Arguments {
    command_key: Option<String>,
    file_type: Option<String>,
    url: Option<String>,
    username: Option<String>,
    password: Option<Secret>,
    file_size: Option<u32>,
    target_file_name: Option<String>,
    delay_seconds: Option<u32>,
    success_url: Option<String>,
    failure_url: Option<String>,
    time_window_list: Option<Vec<TimeWindowStruct>>,
}

impl Arguments {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut it = Self::default();
        while let Some(child) = xml.child()? {
            match child.name() {
                "CommandKey" => xml.string_into(&mut it.command_key)?,
                "FileType" => xml.string_into(&mut it.file_type)?,
                "URL" => xml.string_into(&mut it.url)?,
                "Username" => xml.string_into(&mut it.username)?,
                "Password" => xml.secret_into(&mut it.password)?,
                "FileSize" => xml.number_into(&mut it.file_size)?,
                "TargetFileName" => xml.string_into(&mut it.target_file_name)?,
                "DelaySeconds" => xml.number_into(&mut it.delay_seconds)?,
                "SuccessURL" => xml.string_into(&mut it.success_url)?,
                "FailureURL" => xml.string_into(&mut it.failure_url)?,
                "TimeWindowList" => {
                    let value = xml.array(&child, "TimeWindowStruct", read_window)?;
                    xml.first(&mut it.time_window_list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(it)
    }
}

impl Body for Download {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let it = Arguments::read(xml)?;
        Ok(Self {
            command_key: xml.required(it.command_key),
            file_type: xml.required(it.file_type),
            url: xml.required(it.url),
            username: xml.required(it.username),
            password: xml.required(it.password),
            file_size: xml.required(it.file_size),
            target_file_name: xml.required(it.target_file_name),
            delay_seconds: xml.required(it.delay_seconds),
            success_url: xml.required(it.success_url),
            failure_url: xml.required(it.failure_url),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("CommandKey", &self.command_key)?;
        out.text("FileType", &self.file_type)?;
        out.text("URL", &self.url)?;
        out.text("Username", &self.username)?;
        out.text("Password", self.password.reveal())?;
        out.number("FileSize", self.file_size)?;
        out.text("TargetFileName", &self.target_file_name)?;
        out.number("DelaySeconds", self.delay_seconds)?;
        out.text("SuccessURL", &self.success_url)?;
        out.text("FailureURL", &self.failure_url)
    }
}

impl Body for Upload {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let it = Arguments::read(xml)?;
        Ok(Self {
            command_key: xml.required(it.command_key),
            file_type: xml.required(it.file_type),
            url: xml.required(it.url),
            username: xml.required(it.username),
            password: xml.required(it.password),
            delay_seconds: xml.required(it.delay_seconds),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("CommandKey", &self.command_key)?;
        out.text("FileType", &self.file_type)?;
        out.text("URL", &self.url)?;
        out.text("Username", &self.username)?;
        out.text("Password", self.password.reveal())?;
        out.number("DelaySeconds", self.delay_seconds)
    }
}

impl Body for ScheduleDownload {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let it = Arguments::read(xml)?;
        Ok(Self {
            command_key: xml.required(it.command_key),
            file_type: xml.required(it.file_type),
            url: xml.required(it.url),
            username: xml.required(it.username),
            password: xml.required(it.password),
            file_size: xml.required(it.file_size),
            target_file_name: xml.required(it.target_file_name),
            time_window_list: xml.required(it.time_window_list),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("CommandKey", &self.command_key)?;
        out.text("FileType", &self.file_type)?;
        out.text("URL", &self.url)?;
        out.text("Username", &self.username)?;
        out.text("Password", self.password.reveal())?;
        out.number("FileSize", self.file_size)?;
        out.text("TargetFileName", &self.target_file_name)?;
        let windows = &self.time_window_list;
        out.array("TimeWindowList", "cwmp:TimeWindowStruct", windows, |out, window| {
            out.element("TimeWindowStruct", |out| {
                out.number("WindowStart", window.window_start)?;
                out.number("WindowEnd", window.window_end)?;
                out.text("WindowMode", &window.window_mode)?;
                out.text("UserMessage", &window.user_message)?;
                out.number("MaxRetries", window.max_retries)
            })
        })
    }
}

fn read_window(xml: &mut Xml<'_>) -> Result<TimeWindowStruct, DecodeError> {
    let (mut start, mut end, mut mode, mut message, mut retries) = (None, None, None, None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "WindowStart" => xml.number_into(&mut start)?,
            "WindowEnd" => xml.number_into(&mut end)?,
            "WindowMode" => xml.string_into(&mut mode)?,
            "UserMessage" => xml.string_into(&mut message)?,
            "MaxRetries" => xml.number_into(&mut retries)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(TimeWindowStruct {
        window_start: xml.required(start),
        window_end: xml.required(end),
        window_mode: xml.required(mode),
        user_message: xml.required(message),
        max_retries: xml.required(retries),
    })
}

impl Body for TransferStatus {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut status, mut start_time, mut complete_time) = (None, None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "Status" => xml.number_into(&mut status)?,
                "StartTime" => xml.string_into(&mut start_time)?,
                "CompleteTime" => xml.string_into(&mut complete_time)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            status: xml.required(status),
            start_time: xml.required(start_time),
            complete_time: xml.required(complete_time),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.number("Status", self.status)?;
        out.text("StartTime", &self.start_time)?;
        out.text("CompleteTime", &self.complete_time)
    }
}

impl Body for CancelTransfer {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        Ok(Self { command_key: read_command_key(xml)? })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("CommandKey", &self.command_key)
    }
}

impl Body for TransferComplete {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut command_key, mut fault_struct) = (None, None);
        let (mut start_time, mut complete_time) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "CommandKey" => xml.string_into(&mut command_key)?,
                "FaultStruct" => {
                    let value = FaultStruct::read(xml)?;
                    xml.first(&mut fault_struct, value);
                }
                "StartTime" => xml.string_into(&mut start_time)?,
                "CompleteTime" => xml.string_into(&mut complete_time)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            command_key: xml.required(command_key),
            fault_struct: xml.required(fault_struct),
            start_time: xml.required(start_time),
            complete_time: xml.required(complete_time),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("CommandKey", &self.command_key)?;
        self.fault_struct.write("FaultStruct", out)?;
        out.text("StartTime", &self.start_time)?;
        out.text("CompleteTime", &self.complete_time)
    }
}

impl Body for AutonomousTransferComplete {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut announce_url, mut transfer_url, mut is_download) = (None, None, None);
        let (mut file_type, mut file_size, mut target_file_name) = (None, None, None);
        let (mut fault_struct, mut start_time, mut complete_time) = (None, None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "AnnounceURL" => xml.string_into(&mut announce_url)?,
                "TransferURL" => xml.string_into(&mut transfer_url)?,
                "IsDownload" => xml.boolean_into(&mut is_download)?,
                "FileType" => xml.string_into(&mut file_type)?,
                "FileSize" => xml.number_into(&mut file_size)?,
                "TargetFileName" => xml.string_into(&mut target_file_name)?,
                "FaultStruct" => {
                    let value = FaultStruct::read(xml)?;
                    xml.first(&mut fault_struct, value);
                }
                "StartTime" => xml.string_into(&mut start_time)?,
                "CompleteTime" => xml.string_into(&mut complete_time)?,
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self {
            announce_url: xml.required(announce_url),
            transfer_url: xml.required(transfer_url),
            is_download: xml.required(is_download),
            file_type: xml.required(file_type),
            file_size: xml.required(file_size),
            target_file_name: xml.required(target_file_name),
            fault_struct: xml.required(fault_struct),
            start_time: xml.required(start_time),
            complete_time: xml.required(complete_time),
        })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("AnnounceURL", &self.announce_url)?;
        out.text("TransferURL", &self.transfer_url)?;
        out.boolean("IsDownload", self.is_download)?;
        out.text("FileType", &self.file_type)?;
        out.number("FileSize", self.file_size)?;
        out.text("TargetFileName", &self.target_file_name)?;
        self.fault_struct.write("FaultStruct", out)?;
        out.text("StartTime", &self.start_time)?;
        out.text("CompleteTime", &self.complete_time)
    }
}

impl Body for RequestDownload {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let (mut file_type, mut file_type_arg) = (None, None);
        while let Some(child) = xml.child()? {
            match child.name() {
                "FileType" => xml.string_into(&mut file_type)?,
                "FileTypeArg" => {
                    let value = xml.array(&child, "ArgStruct", read_argument)?;
                    xml.first(&mut file_type_arg, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { file_type: xml.required(file_type), file_type_arg: xml.required(file_type_arg) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        out.text("FileType", &self.file_type)?;
        out.array("FileTypeArg", "cwmp:ArgStruct", &self.file_type_arg, |out, argument| {
            out.element("ArgStruct", |out| {
                out.text("Name", &argument.name)?;
                out.text("Value", &argument.value)
            })
        })
    }
}

fn read_argument(xml: &mut Xml<'_>) -> Result<ArgStruct, DecodeError> {
    let (mut name, mut value) = (None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "Name" => xml.string_into(&mut name)?,
            "Value" => xml.string_into(&mut value)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(ArgStruct { name: xml.required(name), value: xml.required(value) })
}

impl Body for GetQueuedTransfersResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "TransferList" => {
                    let value = xml.array(&child, "QueuedTransferStruct", |xml| {
                        let it = read_queued(xml)?;
                        Ok(QueuedTransferStruct { command_key: it.command_key, state: it.state })
                    })?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { transfer_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        let member_type = "cwmp:QueuedTransferStruct";
        out.array("TransferList", member_type, &self.transfer_list, |out, transfer| {
            out.element("QueuedTransferStruct", |out| {
                out.text("CommandKey", &transfer.command_key)?;
                out.number("State", transfer.state)
            })
        })
    }
}

impl Body for GetAllQueuedTransfersResponse {
    fn read(xml: &mut Xml<'_>) -> Result<Self, DecodeError> {
        let mut list = None;
        while let Some(child) = xml.child()? {
            match child.name() {
                "TransferList" => {
                    let value = xml.array(&child, "AllQueuedTransferStruct", read_queued)?;
                    xml.first(&mut list, value);
                }
                _ => xml.skip_unknown()?,
            }
        }
        Ok(Self { transfer_list: xml.required(list) })
    }

    fn write(&self, out: &mut Output) -> Result<(), EncodeError> {
        let member_type = "cwmp:AllQueuedTransferStruct";
        out.array("TransferList", member_type, &self.transfer_list, |out, transfer| {
            out.element("AllQueuedTransferStruct", |out| {
                out.text("CommandKey", &transfer.command_key)?;
                out.number("State", transfer.state)?;
                out.boolean("IsDownload", transfer.is_download)?;
                out.text("FileType", &transfer.file_type)?;
                out.number("FileSize", transfer.file_size)?;
                out.text("TargetFileName", &transfer.target_file_name)
            })
        })
    }
}

fn read_queued(xml: &mut Xml<'_>) -> Result<AllQueuedTransferStruct, DecodeError> {
    let (mut command_key, mut state, mut is_download) = (None, None, None);
    let (mut file_type, mut file_size, mut target_file_name) = (None, None, None);
    while let Some(child) = xml.child()? {
        match child.name() {
            "CommandKey" => xml.string_into(&mut command_key)?,
            "State" => xml.number_into(&mut state)?,
            "IsDownload" => xml.boolean_into(&mut is_download)?,
            "FileType" => xml.string_into(&mut file_type)?,
            "FileSize" => xml.number_into(&mut file_size)?,
            "TargetFileName" => xml.string_into(&mut target_file_name)?,
            _ => xml.skip_unknown()?,
        }
    }
    Ok(AllQueuedTransferStruct {
        command_key: xml.required(command_key),
        state: xml.required(state),
        is_download: is_download.unwrap_or_default(),
        file_type: file_type.unwrap_or_default(),
        file_size: file_size.unwrap_or_default(),
        target_file_name: target_file_name.unwrap_or_default(),
    })
}
