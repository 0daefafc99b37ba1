//! JSON as Go's `encoding/json` prints it (`encode.go`, `indent.go`), and the replay of a tree.

use std::io::{self, Write};

use serde_json::Value;

use super::output::Output;
use crate::go::float;
use crate::k8s::order::sort_naturally;
use crate::k8s::sink::{Name, Order, Sink};
use crate::k8s::special::go_text;
use crate::k8s::words;

/// How the JSON is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonStyle {
    /// No white space: Go's `json.Marshal`, and `auger -o json`.
    Compact,
    /// A line for each element, indented by this many spaces a level: Go's `json.MarshalIndent`;
    /// `kubectl -o json` has 4.
    Indent(usize),
}

/// Writes each value as one JSON text with a line feed at its end (JSON lines, with [`JsonStyle::Compact`]).
pub struct JsonWriter<W: Write> {
    output: Output<W>,
    style: JsonStyle,
    escape_html: bool,
    depth: usize,
    /// The container was just opened: no comma before its next element.
    is_first: bool,
    /// A key was written: its value follows on the same line.
    has_key: bool,
}

impl<W: Write> JsonWriter<W> {
    /// A writer which escapes `<`, `>` and `&`, as Go's encoders and kubectl do.
    pub fn new(destination: W, style: JsonStyle) -> Self {
        Self {
            output: Output::new(destination),
            style,
            escape_html: true,
            depth: 0,
            is_first: true,
            has_key: false,
        }
    }

    /// Whether `<`, `>` and `&` are escaped: Go's `Encoder.SetEscapeHTML`.
    #[must_use]
    pub fn escape_html(mut self, on: bool) -> Self {
        self.escape_html = on;
        self
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

    #[inline]
    fn before_element(&mut self) {
        if !self.is_first {
            self.output.buffer.push(b',');
        }
        self.is_first = false;
        self.new_line();
    }

    #[inline]
    fn before_value(&mut self) {
        if self.has_key {
            self.has_key = false;
        } else if self.depth > 0 {
            self.before_element();
        }
    }

    #[inline]
    fn after_value(&mut self) {
        if self.depth == 0 {
            self.output.buffer.push(b'\n');
        }
        self.output.flush_if_full();
    }

    #[inline]
    fn new_line(&mut self) {
        if let JsonStyle::Indent(spaces) = self.style {
            let buffer = &mut self.output.buffer;
            buffer.push(b'\n');
            let width = self.depth.saturating_mul(spaces);
            buffer.resize(buffer.len().saturating_add(width), b' ');
        }
    }

    fn begin(&mut self, bracket: u8) {
        self.before_value();
        self.output.buffer.push(bracket);
        self.depth = self.depth.saturating_add(1);
        self.is_first = true;
    }

    fn end(&mut self, bracket: u8) {
        self.depth = self.depth.saturating_sub(1);
        if !self.is_first {
            self.new_line();
        }
        self.output.buffer.push(bracket);
        self.is_first = false;
        self.after_value();
    }

    fn token(&mut self, text: &str) {
        self.before_value();
        self.output.buffer.extend_from_slice(text.as_bytes());
        self.after_value();
    }

    /// A text that holds nothing to escape.
    fn quoted(&mut self, text: &[u8]) {
        self.before_value();
        let buffer = &mut self.output.buffer;
        buffer.push(b'"');
        buffer.extend_from_slice(text);
        buffer.push(b'"');
        self.after_value();
    }

    fn integer(&mut self, value: impl itoa::Integer) {
        self.token(itoa::Buffer::new().format(value));
    }
}

impl JsonWriter<Vec<u8>> {
    /// A writer into memory, with room for this many bytes.
    pub fn in_memory(style: JsonStyle, room: usize) -> Self {
        let mut writer = Self::new(Vec::new(), style);
        writer.output.buffer.reserve(room);
        writer
    }

    /// The text.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.output.into_bytes()
    }
}

impl<W: Write> Sink for JsonWriter<W> {
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

    /// Infinities and NaN, which JSON does not have and Go refuses, become `null`.
    fn float(&mut self, value: f64) {
        match float::json(value) {
            Some(text) => self.token(text.as_str()),
            None => self.token("null"),
        }
    }

    /// As Go copies embedded JSON: what its writer wrote.
    fn number(&mut self, text: &str) {
        self.token(text);
    }

    fn string(&mut self, value: &str) {
        self.before_value();
        quote(&mut self.output.buffer, value, self.escape_html);
        self.after_value();
    }

    fn text(&mut self, value: &[u8]) {
        if words::position(value, words::not_plain_json).is_some() {
            self.string(&go_text(value));
        } else {
            self.quoted(value);
        }
    }

    fn time(&mut self, value: &str) {
        self.quoted(value.as_bytes());
    }

    fn accepts_json(&self) -> bool {
        self.style == JsonStyle::Compact
    }

    fn json(&mut self, document: &[u8]) {
        self.before_value();
        self.output.buffer.extend_from_slice(document);
        self.after_value();
    }

    fn base64(&mut self, value: &[u8]) {
        self.before_value();
        self.output.buffer.push(b'"');
        append_base64(&mut self.output.buffer, value);
        self.output.buffer.push(b'"');
        self.after_value();
    }

    fn begin_map(&mut self) {
        self.begin(b'{');
    }

    fn key(&mut self, key: &str) {
        self.before_element();
        let buffer = &mut self.output.buffer;
        quote(buffer, key, self.escape_html);
        buffer.push(b':');
        if self.style != JsonStyle::Compact {
            buffer.push(b' ');
        }
        self.has_key = true;
    }

    fn text_key(&mut self, key: &[u8]) {
        if words::position(key, words::not_plain_json).is_some() {
            return self.key(&go_text(key));
        }
        self.before_element();
        let buffer = &mut self.output.buffer;
        buffer.push(b'"');
        buffer.extend_from_slice(key);
        buffer.extend_from_slice(b"\":");
        if self.style != JsonStyle::Compact {
            buffer.push(b' ');
        }
        self.has_key = true;
    }

    fn name(&mut self, name: Name) {
        if self.style != JsonStyle::Compact {
            return self.key(name.as_str());
        }
        let text = name.json().as_bytes();
        let text = match text.split_first() {
            Some((_, without_comma)) if self.is_first => without_comma,
            _ => text,
        };
        self.output.buffer.extend_from_slice(text);
        self.is_first = false;
        self.has_key = true;
    }

    fn end_map(&mut self) {
        self.end(b'}');
    }

    fn begin_list(&mut self) {
        self.begin(b'[');
    }

    fn end_list(&mut self) {
        self.end(b']');
    }
}

/// Appends standard base64 with padding.
pub(super) fn append_base64(buffer: &mut Vec<u8>, value: &[u8]) {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let start = buffer.len();
    let room = value.len().div_ceil(3).saturating_mul(4);
    buffer.resize(start.saturating_add(room), 0);
    let tail = buffer.get_mut(start..).unwrap_or_default();
    // Cannot fail: base64 with padding takes exactly this room.
    let written = engine.encode_slice(value, tail).unwrap_or(0);
    buffer.truncate(start.saturating_add(written));
}

/// The first byte of U+2028 and U+2029, among others.
const SEPARATOR: u8 = 0xe2;

/// Appends a JSON string with Go's escapes: `\b`, `\f`, `\n`, `\r`, `\t`, `\"`, `\\`, else
/// `\u00xx`; U+2028 and U+2029 always, `<`, `>` and `&` when asked.
fn quote(buffer: &mut Vec<u8>, text: &str, escape_html: bool) {
    buffer.push(b'"');
    let mut rest = text.as_bytes();
    while let Some((plain, byte, after)) = split_at_escape(rest, escape_html) {
        buffer.extend_from_slice(plain);
        rest = after;
        match byte {
            b'"' | b'\\' => buffer.extend_from_slice(&[b'\\', byte]),
            b'\n' => buffer.extend_from_slice(b"\\n"),
            b'\r' => buffer.extend_from_slice(b"\\r"),
            b'\t' => buffer.extend_from_slice(b"\\t"),
            0x08 => buffer.extend_from_slice(b"\\b"),
            0x0c => buffer.extend_from_slice(b"\\f"),
            0xe2 => {
                let is_line = rest.get(1) == Some(&0xa8);
                buffer.extend_from_slice(if is_line { b"\\u2028" } else { b"\\u2029" });
                rest = rest.get(2..).unwrap_or_default();
            }
            _ => {
                buffer.extend_from_slice(b"\\u00");
                let hex = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
                buffer.extend_from_slice(&[hex(byte >> 4), hex(byte & 15)]);
            }
        }
    }
    buffer.extend_from_slice(rest);
    buffer.push(b'"');
}

/// The text before the first byte to be escaped, that byte, and the text after it.
fn split_at_escape(text: &[u8], escape_html: bool) -> Option<(&[u8], u8, &[u8])> {
    let mut from = 0;
    loop {
        let tail = text.get(from..)?;
        let found = words::position(tail, |word| {
            words::control(word)
                | words::equal_but_for(word, 0x04, b'&')
                | words::equal_but_for(word, 0x02, b'>')
                | words::equal(word, b'\\')
                | words::equal(word, SEPARATOR)
        })?;
        let at = from.saturating_add(found);
        let (plain, rest) = text.split_at_checked(at)?;
        let (&byte, after) = rest.split_first()?;
        let is_escaped = match byte {
            b'<' | b'>' | b'&' => escape_html,
            SEPARATOR => matches!(after, [0x80, 0xa8 | 0xa9, ..]),
            _ => true,
        };
        if is_escaped {
            return Some((plain, byte, after));
        }
        from = at.saturating_add(1);
    }
}

/// What is left of an opened list or map.
enum Left<'a> {
    List(std::slice::Iter<'a, Value>),
    Map(serde_json::map::Iter<'a>),
    OrderedMap(std::vec::IntoIter<(&'a String, &'a Value)>),
}

impl<'a> Left<'a> {
    fn next<S: Sink>(&mut self, sink: &mut S) -> Option<&'a Value> {
        let (key, value) = match self {
            Left::List(items) => return items.next(),
            Left::Map(entries) => entries.next()?,
            Left::OrderedMap(entries) => entries.next()?,
        };
        sink.key(key);
        Some(value)
    }
}

/// Tells a tree to a sink, the keys of its maps in the given order ([`Order::Declared`] is the
/// order which the tree has). Keeps its own stack, so no depth of the tree overflows the thread's.
pub fn write_value<S: Sink>(value: &Value, order: Order, sink: &mut S) {
    let mut open: Vec<Left<'_>> = Vec::new();
    open.extend(write_node(value, order, sink));
    while let Some(top) = open.last_mut() {
        if let Some(value) = top.next(sink) {
            open.extend(write_node(value, order, sink));
            continue;
        }
        match open.pop() {
            Some(Left::List(_)) => sink.end_list(),
            _ => sink.end_map(),
        }
    }
}

/// Tells a scalar, or opens a container and returns what is in it.
fn write_node<'a, S: Sink>(value: &'a Value, order: Order, sink: &mut S) -> Option<Left<'a>> {
    match value {
        Value::Null => sink.null(),
        Value::Bool(value) => sink.bool(*value),
        Value::Number(number) => {
            if let Some(int) = number.as_i64() {
                sink.int(int);
            } else if let Some(uint) = number.as_u64() {
                sink.uint(uint);
            } else {
                sink.float(number.as_f64().unwrap_or(f64::NAN));
            }
        }
        Value::String(text) => sink.string(text),
        Value::Array(items) => {
            sink.begin_list();
            return Some(Left::List(items.iter()));
        }
        Value::Object(map) => {
            sink.begin_map();
            if order == Order::Declared {
                return Some(Left::Map(map.iter()));
            }
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            if order == Order::Sorted {
                entries.sort_unstable_by_key(|entry| entry.0);
            } else {
                sort_naturally(&mut entries, |entry| entry.0);
            }
            return Some(Left::OrderedMap(entries.into_iter()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    fn print(json: &str, style: JsonStyle, order: Order) -> String {
        let value: Value = serde_json::from_str(json).unwrap();
        let mut writer = JsonWriter::new(Vec::new(), style);
        write_value(&value, order, &mut writer);
        String::from_utf8(writer.finish().unwrap()).unwrap()
    }

    #[test]
    fn compact_json_has_no_white_space_but_the_last_line_feed() {
        let json = r#"{"b":[1,-2,18446744073709551615,1.5,1e21,true,null,{},[]],"a":{"x":"y"}}"#;
        let wanted = r#"{"b":[1,-2,18446744073709551615,1.5,1e+21,true,null,{},[]],"a":{"x":"y"}}"#;
        assert_eq!(
            print(json, JsonStyle::Compact, Order::Declared),
            format!("{wanted}\n")
        );
    }

    #[test]
    fn indented_json_has_a_line_for_each_element_and_short_empty_containers() {
        let json = r#"{"b":[1,[2,{}],[]],"a":{"x":"y"}}"#;
        let wanted = concat!(
            "{\n    \"a\": {\n        \"x\": \"y\"\n    },\n    \"b\": [\n        1,\n",
            "        [\n            2,\n            {}\n        ],\n        []\n    ]\n}\n",
        );
        assert_eq!(print(json, JsonStyle::Indent(4), Order::Sorted), wanted);
    }

    #[test]
    fn keys_come_in_the_order_asked_for() {
        let json = r#"{"a10":0,"b":0,"a2":0,"B":0}"#;
        let compact = |order| print(json, JsonStyle::Compact, order);
        assert_eq!(
            compact(Order::Declared),
            "{\"a10\":0,\"b\":0,\"a2\":0,\"B\":0}\n"
        );
        assert_eq!(
            compact(Order::Sorted),
            "{\"B\":0,\"a10\":0,\"a2\":0,\"b\":0}\n"
        );
        assert_eq!(
            compact(Order::Natural),
            "{\"B\":0,\"a2\":0,\"a10\":0,\"b\":0}\n"
        );
    }

    #[test]
    fn strings_have_the_escapes_of_go() {
        let text =
            "\u{0}\u{8}\t\n\u{b}\u{c}\r\u{1f}\"\\/<>&\u{7f}\u{e9}\u{2027}\u{2028}\u{2029}\u{1f600}";
        let mut buffer = Vec::new();
        quote(&mut buffer, text, true);
        let wanted = concat!(
            r#""\u0000\b\t\n\u000b\f\r\u001f\"\\/\u003c\u003e\u0026"#,
            "\u{7f}\u{e9}\u{2027}\\u2028\\u2029\u{1f600}\"",
        );
        assert_eq!(String::from_utf8(buffer).unwrap(), wanted);
    }

    #[test]
    fn html_is_left_alone_when_asked_and_line_separators_are_not() {
        let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact).escape_html(false);
        writer.string("<&>\u{2028}");
        let bytes = writer.finish().unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), "\"<&>\\u2028\"\n");
    }

    #[test]
    fn bytes_become_padded_base64() {
        let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
        for bytes in [&b""[..], b"a", b"ab", b"abc", b"\xff\xfe\xfd\xfc"] {
            writer.base64(bytes);
        }
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert_eq!(text, "\"\"\n\"YQ==\"\n\"YWI=\"\n\"YWJj\"\n\"//79/A==\"\n");
    }

    #[test]
    fn a_very_deep_tree_is_written_without_recursion() {
        let depth = 200_000;
        let mut value = Value::Null;
        for _ in 0..depth {
            value = Value::Array(vec![value]);
        }
        let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
        write_value(&value, Order::Declared, &mut writer);
        assert_eq!(writer.finish().unwrap().len(), depth * 2 + "null\n".len());
        // The tree's own destructor recurses; take it apart by hand.
        while let Value::Array(mut items) = value {
            value = items.pop().unwrap();
        }
    }

    #[test]
    fn the_first_error_of_the_destination_is_given_back() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                panic!("flushed after an error");
            }
        }
        let mut writer = JsonWriter::new(Closed, JsonStyle::Compact);
        writer.string("a");
        let error = writer.finish().err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
