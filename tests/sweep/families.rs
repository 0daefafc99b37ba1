//! Families of stores: each is made at any size `n`, and its file grows in proportion to `n`.
//!
//! A family is one way in which an ordinary or hostile writer makes a store large. Costs of a verb over a family must
//! not grow faster than n log n.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::synth::etcd::{Record, Store, Version, lease_value};
use crate::support::synth::wal::WalFile;
use crate::support::synth::wire::Message;
use crate::support::synth::{Bucket, Freelist, Older};

/// A family: its name, and its store of size `n`.
pub type Family = (&'static str, fn(usize) -> Made);

pub const FAMILIES: &[Family] = &[
    ("many keys in one transaction", one_transaction),
    ("one key with many versions", many_versions),
    ("many lives of one key", many_generations),
    ("many leaves under a long path", long_path),
    ("maps nested to the limit", nested_maps),
    ("one very long name", long_name),
    ("many containers", many_containers),
    ("many managers", many_managers),
    ("many entries of a Secret", many_entries),
    ("a long list in another order", shuffled_list),
    ("a text of many lines", many_lines),
    ("many encrypted values", encrypted_values),
    ("many definitions", many_definitions),
    ("a column that searches", searching_column),
    ("a chain of owners", owner_chain),
    (
        "many owners, labels, annotations, finalizers",
        much_metadata,
    ),
    ("many deleted namespaces", deleted_namespaces),
    ("many events and leases", events_and_leases),
    ("keys that are not Kubernetes'", foreign_keys),
    ("a wide JSON value", wide_json),
    ("many buckets", many_buckets),
    ("many freed pages", freed_pages),
    ("a log with many entries", wal_entries),
    ("a log with one large transaction", wal_transaction),
    ("a log that compares ranges", wal_compares),
    ("a log with many leases on the same keys", wal_leases),
];

/// A store of a family.
pub struct Made {
    pub db: Vec<u8>,
    pub wal: Vec<u8>,
    /// The key of the largest object.
    pub key: String,
    /// Its resource, as it is typed.
    pub resource: &'static str,
    /// Its stored value.
    pub value: Vec<u8>,
    /// Its record, as bucket `key` has it.
    pub record: Vec<u8>,
}

/// A store in the making. Unlike [`Store`] it needs the same time for each write.
struct History {
    revision: i64,
    lives: HashMap<String, (i64, i64)>,
    records: Vec<Record>,
    buckets: Vec<(Vec<u8>, Bucket)>,
    stale: Option<Bucket>,
    zero_pages: u64,
    requests: Vec<Vec<u8>>,
}

impl History {
    /// Begins with a heartbeat, so that times can be asked for.
    fn new() -> Self {
        let mut history = Self {
            revision: 1,
            lives: HashMap::new(),
            records: Vec::new(),
            buckets: Vec::new(),
            stale: None,
            zero_pages: 0,
            requests: Vec::new(),
        };
        history.heartbeat("2026-11-20T21:00:00.000000Z");
        history.put(
            "/registry/namespaces/a",
            &object("v1", "Namespace", "", "a"),
        );
        history
    }

    fn heartbeat(&mut self, time: &str) {
        let mut lease = object("coordination.k8s.io/v1", "Lease", "kube-node-lease", "node");
        lease["spec"] =
            json!({"holderIdentity": "node", "leaseDurationSeconds": 40, "renewTime": time});
        self.put("/registry/leases/kube-node-lease/node", &lease);
    }

    fn transaction(&mut self, changes: Vec<(String, Option<Vec<u8>>)>) {
        self.revision += 1;
        let main = self.revision;
        for (sub, (key, value)) in (0_i64..).zip(changes) {
            let mut record = Record {
                main,
                sub,
                key: key.clone().into_bytes(),
                ..Record::default()
            };
            match value {
                None => {
                    record.tombstone = true;
                    self.lives.remove(&key);
                }
                Some(value) => {
                    let life = self.lives.entry(key).or_insert((main, 0));
                    life.1 += 1;
                    (record.create_revision, record.version) = *life;
                    record.mod_revision = main;
                    record.value = value;
                }
            }
            self.records.push(record);
        }
    }

    fn put(&mut self, key: &str, value: &Value) {
        self.put_bytes(key, value.to_string().into_bytes());
    }

    fn put_bytes(&mut self, key: &str, value: Vec<u8>) {
        self.transaction(vec![(key.to_owned(), Some(value))]);
    }

    fn delete(&mut self, key: &str) {
        self.transaction(vec![(key.to_owned(), None)]);
    }

    /// The store and a log, with this as its largest object.
    fn made(mut self, key: &str, resource: &'static str) -> Made {
        self.heartbeat("2026-11-20T21:01:00.000000Z");
        let mut largest = self
            .records
            .iter()
            .filter(|record| record.key == key.as_bytes() && !record.tombstone);
        let largest = largest.next_back().cloned().unwrap_or_default();
        let mut store = Store::new(Version::V3_6);
        let pair = |record: &Record| (record.bucket_key(), record.bucket_value());
        store.set_bucket("key", Bucket::of(self.records.iter().map(pair)));
        for (name, bucket) in self.buckets {
            store.set_bucket(name, bucket);
        }
        // The state one commit before: without the last record.
        let mut former = store.clone();
        let before = self
            .records
            .split_last()
            .map_or(&[][..], |(_, before)| before);
        former.set_bucket("key", Bucket::of(before.iter().map(pair)));
        let mut builder = store.builder().older(Older::State(former.root()));
        if let Some(stale) = self.stale {
            builder = builder.stale(stale);
        }
        if self.zero_pages > 0 {
            builder = builder
                .zero_pages(self.zero_pages)
                .freelist(Freelist::Persisted);
        }
        if self.requests.is_empty() {
            self.requests.push(wal_put("/registry/a", b"a"));
        }
        Made {
            db: builder.build().bytes,
            wal: wal(&self.requests),
            key: key.to_owned(),
            resource,
            record: largest.bucket_value(),
            value: largest.value,
        }
    }
}

/// A log whose first entries are in the database already.
fn wal(requests: &[Vec<u8>]) -> Vec<u8> {
    let mut file = WalFile::after(None);
    file.metadata(7, 9);
    for index in 1..5 {
        file.entry(2, index, &[]);
    }
    let mut last = 4;
    for (index, request) in (5_i64..).zip(requests) {
        file.entry(2, index, request);
        last = index;
    }
    file.state(2, last);
    file.bytes
}

fn wal_put(key: &str, value: &[u8]) -> Vec<u8> {
    Message::new().nest(4, put_request(key, value, 0)).finish()
}

fn put_request(key: &str, value: &[u8], lease: i64) -> Message {
    Message::new().put(1, key).put(2, value).put_int(3, lease)
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut metadata = json!({"name": name, "uid": format!("uid-{namespace}-{name}"),
        "creationTimestamp": "2026-11-20T21:00:00Z"});
    if !namespace.is_empty() {
        metadata["namespace"] = json!(namespace);
    }
    metadata["labels"] = json!({"app": "a"});
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata})
}

fn config_map(name: &str, data: Value) -> Value {
    let mut map = object("v1", "ConfigMap", "a", name);
    map["data"] = data;
    map
}

const CONFIG_MAP: &str = "/registry/configmaps/a/c";

fn one_transaction(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let changes = (0..n).map(|i| {
            let value = (turn == 0 || i % 3 > 0)
                .then(|| config_map(&format!("c{i}"), json!({"v": turn})).to_string());
            (
                format!("/registry/configmaps/a/c{i}"),
                value.map(String::into_bytes),
            )
        });
        let changes = changes.collect();
        history.transaction(changes);
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

fn many_versions(n: usize) -> Made {
    let mut history = History::new();
    for version in 0..n {
        history.put(
            CONFIG_MAP,
            &config_map("c", json!({"v": version.to_string()})),
        );
    }
    history.made(CONFIG_MAP, "configmaps")
}

fn many_generations(n: usize) -> Made {
    let mut history = History::new();
    for life in 0..n {
        history.put(CONFIG_MAP, &config_map("c", json!({"v": life.to_string()})));
        history.delete(CONFIG_MAP);
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

/// A custom object with a key as long as all of its leaves together.
fn long_path(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let leaves: BTreeMap<_, _> = (0..n)
            .map(|i| (format!("k{i}"), format!("v{turn}")))
            .collect();
        let mut thing = object("example.com/v1", "Thing", "a", "c");
        thing["spec"] = json!({ "p".repeat(8 * n): leaves });
        history.put("/registry/example.com/things/a/c", &thing);
    }
    history.made("/registry/example.com/things/a/c", "things")
}

fn nested_maps(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let chains = (0..n.div_ceil(60)).map(|_| {
            let leaf = json!({ "v": turn });
            (0..60).fold(leaf, |inner, level| json!({ format!("a{level}"): inner }))
        });
        let mut thing = object("example.com/v1", "Thing", "a", "c");
        thing["spec"] = chains.collect();
        history.put("/registry/example.com/things/a/c", &thing);
    }
    history.made("/registry/example.com/things/a/c", "things")
}

/// Many short names, and one that is longer than all of them.
fn long_name(n: usize) -> Made {
    let mut history = History::new();
    let long = "n".repeat(8 * n);
    for turn in 0..2 {
        for i in 0..n {
            let name = format!("c{i}");
            let namespace = format!("ns{i}");
            let mut map = config_map(&name, json!({"v": turn}));
            map["metadata"]["namespace"] = json!(namespace);
            history.put(&format!("/registry/configmaps/{namespace}/{name}"), &map);
        }
        let mut map = config_map(&long, json!({"v": turn}));
        map["metadata"]["namespace"] = json!(long);
        map["metadata"]["labels"] = json!({"app": long});
        map["metadata"]["managedFields"] = json!([manager(&long, "f:v")]);
        history.put(&format!("/registry/configmaps/{long}/c"), &map);
    }
    history.delete(&format!("/registry/configmaps/{long}/c"));
    for i in 0..n {
        history.delete(&format!("/registry/configmaps/ns{i}/c{i}"));
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

fn many_containers(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let mut pod = object("v1", "Pod", "a", "c");
        let containers: Vec<_> = (0..n)
            .map(|i| json!({"name": format!("c{i}"), "image": format!("v{turn}")}))
            .collect();
        let statuses: Vec<_> = (0..n)
            .rev()
            .map(|i| json!({"name": format!("c{i}"), "ready": true, "restartCount": i, "state": {"running": {}}}))
            .collect();
        pod["spec"] = json!({"containers": containers, "initContainers": containers});
        pod["status"] = json!({"phase": "Running", "containerStatuses": statuses, "initContainerStatuses": statuses});
        history.put("/registry/pods/a/c", &pod);
    }
    history.made("/registry/pods/a/c", "pods")
}

fn manager(name: &str, field: &str) -> Value {
    json!({"manager": name, "operation": "Update", "apiVersion": "v1", "time": "2026-11-20T21:00:10Z",
        "fieldsType": "FieldsV1", "fieldsV1": {"f:data": {field: {}}}})
}

fn many_managers(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let data: BTreeMap<_, _> = (0..n)
            .map(|i| (format!("k{i}"), format!("v{turn}")))
            .collect();
        let mut map = config_map("c", json!(data));
        let managers = (0..n).map(|i| manager(&format!("m{i}"), &format!("f:k{i}")));
        map["metadata"]["managedFields"] = managers.collect();
        history.put(CONFIG_MAP, &map);
    }
    history.made(CONFIG_MAP, "configmaps")
}

fn many_entries(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let entry = |i: usize| (format!("k{i}"), STANDARD.encode(format!("v{turn}-{i}")));
        let data: BTreeMap<_, _> = (0..n).map(entry).collect();
        let mut secret = object("v1", "Secret", "a", "c");
        secret["data"] = json!(data);
        history.put("/registry/secrets/a/c", &secret);
    }
    history.made("/registry/secrets/a/c", "secrets")
}

fn shuffled_list(n: usize) -> Made {
    // The search for the shortest edit is bounded from about a thousand items on. Below that its cost is the square: the
    // lists of a small run are longer than their n, so that all of them are in the bounded part.
    let n = if n < 2000 { 4 * n } else { n };
    let mut history = History::new();
    for turn in 0..2 {
        let mut items: Vec<Value> = (0..n).map(|i| json!(format!("v{i}"))).collect();
        let mut objects: Vec<Value> = (0..n)
            .map(|i| json!({"id": i, "v": {"w": i % 7}}))
            .collect();
        if turn == 1 {
            items.reverse();
            objects.rotate_left(n / 3);
            objects
                .iter_mut()
                .step_by(5)
                .for_each(|item| *item = json!({"id": -1}));
        }
        let mut thing = object("example.com/v1", "Thing", "a", "c");
        thing["spec"] = json!({"items": items, "objects": objects});
        history.put("/registry/example.com/things/a/c", &thing);
    }
    history.made("/registry/example.com/things/a/c", "things")
}

fn many_lines(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let line = |i: usize| format!("v {} {}\n", i, if i.is_multiple_of(3) { turn } else { 0 });
        let mut lines: Vec<String> = (0..n).map(line).collect();
        if turn == 1 {
            lines.rotate_left(n / 2);
        }
        let data =
            json!({"text": lines.concat(), "one-line": "v".repeat(n), "words": "v ".repeat(n)});
        history.put(CONFIG_MAP, &config_map("c", data));
    }
    history.made(CONFIG_MAP, "configmaps")
}

fn encrypted_values(n: usize) -> Made {
    let mut history = History::new();
    for i in 0..n {
        let value = [b"k8s:enc:aescbc:v1:key1:".as_slice(), &[i as u8; 48]].concat();
        history.put_bytes(&format!("/registry/secrets/a/c{i}"), value);
    }
    history.put_bytes(
        "/registry/secrets/a/c",
        [b"k8s:enc:secretbox:v1:key1:".as_slice(), &[7; 64]].concat(),
    );
    history.made("/registry/secrets/a/c", "secrets")
}

fn definition(plural: &str, kind: &str, columns: Value) -> Value {
    let mut definition = object(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "",
        &format!("{plural}.example.com"),
    );
    definition["spec"] = json!({"group": "example.com", "scope": "Namespaced",
        "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
        "versions": [{"name": "v1", "served": true, "storage": true, "additionalPrinterColumns": columns,
            "schema": {"openAPIV3Schema": {"type": "object"}}}]});
    definition
}

const DEFINITIONS: &str = "/registry/apiextensions.k8s.io/customresourcedefinitions";

fn many_definitions(n: usize) -> Made {
    let mut history = History::new();
    for i in 0..n {
        let columns = json!([{"name": "V", "type": "string", "jsonPath": ".spec.v"}]);
        let (plural, kind) = (format!("thing{i}s"), format!("Thing{i}"));
        let definition = definition(&plural, &kind, columns);
        history.put(&format!("{DEFINITIONS}/{plural}.example.com"), &definition);
        let mut thing = object("example.com/v1", &kind, "a", "c");
        thing["spec"] = json!({"v": i});
        history.put(&format!("/registry/example.com/{plural}/a/c"), &thing);
    }
    history.made("/registry/example.com/thing0s/a/c", "thing0s")
}

/// A definition whose column looks through the whole object again and again.
fn searching_column(n: usize) -> Made {
    let mut history = History::new();
    let columns = json!([{"name": "V", "type": "string", "jsonPath": "..a..a..a"},
        {"name": "W", "type": "string", "jsonPath": ".spec.list[*].list[?(@.a==\"a\")].a"}]);
    let definition = definition("things", "Thing", columns);
    history.put(&format!("{DEFINITIONS}/things.example.com"), &definition);
    for turn in 0..2 {
        let mut thing = object("example.com/v1", "Thing", "a", "c");
        let nested = (0..30).fold(json!("v"), |inner, _| json!({"a": inner, "b": [turn]}));
        let list: Vec<_> = (0..n.div_ceil(30)).map(|_| nested.clone()).collect();
        thing["spec"] = json!({ "a": list });
        history.put("/registry/example.com/things/a/c", &thing);
    }
    history.made("/registry/example.com/things/a/c", "things")
}

fn owner_chain(n: usize) -> Made {
    let mut history = History::new();
    let key = |i: usize| format!("/registry/configmaps/a/c{i}");
    for i in 0..n {
        let mut map = config_map(&format!("c{i}"), json!({"v": i}));
        if i > 0 {
            let owner = format!("c{}", i - 1);
            map["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap", "name": owner,
                "uid": format!("uid-a-{owner}"), "controller": true}]);
        }
        history.put(&key(i), &map);
    }
    for i in 0..n {
        history.delete(&key(i));
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

fn much_metadata(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let mut map = config_map("c", json!({"v": turn}));
        let texts: BTreeMap<_, _> = (0..n)
            .map(|i| (format!("k{i}"), format!("v{turn}")))
            .collect();
        let owners = (0..n).map(|i| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": format!("c{i}"), "uid": format!("uid-a-c{i}")})
        });
        let metadata = &mut map["metadata"];
        metadata["ownerReferences"] = owners.collect();
        metadata["finalizers"] = (0..n).map(|i| json!(format!("example.com/f{i}"))).collect();
        metadata["labels"] = json!(texts);
        metadata["annotations"] = json!(texts);
        history.put(CONFIG_MAP, &map);
    }
    history.delete(CONFIG_MAP);
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

fn deleted_namespaces(n: usize) -> Made {
    let mut history = History::new();
    for i in 0..n {
        let name = format!("ns{i}");
        let mut namespace = object("v1", "Namespace", "", &name);
        history.put(&format!("/registry/namespaces/{name}"), &namespace);
        let mut map = config_map("c", json!({"v": i}));
        map["metadata"]["namespace"] = json!(name);
        history.put(&format!("/registry/configmaps/{name}/c"), &map);
        namespace["metadata"]["deletionTimestamp"] = json!("2026-11-20T21:00:30Z");
        namespace["status"] = json!({"phase": "Terminating"});
        history.put(&format!("/registry/namespaces/{name}"), &namespace);
        history.delete(&format!("/registry/configmaps/{name}/c"));
        history.delete(&format!("/registry/namespaces/{name}"));
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

fn events_and_leases(n: usize) -> Made {
    let mut history = History::new();
    for i in 0..n {
        let mut event = object("v1", "Event", "a", &format!("e{i}"));
        let time = format!("2026-11-20T21:00:{:02}Z", i * 60 / n.max(1));
        event["involvedObject"] = json!({"kind": "Pod", "name": "c", "namespace": "a"});
        event["lastTimestamp"] = json!(time);
        event["firstTimestamp"] = json!(time);
        event["reason"] = json!(format!("reason{i}"));
        event["message"] = json!("v");
        history.put(&format!("/registry/events/a/e{i}"), &event);
        let mut lease = object(
            "coordination.k8s.io/v1",
            "Lease",
            "kube-node-lease",
            &format!("node{i}"),
        );
        let time = time.replace('Z', ".000000Z");
        lease["spec"] = json!({"holderIdentity": format!("node{i}"), "renewTime": time});
        history.put(&format!("/registry/leases/kube-node-lease/node{i}"), &lease);
    }
    history.made("/registry/events/a/e0", "events")
}

fn foreign_keys(n: usize) -> Made {
    let mut history = History::new();
    let prefix = "d/".repeat(50);
    for turn in 0..2 {
        for i in 0..n {
            let value = match i % 4 {
                0 => format!("{{\"v\": {turn}}}"),
                1 => format!("v: {turn}\n"),
                2 => format!("v{turn}\u{1}\u{ff}"),
                _ => String::new(),
            };
            history.put_bytes(&format!("/app/{prefix}{i}"), value.into_bytes());
        }
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

fn wide_json(n: usize) -> Made {
    let mut history = History::new();
    for turn in 0..2 {
        let mut thing = object("example.com/v1", "Thing", "a", "c");
        let pairs: serde_json::Map<_, _> = (0..n)
            .map(|i| (format!("k{i}"), json!([[], {}, turn])))
            .collect();
        let numbers: Vec<_> = (0..n).map(|i| json!(i as f64 + 0.5)).collect();
        thing["spec"] = json!({"pairs": pairs, "numbers": numbers});
        history.put("/registry/example.com/things/a/c", &thing);
    }
    history.made("/registry/example.com/things/a/c", "things")
}

fn many_buckets(n: usize) -> Made {
    let mut history = History::new();
    for i in 0..n {
        let inner = Bucket::of([(format!("k{i}"), "v")]);
        history.buckets.push((format!("b{i}").into_bytes(), inner));
    }
    let leases = (1..=n as i64).map(|id| (id.to_be_bytes(), lease_value(id, 60, 0)));
    history
        .buckets
        .push((b"lease".to_vec(), Bucket::of(leases)));
    history.zero_pages = n.div_ceil(8) as u64;
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    history.made(CONFIG_MAP, "configmaps")
}

/// Freed pages with versions that the tree has no more.
fn freed_pages(n: usize) -> Made {
    let mut history = History::new();
    for version in 0..n {
        history.put(
            CONFIG_MAP,
            &config_map("c", json!({"v": version.to_string()})),
        );
    }
    let from = 2;
    let old: Vec<Record> = history.records.drain(from..from + n - 1).collect();
    let pair = |record: &Record| (record.bucket_key(), record.bucket_value());
    history.stale = Some(Bucket::of(old.iter().map(pair)));
    let compacted = [&(n as i64 + 2).to_be_bytes()[..], b"_", &[0; 8]].concat();
    let mut meta = Bucket::new()
        .put("consistent_index", 4_u64.to_be_bytes())
        .put("term", 2_u64.to_be_bytes());
    for name in ["scheduledCompactRev", "finishedCompactRev"] {
        meta = meta.put(name, compacted.clone());
    }
    history.buckets.push((b"meta".to_vec(), meta));
    history.made(CONFIG_MAP, "configmaps")
}

fn wal_entries(n: usize) -> Made {
    let mut history = History::new();
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    for i in 0..n {
        let value = config_map(&format!("c{i}"), json!({"v": i})).to_string();
        let request = wal_put(
            &format!("/registry/configmaps/a/c{}", i % 100),
            value.as_bytes(),
        );
        history.requests.push(request);
    }
    history.made(CONFIG_MAP, "configmaps")
}

fn transaction(compares: &[Message], success: &[Message]) -> Vec<u8> {
    let mut txn = Message::new();
    for compare in compares {
        txn = txn.nest(1, compare.clone());
    }
    for operation in success {
        txn = txn.nest(2, operation.clone());
    }
    Message::new().nest(6, txn).finish()
}

fn wal_transaction(n: usize) -> Made {
    let mut history = History::new();
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    let puts: Vec<_> = (0..n)
        .map(|i| {
            Message::new().nest(
                2,
                put_request(&format!("/registry/configmaps/a/c{i}"), b"v", 0),
            )
        })
        .collect();
    history.requests.push(transaction(&[], &puts));
    let delete = Message::new()
        .put(1, "/registry/configmaps/a/c")
        .put(2, "/registry/configmaps/a/d");
    history
        .requests
        .push(Message::new().nest(5, delete).finish());
    let nested = Message::new().nest(
        4,
        puts.iter()
            .fold(Message::new(), |txn, put| txn.nest(2, put.clone())),
    );
    history.requests.push(transaction(&[], &[nested]));
    history.made(CONFIG_MAP, "configmaps")
}

fn wal_compares(n: usize) -> Made {
    let mut history = History::new();
    for i in 0..n {
        history.put(
            &format!("/registry/configmaps/a/c{i}"),
            &config_map(&format!("c{i}"), json!({"v": i})),
        );
    }
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    let compare = |target: i64| {
        Message::new()
            .set_int(1, 1)
            .set_int(2, target)
            .put(3, "/registry/a")
            .put(64, "/registry/z")
    };
    let compares: Vec<_> = (0..n).map(|i| compare(i as i64 % 3)).collect();
    let put = Message::new().nest(2, put_request("/registry/x", b"v", 0));
    history
        .requests
        .push(transaction(&compares, std::slice::from_ref(&put)));
    for _ in 0..n {
        history
            .requests
            .push(transaction(&[compare(2)], std::slice::from_ref(&put)));
    }
    history.made(CONFIG_MAP, "configmaps")
}

/// The same few keys are attached to each lease in turn, and all leases are revoked.
fn wal_leases(n: usize) -> Made {
    let mut history = History::new();
    history.put(CONFIG_MAP, &config_map("c", json!({"v": "1"})));
    for id in 1..=n as i64 {
        let grant = Message::new().set_int(1, 60).set_int(2, id);
        history
            .requests
            .push(Message::new().nest(8, grant).finish());
        let put = put_request(&format!("/registry/x{}", id % 10), b"v", id);
        history.requests.push(Message::new().nest(4, put).finish());
        let put = put_request(&format!("/registry/y{id}"), b"v", n as i64);
        history.requests.push(Message::new().nest(4, put).finish());
    }
    for id in 1..=n as i64 {
        let revoke = Message::new().set_int(1, id);
        history
            .requests
            .push(Message::new().nest(9, revoke).finish());
    }
    history.made(CONFIG_MAP, "configmaps")
}
