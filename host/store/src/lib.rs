//! What Trellis remembers about devices: the [`Store`] trait and its embedded form on sled.
//!
//! The verbs are the domain's, not get and put, so that another database can serve them with
//! its own means. Every verb that writes returns after the data is on disk.
//!
//! Deliberately absent: HTTP, plugins, and every decision about a session.

mod aliases;
mod batch;
mod codec;
mod commit;
mod credential;
mod deadlines;
mod error;
mod faults;
mod files;
mod keys;
mod operator;
mod records;
mod rows;
mod sled_store;
mod transcripts;
mod transfers;
mod tree;

use std::collections::HashSet;

pub use error::StoreError;
pub use operator::*;
pub use records::*;
pub use sled_store::{SledSettings, SledStore};
pub use tree::{Entry, Tree, TreeChange};

/// What a session, the API and the tools ask of a database.
#[async_trait::async_trait]
pub trait Store: Send + Sync + 'static {
    /// The header of one device.
    async fn device(&self, device: &DeviceKey) -> Result<Option<Device>, StoreError>;

    /// The headers of up to `limit` devices whose keys come after `after`, in key order.
    async fn devices(
        &self,
        after: Option<&DeviceKey>,
        limit: usize,
    ) -> Result<Vec<(DeviceKey, Device)>, StoreError>;

    /// Keeps what an Inform told, durably, before it is answered. Takes [`Device::informed`] out
    /// of the header when it moves that into the tree. What is no longer true of the device is
    /// dropped in the same step.
    async fn record_inform(
        &self,
        device: &DeviceKey,
        header: &mut Device,
        forget: Forget,
    ) -> Result<(), StoreError>;

    /// Keeps all that a session has learned and decided so far, in one step: all or nothing.
    async fn record(&self, device: &DeviceKey, changes: Changes) -> Result<(), StoreError>;

    /// All that is known of a device's parameters.
    async fn tree(&self, device: &DeviceKey) -> Result<Tree, StoreError>;

    /// What a plugin keeps for a device.
    async fn notes(&self, device: &DeviceKey, plugin: &str) -> Result<Notes, StoreError>;

    /// Up to `limit` deadlines that have passed at `now`, in seconds since 1970, oldest first; those
    /// after one of them, if that is given.
    async fn due_deadlines(
        &self,
        now: u64,
        after: Option<Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError>;

    /// Forgets when a deadline passes: its plugin does not wait for it any more.
    async fn drop_deadline(&self, deadline: &Deadline) -> Result<(), StoreError>;

    /// What operators say of a device.
    async fn orders(&self, device: &DeviceKey) -> Result<Orders, StoreError>;

    /// Keeps what operators say of a device.
    async fn set_orders(&self, device: &DeviceKey, orders: &Orders) -> Result<(), StoreError>;

    /// Up to `limit` devices of which operators say something, after one of them, with what they say.
    async fn devices_with_orders(
        &self,
        after: Option<&DeviceKey>,
        limit: usize,
    ) -> Result<Vec<(DeviceKey, Orders)>, StoreError>;

    /// What operators say of devices that have a tag, by tag.
    async fn tags(&self) -> Result<Vec<(String, TagOrders)>, StoreError>;

    /// Keeps what operators say of devices that have a tag.
    async fn set_tag(&self, tag: &str, orders: &TagOrders) -> Result<(), StoreError>;

    /// The plugins, by name.
    async fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError>;

    /// Keeps what there is to know of some plugins, in one step.
    async fn set_plugins(&self, plugins: &[PluginRecord]) -> Result<(), StoreError>;

    /// The file of a version of a plugin, by its digest.
    async fn plugin_file(&self, digest: &str) -> Result<Vec<u8>, StoreError>;

    /// Keeps a file of a plugin.
    async fn add_plugin_file(&self, digest: &str, bytes: Vec<u8>) -> Result<(), StoreError>;

    /// Removes a file of a plugin, which need not be there.
    async fn remove_plugin_file(&self, digest: &str) -> Result<(), StoreError>;

    /// Removes the files of all versions but these. For the start: nothing may be added meanwhile.
    async fn keep_plugin_files(&self, keep: HashSet<String>) -> Result<(), StoreError>;

    /// Queues work for a device's next session and returns its number.
    async fn enqueue_task(&self, device: &DeviceKey, task: &Task) -> Result<TaskId, StoreError>;

    /// The tasks of a device that are not done, oldest first.
    async fn open_tasks(&self, device: &DeviceKey) -> Result<Vec<(TaskId, Task)>, StoreError>;

    /// The tasks of a device that are done, oldest first.
    async fn done_tasks(&self, device: &DeviceKey) -> Result<Vec<(TaskId, Task)>, StoreError>;

    /// The transfers of a device, open and ended, oldest first.
    async fn transfers(&self, device: &DeviceKey) -> Result<Vec<Transfer>, StoreError>;

    /// The faults of a device, oldest first.
    async fn faults(&self, device: &DeviceKey) -> Result<Vec<Fault>, StoreError>;

    /// Faults of all devices, by device.
    async fn find_faults(&self, query: FaultQuery) -> Result<Page<(DeviceKey, Fault)>, StoreError>;

    /// The sessions of a device in which something happened, oldest first.
    async fn sessions(&self, device: &DeviceKey) -> Result<Vec<Session>, StoreError>;

    /// The credentials of a user name that the server gave to a device; more than one where it is
    /// not known which of them the device took.
    async fn credentials(&self, username: &str) -> Result<Vec<Credential>, StoreError>;

    /// Adds a credential to those of its user name.
    async fn add_credential(&self, credential: &Credential) -> Result<(), StoreError>;

    /// Notes that a device has used this credential of its user name. Those that were given and
    /// not used are forgotten; the one that was used before is not: whoever made the server give
    /// a new one may not be the device.
    async fn prove_credential(&self, credential: &Credential) -> Result<(), StoreError>;

    /// How many values the devices of a model can tell at once, where that is less than they were
    /// asked for.
    async fn learned_portions(&self) -> Result<Vec<(Model, usize)>, StoreError>;

    /// Keeps that for one model.
    async fn learn_portion(&self, model: &Model, names_max: usize) -> Result<(), StoreError>;

    /// Keeps transcripts of sessions. They are not waited for: a crash loses the last ones.
    async fn add_transcripts(&self, transcripts: Vec<StoredTranscript>) -> Result<(), StoreError>;

    /// Transcripts, oldest first.
    async fn transcripts(
        &self,
        query: TranscriptQuery,
    ) -> Result<Page<StoredTranscript>, StoreError>;

    /// Removes transcripts from before a time, in milliseconds since 1970: up to `limit` rows, each
    /// of which holds those that were added together.
    async fn drop_transcripts(&self, before_ms: i64, limit: usize) -> Result<(), StoreError>;

    /// What this installation's passwords are made of: 256 bits that nobody else knows. Made when
    /// first asked for; never changed.
    async fn secret(&self) -> Result<[u8; 32], StoreError>;

    /// The tokens of the API, oldest first.
    async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError>;

    /// Adds a token of the API.
    async fn add_api_token(&self, token: &ApiToken) -> Result<(), StoreError>;

    /// Removes the tokens of this name, and says whether there were any.
    async fn remove_api_tokens(&self, name: &str) -> Result<bool, StoreError>;

    /// Waits until everything is on disk: the last thing before the process ends, and the way to
    /// see whether the disk keeps up.
    async fn flush(&self) -> Result<(), StoreError>;
}
