//! The store on sled: one key-value tree, whose batches are atomic across all keyspaces.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use sled::{Batch, Db};

use crate::Store;
use crate::aliases::Aliases;
use crate::codec;
use crate::commit::Committer;
use crate::commit::limit_reached;
use crate::deadlines;
use crate::error::StoreError;
use crate::files::Files;
use crate::keys::{Keyspace, device_of, row_of};
use crate::operator::*;
use crate::records::*;
use crate::tree::{Entry, Tree, TreeChange};

/// How the embedded store behaves.
#[derive(Clone, Debug)]
pub struct SledSettings {
    /// Where the data is. It is made when it is not there.
    pub folder: PathBuf,
    /// Memory for cached pages, in bytes. Default 256 MiB.
    pub cache_bytes: u64,
    /// A parameter tree larger than this, in bytes, is stored in parts. Default 64 KiB.
    pub tree_part_bytes: usize,
    /// Parameters and objects that are kept of one device; further ones are not. Default
    /// 200,000.
    pub tree_names_max: usize,
    /// The value of a parameter that is kept, in bytes; larger ones are not. Default 64 KiB.
    pub tree_value_bytes_max: usize,
    /// What Informs told is moved from the header into the tree when it grows past this, in
    /// bytes. Default 32 KiB.
    pub informed_bytes_max: usize,
    /// How long a flush waits for others to share it. Default 1 ms.
    pub commit_delay: Duration,
    /// How long a write may take to be on disk; then the disk counts as hanging. Default 20 s.
    pub commit_time_max: Duration,
    /// Open tasks of one device. Default 100.
    pub tasks_max: usize,
    /// How many sessions, faults, done tasks and transfers are kept for each device; the
    /// oldest go first. Default 50.
    pub history_max: usize,
}

/// The store on sled. Clones share one database.
#[derive(Clone)]
pub struct SledStore {
    pub(crate) db: Db,
    committer: Committer,
    files: Files,
    pub(crate) settings: Arc<SledSettings>,
    /// How many open tasks each device has, so that a session without any reads none.
    open_tasks: Arc<Mutex<HashMap<DeviceKey, usize>>>,
}

/// Credentials of one user name that were given and not used; the oldest go first.
const CREDENTIALS_MAX: usize = 4;

/// The format of a data folder that this program writes.
const FORMAT: u32 = 7;
const FORMAT_KEY: &[u8] = b"!format";
const SECRET_KEY: &[u8] = b"!secret";

impl SledSettings {
    /// The defaults, in a folder.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            cache_bytes: 256 << 20,
            tree_part_bytes: 64 << 10,
            tree_names_max: 200_000,
            tree_value_bytes_max: 64 << 10,
            informed_bytes_max: 32 << 10,
            commit_delay: Duration::from_millis(1),
            commit_time_max: Duration::from_secs(20),
            tasks_max: 100,
            history_max: 50,
        }
    }
}

impl SledStore {
    /// Opens a data folder, or makes one. Blocks; call it before the server listens.
    pub fn open(settings: SledSettings) -> Result<Self, StoreError> {
        let db = sled::Config::new()
            .path(&settings.folder)
            .cache_capacity(settings.cache_bytes)
            .flush_every_ms(None)
            .open()
            .map_err(|error| open_error(&settings.folder, &error.to_string()))?;
        check_format(&db, &settings.folder)?;
        let mut open_tasks = HashMap::new();
        for row in db.scan_prefix(Keyspace::OpenTask.start()) {
            if let Some(device) = device_of(&row?.0) {
                *open_tasks.entry(device).or_default() += 1;
            }
        }
        let files = Files::open(&settings.folder.with_file_name("plugins"))
            .map_err(|error| open_error(&settings.folder, &error.to_string()))?;
        let committer =
            Committer::start(db.clone(), settings.commit_delay, settings.commit_time_max)
                .map_err(|error| open_error(&settings.folder, &error.to_string()))?;
        Ok(Self {
            db,
            committer,
            files,
            settings: Arc::new(settings),
            open_tasks: Arc::new(Mutex::new(open_tasks)),
        })
    }

    pub(crate) fn rows<T: DeserializeOwned>(
        &self,
        keyspace: Keyspace,
        kind: &'static str,
        device: &DeviceKey,
    ) -> Result<Vec<(Vec<u8>, T)>, StoreError> {
        let mut rows = Vec::new();
        for row in self.db.scan_prefix(keyspace.device(device)) {
            let (key, value) = row?;
            let record = codec::read(kind, device.as_str(), &value)?;
            rows.push((row_of(&key).to_vec(), record));
        }
        Ok(rows)
    }

    pub(crate) fn read_tree(&self, device: &DeviceKey) -> Result<Tree, StoreError> {
        let mut tree = Tree::default();
        for row in self.db.scan_prefix(Keyspace::Tree.device(device)) {
            let part: BTreeMap<String, Entry> =
                codec::read_compressed("tree", device.as_str(), &row?.1)?;
            tree.0.extend(part);
        }
        Ok(tree)
    }

    /// Compressing a large tree, or looking at many rows, takes milliseconds, which the runtime's
    /// own threads do not have.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        let task = tokio::task::spawn_blocking(move || work(&store));
        task.await.map_err(|_| StoreError::Closing)?
    }

    pub(crate) fn read_notes(&self, device: &DeviceKey, plugin: &str) -> Result<Notes, StoreError> {
        let bytes = self.db.get(Keyspace::Notes.row(device, plugin.as_bytes()))?;
        let notes = bytes.map(|bytes| codec::read("notes", device.as_str(), &bytes));
        Ok(notes.transpose()?.unwrap_or_default())
    }

    /// Writes one record, or removes it.
    async fn set<T: Serialize>(&self, key: Vec<u8>, record: Option<&T>) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        match record {
            Some(record) => batch.insert(key, codec::write(record)?),
            None => batch.remove(key),
        }
        self.committer.commit(batch).await
    }

    /// Files are read and written where they hold up nobody.
    async fn with_files<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> std::io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.blocking(move |store| Ok(work(&store.files)?)).await
    }

    async fn write_credentials(
        &self,
        username: &str,
        credentials: &[Credential],
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.insert(Keyspace::Credential.named(username), codec::write(&credentials)?);
        self.committer.commit(batch).await
    }

    fn count_one_more_task(&self, device: &DeviceKey) -> bool {
        let mut counts = self.open_tasks.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(device.clone()).or_default();
        let has_room = *count < self.settings.tasks_max;
        if has_room {
            *count += 1;
        }
        has_room
    }

    fn count_done_tasks(&self, device: &DeviceKey, done: usize) {
        let mut counts = self.open_tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(device) {
            *count = count.saturating_sub(done);
            if *count == 0 {
                counts.remove(device);
            }
        }
    }

    fn has_open_tasks(&self, device: &DeviceKey) -> bool {
        let counts = self.open_tasks.lock().unwrap_or_else(PoisonError::into_inner);
        counts.contains_key(device)
    }
}

#[async_trait::async_trait]
impl Store for SledStore {
    async fn device(&self, device: &DeviceKey) -> Result<Option<Device>, StoreError> {
        let bytes = self.db.get(Keyspace::Header.device(device))?;
        bytes.map(|bytes| codec::read("device", device.as_str(), &bytes)).transpose()
    }

    async fn devices(
        &self,
        after: Option<&DeviceKey>,
        limit: usize,
    ) -> Result<Vec<(DeviceKey, Device)>, StoreError> {
        self.rows_by_device(Keyspace::Header, "device", after, limit)
    }

    async fn record_inform(
        &self,
        device: &DeviceKey,
        header: &mut Device,
        forget: Forget,
    ) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        if forget != Forget::Nothing {
            for key in self.db.scan_prefix(Keyspace::Tree.device(device)).keys() {
                batch.remove(key?);
            }
        }
        if forget == Forget::TreeAndTransfers {
            for (row, transfer) in self.rows::<Transfer>(Keyspace::Transfer, "transfer", device)? {
                if transfer.is_open() {
                    let expired = Transfer { expires_ms: 0, ..transfer }.at(header.last_inform_ms);
                    batch.insert(Keyspace::Transfer.row(device, &row), codec::write(&expired)?);
                }
            }
        }
        let told = header.informed.iter();
        let informed: usize = told.map(|(name, it)| name.len() + it.value.len()).sum();
        if informed > self.settings.informed_bytes_max {
            let changes = informed_changes(std::mem::take(&mut header.informed));
            let device = device.clone();
            batch = self
                .blocking(move |store| {
                    let known = match forget {
                        Forget::Nothing => store.read_tree(&device)?,
                        Forget::Tree | Forget::TreeAndTransfers => Tree::default(),
                    };
                    store.write_tree(&mut batch, &device, known, changes)?;
                    Ok(batch)
                })
                .await?;
        }
        batch.insert(Keyspace::Header.device(device), codec::write(header)?);
        self.committer.commit(batch).await
    }

    async fn record(&self, device: &DeviceKey, changes: Changes) -> Result<(), StoreError> {
        let done = changes.tasks.iter().filter(|(_, task)| task.result.is_some()).count();
        let batch = if changes.tree.is_empty() {
            self.batch(device, changes)?
        } else {
            let device = device.clone();
            self.blocking(move |store| store.batch(&device, changes)).await?
        };
        self.committer.commit(batch).await?;
        if done > 0 {
            self.count_done_tasks(device, done);
        }
        Ok(())
    }

    async fn tree(&self, device: &DeviceKey) -> Result<Tree, StoreError> {
        let key = device.clone();
        let mut tree = self.blocking(move |store| store.read_tree(&key)).await?;
        if let Some(header) = self.device(device).await? {
            let mut aliases = Aliases::default();
            for change in informed_changes(header.informed) {
                let change = aliases.resolve(&mut tree, change);
                tree.apply(change);
            }
        }
        Ok(tree)
    }

    async fn notes(&self, device: &DeviceKey, plugin: &str) -> Result<Notes, StoreError> {
        self.read_notes(device, plugin)
    }

    async fn due_deadlines(
        &self,
        now: u64,
        after: Option<Deadline>,
        limit: usize,
    ) -> Result<Vec<Deadline>, StoreError> {
        self.blocking(move |store| store.read_due_deadlines(now, after.as_ref(), limit)).await
    }

    async fn drop_deadline(&self, deadline: &Deadline) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        batch.remove(deadlines::key(deadline));
        self.committer.commit(batch).await
    }

    async fn orders(&self, device: &DeviceKey) -> Result<Orders, StoreError> {
        let bytes = self.db.get(Keyspace::Orders.device(device))?;
        let orders = bytes.map(|bytes| codec::read("orders", device.as_str(), &bytes));
        Ok(orders.transpose()?.unwrap_or_default())
    }

    async fn set_orders(&self, device: &DeviceKey, orders: &Orders) -> Result<(), StoreError> {
        let key = Keyspace::Orders.device(device);
        self.set(key, (!orders.is_empty()).then_some(orders)).await
    }

    async fn devices_with_orders(
        &self,
        after: Option<&DeviceKey>,
        limit: usize,
    ) -> Result<Vec<(DeviceKey, Orders)>, StoreError> {
        let after = after.cloned();
        let rows = move |store: &Self| {
            store.rows_by_device(Keyspace::Orders, "orders", after.as_ref(), limit)
        };
        self.blocking(rows).await
    }

    async fn tags(&self) -> Result<Vec<(String, TagOrders)>, StoreError> {
        let mut tags = Vec::new();
        for row in self.db.scan_prefix(Keyspace::Tag.start()) {
            let (key, value) = row?;
            let tag = String::from_utf8_lossy(key.get(1..).unwrap_or_default()).into_owned();
            let orders = codec::read("tag", &tag, &value)?;
            tags.push((tag, orders));
        }
        Ok(tags)
    }

    async fn set_tag(&self, tag: &str, orders: &TagOrders) -> Result<(), StoreError> {
        self.set(Keyspace::Tag.named(tag), (!orders.is_empty()).then_some(orders)).await
    }

    async fn plugins(&self) -> Result<Vec<PluginRecord>, StoreError> {
        let rows = self.db.scan_prefix(Keyspace::Plugin.start());
        rows.map(|row| codec::read("plugin", "", &row?.1)).collect()
    }

    async fn set_plugins(&self, plugins: &[PluginRecord]) -> Result<(), StoreError> {
        let mut batch = Batch::default();
        for plugin in plugins {
            batch.insert(Keyspace::Plugin.named(&plugin.name), codec::write(plugin)?);
        }
        self.committer.commit(batch).await
    }

    async fn plugin_file(&self, digest: &str) -> Result<Vec<u8>, StoreError> {
        let digest = digest.to_owned();
        self.with_files(move |files| files.read(&digest)).await
    }

    async fn add_plugin_file(&self, digest: &str, bytes: Vec<u8>) -> Result<(), StoreError> {
        let digest = digest.to_owned();
        self.with_files(move |files| files.write(&digest, &bytes)).await
    }

    async fn remove_plugin_file(&self, digest: &str) -> Result<(), StoreError> {
        let digest = digest.to_owned();
        self.with_files(move |files| files.remove(&digest)).await
    }

    async fn keep_plugin_files(&self, keep: HashSet<String>) -> Result<(), StoreError> {
        self.with_files(move |files| files.sweep(&keep)).await
    }

    async fn enqueue_task(&self, device: &DeviceKey, task: &Task) -> Result<TaskId, StoreError> {
        let limit = self.settings.tasks_max;
        // Counted first: a session looks only when there is something to find.
        if !self.count_one_more_task(device) {
            limit_reached("tasks");
            return Err(StoreError::TooManyTasks { device: device.to_string(), limit });
        }
        let id = self.db.generate_id()?;
        let key = Keyspace::OpenTask.row(device, &id.to_be_bytes());
        let mut batch = Batch::default();
        batch.insert(key, codec::write(task)?);
        self.committer.commit(batch).await?;
        Ok(TaskId(id))
    }

    async fn open_tasks(&self, device: &DeviceKey) -> Result<Vec<(TaskId, Task)>, StoreError> {
        if !self.has_open_tasks(device) {
            return Ok(Vec::new());
        }
        let rows = self.rows::<Task>(Keyspace::OpenTask, "task", device)?;
        Ok(rows
            .into_iter()
            .map(|(row, task)| {
                let id = row.try_into().map(u64::from_be_bytes).unwrap_or_default();
                (TaskId(id), task)
            })
            .collect())
    }

    async fn done_tasks(&self, device: &DeviceKey) -> Result<Vec<(TaskId, Task)>, StoreError> {
        let rows = self.rows::<(u64, Task)>(Keyspace::DoneTask, "task", device)?;
        Ok(rows.into_iter().map(|(_, (id, task))| (TaskId(id), task)).collect())
    }

    async fn transfers(&self, device: &DeviceKey) -> Result<Vec<Transfer>, StoreError> {
        let rows = self.rows(Keyspace::Transfer, "transfer", device)?;
        let now_ms = now_ms();
        Ok(rows.into_iter().map(|(_, transfer): (_, Transfer)| transfer.at(now_ms)).collect())
    }

    async fn faults(&self, device: &DeviceKey) -> Result<Vec<Fault>, StoreError> {
        let rows = self.rows(Keyspace::Fault, "fault", device)?;
        Ok(rows.into_iter().map(|(_, fault)| fault).collect())
    }

    async fn find_faults(&self, query: FaultQuery) -> Result<Page<(DeviceKey, Fault)>, StoreError> {
        self.blocking(move |store| store.read_faults(&query)).await
    }

    async fn sessions(&self, device: &DeviceKey) -> Result<Vec<Session>, StoreError> {
        let rows = self.rows(Keyspace::Session, "session", device)?;
        Ok(rows.into_iter().map(|(_, session)| session).collect())
    }

    async fn credentials(&self, username: &str) -> Result<Vec<Credential>, StoreError> {
        let bytes = self.db.get(Keyspace::Credential.named(username))?;
        let read = |bytes: sled::IVec| codec::read("credential", username, &bytes);
        Ok(bytes.map(read).transpose()?.unwrap_or_default())
    }

    async fn add_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        let known = self.credentials(&credential.username).await?;
        let (mut kept, mut given): (Vec<_>, Vec<_>) =
            known.into_iter().partition(|it| it.is_proven);
        given.push(credential.clone());
        // A device that is never heard of again after it was given one must not gather them.
        let surplus = given.len().saturating_sub(CREDENTIALS_MAX);
        kept.extend(given.into_iter().skip(surplus));
        self.write_credentials(&credential.username, &kept).await
    }

    async fn prove_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        let known = self.credentials(&credential.username).await?;
        let before = known.into_iter().find(|it| it.is_proven && it.ha1_md5 != credential.ha1_md5);
        let proven = Credential { is_proven: true, ..credential.clone() };
        let kept: Vec<_> = std::iter::once(proven).chain(before).collect();
        self.write_credentials(&credential.username, &kept).await
    }

    async fn learned_portions(&self) -> Result<Vec<(Model, usize)>, StoreError> {
        let rows = self.db.scan_prefix(Keyspace::Portion.start());
        rows.map(|row| codec::read("portion", "", &row?.1)).collect()
    }

    async fn learn_portion(&self, model: &Model, names_max: usize) -> Result<(), StoreError> {
        let mut key = Keyspace::Portion.start();
        key.extend(Sha256::digest(codec::write(model)?));
        let mut batch = Batch::default();
        batch.insert(key, codec::write(&(model, names_max))?);
        self.committer.commit(batch).await
    }

    async fn add_transcripts(&self, transcripts: Vec<StoredTranscript>) -> Result<(), StoreError> {
        let batch = self.blocking(move |store| store.transcript_rows(transcripts)).await?;
        self.committer.commit(batch).await
    }

    async fn transcripts(
        &self,
        query: TranscriptQuery,
    ) -> Result<Page<StoredTranscript>, StoreError> {
        self.blocking(move |store| store.read_transcripts(&query)).await
    }

    async fn drop_transcripts(&self, before_ms: i64, limit: usize) -> Result<(), StoreError> {
        let batch = self.blocking(move |store| store.old_transcripts(before_ms, limit)).await?;
        self.committer.commit(batch).await
    }

    async fn secret(&self) -> Result<[u8; 32], StoreError> {
        if let Some(kept) = self.db.get(SECRET_KEY)? {
            return kept.as_ref().try_into().map_err(|_| StoreError::Corrupt {
                kind: "secret",
                key: String::new(),
                reason: format!("it has {} bytes", kept.len()),
            });
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| StoreError::Write(error.to_string()))?;
        let mut batch = Batch::default();
        batch.insert(SECRET_KEY, &secret);
        self.committer.commit(batch).await?;
        Ok(secret)
    }

    async fn api_tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows = self.db.scan_prefix(Keyspace::ApiToken.start());
        rows.map(|row| codec::read("token", "", &row?.1)).collect()
    }

    async fn add_api_token(&self, token: &ApiToken) -> Result<(), StoreError> {
        let mut key = Keyspace::ApiToken.start();
        key.extend(self.db.generate_id()?.to_be_bytes());
        let mut batch = Batch::default();
        batch.insert(key, codec::write(token)?);
        self.committer.commit(batch).await
    }

    async fn remove_api_tokens(&self, name: &str) -> Result<bool, StoreError> {
        let mut batch = Batch::default();
        let mut found = false;
        for row in self.db.scan_prefix(Keyspace::ApiToken.start()) {
            let (key, value) = row?;
            let token: ApiToken = codec::read("token", "", &value)?;
            if token.name == name {
                found = true;
                batch.remove(key);
            }
        }
        self.committer.commit(batch).await?;
        Ok(found)
    }

    async fn flush(&self) -> Result<(), StoreError> {
        self.committer.commit(Batch::default()).await
    }
}

pub(crate) fn informed_changes(
    informed: BTreeMap<String, InformedParameter>,
) -> impl Iterator<Item = TreeChange> {
    informed.into_iter().map(|(name, it)| TreeChange::Value {
        name,
        value: it.value,
        value_type: it.value_type,
        at_ms: it.at_ms,
    })
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn open_error(folder: &Path, reason: &str) -> StoreError {
    let reason = if reason.contains("WouldBlock") || reason.contains("could not acquire lock") {
        "another trellis uses it; stop that one, or use another folder".to_owned()
    } else {
        reason.to_owned()
    };
    StoreError::Open { folder: folder.display().to_string(), reason }
}

fn check_format(db: &Db, folder: &Path) -> Result<(), StoreError> {
    match db.get(FORMAT_KEY)? {
        None => {
            db.insert(FORMAT_KEY, &FORMAT.to_be_bytes())?;
            db.flush()?;
            Ok(())
        }
        Some(stored) => {
            let found = <[u8; 4]>::try_from(stored.as_ref()).map(u32::from_be_bytes);
            match found {
                Ok(FORMAT) => Ok(()),
                Ok(found) if found < FORMAT => {
                    let why = "it is of a version before the first release; use an empty folder";
                    Err(open_error(folder, why))
                }
                Ok(found) => Err(StoreError::Newer {
                    folder: folder.display().to_string(),
                    found,
                    known: FORMAT,
                }),
                Err(_) => Err(open_error(folder, "it is not a data folder of trellis")),
            }
        }
    }
}
