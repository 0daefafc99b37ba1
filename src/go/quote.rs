//! Bytes as Go's `%q` prints them (`strconv.Quote`; upstream file `src/strconv/quote.go` of Go),
//! which is how etcd-dump-db shows keys and values.
//!
//! What Go calls printable is in `table.rs`, taken from Go itself: Rust's own tables follow another
//! version of Unicode, and one rune printed otherwise would make another line.
//!
//! One `dump-db` quotes the whole store of a cluster, so this code is written for speed. The bytes that
//! are not plain (one in eight of an object in protobuf) are found for 64 bytes at once, as the bits of
//! one word. The runs between them (of eleven bytes, on average) are copied in pieces of fixed length. A
//! piece may be longer than its run: the next text is written over the excess.

mod table;

/// Bytes looked at together: one for each bit of a word.
const BLOCK: usize = 64;

/// Bytes of a run copied at once; few runs are longer.
const PIECE: usize = 16;

/// Bytes of a run copied after its first piece: no run is longer than both.
const LONG_PIECE: usize = BLOCK - PIECE;

/// A block and the bytes after it that may be read with it: the excess of a piece, or the rest of a rune.
const WINDOW: usize = BLOCK + BLOCK;

/// Bytes of text that one byte of input can become: `\xNN`. No rune takes more for a byte of its
/// own: six for two (`\u0080`), ten for four (`\U0010ffff`).
const WIDEST: usize = 4;

/// Room for the text of a block, for the rune that goes beyond its end, and for the excess of pieces.
const BLOCK_ROOM: usize = (BLOCK + 3) * WIDEST + BLOCK;

/// Bytes of text after which a turn ends and the next one makes room: few enough to stay in the nearest cache.
const TURN: usize = 4096;

/// The text of each byte that is not part of a longer rune: the text in the low four bytes, its length in the highest
/// byte.
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
            .saturating_add(BLOCK_ROOM),
    );
    out.push(b'"');
    let mut rest = bytes;
    // Each turn makes room at the end of `out`, writes at most about `TURN` bytes there, and cuts off the unused room.
    while !rest.is_empty() {
        let start = out.len();
        let most = rest.len().saturating_mul(WIDEST).min(TURN);
        out.resize(start + most + BLOCK_ROOM, 0);
        let mut text = Text {
            window: out.get_mut(start..).unwrap_or_default(),
            len: 0,
        };
        let used = if rest.len() < WINDOW {
            quote_last(rest, &mut text)
        } else {
            quote_blocks(rest, rest.len(), &mut text)
        };
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

/// Text to be written: room made beforehand, of which `len` bytes are written.
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
}

/// [`Text`] for one block: the compiler knows how much room there is, which makes it quicker.
struct BlockText<'a> {
    room: &'a mut [u8; BLOCK_ROOM],
    len: usize,
}

impl BlockText<'_> {
    /// Copies the bytes of the block from `from` to before `until`. One or two pieces of fixed length are copied,
    /// because that is faster; only the length that is asked for counts.
    #[inline(always)]
    fn put_run(&mut self, window: &[u8; WINDOW], from: usize, until: usize) {
        let (second, to) = (from + PIECE, self.len + PIECE);
        if let (Some(piece), Some(room)) =
            (window.get(from..second), self.room.get_mut(self.len..to))
        {
            room.copy_from_slice(piece);
        }
        if until > second
            && let (Some(piece), Some(room)) = (
                window.get(second..second + LONG_PIECE),
                self.room.get_mut(to..to + LONG_PIECE),
            )
        {
            room.copy_from_slice(piece);
        }
        self.len += until - from;
    }

    /// Writes a byte that is not part of a longer rune: plain, escaped, or not UTF-8.
    #[inline(always)]
    fn put_byte(&mut self, byte: u8) {
        let [a, b, c, d, .., len] = text_of(byte).to_le_bytes();
        if let Some(room) = self.room.get_mut(self.len..self.len + WIDEST) {
            room.copy_from_slice(&[a, b, c, d]);
        }
        self.len += usize::from(len);
    }

    /// Writes the rune that `bytes` begin with.
    fn put_rune(&mut self, bytes: &[u8], rune: Rune) {
        let mut text = Text {
            window: self.room,
            len: self.len,
        };
        quote_rune(bytes, rune, &mut text);
        self.len = text.len;
    }
}

/// Quotes blocks until `wanted` bytes or more are used, less than a window is left, or this turn's room is
/// used up. Returns how many bytes were used.
fn quote_blocks(bytes: &[u8], wanted: usize, text: &mut Text<'_>) -> usize {
    let mut used = 0;
    while used < wanted && text.len < TURN {
        let rest = bytes.get(used..).unwrap_or_default();
        let Some(window) = rest.first_chunk() else {
            break;
        };
        used += quote_block(window, text);
    }
    used
}

/// Quotes the last bytes, which are fewer than a window. Spaces are added to fill whole windows: a space
/// cannot continue a rune, and its text is one byte, so the text of the spaces can be cut off by their
/// number. Returns how many bytes were used, without the spaces.
fn quote_last(bytes: &[u8], text: &mut Text<'_>) -> usize {
    let mut padded = [b' '; 2 * WINDOW];
    if let Some(room) = padded.get_mut(..bytes.len()) {
        room.copy_from_slice(bytes);
    }
    let used = quote_blocks(&padded, bytes.len(), text);
    text.len = text.len.saturating_sub(used.saturating_sub(bytes.len()));
    bytes.len()
}

/// Quotes [`BLOCK`] bytes, and the rest of the last rune. Returns how many bytes were used.
#[inline(always)]
fn quote_block(window: &[u8; WINDOW], text: &mut Text<'_>) -> usize {
    let (block, _) = window.split_at(BLOCK);
    // The bytes that are not plain and not yet quoted.
    let mut special = special_bytes(block);
    let Some(room) = text
        .window
        .get_mut(text.len..)
        .and_then(<[u8]>::first_chunk_mut)
    else {
        return BLOCK;
    };
    let mut quoted = BlockText { room, len: 0 };
    let mut done = 0;
    while special != 0 {
        let at = special.trailing_zeros() as usize;
        quoted.put_run(window, done, at);
        let rest = window.get(at..).unwrap_or_default();
        let &[byte, after, ..] = rest else { break };
        if may_be_rune(byte, after)
            && let Some(rune) = decode(rest)
        {
            quoted.put_rune(rest, rune);
            done = at + rune.width;
            special &= bits_from(done);
        } else {
            quoted.put_byte(byte);
            done = at + 1;
            // Clears the lowest bit that is set.
            special &= special - 1;
        }
    }
    if done < BLOCK {
        quoted.put_run(window, done, BLOCK);
        done = BLOCK;
    }
    text.len += quoted.len;
    done
}

/// Whether a byte can begin a rune of several bytes, and the byte after it can be its second one.
#[inline(always)]
fn may_be_rune(byte: u8, after: u8) -> bool {
    (byte >= 0xc2) & (after & 0xc0 == 0x80)
}

/// A word with the bits for the bytes of a block from `at` on; 0 if `at` is after the block.
fn bits_from(at: usize) -> u64 {
    u32::try_from(at)
        .ok()
        .and_then(|at| u64::MAX.checked_shl(at))
        .unwrap_or(0)
}

/// The bytes of a block that are not printed as they are (all but plain ASCII): one bit for each, lowest
/// bit first.
///
/// The comparisons are without a branch, so that they are compiled to a few instructions for 16
/// bytes. The multiplication moves the highest bits of eight bytes together into the highest byte. No two
/// of its partial products have a bit in common, so nothing is carried.
#[inline(always)]
fn special_bytes(block: &[u8]) -> u64 {
    let mut flags = [0_u8; BLOCK];
    for (flag, &byte) in flags.iter_mut().zip(block) {
        let plain = (byte > 0x1f) & (byte < 0x7f) & (byte != b'"') & (byte != b'\\');
        *flag = if plain { 0 } else { 0xff };
    }
    let (words, _) = flags.as_chunks();
    let mut bits = [0_u8; BLOCK / 8];
    for (eight, word) in bits.iter_mut().zip(words) {
        let highest = u64::from_le_bytes(*word) & 0x8080_8080_8080_8080;
        let [.., together] = highest.wrapping_mul(0x0002_0408_1020_4081).to_le_bytes();
        *eight = together;
    }
    u64::from_le_bytes(bits)
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
    // `least` is the smallest code point that needs this width: a smaller one is not in its shortest form.
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

/// Writes the rune that `bytes` begin with: as it is if Go prints it, else its `\u` or `\U` escape.
fn quote_rune(bytes: &[u8], rune: Rune, text: &mut Text<'_>) {
    if is_print(rune.code) {
        match bytes.first_chunk::<4>() {
            // Four bytes are copied at once; only the rune's own count.
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

/// The text of a byte that is not part of a longer rune, as an entry of [`TEXT_OF`]. `short` is the letter of Go's
/// short escapes, such as `\n`.
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
