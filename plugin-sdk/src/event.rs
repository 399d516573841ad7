//! The event codes of the standard, for [`Cpe::has_event`](crate::Cpe::has_event). A device may
//! send others: vendors have their own, `M X_…` and `X …`.

/// First contact, a factory reset, or a new URL of the server: nothing known of the device holds.
pub const BOOTSTRAP: &str = "0 BOOTSTRAP";
/// Power-up or restart, whatever the reason.
pub const BOOT: &str = "1 BOOT";
/// The periodic Inform.
pub const PERIODIC: &str = "2 PERIODIC";
/// A ScheduleInform is due; comes with [`M_SCHEDULE_INFORM`].
pub const SCHEDULED: &str = "3 SCHEDULED";
/// Watched parameters changed, and not by this server; the Inform lists them.
pub const VALUE_CHANGE: &str = "4 VALUE CHANGE";
/// A user was sent here by the device's web pages. Deprecated.
pub const KICKED: &str = "5 KICKED";
/// The server asked for this session.
pub const CONNECTION_REQUEST: &str = "6 CONNECTION REQUEST";
/// A transfer ended; see [`Cpe::completed_transfers`](crate::Cpe::completed_transfers).
pub const TRANSFER_COMPLETE: &str = "7 TRANSFER COMPLETE";
/// A diagnostic ended; its results can be read.
pub const DIAGNOSTICS_COMPLETE: &str = "8 DIAGNOSTICS COMPLETE";
/// The device asks for a download.
pub const REQUEST_DOWNLOAD: &str = "9 REQUEST DOWNLOAD";
/// A transfer ended that the server had not asked for.
pub const AUTONOMOUS_TRANSFER_COMPLETE: &str = "10 AUTONOMOUS TRANSFER COMPLETE";
/// A ChangeDUState ended; see [`Cpe::completed_operations`](crate::Cpe::completed_operations).
pub const DU_STATE_CHANGE_COMPLETE: &str = "11 DU STATE CHANGE COMPLETE";
/// A software module changed without the server asking for it.
pub const AUTONOMOUS_DU_STATE_CHANGE_COMPLETE: &str = "12 AUTONOMOUS DU STATE CHANGE COMPLETE";
/// Back from standby.
pub const WAKEUP: &str = "13 WAKEUP";
/// A sign of life, always alone; do as little as possible.
pub const HEARTBEAT: &str = "14 HEARTBEAT";
/// A Reboot was carried out; has its command key.
pub const M_REBOOT: &str = "M Reboot";
/// A ScheduleInform is due; has its command key.
pub const M_SCHEDULE_INFORM: &str = "M ScheduleInform";
/// A Download ended; has its command key.
pub const M_DOWNLOAD: &str = "M Download";
/// A ScheduleDownload ended; has its command key.
pub const M_SCHEDULE_DOWNLOAD: &str = "M ScheduleDownload";
/// An Upload ended; has its command key.
pub const M_UPLOAD: &str = "M Upload";
/// A ChangeDUState ended; has its command key.
pub const M_CHANGE_DU_STATE: &str = "M ChangeDUState";
