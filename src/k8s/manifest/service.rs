//! The addresses and ports of a service.
//!
//! Node ports are kept, because clients know them. Addresses that the server assigned are removed, and it assigns new
//! ones. Addresses that the author wrote are kept, because with another address in the recovered service, the author's own
//! manifest would be refused.

use serde_json::{Map, Value};

use super::Note;
use super::authored::AuthoredFields;

/// Removes the addresses and ports that the server assigned. A headless service stays headless.
pub fn strip(spec: &mut Map<String, Value>, authored: &AuthoredFields, notes: &mut Vec<Note>) {
    let cluster_ip = spec.get("clusterIP").and_then(Value::as_str);
    let is_headless = cluster_ip == Some("None");
    let is_authored = authored.has("clusterIP") || authored.has("clusterIPs");
    if !is_headless && !is_authored {
        let one = spec.shift_remove("clusterIP");
        let all = spec.shift_remove("clusterIPs");
        let mut addresses = texts(all.as_ref());
        if addresses.is_empty() {
            let one = one.as_ref().and_then(Value::as_str);
            addresses.extend(one.map(str::to_owned));
        }
        addresses.retain(|address| !address.is_empty());
        if !addresses.is_empty() {
            notes.push(Note::ClusterAddresses(addresses));
        }
    }
    if !authored.has("healthCheckNodePort")
        && let Some(port) = spec.shift_remove("healthCheckNodePort")
        && let Some(port) = port.as_i64().filter(|port| *port != 0)
    {
        notes.push(Note::HealthCheckPort(port));
    }
}

/// Adds a note with the addresses of the load balancer.
pub fn note_addresses(service: &Value, notes: &mut Vec<Note>) {
    let ingress = service.pointer("/status/loadBalancer/ingress");
    let ingress = ingress.and_then(Value::as_array).into_iter().flatten();
    let address = |one: &Value| {
        let ip = one.get("ip").or_else(|| one.get("hostname"));
        ip.and_then(Value::as_str).map(str::to_owned)
    };
    let addresses: Vec<String> = ingress.filter_map(address).collect();
    if !addresses.is_empty() {
        notes.push(Note::LoadBalancer(addresses));
    }
}

fn texts(list: Option<&Value>) -> Vec<String> {
    let list = list.and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}
