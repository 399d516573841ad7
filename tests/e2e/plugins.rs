//! What plugins do, and what the host does about what they should not.

use trellis_cpe::Cpe;
use trellis_store::{DeviceKey, Store};

use crate::raw::{connect, envelope, id, inform, post, values};
use crate::server::{Server, at_the_gate, guest, guests, key, until};

/// Only the plugin speaks.
const NO_LOGINS: &str = "[connection-request]\ngive-logins = false\n";

#[tokio::test(flavor = "multi_thread")]
async fn every_request_of_the_standard_reaches_the_device_and_its_answer_the_plugin() {
    let server = Server::with_config(&guests(), NO_LOGINS);
    let mut cpe = guest("all", 1);
    let report = cpe.session(&server.url()).await.expect("a session");
    assert_eq!(report.requests.len(), 20, "{:?}", report.methods());
    let mut methods = report.methods();
    methods.sort_unstable();
    methods.dedup();
    assert_eq!(methods.len(), 20, "{methods:?}");
    let facts = server.facts(&key(&cpe), 0);
    for method in &methods {
        let fact = &facts[&format!("rpc.{method}")];
        assert!(!fact.is_empty(), "{method}");
    }
    assert_eq!(facts["rpc.GetParameterAttributes"], "1");
    assert!(!server.log_text().contains("not-to-be-seen"), "a password is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn ensure_writes_once_finds_its_row_again_and_names_what_is_missing() {
    let server = Server::start(&guests());
    let mut cpe = guest("ensure", 1);
    cpe.session(&server.url()).await.expect("a session");
    let facts = server.facts(&key(&cpe), 0);
    assert_eq!(facts["first.written"], "Device.Time.NTPServer1");
    assert_eq!(facts["second.written"], "");
    assert_eq!(facts["first.missing"], "Device.No.Such");
    assert_eq!(facts["first.row"], facts["second.row"]);
    assert_ne!(facts["walk.names"], "0");
    assert_eq!(cpe.get("Device.Time.NTPServer1").as_deref(), Some("ensured.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_the_standards_limits_is_refused_with_the_argument_and_the_limit() {
    let server = Server::with_config(&guests(), NO_LOGINS);
    let mut cpe = guest("refused", 1);
    let report = cpe.session(&server.url()).await.expect("a session");
    assert!(report.requests.is_empty(), "{:?}", report.methods());
    let facts = server.facts(&key(&cpe), 0);
    for (name, wanted) in [
        ("long-command-key", "CommandKey has 33 characters; the limit is 32"),
        ("zero-delay", "DelaySeconds"),
        ("user-in-url", "URL holds a user name"),
        ("control-character", "U+0002"),
        ("twice", "twice"),
        ("no-dot", "must end with a dot"),
    ] {
        let said = &facts[&format!("refused.{name}")];
        assert!(said.contains(wanted), "{name}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_too_large_for_the_plugin_is_a_9004_to_it_and_the_run_goes_on() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("whole-tree", "S1")).await;
    let asked = id(&post(&mut cpe, "").await);
    let rows: String = (0..100_000)
        .map(|row| {
            format!(
                "<ParameterValueStruct><Name>Device.X.{row}.Y</Name><Value \
                 xsi:type=\"xsd:string\">v</Value></ParameterValueStruct>"
            )
        })
        .collect();
    let answer = envelope(
        &asked,
        &format!(
            "<cwmp:GetParameterValuesResponse><ParameterList \
             enc:arrayType=\"cwmp:ParameterValueStruct[100000]\">{rows}</ParameterList>\
             </cwmp:GetParameterValuesResponse>"
        ),
    );
    let asked = id(&post(&mut cpe, &answer).await);
    assert_eq!(post(&mut cpe, &values(&asked)).await.status, 204);
    let key = DeviceKey::from_text("00D09E-whole%2Dtree-S1");
    assert_eq!(server.facts(&key, 0)["guest.whole-tree-fault"], "9004");
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_operator_go_over_the_manifests() {
    for (config, wanted) in
        [("", "hello:unset"), ("[plugins.settings.scripted]\ngreeting = \"hello\"\n", "hello")]
    {
        let server = Server::with_config(&guests(), config);
        let mut cpe = guest("settings", 1);
        cpe.session(&server.url()).await.expect("a session");
        assert_eq!(server.facts(&key(&cpe), 0)["settings.greeting"], wanted);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_lasts_from_session_to_session() {
    let server = Server::start(&guests());
    let mut cpe = guest("remember", 1);
    for session in 0..3 {
        cpe.session(&server.url()).await.expect("a session");
        let facts = server.facts(&key(&cpe), session);
        assert_eq!(facts["guest.sessions"], (session + 1).to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_fails_ends_its_own_run_with_a_fault_that_says_how() {
    let config = "[plugins.limits]\nrpcs = 20\nfuel = 200000000\n";
    let server = Server::with_config(&guests(), config);
    let expected = [
        ("error", "error", "this guest fails on purpose"),
        ("panic", "panic", "this guest panics on purpose"),
        ("loop", "fuel", "the CPU limit of 200000000 fuel"),
        ("recurse", "trap", "recursion"),
        ("allocate", "memory", "the memory limit of 16777216 bytes"),
        ("flood", "rpcs", "the limit of 20 requests"),
        ("chatter", "calls", "the limit of 20000 calls"),
    ];
    let mut devices: Vec<Cpe> = Vec::new();
    for (number, (behaviour, _, _)) in (1..).zip(expected) {
        let mut cpe = guest(behaviour, number);
        // To the device the session ends well: its own part is done.
        cpe.session(&server.url()).await.expect("a session that ends with 204");
        devices.push(cpe);
    }
    let mut well = guest("remember", 99);
    well.session(&server.url()).await.expect("others do not notice");
    let (store, _folder) = server.into_store();
    for (cpe, (behaviour, kind, message)) in devices.iter().zip(expected) {
        let faults = store.faults(&key(cpe)).await.expect("readable");
        // Who writes to the log without end reaches two limits.
        let wanted = if behaviour == "chatter" { &["calls", "log"][..] } else { &[kind][..] };
        assert_eq!(faults.iter().map(|it| it.kind.as_str()).collect::<Vec<_>>(), wanted);
        assert_eq!(faults[0].kind, kind, "{:?}", faults[0]);
        assert!(faults[0].message.contains(message), "{:?}", faults[0]);
    }
    let panicked = store.faults(&key(&devices[1])).await.expect("readable");
    let backtrace = panicked[0].backtrace.join("\n");
    assert!(backtrace.contains("provision"), "{backtrace}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_noted_before_a_request_is_kept_though_it_traps_after() {
    let server = Server::start(&guests());
    let mut cpe = guest("trap-after-notes", 1);
    cpe.session(&server.url()).await.expect("a session");
    let key = key(&cpe);
    let (store, _folder) = server.into_store();
    let memory = store.notes(&key, "scripted").await.expect("readable");
    assert_eq!(memory.memory.keys().collect::<Vec<_>>(), ["before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_plugin_is_reported_and_the_others_are_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let guest_file = guests().join("scripted.wasm");
    std::fs::copy(&guest_file, folder.path().join("a.wasm")).expect("copied");
    std::fs::copy(&guest_file, folder.path().join("b.wasm")).expect("copied");
    std::fs::write(folder.path().join("c.wasm"), "no plugin").expect("written");
    // A core module, not a component.
    std::fs::write(folder.path().join("d.wasm"), b"\0asm\x01\0\0\0").expect("written");
    let server = Server::start(folder.path());
    let log = server.log_text();
    for wanted in ["c.wasm: it is not a WebAssembly", "d.wasm: it is a core module"] {
        assert!(log.contains(wanted), "{wanted}: {log}");
    }
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    assert!(post(&mut cpe, "").await.text().contains("GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compiled_plugin_is_kept_and_one_that_was_tampered_with_is_not_used() {
    let mut server = Server::cold(&guests());
    server.stop();
    let cache = server.data().join("cache");
    let files: Vec<_> =
        std::fs::read_dir(&cache).expect("a folder").map(|it| it.expect("a file").path()).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    let mut bytes = std::fs::read(&files[0]).expect("readable");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[0], &bytes).expect("written");
    server.restart();
    assert!(server.log_text().contains("wrong seal"), "{}", server.log_text());
    let mut cpe = guest("remember", 1);
    cpe.session(&server.url()).await.expect("a session");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_keeps_under_a_secrets_name_shows_neither_in_the_log_nor_in_faults() {
    let server = Server::start(&guests());
    let mut cpe = at_the_gate("secretive", 1);
    for _ in 0..3 {
        cpe.session(&server.url()).await.expect("a session");
    }
    let device = key(&cpe).to_string();
    let faults = || {
        let path = format!("/devices/{device}/faults");
        server.api_ok("GET", &path, &serde_json::Value::Null).to_string()
    };
    until("the fault is there", || faults().contains("cannot set "));
    until("the log is there", || server.log_text().contains("of several lines: "));
    let (faults, log) = (faults(), server.log_text());
    assert!(log.contains("it has ") && log.contains("it had "), "{log}");
    let shown = server.api_ok("GET", &format!("/devices/{device}"), &serde_json::Value::Null);
    assert_eq!(shown["facts"]["some.api-token"]["value"], "(secret)");
    let note = shown["facts"]["some.note"]["value"].to_string();
    assert!(note.contains("the password is masked-"), "{note}");
    for told in [&faults, &log, &shown.to_string()] {
        assert!(!told.contains("tops3cret"), "{told}");
    }
    // Also where it keeps what it has kept already, which is masked in the recording.
    let gate = guests().join("gate.wasm");
    let gate = ["replay", "--plugin", gate.to_str().expect("a path"), "--strict"];
    until("a replay is the same", || {
        let (ok, text) = server.trellis(&gate);
        assert!(ok || text.contains("nothing was recorded"), "{text}");
        text.contains("3 sessions")
    });
}
