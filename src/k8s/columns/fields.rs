//! Reads fields of a tree as Go would: a field that is absent or of another type has the zero value.

use serde_json::{Map, Value};

use super::{Clock, age};

static NULL: Value = Value::Null;

/// The value at a path of names joined with dots; null if it does not exist.
pub(super) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.')
        .try_fold(value, |value, name| value.get(name))
        .unwrap_or(&NULL)
}

/// The value at a path, or None if it is absent or null, like a pointer in Go.
pub(super) fn given<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    Some(at(value, path)).filter(|value| !value.is_null())
}

/// A text that may be absent.
pub(super) fn given_text<'v>(value: &'v Value, path: &str) -> Option<&'v str> {
    at(value, path).as_str()
}

/// A text; empty if it is absent.
pub(super) fn text<'v>(value: &'v Value, path: &str) -> &'v str {
    given_text(value, path).unwrap_or_default()
}

/// A text, or `other` if it is absent or empty.
pub(super) fn text_or<'v>(value: &'v Value, path: &str, other: &'v str) -> &'v str {
    match text(value, path) {
        "" => other,
        text => text,
    }
}

/// A whole number that may be absent.
pub(super) fn given_int(value: &Value, path: &str) -> Option<i64> {
    at(value, path).as_i64()
}

/// A whole number; 0 if it is absent.
pub(super) fn int(value: &Value, path: &str) -> i64 {
    given_int(value, path).unwrap_or_default()
}

/// A whole number as text.
pub(super) fn digits(value: &Value, path: &str) -> String {
    int(value, path).to_string()
}

/// The text of a quantity. The stored text is already in the form that the server prints.
pub(super) fn quantity_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => "0".to_owned(),
    }
}

/// The quantity at a path; zero if it is absent.
pub(super) fn quantity(value: &Value, path: &str) -> String {
    quantity_of(at(value, path))
}

/// A boolean, or `other` if it is absent.
pub(super) fn flag_or(value: &Value, path: &str, other: bool) -> bool {
    at(value, path).as_bool().unwrap_or(other)
}

/// A boolean; false if it is absent.
pub(super) fn flag(value: &Value, path: &str) -> bool {
    flag_or(value, path, false)
}

/// A list; empty if it is absent.
pub(super) fn list<'v>(value: &'v Value, path: &str) -> &'v [Value] {
    at(value, path)
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// A map; None if it is absent.
pub(super) fn map<'v>(value: &'v Value, path: &str) -> Option<&'v Map<String, Value>> {
    at(value, path).as_object()
}

/// The number of entries of a map.
pub(super) fn map_len(value: &Value, path: &str) -> usize {
    map(value, path).map_or(0, Map::len)
}

/// The texts of a list. An item that is not a text counts as an empty one.
pub(super) fn texts<'v>(value: &'v Value, path: &str) -> Vec<&'v str> {
    list(value, path)
        .iter()
        .map(|item| item.as_str().unwrap_or_default())
        .collect()
}

/// `metadata.name`.
pub(super) fn name(object: &Value) -> String {
    text(object, "metadata.name").to_owned()
}

/// `metadata.annotations[name]`; the name may contain dots.
pub(super) fn annotation<'v>(object: &'v Value, name: &str) -> Option<&'v str> {
    map(object, "metadata.annotations")?.get(name)?.as_str()
}

/// The time since the object was created.
pub(super) fn object_age(object: &Value, clock: Clock) -> String {
    age(given_text(object, "metadata.creationTimestamp"), clock)
}

/// Whether the object has a `deletionTimestamp`, so that its deletion has started.
pub(super) fn is_deleted(object: &Value) -> bool {
    given(object, "metadata.deletionTimestamp").is_some()
}

/// The last condition with this type.
pub(super) fn last_condition<'v>(conditions: &'v [Value], kind: &str) -> Option<&'v Value> {
    conditions.iter().rfind(|c| text(c, "type") == kind)
}

/// The first condition with this type.
pub(super) fn condition<'v>(conditions: &'v [Value], kind: &str) -> Option<&'v Value> {
    conditions.iter().find(|c| text(c, "type") == kind)
}

/// Whether the status of a condition is `True`.
pub(super) fn holds(condition: &Value) -> bool {
    text(condition, "status") == "True"
}

/// Whether the first condition with this type has the status `True`.
pub(super) fn has_condition(conditions: &[Value], kind: &str) -> bool {
    condition(conditions, kind).is_some_and(holds)
}

/// The first three texts joined with commas, then ` + N more...` if there are more. `<unset>` if there are none.
pub(super) fn first_three<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> String {
    const SHOWN: usize = 3;
    let mut out = String::new();
    let mut count = 0_usize;
    for text in texts {
        if count < SHOWN {
            if count > 0 {
                out.push(',');
            }
            out.push_str(text.as_ref());
        }
        count = count.saturating_add(1);
    }
    if count > SHOWN {
        return format!("{out} + {} more...", count.saturating_sub(SHOWN));
    }
    if out.is_empty() {
        return "<unset>".to_owned();
    }
    out
}
