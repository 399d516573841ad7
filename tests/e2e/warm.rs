//! What the servers of other tests have compiled: that takes most of the time of a short test.
//!
//! They all have the same key, which seals compiled plugins, and the files themselves are links.

use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a file is there for others.
const KEPT: Duration = Duration::from_hours(24);

fn shared() -> PathBuf {
    let target = Path::new(env!("CARGO_BIN_EXE_trellis")).ancestors().nth(2).expect("target");
    target.join("e2e-compiled")
}

/// Gives a new data folder what is there.
pub(crate) fn bring(data: &Path) {
    let shared = shared();
    fs::create_dir_all(shared.join("cache")).expect("a folder");
    fs::create_dir_all(data.join("cache")).expect("a folder");
    fs::write(data.join("cache.key"), key(&shared.join("cache.key"))).expect("written");
    for file in compiled(&shared) {
        let is_old = fs::metadata(&file)
            .and_then(|it| it.modified())
            .is_ok_and(|it| it.elapsed().is_ok_and(|it| it > KEPT));
        if is_old {
            fs::remove_file(&file).ok();
        } else {
            link(&file, &data.join("cache"));
        }
    }
}

/// Leaves what is new in a data folder for others.
pub(crate) fn leave(data: &Path) {
    let shared = shared();
    let is_ours = fs::read(data.join("cache.key")).ok() == fs::read(shared.join("cache.key")).ok();
    if is_ours {
        compiled(data).iter().for_each(|file| link(file, &shared.join("cache")));
    }
}

fn compiled(data: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(data.join("cache")).into_iter().flatten().flatten();
    let files = files.map(|it| it.path());
    files.filter(|it| it.extension().is_some_and(|it| it == "cwasm")).collect()
}

/// Another test may do the same at the same time.
fn link(file: &Path, folder: &Path) {
    fs::hard_link(file, folder.join(file.file_name().expect("a name"))).ok();
}

fn key(path: &Path) -> Vec<u8> {
    if !path.exists() {
        let mut key = [0; 64];
        File::open("/dev/urandom").expect("random").read_exact(&mut key).expect("random");
        let mine = path.with_extension(std::process::id().to_string());
        fs::write(&mine, key).expect("written");
        if let Err(error) = fs::hard_link(&mine, path) {
            assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}");
        }
        fs::remove_file(&mine).expect("removed");
    }
    fs::read(path).expect("readable")
}
