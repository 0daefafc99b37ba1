//! The namespace and the database: before the verb, after it, and from the environment.

use super::{BEFORE, DB, answer, refused, run, run_with, same_answers, words};
use crate::support::{Run, Scratch, program};

#[test]
fn namespace_and_database_may_come_before_the_verb_and_anywhere_after() {
    same_answers(&[
        ("-n prod get DB pods", "get DB pods -n prod"),
        ("-nprod get DB pods", "get DB pods -n prod"),
        ("--namespace prod get DB pods", "get DB pods -n prod"),
        ("--namespace=prod get DB pods", "get DB pods -n prod"),
        ("-A get DB pods", "get DB pods -A"),
        ("--all-namespaces get DB pods", "get DB pods -A"),
        ("--color never -n prod get DB pods", "get DB pods -n prod"),
        ("--db DB get pods -n prod", "get DB pods -n prod"),
        ("--db=DB get pods -n prod", "get DB pods -n prod"),
        ("--db DB -n prod get pods", "get DB pods -n prod"),
        ("get --db DB pods -n prod", "get DB pods -n prod"),
        ("get pods --db DB -n prod", "get DB pods -n prod"),
        ("get pods -n prod --db=DB", "get DB pods -n prod"),
        ("log pods -n prod -n 3 --db DB", "log DB pods -n prod -n 3"),
        ("-n prod log DB -n 3", "log DB -n 3 -n prod"),
        ("status --db DB", "status DB"),
        ("ls --db DB", "ls DB"),
        ("grep web --db DB", "grep DB web"),
        ("grep -e web --db DB pods", "grep DB -e web pods"),
        ("show --db DB 2177", "show DB 2177"),
        ("diff --db DB 2177..2180", "diff DB 2177..2180"),
        (
            "diff --db BEFORE DB --name-only",
            "diff BEFORE DB --name-only",
        ),
        (
            "extract --db DB -k /registry/namespaces/default",
            "extract DB -k /registry/namespaces/default",
        ),
        ("analyze --db DB", "analyze DB"),
        ("dump-db list-bucket --db DB", "dump-db list-bucket DB"),
        ("--db DB dump-db list-bucket", "dump-db list-bucket DB"),
        ("page --db DB 2", "page DB 2"),
    ]);
    // A flag's value is a value, whatever it looks like; after `--` every word is a word.
    assert_eq!(run("grep DB -e --db").code, 1);
    assert!(run("get -- --db DB").stderr.contains("--db"));
}

#[test]
fn the_environment_names_the_database_of_every_verb_that_takes_one() {
    for (line, same) in [
        ("get pods -n prod", "get DB pods -n prod"),
        ("-n prod get pods", "get DB pods -n prod"),
        ("status", "status DB"),
        ("ls", "ls DB"),
        ("ls --kinds", "ls DB --kinds"),
        ("log -n 3", "log DB -n 3"),
        ("show 2177", "show DB 2177"),
        ("diff 2177..2180", "diff DB 2177..2180"),
        ("diff pods 2177..2435", "diff DB 2177..2435 pods"),
        ("grep web", "grep DB web"),
        ("blame ns/default", "blame DB ns/default"),
        (
            "extract -k /registry/namespaces/default",
            "extract DB -k /registry/namespaces/default",
        ),
        (
            "extract -f DB -k /registry/namespaces/default",
            "extract DB -k /registry/namespaces/default",
        ),
        ("analyze -f DB", "analyze DB"),
        ("dump-db list-bucket", "dump-db list-bucket DB"),
        (
            "dump-db iterate-bucket meta",
            "dump-db iterate-bucket DB meta",
        ),
        ("checksum", "checksum DB"),
        ("buckets", "buckets DB"),
        ("fsck", "fsck DB"),
    ] {
        let (got, expected) = (run_with(DB, line), run(same));
        assert!(!expected.stdout.is_empty(), "{same}: {}", expected.stderr);
        assert_eq!(got.code, expected.code, "{line}: {}", got.stderr);
        assert_eq!(got.stdout, expected.stdout, "{line}");
    }
}

#[test]
fn a_file_that_is_named_wins_over_the_environment_and_the_flag_over_both() {
    let expected = answer("get DB pods -n prod");
    assert_eq!(run_with(BEFORE, "get DB pods -n prod").stdout, expected);
    assert_eq!(
        run_with("no/such/file", "get DB pods -n prod").stdout,
        expected
    );
    assert_eq!(
        run_with(BEFORE, "get --db DB pods -n prod").stdout,
        expected
    );
    assert_eq!(run_with("", "get DB pods -n prod").stdout, expected);
    assert_eq!(
        run_with(BEFORE, "diff BEFORE DB --stat").stdout,
        answer("diff BEFORE DB --stat")
    );
    // With the flag no word is the database, not even one that is a file.
    let both = run("get --db DB DB");
    assert!(both.code > 0 && both.stderr.contains(DB), "{}", both.stderr);
    // Help needs no database, and neither does a verb without one.
    assert_eq!(run_with("no/such/file", "get --help").code, 0);
    assert_eq!(run_with("no/such/file", "explain page-twice").code, 0);
    assert_eq!(run_with("no/such/file", "help formats").code, 0);
    let missing = run_with("no/such/file", "get pods");
    assert!(
        missing.code == 2 && missing.stderr.contains("no/such/file"),
        "{}",
        missing.stderr
    );
}

#[test]
fn a_data_directory_wins_over_the_environment_but_any_other_folder_does_not() {
    let scratch = Scratch::new("words-folder");
    scratch.file("pods/nothing", b"");
    scratch.file("data/member/snap/db", &std::fs::read(DB).unwrap());
    let run = |line: &str| -> Run {
        let mut command = program();
        let db = std::path::absolute(BEFORE).unwrap();
        let command = command.current_dir(scratch.path()).env("ETCDIVE_DB", db);
        command.args(words(line)).output().unwrap().into()
    };
    assert_eq!(
        run("get pods -n prod").stdout,
        answer("get BEFORE pods -n prod")
    );
    assert_eq!(
        run("get data pods -n prod").stdout,
        answer("get DB pods -n prod")
    );
}

#[test]
fn a_flag_before_a_verb_that_has_none_is_refused_with_the_name_of_the_verb() {
    refused(&[
        ("-n prod status DB", &["status", "-n"]),
        ("-A fsck DB", &["fsck", "-A"]),
        ("-n prod wal DB", &["wal", "-n"]),
        (
            "-n prod dump-db list-bucket DB",
            &["dump-db list-bucket", "-n"],
        ),
        ("--db DB explain page-twice", &["explain", "--db"]),
        ("explain page-twice --db DB", &["explain", "--db"]),
        ("--db DB get pods --db BEFORE", &["--db"]),
        ("get pods --db", &["--db"]),
        ("-n", &["-n"]),
        ("--db", &["--db"]),
    ]);
}

// Addresses with a revision.
