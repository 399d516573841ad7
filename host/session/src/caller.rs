//! Who a device says it is, and whether it may (TR-069 3.4.4).

use trellis_store::{Credential, DeviceKey, Holder};

/// Who sent a POST, as far as HTTP has proved it.
#[derive(Clone, Debug, Default)]
pub enum Caller {
    /// Nobody was asked.
    #[default]
    Anonymous,
    /// Whoever holds this credential.
    Holder(Credential),
}

impl Caller {
    /// Why a device of this identity may not be served, if it may not: one device's password must
    /// not open another one's session.
    pub(crate) fn may_be(&self, device: &DeviceKey) -> Result<(), String> {
        let Self::Holder(credential) = self else { return Ok(()) };
        let username = &credential.username;
        let is_its_own = match &credential.holder {
            Holder::Device(holder) => holder == device,
            Holder::Username => {
                !is_identity(username) || normalised(username) == normalised(device.as_str())
            }
            Holder::Onboarding => true,
        };
        if is_its_own {
            Ok(())
        } else {
            Err(format!("{username} is not the user name of {device}"))
        }
    }

    /// Whether the credential is one device's and nobody else's.
    pub(crate) fn is_one_device(&self) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Holder(it) => match &it.holder {
                Holder::Device(_) => true,
                Holder::Username => is_identity(&it.username),
                Holder::Onboarding => false,
            },
        }
    }

    /// Whether the credential is the one for devices that have none of their own.
    pub(crate) fn is_onboarding(&self) -> bool {
        matches!(self, Self::Holder(Credential { holder: Holder::Onboarding, .. }))
    }
}

/// Whether a user name is an identity: `OUI-SerialNumber` or `OUI-ProductClass-SerialNumber`.
fn is_identity(username: &str) -> bool {
    let mut parts = username.split('-');
    let oui = parts.next().unwrap_or_default();
    let has_oui = oui.len() == 6 && oui.bytes().all(|byte| byte.is_ascii_hexdigit());
    has_oui && (1..=2).contains(&parts.count())
}

/// The percent-encodings in upper case, as the standard has them.
fn normalised(identity: &str) -> String {
    let mut normalised = String::with_capacity(identity.len());
    let mut hex = 0;
    for character in identity.chars() {
        normalised.push(if hex > 0 { character.to_ascii_uppercase() } else { character });
        hex = if character == '%' { 2 } else { hex.max(1) - 1 };
    }
    normalised
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(username: &str, holder: Holder) -> Caller {
        let (ha1_md5, ha1_sha256) = ([0; 16], [0; 32]);
        Caller::Holder(Credential { username: username.to_owned(), ha1_md5, ha1_sha256, holder })
    }

    #[test]
    fn a_user_name_that_is_an_identity_is_that_devices_alone() {
        let stb = DeviceKey::from_text("012345-Set%2DTop%2DBox-0123456789");
        for (username, may) in [
            ("012345-Set%2DTop%2DBox-0123456789", true),
            ("012345-Set%2dTop%2dBox-0123456789", true),
            ("012345-Set%2DTop%2DBox-9", false),
            ("012345-0123456789", false),
            ("any name", true),
        ] {
            assert_eq!(caller(username, Holder::Username).may_be(&stb).is_ok(), may, "{username}");
        }
    }

    #[test]
    fn a_devices_credential_is_its_own_and_the_onboarding_one_is_anybodys() {
        let (one, two) = (DeviceKey::from_text("1"), DeviceKey::from_text("2"));
        assert!(caller("x", Holder::Device(one.clone())).may_be(&one).is_ok());
        assert!(caller("x", Holder::Device(one)).may_be(&two).is_err());
        assert!(caller("x", Holder::Onboarding).may_be(&two).is_ok());
        assert!(Caller::Anonymous.may_be(&two).is_ok());
    }
}
