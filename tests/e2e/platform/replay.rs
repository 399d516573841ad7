//! Record and replay: a new version over what the old one did.

use serde_json::{Value, json};

use super::{file, version};
use crate::server::{Server, built, device, guest, guests, shipped, until};

/// Sessions whose transcripts are kept by now.
pub(super) fn kept(server: &Server) -> usize {
    let shown = server.api_ok("GET", "/transcripts?limit=500", &Value::Null);
    shown["transcripts"].as_array().map(Vec::len).unwrap_or_default()
}

pub(super) fn replayed(server: &Server, plugin: &std::path::Path) -> Value {
    let (ok, text) =
        server.trellis(&["replay", "--plugin", plugin.to_str().expect("a path"), "--json"]);
    assert!(ok, "{text}");
    // What it says of its progress goes before.
    serde_json::from_str(&text[text.find('{').expect("JSON")..text.rfind('}').expect("JSON") + 1])
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_the_same_version_is_identical_for_every_plugin_that_ships() {
    for (folder, plugin, models) in [
        (shipped(), "standard", ["tr181", "tr098"]),
        (shipped(), "mikrotik", ["tr181-mikrotik", "tr181-mikrotik"]),
        (built("examples").join("firmware"), "firmware", ["tr181", "tr181"]),
    ] {
        // A password is what operators set most.
        let settings = "[plugins.settings.standard.parameters]\n\
                        \"Device.WiFi.AccessPoint.1.Security.KeyPassphrase\" = \"tops3cret1\"\n\
                        \"InternetGatewayDevice.ManagementServer.STUNPassword\" = \"tops3cret2\"\n\
                        [plugins.settings.mikrotik.parameters]\n\
                        \"Device.ManagementServer.STUNPassword\" = \"tops3cret3\"\n\
                        [plugins.settings.firmware]\nversion = \"9.9.9\"\n\
                        url = \"http://files.example/fw-9.9.9.bin?key=tops3cret4\"\n\
                        [plugins.settings.mikrotik.firmware]\nversion = \"9.9.9\"\n\
                        url = \"http://files.example/fw-9.9.9.xml?token=tops3cret5\"\n";
        let server = Server::with_config(&folder, settings);
        for (number, model) in (1..).zip(models) {
            let mut cpe = device(model, number);
            for _ in 0..3 {
                cpe.session(&server.url()).await.expect("a session");
            }
        }
        until("the transcripts are kept", || kept(&server) == 6);
        let stored = server.api_ok("GET", "/transcripts?limit=500", &Value::Null).to_string();
        assert!(!stored.contains("tops3cret"), "{plugin}");
        let found = replayed(&server, &folder.join(format!("{plugin}.wasm")));
        assert_eq!(found["sessions"], 6, "{found}");
        assert_eq!(found["same"], found["runs"], "{plugin}: {found}");
        assert_eq!((&found["unanswered"], &found["differences"]), (&json!(0), &json!({})));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_new_version_decides_otherwise_old_and_new_are_shown_side_by_side() {
    let server = Server::start(&guests());
    for number in 1..=3 {
        guest("version", number).session(&server.url()).await.expect("a session");
        guest("remember", number + 10).session(&server.url()).await.expect("a session");
    }
    until("the transcripts are kept", || kept(&server) == 6);
    let folder = tempfile::tempdir().expect("a folder");
    let newer = file(folder.path(), "newer.wasm", &version("7.0.2", false));
    let found = replayed(&server, &newer);
    assert_eq!(found["differences"], json!({ "fact": 3 }), "{found}");
    let shown = &found["shown"][0];
    assert_eq!(shown["old"], "guest.version = \"7.0.1\"");
    assert_eq!(shown["new"], "guest.version = \"7.0.2\"");
    let broken = file(folder.path(), "broken.wasm", &version("7.0.3", true));
    let found = replayed(&server, &broken);
    assert_eq!(found["differences"]["outcome"], 6, "{found}");
    let path = broken.to_str().expect("a path");
    let (_, text) = server.trellis(&["replay", "--plugin", path, "--since", "1h", "--show", "20"]);
    for wanted in ["old ok", "new failed (panic)", "6 sessions", "are shown (--show)"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let (ok, text) = server.trellis(&["replay", "--plugin", path, "--device", "none"]);
    assert!(!ok && text.contains("there is no such device"), "{text}");
    // A script is told by how it ends.
    assert!(!server.trellis(&["replay", "--plugin", path, "--strict"]).0);
    let same = guests().join("scripted.wasm");
    let same = ["replay", "--plugin", same.to_str().expect("a path"), "--strict"];
    assert!(server.trellis(&same).0);
    let none = server.trellis(&[&same[..], &["--since", "0s"]].concat());
    assert!(!none.0 && none.1.contains("nothing was recorded"), "{}", none.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn hash_tables_are_seeded_otherwise_in_each_run_and_the_same_in_its_replay() {
    let server = Server::start(&guests());
    let mut hashes = std::collections::BTreeSet::new();
    for number in 1..=3 {
        let mut cpe = guest("hashes", number);
        cpe.session(&server.url()).await.expect("a session");
        hashes.insert(server.facts(&crate::server::key(&cpe), 0)["guest.hash"].clone());
    }
    assert_eq!(hashes.len(), 3, "{hashes:?}");
    until("the transcripts are kept", || kept(&server) == 3);
    let found = replayed(&server, &guests().join("scripted.wasm"));
    assert_eq!((&found["runs"], &found["same"]), (&json!(3), &json!(3)), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_that_a_new_version_changes_is_a_difference_where_nobody_set_another() {
    let server = Server::start(&guests());
    let (unset, set) = (guest("settings", 1), guest("settings", 2));
    for mut cpe in [unset, set.clone()] {
        cpe.session(&server.url()).await.expect("a session");
    }
    let path = format!("/devices/{}/settings/scripted", crate::server::key(&set));
    server.api_ok("PUT", &path, &json!({ "greeting": "of the device" }));
    set.clone().session(&server.url()).await.expect("a session");
    until("the transcripts are kept", || kept(&server) == 3);
    let folder = tempfile::tempdir().expect("a folder");
    let newer = super::replaced(version("7.0.2", false), b"hello:unset", b"hello:newer");
    let newer = file(folder.path(), "newer.wasm", &newer);
    let found = replayed(&server, &newer);
    assert_eq!(found["differences"], json!({ "fact": 2 }), "{found}");
    assert_eq!(found["shown"][0]["new"], "settings.greeting = \"hello:newer\"", "{found}");
    // A shadow sees it too.
    let path = newer.to_str().expect("a path");
    assert!(server.trellis(&["plugin", "load", path, "--shadow"]).0);
    guest("settings", 3).session(&server.url()).await.expect("a session");
    let shadow = || server.api_ok("GET", "/plugins/scripted", &Value::Null)["shadow"].clone();
    until("the shadow has run", || shadow()["runs"] == 1);
    assert_eq!(shadow()["differences"], json!({ "fact": 1 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_recording_does_not_hold_is_said_and_counted() {
    let server = Server::start(&guests());
    guest("remember", 1).session(&server.url()).await.expect("a session");
    until("the transcript is kept", || kept(&server) == 1);
    // A version that asks for another parameter.
    let (asked, other) =
        (b"Device.DeviceInfo.SoftwareVersion", b"Device.DeviceInfo.HardwareVersiom");
    let newer = super::replaced(version("7.0.2", false), asked, other);
    let folder = tempfile::tempdir().expect("a folder");
    let found = replayed(&server, &file(folder.path(), "newer.wasm", &newer));
    assert_eq!(found["unanswered"], 1, "{found}");
    let shown = found["shown"].as_array().expect("differences");
    let asked = shown.iter().find(|it| it["kind"] == "unanswered").expect("it is shown");
    assert!(asked["new"].to_string().contains("HardwareVersiom"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn transcripts_hold_no_secrets_whether_set_read_or_remembered() {
    let server = Server::start(&guests());
    let secret = "tops3cret-passphrase";
    let name = "Device.WiFi.AccessPoint.1.Security.KeyPassphrase";
    let steps = json!([
        { "do": "set", "values": [[name, secret, "string"]] },
        { "do": "get", "names": [name] },
    ]);
    server.api_ok(
        "PUT",
        "/plugins/scripted/settings",
        &json!({ "script": steps, "wifi": { "psk": secret } }),
    );
    guest("script", 1).session(&server.url()).await.expect("a session");
    until("the transcript is kept", || kept(&server) == 1);
    let stored = server.api_ok("GET", "/transcripts", &Value::Null).to_string();
    assert!(stored.contains(name), "{stored}");
    assert!(!stored.contains(secret), "{stored}");
    assert!(stored.contains("masked-"), "{stored}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shadow_runs_over_live_sessions_and_touches_nothing_until_it_is_promoted() {
    let mut server = Server::start(&guests());
    let folder = tempfile::tempdir().expect("a folder");
    let newer = file(folder.path(), "newer.wasm", &version("7.0.2", false));
    let path = newer.to_str().expect("a path");
    let (ok, text) = server.trellis(&["plugin", "load", path, "--shadow"]);
    assert!(ok && text.contains("serves nobody"), "{text}");
    for number in 1..=3 {
        let mut cpe = guest("version", number);
        cpe.session(&server.url()).await.expect("a session");
        assert_eq!(server.facts(&crate::server::key(&cpe), 0)["guest.version"], "7.0.1");
        guest("remember", number + 10).session(&server.url()).await.expect("a session");
    }
    let shadow =
        |server: &Server| server.api_ok("GET", "/plugins/scripted", &Value::Null)["shadow"].clone();
    until("the shadow has run", || shadow(&server)["runs"] == 6);
    server.stop();
    server.restart();
    let kept = shadow(&server);
    assert_eq!((&kept["runs"], &kept["same"]), (&json!(6), &json!(3)), "{kept}");
    assert_eq!(kept["differences"], json!({ "fact": 3 }));
    assert_eq!(kept["last"][0]["new"], "guest.version = \"7.0.2\"");
    let (_, text) = server.trellis(&["plugin", "show", "scripted"]);
    assert!(text.contains("shadow 7.0.2: 6 runs, 3 the same"), "{text}");
    assert!(server.trellis(&["plugin", "promote", "scripted"]).0);
    let mut cpe = guest("version", 9);
    cpe.session(&server.url()).await.expect("a session");
    assert_eq!(server.facts(&crate::server::key(&cpe), 0)["guest.version"], "7.0.2");
}
