//! Which objects were deleted, when the deletion of each began, and which version is to be brought back.

use std::collections::HashSet;

use crate::etcd::{
    AtRevision, Events, KeyEntry, KeyedEvents, Keyspace, PlacedEvent, Record, Store,
};
use crate::k8s::Order;
use crate::k8s::catalog::{Catalog, Location};
use crate::k8s::decode::Note;
use crate::k8s::encrypt::Keyring;
use crate::k8s::object::is_object;
use crate::parallel::read_all;
use crate::query::left_out::LeftOut;
use crate::query::objects::{Objects, ReadValue};
use crate::query::value_reader::with_buffers;
use crate::source::Source;

use super::facts::{Facts, facts};
use super::helm;
use super::history::ObjectHistory;
use super::life::{Life, Open, Shown, is_evidence, live, lives};
use super::live_keys::LiveKeys;

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
pub struct Item {
    /// The key. It is a copy: the keys of all items are in pages all over the file.
    pub key: Box<[u8]>,
    /// The index of its version among [`Plan::versions`]: the last put before the deletion began, or else the last of
    /// all.
    pub version: usize,
    /// Whether that version was written before the deletion began, so that it is brought back.
    pub is_restored: bool,
    /// The main revision of its deletion. None if no record of the deletion is retained, or if the key exists.
    pub deleted_at: Option<i64>,
    /// The main revision at which its deletion began, and why then. None if only the deletion itself is known.
    pub began: Option<(i64, Cause)>,
    /// How many versions between the one that is brought back and the next known one are in no page.
    pub missing_after: i64,
    /// Whether every version that is known was written after the deletion began. The versions before it are in no page.
    pub is_late: bool,
    /// What the object is. None if the value is no object or cannot be read.
    pub facts: Option<Box<Facts>>,
    /// The parts of the object that have no name: fields that are not in the schema table, and bytes that are no
    /// message.
    pub nameless: Box<[Note]>,
    /// Why what is to be brought back cannot be read.
    pub unreadable: Option<Unreadable>,
    /// Whether the key was written again after this deletion.
    pub is_made_again: bool,
    /// Whether the key exists at the newest revision.
    pub exists: bool,
    /// Why it does not come back; none if it does.
    pub left_out: Option<LeftOut>,
}

impl Item {
    fn new(key: Box<[u8]>, version: usize) -> Self {
        Self {
            key,
            version,
            is_restored: true,
            deleted_at: None,
            began: None,
            missing_after: 0,
            is_late: false,
            facts: None,
            nameless: Box::default(),
            unreadable: None,
            is_made_again: false,
            exists: false,
            left_out: None,
        }
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
#[derive(Debug)]
pub struct Plan<'a> {
    /// What is to be brought back, in key order.
    pub items: Vec<Item>,
    /// The versions of the items.
    pub versions: Events<'a>,
    /// The keys that exist at the newest revision. Empty if a revision was asked for.
    pub live: LiveKeys<'a>,
}

/// How many items are read together: enough work for all cores, and little memory.
const BATCH: usize = 256;

/// How many keys are looked at together.
const KEYS: usize = 4096;

/// Lists what is to be brought back. `events` are those of the wanted keys and of others, if they were read already; without
/// those of the keys in `live`, which exist and were never deleted.
pub fn plan<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
    (events, live): (Option<&KeyedEvents<'a>>, LiveKeys<'a>),
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
            deleted(store, request, catalog, objects, history, (events, live))
        }
    };
    let is_read = |item: &&mut Item| !item.is_made_again || request.earlier == EarlierLives::Read;
    let versions = &plan.versions;
    let mut read: Vec<&mut Item> = plan.items.iter_mut().filter(is_read).collect();
    let mut known = HashSet::new();
    for batch in read.chunks_mut(BATCH) {
        let reader = objects.values();
        // On all cores, without findings. What fails here is read again below, one by one and in order, so that findings
        // are reported in the same order in every run.
        let quick = read_all(batch, |item| {
            let (tree, notes) = reader.tree_without_field_lists(&versions.placed(item.version)?)?;
            let facts = is_object(&tree).then(|| facts(&item.key, &tree, catalog, history));
            Some(facts.map(|facts| (facts, notes)))
        });
        objects.forget_read(batch.len());
        for (item, quick) in batch.iter_mut().zip(quick) {
            let quick = quick.unwrap_or_else(|| {
                let record = versions.get(item.version)?.record;
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
            if let Some((mut facts, notes)) = quick {
                facts.share(&mut known);
                item.facts = Some(Box::new(facts));
                item.nameless = notes.into();
            }
        }
    }
    plan
}

/// The keys that existed at a revision, for `--at`.
fn as_of<'a>(store: &Store<'a>, at: AtRevision, request: &Request<'_>) -> Plan<'a> {
    let live = Keyspace::at(store, at, |key| (request.wanted)(key)).live;
    let mut versions = Events::none(store);
    let item = |KeyEntry { key, record }| Item::new(key, versions.add(&record));
    Plan {
        items: live.into_iter().map(item).collect(),
        versions,
        live: LiveKeys::default(),
    }
}

/// The deletions of the wanted keys, in key order.
fn deleted<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
    (by_key, live): (&KeyedEvents<'a>, LiveKeys<'a>),
) -> Plan<'a> {
    let keyring = objects.keyring();
    let context = Context {
        store,
        request,
        catalog,
        history,
        reader: (keyring, objects.source()),
    };
    let mut plan = Plan {
        items: Vec::new(),
        versions: Events::none(store),
        live,
    };
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
        for ((_, key), KeyPlan { items, live }) in batch.iter().zip(read) {
            plan.items.extend(items.into_iter().map(|mut item| {
                item.version = plan.versions.add_from(by_key.events(), item.version);
                item
            }));
            if let Some(terminating) = live {
                plan.live.add(catalog.locate(key).as_ref());
                let record = terminating.map(|record| (Box::from(*key), *record));
                plan.live.terminating.extend(record);
            }
        }
    }
    if !store.additional().is_empty() {
        // A fold over the state alone finds other contradictions than one over the records of all origins.
        let live = Keyspace::at(store, AtRevision::HEAD, |key| (request.wanted)(key)).live;
        plan.live = LiveKeys::default();
        for KeyEntry { key, record } in &live {
            plan.live.add(catalog.locate(key).as_ref());
            if history.is_marked(key) {
                plan.live.terminating.insert(key.clone(), *record);
            }
        }
        let exists = |item: &Item| {
            let of_key = |entry: &KeyEntry<'a>| entry.key.cmp(&item.key);
            live.binary_search_by(of_key).is_ok()
        };
        for item in &mut plan.items {
            item.exists = exists(item);
        }
    }
    plan
}

/// What is planned for one key.
struct KeyPlan<'a> {
    /// The version of each is given by its index among all events.
    items: Vec<Item>,
    /// Whether the key exists at the newest revision, with its newest put if its object has a deletion timestamp.
    live: Option<Option<Box<Record<'a>>>>,
}

/// The data from which the deletion of a key is determined.
struct Context<'q, 'a> {
    store: &'q Store<'a>,
    request: &'q Request<'q>,
    catalog: &'q Catalog,
    history: &'q ObjectHistory,
    /// Reads values past `objects`, which is for one core.
    reader: (&'q Keyring, &'q Source),
}

impl<'a> Context<'_, 'a> {
    /// The newest put of a key, if its object has a deletion timestamp.
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
        let mut events = by_key.of_key(place);
        let live = live(self.store, &events);
        let read = |event: &PlacedEvent<'a>| by_key.read(event).map(|event| event.record);
        let live = live.map(|event| self.terminating(key, || read(&event)));
        events.retain(|event| {
            let placed = &event.placed;
            !self.store.is_after_state(placed.origin(), placed.revision)
        });
        let mut newest_first = events.iter().rev();
        let newest = newest_first.find(|event| is_evidence(self.store, event));
        let exists = newest.is_some_and(|event| !event.placed.tombstone);
        let lives = lives(&events);
        let last = lives.len().saturating_sub(1);
        let mut items = Vec::new();
        for (place, life) in lives.into_iter().enumerate() {
            let is_last = place == last;
            if is_last && exists {
                continue;
            }
            if is_last || self.request.earlier != EarlierLives::None {
                let item = with_buffers(|buffer, _| self.item(by_key, (key, &life), open, buffer));
                items.extend(item.map(|item| Item {
                    is_made_again: !is_last || exists,
                    exists: live.is_some(),
                    ..item
                }));
            }
        }
        KeyPlan { items, live }
    }

    /// What is known of a life that ended.
    fn item(
        &self,
        by_key: &KeyedEvents<'a>,
        (key, life): (&[u8], &Life<'a>),
        open: Open<'_, 'a>,
        buffer: &mut Vec<u8>,
    ) -> Option<Item> {
        let newest = life.puts.last()?;
        // If no page has the deletion, it happened between the last put and the compaction.
        let deleted = (
            life.deleted_at.unwrap_or(newest.placed.revision.main),
            life.deleted_at
                .unwrap_or_else(|| self.store.compact_revision()),
        );
        let (_, source) = self.reader;
        let copy = newest.placed.copy(source, buffer)?;
        let location = self.catalog.locate(key);
        let shown = self.shown(by_key, (&copy, life), location.as_ref(), open);
        let began = self.beginning(&shown, location.as_ref(), deleted);
        let (restored, is_late) = match began.filter(|_| !self.request.last) {
            Some((main, _)) => life.before(main),
            None => (Some(newest), false),
        };
        let mut item = Item::new(key.into(), restored.unwrap_or(newest).index);
        item.is_restored = restored.is_some();
        item.deleted_at = life.deleted_at;
        item.began = began;
        item.is_late = is_late;
        item.missing_after = life.missing_after(restored);
        Some(item)
    }

    /// What the versions of an object show about its deletion. `newest` is the last of them.
    fn shown(
        &self,
        by_key: &KeyedEvents<'a>,
        (newest, life): (&Record<'_>, &Life<'a>),
        location: Option<&Location<'_, '_>>,
        open: Open<'_, 'a>,
    ) -> Shown {
        if helm::is_release_key(newest.key) || self.history.has_encrypted() {
            let cluster = location.and_then(|location| location.cluster);
            Shown::read(life, by_key, cluster, open)
        } else {
            Shown::from_history((newest, life), self.history, self.reader)
        }
    }

    /// The main revision at which the deletion of an object began, and why then. It is inferred from the versions of
    /// the object, its namespace, its owners and its Helm release.
    fn beginning(
        &self,
        shown: &Shown,
        location: Option<&Location<'_, '_>>,
        deleted: (i64, i64),
    ) -> Option<(i64, Cause)> {
        let cluster = location.and_then(|location| location.cluster);
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
