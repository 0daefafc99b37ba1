//! Texts read eight bytes at a time, for whoever looks for the few bytes that matter to it.
//!
//! A mark is the highest bit of a byte in a word. The tests below mark every byte that they are
//! after, and possibly others above it: the lowest mark is right, and so is no mark at all.

/// The highest bit of each byte.
const HIGH_BITS: u64 = each(0x80);

/// Eight times the same byte.
#[must_use]
pub const fn each(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// Marks the bytes that are zero.
#[inline]
const fn zeros(word: u64) -> u64 {
    word.wrapping_sub(each(1)) & !word & HIGH_BITS
}

/// Marks the bytes that are zero, and no others.
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

/// Marks the bytes up to a space.
#[must_use]
#[inline]
pub const fn up_to_space(word: u64) -> u64 {
    word.wrapping_sub(each(0x21)) & !word & HIGH_BITS
}

/// Marks the bytes equal to `byte`.
#[must_use]
#[inline]
pub const fn equal(word: u64, byte: u8) -> u64 {
    zeros(word ^ each(byte))
}

/// Marks the bytes that are `byte` once the bits of `bits` are set in them: `byte`, and those which
/// lack some of these bits.
#[must_use]
#[inline]
pub const fn equal_but_for(word: u64, bits: u8, byte: u8) -> u64 {
    zeros((word | each(bits)) ^ each(byte))
}

/// Marks the control characters below U+0020.
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

/// Marks what Go escapes in a text of JSON (`<`, `>` and `&` too), and what is not ASCII.
#[must_use]
#[inline]
pub const fn not_plain_json(word: u64) -> u64 {
    // `"` and `&`, `<` and `>` differ in one bit each.
    control(word)
        | equal_but_for(word, 0x04, b'&')
        | equal_but_for(word, 0x02, b'>')
        | equal(word, b'\\')
        | high(word)
}

/// All words of a text in turn; the last is filled up with the letter `a`.
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

/// Less than eight bytes as a word.
#[inline]
fn filled_up(bytes: &[u8]) -> u64 {
    let with = |word: u64, byte: &u8| word << 8 | u64::from(*byte);
    bytes.iter().rev().fold(each(b'a'), with)
}

/// The place of the first byte which `marks` marks. It must not mark the letter `a`, with which
/// short texts are filled up.
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
        // What has been read before is read again: no mark is there.
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
    fn the_first_byte_of_its_kind_is_found_wherever_it_stands() {
        type Kind = (fn(u64) -> u64, fn(u8) -> bool);
        let kinds: [Kind; 7] = [
            (|w| equal(w, b'"'), |b| b == b'"'),
            (|w| equal_but_for(w, 2, b'>'), |b| b == b'<' || b == b'>'),
            (control, |b| b < 0x20),
            (high, |b| b > 0x7f),
            (up_to_space, |b| b <= b' '),
            (|w| exactly(w, b'\n'), |b| b == b'\n'),
            (exactly_control, |b| b < 0x20),
        ];
        for (marks, is_it) in kinds {
            for byte in 0..=255_u8 {
                for length in 1..40 {
                    for at in 0..length {
                        let mut text = vec![b'a'; length];
                        text[at] = byte;
                        let wanted = is_it(byte).then_some(at);
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
    fn exact_marks_have_no_others_above_them() {
        let word = u64::from_le_bytes(*b"\n\x0b \x1f\n!\xff\x8a");
        assert_eq!(exactly(word, b'\n').to_le_bytes(), *b"\x80\0\0\0\x80\0\0\0");
        let marks = exactly_control(word).to_le_bytes();
        assert_eq!(marks, *b"\x80\x80\0\x80\x80\0\0\0");
    }

    #[test]
    fn every_byte_is_in_one_of_the_words() {
        let mut read = Vec::new();
        for_each(b"0123456789", |word| read.extend(word.to_le_bytes()));
        assert_eq!(read, b"0123456789aaaaaa");
        for_each(b"", |word| read.extend(word.to_le_bytes()));
        assert_eq!(read.len(), 16);
    }
}
