//! Checks of stored objects: a value decodes to its end, and its key says what the object says of itself.
//!
//! What lies under no prefix of an API server, or in a folder that nobody defines, is not Kubernetes as far
//! as anyone can tell: of that only what carries Kubernetes' mark is checked.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use super::catalog::{Catalog, Location};
use super::decode::{DecodeError, Decoder, Note, unquoted_name};
use super::envelope::Stored;
use super::resource::Resource;
use super::secret_key::is_secret_key;
use super::sink::{Name, Order, Sink};
use crate::named::NameField;

/// Resources of the API server's own, whose objects have no name or another one than their key.
const NAMELESS: [&str; 3] = ["ranges", "masterleases", "peerserverleases"];

/// What is wrong with a value, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is not what it begins like, or not to its end: why.
    Undecodable(String),
    /// Its key says something else than the object.
    Key {
        /// What the key says.
        expected: String,
        /// What the object says.
        found: String,
    },
    /// Its type is not in the schema table.
    TypeUnknown(String),
    /// It has fields that are not in the schema table of its type.
    FieldUnknown(String),
}

/// What was seen of a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its uid, as a number; 0 for none.
    pub uid: u128,
    /// By which provider it is encrypted: then nothing else is known.
    pub encrypted_by: Option<String>,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

/// Checks values one after the other; it keeps its memory from one to the next.
#[derive(Debug, Default)]
pub struct Checker {
    decoder: Decoder,
}

impl Checker {
    /// Looks at the value of a key. `None` where it is no object, nor should be one.
    pub fn look(&mut self, catalog: &Catalog, key: &[u8], value: &[u8]) -> Option<Seen> {
        let location = catalog.locate(key);
        let stored = Stored::detect(value);
        let is_envelope = match stored {
            Stored::Protobuf(_) | Stored::Cbor(_) | Stored::Encrypted(_) => true,
            Stored::Json(_) => location.is_some(),
            Stored::Empty | Stored::Text(_) | Stored::Binary(_) => false,
        };
        let object = location.as_ref().filter(|_| catalog.holds_objects());
        let should_be_object = object.is_some_and(is_of_an_object);
        if !is_envelope {
            return should_be_object.then(|| {
                Seen::fault(Fault::Undecodable(format!(
                    "{} bytes that begin as no stored object does",
                    value.len()
                )))
            });
        }
        let mut skim = Skim::default();
        let outcome = match self.decoder.decode(value, Order::Declared, &mut skim) {
            Ok(outcome) => outcome,
            Err(DecodeError::Encrypted {
                provider, version, ..
            }) => {
                return Some(Seen {
                    encrypted_by: Some(format!(
                        "{} {}",
                        unquoted_name(&provider),
                        unquoted_name(&version)
                    )),
                    ..Seen::default()
                });
            }
            Err(error)
                if self.decoder.is_from_other_program(value, &error) && !should_be_object =>
            {
                return None;
            }
            Err(error) => return Some(Seen::fault(Fault::Undecodable(error.text_of(key)))),
        };
        let mut seen = Seen {
            uid: number_of(&skim.uid),
            ..Seen::default()
        };
        seen.faults.extend(
            outcome
                .notes
                .iter()
                .filter_map(|note| fault_of(key, note, &skim)),
        );
        if let Some(location) = location {
            seen.faults.extend(contradiction(key, &location, &skim));
        }
        Some(seen)
    }
}

impl Seen {
    fn fault(fault: Fault) -> Self {
        Self {
            faults: vec![fault],
            ..Self::default()
        }
    }
}

fn fault_of(key: &[u8], note: &Note, skim: &Skim) -> Option<Fault> {
    let type_name = || {
        if is_secret_key(key) && (&*skim.kind, &*skim.api_version) != ("Secret", "v1") {
            return "a kind that is not Secret, under a key of Secrets".to_owned();
        }
        let kind = quoted(NameField::Kind, &skim.kind);
        format!(
            "kind {kind} of {}",
            quoted(NameField::ApiVersion, &skim.api_version)
        )
    };
    match note {
        Note::UnknownKind { .. } => Some(Fault::TypeUnknown(type_name())),
        Note::UnknownFields { .. } => Some(Fault::FieldUnknown(type_name())),
        Note::Malformed { .. } => Some(Fault::Undecodable(note.text_of(key))),
        // They come behind those that say where.
        Note::MoreMalformed { .. } => None,
    }
}

/// Whether an API server keeps an object under a key, and one that says what the key says. What is deeper
/// than a name is another program's layout.
fn is_of_an_object(location: &Location<'_, '_>) -> bool {
    let is_nameless = NAMELESS.contains(&&*location.resource.folder);
    !is_nameless && !location.name.is_empty() && !location.name.contains(&b'/')
}

/// What the key of an object says against the object.
fn contradiction(key: &[u8], location: &Location<'_, '_>, skim: &Skim) -> Option<Fault> {
    if !is_of_an_object(location) {
        return None;
    }
    let namespace = location.namespace.unwrap_or_default();
    let is_kind = !is_builtin(location.resource) || skim.kind == location.resource.kind;
    if is_kind && skim.name.as_bytes() == location.name && skim.namespace.as_bytes() == namespace {
        return None;
    }
    let kind = if is_builtin(location.resource) {
        &*location.resource.kind
    } else {
        &skim.kind
    };
    Some(Fault::Key {
        expected: named(kind, namespace, location.name),
        found: if is_secret_key(key) {
            // Those fields of a damaged Secret may hold a part of the secret.
            "an object that says something else of itself".to_owned()
        } else {
            named(&skim.kind, skim.namespace.as_bytes(), skim.name.as_bytes())
        },
    })
}

/// A definition of a custom resource may have had another kind when the object was written.
fn is_builtin(resource: &Resource) -> bool {
    resource.versions.is_empty()
}

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

/// A name in quotes; what cannot be one by its size.
fn quoted(field: NameField, text: &str) -> String {
    let shown = field.shown(text);
    if field.allows(text) {
        format!("\"{shown}\"")
    } else {
        shown.into_owned()
    }
}

/// A uid as a number: its hex digits; what is no uid of Kubernetes' form counts as none.
fn number_of(uid: &str) -> u128 {
    let digits: String = uid.chars().filter(|c| *c != '-').collect();
    if uid.len() != 36 || digits.len() != 32 {
        return 0;
    }
    u128::from_str_radix(&digits, 16).unwrap_or(0)
}

/// Keeps of a told object who it is, and nothing else.
#[derive(Debug, Default)]
struct Skim {
    depth: usize,
    /// The field of the object, or of its metadata, that is told next.
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

/// No name and no kind is longer, in bytes: what a damaged length makes of them is not kept.
const LONGEST_BYTES: usize = 512;

impl Skim {
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

    fn told(&mut self, text: &str) {
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

impl Sink for Skim {
    fn null(&mut self) {}
    fn bool(&mut self, _: bool) {}
    fn int(&mut self, _: i64) {}
    fn uint(&mut self, _: u64) {}
    fn float(&mut self, _: f64) {}
    fn number(&mut self, _: &str) {}
    fn string(&mut self, value: &str) {
        self.told(value);
    }
    fn text(&mut self, value: &[u8]) {
        if self.field != Field::Other {
            self.told(&String::from_utf8_lossy(value));
        }
    }
    fn accepts_json(&self) -> bool {
        true
    }
    fn base64(&mut self, _: &[u8]) {}
    fn begin_map(&mut self) {
        self.open();
    }
    fn key(&mut self, key: &str) {
        self.field(key);
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

/// The uids of live objects, each with whose it is; tells those that two have.
#[derive(Debug, Default)]
pub struct Uids<T> {
    owners: HashMap<u128, T>,
}

impl<T: Copy> Uids<T> {
    /// Takes the uid of a live object; gives another one that has it already.
    pub fn take(&mut self, uid: u128, owner: T) -> Option<T> {
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

/// Things of which only the first is told, with their number: one line for a type, not one an object.
#[derive(Debug, Default)]
pub struct Counts<T> {
    by_what: BTreeMap<String, (u64, T)>,
}

/// How many are told apart.
const MOST_COUNTED: usize = 1000;

impl<T> Counts<T> {
    /// Counts one more; `first` is kept of the first.
    pub fn add(&mut self, what: String, first: impl FnOnce() -> T) {
        if let Some((count, _)) = self.by_what.get_mut(&what) {
            *count = count.saturating_add(1);
        } else if self.by_what.len() < MOST_COUNTED {
            self.by_what.insert(what, (1, first()));
        }
    }
}

impl<T> IntoIterator for Counts<T> {
    type Item = (String, (u64, T));
    type IntoIter = std::collections::btree_map::IntoIter<String, (u64, T)>;

    /// What there was, in order, with its number and the first.
    fn into_iter(self) -> Self::IntoIter {
        self.by_what.into_iter()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::k8s::catalog::Survey;

    const POD: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"labels":{"name":"other"},"name":"web-1","namespace":"shop","uid":"9f2c0a3e-2b7c-4c1e-8d57-0f6f1f7a1b2c"},"spec":{"name":"no"}}"#;

    fn look(key: &str, value: &str) -> Option<Seen> {
        let mut survey = Survey::default();
        survey.look(b"/registry/pods/shop/web-1", POD.as_bytes());
        let catalog = survey.into_catalog();
        Checker::default().look(&catalog, key.as_bytes(), value.as_bytes())
    }

    #[test]
    fn an_object_under_its_own_key_has_no_fault() {
        let seen = look("/registry/pods/shop/web-1", POD).unwrap();
        assert_eq!(seen.faults, []);
        assert_eq!(seen.uid, 0x9f2c_0a3e_2b7c_4c1e_8d57_0f6f_1f7a_1b2c);
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
                "an object that says something else of itself",
            ),
            (
                "/registry/minions/web-1",
                "kind \"Node\", name \"web-1\"",
                pod,
            ),
        ] {
            let seen = look(key, POD).unwrap();
            let (expected, found) = (expected.to_owned(), found.to_owned());
            assert_eq!(seen.faults, [Fault::Key { expected, found }], "{key}");
        }
    }

    #[test]
    fn what_is_not_of_an_api_server_gives_nothing() {
        assert_eq!(look("compact_rev_key", "123"), None);
        assert_eq!(look("/other/key", "{not json"), None);
        assert_eq!(look("/registry/what/a", "text"), None);
        assert_eq!(look("/registry/pods/shop", "text"), None);
        let other = look("/registry/ranges/serviceips", POD).unwrap();
        assert_eq!(other.faults, []);
        let deeper = look("/registry/pods/cluster/shop/web-1", POD).unwrap();
        assert_eq!(deeper.faults, []);
    }

    #[test]
    fn a_value_that_ends_too_early_is_told_with_its_reason() {
        let cut = look("/registry/pods/shop/web-1", r#"{"apiVersion":"v1""#).unwrap();
        assert!(matches!(cut.faults.as_slice(), [Fault::Undecodable(_)]));
        let text = look("/registry/pods/shop/web-1", "k9s").unwrap();
        assert!(matches!(text.faults.as_slice(), [Fault::Undecodable(_)]));
        let envelope = look("/other", "k8s\0\x0a").unwrap();
        assert!(matches!(
            envelope.faults.as_slice(),
            [Fault::Undecodable(_)]
        ));
    }

    #[test]
    fn a_uid_that_two_have_is_told_with_the_first() {
        let mut uids = Uids::default();
        let uid = number_of("9f2c0a3e-2b7c-4c1e-8d57-0f6f1f7a1b2c");
        assert_eq!(uids.take(uid, 7), None);
        assert_eq!(uids.take(uid, 9), Some(7));
        assert_eq!(number_of("abc"), 0);
        assert_eq!(uids.take(0, 7), None);
        assert_eq!(uids.take(0, 9), None);
    }
}
