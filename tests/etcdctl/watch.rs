//! `watch` with etcdctl's flags and ours: which events, in which responses, and as objects.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{run, talk};
use crate::support::synth::etcd::{Op, Store, Version, put};
use crate::support::truth::{Encrypted, assert_served, config_of, databases_with_truth, healthy};
use crate::support::{Scratch, corpus, files_below, testdata};

fn k8s(name: &str) -> String {
    let path = testdata("healthy/k8s").join(format!("{name}.db"));
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn watched(db: &str, words: &str) -> String {
    let run = run("watch", db, words);
    assert_eq!(run.code, 0, "{words}: {}", run.stderr);
    run.text().to_owned()
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn watch_replays_every_event_that_a_watch_from_the_first_revision_saw() {
    let mut histories = 0;
    if let Some(corpus) = corpus() {
        for history in files_below(&healthy(&corpus)) {
            if history.file_name().unwrap() != "allrevs.jsonl" {
                continue;
            }
            let state = ["precompact.live.db", "02-full.snapshot.db"];
            let db = state.map(|name| history.with_file_name(name));
            let db = db
                .iter()
                .find(|path| path.is_file())
                .unwrap()
                .to_str()
                .unwrap();
            let expected: Vec<Value> = json_lines(&std::fs::read_to_string(&history).unwrap());
            let got: Vec<Value> = json_lines(&watched(db, "-w json"))
                .iter()
                .flat_map(|response| response["Events"].as_array().unwrap().clone())
                .map(|event| as_recorded(&event["kv"]))
                .collect();
            assert_eq!(expected.len(), got.len(), "{db}");
            for (expected, got) in expected.iter().zip(&got) {
                let mut expected = expected.clone();
                expected.as_object_mut().unwrap().retain(|name, value| {
                    name != "sub" && *value != json!("") && *value != json!(0)
                });
                assert_eq!(&expected, got, "{db}");
            }
            let types = run("watch", db, "-o jsonl");
            let subs = json_lines(types.text());
            assert!(subs.iter().zip(&expected).all(|(got, expected)| {
                got["sub"] == expected["sub"] && got["main"] == expected["rev"]
            }));
            histories += 1;
        }
        assert!(histories > 2);
    }
    println!("{histories} histories compared");
}

/// An event of etcdctl's JSON in the recorded histories' fields.
fn as_recorded(kv: &Value) -> Value {
    let names = [
        ("rev", "mod_revision"),
        ("key_b64", "key"),
        ("value_b64", "value"),
        ("create_revision", "create_revision"),
        ("version", "version"),
        ("lease", "lease"),
    ];
    let mut row = serde_json::Map::new();
    let deleted = kv["version"].is_null();
    row.insert(
        "type".to_owned(),
        if deleted { "DELETE" } else { "PUT" }.into(),
    );
    for (theirs, ours) in names {
        if !kv[ours].is_null() {
            row.insert(theirs.to_owned(), kv[ours].clone());
        }
    }
    Value::Object(row)
}

#[test]
fn a_response_has_a_thousand_revisions_and_never_parts_one() {
    let responses = json_lines(&watched(&k8s("after"), "-w json"));
    let mains = |response: &Value| -> Vec<i64> {
        let events = response["Events"].as_array().unwrap().iter();
        let mut mains: Vec<i64> = events
            .map(|event| event["kv"]["mod_revision"].as_i64().unwrap())
            .collect();
        mains.dedup();
        mains
    };
    let counts: Vec<usize> = responses
        .iter()
        .map(|response| mains(response).len())
        .collect();
    assert_eq!(counts, [1000, 1000, 1000, 128]);
    let all: Vec<i64> = responses.iter().flat_map(mains).collect();
    assert_eq!(all, (2..=3129).collect::<Vec<_>>());
    assert!(
        responses
            .iter()
            .all(|response| response["Header"]["revision"] == 3129)
    );
    let fields = watched(&k8s("after"), "-w fields");
    assert_eq!(fields.matches("\"ClusterID\" : 0\n").count(), 4);
}

#[test]
fn watch_can_end_early_begin_at_a_key_and_pass_over_puts_or_deletions() {
    let db = talk("01-talk");
    let all = watched(&db, "");
    assert_eq!(
        all,
        "PUT\nfoo1\nbar1\nPUT\nfoo2\nbar2\nPUT\nfoo1\nbar1-new\nPUT\nfoo2\nbar2-new\nDELETE\nfoo1\n\n"
    );
    assert_eq!(watched(&db, "--to 3"), "PUT\nfoo1\nbar1\nPUT\nfoo2\nbar2\n");
    assert_eq!(watched(&db, "--rev 3 --to 3"), "PUT\nfoo2\nbar2\n");
    assert_eq!(watched(&db, "--rev 0 --to 3"), watched(&db, "--to 3"));
    assert_eq!(watched(&db, "foo2 --from-key"), watched(&db, "foo2"));
    assert_eq!(watched(&db, "foo1 --from-key"), all);
    assert_eq!(watched(&db, "foo --prefix"), all);
    assert_eq!(watched(&db, "--prefix"), all);
    assert_eq!(watched(&db, "foo1 foo2"), watched(&db, "foo1"));
    assert_eq!(watched(&db, r"foo1 key:\x00"), all);
    assert_eq!(watched(&db, "--op delete"), "DELETE\nfoo1\n\n");
    let puts = all.replace("DELETE\nfoo1\n\n", "");
    assert_eq!(watched(&db, "--op put"), puts);
    assert_eq!(
        watched(&db, "--op delete --prev-kv"),
        "DELETE\nfoo1\nbar1-new\nfoo1\n\n"
    );
}

#[test]
fn a_watch_begins_with_the_compacted_revision_and_has_nothing_before_it() {
    let mut store = Store::new(Version::V3_6);
    store.put("a", "1");
    store.put("a", "2");
    store.txn(&[put("b", "1"), Op::Delete(b"a".to_vec())]);
    store.put("b", "2");
    let scratch = Scratch::new("watch-compacted");
    // A compaction that removed nothing yet is one all the same.
    store.compact_partly(4, 0);
    let begun = scratch.file("begun", &store.builder().build().bytes);
    store.compact(4);
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let all = "PUT\nb\n1\nDELETE\na\n\nPUT\nb\n1\nb\n2\n";
    assert_eq!(watched(db, "--prev-kv"), all);
    let begun = run("watch", begun.to_str().unwrap(), "--prev-kv");
    assert_eq!(begun.text(), all, "{}", begun.stderr);
    assert_eq!(watched(db, "--prev-kv --rev 4"), all);
    for (words, stdout) in [
        ("--rev 3", ""),
        ("--rev 3 -o jsonl", ""),
        ("--rev 3 -o k8s", ""),
        (
            "--rev 3 -w fields",
            "\"ClusterID\" : 0\n\"MemberID\" : 0\n\"RaftTerm\" : 0\n",
        ),
        (
            "--rev 3 -w json",
            "{\"Header\":{},\"Events\":[],\"CompactRevision\":4,\"Canceled\":true,\"Created\":false}\n",
        ),
    ] {
        let run = run("watch", db, words);
        assert_eq!((run.code, run.text()), (2, stdout), "{words}");
        assert_eq!(
            run.stderr,
            "etcdive: etcdserver: mvcc: required revision has been compacted\nhint: the store is compacted to 4: `--rev 4` is the oldest that can be asked for\n"
        );
    }
}

#[test]
fn a_line_of_watch_is_the_line_of_log() {
    let db = k8s("after");
    let mut by_key: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for event in json_lines(&watched(&db, "-o jsonl")) {
        let key = event["key"].as_str().unwrap().to_owned();
        by_key.entry(key).or_default().push(event);
    }
    let keys = [
        "/registry/pods/shop/",
        "/registry/leases/",
        "/registry/configmaps/shop/",
    ];
    let mut compared = 0;
    for prefix in keys {
        let (key, events) = by_key.range(prefix.to_owned()..).next().unwrap();
        let log = run("log", &db, &format!("{key} -o jsonl"));
        let mut lines = json_lines(log.text());
        for line in &mut lines {
            // What the objects show of their writing.
            line.as_object_mut()
                .unwrap()
                .retain(|name, _| name != "managers" && !name.starts_with("time_"));
        }
        lines.reverse();
        assert_eq!(&lines, events, "{key}");
        compared += lines.len();
    }
    assert!(compared > 5);
}

#[test]
fn objects_are_watched_as_by_kubectl() {
    // What kubectl 1.32 printed of these events of a served watch.
    let expected = concat!(
        r#"{"type":"ADDED","object":{"apiVersion":"v1","data":{"b":"1"},"kind":"ConfigMap","metadata":{"managedFields":[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{}},"manager":"kubectl","operation":"Update","time":"2026-01-01T00:00:00Z"}],"name":"a","namespace":"default","resourceVersion":"2","uid":"u"}}}"#,
        "\n",
        r#"{"type":"MODIFIED","object":{"apiVersion":"v1","data":{"b":"2","z":"\u003c\u0026\u003e"},"kind":"ConfigMap","metadata":{"managedFields":[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{}},"manager":"kubectl","operation":"Update","time":"2026-01-01T00:00:00Z"}],"name":"a","namespace":"default","resourceVersion":"3","uid":"u"}}}"#,
        "\n",
        r#"{"type":"DELETED","object":{"apiVersion":"v1","data":{"b":"2","z":"\u003c\u0026\u003e"},"kind":"ConfigMap","metadata":{"managedFields":[{"apiVersion":"v1","fieldsType":"FieldsV1","fieldsV1":{"f:data":{}},"manager":"kubectl","operation":"Update","time":"2026-01-01T00:00:00Z"}],"name":"a","namespace":"default","resourceVersion":"4","uid":"u"}}}"#,
        "\n"
    );
    let stored = |data: Value| {
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "default", "uid": "u", "managedFields": [{"manager": "kubectl", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z", "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {}}}]}, "data": data})
            .to_string()
    };
    let key = "/registry/configmaps/default/a";
    let mut store = Store::new(Version::V3_6);
    store.put(key, stored(json!({"b": "1"})));
    store.put(key, stored(json!({"z": "<&>", "b": "2"})));
    store.delete(key);
    store.put("/registry/other", "no object");
    let scratch = Scratch::new("watch-k8s");
    let db = scratch.file("db", &store.builder().build().bytes);
    let got = run("watch", db.to_str().unwrap(), "-o k8s");
    assert_eq!((got.code, got.text()), (0, expected));
    assert_eq!(
        got.stderr,
        "note: events left out because their values are no objects that could be read: 1\n"
    );
    store.compact(4);
    let db = scratch.file("compacted", &store.builder().build().bytes);
    let got = run(
        "watch",
        db.to_str().unwrap(),
        "/registry/configmaps/ -o k8s",
    );
    assert_eq!((got.code, got.text()), (1, ""));
    assert!(
        got.stderr.starts_with(
            "note: deletions left out because what they deleted is compacted away: 1\n"
        ),
        "{}",
        got.stderr
    );
}

type Identity = (String, String, String, String);

fn identity(object: &Value) -> Identity {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let metadata = &object["metadata"];
    // An object may be written in another version of its group.
    let group = text(&object["apiVersion"]);
    let group = group
        .rsplit_once('/')
        .map_or("", |(group, _)| group)
        .to_owned();
    (
        group,
        text(&object["kind"]),
        text(&metadata["namespace"]),
        text(&metadata["name"]),
    )
}

#[test]
fn who_applies_all_watched_events_has_what_the_api_server_serves() {
    for (db, truth) in databases_with_truth(Encrypted::No) {
        let name = db.display().to_string();
        let text = watched(&name, "/registry/ -o k8s");
        let mut objects: BTreeMap<Identity, Value> = BTreeMap::new();
        let mut deletions = 0;
        for event in json_lines(&text) {
            let object = event["object"].clone();
            let who = identity(&object);
            match event["type"].as_str().unwrap() {
                "ADDED" => assert!(objects.insert(who, object).is_none(), "{name}: {event}"),
                "MODIFIED" => assert!(objects.insert(who, object).is_some(), "{name}: {event}"),
                "DELETED" => {
                    let mut last = objects.remove(&who).unwrap();
                    let number = |object: &Value| -> i64 {
                        let text = object["metadata"]["resourceVersion"].as_str();
                        text.unwrap().parse().unwrap()
                    };
                    assert!(number(&last) < number(&object));
                    last["metadata"]["resourceVersion"] =
                        object["metadata"]["resourceVersion"].clone();
                    assert_eq!(last, object, "{name}");
                    deletions += 1;
                }
                other => panic!("{other}"),
            }
        }
        let same = assert_served(&name, &truth, objects.into_values());
        assert!(same > 100);
        println!("{name}: {deletions} deletions");
    }
}

#[test]
fn with_labels_an_object_comes_when_it_gets_them_and_goes_when_it_loses_them() {
    let pod = |app: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"app": app}}})
            .to_string()
    };
    let key = "/registry/pods/shop/p";
    let mut store = Store::new(Version::V3_6);
    for app in ["old", "web", "web", "db", "web"] {
        store.put(key, pod(app));
    }
    store.delete(key);
    store.put("/registry/pods/shop/other", pod("db"));
    let scratch = Scratch::new("watch-labels");
    let db = scratch.file("db", &store.builder().build().bytes);
    let db = db.to_str().unwrap();
    let seen: Vec<_> = json_lines(&watched(db, "pods -l app=web -o k8s"))
        .iter()
        .map(|event| {
            let metadata = &event["object"]["metadata"];
            format!(
                "{} {} {}",
                event["type"].as_str().unwrap(),
                metadata["resourceVersion"].as_str().unwrap(),
                metadata["labels"]["app"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            "ADDED 3 web",
            "MODIFIED 4 web",
            "DELETED 5 web",
            "ADDED 6 web",
            "DELETED 7 web"
        ]
    );
    let types: Vec<String> = watched(db, "pods -l app=web -w fields")
        .lines()
        .filter(|line| line.starts_with("\"Type\"") || line.starts_with("\"PrevKey\""))
        .map(str::to_owned)
        .collect();
    assert_eq!(
        types.join(" "),
        ["\"Type\" : PUT"; 4].join(" ") + " \"Type\" : DELETE"
    );
}

#[test]
fn resources_and_namespaces_are_watched_by_name() {
    let db = k8s("before");
    let keys = |words: &str| -> Vec<String> {
        let events = json_lines(&watched(&db, &format!("{words} -o jsonl")));
        events
            .iter()
            .map(|event| event["key"].as_str().unwrap().to_owned())
            .collect()
    };
    let pods = keys("pods -n shop");
    assert!(
        pods.len() > 5
            && pods
                .iter()
                .all(|key| key.starts_with("/registry/pods/shop/"))
    );
    assert_eq!(pods, keys("/registry/pods/shop/"));
    assert_eq!(pods, keys("/registry/pods/shop/ --prefix"));
    assert_eq!(pods, keys("/registry/pods/shop/ /registry/pods/shop0"));
    let name = pods[0].rsplit('/').next().unwrap();
    let of_one = keys(&format!("pod/{name} -n shop"));
    assert!(!of_one.is_empty() && of_one.iter().all(|key| *key == pods[0]));
}

#[test]
fn encrypted_values_are_watched_as_they_are_stored_and_as_objects_with_a_key() {
    let mut watched_secrets = 0;
    for (db, _) in databases_with_truth(Encrypted::Yes) {
        let (name, config) = (
            db.display().to_string(),
            config_of(&db).display().to_string(),
        );
        let raw = json_lines(&watched(&name, "/registry/secrets/ -w json"));
        let values = raw
            .iter()
            .flat_map(|response| response["Events"].as_array().unwrap());
        let sealed = values
            .filter_map(|event| STANDARD.decode(event["kv"]["value"].as_str()?).ok())
            .filter(|value| value.starts_with(b"k8s:enc:"))
            .count();
        let words = format!("/registry/secrets/ -o k8s --encryption-config {config}");
        let opened = run("watch", &name, &words);
        if opened.stderr.contains("the KMS must unwrap") || sealed == 0 {
            // Its keys are with a KMS, or nothing is encrypted.
            continue;
        }
        let objects = json_lines(opened.text());
        assert!(
            objects
                .iter()
                .all(|event| event["object"]["kind"] == "Secret")
        );
        assert!(objects.len() >= sealed, "{name}: {}", opened.stderr);
        let closed = run("watch", &name, "/registry/secrets/ -o k8s");
        assert!(
            json_lines(closed.text()).len() + sealed <= objects.len(),
            "{name}"
        );
        watched_secrets += sealed;
    }
    assert!(watched_secrets > 5);
}

#[test]
fn a_watch_that_sees_nothing_says_why() {
    let db = talk("01-talk");
    for (words, code, said) in [
        ("foo9", 1, "no key foo9"),
        (
            "--rev 7",
            1,
            "no event from revision 7 on: the store's revision is 6",
        ),
        ("foo2 --rev 6", 1, "no such event from revision 6 on"),
        (
            "foo2 --op delete",
            1,
            "nothing left: none of 2 candidates matches --op",
        ),
        (
            "foo2 --rev 4 --to 3",
            2,
            "the range is reversed: --to 3 is before revision 4",
        ),
        ("foo2 foo1", 2, "mvcc: watcher range is empty"),
        (
            "foo2 --rev -1",
            2,
            "etcdserver: mvcc: required revision has been compacted",
        ),
        (
            "foo --prefix --from-key",
            2,
            "`--prefix` and `--from-key` cannot be set at the same time, choose one",
        ),
        (
            "a b --prefix",
            2,
            "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
        ),
    ] {
        let run = run("watch", &db, words);
        assert_eq!(run.code, code, "{words}: {}", run.stderr);
        assert_eq!(
            run.stderr.lines().next(),
            Some(&*format!("etcdive: {said}")),
            "{words}"
        );
        assert!(run.stdout.is_empty(), "{words}");
    }
    for words in [
        "-w json -o k8s",
        "foo --prefix -n shop",
        "foo --from-key -l a=b",
        "-w table",
    ] {
        assert_eq!(run("watch", &db, words).code, 2, "{words}");
    }
}
