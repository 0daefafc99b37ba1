//! Why the value of a record cannot be shown as an object, as data.

use crate::k8s::DecodeError;
use crate::k8s::encrypt::DecryptError;

/// Why a value cannot be shown as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is still encrypted.
    Encrypted(DecryptError),
    /// It is not what it begins like.
    Undecodable(DecodeError),
    /// It is not an object of Kubernetes.
    NotAnObject,
    /// It is not stored as protobuf.
    NotProtobuf(StoredAs),
}

/// How a value is stored that is not protobuf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredAs {
    /// JSON.
    Json,
    /// CBOR.
    Cbor,
    /// Any other text.
    Text,
}

impl Unreadable {
    /// Whether the value may be decrypted only together with the key under which it is stored.
    pub fn may_need_key(&self) -> bool {
        matches!(
            self,
            Self::Encrypted(DecryptError::Altered { .. } | DecryptError::NoDataKey(_))
        )
    }
}

impl From<DecodeError> for Unreadable {
    fn from(error: DecodeError) -> Self {
        Self::Undecodable(error)
    }
}
