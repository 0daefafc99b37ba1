//! Whether databases of one cluster are equal; if not, which keys differ, since which revision, and which database is
//! the odd one out.
//!
//! `merge` compares the records, `differences` collects what differs, and `shape` finds known causes.

mod database;
mod differences;
mod merge;
mod shape;

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::arrange::Arrange as _;
use crate::etcd::AtRevision;
use crate::etcd::cluster::member_ids;
use crate::etcd::hash::hash_kv_continued;
use crate::k8s::catalog::Catalog;
use crate::k8s::encrypt::Keyring;
use crate::source::Change;

use super::catalog;
use super::evidence::Evidence;
use super::log_beside::LogBeside;
use super::no_answer::{NoAnswer, RevisionUnavailable};
use super::notice::Notices;

use database::Database;
use merge::merge;

pub use crate::etcd::Revision;
pub use crate::etcd::side_by_side::StoredRecord;
pub use differences::{Differences, KeyDifference, Pair, Version};
pub use shape::{EndsEarlier, Shape};

/// Why databases cannot be compared.
#[derive(Debug)]
pub enum CannotCompare {
    /// A database cannot be read; its index.
    Database(usize, Box<NoAnswer>),
    /// A database cannot answer for the revision that was asked for; its index, and what all can answer for.
    Revision(usize, RevisionUnavailable, RevisionsOfAll),
}

/// The revisions that all databases have. If the oldest is above the newest, they have no common revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevisionsOfAll {
    /// The highest compacted revision, or 1.
    pub oldest: i64,
    /// The lowest of their newest revisions.
    pub newest: i64,
}

/// One of the databases.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its newest revision.
    pub revision: i64,
    /// Its compacted revision; 0 if nothing was compacted.
    pub compacted: i64,
    /// Index of the last applied raft entry. None also if delta snapshots continue the database: they do not name one.
    pub consistent_index: Option<u64>,
    /// The write-ahead log next to it, which is not compared, if that has requests that the database lacks.
    pub log: Option<LogBeside>,
    /// `HashKV` at the revision of the comparison, after the highest compaction of all. None if that revision is compacted.
    pub hash: Option<u32>,
    /// Whether damage may hide records, or may have changed them.
    pub is_damaged: bool,
    /// The first main revision at which it differs from a database of one other group. For a database of the first
    /// group that is the second group; for every other database it is the first group.
    pub differs_since: Option<i64>,
    /// The ids of the members of its cluster.
    pub members: BTreeSet<String>,
    /// Device and inode number of the file.
    file: Option<(u64, u64)>,
}

/// What a comparison gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Every record that two of them retain is the same, byte for byte.
    Equal,
    /// Some records differ, or one database lost its last writes.
    Different,
    /// No difference was found, but damage may hide one.
    Unknown,
    /// Two of the databases retain no revision in common, and no difference was found in the others.
    NotComparable,
}

/// The result of a comparison.
#[derive(Debug)]
pub struct Divergence<'a> {
    /// The databases, in the order in which they were named.
    pub members: Vec<Member>,
    /// The revision of the comparison: the one that was asked for, or the highest that all databases have.
    pub common: i64,
    /// The highest compacted revision; 0 if none is compacted.
    pub compacted: i64,
    /// The verdict.
    pub verdict: Verdict,
    /// Groups of databases that do not differ from each other, by index; the largest group first.
    pub groups: Vec<Vec<usize>>,
    /// The keys that differ, by revision and key.
    pub keys: Vec<KeyDifference<'a>>,
    /// Known causes.
    pub shapes: Vec<Shape<'a>>,
}

impl Divergence<'_> {
    /// The first main revision at which two databases differ.
    pub fn first_difference(&self) -> Option<i64> {
        self.keys.first().map(|key| key.revision.main)
    }

    /// The group that is larger than every other one, if there are several.
    pub fn majority(&self) -> Option<&[usize]> {
        match self.groups.as_slice() {
            [first, second, ..] if first.len() > second.len() => Some(first),
            _ => None,
        }
    }
}

/// Open databases.
#[derive(Debug)]
pub struct Comparison<'e> {
    evidence: &'e [Evidence],
    databases: Vec<Database<'e>>,
}

impl<'e> Comparison<'e> {
    /// Opens the databases.
    ///
    /// # Errors
    /// If one of them is not an etcd database.
    pub fn open(evidence: &'e [Evidence]) -> Result<Self, CannotCompare> {
        let open = |(index, one)| {
            Database::open(one).map_err(|error| CannotCompare::Database(index, Box::new(error)))
        };
        let databases = evidence.iter().enumerate().map(open);
        Ok(Self {
            evidence,
            databases: databases.collect::<Result<_, _>>()?,
        })
    }

    /// Adds the notices about delta snapshots that continue a database.
    pub fn note_deltas(&self, notices: &Notices) {
        for (evidence, database) in self.evidence.iter().zip(&self.databases) {
            if let Some(deltas) = evidence.deltas() {
                deltas.notices(&database.store, notices);
            }
        }
    }

    /// Compares every record that two of the databases retain, or only those up to the main revision that was asked
    /// for.
    ///
    /// # Errors
    /// If one of them cannot answer for that revision.
    pub fn compare(&self, asked: Option<i64>) -> Result<Divergence<'_>, CannotCompare> {
        compare(self.evidence, &self.databases, asked)
    }

    /// The resources of Kubernetes in all databases. This reads all records of each database.
    pub fn catalog(&self) -> Catalog {
        let stores: Vec<_> = self
            .databases
            .iter()
            .map(|database| (&database.store, AtRevision::HEAD))
            .collect();
        catalog::read_full(&stores, &Keyring::default())
    }
}

fn compare<'a>(
    evidence: &[Evidence],
    databases: &'a [Database<'_>],
    asked: Option<i64>,
) -> Result<Divergence<'a>, CannotCompare> {
    all_have(databases, asked)?;
    let retained = databases.iter().map(|one| one.retained);
    let newest = retained.clone().map(|one| one.newest).min();
    let common = asked.or(newest).unwrap_or_default();
    let compacted = retained.map(|one| one.compacted).max();
    let compacted = compacted.unwrap_or_default();
    let limit = asked.unwrap_or(i64::MAX);
    // Equal databases have the same hash, so only the first one is hashed while the records are compared.
    let hash = |one: &Database<'_>| {
        (compacted <= common)
            .then(|| hash_kv_continued(&one.store, &one.added(), common, compacted))
    };
    let (merged, first_hash) = rayon::join(
        || merge(databases, common, limit),
        || databases.first().and_then(hash),
    );
    let is_damaged: Vec<bool> = evidence.iter().map(is_damaged).collect();
    let is_equal = !merged.found.found_any() && !is_damaged.contains(&true);
    let hashes: Vec<Option<u32>> = if is_equal {
        vec![first_hash; databases.len()]
    } else {
        let others: Vec<_> = databases.par_iter().skip(1).map(hash).collect();
        std::iter::once(first_hash).chain(others).collect()
    };
    let files = evidence.iter().map(|one| one.source().file_id());
    let state = files.zip(hashes).zip(is_damaged);
    let members = databases.iter().zip(state);
    let mut members: Vec<Member> = members
        .map(|(one, ((file, hash), is_damaged))| Member {
            hash,
            is_damaged,
            file,
            ..member(one)
        })
        .collect();
    let groups = groups(members.len(), &merged.found);
    note_since(&mut members, &groups, &merged.found);
    let mut shapes = shape::find(&members, &groups, &merged.found, merged.same);
    if asked.is_some() {
        // Every database has the revision that was asked for, and later ones are not compared.
        shapes.retain(|shape| !matches!(shape, Shape::Ends { .. }));
    }
    let verdict = match verdict(&members, &merged.found, limit) {
        Verdict::Equal if shapes.iter().any(Shape::lacks_applied_writes) => Verdict::Different,
        verdict => verdict,
    };
    Ok(Divergence {
        members,
        common,
        compacted,
        verdict,
        groups,
        keys: merged.found.finish(),
        shapes,
    })
}

/// What is known of a database before it is compared.
fn member(database: &Database<'_>) -> Member {
    let index = database.store.meta().consistent_index;
    Member {
        revision: database.retained.newest,
        compacted: database.retained.compacted,
        consistent_index: index.filter(|_| !database.has_deltas()),
        log: database.log.clone(),
        hash: None,
        is_damaged: false,
        differs_since: None,
        members: member_ids(&database.store),
        file: None,
    }
}

/// Checks that every database has the revision that was asked for.
fn all_have(databases: &[Database<'_>], asked: Option<i64>) -> Result<(), CannotCompare> {
    let Some(asked) = asked else {
        return Ok(());
    };
    let retained = || databases.iter().map(|one| one.retained);
    let oldest = retained().map(|one| one.compacted.max(1)).max();
    let newest = retained().map(|one| one.newest).min();
    let of_all = RevisionsOfAll {
        oldest: oldest.unwrap_or_default(),
        newest: newest.unwrap_or_default(),
    };
    for (index, database) in databases.iter().enumerate() {
        database
            .require(asked)
            .map_err(|error| CannotCompare::Revision(index, error, of_all))?;
    }
    Ok(())
}

/// Groups of databases without a difference between any two of a group, the largest group first. A database joins the
/// first group that it fits in. Databases that retain no revision in common do not differ.
fn groups(databases: usize, found: &Differences<'_>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for database in 0..databases {
        let equal = groups.iter_mut().find(|group| {
            group
                .iter()
                .all(|other| !found.pair(*other, database).differs())
        });
        match equal {
            Some(group) => group.push(database),
            None => groups.push(vec![database]),
        }
    }
    // The sort is stable, so groups of one size stay in the order of their first database.
    groups.arrange_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

/// Whether damage may hide records of a file, or it changed while it was read.
fn is_damaged(evidence: &Evidence) -> bool {
    evidence.collect_read_errors();
    let change = evidence.change().filter(|change| *change != Change::Longer);
    evidence.diagnostics().found_damage() || change.is_some()
}

/// Sets [`Member::differs_since`] of each database.
fn note_since(members: &mut [Member], groups: &[Vec<usize>], found: &Differences<'_>) {
    for (index, member) in members.iter_mut().enumerate() {
        let others = groups.iter().find(|group| !group.contains(&index));
        let others = others.into_iter().flatten();
        let since = others.filter_map(|other| found.pair(index, *other).first);
        member.differs_since = since.min();
    }
}

/// All pairs of databases by index, the lower index first.
fn pairs(databases: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..databases)
        .flat_map(move |one| (one.saturating_add(1)..databases).map(move |other| (one, other)))
}

/// The verdict by all pairs of databases, without the causes.
fn verdict(members: &[Member], found: &Differences<'_>, limit: i64) -> Verdict {
    let mut verdict = Verdict::Equal;
    for (one, other) in pairs(members.len()) {
        let pair = found.pair(one, other);
        let (Some(first), Some(second)) = (members.get(one), members.get(other)) else {
            continue;
        };
        // A record that a damaged file lacks may be in it, but not readable.
        let is_certain = pair.conflicts > 0
            || (pair.only_first > 0 && !second.is_damaged)
            || (pair.only_second > 0 && !first.is_damaged);
        let upper = first.revision.min(second.revision).min(limit);
        // Two stores to which no key was written are equal.
        let is_empty = first.revision <= 1 && second.revision <= 1;
        let has_common = upper >= first.compacted.max(second.compacted) && upper > 1;
        if is_certain {
            return Verdict::Different;
        }
        if pair.differs() || first.is_damaged || second.is_damaged {
            verdict = Verdict::Unknown;
        } else if verdict == Verdict::Equal && !(has_common || is_empty) {
            verdict = Verdict::NotComparable;
        }
    }
    verdict
}
