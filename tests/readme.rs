//! Every console block of the README is run: what it shows is what the program prints.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{assert_same, etcdive_line, repository};

/// The commands of the console blocks, each with what it is shown to print.
fn shown_commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    for block in text.split("```console\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            match (line.strip_prefix("$ etcdive "), commands.last_mut()) {
                (Some(command), _) => commands.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => output.push_str(&format!("{line}\n")),
                (None, None) => panic!("a console block starts with $ etcdive: {line}"),
            }
        }
    }
    commands
}

#[test]
fn every_console_block_shows_what_is_printed() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let commands = shown_commands(&readme);
    assert!(commands.len() > 5);
    for (command, output) in commands {
        let run = etcdive_line(&command);
        assert_same(output.as_bytes(), &run.stdout, &command);
        assert!(run.code < 2, "{command}: {}", run.stderr);
    }
}

#[test]
fn the_two_commands_of_the_readme_are_the_right_ones() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let block = readme
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let lines: Vec<&str> = block.lines().collect();
    let [run, test] = lines[..] else {
        panic!("two commands do all the set-up: {block}")
    };
    assert_eq!(test, "cargo test");
    let ours = etcdive_line(run.strip_prefix("cargo run --release -- ").unwrap());
    assert_eq!((ours.code, ours.text().lines().count()), (0, 5));
}

#[test]
fn the_figures_of_the_readme_are_those_of_the_table() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    assert!(readme.contains(&format!("{} in all", etcdive::k8s::schema::kinds().len())));
}

#[test]
fn every_file_the_readme_names_is_there() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let mut named = 0;
    for link in readme.split("](").skip(1) {
        let path = link.split(')').next().unwrap();
        assert!(repository().join(path).exists(), "{path}");
        named += 1;
    }
    assert!(named > 0);
}

#[derive(Default)]
struct Group {
    kinds: BTreeSet<&'static str>,
    versions: BTreeMap<&'static str, (u8, u8)>,
}

/// One row a group: its versions, each with the first and the last release of the merged types.
fn coverage_rows() -> Vec<String> {
    let mut groups: BTreeMap<&str, Group> = BTreeMap::new();
    for kind in etcdive::k8s::schema::kinds() {
        if kind.kind.ends_with("List") {
            continue;
        }
        // Kubernetes' own kinds are merged from 1.16 on.
        let name = match kind.group {
            "" if kind.first_minor < 16 => "core, OpenShift 3",
            "" => "core",
            group => group,
        };
        let group = groups.entry(name).or_default();
        group.kinds.insert(kind.kind);
        let (first, last) = group
            .versions
            .entry(kind.version)
            .or_insert((kind.first_minor, kind.last_minor));
        *first = kind.first_minor.min(*first);
        *last = kind.last_minor.max(*last);
    }
    let row = |(name, group): (&str, Group)| {
        let versions: Vec<String> = group
            .versions
            .into_iter()
            .map(|(version, (first, last))| format!("{version} (1.{first} to 1.{last})"))
            .collect();
        format!(
            "| {name} | {} | {} |",
            group.kinds.len(),
            versions.join(", ")
        )
    };
    groups.into_iter().map(row).collect()
}

#[test]
fn the_table_of_what_is_covered_is_that_of_the_schema() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let rows = coverage_rows();
    assert!(rows.len() > 20);
    for row in &rows {
        assert!(
            readme.contains(row),
            "not in the README:\n{}",
            rows.join("\n")
        );
    }
}

#[test]
fn every_row_of_the_table_from_etcdctl_is_answered() {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let table = std::fs::read_to_string(repository().join("docs/from-etcdctl.md")).unwrap();
    assert!(
        readme.contains(table.trim_end()),
        "the README has the table of docs/from-etcdctl.md"
    );
    let mut rows = 0;
    for line in table.lines().skip(2) {
        let command = line.split('`').rev().nth(1).unwrap();
        let command = command.strip_prefix("etcdive ").unwrap();
        let command = command.replacen(" DB", " testdata/healthy/k8s/after.db", 1);
        let run = etcdive_line(&command);
        // diff answers 1: something differs.
        assert!(
            run.code < 2 && !run.stdout.is_empty(),
            "{command}: {}",
            run.stderr
        );
        rows += 1;
    }
    assert!(rows > 20);
}

/// A log with a put of a Secret, a password in it.
fn log_with_secret(secret: &str) -> Vec<u8> {
    use crate::support::synth::wal::{WalFile, put};
    let mut file = WalFile::after(None);
    file.metadata(7, 9);
    let value = format!(r#"{{"apiVersion":"v1","kind":"Secret","stringData":{{"p":"{secret}"}}}}"#);
    file.entry(1, 1, &put("/registry/secrets/shop/db", value.as_bytes()));
    file.state(1, 1);
    file.bytes
}

#[test]
fn the_readme_lists_every_command_that_prints_secrets_as_they_are_stored() {
    use crate::support::Scratch;
    use crate::support::synth::etcd::{Store, Version};
    use base64::Engine as _;
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let sentence = readme.split("printed exactly as stored by").nth(1).unwrap();
    let sentence = sentence.split(". All else").next().unwrap();
    let listed: BTreeSet<String> = sentence
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let secret = "QZXJKQZX0917JXQZKQ";
    let base64 = base64::engine::general_purpose::STANDARD.encode(secret);
    let mut store = Store::new(Version::V3_6);
    let value = format!(
        r#"{{"apiVersion":"v1","kind":"Secret","metadata":{{"name":"db","namespace":"shop"}},"data":{{"p":"{base64}"}}}}"#
    );
    store.put("/registry/secrets/shop/other", "{}");
    store.put("/registry/secrets/shop/db", value.as_str());
    let scratch = Scratch::new("readme-secrets");
    let path = |name: &str, bytes: &[u8]| scratch.file(name, bytes).to_str().unwrap().to_owned();
    let db = path("db", &store.builder().build().bytes);
    let file = path("value", value.as_bytes());
    let log = path("value.wal", &log_with_secret(secret));
    let out = scratch.path().join("out");
    let mut printing = BTreeSet::new();
    let mut lines: Vec<String> = crate::every_verb::LINES
        .iter()
        .map(|line| (*line).to_owned())
        .collect();
    lines.push(format!("recover DB --at @ --out {}", out.display()));
    lines.push("recover DB --at @ -o yaml".to_owned());
    lines.push("show DB key:/registry/secrets/shop/db".to_owned());
    lines.push("blame DB key:/registry/secrets/shop/db".to_owned());
    lines.push("page DB 7 8 9 10 11 12 --values".to_owned());
    lines.push("extract DB -k /registry/secrets/shop/db".to_owned());
    lines.push("decode VALUE".to_owned());
    for line in &lines {
        let words = line.split(' ').map(|word| match word {
            "DB" => db.clone(),
            "VALUE" => file.clone(),
            "LOG" => log.clone(),
            word => word.to_owned(),
        });
        let run = crate::support::etcdive(words);
        let mut printed = String::from_utf8_lossy(&run.stdout).into_owned();
        if line.contains("--out") {
            for file in crate::support::files_below(&out) {
                printed += &std::fs::read_to_string(file).unwrap();
            }
        }
        // hexdump breaks its lines.
        let joined: String = printed
            .lines()
            .filter_map(|line| line.split('|').nth(1))
            .collect();
        let is_in = |text: &str| [secret, &base64].iter().any(|secret| text.contains(secret));
        assert!(!is_in(&run.stderr), "{line}: {}", run.stderr);
        if is_in(&printed) || is_in(&joined) {
            let flags = [
                "log --values",
                "recover -o yaml",
                "recover --out",
                "wal --style",
            ];
            let has = |words: &&str| {
                words
                    .split(' ')
                    .next()
                    .is_some_and(|verb| line.starts_with(&format!("{verb} ")))
                    && words
                        .split(' ')
                        .skip(1)
                        .all(|flag| line.split(' ').any(|word| word == flag))
            };
            let verb = line.split(' ').next().unwrap();
            let command = flags
                .iter()
                .find(|words| has(words))
                .map_or(verb, |words| words);
            printing.insert(command.to_owned());
        }
    }
    assert_eq!(printing, listed);
}
