//! The plan of a recovery, the summary, and what is said before manifests are used.

use serde_json::{Value, json};

use super::synthetic::{object, run};
use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch};

fn ask(store: &Store, name: &str, line: &str) -> Run {
    let scratch = Scratch::new(&format!("recover-plan-{name}"));
    let image = store.builder().build().bytes;
    run(&scratch, &image, line)
}

/// Puts objects at keys, and deletes them.
fn deleted(objects: &[(&str, Value)]) -> Store {
    let mut store = Store::new(Version::V3_6);
    for (key, object) in objects {
        store.put(*key, object.to_string());
    }
    for (key, _) in objects {
        store.delete(*key);
    }
    store
}

fn of(api_version: &str, kind: &str, name: &str, more: Value) -> Value {
    let bytes = object(kind, "a", name, more);
    let mut object: Value = serde_json::from_slice(&bytes).unwrap();
    object["apiVersion"] = api_version.into();
    object
}

fn shop() -> Store {
    let job =
        json!({"spec": {}, "status": {"conditions": [{"type": "Complete", "status": "True"}]}});
    deleted(&[
        ("/registry/jobs/a/done", of("batch/v1", "Job", "done", job)),
        (
            "/registry/deployments/a/web",
            of(
                "apps/v1",
                "Deployment",
                "web",
                json!({"spec": {"replicas": 2}}),
            ),
        ),
        (
            "/registry/services/specs/a/web",
            of(
                "v1",
                "Service",
                "web",
                json!({"spec": {"clusterIP": "10.0.0.7"}}),
            ),
        ),
        (
            "/registry/secrets/a/key",
            of(
                "v1",
                "Secret",
                "key",
                json!({"data": {"password": "c2VjcmV0"}}),
            ),
        ),
        ("/registry/events/a/e", of("v1", "Event", "e", json!({}))),
    ])
}

#[test]
fn a_plan_has_the_order_the_remarks_the_reasons_and_no_values() {
    let store = shop();
    let plan = ask(&store, "table", "recover DB --plan");
    assert_eq!(plan.code, 0, "{}", plan.stderr);
    let lines: Vec<&str> = plan.text().lines().collect();
    let place = |part: &str| lines.iter().position(|line| line.contains(part)).unwrap();
    let order = [
        "/secrets/a/key",
        "/services/specs/a/web",
        "/deployments/a/web",
    ]
    .map(place);
    assert_eq!(order, [1, 2, 3]);
    assert!(lines[2].ends_with("new cluster address"), "{}", plan.text());
    assert!(lines[place("/jobs/a/done")].ends_with("left out: ended, and would run again"));
    assert!(lines[place("/events/a/e")].ends_with("left out: events"));
    assert!(
        plan.text()
            .contains("3 come back (1 Deployment, 1 Secret, 1 Service); 2 are left out:\n")
    );
    assert!(!plan.text().contains("c2VjcmV0") && !plan.text().contains("replicas"));
    // The names are those of the files.
    let scratch = Scratch::new("recover-plan-files");
    let image = store.builder().build().bytes;
    let names = run(&scratch, &image, "recover DB --plan -o name");
    let folder = scratch.path().join("out");
    let written = run(
        &scratch,
        &image,
        &format!("recover DB --out {}", folder.to_str().unwrap()),
    );
    let written: Vec<&str> = written
        .text()
        .lines()
        .map(|path| path.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names.text().lines().collect::<Vec<_>>(), written);
    let json: Value =
        serde_json::from_str(ask(&store, "json", "recover DB --plan -o json").text()).unwrap();
    let rows = json.as_array().unwrap();
    assert_eq!(rows[1]["file"], "0002-service-a-web.yaml");
    assert_eq!(rows[1]["remarks"], json!(["new cluster address"]));
    assert_eq!(rows[3]["left_out"], "finished");
    assert_eq!(rows.last().unwrap()["summary"]["comes_back"], 3);
}

#[test]
fn the_summary_counts_by_reason() {
    let store = shop();
    let table = ask(&store, "summary", "recover DB");
    for part in [
        "3 come back (1 Deployment, 1 Secret, 1 Service); 2 are left out:\nCOUNT  BROUGHT BACK BY     WHAT",
        "    1  --controlled=event  events: 1 Event\n",
        "    1  --finished          ended, and would run again: 1 Job\n",
    ] {
        let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            squeezed(&table.stderr).contains(&squeezed(part)),
            "{part}: {}",
            table.stderr
        );
    }
    let rows: Value =
        serde_json::from_str(ask(&store, "summary-json", "recover DB -o json").text()).unwrap();
    let expected = json!({"comes_back": 3, "left_out": [
        {"reason": "event", "count": 1, "kinds": {"Event": 1}},
        {"reason": "finished", "count": 1, "kinds": {"Job": 1}},
    ]});
    assert_eq!(
        rows.as_array().unwrap().last().unwrap()["summary"],
        expected
    );
}

#[test]
fn a_webhook_that_refuses_and_a_definition_that_was_deleted_are_reported_before_use() {
    let webhook = |policy: &str| {
        let service = json!({"namespace": "a", "name": "hook"});
        let webhooks =
            json!([{"name": "h", "failurePolicy": policy, "clientConfig": {"service": service}}]);
        of(
            "admissionregistration.k8s.io/v1",
            "ValidatingWebhookConfiguration",
            policy,
            json!({ "webhooks": webhooks }),
        )
    };
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "books.example.com"},
        "spec": {"group": "example.com", "names": {"plural": "books", "kind": "Book"}, "scope": "Namespaced",
            "versions": [{"name": "v1", "served": true, "storage": true}]},
    });
    let folder = "/registry/validatingwebhookconfigurations";
    let (fail, ignore) = (format!("{folder}/Fail"), format!("{folder}/Ignore"));
    let crd = "/registry/apiextensions.k8s.io/customresourcedefinitions/books.example.com";
    let store = deleted(&[
        (&fail, webhook("Fail")),
        (&ignore, webhook("Ignore")),
        (crd, definition),
        (
            "/registry/example.com/books/a/b",
            of("example.com/v1", "Book", "b", json!({"spec": {}})),
        ),
    ]);
    let yaml = ask(&store, "webhooks", "recover DB -o yaml");
    assert!(
        yaml.stderr.contains(
            "1 webhook configuration comes back (/registry/validatingwebhookconfigurations/Fail)"
        ),
        "{}",
        yaml.stderr
    );
    assert!(
        yaml.stderr.contains("run `kubectl create` twice"),
        "{}",
        yaml.stderr
    );
    let books = ask(&store, "definition", "recover DB books -n a -o yaml");
    assert!(
        books
            .stderr
            .contains("1 custom resource needs a definition that was deleted"),
        "{}",
        books.stderr
    );
    let hint = books
        .stderr
        .lines()
        .find(|line| line.contains("brings the definitions back"))
        .unwrap();
    assert!(hint.contains(" crd books.example.com`"), "{hint}");
    let crd = ask(&store, "crd", "recover DB crd books.example.com -o name");
    assert_eq!(crd.text().lines().count(), 1, "{}", crd.stderr);
}

#[test]
fn versions_that_no_definition_serves_are_reported() {
    let definition = |plural: &str, strategy: &str, served: bool| {
        json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.example.com")},
            "spec": {"group": "example.com", "names": {"plural": plural, "kind": "Book"}, "scope": "Namespaced",
                "conversion": {"strategy": strategy},
                "versions": [{"name": "v1", "served": false, "storage": true}, {"name": "v2", "served": served, "storage": false}]},
        })
    };
    let mut store = Store::new(Version::V3_6);
    for (plural, strategy, served) in [
        ("books", "Webhook", true),
        ("tomes", "None", false),
        ("texts", "None", true),
    ] {
        let crd = format!(
            "/registry/apiextensions.k8s.io/customresourcedefinitions/{plural}.example.com"
        );
        store.put(crd, definition(plural, strategy, served).to_string());
        let key = format!("/registry/example.com/{plural}/a/{plural}");
        store.put(
            key.clone(),
            object("Book", "a", plural, json!({"spec": {}})),
        );
        store.delete(key);
    }
    let yaml = ask(&store, "versions", "recover DB -o yaml");
    for part in [
        "# example.com/v1 is not served any more: convert it to v2 before you create it.",
        "# example.com/v1 is not served any more, and its definition serves no version.",
        "# It was stored as example.com/v1, which is not served. The version here has the same fields.\napiVersion: example.com/v2\n",
    ] {
        assert!(yaml.text().contains(part), "{part}: {}", yaml.text());
    }
    assert!(
        yaml.stderr
            .contains("2 objects are stored in a version that its definition does not serve"),
        "{}",
        yaml.stderr
    );
}

#[test]
fn definitions_that_do_not_parse_and_claims_of_one_volume_are_shown_all_the_same() {
    let claim = |name: &str| {
        let bound = json!({"annotations": {"pv.kubernetes.io/bound-by-controller": "yes"}});
        of(
            "v1",
            "PersistentVolumeClaim",
            name,
            json!({"metadata": bound, "spec": {"volumeName": "pv-1"}}),
        )
    };
    let crd = "/registry/apiextensions.k8s.io/customresourcedefinitions/books.example.com";
    let mut store = deleted(&[
        ("/registry/persistentvolumeclaims/a/one", claim("one")),
        ("/registry/persistentvolumeclaims/a/two", claim("two")),
        (
            crd,
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "books.example.com"}, "spec": {"versions": 7, "names": []}}),
        ),
        (
            "/registry/example.com/books/a/b",
            of("example.com/v1", "Book", "b", json!({"spec": {}})),
        ),
    ]);
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv-1", "uid": "v"},
        "spec": {"persistentVolumeReclaimPolicy": "Retain", "claimRef": {"namespace": "a", "name": "one", "uid": "uid-of-one"}}});
    store.put("/registry/persistentvolumes/pv-1", volume.to_string());
    let names = ask(&store, "odd", "recover DB -o name");
    assert_eq!(names.text().lines().count(), 4, "{}", names.stderr);
    let yaml = ask(&store, "odd-yaml", "recover DB pvc -n a -o yaml");
    assert!(
        yaml.text()
            .contains("# It was bound to volume pv-1, which still exists"),
        "{}",
        yaml.text()
    );
    assert!(
        yaml.text()
            .contains("# It was bound to volume pv-1, which is reserved for claim a/one."),
        "{}",
        yaml.text()
    );
    // A volume that is deleted too and comes back is taken by its claim.
    store.delete("/registry/persistentvolumes/pv-1");
    let yaml = ask(&store, "back", "recover DB -o yaml");
    assert!(
        yaml.text()
            .contains("# It was bound to volume pv-1, which is among these manifests"),
        "{}",
        yaml.text()
    );
    let yaml = ask(&store, "not-asked", "recover DB pvc -n a -o yaml");
    assert!(
        yaml.text()
            .contains("# It was bound to volume pv-1, which was deleted too"),
        "{}",
        yaml.text()
    );
}
