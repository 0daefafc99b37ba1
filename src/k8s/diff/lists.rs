//! Which item of a list is which item of another list: names for items by their members or by their value, and the
//! moves that lead from one order to the other.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

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

/// An item with the segment that names it, and the text of that segment.
pub(in crate::k8s) struct Named<'a> {
    pub(in crate::k8s) text: String,
    pub(in crate::k8s) segment: Segment,
    pub(super) item: &'a Value,
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

/// The fewest moves which sort a list of distinct places: (place, index right after the move), to be done
/// in this order. `None` where finding them takes more than [`MAX_MOVE_STEPS`].
pub(super) fn moves(order: &[usize]) -> Option<Vec<(usize, usize)>> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

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
}
