//! What a `dateTime` of the data models means (TR-106 3.2.1): not every one is a point in time.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{DateTime, date};

/// The meaning of a `dateTime`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// `0001-01-01T00:00:00Z`: the device does not know.
    Unknown,
    /// A time in the first year: so long after the device booted, or another moment that the
    /// parameter says.
    Relative(Duration),
    /// `9999-12-31T23:59:59Z`: never.
    Infinite,
    /// A point in time.
    Absolute(Timestamp),
    /// A time on the device's own clock, which does not say in which zone that is.
    Local(DateTime),
}

const BEGIN: DateTime = date(1, 1, 1).at(0, 0, 0, 0);
const END: DateTime = date(9999, 12, 31).at(23, 59, 59, 0);

impl Time {
    /// Reads a `dateTime`. `None` if the text is none.
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        // The first and the last year may have a zone or none: they are no points in time.
        let civil = text.trim_end_matches(['Z', 'z']).parse::<DateTime>().ok();
        match (civil, text.parse::<Timestamp>()) {
            (Some(BEGIN), _) => Some(Self::Unknown),
            (Some(END), _) => Some(Self::Infinite),
            (Some(civil), _) if civil.year() == BEGIN.year() => {
                let since = civil.duration_since(BEGIN);
                Some(Self::Relative(Duration::try_from(since).unwrap_or_default()))
            }
            (_, Ok(timestamp)) => Some(Self::Absolute(timestamp)),
            (Some(civil), Err(_)) => Some(Self::Local(civil)),
            (None, Err(_)) => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_time_has_its_meaning() {
        let absolute = |text: &str| Some(Time::Absolute(text.parse().expect("a time")));
        let seconds = |seconds| Some(Time::Relative(Duration::from_secs(seconds)));
        for (text, meaning) in [
            ("0001-01-01T00:00:00Z", Some(Time::Unknown)),
            ("0001-01-01T00:00:00", Some(Time::Unknown)),
            ("0001-01-03T03:04:05", seconds(2 * 86_400 + 3 * 3_600 + 4 * 60 + 5)),
            ("0001-01-01T00:00:01Z", seconds(1)),
            ("9999-12-31T23:59:59Z", Some(Time::Infinite)),
            ("2024-05-01T10:00:00+02:00", absolute("2024-05-01T08:00:00Z")),
            ("2024-05-01T10:00:00.250Z", absolute("2024-05-01T10:00:00.25Z")),
            (" 1970-01-01T00:00:00Z ", absolute("1970-01-01T00:00:00Z")),
            ("2024-05-01T10:00:00", Some(Time::Local(date(2024, 5, 1).at(10, 0, 0, 0)))),
            ("2019-03-05T11:54::14", None),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(Time::read(text), meaning, "{text}");
        }
    }
}
