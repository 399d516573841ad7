//! Connection requests (TR-069 3.2.2): the device listens, and the server calls.

use std::sync::{Arc, Mutex};

use md5::{Digest as _, Md5};
use serde_json::Value as Json;
use sha2::Sha256;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use trellis_cpe::{Http, HttpOptions};
use trellis_store::DeviceKey;

use super::{holds, status, with_events, with_parameter};
use crate::raw::{connect, inform, post};
use crate::server::{Server, guests};

/// Devices may be on this machine, and have a login from elsewhere.
const CONFIG: &str = "[connection-request]\ndeny = []\ngive-logins = false\n\
    [[connection-request.logins]]\nusername = \"crUser\"\npassword = \"crPass\"\n";

const NONCE: &str = "dcd98b7102dd2f0e8b11d0f600bfb0c093";

/// A device that listens: what it hears, and what it answers to each request in turn.
struct Listening {
    address: String,
    heard: Arc<Mutex<Vec<String>>>,
}

impl Listening {
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let heard = Arc::default();
        let script: Vec<String> = answers.iter().map(|it| (*it).to_owned()).collect();
        let shared = Arc::clone(&heard);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(listen(stream, script.clone(), Arc::clone(&shared)));
            }
        });
        Self { address, heard }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().expect("no panic").clone()
    }
}

/// Answers what comes on one connection until an answer says that it is the last.
async fn listen(mut stream: TcpStream, script: Vec<String>, heard: Arc<Mutex<Vec<String>>>) {
    let mut request = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        match stream.read(&mut bytes).await {
            Ok(count) if count > 0 => request.extend_from_slice(&bytes[..count]),
            _ => return,
        }
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8(std::mem::take(&mut request)).expect("text");
        let answer = {
            let mut heard = heard.lock().expect("no panic");
            heard.push(text);
            script.get(heard.len() - 1).cloned()
        };
        let Some(answer) = answer else { return };
        stream.write_all(answer.as_bytes()).await.expect("written");
        if answer.contains("Connection: close") {
            return;
        }
    }
}

fn answer_of(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\n\r\n")
}

fn challenge(parameters: &str) -> String {
    let challenge = format!("WWW-Authenticate: Digest realm=\"cpe\", {parameters}\r\n");
    answer_of("401 Unauthorized", &challenge)
}

fn md5_challenge() -> String {
    challenge(&format!("qop=\"auth\", nonce=\"{NONCE}\""))
}

/// Lets a device that listens at a URL tell the server so, with these events.
async fn tell(server: &Server, serial: &str, url: &str, events: &[(&str, &str)]) {
    let told = inform("nothing", serial);
    let told = with_parameter(&told, "Device.ManagementServer.ConnectionRequestURL", url);
    let mut cpe = connect(&server.url());
    assert_eq!(post(&mut cpe, &with_events(&told, events)).await.status, 200);
    assert_eq!(post(&mut cpe, "").await.status, 204);
}

fn key(serial: &str) -> DeviceKey {
    DeviceKey::from_text(format!("00D09E-nothing-{serial}"))
}

/// Asks the server to call a device, with a token.
async fn call_with(server: &Server, device: &str, token: &str) -> (u16, Json) {
    let address = server.operator();
    let mut http = Http::new(&format!("http://{address}/"), HttpOptions::default()).expect("a URL");
    let request = format!(
        "POST /devices/{device}/connection-request HTTP/1.1\r\nHost: {address}\r\n\
         Authorization: Bearer {token}\r\nContent-Length: 0\r\n\r\n"
    );
    http.send_raw(request.as_bytes()).await.expect("sent");
    let answer = http.read_response().await.expect("an answer");
    (answer.status, serde_json::from_str(&answer.text()).expect("JSON"))
}

/// What becomes of a call of a device.
async fn call(server: &Server, serial: &str) -> Json {
    let (status, said) = call_with(server, key(serial).as_str(), &server.token()).await;
    assert_eq!(status, 200, "{said}");
    said
}

/// Calls a device that answers like this, and returns the outcome and what it heard.
async fn outcome(server: &Server, serial: &str, answers: &[&str]) -> (String, Vec<String>) {
    let cpe = Listening::start(answers).await;
    tell(server, serial, &cpe.url("/a1b2c3"), &[("2 PERIODIC", "")]).await;
    let said = call(server, serial).await;
    (said["outcome"].as_str().expect("a word").to_owned(), cpe.heard())
}

/// A parameter of a request's Authorization.
fn parameter<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    let line = request.lines().find(|line| line.starts_with("Authorization: Digest "))?;
    let parameters = line["Authorization: Digest ".len()..].split(", ");
    let found = parameters.filter_map(|it| it.split_once('=')).find(|(it, _)| *it == name)?;
    Some(found.1.trim_matches('"'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn md5(text: &str) -> String {
    hex(&Md5::digest(text.as_bytes()))
}

fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

/// Holds a request's response against RFC 7616 (RFC 2069 where there is no qop).
fn proves(request: &str, hash: Hash, is_session: bool, login: (&str, &str)) {
    let of = |name: &str| parameter(request, name).unwrap_or_else(|| panic!("{name}: {request}"));
    let (username, password) = login;
    assert_eq!(of("username"), username);
    let target = request.split(' ').nth(1).expect("a target");
    assert_eq!(of("uri"), target, "the uri is the request target");
    let mut ha1 = hash(&format!("{username}:{}:{password}", of("realm")));
    if is_session {
        ha1 = hash(&format!("{ha1}:{}:{}", of("nonce"), of("cnonce")));
    }
    let ha2 = hash(&format!("GET:{target}"));
    let rest = match parameter(request, "qop") {
        Some(qop) => format!("{}:{}:{}:{qop}:{ha2}", of("nonce"), of("nc"), of("cnonce")),
        None => format!("{}:{ha2}", of("nonce")),
    };
    assert_eq!(of("response"), hash(&format!("{ha1}:{rest}")), "{request}");
}

type Hash = fn(&str) -> String;

const LOGIN: (&str, &str) = ("crUser", "crPass");

#[tokio::test(flavor = "multi_thread")]
async fn s112_a_device_is_called_by_a_get_of_its_exact_url_and_its_digest_challenge_is_answered() {
    let server = Server::with_config(&guests(), CONFIG);
    let no_content = answer_of("204 No Content", "");
    let cpe = Listening::start(&[&md5_challenge(), &no_content]).await;
    tell(&server, "1", &cpe.url("/x?y=z"), &[("2 PERIODIC", "")]).await;
    assert_eq!(call(&server, "1").await["outcome"], "accepted");
    let heard = cpe.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    for request in &heard {
        assert!(request.starts_with("GET /x?y=z HTTP/1.1\r\n"), "{request}");
        assert!(request.contains(&format!("\r\nHost: {}\r\n", cpe.address)), "{request}");
        assert!(!request.contains("Content-Length"), "no body is announced: {request}");
    }
    proves(&heard[1], md5, false, LOGIN);
    assert_eq!(parameter(&heard[1], "qop"), Some("auth"));
    assert_eq!(parameter(&heard[1], "nc"), Some("00000001"));
    assert!(heard[1].contains(", qop=auth, ") && heard[1].contains(", nc=00000001, "), "no quotes");
}

#[tokio::test(flavor = "multi_thread")]
async fn s113_what_a_device_answers_to_a_connection_request_is_told_apart() {
    let server = Server::with_config(&guests(), CONFIG);
    let close = "Connection: close\r\n";
    let odd = "HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nhello";
    let (question, bad) =
        (md5_challenge(), challenge(&format!("qop=\"auth\", nonce=\"{NONCE}2\"")));
    let closing = question.replace("Content-Length", "Connection: close\r\nContent-Length");
    for (number, (answers, wanted, requests)) in [
        (vec![question.clone(), answer_of("200 OK", "")], "accepted", 2),
        (vec![question.clone(), answer_of("204 No Content", "")], "accepted", 2),
        (vec![closing, answer_of("200 OK", close)], "accepted", 2),
        (vec![answer_of("200 OK", "")], "accepted", 1),
        (vec![odd.to_owned()], "accepted", 1),
        (vec!["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nit".to_owned()], "accepted", 1),
        (vec![answer_of("503 Service Unavailable", "")], "busy", 1),
        (vec![question.clone(), answer_of("503 Service Unavailable", "")], "busy", 2),
        (vec![question.clone(), bad], "bad-credentials", 2),
        (vec![answer_of("404 Not Found", "")], "unexpected-answer", 1),
        (vec![], "unreachable", 1),
    ]
    .into_iter()
    .enumerate()
    {
        let answers: Vec<&str> = answers.iter().map(String::as_str).collect();
        let (said, heard) = outcome(&server, &number.to_string(), &answers).await;
        assert_eq!((said.as_str(), heard.len()), (wanted, requests), "{answers:?}: {heard:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s114_a_device_that_accepted_is_not_called_again_until_it_came_or_30_seconds_are_over() {
    let server = Server::with_config(&guests(), CONFIG);
    let ok = answer_of("200 OK", "");
    let cpe = Listening::start(&[&ok, &ok]).await;
    tell(&server, "1", &cpe.url("/"), &[("2 PERIODIC", "")]).await;
    assert_eq!(call(&server, "1").await["outcome"], "accepted");
    assert_eq!(call(&server, "1").await["outcome"], "waiting");
    // A session for another reason does not satisfy it.
    tell(&server, "1", &cpe.url("/"), &[("4 VALUE CHANGE", "")]).await;
    let said = call(&server, "1").await;
    assert_eq!(said["outcome"], "waiting", "{said}");
    assert_eq!(cpe.heard().len(), 1, "one request went out");
    tell(&server, "1", &cpe.url("/"), &[("6 CONNECTION REQUEST", "")]).await;
    assert_eq!(call(&server, "1").await["outcome"], "accepted");
    assert_eq!(cpe.heard().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn s115_a_device_in_a_session_is_not_called() {
    let server = Server::with_config(&guests(), CONFIG);
    let cpe = Listening::start(&[&answer_of("200 OK", "")]).await;
    let told = inform("nothing", "1");
    let url = "Device.ManagementServer.ConnectionRequestURL";
    let told = with_parameter(&told, url, &cpe.url("/"));
    let mut session = connect(&server.url());
    assert_eq!(post(&mut session, &told).await.status, 200);
    let said = call(&server, "1").await;
    assert_eq!(said["outcome"], "in-session", "{said}");
    assert_eq!(post(&mut session, "").await.status, 204);
    assert!(cpe.heard().is_empty(), "nothing was sent");
    assert_eq!(call(&server, "1").await["outcome"], "accepted", "now it is");
}

#[tokio::test(flavor = "multi_thread")]
async fn s116_an_https_or_empty_url_is_not_called() {
    let server = Server::with_config(&guests(), CONFIG);
    let cpe = Listening::start(&[&answer_of("200 OK", "")]).await;
    let https = cpe.url("/").replace("http:", "https:");
    let user = cpe.url("/").replace("http://", "http://user:password@");
    for (number, url) in ["", &https, &user, "nonsense"].into_iter().enumerate() {
        let serial = number.to_string();
        tell(&server, &serial, url, &[("2 PERIODIC", "")]).await;
        assert_eq!(call(&server, &serial).await["outcome"], "no-url", "{url}");
    }
    assert!(cpe.heard().is_empty(), "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn s117_every_form_of_digest_is_answered() {
    let server = Server::with_config(&guests(), CONFIG);
    let ok = answer_of("200 OK", "");
    let with = |more: &str| challenge(&format!("nonce=\"{NONCE}\"{more}"));
    let second = ", qop=\"auth\", algorithm=SHA-256";
    let two = challenge(&format!("nonce=\"{NONCE}\", qop=\"auth\", algorithm=MD5"));
    let also = format!("WWW-Authenticate: Digest realm=\"cpe\", nonce=\"{NONCE}\"{second}\r\n");
    let two = two.replace("Content-Length", &format!("{also}Content-Length"));
    let one_line = format!(", qop=\"auth\", Digest realm=\"cpe\", nonce=\"{NONCE}\"{second}");
    let with_basic = format!("Basic realm=\"cpe\", Digest realm=\"cpe\", nonce=\"{NONCE}\"");
    let with_basic = answer_of("401 Unauthorized", &format!("WWW-Authenticate: {with_basic}\r\n"));
    let forms: [(String, Hash, bool); 11] = [
        (with(second), sha256, false),
        (with(", qop=\"auth\", algorithm=MD5"), md5, false),
        (with(", qop=auth, algorithm=\"MD5\""), md5, false),
        (with(", qop=\"auth,auth-int\""), md5, false),
        (with(", qop=\"auth\", algorithm=MD5-sess"), md5, true),
        (with(", qop=\"auth\", algorithm=SHA-256-sess"), sha256, true),
        (with(""), md5, false),
        (with(", opaque=\"5ccc\""), md5, false),
        // Of two, the one that the device names first is what it likes best.
        (two, md5, false),
        (with(&one_line), md5, false),
        (with_basic, md5, false),
    ];
    for (number, (question, hash, is_session)) in forms.into_iter().enumerate() {
        let (said, heard) = outcome(&server, &number.to_string(), &[&question, &ok]).await;
        assert_eq!((said.as_str(), heard.len()), ("accepted", 2), "{question}");
        if parameter(&heard[1], "qop") != Some("auth-int") {
            proves(&heard[1], hash, is_session, LOGIN);
        }
        let opaque = question.contains("opaque").then_some("5ccc");
        assert_eq!(parameter(&heard[1], "opaque"), opaque, "{}", heard[1]);
    }
    // A challenge that was too old is not a wrong password.
    let stale = challenge("qop=\"auth\", nonce=\"another\", stale=true");
    let (said, heard) = outcome(&server, "stale", &[&md5_challenge(), &stale, &ok]).await;
    assert_eq!((said.as_str(), heard.len()), ("accepted", 3));
    assert_eq!(parameter(&heard[2], "nonce"), Some("another"));
    proves(&heard[2], md5, false, LOGIN);
    // Without Digest, no password is sent.
    let basic = answer_of("401 Unauthorized", "WWW-Authenticate: Basic realm=\"cpe\"\r\n");
    let (said, heard) = outcome(&server, "basic", &[&basic, &ok]).await;
    assert_eq!((said.as_str(), heard.len()), ("unreachable", 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn s118_only_allowed_networks_are_called_and_redirects_are_not_followed() {
    let cpe = Listening::start(&[&answer_of("200 OK", "")]).await;
    let port = cpe.address.rsplit_once(':').expect("a port").1;
    let logins = CONFIG.replace("deny = []\n", "");
    let server = Server::with_config(&guests(), &logins);
    for (number, host) in
        ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "0.0.0.0"]
            .into_iter()
            .enumerate()
    {
        let serial = number.to_string();
        let url = format!("http://{host}:{port}/latest/meta-data");
        tell(&server, &serial, &url, &[("2 PERIODIC", "")]).await;
        assert_eq!(call(&server, &serial).await["outcome"], "not-allowed", "{host}");
    }
    assert!(cpe.heard().is_empty(), "nothing was sent");

    let server = Server::with_config(&guests(), CONFIG);
    for status in ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"] {
        let moved = answer_of(status, &format!("Location: {}\r\n", cpe.url("/")));
        let (said, heard) = outcome(&server, &status[..3], &[&moved]).await;
        assert_eq!((said.as_str(), heard.len()), ("unexpected-answer", 1), "{status}");
    }
    assert!(cpe.heard().is_empty(), "nothing was followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn s122_an_address_for_udp_without_a_port_has_port_80_and_without_nat_http_is_used() {
    let server = Server::with_config(&guests(), CONFIG);
    let cpe = Listening::start(&[&answer_of("200 OK", "")]).await;
    let nobody = {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        format!("http://{}/", listener.local_addr().expect("an address"))
    };
    for (serial, url, nat, wanted) in [
        ("1", cpe.url("/"), "0", ("accepted", None)),
        ("2", nobody.clone(), "1", ("unreachable", Some("192.0.2.1:80"))),
        ("3", nobody, "0", ("unreachable", None)),
    ] {
        let told = inform("nothing", serial);
        let server_object = "Device.ManagementServer.";
        let told = with_parameter(&told, &format!("{server_object}ConnectionRequestURL"), &url);
        let udp = format!("{server_object}UDPConnectionRequestAddress");
        let told = with_parameter(&told, &udp, "192.0.2.1");
        let told = with_parameter(&told, &format!("{server_object}NATDetected"), nat);
        let mut session = connect(&server.url());
        assert_eq!(post(&mut session, &told).await.status, 200);
        assert_eq!(post(&mut session, "").await.status, 204);
        let said = call(&server, serial).await;
        assert_eq!(said["outcome"], wanted.0, "{said}");
        let detail = said["detail"].as_str().expect("a text");
        let shown = detail.contains("192.0.2.1").then_some("192.0.2.1:80");
        assert_eq!(shown, wanted.1, "{detail}");
        if let Some(address) = wanted.1 {
            assert!(detail.contains(address), "{detail}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_is_given_a_login_of_its_own_and_is_called_with_it() {
    let server = Server::with_config(&guests(), "[connection-request]\ndeny = []\n");
    let question = md5_challenge();
    let cpe = Listening::start(&[&question, &answer_of("200 OK", "")]).await;
    let mut passwords = Vec::new();
    for (events, is_given) in [("0 BOOTSTRAP", true), ("2 PERIODIC", false), ("0 BOOTSTRAP", true)]
    {
        let told = with_events(&inform("nothing", "1"), &[(events, "")]);
        let url = "Device.ManagementServer.ConnectionRequestURL";
        let told = with_parameter(&told, url, &cpe.url("/"));
        let mut session = connect(&server.url());
        assert_eq!(post(&mut session, &told).await.status, 200);
        let asked = post(&mut session, "").await;
        assert_eq!(holds(&asked, "SetParameterValues"), is_given, "{}", asked.text());
        if !is_given {
            continue;
        }
        let text = asked.text();
        let after = |name: &str| {
            let rest = text.split(&format!("<Name>Device.ManagementServer.{name}</Name>")).nth(1);
            let value = rest.expect("a parameter").split('>').nth(1).expect("a value");
            value.split('<').next().expect("its end").to_owned()
        };
        assert_eq!(after("ConnectionRequestUsername"), "trellis");
        passwords.push(after("ConnectionRequestPassword"));
        assert_eq!(post(&mut session, &status(&asked, "SetParameterValues", 0)).await.status, 204);
    }
    assert_ne!(passwords[0], passwords[1], "a reset makes a new one");
    assert_eq!(call(&server, "1").await["outcome"], "accepted");
    proves(&cpe.heard()[1], md5, false, ("trellis", &passwords[1]));
    assert!(!server.log_text().contains(&passwords[1]), "it is not in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_calls_no_device_without_a_token_and_says_when_there_is_no_such_device() {
    let server = Server::with_config(&guests(), CONFIG);
    for token in ["", "trellis_0000", &format!("{}0", server.token())] {
        let (status, said) = call_with(&server, "00D09E-nothing-1", token).await;
        assert_eq!((status, &said["status"]), (401, &401.into()), "{said}");
    }
    // A key has percent signs of its own: as it is copied, and as a program encodes it.
    tell(&server, "a-b", "", &[("2 PERIODIC", "")]).await;
    for id in ["00D09E-nothing-a%2Db", "00D09E-nothing-a%252Db"] {
        let (status, said) = call_with(&server, id, &server.token()).await;
        assert_eq!((status, &said["outcome"]), (200, &"no-url".into()), "{said}");
    }
    let (status, said) = call_with(&server, "no-such-device", &server.token()).await;
    assert_eq!((status, &said["title"]), (404, &"Not Found".into()), "{said}");
    assert!(!server.log_text().contains(&server.token()), "the token is not in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn q072_a_device_that_comes_before_it_answers_has_accepted() {
    let server = Server::with_config(&guests(), CONFIG);
    // It takes the connection and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    tell(&server, "1", &url, &[("2 PERIODIC", "")]).await;
    let called = async { call(&server, "1").await };
    let comes = async {
        let taken = listener.accept().await.expect("a connection");
        tell(&server, "1", &url, &[("6 CONNECTION REQUEST", "")]).await;
        drop(taken);
    };
    let (said, ()) = tokio::join!(called, comes);
    assert_eq!(said["outcome"], "accepted", "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn q073_a_device_that_hangs_up_after_its_challenge_is_called_again() {
    let server = Server::with_config(&guests(), CONFIG);
    // It does not even say that it will.
    let closing = format!("{}Connection: close", md5_challenge())
        .replace("\r\n\r\nConnection: close", "\r\nX-Note: Connection: close\r\n\r\n");
    let (said, heard) = outcome(&server, "1", &[&closing, &answer_of("200 OK", "")]).await;
    assert_eq!((said.as_str(), heard.len()), ("accepted", 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn q074_each_of_several_logins_is_tried_once() {
    let more = "[[connection-request.logins]]\nusername = \"other\"\npassword = \"pass\"\n";
    let server = Server::with_config(&guests(), &format!("{CONFIG}{more}"));
    let (question, ok) = (md5_challenge(), answer_of("200 OK", ""));
    let (said, heard) = outcome(&server, "1", &[&question, &question, &ok]).await;
    assert_eq!((said.as_str(), heard.len()), ("accepted", 3));
    proves(&heard[1], md5, false, LOGIN);
    proves(&heard[2], md5, false, ("other", "pass"));
    let (said, heard) = outcome(&server, "2", &[&question, &question, &question, &ok]).await;
    assert_eq!((said.as_str(), heard.len()), ("bad-credentials", 3), "and not once more");
}
