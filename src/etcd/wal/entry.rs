//! An entry of raft's log, and the request in it.

use super::messages::{
    ConfChange, ConfChangeV2, EntryType, InternalRaftRequest, RaftEntry, V2Request,
};
use super::segment::{Checksum, Record};
use super::wire::{self, WireError};

/// The state of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// A majority has it, so it was or will be applied.
    Committed,
    /// The log does not show that a majority has it.
    Uncommitted,
    /// Another entry replaced it after a change of leader. It was never applied.
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
    /// The term of the leader that created it.
    pub term: u64,
    /// Whether it is a request or a change of members.
    pub entry_type: EntryType,
    /// The request.
    pub data: &'a [u8],
    /// Its state.
    pub state: State,
    /// Whether its checksum is right.
    pub checksum: Checksum,
    /// The file of the log that contains it, from 0.
    pub segment: usize,
    /// Offset of its frame in that file, in bytes.
    pub offset: u64,
}

/// The request in an entry.
#[derive(Debug, Clone)]
pub enum Request<'a> {
    /// No request: the first entry of a new leader.
    Empty,
    /// A request of the v3 API, or an internal request of the cluster.
    Internal(Box<InternalRaftRequest<'a>>),
    /// A request of the v2 store.
    V2(Box<V2Request<'a>>),
    /// A change of one member.
    ConfChange(ConfChange<'a>),
    /// A change of several members.
    ConfChangeV2(ConfChangeV2<'a>),
    /// Not readable as any of these.
    Unknown,
}

impl<'a> Entry<'a> {
    /// The entry in a record of the log.
    ///
    /// # Errors
    /// Its data is not an entry.
    pub fn read(record: &Record<'a>, segment: usize) -> Result<Self, WireError> {
        let entry: RaftEntry<'_> = wire::read(record.data)?;
        Ok(Self {
            index: entry.index,
            term: entry.term,
            entry_type: entry.entry_type,
            data: entry.data,
            state: State::Uncommitted,
            checksum: record.checksum,
            segment,
            offset: record.offset,
        })
    }

    /// The request in it. As in etcd (`server/etcdserver/server.go`, `applyEntryNormal`), data that is not an
    /// InternalRaftRequest is a request of the v2 store.
    pub fn request(&self) -> Request<'a> {
        let data = self.data;
        match self.entry_type {
            EntryType::CONF_CHANGE => {
                wire::read(data).map_or(Request::Unknown, Request::ConfChange)
            }
            EntryType::CONF_CHANGE_V2 => {
                wire::read(data).map_or(Request::Unknown, Request::ConfChangeV2)
            }
            EntryType::NORMAL if data.is_empty() => Request::Empty,
            EntryType::NORMAL => match wire::read(data) {
                Ok(request) => Request::Internal(Box::new(request)),
                Err(_) => wire::read(data)
                    .map_or(Request::Unknown, |request| Request::V2(Box::new(request))),
            },
            _ => Request::Unknown,
        }
    }
}
