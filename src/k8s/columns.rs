//! The columns that `kubectl get` shows, computed from a stored object.
//!
//! Upstream: pkg/printers/internalversion/printers.go of Kubernetes 1.35; of 1.37 for kinds that were added later; and of
//! the last release that had it for a kind that was removed. Also the kube-aggregator's table of APIServices, and the
//! default table in apiserver's pkg/registry/rest/table.go. The API server always computes all cells, and kubectl leaves
//! out the wide columns unless they are requested.
//!
//! The API server applies the defaults of a version when it reads an object. The cells do the same where a default is
//! visible. A field that is absent or of a wrong type has Go's zero value.

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
    /// The name in the API; kubectl prints it in upper case.
    pub name: Cow<'static, str>,
    /// Whether only `-o wide` shows the column (a priority above 0).
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

    /// A column that only `-o wide` shows.
    const fn wide(name: &'static str) -> Self {
        Self {
            name: Cow::Borrowed(name),
            wide: true,
        }
    }
}

/// The time from which ages are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Seconds since 1970. If it is None, the time is not known, and every age is `<unknown>`.
    pub now: Option<i64>,
}

/// The table of one kind.
#[derive(Debug)]
pub struct Builtin {
    /// The columns, including wide ones.
    pub columns: &'static [Column],
    /// Computes the texts of an object's cells, one per column.
    pub cells: fn(&Value, Clock) -> Vec<String>,
}

/// The table of a kind, the same for all its versions. The table of an unknown kind has name and age.
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
        // The group in which many kinds were introduced before they moved.
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

/// The tables of the core group.
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
    fn an_empty_object_has_all_cells_with_zero_values() {
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

    /// The expected cells are what the last releases with these kinds printed.
    #[test]
    fn removed_kinds_have_the_table_of_their_last_release() {
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

    /// A search per container would take sixty thousand times sixty thousand comparisons, which is minutes.
    #[test]
    fn a_pod_with_many_containers_and_gates_looks_each_up_once() {
        let count = 60_000;
        let list = |make: &dyn Fn(usize) -> Value| (0..count).map(make).collect::<Value>();
        let mut specs = list(&|n| json!({"name": format!("c{n}")}));
        // Of two specs with the same name the last counts; of two conditions with the same type the first.
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
        // Container c1 is not a sidecar: it has not ended, so it is the first that is not done.
        assert_eq!(cells[1..4], ["0/2", "Init:1/60000", "1"]);
        // There is no condition t5.
        assert_eq!(cells[8], "59999/60000");
    }

    #[test]
    fn an_address_from_before_the_lists_is_shown() {
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
    fn an_unavailable_api_service_shows_the_reason() {
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
