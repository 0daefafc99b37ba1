//! Whether the pages outside an intact tree agree with it, without a merge.
//!
//! An intact tree covers every revision. So a record in another page is one of three: a copy of a record of the tree, a
//! record that was compacted, or a contradiction. Each such record is searched in the tree. If none contradicts it,
//! [`super::merge`] would report nothing, and most files end here. Otherwise the merge decides, and reports.
//!
//! Example: history is compacted at 500. A freed page has the records 200, 480 and 600. The tree lacks 200, so 200 was
//! compacted. It has 480 and 600, and if their bytes are the same, the page is an older copy.
//!
//! **Invariant:** at least the records that the merge compares are compared here. The scan leaves out the pages of the
//! tree, so it does not read a value inside one of them as a page.

use rayon::prelude::*;

use crate::bbolt::{Direction, Element, Leaf, PageScan, Pgid, WalkedPages, is_root};
use crate::etcd::revision::{BucketKey, Revision};
use crate::etcd::schema;
use crate::source::Source;

use super::Salvage;
use super::load::is_certain;

/// How many pages are compared between two releases of memory.
const PAGES: usize = 256;

impl Salvage<'_> {
    /// Whether no record outside the tree contradicts it. `walked` are the pages of the tree, in which nothing was found,
    /// and `newest` is its newest revision. False if that is not certain.
    pub(in crate::etcd) fn agrees_with_scan(&self, walked: &WalkedPages, newest: Revision) -> bool {
        let compacted = self.meta.compact_revision();
        let is_certain_tree = self.current
            && self.may_scan
            && self.knows_compaction
            && !self.bucket.is_inline()
            && newest.main >= compacted;
        if !is_certain_tree {
            return false;
        }
        let scan = PageScan::read_outside(self.scan.pages(), self.source, walked);
        let pages: Vec<_> = scan.leaf_runs().map(|(pgid, _)| pgid).collect();
        let agrees = |leaf: &Leaf<'_>| {
            let mut elements = leaf.elements(Direction::Forward);
            elements.all(|element| {
                !is_certain(leaf, &element) || self.tree_explains(&element, compacted)
            })
        };
        // The records of a small store are inline, in the root page.
        let agrees_inline = |leaf: &Leaf<'_>| {
            let inline = is_root(leaf).then(|| scan.inline_leaf(leaf, schema::KEY));
            inline.flatten().is_none_or(|(leaf, _)| agrees(&leaf))
        };
        let is_page_fine = |pgid: &Pgid| {
            let leaf = scan.leaf(*pgid);
            leaf.is_none_or(|(leaf, _)| agrees(&leaf) && agrees_inline(&leaf))
        };
        // Each lookup touches pages all over the file, so they are given back after some of them.
        pages.chunks(PAGES).all(|batch| {
            let agrees = batch.par_iter().all(is_page_fine);
            self.source.into_iter().for_each(Source::forget_resident);
            agrees
        })
    }

    /// Whether the tree has exactly this record, or lacks its revision because it was compacted.
    fn tree_explains(&self, element: &Element<'_>, compacted: i64) -> bool {
        if let Some(found) = self.bucket.get(element.key) {
            return found.value == element.value;
        }
        let Ok(key) = BucketKey::parse(element.key) else {
            return false;
        };
        // The other change of this revision: a put instead of a tombstone, or a tombstone instead of a put.
        let other = BucketKey {
            tombstone: !key.tombstone,
            ..key
        };
        key.revision.main <= compacted && self.bucket.get(&other.encode()).is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bbolt::Db;
    use crate::diag::Diagnostics;
    use crate::etcd::State;
    use crate::source::testdata::databases;

    /// What a comparison gives.
    struct Compared {
        walked: WalkedPages,
        /// Whether the pages outside the tree agree with it.
        agrees: bool,
        /// Whether the merge reports anything.
        reports: bool,
    }

    /// Compares the pages of these bytes with their tree; none if something was found in the tree.
    fn compare(image: &[u8]) -> Option<Compared> {
        let diagnostics = Diagnostics::new();
        let state = State::from_db(Db::from_image(image, None, &diagnostics).ok()?);
        let walked = state.visit_records(|_| Some(()), |(), _| ())?;
        let salvage = state.salvage()?;
        let newest = state.records(Direction::Backward).next()?.revision;
        // The records of a very small store are in the root page, and have no tree.
        if diagnostics.found_any() || salvage.bucket().is_inline() {
            return None;
        }
        let findings = || {
            let codes = diagnostics.by_code();
            codes.iter().map(|(_, count, _)| count).sum::<u64>()
        };
        let before = findings();
        let agrees = salvage.agrees_with_scan(&walked, newest);
        salvage.salvaged_records();
        Some(Compared {
            walked,
            agrees,
            reports: findings() > before,
        })
    }

    #[test]
    fn pages_agree_with_the_tree_only_if_the_merge_reports_nothing() {
        let (mut agreeing, mut reporting) = (0, 0);
        for path in databases(&[".db"]) {
            let image = std::fs::read(&path).unwrap();
            let Some(Compared {
                walked,
                agrees,
                reports,
            }) = compare(&image)
            else {
                continue;
            };
            assert_ne!(agrees, reports, "{}", path.display());
            agreeing += usize::from(agrees);
            // Then a copy of a leaf follows the last page, as it is or with another byte in it.
            let pages = image.len() / 4096;
            let leaves = (2..pages).filter(|pgid| walked.contains(*pgid as u64));
            for leaf in leaves.take(12) {
                for altered in [None, Some(900), Some(1800), Some(2700), Some(3600)] {
                    let mut image = image[..pages * 4096].to_vec();
                    image.extend_from_within(leaf * 4096..(leaf + 1) * 4096);
                    let copy = &mut image[pages * 4096..];
                    copy[..8].copy_from_slice(&(pages as u64).to_le_bytes());
                    if let Some(at) = altered {
                        copy[at] ^= 1;
                    }
                    let Some(compared) = compare(&image) else {
                        continue;
                    };
                    let (agrees, reports) = (compared.agrees, compared.reports);
                    assert!(!(agrees && reports), "{} page {leaf}", path.display());
                    agreeing += usize::from(agrees);
                    reporting += usize::from(reports);
                }
            }
        }
        assert!(agreeing > 20 && reporting > 8, "{agreeing} {reporting}");
    }
}
