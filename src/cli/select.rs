//! Which keys a verb is asked about, and what is near to a key that is not there.

use std::ffi::{OsStr, OsString};

use crate::etcd::Keyspace;
use crate::view::record::key_text;

use super::failure::Failure;

/// A key, or all keys that start with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// This key.
    Key(Vec<u8>),
    /// Every key that starts so.
    Prefix(Vec<u8>),
}

impl Address {
    /// A prefix ends in `/`; everything else is a key.
    pub fn parse(text: &OsStr) -> Self {
        let bytes = text.as_encoded_bytes().to_vec();
        if bytes.ends_with(b"/") {
            Self::Prefix(bytes)
        } else {
            Self::Key(bytes)
        }
    }

    /// Whether it names this key.
    pub fn covers(&self, key: &[u8]) -> bool {
        match self {
            Self::Key(name) => name == key,
            Self::Prefix(prefix) => key.starts_with(prefix),
        }
    }

    /// As it was typed.
    pub fn text(&self) -> String {
        let (Self::Key(bytes) | Self::Prefix(bytes)) = self;
        key_text(bytes).into_owned()
    }
}

/// The keys that a verb is asked about; none named means all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    addresses: Vec<Address>,
}

impl Selection {
    /// The keys named on the command line.
    pub fn parse(arguments: &[OsString]) -> Self {
        Self {
            addresses: arguments
                .iter()
                .map(|argument| Address::parse(argument))
                .collect(),
        }
    }

    /// Whether a key is asked about.
    pub fn covers(&self, key: &[u8]) -> bool {
        self.addresses.is_empty() || self.addresses.iter().any(|address| address.covers(key))
    }

    /// The one key that is asked about, where it is one key and nothing else.
    pub fn single_key(&self) -> Option<&[u8]> {
        match self.addresses.as_slice() {
            [Address::Key(key)] => Some(key),
            _ => None,
        }
    }

    /// The first address that no key answers to.
    pub fn unanswered(&self, mut is_there: impl FnMut(&Address) -> bool) -> Option<&Address> {
        self.addresses.iter().find(|address| !is_there(address))
    }
}

/// How many near keys are named.
const NAMED: usize = 3;
/// Longest key, in bytes, whose likeness is measured: it takes time in the square of the length.
const MEASURED_BYTES: usize = 256;
/// A key less alike than this is not near.
const ALIKE: f64 = 0.6;

/// The failure for an address that no live key answers to: it says whether the key was deleted, whether it
/// is a prefix, else which keys are near. `keyspace` holds all keys.
pub fn not_found(address: &Address, keyspace: &Keyspace<'_>) -> Failure {
    let text = address.text();
    let key = match address {
        Address::Prefix(_) => {
            return with_near(
                Failure::not_found(format!("no live key starts with {text}")),
                &text,
                keyspace,
            );
        }
        Address::Key(key) => key,
    };
    if let Some(tombstone) = keyspace.tombstone(key) {
        let revision = tombstone.revision.main;
        let before = revision.saturating_sub(1);
        return Failure::not_found(format!("{text} was deleted at revision {revision}"))
            .hint(format!("`log` lists its retained revisions; --at {before} (extract: -r {before}) answers as of before"));
    }
    let failure = Failure::not_found(format!("no key {text}"));
    let folder = [key.as_slice(), b"/"].concat();
    let below = keyspace
        .live
        .iter()
        .filter(|entry| entry.key.starts_with(&folder))
        .count();
    if below > 0 {
        return failure.hint(format!(
            "{below} keys start with {text}/ (with the slash it is a prefix)"
        ));
    }
    with_near(failure, &text, keyspace)
}

fn with_near(failure: Failure, text: &str, keyspace: &Keyspace<'_>) -> Failure {
    let near = nearest(text, keyspace.live.iter().map(|entry| &*entry.key));
    if near.is_empty() {
        failure
    } else {
        failure.hint(format!("did you mean {}?", near.join(", ")))
    }
}

/// The keys most like a text, the most alike first.
fn nearest<'k>(text: &str, keys: impl Iterator<Item = &'k [u8]>) -> Vec<String> {
    let last_of = |text: &str| {
        text.trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let wanted_name = last_of(text);
    let mut alike: Vec<(f64, String)> = keys
        .filter(|key| key.len() <= MEASURED_BYTES && text.len() <= MEASURED_BYTES)
        .filter_map(|key| std::str::from_utf8(key).ok())
        .filter_map(|key| {
            let likeness = strsim::normalized_levenshtein(text, key);
            // The right name in another place is nearer than another name in the right place.
            let bonus = if last_of(key) == wanted_name {
                1.0
            } else {
                0.0
            };
            (likeness + bonus >= ALIKE).then(|| (likeness + bonus, key.to_owned()))
        })
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    alike.into_iter().take(NAMED).map(|(_, key)| key).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_a_prefix() {
        assert_eq!(
            Address::parse(OsStr::new("/registry/pods/")),
            Address::Prefix(b"/registry/pods/".to_vec())
        );
        assert!(Address::parse(OsStr::new("/a/")).covers(b"/a/b"));
        assert!(!Address::parse(OsStr::new("/a")).covers(b"/a/b"));
    }

    #[test]
    fn the_right_name_in_another_namespace_comes_first() {
        let keys: [&[u8]; 4] = [
            b"/registry/pods/shop/web-1",
            b"/registry/pods/prod/web-2",
            b"/registry/pods/prod/db",
            b"/x",
        ];
        assert_eq!(
            nearest("/registry/pods/prod/web-1", keys.into_iter())
                .first()
                .map(String::as_str),
            Some("/registry/pods/shop/web-1")
        );
        assert!(nearest("completely else", keys.into_iter()).is_empty());
    }
}
