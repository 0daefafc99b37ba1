//! Matches the items of two lists, by members or by value, and finds the moves from one order to the other.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::path::{Segment, member};
use super::tree;

/// Members that identify the items of a list. A dot leads into a nested map; a `?` at the end marks a member that may
/// be absent.
type Members = &'static [&'static str];

/// The longest identity of an item, in bytes of its text. A longer one does not help a reader: a script in a list of
/// strings is better identified by its index.
const MAX_IDENTITY_BYTES: usize = 120;

/// The maximal work to find the moves in one list, in steps. A list that needs more is replaced as a whole.
const MAX_MOVE_STEPS: usize = 1 << 24;

/// The identifying members of Kubernetes' lists, by the name of the field: the API's own list-map keys
/// (`+listMapKey`/`patchMergeKey` in k8s.io/api), or the members that users go by.
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

/// Tried in this order for every other list, and if the known members do not identify the items.
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

/// Whether an item of a list may be identified by a member of this name, or by a member of it.
pub(in crate::k8s) fn may_identify(name: &str) -> bool {
    matches!(
        name,
        "address"
            | "apiServerID"
            | "apiVersion"
            | "configMapRef"
            | "containerPort"
            | "devicePath"
            | "effect"
            | "host"
            | "hostname"
            | "id"
            | "ip"
            | "key"
            | "kind"
            | "manager"
            | "metadata"
            | "mountPath"
            | "name"
            | "namespace"
            | "operation"
            | "operator"
            | "path"
            | "pathType"
            | "port"
            | "prefix"
            | "protocol"
            | "resource"
            | "secretRef"
            | "subresource"
            | "targetRef"
            | "topologyKey"
            | "type"
            | "uid"
            | "value"
            | "whenUnsatisfiable"
    )
}

/// Lists of strings that are a sequence and not a set: their items are identified by index.
const SEQUENCES: &[&str] = &["args", "command"];

/// An item with the segment that identifies it, and the text of that segment.
pub(in crate::k8s) struct Named<'a> {
    pub(in crate::k8s) text: String,
    pub(in crate::k8s) segment: Segment,
    pub(super) item: &'a Value,
}

pub(in crate::k8s) type NamedLists<'a> = (Vec<Named<'a>>, Vec<Named<'a>>);

/// Longer lists are searched by hashes.
const FEW: usize = 16;

/// The places of named items, by their texts.
pub(super) struct Places<'n> {
    named: &'n [Named<'n>],
    /// Empty for a short list.
    by_text: HashMap<&'n str, usize>,
}

impl<'n> Places<'n> {
    pub(super) fn new(named: &'n [Named<'n>]) -> Self {
        let is_long = named.len() > FEW;
        let places = named.iter().zip(0..).filter(|_| is_long);
        let by_text = places.map(|(named, place)| (named.text.as_str(), place));
        Self {
            named,
            by_text: by_text.collect(),
        }
    }

    /// The place of the item with a text. `likely` is where it is searched first.
    pub(super) fn get(&self, text: &str, likely: usize) -> Option<usize> {
        let is_it = |named: &Named<'_>| named.text == text;
        if self.named.get(likely).is_some_and(is_it) {
            Some(likely)
        } else if self.named.len() > FEW {
            self.by_text.get(text).copied()
        } else {
            self.named.iter().position(is_it)
        }
    }
}

/// Whether no two items have the same text.
fn are_unique(named: &[Named<'_>]) -> bool {
    if named.len() > FEW {
        let texts: HashSet<&str> = named.iter().map(|named| named.text.as_str()).collect();
        return texts.len() == named.len();
    }
    let mut rest = named.iter();
    while let Some(one) = rest.next() {
        if rest.as_slice().iter().any(|other| other.text == one.text) {
            return false;
        }
    }
    true
}

/// Names all items with a function; None if it fails for an item, or if two items get the same name.
fn name_all<'a>(
    items: &'a [Value],
    name: impl Fn(&'a Value) -> Option<Segment>,
) -> Option<Vec<Named<'a>>> {
    let mut named = Vec::with_capacity(items.len());
    for item in items {
        let segment = name(item)?;
        let text = segment.to_string();
        if text.len() > MAX_IDENTITY_BYTES {
            return None;
        }
        named.push(Named {
            text,
            segment,
            item,
        });
    }
    are_unique(&named).then_some(named)
}

/// Names items by members. The members must identify all items of both lists; of several candidates the one under which
/// the most items are in both lists is used, the first of equals.
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
    best_members(known, old, new).or_else(|| best_members(GENERAL, old, new))
}

/// Names the items by the candidate under which the most items are in both lists.
fn best_members<'a>(
    candidates: &[Members],
    old: &'a [Value],
    new: &'a [Value],
) -> Option<NamedLists<'a>> {
    let most_possible = old.len().min(new.len());
    let mut best: Option<(usize, NamedLists<'a>)> = None;
    let mut tried: Vec<Vec<&str>> = Vec::new();
    for members in candidates {
        // With the same members the items get the same names.
        let Some(used) = used_members(members, old, new).filter(|used| !tried.contains(used))
        else {
            continue;
        };
        if let Some((a, b)) = name_by(&used, old, new) {
            let places = Places::new(&a);
            let is_common = |(named, place): &(&Named<'_>, usize)| {
                let known = places.get(&named.text, *place);
                known.is_some()
            };
            let common = b.iter().zip(0..).filter(is_common).count();
            if best.as_ref().is_none_or(|(most, _)| common > *most) {
                best = Some((common, (a, b)));
            }
            if common == most_possible {
                break;
            }
        }
        tried.push(used);
    }
    best.map(|(_, lists)| lists)
}

/// The names of the members by which the items of both lists may be named. Optional members that no item has are not
/// used. None if a member is missing.
fn used_members(members: Members, old: &[Value], new: &[Value]) -> Option<Vec<&'static str>> {
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
    (!used.is_empty()).then_some(used)
}

/// Names the items of both lists by members.
fn name_by<'a>(used: &[&str], old: &'a [Value], new: &'a [Value]) -> Option<NamedLists<'a>> {
    let name = |item: &'a Value| {
        let mut identity = Vec::with_capacity(used.len());
        for name in used {
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

/// Names items by their value, in lists of scalars.
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

/// The fewest moves that sort a list of distinct numbers, as (number, index right after the move), in the order in which
/// they are applied. None if that takes more than [`MAX_MOVE_STEPS`].
///
/// Example: `[2, 0, 1]` needs one move, `(2, 2)`. The numbers of a longest increasing subsequence (0, 1) stay.
pub(super) fn moves(order: &[usize]) -> Option<Vec<(usize, usize)>> {
    if order.is_sorted() {
        return Some(Vec::new());
    }
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
        // The smaller numbers that stay or have moved already are in order. So the position after the largest of them
        // is right for this one.
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
    let mut tails: Vec<usize> = Vec::new(); // for each length: the smallest last value of a subsequence
    let mut before: HashMap<usize, usize> = HashMap::new(); // value -> the one before it in its subsequence
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

    /// The same as [`best_members`], by trying every candidate to the end.
    fn best_by_trying(candidates: &[Members], old: &[Value], new: &[Value]) -> Option<Vec<String>> {
        let mut best: Option<(usize, Vec<String>)> = None;
        for members in candidates {
            let used = used_members(members, old, new);
            let Some((a, b)) = used.and_then(|used| name_by(&used, old, new)) else {
                continue;
            };
            let texts = |named: &[Named<'_>]| -> Vec<String> {
                named.iter().map(|named| named.text.clone()).collect()
            };
            let (a, b) = (texts(&a), texts(&b));
            let all: HashSet<&String> = a.iter().collect();
            assert_eq!(all.len(), a.len(), "each text once");
            let common = b.iter().filter(|text| all.contains(text)).count();
            if best.as_ref().is_none_or(|(most, _)| common > *most) {
                best = Some((common, [a, b].concat()));
            }
        }
        best.map(|(_, texts)| texts)
    }

    #[test]
    fn the_best_members_are_those_of_a_search_through_all_candidates() {
        let mut state = 11_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        let mut named = 0;
        for round in 0..3000 {
            // Some lists are longer than those that are searched without hashes.
            let most = if round % 10 == 0 { 40 } else { 4 };
            let names = [
                "name",
                "namespace",
                "key",
                "type",
                "kind",
                "port",
                "protocol",
            ];
            let mut list = |used: &[&str]| -> Vec<Value> {
                let count = random(most);
                let item = |_| {
                    let members = used.iter().filter_map(|name| {
                        let value = Value::from(random(most * 3));
                        (random(9) > 0).then(|| ((*name).to_owned(), value))
                    });
                    Value::Object(members.collect())
                };
                (0..count).map(item).collect()
            };
            let used = names.get(round % 5..round % 5 + 3).unwrap();
            let (old, new) = (list(used), list(used));
            let found = best_members(GENERAL, &old, &new);
            let found = found.map(|(a, b)| -> Vec<String> {
                a.into_iter().chain(b).map(|named| named.text).collect()
            });
            named += usize::from(found.is_some());
            assert_eq!(
                found,
                best_by_trying(GENERAL, &old, &new),
                "{old:?} {new:?}"
            );
        }
        assert!(named > 300, "{named}");
    }

    #[test]
    fn the_members_that_identify_items_are_all_known() {
        let known = KNOWN.iter().flat_map(|(_, members)| *members);
        let names = known.chain(GENERAL).flat_map(|members| *members);
        let first = |name: &&'static str| name.split(['.', '?']).next().unwrap();
        let names: HashSet<&str> = names.map(first).collect();
        assert!(names.iter().all(|name| may_identify(name)), "{names:?}");
        assert_eq!(names.len(), 34, "no other name is needed");
    }

    #[test]
    fn the_moves_are_the_fewest_and_each_index_is_right_when_it_is_applied() {
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
