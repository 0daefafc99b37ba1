//! kcp: logical clusters that have namespaces, owners, volumes and definitions of the same names.

use serde_json::{Value, json};

use super::{Case, object, put};
use crate::support::files_below;
use crate::support::synth::etcd::{Store, Version};

/// How the keys of configmaps and of a custom resource go on after the prefix.
const FOLDERS: [(&str, &str); 3] = [
    ("core/configmaps", ""),
    ("example.io/widgets", "customresources/"),
    ("example.io/widgets", "0123abcd/"),
];

fn key(folder: (&str, &str), cluster: &str, rest: &str) -> String {
    format!("/registry/{}/{}{cluster}/{rest}", folder.0, folder.1)
}

fn of_folder(folder: (&str, &str), namespace: &str, name: &str) -> Value {
    match folder.0 {
        "core/configmaps" => object("v1", "ConfigMap", namespace, name),
        _ => object("example.io/v1", "Widget", namespace, name),
    }
}

fn namespace_key(cluster: &str, name: &str) -> String {
    format!("/registry/core/namespaces/{cluster}/{name}")
}

fn put_namespace(store: &mut Store, cluster: &str, name: &str) {
    let namespace = object("v1", "Namespace", "", name);
    put(store, &namespace_key(cluster, name), &namespace);
}

/// Deletes a namespace as its controller does: a timestamp, its objects, itself.
fn delete_namespace(store: &mut Store, cluster: &str, name: &str, inside: &[&str]) {
    let mut namespace = object("v1", "Namespace", "", name);
    namespace["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    put(store, &namespace_key(cluster, name), &namespace);
    for key in inside {
        store.delete(*key);
    }
    store.delete(namespace_key(cluster, name));
}

/// Namespace `shop` in two clusters. In `one` an object of it is deleted by itself; then `other` loses the namespace.
fn two_shops(folder: (&str, &str), one: &str, other: &str) -> Store {
    let mut store = Store::new(Version::V3_6);
    let own = key(folder, one, "shop/own");
    let stays = key(folder, one, "shop/stays");
    let inside = key(folder, other, "shop/inside");
    for cluster in [one, other] {
        put_namespace(&mut store, cluster, "shop");
    }
    for (key, name) in [(&own, "own"), (&stays, "stays"), (&inside, "inside")] {
        put(&mut store, key, &of_folder(folder, "shop", name));
    }
    store.delete(own.as_str());
    delete_namespace(&mut store, other, "shop", &[&inside]);
    store
}

#[test]
fn a_deleted_namespace_of_one_logical_cluster_decides_nothing_in_another() {
    for ((one, other), page_size) in [("root", "2cynbfy2m0"), ("zz", "aa"), ("a:b", "a")]
        .into_iter()
        .zip([4096, 16384, 512])
    {
        for folder in FOLDERS {
            let store = two_shops(folder, one, other);
            let case = Case::new("kcp-shops", &store, page_size);
            let rows = case.rows("recover DB -o jsonl");
            let of = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap();
            // Deleted by itself: `shop` of its own cluster exists.
            let own = of("own");
            assert_eq!(own["comes_back"], true, "{own}");
            assert_eq!(own["cluster"], one);
            assert!(own.get("deletion_of").is_none(), "{own}");
            let inside = of("inside");
            assert_eq!(inside["deletion_of"], "namespace", "{inside}");
            assert_eq!(inside["cluster"], other);
            let run = case.run("recover DB -o name");
            assert!(
                run.stderr.contains(&format!(
                    "namespace shop of logical cluster {other} turned Terminating"
                )) && run.stderr.contains("1 object in it was deleted"),
                "{}",
                run.stderr
            );
            assert!(!run.stderr.contains(&format!("cluster {one} turned")));
        }
    }
}

#[test]
fn a_terminating_namespace_counts_the_objects_of_its_own_logical_cluster() {
    for (one, other, left) in [("root", "org", 3), ("b", "a", 2), ("a", "b", 1)] {
        let mut store = Store::new(Version::V3_6);
        let folder = FOLDERS[0];
        for cluster in [one, other] {
            put_namespace(&mut store, cluster, "shop");
            let count = if cluster == one { left } else { left + 1 };
            for number in 0..count {
                let (key, name) = (format!("shop/c{number}"), format!("c{number}"));
                let object = of_folder(folder, "shop", &name);
                put(&mut store, &super::kcp::key(folder, cluster, &key), &object);
            }
        }
        let gone = key(folder, one, "shop/gone");
        put(&mut store, &gone, &of_folder(folder, "shop", "gone"));
        store.delete(gone.as_str());
        let mut namespace = object("v1", "Namespace", "", "shop");
        namespace["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        put(&mut store, &namespace_key(one, "shop"), &namespace);
        let case = Case::new("kcp-terminating", &store, 4096);
        let run = case.run("recover DB");
        let objects = if left == 1 {
            "object is"
        } else {
            "objects are"
        };
        let said = [
            format!("namespace shop of logical cluster {one} is Terminating"),
            format!("{left} {objects} still in it"),
            format!("-n shop --cluster {one} --at"),
        ];
        for said in said {
            assert!(run.stderr.contains(&said), "{said}: {}", run.stderr);
        }
    }
}

#[test]
fn an_owner_owns_in_its_own_logical_cluster_only() {
    let folder = FOLDERS[0];
    for (one, other) in [("root", "org"), ("b", "a"), ("a", "b")] {
        let mut store = Store::new(Version::V3_6);
        let mut owned = of_folder(folder, "shop", "owned");
        owned["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "ConfigMap",
            "name": "owner", "uid": "uid-owner"}]);
        for cluster in [one, other] {
            let owner = key(folder, cluster, "shop/owner");
            put(&mut store, &owner, &of_folder(folder, "shop", "owner"));
            put(&mut store, &key(folder, cluster, "shop/owned"), &owned);
        }
        // In the first cluster the owner goes before what it owns, in the other it stays.
        store.delete(key(folder, one, "shop/owner"));
        for cluster in [one, other] {
            store.delete(key(folder, cluster, "shop/owned"));
        }
        let case = Case::new("kcp-owners", &store, 4096);
        let rows = case.rows("recover DB -o jsonl");
        let cause = |cluster: &str| {
            let mut rows = rows.iter();
            let row = rows.find(|row| row["cluster"] == cluster && row["name"] == "owned");
            row.unwrap()["deletion_of"].as_str().map(str::to_owned)
        };
        assert_eq!(cause(one).as_deref(), Some("owner"), "{rows:?}");
        assert_eq!(cause(other), None, "{rows:?}");
        let kept = case.run("recover DB --keep-owners -o yaml");
        let manifests: Vec<&str> = kept.text().split("---\n").skip(1).collect();
        let with_owner = manifests.iter().filter(|text| text.contains("uid-owner"));
        assert_eq!(with_owner.count(), 1, "{}", kept.text());
    }
}

#[test]
fn a_claim_is_bound_to_the_volume_of_its_own_logical_cluster() {
    let volume = |policy: &str| {
        let mut volume = object("v1", "PersistentVolume", "", "pv-1");
        volume["metadata"]["annotations"] = json!({"pv.kubernetes.io/provisioned-by": "p"});
        volume["spec"] = json!({"persistentVolumeReclaimPolicy": policy,
            "claimRef": {"namespace": "shop", "name": "data", "uid": "uid-data"}});
        volume
    };
    let mut claim = object("v1", "PersistentVolumeClaim", "shop", "data");
    claim["spec"] = json!({"volumeName": "pv-1", "storageClassName": "fast"});
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "fast"}, "provisioner": "p"});
    for (kept, deleted) in [("root", "org"), ("b", "a"), ("a", "b")] {
        let mut store = Store::new(Version::V3_6);
        let volume_key = |cluster: &str| format!("/registry/core/persistentvolumes/{cluster}/pv-1");
        let claim_key =
            |cluster: &str| format!("/registry/core/persistentvolumeclaims/{cluster}/shop/data");
        for (cluster, policy) in [(kept, "Retain"), (deleted, "Delete")] {
            put(&mut store, &volume_key(cluster), &volume(policy));
            put(&mut store, &claim_key(cluster), &claim);
        }
        let class_key = format!("/registry/storage.k8s.io/storageclasses/{kept}/fast");
        put(&mut store, &class_key, &class);
        for cluster in [kept, deleted] {
            store.delete(claim_key(cluster));
        }
        store.delete(volume_key(deleted));
        let case = Case::new("kcp-volumes", &store, 4096);
        let manifest = |cluster: &str| {
            let run = case.run(&format!("recover DB pvc --cluster {cluster} -o yaml"));
            assert_eq!(run.text().matches("kind: Persistent").count(), 1);
            run.text().to_owned()
        };
        let (of_kept, of_deleted) = (manifest(kept), manifest(deleted));
        assert!(of_kept.contains("which still exists"), "{of_kept}");
        assert!(!of_deleted.contains("which still exists"), "{of_deleted}");
        let rows = case.rows("recover DB pv -o jsonl");
        let reasons: Vec<_> = rows.iter().map(|row| &row["left_out"]).collect();
        assert_eq!(reasons, ["volume"], "{rows:?}");
    }
}

/// A definition of widgets with one column.
fn definition(name: &str, column: &str) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": name, "uid": format!("uid-{name}-{column}")},
        "spec": {"group": "example.io", "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "additionalPrinterColumns": [{"name": column, "type": "integer", "jsonPath": ".spec.a"}]}]}})
}

fn definition_key(cluster: &str, name: &str) -> String {
    format!("/registry/apiextensions.k8s.io/customresourcedefinitions/{cluster}/{name}")
}

#[test]
fn each_logical_cluster_has_its_own_definition_of_a_custom_resource() {
    let name = "widgets.example.io";
    for (one, other) in [("root", "org"), ("b", "a"), ("a", "b")] {
        let mut store = Store::new(Version::V3_6);
        for (cluster, name, column) in [
            (one, name, "Alpha"),
            (other, name, "Beta"),
            ("system:bound-crds", "5f3a", "Gamma"),
        ] {
            put(
                &mut store,
                &definition_key(cluster, name),
                &definition(name, column),
            );
        }
        let widget = |name: &str| of_folder(FOLDERS[1], "shop", name);
        for cluster in [one, other] {
            put(
                &mut store,
                &key(FOLDERS[1], cluster, "shop/w"),
                &widget("w"),
            );
        }
        put(
            &mut store,
            &key(FOLDERS[2], one, "shop/bound"),
            &widget("bound"),
        );
        let case = Case::new("kcp-definitions", &store, 4096);
        for (line, column) in [
            (format!("get DB widgets w --cluster {one}"), "ALPHA"),
            (format!("get DB widgets w --cluster {other}"), "BETA"),
            (format!("get DB widgets bound --cluster {one}"), "GAMMA"),
        ] {
            let run = case.run(&line);
            assert!(run.text().contains(column), "{line}: {}", run.text());
            assert_eq!(run.text().lines().count(), 2, "{}", run.text());
        }
        let all = case.run("get DB widgets -A");
        for column in ["ALPHA", "BETA", "GAMMA"] {
            assert!(all.text().contains(column), "{}", all.text());
        }
        // The definition of one goes, with what it defines.
        for key in [
            key(FOLDERS[1], one, "shop/w"),
            key(FOLDERS[2], one, "shop/bound"),
        ] {
            store.delete(key);
        }
        store.delete(definition_key(one, name));
        let case = Case::new("kcp-definition-gone", &store, 4096);
        let run = case.run("recover DB widgets -o yaml");
        let said = "1 custom resource needs a definition that was deleted";
        assert!(run.stderr.contains(said), "{}", run.stderr);
        store.delete(key(FOLDERS[1], other, "shop/w"));
        let case = Case::new("kcp-definition-there", &store, 4096);
        let run = case.run(&format!("recover DB widgets --cluster {other} -o yaml"));
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(!run.stderr.contains("definition"), "{}", run.stderr);
    }
}

#[test]
fn two_definitions_in_one_logical_cluster_decide_no_columns() {
    for (second, shown) in [("Beta", false), ("Alpha", true)] {
        let mut store = Store::new(Version::V3_6);
        for (name, column) in [("1111", "Alpha"), ("2222", second)] {
            let key = definition_key("system:bound-crds", name);
            put(&mut store, &key, &definition(name, column));
        }
        let bound = of_folder(FOLDERS[2], "shop", "bound");
        put(&mut store, &key(FOLDERS[2], "root", "shop/bound"), &bound);
        let case = Case::new("kcp-ambiguous", &store, 4096);
        let run = case.run("get DB widgets -A");
        assert_eq!(run.text().contains("ALPHA"), shown, "{}", run.text());
        assert!(run.text().contains("bound"), "{}", run.text());
    }
}

#[test]
fn tables_and_rows_name_the_logical_cluster_where_there_are_several() {
    for folder in FOLDERS {
        let store = two_shops(folder, "root", "org");
        let word = folder.0.rsplit('/').next().unwrap();
        let case = Case::new("kcp-columns", &store, 4096);
        let table = case.run(&format!("get DB {word} -A --at 6"));
        let rows: Vec<Vec<&str>> = table
            .text()
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(rows[0][..3], ["CLUSTER", "NAMESPACE", "NAME"]);
        assert_eq!(rows[1][..3], ["org", "shop", "inside"], "{}", table.text());
        assert_eq!(rows[2][..3], ["root", "shop", "own"]);
        let one = case.run(&format!("get DB {word} -n shop --cluster root"));
        assert!(one.text().starts_with("NAME "), "{}", one.text());
        let namespaces = case.run("ls DB --namespaces --at 6");
        let heads = namespaces.text().lines().next().unwrap();
        assert!(heads.starts_with("CLUSTER") && heads.contains("NAMESPACE"));
        let rows = case.rows("ls DB --namespaces --at 6 -o jsonl");
        let counts: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row["cluster"].as_str().unwrap(),
                    row["keys"].as_u64().unwrap(),
                )
            })
            .collect();
        assert_eq!(counts, [("org", 1), ("root", 2)]);
        assert_eq!(
            case.run("ls DB --namespaces --at 6 -o name").text(),
            "shop\n"
        );
    }
    // With one cluster no name of a cluster is needed.
    let mut store = Store::new(Version::V3_6);
    put_namespace(&mut store, "root", "shop");
    let own = key(FOLDERS[0], "root", "shop/own");
    put(&mut store, &own, &of_folder(FOLDERS[0], "shop", "own"));
    let case = Case::new("kcp-one-cluster", &store, 4096);
    assert!(case.run("get DB cm -A").text().starts_with("NAMESPACE "));
    assert!(
        case.run("ls DB --namespaces")
            .text()
            .starts_with("NAMESPACE ")
    );
    let rows = case.rows("ls DB --namespaces -o jsonl");
    assert!(rows[0].get("cluster").is_none(), "{rows:?}");
}

#[test]
fn cluster_narrows_every_verb_that_takes_addresses() {
    for folder in FOLDERS {
        let store = two_shops(folder, "root", "org");
        let case = Case::new("kcp-narrow", &store, 4096);
        let word = folder.0.rsplit('/').next().unwrap();
        let has = |line: &str| {
            let run = case.run(line);
            assert!(run.code < 2, "{line}: {}", run.stderr);
            ["own", "stays", "inside"].map(|name| run.text().contains(&format!("shop/{name}")))
        };
        for (line, expected) in [
            ("ls DB --cluster root", [false, true, false]),
            ("ls DB WORD --cluster root", [false, true, false]),
            ("ls DB --deleted --cluster root", [true, false, false]),
            ("ls DB --deleted --cluster org", [false, false, true]),
            ("ls DB -n shop --cluster root", [false, true, false]),
            ("ls DB -n other,shop --cluster r*", [false, true, false]),
            ("ls DB --cluster root,org --at 6", [true, true, true]),
            ("log DB --cluster root", [true, true, false]),
            ("log DB WORD --cluster org", [false, false, true]),
            ("recover DB --cluster root -o name", [true, false, false]),
            (
                "recover DB -n shop --cluster org -o name",
                [false, false, true],
            ),
            (
                "grep DB metadata --cluster org --at 6",
                [false, false, true],
            ),
            ("diff DB 6.. --cluster root --stat", [true, false, false]),
            ("blame DB WORD/stays --cluster root", [false; 3]),
        ] {
            let line = line.replace("WORD", word);
            if line.starts_with("blame") || line.starts_with("diff") {
                let run = case.run(&line);
                assert!(run.code < 2, "{line}: {}", run.stderr);
                continue;
            }
            assert_eq!(has(&line), expected, "{line}");
        }
        let named = case.run(&format!("get DB {word} --cluster org --at 6 -o name"));
        assert!(named.text().contains("inside") && !named.text().contains("own"));
        let shown = case.run(&format!("show DB {word}/own@6 -n shop --cluster root"));
        assert_eq!(shown.code, 0, "{}", shown.stderr);
        let shown = case.run(&format!("show DB {word}/own@6 -n shop --cluster org"));
        assert_ne!(shown.code, 0);
    }
}

#[test]
fn what_a_logical_cluster_lacks_is_reported_with_its_name() {
    let store = two_shops(FOLDERS[0], "root", "org");
    let case = Case::new("kcp-missing", &store, 4096);
    for (line, code, said) in [
        ("ls DB --cluster rot", 2, "unknown logical cluster \"rot\""),
        ("get DB cm --cluster rot", 2, "did you mean root?"),
        ("recover DB --cluster nowhere", 2, "unknown logical cluster"),
        ("log DB cm --cluster nowhere", 2, "unknown logical cluster"),
        (
            "get DB cm -n nope --cluster root",
            2,
            "unknown namespace \"nope\" in logical cluster \"root\"",
        ),
        (
            "get DB cm -n shop --cluster org",
            1,
            "cm in namespace \"shop\" in logical cluster \"org\" not found: 1 was deleted",
        ),
        (
            "get DB cm -n shop --cluster org",
            1,
            "cm -n shop --cluster org --at",
        ),
        (
            "ls DB -n shop --cluster org",
            1,
            "namespace \"shop\" in logical cluster \"org\" was deleted at revision",
        ),
        (
            "get DB cm/inside --cluster root",
            1,
            "configmaps \"inside\" in logical cluster \"root\" not found",
        ),
        (
            "get DB /registry/core/configmaps/root/shop/stays --cluster root",
            2,
            "--cluster root narrows resources",
        ),
        ("get DB cm/x -A", 1, "not found"),
    ] {
        let run = case.run(&line.replace("cm/inside", "configmaps/inside"));
        assert!(run.stderr.contains(said), "{line}: {}", run.stderr);
        assert_eq!(run.code, code, "{line}: {}", run.stderr);
    }
    // A store without logical clusters has none of any name.
    let mut store = Store::new(Version::V3_6);
    put(
        &mut store,
        "/registry/pods/shop/web",
        &object("v1", "Pod", "shop", "web"),
    );
    let case = Case::new("kcp-none", &store, 4096);
    for line in ["ls DB --cluster root", "get DB pods --cluster root"] {
        let run = case.run(line);
        assert_eq!(run.code, 2, "{line}: {}", run.stderr);
        assert!(
            run.stderr.contains("unknown logical cluster"),
            "{}",
            run.stderr
        );
    }
}

#[test]
fn files_of_several_logical_clusters_are_in_a_folder_each() {
    for (folder, clusters) in FOLDERS
        .into_iter()
        .zip([["a", "b"], ["root", "org"], ["x:y", "x"]])
    {
        let mut store = Store::new(Version::V3_6);
        let keys = clusters.map(|cluster| key(folder, cluster, "shop/own"));
        for key in &keys {
            put(&mut store, key, &of_folder(folder, "shop", "own"));
        }
        let case = Case::new("kcp-files", &store, 4096);
        let out = case.scratch.path().join("get");
        let word = folder.0.rsplit('/').next().unwrap();
        let run = case.run(&format!("get DB {word} --out {}", out.display()));
        assert_eq!(
            (run.code, files_below(&out).len()),
            (0, 2),
            "{}",
            run.stderr
        );
        for key in &keys {
            store.delete(key.as_str());
        }
        let case = Case::new("kcp-files-recovered", &store, 4096);
        let out = case.scratch.path().join("recovered");
        let run = case.run(&format!("recover DB --out {}", out.display()));
        let files = files_below(&out);
        assert_eq!(files.len(), 2, "{}", run.stderr);
        let parents: std::collections::BTreeSet<_> =
            files.iter().map(|file| file.parent().unwrap()).collect();
        assert_eq!(parents.len(), 2, "{files:?}");
        assert_eq!(run.stderr.matches("`kubectl create -f ").count(), 2);
        let stream = case.run("recover DB -o yaml");
        assert!(
            stream.stderr.contains("manifests of 2 logical clusters"),
            "{}",
            stream.stderr
        );
        let line = format!("recover DB --cluster {} -o yaml", clusters[0]);
        let stream = case.run(&line);
        assert!(
            !stream.stderr.contains("logical clusters"),
            "{}",
            stream.stderr
        );
        let plan = case.run("recover DB --plan -o name");
        assert_eq!(plan.text().matches('/').count(), 2, "{}", plan.text());
    }
}
