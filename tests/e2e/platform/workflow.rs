//! A workflow over several sessions, with a crash of the server between any two of its steps.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::relay::{Break, Relay};
use crate::server::{Server, built, device, key, until};

const SETTINGS: &str = "[plugins.settings.firmware]\nversion = \"9.9.9\"\n\
     url = \"http://files.example/fw-9.9.9.bin\"\n";

fn state(server: &Server, id: &str) -> String {
    let shown = server.api_ok("GET", &format!("/devices/{id}"), &Value::Null);
    shown["facts"]["firmware.state"]["value"].as_str().unwrap_or("none").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_on_after_a_crash_between_any_two_of_its_steps() {
    let mut server = Server::with_config(&built("examples").join("firmware"), SETTINGS);
    let mut cpe = device("tr181", 1);
    let id = key(&cpe).to_string();
    let mut states = Vec::new();
    let mut downloads = 0;
    for _ in 0..4 {
        let report = cpe.session(&server.url()).await.expect("a session");
        downloads += report.methods().iter().filter(|it| **it == "Download").count();
        server.kill();
        server.restart();
        states.push(state(&server, &id));
        if states.last().is_some_and(|it| it == "done") {
            break;
        }
    }
    assert_eq!(downloads, 1, "{states:?}");
    assert_eq!(states.first().map(String::as_str), Some("transferring"));
    assert_eq!(states.last().map(String::as_str), Some("done"), "{states:?}");
    let faults = server.api_ok("GET", &format!("/devices/{id}/faults"), &Value::Null);
    assert_eq!(faults, json!([]));
}

/// One upgrade, from a device's first Inform to the version, over a line that breaks once, and the
/// server with it. How many POSTs there were.
async fn upgraded(place: Break) -> usize {
    let server = Server::with_config(&built("examples").join("firmware"), SETTINGS);
    let relay = Relay::to(server, place);
    let mut cpe = device("tr181", 1);
    let id = key(&cpe).to_string();
    for _ in 0..8 {
        if cpe.session(relay.url()).await.is_err() {
            relay.with_server(Server::restart);
        } else if relay.with_server(|server| state(server, &id)) == "done" {
            break;
        }
    }
    relay.with_server(|server| {
        assert_eq!(state(server, &id), "done", "{place:?}: {}", server.log_text());
        let faults = server.api_ok("GET", &format!("/devices/{id}/faults"), &Value::Null);
        assert_eq!(faults, json!([]), "{place:?}");
    });
    assert_eq!(cpe.get("Device.DeviceInfo.SoftwareVersion").as_deref(), Some("9.9.9"));
    relay.posts()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_on_after_a_crash_at_any_post_before_it_is_read_or_after_it_is_answered() {
    let posts = upgraded(Break::Before(usize::MAX)).await;
    assert!(posts > 6, "{posts}");
    let at_once = Arc::new(Semaphore::new(4));
    let mut upgrades = JoinSet::new();
    for place in (1..=posts).flat_map(|at| [Break::Before(at), Break::After(at)]) {
        let at_once = Arc::clone(&at_once);
        upgrades.spawn(async move {
            let _permit = at_once.acquire().await.expect("it is never closed");
            upgraded(place).await
        });
    }
    while let Some(upgrade) = upgrades.join_next().await {
        upgrade.expect("it ends with the version");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_which_nothing_is_heard_is_reported_though_the_server_crashed() {
    let config = format!("{SETTINGS}transfer-seconds = 2\n");
    let mut server = Server::with_config(&built("examples").join("firmware"), &config);
    let mut cpe = device("tr181", 1);
    let id = key(&cpe).to_string();
    cpe.session(&server.url()).await.expect("a session");
    server.kill();
    server.restart();
    until("the deadline has passed", || state(&server, &id) == "failed");
    let faults = server.api_ok("GET", &format!("/devices/{id}/faults"), &Value::Null);
    assert!(faults[0]["message"].to_string().contains("no TransferComplete came"), "{faults}");
}
