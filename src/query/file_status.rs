//! The state of a file and its store.

use std::borrow::Cow;

use crate::bbolt::check::{Tail, walk};
use crate::k8s::audit::{Audit, Encryption, first_segments};
use crate::k8s::catalog::{Catalog, Survey};

use super::evidence::Evidence;
use super::no_answer::NoAnswer;

pub use crate::etcd::status::{SnapshotStatus, StoreStatus, Unreachable};

/// The state of a file and its store.
#[derive(Debug)]
pub struct FileStatus {
    /// Records, revisions and hashes.
    pub store: StoreStatus,
    /// Which values are encrypted at rest.
    pub encryption: Encryption,
    /// What follows the high-water mark.
    pub tail: Option<Tail>,
}

impl FileStatus {
    /// Reads it. Read errors of the file are findings after that.
    ///
    /// # Errors
    /// If no state can be read from the file.
    pub fn read(evidence: &Evidence) -> Result<Self, NoAnswer> {
        let store = evidence.store()?;
        let mut audit = Audit::default();
        let mut survey = Survey::default();
        let mut secret_records = 0_u64;
        let (status, seen) = StoreStatus::read_with(&store, |record| {
            survey.look(record.key, record.value);
            let way = audit.way_of(record.value);
            let clear = way.is_secret_in_the_clear(record.key);
            secret_records = secret_records.saturating_add(u64::from(clear));
            way
        });
        let live = seen
            .iter()
            .filter_map(|(key, way)| Some((&**key, way.value?)));
        let catalog = survey.into_catalog();
        let mut encryption = audit.finish(live, |key| resource_of(key, &catalog));
        encryption.older_clear_secrets = secret_records.saturating_sub(encryption.clear_secrets);
        if store.is_foreign() {
            // Its buckets are in others, which nothing above looks into.
            walk(store.db(), store.buckets().iter().cloned());
        }
        let tail = Tail::read(evidence.source(), store.db().meta());
        // After the last byte was read, and before the findings are printed.
        evidence.collect_read_errors();
        Ok(Self {
            store: status,
            encryption,
            tail,
        })
    }
}

/// The status that `etcdutl snapshot status` prints.
///
/// # Errors
/// If the records cannot be reached as etcdutl does.
pub fn snapshot_status(evidence: &Evidence) -> Result<SnapshotStatus, NoAnswer> {
    let store = evidence.store()?;
    if store.is_foreign() {
        return Err(evidence.foreign(&store));
    }
    Unreachable::check(&store).map_err(NoAnswer::Unreachable)?;
    Ok(SnapshotStatus::read(&store))
}

/// The folder in which a key lies, with its prefix.
fn resource_of<'k>(key: &'k [u8], catalog: &Catalog) -> Cow<'k, str> {
    let Some(location) = catalog.locate(key) else {
        return first_segments(key);
    };
    let before_name = [location.identity, location.cluster, location.namespace];
    let before_name = before_name.into_iter().flatten();
    let namespace: usize = before_name.map(|part| part.len().saturating_add(1)).sum();
    let inside = location
        .name
        .len()
        .saturating_add(namespace)
        .saturating_add(1);
    let folder = key.get(..key.len().saturating_sub(inside));
    String::from_utf8_lossy(folder.unwrap_or(key))
}
