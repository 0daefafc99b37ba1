//! The two meta pages.
//!
//! Meta, 64 bytes from offset 16 of pages 0 and 1 (`internal/common/meta.go`, `type Meta struct`):
//!
//! | offset in page | bytes | field |
//! |---|---|---|
//! | 16 | 4 | magic 0xED0CDAED |
//! | 20 | 4 | version 2 |
//! | 24 | 4 | page size |
//! | 28 | 4 | flags, 0 |
//! | 32 | 8 | root page of the root bucket |
//! | 40 | 8 | sequence of the root bucket |
//! | 48 | 8 | freelist page, or 0xFFFFFFFFFFFFFFFF: not written |
//! | 56 | 8 | high-water mark: first page id never allocated |
//! | 64 | 8 | txid |
//! | 72 | 8 | checksum: FNV-1a 64 over bytes 16 to 71 |

use std::fmt;

use crate::bytes::{ByteOrder, Span};
use crate::source::Source;

use super::page::Pgid;

pub(super) const MAGIC: u32 = 0xED0C_DAED;
pub(super) const VERSION: u32 = 2;
pub(super) const META_BYTES: usize = 64;
pub(super) const META_AT: usize = 16;
const CHECKSUMMED_BYTES: usize = 56;

/// Page id which means that the freelist was not written (`PgidNoFreelist`).
pub const NO_FREELIST: u64 = u64::MAX;

/// Page sizes that a meta page may state. Other values are refused before they are used.
pub const PAGE_SIZES: std::ops::RangeInclusive<u32> = 512..=16 << 20;

/// A valid meta page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Page size in bytes.
    pub page_size: u32,
    /// Root page of the root bucket.
    pub root: Pgid,
    /// Sequence of the root bucket; 0 in etcd.
    pub sequence: u64,
    /// Page of the freelist; [`NO_FREELIST`] when it was not written.
    pub freelist: u64,
    /// First page id never allocated.
    pub high_water_mark: u64,
    /// Transaction that wrote it.
    pub txid: u64,
    /// Its checksum, which is right.
    pub checksum: u64,
    /// Byte order of the machine that wrote it.
    pub order: ByteOrder,
}

/// Why a meta page is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetaError {
    /// The file ends before it.
    Cut,
    /// No magic bytes.
    Magic,
    /// Another version than 2.
    Version(u32),
    /// The checksum is not that of the bytes.
    Checksum {
        /// The stored checksum.
        stored: u64,
        /// The checksum computed from the bytes.
        computed: u64,
    },
    /// An impossible page size.
    PageSize(u32),
}

impl fmt::Display for MetaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("the file ends before it"),
            Self::Magic => f.write_str("no magic bytes"),
            Self::Version(version) => write!(f, "version {version} instead of {VERSION}"),
            Self::Checksum { stored, computed } => {
                write!(f, "stored checksum {stored:016x}, computed {computed:016x}")
            }
            Self::PageSize(bytes) => write!(f, "page size {bytes}"),
        }
    }
}

/// FNV-1a, 64 bits: the checksum of a meta page.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// A valid database image whose root has these buckets, all empty. All names must fit into one page. The records of
/// a write-ahead log are added to such an image if there is no usable database.
pub fn empty_image(buckets: &[&[u8]]) -> Vec<u8> {
    const PAGE: u32 = 4096;
    const ROOT: u64 = 2;
    let mut image = Vec::new();
    for pgid in 0..ROOT {
        let body = [
            &MAGIC.to_le_bytes()[..],
            &VERSION.to_le_bytes(),
            &PAGE.to_le_bytes(),
            &[0; 4],
            &ROOT.to_le_bytes(),
            &[0; 8],
            &NO_FREELIST.to_le_bytes(),
            &(ROOT + 1).to_le_bytes(),
            // A transaction writes meta page txid % 2.
            &(ROOT + pgid).to_le_bytes(),
        ]
        .concat();
        // Flag 4: a meta page.
        image.extend(header(pgid, 4, 0));
        image.extend(&body);
        image.extend(fnv1a(&body).to_le_bytes());
        pad_to_page(&mut image, PAGE);
    }
    // The value of an inline bucket: root 0, sequence 0, and a leaf page without an element.
    let inline = [&[0; 16][..], &header(0, 2, 0)].concat();
    let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let (mut elements, mut bodies) = (Vec::new(), Vec::new());
    for (place, name) in buckets.iter().enumerate() {
        // A leaf element states the position of its key from its own first byte: the rest of the element table (16
        // bytes per element), then the keys and values of the elements before it.
        let table_rest = 16 * buckets.len().saturating_sub(place);
        let position = u32::try_from(table_rest.saturating_add(bodies.len())).unwrap_or(u32::MAX);
        // Flags (1: a bucket), pos, ksize, vsize.
        for field in [1, position, length(name), length(&inline)] {
            elements.extend(field.to_le_bytes());
        }
        bodies.extend_from_slice(name);
        bodies.extend_from_slice(&inline);
    }
    image.extend(header(
        ROOT,
        2,
        u16::try_from(buckets.len()).unwrap_or(u16::MAX),
    ));
    image.extend(elements);
    image.extend(bodies);
    pad_to_page(&mut image, PAGE);
    image
}

/// The header of a page without overflow.
fn header(pgid: u64, flags: u16, count: u16) -> Vec<u8> {
    [
        &pgid.to_le_bytes()[..],
        &flags.to_le_bytes(),
        &count.to_le_bytes(),
        &[0; 4],
    ]
    .concat()
}

/// Appends zeros up to the next multiple of `page` bytes.
fn pad_to_page(image: &mut Vec<u8>, page: u32) {
    let page = usize::try_from(page).unwrap_or(usize::MAX);
    image.resize(image.len().next_multiple_of(page), 0);
}

impl Meta {
    /// Reads the meta page that starts at `page_start` of the image.
    ///
    /// # Errors
    /// [`MetaError`]: the first reason why it is not valid.
    pub fn parse(image: &[u8], page_start: usize) -> Result<Self, MetaError> {
        Self::read(image, page_start, true)
    }

    /// Reads the meta page that starts at `page_start` of the image, whatever its checksum.
    ///
    /// # Errors
    /// As [`Self::parse`], except for the checksum.
    pub(super) fn parse_unverified(image: &[u8], page_start: usize) -> Result<Self, MetaError> {
        Self::read(image, page_start, false)
    }

    /// A stand-in for a file without a valid meta page: it has no root, and all pages of the file are below its mark.
    pub(super) fn unknown(page_size: usize, order: ByteOrder, pages: u64) -> Self {
        Self {
            page_size: u32::try_from(page_size).unwrap_or(u32::MAX),
            root: Pgid(0),
            sequence: 0,
            freelist: NO_FREELIST,
            high_water_mark: pages,
            txid: 0,
            checksum: 0,
            order,
        }
    }

    /// Reads a meta page in the byte order in which its magic number is right. `verify`: whether the checksum must be
    /// right.
    fn read(image: &[u8], page_start: usize, verify: bool) -> Result<Self, MetaError> {
        let body = page_start
            .checked_add(META_AT)
            .and_then(|at| image.get(at..))
            .and_then(|tail| tail.get(..META_BYTES))
            .ok_or(MetaError::Cut)?;
        let read =
            |order| Self::parse_body(Span::new(body, page_start as u64, order), body, verify);
        match body.first_chunk::<4>() {
            Some(magic) if u32::from_le_bytes(*magic) == MAGIC => read(ByteOrder::Little),
            Some(magic) if u32::from_be_bytes(*magic) == MAGIC => read(ByteOrder::Big),
            _ => Err(MetaError::Magic),
        }
    }

    /// Reads the fields from `span`, the 64 bytes of the meta. `body` is the same bytes, for the checksum.
    fn parse_body(span: Span<'_>, body: &[u8], verify: bool) -> Result<Self, MetaError> {
        let u32_at = |at| span.u32(at, "meta").map_err(|_| MetaError::Cut);
        let u64_at = |at| span.u64(at, "meta").map_err(|_| MetaError::Cut);
        let version = u32_at(4)?;
        if version != VERSION {
            return Err(MetaError::Version(version));
        }
        let stored = u64_at(CHECKSUMMED_BYTES)?;
        let computed = fnv1a(body.get(..CHECKSUMMED_BYTES).ok_or(MetaError::Cut)?);
        if verify && stored != computed {
            return Err(MetaError::Checksum { stored, computed });
        }
        let page_size = u32_at(8)?;
        if !PAGE_SIZES.contains(&page_size) || !page_size.is_power_of_two() {
            return Err(MetaError::PageSize(page_size));
        }
        Ok(Self {
            page_size,
            root: Pgid(u64_at(16)?),
            sequence: u64_at(24)?,
            freelist: u64_at(32)?,
            high_water_mark: u64_at(40)?,
            txid: u64_at(48)?,
            checksum: stored,
            order: span.order(),
        })
    }

    /// Length in bytes of the used part of the file: high-water mark times page size.
    pub fn used_bytes(&self) -> u64 {
        self.high_water_mark
            .saturating_mul(u64::from(self.page_size))
    }

    /// Whether this is the meta page of a new, empty file: transaction 0 or 1, four pages. After a defragmentation the file
    /// still has it beside the current meta page. It is then not a former state of the store.
    pub fn is_initial(&self) -> bool {
        self.txid <= 1 && self.high_water_mark <= 4
    }
}

/// How the pages of an image are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Geometry {
    /// Page size in bytes.
    pub page_size: usize,
    /// Byte order of the structures.
    pub order: ByteOrder,
}

/// The geometry and the meta pages of an image. Meta 1 is found even if meta 0 is destroyed.
///
/// The page size comes from meta 0. If meta 0 is not valid, it is the first power of two at which there is a valid meta 1
/// that states this size. If neither is valid, or no page agrees with meta 0, it is the size at which most pages have
/// their own position as id. `source` is the file of the image; it is needed to skip the holes of a sparse file.
pub fn find_metas(
    image: &[u8],
    source: Option<&Source>,
) -> (Option<Geometry>, [Result<Meta, MetaError>; 2]) {
    let first = Meta::parse(image, 0);
    if let Ok(meta) = first {
        let page_size = usize::try_from(meta.page_size).unwrap_or(usize::MAX);
        let stated = Geometry {
            page_size,
            order: meta.order,
        };
        let second = second_meta(image, page_size, meta.order);
        // A meta page with a right checksum may state a page size that no page of the file agrees with.
        let sampled = || headers_at(image, source, page_size, meta.order);
        let is_refuted = second.is_err() && sampled() == 0;
        return match is_refuted.then(|| guess_geometry(image, source)).flatten() {
            Some(geometry) => (
                Some(geometry),
                [
                    Err(MetaError::PageSize(meta.page_size)),
                    second_meta(image, geometry.page_size, geometry.order),
                ],
            ),
            None => (Some(stated), [first, second]),
        };
    }
    for shift in 9..=24 {
        let page_size = 1_usize << shift;
        let second = Meta::parse(image, page_size);
        if let Ok(meta) = second
            && u64::from(meta.page_size) == page_size as u64
        {
            return (
                Some(Geometry {
                    page_size,
                    order: meta.order,
                }),
                [first, second],
            );
        }
    }
    let geometry = guess_geometry(image, source);
    let second = geometry.map_or(Err(MetaError::Cut), |geometry| {
        Meta::parse(image, geometry.page_size)
    });
    (geometry, [first, second])
}

/// Meta 1 at the page size of meta 0. A meta 1 that states another layout belongs to another file.
fn second_meta(image: &[u8], page_size: usize, order: ByteOrder) -> Result<Meta, MetaError> {
    let meta = Meta::parse(image, page_size)?;
    let same = u64::from(meta.page_size) == page_size as u64 && meta.order == order;
    if same {
        Ok(meta)
    } else {
        Err(MetaError::PageSize(meta.page_size))
    }
}

/// How many positions a guess samples: enough for any file, and fast on a huge one.
const GUESS_POSITIONS: usize = 4096;

/// At how many of the sampled positions a page has its own position as id.
fn headers_at(image: &[u8], source: Option<&Source>, page_size: usize, order: ByteOrder) -> usize {
    let pages = image.len().checked_div(page_size).unwrap_or_default();
    // Samples are spread over the whole file: its start may be overwritten.
    let step = (pages / GUESS_POSITIONS).max(1);
    let mut found = 0_usize;
    let mut pgid = 2_usize;
    while pgid < pages {
        let offset = pgid.saturating_mul(page_size);
        // A hole has no pages, and reading its zeros would fill memory.
        let data = source.map_or(Some(offset as u64), |source| {
            source.next_data(offset as u64)
        });
        let Some(data) = data.and_then(|data| usize::try_from(data).ok()) else {
            break;
        };
        if data >= offset.saturating_add(page_size) {
            // The next sampled position that is not before the data.
            let hole_pages = (data / page_size).saturating_sub(pgid);
            pgid = pgid.saturating_add(hole_pages.div_ceil(step).max(1).saturating_mul(step));
            continue;
        }
        let span = Span::new(image.get(offset..).unwrap_or_default(), 0, order);
        // Flags 1, 2 and 0x10: a branch, a leaf, a freelist.
        let is_header = span.u64(0, "page id") == Ok(pgid as u64)
            && span
                .u16(8, "page flags")
                .is_ok_and(|flags| matches!(flags, 1 | 2 | 0x10));
        found = found.saturating_add(usize::from(is_header));
        pgid = pgid.saturating_add(step);
    }
    found
}

/// The page size at which most positions have a page with this position as id. A multiple of the true size matches
/// too, but less often; of equally good sizes the smallest is used.
fn guess_geometry(image: &[u8], source: Option<&Source>) -> Option<Geometry> {
    let (order, most, page_size) = (9..=24)
        .map(|shift| 1_usize << shift)
        .flat_map(|size| {
            [ByteOrder::Little, ByteOrder::Big]
                .map(|order| (order, headers_at(image, source, size, order), size))
        })
        .max_by_key(|(_, hits, size)| (*hits, std::cmp::Reverse(*size)))?;
    (most >= 1).then_some(Geometry { page_size, order })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_fnv_1a() {
        assert_eq!(fnv1a(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c);
    }

    #[test]
    fn an_image_without_a_meta_has_none() {
        let (geometry, [first, second]) = find_metas(b"hello", None);
        assert_eq!(
            (geometry, first, second),
            (None, Err(MetaError::Cut), Err(MetaError::Cut))
        );
        assert_eq!(Meta::parse(&[0; 4096], 0), Err(MetaError::Magic));
    }
}
