//! Which style a text is written in: `stringv` of go-yaml's `encode.go`, then
//! `yaml_emitter_analyze_scalar` and `yaml_emitter_select_scalar_style` of its `emitterc.go`.

use super::resolve;

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// Plain, and without any space: nothing to fold, nothing to escape.
    Token,
    /// As it is.
    Plain,
    /// In `'`, which is doubled inside.
    SingleQuoted,
    /// In `"`, with escapes.
    DoubleQuoted,
    /// As a block of lines after `|`.
    Literal,
}

/// A space.
const SPACE: u8 = 1;
/// `:` and `#`, which matter beside a space.
const MARK: u8 = 2;
/// A line feed.
const LINE_FEED: u8 = 4;
/// A control character: not printable.
const CONTROL: u8 = 8;
/// Not ASCII.
const HIGH: u8 = 16;
/// In no number and no timestamp.
const NOT_NUMBER: u8 = 32;
/// `"` and the backslash, escaped between double quotes.
const ESCAPED: u8 = 64;

const CLASSES: [u8; 256] = classes();

#[allow(clippy::indexing_slicing)] // evaluated by the compiler: would not build if out of range
const fn classes() -> [u8; 256] {
    let mut classes = [NOT_NUMBER; 256];
    let mut byte = 0;
    while byte < 256 {
        if byte < 0x20 || byte == 0x7f {
            classes[byte] |= CONTROL;
        } else if byte > 0x7f {
            classes[byte] |= HIGH;
        }
        byte += 1;
    }
    let numeric = b"0123456789+-_.:, abcdefABCDEFxXoOtTZ";
    let mut at = 0;
    while at < numeric.len() {
        classes[numeric[at] as usize] = 0;
        at += 1;
    }
    classes[b' ' as usize] |= SPACE;
    classes[b':' as usize] |= MARK;
    classes[b'#' as usize] |= MARK;
    classes[b'\n' as usize] = LINE_FEED | NOT_NUMBER;
    classes[b'"' as usize] |= ESCAPED;
    classes[b'\\' as usize] |= ESCAPED;
    classes
}

/// The classes of all bytes, in one.
fn seen(bytes: &[u8]) -> u8 {
    let class = |&byte: &u8| CLASSES.get(usize::from(byte)).copied().unwrap_or(0);
    bytes.iter().map(class).fold(0, |all, class| all | class)
}

/// The style of a text, and whether it holds a line break of any kind: as a key it then has the
/// form `? key`.
pub(super) fn style(text: &str) -> (Style, bool) {
    let bytes = text.as_bytes();
    let seen = seen(bytes);
    if seen & (CONTROL | HIGH) != 0 {
        return style_with_specials(text, seen);
    }
    if seen & LINE_FEED != 0 {
        // A reader would not keep a space before the end of a line.
        let loses_space = bytes.ends_with(b" ") || bytes.windows(2).any(|pair| pair == b" \n");
        let style = if loses_space {
            Style::DoubleQuoted
        } else {
            Style::Literal
        };
        return (style, true);
    }
    let style = if resolve::is_other_type(text, seen & NOT_NUMBER == 0) {
        Style::DoubleQuoted
    } else if !can_be_plain(bytes, seen) {
        Style::SingleQuoted
    } else if seen & SPACE != 0 {
        Style::Plain
    } else {
        Style::Token
    };
    (style, false)
}

/// The style of a text with control characters or beyond ASCII; no such text is a number.
fn style_with_specials(text: &str, seen: u8) -> (Style, bool) {
    let mut has_break = seen & LINE_FEED != 0;
    let mut is_unprintable = false;
    let mut space_before_break = false;
    let mut space_after_break = false;
    let mut previous = 'a';
    for c in text.chars() {
        is_unprintable |= !is_printable(c);
        if is_break(c) {
            has_break = true;
            space_before_break |= previous == ' ';
        } else if c == ' ' {
            space_after_break |= is_break(previous);
        }
        previous = c;
    }
    let needs_escapes = is_unprintable || space_before_break;
    let style = if needs_escapes {
        Style::DoubleQuoted
    } else if seen & LINE_FEED != 0 {
        let ends_in_space = text.ends_with(' ');
        if ends_in_space {
            Style::DoubleQuoted
        } else {
            Style::Literal
        }
    } else if !has_break && can_be_plain(text.as_bytes(), seen) {
        Style::Plain
    } else if space_after_break {
        Style::DoubleQuoted
    } else {
        Style::SingleQuoted
    };
    (style, has_break)
}

/// Can a printable text on one line stand without quotes, as far as its characters go?
fn can_be_plain(bytes: &[u8], seen: u8) -> bool {
    let Some((&first, rest)) = bytes.split_first() else {
        return false;
    };
    if is_indicator(first, rest) || bytes.starts_with(b"---") || bytes.starts_with(b"...") {
        return false;
    }
    if bytes.last() == Some(&b' ') {
        return false;
    }
    if seen & MARK == 0 {
        return true;
    }
    // What would begin a value or a comment.
    bytes.last() != Some(&b':') && !bytes.windows(2).any(|pair| matches!(pair, b": " | b" #"))
}

/// Does the first character have a meaning of its own, given what follows it?
fn is_indicator(first: u8, rest: &[u8]) -> bool {
    match first {
        b'#' | b',' | b'[' | b']' | b'{' | b'}' | b'&' | b'*' | b'!' | b'|' | b'>' | b'\''
        | b'"' | b'%' | b'@' | b'`' | b' ' => true,
        b'?' | b':' | b'-' => matches!(rest.first(), None | Some(b' ')),
        _ => false,
    }
}

/// The line breaks of YAML 1.1.
fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// What go-yaml writes without an escape (`is_printable` in `yamlprivateh.go`): nothing beyond
/// the Basic Multilingual Plane.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && c != '\u{feff}'
}

/// Is this character escaped between double quotes?
pub(super) fn is_escaped(c: char) -> bool {
    !is_printable(c) || is_break(c) || c == '"' || c == '\\'
}

/// May there be characters to escape between double quotes? Beyond ASCII each must be looked at.
pub(super) fn needs_escape(text: &str) -> bool {
    seen(text.as_bytes()) & (CONTROL | HIGH | LINE_FEED | ESCAPED) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_style_has_its_texts() {
        use Style::{DoubleQuoted, Literal, Plain, SingleQuoted, Token};
        let cases: &[(&str, Style)] = &[
            ("", DoubleQuoted),
            ("a", Token),
            ("k:{\"type\":\"Ready\"}", Token),
            ("-a", Token),
            ("<<", Token),
            ("a b", Plain),
            ("caf\u{e9}", Plain),
            ("-", SingleQuoted),
            ("- a", SingleQuoted),
            ("a: b", SingleQuoted),
            ("a:", SingleQuoted),
            ("a #b", SingleQuoted),
            (" a", SingleQuoted),
            ("a ", SingleQuoted),
            ("---a", SingleQuoted),
            ("*", SingleQuoted),
            ("a\u{2028}b", SingleQuoted),
            ("a\u{2028} b", DoubleQuoted),
            ("a \u{2028}b", DoubleQuoted),
            ("y", DoubleQuoted),
            ("12", DoubleQuoted),
            ("a\tb", DoubleQuoted),
            ("a\u{85}b", DoubleQuoted),
            ("\u{1f600}", DoubleQuoted),
            ("a\nb", Literal),
            ("a\n b\u{e9}\n", Literal),
            ("a\nb ", DoubleQuoted),
            ("a\nb\u{e9} ", DoubleQuoted),
            ("a \nb", DoubleQuoted),
            ("a\n\tb", DoubleQuoted),
        ];
        for &(text, wanted) in cases {
            assert_eq!(style(text).0, wanted, "{text:?}");
        }
    }

    #[test]
    fn every_kind_of_line_break_makes_a_text_multiline() {
        for text in ["\n", "a\rb", "\u{85}", "a\u{2028}", "\u{2029}b"] {
            assert!(style(text).1, "{text:?}");
        }
        assert!(!style("a\u{b}\u{c}b\u{a0}").1);
    }
}
