//! What a restore refuses because its flags contradict each other or the source, and the hints that it gives.

use std::path::Path;

use crate::support::{Run, Scratch, etcdive, names_in, testdata};

fn restore(scratch: &Scratch, db: &Path, flags: &str) -> Run {
    let mut words = vec!["restore", db.to_str().unwrap()];
    let flags = flags.replace("HERE", scratch.path().to_str().unwrap());
    words.extend(flags.split_whitespace());
    etcdive(words)
}

/// The commands in the hint.
fn hinted(run: &Run) -> Vec<String> {
    let hint = run.stderr.lines().find(|line| line.starts_with("hint: "));
    let hint = hint.unwrap_or_else(|| panic!("no hint: {}", run.stderr));
    let parts = hint.split('`').skip(1).step_by(2);
    parts.map(str::to_owned).collect()
}

/// Runs a command of a hint.
fn pasted(line: &str) -> Run {
    etcdive(line.split_whitespace().skip(1))
}

#[test]
fn a_member_that_skipped_entries_of_its_log_is_refused() {
    let scratch = Scratch::new("restore-skipped");
    let member = testdata("guides/disagree/m3");
    let run = restore(&scratch, &member, "--wal --out HERE/new.db");
    assert_eq!(run.code, 2, "{}", run.stderr);
    for part in [
        "lacks writes of its write-ahead log although it claims to have applied them",
        "another member",
        "the log alone",
        "--allow-loss",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    assert!(names_in(scratch.path()).is_empty());
    // The revision before the difference is right, and the one of the difference is not.
    let line = hinted(&run).into_iter().find(|line| line.contains("--at "));
    let before = pasted(&line.unwrap());
    assert_eq!(before.code, 0, "{}", before.stderr);
    let first = run.stderr.split("(revision ").nth(1).unwrap();
    let first = first.split(')').next().unwrap();
    let at = format!("--wal --at {first} --out HERE/at.db");
    assert_eq!(restore(&scratch, &member, &at).code, 2);
    // The log alone has them, and the loss can be accepted.
    let log = member.join("member/wal");
    let alone = restore(&scratch, &log, "--wal --out HERE/log.db");
    assert_eq!(alone.code, 0, "{}", alone.stderr);
    let all = restore(&scratch, &member, "--wal --allow-loss --out HERE/all.db");
    assert_eq!(all.code, 3, "{}", all.stderr);
    assert!(all.text().contains("lacks writes"), "{}", all.text());
}

#[test]
fn flags_of_a_data_directory_are_refused_for_a_file() {
    let scratch = Scratch::new("restore-flags-of-directory");
    let source = testdata("restore/src36.snap.db");
    for flags in [
        "--bump-revision 1000 --mark-compacted",
        "--name m1",
        "--initial-cluster m1=http://a:1",
        "--initial-cluster-token t",
        "--initial-advertise-peer-urls http://a:1",
        "--wal-dir HERE/wal",
        "--initial-cluster m1=http://a:1 --all-members",
        // The defaults, typed.
        "--name default",
        "--initial-cluster-token etcd-cluster",
        "--initial-advertise-peer-urls http://localhost:2380",
    ] {
        let run = restore(&scratch, &source, &format!("--out HERE/new.db {flags}"));
        assert_eq!(run.code, 2, "{flags}: {}", run.stderr);
        assert!(
            run.stderr.contains("needs --data-dir"),
            "{flags}: {}",
            run.stderr
        );
        assert!(names_in(scratch.path()).is_empty(), "{flags}");
    }
}

#[test]
fn a_target_is_needed_and_is_no_standard_output() {
    let scratch = Scratch::new("restore-no-target");
    let source = testdata("restore/src36.snap.db");
    let none = restore(&scratch, &source, "");
    assert_eq!(none.code, 2);
    assert_eq!(none.stderr.matches("--out").count(), 2, "{}", none.stderr);
    assert_eq!(none.stderr.matches("--data-dir").count(), 2);
    let dash = restore(&scratch, &source, "--out -");
    assert_eq!(dash.code, 2, "{}", dash.stderr);
    assert!(!Path::new("-").exists());
}

#[test]
fn a_bump_below_what_was_left_out_is_refused_with_the_smallest_that_is_right() {
    let scratch = Scratch::new("restore-small-bump");
    let source = testdata("restore/src36.snap.db");
    let flags = |by: &str| {
        format!("--data-dir HERE/new{by}.etcd --at 60 --bump-revision {by} --mark-compacted")
    };
    // With 16 a client that has seen all 15 revisions could go on watching: etcd 3.6 does not end a watch from the
    // compacted revision itself.
    for by in ["5", "15", "16"] {
        let run = restore(&scratch, &source, &flags(by));
        assert_eq!(run.code, 2, "{by}: {}", run.stderr);
        assert!(
            run.stderr.contains("`--bump-revision 17`"),
            "{}",
            run.stderr
        );
        assert!(names_in(scratch.path()).is_empty());
    }
    let run = restore(&scratch, &source, &flags("17"));
    assert_eq!(run.code, 0, "{}", run.stderr);
    // Nothing was left out, so no client has seen anything else.
    let newest = "--data-dir HERE/newest.etcd --bump-revision 1 --mark-compacted";
    let run = restore(&scratch, &source, newest);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn a_hint_keeps_the_flags_that_were_given() {
    let scratch = Scratch::new("restore-hints");
    let whole = std::fs::read(testdata("healthy/k8s/after.db")).unwrap();
    let torn = scratch.file("c.db", &whole[..1_000_000]);
    let mut run = restore(&scratch, &torn, "--lease-ttl 77 --out HERE/new.db");
    let mut given = vec!["--lease-ttl 77".to_owned()];
    let mut steps = 0;
    while run.code == 2 {
        assert!(steps < 5, "the hints go round: {}", run.stderr);
        let commands = hinted(&run);
        let line = commands
            .iter()
            .find(|line| line.starts_with("etcdive restore "))
            .unwrap_or_else(|| panic!("{}", run.stderr));
        for flag in &given {
            assert_eq!(line.matches(flag.as_str()).count(), 1, "{flag}: {line}");
        }
        for flag in ["--carve", "--allow-loss", "--auth off"] {
            if line.contains(flag) && !given.iter().any(|one| one == flag) {
                given.push(flag.to_owned());
            }
        }
        run = pasted(line);
        steps += 1;
    }
    assert!(steps > 1, "only {steps} hints");
    assert_eq!(run.code, 3, "{}", run.stderr);
}

#[test]
fn a_part_of_a_revision_is_refused_and_a_future_one_is_no_loss() {
    let scratch = Scratch::new("restore-part-of-revision");
    let source = testdata("restore/src36.snap.db");
    let run = restore(&scratch, &source, "--at 60.1 --out HERE/new.db");
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("`--at 60`"), "{}", run.stderr);
    let run = restore(&scratch, &source, "--at 99999 --out HERE/new.db");
    assert_eq!(run.code, 2);
    assert!(run.stderr.contains("--at 75"), "{}", run.stderr);
    assert!(!run.stderr.contains("--allow-loss"), "{}", run.stderr);
    assert!(names_in(scratch.path()).is_empty());
}
