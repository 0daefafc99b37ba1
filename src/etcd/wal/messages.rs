//! The messages in the log: etcd's requests and raft's records, as declared in `raft_internal.proto`, `rpc.proto`,
//! `auth.proto`, `membership.proto`, `etcdserver.proto` (etcd's `api/`) and `raft.proto`, `record.proto`.

mod compare;
mod kv;

use super::wire::{Secret, messages, open_enums};

pub use compare::{Compare, CompareResult, CompareTarget, CompareValue};
pub use kv::{
    DeleteRangeRequest, Operation, PutRequest, RangeRequest, RequestOp, SortOrder, SortTarget,
    TxnRequest,
};

open_enums! {
    /// What is done with an alarm.
    AlarmAction {
        GET = 0 "GET",
        ACTIVATE = 1 "ACTIVATE",
        DEACTIVATE = 2 "DEACTIVATE",
    }

    /// The kind of an alarm.
    AlarmType {
        NONE = 0 "NONE",
        NOSPACE = 1 "NOSPACE",
        CORRUPT = 2 "CORRUPT",
    }

    /// What a permission allows.
    PermissionType {
        READ = 0 "READ",
        WRITE = 1 "WRITE",
        READWRITE = 2 "READWRITE",
    }

    /// The kind of an entry of raft's log.
    EntryType {
        NORMAL = 0 "EntryNormal",
        CONF_CHANGE = 1 "EntryConfChange",
        CONF_CHANGE_V2 = 2 "EntryConfChangeV2",
    }

    /// What happens to a member.
    ConfChangeType {
        ADD_NODE = 0 "ConfChangeAddNode",
        REMOVE_NODE = 1 "ConfChangeRemoveNode",
        UPDATE_NODE = 2 "ConfChangeUpdateNode",
        ADD_LEARNER_NODE = 3 "ConfChangeAddLearnerNode",
    }

    /// How several members change at once.
    ConfChangeTransition {
        AUTO = 0 "ConfChangeTransitionAuto",
        JOINT_IMPLICIT = 1 "ConfChangeTransitionJointImplicit",
        JOINT_EXPLICIT = 2 "ConfChangeTransitionJointExplicit",
    }
}

messages! {
    /// A request on its way through raft.
    InternalRaftRequest "InternalRaftRequest" {
        100 "header" header: Option<Box<RequestHeader<'a>>>,
        1 "ID" id: u64,
        2 "v2" v2: Option<Box<V2Request<'a>>>,
        3 "range" range: Option<Box<RangeRequest<'a>>>,
        4 "put" put: Option<Box<PutRequest<'a>>>,
        5 "delete_range" delete_range: Option<Box<DeleteRangeRequest<'a>>>,
        6 "txn" txn: Option<Box<TxnRequest<'a>>>,
        7 "compaction" compaction: Option<Box<CompactionRequest<'a>>>,
        8 "lease_grant" lease_grant: Option<Box<LeaseGrantRequest<'a>>>,
        9 "lease_revoke" lease_revoke: Option<Box<LeaseRevokeRequest<'a>>>,
        10 "alarm" alarm: Option<Box<AlarmRequest<'a>>>,
        11 "lease_checkpoint" lease_checkpoint: Option<Box<LeaseCheckpointRequest<'a>>>,
        1000 "auth_enable" auth_enable: Option<Box<EmptyRequest<'a>>>,
        1011 "auth_disable" auth_disable: Option<Box<EmptyRequest<'a>>>,
        1013 "auth_status" auth_status: Option<Box<EmptyRequest<'a>>>,
        1012 "authenticate" authenticate: Option<Box<InternalAuthenticateRequest<'a>>>,
        1100 "auth_user_add" auth_user_add: Option<Box<AuthUserAddRequest<'a>>>,
        1101 "auth_user_delete" auth_user_delete: Option<Box<NameRequest<'a>>>,
        1102 "auth_user_get" auth_user_get: Option<Box<NameRequest<'a>>>,
        1103 "auth_user_change_password" auth_user_change_password: Option<Box<AuthUserChangePasswordRequest<'a>>>,
        1104 "auth_user_grant_role" auth_user_grant_role: Option<Box<AuthUserGrantRoleRequest<'a>>>,
        1105 "auth_user_revoke_role" auth_user_revoke_role: Option<Box<AuthUserRevokeRoleRequest<'a>>>,
        1106 "auth_user_list" auth_user_list: Option<Box<EmptyRequest<'a>>>,
        1107 "auth_role_list" auth_role_list: Option<Box<EmptyRequest<'a>>>,
        1200 "auth_role_add" auth_role_add: Option<Box<NameRequest<'a>>>,
        1201 "auth_role_delete" auth_role_delete: Option<Box<RoleRequest<'a>>>,
        1202 "auth_role_get" auth_role_get: Option<Box<RoleRequest<'a>>>,
        1203 "auth_role_grant_permission" auth_role_grant_permission: Option<Box<AuthRoleGrantPermissionRequest<'a>>>,
        1204 "auth_role_revoke_permission" auth_role_revoke_permission: Option<Box<AuthRoleRevokePermissionRequest<'a>>>,
        1300 "cluster_version_set" cluster_version_set: Option<Box<ClusterVersionSetRequest<'a>>>,
        1301 "cluster_member_attr_set" cluster_member_attr_set: Option<Box<ClusterMemberAttrSetRequest<'a>>>,
        1302 "downgrade_info_set" downgrade_info_set: Option<Box<DowngradeInfoSetRequest<'a>>>,
        9900 "downgrade_version_test" downgrade_version_test: Option<Box<ClusterVersionSetRequest<'a>>>,
    }

    /// Who sent a request, and its number.
    RequestHeader "RequestHeader" {
        1 "ID" id: u64,
        2 "username" username: &'a [u8],
        3 "auth_revision" auth_revision: u64,
    }

    /// A request of the v2 store. Up to 3.5 the members and the cluster's version were written this way.
    V2Request "Request" {
        1 "ID" id: u64,
        2 "Method" method: &'a [u8],
        3 "Path" path: &'a [u8],
        4 "Val" val: &'a [u8],
        5 "Dir" dir: bool,
        6 "PrevValue" prev_value: &'a [u8],
        7 "PrevIndex" prev_index: u64,
        8 "PrevExist" prev_exist: bool,
        9 "Expiration" expiration: i64,
        10 "Wait" wait: bool,
        11 "Since" since: u64,
        12 "Recursive" recursive: bool,
        13 "Sorted" sorted: bool,
        14 "Quorum" quorum: bool,
        15 "Time" time: i64,
        16 "Stream" stream: bool,
        17 "Refresh" refresh: bool,
    }

    /// A compaction.
    CompactionRequest "CompactionRequest" {
        1 "revision" revision: i64,
        2 "physical" physical: bool,
    }

    /// A new lease.
    LeaseGrantRequest "LeaseGrantRequest" {
        1 "TTL" ttl: i64,
        2 "ID" id: i64,
    }

    /// The end of a lease.
    LeaseRevokeRequest "LeaseRevokeRequest" {
        1 "ID" id: i64,
    }

    /// The remaining times of leases.
    LeaseCheckpointRequest "LeaseCheckpointRequest" {
        1 "checkpoints" checkpoints: Vec<LeaseCheckpoint<'a>>,
    }

    /// The remaining time of a lease.
    LeaseCheckpoint "LeaseCheckpoint" {
        1 "ID" id: i64,
        2 "remaining_TTL" remaining_ttl: i64,
    }

    /// An alarm that is raised or disarmed.
    AlarmRequest "AlarmRequest" {
        1 "action" action: AlarmAction,
        2 "memberID" member_id: u64,
        3 "alarm" alarm: AlarmType,
    }

    /// A request without fields.
    EmptyRequest "Request without fields" {}

    /// A login.
    InternalAuthenticateRequest "InternalAuthenticateRequest" {
        1 "name" user: &'a [u8],
        2 "password" password: Secret<'a>,
        3 "simple_token" simple_token: Secret<'a>,
    }

    /// A new user.
    AuthUserAddRequest "AuthUserAddRequest" {
        1 "name" user: &'a [u8],
        2 "password" password: Secret<'a>,
        3 "options" options: Option<Box<UserAddOptions<'a>>>,
        4 "hashedPassword" hashed_password: Secret<'a>,
    }

    /// How a user logs in.
    UserAddOptions "UserAddOptions" {
        1 "no_password" no_password: bool,
    }

    /// A request about a name.
    NameRequest "Request of a name" {
        1 "name" subject: &'a [u8],
    }

    /// A request about a role.
    RoleRequest "Request of a role" {
        1 "role" role: &'a [u8],
    }

    /// Another password for a user.
    AuthUserChangePasswordRequest "AuthUserChangePasswordRequest" {
        1 "name" user: &'a [u8],
        2 "password" password: Secret<'a>,
        3 "hashedPassword" hashed_password: Secret<'a>,
    }

    /// Gives a role to a user.
    AuthUserGrantRoleRequest "AuthUserGrantRoleRequest" {
        1 "user" user: &'a [u8],
        2 "role" role: &'a [u8],
    }

    /// Takes a role from a user.
    AuthUserRevokeRoleRequest "AuthUserRevokeRoleRequest" {
        1 "name" user: &'a [u8],
        2 "role" role: &'a [u8],
    }

    /// Gives a permission to a role.
    AuthRoleGrantPermissionRequest "AuthRoleGrantPermissionRequest" {
        1 "name" role: &'a [u8],
        2 "perm" permission: Option<Box<Permission<'a>>>,
    }

    /// Which keys may be read or written.
    Permission "Permission" {
        1 "permType" permission_type: PermissionType,
        2 "key" key: &'a [u8],
        3 "range_end" range_end: &'a [u8],
    }

    /// Takes a permission from a role.
    AuthRoleRevokePermissionRequest "AuthRoleRevokePermissionRequest" {
        1 "role" role: &'a [u8],
        2 "key" key: &'a [u8],
        3 "range_end" range_end: &'a [u8],
    }

    /// The version of the cluster, also one that a downgrade is tried with.
    ClusterVersionSetRequest "ClusterVersionSetRequest" {
        1 "ver" version: &'a [u8],
    }

    /// Name and URLs of a member.
    ClusterMemberAttrSetRequest "ClusterMemberAttrSetRequest" {
        1 "member_ID" member_id: u64,
        2 "member_attributes" member_attributes: Option<Box<Attributes<'a>>>,
    }

    /// Name and URLs.
    Attributes "Attributes" {
        1 "name" member: &'a [u8],
        2 "client_urls" client_urls: Vec<&'a [u8]>,
    }

    /// Whether a downgrade is on, and to which version.
    DowngradeInfoSetRequest "DowngradeInfoSetRequest" {
        1 "enabled" enabled: bool,
        2 "ver" version: &'a [u8],
    }

    /// An entry of raft's log.
    RaftEntry "Entry" {
        2 "Term" term: u64,
        3 "Index" index: u64,
        1 "Type" entry_type: EntryType,
        4 "Data" data: &'a [u8],
    }

    /// Term, vote and commit of a member.
    RaftHardState "HardState" {
        1 "term" term: u64,
        2 "vote" vote: u64,
        3 "commit" commit: u64,
    }

    /// A change of one member.
    ConfChange "ConfChange" {
        2 "type" change_type: ConfChangeType,
        3 "node_id" node_id: u64,
        4 "context" context: &'a [u8],
        1 "id" id: u64,
    }

    /// A change of several members.
    ConfChangeV2 "ConfChangeV2" {
        1 "transition" transition: ConfChangeTransition,
        2 "changes" changes: Vec<ConfChangeSingle<'a>>,
        3 "context" context: &'a [u8],
    }

    /// One of several changes.
    ConfChangeSingle "ConfChangeSingle" {
        1 "type" change_type: ConfChangeType,
        2 "node_id" node_id: u64,
    }

    /// Which members vote.
    ConfState "ConfState" {
        1 "voters" voters: Vec<u64>,
        2 "learners" learners: Vec<u64>,
        3 "voters_outgoing" voters_outgoing: Vec<u64>,
        4 "learners_next" learners_next: Vec<u64>,
        5 "auto_leave" auto_leave: bool,
    }

    /// The mark of a raft snapshot in the log.
    WalSnapshot "Snapshot" {
        1 "index" index: u64,
        2 "term" term: u64,
        3 "conf_state" conf_state: Option<Box<ConfState<'a>>>,
    }

    /// Member and cluster of a log.
    WalMetadata "Metadata" {
        1 "NodeID" node_id: u64,
        2 "ClusterID" cluster_id: u64,
    }

    /// A raft snapshot.
    RaftSnapshot "Snapshot" {
        1 "data" data: &'a [u8],
        2 "metadata" metadata: Option<Box<SnapshotMetadata<'a>>>,
    }

    /// The entry that a raft snapshot ends with.
    SnapshotMetadata "SnapshotMetadata" {
        1 "conf_state" conf_state: Option<Box<ConfState<'a>>>,
        2 "index" index: u64,
        3 "term" term: u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::etcd::wal::wire::{self, Label, Message, Value, WireError};

    fn names(message: &dyn Message<'_>) -> Vec<&'static str> {
        message.fields().iter().map(|field| field.name).collect()
    }

    #[test]
    fn a_put_is_read_into_named_fields_and_lists_those_that_are_present() {
        let bytes = [&[0x0a, 1, b'k', 0x12, 1, b'v', 0x18, 7, 0x28, 0][..]].concat();
        let put: PutRequest<'_> = wire::read(&bytes).unwrap();
        assert_eq!((put.key, put.value, put.lease), (&b"k"[..], &b"v"[..], 7));
        assert_eq!(names(&put), ["key", "value", "lease", "ignore_value"]);
    }

    #[test]
    fn of_a_oneof_the_last_field_counts_even_if_it_is_empty() {
        let bytes = [0x12, 3, 0x0a, 1, b'k', 0x1a, 0];
        let op: RequestOp<'_> = wire::read(&bytes).unwrap();
        assert!(matches!(op.operation, Some(Operation::DeleteRange(_))));
        assert_eq!(names(&op), ["request_delete_range"]);
        let compare: Compare<'_> = wire::read(&[0x30, 9, 0x20, 0]).unwrap();
        assert_eq!(compare.value, Some(CompareValue::Version(0)));
        assert_eq!(compare.mod_revision(), 0);
        let field = compare.fields().remove(0);
        assert_eq!((field.name, field.label), ("version", Label::Choice));
    }

    #[test]
    fn messages_of_a_single_field_are_merged_and_those_of_a_repeated_one_are_not() {
        let bytes = [0x22, 3, 0x0a, 1, b'k', 0x22, 3, 0x12, 1, b'v'];
        let request: InternalRaftRequest<'_> = wire::read(&bytes).unwrap();
        let put = request.put.unwrap();
        assert_eq!((put.key, put.value), (&b"k"[..], &b"v"[..]));
        let txn: TxnRequest<'_> = wire::read(&[0x0a, 0, 0x0a, 0]).unwrap();
        assert_eq!(txn.compare.len(), 2);
    }

    #[test]
    fn repeated_numbers_are_read_packed_or_one_by_one() {
        let state: ConfState<'_> = wire::read(&[0x0a, 2, 1, 2, 0x08, 3]).unwrap();
        assert_eq!(state.voters, [1, 2, 3]);
        let fields = state.fields();
        assert_eq!(fields[0].values.len(), 3);
        assert!(matches!(fields[0].values[0], Value::Uint(1)));
    }

    #[test]
    fn an_unknown_field_is_skipped_and_a_known_one_of_another_wire_type_is_an_error() {
        let put: PutRequest<'_> = wire::read(&[0x78, 1, 0x18, 5]).unwrap();
        assert_eq!((put.lease, names(&put)), (5, vec!["lease"]));
        let wrong: Result<PutRequest<'_>, _> = wire::read(&[0x08, 1]);
        assert_eq!(wrong, Err(WireError::WireType(1)));
    }
}
