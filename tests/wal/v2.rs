//! The v2 store in a raft snapshot (`.snap`).

use serde_json::json;

use crate::support::Scratch;
use crate::support::synth::wal::crc32c;
use crate::support::synth::wire::Message;

use super::*;

/// Of a real etcd 3.4.23 with `--enable-v2`.
fn real() -> PathBuf {
    testdata("wal/v2/0000000000000002-000000000000000c.snap")
}

fn run_on(path: &Path, line: &str) -> Run {
    let path = path.to_str().unwrap();
    let words = line.split(' ');
    etcdive(words.map(|word| if word == "DB" { path } else { word }))
}

/// A snapshot file with this v2 store.
fn snap(store: &[u8]) -> Vec<u8> {
    let metadata = Message::new().set_int(2, 12).set_int(3, 2);
    let data = Message::new().put(1, store).nest(2, metadata).finish();
    let crc = crc32c(0, &data);
    Message::new()
        .set_int(1, i64::from(crc))
        .put(2, data)
        .finish()
}

fn node(path: &str, value: &str, index: u64, children: Value) -> Value {
    json!({"Path": path, "CreatedIndex": index, "ModifiedIndex": index + 1,
        "ExpireTime": "0001-01-01T00:00:00Z", "Value": value, "Children": children})
}

#[test]
fn ls_get_and_wal_show_the_keys_of_a_v2_store() {
    let path = real();
    let ls = run_on(&path, "ls DB");
    assert_eq!(
        ls.text(),
        "/app/cfg/k1\n/app/cfg/k3\n/app/lease\n/app/n\n",
        "{}",
        ls.stderr
    );
    assert_eq!(ls.code, 0);
    let expected = [
        json!({"key": "/app/cfg/k1", "created_index": 7, "modified_index": 7, "value_size": 8, "value": "value-1b"}),
        json!({"key": "/app/cfg/k3", "created_index": 6, "modified_index": 6, "value_size": 7, "value": "value-3"}),
        json!({"key": "/app/lease", "created_index": 9, "modified_index": 9, "value_size": 1, "value": "x",
            "expires": "2026-11-28T12:32:55.098769894Z"}),
        json!({"key": "/app/n", "created_index": 11, "modified_index": 11, "value_size": 1, "value": "2"}),
    ];
    assert_eq!(rows(&run_on(&path, "get DB -o jsonl")), expected);
    assert_eq!(
        rows(&run_on(&path, "get DB /app/cfg/ -o jsonl")),
        expected[..2]
    );
    assert_eq!(rows(&run_on(&path, "get DB app/n -o jsonl")), expected[3..]);
    let of_log = rows(&run_on(&path, "wal DB -o jsonl"));
    assert_eq!(of_log[0]["v2_keys"], json!(expected));
    for line in ["get DB", "wal DB"] {
        let run = run_on(&path, line);
        for told in [
            "KEY",
            "/app/cfg/k1",
            "value-1b",
            "2026-11-28T12:32:55",
            "11",
        ] {
            assert!(run.text().contains(told), "{line}: {told}: {}", run.text());
        }
    }
    let limited = run_on(&path, "ls DB --sort mod --limit 1 -o jsonl");
    assert_eq!(rows(&limited)[0]["key"], "/app/n");
}

#[test]
fn other_verbs_say_what_a_raft_snapshot_has() {
    for line in ["status DB", "fsck DB", "log DB", "extract DB -k /app/n"] {
        let run = run_on(&real(), line);
        assert_eq!(run.code, 2, "{line}: {}", run.stderr);
        assert!(
            run.stderr.contains("4 keys of the v2 store"),
            "{line}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains("`etcdive get "),
            "{line}: {}",
            run.stderr
        );
    }
    for line in [
        "ls DB pods -n shop",
        "ls DB --at 3",
        "get DB --sort-by KEY",
        "ls DB --kinds",
    ] {
        let run = run_on(&real(), line);
        assert_eq!((run.code, run.text()), (2, ""), "{line}");
        assert!(run.stderr.contains("v2 store"), "{line}: {}", run.stderr);
    }
    let missing = run_on(&real(), "get DB /nothing");
    assert_eq!(missing.code, 1);
    assert!(
        missing.stderr.contains("no key /nothing"),
        "{}",
        missing.stderr
    );
}

#[test]
fn directories_hidden_keys_and_values_of_any_text_are_keys_of_a_v2_store() {
    let store = json!({"Root": node("/", "", 0, json!({
        "0": node("/0", "", 0, json!({})),
        "1": node("/1", "", 0, json!({
            "_hidden": node("/1/_hidden", "", 3, Value::Null),
            "dir": node("/1/dir", "", 4, json!({})),
            "multi": node("/1/multi", "{\"a\":\n\"\u{e4}\u{1b}\"}", 5, Value::Null),
        })),
    }))});
    let scratch = Scratch::new("wal-v2-kinds");
    let path = scratch.file("some.name", &snap(store.to_string().as_bytes()));
    assert_eq!(run_on(&path, "ls DB").text(), "/_hidden\n/dir/\n/multi\n");
    let listed = rows(&run_on(&path, "get DB -o jsonl"));
    assert_eq!(listed[0]["value"], "");
    assert_eq!(listed[1]["directory"], true);
    assert_eq!(listed[2]["value"], "{\"a\":\n\"\u{e4}\u{1b}\"}");
}

#[test]
fn the_value_of_a_secret_in_a_v2_store_is_masked_where_it_is_read_over_a_shoulder() {
    let path = "/registry/secrets/shop/db";
    let store = json!({"Root": node("/", "", 0, json!({"1": node("/1", "", 0, json!({
        "x": node(&format!("/1{path}"), "c2VjcmV0", 3, Value::Null)}))}))});
    let scratch = Scratch::new("wal-v2-secret");
    let file = scratch.file("a.snap", &snap(store.to_string().as_bytes()));
    assert!(!run_on(&file, "wal DB").text().contains("c2VjcmV0"));
    assert!(!run_on(&file, "wal DB -o json").text().contains("c2VjcmV0"));
    assert!(
        run_on(&file, "wal DB --show-secrets")
            .text()
            .contains("c2VjcmV0")
    );
    assert!(run_on(&file, "get DB").text().contains("c2VjcmV0"));
}

#[test]
fn a_snapshot_without_v2_keys_or_with_a_broken_store_says_so() {
    let scratch = Scratch::new("wal-v2-broken");
    let deep = format!("{{\"Root\":{}", "{\"Children\":{\"a\":".repeat(100_000));
    let cases: [(&str, &[u8], &str); 4] = [
        ("none", br#"{"Root":{"Path":"/"}}"#, "no keys"),
        ("empty", b"", "no keys"),
        ("cut", br#"{"Root":{"Path":"/1","#, "cannot be read"),
        ("deep", deep.as_bytes(), "cannot be read"),
    ];
    for (name, store, told) in cases {
        let path = scratch.file(&format!("{name}.snap"), &snap(store));
        for line in ["ls DB", "get DB", "status DB"] {
            let run = run_on(&path, line);
            assert_eq!((run.code, run.text()), (2, ""), "{name} {line}");
            assert!(run.stderr.contains(told), "{name} {line}: {}", run.stderr);
        }
    }
    let mut wrong = std::fs::read(real()).unwrap();
    wrong[1] ^= 1;
    let path = scratch.file("wrong.snap", &wrong);
    let run = run_on(&path, "ls DB");
    assert_eq!(
        (run.code, run.text().lines().count()),
        (3, 4),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("snap-invalid"), "{}", run.stderr);
}

#[test]
fn a_data_directory_with_v2_keys_says_where_they_are() {
    let scratch = Scratch::new("wal-v2-dir");
    let db = std::fs::read(testdata("wal/killed/restarted.db")).unwrap();
    scratch.file("member/snap/db", &db);
    scratch.file(
        "member/snap/0000000000000002-000000000000000c.snap",
        &std::fs::read(real()).unwrap(),
    );
    // The raft snapshot is of another cluster, which `status` says.
    for (line, code) in [("ls DB", 0), ("status DB", 1)] {
        let run = run_on(scratch.path(), line);
        assert_eq!(run.code, code, "{line}: {}", run.stderr);
        let hint = run.stderr.split('`').nth(1).unwrap_or_default().to_owned();
        assert!(run.stderr.contains("4 keys"), "{line}: {}", run.stderr);
        assert_eq!(etcdive(hint.split(' ').skip(1)).text().lines().count(), 4);
    }
}

/// As of etcd 2: it has no `member/snap/db`.
#[test]
fn a_data_directory_with_v2_keys_and_no_database_says_where_they_are() {
    let scratch = Scratch::new("wal-v2-no-db");
    let name = "member/snap/0000000000000002-000000000000000c.snap";
    scratch.file(name, &std::fs::read(real()).unwrap());
    for line in ["ls DB", "ls DB --wal", "status DB", "get DB /app/n"] {
        let run = run_on(scratch.path(), line);
        assert_eq!((run.code, run.text()), (2, ""), "{line}");
        let hint = run.stderr.split('`').nth(1).unwrap_or_default().to_owned();
        assert!(
            run.stderr.contains("4 keys of a v2 store"),
            "{line}: {}",
            run.stderr
        );
        assert_eq!(etcdive(hint.split(' ').skip(1)).text().lines().count(), 4);
    }
}

#[test]
fn status_has_the_ids_of_removed_members() {
    let run = run_on(&requests(), "status DB");
    assert!(run.text().contains("571204938c503f78"), "{}", run.text());
    let run = run_on(&requests(), "status DB -o json");
    let status: Value = serde_json::from_str(run.text()).unwrap();
    assert_eq!(status["removed_members"], json!(["571204938c503f78"]));
}
