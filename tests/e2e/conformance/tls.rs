//! TLS (TR-069 3.3).

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::*;

/// An authority and what it has issued.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "the authority");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// A certificate and its key.
    fn issue(&self, common_name: &str) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let names = vec!["localhost".to_owned()];
        let mut params = CertificateParams::new(names).expect("a name");
        params.distinguished_name.push(DnType::CommonName, common_name);
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        (certificate.pem(), key.serialize_pem())
    }
}

/// A server with a second address that has TLS, and that address.
fn secured(authority: &Authority, folder: &Path, more: &str) -> (Server, String) {
    let (certificate, key) = authority.issue("the server");
    for (file, text) in [("s.pem", &certificate), ("s.key", &key), ("ca.pem", &authority.pem)] {
        std::fs::write(folder.join(file), text).expect("written");
    }
    let folder = folder.display();
    let config = format!(
        "[cwmp]\ntls-reload-seconds = 1\n\
         [[cwmp.listeners]]\nlisten = \"127.0.0.1:0\"\n\
         [cwmp.listeners.tls]\ncertificate = \"{folder}/s.pem\"\nkey = \"{folder}/s.key\"\n\
         client-ca = \"{folder}/ca.pem\"\n\
         [[cwmp.authentication.credentials]]\nusername = \"00D09E-nothing-S1\"\n\
         password = \"secret\"\n{more}"
    );
    let server = Server::with_config(&guests(), &config);
    let address = server.addresses().get(1).expect("a second address").clone();
    (server, address)
}

/// A secure connection; with a certificate of the device, if it has one.
async fn secure(
    address: &str,
    authority: &Authority,
    device: Option<(String, String)>,
    name: &str,
) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem.as_bytes()).expect("a certificate");
    roots.add(root).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .expect("a version")
        .with_root_certificates(roots);
    let mut config = match device {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("one");
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
            builder.with_client_auth_cert(vec![chain], key).expect("they fit")
        }
    };
    config.enable_sni = false;
    let stream = TcpStream::connect(address).await?;
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// Posts a body, and returns the answer's status and text.
async fn post_secure(
    stream: &mut TlsStream<TcpStream>,
    headers: &str,
    body: &str,
) -> (u16, String) {
    let length = body.len();
    let request =
        format!("POST / HTTP/1.1\r\nHost: acs\r\nContent-Length: {length}\r\n{headers}\r\n{body}");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    let mut buffer = vec![0; 16_384];
    loop {
        let read = stream.read(&mut buffer).await.expect("an answer");
        assert_ne!(read, 0, "the connection ended: {answer}");
        answer.push_str(&String::from_utf8_lossy(&buffer[..read]));
        let Some((head, body)) = answer.split_once("\r\n\r\n") else { continue };
        let lower = head.to_ascii_lowercase();
        let length = lower.split("content-length: ").nth(1).and_then(|it| it.split('\r').next());
        if length.is_none_or(|length| body.len() >= length.trim().parse().expect("a number")) {
            break;
        }
    }
    let status = answer.split(' ').nth(1).expect("a status").parse().expect("a number");
    (status, answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn s048_basic_that_comes_unasked_over_tls_is_accepted() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let (_server, address) = secured(&authority, folder.path(), "");
    let mut stream = secure(&address, &authority, None, "localhost").await.expect("secure");
    let token = STANDARD.encode("00D09E-nothing-S1:secret");
    let headers = format!("Authorization: Basic {token}\r\n");
    let (status, text) = post_secure(&mut stream, &headers, &inform("nothing", "S1")).await;
    assert_eq!(status, 200, "{text}");
    assert!(text.contains("InformResponse"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn s052_a_certificate_proves_its_device_and_that_of_a_kind_proves_nothing() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let (_server, address) = secured(&authority, folder.path(), "");
    for (common_name, serial, wanted) in [
        ("00D09E-nothing-S1", "S1", 200),
        ("00D09E-nothing-S1", "S2", 403),
        ("Model 500", "S1", 401),
    ] {
        let device = Some(authority.issue(common_name));
        let mut stream = secure(&address, &authority, device, "localhost").await.expect("secure");
        let (status, text) = post_secure(&mut stream, "", &inform("nothing", serial)).await;
        assert_eq!(status, wanted, "{common_name} {serial}: {text}");
    }
    // A certificate of another authority is none.
    let device = Some(Authority::new().issue("00D09E-nothing-S1"));
    let stream = secure(&address, &authority, device, "localhost").await;
    if let Ok(mut stream) = stream {
        let refused = stream.write_all(b"POST / HTTP/1.1\r\n\r\n").await.is_err()
            || stream.read(&mut [0; 64]).await.map_or(true, |read| read == 0);
        assert!(refused, "a foreign certificate is accepted");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s053_tls_1_2_without_a_server_name_works_and_ssl_3_does_not() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let (_server, address) = secured(&authority, folder.path(), "");
    assert!(secure(&address, &authority, None, "localhost").await.is_ok());
    // The ClientHello of SSL 3.0 with one cipher.
    let hello =
        [&[0x16, 3, 0, 0, 45, 1, 0, 0, 41, 3, 0][..], &[7; 32][..], &[0, 0, 2, 0, 0x0a, 1, 0][..]]
            .concat();
    let mut stream = TcpStream::connect(&address).await.expect("connected");
    stream.write_all(&hello).await.expect("sent");
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(25), read).await;
    assert!(ended.is_ok(), "the connection is still open");
    assert!(answer.first().is_none_or(|kind| *kind == 0x15), "no handshake: {answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn newer_certificates_are_used_without_a_restart() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let (server, address) = secured(&authority, folder.path(), "");
    let newer = Authority::new();
    let (certificate, key) = newer.issue("the server");
    std::fs::write(folder.path().join("s.key"), key).expect("written");
    std::fs::write(folder.path().join("s.pem"), certificate).expect("written");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while secure(&address, &newer, None, "localhost").await.is_err() {
        assert!(std::time::Instant::now() < deadline, "{}", server.log_text());
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    assert!(secure(&address, &authority, None, "localhost").await.is_err());
}
