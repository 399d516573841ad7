//! Plugins that do in one hook or another what no plugin should: it ends, is told by name, and harms
//! nobody else.

use serde_json::{Value, json};

use super::{file, replaced};
use crate::server::{Server, at_the_gate, built, guest, guests, identified, key, until};

/// The plugin whose hooks misbehave.
fn bare() -> std::path::PathBuf {
    built("guests-bare")
}

fn faults(server: &Server, device: &str) -> Value {
    server.api_ok("GET", &format!("/devices/{device}/faults"), &Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_describe_traps_loops_or_answers_nonsense_is_refused_and_changes_nothing() {
    let server = Server::start(&guests());
    let before = server.api_ok("GET", "/plugins", &Value::Null);
    let wasm = std::fs::read(bare().join("bare.wasm")).expect("the guest");
    let folder = tempfile::tempdir().expect("a folder");
    for (how, wanted) in [
        (b"describe:trap", "its describe() failed: "),
        (b"describe:loop", "its describe() failed: the CPU limit of 2000000000 fuel is reached"),
        (b"describe:half", "its manifest is not usable: EOF while parsing"),
        (b"describe:list", "its manifest is not usable: "),
    ] {
        let bad = replaced(wasm.clone(), b"describe:well", how);
        let (status, answer) = server.api("POST", "/plugins", &bad);
        assert_eq!(status, 422, "{answer}");
        let detail = answer["detail"].as_str().expect("a detail");
        assert!(detail.contains(wanted), "{wanted}: {detail}");
        let bad = file(folder.path(), "bad.wasm", &bad);
        let (ok, text) = server.trellis(&["plugin", "check", bad.to_str().expect("a path")]);
        assert!(!ok && text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(server.api_ok("GET", "/plugins", &Value::Null), before);
    assert_eq!(server.api("POST", "/plugins", &wasm).0, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_misbehaves_fails_with_the_limit_that_it_reached_and_the_next_one_runs() {
    let config = "[plugins.for.bare]\nlimits = { rpcs = 20, fuel = 200000000 }\n";
    let server = Server::with_config(&bare(), config);
    let mut cpe = identified("Bare", "well", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    for (action, wanted) in [
        ("loop", "the CPU limit of 200000000 fuel is reached"),
        ("flood", "the limit of 20 requests in one run is reached"),
        ("no-json", "the result is not JSON"),
    ] {
        let path = format!("/devices/{device}/actions/{action}?call=false");
        let queued = server.api_ok("POST", &path, &json!({}));
        cpe.session(&server.url()).await.expect("a session that ends with 204");
        let path = format!("/devices/{device}/actions/{}", queued["id"]);
        let ended = server.api_ok("GET", &path, &Value::Null);
        assert_eq!(ended["state"], "failed", "{ended}");
        assert!(ended["error"].to_string().contains(wanted), "{wanted}: {ended}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admit_that_misbehaves_quarantines_the_device_and_says_why() {
    let config =
        "[plugins.for.bare]\nlimits = { wall-seconds = 1, host-calls = 500, fuel = 100000000 }\n";
    let server = Server::with_config(&bare(), config);
    for (number, (behaviour, kind, wanted)) in [
        ("admit-loop", "fuel", "the CPU limit of 100000000 fuel is reached"),
        ("admit-flood", "calls", "the limit of 500 calls of the host in one run is reached"),
        ("admit-allocate", "memory", "the memory limit of 16777216 bytes is reached"),
        ("admit-sleep", "wall-time", "the wall-time limit of 1 s is reached"),
        ("admit-panic", "panic", "this guest panics on purpose"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut cpe = identified("Bare", behaviour, u32::try_from(number).expect("few"));
        let report = cpe.session(&server.url()).await.expect("a session");
        assert!(report.requests.is_empty(), "{behaviour}: {:?}", report.methods());
        let device = key(&cpe).to_string();
        let shown = server.api_ok("GET", &format!("/devices/{device}"), &Value::Null);
        assert_eq!(shown["quarantined"], true, "{behaviour}");
        let faults = faults(&server, &device);
        assert_eq!(faults[0]["kind"], kind, "{behaviour}: {faults}");
        assert!(faults[0]["message"].to_string().contains(wanted), "{behaviour}: {faults}");
    }
    let mut well = identified("Bare", "well", 99);
    well.session(&server.url()).await.expect("a session");
    assert_eq!(server.facts(&key(&well), 0)["bare.served"], "true");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_that_misbehaves_is_a_fault_of_the_device_that_names_the_limit() {
    let config =
        "[plugins.for.bare]\nlimits = { wall-seconds = 1, host-calls = 500, fuel = 100000000 }\n";
    let server = Server::with_config(&bare(), config);
    let expected = [
        ("expired-loop", "fuel"),
        ("expired-flood", "calls"),
        ("expired-allocate", "memory"),
        ("expired-sleep", "wall-time"),
        ("expired-panic", "panic"),
    ];
    let mut devices = Vec::new();
    for (number, (behaviour, _)) in (1..).zip(expected) {
        let mut cpe = identified("Bare", behaviour, number);
        cpe.session(&server.url()).await.expect("a session");
        devices.push(key(&cpe).to_string());
    }
    for (device, (behaviour, kind)) in devices.iter().zip(expected) {
        until("the deadline has passed", || faults(&server, device)[0].is_object());
        assert_eq!(faults(&server, device)[0]["kind"], kind, "{behaviour}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_sleeps_is_ended_at_the_wall_time_limit_and_its_session_ends_well() {
    let config = "[plugins.for.scripted]\nlimits = { wall-seconds = 1 }\n";
    let server = Server::with_config(&guests(), config);
    let mut cpe = guest("sleep", 1);
    cpe.session(&server.url()).await.expect("a session that ends with 204");
    let faults = faults(&server, key(&cpe).as_str());
    assert_eq!(faults[0]["kind"], "wall-time", "{faults}");
    let message = faults[0]["message"].to_string();
    assert!(message.contains("the wall-time limit of 1 s is reached"), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_does_not_end_a_run_is_told_to_the_plugin_with_its_value() {
    let limits = "memory-store-bytes = 100, deadlines = 2, facts = 6, fact-bytes = 200, \
                  list-items = 5, log-lines = 3";
    let config = format!("[plugins.for.scripted]\nlimits = {{ {limits} }}\n");
    let server = Server::with_config(&guests(), &config);
    let mut cpe = guest("limits", 1);
    cpe.session(&server.url()).await.expect("a session");
    let facts = server.facts(&key(&cpe), 0);
    for (name, wanted) in [
        ("limit.memory", "the memory would hold 108 bytes; the limit is 100"),
        ("limit.deadlines", "one device can have 2 deadlines of a plugin"),
        ("limit.fact-bytes", "long has 201 bytes; the limit is 200"),
        ("limit.list-items", "there are 6 names; the limit is 5"),
        ("number-0", "one run can publish 6 facts"),
    ] {
        let said = facts.get(name).map_or("nothing", String::as_str);
        assert!(said.contains(wanted), "{name}: {said}");
    }
    let told = faults(&server, key(&cpe).as_str());
    let told: Vec<_> = told.as_array().expect("faults").iter().map(|it| &it["kind"]).collect();
    assert!(told.contains(&&json!("memory-store")) && told.contains(&&json!("log")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_call_hands_over_beyond_the_limit_is_told_with_its_value() {
    let config = "[plugins.for.scripted]\nlimits = { host-call-bytes = 4000 }\n";
    let server = Server::with_config(&guests(), config);
    let mut cpe = guest("script", 1);
    let names = json!({ "script": [{ "do": "get", "names": ["x".repeat(5_000)] }] });
    server.api_ok("PUT", "/plugins/scripted/settings", &names);
    cpe.session(&server.url()).await.expect("a session");
    let faults = faults(&server, key(&cpe).as_str()).to_string();
    assert!(faults.contains("the limit of 4000 bytes that one call hands over"), "{faults}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_fault_that_ended_the_run_and_not_with_the_last_one() {
    let server = Server::start(&guests());
    let mut cpe = guest("loud-error", 1);
    cpe.session(&server.url()).await.expect("a session");
    let path = format!("/devices/{}/sessions", key(&cpe));
    let outcome = || server.api_ok("GET", &path, &Value::Null)[0]["outcome"].clone();
    until("the session is kept", || !outcome().is_null());
    assert_eq!(outcome(), "plugin fault: error: this guest fails on purpose, and loudly");
    assert_eq!(faults(&server, key(&cpe).as_str()).as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_that_sleep_when_they_are_woken_keep_no_other_plugin_from_being_woken() {
    let folder = tempfile::tempdir().expect("a folder");
    for file in [bare().join("bare.wasm"), guests().join("gate.wasm")] {
        std::fs::copy(&file, folder.path().join(file.file_name().expect("a name")))
            .expect("copied");
    }
    let config = "[plugins.for.bare]\nlimits = { wall-seconds = 25 }\n";
    let server = Server::with_config(folder.path(), config);
    let mut sleepers = Vec::new();
    // More than one plugin may have at once.
    for number in 1..=12 {
        let mut cpe = identified("Bare", "expired-sleep", number);
        cpe.session(&server.url()).await.expect("a session");
        sleepers.push(key(&cpe).to_string());
    }
    let mut other = at_the_gate("wait", 1);
    other.session(&server.url()).await.expect("a session");
    let other = format!("/devices/{}", key(&other));
    until("the other plugin is woken", || {
        server.api_ok("GET", &other, &Value::Null)["facts"]["gate.expired"]["value"] == "reboot"
    });
    let is_awake = |device: &String| faults(&server, device)[0].is_object();
    assert!(!sleepers.iter().any(is_awake), "it was woken beside them, and not after them");
}
