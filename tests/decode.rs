//! `decode` takes what people paste: the expected object is what `extract` reads of the database.

use crate::support::{Run, etcdive, fed, testdata};

const AFTER: &str = "testdata/healthy/k8s/after.db";
const FROZEN: &str = "/registry/configmaps/prod/frozen";
const NAMESPACE: &str = "/registry/namespaces/prod";
const ROLES: &str = "/registry/roles/";

/// Files of `testdata/decode`, the address of what they are, and how they are recognised.
const PASTED: [(&str, &str, &str); 19] = [
    ("value.raw", FROZEN, ""),
    ("value.base64", FROZEN, "base64: 1 value"),
    (
        "etcdctl-hexdump-C.txt",
        FROZEN,
        "a dump of hexdump, in it the output of etcdctl get: the value of /registry",
    ),
    (
        "etcdctl-w-json.txt",
        FROZEN,
        "etcd's JSON, as of etcdctl get -w json: the value of /registry",
    ),
    (
        "etcdctl-w-fields.txt",
        FROZEN,
        "the output of etcdctl get -w fields: the value of /registry",
    ),
    ("namespace.hexdump", NAMESPACE, "a dump of hexdump: 1 value"),
    ("namespace.xxd", NAMESPACE, "a dump of xxd: 1 value"),
    ("namespace.xxd-p", NAMESPACE, "hexadecimal digits: 1 value"),
    ("namespace.od", NAMESPACE, "a dump of od: 1 value"),
    ("namespace.od-c", NAMESPACE, "a dump of od: 1 value"),
    ("namespace.od-x1z", NAMESPACE, "a dump of od: 1 value"),
    (
        "namespace.hex-escapes",
        NAMESPACE,
        "a text with escapes: 1 value",
    ),
    ("namespace.prototext", NAMESPACE, "a quoted text: 1 value"),
    (
        "namespace.unmarked",
        NAMESPACE,
        "a Kubernetes protobuf without its mark",
    ),
    ("roles.simple", ROLES, "the output of etcdctl get: 8 values"),
    (
        "roles.json",
        ROLES,
        "etcd's JSON, as of etcdctl get -w json: 8 values",
    ),
    (
        "roles.fields",
        ROLES,
        "the output of etcdctl get -w fields: 8 values",
    ),
    (
        "roles.values",
        ROLES,
        "the output of etcdctl get --print-value-only: 8 values",
    ),
    (
        "roles.base64",
        ROLES,
        "base64, in it the output of etcdctl get: 8 values",
    ),
];

fn pasted(name: &str) -> Vec<u8> {
    std::fs::read(testdata("decode").join(name)).unwrap()
}

fn decode(input: &[u8], flags: &[&str]) -> Run {
    fed(input, &[&["decode"], flags].concat())
}

/// The live objects under a prefix, as `extract` prints each.
fn extracted(prefix: &str, format: &str) -> Vec<Vec<u8>> {
    let keys = etcdive(["ls", AFTER, &format!("key:{prefix}")]);
    let keys: Vec<&str> = if prefix.ends_with('/') {
        keys.text().lines().collect()
    } else {
        vec![prefix]
    };
    let objects = keys
        .iter()
        .map(|key| etcdive(["extract", AFTER, "-k", key, "-o", format]).stdout);
    objects.collect()
}

fn refused(input: &[u8], code: i32, sentence: &str) {
    let run = decode(input, &[]);
    assert_eq!((run.code, run.stdout.len()), (code, 0), "{}", run.stderr);
    assert!(run.stderr.contains(sentence), "{}", run.stderr);
}

#[test]
fn every_form_in_which_a_value_is_pasted_gives_the_object() {
    for (name, address, recognised) in PASTED {
        let run = decode(&pasted(name), &[]);
        assert_eq!(run.code, 0, "{name}: {}", run.stderr);
        assert!(run.stderr.contains(recognised), "{name}: {}", run.stderr);
        assert_eq!(run.stderr.is_empty(), recognised.is_empty(), "{name}");
        let objects = extracted(address, "yaml").join(&b"---\n"[..]);
        assert!(!objects.is_empty(), "{name}");
        assert_eq!(run.stdout, objects, "{name}");
        let json = decode(&pasted(name), &["-o", "json"]);
        assert_eq!(json.stdout, extracted(address, "json").concat(), "{name}");
    }
}

#[test]
fn a_batch_line_may_have_the_newline_of_etcdctl_at_its_end() {
    let stored = etcdive(["extract", AFTER, "-k", FROZEN, "--raw"]).stdout;
    let hex: String = stored.iter().map(|byte| format!("{byte:02x}")).collect();
    let flags = ["--batch-process", "-o", "json"];
    let without = decode(format!("{hex}\n").as_bytes(), &flags);
    assert!(without.text().starts_with("OK|{"), "{}", without.text());
    let with = decode(format!("{hex}0a\n").as_bytes(), &flags);
    assert_eq!(with.stdout, without.stdout);
}

#[test]
fn one_of_several_values_is_chosen_by_its_key() {
    let names = etcdive(["ls", AFTER, ROLES]);
    let key = names.text().lines().nth(3).unwrap().to_owned();
    let run = decode(&pasted("roles.json"), &["--key", &key]);
    assert_eq!(run.stdout, extracted(&key, "yaml").concat());
    let run = decode(
        &pasted("roles.json"),
        &["--key", "/registry/roles/none/none"],
    );
    assert_eq!((run.code, run.stdout.len()), (1, 0));
    assert!(
        run.stderr
            .contains("has no value of /registry/roles/none/none"),
        "{}",
        run.stderr
    );
    let run = decode(&pasted("roles.json"), &["-o", "proto"]);
    assert_eq!((run.code, run.stdout.len()), (2, 0));
    assert!(run.stderr.contains("has 8 values"), "{}", run.stderr);
    let run = decode(&pasted("roles.json"), &["--key", &key, "-o", "proto"]);
    assert_eq!(run.stdout, extracted(&key, "proto").concat());
}

/// An encrypted value needs its key, which the output of etcdctl has.
#[test]
fn the_key_in_the_input_decrypts_the_value() {
    let folder = testdata("healthy/k8s-encrypted");
    let db = folder.join("mixed.db");
    let config = folder.join("mixed.encryption-config.yaml");
    let (Some(db), Some(config)) = (db.to_str(), config.to_str()) else {
        panic!("the path is no text");
    };
    let keys = etcdive(["ls", db, "key:/registry/secrets/"]);
    let key = keys.text().lines().next().unwrap().to_owned();
    let printed = etcdive(["get", db, &key, "-w", "json"]).stdout;
    let run = decode(&printed, &["--encryption-config", config]);
    let expected = etcdive(["extract", db, "-k", &key, "--encryption-config", config]);
    assert_eq!(
        (run.code, run.stdout),
        (0, expected.stdout),
        "{}",
        run.stderr
    );
}

#[test]
fn output_of_kubectl_get_raw_is_an_object() {
    let list = br#"{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":[{"metadata":{"name":"a"},"data":{"k":"v"}}]}"#;
    let run = decode(list, &[]);
    assert_eq!(
        run.text(),
        "apiVersion: v1\nitems:\n- data:\n    k: v\n  metadata:\n    name: a\nkind: ConfigMapList\nmetadata:\n  resourceVersion: \"7\"\n"
    );
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
}

#[test]
fn a_dump_with_a_line_that_is_missing_or_altered_is_refused() {
    let dump = String::from_utf8(pasted("namespace.xxd")).unwrap();
    let lines: Vec<&str> = dump.lines().collect();
    let without = |left_out: usize| {
        let kept = (0..lines.len()).filter(|at| *at != left_out);
        kept.map(|at| format!("{}\n", lines[at]))
            .collect::<String>()
    };
    refused(
        without(3).as_bytes(),
        2,
        "line 4 of the dump does not continue it",
    );
    refused(
        without(0).as_bytes(),
        2,
        "line 1 of the dump does not continue it",
    );
    let altered = dump.replacen("6b38", "6b39", 1);
    assert_ne!(altered, dump);
    refused(
        altered.as_bytes(),
        2,
        "line 1 of the dump does not continue it",
    );
    let doubled = format!("{dump}{}\n", lines[lines.len() - 1]);
    refused(doubled.as_bytes(), 2, "does not continue it");
}

#[test]
fn what_is_not_recognised_is_refused_with_what_decode_takes() {
    for (input, sentence) in [
        (&b"hello world"[..], "it is a text"),
        (
            b"aGVsbG8gd29ybGQK",
            "the input is no Kubernetes object in a form that is known; it is a text",
        ),
        (
            b"68656c6c6f20776f726c64",
            "the input is no Kubernetes object",
        ),
        (b"\x1f\x8b\x08\0\0\0", "it is a gzip archive"),
        (
            b"\"hello world\"",
            "the input is a quoted text, but its content is no Kubernetes object",
        ),
        (b"\0\x01\x02", "the input is no Kubernetes object"),
    ] {
        refused(input, 2, sentence);
        refused(
            input,
            2,
            "hint: decode takes a value as etcd stores it, base64",
        );
    }
    refused(
        br#"{"header":{"revision":7},"count":0}"#,
        2,
        "etcdctl get -w json, and has no value",
    );
    refused(
        b"\"ClusterID\" : 1\n\"Key\" : \"/a\"\n\"Value\" : \"k8s\\q\"\n",
        2,
        "a key or a value in it is damaged",
    );
    refused(
        br#"{"header":{},"kvs":[{"key":"L2E=","value":"*"}]}"#,
        2,
        "a key or a value in it is damaged",
    );
}

#[test]
fn of_several_values_those_that_cannot_be_decoded_are_named() {
    let printed = b"/registry/a/b\nk8s\0\x0a\x05\n/registry/c/d\n{\"kind\":\"X\"}\n";
    let run = decode(printed, &[]);
    assert_eq!((run.code, run.text()), (2, "kind: X\n"));
    assert!(
        run.stderr.contains("note: /registry/a/b cannot be decoded"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains("1 of 2 values are not printed"),
        "{}",
        run.stderr
    );
}
