//! Applies a list of changes to an object.

use std::fmt;

use serde_json::Value;

use super::change::{FieldChange, Op};
use super::path::{Segment, member};
use super::tree;

/// Why a change cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplyError {
    /// The path of the change, as text.
    pub path: String,
    /// Why it does not fit.
    pub reason: &'static str,
}

impl fmt::Display for ApplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "cannot apply the change at `{}`: {}",
            self.path, self.reason
        )
    }
}

impl std::error::Error for ApplyError {}

/// Applies changes in order, each to the result of the previous ones. A change is applied only if the current value is
/// the old value in the change.
///
/// # Errors
/// The first change that does not fit.
pub fn apply(old: &Value, changes: &[FieldChange]) -> Result<Value, ApplyError> {
    let mut root = tree::copy(old);
    for change in changes {
        apply_one(&mut root, change).map_err(|reason| ApplyError {
            path: change.path.to_string(),
            reason,
        })?;
    }
    Ok(root)
}

/// Applies one change.
fn apply_one(root: &mut Value, change: &FieldChange) -> Result<(), &'static str> {
    let segments = change.path.segments();
    let Some((last, parents)) = segments.split_last() else {
        return apply_to_root(root, change);
    };
    let mut at = root;
    for segment in parents {
        at = step(at, segment)?;
    }
    match (change.op, at) {
        (Op::Replace, at) => {
            let target = step(at, last)?;
            check_old_value(target, change)?;
            *target = new_value(change)?;
        }
        (Op::Remove, at) => {
            check_old_value(step(at, last)?, change)?;
            match (at, last) {
                (Value::Object(map), Segment::Key(key)) => {
                    map.shift_remove(key);
                }
                (Value::Array(items), _) => {
                    items.remove(find(items, last)?);
                }
                _ => return Err("nothing to remove from"),
            }
        }
        (Op::Add, Value::Object(map)) => {
            let Segment::Key(key) = last else {
                return Err("the path needs a list, but there is a map");
            };
            if map.contains_key(key) {
                return Err("the member already exists");
            }
            map.insert(key.clone(), new_value(change)?);
        }
        (Op::Add, Value::Array(items)) => {
            let new = new_value(change)?;
            if !matches!(last, Segment::Index(_)) && !is_match(&new, last) {
                return Err("the new item does not match its path");
            }
            insert(items, new, change.index)?;
        }
        (Op::Add, _) => return Err("the parent is neither a map nor a list"),
        (Op::Move, Value::Array(items)) => {
            let item = items.remove(find(items, last)?);
            insert(items, item, change.index)?;
        }
        (Op::Move, _) => return Err("the parent is not a list"),
    }
    Ok(())
}

/// Applies a change of the whole object.
fn apply_to_root(root: &mut Value, change: &FieldChange) -> Result<(), &'static str> {
    if change.op != Op::Replace {
        return Err("the root can only be replaced");
    }
    check_old_value(root, change)?;
    *root = new_value(change)?;
    Ok(())
}

fn new_value(change: &FieldChange) -> Result<Value, &'static str> {
    change.new.as_ref().map(tree::copy).ok_or("no new value")
}

fn check_old_value(value: &Value, change: &FieldChange) -> Result<(), &'static str> {
    match &change.old {
        Some(old) if tree::equal(old, value) => Ok(()),
        _ => Err("the current value is not the old value"),
    }
}

/// Inserts a list item at the index of the change.
fn insert(items: &mut Vec<Value>, item: Value, index: Option<usize>) -> Result<(), &'static str> {
    match index {
        Some(index) if index <= items.len() => {
            items.insert(index, item);
            Ok(())
        }
        Some(_) => Err("the index is beyond the end of the list"),
        None => Err("no index"),
    }
}

/// The child that a segment refers to.
fn step<'a>(at: &'a mut Value, segment: &Segment) -> Result<&'a mut Value, &'static str> {
    match (at, segment) {
        (Value::Object(map), Segment::Key(key)) => map.get_mut(key).ok_or("no such member"),
        (Value::Array(items), _) => {
            let index = find(items, segment)?;
            items.get_mut(index).ok_or("no such item")
        }
        _ => Err("no such member or item"),
    }
}

/// The index of the only item that matches a segment.
fn find(items: &[Value], segment: &Segment) -> Result<usize, &'static str> {
    if let Segment::Index(index) = segment {
        return if *index < items.len() {
            Ok(*index)
        } else {
            Err("the index is beyond the end of the list")
        };
    }
    let mut found = items
        .iter()
        .enumerate()
        .filter(|(_, item)| is_match(item, segment));
    match (found.next(), found.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err("no such item"),
        (Some(_), Some(_)) => Err("more than one such item"),
    }
}

/// Whether a segment by value or by members matches an item.
fn is_match(item: &Value, segment: &Segment) -> bool {
    match segment {
        Segment::Item(value) => tree::equal(item, value),
        Segment::Identity(members) => {
            item.is_object()
                && members
                    .iter()
                    .all(|(name, value)| match (member(item, name), value) {
                        (None, None) => true,
                        (Some(found), Some(wanted)) => tree::equal(found, wanted),
                        _ => false,
                    })
        }
        Segment::Key(_) | Segment::Index(_) => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;

    use super::*;

    fn reason(old: &Value, row: &Value) -> &'static str {
        let change = FieldChange::from_value(row).unwrap();
        apply(old, &[change]).unwrap_err().reason
    }

    #[test]
    fn a_change_that_does_not_fit_is_refused() {
        let old = json!({"a":1,"l":[{"n":1},{"n":1},{"n":2}],"s":["x"]});
        for (row, why) in [
            (
                json!({"path":"a","op":"replace","old":2,"new":3}),
                "the current value is not the old value",
            ),
            (
                json!({"path":"a","op":"add","new":3}),
                "the member already exists",
            ),
            (json!({"path":"b","op":"remove","old":3}), "no such member"),
            (
                json!({"path":"l[n=1].x","op":"add","new":3}),
                "more than one such item",
            ),
            (
                json!({"path":"l[n=3].x","op":"add","new":3}),
                "no such item",
            ),
            (
                json!({"path":"l[n=3]","op":"add","index":0,"new":{"n":4}}),
                "the new item does not match its path",
            ),
            (
                json!({"path":"l[n=3]","op":"add","index":4,"new":{"n":3}}),
                "the index is beyond the end of the list",
            ),
            (
                json!({"path":"l[n=3]","op":"add","new":{"n":3}}),
                "no index",
            ),
            (
                json!({"path":"s[1]","op":"remove","old":"x"}),
                "the index is beyond the end of the list",
            ),
            (
                json!({"path":"a","op":"move","index":0}),
                "the parent is not a list",
            ),
            (
                json!({"path":"","op":"remove","old":1}),
                "the root can only be replaced",
            ),
        ] {
            assert_eq!(reason(&old, &row), why, "{row}");
        }
    }

    #[test]
    fn each_change_is_applied_to_the_result_of_the_previous_ones() {
        let rows = [
            json!({"path":"s[=\"a\"]","op":"remove","old":"a"}),
            json!({"path":"s[=\"c\"]","op":"move","index":0}),
            json!({"path":"s[=\"d\"]","op":"add","index":1,"new":"d"}),
            json!({"path":"m","op":"add","new":{"k":1}}),
            json!({"path":"m.k","op":"replace","old":1,"new":2}),
        ];
        let changes: Vec<FieldChange> = rows
            .iter()
            .map(|row| FieldChange::from_value(row).unwrap())
            .collect();
        assert_eq!(
            apply(&json!({"s":["a","b","c"]}), &changes).unwrap(),
            json!({"s":["c","d","b"],"m":{"k":2}})
        );
    }
}
