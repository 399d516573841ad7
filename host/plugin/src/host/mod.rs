//! The host side of the WIT, one file per interface.

mod control;
mod notes;
mod parameters;
mod session;
mod software;
mod state;
mod transfers;

pub(crate) use parameters::value_type as host_value_type;

use crate::bindings::types;
use crate::state::RunState;

impl types::Host for RunState {}

/// The longest name of a fact, a deadline or an entry of the memory, in bytes.
const NAME_BYTES_MAX: usize = 128;

fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(format!("{what} must have 1 to {NAME_BYTES_MAX} bytes"));
    }
    Ok(())
}
