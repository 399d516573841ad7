//! The HTTP side that devices see (TR-069 3.4): connections, headers, limits and cookies.
//!
//! One POST goes: connection, [`http`] for what HTTP asks, then the session's answer back.
//!
//! Deliberately absent: SOAP and everything about sessions but their names.

mod auth;
mod body;
mod cookie;
#[cfg(fuzzing)]
pub mod fuzz;
mod http;
mod listener;
mod redirect;
mod settings;
mod tls;

pub use auth::{AuthSettings, Basic};
pub use http::Handler;
pub use listener::{Listener, ListenerError};
pub use settings::SouthboundSettings;
pub use tls::TlsSettings;
