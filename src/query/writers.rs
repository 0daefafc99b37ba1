//! Who wrote an event: what the object says of itself.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

use crate::bbolt::Direction;
use crate::etcd::{Event, EventType, Record, Store};
use crate::k8s::Order;
use crate::k8s::blame::is_manager_name;
use crate::k8s::encrypt::Keyring;
use crate::k8s::managed_fields::{object_meta, writers};
use crate::k8s::meta::Meta;
use crate::k8s::object::is_secret_key;
use crate::named::{NameField, not_a_name};

use super::objects::{Objects, Told};

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

/// The managers of an event, each with its subresource in brackets: of an update those whose managedFields
/// entry is new, has another time or owns more fields than in the version before, of a creation all. None
/// where nobody can tell: of a deletion, and where the version before is not retained.
pub fn managers_of(event: &Event<'_>, objects: &Objects<'_>) -> Vec<String> {
    let meta_of = |record: &Record<'_>| match objects.read(record, Order::Declared.into()) {
        Told::Object(tree, _) => object_meta(&tree),
        _ => None,
    };
    let known = match event.event_type {
        EventType::Delete => false,
        EventType::Create => true,
        EventType::Update => event.previous.is_some(),
    };
    let Some(meta) = known.then(|| meta_of(&event.record)).flatten() else {
        return Vec::new();
    };
    let previous = event.previous.as_ref().and_then(meta_of);
    if event.previous.is_some() && previous.is_none() {
        return Vec::new();
    }
    let mut managers: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for writer in writers(previous.as_ref(), &meta) {
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
        let Ok(value) = keyring.open(record.key, record.value) else {
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
