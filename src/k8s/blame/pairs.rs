//! Matches the items of a list with the items of its previous version.

use std::collections::HashMap;

use serde_json::Value;

use crate::k8s::diff::lists::{NamedLists, by_members, by_value};
use crate::k8s::diff::steps::steps;
use crate::k8s::diff::{Segment, tree};

/// For each item of `new` the index of the same item in `old`; None for a new item. `field` is the name of the field
/// that contains the list.
pub(super) fn pairs(field: &str, old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    match by_members(field, old, new).or_else(|| by_value(field, old, new)) {
        Some(named) => by_name(&named),
        None => by_place(old, new),
    }
}

/// Matches items with the same name.
fn by_name((old, new): &NamedLists<'_>) -> Vec<Option<usize>> {
    let places: HashMap<&str, usize> = old
        .iter()
        .enumerate()
        .map(|(place, named)| (named.text.as_str(), place))
        .collect();
    new.iter()
        .map(|named| places.get(named.text.as_str()).copied())
        .collect()
}

/// Matches items along a longest common subsequence of equal items. Between its items, the rest is matched by position.
pub(super) fn by_place(old: &[Value], new: &[Value]) -> Vec<Option<usize>> {
    let texts = |items: &[Value]| items.iter().map(tree::canonical).collect::<Vec<_>>();
    let mut pairs = vec![None; new.len()];
    for op in steps(&texts(old), &texts(new)) {
        for (from, to) in op.old_range().zip(op.new_range()) {
            if let Some(pair) = pairs.get_mut(to) {
                *pair = Some(from);
            }
        }
    }
    pairs
}

/// The path segments of the items of a list.
#[must_use]
pub fn segments(field: &str, items: &[Value]) -> Vec<Segment> {
    match by_members(field, items, items).or_else(|| by_value(field, items, items)) {
        Some((named, _)) => named.into_iter().map(|named| named.segment).collect(),
        None => (0..items.len()).map(Segment::Index).collect(),
    }
}
