//! All objects of a store, also those that the user did not ask for: which exist, when the others were deleted, and
//! which object owns which.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};

use serde_json::Value;

use crate::bbolt::Direction;
use crate::compact_map::CompactMap;
use crate::etcd::generation::Transition;
use crate::etcd::key_ids::{KeyId, KeyIds, KeyNumbers, to_u32, to_usize};
use crate::etcd::{
    AtRevision, EventChooser, EventFold, Generation, PassedRecord, Record, Revision, Store,
};
use crate::k8s::anchors::Times;
use crate::k8s::catalog::{Catalog, ClusterName, Namespace};
use crate::k8s::controlled::{self, OtherObjects, Reason};
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;
use crate::query::read_ahead::read_ahead;
use crate::query::timeline::{Seen, StillEncrypted, TimesFold};

use super::helm::{self, Release, Releases};
use super::live_keys::MarkedRecords;

/// Logical cluster, namespace and name.
type ServiceName = (ClusterName, String, String);

/// All objects of a store.
#[derive(Debug, Default)]
pub struct ObjectHistory {
    objects: Vec<Object>,
    /// The deletions of the objects that have one; see [`Object::deletion`].
    deletions: Vec<ObjectDeletion>,
    owners: Owners,
    /// The index in `objects` of each object.
    places: Places,
    /// The services with a selector.
    services: HashSet<ServiceName>,
    /// The deletions of each namespace, ordered by the revision at which they began.
    namespace_deletions: HashMap<Namespace, Vec<NamespaceDeletion>>,
    /// The namespaces that exist now and have no deletion timestamp.
    active_namespaces: HashSet<Namespace>,
    /// The keys whose newest object has a deletion timestamp.
    terminating_keys: HashSet<Box<[u8]>>,
    /// The revisions of the records whose object has a deletion timestamp, ascending.
    marks: Vec<Revision>,
    /// Whether a value is encrypted, decrypted by a key or not.
    has_encrypted: bool,
    /// The Helm releases.
    pub releases: Releases,
}

/// The index of each object, by the id of its logical cluster and uid. An object owns only objects of its own cluster.
#[derive(Debug, Default)]
struct Places {
    ids: KeyIds,
    numbers: KeyNumbers,
}

impl Places {
    fn get(&self, cluster: Option<&[u8]>, uid: &str) -> Option<usize> {
        self.numbers.get(id_of(&self.ids, cluster, uid))
    }
}

/// The id of the object with a uid in a logical cluster.
fn id_of(ids: &KeyIds, cluster: Option<&[u8]>, uid: &str) -> KeyId {
    match cluster {
        None => ids.of_parts(&[uid.as_bytes()]),
        Some(cluster) => ids.of_parts(&[cluster, uid.as_bytes()]),
    }
}

/// A main revision that may be unknown, in 8 bytes.
#[derive(Debug, Clone, Copy)]
struct MaybeMain(i64);

impl Default for MaybeMain {
    fn default() -> Self {
        None.into()
    }
}

impl From<Option<i64>> for MaybeMain {
    fn from(main: Option<i64>) -> Self {
        Self(main.unwrap_or(i64::MIN))
    }
}

impl MaybeMain {
    fn get(self) -> Option<i64> {
        (self.0 != i64::MIN).then_some(self.0)
    }
}

/// What the records show of one uid. A store has one for each object that it ever had.
#[derive(Debug, Default)]
struct Object {
    /// The index of its deletion in [`ObjectHistory::deletions`], counted from 1. 0 if it was not deleted and never had a
    /// deletion timestamp.
    deletion: u32,
    /// Its owners, in its newest version.
    owners: OwnerRange,
    /// How many keys it is stored under.
    keys: u32,
    /// Whether it exists now.
    exists: bool,
}

/// The deletion of an object.
#[derive(Debug, Default)]
struct ObjectDeletion {
    /// The first revision in which it has a deletion timestamp.
    marked: MaybeMain,
    /// The revision that deleted it.
    deleted_at: MaybeMain,
    /// The revision at which its deletion began, if that is known: it or its owner got a deletion timestamp, or was
    /// deleted.
    began: MaybeMain,
}

/// The owners of all objects, in one piece.
#[derive(Debug, Default)]
struct Owners(Vec<KeyId>);

/// The owners of one object: the index of the first, and their number.
#[derive(Debug, Default, Clone, Copy)]
struct OwnerRange(u32, u32);

impl Owners {
    fn get(&self, OwnerRange(first, count): OwnerRange) -> &[KeyId] {
        let rest = self.0.get(to_usize(first)..).unwrap_or_default();
        rest.get(..to_usize(count)).unwrap_or_default()
    }

    /// Sets the owners of an object.
    fn set(&mut self, range: &mut OwnerRange, owners: &[KeyId]) {
        if self.get(*range) != owners {
            *range = OwnerRange(to_u32(self.0.len()), to_u32(owners.len()));
            self.0.extend_from_slice(owners);
        }
    }
}

/// One deletion of a namespace: the revision at which it began, and the one at which it ended.
#[derive(Debug, Clone, Copy)]
struct NamespaceDeletion {
    from: i64,
    until: Option<i64>,
}

/// A namespace that exists at the record that is read.
struct OpenLife {
    generation: Generation,
    marked: Option<i64>,
}

/// The newest object under a key at the record that is read.
struct LastSeen {
    /// Its index in [`ObjectHistory::objects`].
    place: u32,
    /// Whether a record proves that it exists at the newest revision. A record from a freed page does not.
    is_proved: bool,
}

/// The ids of an object and of its owners.
struct Identity {
    own: KeyId,
    owners: Box<[KeyId]>,
}

impl Identity {
    /// None if the object has no uid.
    fn of(ids: &KeyIds, cluster: Option<&[u8]>, meta: &Meta<'_>) -> Option<Self> {
        let id = |uid: &str| id_of(ids, cluster, uid);
        (!meta.uid.is_empty()).then(|| Self {
            own: id(&meta.uid),
            owners: meta.owners.iter().map(|uid| id(uid)).collect(),
        })
    }
}

/// What the object of a record shows.
struct ObjectFacts {
    /// Whether it has a deletion timestamp.
    has_mark: bool,
    identity: Option<Identity>,
    /// Its name, if it is a service with a selector.
    service: Option<ServiceName>,
    release: Option<Release>,
}

impl ObjectFacts {
    fn new(
        key: &[u8],
        cluster: Option<&[u8]>,
        (value, meta): (&[u8], &Meta<'_>),
        ids: &KeyIds,
    ) -> Self {
        let is_service = meta.kind == "Service" && meta.api_version == "v1";
        let service = (is_service && has_selector(value)).then(|| {
            let (namespace, name) = (meta.namespace.to_string(), meta.name.to_string());
            (cluster.map(Into::into), namespace, name)
        });
        let is_release = helm::is_release_key(key);
        Self {
            has_mark: meta.deletion_time.is_some(),
            identity: Identity::of(ids, cluster, meta),
            service,
            release: is_release.then(|| Release::read(value, cluster)).flatten(),
        }
    }
}

/// A record that was read.
struct ReadRecord {
    /// The id of its key.
    key: KeyId,
    /// The namespace that its object is.
    namespace: Option<Namespace>,
    /// Whether its value is encrypted, decrypted by a key or not.
    is_encrypted: bool,
    /// None of a value that is no object, or is still encrypted.
    object: Option<ObjectFacts>,
    /// Its times, if they are collected.
    seen: Option<Seen>,
}

/// Reads records, from any thread.
struct RecordReader<'f> {
    keyring: &'f Keyring,
    catalog: &'f Catalog,
    ids: KeyIds,
    has_times: bool,
}

impl<'f> RecordReader<'f> {
    fn read(&self, record: &Record<'_>) -> ReadRecord {
        let location = self.catalog.locate(record.key);
        let cluster = location.and_then(|location| location.cluster);
        let opened = self.keyring.decrypt(record.key, record.value);
        let is_encrypted = !matches!(opened, Ok(Cow::Borrowed(_)));
        let (object, times) = match &opened {
            Ok(value) => {
                let (times, meta) = Times::read_with_meta(value).unzip();
                let facts = |meta| ObjectFacts::new(record.key, cluster, (value, meta), &self.ids);
                (meta.as_ref().map(facts), Ok(times))
            }
            Err(_) => (None, Err(StillEncrypted)),
        };
        ReadRecord {
            key: self.ids.of(record.key),
            namespace: location.and_then(|location| location.as_namespace()),
            is_encrypted,
            object,
            seen: self.has_times.then(|| Seen::new(record, times)),
        }
    }
}

/// The history up to a record.
struct Fold<'f, 'a> {
    store: &'f Store<'a>,
    history: ObjectHistory,
    last_seen: CompactMap<KeyId, LastSeen>,
    open: HashMap<Namespace, OpenLife>,
    marked: MarkedRecords<'a>,
}

impl<'a> Fold<'_, 'a> {
    /// Adds the next record, which has this key.
    fn add(&mut self, record: &Record<'a>, key: &[u8], read: ReadRecord) {
        let history = &mut self.history;
        history.has_encrypted |= read.is_encrypted;
        let has_mark = read.object.as_ref().is_some_and(|object| object.has_mark);
        if let Some(namespace) = read.namespace {
            history.see_namespace(record, namespace, has_mark, &mut self.open);
        }
        let is_proved = self.store.is_evidence_for(record, AtRevision::HEAD);
        if has_mark {
            history.marks.push(record.revision);
        }
        if is_proved && has_mark {
            self.marked.insert(key.into(), *record);
        } else if is_proved && !self.marked.is_empty() {
            self.marked.remove(key);
        }
        if record.tombstone {
            if let Some(was) = self.last_seen.remove(&read.key) {
                history.leave(was.place, Some(record.revision.main));
            }
            return;
        }
        let Some(object) = read.object else { return };
        if let Some(release) = object.release {
            history.releases.see(record.revision.main, release);
        }
        history.services.extend(object.service);
        if let Some(identity) = object.identity {
            let marked = has_mark.then_some(record.revision.main);
            let object = (read.key, identity);
            history.see_object(object, marked, is_proved, &mut self.last_seen);
        }
    }

    /// The history after the last record, with the newest records of the terminating keys.
    fn finish(mut self) -> (ObjectHistory, MarkedRecords<'a>) {
        for was in self.last_seen.into_values().filter(|was| was.is_proved) {
            if let Some(object) = self.history.objects.get_mut(to_usize(was.place)) {
                object.exists = true;
            }
        }
        for (namespace, life) in self.open {
            self.history.end_namespace(&namespace, life.marked, None);
            if life.marked.is_none() {
                self.history.active_namespaces.insert(namespace);
            }
        }
        self.history.marks.sort_unstable();
        self.history.follow_owners();
        self.history.terminating_keys = self.marked.keys().cloned().collect();
        (self.history, self.marked)
    }
}

impl ObjectHistory {
    /// Reads it, by one pass over the store. If `times` is given, the pass also collects the times of the records, and if
    /// `events` is given, the events. Both are only possible for the records of the state alone. Returns also the newest
    /// records of the keys whose newest object has a deletion timestamp.
    pub(in crate::query) fn read<'a>(
        store: &Store<'a>,
        keyring: &Keyring,
        catalog: &Catalog,
        mut times: Option<&mut TimesFold>,
        mut events: Option<(&EventChooser<'_, 'a>, &mut EventFold<'_, 'a>)>,
    ) -> (Self, MarkedRecords<'a>) {
        let mut fold = Fold {
            store,
            history: Self::default(),
            last_seen: CompactMap::default(),
            open: HashMap::new(),
            marked: MarkedRecords::new(),
        };
        let has_times = times.is_some();
        let is_read =
            |record: &Record<'_>| !store.is_newer_than_state(record) && !record.is_bump_mark();
        let reader = RecordReader {
            keyring,
            catalog,
            ids: fold.history.places.ids.clone(),
            has_times,
        };
        let mut add = |record: &Record<'a>, key: &[u8], mut read: ReadRecord| {
            let seen = read.seen.take();
            fold.add(record, key, read);
            if let (Some(times), Some(seen)) = (times.as_deref_mut(), seen) {
                times.add(seen);
            }
        };
        if store.additional().is_empty() {
            let (chooser, mut events) = events.take().unzip();
            let choose = |record: &PassedRecord<'_, 'a>| {
                let chosen = chooser.and_then(|chooser| chooser.choose(record));
                is_read(record).then(|| (record.in_map(), reader.read(record), chosen))
            };
            store.visit_records(choose, |(record, read, chosen), key| {
                add(&record, key, read);
                if let (Some(events), Some(chosen)) = (events.as_deref_mut(), chosen) {
                    events.add(&chosen, key);
                }
            });
        } else {
            let records = store.records(Direction::Forward).filter(is_read);
            let read = |record: &Record<'a>| reader.read(record);
            read_ahead(records, read, |record, read| add(&record, record.key, read));
        }
        fold.finish()
    }

    /// The id of the object with a uid in a logical cluster.
    pub(super) fn id_of(&self, cluster: Option<&[u8]>, uid: &str) -> KeyId {
        id_of(&self.places.ids, cluster, uid)
    }

    /// Whether the object of the record at a revision has a deletion timestamp.
    pub fn has_mark(&self, revision: Revision) -> bool {
        self.marks.binary_search(&revision).is_ok()
    }

    /// Whether the store has an encrypted value, decrypted by a key or not.
    pub fn has_encrypted(&self) -> bool {
        self.has_encrypted
    }

    /// Whether the object that exists under a key has a deletion timestamp.
    pub fn is_marked(&self, key: &[u8]) -> bool {
        self.terminating_keys.contains(key)
    }

    /// Adds the object of a record. `marked` is the revision of the record, if the object has a deletion timestamp.
    fn see_object(
        &mut self,
        (key, identity): (KeyId, Identity),
        marked: Option<i64>,
        is_proved: bool,
        last_seen: &mut CompactMap<KeyId, LastSeen>,
    ) {
        let place = self.places.numbers.add(identity.own);
        if place == self.objects.len() {
            self.objects.push(Object::default());
        }
        let before = last_seen.get_mut(&key);
        let is_same = before
            .as_ref()
            .is_some_and(|before| to_usize(before.place) == place);
        // A record from a freed page does not replace the object that the state has under the key.
        if let Some(before) = before.filter(|_| is_same) {
            before.is_proved |= is_proved;
        } else if is_proved || last_seen.get(&key).is_none_or(|before| !before.is_proved) {
            let seen = LastSeen {
                place: to_u32(place),
                is_proved,
            };
            let was = last_seen.insert(key, seen);
            // No page has the deletion of the object before, so its revision is not known.
            if let Some(was) = was {
                self.leave(was.place, None);
            }
            if let Some(object) = self.objects.get_mut(place) {
                object.keys = object.keys.saturating_add(1);
            }
        }
        if let Some(object) = self.objects.get_mut(place) {
            self.owners.set(&mut object.owners, &identity.owners);
        }
        if let Some(deletion) = marked.and_then(|_| self.deletion_mut(place)) {
            deletion.marked = deletion.marked.get().or(marked).into();
        }
    }

    /// The deletion of the object at a place. None if it was not deleted and never had a deletion timestamp.
    fn deletion(&self, object: &Object) -> Option<&ObjectDeletion> {
        self.deletions
            .get(to_usize(object.deletion).checked_sub(1)?)
    }

    /// The same to change it.
    fn deletion_mut(&mut self, place: usize) -> Option<&mut ObjectDeletion> {
        let object = self.objects.get_mut(place)?;
        if object.deletion == 0 {
            self.deletions.push(ObjectDeletion::default());
            object.deletion = to_u32(self.deletions.len());
        }
        let index = to_usize(object.deletion).checked_sub(1)?;
        self.deletions.get_mut(index)
    }

    /// The revision at which the deletion of an object began, by its own records alone, without those of its owners.
    fn own_deletion_began(&self, object: &Object) -> Option<i64> {
        let deletion = self.deletion(object)?;
        let deleted_at = deletion.deleted_at.get().filter(|_| !object.exists);
        deletion.marked.get().into_iter().chain(deleted_at).min()
    }

    /// Removes an object from a key, at a main revision if that is known. An object may be stored under several keys.
    fn leave(&mut self, place: u32, main: Option<i64>) {
        let place = to_usize(place);
        let Some(object) = self.objects.get_mut(place) else {
            return;
        };
        object.keys = object.keys.saturating_sub(1);
        let deleted_at = main.filter(|_| object.keys == 0);
        if (deleted_at.is_some() || object.deletion != 0)
            && let Some(deletion) = self.deletion_mut(place)
        {
            deletion.deleted_at = deleted_at.into();
        }
    }

    fn see_namespace(
        &mut self,
        record: &Record<'_>,
        namespace: Namespace,
        has_mark: bool,
        open: &mut HashMap<Namespace, OpenLife>,
    ) {
        let main = record.revision.main;
        let before = open.get(&namespace).map(|life| life.generation);
        let Some(generation) = Generation::after(record) else {
            let marked = open.remove(&namespace).and_then(|life| life.marked);
            self.end_namespace(&namespace, marked.or(Some(main)), Some(main));
            return;
        };
        if Transition::between(before, Some(generation)) == Transition::Replaces {
            // No page has its deletion.
            let marked = open.remove(&namespace).and_then(|life| life.marked);
            self.end_namespace(&namespace, marked, Some(main));
        }
        let life = open.entry(namespace).or_insert(OpenLife {
            generation,
            marked: None,
        });
        if has_mark {
            life.marked.get_or_insert(main);
        }
    }

    fn end_namespace(&mut self, namespace: &Namespace, from: Option<i64>, until: Option<i64>) {
        let Some(from) = from else { return };
        let deletions = self
            .namespace_deletions
            .entry(namespace.clone())
            .or_default();
        deletions.push(NamespaceDeletion { from, until });
    }

    /// Finds out at which revision the deletion of each object began. A garbage collector deletes an object when the
    /// last of its owners is deleted, so the deletion of an owner may be where it began. Objects are visited in the
    /// order of revisions: a chain of owners of any length is followed from its first owner.
    fn follow_owners(&mut self) {
        let mut nexts: BinaryHeap<Reverse<(i64, usize)>> = BinaryHeap::new();
        let mut waits_for: Vec<u32> = vec![0; self.objects.len()];
        let mut owned: HashMap<usize, Vec<usize>> = HashMap::new();
        for (place, object) in self.objects.iter().enumerate() {
            let Some(began) = self.own_deletion_began(object) else {
                continue;
            };
            nexts.push(Reverse((began, place)));
            let Some(owners) = self.places_of(self.owners.get(object.owners)) else {
                continue;
            };
            if let Some(waits) = waits_for.get_mut(place) {
                *waits = to_u32(owners.len());
            }
            for owner in owners {
                owned.entry(owner).or_default().push(place);
            }
        }
        while let Some(Reverse((began, place))) = nexts.pop() {
            let Some(deletion) = self.deletion_mut(place) else {
                continue;
            };
            if deletion.began.get().is_some() {
                continue;
            }
            deletion.began = Some(began).into();
            for owned in owned.remove(&place).unwrap_or_default() {
                let Some(waits) = waits_for.get_mut(owned) else {
                    continue;
                };
                *waits = waits.saturating_sub(1);
                if *waits == 0 {
                    nexts.push(Reverse((began, owned)));
                }
            }
        }
    }

    /// The indices of owners, each once. None if no record has one of the owners.
    fn places_of(&self, owners: &[KeyId]) -> Option<BTreeSet<usize>> {
        let places = owners.iter().map(|owner| self.places.numbers.get(*owner));
        places.collect()
    }

    /// The revision from which an object of these owners, in their logical cluster, is garbage: that at which the
    /// deletion of the last owner began. None if the object has no owner, if one of them exists, or if it is not known
    /// when the deletion of one of them began.
    pub fn owners_deleted(&self, cluster: Option<&[u8]>, uids: &[impl AsRef<str>]) -> Option<i64> {
        let began = uids
            .iter()
            .map(|uid| self.object_deletion(cluster, uid.as_ref())?.began.get());
        let began: Vec<i64> = began.collect::<Option<_>>()?;
        began.into_iter().max()
    }

    /// The revision at which the deletion of a namespace began that also deleted an object between two revisions. None
    /// if the namespace was not being deleted then.
    pub fn namespace_deleted(&self, namespace: &Namespace, deleted: (i64, i64)) -> Option<i64> {
        let namespace_deletions = self.namespace_deletions.get(namespace)?;
        let is_within = |deletion: &&NamespaceDeletion| {
            deletion.from <= deleted.1 && deletion.until.is_none_or(|until| deleted.0 <= until)
        };
        namespace_deletions
            .iter()
            .find(is_within)
            .map(|deletion| deletion.from)
    }

    /// The main revision at which the last deletion of a namespace began, if it was not created again.
    pub fn final_deletion(&self, namespace: &Namespace) -> Option<i64> {
        let is_active = self.active_namespaces.contains(namespace);
        let last = self.namespace_deletions.get(namespace)?.last();
        last.filter(|_| !is_active).map(|last| last.from)
    }

    /// The namespaces that exist and have a deletion timestamp, with the revision that set it.
    pub fn terminating(&self) -> impl Iterator<Item = (&Namespace, i64)> {
        self.namespace_deletions
            .iter()
            .filter_map(|(namespace, deletions)| {
                let last = deletions.last().filter(|last| last.until.is_none())?;
                let is_active = self.active_namespaces.contains(namespace);
                (!is_active).then_some((namespace, last.from))
            })
    }

    /// The first revision in which the object of this uid, in a logical cluster, has a deletion timestamp.
    pub fn marked(&self, cluster: Option<&[u8]>, uid: &str) -> Option<i64> {
        self.object_deletion(cluster, uid)?.marked.get()
    }

    /// Whether an object of this uid exists in a logical cluster.
    pub fn lives(&self, cluster: Option<&[u8]>, uid: &str) -> bool {
        self.object(cluster, uid)
            .is_some_and(|object| object.exists)
    }

    fn object_deletion(&self, cluster: Option<&[u8]>, uid: &str) -> Option<&ObjectDeletion> {
        self.deletion(self.object(cluster, uid)?)
    }

    fn object(&self, cluster: Option<&[u8]>, uid: &str) -> Option<&Object> {
        self.objects.get(self.places.get(cluster, uid)?)
    }

    /// Why an object of a logical cluster need not be brought back. None if it has to be.
    pub fn reason(&self, object: &Value, cluster: Option<&[u8]>) -> Option<Reason> {
        let others = OtherObjects {
            is_known: &|uid| self.places.get(cluster, uid).is_some(),
            has_service: &|namespace, name| {
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                let service = (cluster.map(Into::into), namespace, name);
                self.services.contains(&service)
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
