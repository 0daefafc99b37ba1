//! What one revision is about: everything that it wrote and deleted, or one object as it was at it.

use std::collections::HashSet;

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, KeyEntry, KeyHistory};
use crate::k8s::diff::Scope;
use crate::k8s::redact::Masker;

use super::compare::{Changed, Comparison};
use super::filters::Filter;
use super::no_answer::NoAnswer;
use super::question::Question;
use super::resolve::{event_of_object, only_one, revision_of_store};
use super::revision::RevisionExpr;
use super::select::Which;
use super::writers::ByManager;

pub use crate::etcd::{Event, EventType, Record};

/// What is shown, as it was asked for.
#[derive(Debug, Clone, Default)]
pub struct RevisionRequest {
    /// A revision, or objects.
    pub which: Which,
    /// The revision that a flag names.
    pub at: Option<RevisionExpr>,
    /// The time that a flag names, as typed.
    pub at_time: Option<String>,
    /// Only what this field manager wrote.
    pub by_manager: ByManager,
    /// Whether changes of the status alone are left out.
    pub exclude_status: bool,
    /// Whether metadata.managedFields are compared and shown too.
    pub managed_fields: bool,
    /// Whether the values of Secrets are shown.
    pub show_secrets: bool,
}

/// Everything that a revision wrote and deleted.
#[derive(Debug)]
pub struct Transaction<'a> {
    /// The main revision.
    pub main: i64,
    /// The events that are left, in the order of writing; never empty.
    pub events: Vec<Event<'a>>,
}

/// One object at a revision.
#[derive(Debug)]
pub struct ObjectAt<'a> {
    /// The key.
    pub key: Vec<u8>,
    /// The event that wrote or deleted it.
    pub event: Event<'a>,
}

/// What one revision is about.
#[derive(Debug)]
pub enum OneRevision<'a> {
    /// All of a transaction.
    Transaction(Transaction<'a>),
    /// One object.
    Object(Box<ObjectAt<'a>>),
}

impl RevisionRequest {
    /// Looks into the objects of changes, as the request has it.
    pub fn comparison<'q>(&self, question: &'q Question<'_>) -> Comparison<'q> {
        Comparison {
            scope: Scope {
                status: !self.exclude_status,
                managed_fields: self.managed_fields,
            },
            masker: Masker::new(self.show_secrets),
            old: question.objects(),
            new: question.objects(),
        }
    }

    /// What was asked for: a single word that is a revision, or no word, means a transaction.
    ///
    /// # Errors
    /// If nothing of the revision is retained or left, or not exactly one object is named.
    pub fn answer<'a>(
        &self,
        question: &Question<'a>,
        comparison: &Comparison<'_>,
    ) -> Result<OneRevision<'a>, NoAnswer> {
        let word = match self.which.words() {
            [word] => word.to_str().and_then(|text| text.parse().ok()),
            _ => None,
        };
        if word.is_none() && !self.which.words().is_empty() {
            return self
                .object(question)
                .map(|object| OneRevision::Object(Box::new(object)));
        }
        let revision = self.revision(question, word)?;
        let transaction = self.transaction(question, revision, comparison)?;
        Ok(OneRevision::Transaction(transaction))
    }

    /// The one revision that was named, by a word or by a flag; else the newest.
    fn revision(
        &self,
        question: &Question<'_>,
        word: Option<RevisionExpr>,
    ) -> Result<RevisionExpr, NoAnswer> {
        let Some(time) = &self.at_time else {
            let revision = only_one(word, self.at, "--at")?;
            return Ok(revision.unwrap_or(RevisionExpr::Head(0)));
        };
        if let Some(own) = word {
            return Err(NoAnswer::RevisionAndTime {
                own,
                time: time.clone(),
                flag: "--at-time",
            });
        }
        Ok(RevisionExpr::Main(question.revision_at(time)?.0))
    }

    /// Everything that a revision wrote, in the order of writing.
    fn transaction<'a>(
        &self,
        question: &Question<'a>,
        revision: RevisionExpr,
        comparison: &Comparison<'_>,
    ) -> Result<Transaction<'a>, NoAnswer> {
        let store = question.store();
        let sub = match revision {
            RevisionExpr::Record(_, sub) => Some(sub),
            _ => None,
        };
        let compacted = store.compact_revision();
        let main = match revision {
            RevisionExpr::Main(main) | RevisionExpr::Record(main, _) if main < compacted => main,
            _ => match revision_of_store(revision, store)? {
                AtRevision::HEAD => store.current_revision(),
                at => at.0,
            },
        };
        let events = written(question, main, sub);
        if events.is_empty() {
            revision_of_store(revision, store)?;
            question.note_compacted(&|_| true, None);
            return Err(NoAnswer::TransactionNotRetained { main, sub });
        }
        let events = self.narrowed(question, events, comparison);
        if events.is_empty() {
            let name = self.by_manager.name();
            let unknown = name.and_then(|name| question.missing_manager(name));
            return Err(unknown
                .or_else(|| question.emptied())
                .unwrap_or(NoAnswer::TransactionLeftOut(main)));
        }
        note_compacted(question, main, &events);
        Ok(Transaction { main, events })
    }

    /// The events that the manager wrote, and those that changed more than what is left out.
    fn narrowed<'a>(
        &self,
        question: &Question<'a>,
        mut events: Vec<Event<'a>>,
        comparison: &Comparison<'_>,
    ) -> Vec<Event<'a>> {
        let (filters, objects) = (question.filters(), question.objects());
        events.retain(|event| {
            filters.test(Filter("--manager"), self.by_manager.wrote(event, objects))
        });
        if self.exclude_status {
            // Another comparison: the numbers of masked values follow the order in which they are printed.
            let mut filter = comparison.again();
            events.retain(|event| {
                let is_kept = event.event_type != EventType::Update
                    || event.previous.is_none()
                    || !filter.fields(&Changed::from_event(event)).is_empty();
                filters.test(Filter("--exclude-status"), is_kept)
            });
        }
        events
    }

    /// One object at its revision.
    fn object<'a>(&self, question: &Question<'a>) -> Result<ObjectAt<'a>, NoAnswer> {
        let store = question.store();
        let (which, own) = self.which.split_revision(store)?;
        let revision = self.revision(question, own)?;
        let head = store.at(None)?;
        let selection = which.select(&[(store, head)], question.keyring())?;
        let key = selection.one_key(question, head)?;
        let history = KeyHistory::read(store, &key);
        let name = crate::named::key_text(&key).into_owned();
        if let (true, Some(address)) = (history.events.is_empty(), selection.addresses().first()) {
            return Err(question.missing(address, selection.catalog(), head));
        }
        let event = *event_of_object(revision, &history, store, &name)?;
        if !self.by_manager.wrote(&event, question.objects()) {
            let manager = self.by_manager.name().unwrap_or_default();
            let unknown = question.missing_manager(manager);
            return Err(unknown.unwrap_or_else(|| NoAnswer::NotWrittenBy {
                name,
                main: event.record.revision.main,
                manager: manager.to_owned(),
            }));
        }
        if let (true, RevisionExpr::Main(main)) = (event.event_type != EventType::Delete, revision)
        {
            let shown = KeyEntry {
                key: event.record.key.into(),
                record: event.record,
            };
            question.note_unproved(AtRevision(main), &[shown]);
        }
        Ok(ObjectAt { key, event })
    }
}

/// The retained events of a main revision, or the one of its records that is named.
fn written<'a>(question: &Question<'a>, main: i64, sub: Option<i64>) -> Vec<Event<'a>> {
    let is_asked = |record: &Record<'_>| {
        record.revision.main == main && sub.is_none_or(|sub| record.revision.sub == sub)
    };
    let is_chosen = |record: &Record<'_>| is_asked(record) && !record.is_bump_mark();
    let mut written = HashSet::new();
    let (store, diagnostics) = (question.store(), question.evidence().diagnostics());
    let records = store.records(Direction::Backward);
    for record in records.take_while(|record| record.revision.main >= main) {
        if is_chosen(&record) {
            written.insert(record.key.to_vec());
        }
    }
    // In a damaged file the walk may not follow the order of revisions.
    if diagnostics.found_any() {
        store.visit_chosen(&is_chosen, &mut |record| {
            written.insert(record.key.to_vec());
        });
    }
    let history = question.events_and_times(|key| written.contains(key));
    let events = history.iter().filter(|event| is_asked(&event.record));
    events.collect()
}

/// Reports that history is compacted if a change of the transaction may be missing or unknown for that reason.
fn note_compacted(question: &Question<'_>, main: i64, events: &[Event<'_>]) {
    let is_whole = main >= question.store().compact_revision();
    let is_unknown =
        |event: &Event<'_>| event.event_type == EventType::Update && event.previous.is_none();
    if is_whole && !events.iter().any(is_unknown) {
        return;
    }
    let written: HashSet<&[u8]> = events.iter().map(|event| event.record.key).collect();
    question.note_compacted(&|key| !is_whole || written.contains(key), None);
}
