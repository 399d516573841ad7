//! File transfers.

use crate::bindings::trellis::acs::transfers as wire;
use crate::{AnyQueuedTransfer, Cpe, QueuedTransfer, Result, TransferStatus, host};

/// The file type of a firmware image, for downloads.
pub const FIRMWARE: &str = "1 Firmware Upgrade Image";
/// The file type of web content, for downloads.
pub const WEB_CONTENT: &str = "2 Web Content";
/// The file type of a configuration, for downloads. An upload's has an instance number behind it.
pub const VENDOR_CONFIGURATION: &str = "3 Vendor Configuration File";

/// What the device shall download.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Download {
    /// What the transfer is known by when it has ended; at most 32 bytes, best unique.
    pub command_key: String,
    /// Such as [`FIRMWARE`].
    pub file_type: String,
    /// At most 256 bytes, without user name and password.
    pub url: String,
    /// For the file server; empty when it asks for none.
    pub username: String,
    /// For the file server; empty when it asks for none.
    pub password: String,
    /// In bytes; 0 when not known.
    pub file_size: u32,
    /// Empty to let the device choose.
    pub target_file_name: String,
    /// How long the device shall wait before it begins.
    pub delay_seconds: u32,
    /// Where the device sends a user's browser after a success; normally empty.
    pub success_url: String,
    /// Where the device sends a user's browser after a failure; normally empty.
    pub failure_url: String,
}

/// What the device shall upload, with HTTP PUT.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Upload {
    /// What the transfer is known by when it has ended; at most 32 bytes, best unique.
    pub command_key: String,
    /// Such as `3 Vendor Configuration File 1`.
    pub file_type: String,
    /// At most 256 bytes, without user name and password.
    pub url: String,
    /// For the file server; empty when it asks for none.
    pub username: String,
    /// For the file server; empty when it asks for none.
    pub password: String,
    /// How long the device shall wait before it begins.
    pub delay_seconds: u32,
}

/// A download within one or two windows of time; since CWMP 1.2.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ScheduledDownload {
    /// What the transfer is known by when it has ended; at most 32 bytes, best unique.
    pub command_key: String,
    /// Such as [`FIRMWARE`].
    pub file_type: String,
    /// At most 256 bytes, without user name and password.
    pub url: String,
    /// For the file server; empty when it asks for none.
    pub username: String,
    /// For the file server; empty when it asks for none.
    pub password: String,
    /// In bytes; 0 when not known.
    pub file_size: u32,
    /// Empty to let the device choose.
    pub target_file_name: String,
    /// One or two that do not overlap.
    pub windows: Vec<TimeWindow>,
}

/// When a [`ScheduledDownload`] may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// Seconds from now.
    pub start: u32,
    /// Seconds from now.
    pub end: u32,
    /// `1 At Any Time`, `2 Immediately`, `3 When Idle`, or, where the device supports it,
    /// `4 Confirmation Needed`.
    pub mode: String,
    /// What the user is shown when asked for confirmation.
    pub user_message: String,
    /// How often the device may try again: 0 never, -1 as often as it likes.
    pub max_retries: i32,
}

impl Default for TimeWindow {
    fn default() -> Self {
        Self {
            start: 0,
            end: 86_400,
            mode: "1 At Any Time".to_owned(),
            user_message: String::new(),
            max_retries: 0,
        }
    }
}

/// `Debug` without the password, which must not get into a log or a fault.
macro_rules! debug_without_password {
    ($($name:ident)*) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("command_key", &self.command_key)
                    .field("file_type", &self.file_type)
                    .field("url", &self.url)
                    .finish_non_exhaustive()
            }
        }
    )*};
}

debug_without_password!(Download Upload ScheduledDownload);

impl Cpe {
    /// Has the device fetch a file (Download). Status 1 means that its end will be among the
    /// [`completed_transfers`](Self::completed_transfers) of this session or a later one; the
    /// device restarts by itself where the file needs it.
    ///
    /// ```no_run
    /// # use trellis_plugin::{Download, FIRMWARE};
    /// # fn run(cpe: &mut trellis_plugin::Cpe) -> trellis_plugin::Result<()> {
    /// cpe.download(Download {
    ///     command_key: "fw-2.1".into(),
    ///     file_type: FIRMWARE.into(),
    ///     url: "https://files.example/2.1.bin".into(),
    ///     ..Download::default()
    /// })?;
    /// # Ok(()) }
    /// ```
    pub fn download(&mut self, download: Download) -> Result<TransferStatus> {
        let request = wire::DownloadRequest {
            command_key: download.command_key,
            file_type: download.file_type,
            url: download.url,
            username: download.username,
            password: download.password,
            file_size: download.file_size,
            target_file_name: download.target_file_name,
            delay_seconds: download.delay_seconds,
            success_url: download.success_url,
            failure_url: download.failure_url,
        };
        Ok(host::transfers::download(&request)?)
    }

    /// Has the device send a file (Upload). Its end is reported as a download's is.
    pub fn upload(&mut self, upload: Upload) -> Result<TransferStatus> {
        let request = wire::UploadRequest {
            command_key: upload.command_key,
            file_type: upload.file_type,
            url: upload.url,
            username: upload.username,
            password: upload.password,
            delay_seconds: upload.delay_seconds,
        };
        Ok(host::transfers::upload(&request)?)
    }

    /// Has the device fetch a file within windows of time (ScheduleDownload). Its end is
    /// reported in a later session.
    pub fn schedule_download(&mut self, download: ScheduledDownload) -> Result<()> {
        let window = |window: TimeWindow| wire::TimeWindow {
            start: window.start,
            end: window.end,
            mode: window.mode,
            user_message: window.user_message,
            max_retries: window.max_retries,
        };
        let request = wire::ScheduleDownloadRequest {
            command_key: download.command_key,
            file_type: download.file_type,
            url: download.url,
            username: download.username,
            password: download.password,
            file_size: download.file_size,
            target_file_name: download.target_file_name,
            windows: download.windows.into_iter().map(window).collect(),
        };
        Ok(host::transfers::schedule_download(&request)?)
    }

    /// Cancels all transfers of this key (CancelTransfer). A key that the device does not know
    /// is no fault; the end of a cancelled transfer is not reported.
    pub fn cancel_transfer(&mut self, command_key: &str) -> Result<()> {
        Ok(host::transfers::cancel_transfer(command_key)?)
    }

    /// The transfers in the device's queue that the server asked for (GetQueuedTransfers).
    /// Deprecated since CWMP 1.2.
    pub fn queued_transfers(&mut self) -> Result<Vec<QueuedTransfer>> {
        Ok(host::transfers::get_queued_transfers()?)
    }

    /// All transfers in the device's queue (GetAllQueuedTransfers); since CWMP 1.1.
    pub fn all_queued_transfers(&mut self) -> Result<Vec<AnyQueuedTransfer>> {
        Ok(host::transfers::get_all_queued_transfers()?)
    }
}
