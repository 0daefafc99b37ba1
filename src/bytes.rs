//! Bounds-checked reads. An error has the absolute offset and the name of the field.
//!
//! **Invariant:** the bytes of a structure are read only through this module. Offsets are `u64` or checked
//! `usize`; a number is compared with the length of the data before it is cast to a smaller type.

use std::fmt;

/// Byte order of the machine that wrote the file. bbolt writes its structures as they are in memory
/// (`internal/common/page.go`), so an s390x file is big endian. etcd's own integers are always big endian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteOrder {
    /// amd64, arm64, ppc64le, riscv64.
    Little,
    /// s390x.
    Big,
}

/// A read beyond the end of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfBounds {
    /// The format's name for the field.
    pub what: &'static str,
    /// Absolute offset in the file at which the field starts.
    pub offset: u64,
    /// Length of the field in bytes.
    pub need_bytes: u64,
    /// How many bytes exist from `offset` on.
    pub have_bytes: u64,
}

impl fmt::Display for OutOfBounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} at offset {} needs {} bytes, {} are there",
            self.what, self.offset, self.need_bytes, self.have_bytes
        )
    }
}

/// A run of bytes with its position in the file.
#[derive(Debug, Clone, Copy)]
pub struct Span<'a> {
    bytes: &'a [u8],
    offset: u64,
    order: ByteOrder,
}

impl<'a> Span<'a> {
    /// `bytes` start at the absolute `offset` of the file.
    pub fn new(bytes: &'a [u8], offset: u64, order: ByteOrder) -> Self {
        Self {
            bytes,
            offset,
            order,
        }
    }

    /// All bytes of the span.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Absolute offset of the first byte.
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Byte order in which the integers are read.
    pub fn order(&self) -> ByteOrder {
        self.order
    }

    /// Length in bytes.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// `len` bytes from the relative offset `at`.
    ///
    /// # Errors
    /// [`OutOfBounds`] when the span ends before them.
    #[inline]
    pub fn get(&self, at: usize, len: usize, what: &'static str) -> Result<&'a [u8], OutOfBounds> {
        self.bytes
            .get(at..)
            .and_then(|tail| tail.get(..len))
            .ok_or_else(|| self.out_of_bounds(at, len, what))
    }

    #[cold]
    fn out_of_bounds(&self, at: usize, len: usize, what: &'static str) -> OutOfBounds {
        OutOfBounds {
            what,
            offset: self.offset.saturating_add(at as u64),
            need_bytes: len as u64,
            have_bytes: self.bytes.len().saturating_sub(at) as u64,
        }
    }

    #[inline]
    fn array<const N: usize>(&self, at: usize, what: &'static str) -> Result<[u8; N], OutOfBounds> {
        self.bytes
            .get(at..)
            .and_then(|tail| tail.first_chunk::<N>())
            .copied()
            .ok_or_else(|| self.out_of_bounds(at, N, what))
    }

    /// The 2-byte integer at `at`.
    ///
    /// # Errors
    /// [`OutOfBounds`] when the span ends before it.
    #[inline]
    pub fn u16(&self, at: usize, what: &'static str) -> Result<u16, OutOfBounds> {
        let raw = self.array(at, what)?;
        Ok(match self.order {
            ByteOrder::Little => u16::from_le_bytes(raw),
            ByteOrder::Big => u16::from_be_bytes(raw),
        })
    }

    /// The 4-byte integer at `at`.
    ///
    /// # Errors
    /// [`OutOfBounds`] when the span ends before it.
    #[inline]
    pub fn u32(&self, at: usize, what: &'static str) -> Result<u32, OutOfBounds> {
        let raw = self.array(at, what)?;
        Ok(match self.order {
            ByteOrder::Little => u32::from_le_bytes(raw),
            ByteOrder::Big => u32::from_be_bytes(raw),
        })
    }

    /// The 8-byte integer at `at`.
    ///
    /// # Errors
    /// [`OutOfBounds`] when the span ends before it.
    #[inline]
    pub fn u64(&self, at: usize, what: &'static str) -> Result<u64, OutOfBounds> {
        let raw = self.array(at, what)?;
        Ok(match self.order {
            ByteOrder::Little => u64::from_le_bytes(raw),
            ByteOrder::Big => u64::from_be_bytes(raw),
        })
    }
}

/// Where a part of a text begins in it. None if it is not a part of it.
fn place_of(part: &[u8], text: &[u8]) -> Option<usize> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    (end <= text.len()).then_some(start)
}

/// The part of a text that is at the same place as `part` in a copy of it. None if `part` is not in the copy.
#[must_use]
pub fn same_part<'a>(part: &[u8], copy: &[u8], text: &'a [u8]) -> Option<&'a [u8]> {
    if part.is_empty() {
        return Some(&[]);
    }
    let start = place_of(part, copy)?;
    text.get(start..start.checked_add(part.len())?)
}

/// The part of a text from the start of one of its parts to the end of another. None if these are not parts of it, in
/// this order.
#[must_use]
pub fn from_to<'a>(first: &[u8], last: &[u8], text: &'a [u8]) -> Option<&'a [u8]> {
    let start = place_of(first, text)?;
    text.get(start..place_of(last, text)?.checked_add(last.len())?)
}

/// The first `len` bytes of a buffer, which grows if it is shorter.
pub fn room(buffer: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if buffer.len() < len {
        buffer.resize(len, 0);
    }
    buffer.get_mut(..len).unwrap_or_default()
}

/// The big-endian u64 that starts at `at`: all of etcd's own integers.
#[inline]
pub fn u64_be(bytes: &[u8], at: usize) -> Option<u64> {
    bytes
        .get(at..)?
        .first_chunk::<8>()
        .map(|raw| u64::from_be_bytes(*raw))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_part_of_a_text_is_found_in_its_copy() {
        let (text, copy) = (b"key and value".to_vec(), b"KEY AND VALUE".to_vec());
        let (key, value) = (&text[..3], &text[8..]);
        assert_eq!(same_part(value, &text, &copy), Some(&b"VALUE"[..]));
        assert_eq!(same_part(b"", &text, &copy), Some(&b""[..]));
        assert_eq!(same_part(&copy[1..], &text, &copy), None);
        assert_eq!(same_part(value, &text, &copy[..10]), None);
        assert_eq!(from_to(key, value, &text), Some(&text[..]));
        assert_eq!(from_to(value, value, &text), Some(value));
        assert_eq!(from_to(value, key, &text), None);
        assert_eq!(from_to(key, &copy[8..], &text), None);
    }

    #[test]
    fn an_integer_is_read_in_the_order_of_its_writer() {
        let raw = [1, 2, 3, 4, 5, 6, 7, 8];
        let little = Span::new(&raw, 0, ByteOrder::Little);
        let big = Span::new(&raw, 0, ByteOrder::Big);
        assert_eq!(little.u16(0, "x").unwrap(), 0x0201);
        assert_eq!(big.u16(0, "x").unwrap(), 0x0102);
        assert_eq!(little.u32(4, "x").unwrap(), 0x0807_0605);
        assert_eq!(big.u64(0, "x").unwrap(), 0x0102_0304_0506_0708);
        assert_eq!(u64_be(&raw, 0), Some(0x0102_0304_0506_0708));
        assert_eq!(u64_be(&raw, 1), None);
    }

    #[test]
    fn a_read_past_the_end_says_where_and_how_much() {
        let span = Span::new(&[0; 10], 4096, ByteOrder::Little);
        let missing = span.u32(8, "element pos").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "element pos at offset 4104 needs 4 bytes, 2 are there"
        );
        assert!(span.get(usize::MAX, usize::MAX, "key").is_err());
        assert!(span.get(11, 0, "key").is_err());
        assert_eq!(span.get(10, 0, "key").unwrap(), b"");
    }
}
