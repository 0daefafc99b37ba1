//! Checks of everything outside the trees: the fields of the metas, the freelist compared with the pages in use, pages
//! that two buckets share, and bytes after the high-water mark.

mod freelist;

use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus};
use crate::plural::counted;
use crate::source::Source;

use super::bucket::{Bucket, beyond_limits, is_bucket};
use super::db::Db;
use super::leaf::{Direction, Leaf};
use super::meta::{Meta, MetaError, NO_FREELIST};
use super::page::Pgid;
use super::page_set::PageSet;
use super::page_use::{PageUse, WalkedTree};

/// Offsets of the fields of a meta page, in bytes; see [`super::meta`].
const FLAGS_AT: u64 = 28;
const SEQUENCE_AT: u64 = 40;
const FREELIST_AT: u64 = 48;
const META_END: usize = 80;

/// The bytes after the high-water mark: zeros in a file that bbolt grew in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// Number of bytes, without the trailer of a snapshot.
    pub bytes: u64,
    /// Whether each is zero.
    pub is_zero: bool,
}

impl Tail {
    /// After this many bytes, the pages read are released from memory, and the next hole of a sparse file is skipped.
    const CHUNK_BYTES: usize = 4 << 20;

    /// The bytes after the high-water mark; none if the file ends at or before it.
    pub fn read(source: &Source, meta: &Meta) -> Option<Self> {
        let used = usize::try_from(meta.used_bytes()).ok()?;
        let tail = source.image().get(used..).filter(|tail| !tail.is_empty())?;
        Some(Self {
            bytes: tail.len() as u64,
            is_zero: is_zero_from(source, used),
        })
    }
}

/// Whether all bytes from `start` on are zero. Holes are skipped: a sparse file may have a terabyte of them.
fn is_zero_from(source: &Source, start: usize) -> bool {
    let image = source.image();
    let mut at = start;
    while let Some(data) = source.next_data(at as u64) {
        at = usize::try_from(data).unwrap_or(usize::MAX).max(at);
        let Some(rest) = image.get(at..).filter(|rest| !rest.is_empty()) else {
            break;
        };
        let chunk = rest.get(..Tail::CHUNK_BYTES).unwrap_or(rest);
        if !is_zero(chunk) {
            return false;
        }
        source.forget_resident();
        at = at.saturating_add(chunk.len());
    }
    true
}

/// Whether all bytes are zero. Each piece of 4096 bytes is combined with OR, which is faster than a comparison per
/// byte. The first piece that is not zero ends the search.
fn is_zero(bytes: &[u8]) -> bool {
    let mut pages = bytes.chunks(4096);
    pages.all(|page| page.iter().fold(0, |or, byte| or | byte) == 0)
}

/// The pages of the file in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageCounts {
    /// Pages below the high-water mark that are in the file.
    pub pages: u64,
    /// Pages that the trees of the chosen state use.
    pub in_use: u64,
    /// Pages that bbolt may reuse: no tree uses them, and they are neither meta pages nor pages of the freelist.
    pub free: u64,
}

/// The use of all pages, for [`check`]. It can be read while other threads read the trees. If one of them was walked already
/// and has no damage, it is not read again. None if something has to be reported: then [`check`] reads it itself, so that
/// findings come in the same order in every run.
pub fn read_page_use<'b>(
    db: &Db<'b>,
    walked: Option<WalkedTree<'_>>,
    quiet: &'b Diagnostics,
) -> Option<PageUse<'b>> {
    let page_use = PageUse::read_shared(&db.with_root(db.meta().root, quiet), walked);
    quiet.by_code().is_empty().then_some(page_use)
}

/// Checks everything outside the trees. [`walk`] checks the trees themselves. `page_use` is what [`read_page_use`] has
/// returned.
pub fn check(db: &Db<'_>, source: &Source, page_use: Option<PageUse<'_>>) -> PageCounts {
    check_metas(db);
    check_tail(db, source);
    let page_use = page_use.unwrap_or_else(|| PageUse::read_shared(db, None));
    if db.meta().freelist != NO_FREELIST {
        freelist::check(db, &page_use);
    }
    PageCounts {
        pages: page_use.page_count(),
        in_use: page_use.tree_page_count(),
        free: page_use.free_page_count(),
    }
}

/// How many of the two meta pages make bbolt's check fail: both if neither is valid, and each one whose page header has a
/// wrong id or kind. The first one also counts if no page of the file agrees with its page size.
pub fn refused_metas(db: &Db<'_>) -> u64 {
    let is_refused = |index: &u64| {
        let page = db.pages().unchecked(Pgid(*index));
        page.is_none_or(|page| page.stated_id != *index || page.kind.is_none())
    };
    if db.metas().iter().all(Result::is_err) {
        return 2;
    }
    let has_other_size = matches!(db.metas(), [Err(MetaError::PageSize(_)), _]);
    let refused = (0..2).filter(is_refused).count() as u64;
    refused.max(u64::from(has_other_size))
}

/// Walks the trees of buckets and of the buckets nested in them, and reports their damage.
pub fn walk<'a>(db: &Db<'a>, buckets: impl IntoIterator<Item = Bucket<'a>>) {
    // Each bucket with the number of buckets that contain it, including the root.
    let mut waiting: Vec<(Bucket<'a>, usize)> =
        buckets.into_iter().map(|bucket| (bucket, 1)).collect();
    let mut roots = PageSet::default();
    let mut walked = waiting.len();
    while let Some((bucket, nesting)) = waiting.pop() {
        let nesting = nesting.saturating_add(1);
        let mut leaves = bucket.leaves(db.diagnostics(), Direction::Forward);
        let has_no_bucket = |leaf: &Leaf<'_>| {
            !leaf
                .elements(Direction::Forward)
                .any(|element| is_bucket(&element))
        };
        while let Some(leaf) = leaves.next_not_passed(&has_no_bucket) {
            for element in leaf.elements(Direction::Forward).filter(is_bucket) {
                // The buckets of the root are numbered upwards from 2, nested buckets downwards from the largest
                // number.
                let number = u16::MAX.saturating_sub(u16::try_from(walked).unwrap_or(u16::MAX));
                match Bucket::parse(&element, &leaf.page, db.context().clone(), number) {
                    Ok(nested) => {
                        if let Some(finding) = beyond_limits(&nested, nesting, walked) {
                            db.diagnostics().report(finding);
                        } else if nested.is_inline() || roots.insert(nested.root.0) {
                            waiting.push((nested, nesting));
                        } else {
                            db.diagnostics().report(root_of_another(&nested));
                        }
                    }
                    Err(finding) => db.diagnostics().report(finding),
                }
                walked = walked.saturating_add(1);
            }
        }
    }
}

/// The finding about a bucket whose header names the root page of a bucket that was walked before.
fn root_of_another(bucket: &Bucket<'_>) -> Damage {
    Diagnostic::new(Code::PageTwice, bucket.locus.clone())
        .found(format!(
            "page {} is the root of another bucket too",
            bucket.root
        ))
        .effect("it is not entered again: the content of one of the two buckets is missing")
}

/// Reports fields of the valid meta pages that bbolt does not write like this, and bytes after the fields.
fn check_metas(db: &Db<'_>) {
    for (index, meta) in (0_u64..).zip(db.metas()) {
        let Ok(meta) = meta else { continue };
        let start = db.pages().offset_of(Pgid(index));
        let report = |at: u64, expected: &str, found: String| {
            db.diagnostics().report(
                Diagnostic::new(
                    Code::MetaField,
                    Locus::page(index, start.saturating_add(at)),
                )
                .expected(expected, found)
                .effect(
                    "nothing is read from it; its checksum is right, so it was written like this",
                ),
            );
        };
        let Some(page) = db.pages().unchecked(Pgid(index)) else {
            continue;
        };
        let flags = page.run().u32(28, "meta flags").unwrap_or_default();
        if flags != 0 {
            report(FLAGS_AT, "flags 0", format!("0x{flags:x}"));
        }
        if meta.sequence != 0 {
            report(
                SEQUENCE_AT,
                "sequence 0 of the root bucket",
                meta.sequence.to_string(),
            );
        }
        // Pages 0 and 1 are the meta pages.
        let can_be = 2..meta.high_water_mark;
        if meta.freelist != NO_FREELIST && !can_be.contains(&meta.freelist) {
            report(
                FREELIST_AT,
                "a freelist page below the high-water mark, or none",
                format!("page {}", meta.freelist),
            );
        }
        let rest = db.pages().page_size().saturating_sub(META_END);
        let rest = page.run().get(META_END, rest, "rest of the meta page");
        if !is_zero(rest.unwrap_or_default()) {
            db.diagnostics().report(
                Diagnostic::new(
                    Code::MetaField,
                    Locus::page(index, start.saturating_add(META_END as u64)),
                )
                .expected("zeros after the meta", "other bytes")
                .effect("something else wrote into this page; the fields of the meta are covered by its checksum"),
            );
        }
    }
}

/// Reports bytes after the high-water mark that are not all zero.
fn check_tail(db: &Db<'_>, source: &Source) {
    if let Some(Tail {
        bytes,
        is_zero: false,
    }) = Tail::read(source, db.meta())
    {
        db.diagnostics().report(
            Diagnostic::new(Code::FileTail, Locus::at(db.meta().used_bytes()))
                .found(format!(
                    "{} after the high-water mark, not all zero",
                    counted(bytes, "byte", "bytes")
                ))
                .effect(
                    "pages of an uncommitted transaction, or foreign bytes: not part of this state",
                ),
        );
    }
}
