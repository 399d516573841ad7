//! The logins with which devices are called, and how a device gets its own (TR-069 3.2.2.2).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use trellis_store::DeviceKey;

use crate::conversation::{Conversation, Lost};
use crate::sessions::Acs;
use crate::visit::Visit;

/// What the server makes the devices' logins for connection requests of, so that no password need
/// be kept. `Debug` shows nothing of it.
#[derive(Clone)]
pub struct ConnectionRequestKey([u8; 32]);

/// The user name of every device: it is the password that differs.
const USERNAME: &str = "trellis";

/// Bytes of a password, which has twice as many hexadecimal digits.
const PASSWORD_BYTES: usize = 16;

impl ConnectionRequestKey {
    /// A key from the server's secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// The user name and the password of a device. A new `number` makes a new password.
    pub fn login(&self, device: &DeviceKey, number: u32) -> (String, String) {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            // HMAC takes keys of every length.
            return (String::new(), String::new());
        };
        mac.update(b"connection request\0");
        mac.update(&number.to_be_bytes());
        mac.update(device.as_str().as_bytes());
        let bytes = mac.finalize().into_bytes();
        let password = bytes.iter().take(PASSWORD_BYTES).map(|byte| format!("{byte:02x}"));
        (USERNAME.to_owned(), password.collect())
    }
}

impl fmt::Debug for ConnectionRequestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionRequestKey(***)")
    }
}

impl Visit {
    /// Gives a device that can be called a login of its own, once after each `0 BOOTSTRAP`. That
    /// it is on its way is on disk before the device hears of it.
    pub(crate) async fn give_login(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        let Some(key) = &acs.settings.connection_request_key else { return Ok(()) };
        if self.header.has_login || self.header.connection_request_url.is_empty() {
            return Ok(());
        }
        self.header.connection_request_logins += 1;
        self.header_changed = true;
        self.keep(acs).await?;
        let (username, password) = key.login(&self.key, self.header.connection_request_logins);
        let names = ["ConnectionRequestUsername", "ConnectionRequestPassword"];
        let given = self.set_login(acs, cpe, names, &username, &password).await?;
        if !given {
            tracing::warn!("the device takes no login for connection requests");
        }
        // One that refuses it is not asked in each session.
        self.header.has_login = true;
        self.header_changed = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_and_each_number_has_a_password_that_stays_the_same() {
        let key = ConnectionRequestKey::new([7; 32]);
        let (one, two) = (DeviceKey::from_text("1"), DeviceKey::from_text("2"));
        assert_eq!(key.login(&one, 1), key.login(&one, 1));
        assert_ne!(key.login(&one, 1), key.login(&one, 2));
        assert_ne!(key.login(&one, 1), key.login(&two, 1));
        assert_eq!(key.login(&one, 1).1.len(), 32);
        assert!(!format!("{key:?}").contains('7'), "the key is not shown");
    }
}
