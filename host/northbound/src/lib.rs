//! What operators and their tools see: metrics and the server's health.
//!
//! The listener is plain HTTP for the machine itself or a trusted network; it tells nothing of any
//! one device. Deliberately absent: devices, which are southbound's.

mod connections;
mod listener;
mod metrics;

pub use crate::listener::{Listener, ListenerError, Server};
pub use crate::metrics::{Metrics, MetricsError};
