//! `diff` of a Secret shows what changed and nothing of the values, whatever byte of it is damaged.

use std::collections::HashSet;
use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use etcdive::k8s::diff::{FieldChange, Scope};
use etcdive::k8s::object::tree_of;
use etcdive::k8s::redact::Masker;
use serde_json::{Value, json};

use crate::support::random::Random;
use crate::support::synth::etcd::{Store, Version, put};
use crate::support::synth::k8s::{Manager, Meta, secret};
use crate::support::{Scratch, etcdive, full_or, part};

const KEY: &str = "/registry/secrets/shop/db";
const RANCHER: &str = "objectset.rio.cattle.io/applied";

/// The values of one version. Their characters occur in no name and no message.
struct Values {
    password: &'static str,
    token: &'static str,
}

const OLD: Values = Values {
    password: "QX7-JKZQ-9QXZ",
    token: "ZZ9JQK/XJ0QKZ8JQX\nQZXJ9KQ",
};
const NEW: Values = Values {
    password: "KQ0-ZXJQ-3JKQ-Q4",
    token: "XQ8ZJK/QJ2ZKX7QJZ\nJXQZ5QK",
};

impl Values {
    fn json(&self) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"},
            "data": {"password": STANDARD.encode(self.password)},
            "stringData": {"token": self.token},
        })
    }

    /// The object as Rancher keeps it: gzip, then base64.
    fn packed(&self) -> String {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer
            .write_all(self.json().to_string().as_bytes())
            .unwrap();
        STANDARD.encode(packer.finish().unwrap())
    }

    fn meta(&self) -> Meta {
        let manifest = format!(
            "apiVersion: v1\nkind: Secret\nstringData:\n  password: {}\n  token: {:?}\n",
            self.password, self.token
        );
        Meta {
            name: "db".to_owned(),
            namespace: "shop".to_owned(),
            uid: "0a1b2c3d-0000-4000-8000-0123456789ab".to_owned(),
            created: 1_790_000_000,
            labels: vec![("app".to_owned(), "shop".to_owned())],
            annotations: [
                ("example.com/manifest", manifest),
                (
                    "kubectl.kubernetes.io/last-applied-configuration",
                    self.json().to_string(),
                ),
                (RANCHER, self.packed()),
            ]
            .map(|(key, value)| (key.to_owned(), value))
            .to_vec(),
            managed: vec![Manager {
                name: "kubectl-apply".to_owned(),
                operation: "Update".to_owned(),
                time: 1_790_000_000,
                fields: r#"{"f:data":{".":{},"f:password":{}},"f:type":{}}"#.to_owned(),
                ..Manager::default()
            }],
            ..Meta::default()
        }
    }

    fn protobuf(&self) -> Vec<u8> {
        let data = [("password", self.password), ("token", self.token)]
            .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()));
        secret(&self.meta(), &data)
    }

    /// The same object as an API server stores it that is set to JSON.
    fn stored_json(&self) -> Vec<u8> {
        tree_of(&self.protobuf())
            .unwrap()
            .0
            .to_string()
            .into_bytes()
    }
}

const WINDOW: usize = 8;

/// Every eight characters that only a leak can print.
struct Needles {
    windows: HashSet<[u8; WINDOW]>,
    /// Whether a window begins with these two bytes, which few of the others do.
    starts: Vec<bool>,
}

fn start_of(window: &[u8]) -> usize {
    usize::from(window[0]) << 8 | usize::from(window[1])
}

impl Needles {
    fn new() -> Self {
        let mut windows = HashSet::new();
        let mut add = |text: &[u8]| {
            windows.extend(
                text.windows(WINDOW)
                    .map(|w| <[u8; WINDOW]>::try_from(w).unwrap()),
            );
        };
        for values in [OLD, NEW] {
            let texts = [
                values.password.to_owned(),
                values.token.to_owned(),
                format!("{:?}", values.token),
                STANDARD.encode(values.password),
                STANDARD.encode(values.token),
                // Without gzip's header, which is that of any other.
                values.packed()[24..].to_owned(),
            ];
            for text in texts {
                add(text.as_bytes());
                for skipped in 0..3 {
                    // What is left of the text's base64 wherever it is in other bytes.
                    let whole = &text.as_bytes()[skipped..];
                    let whole = &whole[..whole.len() / 3 * 3];
                    add(STANDARD.encode(whole).as_bytes());
                }
            }
        }
        let mut starts = vec![false; 1 << 16];
        for window in &windows {
            starts[start_of(window)] = true;
        }
        Self { windows, starts }
    }

    fn first_in<'t>(&self, text: &'t [u8]) -> Option<&'t [u8]> {
        text.windows(WINDOW)
            .find(|window| self.starts[start_of(window)] && self.windows.contains(*window))
    }

    #[track_caller]
    fn assert_none(&self, text: &[u8], what: &str) {
        if let Some(leak) = self.first_in(text) {
            panic!(
                "{what} shows {}:\n{}",
                leak.escape_ascii(),
                String::from_utf8_lossy(text)
            );
        }
    }
}

/// A key and its value before and after.
struct Row {
    key: String,
    old: Vec<u8>,
    new: Vec<u8>,
}

fn row(key: impl Into<String>, old: &[u8], new: &[u8]) -> Row {
    Row {
        key: key.into(),
        old: old.to_vec(),
        new: new.to_vec(),
    }
}

/// Two databases with these values under their keys.
fn databases(scratch: &Scratch, rows: &[Row]) -> [String; 2] {
    let mut store = Store::new(Version::V3_6);
    let save = |store: &Store, name| {
        let path = scratch.file(name, &store.builder().build().bytes);
        path.to_str().unwrap().to_owned()
    };
    let puts = |of: fn(&Row) -> &Vec<u8>| {
        rows.iter()
            .map(|row| put(row.key.as_str(), of(row).clone()))
            .collect::<Vec<_>>()
    };
    store.txn(&puts(|row| &row.old));
    let old = save(&store, "old.db");
    store.txn(&puts(|row| &row.new));
    [old, save(&store, "new.db")]
}

const VIEWS: [&[&str]; 8] = [
    &["-o", "fields"],
    &["-o", "unified"],
    &["-o", "json"],
    &["-o", "jsonl"],
    &["--stat"],
    &["--name-only"],
    &["--show-managed-fields"],
    &["--exclude-status"],
];

#[test]
fn every_view_of_a_changed_secret_names_its_keys_and_shows_no_value() {
    let needles = Needles::new();
    for (old, new) in [
        (OLD.protobuf(), NEW.protobuf()),
        (OLD.stored_json(), NEW.stored_json()),
        (OLD.protobuf(), NEW.stored_json()),
    ] {
        let scratch = Scratch::new("secret-views");
        let [old, new] = databases(&scratch, &[row(KEY, &old, &new)]);
        for view in VIEWS {
            let run = etcdive([&["diff", &old, &new], view].concat());
            assert_eq!((run.code, run.stderr.as_str()), (1, ""), "{view:?}");
            needles.assert_none(&run.stdout, &format!("{view:?}"));
            let text = run.text();
            assert!(text.contains(KEY), "{text}");
            let keys = ["password", "token", RANCHER, "manifest", "last-applied"];
            if !view.contains(&"--stat") && !view.contains(&"--name-only") {
                assert!(keys.iter().all(|key| text.contains(key)), "{text}");
                assert!(text.contains("<masked #2, "), "{text}");
            }
        }
        let fields = etcdive(["diff", &old, &new]);
        let expected = "data.password: <masked #7, 13 bytes> -> <masked #8, 16 bytes>\n";
        assert!(fields.text().contains(expected), "{}", fields.text());
        let shown = etcdive(["diff", &old, &new, "--show-secrets"]);
        assert!(
            needles.first_in(&shown.stdout).is_some(),
            "{}",
            shown.text()
        );
    }
}

/// What the verb would print of the two values, and what it would say about them.
fn everything(old: &Value, stored: &[u8]) -> String {
    let mut masker = Masker::new(false);
    match masker.tree_of(stored, true) {
        Ok(new) => {
            let rows = masker.diff(old, &new, Scope::ALL, true);
            let rows: Vec<String> = rows.iter().map(FieldChange::to_json).collect();
            let notes = tree_of(stored).unwrap().1;
            let notes: Vec<String> = notes.iter().map(ToString::to_string).collect();
            let whole = masker.mask(&new, true);
            format!("{}\n{whole}\n{}", rows.join("\n"), notes.join("\n"))
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn no_flipped_byte_of_a_secret_makes_a_value_readable() {
    let needles = Needles::new();
    let masks: Vec<u8> = if std::env::var_os("ETCDIVE_ALL_FLIPS").is_some() {
        (1..=255).collect()
    } else {
        // Each bit; and those which make a value a key, an entry of `data` metadata, an annotation a label.
        vec![1, 2, 4, 8, 16, 32, 64, 128, 0xff, 0x12 ^ 0x0a, 0x62 ^ 0x5a]
    };
    let old = tree_of(&OLD.protobuf()).unwrap().0;
    let (mut decoded, mut refused) = (0, 0);
    // A text has less structure to be hit.
    for (stored, step) in [(NEW.protobuf(), 1), (NEW.stored_json(), 3)] {
        for at in part(0..stored.len(), 3) {
            for mask in masks.iter().step_by(step) {
                let mut flipped = stored.clone();
                flipped[at] ^= mask;
                let text = everything(&old, &flipped);
                *(if text.contains('\n') {
                    &mut decoded
                } else {
                    &mut refused
                }) += 1;
                let what = format!("byte {at} of {}, xor {mask:#04x}", stored.len());
                needles.assert_none(text.as_bytes(), &what);
            }
        }
    }
    let least = full_or(1, 3);
    assert!(
        decoded > 5000 / least && refused > 500 / least,
        "{decoded} {refused}"
    );
}

#[test]
fn the_program_says_nothing_of_the_values_of_damaged_secrets() {
    let needles = Needles::new();
    let mut random = Random::new(7);
    let rows: Vec<Row> = (0..60)
        .map(|nth| {
            let mut new = NEW.protobuf();
            // Most of the structure is in the first and the last bytes.
            let at = match nth % 3 {
                0 => nth,
                1 => new.len() - 1 - nth,
                _ => random.below(new.len()),
            };
            new[at] ^= [0x01, 0x80, 0xff, 0x20][nth % 4];
            row(format!("{KEY}{nth:02}"), &OLD.protobuf(), &new)
        })
        .collect();
    let scratch = Scratch::new("secret-flips");
    let [old, new] = databases(&scratch, &rows);
    let mut findings = 0;
    let mut run = |arguments: &[&str]| {
        let run = etcdive([&["diff", &old, &new], arguments].concat());
        assert!([1, 3].contains(&run.code), "{}", run.stderr);
        findings += usize::from(run.code == 3);
        needles.assert_none(&run.stdout, &format!("{arguments:?}"));
        needles.assert_none(run.stderr.as_bytes(), &format!("{arguments:?}, stderr"));
    };
    VIEWS.iter().for_each(|view| run(view));
    for (nth, row) in rows.iter().enumerate() {
        run(&[&[row.key.as_str()], VIEWS[nth % 4]].concat());
    }
    assert!(findings > 10, "{findings}");
}

#[test]
fn an_encrypted_secret_is_masked_once_with_the_size_of_its_bytes() {
    let sealed = [b"k8s:enc:aescbc:v1:key1:".to_vec(), vec![0xc3; 391 - 23]].concat();
    let scratch = Scratch::new("secret-encrypted");
    let [old, new] = databases(&scratch, &[row(KEY, &OLD.protobuf(), &sealed)]);
    let run = etcdive(["diff", &old, &new]);
    let text = run.text();
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.starts_with(&format!(
            "note: {KEY}: encrypted at rest by aescbc v1, key \"key1\""
        )),
        "{}",
        run.stderr
    );
    Needles::new().assert_none(run.stderr.as_bytes(), "the note on it");
    assert!(
        text.contains("  + value: <masked #6, 391 bytes>\n"),
        "{text}"
    );
    let reason = "  + undecodable: \"encrypted at rest by aescbc v1, key \\\"key1\\\", and no EncryptionConfiguration was given\"\n";
    assert!(text.contains(reason), "{text}");
    assert!(text.contains("password: <masked #4, 13 bytes>\n"), "{text}");
    Needles::new().assert_none(&run.stdout, "an encrypted Secret");
    // Both sides: only the bytes differ.
    let other = [&sealed[..], b"\xc4"].concat();
    let [old, new] = databases(&scratch, &[row(KEY, &sealed, &other)]);
    let fields = etcdive(["diff", &old, &new, "-o", "jsonl"]);
    let row: Value = serde_json::from_str(fields.text()).unwrap();
    assert_eq!(
        row["fields"],
        json!([{"path": "value", "op": "replace", "old": "<masked #1, 391 bytes>", "new": "<masked #2, 392 bytes>"}])
    );
}
