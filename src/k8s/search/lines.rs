//! A test on the lines of a decoded value that builds no tree.
//!
//! Most values of a store do not match a pattern. So the lines that [`Matcher::search`] would search are searched first
//! while the value is decoded, and only if one of them matches is the object built.
//!
//! **Invariant:** if the test says no, no line matches. It may say yes for any value: for those with bytes, which are
//! searched decoded, for long paths, and for a match in the path of the parent alone.

use serde_json::Number;

use super::super::decode::{Options, decode};
use super::super::diff::Segment;
use super::super::diff::path::{MAX_TEXT_BYTES, is_plain, push_segment};
use super::super::envelope::PROTOBUF_MAGIC;
use super::super::sink::{Order, Sink};
use super::{Matcher, numbered};

impl Matcher {
    /// Whether a line of a decrypted value may match. False is certain, true is not. It is true for every value that is
    /// no object in protobuf or cannot be decoded.
    #[must_use]
    pub fn may_match_lines(&self, stored: &[u8]) -> bool {
        if !stored.starts_with(PROTOBUF_MAGIC) {
            return true;
        }
        let mut sink = LineSink::new(self);
        let options = Options::from(Order::Declared);
        let decoded = decode(stored, options, &mut sink);
        sink.may_match || decoded.is_err()
    }
}

/// The room that paths and lines of most objects need, in bytes.
const ROOM: usize = 256;

/// A container that has not ended.
struct Open {
    /// Length of its path.
    path_len: usize,
    /// The index of the next item of a list; none for a map.
    next: Option<usize>,
    is_empty: bool,
    /// Whether it is a member of a map. Then its name is searched.
    has_name: bool,
}

/// Searches lines while they are decoded.
struct LineSink<'m> {
    matcher: &'m Matcher,
    /// The path of the current value.
    path: String,
    open: Vec<Open>,
    /// A buffer for `path: line`.
    joined: Vec<u8>,
    /// Whether the current key is `kind`.
    is_kind: bool,
    /// Whether the value of the current key is left out.
    is_left_out: bool,
    /// The number of open containers within a value that is left out.
    left_out: usize,
    may_match: bool,
}

impl<'m> LineSink<'m> {
    fn new(matcher: &'m Matcher) -> Self {
        Self {
            matcher,
            path: String::with_capacity(ROOM),
            open: Vec::with_capacity(ROOM / 8),
            joined: Vec::with_capacity(ROOM),
            is_kind: false,
            is_left_out: false,
            left_out: 0,
            may_match: false,
        }
    }

    /// Whether a value is searched. Completes its path.
    fn enter(&mut self) -> bool {
        if self.may_match || self.left_out > 0 || std::mem::take(&mut self.is_left_out) {
            return false;
        }
        if let Some(open) = self.open.last_mut() {
            open.is_empty = false;
            if let Some(next) = &mut open.next {
                self.path.truncate(open.path_len);
                push_segment(&mut self.path, &Segment::Index(*next));
                *next = next.saturating_add(1);
            }
        }
        true
    }

    /// Searches a line: with its path, if that is not empty, and alone.
    fn line(&mut self, with_path: bool, line: &[u8]) {
        let with_path = with_path && !self.path.is_empty();
        if with_path {
            self.joined.clear();
            self.joined.extend_from_slice(self.path.as_bytes());
            self.joined.push(b':');
            if !line.is_empty() {
                self.joined.push(b' ');
            }
            self.joined.extend_from_slice(line);
            self.may_match |= self.matcher.is_in_text(&self.joined);
        }
        if !with_path || self.matcher.looks_around {
            self.may_match |= self.matcher.is_in_text(line);
        }
    }

    fn scalar(&mut self, text: &str) {
        if !self.enter() {
            return;
        }
        for (nth, (_, line)) in numbered(text.as_bytes()).enumerate() {
            self.line(nth == 0, line);
        }
    }

    fn begin(&mut self, next: Option<usize>) {
        let is_left_out = self.left_out > 0 || self.is_left_out;
        if !self.enter() {
            if is_left_out {
                self.left_out = self.left_out.saturating_add(1);
            }
            return;
        }
        let in_map = self.open.last().is_some_and(|open| open.next.is_none());
        self.may_match |= self.path.len() > MAX_TEXT_BYTES;
        self.is_kind = false;
        self.open.push(Open {
            path_len: self.path.len(),
            next,
            is_empty: true,
            has_name: in_map,
        });
    }

    fn end(&mut self, empty: &[u8]) {
        if self.left_out > 0 {
            self.left_out = self.left_out.saturating_sub(1);
            return;
        }
        if self.may_match {
            return;
        }
        if let Some(open) = self.open.pop().filter(|open| open.has_name) {
            self.path.truncate(open.path_len);
            self.line(true, if open.is_empty { empty } else { b"" });
        }
    }
}

impl Sink for LineSink<'_> {
    fn null(&mut self) {
        self.scalar("null");
    }
    fn bool(&mut self, value: bool) {
        self.scalar(if value { "true" } else { "false" });
    }
    fn int(&mut self, value: i64) {
        self.scalar(itoa::Buffer::new().format(value));
    }
    fn uint(&mut self, value: u64) {
        self.scalar(itoa::Buffer::new().format(value));
    }
    fn float(&mut self, value: f64) {
        let text = Number::from_f64(value).map(|number| number.to_string());
        self.scalar(&text.unwrap_or_else(|| value.to_string()));
    }
    fn string(&mut self, value: &str) {
        // A Secret, or a ConfigMap within another document, may have bytes as texts.
        let has_bytes = match value {
            "Secret" => self.is_kind,
            "ConfigMap" => self.is_kind && self.open.len() > 1,
            _ => false,
        };
        self.may_match |= has_bytes;
        self.scalar(value);
    }
    fn drops_value(&self) -> bool {
        self.may_match || self.left_out > 0 || self.is_left_out
    }
    fn base64(&mut self, value: &[u8]) {
        self.may_match |= !value.is_empty();
        self.scalar("");
    }
    fn begin_map(&mut self) {
        self.begin(None);
    }
    fn key(&mut self, key: &str) {
        let Some(open) = self.open.last_mut().filter(|_| self.left_out == 0) else {
            return;
        };
        open.is_empty = false;
        self.path.truncate(open.path_len);
        if is_plain(key) {
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(key);
        } else {
            push_segment(&mut self.path, &Segment::Key(key.to_owned()));
        }
        self.is_kind = key == "kind";
        self.is_left_out = !self.matcher.managed_fields
            && self.open.len() == 2
            && self.path == "metadata.managedFields";
    }
    fn end_map(&mut self) {
        self.end(b"{}");
    }
    fn begin_list(&mut self) {
        self.begin(Some(0));
    }
    fn end_list(&mut self) {
        self.end(b"[]");
    }
}
