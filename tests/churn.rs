//! `churn`: fights and writes without a change are found exactly, writes are counted, and every flag does what it says.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::synth::k8s::{Manager, Meta, config_map, lease};
use crate::support::terminal::{Terminal, without_colours};
use crate::support::{Run, Scratch, etcdive, program};

/// 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

/// A store that is written by field managers, ten seconds after each other.
struct Cluster {
    store: Store,
    now: i64,
    /// The metadata of each object as it was written last.
    metas: BTreeMap<String, Meta>,
    /// How many writes each manager made.
    writes: BTreeMap<String, u64>,
}

impl Cluster {
    fn new() -> Self {
        Self {
            store: Store::new(Version::V3_6),
            now: EPOCH,
            metas: BTreeMap::new(),
            writes: BTreeMap::new(),
        }
    }

    /// The metadata of an object that a manager writes now.
    fn meta(&mut self, manager: &str, name: &str) -> Meta {
        self.now += 10;
        *self.writes.entry(manager.to_owned()).or_default() += 1;
        let now = self.now;
        let meta = self.metas.entry(name.to_owned()).or_insert_with(|| Meta {
            name: name.to_owned(),
            namespace: "shop".to_owned(),
            uid: format!("uid-{name}"),
            created: now,
            ..Meta::default()
        });
        let known = meta.managed.iter_mut().find(|known| known.name == manager);
        match known {
            Some(known) => known.time = now,
            None => meta.managed.push(Manager {
                name: manager.to_owned(),
                operation: "Update".to_owned(),
                time: now,
                fields: "{\"f:data\":{}}".to_owned(),
                ..Manager::default()
            }),
        }
        meta.clone()
    }

    /// A manager writes a ConfigMap. Returns the revision.
    fn write(&mut self, manager: &str, name: &str, data: &[(&str, &str)]) -> i64 {
        let meta = self.meta(manager, name);
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let data: Vec<_> = data.iter().map(owned).collect();
        let key = format!("/registry/configmaps/shop/{name}");
        self.store.put(key, config_map(&meta, &data))
    }

    /// A manager renews a lease.
    fn renew(&mut self, manager: &str, name: &str) {
        let meta = self.meta(manager, name);
        let key = format!("/registry/leases/shop/{name}");
        self.store.put(key, lease(&meta, manager, self.now));
    }
}

/// The store with planted fights and writes without a change, and what has to be found.
struct Planted {
    scratch: Scratch,
    db: String,
    cluster: Cluster,
    fights: Value,
    no_changes: Value,
}

fn planted(name: &str) -> Planted {
    let mut cluster = Cluster::new();
    let cluster_ref = &mut cluster;
    // Two managers, one field: three times one restores what the other replaced.
    cluster_ref.write("alpha", "fought", &[("mode", "a"), ("other", "x")]);
    cluster_ref.write("beta", "fought", &[("mode", "b"), ("other", "x")]);
    cluster_ref.write("alpha", "fought", &[("mode", "a"), ("other", "x")]);
    cluster_ref.write("beta", "fought", &[("mode", "b"), ("other", "y")]);
    let last_flip = cluster_ref.write("alpha", "fought", &[("mode", "a"), ("other", "y")]);
    // One correction is no fight.
    for (manager, mode) in [("alpha", "a"), ("beta", "b"), ("alpha", "a")] {
        cluster_ref.write(manager, "corrected", &[("mode", mode)]);
    }
    // One manager that changes its mind.
    for mode in ["a", "b", "a", "b", "a"] {
        cluster_ref.write("alpha", "lonely", &[("mode", mode)]);
    }
    // Two managers, each with its own field.
    for (manager, x, y) in [
        ("alpha", "1", "1"),
        ("beta", "1", "2"),
        ("alpha", "2", "2"),
        ("beta", "2", "1"),
        ("alpha", "1", "1"),
        ("beta", "1", "2"),
    ] {
        cluster_ref.write(manager, "shared", &[("x", x), ("y", y)]);
    }
    // Two managers that set new values in turn restore nothing.
    for (manager, count) in [("alpha", "1"), ("beta", "2"), ("alpha", "3"), ("beta", "4")] {
        cluster_ref.write(manager, "counted", &[("count", count)]);
    }
    // Only managedFields differ, twice.
    for _ in 0..2 {
        cluster_ref.write("beta", "idle", &[("mode", "a")]);
    }
    let last_idle = cluster_ref.write("alpha", "idle", &[("mode", "a")]);
    let idle_bytes = cluster_ref.store.history().last().unwrap().value.len()
        + cluster_ref
            .store
            .history()
            .iter()
            .rev()
            .nth(1)
            .unwrap()
            .value
            .len();
    cluster_ref.store.put("/registry/plain", "same");
    let last_plain = cluster_ref.store.put("/registry/plain", "same");
    // An object that is deleted and created again with the same content is written anew.
    cluster_ref.write("alpha", "again", &[("mode", "a")]);
    cluster_ref.store.delete("/registry/configmaps/shop/again");
    cluster_ref.metas.remove("again");
    cluster_ref.write("alpha", "again", &[("mode", "a")]);
    for _ in 0..6 {
        cluster_ref.renew("kubelet", "node-1");
    }
    cluster_ref.renew("kubelet", "node-2");
    let fights = json!([{"key": "/registry/configmaps/shop/fought", "path": "data.mode",
        "managers": ["alpha", "beta"], "flips": 3, "newest_revision": last_flip}]);
    let no_changes = json!([
        {"key": "/registry/configmaps/shop/idle", "managers": ["beta", "alpha"], "writes": 2,
            "bytes": idle_bytes, "newest_revision": last_idle},
        {"key": "/registry/plain", "managers": [], "writes": 1, "bytes": 4, "newest_revision": last_plain},
    ]);
    let scratch = Scratch::new(&format!("churn-{name}"));
    let path = scratch.file("db", &cluster.store.builder().build().bytes);
    Planted {
        db: path.display().to_string(),
        scratch,
        cluster,
        fights,
        no_changes,
    }
}

fn run(line: &str) -> Run {
    let run = etcdive(line.split_whitespace());
    assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    run
}

fn answer(line: &str) -> Value {
    serde_json::from_slice(&run(&format!("churn {line} -o json")).stdout).unwrap()
}

/// The writes of each row of a list, by the name of the row.
fn writes(answer: &Value, list: &str, field: &str) -> BTreeMap<String, u64> {
    let rows = answer[list].as_array().unwrap().iter();
    rows.map(|row| {
        let name = row
            .get(field)
            .or(row.get("prefix"))
            .or(row.get("other"))
            .unwrap();
        (
            name.as_str().unwrap().to_owned(),
            row["writes"].as_u64().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_fight_is_found_although_other_keys_are_written_in_between() {
    let mut cluster = Cluster::new();
    let mut last_flip = 0;
    for (round, mode) in ["a", "b", "a", "b", "a"].into_iter().enumerate() {
        let manager = if mode == "a" { "alpha" } else { "beta" };
        last_flip = cluster.write(manager, "fought", &[("mode", mode)]);
        for other in ["other-1", "other-2"] {
            cluster.write("alpha", other, &[("round", &round.to_string())]);
        }
    }
    let scratch = Scratch::new("churn-between");
    let path = scratch.file("db", &cluster.store.builder().build().bytes);
    let expected = json!([{"key": "/registry/configmaps/shop/fought", "path": "data.mode",
        "managers": ["alpha", "beta"], "flips": 3, "newest_revision": last_flip}]);
    assert_eq!(answer(&path.display().to_string())["fights"], expected);
}

#[test]
fn planted_fights_and_writes_without_a_change_are_found_and_nothing_else() {
    let planted = planted("found");
    let answer = answer(&planted.db);
    assert_eq!(answer["fights"], planted.fights);
    assert_eq!(answer["no_changes"], planted.no_changes);
    let leases = writes(&answer, "leases", "key");
    let expected = [("/registry/leases/shop/node-1".to_owned(), 6)];
    assert_eq!(leases, expected.into());
}

#[test]
fn every_write_is_counted_once_by_resource_namespace_and_key() {
    let planted = planted("counted");
    let answer = answer(&planted.db);
    let records = planted.cluster.store.records();
    assert!(records.len() > 30);
    let mut keys: BTreeMap<String, u64> = BTreeMap::new();
    for record in &records {
        let key = String::from_utf8(record.key.clone()).unwrap();
        *keys.entry(key).or_default() += 1;
    }
    assert_eq!(writes(&answer, "keys", "key"), keys);
    let of = |part: &str| {
        keys.iter()
            .filter(|(key, _)| key.contains(part))
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    let resources = writes(&answer, "resources", "resource");
    assert_eq!(resources["configmaps"], of("/configmaps/"));
    assert_eq!(resources["leases.coordination.k8s.io"], of("/leases/"));
    let namespaces = writes(&answer, "namespaces", "namespace");
    assert_eq!(namespaces["shop"], of("/shop/"));
    assert_eq!(namespaces["(not an object)"], of("/registry/plain"));
    let mut managers = planted.cluster.writes.clone();
    managers.insert("(deletions)".to_owned(), 1);
    managers.insert("(not known)".to_owned(), 2);
    assert_eq!(writes(&answer, "managers", "manager"), managers);
    let total = &answer["total"];
    assert_eq!(total["writes"], records.len());
    let bytes: usize = records.iter().map(|record| record.value.len()).sum();
    assert_eq!(total["bytes"], bytes);
    for list in ["resources", "namespaces", "keys"] {
        let rows = answer[list].as_array().unwrap().iter();
        for row in rows {
            let over_time = row["over_time"].as_array().unwrap().iter();
            let over_time: u64 = over_time.map(|count| count.as_u64().unwrap()).sum();
            assert_eq!(row["writes"], over_time, "{row}");
        }
    }
}

#[test]
fn a_range_a_time_a_namespace_and_excluded_resources_leave_the_other_writes() {
    let planted = planted("range");
    let db = &planted.db;
    let count = |more: &str| {
        answer(&format!("{db} {more}"))["total"]["writes"]
            .as_u64()
            .unwrap()
    };
    let all = count("");
    let head = planted.cluster.store.revision();
    assert_eq!(all as i64, head - 1);
    assert_eq!(count("10..20"), 10);
    assert_eq!(count("configmaps/lonely"), 5);
    assert_eq!(count("-n shop"), all - 2);
    assert_eq!(count("--exclude leases"), all - 7);
    // The last 60 seconds have seven writes, one in ten seconds.
    assert_eq!(count("--since 1m"), 7);
    let until = "2026-01-01T00:00:30Z";
    assert_eq!(count(&format!("--until {until}")), 3);
    let fights = answer(&format!("{db} 2..5"));
    assert_eq!(fights["fights"][0]["flips"], 2, "{fights}");
    let reversed = etcdive(["churn", db, "--since", "1m", "--until", "2m"]);
    assert_eq!((reversed.code, reversed.text()), (2, ""));
    assert!(
        reversed.stderr.contains("the times are reversed"),
        "{}",
        reversed.stderr
    );
    assert!(count("--since 2m --until 1m") > 0);
    let none = etcdive(["churn", db, "-n", "nowhere"]);
    assert_eq!((none.code, none.text()), (2, ""));
}

#[test]
fn by_chooses_lists_and_limit_shortens_them() {
    let planted = planted("lists");
    let db = &planted.db;
    let names = |answer: &Value| {
        answer
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let whole = answer(db);
    let lists = [
        "managers",
        "resources",
        "namespaces",
        "keys",
        "fights",
        "no_changes",
        "leases",
    ];
    assert!(names(&whole).ends_with(&lists.map(str::to_owned)));
    let mut compared = 0;
    for (by, list) in [
        "manager",
        "resource",
        "namespace",
        "key",
        "fights",
        "no-change",
        "leases",
    ]
    .iter()
    .zip(lists)
    {
        let one = answer(&format!("{db} --by {by}"));
        assert_eq!(one[list], whole[list]);
        assert_eq!(names(&one).len(), names(&whole).len() - 6, "{by}");
        compared += 1;
    }
    assert_eq!(compared, 7);
    let short = answer(&format!("{db} --limit 1"));
    for list in lists {
        let (short, whole) = (
            short[list].as_array().unwrap(),
            whole[list].as_array().unwrap(),
        );
        assert_eq!(short[0], whole[0], "{list}");
        let rest = match whole.len() - 1 {
            0 => vec![],
            rest => vec![json!({"other": format!("({rest} more)")})],
        };
        assert_eq!(short[1..], rest, "{list}");
    }
    let table = run(&format!("churn {db} --by key --limit 2 -o wide"));
    assert!(table.text().contains("(8 more)"), "{}", table.text());
    let table = run(&format!("churn {db} --by key --limit 0"));
    assert_eq!(table.text().matches("/registry/").count(), 10);
}

#[test]
fn tables_and_lines_have_the_numbers_of_the_object() {
    let planted = planted("tables");
    let whole = answer(&planted.db);
    let lines = run(&format!("churn {} -o jsonl", planted.db));
    let mut compared = 0;
    for line in lines.text().lines() {
        let mut row: serde_json::Map<String, Value> = serde_json::from_str(line).unwrap();
        let list = row.shift_remove("list").unwrap();
        let rows = whole[list.as_str().unwrap()].as_array().unwrap();
        assert!(rows.contains(&row.into()), "{line}");
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
    let table = run(&format!("churn {}", planted.db));
    for text in [
        "data.mode",
        "alpha and beta over data.mode of /registry/configmaps/shop/fought",
        "WRITTEN WITHOUT A CHANGE",
        "OVER TIME",
        "3 writes",
    ] {
        assert!(table.text().contains(text), "{text}: {}", table.text());
    }
}

/// A fight has a key, a field and two managers: too much for the columns of a narrow terminal.
#[test]
fn a_fight_is_shown_whole_on_a_narrow_terminal() {
    let planted = planted("narrow");
    let mut command = program();
    command.args(["churn", &planted.db, "--by", "fights"]);
    let shown = Terminal::wide(60).run(command);
    let text = without_colours(shown.text());
    let start = text.find("FLIPS").unwrap_or_else(|| panic!("{text}"));
    let words: Vec<&str> = text[start..].split_whitespace().collect();
    let expected = "alpha and beta over data.mode of /registry/configmaps/shop/fought";
    assert!(words.join(" ").contains(expected), "{text}");
}

#[test]
fn a_store_without_kubernetes_is_counted_by_prefix_and_revision() {
    let mut store = Store::new(Version::V3_6);
    for n in 0..40 {
        store.put(format!("/app/{}/key", n % 4), format!("{n}"));
    }
    let scratch = Scratch::new("churn-plain");
    let path = scratch.file("db", &store.builder().build().bytes);
    let answer = answer(path.to_str().unwrap());
    assert_eq!(answer["total"]["writes"], 40);
    assert_eq!(answer.get("first_time"), None);
    let rows = writes(&answer, "resources", "prefix");
    assert_eq!(rows.len(), 4);
    assert_eq!(rows["/app/0/"], 10);
    let over_time = answer["total"]["over_time"].as_array().unwrap();
    assert!(
        over_time.iter().all(|count| count.as_u64() >= Some(2)),
        "{over_time:?}"
    );
    let empty = scratch.file("empty", &Store::new(Version::V3_6).builder().build().bytes);
    let none = etcdive(["churn", empty.to_str().unwrap()]);
    assert_eq!((none.code, none.text()), (1, ""), "{}", none.stderr);
}

#[test]
fn carving_adds_the_writes_of_freed_pages() {
    let count = |more: &str| {
        let line = format!("testdata/guides/no-space/compacted.db {more}");
        answer(&line)["total"]["writes"].as_u64().unwrap()
    };
    assert_eq!(count(""), 10);
    assert!(count("--carve") > 20);
}

/// How many events `log` lists; `churn` counts the same ones.
fn logged(line: &str) -> u64 {
    let run = run(&format!("log {line} -o jsonl"));
    run.text().lines().count() as u64
}

#[test]
fn a_label_selector_leaves_the_writes_of_matching_objects() {
    let db = "testdata/healthy/k8s/after.db -A";
    let total = |line: &str| answer(line)["total"]["writes"].as_u64().unwrap();
    let matching = total(&format!("{db} -l app=web"));
    assert_eq!(matching, logged(&format!("{db} -l app=web")));
    assert!(matching > 100 && matching < total(db), "{matching}");
}

#[test]
fn the_write_ahead_log_adds_writes() {
    let db = "testdata/wal/killed";
    let total = |line: &str| answer(line)["total"]["writes"].as_u64().unwrap();
    let with_log = total(&format!("{db} --wal"));
    assert_eq!(with_log, logged(&format!("{db} --wal")));
    assert!(with_log > total(db), "{with_log}");
}

#[test]
fn encrypted_values_are_decrypted_for_their_managers() {
    let db = "testdata/healthy/k8s-encrypted/mixed.db";
    let config = crate::support::truth::config_of(&crate::support::testdata(
        "healthy/k8s-encrypted/mixed.db",
    ));
    let unknown = |more: &str| {
        let answer = answer(&format!("{db} {more} --by manager"));
        writes(&answer, "managers", "manager")
            .get("(not known)")
            .copied()
            .unwrap_or(0)
    };
    let with_keys = unknown(&format!("--encryption-config {}", config.display()));
    assert!(with_keys < unknown(""));
}
