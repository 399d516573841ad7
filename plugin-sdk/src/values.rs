//! Parameters with their values.

use std::vec;

use crate::bindings::trellis::acs::types;
use crate::{Error, FromValue, Result, Value};

/// One parameter and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterValue {
    /// The full path.
    pub name: String,
    /// What the device says, or shall take.
    pub value: Value,
}

/// Parameters in the order in which the device sent them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values(Vec<ParameterValue>);

impl Values {
    /// The value of a parameter, by its full path.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.iter().find(|parameter| parameter.name == name).map(|parameter| &parameter.value)
    }

    /// The text of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).map(Value::text)
    }

    /// The value of a parameter as one of Rust's types; [`Error::Invalid`] when it is missing or
    /// something else.
    pub fn parse<T: FromValue>(&self, name: &str) -> Result<T> {
        let value = self.get(name).ok_or_else(|| Error::Invalid(format!("{name} is not there")))?;
        value.parse().map_err(|error| match error {
            Error::Invalid(text) => Error::Invalid(format!("{name}: {text}")),
            error => error,
        })
    }

    /// All parameters, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, ParameterValue> {
        self.0.iter()
    }

    /// The parameters below an object, such as `Device.WiFi.`.
    pub fn below<'a>(&'a self, object: &'a str) -> impl Iterator<Item = &'a ParameterValue> {
        self.iter().filter(move |parameter| parameter.name.starts_with(object))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl IntoIterator for Values {
    type Item = ParameterValue;
    type IntoIter = vec::IntoIter<ParameterValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Values {
    type Item = &'a ParameterValue;
    type IntoIter = core::slice::Iter<'a, ParameterValue>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl FromIterator<ParameterValue> for Values {
    fn from_iter<I: IntoIterator<Item = ParameterValue>>(parameters: I) -> Self {
        Self(parameters.into_iter().collect())
    }
}

impl<N: Into<String>> FromIterator<(N, Value)> for Values {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(pairs: I) -> Self {
        pairs.into_iter().map(|(name, value)| ParameterValue { name: name.into(), value }).collect()
    }
}

impl Extend<ParameterValue> for Values {
    fn extend<I: IntoIterator<Item = ParameterValue>>(&mut self, parameters: I) {
        self.0.extend(parameters);
    }
}

impl From<Vec<types::ParameterValue>> for Values {
    fn from(parameters: Vec<types::ParameterValue>) -> Self {
        let pair = |parameter: types::ParameterValue| {
            (parameter.name, Value::of_type(parameter.value_type, parameter.value))
        };
        parameters.into_iter().map(pair).collect()
    }
}

/// The contract's form of parameters to be written.
pub(crate) fn to_wire<N: Into<String>>(
    values: impl IntoIterator<Item = (N, Value)>,
) -> Vec<types::ParameterValue> {
    let wire = |(name, value): (N, Value)| types::ParameterValue {
        name: name.into(),
        value: value.text,
        value_type: value.kind,
    };
    values.into_iter().map(wire).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_names_the_parameter_at_fault() {
        let values: Values =
            [("Device.A", Value::from("x")), ("Device.B", 5_u32.into())].into_iter().collect();
        assert_eq!(values.parse::<u32>("Device.B"), Ok(5));
        assert_eq!(values.text("Device.A"), Some("x"));
        let error = values.parse::<u32>("Device.A").unwrap_err();
        assert_eq!(error.to_string(), "Device.A: a value of 1 bytes is not a u32");
        let error = values.parse::<u32>("Device.C").unwrap_err();
        assert_eq!(error.to_string(), "Device.C is not there");
    }

    #[test]
    fn below_takes_a_subtree() {
        let values: Values =
            [("A.B.C", Value::from("1")), ("A.BC", "2".into())].into_iter().collect();
        assert_eq!(values.below("A.B.").count(), 1);
        assert_eq!(to_wire([("A", true.into())])[0].value_type, "boolean");
    }
}
