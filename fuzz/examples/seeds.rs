//! Writes the first inputs of every target to `fuzz/corpus/TARGET/`: from testdata, and small stores.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use etcdive_fuzz::synth::etcd::{Store, Version};
use etcdive_fuzz::synth::wal::WalFile;
use etcdive_fuzz::synth::wire::Message;
use etcdive_fuzz::synth::{Endian, Freelist, Older, shapes};
use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn put(target: &str, name: &str, bytes: &[u8]) {
    let folder = root().join("fuzz/corpus").join(target);
    std::fs::create_dir_all(&folder).expect("a folder for the corpus");
    std::fs::write(folder.join(name), bytes).expect("a seed");
}

/// Small stores with trees of several levels: small pages make them so.
fn whole_files() {
    for seed in 0..24_u64 {
        let endian = [Endian::Little, Endian::Big][usize::from(seed % 8 == 7)];
        let changes = 4 << (seed % 4);
        let store = shapes::store(seed, changes);
        let mut builder = store.builder().page_size(512).endian(endian);
        if seed % 3 == 0 {
            builder = builder.scatter(seed);
        }
        if seed % 4 == 1 {
            builder = builder.freelist(Freelist::Persisted);
        }
        if seed % 5 == 2 {
            let mut older = Store::new(Version::V3_6);
            older.put("/registry/things/1", "x");
            builder = builder.older(Older::State(older.root()));
        }
        let bytes = builder.build().bytes;
        if bytes.len() <= 64 << 10 {
            put("whole_file", &format!("store-{seed:02}"), &bytes);
        }
    }
    for name in [
        "3.6/01-talk.live.db",
        "3.6/01-talk.snapshot.db",
        "3.4/01-talk.live.db",
    ] {
        let bytes = std::fs::read(root().join("testdata/healthy/talk").join(name));
        put(
            "whole_file",
            &name.replace('/', "-"),
            &bytes.expect("testdata"),
        );
    }
}

/// Objects of the kinds that `recover` treats by rules of their own, some of them deleted, with texts that a YAML
/// reader could take for something else.
fn manifests() {
    let mut store = Store::new(Version::V3_6);
    let object = |api: &str, kind: &str, name: &str, rest: Value| {
        let mut object = json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "a",
            "uid": format!("uid-{name}"), "creationTimestamp": "2026-11-20T21:00:00Z",
            "annotations": {"<<": "=", "yes": "no", "a: b": "# c", "t": "2001-01-01"}}});
        object
            .as_object_mut()
            .expect("an object")
            .extend(rest.as_object().expect("an object").clone());
        object.to_string()
    };
    let namespace = object(
        "v1",
        "Namespace",
        "a",
        json!({"status": {"phase": "Active"}}),
    );
    store.put("/registry/namespaces/a", namespace);
    let crd = json!({"spec": {"group": "example.com", "scope": "Namespaced",
        "names": {"plural": "things", "singular": "thing", "kind": "Thing", "listKind": "ThingList"},
        "versions": [{"name": "v1", "served": true, "storage": true,
            "additionalPrinterColumns": [{"name": "A", "type": "string", "jsonPath": "..a"}]}]}});
    let crd = object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "things.example.com",
        crd,
    );
    store.put(
        "/registry/apiextensions.k8s.io/customresourcedefinitions/things.example.com",
        crd,
    );
    let things = [
        (
            "v1",
            "ConfigMap",
            "configmaps",
            json!({"data": {"a": "b\n---\nc", "e": "\u{2028}x"}}),
        ),
        (
            "v1",
            "Secret",
            "secrets",
            json!({"data": {"a": "YQ=="}, "type": "Opaque"}),
        ),
        (
            "v1",
            "PersistentVolumeClaim",
            "persistentvolumeclaims",
            json!({"spec": {"volumeName": "pv\u{2028}---\n", "accessModes": ["ReadWriteOnce"]}, "status": {"phase": "Bound"}}),
        ),
        (
            "v1",
            "Service",
            "services/specs",
            json!({"spec": {"clusterIP": "10.0.0.1", "ports": [{"port": 80}]}}),
        ),
        (
            "v1",
            "Pod",
            "pods",
            json!({"spec": {"containers": [{"name": "a", "image": "b"}], "nodeName": "n"}}),
        ),
        (
            "apps/v1",
            "Deployment",
            "deployments",
            json!({"spec": {"replicas": 1, "template": {}}, "status": {}}),
        ),
        (
            "example.com/v1",
            "Thing",
            "example.com/things",
            json!({"spec": {}, "status": {"a": [{"a": 1.5}]}}),
        ),
    ];
    for turn in 0..2 {
        for (api, kind, resource, rest) in &things {
            let key = format!("/registry/{resource}/a/{turn}");
            store.put(
                key.clone(),
                object(api, kind, &turn.to_string(), rest.clone()),
            );
            if turn == 0 {
                store.delete(key);
            }
        }
    }
    for page_size in [512, 4096] {
        let image = store.builder().page_size(page_size).build();
        put(
            "whole_file",
            &format!("manifests-{page_size}"),
            &image.bytes,
        );
    }
    let mut log = WalFile::after(None);
    log.metadata(7, 9);
    for (index, record) in (1_i64..).zip(store.history()) {
        let put = Message::new().put(1, &record.key).put(2, &record.value);
        let delete = Message::new().put(1, &record.key);
        let (field, request) = if record.tombstone {
            (5, delete)
        } else {
            (4, put)
        };
        log.entry(3, index + 40, &Message::new().nest(field, request).finish());
    }
    log.state(3, 80);
    put("wal", "manifests", &log.bytes);
}

fn pages_and_records() {
    for seed in 0..12 {
        let store = shapes::store(seed, 12);
        let endian = [Endian::Little, Endian::Big][seed as usize % 2];
        let image = store.builder().page_size(512).endian(endian).build();
        for run in &image.runs {
            let at = run.pgid as usize * 512;
            let mut bytes = vec![seed as u8 % 2];
            let mut page = image.bytes[at..at + run.pages as usize * 512].to_vec();
            // A target's first page is page 2.
            endian.put_u64(&mut page, 0, 2);
            bytes.extend(page);
            put("page", &format!("{seed:02}-{}", run.pgid), &bytes);
        }
        for record in store.records() {
            let key = record.bucket_key();
            let bytes = [&[key.len() as u8], &key[..], &record.bucket_value()].concat();
            put(
                "record",
                &format!("{seed:02}-{}.{}", record.main, record.sub),
                &bytes,
            );
        }
    }
}

fn values() {
    let text = std::fs::read_to_string(root().join("testdata/k8s/values.jsonl"));
    for (row, line) in text.expect("testdata").lines().enumerate() {
        let row_json: serde_json::Value = serde_json::from_str(line).expect("a row");
        let encoded = row_json["value_b64"].as_str().unwrap_or_default();
        let value = base64::engine::general_purpose::STANDARD.decode(encoded);
        let value = value.expect("base64");
        let name = format!("value-{row:03}");
        if let Some(body) = value.strip_prefix(b"k8s\0") {
            put("protobuf", &name, &[b"\0", body].concat());
        } else if let Some(body) = value.strip_prefix(b"\xd9\xd9\xf7") {
            put("cbor", &name, body);
        }
        let json = row_json["json"].as_str().unwrap_or_default();
        if let Some(body) = json.strip_prefix('{').filter(|body| body.len() < 4000) {
            put("json", &name, body.as_bytes());
        }
    }
    for (name, body) in [
        ("kms", &b"\xfe\x0a\x02ab\x12\x01k\x1a\x03xyz\x28\x01"[..]),
        ("aescbc", b"\xff0123456789abcdef"),
    ] {
        put("protobuf", name, body);
    }
}

fn words() {
    for (name, text) in [
        ("key", "/registry/pods/shop/web-1"),
        ("prefix", "/registry/pods/"),
        ("escapes", r"key:\xff\x00a\\\n\s"),
        ("pods", "deploy.v1.apps"),
        ("one", "pod/web-1"),
        ("range", "5..@~1"),
        ("record", "123.2"),
        ("version", "v3"),
        ("back", "~1"),
        ("created", "created..deleted"),
    ] {
        put("address", name, text.as_bytes());
    }
    for (name, text) in [
        ("path", "{.spec.containers[*].ports[0:2]}"),
        (
            "filter",
            "{range .spec.containers[?(@.name==\"a\")]}{.name}{\"\\n\"}{end}",
        ),
        ("deep", "{..name}"),
        (
            "columns",
            "NAME:.metadata.name,PORTS:.spec.containers[0].ports",
        ),
        ("labels", "app=web,n notin (1,2),!x,n>2"),
        ("fields", "metadata.name=web-1,status.phase!=Failed"),
    ] {
        put("languages", name, text.as_bytes());
    }
    for (name, text) in [
        ("plain", &b"\x03two\nlines\t\xc3\xa9"[..]),
        ("hostile", b"\x05\x1b]52;c;eA==\x07\xe2\x80\xae\xff\xc2\x9b"),
    ] {
        put("terminal", name, text);
    }
}

fn main() {
    whole_files();
    manifests();
    pages_and_records();
    values();
    words();
}
