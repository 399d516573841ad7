//! What operators ask on the command line, beside plugins.

use serde_json::{Value, json};

use crate::server::{Server, guest, guests, key, until};

#[tokio::test(flavor = "multi_thread")]
async fn what_holds_for_a_tag_is_set_and_shown_on_the_command_line() {
    let server = Server::start(&guests());
    let mut cpe = guest("settings", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let folder = tempfile::tempdir().expect("a folder");
    let settings = super::file(folder.path(), "a.json", br#"{"greeting":"of the tag"}"#);
    let settings = format!("@{}", settings.display());
    let (ok, shown) = server.trellis(&["tag", "settings", "lab", "scripted", &settings]);
    assert!(ok && shown.contains("of the tag"), "{shown}");
    assert!(server.trellis(&["tag", "pin", "lab", "gate"]).0);
    let (_, list) = server.trellis(&["tag", "list"]);
    let line = list.lines().find(|line| line.starts_with("lab")).expect("the tag");
    assert!(line.contains("gate") && line.contains("scripted"), "{list}");
    assert!(server.trellis(&["device", "tag", &device, "lab"]).0);
    cpe.session(&server.url()).await.expect("a session");
    let shown = server.api_ok("GET", &format!("/devices/{device}"), &Value::Null);
    assert_eq!(shown["plugin"]["name"], "gate", "{shown}");
    assert!(server.trellis(&["tag", "pin", "lab"]).0);
    let (ok, shown) = server.trellis(&["device", "settings", &device, "scripted"]);
    assert!(ok && shown.contains("tag lab"), "{shown}");
    let (_, shown) = server.trellis(&["tag", "settings", "lab", "scripted", "{}"]);
    assert_eq!(shown.trim(), "{}");
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_all_devices_are_listed_and_those_of_one_plugin_and_one_time() {
    let server = Server::start(&guests());
    for number in 0..5 {
        let flavour = if number % 2 == 0 { "panic" } else { "none" };
        // A device whose plugin fails does not mind.
        guest(flavour, number).session(&server.url()).await.expect("a session");
    }
    let (ok, list) = server.trellis(&["faults"]);
    assert!(ok && list.lines().count() == 4, "{list}");
    assert!(list.contains("00D09E-panic-") && list.contains("this guest panics"), "{list}");
    for (arguments, wanted) in [
        (&["--plugin", "scripted"][..], 3),
        (&["--plugin", "gate"], 0),
        (&["--since", "3d"], 3),
        (&["--since", "2099-01-01T00:00:00Z"], 0),
        (&["--limit", "2"], 2),
    ] {
        let (ok, json) = server.trellis(&[&["faults", "--json"], arguments].concat());
        let faults: Value = serde_json::from_str(json.trim()).expect("JSON");
        assert!(ok && faults.as_array().map(Vec::len) == Some(wanted), "{arguments:?}: {json}");
    }
    let mut after = String::new();
    let mut found = 0;
    loop {
        let page = server.api_ok("GET", &format!("/faults?limit=1{after}"), &Value::Null);
        found += page["faults"].as_array().map_or(0, Vec::len);
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(found, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_did_in_the_last_sessions_of_a_device_is_printed() {
    let server = Server::start(&guests());
    let mut cpe = guest("remember", 1);
    let device = key(&cpe).to_string();
    let (ok, text) = server.trellis(&["device", "transcript", &device]);
    assert!(!ok && text.contains("there is no such device"), "{text}");
    for _ in 0..3 {
        cpe.session(&server.url()).await.expect("a session");
    }
    until("the transcripts are kept", || super::replay::kept(&server) == 3);
    let (ok, text) = server.trellis(&["device", "transcript", &device, "--last", "2"]);
    assert!(ok && text.matches("scripted 7.0.1").count() == 2, "{text}");
    for wanted in ["provision", "> GetParameterValues", "fact guest.sessions = 3", "= ok"] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let (ok, text) = server.trellis(&["device", "transcript", &device, "--since", "0s"]);
    assert!(ok && text.contains("none is kept"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_that_was_only_queued_is_looked_at_later() {
    let server = Server::start(&guests());
    let mut cpe = guest("remember", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    let arguments = json!({ "text": "hello" }).to_string();
    let (ok, queued) =
        server.trellis(&["device", "action", &device, "echo", &arguments, "--wait", "0"]);
    assert!(ok && queued.contains("queued"), "{queued}");
    let number = queued.split_whitespace().nth(1).expect("its number").to_owned();
    cpe.session(&server.url()).await.expect("a session");
    for arguments in [&["device", "actions", &device][..], &["device", "actions", &device, &number]]
    {
        let (ok, shown) = server.trellis(arguments);
        assert!(ok && shown.contains("done") && shown.contains("hello"), "{shown}");
    }
    // Another one: the first was called when its action was queued, and is not called again so soon.
    let mut other = guest("remember", 2);
    other.session(&server.url()).await.expect("a session");
    let (ok, called) = server.trellis(&["device", "call", &key(&other).to_string()]);
    assert!(!ok && called.contains("its URL is old"), "{called}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_says_does_not_reach_the_terminal_as_a_command() {
    let server = Server::start(&guests());
    let inform = crate::raw::inform("none", "S1");
    let inform = inform.replace("<Manufacturer>", "<Manufacturer>a&#x9b;31m");
    let mut open = crate::raw::connect(&server.url());
    crate::raw::post(&mut open, &inform).await;
    crate::raw::post(&mut open, "").await;
    let (ok, list) = server.trellis(&["device", "list"]);
    assert!(ok && list.contains("00D09E-none-S1") && list.contains("31m"), "{list}");
    assert!(!list.contains('\u{9b}'), "{list:?}");
}
