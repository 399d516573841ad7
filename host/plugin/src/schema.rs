//! JSON schemas of settings and of the arguments of actions.

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

#[cfg(test)]
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
    }
}
