//! kubectl's JSONPath: templates such as `{range .items[*]}{.metadata.name}{"\n"}{end}` on an object
//! (upstream: `util/jsonpath` of k8s.io/client-go, and `pkg/printers/jsonpath.go` of
//! k8s.io/cli-runtime for `-o jsonpath`, `-o jsonpath-file` and `-o jsonpath-as-json`).
//!
//! It is not the JSONPath of RFC 9535. Texts are outside of braces, actions are inside:
//!
//! | action | finds |
//! |---|---|
//! | `.a.b`, `['a']`, `.a\.b` | the field, in every map that has it |
//! | `[0]`, `[-1]`, `[1:4:2]`, `[*]` | elements of lists; an index that does not exist is an error |
//! | `.*` | all values of a map, all elements of a list |
//! | `..a` | the field in the value and in all its descendants |
//! | `[0,2]`, `['a','b']` | the union, in this order |
//! | `[?(@.a=="b")]` | the elements for which the condition holds: `==`, `!=`, `<`, `<=`, `>`, `>=`, or only `@.a` |
//! | `@`, `$` | the current value; neither means the whole object |
//! | `range PATH` ... `end` | what is between them, for each value found |
//! | `"\n"`, `'text'`, `1`, `1.5`, `true` | the literal value |
//!
//! There are two differences to upstream. The values of a map are in the order of its keys (`.*`, `..`); in Go the order
//! of a map is random, and kubectl prints another order in each run. And where kubectl panics (an index inside a range
//! over nothing), this is an error.
//!
//! Templates come from users and from files, and objects may come from damaged or hostile files. So nesting has a limit,
//! steps and results are limited by a [`Budget`] that depends on the object's size, and nothing recurses into the object.

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

/// The maximal number of bytes printed for one object: `..` prints every subtree, so the text of a deeply nested object
/// grows with the square of its size.
pub const MAX_PRINTED_BYTES: u64 = 1 << 30;

/// Why a template cannot be parsed or applied to an object.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum JsonPathError {
    /// A `{` without `}` on the same line.
    #[error("an action has no closing brace on its line")]
    UnclosedAction,
    /// A character that no action can start with.
    #[error("unexpected character '{}' in an action", .0.escape_debug())]
    Unrecognized(char),
    /// `....`
    #[error("a recursive descent (..) follows another one")]
    RecursiveTwice,
    /// A text that starts like a number but is not one.
    #[error("'{0}' is not a number")]
    NotANumber(String),
    /// A quote without a closing quote.
    #[error("a quoted text has no closing quote on its line")]
    UnterminatedQuote,
    /// An escape sequence that Go does not have.
    #[error("{0} has an invalid escape sequence")]
    BadEscape(String),
    /// `[` without `]`.
    #[error("an array index has no closing bracket on its line")]
    UnterminatedArray,
    /// The text in the brackets is not an index.
    #[error("'{0}' is not an array index: expected a number, FIRST:END:STEP, * or 'key'")]
    BadIndex(String),
    /// `[?(` without `)`.
    #[error("a filter has no closing parenthesis on its line")]
    UnterminatedFilter,
    /// `)` of a filter without `]`.
    #[error("a filter has no ']' after its closing parenthesis")]
    UnclosedFilter,
    /// A path that [`JsonPath::parse_relaxed`] does not accept.
    #[error("'{0}' is not a path: expected .name1.name2, with or without the first dot and braces")]
    NotRelaxed(String),
    /// The template exceeds the nesting limit.
    #[error("the template is nested too deeply")]
    NestedTooDeep,
    /// A key is missing, and missing keys are not allowed.
    #[error("{0} is not found")]
    NotFound(String),
    /// An unknown word.
    #[error("unknown word '{0}': expected range, end, true or false, or a dot before a name")]
    UnknownWord(String),
    /// `end` outside of a range.
    #[error("there is an end without a range")]
    EndWithoutRange,
    /// An index or a filter is applied to a value that is not a list.
    #[error("only a list can be indexed or filtered, not {0}")]
    NotAList(&'static str),
    /// No element has this index.
    #[error("array index out of bounds: index {index}, length {len}")]
    OutOfBounds {
        /// The index, counted from the start of the list; negative if it is before the start.
        index: i64,
        /// The length of the list.
        len: usize,
    },
    /// `[3:1]`
    #[error("the slice starts at {first} and ends before its start, at {end}")]
    EndsBeforeStart {
        /// The first index.
        first: i64,
        /// The index after the last one.
        end: i64,
    },
    /// A step of 0 or less.
    #[error("the step of a slice must be positive, not {0}")]
    BadStep(i64),
    /// One side of a comparison found more than one value.
    #[error("a filter can compare only one value on each side")]
    ComparesSeveral,
    /// A value that no comparison accepts.
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
    /// An unknown operator, such as `=`.
    #[error("'{0}' is not a comparison operator: expected ==, !=, <, <=, > or >=")]
    UnknownOperator(String),
    /// The template needs more than its [`Budget`].
    #[error("the template needs too many steps: far more than the objects have values")]
    TooMuch,
}

impl JsonPathError {
    /// Whether a limit of this program was exceeded. Upstream has no such error, so evaluation must stop.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::TooMuch | Self::NestedTooDeep)
    }
}

/// A template that is parsed once and applied to many objects.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPath {
    parts: Vec<Part>,
    allow_missing_keys: bool,
}

impl JsonPath {
    /// Parses a template as for `-o jsonpath=`. Missing keys find nothing, as in kubectl get.
    ///
    /// # Errors
    /// The template is not valid.
    pub fn parse(template: &str) -> Result<Self, JsonPathError> {
        Ok(Self {
            parts: parse::template(template)?,
            allow_missing_keys: true,
        })
    }

    /// Parses one path as for `-o custom-columns=`: `.spec.x`, `spec.x`, `{.spec.x}` and `{spec.x}` are the same. An empty
    /// path finds nothing.
    ///
    /// # Errors
    /// There are braces within the path, or the path is not valid.
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
        // A single dot counts as a name: upstream puts another dot before it.
        let inner = match inner.strip_prefix('.') {
            Some(rest) if !rest.is_empty() => rest,
            _ => inner,
        };
        Self::parse(&format!("{{.{inner}}}"))
    }

    /// Whether a missing field finds nothing (the default, as in kubectl get) or is an error.
    #[must_use]
    pub fn allow_missing_keys(mut self, on: bool) -> Self {
        self.allow_missing_keys = on;
        self
    }

    /// The values that the template finds in `object`: one list for each text, and for each action that prints something.
    ///
    /// # Errors
    /// The template does not fit the object, or exceeds a limit.
    pub fn find<'a>(&'a self, object: &'a Value) -> Result<Results<'a>, JsonPathError> {
        self.find_within(&Budget::for_typed(), object)
    }

    /// The same within the budget of a run.
    ///
    /// # Errors
    /// The same as for [`JsonPath::find`].
    pub fn find_within<'a>(
        &'a self,
        budget: &Budget,
        object: &'a Value,
    ) -> Result<Results<'a>, JsonPathError> {
        let parts = eval::evaluate(&self.parts, self.allow_missing_keys, object, budget)?;
        Ok(Results { parts })
    }
}

/// The values that a template found in one object.
#[derive(Debug, Clone)]
pub struct Results<'a> {
    parts: Vec<Vec<Found<'a>>>,
}

impl<'a> Results<'a> {
    /// The values, one list per part of the template.
    pub fn parts(&self) -> &[Vec<Found<'a>>] {
        &self.parts
    }

    /// Prints the values as `-o jsonpath` does: texts as they are, maps and lists as JSON, values of one part separated by
    /// spaces.
    ///
    /// # Errors
    /// Errors of the writer, or more than [`MAX_PRINTED_BYTES`] (as [`io::ErrorKind::FileTooLarge`]).
    pub fn print(&self, out: &mut impl Write) -> io::Result<()> {
        self.print_at_most(out, MAX_PRINTED_BYTES)
    }

    /// The same with another limit in bytes.
    ///
    /// # Errors
    /// The same as for [`Results::print`].
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

    /// Prints the values as `-o jsonpath-as-json` does: a JSON list for each part.
    ///
    /// # Errors
    /// The same as for [`Results::print`].
    pub fn print_json(&self, out: &mut impl Write) -> io::Result<()> {
        let mut out = Limited::new(out, MAX_PRINTED_BYTES);
        for values in &self.parts {
            let mut separator: &[u8] = b"[\n    ";
            for value in values {
                out.write_all(separator)?;
                print::write(*value, Layout::Indented(1), &mut out)?;
                separator = b",\n    ";
            }
            out.write_all(if values.is_empty() { b"[]\n" } else { b"\n]\n" })?;
        }
        Ok(())
    }
}

impl Found<'_> {
    /// Prints the value as `-o jsonpath` does.
    ///
    /// # Errors
    /// Errors of the writer, or more than `limit` bytes (as [`io::ErrorKind::FileTooLarge`]).
    pub fn print(self, out: &mut impl Write, limit: u64) -> io::Result<()> {
        print::write_plain(self, &mut Limited::new(out, limit))
    }

    /// Prints the value as `-o custom-columns` does, which is Go's `fmt.Sprint`: `map[a:1 b:[x y]]`, `<nil>`.
    ///
    /// # Errors
    /// The same as for [`Found::print`].
    pub fn sprint(self, out: &mut impl Write, limit: u64) -> io::Result<()> {
        print::write(self, Layout::Sprint, &mut Limited::new(out, limit))
    }
}

/// A writer that fails after a number of bytes.
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

/// The text that kubectl prints for a float that went as JSON through a table of the API server.
pub(super) fn sprint_after_json(value: f64) -> String {
    let json = float::json(value);
    match json.and_then(|text| text.as_str().parse::<i64>().ok()) {
        Some(integer) => integer.to_string(),
        None => float::sprint(value).as_str().to_owned(),
    }
}
