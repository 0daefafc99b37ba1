//! Whole images by seed: buckets of every size, nested, inline, with overflow
//! pages and several branch levels.

use super::etcd::{Op, Store, Version};
use super::random::Rng;
use super::tree::Bucket;
use super::{Builder, Endian, Freelist, Older, Trailer};

/// A random bucket, up to `depth` levels of buckets deep.
pub fn bucket(rng: &mut Rng, page_size: usize, depth: u32) -> Bucket {
    let mut bucket = Bucket::new();
    let pairs = match rng.below(6) {
        0 => 0,
        1 => rng.below(4),
        2 => rng.below(40),
        3 => rng.below(400),
        _ => rng.log_size(1, 3000),
    };
    let long_keys = rng.percent(15);
    let big_values = rng.percent(30);
    for i in 0..pairs {
        let mut key = format!("{:08x}", rng.next_u64() as u32).into_bytes();
        key.extend_from_slice(&i.to_be_bytes());
        if long_keys {
            let len = rng.log_size(1, 400) as usize;
            key.extend(rng.bytes(len));
        }
        let len = match rng.below(10) {
            0 => 0,
            1 if big_values => rng.log_size(1, 8 * page_size as u64),
            _ => rng.log_size(1, 300),
        };
        bucket = bucket.put(key, rng.bytes(len as usize));
    }
    if depth > 0 && rng.percent(60) {
        for i in 0..rng.below(4) {
            bucket = bucket.nest(
                format!("nested-{i}"),
                self::bucket(rng, page_size, depth - 1),
            );
        }
    }
    if rng.percent(20) {
        bucket = bucket.never_inline();
    }
    bucket.sequence(if rng.percent(30) { rng.below(9) } else { 0 })
}

/// A healthy image with random buckets, metas, freelist and trailer.
pub fn builder(seed: u64, page_size: usize, endian: Endian) -> Builder {
    let mut rng = Rng::new(seed);
    let mut builder = Builder::new()
        .page_size(page_size)
        .endian(endian)
        .txid(rng.between(2, 1 << 40))
        .fill_percent(rng.between(30, 100) as usize);
    let mut root = Bucket::new();
    for i in 0..rng.between(1, 12) {
        root = root.nest(format!("bucket-{i:02}"), bucket(&mut rng, page_size, 2));
    }
    builder = builder.root(root.clone());
    match rng.below(3) {
        0 => {}
        1 => builder = builder.older(Older::Empty),
        _ => {
            let extra = bucket(&mut rng, page_size, 1);
            builder = builder.older(Older::State(root.nest("only-in-the-older-state", extra)));
        }
    }
    if rng.percent(50) {
        builder = builder.freelist(Freelist::Persisted);
    }
    for _ in 0..rng.below(3) {
        builder = builder.stale(bucket(&mut rng, page_size, 0));
    }
    builder = builder.zero_pages(rng.below(6));
    if rng.percent(60) {
        builder = builder.scatter(rng.next_u64());
    }
    match rng.below(3) {
        0 => builder.trailer(Trailer::Good),
        1 => builder.tail(vec![0; page_size * rng.index(5)]),
        _ => builder,
    }
}

/// A random store: puts, deletions, transactions, leases, and perhaps a
/// compaction.
pub fn store(seed: u64, changes: usize) -> Store {
    let mut rng = Rng::new(seed);
    let mut store = uncompacted(&mut rng, changes);
    match rng.below(3) {
        0 => {}
        1 => store.compact(rng.between(1, store.revision() as u64) as i64),
        _ => {
            store.compact(rng.between(1, store.revision() as u64) as i64);
            store.compact(store.revision());
        }
    }
    store
}

/// A random store with its whole history.
pub fn uncompacted(rng: &mut Rng, changes: usize) -> Store {
    let versions = [Version::V3_4, Version::V3_5, Version::V3_6];
    let mut store = Store::new(*rng.pick(&versions).unwrap_or(&Version::V3_6));
    let keys = rng.between(1, 1 + changes as u64 / 3);
    let lease = 0x1234_5678_9abc;
    store.grant(lease, 300);
    for _ in 0..changes {
        let ops_wanted = if rng.percent(15) {
            rng.between(2, 6)
        } else {
            1
        };
        let mut ops: Vec<Op> = Vec::new();
        let mut used = Vec::new();
        for _ in 0..ops_wanted {
            let n = rng.below(keys);
            if used.contains(&n) {
                continue;
            }
            used.push(n);
            let key = format!("/registry/things/{n:05}").into_bytes();
            if rng.percent(20) {
                ops.push(Op::Delete(key));
            } else {
                let len = rng.log_size(1, 900) as usize;
                let lease = if rng.percent(10) { lease } else { 0 };
                let value = if rng.percent(5) {
                    Vec::new()
                } else {
                    rng.bytes(len)
                };
                ops.push(Op::Put(key, value, lease));
            }
        }
        store.txn(&ops);
    }
    store
}
