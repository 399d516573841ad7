//! What became of file transfers, and files that a CPE wants (TR-069 A.3.3.2, A.3.3.3, A.4.1.1,
//! A.4.1.7, A.4.2.2).

use super::{Body, FaultStruct};
use crate::encode::Output;
use crate::error::{DecodeError, EncodeError};
use crate::xml::Xml;

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
