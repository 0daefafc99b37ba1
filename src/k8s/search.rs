//! Searches texts in objects, for `grep`, `log -S` and `log -G`.
//!
//! **Fields and lines.** An object is searched field by field. A field is searched as the line in which it is printed,
//! `path: value`. A text of several lines is searched line by line, with the path before its first line. The value is
//! also searched alone, so that `^` and `$` match its start and end. A match does not extend over the end of a line.
//!
//! **A match must reach the field's own name or value.** A match in the parent path alone belongs to the parent, which
//! has its own line (`spec.volumes[0].hostPath:`). Example: `hostPath` matches the line `spec.volumes[0].hostPath:` but
//! not `spec.volumes[0].hostPath.path: /var`. The index of a list item is not a name. If the parent path is longer than
//! [`MAX_TEXT_BYTES`](super::diff::path::MAX_TEXT_BYTES), its middle is neither printed nor searched.
//!
//! **Bytes** (`data` of a Secret, `binaryData` of a ConfigMap, and those that [`Document`] lists) are decoded from base64
//! and searched as text. The base64 text itself is searched only if the pattern is a literal of at least
//! [`BASE64_CHARS`] characters that could be base64.
//!
//! **Other values** that are not objects are searched as bytes, line by line ([`Matcher::lines`]).
//!
//! **Invariant:** for a masked value only its path and its mask are returned: no text, no position, no line number.

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
mod lines;
mod pattern;

pub use document::Document;
pub use expression::{BASE64_CHARS, PatternError};
pub use pattern::{Matcher, Pattern};

/// A line of an object that matches.
#[derive(Debug, Clone, PartialEq)]
pub struct MatchedLine {
    /// The path of the field, with list items by their index; the root if the value is not an object.
    pub path: Path,
    /// The number of the line, from 1, in a text of several lines.
    pub line: Option<usize>,
    /// The line: a text without quotes, another scalar as JSON; empty for a map or list with elements whose name matches.
    pub text: Vec<u8>,
    /// The matches in `text`, in bytes; empty if only the name matches or the value is masked.
    pub ranges: Vec<Range<usize>>,
    /// The number of matches in the line, including those in the name.
    pub matches: usize,
    /// Whether `text` was decoded from base64.
    pub decoded: bool,
    /// Whether `text` is a mask.
    pub masked: bool,
}

impl Matcher {
    /// The lines of an object that match, in the object's order. A tree that is only a text is searched as lines.
    pub fn matches(&self, tree: &Value) -> std::vec::IntoIter<MatchedLine> {
        self.search(&Document::from(tree), tree).into_iter()
    }

    /// The number of matches in an object.
    #[must_use]
    pub fn count(&self, tree: &Value) -> usize {
        let lines = self.matches(tree).map(|found| found.matches);
        lines.fold(0, usize::saturating_add)
    }

    /// The lines of a document that match. `shown` is its tree with secrets masked, or the same tree.
    #[must_use]
    pub fn search(&self, document: &Document<'_>, shown: &Value) -> Vec<MatchedLine> {
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
    pub fn lines(&self, bytes: &[u8]) -> Vec<MatchedLine> {
        let mut found = Vec::new();
        for (number, line) in numbered(bytes) {
            let ranges = self.in_text(line);
            if !ranges.is_empty() {
                found.push(MatchedLine {
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

/// Whether the number of matches differs between two versions: `git log -S`. `None` means that there is no object.
#[must_use]
pub fn pickaxe_s(old: Option<&Value>, new: Option<&Value>, matcher: &Matcher) -> bool {
    let count = |version: Option<&Value>| version.map_or(0, |tree| matcher.count(tree));
    count(old) != count(new)
}

/// Whether a matching line was added or removed between two versions: `git log -G`. Moving an item within its list is
/// neither. With [`Matcher::with_whole_paths`], a pattern such as `^spec.template` also matches all lines below it.
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

/// The lines of a text without their line ends, numbered if there are several.
fn numbered(text: &[u8]) -> impl Iterator<Item = (Option<usize>, &[u8])> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let several = text.contains(&b'\n');
    let lines = text.split(|byte| *byte == b'\n');
    (1_usize..)
        .zip(lines)
        .map(move |(number, line)| (several.then_some(number), line))
}

/// A map or list that is being walked: the real one together with the shown one. Its path is the text of
/// [`Path::short`], because a long name above many fields would be searched once for each of them.
enum Level<'v> {
    /// The members, the path, and the name of the member whose values are base64 of bytes.
    Map(
        std::iter::Zip<serde_json::map::Iter<'v>, serde_json::map::Iter<'v>>,
        String,
        Option<&'static str>,
    ),
    /// The items and the path.
    List(
        std::iter::Enumerate<
            std::iter::Zip<std::slice::Iter<'v, Value>, std::slice::Iter<'v, Value>>,
        >,
        String,
    ),
}

/// The walk over one document. Its stack is on the heap, because a tree may be deep.
struct Walk<'m> {
    matcher: &'m Matcher,
    document: &'m Document<'m>,
    /// The path of the current field as text, from the real tree.
    path: String,
    /// The path of the current field, from the shown tree.
    shown: PathBuilder,
    /// A buffer for `path: line`.
    joined: Vec<u8>,
    found: Vec<MatchedLine>,
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

    /// Walks the document and collects the matching lines.
    fn run(&mut self, real: &Value, shown: &Value) {
        let mut stack = Vec::new();
        if !is_container(real) {
            self.scalar(real, shown, None, false);
        }
        stack.extend(level(real, shown, ""));
        while let Some(top) = stack.last_mut() {
            if self.stop_at_first && !self.found.is_empty() {
                return;
            }
            let next = match top {
                Level::Map(members, parent, _) => {
                    members.next().map(|((key, real), (name, shown))| {
                        self.path.clone_from(parent);
                        let name_start = push_segment(&mut self.path, &Segment::Key(key.clone()));
                        (Segment::Key(name.clone()), Some(name_start), real, shown)
                    })
                }
                Level::List(items, parent) => items.next().map(|(index, (real, shown))| {
                    self.path.clone_from(parent);
                    push_segment(&mut self.path, &Segment::Index(index));
                    (Segment::Index(index), None, real, shown)
                }),
            };
            let Some((segment, name_start, real, shown)) = next else {
                stack.pop();
                self.shown.pop();
                continue;
            };
            self.shown.push(segment);
            if self.is_left_out() {
                self.shown.pop();
                continue;
            }
            match level(real, shown, &self.path) {
                Some(level) => {
                    self.container(real, name_start);
                    stack.push(level);
                }
                None if is_container(real) => {
                    self.masked_container(real, shown, name_start);
                    self.shown.pop();
                }
                None => {
                    let is_bytes = self.is_bytes_field(&stack);
                    self.scalar(real, shown, name_start, is_bytes);
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

    /// Searches the line of a map or list, which has only a name.
    fn container(&mut self, real: &Value, name_start: Option<usize>) {
        let Some(name_start) = name_start else {
            return;
        };
        let text: &[u8] = match real {
            Value::Array(items) if items.is_empty() => b"[]",
            Value::Object(map) if map.is_empty() => b"{}",
            _ => b"",
        };
        if let Some((matches, ranges)) = self.line(Some(name_start), text) {
            self.push(None, text, matches, ranges);
        }
    }

    /// Searches a map or list that is shown as one mask. All matches in it count as matches of the mask.
    fn masked_container(&mut self, real: &Value, shown: &Value, name_start: Option<usize>) {
        let document = Document {
            tree: Cow::Borrowed(real),
            bytes: Arc::clone(&self.document.bytes),
        };
        let name = self.line(name_start, b"").map_or(0, |(matches, _)| matches);
        let inside = self.matcher.search(&document, real);
        let inside = inside.iter().map(|found| found.matches);
        self.push_masked(inside.fold(name, usize::saturating_add), shown);
    }

    /// Searches a scalar. `is_bytes` means that its field has base64 of bytes.
    fn scalar(&mut self, real: &Value, shown: &Value, name_start: Option<usize>, is_bytes: bool) {
        let text = scalar_text(real);
        let is_bytes = is_bytes || self.document.bytes.contains(&*text);
        let masked = !std::ptr::eq(real, shown) && real != shown;
        if masked {
            let mut matches = 0_usize;
            self.each_line(&text, name_start, is_bytes, |_, _, _, count, _| {
                matches = matches.saturating_add(count);
            });
            return self.push_masked(matches, shown);
        }
        let mut found = Vec::new();
        self.each_line(
            &text,
            name_start,
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

    /// Calls `report` for each matching line of a scalar: line number, line, whether it was decoded from base64, number of
    /// matches, ranges.
    fn each_line(
        &mut self,
        text: &str,
        name_start: Option<usize>,
        is_bytes: bool,
        mut report: impl FnMut(Option<usize>, &[u8], bool, usize, Vec<Range<usize>>),
    ) {
        let bytes = is_bytes.then(|| STANDARD.decode(text).ok());
        let Some(bytes) = bytes.flatten() else {
            for (nth, (number, line)) in numbered(text.as_bytes()).enumerate() {
                let name_start = name_start.or(Some(self.path.len())).filter(|_| nth == 0);
                if let Some((matches, ranges)) = self.line(name_start, line) {
                    report(number, line, false, matches, ranges);
                }
            }
            return;
        };
        if self.matcher.in_base64 {
            let ranges = self.matcher.in_text(text.as_bytes());
            if !ranges.is_empty() {
                report(None, text.as_bytes(), false, ranges.len(), ranges);
            }
        }
        for (nth, (number, line)) in numbered(&bytes).enumerate() {
            let name_start = name_start.or(Some(self.path.len())).filter(|_| nth == 0);
            match self.line(name_start, line) {
                // Only the name matches, so the value is shown as it is stored.
                Some((matches, ranges)) if ranges.is_empty() => {
                    report(None, text.as_bytes(), false, matches, ranges);
                }
                Some((matches, ranges)) => report(number, line, true, matches, ranges),
                None => {}
            }
        }
    }

    /// Whether the current field is a value in the bytes map of a Secret or ConfigMap, at any depth of the document.
    fn is_bytes_field(&self, stack: &[Level<'_>]) -> bool {
        let ([.., Level::Map(_, _, Some(bytes)), Level::Map(..)], [.., Segment::Key(field), _]) =
            (stack, self.shown.steps())
        else {
            return false;
        };
        bytes == field
    }

    /// The number of matches in a line, and their ranges within `line`. With `name_start`, `path: line` is searched for
    /// matches that end after the start of the field's name. If there are none, `line` is searched alone.
    fn line(
        &mut self,
        name_start: Option<usize>,
        line: &[u8],
    ) -> Option<(usize, Vec<Range<usize>>)> {
        if let Some(name_start) = name_start.filter(|_| !self.path.is_empty()) {
            self.joined.clear();
            self.joined.extend_from_slice(self.path.as_bytes());
            self.joined.push(b':');
            if !line.is_empty() {
                self.joined.push(b' ');
            }
            let start = self.joined.len();
            self.joined.extend_from_slice(line);
            let min_end = if self.matcher.whole_paths {
                0
            } else {
                name_start
            };
            let found = self.matcher.matches_ending_after(&self.joined, min_end);
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
        self.found.push(MatchedLine {
            path: self.shown.path(),
            line,
            text: text.to_vec(),
            ranges,
            matches,
            decoded: false,
            masked: false,
        });
    }

    /// Adds one line with a mask, if there are matches in it.
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

/// The level for a map or list; None if it is shown as something else.
fn level<'v>(real: &'v Value, shown: &'v Value, path: &str) -> Option<Level<'v>> {
    let path = || without_middle(path);
    match (real, shown) {
        (Value::Object(real), Value::Object(shown)) => Some(Level::Map(
            real.iter().zip(shown),
            path(),
            bytes_member(real),
        )),
        (Value::Array(real), Value::Array(shown)) => {
            Some(Level::List(real.iter().zip(shown).enumerate(), path()))
        }
        _ => None,
    }
}

/// The name of the member whose values are base64 of bytes, if the object is a Secret or ConfigMap.
fn bytes_member(map: &Map<String, Value>) -> Option<&'static str> {
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    match (text("apiVersion")?, text("kind")?) {
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
