//! Each rule of what a manifest leaves out, and of definitions of custom resources.

use etcdive::k8s::manifest::{Note, Options, manifest};
use serde_json::{Value, json};

const OPTIONS: Options<'static> = Options {
    strip_finalizers: false,
    keeps_status: false,
    keeps_owner: &|uid| uid == "kept",
    keeps_volume: false,
    keeps_addresses: false,
    suspends: false,
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
        let annotations = json!({"pv.kubernetes.io/bound-by-controller": "yes"});
        let object = json!({
            "apiVersion": group, "kind": kind, "metadata": {"name": "a", "annotations": annotations}, "spec": spec,
        });
        let (got, notes) = stripped(object);
        (got.get("spec").cloned().unwrap_or_default(), notes)
    };
    let (service, notes) = spec(
        "Service",
        json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "healthCheckNodePort": 3, "ports": [{"nodePort": 30000}]}),
    );
    assert_eq!(service, json!({"ports": [{"nodePort": 30000}]}));
    let address = vec!["10.0.0.1".to_owned()];
    assert_eq!(
        notes,
        [Note::ClusterAddresses(address), Note::HealthCheckPort(3)]
    );
    let headless = json!({"clusterIP": "None", "clusterIPs": ["None"]});
    assert_eq!(spec("Service", headless.clone()).0, headless);
    let (claim, notes) = spec(
        "PersistentVolumeClaim",
        json!({"volumeName": "pv-1", "volumeMode": "Block"}),
    );
    assert_eq!(claim, json!({"volumeMode": "Block"}));
    let name = "pv-1".to_owned();
    let is_kept = false;
    assert_eq!(notes, [Note::Volume { name, is_kept }]);
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
fn an_address_stays_if_somebody_wrote_it_or_it_is_asked_for() {
    let spec = json!({"clusterIP": "10.0.0.53", "clusterIPs": ["10.0.0.53"], "healthCheckNodePort": 31999});
    let service = |metadata: Value| json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec});
    let managed = |fields: Value, subresource: &str| json!({"name": "a", "managedFields": [{"manager": "me", "subresource": subresource, "fieldsV1": {"f:spec": fields}}]});
    let last_applied = |spec: Value| {
        let applied = json!({ "spec": spec }).to_string();
        json!({"name": "a", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": applied}})
    };
    let both = json!({"f:clusterIP": {}, "f:healthCheckNodePort": {}});
    let cases = [
        (managed(both.clone(), ""), true, true),
        (managed(json!({"f:ports": {}}), ""), false, false),
        (managed(both, "status"), false, false),
        (last_applied(json!({"clusterIP": "10.0.0.53"})), true, false),
        (last_applied(json!({"clusterIP": ""})), false, false),
        (
            last_applied(json!({"healthCheckNodePort": 31999})),
            false,
            true,
        ),
    ];
    for (metadata, has_address, has_port) in cases {
        let (got, notes) = stripped(service(metadata.clone()));
        let spec = got.get("spec").cloned().unwrap_or_default();
        assert_eq!(spec.get("clusterIP").is_some(), has_address, "{metadata}");
        assert_eq!(spec.get("clusterIPs").is_some(), has_address, "{metadata}");
        assert_eq!(
            spec.get("healthCheckNodePort").is_some(),
            has_port,
            "{metadata}"
        );
        let left = [has_address, has_port]
            .iter()
            .filter(|stays| !**stays)
            .count();
        assert_eq!(notes.len(), left, "{notes:?}");
    }
    let options = Options {
        keeps_addresses: true,
        ..OPTIONS
    };
    let (got, notes) = manifest(service(json!({"name": "a"})), options);
    assert_eq!((got["spec"].clone(), notes), (spec.clone(), Vec::new()));
}

#[test]
fn the_addresses_of_a_load_balancer_are_noted() {
    let ingress = json!([{"ip": "192.0.2.1"}, {"hostname": "lb.example.com"}]);
    let (got, notes) = stripped(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},
        "spec": {"loadBalancerIP": "192.0.2.1"}, "status": {"loadBalancer": {"ingress": ingress}},
    }));
    assert_eq!(got["spec"], json!({"loadBalancerIP": "192.0.2.1"}));
    let addresses = vec!["192.0.2.1".to_owned(), "lb.example.com".to_owned()];
    assert_eq!(notes, [Note::LoadBalancer(addresses)]);
}

#[test]
fn the_volume_of_a_claim_stays_if_its_author_chose_it_or_it_is_asked_for() {
    let claim = |annotations: Value| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": "c", "annotations": annotations}, "spec": {"volumeName": "static-2"},
        })
    };
    let chosen = json!({"pv.kubernetes.io/bind-completed": "yes"});
    let bound = json!({"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"});
    let asked = Options {
        keeps_volume: true,
        ..OPTIONS
    };
    for (annotations, options, is_kept) in [
        (chosen, OPTIONS, true),
        (bound.clone(), OPTIONS, false),
        (bound, asked, true),
    ] {
        let (got, notes) = manifest(claim(annotations), options);
        let kept = got.pointer("/spec/volumeName").is_some();
        assert_eq!(kept, is_kept);
        let name = "static-2".to_owned();
        assert_eq!(notes, [Note::Volume { name, is_kept }]);
        // The controller's annotations would say that the claim is bound.
        assert_eq!(got.pointer("/metadata/annotations"), None);
    }
}

#[test]
fn a_token_that_somebody_asked_for_comes_back_empty() {
    let (got, _) = stripped(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": "ci", "annotations": {
            "kubernetes.io/service-account.name": "robot", "kubernetes.io/service-account.uid": "u",
        }},
        "data": {"token": "eA==", "ca.crt": "eA==", "namespace": "eA==", "mine": "eA=="},
    }));
    assert_eq!(got["data"], json!({"mine": "eA=="}));
    let annotations = json!({"kubernetes.io/service-account.name": "robot"});
    assert_eq!(got["metadata"]["annotations"], annotations);
    let (got, _) = stripped(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": {"name": "s"}, "data": {"token": "eA=="},
    }));
    assert_eq!(got["data"], json!({"token": "eA=="}));
}

#[test]
fn a_job_that_ended_is_suspended_if_it_comes_back() {
    let options = Options {
        suspends: true,
        ..OPTIONS
    };
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "j"}, "spec": {"parallelism": 1}});
    let (got, notes) = manifest(job, options);
    assert_eq!(got["spec"], json!({"parallelism": 1, "suspend": true}));
    assert_eq!(notes, [Note::Suspended]);
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {"hostname": "h"}});
    let (got, notes) = manifest(pod, options);
    assert_eq!(
        (got["spec"].clone(), notes),
        (json!({"hostname": "h"}), Vec::new())
    );
}
