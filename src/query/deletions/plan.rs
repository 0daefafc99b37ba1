//! Which objects were deleted, when the deletion of each began, and which version is to be brought back.

use std::borrow::Cow;

use crate::etcd::{
    AtRevision, Event, EventType, Events, Generation, KeyEntry, KeyedEvents, Keyspace, Record,
    Store,
};
use crate::k8s::Order;
use crate::k8s::catalog::{Catalog, Location};
use crate::k8s::decode::Note;
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;
use crate::k8s::object::{is_object, tree_with};
use crate::parallel::read_all;
use crate::query::left_out::LeftOut;
use crate::query::objects::{Objects, ReadValue};

use super::facts::{Facts, facts};
use super::helm;
use super::history::ObjectHistory;

/// Why a deletion began when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A client asked for the deletion of the object itself.
    Itself,
    /// Its namespace was deleted.
    Namespace,
    /// Its owner was deleted.
    Owner,
    /// Its Helm release was uninstalled.
    Release,
}

impl Cause {
    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "object",
            Self::Namespace => "namespace",
            Self::Owner => "owner",
            Self::Release => "uninstall",
        }
    }
}

/// A key that was deleted; or one that existed at a revision, if a revision was asked for.
#[derive(Debug)]
pub struct Item<'a> {
    /// The key. It is a copy: the keys of all items are in pages all over the file.
    pub key: Box<[u8]>,
    /// The main revision of its deletion. None if no record of the deletion is retained, or if the key exists.
    pub deleted_at: Option<i64>,
    /// The main revision at which its deletion began, and why then. None if only the deletion itself is known.
    pub began: Option<(i64, Cause)>,
    /// The last put before the deletion began, with the put before it: the version that is brought back.
    pub restored: Option<Event<'a>>,
    /// How many versions between the one that is brought back and the next known one are in no page.
    pub missing_after: i64,
    /// The last put of all.
    pub last: Record<'a>,
    /// Whether every version that is known was written after the deletion began. The versions before it are in no page.
    pub is_late: bool,
    /// What the object is. None if the value is no object or cannot be read.
    pub facts: Option<Facts>,
    /// The parts of the object that have no name: fields that are not in the schema table, and bytes that are no
    /// message.
    pub nameless: Vec<Note>,
    /// Why what is to be brought back cannot be read.
    pub unreadable: Option<Unreadable>,
    /// Whether the key was written again after this deletion.
    pub is_made_again: bool,
    /// Why it does not come back; none if it does.
    pub left_out: Option<LeftOut>,
}

impl<'a> Item<'a> {
    fn new(last: Record<'a>, restored: Option<Event<'a>>) -> Self {
        Self {
            key: last.key.into(),
            deleted_at: None,
            began: None,
            restored,
            missing_after: 0,
            last,
            is_late: false,
            facts: None,
            nameless: Vec::new(),
            unreadable: None,
            is_made_again: false,
            left_out: None,
        }
    }

    /// The version that comes back, or else the last of all.
    pub fn newest(&self) -> Record<'a> {
        self.restored.map_or(self.last, |event| event.record)
    }
}

/// Why a value cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is encrypted, and no key that was given decrypts it.
    Encrypted,
    /// It begins like an object, and cannot be decoded.
    Damaged,
}

impl Unreadable {
    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Encrypted => "encrypted",
            Self::Damaged => "damaged",
        }
    }
}

/// Which deletions are asked for.
pub struct Request<'q> {
    /// Which keys.
    pub wanted: &'q (dyn Fn(&[u8]) -> bool + Sync),
    /// Bring back the very last version, not the last one before the deletion began.
    pub last: bool,
    /// Everything that existed at this revision, instead of what was deleted.
    pub at: Option<AtRevision>,
    /// What to do with deletions of keys that were written again. The last deletion of each key that does not exist is
    /// always listed.
    pub earlier: EarlierLives,
}

/// What is listed of the earlier lives of keys that were written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierLives {
    /// Nothing.
    None,
    /// That they existed; their objects are not read.
    Unread,
    /// All that is known of a deleted object.
    Read,
}

impl EarlierLives {
    /// They are read if a range was asked for.
    pub fn if_range(has_range: bool) -> Self {
        match has_range {
            true => Self::Read,
            false => Self::Unread,
        }
    }
}

/// What is to be brought back, and what exists of what was asked for.
#[derive(Debug, Default)]
pub struct Plan<'a> {
    /// What is to be brought back, in key order.
    pub items: Vec<Item<'a>>,
    /// The live keys at the newest revision, ascending. Empty if a revision was asked for.
    pub live: Vec<LiveKey<'a>>,
}

/// A key that exists at the newest revision.
#[derive(Debug)]
pub struct LiveKey<'a> {
    /// The key.
    pub key: Box<[u8]>,
    /// Its newest put, if its object has a deletion timestamp.
    pub terminating: Option<Box<Record<'a>>>,
}

/// How many items are read together: enough work for all cores, and little memory.
const BATCH: usize = 256;

/// How many keys are looked at together.
const KEYS: usize = 4096;

/// Lists what is to be brought back. `events` are those of the wanted keys and of others, if they were read already.
pub fn plan<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
    events: Option<&KeyedEvents<'a>>,
) -> Plan<'a> {
    let mut plan = match request.at {
        Some(at) => as_of(store, at, request),
        None => {
            let read;
            let events = match events {
                Some(events) => events,
                None => {
                    read = Events::read_by_key(store, |key| (request.wanted)(key));
                    &read
                }
            };
            deleted(store, request, catalog, objects, history, events)
        }
    };
    let is_read =
        |item: &&mut Item<'_>| !item.is_made_again || request.earlier == EarlierLives::Read;
    let mut read: Vec<&mut Item<'a>> = plan.items.iter_mut().filter(is_read).collect();
    for batch in read.chunks_mut(BATCH) {
        let reader = objects.values();
        // On all cores, without findings. What fails here is read again below, one by one and in order, so that findings
        // are reported in the same order in every run.
        let quick = read_all(batch, |item| {
            let (record, mut buffer) = (item.newest(), Vec::new());
            let record = reader.copy(&record, &mut buffer);
            let value = reader.decrypt(&record).ok()?;
            let (tree, notes) = tree_with(&value, Order::Declared).ok()?;
            let facts = is_object(&tree).then(|| facts(&item.key, &tree, catalog, history));
            Some(facts.map(|facts| (facts, notes)))
        });
        objects.forget_read(batch.len());
        for (item, quick) in batch.iter_mut().zip(quick) {
            let quick = quick.unwrap_or_else(|| {
                let record = item.newest();
                match objects.read(&record, Order::Declared.into()) {
                    ReadValue::Object(tree, notes) => {
                        return Some((facts(&item.key, &tree, catalog, history), notes));
                    }
                    ReadValue::Plain => {}
                    ReadValue::Encrypted(_) => item.unreadable = Some(Unreadable::Encrypted),
                    ReadValue::Undecodable(_) => item.unreadable = Some(Unreadable::Damaged),
                }
                None
            });
            if let Some((facts, notes)) = quick {
                item.facts = Some(facts);
                item.nameless = notes;
            }
        }
    }
    plan
}

/// The keys that existed at a revision, for `--at`.
fn as_of<'a>(store: &Store<'a>, at: AtRevision, request: &Request<'_>) -> Plan<'a> {
    let live = Keyspace::at(store, at, |key| (request.wanted)(key)).live;
    let item = |entry: KeyEntry<'a>| {
        let event = Event {
            record: entry.record,
            event_type: EventType::from_record(&entry.record),
            previous: None,
        };
        Item::new(entry.record, Some(event))
    };
    Plan {
        items: live.into_iter().map(item).collect(),
        live: Vec::new(),
    }
}

/// The deletions of the wanted keys, in key order.
fn deleted<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
    by_key: &KeyedEvents<'a>,
) -> Plan<'a> {
    let keyring = objects.keyring();
    let context = Context {
        store,
        request,
        catalog,
        history,
        keyring,
    };
    let mut plan = Plan::default();
    let keys = by_key.keys().enumerate();
    let keys: Vec<(usize, &[u8])> = keys.filter(|(_, key)| (request.wanted)(key)).collect();
    for batch in keys.chunks(KEYS) {
        let read: Vec<KeyPlan<'a>> = if history.has_encrypted() {
            // Values that stay encrypted are reported in the order of keys.
            let open = |record: &Record<'a>| objects.open(record).ok();
            let keys = batch.iter();
            keys.map(|(place, key)| context.of_key(by_key, (*place, key), &open))
                .collect()
        } else {
            let open = |record: &Record<'a>| keyring.decrypt(record.key, record.value).ok();
            read_all(batch, |(place, key)| {
                context.of_key(by_key, (*place, key), &open)
            })
        };
        let before = plan.items.len();
        for ((_, key), KeyPlan { items, live }) in batch.iter().zip(read) {
            plan.items.extend(items);
            plan.live.extend(live.map(|terminating| LiveKey {
                key: (*key).into(),
                terminating,
            }));
        }
        objects.forget_read(plan.items.len().saturating_sub(before));
    }
    if !store.additional().is_empty() {
        // A fold over the state alone finds other contradictions than one over the records of all origins.
        let live = Keyspace::at(store, AtRevision::HEAD, |key| (request.wanted)(key)).live;
        let live = live.into_iter().map(|KeyEntry { key, record }| LiveKey {
            terminating: context.terminating(&key, || Some(record)),
            key,
        });
        plan.live = live.collect();
    }
    plan
}

/// What is planned for one key.
struct KeyPlan<'a> {
    items: Vec<Item<'a>>,
    /// As [`LiveKey::terminating`]; none if the key does not exist at the newest revision.
    live: Option<Option<Box<Record<'a>>>>,
}

/// The value of a key at the newest revision, from its events. None if the key does not exist.
pub fn live<'a>(store: &Store<'a>, events: &[Event<'a>]) -> Option<Record<'a>> {
    let records = events.iter().map(|event| event.record);
    let evidence = records.filter(|record| store.is_evidence_for(record, AtRevision::HEAD));
    // In a damaged file the walk may not follow the order of revisions.
    let newest = evidence.max_by_key(|record| record.revision);
    newest.filter(|record| !record.tombstone)
}

/// One life of a key: its puts, and the main revision of its deletion, if that is known.
struct Life<'a> {
    puts: Vec<Event<'a>>,
    deleted_at: Option<i64>,
}

/// The lives of a key, oldest first. A life without a put in any page is left out.
fn lives<'a>(events: &[Event<'a>]) -> Vec<Life<'a>> {
    let mut lives: Vec<Life<'a>> = Vec::new();
    for event in events {
        let Some(generation) = Generation::after(&event.record) else {
            // The first tombstone after a put ended it.
            if let Some(life) = lives.last_mut() {
                life.deleted_at.get_or_insert(event.record.revision.main);
            }
            continue;
        };
        let continues = lives.last().is_some_and(|life| {
            let of_life = life.puts.last();
            of_life.is_some_and(|put| generation.contains(&put.record))
        });
        match lives.last_mut().filter(|_| continues) {
            Some(life) => life.puts.push(*event),
            None => lives.push(Life {
                puts: vec![*event],
                deleted_at: None,
            }),
        }
    }
    lives
}

/// The data from which the deletion of a key is determined.
struct Context<'q, 'a> {
    store: &'q Store<'a>,
    request: &'q Request<'q>,
    catalog: &'q Catalog,
    history: &'q ObjectHistory,
    keyring: &'q Keyring,
}

/// Decrypts the value of a record. None if it stays encrypted.
type Open<'o, 'a> = &'o dyn Fn(&Record<'a>) -> Option<Cow<'a, [u8]>>;

impl<'a> Context<'_, 'a> {
    /// As [`LiveKey::terminating`]. `record` is only called for an object that has a deletion timestamp.
    fn terminating(
        &self,
        key: &[u8],
        record: impl FnOnce() -> Option<Record<'a>>,
    ) -> Option<Box<Record<'a>>> {
        let is_marked = self.history.is_marked(key);
        is_marked.then(record).flatten().map(Box::new)
    }

    /// What is planned for the key at a place.
    fn of_key(
        &self,
        by_key: &KeyedEvents<'a>,
        (place, key): (usize, &[u8]),
        open: Open<'_, 'a>,
    ) -> KeyPlan<'a> {
        // Most keys exist and were never deleted. Their records are not read.
        if self.store.additional().is_empty() && by_key.has_one_life(place) {
            return KeyPlan {
                items: Vec::new(),
                live: Some(self.terminating(key, || by_key.last(place))),
            };
        }
        let mut events = by_key.of_key(place);
        let live = live(self.store, &events);
        let live = live.map(|record| self.terminating(key, || Some(record)));
        events.retain(|event| !self.store.is_newer_than_state(&event.record));
        let newest = events
            .iter()
            .rev()
            .find(|event| self.store.is_evidence_for(&event.record, AtRevision::HEAD));
        let exists = newest.is_some_and(|event| !event.record.tombstone);
        let lives = lives(&events);
        let last = lives.len().saturating_sub(1);
        let mut items = Vec::new();
        for (place, life) in lives.into_iter().enumerate() {
            let is_last = place == last;
            if is_last && exists {
                continue;
            }
            if is_last || self.request.earlier != EarlierLives::None {
                let item = self.item(&life, open);
                items.extend(item.map(|item| Item {
                    is_made_again: !is_last || exists,
                    ..item
                }));
            }
        }
        KeyPlan { items, live }
    }

    /// What is known of a life that ended.
    fn item(&self, life: &Life<'a>, open: Open<'_, 'a>) -> Option<Item<'a>> {
        let newest = life.puts.last().map(|event| event.record)?;
        // If no page has the deletion, it happened between the last put and the compaction.
        let deleted = (
            life.deleted_at.unwrap_or(newest.revision.main),
            life.deleted_at
                .unwrap_or_else(|| self.store.compact_revision()),
        );
        let location = self.catalog.locate(newest.key);
        let began = self.beginning(&life.puts, location.as_ref(), deleted, open);
        let mut item = Item::new(newest, life.puts.last().copied());
        item.deleted_at = life.deleted_at;
        item.began = began;
        if let Some((main, _)) = began.filter(|_| !self.request.last) {
            (item.restored, item.is_late) = before(&life.puts, main);
        }
        item.missing_after = missing_after(&life.puts, item.restored.as_ref());
        Some(item)
    }

    /// The main revision at which the deletion of an object began, and why then. It is inferred from the versions of
    /// the object, its namespace, its owners and its Helm release.
    fn beginning(
        &self,
        life: &[Event<'a>],
        location: Option<&Location<'_, '_>>,
        deleted: (i64, i64),
        open: Open<'_, 'a>,
    ) -> Option<(i64, Cause)> {
        let cluster = location.and_then(|location| location.cluster);
        let is_release = life
            .first()
            .is_some_and(|event| helm::is_release_key(event.record.key));
        let shown = if is_release || self.history.has_encrypted() {
            Shown::read(life, cluster, open)
        } else {
            Shown::from_history(life, self.history, self.keyring)
        };
        let itself = shown.marked.map(|main| (main, Cause::Itself));
        let by_release = shown.uninstalled.map(|main| (main, Cause::Release));
        let namespace = location.and_then(Location::namespace_of);
        let by_namespace =
            namespace.and_then(|namespace| self.history.namespace_deleted(&namespace, deleted));
        let by_namespace = by_namespace.map(|main| (main, Cause::Namespace));
        // If two causes have the same revision, the first one in this list counts.
        let first = itself
            .into_iter()
            .chain(by_namespace)
            .chain(by_release)
            .min_by_key(|began| began.0);
        let end = first.map_or(deleted.1, |began| began.0);
        let by_owner = self
            .history
            .owners_deleted(cluster, &shown.owners)
            .filter(|main| *main < end);
        by_owner.map(|main| (main, Cause::Owner)).or(first)
    }
}

/// What the versions of an object show about its deletion.
#[derive(Debug, Default, PartialEq, Eq)]
struct Shown {
    /// The first main revision with a deletion timestamp.
    marked: Option<i64>,
    /// The first main revision of the last versions in which it is an uninstalled Helm release.
    uninstalled: Option<i64>,
    /// The uids of its owners, in the newest version.
    owners: Vec<String>,
}

impl Shown {
    /// Reads all versions.
    fn read<'a>(life: &[Event<'a>], cluster: Option<&[u8]>, open: Open<'_, 'a>) -> Self {
        let mut shown = Self::default();
        for event in life {
            let Some(value) = open(&event.record) else {
                continue;
            };
            let Some(meta) = Meta::read(&value) else {
                continue;
            };
            let main = event.record.revision.main;
            if meta.deletion_time.is_some() {
                shown.marked = shown.marked.or(Some(main));
            }
            shown.owners = meta.owners.iter().map(|uid| uid.to_string()).collect();
            if helm::is_release_key(event.record.key) {
                let release = helm::Release::read(&value, cluster);
                let is_uninstall =
                    release.is_some_and(|release| helm::is_uninstall(&release.status));
                shown.uninstalled = is_uninstall.then(|| shown.uninstalled.unwrap_or(main));
            }
        }
        shown
    }

    /// The same for an object that is no Helm release: the history has read which versions have a deletion timestamp,
    /// so only the newest version is read.
    fn from_history(life: &[Event<'_>], history: &ObjectHistory, keyring: &Keyring) -> Self {
        let records = || life.iter().map(|event| &event.record);
        let marked = records().find(|record| history.has_mark(record));
        let owners = records().rev().find_map(|record| {
            let value = keyring.decrypt(record.key, record.value).ok()?;
            let meta = Meta::read(&value)?;
            Some(meta.owners.iter().map(|uid| uid.to_string()).collect())
        });
        Self {
            marked: marked.map(|record| record.revision.main),
            uninstalled: None,
            owners: owners.unwrap_or_default(),
        }
    }
}

/// The last version before a deletion began. If that is not retained, the first one that is known, and true. None if
/// the object was created after the deletion began.
fn before<'a>(life: &[Event<'a>], began: i64) -> (Option<Event<'a>>, bool) {
    let known = life
        .iter()
        .rev()
        .find(|event| event.record.revision.main < began);
    let first = life
        .first()
        .filter(|event| event.record.create_revision < began);
    match (known, first) {
        (Some(event), _) => (Some(*event), false),
        (None, Some(event)) => (Some(*event), true),
        (None, None) => (None, false),
    }
}

/// How many versions are missing between a put and the next known one of its life.
fn missing_after(life: &[Event<'_>], restored: Option<&Event<'_>>) -> i64 {
    let Some(restored) = restored.map(|event| event.record) else {
        return 0;
    };
    let next = life
        .iter()
        .find(|event| event.record.revision > restored.revision);
    next.map_or(0, |next| {
        let between = next.record.version.saturating_sub(restored.version);
        between.saturating_sub(1).max(0)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use crate::diag::Diagnostics;
    use crate::query::catalog::read_full;
    use crate::source::Source;

    use super::*;

    fn stored<'a>(record: &Record<'a>) -> Option<Cow<'a, [u8]>> {
        Some(Cow::Borrowed(record.value))
    }

    #[test]
    fn the_history_shows_of_a_deletion_what_all_versions_show() {
        let healthy = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/healthy/k8s");
        let (mut compared, mut marked, mut owned) = (0, 0, 0);
        for name in ["before", "after"].map(|name| format!("{name}.db")) {
            let source = Source::open(healthy.join(name)).unwrap();
            let (diagnostics, keyring) = (Diagnostics::new(), Keyring::default());
            let store = Store::open(&source, &diagnostics).unwrap();
            let catalog = read_full(&[(&store, AtRevision::HEAD)], &keyring);
            let history = ObjectHistory::read(&store, &keyring, &catalog, None, None);
            let by_key = Events::read_by_key(&store, |_| true);
            for place in 0..by_key.keys().len() {
                for life in lives(&by_key.of_key(place)) {
                    let shown = Shown::from_history(&life.puts, &history, &keyring);
                    compared += 1;
                    marked += usize::from(shown.marked.is_some());
                    owned += usize::from(!shown.owners.is_empty());
                    let expected = Shown::read(&life.puts, None, &stored);
                    assert_eq!(shown, expected);
                }
            }
        }
        assert!(
            compared > 100 && marked > 0 && owned > 0,
            "{compared} {marked} {owned}"
        );
    }
}
