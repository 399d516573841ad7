//! From bytes to text: byte order marks, declared encodings, and bytes that are neither.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::error::{DecodeError, DecodeErrorKind};
use crate::quirk::{Quirk, Quirks};

/// How far into the message an XML declaration is looked for.
const DECLARATION_SEARCH_BYTES: usize = 512;

/// Turns a message into UTF-8. The byte order mark decides, then the `charset` of the
/// `Content-Type`, then the XML declaration; bytes that do not fit are windows-1252, since
/// that is what they turn out to be (`ü` in a host name).
pub(crate) fn to_utf8<'a>(
    bytes: &'a [u8],
    charset: Option<&str>,
    quirks: &mut Quirks,
) -> Result<Cow<'a, str>, DecodeError> {
    let (encoding, bytes) = match Encoding::for_bom(bytes) {
        Some((encoding, length)) => (encoding, bytes.get(length..).unwrap_or_default()),
        // UTF-16 without a mark shows in its first character (XML 1.0, appendix F).
        None if bytes.starts_with(b"<\0") => (UTF_16LE, bytes),
        None if bytes.starts_with(b"\0<") => (UTF_16BE, bytes),
        None => (named(bytes, charset, quirks)?, bytes),
    };
    let text = if encoding == UTF_8 {
        match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            Err(error) => {
                quirks.note(Quirk::WrongEncoding, error.valid_up_to());
                WINDOWS_1252.decode_without_bom_handling(bytes).0
            }
        }
    } else {
        let (text, had_errors) = encoding.decode_without_bom_handling(bytes);
        if had_errors {
            quirks.note(Quirk::WrongEncoding, 0);
        }
        text
    };
    Ok(text)
}

fn named(
    bytes: &[u8],
    charset: Option<&str>,
    quirks: &mut Quirks,
) -> Result<&'static Encoding, DecodeError> {
    let declared = declared(bytes);
    // A device that says UTF-8 in one place and something else in the other means the latter:
    // the `Content-Type` is often fixed in its HTTP client.
    let name = match (charset, &declared) {
        (Some(charset), Some(declared)) if charset.eq_ignore_ascii_case("utf-8") => {
            declared.as_str()
        }
        (Some(charset), _) => charset,
        (None, Some(declared)) => declared.as_str(),
        (None, None) => return Ok(UTF_8),
    };
    let labels = [Some(name), declared.as_deref()].into_iter().flatten();
    let known = labels.filter_map(|label| Encoding::for_label(label.as_bytes())).next();
    let Some(encoding) = known else {
        quirks.note(Quirk::WrongEncoding, 0);
        // A misspelt name does no harm to bytes that speak for themselves.
        if std::str::from_utf8(bytes).is_ok() {
            return Ok(UTF_8);
        }
        let name = name.chars().take(64).collect();
        let kind = DecodeErrorKind::UnknownEncoding(name);
        return Err(DecodeError { kind, offset: 0, path: String::new() });
    };
    // `encoding="utf-16"` that could be read byte by byte up to here is not UTF-16.
    Ok(if encoding.is_ascii_compatible() { encoding } else { UTF_8 })
}

/// The encoding that the XML declaration names.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(DECLARATION_SEARCH_BYTES))?;
    let head = head.trim_ascii_start();
    let declaration = head.strip_prefix(b"<?xml")?;
    let end = declaration.windows(2).position(|pair| pair == b"?>")?;
    let declaration = std::str::from_utf8(declaration.get(..end)?).ok()?;
    let (_, after) = declaration.split_once("encoding")?;
    let after = after.trim_start().strip_prefix('=')?.trim_start();
    let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    after.get(1..)?.split(quote).next().map(|name| name.trim().to_owned())
}
