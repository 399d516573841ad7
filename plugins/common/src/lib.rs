//! What every device needs, whoever made it: learn it, watch it, keep it configured.
//!
//! [`provision`] is a whole plugin's work; a vendor's plugin calls it with what it wants on top
//! ([`Extra`]) and goes on from the [`Device`] that it returns.
//!
//! - **First contact** (nothing remembered, `0 BOOTSTRAP`, another root or software version):
//!   reads the objects below in one request where the device can answer it, applies the settings,
//!   and has the device tell of changes (passive notification).
//! - **Later sessions** ask only for what is due: the settings when they changed, after `1 BOOT`
//!   and when somebody else changed one of their parameters; the readings each
//!   `refresh-interval`. A periodic session in which nothing is due sends no request and writes
//!   nothing.
//! - **After `1 BOOT`** settings that can be read are compared. A device that had lost one may have
//!   been reset without telling, and gets everything again.
//! - **A setting that the device refuses or lacks** is left out, published and logged; the others
//!   are applied. A fault on all of them does not end the run either: they are tried again after
//!   a day.
//! - **Tables that are too much for the device or for the plugin** are read by their names, as far as
//!   anything of them is kept.
//!
//! | fact | |
//! |---|---|
//! | `device.software-version`, `device.hardware-version`, `device.model` | text |
//! | `device.uptime-s` | number: seconds since the start, at the last reading |
//! | `wan.ipv4-address` | text: the address towards the server, where the device shows which |
//! | `wifi.ssid` | text: the first network that is enabled |
//! | `wifi.ssids` | text: all networks, with `, ` between them |
//! | `lan.hosts` | number: hosts that the device knows on its local network |
//! | `config.state` | text: `applied`, `incomplete` (the device lacks or refuses some) or `failed` |
//! | `config.fault` | text: what is wrong, unless `applied` |

mod desired;
mod facts;
mod model;
mod provision;
mod read;
mod settings;
mod state;
#[cfg(test)]
mod tests;
mod watch;

pub use crate::facts::{cut, tell};
pub use crate::model::Follow;
pub use crate::provision::{Device, Extra, provision};
pub use crate::settings::{Settings, defaults, schema};
