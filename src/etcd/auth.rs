//! Buckets `authUsers` and `authRoles`: authpb.User and authpb.Role by name
//! (`api/authpb/auth.proto`). Passwords are bcrypt texts.

use prost::Message;

/// authpb.User.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct User {
    /// Name.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// bcrypt hash of the password.
    #[prost(bytes = "vec", tag = "2")]
    pub password: Vec<u8>,
    /// Names of the granted roles.
    #[prost(string, repeated, tag = "3")]
    pub roles: Vec<String>,
    /// Options (3.4 and later).
    #[prost(message, optional, tag = "4")]
    pub options: Option<UserAddOptions>,
}

/// authpb.UserAddOptions.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct UserAddOptions {
    /// The user has no password and signs in by certificate only.
    #[prost(bool, tag = "1")]
    pub no_password: bool,
}

/// authpb.Role.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Role {
    /// Name.
    #[prost(bytes = "vec", tag = "1")]
    pub name: Vec<u8>,
    /// What it grants.
    #[prost(message, repeated, tag = "2")]
    pub key_permission: Vec<Permission>,
}

/// authpb.Permission.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Permission {
    /// 0 read, 1 write, 2 both.
    #[prost(enumeration = "PermissionType", tag = "1")]
    pub perm_type: i32,
    /// First key.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    /// Absent: this key only. One zero byte: every key from `key` on. Else the first key not covered.
    #[prost(bytes = "vec", tag = "3")]
    pub range_end: Vec<u8>,
}

/// authpb.Permission.Type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum PermissionType {
    /// `READ`
    Read = 0,
    /// `WRITE`
    Write = 1,
    /// `READWRITE`
    ReadWrite = 2,
}

impl PermissionType {
    /// etcd's name for a permission type, when it has one.
    pub fn name_of(value: i32) -> Option<&'static str> {
        match Self::try_from(value).ok()? {
            Self::Read => Some("READ"),
            Self::Write => Some("WRITE"),
            Self::ReadWrite => Some("READWRITE"),
        }
    }
}
