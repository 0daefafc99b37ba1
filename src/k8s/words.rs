//! Searches in texts that test eight bytes at a time.
//!
//! A word is eight bytes in a `u64`, the first byte lowest. A test returns a word of marks: a mark is the highest bit
//! of a byte that matches. Some tests may also mark bytes after a match (a borrow in the subtraction), so only the
//! lowest mark of their result is reliable; a result of 0 means that no byte matches. The tests named `exactly...`
//! mark the matching bytes and no others.
//!
//! Example: `equal(word, b'"')` of the text `ab"cdefg` is `0x80 << 16`; its 16 trailing zeros (plus 7) give byte 2.

/// The highest bit of each byte.
const HIGH_BITS: u64 = each(0x80);

/// A word of eight equal bytes.
#[must_use]
#[inline]
pub const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks zero bytes; only the lowest mark is reliable.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & HIGH_BITS
}

/// Marks the bytes that are zero, and no others.
#[inline]
const fn exactly_zeros(word: u64) -> u64 {
    let low = each(0x7f);
    !((word & low).wrapping_add(low) | word | low)
}

/// Marks the bytes equal to `byte`, and no others.
#[must_use]
#[inline]
pub const fn exactly(word: u64, byte: u8) -> u64 {
    exactly_zeros(word ^ each(byte))
}

/// Marks the control characters below U+0020, and nothing else.
#[must_use]
#[inline]
pub const fn exactly_control(word: u64) -> u64 {
    exactly_zeros(word & each(0xe0))
}

/// Marks the bytes from 0 to the space (U+0020); only the lowest mark is reliable.
#[must_use]
#[inline]
pub const fn up_to_space(word: u64) -> u64 {
    word.wrapping_sub(each(0x21)) & !word & HIGH_BITS
}

/// Marks the bytes equal to `byte`; only the lowest mark is reliable.
#[must_use]
#[inline]
pub const fn equal(word: u64, byte: u8) -> u64 {
    zeros(word ^ each(byte))
}

/// Marks the bytes that equal `byte` if the bits in `bits` are ignored; only the lowest mark is reliable. `byte` must
/// have these bits set.
#[must_use]
#[inline]
pub const fn equal_but_for(word: u64, bits: u8, byte: u8) -> u64 {
    zeros((word | each(bits)) ^ each(byte))
}

/// Marks the control characters below U+0020; only the lowest mark is reliable.
#[must_use]
#[inline]
pub const fn control(word: u64) -> u64 {
    word.wrapping_sub(each(0x20)) & !word & HIGH_BITS
}

/// Marks the bytes that are not ASCII.
#[must_use]
#[inline]
pub const fn high(word: u64) -> u64 {
    word & HIGH_BITS
}

/// Marks the bytes that Go escapes in a JSON text (including `<`, `>` and `&`) and the bytes that are not ASCII.
#[must_use]
#[inline]
pub const fn not_plain_json(word: u64) -> u64 {
    // `"` and `&` differ in one bit, `<` and `>` too, so one test finds both. Subtracting 1 from a byte sets its highest
    // bit if the byte is 0, and also if it is above 0x80: such a byte is not ASCII and is marked anyway.
    let quotes = (word | each(0x04)) ^ each(b'&');
    let brackets = (word | each(0x02)) ^ each(b'>');
    let backslashes = word ^ each(b'\\');
    let marks = word
        | word.wrapping_sub(each(0x20))
        | quotes.wrapping_sub(each(1))
        | brackets.wrapping_sub(each(1))
        | backslashes.wrapping_sub(each(1));
    marks & HIGH_BITS
}

/// Marks the quotes and backslashes of an ASCII text; only the lowest mark is reliable.
#[must_use]
#[inline]
pub const fn end_of_plain_ascii(word: u64) -> u64 {
    let quotes = word ^ each(b'"');
    let backslashes = word ^ each(b'\\');
    (quotes.wrapping_sub(each(1)) | backslashes.wrapping_sub(each(1))) & HIGH_BITS
}

/// Whether all bytes are ASCII without control characters and without `<`, `>` and `&`. Quotes and backslashes are allowed.
/// The compiler makes vector instructions of it.
#[must_use]
pub fn is_plain_but_for_quotes(bytes: &[u8]) -> bool {
    const BLOCK: usize = 32;
    // As a signed number a byte that is not ASCII is negative. `<` and `>` differ in one bit.
    let is_special = |byte: &u8| byte.cast_signed() < 0x20 || *byte == b'&' || *byte | 0x02 == b'>';
    let has_special =
        |block: &[u8; BLOCK]| block.iter().fold(false, |any, byte| any | is_special(byte));
    let (blocks, rest) = bytes.as_chunks::<BLOCK>();
    if blocks.iter().any(has_special) {
        return false;
    }
    // The last block overlaps with bytes that were already tested.
    match bytes.last_chunk::<BLOCK>() {
        Some(last) => !has_special(last),
        None => !rest.iter().any(is_special),
    }
}

/// Calls `look` with all words of a text in turn; the last word is padded with the letter `a`.
#[inline]
pub fn for_each(bytes: &[u8], mut look: impl FnMut(u64)) {
    let (words, rest) = bytes.as_chunks::<8>();
    words
        .iter()
        .for_each(|word| look(u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        look(filled_up(rest));
    }
}

/// Fewer than eight bytes as a word, padded with the letter `a`.
#[inline]
fn filled_up(bytes: &[u8]) -> u64 {
    let with = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
    bytes.iter().rev().fold(each(b'a'), with)
}

/// The position of the first byte that `marks` marks. `marks` must not mark the letter `a`, because short texts are
/// padded with it.
#[must_use]
#[inline]
pub fn position(bytes: &[u8], marks: impl Fn(u64) -> u64) -> Option<usize> {
    let place = |marked: u64| (marked.trailing_zeros() / 8) as usize;
    let (words, rest) = bytes.as_chunks::<8>();
    let mut at = 0_usize;
    for word in words {
        let marked = marks(u64::from_le_bytes(*word));
        if marked != 0 {
            return Some(at.saturating_add(place(marked)));
        }
        at = at.saturating_add(8);
    }
    if rest.is_empty() {
        return None;
    }
    if let Some(last) = bytes.last_chunk::<8>() {
        // The last eight bytes overlap with words that were already tested and have no mark.
        let marked = marks(u64::from_le_bytes(*last));
        let start = bytes.len().saturating_sub(8);
        return (marked != 0).then(|| start.saturating_add(place(marked)));
    }
    let marked = marks(filled_up(rest));
    (marked != 0).then(|| place(marked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_matching_byte_is_found_at_every_position() {
        type Kind = (fn(u64) -> u64, fn(u8) -> bool);
        let kinds: [Kind; 8] = [
            (|w| equal(w, b'"'), |b| b == b'"'),
            (|w| equal_but_for(w, 2, b'>'), |b| b == b'<' || b == b'>'),
            (control, |b| b < 0x20),
            (high, |b| b > 0x7f),
            (up_to_space, |b| b <= b' '),
            (not_plain_json, |b| {
                !(b' '..0x80).contains(&b) || b"\"&<>\\".contains(&b)
            }),
            (|w| exactly(w, b'\n'), |b| b == b'\n'),
            (exactly_control, |b| b < 0x20),
        ];
        for (marks, matches) in kinds {
            for byte in 0..=255_u8 {
                for length in 1..40 {
                    for at in 0..length {
                        let mut text = vec![b'a'; length];
                        text[at] = byte;
                        let wanted = matches(byte).then_some(at);
                        assert_eq!(position(&text, marks), wanted, "{byte} at {at} of {length}");
                        text[length - 1] = byte;
                        assert_eq!(position(&text, marks), wanted);
                    }
                }
            }
        }
        assert_eq!(position(b"", high), None);
    }

    #[test]
    fn the_end_of_a_plain_ascii_text_is_found_at_every_position() {
        for byte in 0..0x80_u8 {
            for length in 1..40 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    let wanted = matches!(byte, b'"' | b'\\').then_some(at);
                    assert_eq!(position(&text, end_of_plain_ascii), wanted, "{byte}");
                }
            }
        }
    }

    #[test]
    fn a_special_byte_is_found_at_every_position_of_a_text() {
        for byte in 0..=255_u8 {
            let is_plain = (b' '..0x80).contains(&byte) && !b"&<>".contains(&byte);
            for length in 1..80 {
                for at in 0..length {
                    let mut text = vec![b'a'; length];
                    text[at] = byte;
                    assert_eq!(is_plain_but_for_quotes(&text), is_plain, "{byte} at {at}");
                }
            }
        }
        assert!(is_plain_but_for_quotes(b""));
    }

    #[test]
    fn exact_tests_mark_matching_bytes_only() {
        let word = u64::from_le_bytes(*b"\n\x0b \x1f\n!\xff\x8a");
        assert_eq!(exactly(word, b'\n').to_le_bytes(), *b"\x80\0\0\0\x80\0\0\0");
        let marks = exactly_control(word).to_le_bytes();
        assert_eq!(marks, *b"\x80\x80\0\x80\x80\0\0\0");
    }

    #[test]
    fn for_each_passes_every_byte() {
        let mut read = Vec::new();
        for_each(b"0123456789", |word| read.extend(word.to_le_bytes()));
        assert_eq!(read, b"0123456789aaaaaa");
        for_each(b"", |word| read.extend(word.to_le_bytes()));
        assert_eq!(read.len(), 16);
    }
}
