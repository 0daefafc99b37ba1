//! Reports which resources are encrypted at rest and with which keys, and which Secrets are not encrypted.
//!
//! A walk over the history calls [`Audit::protection`] once for each value and keeps only a number for its key. At the end,
//! [`Audit::finish`] counts the numbers of the live keys. So the memory depends on the number of keys, not on the history.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::encrypt::EncryptedValue;
use super::envelope::{ENCRYPTED_PREFIX, PROTOBUF_MAGIC};
use super::secret_key::is_secret_key;

/// The number of unencrypted Secrets whose keys are listed.
const NAMED_SECRETS: usize = 100;

/// The number of different protections that are distinguished. A cluster has a few keys and a few plugins.
const MOST_PROTECTIONS: usize = 4096;

/// The maximal length of a key name or key id, in bytes (the limit of a KMS key id). A longer one is damage.
const LONGEST_NAME_BYTES: usize = 1024;

/// The first bytes of every Secret in protobuf: the envelope with v1 and Secret.
const SECRET_START: &[u8] = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret";

/// The protection of a value, as a number that an [`Audit`] assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ProtectionId(u32);

impl ProtectionId {
    /// Not encrypted, and none of the following forms.
    const OTHER: Self = Self(0);
    /// JSON, which may be an object.
    const JSON: Self = Self(1);
    /// An object in protobuf.
    const OBJECT: Self = Self(2);
    /// A Secret in protobuf.
    const SECRET: Self = Self(3);
    /// Encrypted, but the prefix is damaged, or there are too many protections.
    const DAMAGED: Self = Self(4);
    /// The first number for a key or plugin.
    const FIRST: u32 = 5;

    fn is_clear(self) -> bool {
        self.0 < Self::DAMAGED.0
    }

    /// Whether a value under this etcd key is an unencrypted Secret.
    #[must_use]
    pub fn is_secret_in_the_clear(self, key: &[u8]) -> bool {
        self == Self::SECRET || (self == Self::JSON && is_secret_key(key))
    }
}

/// How a value is protected at rest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protection {
    /// Encrypted by a provider.
    Encrypted {
        /// `aescbc`, `aesgcm`, `secretbox` or `kms`.
        provider: String,
        /// `v1` or `v2`.
        version: String,
        /// The name of the key, or of the KMS plugin.
        key_name: String,
        /// The key id, for KMS v2.
        key_id: Option<Vec<u8>>,
    },
    /// Encrypted, but the provider or key cannot be read.
    Damaged,
    /// Not encrypted.
    Clear,
}

/// The protections that were found so far.
#[derive(Debug, Default)]
pub struct Audit {
    protections: Vec<Protection>,
    ids: HashMap<Protection, ProtectionId>,
    /// The protection of the last encrypted value. Most values have the same one as the value before.
    last: Option<(Protection, ProtectionId)>,
}

/// One row of the report: a resource with one protection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The resource.
    pub resource: String,
    /// The protection.
    pub protection: Protection,
    /// The number of live values.
    pub values: u64,
}

/// The report. It is empty for a store without Kubernetes objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The resources with at least one encrypted value, and Secrets. Unencrypted values are the last row of a resource.
    pub rows: Vec<Row>,
    /// The number of unencrypted Secrets.
    pub clear_secrets: u64,
    /// The first of their keys, at most a hundred.
    pub clear_secret_keys: Vec<Vec<u8>>,
    /// Whether any value is encrypted.
    pub is_used: bool,
    /// The number of older or deleted versions of Secrets that are retained unencrypted; set by the caller.
    pub older_clear_secrets: u64,
}

impl Audit {
    /// The protection of a value that is not encrypted; none of an encrypted one.
    #[must_use]
    pub fn of_clear(value: &[u8]) -> Option<ProtectionId> {
        match value {
            _ if value.starts_with(ENCRYPTED_PREFIX) => None,
            _ if value.starts_with(SECRET_START) => Some(ProtectionId::SECRET),
            _ if value.starts_with(PROTOBUF_MAGIC) => Some(ProtectionId::OBJECT),
            _ if value.starts_with(b"{") => Some(ProtectionId::JSON),
            _ => Some(ProtectionId::OTHER),
        }
    }

    /// The protection of a value.
    pub fn protection(&mut self, value: &[u8]) -> ProtectionId {
        if let Some(clear) = Self::of_clear(value) {
            return clear;
        }
        let Some(encrypted) = EncryptedValue::parse(value) else {
            return ProtectionId::DAMAGED;
        };
        if let Some((last, id)) = &self.last
            && last.is_same(&encrypted)
        {
            return *id;
        }
        let protection = Protection::from_value(&encrypted);
        let id = self.id_of(&protection);
        self.last = Some((protection, id));
        id
    }

    /// The number of a protection; it gets the next number if it is new.
    fn id_of(&mut self, protection: &Protection) -> ProtectionId {
        if let Some(id) = self.ids.get(protection) {
            return *id;
        }
        let next = u32::try_from(self.protections.len()).unwrap_or(u32::MAX);
        if *protection == Protection::Damaged || self.protections.len() >= MOST_PROTECTIONS {
            return ProtectionId::DAMAGED;
        }
        let id = ProtectionId(ProtectionId::FIRST.saturating_add(next));
        self.protections.push(protection.clone());
        self.ids.insert(protection.clone(), id);
        id
    }

    /// The protection with a number.
    fn by_id(&self, id: ProtectionId) -> Protection {
        if id.is_clear() {
            return Protection::Clear;
        }
        let index = id.0.checked_sub(ProtectionId::FIRST);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let protection = index.and_then(|index| self.protections.get(index));
        protection.cloned().unwrap_or(Protection::Damaged)
    }

    /// Counts the live keys, each with the protection of its value.
    pub fn finish<'k>(
        &self,
        live: impl Iterator<Item = (&'k [u8], ProtectionId)> + Clone,
        resource_of: impl Fn(&'k [u8]) -> Cow<'k, str>,
    ) -> Encryption {
        let is_used = live.clone().any(|(_, id)| !id.is_clear());
        let is_object = |id| id != ProtectionId::OTHER && id != ProtectionId::JSON;
        let is_kubernetes = live.clone().any(|(_, id)| is_object(id));
        if !is_kubernetes {
            return Encryption::default();
        }
        let mut encrypted = BTreeSet::new();
        if is_used {
            for (key, _) in live.clone().filter(|(_, id)| !id.is_clear()) {
                let resource = resource_of(key);
                if !encrypted.contains(&*resource) {
                    encrypted.insert(resource.into_owned());
                }
            }
        }
        let mut counts: BTreeMap<String, HashMap<ProtectionId, u64>> = BTreeMap::new();
        let mut clear = ClearSecrets::default();
        for (key, id) in live {
            let may_be_secret =
                id == ProtectionId::SECRET || (id == ProtectionId::JSON && is_secret_key(key));
            if !may_be_secret && !is_used {
                continue;
            }
            let resource = resource_of(key);
            // A Secret in JSON is recognised only by its key.
            let is_clear_secret =
                id == ProtectionId::SECRET || (may_be_secret && is_secrets(&resource));
            if is_clear_secret {
                clear.add(key);
            } else if !encrypted.contains(&*resource) {
                continue;
            }
            let id = if id.is_clear() {
                ProtectionId::OTHER
            } else {
                id
            };
            if !counts.contains_key(&*resource) {
                counts.insert(resource.clone().into_owned(), HashMap::new());
            }
            if let Some(protections) = counts.get_mut(&*resource) {
                let count = protections.entry(id).or_default();
                *count = count.saturating_add(1);
            }
        }
        Encryption {
            rows: self.rows(counts),
            clear_secrets: clear.count,
            clear_secret_keys: clear.first.into_iter().map(<[u8]>::to_vec).collect(),
            is_used,
            older_clear_secrets: 0,
        }
    }

    /// The rows of the report, sorted by resource and protection.
    fn rows(&self, counts: BTreeMap<String, HashMap<ProtectionId, u64>>) -> Vec<Row> {
        let mut rows = Vec::new();
        for (resource, protections) in counts {
            let protections = protections.into_iter();
            let protections = protections.map(|(id, values)| (self.by_id(id), values));
            let sorted: BTreeMap<Protection, u64> = protections.collect();
            rows.extend(sorted.into_iter().map(|(protection, values)| Row {
                resource: resource.clone(),
                protection,
                values,
            }));
        }
        rows
    }
}

impl Protection {
    /// Whether a value has this protection.
    fn is_same(&self, encrypted: &EncryptedValue<'_>) -> bool {
        let Self::Encrypted {
            provider,
            version,
            key_name,
            key_id,
        } = self
        else {
            return false;
        };
        let head = encrypted.head;
        [head.provider, head.version, head.key_name] == [provider, version, key_name]
            && encrypted.key_id() == key_id.as_deref()
    }

    /// The protection of an encrypted value. A name that is too long is damage.
    fn from_value(encrypted: &EncryptedValue<'_>) -> Self {
        let head = encrypted.head;
        let names = [head.provider, head.version, head.key_name];
        let key_id = encrypted.key_id();
        let lengths = names.map(str::len).into_iter();
        let mut lengths = lengths.chain(key_id.map(<[u8]>::len));
        if lengths.any(|length| length > LONGEST_NAME_BYTES) {
            return Self::Damaged;
        }
        Self::Encrypted {
            provider: head.provider.to_owned(),
            version: head.version.to_owned(),
            key_name: head.key_name.to_owned(),
            key_id: key_id.map(<[u8]>::to_vec),
        }
    }
}

/// Whether a resource is Secrets, with or without a key prefix.
fn is_secrets(resource: &str) -> bool {
    resource.rsplit('/').next() == Some("secrets")
}

/// Counts unencrypted Secrets, and keeps the first of their keys.
#[derive(Default)]
struct ClearSecrets<'k> {
    count: u64,
    first: BTreeSet<&'k [u8]>,
}

impl<'k> ClearSecrets<'k> {
    fn add(&mut self, key: &'k [u8]) {
        self.count = self.count.saturating_add(1);
        self.first.insert(key);
        if self.first.len() > NAMED_SECRETS {
            self.first.pop_last();
        }
    }
}

/// The resource of a key whose layout is not known: the prefix and the next segment, or the next two segments if the
/// first of them is an API group.
#[must_use]
pub fn first_segments(key: &[u8]) -> Cow<'_, str> {
    let start = usize::from(key.starts_with(b"/"));
    let rest = key.get(start..).unwrap_or_default();
    let mut segments = rest.split(|byte| *byte == b'/');
    let lengths = [segments.next(), segments.next(), segments.next()];
    let [first, second, third] = lengths;
    let is_group = second.is_some_and(|segment| segment.contains(&b'.'));
    let wanted = [first, second, third.filter(|_| is_group)];
    let bytes: usize = wanted.into_iter().flatten().fold(0, |sum: usize, part| {
        sum.saturating_add(part.len()).saturating_add(1)
    });
    let end = start.saturating_add(bytes).saturating_sub(1);
    String::from_utf8_lossy(key.get(..end).unwrap_or(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret\x12\x00";

    fn audit(pairs: &[(&str, &[u8])]) -> Encryption {
        let mut audit = Audit::default();
        let live: Vec<_> = pairs
            .iter()
            .map(|(key, value)| (key.as_bytes(), audit.protection(value)))
            .collect();
        audit.finish(live.iter().copied(), first_segments)
    }

    fn rows(encryption: &Encryption) -> Vec<(String, String, u64)> {
        let name = |protection: &Protection| match protection {
            Protection::Clear => "clear".to_owned(),
            Protection::Damaged => "damaged".to_owned(),
            Protection::Encrypted {
                key_name, key_id, ..
            } => {
                let id = key_id.as_deref().unwrap_or_default();
                format!("{key_name}{}", id.escape_ascii())
            }
        };
        let rows = encryption.rows.iter();
        rows.map(|row| (row.resource.clone(), name(&row.protection), row.values))
            .collect()
    }

    fn row(resource: &str, protection: &str, values: u64) -> (String, String, u64) {
        (resource.to_owned(), protection.to_owned(), values)
    }

    #[test]
    fn each_protection_of_an_encrypted_resource_is_counted() {
        let found = audit(&[
            ("/r/configmaps/a/x", b"k8s\0\x0a\x00"),
            ("/r/secrets/a/w", b"k8s:enc:aescbc:v1:key2:zz"),
            ("/r/pods/a/x", b"k8s\0\x0a\x00"),
            ("/r/secrets/a/x", b"k8s:enc:aescbc:v1:key1:zz"),
            ("/r/configmaps/a/y", b"k8s:enc:kms:v2:vault:\x12\x02id"),
            ("/r/secrets/a/y", SECRET),
            ("/r/secrets/a/z", b"k8s:enc:aescbc:v1:key1:yy"),
            ("/r/apps.example.com/things/q", b"k8s:enc:aescbc:v1"),
        ]);
        assert_eq!(
            rows(&found),
            [
                row("/r/apps.example.com/things", "damaged", 1),
                row("/r/configmaps", "vaultid", 1),
                row("/r/configmaps", "clear", 1),
                row("/r/secrets", "key1", 2),
                row("/r/secrets", "key2", 1),
                row("/r/secrets", "clear", 1),
            ]
        );
        assert_eq!(found.clear_secrets, 1);
        assert_eq!(found.clear_secret_keys, [b"/r/secrets/a/y"]);
    }

    #[test]
    fn without_encryption_only_secrets_are_reported() {
        let found = audit(&[
            ("/r/secrets/a/x", SECRET),
            ("/r/secrets/a/json", b"{\"kind\":\"Secret\"}"),
            ("/app/secrets/x", b"hunter2"),
            ("/r/pods/secrets/x", b"k8s\0\x0a\x00"),
            ("/r/example.com/things/secrets/x", b"{}"),
            ("/r/pods/a/x", b"{}"),
        ]);
        assert_eq!(rows(&found), [row("/r/secrets", "clear", 2)]);
        assert!(!found.is_used);
    }

    #[test]
    fn the_report_is_empty_for_a_store_without_kubernetes_objects() {
        let found = audit(&[("/app/secrets/x", b"{}"), ("a", b"hunter2")]);
        assert_eq!(found, Encryption::default());
    }

    #[test]
    fn all_unencrypted_secrets_are_counted_and_the_first_hundred_listed() {
        let keys: Vec<String> = (0..250).map(|n| format!("/r/secrets/a/{n:03}")).collect();
        let pairs: Vec<_> = keys
            .iter()
            .rev()
            .map(|key| (key.as_str(), SECRET))
            .collect();
        let found = audit(&pairs);
        assert_eq!(found.clear_secrets, 250);
        assert_eq!(found.clear_secret_keys.len(), NAMED_SECRETS);
        assert_eq!(
            found.clear_secret_keys.first().map(Vec::as_slice),
            Some(&b"/r/secrets/a/000"[..])
        );
    }

    #[test]
    fn the_number_of_protections_is_limited() {
        let mut audit = Audit::default();
        for n in 0..2 * MOST_PROTECTIONS {
            audit.protection(format!("k8s:enc:aescbc:v1:{n}:x").as_bytes());
        }
        assert_eq!(audit.protections.len(), MOST_PROTECTIONS);
        let long = format!("k8s:enc:aescbc:v1:{}:x", "n".repeat(LONGEST_NAME_BYTES + 1));
        assert_eq!(audit.protection(long.as_bytes()), ProtectionId::DAMAGED);
    }

    #[test]
    fn the_first_segments_of_a_key_are_its_resource() {
        for (key, resource) in [
            ("/registry/secrets/shop/db", "/registry/secrets"),
            ("/registry/secrets", "/registry/secrets"),
            (
                "/registry/apps.example.com/things/a/b",
                "/registry/apps.example.com/things",
            ),
            ("/registry/apps.example.com", "/registry/apps.example.com"),
            ("kubernetes.io/secrets/a/b", "kubernetes.io/secrets"),
            ("foo", "foo"),
            ("/", "/"),
            ("", ""),
        ] {
            assert_eq!(first_segments(key.as_bytes()), resource);
        }
    }
}
