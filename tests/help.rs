//! What `--help` says, verb by verb, as golden files: a change of the command line shows in a diff.

use crate::support::{assert_golden, etcdive};

/// Every command that a help text lists below `path`, itself first.
fn commands_below(path: &[String]) -> Vec<Vec<String>> {
    let run = etcdive(path.iter().map(String::as_str).chain(["--help"]));
    assert_eq!(run.code, 0, "{path:?}: {}", run.stderr);
    let mut found = vec![path.to_vec()];
    let listed = run.text().split("Commands:\n").nth(1).unwrap_or_default();
    for line in listed.lines().take_while(|line| line.starts_with("  ")) {
        let Some(name) = line
            .strip_prefix("  ")
            .and_then(|line| line.split_whitespace().next())
        else {
            continue;
        };
        if !line.starts_with("   ") && name != "help" {
            found.extend(commands_below(&[path, &[name.to_owned()]].concat()));
        }
    }
    found
}

#[test]
fn every_help_text_is_as_recorded() {
    let commands = commands_below(&[]);
    assert!(commands.len() > 8);
    for path in commands {
        let run = etcdive(path.iter().map(String::as_str).chain(["--help"]));
        assert!(run.text().is_ascii(), "{path:?}");
        let name = if path.is_empty() {
            "etcdive".to_owned()
        } else {
            path.join("-")
        };
        assert_golden(&format!("help/{name}.txt"), &run.stdout);
    }
}

#[test]
fn a_topic_is_explained_and_a_verb_has_its_help() {
    let revisions = etcdive(["help", "revisions"]);
    assert!(revisions.code == 0 && revisions.text().contains("mod_revision"));
    assert!(
        etcdive(["help", "formats"])
            .text()
            .contains("time_not_before")
    );
    assert!(
        etcdive(["help", "from-etcdctl"])
            .text()
            .contains("--print-value-only")
    );
    let verb = etcdive(["help", "dump-db", "hash"]);
    assert_eq!(verb.text(), etcdive(["dump-db", "hash", "--help"]).text());
    assert_eq!(etcdive(["help"]).text(), etcdive(["--help"]).text());
    let unknown = etcdive(["help", "nothing"]);
    assert_eq!(unknown.code, 2);
    assert!(
        unknown.stderr.contains("topics are revisions"),
        "{}",
        unknown.stderr
    );
}
