//! Where the parts of a key are in the layouts of aggregated API servers, kcp, Calico and OpenShift: the metadata of the
//! objects decides.

mod incomplete;
mod kcp;
mod openshift;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, read_unpacked, testdata};

/// A database of these keys, with pages of this size.
struct Case {
    scratch: Scratch,
    db: String,
}

impl Case {
    fn new(name: &str, store: &Store, page_size: usize) -> Self {
        let builder = store.builder().page_size(page_size);
        Self::of_image(name, &builder.build().bytes)
    }

    fn of_image(name: &str, image: &[u8]) -> Self {
        let scratch = Scratch::new(&format!("layouts-{name}"));
        let db = scratch.file("s.db", image).to_str().unwrap().to_owned();
        Self { scratch, db }
    }

    fn fixture(name: &str) -> Self {
        let packed = testdata(&format!("layouts/{name}.db.gz"));
        Self::of_image(name, &read_unpacked(&packed))
    }

    fn run(&self, line: &str) -> Run {
        let words = line.split(' ');
        etcdive(words.map(|word| if word == "DB" { self.db.as_str() } else { word }))
    }

    fn rows(&self, line: &str) -> Vec<Value> {
        let run = self.run(line);
        let lines = run.text().lines();
        lines
            .map(|row| serde_json::from_str(row).unwrap())
            .collect()
    }

    /// How many keys each resource has, or each namespace.
    fn counts(&self, flag: &str) -> BTreeMap<String, u64> {
        let rows = self.rows(&format!("ls DB {flag} -o jsonl")).into_iter();
        let name = |row: &Value| {
            let name = ["resource", "namespace", "folder"].map(|field| row[field].as_str());
            name.into_iter().flatten().next().unwrap().to_owned()
        };
        rows.map(|row| (name(&row), row["keys"].as_u64().unwrap()))
            .collect()
    }

    /// The names that `get` finds.
    fn names(&self, words: &str) -> Vec<String> {
        let run = self.run(&format!("get DB {words} -o name"));
        run.text().lines().map(str::to_owned).collect()
    }
}

fn object(api_version: &str, kind: &str, namespace: &str, name: &str) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind,
        "metadata": {"name": name, "uid": format!("uid-{name}")}, "spec": {"a": 1}});
    if !namespace.is_empty() {
        object["metadata"]["namespace"] = namespace.into();
    }
    object
}

fn put(store: &mut Store, key: &str, object: &Value) {
    store.put(key, object.to_string());
}

fn counted<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    let counts = counts.into_iter();
    counts
        .map(|(name, count)| (name.to_owned(), count))
        .collect()
}

#[test]
fn the_objects_of_an_aggregated_api_server_are_found_by_namespace_and_name() {
    let case = Case::fixture("aggregated");
    assert_eq!(case.counts("--namespaces"), counted([("default", 1)]));
    let kinds = [
        ("fischers.wardle.example.com", 1),
        ("flunders.wardle.example.com", 1),
    ];
    assert_eq!(case.counts("--kinds"), counted(kinds));
    assert_eq!(
        case.names("flunders -n default"),
        ["flunder.wardle.example.com/my-flunder"]
    );
    assert_eq!(case.names("fischer/f1").len(), 1);
    let run = case.run("recover DB -n prod -o name");
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(
        run.text(),
        "/registry/wardle.example.com/wardle.example.com/flunders/prod/two\n"
    );
}

#[test]
fn metadata_decides_where_the_namespace_of_an_aggregated_object_is() {
    for (root, page_size) in [
        ("/registry/a.example.com/a.example.com", 4096),
        ("/registry/some-server/a.example.com", 16384),
        ("/registry/a/b/c/a.example.com", 512),
        ("/registry/pods/a.example.com", 4096),
        ("/prefix/a.example.com/a.example.com", 65536),
    ] {
        let mut store = Store::new(Version::V3_6);
        let of_group = |kind: &str, namespace: &str, name: &str| {
            object("a.example.com/v1beta1", kind, namespace, name)
        };
        for (path, object) in [
            ("gadgets/shop/shop", of_group("Gadget", "shop", "shop")),
            (
                "gadgets/gadgets/gadgets",
                of_group("Gadget", "gadgets", "gadgets"),
            ),
            ("policies/p", of_group("Policy", "", "p")),
            ("policies/policies", of_group("Policy", "", "policies")),
            // A plural that nobody can infer from the kind.
            ("oxen/farm/one", of_group("Ox", "farm", "one")),
        ] {
            put(&mut store, &format!("{root}/{path}"), &object);
        }
        let case = Case::new("aggregated-variants", &store, page_size);
        let namespaces = [("farm", 1), ("gadgets", 1), ("shop", 1)];
        assert_eq!(case.counts("--namespaces"), counted(namespaces), "{root}");
        let kinds = [
            ("gadgets.a.example.com", 2),
            ("oxen.a.example.com", 1),
            ("policies.a.example.com", 2),
        ];
        assert_eq!(case.counts("--kinds"), counted(kinds), "{root}");
        assert_eq!(case.names("gadget shop -n shop").len(), 1, "{root}");
        assert_eq!(case.names("policies policies").len(), 1, "{root}");
        assert_eq!(case.names("oxen -n farm").len(), 1, "{root}");
    }
}

#[test]
fn logical_clusters_of_kcp_are_neither_namespaces_nor_names() {
    let mut store = Store::new(Version::V3_6);
    let widget = |name: &str| object("example.io/v1", "Widget", "default", name);
    for (key, object) in [
        (
            "core/namespaces/root/default",
            object("v1", "Namespace", "", "default"),
        ),
        (
            "core/configmaps/root/default/ca",
            object("v1", "ConfigMap", "default", "ca"),
        ),
        (
            "core/configmaps/2cynbfy2m0/default/ca",
            object("v1", "ConfigMap", "default", "ca"),
        ),
        (
            "rbac.authorization.k8s.io/clusterroles/root/admin",
            object("rbac.authorization.k8s.io/v1", "ClusterRole", "", "admin"),
        ),
        (
            "apis.kcp.io/apibindings/customresources/2cynbfy2m0/b",
            object("apis.kcp.io/v1alpha1", "APIBinding", "", "b"),
        ),
        (
            "example.io/widgets/customresources/root/default/w1",
            widget("w1"),
        ),
        (
            "example.io/widgets/0123abcd/2cynbfy2m0/default/w2",
            widget("w2"),
        ),
    ] {
        put(&mut store, &format!("/registry/{key}"), &object);
    }
    let case = Case::new("kcp", &store, 4096);
    let namespaces = case.rows("ls DB --namespaces -o jsonl");
    let namespaces: Vec<String> = namespaces.iter().map(Value::to_string).collect();
    let row = |cluster: &str| {
        namespaces
            .iter()
            .filter(|row| row.contains(cluster))
            .count()
    };
    assert_eq!(
        (row("2cynbfy2m0"), row("root"), namespaces.len()),
        (1, 1, 2)
    );
    let kinds = [
        ("apibindings.apis.kcp.io", 1),
        ("clusterroles.rbac.authorization.k8s.io", 1),
        ("configmaps", 2),
        ("namespaces", 1),
        ("widgets.example.io", 2),
    ];
    assert_eq!(case.counts("--kinds"), counted(kinds));
    assert_eq!(case.names("configmaps -n default").len(), 2);
    assert_eq!(case.names("cm ca -n root").len(), 0);
    assert_eq!(case.names("clusterrole admin").len(), 1);
    assert_eq!(case.names("widgets w2 -n default").len(), 1);
    let part = |row: &Value| {
        let parts = ["identity", "cluster", "namespace", "name"];
        parts.map(|part| row[part].as_str().unwrap_or("-").to_owned())
    };
    let parts: Vec<_> = case
        .rows("ls DB widgets -o jsonl")
        .iter()
        .map(part)
        .collect();
    assert_eq!(
        parts,
        [
            ["0123abcd", "2cynbfy2m0", "default", "w2"],
            ["-", "root", "default", "w1"]
        ]
    );
}

#[test]
fn objects_of_calico_without_an_api_server_have_resources_and_namespaces() {
    let mut store = Store::new(Version::V3_6);
    // Its address management writes first, and writes no objects.
    for block in 0..20 {
        let key = format!("/calico/ipam/v2/assignment/ipv4/block/10.0.{block}.0-26");
        store.put(
            key,
            json!({"cidr": "10.0.0.0/26", "affinity": "host:n"}).to_string(),
        );
    }
    for (path, kind, namespace, name) in [
        (
            "networkpolicies/shop/default.allow",
            "NetworkPolicy",
            "shop",
            "default.allow",
        ),
        ("ippools/default-ipv4", "IPPool", "", "default-ipv4"),
        ("profiles/kns.shop", "Profile", "", "kns.shop"),
    ] {
        let key = format!("/calico/resources/v3/projectcalico.org/{path}");
        put(
            &mut store,
            &key,
            &object("projectcalico.org/v3", kind, namespace, name),
        );
    }
    let case = Case::new("calico", &store, 4096);
    assert_eq!(case.counts("--namespaces"), counted([("shop", 1)]));
    let kinds = case.counts("--kinds");
    for resource in ["networkpolicies", "ippools", "profiles"] {
        let name = format!("{resource}.projectcalico.org");
        assert_eq!(kinds.get(&name), Some(&1), "{kinds:?}");
    }
    // No API server wrote it: the word is not the built-in resource's.
    assert_eq!(case.names("networkpolicies -n shop").len(), 1);
    assert_eq!(case.names("ippool default-ipv4").len(), 1);
}

#[test]
fn keys_that_their_objects_contradict_are_in_no_namespace() {
    let mut store = Store::new(Version::V3_6);
    let deep = format!("/registry/{}x", "a/".repeat(500));
    for (key, namespace, name) in [
        ("/registry/gadgets/shop/one", "other", "one"),
        ("/registry/example.com//gadgets//one", "", "one"),
        ("/registry//one", "", "one"),
        (deep.as_str(), "", "x"),
        ("/registry/pods/shop/a/b/c", "", "c"),
    ] {
        put(
            &mut store,
            key,
            &object("example.com/v1", "Gadget", namespace, name),
        );
    }
    let case = Case::new("contradicted", &store, 4096);
    let run = case.run("ls DB --kinds");
    assert!(
        run.code == 0 && !run.text().contains("gadgets.example.com"),
        "{}",
        run.text()
    );
    // The key of a pod stays one.
    assert_eq!(case.counts("--namespaces"), counted([("shop", 1)]));
    for line in ["get DB pods -A", "recover DB", "log DB", "fsck DB"] {
        assert!(case.run(line).code < 4, "{line}");
    }
}

#[test]
fn the_route_of_an_openshift_store_comes_back_whole() {
    let case = Case::fixture("openshift");
    let folder = case.scratch.path().join("out");
    let run = case.run(&format!("recover DB --out {}", folder.to_str().unwrap()));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let text = std::fs::read_to_string(run.text().trim()).unwrap();
    let route: Value = serde_norway::from_str(&text).unwrap();
    assert_eq!(route["spec"]["host"], "web2.apps.example.com");
    assert_eq!(
        route["spec"]["to"],
        json!({"kind": "Service", "name": "web", "weight": 100})
    );
    assert_eq!(route["spec"]["tls"]["termination"], "edge");
    let expected = [
        ("bc", "buildconfig.build.openshift.io/web"),
        ("is", "imagestream.image.openshift.io/web"),
        ("dc", "deploymentconfig.apps.openshift.io/web"),
        ("templates", "template.template.openshift.io/tpl"),
        ("user", "user.user.openshift.io/alice"),
        ("projects", "namespace/shop"),
        (
            "clusterversion",
            "clusterversion.config.openshift.io/version",
        ),
    ];
    for (word, name) in expected {
        assert_eq!(case.names(&format!("{word} -A")), [name], "{word}");
    }
    assert_eq!(case.names("route/web -n shop --at 12").len(), 1);
    let kinds = case.counts("--kinds");
    assert_eq!(kinds.get("oauthaccesstokens.oauth.openshift.io"), Some(&1));
    assert!(kinds.keys().all(|kind| !kind.contains('/')), "{kinds:?}");
}
