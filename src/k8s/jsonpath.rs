//! kubectl's JSONPath: templates such as `{range .items[*]}{.metadata.name}{"\n"}{end}` on an object
//! (upstream: `util/jsonpath` of k8s.io/client-go, and `pkg/printers/jsonpath.go` of
//! k8s.io/cli-runtime for `-o jsonpath`, `-o jsonpath-file` and `-o jsonpath-as-json`).
//!
//! It is not the JSONPath of RFC 9535. Text stands outside of braces, an action inside of them:
//!
//! | action | finds |
//! |---|---|
//! | `.a.b`, `['a']`, `.a\.b` | the field, in every map that has it |
//! | `[0]`, `[-1]`, `[1:4:2]`, `[*]` | elements of lists; an index that is not there is an error |
//! | `.*` | all values of a map, all elements of a list |
//! | `..a` | the field in the value and in all below it |
//! | `[0,2]`, `['a','b']` | the ones and then the others |
//! | `[?(@.a=="b")]` | the elements for which it is true: `==`, `!=`, `<`, `<=`, `>`, `>=`, or only `@.a` |
//! | `@`, `$` | the value at hand; neither ever means the whole object |
//! | `range PATH` ... `end` | what is between them, for each value found |
//! | `"\n"`, `'text'`, `1`, `1.5`, `true` | themselves |
//!
//! In two places this is more orderly than upstream. The values of a map come in the order of its
//! keys (`.*`, `..`); Go's maps have none, and kubectl prints another order at every run. And where
//! kubectl breaks down (an index where a range had nothing to run over), here is an error.
//!
//! Templates come from people and from files, objects from damaged or hostile files: nesting has a limit,
//! steps and results have a [`Budget`] that follows the object's size, and nothing here recurses into the
//! object.

mod budget;
mod compare;
mod eval;
mod found;
mod node;
mod parse;
mod print;

use std::io::{self, Write};

use serde_json::Value;

pub use budget::Budget;
pub use found::Found;
use node::Part;

use crate::go::float;
use crate::go::value::Layout;

/// Bytes printed of one object at most: `..` prints every subtree, so the text of a deeply nested
/// object grows with the square of its size.
pub const MAX_PRINTED_BYTES: u64 = 1 << 30;

/// Why a template cannot be read, or not be applied to an object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JsonPathError {
    /// A `{` without its `}`, or a line break between them.
    #[error("an action has no closing brace on its line")]
    UnclosedAction,
    /// A character that begins nothing.
    #[error("'{}' begins nothing an action can have", .0.escape_debug())]
    Unrecognized(char),
    /// `....`
    #[error("one recursive descent (..) follows another")]
    RecursiveTwice,
    /// A number that is none.
    #[error("'{0}' is not a number")]
    NotANumber(String),
    /// A quote without its pair.
    #[error("a quoted text has no end on its line")]
    UnterminatedQuote,
    /// An escape sequence Go does not have.
    #[error("{0} has an escape sequence that is none")]
    BadEscape(String),
    /// `[` without `]`.
    #[error("an array index has no closing bracket on its line")]
    UnterminatedArray,
    /// What stands in the brackets is no index.
    #[error("'{0}' is no array index: wanted a number, FIRST:END:STEP, * or 'key'")]
    BadIndex(String),
    /// `[?(` without `)`.
    #[error("a filter has no closing parenthesis on its line")]
    UnterminatedFilter,
    /// `)` of a filter without `]`.
    #[error("a filter has no ']' behind its parenthesis")]
    UnclosedFilter,
    /// See [`JsonPath::parse_relaxed`].
    #[error("'{0}' is no path: wanted .name1.name2, with or without the dot and braces around it")]
    NotRelaxed(String),
    /// A limit against hostile templates.
    #[error("the template is nested too deeply")]
    NestedTooDeep,
    /// Missing keys are not allowed, and this one is.
    #[error("{0} is not found")]
    NotFound(String),
    /// A word that means nothing.
    #[error("'{0}' means nothing here: wanted range, end, true or false, or a dot before a name")]
    UnknownWord(String),
    /// `end` outside of a range.
    #[error("there is an end, but no range to be ended")]
    EndWithoutRange,
    /// An index or a filter on something else.
    #[error("only a list can be indexed or filtered, not {0}")]
    NotAList(&'static str),
    /// No element has this index.
    #[error("array index out of bounds: index {index}, length {len}")]
    OutOfBounds {
        /// The index, from the start of the list; negative: before it.
        index: i64,
        /// Elements of the list.
        len: usize,
    },
    /// `[3:1]`
    #[error("the slice starts at {first} and ends before that, at {end}")]
    EndsBeforeStart {
        /// The first index.
        first: i64,
        /// The index behind the last.
        end: i64,
    },
    /// A step of 0 or less.
    #[error("the step of a slice must be above 0, not {0}")]
    BadStep(i64),
    /// A side of a comparison found more than one value.
    #[error("a filter can compare only one value on each side")]
    ComparesSeveral,
    /// No comparison takes this.
    #[error("{0} cannot be compared")]
    NotComparable(&'static str),
    /// Only values of one type can be compared; an integer and a float are two types.
    #[error("{left} cannot be compared with {right} of another type")]
    DifferentTypes {
        /// The left side.
        left: &'static str,
        /// The right side.
        right: &'static str,
    },
    /// Such as `=`.
    #[error("'{0}' is no comparison: wanted ==, !=, <, <=, > or >=")]
    UnknownOperator(String),
    /// The template needs more than its [`Budget`].
    #[error("it needs too many steps: far more than the objects have values")]
    TooMuch,
}

impl JsonPathError {
    /// Ours, not upstream's: nothing may go on after it.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::TooMuch | Self::NestedTooDeep)
    }
}

/// A template, read once and applied to many objects.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    parts: Vec<Part>,
    allow_missing_keys: bool,
}

impl JsonPath {
    /// Reads a template as `-o jsonpath=` has it. Missing keys find nothing, as in kubectl get.
    ///
    /// # Errors
    /// The template has no meaning.
    pub fn parse(template: &str) -> Result<Self, JsonPathError> {
        Ok(Self {
            parts: parse::template(template)?,
            allow_missing_keys: true,
        })
    }

    /// Reads one path as `-o custom-columns=` has it: `.spec.x`, `spec.x`, `{.spec.x}` and
    /// `{spec.x}` are the same; an empty one finds nothing.
    ///
    /// # Errors
    /// There are braces within the path, or the path has no meaning.
    pub fn parse_relaxed(path: &str) -> Result<Self, JsonPathError> {
        if path.is_empty() {
            return Self::parse("");
        }
        let inner = path
            .strip_prefix('{')
            .and_then(|path| path.strip_suffix('}'))
            .unwrap_or(path);
        if inner.is_empty() || inner.contains(['{', '}']) {
            return Err(JsonPathError::NotRelaxed(path.to_owned()));
        }
        // A dot alone is a name: upstream puts another before it.
        let inner = match inner.strip_prefix('.') {
            Some(rest) if !rest.is_empty() => rest,
            _ => inner,
        };
        Self::parse(&format!("{{.{inner}}}"))
    }

    /// Whether a field that is not there finds nothing (as it is after parsing, and in kubectl
    /// get), or is an error.
    #[must_use]
    pub fn allow_missing_keys(mut self, on: bool) -> Self {
        self.allow_missing_keys = on;
        self
    }

    /// What the template finds in `object`: for each text and each action that prints something,
    /// its values.
    ///
    /// # Errors
    /// The template does not fit the object, or finds too much.
    pub fn find<'a>(&'a self, object: &'a Value) -> Result<Results<'a>, JsonPathError> {
        self.find_within(&Budget::for_typed(), object)
    }

    /// The same as a part of a run with one budget.
    ///
    /// # Errors
    /// As [`JsonPath::find`].
    pub fn find_within<'a>(
        &'a self,
        budget: &Budget,
        object: &'a Value,
    ) -> Result<Results<'a>, JsonPathError> {
        let parts = eval::evaluate(&self.parts, self.allow_missing_keys, object, budget)?;
        Ok(Results { parts })
    }
}

/// What a template found in one object.
#[derive(Debug, Clone)]
pub struct Results<'a> {
    parts: Vec<Vec<Found<'a>>>,
}

impl<'a> Results<'a> {
    /// The values, part by part.
    pub fn parts(&self) -> &[Vec<Found<'a>>] {
        &self.parts
    }

    /// Prints them as `-o jsonpath` does: texts as they are, maps and lists as JSON, a space between
    /// the values of one part.
    ///
    /// # Errors
    /// The destination's, or more than [`MAX_PRINTED_BYTES`] (as [`io::ErrorKind::FileTooLarge`]).
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.print_at_most(out, MAX_PRINTED_BYTES)
    }

    /// The same with another limit, in bytes.
    ///
    /// # Errors
    /// As [`Results::print`].
    pub fn print_at_most(&self, out: &mut impl Write, limit: u64) -> io::Result<()> {
        let mut out = Limited::new(out, limit);
        for values in &self.parts {
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    out.write_all(b" ")?;
                }
                print::write_plain(*value, &mut out)?;
            }
        }
        Ok(())
    }

    /// Prints them as `-o jsonpath-as-json` does: a list for each part.
    ///
    /// # Errors
    /// As [`Results::print`].
    pub fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = Limited::new(out, MAX_PRINTED_BYTES);
        for values in &self.parts {
            let mut before: &[u8] = b"[\n    ";
            for value in values {
                out.write_all(before)?;
                print::write(*value, Layout::Indented(1), &mut out)?;
                before = b",\n    ";
            }
            out.write_all(if values.is_empty() { b"[]\n" } else { b"\n]\n" })?;
        }
        Ok(())
    }
}

impl Found<'_> {
    /// Prints it as `-o jsonpath` does.
    ///
    /// # Errors
    /// The destination's, or more than `limit` bytes (as [`io::ErrorKind::FileTooLarge`]).
    pub fn print(self, out: &mut impl Write, limit: u64) -> io::Result<()> {
        print::write_plain(self, &mut Limited::new(out, limit))
    }

    /// Prints it as `-o custom-columns` does, which is Go's `fmt.Sprint`: `map[a:1 b:[x y]]`,
    /// `<nil>`.
    ///
    /// # Errors
    /// As [`Found::print`].
    pub fn sprint(self, out: &mut impl Write, limit: u64) -> io::Result<()> {
        print::write(self, Layout::Sprint, &mut Limited::new(out, limit))
    }
}

/// A destination that takes only so many bytes.
struct Limited<'w, W: Write> {
    out: &'w mut W,
    left: u64,
}

impl<'w, W: Write> Limited<'w, W> {
    fn new(out: &'w mut W, left: u64) -> Self {
        Self { out, left }
    }
}

impl<W: Write> Write for Limited<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(len)
            .ok_or(io::ErrorKind::FileTooLarge)?;
        self.out.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// As a float of JSON that went through a table of the API server: what kubectl prints of it.
pub(super) fn sprint_after_json(value: f64) -> String {
    let json = float::json(value);
    match json.and_then(|text| text.as_str().parse::<i64>().ok()) {
        Some(integer) => integer.to_string(),
        None => float::sprint(value).as_str().to_owned(),
    }
}
