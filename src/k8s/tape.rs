//! A parsed document (JSON or CBOR) as one flat list of nodes, and its way into a [`Sink`].
//!
//! Parsing first and telling afterwards has two reasons: a document that turns out to be broken
//! must not have been told by half, and sorted orders need a map's keys before its values.

use std::borrow::Cow;

use super::order::{before, keep_last, sort_by};
use super::sink::{Number, Order, Sink};
use super::special::go_text;

/// How deep a document may nest: serde_json's limit too. Real objects stay below 30.
pub(super) const MAX_NESTING: usize = 128;

/// One value; texts are ranges of the source or of [`Tape::owned`]. A map is followed by its keys
/// and values in turn, a list by its items.
#[derive(Debug, Clone, Copy)]
pub(super) enum Node {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    /// A number as text, by JSON's grammar.
    Number(u32, u32),
    /// A text of the source.
    Text(u32, u32),
    /// A text that had to be put together.
    Owned(u32, u32),
    /// Bytes of the source, to be told as base64.
    Base64(u32, u32),
    /// A map, and the index of the first node behind it.
    Map(u32),
    /// A list, and the index of the first node behind it.
    List(u32),
}

/// The nodes of one document, in its order; reused from one to the next.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) nodes: Vec<Node>,
    pub(super) owned: Vec<u8>,
}

/// A position as the nodes keep it. Whoever parses has made sure that the source is below 4 GiB.
pub(super) fn pos(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn slice(bytes: &[u8], start: u32, end: u32) -> &[u8] {
    bytes.get(start as usize..end as usize).unwrap_or_default()
}

impl Tape {
    /// Empties the tape for a document of so many bytes.
    pub(super) fn start(&mut self, source_len: usize) {
        self.nodes.clear();
        self.owned.clear();
        self.nodes.reserve(source_len / 8);
    }

    /// Closes the map or list opened at `at`.
    pub(super) fn close(&mut self, at: usize, node: fn(u32) -> Node) {
        let end = pos(self.nodes.len());
        if let Some(open) = self.nodes.get_mut(at) {
            *open = node(end);
        }
    }

    /// Opens a map or a list; its index. Until it is closed all that follows is in it: a document that breaks
    /// in it is read so far.
    pub(super) fn open(&mut self, node: fn(u32) -> Node) -> usize {
        let at = self.nodes.len();
        self.nodes.push(node(u32::MAX));
        at
    }

    /// Whether the document is a map that has a text under this key, as far as it was parsed.
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

    /// Tells the whole document. `verbatim`: numbers as they are written, where order is Declared.
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

struct Replay<'t> {
    tape: &'t Tape,
    source: &'t [u8],
    /// The source, if all of it is UTF-8: checked once, not for every text.
    valid: Option<&'t str>,
    order: Order,
    verbatim: bool,
}

impl<'t> Replay<'t> {
    /// Tells the value at `at` and returns the index behind it. The parser has limited the depth.
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

    /// Declared: as the bytes are, even if a key comes twice. Otherwise the last of equal keys
    /// counts, as for every reader of JSON in Go.
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
            keep_last(&mut keys, |at| self.key(*at));
            sort_by(&mut keys, &mut |a, b| {
                before(self.order, &self.key(*a), &self.key(*b))
            });
            for at in keys {
                sink.key(&self.key(at));
                self.value(at.saturating_add(1), sink);
            }
        }
        sink.end_map();
    }

    /// Are the keys in order, and each there once? Only the order by bytes, in which writers have them, shows the latter.
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
