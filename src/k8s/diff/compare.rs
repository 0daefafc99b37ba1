//! Compares two trees and returns their differences as [`FieldChange`]s.

use serde_json::{Map, Value};
use similar::DiffOp;

use super::change::{FieldChange, Op, Scope};
use super::lists::{Named, NamedLists, Places, by_members, by_value, moves};
use super::path::Segment;
use super::steps::steps;
use super::tree;
use super::walked::PathBuilder;

/// The depth at which the walk stops and compares a value as a whole. Stored objects cannot be deeper (the decoders and
/// the API server have their own limits). The limit keeps the recursion within the stack of any thread.
pub const MAX_DEPTH: usize = 256;

/// The total length of the names on the path of a value, in bytes, above which it is compared as a whole. Real paths
/// have a few hundred bytes. Without a limit, one long name before each of many changed values makes gigabytes of paths.
pub const MAX_NAME_BYTES: usize = 1024;

/// The cost of one change in addition to its values, when the changes are compared with the replacement of the whole
/// list: about the length of a path.
const CHANGE_BYTES: usize = 16;

/// The changes from `old` to `new`. Empty exactly if both are equal (within the scope).
#[must_use]
pub fn diff(old: &Value, new: &Value, scope: Scope) -> Vec<FieldChange> {
    let mut walk = Walk::new(scope);
    walk.values(old, new);
    walk.changes
}

/// The changes from `old` to `new`, which lack equal parts. An item of a list may lack the members that an item at the same
/// place of the other list has too, but not those that identify it. None if the whole lists are needed, because their items
/// are not identified, or not in the same order.
#[must_use]
pub fn pruned_diff(old: &Value, new: &Value, scope: Scope) -> Option<Vec<FieldChange>> {
    let mut walk = Walk {
        whole_is_needed: Some(false),
        ..Walk::new(scope)
    };
    walk.values(old, new);
    (walk.whole_is_needed == Some(false)).then_some(walk.changes)
}

/// The state of one [`diff`].
struct Walk {
    path: PathBuilder,
    changes: Vec<FieldChange>,
    scope: Scope,
    /// Whether the whole values are needed; none if these are whole values.
    whole_is_needed: Option<bool>,
}

impl Walk {
    fn new(scope: Scope) -> Self {
        Self {
            path: PathBuilder::default(),
            changes: Vec::new(),
            scope,
            whole_is_needed: None,
        }
    }

    /// The name of the field that is compared; empty for an item of a list.
    fn field(&self) -> &str {
        match self.path.steps().last() {
            Some(Segment::Key(key)) => key,
            _ => "",
        }
    }

    /// Notes that whole values are needed.
    fn need_whole(&mut self) {
        self.whole_is_needed = self.whole_is_needed.map(|_| true);
    }

    /// Compares the values at `self.path`.
    fn values(&mut self, old: &Value, new: &Value) {
        let descends =
            self.path.steps().len() < MAX_DEPTH && self.path.name_bytes() <= MAX_NAME_BYTES;
        match (old, new) {
            (Value::Object(a), Value::Object(b)) if descends => self.maps(a, b),
            (Value::Array(a), Value::Array(b)) if descends => compare_lists(self, a, b),
            _ if tree::equal(old, new) => {}
            _ => {
                if !descends {
                    self.need_whole();
                }
                let path = self.path.path();
                self.changes.push(FieldChange::replace(path, old, new));
            }
        }
    }

    /// Compares two values that are a child of `self.path`.
    fn compare_child(&mut self, segment: Segment, old: &Value, new: &Value) {
        self.path.push(segment);
        self.values(old, new);
        self.path.pop();
    }

    /// Compares two maps: first the keys of the old one, then keys that are new.
    fn maps(&mut self, old: &Map<String, Value>, new: &Map<String, Value>) {
        let mut others = tree::Lookup::new(new);
        for (key, a) in old {
            if self.scope.excludes(self.path.steps(), key) {
                continue;
            }
            match others.get(key) {
                // Most members are the same: no path is made for them.
                Some(b) if tree::same_scalar(a, b) => {}
                Some(b) => self.compare_child(Segment::Key(key.clone()), a, b),
                None => {
                    let path = self.path.child(Segment::Key(key.clone()));
                    self.changes.push(FieldChange::remove(path, a));
                }
            }
        }
        let mut others = tree::Lookup::new(old);
        for (key, b) in new {
            if others.get(key).is_none() && !self.scope.excludes(self.path.steps(), key) {
                let path = self.path.child(Segment::Key(key.clone()));
                self.changes.push(FieldChange::add(path, b, None));
            }
        }
    }
}

/// Whether two lists have equal items. Then they have no changes, however their items are matched.
fn are_equal(old: &[Value], new: &[Value]) -> bool {
    let mut pairs = old.iter().zip(new);
    old.len() == new.len() && pairs.all(|(a, b)| tree::equal(a, b))
}

/// Compares two lists at the walk's path. The changes may be replaced with one change of the whole list.
fn compare_lists(walk: &mut Walk, old: &[Value], new: &[Value]) {
    if are_equal(old, new) {
        return;
    }
    let start = walk.changes.len();
    let named = by_members(walk.field(), old, new);
    // Lists of different lengths are never pruned, and scalars are whole.
    if old.len() == new.len()
        && old.first().is_some_and(Value::is_object)
        && !named.as_ref().is_some_and(are_aligned)
    {
        walk.need_whole();
    }
    let replaces_list = if let Some((a, b)) = named {
        !compare_named(walk, &a, &b)
    } else if let Some((a, b)) = by_value(walk.field(), old, new) {
        !compare_named(walk, &a, &b) || costs_more(walk, start, old, new)
    } else {
        compare_by_index(walk, old, new);
        costs_more(walk, start, old, new)
    };
    if replaces_list && walk.changes.len() > start {
        walk.changes.truncate(start);
        let copy = |items: &[Value]| Some(Value::Array(items.iter().map(tree::copy).collect()));
        let path = walk.path.path();
        walk.changes.push(FieldChange {
            path,
            op: Op::Replace,
            old: copy(old),
            new: copy(new),
            index: None,
        });
    }
}

/// Whether the items at the same place have the same name.
fn are_aligned((old, new): &NamedLists<'_>) -> bool {
    let mut pairs = old.iter().zip(new);
    old.len() == new.len() && pairs.all(|(a, b)| a.text == b.text)
}

/// Whether the changes since `start` are longer than both lists together.
fn costs_more(walk: &Walk, start: usize, old: &[Value], new: &[Value]) -> bool {
    let changes = walk.changes.get(start..).unwrap_or_default();
    let values = changes.iter().flat_map(|c| c.old.iter().chain(&c.new));
    let parts = values.map(tree::json_len).fold(
        changes.len().saturating_mul(CHANGE_BYTES),
        usize::saturating_add,
    );
    let whole = old
        .iter()
        .chain(new)
        .map(|item| tree::json_len(item).saturating_add(1))
        .fold(CHANGE_BYTES, usize::saturating_add);
    parts > whole
}

/// Compares two lists whose items are identified by members or value. The changes are in the order removes, moves, adds,
/// changes inside items that stay. Returns false if the moves take too much work.
fn compare_named(walk: &mut Walk, old: &[Named<'_>], new: &[Named<'_>]) -> bool {
    let places = Places::new(new);
    let mut kept: Vec<(&Named<'_>, usize)> = Vec::new();
    let mut stays = vec![false; new.len()];
    for (index, named) in old.iter().enumerate() {
        if let Some(place) = places.get(&named.text, index) {
            kept.push((named, place));
            if let Some(stays) = stays.get_mut(place) {
                *stays = true;
            }
        } else {
            let path = walk.path.child(named.segment.clone());
            walk.changes.push(FieldChange::remove(path, named.item));
        }
    }
    let order: Vec<usize> = kept.iter().map(|(_, place)| *place).collect();
    let Some(moves) = moves(&order) else {
        // The caller replaces the list if there is at least one change.
        let path = walk.path.path();
        walk.changes.push(FieldChange::moved(path, 0));
        return false;
    };
    for (place, index) in moves {
        if let Some(named) = new.get(place) {
            let path = walk.path.child(named.segment.clone());
            walk.changes.push(FieldChange::moved(path, index));
        }
    }
    for (index, (named, _)) in new
        .iter()
        .zip(&stays)
        .enumerate()
        .filter(|(_, (_, s))| !**s)
    {
        let path = walk.path.child(named.segment.clone());
        walk.changes
            .push(FieldChange::add(path, named.item, Some(index)));
    }
    for (named, place) in kept {
        let other = new.get(place).map(|other| other.item);
        if let Some(other) = other.filter(|other| !tree::equal(named.item, other)) {
            walk.compare_child(named.segment.clone(), named.item, other);
        }
    }
    true
}

/// Compares two lists by index, along a longest common subsequence of equal items (Myers' algorithm, with the heuristics
/// of git that bound its cost).
fn compare_by_index(walk: &mut Walk, old: &[Value], new: &[Value]) {
    let texts = |items: &[Value]| items.iter().map(tree::canonical).collect::<Vec<_>>();
    let (mut removed, mut added, mut paired) = (Vec::new(), Vec::new(), Vec::new());
    for op in steps(&texts(old), &texts(new)) {
        if matches!(op, DiffOp::Equal { .. }) {
            continue;
        }
        let (old_range, new_range) = (op.old_range(), op.new_range());
        let pairs = old_range.len().min(new_range.len());
        paired.extend(old_range.clone().zip(new_range.clone()));
        removed.extend(old_range.skip(pairs));
        added.extend(new_range.skip(pairs));
    }
    for index in removed.into_iter().rev() {
        if let Some(item) = old.get(index) {
            let path = walk.path.child(Segment::Index(index));
            walk.changes.push(FieldChange::remove(path, item));
        }
    }
    for index in added {
        if let Some(item) = new.get(index) {
            let path = walk.path.child(Segment::Index(index));
            walk.changes.push(FieldChange::add(path, item, Some(index)));
        }
    }
    for (from, to) in paired {
        if let (Some(a), Some(b)) = (old.get(from), new.get(to)) {
            compare_pair(walk, to, a, b);
        }
    }
}

/// Compares two different items at the same index: the changes in them, or the replacement of the whole item if that is
/// shorter.
fn compare_pair(walk: &mut Walk, index: usize, old: &Value, new: &Value) {
    let start = walk.changes.len();
    walk.compare_child(Segment::Index(index), old, new);
    let (a, b) = (std::slice::from_ref(old), std::slice::from_ref(new));
    if walk.changes.len() > start.saturating_add(1) && costs_more(walk, start, a, b) {
        walk.changes.truncate(start);
        let path = walk.path.child(Segment::Index(index));
        walk.changes.push(FieldChange::replace(path, old, new));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use serde_json::json;

    use super::super::apply;
    use super::*;

    fn rows(old: &Value, new: &Value) -> Vec<String> {
        let changes = diff(old, new, Scope::ALL);
        let applied = apply(old, &changes).unwrap();
        assert!(tree::equal(&applied, new), "{applied} is not {new}");
        changes.iter().map(FieldChange::to_json).collect()
    }

    #[test]
    fn null_is_a_value_and_absent_is_not() {
        assert_eq!(
            rows(
                &json!({"a":null,"b":1,"c":null}),
                &json!({"b":null,"c":null,"d":null})
            ),
            [
                r#"{"path":"a","op":"remove","old":null}"#,
                r#"{"path":"b","op":"replace","old":1,"new":null}"#,
                r#"{"path":"d","op":"add","new":null}"#,
            ]
        );
    }

    #[test]
    fn another_type_is_a_replacement() {
        assert_eq!(
            rows(&json!({"a":{"b":1}}), &json!({"a":[1]})),
            [r#"{"path":"a","op":"replace","old":{"b":1},"new":[1]}"#]
        );
        assert_eq!(
            rows(&json!(1), &json!({})),
            [r#"{"path":"","op":"replace","old":1,"new":{}}"#]
        );
        assert_eq!(
            rows(&json!({"a":1}), &json!({"a":1.0})),
            [r#"{"path":"a","op":"replace","old":1,"new":1.0}"#]
        );
    }

    #[test]
    fn what_the_scope_excludes_is_not_compared() {
        let old = json!({"metadata":{"managedFields":[1]},"status":{"a":1},"spec":{"status":1}});
        let new = json!({"metadata":{"managedFields":[2]},"spec":{"status":2}});
        let scope = Scope {
            status: false,
            managed_fields: false,
        };
        let paths: Vec<String> = diff(&old, &new, scope)
            .iter()
            .map(|c| c.path.to_string())
            .collect();
        assert_eq!(paths, ["spec.status"]);
        assert_eq!(diff(&old, &new, Scope::ALL).len(), 3);
    }

    /// The changes as `op path @index`, after checking that applying them gives the new value.
    fn steps(old: &Value, new: &Value) -> Vec<String> {
        let changes = diff(old, new, Scope::ALL);
        let applied = apply(old, &changes).unwrap();
        assert!(tree::equal(&applied, new), "{applied} is not {new}");
        changes
            .iter()
            .map(|c| {
                let index = c.index.map_or(String::new(), |i| format!(" @{i}"));
                format!("{} {}{index}", c.op.as_str(), c.path)
            })
            .collect()
    }

    #[test]
    fn an_item_put_in_front_leaves_the_others_alone() {
        let web = json!({"name":"web","image":"a"});
        let side = json!({"name":"side","image":"b"});
        let old = json!({"containers":[web]});
        let new = json!({"containers":[side, web]});
        assert_eq!(steps(&old, &new), ["add containers[name=side] @0"]);
        assert_eq!(steps(&new, &old), ["remove containers[name=side]"]);
    }

    #[test]
    fn changes_of_a_list_come_as_removes_moves_adds_and_changes_inside() {
        let item = |name: &str, v: i32| json!({"name":name,"v":v});
        let old = json!({"l":[item("a",1), item("b",1), item("c",1), item("d",1)]});
        let new = json!({"l":[item("d",1), item("e",1), item("a",2), item("c",1)]});
        assert_eq!(
            steps(&old, &new),
            [
                "remove l[name=b]",
                "move l[name=d] @0",
                "add l[name=e] @1",
                "replace l[name=a].v"
            ]
        );
    }

    #[test]
    fn kubernetes_keys_are_used_and_the_key_with_most_matches_wins() {
        let old = json!({"ports":[{"name":"http","port":80,"protocol":"TCP"},{"name":"dns","port":53,"protocol":"UDP"}]});
        let node = json!({"ports":[{"name":"http","port":80,"protocol":"TCP","nodePort":3},{"name":"dns","port":53,"protocol":"UDP"}]});
        assert_eq!(
            steps(&old, &node),
            ["add ports[port=80,protocol=TCP].nodePort"]
        );
        let other = json!({"ports":[{"name":"http","port":8080,"protocol":"TCP"},{"name":"dns","port":53,"protocol":"UDP"}]});
        assert_eq!(steps(&old, &other), ["replace ports[name=http].port"]);
    }

    #[test]
    fn an_absent_member_is_part_of_an_identity() {
        let user = json!({"kind":"User","name":"x"});
        let account = json!({"kind":"User","name":"x","namespace":"n"});
        let old = json!({"subjects":[account]});
        let new = json!({"subjects":[account, user]});
        assert_eq!(
            steps(&old, &new),
            ["add subjects[kind=User,name=x,namespace=] @1"]
        );
    }

    #[test]
    fn an_identity_may_be_in_a_nested_map() {
        let end = |name: &str, ip: &str| json!({"addresses":[ip],"targetRef":{"name":name}});
        let old = json!({"endpoints":[end("web-1", "10.0.0.1"), end("web-2", "10.0.0.2")]});
        let new = json!({"endpoints":[end("web-2", "10.0.0.2")]});
        assert_eq!(
            steps(&old, &new),
            ["remove endpoints[targetRef.name=web-1]"]
        );
        let item = |name: &str| json!({"kind":"Pod","metadata":{"name":name}});
        let (old, new) = (
            json!({"items":[item("a")]}),
            json!({"items":[item("b"), item("a")]}),
        );
        assert_eq!(
            steps(&old, &new),
            ["add items[metadata.name=b,kind=Pod] @0"]
        );
    }

    #[test]
    fn items_without_a_common_key_are_compared_by_index() {
        let rule =
            |verbs: &[&str]| json!({"apiGroups":["apps"],"resources":["a","b","c"],"verbs":verbs});
        let old = json!({"rules":[rule(&["get"]), rule(&["list"]), rule(&["watch"])]});
        let new = json!({"rules":[rule(&["get"]), rule(&["list", "delete"]), rule(&["watch"])]});
        assert_eq!(steps(&old, &new), [r#"add rules[1].verbs[="delete"] @1"#]);
        let fewer = json!({"rules":[rule(&["watch"])]});
        assert_eq!(steps(&old, &fewer), ["remove rules[1]", "remove rules[0]"]);
        assert_eq!(steps(&fewer, &old), ["add rules[0] @0", "add rules[1] @1"]);
    }

    #[test]
    fn scalars_are_compared_by_value_and_duplicates_by_index() {
        let steps = |old: Value, new: Value| steps(&json!({"f":old}), &json!({"f":new}));
        assert_eq!(
            steps(
                json!(["aaaaaaaaaa", "bbbbbbbbbbb"]),
                json!(["aaaaaaaaaa", "cccccccccc", "bbbbbbbbbbb"])
            ),
            [r#"add f[="cccccccccc"] @1"#]
        );
        assert_eq!(
            steps(
                json!(["x", "x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"]),
                json!(["x", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"])
            ),
            ["remove f[1]"]
        );
        assert_eq!(steps(json!(["a"]), json!(["b"])), ["replace f"]);
        assert_eq!(steps(json!([]), json!(["b"])), [r#"add f[="b"] @0"#]);
        assert_eq!(
            steps(json!([1, "1", true, null]), json!([null, 1, "1", true])),
            ["move f[=null] @0"]
        );
    }

    #[test]
    fn arguments_are_a_sequence() {
        let old = json!({"args":["--verbose-logging-of-everything","--v=2","--port=80"]});
        let new = json!({"args":["--verbose-logging-of-everything","--v=4","--port=80"]});
        assert_eq!(steps(&old, &new), ["replace args[1]"]);
    }

    #[test]
    fn too_many_moves_replace_the_list() {
        let backwards = |n: usize| -> Value { (0..n).rev().map(|i| json!({"name":i})).collect() };
        let forwards: Value = (0..5000).map(|i| json!({"name":i})).collect();
        assert_eq!(steps(&backwards(5000), &forwards), ["replace "]);
    }
}
