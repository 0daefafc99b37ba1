//! Folders of etcd-backup-restore's snapshots, and delta snapshots alone: the records are what etcd's own watch delivered.

pub mod damaged;

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::bbolt::Direction;
use etcdive::query::evidence::{Verify, Work};
use etcdive::query::{Evidence, Notices, Origins};
use etcdive::source::{UNPACKED_UP_TO_BYTES, Unpacking};
use serde_json::Value;

use crate::support::{Run, etcdive, testdata};

/// The folders with a full snapshot and deltas up to the end, each of another compressor and layout.
const FOLDERS: [&str; 3] = ["backups/gzip", "backups/lzw", "backups/zlib"];

fn unpacking() -> Unpacking {
    Unpacking {
        temporary_folder: std::env::temp_dir(),
        up_to_bytes: UNPACKED_UP_TO_BYTES,
        work: Work::default(),
    }
}

fn run(arguments: &str, path: &Path) -> Run {
    let mut words = arguments.split_whitespace();
    let verb = words.next().unwrap().to_owned();
    let words = words.map(str::to_owned);
    etcdive([verb, path.display().to_string()].into_iter().chain(words))
}

fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A record as a row: revision, key, then of a put the value and the numbers.
type Row = (i64, i64, Vec<u8>, Option<(Vec<u8>, i64, i64, i64)>);

/// What a watch of etcd delivered, in its order.
fn delivered() -> Vec<Row> {
    let text = std::fs::read_to_string(testdata("backups/events.jsonl")).unwrap();
    let mut events: Vec<Row> = Vec::new();
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let kv = &event["kv"];
        let bytes = |name: &str| {
            STANDARD
                .decode(kv[name].as_str().unwrap_or_default())
                .unwrap()
        };
        let number = |name: &str| kv[name].as_i64().unwrap_or_default();
        let main = number("mod_revision");
        let sub = events.iter().filter(|(before, ..)| *before == main).count() as i64;
        let put = (event["type"] != 1).then(|| {
            let (create, version) = (number("create_revision"), number("version"));
            (bytes("value"), create, version, number("lease"))
        });
        events.push((main, sub, bytes("key"), put));
    }
    events
}

/// The records that a database has with everything beside it.
fn records(path: &Path) -> Vec<Row> {
    let evidence = Evidence::open_for(
        path,
        Verify::Always,
        &Origins::default(),
        &unpacking(),
        &Work::default(),
    )
    .unwrap();
    let notices = Notices::default();
    let store = evidence.records(&notices).unwrap();
    let records = store.records(Direction::Forward).map(|record| {
        let put = (!record.tombstone).then(|| {
            let numbers = (record.create_revision, record.version, record.lease);
            (record.value.to_vec(), numbers.0, numbers.1, numbers.2)
        });
        (
            record.revision.main,
            record.revision.sub,
            record.key.to_vec(),
            put,
        )
    });
    let records = records.collect();
    assert!(!evidence.diagnostics().found_any(), "{}", path.display());
    records
}

#[test]
fn a_folder_has_exactly_the_records_that_etcds_watch_delivered() {
    let expected = delivered();
    assert_eq!(expected.len(), 22);
    for folder in ["backups/lzw", "backups/zlib"] {
        assert_eq!(records(&testdata(folder)), expected, "{folder}");
    }
    // The newest full snapshot is compacted to 13: what the deltas do not have before it is missing.
    let first = 6;
    let of_gzip = records(&testdata("backups/gzip"));
    let since: Vec<Row> = of_gzip.into_iter().filter(|row| row.0 >= first).collect();
    let expected: Vec<Row> = expected.into_iter().filter(|row| row.0 >= first).collect();
    assert_eq!(since, expected);
}

#[test]
fn an_older_full_snapshot_can_be_chosen_by_name() {
    let chosen = testdata("backups/gzip::Full-00000000-00000005-1772359202.gz");
    assert_eq!(records(&chosen), delivered());
    let run = run("ls", &testdata("backups/gzip::Full-9"));
    assert_eq!(run.code, 2);
    assert!(
        run.stderr.contains("no full snapshot Full-9"),
        "{}",
        run.stderr
    );
    let hint = "gzip::Full-00000000-00000014-1772359247.gz`";
    assert!(run.stderr.contains(hint), "{}", run.stderr);
}

#[test]
fn the_live_state_is_what_etcd_answered() {
    let text = std::fs::read_to_string(testdata("backups/state.json")).unwrap();
    let expected: Value = serde_json::from_str(&text).unwrap();
    assert!(expected["kvs"].as_array().unwrap().len() > 2);
    for folder in FOLDERS {
        let path = testdata(folder);
        let words = ["get", path.to_str().unwrap(), "", "--prefix", "-w", "json"];
        let got: Value = serde_json::from_str(etcdive(words).text()).unwrap();
        assert_eq!(got["header"]["revision"], expected["revision"], "{folder}");
        assert_eq!(got["kvs"], expected["kvs"], "{folder}");
    }
}

#[test]
fn the_times_of_events_are_those_at_which_the_backup_received_them() {
    let mut compared = 0;
    for folder in FOLDERS {
        let run = run("log -o jsonl", &testdata(folder));
        assert_eq!(run.code, 0, "{}", run.stderr);
        for row in rows(&run)
            .iter()
            .filter(|row| row["main"].as_i64() > Some(5))
        {
            // The fixtures have an event of revision R five seconds after that of R-1, 6 at 10:00:05.
            let seconds = (row["main"].as_i64().unwrap() - 5) * 5;
            let time = format!("2026-03-01T10:{:02}:{:02}Z", seconds / 60, seconds % 60);
            assert_eq!(row["time_not_before"], time, "{folder}: {row}");
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * 18);
}

#[test]
fn a_time_finds_the_state_of_that_moment() {
    let run = run(
        "ls --at-time 2026-03-01T10:00:21Z",
        &testdata("backups/lzw"),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let expected = "/registry/configmaps/shop/untouched\napp/a\napp/b\napp/leader\n";
    assert_eq!(run.text(), expected);
    assert!(run.stderr.contains("is revision 9"), "{}", run.stderr);
    let since = self::run(
        "log -o jsonl --since 2026-03-01T10:00:50Z",
        &testdata("backups/lzw"),
    );
    let mains: Vec<_> = rows(&since)
        .iter()
        .map(|row| row["main"].as_i64())
        .collect();
    assert_eq!(mains.first(), Some(&Some(17)));
    assert_eq!(mains.last(), Some(&Some(15)));
}

#[test]
fn why_time_says_that_a_backup_received_the_event() {
    let run = run("log key:app/leader --why-time", &testdata("backups/lzw"));
    let expected = "a backup received the event at 2026-03-01T10:00:40Z, revision 13";
    assert!(run.text().contains(expected), "{}", run.text());
}

#[test]
fn a_state_before_the_compaction_names_the_older_full_snapshot_that_has_it() {
    let run = run("ls --at 7", &testdata("backups/gzip"));
    assert_eq!(run.code, 3);
    let better = "gzip::Full-00000000-00000005-1772359202.gz --at 7`";
    assert!(run.stderr.contains(better), "{}", run.stderr);
    let chosen = testdata("backups/gzip::Full-00000000-00000005-1772359202.gz");
    let run = self::run("ls --at 7", &chosen);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().contains("app/config\n"), "{}", run.text());
}

#[test]
fn the_answer_names_the_full_snapshot_and_how_far_the_deltas_reach() {
    for (folder, base, deltas) in [
        (
            "backups/gzip",
            "Full-00000000-00000014-1772359247.gz, revision 14",
            "3 delta",
        ),
        (
            "backups/lzw",
            "Full-00000000-00000005-1772359202.Z, revision 5",
            "3 delta",
        ),
        (
            "backups/zlib",
            "Full-00000000-00000004-1772359197.zlib, revision 5",
            "2 delta",
        ),
    ] {
        let stderr = run("log", &testdata(folder)).stderr;
        assert!(stderr.contains(base), "{stderr}");
        let reach = format!("{deltas} snapshots continue it to revision 17");
        assert!(stderr.contains(&reach), "{stderr}");
    }
}

#[test]
fn status_lists_the_files_with_revisions_times_and_checksums() {
    let run = run("status -o json", &testdata("backups/gzip"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let status: Value = serde_json::from_str(run.text()).unwrap();
    let backup = &status["backup"];
    assert_eq!(
        backup["full"]["name"],
        "Full-00000000-00000014-1772359247.gz"
    );
    assert_eq!(backup["other_fulls"][0]["last_revision"], 5);
    let deltas = backup["deltas"].as_array().unwrap();
    assert_eq!(deltas.len(), 3);
    let expected = serde_json::json!({
        "name": "Incr-00000006-00000009-1772359222.gz",
        "first_revision": 6,
        "last_revision": 9,
        "events": 6,
        "received_from": "2026-03-01T10:00:05Z",
        "received_until": "2026-03-01T10:00:20Z",
        "checksum": "right",
    });
    assert_eq!(deltas[0], expected);
    let text = self::run("status", &testdata("backups/gzip"));
    assert!(
        text.text().contains("full, the database"),
        "{}",
        text.text()
    );
}

#[test]
fn deltas_without_a_full_snapshot_give_their_events_and_say_what_is_unknown() {
    let incr = "backups/gzip/v2/Incr-00000006-00000009-1772359222.gz";
    for (path, events) in [("backups/alone", 12), (incr, 6)] {
        let path = testdata(path);
        let expected: Vec<Row> = delivered().into_iter().filter(|row| row.0 >= 6).collect();
        assert_eq!(records(&path), expected[..events], "{}", path.display());
        let log = run("log -o jsonl", &path);
        assert_eq!((log.code, rows(&log).len()), (0, events), "{}", log.stderr);
        let unknown = "keys that were not written in them, and history before, are not known";
        assert!(log.stderr.contains(unknown), "{}", log.stderr);
        let before = run("ls --at 5", &path);
        assert_eq!(before.code, 2);
        assert!(
            before.stderr.contains("the first is 6"),
            "{}",
            before.stderr
        );
    }
}

#[test]
fn every_verb_reads_a_single_delta_snapshot() {
    let path = testdata("backups/alone/Incr-00000006-00000009-1772359222");
    for (line, code, part) in [
        ("status", 0, "a delta snapshot of etcd-backup-restore"),
        ("fsck", 0, "nothing wrong in 6 records of 5 keys"),
        ("show 8", 0, "- app/config  deleted at 8"),
        ("ls", 0, "app/leader"),
        ("get key:app/leader -o json", 0, "node-1"),
        ("grep node-1", 0, "app/leader"),
        ("diff 7..8", 1, "app/a"),
        ("watch", 0, "app/leader"),
        (
            "decode",
            0,
            "# DELETE app/config at revision 8.2, 2026-03-01T10:00:15Z",
        ),
    ] {
        let run = run(line, &path);
        assert_eq!(run.code, code, "{line}: {}{}", run.text(), run.stderr);
        assert!(run.text().contains(part), "{line}: {}", run.text());
    }
    for line in ["pages", "buckets", "dump-db list-bucket", "status -w json"] {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let at = if line.starts_with("dump-db") { 2 } else { 1 };
        words.insert(at, path.display().to_string());
        let run = etcdive(&words);
        assert_eq!(run.code, 2, "{line}: {}", run.stderr);
        assert!(
            run.stderr.contains("is a delta snapshot"),
            "{line}: {}",
            run.stderr
        );
    }
}

#[test]
fn every_verb_reads_a_folder_of_backups() {
    let path = testdata("backups/lzw");
    let mut ran = 0;
    for line in [
        "status",
        "fsck",
        "ls",
        "get -A",
        "log",
        "show 8",
        "diff 5..17",
        "grep settings",
        "watch",
        "blame cm/web -n shop",
        "recover -n shop",
        "analyze",
        "checksum",
        "pages",
        "buckets",
        "page 0",
        "hexdump --page 0",
        "extract -k app/leader -r 7",
    ] {
        let run = run(line, &path);
        assert!(run.code < 2, "{line}: {} {}", run.code, run.stderr);
        ran += 1;
    }
    assert_eq!(ran, 18);
}

#[test]
fn decode_lists_the_events_of_a_delta_snapshot_with_times() {
    let path = testdata("backups/gzip/v2/Incr-00000010-00000014-1772359247.gz");
    let run = run("decode -o json", &path);
    let rows = rows(&run);
    assert_eq!((run.code, rows.len()), (0, 6), "{}", run.stderr);
    assert_eq!(rows[0]["value"]["data"]["a"], "again");
    assert_eq!(rows[0]["time"], "2026-03-01T10:00:25Z");
    assert_eq!(
        (&rows[4]["type"], &rows[4]["key"]),
        (&"DELETE".into(), &"app/leader".into())
    );
    let chosen = self::run("decode --key app/c", &path);
    assert_eq!(
        chosen.text().matches("# PUT ").count(),
        1,
        "{}",
        chosen.text()
    );
}

#[test]
fn the_case_of_the_report_is_answered() {
    let mut cases: Vec<PathBuf> = vec![testdata("backups/alone")];
    if let Some(corpus) = crate::support::corpus() {
        let folder = corpus.join("cases/gardener-delta");
        for name in [
            "Incr-00001001-00001002-1772359210",
            "Incr-00001001-00001002-1772359210.gz",
        ] {
            let run = run("log -o jsonl", &folder.join(name));
            let rows = rows(&run);
            let found: Vec<_> = rows
                .iter()
                .map(|row| (row["main"].as_i64(), row["time_not_before"].as_str()))
                .collect();
            let times = [
                (Some(1002), Some("2026-03-01T10:00:05Z")),
                (Some(1001), Some("2026-03-01T10:00:00Z")),
            ];
            assert_eq!(found, times, "{}", run.stderr);
        }
        cases.push(folder);
    }
    for case in cases {
        assert_eq!(run("log", &case).code, 0, "{}", case.display());
    }
}
