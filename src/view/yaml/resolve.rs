//! Would YAML 1.1 read this text as something else than a text, were it not quoted? The answers
//! of go-yaml's `resolve.go`, and of Go's `strconv` and `time` packages as it asks them
//! ([`is_other_type`]); and the texts that go-yaml writes plain although a reader takes them for something else
//! ([`is_misread_by_kubectl`], [`is_misread_by_any`]).

use std::borrow::Cow;

/// Is the text, unquoted, a null, a boolean, a number, or a timestamp? `may_be_number` says
/// whether it holds only bytes which numbers and timestamps have.
pub(super) fn is_other_type(text: &str, may_be_number: impl Fn(&[u8]) -> bool) -> bool {
    let may_be_number = || may_be_number(text.as_bytes());
    let Some(&first) = text.as_bytes().first() else {
        return true;
    };
    match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => is_word(text),
        b'.' => is_word(text) || (may_be_number() && is_go_float(text)),
        b'+' | b'-' => is_word(text) || (may_be_number() && is_number(text)),
        b'0'..=b'9' => may_be_number() && (is_timestamp(text) || is_number(text)),
        _ => false,
    }
}

/// Does kubectl's reader, or a reader with integers of 128 bits, take this plain text for something else, although
/// go-yaml writes it plain? The merge key, the default value of YAML 1.1, and such integers.
pub(super) fn is_misread_by_kubectl(text: &str) -> bool {
    if matches!(text, "<<" | "=") {
        return true;
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_integer =
        |digits: &str, base| !digits.starts_with('+') && u128::from_str_radix(digits, base).is_ok();
    match unsigned.split_at_checked(2) {
        Some(("0b", digits)) => is_integer(digits, 2),
        Some(("0o", digits)) => is_integer(digits, 8),
        Some(("0x", digits)) => is_integer(digits, 16),
        _ => false,
    }
}

/// Does any reader of YAML 1.1 or 1.2 take this plain text for something else, although go-yaml writes it plain?
///
/// Beyond [`is_misread_by_kubectl`]: floats beyond the range of 64 bits (`1e999`), numbers with underscores anywhere
/// (`.1__0`), dates that do not exist (an error in `PyYAML`), and times without a zone or with a space before it.
pub(super) fn is_misread_by_any(text: &str) -> bool {
    if is_misread_by_kubectl(text) {
        return true;
    }
    let bytes = text.as_bytes();
    match bytes.first() {
        Some(b'+' | b'-' | b'.') => is_loose_number(text),
        Some(b'0'..=b'9') => is_loose_number(text) || is_loose_time(bytes),
        _ => false,
    }
}

/// A number with underscores at any place, of any size.
fn is_loose_number(text: &str) -> bool {
    let digits = text.replace('_', "");
    let unsigned = digits.strip_prefix(['+', '-']).unwrap_or(&digits);
    match unsigned.as_bytes() {
        [b'0', b'b' | b'B' | b'o' | b'O' | b'x' | b'X', rest @ ..] => {
            rest.iter().all(u8::is_ascii_hexdigit)
        }
        bytes => {
            let (whole, rest) = split_digits(bytes);
            let (fraction, rest) = match rest {
                [b'.', rest @ ..] => split_digits(rest),
                rest => (&[][..], rest),
            };
            (!whole.is_empty() || !fraction.is_empty()) && is_exponent_or_nothing(rest)
        }
    }
}

/// The timestamp of YAML 1.1, whether or not there is such a time:
/// `Y-M-D`, or `Y-M-D` with `T`, `t` or spaces, `h:m:s`, a fraction, and a zone after any spaces.
fn is_loose_time(text: &[u8]) -> bool {
    let (year, rest) = split_digits(text);
    let date = || {
        let (_, rest) = one_or_two_digits(rest.strip_prefix(b"-")?)?;
        let (_, rest) = one_or_two_digits(rest.strip_prefix(b"-")?)?;
        Some(rest)
    };
    let Some(rest) = date().filter(|_| year.len() == 4) else {
        return false;
    };
    let clock = match rest {
        [] => return true,
        [b'T' | b't', clock @ ..] => clock,
        [b' ', ..] => rest.trim_ascii_start(),
        _ => return false,
    };
    let after = || {
        let (_, rest) = one_or_two_digits(clock)?;
        let (_, rest) = one_or_two_digits(rest.strip_prefix(b":")?)?;
        let (_, rest) = one_or_two_digits(rest.strip_prefix(b":")?)?;
        Some(match rest {
            [b'.', rest @ ..] => split_digits(rest).1,
            rest => rest,
        })
    };
    after().is_some_and(|zone| is_loose_zone(zone.trim_ascii_start()))
}

fn is_loose_zone(zone: &[u8]) -> bool {
    match zone {
        [] | [b'Z'] => true,
        [b'+' | b'-', offset @ ..] => {
            let is_offset = |byte: &u8| byte.is_ascii_digit() || *byte == b':';
            !offset.is_empty() && offset.iter().all(is_offset)
        }
        _ => false,
    }
}

/// Null, booleans and special floats.
fn is_word(text: &str) -> bool {
    match text.len() {
        1 => matches!(text, "~" | "y" | "Y" | "n" | "N"),
        2 => matches!(text, "no" | "No" | "NO" | "on" | "On" | "ON"),
        3 => matches!(text, "yes" | "Yes" | "YES" | "off" | "Off" | "OFF"),
        4 => matches!(
            text,
            "true"
                | "True"
                | "TRUE"
                | "null"
                | "Null"
                | "NULL"
                | ".nan"
                | ".NaN"
                | ".NAN"
                | ".inf"
                | ".Inf"
                | ".INF"
        ),
        5 => matches!(
            text,
            "false" | "False" | "FALSE" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF"
        ),
        _ => false,
    }
}

fn is_number(text: &str) -> bool {
    if is_base_60(text) {
        return true;
    }
    let plain = if text.contains('_') {
        Cow::Owned(text.replace('_', ""))
    } else {
        Cow::Borrowed(text)
    };
    is_go_integer(&plain) || is_signed_binary(&plain) || is_yaml_float(&plain)
}

/// Integers as `strconv.ParseInt` and `ParseUint` take them with base 0: `12`, `0x1F`, `0o17`,
/// `017`, `0b11`, in 64 bits.
fn is_go_integer(text: &str) -> bool {
    let (limit, digits) = match text.as_bytes() {
        [b'-', digits @ ..] => (i64::MIN.unsigned_abs(), digits),
        [b'+', digits @ ..] => (i64::MAX.unsigned_abs(), digits),
        digits => (u64::MAX, digits),
    };
    let (base, digits) = match digits {
        [b'0', b'b' | b'B', digits @ ..] if !digits.is_empty() => (2, digits),
        [b'0', b'o' | b'O', digits @ ..] if !digits.is_empty() => (8, digits),
        [b'0', b'x' | b'X', digits @ ..] if !digits.is_empty() => (16, digits),
        [b'0', digits @ ..] => (8, digits),
        [] => return false,
        digits => (10, digits),
    };
    is_within(digits, base, limit)
}

/// go-yaml reads what follows `0b` once more, so that a sign may follow: `0b-1`.
fn is_signed_binary(text: &str) -> bool {
    match text.as_bytes() {
        [b'0', b'b', b'-', digits @ ..] => {
            !digits.is_empty() && is_within(digits, 2, i64::MIN.unsigned_abs())
        }
        [b'0', b'b', b'+', digits @ ..] => {
            !digits.is_empty() && is_within(digits, 2, i64::MAX.unsigned_abs())
        }
        _ => false,
    }
}

fn is_within(digits: &[u8], base: u32, limit: u64) -> bool {
    let mut value = 0_u64;
    for &byte in digits {
        let Some(digit) = char::from(byte).to_digit(base) else {
            return false;
        };
        let next = value.checked_mul(u64::from(base));
        match next.and_then(|value| value.checked_add(u64::from(digit))) {
            Some(next) if next <= limit => value = next,
            _ => return false,
        }
    }
    true
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, unless it is too large for a float64.
fn is_yaml_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text).as_bytes();
    let (whole, rest) = split_digits(unsigned);
    let rest = match rest {
        [b'.', rest @ ..] => {
            let (fraction, rest) = split_digits(rest);
            if whole.is_empty() && fraction.is_empty() {
                return false;
            }
            rest
        }
        _ if whole.is_empty() => return false,
        rest => rest,
    };
    is_exponent_or_nothing(rest) && is_in_range(text)
}

fn is_exponent_or_nothing(text: &[u8]) -> bool {
    let digits = match text {
        [] => return true,
        [b'e' | b'E', b'+' | b'-', digits @ ..] | [b'e' | b'E', digits @ ..] => digits,
        _ => return false,
    };
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

/// Go gives an error for floats beyond the range, which leaves them texts; Rust gives infinity.
fn is_in_range(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A text with a leading point which `strconv.ParseFloat` takes: underscores between digits too.
fn is_go_float(text: &str) -> bool {
    if !text.contains('_') {
        return is_yaml_float(text);
    }
    let mut previous_is_digit = false;
    let mut after_underscore = false;
    for byte in text.bytes() {
        let is_digit = byte.is_ascii_digit();
        if (after_underscore && !is_digit) || (byte == b'_' && !previous_is_digit) {
            return false;
        }
        after_underscore = byte == b'_';
        previous_is_digit = is_digit;
    }
    !after_underscore && is_yaml_float(&text.replace('_', ""))
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: numbers to the base 60 of YAML 1.1, which
/// go-yaml quotes for the sake of other readers.
fn is_base_60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (places, fraction) = match unsigned.split_once('.') {
        Some((places, fraction)) => (places, fraction),
        None => (unsigned, ""),
    };
    let Some((first, rest)) = places.split_once(':') else {
        return false;
    };
    let is_digit_or_underscore = |byte: u8| byte.is_ascii_digit() || byte == b'_';
    let is_place = |place: &str| match place.as_bytes() {
        [low] => low.is_ascii_digit(),
        [high, low] => (b'0'..=b'5').contains(high) && low.is_ascii_digit(),
        _ => false,
    };
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(is_digit_or_underscore)
        && rest.split(':').all(is_place)
        && fraction.bytes().all(is_digit_or_underscore)
}

/// The four layouts of time which go-yaml tries: `2006-1-2`, with `T15:4:5.9Z07:00` (or `t`), or
/// with ` 15:4:5.9` and no zone.
fn is_timestamp(text: &str) -> bool {
    let (year, rest) = split_digits(text.as_bytes());
    let [b'-', rest @ ..] = rest else {
        return false;
    };
    if year.len() != 4 {
        return false;
    }
    let Some((month, [b'-', rest @ ..])) = one_or_two_digits(rest) else {
        return false;
    };
    let Some((day, rest)) = one_or_two_digits(rest) else {
        return false;
    };
    if day == 0 || day > days_in(month, year) {
        return false;
    }
    match rest {
        [] => true,
        [b'T' | b't', clock @ ..] => after_clock(clock).is_some_and(is_zone),
        [b' ', clock @ ..] => after_clock(clock.trim_ascii_start()).is_some_and(<[u8]>::is_empty),
        _ => false,
    }
}

/// The days of a month of the Gregorian calendar; none for a month that does not exist.
fn days_in(month: u8, year: &[u8]) -> u8 {
    let year = year.iter().fold(0_u32, |value, digit| {
        value
            .wrapping_mul(10)
            .wrapping_add(u32::from(digit.wrapping_sub(b'0')))
    });
    let is_leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    }
}

/// What follows `15:4:5` and a fraction of any length after a point or a comma.
fn after_clock(text: &[u8]) -> Option<&[u8]> {
    let (hour, rest) = one_or_two_digits(text)?;
    let (minute, rest) = one_or_two_digits(rest.strip_prefix(b":")?)?;
    let (second, rest) = one_or_two_digits(rest.strip_prefix(b":")?)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    match rest {
        [b'.' | b',', b'0'..=b'9', rest @ ..] => Some(split_digits(rest).1),
        rest => Some(rest),
    }
}

/// `Z`, or an offset such as `+01:00`, where Go lets 24 hours and 60 minutes pass.
fn is_zone(text: &[u8]) -> bool {
    let (hours, minutes) = match text {
        [b'Z'] => return true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => ([*h1, *h2], [*m1, *m2]),
        _ => return false,
    };
    let is_up_to = |digits: [u8; 2], limit: u8| {
        one_or_two_digits(&digits).is_some_and(|(value, rest)| rest.is_empty() && value <= limit)
    };
    is_up_to(hours, 24) && is_up_to(minutes, 60)
}

/// The number of one digit, or of two where there are two, and what follows it.
fn one_or_two_digits(text: &[u8]) -> Option<(u8, &[u8])> {
    let value = |digit: &u8| digit.wrapping_sub(b'0');
    match text {
        [a @ b'0'..=b'9', b @ b'0'..=b'9', rest @ ..] => {
            Some((value(a).wrapping_mul(10).wrapping_add(value(b)), rest))
        }
        [a @ b'0'..=b'9', rest @ ..] => Some((value(a), rest)),
        _ => None,
    }
}

fn split_digits(text: &[u8]) -> (&[u8], &[u8]) {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.split_at_checked(count).unwrap_or((text, &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_yaml_1_1_reads_as_another_type_is_found() {
        let others = "~ y N On OFF True NULL .NaN -.Inf +.INF 0 -0 +0 08 0x1F 0XfF 0o17 0b11 0b-1 \
            1_000 1_ 0_7 -0x8000000000000000 18446744073709551615 99999999999999999999999 1. .5 \
            -.5e3 .1_0 .1e1_0 1E+3 1e-999 190:20:30.15 1:2 -1:30 2001-1-1 2000-02-29 0000-02-29 \
            2001-01-01T1:2:3Z 2001-01-01t01:02:03,5+24:60";
        for text in others.split_whitespace() {
            assert!(is_other_type(text, |_| true), "{text}");
        }
        assert!(is_other_type("", |_| false));
        assert!(is_other_type("2001-01-01   10:00:00.25", |_| true));
    }

    #[test]
    fn what_only_looks_like_another_type_is_none() {
        let texts = "yEs nan inf null0 . .. - + -- 1.2.3 0x 0xg 0b2 0b 1e 1e+ 1e999 .1e999 ._1 .1_ \
            .1__0 0x1ffffffffffffffff -0x8000000000000001 1:60 10: :10 1:2.x 2001-02-29 2001-13-01 \
            2001-01-00 20010-01-01 201-01-01 2001-01-01T 2001-01-01T01:02:03 \
            2001-01-01T24:00:00Z 2001-01-01T23:59:59+25:00 2001-01-01T23:59:59+1:00 << = a";
        for text in texts.split_whitespace() {
            assert!(!is_other_type(text, |_| true), "{text}");
        }
        assert!(!is_other_type("2001-01-01 10:00:00Z", |_| true));
        assert!(!is_other_type("2001-01-01 ", |_| true));
    }

    #[test]
    fn words_that_a_reader_takes_otherwise_are_found() {
        let by_kubectl = "<< = 0x1ffffffffffffffff -0x8000000000000001";
        for text in by_kubectl.split_whitespace() {
            assert!(!is_other_type(text, |_| true), "{text}");
            assert!(
                is_misread_by_kubectl(text) && is_misread_by_any(text),
                "{text}"
            );
        }
        let by_others = "1e999 .1e999 ._1 .1_ .1__0 2001-02-29 2001-13-01 2001-01-00 \
            2001-01-01T01:02:03 2001-01-01T24:00:00Z 2001-01-01T23:59:59+25:00";
        for text in by_others.split_whitespace() {
            assert!(
                !is_misread_by_kubectl(text) && is_misread_by_any(text),
                "{text}"
            );
        }
        assert!(is_misread_by_any("2001-01-01 10:00:00 Z"));
        assert!(is_misread_by_any("2001-01-01 10:00:00.5 -01:30"));
    }

    #[test]
    fn names_versions_and_addresses_are_taken_for_texts() {
        let texts = "1.2.3 10.0.0.1 v1 1.x 1e 0xg - + . .. -- 1:2:x 20010-01-01 2001-01-01-a 4Gi 500m \
            2001-01-01T 2001-01-01T01:02 <<a a= == -a +a .a 1-2 1,5 12:34:56:ab";
        for text in texts.split_whitespace() {
            assert!(!is_misread_by_any(text), "{text}");
        }
        assert!(!is_misread_by_any("2001-01-01 10:00:00 +0000 UTC"));
        assert!(!is_misread_by_any(""));
    }
}
