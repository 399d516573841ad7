//! One plugin in four languages, and the page that takes a newcomer to it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::server::{Server, built};

const LANGUAGES: [&str; 4] = ["rust", "javascript", "python", "c"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What is missing to build one of the examples. Where CI runs, nothing may be.
fn missing(language: &str) -> Option<&'static str> {
    let works = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let missing = match language {
        "javascript" if !works("npm") => Some("npm"),
        "python" | "c" if !works("python3") => Some("python3"),
        "python" | "c" if !works("make") => Some("make"),
        _ => None,
    };
    if let Some(program) = missing {
        assert!(std::env::var_os("CI").is_none(), "{program} is missing");
        eprintln!("SKIPPED: the example in {language}, since {program} is not installed");
    }
    missing
}

#[test]
fn the_same_plugin_does_the_same_in_every_language() {
    let examples = root().join("plugins/examples");
    let expected = std::fs::read_to_string(examples.join("rust/expected.txt")).expect("the file");
    for language in LANGUAGES {
        if missing(language).is_some() {
            continue;
        }
        let folder = examples.join(language);
        let file = folder.join("build/wifi.wasm");
        assert!(file.is_file(), "{} is missing: run `cargo xtask plugins --all`", file.display());
        let its_own = std::fs::read_to_string(folder.join("expected.txt")).expect("the file");
        assert_eq!(its_own, expected, "{language}");
        let output = Command::new(env!("CARGO_BIN_EXE_trellis"))
            .current_dir(&folder)
            .args(["plugin", "test", "build/wifi.wasm", "--device", "device.json"])
            .args(["--action", "set-ssid={\"ssid\":\"Guests\"}", "--expect", "expected.txt"])
            .output()
            .expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{language}: {text}");
    }
}

/// The commands of a page, in order: each a block of shell.
fn commands(page: &str) -> Vec<&str> {
    page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_newcomers_page_works() {
    if LANGUAGES.into_iter().any(|language| missing(language).is_some()) {
        return;
    }
    let page = std::fs::read_to_string(root().join("docs/plugins.md")).expect("the page");
    let commands = commands(&page);
    assert!(commands.len() > 12, "{}", commands.len());
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    // A device that is told nothing else calls where the server listens by default.
    let target = Path::new(env!("CARGO_BIN_EXE_trellis")).parent().expect("a folder");
    let programs = tempfile::tempdir().expect("a folder");
    let cpe =
        format!("#!/bin/sh\nexec {} --acs {} \"$@\"\n", target.join("cpe").display(), server.url());
    std::fs::write(programs.path().join("cpe"), cpe).expect("written");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(programs.path().join("cpe"), executable).expect("executable");
    let path = std::env::var("PATH").expect("a path");
    let path = format!("{}:{}:{path}", programs.path().display(), target.display());
    for block in commands {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", block])
            .current_dir(root())
            .env("PATH", &path)
            .env("TRELLIS_API", format!("http://{}", server.operator()))
            .env("TRELLIS_TOKEN", server.token())
            .env_remove("CARGO_TARGET_DIR")
            .output()
            .expect("bash runs");
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text);
        assert!(output.status.success(), "{block}\n{text}\n{}", server.log_text());
    }
    assert!(built("examples").is_dir());
}
