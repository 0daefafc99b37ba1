//! Bytes as Go's `%q` prints them (`strconv.Quote`; upstream file `src/strconv/quote.go` of Go),
//! which is how etcd-dump-db shows keys and values.
//!
//! What Go calls printable is in `table.rs`, taken from Go itself: Rust's own tables follow another
//! version of Unicode, and one rune printed otherwise would make another line.
//!
//! The store of a cluster is quoted whole by one `dump-db`, so the way through here is short: 16
//! bytes at a time are copied when all are plain, else each byte is replaced by its four
//! precomputed bytes of text without asking what it is; only bytes that can begin a UTF-8 sequence
//! of their own take the slow road.

mod table;

/// Bytes looked at together.
const CHUNK: usize = 16;

/// Bytes quoted between two looks at the length of the output.
const TURN: usize = 2048;

/// Bytes of text that one byte of input can become: `\xNN`. No rune takes more for a byte of its
/// own: six for two (`\u0080`), ten for four (`\U0010ffff`).
const WIDEST: usize = 4;

/// Bytes which a turn may use beyond [`TURN`]: its last chunk and the rune at the end of that.
const OVERRUN: usize = CHUNK + 3;

/// Room for a chunk of which each byte is [`WIDEST`], written four bytes at a time at any place.
const CHUNK_ROOM: usize = CHUNK * WIDEST + WIDEST - 1;

/// The text of each byte that stands alone: low four bytes the text, highest byte its length.
static TEXT_OF: [u64; 256] = texts();

/// Appends `bytes` to `out` as Go's `strconv.Quote` prints them, with the double quotes.
///
/// Bytes that are not UTF-8 become `\xNN` each, unprintable runes `\uNNNN` or `\UNNNNNNNN`, control
/// bytes their short escape (`\n`) or `\xNN`; all else is copied. The text is always valid UTF-8.
pub fn quote_into(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(
        bytes
            .len()
            .saturating_add(bytes.len() / 4)
            .saturating_add(2),
    );
    out.push(b'"');
    let mut rest = bytes;
    while !rest.is_empty() {
        let start = out.len();
        let most = rest.len().min(TURN + OVERRUN) * WIDEST;
        out.resize(start + most + CHUNK_ROOM, 0);
        let mut text = Text {
            window: out.get_mut(start..).unwrap_or_default(),
            len: 0,
        };
        let used = quote_turn(rest, &mut text);
        let written = text.len;
        out.truncate(start + written);
        rest = rest.get(used..).unwrap_or_default();
    }
    out.push(b'"');
}

/// Whether Go's `strconv.IsPrint` holds for the code point `c` (Unicode 15.0, Go 1.21 to 1.26).
/// False for surrogates and for all above 0x10FFFF.
#[must_use]
pub fn is_print(c: u32) -> bool {
    let low = usize::from(c.to_le_bytes()[0]);
    let block = usize::try_from(c >> 8)
        .ok()
        .and_then(|high| table::BLOCK_OF.get(high))
        .and_then(|&block| table::BLOCKS.get(usize::from(block)));
    block
        .and_then(|words| words.get(low / 64))
        .is_some_and(|word| word >> (low % 64) & 1 == 1)
}

/// The text of one turn: room made beforehand, of which `len` bytes are written.
struct Text<'a> {
    window: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    /// Writes `N` bytes at once, of which the first `len` count.
    #[inline(always)]
    fn put<const N: usize>(&mut self, text: &[u8; N], len: usize) {
        if let Some(room) = self
            .window
            .get_mut(self.len..)
            .and_then(<[u8]>::first_chunk_mut)
        {
            *room = *text;
        }
        self.len += len;
    }

    /// Writes a chunk of bytes that stand alone each.
    #[inline(always)]
    fn put_alone(&mut self, chunk: &[u8; CHUNK]) {
        let Some(room) = self
            .window
            .get_mut(self.len..)
            .and_then(<[u8]>::first_chunk_mut::<CHUNK_ROOM>)
        else {
            return;
        };
        let mut len = 0;
        for &byte in chunk {
            let [a, b, c, d, .., more] = text_of(byte).to_le_bytes();
            // The mask changes nothing (the 16th text starts at 60 or before): it shows the
            // compiler that the four bytes have room.
            let at = len % (CHUNK * WIDEST);
            if let Some(four) = room.get_mut(at..at + WIDEST) {
                four.copy_from_slice(&[a, b, c, d]);
            }
            len += usize::from(more);
        }
        self.len += len;
    }

    /// Writes a byte that stands alone: plain, escaped, or not UTF-8.
    #[inline(always)]
    fn put_byte(&mut self, byte: u8) {
        let [a, b, c, d, .., len] = text_of(byte).to_le_bytes();
        self.put(&[a, b, c, d], usize::from(len));
    }
}

/// Quotes [`TURN`] bytes or a few more, or all if there are fewer. Gives the bytes used, never 0.
fn quote_turn(bytes: &[u8], text: &mut Text<'_>) -> usize {
    let mut used = 0;
    while used < TURN {
        let rest = bytes.get(used..).unwrap_or_default();
        let (Some(chunk), Some(next)) = (rest.first_chunk::<CHUNK>(), following(rest)) else {
            return used + quote_last(rest, text);
        };
        if is_plain(chunk) {
            text.put(chunk, CHUNK);
            used += CHUNK;
        } else if has_no_rune(chunk, next) {
            text.put_alone(chunk);
            used += CHUNK;
        } else {
            used += quote_runes(rest, CHUNK, text);
        }
    }
    used
}

/// Quotes what is left when no whole chunk and a byte behind it are: at most [`CHUNK`] bytes, made
/// a chunk by spaces. Gives the bytes used.
fn quote_last(bytes: &[u8], text: &mut Text<'_>) -> usize {
    let mut padded = [b' '; CHUNK + 1];
    if let Some(room) = padded.get_mut(..bytes.len()) {
        room.copy_from_slice(bytes);
    }
    match (padded.first_chunk(), following(&padded)) {
        (Some(chunk), Some(next)) if has_no_rune(chunk, next) => {
            text.put_alone(chunk);
            text.len = text.len.saturating_sub(CHUNK.saturating_sub(bytes.len()));
            bytes.len()
        }
        _ => quote_runes(bytes, bytes.len(), text),
    }
}

/// Quotes `wanted` bytes, and the rest of the last rune. Gives the bytes used.
fn quote_runes(bytes: &[u8], wanted: usize, text: &mut Text<'_>) -> usize {
    let mut used = 0;
    while used < wanted {
        let rest = bytes.get(used..).unwrap_or_default();
        let Some(&first) = rest.first() else { break };
        used += match decode(rest) {
            Some(rune) => {
                quote_rune(rest, rune, text);
                rune.width
            }
            None => {
                text.put_byte(first);
                1
            }
        };
    }
    used
}

/// The chunk one byte further on.
#[inline(always)]
fn following(rest: &[u8]) -> Option<&[u8; CHUNK]> {
    rest.split_first()?.1.first_chunk()
}

/// Whether all bytes are ASCII that is printed as it is. Without a branch, so that it is compiled
/// to a few instructions for the whole chunk.
#[inline(always)]
fn is_plain(chunk: &[u8; CHUNK]) -> bool {
    chunk.iter().fold(true, |all, &byte| {
        all & (byte > 0x1f) & (byte < 0x7f) & (byte != b'"') & (byte != b'\\')
    })
}

/// Whether no byte that can begin a rune of several bytes is followed by one that can go on with
/// it. Then every byte stands alone: lengths and tags of protobuf above 0x7F mostly do.
#[inline(always)]
fn has_no_rune(chunk: &[u8; CHUNK], next: &[u8; CHUNK]) -> bool {
    !chunk.iter().zip(next).fold(false, |any, (&byte, &after)| {
        any | (byte.wrapping_sub(0xc2) < 0x33) & (after & 0xc0 == 0x80)
    })
}

/// A rune of two to four bytes.
#[derive(Clone, Copy)]
struct Rune {
    code: u32,
    width: usize,
}

/// The rune at the start of `bytes`, if it has several bytes and is valid UTF-8: shortest form, no
/// surrogate, not above 0x10FFFF.
#[inline(always)]
fn decode(bytes: &[u8]) -> Option<Rune> {
    let (&first, rest) = bytes.split_first()?;
    let follow = |at: usize| {
        let byte = *rest.get(at)?;
        (byte & 0xc0 == 0x80).then_some(u32::from(byte & 0x3f))
    };
    let lead = u32::from(first);
    let (code, least, width) = match first {
        0xc2..=0xdf => ((lead & 0x1f) << 6 | follow(0)?, 0x80, 2),
        0xe0..=0xef => {
            let code = (lead & 0x0f) << 12 | follow(0)? << 6 | follow(1)?;
            (code, 0x800, 3)
        }
        0xf0..=0xf4 => {
            let code = (lead & 0x07) << 18 | follow(0)? << 12 | follow(1)? << 6 | follow(2)?;
            (code, 0x1_0000, 4)
        }
        _ => return None,
    };
    let valid = code >= least && code <= 0x10_ffff && !(0xd800..=0xdfff).contains(&code);
    valid.then_some(Rune { code, width })
}

/// Writes a rune as it is, or its `\u` escape.
fn quote_rune(bytes: &[u8], rune: Rune, text: &mut Text<'_>) {
    if is_print(rune.code) {
        match bytes.first_chunk::<4>() {
            Some(four) => text.put(four, rune.width),
            None => {
                for &byte in bytes.iter().take(rune.width) {
                    text.put(&[byte], 1);
                }
            }
        }
        return;
    }
    let (letter, digits) = if rune.code < 0x1_0000 {
        (b'u', 4_u32)
    } else {
        (b'U', 8)
    };
    text.put(&[b'\\', letter], 2);
    for digit in (0..digits).rev() {
        let nibble = (rune.code >> (4 * digit)).to_le_bytes()[0] & 0x0f;
        text.put(&[hex(nibble)], 1);
    }
}

/// The lower-case hexadecimal digit of 0 to 15.
const fn hex(nibble: u8) -> u8 {
    if nibble < 10 {
        b'0' + nibble
    } else {
        b'a' + (nibble - 10)
    }
}

/// One entry of [`TEXT_OF`].
#[inline(always)]
fn text_of(byte: u8) -> u64 {
    TEXT_OF.get(usize::from(byte)).copied().unwrap_or_default()
}

/// All of [`TEXT_OF`].
const fn texts() -> [u64; 256] {
    let mut table = [0; 256];
    let mut rest = table.as_mut_slice();
    let mut byte = 0_u8;
    while let Some((entry, others)) = rest.split_first_mut() {
        *entry = text_alone(byte);
        rest = others;
        byte = byte.wrapping_add(1);
    }
    table
}

/// The text of a byte that stands alone.
const fn text_alone(byte: u8) -> u64 {
    let short = match byte {
        0x07 => b'a',
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x0b => b'v',
        b'"' | b'\\' => byte,
        b' '..=b'~' => return u64::from_le_bytes([byte, 0, 0, 0, 0, 0, 0, 1]),
        _ => {
            let (high, low) = (hex(byte >> 4), hex(byte & 0x0f));
            return u64::from_le_bytes([b'\\', b'x', high, low, 0, 0, 0, 4]);
        }
    };
    u64::from_le_bytes([b'\\', short, 0, 0, 0, 0, 0, 2])
}
