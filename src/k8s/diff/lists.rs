//! Which item of a list is which item of the other: by its members, by its value, or by place.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use similar::{Algorithm, DiffOp, capture_diff_slices};

use super::change::{FieldChange, Op, Walk};
use super::path::{Segment, member};
use super::tree;

/// Members by which the items of a list are told apart; a dot leads into a nested map, a `?` behind the
/// name: may be absent.
type Members = &'static [&'static str];

/// The longest identity, in bytes of its text, that still helps a reader: a script among a list of
/// strings is better named by its place.
const MAX_IDENTITY_BYTES: usize = 120;

/// Steps spent on finding the indexes of moved items in one list, before it is replaced as a whole.
const MAX_MOVE_STEPS: usize = 1 << 24;

/// What one change costs besides its values when comparing with the replacement of the whole list:
/// about one path.
const CHANGE_BYTES: usize = 16;

/// The keys of Kubernetes' lists, by the name of the field: its own list-map keys
/// (`+listMapKey`/`patchMergeKey` in k8s.io/api), and what people go by where it has none.
const KNOWN: &[(&[&str], &[Members])] = &[
    (
        &["ports"],
        &[
            &["containerPort", "protocol?"],
            &["port", "protocol?"],
            &["name"],
        ],
    ),
    (&["conditions"], &[&["type"]]),
    (
        &["metrics", "currentMetrics"],
        &[&["type", "resource.name?"]],
    ),
    (
        &["endpoints"],
        &[&["targetRef.name"], &["targetRef.uid"], &["hostname"]],
    ),
    (
        &["envFrom"],
        &[&["configMapRef.name?", "secretRef.name?", "prefix?"]],
    ),
    (&["storageVersions"], &[&["apiServerID"]]),
    (&["volumeMounts"], &[&["mountPath"]]),
    (&["volumeDevices"], &[&["devicePath"]]),
    (&["ownerReferences"], &[&["uid"]]),
    (&["addresses"], &[&["type", "address"], &["ip"]]),
    (&["subjects"], &[&["kind", "name", "namespace?"]]),
    (&["taints"], &[&["key", "effect"]]),
    (
        &["tolerations"],
        &[&["key?", "operator?", "effect?", "value?"]],
    ),
    (
        &["managedFields"],
        &[&["manager", "operation", "apiVersion", "subresource?"]],
    ),
    (
        &["topologySpreadConstraints"],
        &[&["topologyKey", "whenUnsatisfiable?"]],
    ),
    (&["hostAliases", "podIPs", "hostIPs"], &[&["ip"]]),
    (&["rules"], &[&["host"], &["name"]]),
    (&["paths"], &[&["path", "pathType?"]]),
    (&["matchExpressions"], &[&["key", "operator"]]),
    (&["items"], &[&["key"], &["path"]]),
];

/// Tried in this order for every other list, and where no known members can be used.
const GENERAL: &[Members] = &[
    &["name"],
    &["name", "namespace?"],
    &["key"],
    &["id"],
    &["uid"],
    &["type"],
    &["kind", "name", "namespace?"],
    &["ip"],
    &["host"],
    &["path"],
    &["metadata.name", "metadata.namespace?", "kind?"],
    &["topologyKey"],
    &["port", "protocol?"],
    &["address"],
];

/// Lists of strings which are a sequence, not a set: a changed item is a changed item at a place.
const SEQUENCES: &[&str] = &["args", "command"];

/// Compares two lists at the walk's path.
pub(super) fn compare(walk: &mut Walk, old: &[Value], new: &[Value]) {
    let field = match walk.path.steps().last() {
        Some(Segment::Key(key)) => key.as_str(),
        _ => "",
    };
    let start = walk.changes.len();
    let whole_if_shorter = if let Some((a, b)) = by_members(field, old, new) {
        !matched(walk, &a, &b)
    } else if let Some((a, b)) = by_value(field, old, new) {
        !matched(walk, &a, &b) || costs_more(walk, start, old, new)
    } else {
        by_place(walk, old, new);
        costs_more(walk, start, old, new)
    };
    if whole_if_shorter && walk.changes.len() > start {
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

/// Whether the changes since `start` say more than both lists together.
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

/// An item with the segment that names it, and the text of that segment.
pub(in crate::k8s) struct Named<'a> {
    pub(in crate::k8s) text: String,
    pub(in crate::k8s) segment: Segment,
    item: &'a Value,
}

pub(in crate::k8s) type NamedLists<'a> = (Vec<Named<'a>>, Vec<Named<'a>>);

/// Names all items by a function; `None` where it fails, or where two items of a list get one name.
fn name_all<'a>(
    items: &'a [Value],
    name: impl Fn(&'a Value) -> Option<Segment>,
) -> Option<Vec<Named<'a>>> {
    let mut seen = HashSet::with_capacity(items.len());
    let mut named = Vec::with_capacity(items.len());
    for item in items {
        let segment = name(item)?;
        let text = segment.to_string();
        if text.len() > MAX_IDENTITY_BYTES || !seen.insert(text.clone()) {
            return None;
        }
        named.push(Named {
            text,
            segment,
            item,
        });
    }
    Some(named)
}

/// Names items by those members which tell all of them apart and under which most are found again;
/// the first of equals.
pub(in crate::k8s) fn by_members<'a>(
    field: &str,
    old: &'a [Value],
    new: &'a [Value],
) -> Option<NamedLists<'a>> {
    if !old.iter().chain(new).all(Value::is_object) || (old.is_empty() && new.is_empty()) {
        return None;
    }
    let known = KNOWN
        .iter()
        .find(|(fields, _)| fields.contains(&field))
        .map_or(&[] as &[Members], |(_, members)| members);
    best(known, old, new).or_else(|| best(GENERAL, old, new))
}

fn best<'a>(candidates: &[Members], old: &'a [Value], new: &'a [Value]) -> Option<NamedLists<'a>> {
    let mut best: Option<(usize, NamedLists<'a>)> = None;
    for members in candidates {
        let Some((a, b)) = name_by(members, old, new) else {
            continue;
        };
        let texts: HashSet<&str> = a.iter().map(|n| n.text.as_str()).collect();
        let common = b.iter().filter(|n| texts.contains(n.text.as_str())).count();
        if best.as_ref().is_none_or(|(most, _)| common > *most) {
            best = Some((common, (a, b)));
        }
    }
    best.map(|(_, lists)| lists)
}

fn name_by<'a>(members: Members, old: &'a [Value], new: &'a [Value]) -> Option<NamedLists<'a>> {
    let mut used = Vec::new();
    for marked in members {
        let name = marked.trim_end_matches('?');
        let present = |item: &Value| member(item, name).is_some();
        if name.len() == marked.len() {
            if !old.iter().chain(new).all(present) {
                return None;
            }
            used.push(name);
        } else if old.iter().chain(new).any(present) {
            used.push(name);
        }
    }
    if used.is_empty() {
        return None;
    }
    let name = |item: &'a Value| {
        let mut identity = Vec::with_capacity(used.len());
        for name in &used {
            let value = member(item, name);
            if value.is_some_and(|value| !is_short_scalar(value)) {
                return None;
            }
            identity.push(((*name).to_owned(), value.cloned()));
        }
        Some(Segment::Identity(identity))
    };
    Some((name_all(old, name)?, name_all(new, name)?))
}

fn is_short_scalar(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() <= MAX_IDENTITY_BYTES,
        other => tree::is_scalar(other),
    }
}

/// Names items by their own value, in lists of scalars.
pub(in crate::k8s) fn by_value<'a>(
    field: &str,
    old: &'a [Value],
    new: &'a [Value],
) -> Option<NamedLists<'a>> {
    if SEQUENCES.contains(&field) {
        return None;
    }
    let name = |item: &'a Value| is_short_scalar(item).then(|| Segment::Item(item.clone()));
    Some((name_all(old, name)?, name_all(new, name)?))
}

/// Removes, moves, adds, then what changed in the items that stay. False: too much work.
fn matched(walk: &mut Walk, old: &[Named<'_>], new: &[Named<'_>]) -> bool {
    let places: HashMap<&str, usize> = new
        .iter()
        .enumerate()
        .map(|(place, named)| (named.text.as_str(), place))
        .collect();
    let mut kept: Vec<(&Named<'_>, usize)> = Vec::new();
    let mut stays = vec![false; new.len()];
    for named in old {
        if let Some(place) = places.get(named.text.as_str()) {
            kept.push((named, *place));
            if let Some(stays) = stays.get_mut(*place) {
                *stays = true;
            }
        } else {
            let path = walk.path.child(named.segment.clone());
            walk.changes.push(FieldChange::remove(path, named.item));
        }
    }
    let order: Vec<usize> = kept.iter().map(|(_, place)| *place).collect();
    let Some(moves) = moves(&order) else {
        // One change is enough to have the list replaced.
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
        if let Some(other) = new.get(place) {
            walk.below(named.segment.clone(), named.item, other.item);
        }
    }
    true
}

/// The fewest moves which sort a list of distinct places: (place, index right after the move), to be done
/// in this order. `None` where finding them takes more than [`MAX_MOVE_STEPS`].
fn moves(order: &[usize]) -> Option<Vec<(usize, usize)>> {
    let fixed = longest_increasing(order);
    let mut sorted = order.to_vec();
    sorted.sort_unstable();
    let count = sorted.len().saturating_sub(fixed.len());
    if count.saturating_mul(sorted.len()) > MAX_MOVE_STEPS {
        return None;
    }
    let mut now = order.to_vec();
    let mut moves = Vec::with_capacity(count);
    let mut before = None;
    for place in sorted {
        // All that come before it in the end and do not move, or have moved, are in order: behind the
        // last of them it is in order too.
        if !fixed.contains(&place) {
            now.retain(|other| *other != place);
            let index = match before {
                None => 0,
                Some(before) => now
                    .iter()
                    .position(|other| *other == before)?
                    .saturating_add(1),
            };
            now.insert(index, place);
            moves.push((place, index));
        }
        before = Some(place);
    }
    Some(moves)
}

/// The members of a longest increasing subsequence (patience sorting, n log n).
fn longest_increasing(order: &[usize]) -> HashSet<usize> {
    let mut tails: Vec<usize> = Vec::new(); // the smallest last value of a run of each length
    let mut before: HashMap<usize, usize> = HashMap::new(); // value -> the one before it in its run
    for value in order {
        let at = tails.partition_point(|tail| tail < value);
        if let Some(previous) = at.checked_sub(1).and_then(|i| tails.get(i)) {
            before.insert(*value, *previous);
        }
        match tails.get_mut(at) {
            Some(tail) => *tail = *value,
            None => tails.push(*value),
        }
    }
    let mut members = HashSet::new();
    let mut at = tails.last().copied();
    while let Some(value) = at {
        members.insert(value);
        at = before.get(&value).copied();
    }
    members
}

/// Compares by place, along a longest common subsequence of equal items (Myers, with git's bounds on
/// hopeless searches).
fn by_place(walk: &mut Walk, old: &[Value], new: &[Value]) {
    let mut ids: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut intern = |items: &[Value]| -> Vec<usize> {
        let id = |item| {
            let next = ids.len();
            *ids.entry(tree::canonical(item)).or_insert(next)
        };
        items.iter().map(id).collect()
    };
    let (a, b) = (intern(old), intern(new));
    let (mut removed, mut added, mut paired) = (Vec::new(), Vec::new(), Vec::new());
    for op in capture_diff_slices(Algorithm::Myers, &a, &b) {
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
            pair(walk, to, a, b);
        }
    }
}

/// Two items at one place which are not equal: what changed in them, or the one for the other where that
/// is shorter.
fn pair(walk: &mut Walk, index: usize, old: &Value, new: &Value) {
    let start = walk.changes.len();
    walk.below(Segment::Index(index), old, new);
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

    use super::super::{Scope, apply, diff};
    use super::*;

    /// The changes as `op path @index`, after checking that they do what they say.
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
    fn kubernetes_keys_are_used_and_the_one_that_finds_most_again_wins() {
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
    fn an_identity_may_lie_in_a_nested_map() {
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
    fn items_without_a_common_key_go_by_place() {
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
    fn scalars_go_by_value_and_with_repetition_by_place() {
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
    fn the_moves_are_the_fewest_and_each_index_is_right_at_its_time() {
        // All orders of seven places.
        let mut orders = vec![vec![]];
        for place in 0..7_usize {
            orders = orders
                .iter()
                .flat_map(|order: &Vec<usize>| {
                    (0..=order.len()).map(move |at| {
                        let mut longer = order.clone();
                        longer.insert(at, place);
                        longer
                    })
                })
                .collect();
        }
        assert_eq!(orders.len(), 5040);
        for order in orders {
            let moves = moves(&order).unwrap();
            let mut now = order.clone();
            for (place, index) in &moves {
                now.retain(|other| other != place);
                now.insert(*index, *place);
            }
            assert!(now.is_sorted(), "{order:?} {moves:?}");
            assert_eq!(moves.len(), 7 - longest_by_trying(&order), "{order:?}");
        }
    }

    fn longest_by_trying(order: &[usize]) -> usize {
        (0..1_u32 << order.len())
            .filter(|set| {
                let chosen = (0..order.len()).filter(|i| set >> i & 1 == 1);
                chosen.map(|i| order.get(i)).is_sorted()
            })
            .map(u32::count_ones)
            .max()
            .unwrap() as usize
    }

    #[test]
    fn too_many_moves_replace_the_list() {
        let backwards = |n: usize| -> Value { (0..n).rev().map(|i| json!({"name":i})).collect() };
        let forwards: Value = (0..5000).map(|i| json!({"name":i})).collect();
        assert_eq!(steps(&backwards(5000), &forwards), ["replace "]);
    }
}
