//! One object in short: its head, its owners, its last changes, and the Events about it.

use serde_json::Value;

use crate::arrange::Arrange as _;
use crate::etcd::{AtRevision, Event, EventType, KeyHistory, Keyspace};
use crate::k8s::catalog::Catalog;
use crate::k8s::columns::{Clock, EventFacts, builtin, human_duration};
use crate::k8s::object::is_secret_key;
use crate::k8s::redact::Masker;

use super::address::Address;
use super::kube_events::About;
use super::no_answer::NoAnswer;
use super::objects::newest_time;
use super::question::Question;
use super::select::Which;

/// How many changes are shown, the newest.
pub const SHOWN_CHANGES: usize = 5;
/// How many Events are shown, the newest.
pub const SHOWN_EVENTS: usize = 10;
/// How many owners follow each other at most: in Kubernetes it is two (pod, ReplicaSet, Deployment), and references may
/// form a circle.
pub const OWNER_DEPTH: usize = 8;

/// One object in short.
#[derive(Debug)]
pub struct Description<'a> {
    /// Its key.
    pub key: Vec<u8>,
    /// Its newest version, values of Secrets masked.
    pub object: Value,
    /// The columns that kubectl shows of it, with their cells; without its name.
    pub columns: Vec<(String, String)>,
    /// The object that owns it, the owner of that, and so on.
    pub owners: Vec<Owner>,
    /// The retained events of its key, oldest first; never empty.
    pub history: KeyHistory<'a>,
    /// The newest Events about it, oldest first.
    pub events: Vec<SeenEvent>,
    /// How many Events there are about it.
    pub event_count: usize,
    /// The time that the ages of Events are counted from.
    pub clock: Clock,
}

/// An owner of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its kind, as the reference names it.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// What became of it.
    pub state: OwnerState,
}

/// What became of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerState {
    /// It exists.
    Live,
    /// It was deleted at this revision.
    Deleted(i64),
    /// An object of this name exists, with another uid.
    OtherUid,
    /// No retained revision has it.
    Unknown,
}

/// What an Event says.
#[derive(Debug, Clone)]
pub struct SeenEvent {
    /// How long before the newest time of the store it was seen last; none if unknown.
    pub age: Option<String>,
    /// `Normal` or `Warning`.
    pub event_type: String,
    /// Why, as one word.
    pub reason: String,
    /// What happened.
    pub message: String,
    /// How often it was seen.
    pub count: i64,
}

impl<'a> Description<'a> {
    /// Describes the object of a key. None if its newest version is no object, or cannot be read.
    ///
    /// # Errors
    /// If its Events cannot be selected.
    pub fn read(
        question: &Question<'a>,
        key: Vec<u8>,
        show_secrets: bool,
    ) -> Result<Option<Self>, NoAnswer> {
        let history = KeyHistory::read(question.store(), &key);
        let Some(object) = newest_object(question, &history) else {
            return Ok(None);
        };
        let object = Masker::new(show_secrets)
            .mask(&object, is_secret_key(&key))
            .into_owned();
        let clock = Clock {
            now: newest_time(question.store(), AtRevision::HEAD, question.keyring()),
        };
        let (events, event_count) = events_about(question, &key, clock)?;
        Ok(Some(Self {
            columns: columns(&object, clock),
            owners: owners(question, &object),
            key,
            object,
            history,
            events,
            event_count,
            clock,
        }))
    }

    /// The newest events of the key, the newest first.
    pub fn changes(&self) -> impl Iterator<Item = &Event<'a>> {
        self.history.events.iter().rev().take(SHOWN_CHANGES)
    }
}

/// The newest put of a key as an object.
fn newest_object(question: &Question<'_>, history: &KeyHistory<'_>) -> Option<Value> {
    let mut newest_first = history.events.iter().rev();
    let put = newest_first.find(|event| event.event_type != EventType::Delete)?;
    question.objects().object(&put.record)
}

/// A text field; empty if there is none.
fn text<'v>(object: &'v Value, pointer: &str) -> &'v str {
    object
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The group of an apiVersion; empty for the core group.
fn group_of(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// The columns that kubectl shows of a built-in kind.
fn columns(object: &Value, clock: Clock) -> Vec<(String, String)> {
    let table = builtin(group_of(text(object, "/apiVersion")), text(object, "/kind"));
    let cells = (table.cells)(object, clock);
    let columns = table.columns.iter().zip(cells);
    let shown = columns.filter(|(column, cell)| {
        !column.wide && !["Name", "Age"].contains(&&*column.name) && !cell.is_empty()
    });
    shown
        .map(|(column, cell)| (column.name.to_string(), cell))
        .collect()
}

/// The owner of an object, the owner of that, and so on: of several references the one to the controller.
fn owners(question: &Question<'_>, object: &Value) -> Vec<Owner> {
    let namespace = text(object, "/metadata/namespace").to_owned();
    let mut owners = Vec::new();
    let mut current = object.clone();
    while owners.len() < OWNER_DEPTH {
        let references = current.pointer("/metadata/ownerReferences");
        let references = references.and_then(Value::as_array);
        let is_controller = |reference: &&Value| reference.get("controller") == Some(&true.into());
        let Some(reference) = references.and_then(|all| {
            let controller = all.iter().find(is_controller);
            controller.or_else(|| all.first())
        }) else {
            break;
        };
        let found = owner(question, reference, &namespace);
        owners.push(found.0);
        match found.1 {
            Some(next) => current = next,
            None => break,
        }
    }
    owners
}

/// The object of a reference: what became of it, and its newest version.
fn owner(question: &Question<'_>, reference: &Value, namespace: &str) -> (Owner, Option<Value>) {
    let (kind, name) = (text(reference, "/kind"), text(reference, "/name"));
    let group = group_of(text(reference, "/apiVersion"));
    let mut owner = Owner {
        kind: kind.to_owned(),
        name: name.to_owned(),
        state: OwnerState::Unknown,
    };
    let history = keys_of(question.catalog(), (group, kind), namespace, name)
        .map(|key| KeyHistory::read(question.store(), &key))
        .find(|history| !history.events.is_empty());
    let Some(history) = history else {
        return (owner, None);
    };
    let newest = newest_object(question, &history);
    let is_other = newest
        .as_ref()
        .is_some_and(|newest| text(newest, "/metadata/uid") != text(reference, "/uid"));
    owner.state = match history.events.last() {
        _ if is_other => OwnerState::OtherUid,
        Some(last) if last.event_type == EventType::Delete => {
            OwnerState::Deleted(last.record.revision.main)
        }
        _ => OwnerState::Live,
    };
    (owner, newest.filter(|_| !is_other))
}

/// The keys that an object of a kind can have.
fn keys_of<'c>(
    catalog: &'c Catalog,
    (group, kind): (&'c str, &'c str),
    namespace: &'c str,
    name: &'c str,
) -> impl Iterator<Item = Vec<u8>> + 'c {
    let is_it = move |resource: &&crate::k8s::resource::Resource| {
        resource.kind == kind && resource.groups.iter().any(|known| known == group)
    };
    let resource = catalog.resources().iter().find(is_it);
    let folders = resource.map(|resource| (resource.namespaced, catalog.folders(resource)));
    folders.into_iter().flat_map(move |(namespaced, folders)| {
        let inside = if namespaced {
            format!("{namespace}/{name}")
        } else {
            name.to_owned()
        };
        folders
            .into_iter()
            .map(move |(folder, _)| [folder, inside.clone().into_bytes()].concat())
    })
}

/// The newest Events about an object, and how many there are.
fn events_about(
    question: &Question<'_>,
    key: &[u8],
    clock: Clock,
) -> Result<(Vec<SeenEvent>, usize), NoAnswer> {
    let store = question.store();
    let Some(location) = question.catalog().locate(key) else {
        return Ok((Vec::new(), 0));
    };
    let which = Which::new(vec!["events".into()], Vec::new());
    let selection = which.select(&[(store, AtRevision::HEAD)], question.keyring())?;
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let about = About {
        kinds: vec![location.resource.kind.to_string()],
        name: name(location.name),
        namespace: location.namespace.map(name),
    };
    let keyspace = Keyspace::at(store, AtRevision::HEAD, |key| selection.covers(key));
    let mut timed = Vec::new();
    for entry in &keyspace.live {
        if let Some(event) = question.objects().object(&entry.record) {
            let facts = EventFacts::read(&event);
            if about.is_of(&facts) {
                timed.push((facts.last_seen_at(), seen_event(&facts, clock)));
            }
        }
    }
    // Stable: Events of one time stay in the order of their keys.
    timed.arrange_by_key(|(time, _)| *time);
    let count = timed.len();
    let newest = timed.into_iter().skip(count.saturating_sub(SHOWN_EVENTS));
    Ok((newest.map(|(_, event)| event).collect(), count))
}

fn seen_event(facts: &EventFacts<'_>, clock: Clock) -> SeenEvent {
    let since = |seen: (i64, i64)| Some(clock.now?.saturating_sub(seen.0));
    SeenEvent {
        age: facts
            .last_seen_at()
            .and_then(since)
            .filter(|seconds| *seconds >= 0)
            .map(human_duration),
        event_type: facts.event_type.to_owned(),
        reason: facts.reason.to_owned(),
        message: facts.message.to_owned(),
        count: facts.count,
    }
}

/// The one key that words name, if they name an object without a revision.
///
/// # Errors
/// If the words name nothing, or several objects.
pub fn described_key(question: &Question<'_>, which: &Which) -> Result<Option<Vec<u8>>, NoAnswer> {
    let store = question.store();
    let (which, own) = which.split_revision(store)?;
    if own.is_some() || which.words().is_empty() {
        return Ok(None);
    }
    let head = store.at(None)?;
    let selection = which.select(&[(store, head)], question.keyring())?;
    let is_key = |address: &Address| matches!(address, Address::Key(_));
    if selection.addresses().iter().any(is_key) {
        // A raw key is about the record, not about the object.
        return Ok(None);
    }
    selection.one_key(question, head).map(Some)
}
