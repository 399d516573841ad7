//! The files of plugins: too large for records, and needed only when one is loaded.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A folder of files that are named by their digests.
#[derive(Clone, Debug)]
pub(crate) struct Files(PathBuf);

impl Files {
    /// Opens the folder, or makes it. Blocks, as all of this does.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        Ok(Self(folder.to_owned()))
    }

    pub(crate) fn read(&self, digest: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(digest))
    }

    /// Writes a file, and returns when it is on disk.
    pub(crate) fn write(&self, digest: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(digest);
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        // The new name is on disk with the folder.
        File::open(&self.0)?.sync_all()
    }

    pub(crate) fn remove(&self, digest: &str) -> io::Result<()> {
        match fs::remove_file(self.path(digest)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes the files that nobody knows, such as one whose record a crash has prevented.
    pub(crate) fn sweep(&self, keep: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|it| it.to_str()).unwrap_or_default();
            let is_known = path.extension().is_some_and(|it| it == "wasm") && keep.contains(stem);
            // Nothing else is touched: somebody may have put it there.
            if !is_known && is_digest(stem.split('.').next().unwrap_or_default()) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.0.join(format!("{digest}.wasm"))
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_crash_left_is_swept_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = Files::open(folder.path()).expect("it opens");
        let (known, orphan) = ("a".repeat(64), "b".repeat(64));
        for digest in [&known, &orphan] {
            files.write(digest, b"wasm").expect("written");
        }
        let half = folder.path().join(format!("{known}.77.tmp"));
        let foreign = folder.path().join("my-plugin.wasm");
        for path in [&half, &foreign] {
            fs::write(path, b"wasm").expect("written");
        }
        files.sweep(&HashSet::from([known.clone()])).expect("swept");
        assert!(files.read(&known).is_ok() && foreign.exists());
        assert!(files.read(&orphan).is_err() && !half.exists());
    }
}
