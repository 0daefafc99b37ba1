//! The write-ahead log: every request to etcd, in order, before it is applied to the database.
//!
//! [`segment`] reads one file. [`entry`] reads the entries of raft's log and the requests in them; these are [`messages`],
//! decoded by [`wire`]. This module joins the files to one log. [`writes`] lists the puts and deletions of an entry. An entry
//! does not store its revision. [`replay`] computes revisions by applying the entries as etcd does, and
//! [`revision_inference`] infers them backwards from a database.
//!
//! Formats: etcd `server/storage/wal/` and `walpb/record.proto`, raft `raftpb/raft.proto`. The log has no times.

pub mod entry;
pub mod messages;
pub mod replay;
pub mod revision_inference;
pub mod segment;
pub mod snap;
pub mod voters;
pub mod wire;
pub mod write;
pub mod writes;

use crate::arrange::Arrange as _;
use crate::diag::{Code, Damage, Diagnostic, Diagnostics, Locus};
use crate::source::Source;

pub use entry::{Entry, Request, State};
pub use segment::{Checksum, RecordType};

use messages::{RaftHardState, WalMetadata, WalSnapshot};
use segment::{Fault, Record, Segment};
use wire::WireError;

/// A file of the log, before it is read.
#[derive(Debug, Clone)]
pub struct File<'a> {
    /// Its name.
    pub name: String,
    /// Its number, from 0; none if its name does not have one.
    pub sequence: Option<u64>,
    /// The first index that it may have; none if its name does not have one.
    pub first_index: Option<u64>,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The open file, if the bytes are mapped. It is used to release pages from memory, because a log may be long.
    pub source: Option<&'a Source>,
}

/// Term, vote and commit of a member.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HardState {
    /// Its term.
    pub term: u64,
    /// The member that got its vote in that term; 0 for none.
    pub vote: u64,
    /// The last index that a majority has.
    pub commit: u64,
}

/// The mark of a raft snapshot in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SnapshotMark {
    /// The last index that it includes.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
}

/// The member and cluster of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The member.
    pub node_id: u64,
    /// Its cluster.
    pub cluster_id: u64,
}

impl HardState {
    /// The hard state in the data of a record.
    ///
    /// # Errors
    /// When the data is not such a message.
    pub fn read(data: &[u8]) -> Result<Self, WireError> {
        let state: RaftHardState<'_> = wire::read(data)?;
        Ok(Self {
            term: state.term,
            vote: state.vote,
            commit: state.commit,
        })
    }
}

impl SnapshotMark {
    /// The mark in the data of a record.
    ///
    /// # Errors
    /// When the data is not such a message.
    pub fn read(data: &[u8]) -> Result<Self, WireError> {
        let mark: WalSnapshot<'_> = wire::read(data)?;
        Ok(Self {
            index: mark.index,
            term: mark.term,
        })
    }
}

impl Metadata {
    /// The metadata in the data of a record.
    ///
    /// # Errors
    /// When the data is not such a message.
    pub fn read(data: &[u8]) -> Result<Self, WireError> {
        let metadata: WalMetadata<'_> = wire::read(data)?;
        Ok(Self {
            node_id: metadata.node_id,
            cluster_id: metadata.cluster_id,
        })
    }
}

/// One file of the log, read.
#[derive(Debug, Clone)]
pub struct SegmentFile<'a> {
    /// Its name.
    pub name: String,
    /// Length in bytes.
    pub len_bytes: u64,
    /// Its records.
    pub segment: Segment<'a>,
}

/// A whole log.
#[derive(Debug, Clone, Default)]
pub struct Wal<'a> {
    /// Its files, by number.
    pub files: Vec<SegmentFile<'a>>,
    /// All entries in the order of writing, including replaced ones.
    pub entries: Vec<Entry<'a>>,
    /// Its member and cluster; none if no record names them.
    pub metadata: Option<Metadata>,
    /// The last hard state.
    pub hard_state: HardState,
    /// The marks of raft snapshots, in the order of writing.
    pub snapshots: Vec<SnapshotMark>,
}

impl<'a> Wal<'a> {
    /// Reads the files of a log. Findings go to `diagnostics`. If a record cannot be read, reading goes on at the next
    /// readable one.
    pub fn read(mut files: Vec<File<'a>>, diagnostics: &Diagnostics) -> Self {
        files.arrange_by(|a, b| (a.sequence, &a.name).cmp(&(b.sequence, &b.name)));
        let mut wal = Self::default();
        let mut log = Log::default();
        let mut running = None;
        let mut before: Option<File<'a>> = None;
        for file in files {
            let follows = before.as_ref().is_none_or(|before| follows(before, &file));
            if !follows {
                running = None;
                report_missing_file(before.as_ref(), &file, diagnostics);
            }
            let segment = Segment::read(file.bytes, running);
            running = segment.running();
            if let Some(source) = file.source {
                source.forget_resident();
            }
            let place = wal.files.len();
            for fault in &segment.faults {
                diagnostics.report(finding(&file.name, fault));
            }
            for record in &segment.records {
                wal.take(record, (place, &file.name), &mut log, diagnostics);
            }
            wal.files.push(SegmentFile {
                name: file.name.clone(),
                len_bytes: file.bytes.len() as u64,
                segment,
            });
            before = Some(file);
        }
        let commit = wal.hard_state.commit;
        for place in log.effective {
            if let Some(entry) = wal
                .entries
                .get_mut(place)
                .filter(|entry| entry.index <= commit)
            {
                entry.state = State::Committed;
            }
        }
        wal
    }

    fn take(
        &mut self,
        record: &Record<'a>,
        (segment, name): (usize, &str),
        log: &mut Log,
        diagnostics: &Diagnostics,
    ) {
        let unreadable = |what: &str| {
            diagnostics.report(
                Diagnostic::new(Code::WalFrame, at(name, record.offset))
                    .found(format!("a record that is not a {what}"))
                    .effect("it is missing from this answer"),
            );
        };
        match record.record_type {
            RecordType::Entry => match Entry::read(record, segment) {
                Ok(entry) => self.append(entry, name, log, diagnostics),
                Err(_) => unreadable("raftpb.Entry"),
            },
            RecordType::State => match HardState::read(record.data) {
                Ok(state) => self.hard_state = state,
                Err(_) => unreadable("raftpb.HardState"),
            },
            RecordType::Snapshot => match SnapshotMark::read(record.data) {
                Ok(mark) => {
                    log.floor = log.floor.max(mark.index);
                    self.snapshots.push(mark);
                }
                Err(_) => unreadable("walpb.Snapshot"),
            },
            RecordType::Metadata => match Metadata::read(record.data) {
                Ok(metadata) => {
                    self.take_metadata(metadata, at(name, record.offset), diagnostics);
                }
                Err(_) => unreadable("etcdserverpb.Metadata"),
            },
            RecordType::Crc | RecordType::Unknown(_) => {}
        }
    }

    fn take_metadata(&mut self, metadata: Metadata, locus: Locus, diagnostics: &Diagnostics) {
        let known = *self.metadata.get_or_insert(metadata);
        if known != metadata {
            let told = |of: Metadata| format!("member {:x} of {:x}", of.node_id, of.cluster_id);
            diagnostics.report(
                Diagnostic::new(Code::WalContradiction, locus)
                    .expected(told(known), told(metadata))
                    .effect(
                        "files of two logs are in one folder: their entries are read as one log",
                    ),
            );
        }
    }

    /// Adds the next entry. If its index exists already, it replaces that entry and all entries after it.
    fn append(&mut self, entry: Entry<'a>, name: &str, log: &mut Log, diagnostics: &Diagnostics) {
        while let Some(place) = log.effective.last().copied() {
            let Some(last) = self.entries.get_mut(place) else {
                break;
            };
            if last.index < entry.index {
                break;
            }
            last.state = State::Replaced;
            log.effective.pop();
        }
        let last = log
            .effective
            .last()
            .and_then(|place| self.entries.get(*place));
        let known = last.map_or(log.floor, |last| last.index.max(log.floor));
        let is_first = last.is_none() && log.floor == 0;
        if entry.index > known.saturating_add(1) && !is_first {
            diagnostics.report(
                Diagnostic::new(Code::WalEntryGap, at(name, entry.offset))
                    .expected(
                        format!("entry {}", known.saturating_add(1)),
                        format!("entry {}", entry.index),
                    )
                    .effect("the entries between are missing from this answer"),
            );
        }
        log.effective.push(self.entries.len());
        self.entries.push(entry);
    }

    /// The entries that were not replaced, in the order of their index.
    pub fn effective(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries
            .iter()
            .filter(|entry| entry.state != State::Replaced)
    }
}

/// The working state while the files are joined.
#[derive(Debug, Default)]
struct Log {
    /// The positions of the entries that were not replaced, by ascending index.
    effective: Vec<usize>,
    /// The index of the newest snapshot. Entries below it may be missing.
    floor: u64,
}

fn follows(before: &File<'_>, file: &File<'_>) -> bool {
    match (before.sequence, file.sequence) {
        (Some(before), Some(this)) => before.checked_add(1) == Some(this),
        _ => true,
    }
}

fn report_missing_file(before: Option<&File<'_>>, file: &File<'_>, diagnostics: &Diagnostics) {
    let number = |file: &File<'_>| file.sequence.unwrap_or_default();
    let after = before.map(number).unwrap_or_default();
    diagnostics.report(
        Diagnostic::new(Code::WalSegmentMissing, at(&file.name, 0))
            .expected(
                format!("file {:x} of the log", after.saturating_add(1)),
                format!("file {:x}", number(file)),
            )
            .effect("the entries between are missing from this answer"),
    );
}

/// A place in a file of the log.
fn at(name: &str, offset: u64) -> Locus {
    Locus {
        file: Some(name.to_owned()),
        ..Locus::at(offset)
    }
}

fn finding(name: &str, fault: &Fault) -> Damage {
    match fault {
        Fault::Frame {
            offset,
            resumed,
            what,
            ..
        } => {
            let resumed = match resumed {
                Some(at) => format!("{what}; read on at offset {at}"),
                None => format!("{what}; no record follows"),
            };
            Diagnostic::new(Code::WalFrame, at(name, *offset))
                .found(resumed)
                .effect("the records between are missing from this answer")
        }
        Fault::Torn { offset } => Diagnostic::new(Code::WalTorn, at(name, *offset))
            .found("a record that is cut")
            .effect("its content was not acknowledged yet, or the copy lacks the end of the file"),
        Fault::Checksum {
            offset,
            expected,
            found,
        } => Diagnostic::new(Code::WalChecksum, at(name, *offset))
            .expected(format!("checksum {expected:08x}"), format!("{found:08x}"))
            .effect("this record is shown as it is"),
        Fault::Type { offset, number } => Diagnostic::new(Code::WalFrame, at(name, *offset))
            .found(format!("a record of type {number}"))
            .effect("it is skipped"),
    }
}
