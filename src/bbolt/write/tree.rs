//! Builds one B+tree from pairs in ascending order: full leaves, and a branch level above each level that has more than
//! one page.
//!
//! bbolt expects at least two children in each branch page. So a full branch page is not written at once: it is held
//! until the next one of its level is full too. If the last page of a level ends with one child, it gets children of
//! the held one.

use super::page::{Kind, OpenPage, PageWriter, WriteError};

/// The fewest children of a branch page.
const FEWEST_CHILDREN: usize = 2;

/// A level of branch pages. Only its last one or two pages are in memory.
struct Level {
    /// The page before the open one. It is full, and not written yet.
    held: Option<OpenPage>,
    /// The page to which children are added.
    open: OpenPage,
}

/// A tree that is being built.
pub(super) struct TreeBuilder {
    /// The leaf to which pairs are added.
    leaf: OpenPage,
    /// Whether a leaf was written before it.
    has_pages: bool,
    /// The branch levels, the lowest first.
    levels: Vec<Level>,
    /// The key added last; the next one must be after it.
    last_key: Option<Vec<u8>>,
    /// Number of pairs added.
    elements: u64,
}

/// A finished tree.
pub(super) enum Tree {
    /// Its root page.
    Page(u64),
    /// Its only leaf, which was not written: it is short enough to be inside the page that names the bucket.
    Inline(OpenPage),
}

impl TreeBuilder {
    pub(super) fn new() -> Self {
        Self {
            leaf: OpenPage::new(Kind::Leaf),
            has_pages: false,
            levels: Vec::new(),
            last_key: None,
            elements: 0,
        }
    }

    /// How many pairs were added.
    pub(super) fn elements(&self) -> u64 {
        self.elements
    }

    /// Adds the next pair. If it does not fit into the open leaf, that leaf is written first. A pair longer than a
    /// page gets a leaf of its own, with overflow pages.
    ///
    /// # Errors
    /// [`WriteError::Order`], if its key is not after the one before it.
    pub(super) fn add(
        &mut self,
        pages: &mut PageWriter<'_>,
        flags: u32,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), WriteError> {
        match &mut self.last_key {
            Some(last) if last.as_slice() >= key => return Err(WriteError::Order),
            Some(last) => {
                last.clear();
                last.extend_from_slice(key);
            }
            None => self.last_key = Some(key.to_vec()),
        }
        let fits = self
            .leaf
            .has_room(key.len(), value.len(), pages.page_size())?;
        if !fits && self.leaf.count() > 0 {
            self.end_leaf(pages)?;
        }
        self.leaf.add(flags, key, value, pages.writes())?;
        self.elements = self.elements.saturating_add(1);
        Ok(())
    }

    /// Writes the open leaf, adds it to the lowest branch level, and starts an empty one.
    fn end_leaf(&mut self, pages: &mut PageWriter<'_>) -> Result<(), WriteError> {
        let pgid = pages.write(&self.leaf)?;
        self.has_pages = true;
        let key = self.leaf.first_key().to_vec();
        self.leaf.clear();
        self.add_child(pages, 0, &key, pgid)
    }

    /// Adds a page to the branch level `depth`; 0 is the lowest one. If the open page of the level is full, it
    /// becomes the held one. The page that was held until then is written, and is added to the level above in the
    /// same way.
    fn add_child(
        &mut self,
        pages: &mut PageWriter<'_>,
        mut depth: usize,
        key: &[u8],
        mut pgid: u64,
    ) -> Result<(), WriteError> {
        let mut key = key.to_vec();
        loop {
            if self.levels.len() <= depth {
                self.levels.push(Level {
                    held: None,
                    open: OpenPage::new(Kind::Branch),
                });
            }
            let Some(level) = self.levels.get_mut(depth) else {
                return Err(WriteError::TooLarge);
            };
            let has_room = level.open.has_room(key.len(), 0, pages.page_size())?;
            // The page that was held, if the open one takes its place.
            let mut full = None;
            if !has_room && level.open.count() >= FEWEST_CHILDREN {
                let open = std::mem::replace(&mut level.open, OpenPage::new(Kind::Branch));
                full = level.held.replace(open);
            }
            level.open.add_child(&key, pgid)?;
            let Some(full) = full else {
                return Ok(());
            };
            pgid = pages.write(&full)?;
            key = full.first_key().to_vec();
            depth = depth.saturating_add(1);
        }
    }

    /// Ends the tree: writes the last pages of each level, the lowest first, until a level has only one page, the
    /// root. A tree of one leaf of at most `inline_bytes` bytes is not written, but returned.
    pub(super) fn finish(
        mut self,
        pages: &mut PageWriter<'_>,
        inline_bytes: usize,
    ) -> Result<Tree, WriteError> {
        if !self.has_pages {
            if self.leaf.len_bytes() <= inline_bytes {
                return Ok(Tree::Inline(self.leaf));
            }
            return Ok(Tree::Page(pages.write(&self.leaf)?));
        }
        self.end_leaf(pages)?;
        let mut depth = 0;
        loop {
            let Some(level) = self.levels.get_mut(depth) else {
                return Err(WriteError::TooLarge);
            };
            let mut last = std::mem::replace(&mut level.open, OpenPage::new(Kind::Branch));
            let held = level.held.take();
            let is_top = held.is_none() && self.levels.len() == depth.saturating_add(1);
            if let Some(held) = held {
                let held = balance(held, &mut last)?;
                if let Some(held) = held {
                    let pgid = pages.write(&held)?;
                    self.add_child(pages, depth.saturating_add(1), held.first_key(), pgid)?;
                }
            }
            let pgid = pages.write(&last)?;
            // Adding the held page may have created the level above.
            let is_top = is_top || self.levels.len() == depth.saturating_add(1);
            if is_top {
                return Ok(Tree::Page(pgid));
            }
            depth = depth.saturating_add(1);
            self.add_child(pages, depth, last.first_key(), pgid)?;
        }
    }
}

/// Moves children from the held page to the last page of a level, if the last one has fewer than two. One child is
/// moved if the held page keeps at least two, otherwise all. Returns the held page, or none if all of its children
/// were moved.
fn balance(mut held: OpenPage, last: &mut OpenPage) -> Result<Option<OpenPage>, WriteError> {
    if last.count() >= FEWEST_CHILDREN {
        return Ok(Some(held));
    }
    // The children of the last page after the move, the last one first.
    let mut moved = Vec::new();
    while let Some(child) = take_last(last) {
        moved.push(child);
    }
    let remains = held.count().saturating_sub(1);
    let count = if remains >= FEWEST_CHILDREN {
        1
    } else {
        held.count()
    };
    for _ in 0..count {
        moved.extend(held.take_last_child());
    }
    last.clear();
    for (key, child) in moved.into_iter().rev() {
        last.add_child(&key, child)?;
    }
    Ok((held.count() > 0).then_some(held))
}

/// Removes the last child of a page, if it has any.
fn take_last(page: &mut OpenPage) -> Option<(Vec<u8>, u64)> {
    (page.count() > 0).then(|| page.take_last_child()).flatten()
}
