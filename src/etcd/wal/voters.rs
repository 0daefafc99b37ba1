//! The voting members of a cluster, from its log.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::diag::Diagnostics;
use crate::etcd::cluster;
use crate::etcd::schema;
use crate::etcd::store::Store;

use super::Wal;
use super::entry::Request;
use super::messages::ConfChangeType;

/// The voters after the last entry of a log. `store` is the database that the log continues; without one, the log must
/// begin with the first entry of its cluster. Empty if they are not known.
pub fn voters(wal: &Wal<'_>, store: Option<&Store<'_>>) -> BTreeSet<u64> {
    let mut voters = store.map_or_else(BTreeSet::new, voters_of);
    let from = store.and_then(|store| store.meta().consistent_index);
    let is_later = |index: u64| from.is_none_or(|from| index > from);
    for entry in wal.effective().filter(|entry| is_later(entry.index)) {
        match entry.request() {
            Request::ConfChange(change) => apply(&mut voters, change.change_type, change.node_id),
            Request::ConfChangeV2(changes) => {
                for change in &changes.changes {
                    apply(&mut voters, change.change_type, change.node_id);
                }
            }
            _ => {}
        }
    }
    voters
}

fn apply(voters: &mut BTreeSet<u64>, change: ConfChangeType, id: u64) {
    match change {
        ConfChangeType::ADD_NODE => drop(voters.insert(id)),
        ConfChangeType::REMOVE_NODE => drop(voters.remove(&id)),
        _ => {}
    }
}

/// The voters that a database names: in its `confState`, which etcd 3.4 does not write, or in bucket `members`.
fn voters_of(store: &Store<'_>) -> BTreeSet<u64> {
    let state = store.meta().conf_state.as_deref();
    let state = state.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let listed = state
        .as_ref()
        .and_then(|state| state.get("voters")?.as_array());
    if let Some(listed) = listed {
        return listed.iter().filter_map(Value::as_u64).collect();
    }
    let diagnostics = Diagnostics::new();
    let bucket = store.bucket(schema::MEMBERS).cloned();
    let members = bucket.map_or_else(Vec::new, |bucket| members_of(&bucket, &diagnostics));
    let voting = members.into_iter().filter(|member| !member.is_learner);
    voting
        .filter_map(|member| u64::from_str_radix(&member.id, 16).ok())
        .collect()
}

fn members_of<'b>(
    bucket: &crate::bbolt::Bucket<'b>,
    diagnostics: &'b Diagnostics,
) -> Vec<cluster::Member> {
    cluster::members(bucket, diagnostics)
}
