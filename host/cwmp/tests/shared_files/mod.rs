//! Finds the messages that live beside the checkout.

#![allow(clippy::expect_used, reason = "tests")]

use std::path::PathBuf;

/// A folder of `../shared`; `None`, said loudly, where it is not there.
pub(crate) fn folder(name: &str) -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared").join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: ../shared/{name} is not beside this checkout");
    None
}

/// Its files of one extension, by name.
#[allow(dead_code, reason = "not every test lists files")]
pub(crate) fn files(folder: &std::path::Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be read")
        .map(|entry| entry.expect("the entry can be read").path())
        .filter(|path| path.extension().is_some_and(|it| it == extension))
        .collect();
    files.sort();
    files
}

/// Whether the validator can run; said loudly where it cannot.
#[allow(dead_code, reason = "not every test validates")]
pub(crate) fn has_lxml() -> bool {
    let import = std::process::Command::new("python3").args(["-c", "import lxml"]).output();
    let has_lxml = import.is_ok_and(|output| output.status.success());
    if !has_lxml {
        eprintln!("SKIPPED: python3 with lxml is not installed (pip install lxml)");
    }
    has_lxml
}
