//! The parts of an encrypted value that can be read without a key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::k8s::envelope::Encrypted;
use crate::k8s::special::go_text;
use crate::wire::{Content, Reader, WireError};

/// An encrypted value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedValue<'a> {
    /// Provider, version and the name of the key.
    pub head: Encrypted<'a>,
    /// The data after the prefix, if the provider is a KMS.
    pub kms: Option<Kms<'a>>,
}

/// The data of a KMS value after its prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kms<'a> {
    /// Version 1.
    V1 {
        /// The data key, wrapped by the plugin.
        encrypted_dek: &'a [u8],
        /// The object, encrypted with the data key.
        data: &'a [u8],
    },
    /// Version 2.
    V2(KmsObject<'a>),
    /// The data cannot be parsed.
    Unreadable(WireError),
}

/// `EncryptedObject` of KMS v2: 1 encryptedData, 2 keyID, 3 encryptedDEKSource, 4 annotations,
/// 5 encryptedDEKSourceType (apiserver's `pkg/storage/value/encrypt/envelope/kmsv2/v2/api.proto`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KmsObject<'a> {
    /// The object, encrypted with the data key.
    pub encrypted_data: &'a [u8],
    /// The id of the key with which the plugin wrapped the data key.
    pub key_id: &'a [u8],
    /// The wrapped data key, or the wrapped seed of data keys.
    pub encrypted_dek_source: &'a [u8],
    /// The annotations that the plugin needs for unwrapping, by name.
    pub annotations: BTreeMap<&'a [u8], &'a [u8]>,
    /// Whether a key or a seed is wrapped.
    pub source_type: SourceType,
}

/// What `encryptedDEKSource` is, after unwrapping.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceType {
    /// The data key itself (until Kubernetes 1.28).
    #[default]
    Key,
    /// A seed, from which a data key is derived for each value.
    Seed,
    /// A number that no Kubernetes release up to 1.37 writes.
    Unknown(u64),
}

impl SourceType {
    /// The name of the type in the proto file.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Key => "AES_GCM_KEY".into(),
            Self::Seed => "HKDF_SHA256_XNONCE_AES_GCM_SEED".into(),
            Self::Unknown(number) => number.to_string().into(),
        }
    }
}

impl<'a> EncryptedValue<'a> {
    /// Parses a value; None if it is not encrypted or its prefix is incomplete.
    #[must_use]
    pub fn parse(value: &'a [u8]) -> Option<Self> {
        let head = Encrypted::parse(value)?;
        let kms = match (head.provider, head.version) {
            ("kms", "v1") => Some(Kms::parse_v1(head.body)),
            ("kms", "v2") => {
                Some(KmsObject::parse(head.body).map_or_else(Kms::Unreadable, Kms::V2))
            }
            _ => None,
        };
        Some(Self { head, kms })
    }

    /// The id of the key with which the plugin wrapped the data key, for KMS v2.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a [u8]> {
        match &self.kms {
            Some(Kms::V2(object)) => Some(object.key_id),
            _ => None,
        }
    }
}

impl<'a> Kms<'a> {
    /// Parses the data of version 1: a length of two bytes, the wrapped key of this length, and the encrypted object.
    pub(super) fn parse_v1(body: &'a [u8]) -> Self {
        let cut = |at: usize, wanted: u16, there: &[u8]| {
            Self::Unreadable(WireError::Cut {
                at,
                wanted: wanted.into(),
                left: there.len(),
            })
        };
        let Some((length, rest)) = body.split_first_chunk() else {
            return cut(0, 2, body);
        };
        let length = u16::from_be_bytes(*length);
        match rest.split_at_checked(length.into()) {
            None => cut(2, length, rest),
            Some((encrypted_dek, data)) => Self::V1 {
                encrypted_dek,
                data,
            },
        }
    }
}

impl<'a> KmsObject<'a> {
    /// Parses the data of version 2.
    ///
    /// # Errors
    /// The bytes are not a protobuf message.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut object = Self::default();
        let mut reader = Reader::new(body);
        while let Some(field) = reader.field()? {
            match (field.number, field.content) {
                (1, Content::Bytes(bytes)) => object.encrypted_data = bytes,
                (2, Content::Bytes(bytes)) => object.key_id = bytes,
                (3, Content::Bytes(bytes)) => object.encrypted_dek_source = bytes,
                (4, Content::Bytes(entry)) => object.annotation(entry)?,
                (5, Content::Varint(number)) => {
                    object.source_type = match number {
                        0 => SourceType::Key,
                        1 => SourceType::Seed,
                        other => SourceType::Unknown(other),
                    }
                }
                _ => {}
            }
        }
        Ok(object)
    }

    fn annotation(&mut self, entry: &'a [u8]) -> Result<(), WireError> {
        let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
        let mut reader = Reader::new(entry);
        while let Some(field) = reader.field()? {
            match (field.number, field.content) {
                (1, Content::Bytes(bytes)) => name = bytes,
                (2, Content::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        self.annotations.insert(name, value);
        Ok(())
    }

    /// The key id as a text.
    #[must_use]
    pub fn key_id_text(&self) -> Cow<'a, str> {
        go_text(self.key_id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn the_parts_of_a_kms_value_are_read_without_a_key() {
        let value = b"k8s:enc:kms:v2:vault:\x0a\x02xy\x12\x02k1\x1a\x03abc\x22\x08\x0a\x03a.b\x12\x01\xff\x28\x01";
        let encrypted = EncryptedValue::parse(value).unwrap();
        assert_eq!(encrypted.head.key_name, "vault");
        assert_eq!(encrypted.key_id(), Some(&b"k1"[..]));
        let object = match encrypted.kms {
            Some(Kms::V2(object)) => object,
            other => panic!("{other:?}"),
        };
        assert_eq!(object.encrypted_dek_source, b"abc");
        assert_eq!(object.annotations.get(&b"a.b"[..]), Some(&&b"\xff"[..]));
        assert_eq!(object.source_type, SourceType::Seed);
        assert_eq!(object.encrypted_data, b"xy");
    }

    #[test]
    fn a_kms_value_that_is_cut_off_is_unreadable() {
        for value in [
            &b"k8s:enc:kms:v2:vault:\x0a\x05xy"[..],
            b"k8s:enc:kms:v1:vault:\x00\x05xy",
            b"k8s:enc:kms:v1:vault:\x00",
        ] {
            assert!(matches!(
                EncryptedValue::parse(value).unwrap().kms,
                Some(Kms::Unreadable(_))
            ));
        }
        assert_eq!(
            EncryptedValue::parse(b"k8s:enc:kms:v1:vault:\x00\x02xyz")
                .unwrap()
                .kms,
            Some(Kms::V1 {
                encrypted_dek: b"xy",
                data: b"z"
            })
        );
        assert_eq!(EncryptedValue::parse(b"k8s\0"), None);
    }
}
