//! An entry of raft's log, and the request in it.

use super::segment::{Checksum, Record};
use super::tables::{CONF_CHANGE, CONF_CHANGE_V2, ENTRY, INTERNAL, V2};
use super::wire::{Node, WireError};

/// What has become of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A majority has it: it is, or will be, applied.
    Committed,
    /// Nothing in the log says that a majority has it.
    Uncommitted,
    /// Another entry took its place after a change of leader: it was never applied.
    Replaced,
}

impl State {
    /// The word for it in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::Uncommitted => "uncommitted",
            Self::Replaced => "replaced",
        }
    }
}

/// An entry of the log.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Its number in the log.
    pub index: u64,
    /// The term of the leader that made it.
    pub term: u64,
    /// 0 for a request, 1 and 2 for a change of members.
    pub entry_type: u64,
    /// The request.
    pub data: &'a [u8],
    /// What has become of it.
    pub state: State,
    /// What the chain of checksums says of it.
    pub checksum: Checksum,
    /// Which file of the log holds it, from 0.
    pub segment: usize,
    /// Offset of its frame in that file, in bytes.
    pub offset: u64,
}

/// What an entry asks for.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// Nothing: a new leader's first entry.
    Empty,
    /// A request of the v3 API, or of the cluster to itself.
    Internal(Node<'a>),
    /// A request of the v2 store.
    V2(Node<'a>),
    /// A change of one member.
    ConfChange(Node<'a>),
    /// A change of several members.
    ConfChangeV2(Node<'a>),
    /// It can be read as none of these.
    Unknown,
}

impl<'a> Entry<'a> {
    /// The entry in a record of the log.
    ///
    /// # Errors
    /// When its data is no entry.
    pub fn read(record: &Record<'a>, segment: usize) -> Result<Self, WireError> {
        let entry = ENTRY.read(record.data)?;
        Ok(Self {
            index: entry.uint("Index"),
            term: entry.uint("Term"),
            entry_type: entry.uint("Type"),
            data: entry.bytes("Data"),
            state: State::Uncommitted,
            checksum: record.checksum,
            segment,
            offset: record.offset,
        })
    }

    /// The request in it. Decided as etcd does (`server/etcdserver/server.go`, `applyEntryNormal`): what is no
    /// InternalRaftRequest is one of the v2 store.
    pub fn request(&self) -> Request<'a> {
        let data = self.data;
        match self.entry_type {
            1 => CONF_CHANGE
                .read(data)
                .map_or(Request::Unknown, Request::ConfChange),
            2 => CONF_CHANGE_V2
                .read(data)
                .map_or(Request::Unknown, Request::ConfChangeV2),
            0 if data.is_empty() => Request::Empty,
            0 => match (INTERNAL.read(data), V2.read(data)) {
                (Ok(request), _) => Request::Internal(request),
                (_, Ok(request)) => Request::V2(request),
                _ => Request::Unknown,
            },
            _ => Request::Unknown,
        }
    }
}
