//! Which managedFields entry owns a path of an object.
//!
//! A field set is a tree in structured-merge-diff's serialization (`fieldpath/serialize-pe.go`): `f:NAME` is a member of
//! a map, `k:{..}` the list item with these members, `v:VALUE` the list item with this value, `i:N` the list item at this
//! index, `.` the map or item itself. An empty set is a leaf: it owns everything below it.
//!
//! Example: `{"f:spec": {"f:ports": {"k:{\"port\":80}": {".": {}, "f:name": {}}}}}` owns the item with port 80 of
//! `spec.ports`, and that item's `name`. It does not own `spec` itself, which has no `.`.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::arrange::Arrange as _;
use crate::k8s::diff::tree;
use crate::k8s::managed_fields::Writer;

/// The number of different member combinations (`k:`) by which the items of one list may be identified. Kubernetes uses
/// one per list.
const MAX_KEY_FORMS: usize = 8;

/// A step from a value to a part of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<'v> {
    /// To a member of a map.
    Key(&'v str),
    /// To an item of a list.
    Item {
        /// The item itself.
        item: &'v Value,
        /// Its index.
        place: usize,
    },
}

/// The index of a [`SetNode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SetNodeId(usize);

/// Which of several owners of a path is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefer {
    /// The newest writer: all of them wrote this version.
    Newest,
    /// The oldest writer: all of them agree on the value, and the oldest had it before the others.
    Oldest,
}

/// The field sets of several managedFields entries, merged into one tree, with the preferred entries first. The tree is
/// built while it is walked; each member of each field set is visited once, regardless of the number of entries and
/// parts of the object.
#[derive(Debug, Default)]
pub(super) struct Owners<'v> {
    entries: Vec<(Writer, &'v Value)>,
    nodes: Vec<SetNode<'v>>,
    /// Nodes for paths that no set contains, by the entry that owns a parent with everything below it.
    unnamed: HashMap<Option<usize>, SetNodeId>,
}

/// The field sets for one path.
#[derive(Debug, Default)]
struct SetNode<'v> {
    /// The entries that have a set here (by index), and the sets.
    sets: Vec<(usize, &'v Value)>,
    /// The first entry that has a leaf here or at a parent: it owns everything below.
    leaf: Option<usize>,
    /// The first entry that owns this path.
    owner: Option<usize>,
    /// Built when a member of a map is requested.
    members: Option<HashMap<&'v str, SetNodeId>>,
    /// Built when an item of a list is requested.
    items: Option<Box<Items<'v>>>,
}

/// The list items that field sets contain.
#[derive(Debug, Default)]
struct Items<'v> {
    /// Items identified by members, per combination of member names.
    keys: Vec<(Vec<String>, SetsByValue<'v>)>,
    /// Items identified by their value.
    values: SetsByValue<'v>,
    /// Items identified by their index.
    numbers: HashMap<usize, Vec<(usize, &'v Value)>>,
    /// Items that were looked up before, by their address in the version that the owners belong to.
    found: HashMap<*const Value, SetNodeId>,
}

/// The sets below an item for each entry, by the canonical JSON of one or several values.
type SetsByValue<'v> = HashMap<Vec<u8>, Vec<(usize, &'v Value)>>;

impl<'v> Owners<'v> {
    /// Merges the field sets of entries, which are in the order of managedFields.
    pub(super) fn new(mut entries: Vec<(Writer, &'v Value)>, prefer: Prefer) -> Self {
        // All times have the same format, so their texts sort like the times. Entries without a time come last.
        entries.arrange_by(|(a, _), (b, _)| {
            let timeless = a.time.is_empty().cmp(&b.time.is_empty());
            timeless.then_with(|| match prefer {
                Prefer::Newest => b.time.cmp(&a.time),
                Prefer::Oldest => a.time.cmp(&b.time),
            })
        });
        let root = entries.iter().enumerate().map(|(at, (_, set))| (at, *set));
        // An entry whose whole field set is empty owns nothing; only below the root an empty set is a leaf.
        let has_fields = |set: &Value| set.as_object().is_some_and(|set| !set.is_empty());
        let root = root.filter(|(_, set)| has_fields(set)).collect();
        let root = SetNode::new(root, None);
        Self {
            entries,
            nodes: vec![root],
            unnamed: HashMap::new(),
        }
    }

    /// An entry's writer.
    pub(super) fn writer(&self, entry: usize) -> Option<&Writer> {
        self.entries.get(entry).map(|(writer, _)| writer)
    }

    /// The root of the object.
    pub(super) fn root(&self) -> SetNodeId {
        SetNodeId(0)
    }

    /// The first entry that owns the path of a node.
    pub(super) fn owner(&self, id: SetNodeId) -> Option<usize> {
        self.nodes.get(id.0).and_then(|node| node.owner)
    }

    /// The node one step below. A list item must belong to the version that the owners are for, because items are cached
    /// by their address.
    pub(super) fn descend(&mut self, id: SetNodeId, step: Step<'_>) -> SetNodeId {
        let Some(node) = self.nodes.get(id.0) else {
            return id;
        };
        let leaf = node.leaf;
        let known = match step {
            Step::Key(key) => self.member(id, key),
            Step::Item { item, place: at } => self.item(id, item, at),
        };
        known.unwrap_or_else(|| self.unnamed(leaf))
    }

    /// The node for a member of a map. The members of a node are indexed when the first one is requested.
    fn member(&mut self, id: SetNodeId, key: &str) -> Option<SetNodeId> {
        let node = self.nodes.get(id.0)?;
        if node.members.is_none() {
            let mut below: HashMap<&str, Vec<(usize, &Value)>> = HashMap::new();
            for (entry, set) in &node.sets {
                for (name, set) in set.as_object().into_iter().flatten() {
                    if let Some(name) = name.strip_prefix("f:") {
                        below.entry(name).or_default().push((*entry, set));
                    }
                }
            }
            let leaf = node.leaf;
            let mut members = HashMap::with_capacity(below.len());
            for (name, sets) in below {
                members.insert(name, self.add(sets, leaf));
            }
            self.nodes.get_mut(id.0)?.members = Some(members);
        }
        let members = self.nodes.get(id.0)?.members.as_ref();
        members?.get(key).copied()
    }

    /// The node for a list item. `at` is its index.
    fn item(&mut self, id: SetNodeId, item: &Value, at: usize) -> Option<SetNodeId> {
        let node = self.nodes.get_mut(id.0)?;
        let leaf = node.leaf;
        let own = &node.sets;
        let items = node.items.get_or_insert_with(|| Items::new(own).into());
        let address = std::ptr::from_ref(item);
        if let Some(found) = items.found.get(&address) {
            return Some(*found);
        }
        let below = items.find(item, at);
        let found = if below.is_empty() {
            self.unnamed(leaf)
        } else {
            self.add(below, leaf)
        };
        let items = self.nodes.get_mut(id.0)?.items.as_mut()?;
        items.found.insert(address, found);
        Some(found)
    }

    /// Adds a node.
    fn add(&mut self, sets: Vec<(usize, &'v Value)>, leaf: Option<usize>) -> SetNodeId {
        self.nodes.push(SetNode::new(sets, leaf));
        SetNodeId(self.nodes.len().saturating_sub(1))
    }

    /// The node for a path that no set contains.
    fn unnamed(&mut self, leaf: Option<usize>) -> SetNodeId {
        if let Some(id) = self.unnamed.get(&leaf) {
            return *id;
        }
        let id = self.add(Vec::new(), leaf);
        self.unnamed.insert(leaf, id);
        id
    }
}

impl<'v> SetNode<'v> {
    /// A node from the sets for its path, in the order of their entries. `above` is the entry with a leaf at a parent.
    fn new(sets: Vec<(usize, &'v Value)>, above: Option<usize>) -> Self {
        let mut new = Self {
            leaf: above,
            ..Self::default()
        };
        let first =
            |known: Option<usize>, entry| Some(known.map_or(entry, |known| known.min(entry)));
        for (entry, set) in sets {
            match set {
                Value::Object(members) if members.is_empty() => new.leaf = first(new.leaf, entry),
                Value::Object(members) => {
                    if members.contains_key(".") {
                        new.owner = first(new.owner, entry);
                    }
                    new.sets.push((entry, set));
                }
                _ => {}
            }
        }
        if let Some(leaf) = new.leaf {
            new.owner = first(new.owner, leaf);
        }
        new
    }
}

impl<'v> Items<'v> {
    /// Indexes the list items in several sets.
    fn new(sets: &[(usize, &'v Value)]) -> Self {
        let mut items = Self::default();
        for (entry, set) in sets {
            for (name, below) in set.as_object().into_iter().flatten() {
                items.add(*entry, name, below);
            }
        }
        items
    }

    /// Indexes one name of a set, if it is a list item. `below` is the set below it.
    fn add(&mut self, entry: usize, name: &str, below: &'v Value) {
        if let Some(text) = name.strip_prefix("k:") {
            self.add_key(entry, text, below);
        } else if let Some(text) = name.strip_prefix("v:") {
            if let Ok(value) = serde_json::from_str::<Value>(text) {
                let sets = self.values.entry(tree::canonical(&value)).or_default();
                sets.push((entry, below));
            }
        } else if let Some(number) = name.strip_prefix("i:").and_then(|text| text.parse().ok()) {
            self.numbers.entry(number).or_default().push((entry, below));
        }
    }

    /// Indexes an item that is identified by members: `text` is a JSON map of them.
    fn add_key(&mut self, entry: usize, text: &str, below: &'v Value) {
        let Ok(Value::Object(key)) = serde_json::from_str::<Value>(text) else {
            return;
        };
        let mut names: Vec<String> = key.keys().cloned().collect();
        names.sort_unstable();
        let Some(values) = values_of(&key, &names) else {
            return;
        };
        let form = match self.keys.iter().position(|(known, _)| *known == names) {
            Some(form) => form,
            None if self.keys.len() < MAX_KEY_FORMS => {
                self.keys.push((names, HashMap::new()));
                self.keys.len().saturating_sub(1)
            }
            None => return,
        };
        if let Some((_, by_values)) = self.keys.get_mut(form) {
            by_values.entry(values).or_default().push((entry, below));
        }
    }

    /// The set of each entry for an item: the one that identifies it by members, else by value, else by index.
    fn find(&self, item: &Value, at: usize) -> Vec<(usize, &'v Value)> {
        let mut found = BTreeMap::new();
        let mut add = |sets: Option<&Vec<(usize, &'v Value)>>| {
            for (entry, set) in sets.into_iter().flatten() {
                found.entry(*entry).or_insert(*set);
            }
        };
        if let Some(members) = item.as_object() {
            for (names, sets) in &self.keys {
                add(values_of(members, names).and_then(|values| sets.get(&values)));
            }
        }
        if !self.values.is_empty() {
            add(self.values.get(&tree::canonical(item)));
        }
        add(self.numbers.get(&at));
        found.into_iter().collect()
    }
}

/// The values of these members as one text; None if a member is missing or not a scalar.
fn values_of(item: &serde_json::Map<String, Value>, names: &[String]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for name in names {
        let value = item.get(name).filter(|value| tree::is_scalar(value))?;
        text.extend(tree::canonical(value));
        text.push(b'\n'); // canonical JSON contains no line break
    }
    Some(text)
}
