//! The store: its buckets, its revisions, and all its records in either direction.

use std::sync::Arc;

use crate::Error;
use crate::bbolt::{Bucket, Db, Direction, Leaf, MetaChoice, PageScan};
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::source::Source;

use super::beside::Interleaved;
use super::carve::{self, Carved, Search, proof};
use super::leaves::{RecordLeaves, leaf_records};
use super::record::{Origin, Record};
use super::salvage::{self, Ground};
use super::schema::{self, MetaBucket};

/// An etcd backend in an open file.
#[derive(Debug)]
pub struct Store<'a> {
    db: Db<'a>,
    buckets: Vec<Bucket<'a>>,
    meta: MetaBucket,
    /// Of bucket `key`, where there is one.
    ground: Option<Arc<Ground<'a>>>,
    /// Records that are no part of the state, one a revision, ascending.
    beside: Arc<Vec<Record<'a>>>,
    /// The newest revision of the state, where there is anything beside it.
    newest: i64,
}

/// A revision that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRevision(pub i64);

impl AtRevision {
    /// As of all that is there. In a torn copy the newest record need not be the last.
    pub const HEAD: Self = Self(i64::MAX);
}

/// Why a revision cannot be asked for. The texts are etcd's own (`server/storage/mvcc/kvstore.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevisionUnavailable {
    /// It lies below the compaction.
    #[error(
        "required revision has been compacted: {asked} is below the compacted revision {compacted}"
    )]
    Compacted {
        /// What was asked for.
        asked: i64,
        /// The oldest revision that can be.
        compacted: i64,
    },
    /// It lies above the newest.
    #[error(
        "required revision is a future revision: {asked} is above the store's revision {current}"
    )]
    Future {
        /// What was asked for.
        asked: i64,
        /// The newest revision.
        current: i64,
    },
}

impl<'a> Store<'a> {
    /// Opens the backend in an evidence file. Where no meta page leads to a state, the root page and the
    /// records are searched in the pages.
    ///
    /// # Errors
    /// When the file holds no page, or there is neither a valid meta page nor a page of records.
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        Self::open_by_meta(source, None, diagnostics)
    }

    /// The same, in the state of the meta page `by_hand` (0 or 1) where one is named.
    ///
    /// # Errors
    /// As [`Self::open`], and when that meta page names no state.
    pub fn open_by_meta(
        source: &'a Source,
        by_hand: Option<usize>,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        let store = Self::of_db(Db::open_by_meta(source, by_hand, diagnostics)?);
        let db = store.db();
        if db.choice().1 == MetaChoice::Neither && store.buckets.is_empty() {
            let [first, second] = *db.metas();
            return Err(Error::NoMeta {
                page_size: db.pages().page_size(),
                first,
                second,
            });
        }
        if store.buckets.is_empty() && db.pages().tree_page(db.meta().root).is_err() {
            return Err(Error::NoRoot {
                root: db.meta().root.0,
            });
        }
        Ok(store)
    }

    /// The backend in an open database.
    pub fn of_db(db: Db<'a>) -> Self {
        let buckets = db.buckets();
        report_missing(&db, &buckets);
        if is_foreign(&buckets) || is_complete(&buckets) {
            // The tree of an older meta page tells what was, not what is.
            let current = db.choice().1 != MetaChoice::OnlyUsable;
            return Self::of_buckets(db, buckets, current);
        }
        Self::searched(db, buckets)
    }

    /// The backend in a file whose root page does not have what every etcd has there.
    fn searched(db: Db<'a>, mut buckets: Vec<Bucket<'a>>) -> Self {
        let scan = PageScan::read(db.pages(), db.source());
        let has_records = buckets.iter().any(|bucket| bucket.name == schema::KEY);
        let Some(root) = salvage::root::newest(&db, &scan) else {
            return Self::of_records(db, buckets);
        };
        let rooted = db.with_root(root.pgid, db.diagnostics());
        let mut found = rooted.buckets();
        if has_records {
            buckets.extend(
                found
                    .into_iter()
                    .filter(|bucket| bucket.name == schema::META),
            );
            buckets.sort_by_key(|bucket| bucket.name);
            return Self::of_buckets(db, buckets, true);
        }
        if !root.is_whole {
            found.retain(|bucket| bucket.name != schema::KEY);
            found.push(rooted.absent_bucket(schema::KEY, found.len()));
            found.sort_by_key(|bucket| bucket.name);
        }
        Self::of_buckets(rooted, found, false)
    }

    /// The backend in a file without a root page that could be one: there may be records all the same.
    fn of_records(db: Db<'a>, mut buckets: Vec<Bucket<'a>>) -> Self {
        let has_records = buckets.iter().any(|bucket| bucket.name == schema::KEY);
        let absent = db.absent_bucket(schema::KEY, buckets.len());
        if !has_records && Ground::of(&db, &absent, None, false).salvaged_records() > 0 {
            buckets.push(absent);
            buckets.sort_by_key(|bucket| bucket.name);
        }
        Self::of_buckets(db, buckets, has_records)
    }

    /// The backend in an open database by its tree alone: nothing is searched in the pages, whatever is damaged.
    pub fn as_it_stands(db: Db<'a>) -> Self {
        let buckets = db.buckets();
        report_missing(&db, &buckets);
        let mut store = Self::of_buckets(db, buckets, true);
        store.ground = store.ground.map(|ground| Arc::new(ground.without_scan()));
        store
    }

    /// Scans the pages beside the tree, sound or not, and reports what of their records does not agree with it.
    pub fn look_beside_the_tree(&self) {
        if let Some(ground) = &self.ground {
            ground.salvaged_records();
        }
    }

    fn of_buckets(db: Db<'a>, buckets: Vec<Bucket<'a>>, current: bool) -> Self {
        let diagnostics = db.diagnostics();
        let find = |name: &[u8]| buckets.iter().find(|bucket| bucket.name == name);
        let meta = find(schema::META).map(|bucket| MetaBucket::read(bucket, diagnostics));
        if let Some(meta) = &meta {
            report_compaction(meta, diagnostics);
        }
        let ground = find(schema::KEY)
            .map(|bucket| Arc::new(Ground::of(&db, bucket, meta.as_ref(), current)));
        Self {
            meta: meta.unwrap_or_default(),
            db,
            buckets,
            ground,
            beside: Arc::default(),
            newest: i64::MAX,
        }
    }

    /// Takes in what freed pages still hold: from here on [`Self::records`] has it among the records of the state,
    /// each with its [`super::record::Origin`].
    pub fn carve(&mut self) -> Search {
        let carved = Carved::of(self);
        self.newest = self.state_revision();
        self.beside = carved.records.into();
        carved.search
    }

    /// Takes in records of another source. Of one revision that of the state counts, then the one that was there
    /// first; one that says something else is a finding.
    pub fn take_in(&mut self, records: Vec<Record<'a>>) {
        self.newest = self.state_revision();
        let mut all: Vec<Record<'a>> = self.beside.to_vec();
        all.extend(records);
        all.sort_by_key(|record| record.revision);
        all.dedup_by(|later, first| {
            let same = later.revision == first.revision;
            if same && !later.says_the_same(first) {
                carve::contradiction(self.db.diagnostics(), first, later, "the first is taken");
            }
            same
        });
        let mut state = self.state_records(Direction::Forward).peekable();
        all.retain(|record| {
            while state
                .next_if(|known| known.revision < record.revision)
                .is_some()
            {}
            state
                .peek()
                .is_none_or(|known| known.revision != record.revision)
        });
        drop(state);
        self.beside = all.into();
    }

    /// The records that are no part of the state, one a revision, ascending.
    pub fn beside(&self) -> &[Record<'a>] {
        &self.beside
    }

    /// Whether a record is newer than the state, of which it is no part. What the write-ahead log has behind it is
    /// the state as it went on.
    pub fn is_beyond(&self, record: &Record<'_>) -> bool {
        let is_part = record.origin.is_of_state() || record.origin == Origin::Wal;
        !is_part && record.revision.main > self.newest
    }

    /// Whether a record tells of the keyspace as of a revision: one that is no part of the state tells of the time
    /// before the compaction alone, and one of the write-ahead log also of what came behind the state.
    pub fn tells_of(&self, record: &Record<'_>, at: AtRevision) -> bool {
        let goes_on = record.origin == Origin::Wal && record.revision.main > self.newest;
        record.revision.main <= at.0
            && (record.origin.is_of_state() || goes_on || at.0 < self.compact_revision())
    }

    /// The database file.
    pub fn db(&self) -> &Db<'a> {
        &self.db
    }

    /// Whether this is another program's bbolt database: it has buckets, and none is etcd's.
    pub fn is_foreign(&self) -> bool {
        is_foreign(&self.buckets)
    }

    /// All buckets, in key order.
    pub fn buckets(&self) -> &[Bucket<'a>] {
        &self.buckets
    }

    /// The bucket of this name.
    pub fn bucket(&self, name: &[u8]) -> Option<&Bucket<'a>> {
        self.buckets.iter().find(|bucket| bucket.name == name)
    }

    /// What bucket `meta` says.
    pub fn meta(&self) -> &MetaBucket {
        &self.meta
    }

    /// The revision up to which history may be gone; 0 for none.
    pub fn compact_revision(&self) -> i64 {
        self.meta.compact_revision()
    }

    /// The newest revision: the largest main of a record, or the compacted revision where nothing
    /// was written since; 1 for an empty store.
    pub fn current_revision(&self) -> i64 {
        let goes_on = self
            .beside
            .last()
            .filter(|record| record.origin == Origin::Wal);
        let goes_on = goes_on.map_or(0, |record| record.revision.main);
        self.state_revision().max(goes_on)
    }

    /// The newest revision of the state of the database, whatever was taken in.
    pub fn state_revision(&self) -> i64 {
        let newest = self.state_records(Direction::Backward).next();
        let newest = newest.map_or(0, |record| record.revision.main);
        newest.max(self.compact_revision()).max(1)
    }

    /// The revision to answer for: `asked`, or the current one.
    ///
    /// # Errors
    /// As etcd: a revision below the compaction, or above the newest.
    pub fn at(&self, asked: Option<i64>) -> Result<AtRevision, RevisionUnavailable> {
        let Some(asked) = asked else {
            return Ok(AtRevision::HEAD);
        };
        let current = self.current_revision();
        let compacted = self.compact_revision();
        if asked > current {
            return Err(RevisionUnavailable::Future { asked, current });
        }
        // What was carved reaches further back; how far, its folds say.
        if asked < compacted && self.beside.is_empty() {
            return Err(RevisionUnavailable::Compacted { asked, compacted });
        }
        let at = AtRevision(asked);
        if asked < compacted {
            let incomplete = proof::incomplete(self, at);
            incomplete
                .into_iter()
                .for_each(|finding| self.db.diagnostics().report(finding));
        }
        Ok(at)
    }

    /// The leaves of bucket `key`, with the check that no main revision is missing. Leaves are
    /// independent of each other: what is asked of their records can be asked in parallel. From the first damage
    /// on they are what a scan of the pages gives beside the tree, in the order of revisions.
    pub fn record_leaves(&self, direction: Direction) -> impl Iterator<Item = Leaf<'a>> + use<'a> {
        let ground = self.ground.as_ref();
        ground
            .map(|ground| RecordLeaves::of_records(ground, direction))
            .into_iter()
            .flatten()
    }

    /// The leaves of a bucket; those of bucket `key` as [`Self::record_leaves`].
    pub fn leaves_of(&self, bucket: &Bucket<'a>, direction: Direction) -> RecordLeaves<'a> {
        match &self.ground {
            Some(ground) if bucket.name == schema::KEY => {
                RecordLeaves::of_records(ground, direction)
            }
            _ => {
                let diagnostics = self.db.diagnostics();
                let leaves = bucket.leaves(diagnostics, direction);
                RecordLeaves::of_bucket(leaves, direction, diagnostics)
            }
        }
    }

    /// Every record of bucket `key`, oldest or newest first, and what was carved among them.
    pub fn records(&self, direction: Direction) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let state = self.state_records(direction);
        let source = self.db.source();
        Interleaved::new(state, Arc::clone(&self.beside), source, direction)
    }

    /// Every record of bucket `key` that is part of the state, oldest or newest first.
    pub fn state_records(
        &self,
        direction: Direction,
    ) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let diagnostics = self.db.diagnostics();
        self.record_leaves(direction)
            .flat_map(move |leaf| leaf_records(&leaf, direction, diagnostics))
    }
}

/// The buckets that every etcd has.
const NEEDED: [&[u8]; 2] = [schema::KEY, schema::META];

fn is_complete(buckets: &[Bucket<'_>]) -> bool {
    let has = |name: &&[u8]| buckets.iter().any(|bucket| bucket.name == *name);
    NEEDED.iter().all(has)
}

fn report_missing(db: &Db<'_>, buckets: &[Bucket<'_>]) {
    let has = |name: &[u8]| buckets.iter().any(|bucket| bucket.name == name);
    // Without a meta page nothing can be said of what its root should hold.
    if is_foreign(buckets) || db.choice().1 == MetaChoice::Neither {
        return;
    }
    let root = Locus::page(db.meta().root.0, db.pages().offset_of(db.meta().root));
    for name in NEEDED.into_iter().filter(|name| !has(name)) {
        db.diagnostics().report(
            Diagnostic::new(Code::BucketMissing, root.clone().bucket(name))
                .found("no such bucket in the root")
                .effect(
                    "either this is no etcd database, or its root page belongs to another state",
                ),
        );
    }
}

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

fn is_foreign(buckets: &[Bucket<'_>]) -> bool {
    !buckets.is_empty()
        && !buckets
            .iter()
            .any(|bucket| schema::BUCKETS.contains(&bucket.name))
}
