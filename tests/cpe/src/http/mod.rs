//! A small HTTP/1.1 client over a bare socket.
//!
//! A library would repair what it sends and forgive what it reads. A CPE for tests must be able
//! to send odd bytes and has to notice every odd answer, so the client is written out here: one
//! request at a time, one connection, a deadline on every wait.

mod cookies;
mod response;
mod url;

use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

pub use self::cookies::{COOKIE_BYTES_MAX, Cookies};
pub use self::response::Response;
pub use self::url::Url;
use crate::error::{CpeError, violation};

/// How the client behaves; the defaults are those of a decent CPE.
#[derive(Debug, Clone)]
pub struct HttpOptions {
    /// Whether cookies are kept and returned.
    pub cookies: bool,
    /// Whether each request uses a connection of its own.
    pub reconnect: bool,
    /// Whether bodies are sent chunked rather than with Content-Length.
    pub chunked: bool,
    /// Whether `Expect: 100-continue` is sent, and waited for, before a body.
    pub expect_continue: bool,
    /// How long to wait for the connection, and for each response.
    pub timeout: Duration,
    /// The longest body taken from the ACS.
    pub body_bytes_max: usize,
    /// The User-Agent header.
    pub user_agent: &'static str,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            cookies: true,
            reconnect: false,
            chunked: false,
            expect_continue: false,
            timeout: Duration::from_secs(30),
            body_bytes_max: 16 * 1024 * 1024,
            user_agent: "trellis-cpe",
        }
    }
}

/// A client for one ACS, with at most one open connection.
#[derive(Debug)]
pub struct Http {
    url: Url,
    options: HttpOptions,
    connection: Option<BufReader<TcpStream>>,
    cookies: Cookies,
    connections: u32,
}

impl Http {
    /// A client that has not connected yet.
    pub fn new(url: &str, options: HttpOptions) -> Result<Self, CpeError> {
        let url = Url::parse(url)?;
        Ok(Self { url, options, connection: None, cookies: Cookies::default(), connections: 0 })
    }

    /// The URL requests go to.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// The cookies, which a test may read or forge.
    pub fn cookies_mut(&mut self) -> &mut Cookies {
        &mut self.cookies
    }

    /// How many connections were opened so far.
    #[must_use]
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Closes the connection; the next request opens another one.
    pub fn close(&mut self) {
        self.connection = None;
    }

    /// Goes on at another URL with the same cookies, as after a redirect.
    pub fn redirect(&mut self, location: &str) -> Result<(), CpeError> {
        self.url = Url::parse(location)?;
        self.close();
        Ok(())
    }

    /// Sends one POST, empty when `body` is, and reads the response. `headers` replace the
    /// client's own of the same name.
    pub async fn post(
        &mut self,
        body: &[u8],
        headers: &[(&str, &str)],
    ) -> Result<Response, CpeError> {
        let (head, payload) = self.request(body, headers);
        if self.options.reconnect {
            self.close();
        }
        self.check_idle()?;
        let mut bytes = head.into_bytes();
        if self.options.expect_continue && !body.is_empty() {
            self.send_raw(&bytes).await?;
            let interim = self.read_response().await?;
            if interim.status != 100 {
                // The body was never sent, so nothing more can follow on this connection.
                self.close();
                return Ok(interim);
            }
            bytes.clear();
        }
        bytes.extend_from_slice(&payload);
        self.send_raw(&bytes).await?;
        let response = self.read_response().await?;
        if response.status == 100 {
            return violation("100 Continue without an Expect header");
        }
        Ok(response)
    }

    /// Writes bytes as they are, opening a connection if there is none.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), CpeError> {
        let wait = self.options.timeout;
        let connection = self.connect().await?;
        let write = async {
            connection.get_mut().write_all(bytes).await?;
            connection.get_mut().flush().await
        };
        match timeout(wait, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(source)) => {
                self.close();
                Err(CpeError::Io { action: "sending the request", source })
            }
            Err(_) => Err(self.late("sending the request")),
        }
    }

    /// Reads the next response and takes its cookies.
    pub async fn read_response(&mut self) -> Result<Response, CpeError> {
        let Some(connection) = self.connection.as_mut() else {
            return Err(CpeError::Closed("waiting for the response"));
        };
        let limit = self.options.body_bytes_max;
        let response = match timeout(self.options.timeout, response::read(connection, limit)).await
        {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                self.close();
                return Err(error);
            }
            Err(_) => return Err(self.late("waiting for the response")),
        };
        if !connection.buffer().is_empty() {
            self.close();
            return violation(format!("bytes after the end of the {} response", response.status));
        }
        if response.header("set-cookie2").is_some() {
            return violation("Set-Cookie2 is obsolete and never sent");
        }
        if self.options.cookies {
            for cookie in response.all("set-cookie") {
                self.cookies.set(cookie, &self.url)?;
            }
        }
        if response.closes() {
            self.close();
        }
        Ok(response)
    }

    /// Looks at the connection between two requests: a clean close is allowed and leads to a new
    /// connection, bytes nobody asked for are not.
    fn check_idle(&mut self) -> Result<(), CpeError> {
        let Some(connection) = self.connection.as_ref() else {
            return Ok(());
        };
        let mut byte = [0_u8; 1];
        match connection.get_ref().try_read(&mut byte) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => self.close(),
            Ok(_) => {
                self.close();
                return violation("the ACS sent bytes nobody asked for");
            }
        }
        Ok(())
    }

    async fn connect(&mut self) -> Result<&mut BufReader<TcpStream>, CpeError> {
        if self.connection.is_none() {
            let target = (self.url.host.as_str(), self.url.port);
            let stream = match timeout(self.options.timeout, TcpStream::connect(target)).await {
                Ok(Ok(stream)) => stream,
                Ok(Err(source)) => return Err(CpeError::Io { action: "connecting", source }),
                Err(_) => return Err(self.late("connecting")),
            };
            // Small messages in turn suffer most from delayed segments.
            stream
                .set_nodelay(true)
                .map_err(|source| CpeError::Io { action: "connecting", source })?;
            self.connections = self.connections.saturating_add(1);
            self.connection = Some(BufReader::new(stream));
        }
        self.connection.as_mut().ok_or(CpeError::Closed("connecting"))
    }

    fn late(&mut self, action: &'static str) -> CpeError {
        self.close();
        CpeError::Timeout { action, after_ms: self.options.timeout.as_millis() }
    }

    /// Head and payload of a POST.
    fn request(&self, body: &[u8], headers: &[(&str, &str)]) -> (String, Vec<u8>) {
        let mut all: Vec<(&str, String)> =
            vec![("Host", self.url.authority()), ("User-Agent", self.options.user_agent.into())];
        if !body.is_empty() {
            all.push(("Content-Type", "text/xml; charset=\"utf-8\"".into()));
            all.push(("SOAPAction", String::new()));
        }
        if self.options.reconnect {
            all.push(("Connection", "close".into()));
        }
        if let Some(cookies) = self.cookies.header().filter(|_| self.options.cookies) {
            all.push(("Cookie", cookies));
        }
        let chunked = self.options.chunked && !body.is_empty();
        if chunked {
            all.push(("Transfer-Encoding", "chunked".into()));
        } else {
            all.push(("Content-Length", body.len().to_string()));
        }
        if self.options.expect_continue && !body.is_empty() {
            all.push(("Expect", "100-continue".into()));
        }
        all.retain(|(name, _)| !headers.iter().any(|(own, _)| own.eq_ignore_ascii_case(name)));
        let mut head = format!("POST {} HTTP/1.1\r\n", self.url.path);
        let given = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
        for (name, value) in all.into_iter().chain(given) {
            head.push_str(name);
            head.push_str(": ");
            head.push_str(&value);
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        (head, if chunked { chunk(body) } else { body.to_vec() })
    }
}

/// The chunked form of a body, in pieces small enough that there are several.
fn chunk(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    for piece in body.chunks(700) {
        out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        out.extend_from_slice(piece);
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"0\r\n\r\n");
    out
}
