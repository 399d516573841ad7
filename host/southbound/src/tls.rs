//! TLS 1.2 and 1.3 for devices (TR-069 3.3), with certificates that may change while the server
//! runs.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// The files of a listener with TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// The server's certificate and those that lead to its root (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// The roots of the certificates that devices may prove their identity with (PEM). Devices
    /// without one are asked for a password.
    pub client_ca: Option<PathBuf>,
    /// How often the files are looked at for newer ones. Default 30 s.
    pub reload: Duration,
    /// How long a handshake may take. Default 20 s.
    pub handshake_time: Duration,
}

/// Files that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {problem}")]
pub(crate) struct TlsError {
    /// Which file.
    file: String,
    /// What is wrong with it.
    problem: String,
}

/// Makes connections secure.
pub(crate) struct Tls {
    settings: TlsSettings,
    config: RwLock<Arc<ServerConfig>>,
    /// When the files of the first configuration were written.
    first: Written,
}

/// When each of the files was last written.
type Written = Vec<Option<SystemTime>>;

impl Tls {
    /// Reads the files.
    pub(crate) fn new(settings: TlsSettings) -> Result<Self, TlsError> {
        // Looked at before the files are read: what is written in between is seen as newer.
        let first = written(&settings);
        let config = RwLock::new(read(&settings)?);
        Ok(Self { settings, config, first })
    }

    /// Makes a connection secure; says why it cannot.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
        let config = Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner));
        let handshake = TlsAcceptor::from(config).accept(stream);
        match tokio::time::timeout(self.settings.handshake_time, handshake).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the handshake takes too long".to_owned()),
        }
    }

    /// Takes newer files when they are there, until `stop`. Files that cannot be used are
    /// reported, and the old ones stay.
    pub(crate) async fn keep_up(self: Arc<Self>, stop: CancellationToken) {
        let mut seen = self.first.clone();
        while stop.run_until_cancelled(tokio::time::sleep(self.settings.reload)).await.is_some() {
            let this = Arc::clone(&self);
            let Ok(now) = tokio::task::spawn_blocking(move || written(&this.settings)).await else {
                return;
            };
            if now == seen {
                continue;
            }
            seen = now;
            let this = Arc::clone(&self);
            let read = tokio::task::spawn_blocking(move || read(&this.settings)).await;
            match read {
                Ok(Ok(config)) => {
                    *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
                    let certificate = self.settings.certificate.display();
                    tracing::info!(%certificate, "newer certificates are in use");
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "newer certificates cannot be used; the old ones stay");
                }
                Err(_) => return,
            }
        }
    }
}

/// When the files were last written. Blocks.
fn written(settings: &TlsSettings) -> Written {
    let TlsSettings { certificate, key, client_ca, .. } = settings;
    let files = [Some(certificate), Some(key), client_ca.as_ref()];
    let written = |file: &PathBuf| std::fs::metadata(file).ok()?.modified().ok();
    files.into_iter().map(|file| file.and_then(written)).collect()
}

/// Reads the files. Blocks.
fn read(settings: &TlsSettings) -> Result<Arc<ServerConfig>, TlsError> {
    let TlsSettings { certificate, key, client_ca, .. } = settings;
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| unusable(key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(certificate, &error))?;
    let builder = match client_ca {
        None => builder.with_no_client_auth(),
        Some(file) => {
            let mut roots = RootCertStore::empty();
            for root in certificates(file)? {
                roots.add(root).map_err(|error| unusable(file, &error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .allow_unauthenticated()
                .build()
                .map_err(|error| unusable(file, &error))?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let config = builder.with_single_cert(chain, private);
    config.map(Arc::new).map_err(|error| unusable(certificate, &error))
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, &error))?;
    let list: Vec<_> = read.collect::<Result<_, _>>().map_err(|error| unusable(file, &error))?;
    if list.is_empty() {
        return Err(unusable(file, &"there is no certificate in it"));
    }
    Ok(list)
}

fn unusable(file: &Path, problem: &dyn std::fmt::Display) -> TlsError {
    TlsError { file: file.display().to_string(), problem: problem.to_string() }
}

/// The common name of the certificate that a device showed, which has been verified.
pub(crate) fn common_name(stream: &TlsStream<TcpStream>) -> Option<String> {
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates()?.first()?;
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let name = certificate.subject().iter_common_name().next()?.as_str().ok()?;
    Some(name.to_owned())
}
