//! Who owns a path: the field sets of managedFields, by structured-merge-diff's serialization
//! (`fieldpath/serialize-pe.go`): `f:NAME` a member of a map, `k:{..}` the item of a list with these members,
//! `v:VALUE` the item that is this value, `i:N` the item at this place, `.` the thing itself. A set
//! without anything in it is a leaf: all that is below is owned with it.

use std::collections::HashMap;

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

/// Where in the field set of an entry a path has led to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'v> {
    /// The entry.
    pub(super) entry: usize,
    /// None: at a leaf or below.
    set: Option<&'v Value>,
}

impl Cursor<'_> {
    /// Whether the entry owns what the path has led to.
    pub(super) fn owns(&self) -> bool {
        self.set.is_none_or(|set| set.get(".").is_some())
    }
}

/// Which of several owners of a path is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prefer {
    /// Who wrote last: all of them wrote this version.
    Newest,
    /// Who wrote first: they agree on the value, and who has it longest had it before the others joined.
    Oldest,
}

/// Entries of managedFields, those that come first in question first.
#[derive(Debug, Default)]
pub(super) struct Owners<'v> {
    entries: Vec<(Writer, &'v Value)>,
    /// By the address of the set.
    lists: HashMap<*const Value, ListSet<'v>>,
}

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
        Self {
            entries,
            lists: HashMap::new(),
        }
    }

    /// An entry's writer.
    pub(super) fn writer(&self, entry: usize) -> Option<&Writer> {
        self.entries.get(entry).map(|(writer, _)| writer)
    }

    /// The cursors at the root of the object.
    pub(super) fn root(&self) -> Vec<Cursor<'v>> {
        let cursor = |(entry, (_, set)): (usize, &(Writer, &'v Value))| Cursor {
            entry,
            set: Some(*set),
        };
        self.entries.iter().enumerate().map(cursor).collect()
    }

    /// The cursors one step further; those whose sets hold nothing there are gone.
    pub(super) fn descend(&mut self, cursors: &[Cursor<'v>], step: Step<'_>) -> Vec<Cursor<'v>> {
        let mut further = Vec::with_capacity(cursors.len());
        for cursor in cursors {
            let Some(set) = cursor.set else {
                further.push(*cursor);
                continue;
            };
            let below = match step {
                Step::Key(key) => set.get(format!("f:{key}")),
                Step::Item { item, place } => self
                    .lists
                    .entry(std::ptr::from_ref(set))
                    .or_insert_with(|| ListSet::of(set))
                    .find(item, place),
            };
            let Some(Value::Object(members)) = below else {
                continue;
            };
            further.push(Cursor {
                entry: cursor.entry,
                set: below.filter(|_| !members.is_empty()),
            });
        }
        further
    }
}

/// The items of a list that a field set names, so that each is found at once.
#[derive(Debug, Default)]
struct ListSet<'v> {
    /// By the names of the members.
    keys: Vec<(Vec<String>, SetsByValue<'v>)>,
    values: SetsByValue<'v>,
    places: HashMap<usize, &'v Value>,
}

/// By the canonical JSON of one value or several.
type SetsByValue<'v> = HashMap<Vec<u8>, &'v Value>;

impl<'v> ListSet<'v> {
    fn of(set: &'v Value) -> Self {
        let mut list = Self::default();
        let members = set.as_object().into_iter().flatten();
        for (name, below) in members {
            if let Some(text) = name.strip_prefix("k:") {
                list.add_key(text, below);
            } else if let Some(text) = name.strip_prefix("v:") {
                if let Ok(value) = serde_json::from_str::<Value>(text) {
                    list.values.insert(tree::canonical(&value), below);
                }
            } else if let Some(place) = name.strip_prefix("i:").and_then(|text| text.parse().ok()) {
                list.places.insert(place, below);
            }
        }
        list
    }

    fn add_key(&mut self, text: &str, below: &'v Value) {
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
            by_values.insert(values, below);
        }
    }

    fn find(&self, item: &Value, place: usize) -> Option<&'v Value> {
        let by_key = item.as_object().and_then(|item| {
            self.keys
                .iter()
                .find_map(|(names, sets)| sets.get(&values_of(item, names)?).copied())
        });
        let by_value = || {
            let wanted = (!self.values.is_empty()).then(|| tree::canonical(item))?;
            self.values.get(&wanted).copied()
        };
        by_key
            .or_else(by_value)
            .or_else(|| self.places.get(&place).copied())
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
