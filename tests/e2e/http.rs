//! What HTTP asks of the server, and its limits.

use std::time::Duration;

use trellis_cpe::{Http, Response};

use crate::raw::{connect, id, inform, post, values};
use crate::server::{Server, guests};

async fn send(url: &str, head: &str, body: &[u8]) -> Response {
    let mut http = connect(url);
    let mut bytes = format!("{head}\r\nHost: acs\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    http.send_raw(&bytes).await.expect("sent");
    http.read_response().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn only_post_opens_a_session() {
    let server = Server::start(&guests());
    for method in ["GET", "PUT", "DELETE"] {
        let head = format!("{method} / HTTP/1.1\r\nContent-Length: 0");
        let answer = send(&server.url(), &head, b"").await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), Some("POST"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_refused_and_costs_nobody_else() {
    let server = Server::with_config(&guests(), "[cwmp]\nbody-bytes-max = 10000\n");
    let head = "POST / HTTP/1.1\r\nContent-Length: 10001";
    assert_eq!(send(&server.url(), head, b"").await.status, 413);
    let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked";
    let chunk = format!("4e20\r\n{}\r\n0\r\n\r\n", "x".repeat(20_000));
    assert_eq!(send(&server.url(), head, chunk.as_bytes()).await.status, 413);
    let mut cpe = connect(&server.url());
    assert_eq!(post(&mut cpe, &inform("nothing", "S1")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn compressed_bodies_are_read_bombs_are_not_and_unknown_codings_get_415() {
    use std::io::Write;
    let server = Server::with_config(&guests(), "[cwmp]\nbody-bytes-max = 100000\n");
    let inform = inform("nothing", "S1");
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).expect("compressed");
        encoder.finish().expect("compressed")
    };
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(inform.as_bytes()).expect("compressed");
        encoder.finish().expect("compressed")
    };
    let deflate = {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(inform.as_bytes()).expect("compressed");
        encoder.finish().expect("compressed")
    };
    let bomb = gzip(&vec![b' '; 50_000_000]);
    for (coding, body, wanted) in [
        ("gzip", gzip(inform.as_bytes()), 200),
        ("deflate", zlib, 200),
        ("deflate", deflate, 200),
        ("gzip", bomb, 413),
        ("gzip", b"no gzip".to_vec(), 400),
        ("br", b"x".to_vec(), 415),
    ] {
        let length = body.len();
        let head =
            format!("POST / HTTP/1.1\r\nContent-Encoding: {coding}\r\nContent-Length: {length}");
        assert_eq!(send(&server.url(), &head, &body).await.status, wanted, "{coding}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn header_names_go_out_in_title_case_and_the_cookie_has_no_expiry() {
    let server = Server::start(&guests());
    let mut cpe = connect(&server.url());
    let answer = post(&mut cpe, &inform("nothing", "S1")).await;
    let names: Vec<&str> = answer.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.contains(&"Content-Type") && names.contains(&"Set-Cookie"), "{names:?}");
    let cookie = answer.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("trellis-session=") && cookie.ends_with("; Path=/"), "{cookie}");
    assert!(cookie.len() < 64, "{cookie}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_is_taken_only_from_a_device_that_has_a_session() {
    use crate::raw::envelope;
    let server = Server::start(&guests());
    let mut rows = String::new();
    for number in 0..20_000 {
        rows.push_str(&format!(
            "<ParameterValueStruct><Name>Device.X_00D09E_Table.{number}.Value</Name>\
             <Value xsi:type=\"xsd:string\">some text</Value></ParameterValueStruct>"
        ));
    }
    let answer = envelope(
        "1",
        &format!(
            "<cwmp:GetParameterValuesResponse><ParameterList \
             enc:arrayType=\"cwmp:ParameterValueStruct[20000]\">{rows}</ParameterList>\
             </cwmp:GetParameterValuesResponse>"
        ),
    );
    assert!(answer.len() > 2 << 20);
    let mut stranger = connect(&server.url());
    assert_eq!(post(&mut stranger, &answer).await.status, 413);
    let mut cpe = connect(&server.url());
    post(&mut cpe, &inform("four", "S1")).await;
    post(&mut cpe, "").await;
    assert_eq!(post(&mut cpe, &answer).await.status, 200);
}

/// The answer to a body that is sent in pieces with pauses between them, of which `sent` come.
async fn dribble(
    http: &mut Http,
    headers: &str,
    body: &str,
    (sent, pieces): (usize, usize),
    pause: Duration,
) -> Response {
    let length = body.len();
    let head = format!("POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: {length}\r\n{headers}\r\n");
    http.send_raw(head.as_bytes()).await.expect("sent");
    for (number, piece) in body.as_bytes().chunks(length.div_ceil(pieces)).take(sent).enumerate() {
        if number > 0 {
            tokio::time::sleep(pause).await;
        }
        http.send_raw(piece).await.expect("sent");
    }
    http.read_response().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_body_takes_longer_than_its_silence_may_keeps_its_session() {
    let server = Server::with_config(&guests(), "[session]\nsilence-seconds = 30\n");
    let mut cpe = connect(&server.url());
    let opened = post(&mut cpe, &inform("remember", "S1")).await;
    let cookie = opened.header("set-cookie").expect("a cookie").split(';').next().expect("a pair");
    let cookie = format!("Cookie: {cookie}\r\n");
    let asked = id(&post(&mut cpe, "").await);
    let pause = Duration::from_secs(20);
    let answer = dribble(&mut cpe, &cookie, &values(&asked), (3, 3), pause).await;
    assert_eq!(answer.status, 204, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_stops_or_that_is_too_slow_is_refused() {
    let stops = "[cwmp]\nbody-idle-seconds-max = 1\n";
    let slow = "[cwmp]\nbody-seconds-max = 1\nbody-bytes-per-second-min = 1000000\n";
    for config in [stops, slow] {
        let server = Server::with_config(&guests(), config);
        let mut cpe = connect(&server.url());
        let pause = Duration::from_millis(100);
        let answer = dribble(&mut cpe, "", &inform("nothing", "S1"), (4, 20), pause).await;
        assert_eq!(answer.status, 408, "{config}");
        let mut again = connect(&server.url());
        assert_eq!(post(&mut again, &inform("nothing", "S1")).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_no_answers_does_not_keep_its_connection() {
    use tokio::io::AsyncWriteExt;
    let server = Server::with_config(
        &guests(),
        "[cwmp]\nconnections-max = 1\nwrite-seconds-max = 1\nidle-seconds-max = 60\n",
    );
    let address = server.url().replace("http://", "").replace('/', "");
    let mut deaf = tokio::net::TcpStream::connect(&address).await.expect("connected");
    let requests = "GET / HTTP/1.1\r\nHost: acs\r\n\r\n".repeat(1_000);
    let talking = async { while deaf.write_all(requests.as_bytes()).await.is_ok() {} };
    assert!(tokio::time::timeout(Duration::from_secs(20), talking).await.is_ok(), "still open");
    let mut cpe = connect(&server.url());
    assert_eq!(post(&mut cpe, &inform("nothing", "S1")).await.status, 200);
}
