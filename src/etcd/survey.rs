//! A survey of the records of a store as of a revision: which keys exist, and which records may be missing.
//!
//! Three facts show that a record is missing:
//!
//! - The tree: a branch page states the first revision of each leaf, see `cover`. This shows which revisions a
//!   damaged page had.
//! - The numbers: above the compaction every main revision exists, and the changes of a transaction have the
//!   sub-revisions 0, 1, 2 and so on.
//! - The keys: above the compaction the versions of a key have no gap, and each deletion follows a put.
//!
//! Example: a store is compacted at 4, and the records 5.0, 6.0, 6.2 and 9.0 are read. Then 6.1 and everything from
//! 6.3 up to 9.0, not included, may be missing. The state at revision 5 is complete. From 6 on any key may have an
//! old value, may be missing, or may exist although it was deleted.

mod cover;
mod keys;
mod ranges;

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::arrange::Arrange as _;
use crate::diag::Code;

use super::generation::Transition;
use super::record::{Origin, Record};
use super::revision::Revision;
use super::schema;
use super::store::Store;
use super::succession::{NewestRecord, contradicts};
use super::write::{StoredBytes, for_each_record};

pub use keys::{LeasedKey, SurveyedKeys};

use ranges::RangeIndex;

/// How many lost ranges, and how many missing records of keys, are kept at most. Further ones of the pass are left out.
pub const MOST_ITEMS: usize = 100_000;

/// What shows that records are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossReason {
    /// A page of the tree cannot be read, or was altered.
    Page,
    /// Revision numbers are missing.
    Numbers,
    /// The records of a key contradict each other.
    Key,
}

/// A range of revisions in which records may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostRange {
    /// The first revision that may be missing.
    pub from: Revision,
    /// The first revision after the range; none if the end is not known.
    pub until: Option<Revision>,
    /// What shows it.
    pub reason: LossReason,
}

impl LostRange {
    /// Whether one of these lost pages fully explains this gap: a contradiction of a key, or missing numbers. If missing
    /// numbers begin before the page or end after it, something else is lost too.
    fn is_explained_by(&self, pages: &RangeIndex) -> bool {
        let Revision { main, sub } = self.from;
        let latest = match sub {
            // A gap after record 6.2 begins at 6.3, although that may not exist. So a page that begins at 7.0 is next to
            // it.
            1.. => Revision {
                main: main.saturating_add(1),
                sub: 0,
            },
            _ => Revision {
                main,
                sub: i64::MAX,
            },
        };
        match self.reason {
            LossReason::Key => pages.touches(self),
            _ => pages.covers_end_of(self, latest),
        }
    }

    /// Whether two ranges overlap, or one begins where the other ends.
    #[cfg(test)]
    fn touches(&self, other: &Self) -> bool {
        let ends_before = |one: &Self, other: &Self| one.until.is_some_and(|end| end < other.from);
        !ends_before(self, other) && !ends_before(other, self)
    }
}

/// What a missing record most likely was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likely {
    /// A put.
    Put,
    /// A deletion.
    Delete,
}

/// What the absence of a record changes in the restored store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossEffect {
    /// Only the history of the key is incomplete.
    History,
    /// The key has an older value.
    Stale,
    /// The key exists although it was deleted.
    Resurrected,
    /// The key does not exist.
    Absent,
}

/// A missing record of a known key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingRecord {
    /// The key.
    pub key: Vec<u8>,
    /// The record is after this revision. If `is_exact`, this is its own revision.
    pub from: Revision,
    /// The record is before this revision. If `is_exact`, the same as `from`.
    pub until: Revision,
    /// Whether the revision of the record is known.
    pub is_exact: bool,
    /// What it most likely was.
    pub likely: Likely,
    /// What its absence changes.
    pub effect: LossEffect,
    /// The revision of the tombstone that is written in its place; none if no tombstone is.
    pub tombstone: Option<Revision>,
}

/// What is surveyed, and which records count.
pub struct SurveyRequest<'r> {
    /// The main revision of the restored state.
    pub at: i64,
    /// The compacted revision: up to it records may be missing.
    pub compacted: i64,
    /// Missing numbers up to this revision are not counted. It is the compacted revision. For a state before the
    /// compaction it is 1, because any record of that state may be missing.
    pub numbers_from: i64,
    /// Whether records that the tree does not reach are used.
    pub uses_salvaged: bool,
    /// Whether a key belongs to the restored store.
    pub covers: &'r dyn Fn(&[u8]) -> bool,
    /// Main revisions whose records are dropped, because a part of their transaction is missing.
    pub cut: &'r BTreeSet<i64>,
    /// Keys with this prefix are looked for, also among those that are not covered.
    pub prefix: &'r [u8],
}

/// The result of a survey.
#[derive(Debug, Default)]
pub struct Survey<'a> {
    /// Number of records up to the revision, of the keys that are covered.
    pub records: u64,
    /// Whether a key has the prefix of the request.
    pub has_prefix: bool,
    /// Number of records after it, of other keys, or of transactions that are cut.
    pub dropped: u64,
    /// Number of records that are used although the tree does not reach them.
    pub added: u64,
    /// Number of records that the tree does not reach and that are not used.
    pub unused: u64,
    /// Number of records that are not exactly as etcd writes them, or out of order. They are not used.
    pub altered: u64,
    /// How many of the altered records are up to the revision.
    pub altered_up_to: u64,
    /// The newest main revision that is known to exist, also above the revision of the survey.
    pub newest: i64,
    /// The oldest main revision of the records that are used; none if no record is used.
    pub oldest_record: Option<i64>,
    /// The newest main revision of the records that are used.
    pub newest_record: i64,
    /// Where records may be missing, in ascending order.
    pub lost: Vec<LostRange>,
    /// The ranges of main revisions that a bumped restore left out, both ends included.
    pub jumps: Vec<(i64, i64)>,
    /// The missing records of keys that can be named.
    pub missing: Vec<MissingRecord>,
    /// The keys at the revision, also deleted ones.
    pub keys: SurveyedKeys<'a>,
    /// Revisions of deletions at exactly the main revision of the survey. etcd 3.6 keeps these in a compaction there.
    pub deletions_at: Vec<Revision>,
}

/// Whether a record is used by a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is used.
    Used,
    /// It is not exactly as etcd writes it.
    Altered,
    /// Its origin is not used: the tree does not reach it, or it is below the compaction.
    Unused,
}

impl Use {
    /// Decides by the origin of a record, and by whether its stored value is exactly what etcd would write.
    pub fn decide(
        store: &Store<'_>,
        record: &Record<'_>,
        stored: StoredBytes<'_>,
        uses_salvaged: bool,
        compacted: i64,
    ) -> Self {
        let is_used = match record.origin {
            Origin::Live => true,
            Origin::Salvaged => uses_salvaged,
            // They continue the state. Those that a compaction removed from the state are not brought back.
            Origin::Wal | Origin::Delta => record.revision.main > compacted,
            // Above the compaction nothing was removed, so a record in a freed page is one that the tree lost.
            Origin::Carved(_) => {
                uses_salvaged
                    && record.revision.main > compacted
                    && !store.is_newer_than_state(record)
            }
        };
        if !is_used {
            return Self::Unused;
        }
        let length = record.key_value().encoded_len();
        // A restore with a bumped revision compacts at the mark that it writes. Above the compaction, an empty record is
        // one whose value was lost.
        let can_be_mark = stored.is_mark && record.revision.main <= compacted;
        let is_emptied = record.is_bump_mark() && !can_be_mark;
        if is_emptied || record.contradiction().is_some() || length != stored.value.len() {
            return Self::Altered;
        }
        let source = store.db().source().filter(|_| record.pgid.is_some());
        match source.is_some_and(|source| source.has_read_error(record.offset, length as u64)) {
            true => Self::Altered,
            false => Self::Used,
        }
    }
}

impl<'a> Survey<'a> {
    /// Surveys a store by one pass over its records. If anything is damaged, the tree is walked over too.
    pub fn read(store: &Store<'a>, request: &SurveyRequest<'_>) -> Self {
        let mut pass = Pass {
            survey: Self::default(),
            request,
            // Before the first record, as [`Pass::count`] expects it: revision 1 is the empty store.
            previous: Revision {
                main: request.numbers_from.max(1),
                sub: i64::MAX,
            },
            last: None,
        };
        for_each_record(store, |record, stored| {
            let used = Use::decide(
                store,
                record,
                stored,
                request.uses_salvaged,
                request.compacted,
            );
            pass.see(record, used);
        });
        let mut survey = pass.survey;
        let is_suspect = survey.altered > 0 || store.db().diagnostics().found_damage();
        survey.explain_contradictions();
        let bucket = store.bucket(schema::KEY).filter(|_| is_suspect);
        if let Some(bucket) = bucket {
            let in_tree = cover::lost_in_tree(bucket);
            survey.add_lost_in_tree(store, &in_tree, request);
        }
        // etcd 3.6 keeps a record at the compacted revision, also if it is a tombstone. If no such record exists, it is lost.
        // Only 3.6 and later have a storage version.
        if store.meta().storage_version.is_some() && survey.newest_record < request.compacted {
            survey.lost.push(LostRange {
                from: Revision {
                    main: survey.newest_record.saturating_add(1),
                    sub: 0,
                },
                until: None,
                reason: LossReason::Numbers,
            });
        }
        survey.lost.arrange_by_key(|lost| (lost.from, lost.until));
        survey.place_tombstones(store, request);
        survey.judge_effects();
        survey
    }

    /// Gives each tombstone that is written in place of a lost one a sub-revision that no record has: the one after
    /// the last sub-revision of its main revision.
    fn place_tombstones(&mut self, store: &Store<'_>, request: &SurveyRequest<'_>) {
        let wanted = self.missing.iter().filter_map(|missing| missing.tombstone);
        // For each main revision, the first free sub-revision.
        let mut free: HashMap<i64, i64> = wanted.map(|revision| (revision.main, 0)).collect();
        if free.is_empty() {
            return;
        }
        for_each_record(store, |record, _| {
            let Revision { main, sub } = record.revision;
            let is_cut = request.cut.contains(&main);
            if let Some(next) = free.get_mut(&main).filter(|_| !is_cut) {
                *next = (*next).max(sub.saturating_add(1));
            }
        });
        for missing in &mut self.missing {
            let Some(revision) = &mut missing.tombstone else {
                continue;
            };
            if let Some(next) = free.get_mut(&revision.main) {
                revision.sub = *next;
                *next = next.saturating_add(1);
            }
        }
    }

    /// Corrects the effects after the pass. Only the last record of a key can have another effect than an incomplete
    /// history: an earlier missing one is replaced by it.
    fn judge_effects(&mut self) {
        let mut last: HashMap<&[u8], Revision> = HashMap::new();
        for missing in &self.missing {
            let until = last.entry(&missing.key).or_insert(missing.from);
            *until = missing.from.max(*until);
        }
        let is_replaced = |missing: &MissingRecord| {
            let newest = self.keys.get(&missing.key);
            newest.is_some_and(|newest| newest.revision > missing.from)
                || last.get(missing.key.as_slice()) > Some(&missing.from)
        };
        let replaced: Vec<bool> = self.missing.iter().map(is_replaced).collect();
        for (missing, is_replaced) in self.missing.iter_mut().zip(replaced) {
            if is_replaced {
                missing.effect = LossEffect::History;
            }
        }
        self.missing
            .arrange_by(|one, other| (one.from, &one.key).cmp(&(other.from, &other.key)));
    }

    /// Drops the lost ranges of keys that touch a range of missing numbers, which explains them.
    fn explain_contradictions(&mut self) {
        let is_number = |range: &&LostRange| range.reason == LossReason::Numbers;
        let gaps = RangeIndex::new(self.lost.iter().filter(is_number));
        let is_explained =
            |range: &LostRange| range.reason == LossReason::Key && gaps.touches(range);
        self.lost.retain(|range| !is_explained(range));
    }

    /// Adds the ranges of lost pages, and drops the ranges that these explain. The range of a page that records
    /// outside the tree fill completely is not added.
    fn add_lost_in_tree(
        &mut self,
        store: &Store<'_>,
        in_tree: &[LostRange],
        request: &SurveyRequest<'_>,
    ) {
        let filled = match request.uses_salvaged {
            // Before the explained gaps are dropped: a page is filled only if no number in its range is missing.
            true => filled(store, in_tree, &self.lost, request),
            false => HashSet::new(),
        };
        let is_lost = |page: &&LostRange| !filled.contains(&(page.from, page.until));
        let pages = RangeIndex::new(in_tree.iter().filter(is_lost));
        self.lost.retain(|gap| !gap.is_explained_by(&pages));
        for page in in_tree.iter().filter(is_lost) {
            self.lost.push(*page);
            self.newest = self.newest.max(page.from.main);
        }
    }

    /// The newest main revision whose state is complete; none if even the compacted revision is not complete.
    ///
    /// If the tree has no record of that state, and other records are elsewhere in the file, it is not complete: they may be
    /// records of that state.
    pub fn newest_complete(&self, compacted: i64) -> Option<i64> {
        let complete = match self.lost.iter().map(|lost| lost.from).min() {
            None => self.newest.max(compacted),
            Some(first) => self.newest.min(first.main.saturating_sub(1)),
        };
        let has_records = self.oldest_record.is_some_and(|oldest| oldest <= complete);
        let may_lack_all = !has_records && self.unused > 0;
        (complete >= compacted.max(1) && !may_lack_all).then_some(complete)
    }

    /// The lost ranges that matter for the state at a main revision: those that begin at or before it.
    pub fn lost_up_to(&self, at: i64) -> impl Iterator<Item = &LostRange> {
        self.lost.iter().filter(move |lost| lost.from.main <= at)
    }

    /// The main revisions of transactions that are known only in part. Example: 6.0 and 6.2 are read, and 6.1 is
    /// lost. A gap from 6.3 to 9.0 does not show that 6.3 existed, unless a lost page begins there.
    pub fn partial_transactions(&self) -> BTreeSet<i64> {
        let mut cut = BTreeSet::new();
        for lost in &self.lost {
            if lost.reason == LossReason::Key {
                continue;
            }
            let is_known = lost.reason == LossReason::Page
                || lost.until.is_some_and(|until| until.main == lost.from.main);
            if lost.from.sub > 0 && is_known {
                cut.insert(lost.from.main);
            }
            if let Some(until) = lost.until.filter(|until| until.sub > 0) {
                cut.insert(until.main);
            }
        }
        cut
    }
}

/// The ranges of the lost pages that records outside the tree fill completely: no number in the range is missing, and its
/// first revision is that of a record that can be used.
fn filled(
    store: &Store<'_>,
    pages: &[LostRange],
    gaps: &[LostRange],
    request: &SurveyRequest<'_>,
) -> HashSet<(Revision, Option<Revision>)> {
    let gaps = RangeIndex::new(gaps.iter());
    let has_all_numbers = |page: &&LostRange| {
        let until = page.until.filter(|_| page.from.main > request.compacted);
        until.is_some_and(|until| !gaps.overlaps(page.from, until))
    };
    let candidates: Vec<&LostRange> = pages.iter().filter(has_all_numbers).collect();
    if candidates.is_empty() {
        return HashSet::new();
    }
    let wanted: HashSet<Revision> = candidates.iter().map(|page| page.from).collect();
    let mut found = HashSet::new();
    for_each_record(store, |record, stored| {
        if wanted.contains(&record.revision)
            && Use::decide(store, record, stored, true, request.compacted) == Use::Used
        {
            found.insert(record.revision);
        }
    });
    let filled = candidates.iter().filter(|page| found.contains(&page.from));
    filled.map(|page| (page.from, page.until)).collect()
}

/// The pass over the records, in the order of revisions.
struct Pass<'p, 'r, 'a> {
    survey: Survey<'a>,
    request: &'p SurveyRequest<'r>,
    /// The revision of the last used record. Before the first one: the compacted revision, with the largest
    /// sub-revision.
    previous: Revision,
    /// The revision of the last used record; none before the first one.
    last: Option<Revision>,
}

impl<'a> Pass<'_, '_, 'a> {
    /// Counts a record by its use. If it is used, compares it with the record before it, and with the one of its key.
    fn see(&mut self, record: &Record<'a>, used: Use) {
        let is_ordered = self.last.is_none_or(|last| last < record.revision);
        let used = match used {
            Use::Used if !is_ordered => Use::Altered,
            used => used,
        };
        let survey = &mut self.survey;
        match used {
            Use::Altered => {
                let is_up_to = record.revision.main <= self.request.at;
                survey.altered = survey.altered.saturating_add(1);
                survey.altered_up_to = survey.altered_up_to.saturating_add(u64::from(is_up_to));
            }
            Use::Unused => survey.unused = survey.unused.saturating_add(1),
            Use::Used => {}
        }
        if used != Use::Used {
            if used == Use::Unused {
                self.note_unused(record);
            }
            return;
        }
        self.last = Some(record.revision);
        self.count(record);
        let survey = &mut self.survey;
        survey.newest = survey.newest.max(record.revision.main);
        survey.newest_record = survey.newest;
        survey.oldest_record.get_or_insert(record.revision.main);
        survey.has_prefix |= record.key.starts_with(self.request.prefix);
        let is_cut = self.request.cut.contains(&record.revision.main);
        if is_cut || record.revision.main > self.request.at {
            survey.dropped = survey.dropped.saturating_add(1);
            return;
        }
        if record.is_bump_mark() {
            survey.records = survey.records.saturating_add(1);
            return;
        }
        if !(self.request.covers)(record.key) {
            survey.dropped = survey.dropped.saturating_add(1);
            return;
        }
        survey.records = survey.records.saturating_add(1);
        if matches!(record.origin, Origin::Salvaged | Origin::Carved(_)) {
            survey.added = survey.added.saturating_add(1);
        }
        if record.tombstone && record.revision.main == self.request.at {
            survey.deletions_at.push(record.revision);
        }
        self.follow(record);
    }

    /// Compares the revision of a record with that of the record before it, and adds a lost range if revisions
    /// between them are missing. Up to the compacted revision gaps are normal. The mark of a bumped restore explains
    /// its own gap.
    fn count(&mut self, record: &Record<'_>) {
        let now = record.revision;
        let before = std::mem::replace(&mut self.previous, now);
        let floor = self.request.numbers_from;
        if now.main <= floor {
            return;
        }
        let next_main = before.main.max(floor).max(1).saturating_add(1);
        if now.main > next_main && record.is_bump_mark() {
            self.survey
                .jumps
                .push((next_main, now.main.saturating_sub(1)));
            return;
        }
        let follows = match now.main == before.main && before.main > floor {
            true => now.sub == before.sub.saturating_add(1),
            false => now.main == next_main && now.sub == 0,
        };
        if follows || self.survey.lost.len() >= MOST_ITEMS {
            return;
        }
        let from = match before.sub {
            // The record is the first one above the compaction.
            _ if before.main <= floor || before.sub == i64::MAX => Revision {
                main: next_main,
                sub: 0,
            },
            sub => Revision {
                main: before.main,
                sub: sub.saturating_add(1),
            },
        };
        self.survey.lost.push(LostRange {
            from: from.min(now),
            until: Some(now),
            reason: LossReason::Numbers,
        });
    }

    /// Compares a record with the record of its key before it, and stores it as the newest one of its key.
    fn follow(&mut self, record: &Record<'a>) {
        let before = self.survey.keys.follow(record);
        if let Some(code) = contradicts(before.as_ref(), record, self.request.compacted) {
            self.contradiction(code, before.as_ref(), record);
        }
    }

    /// Adds the range in which a record of a key is missing, between two records of that key, and what it most likely
    /// was. Example: a key is created at 5.0, and the next record of it says that it was created at 9.0. Then a
    /// deletion is missing. A tombstone at revision 8 is written in its place. Without it, etcd would read both puts
    /// as one generation.
    fn contradiction(&mut self, code: Code, before: Option<&NewestRecord>, record: &Record<'_>) {
        if self.survey.missing.len() >= MOST_ITEMS || self.survey.lost.len() >= MOST_ITEMS {
            return;
        }
        let compacted = self.request.compacted;
        let first = Revision {
            main: compacted.max(1).saturating_add(1),
            sub: 0,
        };
        let created = Revision {
            main: record.create_revision,
            sub: 0,
        };
        let from = match before {
            Some(before) => before.revision,
            None if record.tombstone => first,
            None => first.max(created).min(record.revision),
        };
        self.survey.lost.push(LostRange {
            from,
            until: Some(record.revision),
            reason: LossReason::Key,
        });
        let open = before.and_then(|before| before.generation);
        let after = NewestRecord::from(record).generation;
        let is_replaced = Transition::between(open, after) == Transition::Replaces;
        // `place_tombstones` replaces the sub-revision after the pass.
        let before_created = Revision {
            main: record.create_revision.saturating_sub(1),
            sub: 0,
        };
        let tombstone = (is_replaced && before_created.main >= from.main).then_some(before_created);
        let (likely, until) = match is_replaced {
            true => (Likely::Delete, created),
            false => (Likely::Put, record.revision),
        };
        // If a key was changed twice in one revision, no record is missing.
        if code != Code::KeyTwice {
            self.survey.missing.push(MissingRecord {
                key: record.key.to_vec(),
                from,
                until,
                is_exact: false,
                likely,
                effect: LossEffect::History,
                tombstone,
            });
        }
    }

    /// Adds a salvaged record that is not used to the missing ones. Its key and its revision are known.
    fn note_unused(&mut self, record: &Record<'_>) {
        let is_missing = record.origin == Origin::Salvaged
            && record.revision.main <= self.request.at
            && (self.request.covers)(record.key);
        if !is_missing || self.survey.missing.len() >= MOST_ITEMS {
            return;
        }
        let known = self.survey.keys.get(record.key);
        let (likely, effect) = match (
            record.tombstone,
            known.is_some_and(|newest| newest.generation.is_some()),
        ) {
            (true, true) => (Likely::Delete, LossEffect::Resurrected),
            (true, false) => (Likely::Delete, LossEffect::History),
            (false, true) => (Likely::Put, LossEffect::Stale),
            (false, false) => (Likely::Put, LossEffect::Absent),
        };
        self.survey.missing.push(MissingRecord {
            key: record.key.to_vec(),
            from: record.revision,
            until: record.revision,
            is_exact: true,
            likely,
            effect,
            tombstone: None,
        });
    }
}
