//! Tables of groups with few kinds, and tables that many kinds share.

use serde_json::Value;

use super::fields::{
    condition, digits, first_three, flag, given, given_int, given_text, holds, last_condition,
    list, map, name, object_age, text, text_or, texts,
};
use super::labels::format_labels;
use super::times::human_duration;
use super::{Builtin, Column};

/// The tables of the groups that have no file of their own.
pub(super) fn table(group: &str, kind: &str) -> Option<&'static Builtin> {
    match (group, kind) {
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some(&CREATED_AT),
        ("apiregistration.k8s.io", "APIService") => Some(&API_SERVICE),
        ("certificates.k8s.io", "CertificateSigningRequest") => Some(&SIGNING_REQUEST),
        ("certificates.k8s.io", "ClusterTrustBundle") => Some(&TRUST_BUNDLE),
        ("certificates.k8s.io", "PodCertificateRequest") => Some(&POD_CERTIFICATE_REQUEST),
        ("coordination.k8s.io", "Lease") => Some(&LEASE),
        ("coordination.k8s.io", "LeaseCandidate") => Some(&LEASE_CANDIDATE),
        ("flowcontrol.apiserver.k8s.io", "FlowSchema") => Some(&FLOW_SCHEMA),
        ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration") => Some(&PRIORITY_LEVEL),
        ("internal.apiserver.k8s.io", "StorageVersion") => Some(&STORAGE_VERSION),
        ("node.k8s.io", "RuntimeClass") => Some(&RUNTIME_CLASS),
        ("scheduling.k8s.io", "CompositePodGroup") => Some(&COMPOSITE_POD_GROUP),
        ("scheduling.k8s.io", "PodGroup") => Some(&POD_GROUP),
        ("scheduling.k8s.io", "PriorityClass") => Some(&PRIORITY_CLASS),
        ("storagemigration.k8s.io", "StorageVersionMigration") => Some(&MIGRATION),
        _ => None,
    }
}

/// The tables of the group policy.
pub(super) fn policy(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "PodDisruptionBudget" => Some(&DISRUPTION_BUDGET),
        "PodSecurityPolicy" => Some(&POD_SECURITY_POLICY),
        _ => None,
    }
}

/// kubectl's table for an object of an unknown kind.
pub(super) static NAME_AND_AGE: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Age")],
    cells: |object, clock| vec![name(object), object_age(object, clock)],
};

/// The table of a resource without a printer in the API server.
pub(super) static CREATED_AT: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Created At")],
    cells: |object, _| {
        // Go prints its zero time if there is no timestamp.
        let created = text_or(object, "metadata.creationTimestamp", "0001-01-01T00:00:00Z");
        vec![name(object), created.to_owned()]
    },
};

static API_SERVICE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Service"),
        Column::new("Available"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let service = given(object, "spec.service").map_or_else(
            || "Local".to_owned(),
            |service| format!("{}/{}", text(service, "namespace"), text(service, "name")),
        );
        vec![
            name(object),
            service,
            availability(object),
            object_age(object, clock),
        ]
    },
};

/// Whether an API is available, and if not, the reason.
fn availability(service: &Value) -> String {
    let Some(available) = condition(list(service, "status.conditions"), "Available") else {
        return "Unknown".to_owned();
    };
    let status = text(available, "status");
    match text(available, "reason") {
        reason if !reason.is_empty() && !holds(available) => format!("{status} ({reason})"),
        _ => status.to_owned(),
    }
}

static SIGNING_REQUEST: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Age"),
        Column::new("SignerName"),
        Column::new("Requestor"),
        Column::new("RequestedDuration"),
        Column::new("Condition"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            object_age(object, clock),
            text_or(object, "spec.signerName", "<none>").to_owned(),
            text(object, "spec.username").to_owned(),
            given_int(object, "spec.expirationSeconds")
                .map_or_else(|| "<none>".to_owned(), human_duration),
            signing_state(object),
        ]
    },
};

/// The state of a request. The types of its conditions count, their status does not.
fn signing_state(request: &Value) -> String {
    let has = |kind| condition(list(request, "status.conditions"), kind).is_some();
    let mut state = match (has("Denied"), has("Approved")) {
        (true, _) => "Denied",
        (false, true) => "Approved",
        (false, false) => "Pending",
    }
    .to_owned();
    if has("Failed") {
        state.push_str(",Failed");
    }
    if !text(request, "status.certificate").is_empty() {
        state.push_str(",Issued");
    }
    state
}

static TRUST_BUNDLE: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("SignerName")],
    cells: |object, _| {
        vec![
            name(object),
            text_or(object, "spec.signerName", "<none>").to_owned(),
        ]
    },
};

static POD_CERTIFICATE_REQUEST: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("PodName"),
        Column::new("ServiceAccountName"),
        Column::new("NodeName"),
        Column::new("SignerName"),
        Column::new("State"),
        Column::new("UnverifiedUserAnnotations"),
    ],
    cells: |object, _| {
        let state = list(object, "status.conditions")
            .iter()
            .map(|condition| text(condition, "type"))
            .rfind(|kind| ["Issued", "Denied", "Failed"].contains(kind));
        vec![
            name(object),
            text(object, "spec.podName").to_owned(),
            text(object, "spec.serviceAccountName").to_owned(),
            text(object, "spec.nodeName").to_owned(),
            text(object, "spec.signerName").to_owned(),
            state.unwrap_or("Pending").to_owned(),
            format_labels(map(object, "spec.unverifiedUserAnnotations")),
        ]
    },
};

static LEASE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Holder"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.holderIdentity").to_owned(),
            object_age(object, clock),
        ]
    },
};

static LEASE_CANDIDATE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("LeaseName"),
        Column::new("BinaryVersion"),
        Column::new("EmulationVersion"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.leaseName").to_owned(),
            text(object, "spec.binaryVersion").to_owned(),
            text(object, "spec.emulationVersion").to_owned(),
            object_age(object, clock),
        ]
    },
};

static FLOW_SCHEMA: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("PriorityLevel"),
        Column::new("MatchingPrecedence"),
        Column::new("DistinguisherMethod"),
        Column::new("Age"),
        Column::new("MissingPL"),
    ],
    cells: |object, clock| {
        // 0 and an absent field mean the default.
        let precedence = given_int(object, "spec.matchingPrecedence")
            .filter(|precedence| *precedence != 0)
            .unwrap_or(1000);
        let method = given(object, "spec.distinguisherMethod");
        let dangling = condition(list(object, "status.conditions"), "Dangling");
        vec![
            name(object),
            text(object, "spec.priorityLevelConfiguration.name").to_owned(),
            precedence.to_string(),
            method
                .map_or("<none>", |method| text(method, "type"))
                .to_owned(),
            object_age(object, clock),
            dangling.map_or("?", |c| text(c, "status")).to_owned(),
        ]
    },
};

static PRIORITY_LEVEL: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("NominalConcurrencyShares"),
        Column::new("Queues"),
        Column::new("HandSize"),
        Column::new("QueueLengthLimit"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let none = || "<none>".to_owned();
        let queuing = |field: &str, default: i64| {
            given(object, "spec.limited.limitResponse.queuing").map_or_else(none, |queuing| {
                let number = given_int(queuing, field).filter(|number| *number != 0);
                number.unwrap_or(default).to_string()
            })
        };
        vec![
            name(object),
            text(object, "spec.type").to_owned(),
            given(object, "spec.limited").map_or_else(none, |limited| {
                shares(limited, text(object, "apiVersion")).to_string()
            }),
            queuing("queues", 64),
            queuing("handSize", 8),
            queuing("queueLengthLimit", 50),
            object_age(object, clock),
        ]
    },
};

/// The concurrency shares of a priority level; the field's name depends on the version.
fn shares(limited: &Value, version: &str) -> i64 {
    const DEFAULT: i64 = 30;
    let nominal = given_int(limited, "nominalConcurrencyShares");
    match version.rsplit('/').next().unwrap_or_default() {
        "v1alpha1" | "v1beta1" | "v1beta2" => given_int(limited, "assuredConcurrencyShares")
            .filter(|shares| *shares != 0)
            .unwrap_or(DEFAULT),
        "v1beta3" => nominal.filter(|shares| *shares != 0).unwrap_or(DEFAULT),
        _ => nominal.unwrap_or(DEFAULT),
    }
}

static STORAGE_VERSION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("CommonEncodingVersion"),
        Column::new("StorageVersions"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let versions = list(object, "status.storageVersions").iter().map(|server| {
            format!(
                "{}={}",
                text(server, "apiServerID"),
                text(server, "encodingVersion")
            )
        });
        vec![
            name(object),
            given_text(object, "status.commonEncodingVersion")
                .unwrap_or("<unset>")
                .to_owned(),
            first_three(versions),
            object_age(object, clock),
        ]
    },
};

static MIGRATION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Resource"),
        Column::new("Status"),
    ],
    cells: |object, _| {
        let resource = text(object, "spec.resource.resource");
        let resource = match text(object, "spec.resource.group") {
            "" => resource.to_owned(),
            group => format!("{resource}.{group}"),
        };
        let status = list(object, "status.conditions")
            .iter()
            .filter(|c| holds(c))
            .map(|c| text(c, "type"))
            .rfind(|kind| ["Running", "Failed", "Succeeded"].contains(kind));
        vec![
            name(object),
            resource,
            status.unwrap_or("Unknown").to_owned(),
        ]
    },
};

static RUNTIME_CLASS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Handler"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        // The first version had the field in `spec`.
        let handler = text_or(object, "handler", text(object, "spec.runtimeHandler"));
        vec![name(object), handler.to_owned(), object_age(object, clock)]
    },
};

static PRIORITY_CLASS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Value"),
        Column::new("Global-Default"),
        Column::new("Age"),
        Column::new("PreemptionPolicy"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            digits(object, "value"),
            flag(object, "globalDefault").to_string(),
            object_age(object, clock),
            given_text(object, "preemptionPolicy")
                .unwrap_or("PreemptLowerPriority")
                .to_owned(),
        ]
    },
};

/// Since release 1.36.
static POD_GROUP: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Policy"),
        Column::new("Workload"),
        Column::new("Status"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let conditions = list(object, "status.conditions");
        // Release 1.36 had another name for the condition.
        let scheduled = if text(object, "apiVersion").ends_with("/v1alpha2") {
            last_condition(conditions, "PodGroupScheduled")
        } else {
            last_condition(conditions, "PodGroupInitiallyScheduled")
        };
        let status = match (last_condition(conditions, "DisruptionTarget"), scheduled) {
            (Some(disrupted), _) => text(disrupted, "reason"),
            (None, Some(scheduled)) if holds(scheduled) => "Scheduled",
            (None, Some(_)) => "Unschedulable",
            (None, None) => "Pending",
        };
        vec![
            name(object),
            group_policy(object).to_owned(),
            workload(object).to_owned(),
            status.to_owned(),
            object_age(object, clock),
        ]
    },
};

/// Since release 1.37.
static COMPOSITE_POD_GROUP: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Policy"),
        Column::new("Workload"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            group_policy(object).to_owned(),
            workload(object).to_owned(),
            object_age(object, clock),
        ]
    },
};

fn group_policy(group: &Value) -> &'static str {
    match given(group, "spec.schedulingPolicy.gang") {
        Some(_) => "Gang",
        None => "Basic",
    }
}

/// The name of a group's workload. Releases 1.36 and 1.37 store it in different fields.
fn workload(group: &Value) -> &str {
    if let Some(reference) = given(group, "spec.workloadRef") {
        return text(reference, "workloadName");
    }
    given(group, "spec.podGroupTemplateRef").map_or("<none>", |reference| {
        text(reference, "workload.workloadName")
    })
}

static DISRUPTION_BUDGET: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Min Available"),
        Column::new("Max Unavailable"),
        Column::new("Allowed Disruptions"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            number_or_percent(object, "spec.minAvailable"),
            number_or_percent(object, "spec.maxUnavailable"),
            digits(object, "status.disruptionsAllowed"),
            object_age(object, clock),
        ]
    },
};

fn number_or_percent(object: &Value, path: &str) -> String {
    match given(object, path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "N/A".to_owned(),
    }
}

/// Up to release 1.24.
static POD_SECURITY_POLICY: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Priv"),
        Column::new("Caps"),
        Column::new("SELinux"),
        Column::new("RunAsUser"),
        Column::new("FsGroup"),
        Column::new("SupGroup"),
        Column::new("ReadOnlyRootFs"),
        Column::new("Volumes"),
    ],
    cells: |object, _| {
        let rule = |field: &str| text(object, field).to_owned();
        vec![
            name(object),
            flag(object, "spec.privileged").to_string(),
            texts(object, "spec.allowedCapabilities").join(","),
            rule("spec.seLinux.rule"),
            rule("spec.runAsUser.rule"),
            rule("spec.fsGroup.rule"),
            rule("spec.supplementalGroups.rule"),
            flag(object, "spec.readOnlyRootFilesystem").to_string(),
            texts(object, "spec.volumes").join(","),
        ]
    },
};
