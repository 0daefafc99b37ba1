//! The managers that wrote a version, read from its bytes without decoding the object.
//!
//! [`super::managed_fields::writers`] compares the managedFields of two decoded objects. A history of a whole store
//! would decode each object twice for that. Here the metadata is read where it is stored.
//!
//! **Invariant:** the result is that of [`super::managed_fields::writers`]. Bytes that an API server does not write
//! (another encoding, a field that the table does not have, a field that is split, a text that is not UTF-8) give None,
//! and the caller decodes the objects.

mod metadata;

use super::decode::{Options, decode_any};
use super::managed_fields::{Writer, has_more, object_meta, writers};
use super::object::is_object;
use super::sink::Order;
use super::tree::TreeSink;
use crate::fast_map::hash_in_this_run;
use metadata::{Entry, entries};

/// The manager of a managedFields entry and its subresource; empty for none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWriter {
    /// The manager.
    pub manager: String,
    /// `status`, `scale`, or empty.
    pub subresource: String,
}

/// More entries than this are compared by an index, as in decoded objects. An API server keeps about ten.
const MAX_ENTRIES: usize = 64;

/// The managers that wrote `new` after `old`, two decrypted values. Without `old` these are all managers in the
/// managedFields of `new`. None if the values have to be decoded to know.
#[must_use]
pub fn stored_writers(old: Option<&[u8]>, new: &[u8]) -> Option<Vec<StoredWriter>> {
    let new = Stored::read(new)?;
    let old = match old {
        Some(old) => Stored::read(old)?.entries,
        None => Vec::new(),
    };
    new.writers_by(|entry| wrote_since(entry, &old))
}

/// The managedFields of a value as they are stored.
#[derive(Debug)]
pub struct Stored<'v> {
    entries: Vec<Entry<'v>>,
}

/// Hashes of the managedFields of a value, which do not borrow it.
#[derive(Debug)]
pub struct StoredDigest(Box<[EntryDigest]>);

/// The first entry of a writer.
#[derive(Debug)]
struct EntryDigest {
    /// The hash of what identifies the writer, and of the time.
    write: u64,
    /// The hash of the set of fields; 0 for none.
    fields: u64,
}

/// The hash of what identifies the writer of an entry, and of its time.
fn hash_of_write(entry: &Entry<'_>) -> u64 {
    hash_in_this_run((entry.identity(), entry.time))
}

/// The hash of the set of fields of an entry; 0 for none.
fn hash_of_fields(entry: &Entry<'_>) -> u64 {
    let hash = |fields| hash_in_this_run(fields).max(1);
    entry.fields.map_or(0, hash)
}

impl<'v> Stored<'v> {
    /// Reads a decrypted value. None if the value has to be decoded.
    #[must_use]
    pub fn read(value: &'v [u8]) -> Option<Self> {
        let entries = entries(value)?;
        (entries.len() <= MAX_ENTRIES).then_some(Self { entries })
    }

    /// What the next version is compared with.
    #[must_use]
    pub fn digest(&self) -> StoredDigest {
        let entries = self.entries.iter().enumerate();
        // A later entry of the same writer is never compared.
        let first = entries.filter(|(place, entry)| {
            let mut before = self.entries.iter().take(*place);
            before.all(|before| before.identity() != entry.identity())
        });
        let digests = first.map(|(_, entry)| EntryDigest {
            write: hash_of_write(entry),
            fields: hash_of_fields(entry),
        });
        StoredDigest(digests.collect())
    }

    /// The managers that wrote this version after the one of a digest; without one, all. None if the values have to be
    /// compared.
    #[must_use]
    pub fn writers(&self, before: Option<&StoredDigest>) -> Option<Vec<StoredWriter>> {
        let Some(StoredDigest(before)) = before else {
            return self.writers_by(|_| Some(true));
        };
        self.writers_by(|entry| {
            let write = hash_of_write(entry);
            let known = before.iter().find(|known| known.write == write);
            match (known.map(|known| known.fields), entry.fields) {
                (None, _) => Some(true),
                (Some(0), fields) => Some(fields.is_some()),
                (Some(_), None) => Some(false),
                (Some(known), Some(_)) => (known == hash_of_fields(entry)).then_some(false),
            }
        })
    }

    /// The managers of the entries that wrote the version.
    fn writers_by(&self, wrote: impl Fn(&Entry<'v>) -> Option<bool>) -> Option<Vec<StoredWriter>> {
        let mut writers = Vec::new();
        for entry in &self.entries {
            if wrote(entry)? {
                writers.push(StoredWriter {
                    manager: entry.manager.to_owned(),
                    subresource: entry.subresource.to_owned(),
                });
            }
        }
        Some(writers)
    }
}

/// Whether an entry is new, has another time, or owns more fields than before.
fn wrote_since(entry: &Entry<'_>, before: &[Entry<'_>]) -> Option<bool> {
    let mut before = before.iter();
    let Some(known) = before.find(|known| known.identity() == entry.identity()) else {
        return Some(true);
    };
    if known.time != entry.time {
        return Some(true);
    }
    match (entry.fields, known.fields) {
        (Some(fields), Some(known)) if fields == known => Some(false),
        (Some(fields), Some(known)) => {
            let set = |bytes| {
                let mut tree = TreeSink::new();
                // A set that is no JSON is a text in the object. That is rare enough to decode the object.
                super::decode(bytes, Order::Declared, &mut tree).ok()?;
                Some(tree.into_value())
            };
            Some(has_more(&set(fields)?, &set(known)?, 0))
        }
        (fields, known) => Some(fields.is_some() && known.is_none()),
    }
}

/// The same from two values of any encoding. Only their metadata becomes a tree. None if a value is no object or cannot
/// be decoded; the caller has to report that.
#[must_use]
pub fn decoded_writers(old: Option<&[u8]>, new: &[u8]) -> Option<Vec<StoredWriter>> {
    let meta = |value: &[u8]| {
        let mut sink = metadata::HeadSink::default();
        decode_any(value, Options::from(Order::Declared), &mut sink).ok()?;
        let tree = sink.into_value();
        is_object(&tree).then(|| object_meta(&tree))
    };
    let Some(new) = meta(new)? else {
        return Some(Vec::new());
    };
    let old = match old.map(meta) {
        None => None,
        Some(old) => match old? {
            Some(old) => Some(old),
            None => return Some(Vec::new()),
        },
    };
    let wrote = writers(old.as_ref(), &new).into_iter();
    let stored = |writer: Writer| StoredWriter {
        manager: writer.manager,
        subresource: writer.subresource,
    };
    Some(wrote.map(stored).collect())
}
