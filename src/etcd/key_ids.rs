//! Short ids of keys, for tables with one row for each key of a store.
//!
//! An id has 128 bits, and is computed with a random secret of this run. So nobody can choose two keys with the same id.
//! By chance two of a billion keys have the same id with a probability of less than 1 in 10^20. A table of ids needs a
//! third of the memory of a table of keys. Ids differ between runs, so nothing that is printed may depend on them.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher, RandomState};

/// The id of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(u64, u64);

impl std::hash::Hash for KeyId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// A part of an id is a hash already.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstHalf(u64);

impl Hasher for FirstHalf {
    fn write(&mut self, _: &[u8]) {}

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A table with one row for each key.
pub type KeyTable<T> = HashMap<KeyId, T, BuildHasherDefault<FirstHalf>>;

/// Computes ids.
#[derive(Debug, Clone, Default)]
pub struct KeyIds(RandomState, RandomState);

impl KeyIds {
    /// The id of a key.
    pub fn of(&self, key: &[u8]) -> KeyId {
        self.of_hashed(|hasher| hasher.write(key))
    }

    /// The id of several texts.
    pub fn of_parts(&self, parts: &[&[u8]]) -> KeyId {
        self.of_hashed(|hasher| {
            for part in parts {
                hasher.write_usize(part.len());
                hasher.write(part);
            }
        })
    }

    fn of_hashed(&self, write: impl Fn(&mut DefaultHasher)) -> KeyId {
        let hash = |secret: &RandomState| {
            let mut hasher = secret.build_hasher();
            write(&mut hasher);
            hasher.finish()
        };
        KeyId(hash(&self.0), hash(&self.1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_id() {
        let ids = KeyIds::default();
        let mut table: KeyTable<u32> = KeyTable::default();
        for number in 0..10_000_u32 {
            table.insert(ids.of(&number.to_be_bytes()), number);
        }
        assert_eq!(table.len(), 10_000);
        assert!((0..10_000_u32).all(|number| table[&ids.of(&number.to_be_bytes())] == number));
        assert_ne!(ids.of(b""), ids.of(b"\0"));
        assert_ne!(ids.of_parts(&[b"ab", b"c"]), ids.of_parts(&[b"a", b"bc"]));
        assert_eq!(ids.of_parts(&[b"ab", b"c"]), ids.of_parts(&[b"ab", b"c"]));
    }
}
