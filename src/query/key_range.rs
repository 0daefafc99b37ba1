//! The keys that a request to etcd is about: one key, or all keys from one key up to another one or to the end.

use std::ffi::{OsStr, OsString};

use super::address::Address;
use super::no_answer::NoAnswer;
use super::refusal::Refusal;

/// A range of keys, as `RangeRequest` and `WatchCreateRequest` of `api/etcdserverpb/rpc.proto` have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub start: Vec<u8>,
    /// What ends it.
    pub end: RangeEnd,
}

/// What ends a range of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RangeEnd {
    /// The range is one key.
    One,
    /// This key ends it, and is not in it.
    Before(Vec<u8>),
    /// Nothing: all further keys are in it.
    Open,
    /// The last key that begins with the first.
    Prefix,
}

impl KeyRange {
    /// Reads KEY and RANGE_END as etcdctl does (`getGetOp` in `etcdctl/ctlv3/command/get_command.go`).
    /// With a flag, no key at all means every key; `key:TEXT` can name any byte.
    ///
    /// # Errors
    /// If words and flags contradict each other, or an escape in `key:TEXT` does not exist.
    pub fn parse(words: &[OsString], prefix: bool, from_key: bool) -> Result<Self, NoAnswer> {
        if prefix && from_key {
            return Err(Refusal::PrefixAndFromKey.into());
        }
        let is_flagged = prefix || from_key;
        let (start, end) = match words {
            [] if is_flagged => (Vec::new(), None),
            [key] => (typed_key(key)?, None),
            [key, end] if !is_flagged => (typed_key(key)?, Some(typed_key(end)?)),
            [_, _] => return Err(Refusal::EndWithFlag.into()),
            _ => return Err(Refusal::OneOrTwoKeys.into()),
        };
        let end = match end {
            _ if prefix => RangeEnd::Prefix,
            _ if from_key => RangeEnd::Open,
            end => RangeEnd::from_bytes(end.unwrap_or_default()),
        };
        Ok(Self { start, end })
    }

    /// Whether a key is in it.
    pub fn covers(&self, key: &[u8]) -> bool {
        match &self.end {
            RangeEnd::One => key == self.start,
            RangeEnd::Before(end) => key >= &*self.start && key < &**end,
            RangeEnd::Open => key >= &*self.start,
            RangeEnd::Prefix => key.starts_with(&self.start),
        }
    }

    /// Whether no key can be in it because its end is not after its start.
    pub fn is_upside_down(&self) -> bool {
        matches!(&self.end, RangeEnd::Before(end) if *end <= self.start)
    }

    /// The address that names the same keys, if one does.
    pub fn address(&self) -> Option<Address> {
        match &self.end {
            RangeEnd::One => Some(Address::Key(self.start.clone())),
            RangeEnd::Prefix if !self.start.is_empty() => Some(Address::Prefix(self.start.clone())),
            _ => None,
        }
    }
}

impl RangeEnd {
    /// The end that a RANGE_END means: an empty one is the one key, a zero byte is the end of all keys.
    pub fn from_bytes(range_end: Vec<u8>) -> Self {
        match range_end.as_slice() {
            [] => Self::One,
            [0] => Self::Open,
            _ => Self::Before(range_end),
        }
    }
}

/// The bytes of a key as it was typed.
fn typed_key(word: &OsStr) -> Result<Vec<u8>, NoAnswer> {
    Ok(match Address::surely_raw(word)? {
        Some(Address::Key(key) | Address::Prefix(key)) => key,
        _ => word.as_encoded_bytes().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(words: &[&str], prefix: bool, from_key: bool) -> Result<KeyRange, NoAnswer> {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        KeyRange::parse(&words, prefix, from_key)
    }

    #[test]
    fn words_and_flags_name_the_keys_that_etcdctl_asks_for() {
        let keys: [&[u8]; 4] = [b"a", b"ab", b"b", b"c"];
        let zero = r"key:\x00";
        let cases: [(&[&str], bool, bool, &[&str]); 8] = [
            (&["a"], false, false, &["a"]),
            (&["a", "b"], false, false, &["a", "ab"]),
            (&["b", "a"], false, false, &[]),
            (&["ab", zero], false, false, &["ab", "b", "c"]),
            (&["a"], true, false, &["a", "ab"]),
            (&["b"], false, true, &["b", "c"]),
            (&[""], true, false, &["a", "ab", "b", "c"]),
            (&[], false, true, &["a", "ab", "b", "c"]),
        ];
        for (words, prefix, from_key, expected) in cases {
            let range = parse(words, prefix, from_key).unwrap();
            let covered: Vec<&[u8]> = keys.into_iter().filter(|key| range.covers(key)).collect();
            let expected: Vec<&[u8]> = expected.iter().map(|key| key.as_bytes()).collect();
            assert_eq!(covered, expected, "{words:?}");
        }
    }

    #[test]
    fn words_and_flags_that_contradict_each_other_are_refused() {
        let cases: [(&[&str], bool, bool, Refusal); 4] = [
            (&["a"], true, true, Refusal::PrefixAndFromKey),
            (&["a", "b"], true, false, Refusal::EndWithFlag),
            (&[], false, false, Refusal::OneOrTwoKeys),
            (&["a", "b", "c"], false, false, Refusal::OneOrTwoKeys),
        ];
        for (words, prefix, from_key, expected) in cases {
            match parse(words, prefix, from_key) {
                Err(NoAnswer::Refused(refusal)) => assert_eq!(refusal, expected, "{words:?}"),
                other => panic!("{words:?}: {other:?}"),
            }
        }
    }
}
