//! Speed of the parts, on a store which the repository's own generator makes: `cargo bench`.
//! Whole commands are measured from outside (`docs/performance.md`).

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/store.rs"]
mod store;
#[path = "../tests/support/synth/mod.rs"]
mod synth;
#[path = "support/values.rs"]
mod values;

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::BytesCount;
use etcdive::bbolt::{Direction, PageUse};
use etcdive::diag::Diagnostics;
use etcdive::etcd::hash::{Omit, backend_hash, hash_kv};
use etcdive::etcd::status::StoreStatus;
use etcdive::etcd::{KeyHistory, Keyspace, Store};
use etcdive::go::quote::quote_into;
use etcdive::k8s::{Decoder, Order, TreeSink};
use etcdive::source::Source;
use etcdive::view::json::{JsonStyle, JsonWriter};
use etcdive::view::yaml::YamlWriter;

fn main() {
    divan::main();
}

const STORE_BYTES: u64 = 50 << 20;
/// Room for its values quoted.
const QUOTED_BYTES: usize = 100 << 20;

/// The store, made once a run; its diagnostics live as long as the program.
static STORE: LazyLock<Store<'static>> = LazyLock::new(|| {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-store.db");
    store::generate(&path, STORE_BYTES, 1).expect("the store can be written");
    let source: &'static Source =
        Box::leak(Box::new(Source::open(&path).expect("the store opens")));
    let diagnostics: &'static Diagnostics = Box::leak(Box::default());
    Store::open(source, diagnostics).expect("the store is a database")
});

fn stored_values() -> (Vec<&'static [u8]>, BytesCount) {
    let values: Vec<&[u8]> = STORE
        .records(Direction::Forward)
        .filter(|record| !record.tombstone)
        .map(|record| record.value)
        .collect();
    let bytes = values.iter().map(|value| value.len()).sum::<usize>();
    (values, BytesCount::new(bytes))
}

#[divan::bench(sample_count = 10)]
fn records_forward(bencher: Bencher) {
    LazyLock::force(&STORE);
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| STORE.records(Direction::Forward).count());
}

#[divan::bench(sample_count = 10)]
fn keyspace_at_head(bencher: Bencher) {
    let at = STORE.at(None).unwrap();
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| Keyspace::at(&STORE, at, |_| true).live.len());
}

/// The pass with nothing to do for a record.
#[divan::bench(sample_count = 10)]
fn records_visited(bencher: Bencher) {
    LazyLock::force(&STORE);
    bencher.counter(BytesCount::new(STORE_BYTES)).bench(|| {
        let mut count = 0_usize;
        STORE.visit_records(|_| Some(()), |(), _| count += 1);
        count
    });
}

#[divan::bench(sample_count = 10)]
fn history_of_a_key(bencher: Bencher) {
    let key = STORE.records(Direction::Backward).next().unwrap().key;
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| KeyHistory::read(&STORE, key).events.len());
}

#[divan::bench(sample_count = 10)]
fn hash_kv_at_head(bencher: Bencher) {
    let at = STORE.current_revision();
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| hash_kv(&STORE, at));
}

#[divan::bench(sample_count = 10)]
fn store_status(bencher: Bencher) {
    LazyLock::force(&STORE);
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| StoreStatus::read(&STORE).total_size);
}

#[divan::bench(sample_count = 10)]
fn use_of_pages(bencher: Bencher) {
    LazyLock::force(&STORE);
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| PageUse::read(STORE.db()).buckets().len());
}

#[divan::bench(sample_count = 10)]
fn status_hash(bencher: Bencher) {
    LazyLock::force(&STORE);
    bencher
        .counter(BytesCount::new(STORE_BYTES))
        .bench(|| backend_hash(&STORE, Omit::Nothing));
}

#[divan::bench(sample_count = 10)]
fn go_quote(bencher: Bencher) {
    let (values, bytes) = stored_values();
    bencher
        .counter(bytes)
        .with_inputs(|| Vec::with_capacity(QUOTED_BYTES))
        .bench_refs(|out: &mut Vec<u8>| {
            values.iter().for_each(|value| quote_into(value, out));
        });
}

/// How many values the decoder is measured on: some 9 MB of the mix.
const VALUES: usize = 5000;

/// All kinds in their proportions, and some apart.
const KINDS: [&str; 4] = ["mix", "Pod", "Lease", "Secret"];

fn values_of(kind: &str) -> (Vec<Vec<u8>>, BytesCount) {
    let values = values::values((kind != "mix").then_some(kind), VALUES);
    let bytes = values.iter().map(Vec::len).sum::<usize>();
    (values, BytesCount::new(bytes))
}

#[divan::bench(sample_count = 20, args = KINDS)]
fn protobuf_to_json(bencher: Bencher, kind: &str) {
    let (values, bytes) = values_of(kind);
    bencher.counter(bytes).bench(|| {
        let mut writer = JsonWriter::new(std::io::sink(), JsonStyle::Compact);
        let mut decoder = Decoder::new();
        for value in &values {
            decoder
                .decode(value, Order::Declared, &mut writer)
                .expect("a sound value");
        }
    });
}

#[divan::bench(sample_count = 20, args = KINDS)]
fn protobuf_to_yaml(bencher: Bencher, kind: &str) {
    let (values, bytes) = values_of(kind);
    bencher.counter(bytes).bench(|| to_yaml(&values));
}

#[divan::bench(sample_count = 20, args = KINDS)]
fn protobuf_to_tree(bencher: Bencher, kind: &str) {
    let (values, bytes) = values_of(kind);
    bencher.counter(bytes).bench(|| {
        let mut decoder = Decoder::new();
        for value in &values {
            let mut tree = TreeSink::new();
            decoder
                .decode(value, Order::Declared, &mut tree)
                .expect("a sound value");
            divan::black_box_drop(tree.into_value());
        }
    });
}

#[divan::bench(sample_count = 20, args = KINDS)]
fn json_to_yaml(bencher: Bencher, kind: &str) {
    let mut decoder = Decoder::new();
    let as_json = |value: &Vec<u8>| {
        let mut writer = JsonWriter::new(Vec::new(), JsonStyle::Compact);
        decoder
            .decode(value, Order::Declared, &mut writer)
            .expect("a sound value");
        writer.finish().expect("a vector takes all")
    };
    let values: Vec<Vec<u8>> = values_of(kind).0.iter().map(as_json).collect();
    let bytes = values.iter().map(Vec::len).sum::<usize>();
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| to_yaml(&values));
}

fn to_yaml(values: &[Vec<u8>]) {
    let mut writer = YamlWriter::new(std::io::sink());
    let mut decoder = Decoder::new();
    for value in values {
        decoder
            .decode(value, Order::Natural, &mut writer)
            .expect("a sound value");
    }
}
