//! The state of a file and its store.

use std::borrow::Cow;

use crate::bbolt::check::{Tail, refused_metas};
use crate::diag::{Code, Damage, Diagnostics};
use crate::etcd::record::Record;
use crate::etcd::record_pass::{Hashes, SeenKeys};
use crate::etcd::{Store, schema};
use crate::k8s::audit::{Audit, Encryption, ProtectionId, first_segments};
use crate::k8s::catalog::{Catalog, Survey};
use crate::k8s::encrypt::Keyring;

use super::check::{
    Check, CheckResult, Layer, PageCounts, check_pages, page_use_after, walk_all_but_records,
};
use super::evidence::Evidence;
use super::log_beside::{LogBeside, log_beside};
use super::no_answer::NoAnswer;
use super::verdict::Verdict;

pub use crate::etcd::status::{SnapshotStatus, StoreStatus, Unreachable};

/// A code with the number of its findings, and the findings that were kept.
pub type Finding = (Code, u64, Vec<Damage>);

/// The bytes of the pages below the high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageBytes {
    /// How many pages bbolt may reuse.
    pub free_pages: u64,
    /// Their bytes.
    pub free: u64,
    /// The bytes of all other pages.
    pub used: u64,
}

impl PageBytes {
    fn new(pages: PageCounts, store: &StoreStatus) -> Self {
        let free = pages.free.saturating_mul(store.page_size as u64);
        Self {
            free_pages: pages.free,
            free,
            used: store.total_size.saturating_sub(free),
        }
    }
}

/// The state of a file and its store.
#[derive(Debug)]
pub struct FileStatus {
    /// Records, revisions and hashes.
    pub store: StoreStatus,
    /// Which values are encrypted at rest.
    pub encryption: Encryption,
    /// What follows the high-water mark.
    pub tail: Option<Tail>,
    /// The write-ahead log next to the database, if that has requests which the database lacks.
    pub log: Option<LogBeside>,
    /// The bytes of its pages; none if the pages were not counted.
    pub pages: Option<PageBytes>,
    /// The verdict by the checks of the layers that were asked for: the same as that of `fsck` with these layers.
    pub verdict: Verdict,
    /// What these checks found.
    pub findings: Vec<Finding>,
}

/// What `status` checks: pages and records. `fsck` and `verify` also decode all objects.
pub const STATUS_LAYERS: [Layer; 2] = [Layer::Bbolt, Layer::Etcd];

impl FileStatus {
    /// Checks the pages and the records of the file, and reads its numbers. Objects are not decoded.
    ///
    /// # Errors
    /// If no state can be read from the file.
    pub fn read(evidence: &Evidence) -> Result<Self, NoAnswer> {
        let store = evidence.store().map_err(NoAnswer::into_verdict)?;
        let check = Check {
            evidence,
            keyring: &Keyring::default(),
            layers: &STATUS_LAYERS,
        };
        Ok(Self::read_with(evidence, &store, &check))
    }

    /// Checks all layers of a file whose store is already open, then reads its numbers. The keyring decrypts values that
    /// are encrypted at rest.
    pub fn read_all_layers<'e>(
        evidence: &'e Evidence,
        store: &Store<'e>,
        keyring: &'e Keyring,
    ) -> Self {
        let check = Check {
            evidence,
            keyring,
            layers: &[],
        };
        Self::read_with(evidence, store, &check)
    }

    /// Checks the file, and reads the numbers of its store in the same pass over the records. They are used only if the
    /// file is intact. Of a damaged file they are read after the checks: each further walk through it may have findings
    /// of its own, and the verdict is by the checks alone.
    fn read_with<'e>(evidence: &'e Evidence, store: &Store<'e>, check: &Check<'e>) -> Self {
        let is_plain = store.additional().is_empty() && evidence.is_of_newest_meta();
        let hashes = match is_plain {
            true => Hashes::Computed,
            false => Hashes::Omitted,
        };
        let mut look = ValueLook::default();
        let (checked, pass) = check.run_with(store, hashes, &mut |record, key, way| {
            look.see(record, key, way)
        });
        let is_exact = is_plain && !evidence.diagnostics().found_any();
        let pass = pass.filter(|pass| is_exact && pass.walked.is_some());
        let (status, encryption) = match pass {
            Some(pass) => {
                let pass = Unreachable::check(store).map(|()| pass);
                let (status, keys) = StoreStatus::from_pass(store, pass);
                (status, look.finish(&keys))
            }
            None => {
                let mut look = ValueLook::default();
                let protection = |record: &Record<'_>| Audit::of_clear(record.value);
                let (status, keys) =
                    StoreStatus::read_with(store, protection, |record, key, way| {
                        look.see(record, key, way)
                    });
                (status, look.finish(&keys))
            }
        };
        let tail = Tail::read(evidence.source(), store.db().meta());
        // After the last byte was read, and before the findings are printed.
        evidence.collect_read_errors();
        let pages = checked.scope.pages;
        Self {
            pages: pages.map(|pages| PageBytes::new(pages, &status)),
            store: status,
            encryption,
            tail,
            log: log_beside(evidence, store),
            verdict: checked.verdict,
            findings: checked.findings,
        }
    }
}

/// What the values of all records show together.
#[derive(Default)]
struct ValueLook {
    audit: Audit,
    survey: Survey,
    /// Secrets that are not encrypted, of all revisions. Those of live objects are subtracted at the end.
    secret_records: u64,
}

impl ValueLook {
    /// Notes the value of a record, and returns how it is protected. `clear` is that of a value that is not encrypted.
    fn see(
        &mut self,
        record: &Record<'_>,
        key: &[u8],
        clear: Option<ProtectionId>,
    ) -> Option<ProtectionId> {
        if record.tombstone {
            return None;
        }
        self.survey.look(key, record.value);
        let way = clear.unwrap_or_else(|| self.audit.protection(record.value));
        let clear = way.is_secret_in_the_clear(key);
        self.secret_records = self.secret_records.saturating_add(u64::from(clear));
        Some(way)
    }

    /// How the live values of these keys are protected.
    fn finish(self, keys: &SeenKeys<ProtectionId>) -> Encryption {
        let live = keys.values().map(|(key, way)| (key, *way));
        let catalog = self.survey.into_catalog();
        let audit = self.audit;
        let mut encryption = audit.finish(live, |key| folder_of(key, &catalog));
        let older = self.secret_records.saturating_sub(encryption.clear_secrets);
        encryption.older_clear_secrets = older;
        encryption
    }
}

/// Checks delta snapshots that have no full snapshot.
///
/// # Errors
/// As [`Check::run`].
pub fn deltas_status(evidence: &Evidence) -> Result<CheckResult, NoAnswer> {
    let keyring = Keyring::default();
    let check = Check {
        evidence,
        keyring: &keyring,
        layers: &[],
    };
    check.run()
}

/// The status that `etcdutl snapshot status` prints.
///
/// # Errors
/// If etcdutl refuses the file: bbolt's check finds something, or an element of bucket `key` is not a record.
pub fn snapshot_status(evidence: &Evidence) -> Result<SnapshotStatus, NoAnswer> {
    let store = evidence.store().map_err(NoAnswer::into_verdict)?;
    if store.is_foreign() {
        return Err(evidence.foreign(&store));
    }
    walk_all_but_records(&store);
    let quiet = Diagnostics::new();
    let status = Unreachable::check(&store).map(|()| SnapshotStatus::read_with_pages(&store));
    let page_use = match (&status, store.bucket(schema::KEY)) {
        (Ok((_, Some(walked))), Some(records)) => {
            page_use_after(store.db(), records, walked, &quiet)
        }
        _ => None,
    };
    check_pages(&store, evidence, page_use);
    let (status, _) = status.map_err(NoAnswer::Unreachable)?;
    refuse_as_etcdutl(&store, evidence)?;
    Ok(status)
}

/// Fails if a finding up to now is one for which etcdutl refuses the file.
fn refuse_as_etcdutl(store: &Store<'_>, evidence: &Evidence) -> Result<(), NoAnswer> {
    evidence.collect_read_errors();
    let found = evidence.diagnostics().by_code().into_iter();
    let found = found.filter(|(code, ..)| code.fails_snapshot_status());
    let of_metas = refused_metas(store.db());
    match found.fold(of_metas, |sum, (_, count, _)| sum.saturating_add(count)) {
        0 => Ok(()),
        count => Err(NoAnswer::FailsCheck(count)),
    }
}

/// The folder of a resource that a key is in, with its prefix: `/registry/pods` for `/registry/pods/shop/web-1`.
fn folder_of<'k>(key: &'k [u8], catalog: &Catalog) -> Cow<'k, str> {
    let Some(location) = catalog.locate(key) else {
        return first_segments(key);
    };
    let before_name = [location.identity, location.cluster, location.namespace];
    let before_name = before_name.into_iter().flatten();
    // Each part is followed by a slash.
    let namespace: usize = before_name.map(|part| part.len().saturating_add(1)).sum();
    let inside = location
        .name
        .len()
        .saturating_add(namespace)
        .saturating_add(1);
    let folder = key.get(..key.len().saturating_sub(inside));
    String::from_utf8_lossy(folder.unwrap_or(key))
}
