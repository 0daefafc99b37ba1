//! A time as it is typed: a date, a moment, or a length of time before the newest of the store.

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
    /// Seconds before the newest time of the store.
    BeforeNewest(i64),
}

/// Reads a time: `2026-11-20T21:05:00Z`, the same with an offset, `2026-11-20 21:05` and `2026-11-20` in UTC, or
/// `10m`, `2h ago`, `-1h` before `newest`, the newest time of the store. Fractions of a second are cut. In seconds
/// since 1970.
///
/// # Errors
/// When it is none of these, or counted back from a store without times.
pub fn parse_time(text: &str, newest: Option<i64>) -> Result<i64, NoAnswer> {
    text.parse::<When>()?.resolve(newest)
}

impl When {
    /// The time, in seconds since 1970.
    ///
    /// # Errors
    /// When it is counted back from the newest time, and there is none.
    pub fn resolve(self, newest: Option<i64>) -> Result<i64, NoAnswer> {
        match self {
            Self::At(time) => Ok(time),
            Self::BeforeNewest(seconds) => newest
                .map(|newest| newest.saturating_sub(seconds))
                .ok_or_else(|| NoAnswer::NothingToCountFrom),
        }
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
        let back = typed.strip_suffix("ago").map_or(typed, str::trim_end);
        let back = back.strip_prefix('-').unwrap_or(back);
        let by_sign = back.starts_with(['+', '-']);
        let span = back.parse::<Span>().ok().filter(|_| !by_sign);
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

/// The second in which a moment lies; jiff cuts towards 1970.
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
            "21:05",
            "99999999999999999999h",
            "12",
            "@",
        ] {
            assert!(parse_time(text, Some(NEWEST)).is_err(), "{text:?}");
        }
    }
}
