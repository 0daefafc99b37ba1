//! One question to one database: it opens the store with all its origins, and collects the limits of the answer.
//!
//! A verb asks here for revisions, objects and reasons. What it forgets to report, [`Question::finish`] reports, which
//! also runs if the verb ends early.

use std::cell::{Cell, OnceCell};

use crate::etcd::{AtRevision, Events, KeyEntry, KeyLives, KeyPlaces, Record, Store};
use crate::k8s::catalog::Catalog;
use crate::k8s::encrypt::Keyring;

use super::address::Address;
use super::evidence::Evidence;
use super::filters::Filters;
use super::no_answer::NoAnswer;
use super::not_found::{Missing, NameKind, Search, Why};
use super::notice::{Compacted, HistoriesDiffer, Notice, Notices};
use super::objects::Objects;
use super::scope::Scope;
use super::timeline::{Seen, Timeline, TimesFold};
use super::verify::Outcome;
use super::{catalog, origins};

/// The answer to a question that was understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Something was found; for `diff`: nothing differs.
    Yes,
    /// Nothing was found; for `diff`: something differs.
    No,
    /// The answer is what was found wrong, and it was printed: only its severity makes the exit code.
    Findings,
    /// The same, but the findings are still to be printed.
    Verdict,
    /// The answer is complete, whatever was found elsewhere in the file.
    Complete,
    /// The answer was given, and a part of it is missing.
    Partial,
    /// Files were checked one by one, and everything about them was printed: the worst result makes the exit code.
    Worst(Outcome),
}

/// A question to one database.
#[derive(Debug)]
pub struct Question<'q> {
    evidence: &'q Evidence,
    keyring: &'q Keyring,
    notices: &'q Notices,
    store: Store<'q>,
    objects: Objects<'q>,
    filters: Filters,
    timeline: OnceCell<Timeline>,
    catalog: OnceCell<Catalog>,
    /// Whether the compacted history was reported already.
    noted_compacted: Cell<bool>,
    is_finished: Cell<bool>,
}

impl<'q> Question<'q> {
    /// Opens the store of a database, with the records of all origins that were asked for.
    ///
    /// # Errors
    /// If the file is not an etcd database, or its records cannot be reached.
    pub fn open(
        evidence: &'q Evidence,
        keyring: &'q Keyring,
        notices: &'q Notices,
    ) -> Result<Self, NoAnswer> {
        let store = evidence.records(notices)?;
        Ok(Self::new(evidence, keyring, notices, store))
    }

    /// Opens a database for a question about the file itself: with the records of the database alone, and if it belongs
    /// to another program, too.
    ///
    /// # Errors
    /// If the file is not a bbolt database.
    pub fn open_file(
        evidence: &'q Evidence,
        keyring: &'q Keyring,
        notices: &'q Notices,
    ) -> Result<Self, NoAnswer> {
        let store = evidence.store()?;
        Ok(Self::new(evidence, keyring, notices, store))
    }

    /// The same, in the state one commit before the newest.
    ///
    /// # Errors
    /// As [`Self::open`], and if there is no such state.
    pub fn open_former(
        evidence: &'q Evidence,
        keyring: &'q Keyring,
        notices: &'q Notices,
    ) -> Result<Self, NoAnswer> {
        let store = evidence.former_store()?;
        Ok(Self::new(evidence, keyring, notices, store))
    }

    fn new(
        evidence: &'q Evidence,
        keyring: &'q Keyring,
        notices: &'q Notices,
        store: Store<'q>,
    ) -> Self {
        Self {
            evidence,
            keyring,
            notices,
            objects: Objects::new(keyring, evidence),
            store,
            filters: Filters::default(),
            timeline: OnceCell::new(),
            catalog: OnceCell::new(),
            noted_compacted: Cell::default(),
            is_finished: Cell::default(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Store<'q> {
        &self.store
    }

    /// The database file.
    pub fn evidence(&self) -> &'q Evidence {
        self.evidence
    }

    /// The keys of encrypted values.
    pub fn keyring(&self) -> &'q Keyring {
        self.keyring
    }

    /// Reads the values of records.
    pub fn objects(&self) -> &Objects<'q> {
        &self.objects
    }

    /// Counts what the filters of the command line let pass.
    pub fn filters(&self) -> &Filters {
        &self.filters
    }

    /// The limits of the answer.
    pub fn notices(&self) -> &'q Notices {
        self.notices
    }

    /// When the revisions were written. The first call takes a pass over the store.
    pub fn timeline(&self) -> &Timeline {
        self.timeline
            .get_or_init(|| Timeline::read(&self.store, self.keyring))
    }

    /// A collector of the times for a pass over all records. None if the times are known already, or if records of other
    /// origins have times too.
    pub(super) fn times_to_collect(&self) -> Option<TimesFold> {
        let is_wanted = self.timeline.get().is_none() && self.store.additional().is_empty();
        is_wanted.then(TimesFold::default)
    }

    /// Uses the times that a pass over all records has collected.
    pub(super) fn use_times(&self, times: TimesFold) {
        self.timeline
            .get_or_init(|| Timeline::from_times(&self.store, times));
    }

    /// The events of the keys for which `wanted` is true. The same pass collects the times, if they are not known yet.
    pub(super) fn events_and_times(&self, wanted: impl Fn(&[u8]) -> bool + Sync) -> Events<'q> {
        let Some(mut times) = self.times_to_collect() else {
            return Events::read(&self.store, wanted);
        };
        let read = |record: &Record<'_>| Seen::read(record, self.keyring);
        let events = Events::read_and(&self.store, wanted, read, |seen| times.add(seen));
        self.use_times(times);
        events
    }

    /// All resources of the store. The first call takes passes over the store.
    pub fn catalog(&self) -> &Catalog {
        self.catalog
            .get_or_init(|| catalog::read_full(&[(&self.store, AtRevision::HEAD)], self.keyring))
    }

    /// Which of the keys for which `wanted` is true were deleted. The same pass finds the resources, if they are not known
    /// yet.
    pub(super) fn key_lives(&self, wanted: &(dyn Fn(&[u8]) -> bool + Sync)) -> KeyLives {
        if self.catalog.get().is_some() {
            return KeyLives::read(&self.store, wanted, None);
        }
        let (store, keyring) = (&self.store, self.keyring);
        let (lives, catalog) = catalog::read_beside(store, AtRevision::HEAD, keyring, |also| {
            KeyLives::read(store, wanted, Some(also))
        });
        self.catalog.get_or_init(|| catalog);
        lives
    }

    /// The revision at a time as typed; that it is inferred is reported.
    ///
    /// # Errors
    /// If it is no time, the store has no times, or all of its revisions are newer.
    pub fn revision_at(&self, time: &str) -> Result<AtRevision, NoAnswer> {
        let timeline = self.timeline();
        let time = timeline.time(time)?;
        let at = timeline.at_time(time)?;
        self.notices.add(Notice::TimeInferred { time, at });
        let at = self.store.at(Some(at.revision))?;
        self.note_older_full(at);
        Ok(at)
    }

    /// Reports an older full snapshot of the folder of backups that has the state at a compacted revision.
    pub fn note_older_full(&self, at: AtRevision) {
        let is_before = at.0 < self.store.compact_revision();
        let deltas = self.evidence.deltas().filter(|_| is_before);
        if let Some((folder, name)) = deltas.and_then(|deltas| deltas.older_full(at.0)) {
            self.notices
                .add(Notice::OlderFullSnapshot(folder, name, at.0));
        }
    }

    /// Reports which objects of a keyspace below the compaction may not be as they were then.
    pub fn note_unproved(&self, at: AtRevision, entries: &[KeyEntry<'_>]) {
        origins::note_unproved(&self.store, at, entries, self.notices);
    }

    /// The same for keys with the places of their records.
    pub fn note_unproved_of(&self, at: AtRevision, keys: &KeyPlaces<'_>) {
        self.note_unproved_if_compacted(at, || keys.entries());
    }

    /// The same for records that are read again.
    pub fn note_unproved_if_compacted<'e>(
        &self,
        at: AtRevision,
        entries: impl FnOnce() -> Vec<KeyEntry<'e>>,
    ) {
        // Above the compaction every record is proved.
        if at.0 < self.store.compact_revision() {
            self.note_unproved(at, &entries());
        }
    }

    /// Reports from which revision on history is retained, for an answer that needs older history of some keys: and
    /// what other origins have of them. `missing_versions` is how many versions of the one key are known to be missing.
    pub fn note_compacted(&self, covers: &dyn Fn(&[u8]) -> bool, missing_versions: Option<i64>) {
        let compacted = self.store.compact_revision();
        // If there are only delta snapshots, another notice already reports that nothing before them is known.
        if compacted == 0
            || self.evidence.deltas_alone().is_some()
            || self.noted_compacted.replace(true)
        {
            return;
        }
        self.notices.add(Notice::Compacted(Compacted {
            compacted,
            missing_versions: missing_versions.filter(|missing| *missing > 0),
            further: self.evidence.further(covers),
        }));
    }

    /// Why an address matches nothing as of a revision.
    pub fn missing(
        &self,
        address: &Address,
        catalog: Option<&Catalog>,
        at: AtRevision,
    ) -> NoAnswer {
        let missing = self.search(catalog, at, |search| search.address(address));
        self.note_compacted(&|key| address.covers(key), None);
        missing.into()
    }

    /// Why namespaces and logical clusters have nothing; none if they exist.
    pub fn missing_scope(
        &self,
        scope: &Scope,
        catalog: Option<&Catalog>,
        at: AtRevision,
    ) -> Option<NoAnswer> {
        let missing = self.search(catalog, at, |search| search.scope(scope))?;
        Some(missing.into())
    }

    /// What differs in the histories of two stores, in the records that both retain. None if nothing does.
    pub(super) fn compare_histories(&self, other: &Question<'_>) -> Option<HistoriesDiffer> {
        let sources = [self.evidence.source(), other.evidence.source()];
        let forget = || sources.iter().for_each(|source| source.forget_resident());
        super::compare::histories(&self.store, &other.store, &forget)
    }

    /// The filter that left nothing, if one did.
    pub fn emptied(&self) -> Option<NoAnswer> {
        let mut left = self.filters.left_nothing()?;
        // What could not be read was not tried; that is reported separately.
        left.of = left.of.saturating_sub(self.objects.untested());
        Some(NoAnswer::Emptied(left))
    }

    /// Why there are no changes by a field manager: no retained version names it. None if one does.
    pub fn missing_manager(&self, manager: &str) -> Option<NoAnswer> {
        let names = super::writers::all_managers(&self.store, self.keyring);
        if names.contains(manager) || self.store.db().diagnostics().may_hide_records() {
            return None;
        }
        let near = crate::near::near(manager, names.iter().map(String::as_str));
        let why = Why::Unknown {
            kind: NameKind::Manager,
            names: vec![manager.to_owned()],
            near,
        };
        Some(Missing { address: None, why }.into())
    }

    fn search<T>(
        &self,
        catalog: Option<&Catalog>,
        at: AtRevision,
        ask: impl FnOnce(&Search<'_, 'q>) -> T,
    ) -> T {
        ask(&Search {
            store: &self.store,
            at,
            catalog,
            keyring: self.keyring,
            time_of: &|main| self.timeline().bounds(main),
        })
    }

    /// Ends the question: reports what its objects could not be read for.
    pub fn finish(&self, answer: Answer) -> Answer {
        if !self.is_finished.replace(true) {
            self.objects.finish(self.notices);
        }
        answer
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        // A verb that ended early reports the same limits.
        self.finish(Answer::No);
    }
}
