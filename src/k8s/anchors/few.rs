//! A list that allocates no memory as long as it is short.
//!
//! The times of a value are read on one core and dropped on another. If each had its own allocation, both cores would
//! wait for the same lock of the allocator.

/// A list whose first N items need no allocation.
#[derive(Debug, Clone)]
pub(super) enum Few<T, const N: usize> {
    Inline { len: u8, items: [T; N] },
    Spilled(Vec<T>),
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    pub(super) fn as_slice(&self) -> &[T] {
        match self {
            Self::Inline { len, items } => items.get(..usize::from(*len)).unwrap_or_default(),
            Self::Spilled(items) => items,
        }
    }

    pub(super) fn push(&mut self, item: T) {
        match self {
            Self::Spilled(items) => items.push(item),
            Self::Inline { len, items } => {
                if let Some(place) = items.get_mut(usize::from(*len)) {
                    *place = item;
                    *len = len.saturating_add(1);
                } else {
                    let mut items = items.to_vec();
                    items.push(item);
                    *self = Self::Spilled(items);
                }
            }
        }
    }

    /// Drops the items that are not to be kept.
    pub(super) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        if !self.as_slice().iter().all(&keep) {
            *self = self.as_slice().iter().copied().filter(keep).collect();
        }
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Self::Inline {
            len: 0,
            items: [T::default(); N],
        }
    }
}

impl<T: Copy + Default, const N: usize> FromIterator<T> for Few<T, N> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut few = Self::default();
        items.into_iter().for_each(|item| few.push(item));
        few
    }
}

impl<T: Copy + Default + PartialEq, const N: usize> PartialEq for Few<T, N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<T: Copy + Default + Eq, const N: usize> Eq for Few<T, N> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_and_a_spilled_list_have_the_same_items_in_the_same_order() {
        for count in 0..9_u32 {
            let mut few: Few<u32, 3> = (0..count).collect();
            let all: Vec<u32> = (0..count).collect();
            assert_eq!(few.as_slice(), all);
            assert_eq!(matches!(few, Few::Spilled(_)), count > 3);
            few.retain(|item| item % 2 == 1);
            let odd: Vec<u32> = (0..count).filter(|item| item % 2 == 1).collect();
            assert_eq!(few.as_slice(), odd);
            assert_eq!(few, odd.iter().copied().collect());
        }
    }
}
