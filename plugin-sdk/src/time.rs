//! What a `dateTime` of the data models means.

use crate::value::invalid;
use crate::{FromValue, Result, Value};

/// The meaning of a `dateTime` (TR-106 3.2.1): not every one is a point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Time {
    /// `0001-01-01T00:00:00Z`: the device does not know.
    Unknown,
    /// A time in the first year: so many seconds after the device booted, or after another moment
    /// that the parameter says.
    Relative(u64),
    /// `9999-12-31T23:59:59Z`: never.
    Infinite,
    /// Seconds since 1970; negative before. A time without a zone is taken for UTC.
    Absolute(i64),
}

const DAY_S: i64 = 86_400;

impl FromValue for Time {
    fn from_value(value: &Value) -> Result<Self> {
        read(value.text().trim()).ok_or_else(|| invalid(value, "a dateTime"))
    }
}

fn read(text: &str) -> Option<Time> {
    let (date, time) = text.split_once('T')?;
    let (time, offset) = split_zone(time)?;
    let [year, month, day] = numbers(date, '-')?;
    let whole = time.split_once('.').map_or(time, |(whole, _)| whole);
    let [hour, minute, second] = numbers(whole, ':')?;
    let is_time = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour <= 24
        && minute < 60
        && second <= 60;
    if !is_time {
        return None;
    }
    let of_day = hour * 3_600 + minute * 60 + second;
    let seconds = days(year, month, day) * DAY_S + of_day;
    Some(match (year, seconds - days(1, 1, 1) * DAY_S) {
        (1, 0) => Time::Unknown,
        (1, since) => Time::Relative(since.unsigned_abs()),
        (9999, _) if (month, day, of_day) == (12, 31, DAY_S - 1) => Time::Infinite,
        _ => Time::Absolute(seconds - offset),
    })
}

/// The time of day, and how many seconds it is ahead of UTC.
fn split_zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, 0));
    }
    let Some(at) = time.find(['+', '-']) else { return Some((time, 0)) };
    let (time, zone) = time.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let number = |text: &str| text.parse::<u8>().ok().filter(|it| *it < 60).map(i64::from);
    Some((time, sign * (number(hours)? * 3_600 + number(minutes)? * 60)))
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut number = || {
        let part = parts.next()?;
        (part.len() <= 4 && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(part)?;
        part.parse().ok()
    };
    let numbers = [number()?, number()?, number()?];
    parts.next().is_none().then_some(numbers)
}

/// Days since 1970 in the Gregorian calendar, years beginning in March so that a leap day is the
/// last of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    #[test]
    fn each_form_of_time_has_its_meaning() {
        for (text, meaning) in [
            ("0001-01-01T00:00:00Z", Some(Time::Unknown)),
            ("0001-01-03T03:04:05", Some(Time::Relative(2 * 86_400 + 3 * 3_600 + 4 * 60 + 5))),
            ("9999-12-31T23:59:59Z", Some(Time::Infinite)),
            ("1970-01-01T00:00:00Z", Some(Time::Absolute(0))),
            ("1969-12-31T23:59:59Z", Some(Time::Absolute(-1))),
            ("2000-02-29T12:00:00Z", Some(Time::Absolute(951_825_600))),
            ("2024-05-01T10:00:00+02:00", Some(Time::Absolute(1_714_550_400))),
            ("2024-05-01T10:00:00.5-01:30", Some(Time::Absolute(1_714_563_000))),
            ("2019-03-05T11:54::14", None),
            ("2019-13-05T11:54:14Z", None),
            ("2024-05-01T10:00:00+9999999999999999:00", None),
            ("2024-05-01T10:00:00+-5:00", None),
            ("", None),
            ("soon", None),
        ] {
            let read = Value::of_type("dateTime", text).parse::<Time>();
            assert_eq!(read.ok(), meaning, "{text}");
        }
        assert!(matches!(Value::from("x").parse::<Time>(), Err(Error::Invalid(_))));
    }
}
