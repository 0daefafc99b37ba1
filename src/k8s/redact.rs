//! Masks secret values before an object is compared, searched or printed.
//!
//! **What is secret.** In a v1 Secret: the values of `data` and `stringData`, and the values of all annotations (an
//! annotation may contain the object once more, as JSON, as YAML, or compressed). Any other value is masked too unless it
//! is a known readable field *and* has the form of that field. The reason is damage: a damaged length can move a text of
//! the object into any other field, so a name is shown only if it can be a name. Key names are shown under the same
//! condition.
//!
//! **The mask.** A secret value becomes `<masked #1, 16 bytes>`. Equal values have equal numbers within one run, and
//! different values have different numbers. The size is that of the secret itself (for `data`, after base64).
//!
//! **Two steps.** A tree is masked first and compared, searched or printed afterwards, so that no path, context line or
//! error message can quote a secret:
//! 1. *Sealing* replaces each secret with a string that contains its hash and its size. Equal secrets get equal sealed
//!    strings, so two sealed objects can be compared.
//! 2. *Numbering* replaces sealed strings with numbered masks when they are about to be printed, in the order of their
//!    first appearance.
//!
//! Example: `data: {a: czNjcmV0, b: czNjcmV0}` becomes `data: {a: "<masked #1, 6 bytes>", b: "<masked #1, 6 bytes>"}`,
//! because both are the 6 bytes `s3cret`.
//!
//! **Invariant:** only the SHA-256 and the size of a secret value are kept.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::decode::{DecodeError, MALFORMED, UNKNOWN_FIELDS, is_name};
use super::diff::walked::PathCache;
use super::diff::{FieldChange, Path, Scope, Segment, diff, tree};
use super::envelope::{PROTOBUF_MAGIC, Stored, Unknown};
use super::object::tree_of;
use super::special::go_text;
use crate::wire::Reader;

/// The start of a sealed string: `<prefix><sha-256 in hex> <size in bytes>`. Sealed strings exist only between sealing
/// and numbering. A string of an object with secrets that looks like one is sealed itself.
const SEAL: &str = "\u{0}sealed ";

/// The maximal length of the key of a label or annotation, in bytes: a DNS name, a slash and a name.
const MAX_KEY_BYTES: usize = 253 + 1 + 63;

/// The maximal length of a label value, in bytes.
const MAX_LABEL_BYTES: usize = 63;

/// The maps of a Secret and of its metadata: their protobuf field number and name.
const MAPS: [(u32, &str); 2] = [(2, "data"), (4, "stringData")];
const METADATA_MAPS: [(u32, &str); 2] = [(11, "labels"), (12, "annotations")];

/// The form of a sealed value. It is part of the hash, so that equal bytes of different meaning get different numbers.
#[derive(Clone, Copy)]
enum SecretForm {
    /// The bytes of a secret.
    Bytes = 0,
    /// A text that should be base64 and is not.
    NotBase64 = 1,
    /// A value that should be a text and is not, as canonical JSON.
    Json = 2,
}

/// The changes of an object whose secrets are sealed and not numbered yet, see [`Masker::number_changes`].
#[derive(Debug)]
pub struct SealedChanges {
    changes: Vec<FieldChange>,
    has_secrets: bool,
}

impl SealedChanges {
    /// The changes of an object without secrets.
    #[must_use]
    pub fn without_secrets(changes: Vec<FieldChange>) -> Self {
        Self {
            changes,
            has_secrets: false,
        }
    }
}

/// Masks secrets and numbers the masks. One for a whole run.
#[derive(Debug, Default)]
pub struct Masker {
    reveal: bool,
    numbers: HashMap<String, usize>,
}

impl Masker {
    /// A masker that has given no numbers yet. With `reveal` it masks nothing (`--show-secrets`).
    #[must_use]
    pub fn new(reveal: bool) -> Masker {
        Masker {
            reveal,
            numbers: HashMap::new(),
        }
    }

    /// Whether nothing is masked.
    #[must_use]
    pub fn reveals(&self) -> bool {
        self.reveal
    }

    /// Decodes a stored value into a tree that can be masked.
    ///
    /// `stored_as_secret`: see [`Masker::mask`]. If it is true, malformed parts of the Secret are moved under
    /// [`MALFORMED`], because their key may be a secret.
    ///
    /// # Errors
    /// The value cannot be decoded, or it is encrypted.
    pub fn tree_of(&self, stored: &[u8], stored_as_secret: bool) -> Result<Value, DecodeError> {
        let (mut tree, _) = tree_of(stored)?;
        if stored_as_secret && !self.reveal {
            set_aside_malformed_entries(stored, &mut tree);
            set_aside_ambiguous_parts(stored, &mut tree);
        }
        Ok(tree)
    }

    /// An object with its secrets masked, including those of Secrets in a list or nested anywhere. Borrowed if it has no
    /// secrets.
    ///
    /// `stored_as_secret` means that the object's etcd key is the key of a Secret. Then the object is treated as a Secret
    /// even if it does not look like one (a value that could be decoded only partly).
    pub fn mask<'a>(&mut self, object: &'a Value, stored_as_secret: bool) -> Cow<'a, Value> {
        if self.reveal || !has_secrets(object, stored_as_secret) {
            return Cow::Borrowed(object);
        }
        let mut masked = sealed(object, stored_as_secret);
        self.number(&mut masked);
        Cow::Owned(masked)
    }

    /// Whether [`Masker::mask`] would mask a part of the object.
    #[must_use]
    pub fn has_masked_parts(&self, object: &Value, stored_as_secret: bool) -> bool {
        !self.reveal && has_secrets(object, stored_as_secret)
    }

    /// Compares two objects with [`diff()`], with their secrets masked. A change of a secret value is from
    /// `<masked #1, 16 bytes>` to `<masked #2, 20 bytes>`. Only values that are printed get a number.
    pub fn diff(
        &mut self,
        old: &Value,
        new: &Value,
        scope: Scope,
        stored_as_secret: bool,
    ) -> Vec<FieldChange> {
        let changes = self.diff_sealed(old, new, scope, stored_as_secret);
        self.number_changes(changes)
    }

    /// The same before the secrets are numbered. It changes nothing in the masker, so many objects can be compared at
    /// once.
    #[must_use]
    pub fn diff_sealed(
        &self,
        old: &Value,
        new: &Value,
        scope: Scope,
        stored_as_secret: bool,
    ) -> SealedChanges {
        let secrets = |object| has_secrets(object, stored_as_secret);
        if self.reveal || !(secrets(old) || secrets(new)) {
            return SealedChanges::without_secrets(diff(old, new, scope));
        }
        let (old, new) = (sealed(old, stored_as_secret), sealed(new, stored_as_secret));
        SealedChanges {
            changes: diff(&old, &new, scope),
            has_secrets: true,
        }
    }

    /// Numbers the secrets of changes, in the order in which they are printed.
    pub fn number_changes(&mut self, sealed: SealedChanges) -> Vec<FieldChange> {
        let mut changes = sealed.changes;
        if !sealed.has_secrets {
            return changes;
        }
        let mut numbered: PathCache<Path> = PathCache::default();
        for change in &mut changes {
            let root = Path::default();
            change.path = numbered.get(&change.path, root, |parent, _, segment| {
                let mut segment = segment.clone();
                self.number_segment(&mut segment);
                parent.child(segment)
            });
            for value in change.old.iter_mut().chain(&mut change.new) {
                self.number(value);
            }
        }
        changes
    }

    /// The mask for a secret that is not part of an object, such as a password in the write-ahead log or a hash in a
    /// bucket. `None` if secrets are shown.
    pub fn mask_bytes(&mut self, secret: &[u8]) -> Option<String> {
        if self.reveal {
            return None;
        }
        let mut value = Value::String(seal(SecretForm::Bytes, secret));
        self.number(&mut value);
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Replaces sealed strings with numbered masks, in the order of the tree.
    fn number(&mut self, value: &mut Value) {
        each_mut(value, |value| match value {
            Value::String(text) => self.number_text(text),
            Value::Object(map) => replace_keys(map, |key| {
                is_sealed(key).then(|| {
                    let mut key = key.to_owned();
                    self.number_text(&mut key);
                    key
                })
            }),
            _ => {}
        });
    }

    /// Numbers the sealed texts in a segment of a path.
    fn number_segment(&mut self, segment: &mut Segment) {
        match segment {
            Segment::Identity(members) => members
                .iter_mut()
                .filter_map(|(_, value)| value.as_mut())
                .for_each(|value| self.number(value)),
            Segment::Item(value) => self.number(value),
            Segment::Key(key) => self.number_text(key),
            Segment::Index(_) => {}
        }
    }

    /// Replaces a sealed text with a numbered mask.
    fn number_text(&mut self, text: &mut String) {
        if let Some((hash, size)) = text.strip_prefix(SEAL).and_then(|s| s.split_once(' ')) {
            let next = self.numbers.len().saturating_add(1);
            let number = *self.numbers.entry(hash.to_owned()).or_insert(next);
            let unit = if size == "1" { "byte" } else { "bytes" };
            *text = format!("<masked #{number}, {size} {unit}>");
        }
    }
}

/// Whether a text has the form of a mask.
#[must_use]
pub fn is_mask(text: &str) -> bool {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    text.strip_prefix("<masked #")
        .and_then(|text| text.strip_suffix(" bytes>").or(text.strip_suffix(" byte>")))
        .and_then(|text| text.split_once(", "))
        .is_some_and(|(number, size)| digits(number) && digits(size))
}

/// Visits a value and all its descendants: a parent before its children, children in order.
fn each_mut(value: &mut Value, mut visit: impl FnMut(&mut Value)) {
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        visit(value);
        match value {
            Value::Array(items) => stack.extend(items.iter_mut().rev()),
            Value::Object(map) => {
                let start = stack.len();
                stack.extend(map.values_mut());
                if let Some(children) = stack.get_mut(start..) {
                    children.reverse();
                }
            }
            _ => {}
        }
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> &'a str {
    map.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn is_secret(map: &Map<String, Value>) -> bool {
    text(map, "kind") == "Secret" && text(map, "apiVersion") == "v1"
}

/// Whether an object is a list of Secrets. Its items may have no kind of their own.
fn is_secret_list(map: &Map<String, Value>) -> bool {
    text(map, "kind") == "SecretList" && text(map, "apiVersion") == "v1"
}

/// Whether an object contains a Secret. If it was stored under the key of a Secret, it always does.
fn has_secrets(object: &Value, stored_as_secret: bool) -> bool {
    let mut stack = vec![object];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(map) if is_secret(map) || is_secret_list(map) => return true,
            Value::Object(map) => stack.extend(map.values()),
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    stored_as_secret
}

/// Whether a text or a key in a tree looks like a sealed string. In an object with a Secret it would be masked.
pub(super) fn has_sealed_text(tree: &Value) -> bool {
    let mut stack = vec![tree];
    while let Some(value) = stack.pop() {
        match value {
            Value::String(text) if is_sealed(text) => return true,
            Value::Object(map) if map.keys().any(|key| is_sealed(key)) => return true,
            Value::Object(map) => stack.extend(map.values()),
            Value::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    false
}

/// A copy in which each secret is a sealed string.
fn sealed(object: &Value, stored_as_secret: bool) -> Value {
    let mut copy = tree::copy(object);
    // First seal strings that look sealed. Otherwise an object could contain a forged sealed string.
    each_mut(&mut copy, |value| match value {
        Value::String(text) if is_sealed(text) => *text = seal(SecretForm::Bytes, text.as_bytes()),
        Value::Object(map) => replace_keys(map, |key| {
            is_sealed(key).then(|| seal(SecretForm::Bytes, key.as_bytes()))
        }),
        _ => {}
    });
    if stored_as_secret {
        seal_secret(&mut copy);
    }
    each_mut(&mut copy, |value| {
        if let Value::Object(map) = value {
            if is_secret(map) {
                seal_secret(value);
            } else if is_secret_list(map) {
                seal_secret_list(map);
            }
        }
    });
    copy
}

/// Seals the secret parts of a Secret. Sealing twice changes nothing.
fn seal_secret(object: &mut Value) {
    let Value::Object(map) = object else {
        return seal_whole(object);
    };
    seal_keys(map);
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("apiVersion", value) => seal_unless(value, |text| text == "v1"),
            ("kind", value) => seal_unless(value, |text| matches!(text, "Secret" | "SecretList")),
            ("type", value) => seal_unless(value, is_name),
            ("immutable", Value::Bool(_)) => {}
            ("metadata", value) => seal_metadata(value),
            (key @ ("data" | "stringData"), Value::Object(entries)) => {
                seal_keys(entries);
                for value in entries.values_mut() {
                    match value {
                        Value::String(text) if key == "data" => *text = seal_base64(text),
                        value => seal_whole(value),
                    }
                }
            }
            (_, value) => seal_whole(value),
        }
    }
}

/// Seals the secret parts of a list of Secrets.
fn seal_secret_list(list: &mut Map<String, Value>) {
    for (key, value) in list.iter_mut() {
        match (key.as_str(), value) {
            ("apiVersion" | "kind", _) => {}
            ("metadata", value) => seal_metadata(value),
            ("items", Value::Array(items)) => items.iter_mut().for_each(seal_secret),
            (_, value) => seal_whole(value),
        }
    }
}

/// Seals all of a Secret's metadata except for known members whose value has the form of that member.
fn seal_metadata(metadata: &mut Value) {
    let Value::Object(map) = metadata else {
        return seal_whole(metadata);
    };
    seal_keys(map);
    let name = text(map, "name").to_owned();
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("name" | "namespace", value) => seal_unless(value, is_dns_name),
            // A damaged tag can turn an entry of `data` into a name and a generateName.
            ("generateName", value) => {
                seal_unless(value, |text| is_dns_name(text) && name.starts_with(text));
            }
            ("uid", value) => seal_unless(value, is_uid),
            ("resourceVersion", value) => seal_unless(value, is_digits),
            ("selfLink", value) => {
                seal_unless(value, |text| text.starts_with("/api/v1/") && is_name(text));
            }
            ("creationTimestamp" | "deletionTimestamp", value) => seal_unless(value, is_time),
            (
                "generation" | "deletionGracePeriodSeconds" | "remainingItemCount",
                Value::Number(_),
            ) => {}
            ("labels", Value::Object(labels)) => {
                seal_keys(labels);
                labels
                    .values_mut()
                    .for_each(|value| seal_unless(value, is_label));
            }
            ("annotations", Value::Object(annotations)) => {
                seal_keys(annotations);
                annotations.values_mut().for_each(seal_whole);
            }
            ("finalizers", Value::Array(items)) => items
                .iter_mut()
                .for_each(|item| seal_unless(item, is_finalizer)),
            ("ownerReferences", Value::Array(items)) => items.iter_mut().for_each(seal_owner),
            ("managedFields", Value::Array(items)) => items.iter_mut().for_each(seal_manager),
            (_, value) => seal_whole(value),
        }
    }
}

/// Seals the members of an owner reference that do not have their form.
fn seal_owner(owner: &mut Value) {
    let Value::Object(map) = owner else {
        return seal_whole(owner);
    };
    seal_keys(map);
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("apiVersion" | "kind" | "name", value) => seal_unless(value, is_name),
            ("uid", value) => seal_unless(value, is_uid),
            ("controller" | "blockOwnerDeletion", Value::Bool(_)) => {}
            (_, value) => seal_whole(value),
        }
    }
}

/// Seals the members of a managedFields entry that do not have their form.
fn seal_manager(manager: &mut Value) {
    let Value::Object(map) = manager else {
        return seal_whole(manager);
    };
    seal_keys(map);
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("manager" | "operation" | "apiVersion" | "fieldsType" | "subresource", value) => {
                seal_unless(value, is_name);
            }
            ("time", value) => seal_unless(value, is_time),
            ("fieldsV1", value) if is_field_set(value) => {}
            (_, value) => seal_whole(value),
        }
    }
}

/// Whether a value is a FieldsV1, which has only paths of fields and no values.
fn is_field_set(value: &Value) -> bool {
    let is_path = |key: &str| {
        let typed = ["f:", "k:", "v:", "i:"].iter().any(|t| key.starts_with(t));
        (typed || key == ".") && key.bytes().all(|byte| matches!(byte, b' '..=b'~'))
    };
    let mut stack = vec![value];
    while let Some(value) = stack.pop() {
        match value {
            Value::Object(map) if map.keys().all(|key| is_path(key)) => stack.extend(map.values()),
            _ => return false,
        }
    }
    true
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text can be the name of a Secret or namespace: an RFC 1123 subdomain.
fn is_dns_name(text: &str) -> bool {
    is_name(text)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.'))
}

fn is_uid(text: &str) -> bool {
    text.len() == 36
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}

fn is_time(text: &str) -> bool {
    let digit_or_sign =
        |byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b':' | b'.' | b'T' | b'Z');
    text.len() <= "2006-01-02T15:04:05.000000+00:00".len() && text.bytes().all(digit_or_sign)
}

fn is_label(text: &str) -> bool {
    text.len() <= MAX_LABEL_BYTES && is_name(text) && !text.contains('/')
}

/// Whether a text can be a finalizer: `domain/name`, or one of Kubernetes' own.
fn is_finalizer(text: &str) -> bool {
    let has_domain = |(domain, name)| is_dns_name(domain) && domain.contains('.') && is_label(name);
    matches!(text, "foregroundDeletion" | "orphan" | "kubernetes")
        || text.split_once('/').is_some_and(has_domain)
}

/// Whether a text can be the name of a map's member.
fn is_key(key: &str) -> bool {
    let (end, start) = (key.get(253..).unwrap_or_default(), key.get(..253));
    let in_charset = is_name(start.unwrap_or(key)) && (end.is_empty() || is_name(end));
    matches!(key, MALFORMED | UNKNOWN_FIELDS) || (key.len() <= MAX_KEY_BYTES && in_charset)
}

/// Seals the names of members that cannot be names. A damaged length can make bytes of a value a part of a name.
fn seal_keys(map: &mut Map<String, Value>) {
    replace_keys(map, |key| {
        (!key.is_empty() && !is_key(key) && !is_sealed(key))
            .then(|| seal(SecretForm::Bytes, key.as_bytes()))
    });
}

/// Renames members in place.
fn replace_keys(map: &mut Map<String, Value>, mut replacement: impl FnMut(&str) -> Option<String>) {
    let mut new_keys: Vec<Option<String>> = map.keys().map(|key| replacement(key)).collect();
    if new_keys.iter().all(Option::is_none) {
        return;
    }
    let old = std::mem::take(map);
    for ((key, value), new_key) in old.into_iter().zip(&mut new_keys) {
        map.insert(new_key.take().unwrap_or(key), value);
    }
}

/// Seals a value unless it is a readable text or empty.
fn seal_unless(value: &mut Value, is_readable: impl Fn(&str) -> bool) {
    match value {
        Value::String(text) if text.is_empty() || is_readable(text) => {}
        value => seal_whole(value),
    }
}

/// Moves those entries of a stored Secret's maps that are not one key and then one value under [`MALFORMED`].
///
/// The protobuf format allows other entries, and the decoder has decoded them. API servers write such an entry only for
/// a `null` in `data`. If a tag is damaged, the value of an entry may be decoded as its key and would be shown.
fn set_aside_malformed_entries(stored: &[u8], tree: &mut Value) {
    let Some(Ok(unknown)) = stored.strip_prefix(PROTOBUF_MAGIC).map(Unknown::parse) else {
        return;
    };
    let raw = unknown.raw.unwrap_or_default();
    for (number, name) in MAPS {
        set_aside(raw, number, tree.get_mut(name));
    }
    for metadata in fields_of(raw, 1) {
        for (number, name) in METADATA_MAPS {
            let map = tree.get_mut("metadata").and_then(|m| m.get_mut(name));
            set_aside(metadata, number, map);
        }
    }
}

/// Whether a part of the object of a stored Secret is its `data` alone, well-formed, with its type. Then the part is
/// unchanged. Otherwise malformed entries may have been moved.
pub(super) fn is_data_alone(stored: &[u8], part: &mut Value) -> bool {
    set_aside_malformed_entries(stored, part);
    let Value::Object(map) = part else {
        return false;
    };
    let is_usual = |(key, value): (&String, &Value)| match (key.as_str(), value) {
        ("kind" | "apiVersion", _) => true,
        ("metadata", Value::Object(metadata)) => metadata.is_empty(),
        ("data", Value::Object(entries)) => entries.values().all(Value::is_string),
        _ => false,
    };
    is_secret(map) && map.iter().all(is_usual)
}

/// Moves parts of a stored Secret under [`MALFORMED`] if damage may have mixed them with other parts.
///
/// Protobuf: API servers write the metadata once. If a tag is damaged, an entry of `data` may become a second metadata:
/// its key becomes the name, and its value (with another damaged byte) a namespace or a uid. So metadata that occurs
/// several times is moved.
///
/// CBOR: a text has no end mark. If a length is damaged, a key of `data` may include the value after it, and looks like
/// any other key. So `data` and `stringData` are moved. (This is called only for a value stored as a Secret.)
fn set_aside_ambiguous_parts(stored: &[u8], tree: &mut Value) {
    let Value::Object(object) = tree else {
        return;
    };
    let unusual: &[&str] = match Stored::detect(stored) {
        Stored::Protobuf(body) => {
            let raw = Unknown::parse(body).ok().and_then(|unknown| unknown.raw);
            let is_once = fields_of(raw.unwrap_or_default(), 1).nth(1).is_none();
            if is_once { &[] } else { &["metadata"] }
        }
        Stored::Cbor(_) => &["data", "stringData"],
        _ => &[],
    };
    for name in unusual {
        if let Some(part) = object.get_mut(*name) {
            let mut aside = Map::new();
            aside.insert(MALFORMED.to_owned(), Value::Array(vec![part.take()]));
            *part = Value::Object(aside);
        }
    }
}

/// Moves the malformed entries of one map field under [`MALFORMED`].
fn set_aside(message: &[u8], number: u32, map: Option<&mut Value>) {
    let Some(Value::Object(map)) = map else {
        return;
    };
    // They are removed in one pass, because each single removal moves all members after it.
    let (mut unusual, mut unusual_keys) = (Vec::new(), HashSet::new());
    for entry in fields_of(message, number) {
        let mut numbers = Vec::new();
        let mut reader = Reader::new(entry);
        while let Ok(Some(field)) = reader.field() {
            numbers.push(field.number);
        }
        if numbers != [1, 2] {
            let key = fields_of(entry, 1).last().unwrap_or_default();
            unusual_keys.insert(go_text(key));
            unusual.push(Value::String(STANDARD.encode(entry)));
        }
    }
    if !unusual.is_empty() {
        map.retain(|key, _| !unusual_keys.contains(key.as_str()));
        let malformed = map
            .entry(MALFORMED)
            .or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(items) = malformed {
            items.extend(unusual);
        }
    }
}

/// The contents of a message's fields with this number, up to an error.
fn fields_of(message: &[u8], number: u32) -> impl Iterator<Item = &[u8]> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || reader.field().ok().flatten())
        .filter(move |field| field.number == number)
        .filter_map(|field| field.content.bytes())
}

/// Seals a base64 text: the decoded bytes count, so that equal secrets get equal masks.
fn seal_base64(text: &str) -> String {
    if is_sealed(text) {
        return text.to_owned();
    }
    // The strict decoder is injective: different texts give different bytes or none.
    match STANDARD.decode(text) {
        Ok(bytes) => seal(SecretForm::Bytes, &bytes),
        Err(_) => seal(SecretForm::NotBase64, text.as_bytes()),
    }
}

/// Seals any value except `null`, which is not secret.
fn seal_whole(value: &mut Value) {
    let sealed = match &*value {
        Value::Null => return,
        Value::String(text) if is_sealed(text) => return,
        Value::String(text) => seal(SecretForm::Bytes, text.as_bytes()),
        other => seal(SecretForm::Json, &tree::canonical(other)),
    };
    *value = Value::String(sealed);
}

fn is_sealed(text: &str) -> bool {
    text.starts_with(SEAL)
}

/// The sealed string for a secret.
fn seal(form: SecretForm, secret: &[u8]) -> String {
    use std::fmt::Write;
    let mut hash = Sha256::new();
    hash.update([form as u8]);
    hash.update(secret);
    let mut text = String::from(SEAL);
    for byte in hash.finalize() {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    let _ = write!(text, " {}", secret.len());
    text
}
