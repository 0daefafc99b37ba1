//! Damage moves bytes of a Secret into any field of it. Nothing that is masked, no name and no line on standard error
//! shows them: every byte of the Secrets of real stores is changed, and pairs of bytes.
//!
//! By default 150 bytes of each Secret are changed, each in one way that a seed chooses; in a full run all bytes, in all
//! of [`WAYS`].

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd::Store;
use etcdive::k8s::analysis::kind_under;
use etcdive::k8s::catalog::Survey;
use etcdive::k8s::check::Checker;
use etcdive::k8s::diff::{FieldChange, Scope};
use etcdive::k8s::meta::Meta;
use etcdive::k8s::object::tree_of;
use etcdive::k8s::redact::Masker;
use etcdive::query::manager_text::manager_text;
use etcdive::source::Source;
use serde_json::Value;

use crate::support::random::Random;
use crate::support::synth::Bucket;
use crate::support::synth::etcd::{Record, Store as Writer, Version};
use crate::support::{
    Scratch, case_roots, etcdive, files_below, full_or, is_full, read_unpacked, testdata,
};

/// How many bytes in a row only a leak can print.
const WINDOW: usize = 8;

/// How a byte is changed: each bit is flipped, and some bytes replace it.
const WAYS: [fn(u8) -> u8; 14] = [
    |byte| byte ^ 1,
    |byte| byte ^ 2,
    |byte| byte ^ 4,
    |byte| byte ^ 8,
    |byte| byte ^ 16,
    |byte| byte ^ 32,
    |byte| byte ^ 64,
    |byte| byte ^ 128,
    |_| 0,
    |_| 0xff,
    // Of a length: one less, one more, and one that goes on. Of a tag: another field of text.
    |byte| byte.wrapping_sub(1),
    |byte| byte.wrapping_add(1),
    |byte| byte | 0x80,
    |_| 0x0a,
];

/// A Secret as it is stored, and what nobody may see of it.
struct Stored {
    key: String,
    value: Vec<u8>,
    needles: HashSet<[u8; WINDOW]>,
}

fn windows(text: &[u8]) -> impl Iterator<Item = [u8; WINDOW]> + '_ {
    text.windows(WINDOW)
        .map(|window| <[u8; WINDOW]>::try_from(window).unwrap())
}

impl Stored {
    fn new(key: &str, value: &[u8]) -> Option<Self> {
        let (mut tree, _) = tree_of(value).ok()?;
        let object = tree.as_object_mut()?;
        let mut needles = HashSet::new();
        for (_, value) in object.remove("data")?.as_object()? {
            let base64 = value.as_str()?;
            needles.extend(windows(base64.trim_end_matches('=').as_bytes()));
            needles.extend(windows(&STANDARD.decode(base64).ok()?));
        }
        // The name of a service account is in its token too, and no secret.
        let file_name = key
            .replace("/registry/secrets/", "-secret-")
            .replace('/', "-");
        let plain = format!("{key} {tree} {file_name}-");
        for window in windows(plain.as_bytes()) {
            needles.remove(&window);
        }
        Some(Self {
            key: key.to_owned(),
            value: value.to_vec(),
            needles,
        })
    }

    #[track_caller]
    fn assert_hidden(&self, printed: &[u8], what: &str) {
        if let Some(leak) = windows(printed).find(|window| self.needles.contains(window)) {
            panic!(
                "{what} of {} shows {}:\n{}",
                self.key,
                leak.escape_ascii(),
                String::from_utf8_lossy(printed)
            );
        }
    }
}

/// Every Secret of the cases that is not encrypted, each version of it once.
fn secrets() -> Vec<Stored> {
    let mut databases: Vec<PathBuf> = Vec::new();
    for root in case_roots() {
        for folder in ["healthy/k8s", "corpus/k8s"] {
            let folder = root.join(folder);
            if folder.is_dir() {
                databases.extend(files_below(&folder));
            }
        }
    }
    databases.retain(|path| path.extension().is_some_and(|extension| extension == "db"));
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    for path in databases {
        let (source, diagnostics) = (Source::open(&path).unwrap(), Diagnostics::new());
        let store = Store::open(&source, &diagnostics).unwrap();
        for record in store.records(Direction::Forward) {
            let is_secret = record.key.starts_with(b"/registry/secrets/") && !record.tombstone;
            if is_secret && seen.insert(record.value.to_vec()) {
                let key = std::str::from_utf8(record.key).unwrap();
                found.extend(Stored::new(key, record.value));
            }
        }
    }
    assert!(found.len() > 5, "{} Secrets", found.len());
    found
}

/// What all that may be printed of a Secret says of these bytes under its key.
fn printed(key: &str, old: &Value, stored: &[u8]) -> String {
    let key = key.as_bytes();
    let mut text = String::new();
    let mut masker = Masker::new(false);
    match masker.tree_of(stored, true) {
        Ok(new) => {
            let rows = masker.diff(old, &new, Scope::ALL, true);
            let rows: Vec<String> = rows.iter().map(FieldChange::to_json).collect();
            let _ = writeln!(text, "{}\n{}", rows.join("\n"), masker.mask(&new, true));
            for note in tree_of(stored).unwrap().1 {
                let _ = writeln!(text, "{}", note.text_of(key));
            }
        }
        Err(error) => {
            let _ = writeln!(text, "{}", error.text_of(key));
        }
    }
    if let Some(meta) = Meta::read(stored) {
        for entry in &meta.managed_fields {
            let name = manager_text(key, &entry.manager, &entry.subresource);
            let _ = writeln!(text, "{name}");
        }
    }
    let mut survey = Survey::default();
    survey.look(b"/registry/namespaces/shop", b"k8s\0");
    let mut catalog = survey.into_catalog();
    catalog.learn(key, stored);
    for resource in catalog.resources() {
        if !resource.versions.is_empty() {
            let _ = writeln!(text, "{} {}", resource.kind, resource.group());
        }
    }
    if let Some(seen) = Checker::default().check(&catalog, key, stored) {
        let _ = writeln!(text, "{seen:?}");
    }
    let _ = writeln!(text, "{:?}", kind_under(key, stored));
    text
}

#[test]
fn no_changed_byte_of_a_secret_makes_a_part_of_it_readable() {
    let mut random = Random::new(41);
    let mut tried = 0;
    for secret in secrets() {
        let old = tree_of(&secret.value).unwrap().0;
        secret.assert_hidden(
            printed(&secret.key, &old, &secret.value).as_bytes(),
            "nothing",
        );
        // A long token is the same everywhere: its structure is at its beginning and at its end.
        let length = secret.value.len();
        let step = if is_full() { 1 } else { length.div_ceil(150) };
        for at in (0..length).step_by(step) {
            let chosen = random.below(WAYS.len());
            for (number, way) in WAYS.iter().enumerate() {
                if !is_full() && number != chosen {
                    continue;
                }
                let mut damaged = secret.value.clone();
                damaged[at] = way(damaged[at]);
                let text = printed(&secret.key, &old, &damaged);
                secret.assert_hidden(text.as_bytes(), &format!("byte {at}, way {number}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 1000, "{tried}");
}

#[test]
fn no_two_changed_bytes_of_a_secret_make_a_part_of_it_readable() {
    let secrets = secrets();
    let mut random = Random::new(42);
    let tries = full_or(200_000, 3000);
    for turn in 0..tries {
        let secret = &secrets[random.below(secrets.len())];
        let old = tree_of(&secret.value).unwrap().0;
        let mut damaged = secret.value.clone();
        let first = random.below(damaged.len());
        // Often near each other: the tags and lengths of one entry.
        let second = if random.one_in(2) {
            (first + 1 + random.below(12)) % damaged.len()
        } else {
            random.below(damaged.len())
        };
        for at in [first, second] {
            damaged[at] = if random.one_in(3) {
                // A tag of some field of text.
                [0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x5a, 0x62, 0x72, 0x8a][random.below(9)]
            } else {
                WAYS[random.below(WAYS.len())](damaged[at])
            };
        }
        let text = printed(&secret.key, &old, &damaged);
        let what = format!("turn {turn}, bytes {first} and {second}");
        secret.assert_hidden(text.as_bytes(), &what);
    }
}

/// The tag of a field, by which an entry of `data` becomes metadata with its value as this field.
#[test]
fn an_entry_of_data_that_became_metadata_is_hidden_whatever_field_its_value_is() {
    let value = b"hunter2-hunter2";
    let entry = [b"\x0a\x08password\x12\x0f", &value[..]].concat();
    let mut shown = 0;
    for tag in (0x0a_u8..=0x7a).step_by(8) {
        let mut entry = entry.clone();
        entry[10] = tag;
        let metadata = b"\x0a\x04\x0a\x02db";
        let mut raw = metadata.to_vec();
        raw.extend([&[0x0a, entry.len() as u8][..], &entry].concat());
        let mut stored = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12".to_vec();
        stored.push(raw.len() as u8);
        stored.extend(raw);
        let text = printed("/registry/secrets/shop/db", &Value::Null, &stored);
        assert!(!text.contains("hunter2"), "tag {tag:#x}: {text}");
        shown += usize::from(text.contains("<masked #"));
    }
    assert!(shown > 10, "{shown}");
}

#[test]
fn a_key_of_a_secret_in_cbor_may_have_swallowed_its_value() {
    let text = |text: &str| [&[0x40 + text.len() as u8], text.as_bytes()].concat();
    let stored = |length: u8| {
        let mut password = text("password");
        password[0] = 0x40 + length;
        let data = [&[0xa1][..], &password, &text("hunter2"), &text("x")].concat();
        let mut map = vec![0xd9, 0xd9, 0xf7, 0xa3];
        map.extend([text("kind"), text("Secret"), text("apiVersion"), text("v1")].concat());
        map.extend([text("data"), data].concat());
        map
    };
    // A key of eight bytes, and the same that goes on to the end of the value after it.
    let swallowed = stored(16);
    let tree = tree_of(&swallowed).unwrap().0;
    assert_eq!(tree["data"]["passwordGhunter2"], "x");
    let text = printed("/registry/secrets/shop/db", &Value::Null, &swallowed);
    assert!(
        !text.contains("hunter2") && text.contains("Secret"),
        "{text}"
    );
}

/// A database with these records, whatever they hold.
fn database(scratch: &Scratch, name: &str, records: &[(Record, Vec<u8>)]) -> String {
    let mut store = Writer::new(Version::V3_6);
    let namespace = r#"{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"shop"}}"#;
    store.put("/registry/namespaces/shop", namespace);
    for (record, _) in records {
        store.put(record.key.clone(), record.value.clone());
    }
    let mut pairs: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    for record in store.records() {
        let stored = records.iter().find(|(own, _)| own.main == record.main);
        let stored = stored.map_or_else(|| record.bucket_value(), |(_, stored)| stored.clone());
        pairs.push((record.bucket_key(), stored));
    }
    let mut buckets = store.buckets();
    buckets.insert(b"key".to_vec(), Bucket::of(pairs));
    let nest = |root: Bucket, (name, bucket)| root.nest(name, bucket);
    let root = buckets.into_iter().fold(Bucket::new(), nest);
    let image = store.builder().root(root).build();
    let path = scratch.file(name, &image.bytes);
    path.to_str().unwrap().to_owned()
}

/// The first put of a key at a revision.
fn record(key: &str, main: i64, value: &[u8]) -> Record {
    Record {
        main,
        key: key.as_bytes().to_vec(),
        create_revision: main,
        mod_revision: main,
        version: 1,
        value: value.to_vec(),
        ..Record::default()
    }
}

/// Lines that show no value of a Secret: what they print, and what they say on standard error.
const MASKED: &[&str] = &[
    "ls DB",
    "ls DB -o jsonl",
    "ls DB --kinds -o jsonl",
    "ls DB --namespaces",
    "log DB",
    "log DB -p",
    "log DB --why-time",
    "log DB --oneline",
    "log DB --timeline -o jsonl",
    "log DB -o jsonl",
    "show DB @",
    "show DB 3 -o jsonl",
    "diff DB 2..@",
    "diff DB 2..@ -o unified",
    "diff DB 2..@ -o jsonl",
    "grep DB . -k",
    "grep DB . --history -o jsonl",
    "get DB secrets -A -o wide --show-labels",
    "get DB secrets -A -o name",
    "recover DB --at @",
    "recover DB --at @ -o jsonl",
    "recover DB --at @ -o name",
    "fsck DB",
    "fsck DB -o json",
    "fsck DB -o jsonl",
    "status DB",
    "status DB -o json",
    "analyze DB",
    "buckets DB -o json",
    "pages DB -o json",
];

/// Lines that print values as they are stored: only what they say counts.
const EXACT: &[&str] = &[
    "get DB secrets -A -o yaml",
    "get DB secrets -A -o jsonpath={.items[*].nothing}",
    "extract DB",
    "extract DB --fields key,value",
    "recover DB --at @ -o yaml",
    "dump-db iterate-bucket DB key --decode",
    "watch DB /registry/ --rev 2 -o jsonl",
    "log DB -o jsonl --values",
];

/// Runs all lines on a database; fails where one shows a part of a Secret.
fn assert_all_hidden(db: &str, secret: &Stored) -> usize {
    let mut damaged = 0;
    for (lines, is_masked) in [(MASKED, true), (EXACT, false)] {
        for line in lines {
            let words = line
                .split(' ')
                .map(|word| if word == "DB" { db } else { word });
            let run = etcdive(words);
            assert!(run.code != 2, "{line}: {}", run.stderr);
            secret.assert_hidden(run.stderr.as_bytes(), &format!("{line}: standard error"));
            if is_masked {
                secret.assert_hidden(&run.stdout, line);
            }
            damaged += usize::from(run.code == 3);
        }
    }
    damaged
}

#[test]
fn no_line_of_the_program_shows_a_part_of_a_damaged_secret() {
    let scratch = Scratch::new("secrets-damaged");
    let mut random = Random::new(43);
    for (number, secret) in secrets().iter().take(full_or(4, 2)).enumerate() {
        let mut records = Vec::new();
        for nth in 0..250 {
            let mut value = secret.value.clone();
            // Most of the structure is in the first and the last bytes.
            let at = match nth % 3 {
                0 => nth / 3,
                1 => value.len() - 1 - nth / 3,
                _ => random.below(value.len()),
            };
            let at = at.min(value.len() - 1);
            value[at] = WAYS[random.below(WAYS.len())](value[at]);
            let key = format!("{}-{nth}", secret.key);
            let record = record(&key, 3 + nth as i64, &value);
            let stored = record.bucket_value();
            records.push((record, stored));
        }
        let db = database(&scratch, &format!("values-{number}"), &records);
        assert_all_hidden(&db, secret);
        let out = scratch.path().join(format!("out-{number}"));
        let run = etcdive(["recover", &db, "--at", "@", "--out", out.to_str().unwrap()]);
        secret.assert_hidden(&run.stdout, "the names of files");
        assert!(run.text().lines().count() > 50, "{}", run.stderr);
    }
}

#[test]
fn no_damaged_record_makes_its_value_a_key() {
    let scratch = Scratch::new("secrets-records");
    let secrets = secrets();
    let secret = &secrets[0];
    let mut records = Vec::new();
    let whole = record(&secret.key, 3, &secret.value).bucket_value();
    // The record's own fields are before the value, and its first bytes.
    let head = whole.len() - secret.value.len() + 4;
    for at in 0..head {
        for way in [0, 1, 2, 3, 4, 5, 6, 7, 11, 13] {
            let main = 3 + records.len() as i64;
            let record = record(&secret.key, main, &secret.value);
            let mut stored = record.bucket_value();
            stored[at] = WAYS[way](stored[at]);
            records.push((record, stored));
        }
    }
    assert!(records.len() > 300);
    let db = database(&scratch, "db", &records);
    let damaged = assert_all_hidden(&db, secret);
    assert!(damaged > 20, "{damaged}");
}

#[test]
fn a_secret_whose_data_is_read_as_its_kind_is_shown_nowhere() {
    let scratch = Scratch::new("secret-in-kind");
    let bytes = read_unpacked(&testdata("hostile/secret-in-kind.db.gz"));
    let db = scratch.file("db", &bytes);
    let secret = "s3cr3tm4rk3rxyz9";
    assert!(
        bytes
            .windows(secret.len())
            .any(|part| part == secret.as_bytes())
    );
    for line in [
        "recover DB --at @",
        "recover DB --at @ -o jsonl",
        "recover DB --at @ -o yaml",
        "fsck DB -o json",
        "log DB -p",
        "show DB @~2",
        "ls DB --kinds",
        "grep DB s3cr3t",
        "analyze DB",
    ] {
        let words = line.split(' ').map(|word| match word {
            "DB" => db.to_str().unwrap(),
            word => word,
        });
        let run = etcdive(words);
        assert!(run.code != 2, "{line}: {}", run.stderr);
        assert!(!run.stderr.contains("s3cr3t"), "{line}: {}", run.stderr);
        // The manifest is the Secret itself.
        if !line.ends_with("yaml") {
            assert!(!run.text().contains("s3cr3t"), "{line}: {}", run.text());
        }
    }
}
