//! A workflow over several sessions, with a crash of the server between any two of its steps.

use serde_json::{Value, json};

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
