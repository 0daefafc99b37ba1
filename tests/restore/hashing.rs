//! etcd's `HashKV` and the keys at a revision, computed from pairs without the code in `src`.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::main_of;

type Pair = (Vec<u8>, Vec<u8>);

/// mvccpb.KeyValue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Value {
    pub key: Vec<u8>,
    pub create: i64,
    pub modified: i64,
    pub version: i64,
    pub value: Vec<u8>,
    pub lease: i64,
}

fn varint(bytes: &[u8], at: &mut usize) -> u64 {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = bytes[*at];
        *at += 1;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    number
}

/// Decodes a record.
pub fn value(bytes: &[u8]) -> Value {
    let (mut value, mut at) = (Value::default(), 0);
    while at < bytes.len() {
        let tag = varint(bytes, &mut at);
        let number = varint(bytes, &mut at);
        match tag {
            0x10 => value.create = number as i64,
            0x18 => value.modified = number as i64,
            0x20 => value.version = number as i64,
            0x30 => value.lease = number as i64,
            0x0a | 0x2a => {
                let text = bytes[at..at + number as usize].to_vec();
                at += number as usize;
                if tag == 0x0a {
                    value.key = text;
                } else {
                    value.value = text;
                }
            }
            tag => panic!("field with tag {tag:#x}"),
        }
    }
    value
}

/// The newest put of each key that exists at a revision, by key.
pub fn state(pairs: &[Pair], at: i64) -> BTreeMap<Vec<u8>, (Vec<u8>, Value)> {
    let mut state = BTreeMap::new();
    for (key, stored) in pairs {
        if main_of(key) > at {
            break;
        }
        let record = value(stored);
        match key.len() {
            18 => drop(state.remove(&record.key)),
            _ => drop(state.insert(record.key.clone(), (key.clone(), record))),
        }
    }
    state
}

/// `HashKV` at a revision of a store that is compacted at another one, 0 for none.
pub fn hash_kv(pairs: &[Pair], at: i64, compacted: i64) -> u32 {
    let kept: Vec<Vec<u8>> = state(pairs, at).into_values().map(|(key, _)| key).collect();
    let mut hash = crc32c::crc32c(b"key");
    for (key, stored) in pairs {
        let main = main_of(key);
        let is_removed = main <= compacted && !kept.is_empty() && !kept.contains(key);
        let is_deletion_at = main == compacted && key.len() == 18;
        if main <= at && !is_removed && !is_deletion_at {
            hash = crc32c::crc32c_append(hash, key);
            hash = crc32c::crc32c_append(hash, stored);
        }
    }
    hash
}

/// The first 16 hexadecimal digits of a SHA-256.
pub fn short_sha(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
