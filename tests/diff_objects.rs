//! Properties of the structural diff, on random trees, on all short lists and on real objects.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use crate::support::random;

use std::collections::BTreeMap;

use etcdive::k8s::catalog::Catalog;
use etcdive::k8s::diff::{FieldChange, MAX_DEPTH, Path, Scope, Segment, apply, diff, tree};
use etcdive::k8s::redact::Masker;
use etcdive::view::diff::{Change, ObjectChange, Style, write_fields, write_object};
use random::Random;
use serde_json::{Map, Value, json};

const KEYS: &[&str] = &[
    "spec",
    "metadata",
    "containers",
    "ports",
    "env",
    "args",
    "tolerations",
    "subjects",
    "rules",
    "conditions",
    "managedFields",
    "items",
    "data",
    "status",
    "list",
    "a.b/c-d",
    "",
    "0",
    "x y",
    "\u{e9}",
    "]",
    "\"",
    "kind",
    "finalizers",
];

const MEMBERS: &[&str] = &["name", "port", "metadata.name", "a.b.c", "_x1"];

const TEXTS: &[&str] = &[
    "",
    "a",
    "b",
    "web",
    "80",
    "-1",
    "1e5",
    "1e999",
    "null",
    "true",
    "TCP",
    "a,b=c]",
    "\"q\"",
    "\u{1f600}",
    "two\nlines\n",
    "\\",
    "10.0.0.1",
    "/mnt/x",
    " ",
    "\u{0}",
];

fn scalar(r: &mut Random) -> Value {
    match r.below(8) {
        0 => Value::Null,
        1 => json!(r.one_in(2)),
        2 => json!(r.below(4)),
        3 => json!([-1, -2, i64::MIN][r.below(3)]),
        4 => json!([0.0, -0.0, 1.0, 0.5, 1e300][r.below(5)]),
        5 => json!(u64::MAX),
        _ => json!(r.pick(TEXTS)),
    }
}

fn tree_of(r: &mut Random, depth: usize) -> Value {
    if depth == 0 {
        return scalar(r);
    }
    match r.below(7) {
        0 => scalar(r),
        1..=3 => {
            let mut map = Map::new();
            for _ in 0..r.below(6) {
                map.insert(r.pick(KEYS).to_owned(), tree_of(r, depth - 1));
            }
            Value::Object(map)
        }
        _ => list_of(r, depth),
    }
}

fn list_of(r: &mut Random, depth: usize) -> Value {
    let kind = r.below(7);
    (0..r.below(6)).map(|_| item_of(r, kind, depth)).collect()
}

fn item_of(r: &mut Random, kind: usize, depth: usize) -> Value {
    let members: &[&str] = match kind {
        0 => return scalar(r),
        1 => return json!(r.pick(TEXTS)),
        2 => return tree_of(r, depth - 1),
        3 if r.one_in(2) => {
            let mut item = item_of(r, 3, depth);
            item["metadata"] = json!({"name":scalar(r),"namespace":r.pick(TEXTS)});
            return item;
        }
        3 => &["name"],
        4 => &["port", "protocol"],
        5 => &["key", "operator", "effect"],
        _ => &["kind", "name", "namespace"],
    };
    let mut map = Map::new();
    for member in members {
        if !r.one_in(6) {
            map.insert((*member).to_owned(), scalar(r));
        }
    }
    for _ in 0..r.below(3) {
        map.insert(r.pick(KEYS).to_owned(), tree_of(r, depth - 1));
    }
    Value::Object(map)
}

/// A few random edits all over a tree.
fn edit(r: &mut Random, value: &mut Value, depth: usize) {
    if r.one_in(12) {
        *value = tree_of(r, depth.min(2));
        return;
    }
    match value {
        Value::Object(map) => {
            if r.one_in(4) {
                map.insert(r.pick(KEYS).to_owned(), tree_of(r, depth.min(2)));
            }
            if r.one_in(5) && !map.is_empty() {
                let key = map.keys().nth(r.below(map.len())).unwrap().clone();
                map.shift_remove(&key);
            }
            for child in map.values_mut() {
                if r.one_in(2) {
                    edit(r, child, depth.saturating_sub(1));
                }
            }
        }
        Value::Array(items) => {
            for _ in 0..r.below(4) {
                let len = items.len();
                match r.below(6) {
                    0 if len > 0 => drop(items.remove(r.below(len))),
                    1 if len > 0 => items.insert(r.below(len), items[r.below(len)].clone()),
                    2 => r.shuffle(items),
                    3 if len > 1 => items.swap(r.below(len), r.below(len)),
                    4 => items.insert(r.below(len + 1), tree_of(r, 1)),
                    _ if len > 0 => {
                        let at = r.below(len);
                        edit(r, &mut items[at], depth.saturating_sub(1));
                    }
                    _ => {}
                }
            }
        }
        scalar_value => *scalar_value = scalar(r),
    }
}

/// Prints each change and reads it back.
fn printed(changes: &[FieldChange]) -> Vec<FieldChange> {
    let text: Vec<String> = changes.iter().map(FieldChange::to_json).collect();
    text.iter()
        .map(|line| FieldChange::from_value(&serde_json::from_str(line).unwrap()).unwrap())
        .collect()
}

/// The property all of this is for. Returns how many changes there were.
fn holds(old: &Value, new: &Value) -> usize {
    let changes = diff(old, new, Scope::ALL);
    let read = printed(&changes);
    assert_eq!(read, changes, "printed and read back");
    let made =
        apply(old, &read).unwrap_or_else(|e| panic!("{e}\nold {old}\nnew {new}\n{changes:#?}"));
    assert!(
        tree::equal(&made, new),
        "old {old}\nnew {new}\ngot {made}\n{changes:#?}"
    );
    assert_eq!(changes.is_empty(), tree::equal(old, new));
    for change in &changes {
        if let (Some(a), Some(b)) = (&change.old, &change.new) {
            assert!(!tree::equal(a, b), "a replacement by the same: {change:?}");
        }
    }
    changes.len()
}

#[test]
fn applying_the_printed_changes_gives_the_new_tree_for_random_edits() {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for seed in 0..4000 {
        let mut r = Random::new(seed);
        let depth = 1 + r.below(4);
        let old = tree_of(&mut r, depth);
        let mut new = old.clone();
        edit(&mut r, &mut new, depth);
        holds(&old, &new);
        holds(&new, &old);
        assert_eq!(diff(&old, &old.clone(), Scope::ALL), []);
        for change in diff(&old, &new, Scope::ALL) {
            let at = match change.path.last() {
                None => "root",
                Some(Segment::Key(_)) => "key",
                Some(Segment::Identity(_)) => "identity",
                Some(Segment::Item(_)) => "item",
                Some(Segment::Index(_)) => "index",
            };
            *kinds
                .entry(format!("{} {at}", change.op.as_str()))
                .or_default() += 1;
        }
    }
    // The edits must have led to each kind of change there is, and often.
    for kind in [
        "add identity",
        "add index",
        "add item",
        "add key",
        "move identity",
        "move item",
        "remove identity",
        "remove index",
        "remove item",
        "remove key",
        "replace index",
        "replace key",
        "replace root",
    ] {
        assert!(
            kinds.get(kind).is_some_and(|count| *count > 20),
            "{kind}: {kinds:?}"
        );
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}

#[test]
fn applying_the_printed_changes_gives_the_new_tree_for_unrelated_trees() {
    for seed in 0..2000 {
        let mut r = Random::new(seed);
        let (old, new) = (tree_of(&mut r, 4), tree_of(&mut r, 4));
        holds(&old, &new);
    }
}

#[test]
fn applying_the_printed_changes_gives_the_new_list_for_all_short_lists() {
    let mut lists: Vec<Vec<usize>> = vec![vec![]];
    let mut from = 0;
    for _ in 0..3 {
        let to = lists.len();
        for i in from..to {
            for symbol in 0..3 {
                let mut longer = lists[i].clone();
                longer.push(symbol);
                lists.push(longer);
            }
        }
        from = to;
    }
    assert_eq!(lists.len(), 40);
    type Item = fn(usize, usize) -> Value;
    let items: [Item; 6] = [
        |symbol, _| json!(symbol),
        |symbol, _| json!(["a", "b", "c", "d"][symbol]),
        |symbol, _| json!({"name":symbol}),
        |symbol, side| json!({"name":TEXTS[symbol],"v":side}),
        |symbol, side| json!({"kind":"k","name":symbol / 2,"namespace":symbol % 2,"v":[side]}),
        |symbol, side| json!([symbol, {"v":side}, "a text which is longer than the others are"]),
    ];
    for item in items {
        for a in &lists {
            for b in &lists {
                let list =
                    |of: &[usize], side| -> Value { of.iter().map(|s| item(*s, side)).collect() };
                holds(&json!({"l":list(a, 0)}), &json!({"l":list(b, 1)}));
                holds(&list(a, 0), &list(b, 0));
            }
        }
    }
}

#[test]
fn a_path_reads_back_as_itself() {
    for seed in 0..20_000 {
        let mut r = Random::new(seed);
        let path: Path = (0..r.below(6))
            .map(|_| match r.below(4) {
                0 => Segment::Key(r.pick(if seed % 2 == 0 { KEYS } else { TEXTS }).to_owned()),
                1 => Segment::Index(r.below(1000)),
                2 => Segment::Item(scalar(&mut r)),
                _ => Segment::Identity(
                    (0..=r.below(3))
                        .map(|_| {
                            let value = (!r.one_in(4)).then(|| scalar(&mut r));
                            (r.pick(MEMBERS).to_owned(), value)
                        })
                        .collect(),
                ),
            })
            .collect();
        let text = path.to_string();
        assert_eq!(Path::parse(&text).as_ref(), Ok(&path), "{text}");
    }
}

#[test]
fn any_text_is_a_path_or_an_error_and_a_path_is_written_as_it_reads() {
    const PIECES: &[&str] = &[
        "a", "b1", ".", "[", "]", "=", ",", "\"", "\\", "0", "12", "-", "null", "\"x\"", "[n=a]",
        "[3]", " ", "\u{e9}",
    ];
    let mut read = 0;
    for seed in 0..50_000 {
        let mut r = Random::new(seed);
        let text: String = (0..r.below(10)).map(|_| r.pick(PIECES)).collect();
        if let Ok(path) = Path::parse(&text) {
            read += 1;
            assert_eq!(Path::parse(&path.to_string()), Ok(path), "{text}");
        }
    }
    assert!(read > 1000, "{read}");
}

/// A Secret with one number below `levels` maps or lists.
fn deep(leaf: i32, levels: usize, list: bool) -> Value {
    let mut value = json!(leaf);
    for _ in 0..levels {
        value = if list {
            Value::Array(vec![value])
        } else {
            Value::Object(Map::from_iter([("k".to_owned(), value)]))
        };
    }
    Value::Object(Map::from_iter([
        ("apiVersion".to_owned(), json!("v1")),
        ("kind".to_owned(), json!("Secret")),
        ("metadata".to_owned(), value),
    ]))
}

fn compare_deep(levels: usize, list: bool) {
    let (old, new) = (deep(1, levels, list), deep(2, levels, list));
    let changes = diff(&old, &new, Scope::ALL);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].path.depth(), MAX_DEPTH);
    assert!(tree::equal(&apply(&old, &changes).unwrap(), &new));
    assert!(diff(&old, &old, Scope::ALL).is_empty());
    for style in [
        Style::default(),
        Style {
            width: Some(80),
            ..Style::default()
        },
    ] {
        write_fields(&mut Vec::new(), &changes, &style).unwrap();
    }
    let object = ObjectChange {
        change: Change::Changed,
        key: b"/k",
        old: None,
        new: None,
        deleted_at: None,
        fields: &changes,
    };
    let line = etcdive::view::diff::json(&object, &Catalog::default()).unwrap();
    assert!(line.len() > 2 * levels);
    Masker::new(false).mask(&new, true);
    assert_eq!(
        Masker::new(false).diff(&old, &new, Scope::ALL, true).len(),
        1
    );
}

#[test]
fn trees_ten_thousand_deep_are_compared_applied_masked_and_printed() {
    // The stack of a main thread: what needs it is only the `Drop` of serde_json's own values.
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    let run = thread.spawn(|| [false, true].map(|list| compare_deep(10_000, list)));
    run.unwrap().join().unwrap();
}

#[test]
fn long_lists_without_anything_in_common_come_to_an_end() {
    let list = |seed| -> Value {
        let mut r = Random::new(seed);
        (0..20_000).map(|_| json!([r.below(500)])).collect()
    };
    assert!(holds(&list(1), &list(2)) > 0);
    let unique = |from: usize| -> Value { (from..from + 20_000).map(|i| json!([i])).collect() };
    assert_eq!(holds(&unique(0), &unique(20_000)), 1);
}

// ---- real objects ----

/// The folders named by `ETCDIVE_CORPUS`: the corpus itself, or the folder above it.
fn truth(name: &str) -> Option<BTreeMap<String, Value>> {
    let root = std::path::PathBuf::from(std::env::var_os("ETCDIVE_CORPUS")?);
    let file = [root.join("corpus/k8s"), root.join("k8s")]
        .into_iter()
        .map(|folder| folder.join(name))
        .find(|file| file.exists())
        .unwrap_or_else(|| panic!("no {name} below {}", root.display()));
    let truth: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let mut objects = BTreeMap::new();
    for (resource, list) in truth["resources"].as_object().unwrap() {
        for item in list["items"].as_array().unwrap() {
            let text = |key: &str| item["metadata"][key].as_str().unwrap_or_default();
            let key = format!("{resource}/{}/{}", text("namespace"), text("name"));
            assert!(objects.insert(key, item.clone()).is_none());
        }
    }
    Some(objects)
}

#[test]
fn applying_the_printed_changes_gives_the_new_object_for_all_objects_of_the_corpus() {
    let (Some(before), Some(after)) = (truth("before.truth.json"), truth("after.truth.json"))
    else {
        println!("ETCDIVE_CORPUS is not set: the corpus is not compared");
        return;
    };
    let (mut compared, mut changed, mut fields) = (0, 0, 0);
    for (key, old) in &before {
        if let Some(new) = after.get(key) {
            let changes = holds(old, new);
            holds(new, old);
            compared += 1;
            changed += usize::from(changes > 0);
            fields += changes;
            if std::env::var_os("ETCDIVE_SHOW").is_some() && changes > 0 {
                let style = Style {
                    width: Some(120),
                    ..Style::default()
                };
                let fields = Masker::new(false).diff(
                    old,
                    new,
                    Scope {
                        managed_fields: false,
                        ..Scope::ALL
                    },
                    false,
                );
                let object = ObjectChange {
                    change: Change::Changed,
                    key: key.as_bytes(),
                    old: None,
                    new: None,
                    deleted_at: None,
                    fields: &fields,
                };
                write_object(&mut std::io::stdout(), &object, &style).unwrap();
            }
        }
    }
    // Unrelated objects of one kind, too.
    let neighbours: Vec<&Value> = after.values().collect();
    for pair in neighbours.windows(2) {
        holds(pair[0], pair[1]);
    }
    println!("compared {compared} objects of the corpus, {changed} changed, {fields} fields");
    assert!(
        compared > 0 && changed > 0,
        "compared {compared}, changed {changed}"
    );
}
