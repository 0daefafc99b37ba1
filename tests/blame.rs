//! `blame`: each line of each object against a second, plain way to the same answer.

mod cases;
mod naive;
mod verb;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path as FilePath;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;
use etcdive::k8s::Order;
use etcdive::k8s::blame::{Blame, Blamed, Version};
use etcdive::k8s::diff::{Path, Segment};
use etcdive::k8s::object::tree_of;
use etcdive::source::Source;
use etcdive::view::blame::lines;
use etcdive::view::json::write_value;
use etcdive::view::yaml::YamlWriter;
use serde_json::Value;

use self::naive::{Truth, kind, member, shown_trees, truths};
use crate::support::{case_roots, testdata};

/// One event of a key; no tree: a deletion.
#[derive(Clone)]
struct Ver {
    revision: i64,
    create: i64,
    version: i64,
    tree: Option<Value>,
}

type Histories = BTreeMap<Vec<u8>, Vec<Ver>>;

/// The events of a database file.
fn of_db(db: &FilePath) -> Histories {
    let (source, diagnostics) = (Source::open(db).unwrap(), Diagnostics::new());
    let store = Store::open(&source, &diagnostics).unwrap();
    let mut histories = Histories::new();
    for record in store.records(Direction::Forward) {
        let tree = (!record.tombstone).then(|| tree_of(record.value).unwrap().0);
        let ver = Ver {
            revision: record.revision.main,
            create: record.create_revision,
            version: record.version,
            tree,
        };
        histories.entry(record.key.to_vec()).or_default().push(ver);
    }
    histories
}

/// The events that a watch recorded, up to a revision.
fn of_watch(files: &[std::path::PathBuf], to: i64) -> Histories {
    let mut histories = Histories::new();
    for file in files {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let bytes = |name: &str| STANDARD.decode(event[name].as_str().unwrap()).unwrap();
            let revision = event["rev"].as_i64().unwrap();
            if revision > to {
                continue;
            }
            let ver = Ver {
                revision,
                create: event["create_revision"].as_i64().unwrap_or(0),
                version: event["version"].as_i64().unwrap_or(0),
                tree: (event["type"] == "PUT").then(|| tree_of(&bytes("value_b64")).unwrap().0),
            };
            histories.entry(bytes("key_b64")).or_default().push(ver);
        }
    }
    histories
}

/// The versions of what is live at the end, newest first, since its creation.
fn incarnation(history: &[Ver]) -> Vec<Ver> {
    let newest_first = history.iter().rev();
    let live = newest_first.take_while(|ver| ver.tree.is_some());
    let live: Vec<Ver> = live.cloned().collect();
    let create = live.first().map_or(0, |ver| ver.create);
    live.into_iter()
        .take_while(|ver| ver.create == create)
        .collect()
}

/// What the program says of versions, newest first.
fn blame(versions: &[Ver], managed_fields: bool) -> Blamed {
    let version = |ver: &Ver| {
        let tree = ver.tree.clone().unwrap();
        Version::new(ver.revision, ver.version, tree, managed_fields)
    };
    let mut blame = Blame::new(version(&versions[0]));
    for ver in &versions[1..] {
        blame.older(version(ver));
    }
    blame.finish()
}

// Lines.

/// What a path leads to.
fn resolve<'v>(tree: &'v Value, path: &Path) -> &'v Value {
    path.segments()
        .into_iter()
        .fold(tree, |value, segment| match segment {
            Segment::Key(key) => &value[key.as_str()],
            Segment::Index(index) => &value[*index],
            Segment::Item(item) => value
                .as_array()
                .unwrap()
                .iter()
                .find(|other| *other == item)
                .unwrap(),
            Segment::Identity(members) => {
                let is_meant = |item: &&Value| {
                    members.iter().all(|(name, wanted)| {
                        let found = member(item, name);
                        wanted
                            .as_ref()
                            .map_or(found.is_null(), |wanted| wanted == found)
                    })
                };
                let mut found = value.as_array().unwrap().iter().filter(is_meant);
                let item = found.next().unwrap();
                assert!(found.next().is_none(), "{path} names one");
                item
            }
        })
}

/// Fails unless a line that begins a part says what the part is.
fn assert_begins(text: &str, path: &Path, value: &Value) {
    let Some(last) = path.last() else {
        assert_eq!(text, "{}");
        return;
    };
    let mut bare = text.trim_start();
    while let Some(rest) = bare.strip_prefix("- ") {
        bare = rest.trim_start();
    }
    let is_open = |style: &str| bare.ends_with(style);
    match last {
        Segment::Key(key) => {
            let Ok(read) = serde_norway::from_str::<Value>(bare) else {
                // The first line of several.
                assert!(value.is_string() && bare.contains(key.as_str()), "{text}");
                return;
            };
            let read = read
                .as_object()
                .unwrap_or_else(|| panic!("{text}"))
                .iter()
                .next()
                .unwrap();
            let (name, read) = read;
            assert_eq!(name, key, "{text}");
            let begins_block = ["|", "|-", "|+", "|2", "|2-", "|2+"]
                .iter()
                .any(|style| is_open(style));
            match value {
                Value::String(whole) if begins_block => assert!(whole.contains('\n')),
                Value::String(whole) if *read != *value => {
                    let begun = read.as_str().unwrap_or_else(|| panic!("{text}: {whole}"));
                    assert!(whole.starts_with(begun), "{text}: {whole}");
                }
                Value::Object(_) | Value::Array(_) if kind(value) > 0 => {
                    assert!(read.is_null(), "{text}")
                }
                _ => assert_eq!(*read, *value, "{text}"),
            }
        }
        _ => {
            let read: Value = serde_norway::from_str(bare).unwrap_or_default();
            assert!(read == *value || value.is_string(), "{text}: {value}");
        }
    }
}

#[derive(Debug, Default)]
struct Count {
    objects: usize,
    versions: usize,
    lines: usize,
    boundaries: usize,
    unknown: usize,
    by_place: usize,
}

/// Compares all lines of one object, of which the first `retained` versions are there.
fn compare(key: &[u8], versions: &[Ver], retained: usize, managed_fields: bool, count: &mut Count) {
    let name = String::from_utf8_lossy(key);
    let trees = shown_trees(versions, managed_fields);
    let (truths, by_place) = truths(versions, &trees, retained);
    let blamed = blame(&versions[..retained], managed_fields);
    assert_eq!(blamed.tree(), &trees[0], "{name}");
    let lines = lines(&trees[0], &blamed);
    let mut begun = BTreeSet::new();
    let (mut texts, mut scalar_lines) = (Vec::new(), 0);
    for line in lines.iter() {
        let path = lines.path(&line);
        let text = path.to_string();
        assert_eq!(text.parse::<Path>().unwrap(), path);
        let value = resolve(&trees[0], &path);
        let found = line.attribution.unwrap();
        let truth = &truths[&std::ptr::from_ref(value)];
        let found = Truth {
            revision: found.revision,
            boundary: found.boundary,
            manager: found.manager.clone(),
            subresource: found.subresource.clone(),
            time: found.time.clone(),
        };
        assert_eq!(*truth, found, "{name}: {path}: {}", line.text);
        assert_eq!(begun.insert(text), !line.is_continued, "{name}: {path}");
        if line.is_continued {
            assert!(value.is_string(), "{name}: {}", line.text);
        } else {
            assert_begins(line.text, &path, value);
        }
        count.lines += 1;
        count.boundaries += usize::from(found.boundary);
        count.unknown += usize::from(found.manager.is_none());
        scalar_lines += usize::from(!line.is_continued && kind(value) == 0);
        texts.push(format!("{}\n", line.text));
    }
    let mut scalars = 0;
    count_scalars(&trees[0], &mut scalars);
    assert_eq!(
        scalar_lines, scalars,
        "{name}: each scalar begins on one line"
    );
    let mut writer = YamlWriter::new(Vec::new());
    write_value(&trees[0], Order::Natural, &mut writer);
    let yaml = String::from_utf8(writer.finish().unwrap()).unwrap();
    assert_eq!(texts.concat(), yaml, "{name}");
    count.objects += 1;
    count.versions += retained;
    count.by_place += by_place;
}

fn count_scalars(value: &Value, count: &mut usize) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            map.values().for_each(|value| count_scalars(value, count))
        }
        Value::Array(items) if !items.is_empty() => {
            items.iter().for_each(|value| count_scalars(value, count))
        }
        _ => *count += 1,
    }
}

/// The recorded watch, where the corpus is there.
fn watch_files() -> Vec<std::path::PathBuf> {
    let names = ["allrevs.jsonl", "compacted-later.newrevs.jsonl"];
    let roots = case_roots().into_iter();
    roots
        .map(|root| root.join("corpus/k8s"))
        .find(|folder| folder.is_dir())
        .map_or(Vec::new(), |folder| {
            names.map(|name| folder.join(name)).to_vec()
        })
}

#[test]
fn every_line_of_every_object_names_the_first_revision_that_held_it() {
    let files = watch_files();
    let after = of_db(&testdata("healthy/k8s/after.db"));
    let histories = if files.is_empty() {
        after.clone()
    } else {
        of_watch(&files, 3129)
    };
    assert_eq!(histories.len(), after.len());
    let mut count = Count::default();
    for (key, history) in &histories {
        let versions = incarnation(history);
        assert_eq!(versions.len(), incarnation(&after[key]).len());
        if !versions.is_empty() {
            for managed_fields in [false, true] {
                compare(key, &versions, versions.len(), managed_fields, &mut count);
            }
        }
    }
    println!("{count:?} (with and without managedFields)");
    assert!(count.objects == 2 * 618 && count.lines > 40_000 && count.boundaries == 0);
}

#[test]
fn a_revision_after_which_nothing_is_left_is_a_boundary() {
    let histories = of_db(&testdata("healthy/k8s/after.db"));
    let (mut count, mut right, mut told) = (Count::default(), 0, 0);
    for history in histories.values() {
        let versions = incarnation(history);
        let key = b"";
        // What a compaction to each of these versions leaves, but for those that are every one the same.
        let lengths: BTreeSet<usize> =
            [1, 2, versions.len() / 2, versions.len().saturating_sub(1)].into();
        for retained in lengths
            .into_iter()
            .filter(|length| (1..versions.len()).contains(length))
        {
            compare(key, &versions, retained, false, &mut count);
            let (part, whole) = (blame(&versions[..retained], false), blame(&versions, false));
            let (part_lines, whole_lines) =
                (lines(part.tree(), &part), lines(whole.tree(), &whole));
            for (part, whole) in part_lines.iter().zip(whole_lines.iter()) {
                let (part, whole) = (part.attribution.unwrap(), whole.attribution.unwrap());
                assert!(whole.revision <= part.revision);
                assert!(part.boundary || part.revision == whole.revision);
                if part.boundary && part.manager.is_some() && whole.manager.is_some() {
                    told += 1;
                    right += usize::from(part.manager == whole.manager);
                }
            }
        }
    }
    println!("{count:?}; of {told} managers of boundaries {right} are those that wrote the line");
    assert!(count.boundaries > 10_000 && count.boundaries < count.lines);
    assert!(right * 100 > told * 95);
}

#[test]
fn compacted_databases_name_what_is_left_and_mark_it() {
    let files = watch_files();
    if files.is_empty() {
        println!("compared 0 compacted databases: they are in the corpus only");
        return;
    }
    for (name, to) in [("compacted.db", 3221), ("compacted-later.db", 3613)] {
        let whole = of_watch(&files, to);
        let mut count = Count::default();
        for (key, history) in of_db(&files[0].with_file_name(name)) {
            let retained = incarnation(&history);
            let versions = incarnation(&whole[&key]);
            if retained.is_empty() {
                assert!(versions.is_empty());
                continue;
            }
            let revisions =
                |versions: &[Ver]| versions.iter().map(|ver| ver.revision).collect::<Vec<_>>();
            assert_eq!(revisions(&versions[..retained.len()]), revisions(&retained));
            compare(&key, &versions, retained.len(), false, &mut count);
        }
        println!("{name}: {count:?}");
        assert!(count.boundaries > 1000 && count.lines > count.boundaries);
    }
}
