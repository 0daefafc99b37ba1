//! Bytes out of the escapes of Go's `%q`, which protobuf's text format, C, Python and shells share: the way back from
//! [`super::quote`]. Upstream: `strconv.Unquote`; C has octal escapes of one to three digits, Go of three.

/// The bytes of a text with escapes. None if an escape does not exist, or `quote` is in it without one.
#[must_use]
pub fn unescape(text: &str, quote: Option<char>) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if Some(c) == quote {
            return None;
        }
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        let name = rest.next()?;
        let short = SHORT.iter().find(|(short, _)| *short == name);
        if let Some((_, byte)) = short {
            bytes.push(*byte);
            continue;
        }
        match name {
            'x' => bytes.push(u8::try_from(digits(&mut rest, 2)?).ok()?),
            'u' => push(&mut bytes, char::from_u32(digits(&mut rest, 4)?)?),
            'U' => push(&mut bytes, char::from_u32(digits(&mut rest, 8)?)?),
            '0'..='7' => bytes.push(octal(name, &mut rest)?),
            _ => return None,
        }
    }
    Some(bytes)
}

/// The escapes of one letter.
const SHORT: [(char, u8); 12] = [
    ('a', 0x07),
    ('b', 0x08),
    ('t', b'\t'),
    ('n', b'\n'),
    ('v', 0x0b),
    ('f', 0x0c),
    ('r', b'\r'),
    ('e', 0x1b),
    ('E', 0x1b),
    ('\\', b'\\'),
    ('"', b'"'),
    ('\'', b'\''),
];

fn push(bytes: &mut Vec<u8>, c: char) {
    let mut text = [0; 4];
    bytes.extend_from_slice(c.encode_utf8(&mut text).as_bytes());
}

/// So many hexadecimal digits.
fn digits(rest: &mut std::str::Chars<'_>, count: usize) -> Option<u32> {
    (0..count).try_fold(0_u32, |number, _| {
        let digit = rest.next()?.to_digit(16)?;
        number.checked_mul(16)?.checked_add(digit)
    })
}

/// The byte of an octal escape of up to three digits.
fn octal(first: char, rest: &mut std::str::Chars<'_>) -> Option<u8> {
    let mut number = first.to_digit(8)?;
    for _ in 0..2 {
        let mut ahead = rest.clone();
        let Some(digit) = ahead.next().and_then(|c| c.to_digit(8)) else {
            break;
        };
        number = number.saturating_mul(8).saturating_add(digit);
        *rest = ahead;
    }
    u8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::super::quote::quote_into;
    use super::unescape;

    #[test]
    fn every_byte_comes_back_from_its_quoted_text() {
        let all: Vec<u8> = (0..=255)
            .chain("\u{2028}\u{e9}\u{10ffff}".bytes())
            .collect();
        let mut text = Vec::new();
        quote_into(&all, &mut text);
        let text = String::from_utf8(text).unwrap_or_default();
        let inside = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        assert_eq!(unescape(inside.unwrap_or_default(), Some('"')), Some(all));
    }

    #[test]
    fn an_octal_escape_has_one_to_three_digits() {
        assert_eq!(
            unescape(r"k8s\000\0\17x\377", None),
            Some(b"k8s\0\0\x0fx\xff".to_vec())
        );
        assert_eq!(unescape(r"\400", None), None);
    }

    #[test]
    fn an_escape_that_does_not_exist_is_refused() {
        for text in [r"\", r"\x1", r"\xg0", r"\q", r"\ud800", r"\8"] {
            assert_eq!(unescape(text, None), None, "{text}");
        }
        assert_eq!(unescape("a\"b", Some('"')), None);
    }
}
