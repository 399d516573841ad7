//! Text that must never show.

use std::fmt;

/// A password or similar. `Debug` prints a placeholder; the text leaves only by
/// [`Secret::reveal`], so every place that shows one can be found.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether there is no text, which says nothing worth hiding.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What the last part of a name holds when the value must not be kept. Devices should read such
/// values back as nothing (TR-106 3.2); not all do.
const SECRET_WORDS: [&str; 9] = [
    "password",
    "passphrase",
    "presharedkey",
    "privatekey",
    "wepkey",
    "secret",
    "psk",
    "pincode",
    "credential",
];

/// Whether the value of a parameter or of a setting is a secret, as far as its name tells.
pub fn is_secret(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    last.ends_with("pin") || SECRET_WORDS.iter().any(|word| last.contains(word))
}

/// What the name of a setting or of an argument holds besides when its value is a secret. Parameters
/// of devices are not called so.
const SECRET_SETTINGS: [&str; 4] = ["passwd", "token", "community", "apikey"];

/// Whether a setting or an argument of an action is a secret, as far as its name tells.
pub fn is_secret_setting(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['-', '_'], "");
    name.split('.').any(|part| {
        // Those of the standard say who asked for something.
        let is_public = ["parameterkey", "commandkey"].iter().any(|it| part.ends_with(it));
        let is_key = part.ends_with("key") && !is_public && part != "key";
        is_secret(part)
            || is_key
            || matches!(part, "pass" | "pin")
            || SECRET_SETTINGS.iter().any(|word| part.contains(word))
    })
}

// === impl Secret ===

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "Secret(empty)" } else { "Secret(***)" })
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}
