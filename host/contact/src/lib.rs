//! Connection requests (TR-069 3.2.2): the server asks a device to open a session.
//!
//! Deliberately absent: what the session is wanted for. Whoever has work for a device queues it
//! durably and then calls it; that a device was called says nothing of the work.

mod calls;
mod networks;
mod outcome;
mod request;
mod target;

pub use ipnet::IpNet;

pub use crate::calls::{ConnectionRequests, ContactSettings};
pub use crate::networks::Networks;
pub use crate::outcome::Outcome;
pub use crate::request::Login;
