//! The members of a new data directory.

use crate::etcd::wal::write;

pub use crate::etcd::membership::{ClusterError, InitialCluster, NewMember, peer_urls};
pub use crate::etcd::wal::write::{FIRST_SEGMENT, SEGMENT_LEN_BYTES, SNAP_TERM, snap, snap_name};
pub use crate::etcd::write::MemberState;

/// The records of the log of a member.
pub fn log(cluster: &InitialCluster, member: &NewMember) -> Vec<u8> {
    write::log(cluster, member)
}

/// What the database of each member has of the cluster.
pub fn member_state(cluster: &InitialCluster) -> MemberState {
    MemberState {
        members: cluster.bucket(),
        consistent_index: cluster.last_index(),
        term: SNAP_TERM,
        conf_state: Some(cluster.conf_state().into()),
    }
}
