//! The watched folder: a file that is put there is loaded.

use std::collections::{BTreeMap, HashMap};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use notify::{RecursiveMode, Watcher};
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::catalog::{Catalog, Loaded};
use crate::error::CatalogError;
use crate::versions::Took;

/// Files that were not taken and are shown by name, and the longest that is said of one, in bytes.
const REFUSED_SHOWN_MAX: usize = 1_000;
const WHY_BYTES_MAX: usize = 1_000;

/// How long a folder must be quiet before its files are read: copying takes a while.
const QUIET: Duration = Duration::from_millis(500);

/// How often the folder is looked at though nothing was heard of it: not every file system tells.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The longest that is waited for it to be quiet.
const QUIET_WAIT: Duration = Duration::from_secs(5);

/// What a file looked like when it was last read, and what was said of it then.
type Seen = HashMap<PathBuf, (Looks, Option<Refusal>)>;

/// Why a file was not taken.
struct Refusal {
    why: String,
    again: Again,
}

/// When a file that was not taken is tried again, though it is the same.
enum Again {
    Never,
    /// It did not go with what the catalog held after so many changes.
    OtherThan(u64),
    /// It could not be read.
    Soon,
    /// It could not be kept: it was compiled, which is not to be done all the time.
    After(Instant),
}

/// How long a file that could not be kept is left alone.
const NOT_KEPT: Duration = Duration::from_mins(10);

/// What tells a file from another: when it was written, its size, its inode, and when anything of
/// that was changed last.
type Looks = (Option<SystemTime>, u64, u64, i64);

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
    look(&catalog, &folder, &mut seen).await?;
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
            if let Err(error) = look(&catalog, &folder, &mut seen).await {
                show_refused(&catalog, [(folder.clone(), error.to_string())].into());
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
async fn look(catalog: &Catalog, folder: &Path, seen: &mut Seen) -> std::io::Result<()> {
    let mut files = wasm_files(folder).await?;
    seen.retain(|path, _| files.iter().any(|(file, _)| file == path));
    let changes = *catalog.0.changes.borrow();
    files.retain(|(path, looks)| match seen.get(path) {
        Some((known, refusal)) => {
            let again = refusal.as_ref().map_or(&Again::Never, |it| &it.again);
            known != looks
                || match again {
                    Again::Never => false,
                    // What it did not go with may be gone.
                    Again::OtherThan(known) => *known != changes,
                    Again::Soon => true,
                    Again::After(time) => Instant::now() >= *time,
                }
        }
        None => true,
    });
    files.sort_by(|one, other| (one.1.0, &one.0).cmp(&(other.1.0, &other.0)));
    for (path, looks) in files {
        let file = path.display();
        let refused = match take(catalog, &path, looks.1, changes).await {
            Ok(loaded) => {
                let (plugin, version, sha256) = (loaded.name, loaded.version, loaded.digest);
                match loaded.took {
                    Took::Known => tracing::debug!(%file, plugin, version, "plugin known"),
                    Took::Nothing => tracing::warn!(
                        %file, plugin, version, sha256,
                        "plugin kept, and not used: the plugin is pinned to another version"
                    ),
                    Took::Unused => tracing::warn!(
                        %file, plugin, version, sha256,
                        "plugin not used: it was removed by an operator, or another version serves; \
                         `trellis plugin load` and `pin` have it serve"
                    ),
                    Took::Over | Took::Share | Took::Shadow => {
                        tracing::info!(%file, plugin, version, sha256, "plugin loaded");
                    }
                }
                None
            }
            Err(refusal) => {
                let why = &refusal.why;
                let before = seen.get(&path).and_then(|(_, refusal)| refusal.as_ref());
                if before.is_none_or(|before| before.why != *why) {
                    tracing::error!("a plugin was not loaded: {file}: {why}");
                }
                Some(refusal)
            }
        };
        seen.insert(path, (looks, refused));
    }
    let refused = seen.iter().filter_map(|(path, (_, refusal))| {
        let mut why = refusal.as_ref()?.why.clone();
        why.truncate(why.floor_char_boundary(WHY_BYTES_MAX));
        Some((path.clone(), why))
    });
    show_refused(catalog, refused.collect());
    Ok(())
}

/// Has operators see what was not taken: all of it counted, and the first of it by name.
fn show_refused(catalog: &Catalog, mut refused: BTreeMap<PathBuf, String>) {
    let count = u32::try_from(refused.len()).unwrap_or(u32::MAX);
    metrics::gauge!("trellis_plugin_files_refused").set(f64::from(count));
    if let Some(first_hidden) = refused.keys().nth(REFUSED_SHOWN_MAX).cloned() {
        refused.split_off(&first_hidden);
    }
    catalog.0.refused.store(Arc::new(refused));
}

/// Takes a file, after so many changes of the catalog.
async fn take(catalog: &Catalog, path: &Path, bytes: u64, changes: u64) -> Result<Loaded, Refusal> {
    let limit = catalog.file_bytes_max();
    if bytes > limit {
        let why = format!("it has {bytes} bytes; the limit is {limit}");
        return Err(Refusal { why, again: Again::Never });
    }
    let unread = |error: std::io::Error| Refusal { why: error.to_string(), again: Again::Soon };
    let wasm = read(path, limit).await.map_err(unread)?;
    catalog.load_from_folder(wasm.into()).await.map_err(|error| {
        let again = match error {
            CatalogError::Refused(_) => Again::Never,
            CatalogError::Store(_) => Again::After(Instant::now() + NOT_KEPT),
            _ => Again::OtherThan(changes),
        };
        Refusal { why: error.to_string(), again }
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
