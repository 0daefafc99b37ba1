//! The order in which objects are created again.

use crate::etcd::key_ids::KeyTable;

use super::plan::Item;

/// No chain of owners is followed further: owners may own each other.
const DEEPEST: u32 = 16;

/// Sorts items into the order in which they have to be created: by the rank of their kind, and within a rank owners
/// before the objects that they own. An object with a lower rank may come before its owner, because manifests have no
/// references to owners that come back: a claim comes before the workload that owns it, and a Secret before the custom
/// resource that owns it.
pub fn sort_for_apply(items: &mut [Item]) {
    let mut places: KeyTable<usize> = KeyTable::default();
    for (place, item) in items.iter().enumerate() {
        if let Some(facts) = &item.facts {
            places.insert(facts.uid, place);
        }
    }
    for _ in 0..DEEPEST {
        let mut changed = false;
        for place in 0..items.len() {
            let Some(own) = items.get(place).and_then(|item| item.facts.as_ref()) else {
                continue;
            };
            let owners = own.owners.iter();
            let owners = owners.filter_map(|uid| items.get(*places.get(uid)?)?.facts.as_ref());
            let same_rank = owners.filter(|owner| owner.rank == own.rank);
            let Some(depth) = same_rank.map(|owner| owner.depth).max() else {
                continue;
            };
            if own.depth <= depth
                && own.depth < DEEPEST
                && let Some(own) = items.get_mut(place).and_then(|item| item.facts.as_mut())
            {
                own.depth = depth.saturating_add(1);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let place = |item: &Item| match &item.facts {
        Some(facts) => (facts.rank, facts.depth),
        None => (u32::MAX, 0),
    };
    items.sort_by(|a, b| {
        let keys = || {
            a.key
                .cmp(&b.key)
                .then_with(|| a.deleted_at.cmp(&b.deleted_at))
        };
        place(a).cmp(&place(b)).then_with(keys)
    });
}
