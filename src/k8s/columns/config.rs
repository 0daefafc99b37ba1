//! Tables of small kinds of the core group: configuration, service accounts, namespaces, quotas.

use serde_json::Value;

use super::fields::{map, map_len, name, object_age, quantity_of, text_or};
use super::{Builtin, Column, others};

/// The tables of this file's kinds.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ConfigMap" => Some(&CONFIG_MAP),
        "LimitRange" => Some(&others::CREATED_AT),
        "Namespace" => Some(&NAMESPACE),
        "ResourceQuota" => Some(&RESOURCE_QUOTA),
        "Secret" => Some(&SECRET),
        "ServiceAccount" => Some(&others::NAME_AND_AGE),
        _ => None,
    }
}

static CONFIG_MAP: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("Data"), Column::new("Age")],
    cells: |object, clock| {
        let entries = map_len(object, "data").saturating_add(map_len(object, "binaryData"));
        vec![name(object), entries.to_string(), object_age(object, clock)]
    },
};

static SECRET: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("Data"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text_or(object, "type", "Opaque").to_owned(),
            map_len(object, "data").to_string(),
            object_age(object, clock),
        ]
    },
};

static NAMESPACE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Status"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text_or(object, "status.phase", "Active").to_owned(),
            object_age(object, clock),
        ]
    },
};

static RESOURCE_QUOTA: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Request"),
        Column::new("Limit"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let (requests, limits) = quotas(object);
        vec![name(object), requests, limits, object_age(object, clock)]
    },
};

/// `resource: used/hard` for the requests and for the limits, each sorted by resource.
fn quotas(object: &Value) -> (String, String) {
    let mut hard: Vec<(&String, &Value)> =
        map(object, "status.hard").into_iter().flatten().collect();
    hard.sort_unstable_by_key(|(resource, _)| *resource);
    let used = map(object, "status.used");
    let (mut requests, mut limits) = (Vec::new(), Vec::new());
    for (resource, hard) in hard {
        let used = used
            .and_then(|used| used.get(resource))
            .map_or_else(|| "0".to_owned(), quantity_of);
        let line = format!("{resource}: {used}/{}", quantity_of(hard));
        if resource.starts_with("limits.") {
            limits.push(line);
        } else {
            requests.push(line);
        }
    }
    (requests.join(", "), limits.join(", "))
}
