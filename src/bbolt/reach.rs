//! What each page is used for in the chosen state: which bucket reaches it, or that none does.
//!
//! bbolt works out the free pages of a file without a freelist in the same way
//! (`Bucket.forEachPage` and `freepages` of `db.go`): free is what nothing reaches.
//!
//! **Invariant:** a page is entered once, in all buckets together, and a run ends where another's
//! begins: the work is linear in the file, whatever its pages claim.

use crate::diag::{Code, Damage, Diagnostic, Diagnostics};

use super::anatomy;
use super::bucket::{Bucket, MAX_BUCKETS, is_bucket, too_many};
use super::db::Db;
use super::freelist::Freelist;
use super::meta::NO_FREELIST;
use super::page::{Element, Kind, Page, Pages, Pgid};
use super::tree::{Direction, MAX_TREE_DEPTH};

/// After how many bytes of pages they are given back to the system.
const RELEASE_BYTES: usize = 32 << 20;

/// What a page is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// One of the two meta pages.
    Meta,
    /// The freelist, or a further page of it.
    Freelist {
        /// Whether it is a further page.
        inside: bool,
    },
    /// A page of a tree, or a further page of one.
    Tree {
        /// Index in [`Reach::buckets`].
        bucket: usize,
        /// Whether it is a further page: the bytes of the page before it run on here.
        inside: bool,
    },
    /// A tree names it, but it is no page of a tree.
    Broken {
        /// Index in [`Reach::buckets`].
        bucket: usize,
    },
    /// Nothing reaches it; it may be handed out again.
    Free,
    /// Nothing reaches it, and the freelist that was written does not have it.
    Unreached,
}

/// A bucket, and what its pages hold. The first one is the root of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketUse<'a> {
    /// Its name; empty for the root.
    pub name: &'a [u8],
    /// The bucket in which it lies; none for the root.
    pub parent: Option<usize>,
    /// How many buckets it lies in, the root among them.
    pub nesting: usize,
    /// Its root page; 0 for an inline bucket.
    pub root: Pgid,
    /// Its sequence; 0 in etcd.
    pub sequence: u64,
    /// Whether it lies inside the element that names it.
    pub inline: bool,
    /// Absolute offset of its header, in bytes.
    pub header_offset: u64,
    /// Elements of its leaves, buckets among them.
    pub elements: u64,
    /// Length of its keys, in bytes.
    pub key_bytes: u64,
    /// Length of its values, in bytes; of a bucket in it, of the header and the inline page.
    pub value_bytes: u64,
    /// Branch pages, without further ones.
    pub branch_pages: u64,
    /// Further pages of branch pages.
    pub branch_overflow: u64,
    /// Leaf pages, without further ones; 0 for an inline bucket.
    pub leaf_pages: u64,
    /// Further pages of leaf pages.
    pub leaf_overflow: u64,
    /// Levels of its tree; 1 for a single leaf.
    pub depth: usize,
}

impl<'a> BucketUse<'a> {
    /// A bucket of which only the name is known.
    fn named(name: &'a [u8]) -> Self {
        Self {
            name,
            parent: None,
            nesting: 0,
            root: Pgid(0),
            sequence: 0,
            inline: false,
            header_offset: 0,
            elements: 0,
            key_bytes: 0,
            value_bytes: 0,
            branch_pages: 0,
            branch_overflow: 0,
            leaf_pages: 0,
            leaf_overflow: 0,
            depth: 0,
        }
    }
}

/// One page of the listing, or one run of pages.
#[derive(Debug, Clone, Copy)]
pub struct PageRow<'a> {
    /// Its position.
    pub pgid: Pgid,
    /// Absolute offset in bytes.
    pub offset: u64,
    /// What it is used for; none where no meta page says.
    pub usage: Option<Use>,
    /// Its header, where it states its own position and a kind: of a free page what it still holds.
    pub page: Option<Page<'a>>,
    /// The key of its first element, where it can be read.
    pub first_key: Option<&'a [u8]>,
}

impl PageRow<'_> {
    /// bbolt's word for the page; ours are `damaged` and `unknown`, for what bbolt does not survive.
    pub fn type_name(&self) -> &'static str {
        match (self.usage, self.page.and_then(|page| page.kind)) {
            (Some(Use::Free), _) => "free",
            (Some(Use::Broken { .. }), _) => "damaged",
            (Some(Use::Meta), _) => Kind::Meta.as_str(),
            (_, Some(kind)) => kind.as_str(),
            (_, None) => "unknown",
        }
    }

    /// Whether its header counts: that of a free page is what it held before.
    pub fn is_in_use(&self) -> bool {
        !matches!(self.usage, Some(Use::Free | Use::Broken { .. }))
    }
}

/// A page's use in 32 bits: two marks, and what uses it.
const INSIDE: u32 = 1 << 31;
const BROKEN: u32 = 1 << 30;
const NOTHING: u32 = 0;
const LISTED_FREE: u32 = 1;
const FREELIST: u32 = 2;
const FIRST_BUCKET: u32 = 3;

fn number_of(bucket: usize) -> u32 {
    // Fewer than MAX_BUCKETS.
    u32::try_from(bucket).map_or(NOTHING, |bucket| bucket.saturating_add(FIRST_BUCKET))
}

/// The pages of a file by use.
#[derive(Debug)]
pub struct Reach<'a> {
    pages: Pages<'a>,
    /// Up to the last page that something uses.
    uses: Vec<u32>,
    buckets: Vec<BucketUse<'a>>,
    end: u64,
    freelist_written: bool,
}

impl<'a> Reach<'a> {
    /// Walks all trees of the chosen state. Damage goes to the diagnostics of `db`.
    pub fn of(db: &Db<'a>) -> Self {
        let meta = db.meta();
        let reach = Self {
            pages: db.pages(),
            uses: Vec::new(),
            buckets: Vec::new(),
            end: meta.high_water_mark.min(db.pages().count()),
            freelist_written: meta.freelist != NO_FREELIST,
        };
        let mut walk = Walk {
            db,
            diagnostics: db.diagnostics(),
            reach,
            stack: Vec::new(),
            touched_bytes: 0,
        };
        // What a walk before this one left resident.
        if let Some(source) = db.ground().source {
            source.forget_resident();
        }
        walk.freelist(Pgid(meta.freelist));
        walk.root(meta.root, meta.sequence);
        walk.reach
    }

    /// The root, then every bucket, each before those in it, in the order of their keys.
    pub fn buckets(&self) -> &[BucketUse<'a>] {
        &self.buckets
    }

    /// The names of a bucket and of those in which it lies, joined by slashes; empty for the root.
    pub fn path_of(&self, bucket: usize) -> Vec<u8> {
        let mut names = Vec::new();
        let mut at = self.buckets.get(bucket);
        while let Some(bucket) = at {
            let Some(parent) = bucket.parent else { break };
            names.push(bucket.name);
            at = self.buckets.get(parent);
        }
        names.reverse();
        names.join(&b'/')
    }

    /// What a page is used for.
    pub fn use_of(&self, pgid: Pgid) -> Use {
        if pgid.0 < 2 {
            return Use::Meta;
        }
        let at = usize::try_from(pgid.0).ok();
        let stored = at.and_then(|at| self.uses.get(at)).copied();
        let stored = stored.unwrap_or(NOTHING);
        let inside = stored & INSIDE != 0;
        match stored & !(INSIDE | BROKEN) {
            NOTHING if self.freelist_written => Use::Unreached,
            NOTHING | LISTED_FREE => Use::Free,
            FREELIST => Use::Freelist { inside },
            number => {
                let bucket = usize::try_from(number.saturating_sub(FIRST_BUCKET)).unwrap_or(0);
                if stored & BROKEN != 0 {
                    Use::Broken { bucket }
                } else {
                    Use::Tree { bucket, inside }
                }
            }
        }
    }

    /// The page whose bytes run on in a further page; the page itself where it is none.
    pub fn head_of(&self, pgid: Pgid) -> Pgid {
        let is_inside = |pgid: u64| {
            matches!(
                self.use_of(Pgid(pgid)),
                Use::Tree { inside: true, .. } | Use::Freelist { inside: true }
            )
        };
        let mut head = pgid.0;
        while head > 2 && is_inside(head) {
            head = head.saturating_sub(1);
        }
        Pgid(head)
    }

    fn mark(&mut self, pgid: Pgid, mark: u32) {
        let Ok(at) = usize::try_from(pgid.0) else {
            return;
        };
        if self.uses.len() <= at {
            self.uses.resize(at.saturating_add(1), NOTHING);
        }
        if let Some(stored) = self.uses.get_mut(at) {
            *stored = mark;
        }
    }

    fn is_taken(&self, pgid: Pgid) -> bool {
        let at = usize::try_from(pgid.0).ok();
        at.and_then(|at| self.uses.get(at))
            .is_some_and(|stored| *stored > LISTED_FREE)
    }

    fn is_head(&self, pgid: Pgid) -> bool {
        self.is_taken(pgid)
            && !matches!(
                self.use_of(pgid),
                Use::Tree { inside: true, .. } | Use::Freelist { inside: true }
            )
    }

    /// Marks a run; it ends before the first page that something else uses. Gives that page.
    fn mark_run(&mut self, page: &Page<'_>, mark: u32) -> Option<Pgid> {
        self.mark(page.pgid, mark);
        let present = self.pages.count().saturating_sub(page.pgid.0);
        let pages = u64::from(page.overflow).saturating_add(1).min(present);
        for further in page.pgid.0.saturating_add(1)..page.pgid.0.saturating_add(pages) {
            if self.is_taken(Pgid(further)) {
                return Some(Pgid(further));
            }
            self.mark(Pgid(further), mark | INSIDE);
        }
        None
    }

    /// Every page below the high-water mark, those in the middle of a run left out, as bbolt lists them.
    pub fn rows(&self) -> impl Iterator<Item = PageRow<'a>> + use<'a, '_> {
        rows(self.pages, self.end, |pgid| Some(self.use_of(pgid)))
    }
}

/// Every page of a file without a usable meta page, as its own header has it.
pub fn rows_by_header<'a>(pages: Pages<'a>) -> impl Iterator<Item = PageRow<'a>> + use<'a> {
    rows(pages, pages.count(), |_| None)
}

fn rows<'a, F: Fn(Pgid) -> Option<Use>>(
    pages: Pages<'a>,
    end: u64,
    use_of: F,
) -> impl Iterator<Item = PageRow<'a>> + use<'a, F> {
    let mut next = 0;
    std::iter::from_fn(move || {
        while next < end {
            let pgid = Pgid(next);
            next = next.saturating_add(1);
            let usage = use_of(pgid);
            if matches!(
                usage,
                Some(Use::Tree { inside: true, .. } | Use::Freelist { inside: true })
            ) {
                continue;
            }
            let page = stated_page(&pages, pgid);
            if let (None | Some(Use::Unreached), Some(page)) = (usage, page) {
                next = end_of_stated_run(&pages, &page, end, &use_of);
            }
            return Some(PageRow {
                pgid,
                offset: pages.offset_of(pgid),
                usage,
                page,
                first_key: page.and_then(first_key),
            });
        }
        None
    })
}

/// The page, where its header states this very position and a kind.
fn stated_page<'a>(pages: &Pages<'a>, pgid: Pgid) -> Option<Page<'a>> {
    pages
        .unchecked(pgid)
        .filter(|page| page.stated_id == pgid.0 && page.kind.is_some())
}

fn first_key<'a>(page: Page<'a>) -> Option<&'a [u8]> {
    if page.usable_count() == 0 {
        return None;
    }
    match page.kind? {
        Kind::Leaf => page.leaf_element(0).ok().map(|element| element.key),
        Kind::Branch => page.branch_element(0).ok().map(|(key, _)| key),
        Kind::Meta | Kind::Freelist => None,
    }
}

/// Where the run ends that a page states which no tree reaches: before the next page of its own.
fn end_of_stated_run(
    pages: &Pages<'_>,
    page: &Page<'_>,
    end: u64,
    use_of: &impl Fn(Pgid) -> Option<Use>,
) -> u64 {
    let first = page.pgid.0.saturating_add(1);
    let stated = first.saturating_add(u64::from(page.overflow)).min(end);
    (first..stated)
        .find(|further| {
            let is_others = !matches!(use_of(Pgid(*further)), None | Some(Use::Unreached));
            is_others || stated_page(pages, Pgid(*further)).is_some()
        })
        .unwrap_or(stated)
}

/// The headers of buckets which stand in any leaf page of a file, of the newest state or a former one.
/// Nothing is told of their trees.
pub fn stated_buckets<'a>(pages: Pages<'a>) -> impl Iterator<Item = BucketUse<'a>> + use<'a> {
    rows_by_header(pages)
        .filter_map(|row| row.page)
        .filter(|page| page.kind == Some(Kind::Leaf))
        .flat_map(|page| {
            anatomy::elements(page).filter_map(move |element| {
                let header = anatomy::bucket(&page, &element)?;
                Some(BucketUse {
                    root: Pgid(header.root),
                    sequence: header.sequence,
                    inline: header.inline.is_some(),
                    header_offset: element.value?.offset,
                    ..BucketUse::named(element.key?.bytes)
                })
            })
        })
        .take(MAX_BUCKETS)
}

/// A page on the way down.
struct Frame<'a> {
    bucket: usize,
    level: usize,
    page: Page<'a>,
    /// Of a leaf: the buckets in it.
    nested: Vec<Element<'a>>,
    next: usize,
}

struct Walk<'a, 'd> {
    db: &'d Db<'a>,
    diagnostics: &'a Diagnostics,
    reach: Reach<'a>,
    stack: Vec<Frame<'a>>,
    touched_bytes: usize,
}

impl<'a> Walk<'a, '_> {
    fn report(&self, bucket: usize, mut damage: Damage) {
        let path = self.reach.path_of(bucket);
        if !path.is_empty() {
            damage.locus = damage.locus.bucket(&path);
        }
        self.diagnostics.report(damage);
    }

    fn freelist(&mut self, pgid: Pgid) {
        if !self.reach.freelist_written {
            return;
        }
        match Freelist::read(&self.reach.pages, pgid) {
            Ok(freelist) => {
                let end = self.reach.end;
                for free in freelist.ids().filter(|id| id.0 < end) {
                    self.reach.mark(free, LISTED_FREE);
                }
                self.reach.mark_run(&freelist.page, FREELIST);
            }
            Err(damage) => {
                // Then nothing tells free pages from lost ones.
                self.reach.freelist_written = false;
                self.diagnostics.report(damage);
            }
        }
    }

    fn root(&mut self, root: Pgid, sequence: u64) {
        let choice = Pgid(self.db.choice().0.unwrap_or_default() as u64);
        self.reach.buckets.push(BucketUse {
            root,
            sequence,
            // The root bucket's header stands in the meta page.
            header_offset: self.reach.pages.offset_of(choice).saturating_add(32),
            ..BucketUse::named(b"")
        });
        self.enter(0, root, 1);
        while let Some(frame) = self.stack.last_mut() {
            let (bucket, level, page) = (frame.bucket, frame.level, frame.page);
            let index = frame.next;
            frame.next = frame.next.saturating_add(1);
            if page.kind == Some(Kind::Leaf) {
                match frame.nested.get(index).copied() {
                    Some(element) => self.open(bucket, &page, &element),
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
    }

    fn enter(&mut self, bucket: usize, pgid: Pgid, level: usize) {
        let page = match self.reach.pages.tree_page(pgid) {
            Ok(page) => page,
            Err(damage) => {
                if pgid.0 < self.reach.end && !self.reach.is_taken(pgid) {
                    self.reach.mark(pgid, number_of(bucket) | BROKEN);
                }
                return self.report(bucket, damage);
            }
        };
        if let Some(damage) = self.reach.pages.bounds(&page) {
            self.report(bucket, damage);
        }
        let twice = |found: String| {
            Diagnostic::new(Code::PageTwice, page.locus())
                .found(found)
                .effect("it is not entered again")
        };
        if self.reach.is_head(pgid) {
            return self.report(bucket, twice("this page was reached before".to_owned()));
        }
        if self.reach.is_taken(pgid) {
            let head = self.reach.head_of(pgid);
            self.report(
                bucket,
                twice(format!(
                    "this page lies in the middle of page {head}'s bytes"
                )),
            );
        }
        if let Some(other) = self.reach.mark_run(&page, number_of(bucket)) {
            self.report(
                bucket,
                twice(format!("page {other} of its bytes is another's too")),
            );
        }
        if level > MAX_TREE_DEPTH {
            let damage = Diagnostic::new(Code::TreeTooDeep, page.locus())
                .expected(format!("at most {MAX_TREE_DEPTH} levels"), "more")
                .effect("what lies under it is missing from this answer");
            return self.report(bucket, damage);
        }
        let nested = self.look(bucket, &page, level);
        self.stack.push(Frame {
            bucket,
            level,
            page,
            nested,
            next: 0,
        });
    }

    /// Counts a page for its bucket. Gives the buckets that a leaf holds.
    fn look(&mut self, bucket: usize, page: &Page<'a>, level: usize) -> Vec<Element<'a>> {
        self.release(page);
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
        let Some(counts) = self.reach.buckets.get_mut(bucket) else {
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

    /// Opens a bucket that lies in another.
    fn open(&mut self, parent: usize, holder: &Page<'a>, element: &Element<'a>) {
        let bucket = match Bucket::parse(element, holder, self.db.ground().clone(), u16::MAX) {
            Ok(bucket) => bucket,
            Err(damage) => return self.diagnostics.report(damage),
        };
        let nesting = self
            .reach
            .buckets
            .get(parent)
            .map_or(0, |parent| parent.nesting.saturating_add(1));
        // The root of all is among them, and is no bucket that the limit is about.
        let opened = self.reach.buckets.len().saturating_sub(1);
        if let Some(damage) = too_many(&bucket, nesting, opened) {
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
            // bbolt inlines no bucket with buckets in it: what says so is counted, not opened.
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
        let (index, root, inline) = (self.reach.buckets.len(), opened.root, opened.inline);
        self.reach.buckets.push(opened);
        if !inline {
            self.enter(index, root, 1);
        }
    }

    /// Keeps the resident size flat: the pages behind the walk are given back.
    fn release(&mut self, page: &Page<'_>) {
        self.touched_bytes = self.touched_bytes.saturating_add(page.run().len_bytes());
        if self.touched_bytes >= RELEASE_BYTES {
            self.touched_bytes = 0;
            if let Some(source) = self.db.ground().source {
                source.forget_resident();
            }
        }
    }
}
