//! The watched folder: a file that is put there is loaded.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::{RecursiveMode, Watcher};
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::error::CatalogError;
use crate::loading::{Loaded, Put, Source};
use crate::versions::{Took, Use, short};

/// Files that were not taken and are shown by name, and the longest that is said of one, in bytes.
const REFUSED_SHOWN_MAX: usize = 1_000;
const WHY_BYTES_MAX: usize = 1_000;

/// How long a folder must be quiet before its files are read: copying takes a while.
const QUIET: Duration = Duration::from_millis(500);

/// How often the folder is looked at though nothing was heard of it: not every file system tells.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The longest that is waited for it to be quiet.
const QUIET_WAIT: Duration = Duration::from_secs(5);

/// What is known of the files.
type Seen = HashMap<PathBuf, File>;

/// What is known of a file.
struct File {
    /// What it looked like when it was last read.
    looks: Looks,
    found: Found,
    /// The digest of the last version that was found in it; none where none was since the first look.
    digest: Option<String>,
    /// Whether it was there when the server started, and could not be dealt with since.
    is_old: bool,
}

/// What was found in a file.
enum Found {
    /// A version of a plugin, by its name and its number.
    Version(String, String),
    /// Something that was not taken.
    Refused(Refusal),
}

/// Why a file was not taken.
struct Refusal {
    why: String,
    again: Again,
    /// How often operators had changed which version serves when the file was put there, by plugin.
    chosen: BTreeMap<String, u64>,
}

/// When a file that was not taken is tried again, though it is the same.
enum Again {
    Never,
    /// It did not go with what the catalog held after so many changes; what is set for devices is not
    /// among them.
    OtherThan(u64, Instant),
    /// It could not be read.
    Soon,
    /// It could not be kept: it was compiled, which is not to be done all the time.
    After(Instant),
}

/// How long a file that did not go with the rest is left alone, where nothing changes.
const DID_NOT_GO: Duration = Duration::from_mins(1);

/// How long a file that could not be kept is left alone.
const NOT_KEPT: Duration = Duration::from_mins(10);

/// What tells a file from another: when it was written, its size, its inode, and when anything of
/// that was changed last.
type Looks = (Option<SystemTime>, u64, u64, i64);

/// Whether a file has the same content, as far as it looks so: who may read it may have changed.
fn is_same(one: &Looks, other: &Looks) -> bool {
    (one.0, one.1, one.2) == (other.0, other.1, other.2)
}

/// Watches a folder of `.wasm` files and loads what is new, until `stop`. A file that cannot be
/// used is reported in the log, once, and changes nothing. Returns once the files that are there
/// have been looked at, with the task that goes on watching.
pub async fn watch(
    catalog: Catalog,
    folder: PathBuf,
    stop: CancellationToken,
) -> std::io::Result<tokio::task::JoinHandle<()>> {
    let changed = Arc::new(Notify::new());
    // Before the first look, so that nothing falls in between.
    let watcher = watcher(&folder, Arc::clone(&changed));
    let mut seen = Seen::new();
    look(&catalog, &folder, &mut seen, true).await?;
    let mut adopted = catalog.0.changes.subscribe();
    Ok(tokio::spawn(async move {
        let _watcher = watcher;
        let mut next = async || {
            tokio::select! {
                // The catalog holds the sender.
                _ = adopted.changed() => {}
                () = changed.notified() => {
                    let until = tokio::time::Instant::now() + QUIET_WAIT;
                    while tokio::time::Instant::now() < until
                        && tokio::time::timeout(QUIET, changed.notified()).await.is_ok()
                    {}
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        };
        while stop.run_until_cancelled(next()).await.is_some() {
            if let Err(error) = look(&catalog, &folder, &mut seen, false).await {
                show(&catalog, [(folder.clone(), error.to_string())].into(), Vec::new());
                let folder = folder.display();
                tracing::error!(%folder, %error, "the plugin folder cannot be read");
            }
        }
    }))
}

fn watcher(folder: &Path, changed: Arc<Notify>) -> Option<notify::RecommendedWatcher> {
    let heard = move |event: notify::Result<notify::Event>| {
        // Reading the folder is no change of it.
        if !event.is_ok_and(|event| event.kind.is_access()) {
            changed.notify_one();
        }
    };
    let watching = notify::recommended_watcher(heard).and_then(|mut it| {
        it.watch(folder, RecursiveMode::NonRecursive)?;
        Ok(it)
    });
    let warn = |error: &notify::Error| {
        let seconds = LOOK_EVERY.as_secs();
        tracing::warn!(%error, "the plugin folder is looked at every {seconds} s only");
    };
    watching.inspect_err(warn).ok()
}

/// Reads the files that are new or have changed, the oldest first, so that the newest of several
/// versions of one plugin is the one that serves.
async fn look(
    catalog: &Catalog,
    folder: &Path,
    seen: &mut Seen,
    is_first: bool,
) -> std::io::Result<()> {
    let mut files = wasm_files(folder).await?;
    // Also of files that are gone: one that gets another name is not put there.
    let there_before: HashSet<String> = seen.values().filter_map(|it| it.digest.clone()).collect();
    seen.retain(|path, _| files.iter().any(|(file, _)| file == path));
    let changes = *catalog.0.changes.borrow();
    files.retain(|(path, looks)| match seen.get(path) {
        Some(known) => known.looks != *looks || known.found.is_due(changes),
        None => true,
    });
    files.sort_by(|one, other| (one.1.0, &one.0).cmp(&(other.1.0, &other.0)));
    for (path, looks) in files {
        let file = path.display();
        let known = seen.get(&path);
        let same = known.filter(|it| is_same(&it.looks, &looks));
        let is_old = known.map_or(is_first, |_| same.is_some_and(|it| it.is_old));
        let is_put = |digest: &str| !is_old && !there_before.contains(digest);
        // One that is the same as before was put there then.
        let chosen = match same.map(|it| &it.found) {
            Some(Found::Refused(refusal)) => refusal.chosen.clone(),
            _ => catalog.chosen().await,
        };
        let put = Put { is_new: &is_put, chosen: &chosen };
        let (found, digest) = match take(catalog, &path, looks.1, put).await {
            Ok(loaded) => {
                let Loaded { name: plugin, version, digest: sha256, took, .. } = loaded;
                match took {
                    Took::Known | Took::Unused => {
                        tracing::debug!(%file, plugin, version, "plugin known");
                    }
                    Took::Nothing => tracing::info!(%file, plugin, version, sha256, "plugin kept"),
                    Took::PutRight => {
                        tracing::info!(%file, plugin, version, sha256, "plugin put right");
                    }
                    Took::Over | Took::Share | Took::Shadow => {
                        tracing::info!(%file, plugin, version, sha256, "plugin loaded");
                    }
                }
                (Found::Version(plugin, version), Some(sha256))
            }
            Err((why, again)) => {
                let again = again.unwrap_or(Again::OtherThan(changes, Instant::now() + DID_NOT_GO));
                let before = known.map(|it| &it.found);
                if !matches!(before, Some(Found::Refused(before)) if before.why == why) {
                    tracing::error!("a plugin was not loaded: {file}: {why}");
                }
                let refusal = Refusal { why, again, chosen };
                (Found::Refused(refusal), known.and_then(|it| it.digest.clone()))
            }
        };
        let is_old = is_old && found.is_open();
        seen.insert(path, File { looks, found, digest, is_old });
    }
    let refused = seen.iter().filter_map(|(path, file)| match &file.found {
        Found::Refused(refusal) => Some((path.clone(), refusal.why.clone())),
        Found::Version(..) => None,
    });
    show(catalog, refused.collect(), unused(catalog, seen).await);
    Ok(())
}

/// The newest file of each plugin of which the version does not serve, and why. The older ones are
/// expected not to.
async fn unused(catalog: &Catalog, seen: &Seen) -> Vec<(PathBuf, String)> {
    let mut newest: BTreeMap<&str, (Option<SystemTime>, &PathBuf, &str, &str)> = BTreeMap::new();
    for (path, file) in seen {
        let (Found::Version(name, version), Some(digest)) = (&file.found, &file.digest) else {
            continue;
        };
        let file = (file.looks.0, path, version.as_str(), digest.as_str());
        let known = newest.entry(name.as_str()).or_insert(file);
        *known = file.max(*known);
    }
    let before = catalog.refused_files();
    let mut unused = Vec::new();
    for (name, (_, path, version, digest)) in newest {
        let Some(why) = catalog.unused(name, digest).await else { continue };
        let why = format!("it is {name} {version} ({}), and does not serve: {why}", short(digest));
        if before.get(path) != Some(&why) {
            tracing::warn!("a file of the plugin folder is not used: {}: {why}", path.display());
        }
        unused.push((path.clone(), why));
    }
    unused
}

impl Found {
    /// Whether it has yet to be dealt with: it could not be read, or kept, or did not go with the rest.
    fn is_open(&self) -> bool {
        matches!(self, Self::Refused(refusal) if !matches!(refusal.again, Again::Never))
    }

    /// Whether it is to be looked at again, though the file is the same, after so many changes of the
    /// catalog.
    fn is_due(&self, changes: u64) -> bool {
        match self {
            Self::Version(..) => false,
            Self::Refused(refusal) => match refusal.again {
                Again::Never => false,
                // What it did not go with may be gone.
                Again::OtherThan(known, time) => known != changes || Instant::now() >= time,
                Again::Soon => true,
                Again::After(time) => Instant::now() >= time,
            },
        }
    }
}

/// Has operators see what is not used: all of it counted, and the first of it by name.
fn show(catalog: &Catalog, refused: BTreeMap<PathBuf, String>, unused: Vec<(PathBuf, String)>) {
    let count = |files: usize| f64::from(u32::try_from(files).unwrap_or(u32::MAX));
    metrics::gauge!("trellis_plugin_files_refused").set(count(refused.len()));
    metrics::gauge!("trellis_plugin_files_unused").set(count(unused.len()));
    let mut shown = refused;
    shown.extend(unused);
    shown.values_mut().for_each(|why| why.truncate(why.floor_char_boundary(WHY_BYTES_MAX)));
    if let Some(first_hidden) = shown.keys().nth(REFUSED_SHOWN_MAX).cloned() {
        shown.split_off(&first_hidden);
    }
    catalog.0.refused.store(Arc::new(shown));
}

/// Takes a file. The error says why it was not taken, and when it is tried again, if not after the
/// next change.
async fn take(
    catalog: &Catalog,
    path: &Path,
    bytes: u64,
    put: Put<'_>,
) -> Result<Loaded, (String, Option<Again>)> {
    let limit = catalog.file_bytes_max();
    if bytes > limit {
        let why = format!("it has {bytes} bytes; the limit is {limit} ([plugins] file-bytes-max)");
        return Err((why, Some(Again::Never)));
    }
    let unread = |error: std::io::Error| (error.to_string(), Some(Again::Soon));
    let wasm = read(path, limit).await.map_err(unread)?;
    catalog.take(wasm.into(), Source::Folder(&put), Use::Serve).await.map_err(|error| {
        let again = match error {
            CatalogError::Refused(_) => Some(Again::Never),
            CatalogError::Store(_) => Some(Again::After(Instant::now() + NOT_KEPT)),
            _ => None,
        };
        (error.to_string(), again)
    })
}

/// Reads a file, and no more of it than a plugin may have.
async fn read(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let file = tokio::fs::File::open(path).await?;
    let mut bytes = Vec::new();
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// The files, and what each looks like. What is no regular file is none.
async fn wasm_files(folder: &Path) -> std::io::Result<Vec<(PathBuf, Looks)>> {
    let mut entries = tokio::fs::read_dir(folder).await?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "wasm") {
            continue;
        }
        // A file that is gone by now is none.
        let Ok(it) = tokio::fs::metadata(&path).await else { continue };
        if it.is_file() {
            files.push((path, (it.modified().ok(), it.len(), it.ino(), it.ctime_nsec())));
        }
    }
    Ok(files)
}
