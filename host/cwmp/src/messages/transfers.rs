//! Asking for file transfers (TR-069 A.3.2.8, A.4.1.5, A.4.1.8, A.4.1.9).

use super::{Body, generic::read_command_key};
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
