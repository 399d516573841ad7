//! Outgoing HTTP of plugins: where it is granted, and nowhere else.

use std::path::PathBuf;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::replay::{kept, replayed};
use crate::server::{Server, built, guest, key, until};

/// Serves `/small`, `/endless`, `/silent`, and `/secret/` with so many spaces; counts who came.
async fn origin() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let address = listener.local_addr().expect("an address").to_string();
    let visits = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let count = std::sync::Arc::clone(&visits);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::spawn(async move {
                let mut request = [0; 4_096];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                if request.contains("/silent") {
                    tokio::time::sleep(std::time::Duration::from_secs(30)).await;
                }
                let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
                if request.contains("/endless") {
                    let _ = stream.write_all(format!("{head}\r\n").as_bytes()).await;
                    while stream.write_all(&[b'x'; 10_000]).await.is_ok() {}
                    return;
                }
                if let Some((_, rest)) = request.split_once("/secret/") {
                    let spaces = rest.split(' ').next().and_then(|it| it.parse().ok());
                    let spaces = " ".repeat(spaces.expect("a number"));
                    let body = format!("{spaces}{{\"password\": \"{SECRET}\"}}");
                    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes()).await;
                    return;
                }
                let _ = stream
                    .write_all(format!("{head}Content-Length: 5\r\n\r\nhello").as_bytes())
                    .await;
            });
        }
    });
    (address, visits)
}

/// What an origin tells a plugin, and nobody else.
const SECRET: &str = "heard-from-an-origin";

#[tokio::test(flavor = "multi_thread")]
async fn secrets_heard_over_http_stay_out_of_the_log_though_nothing_or_not_all_is_recorded() {
    let (host, _) = origin().await;
    for (hours, spaces, wanted) in
        [(72, 0, "heard "), (0, 0, "heard "), (72, 300_000, "heard "), (72, 600_000, "(left out: ")]
    {
        let (_folder, plugins) = folder();
        let config = format!(
            "[plugins.transcripts]\nhours = {hours}\n\
             [plugins.http]\nheard-bytes-max = 500000\n[plugins.for.fetcher]\n\
             http = [\"http://{host}\"]\n[plugins.settings.fetcher]\nhost = {host:?}\n\
             path = \"/secret/{spaces}\"\n"
        );
        let server = Server::with_config(&plugins, &config);
        guest("nothing", 1).session(&server.url()).await.expect("a session");
        until("the plugin has told of it", || server.log_text().contains(wanted));
        assert!(!server.log_text().contains(SECRET), "{hours} {spaces}");
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = built("guests-http").join("fetcher.wasm");
    std::fs::copy(file, folder.path().join("fetcher.wasm")).expect("copied");
    let path = folder.path().to_owned();
    (folder, path)
}

/// What a session's plugin fetched, and the fault that the session left, if it left one.
async fn fetched(grant: &str, settings: &str) -> (String, String) {
    let (_folder, plugins) = folder();
    let config = format!(
        "[plugins.http]\nseconds-max = 2\nbody-bytes-max = 100000\nrequests-max = 3\n\
         [plugins.for.fetcher]\nhttp = [{grant:?}]\n[plugins.settings.fetcher]\n{settings}\n"
    );
    let server = Server::with_config(&plugins, &config);
    let mut cpe = guest("nothing", 1);
    cpe.session(&server.url()).await.expect("a session");
    let fetched = server.facts(&key(&cpe), 0)["fetched"].clone();
    let (ok, shown) = server.trellis(&["plugin", "show", "fetcher"]);
    assert!(ok && shown.contains(&format!("granted over HTTP\n  {grant}\n")), "{shown}");
    let faults = server.api_ok("GET", &format!("/devices/{}/faults", key(&cpe)), &Value::Null);
    let fault = &faults[0];
    assert!(fault.is_null() || fault["kind"] == "http", "{fault}");
    (fetched, fault["message"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_fetched_within_limits_of_time_size_and_number() {
    let (host, visits) = origin().await;
    let grant = format!("http://{host}");
    let ask = |path: &str, times: u32| format!("host = {host:?}\npath = {path:?}\ntimes = {times}");
    let (small, fault) = fetched(&grant, &ask("/small", 1)).await;
    assert_eq!((small.as_str(), fault.as_str()), ("200 5 bytes", ""));
    let (endless, fault) = fetched(&grant, &ask("/endless", 1)).await;
    assert!(endless.starts_with("error: after"), "{endless}");
    assert_eq!(fault, "the limit of 100000 bytes for the body of an HTTP answer is reached");
    let (silent, fault) = fetched(&grant, &ask("/silent", 1)).await;
    assert!(silent.contains("imeout"), "{silent}");
    assert_eq!(fault, "an HTTP request took too long; the limit is 2 s");
    let before = visits.load(std::sync::atomic::Ordering::Relaxed);
    let (many, fault) = fetched(&grant, &ask("/small", 5)).await;
    assert!(many.contains("ConnectionLimitReached"), "{many}");
    assert_eq!(fault, "the limit of 3 HTTP requests in one run is reached");
    assert_eq!(visits.load(std::sync::atomic::Ordering::Relaxed) - before, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_origin_than_the_granted_one_is_never_reached() {
    let (host, visits) = origin().await;
    let port = host.split(':').nth(1).expect("a port");
    for (grant, settings) in [
        ("http://127.0.0.1:9".to_owned(), format!("host = {host:?}")),
        (format!("https://{host}"), format!("host = {host:?}")),
        (format!("http://{host}"), format!("host = \"localhost:{port}\"")),
    ] {
        let (denied, fault) = fetched(&grant, &settings).await;
        assert!(denied.contains("HttpRequestDenied"), "{grant}: {denied}");
        assert!(fault.contains("the operator does not grant that origin"), "{grant}: {fault}");
    }
    assert_eq!(visits.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_wants_http_and_is_granted_none_is_refused_with_the_setting_to_change() {
    let (_folder, plugins) = folder();
    let server = Server::start(&plugins);
    let log = server.log_text();
    assert!(log.contains("it imports wasi:http"), "{log}");
    assert!(log.contains("[plugins.for.fetcher] http"), "{log}");
    let refused = crate::server::refused("[plugins.for.x]\nhttp = [\"https://a/path\"]\n");
    assert!(refused.contains("is no origin"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_answered_with_what_was_recorded_and_asks_nobody() {
    for (path, wanted) in [
        ("/small?x=1&api_key=tops3cret", "200 5 bytes"),
        ("/endless", "error: after"),
        ("/silent", "error: "),
    ] {
        let (host, visits) = origin().await;
        let (_folder, plugins) = folder();
        let config = format!(
            "[plugins.http]\nseconds-max = 2\nbody-bytes-max = 100000\n\
             [plugins.for.fetcher]\nhttp = [\"http://{host}\"]\n\
             [plugins.settings.fetcher]\nhost = {host:?}\npath = {path:?}\n"
        );
        let server = Server::with_config(&plugins, &config);
        let mut cpe = guest("nothing", 1);
        cpe.session(&server.url()).await.expect("a session");
        let fetched = server.facts(&key(&cpe), 0)["fetched"].clone();
        assert!(fetched.starts_with(wanted), "{path}: {fetched}");
        until("the transcript is kept", || kept(&server) == 1);
        let stored = server.api_ok("GET", "/transcripts", &Value::Null).to_string();
        assert!(stored.contains(&host) && !stored.contains("tops3cret"), "{stored}");
        let before = visits.load(std::sync::atomic::Ordering::Relaxed);
        let found = replayed(&server, &plugins.join("fetcher.wasm"));
        assert_eq!((&found["runs"], &found["same"]), (&json!(1), &json!(1)), "{path}: {found}");
        assert_eq!(found["unanswered"], 0, "{path}: {found}");
        assert_eq!(visits.load(std::sync::atomic::Ordering::Relaxed), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_has_the_servers_limits_and_is_the_same_where_nobody_has_read_a_body() {
    let (host, _) = origin().await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("bound");
    let closed = nobody.local_addr().expect("an address").to_string();
    drop(nobody);
    let login = format!("user:tops3cret@{host}");
    let long = format!("body = \"{}\"", "x".repeat(1_001));
    for (address, more, wanted) in [
        (&host, long.as_str(), "HttpRequestBodySize"),
        (&login, "", "HttpRequestUriInvalid"),
        (&closed, "body = \"a report\"", "ConnectionRefused"),
        (&host, "body = \"a report\"", "200 5 bytes"),
        // The default is fifty.
        (&host, "times = 60", "200 5 bytes"),
    ] {
        let (_folder, plugins) = folder();
        let config = format!(
            "[plugins.http]\nrequests-max = 100\nbody-bytes-max = 1000\n\
             [plugins.for.fetcher]\nhttp = [\"http://{host}\", \"http://{closed}\"]\n\
             [plugins.settings.fetcher]\nhost = {address:?}\npath = \"/small\"\n{more}\n"
        );
        let server = Server::with_config(&plugins, &config);
        let mut cpe = guest("nothing", 1);
        cpe.session(&server.url()).await.expect("a session");
        let fetched = server.facts(&key(&cpe), 0)["fetched"].clone();
        assert!(fetched.contains(wanted), "{more}: {fetched}");
        until("the transcript is kept", || kept(&server) == 1);
        let found = replayed(&server, &plugins.join("fetcher.wasm"));
        assert_eq!((&found["runs"], &found["same"]), (&json!(1), &json!(1)), "{more}: {found}");
    }
}
