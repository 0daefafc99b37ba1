//! A map in little memory, for maps with many entries or with large ones.
//!
//! A part of a hash table is always empty, and while it grows there are two of them. So the table of this map has
//! numbers of 32 bits only, and the entries are in a list.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A map with a fast, seeded hasher. It has fewer than 2^32 entries: more are larger than any memory.
#[derive(Debug)]
pub struct CompactMap<K, V> {
    hasher: RandomState,
    /// The index in `slots` of each entry.
    table: HashTable<u32>,
    /// The entries. The slot of an entry that was removed is empty.
    slots: Vec<Option<(K, V)>>,
    /// The indexes of the empty slots.
    free: Vec<u32>,
}

impl<K, V> Default for CompactMap<K, V> {
    fn default() -> Self {
        Self {
            hasher: RandomState::default(),
            table: HashTable::default(),
            slots: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<K: Eq + Hash, V> CompactMap<K, V> {
    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        let index = self.index_of(key)?;
        let (_, value) = self.slots.get(index)?.as_ref()?;
        Some(value)
    }

    /// Returns the value of a key. A key that is missing is added. Returns None if the map is full.
    pub fn get_or_insert(&mut self, key: K, value: impl FnOnce() -> V) -> Option<&mut V> {
        let index = match self.index_of(&key) {
            Some(index) => index,
            None => self.add(key, value())?,
        };
        let (_, value) = self.slots.get_mut(index)?.as_mut()?;
        Some(value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let index = self.index_of(key)?;
        let (_, value) = self.slots.get_mut(index)?.as_mut()?;
        Some(value)
    }

    /// Adds an entry, or replaces the value of a key. Returns the value that is replaced.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Some(known) = self.get_mut(&key) {
            return Some(std::mem::replace(known, value));
        }
        self.add(key, value);
        None
    }

    /// Replaces the value of a key with what `next` makes of it. None removes the entry.
    pub fn update(&mut self, key: K, next: impl FnOnce(Option<&V>) -> Option<V>) {
        let index = self.index_of(&key);
        let Some(slot) = index.and_then(|index| self.slots.get_mut(index)) else {
            if let Some(value) = next(None) {
                self.add(key, value);
            }
            return;
        };
        match next(slot.as_ref().map(|(_, value)| value)) {
            Some(value) => *slot = Some((key, value)),
            None => {
                self.remove(&key);
            }
        }
    }

    /// All values, in no certain order.
    pub fn into_values(self) -> impl Iterator<Item = V> {
        let entries = self.slots.into_iter().flatten();
        entries.map(|(_, value)| value)
    }

    /// Removes an entry, and returns its value.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let (hash, slots) = (self.hasher.hash_one(key), &self.slots);
        let is_of_key = |index: &u32| key_at(slots, *index) == Some(key);
        let entry = self.table.find_entry(hash, is_of_key).ok()?;
        let (index, _) = entry.remove();
        self.free.push(index);
        let (_, value) = self.slots.get_mut(to_usize(index))?.take()?;
        Some(value)
    }

    /// The index of the slot of a key.
    fn index_of(&self, key: &K) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let is_of_key = |index: &u32| key_at(&self.slots, *index) == Some(key);
        let index = self.table.find(hash, is_of_key)?;
        Some(to_usize(*index))
    }

    /// Adds the entry of a key that has none, and returns the index of its slot.
    fn add(&mut self, key: K, value: V) -> Option<usize> {
        let hash = self.hasher.hash_one(&key);
        let entry = Some((key, value));
        let index = match self.free.pop() {
            Some(index) => {
                *self.slots.get_mut(to_usize(index))? = entry;
                index
            }
            None => {
                let next = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(entry);
                next
            }
        };
        let (hasher, slots) = (&self.hasher, &self.slots);
        self.table.insert_unique(hash, index, |index| {
            key_at(slots, *index).map_or(0, |key| hasher.hash_one(key))
        });
        Some(to_usize(index))
    }
}

/// The key in a slot.
fn key_at<K, V>(slots: &[Option<(K, V)>], index: u32) -> Option<&K> {
    let slot = slots.get(to_usize(index))?.as_ref();
    slot.map(|(key, _)| key)
}

fn to_usize(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn it_has_the_entries_of_a_map_of_the_standard_library() {
        let (mut map, mut expected) = (CompactMap::default(), HashMap::new());
        let mut state = 7_u64;
        let (mut found, mut removed) = (0, 0);
        for step in 0..20_000_u64 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (state >> 33) % 700;
            match (state >> 20) % 5 {
                4 => {
                    let known = expected.get(&key).copied();
                    let next = Some(step).filter(|step| step % 3 > 0);
                    map.update(key, |value| {
                        assert_eq!(value.copied(), known);
                        next
                    });
                    match next {
                        Some(next) => expected.insert(key, next),
                        None => expected.remove(&key),
                    };
                }
                0 => {
                    let known = expected.remove(&key);
                    removed += usize::from(known.is_some());
                    assert_eq!(map.remove(&key), known);
                }
                1 => {
                    assert_eq!(map.insert(key, step), expected.insert(key, step));
                }
                2 => {
                    let value = *expected.entry(key).or_insert(step);
                    assert_eq!(map.get_or_insert(key, || step), Some(&mut { value }));
                }
                _ => {
                    found += usize::from(expected.contains_key(&key));
                    assert_eq!(map.get(&key), expected.get(&key));
                }
            }
        }
        assert!(found > 1000 && removed > 1000, "{found} {removed}");
        assert!((0..700).all(|key| map.get(&key) == expected.get(&key)));
        assert!(map.slots.len() <= 700, "empty slots are used again");
        let mut values: Vec<u64> = map.into_values().collect();
        let mut expected: Vec<u64> = expected.into_values().collect();
        values.sort_unstable();
        expected.sort_unstable();
        assert_eq!(values, expected);
    }
}
