//! What `cargo xtask fuzz` feeds with inputs that nobody thought of.

use hyper::HeaderMap;
use hyper::header::{COOKIE, HeaderValue};
use trellis_session::{Credential, Holder};

use crate::auth::Authorization;
use crate::cookie;

/// Reads a Cookie header.
pub fn cookie(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for value in bytes.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(COOKIE, value);
        }
    }
    let sessions = cookie::sessions(&headers);
    assert!(sessions.iter().all(|it| it.as_str().len() <= 64), "a name without end");
}

/// Reads an Authorization header, and holds it against a credential that it does not know.
pub fn authorization(bytes: &[u8]) {
    let Ok(header) = std::str::from_utf8(bytes) else { return };
    let Some(authorization) = Authorization::parse(header) else { return };
    let credential = Credential::new(authorization.username(), "trellis", "\0", Holder::Username);
    let proves = match &authorization {
        Authorization::Basic(basic) => basic.proves("trellis", &credential),
        Authorization::Digest(digest) => digest.proves("POST", &credential),
    };
    // Basic can guess it; the hash of a digest cannot be met by chance.
    assert!(!proves || matches!(authorization, Authorization::Basic(_)), "a password was guessed");
}
