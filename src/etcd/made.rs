//! What the user of a walk made of the leaves that were checked ahead. It is not part of the walk, so that the walk and the
//! work on all cores are compiled once, and not once for each user.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::bbolt::Slot;

/// What was made of each leaf. One core adds while another one takes.
#[derive(Debug)]
pub(super) struct Made<C>(Mutex<Items<C>>);

#[derive(Debug)]
struct Items<C> {
    /// The slot of the first one.
    first: usize,
    items: VecDeque<Option<C>>,
}

impl<C> Default for Made<C> {
    fn default() -> Self {
        Self(Mutex::new(Items {
            first: 0,
            items: VecDeque::new(),
        }))
    }
}

impl<C> Made<C> {
    fn items(&self) -> MutexGuard<'_, Items<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what was made of a leaf.
    pub(super) fn add(&self, slot: Slot, item: C) {
        let mut all = self.items();
        let Some(place) = slot.0.checked_sub(all.first) else {
            return;
        };
        if all.items.len() <= place {
            all.items.resize_with(place.saturating_add(1), || None);
        }
        if let Some(of_leaf) = all.items.get_mut(place) {
            *of_leaf = Some(item);
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

    /// What `look` finds in what was made of a leaf. What was made of the leaves before it is dropped, because leaves are
    /// asked for in the order of their slots.
    pub(super) fn get<T>(&self, slot: Slot, look: impl FnOnce(&C) -> T) -> Option<T> {
        self.items().of_leaf(slot)?.as_ref().map(look)
    }

    /// What was made of a leaf. It is not kept here.
    pub(super) fn take(&self, slot: Slot) -> Option<C> {
        self.items().of_leaf(slot)?.take()
    }
}

impl<C> Items<C> {
    fn of_leaf(&mut self, slot: Slot) -> Option<&mut Option<C>> {
        while self.first < slot.0 {
            self.items.pop_front();
            self.first = self.first.saturating_add(1);
        }
        self.items.front_mut().filter(|_| self.first == slot.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_leaf_has_what_was_made_of_it() {
        let made = Made::default();
        for slot in [3, 0, 5, 4] {
            made.add(Slot(slot), slot * 10);
        }
        assert_eq!(made.get(Slot(0), |item| *item), Some(0));
        assert_eq!(made.take(Slot(0)), Some(0));
        assert_eq!(made.take(Slot(0)), None);
        assert_eq!(made.take(Slot(1)), None);
        assert_eq!(made.take(Slot(4)), Some(40));
        made.add(Slot(2), 20);
        assert_eq!(made.take(Slot(2)), None, "it is too late for this leaf");
        assert_eq!(made.take(Slot(5)), Some(50));
        assert_eq!(made.take(Slot(9)), None);
    }
}
