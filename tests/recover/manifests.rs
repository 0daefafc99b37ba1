//! Each rule of what a manifest leaves out, of which objects controllers make, and of definitions of custom resources.

use etcdive::k8s::controlled::{Others, Reason, reason};
use etcdive::k8s::manifest::{Note, Options, manifest};
use serde_json::{Value, json};

const OPTIONS: Options<'static> = Options {
    strip_finalizers: false,
    keeps_status: false,
    keeps_owner: &|uid| uid == "kept",
};

fn stripped(object: Value) -> (Value, Vec<Note>) {
    manifest(object, OPTIONS)
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
            "ownerReferences": [{"uid": "kept"}, {"uid": "gone"}],
        },
        "data": {"k": "v"}, "status": {"x": 1},
    }));
    let expected = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": "a", "namespace": "n", "labels": {"app": "a"},
            "annotations": {"mine": "x"}, "finalizers": ["mine.example.com/f"],
            "ownerReferences": [{"uid": "kept"}],
        },
        "data": {"k": "v"},
    });
    assert_eq!(got, expected);
    assert_eq!(notes, [Note::Owners]);
    let options = Options {
        strip_finalizers: true,
        keeps_owner: &|_| false,
        ..OPTIONS
    };
    let object = json!({"kind": "ConfigMap", "metadata": {"name": "a", "finalizers": ["f"], "ownerReferences": [{"uid": "gone"}], "annotations": {"deployment.kubernetes.io/revision": "1"}}});
    let (got, _) = manifest(object, options);
    assert_eq!(got, json!({"kind": "ConfigMap", "metadata": {"name": "a"}}));
}

#[test]
fn the_status_stays_where_a_manifest_sets_it() {
    let options = Options {
        keeps_status: true,
        ..OPTIONS
    };
    let object = json!({"apiVersion": "example.com/v1", "kind": "Book", "metadata": {"name": "a"}, "status": {"read": true}});
    assert_eq!(manifest(object.clone(), options).0, object);
}

#[test]
fn a_pod_loses_its_node_its_priority_and_the_volume_of_its_token() {
    const TOKENS: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
    let token = json!({"name": "kube-api-access-x1y2z", "projected": {"sources": [{"serviceAccountToken": {}}, {"configMap": {"name": "kube-root-ca.crt"}}]}});
    let old_token =
        json!({"name": "robot-token-x1y2z", "secret": {"secretName": "robot-token-x1y2z"}});
    let mount = |name: &str, path: &str| json!({"name": name, "mountPath": path});
    let data = json!({"name": "data", "emptyDir": {}});
    for token in [token, old_token] {
        let name = token["name"].as_str().unwrap().to_owned();
        let (got, _) = stripped(json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {
                "nodeName": "n1", "priority": 5, "preemptionPolicy": "Never", "ephemeralContainers": [{}],
                "priorityClassName": "high", "serviceAccountName": "robot",
                "volumes": [data, token],
                "initContainers": [{"name": "i", "volumeMounts": [mount(&name, TOKENS)]}],
                "containers": [{"name": "c", "volumeMounts": [mount(&name, TOKENS), mount("data", "/data")]}],
            },
        }));
        let expected = json!({
            "priorityClassName": "high", "serviceAccountName": "robot",
            "volumes": [data],
            "initContainers": [{"name": "i"}],
            "containers": [{"name": "c", "volumeMounts": [mount("data", "/data")]}],
        });
        assert_eq!(got["spec"], expected);
    }
}

#[test]
fn a_volume_that_somebody_wrote_stays_whatever_its_name() {
    let pod = |volume: Value, path: &str| {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},
            "spec": {
                "serviceAccountName": "robot",
                "volumes": [volume],
                "containers": [{"name": "c", "volumeMounts": [{"name": volume["name"], "mountPath": path}]}],
            },
        })
    };
    let token = json!({"projected": {"sources": [{"serviceAccountToken": {}}]}});
    let named = |name: &str, mut volume: Value| {
        volume["name"] = name.into();
        volume
    };
    let path = "/var/run/secrets/kubernetes.io/serviceaccount";
    for mine in [
        pod(named("kube-api-access-data", json!({"emptyDir": {}})), path),
        pod(named("kube-api-access-x1y2z", token.clone()), "/token"),
        pod(named("my-token", token), path),
        pod(
            named(
                "robot-token-x1y2z",
                json!({"secret": {"secretName": "mine"}}),
            ),
            path,
        ),
        pod(
            named(
                "other-token-x1y2z",
                json!({"secret": {"secretName": "other-token-x1y2z"}}),
            ),
            path,
        ),
        pod(
            named(
                "robot-token-x1y2z",
                json!({"secret": {"secretName": "robot-token-x1y2z"}}),
            ),
            "/token",
        ),
    ] {
        assert_eq!(stripped(mine.clone()).0, mine);
    }
}

#[test]
fn a_kind_of_another_group_keeps_its_fields() {
    let spec = json!({
        "clusterIP": "10.0.0.1", "volumeName": "v", "claimRef": {"uid": "u"}, "finalizers": ["f"], "nodeName": "n",
        "selector": {"matchLabels": {"controller-uid": "u"}}, "version": "v1",
    });
    let kinds = [
        "Pod",
        "Service",
        "PersistentVolumeClaim",
        "PersistentVolume",
        "Namespace",
        "Job",
        "CustomResourceDefinition",
        "ServiceAccount",
    ];
    for kind in kinds {
        let object = json!({
            "apiVersion": "example.com/v1", "kind": kind, "metadata": {"name": "a"},
            "spec": spec, "secrets": [{"name": "a-token-x1y2z"}],
        });
        assert_eq!(stripped(object.clone()), (object, Vec::new()), "{kind}");
    }
}

#[test]
fn a_service_account_loses_the_tokens_that_servers_made_for_it() {
    let account = |secrets: Value| json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "robot"}, "secrets": secrets});
    let secrets =
        json!([{"name": "robot-token-x1y2z"}, {"name": "robot-token-mine"}, {"name": "mine"}]);
    assert_eq!(
        stripped(account(secrets)).0,
        account(json!([{"name": "robot-token-mine"}, {"name": "mine"}]))
    );
    let (got, _) = stripped(account(json!([{"name": "robot-token-x1y2z"}])));
    assert_eq!(got.get("secrets"), None);
}

#[test]
fn addresses_bindings_and_selectors_with_uids_are_given_out_anew() {
    let spec = |kind: &str, spec: Value| {
        let group = if kind == "Job" { "batch/v1" } else { "v1" };
        let object =
            json!({"apiVersion": group, "kind": kind, "metadata": {"name": "a"}, "spec": spec});
        let (got, notes) = stripped(object);
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
    assert_eq!(notes, [Note::Bound("pv-1".to_owned())]);
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
    // What may not be made the same again.
    for kind in ["Secret", "ConfigMap", "PersistentVolumeClaim"] {
        assert_eq!(object("v1", kind, "a", owned("known")), None, "{kind}");
    }
    let of_pod = json!({"metadata": {"ownerReferences": [{"uid": "known", "controller": true, "kind": "Pod"}]}});
    assert_eq!(
        object("v1", "PersistentVolumeClaim", "pod-data", of_pod),
        Some(Reason::Owned)
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
