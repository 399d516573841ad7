//! Broken input of every kind: a status or a fault, never a hang, and the next Inform works.

use std::time::Duration;

use crate::raw::{connect, envelope, inform, post, post_bytes};
use crate::server::{Server, guests};

fn broken() -> Vec<Vec<u8>> {
    let good = inform("four", "S1");
    let mut bodies: Vec<Vec<u8>> = vec![
        b"{\"no\":\"xml\"}".to_vec(),
        b"<html><body>captive portal</body></html>".to_vec(),
        b"<".to_vec(),
        b"<a".to_vec(),
        b"\0\0\0\0".to_vec(),
        b"\xff\xfe\xfa".to_vec(),
        good.replace("soap/envelope/", "nothing/").into_bytes(),
        good.replace(
            "http://schemas.xmlsoap.org/soap/envelope/",
            "http://www.w3.org/2003/05/soap-envelope",
        )
        .into_bytes(),
        format!("<!DOCTYPE a [<!ENTITY x \"y\">]>{good}").into_bytes(),
        good.replace("soap:Body", "soap:Nobody").into_bytes(),
        good.replace("<soap:Body>", "<soap:Body></soap:Body><soap:Body>").into_bytes(),
        envelope("1", "").into_bytes(),
        envelope("1", "<cwmp:Inform></cwmp:Inform>").into_bytes(),
        envelope("1", "<cwmp:Inform><DeviceId><OUI>x</OUI></DeviceId></cwmp:Inform>").into_bytes(),
        envelope("1", &"<x>".repeat(50_000)).into_bytes(),
        envelope("1", &format!("<cwmp:Inform {}></cwmp:Inform>", "a='b' ".repeat(10_000)))
            .into_bytes(),
        good.replace("2 PERIODIC", &"&amp;".repeat(20_000)).into_bytes(),
        good.replace("S1", &"S".repeat(100_000)).into_bytes(),
    ];
    // Cut off at every sixteenth byte.
    bodies.extend((1..good.len()).step_by(16).map(|end| good.as_bytes()[..end].to_vec()));
    // With one byte changed.
    bodies.extend((0..good.len()).step_by(7).map(|at| {
        let mut bytes = good.clone().into_bytes();
        bytes[at] ^= 0x15;
        bytes
    }));
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_messages_get_a_status_or_a_fault_and_never_block_the_next_inform() {
    let server = Server::start(&guests());
    let bodies = broken();
    println!("{} broken bodies", bodies.len());
    for body in bodies {
        let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
        // As the first message, and within a session.
        for in_session in [false, true] {
            let mut cpe = connect(&server.url());
            if in_session {
                post(&mut cpe, &inform("four", "S1")).await;
                post(&mut cpe, "").await;
            }
            let answer = tokio::time::timeout(Duration::from_secs(20), post_bytes(&mut cpe, &body))
                .await
                .unwrap_or_else(|_| panic!("no answer to {shown}"));
            assert!(matches!(answer.status, 200 | 204 | 400), "{} to {shown}", answer.status);
            let mut next = connect(&server.url());
            let answer = post(&mut next, &inform("four", "S1")).await;
            assert!(answer.text().contains("InformResponse"), "after {shown}: {}", answer.text());
        }
    }
    let log = server.log_text();
    assert!(!log.contains("panicked"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_half_a_request_and_hangs_up_leaves_the_device_free() {
    let server = Server::start(&guests());
    let body = inform("four", "S1");
    for end in [1, 20, 100, 400] {
        let mut cpe = connect(&server.url());
        let mut bytes =
            format!("POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: {}\r\n\r\n", body.len())
                .into_bytes();
        bytes.extend_from_slice(body.as_bytes());
        bytes.truncate(end);
        cpe.send_raw(&bytes).await.expect("sent");
        cpe.close();
    }
    // An Inform whose answer nobody reads.
    let mut cpe = connect(&server.url());
    cpe.send_raw(
        format!("POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: {}\r\n\r\n{body}", body.len())
            .as_bytes(),
    )
    .await
    .expect("sent");
    cpe.close();
    // That Inform may come to its turn after this one, and end its session: devices try again.
    let mut answer = String::new();
    for _ in 0..3 {
        answer = post(&mut connect(&server.url()), &body).await.text();
        if answer.contains("InformResponse") {
            return;
        }
    }
    panic!("{answer}");
}
