//! Many sessions on a bad line: whatever happens to a POST, the device's next session finds its way.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use trellis_cpe::{Http, Response};

use crate::raw::{connect, id, inform, values};
use crate::server::{Server, guests};

const DEVICES: u64 = 500;
const SESSIONS: u64 = 20;
/// Devices that are in a session at once.
const AT_ONCE: u64 = 50;
/// One POST in so many goes wrong.
const ONE_IN: u64 = 10;
/// A device gives up on an answer after this.
const PATIENCE: Duration = Duration::from_secs(30);

/// What happens to a POST.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    Truncated,
    Duplicated,
    Delayed,
    Reordered,
    Garbage,
}

const MISHAPS: [Mishap; 5] =
    [Mishap::Truncated, Mishap::Duplicated, Mishap::Delayed, Mishap::Reordered, Mishap::Garbage];

/// xorshift64*: the same line each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) % limit
    }

    fn mishap(&mut self) -> Option<Mishap> {
        let kind = usize::try_from(self.below(5)).expect("small");
        (self.below(ONE_IN) == 0).then(|| MISHAPS[kind])
    }
}

/// Posts, and gives up when the line is broken.
async fn post(cpe: &mut Http, body: &[u8]) -> Option<Response> {
    let headers: &[(&str, &str)] =
        if body.is_empty() { &[] } else { &[("Content-Type", "text/xml; charset=utf-8")] };
    let answer = tokio::time::timeout(PATIENCE, cpe.post(body, headers)).await;
    answer.expect("an answer, or the end of the connection").ok()
}

/// One POST on the bad line. `None` when the device gives up on the session.
async fn post_badly(cpe: &mut Http, body: &str, chance: &mut Chance) -> Option<Response> {
    let Some(mishap) = chance.mishap() else { return post(cpe, body.as_bytes()).await };
    match mishap {
        Mishap::Truncated => {
            let cookie = cpe.cookies_mut().header().unwrap_or_default();
            let (half, _) = body.as_bytes().split_at(body.len() / 2);
            let head = format!(
                "POST / HTTP/1.1\r\nHost: acs\r\nCookie: {cookie}\r\nContent-Length: {}\r\n\r\n",
                body.len() + 1
            );
            let _ = cpe.send_raw(&[head.as_bytes(), half].concat()).await;
            cpe.close();
            None
        }
        Mishap::Duplicated => {
            post(cpe, body.as_bytes()).await?;
            post(cpe, body.as_bytes()).await
        }
        Mishap::Delayed => {
            tokio::time::sleep(Duration::from_millis(chance.below(200))).await;
            post(cpe, body.as_bytes()).await
        }
        Mishap::Reordered => {
            // What should come next comes first.
            post(cpe, if body.is_empty() { "<late/>" } else { "" }.as_bytes()).await?;
            post(cpe, body.as_bytes()).await
        }
        Mishap::Garbage => {
            let garbage: Vec<u8> = (0..chance.below(2_000))
                .map(|_| u8::try_from(chance.below(256)).expect("a byte"))
                .collect();
            post(cpe, &garbage).await
        }
    }
}

/// One session on the bad line, to wherever it gets.
async fn session(url: &str, inform: &str, chance: &mut Chance) {
    let mut cpe = connect(url);
    let Some(mut answer) = post_badly(&mut cpe, inform, chance).await else { return };
    if answer.status != 200 {
        return;
    }
    let mut next = String::new();
    loop {
        match post_badly(&mut cpe, &next, chance).await {
            Some(asked) if asked.status == 200 => answer = asked,
            _ => return,
        }
        if !answer.text().contains("<cwmp:GetParameterValues>") {
            return;
        }
        next = values(&id(&answer));
    }
}

/// One session on a good line; tells how many requests the server had.
async fn good_session(url: &str, inform: &str) -> usize {
    let mut cpe = connect(url);
    let opened = post(&mut cpe, inform.as_bytes()).await.expect("an answer");
    assert!(
        opened.text().contains("<cwmp:InformResponse>"),
        "{}: {}",
        opened.status,
        opened.text()
    );
    let mut requests = 0;
    let mut answer = post(&mut cpe, b"").await.expect("an answer");
    while answer.status == 200 {
        requests += 1;
        answer = post(&mut cpe, values(&id(&answer)).as_bytes()).await.expect("an answer");
    }
    assert_eq!(answer.status, 204, "{}", answer.text());
    requests
}

#[tokio::test(flavor = "multi_thread")]
async fn after_10000_sessions_on_a_bad_line_every_device_opens_its_next_one_at_once() {
    let server = Server::start(&guests());
    let next = Arc::new(AtomicU64::new(0));
    let mut lines = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (url, next) = (server.url(), Arc::clone(&next));
        lines.spawn(async move {
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= DEVICES {
                    return;
                }
                let told = inform("four", &format!("S{number}"));
                let mut chance = Chance(0x9e37_79b9_7f4a_7c15 ^ (number + 1));
                for _ in 0..SESSIONS {
                    session(&url, &told, &mut chance).await;
                }
                // Whatever the last one left behind.
                assert_eq!(good_session(&url, &told).await, 4, "device {number}");
            }
        });
    }
    while let Some(ended) = lines.join_next().await {
        ended.expect("every device is content");
    }
}
