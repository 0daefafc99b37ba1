//! A check of a file in its layers: pages, records, objects.

use crate::bbolt::check::{self, read_page_use};
use crate::bbolt::{Bucket, Db, PageUse, WalkedPages};
use crate::diag::{Code, Damage, Diagnostics, Severity};
use crate::etcd::check::{check as check_records, check_former, report_unknown};
use crate::etcd::record::Record;
use crate::etcd::record_pass::{Hashes, RecordPass, SeenKeys};
use crate::etcd::{Store, schema};
use crate::k8s::audit::{Audit, ProtectionId};
use crate::k8s::encrypt::Keyring;

use super::directory;
use super::evidence::Evidence;
use super::no_answer::NoAnswer;
use super::object_check::{Definitions, ObjectCheck};
use super::verdict::Verdict;

pub use crate::bbolt::check::PageCounts;

/// A layer of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Pages, trees, metas, the freelist, the file itself.
    Bbolt,
    /// Records, revisions, leases, the small buckets.
    Etcd,
    /// The objects in the values.
    K8s,
}

impl Layer {
    /// Its name, which is that of [`Code::layer`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bbolt => "bbolt",
            Self::Etcd => "etcd",
            Self::K8s => "k8s",
        }
    }
}

/// What was checked. A part that was not checked is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scope {
    /// The pages.
    pub pages: Option<PageCounts>,
    /// Whether the state of the other meta page is intact. Absent if that page names no older state.
    pub former_is_whole: Option<bool>,
    /// The records of bucket `key`, and their distinct keys.
    pub records: Option<(u64, u64)>,
    /// The values of Kubernetes that were looked at.
    pub objects: Option<u64>,
    /// Whether the file is another program's: it has neither records nor objects.
    pub is_foreign: bool,
}

/// What a check found.
#[derive(Debug)]
pub struct CheckResult {
    /// What was checked.
    pub scope: Scope,
    /// The verdict by these findings.
    pub verdict: Verdict,
    /// Every code of the layers that were asked for, with its count and the findings that were kept.
    pub findings: Vec<(Code, u64, Vec<Damage>)>,
    /// How many findings above info the other layers have.
    pub in_other_layers: u64,
}

/// What is noted of a record on the way. It is given the record, its key, and how its value is protected if it is not
/// encrypted.
pub type Look<'l, 'a> =
    dyn FnMut(&Record<'a>, &[u8], Option<ProtectionId>) -> Option<ProtectionId> + Send + 'l;

/// The first half of the checks of layer bbolt around a pass over the records, which checks the pages of bucket `key`:
/// checks the pages of all other buckets. [`check_pages`] is the second half.
pub(super) fn walk_all_but_records(store: &Store<'_>) {
    let buckets = store.buckets().iter();
    let others = buckets.filter(|bucket| bucket.name != schema::KEY);
    check::walk(store.db(), others.cloned());
}

/// Checks the former state and the pages that no bucket uses, after all buckets were walked. Returns whether the former
/// state is whole, and the numbers of pages. `page_use` is what [`read_page_use`] has returned.
pub(super) fn check_pages(
    store: &Store<'_>,
    evidence: &Evidence,
    page_use: Option<PageUse<'_>>,
) -> (Option<bool>, PageCounts) {
    let former_is_whole = check_former(store);
    let pages = check::check(store.db(), evidence.source(), page_use);
    (former_is_whole, pages)
}

/// The use of all pages, after the tree of bucket `key` was walked. None if something was found in it.
pub(super) fn page_use_after<'b>(
    db: &Db<'b>,
    records: &Bucket<'_>,
    walked: &WalkedPages,
    quiet: &'b Diagnostics,
) -> Option<PageUse<'b>> {
    let is_intact = !db.diagnostics().found_any();
    let tree = is_intact.then_some((records.root, walked))?;
    read_page_use(db, Some(tree), quiet)
}

/// A check of one file.
#[derive(Debug, Clone, Copy)]
pub struct Check<'c> {
    /// The file.
    pub evidence: &'c Evidence,
    /// The keys of encrypted values.
    pub keyring: &'c Keyring,
    /// The layers that are checked; all if empty.
    pub layers: &'c [Layer],
}

impl<'c> Check<'c> {
    /// Checks the file.
    ///
    /// # Errors
    /// If no state can be read from it.
    pub fn run(&self) -> Result<CheckResult, NoAnswer> {
        let Some(deltas) = self.evidence.deltas_alone() else {
            let store = self.evidence.store().map_err(NoAnswer::into_verdict)?;
            return Ok(self.run_on(&store));
        };
        // The file is delta snapshots without a database. Their events were checked when they were read. A deleted key
        // may have been created before the first delta, so a deletion without its put is no finding.
        deltas.check(None, self.evidence.diagnostics());
        let records = self.has(Layer::Etcd).then(|| deltas.counts());
        Ok(self.result(Scope {
            records,
            ..Scope::default()
        }))
    }

    /// Checks the file by its store, which is already open, and the delta snapshots next to the database.
    pub fn run_on(&self, store: &Store<'c>) -> CheckResult {
        self.run_with(store, Hashes::Omitted, &mut |_, _, _| None).0
    }

    /// The same. Also returns the pass over the records of the state, if the check made one: with their hashes if these are
    /// asked for, and with what `look` returns for the newest record of each key.
    pub fn run_with(
        &self,
        store: &Store<'c>,
        hashes: Hashes,
        look: &mut Look<'_, 'c>,
    ) -> (CheckResult, Option<RecordPass<ProtectionId>>) {
        let (scope, pass) = self.check(store, hashes, look);
        if let Some(deltas) = self.evidence.deltas() {
            deltas.check(Some(store), self.evidence.diagnostics());
        }
        (self.result(scope), pass)
    }

    /// Sorts the findings of the run into those of the requested layers and a count of the others.
    fn result(&self, scope: Scope) -> CheckResult {
        // This has to come after all reading, which may fail, and before the findings are counted.
        self.evidence.collect_read_errors();
        let findings = self.evidence.diagnostics().by_code().into_iter();
        let (findings, others): (Vec<_>, Vec<_>) =
            findings.partition(|(code, ..)| self.is_asked(code.layer()));
        let others = others
            .iter()
            .filter(|(code, ..)| code.severity() > Severity::Info);
        CheckResult {
            scope,
            verdict: Verdict::new(self.evidence, &findings),
            findings,
            in_other_layers: others.fold(0, |sum, (_, count, _)| sum.saturating_add(*count)),
        }
    }

    /// Whether the layer of this name is to be checked.
    fn is_asked(&self, layer: &str) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|asked| asked.as_str() == layer)
    }

    /// Whether this layer is to be checked.
    fn has(&self, layer: Layer) -> bool {
        self.is_asked(layer.as_str())
    }

    /// Runs the checks of the requested layers. Each of them adds its findings to the diagnostics of the file.
    fn check(
        &self,
        store: &Store<'c>,
        hashes: Hashes,
        look: &mut Look<'_, 'c>,
    ) -> (Scope, Option<RecordPass<ProtectionId>>) {
        let mut scope = Scope {
            is_foreign: store.is_foreign(),
            ..Scope::default()
        };
        let mut pass = None;
        let quiet = Diagnostics::new();
        let mut page_use = None;
        let reads_records = !scope.is_foreign && (self.has(Layer::Etcd) || self.has(Layer::K8s));
        if self.has(Layer::Bbolt) {
            // If the records of bucket `key` are read below, that pass checks the pages of the bucket too.
            match reads_records {
                true => walk_all_but_records(store),
                false => {
                    let walk = || check::walk(store.db(), store.buckets().iter().cloned());
                    page_use = rayon::join(walk, || read_page_use(store.db(), None, &quiet)).1;
                }
            }
        }
        if reads_records {
            // The objects are decoded by the CRDs in the file, so these are collected first.
            let mut definitions = Definitions::default();
            let (has_objects, has_pages) = (self.has(Layer::K8s), self.has(Layer::Bbolt));
            let protection = |record: &Record<'_>| Audit::of_clear(record.value);
            let records = check_records(store, hashes, protection, |record, key, protection| {
                if has_objects {
                    definitions.see(record, key);
                }
                look(record, key, protection)
            });
            if let (true, Some(walked), Some(bucket)) =
                (has_pages, &records.walked, store.bucket(schema::KEY))
            {
                page_use = page_use_after(store.db(), bucket, walked, &quiet);
            }
            let count = (records.counts.records, records.counts.keys);
            scope.records = store.bucket(schema::KEY).map(|_| count);
            if self.has(Layer::K8s) {
                scope.objects = Some(self.check_objects(store, definitions, &records.keys));
            }
            pass = Some(records);
        }
        if self.has(Layer::Etcd) && scope.is_foreign {
            report_unknown(store);
        } else if self.has(Layer::Etcd) {
            let walked = pass.as_ref().and_then(|pass| pass.walked.as_ref());
            store.state().compare_tree_with_scan(walked);
            directory::check(self.evidence, store);
        }
        if self.has(Layer::Bbolt) {
            let (former_is_whole, pages) = check_pages(store, self.evidence, page_use);
            scope.former_is_whole = former_is_whole;
            scope.pages = Some(pages);
        }
        (scope, pass)
    }

    /// Checks the objects in the values. Returns how many were checked.
    fn check_objects(
        &self,
        store: &Store<'c>,
        definitions: Definitions<'c>,
        keys: &SeenKeys<ProtectionId>,
    ) -> u64 {
        let diagnostics = self.evidence.diagnostics();
        let catalog = definitions.into_catalog(self.keyring);
        let mut objects = ObjectCheck::new(diagnostics, self.keyring, &catalog, keys);
        objects.check(store);
        objects.finish()
    }
}
