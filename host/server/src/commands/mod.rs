//! What the command line does with a running server.

use anyhow::Context;
use jiff::{Span, SpanRelativeTo, Timestamp};
use serde_json::Value;

pub(crate) mod bench;
pub(crate) mod build;
pub(crate) mod device;
pub(crate) mod faults;
pub(crate) mod load;
pub(crate) mod new;
pub(crate) mod plugin;
pub(crate) mod replay;
pub(crate) mod tag;
pub(crate) mod token;
pub(crate) mod transcript;

/// JSON of the command line, `@FILE` for what is in a file, or `-` for standard input: what is secret
/// stays out of the shell's history. `what` it is, for whoever got it wrong.
fn json(what: &str, text: &str) -> anyhow::Result<Value> {
    let read = match text.strip_prefix('@') {
        Some(file) => {
            std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?
        }
        None if text == "-" => {
            std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?
        }
        None => text.to_owned(),
    };
    serde_json::from_str(&read).with_context(|| format!("the {what} are not JSON"))
}

/// A time, or how long ago.
fn since(text: &str) -> anyhow::Result<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    let span: Span = text
        .parse()
        .with_context(|| format!("--since {text:?} is neither a time nor such as 24h or 3d"))?;
    let ago = span.to_duration(SpanRelativeTo::days_are_24_hours())?;
    Ok(Timestamp::now().checked_sub(ago)?)
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn since_is_a_time_or_how_long_ago() {
        assert_eq!(since("2026-01-02T03:04:05Z").expect("a time").as_second(), 1_767_323_045);
        for (text, hours) in [("90m", 1.5), ("24h", 24.0), ("3d", 72.0)] {
            let ago = Timestamp::now().duration_since(since(text).expect(text)).as_secs_f64();
            assert!((ago - hours * 3_600.0).abs() < 60.0, "{text}: {ago}");
        }
        assert!(since("yesterday").is_err());
    }
}
