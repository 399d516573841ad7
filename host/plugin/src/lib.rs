//! Loads vendor plugins and runs them: WebAssembly components of world
//! `trellis:acs/vendor-plugin`.
//!
//! A session makes one [`Run`] and pulls: [`Run::next`] returns the next request that the
//! plugin has for the device, the session brings the answer, and so on until the plugin has
//! finished. Between two pulls the plugin is a parked stack and nothing runs.
//!
//! Deliberately absent: the session, the store and the network. This is the only crate of the
//! server that names wasmtime.

mod addressing;
mod arguments;
mod bindings;
mod cache;
mod chance;
mod engine;
mod ensure;
mod exchange;
mod fault;
mod hook;
mod host;
mod http;
mod imports;
mod limits;
mod loader;
mod manifest;
mod matcher;
mod ordered;
mod output;
mod plugin;
mod portions;
mod recording;
mod redact;
mod registry;
mod run;
mod schema;
mod scrub;
mod secrets;
mod settings;
mod state;
mod stats;
mod toll;
mod transcript;
mod walk;

pub use engine::{EngineSettings, PluginEngine, mappings_max};
pub use exchange::{Content, Exchange, HttpAnswer, HttpFailure};
pub use fault::{FaultKind, RunFault};
pub use hook::{Admission, Answer, Hook};
pub use http::{HttpLimits, UNANSWERED_CHARACTERS, check_origin};
pub use limits::{Limits, LimitsMax, OwnLimits};
pub use loader::{Loader, LoaderSettings};
pub use manifest::{ActionManifest, Manifest};
pub use matcher::{CompiledMatcher, Matcher, Pattern, Specificity, Traits};
pub use plugin::Plugin;
pub use recording::{Call, Recording, Rpc};
pub use redact::{Redactor, without_marks};
pub use registry::{Canary, Candidate, Registry, SHARE_ALL, Serving};
pub use run::{Ask, Finished, Next, Run};
pub use settings::{PluginSettings, RevisionKey, lay_over};
pub use state::{Context, FactValue, Notes, PASSING_EVENTS, Portions};
pub use stats::Counters;
pub use transcript::{CallRecord, Input, Outcome, Transcript, comparable};
