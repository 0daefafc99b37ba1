//! The live objects of addresses as kubectl shows them: chosen by selectors, sorted by type or by a path.

mod entries;
mod streams;

use std::borrow::Cow;
use std::cell::{OnceCell, RefCell};
use std::collections::HashSet;

use serde_json::{Value, json};

use crate::etcd::{AtRevision, PlacedKeyspace};
use crate::k8s::Order;
use crate::k8s::decode::{Decoder, Options};
use crate::k8s::envelope::PROTOBUF_MAGIC;
use crate::k8s::object::as_kubectl_shows;
use crate::k8s::shown::ShownSink;
use crate::named::key_text;

use super::address::Address;
use super::catalog::{self, Catalog};
use super::filters::Filter;
use super::no_answer::NoAnswer;
use super::not_converted::NotConverted;
use super::notice::Notice;
use super::objects::{ReadValue, newest_time};
use super::question::{Answer, Question};
use super::select::{Selection, Which};
use super::served_version::{StoredVersion, put_into_release};
use super::sort_key::SortKey;

pub use super::served_version::Release;
pub use crate::etcd::{KeyEntry, Record};
pub use entries::LiveEntries;
pub use streams::{Writing, Written};

/// What objects are selected, sorted and shown by.
pub use crate::k8s::Sink;
pub use crate::k8s::columns::{Builtin, Clock, Column, builtin};
pub use crate::k8s::custom_columns::{CustomColumns, MOST_COLUMNS, ResourceColumns, TOO_EXPENSIVE};
pub use crate::k8s::decode::{Note, shown_name};
pub use crate::k8s::envelope::Encrypted as EncryptedValue;
pub use crate::k8s::jsonpath::{Budget, JsonPath, JsonPathError, MAX_PRINTED_BYTES};
pub use crate::k8s::resource::Resource;
pub use crate::k8s::selector::FieldSelector;

/// Which live objects, and how they are read.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilters {
    /// Only objects with these values in fields.
    pub fields: Option<FieldSelector>,
    /// Sort by what this path finds.
    pub sort_by: Option<JsonPath>,
    /// Fill in the defaults that a current API server would add.
    pub as_served: bool,
    /// Objects are written in versions that this release serves.
    pub release: Option<Release>,
}

/// The live objects of addresses as of a revision.
#[derive(Debug)]
pub struct LiveObjects<'q, 'a> {
    question: &'q Question<'a>,
    filters: &'q ObjectFilters,
    selection: Selection,
    at: AtRevision,
    /// In the order in which they are shown.
    entries: LiveEntries<'a>,
    /// Why an address matches nothing.
    missing: Option<NoAnswer>,
    /// A selector that has no meaning for an object.
    failure: RefCell<Option<NoAnswer>>,
    decoder: RefCell<Decoder>,
    /// The paths of the field selector that an object has.
    seen_fields: RefCell<HashSet<String>>,
    not_converted: RefCell<NotConverted>,
    /// The resources of the store, if the selection did not need them. Read once: it is a pass over the store.
    full_catalog: OnceCell<Catalog>,
}

impl<'q, 'a> LiveObjects<'q, 'a> {
    /// Finds the records, and sorts them.
    ///
    /// # Errors
    /// If an address cannot be understood, or the path to sort by needs too many steps.
    pub fn read(
        question: &'q Question<'a>,
        which: &Which,
        at: AtRevision,
        filters: &'q ObjectFilters,
    ) -> Result<Self, NoAnswer> {
        let store = question.store();
        let selection = which.select(&[(store, at)], question.keyring())?;
        let keyspace = PlacedKeyspace::at(store, at, |key| selection.covers(key));
        let mut entries = LiveEntries::new(keyspace.live);
        let is_there = |address: &Address| entries.keys().any(|key| address.covers(key));
        let missing = selection.why_empty(question, at, is_there, entries.is_empty());
        // Stable: within a resource the keys stay in order.
        entries.sort_by_key(|key| selection.place_of(key));
        if let Some(path) = &filters.sort_by {
            sort_by_path(&mut entries, path, question, filters)?;
        }
        Ok(Self {
            question,
            filters,
            selection,
            at,
            entries,
            missing,
            failure: RefCell::default(),
            decoder: RefCell::default(),
            seen_fields: RefCell::default(),
            not_converted: RefCell::default(),
            full_catalog: OnceCell::new(),
        })
    }

    /// The question.
    pub fn question(&self) -> &'q Question<'a> {
        self.question
    }

    /// What was asked for.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// The records, in the order in which they are shown; selectors have to look into their objects.
    pub fn entries(&self) -> &LiveEntries<'a> {
        &self.entries
    }

    /// Whether one object was asked for and found, not a list.
    pub fn is_single(&self) -> bool {
        self.selection.names_one() && self.entries.len() == 1
    }

    /// Whether selectors look into the objects.
    pub fn has_selectors(&self) -> bool {
        self.filters.fields.is_some() || self.selection.labels().is_some()
    }

    /// The time that ages are counted from: the newest time in the store.
    pub fn clock(&self) -> Clock {
        Clock {
            now: newest_time(self.question.store(), self.at, self.question.keyring()),
        }
    }

    /// The resources of the store, for what only keys show.
    pub fn catalog(&self) -> &Catalog {
        self.selection.catalog().unwrap_or_else(|| {
            let stores = [(self.question.store(), self.at)];
            let read = || catalog::read_full(&stores, self.question.keyring());
            self.full_catalog.get_or_init(read)
        })
    }

    /// A record's object as kubectl shows it, if it is selected.
    pub fn selected(&self, record: &Record<'_>, managed_fields: bool) -> Option<ReadValue> {
        let value = self.stored(record);
        match self.is_selected(record, &value) {
            Ok(true) => Some(as_shown(record, value, managed_fields)),
            Ok(false) => None,
            Err(why) => {
                self.failure.borrow_mut().get_or_insert(why);
                None
            }
        }
    }

    /// A record's object as kubectl shows it.
    pub fn shown(&self, record: &Record<'_>, managed_fields: bool) -> ReadValue {
        as_shown(record, self.stored(record), managed_fields)
    }

    /// Puts the object of a record into a version that the release serves, if one was asked for.
    pub fn put_into_release(
        &self,
        record: &Record<'_>,
        object: &mut Value,
    ) -> Option<StoredVersion> {
        let release = self.filters.release?;
        put_into_release(object, record.key, self.catalog(), release)
    }

    /// Counts the object of a record that is written in such a version.
    pub fn count_version(&self, record: &Record<'_>, version: &StoredVersion) {
        self.not_converted.borrow_mut().add(record.key, version);
    }

    fn stored(&self, record: &Record<'_>) -> ReadValue {
        let options = self.options(Order::Declared);
        self.question.objects().read(record, options)
    }

    fn options(&self, order: Order) -> Options {
        Options {
            order,
            as_served: self.filters.as_served,
        }
    }

    /// Writes a record's object to a sink without a tree. None if that is not possible: a selector has to look into
    /// it, it is no protobuf, or it is still encrypted. An object that cannot be decoded is reported.
    pub fn stream<S: Sink>(
        &self,
        record: &Record<'_>,
        order: Order,
        managed_fields: bool,
        sink: &mut S,
    ) -> Option<Result<Vec<Note>, Undecodable>> {
        let objects = self.question.objects();
        let value = objects.open(record).ok()?;
        if !value.starts_with(PROTOBUF_MAGIC) {
            return None;
        }
        let mut shown = ShownSink::new(sink, order, record.mod_revision, managed_fields);
        let mut decoder = self.decoder.borrow_mut();
        let decoded = decoder.decode(&value, self.options(order), &mut shown);
        Some(match decoded {
            Ok(outcome) => Ok(outcome.notes),
            Err(error) => {
                objects.report_undecodable(record, &error);
                Err(Undecodable)
            }
        })
    }

    /// Whether [`Self::stream`] may be tried.
    pub fn may_stream(&self, record: &Record<'_>) -> bool {
        !self.has_selectors() && self.filters.release.is_none() && record.value.starts_with(b"k8s")
    }

    /// Whether the selectors select an object. If it cannot be read, only its key shows what it is: a selector that
    /// asks for more cannot be answered.
    fn is_selected(&self, record: &Record<'_>, value: &ReadValue) -> Result<bool, NoAnswer> {
        if !self.has_selectors() {
            return Ok(true);
        }
        let (object, is_by_key) = match value {
            ReadValue::Object(object, _) => (Cow::Borrowed(object), false),
            ReadValue::Plain => return Ok(false),
            ReadValue::Encrypted(_) | ReadValue::Undecodable(_) => {
                let catalog = self.selection.catalog();
                let object = catalog.map(|catalog| object_from_key(record.key, catalog));
                (Cow::Owned(object.unwrap_or_default()), true)
            }
        };
        let (fields, labels) = (self.filters.fields.as_ref(), self.selection.labels());
        let is_in_value = |path: &str| path != "metadata.name" && path != "metadata.namespace";
        let needs_value =
            labels.is_some() || fields.is_some_and(|fields| fields.paths().any(is_in_value));
        if is_by_key && needs_value {
            self.question.objects().count_untested();
            return Ok(false);
        }
        let filters = self.question.filters();
        if labels.is_some_and(|labels| !filters.test(Filter("-l"), labels.matches(&object))) {
            return Ok(false);
        }
        let Some(fields) = fields else {
            return Ok(true);
        };
        let mut seen = self.seen_fields.borrow_mut();
        for path in fields.paths() {
            let mut steps = path.split('.');
            let found = steps.try_fold(&*object, |at, step| at.get(step));
            if found.is_some() && !seen.contains(path) {
                seen.insert(path.to_owned());
            }
        }
        let matches = fields
            .matches(&object)
            .map_err(|error| NoAnswer::BadFieldSelector(Box::new(error)))?;
        Ok(filters.test(Filter("--field-selector"), matches))
    }

    /// What the objects do not show by themselves: fields that none of them has, several objects of one name, several
    /// prefixes, and versions that are not served.
    pub fn notices(&self) -> Vec<Notice> {
        let release = self.filters.release;
        let versions = release.and_then(|release| self.not_converted.borrow().notice(release));
        let mut notices: Vec<Notice> = versions.into_iter().map(Notice::Recovery).collect();
        if let (Some(fields), false) = (&self.filters.fields, self.entries.is_empty()) {
            let seen = self.seen_fields.borrow();
            let unseen = fields.paths().filter(|path| !seen.contains(*path));
            let unseen: Vec<String> = unseen.map(str::to_owned).collect();
            if !unseen.is_empty() {
                notices.push(Notice::FieldsOfNone(unseen));
            }
        }
        if self.selection.names_one() && self.entries.len() > 1 {
            let catalog = self.selection.catalog();
            notices.push(Notice::SeveralOfOneName {
                count: self.entries.len(),
                has_clusters: catalog.is_some_and(Catalog::has_several_clusters),
            });
        }
        let Some(catalog) = self.selection.catalog() else {
            return notices;
        };
        let is_used = |prefix: &&[u8]| {
            self.entries.keys().any(|key| {
                let rest = key.strip_prefix(*prefix);
                rest.is_some_and(|rest| rest.starts_with(b"/"))
            })
        };
        let prefixes: Vec<_> = catalog
            .prefixes()
            .filter(is_used)
            .map(<[u8]>::to_vec)
            .collect();
        if prefixes.len() > 1 {
            notices.push(Notice::SeveralPrefixes(prefixes));
        }
        notices
    }

    /// Ends the answer, in which something was printed or not.
    ///
    /// # Errors
    /// If a selector has no meaning, an address matches nothing, or nothing was printed: why. The latter two only
    /// unless that is to be ignored.
    pub fn finish(self, printed: bool, ignore_not_found: bool) -> Result<Answer, NoAnswer> {
        let entries = || self.entries.iter().collect();
        self.question.note_unproved_if_compacted(self.at, entries);
        self.question.finish(Answer::Yes);
        if let Some(why) = self.failure.take() {
            return Err(why);
        }
        match self.missing {
            _ if ignore_not_found => Ok(Answer::Yes),
            Some(missing) => Err(missing),
            None if printed => Ok(Answer::Yes),
            None => Err(self.question.emptied().unwrap_or(NoAnswer::NothingFound)),
        }
    }
}

/// An object cannot be decoded, which was reported.
#[derive(Debug, Clone, Copy)]
pub struct Undecodable;

fn as_shown(record: &Record<'_>, mut value: ReadValue, managed_fields: bool) -> ReadValue {
    if let ReadValue::Object(object, _) = &mut value {
        as_kubectl_shows(object, record.mod_revision, managed_fields);
    }
    value
}

/// Sorts by what a path finds, as kubectl does: numbers as numbers, texts by their bytes, and first the objects in
/// which it finds nothing.
fn sort_by_path(
    entries: &mut LiveEntries<'_>,
    path: &JsonPath,
    question: &Question<'_>,
    filters: &ObjectFilters,
) -> Result<(), NoAnswer> {
    let options = Options {
        order: Order::Declared,
        as_served: filters.as_served,
    };
    let budget = Budget::for_typed();
    let mut failed = None;
    entries.sort_by_record(|entry| {
        let entry = entry.filter(|_| failed.is_none());
        let value = entry.map(|entry| question.objects().read(&entry.record, options));
        let Some(ReadValue::Object(object, _)) = value else {
            return SortKey::Absent;
        };
        SortKey::find(path, &budget, &object).unwrap_or_else(|error| {
            failed = Some(error);
            SortKey::Absent
        })
    });
    failed.map_or(Ok(()), |error| Err(NoAnswer::CannotSort(Box::new(error))))
}

/// What a key shows of its object: kind, namespace and name.
pub fn object_from_key(key: &[u8], catalog: &Catalog) -> Value {
    let Some(location) = catalog.locate(key) else {
        return json!({});
    };
    let mut metadata = json!({"name": key_text(location.name)});
    if let (Some(fields), Some(namespace)) = (metadata.as_object_mut(), location.namespace) {
        fields.insert("namespace".to_owned(), key_text(namespace).into());
    }
    json!({"kind": location.resource.kind, "metadata": metadata})
}
