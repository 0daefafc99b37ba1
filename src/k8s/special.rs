//! Types whose JSON form differs from their protobuf fields (times, durations), and texts as Go prints them.
//!
//! Upstream: apimachinery's meta/v1 time.go, micro_time.go and their _proto.go, Go's
//! time.Duration.String, api/resource/quantity.go, util/intstr.

use std::borrow::Cow;

use crate::wire::{Content, Reader};

/// The seconds of Go's zero time, 0001-01-01T00:00:00Z, which prints as null.
const ZERO_TIME: i64 = -62_135_596_800;

/// Bytes as a text. Each byte that is not part of valid UTF-8 becomes U+FFFD, as in Go.
pub(crate) fn go_text(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut out = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                out.push_str(chunk.valid());
                out.extend(chunk.invalid().iter().map(|_| '\u{fffd}'));
            }
            Cow::Owned(out)
        }
    }
}

/// The contents of fields 1 to 3 of a small message (the last one if a field repeats). None if it has other fields.
pub(super) fn first_three(payload: &[u8]) -> Option<[Option<Content<'_>>; 3]> {
    let mut out = [None; 3];
    let mut reader = Reader::new(payload);
    while let Some(field) = reader.field().ok()? {
        let index = usize::try_from(field.number).ok()?.checked_sub(1)?;
        *out.get_mut(index)? = Some(field.content);
    }
    Some(out)
}

/// The bytes of field 1 of a message that has no other field.
pub(super) fn only_bytes(payload: &[u8]) -> Option<&[u8]> {
    let mut reader = Reader::new(payload);
    if let Some(field) = reader.field().ok()?
        && field.number == 1
        && reader.position() == payload.len()
    {
        return field.content.bytes();
    }
    // The field is repeated or absent.
    match first_three(payload)? {
        [content, None, None] => bytes(content),
        _ => None,
    }
}

/// A varint as a signed number. An absent field is 0; another wire type gives None.
pub(super) fn int(content: Option<Content<'_>>) -> Option<i64> {
    match content {
        None => Some(0),
        Some(Content::Varint(v)) => Some(v.cast_signed()),
        Some(_) => None,
    }
}

/// A byte string. An absent field is empty; another wire type gives None.
pub(super) fn bytes(content: Option<Content<'_>>) -> Option<&[u8]> {
    match content {
        None => Some(b""),
        Some(c) => c.bytes(),
    }
}

/// Reads a Time or MicroTime message as seconds and nanoseconds since 1970, or None if it is not such a message.
/// An empty message is Go's zero time.
pub(super) fn timestamp(payload: &[u8]) -> Option<(i64, i64)> {
    if payload.is_empty() {
        return Some((ZERO_TIME, 0));
    }
    if let Some(time) = usual_timestamp(payload) {
        return Some(time);
    }
    let [seconds, nanos, None] = first_three(payload)? else {
        return None;
    };
    Some((int(seconds)?, int(nanos)?))
}

/// The fast path for a message with seconds and nanoseconds once each and in this order, as API servers write it.
fn usual_timestamp(payload: &[u8]) -> Option<(i64, i64)> {
    const SECONDS: u8 = 1 << 3;
    const NANOS: u8 = 2 << 3;
    let mut reader = Reader::new(payload.strip_prefix(&[SECONDS])?);
    let seconds = reader.varint().ok()?.cast_signed();
    let rest = payload.get(reader.position().saturating_add(1)..)?;
    let mut reader = Reader::new(rest.strip_prefix(&[NANOS])?);
    let nanos = reader.varint().ok()?.cast_signed();
    (reader.position().saturating_add(1) == rest.len()).then_some((seconds, nanos))
}

/// Whether a time is Go's zero time. The caller passes nanoseconds of 0 where they are not printed.
pub(super) fn is_zero_time(time: (i64, i64)) -> bool {
    time == (ZERO_TIME, 0)
}

/// Writes a time as Go does; returns false if Go prints null. With `micro` the second has six digits of fraction;
/// without it nanoseconds are ignored.
pub(super) fn write_time((seconds, nanos): (i64, i64), micro: bool, out: &mut String) -> bool {
    let nanos = if micro { nanos } else { 0 };
    let seconds = seconds.saturating_add(nanos.div_euclid(1_000_000_000));
    let nanos = nanos.rem_euclid(1_000_000_000);
    if is_zero_time((seconds, nanos)) {
        return false;
    }
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let second = seconds.rem_euclid(86_400);
    if !(0..=9999).contains(&year) {
        return write_far_time(year, [month, day, second, nanos], micro, out);
    }
    let ([y1, y2], [y3, y4]) = (digits(year / 100), digits(year % 100));
    let ([m1, m2], [d1, d2]) = (digits(month), digits(day));
    let [h1, h2] = digits(second / 3600);
    let ([i1, i2], [s1, s2]) = (digits(second / 60 % 60), digits(second % 60));
    let seconds = [
        y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', i1, i2, b':', s1, s2, b'Z',
    ];
    out.push_str(std::str::from_utf8(&seconds).unwrap_or_default());
    if micro {
        out.pop();
        out.push('.');
        pad(out, (nanos / 1000).unsigned_abs(), 6);
        out.push('Z');
    }
    true
}

/// The length in bytes of a time in the years 0 to 9999; times outside these years are longer.
pub(super) const fn time_len(micro: bool) -> usize {
    if micro {
        "0000-00-00T00:00:00.000000Z".len()
    } else {
        "0000-00-00T00:00:00Z".len()
    }
}

/// The two digits of a number below 100.
#[inline]
fn digits(number: i64) -> [u8; 2] {
    let [number, ..] = number.to_le_bytes();
    [
        b'0'.wrapping_add(number / 10),
        b'0'.wrapping_add(number % 10),
    ]
}

/// Writes a time before the year 0 or after 9999; always returns true.
fn write_far_time(
    year: i64,
    [month, day, second, nanos]: [i64; 4],
    micro: bool,
    out: &mut String,
) -> bool {
    if year < 0 {
        out.push('-');
    }
    pad(out, year.unsigned_abs(), 4);
    for (mark, number) in [
        ('-', month),
        ('-', day),
        ('T', second / 3600),
        (':', second / 60 % 60),
        (':', second % 60),
    ] {
        out.push(mark);
        pad(out, number.unsigned_abs(), 2);
    }
    if micro {
        out.push('.');
        pad(out, (nanos / 1000).unsigned_abs(), 6);
    }
    out.push('Z');
    true
}

/// Year, month and day of a day number counted from 1970-01-01.
///
/// An era is 400 years, which have 146,097 days. Years are counted from March, so that the leap day is the last day
/// of its year; 719,468 is the number of days from 0000-03-01 to 1970-01-01.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day.saturating_add(719_468);
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let month = if march_month < 10 {
        march_month + 3
    } else {
        march_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, of_year - (153 * march_month + 2) / 5 + 1)
}

/// Appends a number, padded with leading zeros to `width` digits.
fn pad(out: &mut String, number: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = number;
    let mut len = 0;
    for place in digits.iter_mut().rev() {
        if rest == 0 && len >= width {
            break;
        }
        *place = b'0' | (rest % 10).to_le_bytes()[0];
        rest /= 10;
        len += 1;
    }
    let used = digits.get(20 - len..).unwrap_or_default();
    out.push_str(std::str::from_utf8(used).unwrap_or_default());
}

/// Writes a duration as Go's `time.Duration.String` does: `1h0m0.5s`, `300ms`, `0s`.
pub(super) fn write_duration(nanos: i64, out: &mut String) {
    if nanos < 0 {
        out.push('-');
    }
    let size = nanos.unsigned_abs();
    let (unit, per_unit, places) = match size {
        0 => return out.push_str("0s"),
        1..1_000 => ("ns", 1, 0),
        1_000..1_000_000 => ("\u{b5}s", 1_000, 3),
        1_000_000..1_000_000_000 => ("ms", 1_000_000, 6),
        _ => ("s", 1_000_000_000, 9),
    };
    let mut whole = size / per_unit;
    if unit == "s" {
        let minutes = whole / 60;
        if minutes >= 60 {
            pad(out, minutes / 60, 1);
            out.push('h');
        }
        if minutes > 0 {
            pad(out, minutes % 60, 1);
            out.push('m');
        }
        whole %= 60;
    }
    pad(out, whole, 1);
    if !size.is_multiple_of(per_unit) {
        out.push('.');
        pad(out, size % per_unit, places);
        while out.ends_with('0') {
            out.pop();
        }
    }
    out.push_str(unit);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(seconds: i64, nanos: i64, micro: bool) -> String {
        let mut out = String::new();
        if write_time((seconds, nanos), micro, &mut out) {
            out
        } else {
            "null".to_owned()
        }
    }

    #[test]
    fn times_are_printed_as_go_prints_them() {
        assert_eq!(time(0, 0, false), "1970-01-01T00:00:00Z");
        assert_eq!(
            time(951_868_799, 999_999_999, false),
            "2000-02-29T23:59:59Z"
        );
        assert_eq!(
            time(1_763_683_200, 123_456_789, true),
            "2025-11-21T00:00:00.123456Z"
        );
        assert_eq!(time(-1, 0, false), "1969-12-31T23:59:59Z");
        assert_eq!(time(253_402_300_800, 0, false), "10000-01-01T00:00:00Z");
        assert_eq!(time(ZERO_TIME, 5, false), "null");
        assert_eq!(time(ZERO_TIME, 5000, true), "0001-01-01T00:00:00.000005Z");
        assert_eq!(time(0, -1000, true), "1969-12-31T23:59:59.999999Z");
        assert_eq!(
            time(ZERO_TIME - 86_400 * 366, 0, false),
            "0000-01-01T00:00:00Z"
        );
        for extreme in [i64::MIN, i64::MAX] {
            assert!(time(extreme, extreme, true).ends_with('Z'));
        }
    }

    #[test]
    fn durations_are_printed_as_go_prints_them() {
        let text = |nanos| {
            let mut out = String::new();
            write_duration(nanos, &mut out);
            out
        };
        let cases = [
            (0, "0s"),
            (1, "1ns"),
            (1100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (3_600_000_000_000, "1h0m0s"),
            (480_000_000_001, "8m0.000000001s"),
            (-10_000_000_000, "-10s"),
            (i64::MAX, "2562047h47m16.854775807s"),
            (i64::MIN, "-2562047h47m16.854775808s"),
        ];
        for (nanos, want) in cases {
            assert_eq!(text(nanos), want);
        }
    }

    #[test]
    fn each_invalid_byte_becomes_one_replacement_character() {
        assert_eq!(go_text(b"a\xe2\x82b\xff"), "a\u{fffd}\u{fffd}b\u{fffd}");
        assert!(matches!(
            go_text("\u{e9}".as_bytes()),
            Cow::Borrowed("\u{e9}")
        ));
    }
}
