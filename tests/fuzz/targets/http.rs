//! Whatever comes on a connection, the server answers or hangs up, and goes on serving others.

#![no_main]

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::Duration;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use trellis_session::{Answer, Caller, Credential, Reply, SessionId};
use trellis_southbound::{Handler, Listener, SouthboundSettings};

/// What stands behind the HTTP front: it takes every message.
#[derive(Clone)]
struct Anything;

impl Handler for Anything {
    type Arrival = ();

    fn arrival(&self, cookies: &[SessionId], connection: Option<&SessionId>) -> Option<()> {
        (!cookies.is_empty() || connection.is_some()).then_some(())
    }

    async fn credentials(&self, _username: &str) -> Vec<Credential> {
        Vec::new()
    }

    async fn post(
        &self,
        body: Bytes,
        charset: Option<&str>,
        _arrival: Option<()>,
        _caller: Caller,
        may_redirect: bool,
    ) -> Answer {
        let reply = match trellis_cwmp::decode(&body, charset) {
            Ok(_) if may_redirect => Reply::NoContent,
            Ok(_) => Reply::Empty,
            Err(error) => Reply::BadRequest(error.to_string()),
        };
        Answer { reply, session: Some(SessionId::from_cookie("0123456789abcdef")) }
    }
}

/// How long a connection may stay open once everything was sent.
const PATIENCE: Duration = Duration::from_secs(5);

fn server() -> &'static (Runtime, SocketAddr) {
    static SERVER: OnceLock<(Runtime, SocketAddr)> = OnceLock::new();
    SERVER.get_or_init(|| {
        let runtime = Runtime::new().expect("a runtime");
        let settings = SouthboundSettings {
            body_time: Duration::from_millis(50),
            body_idle: Duration::from_millis(50),
            idle: Duration::from_millis(50),
            session_idle: Duration::from_millis(50),
            ..SouthboundSettings::default()
        };
        let address = runtime.block_on(async {
            let any = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = Listener::bind(any, settings, None).await.expect("a port");
            let address = listener.address().expect("an address");
            tokio::spawn(listener.serve(Anything, CancellationToken::new()));
            address
        });
        (runtime, address)
    })
}

fuzz_target!(|bytes: &[u8]| {
    let (runtime, address) = server();
    runtime.block_on(async {
        let mut stream = TcpStream::connect(address).await.expect("the server listens");
        // The server may have hung up before all is sent.
        let _ = stream.write_all(bytes).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        // A connection that the server resets is over as well.
        let _ = read.expect("the server hangs up");
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1."), "{answer:?}");
    });
});
