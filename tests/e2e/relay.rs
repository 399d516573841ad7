//! A line between a device and the server that breaks where a test says, and the server with it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::server::Server;

/// Where the server dies, counted in POSTs of all sessions.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Break {
    /// This POST does not reach it.
    Before(usize),
    /// It has answered this POST, and the device does not get the answer.
    After(usize),
}

/// Passes POSTs on, one connection at a time, until the break: then the server is killed.
pub(crate) struct Relay {
    url: String,
    server: Arc<Mutex<Server>>,
    posts: Arc<Mutex<usize>>,
}

impl Relay {
    pub(crate) fn to(server: Server, place: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let (server, posts) = (Arc::new(Mutex::new(server)), Arc::new(Mutex::new(0)));
        // The thread ends with the process of the test: whoever would end it waits for a connection. The
        // server ends with the relay.
        let known = Arc::downgrade(&server);
        let relay = Self { url, server, posts: Arc::clone(&posts) };
        std::thread::spawn(move || {
            for device in listener.incoming() {
                let Some(server) = known.upgrade() else { return };
                // A connection that breaks is what this is for.
                let _ = pass(&device.expect("a connection"), &server, &posts, place);
            }
        });
        relay
    }

    /// The ACS URL of the device.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How many POSTs came.
    pub(crate) fn posts(&self) -> usize {
        *self.posts.lock().expect("no panic")
    }

    pub(crate) fn with_server<T>(&self, work: impl FnOnce(&mut Server) -> T) -> T {
        work(&mut self.server.lock().expect("no panic"))
    }
}

fn pass(
    device: &TcpStream,
    server: &Mutex<Server>,
    posts: &Mutex<usize>,
    place: Break,
) -> std::io::Result<()> {
    let address = server.lock().expect("no panic").addresses().swap_remove(0);
    let onward = TcpStream::connect(address)?;
    let (mut from_device, mut from_server) = (BufReader::new(device), BufReader::new(&onward));
    while let Some(post) = message(&mut from_device)? {
        let number = {
            let mut posts = posts.lock().expect("no panic");
            *posts += 1;
            *posts
        };
        let breaks = |at: usize| number == at;
        if matches!(place, Break::Before(at) if breaks(at)) {
            server.lock().expect("no panic").kill();
            return Ok(());
        }
        (&onward).write_all(&post)?;
        let Some(answer) = message(&mut from_server)? else { return Ok(()) };
        if matches!(place, Break::After(at) if breaks(at)) {
            server.lock().expect("no panic").kill();
            return Ok(());
        }
        { device }.write_all(&answer)?;
    }
    Ok(())
}

/// One message of HTTP whose length is given, or has no body; nothing at the end.
fn message(from: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    let mut length = 0;
    loop {
        let begin = bytes.len();
        if from.read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&bytes[begin..]).to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().expect("a length");
        }
        assert!(!line.starts_with("transfer-encoding:"), "{line}");
        if line.trim().is_empty() {
            break;
        }
    }
    from.take(length).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}
