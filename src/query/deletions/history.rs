//! All objects of a store, asked for or not: which exist, when the others were deleted, and which object owns which.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use serde_json::Value;

use crate::bbolt::Direction;
use crate::etcd::generation::Transition;
use crate::etcd::{AtRevision, Generation, Record, Store};
use crate::k8s::catalog::Catalog;
use crate::k8s::controlled::{self, Others, Reason};
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;

use super::helm::{self, Releases};

/// All objects of a store.
#[derive(Debug, Default)]
pub struct ObjectHistory {
    objects: Vec<Object>,
    /// By uid, the place in `objects`.
    places: HashMap<Box<str>, usize>,
    /// Namespace and name of services with a selector.
    services: HashSet<(String, String)>,
    /// By the name of the namespace, in the order of their beginnings.
    namespace_deletions: HashMap<Box<[u8]>, Vec<NamespaceDeletion>>,
    /// The namespaces that exist at the end and have no deletion timestamp.
    namespaces_there: HashSet<Box<[u8]>>,
    /// Keys whose last object has a deletion timestamp.
    keys_marked: HashSet<Box<[u8]>>,
    /// The Helm releases.
    pub releases: Releases,
}

/// What was seen of one uid.
#[derive(Debug, Default)]
struct Object {
    /// How many keys it is stored under.
    keys: usize,
    /// Whether it exists at the end.
    is_there: bool,
    /// The first revision in which it has a deletion timestamp.
    marked: Option<i64>,
    /// The revision that deleted it.
    gone: Option<i64>,
    /// The uids of its owners, as of the last that was seen of it.
    owners: Vec<Box<str>>,
    /// The revision at which its deletion began, if that is known: it or its owner got a deletion timestamp, or was
    /// deleted.
    went: Option<i64>,
}

impl Object {
    /// From when it was going by what is known of itself.
    fn went_by_itself(&self) -> Option<i64> {
        let gone = self.gone.filter(|_| !self.is_there);
        self.marked.into_iter().chain(gone).min()
    }
}

/// One deletion of a namespace: from when it was going, and when it was gone.
#[derive(Debug, Clone, Copy)]
struct NamespaceDeletion {
    from: i64,
    until: Option<i64>,
}

/// The life of a namespace that was not seen to end yet.
struct OpenLife {
    generation: Generation,
    marked: Option<i64>,
}

/// The last that was seen under a key.
struct LastSeen {
    place: usize,
    /// Whether it tells of what is there.
    tells: bool,
}

/// The name of the namespace that a key is of; none of any other key.
pub fn namespace_name<'k>(key: &'k [u8], catalog: &Catalog) -> Option<&'k [u8]> {
    let location = catalog.locate(key)?;
    let is_namespace =
        location.resource.plural == "namespaces" && location.resource.group().is_empty();
    is_namespace.then_some(location.name)
}

impl ObjectHistory {
    /// Reads it, by one pass over the store.
    pub fn read(store: &Store<'_>, keyring: &Keyring, catalog: &Catalog) -> Self {
        let mut history = Self::default();
        let mut last_seen: HashMap<Box<[u8]>, LastSeen> = HashMap::new();
        let mut open: HashMap<Box<[u8]>, OpenLife> = HashMap::new();
        for record in store.records(Direction::Forward) {
            if store.is_newer_than_state(&record) || record.is_bump_mark() {
                continue;
            }
            let opened = keyring.open(record.key, record.value);
            let meta = opened.as_ref().ok().and_then(|value| Meta::read(value));
            if let Some(name) = namespace_name(record.key, catalog) {
                history.see_namespace(&record, name, meta.as_ref(), &mut open);
            }
            let tells = store.is_evidence_for(&record, AtRevision::HEAD);
            if tells {
                history.mark_key(record.key, meta.as_ref());
            }
            if record.tombstone {
                if let Some(was) = last_seen.remove(record.key) {
                    history.leave(was.place, Some(record.revision.main));
                }
                continue;
            }
            let Some(meta) = meta else { continue };
            if helm::is_release_key(record.key) {
                let value = opened.as_deref().unwrap_or_default();
                history.releases.see(record.revision.main, value);
            }
            if meta.kind == "Service"
                && meta.api_version == "v1"
                && opened.as_ref().is_ok_and(|value| has_selector(value))
            {
                let name = (meta.namespace.to_string(), meta.name.to_string());
                history.services.insert(name);
            }
            if !meta.uid.is_empty() {
                history.see_object(&record, &meta, tells, &mut last_seen);
            }
        }
        for was in last_seen.into_values().filter(|was| was.tells) {
            if let Some(object) = history.objects.get_mut(was.place) {
                object.is_there = true;
            }
        }
        for (name, life) in open {
            history.end_namespace(&name, life.marked, None);
            if life.marked.is_none() {
                history.namespaces_there.insert(name);
            }
        }
        history.follow_owners();
        history
    }

    fn mark_key(&mut self, key: &[u8], meta: Option<&Meta<'_>>) {
        if meta.is_some_and(|meta| meta.deletion_time.is_some()) {
            self.keys_marked.insert(key.into());
        } else {
            self.keys_marked.remove(key);
        }
    }

    /// Whether the object that exists under a key has a deletion timestamp.
    pub fn is_marked(&self, key: &[u8]) -> bool {
        self.keys_marked.contains(key)
    }

    /// An object stands under the key of a record.
    fn see_object(
        &mut self,
        record: &Record<'_>,
        meta: &Meta<'_>,
        tells: bool,
        last_seen: &mut HashMap<Box<[u8]>, LastSeen>,
    ) {
        let place = match self.places.get(&*meta.uid) {
            Some(place) => *place,
            None => {
                let place = self.objects.len();
                self.places.insert((&*meta.uid).into(), place);
                self.objects.push(Object::default());
                place
            }
        };
        let before = last_seen.get(record.key);
        let is_same = before.is_some_and(|before| before.place == place);
        // What freed pages hold says nothing of a key that the state has.
        if !is_same && (tells || before.is_none_or(|before| !before.tells)) {
            let was = last_seen.insert(record.key.into(), LastSeen { place, tells });
            // Its deletion is in no page: when it went is not known.
            if let Some(was) = was {
                self.leave(was.place, None);
            }
            if let Some(object) = self.objects.get_mut(place) {
                object.keys = object.keys.saturating_add(1);
            }
        } else if let Some(last_seen) = last_seen.get_mut(record.key).filter(|_| is_same) {
            last_seen.tells |= tells;
        }
        if let Some(object) = self.objects.get_mut(place) {
            if meta.deletion_time.is_some() {
                object.marked.get_or_insert(record.revision.main);
            }
            object.owners = meta.owners.iter().map(|uid| (&**uid).into()).collect();
        }
    }

    /// An object stands under one key less; at which revision, where that is known.
    fn leave(&mut self, place: usize, main: Option<i64>) {
        if let Some(object) = self.objects.get_mut(place) {
            object.keys = object.keys.saturating_sub(1);
            object.gone = main.filter(|_| object.keys == 0);
        }
    }

    fn see_namespace(
        &mut self,
        record: &Record<'_>,
        name: &[u8],
        meta: Option<&Meta<'_>>,
        open: &mut HashMap<Box<[u8]>, OpenLife>,
    ) {
        let main = record.revision.main;
        let before = open.get(name).map(|life| life.generation);
        let Some(generation) = Generation::after(record) else {
            let marked = open.remove(name).and_then(|life| life.marked);
            self.end_namespace(name, marked.or(Some(main)), Some(main));
            return;
        };
        if Transition::between(before, Some(generation)) == Transition::Replaces {
            // Its deletion is in no page.
            let marked = open.remove(name).and_then(|life| life.marked);
            self.end_namespace(name, marked, Some(main));
        }
        let life = open.entry(name.into()).or_insert(OpenLife {
            generation,
            marked: None,
        });
        if meta.is_some_and(|meta| meta.deletion_time.is_some()) {
            life.marked.get_or_insert(main);
        }
    }

    fn end_namespace(&mut self, name: &[u8], from: Option<i64>, until: Option<i64>) {
        let Some(from) = from else { return };
        let namespace_deletions = self.namespace_deletions.entry(name.into()).or_default();
        namespace_deletions.push(NamespaceDeletion { from, until });
    }

    /// Of each object that went: whether it went with the last of its owners, and so from when. In the order of
    /// revisions, so that each chain of owners is followed from its beginning, however long.
    fn follow_owners(&mut self) {
        let mut nexts: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
        let mut waits_for: Vec<usize> = vec![0; self.objects.len()];
        let mut owned: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, object) in self.objects.iter().enumerate() {
            let Some(went) = object.went_by_itself() else {
                continue;
            };
            nexts.push(Reverse((went, place)));
            let Some(owners) = self.places_of(&object.owners) else {
                continue;
            };
            if let Some(waits) = waits_for.get_mut(place) {
                *waits = owners.len();
            }
            for owner in owners {
                owned.entry(owner).or_default().push(place);
            }
        }
        while let Some(Reverse((went, place))) = nexts.pop() {
            let Some(object) = self.objects.get_mut(place) else {
                continue;
            };
            if object.went.is_some() {
                continue;
            }
            object.went = Some(went);
            for owned in owned.remove(&place).unwrap_or_default() {
                let Some(waits) = waits_for.get_mut(owned) else {
                    continue;
                };
                *waits = waits.saturating_sub(1);
                if *waits == 0 {
                    nexts.push(Reverse((went, owned)));
                }
            }
        }
    }

    /// The places of owners, each once; none where one of them was never seen.
    fn places_of(&self, uids: &[Box<str>]) -> Option<BTreeSet<usize>> {
        uids.iter()
            .map(|uid| self.places.get(uid).copied())
            .collect()
    }

    /// The revision from which an object of these owners is garbage: from when the last of them was going. None
    /// where it has no owner, or one of them stayed, or it is not known of all when they went.
    pub fn owners_went(&self, uids: &[impl AsRef<str>]) -> Option<i64> {
        let went = uids.iter().map(|uid| self.object(uid.as_ref())?.went);
        let went: Vec<i64> = went.collect::<Option<_>>()?;
        went.into_iter().max()
    }

    /// From when the namespace of an object was going that was deleted between two revisions; none where the
    /// deletion was none of its namespace's.
    pub fn namespace_went(&self, name: &[u8], deleted: (i64, i64)) -> Option<i64> {
        let namespace_deletions = self.namespace_deletions.get(name)?;
        let is_within = |deletion: &&NamespaceDeletion| {
            deletion.from <= deleted.1 && deletion.until.is_none_or(|until| deleted.0 <= until)
        };
        namespace_deletions
            .iter()
            .find(is_within)
            .map(|deletion| deletion.from)
    }

    /// The main revision at which the last deletion of a namespace began, if it was not created again.
    pub fn final_deletion(&self, name: &[u8]) -> Option<i64> {
        let is_there = self.namespaces_there.contains(name);
        let last = self.namespace_deletions.get(name)?.last();
        last.filter(|_| !is_there).map(|last| last.from)
    }

    /// The namespaces that exist and have a deletion timestamp, with the revision that set it.
    pub fn terminating(&self) -> impl Iterator<Item = (&[u8], i64)> {
        self.namespace_deletions
            .iter()
            .filter_map(|(name, deletions)| {
                let last = deletions.last().filter(|last| last.until.is_none())?;
                let is_there = self.namespaces_there.contains(name);
                (!is_there).then_some((&**name, last.from))
            })
    }

    /// The first revision in which the object of this uid has a deletion timestamp.
    pub fn marked(&self, uid: &str) -> Option<i64> {
        self.object(uid)?.marked
    }

    /// Whether an object of this uid is there.
    pub fn lives(&self, uid: &str) -> bool {
        self.object(uid).is_some_and(|object| object.is_there)
    }

    fn object(&self, uid: &str) -> Option<&Object> {
        self.objects.get(*self.places.get(uid)?)
    }

    /// Why an object need not be brought back; none where it must be.
    pub fn reason(&self, object: &Value) -> Option<Reason> {
        let others = Others {
            is_known: &|uid| self.places.contains_key(uid),
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
        let selector = tree.pointer("/spec/selector").and_then(Value::as_object);
        selector.is_some_and(|selector| !selector.is_empty())
    })
}
