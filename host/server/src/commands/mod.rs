//! What the command line does with a running server.

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod device;
pub(crate) mod new;
pub(crate) mod plugin;
pub(crate) mod replay;
pub(crate) mod token;
