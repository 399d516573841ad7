//! The running server, driven over TCP: sessions, plugins, limits, crashes.
//!
//! What belongs here goes through a socket into the real binary. Pure functions are tested
//! beside their code.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod architecture;
mod broken;
mod conformance;
mod crash;
mod http;
mod operator;
mod platform;
mod plugins;
mod raw;
mod relay;
mod server;
mod sessions;
mod soak;
mod warm;
