//! The keys at hand, and how a value finds its own.

use std::borrow::Cow;
use std::fmt;

use super::cipher::{Fault, Scheme};
use super::config::{Config, NamedKey, Plugin, Provider};
use super::error::{KeyRef, OpenError, Wrapped};
use super::sealed::{Kms, KmsObject, SourceType};
use super::secret::DataKey;
use crate::k8s::envelope::{ENCRYPTED_PREFIX, Encrypted};
use crate::k8s::special::go_text;

/// The keys of any number of configurations, and data keys of KMS. Empty, it opens what is not
/// encrypted.
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
    /// Takes the keys of a configuration. Keys of one name are all kept: one API server may have had
    /// one after the other, or one for each resource.
    pub fn add_config(&mut self, config: Config) {
        self.has_config = true;
        for key in config.keys {
            if !self.keys.contains(&key) {
                self.keys.push(key);
            }
        }
        self.plugins.extend(config.plugins);
    }

    /// Takes a data-encryption key or a seed of KMS.
    pub fn add_data_key(&mut self, key: DataKey) {
        if !self.data_keys.contains(&key) {
            self.data_keys.push(key);
        }
    }

    /// Whether nothing was given.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.has_config && self.data_keys.is_empty()
    }

    /// The value as it was before it was encrypted; one that is not encrypted is borrowed. One layer is
    /// taken off, as the API server does: what is encrypted twice comes back encrypted once.
    ///
    /// `etcd_key` is the whole key under which the value was stored. `aescbc` does not authenticate: an
    /// altered value may come back altered.
    ///
    /// # Errors
    /// Why it stays closed.
    pub fn open<'v>(&self, etcd_key: &[u8], value: &'v [u8]) -> Result<Cow<'v, [u8]>, OpenError> {
        let Some(head) = value.strip_prefix(ENCRYPTED_PREFIX) else {
            return Ok(Cow::Borrowed(value));
        };
        let parsed = Encrypted::parse(value).ok_or(OpenError::Head)?;
        let opened = match (parsed.provider, parsed.version) {
            ("kms", "v1") => self.open_kms_v1(&parsed, head, etcd_key),
            ("kms", "v2") => self.open_kms_v2(&parsed, etcd_key),
            (name, "v1") => {
                let provider = Provider::ALL.into_iter().find(|known| known.name() == name);
                let provider =
                    provider.ok_or_else(|| OpenError::UnknownProvider((&parsed).into()))?;
                self.open_named(provider, &parsed, head, etcd_key)
            }
            _ => Err(OpenError::UnknownProvider((&parsed).into())),
        };
        opened.map(Cow::Owned)
    }

    /// A key is found as the API server finds it: its name and a colon begin what follows the version. So
    /// a name may have colons.
    fn open_named(
        &self,
        provider: Provider,
        parsed: &Encrypted<'_>,
        head: &[u8],
        etcd_key: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let rest = behind_version(head);
        let keys = self.keys.iter().filter(|key| key.provider == provider);
        let mut fitting: Vec<(&NamedKey, &[u8])> = keys
            .filter_map(|key| Some((key, behind_name(rest, &key.name)?)))
            .collect();
        // Of "a" and "a:b", what is wrong with the longer one is what is wrong.
        fitting.sort_by_key(|(key, _)| std::cmp::Reverse(key.name.len()));
        let mut failed: Option<(&str, Trial<'_>)> = None;
        for (key, body) in fitting {
            let mut other = Trial::new(etcd_key);
            let trial = match &mut failed {
                Some((name, trial)) if *name == key.name => trial,
                _ => &mut other,
            };
            if let Some(plain) = trial.open(provider.scheme(), key.secret.bytes(), body) {
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
            return Err(OpenError::NoConfig(by));
        }
        let given = self.keys.iter();
        let given = given.map(|key| (key.provider.name(), key.name.clone()));
        Err(OpenError::NoKey {
            by,
            given: given.collect(),
        })
    }

    fn open_kms_v1(
        &self,
        parsed: &Encrypted<'_>,
        head: &[u8],
        etcd_key: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        // Of version 1, a plugin's name may have colons.
        let named = self.plugins.iter().filter(|plugin| plugin.version == "v1");
        let body = named
            .filter_map(|plugin| behind_name(behind_version(head), &plugin.name))
            .min_by_key(|body| body.len())
            .unwrap_or(parsed.body);
        let by = KeyRef::from(parsed);
        let (encrypted_dek, data) = match Kms::v1(body) {
            Kms::V1 {
                encrypted_dek,
                data,
            } => (encrypted_dek, data),
            Kms::Unreadable(reason) => return Err(OpenError::Kms { by, reason }),
            Kms::V2(_) => return Err(OpenError::UnknownProvider(by)),
        };
        let mut trial = Trial::new(etcd_key);
        // Kubernetes 1.25 and later write GCM; the two cannot be told apart.
        for scheme in [Scheme::Gcm, Scheme::Cbc] {
            for key in &self.data_keys {
                if let Some(plain) = trial.open(scheme, key.0.bytes(), data) {
                    return Ok(plain);
                }
            }
        }
        Err(trial.error_of_kms(Wrapped {
            by,
            key_id: None,
            annotations: Vec::new(),
            source: encrypted_dek.to_vec(),
            source_type: SourceType::Key,
            tried: self.data_keys.len(),
        }))
    }

    fn open_kms_v2(&self, parsed: &Encrypted<'_>, etcd_key: &[u8]) -> Result<Vec<u8>, OpenError> {
        let by = KeyRef::from(parsed);
        let object = KmsObject::parse(parsed.body).map_err(|reason| OpenError::Kms {
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
                && let Some(plain) = trial.open(scheme, key.0.bytes(), object.encrypted_data)
            {
                return Ok(plain);
            }
        }
        let annotations = object.annotations.keys();
        Err(trial.error_of_kms(Wrapped {
            by,
            key_id: Some(object.key_id_text().into_owned()),
            annotations: annotations.map(|name| go_text(name).into_owned()).collect(),
            source: object.encrypted_dek_source.to_vec(),
            source_type: object.source_type,
            tried: trial.tried,
        }))
    }
}

/// What follows `PROVIDER:VERSION:`.
fn behind_version(head: &[u8]) -> &[u8] {
    head.splitn(3, |byte| *byte == b':')
        .nth(2)
        .unwrap_or_default()
}

fn behind_name<'h>(rest: &'h [u8], name: &str) -> Option<&'h [u8]> {
    rest.strip_prefix(name.as_bytes())?.strip_prefix(b":")
}

/// One key after the other on one value; it keeps what tells the most.
struct Trial<'k> {
    etcd_key: &'k [u8],
    tried: usize,
    worst: Option<(Fault, Scheme)>,
}

impl<'k> Trial<'k> {
    fn new(etcd_key: &'k [u8]) -> Self {
        Self {
            etcd_key,
            tried: 0,
            worst: None,
        }
    }

    fn open(&mut self, scheme: Scheme, key: &[u8], body: &[u8]) -> Option<Vec<u8>> {
        self.tried = self.tried.saturating_add(1);
        match scheme.open(key, self.etcd_key, body) {
            Ok(plain) => Some(plain),
            Err(fault) => {
                if self.worst.is_none_or(|(worst, _)| worst < fault) {
                    self.worst = Some((fault, scheme));
                }
                None
            }
        }
    }

    fn error(&self, by: KeyRef) -> OpenError {
        match self.worst {
            Some((Fault::KeyFits, scheme)) => OpenError::Altered {
                by,
                place: scheme.binds_place().then(|| self.etcd_key.to_vec()),
            },
            Some((Fault::Cut { bytes }, _)) => OpenError::Cut { by, bytes },
            Some((Fault::WrongKey, _)) | None => OpenError::WrongKey {
                by,
                tried: self.tried,
            },
        }
    }

    fn error_of_kms(&self, wrapped: Wrapped) -> OpenError {
        match self.worst {
            // Of KMS v1 the length tells only that it is not CBC.
            Some((Fault::KeyFits, _))
            | Some((Fault::Cut { .. }, Scheme::Gcm | Scheme::DerivedGcm)) => self.error(wrapped.by),
            _ => OpenError::NoDataKey(Box::new(wrapped)),
        }
    }
}
