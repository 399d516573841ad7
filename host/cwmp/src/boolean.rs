//! Booleans as devices write them.

use crate::quirk::Quirk;

/// Whether the value of a boolean parameter is true, in any of the spellings of devices.
pub fn is_true(text: &str) -> bool {
    parse(text.trim()).0
}

/// Reads an `xsd:boolean`, and the spellings devices use in its place. The second value names
/// the repair, if there was one.
pub(crate) fn parse(text: &str) -> (bool, Option<Quirk>) {
    match text {
        "1" | "true" => (true, None),
        "0" | "false" => (false, None),
        other if other.eq_ignore_ascii_case("true") || other.eq_ignore_ascii_case("yes") => {
            (true, Some(Quirk::OddBoolean))
        }
        _ => (false, Some(Quirk::OddBoolean)),
    }
}
