//! The order of `--sort-by`.

use std::cmp::Ordering;

use clap::ValueEnum;
use serde_json::Value;

use crate::cli::etcdctl;
use crate::k8s::jsonpath::{JsonPath, JsonPathError};

/// What stands behind `--sort-by`.
#[derive(Debug, Clone)]
pub enum SortBy {
    /// kubectl's: a path into the object.
    Path(JsonPath),
    /// etcdctl's: a counter of the record.
    Field(etcdctl::SortBy),
}

impl SortBy {
    /// Reads a path or the name of a field.
    ///
    /// # Errors
    /// When the path has no meaning.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        match etcdctl::SortBy::from_str(text, true) {
            Ok(field) => Ok(Self::Field(field)),
            Err(_) => JsonPath::parse_relaxed(text).map(Self::Path),
        }
    }
}

/// What an object is sorted by.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// The path finds nothing.
    Absent,
    /// A truth.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text; times are texts that sort as they are.
    Text(String),
}

impl Key {
    /// The first value that a path finds.
    pub fn of(path: &JsonPath, object: &Value) -> Self {
        let Ok(results) = path.find(object) else {
            return Self::Absent;
        };
        let mut text = Vec::new();
        if results.print(&mut text).is_err() || text.is_empty() {
            return Self::Absent;
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        match text.as_str() {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            digits => digits
                .parse()
                .map_or_else(|_| Self::Text(text.clone()), Self::Number),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}
