//! Parses CBOR (RFC 8949) onto a [`Tape`], in the form in which the API server writes it: the value starts with tag
//! 55799 (self-described CBOR), texts are byte strings, and binary data has a tag for its text form (21 base64url, 22
//! base64, 23 hex).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::tape::{MAX_NESTING, Node, Tape, pos};

/// The bytes of tag 55799, with which every stored CBOR value starts.
pub(super) const SELF_DESCRIBED: &[u8] = &[0xd9, 0xd9, 0xf7];

/// Why bytes are not CBOR as an API server stores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CborError {
    /// The bytes do not follow the grammar.
    #[error("not CBOR at byte {at}: {wanted} expected")]
    Syntax {
        /// Offset in bytes.
        at: usize,
        /// What the grammar requires here.
        wanted: &'static str,
    },
    /// Nested too deeply.
    #[error("CBOR nested deeper than {MAX_NESTING} at byte {at}")]
    Depth {
        /// Offset in bytes.
        at: usize,
    },
}

/// Parses a whole document.
pub(super) fn parse(source: &[u8], tape: &mut Tape) -> Result<(), CborError> {
    tape.start(source.len());
    let mut parser = Parser {
        source,
        at: 0,
        tape,
    };
    parser.value(0)?;
    if parser.at < source.len() {
        Err(parser.wanted("the end"))
    } else {
        Ok(())
    }
}

/// The text form of a byte string.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    Text,
    Base64Url,
    Base64,
    Hex,
}

/// The first bytes of an item: its major type, and its argument (None for an indefinite length).
struct Head {
    major: u8,
    info: u8,
    argument: Option<u64>,
}

struct Parser<'p> {
    source: &'p [u8],
    at: usize,
    tape: &'p mut Tape,
}

impl Parser<'_> {
    fn wanted(&self, wanted: &'static str) -> CborError {
        CborError::Syntax {
            at: self.at,
            wanted,
        }
    }

    /// Consumes `len` bytes and returns their range.
    fn take(&mut self, len: u64) -> Result<(usize, usize), CborError> {
        let start = self.at;
        let end = usize::try_from(len)
            .ok()
            .and_then(|len| start.checked_add(len));
        match end.filter(|end| *end <= self.source.len()) {
            Some(end) => {
                self.at = end;
                Ok((start, end))
            }
            None => Err(self.wanted("more bytes")),
        }
    }

    fn number(&mut self, len: u64) -> Result<u64, CborError> {
        let (start, end) = self.take(len)?;
        let bytes = self.source.get(start..end).unwrap_or_default();
        Ok(bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b)))
    }

    /// Reads the head of an item.
    fn head(&mut self) -> Result<Head, CborError> {
        let byte = self
            .source
            .get(self.at)
            .copied()
            .ok_or(self.wanted("an item"))?;
        self.at = self.at.saturating_add(1);
        let (major, info) = (byte >> 5, byte & 31);
        let argument = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => Some(self.number(1 << (info - 24))?),
            31 => None,
            _ => return Err(self.wanted("a known length")),
        };
        Ok(Head {
            major,
            info,
            argument,
        })
    }

    /// Parses one item.
    fn value(&mut self, depth: usize) -> Result<(), CborError> {
        let (head, form) = self.untagged()?;
        let at = self.at;
        let integer = head.argument.ok_or(CborError::Syntax {
            at,
            wanted: "a definite number",
        });
        match head.major {
            0 => {
                let n = integer?;
                self.tape
                    .nodes
                    .push(i64::try_from(n).map_or(Node::Uint(n), Node::Int));
            }
            1 => {
                let n = i64::try_from(integer?).map_err(|_| self.wanted("an int64"))?;
                self.tape.nodes.push(Node::Int(-1 - n));
            }
            2 | 3 => self.string(head, form)?,
            4 | 5 => self.container(head, depth)?,
            _ => self.simple(&head)?,
        }
        Ok(())
    }

    /// Reads the head of the next item after its tags. Tags other than those for a text form are ignored.
    fn untagged(&mut self) -> Result<(Head, Form), CborError> {
        let mut form = Form::Text;
        loop {
            let head = self.head()?;
            match (head.major, head.argument) {
                (6, Some(21)) => form = Form::Base64Url,
                (6, Some(22)) => form = Form::Base64,
                (6, Some(23)) => form = Form::Hex,
                (6, Some(_)) => {}
                (6, None) => return Err(self.wanted("a tag")),
                _ => return Ok((head, form)),
            }
        }
    }

    /// Parses a text or a byte string.
    fn string(&mut self, head: Head, form: Form) -> Result<(), CborError> {
        let Some(len) = head.argument else {
            return self.chunks(head.major);
        };
        let (start, end) = self.take(len)?;
        let bytes = self.source.get(start..end).unwrap_or_default();
        let node = match form {
            Form::Text if std::str::from_utf8(bytes).is_ok() => Node::Text(pos(start), pos(end)),
            Form::Text | Form::Base64 => Node::Base64(pos(start), pos(end)),
            Form::Base64Url => self.own(URL_SAFE_NO_PAD.encode(bytes).as_bytes()),
            Form::Hex => {
                let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
                self.own(hex.as_bytes())
            }
        };
        self.tape.nodes.push(node);
        Ok(())
    }

    /// Stores a text on the tape.
    fn own(&mut self, text: &[u8]) -> Node {
        let start = self.tape.owned.len();
        self.tape.owned.extend_from_slice(text);
        Node::Owned(pos(start), pos(self.tape.owned.len()))
    }

    /// A string of indefinite length: chunks of the same major type until the break byte.
    fn chunks(&mut self, major: u8) -> Result<(), CborError> {
        let start = self.tape.owned.len();
        while !self.is_break() {
            let head = self.head()?;
            match head.argument {
                Some(len) if head.major == major => {
                    let (from, to) = self.take(len)?;
                    let piece = self.source.get(from..to).unwrap_or_default();
                    self.tape.owned.extend_from_slice(piece);
                }
                _ => return Err(self.wanted("a piece of a string")),
            }
        }
        self.tape
            .nodes
            .push(Node::Owned(pos(start), pos(self.tape.owned.len())));
        Ok(())
    }

    /// Whether the next byte is a break; if so, consumes it.
    fn is_break(&mut self) -> bool {
        let found = self.source.get(self.at) == Some(&0xff);
        self.at = self.at.saturating_add(usize::from(found));
        found
    }

    /// Parses a map or a list.
    fn container(&mut self, head: Head, depth: usize) -> Result<(), CborError> {
        if depth >= MAX_NESTING {
            return Err(CborError::Depth { at: self.at });
        }
        let node = if head.major == 5 {
            Node::Map
        } else {
            Node::List
        };
        let open = self.tape.open(node);
        let mut left = head.argument;
        // Every item takes at least one byte, so a count that is too large ends in an error at the end of the bytes.
        while match left {
            Some(n) => n > 0,
            None => !self.is_break(),
        } {
            if head.major == 5 {
                self.key()?;
            }
            self.value(depth.saturating_add(1))?;
            left = left.map(|n| n.saturating_sub(1));
        }
        self.tape.close(open, node);
        Ok(())
    }

    /// Parses the key of a map entry.
    fn key(&mut self) -> Result<(), CborError> {
        let (head, _) = self.untagged()?;
        if !matches!(head.major, 2 | 3) {
            return Err(self.wanted("a text as key"));
        }
        let Some(len) = head.argument else {
            return self.chunks(head.major);
        };
        let (start, end) = self.take(len)?;
        self.tape.nodes.push(Node::Text(pos(start), pos(end)));
        Ok(())
    }

    /// Parses a boolean, null or float.
    fn simple(&mut self, head: &Head) -> Result<(), CborError> {
        let bits = head.argument.ok_or(self.wanted("an item"))?;
        let node = match head.info {
            20 | 21 => Node::Bool(head.info == 21),
            22 | 23 => Node::Null,
            25 => Node::Float(half(bits)),
            26 => Node::Float(f64::from(f32::from_bits(
                u32::try_from(bits).unwrap_or_default(),
            ))),
            27 => Node::Float(f64::from_bits(bits)),
            _ => return Err(self.wanted("a known simple value")),
        };
        self.tape.nodes.push(node);
        Ok(())
    }
}

/// A 16-bit float: sign, 5 bits of exponent, 10 bits of fraction.
fn half(bits: u64) -> f64 {
    let fraction = u16::try_from(bits & 0x3ff).unwrap_or_default();
    let exponent = i32::try_from(bits >> 10 & 0x1f).unwrap_or_default();
    let size = match exponent {
        0 => f64::from(fraction) * 2_f64.powi(-24),
        31 if fraction == 0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1.0 + f64::from(fraction) / 1024.0) * 2_f64.powi(exponent.saturating_sub(15)),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::k8s::{Order, TreeSink};

    fn decoded(bytes: &[u8]) -> Result<String, CborError> {
        let mut tape = Tape::default();
        parse(bytes, &mut tape)?;
        let mut sink = TreeSink::new();
        tape.replay(bytes, Order::Sorted, false, &mut sink);
        Ok(sink.into_value().to_string())
    }

    #[test]
    fn byte_strings_are_texts_and_tagged_ones_are_encoded() {
        // 55799({'b': 1, 'a': [-2, true, null, 1.5_1, 22(h'ff'), h'ff', (_ 'x', 'y')]})
        let bytes = b"\xd9\xd9\xf7\xa2\x41b\x01\x41a\x87\x21\xf5\xf6\xf9\x3e\x00\xd6\x41\xff\x41\xff\x5f\x41x\x41y\xff";
        assert_eq!(
            decoded(bytes).unwrap(),
            r#"{"a":[-2,true,null,1.5,"/w==","/w==","xy"],"b":1}"#
        );
        assert_eq!(decoded(b"\xd7\x42\x01\xab").unwrap(), "\"01ab\"");
        assert_eq!(decoded(b"\xbf\x61k\x9f\xff\xff").unwrap(), r#"{"k":[]}"#);
        assert_eq!(
            decoded(b"\x1b\xff\xff\xff\xff\xff\xff\xff\xff").unwrap(),
            "18446744073709551615"
        );
    }

    #[test]
    fn counts_and_lengths_that_are_too_large_fail_at_the_end_of_the_bytes() {
        for bad in [
            &b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01"[..],
            b"\x5b\xff\xff\xff\xff\xff\xff\xff\xffx",
            b"\xa1\x01\x01",
            b"\xff",
            b"",
            b"\x1c",
            b"\x01\x01",
        ] {
            assert!(decoded(bad).is_err(), "{}", bad.escape_ascii());
        }
        assert_eq!(
            decoded(&[0x81; 10_000]),
            Err(CborError::Depth {
                at: MAX_NESTING + 1
            })
        );
    }
}
