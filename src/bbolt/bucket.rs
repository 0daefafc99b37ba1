//! Buckets: named trees in the root tree.
//!
//! A bucket is a leaf element with flag 0x01 (`internal/common/bucket.go`, `type InBucket struct`):
//! its key is the name, its value `root u64, sequence u64`. Root 0 means an inline bucket: a leaf page
//! image (header with id 0, then elements) follows in the value, aligned to nothing.

use crate::bytes::{ByteOrder, Span};
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus};
use crate::plural::plural;

use super::leaf::{Direction, Leaf};
use super::page::{ELEMENT_IS_BUCKET, Element, Kind, Page, Pgid};
use super::pages::MAX_TREE_DEPTH;
use super::tree::{FileContext, Leaves, Root};

const HEADER_BYTES: usize = 16;

/// A bucket of the root tree.
#[derive(Debug, Clone)]
pub struct Bucket<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// Its root page; 0 for an inline bucket.
    pub root: Pgid,
    /// Its sequence; 0 in etcd.
    pub sequence: u64,
    /// The page that contains its header.
    pub locus: Locus,
    start: Root<'a>,
    context: FileContext<'a>,
    /// Identifies the bucket as the owner of its pages; see [`Leaves::new`].
    number: u16,
}

/// How deep buckets may be nested: etcd has one level, and a path must stay printable.
pub(super) const MAX_BUCKET_DEPTH: usize = 64;

/// How many buckets are walked. etcd has ten; a bucket's number has 16 bits.
pub(super) const MAX_BUCKETS: usize = 60_000;

/// The finding about a bucket beyond the limits, used by everything that walks buckets. `nesting` counts the buckets that
/// contain it, including the root; `opened` counts the buckets walked before it.
pub(super) fn beyond_limits(bucket: &Bucket<'_>, nesting: usize, opened: usize) -> Option<Damage> {
    let expected = if nesting > MAX_BUCKET_DEPTH {
        format!("buckets at most {MAX_BUCKET_DEPTH} deep")
    } else if opened >= MAX_BUCKETS {
        format!("at most {MAX_BUCKETS} buckets")
    } else {
        return None;
    };
    let damage = Diagnostic::new(Code::TreeTooDeep, bucket.locus.clone())
        .expected(expected, "more")
        .effect("this bucket is not read, and its pages count as not reached");
    Some(damage)
}

impl<'a> Bucket<'a> {
    /// Reads the header of a bucket from an element of the root tree, which is in `holder`.
    pub(super) fn parse(
        element: &Element<'a>,
        holder: &Page<'a>,
        context: FileContext<'a>,
        number: u16,
    ) -> Result<Self, Damage> {
        let locus = holder.locus().element(element.index).bucket(element.key);
        let damage = |found: String| {
            Diagnostic::new(Code::BucketHeader, locus.clone())
                .expected(
                    "a bucket header of 16 bytes, followed by a leaf page if its root is 0",
                    found,
                )
                .effect("this bucket is missing from this answer")
        };
        let span = Span::new(element.value, element.value_offset, context.pages.order());
        let (Ok(root), Ok(sequence)) = (span.u64(0, "bucket root"), span.u64(8, "bucket sequence"))
        else {
            return Err(damage(plural(element.value.len(), "byte", "bytes")));
        };
        let start = if root == 0 {
            let page = inline_page(element, holder, context.pages.order())
                .ok_or_else(|| damage("an inline page that is not a leaf".to_owned()))?;
            Root::Inline(page)
        } else {
            Root::Page(Pgid(root))
        };
        Ok(Self {
            name: element.key,
            root: Pgid(root),
            sequence,
            locus,
            start,
            context,
            number,
        })
    }

    /// A bucket that is not in the tree: it has no leaves. If the root page is lost, etcd's records can still be found
    /// in other pages, and this bucket is where they are shown.
    pub(super) fn absent(
        name: &'a [u8],
        locus: Locus,
        context: FileContext<'a>,
        number: u16,
    ) -> Self {
        Self {
            name,
            root: Pgid(0),
            sequence: 0,
            locus: locus.bucket(name),
            start: Root::Absent,
            context,
            number,
        }
    }

    /// Whether it is in the tree.
    pub fn is_present(&self) -> bool {
        !matches!(self.start, Root::Absent)
    }

    /// Whether the bucket is stored inside the element that names it.
    pub fn is_inline(&self) -> bool {
        matches!(self.start, Root::Inline(_))
    }

    /// Its leaves, in the given direction. Damage goes to `diagnostics`.
    pub fn leaves(&self, diagnostics: &'a Diagnostics, direction: Direction) -> Leaves<'a> {
        Leaves::new(
            self.context.clone(),
            diagnostics,
            (self.name, self.number),
            self.start,
            direction,
        )
    }

    /// The element with this key. It is found by the order of keys, so the answer is right only for a tree whose walk
    /// found nothing.
    pub fn get(&self, key: &[u8]) -> Option<Element<'a>> {
        let Root::Page(mut pgid) = self.start else {
            return None;
        };
        for _ in 0..MAX_TREE_DEPTH {
            let page = self.context.pages.tree_page(pgid).ok()?;
            if page.kind == Some(Kind::Leaf) {
                return page.leaf_element_of(key);
            }
            pgid = page.child_for(key)?;
        }
        None
    }

    /// Its elements, each with its page, in the given direction.
    pub fn elements(
        &self,
        diagnostics: &'a Diagnostics,
        direction: Direction,
    ) -> impl Iterator<Item = (Page<'a>, Element<'a>)> + use<'a> {
        self.leaves(diagnostics, direction)
            .flat_map(move |leaf| leaf_elements(&leaf, direction))
    }
}

/// The leaf page inside the element of an inline bucket, which is in `holder`.
pub(super) fn inline_page<'a>(
    element: &Element<'a>,
    holder: &Page<'a>,
    order: ByteOrder,
) -> Option<Page<'a>> {
    let image = element.value.get(HEADER_BYTES..)?;
    let offset = element.value_offset.saturating_add(HEADER_BYTES as u64);
    let page = Page::parse(holder.pgid, Span::new(image, offset, order), true);
    page.filter(|page| page.kind == Some(Kind::Leaf))
}

/// The elements of one leaf with their page, in either direction. A nested bucket (etcd has none
/// below the root) is an element without a value, as bbolt's cursor returns it.
pub fn leaf_elements<'a>(
    leaf: &Leaf<'a>,
    direction: Direction,
) -> impl Iterator<Item = (Page<'a>, Element<'a>)> + use<'a> {
    let page = leaf.page;
    leaf.elements(direction).map(move |mut element| {
        if is_bucket(&element) {
            element.value = &[];
        }
        (page, element)
    })
}

/// Whether an element is a bucket.
pub fn is_bucket(element: &Element<'_>) -> bool {
    element.flags & ELEMENT_IS_BUCKET != 0
}
