//! Text in objects: what `grep`, `log -S` and `log -G` look for.
//!
//! An object is searched field by field. A field is the line that is printed of it, `path: value`; a text of
//! several lines is searched line by line, its first line behind the path. A match must reach into the
//! field's own name or value: what lies in the path above is the field above's, which has a line of its
//! own (`spec.volumes[0].hostPath:`). The place of an item in its list is no name. The value is searched by
//! itself too, so that `^` and `$` hold for it. No match goes over the end of a line. Of a path above of more than
//! [`MAX_TEXT_BYTES`](super::diff::path::MAX_TEXT_BYTES) the middle is neither printed nor searched.
//!
//! Bytes (`data` of a Secret, `binaryData` of a ConfigMap, and what [`Document`] knows to be bytes) are searched
//! as the text that they are, which is base64 only when printed; the base64 itself is searched where the
//! pattern is a literal of at least [`BASE64_CHARS`] characters that could be base64.
//!
//! What is no object is searched as its bytes, line by line ([`Matcher::lines`]).
//!
//! **Invariant:** of a value that is masked nothing is given but its path and its mask: no text, no place of
//! the match, no line number.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::diff::path::{push_segment, without_middle};
use super::diff::walked::PathBuilder;
use super::diff::{FieldNumbers, Path, Segment};

mod document;
mod expression;
mod filter;
mod pattern;

pub use document::Document;
pub use expression::{BASE64_CHARS, PatternError};
pub use pattern::{Matcher, Pattern};

/// A line of an object that matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The field, items of lists by their place; the root for what is no object.
    pub path: Path,
    /// Number of the line, from 1, in a text that has several.
    pub line: Option<usize>,
    /// The line: a text without quotes, another scalar as JSON; empty for a map or list with members, whose
    /// name matches.
    pub text: Vec<u8>,
    /// Where in `text` it matches, in bytes; nowhere where only the name does, or where it is masked.
    pub ranges: Vec<Range<usize>>,
    /// How many matches there are in the line, those in the name too.
    pub matches: usize,
    /// Whether `text` is what base64 stands for.
    pub decoded: bool,
    /// Whether `text` is a mask.
    pub masked: bool,
}

impl Matcher {
    /// The lines of an object that match, in its order. A tree that is only a text is searched as lines.
    pub fn matches(&self, tree: &Value) -> std::vec::IntoIter<Found> {
        self.search(&Document::from(tree), tree).into_iter()
    }

    /// How many matches there are in an object.
    #[must_use]
    pub fn count(&self, tree: &Value) -> usize {
        let lines = self.matches(tree).map(|found| found.matches);
        lines.fold(0, usize::saturating_add)
    }

    /// The lines of a document that match. `shown` is its tree with secrets masked, or the tree itself.
    #[must_use]
    pub fn search(&self, document: &Document<'_>, shown: &Value) -> Vec<Found> {
        let mut walk = Walk::new(self, document);
        walk.run(&document.tree, shown);
        walk.found
    }

    /// Whether any line of a document matches.
    #[must_use]
    pub fn is_in(&self, document: &Document<'_>) -> bool {
        let mut walk = Walk::new(self, document);
        walk.stop_at_first = true;
        walk.run(&document.tree, &document.tree);
        !walk.found.is_empty()
    }

    /// The lines of a text, or of any bytes, that match.
    #[must_use]
    pub fn lines(&self, bytes: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        for (number, line) in numbered(bytes) {
            let ranges = self.in_text(line);
            if !ranges.is_empty() {
                found.push(Found {
                    path: Path::default(),
                    line: number,
                    text: line.to_vec(),
                    matches: ranges.len(),
                    ranges,
                    decoded: false,
                    masked: false,
                });
            }
        }
        found
    }
}

/// Whether the number of matches is not the same in two versions: `git log -S`. `None` is no object at all.
#[must_use]
pub fn pickaxe_s(old: Option<&Value>, new: Option<&Value>, matcher: &Matcher) -> bool {
    let count = |version: Option<&Value>| version.map_or(0, |tree| matcher.count(tree));
    count(old) != count(new)
}

/// Whether a matching line came or went between two versions: `git log -G`. An item that only moved in its
/// list did neither. With [`Matcher::with_whole_paths`] a pattern such as `^spec.template` matches each line below too.
#[must_use]
pub fn pickaxe_g(old: Option<&Value>, new: Option<&Value>, matcher: &Matcher) -> bool {
    let mut numbers = FieldNumbers::default();
    let mut lines = |version: Option<&Value>| {
        let found = version.map(|tree| matcher.matches(tree));
        let mut lines: Vec<(usize, Vec<u8>)> = found
            .into_iter()
            .flatten()
            .map(|found| (numbers.number(&found.path), found.text))
            .collect();
        lines.sort_unstable();
        lines
    };
    lines(old) != lines(new)
}

/// The lines of a text without their ends, numbered where there are several.
fn numbered(text: &[u8]) -> impl Iterator<Item = (Option<usize>, &[u8])> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let several = text.contains(&b'\n');
    let lines = text.split(|byte| *byte == b'\n');
    (1_usize..)
        .zip(lines)
        .map(move |(number, line)| (several.then_some(number), line))
}

/// A map or list on the way, the real one beside the shown one. Its path is as [`Path::short`] has it: a long name
/// above many fields would be searched once for each of them.
enum Frame<'v> {
    /// Its members, its path, and which of them are maps of bytes.
    Map(
        std::iter::Zip<serde_json::map::Iter<'v>, serde_json::map::Iter<'v>>,
        String,
        Option<&'static str>,
    ),
    /// Its items, and its path.
    List(
        std::iter::Enumerate<
            std::iter::Zip<std::slice::Iter<'v, Value>, std::slice::Iter<'v, Value>>,
        >,
        String,
    ),
}

/// Goes through one document. The stack is on the heap, for a tree may be deep.
struct Walk<'m> {
    matcher: &'m Matcher,
    document: &'m Document<'m>,
    /// The real path as text.
    path: String,
    /// The path as it is shown.
    shown: PathBuilder,
    /// `path: line`, used again and again.
    joined: Vec<u8>,
    found: Vec<Found>,
    stop_at_first: bool,
}

impl<'m> Walk<'m> {
    fn new(matcher: &'m Matcher, document: &'m Document<'m>) -> Self {
        Self {
            matcher,
            document,
            path: String::new(),
            shown: PathBuilder::default(),
            joined: Vec::new(),
            found: Vec::new(),
            stop_at_first: false,
        }
    }

    fn run(&mut self, real: &Value, shown: &Value) {
        let mut stack = Vec::new();
        if !is_container(real) {
            self.scalar(real, shown, None, false);
        }
        stack.extend(frame(real, shown, ""));
        while let Some(top) = stack.last_mut() {
            if self.stop_at_first && !self.found.is_empty() {
                return;
            }
            let next = match top {
                Frame::Map(members, above, _) => {
                    members.next().map(|((key, real), (name, shown))| {
                        self.path.clone_from(above);
                        let own = push_segment(&mut self.path, &Segment::Key(key.clone()));
                        (Segment::Key(name.clone()), Some(own), real, shown)
                    })
                }
                Frame::List(items, above) => items.next().map(|(index, (real, shown))| {
                    self.path.clone_from(above);
                    push_segment(&mut self.path, &Segment::Index(index));
                    (Segment::Index(index), None, real, shown)
                }),
            };
            let Some((segment, own, real, shown)) = next else {
                stack.pop();
                self.shown.pop();
                continue;
            };
            self.shown.push(segment);
            if self.is_left_out() {
                self.shown.pop();
                continue;
            }
            match frame(real, shown, &self.path) {
                Some(frame) => {
                    self.container(real, own);
                    stack.push(frame);
                }
                None if is_container(real) => {
                    self.sealed(real, shown, own);
                    self.shown.pop();
                }
                None => {
                    let by_place = self.is_bytes_field(&stack);
                    self.scalar(real, shown, own, by_place);
                    self.shown.pop();
                }
            }
        }
    }

    fn is_left_out(&self) -> bool {
        let [Segment::Key(first), Segment::Key(second)] = self.shown.steps() else {
            return false;
        };
        !self.matcher.managed_fields && first == "metadata" && second == "managedFields"
    }

    /// A map or list with members: its name is its line.
    fn container(&mut self, real: &Value, own: Option<usize>) {
        let Some(own) = own else { return };
        let text: &[u8] = match real {
            Value::Array(items) if items.is_empty() => b"[]",
            Value::Object(map) if map.is_empty() => b"{}",
            _ => b"",
        };
        if let Some((matches, ranges)) = self.line(Some(own), text) {
            self.push(None, text, matches, ranges);
        }
    }

    /// A map or list that is shown as one mask: whatever matches in it is told as that.
    fn sealed(&mut self, real: &Value, shown: &Value, own: Option<usize>) {
        let document = Document {
            tree: Cow::Borrowed(real),
            bytes: Arc::clone(&self.document.bytes),
        };
        let name = self.line(own, b"").map_or(0, |(matches, _)| matches);
        let inside = self.matcher.search(&document, real);
        let inside = inside.iter().map(|found| found.matches);
        self.push_masked(inside.fold(name, usize::saturating_add), shown);
    }

    fn scalar(&mut self, real: &Value, shown: &Value, own: Option<usize>, by_place: bool) {
        let text = scalar_text(real);
        let is_bytes = by_place || self.document.bytes.contains(&*text);
        let masked = !std::ptr::eq(real, shown) && real != shown;
        if masked {
            let mut matches = 0_usize;
            self.each_line(&text, own, is_bytes, |_, _, _, count, _| {
                matches = matches.saturating_add(count);
            });
            return self.push_masked(matches, shown);
        }
        let mut found = Vec::new();
        self.each_line(
            &text,
            own,
            is_bytes,
            |number, line, decoded, matches, ranges| {
                found.push((number, line.to_vec(), decoded, matches, ranges));
            },
        );
        for (number, line, decoded, matches, ranges) in found {
            self.push(number, &line, matches, ranges);
            if let Some(last) = self.found.last_mut() {
                last.decoded = decoded;
            }
        }
    }

    /// Tells the matching lines of a scalar: number, line, whether it was decoded, and the matches.
    fn each_line(
        &mut self,
        text: &str,
        own: Option<usize>,
        is_bytes: bool,
        mut tell: impl FnMut(Option<usize>, &[u8], bool, usize, Vec<Range<usize>>),
    ) {
        let bytes = is_bytes.then(|| STANDARD.decode(text).ok());
        let Some(bytes) = bytes.flatten() else {
            for (nth, (number, line)) in numbered(text.as_bytes()).enumerate() {
                let own = own.or(Some(self.path.len())).filter(|_| nth == 0);
                if let Some((matches, ranges)) = self.line(own, line) {
                    tell(number, line, false, matches, ranges);
                }
            }
            return;
        };
        if self.matcher.in_base64 {
            let ranges = self.matcher.in_text(text.as_bytes());
            if !ranges.is_empty() {
                tell(None, text.as_bytes(), false, ranges.len(), ranges);
            }
        }
        for (nth, (number, line)) in numbered(&bytes).enumerate() {
            let own = own.or(Some(self.path.len())).filter(|_| nth == 0);
            match self.line(own, line) {
                // Only the name: nothing has to be decoded to show that.
                Some((matches, ranges)) if ranges.is_empty() => {
                    tell(None, text.as_bytes(), false, matches, ranges);
                }
                Some((matches, ranges)) => tell(number, line, true, matches, ranges),
                None => {}
            }
        }
    }

    /// Whether what comes is a value of the bytes of a Secret or ConfigMap, wherever that is.
    fn is_bytes_field(&self, stack: &[Frame<'_>]) -> bool {
        let ([.., Frame::Map(_, _, Some(bytes)), Frame::Map(..)], [.., Segment::Key(field), _]) =
            (stack, self.shown.steps())
        else {
            return false;
        };
        bytes == field
    }

    /// The matches in a line: in `path: line` those that reach behind `own`, else those in the line alone.
    /// The ranges are of the line.
    fn line(&mut self, own: Option<usize>, line: &[u8]) -> Option<(usize, Vec<Range<usize>>)> {
        if let Some(own) = own.filter(|_| !self.path.is_empty()) {
            self.joined.clear();
            self.joined.extend_from_slice(self.path.as_bytes());
            self.joined.push(b':');
            if !line.is_empty() {
                self.joined.push(b' ');
            }
            let start = self.joined.len();
            self.joined.extend_from_slice(line);
            let own = if self.matcher.whole_paths { 0 } else { own };
            let found = self.matcher.reaching(&self.joined, own);
            if !found.is_empty() {
                let in_line = |range: &Range<usize>| {
                    let from = range.start.saturating_sub(start);
                    let to = range.end.saturating_sub(start);
                    (range.end > start).then_some(from..to)
                };
                return Some((found.len(), found.iter().filter_map(in_line).collect()));
            }
        }
        let found = self.matcher.in_text(line);
        (!found.is_empty()).then_some((found.len(), found))
    }

    fn push(
        &mut self,
        line: Option<usize>,
        text: &[u8],
        matches: usize,
        ranges: Vec<Range<usize>>,
    ) {
        self.found.push(Found {
            path: self.shown.path(),
            line,
            text: text.to_vec(),
            ranges,
            matches,
            decoded: false,
            masked: false,
        });
    }

    fn push_masked(&mut self, matches: usize, shown: &Value) {
        if matches == 0 {
            return;
        }
        self.push(None, scalar_text(shown).as_bytes(), 1, Vec::new());
        if let Some(last) = self.found.last_mut() {
            last.masked = true;
        }
    }
}

fn is_container(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// The way into a map or list; none where it is shown as something else.
fn frame<'v>(real: &'v Value, shown: &'v Value, path: &str) -> Option<Frame<'v>> {
    let path = || without_middle(path);
    match (real, shown) {
        (Value::Object(real), Value::Object(shown)) => {
            Some(Frame::Map(real.iter().zip(shown), path(), bytes_of(real)))
        }
        (Value::Array(real), Value::Array(shown)) => {
            Some(Frame::List(real.iter().zip(shown).enumerate(), path()))
        }
        _ => None,
    }
}

/// The name of the map of bytes of an object that has one.
fn bytes_of(map: &Map<String, Value>) -> Option<&'static str> {
    let says = |name: &str| map.get(name).and_then(Value::as_str);
    match (says("apiVersion")?, says("kind")?) {
        ("v1", "Secret") => Some("data"),
        ("v1", "ConfigMap") => Some("binaryData"),
        _ => None,
    }
}

fn scalar_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}
