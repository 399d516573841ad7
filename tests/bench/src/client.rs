//! Devices that cost little: prepared bytes out, the least reading in.

use anyhow::{Context, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::messages;

/// One device on one connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
    inform: Vec<u8>,
    empty: Vec<u8>,
    values: Vec<u8>,
    line: String,
    body: Vec<u8>,
}

impl Client {
    /// Connects.
    pub(crate) async fn connect(
        address: &str,
        manufacturer: &str,
        class: &str,
        serial: u32,
    ) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream: BufReader::new(stream),
            inform: request(&messages::inform(manufacturer, class, serial)),
            empty: request(""),
            values: request(messages::VALUES),
            line: String::new(),
            body: Vec::new(),
        })
    }

    /// A whole session; returns how many requests it answered.
    pub(crate) async fn session(&mut self) -> anyhow::Result<u32> {
        let mut status = self.begin().await?;
        let mut requests = 0;
        while status == 200 {
            requests += 1;
            self.stream.get_mut().write_all(&self.values).await?;
            status = self.status().await?;
        }
        if status != 204 {
            bail!("the session ended with {status}: {}", String::from_utf8_lossy(&self.body));
        }
        Ok(requests)
    }

    /// The Inform and the empty POST; the status of the answer to the latter.
    pub(crate) async fn begin(&mut self) -> anyhow::Result<u16> {
        self.stream.get_mut().write_all(&self.inform).await?;
        let status = self.status().await?;
        if status != 200 {
            bail!("the Inform was answered with {status}");
        }
        self.stream.get_mut().write_all(&self.empty).await?;
        self.status().await
    }

    async fn status(&mut self) -> anyhow::Result<u16> {
        self.line.clear();
        self.stream.read_line(&mut self.line).await?;
        let status: u16 =
            self.line.split(' ').nth(1).context("no status line")?.parse().context("a status")?;
        let mut length = 0;
        loop {
            self.line.clear();
            self.stream.read_line(&mut self.line).await?;
            let line = self.line.trim_end();
            if line.is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        self.body.resize(length, 0);
        self.stream.read_exact(&mut self.body).await?;
        Ok(status)
    }
}

fn request(body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: acs\r\nContent-Type: text/xml\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    )
    .into_bytes()
}
