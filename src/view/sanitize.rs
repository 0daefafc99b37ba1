//! The one choke point between bytes of the file and a terminal.
//!
//! Keys and values are written by whoever could write to the cluster. Control characters (C0 but
//! newline and tab, DEL, C1), bidi controls, line separators, characters that a terminal does not show
//! (Unicode's Default_Ignorable_Code_Point) and bytes that are not UTF-8 are shown as escapes; everything
//! else goes through.

use std::borrow::Cow;
use std::io::{self, Write};

/// Characters that a terminal acts on or does not show: controls, line and paragraph separators, bidi
/// controls, and all of Default_Ignorable_Code_Point (Unicode 17, DerivedCoreProperties.txt), with the
/// annotation characters U+FFF9 to U+FFFB.
const HIDDEN: [std::ops::RangeInclusive<char>; 20] = [
    '\u{0}'..='\u{8}',
    '\u{b}'..='\u{1f}',
    '\u{7f}'..='\u{9f}',
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{61c}'..='\u{61c}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Whether a terminal may act on this character, or not show it at all.
fn is_hidden(c: char) -> bool {
    // Most text is ASCII, and most of that is shown.
    if matches!(c, ' '..='~') {
        return false;
    }
    HIDDEN.iter().any(|range| range.contains(&c))
}

fn escape(c: char, into: &mut String) {
    match c {
        '\r' => into.push_str("\\r"),
        c if u32::from(c) < 0x100 => into.push_str(&format!("\\x{:02x}", u32::from(c))),
        c if u32::from(c) < 0x1_0000 => into.push_str(&format!("\\u{:04x}", u32::from(c))),
        c => into.push_str(&format!("\\U{:08x}", u32::from(c))),
    }
}

fn push_visible(text: &str, into: &mut String) {
    for c in text.chars() {
        if is_hidden(c) {
            escape(c, into)
        } else {
            into.push(c)
        }
    }
}

/// The text with everything hidden made visible.
pub fn visible(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    push_visible(text, &mut shown);
    Cow::Owned(shown)
}

/// The same of bytes: those that are not UTF-8 are shown as escapes too.
pub fn visible_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_visible(chunk.valid(), &mut shown);
        push_invalid(chunk.invalid(), &mut shown);
    }
    shown
}

fn push_invalid(bytes: &[u8], into: &mut String) {
    for byte in bytes {
        into.push_str(&format!("\\x{byte:02x}"));
    }
}

/// Makes a stream of bytes harmless; a character may be split between two writes.
#[derive(Debug, Default)]
pub struct Sanitizer {
    pending: Vec<u8>,
    shown: String,
}

impl Sanitizer {
    /// Takes the next bytes.
    ///
    /// # Errors
    /// As the writer's.
    pub fn write(&mut self, bytes: &[u8], to: &mut dyn Write) -> io::Result<()> {
        self.pending.extend_from_slice(bytes);
        let pending = std::mem::take(&mut self.pending);
        self.shown.clear();
        let mut chunks = pending.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            push_visible(chunk.valid(), &mut self.shown);
            let cut_character = chunks.peek().is_none() && is_start_of_character(chunk.invalid());
            if cut_character {
                self.pending.extend_from_slice(chunk.invalid());
            } else {
                push_invalid(chunk.invalid(), &mut self.shown);
            }
        }
        to.write_all(self.shown.as_bytes())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// As the writer's.
    pub fn finish(&mut self, to: &mut dyn Write) -> io::Result<()> {
        let pending = std::mem::take(&mut self.pending);
        self.shown.clear();
        push_invalid(&pending, &mut self.shown);
        to.write_all(self.shown.as_bytes())
    }
}

/// Whether more bytes could make a character of these.
fn is_start_of_character(bytes: &[u8]) -> bool {
    let wanted = match bytes.first() {
        Some(0xc2..=0xdf) => 2,
        Some(0xe0..=0xef) => 3,
        Some(0xf0..=0xf4) => 4,
        _ => return false,
    };
    bytes.len() < wanted
        && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn through(pieces: &[&[u8]]) -> String {
        let mut shown = Vec::new();
        let mut sanitizer = Sanitizer::default();
        for piece in pieces {
            sanitizer.write(piece, &mut shown).unwrap();
        }
        sanitizer.finish(&mut shown).unwrap();
        String::from_utf8(shown).unwrap()
    }

    #[test]
    fn what_a_terminal_would_act_on_is_shown() {
        assert_eq!(
            through(&[b"\x1b]52;c;aGk=\x07\r\n\tok"]),
            "\\x1b]52;c;aGk=\\x07\\r\n\tok"
        );
        assert_eq!(
            through(&["a\u{202e}b\u{200b}c\u{9b}d".as_bytes()]),
            "a\\u202eb\\u200bc\\x9bd"
        );
        assert_eq!(through(&[b"\xff\xfe"]), "\\xff\\xfe");
        assert_eq!(
            through(&["caf\u{e9} \u{4e16} \u{1f600}".as_bytes()]),
            "caf\u{e9} \u{4e16} \u{1f600}"
        );
    }

    #[test]
    fn characters_that_no_terminal_shows_are_escaped() {
        // The first and the last of each range, and the shown neighbours of some.
        for c in [
            '\u{ad}',
            '\u{34f}',
            '\u{61c}',
            '\u{115f}',
            '\u{1160}',
            '\u{17b4}',
            '\u{17b5}',
            '\u{180b}',
            '\u{180f}',
            '\u{200b}',
            '\u{200f}',
            '\u{2028}',
            '\u{2029}',
            '\u{202a}',
            '\u{202e}',
            '\u{2060}',
            '\u{206f}',
            '\u{3164}',
            '\u{fe00}',
            '\u{fe0f}',
            '\u{feff}',
            '\u{ffa0}',
            '\u{fff0}',
            '\u{fffb}',
            '\u{1bca0}',
            '\u{1bca3}',
            '\u{1d173}',
            '\u{1d17a}',
            '\u{e0000}',
            '\u{e01ef}',
            '\u{e0fff}',
        ] {
            let shown = visible(&format!("a{c}b")).into_owned();
            assert!(
                shown.starts_with("a\\") && shown.ends_with('b') && shown.is_ascii(),
                "{shown}"
            );
        }
        let plain = "caf\u{e9} \u{34e}\u{350} \u{200a} \u{2010} \u{fdff} \u{fffc} \u{4e16}";
        assert_eq!(visible(plain), plain);
        assert_eq!(visible_bytes(b"a\xff\x1bb"), "a\\xff\\x1bb");
    }

    #[test]
    fn a_character_split_between_writes_stays_whole() {
        let text = "\u{1f600}\u{e9}".as_bytes();
        for cut in 0..text.len() {
            assert_eq!(
                through(&[&text[..cut], &text[cut..]]),
                "\u{1f600}\u{e9}",
                "cut at {cut}"
            );
        }
        assert_eq!(through(&[b"\xe2\x80"]), "\\xe2\\x80");
        assert_eq!(through(&[b"\xe2", b"a"]), "\\xe2a");
    }
}
