//! The files and the database contents of the members of a new data directory, for `cli`.

use crate::etcd::wal::write;

pub use crate::etcd::membership::{ClusterError, InitialCluster, NewMember, peer_urls};
pub use crate::etcd::wal::write::{FIRST_SEGMENT, SEGMENT_LEN_BYTES, SNAP_TERM, snap, snap_name};
pub use crate::etcd::write::MemberState;

/// The bytes of the log file of a member, without the zeros at its end.
pub fn log(cluster: &InitialCluster, member: &NewMember) -> Vec<u8> {
    write::log(cluster, member)
}

/// The members, the position in the log and the voters, which are the same in the database of each member.
pub fn member_state(cluster: &InitialCluster) -> MemberState {
    MemberState {
        members: cluster.bucket(),
        consistent_index: cluster.last_index(),
        term: SNAP_TERM,
        conf_state: Some(cluster.conf_state().into()),
    }
}
