//! What HTTP asks of the server (TR-069 3.4).

use std::io::Write;

use serde_json::json;
use trellis_cpe::HttpOptions;
use trellis_store::Store;

use super::*;
use crate::raw::{connect_with, values};

const CWMP: (&str, &str) = ("Content-Type", "text/xml; charset=utf-8");

#[tokio::test(flavor = "multi_thread")]
async fn s028_a_soap_action_of_any_form_makes_no_difference() {
    let server = Server::start(&guests());
    let mut answers = Vec::new();
    for action in [None, Some(""), Some("\"\""), Some("\"cwmp:Inform\"")] {
        let mut cpe = connect(&server.url());
        let mut headers = vec![CWMP];
        headers.extend(action.map(|it| ("SOAPAction", it)));
        let body = inform("nothing", "S1");
        answers.push(cpe.post(body.as_bytes(), &headers).await.expect("an answer"));
        assert_eq!(post(&mut cpe, "").await.status, 204);
    }
    let bodies: Vec<_> = answers.iter().map(|it| (it.status, it.text())).collect();
    assert!(bodies.iter().all(|it| *it == bodies[0]), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s029_an_empty_post_with_a_content_type_is_empty() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    assert_eq!(cpe.post(b"", &[CWMP]).await.expect("an answer").status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s030_chunked_bodies_are_accepted() {
    let server = Server::start(&guests());
    let options = HttpOptions { chunked: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    assert_eq!(post(&mut cpe, &inform("four", "S1")).await.status, 200);
    assert!(holds(&post(&mut cpe, "").await, "GetParameterValues"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s031_expect_100_continue_is_answered_without_delay() {
    let server = Server::start(&guests());
    let options = HttpOptions { expect_continue: true, ..HttpOptions::default() };
    let mut cpe = connect_with(&server.url(), options);
    let began = std::time::Instant::now();
    assert_eq!(post(&mut cpe, &inform("nothing", "S1")).await.status, 200);
    assert!(began.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn s033_an_answer_of_20_mb_is_accepted() {
    let server = Server::start(&guests());
    let (mut cpe, asked) = open_with(&server, &inform("remember", "S1")).await;
    let filler = "x".repeat(20 << 20);
    let answer = values_of(
        &asked,
        &[
            ("Device.DeviceInfo.SoftwareVersion", "1.0"),
            ("Device.DeviceInfo.X_00D09E_Log", &filler),
        ],
    );
    assert!(answer.len() > 20_000_000);
    // What is too much for the plugin is not too much for the server.
    assert_eq!(post(&mut cpe, &answer).await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn s034_many_parameters_are_set_in_envelopes_of_at_most_32_kib() {
    let names: Vec<String> = (0..2_000).map(|n| format!("Device.X_00D09E_T.{n}.V")).collect();
    let wanted: Vec<_> = names.iter().map(|name| json!([name, "string", "new"])).collect();
    let server = scripted(&json!([{ "do": "ensure", "values": wanted }]));
    let (mut cpe, mut asked) = open(&server).await;
    let mut set = 0;
    while asked.status == 200 {
        let text = asked.text();
        assert!(asked.body.len() <= 32_768, "{}", asked.body.len());
        let named = names.iter().filter(|name| text.contains(&format!(">{name}<")));
        let named: Vec<_> = named.map(|name| (name.as_str(), "old")).collect();
        let answer = if holds(&asked, "GetParameterValues") {
            values_of(&asked, &named)
        } else {
            set += named.len();
            status(&asked, "SetParameterValues", 0)
        };
        asked = post(&mut cpe, &answer).await;
    }
    assert_eq!((asked.status, set), (204, 2_000));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("compressed");
    encoder.finish().expect("compressed")
}

#[tokio::test(flavor = "multi_thread")]
async fn s035_gzip_and_both_forms_of_deflate_are_accepted() {
    let server = Server::start(&guests());
    let body = inform("nothing", "S1");
    for (coding, bytes) in [
        ("gzip", gzip(body.as_bytes())),
        ("deflate", zlib(body.as_bytes())),
        ("deflate", deflate(body.as_bytes())),
    ] {
        let mut cpe = connect(&server.url());
        let headers = [CWMP, ("Content-Encoding", coding)];
        let answer = cpe.post(&bytes, &headers).await.expect("an answer");
        assert!(holds(&answer, "InformResponse"), "{coding}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s036_an_unknown_content_coding_gets_415() {
    let server = Server::start(&guests());
    let headers = [CWMP, ("Content-Encoding", "br")];
    let mut cpe = connect(&server.url());
    assert_eq!(cpe.post(b"x", &headers).await.expect("an answer").status, 415);
}

#[tokio::test(flavor = "multi_thread")]
async fn s037_a_compressed_bomb_is_stopped_at_the_limit() {
    let server = Server::start(&guests());
    let bomb = gzip(&vec![b' '; 100 << 20]);
    let headers = [CWMP, ("Content-Encoding", "gzip")];
    let mut cpe = connect(&server.url());
    assert_eq!(cpe.post(&bomb, &headers).await.expect("an answer").status, 413);
    assert!(server.resident_mib() < 400, "{} MiB", server.resident_mib());
}

#[tokio::test(flavor = "multi_thread")]
async fn s040_every_fault_of_the_server_has_status_200() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("nothing", "S1")).await;
    let answer = post(&mut cpe, &envelope("2", "<cwmp:Foo></cwmp:Foo>")).await;
    assert!(answer.status == 200 && answer.text().contains("8000"), "{}", answer.text());
    let supported = "<cwmp:SupportedCWMPVersions>2.0</cwmp:SupportedCWMPVersions>";
    let strange = in_namespace(&inform("nothing", "S2"), "urn:dslforum-org:cwmp-1-2", supported);
    let answer = post(&mut connect(&server.url()), &strange).await;
    assert!(answer.status == 200 && answer.text().contains("8006"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn s041_other_methods_than_post_start_no_session_and_get_405() {
    let server = Server::start(&guests());
    for method in ["HEAD", "GET", "PUT"] {
        let mut cpe = connect(&server.url());
        let request = format!("{method} / HTTP/1.1\r\nHost: acs\r\nContent-Length: 0\r\n\r\n");
        cpe.send_raw(request.as_bytes()).await.expect("sent");
        if method == "HEAD" {
            continue;
        }
        let answer = cpe.read_response().await.expect("an answer");
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(post(&mut cpe, &values("1")).await.status, 400, "no session was opened");
    }
}

/// A port that nobody uses at the moment.
fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

#[tokio::test(flavor = "multi_thread")]
async fn s038_a_device_is_sent_to_another_server_which_continues_from_its_message() {
    let target = Server::start(&guests());
    for status in [302_u16, 307] {
        let config = format!(
            "[cwmp]\nredirect-status = {status}\n[[cwmp.redirects]]\n\
             devices = \"00D09E-nothing-S?\"\nto = \"{}acs\"\n",
            target.url()
        );
        let server = Server::with_config(&guests(), &config);
        let mut cpe = connect(&server.url());
        let told = inform("nothing", "S1");
        let sent = post(&mut cpe, &told).await;
        assert_eq!((sent.status, sent.body.len()), (status, 0));
        let location = sent.header("location").expect("a place").to_owned();
        assert!(location.starts_with(&format!("{}acs", target.url())), "{location}");
        // The message again, with every cookie.
        cpe.redirect(&location).expect("a URL");
        let opened = post(&mut cpe, &told).await;
        assert!(opened.text().contains("<cwmp:InformResponse>"), "{}", opened.text());
        assert_eq!(post(&mut cpe, "").await.status, 204);
        // Other devices stay, and nothing is recorded of one that goes.
        let mut other = connect(&server.url());
        assert_eq!(post(&mut other, &inform("nothing", "other")).await.status, 200);
        let (store, _folder) = server.into_store();
        let gone = DeviceKey::from_text("00D09E-nothing-S1");
        assert!(store.device(&gone).await.expect("readable").is_none());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s039_a_device_that_was_sent_on_five_times_is_served() {
    // Two servers that send each other's devices away are here one that sends them to itself.
    let port = free_port();
    let config = format!(
        "[[cwmp.redirects]]\ndevices = \"*\"\nto = \"http://127.0.0.1:{port}/acs?x=1\"\n\
         [[cwmp.listeners]]\nlisten = \"127.0.0.1:{port}\"\n"
    );
    let server = Server::with_config(&guests(), &config);
    let mut cpe = connect(&server.url());
    let told = inform("nothing", "S1");
    let mut answer = post(&mut cpe, &told).await;
    let mut hops = 0;
    while answer.status == 307 {
        hops += 1;
        assert!(hops <= 5, "it never ends");
        let location = answer.header("location").expect("a place").to_owned();
        cpe.redirect(&location).expect("a URL");
        answer = post(&mut cpe, &told).await;
    }
    assert_eq!(hops, 5);
    assert!(answer.text().contains("<cwmp:InformResponse>"), "{}", answer.text());
    assert_eq!(post(&mut cpe, "").await.status, 204);
}
