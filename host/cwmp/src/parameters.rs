//! Lists of parameter values, kept in one piece of memory.

use std::fmt;

/// The type of a parameter value as `xsi:type` names it (TR-069 A.2.1, TR-106 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// `xsd:string`
    #[default]
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
    /// `SOAP-ENC:base64`
    Base64,
    /// `xsd:base64Binary`, which some devices use instead
    Base64Binary,
    /// `xsd:hexBinary`
    HexBinary,
    /// `xsd:decimal`, since TR-181 2.14
    Decimal,
}

/// One row of a [`ParameterList`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Parameter<'a> {
    /// The full parameter path.
    pub name: &'a str,
    /// The exact text of the value.
    pub value: &'a str,
    /// Its type.
    pub value_type: ValueType,
}

/// A list of `ParameterValueStruct`: names, values and types in order.
///
/// The rows share one buffer, so that a message with a hundred thousand parameters costs a
/// handful of allocations. `Debug` shows no values: there are passwords among them.
#[derive(Clone, Default)]
pub struct ParameterList {
    text: String,
    rows: Vec<Row>,
}

#[derive(Clone, Copy)]
struct Row {
    name_end: usize,
    value_end: usize,
    value_type: ValueType,
}

impl ValueType {
    /// All types.
    pub const ALL: [Self; 11] = [
        Self::String,
        Self::Int,
        Self::UnsignedInt,
        Self::Long,
        Self::UnsignedLong,
        Self::Boolean,
        Self::DateTime,
        Self::Base64,
        Self::Base64Binary,
        Self::HexBinary,
        Self::Decimal,
    ];

    /// The type as the encoder writes it, prefix included, such as `xsd:unsignedInt`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "xsd:string",
            Self::Int => "xsd:int",
            Self::UnsignedInt => "xsd:unsignedInt",
            Self::Long => "xsd:long",
            Self::UnsignedLong => "xsd:unsignedLong",
            Self::Boolean => "xsd:boolean",
            Self::DateTime => "xsd:dateTime",
            Self::Base64 => "soapenc:base64",
            Self::Base64Binary => "xsd:base64Binary",
            Self::HexBinary => "xsd:hexBinary",
            Self::Decimal => "xsd:decimal",
        }
    }

    /// The type without its prefix, such as `unsignedInt`: the form used outside SOAP.
    pub fn local_name(self) -> &'static str {
        self.as_str().split_once(':').map_or("", |(_, local)| local)
    }

    /// Finds a type by its name without prefix.
    pub fn of_local_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|value_type| value_type.local_name() == name)
    }
}

impl ParameterList {
    /// An empty list.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a row.
    pub fn push(&mut self, name: &str, value: &str, value_type: ValueType) {
        self.text.push_str(name);
        let name_end = self.text.len();
        self.text.push_str(value);
        self.rows.push(Row { name_end, value_end: self.text.len(), value_type });
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Parameter<'_>> + Clone {
        let mut start = 0;
        self.rows.iter().map(move |row| {
            let name = self.text.get(start..row.name_end).unwrap_or_default();
            let value = self.text.get(row.name_end..row.value_end).unwrap_or_default();
            start = row.value_end;
            Parameter { name, value, value_type: row.value_type }
        })
    }

    /// The first row of this name.
    pub fn get(&self, name: &str) -> Option<Parameter<'_>> {
        self.iter().find(|row| row.name == name)
    }
}

// === impl Parameter ===

impl fmt::Debug for Parameter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.value_type.local_name())
    }
}

// === impl ParameterList ===

impl fmt::Debug for ParameterList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for ParameterList {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<'a> FromIterator<(&'a str, &'a str, ValueType)> for ParameterList {
    fn from_iter<I: IntoIterator<Item = (&'a str, &'a str, ValueType)>>(rows: I) -> Self {
        let mut list = Self::new();
        for (name, value, value_type) in rows {
            list.push(name, value, value_type);
        }
        list
    }
}
