//! Checks stored objects: a value decodes completely, and kind, namespace and name in its key match the object.
//!
//! A key outside of every API server's prefix, or in a folder of an unknown resource, need not be Kubernetes. Its value is
//! checked only if it has an encoding of Kubernetes.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::catalog::{Catalog, Location};
use super::decode::{DecodeError, Decoder, Note, unquoted_name};
use super::envelope::Stored;
use super::resource::Resource;
use super::secret_key::is_secret_key;
use super::sink::{Name, Order, Sink};
use super::special::go_text;
use crate::named::NameField;

/// Resources of the API server itself. Their objects have no name, or another name than their key.
const NAMELESS: [&str; 3] = ["ranges", "masterleases", "peerserverleases"];

/// A problem with a value, or a fact worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectFault {
    /// The value cannot be decoded completely; with the reason.
    Undecodable(String),
    /// The key contradicts the object.
    Key {
        /// Kind, namespace and name by the key.
        expected: String,
        /// Kind, namespace and name in the object.
        found: String,
    },
    /// Its type is not in the schema table.
    TypeUnknown(String),
    /// It has fields that the schema table does not have for its type.
    FieldUnknown(String),
}

/// The result of checking a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckedValue {
    /// Its uid as a number; 0 if it has none.
    pub uid: u128,
    /// The provider if the value is encrypted; then it cannot be checked further.
    pub encrypted_by: Option<String>,
    /// The problems found.
    pub faults: Vec<ObjectFault>,
}

/// Checks values one after the other with the same buffers.
#[derive(Debug, Default)]
pub struct Checker {
    decoder: Decoder,
}

impl Checker {
    /// Checks the value of a key. Returns None if it is not an object and need not be one.
    pub fn check(&mut self, catalog: &Catalog, key: &[u8], value: &[u8]) -> Option<CheckedValue> {
        let location = catalog.locate(key);
        let stored = Stored::detect(value);
        let is_envelope = match stored {
            Stored::Protobuf(_) | Stored::Cbor(_) | Stored::Encrypted(_) => true,
            Stored::Json(_) => location.is_some(),
            Stored::Empty | Stored::Text(_) | Stored::Binary(_) => false,
        };
        let object = location.as_ref().filter(|_| catalog.holds_objects());
        let should_be_object = object.is_some_and(is_object_key);
        if !is_envelope {
            return should_be_object.then(|| {
                CheckedValue::from_fault(ObjectFault::Undecodable(format!(
                    "{} bytes in no encoding of a stored object",
                    value.len()
                )))
            });
        }
        let mut identity = IdentitySink::default();
        let outcome = match self.decoder.decode(value, Order::Declared, &mut identity) {
            Ok(outcome) => outcome,
            Err(DecodeError::Encrypted {
                provider, version, ..
            }) => {
                return Some(CheckedValue {
                    encrypted_by: Some(format!(
                        "{} {}",
                        unquoted_name(&provider),
                        unquoted_name(&version)
                    )),
                    ..CheckedValue::default()
                });
            }
            Err(error)
                if self.decoder.is_from_other_program(value, &error) && !should_be_object =>
            {
                return None;
            }
            Err(error) => {
                let fault = ObjectFault::Undecodable(error.text_of(key));
                return Some(CheckedValue::from_fault(fault));
            }
        };
        let mut checked = CheckedValue {
            uid: uid_number(&identity.uid),
            ..CheckedValue::default()
        };
        checked.faults.extend(
            outcome
                .notes
                .iter()
                .filter_map(|note| fault_of(key, note, &identity)),
        );
        if let Some(location) = location {
            checked
                .faults
                .extend(contradiction(key, &location, &identity));
        }
        Some(checked)
    }
}

impl CheckedValue {
    fn from_fault(fault: ObjectFault) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

/// The fault for a decoder's note; None for a note that only counts.
fn fault_of(key: &[u8], note: &Note, identity: &IdentitySink) -> Option<ObjectFault> {
    let type_name = || {
        if is_secret_key(key) && (&*identity.kind, &*identity.api_version) != ("Secret", "v1") {
            return "a kind other than Secret, under the key of a Secret".to_owned();
        }
        let kind = quoted(NameField::Kind, &identity.kind);
        format!(
            "kind {kind} of {}",
            quoted(NameField::ApiVersion, &identity.api_version)
        )
    };
    match note {
        Note::UnknownKind { .. } => Some(ObjectFault::TypeUnknown(type_name())),
        Note::UnknownFields { .. } => Some(ObjectFault::FieldUnknown(type_name())),
        Note::Malformed { .. } => Some(ObjectFault::Undecodable(note.text_of(key))),
        // It follows notes that describe single places.
        Note::MoreMalformed { .. } => None,
    }
}

/// Whether an API server stores an object with a name under a key. A key with segments after the name has the layout of
/// another program.
fn is_object_key(location: &Location<'_, '_>) -> bool {
    let is_nameless = NAMELESS.contains(&&*location.resource.folder);
    !is_nameless && !location.name.is_empty() && !location.name.contains(&b'/')
}

/// The fault if the key and the object have different kinds, namespaces or names.
fn contradiction(
    key: &[u8],
    location: &Location<'_, '_>,
    identity: &IdentitySink,
) -> Option<ObjectFault> {
    if !is_object_key(location) {
        return None;
    }
    let namespace = location.namespace.unwrap_or_default();
    let is_kind = !is_builtin(location.resource) || identity.kind == location.resource.kind;
    if is_kind
        && identity.name.as_bytes() == location.name
        && identity.namespace.as_bytes() == namespace
    {
        return None;
    }
    let kind = if is_builtin(location.resource) {
        &*location.resource.kind
    } else {
        &identity.kind
    };
    Some(ObjectFault::Key {
        expected: named(kind, namespace, location.name),
        found: if is_secret_key(key) {
            // In a damaged Secret these fields may contain a part of the secret.
            "an object with another kind, namespace or name".to_owned()
        } else {
            named(
                &identity.kind,
                identity.namespace.as_bytes(),
                identity.name.as_bytes(),
            )
        },
    })
}

/// Whether a resource is built in. A custom resource's kind is not compared, because the definition may have had another
/// kind when the object was written.
fn is_builtin(resource: &Resource) -> bool {
    resource.versions.is_empty()
}

/// Kind, namespace and name in words.
fn named(kind: &str, namespace: &[u8], name: &[u8]) -> String {
    let text = |field: NameField, bytes: &[u8]| quoted(field, &String::from_utf8_lossy(bytes));
    let (kind, name) = (quoted(NameField::Kind, kind), text(NameField::Name, name));
    if namespace.is_empty() {
        format!("kind {kind}, name {name}")
    } else {
        let namespace = text(NameField::Namespace, namespace);
        format!("kind {kind}, namespace {namespace}, name {name}")
    }
}

/// A name in quotes; a text that cannot be a name is replaced with its size.
fn quoted(field: NameField, text: &str) -> String {
    let shown = field.shown(text);
    if field.allows(text) {
        format!("\"{shown}\"")
    } else {
        shown.into_owned()
    }
}

/// A uid as a number, from its hex digits; 0 if it does not have the form of a uid.
fn uid_number(uid: &str) -> u128 {
    let mut digits = uid.chars().filter(|c| *c != '-');
    let number = digits.try_fold((0_u128, 0_u32), |(number, count), digit| {
        let digit = u128::from(digit.to_digit(16)?);
        Some((number.checked_mul(16)? | digit, count.saturating_add(1)))
    });
    match number {
        Some((number, 32)) if uid.len() == 36 => number,
        _ => 0,
    }
}

/// A sink that keeps only the type, name, namespace and uid of an object.
#[derive(Debug, Default)]
struct IdentitySink {
    depth: usize,
    /// The field of the object or of its metadata whose value comes next.
    field: Field,
    in_metadata: bool,
    api_version: String,
    kind: String,
    name: String,
    namespace: String,
    uid: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Field {
    #[default]
    Other,
    ApiVersion,
    Kind,
    Metadata,
    Name,
    Namespace,
    Uid,
}

/// The maximal length of a name or kind in bytes. Longer texts are damage and are not kept.
const LONGEST_BYTES: usize = 512;

impl IdentitySink {
    /// Determines the field from its key and nesting level.
    fn field(&mut self, key: &str) {
        self.field = match (self.depth, key) {
            (1, "apiVersion") => Field::ApiVersion,
            (1, "kind") => Field::Kind,
            (1, "metadata") => Field::Metadata,
            (2, "name") if self.in_metadata => Field::Name,
            (2, "namespace") if self.in_metadata => Field::Namespace,
            (2, "uid") if self.in_metadata => Field::Uid,
            _ => Field::Other,
        };
    }

    /// Keeps the text of a relevant field.
    fn keep(&mut self, text: &str) {
        let into = match self.field {
            Field::Other | Field::Metadata => return,
            Field::ApiVersion => &mut self.api_version,
            Field::Kind => &mut self.kind,
            Field::Name => &mut self.name,
            Field::Namespace => &mut self.namespace,
            Field::Uid => &mut self.uid,
        };
        self.field = Field::Other;
        into.clear();
        into.push_str(if text.len() > LONGEST_BYTES { "" } else { text });
    }

    fn open(&mut self) {
        if self.depth == 1 {
            self.in_metadata = self.field == Field::Metadata;
        }
        self.field = Field::Other;
        self.depth = self.depth.saturating_add(1);
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.depth == 1 {
            self.in_metadata = false;
        }
        self.field = Field::Other;
    }
}

impl Sink for IdentitySink {
    fn null(&mut self) {}
    fn bool(&mut self, _: bool) {}
    fn int(&mut self, _: i64) {}
    fn uint(&mut self, _: u64) {}
    fn float(&mut self, _: f64) {}
    fn number(&mut self, _: &str) {}
    fn string(&mut self, value: &str) {
        self.keep(value);
    }
    fn text(&mut self, value: &[u8]) {
        if self.field != Field::Other {
            self.keep(&String::from_utf8_lossy(value));
        }
    }
    fn drops_value(&self) -> bool {
        self.depth > 0 && self.field == Field::Other
    }
    fn base64(&mut self, _: &[u8]) {}
    fn begin_map(&mut self) {
        self.open();
    }
    fn key(&mut self, key: &str) {
        self.field(key);
    }
    fn text_key(&mut self, key: &[u8]) {
        if self.depth <= 2 {
            self.field(&go_text(key));
        }
    }
    fn name(&mut self, name: Name) {
        if self.depth <= 2 {
            self.field(name.as_str());
        }
    }
    fn end_map(&mut self) {
        self.close();
    }
    fn begin_list(&mut self) {
        self.open();
    }
    fn end_list(&mut self) {
        self.close();
    }
}

/// The uids of live objects with their owners, to find objects with the same uid.
#[derive(Debug, Default)]
pub struct Uids<T> {
    owners: HashMap<u128, T>,
}

impl<T: Copy> Uids<T> {
    /// Adds the uid of a live object. Returns the first object with the same uid, if there is one.
    pub fn add(&mut self, uid: u128, owner: T) -> Option<T> {
        if uid == 0 {
            return None;
        }
        match self.owners.entry(uid) {
            Entry::Occupied(first) => Some(*first.get()),
            Entry::Vacant(none) => {
                none.insert(owner);
                None
            }
        }
    }
}

/// Counts equal findings and keeps the first of each, so that there is one line per type and not one per object.
#[derive(Debug, Default)]
pub struct FindingCounts<T> {
    by_text: BTreeMap<String, (u64, T)>,
}

/// The number of different findings that are counted.
const MOST_COUNTED: usize = 1000;

impl<T> FindingCounts<T> {
    /// Counts one finding. `first` is called for the first one with this text.
    pub fn add(&mut self, text: String, first: impl FnOnce() -> T) {
        if let Some((count, _)) = self.by_text.get_mut(&text) {
            *count = count.saturating_add(1);
        } else if self.by_text.len() < MOST_COUNTED {
            self.by_text.insert(text, (1, first()));
        }
    }
}

impl<T> IntoIterator for FindingCounts<T> {
    type Item = (String, (u64, T));
    type IntoIter = std::collections::btree_map::IntoIter<String, (u64, T)>;

    /// The findings in order of their text, each with its count and the first one.
    fn into_iter(self) -> Self::IntoIter {
        self.by_text.into_iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::k8s::catalog::Survey;

    const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"name":"other"},"name":"web-1","namespace":"shop","uid":"9f2c0a3e-2b7c-4c1e-8d57-0f6f1f7a1b2c"},"spec":{"name":"no"}}"#;

    fn check(key: &str, value: &str) -> Option<CheckedValue> {
        let mut survey = Survey::default();
        survey.look(b"/registry/pods/shop/web-1", POD.as_bytes());
        let catalog = survey.into_catalog();
        Checker::default().check(&catalog, key.as_bytes(), value.as_bytes())
    }

    #[test]
    fn an_object_under_its_own_key_has_no_fault() {
        let checked = check("/registry/pods/shop/web-1", POD).unwrap();
        assert_eq!(checked.faults, []);
        assert_eq!(checked.uid, 0x9f2c_0a3e_2b7c_4c1e_8d57_0f6f_1f7a_1b2c);
    }

    #[test]
    fn a_key_of_another_name_namespace_or_kind_is_a_fault() {
        let pod = "kind \"Pod\", namespace \"shop\", name \"web-1\"";
        for (key, expected, found) in [
            (
                "/registry/pods/shop/web-2",
                "kind \"Pod\", namespace \"shop\", name \"web-2\"",
                pod,
            ),
            (
                "/registry/pods/prod/web-1",
                "kind \"Pod\", namespace \"prod\", name \"web-1\"",
                pod,
            ),
            (
                "/registry/secrets/shop/web-1",
                "kind \"Secret\", namespace \"shop\", name \"web-1\"",
                "an object with another kind, namespace or name",
            ),
            (
                "/registry/minions/web-1",
                "kind \"Node\", name \"web-1\"",
                pod,
            ),
        ] {
            let checked = check(key, POD).unwrap();
            let (expected, found) = (expected.to_owned(), found.to_owned());
            assert_eq!(
                checked.faults,
                [ObjectFault::Key { expected, found }],
                "{key}"
            );
        }
    }

    #[test]
    fn values_outside_of_kubernetes_are_not_checked() {
        assert_eq!(check("compact_rev_key", "123"), None);
        assert_eq!(check("/other/key", "{not json"), None);
        assert_eq!(check("/registry/what/a", "text"), None);
        assert_eq!(check("/registry/pods/shop", "text"), None);
        let other = check("/registry/ranges/serviceips", POD).unwrap();
        assert_eq!(other.faults, []);
        let deeper = check("/registry/pods/cluster/shop/web-1", POD).unwrap();
        assert_eq!(deeper.faults, []);
    }

    #[test]
    fn a_value_that_is_cut_off_is_undecodable() {
        let cut = check("/registry/pods/shop/web-1", r#"{"apiVersion":"v1""#).unwrap();
        assert!(matches!(
            cut.faults.as_slice(),
            [ObjectFault::Undecodable(_)]
        ));
        let text = check("/registry/pods/shop/web-1", "k9s").unwrap();
        assert!(matches!(
            text.faults.as_slice(),
            [ObjectFault::Undecodable(_)]
        ));
        let envelope = check("/other", "k8s\0\x0a").unwrap();
        assert!(matches!(
            envelope.faults.as_slice(),
            [ObjectFault::Undecodable(_)]
        ));
    }

    #[test]
    fn a_uid_that_occurs_twice_is_reported_with_the_first_object() {
        let mut uids = Uids::default();
        let uid = uid_number("9f2c0a3e-2b7c-4c1e-8d57-0f6f1f7a1b2c");
        assert_eq!(uids.add(uid, 7), None);
        assert_eq!(uids.add(uid, 9), Some(7));
        assert_eq!(uid_number("abc"), 0);
        assert_eq!(uids.add(0, 7), None);
        assert_eq!(uids.add(0, 9), None);
    }
}
