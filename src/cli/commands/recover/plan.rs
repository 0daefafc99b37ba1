//! What is gone, when its deletion began, and which version is to be brought back.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::bbolt::Direction;
use crate::cli::objects::{Objects, Told};
use crate::etcd::{AtRevision, Event, Events, Keyspace, Record, Store};
use crate::k8s::Order;
use crate::k8s::apply_order::rank;
use crate::k8s::catalog::Catalog;
use crate::k8s::controlled::{self, Others, Reason};
use crate::k8s::encrypt::Keyring;
use crate::k8s::manifest::text;
use crate::k8s::meta::Meta;
use crate::k8s::schema::is_known;

/// Why a deletion began when it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The object was told to go.
    Itself,
    /// Its namespace was.
    Namespace,
    /// What owns it was.
    Owner,
}

impl Cause {
    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "object",
            Self::Namespace => "namespace",
            Self::Owner => "owner",
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
    /// What the object is; none of what is no object, or cannot be read.
    pub facts: Option<Facts>,
}

/// What an object is.
#[derive(Debug)]
pub struct Facts {
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its kind.
    pub kind: String,
    /// Its namespace; empty where it lies in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    uid: String,
    /// The uids of what owns it.
    owners: Vec<String>,
    /// Why it need not be brought back.
    pub reason: Option<Reason>,
    /// Whether a CustomResourceDefinition defines its kind.
    pub is_custom: bool,
    /// Its place in the order of making.
    rank: u32,
    /// How many owners it has above each other that are brought back as well.
    depth: u32,
}

/// What was asked for.
pub struct Ask<'q> {
    /// Which keys.
    pub wanted: &'q dyn Fn(&[u8]) -> bool,
    /// The last version of all, not the last before the deletion began.
    pub last: bool,
    /// All that was there at this revision, instead of what is gone.
    pub at: Option<AtRevision>,
}

/// What is known of all objects of a store.
pub struct World {
    /// Hashes of all uids that were ever seen.
    known: HashSet<u64>,
    /// Hashes of the uids of what is there.
    alive: HashSet<u64>,
    /// Namespace and name of services with a selector.
    services: HashSet<(String, String)>,
}

fn hash_of(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

impl World {
    /// Reads it, by two passes over the store.
    pub fn of(store: &Store<'_>, keyring: &Keyring) -> Self {
        let mut world = Self {
            known: HashSet::new(),
            alive: HashSet::new(),
            services: HashSet::new(),
        };
        for record in store
            .records(Direction::Forward)
            .filter(|record| !record.tombstone)
        {
            let Ok(value) = keyring.open(record.key, record.value) else {
                continue;
            };
            let Some(meta) = Meta::read(&value) else {
                continue;
            };
            world.known.insert(hash_of(&meta.uid));
            if meta.kind == "Service" && meta.api_version == "v1" && has_selector(&value) {
                let name = (meta.namespace.into_owned(), meta.name.into_owned());
                world.services.insert(name);
            }
        }
        for entry in Keyspace::at(store, AtRevision::HEAD, |_| true).live {
            if let Ok(value) = keyring.open(&entry.key, entry.record.value)
                && let Some(meta) = Meta::read(&value)
            {
                world.alive.insert(hash_of(&meta.uid));
            }
        }
        world
    }

    /// Whether an object of this uid is there.
    pub fn lives(&self, uid: &str) -> bool {
        self.alive.contains(&hash_of(uid))
    }

    fn reason(&self, object: &Value) -> Option<Reason> {
        let others = Others {
            is_known: &|uid| self.known.contains(&hash_of(uid)),
            has_service: &|namespace, name| {
                self.services
                    .contains(&(namespace.to_owned(), name.to_owned()))
            },
        };
        controlled::reason(object, &others)
    }
}

fn has_selector(value: &[u8]) -> bool {
    crate::k8s::object::tree_of(value).is_ok_and(|(tree, _)| {
        let selector = tree.get("spec").and_then(|spec| spec.get("selector"));
        selector
            .and_then(Value::as_object)
            .is_some_and(|selector| !selector.is_empty())
    })
}

/// When a namespace was told to go, and when it was gone.
#[derive(Debug, Clone, Copy)]
struct Going {
    from: i64,
    until: Option<i64>,
}

/// Lists what is to be brought back, in key order.
pub fn plan<'a>(
    store: &Store<'a>,
    ask: &Ask<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
    world: &World,
) -> Vec<Item<'a>> {
    let mut items = match ask.at {
        Some(at) => as_of(store, at, ask),
        None => gone(store, ask, catalog, objects),
    };
    for item in &mut items {
        let record = item.restored.map_or(item.last, |event| event.record);
        if let Told::Object(tree, _) = objects.read(&record, Order::Declared.into()) {
            item.facts = Some(facts(item.key, &tree, catalog, world));
        }
    }
    if ask.at.is_none() && !ask.last {
        let events = Events::of(store, |key| (ask.wanted)(key));
        follow_owners(&mut items, &events);
    }
    items
}

fn as_of<'a>(store: &Store<'a>, at: AtRevision, ask: &Ask<'_>) -> Vec<Item<'a>> {
    let live = Keyspace::at(store, at, |key| (ask.wanted)(key)).live;
    let item = |entry: crate::etcd::KeyEntry<'a>| Item {
        key: entry.record.key,
        deleted_at: None,
        began: None,
        restored: Some(Event {
            record: entry.record,
            event_type: crate::etcd::EventType::of(&entry.record),
            previous: None,
        }),
        missing_behind: 0,
        last: entry.record,
        facts: None,
    };
    live.into_iter().map(item).collect()
}

fn gone<'a>(
    store: &Store<'a>,
    ask: &Ask<'_>,
    catalog: &Catalog,
    objects: &Objects<'_>,
) -> Vec<Item<'a>> {
    let namespace_of = |key: &[u8]| {
        let location = catalog.locate(key)?;
        let is_it =
            location.resource.plural == "namespaces" && location.resource.group().is_empty();
        is_it.then(|| location.name.to_vec())
    };
    let events = Events::of(store, |key| {
        (ask.wanted)(key) || namespace_of(key).is_some()
    });
    let mut by_key: BTreeMap<&[u8], Vec<Event<'a>>> = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| !store.is_beyond(&event.record))
    {
        by_key.entry(event.record.key).or_default().push(event);
    }
    let began = |events: &[Event<'a>]| first_told_to_go(events, objects);
    let mut going: HashMap<Vec<u8>, Vec<Going>> = HashMap::new();
    for (key, events) in &by_key {
        if let Some(name) = namespace_of(key) {
            going.insert(name, goings(events, &began));
        }
    }
    let mut items = Vec::new();
    for (key, events) in by_key {
        let wanted = (ask.wanted)(key);
        let telling = events
            .iter()
            .rev()
            .find(|event| store.tells_of(&event.record, AtRevision::HEAD));
        let is_there = telling.is_some_and(|event| !event.record.tombstone);
        let Some(last) = events.iter().rposition(|event| !event.record.tombstone) else {
            continue;
        };
        if !wanted || is_there {
            continue;
        }
        let (puts, behind) = events.split_at(last.saturating_add(1));
        let deleted_at = behind.first().map(|event| event.record.revision.main);
        let Some(newest) = puts.last() else { continue };
        let newest = newest.record;
        let is_of_life = |event: &&Event<'a>| {
            !event.record.tombstone && event.record.create_revision == newest.create_revision
        };
        let life: Vec<Event<'a>> = puts.iter().filter(is_of_life).copied().collect();
        let itself = began(&life).map(|main| (main, Cause::Itself));
        let namespace = catalog.locate(key).and_then(|location| location.namespace);
        let goings = namespace.and_then(|namespace| going.get(namespace));
        let by_namespace = goings.into_iter().flatten().find(|going| {
            let behind = deleted_at.is_none_or(|deleted| going.from <= deleted);
            behind
                && going
                    .until
                    .is_none_or(|until| deleted_at.is_none_or(|deleted| deleted <= until))
        });
        let by_namespace = by_namespace.map(|going| (going.from, Cause::Namespace));
        let began = itself
            .into_iter()
            .chain(by_namespace)
            .min_by_key(|began| began.0);
        let restored = match began {
            Some((main, _)) if !ask.last => life
                .iter()
                .rev()
                .find(|event| event.record.revision.main < main)
                .copied(),
            _ => life.last().copied(),
        };
        items.push(Item {
            key,
            deleted_at,
            began,
            restored,
            missing_behind: missing_behind(&life, restored.as_ref()),
            last: newest,
            facts: None,
        });
    }
    items
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

/// The first put that says that the object was told to go.
fn first_told_to_go(events: &[Event<'_>], objects: &Objects<'_>) -> Option<i64> {
    let told = |event: &&Event<'_>| {
        let Ok(value) = objects.open(&event.record) else {
            return false;
        };
        !event.record.tombstone
            && Meta::read(&value).is_some_and(|meta| meta.deletion_time.is_some())
    };
    events
        .iter()
        .find(told)
        .map(|event| event.record.revision.main)
}

/// The deletions of a namespace, each life of it at most one.
fn goings<'a>(events: &[Event<'a>], began: &impl Fn(&[Event<'a>]) -> Option<i64>) -> Vec<Going> {
    let mut goings = Vec::new();
    let mut lives = events.split_inclusive(|event| event.record.tombstone);
    for life in &mut lives {
        let until = life.last().filter(|event| event.record.tombstone);
        let until = until.map(|event| event.record.revision.main);
        if let Some(from) = began(life).or(until) {
            goings.push(Going { from, until });
        }
    }
    goings
}

fn facts(key: &[u8], tree: &Value, catalog: &Catalog, world: &World) -> Facts {
    let metadata = tree.get("metadata");
    let owners = metadata.and_then(|metadata| metadata.get("ownerReferences"));
    let owners = owners.and_then(Value::as_array).into_iter().flatten();
    let location = catalog.locate(key);
    let group = controlled::group(tree).to_owned();
    let kind = text(tree, &["kind"]).to_owned();
    let is_extension = matches!(
        group.as_str(),
        "apiextensions.k8s.io" | "apiregistration.k8s.io"
    );
    let is_custom = !is_extension && !is_known(text(tree, &["apiVersion"]), &kind);
    let namespaced = !text(tree, &["metadata", "namespace"]).is_empty();
    Facts {
        rank: rank(&group, &kind, namespaced, is_custom),
        is_custom,
        group,
        kind,
        namespace: text(tree, &["metadata", "namespace"]).to_owned(),
        name: text(tree, &["metadata", "name"]).to_owned(),
        uid: text(tree, &["metadata", "uid"]).to_owned(),
        owners: owners
            .map(|owner| text(owner, &["uid"]).to_owned())
            .collect(),
        reason: world
            .reason(tree)
            .or_else(|| location.is_none().then_some(Reason::Internal)),
        depth: 0,
    }
}

/// Where an owner went first, what it owns began to go then.
fn follow_owners<'a>(items: &mut [Item<'a>], events: &Events<'a>) {
    let mut went: HashMap<String, i64> = HashMap::new();
    for item in items.iter() {
        let from = item.began.map(|began| began.0).or(item.deleted_at);
        if let (Some(facts), Some(from)) = (&item.facts, from) {
            went.insert(facts.uid.clone(), from);
        }
    }
    let mut later: HashMap<&[u8], (usize, i64, i64)> = HashMap::new();
    for (place, item) in items.iter_mut().enumerate() {
        let Some(facts) = &item.facts else { continue };
        let by_owner = facts
            .owners
            .iter()
            .filter_map(|uid| went.get(uid))
            .min()
            .copied();
        let now = item
            .began
            .map(|began| began.0)
            .or(item.deleted_at)
            .unwrap_or(i64::MAX);
        if let Some(from) = by_owner.filter(|from| *from < now) {
            item.began = Some((from, Cause::Owner));
            item.restored = None;
            later.insert(item.key, (place, from, item.last.create_revision));
        }
    }
    for event in events.iter().filter(|event| !event.record.tombstone) {
        let record = &event.record;
        if let Some((place, from, create)) = later.get(record.key)
            && record.create_revision == *create
            && record.revision.main < *from
            && let Some(item) = items.get_mut(*place)
        {
            item.restored = Some(event);
        }
    }
}

/// Puts items into the order in which they are to be made: owners before what they own.
pub fn sort_for_apply(items: &mut [Item<'_>]) {
    let places: HashMap<String, usize> = items
        .iter()
        .enumerate()
        .filter_map(|(place, item)| Some((item.facts.as_ref()?.uid.clone(), place)))
        .collect();
    /// No chain of owners is longer.
    const DEEPEST: u32 = 16;
    for _ in 0..DEEPEST {
        let mut changed = false;
        for place in 0..items.len() {
            let owners = items.get(place).and_then(|item| item.facts.as_ref());
            let owners = owners.map_or(&[][..], |facts| &facts.owners);
            let above = owners
                .iter()
                .filter_map(|uid| items.get(*places.get(uid)?)?.facts.as_ref())
                .map(|owner| (owner.rank, owner.depth))
                .max();
            let own = items.get_mut(place).and_then(|item| item.facts.as_mut());
            let (Some((rank, depth)), Some(own)) = (above, own) else {
                continue;
            };
            let behind = depth.saturating_add(1);
            if (own.rank, own.depth) <= (rank, depth) && own.depth < DEEPEST {
                (own.rank, own.depth) = (own.rank.max(rank), behind);
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    let place = |item: &Item<'_>| match &item.facts {
        Some(facts) => (facts.rank, facts.depth),
        None => (u32::MAX, 0),
    };
    items.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.key.cmp(b.key)));
}
