//! The values that a template can find: parts of the object, and literals of the template.

use serde_json::{Map, Value};

/// A value that was found, as Go would represent it.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// A part of the object.
    Tree(&'a Value),
    /// A text of the template. It is bytes because its escapes can create invalid UTF-8.
    Text(&'a [u8]),
    /// An integer of the template.
    Int(i64),
    /// A float of the template.
    Float(f64),
    /// A boolean of the template.
    Bool(bool),
    /// A byte of a text, from `.*` on the text.
    Byte(u8),
    /// No value: the body of a range over nothing or over `null` gets it.
    Nothing,
}

/// The kinds of values between which the steps of a template distinguish.
pub(super) enum Kind<'a> {
    Map(&'a Map<String, Value>),
    List(&'a [Value]),
    Text(&'a [u8]),
    Null,
    Scalar,
    Nothing,
}

impl<'a> Found<'a> {
    pub(super) fn kind(self) -> Kind<'a> {
        match self {
            Self::Tree(Value::Object(map)) => Kind::Map(map),
            Self::Tree(Value::Array(list)) => Kind::List(list),
            Self::Tree(Value::String(text)) => Kind::Text(text.as_bytes()),
            Self::Text(text) => Kind::Text(text),
            Self::Tree(Value::Null) => Kind::Null,
            Self::Nothing => Kind::Nothing,
            _ => Kind::Scalar,
        }
    }

    /// The number of elements; 0 for values that have none.
    pub(super) fn len(self) -> usize {
        match self.kind() {
            Kind::Map(map) => map.len(),
            Kind::List(list) => list.len(),
            Kind::Text(text) => text.len(),
            _ => 0,
        }
    }

    /// The value with which the body of a range starts: `null` becomes nothing.
    pub fn alone(self) -> Self {
        match self {
            Self::Tree(Value::Null) => Self::Nothing,
            other => other,
        }
    }

    /// The values of a map, sorted by key.
    pub(super) fn sorted_values(map: &'a Map<String, Value>) -> impl Iterator<Item = Self> {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.into_iter().map(|(_, value)| Self::Tree(value))
    }

    /// The name of its kind, for messages.
    pub(super) fn name(self) -> &'static str {
        match self.kind() {
            Kind::Map(_) => "a map",
            Kind::List(_) => "a list",
            Kind::Text(_) => "a text",
            Kind::Null => "null",
            Kind::Nothing => "nothing",
            Kind::Scalar => match self {
                Self::Bool(_) | Self::Tree(Value::Bool(_)) => "a boolean",
                _ => "a number",
            },
        }
    }
}
