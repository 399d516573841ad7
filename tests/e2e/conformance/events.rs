//! Why devices call (TR-069 3.7.1.5).

use serde_json::json;
use trellis_store::Store;

use super::*;
use crate::raw::transfer_complete;
use crate::server::shipped;

#[tokio::test(flavor = "multi_thread")]
async fn s101_an_unknown_event_is_accepted_and_told() {
    let server = scripted(&json!([{ "do": "events" }]));
    let events = [("42 FOO", ""), ("X ACME_COM Bar", "k")];
    let (_, end) = open_with(&server, &with_events(&script_inform(), &events)).await;
    assert_eq!(end.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "42 FOO/,X ACME_COM Bar/k");
}

#[tokio::test(flavor = "multi_thread")]
async fn s102_events_in_any_order_and_no_events_are_accepted() {
    let server = Server::start(&guests());
    let plain = inform("nothing", "S1");
    let mixed = with_events(&plain, &[("M Reboot", "k"), ("4 VALUE CHANGE", ""), ("1 BOOT", "")]);
    let none = with_events(&plain, &[]).replace("<RetryCount>0<", "<RetryCount>3<");
    for inform in [mixed, none] {
        let (_, end) = open_with(&server, &inform).await;
        assert_eq!(end.status, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s103_a_bootstrap_forgets_what_was_known_and_the_device_is_configured_anew() {
    let server = Server::start(&shipped());
    let mut cpe = crate::server::device("tr181", 1);
    let first = cpe.session(&server.url()).await.expect("a session");
    assert!(!first.requests.is_empty());
    let quiet = cpe.session(&server.url()).await.expect("a session");
    assert!(quiet.requests.is_empty(), "{:?}", quiet.methods());
    cpe.factory_reset();
    let again = cpe.session(&server.url()).await.expect("a session");
    assert!(again.event_codes().contains(&"0 BOOTSTRAP"), "{:?}", again.event_codes());
    assert_eq!(again.methods(), first.methods());
}

#[tokio::test(flavor = "multi_thread")]
async fn s105_an_inform_that_is_repeated_acts_once() {
    let server = scripted(&json!([{ "do": "events" }, { "do": "transfers" }]));
    let events = [("7 TRANSFER COMPLETE", ""), ("M Download", "dl")];
    let first = with_events(&script_inform(), &events);
    // The answer to the first one is lost.
    let mut lost = connect(&server.url());
    post(&mut lost, &first).await;
    drop(lost);
    let again = first.replace("<RetryCount>0<", "<RetryCount>1<");
    let mut cpe = connect(&server.url());
    post(&mut cpe, &again).await;
    for _ in 0..2 {
        let answer = post(&mut cpe, &transfer_complete("2", "dl")).await;
        assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    }
    assert_eq!(post(&mut cpe, "").await.status, 204);
    let told = said(&server, 1);
    assert_eq!(told["step.1"], "7 TRANSFER COMPLETE/,M Download/dl");
    assert_eq!(told["step.2"], "dl=0");
    let (store, _folder) = server.into_store();
    assert_eq!(store.transfers(&device()).await.expect("readable").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn s106_a_value_change_updates_every_parameter_of_the_inform() {
    let server = Server::start(&guests());
    let changed = with_events(&script_inform(), &[("4 VALUE CHANGE", "")]);
    let changed = with_parameter(&with_parameter(&changed, "Device.A", "1"), "Device.B", "2");
    let (_, end) = open_with(&server, &changed).await;
    assert_eq!(end.status, 204);
    let (store, _folder) = server.into_store();
    let tree = store.tree(&device()).await.expect("readable");
    for (name, text) in [("Device.A", "1"), ("Device.B", "2")] {
        assert_eq!(tree.0[name].value.as_deref(), Some(text));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s108_a_heartbeat_is_seen_and_ends_quickly() {
    let server = Server::start(&shipped());
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    let heartbeat = with_events(&inform("four", "S1"), &[("14 HEARTBEAT", "")]);
    let server = Server::start(&guests());
    let (_, end) = open_with(&server, &heartbeat).await;
    assert_eq!(end.status, 204, "{}", end.text());
    let key = DeviceKey::from_text("00D09E-four-S1");
    let (store, _folder) = server.into_store();
    let header = store.device(&key).await.expect("readable").expect("there");
    assert_ne!(header.last_inform_ms, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn s110_a_wakeup_is_not_a_boot() {
    let server = Server::start(&shipped());
    let mut cpe = crate::server::device("tr181", 1);
    cpe.session(&server.url()).await.expect("a session");
    cpe.queue_event("13 WAKEUP", "");
    let report = cpe.session(&server.url()).await.expect("a session");
    assert_eq!(report.event_codes(), ["13 WAKEUP"]);
    assert!(report.requests.is_empty(), "{:?}", report.methods());
}

#[tokio::test(flavor = "multi_thread")]
async fn s111_a_crash_between_storing_an_event_and_answering_loses_nothing() {
    let mut server = scripted(&json!([{ "do": "events" }]));
    let boot = with_events(&script_inform(), &[("1 BOOT", ""), ("M Reboot", "k")]);
    let mut cpe = connect(&server.url());
    // The server dies while it answers; the device has heard nothing.
    cpe.send_raw(b"POST / HTTP/1.1\r\nHost: acs\r\n").await.expect("sent");
    let rest = format!("Content-Length: {}\r\n\r\n{boot}", boot.len());
    cpe.send_raw(rest.as_bytes()).await.expect("sent");
    server.kill();
    server.restart();
    let again = boot.replace("<RetryCount>0<", "<RetryCount>1<");
    let (_, end) = open_with(&server, &again).await;
    assert_eq!(end.status, 204);
    assert_eq!(said(&server, 0)["step.1"], "1 BOOT/,M Reboot/k");

    // It has answered when it dies: the device has forgotten the events.
    let reboot = with_events(&script_inform(), &[("1 BOOT", ""), ("M Reboot", "l")]);
    let mut cpe = connect(&server.url());
    assert_eq!(post(&mut cpe, &reboot).await.status, 200);
    server.kill();
    server.restart();
    let (_, end) = open(&server).await;
    assert_eq!(end.status, 204);
    assert_eq!(said(&server, 1)["step.1"], "2 PERIODIC/,1 BOOT/,M Reboot/l");
}

#[tokio::test(flavor = "multi_thread")]
async fn s107_the_results_of_diagnostics_that_the_server_started_are_read() {
    let ping = "Device.IP.Diagnostics.IPPing.";
    let state = format!("{ping}DiagnosticsState");
    let server =
        scripted(&json!([{ "do": "set", "values": [[state.as_str(), "string", "Requested"]] }]));
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await.status, 204);
    let complete = with_events(&script_inform(), &[("8 DIAGNOSTICS COMPLETE", "")]);
    let (mut cpe, asked) = open_with(&server, &complete).await;
    let asked = post(&mut cpe, &status(&asked, "SetParameterValues", 0)).await;
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
    assert!(asked.text().contains(&format!("<string>{ping}</string>")), "{}", asked.text());
    let average = format!("{ping}AverageResponseTime");
    let results = values_of(&asked, &[(&state, "Complete"), (&average, "12")]);
    assert_eq!(post(&mut cpe, &results).await.status, 204);
    let (store, _folder) = server.into_store();
    let tree = store.tree(&device()).await.expect("readable");
    assert_eq!(tree.0[&average].value.as_deref(), Some("12"));
    let header = store.device(&device()).await.expect("readable").expect("known");
    assert!(header.diagnostics.is_empty(), "nothing is waited for");
}
