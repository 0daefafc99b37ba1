//! `log --ago` and `log --local`: ages and zones beside times.

use crate::support::{Run, etcdive_line, program};
use crate::verbs::AFTER;

const FROZEN: &str = "/registry/configmaps/prod/frozen";

/// A column of the table of the events of one object.
fn column(run: &Run, head: &str) -> Vec<String> {
    let heads = run
        .text()
        .lines()
        .next()
        .unwrap()
        .replace("FIELD MANAGERS", "MANAGERS");
    let index = heads.split_whitespace().position(|word| word == head);
    let index = index.unwrap_or_else(|| panic!("no column {head}: {heads}"));
    let rows = run.text().lines().skip(1);
    rows.map(|row| row.split_whitespace().nth(index).unwrap().to_owned())
        .collect()
}

fn in_zone(zone: &str, flags: &str) -> Run {
    let words = format!("log {AFTER} {FROZEN} {flags}");
    let mut command = program();
    command.args(words.split_whitespace()).env("TZ", zone);
    command.output().unwrap().into()
}

#[test]
fn ages_are_counted_from_the_newest_time_in_the_file() {
    let run = etcdive_line(&format!("log {AFTER} {FROZEN} --ago"));
    // The newest time is 2026-11-20T21:16:41Z.
    assert_eq!(
        column(&run, "TIME"),
        [
            "2026-11-20T21:11:12Z",
            "2026-11-20T21:11:12Z..21:11:13Z",
            "2026-11-20T21:06:06Z"
        ]
    );
    assert_eq!(column(&run, "AGO"), ["5m29s", "5m28s..5m29s", "10m"]);
    let without = etcdive_line(&format!("log {AFTER} {FROZEN}"));
    assert!(!without.text().contains("AGO"));
}

#[test]
fn ages_are_beside_the_times_of_every_form() {
    let log = |flags: &str| etcdive_line(&format!("log {AFTER} {FROZEN} --ago {flags}"));
    let first = |run: &Run| run.text().lines().next().unwrap().to_owned();
    assert_eq!(
        first(&log("--oneline")),
        format!("2186.0 create {FROZEN}  (kubectl-create)  5m29s ago")
    );
    assert_eq!(
        first(&log("--by-txn")),
        "revision 2186  2026-11-20T21:11:12Z (5m29s ago)  1 key"
    );
    assert!(
        log("--timeline")
            .text()
            .contains("2026-11-20T21:11:12Z (5m29s ago)")
    );
}

#[test]
fn times_are_in_the_zone_of_the_machine_with_its_offset() {
    let times = column(&in_zone("<+0530>-5:30", "--local"), "TIME");
    assert_eq!(
        times,
        [
            "2026-11-21T02:41:12+05:30",
            "2026-11-21T02:41:12+05:30..02:41:13+05:30",
            "2026-11-21T02:36:06+05:30"
        ]
    );
    let heads = in_zone("<+0530>-5:30", "--local --by-txn");
    assert!(
        heads
            .text()
            .starts_with("revision 2186  2026-11-21T02:41:12+05:30  ")
    );
    assert!(
        in_zone("<+0530>-5:30", "--local --timeline")
            .text()
            .contains("T02:41:12+05:30")
    );
    let without = in_zone("<+0530>-5:30", "");
    assert_eq!(column(&without, "TIME")[0], "2026-11-20T21:11:12Z");
}

#[test]
fn json_has_neither() {
    for flags in ["--ago -o json", "--local -o jsonl"] {
        let run = etcdive_line(&format!("log {AFTER} {FROZEN} {flags}"));
        assert_eq!(run.code, 2, "{flags}");
        assert!(
            run.stderr.contains("cannot be used with -o json"),
            "{}",
            run.stderr
        );
    }
}
