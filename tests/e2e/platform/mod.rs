//! The plugin platform: plugins changed while the server runs, and what operators do with them.

mod actions;
mod admission;
mod api;
mod bench;
mod commands;
mod deadlines;
mod http;
mod languages;
mod misbehaviour;
mod replay;
mod settings;
mod versions;
mod workflow;

use std::path::{Path, PathBuf};

/// The plugin `scripted` as another version of itself, which perhaps fails.
fn version(version: &str, fails: bool) -> Vec<u8> {
    let file = crate::server::guests().join("scripted.wasm");
    let wasm = std::fs::read(file).expect("the guest");
    let wasm = replaced(wasm, b"7.0.1", version.as_bytes());
    if fails { replaced(wasm, b"flavour:good", b"flavour:fail") } else { wasm }
}

fn replaced(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "the file must keep its size");
    let mut found = 0;
    for at in 0..bytes.len().saturating_sub(from.len()) {
        if bytes[at..].starts_with(from) {
            bytes[at..at + to.len()].copy_from_slice(to);
            found += 1;
        }
    }
    assert!(found > 0, "the text is not in the file");
    bytes
}

/// Writes a version to a file.
fn file(folder: &Path, name: &str, wasm: &[u8]) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, wasm).expect("written");
    file
}
