//! Work follows the bytes of a store, not their square. What follows the square takes minutes here.

use etcdive::k8s::anchors::{Anchor, Evidence};
use etcdive::k8s::wall_clock::{Point, WallClock};

use crate::support::random::Random;
use crate::support::{Run, Scratch, ends_soon, etcdive, read_unpacked, testdata};

/// Runs a line about a hostile store.
fn run(name: &str, line: &str) -> Run {
    let scratch = Scratch::new(&format!("growth-{name}"));
    let bytes = read_unpacked(&testdata(&format!("hostile/{name}.db.gz")));
    let db = scratch.file("db", &bytes);
    let db = db.to_str().unwrap().to_owned();
    let words: Vec<String> = line
        .split(' ')
        .map(|word| {
            if word == "DB" {
                db.clone()
            } else {
                word.to_owned()
            }
        })
        .collect();
    ends_soon(line, move || etcdive(words))
}

#[test]
fn the_events_of_one_large_transaction_are_listed() {
    for (line, rows) in [
        ("log DB --by-txn", 1),
        // The bounds, and what they rest on.
        ("log DB --why-time", 3),
    ] {
        let run = run("many-in-one-txn", line);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let lines = run.text().lines().count();
        assert!(lines >= 20_000 * rows, "{line}: {lines}");
    }
}

#[test]
fn a_secret_of_many_unusual_entries_is_masked() {
    let run = run("secret-entries", "show DB @");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(
        run.text().contains("Secret") || run.text().contains("secrets"),
        "{}",
        run.text()
    );
}

#[test]
fn a_pod_of_ten_thousand_containers_is_one_row() {
    let run = run("pod-10000-containers", "get DB pods -A");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let row = run.text().lines().nth(1).unwrap_or_default();
    let cells: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(cells[..5], ["a", "p", "10000/20000", "Running", "10000"]);
}

#[test]
fn a_log_of_many_range_compares_is_replayed_to_its_end() {
    let dir = testdata("hostile/wal-compare");
    let line = "ls wal-compare --wal";
    let run = ends_soon(line, move || {
        etcdive(["ls", dir.to_str().unwrap(), "--wal"])
    });
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().lines().count() > 1000, "{}", run.text());
    assert!(run.stderr.contains("up to revision 5002"), "{}", run.stderr);
}

#[test]
fn the_resources_of_a_store_are_read_once_for_all_values_that_stay_encrypted() {
    let run = run("encrypted-5000", "get DB /registry/secrets/ -o yaml");
    assert_eq!(run.code, 3, "{}", run.stderr);
    assert_eq!(run.text().matches("reason: ").count(), 5000);
}

#[test]
fn a_revision_with_many_times_has_the_newest_that_is_believed() {
    let naive = |clock: &WallClock, main: i64, believed: bool| {
        let own = clock.points().filter(|(point, is_believed)| {
            point.main == main
                && point.anchor.evidence != Evidence::Floor
                && *is_believed == believed
        });
        own.map(|(point, _)| point.anchor.time).max()
    };
    let (mut exact, mut contradicted) = (0, 0);
    for seed in 0..300 {
        let mut random = Random::new(seed);
        let points = (0..40).map(|_| {
            let main = random.below(8) as i64 + 2;
            // Mostly in order, some far off.
            let off = if random.one_in(5) { 10_000 } else { 0 };
            let time = 1_000_000 + main * 20 + random.below(15) as i64 - off;
            let evidence = [Evidence::Created, Evidence::ManagedFields, Evidence::Floor];
            let anchor = Anchor {
                time,
                evidence: evidence[random.below(3)],
            };
            Point::new(main, anchor, (main, random.below(50) as i64))
        });
        let clock = WallClock::new(points.collect(), (1, 12));
        for main in 1..=12 {
            let bounds = clock.bounds(main);
            assert_eq!(
                bounds.exact,
                naive(&clock, main, true),
                "seed {seed}, revision {main}"
            );
            assert_eq!(
                bounds.contradicted,
                naive(&clock, main, false),
                "seed {seed}, revision {main}"
            );
            exact += usize::from(bounds.exact.is_some());
            contradicted += usize::from(bounds.contradicted.is_some());
        }
    }
    assert!(
        exact > 1000 && contradicted > 100,
        "{exact} exact, {contradicted} contradicted"
    );
}
