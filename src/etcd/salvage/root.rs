//! The root page of a store to which no meta page leads.

use crate::bbolt::{Db, Direction, PageScan, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::gaps::{GapCheck, Place};
use crate::etcd::schema::{self, MetaBucket};

/// How many root pages of one age have their whole tree walked.
const TREES_WALKED: usize = 8;

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::etcd) struct Found {
    /// The root page.
    pub pgid: Pgid,
    /// Whether its tree of records is sound and has no gap: a root page that was freed leads to whatever was
    /// written to its pages since.
    pub is_whole: bool,
}

/// A page that is, or was, the root of a store.
struct Candidate {
    pgid: Pgid,
    meta: MetaBucket,
}

impl Candidate {
    /// What grows from one state to the next.
    fn age(&self) -> (Option<u64>, Option<i64>, Option<i64>) {
        (
            self.meta.consistent_index,
            self.meta.scheduled_compact_revision,
            self.meta.finished_compact_revision,
        )
    }
}

/// The newest root page in the file, by what grows from one state to the next.
pub(in crate::etcd) fn newest(db: &Db<'_>, scan: &PageScan<'_>) -> Option<Found> {
    let mut candidates: Vec<Candidate> = scan
        .roots()
        .filter_map(|(leaf, _)| candidate(db, leaf.page.pgid))
        .collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.age()));
    let age = candidates.first()?.age();
    let same_age = candidates.iter().filter(|one| one.age() == age);
    let whole = same_age.take(TREES_WALKED).filter_map(|candidate| {
        let records = whole_tree(db, candidate)?;
        Some((records, candidate))
    });
    // Two states between which nothing was applied differ by what a compaction removed.
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

/// How many records the tree of bucket `key` has; none where anything is wrong with it.
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
