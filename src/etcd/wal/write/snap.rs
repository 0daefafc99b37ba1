//! The raft snapshot of a member of a new cluster: snappb.Snapshot with raftpb.Snapshot, whose data is the v2 store
//! as JSON (`server/etcdserver/api/snap/snapshotter.go`, `server/etcdserver/api/v2store/store.go`).
//!
//! The file is needed by members that join later: without it such a member looks healthy, but has no data. The list of
//! events must have as many items as its capacity, or etcd 3.4 to 3.6 panic when they add the first one.
//!
//! etcdutl 3.6 creates the members in the random order of a Go map, so its file differs from run to run. Here the
//! members are in the order of their ids, which is a possible order. etcdutl 3.5 always has this order, and counts no
//! failed get in `Stats`.

use prost::Message;

use crate::etcd::membership::{InitialCluster, NewMember, json_text};

use super::ConfState;

/// The term of a new cluster.
pub const SNAP_TERM: u64 = 1;

/// How many events the v2 store keeps in its history.
const CAPACITY: usize = 1000;

/// snappb.Snapshot.
#[derive(Clone, PartialEq, Message)]
struct SnapFile {
    #[prost(uint32, optional, tag = "1")]
    crc: Option<u32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    data: Option<Vec<u8>>,
}

/// raftpb.Snapshot.
#[derive(Clone, PartialEq, Message)]
struct Snapshot {
    #[prost(bytes = "vec", optional, tag = "1")]
    data: Option<Vec<u8>>,
    #[prost(message, optional, tag = "2")]
    metadata: Option<SnapshotMetadata>,
}

/// raftpb.SnapshotMetadata.
#[derive(Clone, PartialEq, Message)]
struct SnapshotMetadata {
    #[prost(message, optional, tag = "1")]
    conf_state: Option<ConfState>,
    #[prost(uint64, optional, tag = "2")]
    index: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    term: Option<u64>,
}

/// Name of the snapshot file.
pub fn snap_name(cluster: &InitialCluster) -> String {
    format!("{SNAP_TERM:016x}-{:016x}.snap", cluster.last_index())
}

/// The snapshot file. It is the same for all members.
pub fn snap(cluster: &InitialCluster) -> Vec<u8> {
    let content = Snapshot {
        data: Some(v2_store(cluster).into()),
        metadata: Some(SnapshotMetadata {
            conf_state: Some(ConfState::new(cluster)),
            index: Some(cluster.last_index()),
            term: Some(SNAP_TERM),
        }),
    };
    let data = content.encode_to_vec();
    let file = SnapFile {
        crc: Some(crc32c::crc32c(&data)),
        data: Some(data),
    };
    file.encode_to_vec()
}

/// The v2 store as JSON, as it is after each member was created, in the order of their ids. The index of the store is
/// the number of members. Directory `/0` is that of the cluster, and `/1` is the one for keys of clients.
fn v2_store(cluster: &InitialCluster) -> String {
    let count = cluster.members.len();
    let mut members: Vec<(String, String)> = Vec::new();
    let mut events: Vec<String> = Vec::new();
    for (member, index) in cluster.members.iter().zip(1_usize..) {
        let id = member.hex_id();
        members.push((id.clone(), member_node(member, index)));
        events.push(format!(
            "{{\"action\":\"create\",\"node\":{{\"key\":\"/0/members/{id}/raftAttributes\",\"value\":{},\
             \"modifiedIndex\":{index},\"createdIndex\":{index}}}}}",
            json_text(&member.raft_attributes())
        ));
    }
    // Go writes a map in the order of its keys, here the texts of the ids.
    members.sort_unstable();
    events.resize(CAPACITY, "null".to_owned());
    let members: Vec<String> = members
        .into_iter()
        .map(|(id, node)| format!("\"{id}\":{node}"))
        .collect();
    let members = directory("/0/members", 1, &members.join(","));
    let cluster_root = directory("/0", 0, &format!("\"members\":{members}"));
    let client_root = directory("/1", 0, "");
    let root = directory("/", 0, &format!("\"0\":{cluster_root},\"1\":{client_root}"));
    format!(
        "{{\"Root\":{root},\"WatcherHub\":{{\"EventHistory\":{{\"Queue\":{{\"Events\":[{}],\"Size\":{count},\
         \"Front\":0,\"Back\":{count},\"Capacity\":{CAPACITY}}},\"StartIndex\":1,\"LastIndex\":{count}}}}},\
         \"CurrentIndex\":{count},\"Stats\":{},\"CurrentVersion\":2}}",
        events.join(","),
        stats(count)
    )
}

/// The directory of a member, with its addresses. `index` is that of the event that created it.
fn member_node(member: &NewMember, index: usize) -> String {
    let path = format!("/0/members/{:x}", member.id);
    let attributes = node(
        &format!("{path}/raftAttributes"),
        index,
        &json_text(&member.raft_attributes()),
        "null",
    );
    directory(&path, index, &format!("\"raftAttributes\":{attributes}"))
}

/// A directory of the v2 store: a node without a value. `children` are the members of a JSON object.
fn directory(path: &str, index: usize, children: &str) -> String {
    node(path, index, "\"\"", &format!("{{{children}}}"))
}

/// A node of the v2 store. `value` and `children` are JSON; the path needs no escapes.
fn node(path: &str, index: usize, value: &str, children: &str) -> String {
    format!(
        "{{\"Path\":\"{path}\",\"CreatedIndex\":{index},\"ModifiedIndex\":{index},\
         \"ExpireTime\":\"0001-01-01T00:00:00Z\",\"Value\":{value},\"Children\":{children}}}"
    )
}

/// The counters of the v2 store: one get failed, and each member was created once.
fn stats(members: usize) -> String {
    let counters = [
        ("getsSuccess", 0),
        ("getsFail", 1),
        ("setsSuccess", 0),
        ("setsFail", 0),
        ("deleteSuccess", 0),
        ("deleteFail", 0),
        ("updateSuccess", 0),
        ("updateFail", 0),
        ("createSuccess", members),
        ("createFail", 0),
        ("compareAndSwapSuccess", 0),
        ("compareAndSwapFail", 0),
        ("compareAndDeleteSuccess", 0),
        ("compareAndDeleteFail", 0),
        ("expireCount", 0),
        ("watchers", 0),
    ];
    let counters = counters.map(|(name, count)| format!("\"{name}\":{count}"));
    format!("{{{}}}", counters.join(","))
}
