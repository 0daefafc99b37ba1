//! Masks secret values before anything looks at them.
//!
//! Secret are, in a v1 Secret: the values of `data` and `stringData`, the annotations that hold the object
//! once more (`kubectl.kubernetes.io/last-applied-configuration` and its imitators), and every member that
//! a Secret is not known to have. Key names stay readable. A secret value becomes `<masked #1, 16 bytes>`:
//! equal values have equal numbers within one run, different values never have; the size is that of the
//! secret itself (of `data`: after base64).
//!
//! A tree is masked first and compared, searched or printed afterwards, so no path, context line or error
//! message can quote what is not there any more. Numbers are given when a masked value is about to be
//! printed, in the order of their first appearance; until then it is a *sealed* string with a hash.
//!
//! **Invariant:** of a secret value nothing is kept but its SHA-256 and its size.

use std::borrow::Cow;
use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::diff::{FieldChange, Scope, Segment, diff, tree};

/// Begins a sealed string: `<prefix><sha-256 in hex> <size in bytes>`. Sealed strings exist only between
/// sealing and numbering; a string in a tree with secrets that looks like one is sealed itself.
const SEAL: &str = "\u{0}sealed ";

/// `kubectl apply` keeps the whole object here, a Secret's values in clear.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// What a Secret has besides its values, none of it secret.
const READABLE: &[&str] = &["apiVersion", "kind", "metadata", "type", "immutable"];

/// What a sealed value was, so that equal bytes of different meaning are not taken for equal.
#[derive(Clone, Copy)]
enum Sort {
    /// The bytes of a secret.
    Bytes = 0,
    /// A text which should have been base64 and is not.
    NotBase64 = 1,
    /// A value which should have been a text; its canonical JSON.
    Json = 2,
}

/// Masks secrets and numbers them. One for a whole run.
#[derive(Debug, Default)]
pub struct Masker {
    reveal: bool,
    numbers: HashMap<String, usize>,
}

impl Masker {
    /// A masker without any numbers given. `reveal`: masks nothing at all (`--show-secrets`).
    #[must_use]
    pub fn new(reveal: bool) -> Masker {
        Masker {
            reveal,
            numbers: HashMap::new(),
        }
    }

    /// An object with its secrets masked, also those of Secrets in a list or anywhere below. Borrowed where
    /// there are none.
    ///
    /// `stored_as_secret`: the object's key says it is a Secret, so it is treated as one even if it does
    /// not look like one (a value that could only be decoded in part).
    pub fn mask<'a>(&mut self, object: &'a Value, stored_as_secret: bool) -> Cow<'a, Value> {
        if self.reveal || !has_secrets(object, stored_as_secret) {
            return Cow::Borrowed(object);
        }
        let mut masked = sealed(object, stored_as_secret);
        self.number(&mut masked);
        Cow::Owned(masked)
    }

    /// What [`diff()`] gives for the two objects, with their secrets masked. A change of a secret value is
    /// `<masked #1, 16 bytes>` to `<masked #2, 20 bytes>`. Only printed values take a number.
    pub fn diff(
        &mut self,
        old: &Value,
        new: &Value,
        scope: Scope,
        stored_as_secret: bool,
    ) -> Vec<FieldChange> {
        let secrets = |object| has_secrets(object, stored_as_secret);
        if self.reveal || !(secrets(old) || secrets(new)) {
            return diff(old, new, scope);
        }
        let (old, new) = (sealed(old, stored_as_secret), sealed(new, stored_as_secret));
        let mut changes = diff(&old, &new, scope);
        for change in &mut changes {
            for segment in &mut change.path.0 {
                match segment {
                    Segment::Identity(members) => members
                        .iter_mut()
                        .filter_map(|(_, value)| value.as_mut())
                        .for_each(|value| self.number(value)),
                    Segment::Item(value) => self.number(value),
                    Segment::Key(_) | Segment::Index(_) => {}
                }
            }
            for value in change.old.iter_mut().chain(&mut change.new) {
                self.number(value);
            }
        }
        changes
    }

    /// The mask of one secret that is no part of an object: a password in the write-ahead log, a hash in a
    /// bucket. `None` where secrets are revealed.
    pub fn mask_bytes(&mut self, secret: &[u8]) -> Option<String> {
        if self.reveal {
            return None;
        }
        let mut value = Value::String(seal(Sort::Bytes, secret));
        self.number(&mut value);
        match value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Replaces sealed strings by numbered ones, in the order of the tree.
    fn number(&mut self, value: &mut Value) {
        each_mut(value, |value| {
            if let Value::String(text) = value
                && let Some((hash, size)) = text.strip_prefix(SEAL).and_then(|s| s.split_once(' '))
            {
                let next = self.numbers.len().saturating_add(1);
                let number = *self.numbers.entry(hash.to_owned()).or_insert(next);
                let unit = if size == "1" { "byte" } else { "bytes" };
                *text = format!("<masked #{number}, {size} {unit}>");
            }
        });
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

/// Visits a value and all below it, a parent before its children, children in order.
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

/// A list of Secrets, whose items need not say their kind.
fn is_secret_list(map: &Map<String, Value>) -> bool {
    text(map, "kind") == "SecretList" && text(map, "apiVersion") == "v1"
}

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

/// A copy in which every secret is a sealed string.
fn sealed(object: &Value, stored_as_secret: bool) -> Value {
    let mut copy = tree::copy(object);
    // First what would pass for sealed later, or an object could pretend to hold masked values.
    each_mut(&mut copy, |value| {
        if let Value::String(text) = value
            && is_sealed(text)
        {
            *text = seal(Sort::Bytes, text.as_bytes());
        }
    });
    if stored_as_secret {
        seal_secret(&mut copy);
    }
    each_mut(&mut copy, |value| {
        if let Value::Object(map) = value {
            if is_secret(map) {
                seal_secret(value);
            } else if is_secret_list(map)
                && let Some(Value::Array(items)) = map.get_mut("items")
            {
                items.iter_mut().for_each(seal_secret);
            }
        }
    });
    copy
}

/// Seals the secret parts of a Secret. Twice does no harm.
fn seal_secret(object: &mut Value) {
    let Value::Object(map) = object else {
        seal_whole(object);
        return;
    };
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("metadata", Value::Object(metadata)) => {
                if let Some(annotations) = metadata.get_mut("annotations") {
                    seal_annotations(annotations);
                }
            }
            (key @ ("data" | "stringData"), Value::Object(entries)) => {
                for value in entries.values_mut() {
                    match value {
                        Value::String(text) if key == "data" => *text = seal_base64(text),
                        value => seal_whole(value),
                    }
                }
            }
            (key, value)
                if READABLE.contains(&key) && key != "metadata" && tree::is_scalar(value) => {}
            (_, value) => seal_whole(value),
        }
    }
}

/// Seals the annotations that repeat the object: kubectl's, and those of other tools that keep a manifest
/// as JSON.
fn seal_annotations(annotations: &mut Value) {
    let Value::Object(annotations) = annotations else {
        return seal_whole(annotations);
    };
    for (key, value) in annotations.iter_mut() {
        let manifest = match &*value {
            Value::String(text) => text.contains("\"data\"") || text.contains("\"stringData\""),
            other => !other.is_null(),
        };
        if key == LAST_APPLIED || manifest {
            seal_whole(value);
        }
    }
}

fn seal_base64(text: &str) -> String {
    if is_sealed(text) {
        return text.to_owned();
    }
    // The strict decoder is injective: different texts give different bytes or none.
    match STANDARD.decode(text) {
        Ok(bytes) => seal(Sort::Bytes, &bytes),
        Err(_) => seal(Sort::NotBase64, text.as_bytes()),
    }
}

/// Seals any value but `null`, which is not a secret.
fn seal_whole(value: &mut Value) {
    let sealed = match &*value {
        Value::Null => return,
        Value::String(text) if is_sealed(text) => return,
        Value::String(text) => seal(Sort::Bytes, text.as_bytes()),
        other => seal(Sort::Json, &tree::canonical(other)),
    };
    *value = Value::String(sealed);
}

fn is_sealed(text: &str) -> bool {
    text.starts_with(SEAL)
}

fn seal(sort: Sort, secret: &[u8]) -> String {
    use std::fmt::Write;
    let mut hash = Sha256::new();
    hash.update([sort as u8]);
    hash.update(secret);
    let mut text = String::from(SEAL);
    for byte in hash.finalize() {
        // A `String` does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    let _ = write!(text, " {}", secret.len());
    text
}
