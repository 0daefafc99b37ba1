//! Records in freed pages that are not part of the state.
//!
//! bbolt does not clear a freed page. Its old content stays until the page is reused. So three kinds of records can be
//! found there: records that a compaction removed, records of a commit whose meta page was never written, and older
//! copies of records from pages that were rewritten since.
//!
//! A freed leaf page whose header still has its own page id is read by its element table (grade A). If a page was
//! longer than one page and its first page was overwritten, the table is lost. The records in the rest are then found
//! by their bytes (`fragments`, grades B and C).
//!
//! **Invariant:** no false record. A record counts only if it is, to the last byte, what etcd writes. If two places have
//! different records of one revision, both are reported and neither is included. A record that the state also has is
//! only a stale copy, and is not returned.
//!
//! Example: a Pod was created at revision 100 and updated at 200, then history was compacted at 300. Record 100 is no
//! longer in the tree, but the leaf page that had it was freed, not cleared. If its header still has its own id, record
//! 100 is carved with grade A. Record 200 may be in the same freed page; the state has it too, so it is a stale copy.

mod fragments;
mod leases;
pub mod proof;
mod state_index;

use std::collections::HashSet;

use rayon::prelude::*;

use crate::bbolt::page_use::Use;
use crate::bbolt::{Direction, Leaf, Page, PageScan, PageUse, Pgid, is_root};
use crate::diag::Diagnostics;

use super::record::{Grade, Origin, Record, report_contradiction};
use super::revision::Revision;
use super::schema;
use super::state::State;

pub use leases::freed_leases;

use fragments::Fragments;
use state_index::StateIndex;

/// How many leaf pages all tasks together search before the pages are released from memory.
const BATCH_PAGES: u64 = 2048;
/// How many leaf pages one task searches.
const TASK_PAGES: usize = 64;

/// The class of a carved record, by its revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A compaction removed it.
    Compacted,
    /// It belongs to the state, but the tree lacks it.
    Lost,
    /// It is newer than the state: its commit was not finished, or the other meta page was chosen.
    NewerThanState,
}

/// The result of carving a file.
#[derive(Debug, Clone, Default)]
pub struct Carved<'a> {
    /// The records, one per revision, ascending.
    pub records: Vec<Record<'a>>,
    /// Counts of the search.
    pub search: Search,
}

/// Counts of a search of unreachable pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Search {
    /// Pages of the file.
    pub pages: u64,
    /// Pages without a header of their own: they can only have the rest of an overwritten longer page.
    pub headless_pages: u64,
    /// Records in them that the state has too: stale copies from before their page was rewritten.
    pub copies: u64,
}

impl<'a> Carved<'a> {
    /// Searches the pages that a state does not use.
    pub fn from_state(state: &State<'a>) -> Self {
        let db = state.db();
        let diagnostics = db.diagnostics();
        let index = StateIndex::new(state);
        let own_scan;
        let scan = if diagnostics.found_any() {
            state.page_scan()
        } else {
            // The headers of an intact tree are known.
            own_scan = PageScan::read_around(db.pages(), db.source(), &|pgid| index.leaf_at(pgid));
            &own_scan
        };
        let mut found = Found::default();
        // Grade A: freed leaf pages with their own header, in batches, so that memory stays flat.
        let mut stale = scan
            .leaf_runs()
            .filter(|(pgid, _)| !index.uses(pgid.0))
            .peekable();
        while stale.peek().is_some() {
            let mut batch: Vec<Pgid> = Vec::new();
            let mut pages = 0_u64;
            while let Some((pgid, run_pages)) = stale.next_if(|_| pages < BATCH_PAGES) {
                pages = pages.saturating_add(run_pages);
                batch.push(pgid);
            }
            let task_results: Vec<Found<'a>> = batch
                .par_chunks(TASK_PAGES)
                .map(|pgids| search_pages(pgids, scan, &index, diagnostics))
                .collect();
            task_results
                .into_iter()
                .for_each(|result| found.add(result));
            if let Some(source) = db.source() {
                source.forget_resident();
            }
        }
        // Grades B and C: the rest of longer pages whose first page was overwritten.
        let headless = scan.runs_without_header();
        for run in headless {
            for record in Fragments::new(&db.pages(), db.source(), *run) {
                found.take(record, &index, diagnostics);
            }
        }
        let mut search = found.search;
        search.pages = db.pages().count();
        let pages = |(first, last): &(Pgid, Pgid)| last.0.saturating_sub(first.0).saturating_add(1);
        search.headless_pages = headless.iter().map(pages).sum();
        Self {
            records: one_per_revision(found.records, diagnostics),
            search,
        }
    }

    /// The class of a record in a store with these revisions.
    pub fn class_of(main: i64, compacted: i64, current: i64) -> Class {
        if main > current {
            Class::NewerThanState
        } else if main <= compacted {
            Class::Compacted
        } else {
            Class::Lost
        }
    }
}

/// Number of leaf pages that neither a tree nor the freelist uses.
pub fn leaves_out_of_use(state: &State<'_>) -> u64 {
    let page_use = PageUse::read(state.db());
    let scan = state.page_scan();
    let is_unused = |pgid: Pgid| matches!(page_use.use_of(pgid), Use::Free | Use::Unreached);
    let unused = scan.leaf_runs().filter(|(pgid, _)| is_unused(*pgid));
    unused.count() as u64
}

/// The records and counts from some pages.
#[derive(Debug, Default)]
struct Found<'a> {
    records: Vec<Record<'a>>,
    search: Search,
}

impl<'a> Found<'a> {
    /// Adds what a task found. The other counts of a search are set once, at its end.
    fn add(&mut self, other: Self) {
        self.records.extend(other.records);
        self.search.copies = self.search.copies.saturating_add(other.search.copies);
    }

    /// Adds a record, unless the state has a record of its revision.
    fn take(&mut self, record: Record<'a>, state: &StateIndex<'a>, diagnostics: &Diagnostics) {
        match state.at(record.revision) {
            None => self.records.push(record),
            Some(present) if present.has_same_content(&record) => {
                self.search.copies = self.search.copies.saturating_add(1);
            }
            Some(present) => report_contradiction(
                diagnostics,
                &present,
                &record,
                "the record of the tree is used",
            ),
        }
    }
}

/// The records in these leaf pages that etcd wrote to the last byte, unless the state has them. A damaged page is read
/// by its intact elements.
fn search_pages<'a>(
    pgids: &[Pgid],
    scan: &PageScan<'a>,
    state: &StateIndex<'a>,
    diagnostics: &Diagnostics,
) -> Found<'a> {
    let mut found = Found::default();
    for pgid in pgids {
        let intact = scan
            .whole_page(*pgid)
            .and_then(|page| intact_records(&page));
        if let Some(records) = intact {
            records
                .into_iter()
                .for_each(|record| found.take(record, state, diagnostics));
        } else if let Some((leaf, _)) = scan.leaf(*pgid) {
            search(&leaf, state, diagnostics, &mut found);
            // The records of a small store are inline, in the root page.
            let inline = is_root(&leaf).then(|| scan.inline_leaf(&leaf, schema::KEY));
            if let Some((leaf, _)) = inline.flatten() {
                search(&leaf, state, diagnostics, &mut found);
            }
        }
    }
    found
}

/// The fast path: the records of a page in which every element is a record and the first key directly follows the
/// table, so that the count is right. Nearly all pages are like this and need no other check.
fn intact_records<'a>(page: &Page<'a>) -> Option<Vec<Record<'a>>> {
    let count = page.usable_count();
    if count == 0 || count != page.count || !page.starts_after_its_table() {
        return None;
    }
    let record = |index| {
        let record = Record::certain(page, &page.leaf_element(index).ok()?)?;
        let origin = Origin::Carved(Grade::A);
        Some(Record { origin, ..record })
    };
    (0..count).map(record).collect()
}

/// Adds the records of a leaf that etcd wrote to the last byte.
fn search<'a>(
    leaf: &Leaf<'a>,
    state: &StateIndex<'a>,
    diagnostics: &Diagnostics,
    found: &mut Found<'a>,
) {
    for element in leaf.elements(Direction::Forward) {
        if let Some(record) = Record::certain(&leaf.page, &element) {
            let origin = Origin::Carved(Grade::A);
            found.take(Record { origin, ..record }, state, diagnostics);
        }
    }
}

/// One record per revision, ascending. The best grade wins. A revision is left out if two records of its best grade
/// contradict each other.
fn one_per_revision<'a>(
    mut records: Vec<Record<'a>>,
    diagnostics: &Diagnostics,
) -> Vec<Record<'a>> {
    records.par_sort_unstable_by_key(|record| (record.revision, record.grade(), record.offset));
    let mut contradicted: HashSet<Revision> = HashSet::new();
    records.dedup_by(|record, first| {
        if record.revision != first.revision {
            return false;
        }
        if first.grade() == record.grade() && !first.has_same_content(record) {
            report_contradiction(diagnostics, first, record, "neither is included");
            contradicted.insert(record.revision);
        }
        true
    });
    if !contradicted.is_empty() {
        records.retain(|record| !contradicted.contains(&record.revision));
    }
    records.shrink_to_fit();
    records
}
