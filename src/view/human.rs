//! Numbers and lists for people.

pub use crate::plural::{counted, plural};

/// The first of some names, and that there are more: `a, b, ...`.
#[must_use]
pub fn first_of<T: AsRef<str>>(names: &[T], shown: usize) -> String {
    let mut first: Vec<&str> = names.iter().take(shown).map(AsRef::as_ref).collect();
    if names.len() > shown {
        first.push("...");
    }
    first.join(", ")
}

/// A size as etcdutl prints it (go-humanize's `Bytes`): SI units, one decimal below 10.
pub fn bytes(size: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    if size < 10 {
        return format!("{size} B");
    }
    let mut divisor = 1_u64;
    let mut unit = "B";
    for next in UNITS.into_iter().skip(1) {
        match divisor.checked_mul(1000) {
            Some(larger) if size >= larger => {
                divisor = larger;
                unit = next;
            }
            _ => break,
        }
    }
    // Tenths, rounded half up, in integers.
    let tenths = (u128::from(size) * 10 + u128::from(divisor) / 2) / u128::from(divisor);
    if tenths < 100 && unit != "B" {
        format!("{}.{} {unit}", tenths / 10, tenths % 10)
    } else {
        // Below 10 go-humanize prints one decimal, else it rounds the tenths half to even.
        let whole = tenths / 10;
        let up = match tenths % 10 {
            6.. => 1,
            5 => whole % 2,
            _ => 0,
        };
        format!("{} {unit}", whole + up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_as_go_humanize_prints_them() {
        let cases: [(u64, &str); 12] = [
            (0, "0 B"),
            (9, "9 B"),
            (20, "20 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (20_480, "20 kB"),
            (28_672, "29 kB"),
            (659_456, "660 kB"),
            (4_423_680, "4.4 MB"),
            (9_960, "10 kB"),
            (1_902_280_704, "1.9 GB"),
            (u64::MAX, "18 EB"),
        ];
        for (size, text) in cases {
            assert_eq!(bytes(size), text, "{size}");
        }
    }
}
