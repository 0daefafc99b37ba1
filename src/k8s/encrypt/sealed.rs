//! What can be told of an encrypted value without any key.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::k8s::envelope::Encrypted;
use crate::k8s::special::go_text;
use crate::wire::{Content, Reader, WireError};

/// An encrypted value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// Provider, version and the name of the key.
    pub head: Encrypted<'a>,
    /// What is behind the head of a value of KMS.
    pub kms: Option<Kms<'a>>,
}

/// What is behind the head of a value of KMS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kms<'a> {
    /// Version 1.
    V1 {
        /// The data key, wrapped by the plugin.
        encrypted_dek: &'a [u8],
        /// The object under that key.
        data: &'a [u8],
    },
    /// Version 2.
    V2(KmsObject<'a>),
    /// Neither.
    Unreadable(WireError),
}

/// `EncryptedObject` of KMS v2: 1 encryptedData, 2 keyID, 3 encryptedDEKSource, 4 annotations,
/// 5 encryptedDEKSourceType (apiserver's `pkg/storage/value/encrypt/envelope/kmsv2/v2/api.proto`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KmsObject<'a> {
    /// The object under the data key.
    pub encrypted_data: &'a [u8],
    /// The plugin's name of the key that wraps.
    pub key_id: &'a [u8],
    /// The data key or the seed of data keys, wrapped.
    pub encrypted_dek_source: &'a [u8],
    /// What the plugin wants to see again, by name.
    pub annotations: BTreeMap<&'a [u8], &'a [u8]>,
    /// What is wrapped.
    pub source_type: SourceType,
}

/// What `encryptedDEKSource` is the wrapping of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SourceType {
    /// The data key itself (until Kubernetes 1.28).
    #[default]
    Key,
    /// A seed, of which each value makes a key of its own.
    Seed,
    /// A number which no Kubernetes up to 1.37 writes.
    Unknown(u64),
}

impl SourceType {
    /// The name in the proto file.
    #[must_use]
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Key => "AES_GCM_KEY".into(),
            Self::Seed => "HKDF_SHA256_XNONCE_AES_GCM_SEED".into(),
            Self::Unknown(number) => number.to_string().into(),
        }
    }
}

impl<'a> Sealed<'a> {
    /// Reads what can be read; None if this is no encrypted value, or its head is not whole.
    #[must_use]
    pub fn of(value: &'a [u8]) -> Option<Self> {
        let head = Encrypted::parse(value)?;
        let kms = match (head.provider, head.version) {
            ("kms", "v1") => Some(Kms::v1(head.body)),
            ("kms", "v2") => {
                Some(KmsObject::parse(head.body).map_or_else(Kms::Unreadable, Kms::V2))
            }
            _ => None,
        };
        Some(Self { head, kms })
    }

    /// The plugin's name of the key that wraps, of KMS v2.
    #[must_use]
    pub fn key_id(&self) -> Option<&'a [u8]> {
        match &self.kms {
            Some(Kms::V2(object)) => Some(object.key_id),
            _ => None,
        }
    }
}

impl<'a> Kms<'a> {
    /// Reads what is behind the head of version 1: two bytes of length, then so much of wrapped key.
    pub(super) fn v1(body: &'a [u8]) -> Self {
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
    /// Reads what is behind the head of version 2.
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
    fn kms_tells_its_key_id_annotations_and_wrapped_key_without_a_key() {
        let value = b"k8s:enc:kms:v2:vault:\x0a\x02xy\x12\x02k1\x1a\x03abc\x22\x08\x0a\x03a.b\x12\x01\xff\x28\x01";
        let sealed = Sealed::of(value).unwrap();
        assert_eq!(sealed.head.key_name, "vault");
        assert_eq!(sealed.key_id(), Some(&b"k1"[..]));
        let object = match sealed.kms {
            Some(Kms::V2(object)) => object,
            other => panic!("{other:?}"),
        };
        assert_eq!(object.encrypted_dek_source, b"abc");
        assert_eq!(object.annotations.get(&b"a.b"[..]), Some(&&b"\xff"[..]));
        assert_eq!(object.source_type, SourceType::Seed);
        assert_eq!(object.encrypted_data, b"xy");
    }

    #[test]
    fn a_cut_value_of_kms_is_told_as_unreadable() {
        for value in [
            &b"k8s:enc:kms:v2:vault:\x0a\x05xy"[..],
            b"k8s:enc:kms:v1:vault:\x00\x05xy",
            b"k8s:enc:kms:v1:vault:\x00",
        ] {
            assert!(matches!(
                Sealed::of(value).unwrap().kms,
                Some(Kms::Unreadable(_))
            ));
        }
        assert_eq!(
            Sealed::of(b"k8s:enc:kms:v1:vault:\x00\x02xyz").unwrap().kms,
            Some(Kms::V1 {
                encrypted_dek: b"xy",
                data: b"z"
            })
        );
        assert_eq!(Sealed::of(b"k8s\0"), None);
    }
}
