//! A time as it is typed: a date, a moment, a clock time of the newest day in the store, or a duration before the
//! newest time in the store.

use std::str::FromStr;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRelativeTo, Timestamp};

use crate::query::no_answer::NoAnswer;

/// A time as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Seconds since 1970.
    At(i64),
    /// Seconds since midnight (UTC), on the day of the newest time in the store.
    Clock(i64),
    /// Seconds before the newest time of the store.
    BeforeNewest(i64),
}

/// Reads a time: `2026-11-20T21:05:00Z`, the same with an offset, `2026-11-20 21:05` and `2026-11-20` in UTC, `21:05`
/// and `21:05:30` (UTC) on the day of `newest`, the newest time of the store, or `10m`, `2h ago`, `-1h` before it.
/// Fractions of a second are cut. In seconds since 1970.
///
/// # Errors
/// When the text has no such form, or depends on the newest time of a store without times.
pub fn parse_time(text: &str, newest: Option<i64>) -> Result<i64, NoAnswer> {
    text.parse::<When>()?.resolve(newest)
}

/// Seconds of a day; UTC has no other days, as Unix time counts.
const DAY_SECONDS: i64 = 24 * 60 * 60;

impl When {
    /// The time, in seconds since 1970.
    ///
    /// # Errors
    /// When it depends on the newest time, and the store has no time.
    pub fn resolve(self, newest: Option<i64>) -> Result<i64, NoAnswer> {
        if let Self::At(time) = self {
            return Ok(time);
        }
        let newest = newest.ok_or(NoAnswer::NothingToCountFrom)?;
        Ok(match self {
            Self::At(time) => time,
            Self::Clock(seconds) => {
                let midnight = newest.saturating_sub(newest.rem_euclid(DAY_SECONDS));
                midnight.saturating_add(seconds)
            }
            Self::BeforeNewest(seconds) => newest.saturating_sub(seconds),
        })
    }
}

impl FromStr for When {
    type Err = NoAnswer;

    fn from_str(text: &str) -> Result<Self, NoAnswer> {
        let typed = text.trim();
        if let Ok(moment) = typed.parse::<Timestamp>() {
            return Ok(Self::At(second_of(moment)));
        }
        // Without an offset: UTC, as everything that is printed.
        if let Ok(civil) = typed.parse::<DateTime>()
            && let Ok(moment) = civil.to_zoned(TimeZone::UTC)
        {
            return Ok(Self::At(second_of(moment.timestamp())));
        }
        if let Some(seconds) = clock_time(typed) {
            return Ok(Self::Clock(seconds));
        }
        let back = typed.strip_suffix("ago").map_or(typed, str::trim_end);
        let back = back.strip_prefix('-').unwrap_or(back);
        // A duration has units. jiff reads `1:30` as one, which is a clock time to everybody else.
        let is_other = back.starts_with(['+', '-']) || back.contains(':');
        let span = back.parse::<Span>().ok().filter(|_| !is_other);
        let length = span.filter(|span| !span.is_negative()).map(|span| {
            let days = SpanRelativeTo::days_are_24_hours();
            span.to_duration(days)
        });
        match length {
            Some(Ok(length)) => Ok(Self::BeforeNewest(length.as_secs())),
            Some(Err(_)) => Err(NoAnswer::NoFixedLength(text.to_owned())),
            None => Err(NoAnswer::NotATime(text.to_owned())),
        }
    }
}

/// Seconds since midnight of `21:05`, `21:05:30` or `21:05:30.5`, with or without a `Z` at the end.
fn clock_time(text: &str) -> Option<i64> {
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let whole = match text.split_once('.') {
        Some((whole, fraction)) if is_digits(fraction) => whole,
        Some(_) => return None,
        None => text,
    };
    let parts: Vec<&str> = whole.split(':').collect();
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] if whole.len() == text.len() => (*hour, *minute, "00"),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    let number = |text: &str, lengths: &[usize], below: i64| -> Option<i64> {
        let number = text.parse().ok().filter(|_| is_digits(text))?;
        (lengths.contains(&text.len()) && number < below).then_some(number)
    };
    let hours = number(hour, &[1, 2], 24)?;
    let minutes = number(minute, &[2], 60)?;
    let seconds = number(second, &[2], 60)?;
    let minutes = hours.saturating_mul(60).saturating_add(minutes);
    Some(minutes.saturating_mul(60).saturating_add(seconds))
}

/// The second that contains a moment. jiff rounds towards 1970, so a moment before 1970 needs a correction.
fn second_of(moment: Timestamp) -> i64 {
    let before_1970 = moment.subsec_nanosecond() < 0;
    moment.as_second().saturating_sub(i64::from(before_1970))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NEWEST: i64 = 1_795_000_000;

    fn time(text: &str) -> i64 {
        parse_time(text, Some(NEWEST)).unwrap()
    }

    #[test]
    fn a_moment_is_read_with_and_without_an_offset() {
        for text in [
            "2026-11-20T21:05:00Z",
            "2026-11-20T22:05:00+01:00",
            "2026-11-20T21:05:00.999Z",
            "2026-11-20T21:05Z",
            "2026-11-20T21:05:00",
            "2026-11-20 21:05:00",
            "2026-11-20 21:05",
            " 2026-11-20 21:05 ",
        ] {
            assert_eq!(time(text), 1_795_208_700, "{text}");
        }
        assert_eq!(time("2026-11-20"), 1_795_132_800);
        assert_eq!(time("1969-12-31T23:59:59.5Z"), -1, "cut, not rounded up");
    }

    #[test]
    fn a_length_of_time_is_counted_back_from_the_store() {
        for (text, seconds) in [
            ("10m", 600),
            ("2h ago", 7200),
            ("2 hours ago", 7200),
            ("-1h", 3600),
            ("1h30m", 5400),
            ("1d", 86_400),
            ("2w", 1_209_600),
            ("90s", 90),
            ("0s", 0),
        ] {
            assert_eq!(NEWEST - time(text), seconds, "{text}");
        }
        assert!(
            parse_time("10m", None).is_err(),
            "never from the clock of today"
        );
        assert!(parse_time("2026-11-20", None).is_ok());
    }

    #[test]
    fn a_clock_time_is_of_the_newest_day() {
        // NEWEST is 2026-11-18T11:06:40Z.
        let midnight = 1_794_960_000;
        for (text, seconds) in [
            ("21:05", 75_900),
            ("9:05", 32_700),
            ("09:05", 32_700),
            ("00:00", 0),
            ("23:59:59", 86_399),
            ("21:05:30.9", 75_930),
            ("21:05Z", 75_900),
        ] {
            assert_eq!(time(text), midnight + seconds, "{text}");
        }
        assert_eq!(parse_time("00:00:01", Some(-1)).unwrap(), -86_399);
        assert!(parse_time("21:05", None).is_err());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "ago",
            "yesterday",
            "+1h",
            "--1h",
            "1h -5m",
            "1mo",
            "1y",
            "2026-13-01",
            "2026-02-30",
            "24:00",
            "21:60",
            "21:05:60",
            "21:5",
            "121:05",
            "21:05.5",
            "21:05 ago",
            "-21:05",
            "+1:05",
            "1:30:00ago",
            "99999999999999999999h",
            "12",
            "@",
        ] {
            assert!(parse_time(text, Some(NEWEST)).is_err(), "{text:?}");
        }
    }
}
