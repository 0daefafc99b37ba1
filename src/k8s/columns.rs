//! The columns that `kubectl get` shows, computed from a stored object.
//!
//! Upstream: pkg/printers/internalversion/printers.go of Kubernetes 1.35, for kinds that came later
//! 1.37, for kinds that went the last release that had them; the kube-aggregator's table of
//! APIServices; the default table of apiserver's pkg/registry/rest/table.go. The API server always
//! computes all cells; kubectl leaves out those of wide columns unless asked.
//!
//! The server reads an object with the defaults of its version; so do the cells, where a default
//! shows. What is absent or of a wrong type is Go's zero value.

use std::borrow::Cow;

use serde_json::Value;

mod admission;
mod autoscaling;
mod config;
mod events;
mod fields;
mod labels;
mod lifecycle;
mod network;
mod nodes;
mod openshift;
mod others;
mod pods;
mod rbac;
mod resource;
mod storage;
mod times;
mod workloads;

pub use events::EventFacts;
pub use labels::format_labels;
pub use times::{age, human_duration};

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The name as the API has it; kubectl prints it in upper case.
    pub name: Cow<'static, str>,
    /// Whether only `-o wide` shows it (a priority above 0).
    pub wide: bool,
}

impl Column {
    /// A column that is always shown.
    const fn new(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            wide: false,
        }
    }

    /// A column of `-o wide`.
    const fn wide(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            wide: true,
        }
    }
}

/// What ages are told against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970; None where nothing tells a time, then every age is unknown.
    pub now: Option<i64>,
}

/// The table of one kind.
#[derive(Debug)]
pub struct Builtin {
    /// The columns, wide ones included.
    pub columns: &'static [Column],
    /// The texts of one object's cells, as many as columns.
    pub cells: fn(&Value, Clock) -> Vec<String>,
}

/// The table of a kind, in all its versions; an unknown kind has name and age.
///
/// `group` is empty for the core group.
pub fn builtin(group: &str, kind: &str) -> &'static Builtin {
    let table = match group {
        "" => core(kind),
        "admissionregistration.k8s.io" => admission::table(kind),
        "apps" => workloads::apps(kind),
        "autoscaling" => autoscaling::table(kind),
        "batch" => workloads::batch(kind),
        "discovery.k8s.io" => network::discovery(kind),
        "events.k8s.io" => events::table(kind),
        // The first home of much that moved.
        "extensions" => workloads::apps(kind)
            .or_else(|| network::networking(kind))
            .or_else(|| others::policy(kind)),
        "lifecycle.k8s.io" => lifecycle::table(kind),
        "networking.k8s.io" => network::networking(kind),
        "policy" => others::policy(kind),
        "rbac.authorization.k8s.io" => rbac::table(kind),
        "resource.k8s.io" => resource::table(kind),
        "storage.k8s.io" => storage::storage(kind),
        _ => others::table(group, kind).or_else(|| openshift::table(group, kind)),
    };
    table.unwrap_or(&others::NAME_AND_AGE)
}

/// The core group's kinds.
fn core(kind: &str) -> Option<&'static Builtin> {
    pods::table(kind)
        .or_else(|| workloads::core(kind))
        .or_else(|| network::core(kind))
        .or_else(|| storage::core(kind))
        .or_else(|| config::table(kind))
        .or_else(|| nodes::table(kind))
        .or_else(|| events::table(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_kind_that_moved_has_one_table() {
        let names = |group, kind| -> Vec<&str> {
            let table = builtin(group, kind);
            table.columns.iter().map(|c| c.name.as_ref()).collect()
        };
        assert_eq!(names("extensions", "Ingress")[1], "Class");
        for (group, kind) in [
            ("apps", "Deployment"),
            ("networking.k8s.io", "NetworkPolicy"),
            ("policy", "PodSecurityPolicy"),
        ] {
            assert!(names(group, kind).len() > 2);
            assert_eq!(names(group, kind), names("extensions", kind));
        }
        // The kind alone does not make it built in.
        assert_eq!(names("example.com", "Deployment"), ["Name", "Age"]);
        assert_eq!(names("", "Deployment"), ["Name", "Age"]);
    }

    #[test]
    fn an_object_without_anything_has_all_cells_and_they_are_zero_values() {
        let clock = Clock { now: Some(0) };
        for empty in [json!({}), json!(null), json!("text"), json!([1])] {
            let cells = |group, kind| (builtin(group, kind).cells)(&empty, clock);
            assert_eq!(cells("example.com", "Book"), ["", "<unknown>"]);
            assert_eq!(
                cells("", "Pod"),
                [
                    "",
                    "0/0",
                    "",
                    "0",
                    "<unknown>",
                    "<none>",
                    "<none>",
                    "<none>",
                    "<none>"
                ]
            );
            assert_eq!(cells("", "LimitRange"), ["", "0001-01-01T00:00:00Z"]);
        }
    }

    /// What releases before 1.35 and 1.36 itself printed for kinds which later ones lack.
    #[test]
    fn kinds_that_are_gone_have_their_last_table() {
        let clock = Clock {
            now: Some(1_763_683_200),
        };
        let cells = |group, kind, object: Value| (builtin(group, kind).cells)(&object, clock);
        let metadata = json!({"name": "a", "creationTimestamp": "2025-11-20T23:59:00Z"});
        assert_eq!(
            cells(
                "policy",
                "PodSecurityPolicy",
                json!({"metadata": metadata, "spec": {
                    "privileged": true,
                    "allowedCapabilities": ["NET_ADMIN", "*"],
                    "seLinux": {"rule": "RunAsAny"},
                    "runAsUser": {"rule": "MustRunAsNonRoot"},
                    "fsGroup": {"rule": "MayRunAs"},
                    "supplementalGroups": {"rule": "RunAsAny"},
                    "volumes": ["configMap", "secret"],
                }})
            ),
            [
                "a",
                "true",
                "NET_ADMIN,*",
                "RunAsAny",
                "MustRunAsNonRoot",
                "MayRunAs",
                "RunAsAny",
                "false",
                "configMap,secret"
            ]
        );
        assert_eq!(
            cells(
                "networking.k8s.io",
                "ClusterCIDR",
                json!({"metadata": metadata, "spec": {
                    "perNodeHostBits": 8,
                    "ipv4": "10.0.0.0/8",
                    "nodeSelector": {"nodeSelectorTerms": [{
                        "matchExpressions": [
                            {"key": "k", "operator": "In", "values": ["x", "y"]}
                        ],
                        "matchFields": [{"key": "f", "operator": "Exists"}],
                    }]},
                }})
            ),
            [
                "a",
                "8",
                "10.0.0.0/8",
                "<none>",
                "60s",
                "MatchExpressions: [{k In [x y]}],MatchFields: [{f Exists []}]"
            ]
        );
        assert_eq!(
            cells(
                "resource.k8s.io",
                "ResourceClass",
                json!({"metadata": metadata, "driverName": "d"})
            ),
            ["a", "d", "60s"]
        );
        assert_eq!(
            cells(
                "resource.k8s.io",
                "PodSchedulingContext",
                json!({"metadata": metadata, "spec": {"selectedNode": "n"}})
            ),
            ["a", "n", "60s"]
        );
        let group = json!({
            "apiVersion": "scheduling.k8s.io/v1alpha2",
            "metadata": metadata,
            "spec": {
                "schedulingPolicy": {"gang": {}},
                "podGroupTemplateRef": {"workload": {"workloadName": "w"}}
            },
            "status": {"conditions": [{"type": "PodGroupScheduled", "status": "True"}]},
        });
        assert_eq!(
            cells("scheduling.k8s.io", "PodGroup", group),
            ["a", "Gang", "w", "Scheduled", "60s"]
        );
    }

    /// Sixty thousand times sixty thousand comparisons would take minutes.
    #[test]
    fn a_pod_of_many_containers_and_gates_looks_each_up_once() {
        let count = 60_000;
        let list = |make: &dyn Fn(usize) -> Value| (0..count).map(make).collect::<Value>();
        let mut specs = list(&|n| json!({"name": format!("c{n}")}));
        // Of two with one name the last counts; of two conditions of one type the first.
        specs[0] = json!({"name": "c1", "restartPolicy": "Always"});
        specs[2] = json!({"name": "c3"});
        specs[3] = json!({"name": "c3", "restartPolicy": "Always"});
        let ended = json!({"terminated": {"exitCode": 0}});
        let statuses = list(&|n| match n {
            1 | 3 => {
                json!({"name": format!("c{n}"), "started": true, "ready": true, "restartCount": 1})
            }
            n if n + 1 == count => json!({"name": format!("c{n}")}),
            n => json!({"name": format!("c{n}"), "state": ended, "restartCount": 0}),
        });
        let mut conditions = list(&|n| json!({"type": format!("t{n}"), "status": "True"}));
        conditions[5] = json!({"type": "t4", "status": "False"});
        let pod = json!({
            "metadata": {"name": "p"},
            "spec": {
                "initContainers": specs,
                "readinessGates": list(&|n| json!({"conditionType": format!("t{n}")})),
            },
            "status": {"initContainerStatuses": statuses, "conditions": conditions},
        });
        let cells = (builtin("", "Pod").cells)(&pod, Clock { now: None });
        // Container c1 is no sidecar: it has not ended, and is the first that is not done.
        assert_eq!(cells[1..4], ["0/2", "Init:1/60000", "1"]);
        // There is no t5.
        assert_eq!(cells[8], "59999/60000");
    }

    #[test]
    fn an_address_of_before_lists_is_shown() {
        let clock = Clock { now: None };
        let shown = |kind, column: usize, object: Value| {
            (builtin("", kind).cells)(&object, clock).swap_remove(column)
        };
        let service = json!({"spec": {"clusterIP": "10.0.0.1"}});
        assert_eq!(shown("Service", 2, service), "10.0.0.1");
        let pod = json!({"status": {"podIP": "10.0.0.2"}});
        assert_eq!(shown("Pod", 5, pod), "10.0.0.2");
    }

    #[test]
    fn an_api_that_does_not_answer_says_why() {
        let available = |status: Value| {
            let service = json!({"spec": {"service": {"namespace": "n", "name": "s"}},
                "status": {"conditions": status}});
            let table = builtin("apiregistration.k8s.io", "APIService");
            let cells = (table.cells)(&service, Clock { now: None });
            assert_eq!(cells[1], "n/s");
            cells[2].clone()
        };
        let condition =
            |status, reason| json!([{"type": "Available", "status": status, "reason": reason}]);
        assert_eq!(available(json!([])), "Unknown");
        assert_eq!(available(condition("True", "Passed")), "True");
        assert_eq!(available(condition("False", "")), "False");
        let missing = condition("False", "ServiceNotFound");
        assert_eq!(available(missing), "False (ServiceNotFound)");
    }
}
