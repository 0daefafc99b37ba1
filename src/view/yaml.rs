//! YAML as go-yaml v2 prints it after sigs.k8s.io/yaml's `JSONToYAML` (kubectl, auger), byte for
//! byte, and without a tree: what is told is printed at once.
//!
//! The layout follows `emitterc.go`: two spaces a level, lists not indented under their key,
//! `{}` and `[]` when empty, text folded at spaces after column 80, `|` for text with line feeds.
//! Which texts need quotes is decided in `resolve` and `scalar`, how they are written in
//! `emit`. The order of keys is the caller's affair ([`crate::k8s::order`]).
//!
//! It differs from the Go programs where these lose evidence: they read their own JSON as YAML, so
//! that U+0085 in a text becomes a space, and DEL, the C1 controls, U+FFFE, U+FFFF and keys of
//! more than 1024 characters are an error. Here all are printed, in the way in which go-yaml prints
//! a value that holds them. One thing is kept though it hurts: the key `<<` is not quoted, and
//! YAML 1.1 readers (go-yaml among them) take it for a merge.
//!
//! Indentation makes the output grow with the square of the nesting: who tells the values limits
//! their depth.

mod emit;
mod resolve;
mod scalar;

use std::io::{self, Write};

use self::emit::{Emitter, Indicator};
use super::json::append_base64;
use super::number;
use super::output::Output;
use crate::k8s::sink::Sink;

/// The longest key, in bytes, which stands before its colon on one line; longer ones and those
/// with line breaks take the form `? key`.
const SIMPLE_KEY_BYTES: usize = 128;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Map,
    List,
}

/// An open container and the indentation around it.
struct Frame {
    kind: Kind,
    outer: Option<usize>,
}

/// Writes each value told to it as one YAML document, ending in a line feed.
///
/// Between documents goes [`YamlWriter::separator`], as in kubectl's and auger's output. To
/// stream a `kind: List`, tell it as any other map: `begin_map`, `key("items")`, `begin_list`...
pub struct YamlWriter<W: Write> {
    output: Output<W>,
    emitter: Emitter,
    open: Vec<Frame>,
    /// A container just begun: whether it is empty decides how it is printed.
    pending: Option<Kind>,
    /// The last pending container is the value of a key.
    is_value: bool,
    scratch: Vec<u8>,
}

impl<W: Write> YamlWriter<W> {
    /// A writer at the start of its first document.
    pub fn new(destination: W) -> Self {
        Self {
            output: Output::new(destination),
            emitter: Emitter::default(),
            open: Vec::new(),
            pending: None,
            is_value: false,
            scratch: Vec::new(),
        }
    }

    /// Writes the line `---`; to be called between documents only.
    pub fn separator(&mut self) {
        self.output.buffer.extend_from_slice(b"---\n");
    }

    /// The first error of the destination, if any; nothing is written after it.
    pub fn error(&self) -> Option<&io::Error> {
        self.output.error()
    }

    /// Writes out what is left and gives back the destination.
    ///
    /// # Errors
    /// The first error of the destination.
    pub fn finish(self) -> io::Result<W> {
        self.output.finish()
    }

    /// A container that was begun has an element: it is not empty, open it.
    fn open_pending(&mut self) {
        let Some(kind) = self.pending.take() else {
            return;
        };
        let outer = self.emitter.indent;
        // A list under a key stays at the key's column; after "- " or ": " of a long key the
        // line is still indentation and the list moves in.
        let stays = kind == Kind::List && self.is_value && !self.emitter.indention;
        self.emitter.indent = match outer {
            None => Some(0),
            Some(_) if stays => outer,
            Some(columns) => Some(columns.saturating_add(emit::INDENT)),
        };
        self.open.push(Frame { kind, outer });
    }

    fn before_value(&mut self) {
        self.open_pending();
        let buffer = &mut self.output.buffer;
        match self.open.last() {
            None => self.emitter.begin_document(),
            Some(frame) if frame.kind == Kind::List => {
                self.emitter.write_indent(buffer);
                self.emitter.indicator(buffer, b'-', Indicator::OpensLine);
            }
            Some(_) => {}
        }
    }

    fn after_value(&mut self) {
        if self.open.is_empty() {
            self.emitter.write_indent(&mut self.output.buffer);
        }
        self.output.flush_if_full();
    }

    fn begin(&mut self, kind: Kind) {
        self.before_value();
        self.pending = Some(kind);
        let parent = self.open.last();
        self.is_value = parent.is_some_and(|frame| frame.kind == Kind::Map);
    }

    fn end(&mut self, empty: &[u8]) {
        if self.pending.take().is_some() {
            self.emitter.token(&mut self.output.buffer, empty);
        } else if let Some(frame) = self.open.pop() {
            self.emitter.indent = frame.outer;
        }
        self.after_value();
    }

    fn token(&mut self, text: &str) {
        self.before_value();
        self.emitter.token(&mut self.output.buffer, text.as_bytes());
        self.after_value();
    }

    fn display(&mut self, value: impl std::fmt::Display) {
        self.before_value();
        self.scratch.clear();
        // Writing to a Vec cannot fail.
        let _ = write!(self.scratch, "{value}");
        self.emitter.token(&mut self.output.buffer, &self.scratch);
        self.after_value();
    }
}

impl<W: Write> Sink for YamlWriter<W> {
    fn null(&mut self) {
        self.token("null");
    }

    fn bool(&mut self, value: bool) {
        self.token(if value { "true" } else { "false" });
    }

    fn int(&mut self, value: i64) {
        self.display(value);
    }

    fn uint(&mut self, value: u64) {
        self.display(value);
    }

    fn float(&mut self, value: f64) {
        self.token(number::yaml_float(value).as_str());
    }

    fn string(&mut self, value: &str) {
        self.before_value();
        let style = scalar::style(value).0;
        self.emitter
            .scalar(&mut self.output.buffer, value, style, true);
        self.after_value();
    }

    fn base64(&mut self, value: &[u8]) {
        self.before_value();
        self.scratch.clear();
        append_base64(&mut self.scratch, value);
        let text = std::str::from_utf8(&self.scratch).unwrap_or_default();
        let style = scalar::style(text).0;
        self.emitter
            .scalar(&mut self.output.buffer, text, style, true);
        self.after_value();
    }

    fn begin_map(&mut self) {
        self.begin(Kind::Map);
    }

    fn key(&mut self, key: &str) {
        self.open_pending();
        let (style, is_multiline) = scalar::style(key);
        let buffer = &mut self.output.buffer;
        self.emitter.write_indent(buffer);
        if key.len() <= SIMPLE_KEY_BYTES && !is_multiline {
            self.emitter.scalar(buffer, key, style, false);
            self.emitter.indicator(buffer, b':', Indicator::EndsKey);
            return;
        }
        self.emitter.indicator(buffer, b'?', Indicator::OpensLine);
        self.emitter.scalar(buffer, key, style, true);
        self.emitter.write_indent(buffer);
        self.emitter.indicator(buffer, b':', Indicator::OpensLine);
    }

    fn end_map(&mut self) {
        self.end(b"{}");
    }

    fn begin_list(&mut self) {
        self.begin(Kind::List);
    }

    fn end_list(&mut self) {
        self.end(b"[]");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn print(tell: impl FnOnce(&mut YamlWriter<Vec<u8>>)) -> String {
        let mut writer = YamlWriter::new(Vec::new());
        tell(&mut writer);
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn documents_start_afresh_and_are_separated_on_demand() {
        let text = print(|writer| {
            writer.begin_map();
            writer.key("a");
            writer.string("b\n\n");
            writer.end_map();
            writer.separator();
            writer.string("c");
            writer.separator();
            writer.begin_list();
            writer.int(-1);
            writer.uint(u64::MAX);
            writer.bool(true);
            writer.null();
            writer.float(1.5);
            writer.end_list();
        });
        let last = "- -1\n- 18446744073709551615\n- true\n- null\n- 1.5\n";
        assert_eq!(text, format!("a: |+\n  b\n\n---\nc\n---\n{last}"));
    }

    #[test]
    fn items_of_a_list_object_are_nested_as_they_come() {
        let text = print(|writer| {
            writer.begin_map();
            writer.key("items");
            writer.begin_list();
            for name in ["a", "b"] {
                writer.begin_map();
                writer.key("metadata");
                writer.begin_map();
                writer.key("name");
                writer.string(name);
                writer.end_map();
                writer.key("status");
                writer.begin_map();
                writer.end_map();
                writer.end_map();
            }
            writer.end_list();
            writer.key("kind");
            writer.string("List");
            writer.end_map();
        });
        let item = |name| format!("- metadata:\n    name: {name}\n  status: {{}}\n");
        assert_eq!(
            text,
            format!("items:\n{}{}kind: List\n", item("a"), item("b"))
        );
    }

    #[test]
    fn base64_which_looks_like_another_type_is_quoted() {
        let text = print(|writer| {
            writer.begin_list();
            let null = [0x9e, 0xe9, 0x65];
            for bytes in [&b""[..], b"abc", b"a", &[0xd7, 0x6d, 0xf8], &null] {
                writer.base64(bytes);
            }
            writer.end_list();
        });
        assert_eq!(text, "- \"\"\n- YWJj\n- YQ==\n- \"1234\"\n- \"null\"\n");
    }

    #[test]
    fn ends_without_beginning_and_unended_containers_do_no_harm() {
        let text = print(|writer| {
            writer.end_map();
            writer.end_list();
            writer.key("a");
            writer.begin_list();
            writer.begin_map();
        });
        assert!(text.contains("a:"), "{text:?}");
    }

    #[test]
    fn the_first_error_of_the_destination_is_given_back() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut writer = YamlWriter::new(Closed);
        assert!(writer.error().is_none());
        writer.string(&"x".repeat(100_000));
        assert!(writer.error().is_some());
        writer.string("more");
        let error = writer.finish().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
