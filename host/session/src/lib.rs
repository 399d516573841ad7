//! The life of CWMP sessions (TR-069 3.7).
//!
//! [`Sessions::post`] takes one POST and returns its answer. Behind it each session is one
//! task that runs one function, [`session::run`], from the Inform to the empty answer.
//!
//! Deliberately absent: HTTP, which is southbound's, and SQL or keys, which are the store's.

mod admission;
mod brief;
mod caller;
mod connection_request;
mod conversation;
mod deadlines;
mod diagnostics;
mod exchange;
mod habits;
mod kinds;
mod learn;
mod metric;
mod notes;
mod open;
mod portions;
mod post;
mod provision;
mod queue;
mod redirect;
mod requests;
mod session;
mod sessions;
mod settings;
mod shadow;
mod tasks;
mod transcripts;
mod transfers;
mod undelivered;
mod visit;

pub use caller::{Caller, device_named};
pub use connection_request::ConnectionRequestKey;
pub use habits::{Habits, Quirk};
pub use metric::limit_reached;
pub use open::{Arrival, Expected, Join};
pub use post::{Answer, Reply, SessionId};
pub use redirect::Redirect;
pub use sessions::Sessions;
pub use settings::{SessionSettings, UnknownDevices};
pub use transcripts::SessionTranscript;
pub use trellis_cwmp::{Booleans, is_secret_setting};
pub use trellis_store::{Credential, Holder};
