//! Whole sessions against a scripted ACS, good and bad.

#![allow(clippy::unwrap_used, reason = "a failed check in a test panics")]

mod script;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use trellis_cpe::{
    Command, Cpe, CpeError, CpeRequest, CwmpVersion, HttpOptions, Identity, Model, Options,
};

use crate::script::{Acs, Reply};

fn cpe_with(options: Options) -> Cpe {
    let model = Arc::new(Model::built_in("tr181").unwrap());
    let identity = Identity::numbered(&model, "T-", 1);
    Cpe::new(model, identity, Arc::new(options))
}

fn cpe() -> Cpe {
    cpe_with(Options { version: Some(CwmpVersion::V1_2), ..Options::default() })
}

fn http(http: HttpOptions) -> Options {
    Options { version: Some(CwmpVersion::V1_2), http, ..Options::default() }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, CpeError>, part: &str) {
    let error = result.unwrap_err();
    assert!(error.is_violation(), "{error}");
    assert!(error.to_string().contains(part), "the text is {error}, {part:?} is not in it");
}

#[tokio::test]
async fn the_first_session_announces_the_device_and_answers_until_204() {
    let acs = Acs::start(vec![
        Reply::inform_response(),
        Reply::request("GetRPCMethods", ""),
        Reply::request("Reboot", "<CommandKey>r-1</CommandKey>"),
        Reply::end(),
        Reply::inform_response(),
        Reply::end(),
    ])
    .await;
    let mut cpe = cpe();
    let report = cpe.session(&acs.url).await.unwrap();
    assert_eq!(report.event_codes(), ["0 BOOTSTRAP", "1 BOOT"]);
    assert_eq!(report.methods(), ["GetRPCMethods", "Reboot"]);
    assert_eq!((report.connections, report.retry_count), (1, 0));
    let report = cpe.session(&acs.url).await.unwrap();
    assert_eq!(report.event_codes(), ["1 BOOT", "M Reboot"]);
    let posts = acs.posts();
    assert!(posts[0].body.contains("<SerialNumber>T-000001</SerialNumber>"));
    assert!(posts[0].head.contains("Content-Type: text/xml"));
    assert!(posts[1].body.is_empty() && !posts[1].head.contains("Content-Type"));
    assert!(posts[2].body.contains("GetRPCMethodsResponse"));
    assert!(posts[2].body.contains(">acs-1</cwmp:ID>"), "the ID comes back");
}

#[tokio::test]
async fn cookies_last_for_one_session() {
    let cookie = "s=abc; Path=/";
    let acs = Acs::start(vec![
        Reply::inform_response().header("Set-Cookie", cookie),
        Reply::end(),
        Reply::inform_response(),
        Reply::end(),
    ])
    .await;
    let mut cpe = cpe();
    cpe.session(&acs.url).await.unwrap();
    cpe.session(&acs.url).await.unwrap();
    let sent: Vec<bool> =
        acs.posts().iter().map(|post| post.head.contains("Cookie: s=abc\r\n")).collect();
    assert_eq!(sent, [false, true, false, false]);
}

#[tokio::test]
async fn a_failed_session_keeps_what_was_not_confirmed() {
    let acs = Acs::start(vec![
        Reply::status(503),
        Reply::inform_response(),
        Reply::status(400),
        Reply::inform_response(),
        Reply::end(),
    ])
    .await;
    let mut cpe = cpe();
    let error = cpe.session(&acs.url).await.unwrap_err();
    assert!(matches!(error, CpeError::Status { status: 503, .. }) && !error.is_violation());
    assert_eq!((cpe.retry_count(), cpe.events().len()), (1, 2));
    cpe.session(&acs.url).await.unwrap_err();
    assert_eq!((cpe.retry_count(), cpe.events().len()), (2, 0));
    let report = cpe.session(&acs.url).await.unwrap();
    assert_eq!((report.retry_count, report.events.len()), (2, 0));
    assert_eq!(cpe.retry_count(), 0);
}

#[tokio::test]
async fn a_refused_transfer_complete_is_sent_again_in_the_next_session() {
    let download = concat!(
        "<CommandKey>d-1</CommandKey><FileType>2 Web Content</FileType><URL>http://f/w</URL>",
        "<Username></Username><Password></Password><FileSize>0</FileSize>",
        "<TargetFileName></TargetFileName><DelaySeconds>9</DelaySeconds>",
        "<SuccessURL></SuccessURL><FailureURL></FailureURL>"
    );
    let acs = Acs::start(vec![
        Reply::inform_response(),
        Reply::request("Download", download),
        Reply::end(),
        Reply::inform_response(),
        Reply::fault(8002),
        Reply::end(),
        Reply::inform_response(),
        Reply::fault(8005),
        Reply::response("TransferComplete"),
        Reply::end(),
        Reply::inform_response(),
        Reply::end(),
    ])
    .await;
    let mut cpe = cpe();
    cpe.session(&acs.url).await.unwrap();
    for refused in [true, false] {
        let report = cpe.session(&acs.url).await.unwrap();
        assert_eq!(report.event_codes(), ["7 TRANSFER COMPLETE", "M Download"]);
        assert_eq!(report.own_requests[0].answer.is_err(), refused);
    }
    let report = cpe.session(&acs.url).await.unwrap();
    assert_eq!(report.event_codes(), ["2 PERIODIC"]);
}

#[tokio::test]
async fn a_cpe_of_version_1_4_insists_on_the_negotiation() {
    let version = r#"<cwmp:UseCWMPVersion soap:mustUnderstand="1">1.3</cwmp:UseCWMPVersion>"#;
    let acs = Acs::start(vec![
        Reply::inform_response(),
        Reply::inform_response().soap_header(version),
        Reply::end(),
    ])
    .await;
    let mut cpe = cpe_with(Options::default());
    refused(cpe.session(&acs.url).await, "lacks UseCWMPVersion");
    assert_eq!(cpe.session(&acs.url).await.unwrap().version, CwmpVersion::V1_3);
    assert!(acs.posts()[0].body.contains(">1.0,1.1,1.2,1.3,1.4</cwmp:SupportedCWMPVersions>"));

    let acs = Acs::start(vec![Reply::inform_response().soap_header(version)]).await;
    refused(self::cpe().session(&acs.url).await, "no SupportedCWMPVersions");
}

#[tokio::test]
async fn wrong_answers_to_an_inform_are_violations() {
    let long = format!("s={}; Path=/", "x".repeat(512));
    let ok = Reply::inform_response;
    for (reply, part) in [
        (Reply::end(), "204 where InformResponse is due"),
        (Reply::request("GetRPCMethods", ""), "the request GetRPCMethods where"),
        (Reply::response("TransferComplete"), "InformResponse is due"),
        (ok().id("other"), "has the ID"),
        (ok().content_type("application/xml"), "not text/xml"),
        (ok().content_type("text/xml; charset=iso-8859-1"), "charset"),
        (ok().urn("urn:dslforum-org:cwmp-1-0"), "namespace"),
        (ok().header("Set-Cookie", &long), "512"),
        (Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "empty body"),
        (Reply::raw("HTTP/1.1 200 OK\r\n\r\n"), "neither Content-Length"),
        (Reply::raw("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nhi"), "body"),
        (Reply::raw("HTTP/1.1 204 No Content\r\n\r\nhi"), "bytes after"),
        (Reply::raw("nonsense\r\n\r\n"), "status line"),
        (Reply::raw("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "HTTP status 500"),
    ] {
        let acs = Acs::start(vec![reply]).await;
        refused(cpe().session(&acs.url).await, part);
    }
}

#[tokio::test]
async fn wrong_ends_of_a_session_are_violations() {
    for (reply, part) in [
        (Reply::response("TransferComplete"), "ACS request or 204"),
        (Reply::end().header("Content-Type", "text/xml"), "Content-Type"),
        (Reply::request("GetRPCMethods", "").urn("urn:dslforum-org:cwmp-1-1"), "namespace"),
    ] {
        let acs = Acs::start(vec![Reply::inform_response(), reply]).await;
        refused(cpe().session(&acs.url).await, part);
    }
    let twice = Reply::request("GetRPCMethods", "").id("same");
    let acs = Acs::start(vec![Reply::inform_response(), twice.clone(), twice]).await;
    refused(cpe().session(&acs.url).await, "used twice");
}

#[tokio::test]
async fn the_transport_can_be_odd() {
    let default = HttpOptions::default;
    for options in [
        HttpOptions { reconnect: true, ..default() },
        HttpOptions { chunked: true, ..default() },
        HttpOptions { expect_continue: true, ..default() },
        HttpOptions { expect_continue: true, chunked: true, reconnect: true, ..default() },
    ] {
        let reconnect = options.reconnect;
        let acs = Acs::start(vec![
            Reply::inform_response(),
            Reply::request("GetRPCMethods", "").chunked(),
            Reply::end(),
        ])
        .await;
        let report = cpe_with(http(options)).session(&acs.url).await.unwrap();
        assert_eq!(report.connections, if reconnect { 3 } else { 1 });
        assert!(acs.posts()[0].body.contains("</soapenv:Envelope>"));
    }
}

#[tokio::test]
async fn redirects_are_followed_with_the_same_body() {
    let target = Acs::start(vec![Reply::inform_response(), Reply::end()]).await;
    let acs = Acs::start(vec![Reply::status(307).header("Location", &target.url)]).await;
    cpe().session(&acs.url).await.unwrap();
    assert_eq!(acs.posts()[0].body, target.posts()[0].body);
}

#[tokio::test]
async fn silence_is_not_waited_for_forever() {
    let options = HttpOptions { timeout: Duration::from_millis(50), ..HttpOptions::default() };
    let acs = Acs::start(vec![Reply::silence()]).await;
    let error = cpe_with(http(options)).session(&acs.url).await.unwrap_err();
    assert!(matches!(error, CpeError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn requests_of_the_cpe_come_before_the_empty_post() {
    let acs = Acs::start(vec![
        Reply::inform_response(),
        Reply::response("AutonomousTransferComplete"),
        Reply::end(),
    ])
    .await;
    let mut cpe = cpe();
    let time = "2024-05-01T08:00:00Z";
    let request = CpeRequest::autonomous_transfer_complete("http://f/x", "2 Web Content", time);
    cpe.queue_request(request);
    let report = cpe.session(&acs.url).await.unwrap();
    assert!(report.event_codes().contains(&"10 AUTONOMOUS TRANSFER COMPLETE"));
    assert_eq!(report.own_requests[0].method, "AutonomousTransferComplete");
    assert!(acs.posts()[2].body.is_empty());
}

/// Alternately an InformResponse and the end of the session.
fn session(post: usize) -> Reply {
    if post.is_multiple_of(2) { Reply::inform_response() } else { Reply::end() }
}

#[tokio::test]
async fn a_running_device_informs_by_its_interval_and_on_new_events() {
    let acs = Acs::start((0..8).map(session).collect()).await;
    // A day passes in less than a tenth of a second.
    let options = Options { speed: 1_000_000.0, ..http(HttpOptions::default()) };
    let mut cpe = cpe_with(options);
    let (commands, mut orders) = mpsc::channel(4);
    let (reports, mut outcomes) = mpsc::channel(4);
    let url = acs.url.clone();
    let device = tokio::spawn(async move {
        cpe.run(&url, &mut orders, &reports).await;
    });
    let first = outcomes.recv().await.unwrap().unwrap();
    assert_eq!(first.event_codes(), ["0 BOOTSTRAP", "1 BOOT"]);
    let second = outcomes.recv().await.unwrap().unwrap();
    assert_eq!(second.event_codes(), ["2 PERIODIC"]);
    let name = "Device.DeviceInfo.ProvisioningCode".to_owned();
    commands.send(Command::ValueChange(name, "new".to_owned())).await.unwrap();
    let mut codes = Vec::new();
    while !codes.contains(&"4 VALUE CHANGE".to_owned()) {
        let report = outcomes.recv().await.unwrap().unwrap();
        codes.extend(report.event_codes().into_iter().map(str::to_owned));
    }
    commands.send(Command::Stop).await.unwrap();
    outcomes.close();
    device.await.unwrap();
}
