//! An ACS that says what a test tells it to, right or wrong.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what the script cannot read is a failed test"
)]

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const URN: &str = "urn:dslforum-org:cwmp-1-2";

/// One POST of the CPE.
#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) head: String,
    pub(crate) body: String,
}

#[derive(Debug, Clone)]
enum Kind {
    /// A message; the ID is that of the POST unless the reply sets one.
    Message {
        method: String,
        arguments: String,
        is_request: bool,
    },
    Fault(u16),
    Status(u16),
    Raw(String),
    Silence,
}

/// What the ACS answers to one POST.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    kind: Kind,
    id: Option<String>,
    urn: String,
    soap_header: String,
    content_type: String,
    headers: Vec<(String, String)>,
    chunked: bool,
}

impl Reply {
    fn new(kind: Kind) -> Self {
        Self {
            kind,
            id: None,
            urn: URN.into(),
            soap_header: String::new(),
            content_type: "text/xml; charset=\"utf-8\"".into(),
            headers: Vec::new(),
            chunked: false,
        }
    }

    pub(crate) fn inform_response() -> Self {
        let arguments = "<MaxEnvelopes>1</MaxEnvelopes>".into();
        Self::new(Kind::Message { method: "InformResponse".into(), arguments, is_request: false })
    }

    pub(crate) fn response(method: &str) -> Self {
        let method = format!("{method}Response");
        Self::new(Kind::Message { method, arguments: String::new(), is_request: false })
    }

    pub(crate) fn request(method: &str, arguments: &str) -> Self {
        let (method, arguments) = (method.into(), arguments.into());
        Self::new(Kind::Message { method, arguments, is_request: true })
    }

    pub(crate) fn fault(code: u16) -> Self {
        Self::new(Kind::Fault(code))
    }

    pub(crate) fn end() -> Self {
        Self::new(Kind::Status(204))
    }

    pub(crate) fn status(status: u16) -> Self {
        Self::new(Kind::Status(status))
    }

    pub(crate) fn raw(bytes: &str) -> Self {
        Self::new(Kind::Raw(bytes.into()))
    }

    pub(crate) fn silence() -> Self {
        Self::new(Kind::Silence)
    }

    pub(crate) fn id(mut self, id: &str) -> Self {
        self.id = Some(id.into());
        self
    }

    pub(crate) fn urn(mut self, urn: &str) -> Self {
        self.urn = urn.into();
        self
    }

    pub(crate) fn soap_header(mut self, xml: &str) -> Self {
        self.soap_header = xml.into();
        self
    }

    pub(crate) fn content_type(mut self, content_type: &str) -> Self {
        self.content_type = content_type.into();
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    fn bytes(&self, post: &Post, number: usize) -> String {
        let extra: String =
            self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let body = match &self.kind {
            Kind::Raw(bytes) => return bytes.clone(),
            Kind::Silence => return String::new(),
            Kind::Status(204) => return format!("HTTP/1.1 204 No Content\r\n{extra}\r\n"),
            Kind::Status(status) => {
                return format!("HTTP/1.1 {status} Status\r\n{extra}Content-Length: 0\r\n\r\n");
            }
            Kind::Message { method, arguments, .. } => {
                format!("<cwmp:{method}>{arguments}</cwmp:{method}>")
            }
            Kind::Fault(code) => format!(
                "<soap:Fault><faultcode>Server</faultcode><faultstring>CWMP fault</faultstring>\
                 <detail><cwmp:Fault><FaultCode>{code}</FaultCode><FaultString>f</FaultString>\
                 </cwmp:Fault></detail></soap:Fault>"
            ),
        };
        let is_request = matches!(self.kind, Kind::Message { is_request: true, .. });
        let asked = post.body.split("</cwmp:ID>").next().and_then(|part| part.rsplit('>').next());
        let id = match &self.id {
            Some(id) => id.clone(),
            None if is_request => format!("acs-{number}"),
            None => asked.unwrap_or_default().to_owned(),
        };
        let xml = format!(
            concat!(
                r#"<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/" "#,
                r#"xmlns:cwmp="{urn}"><soap:Header>"#,
                r#"<cwmp:ID soap:mustUnderstand="1">{id}</cwmp:ID>{more}</soap:Header>"#,
                "<soap:Body>{body}</soap:Body></soap:Envelope>"
            ),
            urn = self.urn,
            id = id,
            more = self.soap_header,
            body = body
        );
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\n{extra}", self.content_type);
        if self.chunked {
            let (a, b) = xml.split_at(10);
            let rest = b.len();
            format!(
                "{head}Transfer-Encoding: chunked\r\n\r\na\r\n{a}\r\n{rest:x}\r\n{b}\r\n0\r\n\r\n"
            )
        } else {
            format!("{head}Content-Length: {}\r\n\r\n{xml}", xml.len())
        }
    }
}

/// The ACS and what it was sent.
pub(crate) struct Acs {
    pub(crate) url: String,
    posts: Arc<Mutex<Vec<Post>>>,
}

impl Acs {
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/acs", listener.local_addr().unwrap());
        let posts = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&posts);
        tokio::spawn(async move {
            let mut replies = replies.into_iter();
            while replies.len() > 0 {
                let (stream, _) = listener.accept().await.unwrap();
                serve(stream, &mut replies, &seen).await;
            }
        });
        Self { url, posts }
    }

    pub(crate) fn posts(&self) -> Vec<Post> {
        self.posts.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    replies: &mut impl Iterator<Item = Reply>,
    seen: &Mutex<Vec<Post>>,
) {
    let mut stream = BufReader::new(stream);
    while let Some(post) = read_post(&mut stream).await {
        let number = seen.lock().unwrap().len();
        let Some(reply) = replies.next() else { return };
        let bytes = reply.bytes(&post, number);
        let close = post.head.contains("Connection: close");
        seen.lock().unwrap().push(post);
        if matches!(reply.kind, Kind::Silence) {
            // Until the CPE gives up.
            let _ = stream.read(&mut [0; 1]).await;
            return;
        }
        if stream.get_mut().write_all(bytes.as_bytes()).await.is_err() || close {
            return;
        }
    }
}

async fn read_post(stream: &mut BufReader<TcpStream>) -> Option<Post> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    if head.contains("Expect: 100-continue") {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    let mut body = Vec::new();
    if head.contains("Transfer-Encoding: chunked") {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok()?;
            let size = usize::from_str_radix(line.trim(), 16).unwrap();
            let mut chunk = vec![0; size + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            body.extend_from_slice(&chunk[..size]);
            if size == 0 {
                break;
            }
        }
    } else {
        let length = head.split("Content-Length: ").nth(1)?.split("\r\n").next()?;
        body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut body).await.ok()?;
    }
    Some(Post { head, body: String::from_utf8(body).unwrap() })
}
