//! Checks of the records against each other, and of the small buckets.

mod buckets;
mod former;

use std::collections::HashSet;

use crate::diag::{Code, Damage, Diagnostic};
use crate::fast_map::FastMap;

use super::record::Record;
use super::record_pass::{Hashes, RecordPass};
use super::schema;
use super::store::Store;

pub use buckets::report_unknown;
pub use former::{check_former, report_out_of_order};

/// Checks the small buckets, then all records of the state in one pass. `look` is called with each record on all cores,
/// `see` with each record, its key and what `look` returned; its result for the newest record of each key is kept.
pub fn check<'a, L: Send, T: Send>(
    store: &Store<'a>,
    hashes: Hashes,
    look: impl Fn(&Record<'_>) -> L + Sync,
    mut see: impl FnMut(&Record<'a>, &[u8], L) -> Option<T> + Send,
) -> RecordPass<T> {
    let leases = buckets::check(store);
    let mut without_lease = FastMap::default();
    let pass = RecordPass::read_state(store, hashes, look, |record, key, looked| {
        note_lease(&mut without_lease, &leases, (record, key));
        see(record, key, looked)
    });
    for record in without_lease.into_values() {
        store.db().diagnostics().report(lease_missing(&record));
    }
    pass
}

/// Keeps in `without` the newest record of each key, if its lease does not exist. A later record of the key replaces or
/// removes it.
fn note_lease<'a>(
    without: &mut FastMap<Box<[u8]>, Record<'a>>,
    leases: &HashSet<i64>,
    (record, key): (&Record<'a>, &[u8]),
) {
    if !record.tombstone && record.lease != 0 && !leases.contains(&record.lease) {
        without.insert(key.into(), *record);
    } else if !without.is_empty() {
        without.remove(key);
    }
}

/// The finding about a record whose lease does not exist.
fn lease_missing(record: &Record<'_>) -> Damage {
    Diagnostic::new(Code::LeaseMissing, record.locus().bucket(schema::KEY))
        .expected(
            format!("lease {:016x} in bucket lease", record.lease),
            "no such lease",
        )
        .effect("the key is shown; a server would never expire it")
}
