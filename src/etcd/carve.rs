//! The records that freed pages still hold, and that are not part of the state.
//!
//! bbolt leaves a freed page as it is until it is handed out again, so what a compaction removed, what a commit
//! without a meta page wrote, and every version that a rewritten page had before, is there until something lies over
//! it. A leaf page that still states its own position gives its records by its own table (grade A); of a longer run
//! whose first page is gone they are found by their own bytes ([`fragments`], grades B and C).
//!
//! **Invariant:** no false record. A record counts only if it is one to the last byte, as etcd writes it; where two
//! places hold different ones of one revision, both are reported and neither is delivered. What the state holds as
//! well is a stale copy and no news.

mod fragments;
pub mod proof;
mod state;

use std::collections::HashSet;

use rayon::prelude::*;

use crate::bbolt::{Direction, Leaf, PageScan, Pgid};
use crate::diag::{Code, Diagnostic, Diagnostics};

use super::record::{Grade, Origin, Record};
use super::revision::Revision;
use super::salvage::is_certain;
use super::schema;
use super::store::Store;

use fragments::Fragments;
use state::State;

/// Leaf pages that are searched at once, in all tasks together, before the map is given back to the system.
const BATCH_PAGES: usize = 8192;

/// What a carved record is, by the revision under which it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A compaction removed it.
    Compacted,
    /// It belongs to the state, and the tree does not lead to it.
    Lost,
    /// It is newer than the state: of a commit that was not finished, or whose meta page was not chosen.
    Beyond,
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
    /// Leaf pages that no tree reaches.
    pub leaves: u64,
    /// Pages in which only fragments of longer runs can stand.
    pub headless_pages: u64,
    /// Records in them which the state holds as well: copies from before their page was written anew.
    pub copies: u64,
}

impl<'a> Carved<'a> {
    /// Searches the pages of a store that its state does not reach.
    pub(super) fn of(store: &Store<'a>) -> Self {
        let db = store.db();
        let diagnostics = db.diagnostics();
        let state = State::of(store);
        let scan = PageScan::of(db.pages(), db.source());
        let mut found = Found::default();
        let stale: Vec<Pgid> = scan
            .leaf_positions()
            .filter(|pgid| !state.uses(pgid.0))
            .collect();
        for batch in stale.chunks(BATCH_PAGES) {
            let leaves = batch.par_iter().filter_map(|pgid| scan.leaf(*pgid));
            let of_leaves: Vec<Found<'a>> = leaves
                .map(|(leaf, _)| search(&leaf, &state, diagnostics))
                .collect();
            of_leaves.into_iter().for_each(|of| found.add(of));
            if let Some(source) = db.source() {
                source.forget_resident();
            }
        }
        for (leaf, _) in scan.inline_leaves(schema::KEY) {
            found.add(search(&leaf, &state, diagnostics));
        }
        let headless = scan.headless();
        for run in &headless {
            for record in Fragments::of(&db.pages(), db.source(), *run) {
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
            Class::Beyond
        } else if main <= compacted {
            Class::Compacted
        } else {
            Class::Lost
        }
    }
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
        self.search.leaves = self.search.leaves.saturating_add(other.search.leaves);
        self.search.copies = self.search.copies.saturating_add(other.search.copies);
    }

    /// Takes a record, unless the state has one of its revision.
    fn take(&mut self, record: Record<'a>, state: &State<'a>, diagnostics: &Diagnostics) {
        match state.at(record.revision) {
            None => self.records.push(record),
            Some(present) if present.says_the_same(&record) => {
                self.search.copies = self.search.copies.saturating_add(1);
            }
            Some(present) => contradiction(
                diagnostics,
                &present,
                &record,
                "the record of the tree is taken",
            ),
        }
    }
}

/// The whole records of a leaf.
fn search<'a>(leaf: &Leaf<'a>, state: &State<'a>, diagnostics: &Diagnostics) -> Found<'a> {
    let mut found = Found::default();
    found.search.leaves = 1;
    for element in leaf.elements(Direction::Forward) {
        if !is_certain(leaf, &element) {
            continue;
        }
        if let Ok((record, _)) = Record::parse(&leaf.page, &element) {
            let origin = Origin::Carved(Grade::A);
            found.take(Record { origin, ..record }, state, diagnostics);
        }
    }
    found
}

/// One record of each revision, ascending, the best grade first; none where two of a grade contradict each other.
fn one_a_revision<'a>(mut records: Vec<Record<'a>>, diagnostics: &Diagnostics) -> Vec<Record<'a>> {
    records.par_sort_by_key(|record| (record.revision, record.grade(), record.offset));
    let mut told: HashSet<Revision> = HashSet::new();
    let mut kept: Vec<Record<'a>> = Vec::with_capacity(records.len().min(1 << 20));
    for record in records {
        let Some(last) = kept.last().filter(|last| last.revision == record.revision) else {
            kept.push(record);
            continue;
        };
        if last.says_the_same(&record) || last.grade() < record.grade() {
            continue;
        }
        contradiction(diagnostics, last, &record, "neither is delivered");
        told.insert(record.revision);
    }
    kept.retain(|record| !told.contains(&record.revision));
    kept.shrink_to_fit();
    kept
}

fn contradiction(
    diagnostics: &Diagnostics,
    one: &Record<'_>,
    other: &Record<'_>,
    effect: &'static str,
) {
    let place = |record: &Record<'_>| match record.pgid {
        Some(pgid) => format!("page {pgid}, offset {}", record.offset),
        None => format!("offset {}", record.offset),
    };
    diagnostics.report(
        Diagnostic::new(Code::RecordContradiction, other.locus().bucket(schema::KEY))
            .expected(
                format!("what {} has", place(one)),
                format!("another record of revision {}", other.revision),
            )
            .effect(effect),
    );
}
