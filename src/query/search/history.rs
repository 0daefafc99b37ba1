//! In which revisions lines existed: a fold over all records, oldest first.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::bbolt::Direction;
use crate::etcd::generation::Transition;
use crate::etcd::leaves::leaf_records;
use crate::etcd::succession::Successions;
use crate::etcd::{AtRevision, Generation, Record};
use crate::k8s::diff::FieldNumbers;
use crate::k8s::search::MatchedLine;

use super::look::Reader;
use super::{BATCH_VALUES, Search, Span, next_batch};

/// A line with the revisions that have it.
#[derive(Debug)]
pub struct Row {
    /// The line, as it was first; none for the key itself.
    pub found: Option<MatchedLine>,
    /// Its revisions.
    pub span: Span,
    /// The record of the newest version that has it.
    turn: u64,
}

/// What makes a line the same in two versions: the number of its field, and its text. None: the key itself.
type Same = Option<(usize, Vec<u8>)>;

/// The lines of one key.
#[derive(Debug, Default)]
struct OfKey {
    rows: Vec<Row>,
    /// Rows of the present life.
    known: HashMap<Same, usize>,
    fields: FieldNumbers,
    /// Of these, the lines of the newest version.
    present: Vec<usize>,
    /// Number of that version, among those looked at.
    turn: u64,
    generation: Option<Generation>,
    /// Whether its newest version is a carved record. Then the key was deleted at the compaction or before it.
    is_carved: bool,
}

/// The lines of all keys that ever had any.
#[derive(Debug)]
pub(super) struct History {
    keys: BTreeMap<Box<[u8]>, OfKey>,
    compacted: i64,
    successions: Successions,
}

impl History {
    pub(super) fn new(compacted: i64) -> Self {
        Self {
            keys: BTreeMap::new(),
            compacted,
            successions: Successions::default(),
        }
    }

    /// Reads all records up to the revision that was asked for.
    pub(super) fn fold(&mut self, search: &Search<'_, '_>, reader: &mut Reader<'_>) {
        let diagnostics = search.question.evidence().diagnostics();
        // Only what threads may share.
        let (store, covers) = (search.question.store(), search.covers);
        let (looker, at) = (&search.looker, search.at);
        let wanted = |record: &Record<'_>| {
            record.revision.main <= at.0
                && !record.is_bump_mark()
                && !store.is_newer_than_state(record)
                && covers(record.key)
        };
        let mut beside = store
            .additional()
            .iter()
            .filter(|record| wanted(record))
            .peekable();
        let mut leaves = search
            .question
            .store()
            .record_leaves(Direction::Forward)
            .peekable();
        while leaves.peek().is_some() {
            let batch = next_batch(&mut leaves, BATCH_VALUES, |leaf| {
                leaf.page.run().len_bytes()
            });
            let seen: Vec<_> = batch
                .par_iter()
                .flat_map_iter(|leaf| {
                    leaf_records(leaf, Direction::Forward, diagnostics)
                        .filter(|record| wanted(record))
                        .map(|record| (record, looker.look(&record)))
                })
                .collect();
            for (record, seen) in seen {
                while let Some(before) = beside.next_if(|before| before.revision < record.revision)
                {
                    self.take_beside(before, search, reader);
                }
                let lines = reader.lines(&record, seen.value);
                self.take(&record, search, seen.in_key, lines);
            }
        }
        for record in beside {
            self.take_beside(record, search, reader);
        }
        let compacted = self.compacted;
        for of_key in self.keys.values_mut().filter(|of_key| of_key.is_carved) {
            of_key.end(compacted, true);
        }
    }

    fn take_beside(
        &mut self,
        record: &Record<'_>,
        search: &Search<'_, '_>,
        reader: &mut Reader<'_>,
    ) {
        let seen = search.looker.look(record);
        let lines = reader.lines(record, seen.value);
        self.take(record, search, seen.in_key, lines);
    }

    fn take(
        &mut self,
        record: &Record<'_>,
        search: &Search<'_, '_>,
        in_key: bool,
        lines: Vec<MatchedLine>,
    ) {
        self.successions.see(search.question.store(), record);
        let has_lines = in_key || !lines.is_empty();
        if !has_lines && !self.keys.contains_key(record.key) {
            return;
        }
        let compacted = self.compacted;
        let of_key = self.keys.entry(record.key.into()).or_default();
        let at = record.revision.main;
        let before = std::mem::replace(&mut of_key.generation, Generation::after(record));
        match Transition::between(before, of_key.generation) {
            Transition::Continues => {}
            // The deletion before a carved record may be missing.
            Transition::Replaces => of_key.end(at, of_key.is_carved),
            Transition::Begins | Transition::Ends | Transition::EndsNothing => {
                of_key.end(at, false);
            }
        }
        let is_state = search
            .question
            .store()
            .is_evidence_for(record, AtRevision::HEAD);
        of_key.is_carved = !is_state && !record.tombstone;
        if record.tombstone {
            return;
        }
        let before = std::mem::take(&mut of_key.present);
        of_key.turn = of_key.turn.saturating_add(1);
        let key_line = in_key.then_some(None);
        for found in key_line.into_iter().chain(lines.into_iter().map(Some)) {
            of_key.hold(found, record, compacted);
        }
        of_key.fields.forget_paths();
        for row in before {
            if of_key
                .rows
                .get(row)
                .is_some_and(|row| row.turn != of_key.turn)
            {
                of_key.gone(row, at);
            }
        }
    }

    /// The lines in key order, then by the revision that added them.
    pub(super) fn into_rows(self) -> impl Iterator<Item = (Box<[u8]>, Vec<Row>)> {
        self.keys
            .into_iter()
            .map(|(key, of_key)| (key, of_key.rows))
    }
}

impl OfKey {
    /// Ends a life of the key.
    fn end(&mut self, at: i64, may_be_earlier: bool) {
        for row in std::mem::take(&mut self.present) {
            self.gone(row, at);
            if let Some(row) = self.rows.get_mut(row) {
                row.span.gone_may_be_earlier = may_be_earlier;
            }
        }
        self.known.clear();
    }

    fn gone(&mut self, row: usize, at: i64) {
        if let Some(row) = self.rows.get_mut(row) {
            row.span.gone_at = Some(at);
        }
    }

    fn hold(&mut self, found: Option<MatchedLine>, record: &Record<'_>, compacted: i64) {
        let (at, turn) = (record.revision.main, self.turn);
        let same = found
            .as_ref()
            .map(|found| (self.fields.number(&found.path), found.text.clone()));
        let next = self.rows.len();
        let index = *self.known.entry(same).or_insert(next);
        if let Some(row) = self.rows.get_mut(index) {
            // A line that one version has twice is counted once.
            if row.turn == turn {
                return;
            }
            row.span.gone_may_be_earlier = false;
            if row.span.gone_at.take().is_some() {
                row.span.times = row.span.times.saturating_add(1);
            }
            row.span.last = at;
            row.turn = turn;
        } else {
            self.rows.push(Row {
                found,
                span: Span {
                    create_revision: record.create_revision,
                    first: at,
                    // Only the newest version below a compaction stays of a key.
                    first_may_be_earlier: record.version > 1 && at <= compacted,
                    last: at,
                    gone_at: None,
                    gone_may_be_earlier: false,
                    times: 1,
                },
                turn,
            });
        }
        self.present.push(index);
    }
}
