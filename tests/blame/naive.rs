//! The second way to the attributions: for each part of the shown object the list of what was there in
//! each older version, as far back as it was there.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::Ver;

/// What is expected of a part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Truth {
    pub revision: i64,
    pub boundary: bool,
    pub manager: Option<String>,
    pub subresource: Option<String>,
    pub time: Option<String>,
}

/// A step on the way to a part, with what was there in each version, newest first.
#[derive(Clone)]
enum Way<'v> {
    Member(String),
    Item(Vec<(usize, &'v Value)>),
}

struct Naive<'v> {
    versions: &'v [Ver],
    trees: &'v [Value],
    /// How many of the versions are there, as after a compaction.
    retained: usize,
    /// By the address of the part in the shown tree.
    truths: HashMap<*const Value, Truth>,
    by_place: usize,
}

/// The trees as they are shown.
pub fn shown_trees(versions: &[Ver], managed_fields: bool) -> Vec<Value> {
    let shown = |ver: &Ver| {
        let mut tree = ver.tree.clone().unwrap();
        let metadata = tree["metadata"].as_object_mut().unwrap();
        metadata.insert(
            "resourceVersion".to_owned(),
            ver.revision.to_string().into(),
        );
        if !managed_fields {
            metadata.shift_remove("managedFields");
        }
        tree
    };
    versions.iter().map(shown).collect()
}

pub fn truths(
    versions: &[Ver],
    trees: &[Value],
    retained: usize,
) -> (HashMap<*const Value, Truth>, usize) {
    let mut naive = Naive {
        versions,
        trees,
        retained,
        truths: HashMap::new(),
        by_place: 0,
    };
    let chain: Vec<&Value> = trees.iter().collect();
    naive.part(&chain, "", &mut Vec::new());
    (naive.truths, naive.by_place)
}

pub fn kind(value: &Value) -> u8 {
    match value {
        Value::Object(map) if !map.is_empty() => 1,
        Value::Array(items) if !items.is_empty() => 2,
        _ => 0,
    }
}

impl<'v> Naive<'v> {
    /// `chain`: what was at this path, newest version first.
    fn part(&mut self, chain: &[&'v Value], field: &str, way: &mut Vec<Way<'v>>) {
        let shown = chain[0];
        let holds = |value: &&&Value| match kind(shown) {
            1 => value.is_object(),
            2 => value.is_array(),
            _ => **value == shown,
        };
        let chain: Vec<&Value> = chain.iter().take_while(holds).copied().collect();
        let truth = self.truth(chain.len() - 1, way);
        self.truths.insert(shown, truth);
        match shown {
            Value::Object(map) => {
                for key in map.keys() {
                    let below = chain.iter().map_while(|value| value.get(key));
                    way.push(Way::Member(key.clone()));
                    self.part(&below.collect::<Vec<_>>(), key, way);
                    way.pop();
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    let mut at = place;
                    let mut below = vec![(at, item)];
                    for pair in chain.windows(2) {
                        let (newer, older) =
                            (pair[0].as_array().unwrap(), pair[1].as_array().unwrap());
                        let Some(before) = self.was(field, older, newer, at) else {
                            break;
                        };
                        at = before;
                        below.push((at, &older[at]));
                    }
                    let values: Vec<&Value> = below.iter().map(|(_, value)| *value).collect();
                    way.push(Way::Item(below));
                    self.part(&values, "", way);
                    way.pop();
                }
            }
            _ => {}
        }
    }

    /// Where an item of the newer list was in the older one.
    fn was(&mut self, field: &str, older: &[Value], newer: &[Value], at: usize) -> Option<usize> {
        if older == newer {
            return Some(at);
        }
        if let Some(names) = keys_of(field, older, newer) {
            let id = identity(&newer[at], names);
            return older.iter().position(|item| identity(item, names) == id);
        }
        let unique = |items: &[Value]| {
            let texts: BTreeSet<String> = items.iter().map(Value::to_string).collect();
            texts.len() == items.len() && !items.iter().any(|item| kind(item) > 0)
        };
        if !["args", "command"].contains(&field) && unique(older) && unique(newer) {
            return older.iter().position(|item| *item == newer[at]);
        }
        self.by_place += 1;
        aligned(older, newer)[at]
    }

    /// The attribution of what has been so in `0..=index`, back from the shown version.
    fn truth(&self, index: usize, way: &[Way<'v>]) -> Truth {
        let last = self.retained - 1;
        let oldest = index.min(last);
        let ver = &self.versions[oldest];
        let boundary = index >= last && self.versions[last].version > 1;
        let is_version = matches!(way, [Way::Member(a), Way::Member(b)] if a == "metadata" && b == "resourceVersion");
        if boundary && is_version {
            return Truth {
                revision: ver.revision,
                ..Truth::default()
            };
        }
        let entries = |ver: &Ver| {
            let entries = ver.tree.as_ref().unwrap()["metadata"]["managedFields"].as_array();
            entries.cloned().unwrap_or_default()
        };
        let before = match self.versions.get(oldest + 1).filter(|_| oldest < last) {
            Some(before) => entries(before),
            None => Vec::new(),
        };
        let own = entries(ver);
        let wrote = own.iter().filter(|entry| wrote(entry, &before));
        let mut owners: Vec<&Value> = wrote
            .clone()
            .filter(|entry| owns(&entry["fieldsV1"], way, oldest))
            .collect();
        // The newest; of a boundary the oldest. Without a time: last.
        owners.sort_by_key(|entry| {
            (
                entry["time"].is_null(),
                boundary.then(|| entry["time"].to_string()),
            )
        });
        let key = |entry: &&Value| entry["time"].as_str().unwrap_or_default().to_owned();
        let newest = owners.iter().map(key).max();
        let owner = match boundary {
            true => owners.first().copied(),
            false => owners
                .iter()
                .find(|entry| Some(key(entry)) == newest)
                .copied(),
        };
        let text = |value: &Value| {
            value
                .as_str()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
        };
        let new_times = wrote.filter(|entry| {
            let known = before.iter().find(|known| same_writer(known, entry));
            known.is_none_or(|known| known["time"] != entry["time"])
        });
        let created = &ver.tree.as_ref().unwrap()["metadata"]["creationTimestamp"];
        let time = match (boundary, ver.version) {
            (true, _) => owner.and_then(|owner| text(&owner["time"])),
            (false, 1) if created.is_string() => text(created),
            (false, _) => new_times.filter_map(|entry| text(&entry["time"])).max(),
        };
        Truth {
            revision: ver.revision,
            boundary,
            manager: owner.and_then(|owner| text(&owner["manager"])),
            subresource: owner.and_then(|owner| text(&owner["subresource"])),
            time,
        }
    }
}

/// The members by which the items of a list are known, where these distinguish all of them.
fn keys_of(field: &str, older: &[Value], newer: &[Value]) -> Option<&'static [&'static str]> {
    let candidates: &[&'static [&'static str]] = match field {
        "conditions" => &[&["type"]],
        "ports" => &[
            &["containerPort", "protocol"],
            &["port", "protocol"],
            &["name"],
        ],
        "endpoints" => &[&["targetRef.name"], &["addresses"]],
        "addresses" => &[&["type", "address"], &["ip"]],
        "subjects" => &[&["kind", "name", "namespace"]],
        "tolerations" => &[&["key", "operator", "effect"]],
        "ownerReferences" => &[&["uid"]],
        "volumeMounts" => &[&["mountPath"]],
        "managedFields" => &[&["manager", "operation", "apiVersion", "subresource"]],
        _ => &[
            &["name"],
            &["key"],
            &["type"],
            &["uid"],
            &["id"],
            &["ip"],
            &["path"],
        ],
    };
    candidates.iter().copied().find(|names| {
        [older, newer].iter().all(|items| {
            let ids: BTreeSet<String> = items.iter().map(|item| identity(item, names)).collect();
            let first = |item: &Value| item.is_object() && !member(item, names[0]).is_null();
            ids.len() == items.len() && items.iter().all(first)
        })
    })
}

pub fn member<'v>(item: &'v Value, name: &str) -> &'v Value {
    name.split('.').fold(item, |value, key| &value[key])
}

fn identity(item: &Value, names: &[&str]) -> String {
    let values = names.iter().map(|name| member(item, name).to_string());
    values.collect::<Vec<_>>().join(" ")
}

/// By place: along a longest common subsequence, and between its parts one by one.
fn aligned(older: &[Value], newer: &[Value]) -> Vec<Option<usize>> {
    let mut lengths = vec![vec![0_usize; newer.len() + 1]; older.len() + 1];
    for a in (0..older.len()).rev() {
        for b in (0..newer.len()).rev() {
            lengths[a][b] = if older[a] == newer[b] {
                lengths[a + 1][b + 1] + 1
            } else {
                lengths[a + 1][b].max(lengths[a][b + 1])
            };
        }
    }
    let mut pairs = vec![None; newer.len()];
    let (mut a, mut b, mut gap_a, mut gap_b) = (0, 0, 0, 0);
    loop {
        let ends = a == older.len() || b == newer.len();
        if ends || older[a] == newer[b] {
            let (end_a, end_b) = if ends {
                (older.len(), newer.len())
            } else {
                (a, b)
            };
            (gap_a..end_a)
                .zip(gap_b..end_b)
                .for_each(|(from, to)| pairs[to] = Some(from));
            if ends {
                return pairs;
            }
            pairs[b] = Some(a);
            (a, b) = (a + 1, b + 1);
            (gap_a, gap_b) = (a, b);
        } else if lengths[a + 1][b] >= lengths[a][b + 1] {
            a += 1;
        } else {
            b += 1;
        }
    }
}

fn same_writer(a: &Value, b: &Value) -> bool {
    ["manager", "operation", "apiVersion", "subresource"]
        .iter()
        .all(|name| a[name] == b[name])
}

/// The members of a field set, each as its path.
fn set_members(set: &Value, at: &str, into: &mut BTreeSet<String>) {
    let map = set.as_object().unwrap();
    if map.is_empty() {
        into.insert(at.to_owned());
    }
    for (name, below) in map {
        match name.as_str() {
            "." => drop(into.insert(at.to_owned())),
            _ => set_members(below, &format!("{at}\n{name}"), into),
        }
    }
}

fn wrote(entry: &Value, before: &[Value]) -> bool {
    let Some(known) = before.iter().find(|known| same_writer(known, entry)) else {
        return true;
    };
    let members = |entry: &Value| {
        let mut members = BTreeSet::new();
        set_members(&entry["fieldsV1"], "", &mut members);
        members
    };
    known["time"] != entry["time"] || !members(entry).is_subset(&members(known))
}

/// Whether a field set owns what is at the end of a way, in the version of this index.
fn owns(set: &Value, way: &[Way<'_>], index: usize) -> bool {
    let mut set = set;
    for step in way {
        let is_step = |name: &str| match step {
            Way::Member(key) => name == format!("f:{key}"),
            Way::Item(chain) => {
                let (place, item) = chain[index];
                let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
                if let Some(key) = name.strip_prefix("k:") {
                    json(key)
                        .as_object()
                        .unwrap()
                        .iter()
                        .all(|(name, value)| item[name] == *value)
                } else if let Some(value) = name.strip_prefix("v:") {
                    json(value) == *item
                } else {
                    name == format!("i:{place}")
                }
            }
        };
        let Some((_, below)) = set
            .as_object()
            .unwrap()
            .iter()
            .find(|(name, _)| is_step(name))
        else {
            return false;
        };
        if below == &json!({}) {
            return true;
        }
        set = below;
    }
    !set[".".to_owned()].is_null()
}
