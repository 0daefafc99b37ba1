//! Raft's snapshot files: their last entry, the voters, and the v2 store with the members.
//!
//! A file `TERM-INDEX.snap` is `snappb.Snapshot` (1 crc, 2 data); its data is `raftpb.Snapshot`, whose own data is the
//! v2 store as JSON (`server/etcdserver/api/snap/snapshotter.go`, `api/v2store/store.go`).

use crate::arrange::Arrange as _;

use std::collections::BTreeMap;

use serde_json::Value;

use super::messages::RaftSnapshot;
use super::wire::{self, Reader};

/// The content of a snapshot file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snap {
    /// The last index that it includes.
    pub index: u64,
    /// The term of that entry.
    pub term: u64,
    /// The ids of voting members.
    pub voters: Vec<u64>,
    /// The ids of learners.
    pub learners: Vec<u64>,
    /// Whether a joint configuration ends by itself.
    pub auto_leave: bool,
    /// The v2 store, or why it cannot be read.
    pub store: Result<Store, String>,
}

/// The useful content of a v2 store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Store {
    /// The members by their ids, in hex.
    pub members: BTreeMap<String, Member>,
    /// The members that were removed, by id.
    pub removed: Vec<String>,
    /// The version of the cluster; empty if it is missing.
    pub cluster_version: String,
    /// The keys that clients wrote, and empty directories, by path.
    pub keys: Vec<V2Key>,
}

/// A key of the v2 store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct V2Key {
    /// Its path, as a client names it.
    pub path: String,
    /// Its value; none of a directory.
    pub value: Option<String>,
    /// The index of the store at its creation.
    pub created_index: u64,
    /// The index of the store at its last change.
    pub modified_index: u64,
    /// When it expires, in RFC 3339; none if it does not.
    pub expires: Option<String>,
}

/// The time of a key that does not expire: Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl V2Key {
    fn read(node: &Value, path: &str, value: &str) -> Self {
        let index = |name: &str| node.get(name).and_then(Value::as_u64).unwrap_or_default();
        let expires = node.get("ExpireTime").and_then(Value::as_str);
        Self {
            path: path.to_owned(),
            value: (!is_directory(node)).then(|| value.to_owned()),
            created_index: index("CreatedIndex"),
            modified_index: index("ModifiedIndex"),
            expires: expires.filter(|time| *time != NEVER).map(str::to_owned),
        }
    }
}

/// Whether a node is a directory. A key has no list of children, not even an empty one.
fn is_directory(node: &Value) -> bool {
    node.get("Children").is_some_and(Value::is_object)
}

/// A member of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Member {
    /// Its name; empty if it never started.
    pub name: String,
    /// Its addresses for other members.
    pub peer_urls: Vec<String>,
    /// Its addresses for clients.
    pub client_urls: Vec<String>,
}

/// Why a file is not a valid snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapError {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// It is cut, or is another kind of file.
    #[error("it is not a snappb.Snapshot")]
    Envelope,
    /// Its checksum is wrong.
    #[error("stored checksum {stated:08x}, computed {computed:08x}")]
    Checksum {
        /// The stored checksum.
        stated: u32,
        /// The checksum of its data.
        computed: u32,
    },
    /// Its data is not a raft snapshot.
    #[error("its data is not a raftpb.Snapshot")]
    Content,
}

impl Snap {
    /// Reads a file. If the checksum is wrong, the content is read as far as possible, and the second part is the error.
    ///
    /// # Errors
    /// [`SnapError`]: why it is not a snapshot.
    pub fn read(bytes: &[u8]) -> Result<(Self, Option<SnapError>), SnapError> {
        if bytes.is_empty() {
            return Err(SnapError::Empty);
        }
        let (stated, data) = envelope(bytes).ok_or(SnapError::Envelope)?;
        let computed = crc32c::crc32c(data);
        let wrong = (stated != computed).then_some(SnapError::Checksum { stated, computed });
        match wire::read(data) {
            Ok(content) => Ok((Self::from_content(&content), wrong)),
            Err(_) => Err(wrong.unwrap_or(SnapError::Content)),
        }
    }

    fn from_content(content: &RaftSnapshot<'_>) -> Self {
        let metadata = content.metadata.as_deref();
        let conf_state = metadata.and_then(|metadata| metadata.conf_state.as_deref());
        Self {
            index: metadata.map_or(0, |metadata| metadata.index),
            term: metadata.map_or(0, |metadata| metadata.term),
            voters: conf_state.map_or_else(Vec::new, |state| state.voters.clone()),
            learners: conf_state.map_or_else(Vec::new, |state| state.learners.clone()),
            auto_leave: conf_state.is_some_and(|state| state.auto_leave),
            store: Store::read(content.data),
        }
    }
}

fn envelope(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let mut reader = Reader::new(bytes);
    let (mut crc, mut data) = (0, None);
    while !reader.is_at_end() {
        match reader.tag().ok()? {
            (1, 0) => crc = u32::try_from(reader.varint().ok()?).ok()?,
            (2, 2) => data = Some(reader.bytes().ok()?),
            (number, wire_type) => reader.skip(number, wire_type).ok()?,
        }
    }
    Some((crc, data?))
}

impl Store {
    /// Reads the v2 store. Newer versions of etcd may leave it empty.
    fn read(json: &[u8]) -> Result<Self, String> {
        let mut store = Self::default();
        if json.is_empty() {
            return Ok(store);
        }
        let tree: Value = serde_json::from_slice(json)
            .map_err(|error| format!("the v2 store in it cannot be read: {error}"))?;
        store.take(tree.get("Root").unwrap_or(&Value::Null));
        store.keys.arrange_by(|a, b| a.path.cmp(&b.path));
        Ok(store)
    }

    /// Adds a node of the store and everything below it. The recursion is bounded: serde_json stops at a depth of 128.
    fn take(&mut self, node: &Value) {
        let path = node.get("Path").and_then(Value::as_str).unwrap_or_default();
        let value = node
            .get("Value")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let json = || serde_json::from_str::<Value>(value).unwrap_or_default();
        match parts.as_slice() {
            ["0", "members", id, "attributes"] => {
                let json = json();
                let member = self.member(id);
                member.name = text(&json, "name");
                member.client_urls = texts(&json, "clientURLs");
            }
            ["0", "members", id, "raftAttributes"] => {
                let urls = texts(&json(), "peerURLs");
                self.member(id).peer_urls = urls;
            }
            ["0", "removed_members", id] => self.removed.push((*id).to_owned()),
            ["0", "version"] => value.clone_into(&mut self.cluster_version),
            _ => {}
        }
        let children = node.get("Children").and_then(Value::as_object);
        // Clients' keys are below /1, the cluster's own below /0 (`server/etcdserver/server.go`, `StoreKeysPrefix`).
        let below = path.strip_prefix("/1").filter(|path| path.starts_with('/'));
        if let Some(path) = below
            && children.is_none_or(serde_json::Map::is_empty)
        {
            self.keys.push(V2Key::read(node, path, value));
        }
        for child in children.into_iter().flat_map(serde_json::Map::values) {
            self.take(child);
        }
    }

    fn member(&mut self, id: &str) -> &mut Member {
        self.members.entry(id.to_owned()).or_default()
    }
}

fn text(json: &Value, name: &str) -> String {
    json.get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn texts(json: &Value, name: &str) -> Vec<String> {
    let list = json.get(name).and_then(Value::as_array);
    let texts = list.into_iter().flatten().filter_map(Value::as_str);
    texts.map(str::to_owned).collect()
}
