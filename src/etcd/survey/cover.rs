//! Which revisions the tree of bucket `key` certainly has, and which its damage may hide.
//!
//! Each branch element states the first key of its child. So the tree shows which revisions belong to a page also if that
//! page is destroyed. Example: the separators of three leaves are 2.0, 40.0 and 75.0, and the second leaf is destroyed.
//! Then the records from 40.0 up to, not including, 75.0 are lost, and no others.

use crate::bbolt::{Bucket, Direction, PlacedLeaf};
use crate::diag::Diagnostics;
use crate::etcd::record::Record;
use crate::etcd::revision::{BucketKey, Revision};

use super::{LossReason, LostRange};

/// The ranges of revisions whose records may be missing from a tree, in ascending order.
pub(super) fn lost_in_tree(bucket: &Bucket<'_>) -> Vec<LostRange> {
    // The ordinary walk has reported the findings.
    let quiet = Diagnostics::new();
    let mut leaves = walk(bucket, &quiet);
    let mut lost = Vec::new();
    // The first key that is not yet known to be read; none before the first leaf.
    let mut reached: Option<Vec<u8>> = None;
    let mut is_at_end = false;
    while let Some(placed) = leaves.next_placed() {
        if !is_intact(&placed) {
            continue;
        }
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

/// The leaves of a bucket, with findings that nobody sees.
fn walk<'b>(bucket: &Bucket<'b>, quiet: &'b Diagnostics) -> crate::bbolt::Leaves<'b> {
    bucket.leaves(quiet, Direction::Forward)
}

/// Whether a leaf is as it was written: the page, its place in the tree, and each record.
fn is_intact(placed: &PlacedLeaf<'_>) -> bool {
    let leaf = &placed.leaf;
    let mut elements = leaf.elements(Direction::Forward);
    placed.sound
        && leaf.is_whole()
        && elements.all(|element| Record::certain(&leaf.page, &element).is_some())
}

fn range(from: Option<&[u8]>, until: Option<&[u8]>) -> LostRange {
    // A separator that is not a revision could be anywhere.
    let revision = |key: &[u8]| BucketKey::revision_of(key).unwrap_or_default();
    LostRange {
        from: from.map_or(Revision::default(), revision),
        until: until.and_then(BucketKey::revision_of),
        reason: LossReason::Page,
    }
}
