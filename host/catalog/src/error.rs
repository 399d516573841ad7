//! Why the catalog could not do what it was asked.

use trellis_store::StoreError;

/// A change that was not made: everything is as before.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such plugin, version or trial.
    #[error("{0}")]
    Unknown(String),
    /// What is wrong with the file, the settings or the wish, and what to change.
    #[error("{0}")]
    Refused(String),
    /// What it does not go with, and may once that has changed.
    #[error("{0}")]
    Conflict(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
