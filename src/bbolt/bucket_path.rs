//! A bucket by its path: the names of the buckets that contain it, then its own name.
//!
//! A name may have any bytes, slashes too. So a path joined by slashes may match several buckets. A list of names
//! matches one.

use super::bucket::{Bucket, beyond_limits, is_bucket};
use super::db::Db;
use super::leaf::Direction;
use super::page_set::PageSet;

/// How many matches of a joined path are returned, and how many other names are listed if there is no match.
const LISTED: usize = 20;

/// The path of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BucketPath {
    /// Names joined by slashes.
    Joined(Vec<u8>),
    /// A list of names.
    Names(Vec<Vec<u8>>),
}

/// A bucket with the names of its path; its own name is the last.
#[derive(Debug)]
pub struct FoundBucket<'a> {
    /// The names.
    pub names: Vec<&'a [u8]>,
    /// The bucket.
    pub bucket: Bucket<'a>,
}

/// The buckets that match a path, or how far the path could be followed.
#[derive(Debug)]
pub struct FoundPath<'a> {
    /// The matching buckets; a list of names has at most one.
    pub buckets: Vec<FoundBucket<'a>>,
    /// The names of the last bucket of the path that exists.
    pub last: Vec<&'a [u8]>,
    /// The names of the first buckets in it.
    pub siblings: Vec<&'a [u8]>,
}

impl BucketPath {
    /// The position after `name` in the path, if the path has this name at position `at`.
    fn after(&self, at: usize, name: &[u8]) -> Option<usize> {
        match self {
            Self::Names(names) => (names.get(at)? == name).then_some(at.saturating_add(1)),
            Self::Joined(path) => match path.get(at..)?.strip_prefix(name)? {
                [] => Some(path.len()),
                [b'/', ..] => Some(at.saturating_add(name.len()).saturating_add(1)),
                _ => None,
            },
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Names(names) => names.len(),
            Self::Joined(path) => path.len(),
        }
    }

    /// Finds the buckets of this path; `top` are the buckets of the root. Each bucket of the path is read once. Damage is
    /// reported.
    #[must_use]
    pub fn find<'a>(&self, db: &Db<'a>, top: &[Bucket<'a>]) -> FoundPath<'a> {
        let mut found = FoundPath {
            buckets: Vec::new(),
            last: Vec::new(),
            siblings: top.iter().take(LISTED).map(|bucket| bucket.name).collect(),
        };
        let begins = |bucket: &Bucket<'a>| {
            let at = self.after(0, bucket.name)?;
            Some((at, vec![bucket.name], bucket.clone()))
        };
        let mut waiting: Vec<_> = top.iter().rev().filter_map(begins).collect();
        let mut roots = PageSet::default();
        let mut opened = top.len();
        while let Some((at, names, bucket)) = waiting.pop() {
            if at >= self.len() {
                if found.buckets.len() < LISTED {
                    found.buckets.push(FoundBucket { names, bucket });
                }
                continue;
            }
            let mut siblings = Vec::new();
            for leaf in bucket.leaves(db.diagnostics(), Direction::Forward) {
                for element in leaf.elements(Direction::Forward).filter(is_bucket) {
                    if siblings.len() < LISTED {
                        siblings.push(element.key);
                    }
                    let Some(next) = self.after(at, element.key) else {
                        continue;
                    };
                    // The numbers after those of the root's buckets.
                    let number = u16::MAX.saturating_sub(u16::try_from(opened).unwrap_or(u16::MAX));
                    let parsed = Bucket::parse(&element, &leaf.page, db.context().clone(), number);
                    let nested = match parsed {
                        Ok(nested) => nested,
                        Err(finding) => {
                            db.diagnostics().report(finding);
                            continue;
                        }
                    };
                    let nesting = names.len().saturating_add(1);
                    if let Some(finding) = beyond_limits(&nested, nesting, opened) {
                        db.diagnostics().report(finding);
                    } else if nested.is_inline() || roots.insert(nested.root.0) {
                        opened = opened.saturating_add(1);
                        let names = [&names[..], &[element.key]].concat();
                        waiting.push((next, names, nested));
                    }
                }
            }
            if names.len() > found.last.len() {
                (found.last, found.siblings) = (names, siblings);
            }
        }
        found
    }
}
