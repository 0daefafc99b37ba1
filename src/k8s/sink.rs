//! The one interface between what a value is and how it is printed.
//!
//! The decoders ([`super::decode`]) walk stored bytes and tell a [`Sink`] what they find, depth
//! first and in the order in which it is to be printed; the writers (`view::json`, `view::yaml`)
//! and the tree builder (`TreeSink`) receive it. No tree stands between the bytes and the text.

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
