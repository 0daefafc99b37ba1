//! Walks over JSON trees that keep their stack on the heap.
//!
//! `Value`'s own `Clone`, `PartialEq` and `Serialize` recurse once per level, and a hostile tree may be deeper than the
//! thread's stack. Code that walks a whole value therefore uses these functions.

use std::io::{self, Write};

use serde_json::{Map, Number, Value};

/// Looks up the members of a map. Two versions of an object have nearly the same members in the same order, so the
/// member after the last one that was found is looked at first, which needs no hash.
pub(super) struct Lookup<'m> {
    map: &'m Map<String, Value>,
    next: serde_json::map::Iter<'m>,
}

impl<'m> Lookup<'m> {
    pub(super) fn new(map: &'m Map<String, Value>) -> Self {
        let next = map.iter();
        Self { map, next }
    }

    /// The member with a key.
    pub(super) fn get(&mut self, key: &str) -> Option<&'m Value> {
        let mut ahead = self.next.clone();
        // One member may have been added before it.
        for _ in 0..2 {
            match ahead.next() {
                Some((name, value)) if name == key => {
                    self.next = ahead;
                    return Some(value);
                }
                _ => {}
            }
        }
        self.map.get(key)
    }
}

/// Whether two values are the same JSON. The order of map keys does not count, the order of lists does. `1` and `1.0`
/// differ, and so do `0.0` and `-0.0`.
#[must_use]
pub fn equal(a: &Value, b: &Value) -> bool {
    let mut stack = Vec::new();
    let mut next = Some((a, b));
    while let Some((a, b)) = next {
        let is_same = match (a, b) {
            (Value::Array(x), Value::Array(y)) => {
                let mut pairs = x.iter().zip(y);
                x.len() == y.len() && pairs.all(|(x, y)| same_or_later(x, y, &mut stack))
            }
            (Value::Object(x), Value::Object(y)) => {
                let mut others = Lookup::new(y);
                let mut same = |(key, value): (&String, _)| {
                    let other = others.get(key);
                    other.is_some_and(|other| same_or_later(value, other, &mut stack))
                };
                x.len() == y.len() && x.iter().all(&mut same)
            }
            (a, b) => same_scalar(a, b),
        };
        if !is_same {
            return false;
        }
        next = stack.pop();
    }
    true
}

/// Whether two values are the same scalar. Two lists or two maps are put on the stack instead.
fn same_or_later<'v>(a: &'v Value, b: &'v Value, stack: &mut Vec<(&'v Value, &'v Value)>) -> bool {
    match (a, b) {
        (Value::Array(_), Value::Array(_)) | (Value::Object(_), Value::Object(_)) => {
            stack.push((a, b));
            true
        }
        (a, b) => same_scalar(a, b),
    }
}

/// Whether two values are the same scalar.
pub(super) fn same_scalar(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, Value::Null) => true,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Number(x), Value::Number(y)) => same_number(x, y),
        (Value::String(x), Value::String(y)) => x == y,
        _ => false,
    }
}

fn same_number(a: &Number, b: &Number) -> bool {
    // The sign distinguishes the two zeros, which are equal for `==`.
    let sign = |n: &Number| n.as_f64().is_some_and(f64::is_sign_negative);
    a == b && sign(a) == sign(b)
}

/// Whether a value is neither a map nor a list.
#[must_use]
pub fn is_scalar(value: &Value) -> bool {
    !matches!(value, Value::Array(_) | Value::Object(_))
}

/// A container that is being copied: the elements that are left, and the copies so far.
enum Building<'a> {
    List(std::slice::Iter<'a, Value>, Vec<Value>),
    Map(
        serde_json::map::Iter<'a>,
        Option<String>,
        Map<String, Value>,
    ),
}

/// Copies a value without recursion.
#[must_use]
pub fn copy(value: &Value) -> Value {
    let mut stack: Vec<Building<'_>> = Vec::new();
    let mut at = value;
    loop {
        let mut done = match at {
            Value::Array(items) => {
                stack.push(Building::List(items.iter(), Vec::new()));
                None
            }
            Value::Object(map) => {
                stack.push(Building::Map(map.iter(), None, Map::new()));
                None
            }
            scalar => Some(scalar.clone()),
        };
        loop {
            match stack.last_mut() {
                None => return done.unwrap_or(Value::Null),
                Some(Building::List(rest, built)) => {
                    built.extend(done.take());
                    if let Some(next) = rest.next() {
                        at = next;
                        break;
                    }
                    done = Some(Value::Array(std::mem::take(built)));
                }
                Some(Building::Map(rest, pending, built)) => {
                    if let (Some(key), Some(value)) = (pending.take(), done.take()) {
                        built.insert(key, value);
                    }
                    if let Some((key, next)) = rest.next() {
                        *pending = Some(key.clone());
                        at = next;
                        break;
                    }
                    done = Some(Value::Object(std::mem::take(built)));
                }
            }
            stack.pop();
        }
    }
}

/// How the keys of maps are ordered by [`write_json`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// In the order of the tree.
    AsIs,
    /// By their bytes, so that equal values give equal output.
    Sorted,
}

/// A container that is being written: the elements that are left, and whether none has been written.
enum Writing<'a> {
    Items(std::slice::Iter<'a, Value>, bool),
    Members(Box<dyn Iterator<Item = (&'a String, &'a Value)> + 'a>, bool),
}

/// Writes a value as JSON on one line, without spaces.
///
/// # Errors
/// Errors of the writer.
pub fn write_json(out: &mut dyn Write, value: &Value, keys: Keys) -> io::Result<()> {
    let mut stack: Vec<Writing<'_>> = Vec::new();
    let mut at = Some(value);
    loop {
        match at.take() {
            Some(Value::Array(items)) => {
                out.write_all(b"[")?;
                stack.push(Writing::Items(items.iter(), true));
            }
            Some(Value::Object(map)) => {
                out.write_all(b"{")?;
                stack.push(Writing::Members(members(map, keys), true));
            }
            Some(scalar) => serde_json::to_writer(&mut *out, scalar)?,
            None => {}
        }
        match stack.last_mut() {
            None => return Ok(()),
            Some(Writing::Items(rest, first)) => match rest.next() {
                Some(next) => {
                    out.write_all(if *first { b"" } else { b"," })?;
                    *first = false;
                    at = Some(next);
                    continue;
                }
                None => out.write_all(b"]")?,
            },
            Some(Writing::Members(rest, first)) => match rest.next() {
                Some((key, next)) => {
                    out.write_all(if *first { b"" } else { b"," })?;
                    *first = false;
                    serde_json::to_writer(&mut *out, key)?;
                    out.write_all(b":")?;
                    at = Some(next);
                    continue;
                }
                None => out.write_all(b"}")?,
            },
        }
        stack.pop();
    }
}

/// The entries of a map in the requested order.
fn members<'a>(
    map: &'a Map<String, Value>,
    keys: Keys,
) -> Box<dyn Iterator<Item = (&'a String, &'a Value)> + 'a> {
    match keys {
        Keys::AsIs => Box::new(map.iter()),
        Keys::Sorted => {
            let mut sorted: Vec<_> = map.iter().collect();
            sorted.sort_unstable_by_key(|(key, _)| *key);
            Box::new(sorted.into_iter())
        }
    }
}

/// A value as JSON on one line, with keys in the order of the tree.
#[must_use]
pub fn to_json(value: &Value) -> String {
    let mut bytes = Vec::new();
    // Writing to a `Vec` cannot fail, and JSON is UTF-8.
    let _ = write_json(&mut bytes, value, Keys::AsIs);
    String::from_utf8(bytes).unwrap_or_default()
}

/// A value as JSON on one line with sorted keys. Two values give the same bytes exactly if they are equal.
#[must_use]
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a `Vec` cannot fail.
    let _ = write_json(&mut bytes, value, Keys::Sorted);
    bytes
}

/// The length of the text that [`to_json`] returns, in bytes.
#[must_use]
pub fn json_len(value: &Value) -> usize {
    struct Count(usize);
    impl Write for Count {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut count = Count(0);
    let _ = write_json(&mut count, value, Keys::AsIs);
    count.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    #[test]
    fn a_copy_is_equal_and_is_written_as_serde_json_writes_it() {
        let value = json!({"b":[1,{"x":[]},{},[[]],null,true,-0.0,1.5,"\u{1}\"\u{e9}"],"a":{"k":{"l":"m"}}});
        assert!(equal(&value, &copy(&value)));
        assert_eq!(to_json(&value), value.to_string());
        assert_eq!(json_len(&value), value.to_string().len());
        assert_eq!(copy(&value).to_string(), value.to_string());
    }

    #[test]
    fn the_order_of_items_counts_and_the_order_of_keys_does_not() {
        let a = json!({"a":1,"b":[1,2]});
        let b: Value = serde_json::from_str(r#"{"b":[1,2],"a":1}"#).unwrap();
        assert!(equal(&a, &b));
        assert_eq!(canonical(&a), canonical(&b));
        assert!(!equal(&json!([1, 2]), &json!([2, 1])));
    }

    #[test]
    fn members_are_found_in_any_order() {
        let map = json!({"a":1,"b":2,"c":3,"d":4});
        let map = map.as_object().unwrap();
        for keys in ["abcd", "bd", "acbd", "dcba", "xaybzcd", "aabbccdd"] {
            let mut members = Lookup::new(map);
            for key in keys.chars().map(String::from) {
                assert_eq!(members.get(&key), map.get(&key), "{key} of {keys}");
            }
        }
    }

    #[test]
    fn near_misses_are_not_equal() {
        let values = [
            json!(null),
            json!(false),
            json!(0),
            json!(0.0),
            json!(-0.0),
            json!(""),
            json!("0"),
            json!([]),
            json!({}),
            json!([null]),
            json!({"a":null}),
            json!({"b":null}),
            json!({"a":null,"b":null}),
            json!([[], []]),
            json!([[[]]]),
        ];
        for (i, a) in values.iter().enumerate() {
            for (j, b) in values.iter().enumerate() {
                assert_eq!(equal(a, b), i == j, "{a} {b}");
                assert_eq!(canonical(a) == canonical(b), i == j, "{a} {b}");
            }
        }
    }
}
