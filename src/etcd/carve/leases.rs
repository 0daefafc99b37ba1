//! Times to live of leases that ended: pages of bucket `lease` that are freed, and not overwritten yet.

use std::collections::BTreeMap;

use prost::Message as _;

use crate::bbolt::page_use::Use;
use crate::bbolt::{Direction, Leaf, PageUse, Pgid, is_root};
use crate::etcd::lease::{Lease, lease_id};
use crate::etcd::schema;
use crate::etcd::state::State;

/// The times to live in seconds of the leases in freed pages, by their ids. An element counts only if it is, to the last
/// byte, what etcd writes. If an id was granted twice, the longer time is used, because a lease that ends too early
/// deletes its keys.
pub fn freed_leases(state: &State<'_>) -> BTreeMap<i64, i64> {
    let page_use = PageUse::read(state.db());
    let scan = state.page_scan();
    let is_unused = |pgid: Pgid| matches!(page_use.use_of(pgid), Use::Free | Use::Unreached);
    let mut found = BTreeMap::new();
    for (pgid, _) in scan.leaf_runs().filter(|(pgid, _)| is_unused(*pgid)) {
        let Some((leaf, _)) = scan.leaf(pgid) else {
            continue;
        };
        add(&leaf, &mut found);
        // A small bucket is inline, in the root page.
        let inline = is_root(&leaf).then(|| scan.inline_leaf(&leaf, schema::LEASE));
        if let Some((leaf, _)) = inline.flatten() {
            add(&leaf, &mut found);
        }
    }
    found
}

/// Adds the leases of a leaf.
fn add(leaf: &Leaf<'_>, found: &mut BTreeMap<i64, i64>) {
    for element in leaf.elements(Direction::Forward) {
        let lease = Lease::decode(element.value).ok().filter(|lease| {
            lease_id(element.key) == Some(lease.id)
                && lease.ttl > 0
                && lease.encode_to_vec() == element.value
        });
        if let Some(lease) = lease {
            let ttl = found.entry(lease.id).or_insert(lease.ttl);
            *ttl = lease.ttl.max(*ttl);
        }
    }
}
