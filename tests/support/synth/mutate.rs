//! Corruptions of any bbolt file, structure-aware and by seed: one field set
//! to a nasty value, a page zeroed, swapped or doubled, bits flipped, the file
//! cut. Checksums of changed metas are redone, so that the reader gets past
//! them. The same image and seed give the same corruption everywhere.

use super::page::{self, BRANCH, BUCKET_ELEMENT, Endian, FREELIST, HEADER_LEN, LEAF, MAGIC, META};
use super::random::Rng;
use std::fmt;

/// What is corrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A page header's id.
    PageId,
    /// A page header's flags.
    PageFlags,
    /// A page header's count.
    PageCount,
    /// A page header's overflow.
    PageOverflow,
    /// An element's position.
    ElementPos,
    /// An element's key size.
    ElementKeySize,
    /// A leaf element's value size.
    ElementValueSize,
    /// A leaf element's flags.
    ElementFlags,
    /// Two neighbouring elements change places.
    ElementOrder,
    /// A byte of a key.
    KeyByte,
    /// A branch element's child.
    BranchChild,
    /// The root in a bucket's header.
    BucketRoot,
    /// A field of an inline bucket's page.
    InlinePage,
    /// A field of a meta; checksum redone.
    MetaField,
    /// A meta's checksum.
    MetaChecksum,
    /// One to eight bits anywhere in a used page.
    BitFlip,
    /// The file is cut at a page boundary.
    CutAtPage,
    /// The file is cut anywhere.
    CutAnywhere,
    /// A page is zeroed.
    ZeroPage,
    /// Two pages change places.
    SwapPages,
    /// A page is written over another one.
    DuplicatePage,
}

/// All kinds.
pub const KINDS: [Kind; 21] = [
    Kind::PageId,
    Kind::PageFlags,
    Kind::PageCount,
    Kind::PageOverflow,
    Kind::ElementPos,
    Kind::ElementKeySize,
    Kind::ElementValueSize,
    Kind::ElementFlags,
    Kind::ElementOrder,
    Kind::KeyByte,
    Kind::BranchChild,
    Kind::BucketRoot,
    Kind::InlinePage,
    Kind::MetaField,
    Kind::MetaChecksum,
    Kind::BitFlip,
    Kind::CutAtPage,
    Kind::CutAnywhere,
    Kind::ZeroPage,
    Kind::SwapPages,
    Kind::DuplicatePage,
];

/// What was done to an image; its text goes into the failure message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// What is corrupted.
    pub kind: Kind,
    /// Page of the (first) change.
    pub page: u64,
    /// File offset of the (first) change in bytes.
    pub offset: u64,
    /// Old and new value.
    pub detail: String,
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            page,
            offset,
            detail,
        } = self;
        write!(f, "{kind:?} on page {page} at offset {offset}: {detail}")
    }
}

/// A page which the current state reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRef {
    /// Page id by its place in the file.
    pub id: u64,
    /// Flags of its header.
    pub flags: u16,
    /// Elements.
    pub count: usize,
    /// Further pages of its run.
    pub overflow: u64,
    /// The page that names it; its own id for a root.
    pub parent: u64,
    /// Root page of its bucket's tree.
    pub bucket: u64,
}

/// The outline of a bbolt file: enough to aim at its fields.
#[derive(Clone, Debug)]
pub struct Outline {
    /// Byte order.
    pub endian: Endian,
    /// Page size in bytes.
    pub page_size: usize,
    /// Whole or begun pages in the file.
    pub pages: u64,
    /// Which meta is current.
    pub meta: u64,
    /// Root of the current meta.
    pub root: u64,
    /// High-water mark of the current meta.
    pub high_water_mark: u64,
    /// Freelist of the current meta.
    pub freelist: u64,
    /// Pages of the current tree, in the order of the walk.
    pub reached: Vec<PageRef>,
    /// File offsets of the pages of inline buckets.
    pub inline: Vec<usize>,
    /// File offsets of the headers of buckets with pages of their own.
    pub bucket_headers: Vec<usize>,
}

impl Outline {
    /// Finds metas, page size and the pages of the current state; `None` for
    /// what is no bbolt file. A damaged file has a shorter outline.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (endian, page_size) = find_page_size(bytes)?;
        let txid = |i: usize| {
            let at = i * page_size;
            let good = endian.get_u32(bytes, at + 16)? == MAGIC
                && endian.get_u64(bytes, at + 72)? == page::fnv1a64(bytes.get(at + 16..at + 72)?);
            if good {
                endian.get_u64(bytes, at + 64)
            } else {
                None
            }
        };
        let meta = usize::from(txid(1) > txid(0));
        let field = |at: usize| endian.get_u64(bytes, meta * page_size + at);
        let mut outline = Self {
            endian,
            page_size,
            pages: bytes.len().div_ceil(page_size) as u64,
            meta: meta as u64,
            root: field(32)?,
            high_water_mark: field(56)?,
            freelist: field(48)?,
            reached: Vec::new(),
            inline: Vec::new(),
            bucket_headers: Vec::new(),
        };
        outline.walk(bytes);
        Some(outline)
    }

    fn walk(&mut self, bytes: &[u8]) {
        let mut seen = vec![false; self.pages as usize];
        let mut todo = vec![(self.root, self.root, self.root)];
        while let Some((id, parent, bucket)) = todo.pop() {
            match seen.get_mut(id as usize) {
                Some(seen) if id >= 2 && !*seen => *seen = true,
                _ => continue,
            }
            let at = id as usize * self.page_size;
            let Some((flags, count, overflow)) = self.header(bytes, at) else {
                continue;
            };
            let order = self.endian;
            for i in 0..count {
                let element = at + HEADER_LEN * (1 + i);
                if flags == BRANCH {
                    let child = order.get_u64(bytes, element + 8).unwrap_or(0);
                    todo.push((child, id, bucket));
                } else if order.get_u32(bytes, element) == Some(BUCKET_ELEMENT) {
                    let Some(value) = self.value_at(bytes, element) else {
                        continue;
                    };
                    match order.get_u64(bytes, value) {
                        Some(0) => self.inline.push(value + 16),
                        Some(root) => {
                            self.bucket_headers.push(value);
                            todo.push((root, root, root));
                        }
                        None => {}
                    }
                }
            }
            self.reached.push(PageRef {
                id,
                flags,
                count,
                overflow,
                parent,
                bucket,
            });
        }
    }

    /// Flags, count (no more than fits into the file) and overflow of a
    /// branch or leaf page at `at`.
    fn header(&self, bytes: &[u8], at: usize) -> Option<(u16, usize, u64)> {
        let flags = self.endian.get_u16(bytes, at + 8)?;
        let count = usize::from(self.endian.get_u16(bytes, at + 10)?);
        let overflow = u64::from(self.endian.get_u32(bytes, at + 12)?);
        let room = (bytes.len() - at) / HEADER_LEN - 1;
        let tree = flags == BRANCH || flags == LEAF;
        tree.then_some((flags, count.min(room), overflow))
    }

    /// File offset of a leaf element's value.
    fn value_at(&self, bytes: &[u8], element: usize) -> Option<usize> {
        let pos = self.endian.get_u32(bytes, element + 4)? as usize;
        let key_len = self.endian.get_u32(bytes, element + 8)? as usize;
        element.checked_add(pos)?.checked_add(key_len)
    }

    /// All pages which the state occupies, metas, overflow and freelist
    /// included, ascending.
    pub fn occupied(&self) -> Vec<u64> {
        let mut ids = vec![0, 1];
        if self.freelist < self.pages {
            ids.push(self.freelist);
        }
        for page in &self.reached {
            let end = page.id.saturating_add(page.overflow).min(self.pages - 1);
            ids.extend(page.id..=end);
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn find_page_size(bytes: &[u8]) -> Option<(Endian, usize)> {
    let at_offset = |offset: usize| {
        [Endian::Little, Endian::Big].into_iter().find_map(|order| {
            let magic = order.get_u32(bytes, offset + 16)?;
            let size = order.get_u32(bytes, offset + 24)? as usize;
            let fits = size.is_power_of_two() && (512..=16 << 20).contains(&size);
            (magic == MAGIC && fits).then_some((order, size))
        })
    };
    let second = || {
        let offsets = (9..25).map(|shift| 1usize << shift);
        offsets
            .filter_map(|offset| at_offset(offset).filter(|found| found.1 == offset))
            .next()
    };
    at_offset(0).or_else(second)
}

/// Corrupts the image in one way that depends on `seed` alone. The result
/// always differs from the image.
///
/// # Panics
///
/// On what is no bbolt file with two pages at least.
pub fn mutate(image: &[u8], seed: u64) -> (Vec<u8>, Mutation) {
    let outline = Outline::of(image).expect("not a bbolt file");
    let mut rng = Rng::new(seed);
    loop {
        let kind = KINDS[rng.index(KINDS.len())];
        if let Some(done) = apply(image, &outline, kind, &mut rng) {
            return done;
        }
    }
}

/// Corrupts the image in the given way; `None` where it has nothing of the
/// kind.
pub fn mutate_kind(image: &[u8], kind: Kind, seed: u64) -> Option<(Vec<u8>, Mutation)> {
    let outline = Outline::of(image)?;
    let mut rng = Rng::new(seed);
    (0..64).find_map(|_| apply(image, &outline, kind, &mut rng))
}

fn apply(
    image: &[u8],
    outline: &Outline,
    kind: Kind,
    rng: &mut Rng,
) -> Option<(Vec<u8>, Mutation)> {
    let mut edit = Edit {
        bytes: image.to_vec(),
        outline,
        rng,
    };
    let (at, detail) = edit.run(kind)?;
    if edit.bytes == image {
        return None;
    }
    let mutation = Mutation {
        kind,
        page: (at / outline.page_size) as u64,
        offset: at as u64,
        detail,
    };
    Some((edit.bytes, mutation))
}

struct Edit<'a> {
    bytes: Vec<u8>,
    outline: &'a Outline,
    rng: &'a mut Rng,
}

type Done = Option<(usize, String)>;

impl Edit<'_> {
    fn run(&mut self, kind: Kind) -> Done {
        match kind {
            Kind::PageId => {
                let at = self.any_header()?;
                let own = (at / self.outline.page_size) as u64;
                self.set_pgid(at, own, "id")
            }
            Kind::PageFlags => {
                let at = self.any_header()? + 8;
                self.set_u16(at, &[0, 1, 2, 3, 4, 0x10, 0x12, 0x8002, 0xFFFF], "flags")
            }
            Kind::PageCount => {
                let at = self.any_header()? + 10;
                self.set_u16(at, &[0, 1, 2, 0x100, 0x7FFF, 0xFFFE, 0xFFFF], "count")
            }
            Kind::PageOverflow => {
                let at = self.any_header()? + 12;
                self.set_u32(at, "overflow")
            }
            Kind::ElementPos => {
                let (at, flags) = self.element()?;
                let field = if flags == LEAF { 4 } else { 0 };
                self.set_u32(at + field, "pos")
            }
            Kind::ElementKeySize => {
                let (at, flags) = self.element()?;
                let field = if flags == LEAF { 8 } else { 4 };
                self.set_u32(at + field, "ksize")
            }
            Kind::ElementValueSize => {
                let at = self.leaf_element()?;
                self.set_u32(at + 12, "vsize")
            }
            Kind::ElementFlags => {
                let at = self.leaf_element()?;
                self.set_u32(at, "element flags")
            }
            Kind::ElementOrder => self.swap_elements(),
            Kind::KeyByte => self.key_byte(),
            Kind::BranchChild => self.branch_child(),
            Kind::BucketRoot => {
                let at = *self.rng.pick(&self.outline.bucket_headers)?;
                let own = (at / self.outline.page_size) as u64;
                self.set_pgid(at, own, "bucket root")
            }
            Kind::InlinePage => self.inline_page(),
            Kind::MetaField => self.meta_field(),
            Kind::MetaChecksum => {
                let at = self.rng.index(2) * self.outline.page_size + 72;
                self.flip_bit(at, 8)
            }
            Kind::BitFlip => self.flip_bits(),
            Kind::CutAtPage => {
                let to = self.rng.below(self.outline.pages) as usize * self.outline.page_size;
                self.cut(to)
            }
            Kind::CutAnywhere => {
                let to = self.rng.index(self.bytes.len());
                self.cut(to)
            }
            Kind::ZeroPage => {
                let id = self.occupied_page()?;
                let range = self.page_range(id)?;
                self.bytes[range.clone()].fill(0);
                Some((range.start, "page zeroed".into()))
            }
            Kind::SwapPages => self.swap_pages(),
            Kind::DuplicatePage => self.duplicate_page(),
        }
    }

    /// Offset of the header of a page in use: tree, freelist or meta.
    fn any_header(&mut self) -> Option<usize> {
        let mut ids: Vec<u64> = self.outline.reached.iter().map(|page| page.id).collect();
        if self.outline.freelist < self.outline.pages {
            ids.push(self.outline.freelist);
        }
        if ids.is_empty() || self.rng.percent(3) {
            ids = vec![0, 1];
        }
        let id = *self.rng.pick(&ids)?;
        self.page_range(id).map(|range| range.start)
    }

    fn occupied_page(&mut self) -> Option<u64> {
        self.rng.pick(&self.outline.occupied()).copied()
    }

    /// The bytes of one page, as far as they are in the file.
    fn page_range(&self, id: u64) -> Option<std::ops::Range<usize>> {
        let start = usize::try_from(id)
            .ok()?
            .checked_mul(self.outline.page_size)?;
        let end = (start + self.outline.page_size).min(self.bytes.len());
        (start + HEADER_LEN <= end).then_some(start..end)
    }

    /// Offset of an element of any tree page, and the page's flags.
    fn element(&mut self) -> Option<(usize, u16)> {
        let page = self.rng.pick(&self.outline.reached)?;
        if page.count == 0 {
            return None;
        }
        // Tables' ends are where bounds are easily wrong.
        let i = match self.rng.below(4) {
            0 => 0,
            1 => page.count - 1,
            _ => self.rng.index(page.count),
        };
        let at = page.id as usize * self.outline.page_size + HEADER_LEN * (1 + i);
        (at + HEADER_LEN <= self.bytes.len()).then_some((at, page.flags))
    }

    fn leaf_element(&mut self) -> Option<usize> {
        self.element()
            .filter(|found| found.1 == LEAF)
            .map(|found| found.0)
    }

    fn set_u16(&mut self, at: usize, nasty: &[u16], name: &str) -> Done {
        let order = self.outline.endian;
        let old = order.get_u16(&self.bytes, at)?;
        let new = match self.rng.below(4) {
            0 => old.wrapping_add(1),
            1 => self.rng.next_u64() as u16,
            _ => *self.rng.pick(nasty)?,
        };
        order.put_u16(&mut self.bytes, at, new);
        Some((at, format!("{name} {old:#x} -> {new:#x}")))
    }

    fn set_u32(&mut self, at: usize, name: &str) -> Done {
        let order = self.outline.endian;
        let old = order.get_u32(&self.bytes, at)?;
        let page = self.outline.page_size as u32;
        let nasty = [
            0,
            1,
            8,
            16,
            0x80,
            page - 1,
            page,
            page + 1,
            0x7FFF_FFFF,
            0x8000_0000,
            0xFFFF_FFF0,
            u32::MAX,
            old.wrapping_add(1),
            old.wrapping_sub(1),
            old.wrapping_mul(2),
            self.rng.next_u64() as u32,
        ];
        let new = *self.rng.pick(&nasty)?;
        order.put_u32(&mut self.bytes, at, new);
        Some((at, format!("{name} {old:#x} -> {new:#x}")))
    }

    /// Sets a page id on the page `own` to one that forms a cycle, a second
    /// reference, a wrong kind, or is outside.
    fn set_pgid(&mut self, at: usize, own: u64, name: &str) -> Done {
        let order = self.outline.endian;
        let old = order.get_u64(&self.bytes, at)?;
        let other = self
            .rng
            .pick(&self.outline.reached)
            .map_or(0, |page| page.id);
        let tail = self.outline.reached.iter().find(|page| page.overflow > 0);
        let mut choices = vec![
            (own, "itself"),
            (self.outline.root, "the root"),
            (0, "a meta page"),
            (1, "a meta page"),
            (self.outline.high_water_mark, "the high-water mark"),
            (
                self.outline.high_water_mark.wrapping_add(1),
                "above the high-water mark",
            ),
            (self.outline.pages, "beyond the file"),
            (1 << 40, "far beyond the file"),
            (u64::MAX, "the largest number"),
            (other, "another page of the tree"),
            (self.rng.below(self.outline.pages), "any page"),
            (old ^ 1, "one bit wrong"),
        ];
        choices.extend(tail.map(|page| (page.id + 1, "the middle of an overflow run")));
        if self.outline.freelist < self.outline.pages {
            choices.push((self.outline.freelist, "the freelist"));
        }
        let (new, what) = *self.rng.pick(&choices)?;
        order.put_u64(&mut self.bytes, at, new);
        Some((at, format!("{name} {old} -> {new} ({what})")))
    }

    fn branch_child(&mut self) -> Done {
        let branches: Vec<PageRef> = self.pages_of(BRANCH);
        let page = self.rng.pick(&branches)?.clone();
        let i = self.rng.index(page.count);
        let at = page.id as usize * self.outline.page_size + HEADER_LEN * (1 + i) + 8;
        let order = self.outline.endian;
        let old = order.get_u64(&self.bytes, at)?;
        let other_bucket: Vec<u64> = self
            .outline
            .reached
            .iter()
            .filter(|other| other.bucket != page.bucket)
            .map(|other| other.id)
            .collect();
        let sibling = HEADER_LEN * (1 + self.rng.index(page.count)) + 8;
        let sibling = page.id as usize * self.outline.page_size + sibling;
        let (new, what) = match self.rng.below(5) {
            0 => (page.parent, "its parent"),
            1 => (page.bucket, "its bucket's root"),
            2 => (*self.rng.pick(&other_bucket)?, "a page of another bucket"),
            3 => (order.get_u64(&self.bytes, sibling)?, "a sibling's child"),
            _ => return self.set_pgid(at, page.id, "child"),
        };
        order.put_u64(&mut self.bytes, at, new);
        Some((at, format!("child {old} -> {new} ({what})")))
    }

    fn pages_of(&self, flags: u16) -> Vec<PageRef> {
        let same = |page: &&PageRef| page.flags == flags && page.count > 0;
        self.outline.reached.iter().filter(same).cloned().collect()
    }

    /// Exchanges two neighbours' key positions, so that the keys are unsorted
    /// and nothing else is wrong; or gives both the same key.
    fn swap_elements(&mut self) -> Done {
        let leaves = self.pages_of(LEAF);
        let page = self.rng.pick(&leaves)?;
        let i = self.rng.index(page.count.checked_sub(1)?);
        let a = page.id as usize * self.outline.page_size + HEADER_LEN * (1 + i);
        let b = a + HEADER_LEN;
        let order = self.outline.endian;
        let element: [u8; 16] = self.bytes.get(a..b)?.try_into().ok()?;
        let next: [u8; 16] = self.bytes.get(b..b + 16)?.try_into().ok()?;
        // Positions count from the element itself, so they shift with it.
        let (pos, next_pos) = (order.get_u32(&element, 4)?, order.get_u32(&next, 4)?);
        let doubled = self.rng.percent(30);
        self.bytes[a..b].copy_from_slice(&next);
        order.put_u32(&mut self.bytes, a + 4, next_pos.wrapping_add(16));
        if doubled {
            self.bytes[b..b + 16].copy_from_slice(&next);
        } else {
            self.bytes[b..b + 16].copy_from_slice(&element);
            order.put_u32(&mut self.bytes, b + 4, pos.wrapping_sub(16));
        }
        let what = if doubled { "doubled" } else { "exchanged" };
        Some((a, format!("elements {i} and {} {what}", i + 1)))
    }

    fn key_byte(&mut self) -> Done {
        let (at, flags) = self.element()?;
        let order = self.outline.endian;
        let field = if flags == LEAF { 4 } else { 0 };
        let pos = order.get_u32(&self.bytes, at + field)? as usize;
        let len = order.get_u32(&self.bytes, at + field + 4)? as usize;
        let byte = at + pos + self.rng.index(len);
        let old = *self.bytes.get(byte)?;
        let new = [0, 0xFF, old.wrapping_add(1), old ^ 0x80, b'x'][self.rng.index(5)];
        self.bytes[byte] = new;
        Some((byte, format!("key byte {old:#04x} -> {new:#04x}")))
    }

    fn inline_page(&mut self) -> Done {
        let at = *self.rng.pick(&self.outline.inline)?;
        let order = self.outline.endian;
        let count = usize::from(order.get_u16(&self.bytes, at + 10)?);
        match self.rng.below(8) {
            0 => self.set_pgid(at, 0, "inline id"),
            1 => self.set_u16(at + 8, &[0, 1, 4, 0x10, 0xFFFF], "inline flags"),
            2 | 3 => self.set_u16(at + 10, &[0, 1, 0x7FFF, 0xFFFF], "inline count"),
            4 => self.set_u32(at + 12, "inline overflow"),
            5 => self.set_pgid(at - 16, 0, "inline bucket's root"),
            _ if count == 0 => None,
            _ => {
                let element = at + HEADER_LEN * (1 + self.rng.index(count));
                let field = 4 * self.rng.index(4);
                self.set_u32(element + field, "inline element field")
            }
        }
    }

    fn meta_field(&mut self) -> Done {
        let current = self.rng.percent(80);
        let id = if current {
            self.outline.meta
        } else {
            1 - self.outline.meta
        };
        let start = self.page_range(id)?.start;
        let order = self.outline.endian;
        let done = match self.rng.below(9) {
            0 => self.set_u32(start + 16, "magic"),
            1 => self.set_u32(start + 20, "version"),
            2 => self.set_u32(start + 24, "pageSize"),
            3 => self.set_u32(start + 28, "flags"),
            4 | 5 => self.set_pgid(start + 32, id, "root"),
            6 => self.set_pgid(start + 48, id, "freelist"),
            7 => self.set_pgid(start + 56, id, "high-water mark"),
            _ => {
                let old = order.get_u64(&self.bytes, start + 64)?;
                let new =
                    [0, old.wrapping_sub(2), old.wrapping_add(1), u64::MAX][self.rng.index(4)];
                order.put_u64(&mut self.bytes, start + 64, new);
                Some((start + 64, format!("txid {old} -> {new}")))
            }
        }?;
        if self.bytes.len() >= start + 80 {
            page::seal_meta(order, &mut self.bytes[start..]);
        }
        Some(done)
    }

    fn flip_bit(&mut self, at: usize, bytes: usize) -> Done {
        let byte = at + self.rng.index(bytes);
        let bit = self.rng.below(8);
        *self.bytes.get_mut(byte)? ^= 1 << bit;
        Some((byte, format!("bit {bit} flipped")))
    }

    fn flip_bits(&mut self) -> Done {
        let id = self.occupied_page()?;
        let range = self.page_range(id)?;
        let n = self.rng.between(1, 8);
        let mut first = None;
        for _ in 0..n {
            let done = self.flip_bit(range.start, range.len())?;
            first.get_or_insert(done.0);
        }
        Some((first?, format!("{n} bits of the page flipped")))
    }

    fn cut(&mut self, to: usize) -> Done {
        let old = self.bytes.len();
        self.bytes.truncate(to);
        Some((to, format!("file cut from {old} to {to} bytes")))
    }

    fn swap_pages(&mut self) -> Done {
        let (a, b) = (self.occupied_page()?, self.occupied_page()?);
        let (first, second) = (self.page_range(a)?, self.page_range(b)?);
        if a == b || first.len() != second.len() {
            return None;
        }
        let saved = self.bytes[first.clone()].to_vec();
        self.bytes.copy_within(second.clone(), first.start);
        self.bytes[second].copy_from_slice(&saved);
        Some((first.start, format!("page swapped with page {b}")))
    }

    fn duplicate_page(&mut self) -> Done {
        let (a, b) = (self.occupied_page()?, self.occupied_page()?);
        let (from, to) = (self.page_range(a)?, self.page_range(b)?);
        if a == b || from.len() != to.len() {
            return None;
        }
        self.bytes.copy_within(from, to.start);
        let set_id = self.rng.percent(50);
        if set_id {
            // As a torn copy: a page that is right in itself, in its place.
            self.outline.endian.put_u64(&mut self.bytes, to.start, b);
        }
        let what = if set_id { ", with its new id" } else { "" };
        Some((to.start, format!("overwritten with page {a}{what}")))
    }
}

/// True where the bytes at `at` look like the header of page `id`.
pub fn is_header(endian: Endian, bytes: &[u8], at: usize, id: u64) -> bool {
    let flags = endian.get_u16(bytes, at + 8).unwrap_or(0);
    endian.get_u64(bytes, at) == Some(id) && [BRANCH, LEAF, META, FREELIST].contains(&flags)
}
