//! How packed input is unpacked: the folder for temporary files, and the limit.

use crate::source::work::Work;
use crate::source::{UNPACKED_UP_TO_BYTES, Unpacking};

/// Units of a size, each with its bytes: powers of 1024, as `dd` and `systemd` read them.
const UNITS: [(&str, u64); 4] = [
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
];

/// How to unpack: with the limit that was asked for. `work` counts how far it is.
#[must_use]
pub fn unpacking(limit_bytes: Option<u64>, work: &Work) -> Unpacking {
    Unpacking {
        temporary_folder: std::env::temp_dir(),
        up_to_bytes: limit_bytes.unwrap_or(UNPACKED_UP_TO_BYTES),
        work: work.clone(),
    }
}

/// Reads a size: `20GiB`, `20G`, `500M`, or a number of bytes.
///
/// # Errors
/// A sentence with the forms that a size can have.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || "a size is 20GiB, 20G, 500M or a number of bytes".to_owned();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = unit.trim_start().to_ascii_lowercase();
    let unit = unit
        .strip_suffix("ib")
        .or(unit.strip_suffix('b'))
        .unwrap_or(&unit);
    let factor = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => *bytes,
        None if unit.is_empty() => 1,
        None => return Err(wrong()),
    };
    number
        .checked_mul(factor)
        .filter(|bytes| *bytes > 0)
        .ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit_or_is_in_bytes() {
        for (text, bytes) in [
            ("20GiB", 20 << 30),
            ("20G", 20 << 30),
            ("20gb", 20 << 30),
            ("500M", 500 << 20),
            ("3 KiB", 3 << 10),
            ("1t", 1 << 40),
            ("4096", 4096),
            ("7B", 7),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "G",
            "-1",
            "1.5G",
            "0",
            "1X",
            "99999999999999999999",
            "99999999999T",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
