//! The revision of each entry, from the newest back.

use std::collections::{HashMap, HashSet};

use crate::etcd::wal::writes::Change;

use super::revision_records::{KnownRecords, RevisionRecords};
use super::step::Step;
use super::writers::Writers;

/// Goes through the entries backwards and infers the revision of each.
pub(super) struct Inference<'i, 'w> {
    steps: &'i [Step<'w>],
    known: &'i KnownRecords<'w>,
    /// Whether a key does not exist after the last step.
    is_absent: &'i dyn Fn(&[u8]) -> bool,
    writers: Writers<'w>,
    /// The steps whose revision is known by a value that is unique.
    by_value: HashMap<usize, i64>,
    /// The revision of each step; `None` if it used none or that is unknown.
    mains: Vec<Option<i64>>,
    /// The revisions that later entries which were carried out compare keys with.
    compared: HashSet<(&'w [u8], i64)>,
    /// The revision of the next step, if it used one and no step is undecided.
    revision: i64,
    /// The steps since the last known revision that may have used one or not, newest first.
    undecided: Vec<usize>,
    /// Deletions that were inferred.
    deletions: Vec<Deletion<'w>>,
    /// The oldest step that did what a known record says.
    oldest: usize,
    /// The records of one revision, for as many steps as they are compared with.
    records: Option<(i64, RevisionRecords<'i, 'w>)>,
}

/// A deletion that was inferred, with the revision that it says its key had.
struct Deletion<'w> {
    place: usize,
    key: &'w [u8],
    revision: i64,
}

/// Whether a step used a revision.
enum Used {
    /// It used this one.
    Revision(i64),
    /// It used none.
    Nothing,
    /// That is unknown.
    Unknown,
}

impl<'i, 'w> Inference<'i, 'w> {
    /// `current` is the revision after the last step, `is_absent` whether a key does not exist there.
    pub(super) fn new(
        steps: &'i [Step<'w>],
        known: &'i KnownRecords<'w>,
        current: i64,
        is_absent: &'i dyn Fn(&[u8]) -> bool,
    ) -> Self {
        Self {
            steps,
            known,
            is_absent,
            writers: Writers::new(steps),
            by_value: unique_matches(steps, known),
            mains: vec![None; steps.len()],
            compared: HashSet::new(),
            revision: current,
            undecided: Vec::new(),
            deletions: Vec::new(),
            oldest: steps.len(),
            records: None,
        }
    }

    /// The revision of each step; `None` if it used none or that is unknown.
    pub(super) fn run(mut self) -> Vec<Option<i64>> {
        for (place, step) in self.steps.iter().enumerate().rev() {
            if !step.may_use_revision || self.writers.is_idle(place, step) {
                continue;
            }
            let used = if self.undecided.is_empty() {
                self.used_next_revision(place, step)
            } else {
                self.used_revision_of_value(place)
            };
            match used {
                Used::Revision(main) => {
                    self.undecided.clear();
                    self.settle(place, main);
                    self.compared.extend(step.compares.iter().copied());
                    self.revision = main.saturating_sub(1);
                }
                Used::Nothing => {}
                Used::Unknown => self.undecided.push(place),
            }
        }
        self.forget_up_to_wrong_deletion();
        // Nothing before the oldest step that did what a known record says shows that anything was done at all.
        let oldest = self.oldest;
        self.mains
            .iter_mut()
            .take(oldest)
            .for_each(|main| *main = None);
        self.mains
    }

    fn settle(&mut self, place: usize, main: i64) {
        if let Some(slot) = self.mains.get_mut(place) {
            *slot = Some(main);
        }
    }

    /// Whether a step used the next revision, when no step after it is undecided.
    fn used_next_revision(&mut self, place: usize, step: &Step<'w>) -> Used {
        let revision = self.revision;
        let Some(records) = self.known.get(&revision) else {
            return self.used_unknown_revision(place, step);
        };
        let kept = self.records.take().filter(|(main, _)| *main == revision);
        let kept = kept.unwrap_or_else(|| (revision, RevisionRecords::new(records)));
        let is_by = self.records.insert(kept).1.is_by(step);
        match is_by {
            Some(true) => {
                if !step.changes.is_empty() {
                    self.oldest = place;
                }
                Used::Revision(revision)
            }
            Some(false) => Used::Nothing,
            None => Used::Unknown,
        }
    }

    /// The same for a revision without a known record.
    fn used_unknown_revision(&mut self, place: usize, step: &Step<'w>) -> Used {
        let is_done = |place: usize| self.mains.get(place).is_some_and(Option::is_some);
        let deletion = self.writers.deletes(place, step, self.is_absent, &is_done);
        if let Some((key, revision)) = deletion {
            self.deletions.push(Deletion {
                place,
                key,
                revision,
            });
            return Used::Revision(self.revision);
        }
        if self
            .writers
            .proves(place, step, self.revision, &self.compared)
        {
            Used::Revision(self.revision)
        } else {
            Used::Unknown
        }
    }

    /// Whether a step used the revision of the record with its value, when steps after it are undecided. If there are
    /// as many of those as revisions between, each of them used one.
    fn used_revision_of_value(&mut self, place: usize) -> Used {
        let Some(main) = self.by_value.get(&place).copied() else {
            return Used::Unknown;
        };
        let between = self.revision.checked_sub(main);
        let between = between.and_then(|between| usize::try_from(between).ok());
        let Some(between) = between.filter(|between| *between <= self.undecided.len()) else {
            return Used::Unknown;
        };
        self.oldest = place;
        if between == self.undecided.len() {
            let undecided = std::mem::take(&mut self.undecided);
            for (place, main) in undecided.into_iter().zip((0..=self.revision).rev()) {
                self.settle(place, main);
            }
        }
        Used::Revision(main)
    }

    /// Checks the inferred deletions: the key must have been put at exactly the revision that the deletion names.
    /// Otherwise it deleted nothing, and the revisions up to it were counted wrong.
    fn forget_up_to_wrong_deletion(&mut self) {
        let done: HashMap<i64, &Step<'w>> = self
            .steps
            .iter()
            .zip(&self.mains)
            .filter_map(|(step, main)| Some(((*main)?, step)))
            .collect();
        let is_put = |key: &[u8], main: i64| {
            let by_step = done.get(&main).is_some_and(|step| {
                let mut changes = step.changes.iter();
                changes.any(|change| change.key() == key)
            });
            let mut records = self.known.get(&main).into_iter().flatten();
            by_step || records.any(|record| record.key == key && !record.tombstone)
        };
        let wrong = self
            .deletions
            .iter()
            .filter(|deletion| !is_put(deletion.key, deletion.revision))
            .map(|deletion| deletion.place);
        let wrong = wrong.max().map_or(0, |place| place.saturating_add(1));
        self.mains
            .iter_mut()
            .take(wrong)
            .for_each(|main| *main = None);
    }
}

/// The steps that put a value which no other step puts and which exactly one known record has, with its revision.
fn unique_matches(steps: &[Step<'_>], known: &KnownRecords<'_>) -> HashMap<usize, i64> {
    let mut mains: HashMap<(&[u8], &[u8]), Option<i64>> = HashMap::new();
    for record in known.values().flatten().filter(|record| !record.tombstone) {
        let main = record.revision.main;
        mains
            .entry((record.key, record.value))
            .and_modify(|known| *known = None)
            .or_insert(Some(main));
    }
    let mut places: HashMap<(&[u8], &[u8]), Option<usize>> = HashMap::new();
    for (place, step) in steps.iter().enumerate() {
        for change in &step.changes {
            if let Change::Put(put) = change {
                places
                    .entry((put.key, put.value))
                    .and_modify(|known| *known = None)
                    .or_insert(Some(place));
            }
        }
    }
    let found = places
        .into_iter()
        .filter_map(|(value, place)| Some((place?, (*mains.get(&value)?)?)));
    found.collect()
}
