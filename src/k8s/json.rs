//! Parses JSON onto a [`Tape`]. The grammar is RFC 8259 as Go's encoding/json reads it: bytes that are not UTF-8 are
//! accepted (they become U+FFFD on output), and nesting is limited.

use super::tape::{MAX_NESTING, Node, Tape, pos};
use super::words;

mod verbatim;

pub(super) use verbatim::is_written_by_go;

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The text does not follow the grammar.
    #[error("not JSON at byte {at}: {wanted} expected")]
    Syntax {
        /// Offset in bytes.
        at: usize,
        /// What the grammar requires here.
        wanted: &'static str,
    },
    /// Nested too deeply.
    #[error("JSON nested deeper than {MAX_NESTING} at byte {at}")]
    Depth {
        /// Offset in bytes.
        at: usize,
    },
}

/// Parses a whole document.
pub(super) fn parse(source: &[u8], tape: &mut Tape) -> Result<(), JsonError> {
    tape.start(source.len());
    let mut parser = Parser {
        source,
        at: 0,
        tape,
    };
    parser.value(0)?;
    parser.skip_space();
    if parser.at < source.len() {
        Err(parser.wanted("the end"))
    } else {
        Ok(())
    }
}

struct Parser<'p> {
    source: &'p [u8],
    at: usize,
    tape: &'p mut Tape,
}

impl Parser<'_> {
    fn wanted(&self, wanted: &'static str) -> JsonError {
        JsonError::Syntax {
            at: self.at,
            wanted,
        }
    }

    fn peek(&self) -> Option<u8> {
        self.source.get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn skip_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.step();
        }
    }

    /// Parses one value.
    fn value(&mut self, depth: usize) -> Result<(), JsonError> {
        self.skip_space();
        match self.peek() {
            Some(b'{') => self.map(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true", Node::Bool(true)),
            Some(b'f') => self.word(b"false", Node::Bool(false)),
            Some(b'n') => self.word(b"null", Node::Null),
            _ => Err(self.wanted("a value")),
        }
    }

    /// Parses `true`, `false` or `null`.
    fn word(&mut self, word: &[u8], node: Node) -> Result<(), JsonError> {
        let rest = self.source.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.wanted("a value"));
        }
        self.at = self.at.saturating_add(word.len());
        self.tape.nodes.push(node);
        Ok(())
    }

    /// Consumes an opening bracket and adds its node.
    fn open(&mut self, depth: usize, node: fn(u32) -> Node) -> Result<usize, JsonError> {
        if depth >= MAX_NESTING {
            return Err(JsonError::Depth { at: self.at });
        }
        self.step();
        Ok(self.tape.open(node))
    }

    fn map(&mut self, depth: usize) -> Result<(), JsonError> {
        let open = self.open(depth, Node::Map)?;
        self.skip_space();
        if self.peek() == Some(b'}') {
            self.step();
        } else {
            loop {
                self.skip_space();
                if self.peek() != Some(b'"') {
                    return Err(self.wanted("a key"));
                }
                self.string()?;
                self.skip_space();
                if self.peek() != Some(b':') {
                    return Err(self.wanted("a colon"));
                }
                self.step();
                self.value(depth.saturating_add(1))?;
                if self.is_last(b'}', "a comma or }")? {
                    break;
                }
            }
        }
        self.tape.close(open, Node::Map);
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<(), JsonError> {
        let open = self.open(depth, Node::List)?;
        self.skip_space();
        if self.peek() == Some(b']') {
            self.step();
        } else {
            loop {
                self.value(depth.saturating_add(1))?;
                if self.is_last(b']', "a comma or ]")? {
                    break;
                }
            }
        }
        self.tape.close(open, Node::List);
        Ok(())
    }

    /// Consumes a comma or the closing bracket; returns whether it was the bracket.
    fn is_last(&mut self, end: u8, wanted: &'static str) -> Result<bool, JsonError> {
        self.skip_space();
        let next = self.peek();
        if next != Some(b',') && next != Some(end) {
            return Err(self.wanted(wanted));
        }
        self.step();
        Ok(next == Some(end))
    }

    fn number(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.step();
        }
        if self.peek() == Some(b'0') {
            self.step();
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.step();
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        self.tape.nodes.push(Node::Number(pos(start), pos(self.at)));
        Ok(())
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        if self.at == start {
            Err(self.wanted("a digit"))
        } else {
            Ok(())
        }
    }

    /// Parses a text. Without escapes its node is a range of the source.
    fn string(&mut self) -> Result<(), JsonError> {
        self.step();
        let start = self.at;
        self.skip_plain();
        match self.peek() {
            Some(b'"') => {
                self.tape.nodes.push(Node::Text(pos(start), pos(self.at)));
                self.step();
                Ok(())
            }
            Some(b'\\') => self.escaped_string(start),
            _ => Err(self.wanted("a closing quote")),
        }
    }

    /// Skips to the next quote, backslash or control character.
    fn skip_plain(&mut self) {
        let rest = self.source.get(self.at..).unwrap_or_default();
        let plain = words::position(rest, |word| {
            words::control(word) | words::equal(word, b'"') | words::equal(word, b'\\')
        });
        self.at = self.at.saturating_add(plain.unwrap_or(rest.len()));
    }

    /// Parses a text with escapes into the tape. `start` is the offset after its quote.
    fn escaped_string(&mut self, start: usize) -> Result<(), JsonError> {
        let begin = self.tape.owned.len();
        let mut plain = start;
        loop {
            self.skip_plain();
            let part = self.source.get(plain..self.at).unwrap_or_default();
            self.tape.owned.extend_from_slice(part);
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                _ => return Err(self.wanted("a closing quote")),
            }
            plain = self.at;
        }
        self.step();
        self.tape
            .nodes
            .push(Node::Owned(pos(begin), pos(self.tape.owned.len())));
        Ok(())
    }

    /// Parses one escape sequence.
    fn escape(&mut self) -> Result<(), JsonError> {
        self.step();
        let c = match self.peek() {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.wanted("an escape")),
        };
        self.step();
        self.push(c);
        Ok(())
    }

    fn push(&mut self, c: char) {
        self.tape
            .owned
            .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }

    /// Reads a `\u` escape. An unpaired surrogate becomes U+FFFD, as in Go.
    fn unicode_escape(&mut self) -> Result<(), JsonError> {
        self.step();
        let first = self.hex4().ok_or(self.wanted("four hex digits"))?;
        self.at = self.at.saturating_add(4);
        if (0xd800..0xdc00).contains(&first)
            && self
                .source
                .get(self.at..)
                .is_some_and(|r| r.starts_with(b"\\u"))
        {
            let after = self.at;
            self.at = self.at.saturating_add(2);
            let second = self.hex4().ok_or(self.wanted("four hex digits"))?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
                self.at = self.at.saturating_add(4);
                self.push(char::from_u32(code).unwrap_or('\u{fffd}'));
                return Ok(());
            }
            self.at = after;
        }
        self.push(char::from_u32(first).unwrap_or('\u{fffd}'));
        Ok(())
    }

    fn hex4(&self) -> Option<u32> {
        let digits = self.source.get(self.at..)?.first_chunk::<4>()?;
        digits
            .iter()
            .try_fold(0, |n, &d| Some(n << 4 | char::from(d).to_digit(16)?))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::k8s::{Order, TreeSink};

    fn decoded(text: &[u8], order: Order) -> Result<String, JsonError> {
        let mut tape = Tape::default();
        parse(text, &mut tape)?;
        let mut sink = TreeSink::new();
        tape.replay(text, order, false, &mut sink);
        Ok(sink.into_value().to_string())
    }

    #[test]
    fn json_is_replayed_in_the_order_asked_for() {
        let text = br#" { "b" : [1, -2.5e1, 18446744073709551615, true, null], "a10":{}, "a2":"x\u00e9\ud83d\ude00\ud800\n", "a2": 7 } "#;
        assert_eq!(
            decoded(text, Order::Sorted).unwrap(),
            r#"{"a10":{},"a2":7,"b":[1,-25.0,18446744073709551615,true,null]}"#
        );
        assert_eq!(
            decoded(text, Order::Natural).unwrap(),
            r#"{"a2":7,"a10":{},"b":[1,-25.0,18446744073709551615,true,null]}"#
        );
        let text = br#"{"k":"x\u00e9\ud83d\ude00\ud800\n"}"#;
        assert_eq!(
            decoded(text, Order::Declared).unwrap(),
            "{\"k\":\"x\u{e9}\u{1f600}\u{fffd}\\n\"}"
        );
        assert_eq!(
            decoded(b"\"a\xff\xfeb\"", Order::Declared).unwrap(),
            "\"a\u{fffd}\u{fffd}b\""
        );
    }

    #[test]
    fn invalid_json_is_refused_with_its_offset() {
        let bad: [&[u8]; 14] = [
            b"",
            b"{",
            b"{\"a\"}",
            b"[1,]",
            b"{\"a\":1,}",
            b"01",
            b"1.",
            b"-",
            b"1e",
            b"\"\x01\"",
            b"\"\\x\"",
            b"\"\\u12\"",
            b"nul",
            b"1 2",
        ];
        for text in bad {
            assert!(
                decoded(text, Order::Declared).is_err(),
                "{}",
                text.escape_ascii()
            );
        }
        assert_eq!(
            decoded(b"[1 2]", Order::Declared),
            Err(JsonError::Syntax {
                at: 3,
                wanted: "a comma or ]"
            })
        );
    }

    #[test]
    fn nesting_is_limited() {
        let text = [vec![b'['; MAX_NESTING], vec![b']'; MAX_NESTING]].concat();
        assert!(decoded(&text, Order::Natural).is_ok());
        assert_eq!(
            decoded(&vec![b'['; 10_000], Order::Natural),
            Err(JsonError::Depth { at: MAX_NESTING })
        );
    }
}
