//! The type and metadata of an object, read without decoding its spec and status. Listings and histories use it.
//!
//! In protobuf only the envelope and field 1 (ObjectMeta) are read; the field numbers of ObjectMeta have not changed
//! since Kubernetes 1.0. JSON and CBOR values are parsed as a whole. Upstream: apimachinery's meta/v1 types.go,
//! ObjectMeta and ManagedFieldsEntry.

use std::borrow::Cow;

use serde_json::Value;

use super::envelope::{Envelope, Stored, Unknown};
use super::schema;
use super::sink::Order;
use super::special::{go_text, is_zero_time, timestamp};
use super::{TreeSink, decode};
use crate::wire::{Content, Reader, WireError};

/// The identity of an object and its field managers. A text is empty if it is not stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Meta<'a> {
    /// `group/version`, or `version` for the core group.
    pub api_version: Cow<'a, str>,
    /// The kind.
    pub kind: Cow<'a, str>,
    /// `metadata.namespace`, empty for cluster-scoped objects.
    pub namespace: Cow<'a, str>,
    /// `metadata.name`.
    pub name: Cow<'a, str>,
    /// `metadata.uid`. If it changes under the same name, the object was deleted and created again.
    pub uid: Cow<'a, str>,
    /// `metadata.generation`, 0 if not stored.
    pub generation: i64,
    /// `metadata.creationTimestamp`, in seconds since 1970.
    pub creation_time: Option<i64>,
    /// `metadata.deletionTimestamp`, in seconds since 1970.
    pub deletion_time: Option<i64>,
    /// `metadata.deletionGracePeriodSeconds`.
    pub deletion_grace_seconds: Option<i64>,
    /// The uids of `metadata.ownerReferences`, in the order stored.
    pub owners: Vec<Cow<'a, str>>,
    /// `metadata.managedFields`, in the order stored.
    pub managed_fields: Vec<ManagedFields<'a>>,
}

/// One entry of `metadata.managedFields`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ManagedFields<'a> {
    /// The manager, for example `kubectl-client-side-apply` or `kube-controller-manager`.
    pub manager: Cow<'a, str>,
    /// `Apply` or `Update`.
    pub operation: Cow<'a, str>,
    /// `status`, `scale`, or empty.
    pub subresource: Cow<'a, str>,
    /// The time of the manager's last change, in seconds since 1970.
    pub time: Option<i64>,
    /// The set of fields, as JSON text; empty if there is none.
    pub fields: Cow<'a, [u8]>,
}

impl<'a> Meta<'a> {
    /// Reads the metadata of a stored value. Returns None if the value is not an object (a text, an encrypted value)
    /// or if its envelope, JSON or CBOR cannot be parsed.
    #[must_use]
    pub fn read(value: &'a [u8]) -> Option<Self> {
        let mut managed_fields = Vec::new();
        let meta = Self::read_with(value, &mut |entry| managed_fields.push(entry))?;
        Some(Self {
            managed_fields,
            ..meta
        })
    }

    /// The same, with the entries of managedFields passed to `see` and not kept.
    pub(super) fn read_with(
        value: &'a [u8],
        see: &mut impl FnMut(ManagedFields<'a>),
    ) -> Option<Self> {
        match Stored::detect(value) {
            Stored::Protobuf(body) => {
                let unknown = Unknown::parse(body).ok()?;
                let mut meta = Self {
                    api_version: unknown.api_version,
                    kind: unknown.kind,
                    ..Self::default()
                };
                let mut reader = Reader::new(unknown.raw?);
                // Metadata is field 1 and is written first, so the fields after it are not read.
                if let Some(field) = reader.field().ok()?
                    && let (1, Content::Bytes(bytes)) = (field.number, field.content)
                    && has_metadata(&meta.api_version, &meta.kind)
                {
                    let _ = meta.object_meta(bytes, see); // fields read before damage are kept
                }
                Some(meta)
            }
            Stored::Json(_) | Stored::Cbor(_) => {
                let mut tree = TreeSink::new();
                decode(value, Order::Declared, &mut tree).ok()?;
                let mut meta = Self::from_tree(&tree.into_value())?;
                std::mem::take(&mut meta.managed_fields)
                    .into_iter()
                    .for_each(see);
                Some(meta)
            }
            _ => None,
        }
    }

    /// Reads an ObjectMeta message. Fields before an error are kept.
    fn object_meta(
        &mut self,
        bytes: &'a [u8],
        see: &mut impl FnMut(ManagedFields<'a>),
    ) -> Result<(), WireError> {
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field()? {
            match (field.number, field.content) {
                (1, Content::Bytes(b)) => self.name = go_text(b),
                (3, Content::Bytes(b)) => self.namespace = go_text(b),
                (5, Content::Bytes(b)) => self.uid = go_text(b),
                (7, Content::Varint(v)) => self.generation = v.cast_signed(),
                (8, Content::Bytes(b)) => self.creation_time = seconds(b),
                (9, Content::Bytes(b)) => self.deletion_time = seconds(b),
                (10, Content::Varint(v)) => self.deletion_grace_seconds = Some(v.cast_signed()),
                (13, Content::Bytes(b)) => self.owners.push(go_text(owner_uid(b)?)),
                (17, Content::Bytes(b)) => see(ManagedFields::read(b)?),
                _ => {}
            }
        }
        Ok(())
    }

    fn from_tree(object: &Value) -> Option<Self> {
        object.as_object()?;
        let metadata = object.get("metadata");
        let field = |key: &str| metadata.and_then(|m| m.get(key));
        let list = |key: &str| field(key).and_then(Value::as_array).into_iter().flatten();
        Some(Self {
            api_version: text(object.get("apiVersion")),
            kind: text(object.get("kind")),
            namespace: text(field("namespace")),
            name: text(field("name")),
            uid: text(field("uid")),
            generation: field("generation").and_then(Value::as_i64).unwrap_or(0),
            creation_time: parse_time(field("creationTimestamp")),
            deletion_time: parse_time(field("deletionTimestamp")),
            deletion_grace_seconds: field("deletionGracePeriodSeconds").and_then(Value::as_i64),
            owners: list("ownerReferences")
                .map(|owner| text(owner.get("uid")))
                .collect(),
            managed_fields: list("managedFields")
                .map(ManagedFields::from_tree)
                .collect(),
        })
    }
}

impl<'a> ManagedFields<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let entry = StoredEntry::read(bytes)?;
        Ok(Self {
            manager: go_text(entry.manager),
            operation: go_text(entry.operation),
            subresource: go_text(entry.subresource),
            time: entry.time,
            fields: Cow::Borrowed(entry.fields),
        })
    }

    fn from_tree(entry: &Value) -> Self {
        Self {
            manager: text(entry.get("manager")),
            operation: text(entry.get("operation")),
            subresource: text(entry.get("subresource")),
            time: parse_time(entry.get("time")),
            fields: Cow::Owned(
                entry
                    .get("fieldsV1")
                    .map(|f| f.to_string().into_bytes())
                    .unwrap_or_default(),
            ),
        }
    }
}

/// An entry of managedFields with its texts as they are stored.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StoredEntry<'a> {
    pub(super) manager: &'a [u8],
    pub(super) operation: &'a [u8],
    pub(super) subresource: &'a [u8],
    pub(super) time: Option<i64>,
    fields: &'a [u8],
}

impl<'a> StoredEntry<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut out = Self::default();
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field()? {
            let Content::Bytes(b) = field.content else {
                continue;
            };
            match field.number {
                1 => out.manager = b,
                2 => out.operation = b,
                4 => out.time = seconds(b),
                7 => {
                    let raw = Reader::new(b).field()?.filter(|f| f.number == 1);
                    out.fields = raw.and_then(|f| f.content.bytes()).unwrap_or_default();
                }
                8 => out.subresource = b,
                _ => {}
            }
        }
        Ok(out)
    }
}

/// The times in an object's metadata, except those in managedFields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct TimeFields {
    /// As [`Meta::creation_time`].
    pub(super) creation: Option<i64>,
    /// As [`Meta::deletion_time`].
    pub(super) deletion: Option<i64>,
    /// As [`Meta::deletion_grace_seconds`].
    pub(super) deletion_grace: Option<i64>,
}

impl TimeFields {
    /// Reads the times in a protobuf value, given the bytes after `k8s\0`, and passes the entries of managedFields to
    /// `see`. Texts are neither checked nor copied, because a pass over a store does this for each value.
    ///
    /// **Invariant:** the result and the entries are those of [`Meta::read_with`] for every value, a damaged one too.
    pub(super) fn read<'a>(body: &'a [u8], see: &mut impl FnMut(StoredEntry<'a>)) -> Option<Self> {
        let envelope = Envelope::parse(body).ok()?;
        let mut times = Self::default();
        if let Some(field) = Reader::new(envelope.raw?).field().ok()?
            && let (1, Content::Bytes(bytes)) = (field.number, field.content)
            && (is_usual_object(envelope.kind)
                || has_metadata(&go_text(envelope.api_version), &go_text(envelope.kind)))
        {
            let _ = times.object_meta(bytes, see); // fields read before damage are kept
        }
        Some(times)
    }

    /// Reads an ObjectMeta message. It ends with the same error as [`Meta::object_meta`], so an owner is read too.
    fn object_meta<'a>(
        &mut self,
        bytes: &'a [u8],
        see: &mut impl FnMut(StoredEntry<'a>),
    ) -> Result<(), WireError> {
        let mut reader = Reader::new(bytes);
        while let Some(field) = reader.field()? {
            match (field.number, field.content) {
                (8, Content::Bytes(b)) => self.creation = seconds(b),
                (9, Content::Bytes(b)) => self.deletion = seconds(b),
                (10, Content::Varint(v)) => self.deletion_grace = Some(v.cast_signed()),
                (13, Content::Bytes(b)) => {
                    owner_uid(b)?;
                }
                (17, Content::Bytes(b)) => see(StoredEntry::read(b)?),
                _ => {}
            }
        }
        Ok(())
    }
}

impl From<&Meta<'_>> for TimeFields {
    fn from(meta: &Meta<'_>) -> Self {
        Self {
            creation: meta.creation_time,
            deletion: meta.deletion_time,
            deletion_grace: meta.deletion_grace_seconds,
        }
    }
}

/// The uid of a `meta/v1 OwnerReference`, as it is stored.
fn owner_uid(bytes: &[u8]) -> Result<&[u8], WireError> {
    let mut reader = Reader::new(bytes);
    while let Some(field) = reader.field()? {
        if let (4, Content::Bytes(uid)) = (field.number, field.content) {
            return Ok(uid);
        }
    }
    Ok(&[])
}

/// Whether field 1 of an object of this kind is its ObjectMeta in every apiVersion. This is so for nearly all kinds that
/// are stored, and saves the search in the table of kinds.
fn is_usual_object(kind: &[u8]) -> bool {
    // The kinds without an ObjectMeta end with List, Review, Options, Response, Rollback, Reference or Request.
    !matches!(
        kind.last_chunk(),
        Some(b"List" | b"view" | b"ions" | b"onse" | b"back" | b"ence" | b"uest")
    )
}

/// Whether field 1 of the object is its ObjectMeta. In a list it is a ListMeta, and a few kinds that are never stored
/// have another field there.
fn has_metadata(api_version: &str, kind: &str) -> bool {
    is_usual_object(kind.as_bytes()) || has_metadata_by_table(api_version, kind)
}

/// The same by the table of kinds.
fn has_metadata_by_table(api_version: &str, kind: &str) -> bool {
    let Some(message) = schema::root(api_version, kind) else {
        return !kind.ends_with("List");
    };
    let object_meta = |slot: &&schema::Slot| {
        slot.number == 1 && slot.message_type == schema::Type::MetaV1ObjectMeta as u16
    };
    message
        .slots()
        .iter()
        .any(|slot| object_meta(&slot) && slot.name() == "metadata")
}

fn text(value: Option<&Value>) -> Cow<'static, str> {
    Cow::Owned(value.and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// The seconds of a meta/v1 Time; None for Go's zero time.
fn seconds(bytes: &[u8]) -> Option<i64> {
    let (seconds, _) = timestamp(bytes)?;
    (!is_zero_time((seconds, 0))).then_some(seconds)
}

/// Parses a time as API servers print it, in UTC: `2006-01-02T15:04:05Z`. A fraction of a second is dropped.
fn parse_time(value: Option<&Value>) -> Option<i64> {
    let text = value?.as_str()?.strip_suffix('Z')?;
    let (date, clock) = text.split_once('T')?;
    let numbers = |part: &str, mark| {
        let mut parts = part
            .splitn(3, mark)
            .map(|n| n.parse::<u32>().ok().map(i64::from));
        Some((parts.next()??, parts.next()??, parts.next()??))
    };
    let (year, month, day) = numbers(date, '-')?;
    let (hour, minute, second) = numbers(clock.split('.').next()?, ':')?;
    if !(1..=12).contains(&month) || year > 9999 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    // Count years from March, so that the leap day is the last day of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days =
        year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
            - 719_468;
    Some(days * 86_400 + hour * 3600 + minute * 60 + second)
}

/// Formats a time given in seconds since 1970 as API servers print it.
#[must_use]
pub fn time_text(seconds: i64) -> String {
    let mut text = String::new();
    if !super::special::write_time((seconds, 0), false, &mut text) {
        text = format!("{seconds} s after 1970");
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::special::write_time;
    use super::*;
    use crate::wire::put_bytes;

    #[test]
    fn protobuf_and_json_give_the_same_metadata() {
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, b"kubectl");
        put_bytes(&mut entry, 2, b"Update");
        put_bytes(&mut entry, 4, b"\x08\x80\x9c\xfb\xc8\x06");
        put_bytes(&mut entry, 7, b"\x0a\x10{\"f:status\":{}}\x20");
        put_bytes(&mut entry, 8, b"status");
        let mut owner = Vec::new();
        put_bytes(&mut owner, 1, b"ReplicaSet");
        put_bytes(&mut owner, 4, b"uid-0");
        let mut meta = Vec::new();
        for (number, text) in [
            (1, &b"web-1"[..]),
            (3, b"shop"),
            (5, b"uid-1"),
            (8, b"\x08\x80\x9c\xfb\xc8\x06"),
            (13, &owner),
            (17, &entry),
        ] {
            put_bytes(&mut meta, number, text);
        }
        let mut raw = Vec::new();
        put_bytes(&mut raw, 1, &meta);
        let mut value = b"k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod".to_vec();
        put_bytes(&mut value, 2, &raw);
        let decoded = Meta::read(&value).unwrap();
        assert_eq!(
            (
                &*decoded.kind,
                &*decoded.namespace,
                &*decoded.name,
                &*decoded.uid
            ),
            ("Pod", "shop", "web-1", "uid-1")
        );
        assert_eq!(decoded.creation_time, Some(1_763_626_496));
        assert_eq!(decoded.managed_fields.len(), 1);
        assert_eq!(decoded.owners, ["uid-0"]);
        let json = br#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"web-1","namespace":"shop","uid":"uid-1",
            "creationTimestamp":"2025-11-20T08:14:56Z","ownerReferences":[{"uid":"uid-0"}],"managedFields":[{"manager":"kubectl","operation":"Update",
            "subresource":"status","time":"2025-11-20T08:14:56Z","fieldsV1":{"f:status":{}}}]}}"#;
        let mut from_json = Meta::read(json).unwrap();
        from_json
            .managed_fields
            .iter_mut()
            .for_each(|m| m.fields = Cow::Owned([&m.fields[..], b" "].concat()));
        assert_eq!(from_json, decoded);
    }

    #[test]
    fn an_object_of_a_usual_kind_has_metadata_in_every_api_version() {
        let wrong = schema::kinds().filter(|known| {
            let api_version = match known.group {
                "" => known.version.to_owned(),
                group => format!("{group}/{}", known.version),
            };
            is_usual_object(known.kind.as_bytes())
                && !has_metadata_by_table(&api_version, known.kind)
        });
        let wrong: Vec<&str> = wrong.map(|known| known.kind).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_value_that_is_not_an_object_has_no_meta() {
        for value in [
            &b""[..],
            b"1234",
            b"k8s\0",
            b"k8s\0\x0a\x09",
            b"[1]",
            b"{",
            b"k8s:enc:aescbc:v1:k:x",
        ] {
            assert_eq!(Meta::read(value), None, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn a_printed_time_is_read_back() {
        for seconds in [
            0,
            951_868_799,
            1_763_626_496,
            253_402_300_799,
            -62_135_596_799,
            68_169_600,
            68_255_999,
        ] {
            let mut text = String::new();
            assert!(write_time((seconds, 0), false, &mut text));
            assert_eq!(parse_time(Some(&Value::String(text))), Some(seconds));
        }
    }
}
