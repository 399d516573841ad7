//! Which plugin serves which device.

use std::fmt;

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

/// The longest text of a matcher, in bytes.
const PATTERN_BYTES_MAX: usize = 256;

/// How closely a matcher describes a device: first the fields given exactly, then the
/// characters given in the others. The closest one wins.
pub type Specificity = (usize, usize);

/// A matcher made ready.
#[derive(Clone, Debug)]
pub struct CompiledMatcher {
    fields: Vec<(Field, Pattern)>,
    specificity: Specificity,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

    /// Whether there are devices that both describe, and by the same fields equally closely.
    pub(crate) fn ties_with(&self, other: &Self) -> bool {
        let ours: Vec<_> = self.fields().collect();
        let theirs: Vec<_> = other.fields().collect();
        let same_fields = ours.iter().map(|it| it.0).eq(theirs.iter().map(|it| it.0));
        let is_pattern = |text: &str| text.contains(['*', '?']);
        // What is quickly seen goes first.
        let differ = |((_, one), (_, other)): (&(Field, &str), &(Field, &str))| {
            !is_pattern(one) && !is_pattern(other) && one != other
        };
        same_fields
            && !ours.iter().zip(&theirs).any(differ)
            && specificity(ours.iter().copied()) == specificity(theirs.iter().copied())
            && ours.iter().zip(&theirs).all(|((_, one), (_, other))| {
                overlap(&one.chars().collect::<Vec<_>>(), &other.chars().collect::<Vec<_>>())
            })
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        self.compile().map(|_| ())
    }

    /// Makes it ready. Fails on a pattern that cannot be read.
    pub fn compile(&self) -> Result<CompiledMatcher, String> {
        let compiled = self.fields().map(|(field, text)| {
            if text.len() > PATTERN_BYTES_MAX {
                let (name, bytes) = (field.name(), text.len());
                return Err(format!(
                    "the {name} of a matcher has {bytes} bytes; the limit is {PATTERN_BYTES_MAX}"
                ));
            }
            Ok((field, Pattern::new(text)?))
        });
        let fields = compiled.collect::<Result<_, String>>()?;
        Ok(CompiledMatcher { fields, specificity: specificity(self.fields()) })
    }
}

impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields = self.fields().map(|(field, text)| format!("{}: {text:?}", field.name()));
        write!(f, "{{{}}}", fields.collect::<Vec<_>>().join(", "))
    }
}

impl Field {
    fn name(self) -> &'static str {
        match self {
            Self::Manufacturer => "manufacturer",
            Self::Oui => "oui",
            Self::ProductClass => "product-class",
            Self::SoftwareVersion => "software-version",
            Self::HardwareVersion => "hardware-version",
            Self::Root => "root",
        }
    }
}

fn specificity<'a>(fields: impl Iterator<Item = (Field, &'a str)>) -> Specificity {
    fields.fold((0, 0), |(exact, characters), (_, text)| {
        if text.contains(['*', '?']) {
            (exact, characters + text.chars().filter(|c| !matches!(c, '*' | '?')).count())
        } else {
            (exact + 1, characters)
        }
    })
}

/// Whether there is a text that both patterns match.
fn overlap(one: &[char], other: &[char]) -> bool {
    // `reached[j]`: the part of `one` so far and the first `j` of `other` have a text in common.
    let mut reached = vec![false; other.len() + 1];
    for i in 0..=one.len() {
        let mut row = vec![false; other.len() + 1];
        for j in 0..=other.len() {
            let ours = i.checked_sub(1).and_then(|i| one.get(i)).copied();
            let theirs = j.checked_sub(1).and_then(|j| other.get(j)).copied();
            let before = |row: &[bool], j: usize| row.get(j).copied().unwrap_or_default();
            let both = j.checked_sub(1).is_some_and(|j| before(&reached, j));
            let left = j.checked_sub(1).is_some_and(|j| before(&row, j));
            let above = i > 0 && before(&reached, j);
            let meets = match (ours, theirs) {
                (None, None) => true,
                (Some('*'), Some(_)) | (Some(_), Some('*')) => both || left || above,
                (Some('*'), None) => above,
                (None, Some('*')) => left,
                (Some(a), Some(b)) => both && (a == b || a == '?' || b == '?'),
                _ => false,
            };
            if let Some(cell) = row.get_mut(j) {
                *cell = meets;
            }
        }
        reached = row;
    }
    reached.last().copied().unwrap_or_default()
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
    fn two_matchers_tie_where_a_device_fits_both_by_the_same_fields_equally_closely() {
        let of = |product_class: &str| Matcher {
            product_class: Some(product_class.to_owned()),
            ..Matcher::default()
        };
        let maker = Matcher { manufacturer: Some("Acme".to_owned()), ..Matcher::default() };
        for (one, other, ties) in [
            (of("GW-1"), of("GW-1"), true),
            (of("GW-1"), of("GW-2"), false),
            (of("GW-*"), of("*-GW"), true),
            (of("GW-*"), of("XY-*"), false),
            (of("GW-*"), of("G?-*"), false),
            (of("?W-*"), of("G?-*"), true),
            (of("*"), of("*"), true),
            (of("a*c"), of("*b*"), false),
            (of("GW-1"), maker.clone(), false),
            (Matcher::default(), Matcher::default(), true),
        ] {
            assert_eq!(one.ties_with(&other), ties, "{one} and {other}");
            assert_eq!(other.ties_with(&one), ties, "{other} and {one}");
        }
    }

    #[test]
    fn brackets_braces_and_slashes_in_a_pattern_are_themselves() {
        let traits = Traits { product_class: "hAP [2] {x}/1", ..Traits::default() };
        assert!(matches("hAP [2] {x}/?", traits).is_some());
        assert!(matches("hAP*1", traits).is_some());
    }
}
