//! What the plugin calls: the host's functions in a component, the bench's in a native test.

#[cfg(target_family = "wasm")]
pub(crate) use crate::bindings::trellis::acs::{
    control, deadlines, facts, log, memory, parameters, session, settings, software, transfers,
};

#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::bench::{
    control, deadlines, facts, log, memory, parameters, session, settings, software, transfers,
};
