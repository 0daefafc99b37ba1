//! The retained events of objects and keys: those of a period that pass the filters, or why no event does.

use crate::etcd::AtRevision;
use crate::k8s::Order;
use crate::k8s::diff::Scope;
use crate::k8s::redact::Masker;
use crate::k8s::search::{Matcher, PatternError, pickaxe_g, pickaxe_s};

use super::address::Address;
use super::compare::{Changed, Comparison};
use super::event_list::EventList;
use super::filters::{Filter, LeftNothing};
use super::no_answer::NoAnswer;
use super::objects::{Objects, ReadValue};
use super::question::Question;
use super::resolve::resolve_events;
use super::select::{Exclude, Selection, Which};
use super::writers::ByManager;

pub use crate::etcd::{Event, EventType, Events, Record};

/// Which events are asked for.
#[derive(Debug, Clone, Default)]
pub struct EventFilters {
    /// Of which objects or keys, with a range of revisions or a number of events among the words.
    pub which: Which,
    /// Which resources are left out.
    pub exclude: Exclude,
    /// Only events of these types; all if empty.
    pub types: Vec<EventType>,
    /// Only events that this field manager wrote.
    pub by_manager: ByManager,
    /// Leave out events that changed nothing but the status.
    pub exclude_status: bool,
    /// Only events that change how often this text occurs in the object.
    pub text: Option<String>,
    /// Only events that change a field whose line matches this regular expression.
    pub regex: Option<String>,
    /// Only events of this time, as typed, or later.
    pub since: Option<String>,
    /// Only events of this time, as typed, or earlier.
    pub until: Option<String>,
    /// The most events in the answer; the newest are kept.
    pub limit: Option<usize>,
    /// Whether values of Secrets are compared without masks.
    pub show_secrets: bool,
    /// Whether the times of the events are asked for later. Then the pass that reads the events collects them.
    pub with_times: bool,
}

/// Main revisions, both ends included.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    /// Those of `A..B`.
    range: (i64, i64),
    /// Those of `--since` and `--until`.
    time: (i64, i64),
}

impl Period {
    /// The first revision of both.
    pub(super) fn first(&self) -> i64 {
        self.range.0.max(self.time.0)
    }

    /// The last revision of both.
    pub(super) fn last(&self) -> i64 {
        self.range.1.min(self.time.1)
    }
}

/// The events of the objects that were asked for, and the filters on them.
#[derive(Debug)]
pub struct EventLog<'q, 'a> {
    pub(super) question: &'q Question<'a>,
    pub(super) filters: &'q EventFilters,
    pub(super) selection: Selection,
    /// The events of all selected keys, oldest first.
    pub(super) all: Events<'a>,
    pub(super) period: Period,
    text: Option<Matcher>,
    regex: Option<Matcher>,
    /// The most events in the answer.
    pub(super) limit: usize,
}

impl<'q, 'a> EventLog<'q, 'a> {
    /// Reads the events of the objects that were asked for.
    ///
    /// # Errors
    /// If an address has no events, or a revision, a time or a pattern cannot be understood.
    pub fn read(question: &'q Question<'a>, filters: &'q EventFilters) -> Result<Self, NoAnswer> {
        let store = question.store();
        let (which, number) = filters.which.split_number();
        let (which, range) = which.split_range()?;
        let (which, own) = which.split_revision(store)?;
        let at = store.at(None)?;
        let stores: [(_, AtRevision); 1] = [(store, at)];
        let selection = which.select(&stores, question.keyring())?;
        let selection = selection.without(&filters.exclude, &stores, question.keyring())?;
        let covers = |key: &[u8]| selection.covers(key);
        let has_period = filters.since.is_some() || filters.until.is_some();
        let all = match filters.with_times || has_period {
            true => question.events_and_times(covers),
            false => Events::read(store, covers),
        };
        let has_events =
            |address: &Address| all.iter().any(|event| address.covers(event.record.key));
        if let Some(why) = selection.why_empty(question, at, has_events, all.is_empty()) {
            return Err(why);
        }
        let (from, to) = resolve_events(range, own, question, &which)?;
        let text = matcher("-S", filters.text.as_deref(), Matcher::text)?;
        let regex = matcher("-G", filters.regex.as_deref(), Matcher::regex)?;
        let (since, until) = (filters.since.as_ref(), filters.until.as_ref());
        let time = match (since, until) {
            (None, None) => (i64::MIN, i64::MAX),
            _ => question.timeline().range(since, until)?,
        };
        Ok(Self {
            question,
            filters,
            selection,
            all,
            period: Period {
                range: (from.0.saturating_add(1), to.0),
                time,
            },
            text,
            regex: regex.map(Matcher::with_whole_paths),
            limit: filters.limit.or(number).unwrap_or(usize::MAX),
        })
    }

    /// The question.
    pub fn question(&self) -> &'q Question<'a> {
        self.question
    }

    /// Reads the values of the events.
    pub fn objects(&self) -> &'q Objects<'a> {
        self.question.objects()
    }

    /// Whether one object or key was asked for.
    pub fn names_one(&self) -> bool {
        self.selection.names_one()
    }

    /// A comparison of an object before and after an event.
    pub fn comparison(&self) -> Comparison<'q> {
        Comparison {
            scope: Scope {
                status: !self.filters.exclude_status,
                managed_fields: false,
            },
            masker: Masker::new(self.filters.show_secrets),
            old: self.question.objects(),
            new: self.question.objects(),
        }
    }

    /// The events that pass the filters, newest first, at most as many as were asked for.
    ///
    /// # Errors
    /// If no event passes: why.
    pub fn newest(&self) -> Result<EventList<'_, 'a>, NoAnswer> {
        let mut events = self.matching();
        let (count, is_cut) = (events.len(), events.len() > self.limit);
        events.truncate(self.limit);
        if count > 0 && self.limit == 0 {
            return Err(NoAnswer::Emptied(LeftNothing {
                filter: Filter("--limit"),
                of: count,
            }));
        }
        if !is_cut {
            self.note_history(events.is_empty());
        }
        if events.is_empty() {
            return Err(self.why_none_matches());
        }
        Ok(events)
    }

    /// Why no event passes the filters.
    fn why_none_matches(&self) -> NoAnswer {
        let manager = self.filters.by_manager.name();
        let unknown = manager.and_then(|name| self.question.missing_manager(name));
        let why = unknown.or_else(|| self.question.emptied());
        why.unwrap_or(NoAnswer::NoEvents)
    }

    /// The events that pass the filters, newest first.
    pub(super) fn matching(&self) -> EventList<'_, 'a> {
        let mut comparison = self.comparison();
        let filters = self.question.filters();
        let looks_at_events = !self.filters.types.is_empty() || !self.tests_revisions_only();
        let matching = (0..self.all.len()).rev().filter(|index| {
            let Some(revision) = self.all.revision(*index) else {
                return false;
            };
            let main = revision.main;
            let (first, last) = self.period.range;
            let (since, until) = self.period.time;
            // An event is not read if its revision is enough.
            filters.test(Filter("A..B"), first <= main && main <= last)
                && filters.test(Filter("--since"), since <= main)
                && filters.test(Filter("--until"), main <= until)
                && (!looks_at_events
                    || self
                        .all
                        .get(*index)
                        .is_some_and(|event| self.passes(&event, &mut comparison)))
        });
        // Without a filter that looks into objects, the older events need not be looked at: an answer that is cut says
        // nothing about them.
        let most = match self.limit {
            0 => usize::MAX,
            limit if self.tests_revisions_only() => limit.saturating_add(1),
            _ => usize::MAX,
        };
        EventList::new(&self.all, matching.take(most))
    }

    /// Whether an event passes the filters that look at the event.
    fn passes(&self, event: &Event<'_>, comparison: &mut Comparison<'_>) -> bool {
        let types = &self.filters.types;
        let is_of_type = types.is_empty() || types.contains(&event.event_type);
        let by_manager = &self.filters.by_manager;
        let filters = self.question.filters();
        filters.test(Filter("--op"), is_of_type)
            && self.has_what_is_searched(event)
            && filters.test(Filter("--manager"), by_manager.wrote(event, self.objects()))
            && filters.test(
                Filter("--exclude-status"),
                !(self.filters.exclude_status && changed_nothing(event, comparison)),
            )
    }

    /// Whether the filters need only the revision and the type of an event. Then a test of an event reports nothing.
    fn tests_revisions_only(&self) -> bool {
        let filters = self.filters;
        let looks_into_objects = self.text.is_some()
            || self.regex.is_some()
            || self.selection.labels().is_some()
            || filters.by_manager.name().is_some()
            || filters.exclude_status;
        !looks_into_objects
    }

    /// Whether the objects of an event have the labels, and the change, that are asked for.
    fn has_what_is_searched(&self, event: &Event<'_>) -> bool {
        let (text, regex, labels) = (&self.text, &self.regex, self.selection.labels());
        if labels.is_none() && text.is_none() && regex.is_none() {
            return true;
        }
        let tree = |record: &Record<'_>| match self.objects().read(record, Order::Declared.into()) {
            ReadValue::Object(tree, _) => Some(tree),
            ReadValue::Plain => Some(String::from_utf8_lossy(record.value).into()),
            ReadValue::Encrypted(error) => {
                // What is searched may be in it.
                self.objects().report_encrypted(record, &error);
                None
            }
            ReadValue::Undecodable(_) => None,
        };
        let is_put = !event.record.tombstone;
        let new = is_put.then(|| tree(&event.record)).flatten();
        let old = event.previous_record().as_ref().and_then(tree);
        let has_labels = labels.is_none_or(|labels| {
            let mut trees = [&old, &new].into_iter().flatten();
            trees.any(|tree| labels.matches(tree))
        });
        if labels.is_some() && !has_labels && is_put && new.is_none() {
            self.objects().count_untested();
        }
        let filters = self.question.filters();
        filters.test(Filter("-l"), has_labels)
            && text.as_ref().is_none_or(|text| {
                filters.test(Filter("-S"), pickaxe_s(old.as_ref(), new.as_ref(), text))
            })
            && regex.as_ref().is_none_or(|regex| {
                filters.test(Filter("-G"), pickaxe_g(old.as_ref(), new.as_ref(), regex))
            })
    }

    /// Reports from which revision on history is retained, unless the range or the time that was asked for begins
    /// later.
    pub(super) fn note_history(&self, has_no_events: bool) {
        let compacted = self.question.store().compact_revision();
        if self.period.first() > compacted && !has_no_events {
            return;
        }
        let missing = self.names_one().then(|| {
            let missing = self.all.iter().map(|event| event.missing_versions());
            missing.fold(0, i64::saturating_add)
        });
        // A key with its whole life is answered: a search for more would only cost time.
        let oldest = self.all.iter().next();
        let is_whole = oldest.is_some_and(|event| event.event_type == EventType::Create);
        if missing == Some(0) && is_whole && !has_no_events {
            return;
        }
        let covers = |key: &[u8]| self.selection.covers(key);
        self.question.note_compacted(&covers, missing);
    }
}

/// What a flag searches for.
fn matcher(
    flag: &'static str,
    text: Option<&str>,
    read: impl Fn(&str) -> Result<Matcher, PatternError>,
) -> Result<Option<Matcher>, NoAnswer> {
    let read = |text| {
        read(text).map_err(|error| NoAnswer::BadPattern {
            flag,
            error: Box::new(error),
        })
    };
    text.map(read).transpose()
}

/// Whether an event changed nothing of what is compared. What a creation or an update of a compacted version changed
/// is not known.
fn changed_nothing(event: &Event<'_>, comparison: &mut Comparison<'_>) -> bool {
    let is_update = event.event_type == EventType::Update && event.previous.is_some();
    let changed = Changed::from_event(event);
    is_update && comparison.fields(&changed).is_empty()
}
