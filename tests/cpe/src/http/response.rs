//! Reading one HTTP response, strictly.
//!
//! The reader takes no more than the response's own framing says, so that bytes which belong to
//! no response are seen instead of being swallowed.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

use crate::error::{CpeError, violation};

const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A response as it came.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// `HTTP/1.1` or `HTTP/1.0`.
    pub version: String,
    /// Header names as sent, with their values.
    pub headers: Vec<(String, String)>,
    /// The body, with any chunking undone.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of that name, whatever its letter case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// All headers of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text, with what is not UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server will close the connection after this response.
    #[must_use]
    pub fn closes(&self) -> bool {
        let said = self.header("connection").unwrap_or_default().to_ascii_lowercase();
        let has = |token: &str| said.split(',').any(|part| part.trim() == token);
        has("close") || (self.version == "HTTP/1.0" && !has("keep-alive"))
    }
}

/// Reads one response; an interim 100 is a response of its own.
pub(super) async fn read(
    reader: &mut BufReader<TcpStream>,
    body_bytes_max: usize,
) -> Result<Response, CpeError> {
    let mut head = HEAD_BYTES_MAX;
    let status_line = line(reader, &mut head).await?;
    let mut words = status_line.splitn(3, ' ');
    let version = words.next().unwrap_or_default().to_owned();
    let status = words.next().and_then(|word| word.parse::<u16>().ok());
    let (true, Some(status)) = (matches!(version.as_str(), "HTTP/1.1" | "HTTP/1.0"), status) else {
        return violation(format!("not an HTTP status line: {status_line:?}"));
    };
    let mut headers = Vec::new();
    loop {
        let text = line(reader, &mut head).await?;
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else {
            return violation(format!("not an HTTP header: {text:?}"));
        };
        if name.is_empty() || name.contains(' ') {
            return violation(format!("bad HTTP header name: {name:?}"));
        }
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut response = Response { status, version, headers, body: Vec::new() };
    read_body(reader, &mut response, body_bytes_max).await?;
    Ok(response)
}

async fn read_body(
    reader: &mut BufReader<TcpStream>,
    response: &mut Response,
    body_bytes_max: usize,
) -> Result<(), CpeError> {
    let lengths: Vec<String> = response.all("content-length").map(str::to_owned).collect();
    let coding = response.header("transfer-encoding").map(str::to_ascii_lowercase);
    if matches!(response.status, 100..=199 | 204 | 304) {
        if coding.is_some() || lengths.iter().any(|length| length != "0") {
            return violation(format!("a {} response announces a body", response.status));
        }
        return Ok(());
    }
    if lengths.len() > 1 || (coding.is_some() && !lengths.is_empty()) {
        return violation("a response with more than one framing of its body");
    }
    match (coding.as_deref(), lengths.first()) {
        (Some("chunked"), _) => read_chunks(reader, &mut response.body, body_bytes_max).await,
        (Some(other), _) => violation(format!("unknown Transfer-Encoding {other:?}")),
        (None, Some(length)) => {
            let Ok(length) = length.parse::<usize>() else {
                return violation(format!("Content-Length is not a number: {length:?}"));
            };
            read_exact(reader, &mut response.body, length, body_bytes_max).await
        }
        (None, None) if response.closes() => {
            let limit = u64::try_from(body_bytes_max).unwrap_or(u64::MAX);
            reader
                .take(limit)
                .read_to_end(&mut response.body)
                .await
                .map_err(|source| CpeError::Io { action: "reading the body", source })?;
            Ok(())
        }
        (None, None) => violation("a response with neither Content-Length nor chunked coding"),
    }
}

async fn read_chunks(
    reader: &mut BufReader<TcpStream>,
    body: &mut Vec<u8>,
    body_bytes_max: usize,
) -> Result<(), CpeError> {
    loop {
        let mut limit = 1024;
        let size = line(reader, &mut limit).await?;
        let digits = size.split(';').next().unwrap_or_default().trim();
        let Ok(size) = usize::from_str_radix(digits, 16) else {
            return violation(format!("bad chunk size {digits:?}"));
        };
        if size == 0 {
            break;
        }
        read_exact(reader, body, size, body_bytes_max).await?;
        if !line(reader, &mut limit).await?.is_empty() {
            return violation("a chunk is longer than its size");
        }
    }
    let mut limit = HEAD_BYTES_MAX;
    while !line(reader, &mut limit).await?.is_empty() {}
    Ok(())
}

async fn read_exact(
    reader: &mut BufReader<TcpStream>,
    body: &mut Vec<u8>,
    length: usize,
    body_bytes_max: usize,
) -> Result<(), CpeError> {
    if body.len().saturating_add(length) > body_bytes_max {
        return violation(format!("a body of more than {body_bytes_max} bytes"));
    }
    let wanted = u64::try_from(length).unwrap_or(u64::MAX);
    let got = (&mut *reader)
        .take(wanted)
        .read_to_end(body)
        .await
        .map_err(|source| CpeError::Io { action: "reading the body", source })?;
    if got == length { Ok(()) } else { Err(CpeError::Closed("reading the body")) }
}

/// One line without its CRLF; `budget` counts the bytes still allowed.
async fn line(reader: &mut BufReader<TcpStream>, budget: &mut usize) -> Result<String, CpeError> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(*budget).unwrap_or(u64::MAX);
    let got = (&mut *reader)
        .take(limit)
        .read_until(b'\n', &mut bytes)
        .await
        .map_err(|source| CpeError::Io { action: "reading the response", source })?;
    if got == 0 {
        return Err(CpeError::Closed("waiting for the response"));
    }
    *budget = budget.saturating_sub(got);
    let Some(text) = bytes.strip_suffix(b"\r\n") else {
        return violation("a response line without CRLF, or a head too long");
    };
    match std::str::from_utf8(text) {
        Ok(text) => Ok(text.to_owned()),
        Err(_) => violation("a response head that is not text"),
    }
}
