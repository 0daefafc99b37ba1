//! The one interface between what a value is and how it is printed.
//!
//! The decoders ([`mod@super::decode`]) walk stored bytes and tell a [`Sink`] what they find, depth
//! first and in the order in which it is to be printed; the writers (`view::json`, `view::yaml`)
//! and the tree builder ([`super::TreeSink`]) receive it. No tree stands between the bytes and the text.

use super::special::go_text;

/// In which order the fields of a Kubernetes object are told to a [`Sink`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As declared in the Go struct: what `auger -o json` and Go's `encoding/json` print.
    /// Embedded JSON keeps the order of its bytes.
    Declared,
    /// By the bytes of the name: what `kubectl -o json` prints.
    Sorted,
    /// By go-yaml's natural order of keys (`a2` before `a10`): what all YAML has.
    Natural,
}

/// A key from the schema table: letters, digits, `$` and `-`, so that no form of text has to quote
/// or escape it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    json: &'static str,
}

impl Name {
    /// Of a key as it stands in JSON after another field: `,"name":`.
    #[must_use]
    pub(super) const fn of_json_key(json: &'static str) -> Self {
        Self { json }
    }

    /// The name.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> &'static str {
        let end = self.json.len().saturating_sub(2);
        self.json.get(2..end).unwrap_or_default()
    }

    /// `,"name":`.
    #[must_use]
    #[inline]
    pub fn json(self) -> &'static str {
        self.json
    }
}

/// Receives one value, depth first. A map is `begin_map (key value)* end_map`, a list is
/// `begin_list value* end_list`; the caller keeps to that grammar, a sink need not check it.
/// Errors (a closed pipe) are the sink's own affair: it remembers the first and reports it at the end.
pub trait Sink {
    /// JSON `null`.
    fn null(&mut self);
    /// `true` or `false`.
    fn bool(&mut self, value: bool);
    /// A signed integer.
    fn int(&mut self, value: i64);
    /// An unsigned integer, for what does not fit an `i64`.
    fn uint(&mut self, value: u64);
    /// A float, printed as Go's `encoding/json` prints a float64.
    fn float(&mut self, value: f64);
    /// A number as its writer wrote it, from JSON embedded in an object (valid by JSON's grammar).
    /// Go copies such text verbatim (`1.0`), which a sink for JSON may do too; by default the
    /// number goes the way of all others, as after a round through Go's `interface{}`.
    fn number(&mut self, text: &str) {
        match Number::parse(text) {
            Number::Int(value) => self.int(value),
            Number::Uint(value) => self.uint(value),
            Number::Float(value) => self.float(value),
        }
    }
    /// A text, already valid UTF-8.
    fn string(&mut self, value: &str);
    /// A text whose bytes nobody has looked at yet: what is not UTF-8 becomes U+FFFD, byte by byte.
    /// A sink that reads over a text anyway can so spare the check.
    fn text(&mut self, value: &[u8]) {
        self.string(&go_text(value));
    }
    /// A text of digits and `-:.TZ` which is a time of the years 0 to 9999, in RFC 3339.
    fn time(&mut self, value: &str) {
        self.string(value);
    }
    /// Does this sink want documents by [`Sink::json`] where it can have them?
    fn takes_json(&self) -> bool {
        false
    }
    /// A whole JSON document, valid and written as Go would write it without indentation: no white
    /// space between its tokens, and in its texts nothing but ASCII that needs no escape (`<`, `>`
    /// and `&` are not among it). Only told if [`Sink::takes_json`].
    fn json(&mut self, document: &[u8]) {
        let _ = document;
    }
    /// A remark about the next value, which is no part of what is told. Only where an item of a
    /// list or a whole value follows.
    fn comment(&mut self, text: &str) {
        let _ = text;
    }
    /// Bytes, to be printed as a string of standard base64 with padding.
    fn base64(&mut self, value: &[u8]);
    /// Opens a map.
    fn begin_map(&mut self);
    /// The key of the next value; only between `begin_map` and `end_map`.
    fn key(&mut self, key: &str);
    /// The same for a key of the schema table.
    fn name(&mut self, name: Name) {
        self.key(name.as_str());
    }
    /// Closes a map.
    fn end_map(&mut self);
    /// Opens a list.
    fn begin_list(&mut self);
    /// Closes a list.
    fn end_list(&mut self);
}

/// A JSON number as Go's unstructured objects hold it.
pub(crate) enum Number {
    /// It fits an `i64`.
    Int(i64),
    /// It fits a `u64`.
    Uint(u64),
    /// It has a fraction or an exponent, or is too big for an integer.
    Float(f64),
}

impl Number {
    /// Reads a number that is valid by JSON's grammar; of anything else the result is 0.
    pub(crate) fn parse(text: &str) -> Self {
        if let Ok(value) = text.parse() {
            Self::Int(value)
        } else if let Ok(value) = text.parse() {
            Self::Uint(value)
        } else {
            Self::Float(text.parse().unwrap_or(0.0))
        }
    }
}
