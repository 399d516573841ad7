//! JSON schemas of settings and of the arguments of actions.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::Value;

/// How many errors are told at once.
const ERRORS_SHOWN: usize = 8;

/// A schema made ready. One that is not there takes any object.
pub(crate) struct Schema(Option<Ready>);

struct Ready {
    validator: Validator,
    /// How many parts it has.
    parts: u64,
}

impl Schema {
    /// Reads a schema (JSON Schema 2020-12). References are followed within it only.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        if schema.is_null() {
            return Ok(Self(None));
        }
        let parts = check_size(schema)?;
        let validator = jsonschema::options()
            // Whatever it calls itself: in older drafts other references would be followed.
            .with_draft(Draft::Draft202012)
            // Those take a time that grows with the text, and no faster.
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .build(schema);
        let validator = validator.map_err(|error| error.to_string())?;
        Ok(Self(Some(Ready { validator, parts })))
    }

    /// Whether it takes any object.
    pub(crate) fn takes_any(&self) -> bool {
        self.0.is_none()
    }

    /// Checks a value; the error names each field that is wrong.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        self.check_set(value, |_| None)
    }

    /// The same for a value of which a part, by its JSON pointer, `comes_from` somewhere; that is told
    /// too.
    pub(crate) fn check_set(
        &self,
        value: &Value,
        comes_from: impl Fn(&str) -> Option<String>,
    ) -> Result<(), String> {
        let Some(Ready { validator, parts }) = &self.0 else { return Ok(()) };
        let checks = parts.saturating_mul(count(value));
        if checks > CHECKS_MAX {
            return Err(format!(
                "there is too much of it to be checked: the schema's parts times its own are {checks}; \
                 the limit is {CHECKS_MAX}"
            ));
        }
        let errors = validator.iter_errors(value).take(ERRORS_SHOWN);
        let errors: Vec<String> = errors
            .map(|error| {
                let path = error.instance_path().as_str();
                let mut from: Vec<String> =
                    places(&error).filter_map(|it| comes_from(&it)).collect();
                from.dedup();
                let from =
                    if from.is_empty() { String::new() } else { format!(" ({})", from.join(", ")) };
                let colon = if path.is_empty() && from.is_empty() { "" } else { ": " };
                format!("{path}{from}{colon}{}", error.masked_with("the value"))
            })
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }
}

/// What is wrong, by its JSON pointer: the value, or the properties of it that are too many.
fn places(error: &ValidationError<'_>) -> impl Iterator<Item = String> {
    let path = error.instance_path().as_str();
    let places = match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let below = |name: &String| format!("{path}/{}", escaped(name));
            unexpected.iter().map(below).collect()
        }
        _ => vec![path.to_owned()],
    };
    places.into_iter()
}

/// A name as it is in a JSON pointer (RFC 6901).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// The largest schema, in bytes of its text, and in what it says once references are followed.
const BYTES_MAX: usize = 64 << 10;
const PARTS_MAX: u64 = 20_000;

/// How deep it may be, references included.
const DEPTH_MAX: u32 = 64;

/// Parts of a schema times parts of a value that are checked at once.
const CHECKS_MAX: u64 = 250_000;

/// So many bytes of a text count as another part: a pattern looks at each of them.
const TEXT_PART_BYTES: u64 = 64;

/// How many parts a value has.
fn count(value: &Value) -> u64 {
    let below: u64 = match value {
        Value::String(text) => u64::try_from(text.len()).unwrap_or(u64::MAX) / TEXT_PART_BYTES,
        Value::Object(fields) => fields.values().map(count).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    };
    below + 1
}

/// How much a part of a schema is once its references are followed.
#[derive(Clone, Copy, Default)]
struct Size {
    parts: u64,
    depth: u32,
}

/// Refuses a schema that would take for ever: references may multiply what is to be checked.
/// Returns how many parts it has.
fn check_size(schema: &Value) -> Result<u64, String> {
    let bytes = schema.to_string().len();
    if bytes > BYTES_MAX {
        return Err(format!("it has {bytes} bytes; the limit is {BYTES_MAX}"));
    }
    let mut measure = Measure { whole: schema, open: Vec::new(), known: BTreeMap::new() };
    let Size { parts, .. } = measure.size(schema, 0)?;
    if parts > PARTS_MAX {
        return Err(format!("with its references it has {parts} parts; the limit is {PARTS_MAX}"));
    }
    Ok(parts)
}

/// Measures a schema.
struct Measure<'a> {
    whole: &'a Value,
    /// References that are being followed.
    open: Vec<String>,
    /// What was found of others.
    known: BTreeMap<String, Size>,
}

impl Measure<'_> {
    fn size(&mut self, part: &Value, depth: u32) -> Result<Size, String> {
        let mut size = Size { parts: 1, depth: 1 };
        let mut add = |more: Size| -> Result<(), String> {
            size.parts = size.parts.saturating_add(more.parts);
            size.depth = size.depth.max(more.depth + 1);
            if depth + size.depth > DEPTH_MAX {
                return Err(format!("it is deeper than {DEPTH_MAX}, references included"));
            }
            Ok(())
        };
        match part {
            Value::Object(fields) => {
                for (name, value) in fields {
                    match (name.as_str(), value) {
                        (
                            "$dynamicRef" | "$recursiveRef" | "$dynamicAnchor" | "$anchor" | "$id",
                            Value::String(_),
                        ) if depth > 0 || name != "$id" => {
                            return Err(format!("{name} is not taken"));
                        }
                        ("$ref", Value::String(target)) => add(self.referred(target, depth + 1)?)?,
                        _ => add(self.below(value, depth + 1)?)?,
                    }
                }
            }
            Value::Array(items) => {
                for item in items {
                    add(self.below(item, depth + 1)?)?;
                }
            }
            _ => {}
        }
        Ok(size)
    }

    fn below(&mut self, part: &Value, depth: u32) -> Result<Size, String> {
        if depth > DEPTH_MAX {
            return Err(format!("it is deeper than {DEPTH_MAX}, references included"));
        }
        self.size(part, depth)
    }

    fn referred(&mut self, target: &str, depth: u32) -> Result<Size, String> {
        if let Some(size) = self.known.get(target) {
            return Ok(*size);
        }
        if self.open.iter().any(|it| it == target) {
            return Err(format!("the reference {target:?} refers to itself, which is not taken"));
        }
        // As it is written, so that it means the same to whoever follows it.
        let part = target.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
        let Some(part) = part.and_then(|pointer| self.whole.pointer(pointer)) else {
            return Err(format!(
                "the reference {target:?} must lead to a part, as #/$defs/NAME does"
            ));
        };
        self.open.push(target.to_owned());
        let size = self.below(part, depth)?;
        self.open.pop();
        self.known.insert(target.to_owned(), size);
        Ok(size)
    }
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
    fn references_that_are_followed_otherwise_than_they_are_measured_are_refused() {
        let refused = |schema: Value| Schema::new(&schema).err().expect("it is refused");
        let defs = json!({ "a": { "type": "string" } });
        let encoded = refused(json!({ "$defs": defs, "$ref": "#/%24defs/a" }));
        assert!(encoded.contains("as #/$defs/NAME"), "{encoded}");
        assert!(refused(json!({ "$defs": defs, "$ref": "#b" })).contains("#b"));
        let anchored = json!({ "a": { "$anchor": "b", "type": "string" } });
        assert!(refused(json!({ "$defs": anchored })).contains("$anchor"));
        let other = json!({ "$id": "https://a.example/", "type": "object" });
        assert!(Schema::new(&other).is_ok(), "a name of the whole harms nothing");
        assert!(refused(json!({ "properties": { "x": other } })).contains("$id"));
    }

    #[test]
    fn a_schema_that_is_deep_by_itself_or_by_its_references_is_refused() {
        let mut deep = json!({ "type": "string" });
        for _ in 0..80 {
            deep = json!({ "items": deep });
        }
        assert!(Schema::new(&deep).err().expect("refused").contains("deeper than 64"));
        let mut defs = serde_json::Map::new();
        defs.insert("d0".to_owned(), json!({}));
        for number in 1..2_000 {
            let below = format!("#/$defs/d{}", number - 1);
            defs.insert(format!("d{number}"), json!({ "$ref": below }));
        }
        let chain = json!({ "$defs": defs, "$ref": "#/$defs/d1999" });
        assert!(Schema::new(&chain).err().expect("refused").contains("deeper than 64"));
    }

    #[test]
    fn what_has_the_name_of_definitions_counts_like_everything_else() {
        let properties: serde_json::Map<_, _> =
            (0..1_000).map(|it| (format!("p{it}"), json!({ "type": "string" }))).collect();
        for name in ["definitions", "$defs"] {
            let hidden = json!({ "properties": { name: { "properties": properties } } });
            let many = json!({ name: vec![json!({}); 10_000] });
            let schema = Schema::new(&hidden).expect("a schema");
            assert!(schema.check(&many).expect_err("too much").contains("too much"), "{name}");
            let refused = json!({ "properties": { name: { "items": { "$anchor": "a" } } } });
            assert!(Schema::new(&refused).err().expect("refused").contains("$anchor"), "{name}");
        }
    }

    #[test]
    fn a_value_of_too_many_parts_for_a_large_schema_is_refused_at_once() {
        let properties: serde_json::Map<_, _> =
            (0..1_000).map(|it| (format!("p{it}"), json!({ "type": "string" }))).collect();
        let schema = json!({ "items": { "properties": properties } });
        let schema = Schema::new(&schema).expect("a schema");
        assert!(schema.check(&json!([{}, {}])).is_ok());
        let many = Value::Array(vec![json!({}); 10_000]);
        assert!(schema.check(&many).expect_err("too much").contains("too much"));
    }

    #[test]
    fn a_schema_whose_references_multiply_is_refused_at_once() {
        let mut defs = serde_json::Map::new();
        defs.insert("d0".to_owned(), json!({ "type": "object" }));
        for number in 1..20 {
            let below = json!({ "$ref": format!("#/$defs/d{}", number - 1) });
            defs.insert(format!("d{number}"), json!({ "allOf": [below, below] }));
        }
        let Err(error) = Schema::new(&json!({ "$defs": defs, "$ref": "#/$defs/d19" })) else {
            panic!("it is taken");
        };
        assert!(error.contains("the limit is 20000"), "{error}");
        let few = json!({ "$defs": { "a": { "type": "string" } }, "properties": { "x": { "$ref": "#/$defs/a" } } });
        assert!(Schema::new(&few).is_ok());
    }
}
