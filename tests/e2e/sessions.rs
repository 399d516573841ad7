//! The life of a session.

use std::time::Duration;

use trellis_cpe::{HttpOptions, Options};
use trellis_store::{DeviceKey, Store, TransferOutcome};

use crate::raw::{connect, connect_with, envelope, id, inform, post, transfer_complete, values};
use crate::server::{Server, device, device_with, guest, guests, key, shipped};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_of_each_kind_is_learned_on_first_contact_and_then_left_alone() {
    let server = Server::start(&shipped());
    for (model, plugin) in
        [("tr181", "standard"), ("tr098", "standard"), ("tr181-mikrotik", "mikrotik")]
    {
        let mut cpe = device(model, 1);
        let first = cpe.session(&server.url()).await.expect("a session");
        assert!(!first.requests.is_empty(), "{model} was asked nothing");
        let line = server.session(&key(&cpe), 0);
        assert_eq!(line["plugin"], plugin);
        assert_eq!(line["outcome"], "ok", "{line}");
        let facts = server.facts(&key(&cpe), 0);
        assert!(facts.contains_key("device.software-version"), "{facts:?}");
        let second = cpe.session(&server.url()).await.expect("a session");
        assert_eq!(second.event_codes(), ["2 PERIODIC"]);
        assert!(second.requests.is_empty(), "{model}: {:?}", second.methods());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_survives_reconnects_chunked_bodies_and_missing_cookies() {
    let server = Server::start(&shipped());
    let variants = [
        HttpOptions { reconnect: true, ..HttpOptions::default() },
        HttpOptions { cookies: false, ..HttpOptions::default() },
        HttpOptions { chunked: true, ..HttpOptions::default() },
        HttpOptions { expect_continue: true, ..HttpOptions::default() },
    ];
    for (number, http) in (1..).zip(variants) {
        let mut cpe = device_with("tr181", number, Options { http, ..Options::default() });
        let report = cpe.session(&server.url()).await.expect("a session");
        assert!(!report.requests.is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_inform_supersedes_the_session_and_the_old_plugin_run_ends_with_lost() {
    let server = Server::start(&guests());
    let mut old = connect(&server.url());
    post(&mut old, &inform("lost", "S1")).await;
    let asked = post(&mut old, "").await;
    assert!(asked.text().contains("GetParameterValues"));
    let mut new = connect(&server.url());
    let answer = post(&mut new, &inform("lost", "S1")).await;
    assert!(answer.text().contains("InformResponse"), "{}", answer.text());
    // The old session is fenced: its answer comes too late for it.
    let late = post(&mut old, &values("1")).await;
    assert_eq!(late.status, 400);
    let device = DeviceKey::from_text("00D09E-lost-S1");
    let line = server.session(&device, 0);
    assert!(line["outcome"].as_str().expect("text").contains("another session"), "{line}");
    assert_eq!(post(&mut new, "").await.status, 200);
    let (store, _folder) = server.into_store();
    let memory = store.notes(&device, "scripted").await.expect("readable");
    assert!(memory.memory.contains_key("lost"), "the plugin was told, and what it noted is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_the_device_are_answered_before_the_server_speaks() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    let answer = post(&mut cpe, &transfer_complete("7", "key")).await;
    assert!(answer.text().contains("TransferCompleteResponse"), "{}", answer.text());
    assert!(answer.text().contains(">7</cwmp:ID>"), "{}", answer.text());
    let answer = post(&mut cpe, &envelope("8", "<cwmp:X_00D09E_Foo></cwmp:X_00D09E_Foo>")).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<FaultCode>8000</FaultCode>"), "{}", answer.text());
    let answer = post(&mut cpe, &envelope("9", "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>")).await;
    assert!(answer.text().contains("AutonomousTransferComplete"), "{}", answer.text());
    assert!(post(&mut cpe, "").await.text().contains("GetParameterValues"));
    // A request that comes late is answered, and the plugin's request still stands.
    let answer = post(&mut cpe, &transfer_complete("10", "late")).await;
    assert!(answer.text().contains("TransferCompleteResponse"), "{}", answer.text());
    assert!(post(&mut cpe, &values("1")).await.text().contains("GetParameterValues"));
    let (store, _folder) = server.into_store();
    let transfers =
        store.transfers(&DeviceKey::from_text("00D09E-four-S1")).await.expect("readable");
    let keys: Vec<&str> = transfers.iter().map(|it| it.command_key.as_str()).collect();
    assert_eq!(keys, ["key", "late"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_without_a_session_is_refused_and_a_stale_cookie_does_not_hinder_an_inform() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    assert_eq!(post(&mut cpe, "").await.status, 400);
    assert_eq!(post(&mut cpe, &values("1")).await.status, 400);
    cpe.cookies_mut().replace(vec![("session".to_owned(), "0123456789abcdef".to_owned())]);
    let answer = post(&mut cpe, &inform("nothing", "S1")).await;
    assert!(answer.text().contains("InformResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_answer_ends_the_session_and_the_next_inform_is_welcome() {
    let server = Server::start(&guests());
    let mut cpe =
        connect_with(&server.url(), HttpOptions { cookies: false, ..HttpOptions::default() });
    post(&mut cpe, &inform("four", "S1")).await;
    assert!(post(&mut cpe, "").await.text().contains("GetParameterValues"));
    let wrong = envelope("1", "<cwmp:RebootResponse></cwmp:RebootResponse>");
    assert_eq!(post(&mut cpe, &wrong).await.status, 400);
    assert!(post(&mut cpe, &inform("four", "S1")).await.text().contains("InformResponse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_sleeps_does_not_hold_up_the_devices_next_inform() {
    let server = Server::start(&guests());
    let mut old = connect(&server.url());
    post(&mut old, &inform("sleep", "S1")).await;
    let waiting = tokio::spawn(async move { post(&mut old, "").await.status });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = std::time::Instant::now();
    let mut new = connect(&server.url());
    assert!(post(&mut new, &inform("sleep", "S1")).await.text().contains("InformResponse"));
    // Far from the ten seconds that a stuck session would be waited for.
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(waiting.await.expect("an answer"), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_behind_one_connection_are_told_apart_by_their_cookies() {
    let server = Server::start(&guests());
    let mut proxy =
        connect_with(&server.url(), HttpOptions { cookies: true, ..HttpOptions::default() });
    let one = post(&mut proxy, &inform("four", "S1")).await;
    let cookie = |answer: &trellis_cpe::Response| {
        let cookie = answer.header("set-cookie").expect("a cookie");
        let (name, rest) = cookie.split_once('=').expect("a pair");
        let value = rest.split(';').next().expect("a value");
        vec![(name.to_owned(), value.to_owned())]
    };
    proxy.cookies_mut().replace(Vec::new());
    let two = post(&mut proxy, &inform("nothing", "S2")).await;
    proxy.cookies_mut().replace(cookie(&one));
    assert_eq!(post(&mut proxy, "").await.status, 200);
    proxy.cookies_mut().replace(cookie(&two));
    assert_eq!(post(&mut proxy, "").await.status, 204);
    // A cookie of no session is not replaced by what the connection last did.
    proxy.cookies_mut().replace(cookie(&two));
    assert_eq!(post(&mut proxy, "").await.status, 400);
    proxy.cookies_mut().replace(cookie(&one));
    assert_eq!(post(&mut proxy, &values("1")).await.status, 200);
    // An old cookie beside the right one, in whichever order, does not matter.
    proxy.cookies_mut().replace([cookie(&two), cookie(&one)].concat());
    assert_eq!(post(&mut proxy, &values("1")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_device_was_told_had_arrived_reaches_the_plugin_though_the_session_was_lost() {
    let mut server = Server::start(&guests());
    let mut lost = connect(&server.url());
    let boot = inform("events", "S1").replace("2 PERIODIC", "1 BOOT");
    assert_eq!(post(&mut lost, &boot).await.status, 200);
    let answer = post(&mut lost, &transfer_complete("2", "dl-1")).await;
    assert!(answer.text().contains("TransferCompleteResponse"), "{}", answer.text());
    // Here the connection is lost, and then the server's power.
    server.kill();
    server.restart();
    let device = DeviceKey::from_text("00D09E-events-S1");
    let mut next = connect(&server.url());
    assert_eq!(post(&mut next, &inform("events", "S1")).await.status, 200);
    assert_eq!(post(&mut next, "").await.status, 204);
    let facts = server.facts(&device, 0);
    assert_eq!(facts["guest.events"], "2 PERIODIC,1 BOOT");
    assert_eq!(facts["guest.transfers"], "dl-1");
    // Once seen, they are over.
    assert_eq!(post(&mut next, &inform("events", "S1")).await.status, 200);
    assert_eq!(post(&mut next, "").await.status, 204);
    let facts = server.facts(&device, 1);
    assert_eq!(facts["guest.events"], "2 PERIODIC");
    assert_eq!(facts["guest.transfers"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_an_earlier_answer_does_not_pass_for_the_next_one() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    let asked = id(&post(&mut cpe, "").await);
    assert_eq!(post(&mut cpe, &values(&asked)).await.status, 200);
    assert_eq!(post(&mut cpe, &values(&asked)).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_without_a_serial_number_is_refused() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    assert_eq!(post(&mut cpe, &inform("nothing", "")).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_negotiated_and_an_unknown_one_is_refused_with_8006() {
    let server = Server::start(&guests());
    for (supported, wanted) in [("1.0, 1.4,", ">1.4</cwmp:UseCWMPVersion>"), ("2.0", "8006")] {
        let mut cpe = connect(&server.url());
        let header =
            format!("<cwmp:SupportedCWMPVersions>{supported}</cwmp:SupportedCWMPVersions>");
        let inform = inform("nothing", "S1").replace("</cwmp:ID>", &format!("</cwmp:ID>{header}"));
        let answer = post(&mut cpe, &inform).await;
        assert_eq!(answer.status, 200);
        assert!(answer.text().contains(wanted), "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_every_session_is_taken_the_next_inform_is_told_to_come_back() {
    let server = Server::with_config(&guests(), "[session]\nsessions-max = 1\n");
    let mut first = connect(&server.url());
    assert_eq!(post(&mut first, &inform("four", "S1")).await.status, 200);
    let mut second = connect(&server.url());
    let answer = post(&mut second, &inform("four", "S2")).await;
    assert_eq!(answer.status, 503);
    let seconds: u64 = answer.header("retry-after").expect("a header").parse().expect("seconds");
    assert!((30..=60).contains(&seconds));
    // The session that is there goes on, and a device may take its own place.
    assert_eq!(post(&mut first, "").await.status, 200);
    let mut again = connect(&server.url());
    assert_eq!(post(&mut again, &inform("four", "S1")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_reported_in_a_later_session_and_noted() {
    let config = "[connection-request]\ngive-logins = false\n\
                  [plugins.settings.scripted]\nscript = [{ do = \"download\", key = \"dl-1\", \
                  file_type = \"1 Firmware Upgrade Image\", \
                  url = \"http://files.example/fw-9.9.9.bin\" }]\n";
    let server = Server::with_config(&guests(), config);
    let mut cpe = guest("script", 1);
    let first = cpe.session(&server.url()).await.expect("a session");
    assert_eq!(first.methods(), ["Download"]);
    let second = cpe.session(&server.url()).await.expect("a session");
    assert!(second.event_codes().contains(&"7 TRANSFER COMPLETE"), "{:?}", second.event_codes());
    let (store, _folder) = server.into_store();
    let transfers = store.transfers(&key(&cpe)).await.expect("readable");
    let first = transfers.first().expect("a transfer");
    assert_eq!(first.command_key, "dl-1");
    assert_eq!(first.end.as_ref().map(|end| &end.outcome), Some(&TransferOutcome::Done));
}
