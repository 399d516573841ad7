//! Types of files (TR-069 A.3.2.8, A.4.1.5).

/// Firmware that is installed: it runs by the time its TransferComplete is sent.
pub const FIRMWARE: &str = "1 Firmware Upgrade Image";

/// Firmware that is only stored, as a Download asks for it.
pub const STORED_FIRMWARE: &str = "6 Stored Firmware Image";

/// The same, as devices report it: there 6 is taken by another type.
pub const STORED_FIRMWARE_REPORTED: &str = "8 Stored Firmware Image";

/// The type that a Download would ask for, of one that a device reports.
pub fn as_requested(reported: &str) -> &str {
    if reported == STORED_FIRMWARE_REPORTED { STORED_FIRMWARE } else { reported }
}
