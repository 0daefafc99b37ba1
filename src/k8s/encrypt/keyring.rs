//! The keys that the user gave, and the search for the key of a value.

use std::borrow::Cow;
use std::fmt;

use super::cipher::{DecryptFault, Scheme};
use super::config::{Config, NamedKey, Plugin, Provider};
use super::error::{DecryptError, KeyRef, Wrapped};
use super::secret::DataKey;
use super::value::{Kms, KmsObject, SourceType};
use crate::arrange::Arrange as _;
use crate::k8s::envelope::{ENCRYPTED_PREFIX, Encrypted};
use crate::k8s::special::go_text;

/// The keys of any number of configurations, and data keys of a KMS.
#[derive(Clone, Default)]
pub struct Keyring {
    keys: Vec<NamedKey>,
    plugins: Vec<Plugin>,
    data_keys: Vec<DataKey>,
    has_config: bool,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, data_keys) = (self.keys.len(), self.data_keys.len());
        write!(f, "Keyring({keys} keys, {data_keys} data keys)")
    }
}

impl Keyring {
    /// Adds the keys of a configuration. Several keys with the same name are all kept: an API server may have used one
    /// after the other, or different ones for different resources.
    pub fn add_config(&mut self, config: Config) {
        self.has_config = true;
        for key in config.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
        self.plugins.extend(config.plugins);
    }

    /// Adds a data key or a seed of a KMS.
    pub fn add_data_key(&mut self, key: DataKey) {
        if !self.data_keys.contains(&key) {
            self.data_keys.push(key);
        }
    }

    /// Whether no configuration and no data key was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_config && self.data_keys.is_empty()
    }

    /// Decrypts a value; a value that is not encrypted is returned as it is (borrowed). Like the API server, it removes
    /// one layer: a value that was encrypted twice is returned encrypted once.
    ///
    /// `etcd_key` is the whole key under which the value was stored. `aescbc` does not authenticate, so the result for an
    /// altered value may be an altered value.
    ///
    /// # Errors
    /// Why the value cannot be decrypted.
    pub fn decrypt<'v>(
        &self,
        etcd_key: &[u8],
        value: &'v [u8],
    ) -> Result<Cow<'v, [u8]>, DecryptError> {
        let Some(head) = value.strip_prefix(ENCRYPTED_PREFIX) else {
            return Ok(Cow::Borrowed(value));
        };
        let parsed = Encrypted::parse(value).ok_or(DecryptError::Head)?;
        let decrypted = match (parsed.provider, parsed.version) {
            ("kms", "v1") => self.decrypt_kms_v1(&parsed, head, etcd_key),
            ("kms", "v2") => self.decrypt_kms_v2(&parsed, etcd_key),
            (name, "v1") => {
                let provider = Provider::ALL.into_iter().find(|known| known.name() == name);
                let provider =
                    provider.ok_or_else(|| DecryptError::UnknownProvider((&parsed).into()))?;
                self.decrypt_named(provider, &parsed, head, etcd_key)
            }
            _ => Err(DecryptError::UnknownProvider((&parsed).into())),
        };
        decrypted.map(Cow::Owned)
    }

    /// Decrypts a value with the keys whose name is in its prefix. A key is found as the API server finds it: the text
    /// after the version starts with the key's name and a colon. So a name may contain colons.
    fn decrypt_named(
        &self,
        provider: Provider,
        parsed: &Encrypted<'_>,
        head: &[u8],
        etcd_key: &[u8],
    ) -> Result<Vec<u8>, DecryptError> {
        let rest = after_version(head);
        let keys = self.keys.iter().filter(|key| key.provider == provider);
        let mut fitting: Vec<(&NamedKey, &[u8])> = keys
            .filter_map(|key| Some((key, after_name(rest, &key.name)?)))
            .collect();
        // If keys named "a" and "a:b" both fit and fail, the error is about the longer name.
        fitting.arrange_by_key(|(key, _)| std::cmp::Reverse(key.name.len()));
        let mut failed: Option<(&str, Trial<'_>)> = None;
        for (key, body) in fitting {
            let mut other = Trial::new(etcd_key);
            let trial = match &mut failed {
                Some((name, trial)) if *name == key.name => trial,
                _ => &mut other,
            };
            if let Some(plain) = trial.decrypt(provider.scheme(), key.secret.bytes(), body) {
                return Ok(plain);
            }
            failed.get_or_insert((&key.name, other));
        }
        if let Some((name, trial)) = failed {
            let mut by = KeyRef::from(parsed);
            by.key_name = name.to_owned();
            return Err(trial.error(by));
        }
        let by = KeyRef::from(parsed);
        if !self.has_config {
            return Err(DecryptError::NoConfig(by));
        }
        let given = self.keys.iter();
        let given = given.map(|key| (key.provider.name(), key.name.clone()));
        Err(DecryptError::NoKey {
            by,
            given: given.collect(),
        })
    }

    /// Decrypts a KMS v1 value with the given data keys.
    fn decrypt_kms_v1(
        &self,
        parsed: &Encrypted<'_>,
        head: &[u8],
        etcd_key: &[u8],
    ) -> Result<Vec<u8>, DecryptError> {
        // In version 1 a plugin's name may contain colons.
        let named = self.plugins.iter().filter(|plugin| plugin.version == "v1");
        let body = named
            .filter_map(|plugin| after_name(after_version(head), &plugin.name))
            .min_by_key(|body| body.len())
            .unwrap_or(parsed.body);
        let by = KeyRef::from(parsed);
        let (encrypted_dek, data) = match Kms::parse_v1(body) {
            Kms::V1 {
                encrypted_dek,
                data,
            } => (encrypted_dek, data),
            Kms::Unreadable(reason) => return Err(DecryptError::Kms { by, reason }),
            Kms::V2(_) => return Err(DecryptError::UnknownProvider(by)),
        };
        let mut trial = Trial::new(etcd_key);
        // Kubernetes 1.25 and later use GCM, older releases CBC. The value does not show which.
        for scheme in [Scheme::Gcm, Scheme::Cbc] {
            for key in &self.data_keys {
                if let Some(plain) = trial.decrypt(scheme, key.0.bytes(), data) {
                    return Ok(plain);
                }
            }
        }
        Err(trial.kms_error(Wrapped {
            by,
            key_id: None,
            annotations: Vec::new(),
            source: encrypted_dek.to_vec(),
            source_type: SourceType::Key,
            tried: self.data_keys.len(),
        }))
    }

    /// Decrypts a KMS v2 value with the given data keys or seeds.
    fn decrypt_kms_v2(
        &self,
        parsed: &Encrypted<'_>,
        etcd_key: &[u8],
    ) -> Result<Vec<u8>, DecryptError> {
        let by = KeyRef::from(parsed);
        let object = KmsObject::parse(parsed.body).map_err(|reason| DecryptError::Kms {
            by: by.clone(),
            reason,
        })?;
        let scheme = match object.source_type {
            SourceType::Key => Some(Scheme::Gcm),
            SourceType::Seed => Some(Scheme::DerivedGcm),
            SourceType::Unknown(_) => None,
        };
        let mut trial = Trial::new(etcd_key);
        for key in &self.data_keys {
            if let Some(scheme) = scheme
                && let Some(plain) = trial.decrypt(scheme, key.0.bytes(), object.encrypted_data)
            {
                return Ok(plain);
            }
        }
        let annotations = object.annotations.keys();
        Err(trial.kms_error(Wrapped {
            by,
            key_id: Some(object.key_id_text().into_owned()),
            annotations: annotations.map(|name| go_text(name).into_owned()).collect(),
            source: object.encrypted_dek_source.to_vec(),
            source_type: object.source_type,
            tried: trial.tried,
        }))
    }
}

/// The bytes after `PROVIDER:VERSION:`.
fn after_version(head: &[u8]) -> &[u8] {
    head.splitn(3, |byte| *byte == b':')
        .nth(2)
        .unwrap_or_default()
}

/// The bytes after `NAME:`; None if the bytes do not start with it.
fn after_name<'h>(rest: &'h [u8], name: &str) -> Option<&'h [u8]> {
    rest.strip_prefix(name.as_bytes())?.strip_prefix(b":")
}

/// Tries several keys on one value, and keeps the most informative failure.
struct Trial<'k> {
    etcd_key: &'k [u8],
    tried: usize,
    best_fault: Option<(DecryptFault, Scheme)>,
}

impl<'k> Trial<'k> {
    fn new(etcd_key: &'k [u8]) -> Self {
        Self {
            etcd_key,
            tried: 0,
            best_fault: None,
        }
    }

    /// Tries one key.
    fn decrypt(&mut self, scheme: Scheme, key: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        self.tried = self.tried.saturating_add(1);
        match scheme.decrypt(key, self.etcd_key, body) {
            Ok(plain) => Some(plain),
            Err(fault) => {
                if self.best_fault.is_none_or(|(best, _)| best < fault) {
                    self.best_fault = Some((fault, scheme));
                }
                None
            }
        }
    }

    /// The error for the most informative failure.
    fn error(&self, by: KeyRef) -> DecryptError {
        match self.best_fault {
            Some((DecryptFault::KeyFits, scheme)) => DecryptError::Altered {
                by,
                place: scheme.binds_etcd_key().then(|| self.etcd_key.to_vec()),
            },
            Some((DecryptFault::Cut { bytes }, _)) => DecryptError::Cut { by, bytes },
            Some((DecryptFault::WrongKey, _)) | None => DecryptError::WrongKey {
                by,
                tried: self.tried,
            },
        }
    }

    /// The same for a KMS value. Usually its data key was not given.
    fn kms_error(&self, wrapped: Wrapped) -> DecryptError {
        match self.best_fault {
            // A wrong length for CBC means nothing in KMS v1, because the value may use GCM.
            Some((DecryptFault::KeyFits, _))
            | Some((DecryptFault::Cut { .. }, Scheme::Gcm | Scheme::DerivedGcm)) => {
                self.error(wrapped.by)
            }
            _ => DecryptError::NoDataKey(Box::new(wrapped)),
        }
    }
}
