//! The records of a store: those of its state, merged with those of other origins.

mod incomplete;
mod interleaved;

use std::sync::Arc;

use crate::Error;
use crate::bbolt::{Bucket, Db, Direction, Leaf};
use crate::diag::Diagnostics;
use crate::source::Source;

use super::leaves::RecordLeaves;
use super::passed_record::PassedRecord;
use super::record::{Origin, Record, report_contradiction};
use super::revision::Revision;
use super::schema::MetaBucket;
use super::state::State;

use interleaved::Interleaved;

pub(super) use incomplete::missing_revisions;

/// The state of a database, with records of other origins: carved from freed pages, or from the write-ahead log. It does
/// not change once it is built.
#[derive(Debug)]
pub struct Store<'a> {
    state: State<'a>,
    /// Records of other origins, ascending, at most one per revision. None has a revision that the state has.
    additional: Arc<Vec<Record<'a>>>,
    /// The newest revision of the state. It is only determined if there are additional records.
    state_revision: i64,
    /// The oldest revision of records that have no state before them; none if there is a state.
    first_revision: Option<i64>,
    /// Pairs of a main revision and the time at which the recorder of a delta snapshot received it, in seconds since
    /// 1970. They are in the order of revisions.
    times: Arc<Vec<(i64, i64)>>,
}

/// A revision for which the store can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AtRevision(pub i64);

impl AtRevision {
    /// The revision that includes all records. In a torn copy the newest record may not be the last one.
    pub const HEAD: Self = Self(i64::MAX);
}

/// Why the store cannot answer for a revision. The texts are etcd's own (`server/storage/mvcc/kvstore.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RevisionUnavailable {
    /// It is below the compaction.
    #[error(
        "required revision has been compacted: {asked} is below the compacted revision {compacted}"
    )]
    Compacted {
        /// The requested revision.
        asked: i64,
        /// The oldest possible revision.
        compacted: i64,
    },
    /// The records are those of delta snapshots alone, and begin later.
    #[error("no delta snapshot goes back to revision {asked}: the first is {first}")]
    BeforeDeltas {
        /// What was asked for.
        asked: i64,
        /// The oldest revision that can be.
        first: i64,
    },
    /// It is above the newest.
    #[error(
        "required revision is a future revision: {asked} is above the store's revision {current}"
    )]
    Future {
        /// The requested revision.
        asked: i64,
        /// The newest revision.
        current: i64,
    },
}

impl<'a> Store<'a> {
    /// The records of a state alone.
    pub fn new(state: State<'a>) -> Self {
        Self {
            state,
            additional: Arc::default(),
            state_revision: i64::MAX,
            first_revision: None,
            times: Arc::default(),
        }
    }

    /// The state with records carved from its freed pages: ascending, at most one per revision, none with a revision that
    /// the state has.
    #[must_use]
    pub fn with_carved(self, carved: Vec<Record<'a>>) -> Self {
        Self {
            state_revision: self.state.revision(),
            additional: carved.into(),
            ..self
        }
    }

    /// The same with records of another origin. If a revision has several records, the one of the state is used, then the one
    /// that was added first. A different record is reported.
    #[must_use]
    pub fn with(self, records: Vec<Record<'a>>) -> Self {
        let state_revision = self.state.revision();
        // The sort is stable, so of records of one revision the one that was added first stays first.
        let mut all: Vec<Record<'a>> = self.additional.to_vec();
        all.extend(records);
        all.sort_by_key(|record| record.revision);
        let diagnostics = self.db().diagnostics();
        all.dedup_by(|later, first| {
            let same = later.revision == first.revision;
            if same && !later.has_same_content(first) {
                report_contradiction(diagnostics, first, later, "the first is used");
            }
            same
        });
        // Both are in the order of revisions, so one pass over the state finds the revisions that it has.
        let mut state = self.state.records(Direction::Forward).peekable();
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
        Self {
            additional: all.into(),
            state_revision,
            ..self
        }
    }

    /// The same with the times of main revisions; see [`Self::times`].
    #[must_use]
    pub fn with_times(self, times: Vec<(i64, i64)>) -> Self {
        Self {
            times: times.into(),
            ..self
        }
    }

    /// The same for records without a state before them, such as delta snapshots without a full snapshot. Nothing is
    /// known of revisions before `first`.
    #[must_use]
    pub fn beginning_at(self, first: i64) -> Self {
        Self {
            first_revision: Some(first),
            ..self
        }
    }

    /// Pairs of a main revision and the time at which the recorder of a delta snapshot received it, in seconds since
    /// 1970. They are in the order of revisions.
    pub fn times(&self) -> &[(i64, i64)] {
        &self.times
    }

    /// Opens the state in an evidence file, as [`State::open`].
    ///
    /// # Errors
    /// As [`State::open`].
    pub fn open(source: &'a Source, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        State::open(source, diagnostics).map(Self::new)
    }

    /// The state in an open database.
    pub fn from_db(db: Db<'a>) -> Self {
        Self::new(State::from_db(db))
    }

    /// The state alone.
    pub fn state(&self) -> &State<'a> {
        &self.state
    }

    /// The records of other origins, at most one per revision, ascending.
    pub fn additional(&self) -> &[Record<'a>] {
        &self.additional
    }

    /// Whether a record is newer than the state and not part of it. False for records of the write-ahead log and of delta
    /// snapshots, which continue the state.
    pub fn is_newer_than_state(&self, record: &Record<'_>) -> bool {
        self.is_after_state(record.origin, record.revision)
    }

    /// The same by the origin and the revision of the record.
    pub fn is_after_state(&self, origin: Origin, revision: Revision) -> bool {
        let is_part = origin.is_of_state() || origin.continues_state();
        !is_part && revision.main > self.state_revision
    }

    /// Whether a record is evidence for the keyspace as of a revision. A record of another origin is evidence only for
    /// revisions before the compaction; one of the write-ahead log or a delta snapshot also for revisions after the state.
    #[inline]
    pub fn is_evidence_for(&self, record: &Record<'_>, at: AtRevision) -> bool {
        self.is_evidence(record.origin, record.revision, at)
    }

    /// The same by the origin and the revision of the record.
    #[inline]
    pub fn is_evidence(&self, origin: Origin, revision: Revision, at: AtRevision) -> bool {
        let continues = origin.continues_state() && revision.main > self.state_revision;
        revision.main <= at.0
            && (origin.is_of_state() || continues || at.0 < self.compact_revision())
    }

    /// The newest revision: that of the state, or of the write-ahead log or the delta snapshots if they go further.
    pub fn current_revision(&self) -> i64 {
        let continues = self
            .additional
            .last()
            .filter(|record| record.origin.continues_state());
        let continues = continues.map_or(0, |record| record.revision.main);
        self.state.revision().max(continues)
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
        if let Some(first) = self.first_revision.filter(|first| asked < *first) {
            return Err(RevisionUnavailable::BeforeDeltas { asked, first });
        }
        // Carved records may reach further back; missing revisions are reported.
        if asked < compacted && self.additional.is_empty() {
            return Err(RevisionUnavailable::Compacted { asked, compacted });
        }
        let at = AtRevision(asked);
        if asked < compacted
            && let Some(finding) = incomplete::finding(self, at)
        {
            self.db().diagnostics().report(finding);
        }
        Ok(at)
    }

    /// Every record, oldest or newest first.
    pub fn records(&self, direction: Direction) -> impl Iterator<Item = Record<'a>> + use<'a> {
        let state = self.state.records(direction);
        let source = self.db().source();
        Interleaved::new(state, Arc::clone(&self.additional), source, direction)
    }

    /// Visits every record, oldest first. `choose` is called with each record on all cores, `visit` with what it returns
    /// and the key, in the order of the records.
    pub fn visit_records<T: Send>(
        &self,
        choose: impl Fn(&PassedRecord<'_, 'a>) -> Option<T> + Sync,
        mut visit: impl FnMut(T, &[u8]) + Send,
    ) {
        if self.additional.is_empty() {
            self.state.visit_records(choose, visit);
            return;
        }
        for record in self.records(Direction::Forward) {
            if let Some(item) = choose(&PassedRecord::from(&record)) {
                visit(item, record.key);
            }
        }
    }

    /// Visits the records for which `is_chosen` is true, oldest first. `is_chosen` is called on all cores. As it is
    /// compiled once for all callers, it is better than [`Self::visit_records`] if few records are chosen.
    pub fn visit_chosen(
        &self,
        is_chosen: &(dyn Fn(&Record<'_>) -> bool + Sync),
        visit: &mut (dyn FnMut(Record<'a>) + Send),
    ) {
        self.visit_records(
            |record| is_chosen(record).then(|| record.in_map()),
            |record, _| visit(record),
        );
    }

    /// As [`Self::visit_records`], without the records of other origins.
    pub fn visit_state_records<T: Send>(
        &self,
        choose: impl Fn(&PassedRecord<'_, 'a>) -> Option<T> + Sync,
        visit: impl FnMut(T, &[u8]) + Send,
    ) {
        self.state.visit_records(choose, visit);
    }

    /// Whether there is a record for whose key `covers` is true.
    pub fn has_record(&self, covers: impl Fn(&[u8]) -> bool) -> bool {
        let mut records = self.records(Direction::Forward);
        records.any(|record| covers(record.key))
    }

    /// As [`State::db`].
    pub fn db(&self) -> &Db<'a> {
        self.state.db()
    }

    /// As [`State::is_foreign`].
    pub fn is_foreign(&self) -> bool {
        self.state.is_foreign()
    }

    /// As [`State::buckets`].
    pub fn buckets(&self) -> &[Bucket<'a>] {
        self.state.buckets()
    }

    /// As [`State::bucket`].
    pub fn bucket(&self, name: &[u8]) -> Option<&Bucket<'a>> {
        self.state.bucket(name)
    }

    /// As [`State::meta`].
    pub fn meta(&self) -> &MetaBucket {
        self.state.meta()
    }

    /// As [`State::compact_revision`]; of records without a state before them, the oldest revision.
    pub fn compact_revision(&self) -> i64 {
        self.first_revision
            .unwrap_or_else(|| self.state.compact_revision())
    }

    /// As [`State::record_leaves`].
    pub fn record_leaves(&self, direction: Direction) -> impl Iterator<Item = Leaf<'a>> + use<'a> {
        self.state.record_leaves(direction)
    }

    /// As [`State::leaves_of`].
    pub fn leaves_of(&self, bucket: &Bucket<'a>, direction: Direction) -> RecordLeaves<'a> {
        self.state.leaves_of(bucket, direction)
    }

    /// As [`State::leaves_of_with`].
    pub(super) fn leaves_of_with<C>(
        &self,
        bucket: &Bucket<'a>,
        direction: Direction,
    ) -> RecordLeaves<'a, C> {
        self.state.leaves_of_with(bucket, direction)
    }
}
