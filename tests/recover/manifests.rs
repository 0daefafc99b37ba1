//! Each rule of what a manifest leaves out, of which objects controllers make, and of definitions of custom resources.

use etcdive::k8s::controlled::{Others, Reason, reason};
use etcdive::k8s::manifest::{Options, manifest};
use serde_json::{Value, json};

fn stripped(object: Value) -> (Value, Vec<String>) {
    manifest(object, Options::default(), &|uid| uid == "alive")
}

#[test]
fn what_the_server_owns_is_left_out_and_the_rest_stays() {
    let (got, notes) = stripped(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "a", "namespace": "n", "uid": "u", "resourceVersion": "7", "generation": 2,
            "creationTimestamp": "t", "managedFields": [{}], "selfLink": "/x",
            "deletionTimestamp": "t", "deletionGracePeriodSeconds": 0,
            "labels": {"app": "a"},
            "annotations": {"deployment.kubernetes.io/revision": "3", "mine": "x"},
            "finalizers": ["foregroundDeletion", "mine.example.com/f"],
            "ownerReferences": [{"uid": "alive"}, {"uid": "gone"}],
        },
        "data": {"k": "v"}, "status": {"x": 1},
    }));
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "a", "namespace": "n", "labels": {"app": "a"},
            "annotations": {"mine": "x"}, "finalizers": ["mine.example.com/f"],
            "ownerReferences": [{"uid": "alive"}],
        },
        "data": {"k": "v"},
    });
    assert_eq!(got, expected);
    assert!(notes.len() == 1 && notes[0].contains("owners"), "{notes:?}");
    let options = Options {
        strip_finalizers: true,
    };
    let object = json!({"kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["f"], "ownerReferences": [{"uid": "gone"}], "annotations": {"deployment.kubernetes.io/revision": "1"}}});
    let (got, _) = manifest(object, options, &|_| false);
    assert_eq!(got, json!({"kind": "ConfigMap", "metadata": {"name": "a"}}));
}

#[test]
fn a_pod_loses_its_node_its_priority_and_the_volume_of_its_token() {
    let volume = |name: &str| json!({"name": name});
    let (got, _) = stripped(json!({
        "kind": "Pod", "metadata": {"name": "a"},
        "spec": {
            "nodeName": "n1", "priority": 5, "preemptionPolicy": "Never", "ephemeralContainers": [{}],
            "priorityClassName": "high",
            "volumes": [volume("data"), volume("kube-api-access-x1y2z")],
            "initContainers": [{"name": "i", "volumeMounts": [volume("kube-api-access-x1y2z")]}],
            "containers": [{"name": "c", "volumeMounts": [volume("kube-api-access-x1y2z"), volume("data")]}],
        },
    }));
    let expected = json!({
        "priorityClassName": "high",
        "volumes": [volume("data")],
        "initContainers": [{"name": "i"}],
        "containers": [{"name": "c", "volumeMounts": [volume("data")]}],
    });
    assert_eq!(got["spec"], expected);
}

#[test]
fn addresses_bindings_and_selectors_with_uids_are_given_out_anew() {
    let spec = |kind: &str, spec: Value| {
        let (got, notes) = stripped(json!({"kind": kind, "metadata": {"name": "a"}, "spec": spec}));
        (got.get("spec").cloned().unwrap_or_default(), notes)
    };
    let (service, _) = spec(
        "Service",
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "healthCheckNodePort": 3, "ports": [{"nodePort": 30000}]}),
    );
    assert_eq!(service, json!({"ports": [{"nodePort": 30000}]}));
    let headless = json!({"clusterIP": "None", "clusterIPs": ["None"]});
    assert_eq!(spec("Service", headless.clone()).0, headless);
    let (claim, notes) = spec(
        "PersistentVolumeClaim",
        json!({"volumeName": "pv-1", "volumeMode": "Block"}),
    );
    assert_eq!(claim, json!({"volumeMode": "Block"}));
    assert!(notes[0].contains("bound to volume pv-1"), "{notes:?}");
    let (volume, _) = spec(
        "PersistentVolume",
        json!({"claimRef": {"name": "c", "namespace": "n", "uid": "u", "resourceVersion": "1"}}),
    );
    assert_eq!(volume, json!({"claimRef": {"name": "c", "namespace": "n"}}));
    assert_eq!(
        spec("Namespace", json!({"finalizers": ["kubernetes"]})).0,
        Value::Null
    );
    let template =
        json!({"metadata": {"labels": {"controller-uid": "u", "job-name": "a", "app": "x"}}});
    let (job, _) = spec(
        "Job",
        json!({"selector": {"matchLabels": {"controller-uid": "u"}}, "template": template}),
    );
    assert_eq!(
        job,
        json!({"template": {"metadata": {"labels": {"app": "x"}}}})
    );
    let manual =
        json!({"manualSelector": true, "selector": {"matchLabels": {"controller-uid": "mine"}}});
    assert_eq!(spec("Job", manual.clone()).0, manual);
}

#[test]
fn a_definition_of_v1beta1_becomes_one_of_v1() {
    let (got, _) = stripped(json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "books.example.com"},
        "spec": {
            "group": "example.com", "version": "v1", "preserveUnknownFields": true,
            "validation": {"openAPIV3Schema": {"properties": {"spec": {"type": "object"}}}},
            "subresources": {"status": {}},
            "additionalPrinterColumns": [{"name": "Pages", "JSONPath": ".spec.pages"}],
            "versions": [{"name": "v1", "served": true, "storage": true}, {"name": "v2", "served": true, "storage": false, "schema": {"openAPIV3Schema": {"type": "object"}}}],
            "conversion": {"strategy": "Webhook", "webhookClientConfig": {"url": "https://x"}, "conversionReviewVersions": ["v1"]},
        },
        "status": {},
    }));
    let column = json!([{"name": "Pages", "jsonPath": ".spec.pages"}]);
    let expected = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "books.example.com"},
        "spec": {
            "group": "example.com",
            "versions": [
                {"name": "v1", "served": true, "storage": true,
                 "schema": {"openAPIV3Schema": {"properties": {"spec": {"type": "object"}}, "type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                 "subresources": {"status": {}}, "additionalPrinterColumns": column},
                {"name": "v2", "served": true, "storage": false,
                 "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}},
                 "subresources": {"status": {}}, "additionalPrinterColumns": column},
            ],
            "conversion": {"strategy": "Webhook", "webhook": {"clientConfig": {"url": "https://x"}, "conversionReviewVersions": ["v1"]}},
        },
    });
    assert_eq!(got, expected);
    // The oldest form, of one version and without a schema.
    let (got, _) = stripped(json!({
        "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "x"}, "spec": {"version": "v1"},
    }));
    let version = &got["spec"]["versions"][0];
    assert_eq!(
        (&version["name"], &version["storage"]),
        (&json!("v1"), &json!(true))
    );
    assert_eq!(version["schema"]["openAPIV3Schema"]["type"], "object");
}

#[test]
fn what_controllers_make_is_told_from_what_somebody_wrote() {
    let told = |object: Value| {
        let others = Others {
            is_known: &|uid| uid == "known",
            has_service: &|namespace, name| (namespace, name) == ("n", "web"),
        };
        reason(&object, &others)
    };
    let object = |api: &str, kind: &str, name: &str, more: Value| {
        let mut object =
            json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "n"}});
        for (name, value) in more.as_object().unwrap() {
            match value.as_object() {
                Some(value) if name == "metadata" => object["metadata"]
                    .as_object_mut()
                    .unwrap()
                    .extend(value.clone()),
                _ => drop(
                    object
                        .as_object_mut()
                        .unwrap()
                        .insert(name.clone(), value.clone()),
                ),
            }
        }
        told(object)
    };
    let owned =
        |uid: &str| json!({"metadata": {"ownerReferences": [{"uid": uid, "controller": true}]}});
    assert_eq!(
        object("v1", "Pod", "a", owned("known")),
        Some(Reason::Owned)
    );
    // Nobody makes it anew whose owner was never seen.
    assert_eq!(object("v1", "Pod", "a", owned("unknown")), None);
    assert_eq!(
        object(
            "v1",
            "ConfigMap",
            "a",
            json!({"metadata": {"ownerReferences": [{"uid": "known"}]}})
        ),
        None
    );
    assert_eq!(
        object("v1", "Endpoints", "web", json!({})),
        Some(Reason::OfService)
    );
    assert_eq!(object("v1", "Endpoints", "by-hand", json!({})), None);
    let slice =
        |by: &str| json!({"metadata": {"labels": {"endpointslice.kubernetes.io/managed-by": by}}});
    assert_eq!(
        object(
            "discovery.k8s.io/v1",
            "EndpointSlice",
            "a",
            slice("endpointslice-controller.k8s.io")
        ),
        Some(Reason::OfService)
    );
    assert_eq!(
        object("discovery.k8s.io/v1", "EndpointSlice", "a", slice("me")),
        None
    );
    assert_eq!(
        object("v1", "ServiceAccount", "default", json!({})),
        Some(Reason::OfNamespace)
    );
    assert_eq!(object("v1", "ServiceAccount", "robot", json!({})), None);
    assert_eq!(
        object("v1", "ConfigMap", "kube-root-ca.crt", json!({})),
        Some(Reason::OfNamespace)
    );
    assert_eq!(
        object(
            "v1",
            "Secret",
            "t",
            json!({"type": "kubernetes.io/service-account-token"})
        ),
        Some(Reason::Token)
    );
    assert_eq!(object("v1", "Secret", "t", json!({"type": "Opaque"})), None);
    assert_eq!(object("v1", "Event", "e", json!({})), Some(Reason::Event));
    assert_eq!(
        object("coordination.k8s.io/v1", "Lease", "n1", json!({})),
        Some(Reason::Lease)
    );
    assert_eq!(
        object("v1", "Endpoints", "", json!({})),
        Some(Reason::Internal)
    );
    assert_eq!(
        object(
            "internal.apiserver.k8s.io/v1alpha1",
            "StorageVersion",
            "x",
            json!({})
        ),
        Some(Reason::Internal)
    );
    let label = |name: &str| json!({"metadata": {"labels": {name: "x"}}});
    assert_eq!(
        object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            "admin",
            label("kubernetes.io/bootstrapping")
        ),
        Some(Reason::Bootstrap)
    );
    assert_eq!(
        object(
            "rbac.authorization.k8s.io/v1",
            "ClusterRole",
            "mine",
            json!({})
        ),
        None
    );
    assert_eq!(
        object(
            "apiregistration.k8s.io/v1",
            "APIService",
            "v1.",
            label("kube-aggregator.kubernetes.io/automanaged")
        ),
        Some(Reason::Bootstrap)
    );
    assert_eq!(
        object("v1", "Namespace", "kube-system", json!({})),
        Some(Reason::Bootstrap)
    );
    assert_eq!(object("v1", "Namespace", "shop", json!({})), None);
    assert_eq!(
        object(
            "scheduling.k8s.io/v1",
            "PriorityClass",
            "system-node-critical",
            json!({})
        ),
        Some(Reason::Bootstrap)
    );
    let schema =
        json!({"metadata": {"annotations": {"apf.kubernetes.io/autoupdate-spec": "true"}}});
    assert_eq!(
        object("flowcontrol.apiserver.k8s.io/v1", "FlowSchema", "x", schema),
        Some(Reason::Bootstrap)
    );
}
