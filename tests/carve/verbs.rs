//! `--carve` in the verbs that take it, on a Kubernetes store that was compacted.

use serde_json::Value;

use crate::support::synth::etcd::{self, Version};
use crate::support::synth::{Bucket, Older};
use crate::support::{Run, Scratch, etcdive, read_unpacked, testdata};

/// The namespace that was deleted before the compaction.
const SHOP: &str = "/registry/deployments/shop/";

fn compacted(name: &str) -> (Scratch, String) {
    let scratch = Scratch::new(name);
    let bytes = read_unpacked(&testdata("carved/compacted.db.gz"));
    let path = scratch.file("compacted.db", &bytes);
    let path = path.to_str().unwrap().to_owned();
    (scratch, path)
}

fn run(db: &str, line: &str) -> Run {
    etcdive(
        line.split(' ')
            .map(|word| if word == "DB" { db } else { word }),
    )
}

fn rows(run: &Run) -> Vec<Value> {
    let lines = run.text().lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn log_has_the_carved_events_in_their_order_with_their_origin() {
    let (_scratch, db) = compacted("carve-log");
    let key = format!("{SHOP}cart-0");
    let plain = run(&db, &format!("log DB {key} -o jsonl"));
    assert_eq!((plain.code, plain.text()), (1, ""));
    let events = rows(&run(&db, &format!("log DB {key} -o jsonl --carve")));
    assert!(events.len() > 5);
    let mains: Vec<i64> = events
        .iter()
        .map(|event| event["main"].as_i64().unwrap())
        .collect();
    assert!(mains.is_sorted_by(|a, b| a > b));
    assert!(events.iter().all(|event| event["origin"] == "carved-a"));
    // Between two that are known the missing ones are counted.
    let mut version = 0;
    let mut gaps = 0;
    for event in events
        .iter()
        .rev()
        .filter(|event| event["type"] != "delete")
    {
        let number = event["version"].as_i64().unwrap();
        let missing = event["versions_missing_before"]
            .as_i64()
            .unwrap_or_default();
        assert_eq!(missing, number - version - 1, "{event}");
        version = number;
        gaps += missing;
    }
    let table = run(&db, &format!("log DB {key} --carve"));
    assert!(table.text().lines().next().unwrap().contains("ORIGIN"));
    assert!(table.text().contains("carved-a"));
    let text = table.text();
    let in_no_page = text.contains("1 version before it is in no page")
        || text.contains("versions before it are in no page");
    assert!(gaps > 0 && in_no_page, "{text}");
    let note = match gaps {
        1 => "1 earlier version was compacted".to_owned(),
        gaps => format!("{gaps} earlier versions were compacted"),
    };
    assert!(table.stderr.contains(&note), "{}", table.stderr);
    assert!(
        table.stderr.contains("freed pages contain "),
        "{}",
        table.stderr
    );
    // Where nothing is carved there is no such column.
    let live = run(&db, "log DB /registry/namespaces/default");
    assert!(!live.text().contains("ORIGIN"));
}

#[test]
fn get_answers_from_before_the_compaction_and_says_what_is_not_proved() {
    let (_scratch, db) = compacted("carve-get");
    let refused = run(&db, "get DB deploy -n shop --at 2200 -o name");
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("--carve"), "{}", refused.stderr);
    let got = run(&db, "get DB deploy -n shop --at 2200 -o name --carve");
    let names: Vec<&str> = got.text().lines().collect();
    let expected = ["cart-0", "cart-1", "cart-2"].map(|name| format!("deployment.apps/{name}"));
    assert_eq!(names, expected);
    assert_eq!(got.code, 3, "revisions are missing");
    assert!(got.stderr.contains("history-incomplete"), "{}", got.stderr);
    assert!(
        got.stderr.contains("may have been changed or deleted"),
        "{}",
        got.stderr
    );
    // It is the object as it was, which the snapshot from before the compaction has.
    let whole = testdata("healthy/k8s/after.db");
    let whole = whole.to_str().unwrap();
    let line = "get DB deploy/cart-1 -n shop --at 2200 -o yaml";
    let before = run(whole, line);
    let carved = run(&db, &format!("{line} --carve"));
    assert_eq!(before.code, 0, "{}", before.stderr);
    assert_eq!(before.text(), carved.text());
    // What was deleted is not there now, whatever was carved of it.
    let now = run(&db, "get DB deploy -n shop -o name --carve");
    assert_eq!((now.code, now.text()), (1, ""));
    let at = run(&db, "get DB deploy -A -o name --at 3121 --carve");
    let plain = run(&db, "get DB deploy -A -o name --at 3121");
    assert_eq!((at.code, at.text()), (0, plain.text()));
}

#[test]
fn ls_show_diff_blame_and_grep_take_the_carved_records() {
    let (_scratch, db) = compacted("carve-verbs");
    let whole = testdata("healthy/k8s/after.db");
    let whole = whole.to_str().unwrap();
    let listed = run(&db, "ls DB /registry/deployments/ --at 2200 --carve");
    let before = run(whole, "ls DB /registry/deployments/ --at 2200");
    assert_eq!(listed.text(), before.text());
    // One revision.
    let events = rows(&run(
        &db,
        "log DB /registry/deployments/shop/cart-1 --carve -o jsonl",
    ));
    let main = events[events.len() / 2]["main"].as_i64().unwrap();
    let shown = run(&db, &format!("show DB {main} --carve"));
    let plain = run(&db, &format!("show DB {main}"));
    assert_eq!(plain.code, 2, "{}", plain.text());
    assert!(
        shown.text().contains("# carved-a, page "),
        "{}",
        shown.text()
    );
    let fields = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("# carved-a"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        fields(shown.text())[1..],
        fields(run(whole, &format!("show DB {main}")).text())[1..]
    );
    let object = run(
        &db,
        "show DB key:/registry/deployments/shop/cart-1@created --carve",
    );
    assert!(
        object.text().contains("# carved-a, page "),
        "{}",
        object.stderr
    );
    // Two revisions.
    let line = "diff DB 2100..2200 deploy -n shop --name-only";
    let differ = run(&db, &format!("{line} --carve"));
    let truth = run(whole, line);
    assert_eq!(differ.text(), truth.text());
    assert_eq!(run(&db, line).code, 2);
    // Lines and their revisions: a carved history without a gap is that of the whole store.
    let blamed = run(&db, "blame DB deploy/cart-1 -n shop --at 2200 --carve");
    assert!(
        blamed.code == 3 && blamed.text().contains("replicas:"),
        "{}",
        blamed.stderr
    );
    assert_eq!(run(&db, "blame DB deploy/cart-1 -n shop --at 2200").code, 2);
    // Text in all history.
    let line = "grep DB cart-1 deploy -n shop --history --carve -o jsonl";
    let found = rows(&run(&db, line));
    assert!(!found.is_empty());
    for row in &found {
        assert_eq!(row["still_there"], false, "{row}");
        assert!(row["gone_at_revision"].as_i64().unwrap() <= 3121, "{row}");
    }
}

#[test]
fn recover_says_of_which_objects_a_later_version_is_lost() {
    let (_scratch, db) = compacted("carve-recover");
    let run = run(&db, "recover DB deployments -n shop --carve -o jsonl");
    assert_eq!(run.code, 0, "{}", run.stderr);
    let listed = rows(&run);
    let whole = testdata("healthy/k8s/after.db");
    let truth = self::run(
        whole.to_str().unwrap(),
        "recover DB deployments -n shop -o jsonl",
    );
    let truth = rows(&truth);
    assert_eq!(listed.len(), truth.len());
    let mut older = 0;
    for (got, truth) in listed.iter().zip(&truth) {
        assert_eq!(
            (&got["key"], &got["origin"]),
            (&truth["key"], &"carved-a".into())
        );
        let behind = got["versions_missing_behind"].as_i64().unwrap_or_default();
        let lost =
            truth["restored_version"].as_i64().unwrap() - got["restored_version"].as_i64().unwrap();
        assert!((lost > 0) <= (behind > 0) && lost <= behind, "{got}");
        older += usize::from(lost > 0);
    }
    assert!(
        older > 0 && run.stderr.contains("are older than they were"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_key_whose_deletion_is_lost_is_not_shown_as_there() {
    let mut store = etcd::Store::new(Version::V3_6);
    store.put("gone", "needle");
    store.put("stays", "1");
    let before: Bucket = store.key_bucket();
    store.delete("gone");
    store.put("stays", "2");
    store.put("stays", "3");
    store.compact(5);
    let scratch = Scratch::new("carve-lost-deletion");
    let image = store.builder().stale(before).build();
    let db = scratch.file("db", &image.bytes);
    let db = db.to_str().unwrap();
    let live = run(db, "ls DB --carve");
    assert_eq!((live.code, live.text()), (0, "stays\n"));
    let span = &rows(&run(db, "grep DB needle --history --carve -o jsonl"))[0];
    assert_eq!(span["still_there"], false);
    assert_eq!(
        (&span["gone_at_revision"], &span["gone_may_be_earlier"]),
        (&5.into(), &true.into())
    );
    let text = run(db, "grep DB needle --history --carve");
    assert!(
        text.text().contains("(gone at 5 or before)"),
        "{}",
        text.text()
    );
    // As of then it was there.
    let then = run(db, "ls DB --carve --at 3");
    assert_eq!((then.code, then.text()), (0, "gone\nstays\n"));
    // As of revision 4 nothing shows it.
    let unknown = run(db, "ls DB --carve --at 4");
    assert_eq!(unknown.code, 3);
    assert!(
        unknown
            .stderr
            .contains("1 of the 3 revisions up to 4 are no longer in any page"),
        "{}",
        unknown.stderr
    );
    assert!(
        unknown
            .stderr
            .contains("1 of these 2 objects may have been"),
        "{}",
        unknown.stderr
    );
    let blamed = run(db, "blame DB key:gone --carve");
    assert_eq!((blamed.code, blamed.text()), (1, ""), "it is not there now");
}

#[test]
fn where_nothing_is_carved_the_reason_is_reported() {
    let store = |compact: bool| {
        let mut store = etcd::Store::new(Version::V3_6);
        store.put("a", "1");
        store.put("a", "2");
        if compact {
            store.compact(3);
        }
        store
    };
    let told = |name: &str, image: &[u8]| {
        let scratch = Scratch::new(name);
        let db = scratch.file("db", image);
        let run = run(db.to_str().unwrap(), "log DB --carve");
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stderr
    };
    let never = told("carve-never", &store(false).builder().build().bytes);
    assert!(never.contains("nothing was ever compacted"), "{never}");
    let defragmented = store(true).builder().older(Older::Empty).build();
    let defragmented = told("carve-defragmented", &defragmented.bytes);
    assert!(
        defragmented.contains("the file was just defragmented"),
        "{defragmented}"
    );
    let written_over = told("carve-none", &store(true).builder().build().bytes);
    assert!(
        written_over.contains(
            "the file was defragmented since the compaction, or the freed pages were overwritten"
        ),
        "{written_over}"
    );
}

#[test]
fn the_older_meta_is_the_state_of_the_commit_before() {
    let mut store = etcd::Store::new(Version::V3_6);
    store.put("a", "1");
    let former = store.root();
    store.put("a", "2");
    store.put("b", "3");
    let scratch = Scratch::new("carve-older");
    let image = store.builder().older(Older::State(former)).build();
    let db = scratch.file("db", &image.bytes);
    let db = db.to_str().unwrap();
    assert_eq!(run(db, "ls DB --meta older").text(), "a\n");
    assert_eq!(run(db, "ls DB").text(), "a\nb\n");
    let changed = run(db, "diff DB --metas --name-only");
    assert_eq!((changed.code, changed.text()), (1, "~ a\n+ b\n"));
    assert!(
        changed.stderr.contains("(revision 2) to txid"),
        "{}",
        changed.stderr
    );
    let one = run(db, "diff DB --metas --name-only key:b");
    assert_eq!((one.code, one.text()), (1, "+ b\n"));
    let none = |name: &str, older: Older, why: &str| {
        let db = scratch.file(name, &store.builder().older(older).build().bytes);
        for line in ["diff DB --metas", "ls DB --meta older"] {
            let run = run(db.to_str().unwrap(), line);
            assert_eq!(run.code, 2, "{line}");
            assert!(run.stderr.contains(why), "{}", run.stderr);
        }
    };
    none(
        "snapshot",
        Older::SameRoot,
        "both meta pages name the same root",
    );
    none(
        "defragmented",
        Older::Empty,
        "the empty database that a defragmentation leaves",
    );
}
