//! Plugins that decide at the Inform whether a device may come in.

use serde_json::{Value, json};
use trellis_store::DeviceKey;

use crate::raw::{connect, inform, post};
use crate::server::{Server, at_the_gate, guests, key};

/// An Inform of a device of the manufacturer `Gate`.
fn gate_inform(product_class: &str) -> String {
    inform(product_class, "S1").replace(">Guest<", ">Gate<")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_refused_gets_the_plugins_fault_and_leaves_nothing_behind() {
    let server = Server::start(&guests());
    for (behaviour, code, text) in
        [("refuse", "8801", "not this one"), ("wrong-code", "8001", "no such code")]
    {
        let mut cpe = connect(&server.url());
        let answer = post(&mut cpe, &gate_inform(behaviour)).await;
        assert_eq!(answer.status, 200, "a SOAP fault goes out with HTTP 200");
        for wanted in ["Fault", code, text] {
            assert!(answer.text().contains(wanted), "{wanted}: {}", answer.text());
        }
        let device = DeviceKey::from_text(format!("00D09E-{}-S1", behaviour.replace('-', "%2D")));
        assert_eq!(server.api("GET", &format!("/devices/{device}"), b"").0, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_in_quarantine_is_recorded_and_asked_nothing() {
    let server = Server::start(&guests());
    for (behaviour, reason) in [("quarantine", "it looks odd"), ("panic", "the gate breaks")] {
        let mut cpe = at_the_gate(behaviour, 1);
        let report = cpe.session(&server.url()).await.expect("a session");
        assert!(report.requests.is_empty(), "{:?}", report.methods());
        let shown = server.api_ok("GET", &format!("/devices/{}", key(&cpe)), &Value::Null);
        assert_eq!(shown["quarantined"], true);
        assert!(shown["quarantine_reason"].to_string().contains(reason), "{shown}");
        assert_eq!(shown["facts"].as_object().map(serde_json::Map::len), Some(0));
    }
    let faults = server.api_ok(
        "GET",
        &format!("/devices/{}/faults", key(&at_the_gate("panic", 1))),
        &Value::Null,
    );
    assert_eq!(faults[0]["kind"], "panic", "{faults}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_device_told_in_quarantine_waits_until_the_plugin_lets_it_in() {
    let server = Server::start(&guests());
    let path = "/plugins/gate/settings";
    server.api_ok("PUT", path, &json!({ "quarantine": true }));
    let mut cpe = at_the_gate("events", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = format!("/devices/{}", key(&cpe));
    let shown = server.api_ok("GET", &device, &Value::Null);
    assert_eq!((&shown["quarantined"], &shown["facts"]), (&json!(true), &json!({})), "{shown}");
    server.api_ok("PUT", path, &json!({}));
    cpe.queue_event("2 PERIODIC", "");
    cpe.session(&server.url()).await.expect("a session");
    let shown = server.api_ok("GET", &device, &Value::Null);
    assert_eq!(shown["quarantined"], false);
    let events = shown["facts"]["gate.events"]["value"].as_str().expect("a fact");
    for wanted in ["0 BOOTSTRAP", "2 PERIODIC"] {
        assert!(events.contains(wanted), "{wanted}: {events}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_let_in_is_served_and_the_hook_can_keep_nothing() {
    let server = Server::start(&guests());
    for behaviour in ["accept", "curious"] {
        let mut cpe = at_the_gate(behaviour, 1);
        cpe.session(&server.url()).await.expect("a session");
        assert_eq!(server.facts(&key(&cpe), 0)["gate.passed"], "true");
    }
}
