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
    /// Whoever holds the key of a certificate whose common name is this identity (TR-069 3.3).
    Certificate(String),
}

impl Caller {
    /// Whoever a verified certificate of this common name proves a device to be; `None` when it
    /// is the certificate of a kind of devices.
    pub fn of_certificate(common_name: &str) -> Option<Self> {
        is_identity(common_name).then(|| Self::Certificate(common_name.to_owned()))
    }

    /// Why a device of this identity may not be served, if it may not: one device's password must
    /// not open another one's session.
    pub(crate) fn may_be(&self, device: &DeviceKey) -> Result<(), String> {
        let is_device = |name: &str| normalised(name) == normalised(device.as_str());
        let (name, is_its_own) = match self {
            Self::Anonymous => return Ok(()),
            Self::Certificate(name) => (name, is_device(name)),
            Self::Holder(Credential { username, holder, .. }) => match holder {
                Holder::Device(holder) | Holder::Given(holder) => (username, holder == device),
                Holder::Username => (username, !is_identity(username) || is_device(username)),
                Holder::Onboarding => return Ok(()),
            },
        };
        if is_its_own { Ok(()) } else { Err(format!("{name} is not the name of {device}")) }
    }

    /// Whether the credential is one device's and nobody else's.
    pub(crate) fn is_one_device(&self) -> bool {
        match self {
            Self::Anonymous => false,
            Self::Certificate(_) => true,
            Self::Holder(it) => match &it.holder {
                Holder::Device(_) | Holder::Given(_) => true,
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

/// The device whose identity a user name is, in the form that [`SessionSettings::named_devices`]
/// has; `None` when it is no identity.
///
/// [`SessionSettings::named_devices`]: crate::SessionSettings::named_devices
pub fn device_named(username: &str) -> Option<String> {
    is_identity(username).then(|| normalised(username))
}

/// Whether a user name is an identity: `OUI-SerialNumber` or `OUI-ProductClass-SerialNumber`. One
/// that only begins like one is taken for one too, and so for nobody's: a mistake in it must not
/// open every device.
fn is_identity(username: &str) -> bool {
    let oui = username.split_once('-').map(|(oui, _)| oui).unwrap_or_default();
    oui.len() == 6 && oui.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The percent-encodings in upper case, as the standard has them.
pub(crate) fn normalised(identity: &str) -> String {
    let mut normalised = String::with_capacity(identity.len());
    let mut hex = 0;
    for character in identity.chars() {
        normalised.push(if hex > 0 { character.to_ascii_uppercase() } else { character });
        hex = if character == '%' { 2 } else { hex.max(1) - 1 };
    }
    normalised
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    fn caller(username: &str, holder: Holder) -> Caller {
        Caller::Holder(Credential::new(username, "realm", "password", holder))
    }

    #[test]
    fn a_user_name_that_is_an_identity_is_that_devices_alone() {
        let stb = DeviceKey::from_text("012345-Set%2DTop%2DBox-0123456789");
        for (username, may) in [
            ("012345-Set%2DTop%2DBox-0123456789", true),
            ("012345-Set%2dTop%2dBox-0123456789", true),
            ("012345-Set%2DTop%2DBox-9", false),
            ("012345-0123456789", false),
            ("012345-Set-Top-Box-0123456789", false),
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
        let certificate = Caller::of_certificate("00D09E-GW-1").expect("an identity");
        assert!(certificate.may_be(&DeviceKey::from_text("00D09E-GW-1")).is_ok());
        assert!(certificate.may_be(&DeviceKey::from_text("00D09E-GW-2")).is_err());
    }
}
