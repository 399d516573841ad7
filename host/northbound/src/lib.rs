//! What operators and their tools see: metrics, the server's health, and the API.
//!
//! The listener is plain HTTP for the machine itself or a trusted network. Metrics and health are
//! for everybody and tell nothing of any one device; the API asks for a token. Deliberately absent:
//! what devices see, which is southbound's.

mod actions;
mod api;
mod body;
mod connections;
mod description;
mod devices;
mod faults;
mod listener;
mod metrics;
mod paging;
mod plugin_views;
mod plugins;
mod problem;
mod settings;
mod time;
mod tokens;
mod transcripts;
mod unread;

pub use crate::listener::{Calls, Listener, ListenerError, Server, TokenChanges};
pub use crate::metrics::{Metrics, MetricsError};
pub use crate::tokens::{TokenError, add_token, first_token};
