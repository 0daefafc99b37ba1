//! What a template can find: mostly parts of the object, but also texts and numbers of its own.

use serde_json::{Map, Value};

/// A value found, as Go would hold it.
#[derive(Debug, Clone, Copy)]
pub enum Found<'a> {
    /// A part of the object.
    Tree(&'a Value),
    /// A text of the template. Bytes: its escapes can make what is not UTF-8.
    Text(&'a [u8]),
    /// An integer of the template.
    Int(i64),
    /// A float of the template.
    Float(f64),
    /// A truth value of the template.
    Bool(bool),
    /// A byte of a text, of `.*` on one.
    Byte(u8),
    /// No value at all: a range over nothing, or over `null`.
    Nothing,
}

/// What the steps of a template tell apart.
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

    /// Elements of it; 0 for what has none.
    pub(super) fn len(self) -> usize {
        match self.kind() {
            Kind::Map(map) => map.len(),
            Kind::List(list) => list.len(),
            Kind::Text(text) => text.len(),
            _ => 0,
        }
    }

    /// As the value that a range begins with: of `null` nothing is left.
    pub fn alone(self) -> Self {
        match self {
            Self::Tree(Value::Null) => Self::Nothing,
            other => other,
        }
    }

    /// The values of a map, by key.
    pub(super) fn sorted_values(map: &'a Map<String, Value>) -> impl Iterator<Item = Self> {
        let mut entries: Vec<_> = map.iter().collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.into_iter().map(|(_, value)| Self::Tree(value))
    }

    /// What to call it in a sentence.
    pub(super) fn name(self) -> &'static str {
        match self.kind() {
            Kind::Map(_) => "a map",
            Kind::List(_) => "a list",
            Kind::Text(_) => "a text",
            Kind::Null => "null",
            Kind::Nothing => "nothing",
            Kind::Scalar => match self {
                Self::Bool(_) | Self::Tree(Value::Bool(_)) => "a truth value",
                _ => "a number",
            },
        }
    }
}
