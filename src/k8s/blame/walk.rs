//! Compares a version with the one before it, and attributes the parts that differ.

use std::collections::HashMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use serde_json::Value;

use super::owners::{Owners, Prefer, SetNodeId, Step};
use super::pairs::{by_place, pairs};
use super::{Attribution, Children, Node, Shape, Version};
use crate::k8s::diff::tree;
use crate::k8s::managed_fields::{Entries, Writer, writers, written_at};

/// Closes the open parts that are not the same in `older`.
pub(super) fn compare(
    root: &mut Node,
    shown: &Value,
    newer: &Version,
    older: &Version,
    attributions: &mut Vec<Attribution>,
) {
    let mut walk = Walk {
        newer,
        older: Some(older),
        boundary: older.version.checked_add(1) != Some(newer.version),
        owners: None,
        written: None,
        attributions,
        by_entry: HashMap::new(),
    };
    walk.visit(root, shown, &newer.tree, &older.tree, None);
}

/// Closes all open parts with the oldest version.
pub(super) fn close_all(
    root: &mut Node,
    shown: &Value,
    oldest: &Version,
    attributions: &mut Vec<Attribution>,
) {
    let mut walk = Walk {
        newer: oldest,
        older: None,
        boundary: oldest.version != 1,
        owners: None,
        written: None,
        attributions,
        by_entry: HashMap::new(),
    };
    walk.close(root, shown, &oldest.tree, None);
}

/// The steps from the root to a value of the newer version, as a linked list on the stack.
#[derive(Debug)]
struct Trail<'t, 'v> {
    parent: Option<&'t Trail<'t, 'v>>,
    step: Step<'v>,
}

struct Walk<'w, 'v> {
    newer: &'v Version,
    older: Option<&'v Version>,
    boundary: bool,
    /// Built when the first part is closed, because most versions close few parts or none.
    owners: Option<Owners<'v>>,
    attributions: &'w mut Vec<Attribution>,
    /// The time at which the version was written; computed on first use.
    written: Option<Option<String>>,
    /// The index of this version's attribution for each managedFields entry (None for parts without a manager).
    by_entry: HashMap<Option<usize>, usize>,
}

impl<'v> Walk<'_, 'v> {
    /// Compares an open part that has the value `newer` in the newer version, and `older` in the older one.
    fn visit(
        &mut self,
        node: &mut Node,
        shown: &Value,
        newer: &'v Value,
        older: &Value,
        trail: Option<&Trail<'_, 'v>>,
    ) {
        match (&mut node.children, shown, newer, older) {
            (
                Children::Map(nodes),
                Value::Object(shown),
                Value::Object(newer),
                Value::Object(older),
            ) => {
                let members = nodes.iter_mut().zip(shown);
                for (node, (key, shown)) in members.filter(|(node, _)| node.is_open()) {
                    // An open part exists in the newer version.
                    let Some((key, newer)) = newer.get_key_value(key) else {
                        continue;
                    };
                    let trail = Trail {
                        parent: trail,
                        step: Step::Key(key),
                    };
                    match older.get(key) {
                        Some(older) => self.visit(node, shown, newer, older, Some(&trail)),
                        None => self.close(node, shown, newer, Some(&trail)),
                    }
                }
            }
            (
                Children::List(nodes),
                Value::Array(shown),
                Value::Array(newer),
                Value::Array(older),
            ) => {
                self.visit_list(nodes, shown, newer, older, trail);
            }
            (Children::None, shown, _, older) if tree::equal(shown, older) => {}
            _ => self.close(node, shown, newer, trail),
        }
    }

    /// Compares the open items of a list with the items of the older version that match them.
    fn visit_list(
        &mut self,
        nodes: &mut [Node],
        shown: &[Value],
        newer: &'v [Value],
        older: &[Value],
        trail: Option<&Trail<'_, 'v>>,
    ) {
        let same = |(a, b)| tree::equal(a, b);
        if !nodes.iter().any(Node::is_open)
            || (newer.len() == older.len() && newer.iter().zip(older).all(same))
        {
            return;
        }
        let field = match trail.map(|trail| trail.step) {
            Some(Step::Key(key)) => key,
            _ => "",
        };
        let pairs = match self.newer.shape {
            Shape::Lines => by_place(older, newer),
            Shape::Object | Shape::Tree => pairs(field, older, newer),
        };
        let items = nodes.iter_mut().zip(shown);
        for (node, shown) in items.filter(|(node, _)| node.is_open()) {
            let Some(item) = newer.get(node.place) else {
                continue;
            };
            let place = node.place;
            let trail = Trail {
                parent: trail,
                step: Step::Item { item, place },
            };
            let before = pairs.get(place).copied().flatten();
            match before.and_then(|before| Some((before, older.get(before)?))) {
                Some((before, older)) => {
                    self.visit(node, shown, item, older, Some(&trail));
                    node.place = before;
                }
                None => self.close(node, shown, item, Some(&trail)),
            }
        }
    }

    /// Attributes a part and all open parts in it to the newer version, where its value is `newer`.
    fn close(
        &mut self,
        node: &mut Node,
        shown: &Value,
        newer: &Value,
        trail: Option<&Trail<'_, 'v>>,
    ) {
        let mut steps = Vec::new();
        let mut at = trail;
        while let Some(Trail { parent, step }) = at {
            steps.push(*step);
            at = *parent;
        }
        let owners = self.owners();
        let mut sets = owners.root();
        for step in steps.into_iter().rev() {
            sets = owners.descend(sets, step);
        }
        self.attribute(node, shown, newer, sets);
    }

    /// Attributes a part and all open parts in it. `sets` are the field sets for the part.
    fn attribute(&mut self, node: &mut Node, shown: &Value, newer: &Value, sets: SetNodeId) {
        if !node.is_open() {
            return;
        }
        let owner = self.owners().owner(sets);
        node.origin = Some(self.attribution(owner));
        match (&mut node.children, shown, newer) {
            (Children::Map(nodes), Value::Object(shown), Value::Object(newer)) => {
                for (node, (key, shown)) in nodes.iter_mut().zip(shown) {
                    if let Some(newer) = newer.get(key).filter(|_| node.is_open()) {
                        let below = self.owners().descend(sets, Step::Key(key));
                        self.attribute(node, shown, newer, below);
                    }
                }
            }
            (Children::List(nodes), Value::Array(shown), Value::Array(newer)) => {
                for (node, shown) in nodes.iter_mut().zip(shown) {
                    let at = node.place;
                    if let Some(item) = newer.get(at).filter(|_| node.is_open()) {
                        let step = Step::Item { item, place: at };
                        let below = self.owners().descend(sets, step);
                        self.attribute(node, shown, item, below);
                    }
                }
            }
            _ => {}
        }
    }

    /// The index of the attribution to a managedFields entry, or of the one without a manager.
    fn attribution(&mut self, entry: Option<usize>) -> usize {
        if let Some(index) = self.by_entry.get(&entry) {
            return *index;
        }
        let written = self.written_at();
        let writer = entry.and_then(|entry| self.owners().writer(entry)).cloned();
        let text = |text: String| (!text.is_empty()).then_some(text);
        let (manager, subresource, entry_time) = match writer {
            Some(writer) => (
                text(writer.manager),
                text(writer.subresource),
                text(writer.time),
            ),
            None => (None, None, None),
        };
        let index = self.attributions.len();
        self.attributions.push(Attribution {
            revision: self.newer.revision,
            boundary: self.boundary,
            manager,
            subresource,
            time: if self.boundary { entry_time } else { written },
        });
        self.by_entry.insert(entry, index);
        index
    }

    /// The time at which the newer version was written.
    fn written_at(&mut self) -> Option<String> {
        let meta = self.newer.meta.as_ref().filter(|_| !self.boundary)?;
        let before = self.older.and_then(|older| older.meta.as_ref());
        let is_creation = self.newer.version == 1;
        let written = self
            .written
            .get_or_insert_with(|| written_at(meta, &writers(before, meta), is_creation));
        written.clone()
    }

    /// The field sets of the entries that wrote the newer version; of all entries if there is no older version.
    fn owners(&mut self) -> &mut Owners<'v> {
        let (newer, older) = (self.newer, self.older);
        let prefer = if self.boundary {
            Prefer::Oldest
        } else {
            Prefer::Newest
        };
        self.owners.get_or_insert_with(|| {
            let before = Entries::new(older.and_then(|older| older.meta.as_ref()));
            let meta = newer.meta.as_ref();
            let entries = meta.and_then(|meta| meta.managed_fields.as_deref());
            let entries = entries.unwrap_or_default().iter();
            let wrote = entries.filter_map(|entry| writing_entry(&before, entry));
            Owners::new(wrote.collect(), prefer)
        })
    }
}

/// The writer and the field set of an entry that wrote the version; None if it did not.
fn writing_entry<'v>(
    before: &Entries<'_>,
    entry: &'v ManagedFieldsEntry,
) -> Option<(Writer, &'v Value)> {
    let writer = before.writer(entry)?;
    Some((writer, &entry.fields_v1.as_ref()?.0))
}
