//! Rows 20 to 23: intact elements whose content is not etcd's, or not Kubernetes'.

use super::row::Row;
use super::whole::answer;
use crate::support::Run;
use crate::support::synth::Bucket;
use crate::support::synth::etcd::{Store, Version, revision_key};
use crate::support::synth::wire::Message;

const SOUND: usize = 20;

/// A store of twenty intact records, and pairs of bucket `key` beside them.
fn with_pairs(pairs: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut store = sound();
    // Revisions above them all, so that there is no gap.
    let key = pairs
        .iter()
        .fold(store.key_bucket(), |bucket, (key, value)| {
            bucket.put(key.clone(), value.clone())
        });
    store.set_bucket("key", key);
    store.builder().build().bytes
}

fn sound() -> Store {
    let mut store = Store::new(Version::V3_6);
    for n in 0..SOUND {
        store.put(format!("/registry/things/{n:02}"), "x");
    }
    store
}

fn iterate(row: &mut Row, bytes: &[u8]) -> Run {
    row.run(&["dump-db", "iterate-bucket", "DB", "key"], bytes)
        .run()
}

#[test]
fn row_20_a_key_that_is_no_revision_is_reported_and_its_bytes_are_shown() {
    let mut row = Row::new("20");
    let next = SOUND as i64 + 2;
    let good = revision_key(next, 0);
    let changed = |at: usize, byte: u8| {
        let mut key = good.clone();
        key[at] = byte;
        key
    };
    for (name, key) in [
        ("16 bytes", good[..16].to_vec()),
        ("19 bytes", [&good[..], b"tt"].concat()),
        ("x for t", [&good[..], b"x"].concat()),
        ("another separator", changed(8, b'-')),
        ("a negative main", changed(0, 0x80)),
        ("a negative sub", changed(9, 0x80)),
        ("one byte", b"k".to_vec()),
    ] {
        let bytes = with_pairs(&[(key.clone(), b"the value of it".to_vec())]);
        let path = row.write(&bytes);
        let answer = answer(&path);
        row.expect(answer.records.len() == SOUND, || {
            format!("{name}: {}", answer.records.len())
        });
        row.expect(answer.codes.contains(&"revision-key"), || {
            format!("{name}: {:?}", answer.codes)
        });
        let run = iterate(&mut row, &bytes);
        let shown =
            run.text().lines().count() == SOUND + 1 && run.text().contains("the value of it");
        row.expect(shown && run.code == 3, || {
            format!("{name}: exit {}: {}", run.code, run.stderr)
        });
    }
    row.conclude(7);
}

#[test]
fn row_21_a_value_that_is_no_record_is_reported_and_its_neighbours_delivered() {
    let mut row = Row::new("21");
    let main = SOUND as i64 + 2;
    let record = |create: i64, modified: i64, version: i64, key: &str| {
        Message::new()
            .put(1, key)
            .put_int(2, create)
            .put_int(3, modified)
            .put_int(4, version)
            .put(5, "value")
            .finish()
    };
    let key = "/registry/things/odd";
    let good = record(main, main, 1, key);
    let with = |tail: &[u8]| [&good[..], tail].concat();
    // What is no message is no record; what contradicts itself is delivered with the contradiction.
    for (name, value, code, delivered) in [
        (
            "a truncated varint",
            with(&[0x30, 0x80]),
            "record-parse",
            false,
        ),
        (
            "a length beyond the end",
            with(&[0x2a, 0x7f]),
            "record-parse",
            false,
        ),
        (
            "a length of 2^63",
            with(&[0x2a, 255, 255, 255, 255, 255, 255, 255, 255, 127]),
            "record-parse",
            false,
        ),
        (
            "a wrong wire type",
            with(&[0x2d, 1, 2, 3, 4]),
            "record-parse",
            false,
        ),
        ("a group", with(&[0x3b, 0x3c]), "record-parse", false),
        (
            "an eleven-byte varint",
            with(&[0x30, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
            "record-parse",
            false,
        ),
        (
            "another mod_revision",
            record(main, main - 1, 1, key),
            "record-mismatch",
            true,
        ),
        (
            "version 0",
            record(main, main, 0, key),
            "record-mismatch",
            true,
        ),
        (
            "created after it was changed",
            record(main + 1, main, 2, key),
            "record-mismatch",
            true,
        ),
        (
            "a negative version",
            record(2, main, -1, key),
            "record-mismatch",
            true,
        ),
        ("no key", record(main, main, 1, ""), "record-mismatch", true),
    ] {
        let bytes = with_pairs(&[(revision_key(main, 0), value)]);
        let path = row.write(&bytes);
        let answer = answer(&path);
        let expected = SOUND + usize::from(delivered);
        row.expect(answer.records.len() == expected, || {
            format!("{name}: {} of {expected} records", answer.records.len())
        });
        row.expect(answer.codes.contains(&code) && answer.told, || {
            format!("{name}: {:?}", answer.codes)
        });
        // Its bytes are shown, decoded or not. A record that only contradicts itself is reported by a comparison.
        let decode: &[&str] = &["dump-db", "iterate-bucket", "DB", "key", "--decode"];
        let log: &[&str] = &["log", "-o", "jsonl", "DB"];
        let told: &[&str] = if delivered { log } else { decode };
        for (words, code) in [(&decode[..4], 0), (told, 3)] {
            let run = row.run(words, &bytes).run();
            row.expect(
                run.text().lines().count() == SOUND + 1 && run.code == code,
                || format!("{name}: {words:?}: exit {}: {}", run.code, run.stderr),
            );
        }
    }
    // A newer etcd may write more: that is no damage, and nothing is lost.
    for (name, tail) in [
        ("a field twice", &[0x30, 7, 0x30, 8][..]),
        ("an unknown field", &[0x9a, 0x06, 1, b'x']),
    ] {
        let bytes = with_pairs(&[(revision_key(main, 0), with(tail))]);
        let path = row.write(&bytes);
        let answer = answer(&path);
        row.expect(answer.records.len() == SOUND + 1, || {
            format!("{name}: lost")
        });
        iterate(&mut row, &bytes);
    }
    row.conclude(13);
}

/// Protobuf messages in messages.
fn nested(depth: usize) -> Vec<u8> {
    let mut body: Vec<u8> = Vec::new();
    for _ in 0..depth {
        let mut len = body.len();
        let mut outer = vec![0x0a];
        while len >= 0x80 {
            outer.push(len as u8 | 0x80);
            len >>= 7;
        }
        outer.push(len as u8);
        outer.extend_from_slice(&body);
        body = outer;
    }
    body
}

/// `k8s\0` and an envelope.
fn envelope(version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = Message::new().put(1, version).put(2, kind);
    let unknown = Message::new().nest(1, meta).put(2, raw).finish();
    [b"k8s\0", &unknown[..]].concat()
}

#[test]
fn row_22_a_value_that_is_no_object_is_shown_raw_and_ends_no_run() {
    let mut row = Row::new("22");
    let whole = envelope("v1", "Pod", &nested(3));
    let json = |open: &str, close: &str| (open.repeat(10_000) + &close.repeat(10_000)).into_bytes();
    let values: Vec<(&str, Vec<u8>)> = vec![
        ("cut", whole[..whole.len() - 1].to_vec()),
        ("an empty envelope", b"k8s\0".to_vec()),
        ("an envelope of nothing", b"k8s\0\x12\0".to_vec()),
        (
            "messages 10,000 deep",
            envelope("v1", "Pod", &nested(10_000)),
        ),
        (
            "schemas 10,000 deep",
            envelope(
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                &nested(10_000),
            ),
        ),
        (
            "a length of 1 GB",
            b"k8s\0\x12\x80\x80\x80\x80\x04".to_vec(),
        ),
        ("an unknown kind", envelope("zoo/v1", "Lion", &nested(5))),
        ("JSON 10,000 deep", json("[", "]")),
        ("JSON objects 10,000 deep", json("{\"a\":", "}")),
        (
            "CBOR 10,000 deep",
            [b"\xd9\xd9\xf7".to_vec(), vec![0x81; 10_000], vec![0]].concat(),
        ),
        ("JSON cut", b"{\"kind\":\"Pod\",\"meta".to_vec()),
        (
            "encrypted",
            b"k8s:enc:aescbc:v1:key1:0123456789abcdef".to_vec(),
        ),
        ("encrypted, cut", b"k8s:enc:".to_vec()),
    ];
    let mut store = Store::new(Version::V3_6);
    for (n, (_, value)) in values.iter().enumerate() {
        store.put(format!("/registry/pods/shop/{n:02}"), value.clone());
    }
    let bytes = store.builder().build().bytes;
    let verbs: [&[&str]; 9] = [
        &["get", "DB", "KEY", "-o", "yaml"],
        &["get", "DB", "KEY", "-o", "json"],
        &["get", "DB", "KEY"],
        &["log", "DB", "KEY", "-p"],
        &["show", "DB", "KEY"],
        &["blame", "DB", "KEY"],
        &["extract", "-f", "DB", "-k", "KEY"],
        &["log", "-o", "jsonl", "--values", "DB", "KEY"],
        &["grep", "zoo", "DB", "KEY"],
    ];
    for (n, (name, _)) in values.iter().enumerate() {
        let key = format!("/registry/pods/shop/{n:02}");
        for verb in verbs {
            let words: Vec<&str> = verb
                .iter()
                .map(|word| if *word == "KEY" { key.as_str() } else { word })
                .collect();
            let run = row.run(&words, &bytes);
            // blame, extract and show of what is no object may say that there is none.
            let answers = ["get", "log"].contains(&verb[0]) && verb.get(1) != Some(&"-p");
            let said = !run.stdout.is_empty() || !run.stderr.is_empty() || verb[0] == "grep";
            row.expect(said && (!answers || run.code != Some(2)), || {
                format!("{name}: {verb:?}: exit {:?}: {}", run.code, run.stderr)
            });
        }
    }
    let verbs: [&[&str]; 4] = [
        &["get", "DB", "pods", "-A"],
        &["ls", "DB"],
        &["status", "DB"],
        &["analyze", "-f", "DB"],
    ];
    for verb in verbs {
        let run = row.run(verb, &bytes);
        let names = run
            .stdout
            .windows(3)
            .filter(|name| name == b"/12" || name == b"12 ")
            .count();
        row.expect(verb[0] != "ls" || names > 0, || {
            format!("{verb:?}: {}", run.stderr)
        });
    }
    row.conclude(100);
}

/// A store whose bucket `meta` has these pairs too.
fn with_meta(pairs: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut store = sound();
    let replaced = |name: &[u8]| pairs.iter().any(|(other, _)| other.as_bytes() == name);
    let kept: Vec<(Vec<u8>, Vec<u8>)> = store
        .meta_bucket()
        .entries()
        .into_iter()
        .filter_map(|(name, value)| match value {
            crate::support::synth::Value::Plain(bytes) if !replaced(name) => {
                Some((name.clone(), bytes.clone()))
            }
            _ => None,
        })
        .collect();
    let bucket = pairs
        .iter()
        .fold(Bucket::of(kept), |bucket, (name, value)| {
            bucket.put(*name, value.clone())
        });
    store.set_bucket("meta", bucket);
    store.builder().build().bytes
}

#[test]
fn row_23_what_cannot_be_in_the_meta_bucket_is_stated() {
    let mut row = Row::new("23");
    let revision = |main: i64| revision_key(main, 0);
    let current = SOUND as i64 + 1;
    for (name, pairs, says) in [
        (
            "an index of 0 bytes",
            vec![("consistent_index", vec![])],
            "bucket-value",
        ),
        (
            "an index of 7 bytes",
            vec![("consistent_index", vec![0; 7])],
            "bucket-value",
        ),
        (
            "an index of 9 bytes",
            vec![("consistent_index", vec![0; 9])],
            "bucket-value",
        ),
        (
            "a term of 3 bytes",
            vec![("term", vec![0; 3])],
            "bucket-value",
        ),
        (
            "a compaction that is no revision",
            vec![("finishedCompactRev", vec![7; 17])],
            "bucket-value",
        ),
        (
            "a compaction to come",
            vec![
                ("finishedCompactRev", revision(current + 50)),
                ("scheduledCompactRev", revision(current + 50)),
            ],
            "compacted revision",
        ),
        (
            "a compaction begun",
            vec![("scheduledCompactRev", revision(5))],
            "compaction-interrupted",
        ),
        (
            "a compaction begun after another",
            vec![
                ("finishedCompactRev", revision(3)),
                ("scheduledCompactRev", revision(5)),
            ],
            "compaction-interrupted",
        ),
    ] {
        let bytes = with_meta(&pairs);
        let path = row.write(&bytes);
        let answer = answer(&path);
        row.expect(answer.records.len() == SOUND, || {
            format!("{name}: {}", answer.records.len())
        });
        let run = row.run(&["status", "-o", "json", "DB"], &bytes).run();
        row.expect(
            run.text().contains(says) || run.stderr.contains(says),
            || format!("{name}: {}{}", run.text(), run.stderr),
        );
    }
    row.conclude(8);
}
