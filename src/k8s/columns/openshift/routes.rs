//! Routes.

use serde_json::Value;

use super::super::fields::{at, condition, given, list, name, text};
use super::{Builtin, Column, given_number};

/// The table of route.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    (kind == "Route").then_some(&ROUTE)
}

static ROUTE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Host/Port"),
        Column::new("Path"),
        Column::new("Services"),
        Column::new("Port"),
        Column::new("Termination"),
        Column::new("Wildcard"),
    ],
    cells: |object, _| {
        let port = match given(object, "spec.port") {
            None => "<all>".to_owned(),
            Some(port) => match at(port, "targetPort") {
                Value::String(name) => name.clone(),
                Value::Null => "0".to_owned(),
                number => number.to_string(),
            },
        };
        vec![
            name(object),
            host(object),
            text(object, "spec.path").to_owned(),
            services(object),
            port,
            termination(object),
            text(object, "spec.wildcardPolicy").to_owned(),
        ]
    },
};

/// The host that a router admitted, with how many more did, or why none did.
fn host(route: &Value) -> String {
    let own = text(route, "spec.host");
    let mut host = own;
    let mut reason = "";
    let mut is_own = false;
    let (mut admitted, mut rejected) = (0_usize, 0_usize);
    for ingress in list(route, "status.ingress") {
        let Some(condition) = condition(list(ingress, "conditions"), "Admitted") else {
            continue;
        };
        match text(condition, "status") {
            "True" => {
                admitted = admitted.saturating_add(1);
                if !is_own {
                    host = text(ingress, "host");
                    is_own = host == own;
                }
            }
            "False" => {
                reason = text(condition, "reason");
                rejected = rejected.saturating_add(1);
            }
            _ => {}
        }
    }
    match (admitted, rejected) {
        // Old servers do not set it.
        _ if given(route, "status.ingress").is_none() => own.to_owned(),
        (0, 1..) => reason.to_owned(),
        (_, 1..) => format!("{host} ... {rejected} rejected"),
        (0, 0) => "Pending".to_owned(),
        (1, 0) => host.to_owned(),
        (_, 0) => format!("{host} ... {} more", admitted.saturating_sub(1)),
    }
}

/// The services with their parts of the traffic, if there are several.
fn services(route: &Value) -> String {
    let backends: Vec<&Value> = [at(route, "spec.to")]
        .into_iter()
        .chain(list(route, "spec.alternateBackends"))
        .collect();
    let weight = |backend: &Value| given_number(at(backend, "weight"));
    let total: i64 = backends
        .iter()
        .filter_map(|one| weight(one))
        .fold(0, i64::saturating_add);
    let is_alone = backends.len() == 1 && total != 0;
    let shown = backends.iter().map(|backend| {
        let name = text(backend, "name");
        match weight(backend) {
            None => name.to_owned(),
            Some(_) if is_alone => name.to_owned(),
            Some(weight) => {
                let part = weight.saturating_mul(100).checked_div(total);
                format!("{name}({}%)", part.unwrap_or_default())
            }
        }
    });
    shown.collect::<Vec<_>>().join(",")
}

/// How the connection of a client ends, and what happens to one that is not encrypted.
fn termination(route: &Value) -> String {
    let termination = text(route, "spec.tls.termination");
    let insecure = text(route, "spec.tls.insecureEdgeTerminationPolicy");
    match (termination, insecure) {
        (_, "") => termination.to_owned(),
        ("", _) => format!("default/{insecure}"),
        _ => format!("{termination}/{insecure}"),
    }
}
