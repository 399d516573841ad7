//! The plugins of an installation: which versions of them there are, which of these serve which
//! devices, and what operators have set for them.
//!
//! Sessions ask [`Catalog::select`] and never wait; whoever changes something waits until the
//! change is checked and on disk, and it holds for the next session of each device.
//!
//! Deliberately absent: running plugins, which is the plugin host's, and HTTP.

mod catalog;
mod changes;
mod error;
mod fit;
mod folder;
mod loading;
mod orders;
mod settings;
mod state;
mod table;
mod trial;
mod upkeep;
mod versions;

pub use catalog::{Catalog, CatalogSettings};
pub use error::CatalogError;
pub use folder::watch;
pub use loading::Loaded;
pub use settings::{Effective, Layer, Origin};
pub use table::{DevicePin, Selected};
pub use trial::TrialSettings;
pub use versions::{Took, Use};
