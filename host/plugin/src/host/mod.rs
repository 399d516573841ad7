//! The host side of the WIT, one file per interface.

mod control;
mod parameters;
mod session;
mod software;
mod state;
mod transfers;

pub(crate) use parameters::value_type as host_value_type;

use crate::bindings::types;
use crate::state::RunState;

impl types::Host for RunState {}
