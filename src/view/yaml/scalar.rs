//! Which style a text is written in: `stringv` of go-yaml's `encode.go`, then
//! `yaml_emitter_analyze_scalar` and `yaml_emitter_select_scalar_style` of its `emitterc.go`.
//!
//! Two things differ from go-yaml, because its text does not load back: U+2028 and U+2029 are escaped (go-yaml writes
//! them as line breaks, YAML 1.2 reads them as characters, and kubectl finds no `---` after them), and words that
//! readers take for another type are quoted (`<<`, `=`; see [`resolve`]).

use super::resolve;
use crate::k8s::words;

/// For which readers texts are quoted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quoting {
    /// kubectl's text, unless kubectl or libyaml would read it as something else.
    #[default]
    Kubectl,
    /// The same, and what any reader of YAML 1.1 or 1.2 would take for a number or a time is quoted: `1e999`,
    /// `2001-01-01T10:00:00`. Floats have a point: `1.0e+20`.
    Portable,
    /// Every text is in double quotes, in ASCII, on one line. Only names of Kubernetes' own fields are as they are.
    Everything,
}

/// How a text is written, and what else depends on its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) style: Style,
    /// The text holds a line break of any kind: as a key it is written as `? key`.
    pub(super) is_multiline: bool,
    /// The text holds characters that readers treat differently. The document is to be read back.
    pub(super) is_unusual: bool,
}

impl Form {
    const TOKEN: Self = Self::usual(Style::Token, false);

    const fn usual(style: Style, is_multiline: bool) -> Self {
        Self {
            style,
            is_multiline,
            is_unusual: false,
        }
    }
}

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
    /// In `"`, in ASCII, never folded.
    Ascii,
}

/// What the bytes of a text are, as far as styles depend on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Seen {
    line_feed: bool,
    /// A control character other than a line feed.
    control: bool,
    /// Not ASCII.
    high: bool,
    space: bool,
    /// A space before a line feed.
    space_break: bool,
    /// What would begin a value or a comment: `: ` and ` #`.
    mark: bool,
}

fn seen(bytes: &[u8]) -> Seen {
    let mut all = [0_u64; 6];
    let (mut last_space, mut last_colon) = (0, 0);
    words::for_each(bytes, |word| {
        let feed = words::exactly(word, b'\n');
        let space = words::exactly(word, b' ');
        let colon = words::exactly(word, b':');
        // The marks of the bytes before those of the word.
        let after_space = space << 8 | last_space >> 56;
        let after_colon = colon << 8 | last_colon >> 56;
        let control = words::exactly_control(word) ^ feed | words::exactly(word, 0x7f);
        let hash = words::exactly(word, b'#');
        let marks = after_colon & space | after_space & hash;
        let new = [
            feed,
            control,
            words::high(word),
            space,
            after_space & feed,
            marks,
        ];
        for (all, new) in all.iter_mut().zip(new) {
            *all |= new;
        }
        (last_space, last_colon) = (space, colon);
    });
    let [line_feed, control, high, space, space_break, mark] = all.map(|marks| marks != 0);
    Seen {
        line_feed,
        control,
        high,
        space,
        space_break,
        mark,
    }
}

/// Is each byte one that a number or a timestamp may have?
fn may_be_number(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| {
        matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b'+' | b'-' | b'_' | b'.' | b':'
            | b',' | b' ' | b'x' | b'X' | b'o' | b'O' | b't' | b'T' | b'Z')
    })
}

/// Is the style of this text certainly [`Style::Token`]? The bytes need not be UTF-8.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    let special = words::position(bytes, |word| {
        words::up_to_space(word) | words::high(word) | words::equal(word, 0x7f)
    });
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else {
        return false;
    };
    let first_is_plain = match first {
        // The longest word with a meaning has five letters.
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' => bytes.len() > 5,
        b'a'..=b'z' | b'A'..=b'Z' | b'/' | b'_' | b'(' | b'$' => true,
        _ => false,
    };
    first_is_plain && last != b':' && special.is_none()
}

/// How a text is written.
pub(super) fn form(text: &str, quoting: Quoting) -> Form {
    if quoting == Quoting::Everything {
        return Form {
            style: Style::Ascii,
            ..form_at_length(text, quoting)
        };
    }
    if is_token(text.as_bytes()) {
        return Form::TOKEN;
    }
    form_at_length(text, quoting)
}

fn form_at_length(text: &str, quoting: Quoting) -> Form {
    let bytes = text.as_bytes();
    let seen = seen(bytes);
    if seen.control || seen.high {
        return form_with_specials(text, seen);
    }
    if seen.line_feed {
        // A reader would not keep a space before the end of a line.
        let loses_space = seen.space_break || bytes.ends_with(b" ");
        let style = if loses_space {
            Style::DoubleQuoted
        } else {
            Style::Literal
        };
        return Form::usual(style, true);
    }
    let is_misread = || match quoting {
        Quoting::Kubectl => resolve::is_misread_by_kubectl(text),
        Quoting::Portable | Quoting::Everything => resolve::is_misread_by_any(text),
    };
    let style = if resolve::is_other_type(text, may_be_number) || is_misread() {
        Style::DoubleQuoted
    } else if !can_be_plain(bytes, seen) {
        Style::SingleQuoted
    } else if seen.space {
        Style::Plain
    } else {
        Style::Token
    };
    Form::usual(style, false)
}

/// The form of a text with control characters or beyond ASCII; no such text is a number.
fn form_with_specials(text: &str, seen: Seen) -> Form {
    let mut has_break = seen.line_feed;
    let mut is_unprintable = false;
    let mut is_unusual = false;
    let mut space_before_break = false;
    let mut previous = 'a';
    for c in text.chars() {
        is_unprintable |= !is_printable(c);
        is_unusual |= is_treated_differently(c);
        has_break |= is_break(c);
        space_before_break |= is_break(c) && previous == ' ';
        previous = c;
    }
    let style = if is_unprintable || space_before_break {
        Style::DoubleQuoted
    } else if seen.line_feed {
        let ends_in_space = text.ends_with(' ');
        if ends_in_space {
            Style::DoubleQuoted
        } else {
            Style::Literal
        }
    } else if looks_like_json(text) {
        Style::DoubleQuoted
    } else if can_be_plain(text.as_bytes(), seen) {
        Style::Plain
    } else {
        Style::SingleQuoted
    };
    Form {
        style,
        is_multiline: has_break,
        is_unusual,
    }
}

/// Does a brace follow white space beyond ASCII? kubectl takes a document that begins so for JSON.
fn looks_like_json(text: &str) -> bool {
    text.starts_with(|c: char| c.is_whitespace()) && text.trim_start().starts_with('{')
}

/// Can a printable text on one line be written without quotes, by its characters alone?
fn can_be_plain(bytes: &[u8], seen: Seen) -> bool {
    let Some((&first, rest)) = bytes.split_first() else {
        return false;
    };
    if is_indicator(first, rest) || bytes.starts_with(b"---") || bytes.starts_with(b"...") {
        return false;
    }
    !seen.mark && !matches!(bytes.last(), Some(b' ' | b':'))
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

/// What is written without an escape: `is_printable` of `yamlprivateh.go` (nothing beyond the Basic Multilingual
/// Plane), without the line breaks U+2028 and U+2029.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{fffd}')
        && c != '\u{feff}'
}

/// Control characters, byte order marks, line breaks of YAML 1.1 and what is no character; also U+FFFD, which two
/// different keys may have in place of what is not UTF-8. Tabs, carriage returns and
/// emoji are frequent in ordinary objects, and no reader errs about their escapes.
fn is_treated_differently(c: char) -> bool {
    c == '\u{fffd}' || (!is_printable(c) && !matches!(c, '\t' | '\r' | '\u{10000}'..))
}

/// Is this character escaped between double quotes?
pub(super) fn is_escaped(c: char) -> bool {
    !is_printable(c) || matches!(c, '\n' | '"' | '\\')
}

/// May there be characters to escape between double quotes? Beyond ASCII each must be looked at.
pub(super) fn needs_escape(text: &str) -> bool {
    let marks = |word| {
        words::control(word)
            | words::high(word)
            | words::equal(word, 0x7f)
            | words::equal(word, b'"')
            | words::equal(word, b'\\')
    };
    words::position(text.as_bytes(), marks).is_some()
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
            ("<<", DoubleQuoted),
            ("=", DoubleQuoted),
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
            ("a\u{2028}b", DoubleQuoted),
            ("a\u{2028} b", DoubleQuoted),
            ("a \u{2028}b", DoubleQuoted),
            ("y", DoubleQuoted),
            ("12", DoubleQuoted),
            ("a\tb", DoubleQuoted),
            ("a\u{85}b", DoubleQuoted),
            ("\u{1f600}", DoubleQuoted),
            ("\u{a0}{a", DoubleQuoted),
            ("\u{a0}a", Plain),
            ("a\nb", Literal),
            ("a\n b\u{e9}\n", Literal),
            ("a\nb ", DoubleQuoted),
            ("a\nb\u{e9} ", DoubleQuoted),
            ("a \nb", DoubleQuoted),
            ("a\n\tb", DoubleQuoted),
        ];
        for &(text, wanted) in cases {
            assert_eq!(form(text, Quoting::Kubectl).style, wanted, "{text:?}");
        }
    }

    #[test]
    fn a_text_taken_for_a_token_at_first_sight_is_one() {
        for first in 0..128_u8 {
            for rest in [
                "", "e", "es", "rue", "alse", "b:", "b: c", "b #", "--", ".1", "b\n", "b\u{7f}",
            ] {
                let text = format!("{}{rest}", char::from(first));
                let at_length = form_at_length(&text, Quoting::Portable).style;
                assert!(
                    !is_token(text.as_bytes()) || at_length == Style::Token,
                    "{text:?}"
                );
            }
        }
        assert!(is_token(b"nginx-") && is_token(b"web") && !is_token(b"null") && !is_token(b""));
    }

    #[test]
    fn marks_are_seen_across_words_and_only_in_their_order() {
        for before in 0..20 {
            let text = |end: &str| "a".repeat(before) + end;
            assert!(seen(text(": b").as_bytes()).mark);
            assert!(seen(text(" #").as_bytes()).mark);
            assert!(seen(text(" \n").as_bytes()).space_break);
            let none = seen(text("# :\n ").as_bytes());
            assert!(!none.mark && !none.space_break && none.space && none.line_feed);
            assert!(!none.control && seen(text("\n\u{b}").as_bytes()).control);
        }
    }

    #[test]
    fn every_kind_of_line_break_makes_a_text_multiline() {
        for text in ["\n", "a\rb", "\u{85}", "a\u{2028}", "\u{2029}b"] {
            assert!(form(text, Quoting::Kubectl).is_multiline, "{text:?}");
        }
        assert!(!form("a\u{b}\u{c}b\u{a0}", Quoting::Kubectl).is_multiline);
    }
}
