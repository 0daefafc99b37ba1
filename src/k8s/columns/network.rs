//! Tables of services, endpoints, ingresses and network policies.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{
    annotation, first_three, given, given_int, given_text, int, list, map, name, object_age, text,
    text_or, texts,
};
use super::labels::{format_labels, format_selector, none_if_empty};
use super::{Builtin, Column};

/// The core group's tables.
pub(super) fn core(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "Endpoints" => Some(&ENDPOINTS),
        "Service" => Some(&SERVICE),
        _ => None,
    }
}

/// The tables of discovery.k8s.io.
pub(super) fn discovery(kind: &str) -> Option<&'static Builtin> {
    (kind == "EndpointSlice").then_some(&ENDPOINT_SLICE)
}

/// The tables of networking.k8s.io.
pub(super) fn networking(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ClusterCIDR" => Some(&CLUSTER_CIDR),
        "IPAddress" => Some(&IP_ADDRESS),
        "Ingress" => Some(&INGRESS),
        "IngressClass" => Some(&INGRESS_CLASS),
        "NetworkPolicy" => Some(&NETWORK_POLICY),
        "ServiceCIDR" => Some(&SERVICE_CIDR),
        _ => None,
    }
}

static SERVICE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("Cluster-IP"),
        Column::new("External-IP"),
        Column::new("Port(s)"),
        Column::new("Age"),
        Column::wide("Selector"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text_or(object, "spec.type", "ClusterIP").to_owned(),
            cluster_ip(object).to_owned(),
            external_ip(object),
            none_if_empty(service_ports(object)),
            object_age(object, clock),
            format_labels(map(object, "spec.selector")),
        ]
    },
};

/// The first cluster address. Before release 1.20 there was only the field for one.
fn cluster_ip(service: &Value) -> &str {
    match list(service, "spec.clusterIPs").first() {
        Some(first) => first.as_str().unwrap_or_default(),
        None => text_or(service, "spec.clusterIP", "<none>"),
    }
}

fn external_ip(service: &Value) -> String {
    let own = texts(service, "spec.externalIPs").join(",");
    match text_or(service, "spec.type", "ClusterIP") {
        "ClusterIP" | "NodePort" => none_if_empty_list(own, service),
        "LoadBalancer" => {
            let balancer = load_balancer(service);
            match (
                balancer.is_empty(),
                list(service, "spec.externalIPs").is_empty(),
            ) {
                (true, true) => "<pending>".to_owned(),
                (true, false) => own,
                (false, true) => balancer,
                (false, false) => format!("{balancer},{own}"),
            }
        }
        "ExternalName" => text(service, "spec.externalName").to_owned(),
        _ => "<unknown>".to_owned(),
    }
}

/// The joined addresses, or `<none>` if the list is empty. A list with one empty address gives an empty text.
fn none_if_empty_list(joined: String, service: &Value) -> String {
    if list(service, "spec.externalIPs").is_empty() {
        "<none>".to_owned()
    } else {
        joined
    }
}

/// The addresses of a load balancer, or host names where there is no address, sorted and without duplicates.
fn load_balancer(object: &Value) -> String {
    let addresses: BTreeSet<&str> = list(object, "status.loadBalancer.ingress")
        .iter()
        .map(|ingress| text_or(ingress, "ip", text(ingress, "hostname")))
        .filter(|address| !address.is_empty())
        .collect();
    let addresses: Vec<&str> = addresses.into_iter().collect();
    addresses.join(",")
}

/// `port:nodePort/protocol`, joined with commas.
fn service_ports(service: &Value) -> String {
    let ports: Vec<String> = list(service, "spec.ports")
        .iter()
        .map(|port| {
            let protocol = text_or(port, "protocol", "TCP");
            match (int(port, "port"), int(port, "nodePort")) {
                (number, on_nodes @ 1..) => format!("{number}:{on_nodes}/{protocol}"),
                (number, _) => format!("{number}/{protocol}"),
            }
        })
        .collect();
    ports.join(",")
}

static ENDPOINTS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Endpoints"),
        Column::new("Age"),
    ],
    cells: |object, clock| vec![name(object), endpoints(object), object_age(object, clock)],
};

/// The first three addresses with their ports.
fn endpoints(object: &Value) -> String {
    const SHOWN: usize = 3;
    let subsets = list(object, "subsets");
    if subsets.is_empty() {
        return "<none>".to_owned();
    }
    let mut shown: Vec<String> = Vec::new();
    let mut count = 0_usize;
    for subset in subsets {
        let addresses = list(subset, "addresses");
        let ports = list(subset, "ports");
        let mut add = |port: Option<&Value>| {
            count = count.saturating_add(addresses.len());
            let free = SHOWN.saturating_sub(shown.len());
            shown.extend(addresses.iter().take(free).map(|address| {
                let ip = text(address, "ip");
                match port {
                    None => ip.to_owned(),
                    Some(port) if ip.contains(':') => format!("[{ip}]:{}", int(port, "port")),
                    Some(port) => format!("{ip}:{}", int(port, "port")),
                }
            }));
        };
        if ports.is_empty() {
            add(None);
        }
        for port in ports {
            add(Some(port));
        }
    }
    let text = shown.join(",");
    if count > SHOWN {
        return format!("{text} + {} more...", count.saturating_sub(SHOWN));
    }
    text
}

static ENDPOINT_SLICE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("AddressType"),
        Column::new("Ports"),
        Column::new("Endpoints"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let port = |port: &Value| match given_int(port, "port") {
            Some(number) => number.to_string(),
            // An absent name is read as an empty one.
            None => text(port, "name").to_owned(),
        };
        let addresses = list(object, "endpoints")
            .iter()
            .flat_map(|endpoint| texts(endpoint, "addresses"));
        vec![
            name(object),
            text(object, "addressType").to_owned(),
            first_three(list(object, "ports").iter().map(port)),
            first_three(addresses),
            object_age(object, clock),
        ]
    },
};

static INGRESS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Class"),
        Column::new("Hosts"),
        Column::new("Address"),
        Column::new("Ports"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        let has_tls = !list(object, "spec.tls").is_empty();
        vec![
            name(object),
            given_text(object, "spec.ingressClassName")
                .unwrap_or("<none>")
                .to_owned(),
            hosts(list(object, "spec.rules")),
            load_balancer(object),
            if has_tls { "80, 443" } else { "80" }.to_owned(),
            object_age(object, clock),
        ]
    },
};

/// The first three hosts. The number of others counts rules, some of which may have no host, as in kubectl.
fn hosts(rules: &[Value]) -> String {
    const SHOWN: usize = 3;
    let mut hosts: Vec<&str> = Vec::new();
    for rule in rules {
        if hosts.len() == SHOWN {
            let more = rules.len().saturating_sub(SHOWN);
            return format!("{} + {more} more...", hosts.join(","));
        }
        hosts.extend(Some(text(rule, "host")).filter(|host| !host.is_empty()));
    }
    if hosts.is_empty() {
        return "*".to_owned();
    }
    hosts.join(",")
}

static INGRESS_CLASS: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Controller"),
        Column::new("Parameters"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            text(object, "spec.controller").to_owned(),
            class_parameters(object),
            object_age(object, clock),
        ]
    },
};

/// `Kind.group/name` of a class's parameters.
fn class_parameters(class: &Value) -> String {
    let Some(reference) = given(class, "spec.parameters") else {
        return "<none>".to_owned();
    };
    let (kind, name) = (text(reference, "kind"), text(reference, "name"));
    match given_text(reference, "apiGroup") {
        Some(group) => format!("{kind}.{group}/{name}"),
        None => format!("{kind}/{name}"),
    }
}

static NETWORK_POLICY: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Pod-Selector"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            format_selector(object, "spec.podSelector"),
            object_age(object, clock),
        ]
    },
};

static SERVICE_CIDR: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("CIDRs"),
        Column::new("Age"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            texts(object, "spec.cidrs").join(","),
            object_age(object, clock),
        ]
    },
};

static IP_ADDRESS: Builtin = Builtin {
    columns: &[Column::new("Name"), Column::new("ParentRef")],
    cells: |object, _| vec![name(object), parent(object)],
};

/// `resource.group/namespace/name` of the object to which an address belongs.
fn parent(address: &Value) -> String {
    let Some(parent) = given(address, "spec.parentRef") else {
        return "<none>".to_owned();
    };
    let mut out = text(parent, "resource").to_owned();
    let group = text(parent, "group");
    if !group.is_empty() {
        out = format!("{out}.{group}");
    }
    out = out.to_lowercase();
    let namespace = text(parent, "namespace");
    if !namespace.is_empty() {
        out = format!("{out}/{namespace}");
    }
    format!("{out}/{}", text(parent, "name"))
}

/// In releases 1.25 to 1.28.
static CLUSTER_CIDR: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("PerNodeHostBits"),
        Column::new("IPv4"),
        Column::new("IPv6"),
        Column::new("Age"),
        Column::wide("NodeSelector"),
    ],
    cells: |object, clock| {
        vec![
            name(object),
            int(object, "spec.perNodeHostBits").to_string(),
            text_or(object, "spec.ipv4", "<none>").to_owned(),
            text_or(object, "spec.ipv6", "<none>").to_owned(),
            object_age(object, clock),
            given(object, "spec.nodeSelector").map_or_else(|| "<none>".to_owned(), node_selector),
        ]
    },
};

/// The terms, as Go prints a list of structs.
fn node_selector(selector: &Value) -> String {
    let mut terms = Vec::new();
    for term in list(selector, "nodeSelectorTerms") {
        for (title, field) in [
            ("MatchExpressions", "matchExpressions"),
            ("MatchFields", "matchFields"),
        ] {
            let requirements: Vec<String> = list(term, field)
                .iter()
                .map(|r| {
                    let values = texts(r, "values").join(" ");
                    format!("{{{} {} [{values}]}}", text(r, "key"), text(r, "operator"))
                })
                .collect();
            if !requirements.is_empty() {
                terms.push(format!("{title}: [{}]", requirements.join(" ")));
            }
        }
    }
    terms.join(",")
}

/// Whether an annotation has the value `true`.
pub(super) fn is_annotated(object: &Value, key: &str) -> bool {
    annotation(object, key) == Some("true")
}
