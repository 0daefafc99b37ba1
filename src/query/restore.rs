//! A restore: a store that etcd accepts, written from what can be read of a source.
//!
//! [`Restore::read`] surveys the source, and decides what is written, or why nothing is. It refuses whenever the new
//! store would silently lack records, because such a store is worse than none: a lost deletion brings a deleted key
//! back, and a lost put leaves an old value. Then [`Restore::prepare`] determines the layout of the file,
//! [`Restore::write`] writes it, and [`Restore::verify`] reads it back.
//!
//! If a write-ahead log is used, its records are already in the store of the question ([`crate::query::Origins`]).
//! The members of a new data directory come from [`MemberState`].

mod decide;
mod leases;
mod outlook;
mod output;
mod refusal;
mod request;
mod small;

use std::collections::BTreeSet;

use crate::bytes::ByteOrder;
use crate::diag::Diagnostics;
use crate::etcd::record::Record;
use crate::etcd::survey::{Survey, Use};
use crate::etcd::write::{StoredBytes, StoredPair};
use crate::etcd::{Revision, Store};

use super::evidence::Evidence;
use super::question::Question;
use super::replayed::Replayed;

pub use crate::bbolt::write::{Layout, WriteError, WrittenFile};
pub use crate::etcd::survey::{Likely, LossEffect, LossReason, LostRange, MissingRecord};
pub use crate::etcd::write::MemberState;
pub use crate::k8s::wall_clock::AtTime;
pub use crate::query::time_asked::TimeAsked;
pub use leases::{LeaseWritten, TtlSource};
pub use outlook::{Outlook, Writes};
pub use output::{Mismatch, Prepared, Target, Verified};
pub use refusal::{RecordsAfter, Refusal, RefusalDetails, Refused, RestoreError};
pub use request::{History, RestoreRequest};
pub use small::Authentication;

/// What is left out of the new store, besides records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The ids of members with a NOSPACE alarm.
    pub no_space: Vec<u64>,
    /// The ids of members with a CORRUPT alarm.
    pub corrupt: Vec<u64>,
    /// A requested downgrade of the cluster.
    pub downgrade: bool,
    /// The version of the schema. It shows that the store is of etcd 3.6 or later, which has a record at the
    /// compacted revision; the new store has none.
    pub storage_version: bool,
    /// Users and roles, because authentication was switched off.
    pub authentication: bool,
    /// The names of buckets that no version of etcd uses, and that are damaged so that bbolt would refuse them.
    pub buckets: Vec<Vec<u8>>,
}

/// A restore that was decided: everything that the new store is made of.
pub struct Restore<'q, 'a> {
    question: &'q Question<'a>,
    request: RestoreRequest,
    /// The revision of the new store.
    pub at: i64,
    /// The revision for which losses were judged: the one asked for, or the newest. `at` is smaller if the
    /// records after it are lost.
    pub judged: i64,
    /// The newest revision of the source.
    pub newest: i64,
    /// The compacted revision of the source.
    pub compacted: i64,
    /// The compacted revision of the new store; 0 if nothing was compacted.
    pub new_compacted: i64,
    /// The time asked for.
    pub time: Option<TimeAsked>,
    /// What the survey found.
    pub survey: Survey<'a>,
    /// The reasons against it that were overruled, for example by `--allow-loss`.
    pub accepted: Vec<Refusal>,
    /// Leases that are written anew.
    pub leases: Vec<LeaseWritten>,
    /// The buckets that are damaged, and are written as far as they can be read.
    pub damaged_buckets: Vec<&'static str>,
    /// Whether clients need a user.
    pub authentication: Authentication,
    /// Number of keys that exist at the revision.
    pub live_keys: u64,
    /// What is left out.
    pub dropped: Dropped,
    /// The result of the replay of the write-ahead log, if its requests were applied.
    pub log: Option<&'a Replayed>,
    /// Main revisions that are left out, because a part of their transaction is missing.
    cut: BTreeSet<i64>,
    /// The revisions of the only records that are written, ascending, if only the state is; none if the history is
    /// written too.
    kept: Option<Vec<Revision>>,
    /// Tombstones that are written in place of lost ones.
    added: Vec<StoredPair>,
}

impl<'q, 'a> Restore<'q, 'a> {
    /// The store of the source.
    pub fn store(&self) -> &'q Store<'a> {
        self.question.store()
    }

    /// The source.
    pub fn evidence(&self) -> &'a Evidence {
        self.question.evidence()
    }

    /// What was asked for.
    pub fn request(&self) -> &RestoreRequest {
        &self.request
    }

    /// Whether no reason was overruled, no bucket is damaged or left out, and no record outside the tree had to be used.
    pub fn is_complete(&self) -> bool {
        self.accepted.is_empty()
            && self.damaged_buckets.is_empty()
            && self.dropped.buckets.is_empty()
            && self.survey.added == 0
    }

    /// Whether the leases are those of the revision, from the log. Otherwise they are those of the newest revision, and
    /// those that keys name.
    pub fn has_leases_of_log(&self) -> bool {
        self.log.is_some_and(|log| log.leases_are_exact)
    }

    /// Whether the source has objects of Kubernetes.
    pub fn is_kubernetes(&self) -> bool {
        self.survey.has_prefix
    }

    /// The main revisions that are left out, because a part of their transaction is missing.
    pub fn cut(&self) -> &BTreeSet<i64> {
        &self.cut
    }

    /// The compacted revision for a decision about records. If an older revision is restored, records up to that one
    /// are used as if it were the compacted one.
    fn floor(&self) -> i64 {
        self.compacted.min(self.at)
    }

    /// Whether a record is written. `stored` has its bytes in bucket `key`.
    fn keeps(&self, record: &Record<'_>, stored: StoredBytes<'_>) -> bool {
        let main = record.revision.main;
        if main > self.at || self.cut.contains(&main) {
            return false;
        }
        let is_mark = record.is_bump_mark();
        if !is_mark && !self.request.covers(record.key) {
            return false;
        }
        let is_kept = self.kept.as_ref().is_none_or(|kept| {
            kept.binary_search(&record.revision).is_ok() || (is_mark && main == self.at)
        });
        let carve = self.request.carve;
        is_kept && Use::decide(self.store(), record, stored, carve, self.floor()) == Use::Used
    }

    /// The layout of the new file: page size and byte order of the source, if bbolt accepts that page size. A store
    /// that is made of a write-ahead log alone has no file; it gets the usual layout.
    pub fn layout(&self, has_trailer: bool) -> Layout {
        let db = self.store().db();
        let is_from_file = db.source().is_some();
        Layout {
            page_size: match is_from_file {
                true => Layout::page_size_for(db.meta().page_size),
                false => 4096,
            },
            order: match is_from_file {
                true => db.pages().order(),
                false => ByteOrder::Little,
            },
            has_trailer,
        }
    }

    /// The findings about the source.
    pub fn diagnostics(&self) -> &Diagnostics {
        self.evidence().diagnostics()
    }
}
