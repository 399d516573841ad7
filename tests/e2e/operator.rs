//! What operators and their tools see.

use trellis_cpe::{Http, HttpOptions};
use trellis_store::DeviceKey;

use crate::raw::{connect, inform, post};
use crate::server::{Server, guest, guests, key};

async fn get(server: &Server, path: &str) -> (u16, String) {
    let address = server.operator();
    let mut http = Http::new(&format!("http://{address}/"), HttpOptions::default()).expect("a URL");
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n");
    http.send_raw(request.as_bytes()).await.expect("sent");
    let answer = http.read_response().await.expect("an answer");
    (answer.status, answer.text())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_server_is_healthy_and_ready() {
    let server = Server::start(&guests());
    assert_eq!(get(&server, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(get(&server, "/readyz").await, (200, "ready\n".to_owned()));
    assert_eq!(get(&server, "/no/such").await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_count_sessions_requests_answers_and_faults() {
    let server = Server::start(&guests());
    guest("remember", 1).session(&server.url()).await.expect("a session");
    guest("error", 2).session(&server.url()).await.expect("a session");
    let mut open = connect(&server.url());
    post(&mut open, &inform("nothing", "S1")).await;
    post(&mut connect(&server.url()), "<nothing").await;
    let (status, text) = get(&server, "/metrics").await;
    assert_eq!(status, 200);
    for wanted in [
        "# HELP trellis_sessions_total Sessions that have ended, by outcome.",
        "trellis_sessions_total{outcome=\"ok\"} 1",
        "trellis_sessions_total{outcome=\"plugin_fault\"} 1",
        "trellis_sessions_open 1",
        "trellis_rpcs_total{method=\"GetParameterValues\",outcome=\"ok\"} 1",
        "trellis_posts_total{status=\"400\"} 1",
        "trellis_plugin_faults_total{plugin=\"scripted\",version=\"7.0.1\",kind=\"error\"} 1",
        "trellis_session_seconds_count 2",
        "trellis_plugin_sessions_total{plugin=\"scripted\",version=\"7.0.1\"} 2",
        "trellis_store_flush_seconds_bucket",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_whose_plugin_failed_says_so_in_the_log_and_to_operators() {
    let server = Server::start(&guests());
    let mut cpe = guest("error", 1);
    cpe.session(&server.url()).await.expect("a session");
    let id = key(&cpe);
    let logged = server.session(&id, 0)["outcome"].as_str().expect("a text").to_owned();
    assert!(logged.starts_with("plugin fault: error: "), "{logged}");
    let path = format!("/devices/{id}/sessions");
    let kept = server.api_ok("GET", &path, &serde_json::Value::Null);
    assert_eq!(kept[0]["outcome"], logged, "{kept}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_is_not_ready_while_its_sessions_finish() {
    let mut server = Server::start(&guests());
    let mut open = connect(&server.url());
    post(&mut open, &inform("nothing", "S1")).await;
    server.terminate();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(2);
    while get(&server, "/readyz").await.0 == 200 {
        assert!(std::time::Instant::now() < deadline, "still ready");
    }
    assert_eq!(post(&mut open, "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn repairs_are_counted_by_the_kind_of_the_device() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    let odd = inform("nothing", "S1").replace("cwmp:EventStruct[1]", "cwmp:EventStruct[9]");
    post(&mut cpe, &odd).await;
    assert_eq!(post(&mut cpe, "").await.status, 204);
    server.session(&DeviceKey::from_text("00D09E-nothing-S1"), 0);
    let (_, text) = get(&server, "/metrics").await;
    let wanted = "trellis_quirks_total{quirk=\"wrong_array_count\",manufacturer=\"Guest\",\
                  product_class=\"nothing\",software_version=\"1.0\"} 1";
    assert!(text.contains(wanted), "{text}");
}
