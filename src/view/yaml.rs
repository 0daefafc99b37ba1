//! YAML as go-yaml v2 prints it after sigs.k8s.io/yaml's `JSONToYAML` (kubectl, auger), byte for
//! byte, and without a tree: each value is printed as soon as it is known.
//!
//! The layout follows `emitterc.go`: two spaces a level, lists not indented under their key,
//! `{}` and `[]` when empty, text folded at spaces after column 80, `|` for text with line feeds.
//! Which texts need quotes is decided in `resolve` and `scalar`, how they are written in
//! `emit`. The order of keys is the caller's affair ([`crate::k8s::order`]).
//!
//! It differs from the Go programs where these lose evidence. They read their own JSON as YAML, so
//! that U+0085 in a text becomes a space, and DEL, the C1 controls, U+FFFE, U+FFFF and keys of
//! more than 1024 characters are an error. Here all are printed, in the way in which go-yaml prints
//! a value that holds them. And it differs where go-yaml's text does not load back ([`Quoting`]):
//! the key `<<` is quoted, for example, because readers take it for a merge otherwise.
//!
//! Indentation makes the output grow with the square of the nesting: the caller limits
//! their depth.

mod comment;
mod emit;
mod resolve;
mod scalar;

use std::io::{self, Write};

use serde_json::Value;

use self::emit::{Emitter, Indicator};
use super::json::{append_base64, write_value};
use super::output::Output;
use crate::go::float;
use crate::k8s::Order;
use crate::k8s::sink::{Name, Sink};
use crate::k8s::special::go_text;

pub use self::comment::{comment, value_in_comment};
pub use self::scalar::Quoting;

/// The longest key, in bytes, that is on one line with its colon; longer ones and those
/// with line breaks take the form `? key`.
const SIMPLE_KEY_BYTES: usize = 128;

/// Deeper nesting is read back. Kubernetes' own types have some 20 levels, and readers have limits of their own.
const USUAL_DEPTH: usize = 64;

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

/// A tree as one document, its fields in kubectl's order.
pub fn document(tree: &Value) -> Vec<u8> {
    let mut writer = YamlWriter::new(Vec::new());
    write_value(tree, Order::Natural, &mut writer);
    writer.finish().unwrap_or_default()
}

/// Writes each value as one YAML document, ending in a line feed.
///
/// Between documents goes [`YamlWriter::separator`], as in kubectl's and auger's output. To
/// stream a `kind: List`, write it as any other map: `begin_map`, `key("items")`, `begin_list`...
pub struct YamlWriter<W: Write> {
    pub(super) output: Output<W>,
    emitter: Emitter,
    open: Vec<Frame>,
    /// A container just begun: whether it is empty decides how it is printed.
    pending: Option<Kind>,
    /// The last pending container is the value of a key.
    is_value: bool,
    scratch: Vec<u8>,
    quoting: Quoting,
    /// Something was written since [`YamlWriter::hold`] that is to be read back.
    is_unusual: bool,
}

/// The writer's state before a value that may be taken back.
#[derive(Debug)]
pub struct Held {
    emitter: Emitter,
    open: usize,
    pending: Option<Kind>,
    is_value: bool,
    innermost: Option<Kind>,
}

impl Held {
    /// Is the value an item of a list?
    pub fn is_item(&self) -> bool {
        self.pending.or(self.innermost) == Some(Kind::List)
    }
}

impl<W: Write> YamlWriter<W> {
    /// A writer at the start of its first document.
    pub fn new(destination: W) -> Self {
        Self::with_quoting(destination, Quoting::Kubectl)
    }

    /// A writer that quotes texts for these readers.
    pub fn with_quoting(destination: W, quoting: Quoting) -> Self {
        Self {
            output: Output::new(destination),
            emitter: Emitter::default(),
            open: Vec::new(),
            pending: None,
            is_value: false,
            scratch: Vec::new(),
            quoting,
            is_unusual: false,
        }
    }

    /// Keeps what is written from here on in memory, until [`YamlWriter::release`].
    pub fn hold(&mut self) -> Held {
        self.output.hold();
        self.is_unusual = false;
        Held {
            emitter: self.emitter.clone(),
            open: self.open.len(),
            pending: self.pending,
            is_value: self.is_value,
            innermost: self.open.last().map(|frame| frame.kind),
        }
    }

    /// What was written since [`YamlWriter::hold`].
    pub fn held(&self) -> &[u8] {
        self.output.held()
    }

    /// Does the held text contain anything that readers treat differently, so that it should be read back? Control
    /// characters, line breaks of YAML 1.1, keys of the form `? key`, deep nesting.
    pub fn is_unusual(&self) -> bool {
        self.is_unusual
    }

    /// Takes back what was written since [`YamlWriter::hold`], which goes on. `quoting` is for what is written next.
    pub fn take_back(&mut self, held: &Held, quoting: Quoting) {
        self.output.take_back();
        self.emitter = held.emitter.clone();
        self.open.truncate(held.open);
        self.pending = held.pending;
        self.is_value = held.is_value;
        self.quoting = quoting;
    }

    /// Lets the held text go on to the destination.
    pub fn release(&mut self, quoting: Quoting) {
        self.quoting = quoting;
        self.output.release();
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
        self.is_unusual |= self.open.len() > USUAL_DEPTH;
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

    fn integer(&mut self, value: impl itoa::Integer) {
        self.token(itoa::Buffer::new().format(value));
    }

    /// A text in double quotes that holds nothing to escape and is too short to be folded.
    fn quoted(&mut self, text: &str) {
        self.before_value();
        let buffer = &mut self.output.buffer;
        self.emitter.token(buffer, b"\"");
        self.emitter.append(buffer, text.as_bytes());
        self.emitter.append(buffer, b"\"");
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
        self.integer(value);
    }

    fn uint(&mut self, value: u64) {
        self.integer(value);
    }

    fn float(&mut self, value: f64) {
        let text = float::yaml(value);
        let text = text.as_str();
        match text.split_once('e') {
            // Without a point, readers of YAML 1.1 take `1e+20` for a text.
            Some((digits, exponent))
                if self.quoting != Quoting::Kubectl && !digits.contains('.') =>
            {
                self.token(&format!("{digits}.0e{exponent}"));
            }
            _ => self.token(text),
        }
    }

    fn string(&mut self, value: &str) {
        self.before_value();
        let form = scalar::form(value, self.quoting);
        self.is_unusual |= form.is_unusual;
        self.emitter
            .scalar(&mut self.output.buffer, value, form.style, true);
        self.after_value();
    }

    fn text(&mut self, value: &[u8]) {
        if !scalar::is_token(value) || self.quoting == Quoting::Everything {
            return self.string(&go_text(value));
        }
        self.before_value();
        self.emitter.token(&mut self.output.buffer, value);
        self.after_value();
    }

    /// YAML has times of its own: as a text it needs quotes.
    fn time(&mut self, value: &str) {
        self.quoted(value);
    }

    fn base64(&mut self, value: &[u8]) {
        self.before_value();
        self.scratch.clear();
        append_base64(&mut self.scratch, value);
        let text = std::str::from_utf8(&self.scratch).unwrap_or_default();
        let form = scalar::form(text, self.quoting);
        self.emitter
            .scalar(&mut self.output.buffer, text, form.style, true);
        self.after_value();
    }

    fn begin_map(&mut self) {
        self.begin(Kind::Map);
    }

    fn key(&mut self, key: &str) {
        self.open_pending();
        let form = scalar::form(key, self.quoting);
        self.is_unusual |= form.is_unusual;
        let buffer = &mut self.output.buffer;
        self.emitter.write_indent(buffer);
        if key.len() <= SIMPLE_KEY_BYTES && !form.is_multiline {
            self.emitter.scalar(buffer, key, form.style, false);
            self.emitter.indicator(buffer, b':', Indicator::EndsKey);
            return;
        }
        self.is_unusual = true;
        self.emitter.indicator(buffer, b'?', Indicator::OpensLine);
        self.emitter.scalar(buffer, key, form.style, true);
        self.emitter.write_indent(buffer);
        self.emitter.indicator(buffer, b':', Indicator::OpensLine);
    }

    /// A line of its own at the present level.
    fn comment(&mut self, text: &str) {
        self.open_pending();
        let buffer = &mut self.output.buffer;
        let in_document = !self.open.is_empty();
        if in_document {
            self.emitter.write_indent(buffer);
        }
        buffer.extend_from_slice(comment(text).as_bytes());
        if in_document {
            self.emitter.end_scalar();
        } else {
            buffer.push(b'\n');
        }
        self.output.flush_if_full();
    }

    fn name(&mut self, name: Name) {
        self.open_pending();
        let buffer = &mut self.output.buffer;
        self.emitter.write_indent(buffer);
        self.emitter.name(buffer, name.as_str());
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
    fn a_comment_stands_on_a_line_of_its_own_before_an_item_or_a_document() {
        let text = print(|writer| {
            writer.comment("first");
            writer.begin_map();
            writer.key("items");
            writer.begin_list();
            writer.comment("one");
            writer.begin_map();
            writer.key("a");
            writer.string("b\n");
            writer.key("c");
            writer.begin_list();
            writer.comment("deep");
            writer.begin_list();
            writer.comment("deeper");
            writer.string("d");
            writer.end_list();
            writer.end_list();
            writer.end_map();
            writer.comment("two");
            writer.comment("three");
            writer.int(1);
            writer.end_list();
            writer.end_map();
            writer.separator();
            writer.comment("last");
            writer.string("x");
        });
        let items =
            "# one\n- a: |\n    b\n  c:\n  # deep\n  - # deeper\n    - d\n# two\n# three\n- 1\n";
        assert_eq!(text, format!("# first\nitems:\n{items}---\n# last\nx\n"));
        let (first, _) = text.split_once("---").unwrap();
        let read: serde_json::Value = serde_norway::from_str(first).unwrap();
        let wanted = serde_json::json!({"items": [{"a": "b\n", "c": [["d"]]}, 1]});
        assert_eq!(read, wanted);
    }

    #[test]
    fn nothing_in_a_comment_can_end_it() {
        let text = print(|writer| {
            writer.begin_list();
            writer.comment("a\nb\u{2028}c: \u{e9}");
            writer.int(1);
            writer.end_list();
        });
        assert_eq!(text, "# a\\u{a}b\\u{2028}c: \\u{e9}\n- 1\n");
    }

    #[test]
    fn portable_floats_have_a_point() {
        let with = |quoting| {
            let mut writer = YamlWriter::with_quoting(Vec::new(), quoting);
            writer.begin_list();
            for value in [1e20, -5e-324, 1.5e-7, 1.5, 3.0] {
                writer.float(value);
            }
            writer.end_list();
            String::from_utf8(writer.finish().unwrap()).unwrap()
        };
        let kubectl = "- 1e+20\n- -5e-324\n- 1.5e-07\n- 1.5\n- 3\n";
        let portable = "- 1.0e+20\n- -5.0e-324\n- 1.5e-07\n- 1.5\n- 3\n";
        assert_eq!(with(Quoting::Kubectl), kubectl);
        assert_eq!(with(Quoting::Portable), portable);
        assert_eq!(with(Quoting::Everything), portable);
    }

    #[test]
    fn a_value_taken_back_leaves_no_trace() {
        let tell = |writer: &mut YamlWriter<Vec<u8>>| {
            writer.begin_map();
            writer.key("a");
            writer.string("b c");
            writer.end_map();
        };
        let with = |taken_back: bool| {
            print(|writer| {
                writer.begin_list();
                for _ in 0..2 {
                    let held = writer.hold();
                    if taken_back {
                        writer.begin_map();
                        writer.key("\u{85}");
                        writer.begin_list();
                        writer.string(&"x".repeat(100_000));
                        writer.end_list();
                        writer.end_map();
                        assert!(writer.is_unusual() && writer.held().len() > 100_000);
                        writer.take_back(&held, Quoting::Everything);
                        assert_eq!(writer.held(), b"");
                        tell(writer);
                        assert!(writer.held().ends_with(b"\"a\": \"b c\""));
                        writer.take_back(&held, Quoting::Kubectl);
                    }
                    tell(writer);
                    writer.release(Quoting::Kubectl);
                }
                writer.end_list();
            })
        };
        assert_eq!(with(true), "- a: b c\n- a: b c\n");
        assert_eq!(with(true), with(false));
    }

    #[test]
    fn names_of_the_schema_and_times_are_written_as_any_other_text() {
        for name in crate::k8s::schema::kinds()
            .filter_map(|kind| {
                let version = kind.version;
                let group = kind.group;
                let api = format!("{group}/{version}");
                crate::k8s::schema::root(api.trim_start_matches('/'), kind.kind)
            })
            .flat_map(|message| message.slots())
        {
            let of = |tell: fn(&mut YamlWriter<Vec<u8>>, Name)| {
                print(|writer| {
                    writer.begin_map();
                    tell(writer, name.key());
                    writer.time("2026-01-01T00:00:00Z");
                    writer.end_map();
                })
            };
            let as_name = of(|writer, name| writer.name(name));
            assert_eq!(as_name, of(|writer, name| writer.key(name.as_str())));
        }
        for time in ["0000-02-29T23:59:59Z", "9999-12-31T00:00:00.000001Z"] {
            let printed = print(|writer| writer.time(time));
            assert_eq!(printed, print(|writer| writer.string(time)));
        }
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
