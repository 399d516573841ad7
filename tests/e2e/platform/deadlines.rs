//! Plugins that wait for something until a time.

use serde_json::Value;

use crate::server::{Server, at_the_gate, guests, key, until};

fn fact(server: &Server, device: &str, name: &str) -> Value {
    let shown = server.api_ok("GET", &format!("/devices/{device}"), &Value::Null);
    shown["facts"][name]["value"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_wakes_the_plugin_without_the_device_and_survives_a_crash() {
    let mut server = Server::start(&guests());
    let mut cpe = at_the_gate("wait", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    server.kill();
    server.restart();
    until("the plugin is woken", || fact(&server, &device, "gate.expired") == "reboot");
    let asked = fact(&server, &device, "gate.asked");
    assert!(asked.to_string().contains("the device is not there"), "{asked}");
    let sessions = server.api_ok("GET", &format!("/devices/{device}/sessions"), &Value::Null);
    let woken = sessions.as_array().and_then(|it| it.last()).expect("a session");
    assert_eq!(
        (&woken["events"][0]["code"], &woken["outcome"]),
        (&"deadline".into(), &"ok".into())
    );
    // Once, and not again.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let later = server.api_ok("GET", &format!("/devices/{device}/sessions"), &Value::Null);
    assert_eq!(sessions, later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_can_be_set_again_when_it_passes_and_an_error_is_a_fault_of_the_device() {
    let server = Server::start(&guests());
    let (mut twice, mut badly) = (at_the_gate("wait-twice", 1), at_the_gate("wait-badly", 2));
    twice.session(&server.url()).await.expect("a session");
    badly.session(&server.url()).await.expect("a session");
    let (twice, badly) = (key(&twice).to_string(), key(&badly).to_string());
    until("it is woken twice", || fact(&server, &twice, "gate.expired") == "reboot");
    until("the fault is there", || {
        let faults = server.api_ok("GET", &format!("/devices/{badly}/faults"), &Value::Null);
        faults[0]["message"] == "it never came"
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_comes_in_time_is_not_waited_for_any_more() {
    let server = Server::start(&guests());
    let mut cpe = at_the_gate("come-in-time", 1);
    cpe.session(&server.url()).await.expect("a session");
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    assert_eq!(fact(&server, &device, "gate.in-time"), true);
    std::thread::sleep(std::time::Duration::from_secs(5));
    assert_eq!(fact(&server, &device, "gate.expired"), Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deadline_of_a_plugin_that_is_gone_becomes_a_fault() {
    let server = Server::start(&guests());
    let mut cpe = at_the_gate("wait", 1);
    cpe.session(&server.url()).await.expect("a session");
    assert!(server.trellis(&["plugin", "remove", "gate"]).0);
    let device = key(&cpe).to_string();
    until("the fault is there", || {
        let faults = server.api_ok("GET", &format!("/devices/{device}/faults"), &Value::Null);
        faults[0]["message"].to_string().contains("does not serve")
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_while_its_plugin_is_disabled_waits_for_it() {
    let server = Server::start(&guests());
    let mut cpe = at_the_gate("wait", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    assert!(server.trellis(&["plugin", "disable", "gate"]).0);
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(fact(&server, &device, "gate.expired"), Value::Null);
    assert!(server.trellis(&["plugin", "enable", "gate"]).0);
    until("the plugin is woken", || fact(&server, &device, "gate.expired") == "reboot");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_that_passes_while_the_settings_do_not_fit_waits_until_they_are_put_right() {
    let mut server = Server::start(&guests());
    let mut cpe = at_the_gate("wait", 1);
    cpe.session(&server.url()).await.expect("a session");
    let device = key(&cpe).to_string();
    server.stop();
    server.configure("[plugins.settings.gate]\nseconds = \"soon\"\n");
    server.restart();
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(fact(&server, &device, "gate.expired"), Value::Null);
    server.api_ok("PUT", "/plugins/gate/settings", &serde_json::json!({ "seconds": 1 }));
    until("the plugin is woken", || fact(&server, &device, "gate.expired") == "reboot");
}
