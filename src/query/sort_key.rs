//! What an object is sorted by: the first value that a path finds.

use std::cmp::Ordering;

use serde_json::Value;

use crate::k8s::jsonpath::{Budget, JsonPath, JsonPathError};

/// The longest text that objects are sorted by: no object is larger.
const LONGEST_KEY_BYTES: u64 = 1 << 24;

/// What an object is sorted by. The kinds of values sort in this order. Numbers sort by value, texts by their bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum SortKey {
    /// The path finds nothing.
    Absent,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(f64),
    /// A text. Times are texts that sort correctly.
    Text(String),
}

impl SortKey {
    /// What a path finds in an object, read from its printed text: `true`, `5` and `5` in quotes lose their JSON type.
    /// A path that fails on this object (a field that it does not have) finds nothing.
    ///
    /// # Errors
    /// The path needs too many steps, or finds too long a text.
    pub fn find(path: &JsonPath, budget: &Budget, object: &Value) -> Result<Self, JsonPathError> {
        budget.begin_object();
        let results = match path.find_within(budget, object) {
            Ok(results) => results,
            Err(error) if error.is_limit() => return Err(error),
            Err(_) => return Ok(Self::Absent),
        };
        let mut text = Vec::new();
        results
            .print_at_most(&mut text, LONGEST_KEY_BYTES)
            .map_err(|_| JsonPathError::TooMuch)?;
        budget.pay_printed(text.len(), object)?;
        if text.is_empty() {
            return Ok(Self::Absent);
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(match text.as_str() {
            "true" => Self::Bool(true),
            "false" => Self::Bool(false),
            digits => match digits.parse() {
                Ok(number) => Self::Number(number),
                Err(_) => Self::Text(text),
            },
        })
    }

    /// The order of the kinds of values.
    fn rank(&self) -> u8 {
        match self {
            Self::Absent => 0,
            Self::Bool(_) => 1,
            Self::Number(_) => 2,
            Self::Text(_) => 3,
        }
    }
}

impl Eq for SortKey {}

impl PartialOrd for SortKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SortKey {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (a, b) => a.rank().cmp(&b.rank()),
        }
    }
}
