//! Which revisions the tree of bucket `key` can show, and which are lost with its damaged pages.
//!
//! Each branch element states the first key of its child. So the tree shows which revisions belong to a page also if
//! that page is destroyed. Example: the separators of three leaves are 2.0, 40.0 and 75.0, and the second leaf is
//! destroyed. Then the records from 40.0 up to, not including, 75.0 are lost, and no others.

use crate::bbolt::{Bucket, Direction, PlacedLeaf};
use crate::diag::Diagnostics;
use crate::etcd::record::Record;
use crate::etcd::revision::{BucketKey, Revision};

use super::{LossReason, LostRange};

/// The ranges of revisions whose records may be missing from a tree, in ascending order.
pub(super) fn lost_in_tree(bucket: &Bucket<'_>) -> Vec<LostRange> {
    // The walk that read the records has already reported the findings.
    let quiet = Diagnostics::new();
    let mut leaves = walk(bucket, &quiet);
    let mut lost = Vec::new();
    // Every key before this one was read, or is in a lost range already; none before the first leaf.
    let mut reached: Option<Vec<u8>> = None;
    let mut is_at_end = false;
    while let Some(placed) = leaves.next_placed() {
        if !is_intact(&placed) {
            continue;
        }
        // Leaves between the last intact one and this one are lost.
        if placed.lower != reached.as_deref() {
            lost.push(range(reached.as_deref(), placed.lower));
        }
        is_at_end = placed.upper.is_none();
        reached = placed.upper.map(<[u8]>::to_vec);
    }
    if !is_at_end {
        lost.push(range(reached.as_deref(), None));
    }
    lost
}

/// The leaves of a bucket, with findings that are dropped. A function of its own, because `quiet` does not live as
/// long as the file: the call shortens the lifetime of the bucket.
fn walk<'b>(bucket: &Bucket<'b>, quiet: &'b Diagnostics) -> crate::bbolt::Leaves<'b> {
    bucket.leaves(quiet, Direction::Forward)
}

/// Whether a leaf is as etcd wrote it: its page, its place in the tree, and each of its records.
fn is_intact(placed: &PlacedLeaf<'_>) -> bool {
    let leaf = &placed.leaf;
    let mut elements = leaf.elements(Direction::Forward);
    placed.sound
        && leaf.is_whole()
        && elements.all(|element| Record::certain(&leaf.page, &element).is_some())
}

/// A lost range between two separators; none at the beginning or the end of the tree.
fn range(from: Option<&[u8]>, until: Option<&[u8]>) -> LostRange {
    // A damaged separator, which is not a revision, sets no bound.
    let revision = |key: &[u8]| BucketKey::revision_of(key).unwrap_or_default();
    LostRange {
        from: from.map_or(Revision::default(), revision),
        until: until.and_then(BucketKey::revision_of),
        reason: LossReason::Page,
    }
}
