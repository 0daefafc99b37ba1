//! Ages of objects: parsing RFC 3339, and printing durations like apimachinery's util/duration.

use super::Clock;
use crate::k8s::special::write_time;

const UNKNOWN: &str = "<unknown>";

/// Seconds and nanoseconds since 1970 of Go's zero time.
const ZERO: Instant = Instant {
    seconds: -62_135_596_800,
    nanos: 0,
};

/// Go's longest duration, in nanoseconds.
const LONGEST: i128 = i64::MAX as i128;

const SECOND: i128 = 1_000_000_000;

/// A point in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Instant {
    /// Seconds since 1970, UTC.
    pub(super) seconds: i64,
    /// Nanoseconds of the second.
    pub(super) nanos: i64,
}

impl Instant {
    /// Go's zero time.
    pub(super) const ZERO: Self = ZERO;

    /// The time `seconds` later.
    pub(super) fn later(self, seconds: i64) -> Self {
        Self {
            seconds: self.seconds.saturating_add(seconds),
            ..self
        }
    }

    /// The time rounded to a whole second.
    pub(super) fn rounded(self) -> Self {
        let more = i64::from(i128::from(self.nanos).saturating_mul(2) >= SECOND);
        Self {
            seconds: self.seconds.saturating_add(more),
            nanos: 0,
        }
    }

    /// The time as Go prints it in UTC: `2006-01-02 15:04:05 +0000 UTC`.
    pub(super) fn go_text(self) -> String {
        let mut text = String::new();
        write_time((self.seconds, 0), false, &mut text);
        text.replace('T', " ").replace('Z', " +0000 UTC")
    }

    /// Parses an RFC 3339 text. None if it is not one, or if it is Go's zero time, which means that the time is not set.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(read(text.as_bytes())?).filter(|instant| *instant != ZERO)
    }

    /// The whole seconds since an earlier time, rounded towards zero and limited to Go's longest duration.
    pub(super) fn seconds_since(self, earlier: Self) -> i64 {
        let nanos = |instant: Self| {
            i128::from(instant.seconds)
                .saturating_mul(SECOND)
                .saturating_add(i128::from(instant.nanos))
        };
        let between = nanos(self)
            .saturating_sub(nanos(earlier))
            .clamp(-LONGEST, LONGEST);
        i64::try_from(between / SECOND).unwrap_or_default()
    }

    /// The time of the clock.
    pub(super) fn now(clock: Clock) -> Option<Self> {
        clock.now.map(|seconds| Self { seconds, nanos: 0 })
    }
}

/// Parses `2006-01-02T15:04:05`, an optional fraction, and `Z` or an offset.
fn read(text: &[u8]) -> Option<Instant> {
    let number = |from: usize, len: usize| -> Option<i64> {
        let digits = text.get(from..from.checked_add(len)?)?;
        digits.iter().try_fold(0_i64, |number, digit| {
            digit
                .is_ascii_digit()
                .then(|| number * 10 + i64::from(digit - b'0'))
        })
    };
    let mark = |at: usize, wanted: u8| text.get(at).is_some_and(|byte| *byte == wanted);
    if !(mark(4, b'-') && mark(7, b'-') && mark(10, b'T') && mark(13, b':') && mark(16, b':')) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let in_range = (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut nanos = 0;
    if let Some((b'.', fraction)) = rest.split_first() {
        let len = fraction.iter().take_while(|b| b.is_ascii_digit()).count();
        let mut unit = 100_000_000_i64;
        for digit in fraction.get(..len)? {
            nanos += i64::from(digit - b'0') * unit;
            unit /= 10;
        }
        rest = fraction.get(len..)?;
    }
    let offset = match *rest {
        [b'Z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let start = text.len().checked_sub(5)?;
            let seconds = number(start, 2)? * 3600 + number(start.checked_add(3)?, 2)? * 60;
            if sign == b'+' { seconds } else { -seconds }
        }
        _ => return None,
    };
    let seconds = days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset;
    Some(Instant { seconds, nanos })
}

/// Days from 1970-01-01 to a date. Years are counted from March, so that the leap day is the last day of its year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

/// The time from a timestamp (RFC 3339) to now, as kubectl prints it. `<unknown>` if one of them is not known, `<invalid>`
/// if the timestamp is in the future.
pub fn age(timestamp: Option<&str>, clock: Clock) -> String {
    match (timestamp.and_then(Instant::parse), Instant::now(clock)) {
        (Some(then), Some(now)) => human_duration(now.seconds_since(then)),
        _ => UNKNOWN.to_owned(),
    }
}

/// A duration in whole seconds with one or two units, as apimachinery's `duration.HumanDuration` prints it.
pub fn human_duration(seconds: i64) -> String {
    const DAY: i64 = 24;
    const YEAR: i64 = 365 * DAY;
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |large: i64, unit: char, small: i64, small_unit: char| {
        if small == 0 {
            format!("{large}{unit}")
        } else {
            format!("{large}{unit}{small}{small_unit}")
        }
    };
    match seconds {
        // Two clocks may differ by a second or two.
        ..-1 => return "<invalid>".to_owned(),
        -1 => return "0s".to_owned(),
        0..120 => return format!("{seconds}s"),
        _ => {}
    }
    match minutes {
        ..10 => return two(minutes, 'm', seconds % 60, 's'),
        10..180 => return format!("{minutes}m"),
        _ => {}
    }
    match hours {
        ..8 => two(hours, 'h', minutes % 60, 'm'),
        8..48 => format!("{hours}h"),
        48..192 => two(hours / DAY, 'd', hours % DAY, 'h'),
        192..17_520 => format!("{}d", hours / DAY),
        17_520..70_080 => two(hours / YEAR, 'y', hours / DAY % 365, 'd'),
        _ => format!("{}y", hours / YEAR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_printed_as_kubectl_prints_them() {
        for (seconds, text) in [
            (i64::MIN, "<invalid>"),
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (121, "2m1s"),
            (599, "9m59s"),
            (600, "10m"),
            (10_799, "179m"),
            (10_800, "3h"),
            (28_799, "7h59m"),
            (28_800, "8h"),
            (172_799, "47h"),
            (172_800, "2d"),
            (176_400, "2d1h"),
            (691_200, "8d"),
            (63_071_999, "729d"),
            (63_072_000, "2y"),
            (70_000_000, "2y80d"),
            (252_287_999, "7y364d"),
            (252_288_000, "8y"),
            (i64::MAX, "292471208677y"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn an_age_needs_a_time_and_a_clock() {
        let clock = Clock {
            now: Some(1_763_683_200),
        };
        let shown = |text| age(Some(text), clock);
        assert_eq!(shown("2025-11-20T23:59:00Z"), "60s");
        assert_eq!(shown("2025-11-21T01:59:00+02:00"), "60s");
        // A fraction of a second, in the past or in the future, is rounded towards now.
        assert_eq!(shown("2025-11-20T23:59:58.300000Z"), "1s");
        assert_eq!(shown("2025-11-21T00:00:01.900000Z"), "0s");
        assert_eq!(shown("2025-11-21T00:00:02Z"), "<invalid>");
        assert_eq!(shown("2000-02-29T00:00:00Z"), "25y");
        // Go's durations end at 292 years.
        assert_eq!(shown("0001-01-01T00:00:01Z"), "292y");
        for unset in [
            "0001-01-01T00:00:00Z",
            "",
            "yesterday",
            "2025-13-01T00:00:00Z",
        ] {
            assert_eq!(shown(unset), "<unknown>", "{unset}");
        }
        assert_eq!(age(None, clock), "<unknown>");
        assert_eq!(
            age(Some("2025-11-20T23:59:00Z"), Clock { now: None }),
            "<unknown>"
        );
    }
}
