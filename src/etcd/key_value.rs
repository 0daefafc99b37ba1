//! mvccpb.KeyValue, borrowed from the file.
//!
//! `api/mvccpb/kv.proto`: 1 key bytes, 2 create_revision, 3 mod_revision, 4 version (int64 each),
//! 5 value bytes, 6 lease int64. proto3 does not write fields that are 0 or empty. prost would copy key and value; this
//! reader borrows them, and a test compares it with prost.

use std::fmt;

use crate::wire::{Reader, varint_len};

/// One record's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyValue<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Main revision of the first put since the key's last deletion.
    pub create_revision: i64,
    /// Main revision of this put.
    pub mod_revision: i64,
    /// Number of this put since the key's last deletion, from 1.
    pub version: i64,
    /// The value.
    pub value: &'a [u8],
    /// The lease that the key is attached to; 0 for none.
    pub lease: i64,
}

/// Why bytes are not a KeyValue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyValueError {
    /// A number or a length is cut or too long, at this byte of the record.
    Varint(usize),
    /// A field is longer than the record, at this byte of it.
    Length(usize),
    /// A field has a wrong wire type.
    WireType {
        /// Its number.
        field: u64,
        /// Its wire type.
        wire_type: u64,
    },
}

impl fmt::Display for KeyValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Varint(at) => write!(f, "no whole number at byte {at}"),
            Self::Length(at) => write!(f, "a field longer than the record at byte {at}"),
            Self::WireType { field, wire_type } => {
                write!(f, "field {field} with wire type {wire_type}")
            }
        }
    }
}

#[inline]
fn varint(reader: &mut Reader<'_>) -> Result<u64, KeyValueError> {
    let start = reader.position();
    reader
        .varint_inline()
        .map_err(|_| KeyValueError::Varint(start))
}

#[inline]
fn int(reader: &mut Reader<'_>) -> Result<i64, KeyValueError> {
    varint(reader).map(u64::cast_signed)
}

fn take<'a>(reader: &mut Reader<'a>, len: u64) -> Result<&'a [u8], KeyValueError> {
    let start = reader.position();
    reader.take(len).map_err(|_| KeyValueError::Length(start))
}

#[inline]
fn bytes<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], KeyValueError> {
    let len = varint(reader)?;
    take(reader, len)
}

impl<'a> KeyValue<'a> {
    /// Length of this record as etcd writes it, in bytes. Fields that are 0 or empty are not written.
    pub fn encoded_len(&self) -> usize {
        let number = |value: i64| match value {
            0 => 0,
            value => varint_len(value.cast_unsigned()).saturating_add(1),
        };
        let bytes = |bytes: &[u8]| match bytes.len() {
            0 => 0,
            len => varint_len(len as u64).saturating_add(1).saturating_add(len),
        };
        let numbers = [
            self.create_revision,
            self.mod_revision,
            self.version,
            self.lease,
        ];
        let numbers = numbers.into_iter().map(number);
        numbers.chain([bytes(self.key), bytes(self.value)]).sum()
    }

    /// This record as etcd writes it: the fields in order, without those that are 0 or empty.
    pub fn encode(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(self.encoded_len());
        let bytes = |message: &mut Vec<u8>, tag: u8, bytes: &[u8]| {
            if !bytes.is_empty() {
                message.push(tag);
                prost::encoding::encode_varint(bytes.len() as u64, message);
                message.extend_from_slice(bytes);
            }
        };
        let number = |message: &mut Vec<u8>, tag: u8, number: i64| {
            if number != 0 {
                message.push(tag);
                prost::encoding::encode_varint(number.cast_unsigned(), message);
            }
        };
        bytes(&mut message, 0x0a, self.key);
        number(&mut message, 0x10, self.create_revision);
        number(&mut message, 0x18, self.mod_revision);
        number(&mut message, 0x20, self.version);
        bytes(&mut message, 0x2a, self.value);
        number(&mut message, 0x30, self.lease);
        message
    }

    /// Reads a record at the start of `payload` whose length is not known. It must have the form that etcd writes: the known
    /// fields in order, each at most once and none empty. Also returns its length in bytes.
    pub fn parse_front(payload: &'a [u8]) -> Option<(Self, usize)> {
        let mut record = Self::default();
        let mut reader = Reader::new(payload);
        let mut last = 0_u8;
        while let Some(tag) = payload
            .get(reader.position())
            .copied()
            .filter(|tag| *tag > last)
        {
            if ![0x0a, 0x10, 0x18, 0x20, 0x2a, 0x30].contains(&tag) {
                break;
            }
            last = tag;
            reader.take(1).ok()?;
            match tag {
                0x0a => record.key = bytes(&mut reader).ok()?,
                0x10 => record.create_revision = int(&mut reader).ok()?,
                0x18 => record.mod_revision = int(&mut reader).ok()?,
                0x20 => record.version = int(&mut reader).ok()?,
                0x2a => record.value = bytes(&mut reader).ok()?,
                _ => record.lease = int(&mut reader).ok()?,
            }
        }
        let end = reader.position();
        (record.encoded_len() == end && !record.key.is_empty()).then_some((record, end))
    }

    /// Whether a record has the key field more than once.
    pub fn has_two_keys(payload: &[u8]) -> bool {
        let mut reader = Reader::new(payload);
        let mut keys = 0_usize;
        while let Ok(tag) = varint(&mut reader) {
            keys = keys.saturating_add(usize::from(tag == 0x0a));
            let passed = match tag & 7 {
                0 => varint(&mut reader).map(drop),
                1 => take(&mut reader, 8).map(drop),
                2 => bytes(&mut reader).map(drop),
                5 => take(&mut reader, 4).map(drop),
                _ => break,
            };
            if passed.is_err() {
                break;
            }
        }
        keys > 1
    }

    /// Reads a record. Unknown fields are skipped. The last value of a repeated field counts.
    ///
    /// # Errors
    /// [`KeyValueError`]: the first thing that is not protobuf.
    #[inline]
    pub fn parse(payload: &'a [u8]) -> Result<Self, KeyValueError> {
        let mut record = Self::default();
        let mut reader = Reader::new(payload);
        while !reader.is_at_end() {
            let tag = varint(&mut reader)?;
            match (tag >> 3, tag & 7) {
                (1, 2) => record.key = bytes(&mut reader)?,
                (2, 0) => record.create_revision = int(&mut reader)?,
                (3, 0) => record.mod_revision = int(&mut reader)?,
                (4, 0) => record.version = int(&mut reader)?,
                (5, 2) => record.value = bytes(&mut reader)?,
                (6, 0) => record.lease = int(&mut reader)?,
                (field @ (0..=6), wire_type) => {
                    return Err(KeyValueError::WireType { field, wire_type });
                }
                (_, 0) => drop(varint(&mut reader)?),
                (_, 1) => drop(take(&mut reader, 8)?),
                (_, 2) => drop(bytes(&mut reader)?),
                (_, 5) => drop(take(&mut reader, 4)?),
                (field, wire_type) => return Err(KeyValueError::WireType { field, wire_type }),
            }
        }
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use prost::Message;

    /// mvccpb.KeyValue as prost has it: the other reader.
    #[derive(Clone, PartialEq, Message)]
    struct ProstKeyValue {
        #[prost(bytes, tag = "1")]
        key: Vec<u8>,
        #[prost(int64, tag = "2")]
        create_revision: i64,
        #[prost(int64, tag = "3")]
        mod_revision: i64,
        #[prost(int64, tag = "4")]
        version: i64,
        #[prost(bytes, tag = "5")]
        value: Vec<u8>,
        #[prost(int64, tag = "6")]
        lease: i64,
    }

    fn sample(seed: u64) -> ProstKeyValue {
        let number = |salt: u64| {
            (seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ salt).cast_signed()
                >> (seed % 60)
        };
        ProstKeyValue {
            key: seed.to_be_bytes().to_vec(),
            create_revision: number(1),
            mod_revision: number(2),
            version: number(3),
            value: vec![b'v'; (seed % 300) as usize],
            lease: number(4),
        }
    }

    #[test]
    fn it_reads_what_prost_reads_and_refuses_every_cut() {
        for seed in 0..500 {
            let expected = sample(seed);
            let bytes = expected.encode_to_vec();
            let got = KeyValue::parse(&bytes).unwrap();
            assert_eq!(got.key, expected.key);
            assert_eq!(got.value, expected.value);
            let numbers = (
                got.create_revision,
                got.mod_revision,
                got.version,
                got.lease,
            );
            assert_eq!(
                numbers,
                (
                    expected.create_revision,
                    expected.mod_revision,
                    expected.version,
                    expected.lease
                )
            );
            for cut in 0..bytes.len() {
                let ours = KeyValue::parse(&bytes[..cut]);
                assert_eq!(
                    ours.is_ok(),
                    ProstKeyValue::decode(&bytes[..cut]).is_ok(),
                    "seed {seed}, cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn an_unknown_field_is_passed_over_and_a_wrong_wire_type_is_not() {
        assert_eq!(KeyValue::parse(b"\x0a\x01k\xf8\x01\x05").unwrap().key, b"k");
        assert_eq!(
            KeyValue::parse(b"\x08\x01"),
            Err(KeyValueError::WireType {
                field: 1,
                wire_type: 0
            })
        );
        assert_eq!(
            KeyValue::parse(b"\x3b"),
            Err(KeyValueError::WireType {
                field: 7,
                wire_type: 3
            })
        );
        assert_eq!(
            KeyValue::parse(&[0x10, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
            Err(KeyValueError::Varint(1))
        );
        assert_eq!(KeyValue::parse(b"\x0a\x05k"), Err(KeyValueError::Length(2)));
    }
}
