//! Which objects were deleted, when the deletion of each began, and which version is to be brought back.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::etcd::{
    AtRevision, Event, EventType, Events, Generation, KeyEntry, Keyspace, Record, Store,
};
use crate::k8s::Order;
use crate::k8s::catalog::{Catalog, Location};
use crate::k8s::decode::Note;
use crate::k8s::meta::Meta;
use crate::k8s::object::{is_object, tree_with};
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

/// How many items are read together: enough work for all cores, and little memory.
const BATCH: usize = 256;

/// Lists what is to be brought back, in key order.
pub fn plan<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
) -> Vec<Item<'a>> {
    let mut items = match request.at {
        Some(at) => as_of(store, at, request),
        None => deleted(store, request, catalog, objects, history),
    };
    let is_read =
        |item: &&mut Item<'_>| !item.is_made_again || request.earlier == EarlierLives::Read;
    let mut read: Vec<&mut Item<'a>> = items.iter_mut().filter(is_read).collect();
    for batch in read.chunks_mut(BATCH) {
        let keyring = objects.keyring();
        // On all cores, without findings. What fails here is read again below, one by one and in order, so that findings
        // are reported in the same order in every run.
        let quick = batch.par_iter().map(|item| {
            let record = item.newest();
            let value = keyring.decrypt(record.key, record.value).ok()?;
            let (tree, notes) = tree_with(&value, Order::Declared).ok()?;
            let facts = is_object(&tree).then(|| facts(&item.key, &tree, catalog, history));
            Some(facts.map(|facts| (facts, notes)))
        });
        let quick: Vec<_> = quick.collect();
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
    items
}

/// The keys that existed at a revision, for `--at`.
fn as_of<'a>(store: &Store<'a>, at: AtRevision, request: &Request<'_>) -> Vec<Item<'a>> {
    let live = Keyspace::at(store, at, |key| (request.wanted)(key)).live;
    let item = |entry: KeyEntry<'a>| {
        let event = Event {
            record: entry.record,
            event_type: EventType::from_record(&entry.record),
            previous: None,
        };
        Item::new(entry.record, Some(event))
    };
    live.into_iter().map(item).collect()
}

/// The deletions of the wanted keys, in key order.
fn deleted<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
) -> Vec<Item<'a>> {
    let events = Events::read(store, |key| (request.wanted)(key));
    // The key is a copy: comparing keys in the map would touch pages all over the file.
    let mut by_key: HashMap<Box<[u8]>, Vec<usize>> = HashMap::new();
    for (place, event) in events.iter().enumerate() {
        let record = &event.record;
        if store.is_newer_than_state(record) {
            continue;
        }
        match by_key.get_mut(record.key) {
            Some(of_key) => of_key.push(place),
            None => drop(by_key.insert(record.key.into(), vec![place])),
        }
        objects.forget_passed(record);
    }
    let mut by_key: Vec<(Box<[u8]>, Vec<usize>)> = by_key.into_iter().collect();
    by_key.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let context = Context {
        store,
        request,
        catalog,
        objects,
        history,
    };
    let mut items = Vec::new();
    for (_, of_key) in by_key {
        let of_key = of_key.into_iter();
        let events: Vec<Event<'a>> = of_key.filter_map(|place| events.get(place)).collect();
        let newest = events
            .iter()
            .rev()
            .find(|event| store.is_evidence_for(&event.record, AtRevision::HEAD));
        let exists = newest.is_some_and(|event| !event.record.tombstone);
        let lives = lives(&events);
        let last = lives.len().saturating_sub(1);
        for (place, life) in lives.into_iter().enumerate() {
            let is_last = place == last;
            if is_last && exists {
                continue;
            }
            if is_last || request.earlier != EarlierLives::None {
                let item = context.item(&life);
                items.extend(item.map(|item| Item {
                    is_made_again: !is_last || exists,
                    ..item
                }));
            }
        }
    }
    items
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
    objects: &'q Objects<'q>,
    history: &'q ObjectHistory,
}

impl Context<'_, '_> {
    /// What is known of a life that ended.
    fn item<'a>(&self, life: &Life<'a>) -> Option<Item<'a>> {
        let newest = life.puts.last().map(|event| event.record)?;
        // If no page has the deletion, it happened between the last put and the compaction.
        let deleted = (
            life.deleted_at.unwrap_or(newest.revision.main),
            life.deleted_at
                .unwrap_or_else(|| self.store.compact_revision()),
        );
        let location = self.catalog.locate(newest.key);
        let began = beginning(
            &life.puts,
            location.as_ref(),
            deleted,
            self.objects,
            self.history,
        );
        let mut item = Item::new(newest, life.puts.last().copied());
        item.deleted_at = life.deleted_at;
        item.began = began;
        if let Some((main, _)) = began.filter(|_| !self.request.last) {
            (item.restored, item.is_late) = before(&life.puts, main);
        }
        item.missing_after = missing_after(&life.puts, item.restored.as_ref());
        Some(item)
    }
}

/// The main revision at which the deletion of an object began, and why then. It is inferred from the versions of the
/// object, its namespace, its owners and its Helm release.
fn beginning(
    life: &[Event<'_>],
    location: Option<&Location<'_, '_>>,
    deleted: (i64, i64),
    objects: &Objects<'_>,
    history: &ObjectHistory,
) -> Option<(i64, Cause)> {
    let cluster = location.and_then(|location| location.cluster);
    let mut marked = None;
    let mut uninstalled = None;
    let mut owners: Vec<String> = Vec::new();
    for event in life {
        let Ok(value) = objects.open(&event.record) else {
            continue;
        };
        let Some(meta) = Meta::read(&value) else {
            continue;
        };
        if meta.deletion_time.is_some() {
            marked = marked.or(Some(event.record.revision.main));
        }
        owners = meta.owners.iter().map(|uid| uid.to_string()).collect();
        if helm::is_release_key(event.record.key) {
            let release = helm::Release::read(&value, cluster);
            let is_uninstall = release.is_some_and(|release| helm::is_uninstall(&release.status));
            uninstalled = is_uninstall.then(|| uninstalled.unwrap_or(event.record.revision.main));
        }
    }
    let itself = marked.map(|main| (main, Cause::Itself));
    let by_release = uninstalled.map(|main| (main, Cause::Release));
    let namespace = location.and_then(Location::namespace_of);
    let by_namespace =
        namespace.and_then(|namespace| history.namespace_deleted(&namespace, deleted));
    let by_namespace = by_namespace.map(|main| (main, Cause::Namespace));
    // If two causes have the same revision, the first one in this list counts.
    let first = itself
        .into_iter()
        .chain(by_namespace)
        .chain(by_release)
        .min_by_key(|began| began.0);
    let end = first.map_or(deleted.1, |began| began.0);
    let by_owner = history
        .owners_deleted(cluster, &owners)
        .filter(|main| *main < end);
    by_owner.map(|main| (main, Cause::Owner)).or(first)
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
