//! Floats as Go prints them: `strconv.FormatFloat` with the shortest digits, as `fmt`, `encoding/json`
//! and sigs.k8s.io/yaml use it.
//!
//! The digits come from zmij, which serde_json uses as well: where two shortest texts are equally
//! near, it takes the even digit as Go does; the standard library takes the other
//! (1758278357219020.25 is ...020.2 in Go).

/// Room for any float64 in the forms below: a sign and 21 digits; or a sign, `0.`, five zeros
/// and 17 digits; or a sign, 17 digits, a point and `e+308`.
const LONGEST_BYTES: usize = 32;

/// The text of a float, on the stack.
pub(crate) struct FloatText {
    bytes: [u8; LONGEST_BYTES],
    len: usize,
}

impl FloatText {
    /// An empty text.
    fn new() -> Self {
        Self {
            bytes: [0; LONGEST_BYTES],
            len: 0,
        }
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let mut text = Self::new();
        text.push(bytes);
        text
    }

    /// Appends a text. There is always room; see [`LONGEST_BYTES`].
    fn push(&mut self, text: &[u8]) {
        let end = self.len.saturating_add(text.len());
        if let Some(room) = self.bytes.get_mut(self.len..end) {
            room.copy_from_slice(text);
            self.len = end;
        }
    }

    fn push_zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.push(b"0");
        }
    }
}

/// The shortest digits of a finite float: 0.DIGITS times ten to the power of `point`, without zeros at either end.
/// Example: 12.5 has the digits 125 and the point 2; 0.00125 has the digits 125 and the point -2. Zero has no digits.
struct Decimal {
    is_negative: bool,
    digits: FloatText,
    point: i32,
}

impl Decimal {
    /// The digits of a finite float, from zmij's text. That is like `12.5`, `0.00125` or `1.25e-7`: WHOLE.FRACTION,
    /// then perhaps an exponent.
    fn new(value: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let exponent: i32 = exponent.parse().unwrap_or(0);
        let significant = whole.trim_start_matches('0');
        let mut digits = FloatText::new();
        digits.push(significant.as_bytes());
        // The point follows the digits of the whole part. Without a whole part it precedes the zeros that the fraction
        // begins with: 0.00125 is 0.125 times ten to the power of -2.
        let mut places = significant.len();
        let mut leading_zeros = 0;
        if significant.is_empty() {
            let rest = fraction.trim_start_matches('0');
            leading_zeros = fraction.len().saturating_sub(rest.len());
            digits.push(rest.as_bytes());
            places = 0;
        } else {
            digits.push(fraction.as_bytes());
        }
        while digits.as_bytes().last() == Some(&b'0') {
            digits.len = digits.len.saturating_sub(1);
        }
        let places = i32::try_from(places).unwrap_or(0);
        let leading_zeros = i32::try_from(leading_zeros).unwrap_or(0);
        let point = exponent
            .saturating_add(places)
            .saturating_sub(leading_zeros);
        Self {
            is_negative: value.is_sign_negative(),
            digits,
            point,
        }
    }

    /// A text that has only the sign: `-`, or nothing.
    fn start(&self) -> FloatText {
        let mut text = FloatText::new();
        if self.is_negative {
            text.push(b"-");
        }
        text
    }

    /// Go's format 'f'; for floats from 1e-6 up to 1e21, and zero.
    fn fixed(&self) -> FloatText {
        let mut text = self.start();
        let digits = self.digits.as_bytes();
        // Digits before the point; none if `point` is 0 or negative, as for 0.00125.
        let whole_places = usize::try_from(self.point).unwrap_or(0);
        let (whole, fraction) = digits
            .split_at_checked(whole_places)
            .unwrap_or((digits, &[]));
        text.push(whole);
        // 1200 has the digits 12 and the point 4: two zeros follow.
        text.push_zeros(if digits.is_empty() {
            0
        } else {
            whole_places.saturating_sub(whole.len())
        });
        if whole.is_empty() {
            text.push(b"0");
        }
        if !fraction.is_empty() {
            text.push(b".");
            text.push_zeros(usize::try_from(self.point.saturating_neg()).unwrap_or(0));
            text.push(fraction);
        }
        text
    }

    /// Go's format 'e', whose exponent has at least `exponent_digits` digits. Not for zero.
    fn scientific(&self, exponent_digits: usize) -> FloatText {
        let mut text = self.start();
        if let Some((first, rest)) = self.digits.as_bytes().split_first() {
            text.push(&[*first]);
            if !rest.is_empty() {
                text.push(b".");
                text.push(rest);
            }
        }
        // One digit is before the point here, and none in 0.DIGITS.
        let exponent = self.point.saturating_sub(1);
        text.push(if exponent < 0 { b"e-" } else { b"e+" });
        let exponent = exponent.unsigned_abs().to_string();
        text.push_zeros(exponent_digits.saturating_sub(exponent.len()));
        text.push(exponent.as_bytes());
        text
    }
}

/// A float as `encoding/json` prints it: without exponent from 1e-6 up to 1e21, else as
/// `1.5e-7` and `1e+21`. `None` for infinities and NaN, which JSON does not have.
pub(crate) fn json(value: f64) -> Option<FloatText> {
    if !value.is_finite() {
        return None;
    }
    let decimal = Decimal::new(value);
    let is_fixed = value == 0.0 || (1e-6..1e21).contains(&value.abs());
    // Go's JSON removes the leading zero of an exponent such as e-07. A positive exponent is at least 21 here.
    Some(if is_fixed {
        decimal.fixed()
    } else {
        decimal.scientific(1)
    })
}

/// A float as `fmt.Sprint` prints it, which is format 'g': without exponent from 1e-4 up to 1e6, else
/// as `1.5e-05` and `1e+06`.
pub(crate) fn sprint(value: f64) -> FloatText {
    if value == 0.0 || (1e-4..1e6).contains(&value.abs()) {
        Decimal::new(value).fixed()
    } else if value.is_finite() {
        Decimal::new(value).scientific(2)
    } else {
        FloatText::from_bytes(if value.is_nan() {
            b"NaN"
        } else if value > 0.0 {
            b"+Inf"
        } else {
            b"-Inf"
        })
    }
}

/// A float as sigs.k8s.io/yaml prints it, that is: after it went through JSON. Whole numbers
/// that fit 64 bits become integers there, the rest is Go's format 'g': `1.2345675e+06`.
pub(crate) fn yaml(value: f64) -> FloatText {
    let Some(json) = json(value) else {
        return FloatText::from_bytes(if value.is_nan() {
            b".nan"
        } else if value > 0.0 {
            b".inf"
        } else {
            b"-.inf"
        });
    };
    if value == 0.0 {
        // The sign is lost.
        return FloatText::from_bytes(b"0");
    }
    let text = json.as_str();
    if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() {
        return json;
    }
    sprint(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_text(value: f64) -> String {
        json(value).map_or_else(String::new, |text| text.as_str().to_owned())
    }

    #[test]
    fn json_takes_an_exponent_outside_1e_6_to_1e21() {
        assert_eq!(json_text(1.5), "1.5");
        assert_eq!(json_text(-0.0), "-0");
        assert_eq!(json_text(1e6), "1000000");
        assert_eq!(json_text(0.000_01), "0.00001");
        assert_eq!(json_text(1.25e-7), "1.25e-7");
        assert_eq!(json_text(0.000001), "0.000001");
        assert_eq!(json_text(0.000_000_99), "9.9e-7");
        assert_eq!(json_text(1e-10), "1e-10");
        assert_eq!(json_text(123_456_789e12), "123456789000000000000");
        assert_eq!(json_text(1e21), "1e+21");
        assert_eq!(json_text(f64::MAX), "1.7976931348623157e+308");
        assert_eq!(json_text(5e-324), "5e-324");
        assert_eq!(json_text(1_758_278_357_219_020.2), "1758278357219020.2");
        assert_eq!(json_text(f64::NAN), "");
    }

    #[test]
    fn yamls_are_read_back_from_json_first() {
        let cases: &[(f64, &str)] = &[
            (3.0, "3"),
            (-0.0, "0"),
            (1e6, "1000000"),
            (1e19, "10000000000000000000"),
            (-1e19, "-1e+19"),
            (1e20, "1e+20"),
            (18_446_744_073_709_551_615.0, "1.8446744073709552e+19"),
            (9_223_372_036_854_775_807.0, "9223372036854776000"),
            (-9_223_372_036_854_775_808.0, "-9.223372036854776e+18"),
            (1_234_567.5, "1.2345675e+06"),
            (123_456.5, "123456.5"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (1e-7, "1e-07"),
            (f64::NEG_INFINITY, "-.inf"),
            (f64::NAN, ".nan"),
        ];
        for &(value, text) in cases {
            assert_eq!(yaml(value).as_str(), text, "{value:e}");
        }
    }

    #[test]
    fn the_longest_floats_have_room() {
        assert_eq!(json_text(f64::MIN_POSITIVE), "2.2250738585072014e-308");
        assert_eq!(json_text(-1.234_567_890_123_456_7e-6).len(), 25);
    }
}
