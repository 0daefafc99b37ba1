//! Tables of nodes and component statuses.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{
    condition, flag, holds, last_condition, list, map, name, object_age, text, text_or,
};
use super::labels::none_if_empty;
use super::{Builtin, Column};

/// The prefix of a label whose remaining name is a role.
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";

/// A label whose value is a role.
const ROLE: &str = "kubernetes.io/role";

/// The tables of this file's kinds.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ComponentStatus" => Some(&COMPONENT_STATUS),
        "Node" => Some(&NODE),
        _ => None,
    }
}

static NODE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Roles"),
        Column::new("Age"),
        Column::new("Version"),
        Column::wide("Internal-IP"),
        Column::wide("External-IP"),
        Column::wide("OS-Image"),
        Column::wide("Kernel-Version"),
        Column::wide("Container-Runtime"),
    ],
    cells: |object, clock| {
        let info = |field| {
            text_or(
                super::fields::at(object, "status.nodeInfo"),
                field,
                "<unknown>",
            )
            .to_owned()
        };
        vec![
            name(object),
            status(object),
            roles(object),
            object_age(object, clock),
            text(object, "status.nodeInfo.kubeletVersion").to_owned(),
            address(object, "InternalIP"),
            address(object, "ExternalIP"),
            info("osImage"),
            info("kernelVersion"),
            info("containerRuntimeVersion"),
        ]
    },
};

fn status(node: &Value) -> String {
    let ready = match last_condition(list(node, "status.conditions"), "Ready") {
        Some(condition) if holds(condition) => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if flag(node, "spec.unschedulable") {
        format!("{ready},SchedulingDisabled")
    } else {
        ready.to_owned()
    }
}

/// The roles, sorted and without duplicates.
fn roles(node: &Value) -> String {
    let roles: BTreeSet<&str> = map(node, "metadata.labels")
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| match key.strip_prefix(ROLE_PREFIX) {
            Some(role) => Some(role),
            None if key == ROLE => value.as_str(),
            None => None,
        })
        .filter(|role| !role.is_empty())
        .collect();
    let roles: Vec<&str> = roles.into_iter().collect();
    none_if_empty(roles.join(","))
}

/// The first address with this type.
fn address(node: &Value, kind: &str) -> String {
    condition(list(node, "status.addresses"), kind)
        .map_or("<none>", |address| text(address, "address"))
        .to_owned()
}

static COMPONENT_STATUS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Message"),
        Column::new("Error"),
    ],
    cells: |object, _| {
        let healthy = condition(list(object, "conditions"), "Healthy");
        let field = |name| healthy.map_or("", |c| text(c, name)).to_owned();
        let status = match healthy {
            Some(condition) if holds(condition) => "Healthy",
            Some(_) => "Unhealthy",
            None => "Unknown",
        };
        vec![
            name(object),
            status.to_owned(),
            field("message"),
            field("error"),
        ]
    },
};
