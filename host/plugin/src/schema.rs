//! JSON schemas of settings and of the arguments of actions.

use std::collections::BTreeMap;

use jsonschema::Validator;
use serde_json::Value;

/// How many errors are told at once.
const ERRORS_SHOWN: usize = 8;

/// A schema made ready. One that is not there takes any object.
pub(crate) struct Schema(Option<Validator>);

impl Schema {
    /// Reads a schema. References to other documents are not followed.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        if schema.is_null() {
            return Ok(Self(None));
        }
        check_size(schema)?;
        let validator = jsonschema::options().should_validate_formats(true).build(schema);
        validator.map(|it| Self(Some(it))).map_err(|error| error.to_string())
    }

    /// Checks a value; the error names each field that is wrong.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        let Some(validator) = &self.0 else { return Ok(()) };
        let errors = validator.iter_errors(value).take(ERRORS_SHOWN);
        let errors: Vec<String> = errors
            .map(|error| match error.instance_path().as_str() {
                "" => error.masked_with("the value").to_string(),
                path => format!("{path}: {}", error.masked_with("the value")),
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }
}

/// The largest schema, in bytes of its text, and in what it says once references are followed.
const BYTES_MAX: usize = 64 << 10;
const STEPS_MAX: u64 = 20_000;

/// Refuses a schema that would take for ever: references may multiply what is to be checked.
fn check_size(schema: &Value) -> Result<(), String> {
    let bytes = schema.to_string().len();
    if bytes > BYTES_MAX {
        return Err(format!("it has {bytes} bytes; the limit is {BYTES_MAX}"));
    }
    let steps = steps(schema, schema, &mut Vec::new(), &mut BTreeMap::new())?;
    if steps > STEPS_MAX {
        return Err(format!("with its references it has {steps} parts; the limit is {STEPS_MAX}"));
    }
    Ok(())
}

/// How many parts a part of a schema has once its references are followed. `open` are the references
/// that are being followed, and `known` what was found of others.
fn steps(
    part: &Value,
    whole: &Value,
    open: &mut Vec<String>,
    known: &mut BTreeMap<String, u64>,
) -> Result<u64, String> {
    let mut total = 1_u64;
    match part {
        Value::Object(fields) => {
            for (name, value) in fields {
                let more = match (name.as_str(), value) {
                    ("$dynamicRef" | "$recursiveRef", _) => {
                        return Err(format!("{name} is not taken"));
                    }
                    ("$ref", Value::String(target)) => referred(target, whole, open, known)?,
                    // They count where they are referred to.
                    ("$defs" | "definitions", _) => 0,
                    _ => steps(value, whole, open, known)?,
                };
                total = total.saturating_add(more);
            }
        }
        Value::Array(items) => {
            for item in items {
                total = total.saturating_add(steps(item, whole, open, known)?);
            }
        }
        _ => {}
    }
    Ok(total)
}

fn referred(
    target: &str,
    whole: &Value,
    open: &mut Vec<String>,
    known: &mut BTreeMap<String, u64>,
) -> Result<u64, String> {
    if let Some(steps) = known.get(target) {
        return Ok(*steps);
    }
    if open.iter().any(|it| it == target) {
        return Err(format!("the reference {target:?} refers to itself, which is not taken"));
    }
    let pointer = target.strip_prefix('#').unwrap_or(target);
    // One that leads elsewhere is refused where the schema is made ready.
    let Some(part) = whole.pointer(pointer) else { return Ok(1) };
    open.push(target.to_owned());
    let found = steps(part, whole, open, known)?;
    open.pop();
    known.insert(target.to_owned(), found);
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::expect_used, clippy::panic, reason = "tests")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_value_that_does_not_fit_is_named_and_not_shown() {
        let schema = json!({
            "type": "object",
            "properties": { "wifi": { "type": "object", "properties": { "psk": { "maxLength": 3 } } } },
            "required": ["ssid"],
        });
        let schema = Schema::new(&schema).expect("a schema");
        let error = schema.check(&json!({ "wifi": { "psk": "secret" } })).expect_err("it is wrong");
        assert!(error.contains("/wifi/psk"), "{error}");
        assert!(error.contains("ssid"), "{error}");
        assert!(!error.contains("\"secret\""), "{error}");
        assert!(schema.check(&json!({ "ssid": "x" })).is_ok());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        assert!(Schema::new(&json!({ "type": "no-such-type" })).is_err());
        assert!(Schema::new(&json!({ "$ref": "https://example.com/schema" })).is_err());
        assert!(Schema::new(&json!({ "$ref": "#" })).is_err());
    }

    #[test]
    fn a_schema_whose_references_multiply_is_refused_at_once() {
        let mut defs = serde_json::Map::new();
        defs.insert("d0".to_owned(), json!({ "type": "object" }));
        for number in 1..60 {
            let below = json!({ "$ref": format!("#/$defs/d{}", number - 1) });
            defs.insert(format!("d{number}"), json!({ "allOf": [below, below] }));
        }
        let Err(error) = Schema::new(&json!({ "$defs": defs, "$ref": "#/$defs/d59" })) else {
            panic!("it is taken");
        };
        assert!(error.contains("the limit is 20000"), "{error}");
        let few = json!({ "$defs": { "a": { "type": "string" } }, "properties": { "x": { "$ref": "#/$defs/a" } } });
        assert!(Schema::new(&few).is_ok());
    }
}
