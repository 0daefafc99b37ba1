//! The state of the database: its buckets, its revisions and its records.

use std::sync::Arc;

use crate::Error;
use crate::arrange::Arrange as _;
use crate::bbolt::{
    Bucket, Db, Direction, Element, Leaf, MetaChoice, PageScan, ReadLeaf, WalkedPages,
};
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::source::Source;

use super::leaves::RecordLeaves;
use super::passed_record::PassedRecord;
use super::record::Record;
use super::records::{Records, visit_records};
use super::salvage::{self, LazyScan, Salvage};
use super::schema::{self, MetaBucket};

/// The state of an etcd backend in an open file.
#[derive(Debug)]
pub struct State<'a> {
    db: Db<'a>,
    buckets: Vec<Bucket<'a>>,
    /// Whether the buckets belong to another program.
    is_foreign: bool,
    meta: MetaBucket,
    /// The scan of the pages, which is made at most once.
    scan: Arc<LazyScan<'a>>,
    /// The salvage of bucket `key`; `None` without that bucket.
    salvage: Option<Arc<Salvage<'a>>>,
}

impl<'a> State<'a> {
    /// Opens the backend in an evidence file. If no meta page leads to a state, the root page and the records are searched in
    /// all pages.
    ///
    /// # Errors
    /// The file has no page, or neither a valid meta page nor a page of records.
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        Self::open_by_meta(source, None, diagnostics)
    }

    /// The same, in the state of meta page `by_hand` (0 or 1) if it is given.
    ///
    /// # Errors
    /// As [`Self::open`], and if that meta page names no state.
    pub fn open_by_meta(
        source: &'a Source,
        by_hand: Option<usize>,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        let state = Self::from_db(Db::open_by_meta(source, by_hand, diagnostics)?);
        let db = state.db();
        if db.choice().1 == MetaChoice::Neither && state.buckets.is_empty() {
            let [first, second] = *db.metas();
            return Err(Error::NoMeta {
                page_size: db.pages().page_size(),
                first,
                second,
            });
        }
        if state.buckets.is_empty() && db.pages().tree_page(db.meta().root).is_err() {
            return Err(Error::NoRoot {
                root: db.meta().root.0,
            });
        }
        Ok(state)
    }

    /// The backend in an open database.
    pub fn from_db(db: Db<'a>) -> Self {
        let buckets = db.buckets();
        report_missing(&db, &buckets);
        let scan = Arc::new(LazyScan::new(&db));
        if is_foreign(&db, &buckets) || is_complete(&buckets) {
            // The tree of an older meta page is a former state.
            let current = db.choice().1 != MetaChoice::OnlyUsable;
            return Self::from_buckets(db, buckets, current, scan);
        }
        Self::from_scan(db, buckets, scan)
    }

    /// The backend in a file whose root page lacks a bucket that every etcd has. The newest root page among all pages
    /// is searched. If the tree has bucket `key`, only bucket `meta` is taken from that page. Otherwise that page
    /// becomes the root. If its tree of records is not whole, bucket `key` is read without the tree, from all pages.
    fn from_scan(db: Db<'a>, mut buckets: Vec<Bucket<'a>>, scan: Arc<LazyScan<'a>>) -> Self {
        let has_records = buckets.iter().any(|bucket| bucket.name == schema::KEY);
        let Some(root) = salvage::root::newest(&db, scan.get()) else {
            return Self::without_root(db, buckets, scan);
        };
        let rooted = db.with_root(root.pgid, db.diagnostics());
        let mut found = rooted.buckets();
        if has_records {
            buckets.extend(
                found
                    .into_iter()
                    .filter(|bucket| bucket.name == schema::META),
            );
            buckets.arrange_by_key(|bucket| bucket.name);
            return Self::from_buckets(db, buckets, true, scan);
        }
        if !root.is_whole {
            found.retain(|bucket| bucket.name != schema::KEY);
            found.push(rooted.absent_bucket(schema::KEY, found.len()));
            found.arrange_by_key(|bucket| bucket.name);
        }
        Self::from_buckets(rooted, found, false, scan)
    }

    /// The backend in a file in which no page is a root with the buckets `key` and `meta`. It may still have pages of
    /// records. If there are any, they become a bucket `key` without a tree.
    fn without_root(db: Db<'a>, buckets: Vec<Bucket<'a>>, scan: Arc<LazyScan<'a>>) -> Self {
        let has_records = buckets.iter().any(|bucket| bucket.name == schema::KEY);
        let absent = db.absent_bucket(schema::KEY, buckets.len());
        let mut state = Self::from_buckets(db, buckets, has_records, scan);
        if !has_records {
            let salvage = state.salvage_of(&absent, false);
            if salvage.has_records() {
                state.salvage = Some(Arc::new(salvage));
                state.buckets.push(absent);
                state.buckets.arrange_by_key(|bucket| bucket.name);
                state.is_foreign = is_foreign(&state.db, &state.buckets);
            }
        }
        state
    }

    /// The backend in an open database, read by its tree only: pages are never scanned, even if the tree is damaged.
    pub fn from_tree(db: Db<'a>) -> Self {
        let buckets = db.buckets();
        report_missing(&db, &buckets);
        let scan = Arc::new(LazyScan::new(&db));
        let mut state = Self::from_buckets(db, buckets, true, scan);
        state.salvage = state
            .salvage
            .map(|salvage| Arc::new(salvage.without_scan()));
        state
    }

    /// The backend with these buckets. `current`: whether they are from the tree of the requested state, not of a
    /// former one.
    fn from_buckets(
        db: Db<'a>,
        buckets: Vec<Bucket<'a>>,
        current: bool,
        scan: Arc<LazyScan<'a>>,
    ) -> Self {
        let diagnostics = db.diagnostics();
        let is_foreign = is_foreign(&db, &buckets);
        let find = |name: &[u8]| {
            let mut buckets = buckets.iter().filter(|_| !is_foreign);
            buckets.find(|bucket| bucket.name == name)
        };
        let meta = find(schema::META).map(|bucket| MetaBucket::read(bucket, diagnostics));
        if let Some(meta) = &meta {
            report_compaction(meta, diagnostics);
        }
        let salvage = find(schema::KEY).map(|bucket| {
            Arc::new(Salvage::new(
                &db,
                bucket,
                meta.as_ref(),
                current,
                Arc::clone(&scan),
            ))
        });
        Self {
            meta: meta.unwrap_or_default(),
            db,
            buckets,
            is_foreign,
            scan,
            salvage,
        }
    }

    /// The salvage of a bucket of records, as [`Self::from_buckets`] makes it for bucket `key`.
    fn salvage_of(&self, bucket: &Bucket<'a>, current: bool) -> Salvage<'a> {
        let meta = self.bucket(schema::META).map(|_| &self.meta);
        Salvage::new(&self.db, bucket, meta, current, Arc::clone(&self.scan))
    }

    /// Scans the pages, even if the tree is intact, and reports records that contradict the tree. `walked` are the pages of
    /// the tree, if [`Self::visit_records`] has returned them.
    pub fn compare_tree_with_scan(&self, walked: Option<&WalkedPages>) {
        let Some(salvage) = &self.salvage else {
            return;
        };
        let walked = walked.filter(|_| !self.db.diagnostics().found_any());
        let agrees = walked.is_some_and(|walked| {
            let newest = self.records(Direction::Backward).next();
            newest.is_some_and(|newest| salvage.agrees_with_scan(walked, newest.revision))
        });
        if !agrees {
            // Only the findings are needed.
            salvage.salvaged_records();
        }
    }

    /// The salvage of bucket `key`.
    #[cfg(test)]
    pub(super) fn salvage(&self) -> Option<&Salvage<'a>> {
        self.salvage.as_deref()
    }

    /// The scan of the file's pages.
    pub(super) fn page_scan(&self) -> &PageScan<'a> {
        self.scan.get()
    }

    /// The database file.
    pub fn db(&self) -> &Db<'a> {
        &self.db
    }

    /// Whether another program wrote this bbolt file (by the names of its buckets), or nothing was ever written to it.
    pub fn is_foreign(&self) -> bool {
        self.is_foreign
    }

    /// All buckets, in key order.
    pub fn buckets(&self) -> &[Bucket<'a>] {
        &self.buckets
    }

    /// etcd's bucket of this name; none in a file of another program, where the name means something else.
    pub fn bucket(&self, name: &[u8]) -> Option<&Bucket<'a>> {
        let mut buckets = self.buckets.iter().filter(|_| !self.is_foreign);
        buckets.find(|bucket| bucket.name == name)
    }

    /// The content of bucket `meta`.
    pub fn meta(&self) -> &MetaBucket {
        &self.meta
    }

    /// The revision up to which history may be compacted; 0 if nothing was compacted.
    pub fn compact_revision(&self) -> i64 {
        self.meta.compact_revision()
    }

    /// The newest revision: the largest main revision of a record, or the compacted revision if nothing was written
    /// since; 1 for an empty store.
    pub fn revision(&self) -> i64 {
        let newest = self.records(Direction::Backward).next();
        let newest = newest.map_or(0, |record| record.revision.main);
        newest.max(self.compact_revision()).max(1)
    }

    /// The leaves of bucket `key` in the order of revisions, with the check that no main revision is missing. After the first
    /// damage they include what a scan of the pages found. Leaves are independent of each other, so their records can be
    /// read in parallel.
    pub fn record_leaves(&self, direction: Direction) -> impl Iterator<Item = Leaf<'a>> + use<'a> {
        self.leaves_with::<()>(direction).into_iter().flatten()
    }

    /// The same for a user that makes a `C` of each intact leaf; none without bucket `key`.
    fn leaves_with<C>(&self, direction: Direction) -> Option<RecordLeaves<'a, C>> {
        let salvage = self.salvage.as_ref()?;
        Some(RecordLeaves::from_records(salvage, direction))
    }

    /// The leaves of a bucket; those of bucket `key` as [`Self::record_leaves`].
    pub fn leaves_of(&self, bucket: &Bucket<'a>, direction: Direction) -> RecordLeaves<'a> {
        self.leaves_of_with(bucket, direction)
    }

    /// The same for a user that makes a `C` of each intact leaf.
    pub(super) fn leaves_of_with<C>(
        &self,
        bucket: &Bucket<'a>,
        direction: Direction,
    ) -> RecordLeaves<'a, C> {
        match &self.salvage {
            Some(salvage) if bucket.name == schema::KEY && self.is_records(bucket) => {
                RecordLeaves::from_records(salvage, direction)
            }
            _ => RecordLeaves::from_bucket(bucket, direction, self.db.diagnostics()),
        }
    }

    /// Whether it is etcd's bucket `key`, and not a nested bucket of that name.
    fn is_records(&self, bucket: &Bucket<'a>) -> bool {
        let records = self.bucket(schema::KEY);
        records
            .is_some_and(|records| (records.name, &records.locus) == (bucket.name, &bucket.locus))
    }

    /// Every record of the state, oldest or newest first.
    pub fn records(&self, direction: Direction) -> impl Iterator<Item = Record<'a>> + use<'a> {
        self.chosen_records(direction, |record, _| Some(*record))
    }

    /// What `choose` makes of each record and its element, oldest or newest first. It is called on all cores.
    pub fn chosen_records<T: Send, F>(
        &self,
        direction: Direction,
        choose: F,
    ) -> impl Iterator<Item = T> + use<'a, T, F>
    where
        F: Fn(&Record<'a>, &Element<'a>) -> Option<T> + Sync,
    {
        let diagnostics = self.db.diagnostics();
        let leaves = self.leaves_with(direction);
        leaves
            .map(|leaves| Records::new(leaves, choose, direction, diagnostics))
            .into_iter()
            .flatten()
    }

    /// Visits the leaves of bucket `key`, oldest first, with what `make` makes of them on all cores. It returns `None` for a
    /// leaf about which something has to be reported.
    pub(super) fn visit_leaves<C: Send>(
        &self,
        make: impl Fn(&ReadLeaf<'_, 'a>) -> Option<C> + Sync,
        visit: impl FnMut(&Leaf<'a>, Option<C>) + Send,
    ) {
        if let Some(leaves) = self.leaves_with(Direction::Forward) {
            leaves.visit(make, visit);
        }
    }

    /// Visits every record of the state, oldest first. `choose` is called with each record on all cores, `visit` with what
    /// it returns and the key, in the order of the records. Returns the pages of the tree of bucket `key` if it has all
    /// records and each element of it is one, so that what was visited is exactly the bucket.
    pub fn visit_records<T: Send>(
        &self,
        choose: impl Fn(&PassedRecord<'_, 'a>) -> Option<T> + Sync,
        visit: impl FnMut(T, &[u8]) + Send,
    ) -> Option<WalkedPages> {
        let leaves = self.leaves_with(Direction::Forward)?;
        visit_records(leaves, self.db.diagnostics(), choose, visit)
    }
}

/// The buckets that every etcd has.
const NEEDED: [&[u8]; 2] = [schema::KEY, schema::META];

/// Whether these buckets include all of [`NEEDED`].
fn is_complete(buckets: &[Bucket<'_>]) -> bool {
    let has = |name: &&[u8]| buckets.iter().any(|bucket| bucket.name == *name);
    NEEDED.iter().all(has)
}

/// Reports each bucket of [`NEEDED`] that the root lacks.
fn report_missing(db: &Db<'_>, buckets: &[Bucket<'_>]) {
    let has = |name: &[u8]| buckets.iter().any(|bucket| bucket.name == name);
    // Without a meta page the content of the root is not known.
    if is_foreign(db, buckets) || db.choice().1 == MetaChoice::Neither {
        return;
    }
    let root = Locus::page(db.meta().root.0, db.pages().offset_of(db.meta().root));
    for name in NEEDED.into_iter().filter(|name| !has(name)) {
        db.diagnostics().report(
            Diagnostic::new(Code::BucketMissing, root.clone().bucket(name))
                .found("no such bucket in the root")
                .effect(
                    "either this is not an etcd database, or its root page belongs to another state",
                ),
        );
    }
}

/// Reports a compaction that was scheduled and not finished.
fn report_compaction(meta: &MetaBucket, diagnostics: &Diagnostics) {
    let scheduled = meta.scheduled_compact_revision.unwrap_or_default();
    let finished = meta.finished_compact_revision.unwrap_or_default();
    if scheduled > finished {
        diagnostics.report(
            Diagnostic::new(
                Code::CompactionInterrupted,
                Locus::default().bucket(schema::META),
            )
            .found(format!(
                "scheduled to revision {scheduled}, finished to {finished}"
            )),
        );
    }
}

/// Whether the file belongs to another program: at least half of its buckets are not etcd's. One name is not enough, because
/// other programs have a bucket `meta` too, and a damaged root may have a wrong name. A file with both buckets that
/// etcd needs is etcd's.
fn is_foreign(db: &Db<'_>, buckets: &[Bucket<'_>]) -> bool {
    if buckets.is_empty() {
        return db.is_never_written();
    }
    let is_known = |bucket: &&Bucket<'_>| schema::BUCKETS.contains(&bucket.name);
    let known = buckets.iter().filter(is_known).count();
    let unknown = buckets.len().saturating_sub(known);
    unknown > 0 && unknown >= known && !is_complete(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn damaged(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/damaged/");
        std::fs::read(format!("{folder}{name}")).unwrap()
    }

    /// The search for a root, the salvage and the carving need the same scan.
    #[test]
    fn the_pages_of_a_damaged_file_are_scanned_once() {
        for name in ["both-metas-zeroed.db", "root-holds-a-value.db"] {
            let image = damaged(name);
            let diagnostics = Diagnostics::new();
            let db = Db::from_image(&image, None, &diagnostics).unwrap();
            let state = State::from_db(db);
            assert!(state.records(Direction::Forward).count() > 0, "{name}");
            let scan = state.page_scan();
            assert!(state.records(Direction::Backward).count() > 0, "{name}");
            assert!(std::ptr::eq(scan, state.page_scan()), "{name}");
            assert_eq!(
                Arc::strong_count(&state.scan),
                2,
                "{name}: the salvage has the scan of the state"
            );
        }
    }
}
