//! The SOAP header and the versions (TR-069 3.5, A.6).

use serde_json::json;

use super::*;
use crate::raw::values;

const URN: &str = "urn:dslforum-org:cwmp-1-2";

#[tokio::test(flavor = "multi_thread")]
async fn s054_an_id_comes_back_as_it_was_in_responses_and_faults() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    let odd = "abc&lt;&amp;&quot;1";
    let opened = inform("nothing", "S1").replace(">1</cwmp:ID>", &format!(">{odd}</cwmp:ID>"));
    let unknown = envelope(odd, "<cwmp:Foo></cwmp:Foo>");
    for request in [opened, unknown] {
        let text = post(&mut cpe, &request).await.text();
        let wanted = format!("<cwmp:ID soapenv:mustUnderstand=\"1\">{odd}</cwmp:ID>");
        assert!(text.contains(&wanted), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s055_a_request_without_id_is_answered() {
    let server = Server::start(&guests());
    let bare = inform("nothing", "S1")
        .replace("<soap:Header><cwmp:ID soap:mustUnderstand=\"1\">1</cwmp:ID></soap:Header>", "");
    assert!(!bare.contains("cwmp:ID"));
    let answer = post(&mut connect(&server.url()), &bare).await;
    assert!(holds(&answer, "InformResponse"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s056_an_answer_with_the_id_of_another_request_is_not_taken_for_this_one() {
    let server = Server::start(&guests());
    let (mut cpe, first) = open_with(&server, &inform("four", "S1")).await;
    let old = values(&id(&first));
    let second = post(&mut cpe, &old).await;
    assert_ne!(id(&first), id(&second));
    assert_eq!(post(&mut cpe, &old).await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn s057_the_whole_session_has_the_namespace_of_the_inform() {
    let server = Server::start(&guests());
    for (number, minor) in ["0", "1", "2"].into_iter().enumerate() {
        let urn = format!("urn:dslforum-org:cwmp-1-{minor}");
        let mut cpe = connect(&server.url());
        let opened = in_namespace(&inform("remember", &format!("S{number}")), &urn, "");
        for request in [opened, String::new()] {
            let text = post(&mut cpe, &request).await.text();
            assert!(text.contains(&format!("xmlns:cwmp=\"{urn}\"")), "{text}");
            assert!(!text.contains("UseCWMPVersion"), "{text}");
        }
    }
}

/// The version that the plugin sees, for an Inform with more in its Header.
async fn version(header: &str) -> String {
    let server = scripted(&json!([{ "do": "version" }]));
    let inform = in_namespace(&script_inform(), URN, header);
    let (_, end) = open_with(&server, &inform).await;
    assert_eq!(end.status, 204);
    said(&server, 0)["step.1"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn s058_a_session_timeout_tells_1_3_from_1_2() {
    assert_eq!(version("<cwmp:SessionTimeout>60</cwmp:SessionTimeout>").await, "1.3");
    assert_eq!(version("").await, "1.2");
}

#[tokio::test(flavor = "multi_thread")]
async fn s059_the_highest_version_that_both_have_is_used() {
    let server = Server::start(&guests());
    let supported = "<cwmp:SupportedCWMPVersions>1.0,1.1,1.2,1.3,1.4</cwmp:SupportedCWMPVersions>";
    let opened = in_namespace(&inform("nothing", "S1"), "urn:dslforum-org:cwmp-1-0", supported);
    let text = post(&mut connect(&server.url()), &opened).await.text();
    let wanted = "<cwmp:UseCWMPVersion soapenv:mustUnderstand=\"1\">1.4</cwmp:UseCWMPVersion>";
    assert!(text.contains(wanted), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s060_no_common_version_is_fault_8006() {
    let server = Server::start(&guests());
    let supported = "<cwmp:SupportedCWMPVersions>2.0</cwmp:SupportedCWMPVersions>";
    let opened = in_namespace(&inform("nothing", "S1"), URN, supported);
    let answer = post(&mut connect(&server.url()), &opened).await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("<FaultCode>8006</FaultCode>"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s061_headers_that_are_the_devices_are_never_sent() {
    let server = Server::start(&guests());
    let header = "<cwmp:SessionTimeout>60</cwmp:SessionTimeout>\
                  <cwmp:SupportedCWMPVersions>1.4</cwmp:SupportedCWMPVersions>";
    let mut cpe = connect(&server.url());
    let opened = post(&mut cpe, &in_namespace(&inform("four", "S1"), URN, header)).await;
    let mut all = opened.text();
    let mut asked = post(&mut cpe, "").await;
    while asked.status == 200 {
        assert!(!asked.text().contains("UseCWMPVersion"), "{}", asked.text());
        all.push_str(&asked.text());
        asked = post(&mut cpe, &values(&id(&asked))).await;
    }
    for name in ["HoldRequests", "SessionTimeout", "SupportedCWMPVersions", "NoMoreRequests"] {
        assert!(!all.contains(name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s062_no_more_requests_is_ignored() {
    let server = Server::start(&guests());
    let header = "<cwmp:NoMoreRequests>1</cwmp:NoMoreRequests>";
    let opened = in_namespace(&inform("four", "S1"), "urn:dslforum-org:cwmp-1-0", header);
    let (_, asked) = open_with(&server, &opened).await;
    assert!(holds(&asked, "GetParameterValues"), "{}", asked.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s063_the_namespaces_1_3_and_1_4_are_served_and_echoed() {
    let server = Server::start(&guests());
    for minor in ["3", "4"] {
        let urn = format!("urn:dslforum-org:cwmp-1-{minor}");
        let opened = in_namespace(&inform("four", "S1"), &urn, "");
        let (_, asked) = open_with(&server, &opened).await;
        assert!(asked.text().contains(&format!("xmlns:cwmp=\"{urn}\"")), "{}", asked.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s064_what_is_newer_than_the_session_is_refused_before_it_is_sent() {
    let steps = json!([
        { "do": "schedule-download", "key": "k", "windows": [[0, 60]] },
        { "do": "cancel-transfer", "key": "k" },
        { "do": "change-du-state", "key": "k", "operations": ["install"] },
        { "do": "all-queued-transfers" },
        { "do": "set-attributes", "name": "Device.A", "notification": 3 },
        { "do": "set-attributes", "name": "Device.A", "notification": 6 },
    ]);
    let server = scripted(&steps);
    let opened = in_namespace(&script_inform(), "urn:dslforum-org:cwmp-1-0", "");
    let (_, end) = open_with(&server, &opened).await;
    assert_eq!(end.status, 204, "{}", end.text());
    let said = said(&server, 0);
    for step in 1..=6 {
        let said = &said[&format!("step.{step}")];
        assert!(said.starts_with("refused: ") && said.contains("CWMP 1."), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s065_more_envelopes_are_not_used_though_the_device_offers_them() {
    let server = Server::start(&guests());
    let opened = inform("nothing", "S1").replace("<MaxEnvelopes>1<", "<MaxEnvelopes>3<");
    let text = post(&mut connect(&server.url()), &opened).await.text();
    assert!(text.contains("<MaxEnvelopes>1</MaxEnvelopes>"), "{text}");
    assert_eq!(text.matches("<soapenv:Envelope").count(), 1, "{text}");
}
