//! Tables of webhook configurations and admission policies.

use serde_json::Value;

use super::fields::{given, list, name, object_age, text};
use super::labels::go_struct;
use super::{Builtin, Clock, Column};

/// The tables of admissionregistration.k8s.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "MutatingAdmissionPolicy" => Some(&MUTATING_POLICY),
        "ValidatingAdmissionPolicy" => Some(&VALIDATING_POLICY),
        "MutatingAdmissionPolicyBinding" | "ValidatingAdmissionPolicyBinding" => Some(&BINDING),
        "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration" => Some(&WEBHOOKS),
        _ => None,
    }
}

static WEBHOOKS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Webhooks"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            list(object, "webhooks").len().to_string(),
            object_age(object, clock),
        ]
    },
};

static VALIDATING_POLICY: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Validations"),
        Column::new("ParamKind"),
        Column::new("Age"),
    ],
    cells: |object, clock| policy(object, "spec.validations", clock),
};

static MUTATING_POLICY: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Mutations"),
        Column::new("ParamKind"),
        Column::new("Age"),
    ],
    cells: |object, clock| policy(object, "spec.mutations", clock),
};

fn policy(object: &Value, rules: &str, clock: Clock) -> Vec<String> {
    let kind = given(object, "spec.paramKind").map_or_else(
        || "<unset>".to_owned(),
        |kind| format!("{}/{}", text(kind, "apiVersion"), text(kind, "kind")),
    );
    vec![
        name(object),
        list(object, rules).len().to_string(),
        kind,
        object_age(object, clock),
    ]
}

static BINDING: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("PolicyName"),
        Column::new("ParamRef"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.policyName").to_owned(),
            parameter(object),
            object_age(object, clock),
        ]
    },
};

/// The object or selector from which a binding takes its parameters.
fn parameter(binding: &Value) -> String {
    let unset = || "<unset>".to_owned();
    let Some(reference) = given(binding, "spec.paramRef") else {
        return unset();
    };
    match (text(reference, "namespace"), text(reference, "name")) {
        (_, "") => given(reference, "selector").map_or_else(unset, go_struct),
        ("", name) => format!("*/{name}"),
        (namespace, name) => format!("{namespace}/{name}"),
    }
}
