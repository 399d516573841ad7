//! What a listener allows.

use std::time::Duration;

use crate::auth::AuthSettings;

/// Settings of a listener for devices.
#[derive(Clone, Debug)]
pub struct SouthboundSettings {
    /// How devices prove who they are.
    pub auth: AuthSettings,
    /// The largest body of a POST, in bytes, also after decompression. A device's answer may
    /// hold its whole data model. Default 64 MiB.
    pub body_bytes_max: usize,
    /// The largest body of a POST that belongs to no session, which can only be an Inform, in
    /// bytes. Default 1 MiB.
    pub first_body_bytes_max: usize,
    /// Bodies of up to this size, in bytes, are read as they come. Default 64 KiB.
    pub small_body_bytes: usize,
    /// Memory for all larger bodies together, in bytes; at least twice the largest body. Where it
    /// is used up, bodies wait. Default 512 MiB.
    pub large_bodies_bytes_max: usize,
    /// How long a body may take to come, besides what it needs at the least rate. Default 60 s.
    pub body_time: Duration,
    /// The least rate of a body, in bytes per second. Default 4 KiB.
    pub body_rate_min: u64,
    /// How long nothing may come of a body, and how long it may wait for memory. Default 30 s.
    pub body_idle: Duration,
    /// How long a device may leave an answer unread. Default 30 s.
    pub write_time: Duration,
    /// How long a connection without a session may be idle, and how long headers may take.
    /// Default 120 s.
    pub idle: Duration,
    /// How long a connection in mid-session may be idle: no shorter than the silence that a
    /// session allows. Default 630 s.
    pub session_idle: Duration,
    /// Headers of one request. Default 64.
    pub headers_max: usize,
    /// The size of all headers of one request, in bytes, to within one read. Default 32 KiB.
    pub header_bytes_max: usize,
    /// Connections at once; further ones are closed. Default 20,000.
    pub connections_max: usize,
    /// The shortest `Retry-After` of a 503; up to as much again is added by chance, so that
    /// devices do not come back together. Default 30 s.
    pub retry_after: Duration,
    /// The status with which devices are sent to another server: 302 or 307. Default 307, after
    /// which no HTTP library makes a GET of the POST.
    pub redirect_status: u16,
}

impl Default for SouthboundSettings {
    fn default() -> Self {
        Self {
            auth: AuthSettings::default(),
            body_bytes_max: 64 << 20,
            first_body_bytes_max: 1 << 20,
            small_body_bytes: 64 << 10,
            large_bodies_bytes_max: 512 << 20,
            body_time: Duration::from_secs(60),
            body_rate_min: 4 << 10,
            body_idle: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
            idle: Duration::from_secs(120),
            session_idle: Duration::from_secs(630),
            headers_max: 64,
            header_bytes_max: 32 << 10,
            connections_max: 20_000,
            retry_after: Duration::from_secs(30),
            redirect_status: 307,
        }
    }
}
