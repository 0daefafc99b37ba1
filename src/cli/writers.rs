//! Who wrote an event: what the object says of itself.

use std::collections::HashSet;

use crate::etcd::{Event, EventType, Record};
use crate::k8s::Order;
use crate::k8s::managed_fields::{object_meta, writers};

use super::objects::{Objects, Told};

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
        let name = if writer.subresource.is_empty() {
            writer.manager
        } else {
            format!("{} ({})", writer.manager, writer.subresource)
        };
        if seen.insert(name.clone()) {
            managers.push(name);
        }
    }
    managers
}
