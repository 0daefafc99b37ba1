//! [`Sink`], the interface between the decoders and the writers.
//!
//! The decoders ([`mod@super::decode`]) walk stored bytes depth first and pass each value to a [`Sink`], in the order
//! in which it is printed. The writers (`view::json`, `view::yaml`) and the tree builder ([`super::TreeSink`])
//! implement it. So bytes become text without a tree in between.
//!
//! Example: `{"a": [1]}` becomes the calls `begin_map`, `key("a")`, `begin_list`, `int(1)`, `end_list`, `end_map`.

use super::special::go_text;

/// The order in which a decoder passes the fields of a Kubernetes object to a [`Sink`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As declared in the Go struct: what `auger -o json` and Go's `encoding/json` print.
    /// Embedded JSON keeps the order of its bytes.
    Declared,
    /// Sorted by the bytes of the name: what `kubectl -o json` prints.
    Sorted,
    /// In go-yaml's natural order of keys (`a2` before `a10`): used by all YAML output.
    Natural,
}

/// A key from the schema table. It consists of letters, digits, `$`, `-` and `.`, so no output format has to quote or
/// escape it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    json: &'static str,
}

impl Name {
    /// A name from its JSON form after another field: `,"name":`.
    #[must_use]
    #[inline]
    pub(super) const fn from_json_key(json: &'static str) -> Self {
        Self { json }
    }

    /// The name.
    #[must_use]
    #[inline]
    pub fn as_str(self) -> &'static str {
        let end = self.json.len().saturating_sub(2);
        self.json.get(2..end).unwrap_or_default()
    }

    /// The name as JSON text after another field: `,"name":`.
    #[must_use]
    #[inline]
    pub fn json(self) -> &'static str {
        self.json
    }
}

/// Receives one value, depth first. A map is `begin_map (key value)* end_map`, a list is `begin_list value* end_list`.
/// Callers follow this grammar; a sink does not have to check it. A sink remembers its first error (such as a closed
/// pipe) and reports it at the end.
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
    /// A number as text, from JSON embedded in an object (valid by JSON's grammar). Go copies such text verbatim
    /// (`1.0`), and a JSON sink may do so too. By default the number is parsed, as if it had passed through Go's
    /// `interface{}`.
    fn number(&mut self, text: &str) {
        match Number::parse(text) {
            Number::Int(value) => self.int(value),
            Number::Uint(value) => self.uint(value),
            Number::Float(value) => self.float(value),
        }
    }
    /// A text, already valid UTF-8.
    fn string(&mut self, value: &str);
    /// A text that was not checked for UTF-8 yet: each invalid byte becomes U+FFFD. A sink that scans the text anyway
    /// can override this to skip the separate check.
    fn text(&mut self, value: &[u8]) {
        self.string(&go_text(value));
    }
    /// An RFC 3339 time in the years 0 to 9999: a text of digits and `-:.TZ` only.
    fn time(&mut self, value: &str) {
        self.string(value);
    }
    /// Whether decoders may pass whole JSON documents with [`Sink::json`].
    fn accepts_json(&self) -> bool {
        false
    }
    /// A whole valid JSON document that Go would write byte for byte the same without indentation: no white space
    /// between tokens, and only ASCII in its texts, without characters that Go escapes differently (`<`, `>`, `&`).
    /// Called only if [`Sink::accepts_json`] is true.
    fn json(&mut self, document: &[u8]) {
        let _ = document;
    }
    /// Whether the next value is dropped, whatever it is. Then a decoder may pass `null` instead of an embedded document,
    /// which need not be parsed.
    fn drops_value(&self) -> bool {
        false
    }
    /// A remark about the next value. It is not part of the data. It may precede an item of a list or a whole value,
    /// but not the value of a map key.
    fn comment(&mut self, text: &str) {
        let _ = text;
    }
    /// Bytes, written as a string in standard base64 with padding.
    fn base64(&mut self, value: &[u8]);
    /// Opens a map.
    fn begin_map(&mut self);
    /// The key of the next value; only between `begin_map` and `end_map`.
    fn key(&mut self, key: &str);
    /// The same for a key that was not checked for UTF-8 yet; see [`Sink::text`].
    fn text_key(&mut self, key: &[u8]) {
        self.key(&go_text(key));
    }
    /// The same for a key from the schema table, which needs no escaping.
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
    /// Parses a number that is valid by JSON's grammar; anything else gives 0.
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
