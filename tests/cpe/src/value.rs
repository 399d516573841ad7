//! The data types of parameters and what a value of each may look like.

/// A data type of TR-106.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// `xsd:string`
    String,
    /// `xsd:int`
    Int,
    /// `xsd:unsignedInt`
    UnsignedInt,
    /// `xsd:long`
    Long,
    /// `xsd:unsignedLong`
    UnsignedLong,
    /// `xsd:boolean`
    Boolean,
    /// `xsd:dateTime`
    DateTime,
    /// `soapenc:base64`
    Base64,
    /// `xsd:hexBinary`
    HexBinary,
    /// `xsd:decimal`
    Decimal,
}

impl DataType {
    const ALL: [Self; 10] = [
        Self::String,
        Self::Int,
        Self::UnsignedInt,
        Self::Long,
        Self::UnsignedLong,
        Self::Boolean,
        Self::DateTime,
        Self::Base64,
        Self::HexBinary,
        Self::Decimal,
    ];

    /// The local name of the type on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Int => "int",
            Self::UnsignedInt => "unsignedInt",
            Self::Long => "long",
            Self::UnsignedLong => "unsignedLong",
            Self::Boolean => "boolean",
            Self::DateTime => "dateTime",
            Self::Base64 => "base64",
            Self::HexBinary => "hexBinary",
            Self::Decimal => "decimal",
        }
    }

    /// The type as the CPE writes it in `xsi:type`.
    #[must_use]
    pub fn qualified(self) -> &'static str {
        match self {
            Self::String => "xsd:string",
            Self::Int => "xsd:int",
            Self::UnsignedInt => "xsd:unsignedInt",
            Self::Long => "xsd:long",
            Self::UnsignedLong => "xsd:unsignedLong",
            Self::Boolean => "xsd:boolean",
            Self::DateTime => "xsd:dateTime",
            Self::Base64 => "soapenc:base64",
            Self::HexBinary => "xsd:hexBinary",
            Self::Decimal => "xsd:decimal",
        }
    }

    /// The type of that local name; base64 has two spellings.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if name == "base64Binary" {
            return Some(Self::Base64);
        }
        Self::ALL.into_iter().find(|data_type| data_type.name() == name)
    }

    /// Whether the text is a value of the type.
    #[must_use]
    pub fn accepts(self, text: &str) -> bool {
        match self {
            Self::String => true,
            Self::Int => text.parse::<i32>().is_ok(),
            Self::UnsignedInt => text.parse::<u32>().is_ok(),
            Self::Long => text.parse::<i64>().is_ok(),
            Self::UnsignedLong => text.parse::<u64>().is_ok(),
            Self::Boolean => matches!(text, "0" | "1" | "true" | "false"),
            Self::DateTime => is_date_time(text),
            Self::Base64 => is_base64(text),
            Self::HexBinary => {
                text.len().is_multiple_of(2) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
            }
            Self::Decimal => is_decimal(text),
        }
    }
}

/// A type with the range or length a parameter allows, written `string(64)` or
/// `unsignedInt(1:65535)` in the model files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    /// The type.
    pub data_type: DataType,
    /// Longest string, in characters.
    pub length_max: Option<usize>,
    /// Lowest and highest number.
    pub range: Option<(i64, i64)>,
}

impl Syntax {
    /// Reads the notation of the model files.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, limit) = match text.split_once('(') {
            Some((name, rest)) => (name, Some(rest.strip_suffix(')')?)),
            None => (text, None),
        };
        let mut syntax = Self { data_type: DataType::parse(name)?, length_max: None, range: None };
        match limit.map(|limit| (limit, limit.split_once(':'))) {
            Some((_, Some((low, high)))) => {
                syntax.range = Some((low.parse().ok()?, high.parse().ok()?));
            }
            Some((limit, None)) => syntax.length_max = Some(limit.parse().ok()?),
            None => {}
        }
        Some(syntax)
    }

    /// Whether the text is a value the parameter may take.
    #[must_use]
    pub fn accepts(&self, text: &str) -> bool {
        if !self.data_type.accepts(text) {
            return false;
        }
        let short = self.length_max.is_none_or(|limit| text.chars().count() <= limit);
        let within = self.range.is_none_or(|(low, high)| {
            text.parse::<i64>().is_ok_and(|number| (low..=high).contains(&number))
        });
        short && within
    }
}

fn is_date_time(text: &str) -> bool {
    let Some((seconds, mut rest)) = text.split_at_checked(19) else {
        return false;
    };
    if seconds.get(10..11) != Some("T") || seconds.parse::<jiff::civil::DateTime>().is_err() {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix('.') {
        let end = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
        if end == 0 {
            return false;
        }
        rest = fraction.get(end..).unwrap_or_default();
    }
    if matches!(rest, "" | "Z") {
        return true;
    }
    let Some(offset) = rest.strip_prefix(['+', '-']) else {
        return false;
    };
    let two_digits = |part: &str, max: u8| {
        part.len() == 2 && part.parse::<u8>().is_ok_and(|number| number <= max)
    };
    offset.split_once(':').is_some_and(|(h, m)| two_digits(h, 14) && two_digits(m, 59))
}

fn is_base64(text: &str) -> bool {
    let packed: String = text.split_ascii_whitespace().collect();
    let body = packed.trim_end_matches('=');
    packed.len().is_multiple_of(4)
        && packed.len() - body.len() <= 2
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_knows_its_lexical_form() {
        let accepts = |data_type: DataType, text| data_type.accepts(text);
        assert!(accepts(DataType::Boolean, "true") && !accepts(DataType::Boolean, "True"));
        assert!(accepts(DataType::UnsignedInt, "4294967295"));
        assert!(!accepts(DataType::UnsignedInt, "4294967296"));
        assert!(!accepts(DataType::UnsignedInt, " 1"));
        assert!(accepts(DataType::Int, "-5") && !accepts(DataType::UnsignedInt, "-5"));
        assert!(accepts(DataType::UnsignedLong, "18446744073709551615"));
        assert!(accepts(DataType::DateTime, "0001-01-01T00:00:00Z"));
        assert!(accepts(DataType::DateTime, "2024-05-01T10:00:00.25+02:00"));
        assert!(accepts(DataType::DateTime, "9999-12-31T23:59:59Z"));
        assert!(!accepts(DataType::DateTime, "2024-05-01 10:00:00Z"));
        assert!(!accepts(DataType::DateTime, "2024-13-01T10:00:00Z"));
        assert!(accepts(DataType::Base64, "AAAA") && !accepts(DataType::Base64, "AAA"));
        assert!(accepts(DataType::HexBinary, "0aFF") && !accepts(DataType::HexBinary, "0a1"));
        assert!(accepts(DataType::Decimal, "-1.5") && !accepts(DataType::Decimal, "."));
    }

    #[test]
    fn lengths_and_ranges_are_kept() {
        let name = Syntax::parse("string(3)").unwrap();
        assert!(name.accepts("äöü") && !name.accepts("abcd"));
        let port = Syntax::parse("unsignedInt(1:65535)").unwrap();
        assert!(port.accepts("1") && !port.accepts("0") && !port.accepts("65536"));
        assert!(Syntax::parse("float").is_none());
    }
}
