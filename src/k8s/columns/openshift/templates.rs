//! Templates and their instances, and projects.

use serde_json::Value;

use super::super::fields::{annotation, list, name, text, text_or};
use super::{Builtin, Column};

/// The tables of template.openshift.io and project.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "Template" => Some(&TEMPLATE),
        "TemplateInstance" => Some(&INSTANCE),
        "BrokerTemplateInstance" => Some(&BROKER_INSTANCE),
        "Project" => Some(&PROJECT),
        _ => None,
    }
}

static TEMPLATE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Description"),
        Column::new("Parameters"),
        Column::new("Objects"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            description(annotation(object, "description").unwrap_or_default()),
            parameters(list(object, "parameters")),
            list(object, "objects").len().to_string(),
        ]
    },
};

/// The first line of a description, at most 80 bytes of it.
fn description(text: &str) -> String {
    const LONGEST: usize = 80;
    const MARK: &str = "...";
    let line = match text.split_once('\n') {
        Some((line, _)) => format!("{line}{MARK}"),
        None => text.to_owned(),
    };
    if line.len() <= LONGEST {
        return line;
    }
    let kept = line.as_bytes().get(..LONGEST.saturating_sub(MARK.len()));
    let kept = String::from_utf8_lossy(kept.unwrap_or_default()).into_owned();
    format!("{}{MARK}", kept.trim())
}

/// How many parameters there are, and whether they have values.
fn parameters(parameters: &[Value]) -> String {
    let without_value = parameters
        .iter()
        .filter(|one| text(one, "value").is_empty());
    let (generated, blank): (Vec<&Value>, Vec<&Value>) =
        without_value.partition(|one| !text(one, "generate").is_empty());
    let total = parameters.len();
    match (blank.len(), generated.len()) {
        (0, 0) => format!("{total} (all set)"),
        (0, generated) => format!("{total} ({generated} generated)"),
        (blank, _) => format!("{total} ({blank} blank)"),
    }
}

static INSTANCE: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Template")],
    cells: |object, _| {
        let template = text(object, "spec.template.metadata.name");
        vec![name(object), template.to_owned()]
    },
};

static BROKER_INSTANCE: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Template Instance")],
    // The server has the namespace in this place, and the name after the last column, where no client shows it.
    cells: |object, _| {
        let namespace = text(object, "spec.templateInstance.namespace");
        vec![name(object), namespace.to_owned()]
    },
};

/// What `oc get projects` shows of namespaces.
static PROJECT: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Display Name"),
        Column::new("Status"),
    ],
    cells: |object, _| {
        let display_name = annotation(object, "openshift.io/display-name");
        vec![
            name(object),
            display_name.unwrap_or_default().to_owned(),
            text_or(object, "status.phase", "Active").to_owned(),
        ]
    },
};
