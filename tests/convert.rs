//! Built-in objects in versions that a release serves: `recover --for` and `get --for`.

mod get;

use std::collections::BTreeMap;

use etcdive::k8s::convert::convert;
use etcdive::k8s::release::Release;
use etcdive::k8s::served::VersionChange;
use serde_json::{Value, json};

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Scratch, etcdive, read_unpacked, testdata};

fn to(object: &Value, release: &str) -> (Value, Option<VersionChange>) {
    let release: Release = release.parse().unwrap();
    let mut object = object.clone();
    let change = convert(&mut object, release);
    (object, change)
}

/// An object that was converted, some of its fields too.
fn with_other_fields(object: Value) -> (Value, Option<VersionChange>) {
    let version = object["apiVersion"].as_str().unwrap().to_owned();
    (object, Some(VersionChange::Fields(version)))
}

fn object(api_version: &str, kind: &str, more: Value) -> Value {
    let mut object = json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}});
    let fields = object.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    object
}

#[test]
fn an_object_of_the_same_shape_gets_the_version_that_is_served() {
    for (stored, kind, release, expected) in [
        ("batch/v1beta1", "CronJob", "1.25", "batch/v1"),
        (
            "rbac.authorization.k8s.io/v1beta1",
            "ClusterRole",
            "1.22",
            "rbac.authorization.k8s.io/v1",
        ),
        (
            "extensions/v1beta1",
            "NetworkPolicy",
            "1.16",
            "networking.k8s.io/v1",
        ),
        ("extensions/v1beta1", "Deployment", "1.35", "apps/v1"),
        (
            "apiregistration.k8s.io/v1beta1",
            "APIService",
            "1.22",
            "apiregistration.k8s.io/v1",
        ),
        ("apps/v1beta2", "StatefulSet", "1.35", "apps/v1"),
        (
            "admissionregistration.k8s.io/v1beta1",
            "ValidatingAdmissionPolicy",
            "1.30",
            "admissionregistration.k8s.io/v1",
        ),
        (
            "networking.k8s.io/v1alpha1",
            "ServiceCIDR",
            "1.35",
            "networking.k8s.io/v1",
        ),
        (
            "storage.k8s.io/v1beta1",
            "VolumeAttributesClass",
            "1.35",
            "storage.k8s.io/v1",
        ),
        // An older release.
        ("batch/v1", "CronJob", "1.20", "batch/v1beta1"),
    ] {
        let (converted, what) = to(&object(stored, kind, json!({})), release);
        let change = VersionChange::To(expected.to_owned());
        assert_eq!(what, Some(change), "{stored} {kind}");
        assert_eq!(
            converted,
            object(expected, kind, json!({})),
            "{stored} {kind}"
        );
    }
}

#[test]
fn what_is_served_or_is_no_built_in_kind_stays() {
    for (stored, kind, release) in [
        ("batch/v1beta1", "CronJob", "1.24"),
        ("autoscaling/v1", "HorizontalPodAutoscaler", "1.35"),
        ("v1", "ConfigMap", "1.35"),
        ("example.com/v1alpha1", "Book", "1.35"),
    ] {
        let stored = object(stored, kind, json!({"unknown": 1}));
        assert_eq!(to(&stored, release), (stored.clone(), None));
    }
}

#[test]
fn fields_that_were_renamed_are_moved_as_kubernetes_moves_them() {
    let ingress =
        |api_version: &str, spec: Value| object(api_version, "Ingress", json!({ "spec": spec }));
    let old = json!({"backend": {"serviceName": "a", "servicePort": 80}, "rules": [{"http": {"paths": [
        {"path": "/", "backend": {"serviceName": "b", "servicePort": "web"}},
        {"path": "/r", "pathType": "Exact", "backend": {"resource": {"kind": "Bucket", "name": "x"}}},
    ]}}]});
    let new = json!({"defaultBackend": {"service": {"name": "a", "port": {"number": 80}}}, "rules": [{"http": {"paths": [
        {"path": "/", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "b", "port": {"name": "web"}}}},
        {"path": "/r", "pathType": "Exact", "backend": {"resource": {"kind": "Bucket", "name": "x"}}},
    ]}}]});
    for stored in ["extensions/v1beta1", "networking.k8s.io/v1beta1"] {
        let (converted, what) = to(&ingress(stored, old.clone()), "1.22");
        let change = VersionChange::Fields("networking.k8s.io/v1".to_owned());
        assert_eq!(what, Some(change));
        assert_eq!(converted, ingress("networking.k8s.io/v1", new.clone()));
    }
    let crd = |api_version: &str, versions: Value| {
        let spec = json!({"group": "example.com", "scope": "Cluster", "names": {"plural": "books", "kind": "Book"}, "versions": versions});
        object(
            api_version,
            "CustomResourceDefinition",
            json!({ "spec": spec }),
        )
    };
    let name = json!({"name": "v1", "served": true, "storage": true});
    let schema = json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    let old = crd("apiextensions.k8s.io/v1beta1", json!([name]));
    let mut version = name.clone();
    version["schema"] = schema;
    let new = crd("apiextensions.k8s.io/v1", json!([version]));
    let change = VersionChange::Fields("apiextensions.k8s.io/v1".to_owned());
    assert_eq!(to(&old, "1.21").1, None);
    assert_eq!(to(&old, "1.22").1, Some(change));
    assert_eq!(to(&old, "1.22").0, new);
    let claims = |claim: Value| object("v1", "Pod", json!({"spec": {"resourceClaims": [claim]}}));
    let old = claims(json!({"name": "g", "source": {"resourceClaimTemplateName": "t"}}));
    assert_eq!(to(&old, "1.30").1, None);
    let new = claims(json!({"name": "g", "resourceClaimTemplateName": "t"}));
    assert_eq!(
        to(&old, "1.35"),
        (new, Some(VersionChange::Fields("v1".to_owned())))
    );
}

#[test]
fn what_has_other_fields_or_another_meaning_is_named_and_stays() {
    let webhooks = |effects: &str| {
        let webhooks = json!([{"name": "w", "sideEffects": effects}]);
        object(
            "admissionregistration.k8s.io/v1beta1",
            "ValidatingWebhookConfiguration",
            json!({ "webhooks": webhooks }),
        )
    };
    let rollback = json!({"spec": {"rollbackTo": {"revision": 1}}});
    let by_hand = [
        (webhooks("Unknown"), "admissionregistration.k8s.io/v1"),
        (
            object("extensions/v1beta1", "Deployment", rollback),
            "apps/v1",
        ),
    ];
    for (stored, served) in by_hand {
        let expected = (
            stored.clone(),
            Some(VersionChange::ByHand(served.to_owned())),
        );
        assert_eq!(to(&stored, "1.35"), expected);
    }
    let change = to(&webhooks("None"), "1.35").1;
    assert!(matches!(change, Some(VersionChange::To(_))));
    let policy = object("policy/v1beta1", "PodSecurityPolicy", json!({}));
    assert_eq!(
        to(&policy, "1.35"),
        (policy.clone(), Some(VersionChange::Removed))
    );
}

#[test]
fn an_empty_selector_of_a_budget_keeps_its_meaning_in_both_directions() {
    let budget = |api_version: &str, selector: &Value| {
        let spec = json!({"spec": {"selector": selector}});
        object(api_version, "PodDisruptionBudget", spec)
    };
    let requires = |operator: &str| {
        let key = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match";
        json!({"matchExpressions": [{"key": key, "operator": operator}]})
    };
    let labels = json!({"matchLabels": {"a": "b"}});
    for (beta, finished, has_other_fields) in [
        (json!({}), requires("Exists"), true),
        (requires("DoesNotExist"), json!({}), true),
        (labels.clone(), labels, false),
    ] {
        let (beta, finished) = (
            budget("policy/v1beta1", &beta),
            budget("policy/v1", &finished),
        );
        let change = |version: &str| {
            Some(if has_other_fields {
                VersionChange::Fields(version.to_owned())
            } else {
                VersionChange::To(version.to_owned())
            })
        };
        let expected = (finished.clone(), change("policy/v1"));
        assert_eq!(to(&beta, "1.35"), expected);
        assert_eq!(to(&finished, "1.20"), (beta, change("policy/v1beta1")));
    }
    let none = object(
        "policy/v1beta1",
        "PodDisruptionBudget",
        json!({"spec": {"minAvailable": 1}}),
    );
    assert_eq!(to(&none, "1.35").0["apiVersion"], "policy/v1");
}

#[test]
fn an_autoscaler_gets_metrics_and_a_behaviour_that_the_finished_version_takes() {
    let prefix = "autoscaling.alpha.kubernetes.io";
    let behavior = r#"{"ScaleUp":null,"ScaleDown":{"StabilizationWindowSeconds":30,"SelectPolicy":null,"Policies":[{"Type":"Percent","Value":10,"PeriodSeconds":60}]}}"#;
    let service = json!({"apiVersion": "v1", "kind": "Service", "name": "s"});
    let mut old = object(
        "autoscaling/v2beta1",
        "HorizontalPodAutoscaler",
        json!({"spec": {"maxReplicas": 9, "metrics": [
            {"type": "Object", "object": {"target": service, "metricName": "q", "targetValue": "0", "averageValue": "2"}},
            {"type": "Object", "object": {"target": service, "metricName": "q", "targetValue": "2k"}},
            {"type": "External", "external": {"metricName": "e", "metricSelector": {}, "targetAverageValue": "1"}},
        ]}}),
    );
    old["metadata"]["annotations"] =
        json!({format!("{prefix}/behavior"): behavior, format!("{prefix}/conditions"): "[]"});
    let new = object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({"spec": {"maxReplicas": 9, "metrics": [
            {"type": "Object", "object": {"describedObject": service, "metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "2"}}},
            {"type": "Object", "object": {"describedObject": service, "metric": {"name": "q"}, "target": {"type": "Value", "value": "2k"}}},
            {"type": "External", "external": {"metric": {"name": "e", "selector": {}}, "target": {"type": "AverageValue", "averageValue": "1"}}},
        ], "behavior": {"scaleDown": {"stabilizationWindowSeconds": 30, "policies": [{"type": "Percent", "value": 10, "periodSeconds": 60}]}}}}),
    );
    assert_eq!(to(&old, "1.35"), with_other_fields(new));
    // A behaviour that cannot be read is dropped, as Kubernetes drops it.
    old["metadata"]["annotations"] = json!({format!("{prefix}/behavior"): "{", "mine": "stays"});
    let (new, _) = to(&old, "1.35");
    assert_eq!(new["metadata"]["annotations"], json!({"mine": "stays"}));
    assert_eq!(new.pointer("/spec/behavior"), None);
}

#[test]
fn an_autoscaler_that_servers_refuse_in_its_version_gets_the_one_that_can_say_it() {
    let name = "autoscaling.alpha.kubernetes.io/metrics";
    let old = |metric: &str| {
        let spec = json!({"spec": {"maxReplicas": 9, "targetCPUUtilizationPercentage": 50}});
        let mut old = object("autoscaling/v1", "HorizontalPodAutoscaler", spec);
        let metrics = format!(
            r#"[{{"type":"Object","object":{{"target":{{"kind":"Service","name":"s"}},"metricName":"q","targetValue":{metric}}}}}]"#
        );
        old["metadata"]["annotations"] = json!({name: metrics});
        old
    };
    let average = old(r#""0","averageValue":"2k""#);
    let new = object(
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        json!({"spec": {"maxReplicas": 9, "metrics": [
            {"type": "Object", "object": {"describedObject": {"kind": "Service", "name": "s"}, "metric": {"name": "q"}, "target": {"type": "AverageValue", "averageValue": "2k"}}},
            {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}},
        ]}}),
    );
    assert_eq!(to(&average, "1.35"), with_other_fields(new));
    assert_eq!(to(&average, "1.22"), (average.clone(), None));
    let value = old(r#""7""#);
    assert_eq!(to(&value, "1.35"), (value.clone(), None));
}

#[test]
fn a_subject_names_its_group_instead_of_its_version() {
    let binding = |version: &str, subjects: Value| {
        let api_version = format!("rbac.authorization.k8s.io/{version}");
        object(&api_version, "RoleBinding", json!({ "subjects": subjects }))
    };
    let group = "rbac.authorization.k8s.io";
    let old = binding(
        "v1alpha1",
        json!([
            {"kind": "ServiceAccount", "apiVersion": "v1", "name": "a", "namespace": "b"},
            {"kind": "User", "apiVersion": "rbac.authorization.k8s.io/v1alpha1", "name": "u"},
            {"kind": "User", "name": "*"},
            {"kind": "Robot", "apiVersion": "example.com/v1", "name": "r"},
        ]),
    );
    let new = binding(
        "v1",
        json!([
            {"kind": "ServiceAccount", "name": "a", "namespace": "b"},
            {"kind": "User", "apiGroup": group, "name": "u"},
            {"kind": "Group", "apiGroup": group, "name": "system:authenticated"},
            {"kind": "Robot", "apiGroup": "example.com", "name": "r"},
        ]),
    );
    assert_eq!(to(&old, "1.35"), with_other_fields(new));
}

#[test]
fn what_the_finished_version_refuses_is_taken_away_or_becomes_an_annotation() {
    let annotated = |api_version: &str, kind: &str, annotations: Value, spec: Value| {
        let mut object = object(api_version, kind, json!({ "spec": spec }));
        if annotations != json!(null) {
            object["metadata"]["annotations"] = annotations;
        }
        object
    };
    let zero = json!({"limited": {"nominalConcurrencyShares": 0}});
    let kept = json!({"flowcontrol.k8s.io/v1beta3-preserve-zero-concurrency-shares": ""});
    let generation = json!({"deprecated.daemonset.template.generation": "7"});
    let flow = "flowcontrol.apiserver.k8s.io";
    for (old, new) in [
        (
            annotated(
                &format!("{flow}/v1beta3"),
                "PriorityLevelConfiguration",
                kept,
                zero.clone(),
            ),
            annotated(
                &format!("{flow}/v1"),
                "PriorityLevelConfiguration",
                json!(null),
                zero,
            ),
        ),
        (
            annotated(
                "extensions/v1beta1",
                "DaemonSet",
                json!(null),
                json!({"templateGeneration": 7}),
            ),
            annotated("apps/v1", "DaemonSet", generation, json!({})),
        ),
    ] {
        assert_eq!(to(&old, "1.35"), with_other_fields(new));
    }
}

#[test]
fn a_version_of_a_newer_release_than_the_newest_is_never_written() {
    for (stored, kind) in [
        ("certificates.k8s.io/v1alpha1", "ClusterTrustBundle"),
        (
            "admissionregistration.k8s.io/v1alpha1",
            "MutatingAdmissionPolicy",
        ),
        (
            "storagemigration.k8s.io/v1alpha1",
            "StorageVersionMigration",
        ),
    ] {
        let stored = object(stored, kind, json!({}));
        assert_eq!(
            to(&stored, "1.35"),
            (stored.clone(), Some(VersionChange::Removed))
        );
    }
}

/// An object whose status lacks what is empty: the types of some versions write that, others do not.
fn with_short_status(object: &Value) -> Value {
    let mut object = object.clone();
    object.get_mut("status").map(remove_empty);
    object
}

fn remove_empty(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.values_mut().for_each(remove_empty);
            let is_empty = |value: &Value| {
                [json!(null), json!(0), json!(""), json!([]), json!({})].contains(value)
            };
            fields.retain(|_, value| !is_empty(value));
        }
        Value::Array(items) => items.iter_mut().for_each(remove_empty),
        _ => {}
    }
}

#[test]
fn objects_filled_at_random_become_what_kubernetes_makes_of_them_or_are_named() {
    let lines = read_unpacked(&testdata("k8s/convert/conversions.jsonl.gz"));
    let lines = String::from_utf8(lines).unwrap();
    let mut counts: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for line in lines.lines() {
        let pair: Value = serde_json::from_str(line).unwrap();
        let (old, new) = (&pair["old"], &pair["new"]);
        let (converted, what) = to(old, "1.35");
        let name = |object: &Value| {
            format!(
                "{} {}",
                object["apiVersion"].as_str().unwrap(),
                object["kind"].as_str().unwrap()
            )
        };
        let count = counts.entry((name(old), name(new))).or_default();
        match what {
            Some(VersionChange::To(_) | VersionChange::Fields(_)) => {
                count.0 += 1;
                assert_eq!(
                    with_short_status(&converted),
                    with_short_status(new),
                    "{old}"
                );
            }
            Some(VersionChange::ByHand(_)) => count.1 += 1,
            other => panic!("{other:?}: {old}"),
        }
    }
    assert!(counts.len() > 20, "{counts:?}");
    // Each version is converted if its objects have nothing that the other lacks.
    let never = counts.iter().find(|(_, (converted, _))| *converted == 0);
    assert_eq!(never, None);
}

#[test]
fn recover_writes_versions_of_the_release_and_counts_what_it_cannot_convert() {
    let mut store = Store::new(Version::V3_6);
    let objects = [
        (
            "/registry/cronjobs/a/a",
            object("batch/v1beta1", "CronJob", json!({})),
        ),
        (
            "/registry/validatingwebhookconfigurations/a",
            object(
                "admissionregistration.k8s.io/v1beta1",
                "ValidatingWebhookConfiguration",
                json!({"webhooks": [{"name": "w", "sideEffects": "Unknown"}]}),
            ),
        ),
        (
            "/registry/podsecuritypolicy/a",
            object("policy/v1beta1", "PodSecurityPolicy", json!({})),
        ),
    ];
    for (key, object) in &objects {
        store.put(*key, object.to_string());
        store.delete(*key);
    }
    let scratch = Scratch::new("recover-for");
    let db = scratch.file("db", &store.builder().build().bytes);
    let ask = |flags: &[&str]| {
        etcdive([&["recover", db.to_str().unwrap(), "-o", "yaml"], flags].concat())
    };
    let run = ask(&["--for", "1.35"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    for part in [
        "# It was stored as batch/v1beta1, which is not served. The version here has the same fields.\napiVersion: batch/v1\n",
        "# admissionregistration.k8s.io/v1beta1 is not served by that release: convert it to admissionregistration.k8s.io/v1 by hand.",
        "# policy/v1beta1 is not served by that release, which does not have the kind.",
    ] {
        assert!(run.text().contains(part), "{part}: {}", run.text());
    }
    for part in [
        "1 object stays as stored for Kubernetes 1.35 (/registry/validatingwebhookconfigurations/a): admissionregistration.k8s.io/v1beta1 is not served by that release: convert it to admissionregistration.k8s.io/v1 by hand.",
        "1 object stays as stored for Kubernetes 1.35 (/registry/podsecuritypolicy/a): policy/v1beta1 is not served by that release, which does not have the kind\n",
    ] {
        assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
    }
    let plain = ask(&[]);
    assert!(
        plain
            .stderr
            .contains("3 manifests are in a version that Kubernetes 1.35 does not serve"),
        "{}",
        plain.stderr
    );
    let old = ask(&["--for", "1.20"]);
    assert!(
        old.text().contains("apiVersion: batch/v1beta1\n")
            && !old.stderr.contains("stays as stored"),
        "{}",
        old.stderr
    );
    assert_eq!(ask(&["--for", "1.9"]).code, 2);
}
