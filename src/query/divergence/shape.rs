//! Known causes of a difference.

use crate::etcd::KeyValue;
use crate::etcd::side_by_side::StoredRecord;

use super::differences::{Differences, Same};
use super::{Member, pairs};

/// Why a database ends at a lower revision than another one with the same history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndsEarlier {
    /// It has applied fewer entries of the raft log: it is an older copy.
    OlderCopy,
    /// It has applied the same entries of the raft log: its last writes were lost, or it was restored as of an earlier
    /// revision, which keeps the consistent index.
    LostOrRestored,
    /// Neither is certain: a consistent index is missing, as in delta snapshots, the databases may be of two clusters, one
    /// is damaged, or the other one was restored.
    Unclear,
}

/// A known cause. Databases are named by index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape<'a> {
    /// Two names are one file.
    SameFile(usize, usize),
    /// A database has no records.
    Empty(usize),
    /// Two databases have no member in common.
    OtherMembers {
        /// The first.
        one: usize,
        /// The second.
        other: usize,
        /// Whether they have a part of their history in common.
        shares_records: bool,
    },
    /// Two databases with members in common have different histories.
    NothingShared(usize, usize),
    /// A database ends at a lower revision than another one, and is equal up to there.
    Ends {
        /// The database.
        database: usize,
        /// One that has later revisions.
        other: usize,
        /// How many revisions it lacks.
        revisions: i64,
        /// Why.
        why: EndsEarlier,
    },
    /// A database skipped writes of another one, and has the later ones at lower revisions.
    SkippedWrites {
        /// The database that skipped them.
        database: usize,
        /// The one that has them.
        other: usize,
        /// The first and the last main revision that was skipped.
        skipped: (i64, i64),
        /// Whether the raft log has fewer entries than the store has revisions, which shows a restored snapshot.
        is_restored: bool,
        /// Whether it has applied as many entries of the raft log as the other one, or more.
        has_applied_all: bool,
    },
    /// One record has another value, and everything else is equal.
    AlteredValue {
        /// The first database of each of the two groups.
        databases: [usize; 2],
        /// The key.
        key: &'a [u8],
        /// The main revision.
        revision: i64,
        /// How many bytes differ; none if the lengths differ.
        bytes: Option<usize>,
        /// How many bits differ in the bytes that both values have.
        bits: u32,
        /// The lengths of both values in bytes.
        lengths: [usize; 2],
    },
    /// No revision has two different records, but at least one of two databases lacks records of the other one.
    LacksRecords {
        /// The two databases.
        databases: [usize; 2],
        /// How many records of the other one each of them lacks.
        lacks: [u64; 2],
    },
}

impl Shape<'_> {
    /// Whether a database lacks its last writes, although it has applied the entries of the raft log that wrote them.
    pub fn lacks_applied_writes(&self) -> bool {
        matches!(
            self,
            Shape::Ends {
                why: EndsEarlier::LostOrRestored,
                ..
            }
        )
    }
}

/// The known causes of what was found: those of single databases, then those of each pair of groups. `same` are the
/// records that are the same in all databases.
pub(super) fn find<'a>(
    members: &[Member],
    groups: &[Vec<usize>],
    found: &Differences<'a>,
    same: Same,
) -> Vec<Shape<'a>> {
    let mut shapes = Vec::new();
    for (index, member) in members.iter().enumerate() {
        if member.revision <= 1 {
            shapes.push(Shape::Empty(index));
        }
    }
    for (one, other) in pairs(members.len()) {
        if let (Some(first), Some(second)) = (members.get(one), members.get(other))
            && first.file.is_some()
            && first.file == second.file
        {
            shapes.push(Shape::SameFile(one, other));
        }
    }
    for (one, other) in pairs(groups.len()) {
        if let (Some(one), Some(other)) = (groups.get(one), groups.get(other)) {
            shapes.extend(causes_of_groups(members, found, [one, other], same));
        }
    }
    for (index, member) in members.iter().enumerate() {
        shapes.extend(ends_earlier(members, found, index, member));
    }
    // Equal databases may still be of two clusters. Only the first and the last one are compared.
    if groups.len() == 1 && same.records > 0 {
        shapes.extend(other_members(
            members,
            0,
            members.len().saturating_sub(1),
            true,
        ));
    }
    shapes
}

/// The shape of two databases that have no member in common; none if they have one, or if their members are not known.
fn other_members<'a>(
    members: &[Member],
    one: usize,
    other: usize,
    shares_records: bool,
) -> Option<Shape<'a>> {
    let (first, second) = (&members.get(one)?.members, &members.get(other)?.members);
    let is_known = !first.is_empty() && !second.is_empty();
    (is_known && first.is_disjoint(second)).then_some(Shape::OtherMembers {
        one,
        other,
        shares_records,
    })
}

/// The known causes of the difference of two groups: those of the first two of their databases for which one is known.
/// The databases of a group need not retain the same revisions, so the cause may not be visible in each of them.
fn causes_of_groups<'a>(
    members: &[Member],
    found: &Differences<'a>,
    [group, others]: [&[usize]; 2],
    same: Same,
) -> Vec<Shape<'a>> {
    let databases = group
        .iter()
        .flat_map(|one| others.iter().map(move |other| (*one, *other)));
    let differing = databases.filter(|(one, other)| found.pair(*one, *other).differs());
    let mut causes = differing.map(|(one, other)| causes_between(members, found, one, other, same));
    causes.find(|causes| !causes.is_empty()).unwrap_or_default()
}

/// The known causes of a difference between two databases.
fn causes_between<'a>(
    members: &[Member],
    found: &Differences<'a>,
    one: usize,
    other: usize,
    same: Same,
) -> Vec<Shape<'a>> {
    let pair = found.pair(one, other);
    // Two clusters may have a few records in common by chance, but they do not begin with the same ones.
    let same_first = same.first.into_iter().chain(pair.same.first).min();
    let begins_same = same_first.is_some_and(|same| pair.first.is_none_or(|first| same < first));
    let differing = [pair.conflicts, pair.only_first, pair.only_second];
    let differing = differing.into_iter().fold(0_u64, u64::saturating_add);
    let shares_records = begins_same || same.records.saturating_add(pair.same.records) > differing;
    let mut shapes: Vec<Shape<'a>> = Vec::new();
    shapes.extend(other_members(members, one, other, shares_records));
    if !shares_records {
        if shapes.is_empty() {
            shapes.push(Shape::NothingShared(one, other));
        }
        return shapes;
    }
    let causes = [
        altered_value(found, one, other),
        skipped_writes(members, found, one, other),
        skipped_writes(members, found, other, one),
    ];
    match causes.into_iter().flatten().next() {
        Some(cause) => shapes.push(cause),
        None if pair.conflicts == 0 => shapes.push(Shape::LacksRecords {
            databases: [one, other],
            lacks: [pair.only_second, pair.only_first],
        }),
        None => {}
    }
    shapes
}

/// A write without its revision: whether it is a deletion, and its key and value.
type Write<'a> = (bool, Option<(&'a [u8], &'a [u8])>);

/// The records of one main revision, without what depends on the revision.
fn writes<'a>(records: &[StoredRecord<'a>]) -> Vec<Write<'a>> {
    let written = |record: &StoredRecord<'a>| {
        let content = record.content();
        let content = content.map(|KeyValue { key, value, .. }| (key, value));
        (record.place.tombstone, content)
    };
    records.iter().map(written).collect()
}

/// The transactions of a database from a main revision on.
fn transactions<'f, 'a>(
    found: &'f Differences<'a>,
    database: usize,
    from: i64,
) -> Vec<(i64, &'f [StoredRecord<'a>])> {
    let after = found.after(database);
    let main = |record: &StoredRecord<'_>| record.place.revision.main;
    let start = after.partition_point(|record| main(record) < from);
    let after = after.get(start..).unwrap_or_default();
    let transactions = after.chunk_by(|a, b| main(a) == main(b));
    transactions
        .filter_map(|records| Some((main(records.first()?), records)))
        .collect()
}

/// Whether a database skipped writes of another one. Then its writes from the first difference on are the same as later
/// ones of the other database. Example: `other` writes `a` at 10, `b` at 11 and `c` at 12; `database` writes `c` at 10.
/// So it skipped 10 and 11.
fn skipped_writes<'a>(
    members: &[Member],
    found: &Differences<'a>,
    database: usize,
    other: usize,
) -> Option<Shape<'a>> {
    let first = found.pair(database, other).first?;
    let own = transactions(found, database, first);
    let others = transactions(found, other, first);
    // A database that only lacks records has the later ones at the same revisions. One that skipped writes has them at
    // lower revisions.
    let start_main = own.first().map(|(main, _)| *main)?;
    let own: Vec<_> = own.iter().map(|(_, records)| writes(records)).collect();
    let start = own.first()?;
    // Two transactions in a row have to be the same, or one if there are no more. A longer row is not required, because
    // the database may have skipped the next one too.
    let compared = own.len().min(2);
    let at = (1..others.len()).find(|at| {
        let later = others.iter().skip(*at).take(compared);
        let mut same = later
            .zip(&own)
            .map(|((_, records), own)| writes(records) == *own);
        others
            .get(*at)
            .is_some_and(|(main, records)| *main > start_main && writes(records) == *start)
            && same.all(|same| same)
    })?;
    let last = others.get(at.checked_sub(1)?)?.0;
    let (own, others) = (members.get(database)?, members.get(other)?);
    let is_one_cluster = !own.members.is_disjoint(&others.members);
    let has_index = own.consistent_index.is_some();
    Some(Shape::SkippedWrites {
        database,
        other,
        skipped: (first, last),
        is_restored: is_restored(own) || is_restored(others),
        has_applied_all: is_one_cluster
            && has_index
            && own.consistent_index >= others.consistent_index,
    })
}

/// Whether a database was restored from a snapshot, not long ago. Each revision takes an entry of the raft log, and a
/// restore begins a new log. So a restored database has fewer entries than revisions until enough were added.
fn is_restored(member: &Member) -> bool {
    let revisions = u64::try_from(member.revision.saturating_sub(1)).unwrap_or_default();
    member
        .consistent_index
        .is_some_and(|index| index < revisions)
}

/// Whether the only difference is the value of one record.
fn altered_value<'a>(found: &Differences<'a>, one: usize, other: usize) -> Option<Shape<'a>> {
    let pair = found.pair(one, other);
    if (pair.conflicts, pair.only_first, pair.only_second) != (1, 0, 0) {
        return None;
    }
    let [one_record, other_record] = pair.conflict?;
    let (first, second) = (one_record.content()?, other_record.content()?);
    let without_value = |content: KeyValue<'a>| KeyValue {
        value: &[],
        ..content
    };
    let is_only_value =
        one_record.place == other_record.place && without_value(first) == without_value(second);
    let (a, b) = (first.value, second.value);
    let differing = || a.iter().zip(b).filter(|(a, b)| a != b);
    is_only_value.then(|| Shape::AlteredValue {
        databases: [one, other],
        key: first.key,
        revision: pair.first.unwrap_or_default(),
        bytes: (a.len() == b.len()).then(|| differing().count()),
        bits: differing().map(|(a, b)| (a ^ b).count_ones()).sum(),
        lengths: [a.len(), b.len()],
    })
}

/// Whether a database ends earlier than another one that is equal to it up to there.
fn ends_earlier<'a>(
    members: &[Member],
    found: &Differences<'_>,
    index: usize,
    member: &Member,
) -> Option<Shape<'a>> {
    let mut longer = members.iter().enumerate().filter(|(other, one)| {
        one.revision > member.revision && !found.pair(index, *other).differs()
    });
    let (other, further) = longer.next().filter(|_| member.revision > 1)?;
    let is_one_cluster = !member.is_damaged && !member.members.is_disjoint(&further.members);
    let why = match (member.consistent_index, further.consistent_index) {
        (Some(own), Some(theirs)) if is_one_cluster && own < theirs => EndsEarlier::OlderCopy,
        (Some(_), Some(_)) if is_one_cluster && !is_restored(further) => {
            EndsEarlier::LostOrRestored
        }
        // The last records of a damaged file may be in it, but not readable.
        _ => EndsEarlier::Unclear,
    };
    Some(Shape::Ends {
        database: index,
        other,
        revisions: further.revision.saturating_sub(member.revision),
        why,
    })
}
