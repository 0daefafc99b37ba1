//! The walk through a B+tree: its leaves in key order, forwards or backwards.
//!
//! The walk is lazy: a question about the newest records touches only the last pages. It checks the tree on the way:
//! page ids and kinds, bounds, no page twice, depth, ascending keys, and that each separator equals the first key of its
//! child. bbolt only requires that the separator is not greater. But etcd always writes equal keys, and a copy taken while
//! etcd was writing often has different ones, so this check finds torn copies.

use std::cell::Cell;
use std::sync::Arc;

use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus, Severity, shown};
use crate::source::Source;

use super::leaf::{Direction, Leaf, out_of_order};
use super::lookahead::{Ahead, CheckedLeaf, Lookahead, LookaheadTask, Purpose, Slot};
use super::page::{Kind, LayoutFault, Page, Pgid};
use super::page_owners::{Claim, PageOwners, WalkedPages};
use super::pages::{Pages, SUBTREE_MISSING};

pub use super::pages::MAX_TREE_DEPTH;

/// After this many bytes of leaves, the pages already walked are released from memory. So the resident size stays flat
/// in one pass over a file of any length.
pub(super) const RELEASE_BYTES: usize = 32 << 20;

/// A leaf with its position in the tree.
#[derive(Debug)]
pub struct PlacedLeaf<'a> {
    /// The leaf.
    pub leaf: Leaf<'a>,
    /// The first key that may be in it; none if there is no lower limit.
    pub lower: Option<&'a [u8]>,
    /// The first key that is after it; none if there is no upper limit.
    pub upper: Option<&'a [u8]>,
    /// Whether it is intact.
    pub sound: bool,
}

fn not_packed(page: &Page<'_>, fault: LayoutFault) -> Damage {
    let effect = "elements of this page may be missing or altered";
    match fault {
        LayoutFault::Element(index) => {
            Diagnostic::new(Code::ElementLayout, page.locus().element(index))
                .expected(
                    "a key directly after the element before it",
                    "another place",
                )
                .effect(effect)
        }
        LayoutFault::Slack { offset } => {
            Diagnostic::new(Code::SlackNotZero, Locus::page(page.pgid.0, offset))
                .expected("zeros after the last element", "other bytes")
                .effect(effect)
        }
    }
}

/// The data that all walks through one file share: its pages, its source, and the owners of pages.
#[derive(Debug, Clone)]
pub(super) struct FileContext<'a> {
    pub(super) pages: Pages<'a>,
    pub(super) source: Option<&'a Source>,
    pub(super) owners: Arc<PageOwners>,
}

/// A page to enter, with the keys that its branch states for it.
struct Child<'a> {
    pgid: Pgid,
    /// Its first key.
    separator: Option<&'a [u8]>,
    /// First key of its subtree.
    lower: Option<&'a [u8]>,
    /// First key after its subtree.
    upper: Option<&'a [u8]>,
    /// Whether these keys come from intact branches.
    trusted: bool,
}

/// A branch page between the root and the current leaf.
struct OpenBranch<'a> {
    page: Page<'a>,
    /// How many of its children the walk has entered.
    entered: usize,
    /// First key of the subtree of this page.
    lower: Option<&'a [u8]>,
    /// First key after the subtree of this page.
    upper: Option<&'a [u8]>,
    /// Whether this page and all branches above it are intact.
    trusted: bool,
}

/// Iterator over the leaves of one tree.
pub struct Leaves<'a> {
    context: FileContext<'a>,
    diagnostics: &'a Diagnostics,
    bucket: Vec<u8>,
    number: u16,
    direction: Direction,
    root: Option<Root<'a>>,
    stack: Vec<OpenBranch<'a>>,
    used: WalkedPages,
    touched_bytes: usize,
    /// Whether a finding was reported that may hide elements.
    damaged: Cell<bool>,
    damaged_here: Cell<bool>,
    lookahead: Lookahead<'a>,
}

/// The root of a tree.
#[derive(Debug, Clone, Copy)]
pub(super) enum Root<'a> {
    Page(Pgid),
    Inline(Page<'a>),
    Absent,
}

impl<'a> Leaves<'a> {
    /// `number` distinguishes the bucket from the others of the file; 1 is the root.
    pub(super) fn new(
        context: FileContext<'a>,
        diagnostics: &'a Diagnostics,
        (bucket, number): (&[u8], u16),
        root: Root<'a>,
        direction: Direction,
    ) -> Self {
        let pages = match root {
            Root::Page(pgid) => Some(pgid),
            Root::Inline(_) | Root::Absent => None,
        };
        Self {
            lookahead: Lookahead::new(context.pages, pages, direction),
            context,
            diagnostics,
            bucket: bucket.to_vec(),
            number,
            direction,
            root: Some(root),
            stack: Vec::new(),
            used: WalkedPages::default(),
            touched_bytes: 0,
            damaged: Cell::new(false),
            damaged_here: Cell::new(false),
        }
    }

    /// The pages that the walk has used.
    pub fn into_walked_pages(self) -> WalkedPages {
        self.used
    }

    /// Whether anything found so far may hide elements of this tree.
    pub fn is_damaged(&self) -> bool {
        self.damaged.get()
    }

    fn report(&self, mut damage: Damage) {
        if damage.code.severity() == Severity::Error {
            self.damaged.set(true);
            self.damaged_here.set(true);
        }
        if !self.bucket.is_empty() {
            damage.locus = damage.locus.bucket(&self.bucket);
        }
        self.diagnostics.report(damage);
    }

    /// Enters a page. A leaf is returned, a branch goes on the stack, and damage is reported.
    fn enter(&mut self, child: &Child<'a>) -> Option<Placed<'a>> {
        self.damaged_here.set(false);
        let pgid = child.pgid;
        let checked = self.lookahead.take(pgid, self.stack.len());
        let page = match &checked {
            Some((checked, _)) => checked.leaf.page,
            None => self.read_page(child)?,
        };
        let again = |found: &str| {
            Diagnostic::new(Code::PageTwice, page.locus())
                .found(found)
                .effect("it is not entered again")
        };
        if !self.used.entered.insert(pgid.0) {
            self.report(again("this page was reached before"));
            return None;
        }
        match self.context.owners.claim(pgid.0, self.number) {
            Claim::Own => {}
            Claim::Shared => self.report(
                Diagnostic::new(Code::PageTwice, page.locus())
                    .found("another bucket uses this page too")
                    .effect("both are read; one of them was overwritten"),
            ),
            Claim::Refused => {
                self.report(again("two other buckets already use this page"));
                return None;
            }
        }
        let run_bytes = page.run().len_bytes();
        let page = self.use_run(page);
        let checked = checked.filter(|_| page.run().len_bytes() == run_bytes);
        match checked {
            Some(checked) => Some(self.place_checked(checked, child)),
            None => {
                let leaf = self.place(page, child)?;
                Some(Placed { leaf, slot: None })
            }
        }
    }

    /// Reads the page of a child. Damage of the page as a whole is reported.
    fn read_page(&self, child: &Child<'a>) -> Option<Page<'a>> {
        let pgid = child.pgid;
        let page = match self.context.pages.tree_page(pgid) {
            Ok(page) => page,
            Err(diagnostic) => {
                let separator = child.separator.filter(|_| child.trusted);
                let repaired = separator
                    .and_then(|key| self.context.pages.page_with_keys(pgid, key, child.upper));
                self.report(match repaired {
                    None => diagnostic,
                    Some(_) => diagnostic.effect("its elements belong here and are included"),
                });
                repaired?
            }
        };
        if let Some(diagnostic) = self.context.pages.bounds(&page) {
            self.report(diagnostic);
        }
        Some(page)
    }

    /// Marks the pages of a run as used. The run ends before a page that two other pages already use.
    fn use_run(&mut self, page: Page<'a>) -> Page<'a> {
        let present = self.context.pages.count().saturating_sub(page.pgid.0);
        let pages = u64::from(page.overflow).saturating_add(1).min(present);
        let mut shared = None;
        let mut usable = 0;
        for pgid in page.pgid.0..page.pgid.0.saturating_add(pages) {
            if !self.used.once.insert(pgid) {
                shared = shared.or(Some(pgid));
                if !self.used.twice.insert(pgid) {
                    break;
                }
            }
            usable += 1;
        }
        if let Some(pgid) = shared {
            self.report(
                Diagnostic::new(Code::PageTwice, page.locus())
                    .found(format!(
                        "page {pgid} of its {pages} also belongs to another page"
                    ))
                    .effect("both are read; one of them was overwritten"),
            );
        }
        page.clipped(usable, self.context.pages.page_size())
    }

    fn place(&mut self, mut page: Page<'a>, child: &Child<'a>) -> Option<PlacedLeaf<'a>> {
        let Child {
            separator: expected,
            lower,
            upper,
            trusted,
            ..
        } = *child;
        if let Some(fault) = page.layout_fault() {
            self.report(not_packed(&page, fault));
            page = self.context.pages.repaired(&page).unwrap_or(page);
        }
        if page.kind == Some(Kind::Leaf) {
            self.account(&page);
            let leaf = self.check_leaf(page, expected, upper);
            return Some(PlacedLeaf {
                leaf,
                lower,
                upper,
                sound: trusted && !self.damaged_here.get(),
            });
        }
        if page.usable_count() == 0 {
            self.report(Diagnostic::new(Code::BranchEmpty, page.locus()).effect(SUBTREE_MISSING));
            return None;
        }
        if self.stack.len() >= MAX_TREE_DEPTH {
            self.report(
                Diagnostic::new(Code::TreeTooDeep, page.locus())
                    .expected(format!("at most {MAX_TREE_DEPTH} levels"), "more")
                    .effect(SUBTREE_MISSING),
            );
            return None;
        }
        if let Ok((first, _)) = page.branch_element(0) {
            self.check_separator(&page, expected, Some(first));
        }
        self.stack.push(OpenBranch {
            page,
            entered: 0,
            lower,
            upper,
            trusted: trusted && !self.damaged_here.get(),
        });
        None
    }

    /// A leaf whose page needs no check of its own any more: only its place in the tree is checked.
    fn place_checked(
        &mut self,
        (checked, slot): (CheckedLeaf<'a>, Slot),
        child: &Child<'a>,
    ) -> Placed<'a> {
        let page = &checked.leaf.page;
        self.account(page);
        self.check_order(page, checked.ends(), child.separator, child.upper);
        Placed {
            leaf: PlacedLeaf {
                leaf: checked.leaf,
                lower: child.lower,
                upper: child.upper,
                sound: child.trusted && !self.damaged_here.get(),
            },
            slot: Some(slot),
        }
    }

    fn account(&mut self, page: &Page<'a>) {
        self.touched_bytes = self.touched_bytes.saturating_add(page.run().len_bytes());
        if self.touched_bytes >= RELEASE_BYTES {
            self.touched_bytes = 0;
            if let Some(source) = self.context.source {
                source.forget_resident();
            }
        }
    }

    fn check_separator(&self, page: &Page<'a>, expected: Option<&[u8]>, first: Option<&[u8]>) {
        if let Some(expected) = expected
            && first != Some(expected)
        {
            self.report(
                Diagnostic::new(Code::SeparatorMismatch, page.locus())
                    .expected(
                        format!("first key {}", shown(expected)),
                        first.map_or_else(|| "no key".to_owned(), shown),
                    )
                    .effect("this page may belong to another state of the store"),
            );
        }
    }

    fn check_leaf(
        &self,
        page: Page<'a>,
        expected: Option<&'a [u8]>,
        upper: Option<&'a [u8]>,
    ) -> Leaf<'a> {
        let (leaf, first, last) = Leaf::check(page, |finding| self.report(finding));
        self.check_order(&page, (first, last), expected, upper);
        leaf
    }

    /// Compares the first and the last key of a leaf with the keys that its branch states.
    fn check_order(
        &self,
        page: &Page<'a>,
        (first, last): (Option<&[u8]>, Option<&[u8]>),
        expected: Option<&[u8]>,
        upper: Option<&[u8]>,
    ) {
        // A first element that cannot be read was already reported.
        if first.is_some() || page.usable_count() == 0 {
            self.check_separator(page, expected, first);
        }
        if let (Some(last), Some(upper)) = (last, upper)
            && last >= upper
        {
            let index = page.usable_count().saturating_sub(1);
            self.report(out_of_order(
                page,
                index,
                "a last key before the next page's first",
            ));
        }
    }

    /// The next child of the innermost branch: its page, its separator, the first key after it.
    fn next_child(&mut self) -> Option<Child<'a>> {
        loop {
            let branch = self.stack.last_mut()?;
            let count = branch.page.usable_count();
            if branch.entered >= count {
                self.stack.pop();
                continue;
            }
            let index = match self.direction {
                Direction::Forward => branch.entered,
                Direction::Backward => count.saturating_sub(1).saturating_sub(branch.entered),
            };
            branch.entered = branch.entered.saturating_add(1);
            let page = branch.page;
            let (first, mut trusted) = (branch.lower, branch.trusted);
            let upper = match index.checked_add(1) {
                Some(next) if next < count => page.branch_element(next).ok().map(|(key, _)| key),
                _ => branch.upper,
            };
            trusted &= upper.is_some() || index.saturating_add(1) >= count;
            let separator = match page.branch_element(index) {
                Ok((key, _)) => {
                    if upper.is_some_and(|upper| upper <= key) {
                        trusted = false;
                        self.report(out_of_order(&page, index, "ascending separators"));
                    }
                    Some(key)
                }
                Err(diagnostic) => {
                    trusted = false;
                    self.report(diagnostic);
                    None
                }
            };
            let lower = if index == 0 { first } else { separator };
            if let Some(child) = page.branch_child(index) {
                return Some(Child {
                    pgid: child,
                    separator,
                    lower,
                    upper,
                    trusted,
                });
            }
        }
    }
}

/// A leaf of the walk.
#[derive(Debug)]
pub struct Placed<'a> {
    /// The leaf.
    pub leaf: PlacedLeaf<'a>,
    /// Its slot if it was checked ahead; `None` if the walk read it itself.
    pub slot: Option<Slot>,
}

impl<'a> Leaves<'a> {
    /// The next leaf, as it was checked ahead or as the walk reads it.
    pub fn next_of_walk(&mut self) -> Option<Placed<'a>> {
        let top = |pgid| Child {
            pgid,
            separator: None,
            lower: None,
            upper: None,
            trusted: true,
        };
        let started = match self.root.take() {
            Some(Root::Page(pgid)) => self.enter(&top(pgid)),
            Some(Root::Inline(page)) => {
                // bbolt reads an element after the end of an inline page from the bytes of the next bucket.
                if let Some(diagnostic) = self.context.pages.bounds(&page) {
                    self.report(diagnostic);
                }
                let leaf = self.place(page, &top(page.pgid));
                leaf.map(|leaf| Placed { leaf, slot: None })
            }
            Some(Root::Absent) | None => None,
        };
        if started.is_some() {
            return started;
        }
        loop {
            let child = self.next_child()?;
            if let Some(placed) = self.enter(&child) {
                return Some(placed);
            }
        }
    }

    /// Whether no leaf is checked ahead.
    pub fn needs_lookahead(&self) -> bool {
        self.lookahead.is_empty()
    }

    /// A task that checks the next leaves, at least so many; `None` if there are no more to check.
    pub fn look_ahead(&mut self, least: usize) -> Option<LookaheadTask<'a>> {
        let context = &self.context;
        let file = (context.pages, context.source);
        self.lookahead.next_task(file, least)
    }

    /// Adds leaves that were checked ahead, in the order of the tasks.
    pub fn add_ahead(&mut self, leaves: Vec<Vec<Ahead<'a>>>) {
        self.lookahead.add(leaves);
    }

    /// The next leaf, for a walk that passes over most leaves: those without damage of their own for which `is_passed` is
    /// true. It is called on all cores.
    pub fn next_not_passed(
        &mut self,
        is_passed: &(dyn Fn(&Leaf<'_>) -> bool + Sync),
    ) -> Option<Leaf<'a>> {
        loop {
            if self.needs_lookahead()
                && let Some(task) = self.look_ahead(1)
            {
                let leaves = task.run(Purpose::Passing, &|_, read| is_passed(&read.leaf));
                self.add_ahead(leaves);
            }
            let placed = self.next_of_walk()?;
            if placed.slot.is_none() {
                return Some(placed.leaf.leaf);
            }
        }
    }

    /// The next leaf, with the limits that the branches above state for its keys.
    pub fn next_placed(&mut self) -> Option<PlacedLeaf<'a>> {
        if self.needs_lookahead()
            && let Some(task) = self.look_ahead(1)
        {
            let leaves = task.run(Purpose::Keeping, &|_, _| true);
            self.add_ahead(leaves);
        }
        self.next_of_walk().map(|placed| placed.leaf)
    }
}

impl<'a> Iterator for Leaves<'a> {
    type Item = Leaf<'a>;

    fn next(&mut self) -> Option<Leaf<'a>> {
        self.next_placed().map(|placed| placed.leaf)
    }
}
