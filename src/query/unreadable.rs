//! Why the value of a record cannot be shown as an object, as data.

use crate::k8s::DecodeError;
use crate::k8s::encrypt::OpenError;

/// Why a value cannot be shown as an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// It is still encrypted.
    Encrypted(OpenError),
    /// It is not what it begins like.
    Undecodable(DecodeError),
    /// It is not an object of Kubernetes.
    NotAnObject,
}
