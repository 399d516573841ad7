//! Runs plugins without a device: over recordings of real sessions ([`replay`]), or with a
//! simulated one ([`Rehearsal`]).
//!
//! Deliberately absent: the server, the store and the network.

mod device;
mod differences;
mod rehearse;
mod replay;
mod show;

pub use device::{Device, DeviceError};
pub use differences::{Difference, Kind, diff, differences};
pub use rehearse::{Rehearsal, Visit};
pub use replay::{Replayed, replay};
pub use show::{show_call, show_message, show_transcript};
