//! A member that skipped entries of its log: its database and its log contradict each other.

use super::*;

fn disagree() -> PathBuf {
    testdata("guides/disagree/m3")
}

const NOTE: &str =
    "the database contradicts writes of its log (the first of 4 is entry 19, revision 9)";

#[test]
fn a_timeline_shows_which_requests_the_database_contradicts() {
    let dir = disagree();
    let run = etcdive(["log", dir.to_str().unwrap(), "--timeline", "-o", "jsonl"]);
    assert!(run.stderr.contains(NOTE), "{}", run.stderr);
    let rows = rows(&run);
    let contradicted: Vec<u64> = rows
        .iter()
        .filter(|row| row["certainty"] == "the database contradicts it")
        .map(|row| row["entry"].as_u64().unwrap())
        .collect();
    assert_eq!(contradicted, [24, 23, 20, 19]);
    // The events that the database has at these revisions are not those of the entries.
    let events = rows.iter().filter(|row| row["main"].as_i64() >= Some(9));
    let mut compared = 0;
    for event in events {
        assert!(event["entry"].is_null(), "{event}");
        compared += 1;
    }
    assert_eq!(compared, 2);
}

#[test]
fn the_entries_of_a_log_that_the_database_contradicts_are_marked() {
    let dir = disagree();
    let text = etcdive(["wal".as_ref(), dir.as_os_str()]);
    assert!(text.stderr.contains(NOTE), "{}", text.stderr);
    let run = etcdive(["wal", dir.to_str().unwrap(), "-o", "jsonl"]);
    assert!(run.stderr.contains(NOTE), "{}", run.stderr);
    let marked: Vec<u64> = rows(&run)
        .iter()
        .filter(|row| row["contradicts_database"] == true)
        .map(|row| row["index"].as_u64().unwrap())
        .collect();
    assert_eq!(marked, [19, 20, 23, 24]);
}

#[test]
fn a_member_that_applied_its_log_has_no_contradiction() {
    let mut compared = 0;
    for name in ["wal/requests", "wal/killed"] {
        let dir = testdata(name);
        let run = etcdive(["wal".as_ref(), dir.as_os_str()]);
        assert!(!run.stderr.contains("contradicts"), "{}", run.stderr);
        assert!(run.text().contains("committed"), "{}", run.text());
        compared += 1;
    }
    assert_eq!(compared, 2);
}
