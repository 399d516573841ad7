//! Why the store could not do what it was asked.

/// A failure of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data folder cannot be used.
    #[error("cannot open the data folder {folder}: {reason}")]
    Open {
        /// Which folder.
        folder: String,
        /// What is in the way, and what to do.
        reason: String,
    },
    /// The data folder was written by a version that this one does not know.
    #[error(
        "the data folder {folder} has format {found}, and this program knows up to {known}: \
         use a newer program"
    )]
    Newer {
        /// Which folder.
        folder: String,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// A record cannot be read.
    #[error("the {kind} record of {key} cannot be read: {reason}")]
    Corrupt {
        /// Which kind of record.
        kind: &'static str,
        /// Whose.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A record cannot be written.
    #[error("a record cannot be written: {0}")]
    Write(String),
    /// The database failed, most often because the disk did.
    #[error("the database failed: {0}")]
    Database(#[from] sled::Error),
    /// A file cannot be read or written.
    #[error("the file of a plugin failed: {0}")]
    File(#[from] std::io::Error),
    /// The disk does not keep up, or hangs.
    #[error("nothing was written to disk for {} s", .0.as_secs())]
    Slow(std::time::Duration),
    /// A device has as many open tasks as it may have.
    #[error("{device} has {limit} open tasks, which is the limit")]
    TooManyTasks {
        /// Whose.
        device: String,
        /// How many are possible.
        limit: usize,
    },
    /// The store is closing.
    #[error("the store is closing")]
    Closing,
}
