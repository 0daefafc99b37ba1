//! The one interface between what a value is and how it is printed.
//!
//! The decoders ([`mod@super::decode`]) walk stored bytes and tell a [`Sink`] what they find, depth
//! first and in the order in which it is to be printed; the writers (`view::json`, `view::yaml`)
//! and the tree builder ([`super::TreeSink`]) receive it. No tree stands between the bytes and the text.

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
    /// Bytes, to be printed as a string of standard base64 with padding.
    fn base64(&mut self, value: &[u8]);
    /// Opens a map.
    fn begin_map(&mut self);
    /// The key of the next value; only between `begin_map` and `end_map`.
    fn key(&mut self, key: &str);
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
