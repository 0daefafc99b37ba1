//! Who wrote an event: what the object says of itself.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::bbolt::Direction;
use crate::etcd::{Event, EventType, Record, Store};
use crate::k8s::Order;
use crate::k8s::blame::is_manager_name;
use crate::k8s::encrypt::Keyring;
use crate::k8s::managed_fields::{Writer, object_meta, writers};
use crate::k8s::meta::Meta;
use crate::k8s::object::is_secret_key;
use crate::named::{NameField, not_a_name};

use super::objects::{Objects, ReadValue};

/// A manager with its subresource, for a text about a key. What cannot be the name of one is shown by its size: in a
/// damaged object it may be anything else of it, in a damaged Secret a part of the secret.
pub fn manager_text(key: &[u8], manager: &str, subresource: &str) -> String {
    let shown = |text| {
        if is_secret_key(key) && !is_manager_name(text) {
            Cow::Owned(not_a_name(text.len()))
        } else {
            NameField::Manager.shown(text)
        }
    };
    match subresource {
        "" => shown(manager).into_owned(),
        subresource => format!("{} ({})", shown(manager), shown(subresource)),
    }
}

/// A version of an object, and the reader of its values.
pub type WithReader<'v, 'a> = (&'v Record<'a>, &'v Objects<'v>);

/// Those who wrote a version over the one before it: of the first version all in its managedFields, of a later one
/// those whose entry is new, has another time or owns more fields than before. None if a version cannot be read.
fn writers_between(
    old: Option<WithReader<'_, '_>>,
    new: WithReader<'_, '_>,
) -> Option<Vec<Writer>> {
    let meta_of = |(record, objects): WithReader<'_, '_>| match objects
        .read(record, Order::Declared.into())
    {
        ReadValue::Object(tree, _) => object_meta(&tree),
        _ => None,
    };
    let meta = meta_of(new)?;
    let previous = match old {
        Some(old) => Some(meta_of(old)?),
        None => None,
    };
    Some(writers(previous.as_ref(), &meta))
}

/// Those who wrote an event. None if nobody can know: of a deletion, and if the version before is not retained.
fn writers_of(event: &Event<'_>, objects: &Objects<'_>) -> Option<Vec<Writer>> {
    let known = match event.event_type {
        EventType::Delete => false,
        EventType::Create => true,
        EventType::Update => event.previous.is_some(),
    };
    let previous = event.previous.as_ref().map(|record| (record, objects));
    let written = known.then(|| writers_between(previous, (&event.record, objects)));
    written.flatten()
}

/// The managers of an event, each with its subresource in brackets: of an update those whose managedFields
/// entry is new, has another time or owns more fields than in the version before, of a creation all. Empty
/// if nobody can know: of a deletion, and if the version before is not retained.
pub fn managers_of(event: &Event<'_>, objects: &Objects<'_>) -> Vec<String> {
    let mut managers: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for writer in writers_of(event, objects).unwrap_or_default() {
        let name = manager_text(event.record.key, &writer.manager, &writer.subresource);
        if seen.insert(name.clone()) {
            managers.push(name);
        }
    }
    managers
}

/// The names of all field managers in any retained version, by one pass over the store.
pub fn all_managers(store: &Store<'_>, keyring: &Keyring) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for record in store.records(Direction::Forward) {
        let Ok(value) = keyring.decrypt(record.key, record.value) else {
            continue;
        };
        let Some(meta) = Meta::read(&value) else {
            continue;
        };
        for entry in meta.managed_fields {
            let is_name = is_manager_name(&entry.manager);
            if is_name && !names.contains(&*entry.manager) {
                names.insert(entry.manager.into_owned());
            }
        }
    }
    names
}

/// Only what one field manager wrote.
#[derive(Debug, Clone, Default)]
pub struct ByManager {
    /// `kubectl-edit`, `kubelet (status)`
    manager: Option<String>,
}

impl ByManager {
    /// Only what this field manager wrote, or everything.
    pub fn new(manager: Option<String>) -> Self {
        Self { manager }
    }

    /// The name that was given.
    pub fn name(&self) -> Option<&str> {
        self.manager.as_deref()
    }

    fn is_among(&self, writers: Option<Vec<Writer>>) -> bool {
        let Some(name) = &self.manager else {
            return true;
        };
        let is_it = |writer: &Writer| {
            let subresource = name
                .strip_prefix(writer.manager.as_str())
                .and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'));
            writer.manager == *name || subresource == Some(writer.subresource.as_str())
        };
        writers.unwrap_or_default().iter().any(is_it)
    }

    /// Whether an event is one of theirs; every event is if no manager is named.
    pub fn wrote(&self, event: &Event<'_>, objects: &Objects<'_>) -> bool {
        self.manager.is_none() || self.is_among(writers_of(event, objects))
    }

    /// Whether they wrote between two states of an object.
    pub fn wrote_between(
        &self,
        old: Option<WithReader<'_, '_>>,
        new: Option<WithReader<'_, '_>>,
    ) -> bool {
        let written = || new.and_then(|new| writers_between(old, new));
        self.manager.is_none() || self.is_among(written())
    }
}
