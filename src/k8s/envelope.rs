//! The encoding of a stored value, detected from its first bytes, and the protobuf envelope with apiVersion and kind.
//!
//! `runtime.Unknown` is parsed with the wire reader and not with a struct derived for prost, which would copy the
//! object's bytes (nearly the whole value). Upstream: apimachinery's runtime/serializer/protobuf and
//! runtime/types.go; apiserver's storage/value/encrypt.

use std::borrow::Cow;

use super::cbor::SELF_DESCRIBED;
use super::special::go_text;
use crate::wire::{Content, Reader, WireError};

/// The first four bytes of every protobuf value.
pub const PROTOBUF_MAGIC: &[u8] = b"k8s\0";

/// The prefix of every value that the API server encrypted.
pub const ENCRYPTED_PREFIX: &[u8] = b"k8s:enc:";

/// A stored value, classified by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored<'a> {
    /// No bytes at all.
    Empty,
    /// It starts with `k8s\0`; the bytes after that are a `runtime.Unknown`, see [`Unknown::parse`].
    Protobuf(&'a [u8]),
    /// It starts like a JSON object or list (not parsed yet).
    Json(&'a [u8]),
    /// It starts with CBOR's tag 55799 (not parsed yet).
    Cbor(&'a [u8]),
    /// Encrypted at rest.
    Encrypted(Encrypted<'a>),
    /// Any other valid UTF-8.
    Text(&'a str),
    /// Any other bytes.
    Binary(&'a [u8]),
}

impl<'a> Stored<'a> {
    /// Detects the encoding.
    #[must_use]
    pub fn detect(value: &'a [u8]) -> Self {
        if value.is_empty() {
            return Self::Empty;
        }
        if let Some(rest) = value.strip_prefix(PROTOBUF_MAGIC) {
            return Self::Protobuf(rest);
        }
        if let Some(encrypted) = Encrypted::parse(value) {
            return Self::Encrypted(encrypted);
        }
        if value.starts_with(SELF_DESCRIBED) {
            return Self::Cbor(value);
        }
        if let Some(b'{' | b'[') = value.trim_ascii_start().first() {
            return Self::Json(value);
        }
        match std::str::from_utf8(value) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Binary(value),
        }
    }
}

/// A value encrypted at rest: `k8s:enc:PROVIDER:VERSION:KEYNAME:BODY`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encrypted<'a> {
    /// `aescbc`, `aesgcm`, `secretbox` or `kms`.
    pub provider: &'a str,
    /// `v1` or `v2`.
    pub version: &'a str,
    /// The name of the key in the EncryptionConfiguration; for kms, the name of the plugin.
    pub key_name: &'a str,
    /// The bytes after the last colon; their layout depends on the provider.
    pub body: &'a [u8],
}

impl<'a> Encrypted<'a> {
    /// Parses the prefix; returns None if this is not an encrypted value.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let rest = value.strip_prefix(ENCRYPTED_PREFIX)?;
        let mut parts = rest.splitn(4, |b| *b == b':');
        let mut name = || parts.next().and_then(|p| std::str::from_utf8(p).ok());
        let (provider, version, key_name) = (name()?, name()?, name()?);
        Some(Self {
            provider,
            version,
            key_name,
            body: parts.next()?,
        })
    }
}

/// `runtime.Unknown`: 1 typeMeta {1 apiVersion, 2 kind}, 2 raw, 3 contentEncoding, 4 contentType.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unknown<'a> {
    /// `group/version`, or `version` for the core group.
    pub api_version: Cow<'a, str>,
    /// The kind.
    pub kind: Cow<'a, str>,
    /// The object's bytes, None if the field is absent.
    pub raw: Option<&'a [u8]>,
    /// Empty in every value that an API server has written so far.
    pub content_encoding: Cow<'a, str>,
    /// Empty for protobuf.
    pub content_type: Cow<'a, str>,
}

impl<'a> Unknown<'a> {
    /// Parses the bytes after `k8s\0`.
    ///
    /// # Errors
    /// The bytes are not a protobuf message.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let envelope = Envelope::parse(body)?;
        Ok(Self {
            api_version: go_text(envelope.api_version),
            kind: go_text(envelope.kind),
            raw: envelope.raw,
            content_encoding: go_text(envelope.content_encoding),
            content_type: go_text(envelope.content_type),
        })
    }
}

/// A `runtime.Unknown` with its texts as they are stored, for a reader that needs few of them. A text is empty if it is
/// absent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Envelope<'a> {
    pub(super) api_version: &'a [u8],
    pub(super) kind: &'a [u8],
    /// The object's bytes, None if the field is absent.
    pub(super) raw: Option<&'a [u8]>,
    content_encoding: &'a [u8],
    content_type: &'a [u8],
}

impl<'a> Envelope<'a> {
    /// Parses the bytes after `k8s\0`.
    pub(super) fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut out = Self::default();
        let mut reader = Reader::new(body);
        while let Some(field) = reader.field()? {
            match (field.number, field.content) {
                (1, Content::Bytes(type_meta)) => out.type_meta(type_meta)?,
                (2, Content::Bytes(raw)) => out.raw = Some(raw),
                (3, Content::Bytes(text)) => out.content_encoding = text,
                (4, Content::Bytes(text)) => out.content_type = text,
                _ => {}
            }
        }
        Ok(out)
    }

    fn type_meta(&mut self, type_meta: &'a [u8]) -> Result<(), WireError> {
        let mut reader = Reader::new(type_meta);
        while let Some(field) = reader.field()? {
            match (field.number, field.content) {
                (1, Content::Bytes(text)) => self.api_version = text,
                (2, Content::Bytes(text)) => self.kind = text,
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn every_encoding_is_recognised_by_its_first_bytes() {
        assert_eq!(Stored::detect(b""), Stored::Empty);
        assert_eq!(Stored::detect(b"k8s\0\x0a"), Stored::Protobuf(b"\x0a"));
        assert_eq!(Stored::detect(b" {}"), Stored::Json(b" {}"));
        assert_eq!(
            Stored::detect(b"\xd9\xd9\xf7\xa0"),
            Stored::Cbor(b"\xd9\xd9\xf7\xa0")
        );
        assert_eq!(Stored::detect(b"1234"), Stored::Text("1234"));
        assert_eq!(Stored::detect(b"\xff"), Stored::Binary(b"\xff"));
        assert_eq!(
            Stored::detect(b"k8s:enc:aescbc"),
            Stored::Text("k8s:enc:aescbc")
        );
    }

    #[test]
    fn provider_version_and_key_of_an_encrypted_value_are_parsed() {
        let Stored::Encrypted(e) = Stored::detect(b"k8s:enc:kms:v2:vault:\x01:\x02") else {
            panic!("not recognised");
        };
        assert_eq!(
            (e.provider, e.version, e.key_name, e.body),
            ("kms", "v2", "vault", &b"\x01:\x02"[..])
        );
    }

    #[test]
    fn the_object_is_borrowed_from_the_envelope() {
        let body = b"\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x02xy\x1a\x00\x22\x00";
        let unknown = Unknown::parse(body).unwrap();
        assert_eq!(
            (&*unknown.api_version, &*unknown.kind, unknown.raw),
            ("v1", "Pod", Some(&b"xy"[..]))
        );
        assert!(body.as_ptr_range().contains(&unknown.raw.unwrap().as_ptr()));
        assert!(matches!(
            Unknown::parse(b"\x0a\x09\x0a"),
            Err(WireError::Cut { .. })
        ));
    }
}
