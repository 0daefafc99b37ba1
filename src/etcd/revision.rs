//! Revisions, and the keys of bucket `key`.
//!
//! A key is 17 bytes: main i64 big endian, `_`, sub i64 big endian; 18 bytes with a final `t` for a
//! tombstone (`server/storage/mvcc/revision.go`). One transaction is one main; its changes are
//! sub 0, 1, 2, ... The order of keys is the order of writing.

use std::fmt;

use crate::bytes::u64_be;
use crate::plural::plural;

/// Length in bytes of a revision key.
pub const REVISION_BYTES: usize = 17;
const TOMBSTONE_BYTES: usize = 18;
const SEPARATOR_AT: usize = 8;
const SUB_AT: usize = 9;

/// A main revision counts transactions of the store; sub counts the changes within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision {
    /// The transaction.
    pub main: i64,
    /// The change within it.
    pub sub: i64,
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.main, self.sub)
    }
}

/// A key of bucket `key`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BucketKey {
    /// When it was written.
    pub revision: Revision,
    /// Whether it deletes its key.
    pub tombstone: bool,
}

/// Why bytes are not a revision key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionError {
    /// Neither 17 nor 18 bytes.
    Length(usize),
    /// No `_` between main and sub.
    Separator(u8),
    /// The eighteenth byte is not `t`.
    Mark(u8),
    /// A number below 0.
    Negative,
}

impl fmt::Display for RevisionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(bytes) => f.write_str(&plural(*bytes, "byte", "bytes")),
            Self::Separator(byte) => write!(f, "byte 0x{byte:02x} between main and sub"),
            Self::Mark(byte) => write!(f, "byte 0x{byte:02x} as the mark of a tombstone"),
            Self::Negative => f.write_str("a negative number"),
        }
    }
}

impl BucketKey {
    /// The revision in a key of bucket `key`; none if it is not a valid key.
    pub(super) fn revision_of(bytes: &[u8]) -> Option<Revision> {
        Self::parse(bytes).ok().map(|key| key.revision)
    }

    /// Whether these are bytes of a key of bucket `key`, and of no other bucket: the first byte of a revision is 0, and no
    /// name that other buckets have as a key begins with it.
    pub fn is_surely_revision(bytes: &[u8]) -> bool {
        bytes.first() == Some(&0) && Self::parse(bytes).is_ok()
    }

    /// The key as etcd writes it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(TOMBSTONE_BYTES);
        bytes.extend(self.revision.main.to_be_bytes());
        bytes.push(b'_');
        bytes.extend(self.revision.sub.to_be_bytes());
        bytes.extend(self.tombstone.then_some(b't'));
        bytes
    }

    /// Reads a key of bucket `key`.
    ///
    /// # Errors
    /// [`RevisionError`]: the first difference from the form that etcd writes.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self, RevisionError> {
        let tombstone = match bytes.len() {
            REVISION_BYTES => false,
            TOMBSTONE_BYTES => match bytes.last() {
                Some(b't') => true,
                mark => return Err(RevisionError::Mark(mark.copied().unwrap_or_default())),
            },
            len => return Err(RevisionError::Length(len)),
        };
        match bytes.get(SEPARATOR_AT) {
            Some(b'_') => {}
            other => return Err(RevisionError::Separator(other.copied().unwrap_or_default())),
        }
        let number = |at| u64_be(bytes, at).and_then(|raw| i64::try_from(raw).ok());
        let (Some(main), Some(sub)) = (number(0), number(SUB_AT)) else {
            return Err(RevisionError::Negative);
        };
        Ok(Self {
            revision: Revision { main, sub },
            tombstone,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(main: u64, sub: u64) -> Vec<u8> {
        [&main.to_be_bytes()[..], b"_", &sub.to_be_bytes()[..]].concat()
    }

    #[test]
    fn a_key_of_17_bytes_is_a_put_and_one_of_18_a_tombstone() {
        let put = BucketKey::parse(&key(7, 3));
        assert_eq!(
            put,
            Ok(BucketKey {
                revision: Revision { main: 7, sub: 3 },
                tombstone: false
            })
        );
        let tombstone = BucketKey::parse(&[&key(7, 3)[..], b"t"].concat());
        assert_eq!(
            tombstone,
            Ok(BucketKey {
                revision: Revision { main: 7, sub: 3 },
                tombstone: true
            })
        );
    }

    #[test]
    fn a_key_is_written_as_it_is_read() {
        for bytes in [key(7, 3), [&key(7, 3)[..], b"t"].concat()] {
            let parsed = BucketKey::parse(&bytes).unwrap();
            assert_eq!(parsed.encode(), bytes);
        }
    }

    #[test]
    fn anything_else_says_what_is_wrong() {
        assert_eq!(BucketKey::parse(b"alarm"), Err(RevisionError::Length(5)));
        assert_eq!(
            BucketKey::parse(&[&key(7, 3)[..], b"x"].concat()),
            Err(RevisionError::Mark(b'x'))
        );
        assert_eq!(
            BucketKey::parse(&key(u64::MAX, 0)),
            Err(RevisionError::Negative)
        );
        let mut wrong = key(7, 3);
        wrong[8] = b'-';
        assert_eq!(
            BucketKey::parse(&wrong),
            Err(RevisionError::Separator(b'-'))
        );
    }
}
