//! Tables of roles and their bindings.

use serde_json::Value;

use super::fields::{list, name, object_age, text};
use super::{Builtin, Column, others};

/// The tables of rbac.authorization.k8s.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ClusterRole" | "Role" => Some(&others::CREATED_AT),
        "ClusterRoleBinding" | "RoleBinding" => Some(&BINDING),
        _ => None,
    }
}

static BINDING: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Role"),
        Column::new("Age"),
        Column::wide("Users"),
        Column::wide("Groups"),
        Column::wide("ServiceAccounts"),
    ],
    cells: |object, clock| {
        let role = (text(object, "roleRef.kind"), text(object, "roleRef.name"));
        vec![
            name(object),
            format!("{}/{}", role.0, role.1),
            object_age(object, clock),
            subjects(object, "User"),
            subjects(object, "Group"),
            subjects(object, "ServiceAccount"),
        ]
    },
};

/// The names of the subjects with this kind.
fn subjects(binding: &Value, kind: &str) -> String {
    let names: Vec<String> = list(binding, "subjects")
        .iter()
        .filter(|subject| text(subject, "kind") == kind)
        .map(|subject| match kind {
            "ServiceAccount" => format!("{}/{}", text(subject, "namespace"), text(subject, "name")),
            _ => text(subject, "name").to_owned(),
        })
        .collect();
    names.join(", ")
}
