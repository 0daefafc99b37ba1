//! The keys that etcd's requests are about: one key, or all from one on, up to another or to the end.

use std::ffi::{OsStr, OsString};

use crate::cli::failure::Failure;
use crate::query::address::Address;

/// A range of keys, as `RangeRequest` and `WatchCreateRequest` of `api/etcdserverpb/rpc.proto` have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub start: Vec<u8>,
    /// What ends it.
    pub end: End,
}

/// What ends a range of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It is the one key.
    One,
    /// This key, which is not in it.
    Before(Vec<u8>),
    /// Nothing.
    Open,
    /// The last key that begins with the first.
    Prefix,
}

impl KeyRange {
    /// Understands KEY and RANGE_END as etcdctl does (`getGetOp` in `etcdctl/ctlv3/command/get_command.go`).
    /// With a flag, no key at all means every key; in `key:TEXT` any byte can be typed.
    ///
    /// # Errors
    /// etcdctl's sentences for words and flags that contradict each other.
    pub fn of(words: &[OsString], prefix: bool, from_key: bool) -> Result<Self, Failure> {
        if prefix && from_key {
            return Err(Failure::cannot(
                "`--prefix` and `--from-key` cannot be set at the same time, choose one",
            ));
        }
        let flagged = prefix || from_key;
        let (start, end) = match words {
            [] if flagged => (Vec::new(), None),
            [key] => (bytes_of(key)?, None),
            [key, end] if !flagged => (bytes_of(key)?, Some(bytes_of(end)?)),
            [_, _] => {
                return Err(Failure::cannot(
                    "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
                ));
            }
            _ => {
                return Err(Failure::cannot(
                    "get command needs one argument as key and an optional argument as range_end",
                )
                .hint("`\"\" --prefix` is every key"));
            }
        };
        let end = match end {
            _ if prefix => End::Prefix,
            _ if from_key => End::Open,
            end => End::of(end.unwrap_or_default()),
        };
        Ok(Self { start, end })
    }

    /// Whether a key is in it.
    pub fn covers(&self, key: &[u8]) -> bool {
        match &self.end {
            End::One => key == self.start,
            End::Before(end) => key >= &*self.start && key < &**end,
            End::Open => key >= &*self.start,
            End::Prefix => key.starts_with(&self.start),
        }
    }

    /// Whether no key can be in it because its end is not after its start.
    pub fn is_upside_down(&self) -> bool {
        matches!(&self.end, End::Before(end) if *end <= self.start)
    }

    /// The address that names the same keys, where one does.
    pub fn address(&self) -> Option<Address> {
        match &self.end {
            End::One => Some(Address::Key(self.start.clone())),
            End::Prefix if !self.start.is_empty() => Some(Address::Prefix(self.start.clone())),
            _ => None,
        }
    }
}

impl End {
    /// The end that a RANGE_END says: none is the one key, a zero byte is the end of all keys.
    pub fn of(range_end: Vec<u8>) -> Self {
        match range_end.as_slice() {
            [] => Self::One,
            [0] => Self::Open,
            _ => Self::Before(range_end),
        }
    }
}

/// The bytes of a key as it was typed.
fn bytes_of(word: &OsStr) -> Result<Vec<u8>, Failure> {
    Ok(match Address::surely_raw(word)? {
        Some(Address::Key(key) | Address::Prefix(key)) => key,
        _ => word.as_encoded_bytes().to_vec(),
    })
}
