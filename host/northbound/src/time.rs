//! Times as the API tells them.

use jiff::Timestamp;

/// A time in milliseconds since 1970, as RFC 3339 has it.
pub(crate) fn text(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|it| it.to_string()).unwrap_or_default()
}

/// Microseconds as seconds.
pub(crate) fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
