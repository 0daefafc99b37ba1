//! Field selectors (upstream: `pkg/fields/selector.go` of k8s.io/apimachinery; the fields that an API server computes are
//! in the `strategy.go` of each kind in k8s.io/kubernetes `pkg/registry`).
//!
//! An API server supports a few fields of each kind. Here every scalar field of a stored object can be selected. A field
//! that is absent has the value that the API server assigns to it, else the empty text.

use std::borrow::Cow;

use serde_json::Value;

use crate::k8s::jsonpath::Found;

/// The maximal length of a scalar's text that is compared, in bytes.
const MAX_SCALAR_BYTES: u64 = 1 << 16;

/// Why a field selector cannot be parsed or applied to an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A part without an operator.
    #[error("field selector: '{0}' has no =, == or !=")]
    NoOperator(String),
    /// A part without a field.
    #[error("field selector: '{0}' has no field before its operator")]
    NoField(String),
    /// A backslash before another character than `,`, `=` or `\`.
    #[error("field selector: in '{0}' a backslash precedes another character than , = or \\")]
    BadEscape(String),
    /// `a=b=c`
    #[error("field selector: in '{0}' the value has a '=' without a backslash")]
    Unescaped(String),
    /// The path leads to a map or a list.
    #[error("field selector: {path} is {what}, not a single value")]
    NotScalar {
        /// The path.
        path: String,
        /// `a map` or `a list`.
        what: &'static str,
    },
}

/// The values that fields of an object must have; all requirements must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Requirement {
    path: String,
    is_equal: bool,
    value: String,
}

impl FieldSelector {
    /// Parses a selector: `metadata.name=x`, `a==x`, `status.phase!=Running`, separated by commas. In values `\,`, `\=` and
    /// `\\` stand for the characters themselves. An empty selector selects every object.
    ///
    /// # Errors
    /// It is not a valid selector.
    pub fn parse(text: &str) -> Result<Self, FieldSelectorError> {
        let requirements = terms(text)
            .filter(|term| !term.is_empty())
            .map(requirement)
            .collect::<Result<_, _>>()?;
        Ok(Self { requirements })
    }

    /// The paths in the selector. A path that no object has may be a typing error.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.requirements
            .iter()
            .map(|requirement| requirement.path.as_str())
    }

    /// Whether an object fulfils all requirements. A dot in a key is written `\.` in the path.
    ///
    /// # Errors
    /// A path leads to a map or a list.
    pub fn matches(&self, object: &Value) -> Result<bool, FieldSelectorError> {
        for requirement in &self.requirements {
            let text = field(object, &requirement.path)?;
            if (text == requirement.value) != requirement.is_equal {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Splits at the commas that are not escaped with a backslash.
fn terms(text: &str) -> impl Iterator<Item = &str> {
    let mut is_escaped = false;
    text.split(move |c| {
        let splits = c == ',' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        splits
    })
}

/// Parses one requirement.
fn requirement(term: &str) -> Result<Requirement, FieldSelectorError> {
    let operators = [("!=", false), ("==", true), ("=", true)];
    let (path, is_equal, value) = term
        .char_indices()
        .find_map(|(at, _)| {
            let (path, rest) = term.split_at_checked(at)?;
            operators
                .iter()
                .find_map(|(sign, is_equal)| Some((path, *is_equal, rest.strip_prefix(sign)?)))
        })
        .ok_or_else(|| FieldSelectorError::NoOperator(term.to_owned()))?;
    if path.is_empty() {
        return Err(FieldSelectorError::NoField(term.to_owned()));
    }
    Ok(Requirement {
        path: path.to_owned(),
        is_equal,
        value: unescape(value, term)?,
    })
}

/// Resolves the backslashes in a value.
fn unescape(value: &str, term: &str) -> Result<String, FieldSelectorError> {
    let mut text = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next() {
                Some(escaped @ ('\\' | ',' | '=')) => escaped,
                _ => return Err(FieldSelectorError::BadEscape(term.to_owned())),
            },
            '=' | ',' => return Err(FieldSelectorError::Unescaped(term.to_owned())),
            other => other,
        });
    }
    Ok(text)
}

/// The text of a field, or the API server's value for it if the object does not have it.
fn field<'a>(object: &'a Value, path: &str) -> Result<Cow<'a, str>, FieldSelectorError> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or("");
    // In an Event, `source` is a map, but the selector `source` means its component.
    let own = match (kind, path) {
        ("Event", "source") => None,
        _ => lookup(object, path),
    };
    let has_text = |value: &&Value| !value.is_null() && value.as_str() != Some("");
    let value = own.filter(has_text).or_else(|| {
        other_places(kind, path)
            .iter()
            .filter_map(|place| object.pointer(place))
            .find(has_text)
    });
    match value {
        None => Ok(Cow::Borrowed(default_of(kind, path))),
        Some(Value::String(text)) => Ok(Cow::Borrowed(text)),
        Some(value @ (Value::Object(_) | Value::Array(_))) => Err(FieldSelectorError::NotScalar {
            path: path.to_owned(),
            what: if value.is_array() { "a list" } else { "a map" },
        }),
        Some(value) => {
            let mut text = Vec::new();
            // Writing to memory cannot fail, and no number exceeds the limit.
            let _ = Found::Tree(value).print(&mut text, MAX_SCALAR_BYTES);
            Ok(Cow::Owned(String::from_utf8_lossy(&text).into_owned()))
        }
    }
}

/// The value at a path whose names are separated by dots.
fn lookup<'a>(object: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = object;
    let mut is_escaped = false;
    let names = path.split(|c| {
        let splits = c == '.' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        splits
    });
    for name in names {
        value = match name.contains('\\') {
            true => value.get(name.replace("\\.", "."))?,
            false => value.get(name)?,
        };
    }
    Some(value)
}

/// Other fields from which the API server takes a value, by kind, as JSON pointers. The first one with a text counts.
fn other_places(kind: &str, path: &str) -> Vec<Cow<'static, str>> {
    let places: &[&'static str] = match (kind, path) {
        ("Pod", "spec.host") => &["/spec/nodeName"],
        ("Pod", "status.podIP") => &["/status/podIPs/0/ip"],
        ("Job", "status.successful") => &["/status/succeeded"],
        ("Namespace" | "PersistentVolume" | "PersistentVolumeClaim", "name") => &["/metadata/name"],
        ("Event", "source") => &[
            "/source/component",
            "/deprecatedSource/component",
            "/reportingComponent",
            "/reportingController",
        ],
        ("Event", "reportingComponent") => &["/reportingController"],
        ("Event", "reportingController") => &["/reportingComponent"],
        _ => &[],
    };
    let mut places: Vec<_> = places.iter().map(|place| Cow::Borrowed(*place)).collect();
    if kind == "Event" {
        // events.k8s.io renamed the field, and an object stored in either version can be read in both.
        if let Some(name) = path.strip_prefix("involvedObject.") {
            places.push(Cow::Owned(format!("/regarding/{name}")));
        } else if let Some(name) = path.strip_prefix("regarding.") {
            places.push(Cow::Owned(format!("/involvedObject/{name}")));
        }
    }
    places
}

/// The API server's value for an absent field: the zero value of its type.
fn default_of(kind: &str, path: &str) -> &'static str {
    match (kind, path) {
        ("Pod", "spec.hostNetwork") | ("Node", "spec.unschedulable") => "false",
        ("Job", "status.successful")
        | ("ReplicaSet" | "ReplicationController", "status.replicas") => "0",
        _ => "",
    }
}
