//! Counts and sizes of the objects in a store, per kind: the figures of `auger analyze` (`cmd/analyze.go`).

use std::collections::HashMap;

use super::envelope::Stored;
use super::meta::Meta;
use super::secret_key::is_secret_key;
use crate::named::{NameField, not_a_name};

/// The kind under which encrypted objects are counted, because their kind cannot be read.
pub const ENCRYPTED_KIND: &str = "encrypted at rest";

/// The kind of a stored value as `apiVersion/Kind`; None if it is not a Kubernetes object. A text that cannot be a
/// version or a kind is replaced with its size.
#[must_use]
pub fn kind_of(value: &[u8]) -> Option<String> {
    if let Stored::Encrypted(_) = Stored::detect(value) {
        return Some(ENCRYPTED_KIND.to_owned());
    }
    let meta = Meta::read(value)?;
    let (version, kind) = (&*meta.api_version, &*meta.kind);
    if version.is_empty() || kind.is_empty() {
        return None;
    }
    let version = NameField::ApiVersion.shown(version);
    Some(format!("{version}/{}", NameField::Kind.shown(kind)))
}

/// The same for the value of a key. In a damaged Secret the kind may be a part of the secret, so it is not shown.
#[must_use]
pub fn kind_under(key: &[u8], value: &[u8]) -> Option<String> {
    let kind = kind_of(value)?;
    let is_plain = !is_secret_key(key) || kind == "v1/Secret" || kind == ENCRYPTED_KIND;
    Some(if is_plain {
        kind
    } else {
        not_a_name(kind.len())
    })
}

/// The size of an object, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Key and value, if the object exists now.
    pub current_bytes: Option<u64>,
    /// The values of all its retained versions.
    pub version_bytes: u64,
    /// Key and value of every retained record of its key.
    pub record_bytes: u64,
}

/// A live object with its size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectSize {
    /// Its etcd key.
    pub key: Box<[u8]>,
    /// Its kind, as [`kind_of`] returns it.
    pub kind: String,
    /// The size of the values of all its retained versions, in bytes.
    pub version_bytes: u64,
}

/// The figures for a whole store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Live objects.
    pub objects: u64,
    /// Key and value of every retained record of keys that have or had an object, in bytes.
    pub record_bytes: u64,
    /// Key and value of the live objects, in bytes.
    pub current_bytes: u64,
    kinds: HashMap<String, u64>,
    live: Vec<ObjectSize>,
}

impl Analysis {
    /// Counts an object that is stored under `key`.
    pub fn add(&mut self, key: &[u8], kind: String, usage: Usage) {
        self.record_bytes = self.record_bytes.saturating_add(usage.record_bytes);
        let Some(current_bytes) = usage.current_bytes else {
            return;
        };
        self.objects = self.objects.saturating_add(1);
        self.current_bytes = self.current_bytes.saturating_add(current_bytes);
        match self.kinds.get_mut(&kind) {
            Some(count) => *count = count.saturating_add(1),
            None => drop(self.kinds.insert(kind.clone(), 1)),
        }
        self.live.push(ObjectSize {
            key: key.into(),
            kind,
            version_bytes: usage.version_bytes,
        });
    }

    /// The `count` kinds with the most live objects, the most common first; equally common ones by name.
    #[must_use]
    pub fn most_common(&self, count: usize) -> Vec<(&str, u64)> {
        let mut kinds: Vec<_> = self
            .kinds
            .iter()
            .map(|(kind, count)| (kind.as_str(), *count))
            .collect();
        kinds.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        kinds.truncate(count);
        kinds
    }

    /// The `count` live objects whose retained versions are largest, the largest first; equally large ones by key.
    #[must_use]
    pub fn largest(&self, count: usize) -> Vec<&ObjectSize> {
        let mut objects: Vec<_> = self.live.iter().collect();
        objects.sort_unstable_by(|a, b| (b.version_bytes, &a.key).cmp(&(a.version_bytes, &b.key)));
        objects.truncate(count);
        objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_an_object_has_no_kind() {
        for value in [
            &b""[..],
            b"1234",
            b"[1]",
            b"{}",
            b"{\"kind\":\"X\"}",
            b"k8s\0",
            b"\xff",
        ] {
            assert_eq!(kind_of(value), None, "{}", value.escape_ascii());
        }
        let json = br#"{"apiVersion":"apps/v1","kind":"Deployment"}"#;
        assert_eq!(kind_of(json).as_deref(), Some("apps/v1/Deployment"));
        assert_eq!(
            kind_of(b"k8s:enc:aescbc:v1:key1:\x01").as_deref(),
            Some(ENCRYPTED_KIND)
        );
        let secret = br#"{"apiVersion":"v1","kind":"hunter2"}"#;
        let hidden = kind_under(b"/registry/secrets/shop/db", secret);
        assert_eq!(hidden.as_deref(), Some("<10 bytes, not a name>"));
    }

    #[test]
    fn a_deleted_object_counts_only_in_the_size_of_all_records() {
        let mut analysis = Analysis::default();
        let usage = |current_bytes| Usage {
            current_bytes,
            version_bytes: 5,
            record_bytes: 9,
        };
        analysis.add(b"/b", "v1/Pod".to_owned(), usage(Some(3)));
        analysis.add(b"/a", "v1/Pod".to_owned(), usage(Some(3)));
        analysis.add(b"/c", "v1/Node".to_owned(), usage(None));
        assert_eq!(
            (
                analysis.objects,
                analysis.current_bytes,
                analysis.record_bytes
            ),
            (2, 6, 27)
        );
        assert_eq!(analysis.most_common(9), [("v1/Pod", 2)]);
        let keys: Vec<_> = analysis.largest(9).iter().map(|one| &*one.key).collect();
        assert_eq!(keys, [b"/a", b"/b"]);
    }
}
