//! Credentials as HTTP Digest uses them (RFC 7616).

use md5::Md5;
use sha2::{Digest, Sha256};

use crate::records::{Credential, Holder};

impl Credential {
    /// The credential of a user name and a password in a realm.
    pub fn new(username: &str, realm: &str, password: &str, holder: Holder) -> Self {
        let text = format!("{username}:{realm}:{password}");
        Self {
            username: username.to_owned(),
            ha1_md5: Md5::digest(&text).into(),
            ha1_sha256: Sha256::digest(&text).into(),
            holder,
            is_proven: false,
        }
    }
}
