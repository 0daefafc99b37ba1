//! What is gone, when its deletion began, and which version is to be brought back.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::etcd::{
    AtRevision, Event, EventType, Events, Generation, KeyEntry, Keyspace, Record, Store,
};
use crate::k8s::Order;
use crate::k8s::apply_order::rank;
use crate::k8s::catalog::{Catalog, Location};
use crate::k8s::controlled::{self, Reason};
use crate::k8s::manifest::text;
use crate::k8s::meta::Meta;
use crate::k8s::object::is_secret_key;
use crate::k8s::schema::is_known;
use crate::named::NameField;
use crate::query::objects::{Objects, ReadValue};

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
    /// Whether all that is known of it is from after the deletion began: what was before is in no page.
    pub is_late: bool,
    /// What the object is; none of what is no object, or cannot be read.
    pub facts: Option<Facts>,
    /// Why what is to be brought back cannot be read.
    pub unreadable: Option<Unreadable>,
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
            unreadable: None,
        }
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

/// What an object is.
#[derive(Debug)]
pub struct Facts {
    /// Its API group; empty for the core group.
    pub group: String,
    /// Its kind; this, the group, the namespace and the name are fit to be shown.
    pub kind: String,
    /// Its namespace; empty where it lies in none.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whether all four could be what they are: a file may have their names.
    pub is_named: bool,
    /// Its uid.
    uid: String,
    /// The uids of what owns it.
    owners: Vec<String>,
    /// Why it need not be brought back.
    pub reason: Option<Reason>,
    /// Whether its kind is none of Kubernetes' own.
    pub is_custom: bool,
    /// Whether a manifest sets its status like any other field.
    pub keeps_status: bool,
    /// Its place in the order of making.
    rank: u32,
    /// How many owners it has above each other that are brought back as well.
    depth: u32,
}

/// What was asked for.
pub struct Request<'q> {
    /// Which keys.
    pub wanted: &'q dyn Fn(&[u8]) -> bool,
    /// The last version of all, not the last before the deletion began.
    pub last: bool,
    /// All that was there at this revision, instead of what is gone.
    pub at: Option<AtRevision>,
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
    for item in &mut items {
        let record = item.restored.map_or(item.last, |event| event.record);
        match objects.read(&record, Order::Declared.into()) {
            ReadValue::Object(tree, _) => {
                item.facts = Some(facts(item.key, &tree, catalog, history))
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
    let mut items = Vec::new();
    for (key, events) in by_key {
        let telling = events
            .iter()
            .rev()
            .find(|event| store.is_evidence_for(&event.record, AtRevision::HEAD));
        let is_there = telling.is_some_and(|event| !event.record.tombstone);
        let Some(last) = events.iter().rposition(|event| !event.record.tombstone) else {
            continue;
        };
        if is_there {
            continue;
        }
        let (puts, behind) = events.split_at(last.saturating_add(1));
        let Some(newest) = puts.last().map(|event| event.record) else {
            continue;
        };
        let deleted_at = behind.first().map(|event| event.record.revision.main);
        let last_life = Generation::after(&newest);
        let is_of_life =
            |event: &&Event<'a>| last_life.is_some_and(|life| life.contains(&event.record));
        let life: Vec<Event<'a>> = puts.iter().filter(is_of_life).copied().collect();
        // A deletion that is in no page happened between the last put and the compaction.
        let deleted = (
            deleted_at.unwrap_or(newest.revision.main),
            deleted_at.unwrap_or_else(|| store.compact_revision()),
        );
        let namespace = catalog.locate(key).and_then(|location| location.namespace);
        let began = beginning(&life, namespace, deleted, objects, history);
        let mut item = Item::new(newest, life.last().copied());
        item.deleted_at = deleted_at;
        item.began = began;
        if let Some((main, _)) = began.filter(|_| !request.last) {
            (item.restored, item.is_late) = before(&life, main);
        }
        item.missing_behind = missing_behind(&life, item.restored.as_ref());
        items.push(item);
    }
    items
}

/// When the deletion of an object began, by what is known before it ended, and why then.
fn beginning(
    life: &[Event<'_>],
    namespace: Option<&[u8]>,
    deleted: (i64, i64),
    objects: &Objects<'_>,
    history: &ObjectHistory,
) -> Option<(i64, Cause)> {
    let mut told = None;
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
    }
    let itself = told.map(|main| (main, Cause::Itself));
    let by_namespace = namespace.and_then(|name| history.namespace_went(name, deleted));
    let by_namespace = by_namespace.map(|main| (main, Cause::Namespace));
    // Of two that began together the first named counts.
    let first = itself
        .into_iter()
        .chain(by_namespace)
        .min_by_key(|began| began.0);
    let end = first.map_or(deleted.1, |began| began.0);
    let by_owner = history.owners_went(&owners).filter(|main| *main < end);
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

/// What an object is called.
struct Names {
    group: String,
    kind: String,
    namespace: String,
    name: String,
    is_named: bool,
}

impl Names {
    /// As the object says, each checked against what its field may hold. Of a Secret as its key says: what a damaged
    /// one says of itself may be a part of the secret.
    fn new(key: &[u8], tree: &Value, location: Option<&Location<'_, '_>>) -> Self {
        let bytes = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let [group, kind, namespace, name] = if !is_secret_key(key) {
            [
                controlled::group(tree).to_owned(),
                text(tree, &["kind"]).to_owned(),
                text(tree, &["metadata", "namespace"]).to_owned(),
                text(tree, &["metadata", "name"]).to_owned(),
            ]
        } else if let Some(location) = location {
            [
                location.resource.group().to_owned(),
                location.resource.kind.clone().into_owned(),
                bytes(location.namespace.unwrap_or_default()),
                bytes(location.name),
            ]
        } else {
            let name = key.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
            let kind = "Secret".to_owned();
            [String::new(), kind, String::new(), bytes(name)]
        };
        let fields = [
            (NameField::Group, &group),
            (NameField::Kind, &kind),
            (NameField::Namespace, &namespace),
            (NameField::Name, &name),
        ];
        // An object need not have a namespace, and one that is not Kubernetes' may lack the others.
        let is_fit = |(field, text): &(NameField, &String)| text.is_empty() || field.allows(text);
        let is_named = fields.iter().all(is_fit);
        let shown = |field: NameField, text: &str| match text {
            "" => String::new(),
            text => field.shown(text).into_owned(),
        };
        Self {
            group: shown(NameField::Group, &group),
            kind: shown(NameField::Kind, &kind),
            namespace: shown(NameField::Namespace, &namespace),
            name: shown(NameField::Name, &name),
            is_named,
        }
    }
}

fn facts(key: &[u8], tree: &Value, catalog: &Catalog, history: &ObjectHistory) -> Facts {
    let location = catalog.locate(key);
    let definition = location.and_then(|location| catalog.definition(location.resource));
    let Names {
        group,
        kind,
        namespace,
        name,
        is_named,
    } = Names::new(key, tree, location.as_ref());
    let is_extension = matches!(
        group.as_str(),
        "apiextensions.k8s.io" | "apiregistration.k8s.io"
    );
    let is_custom = !is_extension && !is_known(text(tree, &["apiVersion"]), &kind);
    let namespaced = !namespace.is_empty();
    Facts {
        rank: rank(&group, &kind, namespaced, is_custom),
        keeps_status: is_custom && !definition.is_some_and(has_status_subresource),
        is_custom,
        group,
        kind,
        namespace,
        name,
        is_named,
        uid: text(tree, &["metadata", "uid"]).to_owned(),
        owners: controlled::owners(tree)
            .map(|owner| text(owner, &["uid"]).to_owned())
            .collect(),
        reason: history
            .reason(tree)
            .or_else(|| location.is_none().then_some(Reason::Internal)),
        depth: 0,
    }
}

/// Whether a definition of a custom resource keeps a manifest from setting the status.
fn has_status_subresource(definition: &Value) -> bool {
    let has = |of: &Value| {
        let status = of.pointer("/subresources/status");
        status.is_some_and(|status| !status.is_null())
    };
    let versions = definition.pointer("/spec/versions");
    let versions = versions.and_then(Value::as_array);
    definition.get("spec").is_some_and(has)
        || versions.is_some_and(|versions| versions.iter().any(has))
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
