//! Detects JSON that Go would write byte for byte the same. Such a document can be copied without parsing it onto a tape.

use super::super::tape::MAX_NESTING;
use super::super::words;

/// Whether a document is valid JSON that Go would write unchanged: no white space between tokens, and ASCII texts whose
/// escapes are the ones Go uses. False does not mean that the document is invalid.
pub(in super::super) fn is_written_by_go(document: &[u8]) -> bool {
    // The characters are checked for all of the document at once, so that each text is only searched for its end.
    words::is_plain_but_for_quotes(document)
        && after_document(document).is_some_and(<[u8]>::is_empty)
}

/// The bytes after the first value. It is a loop and not a recursion: `maps` is the stack of open containers.
fn after_document(document: &[u8]) -> Option<&[u8]> {
    let mut rest = value(document)?;
    // One bit per open container: 1 for a map, 0 for a list. MAX_NESTING is the number of bits.
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
                (opened, rest) = element(rest, is_map, depth)?;
                continue;
            }
        }
        // A value has ended, or the container that was opened last is empty.
        if depth == 0 {
            return Some(rest);
        }
        let is_map = maps & 1 == 1;
        let (next, after) = rest.split_first()?;
        match next {
            b',' => {
                (opened, rest) = element(after, is_map, depth)?;
                continue;
            }
            b'}' if is_map => {}
            b']' if !is_map => {}
            _ => return None,
        }
        rest = after;
        maps >>= 1;
        depth = depth.saturating_sub(1);
        opened = None;
    }
}

/// Reads an element of a container (in a map its key too): the first byte of its value, and the bytes after the value
/// or after the value's opening bracket. In a map, the elements before the last one that are an empty map are skipped:
/// most members of a field set are `"f:name":{}`.
#[inline]
fn element(mut text: &[u8], is_map: bool, depth: usize) -> Option<(Option<u8>, &[u8])> {
    if is_map {
        loop {
            let after_key = string(text.strip_prefix(b"\"")?)?;
            match after_key.split_first_chunk() {
                Some((b":{},", next)) if depth < MAX_NESTING => text = next,
                _ => {
                    text = after_key.strip_prefix(b":")?;
                    break;
                }
            }
        }
    }
    Some((text.first().copied(), value(text)?))
}

/// The bytes after a value; for a container, the bytes after its opening bracket.
fn value(text: &[u8]) -> Option<&[u8]> {
    let (first, after) = text.split_first()?;
    match first {
        b'{' | b'[' => Some(after),
        b'"' => string(after),
        b't' => after.strip_prefix(b"rue"),
        b'f' => after.strip_prefix(b"alse"),
        b'n' => after.strip_prefix(b"ull"),
        b'-' | b'0'..=b'9' => number(text),
        _ => None,
    }
}

/// The bytes after a text whose opening quote has been read.
#[inline]
fn string(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        let at = words::position(text, words::end_of_plain_ascii)?;
        match text.get(at..)? {
            [b'"', after @ ..] => return Some(after),
            // The escapes that Go writes.
            [
                b'\\',
                b'"' | b'\\' | b'n' | b'r' | b't' | b'b' | b'f',
                after @ ..,
            ] => text = after,
            _ => return None,
        }
    }
}

/// The bytes after a number. Go copies numbers of embedded JSON verbatim, so every spelling is accepted.
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
            [b'+' | b'-', after_sign @ ..] => digits(after_sign)?,
            _ => digits(exponent)?,
        };
    }
    Some(rest)
}

/// The bytes after a run of at least one digit.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    text.get(count..).filter(|_| count > 0)
}

#[cfg(test)]
mod tests {
    use super::super::super::tape::Tape;
    use super::*;

    #[test]
    fn compact_ascii_json_is_accepted() {
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
            assert!(is_written_by_go(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn json_that_go_would_write_differently_is_refused() {
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
            assert!(!is_written_by_go(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn nothing_is_accepted_that_is_not_json() {
        let seeds = [
            r#"{"a":[1,-2.5e1,"x\n",true,false,null,{}],"b":{"c":[]}}"#,
            r#"[0,{"":""},[[]],1E5]"#,
        ];
        let mut accepted = 0;
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
                        let is_accepted = is_written_by_go(&text);
                        assert!(is_json || !is_accepted, "{}", text.escape_ascii());
                        accepted += usize::from(is_accepted);
                    }
                }
            }
        }
        assert!(accepted > 100, "{accepted}");
        for depth in [MAX_NESTING - 1, MAX_NESTING] {
            let map = |members: &str| {
                let open = "{\"a\":".repeat(depth - 1);
                open + "{" + members + "}" + &"}".repeat(depth - 1)
            };
            let nested = map(r#""f:a":{},"f:b":1"#);
            assert_eq!(is_written_by_go(nested.as_bytes()), depth < MAX_NESTING);
        }
        let deep = "[".repeat(MAX_NESTING + 1) + &"]".repeat(MAX_NESTING + 1);
        assert!(!is_written_by_go(deep.as_bytes()));
    }
}
