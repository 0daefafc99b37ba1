//! The records that freed pages still hold, and that are not part of the state.
//!
//! bbolt leaves a freed page as it is until it is handed out again, so what a compaction removed, what a commit
//! without a meta page wrote, and every version that a rewritten page had before, is there until something lies over
//! it. A leaf page that still states its own position gives its records by its own table (grade A); of a longer run
//! whose first page is gone they are found by their own bytes (`fragments`, grades B and C).
//!
//! **Invariant:** no false record. A record counts only if it is one to the last byte, as etcd writes it; where two
//! places hold different ones of one revision, both are reported and neither is included. What the state holds as
//! well is a stale copy and no news.

mod fragments;
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

use fragments::Fragments;
use state_index::StateIndex;

/// Leaf pages that are searched at once, in all tasks together, before the map is given back to the system.
const BATCH_PAGES: u64 = 16384;
/// And in one task.
const TASK_PAGES: usize = 64;

/// What a carved record is, by the revision under which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A compaction removed it.
    Compacted,
    /// It belongs to the state, and the tree does not lead to it.
    Lost,
    /// It is newer than the state: of a commit that was not finished, or whose meta page was not chosen.
    NewerThanState,
}

/// What was carved out of a file.
#[derive(Debug, Clone, Default)]
pub struct Carved<'a> {
    /// The records, one a revision, ascending.
    pub records: Vec<Record<'a>>,
    /// How it was searched.
    pub search: Search,
}

/// What a search of the pages that nothing reaches came upon.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Search {
    /// Pages of the file.
    pub pages: u64,
    /// Pages in which only fragments of longer runs can stand.
    pub headless_pages: u64,
    /// Records in them which the state holds as well: copies from before their page was written anew.
    pub copies: u64,
}

impl<'a> Carved<'a> {
    /// Searches the pages that a state does not use.
    pub fn from_state(state: &State<'a>) -> Self {
        let db = state.db();
        let diagnostics = db.diagnostics();
        let scan = state.page_scan();
        let state = StateIndex::new(state);
        let mut found = Found::default();
        let mut stale = scan
            .leaf_runs()
            .filter(|(pgid, _)| !state.uses(pgid.0))
            .peekable();
        while stale.peek().is_some() {
            let mut batch: Vec<Pgid> = Vec::new();
            let mut pages = 0_u64;
            while let Some((pgid, of_run)) = stale.next_if(|_| pages < BATCH_PAGES) {
                pages = pages.saturating_add(of_run);
                batch.push(pgid);
            }
            let of_leaves: Vec<Found<'a>> = batch
                .par_chunks(TASK_PAGES)
                .map(|pgids| search_pages(pgids, scan, &state, diagnostics))
                .collect();
            of_leaves.into_iter().for_each(|of| found.add(of));
            if let Some(source) = db.source() {
                source.forget_resident();
            }
        }
        let headless = scan.runs_without_header();
        for run in &headless {
            for record in Fragments::new(&db.pages(), db.source(), *run) {
                found.take(record, &state, diagnostics);
            }
        }
        let mut search = found.search;
        search.pages = db.pages().count();
        let pages = |(first, last): &(Pgid, Pgid)| last.0.saturating_sub(first.0).saturating_add(1);
        search.headless_pages = headless.iter().map(pages).sum();
        Self {
            records: one_a_revision(found.records, diagnostics),
            search,
        }
    }

    /// What a record is, in a store of these revisions.
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

/// How many leaf pages of the file are out of use: no bucket's tree, freelist or meta page has them.
pub fn leaves_out_of_use(state: &State<'_>) -> u64 {
    let reach = PageUse::read(state.db());
    let scan = state.page_scan();
    let is_unused = |pgid: Pgid| matches!(reach.use_of(pgid), Use::Free | Use::Unreached);
    let unused = scan.leaf_runs().filter(|(pgid, _)| is_unused(*pgid));
    unused.count() as u64
}

/// What some pages gave.
#[derive(Debug, Default)]
struct Found<'a> {
    records: Vec<Record<'a>>,
    search: Search,
}

impl<'a> Found<'a> {
    fn add(&mut self, other: Self) {
        self.records.extend(other.records);
        self.search.copies = self.search.copies.saturating_add(other.search.copies);
    }

    /// Takes a record, unless the state has one of its revision.
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

/// The whole records of leaf pages.
fn search_pages<'a>(
    pgids: &[Pgid],
    scan: &PageScan<'a>,
    state: &StateIndex<'a>,
    diagnostics: &Diagnostics,
) -> Found<'a> {
    let mut found = Found::default();
    for pgid in pgids {
        let sound = scan.whole_page(*pgid).and_then(|page| sound_records(&page));
        if let Some(records) = sound {
            records
                .into_iter()
                .for_each(|record| found.take(record, state, diagnostics));
        } else if let Some((leaf, _)) = scan.leaf(*pgid) {
            search(&leaf, state, diagnostics, &mut found);
            // A small store's records lie in the root of its buckets.
            let inline = is_root(&leaf).then(|| scan.inline_leaf(&leaf, schema::KEY));
            if let Some((leaf, _)) = inline.flatten() {
                search(&leaf, state, diagnostics, &mut found);
            }
        }
    }
    found
}

/// The records of a page of which each element is one, and whose keys begin right behind its table, so that its
/// count is right: nearly all are such, and then nothing else is to be checked.
fn sound_records<'a>(page: &Page<'a>) -> Option<Vec<Record<'a>>> {
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

/// The whole records of a leaf.
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

/// One record of each revision, ascending, the best grade first; none where two of a grade contradict each other.
fn one_a_revision<'a>(mut records: Vec<Record<'a>>, diagnostics: &Diagnostics) -> Vec<Record<'a>> {
    records.par_sort_unstable_by_key(|record| (record.revision, record.grade(), record.offset));
    let mut told: HashSet<Revision> = HashSet::new();
    records.dedup_by(|record, first| {
        if record.revision != first.revision {
            return false;
        }
        if first.grade() == record.grade() && !first.has_same_content(record) {
            report_contradiction(diagnostics, first, record, "neither is included");
            told.insert(record.revision);
        }
        true
    });
    if !told.is_empty() {
        records.retain(|record| !told.contains(&record.revision));
    }
    records.shrink_to_fit();
    records
}
