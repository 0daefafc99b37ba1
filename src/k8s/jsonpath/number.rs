//! Floats as Go prints them: by `fmt` (`%v`) and by `encoding/json`.

/// The shortest digits of a float: 0.DIGITS times ten to the power of `point`.
struct Decimal {
    sign: &'static str,
    digits: String,
    point: i32,
}

impl Decimal {
    fn new(value: f64) -> Self {
        let mut buffer = zmij::Buffer::new();
        let text = buffer.format_finite(value.abs());
        let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let places = i32::try_from(whole.len()).unwrap_or(0);
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let zeros = i32::try_from(all.len().saturating_sub(significant.len())).unwrap_or(0);
        Self {
            sign: if value.is_sign_negative() { "-" } else { "" },
            digits: significant.trim_end_matches('0').to_owned(),
            point: exponent
                .parse::<i32>()
                .unwrap_or(0)
                .saturating_add(places)
                .saturating_sub(zeros),
        }
    }

    fn fixed(&self) -> String {
        let Self { sign, digits, .. } = self;
        if digits.is_empty() {
            return format!("{sign}0");
        }
        let Ok(places) = usize::try_from(self.point) else {
            let zeros = usize::try_from(self.point.unsigned_abs()).unwrap_or(0);
            return format!("{sign}0.{}{digits}", "0".repeat(zeros));
        };
        match digits.split_at_checked(places) {
            Some(("", fraction)) => format!("{sign}0.{fraction}"),
            Some((whole, "")) => format!("{sign}{whole}"),
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
            None => {
                let zeros = places.saturating_sub(digits.len());
                format!("{sign}{digits}{}", "0".repeat(zeros))
            }
        }
    }

    /// With an exponent of at least so many digits, 1 or 2.
    fn scientific(&self, digits: u8) -> String {
        let (first, rest) = self.digits.split_at_checked(1).unwrap_or(("0", ""));
        let dot = if rest.is_empty() { "" } else { "." };
        let exponent = self.point.saturating_sub(1);
        let sign = if exponent < 0 { '-' } else { '+' };
        let size = exponent.unsigned_abs();
        let zero = if digits > 1 && size < 10 { "0" } else { "" };
        format!("{}{first}{dot}{rest}e{sign}{zero}{size}", self.sign)
    }
}

/// As `fmt.Sprint`: with an exponent outside of 1e-4 to 1e6.
pub(super) fn sprint(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-4..1e6).contains(&size) {
        Decimal::new(value).fixed()
    } else if value.is_finite() {
        Decimal::new(value).scientific(2)
    } else if value.is_nan() {
        "NaN".to_owned()
    } else if value > 0.0 {
        "+Inf".to_owned()
    } else {
        "-Inf".to_owned()
    }
}

/// As `encoding/json`: with an exponent outside of 1e-6 to 1e21. `null` for what JSON has not.
pub(super) fn json(value: f64) -> String {
    if !value.is_finite() {
        "null".to_owned()
    } else if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        Decimal::new(value).fixed()
    } else {
        Decimal::new(value).scientific(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_as_go_prints_them() {
        // Value, fmt.Sprint, json.Marshal.
        let cases: &[(f64, &str, &str)] = &[
            (0.0, "0", "0"),
            (-0.0, "-0", "-0"),
            (1.5, "1.5", "1.5"),
            (-3.0, "-3", "-3"),
            (1e6, "1e+06", "1000000"),
            (1_234_567.5, "1.2345675e+06", "1234567.5"),
            (1e20, "1e+20", "100000000000000000000"),
            (1e21, "1e+21", "1e+21"),
            (0.0001, "0.0001", "0.0001"),
            (0.000_01, "1e-05", "0.00001"),
            (1.25e-7, "1.25e-07", "1.25e-7"),
            (
                f64::MAX,
                "1.7976931348623157e+308",
                "1.7976931348623157e+308",
            ),
        ];
        for (value, sprinted, marshalled) in cases {
            assert_eq!(sprint(*value), *sprinted);
            assert_eq!(json(*value), *marshalled);
        }
    }
}
