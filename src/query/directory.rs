//! Whether the parts of a data directory belong together: the database, its write-ahead log and raft's snapshots.
//!
//! The database does not name the member that it belongs to, so facts are compared that two parts have. The database
//! names the members of its cluster, the log names its own member, and a raft snapshot names the voting members. All
//! three have an index of raft's log: a server needs every entry after the index of the database, and refuses a raft
//! snapshot that is newer than the database. An entry has the same term in all parts. The database of another member of
//! the same cluster cannot be detected if the log covers its index; a server accepts it as its own.
//!
//! For these checks only the first bytes of each log file are read, the last file, and the file with the entry that the
//! database applied last. If they find nothing, and the log begins with the first entry of its cluster, the log is
//! replayed: the database must have each write up to its index ([`LogContradictions`]).

use std::collections::BTreeSet;

use crate::arrange::Arrange as _;
use crate::diag::{Code, Diagnostic, Diagnostics, Locus};
use crate::etcd::Store;
use crate::etcd::cluster::known_members;
use crate::etcd::wal::snap::Snap;
use crate::source::log_place;

use super::evidence::Evidence;
use super::log_contradictions::LogContradictions;
use super::logs::{File, Logs, Metadata, State, Wal};

/// How much of a log file is read for the member in it: its second record, after 16 bytes.
const HEAD_BYTES: usize = 4096;

/// Makes a finding of each disagreement between a database and the log and snapshots of its data directory.
pub(super) fn check(evidence: &Evidence, store: &Store<'_>) {
    let Some(logs) = log_of(evidence) else {
        return;
    };
    let parts = Parts {
        store,
        diagnostics: evidence.diagnostics(),
        members: known_members(store),
        logs: &logs,
    };
    parts.compare_members();
    if let Some(applied) = store.meta().consistent_index.filter(|index| *index > 0) {
        let snap = logs.newest_snap();
        if let Some((name, snap)) = &snap {
            parts.compare_snap(applied, name, snap);
        }
        let snapped = snap.map_or(0, |(_, snap)| snap.index);
        parts.compare_log(applied, snapped);
        parts.compare_writes();
    }
}

/// The log of the data directory of a database; none if it is not in one.
pub(super) fn log_of(evidence: &Evidence) -> Option<Logs> {
    let place = log_place(evidence.source().path(), evidence.given_path())?;
    // `wal` reports files of the log that cannot be opened.
    let logs = Logs::open(&place).ok()?;
    // A single file of a log belongs to no database.
    (logs.db() == Some(evidence.source().path())).then_some(logs)
}

struct Parts<'p, 'a> {
    store: &'p Store<'a>,
    diagnostics: &'p Diagnostics,
    /// The members that the database names, also those that were removed.
    members: BTreeSet<u64>,
    logs: &'p Logs,
}

impl Parts<'_, '_> {
    fn report(
        &self,
        code: Code,
        file: &str,
        expected: String,
        found: String,
        effect: &'static str,
    ) {
        let locus = Locus {
            file: Some(file.to_owned()),
            ..Locus::default()
        };
        let finding = Diagnostic::new(code, locus);
        self.diagnostics
            .report(finding.expected(expected, found).effect(effect));
    }

    /// The log is that of a member that the database names, in one cluster.
    fn compare_members(&self) {
        let mut of_log: Option<Metadata> = None;
        for file in self.logs.files() {
            let Some(metadata) = metadata_of(&file) else {
                continue;
            };
            let first = *of_log.get_or_insert(metadata);
            if first != metadata {
                self.report(
                    Code::DirectoryMember,
                    &file.name,
                    format!("the log of {}", member_of(first)),
                    format!("that of {}", member_of(metadata)),
                    "files of two logs are in one folder: etcd does not start on them",
                );
            } else if !self.members.is_empty() && !self.members.contains(&metadata.node_id) {
                self.report(
                    Code::DirectoryMember,
                    &file.name,
                    format!(
                        "the log of a member of the database ({})",
                        ids(&self.members)
                    ),
                    format!("that of {}", member_of(metadata)),
                    "the log and the database are of different clusters: do not start etcd on them",
                );
                return;
            }
        }
    }

    /// The newest raft snapshot is not newer than the database, and its members are known.
    fn compare_snap(&self, applied: u64, name: &str, snap: &Snap) {
        if snap.index > applied {
            // The database of that snapshot, which etcd uses at its next start.
            let received = format!("{:016x}.snap.db", snap.index);
            let mut databases = self.logs.databases();
            if !databases.any(|path| path.ends_with(&received)) {
                self.report(
                    Code::DirectoryIndex,
                    name,
                    format!("no raft snapshot after entry {applied}, the last that the database applied"),
                    format!("one at entry {}", snap.index),
                    "the database is older than the snapshot: etcd does not start, and the writes between are not in it",
                );
            }
        } else if !self.members.is_empty() {
            let unknown = strangers(snap, &self.members);
            if !unknown.is_empty() {
                self.report(
                    Code::DirectoryMember,
                    name,
                    format!("members of the database ({})", ids(&self.members)),
                    format!("also {}", ids(&unknown)),
                    "the raft snapshot and the database are of different clusters: do not start etcd on them",
                );
            }
        }
    }

    /// The log has the entries after the database, or after the newest raft snapshot, and the same entry where the
    /// database is.
    fn compare_log(&self, applied: u64, snapped: u64) {
        let mut files = self.logs.files();
        files.arrange_by_key(|file| file.sequence);
        let (Some(first), Some(last)) = (files.first(), files.last()) else {
            return;
        };
        let begins = first.first_index.unwrap_or_default();
        if begins > applied.max(snapped).saturating_add(1) {
            self.report(
                Code::DirectoryIndex,
                &first.name,
                format!(
                    "a log that goes on after entry {applied}, the last that the database applied"
                ),
                format!("one that begins at entry {begins}"),
                "the database is older than the log: the writes between are in neither",
            );
        }
        let newest = Wal::read(vec![last.clone()], &Diagnostics::new());
        let Some(ends) = end_of(&newest) else {
            return;
        };
        if ends < applied {
            self.report(
                Code::DirectoryIndex,
                &last.name,
                format!("a log up to entry {applied}, the last that the database applied"),
                format!("one that ends at entry {ends}"),
                "the database is newer than the log: etcd does not start, or applies other entries under the same numbers",
            );
            return;
        }
        self.compare_term(&files, applied);
    }

    /// The database has each write of the entries that it claims to have applied.
    fn compare_writes(&self) {
        let contradictions = LogContradictions::of_directory(self.logs, self.store);
        let Some((index, main)) = contradictions.first() else {
            return;
        };
        let mut files = self.logs.files();
        files.arrange_by_key(|file| file.sequence);
        let before = |file: &&File<'_>| file.first_index.is_none_or(|first| first <= index);
        let file = files.iter().rev().find(before).or(files.first());
        let locus = Locus {
            file: file.map(|file| file.name.clone()),
            ..Locus::default()
        };
        let others = match contradictions.count().saturating_sub(1) {
            0 => String::new(),
            1 => ", and 1 other entry".to_owned(),
            others => format!(", and {others} other entries"),
        };
        self.diagnostics.report(
            Diagnostic::new(Code::DirectoryWrites, locus.revision(main, 0))
                .expected(
                    format!("the writes of entry {index}{others}"),
                    "none of them in the database, which claims to have applied them",
                )
                .effect("the member skipped entries: later records have other revisions than in the rest of the cluster"),
        );
    }

    /// The entry that the database applied last has one term in both.
    fn compare_term(&self, files: &[File<'_>], applied: u64) {
        let Some(term) = self.store.meta().term else {
            return;
        };
        let has_entry = |file: &&File<'_>| file.first_index.is_some_and(|first| first <= applied);
        let Some(place) = files.iter().rposition(|file| has_entry(&file)) else {
            return;
        };
        // An entry may have been written again in a later file: a difference is looked at in all of them.
        let rest = files.get(place..).unwrap_or_default();
        let differs = |files: &[File<'_>]| {
            let wal = Wal::read(files.to_vec(), &Diagnostics::new());
            term_of(&wal, applied).filter(|found| *found != term)
        };
        let one = rest.first().map(std::slice::from_ref).unwrap_or_default();
        if let Some(found) = differs(one).and_then(|_| differs(rest)) {
            let name = rest.first().map_or("", |file| file.name.as_str());
            self.report(
                Code::DirectoryTerm,
                name,
                format!("entry {applied}, the last that the database applied, in term {term}"),
                format!("term {found}"),
                "the log and the database have different histories: do not start etcd on them",
            );
        }
    }
}

/// The member whose log a file is of, by its first records.
fn metadata_of(file: &File<'_>) -> Option<Metadata> {
    let head = file.bytes.get(..HEAD_BYTES).unwrap_or(file.bytes);
    let file = File {
        bytes: head,
        source: None,
        ..file.clone()
    };
    Wal::read(vec![file], &Diagnostics::new()).metadata
}

/// The last entry that a log has, or states.
fn end_of(wal: &Wal<'_>) -> Option<u64> {
    let entry = wal.effective().last().map(|entry| entry.index);
    let mark = wal.snapshots.iter().map(|mark| mark.index).max();
    let commit = Some(wal.hard_state.commit);
    entry.max(mark).max(commit).filter(|index| *index > 0)
}

/// The term of an entry in a log.
fn term_of(wal: &Wal<'_>, index: u64) -> Option<u64> {
    let mut entries = wal.entries.iter().rev();
    let is_it =
        |entry: &&super::logs::Entry<'_>| entry.index == index && entry.state != State::Replaced;
    entries.find(is_it).map(|entry| entry.term)
}

/// The members of a raft snapshot that are not among these.
fn strangers(snap: &Snap, members: &BTreeSet<u64>) -> BTreeSet<u64> {
    let of_snap = snap.voters.iter().chain(&snap.learners).copied();
    of_snap.filter(|id| !members.contains(id)).collect()
}

fn member_of(
    Metadata {
        node_id,
        cluster_id,
    }: Metadata,
) -> String {
    format!("member {node_id:x} of cluster {cluster_id:x}")
}

/// How many ids a text names.
const NAMED: usize = 8;

fn ids(members: &BTreeSet<u64>) -> String {
    let mut named: Vec<String> = members
        .iter()
        .take(NAMED)
        .map(|id| format!("{id:x}"))
        .collect();
    if members.len() > NAMED {
        named.push("...".to_owned());
    }
    named.join(", ")
}
