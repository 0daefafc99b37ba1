//! How many bytes of a stored object are managedFields and annotations. The encoded bytes are counted: no object is
//! decoded.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::Deserializer;

use super::envelope::{Stored, Unknown};
use crate::wire::{Content, Reader};

/// The annotation in which `kubectl apply` keeps the last manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Bytes of an object's metadata as they are stored, with the name of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MetadataBytes {
    /// Of `metadata.managedFields`.
    pub managed_fields: u64,
    /// Of `metadata.annotations`, the last applied configuration included.
    pub annotations: u64,
    /// Of the annotation with the last applied configuration.
    pub last_applied: u64,
}

impl MetadataBytes {
    /// Counts the metadata of a stored value in protobuf or JSON. None for another value, or a damaged one.
    pub fn read(value: &[u8]) -> Option<Self> {
        match Stored::detect(value) {
            Stored::Protobuf(body) => from_protobuf(body),
            Stored::Json(text) => from_json(text),
            _ => None,
        }
    }

    /// Adds those of another object.
    pub fn add(&mut self, other: Self) {
        let sum = |a: &mut u64, b: u64| *a = a.saturating_add(b);
        sum(&mut self.managed_fields, other.managed_fields);
        sum(&mut self.annotations, other.annotations);
        sum(&mut self.last_applied, other.last_applied);
    }
}

/// Counts the metadata of a protobuf value. Metadata is field 1 of an object. In it field 12 is an annotation, field 17
/// an entry of managedFields, and both are repeated.
fn from_protobuf(body: &[u8]) -> Option<MetadataBytes> {
    let unknown = Unknown::parse(body).ok()?;
    let first = Reader::new(unknown.raw?).field().ok()??;
    let (1, Content::Bytes(meta)) = (first.number, first.content) else {
        return None;
    };
    let mut found = MetadataBytes::default();
    let mut reader = Reader::new(meta);
    // Where the current field begins, with its tag and length.
    let mut start = 0;
    while let Some(field) = reader.field().ok()? {
        let end = reader.position();
        let bytes = end.saturating_sub(start) as u64;
        start = end;
        match (field.number, field.content) {
            (12, Content::Bytes(entry)) => {
                found.annotations = found.annotations.saturating_add(bytes);
                // An entry of a map: field 1 is its key.
                let key = Reader::new(entry).field().ok().flatten();
                let key = key.filter(|key| key.number == 1);
                if key.and_then(|key| key.content.bytes()) == Some(LAST_APPLIED.as_bytes()) {
                    found.last_applied = found.last_applied.saturating_add(bytes);
                }
            }
            (17, _) => found.managed_fields = found.managed_fields.saturating_add(bytes),
            _ => {}
        }
    }
    Some(found)
}

/// Counts the metadata of a JSON value. Maps are read one level at a time, so that the bytes of each member are known.
fn from_json(text: &[u8]) -> Option<MetadataBytes> {
    let mut found = MetadataBytes::default();
    let mut metadata = None;
    members(text, |name, member| {
        if name == "metadata" {
            metadata = Some(member.value);
        }
    })?;
    let mut annotations = None;
    members(metadata?, |name, member| match name {
        "managedFields" => found.managed_fields = member.bytes,
        "annotations" => {
            found.annotations = member.bytes;
            annotations = Some(member.value);
        }
        _ => {}
    })?;
    if let Some(annotations) = annotations {
        members(annotations, |name, member| {
            if name == LAST_APPLIED {
                found.last_applied = member.bytes;
            }
        });
    }
    Some(found)
}

/// A member of a JSON map.
struct Member<'t> {
    /// The text of its value.
    value: &'t [u8],
    /// Length of its name, the colon and its value, in bytes.
    bytes: u64,
}

/// Gives each member of a JSON map to `see`. None if the text is not a map, or is damaged.
fn members<'t>(text: &'t [u8], mut see: impl FnMut(&str, Member<'t>)) -> Option<()> {
    let mut rest = text.trim_ascii_start().strip_prefix(b"{")?;
    loop {
        rest = rest.trim_ascii_start();
        if rest.starts_with(b"}") {
            return Some(());
        }
        let mut name = Deserializer::from_slice(rest).into_iter::<Cow<'_, str>>();
        let text = name.next()?.ok()?;
        let after = rest.get(name.byte_offset()..)?.trim_ascii_start();
        let value = after.strip_prefix(b":")?.trim_ascii_start();
        let mut ignored = Deserializer::from_slice(value).into_iter::<IgnoredAny>();
        ignored.next()?.ok()?;
        let (value, after) = value.split_at_checked(ignored.byte_offset())?;
        let bytes = rest.len().saturating_sub(after.len()) as u64;
        see(&text, Member { value, bytes });
        let after = after.trim_ascii_start();
        rest = after.strip_prefix(b",").unwrap_or(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_json_are_those_of_the_members() {
        let managed = r#""managedFields":[{"manager":"a","fieldsV1":{"f:x":{}}}]"#;
        let last = format!(r#""{LAST_APPLIED}":"{{\"spec\":{{}}}}\n""#);
        let annotations = format!(r#""annotations":{{"a":"b",{last}}}"#);
        let text = format!(
            r#"{{"kind":"A","metadata":{{"name":"m}}\"",{annotations},{managed}}},"spec":{{"metadata":{{"managedFields":[1]}}}}}}"#
        );
        let expected = MetadataBytes {
            managed_fields: managed.len() as u64,
            annotations: annotations.len() as u64,
            last_applied: last.len() as u64,
        };
        assert_eq!(MetadataBytes::read(text.as_bytes()), Some(expected));
        assert_eq!(
            MetadataBytes::read(br#"{"metadata":{}}"#),
            Some(MetadataBytes::default())
        );
        for other in [&b"{"[..], b"[]", b"text", b"", b"{\"metadata\":1}", b"{}"] {
            assert_eq!(MetadataBytes::read(other), None);
        }
    }

    #[test]
    fn the_bytes_of_protobuf_are_those_of_the_fields() {
        use crate::wire::put_bytes;
        let (mut annotations, mut managed) = (Vec::new(), Vec::new());
        for name in ["a", LAST_APPLIED] {
            let mut entry = Vec::new();
            put_bytes(&mut entry, 1, name.as_bytes());
            put_bytes(&mut entry, 2, b"value");
            put_bytes(&mut annotations, 12, &entry);
        }
        put_bytes(&mut managed, 17, b"\x0a\x01m");
        put_bytes(&mut managed, 17, b"\x0a\x02mm");
        let meta = [&b"\x0a\x01n"[..], &annotations, &managed].concat();
        let mut raw = Vec::new();
        put_bytes(&mut raw, 1, &meta);
        put_bytes(&mut raw, 2, b"the spec");
        let mut value = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod".to_vec();
        put_bytes(&mut value, 2, &raw);
        let found = MetadataBytes::read(&value);
        // Tag, length, the two fields of an entry.
        let last_applied = 1 + 1 + (2 + LAST_APPLIED.len()) + 7;
        let expected = MetadataBytes {
            managed_fields: managed.len() as u64,
            annotations: annotations.len() as u64,
            last_applied: last_applied as u64,
        };
        assert_eq!(found, Some(expected));
    }
}
