//! What changed between two states of keys: which keys, and which fields of their objects, secrets masked.

use std::borrow::Cow;
use std::cmp::Ordering;

use serde_json::Value;

use crate::bbolt::Direction;
use crate::etcd::{Event, EventType, KeyPlaces, PlacedKeyspace, PlacedRecord, Store};
use crate::k8s::diff::{FieldChange, Scope, diff as differences};
use crate::k8s::object::{as_text, insert_text, is_object, is_secret_key};
use crate::k8s::stored_diff::stored_diff;

use crate::parallel::read_each;

use super::notice::HistoriesDiffer;
use super::objects::Objects;
use super::read_ahead::read_ahead;

/// What a comparison reads and masks with.
pub use crate::etcd::Record;
pub use crate::k8s::redact::Masker;

/// What happened to an object between two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was not there before.
    Created,
    /// It is not there any more.
    Deleted,
    /// It was deleted and created again: another create_revision.
    Recreated,
    /// It was written again.
    Changed,
}

impl Change {
    /// The word in the machine formats.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Change::Created => "created",
            Change::Deleted => "deleted",
            Change::Recreated => "recreated",
            Change::Changed => "changed",
        }
    }

    /// The first column of the text views.
    #[must_use]
    pub fn marker(self) -> char {
        match self {
            Change::Created => '+',
            Change::Deleted => '-',
            Change::Recreated => '*',
            Change::Changed => '~',
        }
    }
}

/// etcd's counters of a key in one of the two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// The revision which created it.
    pub create_revision: i64,
    /// The revision which wrote it last.
    pub mod_revision: i64,
    /// How often it was written since it was created.
    pub version: i64,
}

/// One object that is not the same in both states.
#[derive(Debug, Clone, Copy)]
pub struct ObjectChange<'a> {
    /// What happened.
    pub change: Change,
    /// The key.
    pub key: &'a [u8],
    /// The counters before; `None`: it was not there.
    pub old: Option<Side>,
    /// The counters after; `None`: it is not there.
    pub new: Option<Side>,
    /// The revision of the deletion, where it is known.
    pub deleted_at: Option<i64>,
    /// What changed in it, secrets masked already.
    pub fields: &'a [FieldChange],
}

/// A key that is not the same in two states.
#[derive(Debug, Clone)]
pub struct Changed<'a> {
    /// The key: of a deletion whose put is not retained there is no record. It is not that of the record in a comparison
    /// of two states, so that the file is not read in the order of keys.
    key: Cow<'a, [u8]>,
    /// What happened to it.
    pub change: Change,
    /// Its record before.
    pub old: Option<Record<'a>>,
    /// Its record after.
    pub new: Option<Record<'a>>,
    /// The revision of its deletion, where it is known.
    pub deleted_at: Option<i64>,
}

/// Whether a key of two keyspaces was written: it is in one of them only, or at other revisions.
pub fn any_is_written(before: &PlacedKeyspace<'_>, after: &PlacedKeyspace<'_>) -> bool {
    pairs(&before.live, &after.live).any(is_written)
}

fn is_written((before, after): (Option<Version<'_>>, Option<Version<'_>>)) -> bool {
    let written = |version: Option<Version<'_>>| version.map(|(_, version)| version.mod_revision);
    written(before) != written(after)
}

/// Merges two keyspaces, which are in key order, into what is not the same. `is_one_store`: both are of one store.
/// `forget` is called after some values were compared, with their number.
pub fn changed_keys<'a>(
    before: &PlacedKeyspace<'a>,
    after: &PlacedKeyspace<'a>,
    is_one_store: bool,
    forget: &dyn Fn(usize),
) -> Vec<Changed<'a>> {
    let others = other_contents(&before.live, &after.live, is_one_store, forget);
    let mut others = others.into_iter().peekable();
    let changed = pairs(&before.live, &after.live).enumerate();
    let changed =
        changed.filter(|(place, pair)| others.next_if_eq(place).is_some() || is_written(*pair));
    let page_and_index = |(index, version): Version<'a>| (version.page(), index);
    let changed = changed.map(|(_, (a, b))| (a.map(page_and_index), b.map(page_and_index)));
    let (old_places, new_places): (Vec<_>, Vec<_>) = changed.unzip();
    let old = records_of(&before.live, &old_places, forget);
    let new = records_of(&after.live, &new_places, forget);
    let keys = old_places.iter().zip(&new_places);
    let keys = keys.map(|places| match places {
        (_, Some((_, index))) => after.live.key(*index),
        (Some((_, index)), None) => before.live.key(*index),
        (None, None) => &[],
    });
    let changes = keys.zip(old.into_iter().zip(new)).map(|(key, (old, new))| {
        let change = match (&old, &new) {
            (Some(a), Some(b)) if a.create_revision != b.create_revision => Change::Recreated,
            (Some(_), Some(_)) => Change::Changed,
            (None, _) => Change::Created,
            (Some(_), None) => Change::Deleted,
        };
        // A live key is not among the deleted ones.
        let deletion = new.is_none().then(|| after.deleted.find(key)).flatten();
        Changed {
            key: Cow::Owned(key.to_vec()),
            change,
            old,
            new,
            deleted_at: deletion.map(|deletion| deletion.revision.main),
        }
    });
    changes.collect()
}

/// How many records are read together.
const BATCH: usize = 512;

/// The records at the given indexes, each with its page. They are read in the order of the file.
fn records_of<'a>(
    keys: &KeyPlaces<'a>,
    versions: &[Option<(u64, usize)>],
    forget: &dyn Fn(usize),
) -> Vec<Option<Record<'a>>> {
    let pages = versions.iter().enumerate();
    let pages = pages.filter_map(|(place, version)| Some(((*version)?.0, place)));
    let mut pages: Vec<(u64, usize)> = pages.collect();
    pages.sort_unstable();
    let places: Vec<usize> = pages.into_iter().map(|(_, place)| place).collect();
    let record = |place: usize| {
        let (_, index) = (*versions.get(place)?)?;
        keys.record(index)
    };
    let records = read_each(versions.len(), &places, BATCH, record, &mut |values| {
        forget(values);
    });
    records.into_iter().map(Option::flatten).collect()
}

/// A key of a keyspace by its index, and its newest version.
type Version<'a> = (usize, PlacedRecord<'a>);

/// The live versions of each key of two keyspaces, in key order.
fn pairs<'k, 'a>(
    before: &'k KeyPlaces<'a>,
    after: &'k KeyPlaces<'a>,
) -> impl Iterator<Item = (Option<Version<'a>>, Option<Version<'a>>)> + use<'k, 'a> {
    let keys = |keys: &'k KeyPlaces<'a>| keys.keys().enumerate().peekable();
    let (mut old, mut new) = (keys(before), keys(after));
    std::iter::from_fn(move || {
        let order = match (old.peek(), new.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((_, a)), Some((_, b))) => a.cmp(b),
        };
        let a = old.next_if(|_| order.is_le());
        let b = new.next_if(|_| order.is_ge());
        let version = |keys: &KeyPlaces<'a>, next: Option<(usize, &[u8])>| {
            let (index, _) = next?;
            Some((index, keys.version(index)?))
        };
        Some((version(before, a), version(after, b)))
    })
}

/// The places among [`pairs`] of the keys whose records have equal revisions and other contents, ascending. The records
/// are compared in the order of the file: in key order most of the time would go into reading pages again.
fn other_contents(
    before: &KeyPlaces<'_>,
    after: &KeyPlaces<'_>,
    is_one_store: bool,
    forget: &dyn Fn(usize),
) -> Vec<usize> {
    // One store has one record of each revision.
    if is_one_store {
        return Vec::new();
    }
    let both = pairs(before, after).enumerate();
    let both = both.filter_map(|(place, (a, b))| Some((place, a?, b?)));
    let mut compared: Vec<(u64, usize, usize, usize)> = both
        .filter(|(_, (_, a), (_, b))| a.mod_revision == b.mod_revision)
        .map(|(place, (index, a), (other, _))| (a.page(), place, index, other))
        .collect();
    compared.sort_unstable();
    let differ = |index: usize, other: usize| {
        let (a, b) = (before.record(index), after.record(other));
        let content = |record: &Record<'_>| (record.create_revision, record.mod_revision);
        match (a, b) {
            (Some(a), Some(b)) => content(&a) != content(&b) || a.value != b.value,
            _ => true,
        }
    };
    let places: Vec<usize> = (0..compared.len()).collect();
    let is_other = |place: usize| {
        let pair = compared.get(place);
        pair.is_some_and(|(_, _, a, b)| differ(*a, *b))
    };
    let are_others = read_each(compared.len(), &places, BATCH, is_other, &mut |values| {
        forget(values);
    });
    let others = compared.iter().zip(are_others);
    let others = others.filter(|(_, is_other)| *is_other == Some(true));
    let mut others: Vec<usize> = others.map(|((_, place, ..), _)| *place).collect();
    others.sort_unstable();
    others
}

/// What differs in the histories of two stores of one cluster: of each revision that both retain, the records; and
/// below the higher compaction, of each key the last record, which both keep. None if nothing does. `forget` is called
/// after some values were compared.
pub fn histories(
    a: &Store<'_>,
    b: &Store<'_>,
    forget: &(dyn Fn() + Sync),
) -> Option<HistoriesDiffer> {
    /// How many bytes are compared between two calls of `forget`.
    const COMPARED_BYTES: usize = 32 << 20;
    let compacted = a.compact_revision().max(b.compact_revision());
    let same_compaction = a.compact_revision() == b.compact_revision();
    let newest = a.current_revision().min(b.current_revision());
    // A tombstone at the compaction itself is removed with it.
    let is_compared = |record: &Record<'_>| {
        let main = record.revision.main;
        main <= newest && (main > compacted || same_compaction) && !record.is_bump_mark()
    };
    let mut left = a.records(Direction::Forward).filter(is_compared).peekable();
    let mut right = b.records(Direction::Forward).filter(is_compared).peekable();
    let pairs = std::iter::from_fn(|| {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.revision.cmp(&other.revision),
        };
        let one = left.next_if(|_| order.is_le());
        Some((one, right.next_if(|_| order.is_ge())))
    });
    let is_same = |pair: &(Option<Record<'_>>, Option<Record<'_>>)| match pair {
        (Some(one), Some(other)) => one.has_same_content(other),
        _ => false,
    };
    let mut differ: Option<HistoriesDiffer> = None;
    let mut bytes = 0_usize;
    read_ahead(pairs, is_same, |(one, other), is_same| {
        let Some(record) = one.or(other) else { return };
        bytes = bytes.saturating_add(record.value.len());
        if bytes > COMPARED_BYTES {
            bytes = 0;
            forget();
        }
        if !is_same {
            let first = record.revision.main;
            let found = differ.get_or_insert(HistoriesDiffer { first, records: 0 });
            found.records = found.records.saturating_add(1);
        }
    });
    differ
}

/// A record's value: a tree, its secrets not masked yet, or why it is none.
type Decoded = Result<Value, String>;

/// Looks into the objects of changes. One for a whole run: equal secrets share a number.
#[derive(Debug)]
pub struct Comparison<'r> {
    /// What of an object is compared.
    pub scope: Scope,
    /// Masks secrets.
    pub masker: Masker,
    /// Reads the records before.
    pub old: &'r Objects<'r>,
    /// Reads the records after.
    pub new: &'r Objects<'r>,
}

impl Comparison<'_> {
    /// Another one that compares the same, for changes that are looked at and not printed.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            masker: Masker::new(false),
            ..*self
        }
    }

    /// The change as the views take it.
    pub fn object<'a>(
        &self,
        changed: &'a Changed<'_>,
        fields: &'a [FieldChange],
    ) -> ObjectChange<'a> {
        let side = |record: &Record<'_>| Side {
            create_revision: record.create_revision,
            mod_revision: record.mod_revision,
            version: record.version,
        };
        ObjectChange {
            change: changed.change,
            key: changed.key(),
            old: changed.old.as_ref().map(side),
            new: changed.new.as_ref().map(side),
            deleted_at: changed.deleted_at,
            fields,
        }
    }

    /// The changed fields, secrets masked. An object on one side only is one field: the whole of it.
    pub fn fields(&mut self, changed: &Changed<'_>) -> Vec<FieldChange> {
        let scope = self.scope;
        if let Some(fields) = self.stored_fields(changed) {
            return fields;
        }
        let old = changed
            .old
            .map(|record| (record, self.decoded(&record, self.old)));
        let new = changed
            .new
            .map(|record| (record, self.decoded(&record, self.new)));
        match (old, new) {
            (Some((_, Ok(old))), Some((_, Ok(new)))) => {
                if !is_object(&old) && !is_object(&new) {
                    return self.values(changed, &old, &new);
                }
                let secret = is_secret_key(changed.key());
                self.masker.diff(&old, &new, scope, secret)
            }
            (Some((old_record, old)), Some((new_record, new))) => {
                let old = self.masked(&old_record, old);
                let new = self.masked(&new_record, new);
                differences(&old, &new, scope)
            }
            (old, new) => {
                let mut whole = |side: Option<(Record<'_>, Decoded)>| {
                    side.map(|(record, decoded)| self.masked(&record, decoded))
                };
                vec![FieldChange::whole(whole(old), whole(new))]
            }
        }
    }

    /// The changed fields, if they can be read without decoding what is the same in both versions.
    fn stored_fields(&self, changed: &Changed<'_>) -> Option<Vec<FieldChange>> {
        let (old, new) = (changed.old?, changed.new?);
        if is_secret_key(changed.key()) {
            return None;
        }
        let (old, new) = (self.old.open(&old).ok()?, self.new.open(&new).ok()?);
        stored_diff(&old, &new, self.scope, self.masker.reveals())
    }

    /// What differs in two values that are no objects. Of JSON that says the same in other bytes it is the text.
    fn values(&mut self, changed: &Changed<'_>, old: &Value, new: &Value) -> Vec<FieldChange> {
        let secret = is_secret_key(changed.key());
        let fields = self.masker.diff(old, new, Scope::ALL, secret);
        // A list may have Secrets in it: then all of its text is one.
        let secret = secret
            || [old, new]
                .iter()
                .any(|tree| self.masker.has_masked_parts(tree, false));
        let text = |record: Option<Record<'_>>, objects: &Objects<'_>| {
            Some(as_text(&objects.open(&record?).ok()?))
        };
        let texts = text(changed.old, self.old).zip(text(changed.new, self.new));
        match texts.filter(|_| fields.is_empty()) {
            Some((old, new)) => self.masker.diff(&old, &new, Scope::ALL, secret),
            None => fields,
        }
    }

    /// A record's value as a tree; one that stays encrypted or cannot be decoded is reported.
    fn decoded(&self, record: &Record<'_>, objects: &Objects<'_>) -> Decoded {
        let value = objects.open(record).map_err(|error| error.to_string())?;
        let decoded = self.masker.tree_of(&value, is_secret_key(record.key));
        decoded.map_err(|error| {
            objects.report_undecodable(record, &error);
            error.text_of(record.key)
        })
    }

    /// The tree with its secrets masked and without what is out of scope. A value that could not be decoded
    /// becomes a text that stands for its bytes; nothing says what they hold, so they are masked as a secret.
    fn masked(&mut self, record: &Record<'_>, decoded: Decoded) -> Value {
        match decoded {
            Ok(tree) => {
                let tree = if is_object(&tree) {
                    self.scope.narrowed(tree)
                } else {
                    tree
                };
                self.masker
                    .mask(&tree, is_secret_key(record.key))
                    .into_owned()
            }
            Err(reason) => {
                let mut map = serde_json::Map::new();
                match self.masker.mask_bytes(record.value) {
                    Some(mask) => drop(map.insert("value".to_owned(), mask.into())),
                    None => insert_text(&mut map, "value", record.value),
                }
                map.insert("undecodable".to_owned(), reason.into());
                Value::Object(map)
            }
        }
    }

    /// The whole object, secrets masked.
    pub fn shown(&mut self, record: &Record<'_>, objects: &Objects<'_>) -> Value {
        let decoded = self.decoded(record, objects);
        self.masked(record, decoded)
    }
}

impl<'a> Changed<'a> {
    /// An event as a change from the put before it.
    pub fn from_event(event: &Event<'a>) -> Self {
        let is_deletion = event.event_type == EventType::Delete;
        Self {
            key: Cow::Borrowed(event.record.key),
            change: match event.event_type {
                EventType::Create => Change::Created,
                EventType::Update => Change::Changed,
                EventType::Delete => Change::Deleted,
            },
            old: event.previous_record(),
            new: (!is_deletion).then_some(event.record),
            deleted_at: is_deletion.then_some(event.record.revision.main),
        }
    }
}

impl Changed<'_> {
    /// Its key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Whether it is there before and after.
    pub fn is_in_both(&self) -> bool {
        self.old.is_some() && self.new.is_some()
    }
}
