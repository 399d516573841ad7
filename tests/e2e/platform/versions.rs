//! Versions of plugins: loaded, tried, taken back, and never in the way of a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::{file, version};
use crate::raw::{connect, inform, post, values};
use crate::server::{Server, guest, guests, key, shipped, until};

/// The version that serves a new session of a device.
async fn served_by(server: &Server, number: u32) -> String {
    let mut cpe = guest("version", number);
    cpe.session(&server.url()).await.expect("a session");
    let shown = server.api_ok("GET", &format!("/devices/{}", key(&cpe)), &Value::Null);
    shown["facts"]["guest.version"]["value"].as_str().expect("a fact").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_loaded_and_rolled_back_with_one_command_each_and_survives_a_restart() {
    let mut server = Server::start(&guests());
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    let folder = tempfile::tempdir().expect("a folder");
    let newer = file(folder.path(), "newer.wasm", &version("7.0.2", false));
    let (ok, text) = server.trellis(&["plugin", "load", newer.to_str().expect("a path")]);
    assert!(ok && text.contains("scripted 7.0.2"), "{text}");
    assert_eq!(served_by(&server, 2).await, "7.0.2");
    server.kill();
    server.restart();
    assert_eq!(served_by(&server, 3).await, "7.0.2", "the file in the folder is the older one");
    let (ok, text) = server.trellis(&["plugin", "rollback", "scripted"]);
    assert!(ok, "{text}");
    assert_eq!(served_by(&server, 4).await, "7.0.1");
    let (ok, text) = server.trellis(&["plugin", "rollback", "scripted"]);
    assert!(!ok && text.contains("no version of scripted has served before"), "{text}");
    let (_, text) = server.trellis(&["plugin", "list"]);
    assert!(text.contains("scripted") && text.contains("gate"), "{text}");
    let (_, text) = server.trellis(&["plugin", "show", "scripted"]);
    for wanted in ["7.0.1", "7.0.2", "folder", "first", "trellis:acs/parameters", "memory-bytes"] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_in_progress_ends_on_the_version_that_it_began_with() {
    let server = Server::start(&guests());
    let mut open = connect(&server.url());
    post(&mut open, &inform("four", "S1")).await;
    let first = post(&mut open, "").await;
    assert!(first.text().contains("GetParameterValues"), "{}", first.text());
    // The newer version fails at once.
    assert_eq!(server.api("POST", "/plugins", &version("7.0.2", true)).0, 201);
    let mut answer = first;
    while answer.status == 200 {
        let asked = crate::raw::id(&answer);
        answer = post(&mut open, &values(&asked)).await;
    }
    assert_eq!(answer.status, 204);
    let device = trellis_store::DeviceKey::from_text("00D09E-four-S1");
    assert_eq!(server.session(&device, 0)["outcome"], "ok");
    let mut next = guest("four", 2);
    next.session(&server.url()).await.expect("a session");
    let outcome = server.session(&key(&next), 0)["outcome"].to_string();
    assert!(outcome.contains("this version fails on purpose"), "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_version_stays_and_one_that_serves_nobody_can_be_removed() {
    let server = Server::start(&guests());
    let (ok, text) = server.trellis(&["plugin", "pin", "scripted", "7.0.1"]);
    assert!(ok && text.contains("pinned"), "{text}");
    let (ok, text) = server.trellis(&["plugin", "pin", "scripted", "7.1.1"]);
    assert!(!ok && text.contains("it has 7.0.1 ("), "{text}");
    let (_, loaded) = server.api("POST", "/plugins", &version("7.0.2", false));
    assert_eq!(loaded["outcome"], "kept");
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    let (ok, text) = server.trellis(&["plugin", "pin", "scripted", "7.0.2"]);
    assert!(ok, "{text}");
    assert_eq!(served_by(&server, 2).await, "7.0.2");
    let (ok, text) = server.trellis(&["plugin", "remove", "scripted", "7.0.2"]);
    assert!(!ok && text.contains("serves devices"), "{text}");
    let (ok, text) = server.trellis(&["plugin", "remove", "scripted", "7.0.1"]);
    assert!(ok, "{text}");
    let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
    assert_eq!(shown["versions"].as_array().map(Vec::len), Some(1));
    assert!(server.trellis(&["plugin", "unpin", "scripted"]).0);
    assert_eq!(server.api("POST", "/plugins", &version("7.0.3", false)).1["outcome"], "serves");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_disabled_or_removed_serves_nobody_until_it_comes_again() {
    let mut server = Server::start(&guests());
    for (command, serves) in [("disable", false), ("enable", true), ("remove", false)] {
        let (ok, text) = server.trellis(&["plugin", command, "scripted"]);
        assert!(ok, "{text}");
        let mut cpe = guest("version", 1);
        let report = cpe.session(&server.url()).await.expect("a session");
        let shown = server.api_ok("GET", &format!("/devices/{}", key(&cpe)), &Value::Null);
        assert_eq!(shown["plugin"].is_object(), serves, "{command}: {shown} {report:?}");
    }
    // Its file is still in the folder, and does not bring it back.
    server.stop();
    server.restart();
    assert_eq!(server.api("GET", "/plugins/scripted", b"").0, 404);
    assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
    assert_eq!(served_by(&server, 2).await, "7.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_put_into_the_folder_takes_over_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    assert_eq!(server.api_ok("GET", "/plugins", &Value::Null), Value::Array(Vec::new()));
    file(folder.path(), "one.wasm", &version("7.0.1", false));
    let shows = |wanted: &str| {
        let (status, shown) = server.api("GET", "/plugins/scripted", b"");
        status == 200 && shown["version"] == wanted
    };
    until("the first version serves", || shows("7.0.1"));
    file(folder.path(), "two.wasm", b"\0asm, and nothing more");
    until("the bad file is reported", || server.log_text().contains("two.wasm: it is not"));
    let listed = || server.trellis(&["plugin", "list"]).1;
    until("the bad file is listed", || listed().contains("two.wasm: it is not a WebAssembly"));
    file(folder.path(), "one.wasm", &version("7.0.2", false));
    until("the second version serves", || shows("7.0.2"));
    assert_eq!(served_by(&server, 1).await, "7.0.2");
    std::fs::remove_file(folder.path().join("one.wasm")).expect("removed");
    assert_eq!(served_by(&server, 2).await, "7.0.2", "a file that is gone takes nothing away");
    std::fs::remove_file(folder.path().join("two.wasm")).expect("removed");
    until("nothing bad is there", || !listed().contains("not used"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_file_that_is_put_back_serves_and_one_that_does_not_serve_is_listed() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(folder.path());
    let shows = |server: &Server, wanted: &str| {
        let (status, shown) = server.api("GET", "/plugins/scripted", b"");
        status == 200 && shown["version"] == wanted
    };
    for number in ["7.0.1", "7.0.2", "7.0.1"] {
        file(folder.path(), "one.wasm", &version(number, false));
        until("what is put there serves", || shows(&server, number));
    }
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    // What an operator wants goes before the folder, also where a file gets another name or is
    // written once more.
    assert!(server.trellis(&["plugin", "pin", "scripted", "7.0.2"]).0);
    assert!(server.trellis(&["plugin", "unpin", "scripted"]).0);
    let listed = |server: &Server| server.trellis(&["plugin", "list"]).1;
    let wanted = "one.wasm: it is scripted 7.0.1 (";
    until("the file that is not used is listed", || listed(&server).contains(wanted));
    std::fs::rename(folder.path().join("one.wasm"), folder.path().join("two.wasm")).expect("moved");
    let renamed = "two.wasm: it is scripted 7.0.1 (";
    until("its new name is listed", || listed(&server).contains(renamed));
    server.stop();
    server.restart();
    assert!(listed(&server).contains("another version serves"), "{}", listed(&server));
    assert_eq!(served_by(&server, 2).await, "7.0.2");
    assert!(server.trellis(&["plugin", "rollback", "scripted"]).0);
    until("it serves, and is not listed", || !listed(&server).contains("not used"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_goes_with_the_rest_only_later_does_not_undo_what_an_operator_has_done_since() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    for number in ["7.0.1", "7.0.2"] {
        assert_eq!(server.api("POST", "/plugins", &version(number, false)).0, 201);
    }
    let tag = "/tags/gold/settings/scripted";
    server.api_ok("PUT", tag, &serde_json::json!({ "greeting": "good morning" }));
    let narrower = super::replaced(version("7.0.3", false), b"^hello|^.*$", b"^hello|^bye");
    file(folder.path(), "narrower.wasm", &narrower);
    let listed = || server.trellis(&["plugin", "list"]).1;
    until("it is refused", || listed().contains("tag gold: the settings do not fit"));
    assert!(server.trellis(&["plugin", "rollback", "scripted"]).0);
    server.api_ok("PUT", tag, &serde_json::json!({}));
    until("it is kept", || listed().contains("it is scripted 7.0.3 ("));
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    assert!(server.trellis(&["plugin", "pin", "scripted", "7.0.3"]).0);
    assert_eq!(served_by(&server, 2).await, "7.0.3");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_files_that_go_with_the_rest_only_later_the_newest_serves() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
    let tag = "/tags/gold/settings/scripted";
    let listed = || server.trellis(&["plugin", "list"]).1;
    let narrower =
        |number: &str| super::replaced(version(number, false), b"^hello|^.*$", b"^hello|^bye");
    server.api_ok("PUT", tag, &serde_json::json!({ "greeting": "good morning" }));
    for number in ["7.0.2", "7.0.3"] {
        file(folder.path(), &format!("{number}.wasm"), &narrower(number));
        until("it is refused", || listed().contains(&format!("{number}.wasm: tag gold")));
    }
    server.api_ok("PUT", tag, &serde_json::json!({}));
    until("the newest serves", || {
        server.api_ok("GET", "/plugins/scripted", &Value::Null)["version"] == "7.0.3"
    });
    until("nothing is left over", || !listed().contains("not used"));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_plugins_that_tie_at_a_start_the_earlier_one_serves_and_others_are_not_in_the_way() {
    let nothing = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(nothing.path());
    let gate = std::fs::read(guests().join("gate.wasm")).expect("the guest");
    let twin = super::replaced(version("7.0.2", false), b"scripted", b"scriptex");
    assert_eq!(server.api("POST", "/plugins", &gate).0, 201);
    assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
    damage(&mut server, "7.0.1");
    assert_eq!(server.api("POST", "/plugins", &twin).0, 201);
    // As after a restore of the data folder.
    let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
    let digest = shown["versions"][0]["digest"].as_str().expect("a digest").to_owned();
    server.stop();
    let kept = server.data().join("plugins").join(format!("{digest}.wasm"));
    std::fs::write(kept, version("7.0.1", false)).expect("written");
    server.restart();
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    let (_, text) = server.trellis(&["plugin", "show", "scriptex"]);
    assert!(text.contains("broken") && text.contains("equally closely"), "{text}");
    let mut refused = crate::server::at_the_gate("refuse", 1);
    assert!(refused.session(&server.url()).await.is_err(), "the gate is not open");
    assert!(server.trellis(&["plugin", "disable", "scripted"]).0);
    let (ok, text) = server.trellis(&["plugin", "enable", "scriptex"]);
    assert!(ok && !text.contains("broken"), "{text}");
    assert_eq!(served_by(&server, 2).await, "7.0.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_whose_file_is_damaged_is_shown_as_broken_and_put_right_by_the_same_file() {
    let folder = tempfile::tempdir().expect("a folder");
    for puts_right in ["load", "folder"] {
        let mut server = Server::start(folder.path());
        assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
        server.stop();
        let kept = std::fs::read_dir(server.data().join("plugins")).expect("a folder");
        let kept = kept.map(|it| it.expect("a file").path()).next().expect("one file");
        let mut bytes = std::fs::read(&kept).expect("readable");
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&kept, bytes).expect("written");
        server.restart();
        let (_, text) = server.trellis(&["plugin", "show", "scripted"]);
        assert!(text.contains("broken") && text.contains("its file is damaged"), "{text}");
        let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
        assert_eq!(shown["versions"][0]["serves"], false, "{shown}");
        let (ok, text) = server.trellis(&["plugin", "pin", "scripted", "7.0.1"]);
        assert!(!ok && text.contains("its file is damaged"), "{text}");
        assert!(server.trellis(&["plugin", "disable", "scripted"]).0);
        let (ok, text) = server.trellis(&["plugin", "enable", "scripted"]);
        assert!(!ok && text.contains("its file is damaged"), "{text}");
        server.stop();
        server.restart();
        let same = file(folder.path(), "same.txt", &version("7.0.1", false));
        if puts_right == "load" {
            let (ok, text) = server.trellis(&["plugin", "load", same.to_str().expect("a path")]);
            assert!(ok && text.contains("the plugin is disabled"), "{text}");
        } else {
            std::fs::rename(same, folder.path().join("same.wasm")).expect("moved");
        }
        until("it can be enabled", || server.trellis(&["plugin", "enable", "scripted"]).0);
        assert_eq!(served_by(&server, 1).await, "7.0.1");
        let (_, text) = server.trellis(&["plugin", "list"]);
        assert!(!text.contains("broken"), "{text}");
    }
}

/// Damages the kept file of a version of scripted, and starts the server again.
fn damage(server: &mut Server, version: &str) {
    let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
    let versions = shown["versions"].as_array().expect("versions");
    let damaged = versions.iter().find(|it| it["version"] == version).expect("it is kept");
    let digest = damaged["digest"].as_str().expect("a digest");
    server.stop();
    let kept = server.data().join("plugins").join(format!("{digest}.wasm"));
    std::fs::write(kept, b"\0asm, and nothing more").expect("written");
    server.restart();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_version_is_put_right_as_what_it_was_and_going_back_leaves_it_behind() {
    let nothing = tempfile::tempdir().expect("a folder");
    let mut server = Server::start(nothing.path());
    assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
    assert_eq!(server.api("POST", "/plugins", &version("7.0.2", false)).0, 201);
    let list = |server: &Server| server.trellis(&["plugin", "list"]).1;
    // One that would only serve after a rollback is in nobody's way.
    damage(&mut server, "7.0.1");
    assert!(!list(&server).contains("broken"), "{}", list(&server));
    assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
    assert_eq!(server.api("POST", "/plugins?trial=0.01", &version("7.0.2", false)).0, 201);
    damage(&mut server, "7.0.2");
    assert!(list(&server).contains("broken"), "{}", list(&server));
    let newer = file(nothing.path(), "newer.txt", &version("7.0.2", false));
    let (ok, text) = server.trellis(&["plugin", "load", newer.to_str().expect("a path")]);
    assert!(ok && text.contains("goes on as what it was"), "{text}");
    let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
    assert_eq!((&shown["version"], &shown["trial"]["version"]), (&"7.0.1".into(), &"7.0.2".into()));
    assert!(server.trellis(&["plugin", "promote", "scripted"]).0);
    damage(&mut server, "7.0.2");
    assert!(list(&server).contains("broken"), "{}", list(&server));
    assert!(server.trellis(&["plugin", "rollback", "scripted"]).0);
    assert!(!list(&server).contains("broken"), "{}", list(&server));
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    // There is no way back to one that cannot be run, though it was there already as a shadow.
    assert_eq!(server.api("POST", "/plugins", &version("7.0.3", false)).0, 201);
    assert_eq!(server.api("POST", "/plugins?shadow=true", &version("7.0.1", false)).0, 201);
    damage(&mut server, "7.0.1");
    let (ok, text) = server.trellis(&["plugin", "rollback", "scripted"]);
    assert!(!ok && text.contains("cannot be loaded"), "{text}");
    assert_eq!(served_by(&server, 2).await, "7.0.3");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_is_refused_with_its_size_and_the_setting() {
    let server = Server::with_config(&guests(), "[plugins]\nfile-bytes-max = 1000000\n");
    let folder = tempfile::tempdir().expect("a folder");
    let large = file(folder.path(), "large.wasm", &vec![0; 1_000_005]);
    let (ok, text) = server.trellis(&["plugin", "load", large.to_str().expect("a path")]);
    let wanted = "it has 1000005 bytes; the limit is 1000000 ([plugins] file-bytes-max)";
    assert!(!ok && text.contains(wanted), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_versions_with_one_number_neither_is_taken_in_silence() {
    let server = Server::start(&guests());
    let digest = |body: &Value| body["digest"].as_str().expect("a digest")[..12].to_owned();
    let first = digest(&server.api_ok("GET", "/plugins/scripted", &Value::Null));
    let (status, answer) = server.api("POST", "/plugins", &version("7.0.1", true));
    assert_eq!(status, 201, "{answer}");
    let (ok, text) = server.trellis(&["plugin", "pin", "scripted", "7.0.1"]);
    assert!(!ok && text.contains(&first) && text.contains(&digest(&answer)), "{text}");
    let (ok, text) = server.trellis(&["plugin", "pin", "scripted", &first]);
    assert!(ok && text.contains(&first), "{text}");
    assert_eq!(served_by(&server, 1).await, "7.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_does_not_go_with_another_plugin_is_loaded_once_that_one_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path());
    assert_eq!(server.api("POST", "/plugins", &version("7.0.1", false)).0, 201);
    let twin = super::replaced(version("7.0.1", false), b"scripted", b"scriptex");
    file(folder.path(), "twin.wasm", &twin);
    until("the tie is reported", || server.log_text().contains("equally closely"));
    assert_eq!(server.api("GET", "/plugins/scriptex", b"").0, 404);
    assert_eq!(server.api("DELETE", "/plugins/scripted", b"").0, 204);
    until("the other one serves", || server.api("GET", "/plugins/scriptex", b"").0 == 200);
    assert_eq!(served_by(&server, 1).await, "7.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_refused_with_what_is_to_be_changed_and_changes_nothing() {
    let server = Server::start(&guests());
    let good = version("7.0.2", false);
    let standard = std::fs::read(shipped().join("standard.wasm")).expect("a plugin");
    let contract = super::replaced(good.clone(), b"@0.1.0", b"@9.1.0");
    let twin = super::replaced(good.clone(), b"scripted", b"scriptex");
    let bad_version = super::replaced(good.clone(), b"7.0.2", b"7.x.2");
    let empty_component: &[u8] = b"\0asm\x0d\0\x01\0";
    for (wasm, wanted) in [
        (&b"no plugin"[..], "it is not a WebAssembly component"),
        (&good[..good.len() / 2], "it is not a WebAssembly component"),
        (b"\0asm\x01\0\0\0", "it is a core module"),
        (empty_component, "it does not export describe and provision"),
        (&contract[..], "version 9.1.0 of the contract"),
        (&twin[..], "fit the same devices equally closely"),
        (&bad_version[..], "is not a semantic version"),
    ] {
        let (status, answer) = server.api("POST", "/plugins", wasm);
        assert_eq!(status, 422, "{wanted}: {answer}");
        let detail = answer["detail"].as_str().expect("a detail");
        assert!(detail.contains(wanted), "{wanted}: {detail}");
    }
    let shown = server.api_ok("GET", "/plugins", &Value::Null);
    assert_eq!(shown.as_array().map(Vec::len), Some(2), "{shown}");
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    assert_eq!(server.api("POST", "/plugins", &standard).0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_on_trial_serves_its_share_always_the_same_and_is_taken_back_when_it_fails() {
    let server = Server::with_config(&guests(), "[plugins.trial]\nruns-min = 5\n");
    let (status, loaded) = server.api("POST", "/plugins?trial=50", &version("7.0.2", false));
    assert_eq!((status, loaded["outcome"].as_str()), (201, Some("trial")), "{loaded}");
    let mut tried = Vec::new();
    for number in 0..24 {
        let first = served_by(&server, number).await;
        assert_eq!(served_by(&server, number).await, first, "a device does not change sides");
        tried.extend((first == "7.0.2").then_some(number));
    }
    assert!((4..=20).contains(&tried.len()), "{} of 24 on trial", tried.len());
    assert!(server.trellis(&["plugin", "promote", "scripted"]).0);
    assert_eq!(served_by(&server, 100).await, "7.0.2");

    assert_eq!(server.api("POST", "/plugins?trial=50", &version("7.0.3", true)).0, 201);
    for number in 0..24 {
        guest("version", number).session(&server.url()).await.expect("a session");
    }
    until("the trial has ended", || {
        server.api_ok("GET", "/plugins/scripted", &Value::Null)["trial"].is_null()
    });
    let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
    let ended = shown["last_trial"].as_str().expect("how it ended");
    assert!(ended.contains("was taken back") && ended.contains("panic"), "{ended}");
    assert_eq!(shown["version"], "7.0.2");
    for number in 0..24 {
        assert_eq!(served_by(&server, number).await, "7.0.2");
    }
}

/// Sessions of ever new devices until the changes are over, and how many there were. Each third device
/// has an action queued, which is to be done.
async fn visits(server: Arc<Server>, over: Arc<AtomicBool>, worker: u32) -> u32 {
    let mut sessions = 0;
    while !over.load(Ordering::SeqCst) {
        let behaviour = match worker % 3 {
            0 => "four",
            1 => "version",
            _ => "remember",
        };
        let mut cpe = guest(behaviour, worker * 10_000 + sessions);
        let device = format!("/devices/{}", key(&cpe));
        cpe.session(&server.url()).await.expect("a session");
        sessions += 1;
        if behaviour == "remember" {
            let path = format!("{device}/actions/echo?call=false");
            let queued = server.api_ok("POST", &path, &serde_json::json!({ "text": "x" }));
            cpe.session(&server.url()).await.expect("a session");
            sessions += 1;
            let path = format!("{device}/actions/{}", queued["id"]);
            let ended = server.api_ok("GET", &path, &Value::Null);
            assert_eq!(ended["state"], "done", "{ended}");
        }
        let recorded = server.api_ok("GET", &format!("{device}/sessions"), &Value::Null);
        for session in recorded.as_array().expect("sessions") {
            assert_eq!(session["outcome"], "ok", "{session}");
        }
        let faults = server.api_ok("GET", &format!("{device}/faults"), &Value::Null);
        assert_eq!(faults, Value::from([0; 0]));
    }
    sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn loading_rolling_back_and_trying_versions_under_load_costs_no_session() {
    let folder = tempfile::tempdir().expect("a folder");
    file(folder.path(), "scripted.wasm", &version("7.0.1", false));
    let server = Arc::new(Server::start(folder.path()));
    let over = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = (0..9)
        .map(|worker| tokio::spawn(visits(Arc::clone(&server), Arc::clone(&over), worker)))
        .collect();
    let changes = Arc::clone(&server);
    let runs = move |server: &Server, version: Option<&str>| -> u64 {
        let shown = server.api_ok("GET", "/plugins/scripted", &Value::Null);
        let versions = shown["versions"].as_array().expect("versions").iter();
        let wanted = versions.filter(|it| version.is_none_or(|version| it["version"] == version));
        wanted.map(|it| it["runs"].as_u64().expect("a number")).sum()
    };
    let changing = tokio::task::spawn_blocking(move || {
        let served = |version| {
            until(&format!("{version} serves"), || runs(&changes, Some(version)) > 0);
        };
        served("7.0.1");
        for number in 2..5 {
            let wasm = version(&format!("7.0.{number}"), false);
            assert_eq!(changes.api("POST", "/plugins", &wasm).0, 201);
            assert_eq!(changes.api("POST", "/plugins/scripted/rollback", b"").0, 200);
        }
        let tried = version("7.0.5", false);
        assert_eq!(changes.api("POST", "/plugins?trial=50", &tried).0, 201);
        served("7.0.5");
        assert_eq!(changes.api("POST", "/plugins/scripted/promote", b"").0, 200);
        file(folder.path(), "scripted.wasm", &version("7.0.6", false));
        until("the file has taken over", || {
            changes.api_ok("GET", "/plugins/scripted", &Value::Null)["version"] == "7.0.6"
        });
        served("7.0.6");
        until("there was some load", || runs(&changes, None) > 150);
    });
    let changed = changing.await;
    over.store(true, Ordering::SeqCst);
    let mut sessions = 0;
    for worker in running {
        sessions += worker.await.expect("every session ends well");
    }
    changed.expect("every change is made");
    assert!(sessions > 50, "{sessions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_dropped_for_newer_ones_does_not_come_back_from_the_folder() {
    let mut server = Server::with_config(&guests(), "[plugins]\nversions-max = 2\n");
    for number in 2..=4 {
        let wasm = version(&format!("7.0.{number}"), false);
        assert_eq!(server.api("POST", "/plugins", &wasm).0, 201);
    }
    server.kill();
    server.restart();
    assert_eq!(served_by(&server, 1).await, "7.0.4");
    let files = std::fs::read_dir(server.data().join("plugins")).expect("a folder").count();
    assert_eq!(files, 3, "two versions of scripted, one of gate");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_in_the_folder_holds_up_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    std::fs::create_dir(at("folder.wasm")).expect("made");
    std::os::unix::fs::symlink("/dev/zero", at("endless.wasm")).expect("linked");
    std::os::unix::fs::symlink("/no/such/file", at("dangling.wasm")).expect("linked");
    let fifo = std::process::Command::new("mkfifo").arg(at("fifo.wasm")).status();
    assert!(fifo.expect("mkfifo runs").success());
    file(folder.path(), "good.wasm", &version("7.0.1", false));
    let server = Server::start(folder.path());
    assert_eq!(served_by(&server, 1).await, "7.0.1");
    file(folder.path(), "good.wasm", &version("7.0.2", false));
    until("the newer version serves", || {
        server.api_ok("GET", "/plugins/scripted", &Value::Null)["version"] == "7.0.2"
    });
}
