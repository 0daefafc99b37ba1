//! Encryption at rest: decrypts what the API server encrypted with the providers of its EncryptionConfiguration.
//!
//! [`config`] parses such a configuration. [`Keyring`] holds the keys of one or more configurations and decrypts values.
//! [`value`] parses an encrypted value as far as that is possible without a key. [`DecryptError`] is the reason why a value
//! could not be decrypted.
//!
//! | prefix of the value | after it | bound to its etcd key |
//! |---|---|---|
//! | `k8s:enc:aescbc:v1:NAME:` | IV (16 bytes), AES-CBC with PKCS7 | no, and not authenticated |
//! | `k8s:enc:aesgcm:v1:NAME:` | nonce (12), AES-GCM, tag (16) | yes |
//! | `k8s:enc:secretbox:v1:NAME:` | nonce (24), tag (16), XSalsa20 | no |
//! | `k8s:enc:kms:v1:PLUGIN:` | length (2), wrapped data key, then as aesgcm (1.25 and later) or as aescbc (before) | as aesgcm or aescbc |
//! | `k8s:enc:kms:v2:PLUGIN:` | a protobuf message, see [`value::KmsObject`] | yes |
//!
//! "Bound" means that the value can be decrypted only together with the etcd key under which it was written.
//!
//! AES keys have 16, 24 or 32 bytes, all other keys 32. Upstream: apiserver's `pkg/storage/value/encrypt` and
//! `pkg/server/options/encryptionconfig` (0.37).
//!
//! **Invariant:** no key is printed. Types that hold a key have no `Debug` that shows it, no error quotes the `secret` of
//! a configuration, and keys are overwritten when they are dropped.

mod cipher;
pub mod config;
mod error;
mod keyring;
mod secret;
mod tree;
pub mod value;

pub use config::{Config, ConfigError};
pub use error::{DecryptError, KeyRef};
pub use keyring::Keyring;
pub use secret::{DataKey, DataKeyError};
pub use value::EncryptedValue;
