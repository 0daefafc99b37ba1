//! The commands that `restore` prints: each can be pasted into a shell as it is, also if a path has spaces.

use std::path::Path;
use std::process::Command;

use crate::support::{Run, Scratch, etcdive, testdata};

fn restore(words: &[&str]) -> Run {
    let source = testdata("restore/src36.snap.db");
    let first = ["restore", source.to_str().unwrap()];
    etcdive(first.iter().chain(words))
}

/// The words of a command, as a shell reads them.
fn shell_words(line: &str) -> Vec<String> {
    let script = format!("for word in {line}; do printf '%s\\n' \"$word\"; done");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{line}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// The lines of the text that call a program, each without what numbers it.
fn commands<'t>(text: &'t str, program: &str) -> Vec<&'t str> {
    let lines = text.lines();
    let begins = lines.filter_map(|line| line.find(&format!("{program} ")).map(|at| &line[at..]));
    begins.collect()
}

const NAME: &str = "it's a $HOME copy";

#[test]
fn commands_stay_whole_and_keep_paths_with_spaces() {
    let scratch = Scratch::new("restore commands");
    let folder = scratch.path().join(NAME);
    std::fs::create_dir(&folder).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let new = path("new file.db");
    let run = restore(&["--out", &new]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines = commands(run.text(), "etcdutl");
    assert_eq!(lines.len(), 1, "{}", run.text());
    let words = shell_words(lines[0]);
    assert_eq!(words[..3], ["etcdutl", "snapshot", "restore"]);
    assert_eq!(words[3], new);
    assert_eq!(words[4], "--data-dir");

    // A directory, with a folder for its log.
    let (data, wal) = (path("new dir"), path("the log"));
    let run = restore(&["--data-dir", &data, "--wal-dir", &wal]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let lines = commands(run.text(), "etcd");
    let started = lines.iter().find(|line| line.contains("--data-dir"));
    let words = shell_words(started.unwrap_or_else(|| panic!("{}", run.text())));
    for pair in [["--data-dir", data.as_str()], ["--wal-dir", wal.as_str()]] {
        assert!(
            words.windows(2).any(|words| words == pair),
            "{pair:?}: {words:?}"
        );
    }

    // All members, each with a folder.
    let all = path("all members");
    let cluster = "m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380";
    let run = restore(&[
        "--data-dir",
        &all,
        "--initial-cluster",
        cluster,
        "--all-members",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for name in ["m1", "m2"] {
        let folder = Path::new(&all).join(name);
        let folder = folder.to_str().unwrap();
        let lines = commands(run.text(), "etcd");
        let whole = lines.iter().map(|line| shell_words(line));
        let started = whole.filter(|words| words.iter().any(|word| word == folder));
        assert_eq!(started.count(), 1, "{name}: {}", run.text());
    }
}

#[test]
fn hints_of_refusals_keep_paths_with_spaces() {
    let scratch = Scratch::new("restore hints");
    let source = std::fs::read(testdata("restore/src36.snap.db")).unwrap();
    let db = scratch.file(&format!("{NAME}.db"), &source);
    let db = db.to_str().unwrap();
    let new = scratch.path().join(format!("{NAME} new.db"));
    let new = new.to_str().unwrap();
    let mut compared = 0;
    for flags in [
        ["--at", "12"],
        ["--at", "76"],
        ["--prefix", "nothing here/"],
    ] {
        let run = etcdive(["restore", db, "--out", new].iter().chain(&flags));
        assert_eq!(run.code, 2, "{flags:?}");
        let hint = run.stderr.lines().find(|line| line.starts_with("hint: "));
        let line = hint.unwrap().split('`').nth(1).unwrap();
        let words = shell_words(line);
        assert_eq!(words[0], "etcdive", "{line}");
        assert_eq!(words[2], db, "{line}");
        if words[1] == "restore" {
            assert!(
                words.windows(2).any(|pair| pair == ["--out", new]),
                "{line}"
            );
            let again = etcdive(&words[1..]);
            assert_eq!(again.code, 0, "{line}: {}", again.stderr);
            for left in [new.to_owned(), format!("{new}.restore.json")] {
                std::fs::remove_file(left).unwrap();
            }
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}
