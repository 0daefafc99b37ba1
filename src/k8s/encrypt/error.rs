//! Why a value could not be decrypted, worded for the person who has to find the key.

use std::fmt;

use super::value::SourceType;
use crate::diag::shown;
use crate::k8s::decode::shown_name;
use crate::k8s::envelope::Encrypted;
use crate::wire::WireError;

/// The number of names that a message lists.
const LISTED: usize = 8;

/// The provider and key of an encrypted value, from its prefix. The texts may be hostile and are shown only if they can
/// be names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRef {
    /// `aescbc`, `aesgcm`, `secretbox` or `kms`.
    pub provider: String,
    /// `v1` or `v2`.
    pub version: String,
    /// The name of the key, or of the KMS plugin.
    pub key_name: String,
}

impl From<&Encrypted<'_>> for KeyRef {
    fn from(head: &Encrypted<'_>) -> Self {
        Self {
            provider: head.provider.to_owned(),
            version: head.version.to_owned(),
            key_name: head.key_name.to_owned(),
        }
    }
}

impl fmt::Display for KeyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.provider.as_str() {
            "kms" => "KMS plugin",
            _ => "key",
        };
        let [provider, version] =
            [&self.provider, &self.version].map(|name| shown_name(name).replace('"', ""));
        write!(
            f,
            "encrypted at rest by {provider} {version}, {what} {}",
            shown_name(&self.key_name)
        )
    }
}

/// Why a value could not be decrypted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    /// The value starts with `k8s:enc:`, but provider, version or key name is missing.
    #[error(
        "the value starts with k8s:enc:, but the provider, version or key name after it is damaged or cut off"
    )]
    Head,
    /// The provider, or its version, does not exist in Kubernetes up to 1.37.
    #[error("{0}: an unknown provider")]
    UnknownProvider(KeyRef),
    /// No configuration was given.
    #[error("{0}, and no EncryptionConfiguration was given")]
    NoConfig(KeyRef),
    /// The given configurations have no key of this name.
    #[error("{by}, and the given EncryptionConfiguration has no such key: {}", listed(.given))]
    NoKey {
        /// The key that the value needs.
        by: KeyRef,
        /// The keys that were given: provider and name.
        given: Vec<(&'static str, String)>,
    },
    /// The key gives nothing that looks like a stored value.
    #[error("{by}, but {}: a wrong key of that name, or an altered value", none_decrypts(*.tried))]
    WrongKey {
        /// The key that the value needs.
        by: KeyRef,
        /// The number of keys of that name that were tried.
        tried: usize,
    },
    /// The first decrypted bytes are those of a stored value, so the key is right, but the rest does not fit.
    #[error("{by}; the key fits, but the value was altered or cut{}", .place.as_ref().map(|key| format!(
        ", or was stored under another key than {}: it can be decrypted only under its own key, not as a copy and not under another prefix",
        shown(key)
    )).unwrap_or_default())]
    Altered {
        /// The key that the value needs.
        by: KeyRef,
        /// The etcd key with which it was tried, if the cipher binds the value to it.
        place: Option<Vec<u8>>,
    },
    /// The value is shorter than any value of this provider, or has no whole number of cipher blocks.
    #[error("{by}, but the value is cut off: {bytes} bytes follow the key name")]
    Cut {
        /// The key that the value needs.
        by: KeyRef,
        /// The number of bytes after the prefix.
        bytes: usize,
    },
    /// The data after the prefix of a KMS value cannot be parsed.
    #[error("{by}, but the value is cut or damaged: {reason}")]
    Kms {
        /// The KMS plugin that the value needs.
        by: KeyRef,
        /// Offsets are from the end of the prefix.
        reason: WireError,
    },
    /// The data key must be unwrapped by the KMS.
    #[error("{0}")]
    NoDataKey(Box<Wrapped>),
}

/// A wrapped data key, which the KMS has to unwrap before the value can be decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The KMS plugin that the value needs.
    pub by: KeyRef,
    /// The id of the key with which the plugin wrapped the data key; KMS v1 has none.
    pub key_id: Option<String>,
    /// The names of the annotations that the plugin needs for unwrapping.
    pub annotations: Vec<String>,
    /// The wrapped data key or seed.
    pub source: Vec<u8>,
    /// What is wrapped.
    pub source_type: SourceType,
    /// The number of data keys that were tried.
    pub tried: usize,
}

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.by)?;
        if let Some(key_id) = &self.key_id {
            write!(f, ", key id {}", shown_name(key_id))?;
        }
        if !self.annotations.is_empty() {
            let names = self.annotations.iter().take(LISTED);
            let names: Vec<String> = names.map(|name| shown_name(name)).collect();
            write!(f, ", annotations {}", names.join(", "))?;
        }
        let what = match (&self.key_id, self.source_type) {
            (None, _) => "encrypted data key",
            (_, SourceType::Key) => "encryptedDEKSource, a data key",
            (_, SourceType::Seed) => "encryptedDEKSource, a seed of data keys",
            (_, SourceType::Unknown(_)) => "encryptedDEKSource, of an unknown type",
        };
        let bytes = self.source.len();
        match self.tried {
            0 => write!(
                f,
                ": the KMS must unwrap its data key first ({bytes} bytes of {what})"
            ),
            tried => write!(
                f,
                ": {}; it needs what the KMS unwraps from its {bytes} bytes of {what}",
                none_decrypts(tried)
            ),
        }
    }
}

fn none_decrypts(tried: usize) -> String {
    match tried {
        1 => "the given key does not decrypt it".to_owned(),
        more => format!("none of the {more} given keys decrypts it"),
    }
}

/// The names of the given keys, at most [`LISTED`] of them.
fn listed(given: &[(&'static str, String)]) -> String {
    if given.is_empty() {
        return "it has no keys".to_owned();
    }
    let names = given.iter().take(LISTED);
    let names: Vec<String> = names
        .map(|(provider, name)| format!("{provider} {}", shown_name(name)))
        .collect();
    let more = match given.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("it has {}{more}", names.join(", "))
}
