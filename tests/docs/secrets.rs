//! The list of commands that print Secrets as they are stored is complete.

use std::collections::BTreeSet;

use super::Document;

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
fn the_page_on_trust_lists_every_command_that_prints_secrets_as_they_are_stored() {
    use crate::support::Scratch;
    use crate::support::synth::etcd::{Store, Version};
    use base64::Engine as _;
    let page = Document::read("docs/trust.md").text;
    let sentence = page.split("printed exactly as stored by").nth(1).unwrap();
    let sentence = sentence.split("\n\n").next().unwrap();
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
    let new = scratch.path().join("new.db");
    for line in &lines {
        let words = line.split(' ').map(|word| match word {
            "NEW" => new.to_str().unwrap().to_owned(),
            "DB" => db.clone(),
            "VALUE" => file.clone(),
            "LOG" => log.clone(),
            word => word.to_owned(),
        });
        let run = crate::support::etcdive(words);
        let mut printed = String::from_utf8_lossy(&run.stdout).into_owned();
        if line.starts_with("restore") {
            printed += &String::from_utf8_lossy(&std::fs::read(&new).unwrap());
            std::fs::remove_file(&new).unwrap();
            std::fs::remove_file(scratch.path().join("new.db.restore.json")).unwrap();
        } else if line.contains("--out") {
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
