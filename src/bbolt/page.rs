//! Pages and their elements.
//!
//! Page header, 16 bytes (`internal/common/page.go`, `type Page struct`):
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | id: its position in the file, in pages |
//! | 8 | 2 | flags: one of 0x01 branch, 0x02 leaf, 0x04 meta, 0x10 freelist |
//! | 10 | 2 | count of elements |
//! | 12 | 4 | overflow: how many further pages follow without a header of their own |
//!
//! Branch element, 16 bytes: `pos u32, ksize u32, pgid u64`. Leaf element, 16 bytes:
//! `flags u32, pos u32, ksize u32, vsize u32`. `pos` counts from the element's own first byte.

use std::fmt;

use crate::bytes::Span;
use crate::diag::{Code, Damage, Diagnostic, Locus};
use crate::plural::counted;

/// Length in bytes of a page header, and of an element of either kind.
pub const HEADER_BYTES: usize = 16;
pub(super) const ELEMENT_BYTES: usize = 16;

/// The longest key that bbolt writes, in bytes (`MaxKeySize`).
pub const MAX_KEY_BYTES: u32 = 32_768;

/// The elements of a page may together claim this many times the page's length. Further elements are refused, because a
/// crafted page could otherwise take very long to read.
pub(super) const CLAIMED_TIMES: usize = 8;

const FLAG_BRANCH: u16 = 0x01;
const FLAG_LEAF: u16 = 0x02;
const FLAG_META: u16 = 0x04;
const FLAG_FREELIST: u16 = 0x10;

/// Set in the flags of a leaf element that is a nested bucket.
pub const ELEMENT_IS_BUCKET: u32 = 0x01;

/// Page id: the page is at `pgid * page size`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pgid(pub u64);

impl fmt::Display for Pgid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Keys and child pages.
    Branch,
    /// Keys and values.
    Leaf,
    /// One of the two meta pages.
    Meta,
    /// The list of free pages.
    Freelist,
}

impl Kind {
    /// The kind with exactly these flags.
    pub fn from_flags(flags: u16) -> Option<Self> {
        match flags {
            FLAG_BRANCH => Some(Self::Branch),
            FLAG_LEAF => Some(Self::Leaf),
            FLAG_META => Some(Self::Meta),
            FLAG_FREELIST => Some(Self::Freelist),
            _ => None,
        }
    }

    /// bbolt's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Branch => "branch",
            Self::Leaf => "leaf",
            Self::Meta => "meta",
            Self::Freelist => "freelist",
        }
    }
}

/// A page with its overflow, or the page image inside an inline bucket.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    /// Its position; for an inline page, the position of the page that contains it.
    pub pgid: Pgid,
    /// The id in its header; 0 in an inline page.
    pub stated_id: u64,
    /// Its kind, if the flags name one.
    pub kind: Option<Kind>,
    /// The stored flags.
    pub flags: u16,
    /// Stated number of elements.
    pub count: usize,
    /// Number of further pages.
    pub overflow: u32,
    /// Whether it is the image inside an inline bucket.
    pub inline: bool,
    run: Span<'a>,
}

/// One key with its value, or with its nested bucket.
#[derive(Debug, Clone, Copy)]
pub struct Element<'a> {
    /// Index in its page.
    pub index: usize,
    /// Flags: [`ELEMENT_IS_BUCKET`] or 0.
    pub flags: u32,
    /// The key.
    pub key: &'a [u8],
    /// The value; of a nested bucket, its header.
    pub value: &'a [u8],
    /// Absolute offset of the value, in bytes.
    pub value_offset: u64,
}

/// A difference from the layout in which bbolt writes a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LayoutFault {
    /// The first element whose key does not start where the element before it ends.
    Element(usize),
    /// A byte after the last element is not zero.
    Slack {
        /// Absolute offset of the first one, in bytes.
        offset: u64,
    },
}

impl<'a> Page<'a> {
    /// Reads the header at the start of `run`, which has the page and everything that may belong to it.
    pub(super) fn parse(pgid: Pgid, run: Span<'a>, inline: bool) -> Option<Self> {
        let flags = run.u16(8, "page flags").ok()?;
        Some(Self {
            pgid,
            stated_id: run.u64(0, "page id").ok()?,
            kind: Kind::from_flags(flags),
            flags,
            count: usize::from(run.u16(10, "page count").ok()?),
            overflow: run.u32(12, "page overflow").ok()?,
            inline,
            run,
        })
    }

    /// The page's bytes, with its overflow.
    pub fn run(&self) -> Span<'a> {
        self.run
    }

    /// The same page with another run.
    pub(super) fn with_run(self, run: Span<'_>) -> Page<'_> {
        Page {
            pgid: self.pgid,
            stated_id: self.stated_id,
            kind: self.kind,
            flags: self.flags,
            count: self.count,
            overflow: self.overflow,
            inline: self.inline,
            run,
        }
    }

    /// The same page with a run of at most `pages` pages.
    pub(super) fn clipped(mut self, pages: u64, page_size: usize) -> Self {
        let bytes = usize::try_from(pages)
            .unwrap_or(usize::MAX)
            .saturating_mul(page_size);
        let run = self.run.bytes();
        self.run = Span::new(
            run.get(..bytes).unwrap_or(run),
            self.run.offset(),
            self.run.order(),
        );
        self
    }

    /// The same page as if it stated another count; none if no page can have that many elements.
    pub(super) fn with_count(mut self, count: usize) -> Option<Self> {
        self.count = usize::from(u16::try_from(count).ok()?);
        Some(self)
    }

    /// The same page read as another kind.
    pub(super) fn with_kind(mut self, kind: Kind) -> Self {
        self.kind = Some(kind);
        self
    }

    /// The end of its last element's key and value by their stated position and sizes, in bytes from the start of the
    /// page.
    pub(super) fn end_bytes(&self) -> Option<usize> {
        // The last element: after the header and `count - 1` elements, all 16 bytes long.
        let at = HEADER_BYTES.checked_mul(self.count)?;
        // Offsets in the element of `pos`, and of `ksize` or of `ksize` and `vsize`.
        let (pos_at, sizes): (usize, &[usize]) = match self.kind {
            Some(Kind::Branch) => (0, &[4]),
            _ => (4, &[8, 12]),
        };
        let field = |field_at: usize| {
            let raw = self.run.u32(at.checked_add(field_at)?, "element").ok()?;
            usize::try_from(raw).ok()
        };
        let start = at.checked_add(field(pos_at)?)?;
        sizes
            .iter()
            .try_fold(start, |end, size| end.checked_add(field(*size)?))
    }

    /// The place of this page.
    pub fn locus(&self) -> Locus {
        Locus::page(self.pgid.0, self.run.offset())
    }

    /// How many elements this page can have: the stated count, or less if there is no room for it.
    pub fn usable_count(&self) -> usize {
        self.count
            .min(self.run.len_bytes().saturating_sub(HEADER_BYTES) / ELEMENT_BYTES)
    }

    /// The key or the value of element `index` (`what` says which), and its position in bytes from the start of the
    /// page. `pos` counts from the element's first byte. Bytes inside the element table are refused, because they are
    /// no key or value.
    fn body(
        &self,
        index: usize,
        pos: u32,
        len: u32,
        what: &'static str,
    ) -> Result<(&'a [u8], usize), Damage> {
        let element_at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
        let table_end =
            HEADER_BYTES.saturating_add(self.usable_count().saturating_mul(ELEMENT_BYTES));
        let damage = |found: String| {
            Diagnostic::new(Code::ElementBounds, self.locus().element(index))
                .expected(
                    format!("{what} inside the page's {} bytes", self.run.len_bytes()),
                    found,
                )
                .effect("this element cannot be read")
        };
        let start = usize::try_from(pos)
            .ok()
            .and_then(|pos| element_at.checked_add(pos))
            .ok_or_else(|| damage(format!("position {pos}")))?;
        if start < table_end {
            return Err(damage(format!("position {pos}, inside the element table")));
        }
        let len_bytes = usize::try_from(len).unwrap_or(usize::MAX);
        let bytes = self.run.get(start, len_bytes, what).map_err(|missing| {
            damage(format!(
                "{} at offset {}",
                counted(u64::from(len), "byte", "bytes"),
                missing.offset
            ))
        })?;
        Ok((bytes, start))
    }

    /// The four fields of the leaf element at a position in the page: flags, pos, ksize and vsize. None if its 16 bytes go
    /// beyond the page.
    #[inline]
    fn element_fields(&self, at: usize) -> Option<[u32; 4]> {
        let field = |offset: usize, what| self.run.u32(at.saturating_add(offset), what).ok();
        Some([
            field(0, "element flags")?,
            field(4, "element pos")?,
            field(8, "element ksize")?,
            field(12, "element vsize")?,
        ])
    }

    /// The leaf element `index`.
    ///
    /// # Errors
    /// [`Code::ElementBounds`] if it or its key or value is not inside the page.
    #[inline]
    pub fn leaf_element(&self, index: usize) -> Result<Element<'a>, Damage> {
        let at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
        let Some([flags, pos, ksize, vsize]) = self.element_fields(at) else {
            return Err(self.no_element(index));
        };
        if ksize == 0 || ksize > MAX_KEY_BYTES {
            return Err(self.key_size(index, ksize));
        }
        let (key, key_at) = self.body(index, pos, ksize, "key")?;
        let value_pos = pos
            .checked_add(ksize)
            .ok_or_else(|| self.key_size(index, ksize))?;
        let (value, _) = self.body(index, value_pos, vsize, "value")?;
        let value_at = key_at.saturating_add(key.len());
        Ok(Element {
            index,
            flags,
            key,
            value,
            value_offset: self.run.offset().saturating_add(value_at as u64),
        })
    }

    /// Visits the leaf elements that can be read, and returns the indices of the others with their findings. If two elements
    /// claim the same bytes, either may be the damaged one, so both are read. The total that they claim is bounded.
    pub fn check_leaf_elements(
        &self,
        mut usable: impl FnMut(&Element<'a>),
    ) -> (Vec<usize>, Vec<Damage>) {
        let (mut unusable, mut findings) = (Vec::new(), Vec::new());
        let most_bytes = self.run.len_bytes().saturating_mul(CLAIMED_TIMES);
        let mut claimed_bytes = 0_usize;
        for index in 0..self.usable_count() {
            let element = self.leaf_element(index).and_then(|element| {
                let bytes = element.key.len().saturating_add(element.value.len());
                claimed_bytes = claimed_bytes.saturating_add(bytes);
                if claimed_bytes > most_bytes {
                    return Err(
                        Diagnostic::new(Code::ElementBounds, self.locus().element(index))
                            .found("bytes that others claim many times over")
                            .effect("this element is not read"),
                    );
                }
                Ok(element)
            });
            match element {
                Ok(element) => usable(&element),
                Err(finding) => {
                    unusable.push(index);
                    findings.push(finding);
                }
            }
        }
        (unusable, findings)
    }

    /// Whether the first key of a leaf follows the element table directly, as bbolt writes it. Then its count is right.
    pub fn starts_after_its_table(&self) -> bool {
        let table = self.count.saturating_mul(ELEMENT_BYTES);
        let position = self.run.u32(HEADER_BYTES.saturating_add(4), "element");
        position.is_ok_and(|position| usize::try_from(position) == Ok(table))
    }

    /// The first difference from the layout that bbolt writes (`WriteInodeToPage`): keys and values follow the element table
    /// and each other without a gap, and zeros follow the last value. So a wrong count, position or size is found even if
    /// every element can be read.
    pub fn layout_fault(&self) -> Option<LayoutFault> {
        // Offsets in an element of `pos`, and of `ksize` or of `ksize` and `vsize`.
        let (pos_at, sizes): (usize, &[usize]) = match self.kind {
            Some(Kind::Branch) => (0, &[4]),
            _ => (4, &[8, 12]),
        };
        let field = |at: usize| {
            let raw = self.run.u32(at, "element").unwrap_or(u32::MAX);
            usize::try_from(raw).unwrap_or(usize::MAX)
        };
        // The end of the element table, then of each key and value: where the next key has to start.
        let mut end = HEADER_BYTES.saturating_add(self.count.saturating_mul(ELEMENT_BYTES));
        let fault = (0..self.usable_count()).find(|index| {
            let at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
            let start = at.saturating_add(field(at.saturating_add(pos_at)));
            let packed = start == end;
            end = sizes.iter().fold(start, |end, size| {
                end.saturating_add(field(at.saturating_add(*size)))
            });
            !packed
        });
        if let Some(index) = fault {
            return Some(LayoutFault::Element(index));
        }
        let slack_bytes = self.run.len_bytes().saturating_sub(end);
        let slack = self.run.get(end, slack_bytes, "slack").unwrap_or_default();
        if slack.iter().fold(0, |any, byte| any | byte) == 0 {
            return None;
        }
        let zeros = slack.iter().take_while(|byte| **byte == 0).count();
        let at = end.saturating_add(zeros) as u64;
        Some(LayoutFault::Slack {
            offset: self.run.offset().saturating_add(at),
        })
    }

    /// Visits the flags and the key of each element, if this leaf is exactly as bbolt writes it: if neither
    /// [`Self::layout_fault`] nor [`Self::check_leaf_elements`] would find anything. Otherwise it returns false, and
    /// has visited some of them. It ends early if `see` returns false.
    pub(super) fn visit_packed(&self, mut see: impl FnMut(u32, &'a [u8]) -> bool) -> bool {
        let bytes = self.run.bytes();
        if self.usable_count() != self.count {
            return false;
        }
        // Where the next key has to start.
        let mut end = HEADER_BYTES.saturating_add(self.count.saturating_mul(ELEMENT_BYTES));
        for index in 0..self.count {
            let at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
            let Some([flags, pos, ksize, vsize]) = self.element_fields(at) else {
                return false;
            };
            let [start, key_bytes, value_bytes] =
                [pos, ksize, vsize].map(|field| usize::try_from(field).unwrap_or(usize::MAX));
            let is_key = ksize != 0 && ksize <= MAX_KEY_BYTES && pos.checked_add(ksize).is_some();
            if !is_key || at.saturating_add(start) != end {
                return false;
            }
            let value_at = end.saturating_add(key_bytes);
            let Some(key) = bytes.get(end..value_at) else {
                return false;
            };
            end = value_at.saturating_add(value_bytes);
            if end > bytes.len() || !see(flags, key) {
                return false;
            }
        }
        let slack = bytes.get(end..).unwrap_or_default();
        slack.iter().fold(0, |any, byte| any | byte) == 0
    }

    /// The key and the child of the branch element `index`.
    ///
    /// # Errors
    /// [`Code::ElementBounds`] if it or its key is not inside the page.
    pub fn branch_element(&self, index: usize) -> Result<(&'a [u8], Pgid), Damage> {
        let at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
        let (Ok(pos), Ok(ksize), Ok(child)) = (
            self.run.u32(at, "element pos"),
            self.run.u32(at.saturating_add(4), "element ksize"),
            self.run.u64(at.saturating_add(8), "element pgid"),
        ) else {
            return Err(self.no_element(index));
        };
        if ksize == 0 || ksize > MAX_KEY_BYTES {
            return Err(self.key_size(index, ksize));
        }
        let (key, _) = self.body(index, pos, ksize, "key")?;
        Ok((key, Pgid(child)))
    }

    /// The child of the branch element `index`, even if its key cannot be read.
    pub(super) fn branch_child(&self, index: usize) -> Option<Pgid> {
        let at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
        self.run
            .u64(at.saturating_add(8), "element pgid")
            .ok()
            .map(Pgid)
    }

    /// The child of a branch for a key: the last one whose first key is not greater. None if all are greater.
    pub(super) fn child_for(&self, key: &[u8]) -> Option<Pgid> {
        let is_before = |index: usize| {
            let element = self.branch_element(index).ok();
            element.is_some_and(|(first, _)| first <= key)
        };
        let after = partition_point(self.usable_count(), is_before);
        self.branch_child(after.checked_sub(1)?)
    }

    /// The element of a leaf with this key.
    pub(super) fn leaf_element_of(&self, key: &[u8]) -> Option<Element<'a>> {
        let is_before = |index: usize| {
            let element = self.leaf_element(index).ok();
            element.is_some_and(|element| element.key < key)
        };
        let first = partition_point(self.usable_count(), is_before);
        let element = self.leaf_element(first).ok()?;
        (element.key == key).then_some(element)
    }

    /// The finding about element `index`, whose 16 bytes go beyond the page.
    #[cold]
    fn no_element(&self, index: usize) -> Damage {
        Diagnostic::new(Code::ElementBounds, self.locus().element(index))
            .expected(
                format!(
                    "an element inside the page's {} bytes",
                    self.run.len_bytes()
                ),
                "its end",
            )
            .effect("this element cannot be read")
    }

    /// The finding about element `index`, whose key has an impossible length.
    #[cold]
    fn key_size(&self, index: usize, ksize: u32) -> Damage {
        Diagnostic::new(Code::ElementBounds, self.locus().element(index))
            .expected(
                format!("a key of 1 to {MAX_KEY_BYTES} bytes"),
                counted(u64::from(ksize), "byte", "bytes"),
            )
            .effect("this element cannot be read")
    }
}

/// The first of `count` indices for which `is_before` is false. It is true for all before that one.
fn partition_point(count: usize, is_before: impl Fn(usize) -> bool) -> usize {
    let (mut from, mut until) = (0, count);
    while from < until {
        let middle = usize::midpoint(from, until);
        if is_before(middle) {
            from = middle.saturating_add(1);
        } else {
            until = middle;
        }
    }
    from
}
