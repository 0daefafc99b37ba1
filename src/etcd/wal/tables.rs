//! What etcd's requests and raft's records are made of: the declarations of `raft_internal.proto`, `rpc.proto`,
//! `auth.proto`, `membership.proto`, `etcdserver.proto` (etcd's `api/`) and `raft.proto`, `record.proto`.

use super::wire::{Field, Kind, Label, Message};

const fn field(number: u64, name: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        kind,
        label: Label::Single,
        secret: false,
    }
}

const fn repeated(number: u64, name: &'static str, kind: Kind) -> Field {
    Field {
        label: Label::Repeated,
        ..field(number, name, kind)
    }
}

const fn choice(number: u64, name: &'static str, kind: Kind) -> Field {
    Field {
        label: Label::Choice,
        ..field(number, name, kind)
    }
}

const fn secret(number: u64, name: &'static str) -> Field {
    Field {
        secret: true,
        ..field(number, name, Kind::Bytes)
    }
}

const fn bytes(number: u64, name: &'static str) -> Field {
    field(number, name, Kind::Bytes)
}

const fn int(number: u64, name: &'static str) -> Field {
    field(number, name, Kind::Int)
}

const fn uint(number: u64, name: &'static str) -> Field {
    field(number, name, Kind::Uint)
}

const fn flag(number: u64, name: &'static str) -> Field {
    field(number, name, Kind::Bool)
}

const fn message(number: u64, name: &'static str, of: &'static Message) -> Field {
    field(number, name, Kind::Message(of))
}

macro_rules! message {
    ($(#[$doc:meta])* $name:ident, $text:literal, [$($field:expr),* $(,)?]) => {
        $(#[$doc])*
        pub static $name: Message = Message {
            name: $text,
            fields: &[$($field),*],
        };
    };
}

message!(
    /// A request on its way through raft.
    INTERNAL, "InternalRaftRequest", [
        message(100, "header", &HEADER),
        uint(1, "ID"),
        message(2, "v2", &V2),
        message(3, "range", &RANGE),
        message(4, "put", &PUT),
        message(5, "delete_range", &DELETE_RANGE),
        message(6, "txn", &TXN),
        message(7, "compaction", &COMPACTION),
        message(8, "lease_grant", &LEASE_GRANT),
        message(9, "lease_revoke", &LEASE_REVOKE),
        message(10, "alarm", &ALARM),
        message(11, "lease_checkpoint", &LEASE_CHECKPOINTS),
        message(1000, "auth_enable", &NOTHING),
        message(1011, "auth_disable", &NOTHING),
        message(1013, "auth_status", &NOTHING),
        message(1012, "authenticate", &AUTHENTICATE),
        message(1100, "auth_user_add", &USER_ADD),
        message(1101, "auth_user_delete", &NAME),
        message(1102, "auth_user_get", &NAME),
        message(1103, "auth_user_change_password", &CHANGE_PASSWORD),
        message(1104, "auth_user_grant_role", &GRANT_ROLE),
        message(1105, "auth_user_revoke_role", &REVOKE_ROLE),
        message(1106, "auth_user_list", &NOTHING),
        message(1107, "auth_role_list", &NOTHING),
        message(1200, "auth_role_add", &NAME),
        message(1201, "auth_role_delete", &ROLE),
        message(1202, "auth_role_get", &ROLE),
        message(1203, "auth_role_grant_permission", &GRANT_PERMISSION),
        message(1204, "auth_role_revoke_permission", &REVOKE_PERMISSION),
        message(1300, "cluster_version_set", &VERSION_SET),
        message(1301, "cluster_member_attr_set", &ATTRIBUTES_SET),
        message(1302, "downgrade_info_set", &DOWNGRADE_SET),
        message(9900, "downgrade_version_test", &VERSION_SET),
    ]
);

message!(
    /// Who asked, and by which request.
    HEADER, "RequestHeader", [uint(1, "ID"), bytes(2, "username"), uint(3, "auth_revision")]
);

message!(
    /// A request of the v2 store: until 3.5 members and the cluster's version came this way.
    V2, "Request", [
        uint(1, "ID"),
        bytes(2, "Method"),
        bytes(3, "Path"),
        bytes(4, "Val"),
        flag(5, "Dir"),
        bytes(6, "PrevValue"),
        uint(7, "PrevIndex"),
        flag(8, "PrevExist"),
        int(9, "Expiration"),
        flag(10, "Wait"),
        uint(11, "Since"),
        flag(12, "Recursive"),
        flag(13, "Sorted"),
        flag(14, "Quorum"),
        int(15, "Time"),
        flag(16, "Stream"),
        flag(17, "Refresh"),
    ]
);

message!(
    /// A read in a transaction.
    RANGE, "RangeRequest", [
        bytes(1, "key"),
        bytes(2, "range_end"),
        int(3, "limit"),
        int(4, "revision"),
        field(5, "sort_order", Kind::Enum(&["NONE", "ASCEND", "DESCEND"])),
        field(6, "sort_target", Kind::Enum(&["KEY", "VERSION", "CREATE", "MOD", "VALUE"])),
        flag(7, "serializable"),
        flag(8, "keys_only"),
        flag(9, "count_only"),
        int(10, "min_mod_revision"),
        int(11, "max_mod_revision"),
        int(12, "min_create_revision"),
        int(13, "max_create_revision"),
    ]
);

message!(
    /// A put.
    PUT, "PutRequest", [
        bytes(1, "key"),
        bytes(2, "value"),
        int(3, "lease"),
        flag(4, "prev_kv"),
        flag(5, "ignore_value"),
        flag(6, "ignore_lease"),
    ]
);

message!(
    /// A deletion of a key, or of all from it up to another.
    DELETE_RANGE, "DeleteRangeRequest", [bytes(1, "key"), bytes(2, "range_end"), flag(3, "prev_kv")]
);

message!(
    /// Operations that are done where all comparisons hold, and others where not.
    TXN, "TxnRequest", [
        repeated(1, "compare", Kind::Message(&COMPARE)),
        repeated(2, "success", Kind::Message(&REQUEST_OP)),
        repeated(3, "failure", Kind::Message(&REQUEST_OP)),
    ]
);

message!(
    /// One operation of a transaction.
    REQUEST_OP, "RequestOp", [
        choice(1, "request_range", Kind::Message(&RANGE)),
        choice(2, "request_put", Kind::Message(&PUT)),
        choice(3, "request_delete_range", Kind::Message(&DELETE_RANGE)),
        choice(4, "request_txn", Kind::Message(&TXN)),
    ]
);

message!(
    /// A comparison of a transaction.
    COMPARE, "Compare", [
        field(1, "result", Kind::Enum(&["EQUAL", "GREATER", "LESS", "NOT_EQUAL"])),
        field(2, "target", Kind::Enum(&["VERSION", "CREATE", "MOD", "VALUE", "LEASE"])),
        bytes(3, "key"),
        choice(4, "version", Kind::Int),
        choice(5, "create_revision", Kind::Int),
        choice(6, "mod_revision", Kind::Int),
        choice(7, "value", Kind::Bytes),
        choice(8, "lease", Kind::Int),
        bytes(64, "range_end"),
    ]
);

message!(
    /// A compaction.
    COMPACTION, "CompactionRequest", [int(1, "revision"), flag(2, "physical")]
);

message!(
    /// A new lease.
    LEASE_GRANT, "LeaseGrantRequest", [int(1, "TTL"), int(2, "ID")]
);

message!(
    /// The end of a lease.
    LEASE_REVOKE, "LeaseRevokeRequest", [int(1, "ID")]
);

message!(
    /// How long leases still have.
    LEASE_CHECKPOINTS, "LeaseCheckpointRequest", [
        repeated(1, "checkpoints", Kind::Message(&LEASE_CHECKPOINT)),
    ]
);

message!(
    /// How long a lease still has.
    LEASE_CHECKPOINT, "LeaseCheckpoint", [int(1, "ID"), int(2, "remaining_TTL")]
);

message!(
    /// An alarm that is raised or taken back.
    ALARM, "AlarmRequest", [
        field(1, "action", Kind::Enum(&["GET", "ACTIVATE", "DEACTIVATE"])),
        uint(2, "memberID"),
        field(3, "alarm", Kind::Enum(&["NONE", "NOSPACE", "CORRUPT"])),
    ]
);

message!(
    /// A request that says all by being there.
    NOTHING, "Request without fields", []
);

message!(
    /// A login.
    AUTHENTICATE, "InternalAuthenticateRequest", [
        bytes(1, "name"),
        secret(2, "password"),
        secret(3, "simple_token"),
    ]
);

message!(
    /// A new user.
    USER_ADD, "AuthUserAddRequest", [
        bytes(1, "name"),
        secret(2, "password"),
        message(3, "options", &USER_OPTIONS),
        secret(4, "hashedPassword"),
    ]
);

message!(
    /// How a user logs in.
    USER_OPTIONS, "UserAddOptions", [flag(1, "no_password")]
);

message!(
    /// A request about a name.
    NAME, "Request of a name", [bytes(1, "name")]
);

message!(
    /// A request about a role.
    ROLE, "Request of a role", [bytes(1, "role")]
);

message!(
    /// Another password.
    CHANGE_PASSWORD, "AuthUserChangePasswordRequest", [
        bytes(1, "name"),
        secret(2, "password"),
        secret(3, "hashedPassword"),
    ]
);

message!(
    /// A role for a user.
    GRANT_ROLE, "AuthUserGrantRoleRequest", [bytes(1, "user"), bytes(2, "role")]
);

message!(
    /// A role less for a user.
    REVOKE_ROLE, "AuthUserRevokeRoleRequest", [bytes(1, "name"), bytes(2, "role")]
);

message!(
    /// A permission for a role.
    GRANT_PERMISSION, "AuthRoleGrantPermissionRequest", [
        bytes(1, "name"),
        message(2, "perm", &PERMISSION),
    ]
);

message!(
    /// Which keys may be read or written.
    PERMISSION, "Permission", [
        field(1, "permType", Kind::Enum(&["READ", "WRITE", "READWRITE"])),
        bytes(2, "key"),
        bytes(3, "range_end"),
    ]
);

message!(
    /// A permission less for a role.
    REVOKE_PERMISSION, "AuthRoleRevokePermissionRequest", [
        bytes(1, "role"),
        bytes(2, "key"),
        bytes(3, "range_end"),
    ]
);

message!(
    /// The version of the cluster, also one that a downgrade is tried with.
    VERSION_SET, "ClusterVersionSetRequest", [bytes(1, "ver")]
);

message!(
    /// Name and URLs of a member.
    ATTRIBUTES_SET, "ClusterMemberAttrSetRequest", [
        uint(1, "member_ID"),
        message(2, "member_attributes", &ATTRIBUTES),
    ]
);

message!(
    /// Name and URLs.
    ATTRIBUTES, "Attributes", [bytes(1, "name"), repeated(2, "client_urls", Kind::Bytes)]
);

message!(
    /// Whether a downgrade is on, and to which version.
    DOWNGRADE_SET, "DowngradeInfoSetRequest", [flag(1, "enabled"), bytes(2, "ver")]
);

/// Kinds of entries, by number.
const ENTRY_TYPES: &[&str] = &["EntryNormal", "EntryConfChange", "EntryConfChangeV2"];

/// What becomes of a member, by number.
const CHANGE_TYPES: &[&str] = &[
    "ConfChangeAddNode",
    "ConfChangeRemoveNode",
    "ConfChangeUpdateNode",
    "ConfChangeAddLearnerNode",
];

message!(
    /// An entry of raft's log.
    ENTRY, "Entry", [
        uint(2, "Term"),
        uint(3, "Index"),
        field(1, "Type", Kind::Enum(ENTRY_TYPES)),
        bytes(4, "Data"),
    ]
);

message!(
    /// What a member knows of term, vote and commit.
    HARD_STATE, "HardState", [uint(1, "term"), uint(2, "vote"), uint(3, "commit")]
);

message!(
    /// A member that comes, goes or changes.
    CONF_CHANGE, "ConfChange", [
        field(2, "type", Kind::Enum(CHANGE_TYPES)),
        uint(3, "node_id"),
        bytes(4, "context"),
        uint(1, "id"),
    ]
);

message!(
    /// Several members that come or go.
    CONF_CHANGE_V2, "ConfChangeV2", [
        field(
            1,
            "transition",
            Kind::Enum(&[
                "ConfChangeTransitionAuto",
                "ConfChangeTransitionJointImplicit",
                "ConfChangeTransitionJointExplicit",
            ])
        ),
        repeated(2, "changes", Kind::Message(&CONF_CHANGE_SINGLE)),
        bytes(3, "context"),
    ]
);

message!(
    /// One of several.
    CONF_CHANGE_SINGLE, "ConfChangeSingle", [
        field(1, "type", Kind::Enum(CHANGE_TYPES)),
        uint(2, "node_id"),
    ]
);

message!(
    /// Who votes.
    CONF_STATE, "ConfState", [
        repeated(1, "voters", Kind::Uint),
        repeated(2, "learners", Kind::Uint),
        repeated(3, "voters_outgoing", Kind::Uint),
        repeated(4, "learners_next", Kind::Uint),
        flag(5, "auto_leave"),
    ]
);

message!(
    /// The mark of a raft snapshot in the log.
    WAL_SNAPSHOT, "Snapshot", [
        uint(1, "index"),
        uint(2, "term"),
        message(3, "conf_state", &CONF_STATE),
    ]
);

message!(
    /// Whose log it is.
    METADATA, "Metadata", [uint(1, "NodeID"), uint(2, "ClusterID")]
);

message!(
    /// A raft snapshot.
    SNAPSHOT, "Snapshot", [bytes(1, "data"), message(2, "metadata", &SNAPSHOT_METADATA)]
);

message!(
    /// Of which entry a raft snapshot is.
    SNAPSHOT_METADATA, "SnapshotMetadata", [
        message(1, "conf_state", &CONF_STATE),
        uint(2, "index"),
        uint(3, "term"),
    ]
);
