//! How a device wants to be written to, where devices contradict each other.

/// The form of what is written. The default is what most devices take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether an XML declaration comes first.
    pub declaration: bool,
    /// Whether an element without content is one tag, `<X/>`, in place of two.
    pub self_closing: bool,
    /// How booleans are spelt.
    pub booleans: Booleans,
}

/// How booleans are spelt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Booleans {
    /// Arguments as `0` and `1`, the values of parameters as they are given.
    #[default]
    AsGiven,
    /// All of them as `0` and `1`.
    Digits,
    /// All of them as `false` and `true`.
    Words,
}

impl Default for Style {
    fn default() -> Self {
        Self { declaration: true, self_closing: false, booleans: Booleans::AsGiven }
    }
}

impl Booleans {
    pub(crate) fn argument(self, value: bool) -> &'static str {
        match (self, value) {
            (Self::Words, true) => "true",
            (Self::Words, false) => "false",
            (Self::AsGiven | Self::Digits, true) => "1",
            (Self::AsGiven | Self::Digits, false) => "0",
        }
    }

    /// The value of a boolean parameter. What is no boolean stays as it is.
    pub(crate) fn value(self, text: &str) -> &str {
        match (self, text) {
            (Self::Digits, "true") | (Self::Words, "1") => self.argument(true),
            (Self::Digits, "false") | (Self::Words, "0") => self.argument(false),
            _ => text,
        }
    }
}
