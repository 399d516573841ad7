//! The session: whose turn it is, and when it is over (TR-069 3.7).

use std::time::{Duration, Instant};

use serde_json::json;
use trellis_cpe::{HttpOptions, Response};
use trellis_store::{Store, Task, Work};

use super::*;
use crate::raw::{connect_with, post_bytes, transfer_complete, values};

fn assert_only_an_inform_response(answer: &Response) {
    let text = answer.text();
    assert_eq!(answer.status, 200, "{text}");
    assert_eq!(text.matches("Envelope>").count(), 1, "{text}");
    let body = text.split("Body>").nth(1).expect("a body").trim_end_matches("</soapenv:");
    let wanted = "<cwmp:InformResponse><MaxEnvelopes>1</MaxEnvelopes></cwmp:InformResponse>";
    assert_eq!(body, wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn s001_an_inform_is_answered_with_one_inform_response_and_nothing_else() {
    let server = Server::start(&guests());
    let answer = post(&mut connect(&server.url()), &inform("nothing", "S1")).await;
    assert_only_an_inform_response(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn s002_an_inform_response_travels_alone_though_a_request_is_queued() {
    let server = Server::start(&guests());
    let answer = post(&mut connect(&server.url()), &inform("four", "S1")).await;
    assert_only_an_inform_response(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn s003_an_empty_post_is_answered_with_204_when_nothing_is_queued() {
    let server = Server::start(&guests());
    let (_, answer) = open_with(&server, &inform("nothing", "S1")).await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(answer.header("content-type"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn s004_queued_requests_are_sent_one_by_one_and_then_204() {
    let mut server = Server::start(&guests());
    post(&mut connect(&server.url()), &inform("four", "S1")).await;
    server.stop();
    server.enqueue("00D09E-four-S1", "Reboot", "<CommandKey>k</CommandKey>").await;
    server.restart();
    let (mut cpe, mut asked) = open_with(&server, &inform("four", "S1")).await;
    for _ in 0..4 {
        assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
        assert_eq!(asked.text().matches("<cwmp:GetParameterValues>").count(), 1);
        asked = post(&mut cpe, &values(&id(&asked))).await;
    }
    assert!(holds(&asked, "Reboot"), "{}", asked.text());
    let end = post(&mut cpe, &done(&asked, "Reboot")).await;
    assert_eq!((end.status, end.body.len()), (204, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn s005_204_after_the_last_answer_ends_the_session_well() {
    let server = Server::start(&guests());
    let (mut cpe, asked) = open_with(&server, &inform("remember", "S1")).await;
    assert_eq!(post(&mut cpe, &values(&id(&asked))).await.status, 204);
    let line = server.session(&DeviceKey::from_text("00D09E-remember-S1"), 0);
    assert_eq!(line["outcome"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn s006_a_transfer_complete_is_answered_before_queued_requests_are_sent() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    let answer = post(&mut cpe, &transfer_complete("2", "k")).await;
    assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    assert!(!answer.text().contains("GetParameterValues"));
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s007_several_requests_before_the_empty_post_are_answered_in_turn() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    let autonomous = envelope("3", AUTONOMOUS_TRANSFER_COMPLETE);
    let methods = envelope("4", "<cwmp:GetRPCMethods></cwmp:GetRPCMethods>");
    for (request, response) in [
        (transfer_complete("2", "k"), "TransferCompleteResponse"),
        (autonomous, "AutonomousTransferCompleteResponse"),
        (methods, "GetRPCMethodsResponse"),
    ] {
        let answer = post(&mut cpe, &request).await;
        assert!(holds(&answer, response), "{}", answer.text());
    }
}

pub(super) const AUTONOMOUS_TRANSFER_COMPLETE: &str = "<cwmp:AutonomousTransferComplete><AnnounceURL></AnnounceURL><TransferURL></TransferURL>\
     <IsDownload>1</IsDownload><FileType>1 Firmware Upgrade Image</FileType>\
     <FileSize>1</FileSize><TargetFileName></TargetFileName><FaultStruct><FaultCode>0</FaultCode>\
     <FaultString></FaultString></FaultStruct><StartTime>2026-01-01T00:00:00Z</StartTime>\
     <CompleteTime>2026-01-01T00:00:00Z</CompleteTime></cwmp:AutonomousTransferComplete>";

#[tokio::test(flavor = "multi_thread")]
async fn s008_a_request_after_the_empty_post_is_answered_before_anything_is_asked() {
    let server = Server::start(&guests());
    let (mut cpe, asked) = open_with(&server, &inform("remember", "S1")).await;
    let answer = post(&mut cpe, &transfer_complete("2", "late")).await;
    assert!(holds(&answer, "TransferCompleteResponse"), "{}", answer.text());
    assert_eq!(post(&mut cpe, &values(&id(&asked))).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s009_a_first_post_that_is_no_inform_gets_400_and_no_session() {
    let server = Server::start(&guests());
    for body in ["".to_owned(), values("1"), transfer_complete("1", "k")] {
        let mut cpe = connect(&server.url());
        let answer = post(&mut cpe, &body).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.text().contains("Envelope") && answer.header("set-cookie").is_none());
        assert_eq!(post(&mut cpe, "").await.status, 400, "no session was opened");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s010_malformed_xml_in_session_gets_400_without_soap_and_fails_the_session() {
    let server = Server::start(&guests());
    let (mut cpe, _) = open_with(&server, &inform("four", "S1")).await;
    let answer = post(&mut cpe, "<soap:Envelope").await;
    assert_eq!(answer.status, 400);
    assert!(!answer.text().contains("<"), "{}", answer.text());
    let line = server.session(&DeviceKey::from_text("00D09E-four-S1"), 0);
    assert!(line["outcome"].as_str().expect("text").contains("violation"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s011_soap_1_2_and_two_or_no_bodies_get_400() {
    let server = Server::start(&guests());
    let good = inform("nothing", "S1");
    let soap_12 = good.replace(
        "http://schemas.xmlsoap.org/soap/envelope/",
        "http://www.w3.org/2003/05/soap-envelope",
    );
    let two = good.replace("</soap:Body>", "</soap:Body><soap:Body></soap:Body>");
    let (head, _) = good.split_once("<soap:Body>").expect("a body");
    let none = format!("{head}</soap:Envelope>");
    for body in [soap_12, two, none] {
        assert_eq!(post(&mut connect(&server.url()), &body).await.status, 400, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s012_a_document_with_a_dtd_is_refused_and_nothing_is_resolved() {
    let server = Server::start(&guests());
    let trap = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let url = format!("http://{}/", trap.local_addr().expect("an address"));
    let good = inform("nothing", "S1").replace("2 PERIODIC", "&x;");
    let body = format!("<!DOCTYPE a [<!ENTITY x SYSTEM \"{url}\">]>{good}");
    assert_eq!(post(&mut connect(&server.url()), &body).await.status, 400);
    let visited = tokio::time::timeout(Duration::from_millis(500), trap.accept()).await;
    assert!(visited.is_err(), "the entity was fetched");
}

#[tokio::test(flavor = "multi_thread")]
async fn s013_an_unknown_method_gets_fault_8000_and_the_session_goes_on() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    let body = "<cwmp:X_00D09E_Foo></cwmp:X_00D09E_Foo>";
    let answer = post(&mut cpe, &envelope("x-7", body)).await;
    let text = answer.text();
    assert_eq!(answer.status, 200);
    assert!(text.contains("<FaultCode>8000</FaultCode>"), "{text}");
    assert!(text.contains("<faultcode>Server</faultcode>"), "{text}");
    assert_eq!(id(&answer), "x-7");
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s014_a_fault_of_the_device_is_not_answered_with_a_fault() {
    let server = Server::start(&guests());
    let (mut cpe, asked) = open_with(&server, &inform("four", "S1")).await;
    let answer = post(&mut cpe, &fault(&asked, 9002)).await;
    assert!(!answer.text().contains("Fault"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s015_a_fault_code_that_is_not_defined_is_taken_as_9001() {
    let server = scripted(&json!([{ "do": "reboot", "key": "k" }]));
    let (mut cpe, asked) = open(&server).await;
    assert_eq!(post(&mut cpe, &fault(&asked, 9500)).await.status, 204);
    assert!(said(&server, 0)["step.1"].starts_with("fault 9001"), "{:?}", said(&server, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn s016_after_a_fault_the_rest_is_asked_and_the_session_ends_with_204() {
    let steps = json!([
        { "do": "reboot", "key": "1" },
        { "do": "reboot", "key": "2" },
        { "do": "reboot", "key": "3" },
    ]);
    let server = scripted(&steps);
    let (mut cpe, asked) = open(&server).await;
    let asked = post(&mut cpe, &fault(&asked, 9002)).await;
    assert!(holds(&asked, "Reboot"));
    let asked = post(&mut cpe, &done(&asked, "Reboot")).await;
    assert!(holds(&asked, "Reboot"));
    assert_eq!(post(&mut cpe, &done(&asked, "Reboot")).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s017_a_silent_device_keeps_its_session_for_30_seconds_and_then_loses_it() {
    let server = Server::with_config(&guests(), "[session]\nsilence-seconds = 30\n");
    let (mut patient, asked) = open_with(&server, &inform("remember", "S1")).await;
    let (_silent, _) = open_with(&server, &inform("remember", "S2")).await;
    tokio::time::sleep(Duration::from_secs(29)).await;
    assert_eq!(post(&mut patient, &values(&id(&asked))).await.status, 204);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let line = server.session(&DeviceKey::from_text("00D09E-remember-S2"), 0);
    assert_eq!(line["outcome"], "the device was silent for 30 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn s018_a_session_timeout_of_the_inform_is_the_silence_that_is_waited() {
    let server = Server::with_config(&guests(), "[session]\nsilence-seconds = 30\n");
    let timeout = "<cwmp:SessionTimeout>45</cwmp:SessionTimeout>";
    let patient = in_namespace(&inform("remember", "S1"), "urn:dslforum-org:cwmp-1-2", timeout);
    let (mut patient, asked) = open_with(&server, &patient).await;
    tokio::time::sleep(Duration::from_secs(43)).await;
    assert_eq!(post(&mut patient, &values(&id(&asked))).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s019_a_session_timeout_below_30_is_taken_as_30() {
    let server = Server::start(&guests());
    let timeout = "<cwmp:SessionTimeout>5</cwmp:SessionTimeout>";
    let hasty = in_namespace(&inform("remember", "S1"), "urn:dslforum-org:cwmp-1-2", timeout);
    let (mut hasty, asked) = open_with(&server, &hasty).await;
    tokio::time::sleep(Duration::from_secs(28)).await;
    assert_eq!(post(&mut hasty, &values(&id(&asked))).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s020_an_answer_comes_within_30_seconds_though_the_plugin_sleeps() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("sleep", "S1")).await;
    let began = Instant::now();
    // Something is answered, whatever it is.
    post(&mut cpe, "").await;
    assert!(began.elapsed() < Duration::from_secs(30));
}

#[tokio::test(flavor = "multi_thread")]
async fn s021_a_device_that_reconnects_with_its_cookie_goes_on() {
    let server = Server::start(&guests());
    let options = HttpOptions { reconnect: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    post(&mut cpe, &inform("remember", "S1")).await;
    let asked = post(&mut cpe, "").await;
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
    assert_eq!(post(&mut cpe, &values(&id(&asked))).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s022_the_inform_response_sets_a_session_cookie() {
    let server = Server::start(&guests());
    let answer = post(&mut connect(&server.url()), &inform("nothing", "S1")).await;
    let cookie = answer.header("set-cookie").expect("a cookie").to_ascii_lowercase();
    assert!(!cookie.contains("expires") && !cookie.contains("max-age"), "{cookie}");
    let pair = cookie.split(';').next().expect("a pair");
    assert!(pair.len() <= 512, "{pair}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s023_a_cookie_in_the_manner_of_rfc_2109_names_its_session() {
    let server = Server::start(&guests());
    let options = HttpOptions { cookies: false, reconnect: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    let opened = post(&mut cpe, &inform("four", "S1")).await;
    let cookie = opened.header("set-cookie").expect("a cookie");
    let (name, value) = cookie.split(';').next().and_then(|it| it.split_once('=')).expect("a pair");
    let cookie = format!("$Version=\"1\"; {name}=\"{value}\"; $Path=\"/\"");
    let headers = [("Cookie", cookie.as_str()), ("Cookie2", "$Version=\"1\"")];
    let asked = cpe.post(b"", &headers).await.expect("an answer");
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s024_a_device_without_cookies_goes_on_on_its_connection() {
    let server = Server::start(&guests());
    let options = HttpOptions { cookies: false, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    post(&mut cpe, &inform("four", "S1")).await;
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s025_a_stale_cookie_on_an_inform_does_not_matter() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    let stale = vec![("trellis-session".to_owned(), "0123456789abcdef".to_owned())];
    cpe.cookies_mut().replace(stale);
    assert_only_an_inform_response(&post(&mut cpe, &inform("nothing", "S1")).await);
    assert_eq!(post(&mut cpe, "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s026_a_new_inform_supersedes_the_live_session() {
    let server = Server::start(&guests());
    let (mut old, asked) = open_with(&server, &inform("remember", "S1")).await;
    let (mut new, again) = open_with(&server, &inform("remember", "S1")).await;
    assert!(holds(&again, "GetParameterValues"), "{}", again.text());
    assert_eq!(post(&mut old, &values(&id(&asked))).await.status, 400);
    assert_eq!(post(&mut new, &values(&id(&again))).await.status, 204);
    let line = server.session(&DeviceKey::from_text("00D09E-remember-S1"), 0);
    assert!(line["outcome"].as_str().expect("text").contains("another session"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s027_of_two_servers_on_one_store_only_one_serves() {
    let server = Server::start(&guests());
    let second = server.second().expect("it ends");
    assert!(!second.status.success());
    let text = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(text.contains("another trellis uses it"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s042_the_identical_inform_again_is_accepted() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    for _ in 0..2 {
        assert_only_an_inform_response(&post(&mut cpe, &inform("four", "S1")).await);
    }
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s032_a_request_of_32_kib_is_not_too_large() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let mut request = envelope("2", AUTONOMOUS_TRANSFER_COMPLETE);
    let padding = " ".repeat(32_768 - request.len());
    request = request.replace("</soap:Body>", &format!("{padding}</soap:Body>"));
    assert_eq!(request.len(), 32_768);
    let answer = post_bytes(&mut cpe, request.as_bytes()).await;
    assert!(holds(&answer, "AutonomousTransferCompleteResponse"), "{}", answer.text());
}

impl Server {
    /// Queues a request for a device while the server is stopped.
    async fn enqueue(&self, device: &str, method: &str, arguments: &str) {
        let settings = trellis_store::SledSettings::new(self.data().join("db"));
        let store = trellis_store::SledStore::open(settings).expect("it opens");
        let request = envelope("0", &format!("<cwmp:{method}>{arguments}</cwmp:{method}>"));
        let task = Task {
            created_ms: 1,
            work: Work::Request { method: method.to_owned(), envelope: request.into_bytes() },
            sent_ms: None,
            attempts: 0,
            result: None,
        };
        store.enqueue_task(&DeviceKey::from_text(device), &task).await.expect("queued");
    }
}
