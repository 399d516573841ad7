//! Compiled plugins on disk.
//!
//! Compiling takes tens of milliseconds for a plugin in Rust and ten seconds for one in
//! Python, so the result is kept. Compiled code is trusted code: a file is only loaded when
//! its seal shows that this installation wrote it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

const SEAL_BYTES: usize = 32;
/// One block of SHA-256, the natural length of a key for HMAC.
const KEY_BYTES: usize = 64;

/// A folder of compiled plugins and the key that seals them.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
}

impl Cache {
    /// Opens `cache/` and `cache.key` in the data folder, or makes them.
    pub(crate) fn open(data: &Path) -> io::Result<Self> {
        let folder = data.join("cache");
        std::fs::create_dir_all(&folder)?;
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))?;
        Ok(Self { folder, key: key(&data.join("cache.key"))? })
    }

    /// The component of a file's bytes: from the cache, unless it is to be compiled anew, or compiled
    /// and kept. Blocks.
    pub(crate) fn component(
        &self,
        engine: &Engine,
        wasm: &[u8],
        is_anew: bool,
    ) -> wasmtime::Result<Component> {
        let path = self.folder.join(file_name(engine, wasm));
        if !is_anew && let Some(component) = self.load(engine, &path) {
            return Ok(component);
        }
        let compiled = engine.precompile_component(wasm)?;
        if let Err(error) = self.store(&path, &compiled) {
            tracing::warn!(path = %path.display(), %error, "cannot keep a compiled plugin");
        }
        deserialize(engine, &compiled)
    }

    /// Removes what belongs to none of these files, by their digests, or was compiled by another
    /// version of this program, and was not used for so long. Blocks.
    pub(crate) fn sweep(
        &self,
        engine: &Engine,
        keep: &HashSet<String>,
        unused: Duration,
    ) -> io::Result<()> {
        let keep: HashSet<String> = keep.iter().map(|digest| name_of(engine, digest)).collect();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            let is_kept = entry.file_name().to_str().is_some_and(|name| keep.contains(name));
            let used = entry.metadata()?.modified()?;
            if !is_kept && used.elapsed().is_ok_and(|it| it >= unused) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn load(&self, engine: &Engine, path: &Path) -> Option<Component> {
        let bytes = std::fs::read(path).ok()?;
        let (compiled, seal) = bytes.split_at_checked(bytes.len().checked_sub(SEAL_BYTES)?)?;
        if self.seal(path, compiled).verify_slice(seal).is_err() {
            tracing::warn!(path = %path.display(), "a compiled plugin has a wrong seal; it is compiled anew");
            return None;
        }
        let component = deserialize(engine, compiled).ok()?;
        // It is used: see `sweep`. Where that cannot be noted it is compiled again some time.
        let _ = std::fs::File::open(path).and_then(|it| it.set_modified(SystemTime::now()));
        Some(component)
    }

    fn store(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
        let mut file = private(&temporary)?;
        file.write_all(compiled)?;
        file.write_all(&self.seal(path, compiled).finalize().into_bytes())?;
        file.sync_all()?;
        std::fs::rename(temporary, path)
    }

    /// The seal covers the name too, so that one file cannot stand in for another.
    fn seal(&self, path: &Path, compiled: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(path.file_name().unwrap_or_default().as_encoded_bytes());
        mac.update(&[0]);
        mac.update(compiled);
        mac
    }
}

#[allow(unsafe_code, reason = "wasmtime offers no safe way to load compiled code")]
fn deserialize(engine: &Engine, compiled: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `precompile_component` of this process, or from a file
    // whose seal was made with a key that only this installation can read. wasmtime itself
    // refuses bytes of another version or configuration.
    unsafe { Component::deserialize(engine, compiled) }
}

fn file_name(engine: &Engine, wasm: &[u8]) -> String {
    name_of(engine, &hex(&Sha256::digest(wasm)))
}

/// The compiled form of a file with this digest.
fn name_of(engine: &Engine, digest: &str) -> String {
    let mut compatibility = DefaultHasher::new();
    engine.precompile_compatibility_hash().hash(&mut compatibility);
    format!("{digest}-{:016x}.cwasm", compatibility.finish())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn key(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match std::fs::read(path) {
        Ok(bytes) => {
            if let Ok(key) = bytes.try_into() {
                return Ok(key);
            }
            // A key of another length was cut off in the making: nothing is sealed with it.
            std::fs::remove_file(path)?;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = private(&temporary)?;
    file.write_all(&key)?;
    file.sync_all()?;
    match std::fs::hard_link(&temporary, path) {
        // Another process, such as a second `trellis plugin test`, was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            std::fs::remove_file(&temporary)?;
            let bytes = std::fs::read(path)?;
            bytes.try_into().map_err(|_| io::Error::other("the key was changed meanwhile"))
        }
        Ok(()) => std::fs::remove_file(&temporary).map(|()| key),
        // Not every file system has links.
        Err(_) => std::fs::rename(&temporary, path).map(|()| key),
    }
}

fn private(path: &Path) -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}
