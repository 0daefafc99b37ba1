//! The protobuf wire format: the one reader of varints and fields. It borrows from the message and
//! never reads past its end.
//!
//! A [`Reader`] returns the fields of one message in the order of the bytes; it does not know their
//! types. Groups (wire types 3 and 4) are errors: neither etcd nor Kubernetes writes them. Upstream:
//! protobuf.dev/programming-guides/encoding.

/// Why bytes are not a protobuf message. Offsets are bytes from the start of the message read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The message ends within a field.
    #[error("cut off at byte {at}: {wanted} bytes needed, {left} left")]
    Cut {
        /// Where the missing bytes should begin.
        at: usize,
        /// How many were declared or needed.
        wanted: u64,
        /// How many bytes follow.
        left: usize,
    },
    /// A varint of more than 64 bits.
    #[error("a varint of more than 64 bits at byte {at}")]
    Varint {
        /// Where it begins.
        at: usize,
    },
    /// A wire type that does not exist (6, 7) or is obsolete (3, 4: groups).
    #[error("wire type {wire} at byte {at}")]
    WireType {
        /// Where the field begins.
        at: usize,
        /// The wire type.
        wire: u8,
    },
    /// A field number of 0 or beyond 2^29 - 1.
    #[error("field number {number} at byte {at}")]
    Number {
        /// Where the field begins.
        at: usize,
        /// The number.
        number: u64,
    },
    /// Messages nested deeper than the caller's limit.
    #[error("nested too deep")]
    Depth,
}

/// The content of one field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: a text, bytes, a message or a packed list.
    Bytes(&'a [u8]),
    /// Wire type 5.
    Fixed32(u32),
}

impl<'a> Content<'a> {
    /// The bytes of wire type 2.
    #[must_use]
    #[inline]
    pub fn bytes(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(b) => Some(b),
            _ => None,
        }
    }

    /// The number of the wire type.
    #[must_use]
    pub fn wire_type(self) -> u8 {
        match self {
            Self::Varint(_) => 0,
            Self::Fixed64(_) => 1,
            Self::Bytes(_) => 2,
            Self::Fixed32(_) => 5,
        }
    }
}

/// One field of a message.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    /// The field number, 1 to 2^29 - 1.
    pub number: u32,
    /// Where the field's tag begins, in bytes from the start of the message.
    pub start: usize,
    /// What it holds.
    pub content: Content<'a>,
}

/// A varint of at most ten bytes.
struct Varint {
    /// The lowest 64 bits.
    value: u64,
    /// Whether there are bits above these.
    overflows: bool,
}

/// Reads the fields of one message in the order of the bytes.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A reader of the whole of `data`.
    #[must_use]
    #[inline]
    pub fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// A reader of the fields from byte `at` on.
    #[must_use]
    #[inline]
    pub fn new_at(data: &'a [u8], at: usize) -> Self {
        Self { data, at }
    }

    /// Where the next field begins, in bytes from the start of the message.
    #[must_use]
    #[inline]
    pub fn position(&self) -> usize {
        self.at
    }

    /// Whether all bytes are read.
    #[inline]
    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.data.len()
    }

    /// The next field, or None at the end.
    ///
    /// # Errors
    /// The bytes are not a field; the reader must not be used further.
    #[inline]
    pub fn field(&mut self) -> Result<Option<Field<'a>>, WireError> {
        let (field, end) = match self.usual_field() {
            Some(usual) => usual,
            None => match self.any_field()? {
                Some(any) => any,
                None => return Ok(None),
            },
        };
        self.at = end;
        Ok(Some(field))
    }

    /// The fast path for nearly all fields: a field number below 2048, and a value below 128 or a length below 16384.
    /// None for all other fields.
    #[inline]
    fn usual_field(&self) -> Option<(Field<'a>, usize)> {
        let start = self.at;
        let rest = self.data.get(start..)?;
        let (tag, rest) = match rest {
            [tag @ 8..0x80, rest @ ..] => (u32::from(*tag), rest),
            [low, high @ 1..0x80, rest @ ..] if *low >= 0x80 => {
                (u32::from(low & 0x7f) | u32::from(*high) << 7, rest)
            }
            _ => return None,
        };
        let (value, rest) = match rest {
            [value @ ..0x80, rest @ ..] => (usize::from(*value), rest),
            [low, high @ 1..0x80, rest @ ..] if tag & 7 == 2 => {
                (usize::from(low & 0x7f) | usize::from(*high) << 7, rest)
            }
            _ => return None,
        };
        let (content, left) = match tag & 7 {
            2 => {
                let (content, rest) = rest.split_at_checked(value)?;
                (Content::Bytes(content), rest)
            }
            0 => (Content::Varint(value as u64), rest),
            _ => return None,
        };
        let field = Field {
            number: tag >> 3,
            start,
            content,
        };
        Some((field, self.data.len().saturating_sub(left.len())))
    }

    /// Any field and its end, or None at the end of the message. It takes a copy of the reader, so that the position of the
    /// caller's reader can stay in a register.
    #[inline(never)]
    fn any_field(mut self) -> Result<Option<(Field<'a>, usize)>, WireError> {
        let start = self.at;
        if start >= self.data.len() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let number = match u32::try_from(tag >> 3) {
            Ok(n) if n != 0 && n < 1 << 29 => n,
            _ => {
                return Err(WireError::Number {
                    at: start,
                    number: tag >> 3,
                });
            }
        };
        let content = match tag & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let len = self.varint()?;
                Content::Bytes(self.take(len)?)
            }
            5 => Content::Fixed32(u32::from_le_bytes(self.array()?)),
            wire => {
                return Err(WireError::WireType {
                    at: start,
                    wire: wire.to_le_bytes()[0],
                });
            }
        };
        let field = Field {
            number,
            start,
            content,
        };
        Ok(Some((field, self.at)))
    }

    /// A bare varint, as in a packed list; the caller checks for the end.
    ///
    /// # Errors
    /// It is cut off or has more than 64 bits.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, WireError> {
        if let Some(&byte) = self.data.get(self.at)
            && byte < 0x80
        {
            self.at = self.at.saturating_add(1);
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    #[inline(never)]
    fn long_varint(&mut self) -> Result<u64, WireError> {
        self.varint_inline()
    }

    /// The same as [`Self::varint`], inlined as a whole: for numbers that are mostly longer than one
    /// byte, such as revisions.
    ///
    /// # Errors
    /// As [`Self::varint`].
    #[inline]
    pub(crate) fn varint_inline(&mut self) -> Result<u64, WireError> {
        let start = self.at;
        let varint = self.any_varint()?;
        if varint.overflows {
            return Err(WireError::Varint { at: start });
        }
        Ok(varint.value)
    }

    /// A varint whose bits above 64 are dropped, as gogo's generated readers do.
    ///
    /// # Errors
    /// It is cut off or has more than ten bytes.
    #[inline]
    pub(crate) fn truncated_varint(&mut self) -> Result<u64, WireError> {
        self.any_varint().map(|varint| varint.value)
    }

    #[inline]
    fn any_varint(&mut self) -> Result<Varint, WireError> {
        let start = self.at;
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.data.get(self.at) else {
                return Err(WireError::Cut {
                    at: self.at,
                    wanted: 1,
                    left: 0,
                });
            };
            self.at = self.at.saturating_add(1);
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                // The tenth byte has room for one bit.
                let overflows = shift == 63 && byte > 1;
                return Ok(Varint { value, overflows });
            }
        }
        Err(WireError::Varint { at: start })
    }

    /// Eight bytes of a packed list of floats.
    ///
    /// # Errors
    /// They are cut off.
    pub fn fixed64(&mut self) -> Result<u64, WireError> {
        self.array().map(u64::from_le_bytes)
    }

    /// The next `len` bytes; the position stays if there are fewer.
    ///
    /// # Errors
    /// They are cut off.
    #[inline]
    pub(crate) fn take(&mut self, len: u64) -> Result<&'a [u8], WireError> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let cut = WireError::Cut {
            at: self.at,
            wanted: len,
            left: rest.len(),
        };
        let len = usize::try_from(len).map_err(|_| cut)?;
        let taken = rest.get(..len).ok_or(cut)?;
        self.at = self.at.saturating_add(len);
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let rest = self.data.get(self.at..).unwrap_or_default();
        let Some(bytes) = rest.first_chunk::<N>() else {
            return Err(WireError::Cut {
                at: self.at,
                wanted: N as u64,
                left: rest.len(),
            });
        };
        self.at = self.at.saturating_add(N);
        Ok(*bytes)
    }
}

/// Appends a field of wire type 2 to `out`.
pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, bytes: &[u8]) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Length of a varint in bytes.
pub(crate) fn varint_len(value: u64) -> usize {
    let bits = u64::BITS.saturating_sub(value.leading_zeros()).max(1);
    usize::try_from(bits.div_ceil(7)).unwrap_or(usize::MAX)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn all(data: &[u8]) -> Result<Vec<(u32, Content<'_>)>, WireError> {
        let mut reader = Reader::new(data);
        let mut out = Vec::new();
        while let Some(f) = reader.field()? {
            out.push((f.number, f.content));
        }
        Ok(out)
    }

    #[test]
    fn all_four_wire_types_are_read() {
        let data = b"\x08\x96\x01\x11\x01\0\0\0\0\0\0\0\x1a\x02hi\x25\x02\0\0\0";
        let want = vec![
            (1, Content::Varint(150)),
            (2, Content::Fixed64(1)),
            (3, Content::Bytes(b"hi")),
            (4, Content::Fixed32(2)),
        ];
        assert_eq!(all(data).unwrap(), want);
    }

    #[test]
    fn a_varint_has_64_bits_at_most() {
        let max = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(all(max).unwrap(), vec![(1, Content::Varint(u64::MAX))]);
        let more = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02";
        assert_eq!(all(more), Err(WireError::Varint { at: 1 }));
        let eleven = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(all(eleven), Err(WireError::Varint { at: 1 }));
    }

    #[test]
    fn a_truncated_varint_drops_the_bits_above_64() {
        let more = b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x03\x07";
        let mut reader = Reader::new(more);
        assert_eq!(reader.truncated_varint(), Ok(u64::MAX));
        assert_eq!(reader.position(), 10);
        let eleven = [0xff; 11];
        let error = Reader::new(&eleven).truncated_varint();
        assert_eq!(error, Err(WireError::Varint { at: 0 }));
        let cut = Reader::new(&eleven[..9]).truncated_varint();
        assert!(matches!(cut, Err(WireError::Cut { at: 9, .. })));
    }

    #[test]
    fn the_length_of_a_varint_is_what_is_put() {
        for bits in 0..=64 {
            let value = u64::MAX.checked_shr(bits).unwrap_or_default();
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(varint_len(value), out.len(), "{value}");
        }
    }

    #[test]
    fn a_length_past_the_end_is_cut_off_not_allocated() {
        let data = b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7fx";
        assert_eq!(
            all(data),
            Err(WireError::Cut {
                at: 10,
                wanted: i64::MAX as u64,
                left: 1
            })
        );
        assert_eq!(
            all(b"\x11\0\0"),
            Err(WireError::Cut {
                at: 1,
                wanted: 8,
                left: 2
            })
        );
        assert_eq!(
            all(b"\x08"),
            Err(WireError::Cut {
                at: 1,
                wanted: 1,
                left: 0
            })
        );
    }

    #[test]
    fn groups_and_impossible_tags_are_errors() {
        assert_eq!(all(b"\x0b"), Err(WireError::WireType { at: 0, wire: 3 }));
        assert_eq!(all(b"\x0c"), Err(WireError::WireType { at: 0, wire: 4 }));
        assert_eq!(all(b"\x0f"), Err(WireError::WireType { at: 0, wire: 7 }));
        assert_eq!(all(b"\x00"), Err(WireError::Number { at: 0, number: 0 }));
    }

    #[test]
    fn usual_fields_are_read_as_all_others() {
        let mut seed = 7_u64;
        for round in 0..20_000 {
            let mut data = [0_u8; 12];
            for byte in &mut data {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                *byte = seed.to_le_bytes()[5] & [0xff, 0x8f, 0x1f][round % 3];
            }
            let mut reader = Reader::new(&data);
            let told = reader.field().map(|f| f.map(|f| (f.number, f.content)));
            let slow = Reader::new(&data).any_field();
            let wanted = slow.map(|f| f.map(|(f, _)| (f.number, f.content)));
            assert_eq!(told, wanted);
            if let Ok(Some((_, end))) = slow {
                assert_eq!(reader.position(), end);
            }
        }
    }

    #[test]
    fn what_is_put_is_read_again() {
        let mut out = Vec::new();
        put_bytes(&mut out, 100, &[7; 300]);
        assert_eq!(all(&out).unwrap(), vec![(100, Content::Bytes(&[7; 300]))]);
    }
}
