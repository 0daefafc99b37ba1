//! Stores of one shape each, for what a usual store has little of: the history of one key, tiny records, a transaction
//! with very many deletions, very large values.
//!
//! Whoever includes this file also has the modules `store` and `synth` beside it.
#![allow(dead_code)]

use std::io;
use std::path::Path;

use super::store::{Leaves, Summary};
use super::synth::etcd::Record;

/// What a store is full of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// 100,000 revisions of one key.
    OneKey,
    /// 1,000,000 records of 300,000 keys, with values of 8 bytes.
    TinyRecords,
    /// 100,000 keys, and one transaction that deletes all of them.
    Tombstones,
    /// 200 values of 1,500,000 bytes of 20 keys.
    LargeValues,
}

impl Shape {
    /// Every shape with its name on a command line.
    pub const ALL: [(&'static str, Self); 4] = [
        ("one-key", Self::OneKey),
        ("tiny-records", Self::TinyRecords),
        ("tombstones", Self::Tombstones),
        ("large-values", Self::LargeValues),
    ];

    /// The shape of a name.
    pub fn named(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, shape)| shape)
    }

    /// How many puts, of how many keys, and how many bytes a value has.
    fn puts(self) -> (i64, i64, usize) {
        match self {
            Self::OneKey => (100_000, 1, 40),
            Self::TinyRecords => (1_000_000, 300_000, 8),
            Self::Tombstones => (100_000, 100_000, 16),
            Self::LargeValues => (200, 20, 1_500_000),
        }
    }
}

/// Writes a store of a shape to a new file. The same shape gives the same bytes.
///
/// # Errors
///
/// Those of creating and writing the file; an existing file is not touched.
pub fn generate(path: &Path, shape: Shape) -> io::Result<Summary> {
    let (puts, keys, value_bytes) = shape.puts();
    let mut leaves = Leaves::create(path, 1)?;
    let mut summary = Summary {
        revision: 1,
        keys: keys.unsigned_abs(),
        live: keys.unsigned_abs(),
        ..Summary::default()
    };
    for put in 0..puts {
        summary.revision += 1;
        summary.records += 1;
        summary.value_bytes += value_bytes as u64;
        // The first put of a key is that of the first turn through all keys.
        let create_revision = put % keys + 2;
        leaves.push(&Record {
            main: summary.revision,
            key: key(put % keys),
            create_revision,
            mod_revision: summary.revision,
            version: put / keys + 1,
            value: value(put, value_bytes),
            ..Record::default()
        })?;
    }
    if shape == Shape::Tombstones {
        summary.revision += 1;
        summary.live = 0;
        for deleted in 0..keys {
            summary.records += 1;
            summary.tombstones += 1;
            leaves.push(&Record {
                main: summary.revision,
                sub: deleted,
                tombstone: true,
                key: key(deleted),
                ..Record::default()
            })?;
        }
    }
    summary.bytes = leaves.finish(&summary)?;
    Ok(summary)
}

fn key(number: i64) -> Vec<u8> {
    format!("/app/items/{number:07}").into_bytes()
}

/// A text that differs from one put to the next in its first bytes.
fn value(put: i64, bytes: usize) -> Vec<u8> {
    let mut value = format!("{put:07}").into_bytes();
    let text = b" the same text in every version of every key.\n";
    value.extend(
        text.iter()
            .copied()
            .cycle()
            .take(bytes.saturating_sub(value.len())),
    );
    value
}
