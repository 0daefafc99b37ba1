//! Objects as the API server stores them: the `k8s\0` envelope with a small
//! protobuf message of ours. Field numbers are those of `generated.proto` in
//! k8s.io/api and k8s.io/apimachinery.

use super::random::Rng;
use super::wire::Message;

/// Wraps an object's message: runtime.Unknown with the type, in an envelope.
pub fn envelope(api_version: &str, kind: &str, object: Message) -> Vec<u8> {
    let type_meta = Message::new().set(1, api_version).set(2, kind);
    let unknown = Message::new()
        .nest(1, type_meta)
        .nest(2, object)
        .set(3, "")
        .set(4, "");
    let mut out = b"k8s\0".to_vec();
    out.extend(unknown.finish());
    out
}

/// A time in whole seconds since 1970.
pub fn time(seconds: i64) -> Message {
    Message::new().set_int(1, seconds).set_int(2, 0)
}

/// A random version 4 UUID.
pub fn uid(rng: &mut Rng) -> String {
    let (a, b) = (rng.next_u64(), rng.next_u64());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        (a >> 16) & 0xFFFF,
        a & 0xFFF,
        (b >> 48) & 0x3FFF | 0x8000,
        b & 0xFFFF_FFFF_FFFF
    )
}

/// One entry of an object's managed fields.
#[derive(Clone, Debug, Default)]
pub struct Manager {
    /// Its name.
    pub name: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// Subresource, or empty.
    pub subresource: String,
    /// In seconds since 1970.
    pub time: i64,
    /// The fields as JSON.
    pub fields: String,
}

/// The metadata of an object.
#[derive(Clone, Debug, Default)]
pub struct Meta {
    /// Name.
    pub name: String,
    /// Namespace, or empty.
    pub namespace: String,
    /// UID.
    pub uid: String,
    /// Generation, or 0.
    pub generation: i64,
    /// Creation, in seconds since 1970.
    pub created: i64,
    /// Labels.
    pub labels: Vec<(String, String)>,
    /// Annotations.
    pub annotations: Vec<(String, String)>,
    /// Managed fields.
    pub managed: Vec<Manager>,
}

impl Meta {
    /// The ObjectMeta message; `api_version` is in the managed fields.
    pub fn message(&self, api_version: &str) -> Message {
        let mut meta = Message::new()
            .set(1, &self.name)
            .set(2, "")
            .set(3, &self.namespace)
            .set(4, "")
            .set(5, &self.uid)
            .set(6, "")
            .set_int(7, self.generation)
            .nest(8, time(self.created))
            .map(11, self.labels.iter().map(|(k, v)| (k, v)))
            .map(12, self.annotations.iter().map(|(k, v)| (k, v)));
        for manager in &self.managed {
            let entry = Message::new()
                .set(1, &manager.name)
                .set(2, &manager.operation)
                .set(3, api_version)
                .nest(4, time(manager.time))
                .set(6, "FieldsV1")
                .nest(7, Message::new().set(1, &manager.fields))
                .set(8, &manager.subresource);
            meta = meta.nest(17, entry);
        }
        meta
    }
}

/// A v1 ConfigMap.
pub fn config_map(meta: &Meta, data: &[(String, String)]) -> Vec<u8> {
    let object = Message::new().nest(1, meta.message("v1"));
    let object = object.map(2, data.iter().map(|(k, v)| (k, v)));
    envelope("v1", "ConfigMap", object)
}

/// A v1 Secret of type Opaque.
pub fn secret(meta: &Meta, data: &[(String, Vec<u8>)]) -> Vec<u8> {
    let object = Message::new().nest(1, meta.message("v1"));
    let object = object.map(2, data.iter().map(|(k, v)| (k, v)));
    envelope("v1", "Secret", object.set(3, "Opaque"))
}

/// A coordination.k8s.io/v1 Lease of 40 seconds.
pub fn lease(meta: &Meta, holder: &str, renewed: i64) -> Vec<u8> {
    let spec = Message::new()
        .set(1, holder)
        .set_int(2, 40)
        .nest(4, time(renewed));
    let api = "coordination.k8s.io/v1";
    let object = Message::new().nest(1, meta.message(api)).nest(2, spec);
    envelope(api, "Lease", object)
}

/// A v1 Event about a pod.
pub fn event(meta: &Meta, pod: &str, reason: &str, message: &str, count: i64) -> Vec<u8> {
    let involved = Message::new()
        .set(1, "Pod")
        .set(2, &meta.namespace)
        .set(3, pod)
        .set(4, &meta.uid)
        .set(5, "v1")
        .set(6, "")
        .set(7, "spec.containers{app}");
    let source = Message::new().set(1, "kubelet").set(2, "node-1");
    let object = Message::new()
        .nest(1, meta.message("v1"))
        .nest(2, involved)
        .set(3, reason)
        .set(4, message)
        .nest(5, source)
        .nest(6, time(meta.created))
        .nest(7, time(meta.created + count))
        .set_int(8, count)
        .set(9, "Normal")
        .set(14, "kubelet")
        .set(15, "node-1");
    envelope("v1", "Event", object)
}

/// What a pod of ours can differ in.
#[derive(Clone, Debug, Default)]
pub struct Pod {
    /// Metadata.
    pub meta: Meta,
    /// Image of its only container.
    pub image: String,
    /// Environment of the container.
    pub env: Vec<(String, String)>,
    /// Node, or empty before it is scheduled.
    pub node: String,
    /// `Pending`, `Running`, ...
    pub phase: String,
    /// Address, or empty.
    pub ip: String,
}

impl Pod {
    /// The stored value: a v1 Pod.
    pub fn value(&self) -> Vec<u8> {
        let mut container = Message::new()
            .set(1, "app")
            .set(2, &self.image)
            .set(5, "")
            .nest(6, port("http", 8080));
        for (name, value) in &self.env {
            container = container.nest(7, Message::new().set(1, name).set(2, value));
        }
        let container = container
            .nest(8, Message::new())
            .set(13, "/dev/termination-log")
            .set(14, "IfNotPresent")
            .set_int(16, 0)
            .set_int(17, 0)
            .set_int(18, 0)
            .set(20, "File");
        let spec = Message::new()
            .nest(2, container)
            .set(3, "Always")
            .set_int(4, 30)
            .set(6, "ClusterFirst")
            .set(8, "default")
            .set(9, "default")
            .set(10, &self.node)
            .set_int(11, 0)
            .set_int(12, 0)
            .set_int(13, 0)
            .nest(14, Message::new())
            .set(19, "default-scheduler");
        let object = Message::new()
            .nest(1, self.meta.message("v1"))
            .nest(2, spec)
            .nest(3, self.status());
        envelope("v1", "Pod", object)
    }

    fn status(&self) -> Message {
        let mut status = Message::new().set(1, &self.phase);
        if !self.node.is_empty() {
            let condition = Message::new()
                .set(1, "PodScheduled")
                .set(2, "True")
                .nest(3, Message::new())
                .nest(4, time(self.meta.created + 1))
                .set(5, "")
                .set(6, "");
            status = status.nest(2, condition);
        }
        status.set(3, "").set(4, "").set(5, "").set(6, &self.ip)
    }
}

fn port(name: &str, number: i64) -> Message {
    Message::new()
        .set(1, name)
        .set_int(2, 0)
        .set_int(3, number)
        .set(4, "TCP")
        .set(5, "")
}

/// Managed fields such as a server-side apply or a controller leaves, some
/// `len` bytes of JSON.
pub fn fields_json(rng: &mut Rng, len: usize) -> String {
    const PATHS: [&str; 8] = [
        "f:metadata",
        "f:labels",
        "f:spec",
        "f:template",
        "f:containers",
        "f:resources",
        "f:limits",
        "f:status",
    ];
    let mut out = String::from("{");
    while out.len() + 1 < len {
        let comma = if out.len() > 1 { "," } else { "" };
        let path = rng.pick(&PATHS).copied().unwrap_or_default();
        let name = rng.word(7);
        out.push_str(&format!(
            "{comma}\"{path}-{name}\":{{\".\":{{}},\"f:{name}\":{{}}}}"
        ));
    }
    out.push('}');
    out
}

/// About `len` bytes of text such as is found in configuration files.
pub fn config_text(rng: &mut Rng, len: usize) -> String {
    let mut out = String::with_capacity(len + 64);
    while out.len() < len {
        let (name, value) = (rng.word(9), rng.word(14));
        let n = rng.below(100_000);
        match rng.below(4) {
            0 => out.push_str(&format!("server.{name}.timeout: {n}\n")),
            1 => out.push_str(&format!("  {name}: \"{value}\"\n")),
            2 => out.push_str(&format!("# the {name} setting is used by {value}\n")),
            _ => out.push_str(&format!("export {name}=/var/lib/{value}/{n}\n")),
        }
    }
    out
}
