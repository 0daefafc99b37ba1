//! What is gone, when its deletion began, and which version is to be brought back.

use std::collections::BTreeMap;

use crate::etcd::{
    AtRevision, Event, EventType, Events, Generation, KeyEntry, Keyspace, Record, Store,
};
use crate::k8s::Order;
use crate::k8s::catalog::{Catalog, Location};
use crate::k8s::decode::Note;
use crate::k8s::meta::Meta;
use crate::query::left_out::LeftOut;
use crate::query::objects::{Objects, ReadValue};

use super::facts::{Facts, facts};
use super::helm;
use super::history::ObjectHistory;

/// Why a deletion began when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The object was told to go.
    Itself,
    /// Its namespace was.
    Namespace,
    /// What owns it was.
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

/// A key that is gone, or, as of a revision, was there.
#[derive(Debug)]
pub struct Item<'a> {
    /// The key.
    pub key: &'a [u8],
    /// The main revision of its deletion; none where it is known only that it is gone, or where it is not.
    pub deleted_at: Option<i64>,
    /// The main revision at which its deletion began, where something before the deletion tells it.
    pub began: Option<(i64, Cause)>,
    /// The last put before that, with the put before it: what is brought back.
    pub restored: Option<Event<'a>>,
    /// How many versions between the one that is brought back and the next known one are in no page.
    pub missing_behind: i64,
    /// The last put of all.
    pub last: Record<'a>,
    /// Whether all that is known of it is from after the deletion began: what was before is in no page.
    pub is_late: bool,
    /// What the object is; none of what is no object, or cannot be read.
    pub facts: Option<Facts>,
    /// What of the object has no name: fields that are not in the schema table, and bytes that are no message.
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
            key: last.key,
            deleted_at: None,
            began: None,
            restored,
            missing_behind: 0,
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
    /// It is encrypted, and no key opens it.
    Encrypted,
    /// It is not what it begins like.
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

/// What was asked for.
pub struct Request<'q> {
    /// Which keys.
    pub wanted: &'q dyn Fn(&[u8]) -> bool,
    /// The last version of all, not the last before the deletion began.
    pub last: bool,
    /// All that was there at this revision, instead of what is gone.
    pub at: Option<AtRevision>,
    /// Earlier lives of keys that were written again. Else the last deletion of each key that does not exist.
    pub earlier: EarlierLives,
}

/// What is asked for of earlier lives of keys that were written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EarlierLives {
    /// Nothing.
    None,
    /// Which there were; their objects are not read.
    Unread,
    /// All that is known of a deleted object.
    Read,
}

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
        None => gone(store, request, catalog, objects, history),
    };
    let is_read =
        |item: &&mut Item<'_>| !item.is_made_again || request.earlier == EarlierLives::Read;
    for item in items.iter_mut().filter(is_read) {
        let record = item.newest();
        match objects.read(&record, Order::Declared.into()) {
            ReadValue::Object(tree, notes) => {
                item.facts = Some(facts(item.key, &tree, catalog, history));
                item.nameless = notes;
            }
            ReadValue::Plain => {}
            ReadValue::Encrypted(_) => item.unreadable = Some(Unreadable::Encrypted),
            ReadValue::Undecodable(_) => item.unreadable = Some(Unreadable::Damaged),
        }
    }
    items
}

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

fn gone<'a>(
    store: &Store<'a>,
    request: &Request<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    history: &ObjectHistory,
) -> Vec<Item<'a>> {
    let events = Events::read(store, |key| (request.wanted)(key));
    let mut by_key: BTreeMap<&[u8], Vec<Event<'a>>> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| !store.is_newer_than_state(&event.record))
    {
        by_key.entry(event.record.key).or_default().push(event);
    }
    let context = Context {
        store,
        request,
        catalog,
        objects,
        history,
    };
    let mut items = Vec::new();
    for events in by_key.into_values() {
        let telling = events
            .iter()
            .rev()
            .find(|event| store.is_evidence_for(&event.record, AtRevision::HEAD));
        let is_there = telling.is_some_and(|event| !event.record.tombstone);
        let lives = lives(&events);
        let last = lives.len().saturating_sub(1);
        for (place, life) in lives.into_iter().enumerate() {
            let is_last = place == last;
            if is_last && is_there {
                continue;
            }
            if is_last || request.earlier != EarlierLives::None {
                let item = context.item(&life);
                items.extend(item.map(|item| Item {
                    is_made_again: !is_last || is_there,
                    ..item
                }));
            }
        }
    }
    items
}

/// One life of a key: its puts, and the main revision that ended it, where that is known.
struct Life<'a> {
    puts: Vec<Event<'a>>,
    deleted_at: Option<i64>,
}

/// The lives of a key, oldest first. One whose puts are in no page is none.
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

/// What the deletion of a key is worked out from.
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
        // A deletion that is in no page happened between the last put and the compaction.
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
        item.missing_behind = missing_behind(&life.puts, item.restored.as_ref());
        Some(item)
    }
}

/// When the deletion of an object began, by what is known before it ended, and why then.
fn beginning(
    life: &[Event<'_>],
    location: Option<&Location<'_, '_>>,
    deleted: (i64, i64),
    objects: &Objects<'_>,
    history: &ObjectHistory,
) -> Option<(i64, Cause)> {
    let cluster = location.and_then(|location| location.cluster);
    let mut told = None;
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
            told = told.or(Some(event.record.revision.main));
        }
        owners = meta.owners.iter().map(|uid| uid.to_string()).collect();
        if helm::is_release_key(event.record.key) {
            let release = helm::Release::read(&value, cluster);
            let goes = release.is_some_and(|release| helm::is_uninstall(&release.status));
            uninstalled = goes.then(|| uninstalled.unwrap_or(event.record.revision.main));
        }
    }
    let itself = told.map(|main| (main, Cause::Itself));
    let by_release = uninstalled.map(|main| (main, Cause::Release));
    let namespace = location.and_then(Location::namespace_of);
    let by_namespace = namespace.and_then(|namespace| history.namespace_went(&namespace, deleted));
    let by_namespace = by_namespace.map(|main| (main, Cause::Namespace));
    // Of two that began together the first named counts.
    let first = itself
        .into_iter()
        .chain(by_namespace)
        .chain(by_release)
        .min_by_key(|began| began.0);
    let end = first.map_or(deleted.1, |began| began.0);
    let by_owner = history
        .owners_went(cluster, &owners)
        .filter(|main| *main < end);
    by_owner.map(|main| (main, Cause::Owner)).or(first)
}

/// The last version before a deletion began, or else the first that is known of an object that was there before;
/// and whether it is that one. None of an object that was made while the deletion went on.
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
fn missing_behind(life: &[Event<'_>], restored: Option<&Event<'_>>) -> i64 {
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
