//! Which field managers wrote an event, by the managedFields of the object.

use std::collections::{BTreeSet, HashSet};
use std::sync::RwLock;

use crate::etcd::{Event, EventType, Record, Store};
use crate::k8s::Order;
use crate::k8s::blame::is_manager_name;
use crate::k8s::encrypt::Keyring;
use crate::k8s::managed_fields::{Writer, object_meta, writers};
use crate::k8s::meta::Meta;

use super::manager_text::manager_text;
use super::objects::{Objects, ReadValue};

/// A version of an object, and the reader of its values.
pub type WithReader<'v, 'a> = (&'v Record<'a>, &'v Objects<'v>);

/// The managers that wrote the version `new` after the version `old`. If there is no `old`, these are all managers in
/// its managedFields. Otherwise they are those whose entry is new, has another time, or owns more fields than before.
/// None if a version cannot be read.
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

/// The managers that wrote an event. None if the file does not show them: a deletion has no managedFields, and for an
/// update the version before it has to be retained.
fn writers_of(event: &Event<'_>, objects: &Objects<'_>) -> Option<Vec<Writer>> {
    let is_known = match event.event_type {
        EventType::Delete => false,
        EventType::Create => true,
        EventType::Update => event.previous.is_some(),
    };
    let previous = event.previous_record();
    let previous = previous.as_ref().map(|record| (record, objects));
    let written = is_known.then(|| writers_between(previous, (&event.record, objects)));
    written.flatten()
}

/// The managers that wrote an event, for output, each with its subresource in parentheses and none twice. For a
/// creation these are all in its managedFields. For an update they are those whose entry is new, has another time, or
/// owns more fields than in the version before. Empty if the file does not show them: for a deletion, or if the version
/// before is not retained.
pub fn managers_of(event: &Event<'_>, objects: &Objects<'_>) -> Vec<String> {
    let writers = writers_of(event, objects).unwrap_or_default();
    let names = writers
        .iter()
        .map(|writer| manager_text(event.record.key, &writer.manager, &writer.subresource));
    each_once(names)
}

/// The names without repetitions, in their order.
pub(super) fn each_once(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut each: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for name in names {
        if seen.insert(name.clone()) {
            each.push(name);
        }
    }
    each
}

/// The names of all field managers in any retained version, by one pass over the store.
pub fn all_managers(store: &Store<'_>, keyring: &Keyring) -> BTreeSet<String> {
    let names = RwLock::new(BTreeSet::new());
    let is_known = |name: &str| names.read().is_ok_and(|names| names.contains(name));
    // The values are read on all cores. No record has to be visited after that.
    let add_names = |record: &Record<'_>| {
        let value = keyring.decrypt(record.key, record.value).ok();
        let meta = value.as_deref().and_then(Meta::read);
        for entry in meta.into_iter().flat_map(|meta| meta.managed_fields) {
            if is_manager_name(&entry.manager)
                && !is_known(&entry.manager)
                && let Ok(mut names) = names.write()
            {
                names.insert(entry.manager.into_owned());
            }
        }
        false
    };
    store.visit_chosen(&add_names, &mut |_| {});
    names.into_inner().unwrap_or_default()
}

/// The filter `--manager`: only what one field manager wrote.
#[derive(Debug, Clone, Default)]
pub struct ByManager {
    /// The name as typed: `kubectl-edit`, `kubelet (status)`. None: everything passes.
    manager: Option<String>,
}

impl ByManager {
    /// The filter for this field manager. Without one, everything passes.
    pub fn new(manager: Option<String>) -> Self {
        Self { manager }
    }

    /// The name that was given.
    pub fn name(&self) -> Option<&str> {
        self.manager.as_deref()
    }

    /// Whether the named manager is one of the writers. `kubelet` matches the manager with each of its subresources,
    /// `kubelet (status)` only with this one. Writers that are not known do not match.
    fn is_among(&self, writers: Option<Vec<Writer>>) -> bool {
        let Some(name) = &self.manager else {
            return true;
        };
        let is_named = |writer: &Writer| {
            let subresource = name
                .strip_prefix(writer.manager.as_str())
                .and_then(|rest| rest.strip_prefix(" (")?.strip_suffix(')'));
            writer.manager == *name || subresource == Some(writer.subresource.as_str())
        };
        writers.unwrap_or_default().iter().any(is_named)
    }

    /// Whether the named manager wrote an event. True for every event if no manager is named.
    pub fn wrote(&self, event: &Event<'_>, objects: &Objects<'_>) -> bool {
        self.manager.is_none() || self.is_among(writers_of(event, objects))
    }

    /// Whether the named manager wrote the object between two of its states. True if no manager is named. False if the
    /// object does not exist in the newer state.
    pub fn wrote_between(
        &self,
        old: Option<WithReader<'_, '_>>,
        new: Option<WithReader<'_, '_>>,
    ) -> bool {
        let written = || new.and_then(|new| writers_between(old, new));
        self.manager.is_none() || self.is_among(written())
    }
}
