//! What the user of a walk made of the leaves that were checked ahead. It is not part of the walk, so that the walk and the
//! work on all cores are compiled once, and not once for each user.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bbolt::{LEAVES_OF_A_CORE, MOST_LEAVES, Slot};

/// How many groups have a lock of their own: all that are checked at once, and all that are ready. Otherwise the cores would
/// wait for each other.
const GROUPS: usize = 2 * MOST_LEAVES / LEAVES_OF_A_CORE;

/// What was made of each leaf. One core adds while another one takes.
#[derive(Debug)]
pub(super) struct Made<C>(Vec<Mutex<Items<C>>>);

/// What was made of the leaves of some groups, each with its slot, in the order of the slots.
type Items<C> = VecDeque<(Slot, C)>;

impl<C> Default for Made<C> {
    fn default() -> Self {
        Self((0..GROUPS).map(|_| Mutex::default()).collect())
    }
}

impl<C> Made<C> {
    /// The list that a leaf belongs to.
    fn items(&self, slot: Slot) -> Option<MutexGuard<'_, Items<C>>> {
        let items = self.0.get(slot.0 / LEAVES_OF_A_CORE % GROUPS)?;
        Some(items.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds what was made of a leaf.
    pub(super) fn add(&self, slot: Slot, item: C) {
        let Some(mut items) = self.items(slot) else {
            return;
        };
        items.push_back((slot, item));
        // Most are added in order. An insertion would be more code, for each type once.
        let slot_at = |items: &Items<C>, at: usize| items.get(at).map(|(slot, _)| slot.0);
        let mut at = items.len().saturating_sub(1);
        while let Some(before) = at.checked_sub(1)
            && slot_at(&items, before) > Some(slot.0)
        {
            items.swap(before, at);
            at = before;
        }
    }

    /// Makes something of a leaf, and adds it. Returns false if nothing was made.
    pub(super) fn make(&self, slot: Slot, make: impl FnOnce() -> Option<C>) -> bool {
        let item = make();
        let is_made = item.is_some();
        if let Some(item) = item {
            self.add(slot, item);
        }
        is_made
    }

    /// What `look` finds in what was made of a leaf.
    pub(super) fn get<T>(&self, slot: Slot, look: impl FnOnce(&C) -> T) -> Option<T> {
        let mut items = self.items(slot)?;
        drop_before(&mut items, slot);
        let (first, item) = items.front()?;
        (*first == slot).then(|| look(item))
    }

    /// What was made of a leaf. It is not kept here.
    pub(super) fn take(&self, slot: Slot) -> Option<C> {
        let mut items = self.items(slot)?;
        drop_before(&mut items, slot);
        let (_, item) = items.pop_front_if(|(first, _)| *first == slot)?;
        Some(item)
    }
}

/// Drops what was made of the leaves before one, because leaves are asked for in the order of their slots.
#[inline(never)]
fn drop_before<C>(items: &mut Items<C>, slot: Slot) {
    while items.pop_front_if(|(first, _)| first.0 < slot.0).is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_has_what_was_made_of_it() {
        let made = Made::default();
        let far = GROUPS * LEAVES_OF_A_CORE;
        for slot in [3, 0, 40, far + 4, 5, far] {
            made.add(Slot(slot), slot * 10);
        }
        assert_eq!(made.get(Slot(0), |item| *item), Some(0));
        assert_eq!(made.take(Slot(0)), Some(0));
        assert_eq!(made.take(Slot(0)), None);
        assert_eq!(made.take(Slot(1)), None);
        assert_eq!(made.take(Slot(5)), Some(50));
        assert_eq!(made.take(Slot(3)), None, "it is asked for too late");
        assert_eq!(made.take(Slot(40)), Some(400));
        assert_eq!(made.get(Slot(far + 4), |item| *item), Some((far + 4) * 10));
        assert_eq!(made.take(Slot(far)), None);
        assert_eq!(made.take(Slot(far + 4)), Some((far + 4) * 10));
        assert_eq!(made.take(Slot(far + 5)), None);
    }
}
