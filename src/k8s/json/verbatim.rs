//! Is a text JSON exactly as Go would write it? Then it need not be taken apart to be written.

use super::super::tape::MAX_NESTING;
use super::super::words;

/// Is the document valid, and would it be written as it is: no white space between
/// tokens, texts in ASCII with Go's own escapes only. No does not say that it is wrong.
pub(in super::super) fn as_go_writes_it(document: &[u8]) -> bool {
    after_document(document).is_some_and(<[u8]>::is_empty)
}

/// What follows the first value.
fn after_document(document: &[u8]) -> Option<&[u8]> {
    let mut rest = value(document)?;
    // The open containers, a bit each: is it a map?
    let mut maps = 0_u128;
    let mut depth = 0_usize;
    let mut opened = document.first().copied();
    loop {
        if let Some(bracket @ (b'{' | b'[')) = opened {
            depth = depth.saturating_add(1);
            if depth > MAX_NESTING {
                return None;
            }
            let is_map = bracket == b'{';
            maps = maps << 1 | u128::from(is_map);
            let is_empty = rest.first() == Some(if is_map { &b'}' } else { &b']' });
            if !is_empty {
                (opened, rest) = element(rest, is_map)?;
                continue;
            }
        }
        // A value has ended, or an empty container is about to.
        if depth == 0 {
            return Some(rest);
        }
        let is_map = maps & 1 == 1;
        let (next, behind) = rest.split_first()?;
        match next {
            b',' => {
                (opened, rest) = element(behind, is_map)?;
                continue;
            }
            b'}' if is_map => {}
            b']' if !is_map => {}
            _ => return None,
        }
        rest = behind;
        maps >>= 1;
        depth = depth.saturating_sub(1);
        opened = None;
    }
}

/// A value, in a map with its key: its first byte, and what follows it (or its bracket).
fn element(text: &[u8], is_map: bool) -> Option<(Option<u8>, &[u8])> {
    let at_value = if is_map {
        string(text.strip_prefix(b"\"")?)?.strip_prefix(b":")?
    } else {
        text
    };
    Some((at_value.first().copied(), value(at_value)?))
}

/// What follows a value; of a container, what follows its opening bracket.
fn value(text: &[u8]) -> Option<&[u8]> {
    let (first, behind) = text.split_first()?;
    match first {
        b'{' | b'[' => Some(behind),
        b'"' => string(behind),
        b't' => behind.strip_prefix(b"rue"),
        b'f' => behind.strip_prefix(b"alse"),
        b'n' => behind.strip_prefix(b"ull"),
        b'-' | b'0'..=b'9' => number(text),
        _ => None,
    }
}

/// What follows a text whose opening quote has been read.
fn string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let at = words::position(text, words::not_plain_json)?;
        match text.get(at..)? {
            [b'"', behind @ ..] => return Some(behind),
            // The escapes which Go writes itself.
            [
                b'\\',
                b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f',
                behind @ ..,
            ] => text = behind,
            _ => return None,
        }
    }
}

/// What follows a number; it is copied as it is written.
fn number(text: &[u8]) -> Option<&[u8]> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let mut rest = match text {
        [b'0', rest @ ..] => rest,
        _ => digits(text)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = digits(fraction)?;
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        rest = match exponent {
            [b'+' | b'-', digits_ @ ..] => digits(digits_)?,
            _ => digits(exponent)?,
        };
    }
    Some(rest)
}

/// What follows one digit or more.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(count..).filter(|_| count > 0)
}

#[cfg(test)]
mod tests {
    use super::super::super::tape::Tape;
    use super::*;

    #[test]
    fn compact_json_in_ascii_is_taken_as_it_is() {
        let nested = "[".repeat(MAX_NESTING) + &"]".repeat(MAX_NESTING);
        let texts = [
            "{}",
            "[]",
            "\"a\"",
            "-1.50e+07",
            "0",
            "null",
            r#"{"f:spec":{"k:{\"name\":\"a\"}":{".":{}},"b":[1,-2.5E-1,true,false,null,"x\\\n"]}}"#,
            r#"[[],{},[{"a":[]}],"",{"a":{}}]"#,
            &nested,
        ];
        for text in texts {
            assert!(as_go_writes_it(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn all_that_go_would_write_otherwise_is_refused() {
        let texts = [
            "{ }",
            " {}",
            "{} ",
            "[1, 2]",
            "{\"a\" :1}",
            "\"<\"",
            "\">\"",
            "\"&\"",
            "\"\\/\"",
            "\"\\u0041\"",
            "\"\u{e9}\"",
            "\"\u{2028}\"",
        ];
        for text in texts {
            let mut tape = Tape::default();
            assert!(
                super::super::parse(text.as_bytes(), &mut tape).is_ok(),
                "{text}"
            );
            assert!(!as_go_writes_it(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn nothing_is_taken_that_is_not_json() {
        let seeds = [
            r#"{"a":[1,-2.5e1,"x\n",true,false,null,{}],"b":{"c":[]}}"#,
            r#"[0,{"":""},[[]],1E5]"#,
        ];
        let mut taken = 0;
        for seed in seeds {
            for at in 0..seed.len() {
                for byte in b"{}[]\",:\\0-.e1tn \x01\xff" {
                    for change in 0..3 {
                        let mut text = seed.as_bytes().to_vec();
                        match change {
                            0 => text[at] = *byte,
                            1 => text.insert(at, *byte),
                            _ => text.truncate(at),
                        }
                        let mut tape = Tape::default();
                        let is_json = super::super::parse(&text, &mut tape).is_ok();
                        let is_taken = as_go_writes_it(&text);
                        assert!(is_json || !is_taken, "{}", text.escape_ascii());
                        taken += usize::from(is_taken);
                    }
                }
            }
        }
        assert!(taken > 100, "{taken}");
        let deep = "[".repeat(MAX_NESTING + 1) + &"]".repeat(MAX_NESTING + 1);
        assert!(!as_go_writes_it(deep.as_bytes()));
    }
}
