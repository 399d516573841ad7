//! A plugin for tests that fetches what its settings say, and publishes what came of it.

use trellis_plugin::{
    Cpe, Manifest, Matcher, Plugin, Result,
    serde_json::{Value, json},
};
use wasi::http::outgoing_handler::handle;
use wasi::http::types::{Fields, IncomingResponse, Method, OutgoingBody, OutgoingRequest, Scheme};

struct Fetcher;

impl Plugin for Fetcher {
    type Settings = Value;

    fn manifest() -> Manifest {
        Manifest::new("fetcher", "0.1.0")
            .description("Fetches what its settings say")
            .serves(Matcher::new().manufacturer("Guest"))
            .settings(
                json!({ "type": "object" }),
                json!({ "scheme": "http", "host": "", "path": "/" }),
            )
    }

    fn provision(cpe: &mut Cpe, settings: Value) -> Result<()> {
        let text = |name: &str| settings[name].as_str().unwrap_or_default().to_owned();
        let times = settings["times"].as_u64().unwrap_or(1);
        let mut outcome = String::new();
        for _ in 0..times {
            outcome = match fetch(&text("scheme"), &text("host"), &text("path"), &text("body")) {
                Ok((status, body)) => {
                    let end = body.get(body.len().saturating_sub(100)..).unwrap_or_default();
                    cpe.log().info(format!("heard {}", String::from_utf8_lossy(end)));
                    format!("{status} {} bytes", body.len())
                }
                Err(error) => format!("error: {error}"),
            };
        }
        cpe.fact("fetched", outcome)
    }
}

/// The status and the body of what was fetched; what there is of a body is posted.
fn fetch(
    scheme: &str,
    host: &str,
    path: &str,
    body: &str,
) -> core::result::Result<(u16, Vec<u8>), String> {
    let request = OutgoingRequest::new(Fields::new());
    let sent = request.body().map_err(|()| "no body")?;
    if !body.is_empty() {
        request.set_method(&Method::Post).map_err(|()| "method")?;
    }
    let scheme = if scheme == "https" { Scheme::Https } else { Scheme::Http };
    request.set_scheme(Some(&scheme)).map_err(|()| "scheme")?;
    request.set_authority(Some(host)).map_err(|()| "authority")?;
    request.set_path_with_query(Some(path)).map_err(|()| "path")?;
    let answer = handle(request, None).map_err(|error| format!("{error:?}"))?;
    if !body.is_empty() {
        let stream = sent.write().map_err(|()| "no stream")?;
        // Nobody may read it.
        let _ = stream.blocking_write_and_flush(body.as_bytes());
    }
    let _ = OutgoingBody::finish(sent, None);
    answer.subscribe().block();
    let response: IncomingResponse = match answer.get() {
        Some(Ok(Ok(response))) => response,
        Some(Ok(Err(error))) => return Err(format!("{error:?}")),
        _ => return Err("no answer".to_owned()),
    };
    let status = response.status();
    let body = response.consume().map_err(|()| "body")?;
    let stream = body.stream().map_err(|()| "stream")?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(part) => bytes.extend(part),
            Err(wasi::io::streams::StreamError::Closed) => break,
            Err(error) => return Err(format!("after {} bytes: {error:?}", bytes.len())),
        }
    }
    Ok((status, bytes))
}

trellis_plugin::export!(Fetcher);
