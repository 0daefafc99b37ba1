//! The live keys of a replay, and the comparisons of transactions.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use crate::etcd::record::Record;
use crate::etcd::wal::wire::Node;
use crate::etcd::wal::writes::Delete;

/// The live keys, each with its newest put.
#[derive(Debug, Default)]
pub(super) struct Keys<'a>(BTreeMap<&'a [u8], Record<'a>>);

impl<'a> Keys<'a> {
    /// Takes a put.
    pub(super) fn load(&mut self, record: Record<'a>) {
        self.0.insert(record.key, record);
    }

    pub(super) fn get(&self, key: &[u8]) -> Option<&Record<'a>> {
        self.0.get(key)
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: &[u8]) -> bool {
        self.0.remove(key).is_some()
    }

    /// The keys that a deletion covers, ascending.
    pub(super) fn covered(&self, delete: &Delete<'_>) -> Vec<&'a [u8]> {
        self.range(delete.key, delete.range_end)
            .map(|record| record.key)
            .collect()
    }

    fn range(&self, key: &[u8], end: &[u8]) -> impl Iterator<Item = &Record<'a>> {
        let (from, to) = match end {
            [] => (Bound::Included(key), Bound::Included(key)),
            [0] => (Bound::Included(key), Bound::Unbounded),
            // A range that ends before it begins covers nothing.
            end if end <= key => (Bound::Excluded(key), Bound::Included(key)),
            end => (Bound::Included(key), Bound::Excluded(end)),
        };
        let is_empty = matches!((from, to), (Bound::Excluded(_), Bound::Included(_)));
        let range = (!is_empty).then(|| self.0.range::<[u8], _>((from, to)));
        range.into_iter().flatten().map(|(_, record)| record)
    }

    /// Whether a comparison holds, for each key in its range; for none, as of a key that is all 0
    /// (`server/etcdserver/txn/txn.go`, `applyCompare`).
    pub(super) fn compare(&self, compare: &Node<'_>) -> bool {
        let mut found = false;
        for record in self.range(compare.bytes("key"), compare.bytes("range_end")) {
            found = true;
            if !holds(compare, Some(record)) {
                return false;
            }
        }
        found || holds(compare, None)
    }
}

fn holds(compare: &Node<'_>, record: Option<&Record<'_>>) -> bool {
    let number = |of: fn(&Record<'_>) -> i64| record.map_or(0, of);
    let order = match compare.uint("target") {
        0 => number(|record| record.version).cmp(&compare.int("version")),
        1 => number(|record| record.create_revision).cmp(&compare.int("create_revision")),
        2 => number(|record| record.mod_revision).cmp(&compare.int("mod_revision")),
        3 => match record {
            Some(record) => record.value.cmp(compare.bytes("value")),
            // A value that is not there is like none.
            None => return false,
        },
        4 => number(|record| record.lease).cmp(&compare.int("lease")),
        // A target that there is none of compares nothing.
        _ => Ordering::Equal,
    };
    match compare.uint("result") {
        0 => order == Ordering::Equal,
        1 => order == Ordering::Greater,
        2 => order == Ordering::Less,
        3 => order != Ordering::Equal,
        _ => true,
    }
}
