//! A comparison of two states: of two databases, or of one database at two revisions, around a period or around
//! its last commit.

use crate::etcd::cluster::member_ids;
use crate::etcd::{KeyPlaces, PlacedKeyspace, Store};
use crate::k8s::diff::Scope;
use crate::k8s::redact::Masker;

use super::address::Address;
use super::compare::{Change, Changed, Comparison, any_is_written, changed_keys};
use super::filters::Filter;
use super::no_answer::NoAnswer;
use super::notice::Notice;
use super::question::{Answer, Question};
use super::resolve::resolve_range;
use super::revision::{RangeExpr, split_revision};
use super::select::{Exclude, Selection, Which};
use super::writers::ByManager;

pub use crate::etcd::{AtRevision, Record};

/// The two states of one database that are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TwoStates {
    /// Those at the ends of a range of revisions.
    Range(RangeExpr),
    /// The state at the revision after an address and the newest one, or those at the revisions after the same address
    /// given twice.
    Addresses,
    /// Those before and after a period, whose ends are included. Without a beginning the oldest complete state, without
    /// an end the newest.
    Times {
        /// The beginning of the period, as typed.
        since: Option<String>,
        /// The end of the period, as typed.
        until: Option<String>,
    },
}

/// A database as of a revision.
#[derive(Debug, Clone, Copy)]
pub struct State<'s, 'a> {
    /// The question to the database.
    pub question: &'s Question<'a>,
    /// The revision.
    pub at: AtRevision,
}

impl<'s, 'a> State<'s, 'a> {
    fn newest(question: &'s Question<'a>) -> Result<Self, NoAnswer> {
        let at = question.store().at(None)?;
        Ok(Self { question, at })
    }
}

impl TwoStates {
    /// The addresses without revisions, and the two states of the database.
    ///
    /// # Errors
    /// If a revision or a time cannot be understood, is not retained, or the first is after the second.
    pub fn resolve<'s, 'a>(
        &self,
        which: Which,
        question: &'s Question<'a>,
    ) -> Result<(Which, [State<'s, 'a>; 2]), NoAnswer> {
        let (which, (from, to)) = match self {
            Self::Range(range) => {
                let ends = resolve_range(*range, question, &which)?;
                (which, ends)
            }
            Self::Addresses => {
                let (which, range) = own_range(&which, question)?;
                let ends = resolve_range(range, question, &which)?;
                (which, ends)
            }
            Self::Times { since, until } => {
                (which, times(since.as_ref(), until.as_ref(), question)?)
            }
        };
        Ok((which, [from, to].map(|at| State { question, at })))
    }
}

/// The addresses, and the range between the revisions after them: from the one to the newest, or of one address
/// given twice from the first to the second.
fn own_range(which: &Which, question: &Question<'_>) -> Result<(Which, RangeExpr), NoAnswer> {
    let splits: Vec<_> = which.words().iter().map(split_revision).collect();
    if let [Some((first, from)), Some((second, to))] = splits.as_slice()
        && first == second
    {
        let range = RangeExpr {
            from: Some(*from),
            to: Some(*to),
        };
        return Ok((which.with_words(vec![first.clone()]), range));
    }
    let (which, from) = which.split_revision(question.store())?;
    if from.is_none() {
        return Err(NoAnswer::TwoStatesNeeded);
    }
    Ok((which, RangeExpr { from, to: None }))
}

/// The states around the period of `--since` and `--until`. The changes between them are those of the events that
/// `log --since --until` lists: the first state is the one before the oldest of these events, so that an event in the
/// second of `--since` is a change, as everywhere.
fn times(
    since: Option<&String>,
    until: Option<&String>,
    question: &Question<'_>,
) -> Result<(AtRevision, AtRevision), NoAnswer> {
    let (store, timeline) = (question.store(), question.timeline());
    let (first, last) = timeline.range(since, until)?;
    // If a state is not retained because the time is before every revision, the error names the time.
    let at = |time: &str, revision: i64| match store.at(Some(revision)) {
        Ok(at) => Ok(at),
        Err(why) => Err(match timeline.at_time(timeline.time(time)?) {
            Err(older_than_all) => older_than_all,
            Ok(_) => why.into(),
        }),
    };
    let from = match since {
        Some(time) => at(time, first.saturating_sub(1))?,
        None => AtRevision(store.compact_revision()),
    };
    let to = match until {
        Some(time) => {
            if last == 0 {
                // No revision was written by then.
                timeline.at_time(timeline.time(time)?)?;
            }
            at(time, last)?
        }
        None => store.at(None)?,
    };
    if from.0 > to.0 {
        return Err(NoAnswer::TimesUpsideDown);
    }
    for state in [from, to] {
        question.note_older_full(state);
    }
    question.notices().add(Notice::PeriodInferred { from, to });
    Ok((from, to))
}

/// The newest states of two databases. A wrong order is reported, and two clusters.
///
/// # Errors
/// If a database has no state.
pub fn newest_of_two<'s, 'a>(
    [old, new]: [&'s Question<'a>; 2],
) -> Result<[State<'s, 'a>; 2], NoAnswer> {
    let state = |question: &Question<'_>| {
        let path = question.evidence().given_path().to_path_buf();
        (path, question.store().current_revision())
    };
    let (older, newer) = (state(old), state(new));
    if older.1 > newer.1 {
        new.notices().add(Notice::OlderIsNewer([older, newer]));
    }
    let (old_members, new_members) = (member_ids(old.store()), member_ids(new.store()));
    let are_known = !old_members.is_empty() && !new_members.is_empty();
    if are_known && old_members.is_disjoint(&new_members) {
        new.notices().add(Notice::AnotherCluster);
    }
    Ok([State::newest(old)?, State::newest(new)?])
}

/// The states before and after the last commit of a database: bbolt keeps the state before it until the next one.
///
/// # Errors
/// If the database has no state, or by damage the former one seems to be newer.
pub fn around_last_commit<'s, 'a>(
    [former, newest]: [&'s Question<'a>; 2],
) -> Result<[State<'s, 'a>; 2], NoAnswer> {
    let state = |question: &Question<'_>| {
        let store = question.store();
        (store.db().meta().txid, store.current_revision())
    };
    let states = [state(former), state(newest)];
    if states[0].1 > states[1].1 {
        return Err(NoAnswer::FormerIsNewer(states));
    }
    newest.notices().add(Notice::LastCommit(states));
    Ok([State::newest(former)?, State::newest(newest)?])
}

/// Which changes are asked for.
#[derive(Debug, Clone, Default)]
pub struct DiffFilters {
    /// Which resources are left out.
    pub exclude: Exclude,
    /// Only changes of this field manager.
    pub by_manager: ByManager,
    /// Leave out the status of objects.
    pub exclude_status: bool,
    /// Compare managedFields too.
    pub show_managed_fields: bool,
    /// Whether values of Secrets are shown.
    pub show_secrets: bool,
}

/// What changed between two states.
#[derive(Debug)]
pub struct Diff<'s, 'a> {
    states: [State<'s, 'a>; 2],
    filters: &'s DiffFilters,
    keyspaces: Keyspaces<'a>,
    changes: Vec<Changed<'a>>,
}

impl<'s, 'a> Diff<'s, 'a> {
    /// Compares two states.
    ///
    /// # Errors
    /// If an address matches nothing before and after, or no retained version names the manager.
    pub fn read(
        states: [State<'s, 'a>; 2],
        which: &Which,
        filters: &'s DiffFilters,
    ) -> Result<Self, NoAnswer> {
        let [old, new] = states;
        let stores = states.map(|state| (state.question.store(), state.at));
        let keyring = new.question.keyring();
        let selection = which.select(&stores, keyring)?;
        let selection = selection.without(&filters.exclude, &stores, keyring)?;
        let covers = |key: &[u8]| selection.covers(key);
        let [older, newer] = stores.map(|(store, _)| store);
        let is_one_store = std::ptr::eq(older, newer);
        // If the histories are the same, so are the keys and their values.
        let is_at_head = [old.at, new.at] == [AtRevision::HEAD; 2];
        let may_be_same = !is_one_store && is_at_head && retain_the_same(older, newer);
        let histories = may_be_same.then(|| new.question.compare_histories(old.question));
        let are_same = histories == Some(None);
        let keyspaces = Keyspaces::read(stores, is_one_store, are_same, &covers);
        if let Some(why) = keyspaces.why_in_neither(&selection, new) {
            return Err(why);
        }
        let forget = |values| {
            for state in states {
                state.question.objects().forget_read(values);
            }
        };
        let changes = match &keyspaces.before {
            Some(before) if !are_same => {
                changed_keys(before, &keyspaces.after, is_one_store, &forget)
            }
            _ => Vec::new(),
        };
        // If no key was written, the histories are compared in any case.
        let is_unwritten = is_at_head && !is_one_store && !keyspaces.any_is_written();
        if is_unwritten && changes.is_empty() {
            let differ = histories.unwrap_or_else(|| new.question.compare_histories(old.question));
            if let Some(differ) = differ {
                new.question.notices().add(Notice::HistoriesDiffer(differ));
            }
        }
        let mut diff = Self {
            states,
            filters,
            keyspaces,
            changes,
        };
        diff.narrow(&selection)?;
        Ok(diff)
    }

    /// Leaves the changes that pass the filters. A filter that left nothing is reported.
    fn narrow(&mut self, selection: &Selection) -> Result<(), NoAnswer> {
        let [old, new] = self.states.map(|state| state.question);
        let filters = new.filters();
        if let Some(labels) = selection.labels() {
            let has_labels = |record: Option<Record<'_>>, question: &Question<'_>| {
                record.is_some_and(|record| question.objects().has_labels(&record, labels))
            };
            self.changes.retain(|changed| {
                let is_kept = has_labels(changed.old, old) || has_labels(changed.new, new);
                filters.test(Filter("-l"), is_kept)
            });
        }
        let by_manager = &self.filters.by_manager;
        if let Some(unknown) = by_manager.name().and_then(|name| new.missing_manager(name)) {
            return Err(unknown);
        }
        self.changes.retain(|changed| {
            let before = changed.old.as_ref().map(|record| (record, old.objects()));
            let before = before.filter(|_| changed.change != Change::Recreated);
            let after = changed.new.as_ref().map(|record| (record, new.objects()));
            let is_kept = by_manager.wrote_between(before, after);
            filters.test(Filter("--manager"), is_kept)
        });
        if self.filters.exclude_status {
            // An object whose status alone changed did not change.
            let mut comparison = self.comparison();
            self.changes.retain(|changed| {
                let is_kept =
                    changed.change != Change::Changed || !comparison.fields(changed).is_empty();
                filters.test(Filter("--exclude-status"), is_kept)
            });
        }
        if let Some(left) = filters.left_nothing().filter(|_| self.changes.is_empty()) {
            new.notices().add(Notice::Emptied(left));
        }
        Ok(())
    }

    /// The changed keys, in key order.
    pub fn changes(&self) -> &[Changed<'a>] {
        &self.changes
    }

    /// The question to the newer state.
    pub fn question(&self) -> &'s Question<'a> {
        let [_, new] = self.states;
        new.question
    }

    /// Looks into the objects of the changes.
    pub fn comparison(&self) -> Comparison<'s> {
        let [old, new] = self.states.map(|state| state.question.objects());
        Comparison {
            scope: Scope {
                status: !self.filters.exclude_status,
                managed_fields: self.filters.show_managed_fields,
            },
            masker: Masker::new(self.filters.show_secrets),
            old,
            new,
        }
    }

    /// Yes if nothing differs.
    pub fn answer(&self) -> Answer {
        if self.changes.is_empty() {
            Answer::Yes
        } else {
            Answer::No
        }
    }

    /// Ends the comparison: reports objects whose state is not proved, and ends both questions.
    pub fn finish(self) -> Answer {
        let answer = self.answer();
        let [old, new] = self.states;
        let Keyspaces { before, after } = &self.keyspaces;
        for (state, keyspace) in [(old, before.as_ref()), (new, Some(after))] {
            if let Some(keyspace) = keyspace {
                state.question.note_unproved_of(state.at, &keyspace.live);
            }
        }
        old.question.finish(answer);
        new.question.finish(answer)
    }
}

/// Whether two stores of one cluster have records of the same revisions.
fn retain_the_same(old: &Store<'_>, new: &Store<'_>) -> bool {
    let ends = |store: &Store<'_>| (store.compact_revision(), store.current_revision());
    ends(old) == ends(new)
}

/// The keys of two states.
#[derive(Debug)]
struct Keyspaces<'a> {
    /// None if they are those of the other state, and were not needed.
    before: Option<PlacedKeyspace<'a>>,
    after: PlacedKeyspace<'a>,
}

impl<'a> Keyspaces<'a> {
    /// Reads them. `are_same`: both stores have the same records.
    fn read(
        [older, newer]: [(&Store<'a>, AtRevision); 2],
        is_one_store: bool,
        are_same: bool,
        covers: &(dyn Fn(&[u8]) -> bool + Sync),
    ) -> Self {
        if is_one_store {
            let [before, after] = PlacedKeyspace::at_each(older.0, [older.1, newer.1], covers);
            let before = Some(before);
            return Self { before, after };
        }
        let keyspace =
            |(store, at): (&Store<'a>, AtRevision)| PlacedKeyspace::at(store, at, covers);
        if are_same {
            let after = keyspace(newer);
            // Records that contradict each other do so in both files, and are findings in both. Records of other origins may
            // be noted as unproved.
            let is_needed = |store: &Store<'a>| {
                store.db().diagnostics().found_any() || !store.additional().is_empty()
            };
            let is_read = [older.0, newer.0].into_iter().any(is_needed);
            let before = is_read.then(|| keyspace(older));
            return Self { before, after };
        }
        // The findings of two files are independent of each other.
        let (before, after) = rayon::join(|| keyspace(older), || keyspace(newer));
        let before = Some(before);
        Self { before, after }
    }

    /// Whether a key was written between the states.
    fn any_is_written(&self) -> bool {
        let before = self.before.as_ref();
        before.is_some_and(|before| any_is_written(before, &self.after))
    }

    /// Why an address, or the whole selection, matches nothing in both states. Exit code 1 would say that something
    /// differs.
    fn why_in_neither(&self, selection: &Selection, new: State<'_, '_>) -> Option<NoAnswer> {
        let before = self.before.as_ref().map(|before| &before.live);
        let after = [&self.after.live, &self.after.deleted];
        let is_in_one = |address: &Address| {
            let lists = before.into_iter().chain(after);
            let mut keys = lists.flat_map(KeyPlaces::keys);
            keys.any(|key| address.covers(key))
        };
        let is_empty = before.is_none_or(KeyPlaces::is_empty) && self.after.live.is_empty();
        let why = selection.why_empty(new.question, new.at, is_in_one, is_empty)?;
        Some(match why {
            NoAnswer::Missing(missing) => NoAnswer::InNeither(missing),
            why => why,
        })
    }
}
