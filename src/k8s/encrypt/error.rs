//! Why a value stays closed, as a sentence for who has to find the key.

use std::fmt;

use super::sealed::SourceType;
use crate::diag::shown;
use crate::k8s::decode::shown_name;
use crate::k8s::envelope::Encrypted;
use crate::wire::WireError;

/// How many names a message lists.
const LISTED: usize = 8;

/// By what a value was encrypted, as its head says. Hostile text: shown only where it can be a name.
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
pub enum OpenError {
    /// It begins with `k8s:enc:`, and no provider, version and key name follow.
    #[error("it begins as a value encrypted at rest, but its head is damaged or cut")]
    Head,
    /// A provider or a version of one which Kubernetes up to 1.37 does not have.
    #[error("{0}: an unknown provider")]
    UnknownProvider(KeyRef),
    /// There is no key at all.
    #[error("{0}, and no EncryptionConfiguration was given")]
    NoConfig(KeyRef),
    /// There is no key of this name.
    #[error("{by}, and the given EncryptionConfiguration has no such key: {}", listed(.given))]
    NoKey {
        /// What it wants.
        by: KeyRef,
        /// The keys there are: provider and name.
        given: Vec<(&'static str, String)>,
    },
    /// The value does not open, and what comes out does not look like a value either.
    #[error("{by}, but {}: a wrong key of that name, or an altered value", none_opens(*.tried))]
    WrongKey {
        /// What it wants.
        by: KeyRef,
        /// How many keys of that name were tried.
        tried: usize,
    },
    /// The first bytes come out as those of a value: the key is the right one.
    #[error("{by}; the key fits, but the value was altered or cut{}", .place.as_ref().map(|key| format!(
        ", or was stored under another key than {}: it opens only where it was written, not as a copy and not under another prefix",
        shown(key)
    )).unwrap_or_default())]
    Altered {
        /// What it wants.
        by: KeyRef,
        /// The etcd key that it was tried with, where the cipher binds the value to it.
        place: Option<Vec<u8>>,
    },
    /// Fewer bytes than any value of this kind has, or no whole number of blocks.
    #[error("{by}, but the value is cut: {bytes} bytes are left behind its head")]
    Cut {
        /// What it wants.
        by: KeyRef,
        /// How many bytes are behind the head.
        bytes: usize,
    },
    /// What is behind the head of a value of KMS cannot be read.
    #[error("{by}, but the value is cut or damaged: {reason}")]
    Kms {
        /// What it wants.
        by: KeyRef,
        /// Offsets are from the end of the head.
        reason: WireError,
    },
    /// The data key is wrapped by a KMS.
    #[error("{0}")]
    NoDataKey(Box<Wrapped>),
}

/// What a KMS has to unwrap before a value can be decrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// What the value wants.
    pub by: KeyRef,
    /// The plugin's name of the key that wraps; KMS v1 has none.
    pub key_id: Option<String>,
    /// Names of the annotations which the plugin wants to see.
    pub annotations: Vec<String>,
    /// The wrapped key or seed.
    pub source: Vec<u8>,
    /// What it is the wrapping of.
    pub source_type: SourceType,
    /// How many data keys were tried.
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
                ": {}; it wants what the KMS unwraps from its {bytes} bytes of {what}",
                none_opens(tried)
            ),
        }
    }
}

fn none_opens(tried: usize) -> String {
    match tried {
        1 => "the given key does not decrypt it".to_owned(),
        more => format!("none of the {more} given keys decrypts it"),
    }
}

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
