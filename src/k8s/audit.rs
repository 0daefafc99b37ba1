//! Which resources are encrypted at rest, by which keys, and which Secrets are not.
//!
//! [`Audit`] is asked once for each value what it is stored as, and keeps of it a number; the numbers of the
//! live keys are counted at the end. So a walk over the whole history needs no more memory than its
//! keys.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::encrypt::Sealed;
use super::envelope::{ENCRYPTED_PREFIX, PROTOBUF_MAGIC};
use super::secret_key::is_secret_key;

/// How many keys of Secrets in the clear are named.
const NAMED_SECRETS: usize = 100;

/// How many ways of storing are told apart: a cluster has a few keys, and a few plugins.
const MOST_WAYS: usize = 4096;

/// Longest name of a way, in bytes: that of a key id of KMS. What is longer is no name.
const LONGEST_NAME_BYTES: usize = 1024;

/// How every Secret in protobuf begins: the envelope with v1 and Secret.
const SECRET_START: &[u8] = b"k8s\0\x0a\x0c\x0a\x02v1\x12\x06Secret";

/// How a value is stored, as a number of an [`Audit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WayId(u32);

impl WayId {
    /// Neither encrypted nor any of the following.
    const OTHER: Self = Self(0);
    /// JSON, perhaps of an object.
    const JSON: Self = Self(1);
    /// An object in protobuf.
    const OBJECT: Self = Self(2);
    /// A Secret in protobuf.
    const SECRET: Self = Self(3);
    /// Encrypted, and the head is damaged, or there are too many ways.
    const DAMAGED: Self = Self(4);
    /// The first of the ways that are told apart.
    const FIRST: u32 = 5;

    fn is_clear(self) -> bool {
        self.0 < Self::DAMAGED.0
    }

    /// Whether a value that is stored so under a key is a Secret which is not encrypted.
    #[must_use]
    pub fn is_secret_in_the_clear(self, key: &[u8]) -> bool {
        self == Self::SECRET || (self == Self::JSON && is_secret_key(key))
    }
}

/// How values are stored.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// By a provider.
    Encrypted {
        /// `aescbc`, `aesgcm`, `secretbox` or `kms`.
        provider: String,
        /// `v1` or `v2`.
        version: String,
        /// The name of the key, or of the KMS plugin.
        key_name: String,
        /// Of KMS v2.
        key_id: Option<Vec<u8>>,
    },
    /// Encrypted, by what is not known.
    Damaged,
    /// Not encrypted.
    Clear,
}

/// What is counted on the way.
#[derive(Debug, Default)]
pub struct Audit {
    ways: Vec<Way>,
    ids: HashMap<Way, WayId>,
    /// The head of the last encrypted value with its number: most values have the head of the one before.
    last: Option<(Way, WayId)>,
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The resource.
    pub resource: String,
    /// How.
    pub way: Way,
    /// How many live values.
    pub values: u64,
}

/// The answer. Empty for a store without Kubernetes' values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encryption {
    /// The resources of which a value is encrypted, and Secrets; what is in the clear comes last in
    /// each.
    pub rows: Vec<Row>,
    /// How many Secrets are in the clear.
    pub clear_secrets: u64,
    /// Their keys, up to a hundred of them.
    pub clear_secret_keys: Vec<Vec<u8>>,
    /// Whether any value is encrypted.
    pub is_used: bool,
    /// How many older or deleted versions of Secrets are retained in the clear; the caller counts them.
    pub older_clear_secrets: u64,
}

impl Audit {
    /// How a value is stored.
    pub fn way_of(&mut self, value: &[u8]) -> WayId {
        if !value.starts_with(ENCRYPTED_PREFIX) {
            return match value {
                _ if value.starts_with(SECRET_START) => WayId::SECRET,
                _ if value.starts_with(PROTOBUF_MAGIC) => WayId::OBJECT,
                _ if value.starts_with(b"{") => WayId::JSON,
                _ => WayId::OTHER,
            };
        }
        let Some(sealed) = Sealed::of(value) else {
            return WayId::DAMAGED;
        };
        if let Some((last, id)) = &self.last
            && last.is_of(&sealed)
        {
            return *id;
        }
        let way = Way::of(&sealed);
        let id = self.id_of(&way);
        self.last = Some((way, id));
        id
    }

    fn id_of(&mut self, way: &Way) -> WayId {
        if let Some(id) = self.ids.get(way) {
            return *id;
        }
        let next = u32::try_from(self.ways.len()).unwrap_or(u32::MAX);
        if *way == Way::Damaged || self.ways.len() >= MOST_WAYS {
            return WayId::DAMAGED;
        }
        let id = WayId(WayId::FIRST.saturating_add(next));
        self.ways.push(way.clone());
        self.ids.insert(way.clone(), id);
        id
    }

    fn way(&self, id: WayId) -> Way {
        if id.is_clear() {
            return Way::Clear;
        }
        let index = id.0.checked_sub(WayId::FIRST);
        let index = index.and_then(|index| usize::try_from(index).ok());
        let way = index.and_then(|index| self.ways.get(index));
        way.cloned().unwrap_or(Way::Damaged)
    }

    /// Counts the live keys, each with how its value is stored.
    pub fn finish<'k>(
        &self,
        live: impl Iterator<Item = (&'k [u8], WayId)> + Clone,
        resource_of: impl Fn(&'k [u8]) -> Cow<'k, str>,
    ) -> Encryption {
        let is_used = live.clone().any(|(_, id)| !id.is_clear());
        let is_object = |id| id != WayId::OTHER && id != WayId::JSON;
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
        let mut counts: BTreeMap<String, HashMap<WayId, u64>> = BTreeMap::new();
        let mut clear = ClearSecrets::default();
        for (key, id) in live {
            let may_be_secret = id == WayId::SECRET || (id == WayId::JSON && is_secret_key(key));
            if !may_be_secret && !is_used {
                continue;
            }
            let resource = resource_of(key);
            // A Secret of an API server that stores JSON tells so by its key alone.
            let is_clear_secret = id == WayId::SECRET || (may_be_secret && is_secrets(&resource));
            if is_clear_secret {
                clear.add(key);
            } else if !encrypted.contains(&*resource) {
                continue;
            }
            let id = if id.is_clear() { WayId::OTHER } else { id };
            if !counts.contains_key(&*resource) {
                counts.insert(resource.clone().into_owned(), HashMap::new());
            }
            if let Some(ways) = counts.get_mut(&*resource) {
                let count = ways.entry(id).or_default();
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

    fn rows(&self, counts: BTreeMap<String, HashMap<WayId, u64>>) -> Vec<Row> {
        let mut rows = Vec::new();
        for (resource, ways) in counts {
            let ways = ways.into_iter().map(|(id, values)| (self.way(id), values));
            let sorted: BTreeMap<Way, u64> = ways.collect();
            rows.extend(sorted.into_iter().map(|(way, values)| Row {
                resource: resource.clone(),
                way,
                values,
            }));
        }
        rows
    }
}

impl Way {
    fn is_of(&self, sealed: &Sealed<'_>) -> bool {
        let Self::Encrypted {
            provider,
            version,
            key_name,
            key_id,
        } = self
        else {
            return false;
        };
        let head = sealed.head;
        [head.provider, head.version, head.key_name] == [provider, version, key_name]
            && sealed.key_id() == key_id.as_deref()
    }

    fn of(sealed: &Sealed<'_>) -> Self {
        let head = sealed.head;
        let names = [head.provider, head.version, head.key_name];
        let key_id = sealed.key_id();
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

/// Whether a resource is that of Secrets, with or without the prefix of its keys.
fn is_secrets(resource: &str) -> bool {
    resource.rsplit('/').next() == Some("secrets")
}

/// Counts Secrets, and keeps the first of their keys.
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

/// Where a key's resource is not known better: the prefix and the segment behind it, or two where the first
/// is an API group.
#[must_use]
pub fn first_segments(key: &[u8]) -> Cow<'_, str> {
    let start = usize::from(key.starts_with(b"/"));
    let behind = key.get(start..).unwrap_or_default();
    let mut segments = behind.split(|byte| *byte == b'/');
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
            .map(|(key, value)| (key.as_bytes(), audit.way_of(value)))
            .collect();
        audit.finish(live.iter().copied(), first_segments)
    }

    fn told(encryption: &Encryption) -> Vec<(String, String, u64)> {
        let name = |way: &Way| match way {
            Way::Clear => "clear".to_owned(),
            Way::Damaged => "damaged".to_owned(),
            Way::Encrypted {
                key_name, key_id, ..
            } => {
                let id = key_id.as_deref().unwrap_or_default();
                format!("{key_name}{}", id.escape_ascii())
            }
        };
        let rows = encryption.rows.iter();
        rows.map(|row| (row.resource.clone(), name(&row.way), row.values))
            .collect()
    }

    fn row(resource: &str, way: &str, values: u64) -> (String, String, u64) {
        (resource.to_owned(), way.to_owned(), values)
    }

    #[test]
    fn each_way_of_storing_is_counted_of_resources_that_are_encrypted() {
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
            told(&found),
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
    fn without_encryption_only_secrets_are_told() {
        let found = audit(&[
            ("/r/secrets/a/x", SECRET),
            ("/r/secrets/a/json", b"{\"kind\":\"Secret\"}"),
            ("/app/secrets/x", b"hunter2"),
            ("/r/pods/secrets/x", b"k8s\0\x0a\x00"),
            ("/r/example.com/things/secrets/x", b"{}"),
            ("/r/pods/a/x", b"{}"),
        ]);
        assert_eq!(told(&found), [row("/r/secrets", "clear", 2)]);
        assert!(!found.is_used);
    }

    #[test]
    fn a_store_of_something_else_has_nothing_to_tell() {
        let found = audit(&[("/app/secrets/x", b"{}"), ("a", b"hunter2")]);
        assert_eq!(found, Encryption::default());
    }

    #[test]
    fn secrets_in_the_clear_are_named_up_to_a_number_and_all_counted() {
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
    fn a_key_name_for_every_value_takes_no_more_than_the_most_ways() {
        let mut audit = Audit::default();
        for n in 0..2 * MOST_WAYS {
            audit.way_of(format!("k8s:enc:aescbc:v1:{n}:x").as_bytes());
        }
        assert_eq!(audit.ways.len(), MOST_WAYS);
        let long = format!("k8s:enc:aescbc:v1:{}:x", "n".repeat(LONGEST_NAME_BYTES + 1));
        assert_eq!(audit.way_of(long.as_bytes()), WayId::DAMAGED);
    }

    #[test]
    fn the_first_segments_of_a_key_stand_for_its_resource() {
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
