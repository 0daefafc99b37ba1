//! Short ids of keys, for tables with one row for each key of a store.
//!
//! An id has 128 bits, and is computed with a random secret of this run. So nobody can choose two keys with the same id.
//! By chance two of a billion keys have the same id with a probability of less than 1 in 10^20. A table of ids needs a
//! third of the memory of a table of keys. Ids differ between runs, so nothing that is printed may depend on them.
//!
//! [`KeyNumbers`] is the smallest table: about 26 bytes for each key. What is known of a key is then in a list, by its
//! number.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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

/// Numbers keys in the order in which they are added: 0, 1, 2. A part of a hash table is always empty, so this one has
/// only numbers of 32 bits in it; the ids are in a list.
#[derive(Debug, Default)]
pub struct KeyNumbers {
    ids: Vec<KeyId>,
    table: HashTable<u32>,
}

impl KeyNumbers {
    /// The number of a key; none if it was not added.
    pub fn get(&self, id: KeyId) -> Option<usize> {
        let number = self.table.find(id.0, |number| self.is_of(*number, id));
        number.map(|number| to_usize(*number))
    }

    /// The number of a key. A key that has none is added.
    pub fn add(&mut self, id: KeyId) -> usize {
        let ids = &self.ids;
        let id_of = |number: &u32| ids.get(to_usize(*number));
        let is_same = |number: &u32| id_of(number) == Some(&id);
        let hash = |number: &u32| id_of(number).map_or(0, |id| id.0);
        match self.table.entry(id.0, is_same, hash) {
            Entry::Occupied(known) => to_usize(*known.get()),
            Entry::Vacant(place) => {
                let next = ids.len();
                place.insert(to_u32(next));
                self.ids.push(id);
                next
            }
        }
    }

    fn is_of(&self, number: u32, id: KeyId) -> bool {
        self.ids.get(to_usize(number)) == Some(&id)
    }
}

/// Keys by their ids.
#[derive(Debug, Default)]
pub struct KeySet {
    ids: KeyIds,
    numbers: KeyNumbers,
}

impl KeySet {
    /// Adds a key.
    pub fn add(&mut self, key: &[u8]) {
        self.numbers.add(self.ids.of(key));
    }

    /// Whether a key was added.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.numbers.get(self.ids.of(key)).is_some()
    }
}

/// An index as a number of 32 bits. A list with more entries than that is larger than any memory.
pub fn to_u32(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}

/// A number of 32 bits as an index.
pub fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_numbered_in_the_order_in_which_they_are_added() {
        let ids = KeyIds::default();
        let id = |number: usize| ids.of(&number.to_be_bytes());
        let mut numbers = KeyNumbers::default();
        for number in 0..10_000 {
            assert_eq!(numbers.get(id(number)), None);
            assert_eq!(numbers.add(id(number)), number);
            assert_eq!(numbers.add(id(number / 2)), number / 2);
        }
        assert_eq!(numbers.ids.len(), 10_000);
        assert!((0..10_000).all(|number| numbers.get(id(number)) == Some(number)));
    }

    #[test]
    fn keys_whose_ids_differ_in_the_second_half_only_have_different_numbers() {
        let mut numbers = KeyNumbers::default();
        for half in 0..100 {
            assert_eq!(numbers.add(KeyId(7, half)), numbers.ids.len() - 1);
        }
        assert_eq!(numbers.get(KeyId(7, 42)), Some(42));
        assert_eq!(numbers.get(KeyId(7, 100)), None);
    }

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
