//! Encryption at rest: what the API server wrote through the providers of its EncryptionConfiguration.
//!
//! [`config`] reads such a configuration, [`Keyring`] holds the keys of one or more of them and
//! opens values, [`sealed`] tells of an encrypted value what can be told without a key, [`OpenError`]
//! says why a value stays closed.
//!
//! | head of the value | behind it | bound to its etcd key |
//! |---|---|---|
//! | `k8s:enc:aescbc:v1:NAME:` | IV (16 bytes), AES-CBC with PKCS7 | no, and not authenticated |
//! | `k8s:enc:aesgcm:v1:NAME:` | nonce (12), AES-GCM, tag (16) | yes |
//! | `k8s:enc:secretbox:v1:NAME:` | nonce (24), tag (16), XSalsa20 | no |
//! | `k8s:enc:kms:v1:PLUGIN:` | length (2), wrapped data key, then as aesgcm; as aescbc before 1.25 | yes; no |
//! | `k8s:enc:kms:v2:PLUGIN:` | a protobuf message, see [`sealed::KmsObject`] | yes |
//!
//! AES keys have 16, 24 or 32 bytes, all others 32. Upstream: apiserver's `pkg/storage/value/encrypt` and
//! `pkg/server/options/encryptionconfig` (0.37).
//!
//! **Invariant:** no key is printed: types that hold one have no `Debug` that shows it, no error quotes
//! what a configuration has under `secret`, and keys are overwritten when they are dropped.

mod cipher;
pub mod config;
mod error;
mod keyring;
pub mod sealed;
mod secret;
mod tree;

pub use config::{Config, ConfigError};
pub use error::{KeyRef, OpenError};
pub use keyring::Keyring;
pub use sealed::Sealed;
pub use secret::{DataKey, DataKeyError};
