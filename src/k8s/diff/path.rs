//! [`Path`], the place of a value in a tree, and its text form.
//!
//! ```text
//! path     = [ name *( "." name / bracket ) / 1*bracket *( "." name / bracket ) ]   ; "" is the root
//! bracket  = "[" ( quoted / index / "=" scalar / member *( "," member ) ) "]"
//! member   = name *( "." name ) "=" [ scalar / bare ]     ; nothing after "=": the item does not have this member
//! name     = ( letter / "_" ) *( letter / digit / "_" )
//! quoted   = a JSON string
//! scalar   = a JSON string, number, true, false, null
//! bare     = letters, digits and _-./:@*+ , unless it is a number, true, false or null
//! ```
//!
//! Examples: `spec.containers[name=web].image`, `metadata.labels["app.kubernetes.io/name"]`, `args[2]`.

use std::fmt::{self, Display, Write};
use std::sync::{Arc, OnceLock};

use serde_json::{Number, Value};

/// One step from a value to one of its children.
#[derive(Debug, Clone, PartialEq)]
pub enum Segment {
    /// A member of a map: `.name` or `["any name"]`.
    Key(String),
    /// The only item of a list whose members have these values: `[name=web]`, `[port=80,protocol=TCP]`,
    /// `[metadata.name=web]`. `None` means that the item does not have the member, written `namespace=`. The names are
    /// plain (see [`is_plain`]); a name in a nested map is joined to its parents with dots.
    Identity(Vec<(String, Option<Value>)>),
    /// The item of a list that equals this scalar: `[="value"]`.
    Item(Value),
    /// The item at this index, from 0: `[3]`.
    Index(usize),
}

/// The member of an item that an [identity](Segment::Identity) refers to.
#[must_use]
pub fn member<'a>(item: &'a Value, name: &str) -> Option<&'a Value> {
    name.split('.').try_fold(item, |value, key| value.get(key))
}

/// The steps from the root of a tree to one of its values. The empty path is the root.
///
/// A path is a linked list from its last step to the root, and paths share their common parents: the path of a map
/// exists once, however many of its members have a path. So memory grows with the number of values, not with their
/// number times the length of their paths.
#[derive(Clone, Default)]
pub struct Path(Option<Arc<Step>>);

/// The last step of a path, and the parent path.
struct Step {
    parent: Path,
    segment: Segment,
    /// The number of steps in the path.
    depth: usize,
    /// The length of the path's text.
    bytes: usize,
    /// The cached start of [`Path::short`] for the children of this path.
    short_prefix: OnceLock<Box<str>>,
}

/// The length in bytes above which a path is shortened in the middle, where it is repeated for many values.
pub const MAX_TEXT_BYTES: usize = 1024;

/// The text of a path; if it is longer than [`MAX_TEXT_BYTES`], its middle is replaced with `...`.
pub(in crate::k8s) fn without_middle(text: &str) -> String {
    if text.len() <= MAX_TEXT_BYTES {
        return text.to_owned();
    }
    let from = text.len().saturating_sub(MAX_TEXT_BYTES / 2);
    let start = text.floor_char_boundary(MAX_TEXT_BYTES / 2);
    let end = text.ceil_char_boundary(from);
    let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
    part(text.get(..start)) + "..." + &part(text.get(end..))
}

/// Appends a segment to the text of a path. Returns the offset of the segment without its dot.
pub(in crate::k8s) fn push_segment(text: &mut String, segment: &Segment) -> usize {
    if matches!(segment, Segment::Key(key) if is_plain(key)) && !text.is_empty() {
        text.push('.');
    }
    let own = text.len();
    // Writing to a `String` cannot fail.
    let _ = write!(text, "{segment}");
    own
}

/// Why a text is not a valid [`Path`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathError {
    /// The offset in bytes of the error.
    pub offset: usize,
    /// What the grammar requires there.
    pub expected: &'static str,
}

impl Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "not a path: expected {} at byte {}",
            self.expected, self.offset
        )
    }
}

impl std::error::Error for PathError {}

/// Whether a path can contain a key without quotes.
#[must_use]
pub fn is_plain(key: &str) -> bool {
    let mut bytes = key.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_bare_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"_-./:@*+".contains(&b)
}

/// Whether a text has the form of a JSON number, of any size.
fn is_number(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((m, e)) => (m, e.strip_prefix(['+', '-']).unwrap_or(e)),
        None => (text, "0"),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    digits(whole) && digits(fraction) && digits(exponent)
}

fn is_bare(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(is_bare_byte)
        && !matches!(text, "null" | "true" | "false")
        && !is_number(text)
}

fn write_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_str(&serde_json::to_string(text).map_err(|_| fmt::Error)?)
}

impl Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Segment::Key(key) if is_plain(key) => f.write_str(key),
            Segment::Key(key) => {
                f.write_char('[')?;
                write_quoted(f, key)?;
                f.write_char(']')
            }
            Segment::Index(index) => write!(f, "[{index}]"),
            Segment::Item(value) => write!(f, "[={}]", super::tree::to_json(value)),
            Segment::Identity(members) => {
                for (i, (name, value)) in members.iter().enumerate() {
                    f.write_char(if i == 0 { '[' } else { ',' })?;
                    f.write_str(name)?;
                    f.write_char('=')?;
                    match value {
                        None => {}
                        Some(Value::String(text)) if is_bare(text) => f.write_str(text)?,
                        Some(value) => f.write_str(&super::tree::to_json(value))?,
                    }
                }
                f.write_char(']')
            }
        }
    }
}

impl Segment {
    /// The length of its text in bytes.
    fn text_len(&self) -> usize {
        /// A writer that counts bytes.
        struct Count(usize);
        impl Write for Count {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0 = self.0.saturating_add(text.len());
                Ok(())
            }
        }
        let mut count = Count(0);
        // Counting cannot fail.
        let _ = write!(count, "{self}");
        count.0
    }
}

impl Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, segment) in self.segments().into_iter().enumerate() {
            if let Segment::Key(key) = segment
                && i > 0
                && is_plain(key)
            {
                f.write_char('.')?;
            }
            segment.fmt(f)?;
        }
        Ok(())
    }
}

impl std::str::FromStr for Path {
    type Err = PathError;
    fn from_str(text: &str) -> Result<Path, PathError> {
        Path::parse(text)
    }
}

impl Path {
    /// Parses the text that `Display` writes.
    ///
    /// # Errors
    /// The first place at which the text does not follow the grammar.
    pub fn parse(text: &str) -> Result<Path, PathError> {
        let mut reader = Reader { text, offset: 0 };
        let mut segments = Vec::new();
        while reader.offset < text.len() {
            if reader.take(b'[') {
                segments.push(reader.bracket()?);
            } else {
                if !segments.is_empty() {
                    reader.need(b'.', "`.` or `[`")?;
                }
                segments.push(Segment::Key(reader.name()?));
            }
        }
        Ok(segments.into_iter().collect())
    }

    /// The path of a child.
    #[must_use]
    pub fn child(&self, segment: Segment) -> Path {
        let dot = matches!(&segment, Segment::Key(key) if !self.is_root() && is_plain(key));
        let bytes = segment.text_len().saturating_add(usize::from(dot));
        Path(Some(Arc::new(Step {
            depth: self.depth().saturating_add(1),
            bytes: self.text_len().saturating_add(bytes),
            parent: self.clone(),
            segment,
            short_prefix: OnceLock::new(),
        })))
    }

    /// Whether this is the path of the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_none()
    }

    /// The number of steps.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.0.as_ref().map_or(0, |step| step.depth)
    }

    /// The length of its text in bytes.
    #[must_use]
    pub fn text_len(&self) -> usize {
        self.0.as_ref().map_or(0, |step| step.bytes)
    }

    /// The last step; None for the root.
    #[must_use]
    pub fn last(&self) -> Option<&Segment> {
        self.0.as_ref().map(|step| &step.segment)
    }

    /// The path without its last step; None for the root.
    #[must_use]
    pub fn parent(&self) -> Option<&Path> {
        self.0.as_ref().map(|step| &step.parent)
    }

    /// The steps, from the root.
    #[must_use]
    pub fn segments(&self) -> Vec<&Segment> {
        let mut segments = Vec::with_capacity(self.depth());
        let mut at = self;
        while let Some(step) = &at.0 {
            segments.push(&step.segment);
            at = &step.parent;
        }
        segments.reverse();
        segments
    }

    /// The text of the path. If it is longer than [`MAX_TEXT_BYTES`], the text of the parent path is shortened in the
    /// middle, so that the paths of many values below one long name stay short.
    #[must_use]
    pub fn short(&self) -> String {
        let Some(step) = self.0.as_ref().filter(|step| step.bytes > MAX_TEXT_BYTES) else {
            return self.to_string();
        };
        let mut text = step.parent.short_prefix();
        push_segment(&mut text, &step.segment);
        text
    }

    /// The start of the short texts of the children. It is computed once per step, however many children there are.
    fn short_prefix(&self) -> String {
        let mut missing = Vec::new();
        let mut text = String::new();
        let mut at = self;
        while let Some(step) = &at.0 {
            if let Some(prefix) = step.short_prefix.get() {
                text.push_str(prefix);
                break;
            }
            missing.push(step);
            at = &step.parent;
        }
        for step in missing.into_iter().rev() {
            push_segment(&mut text, &step.segment);
            text = without_middle(&text);
            let _ = step.short_prefix.set(text.clone().into());
        }
        text
    }

    /// An address that two clones of one path share, and that differs from any other path that exists at the same time.
    pub(super) fn address(&self) -> *const () {
        let address = |step: &Arc<Step>| Arc::as_ptr(step).cast();
        self.0.as_ref().map_or(std::ptr::null(), address)
    }
}

impl FromIterator<Segment> for Path {
    fn from_iter<I: IntoIterator<Item = Segment>>(segments: I) -> Path {
        segments
            .into_iter()
            .fold(Path::default(), |path, segment| path.child(segment))
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Path) -> bool {
        let (mut a, mut b) = (self, other);
        loop {
            match (&a.0, &b.0) {
                (None, None) => return true,
                (Some(x), Some(y)) if Arc::ptr_eq(x, y) => return true,
                (Some(x), Some(y)) if x.depth == y.depth && x.segment == y.segment => {
                    (a, b) = (&x.parent, &y.parent);
                }
                _ => return false,
            }
        }
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.segments()).finish()
    }
}

impl Drop for Path {
    /// Drops the steps in a loop, not recursively: a path parsed from a text may have any number of steps.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(step) = next {
            next = Arc::into_inner(step).and_then(|mut step| step.parent.0.take());
        }
    }
}

/// A cursor over the text of a path.
struct Reader<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, PathError> {
        Err(PathError {
            offset: self.offset,
            expected,
        })
    }

    fn peek(&self) -> Option<u8> {
        self.rest().bytes().next()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.offset = self.offset.saturating_add(usize::from(found));
        found
    }

    fn need(&mut self, byte: u8, expected: &'static str) -> Result<(), PathError> {
        if self.take(byte) {
            Ok(())
        } else {
            self.fail(expected)
        }
    }

    fn run(&mut self, accept: fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.bytes().take_while(|b| accept(*b)).count();
        self.offset = self.offset.saturating_add(len);
        rest.get(..len).unwrap_or_default()
    }

    fn name(&mut self) -> Result<String, PathError> {
        let start = self.offset;
        let name = self.run(|b| b.is_ascii_alphanumeric() || b == b'_');
        if is_plain(name) {
            Ok(name.to_owned())
        } else {
            self.offset = start;
            self.fail("a name")
        }
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        let rest = self.rest();
        let mut escaped = true; // so that the opening quote does not count as the end
        for (at, byte) in rest.bytes().enumerate() {
            if byte == b'"' && !escaped {
                let end = at.saturating_add(1);
                let Some(Ok(text)) = rest.get(..end).map(serde_json::from_str) else {
                    break;
                };
                self.offset = self.offset.saturating_add(end);
                return Ok(text);
            }
            escaped = byte == b'\\' && !escaped;
        }
        self.fail("a JSON string")
    }

    /// Parses the part after `[`, including the `]`.
    fn bracket(&mut self) -> Result<Segment, PathError> {
        let segment = match self.peek() {
            Some(b'=') => {
                self.offset = self.offset.saturating_add(1);
                match self.scalar()? {
                    Some(value) => Segment::Item(value),
                    None => return self.fail("a scalar"),
                }
            }
            Some(b'0'..=b'9') => {
                let start = self.offset;
                let digits = self.run(|b| b.is_ascii_digit());
                match digits.parse() {
                    Ok(index) if digits == "0" || !digits.starts_with('0') => Segment::Index(index),
                    _ => {
                        self.offset = start;
                        return self.fail("an index");
                    }
                }
            }
            Some(b'"') => Segment::Key(self.quoted()?),
            _ => self.identity()?,
        };
        self.need(b']', "`]`")?;
        Ok(segment)
    }

    fn identity(&mut self) -> Result<Segment, PathError> {
        let mut members = Vec::new();
        loop {
            let mut name = self.name()?;
            while self.take(b'.') {
                name.push('.');
                name.push_str(&self.name()?);
            }
            self.need(b'=', "`=`")?;
            members.push((name, self.scalar()?));
            if !self.take(b',') {
                return Ok(Segment::Identity(members));
            }
        }
    }

    fn scalar(&mut self) -> Result<Option<Value>, PathError> {
        if self.peek() == Some(b'"') {
            return self.quoted().map(|text| Some(Value::String(text)));
        }
        let start = self.offset;
        let text = self.run(is_bare_byte);
        Ok(match text {
            "" => None,
            "null" => Some(Value::Null),
            "true" => Some(Value::Bool(true)),
            "false" => Some(Value::Bool(false)),
            _ if is_number(text) => match number(text) {
                Some(number) => Some(Value::Number(number)),
                None => {
                    self.offset = start;
                    return self.fail("a number in the range of JSON's");
                }
            },
            _ => Some(Value::String(text.to_owned())),
        })
    }
}

/// Parses a number exactly; `serde_json` rounds the last bit of some floats.
fn number(text: &str) -> Option<Number> {
    if text.contains(['.', 'e', 'E']) {
        return Number::from_f64(text.parse().ok()?);
    }
    match (text.parse::<u64>(), text.parse::<i64>()) {
        (Ok(number), _) => Some(number.into()),
        (_, Ok(number)) => Some(number.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn identity(members: &[(&str, Option<Value>)]) -> Segment {
        let own = |(k, v): &(&str, Option<Value>)| ((*k).to_owned(), v.clone());
        Segment::Identity(members.iter().map(own).collect())
    }

    fn key(text: &str) -> Segment {
        Segment::Key(text.to_owned())
    }

    #[test]
    fn each_form_is_written_as_documented_and_parsed_again() {
        let web = || identity(&[("name", Some(json!("web")))]);
        let cases = [
            (vec![], ""),
            (vec![key("spec"), key("replicas")], "spec.replicas"),
            (
                vec![
                    key("metadata"),
                    key("labels"),
                    key("app.kubernetes.io/name"),
                ],
                r#"metadata.labels["app.kubernetes.io/name"]"#,
            ),
            (
                vec![key(""), key("a-b"), key("0"), key("c")],
                r#"[""]["a-b"]["0"].c"#,
            ),
            (vec![key("c"), web(), key("image")], "c[name=web].image"),
            (
                vec![
                    key("ports"),
                    identity(&[("port", Some(json!(80))), ("protocol", Some(json!("TCP")))]),
                ],
                "ports[port=80,protocol=TCP]",
            ),
            (
                vec![identity(&[
                    ("kind", Some(json!("User"))),
                    ("namespace", None),
                ])],
                "[kind=User,namespace=]",
            ),
            (
                vec![identity(&[("namespace", Some(json!("")))])],
                r#"[namespace=""]"#,
            ),
            (
                vec![identity(&[("port", Some(json!("80")))])],
                r#"[port="80"]"#,
            ),
            (
                vec![identity(&[("ip", Some(json!("10.0.0.1")))])],
                "[ip=10.0.0.1]",
            ),
            (
                vec![identity(&[("v", Some(json!("1e999")))])],
                r#"[v="1e999"]"#,
            ),
            (
                vec![identity(&[("v", Some(json!("true")))])],
                r#"[v="true"]"#,
            ),
            (vec![identity(&[("v", Some(json!(true)))])], "[v=true]"),
            (vec![identity(&[("v", Some(json!(null)))])], "[v=null]"),
            (
                vec![identity(&[("v", Some(json!("a]=,b")))])],
                r#"[v="a]=,b"]"#,
            ),
            (
                vec![identity(&[("metadata.name", Some(json!(-1.5)))])],
                "[metadata.name=-1.5]",
            ),
            (
                vec![Segment::Item(json!("value")), Segment::Item(json!(5))],
                r#"[="value"][=5]"#,
            ),
            (vec![key("a"), Segment::Index(3)], "a[3]"),
            (vec![key("a\"\\]\n")], r#"["a\"\\]\n"]"#),
        ];
        for (segments, text) in cases {
            let path: Path = segments.into_iter().collect();
            assert_eq!(path.to_string(), text);
            assert_eq!(path.text_len(), text.len());
            assert_eq!(Path::parse(text).unwrap(), path, "{text}");
        }
    }

    #[test]
    fn a_short_text_has_both_ends_of_the_parent_path_and_the_whole_last_name() {
        let long = "n\u{e9}".repeat(100_000);
        let last = "x".repeat(5_000);
        let path: Path = [
            key("spec"),
            key(&long),
            key("list"),
            Segment::Index(7),
            key(&last),
        ]
        .into_iter()
        .collect();
        let short = path.short();
        assert!(
            short.starts_with("spec[\"n\u{e9}") && short.contains("..."),
            "{short}"
        );
        assert!(
            short.ends_with(&format!("n\u{e9}\"].list[7].{last}")),
            "{short}"
        );
        assert!(short.len() < last.len() + MAX_TEXT_BYTES + 8);
        let ordinary = Path::parse("spec.containers[0].image").unwrap();
        assert_eq!(ordinary.short(), ordinary.to_string());
    }

    #[test]
    fn a_path_of_any_number_of_steps_is_compared_and_dropped() {
        let text = vec!["a"; 1_000_000].join(".");
        let (one, other) = (Path::parse(&text).unwrap(), Path::parse(&text).unwrap());
        assert_eq!(one.depth(), 1_000_000);
        assert!(one == other && one != other.child(Segment::Index(0)));
    }

    #[test]
    fn invalid_paths_are_refused_with_the_offset() {
        for (text, offset) in [
            (".a", 0),
            ("a.", 2),
            ("a b", 1),
            ("a[", 2),
            ("a[]", 2),
            ("a[01]", 2),
            ("a[99999999999999999999999]", 2),
            ("a[=]", 3),
            ("a[n]", 3),
            ("a[n=1", 5),
            ("a[n=1,]", 6),
            ("a[n.=1]", 4),
            (r#"a["n"=1]"#, 5),
            (r#"a["n]"#, 2),
            (r#"a["n\"]"#, 2),
            ("a[n=1e999]", 4),
            ("a[n=18446744073709551616]", 4),
            ("a[0]b", 4),
            ("a[n=\u{e9}]", 4),
            ("\u{e9}", 0),
        ] {
            assert_eq!(Path::parse(text).unwrap_err().offset, offset, "{text}");
        }
    }
}
