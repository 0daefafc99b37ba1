//! The walk through all trees that determines the use of each page.

use crate::diag::{Code, Damage, Diagnostic, Diagnostics, KEPT_PER_CODE};

use super::super::bucket::{Bucket, beyond_limits, is_bucket};
use super::super::db::Db;
use super::super::freelist::Freelist;
use super::super::leaf::Direction;
use super::super::page::{Element, Kind, Page, Pgid};
use super::super::page_owners::WalkedPages;
use super::super::pages::SUBTREE_MISSING;
use super::super::tree::{MAX_TREE_DEPTH, RELEASE_BYTES};
use super::marks::Mark;
use super::{BucketUse, PageUse};

impl<'a> PageUse<'a> {
    /// Walks all trees of the chosen state. Their damage goes to the diagnostics of `db`.
    pub fn read(db: &Db<'a>) -> Self {
        Walk::new(db, Reported::All).run()
    }

    /// The same for a caller that has already walked all trees and reported their damage: only pages that two trees use are
    /// reported here. The tree of `walked` is not read again, and the sizes of its bucket are not counted.
    pub(in crate::bbolt) fn read_shared(db: &Db<'a>, walked: Option<WalkedTree<'_>>) -> Self {
        let mut walk = Walk::new(db, Reported::SharedPages);
        walk.walked = walked;
        walk.run()
    }
}

/// A tree that was walked already and has no damage: its root page, and its pages.
pub type WalkedTree<'w> = (Pgid, &'w WalkedPages);

/// Which findings are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reported {
    /// All of them.
    All,
    /// Only pages that two trees use.
    SharedPages,
}

/// A page with more than one use.
enum Conflict {
    /// It was entered before.
    Reentered,
    /// It is an overflow page of another page: of a tree page, or of the freelist.
    Inside { of_tree: bool },
    /// One of its overflow pages has another use: in a tree, or for the freelist.
    Overrun { pgid: Pgid, of_tree: bool },
}

/// A page between the root and the current page.
struct OpenPage<'a> {
    /// Index of its bucket in [`PageUse::buckets`].
    bucket: usize,
    /// Its level in the tree of its bucket; 1 for the root page.
    level: usize,
    page: Page<'a>,
    /// The elements of a leaf that are buckets.
    nested: Vec<Element<'a>>,
    /// Index of the next child of a branch, or of the next bucket of a leaf.
    next: usize,
}

/// A walk through the trees of a file, depth first.
struct Walk<'a, 'd> {
    db: &'d Db<'a>,
    diagnostics: &'a Diagnostics,
    reported: Reported,
    walked: Option<WalkedTree<'d>>,
    /// The result up to now.
    found: PageUse<'a>,
    stack: Vec<OpenPage<'a>>,
    /// Bytes of the pages that were entered since memory was released.
    touched_bytes: usize,
}

impl<'a, 'd> Walk<'a, 'd> {
    fn new(db: &'d Db<'a>, reported: Reported) -> Self {
        Self {
            db,
            diagnostics: db.diagnostics(),
            reported,
            walked: None,
            found: PageUse::new(db),
            stack: Vec::new(),
            touched_bytes: 0,
        }
    }

    /// Walks the freelist first, because its pages must be known when a tree page uses one of them; then all trees.
    fn run(mut self) -> PageUse<'a> {
        // Release the pages that an earlier walk left in memory.
        self.forget_resident();
        self.freelist();
        self.root();
        while let Some(open) = self.stack.last_mut() {
            let (bucket, level, page) = (open.bucket, open.level, open.page);
            let index = open.next;
            open.next = open.next.saturating_add(1);
            if page.kind == Some(Kind::Leaf) {
                match open.nested.get(index).copied() {
                    Some(element) => self.open_bucket(bucket, &page, &element),
                    None => drop(self.stack.pop()),
                }
            } else if index < page.usable_count() {
                if let Some(child) = page.branch_child(index) {
                    self.enter(bucket, child, level.saturating_add(1));
                }
            } else {
                self.stack.pop();
            }
        }
        self.found
    }

    /// Reports damage in the tree of a bucket, with the path of the bucket.
    fn report(&self, bucket: usize, mut damage: Damage) {
        let path = self.found.path_of(bucket);
        if !path.is_empty() {
            damage.locus = damage.locus.bucket(&path);
        }
        self.report_as_it_is(damage);
    }

    /// Reports damage whose place is already complete.
    fn report_as_it_is(&self, damage: Damage) {
        if self.reported == Reported::All {
            self.diagnostics.report(damage);
        }
    }

    /// Reports that a page has more than one use.
    fn report_conflict(&self, bucket: usize, page: &Page<'_>, conflict: &Conflict) {
        if self.reported == Reported::SharedPages {
            return self.report_shared(bucket, page, conflict);
        }
        let found = match conflict {
            Conflict::Reentered => "this page was reached before".to_owned(),
            Conflict::Inside { .. } => {
                // Finding the head searches back through the run, so it is done only for findings that are kept in full.
                let is_kept = self.diagnostics.count(Code::PageTwice) < KEPT_PER_CODE as u64;
                let head = if is_kept {
                    self.found.head_of(page.pgid)
                } else {
                    page.pgid
                };
                format!("this page is in the middle of page {head}'s bytes")
            }
            Conflict::Overrun { pgid, .. } => {
                format!("page {pgid} of its bytes also belongs to another page")
            }
        };
        let finding = Diagnostic::new(Code::PageTwice, page.locus());
        self.report(
            bucket,
            finding.found(found).effect("it is not entered again"),
        );
    }

    /// Reports a page that two trees use. Two other conflicts are reported elsewhere: a page shared with the freelist, by the
    /// check of the freelist; a page entered again, by the walk before this one.
    fn report_shared(&self, bucket: usize, page: &Page<'_>, conflict: &Conflict) {
        let pgid = match conflict {
            Conflict::Inside { of_tree: true } => page.pgid,
            Conflict::Overrun {
                pgid,
                of_tree: true,
            } => *pgid,
            _ => return,
        };
        let run = self.pages_in_run(page);
        let mut locus = page.locus();
        let name = self.found.buckets.get(bucket).map(|bucket| bucket.name);
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            locus = locus.bucket(name);
        }
        self.diagnostics.report(
            Diagnostic::new(Code::PageTwice, locus)
                .found(format!(
                    "page {pgid} of its {run} also belongs to another page"
                ))
                .effect("both are read; one of them was overwritten"),
        );
    }

    /// Marks the pages that the freelist lists, and those in which it is stored.
    fn freelist(&mut self) {
        if !self.found.freelist_is_stored {
            return;
        }
        match Freelist::read(&self.found.pages, Pgid(self.db.meta().freelist)) {
            Ok(freelist) => {
                let end = self.found.end;
                for free in freelist.ids().filter(|id| id.0 < end) {
                    self.found.marks.set(free, Mark::LISTED_FREE);
                }
                let page = freelist.page;
                self.found.marks.set(page.pgid, Mark::FREELIST);
                let inside = Mark::FREELIST.inside();
                for further in self.further_pages(&page) {
                    self.found.marks.set(further, inside);
                }
            }
            Err(damage) => {
                // Free pages cannot be distinguished from lost ones.
                self.found.freelist_is_stored = false;
                self.report_as_it_is(damage);
            }
        }
    }

    /// Adds the root bucket, and enters its root page.
    fn root(&mut self) {
        let meta = self.db.meta();
        let chosen = Pgid(self.db.choice().0.unwrap_or_default() as u64);
        self.found.buckets.push(BucketUse {
            root: meta.root,
            sequence: meta.sequence,
            // The root bucket's header is in the meta page.
            header_offset: self.found.pages.offset_of(chosen).saturating_add(32),
            ..BucketUse::named(b"")
        });
        self.enter(0, meta.root, 1);
    }

    /// Enters a page of a tree: marks its run, adds its sizes to its bucket, and opens it for the walk. A page that
    /// cannot be read, or that was entered before, is reported instead.
    fn enter(&mut self, bucket: usize, pgid: Pgid, level: usize) {
        let mark = self.found.marks.get(pgid);
        let page = match self.found.pages.tree_page(pgid) {
            Ok(page) => page,
            Err(damage) => {
                if pgid.0 < self.found.end && !mark.is_taken() {
                    self.found.marks.set(pgid, Mark::tree(bucket).broken());
                }
                return self.report(bucket, damage);
            }
        };
        if let Some(damage) = self.found.pages.bounds(&page) {
            self.report(bucket, damage);
        }
        if mark.is_taken() && !mark.is_inside() {
            return self.report_conflict(bucket, &page, &Conflict::Reentered);
        }
        let of_tree = mark.is_in_tree();
        // A page in the uncertain rest of another run is in a tree, but not taken. See `mark_run`.
        if mark.is_taken() || of_tree && self.reported == Reported::SharedPages {
            self.report_conflict(bucket, &page, &Conflict::Inside { of_tree });
        }
        self.mark_run(bucket, &page);
        if level > MAX_TREE_DEPTH {
            let damage = Diagnostic::new(Code::TreeTooDeep, page.locus())
                .expected(format!("at most {MAX_TREE_DEPTH} levels"), "more")
                .effect(SUBTREE_MISSING);
            return self.report(bucket, damage);
        }
        self.release(&page);
        let nested = self.count(bucket, &page, level);
        self.stack.push(OpenPage {
            bucket,
            level,
            page,
            nested,
            next: 0,
        });
    }

    /// Number of pages of a run inside the file.
    fn pages_in_run(&self, page: &Page<'_>) -> u64 {
        let present = self.found.pages.count().saturating_sub(page.pgid.0);
        u64::from(page.overflow).saturating_add(1).min(present)
    }

    /// The overflow pages of a run inside the file.
    fn further_pages(&self, page: &Page<'_>) -> impl Iterator<Item = Pgid> + use<> {
        let first = page.pgid.0;
        let end = first.saturating_add(self.pages_in_run(page));
        (first.saturating_add(1)..end).map(Pgid)
    }

    /// Marks a run. It ends before the first page that another tree page uses. After a broken page or a page of the freelist
    /// the stated length is not certain: the rest of the run only counts as in use when the freelist is checked.
    fn mark_run(&mut self, bucket: usize, page: &Page<'_>) {
        let own = match page.kind {
            Some(Kind::Branch) => Mark::tree(bucket).branch(),
            _ => Mark::tree(bucket),
        };
        self.mark(page.pgid, own);
        let mut is_in_doubt = false;
        for pgid in self.further_pages(page) {
            let mark = self.found.marks.get(pgid);
            let of_tree = mark.is_in_tree();
            if of_tree || mark.is_taken() && !is_in_doubt {
                self.report_conflict(bucket, page, &Conflict::Overrun { pgid, of_tree });
            }
            if of_tree {
                return;
            }
            is_in_doubt |= mark.is_taken();
            self.mark(
                pgid,
                if is_in_doubt {
                    mark.overrun()
                } else {
                    own.inside()
                },
            );
        }
    }

    /// Stores the mark of a page that a tree uses, and counts the page once.
    fn mark(&mut self, pgid: Pgid, mark: Mark) {
        if !self.found.marks.get(pgid).is_in_tree() {
            self.found.tree_pages = self.found.tree_pages.saturating_add(1);
        }
        self.found.marks.set(pgid, mark);
    }

    /// Adds a page to the sizes of its bucket. Returns the buckets in a leaf.
    fn count(&mut self, bucket: usize, page: &Page<'a>, level: usize) -> Vec<Element<'a>> {
        let overflow = u64::from(page.overflow);
        let mut nested = Vec::new();
        let (mut elements, mut key_bytes, mut value_bytes) = (0_u64, 0_u64, 0_u64);
        if page.kind == Some(Kind::Leaf) {
            let (_, findings) = page.check_leaf_elements(|element| {
                elements = elements.saturating_add(1);
                key_bytes = key_bytes.saturating_add(element.key.len() as u64);
                value_bytes = value_bytes.saturating_add(element.value.len() as u64);
                if is_bucket(element) {
                    nested.push(*element);
                }
            });
            for finding in findings {
                self.report(bucket, finding);
            }
        }
        let Some(counts) = self.found.buckets.get_mut(bucket) else {
            return nested;
        };
        counts.depth = counts.depth.max(level);
        counts.elements = counts.elements.saturating_add(elements);
        counts.key_bytes = counts.key_bytes.saturating_add(key_bytes);
        counts.value_bytes = counts.value_bytes.saturating_add(value_bytes);
        if page.kind == Some(Kind::Leaf) {
            counts.leaf_pages = counts.leaf_pages.saturating_add(1);
            counts.leaf_overflow = counts.leaf_overflow.saturating_add(overflow);
        } else {
            counts.branch_pages = counts.branch_pages.saturating_add(1);
            counts.branch_overflow = counts.branch_overflow.saturating_add(overflow);
        }
        nested
    }

    /// Adds a bucket that is inside another one. An inline bucket is read at once; of another one the root page is
    /// entered.
    fn open_bucket(&mut self, parent: usize, holder: &Page<'a>, element: &Element<'a>) {
        // The number names the owner of the pages that a reader of the bucket claims. Only inline buckets are read
        // here, and they have no pages.
        let bucket = match Bucket::parse(element, holder, self.db.context().clone(), u16::MAX) {
            Ok(bucket) => bucket,
            Err(damage) => return self.report_as_it_is(damage),
        };
        let nesting = self
            .found
            .buckets
            .get(parent)
            .map_or(0, |parent| parent.nesting.saturating_add(1));
        // The list includes the root, which the limit does not count.
        let opened = self.found.buckets.len().saturating_sub(1);
        if let Some(damage) = beyond_limits(&bucket, nesting, opened) {
            return self.report(parent, damage);
        }
        let mut opened = BucketUse {
            parent: Some(parent),
            nesting,
            root: bucket.root,
            sequence: bucket.sequence,
            inline: bucket.is_inline(),
            header_offset: element.value_offset,
            ..BucketUse::named(bucket.name)
        };
        if opened.inline {
            // bbolt never inlines a bucket that contains buckets. Such an element is counted, not opened.
            opened.depth = 1;
            for leaf in bucket.leaves(self.diagnostics, Direction::Forward) {
                for element in leaf.elements(Direction::Forward) {
                    let (key, value) = (element.key.len() as u64, element.value.len() as u64);
                    opened.elements = opened.elements.saturating_add(1);
                    opened.key_bytes = opened.key_bytes.saturating_add(key);
                    opened.value_bytes = opened.value_bytes.saturating_add(value);
                }
            }
        }
        let (index, root, inline) = (self.found.buckets.len(), opened.root, opened.inline);
        self.found.buckets.push(opened);
        if !inline && !self.mark_walked(index, root) {
            self.enter(index, root, 1);
        }
    }

    /// Marks the pages of a tree that was walked already. False if it was not, or if something else uses one of them.
    fn mark_walked(&mut self, bucket: usize, root: Pgid) -> bool {
        let walked = self.walked.filter(|(walked, _)| *walked == root);
        let pages = || walked.and_then(|(_, walked)| walked.pages());
        let is_free = |(pgid, _)| !self.found.marks.get(Pgid(pgid)).is_used();
        if !pages().is_some_and(|mut pages| pages.all(is_free)) {
            return false;
        }
        let own = Mark::tree(bucket);
        for (pgid, is_head) in pages().into_iter().flatten() {
            self.mark(Pgid(pgid), if is_head { own } else { own.inside() });
        }
        true
    }

    /// Releases walked pages from memory, so that the resident size stays flat.
    fn release(&mut self, page: &Page<'_>) {
        self.touched_bytes = self.touched_bytes.saturating_add(page.run().len_bytes());
        if self.touched_bytes >= RELEASE_BYTES {
            self.touched_bytes = 0;
            self.forget_resident();
        }
    }

    /// Releases all pages of the file from memory. They are read again when they are needed.
    fn forget_resident(&self) {
        if let Some(source) = self.db.context().source {
            source.forget_resident();
        }
    }
}
