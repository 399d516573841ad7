//! What real devices do with HTTP that the standard does not have.

use std::io::Write;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use trellis_cpe::HttpOptions;

use super::*;
use crate::raw::{connect_with, post_bytes};

const CWMP: (&str, &str) = ("Content-Type", "text/xml; charset=utf-8");

/// Posts with one more header.
async fn post_with(cpe: &mut Http, body: &str, header: (&str, &str)) -> Response {
    cpe.post(body.as_bytes(), &[CWMP, header]).await.expect("an answer")
}

/// A device that keeps no cookies by itself.
fn without_cookies(server: &Server) -> Http {
    connect_with(&server.url(), HttpOptions { cookies: false, ..HttpOptions::default() })
}

/// The cookie of a session, as `name=value`.
fn cookie(answer: &Response) -> String {
    let header = answer.header("set-cookie").expect("a cookie");
    header.split(';').next().expect("a pair").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn q001_a_cookie_of_the_old_form_names_its_session() {
    let server = Server::start(&guests());
    for form in
        ["$Version=\"1\"; NAME=\"VALUE\"; $Path=\"/\"", "other=1, NAME=VALUE", "NAME=\"VALUE\""]
    {
        let opened = post(&mut without_cookies(&server), &inform("four", "S1")).await;
        let cookie = cookie(&opened);
        let (name, value) = cookie.split_once('=').expect("a pair");
        let header = form.replace("NAME", name).replace("VALUE", value);
        // Another connection: only the cookie can tell.
        let asked = post_with(&mut without_cookies(&server), "", ("Cookie", &header)).await;
        assert!(holds(&asked, "GetParameterValues"), "{form}: {}", asked.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q003_a_cookie_of_an_old_session_does_not_hold_up_a_new_one() {
    let server = Server::start(&guests());
    let mut cpe = without_cookies(&server);
    let opened = post(&mut cpe, &inform("nothing", "S1")).await;
    let old = cookie(&opened);
    assert_eq!(post(&mut cpe, "").await.status, 204);
    let again = post_with(&mut cpe, &inform("nothing", "S1"), ("Cookie", &old)).await;
    assert!(holds(&again, "InformResponse"), "{}", again.text());
    assert_ne!(cookie(&again), old);
}

#[tokio::test(flavor = "multi_thread")]
async fn q006_a_session_may_use_a_connection_for_each_post() {
    let server = Server::start(&guests());
    let options = HttpOptions { reconnect: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    post(&mut cpe, &inform("four", "S1")).await;
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
    assert_eq!(cpe.connections(), 2);
    // HTTP/1.0, which closes after each answer.
    let opened = post(&mut without_cookies(&server), &inform("four", "S2")).await;
    let mut old = without_cookies(&server);
    let cookie = cookie(&opened);
    let request = format!("POST / HTTP/1.0\r\nCookie: {cookie}\r\nContent-Length: 0\r\n\r\n");
    old.send_raw(request.as_bytes()).await.expect("sent");
    assert!(holds(&old.read_response().await.expect("an answer"), "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn q007_a_session_goes_on_from_another_address() {
    let server = Server::start(&guests());
    let opened = post(&mut without_cookies(&server), &inform("four", "S1")).await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.9:0".parse().expect("an address")).expect("bound");
    let address = server.addresses().remove(0).parse().expect("an address");
    let mut stream = socket.connect(address).await.expect("connected");
    let request = format!(
        "POST / HTTP/1.1\r\nHost: acs\r\nCookie: {}\r\nContent-Length: 0\r\n\r\n",
        cookie(&opened)
    );
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).await.expect("an answer");
    let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
    assert!(text.contains("<cwmp:GetParameterValues>"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn q008_a_device_that_lost_its_connection_begins_anew_at_once() {
    let server = Server::start(&guests());
    let mut lost = connect(&server.url());
    post(&mut lost, &inform("four", "S1")).await;
    post(&mut lost, "").await;
    lost.close();
    let mut cpe = connect(&server.url());
    assert!(holds(&post(&mut cpe, &inform("four", "S1")).await, "InformResponse"));
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn q014_the_soap_action_may_be_anything() {
    let server = Server::start(&guests());
    for action in ["", "\"\"", "cwmp:Inform", "urn:nonsense"] {
        let body = inform("nothing", "S1");
        let answer = post_with(&mut connect(&server.url()), &body, ("SOAPAction", action)).await;
        assert!(holds(&answer, "InformResponse"), "{action}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q015_bodies_may_come_in_chunks() {
    let server = Server::start(&guests());
    let options = HttpOptions { chunked: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    assert!(holds(&post(&mut cpe, &inform("nothing", "S1")).await, "InformResponse"));
    assert_eq!(post(&mut cpe, "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn q016_a_device_may_wait_to_be_told_to_go_on() {
    let server = Server::start(&guests());
    let options = HttpOptions { expect_continue: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    assert!(holds(&post(&mut cpe, &inform("nothing", "S1")).await, "InformResponse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn q017_bodies_may_be_compressed() {
    let server = Server::start(&guests());
    let body = inform("nothing", "S1");
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(body.as_bytes()).expect("written");
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    zlib.write_all(body.as_bytes()).expect("written");
    for (coding, bytes) in [("gzip", gzip.finish()), ("deflate", zlib.finish())] {
        let bytes = bytes.expect("compressed");
        let headers = [CWMP, ("Content-Encoding", coding)];
        let answer = connect(&server.url()).post(&bytes, &headers).await.expect("an answer");
        assert!(holds(&answer, "InformResponse"), "{coding}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q021_an_empty_post_after_the_end_opens_nothing_and_disturbs_nothing() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    assert_eq!(post(&mut cpe, "").await.status, 204);
    assert_eq!(post(&mut cpe, "").await.status, 400);
    assert!(holds(&post(&mut cpe, &inform("nothing", "S1")).await, "InformResponse"));
}

#[tokio::test(flavor = "multi_thread")]
async fn q022_a_device_that_follows_redirects_is_served_where_it_is_sent() {
    let target = Server::start(&guests());
    let rule = format!("[[cwmp.redirects]]\ndevices = \"*\"\nto = \"{}\"\n", target.url());
    let server = Server::with_config(&guests(), &rule);
    let mut cpe = crate::server::guest("nothing", 1);
    cpe.session(&server.url()).await.expect("a session");
    let session = target.session(&crate::server::key(&cpe), 0);
    assert_eq!(session["outcome"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn q025_an_answer_of_9_mb_that_comes_in_pieces_is_taken() {
    let server = scripted(&json!([{ "do": "get", "names": ["Device."] }]));
    let options = HttpOptions { chunked: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    post(&mut cpe, &script_inform()).await;
    let asked = post(&mut cpe, "").await;
    let text = "x".repeat(1_000);
    let names: Vec<String> = (0..9_000).map(|n| format!("Device.P{n}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), text.as_str())).collect();
    let answer = post_bytes(&mut cpe, values_of(&asked, &rows).as_bytes()).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}
