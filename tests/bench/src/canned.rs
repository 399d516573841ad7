//! The server's HTTP front with nothing behind it.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;
use trellis_session::{Answer, Caller, Credential, Reply, SessionId};
use trellis_southbound::{Handler, Listener, SouthboundSettings};

use crate::messages;

/// Answers by what was said last on the connection; the "session" counts the requests sent.
#[derive(Clone)]
struct Canned;

/// Serves until killed.
pub(crate) async fn serve(listen: SocketAddr) -> anyhow::Result<()> {
    let listener = Listener::bind(listen, SouthboundSettings::default(), None).await?;
    eprintln!("{}", serde_json::json!({ "cwmp": listener.address()?.to_string() }));
    listener.serve(Canned, CancellationToken::new()).await;
    Ok(())
}

impl Handler for Canned {
    /// What the connection last said.
    type Arrival = u32;

    fn arrival(&self, _cookies: &[SessionId], connection: Option<&SessionId>) -> Option<u32> {
        connection.and_then(|it| it.as_str().rsplit('-').next()?.parse().ok())
    }

    async fn credentials(&self, _username: &str) -> Vec<Credential> {
        Vec::new()
    }

    async fn post(
        &self,
        body: Bytes,
        _charset: Option<&str>,
        arrival: Option<u32>,
        _caller: Caller,
        _may_redirect: bool,
    ) -> Answer {
        let asked = arrival.unwrap_or_default();
        // The only look at the body: what kind of device this is, as far as the script goes.
        let is_inform = body.len() > messages::VALUES.len() + 200;
        let requests = if is_inform { messages::requests_wanted(&body) } else { asked / 100 };
        let sent = if is_inform { 0 } else { asked % 100 };
        let (reply, sent) = if is_inform {
            (Reply::Envelope(messages::INFORM_RESPONSE.as_bytes().to_vec()), sent)
        } else if sent < requests {
            (Reply::Envelope(messages::REQUEST.as_bytes().to_vec()), sent + 1)
        } else {
            (Reply::NoContent, 0)
        };
        let state = requests * 100 + sent;
        let session = SessionId::from_cookie(&format!("0123456789abcdef0123456789-{state}"));
        Answer { reply, session: Some(session) }
    }
}
