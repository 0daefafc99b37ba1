//! What is known of each page while the trees are walked: 32 bits per page.

use crate::compact_map::CompactMap;

use super::super::page::Pgid;

/// What uses a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    None,
    /// No tree; the freelist lists it.
    ListedFree,
    /// The freelist is stored in it.
    Freelist,
    /// The tree of the bucket with this index.
    Bucket(usize),
}

/// The mark of one page: four flags, and what uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Mark(u32);

/// An overflow page: it continues the page before it.
const INSIDE: u32 = 1 << 31;
/// A tree points to it, but it is not a tree page.
const BROKEN: u32 = 1 << 30;
/// It is in the run of a tree page, but the length of that run is not certain.
const OVERRUN: u32 = 1 << 29;
/// It is in the run of a branch page.
const BRANCH: u32 = 1 << 28;

// The lower bits of a mark are a number for the user of the page. A bucket's number is its index plus FIRST_BUCKET.
const NOTHING: u32 = 0;
const LISTED_FREE: u32 = 1;
const FREELIST: u32 = 2;
const FIRST_BUCKET: u32 = 3;

impl Mark {
    pub(super) const LISTED_FREE: Self = Self(LISTED_FREE);
    pub(super) const FREELIST: Self = Self(FREELIST);

    /// A page of a bucket's tree.
    pub(super) fn tree(bucket: usize) -> Self {
        // There are fewer than MAX_BUCKETS.
        let number =
            u32::try_from(bucket).map_or(NOTHING, |bucket| bucket.saturating_add(FIRST_BUCKET));
        Self(number)
    }

    pub(super) fn inside(self) -> Self {
        Self(self.0 | INSIDE)
    }

    pub(super) fn broken(self) -> Self {
        Self(self.0 | BROKEN)
    }

    pub(super) fn overrun(self) -> Self {
        Self(self.0 | OVERRUN)
    }

    pub(super) fn branch(self) -> Self {
        Self(self.0 | BRANCH)
    }

    pub(super) fn user(self) -> User {
        match self.0 & !(INSIDE | BROKEN | OVERRUN | BRANCH) {
            NOTHING => User::None,
            LISTED_FREE => User::ListedFree,
            FREELIST => User::Freelist,
            number => {
                User::Bucket(usize::try_from(number.saturating_sub(FIRST_BUCKET)).unwrap_or(0))
            }
        }
    }

    pub(super) fn is_inside(self) -> bool {
        self.0 & INSIDE != 0
    }

    pub(super) fn is_branch(self) -> bool {
        self.0 & BRANCH != 0
    }

    pub(super) fn is_broken(self) -> bool {
        self.0 & BROKEN != 0
    }

    /// Whether anything uses the page or points to it.
    pub(super) fn is_taken(self) -> bool {
        matches!(self.user(), User::Freelist | User::Bucket(_))
    }

    /// Whether anything is known of the page, other than that the freelist lists it.
    pub(super) fn is_used(self) -> bool {
        !matches!(self, Self(NOTHING | LISTED_FREE))
    }

    /// Whether the page is in the run of a tree page, even if the length of that run is not certain.
    pub(super) fn is_in_tree(self) -> bool {
        self.0 & OVERRUN != 0 || matches!(self.user(), User::Bucket(_)) && !self.is_broken()
    }
}

/// How many neighbouring pages share one entry.
const PAGES_TOGETHER: usize = 64;

/// The marks of all pages. Memory grows with the marked pages, because the only page of a sparse file may be its last.
#[derive(Debug, Default)]
pub(super) struct Marks {
    chunks: CompactMap<u64, [Mark; PAGES_TOGETHER]>,
}

impl Marks {
    pub(super) fn get(&self, pgid: Pgid) -> Mark {
        let (chunk, place) = place_of(pgid);
        let chunk = self.chunks.get(&chunk);
        chunk
            .and_then(|marks| marks.get(place))
            .copied()
            .unwrap_or_default()
    }

    pub(super) fn set(&mut self, pgid: Pgid, mark: Mark) {
        let (chunk, place) = place_of(pgid);
        let new = || [Mark::default(); PAGES_TOGETHER];
        let marks = self.chunks.get_or_insert(chunk, new);
        if let Some(stored) = marks.and_then(|marks| marks.get_mut(place)) {
            *stored = mark;
        }
    }
}

/// The chunk of a page, and its index in it.
fn place_of(pgid: Pgid) -> (u64, usize) {
    let together = PAGES_TOGETHER as u64;
    (
        pgid.0 / together,
        usize::try_from(pgid.0 % together).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_keeps_its_user_whatever_its_flags() {
        for bucket in [0, 1, 59_999] {
            let mark = Mark::tree(bucket);
            assert_eq!(mark.inside().overrun().user(), User::Bucket(bucket));
            assert!(mark.is_in_tree() && mark.inside().is_in_tree());
            assert!(mark.branch().is_branch() && mark.branch().user() == mark.user());
            assert!(mark.broken().is_taken() && !mark.broken().is_in_tree());
        }
        assert!(!Mark::FREELIST.is_in_tree() && Mark::FREELIST.overrun().is_in_tree());
        assert!(!Mark::LISTED_FREE.is_taken());
    }

    #[test]
    fn memory_follows_the_marked_pages() {
        let mut marks = Marks::default();
        marks.set(Pgid(u64::MAX), Mark::FREELIST);
        assert_eq!(marks.get(Pgid(u64::MAX)), Mark::FREELIST);
        assert_eq!(marks.get(Pgid(u64::MAX - 1)), Mark::default());
        let chunk = |pgid: u64| marks.chunks.get(&(pgid / PAGES_TOGETHER as u64));
        assert!(chunk(u64::MAX).is_some() && chunk(0).is_none());
    }
}
