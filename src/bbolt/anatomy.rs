//! A page field by field: every field and element with its offset, and every value that contradicts the format.
//!
//! Any page can be shown, damaged or free. Layouts are in [`super::page`], [`super::meta`] and [`super::freelist`].
//!
//! **Invariant:** the total length of the keys and values returned for one page is bounded by the page's length,
//! whatever sizes its elements state.

use crate::bytes::Span;
use crate::plural::{counted, plural};

use super::freelist::Freelist;
use super::meta::{META_AT, META_BYTES, fnv1a};
use super::page::{
    CLAIMED_TIMES, ELEMENT_BYTES, ELEMENT_IS_BUCKET, HEADER_BYTES, Kind, MAX_KEY_BYTES, Page, Pgid,
};

/// A number in a structure, with its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The format's name for it.
    pub name: &'static str,
    /// Absolute offset in bytes.
    pub offset: u64,
    /// Length in bytes.
    pub len_bytes: u8,
    /// Its value.
    pub value: u64,
    /// The correct value, if it is known and differs.
    pub expected: Option<u64>,
}

/// Some bytes of an element, with their offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Absolute offset in bytes.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// The 16 bytes of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RawElement {
    /// Of a leaf.
    Leaf {
        /// 0x01 of a bucket, else 0.
        flags: u32,
        /// From the element's first byte to the key, in bytes.
        pos: u32,
        /// Length of the key in bytes.
        ksize: u32,
        /// Length of the value in bytes.
        vsize: u32,
    },
    /// Of a branch.
    Branch {
        /// From the element's first byte to the key, in bytes.
        pos: u32,
        /// Length of the key in bytes.
        ksize: u32,
        /// The child.
        pgid: Pgid,
    },
}

/// One element, field by field.
#[derive(Debug, Clone)]
pub struct ElementParts<'a> {
    /// Index in its page.
    pub index: usize,
    /// Absolute offset of its 16 bytes.
    pub offset: u64,
    /// These 16 bytes.
    pub raw: RawElement,
    /// Its key, if it is inside the page.
    pub key: Option<Piece<'a>>,
    /// Its value, if it is inside the page; a branch element has none.
    pub value: Option<Piece<'a>>,
    /// What contradicts the format, as part of a sentence.
    pub misfit: Option<String>,
}

/// The header of a bucket, field by field.
#[derive(Debug, Clone)]
pub struct BucketParts<'a> {
    /// Its root page; 0 for an inline bucket.
    pub root: u64,
    /// Its sequence; 0 in etcd.
    pub sequence: u64,
    /// The page inside an inline bucket.
    pub inline: Option<Page<'a>>,
}

/// The four fields of a page's header.
pub fn header_fields(page: &Page<'_>) -> [Field; 4] {
    let start = page.run().offset();
    let field = |name, at: u64, len_bytes, value| Field {
        name,
        offset: start.saturating_add(at),
        len_bytes,
        value,
        expected: None,
    };
    // The page inside an inline bucket has id 0.
    let right_id = if page.inline { 0 } else { page.pgid.0 };
    let id = Field {
        expected: (page.stated_id != right_id).then_some(right_id),
        ..field("id", 0, 8, page.stated_id)
    };
    [
        id,
        field("flags", 8, 2, u64::from(page.flags)),
        field("count", 10, 2, page.count as u64),
        field("overflow", 12, 4, u64::from(page.overflow)),
    ]
}

/// The ten fields of a meta page. Fields beyond the end of a cut page are left out.
pub fn meta_fields(page: &Page<'_>) -> Vec<Field> {
    /// Name, offset in the structure, length in bytes.
    const FIELDS: [(&str, usize, u8); 10] = [
        ("magic", 0, 4),
        ("version", 4, 4),
        ("page_size", 8, 4),
        ("flags", 12, 4),
        ("root", 16, 8),
        ("sequence", 24, 8),
        ("freelist", 32, 8),
        ("high_water_mark", 40, 8),
        ("txid", 48, 8),
        ("checksum", 56, 8),
    ];
    let run = page.run();
    // The checksum is the last field, and covers all fields before it.
    let computed = run
        .get(META_AT, META_BYTES.saturating_sub(8), "meta")
        .ok()
        .map(fnv1a);
    let read = |(name, at, len_bytes): (&'static str, usize, u8)| {
        let at = at.saturating_add(META_AT);
        let value = match len_bytes {
            4 => u64::from(run.u32(at, name).ok()?),
            _ => run.u64(at, name).ok()?,
        };
        let right = match name {
            "magic" => Some(u64::from(super::meta::MAGIC)),
            "version" => Some(u64::from(super::meta::VERSION)),
            "checksum" => computed,
            _ => None,
        };
        Some(Field {
            name,
            offset: run.offset().saturating_add(at as u64),
            len_bytes,
            value,
            expected: right.filter(|right| *right != value),
        })
    };
    FIELDS.into_iter().filter_map(read).collect()
}

/// What contradicts the format in the page's header, one sentence each.
pub fn misfits(page: &Page<'_>, page_size: usize, file_pages: u64) -> Vec<String> {
    let mut found = Vec::new();
    if !page.inline && page.stated_id != page.pgid.0 {
        found.push(format!(
            "it states that it is page {}, not {}: another page was written here, or these are bytes of a longer page, or nothing was ever written",
            page.stated_id, page.pgid
        ));
    }
    if page.kind.is_none() {
        found.push(format!(
            "flags 0x{:04x} name no kind: elements are not looked for",
            page.flags
        ));
    }
    let pages = u64::from(page.overflow).saturating_add(1);
    let run_bytes = page.run().len_bytes() as u64;
    if !page.inline && run_bytes < pages.saturating_mul(page_size as u64) {
        found.push(format!(
            "it is {} long and ends after the last page {file_pages} of the file: only {} in the file",
            counted(pages, "page", "pages"),
            counted(run_bytes, "byte is", "bytes are")
        ));
    }
    let is_tree = matches!(page.kind, Some(Kind::Branch | Kind::Leaf));
    if is_tree && page.usable_count() < page.count {
        found.push(format!(
            "its count is {}, {} room",
            page.count,
            plural(page.usable_count(), "element has", "elements have")
        ));
    }
    if let Some(freelist) = Freelist::from_page(*page).filter(Freelist::is_cut) {
        found.push(format!(
            "it states {}, {} room",
            counted(freelist.stated_count, "id", "ids"),
            plural(freelist.len(), "has", "have")
        ));
    }
    found
}

/// The elements of a branch or a leaf; a page of another kind has none.
pub fn elements<'a>(page: Page<'a>) -> impl Iterator<Item = ElementParts<'a>> + use<'a> {
    let most_bytes = page.run().len_bytes().saturating_mul(CLAIMED_TIMES);
    let mut claimed_bytes = 0_usize;
    let count = match page.kind {
        Some(Kind::Leaf | Kind::Branch) => page.usable_count(),
        _ => 0,
    };
    (0..count).map_while(move |index| {
        let mut parts = element(&page, index)?;
        let pieces = [parts.key, parts.value];
        let bytes = pieces.iter().flatten().map(|piece| piece.bytes.len());
        claimed_bytes = claimed_bytes.saturating_add(bytes.sum());
        if claimed_bytes > most_bytes {
            parts.key = None;
            parts.value = None;
            parts.misfit =
                Some("it claims bytes that other elements claim many times over".to_owned());
        }
        Some(parts)
    })
}

/// Element `index` of a leaf or branch page. None if its 16 bytes go beyond the page. A key or value that is not inside
/// the page is left out.
fn element<'a>(page: &Page<'a>, index: usize) -> Option<ElementParts<'a>> {
    let run = page.run();
    let at = HEADER_BYTES.saturating_add(index.saturating_mul(ELEMENT_BYTES));
    let u32_at = |field_at: usize| run.u32(at.saturating_add(field_at), "element").ok();
    let (raw, pos, ksize, vsize) = if page.kind == Some(Kind::Leaf) {
        let (flags, pos, ksize, vsize) = (u32_at(0)?, u32_at(4)?, u32_at(8)?, u32_at(12)?);
        let raw = RawElement::Leaf {
            flags,
            pos,
            ksize,
            vsize,
        };
        (raw, pos, ksize, Some(vsize))
    } else {
        let (pos, ksize) = (u32_at(0)?, u32_at(4)?);
        let pgid = Pgid(run.u64(at.saturating_add(8), "element pgid").ok()?);
        (RawElement::Branch { pos, ksize, pgid }, pos, ksize, None)
    };
    let piece = |start: Option<usize>, len: u32| {
        let start = start?;
        let len = usize::try_from(len).ok()?;
        let bytes = run.get(start, len, "element").ok()?;
        let offset = run.offset().saturating_add(start as u64);
        Some(Piece { offset, bytes })
    };
    let key_at = usize::try_from(pos)
        .ok()
        .and_then(|pos| at.checked_add(pos));
    let value_at = key_at.and_then(|at| at.checked_add(usize::try_from(ksize).ok()?));
    // The same reason that a walk of the tree reports.
    let misfit = match raw {
        RawElement::Leaf { .. } => page.leaf_element(index).err(),
        RawElement::Branch { .. } => page.branch_element(index).err(),
    };
    let odd_flags = match raw {
        RawElement::Leaf { flags, .. } if flags & !ELEMENT_IS_BUCKET != 0 => {
            Some(format!("flags 0x{flags:x} instead of 0 or 1"))
        }
        _ => None,
    };
    Some(ElementParts {
        index,
        offset: run.offset().saturating_add(at as u64),
        raw,
        // bbolt writes no longer key.
        key: piece(key_at, ksize.min(MAX_KEY_BYTES)).filter(|_| ksize <= MAX_KEY_BYTES),
        value: vsize.and_then(|vsize| piece(value_at, vsize)),
        misfit: misfit
            .map(|damage| format!("expected {}, found {}", damage.expected, damage.found))
            .or(odd_flags),
    })
}

/// The bucket header of an element. None if the element is not a bucket, or its value is too short.
pub fn bucket<'a>(page: &Page<'a>, element: &ElementParts<'a>) -> Option<BucketParts<'a>> {
    match element.raw {
        RawElement::Leaf { flags, .. } if flags & ELEMENT_IS_BUCKET != 0 => {}
        _ => return None,
    }
    let value = element.value?;
    let order = page.run().order();
    let span = Span::new(value.bytes, value.offset, order);
    let (root, sequence) = (
        span.u64(0, "bucket root").ok()?,
        span.u64(8, "bucket sequence").ok()?,
    );
    // Only an inline bucket has a page image after its header; its root is 0.
    let image = value.bytes.get(HEADER_BYTES..).filter(|_| root == 0);
    let inline = image.and_then(|image| {
        let offset = value.offset.saturating_add(HEADER_BYTES as u64);
        Page::parse(page.pgid, Span::new(image, offset, order), true)
    });
    Some(BucketParts {
        root,
        sequence,
        inline,
    })
}
