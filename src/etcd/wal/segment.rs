//! One file of the log: its frames, its records, and the chain of checksums through them.
//!
//! A frame is a length of eight bytes (little endian on all machines), a record, and up to seven zeros, so that the next
//! frame is aligned to eight. The low 56 bits of the length are the length of the record. If the highest bit is set, bits
//! 56 to 58 are the number of zeros (`server/storage/wal/encoder.go`, `decoder.go`). A length of 0 ends the file, because
//! etcd allocates files in advance.
//!
//! Each record states the CRC-32C over the data of all records up to and including itself. A record of type 4, the first of
//! each file, states the start value. So each file can be verified alone, and after damage the chain goes on from the value
//! that the next record states.

use crate::plural::{counted, plural};

use super::messages::{EntryType, RaftEntry, RaftHardState, WalMetadata, WalSnapshot};
use super::wire::{self, Reader};

/// Length of the field before each record, in bytes.
const LENGTH_BYTES: usize = 8;

/// The type of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordType {
    /// Whose log it is.
    Metadata,
    /// An entry of the log.
    Entry,
    /// Term, vote and commit.
    State,
    /// The value of the checksum so far.
    Crc,
    /// The mark of a raft snapshot.
    Snapshot,
    /// A type that does not exist.
    Unknown(u64),
}

impl RecordType {
    fn from_number(number: u64) -> Self {
        match number {
            1 => Self::Metadata,
            2 => Self::Entry,
            3 => Self::State,
            4 => Self::Crc,
            5 => Self::Snapshot,
            other => Self::Unknown(other),
        }
    }
}

/// Whether the checksum of a record follows from the records before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// It does.
    Right,
    /// It does not: this record or the one before it was altered.
    Wrong,
    /// The record directly before it could not be read.
    Unknown,
}

impl Checksum {
    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
        }
    }
}

/// A record of a file of the log.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// What it is.
    pub record_type: RecordType,
    /// The checksum that it states.
    pub crc: u32,
    /// Its data.
    pub data: &'a [u8],
    /// Whether its checksum follows from the records before it.
    pub checksum: Checksum,
    /// Offset of its frame in the file, in bytes.
    pub offset: u64,
    /// Length of its frame, in bytes.
    pub frame_bytes: u64,
}

/// A fault in a file of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// No record can be read at this offset.
    Frame {
        /// Offset in bytes.
        offset: u64,
        /// The offset at which reading went on; none if no record follows.
        resumed: Option<u64>,
        /// What is wrong.
        what: String,
        /// Whether the record would reach beyond the end of the file.
        is_cut: bool,
    },
    /// The last record is cut, by a crash or because the copy is incomplete.
    Torn {
        /// Offset in bytes.
        offset: u64,
    },
    /// The checksum of the record at this offset does not follow from the records before it.
    Checksum {
        /// Offset in bytes.
        offset: u64,
        /// The computed checksum.
        expected: u32,
        /// The stored checksum.
        found: u32,
    },
    /// A record of a type that does not exist.
    Type {
        /// Offset in bytes.
        offset: u64,
        /// The type.
        number: u64,
    },
}

/// The records of a file, with its faults.
#[derive(Debug, Clone, Default)]
pub struct Segment<'a> {
    /// The records that can be read, in their order.
    pub records: Vec<Record<'a>>,
    /// Its faults, in the order of offsets.
    pub faults: Vec<Fault>,
    /// Bytes up to the end of the last record.
    pub used_bytes: u64,
}

/// A frame that could be read.
struct Frame<'a> {
    number: u64,
    crc: u32,
    data: &'a [u8],
    end: usize,
}

/// What is at the position of a frame.
enum Found<'a> {
    Frame(Frame<'a>),
    /// The end of the file, or a length of 0.
    End,
    /// Not a frame.
    Bad {
        what: String,
        is_cut: bool,
    },
}

impl<'a> Segment<'a> {
    /// Reads a file. `running` is the checksum at the end of the file before it, if it is known.
    pub fn read(bytes: &'a [u8], running: Option<u32>) -> Self {
        let mut segment = Self::default();
        let mut chain = Chain {
            running,
            other: None,
        };
        let mut at = 0;
        loop {
            match frame_at(bytes, at) {
                Found::Frame(frame) => {
                    segment.take(&frame, at, &mut chain);
                    at = frame.end;
                }
                Found::End => {
                    // Only zeros may follow the end. Other bytes mean that records are missing here.
                    let rest = bytes.get(at..).unwrap_or_default();
                    let Some(next) = rest.iter().position(|byte| *byte != 0) else {
                        break;
                    };
                    let resumed = resync(bytes, at.saturating_add(next));
                    segment.faults.push(Fault::Frame {
                        offset: at as u64,
                        resumed: resumed.map(|at| at as u64),
                        what: "zeros, then other bytes".to_owned(),
                        is_cut: false,
                    });
                    let Some(next) = resumed else { break };
                    chain = Chain::default();
                    at = next;
                }
                Found::Bad { what, is_cut } => {
                    let resumed = resync(bytes, at.saturating_add(1));
                    segment.faults.push(match resumed {
                        None if is_cut => Fault::Torn { offset: at as u64 },
                        _ => Fault::Frame {
                            offset: at as u64,
                            resumed: resumed.map(|at| at as u64),
                            what,
                            is_cut,
                        },
                    });
                    let Some(next) = resumed else { break };
                    chain = Chain::default();
                    at = next;
                }
            }
        }
        segment
    }

    /// The checksum after its last record.
    pub fn running(&self) -> Option<u32> {
        self.records.last().map(|record| record.crc)
    }

    fn take(&mut self, frame: &Frame<'a>, at: usize, chain: &mut Chain) {
        let offset = at as u64;
        let record_type = RecordType::from_number(frame.number);
        if let RecordType::Unknown(number) = record_type {
            self.faults.push(Fault::Type { offset, number });
        }
        let (checksum, expected) = chain.next(record_type, frame, &mut self.records);
        if checksum == Checksum::Wrong {
            self.faults.push(Fault::Checksum {
                offset,
                expected,
                found: frame.crc,
            });
        }
        self.used_bytes = frame.end as u64;
        self.records.push(Record {
            record_type,
            crc: frame.crc,
            data: frame.data,
            checksum,
            offset,
            frame_bytes: (frame.end.saturating_sub(at)) as u64,
        });
    }
}

/// The checksum so far.
#[derive(Debug, Default)]
struct Chain {
    running: Option<u32>,
    /// After a wrong record: the correct checksum, in case only the stored checksum was changed and not the data.
    other: Option<u32>,
}

impl Chain {
    /// Whether the checksum of the next record is right, and the computed checksum.
    fn next(
        &mut self,
        record_type: RecordType,
        frame: &Frame<'_>,
        before: &mut [Record<'_>],
    ) -> (Checksum, u32) {
        let other = self.other.take();
        let Some(running) = self.running.replace(frame.crc) else {
            let known = record_type == RecordType::Crc;
            return (
                if known {
                    Checksum::Right
                } else {
                    Checksum::Unknown
                },
                frame.crc,
            );
        };
        let then = |running: u32| match record_type {
            RecordType::Crc => running,
            _ => crc32c::crc32c_append(running, frame.data),
        };
        let expected = then(running);
        // A new log begins with 0, whatever the file before it ended with.
        if expected == frame.crc || (record_type == RecordType::Crc && running == 0) {
            return (Checksum::Right, expected);
        }
        if let Some(other) = other.filter(|other| then(*other) == frame.crc) {
            // The data of the record before was right; only its stored checksum was changed.
            if let Some(before) = before.last_mut() {
                before.checksum = Checksum::Right;
                before.crc = other;
            }
            return (Checksum::Right, frame.crc);
        }
        self.other = Some(expected);
        (Checksum::Wrong, expected)
    }
}

fn frame_at(bytes: &[u8], at: usize) -> Found<'_> {
    let rest = bytes.get(at..).unwrap_or_default();
    let Some((length, rest)) = rest.split_first_chunk::<LENGTH_BYTES>() else {
        return match rest.iter().all(|byte| *byte == 0) {
            true => Found::End,
            false => Found::Bad {
                what: "a length that is cut".to_owned(),
                is_cut: true,
            },
        };
    };
    let length = u64::from_le_bytes(*length);
    if length == 0 {
        return Found::End;
    }
    let size = length & ((1 << 56) - 1);
    let padding = if length >> 63 == 1 {
        (length >> 56) & 7
    } else {
        0
    };
    let end = usize::try_from(size.saturating_add(padding))
        .ok()
        .filter(|whole| *whole <= rest.len());
    let Some(whole) = end else {
        return Found::Bad {
            what: format!(
                "a record of {}, but only {} left",
                counted(size, "byte", "bytes"),
                plural(rest.len(), "is", "are")
            ),
            is_cut: true,
        };
    };
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    match read_record(rest.get(..size).unwrap_or_default()) {
        Some((number, crc, data)) => Found::Frame(Frame {
            number,
            crc,
            data,
            end: at.saturating_add(LENGTH_BYTES).saturating_add(whole),
        }),
        None => Found::Bad {
            what: format!(
                "{} not a walpb.Record",
                plural(size, "byte that is", "bytes that are")
            ),
            is_cut: false,
        },
    }
}

/// walpb.Record: 1 type, 2 crc, 3 data.
fn read_record(bytes: &[u8]) -> Option<(u64, u32, &[u8])> {
    let mut reader = Reader::new(bytes);
    let (mut number, mut crc, mut data) = (None, None, None);
    while !reader.is_at_end() {
        match reader.tag().ok()? {
            (1, 0) if number.is_none() => number = Some(reader.varint().ok()?),
            (2, 0) if crc.is_none() => crc = Some(u32::try_from(reader.varint().ok()?).ok()?),
            (3, 2) if data.is_none() => data = Some(reader.bytes().ok()?),
            // No version of etcd writes other fields. So checking a record takes at most three steps.
            _ => return None,
        }
    }
    Some((number?, crc?, data.unwrap_or_default()))
}

/// The first position from `from` on at which a record very likely begins: aligned, of a known type, padded with zeros,
/// and followed by another record or by the end.
fn resync(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from.checked_next_multiple_of(LENGTH_BYTES)?;
    while at < bytes.len() {
        // Skip zeros fast: most of a preallocated file is zeros.
        let zeros = bytes
            .get(at..)?
            .iter()
            .take_while(|byte| **byte == 0)
            .count();
        at = at.saturating_add(zeros / LENGTH_BYTES * LENGTH_BYTES);
        if let Some(end) = plausible(bytes, at) {
            let followed = match frame_at(bytes, end) {
                Found::Frame(next) => (1..=5).contains(&next.number),
                Found::End => true,
                // The last one may be cut.
                Found::Bad { is_cut, .. } => is_cut,
            };
            if followed {
                return Some(at);
            }
        }
        at = at.saturating_add(LENGTH_BYTES);
    }
    None
}

/// More fields than the content of any record has; an entry has the most, four.
const FEW_FIELDS: usize = 8;

/// Whether data may be the content of a record. The check stops after [`FEW_FIELDS`] fields.
fn has_few_fields(data: &[u8]) -> bool {
    let mut reader = Reader::new(data);
    for _ in 0..FEW_FIELDS {
        if reader.is_at_end() {
            return true;
        }
        let Ok((number, wire_type)) = reader.tag() else {
            return false;
        };
        if reader.skip(number, wire_type).is_err() {
            return false;
        }
    }
    reader.is_at_end()
}

/// The end of the record that may begin at `at`.
fn plausible(bytes: &[u8], at: usize) -> Option<usize> {
    let Found::Frame(frame) = frame_at(bytes, at) else {
        return None;
    };
    if !(1..=5).contains(&frame.number) || !frame.end.is_multiple_of(LENGTH_BYTES) {
        return None;
    }
    if !has_few_fields(frame.data) {
        return None;
    }
    let is_right = match RecordType::from_number(frame.number) {
        RecordType::Entry => wire::read(frame.data).is_ok_and(|entry: RaftEntry<'_>| {
            entry.index > 0 && entry.entry_type.0 <= EntryType::CONF_CHANGE_V2.0
        }),
        RecordType::State => wire::read::<RaftHardState<'_>>(frame.data).is_ok(),
        RecordType::Snapshot => wire::read::<WalSnapshot<'_>>(frame.data).is_ok(),
        RecordType::Metadata => wire::read::<WalMetadata<'_>>(frame.data).is_ok(),
        _ => frame.data.is_empty(),
    };
    is_right.then_some(frame.end)
}
