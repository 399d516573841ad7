//! Which plugin serves which device.

use globset::{Glob, GlobMatcher};
use serde::Deserialize;

/// What a matcher looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traits<'a> {
    /// The maker's name.
    pub manufacturer: &'a str,
    /// Six hexadecimal digits.
    pub oui: &'a str,
    /// The kind of product.
    pub product_class: &'a str,
    /// `DeviceInfo.SoftwareVersion` of the Inform.
    pub software_version: &'a str,
    /// `DeviceInfo.HardwareVersion` of the Inform.
    pub hardware_version: &'a str,
    /// `Device.` or `InternetGatewayDevice.`.
    pub root: &'a str,
}

/// A condition on a device: every field that is given must match. `*` stands for any text and
/// `?` for any character; everything else stands for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Matcher {
    /// See [`Traits::manufacturer`].
    pub manufacturer: Option<String>,
    /// See [`Traits::oui`].
    pub oui: Option<String>,
    /// See [`Traits::product_class`].
    pub product_class: Option<String>,
    /// See [`Traits::software_version`].
    pub software_version: Option<String>,
    /// See [`Traits::hardware_version`].
    pub hardware_version: Option<String>,
    /// See [`Traits::root`].
    pub root: Option<String>,
}

/// How closely a matcher describes a device: first the fields given exactly, then the
/// characters given in the others. The closest one wins.
pub type Specificity = (usize, usize);

/// A matcher made ready.
#[derive(Clone, Debug)]
pub struct CompiledMatcher {
    fields: Vec<(Field, Pattern)>,
    specificity: Specificity,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Manufacturer,
    Oui,
    ProductClass,
    SoftwareVersion,
    HardwareVersion,
    Root,
}

/// A text in which `*` stands for any text and `?` for any character; everything else stands for
/// itself.
#[derive(Clone, Debug)]
pub struct Pattern(Form);

#[derive(Clone, Debug)]
enum Form {
    Exact(String),
    Glob(GlobMatcher),
}

impl Pattern {
    /// A pattern from its text. Fails on one that is too long to be of use.
    pub fn new(text: &str) -> Result<Self, String> {
        if !text.contains(['*', '?']) {
            return Ok(Self(Form::Exact(text.to_owned())));
        }
        // Only `*` and `?` are special, so that `[` in a product class is itself.
        let escaped: String = text
            .chars()
            .flat_map(|c| {
                let escape = matches!(c, '[' | ']' | '{' | '}' | '!' | '\\');
                escape.then_some('\\').into_iter().chain([c])
            })
            .collect();
        let glob = Glob::new(&escaped)
            .map_err(|error| format!("the pattern {text:?} cannot be read: {error}"))?;
        Ok(Self(Form::Glob(glob.compile_matcher())))
    }

    /// Whether a text is as the pattern says.
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Form::Exact(exact) => exact == text,
            Form::Glob(glob) => glob.is_match(text),
        }
    }
}

impl Matcher {
    fn fields(&self) -> impl Iterator<Item = (Field, &str)> {
        [
            (Field::Manufacturer, &self.manufacturer),
            (Field::Oui, &self.oui),
            (Field::ProductClass, &self.product_class),
            (Field::SoftwareVersion, &self.software_version),
            (Field::HardwareVersion, &self.hardware_version),
            (Field::Root, &self.root),
        ]
        .into_iter()
        .filter_map(|(field, pattern)| Some((field, pattern.as_deref()?)))
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.compile().map(|_| ())
    }

    /// Makes it ready. Fails on a pattern that cannot be read.
    pub fn compile(&self) -> Result<CompiledMatcher, String> {
        let mut fields = Vec::new();
        let mut specificity = (0, 0);
        for (field, text) in self.fields() {
            let pattern = Pattern::new(text)?;
            match pattern.0 {
                Form::Exact(_) => specificity.0 += 1,
                Form::Glob(_) => {
                    specificity.1 += text.chars().filter(|c| !matches!(c, '*' | '?')).count();
                }
            }
            fields.push((field, pattern));
        }
        Ok(CompiledMatcher { fields, specificity })
    }
}

impl CompiledMatcher {
    /// How closely it describes a device, if it does.
    pub fn matches(&self, traits: &Traits<'_>) -> Option<Specificity> {
        let all = self.fields.iter().all(|(field, pattern)| {
            let text = match field {
                Field::Manufacturer => traits.manufacturer,
                Field::Oui => traits.oui,
                Field::ProductClass => traits.product_class,
                Field::SoftwareVersion => traits.software_version,
                Field::HardwareVersion => traits.hardware_version,
                Field::Root => traits.root,
            };
            pattern.matches(text)
        });
        all.then_some(self.specificity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(product_class: &str, traits: Traits<'_>) -> Option<Specificity> {
        let matcher =
            Matcher { product_class: Some(product_class.to_owned()), ..Matcher::default() };
        matcher.compile().expect("it compiles").matches(&traits)
    }

    #[test]
    fn an_exact_field_is_closer_than_any_pattern_and_a_longer_pattern_than_a_shorter() {
        let traits = Traits { product_class: "HG8245H", ..Traits::default() };
        let exact = matches("HG8245H", traits);
        assert!(exact > matches("HG8245*", traits));
        assert!(matches("HG8245*", traits) > matches("HG*", traits));
        assert!(matches("HG*", traits) > matches("*", traits));
        assert_eq!(matches("HG9*", traits), None);
    }

    #[test]
    fn brackets_braces_and_slashes_in_a_pattern_are_themselves() {
        let traits = Traits { product_class: "hAP [2] {x}/1", ..Traits::default() };
        assert!(matches("hAP [2] {x}/?", traits).is_some());
        assert!(matches("hAP*1", traits).is_some());
    }
}
