//! What the command line does with a running server.

pub(crate) mod device;
pub(crate) mod plugin;
pub(crate) mod token;
