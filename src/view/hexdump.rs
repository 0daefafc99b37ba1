//! Bytes with their offsets, in the layout of `hexdump -C`: the offset, sixteen bytes, and the same bytes as ASCII, with
//! dots for the others. Lines that repeat the one before are replaced by one `*`.

use std::fmt::Write as _;

/// How many bytes a line shows.
const LINE_BYTES: usize = 16;

/// Turns a stream of bytes into lines. The stream may come in several parts, also within a run of equal lines.
#[derive(Debug)]
pub struct Hexdump {
    /// Absolute offset of the next byte.
    offset: u64,
    /// Before each line.
    indent: &'static str,
    /// The bytes of the line before; none if it was not full.
    last: Option<[u8; LINE_BYTES]>,
    /// Whether the `*` for the current run of equal lines is already written.
    skipping: bool,
}

impl Hexdump {
    /// For bytes that start at this absolute offset. `indent` is written before each line.
    pub fn at(offset: u64, indent: &'static str) -> Self {
        Self {
            offset,
            indent,
            last: None,
            skipping: false,
        }
    }

    /// The lines of the next bytes. Their number must be a multiple of sixteen, except in the last part.
    pub fn lines(&mut self, bytes: &[u8]) -> String {
        let mut text = String::with_capacity(bytes.len().saturating_mul(5));
        for line in bytes.chunks(LINE_BYTES) {
            let whole: Option<[u8; LINE_BYTES]> = line.try_into().ok();
            if whole.is_some() && whole == self.last {
                if !self.skipping {
                    let _ = writeln!(text, "{}*", self.indent);
                }
                self.skipping = true;
            } else {
                self.skipping = false;
                self.line(line, &mut text);
            }
            self.last = whole;
            self.offset = self.offset.saturating_add(line.len() as u64);
        }
        text
    }

    /// The last line: the offset after the last byte.
    pub fn end(&self) -> String {
        format!("{}{:08x}\n", self.indent, self.offset)
    }

    fn line(&self, line: &[u8], text: &mut String) {
        let _ = write!(text, "{}{:08x}", self.indent, self.offset);
        for index in 0..LINE_BYTES {
            text.push_str(if index % 8 == 0 { "  " } else { " " });
            // Digit by digit: the formatting machinery would be most of the time of a dump.
            match line.get(index) {
                Some(byte) => text.extend([digit(byte >> 4), digit(byte & 0xf)]),
                None => text.push_str("  "),
            }
        }
        text.push_str("  |");
        text.extend(line.iter().map(|byte| match byte {
            b' '..=b'~' => char::from(*byte),
            _ => '.',
        }));
        text.push_str("|\n");
    }
}

fn digit(value: u8) -> char {
    char::from_digit(u32::from(value), 16).unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_offset_its_bytes_and_their_ascii() {
        let mut dump = Hexdump::at(0x1000, "");
        assert_eq!(
            dump.lines(b"0123456789abcdef\x1b]"),
            "00001000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n\
             00001010  1b 5d                                             |.]|\n"
        );
        assert_eq!(dump.end(), "00001012\n");
    }

    #[test]
    fn lines_repeated_are_one_star_across_parts_too() {
        let mut dump = Hexdump::at(0, "  ");
        let first = dump.lines(&[0; 32]);
        let second = dump.lines(&[0; 32]);
        let third = dump.lines(&[1; 16]);
        assert_eq!(first.lines().count(), 2);
        assert_eq!((first.lines().nth(1), second.as_str()), (Some("  *"), ""));
        assert!(third.starts_with("  00000040  01"), "{third}");
    }
}
