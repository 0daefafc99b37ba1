//! Searches the root page of a store if no meta page leads to one.

use crate::arrange::Arrange as _;
use crate::bbolt::{Db, Direction, PageScan, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::gaps::{GapCheck, Place};
use crate::etcd::schema::{self, MetaBucket};

/// How many root pages of the same age are compared by walking their whole trees.
const TREES_WALKED: usize = 8;

/// The root page that the search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::etcd) struct Found {
    /// The root page.
    pub pgid: Pgid,
    /// Whether its tree of records is intact and has no gap. The child pages of a freed root page may have been reused.
    pub is_whole: bool,
}

/// A page that is, or was, the root of a store.
struct Candidate {
    pgid: Pgid,
    meta: MetaBucket,
}

impl Candidate {
    /// The numbers that grow from one state to the next.
    fn age(&self) -> (Option<u64>, Option<i64>, Option<i64>) {
        (
            self.meta.consistent_index,
            self.meta.scheduled_compact_revision,
            self.meta.finished_compact_revision,
        )
    }
}

/// The newest root page in the file, by the numbers that grow from one state to the next.
pub(in crate::etcd) fn newest(db: &Db<'_>, scan: &PageScan<'_>) -> Option<Found> {
    let mut candidates: Vec<Candidate> = scan
        .roots()
        .filter_map(|(leaf, _)| candidate(db, leaf.page.pgid))
        .collect();
    candidates.arrange_by_key(|candidate| std::cmp::Reverse(candidate.age()));
    let age = candidates.first()?.age();
    let same_age = candidates.iter().filter(|one| one.age() == age);
    let whole = same_age.take(TREES_WALKED).filter_map(|candidate| {
        let records = whole_tree(db, candidate)?;
        Some((records, candidate))
    });
    // If several states have the same numbers, a compaction ran between them: the one with the fewest records is the newest.
    let whole = whole.min_by_key(|(records, _)| *records);
    let is_whole = whole.is_some();
    let chosen = whole
        .map(|(_, candidate)| candidate)
        .or(candidates.first())?;
    let page = db.pages().unchecked(chosen.pgid)?;
    db.diagnostics().report(
        Diagnostic::new(Code::RootSearched, page.locus())
            .found(match chosen.meta.consistent_index {
                Some(index) => {
                    format!("the newest root page in the file, of consistent index {index}")
                }
                None => "a root page".to_owned(),
            })
            .effect("it is used as the root of the state"),
    );
    Some(Found {
        pgid: chosen.pgid,
        is_whole,
    })
}

fn candidate(db: &Db<'_>, pgid: Pgid) -> Option<Candidate> {
    let quiet = Diagnostics::new();
    let rooted = db.with_root(pgid, &quiet);
    let buckets = rooted.buckets();
    let find = |name: &[u8]| buckets.iter().find(|bucket| bucket.name == name);
    find(schema::KEY)?;
    let meta = MetaBucket::read(find(schema::META)?, &quiet);
    Some(Candidate { pgid, meta })
}

/// Number of records in the tree of bucket `key`; none if the tree is damaged.
fn whole_tree(db: &Db<'_>, candidate: &Candidate) -> Option<usize> {
    let quiet = Diagnostics::new();
    let rooted = db.with_root(candidate.pgid, &quiet);
    let buckets = rooted.buckets();
    let key = buckets.iter().find(|bucket| bucket.name == schema::KEY)?;
    let mut gaps = GapCheck::new(&candidate.meta, key.locus.clone(), Direction::Forward);
    let mut records = 0_usize;
    for (page, element) in key.elements(&quiet, Direction::Forward) {
        records = records.saturating_add(1);
        let place = Place::from_element(&page, &element).ok()?;
        if gaps.next(place).is_some() {
            return None;
        }
    }
    (gaps.finish().is_empty() && !quiet.may_hide_records()).then_some(records)
}
