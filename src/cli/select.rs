//! Which keys a verb is asked about, and what is near to a key that is not there.

use std::ffi::{OsStr, OsString};

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, Keyspace, Store};
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

    /// As it was typed, for a message: quoted where it would not be seen, cut where it is long.
    pub fn text(&self) -> String {
        let (Self::Key(bytes) | Self::Prefix(bytes)) = self;
        let text = key_text(bytes);
        if text.chars().count() > SHOWN_CHARACTERS {
            return text
                .chars()
                .take(SHOWN_CHARACTERS)
                .chain("...".chars())
                .collect();
        }
        if text.is_empty() || text.trim() != text {
            format!("\"{text}\"")
        } else {
            text.into_owned()
        }
    }
}

/// How much of a key a message shows.
const SHOWN_CHARACTERS: usize = 300;

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

/// What the store retains of an address which no key answers to at a revision.
#[derive(Default)]
struct Elsewhere {
    /// The newest deletion at or below the revision.
    deleted_at: Option<i64>,
    /// How many keys were deleted.
    deleted_keys: usize,
    /// The first put above the revision.
    put_later_at: Option<i64>,
}

impl Elsewhere {
    fn of(address: &Address, store: &Store<'_>, at: AtRevision) -> Self {
        let mut elsewhere = Self::default();
        for record in store
            .records(Direction::Forward)
            .filter(|record| address.covers(record.key))
        {
            let main = record.revision.main;
            if record.tombstone && main <= at.0 {
                elsewhere.deleted_at = Some(main);
                elsewhere.deleted_keys = elsewhere.deleted_keys.saturating_add(1);
            } else if !record.tombstone && main > at.0 {
                elsewhere.put_later_at = elsewhere.put_later_at.or(Some(main));
            }
        }
        elsewhere
    }
}

/// The failure for an address which no key answers to at a revision: whether damage may hide it, whether it was
/// deleted or is of a later revision, whether it is a prefix, else which keys are near.
pub fn not_found(address: &Address, store: &Store<'_>, at: AtRevision) -> Failure {
    let text = address.text();
    let elsewhere = Elsewhere::of(address, store, at);
    if store.db().diagnostics().may_hide_records() {
        return Failure::not_found(format!("{text} was not found, and damage may hide it"));
    }
    if let Some(revision) = elsewhere.deleted_at {
        let before = revision.saturating_sub(1);
        let what = match (address, elsewhere.deleted_keys) {
            (Address::Key(_), _) => format!("{text} was deleted at revision {revision}"),
            (Address::Prefix(_), 1) => {
                format!("no live key starts with {text}: one was deleted, at revision {revision}")
            }
            (Address::Prefix(_), keys) => format!(
                "no live key starts with {text}: {keys} were deleted, the last at revision {revision}"
            ),
        };
        let compacted = store.compact_revision();
        return Failure::not_found(what).hint(if before < compacted {
            format!("what it was before is compacted away: the store is compacted to {compacted}")
        } else {
            format!("--at {before} (extract: -r {before}) answers as of before")
        });
    }
    if let Some(revision) = elsewhere.put_later_at {
        return Failure::not_found(format!(
            "no key {text} at revision {}: it was first written at {revision}",
            at.0
        ))
        .hint(format!(
            "--at {revision} (extract: -r {revision}) answers as of then"
        ));
    }
    let keyspace = Keyspace::at(store, at, |_| true);
    let Address::Key(key) = address else {
        return with_near(
            Failure::not_found(format!("no live key starts with {text}")),
            &text,
            &keyspace,
        );
    };
    let failure = Failure::not_found(format!("no key {text}"));
    let below = below(key);
    let inside = keyspace
        .live
        .iter()
        .filter(|entry| below.covers(&entry.key));
    match folder_hint(&text, inside.map(|entry| &*entry.key)) {
        Some(hint) => failure.hint(hint),
        None => with_near(failure, &text, &keyspace),
    }
}

/// What a key names that is a folder of others: all keys below it.
pub fn below(key: &[u8]) -> Address {
    Address::Prefix([key, b"/"].concat())
}

/// The hint that `text` is a folder: of the keys in it, which are in key order, the only or the first.
pub fn folder_hint<'k>(text: &str, mut inside: impl Iterator<Item = &'k [u8]>) -> Option<String> {
    let first = key_text(inside.next()?);
    Some(match inside.count() {
        0 => format!("there is {first}"),
        more => format!(
            "{} keys start with {text}/, {first} the first; with the slash at the end it is a prefix",
            more.saturating_add(1)
        ),
    })
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
