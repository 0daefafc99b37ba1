//! A parsed JSON or CBOR document as a flat list of nodes (the tape), and its replay into a [`Sink`].
//!
//! A document is parsed completely before any of it reaches the sink, for two reasons: a broken document must not be
//! written by half, and sorted orders need all keys of a map before its values.
//!
//! Example: `{"b":[1,2],"a":"x"}` becomes these nodes:
//!
//! | index | node | meaning |
//! |---|---|---|
//! | 0 | `Map(7)` | a map that ends before node 7 |
//! | 1 | `Text(2, 3)` | key `b`, bytes 2 to 3 of the source |
//! | 2 | `List(5)` | a list that ends before node 5 |
//! | 3, 4 | `Number` | 1 and 2 |
//! | 5 | `Text(13, 14)` | key `a` |
//! | 6 | `Text(17, 18)` | `x` |
//!
//! A text with escapes cannot be a range of the source: the parser unescapes it into [`Tape::owned`], and the node is
//! [`Node::Owned`]. The end index of a map or list allows the replay to skip it without a recursive walk.

use std::borrow::Cow;

use super::order::{before, sort_entries};
use super::sink::{Number, Order, Sink};
use super::special::go_text;

/// The depth to which a document may nest. serde_json has the same limit; real objects stay below 30.
pub(super) const MAX_NESTING: usize = 128;

/// One value. Texts are ranges of the source or of [`Tape::owned`]. The nodes after a map are its keys and values in
/// turn; the nodes after a list are its items.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A number as a range of the source, valid by JSON's grammar.
    Number(u32, u32),
    /// A text as a range of the source.
    Text(u32, u32),
    /// A text as a range of [`Tape::owned`]: unescaped, or joined from chunks.
    Owned(u32, u32),
    /// Bytes of the source that are written as base64.
    Base64(u32, u32),
    /// A map, with the index of the first node after it.
    Map(u32),
    /// A list, with the index of the first node after it.
    List(u32),
}

/// The nodes of one document, in document order. The buffers are reused for the next document.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) nodes: Vec<Node>,
    pub(super) owned: Vec<u8>,
}

/// A position as nodes store it. The decoder accepts only sources below 4 GiB.
pub(super) fn pos(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn slice(bytes: &[u8], start: u32, end: u32) -> &[u8] {
    bytes.get(start as usize..end as usize).unwrap_or_default()
}

impl Tape {
    /// Whether its buffers have at most this many bytes.
    pub(super) fn is_small(&self, bytes: usize) -> bool {
        let nodes = self.nodes.capacity().saturating_mul(size_of::<Node>());
        nodes.saturating_add(self.owned.capacity()) <= bytes
    }

    /// Clears the tape for a document of `source_len` bytes.
    pub(super) fn start(&mut self, source_len: usize) {
        self.nodes.clear();
        self.owned.clear();
        self.nodes.reserve(source_len / 8);
    }

    /// Closes the map or list that was opened at index `at`.
    pub(super) fn close(&mut self, at: usize, node: fn(u32) -> Node) {
        let end = pos(self.nodes.len());
        if let Some(open) = self.nodes.get_mut(at) {
            *open = node(end);
        }
    }

    /// Opens a map or a list and returns its index. Until it is closed, it contains all nodes that follow. So a
    /// document that breaks inside it can still be queried up to the break.
    pub(super) fn open(&mut self, node: fn(u32) -> Node) -> usize {
        let at = self.nodes.len();
        self.nodes.push(node(u32::MAX));
        at
    }

    /// Whether the document is a map with a text under this key, in the part that was parsed.
    pub(super) fn has_text(&self, source: &[u8], key: &str) -> bool {
        let Some(Node::Map(end)) = self.nodes.first() else {
            return false;
        };
        let text = |node: &Node| match *node {
            Node::Text(start, end) => Some(slice(source, start, end)),
            Node::Owned(start, end) => Some(slice(&self.owned, start, end)),
            _ => None,
        };
        let mut at = 1_usize;
        while at < *end as usize
            && let (Some(name), Some(value)) =
                (self.nodes.get(at), self.nodes.get(at.saturating_add(1)))
        {
            if text(name) == Some(key.as_bytes()) && text(value).is_some() {
                return true;
            }
            at = match value {
                Node::Map(end) | Node::List(end) => *end as usize,
                _ => at.saturating_add(2),
            };
        }
        false
    }

    /// Writes the whole document to the sink. With `verbatim`, and only in declared order, numbers keep their source text.
    pub(super) fn replay(&self, source: &[u8], order: Order, verbatim: bool, sink: &mut impl Sink) {
        let replay = Replay {
            tape: self,
            source,
            valid: std::str::from_utf8(source).ok(),
            order,
            verbatim: verbatim && order == Order::Declared,
        };
        replay.value(0, sink);
    }
}

/// Writes a tape to a sink.
struct Replay<'t> {
    tape: &'t Tape,
    source: &'t [u8],
    /// The source if all of it is UTF-8. It is checked once, not for each text.
    valid: Option<&'t str>,
    order: Order,
    verbatim: bool,
}

impl<'t> Replay<'t> {
    /// Writes the value at `at` and returns the index after it. The parser has limited the depth of this recursion.
    fn value(&self, at: usize, sink: &mut impl Sink) -> usize {
        let Some(&node) = self.tape.nodes.get(at) else {
            return at.saturating_add(1);
        };
        match node {
            Node::Null => sink.null(),
            Node::Bool(b) => sink.bool(b),
            Node::Int(i) => sink.int(i),
            Node::Uint(u) => sink.uint(u),
            Node::Float(f) => sink.float(f),
            Node::Number(start, end) => self.number(slice(self.source, start, end), sink),
            Node::Text(..) | Node::Owned(..) => sink.string(&self.text(node)),
            Node::Base64(start, end) => sink.base64(slice(self.source, start, end)),
            Node::Map(end) => {
                self.map(at.saturating_add(1), end as usize, sink);
                return end as usize;
            }
            Node::List(end) => {
                sink.begin_list();
                let mut item = at.saturating_add(1);
                while item < end as usize {
                    item = self.value(item, sink);
                }
                sink.end_list();
                return end as usize;
            }
        }
        at.saturating_add(1)
    }

    fn number(&self, text: &[u8], sink: &mut impl Sink) {
        let text = std::str::from_utf8(text).unwrap_or("0");
        if self.verbatim {
            return sink.number(text);
        }
        match Number::parse(text) {
            Number::Int(value) => sink.int(value),
            Number::Uint(value) => sink.uint(value),
            Number::Float(value) => sink.float(value),
        }
    }

    /// Writes a map. In declared order all keys are written as stored, even repeated ones. In the sorted orders only
    /// the last of equal keys counts, as for Go's JSON reader.
    fn map(&self, start: usize, end: usize, sink: &mut impl Sink) {
        sink.begin_map();
        if self.order == Order::Declared || self.is_ordered(start, end) {
            let mut at = start;
            while at < end {
                sink.key(&self.key(at));
                at = self.value(at.saturating_add(1), sink);
            }
        } else {
            let mut keys = Vec::new();
            let mut at = start;
            while at < end {
                keys.push(at);
                at = self.next(at.saturating_add(1));
            }
            sort_entries(&mut keys, self.order, |at| self.key(*at), &mut |a, b| {
                before(self.order, &self.key(*a), &self.key(*b))
            });
            for at in keys {
                sink.key(&self.key(at));
                self.value(at.saturating_add(1), sink);
            }
        }
        sink.end_map();
    }

    /// Whether the keys are in this order without repetitions. Keys that are strictly ascending by bytes cannot repeat;
    /// natural order alone could not show that, because it is not transitive.
    fn is_ordered(&self, start: usize, end: usize) -> bool {
        let mut last = None;
        let mut at = start;
        while at < end {
            let key = self.key(at);
            let follows = |last: &Cow<'t, str>| *last < key && before(self.order, last, &key);
            if last.as_ref().is_some_and(|last| !follows(last)) {
                return false;
            }
            last = Some(key);
            at = self.next(at.saturating_add(1));
        }
        true
    }

    /// The index after the value at `at`.
    fn next(&self, at: usize) -> usize {
        match self.tape.nodes.get(at) {
            Some(Node::Map(end) | Node::List(end)) => *end as usize,
            _ => at.saturating_add(1),
        }
    }

    fn key(&self, at: usize) -> Cow<'t, str> {
        self.tape
            .nodes
            .get(at)
            .map_or(Cow::Borrowed(""), |node| self.text(*node))
    }

    fn text(&self, node: Node) -> Cow<'t, str> {
        match node {
            Node::Text(start, end) => {
                match self.valid.and_then(|s| s.get(start as usize..end as usize)) {
                    Some(text) => Cow::Borrowed(text),
                    None => go_text(slice(self.source, start, end)),
                }
            }
            Node::Owned(start, end) => go_text(slice(&self.tape.owned, start, end)),
            _ => Cow::Borrowed(""),
        }
    }
}
