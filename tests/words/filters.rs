//! Flags that choose among changes: excluded resources, managers, patterns, limits.

use super::{answer, keys, refused, rows, run, words};
use crate::support::program;

#[test]
fn excluded_resources_are_left_out_and_nothing_else() {
    for line in [
        "log DB --since 21:16:20 -o jsonl",
        "log DB -n prod --since 21:16 -o jsonl",
        "diff DB 2032.. -o jsonl",
        "watch DB --rev 2032 -o jsonl",
    ] {
        let mut all = keys(line);
        let some = keys(&format!("{line} --exclude events,leases"));
        let before = all.len();
        let excluded = ["/registry/events/", "/registry/leases/"];
        all.retain(|key| !excluded.iter().any(|folder| key.starts_with(folder)));
        assert!(all.len() < before, "{line}: nothing to leave out");
        assert_eq!(some, all, "{line}");
        let repeated = format!("{line} --exclude ev --exclude lease");
        assert_eq!(keys(&repeated), all, "{line}");
    }
    refused(&[
        ("log DB --exclude nosuch", &["unknown resource", "nosuch"]),
        (
            "diff DB 2032.. --exclude pods,nosuch",
            &["unknown resource", "nosuch"],
        ),
        ("watch DB --exclude nosuch", &["unknown resource", "nosuch"]),
    ]);
}

#[test]
fn only_changes_of_a_manager_are_shown() {
    let wrote = |row: &serde_json::Value, name: &str| {
        let managers = row["managers"].as_array().into_iter().flatten();
        let mut managers = managers.filter_map(serde_json::Value::as_str);
        managers.any(|manager| manager.split(" (").next() == Some(name))
    };
    let (log, name) = ("log DB deploy,rs -o jsonl", "kube-controller-manager");
    let mut all = rows(log);
    let before = all.len();
    all.retain(|row| wrote(row, name));
    assert!(!all.is_empty() && all.len() < before);
    assert_eq!(rows(&format!("{log} --manager {name}")), all);
    // A subresource may be named too.
    let status = rows(&format!("{log} --manager '{name} (status)'"));
    assert!(!status.is_empty() && status.len() < all.len());
    let shown = rows("show DB 2032 -o jsonl --manager kube-controller-manager");
    assert!(
        shown
            .iter()
            .all(|row| wrote(row, "kube-controller-manager"))
    );
    assert_eq!(run("show DB 2032 --manager nobody").code, 2);
    assert_eq!(run("show DB ns/shop@v1 --manager nobody").code, 2);
    assert_eq!(run("show DB ns/shop@v1 --manager kwok").code, 1);
    let changed = keys("diff DB 2032.. -o jsonl --manager kwok");
    assert!(!changed.is_empty() && changed.len() < keys("diff DB 2032.. -o jsonl").len());
    let lines = |line: &str| answer(line).split(|byte| *byte == b'\n').count();
    let history = "grep DB -F worker-1 --history";
    assert!(lines(&format!("{history} --manager kwok")) < lines(history));
    assert!(answer("grep DB -F worker --manager kwok").len() < answer("grep DB -F worker").len());
}

#[test]
fn changes_of_nothing_but_the_status_are_left_out() {
    let text = |line: &str| String::from_utf8(answer(line)).unwrap();
    let patches = "log DB deploy -n prod --op update -p";
    assert!(text(patches).contains(" status."));
    let without = text(&format!("{patches} --exclude-status"));
    assert!(!without.contains(" status."), "{without}");
    assert!(text("log DB pods --exclude-status").len() < text("log DB pods").len());
    // A revision that changed only the status.
    assert_eq!(run("show DB 2433").code, 0);
    assert_eq!(run("show DB 2433 --exclude-status").code, 1);
}

// The timeline.

#[test]
fn a_timeline_takes_every_filter_and_limit_of_log() {
    for filter in [
        "--op delete",
        "--op create,update",
        "-l app=web",
        "-S replicas",
        "-G replicas",
        "--since 21:11 --until 21:12",
        "2032..2372",
        "--limit 7",
        "--limit 7 --reverse",
        "-n 7 -n prod",
        "--manager kube-controller-manager",
        "--exclude ns,leases",
        "--exclude-status",
    ] {
        let log = keys(&format!("log DB deploy,rs,ns -o jsonl {filter}"));
        let timeline = keys(&format!("log DB deploy,rs,ns --timeline -o jsonl {filter}"));
        assert_eq!(timeline, log, "{filter}");
    }
}

// Searching and showing what events changed.

#[test]
fn a_pattern_of_log_matches_the_beginning_of_a_path() {
    assert!(!keys("log DB deploy -o jsonl -G '^spec.replicas: '").is_empty());
    let updates = "log DB deploy -o jsonl --op update";
    let above = keys(&format!("{updates} -G '^metadata.annotations'"));
    let below = keys(&format!("{updates} -G '^metadata.annotations.*revision'"));
    assert!(!below.is_empty() && above.len() >= below.len());
    let whole = keys(&format!("{updates} -G '^spec.template'"));
    let leaf = keys(&format!(
        "{updates} -G '^spec.template.spec.containers.0..image: '"
    ));
    assert!(!leaf.is_empty() && whole.len() >= leaf.len());
    // `replicas` is the end of a path, never its beginning.
    assert_eq!(run("log DB deploy -G '^replicas: [0-9]'").code, 1);
}

#[test]
fn the_patch_of_a_creation_is_the_object() {
    let text = |line: &str| String::from_utf8(answer(line)).unwrap();
    let patch = text("log DB ns/shop --op create -p");
    assert!(
        patch.contains("+kind: Namespace") && patch.contains("+  name: shop"),
        "{patch}"
    );
    let masked = text("log DB secrets -n shop --op create -p");
    assert!(masked.contains("<masked #"), "{masked}");
}

#[test]
fn diff_keeps_its_exit_code_when_its_reader_goes_away() {
    use std::io::Read;
    use std::process::Stdio;
    for line in [
        "diff DB 2.. -o unified",
        "diff DB 2..",
        "diff DB 2.. -o jsonl",
    ] {
        let mut command = program();
        command.args(words(line));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut first = [0; 10];
        child.stdout.take().unwrap().read_exact(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{line}");
        assert!(output.stderr.is_empty(), "{line}");
    }
}

// Words in the wrong order.
