//! The software-defined network of OpenShift 3 and 4.

use serde_json::Value;

use super::super::fields::{at, digits, name, text};
use super::{Builtin, Column};

/// The tables of network.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "ClusterNetwork" => Some(&CLUSTER_NETWORK),
        "HostSubnet" => Some(&HOST_SUBNET),
        "NetNamespace" => Some(&NET_NAMESPACE),
        _ => None,
    }
}

static CLUSTER_NETWORK: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Cluster Network"),
        Column::new("Service Network"),
        Column::new("Plugin Name"),
    ],
    cells: |object, _| {
        let fields = ["network", "serviceNetwork", "pluginName"];
        let cells = fields.map(|field| text(object, field).to_owned());
        [vec![name(object)], cells.to_vec()].concat()
    },
};

static HOST_SUBNET: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Host"),
        Column::new("Host IP"),
        Column::new("Subnet"),
        Column::new("Egress CIDRs"),
        Column::new("Egress IPs"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            text(object, "host").to_owned(),
            text(object, "hostIP").to_owned(),
            text(object, "subnet").to_owned(),
            json_list(object, "egressCIDRs"),
            json_list(object, "egressIPs"),
        ]
    },
};

static NET_NAMESPACE: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("NetID"),
        Column::new("Egress IPs"),
    ],
    cells: |object, _| {
        vec![
            name(object),
            digits(object, "netid"),
            json_list(object, "egressIPs"),
        ]
    },
};

/// A list as the column of a definition shows it: `["10.0.0.1"]`; empty if there is none.
fn json_list(object: &Value, path: &str) -> String {
    let found = at(object, path);
    found
        .as_array()
        .map_or_else(String::new, |_| found.to_string())
}
