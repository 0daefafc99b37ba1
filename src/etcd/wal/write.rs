//! Writes the log and the raft snapshot of a member of a new cluster, byte for byte as `etcdutl snapshot restore` of
//! 3.5 and 3.6 does (`etcdutl/snapshot/v3_snapshot.go`, `saveWALAndSnap`; `server/storage/wal/encoder.go`).
//!
//! The log has one entry for each member, which adds it. etcd 3.4 to 3.7 start with such a log.
//!
//! The file is a row of frames. A frame is a length field of 8 bytes, little endian, the record, and zeros up to a
//! multiple of 8. The low 56 bits of the length field are the length of the record; if zeros follow it, the top byte
//! is 0x80 plus their number. A record has fields 1 type, 2 crc, 3 data. Its crc is the running CRC-32C of the data
//! of all records so far.

mod snap;

use prost::Message;

use crate::etcd::membership::{InitialCluster, NewMember};

pub use snap::{SNAP_TERM, snap, snap_name};

/// Length of the log file. etcd allocates it at once; the rest of it is zeros.
pub const SEGMENT_LEN_BYTES: u64 = 64_000_000;

/// Name of the only log file.
pub const FIRST_SEGMENT: &str = "0000000000000000-0000000000000000.wal";

// The types of records (`server/storage/wal/wal.go`).
const METADATA: i64 = 1;
const ENTRY: i64 = 2;
const STATE: i64 = 3;
const CRC: i64 = 4;
const SNAPSHOT: i64 = 5;

/// walpb.Record.
#[derive(Clone, PartialEq, Message)]
struct Record {
    #[prost(int64, optional, tag = "1")]
    record_type: Option<i64>,
    #[prost(uint32, optional, tag = "2")]
    crc: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "3")]
    data: Option<Vec<u8>>,
}

/// etcdserverpb.Metadata.
#[derive(Clone, PartialEq, Message)]
struct Metadata {
    #[prost(uint64, optional, tag = "1")]
    node_id: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    cluster_id: Option<u64>,
}

/// raftpb.Entry.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(int32, optional, tag = "1")]
    entry_type: Option<i32>,
    #[prost(uint64, optional, tag = "2")]
    term: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    index: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    data: Option<Vec<u8>>,
}

/// raftpb.ConfChange.
#[derive(Clone, PartialEq, Message)]
struct ConfChange {
    #[prost(uint64, optional, tag = "1")]
    id: Option<u64>,
    #[prost(int32, optional, tag = "2")]
    change_type: Option<i32>,
    #[prost(uint64, optional, tag = "3")]
    node_id: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "4")]
    context: Option<Vec<u8>>,
}

/// raftpb.HardState.
#[derive(Clone, PartialEq, Message)]
struct HardState {
    #[prost(uint64, optional, tag = "1")]
    term: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    vote: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    commit: Option<u64>,
}

/// raftpb.ConfState.
#[derive(Clone, PartialEq, Message)]
struct ConfState {
    #[prost(uint64, repeated, packed = "false", tag = "1")]
    voters: Vec<u64>,
    #[prost(bool, optional, tag = "5")]
    auto_leave: Option<bool>,
}

impl ConfState {
    /// All members of the cluster as voters.
    fn new(cluster: &InitialCluster) -> Self {
        Self {
            voters: cluster.voters(),
            auto_leave: Some(false),
        }
    }
}

/// walpb.Snapshot.
#[derive(Clone, PartialEq, Message)]
struct SnapshotMark {
    #[prost(uint64, optional, tag = "1")]
    index: Option<u64>,
    #[prost(uint64, optional, tag = "2")]
    term: Option<u64>,
    #[prost(message, optional, tag = "3")]
    conf_state: Option<ConfState>,
}

/// The frames of the log of one member, in the order of etcdutl. The file is these bytes, and zeros up to
/// [`SEGMENT_LEN_BYTES`].
pub fn log(cluster: &InitialCluster, member: &NewMember) -> Vec<u8> {
    let mut log = Frames::default();
    log.frame(CRC, None);
    log.record(
        METADATA,
        &Metadata {
            node_id: Some(member.id),
            cluster_id: Some(cluster.id),
        },
    );
    log.record(
        SNAPSHOT,
        &SnapshotMark {
            index: Some(0),
            term: Some(0),
            conf_state: None,
        },
    );
    for (added, index) in cluster.members.iter().zip(1_u64..) {
        log.record(ENTRY, &added_by_entry(added, index));
    }
    log.record(
        STATE,
        &HardState {
            term: Some(SNAP_TERM),
            vote: cluster.members.first().map(|first| first.id),
            commit: Some(cluster.last_index()),
        },
    );
    log.record(
        SNAPSHOT,
        &SnapshotMark {
            index: Some(cluster.last_index()),
            term: Some(SNAP_TERM),
            conf_state: Some(ConfState::new(cluster)),
        },
    );
    log.bytes
}

/// The entry that adds a member: its type 1 is a configuration change, whose type 0 is "add a voting member".
fn added_by_entry(member: &NewMember, index: u64) -> Entry {
    let change = ConfChange {
        id: Some(0),
        change_type: Some(0),
        node_id: Some(member.id),
        context: Some(member.json().into()),
    };
    Entry {
        entry_type: Some(1),
        term: Some(SNAP_TERM),
        index: Some(index),
        data: Some(change.encode_to_vec()),
    }
}

/// A log file that is being built.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    /// The running CRC-32C of the data of all records so far.
    crc: u32,
}

impl Frames {
    /// Appends a record with this message as its data.
    fn record(&mut self, record_type: i64, message: &impl Message) {
        let data = message.encode_to_vec();
        self.crc = crc32c::crc32c_append(self.crc, &data);
        self.frame(record_type, Some(data));
    }

    /// Appends a frame with a record that has the running crc. The data must already be part of it.
    fn frame(&mut self, record_type: i64, data: Option<Vec<u8>>) {
        let record = Record {
            record_type: Some(record_type),
            crc: Some(self.crc),
            data,
        };
        let record = record.encode_to_vec();
        let len = record.len() as u64;
        let padding = len.next_multiple_of(8).saturating_sub(len);
        // The number of padding bytes is below 8, so it fits under the mark 0x80.
        let mark = match padding {
            0 => 0,
            padding => (0x80 | padding) << 56,
        };
        self.bytes.extend((len | mark).to_le_bytes());
        self.bytes.extend(record);
        self.bytes.extend((0..padding).map(|_| 0));
    }
}
