//! A generated etcd store of a Kubernetes cluster, of any size, streamed to a
//! file: leaf pages are written as they fill, the branch levels afterwards.
//! Memory holds about 40 bytes a key and 24 bytes a leaf page.
//!
//! The proportions are those of a busy cluster: per 200 MB some 39,000 records
//! of 11,500 keys, of which 9,200 are live, with a compaction before which
//! only each key's last record is left. The same seed gives the same bytes.
//!
//! Whoever includes this file also has a module `synth` beside it (the one in
//! `tests/support/`).
#![allow(
    dead_code,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_possible_wrap,
    clippy::cast_precision_loss
)]

use super::synth::etcd::{self, Record};
use super::synth::k8s::{self, Pod};
use super::synth::page::{self, BUCKET_ELEMENT, LeafElement};
use super::synth::{Endian, Meta, NO_FREELIST, Rng};
use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

const PAGE_SIZE: usize = 4096;
const ORDER: Endian = Endian::Little;
/// bbolt fills a page to this before it splits it, as etcd asks.
const FILL: usize = PAGE_SIZE * 9 / 10;
/// Bytes of the file for each record, about.
const BYTES_PER_RECORD: u64 = 5150;
/// 2026-01-01T00:00:00Z: the cluster's first second.
const EPOCH: i64 = 1_767_225_600;
/// The lease of all events, as the API server shares one among many.
const LEASE: i64 = 0x694d_9a3f_1c2b_7e05;

/// What was generated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// File size in bytes.
    pub bytes: u64,
    /// Records, tombstones included.
    pub records: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Distinct keys.
    pub keys: u64,
    /// Live keys at the last revision.
    pub live: u64,
    /// Bytes of all user values.
    pub value_bytes: u64,
    /// Last revision.
    pub revision: i64,
    /// Compacted revision.
    pub compacted: i64,
    /// Free pages with stale content.
    pub stale_pages: u64,
}

/// Writes a store of about `target_bytes` (from 1 MB) to a new file.
///
/// # Errors
///
/// Those of creating and writing the file; an existing file is not touched.
pub fn generate(path: &Path, target_bytes: u64, seed: u64) -> io::Result<Summary> {
    let mut leaves = Leaves::create(path, seed)?;
    let mut cluster = Cluster::new(seed);
    for _ in 0..(target_bytes / BYTES_PER_RECORD / 5).max(1) {
        leaves.push(&cluster.compacted_record())?;
    }
    cluster.end_compacted();
    while leaves.bytes() < target_bytes {
        leaves.push(&cluster.change())?;
    }
    let mut summary = cluster.summary;
    summary.keys = cluster.objects.len() as u64;
    summary.live = cluster.live.len() as u64;
    summary.stale_pages = leaves.stale_pages;
    summary.bytes = leaves.finish(&summary)?;
    Ok(summary)
}

/// One object of the cluster.
struct Object {
    seed: u64,
    create_revision: i64,
    /// 0 while it is deleted.
    version: i64,
    /// When it was created, for the object's own metadata.
    created: i64,
}

struct Cluster {
    rng: Rng,
    objects: Vec<Object>,
    live: Vec<u32>,
    dead: Vec<u32>,
    /// Revisions whose records the compaction has removed and which no object
    /// has been given yet.
    skipped: Vec<i64>,
    summary: Summary,
}

impl Cluster {
    fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            objects: Vec::new(),
            live: Vec::new(),
            dead: Vec::new(),
            skipped: Vec::new(),
            summary: Summary {
                revision: 1,
                ..Summary::default()
            },
        }
    }

    /// A key's last record before the compaction. Its earlier versions were
    /// at revisions which are gone.
    fn compacted_record(&mut self) -> Record {
        for _ in 0..self.rng.below(5) {
            self.summary.revision += 1;
            self.skipped.push(self.summary.revision);
        }
        self.summary.revision += 1;
        let earlier = self.rng.index(4).min(self.skipped.len());
        let mut first = self.summary.revision;
        for _ in 0..earlier {
            let i = self.rng.index(self.skipped.len());
            first = first.min(self.skipped.swap_remove(i));
        }
        let id = self.new_object(first);
        self.objects[id].version = earlier as i64 + 1;
        self.record(id)
    }

    fn end_compacted(&mut self) {
        self.skipped = Vec::new();
        self.summary.compacted = self.summary.revision;
    }

    /// The next revision: an update mostly, a creation or a deletion.
    fn change(&mut self) -> Record {
        self.summary.revision += 1;
        let dice = self.rng.below(1000);
        if dice < 127 || self.live.is_empty() {
            let id = self.create();
            return self.record(id);
        }
        let at = self.rng.index(self.live.len());
        let id = self.live[at] as usize;
        if dice >= 205 {
            self.objects[id].version += 1;
            return self.record(id);
        }
        self.live.swap_remove(at);
        self.dead.push(id as u32);
        self.objects[id].version = 0;
        self.summary.records += 1;
        self.summary.tombstones += 1;
        Record {
            main: self.summary.revision,
            tombstone: true,
            key: key(id, self.objects[id].seed),
            ..Record::default()
        }
    }

    /// A new object, or now and then a deleted one again.
    fn create(&mut self) -> usize {
        let revision = self.summary.revision;
        if self.dead.is_empty() || !self.rng.percent(4) {
            let id = self.new_object(revision);
            self.objects[id].version = 1;
            return id;
        }
        let at = self.rng.index(self.dead.len());
        let id = self.dead.swap_remove(at) as usize;
        self.live.push(id as u32);
        let object = &mut self.objects[id];
        (object.create_revision, object.version) = (revision, 1);
        object.created = EPOCH + revision / 4;
        id
    }

    fn new_object(&mut self, create_revision: i64) -> usize {
        let id = self.objects.len();
        self.objects.push(Object {
            seed: self.rng.next_u64(),
            create_revision,
            version: 0,
            created: EPOCH + create_revision / 4,
        });
        self.live.push(id as u32);
        id
    }

    fn record(&mut self, id: usize) -> Record {
        let object = &self.objects[id];
        let main = self.summary.revision;
        let value = value(id, object, EPOCH + main / 4);
        self.summary.records += 1;
        self.summary.value_bytes += value.len() as u64;
        Record {
            main,
            key: key(id, object.seed),
            create_revision: object.create_revision,
            mod_revision: main,
            version: object.version,
            value,
            lease: if kind(object.seed) == Kind::Event {
                LEASE
            } else {
                0
            },
            ..Record::default()
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pod,
    ConfigMap,
    Secret,
    Lease,
    Event,
}

fn kind(seed: u64) -> Kind {
    match seed % 100 {
        0..=44 => Kind::Pod,
        45..=69 => Kind::ConfigMap,
        70..=79 => Kind::Secret,
        80..=89 => Kind::Lease,
        _ => Kind::Event,
    }
}

fn namespace(seed: u64) -> String {
    const NAMES: [&str; 8] = [
        "default",
        "kube-system",
        "payments",
        "shop",
        "search",
        "ingest",
        "ml",
        "monitoring",
    ];
    match (seed >> 8) % 16 {
        n if n < 8 => NAMES[n as usize].into(),
        n => format!("team-{n:02}-{}", (seed >> 16) % 12),
    }
}

fn name(id: usize, seed: u64) -> String {
    const STEMS: [&str; 6] = ["web", "api", "worker", "cache", "ingress", "billing-export"];
    let stem = STEMS[(seed >> 24) as usize % STEMS.len()];
    format!("{stem}-{:05x}-{id:06}", (seed >> 32) & 0xF_FFFF)
}

fn key(id: usize, seed: u64) -> Vec<u8> {
    let resource = match kind(seed) {
        Kind::Pod => "pods",
        Kind::ConfigMap => "configmaps",
        Kind::Secret => "secrets",
        Kind::Lease => "leases",
        Kind::Event => "events",
    };
    format!(
        "/registry/{resource}/{}/{}",
        namespace(seed),
        name(id, seed)
    )
    .into_bytes()
}

/// The object's stored value: what belongs to the object is the same in every
/// version, the status and the times differ.
fn value(id: usize, object: &Object, now: i64) -> Vec<u8> {
    let mut rng = Rng::new(object.seed);
    let size = rng.log_size(300, 21_500) as usize;
    let mut meta = k8s::Meta {
        name: name(id, object.seed),
        namespace: namespace(object.seed),
        uid: k8s::uid(&mut Rng::new(object.seed ^ object.create_revision as u64)),
        generation: 0,
        created: object.created,
        labels: vec![
            ("app".into(), rng.word(6)),
            ("pod-template-hash".into(), rng.word(10)),
        ],
        ..k8s::Meta::default()
    };
    let manager = |name: &str, operation: &str, subresource: &str, time, fields| k8s::Manager {
        name: name.to_string(),
        operation: operation.to_string(),
        subresource: subresource.to_string(),
        time,
        fields,
    };
    let share = (size / 4).min(2500);
    let fields = k8s::fields_json(&mut rng, share);
    meta.managed = vec![
        manager("kubectl", "Apply", "", object.created, fields),
        manager(
            "controller",
            "Update",
            "status",
            now,
            "{\"f:status\":{\"f:phase\":{}}}".into(),
        ),
    ];
    let rest = size.saturating_sub(share + 450);
    let version = object.version;
    match kind(object.seed) {
        Kind::Pod => pod(meta, rest, version, &mut rng),
        Kind::ConfigMap => {
            let text = k8s::config_text(&mut rng, rest);
            let turn = format!("turn: {version}\n");
            k8s::config_map(&meta, &[("app.conf".into(), text), ("turn".into(), turn)])
        }
        Kind::Secret => {
            let (len, turn) = (rest.min(6000), format!("{version}").into_bytes());
            k8s::secret(
                &meta,
                &[("key".into(), rng.bytes(len)), ("turn".into(), turn)],
            )
        }
        Kind::Lease => k8s::lease(&meta, &format!("node-{}", id % 50), now),
        Kind::Event => {
            let message = k8s::config_text(&mut rng, rest.min(900));
            k8s::event(&meta, &format!("web-{id}"), "Pulled", &message, version)
        }
    }
}

fn pod(mut meta: k8s::Meta, len: usize, version: i64, rng: &mut Rng) -> Vec<u8> {
    let mut env = Vec::new();
    let mut used = 0;
    let applied = k8s::config_text(rng, len / 2);
    used += applied.len();
    meta.annotations = vec![("example.com/notes".into(), applied)];
    while used < len {
        let len = rng.between(8, 60) as usize;
        env.push((rng.word(12).to_uppercase(), rng.word(len)));
        used += len + 18;
    }
    let running = version > 1;
    let node = if running {
        format!("node-{}", rng.below(50))
    } else {
        String::new()
    };
    let octets = (rng.below(250), version % 250 + 1);
    Pod {
        meta,
        image: format!("registry.example.com/{}:{version}", rng.word(9)),
        env,
        node,
        phase: if running {
            "Running".into()
        } else {
            "Pending".into()
        },
        ip: if running {
            format!("10.4.{}.{}", octets.0, octets.1)
        } else {
            String::new()
        },
    }
    .value()
}

/// Writes leaf pages in the order of their keys, then the branches.
pub struct Leaves {
    out: BufWriter<File>,
    rng: Rng,
    elements: Vec<LeafElement>,
    len: usize,
    next_page: u64,
    /// First key and page of each leaf written.
    written: Vec<(Vec<u8>, u64)>,
    stale_pages: u64,
}

impl Leaves {
    /// A new file.
    ///
    /// # Errors
    ///
    /// Those of creating it.
    pub fn create(path: &Path, seed: u64) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 20, File::create_new(path)?);
        out.write_all(&[0; 2 * PAGE_SIZE])?;
        Ok(Self {
            out,
            rng: Rng::new(seed ^ 0x5eed),
            elements: Vec::new(),
            len: page::HEADER_LEN,
            next_page: 2,
            written: Vec::new(),
            stale_pages: 0,
        })
    }

    /// Bytes of the file if it ended here, branches (about) included.
    fn bytes(&self) -> u64 {
        let branches = self.written.len() * 33 / FILL + 3;
        (self.next_page + branches as u64) * PAGE_SIZE as u64 + self.len as u64
    }

    /// Adds a record, of a revision after that of the record before it.
    ///
    /// # Errors
    ///
    /// Those of writing a page that is full.
    pub fn push(&mut self, record: &Record) -> io::Result<()> {
        let element = LeafElement {
            flags: 0,
            key: record.bucket_key(),
            value: record.bucket_value(),
        };
        if self.elements.len() >= 2 && self.len + element.len() > FILL {
            self.flush()?;
        }
        self.len += element.len();
        self.elements.push(element);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let elements = std::mem::take(&mut self.elements);
        let Some(first) = elements.first() else {
            return Ok(());
        };
        if self.rng.percent(3) {
            // The page as an earlier commit had it, before it was full.
            let before = &elements[..elements.len() - 1];
            let pages = self.write(page::leaf_len(before), |id, overflow| {
                page::leaf_image(ORDER, id, overflow, before)
            })?;
            self.stale_pages += pages.1;
        }
        let first = first.key.clone();
        let (id, _) = self.write(self.len, |id, overflow| {
            page::leaf_image(ORDER, id, overflow, &elements)
        })?;
        self.written.push((first, id));
        self.len = page::HEADER_LEN;
        Ok(())
    }

    /// Writes a run; returns its first page and its number of pages.
    fn write(
        &mut self,
        len: usize,
        image: impl FnOnce(u64, u32) -> Vec<u8>,
    ) -> io::Result<(u64, u64)> {
        let id = self.next_page;
        let pages = len.div_ceil(PAGE_SIZE);
        let mut bytes = image(id, pages as u32 - 1);
        bytes.resize(pages * PAGE_SIZE, 0);
        self.out.write_all(&bytes)?;
        self.next_page += pages as u64;
        Ok((id, pages as u64))
    }

    /// Writes branches, root and metas; returns the size of the file.
    ///
    /// # Errors
    ///
    /// Those of writing it.
    pub fn finish(mut self, summary: &Summary) -> io::Result<u64> {
        self.flush()?;
        let mut level = std::mem::take(&mut self.written);
        let fan_out = FILL / (page::HEADER_LEN + 18);
        while level.len() > 1 {
            let mut above = Vec::new();
            for children in level.chunks(fan_out) {
                let elements = children.to_vec();
                let keys: Vec<Vec<u8>> = elements.iter().map(|e| e.0.clone()).collect();
                let (id, _) = self.write(page::branch_len(&keys), |id, overflow| {
                    page::branch_image(ORDER, id, overflow, &elements)
                })?;
                above.push((children[0].0.clone(), id));
            }
            level = above;
        }
        let elements = root_elements(level[0].1, summary);
        let (root, _) = self.write(page::leaf_len(&elements), |id, overflow| {
            page::leaf_image(ORDER, id, overflow, &elements)
        })?;
        self.metas(root, summary)?;
        Ok(self.next_page * PAGE_SIZE as u64)
    }

    fn metas(&mut self, root: u64, summary: &Summary) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(0))?;
        for id in 0..2 {
            let meta = Meta {
                magic: page::MAGIC,
                version: 2,
                page_size: PAGE_SIZE as u32,
                flags: 0,
                root,
                sequence: 0,
                freelist: NO_FREELIST,
                high_water_mark: self.next_page,
                txid: summary.records / 20 * 2 + 4 - id,
            };
            let mut bytes = vec![0; PAGE_SIZE];
            meta.put(ORDER, &mut bytes, id);
            self.out.write_all(&bytes)?;
        }
        self.out.flush()
    }
}

type Pair = (Vec<u8>, Vec<u8>);

/// The root bucket: `key` with its own tree, the small ones inline.
fn root_elements(key_root: u64, summary: &Summary) -> Vec<LeafElement> {
    let text = |text: &str| text.as_bytes().to_vec();
    let compacted = etcd::revision_key(summary.compacted, 0);
    let member = etcd::member_value(7, "m1", "http://10.0.0.1:2380", "http://10.0.0.1:2379");
    let index = summary.revision as u64 + 1000;
    let meta = vec![
        (
            text("confState"),
            text("{\"voters\":[7],\"auto_leave\":false}"),
        ),
        (text("consistent_index"), index.to_be_bytes().to_vec()),
        (text("finishedCompactRev"), compacted.clone()),
        (text("scheduledCompactRev"), compacted),
        (text("storageVersion"), text("3.6.0")),
        (text("term"), 2u64.to_be_bytes().to_vec()),
    ];
    let lease = (
        LEASE.to_be_bytes().to_vec(),
        etcd::lease_value(LEASE, 3600, 0),
    );
    let buckets = vec![
        ("alarm", Vec::new()),
        (
            "auth",
            vec![(text("authRevision"), 1u64.to_be_bytes().to_vec())],
        ),
        ("authRoles", Vec::new()),
        ("authUsers", Vec::new()),
        ("cluster", vec![(text("clusterVersion"), text("3.6.0"))]),
        ("key", Vec::new()),
        ("lease", vec![lease]),
        ("members", vec![(text("7"), member)]),
        ("members_removed", Vec::new()),
        ("meta", meta),
    ];
    let element = |(name, pairs): (&str, Vec<Pair>)| {
        let mut value = page::bucket_header(ORDER, if name == "key" { key_root } else { 0 }, 0);
        if name != "key" {
            let plain = |(key, value)| LeafElement {
                flags: 0,
                key,
                value,
            };
            let inline: Vec<LeafElement> = pairs.into_iter().map(plain).collect();
            value.extend(page::leaf_image(ORDER, 0, 0, &inline));
        }
        let (flags, key) = (BUCKET_ELEMENT, text(name));
        LeafElement { flags, key, value }
    };
    buckets.into_iter().map(element).collect()
}

/// A size as people write it: `200MB`, `2GB`, `4096`.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(digits.len()..)?.to_ascii_uppercase().as_str() {
        "" | "B" => 1,
        "KB" | "K" => 1000,
        "MB" | "M" => 1_000_000,
        "GB" | "G" => 1_000_000_000,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}
