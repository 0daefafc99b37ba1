//! Stored values of a busy cluster for the benches of the decoder: the kinds in the proportions in
//! which an API server writes them, each with the fields, probes, conditions and managedFields that
//! such objects have. On average a value has about 1.8 kB, half of it managedFields, as in a recorded cluster; the store
//! of `store.rs` has larger values of few fields, for it is about pages and records.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap
)]

use std::fmt::Write as _;

use super::synth::Rng;
use super::synth::k8s::{self, Manager, Meta, envelope, time, uid};
use super::synth::wire::Message;

/// 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600;

type Make = fn(&mut Rng) -> Vec<u8>;

/// A kind, how many of 100 values are of it, and how one is made.
const KINDS: [(&str, u64, Make); 9] = [
    ("Pod", 19, pod),
    ("Lease", 27, lease),
    ("Event", 24, event),
    ("EndpointSlice", 7, endpoint_slice),
    ("ReplicaSet", 6, replica_set),
    ("ConfigMap", 6, config_map),
    ("Secret", 6, secret),
    ("Deployment", 4, deployment),
    ("Node", 1, node),
];

/// So many values; of one kind, or of all in their proportions.
pub fn values(kind: Option<&str>, count: usize) -> Vec<Vec<u8>> {
    let mut rng = Rng::new(20_260_101);
    let of_kind = |rng: &mut Rng| {
        let mut dice = rng.below(100);
        let made = KINDS.iter().find(|(name, share, _)| match kind {
            Some(kind) => *name == kind,
            None if dice < *share => true,
            None => {
                dice -= share;
                false
            }
        });
        made.unwrap().2(rng)
    };
    (0..count).map(|_| of_kind(&mut rng)).collect()
}

const NAMES: [&str; 6] = [
    "web",
    "checkout-api",
    "ingest-worker",
    "cache",
    "billing-export",
    "search-indexer",
];

fn meta(rng: &mut Rng, name: String, managed: Vec<Manager>) -> Meta {
    let namespaces = ["default", "kube-system", "payments", "shop", "monitoring"];
    Meta {
        name,
        namespace: (*rng.pick(&namespaces).unwrap()).to_owned(),
        uid: uid(rng),
        generation: 0,
        created: EPOCH + rng.below(10_000_000) as i64,
        managed,
        ..Meta::default()
    }
}

fn manager(rng: &mut Rng, name: &str, subresource: &str, fields: String) -> Manager {
    Manager {
        name: name.to_owned(),
        operation: "Update".to_owned(),
        subresource: subresource.to_owned(),
        time: EPOCH + rng.below(10_000_000) as i64,
        fields,
    }
}

fn stem(rng: &mut Rng) -> &'static str {
    rng.pick(&NAMES).copied().unwrap()
}

/// `"f:a":{},"f:b":{}`.
fn leaves(names: &str) -> String {
    let leaf = |name: &str| format!("\"f:{name}\":{{}}");
    names.split(' ').map(leaf).collect::<Vec<_>>().join(",")
}

/// The fields of one item of a list, under its key.
fn item(key: &str, value: &str, names: &str) -> String {
    format!(
        "\"k:{{\\\"{key}\\\":\\\"{value}\\\"}}\":{{\".\":{{}},{}}}",
        leaves(names)
    )
}

fn owner(rng: &mut Rng, kind: &str, name: &str) -> Message {
    Message::new()
        .set(1, kind)
        .set(3, name)
        .set(4, uid(rng))
        .set(5, "apps/v1")
        .set_int(6, 1)
        .set_int(7, 1)
}

fn quantities(pairs: &[(&str, &str)]) -> Vec<Message> {
    let entry = |(name, text): &(&str, &str)| {
        Message::new()
            .set(1, name)
            .nest(2, Message::new().set(1, text))
    };
    pairs.iter().map(entry).collect()
}

fn nest_all(message: Message, field: u32, all: impl IntoIterator<Item = Message>) -> Message {
    all.into_iter().fold(message, |m, one| m.nest(field, one))
}

fn probe(path: &str, period: i64) -> Message {
    let port = Message::new().set_int(1, 1).set_int(2, 0).set(3, "http");
    let get = Message::new()
        .set(1, path)
        .nest(2, port)
        .set(3, "")
        .set(4, "HTTP");
    Message::new()
        .nest(1, Message::new().nest(2, get))
        .set_int(2, 5)
        .set_int(3, 1)
        .set_int(4, period)
        .set_int(5, 1)
        .set_int(6, 3)
}

fn env(rng: &mut Rng) -> Vec<(String, String)> {
    let count = rng.between(1, 6) as usize;
    let one = |i: usize, rng: &mut Rng| {
        let len = rng.between(3, 40) as usize;
        (format!("{}_{i}", rng.word(8).to_uppercase()), rng.word(len))
    };
    (0..count).map(|i| one(i, rng)).collect()
}

fn container(rng: &mut Rng, name: &str, env: &[(String, String)]) -> Message {
    let port = Message::new()
        .set(1, "http")
        .set_int(2, 0)
        .set_int(3, 8080)
        .set(4, "TCP")
        .set(5, "");
    let limits = quantities(&[("cpu", "500m"), ("memory", "256Mi")]);
    let requests = quantities(&[("cpu", "100m"), ("memory", "128Mi")]);
    let resources = nest_all(nest_all(Message::new(), 1, limits), 2, requests);
    let mount = |name: &str, path: &str| {
        let mount = Message::new().set(1, name).set_int(2, 1);
        mount.set(3, path).set(4, "")
    };
    let variable = |(name, value): &(String, String)| Message::new().set(1, name).set(2, value);
    let container = Message::new()
        .set(1, name)
        .set(
            2,
            format!("registry.example.com/{name}:v1.{}", rng.below(40)),
        )
        .set(4, "--listen=:8080")
        .set(4, "--log-level=info")
        .set(5, "")
        .nest(6, port);
    nest_all(container, 7, env.iter().map(variable))
        .nest(8, resources)
        .nest(9, mount("config", "/etc/app"))
        .nest(
            9,
            mount(
                "kube-api-access",
                "/var/run/secrets/kubernetes.io/serviceaccount",
            ),
        )
        .nest(10, probe("/healthz", 20))
        .nest(11, probe("/ready?full=1", 10))
        .set(13, "/dev/termination-log")
        .set(14, "IfNotPresent")
        .set_int(16, 0)
        .set_int(17, 0)
        .set_int(18, 0)
        .set(20, "File")
}

fn volumes() -> Vec<Message> {
    let named = |name: &str, source: Message| Message::new().set(1, name).nest(2, source);
    let reference = |name: &str| Message::new().set(1, name);
    let config = Message::new()
        .nest(1, reference("app-config"))
        .set_int(3, 420);
    let token = Message::new().set(1, "").set_int(2, 3607).set(3, "token");
    let key = Message::new().set(1, "ca.crt").set(2, "ca.crt");
    let ca = Message::new()
        .nest(1, reference("kube-root-ca.crt"))
        .nest(2, key);
    let field = Message::new().set(1, "v1").set(2, "metadata.namespace");
    let file = Message::new().set(1, "namespace").nest(2, field);
    let downward = Message::new().nest(1, file);
    let projected = Message::new()
        .nest(1, Message::new().nest(4, token))
        .nest(1, Message::new().nest(3, ca))
        .nest(1, Message::new().nest(2, downward))
        .set_int(2, 420);
    vec![
        named("config", Message::new().nest(19, config)),
        named("kube-api-access", Message::new().nest(26, projected)),
    ]
}

fn pod_spec(rng: &mut Rng, name: &str, env: &[(String, String)], node: &str) -> Message {
    let toleration = |key: &str| {
        let toleration = Message::new().set(1, key).set(2, "Exists").set(3, "");
        toleration.set(4, "NoExecute").set_int(5, 300)
    };
    nest_all(Message::new(), 1, volumes())
        .nest(2, container(rng, name, env))
        .set(3, "Always")
        .set_int(4, 30)
        .set(6, "ClusterFirst")
        .set(8, "default")
        .set(9, "default")
        .set(10, node)
        .set_int(11, 0)
        .set_int(12, 0)
        .set_int(13, 0)
        .nest(14, Message::new())
        .set(16, "")
        .set(17, "")
        .set(19, "default-scheduler")
        .nest(22, toleration("node.kubernetes.io/not-ready"))
        .nest(22, toleration("node.kubernetes.io/unreachable"))
        .set(24, "")
        .set_int(25, 0)
        .set_int(30, 1)
        .set(31, "PreemptLowerPriority")
}

/// The managed fields of a container as its creator leaves them.
fn container_fields(name: &str, env: &[(String, String)]) -> String {
    let mut variables = String::from("\".\":{}");
    for (variable, _) in env {
        let _ = write!(variables, ",{}", item("name", variable, "name value"));
    }
    let get = leaves("path port scheme");
    let rest = leaves("initialDelaySeconds periodSeconds successThreshold timeoutSeconds");
    format!(
        "\"f:containers\":{{\"k:{{\\\"name\\\":\\\"{name}\\\"}}\":{{\".\":{{}},\"f:args\":{{}},\"f:env\":{{{variables}}},{},\"f:livenessProbe\":{{\".\":{{}},\"f:httpGet\":{{\".\":{{}},{get}}},{rest}}},\"f:readinessProbe\":{{\".\":{{}},\"f:httpGet\":{{\".\":{{}},{get}}},{rest}}},\"f:resources\":{{\".\":{{}},\"f:limits\":{{\".\":{{}},{limits}}},\"f:requests\":{{\".\":{{}},{limits}}}}},{}}}}},{}",
        leaves("image imagePullPolicy name"),
        leaves("terminationMessagePath terminationMessagePolicy"),
        leaves(
            "dnsPolicy enableServiceLinks restartPolicy schedulerName securityContext terminationGracePeriodSeconds"
        ),
        limits = leaves("cpu memory"),
    )
}

fn labels(rng: &mut Rng, name: &str) -> Vec<(String, String)> {
    vec![
        ("app.kubernetes.io/name".to_owned(), name.to_owned()),
        ("app.kubernetes.io/part-of".to_owned(), "shop".to_owned()),
        ("pod-template-hash".to_owned(), rng.word(10)),
    ]
}

const LABEL_FIELDS: &str = r#""f:metadata":{"f:annotations":{".":{},"f:checksum/config":{}},"f:labels":{".":{},"f:app.kubernetes.io/name":{},"f:app.kubernetes.io/part-of":{},"f:pod-template-hash":{}}}"#;

fn pod(rng: &mut Rng) -> Vec<u8> {
    let name = stem(rng);
    let env = env(rng);
    let ip = format!("10.4.{}.{}", rng.below(250), rng.between(1, 250));
    let types = "ContainersReady Initialized PodReadyToStartContainers PodScheduled Ready";
    let conditions: Vec<String> = types
        .split(' ')
        .map(|name| item("type", name, "lastProbeTime lastTransitionTime status type"))
        .collect();
    let status = format!(
        "{{\"f:status\":{{\"f:conditions\":{{{}}},{},\"f:podIPs\":{{\".\":{{}},{}}},\"f:startTime\":{{}}}}}}",
        conditions.join(","),
        leaves("containerStatuses hostIP hostIPs phase podIP"),
        item("ip", &ip, "ip"),
    );
    let spec = format!(
        "{{{LABEL_FIELDS},\"f:spec\":{{{}}}}}",
        container_fields(name, &env)
    );
    let managed = vec![
        manager(rng, "kube-controller-manager", "", spec),
        manager(rng, "kubelet", "status", status),
    ];
    let set = format!("{name}-{}", rng.word(10));
    let full_name = format!("{set}-{}", rng.word(5));
    let mut meta = meta(rng, full_name, managed);
    meta.labels = labels(rng, name);
    meta.annotations = vec![("checksum/config".to_owned(), rng.word(52))];
    let node = format!("node-{:02}", rng.below(50));
    let message = meta.message("v1");
    let message = message.nest(13, owner(rng, "ReplicaSet", &set));
    let started = meta.created + 3;
    let condition = |name: &str| {
        let condition = Message::new().set(1, name).set(2, "True");
        let condition = condition.nest(3, Message::new()).nest(4, time(started));
        condition.set(5, "").set(6, "")
    };
    let running = Message::new().nest(1, time(started));
    let container = Message::new()
        .set(1, name)
        .nest(2, Message::new().nest(2, running))
        .nest(3, Message::new())
        .set_int(4, 1)
        .set_int(5, rng.below(3) as i64)
        .set(6, format!("registry.example.com/{name}:v1"))
        .set(
            7,
            format!("registry.example.com/{name}@sha256:{}", rng.word(64)),
        )
        .set(8, format!("containerd://{}", rng.word(64)))
        .set_int(9, 1);
    let status = nest_all(
        Message::new().set(1, "Running"),
        2,
        types.split(' ').map(condition),
    )
    .set(3, "")
    .set(4, "")
    .set(5, "192.168.10.7")
    .set(6, &ip)
    .nest(7, time(started))
    .nest(8, container)
    .set(9, "Burstable")
    .set(11, "")
    .nest(12, Message::new().set(1, &ip))
    .set(14, "")
    .nest(16, Message::new().set(1, "192.168.10.7"));
    let pod = Message::new().nest(1, message);
    let pod = pod.nest(2, pod_spec(rng, name, &env, &node));
    envelope("v1", "Pod", pod.nest(3, status))
}

fn lease(rng: &mut Rng) -> Vec<u8> {
    let fields = format!(
        "{{\"f:metadata\":{{\"f:ownerReferences\":{{\".\":{{}},\"k:{{\\\"uid\\\":\\\"{}\\\"}}\":{{}}}}}},\"f:spec\":{{{}}}}}",
        uid(rng),
        leaves("holderIdentity leaseDurationSeconds renewTime"),
    );
    let managed = vec![manager(rng, "kubelet", "", fields)];
    let name = format!("node-{:02}", rng.below(50));
    let meta = meta(rng, name.clone(), managed);
    let nanos = rng.below(1_000_000) as i64 * 1000;
    let renewed = EPOCH + rng.below(10_000_000) as i64;
    let spec = Message::new()
        .set(1, &name)
        .set_int(2, 40)
        .nest(4, Message::new().set_int(1, renewed).set_int(2, nanos));
    let message = meta.message("coordination.k8s.io/v1");
    let message = message.nest(13, owner(rng, "Node", &name));
    let lease = Message::new().nest(1, message).nest(2, spec);
    envelope("coordination.k8s.io/v1", "Lease", lease)
}

fn event(rng: &mut Rng) -> Vec<u8> {
    let fields = format!(
        "{{{},\"f:involvedObject\":{{}},{},\"f:source\":{{{}}},\"f:type\":{{}}}}",
        leaves("count firstTimestamp"),
        leaves("lastTimestamp message reason reportingComponent"),
        leaves("component host")
    );
    let managed = vec![manager(rng, "kubelet", "", fields)];
    let pod = format!("{}-{}-{}", stem(rng), rng.word(10), rng.word(5));
    let full_name = format!("{pod}.18{:014x}", rng.next_u64() >> 8);
    let meta = meta(rng, full_name, managed);
    let message = format!(
        "Successfully pulled image \"registry.example.com/{}:v1\" in {}ms ({}ms including waiting)",
        stem(rng),
        rng.below(9000),
        rng.below(9000)
    );
    let count = rng.between(1, 30) as i64;
    k8s::event(&meta, &pod, "Pulled", &message, count)
}

fn endpoint_slice(rng: &mut Rng) -> Vec<u8> {
    let name = stem(rng);
    let fields = format!(
        "{{\"f:addressType\":{{}},\"f:endpoints\":{{}},\"f:metadata\":{{\"f:annotations\":{{\".\":{{}},{}}},\"f:generateName\":{{}},\"f:labels\":{{\".\":{{}},{}}}}},\"f:ports\":{{}}}}",
        leaves("endpoints.kubernetes.io/last-change-trigger-time"),
        leaves("endpointslice.kubernetes.io/managed-by kubernetes.io/service-name"),
    );
    let managed = vec![manager(rng, "kube-controller-manager", "", fields)];
    let full_name = format!("{name}-{}", rng.word(5));
    let mut meta = meta(rng, full_name, managed);
    meta.annotations = vec![(
        "endpoints.kubernetes.io/last-change-trigger-time".to_owned(),
        "2026-02-03T10:11:12Z".to_owned(),
    )];
    meta.labels = vec![("kubernetes.io/service-name".to_owned(), name.to_owned())];
    let ready = Message::new().set_int(1, 1).set_int(2, 1).set_int(3, 0);
    let endpoint = |rng: &mut Rng| {
        let target = Message::new()
            .set(1, "Pod")
            .set(2, &meta.namespace)
            .set(3, format!("{name}-{}-{}", rng.word(10), rng.word(5)))
            .set(4, uid(rng))
            .set(5, "")
            .set(6, "")
            .set(7, "");
        Message::new()
            .set(1, format!("10.4.{}.{}", rng.below(250), rng.below(250)))
            .nest(2, ready.clone())
            .nest(4, target)
            .set(6, format!("node-{:02}", rng.below(50)))
            .set(7, "zone-b")
    };
    let count = rng.between(1, 8);
    let endpoints: Vec<_> = (0..count).map(|_| endpoint(rng)).collect();
    let port = Message::new().set(1, "http").set(2, "TCP").set_int(3, 8080);
    let api = "discovery.k8s.io/v1";
    let slice = nest_all(Message::new().nest(1, meta.message(api)), 2, endpoints);
    envelope(api, "EndpointSlice", slice.nest(3, port).set(4, "IPv4"))
}

/// The parts that a ReplicaSet and a Deployment share: metadata, selector and template.
fn workload(rng: &mut Rng, suffix: &str) -> (Message, Message, Message) {
    let name = stem(rng);
    let env = env(rng);
    let spec = format!(
        "{{{LABEL_FIELDS},\"f:spec\":{{\"f:replicas\":{{}},\"f:selector\":{{}},\"f:template\":{{{LABEL_FIELDS},\"f:spec\":{{{}}}}}}}}}",
        container_fields(name, &env)
    );
    let status = format!(
        "{{\"f:status\":{{{}}}}}",
        leaves("availableReplicas fullyLabeledReplicas observedGeneration readyReplicas replicas")
    );
    let managed = vec![
        manager(rng, "kube-controller-manager", "", spec),
        manager(rng, "kube-controller-manager", "status", status),
    ];
    let mut meta = meta(rng, format!("{name}{suffix}"), managed);
    meta.generation = 2;
    meta.labels = labels(rng, name);
    meta.annotations = vec![
        (
            "deployment.kubernetes.io/revision".to_owned(),
            "7".to_owned(),
        ),
        (
            "deployment.kubernetes.io/desired-replicas".to_owned(),
            "3".to_owned(),
        ),
    ];
    let pairs = |meta: &Meta| meta.labels.clone();
    let selector = Message::new().map(1, pairs(&meta));
    let template = Meta {
        labels: pairs(&meta),
        ..Meta::default()
    };
    // A template has no time of creation.
    let template = Message::new()
        .set(1, "")
        .set(3, "")
        .nest(8, Message::new())
        .map(11, template.labels);
    let template = Message::new().nest(1, template);
    let template = template.nest(2, pod_spec(rng, name, &env, ""));
    (meta.message("apps/v1"), selector, template)
}

fn replica_set(rng: &mut Rng) -> Vec<u8> {
    let suffix = format!("-{}", rng.word(10));
    let (meta, selector, template) = workload(rng, &suffix);
    let deployment = stem(rng);
    let meta = meta.nest(13, owner(rng, "Deployment", deployment));
    let spec = Message::new().set_int(1, 3).nest(2, selector);
    let spec = spec.nest(3, template).set_int(4, 0);
    let status = (1..=5).fold(Message::new(), |status, field| status.set_int(field, 3));
    let set = Message::new().nest(1, meta).nest(2, spec).nest(3, status);
    envelope("apps/v1", "ReplicaSet", set)
}

fn deployment(rng: &mut Rng) -> Vec<u8> {
    let (meta, selector, template) = workload(rng, "");
    let quarter = || Message::new().set_int(1, 1).set_int(2, 0).set(3, "25%");
    let rolling = Message::new().nest(1, quarter()).nest(2, quarter());
    let strategy = Message::new().set(1, "RollingUpdate").nest(2, rolling);
    let spec = Message::new()
        .set_int(1, 3)
        .nest(2, selector)
        .nest(3, template)
        .nest(4, strategy)
        .set_int(5, 0)
        .set_int(6, 10)
        .set_int(7, 0)
        .set_int(9, 600);
    let condition = |name: &str, reason: &str| {
        Message::new()
            .set(1, name)
            .set(2, "True")
            .set(4, reason)
            .set(5, "Deployment has minimum availability.")
            .nest(6, time(EPOCH + 60))
            .nest(7, time(EPOCH + 5))
    };
    let status = (1..=5).fold(Message::new(), |status, field| status.set_int(field, 3));
    let status = status
        .nest(6, condition("Available", "MinimumReplicasAvailable"))
        .nest(6, condition("Progressing", "NewReplicaSetAvailable"))
        .set_int(7, 3);
    let whole = Message::new().nest(1, meta).nest(2, spec).nest(3, status);
    envelope("apps/v1", "Deployment", whole)
}

fn config_map(rng: &mut Rng) -> Vec<u8> {
    let managed = vec![manager(
        rng,
        "helm",
        "",
        format!("{{\"f:data\":{{{}}}}}", leaves("app.conf")),
    )];
    let name = format!("{}-config", stem(rng));
    let meta = meta(rng, name, managed);
    let len = rng.log_size(200, 6000) as usize;
    let text = k8s::config_text(rng, len);
    k8s::config_map(&meta, &[("app.conf".to_owned(), text)])
}

fn secret(rng: &mut Rng) -> Vec<u8> {
    let managed = vec![manager(
        rng,
        "helm",
        "",
        format!(
            "{{\"f:data\":{{{}}},\"f:type\":{{}}}}",
            leaves(". tls.crt tls.key")
        ),
    )];
    let name = format!("{}-tls", stem(rng));
    let meta = meta(rng, name, managed);
    let len = rng.log_size(100, 3000) as usize;
    let data = [
        ("tls.crt".to_owned(), rng.bytes(len)),
        ("tls.key".to_owned(), rng.bytes(len / 2)),
    ];
    k8s::secret(&meta, &data)
}

fn node(rng: &mut Rng) -> Vec<u8> {
    let name = format!("node-{:02}", rng.below(50));
    let types = "DiskPressure MemoryPressure PIDPressure Ready";
    let conditions: Vec<String> = types
        .split(' ')
        .map(|name| {
            item(
                "type",
                name,
                "lastHeartbeatTime lastTransitionTime message reason status",
            )
        })
        .collect();
    let fields = format!(
        "{{\"f:status\":{{\"f:conditions\":{{{}}},\"f:images\":{{}}}}}}",
        conditions.join(",")
    );
    let managed = vec![manager(rng, "kubelet", "status", fields)];
    let mut meta = meta(rng, name.clone(), managed);
    meta.namespace = String::new();
    meta.labels = vec![
        ("kubernetes.io/hostname".to_owned(), name),
        (
            "topology.kubernetes.io/zone".to_owned(),
            "zone-b".to_owned(),
        ),
    ];
    let spec = Message::new()
        .set(1, "10.4.7.0/24")
        .set(3, "cloud://zone-b/i-0a1b2c");
    let capacity = quantities(&[("cpu", "8"), ("memory", "32779452Ki"), ("pods", "110")]);
    let condition = |name: &str| {
        Message::new()
            .set(1, name)
            .set(2, "False")
            .nest(3, time(EPOCH + 500))
            .nest(4, time(EPOCH + 9))
            .set(5, "KubeletHasSufficientMemory")
            .set(6, "kubelet has sufficient memory available")
    };
    let image = |rng: &mut Rng| {
        let image = Message::new().set(
            1,
            format!("registry.example.com/{}@sha256:{}", stem(rng), rng.word(64)),
        );
        image
            .set(1, format!("registry.example.com/{}:v1", stem(rng)))
            .set_int(2, rng.below(900_000_000) as i64)
    };
    let images: Vec<_> = (0..30).map(|_| image(rng)).collect();
    let status = nest_all(Message::new(), 1, capacity.clone());
    let status = nest_all(status, 2, capacity);
    let status = nest_all(status.set(3, ""), 4, types.split(' ').map(condition));
    let status = nest_all(status, 8, images);
    let node = Message::new().nest(1, meta.message("v1")).nest(2, spec);
    envelope("v1", "Node", node.nest(3, status))
}
