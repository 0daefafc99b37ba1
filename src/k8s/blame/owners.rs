//! Who owns a path: the field sets of managedFields, by structured-merge-diff's serialization
//! (`fieldpath/serialize-pe.go`): `f:NAME` a member of a map, `k:{..}` the item of a list with these members,
//! `v:VALUE` the item that is this value, `i:N` the item at this place, `.` the thing itself. A set
//! without anything in it is a leaf: all that is below is owned with it.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::k8s::diff::tree;
use crate::k8s::managed_fields::Writer;

/// Different sets of members by which the items of one list are named. Kubernetes has one a list.
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
        /// Its place.
        place: usize,
    },
}

/// A place in the object, with what the entries own there and below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Place(usize);

/// Which of several owners of a path is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefer {
    /// Who wrote last: all of them wrote this version.
    Newest,
    /// Who wrote first: they agree on the value, and who has it longest had it before the others joined.
    Oldest,
}

/// Entries of managedFields, those that come first in question first, merged into one tree: each member of
/// each field set is looked at once, however many entries and parts of the object there are.
#[derive(Debug, Default)]
pub(super) struct Owners<'v> {
    entries: Vec<(Writer, &'v Value)>,
    places: Vec<Sets<'v>>,
    /// Places without sets, by the entry that owns all below them.
    bare: HashMap<Option<usize>, Place>,
}

/// The field sets at a place.
#[derive(Debug, Default)]
struct Sets<'v> {
    /// The entries that have one here, the first first.
    sets: Vec<(usize, &'v Value)>,
    /// The first entry that has a leaf here or above: it owns all below.
    leaf: Option<usize>,
    /// The first entry that owns what is here.
    owner: Option<usize>,
    /// Made when a member of a map is asked for.
    members: Option<HashMap<&'v str, Place>>,
    /// Made when an item of a list is asked for.
    items: Option<Box<Items<'v>>>,
}

/// The items of a list that field sets name.
#[derive(Debug, Default)]
struct Items<'v> {
    /// By the names of the members.
    keys: Vec<(Vec<String>, SetsByValue<'v>)>,
    values: SetsByValue<'v>,
    numbers: HashMap<usize, Vec<(usize, &'v Value)>>,
    /// By the item's address in the version that the owners are for.
    found: HashMap<*const Value, Place>,
}

/// By the canonical JSON of one value or several: what each entry has below.
type SetsByValue<'v> = HashMap<Vec<u8>, Vec<(usize, &'v Value)>>;

impl<'v> Owners<'v> {
    /// Of entries in the order in which they stand there.
    pub(super) fn new(mut entries: Vec<(Writer, &'v Value)>, prefer: Prefer) -> Self {
        // Times are all of one form, and their order is that of their texts. None comes last.
        entries.sort_by(|(a, _), (b, _)| {
            let timeless = a.time.is_empty().cmp(&b.time.is_empty());
            timeless.then_with(|| match prefer {
                Prefer::Newest => b.time.cmp(&a.time),
                Prefer::Oldest => a.time.cmp(&b.time),
            })
        });
        let root = entries.iter().enumerate().map(|(at, (_, set))| (at, *set));
        // An entry without fields owns nothing; below the root an empty set is a leaf.
        let has_fields = |set: &Value| set.as_object().is_some_and(|set| !set.is_empty());
        let root = root.filter(|(_, set)| has_fields(set)).collect();
        let root = Sets::new(root, None);
        Self {
            entries,
            places: vec![root],
            bare: HashMap::new(),
        }
    }

    /// An entry's writer.
    pub(super) fn writer(&self, entry: usize) -> Option<&Writer> {
        self.entries.get(entry).map(|(writer, _)| writer)
    }

    /// The root of the object.
    pub(super) fn root(&self) -> Place {
        Place(0)
    }

    /// The first entry that owns what is at a place.
    pub(super) fn owner(&self, place: Place) -> Option<usize> {
        self.places.get(place.0).and_then(|sets| sets.owner)
    }

    /// The place one step further. An item must be one of the version that the owners are for: it is known by
    /// its address.
    pub(super) fn descend(&mut self, place: Place, step: Step<'_>) -> Place {
        let Some(sets) = self.places.get(place.0) else {
            return place;
        };
        let leaf = sets.leaf;
        let known = match step {
            Step::Key(key) => self.member(place, key),
            Step::Item { item, place: at } => self.item(place, item, at),
        };
        known.unwrap_or_else(|| self.bare(leaf))
    }

    fn member(&mut self, place: Place, key: &str) -> Option<Place> {
        let sets = self.places.get(place.0)?;
        if sets.members.is_none() {
            let mut below: HashMap<&str, Vec<(usize, &Value)>> = HashMap::new();
            for (entry, set) in &sets.sets {
                for (name, set) in set.as_object().into_iter().flatten() {
                    if let Some(name) = name.strip_prefix("f:") {
                        below.entry(name).or_default().push((*entry, set));
                    }
                }
            }
            let leaf = sets.leaf;
            let mut members = HashMap::with_capacity(below.len());
            for (name, sets) in below {
                members.insert(name, self.add(sets, leaf));
            }
            self.places.get_mut(place.0)?.members = Some(members);
        }
        let members = self.places.get(place.0)?.members.as_ref();
        members?.get(key).copied()
    }

    fn item(&mut self, place: Place, item: &Value, at: usize) -> Option<Place> {
        let sets = self.places.get_mut(place.0)?;
        let leaf = sets.leaf;
        let own = &sets.sets;
        let items = sets.items.get_or_insert_with(|| Items::of(own).into());
        let address = std::ptr::from_ref(item);
        if let Some(found) = items.found.get(&address) {
            return Some(*found);
        }
        let below = items.find(item, at);
        let found = if below.is_empty() {
            self.bare(leaf)
        } else {
            self.add(below, leaf)
        };
        let items = self.places.get_mut(place.0)?.items.as_mut()?;
        items.found.insert(address, found);
        Some(found)
    }

    fn add(&mut self, sets: Vec<(usize, &'v Value)>, leaf: Option<usize>) -> Place {
        self.places.push(Sets::new(sets, leaf));
        Place(self.places.len().saturating_sub(1))
    }

    /// A place that no set names.
    fn bare(&mut self, leaf: Option<usize>) -> Place {
        if let Some(place) = self.bare.get(&leaf) {
            return *place;
        }
        let place = self.add(Vec::new(), leaf);
        self.bare.insert(leaf, place);
        place
    }
}

impl<'v> Sets<'v> {
    /// Of sets in the order of their entries, below a leaf or not. An empty one is a leaf.
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
    fn of(sets: &[(usize, &'v Value)]) -> Self {
        let mut items = Self::default();
        for (entry, set) in sets {
            for (name, below) in set.as_object().into_iter().flatten() {
                items.add(*entry, name, below);
            }
        }
        items
    }

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

    /// What each entry has for an item: by the item's key, else by its value, else by its place.
    fn find(&self, item: &Value, at: usize) -> Vec<(usize, &'v Value)> {
        let mut found = BTreeMap::new();
        let mut take = |sets: Option<&Vec<(usize, &'v Value)>>| {
            for (entry, set) in sets.into_iter().flatten() {
                found.entry(*entry).or_insert(*set);
            }
        };
        if let Some(members) = item.as_object() {
            for (names, sets) in &self.keys {
                take(values_of(members, names).and_then(|values| sets.get(&values)));
            }
        }
        if !self.values.is_empty() {
            take(self.values.get(&tree::canonical(item)));
        }
        take(self.numbers.get(&at));
        found.into_iter().collect()
    }
}

/// The values of these members as one text; none where one is missing.
fn values_of(item: &serde_json::Map<String, Value>, names: &[String]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    for name in names {
        let value = item.get(name).filter(|value| tree::is_scalar(value))?;
        text.extend(tree::canonical(value));
        text.push(b'\n'); // stands in no JSON on one line
    }
    Some(text)
}
