//! auger's verbs: its recorded answers, what we answer otherwise and why, and its flags.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use etcdive::bbolt::Direction;
use etcdive::diag::Diagnostics;
use etcdive::etcd::{Keyspace, Store};
use etcdive::k8s::analysis::kind_of;
use etcdive::source::Source;

use crate::reference::{database_of, folders};
use crate::support::{Run, Scratch, case_roots, etcdive, etcdive_line, fed, program};

const AFTER: &str = "testdata/healthy/k8s/after.db";
const TALK: &str = "testdata/healthy/talk/3.6/01-talk.live.db";
const COMPACTED: &str = "testdata/healthy/talk/3.6/06-after.snapshot.db";
/// A key with two versions, stored as protobuf.
const ROLE: &str = "/registry/clusterroles/admin";

#[track_caller]
fn ok(line: &str) -> Run {
    let run = etcdive_line(line);
    assert_eq!(run.code, 0, "{line}: {}", run.stderr);
    run
}

#[track_caller]
fn refused(arguments: &[&str], code: i32, sentence: &str) {
    let run = etcdive(arguments);
    assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
    assert!(
        run.stderr.contains(sentence),
        "{arguments:?}: {}",
        run.stderr
    );
    assert!(run.stdout.is_empty(), "{arguments:?}");
}

/// Each database of which auger printed a file of this name, with that file's text.
fn recorded(file: &str) -> Vec<(String, PathBuf, String)> {
    let mut found = Vec::new();
    for root in case_roots() {
        for cluster in folders(&root.join("reference")) {
            for db in folders(&root.join("reference").join(&cluster)) {
                let path = root.join("reference").join(&cluster).join(&db).join(file);
                if let Ok(text) = std::fs::read_to_string(path) {
                    found.push((
                        format!("{cluster}/{db}"),
                        database_of(&root, &cluster, &db),
                        text,
                    ));
                }
            }
        }
    }
    assert!(found.len() > 4, "{file}");
    found
}

fn with_store<T>(path: &Path, ask: impl FnOnce(&Store<'_>) -> T) -> T {
    let (source, diagnostics) = (Source::open(path).unwrap(), Diagnostics::new());
    ask(&Store::open(&source, &diagnostics).unwrap())
}

#[test]
fn the_checksum_is_augers_and_the_revision_is_the_stores() {
    let mut as_auger = 0;
    for (name, path, expected) in recorded("auger.checksum.txt") {
        let expected: Vec<&str> = expected.lines().collect();
        let run = ok(&format!("checksum -f {}", path.display()));
        let got: Vec<&str> = run.text().lines().collect();
        assert_eq!(got[..2], expected[..2], "{name}");
        let (of_store, of_live_keys) = with_store(&path, |store| {
            let live = Keyspace::at(store, store.at(None).unwrap(), |_| true).live;
            let newest = live.iter().map(|entry| entry.record.mod_revision).max();
            (
                store.current_revision(),
                newest.unwrap().max(store.compact_revision()),
            )
        });
        assert_eq!(got[2..], [format!("revision: {of_store}")], "{name}");
        assert_eq!(
            expected[2..],
            [format!("revision: {of_live_keys}")],
            "{name}"
        );
        as_auger += usize::from(of_store == of_live_keys);
    }
    assert!(as_auger > 0);
}

#[test]
fn a_checksum_is_of_the_live_keys_at_a_revision() {
    // The values are auger's algorithm run by Go on this file.
    let at = |revision: &str| ok(&format!("checksum {TALK} -r {revision}")).stdout;
    assert_eq!(
        at("5"),
        b"checksum: 2408129135\ncompact-revision: 0\nrevision: 5\n"
    );
    assert_eq!(
        at("6"),
        b"checksum: 952917598\ncompact-revision: 0\nrevision: 6\n"
    );
    assert_eq!(at("0"), at("6"));
    assert_eq!(
        ok(&format!("checksum --file {TALK} --revision 5")).stdout,
        at("5")
    );
    let older = "required revision has been compacted";
    refused(&["checksum", COMPACTED, "-r", "23"], 2, older);
    refused(
        &["checksum", COMPACTED, "-r", "32"],
        2,
        "required revision is a future revision",
    );
    ok(&format!("checksum {COMPACTED} -r 24"));
    refused(&["checksum", "-f", TALK, TALK], 2, "cannot be used with");
    refused(&["checksum"], 2, "required");
}

/// What a report says: the three totals, the rows of kinds, the rows of objects; a panic ends auger's.
struct Report {
    totals: Vec<u64>,
    kinds: Vec<(u64, String)>,
    largest: Vec<(u64, String)>,
}

fn report(text: &str) -> Report {
    let rows = |heading: &str| -> Vec<(u64, String)> {
        let part = text.split(heading).nth(1).unwrap();
        let lines = part
            .lines()
            .skip(1)
            .map_while(|line| line.strip_prefix('\t'));
        lines
            .map(|line| line.split_once('\t').unwrap())
            .map(|(number, what)| (number.parse().unwrap(), what.to_owned()))
            .collect()
    };
    let total = |line: &str| line.rsplit(' ').next().unwrap().parse().unwrap();
    Report {
        totals: text.lines().take(3).map(total).collect(),
        kinds: rows("Most common kubernetes types:"),
        largest: rows("Largest objects (byte size sum of all revisions):"),
    }
}

/// The records of one key, as (tombstone, length of key and value, length of value, value).
type Records = BTreeMap<Vec<u8>, Vec<(bool, u64, Vec<u8>)>>;

fn records_of(path: &Path) -> Records {
    with_store(path, |store| {
        let mut records = Records::new();
        for record in store.records(Direction::Forward) {
            let bytes = (record.key.len() + record.value.len()) as u64;
            records.entry(record.key.to_vec()).or_default().push((
                record.tombstone,
                bytes,
                record.value.to_vec(),
            ));
        }
        records
    })
}

/// auger's three totals by the rules of its source, which its recorded numbers confirm: keys that were deleted and
/// keys of no object count, and what was written before a deletion does not.
fn totals_of_auger(records: &Records) -> Vec<u64> {
    let since_deletion = |list: &[(bool, u64, Vec<u8>)]| {
        let last = list
            .iter()
            .rposition(|(tombstone, ..)| *tombstone)
            .unwrap_or(0);
        list[last..].iter().map(|(_, bytes, _)| *bytes).sum::<u64>()
    };
    vec![
        records.len() as u64,
        records.values().map(|list| since_deletion(list)).sum(),
        records.values().map(|list| list.last().unwrap().1).sum(),
    ]
}

/// Ours, computed another way: from the last put of each key.
fn totals_of_ours(records: &Records) -> Vec<u64> {
    let last_put = |list: &[(bool, u64, Vec<u8>)]| {
        list.iter()
            .rev()
            .find(|(tombstone, ..)| !tombstone)
            .map(|(.., value)| value.clone())
    };
    let objects: Vec<_> = records
        .values()
        .filter(|list| last_put(list).and_then(|value| kind_of(&value)).is_some())
        .collect();
    let live = || {
        objects
            .iter()
            .map(|list| list.last().unwrap())
            .filter(|last| !last.0)
    };
    vec![
        live().count() as u64,
        objects
            .iter()
            .flat_map(|list| list.iter())
            .map(|(_, bytes, _)| *bytes)
            .sum(),
        live().map(|(_, bytes, _)| *bytes).sum(),
    ]
}

#[test]
fn the_totals_are_of_live_objects_and_of_every_record() {
    let mut differ = 0;
    for (name, path, expected) in recorded("auger.analyze.txt") {
        let records = records_of(&path);
        assert_eq!(
            report(&expected).totals,
            totals_of_auger(&records),
            "{name}"
        );
        let run = ok(&format!("analyze -f {}", path.display()));
        let ours = report(run.text()).totals;
        assert_eq!(ours, totals_of_ours(&records), "{name}");
        differ += usize::from(ours != totals_of_auger(&records));
    }
    assert!(differ > 0);
}

#[test]
fn the_most_common_kinds_are_augers_but_for_objects_that_were_created_again() {
    let mut compared = 0;
    for (name, path, expected) in recorded("auger.analyze.txt") {
        // By kind: live objects, and those of them that auger forgot the kind of.
        let mut counts: HashMap<String, (u64, u64)> = HashMap::new();
        for list in records_of(&path).values() {
            let Some((false, _, value)) = list.last() else {
                continue;
            };
            let Some(kind) = kind_of(value) else { continue };
            let count = counts.entry(kind).or_default();
            count.0 += 1;
            count.1 += u64::from(list.iter().any(|(tombstone, ..)| *tombstone));
        }
        for (count, kind) in report(&expected).kinds {
            assert_eq!(count, counts[&kind].0 - counts[&kind].1, "{name}: {kind}");
            compared += 1;
        }
        let mut ours: Vec<_> = counts
            .into_iter()
            .map(|(kind, count)| (count.0, kind))
            .collect();
        ours.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        ours.truncate(12);
        let run = ok(&format!("analyze -f {}", path.display()));
        assert_eq!(report(run.text()).kinds, ours, "{name}");
    }
    assert!(compared > 20);
}

#[test]
fn the_largest_objects_are_augers_up_to_its_panic() {
    let mut compared = 0;
    for (name, path, expected) in recorded("auger.analyze.txt") {
        let expected = report(&expected).largest;
        let run = ok(&format!("analyze -f {}", path.display()));
        let ours = report(run.text()).largest;
        assert!(
            ours.len() <= 12 && ours.is_sorted_by(|a, b| (b.0, &a.1) <= (a.0, &b.1)),
            "{name}"
        );
        for (index, (size, what)) in expected.iter().enumerate() {
            assert_eq!(ours[index].0, *size, "{name}: {what}");
            // Of equal size, and at the cut, auger's order is by chance.
            let alone = expected.iter().filter(|row| row.0 == *size).count() == 1;
            if alone && index + 1 < expected.len() {
                assert_eq!(ours[index].1, *what, "{name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 15);
}

#[test]
fn analyze_of_a_store_without_objects_counts_keys_and_as_auger_nothing() {
    assert_eq!(
        ok(&format!("analyze -f {TALK}")).text(),
        "Total kubernetes objects: 0\n\
         Total (all revisions) storage used by kubernetes objects: 0\n\
         Current (latest revision) storage used by kubernetes objects: 0\n\
         \nMost common kubernetes types:\n\
         \nLargest objects (byte size sum of all revisions):\n"
    );
    assert_eq!(
        ok(&format!("analyze {TALK}")).text(),
        "Total keys: 1\n\
         Total (all revisions) storage used by keys: 44\n\
         Current (latest revision) storage used by keys: 12\n\
         \nMost common prefixes:\n\t1\t(no folder)\n\
         \nLargest keys (byte size sum of all revisions):\n\t12\tfoo2\n"
    );
    refused(&["analyze", "-f", TALK, TALK], 2, "cannot be used with");
    refused(&["analyze"], 2, "required");
}

/// The live keys of the objects of which something holds, looked up in their trees.
fn keys_where(holds: impl Fn(&serde_json::Value) -> bool) -> String {
    let path = Path::new(AFTER);
    with_store(path, |store| {
        let live = Keyspace::at(store, store.at(None).unwrap(), |_| true).live;
        let object = |value| etcdive::k8s::object::tree_of(value).unwrap().0;
        live.iter()
            .filter(|entry| holds(&object(entry.record.value)))
            .map(|entry| String::from_utf8(entry.key.to_vec()).unwrap() + "\n")
            .collect()
    })
}

#[test]
fn a_filter_lists_the_keys_of_which_it_holds() {
    let in_prod = keys_where(|object| object["metadata"]["namespace"] == "prod");
    assert!(in_prod.lines().count() > 20);
    let filter = |filter: &str| etcdive(["extract", "-f", AFTER, "--filter", filter]);
    assert_eq!(filter(".Value.metadata.namespace=prod").text(), in_prod);
    let pods =
        keys_where(|object| object["metadata"]["namespace"] == "prod" && object["kind"] == "Pod");
    assert_eq!(
        filter(".Value.metadata.namespace=prod, .TypeMeta.Kind=Pod").text(),
        pods
    );
    let labelled = keys_where(|object| {
        object["metadata"]["labels"]["kubernetes.io/bootstrapping"] == "rbac-defaults"
    });
    let label = "index .Value.metadata.labels \"kubernetes.io/bootstrapping\"=rbac-defaults";
    assert!(!labelled.is_empty());
    assert_eq!(filter(label).text(), labelled);
    assert_eq!(filter(&format!(".Key={ROLE}")).text(), format!("{ROLE}\n"));
}

#[test]
fn a_filter_works_with_the_prefix_the_fields_and_the_revision() {
    let line = "extract -f testdata/healthy/k8s/after.db --filter .Value.metadata.namespace=prod";
    let fields = ok(&format!(
        "{line} --keys-by-prefix /registry/pods/ --fields key,value-size"
    ))
    .text()
    .to_owned();
    let all = ok(&format!(
        "extract {AFTER} --keys-by-prefix /registry/pods/ --fields key,value-size"
    ));
    let expected: String = all
        .text()
        .lines()
        .filter(|row| row.contains("/prod/"))
        .map(|row| format!("{row}\n"))
        .collect();
    assert!(!expected.is_empty() && expected != all.text());
    assert_eq!(fields, expected);
    let of_version = |filter: &str| {
        ok(&format!("extract {TALK} -r 5 --filter {filter}"))
            .text()
            .to_owned()
    };
    assert_eq!(of_version(".Version=2"), "foo1\nfoo2\n");
    assert_eq!(of_version(".Stats.VersionCount=2,.Key=foo1"), "foo1\n");
    assert_eq!(of_version(".Stats.AllVersionsValueSize=12"), "foo1\nfoo2\n");
    let counted = ok(&format!(
        "extract {TALK} --filter .Version=2 --fields key,version-count"
    ));
    assert_eq!(counted.text(), "foo2 2\n");
}

#[test]
fn a_filter_that_matches_nothing_or_is_invalid_is_reported() {
    let none = ["extract", TALK, "--filter", ".Value.kind=Pod"];
    refused(&none, 1, "the filter holds of no live key");
    refused(
        &["extract", TALK, "--filter", ".Key"],
        2,
        "'.Key' is not FIELD=VALUE",
    );
    refused(
        &["extract", TALK, "--filter", ".Name=a"],
        2,
        "no field .Name",
    );
    refused(
        &["extract", TALK, "-k", "foo2", "--filter", ".Key=foo2"],
        2,
        "cannot be used with",
    );
}

#[test]
fn a_template_is_refused_and_the_way_is_named() {
    for arguments in [
        &["extract", "-f", AFTER, "--template", "{{.Key}}"][..],
        &[
            "extract",
            AFTER,
            "--template={{.Key}}",
            "--filter",
            ".Version=1",
        ],
        &["extract", "--template", "x"],
    ] {
        refused(arguments, 2, "--template: Go templates are not supported");
        refused(arguments, 2, "get -o jsonpath=");
    }
}

/// The value of an element of bucket `key`: the newest record of a key, or the newest deletion.
fn leaf_item(path: &str, wanted: impl Fn(&etcdive::etcd::Record<'_>) -> bool) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    with_store(Path::new(path), |store| {
        let mut newest = Vec::new();
        for leaf in store.record_leaves(Direction::Forward) {
            for element in leaf.elements(Direction::Forward) {
                let (record, _) = etcdive::etcd::Record::parse(&leaf.page, &element).unwrap();
                if wanted(&record) {
                    let at = usize::try_from(element.value_offset).unwrap();
                    newest = bytes[at..at + element.value.len()].to_vec();
                }
            }
        }
        assert!(!newest.is_empty());
        newest
    })
}

#[test]
fn a_leaf_item_is_the_record_that_its_key_names() {
    let item = leaf_item(AFTER, |record| record.key == ROLE.as_bytes());
    let yaml = ok(&format!("extract {AFTER} -k {ROLE}")).stdout;
    assert_eq!(fed(&item, &["extract", "--leaf-item"]).stdout, yaml);
    // The bbolt command prints a newline after it, or digits.
    assert_eq!(
        fed(&[&item[..], b"\n"].concat(), &["extract", "--leaf-item"]).stdout,
        yaml
    );
    let digits: String = item.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(
        fed(
            format!("{digits}\n").as_bytes(),
            &["extract", "--leaf-item"]
        )
        .stdout,
        yaml
    );
    let scratch = Scratch::new("leaf-item");
    let path = scratch.file("item", &item);
    let path = path.to_str().unwrap();
    assert_eq!(etcdive(["extract", "--leaf-item", "-f", path]).stdout, yaml);
    assert_eq!(etcdive(["extract", "--leaf-item", path]).stdout, yaml);
    for output in ["json", "proto"] {
        assert_eq!(
            etcdive(["extract", "--leaf-item", "-f", path, "-o", output]).stdout,
            ok(&format!("extract {AFTER} -k {ROLE} -o {output}")).stdout
        );
    }
    assert_eq!(
        fed(&item, &["extract", "--leaf-item", "--raw"]).stdout,
        ok(&format!("extract {AFTER} -k {ROLE} --raw")).stdout
    );
}

#[test]
fn a_record_is_described_from_a_leaf_item_or_by_its_key() {
    let item = leaf_item(TALK, |record| record.key == b"foo2");
    let summary = "Key: foo2\nVersion: 2\nCreateRevision: 3\nModRevision: 5\nLease: 0\n";
    assert_eq!(
        fed(&item, &["extract", "--leaf-item", "--meta-summary"]).text(),
        summary
    );
    assert_eq!(
        fed(&item, &["extract", "--leaf-item", "--print-key"]).text(),
        "foo2\n"
    );
    assert_eq!(
        ok(&format!("extract {TALK} -k foo2 --meta-summary")).text(),
        summary
    );
    assert_eq!(
        ok(&format!("extract {TALK} -k foo2 --print-key")).text(),
        "foo2\n"
    );
    assert_eq!(
        ok(&format!("extract {TALK} -k foo2 -v 1 --meta-summary")).text(),
        "Key: foo2\nVersion: 1\nCreateRevision: 3\nModRevision: 3\nLease: 0\n"
    );
    // Both: the summary has the key.
    let both = [
        "extract",
        TALK,
        "-k",
        "foo2",
        "--print-key",
        "--meta-summary",
    ];
    assert_eq!(etcdive(both).text(), summary);
    let leased = leaf_item(COMPACTED, |record| record.lease != 0);
    let text = fed(&leased, &["extract", "--leaf-item", "--meta-summary"])
        .text()
        .to_owned();
    let lease = text
        .lines()
        .last()
        .unwrap()
        .strip_prefix("Lease: ")
        .unwrap();
    assert!(lease.parse::<i64>().unwrap() > 1 << 32, "{text}");
    for flag in ["--print-key", "--meta-summary", "--raw"] {
        refused(&["extract", TALK, flag], 2, "required");
    }
    refused(
        &["extract", TALK, "-k", "foo2", "--print-key", "--raw"],
        2,
        "cannot be used with",
    );
    refused(
        &[
            "extract",
            TALK,
            "-k",
            "foo2",
            "--meta-summary",
            "-o",
            "json",
        ],
        2,
        "cannot be used with",
    );
}

#[test]
fn what_is_no_leaf_item_is_refused() {
    let leaf = &["extract", "--leaf-item"];
    let deletion = leaf_item(TALK, |record| record.tombstone);
    let run = fed(&deletion, leaf);
    assert_eq!((run.code, run.stdout.len()), (2, 0));
    assert!(
        run.stderr.contains("foo1: this record is a deletion"),
        "{}",
        run.stderr
    );
    assert_eq!(
        fed(&deletion, &["extract", "--leaf-item", "--print-key"]).text(),
        "foo1\n"
    );
    for input in [&b"no record\n"[..], b"\x0a\xff", b"\x10\x05"] {
        let run = fed(input, leaf);
        assert_eq!(run.code, 2, "{}", input.escape_ascii());
        assert!(
            run.stderr.contains("no leaf item of bucket key"),
            "{}",
            run.stderr
        );
    }
    refused(
        &["extract", "--leaf-item", "-f", TALK],
        2,
        "a database, not one leaf item",
    );
    refused(
        &["extract", "--leaf-item", "-k", "foo2", TALK],
        2,
        "cannot be used with",
    );
    for flag in ["--keys-by-prefix", "--revision", "--filter", "--fields"] {
        let value = if flag == "--filter" {
            ".Key=1"
        } else if flag == "--fields" {
            "key"
        } else {
            "1"
        };
        refused(
            &["extract", "--leaf-item", flag, value],
            2,
            "cannot be used with",
        );
    }
}

#[test]
fn proto_is_the_message_within_the_stored_envelope() {
    let stored = ok(&format!("extract {AFTER} -k {ROLE} --raw")).stdout;
    let message = ok(&format!("extract {AFTER} -k {ROLE} -o proto")).stdout;
    // After it are the two empty texts of the envelope, before it typeMeta and its length.
    let behind = stored.strip_suffix(b"\x1a\0\x22\0").unwrap();
    let before = behind.strip_suffix(&message[..]).unwrap();
    assert!(before.starts_with(b"k8s\0") && before.len() < 60);
    assert_eq!(message[0], 0x0a, "metadata comes first");
    assert_eq!(fed(&stored, &["decode", "-o", "proto"]).stdout, message);
}

#[test]
fn proto_of_what_is_not_stored_as_protobuf_is_refused() {
    let json = b"{\"apiVersion\":\"v1\",\"kind\":\"Pod\"}";
    for (value, sentence) in [
        (
            &json[..],
            "is stored as JSON: -o proto prints stored protobuf",
        ),
        (b"\xd9\xd9\xf7\xa0", "is stored as CBOR"),
        (b"plain", "is no Kubernetes object"),
        (b"\xff\x01", "is no Kubernetes object"),
        (b"k8s:enc:aescbc:v1:key1:\x01", "encrypted at rest"),
        (b"k8s\0\x0a\x09", "cannot be decoded"),
    ] {
        let run = fed(value, &["decode", "-o", "proto"]);
        assert_eq!((run.code, run.stdout.len()), (2, 0), "{sentence}");
        assert!(run.stderr.contains(sentence), "{}", run.stderr);
    }
    let service = "/registry/apiregistration.k8s.io/apiservices/v1.";
    refused(
        &["extract", AFTER, "-k", service, "-o", "proto"],
        2,
        "is stored as JSON",
    );
}

#[test]
fn decode_prints_only_the_type_where_only_that_is_asked_for() {
    let stored = ok(&format!("extract {AFTER} -k {ROLE} --raw")).stdout;
    let told = "TypeMeta.APIVersion: rbac.authorization.k8s.io/v1\nTypeMeta.Kind: ClusterRole\n";
    let type_of = |value: &[u8]| fed(value, &["decode", "--meta-only"]);
    assert_eq!(type_of(&stored).text(), told);
    assert_eq!(type_of(&[&stored[..], b"\n"].concat()).text(), told);
    let json = b"{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"spec\":{}}";
    assert_eq!(
        type_of(json).text(),
        "TypeMeta.APIVersion: v1\nTypeMeta.Kind: Pod\n"
    );
    assert_eq!(
        type_of(b"{}").text(),
        "TypeMeta.APIVersion: \nTypeMeta.Kind: \n"
    );
    assert_eq!(type_of(b"plain").code, 2);
    assert!(
        type_of(b"k8s:enc:aescbc:v1:key1:x")
            .stderr
            .contains("encrypted at rest")
    );
    refused(
        &["decode", "--meta-only", "-o", "json"],
        2,
        "cannot be used with",
    );
}

#[test]
fn decode_takes_a_value_with_its_key_before_it() {
    let stored = ok(&format!("extract {AFTER} -k {ROLE} --raw")).stdout;
    let yaml = ok(&format!("extract {AFTER} -k {ROLE}")).stdout;
    let printed = [ROLE.as_bytes(), b"\n", &stored, b"\n"].concat();
    assert_eq!(fed(&printed, &["decode"]).stdout, yaml);
    assert_eq!(
        fed(b"/registry/a/b\n{\"a\":1}\n", &["decode"]).text(),
        "a: 1\n"
    );
    // A text after a line is no value of a key.
    assert_eq!(fed(b"/registry/a/b\nplain\n", &["decode"]).code, 2);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_batch_is_answered_line_by_line() {
    let stored = ok(&format!("extract {AFTER} -k {ROLE} --raw")).stdout;
    let json = ok(&format!("extract {AFTER} -k {ROLE} -o json"))
        .text()
        .to_owned();
    // A raft entry has the key before the value.
    let entry = [b"\x0a\x05/key1\x12", &stored[..]].concat();
    let lines = [
        hex(&stored),
        hex(&entry),
        "not hex".to_owned(),
        hex(b"\x08\x07\x12\x03abc"),
        hex(b"\x0a\x01{{\"kind\":\"X\",\"apiVersion\":\"v1\"}"),
        String::new(),
        hex(b"k8s:enc:aescbc:v1:key1:x"),
    ];
    // The last line has no end.
    let run = fed(
        lines.join("\n").as_bytes(),
        &["decode", "--batch-process", "-o", "json"],
    );
    let json_ok = format!("OK|{json}");
    assert_eq!(
        run.text(),
        format!(
            "{json_ok}{json_ok}ERROR:the line is not hexadecimal|\nERROR:is no Kubernetes object|\n\
             OK|{{\"kind\":\"X\",\"apiVersion\":\"v1\"}}\nERROR:is no Kubernetes object|\n\
             ERROR:cannot be decoded: encrypted at rest by aescbc v1, key \"key1\", and no EncryptionConfiguration was given|\n"
        )
    );
    assert_eq!(run.code, 0);
    let yaml = ok(&format!("extract {AFTER} -k {ROLE}")).text().to_owned();
    let line = hex(&stored) + "\n";
    assert_eq!(
        fed(line.as_bytes(), &["decode", "--batch-process"]).text(),
        format!("OK|{yaml}\n")
    );
    assert_eq!(
        fed(
            line.as_bytes(),
            &["decode", "--batch-process", "--meta-only"]
        )
        .text(),
        "OK|TypeMeta.APIVersion: rbac.authorization.k8s.io/v1\nTypeMeta.Kind: ClusterRole\n\n"
    );
    refused(
        &["decode", "--batch-process", TALK],
        2,
        "cannot be used with",
    );
    refused(
        &["decode", "--batch-process", "-f", TALK],
        2,
        "cannot be used with",
    );
}

#[test]
fn a_batch_answers_a_line_before_the_next_one_comes() {
    let mut child = program()
        .args(["decode", "--batch-process", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for number in ["1", "2", "3"] {
        writeln!(input, "{}", hex(format!("{{\"a\":{number}}}").as_bytes())).unwrap();
        input.flush().unwrap();
        assert_eq!(
            answers.next().unwrap().unwrap(),
            format!("OK|{{\"a\":{number}}}")
        );
    }
    drop(input);
    assert!(child.wait().unwrap().success());
}
