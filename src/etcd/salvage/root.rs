//! The root page of a store to which no meta page leads.

use crate::bbolt::{Bucket, Db, Direction, PageScan, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::etcd::schema::{self, MetaBucket};

/// How many root pages have their whole tree walked, the newest first: a file at rest has two whole states.
const TREES_WALKED: usize = 8;

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

/// The newest root page in the file: of those that lead to a whole tree of records, else of all.
pub(in crate::etcd) fn newest(db: &Db<'_>, scan: &PageScan<'_>) -> Option<Pgid> {
    let mut candidates: Vec<Candidate> = scan
        .roots()
        .filter_map(|(leaf, _)| candidate(db, leaf.page.pgid))
        .collect();
    candidates.sort_by_key(|candidate| std::cmp::Reverse(candidate.age()));
    let mut best: Option<(&Candidate, usize)> = None;
    for candidate in candidates.iter().take(TREES_WALKED) {
        if best.is_some_and(|(best, _)| best.age() != candidate.age()) {
            break;
        }
        // Two states between which nothing was applied differ by what a compaction removed.
        let records = whole_tree(db, candidate.pgid);
        if let Some(records) = records
            && best.is_none_or(|(_, least)| records < least)
        {
            best = Some((candidate, records));
        }
    }
    let chosen = best.map(|(candidate, _)| candidate).or(candidates.first())?;
    let page = db.pages().unchecked(chosen.pgid)?;
    db.diagnostics().report(
        Diagnostic::new(Code::RootSearched, page.locus())
            .found(match chosen.meta.consistent_index {
                Some(index) => format!("the newest root page in the file, of consistent index {index}"),
                None => "a root page".to_owned(),
            })
            .effect("it is taken for the root of the state"),
    );
    Some(chosen.pgid)
}

fn candidate(db: &Db<'_>, pgid: Pgid) -> Option<Candidate> {
    let quiet = Diagnostics::new();
    let rooted = db.rooted(pgid, &quiet);
    let buckets = rooted.buckets();
    let find = |name: &[u8]| buckets.iter().find(|bucket| bucket.name == name);
    find(schema::KEY)?;
    let meta = MetaBucket::read(find(schema::META)?, &quiet);
    Some(Candidate { pgid, meta })
}

/// How many records the tree of bucket `key` has; none where anything is wrong with it.
fn whole_tree(db: &Db<'_>, root: Pgid) -> Option<usize> {
    let quiet = Diagnostics::new();
    let rooted = db.rooted(root, &quiet);
    let buckets = rooted.buckets();
    let key: &Bucket<'_> = buckets.iter().find(|bucket| bucket.name == schema::KEY)?;
    let elements = key.elements(&quiet, Direction::Forward).count();
    (!quiet.may_hide_records()).then_some(elements)
}
