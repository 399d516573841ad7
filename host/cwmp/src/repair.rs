//! A second try at text that the XML parser refused.

use std::borrow::Cow;

/// Escapes each `<` that cannot start a tag, which devices leave in values such as an SSID
/// `a<3`. Comments and CDATA sections are left alone. `None` if there was nothing to mend.
pub(crate) fn bare_less_than(source: &str) -> Option<(Cow<'_, str>, usize)> {
    let mut mended = String::new();
    let mut first = None;
    let mut copied = 0;
    let mut at = 0;
    let mut protection = Protection::default();
    while let Some(found) = source.get(at..).and_then(|rest| rest.find('<')) {
        let start = at + found;
        let tag = source.get(start + 1..).unwrap_or_default();
        at = match protection.length(tag) {
            Some(length) => start + 1 + length,
            None => start + 1,
        };
        let starts_tag = tag.chars().next().is_some_and(|next| {
            next.is_alphabetic() || matches!(next, '_' | ':' | '/' | '!' | '?')
        });
        if !starts_tag {
            first.get_or_insert(start);
            mended.push_str(source.get(copied..start).unwrap_or_default());
            mended.push_str("&lt;");
            copied = start + 1;
        }
    }
    let first = first?;
    mended.push_str(source.get(copied..).unwrap_or_default());
    Some((Cow::Owned(mended), first))
}

/// Finds the ends of comments and CDATA sections. An end that is not there is looked for only
/// once, so that the time stays linear.
#[derive(Default)]
struct Protection {
    no_comment_end: bool,
    no_cdata_end: bool,
}

impl Protection {
    /// The length of a comment or CDATA section that starts here.
    fn length(&mut self, tag: &str) -> Option<usize> {
        let (end, is_missing) = if tag.starts_with("!--") {
            ("-->", &mut self.no_comment_end)
        } else if tag.starts_with("![CDATA[") {
            ("]]>", &mut self.no_cdata_end)
        } else {
            return None;
        };
        if *is_missing {
            return None;
        }
        let found = tag.find(end);
        *is_missing = found.is_none();
        found.map(|found| found + end.len())
    }
}

/// Drops characters that XML forbids. `None` if there are none.
pub(crate) fn control_characters(source: &str) -> Option<(Cow<'_, str>, usize)> {
    // A scan of bytes, since it is made over every message. Above U+001F only U+FFFE and
    // U+FFFF are forbidden.
    let control = source.bytes().position(|byte| byte < 0x20 && !matches!(byte, 9 | 10 | 13));
    let first = control.or_else(|| source.find(['\u{FFFE}', '\u{FFFF}']))?;
    let clean = source.chars().filter(|character| crate::xml::allowed(*character)).collect();
    Some((Cow::Owned(clean), first))
}
