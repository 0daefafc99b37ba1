//! When revisions were written: the bounds hold what the objects themselves say, they never run backwards, and
//! a wrong time does not spoil them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;
use etcdive::k8s::anchors::{Anchor, Evidence};
use etcdive::k8s::encrypt::Keyring;
use etcdive::k8s::object::tree_of;
use etcdive::k8s::wall_clock::{Bounds, Point, SKEW_SECONDS, TimeCertainty, WallClock};
use etcdive::query::Notice;
use etcdive::query::recovery::{Recovery, RecoveryFilters};
use etcdive::query::timeline::Timeline;
use etcdive::source::Source;
use etcdive::view::no_answer;
use etcdive::view::notice::lines;
use etcdive::view::time::text;
use etcdive::view::time::why_lines;
use serde_json::Value;

use crate::support::library::Database;
use crate::support::random::Random;
use crate::support::synth::etcd::{Store as Model, Version, put};
use crate::support::synth::k8s::{Manager, Meta, config_map};
use crate::support::{Scratch, case_roots, files_below, read_unpacked, testdata};

/// Opens a database and asks something of its timeline.
fn with_timeline<T>(db: &Path, ask: impl FnOnce(&Store<'_>, &Timeline) -> T) -> T {
    let (source, diagnostics) = (Source::open(db).unwrap(), Diagnostics::new());
    let store = Store::open(&source, &diagnostics).unwrap();
    let timeline = Timeline::read(&store, &Keyring::default());
    ask(&store, &timeline)
}

/// A recovery reads all metadata once, and collects the times in the same pass.
#[test]
fn the_times_that_a_recovery_collects_are_those_of_a_pass_of_their_own() {
    let mut points = 0;
    for db in files_below(&testdata("")) {
        let is_db = db.extension().is_some_and(|extension| extension == "db");
        if !is_db || Store::open(&Source::open(&db).unwrap(), &Diagnostics::new()).is_err() {
            continue;
        }
        let compared = Database::open(&db).ask("recover", |question| {
            drop(Recovery::read(question, &RecoveryFilters::default()));
            let expected = Timeline::read(question.store(), &Keyring::default());
            let (collected, expected) = (question.timeline().clock(), expected.clock());
            assert_eq!(collected.revisions(), expected.revisions());
            let all = |clock: &WallClock| clock.points().collect::<Vec<_>>();
            assert_eq!(all(collected), all(expected), "{}", db.display());
            Ok(all(expected).len())
        });
        points += compared.unwrap_or_default();
    }
    assert!(points > 1000, "{points}");
}

/// One written record: main revision, key, version, value (none: deleted).
type Written = (i64, Vec<u8>, i64, Option<Vec<u8>>);

fn records_of(db: &Path) -> Vec<Written> {
    let (source, diagnostics) = (Source::open(db).unwrap(), Diagnostics::new());
    let store = Store::open(&source, &diagnostics).unwrap();
    let records = store.records(Direction::Forward).map(|record| {
        let value = (!record.tombstone).then(|| record.value.to_vec());
        (
            record.revision.main,
            record.key.to_vec(),
            record.version,
            value,
        )
    });
    records.collect()
}

/// What a watch from revision 1 recorded.
fn recorded(path: &Path) -> Vec<Written> {
    let bytes = |row: &Value, name: &str| {
        let text = row[name].as_str().unwrap_or_default();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    };
    let text = String::from_utf8(read_unpacked(path)).unwrap();
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        let put = row["type"] == "PUT";
        (
            row["rev"].as_i64().unwrap(),
            bytes(&row, "key_b64"),
            row["version"].as_i64().unwrap_or_default(),
            put.then(|| bytes(&row, "value_b64")),
        )
    });
    rows.collect()
}

fn seconds(value: &Value) -> Option<i64> {
    Some(
        value
            .as_str()?
            .parse::<jiff::Timestamp>()
            .unwrap()
            .as_second(),
    )
}

/// The time that each record of a whole history says it was written at, by its tree and that of the version before.
fn told_times(history: &[Written]) -> BTreeMap<i64, i64> {
    let mut times = BTreeMap::new();
    let mut newest: BTreeMap<&[u8], Value> = BTreeMap::new();
    for (main, key, version, value) in history {
        let old = newest.remove(&key[..]);
        let Some(value) = value else { continue };
        let (tree, _) = tree_of(value).unwrap();
        let meta = &tree["metadata"];
        let entries = |meta: &Value| {
            meta["managedFields"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        let time = if *version == 1 {
            seconds(&meta["creationTimestamp"])
        } else {
            let old = old
                .as_ref()
                .map_or(Value::Null, |old| old["metadata"].clone());
            let who = |entry: &Value| {
                ["manager", "operation", "subresource", "time"].map(|name| entry[name].clone())
            };
            let known: Vec<_> = entries(&old).iter().map(who).collect();
            let new = entries(meta)
                .into_iter()
                .filter(|entry| !known.contains(&who(entry)));
            let changed = new.filter_map(|entry| seconds(&entry["time"])).max();
            match seconds(&meta["deletionTimestamp"]) {
                Some(deleted) if old["deletionTimestamp"].is_null() && !old.is_null() => {
                    Some(deleted - meta["deletionGracePeriodSeconds"].as_i64().unwrap_or(0))
                }
                _ if old.is_null() => None,
                _ => changed,
            }
        };
        if let Some(time) = time {
            times.insert(*main, time);
        }
        newest.insert(key, tree);
    }
    times
}

/// The databases of the recorded cluster, each with the whole history that was recorded of it.
fn databases() -> Vec<(PathBuf, Vec<Written>)> {
    let mut found = BTreeMap::new();
    for root in case_roots() {
        let files = files_below(&root);
        let truth = files.iter().find(|path| path.ends_with("allrevs.jsonl"));
        for name in [
            "before.db",
            "after.db",
            "precompact.live.db",
            "compacted.db",
        ] {
            let db = files
                .iter()
                .find(|path| path.ends_with(format!("k8s/{name}")));
            if let Some(db) = db {
                let history = truth.map_or_else(|| records_of(db), |truth| recorded(truth));
                // The corpus has the selection of testdata as well, and more of its history.
                found.insert(name, (db.clone(), history));
            }
        }
    }
    assert!(found.len() >= 2);
    found.into_values().collect()
}

fn holds(bounds: &Bounds, time: i64) -> bool {
    bounds.not_before.is_none_or(|at| at <= time) && bounds.not_after.is_none_or(|at| time <= at)
}

fn percent(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of as f64
}

/// How many anchors on either side the bounds without the own one are made of: the chain is decided anew each time,
/// and of fewer anchors the bounds are no narrower.
const NEIGHBOURS: usize = 150;

#[test]
fn bounds_without_the_own_anchor_hold_it_in_99_percent_of_the_anchored_revisions() {
    for (db, history) in databases() {
        let truth = told_times(&history);
        let retained: BTreeSet<i64> = records_of(&db).iter().map(|record| record.0).collect();
        with_timeline(&db, |_, timeline| {
            let clock = timeline.clock();
            let newest = clock.revisions().1;
            let points: Vec<Point> = clock.points().map(|(point, _)| point).collect();
            for (what, counts) in [("retained", true), ("compacted", false)] {
                let asked = truth
                    .range(..=newest)
                    .filter(|(main, _)| retained.contains(main) == counts);
                let asked: Vec<(&i64, &i64)> = asked.collect();
                if asked.is_empty() {
                    continue;
                }
                let (mut held, mut of, mut widths) = (0, 0, Vec::new());
                for (main, time) in &asked {
                    let at = points.partition_point(|point| point.main < **main);
                    let near = at.saturating_sub(NEIGHBOURS)..(at + NEIGHBOURS).min(points.len());
                    let others = points[near].iter().filter(|point| point.main != **main);
                    let without = WallClock::new(others.copied().collect(), clock.revisions());
                    let bounds = without.bounds(**main);
                    held += usize::from(holds(&bounds, **time));
                    of += 1;
                    widths.extend(bounds.not_after.zip(bounds.not_before).map(|(b, a)| b - a));
                }
                let with_own = asked
                    .iter()
                    .filter(|(main, time)| holds(&clock.bounds(**main), **time));
                let with_own = with_own.count();
                widths.sort_unstable();
                println!(
                    "{}: {what}: {} of {newest} revisions anchored; {:.2} % held without the own anchor, \
                     {:.2} % with it; width median {} s, p90 {} s, max {} s; {} contradicted",
                    db.display(),
                    asked.len(),
                    percent(held, of),
                    percent(with_own, asked.len()),
                    widths[widths.len() / 2],
                    widths[widths.len() * 9 / 10],
                    widths[widths.len() - 1],
                    clock.contradictions(),
                );
                assert!(held * 100 >= of * 99);
                assert!(with_own * 100 >= asked.len() * 99);
                assert!(widths[widths.len() / 2] <= if counts { 2 } else { 60 });
            }
        });
    }
}

/// Bounds never run backwards, and an exact time is within them.
#[track_caller]
fn assert_monotone(clock: &WallClock, mains: impl Iterator<Item = i64>) -> usize {
    let (mut oldest, mut newest, mut seen) = (None, None, 0);
    for main in mains {
        let b = clock.bounds(main);
        assert!(oldest <= b.not_before, "{main}: {b:?}");
        assert!(
            b.not_after
                .is_none_or(|at| newest.is_none_or(|newest| newest <= at)),
            "{main}: {b:?}"
        );
        assert!(
            newest.is_none() || b.not_after.is_some() || clock.bounds(main + 1).not_after.is_none()
        );
        if let (Some(from), Some(to)) = (b.not_before, b.not_after) {
            assert!(from <= to, "{main}: {b:?}");
            seen += 1;
        }
        if let Some(exact) = b.exact {
            assert!(holds(&b, exact), "{main}: {b:?}");
        }
        (oldest, newest) = (b.not_before, b.not_after.or(newest));
    }
    seen
}

#[test]
fn bounds_never_run_backwards() {
    for (db, _) in databases() {
        with_timeline(&db, |_, timeline| {
            let (_, newest) = timeline.clock().revisions();
            let seen = assert_monotone(timeline.clock(), 0..=newest + 1);
            assert!(seen > 1000, "{}: {seen}", db.display());
        });
    }
}

const EVIDENCE: [Evidence; 4] = [
    Evidence::Created,
    Evidence::ManagedFields,
    Evidence::DeletionRequested,
    Evidence::Floor,
];

fn point(main: i64, time: i64, evidence: Evidence) -> Point {
    Point::new(main, Anchor { time, evidence }, (main, 0))
}

#[test]
fn bounds_of_random_anchors_never_run_backwards_and_searches_are_what_a_scan_finds() {
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let count = random.below(40);
        let jitter = [1, 4, 30, 4000][random.below(4)];
        let points = (0..count).map(|_| {
            let main = random.below(60) as i64;
            let time = main * 3 + random.below(jitter) as i64;
            point(main, time, EVIDENCE[random.below(4)])
        });
        let clock = WallClock::new(points.collect(), (0, 60));
        assert_monotone(&clock, -1..62);
        let last = |holds: &dyn Fn(i64) -> bool| (0..=60).rev().find(|main| holds(*main));
        for time in -3..200 {
            let until = last(&|main| clock.bounds(main).not_before.is_none_or(|at| at <= time));
            assert_eq!(clock.until(time), until, "seed {seed}");
            let may = |main: &i64| clock.bounds(*main).not_after.is_none_or(|at| at > time);
            assert_eq!(clock.since(time), (0..=60).find(may), "seed {seed}");
            let probably = last(&|main| clock.estimate(main).is_some_and(|at| at <= time));
            let at = clock.at_time(time);
            assert_eq!(at.map(|at| at.revision), probably, "seed {seed}");
            if let Some(at) = at {
                let surely = |main| {
                    clock
                        .bounds(main)
                        .not_after
                        .is_some_and(|end| end <= time + 1)
                };
                assert_eq!(at.certain, last(&surely), "seed {seed}");
                assert!(at.certain.is_none_or(|surely| surely <= at.revision));
                assert!(at.revision <= at.possible && Some(at.possible) == until);
            }
        }
    }
}

#[test]
fn times_at_the_ends_of_numbers_do_no_harm() {
    let times = [i64::MIN, i64::from(u32::MAX), 0, -1, i64::MAX, 1];
    for order in 0..6 {
        let points = times.iter().enumerate().map(|(at, time)| {
            let main = [i64::MIN, -1, 0, 1, 2, i64::MAX][(at + order) % 6];
            point(main, *time, EVIDENCE[at % 4])
        });
        let clock = WallClock::new(points.collect(), (i64::MIN, i64::MAX));
        for main in [i64::MIN, -7, 0, 5, i64::MAX] {
            let bounds = clock.bounds(main);
            assert!(!text(&bounds).is_empty());
            let _ = clock.estimate(main);
        }
        for time in [i64::MIN, 0, i64::MAX] {
            let _ = (clock.at_time(time), clock.since(time), clock.until(time));
        }
    }
}

/// Written revisions of config maps: created one after the other, then each updated; `time` by the number of the write.
struct Cluster {
    model: Model,
    objects: Vec<Meta>,
}

const BEGIN: i64 = 1_763_626_496;
const HOUR: i64 = 3600;

impl Cluster {
    fn new() -> Self {
        Self {
            model: Model::new(Version::V3_6),
            objects: Vec::new(),
        }
    }

    fn key(at: usize) -> String {
        format!("/registry/configmaps/shop/c{at}")
    }

    fn write(&mut self, at: usize) -> i64 {
        let value = config_map(&self.objects[at], &[]);
        self.model.put(Self::key(at), value)
    }

    /// Creates an object; the revision.
    fn create(&mut self, time: i64) -> i64 {
        let manager = Manager {
            name: "kubectl".to_owned(),
            operation: "Update".to_owned(),
            time,
            ..Manager::default()
        };
        self.objects.push(Meta {
            name: format!("c{}", self.objects.len()),
            namespace: "shop".to_owned(),
            created: time,
            managed: vec![manager],
            ..Meta::default()
        });
        self.write(self.objects.len() - 1)
    }

    /// Updates an object; the revision.
    fn update(&mut self, at: usize, time: i64) -> i64 {
        self.objects[at].managed[0].time = time;
        self.write(at)
    }

    fn ask<T>(&self, name: &str, ask: impl FnOnce(&Store<'_>, &Timeline) -> T) -> T {
        let scratch = Scratch::new(name);
        let db = scratch.file("db", &self.model.builder().build().bytes);
        with_timeline(&db, ask)
    }
}

/// Twenty objects, each created and updated nine times, a write every three seconds, but where `wrong` has another
/// time. The model with the right time of every revision.
fn cluster(wrong: &BTreeMap<usize, i64>) -> (Cluster, Vec<(i64, i64)>) {
    let mut cluster = Cluster::new();
    let mut right = Vec::new();
    for write in 0..200 {
        let time = BEGIN + 3 * write as i64;
        let told = time + wrong.get(&write).copied().unwrap_or(0);
        let main = match write {
            0..20 => cluster.create(told),
            _ => cluster.update(write % 20, told),
        };
        right.push((main, time));
    }
    (cluster, right)
}

#[test]
fn a_wrong_time_spoils_no_bounds_but_its_own() {
    // The updates 20 and 199 are among the first and the last that can be wrong.
    for (at, off) in [
        (30, -11 * HOUR),
        (30, HOUR),
        (21, 11 * HOUR),
        (100, -50),
        (100, 50),
        (100, 365 * 24 * HOUR),
        (197, HOUR),
        (198, HOUR),
    ] {
        // A managedFields time older than its object is never looked at: then there is nothing to contradict.
        let before_creation = 3 * at as i64 + off < 3 * (at as i64 % 20);
        let (cluster, right) = cluster(&BTreeMap::from([(at, off)]));
        cluster.ask("wrong-time", |_, timeline| {
            for (write, (main, time)) in right.iter().enumerate() {
                let bounds = timeline.bounds(*main);
                if write == at {
                    let told = (!before_creation).then_some(time + off);
                    assert_eq!((bounds.exact, bounds.contradicted), (None, told));
                    assert_eq!(bounds.not_before, Some(time - 3), "{at}, {off}");
                    assert_eq!(bounds.not_after, Some(time + 4), "{at}, {off}");
                } else {
                    assert_eq!(bounds.exact, Some(*time), "{at}, {off}: {main}");
                    assert_eq!(bounds.not_before, Some(*time), "{at}, {off}: {main}");
                    assert_eq!(bounds.not_after, Some(time + 1), "{at}, {off}: {main}");
                }
            }
            assert_eq!(
                timeline.clock().contradictions(),
                usize::from(!before_creation)
            );
            assert_eq!(timeline.clock().newest(), Some(BEGIN + 3 * 199));
        });
    }
}

#[test]
fn a_wrong_time_at_the_very_end_spoils_its_own_revision_alone() {
    let (cluster, right) = cluster(&BTreeMap::from([(199, HOUR)]));
    cluster.ask("wrong-last", |_, timeline| {
        for (main, time) in &right[..199] {
            assert_eq!(timeline.bounds(*main).exact, Some(*time));
            assert_eq!(timeline.bounds(*main).not_after, Some(time + 1));
        }
    });
}

#[test]
fn a_tenth_of_all_times_may_be_wrong() {
    let mut random = Random::new(5);
    let wrong = (0..20).map(|_| {
        let off = random.below(20 * 3600) as i64 - 10 * HOUR;
        (
            20 + random.below(178),
            if off.abs() < 60 { 60 } else { off },
        )
    });
    let wrong: BTreeMap<usize, i64> = wrong.collect();
    let (cluster, right) = cluster(&wrong);
    cluster.ask("wrong-many", |_, timeline| {
        let held = right
            .iter()
            .filter(|(main, time)| holds(&timeline.bounds(*main), *time));
        assert_eq!(held.count(), 200);
        assert_monotone(timeline.clock(), 0..=205);
    });
}

#[test]
fn restored_managers_with_old_times_are_not_believed() {
    let mut cluster = Cluster::new();
    let mut right = Vec::new();
    // Few writes of today around many with last month's times, in order among themselves.
    for at in 0..10 {
        right.push((cluster.create(BEGIN + at), BEGIN + at));
    }
    for at in 0..50 {
        right.push((cluster.create(BEGIN + 20 + at), BEGIN + 20 + at));
    }
    for at in 0..50 {
        cluster.update(10 + at, BEGIN - 30 * 24 * HOUR + at as i64);
    }
    right.push((cluster.create(BEGIN + 100), BEGIN + 100));
    cluster.ask("restored", |_, timeline| {
        for (main, time) in &right {
            assert_eq!(timeline.bounds(*main).exact, Some(*time));
        }
        let restored = timeline.bounds(90);
        assert_eq!(restored.exact, None);
        assert_eq!(restored.not_before, Some(BEGIN + 69));
        assert_eq!(restored.not_after, Some(BEGIN + 101));
    });
}

#[test]
fn clocks_that_differ_by_seconds_widen_the_bounds_to_both() {
    let wrong = (0..200)
        .filter(|write| write % 2 == 1)
        .map(|write| (write, SKEW_SECONDS - 4));
    let (cluster, right) = cluster(&wrong.collect());
    cluster.ask("skew", |_, timeline| {
        assert_eq!(timeline.clock().contradictions(), 0);
        assert_monotone(timeline.clock(), 0..=205);
        // Nothing contradicts the very last.
        for (write, (main, time)) in right[..199].iter().enumerate() {
            let bounds = timeline.bounds(*main);
            assert!(holds(&bounds, *time), "{main}: {bounds:?}");
            assert_eq!(
                bounds.exact,
                Some(time + if write % 2 == 1 { SKEW_SECONDS - 4 } else { 0 })
            );
        }
    });
}

#[test]
fn a_clock_that_is_set_back_spoils_only_what_both_clocks_claim() {
    let set_back = 50;
    let wrong = (150..200).map(|write| (write, -set_back));
    let (cluster, right) = cluster(&wrong.collect());
    cluster.ask("step", |_, timeline| {
        assert_monotone(timeline.clock(), 0..=205);
        // By the first clock write 150 is at 450 s, by the second at 400 s: seventeen writes overlap, three of them by little.
        for (write, (main, time)) in right.iter().enumerate() {
            let told = *time - if write >= 150 { set_back } else { 0 };
            if !(125..175).contains(&write) {
                assert_eq!(timeline.bounds(*main).exact, Some(told), "{write}");
            }
        }
        let left_out = timeline.clock().contradictions();
        assert!((10..=17).contains(&left_out), "{left_out}");
    });
}

#[test]
fn a_transaction_and_a_deletion_lie_between_their_neighbours() {
    let (mut cluster, right) = cluster(&BTreeMap::new());
    let deleted = cluster.model.delete(Cluster::key(3));
    let plain = cluster
        .model
        .txn(&[put("/plain/a", "1"), put("/plain/b", "2")]);
    let again = cluster.create(BEGIN + 700);
    let tail = cluster.model.delete(Cluster::key(4));
    cluster.ask("between", |store, timeline| {
        let last = right.last().unwrap().1;
        for main in [deleted, plain] {
            let bounds = timeline.bounds(main);
            assert_eq!(bounds.exact, None);
            assert_eq!((bounds.not_before, bounds.not_after), (Some(last), Some(BEGIN + 701)));
        }
        assert_eq!(text(&timeline.bounds(tail)), ">=2025-11-20T08:26:36Z");
        let why = timeline.why(store, &Keyring::default(), [plain, again, tail]);
        let lines: Vec<String> = why.values().flat_map(why_lines).collect();
        assert_eq!(
            lines,
            [
                "revision 203: 2025-11-20T08:24:53Z..08:26:37Z",
                "  not before 2025-11-20T08:24:53Z: managedFields time of kubectl 2025-11-20T08:24:53Z in /registry/configmaps/shop/c19 at revision 201",
                "  not after 2025-11-20T08:26:37Z: creationTimestamp 2025-11-20T08:26:36Z in /registry/configmaps/shop/c20 at revision 204",
                "revision 204: 2025-11-20T08:26:36Z",
                "  at 2025-11-20T08:26:36Z: creationTimestamp 2025-11-20T08:26:36Z in /registry/configmaps/shop/c20 at revision 204",
                "revision 205: >=2025-11-20T08:26:36Z",
                "  not before 2025-11-20T08:26:36Z: creationTimestamp 2025-11-20T08:26:36Z in /registry/configmaps/shop/c20 at revision 204",
            ]
        );
    });
}

#[test]
fn compaction_leaves_the_creations_and_floors_for_what_was_deleted() {
    let (mut cluster, right) = cluster(&BTreeMap::new());
    cluster.model.compact(180);
    cluster.ask("compacted", |_, timeline| {
        assert_eq!(timeline.clock().contradictions(), 0);
        // The first versions are compacted, and their times are not.
        for (main, time) in &right[..20] {
            assert_eq!(timeline.bounds(*main).exact, Some(*time));
        }
        // The version before the last write before the compaction is compacted.
        for (main, time) in right.iter().filter(|(main, _)| (162..=180).contains(main)) {
            let bounds = timeline.bounds(*main);
            assert_eq!((bounds.exact, bounds.not_before), (None, Some(*time)));
            assert!(bounds.not_after.is_some_and(|at| at > *time));
        }
        for (main, time) in right.iter().filter(|(main, _)| *main > 182) {
            assert_eq!(timeline.bounds(*main).exact, Some(*time));
        }
    });
}

#[test]
fn a_time_leads_to_the_revisions_that_the_history_has_by_then() {
    for (db, history) in databases() {
        let truth = told_times(&history);
        with_timeline(&db, |store, timeline| {
            let (oldest, newest) = timeline.clock().revisions();
            let first = truth.values().next().unwrap();
            let last = truth.range(..=newest).map(|(_, time)| *time).max().unwrap();
            let mut sure = 0;
            for time in first + 1..last {
                let Ok(at) = timeline.at_time(time) else {
                    assert!(
                        timeline
                            .bounds(oldest)
                            .not_before
                            .is_some_and(|oldest| oldest > time)
                    );
                    continue;
                };
                sure += i32::from(at.certainty == TimeCertainty::Certain);
                // Two seconds of grace: a server takes the time before etcd writes.
                let retained = truth.range(oldest..=newest);
                let until = retained.clone().rev().find(|(_, told)| **told + 2 <= time);
                assert!(
                    until.is_none_or(|(until, _)| *until <= at.possible),
                    "{time}: {until:?}, {at:?}"
                );
                let since = retained.clone().find(|(_, told)| **told > time + 2);
                let surely = at.certain.unwrap_or_default();
                assert!(
                    since.is_none_or(|(since, _)| surely < *since),
                    "{time}: {since:?}, {at:?}"
                );
                assert!(
                    !lines(
                        &[Notice::TimeInferred { time, at }],
                        &etcdive::view::command::Invocation::default()
                    )
                    .is_empty()
                );
                assert!(timeline.until(time).unwrap() >= at.revision);
                assert!(timeline.since(time).unwrap() <= at.revision + 1);
            }
            assert!(sure > 10, "{}: {sure}", db.display());
            assert!(timeline.at_time(last + 1).unwrap().revision == newest);
            assert!(store.at(Some(newest)).is_ok());
            assert!(timeline.at_time(first - 3600).is_err());
            assert_eq!(
                timeline.time("1m").unwrap(),
                timeline.clock().newest().unwrap() - 60
            );
        });
    }
}

#[test]
fn what_bounds_a_revision_is_in_the_history() {
    for (db, history) in databases() {
        let truth = told_times(&history);
        with_timeline(&db, |store, timeline| {
            let newest = timeline.clock().revisions().1;
            let mains: Vec<i64> = (2..=newest).collect();
            let whys = timeline.why(store, &Keyring::default(), mains.iter().copied());
            let (mut checked, mut hints) = (0, 0);
            for why in whys.values() {
                hints += usize::from(why.hint.is_some());
                let own = why.bounds.lower.into_iter().chain(why.bounds.upper);
                for (reason, point) in why.lower.iter().chain(&why.upper).zip(own) {
                    assert_eq!((reason.main, reason.time), (point.main, point.anchor.time));
                    if point.anchor.evidence == Evidence::Floor {
                        assert!(
                            truth
                                .get(&reason.main)
                                .is_none_or(|told| *told >= reason.time)
                        );
                    } else {
                        assert_eq!(truth.get(&reason.main), Some(&reason.time));
                        let written = history.iter().find(|written| written.0 == reason.main);
                        assert_eq!(&*reason.key, written.unwrap().1);
                        checked += 1;
                    }
                    assert!(
                        reason.by.as_ref().is_none_or(|by| !by.is_empty()),
                        "{reason:?}"
                    );
                }
            }
            assert!(
                checked > 1000 && hints > 10,
                "{checked} reasons, {hints} hints"
            );
        });
    }
}

#[track_caller]
fn assert_no_time(timeline: &Timeline, hinted: bool) {
    let clock = timeline.clock();
    assert_eq!((clock.newest(), clock.points().count()), (None, 0));
    for main in [0, 1, 2, 100] {
        assert_eq!(timeline.bounds(main), Bounds::default());
        assert_eq!(text(&timeline.bounds(main)), "-");
    }
    for failure in [
        timeline.at_time(BEGIN).unwrap_err(),
        timeline.since(BEGIN).unwrap_err(),
        timeline.until(BEGIN).unwrap_err(),
        timeline.time("10m").unwrap_err(),
    ] {
        assert!(!failure.is_no(), "{failure:?}");
        let (message, hint) =
            no_answer::text(&failure, &etcdive::view::command::Invocation::default());
        assert!(
            message.contains("no object in this store has one"),
            "{message}"
        );
        assert_eq!(hint.is_some(), hinted, "{hint:?}");
    }
    assert_eq!(timeline.time("2025-11-20T08:14:56Z").unwrap(), BEGIN);
}

#[test]
fn a_store_without_objects_has_no_times_and_says_so() {
    let mut cluster = Cluster::new();
    cluster.ask("empty", |_, timeline| assert_no_time(timeline, false));
    cluster.model.put("/a", "1");
    cluster.model.put("/a", "{\"metadata\":1}");
    cluster.ask("plain", |_, timeline| assert_no_time(timeline, false));
    cluster
        .model
        .put("/b", "k8s:enc:aescbc:v1:key1:0123456789abcdef");
    cluster.ask("closed", |_, timeline| assert_no_time(timeline, true));
}
