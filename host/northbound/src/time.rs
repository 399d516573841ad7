//! Times as the API tells them.

use jiff::Timestamp;

/// A time in milliseconds since 1970, as RFC 3339 has it.
pub(crate) fn text(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map(|it| it.to_string()).unwrap_or_default()
}

/// What `since` asks for, in milliseconds since 1970: everything where it asks for nothing.
pub(crate) fn since(since: Option<&str>) -> Result<i64, String> {
    let Some(since) = since else { return Ok(0) };
    let time: Result<Timestamp, _> = since.parse();
    time.map(Timestamp::as_millisecond).map_err(|error| format!("since is {since:?}: {error}"))
}

/// Microseconds as seconds.
pub(crate) fn seconds(micros: u64) -> f64 {
    std::time::Duration::from_micros(micros).as_secs_f64()
}
