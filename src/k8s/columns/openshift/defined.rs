//! Types that OpenShift 4 defines by CustomResourceDefinitions, for a store without the definition.
//!
//! Upstream: the printer columns of github.com/openshift/api, config/v1 and machineconfiguration/v1.

use serde_json::Value;

use super::super::fields::{annotation, at, condition, given_text, list, name, object_age, text};
use super::super::times::age;
use super::{Builtin, Column};

/// The tables of config and machineconfiguration.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ClusterOperator" => Some(&CLUSTER_OPERATOR),
        "ClusterVersion" => Some(&CLUSTER_VERSION),
        "MachineConfig" => Some(&MACHINE_CONFIG),
        "MachineConfigPool" => Some(&MACHINE_CONFIG_POOL),
        _ => None,
    }
}

/// A field of the condition of a type.
fn of_condition<'o>(object: &'o Value, kind: &str, field: &str) -> Option<&'o str> {
    let condition = condition(list(object, "status.conditions"), kind)?;
    given_text(condition, field)
}

/// The status of the condition of a type.
fn status(object: &Value, kind: &str) -> String {
    let status = of_condition(object, kind, "status");
    status.unwrap_or_default().to_owned()
}

/// A number, or nothing.
fn number(object: &Value, path: &str) -> String {
    match at(object, path) {
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

static CLUSTER_OPERATOR: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Version"),
        Column::new("Available"),
        Column::new("Progressing"),
        Column::new("Degraded"),
        Column::new("Since"),
    ],
    cells: |object, clock| {
        let mut versions = list(object, "status.versions").iter();
        let version = versions.find(|version| text(version, "name") == "operator");
        let since = of_condition(object, "Available", "lastTransitionTime");
        vec![
            name(object),
            version
                .map_or("", |version| text(version, "version"))
                .to_owned(),
            status(object, "Available"),
            status(object, "Progressing"),
            status(object, "Degraded"),
            since.map_or_else(String::new, |since| age(Some(since), clock)),
        ]
    },
};

static CLUSTER_VERSION: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Version"),
        Column::new("Available"),
        Column::new("Progressing"),
        Column::new("Since"),
        Column::new("Status"),
    ],
    cells: |object, clock| {
        let mut history = list(object, "status.history").iter();
        let completed = history.find(|update| text(update, "state") == "Completed");
        let since = of_condition(object, "Progressing", "lastTransitionTime");
        let message = of_condition(object, "Progressing", "message");
        vec![
            name(object),
            completed
                .map_or("", |update| text(update, "version"))
                .to_owned(),
            status(object, "Available"),
            status(object, "Progressing"),
            since.map_or_else(String::new, |since| age(Some(since), clock)),
            message.unwrap_or_default().to_owned(),
        ]
    },
};

static MACHINE_CONFIG: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("GeneratedByController"),
        Column::new("IgnitionVersion"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let by = "machineconfiguration.openshift.io/generated-by-controller-version";
        vec![
            name(object),
            annotation(object, by).unwrap_or_default().to_owned(),
            text(object, "spec.config.ignition.version").to_owned(),
            object_age(object, clock),
        ]
    },
};

static MACHINE_CONFIG_POOL: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Config"),
        Column::new("Updated"),
        Column::new("Updating"),
        Column::new("Degraded"),
        Column::new("MachineCount"),
        Column::new("ReadyMachineCount"),
        Column::new("UpdatedMachineCount"),
        Column::new("DegradedMachineCount"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "status.configuration.name").to_owned(),
            status(object, "Updated"),
            status(object, "Updating"),
            status(object, "Degraded"),
            number(object, "status.machineCount"),
            number(object, "status.readyMachineCount"),
            number(object, "status.updatedMachineCount"),
            number(object, "status.degradedMachineCount"),
            object_age(object, clock),
        ]
    },
};
