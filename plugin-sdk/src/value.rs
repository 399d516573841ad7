//! A parameter's value and what it can be made of and into.

use core::fmt;

use crate::{Error, Result};

/// A parameter's value: its exact text, and its type's name without prefix.
///
/// It is made from Rust's types with `into()`: `true` is a `boolean`, `u32` an `unsignedInt`,
/// `i32` an `int`, `u64` an `unsignedLong`, `i64` a `long`, and texts are a `string`. Other types
/// have [`Value::of_type`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub(crate) text: String,
    pub(crate) kind: String,
}

impl Value {
    /// A value of any type, such as `dateTime`, `base64`, `hexBinary` or `decimal`.
    pub fn of_type(kind: impl Into<String>, text: impl Into<String>) -> Self {
        Self { text: text.into(), kind: kind.into() }
    }

    /// A value of the type that the device reports for the parameter. Only
    /// [`Cpe::ensure`](crate::Cpe::ensure) and
    /// [`Cpe::ensure_instance`](crate::Cpe::ensure_instance) know it.
    pub fn untyped(text: impl Into<String>) -> Self {
        Self::of_type("", text)
    }

    /// The text, exactly as the device sent it.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The type's name, such as `string` or `unsignedInt`.
    pub fn type_name(&self) -> &str {
        &self.kind
    }

    /// The value as one of Rust's types. The type's name plays no role: many devices say
    /// `string` for everything.
    pub fn parse<T: FromValue>(&self) -> Result<T> {
        T::from_value(self)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

macro_rules! value_from {
    ($($rust:ty => $kind:literal),* $(,)?) => {
        $(
            impl From<$rust> for Value {
                fn from(value: $rust) -> Self {
                    Self::of_type($kind, value.to_string())
                }
            }
        )*
    };
}

value_from! {
    bool => "boolean",
    u32 => "unsignedInt",
    i32 => "int",
    u64 => "unsignedLong",
    i64 => "long",
    &str => "string",
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::of_type("string", text)
    }
}

/// What a [`Value`] can be read as.
pub trait FromValue: Sized {
    /// Reads the value; [`Error::Invalid`] when it is something else.
    fn from_value(value: &Value) -> Result<Self>;
}

pub(crate) fn invalid(value: &Value, wanted: &str) -> Error {
    // Values are often secrets, so the message does not show this one.
    Error::Invalid(format!("a value of {} bytes is not {wanted}", value.text.len()))
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<Self> {
        match value.text.trim() {
            "1" => Ok(true),
            "0" => Ok(false),
            text if text.eq_ignore_ascii_case("true") => Ok(true),
            text if text.eq_ignore_ascii_case("false") => Ok(false),
            _ => Err(invalid(value, "a boolean")),
        }
    }
}

macro_rules! number_from_value {
    ($($rust:ty),*) => {
        $(
            impl FromValue for $rust {
                fn from_value(value: &Value) -> Result<Self> {
                    let number = value.text.trim().parse();
                    number.map_err(|_| invalid(value, concat!("a ", stringify!($rust))))
                }
            }
        )*
    };
}

number_from_value!(u32, i32, u64, i64, f64);

impl FromValue for String {
    fn from_value(value: &Value) -> Result<Self> {
        Ok(value.text.clone())
    }
}

/// A comma-separated list of the standard, without the white space around its commas.
impl FromValue for Vec<String> {
    fn from_value(value: &Value) -> Result<Self> {
        if value.text.trim().is_empty() {
            return Ok(Vec::new());
        }
        Ok(value.text.split(',').map(|item| item.trim().to_owned()).collect())
    }
}

impl FromValue for Value {
    fn from_value(value: &Value) -> Result<Self> {
        Ok(value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rusts_types_have_the_standards_names() {
        let check = |value: Value, kind: &str, text: &str| {
            assert_eq!((value.type_name(), value.text()), (kind, text));
        };
        check(true.into(), "boolean", "true");
        check(7_u32.into(), "unsignedInt", "7");
        check((-7_i32).into(), "int", "-7");
        check(u64::MAX.into(), "unsignedLong", "18446744073709551615");
        check(i64::MIN.into(), "long", "-9223372036854775808");
        check("x".into(), "string", "x");
        check(String::from("y").into(), "string", "y");
        check(Value::untyped("z"), "", "z");
    }

    #[test]
    fn booleans_have_four_spellings() {
        let parse = |text: &str| Value::from(text).parse::<bool>();
        assert_eq!(parse("1"), Ok(true));
        assert_eq!(parse(" True "), Ok(true));
        assert_eq!(parse("0"), Ok(false));
        assert_eq!(parse("false"), Ok(false));
        assert!(matches!(parse("yes"), Err(Error::Invalid(_))));
        assert!(matches!(parse(""), Err(Error::Invalid(_))));
    }

    #[test]
    fn numbers_keep_their_range() {
        assert_eq!(Value::from("4294967295").parse::<u32>(), Ok(u32::MAX));
        assert!(Value::from("4294967296").parse::<u32>().is_err());
        assert!(Value::from("-1").parse::<u32>().is_err());
        assert_eq!(Value::from("18446744073709551615").parse::<u64>(), Ok(u64::MAX));
        assert_eq!(Value::from(" -3 ").parse::<i32>(), Ok(-3));
        assert_eq!(Value::from("-21.5").parse::<f64>(), Ok(-21.5));
    }

    #[test]
    fn lists_lose_the_space_around_commas() {
        let list = |text: &str| Value::from(text).parse::<Vec<String>>().unwrap();
        assert_eq!(list(" a , b"), ["a", "b"]);
        assert!(list(" ").is_empty());
    }

    #[test]
    fn a_wrong_value_is_not_shown() {
        let error = Value::from("secret").parse::<u32>().unwrap_err();
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}
