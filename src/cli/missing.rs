//! What is said of an address that no key answers to: deleted, later, a folder, or which is near.

use crate::bbolt::Direction;
use crate::etcd::{AtRevision, Keyspace, Store};
use crate::k8s::catalog::Catalog;
use crate::view::record::key_text;

use super::address::{Address, ObjectSet};
use super::failure::Failure;

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
        let compacted = store.compact_revision();
        let what = was_deleted(address, &elsewhere, revision);
        return Failure::not_found(what).hint(if before < compacted {
            format!("what it was before is compacted away: the store is compacted to {compacted}; freed pages may still hold it: --carve")
        } else {
            format!("--at {before} (extract: -r {before}) answers as of before")
        });
    }
    if let Some(revision) = elsewhere.put_later_at {
        let what = match address {
            Address::Objects(_) => "nothing answers to",
            _ => "no key",
        };
        return Failure::not_found(format!(
            "{what} {text} at revision {}: it was first written at {revision}",
            at.0
        ))
        .hint(format!(
            "--at {revision} (extract: -r {revision}) answers as of then"
        ));
    }
    let keyspace = Keyspace::at(store, at, |_| true);
    match address {
        Address::Key(key) => no_key(key, &text, &keyspace),
        Address::Prefix(_) => with_near(
            Failure::not_found(format!("no live key starts with {text}")),
            &text,
            &keyspace,
        ),
        Address::Objects(objects) => no_objects(objects, &text, &keyspace),
    }
}

fn was_deleted(address: &Address, elsewhere: &Elsewhere, revision: i64) -> String {
    let text = address.text();
    let nothing = match address {
        Address::Prefix(_) => "no live key starts with",
        _ => "no live object answers to",
    };
    match elsewhere.deleted_keys {
        _ if address.names_one() => format!("{text} was deleted at revision {revision}"),
        1 => format!("{nothing} {text}: one was deleted, at revision {revision}"),
        keys => {
            format!("{nothing} {text}: {keys} were deleted, the last at revision {revision}")
        }
    }
}

fn no_key(key: &[u8], text: &str, keyspace: &Keyspace<'_>) -> Failure {
    let failure = Failure::not_found(format!("no key {text}"));
    let below = below(key);
    let inside = keyspace
        .live
        .iter()
        .filter(|entry| below.covers(&entry.key));
    match folder_hint(text, inside.map(|entry| &*entry.key)) {
        Some(hint) => failure.hint(hint),
        None => with_near(failure, text, keyspace),
    }
}

/// No such object: which are near, of the same types.
fn no_objects(objects: &ObjectSet, text: &str, keyspace: &Keyspace<'_>) -> Failure {
    let failure = Failure::not_found(format!("no live object answers to {text}"));
    let wide = Address::Objects(objects.widened());
    let of_types: Vec<&[u8]> = keyspace
        .live
        .iter()
        .map(|entry| &*entry.key)
        .filter(|key| wide.covers(key))
        .collect();
    let Some(first) = of_types.first() else {
        return failure.hint(format!("there are no {} in the store", objects.types));
    };
    if let Some(namespace) = &objects.namespace
        && let Some(hint) = no_namespace(namespace, keyspace)
    {
        return failure.hint(hint);
    }
    if let Some(name) = &objects.name {
        let same = Address::Objects(objects.widened().named(name));
        let same: Vec<_> = of_types.iter().filter(|key| same.covers(key)).collect();
        if !same.is_empty() {
            let named: Vec<_> = same.iter().take(NAMED).map(|key| key_text(key)).collect();
            return failure.hint(format!("there is {}", named.join(", ")));
        }
    }
    let wanted = match (&objects.name, &objects.namespace) {
        (Some(name), Some(namespace)) => format!("{namespace}/{name}"),
        (Some(name), None) => name.clone(),
        (None, _) => {
            return failure.hint(format!(
                "there are {} elsewhere, {} the first",
                of_types.len(),
                key_text(first)
            ));
        }
    };
    // Likeness is that of the ends: the folder is the same for all.
    let folder = key_text(first)
        .rsplit_once('/')
        .map(|(folder, _)| folder.to_owned())
        .unwrap_or_default();
    let folder = match &objects.namespace {
        Some(_) => folder.rsplit_once('/').map_or("", |(above, _)| above),
        None => &folder,
    };
    let near = nearest(&format!("{folder}/{wanted}"), of_types.into_iter());
    if near.is_empty() {
        failure
    } else {
        failure.hint(format!("did you mean {}?", near.join(", ")))
    }
}

/// The hint for a namespace that is not there, with the one that may be meant.
fn no_namespace(namespace: &str, keyspace: &Keyspace<'_>) -> Option<String> {
    let namespaces = || {
        keyspace.live.iter().filter_map(|entry| {
            let mut segments = entry.key.rsplit(|byte| *byte == b'/');
            let name = segments.next()?;
            (segments.next() == Some(b"namespaces")).then_some(name)
        })
    };
    let is_pattern = namespace.contains([',', '*', '?']);
    if is_pattern
        || namespaces().count() == 0
        || namespaces().any(|name| name == namespace.as_bytes())
    {
        return None;
    }
    let near = namespaces()
        .filter_map(|name| std::str::from_utf8(name).ok())
        .map(|name| {
            let likeness = strsim::normalized_damerau_levenshtein(namespace, name);
            (likeness, name)
        })
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    Some(match near {
        Some((_, near)) => format!("there is no namespace {namespace}: did you mean {near}?"),
        None => format!("there is no namespace {namespace}"),
    })
}

/// The failure for a word that is neither the name of a resource nor of a key, where objects of
/// Kubernetes are in the store; the catalog tells which resource may be meant.
pub fn not_found_among(
    address: &Address,
    catalog: Option<&Catalog>,
    store: &Store<'_>,
    at: AtRevision,
) -> Failure {
    let failure = not_found(address, store, at);
    let (Address::Key(word), Some(catalog)) = (address, catalog) else {
        return failure;
    };
    let is_bare = matches!(&failure, Failure::NotFound { hint: None, .. });
    let Ok(word) = std::str::from_utf8(word) else {
        return failure;
    };
    let types = word.split_once('/').map_or(word, |(types, _)| types);
    if word.starts_with('/') || types.is_empty() {
        return failure;
    }
    let unknown = |name: &&str| catalog.resolve(name).is_empty();
    if !catalog.holds_objects() {
        let is_type = is_bare && !types.split(',').any(|name| unknown(&name));
        return if is_type {
            failure.hint("there are no objects of Kubernetes in this store at this revision")
        } else {
            failure
        };
    }
    if !is_bare {
        return failure;
    }
    let near: Vec<String> = types
        .split(',')
        .filter(unknown)
        .flat_map(|name| catalog.near(name))
        .collect();
    if let Some((types, name)) = word.split_once('/')
        && !types.split(',').any(|name| unknown(&name))
    {
        return failure.hint(format!(
            "`{types} {name}` asks for one object, `{types}` for all; raw prefixes begin with a slash"
        ));
    }
    let wrong: Vec<&str> = types.split(',').filter(unknown).collect();
    let what = if wrong.len() < types.split(',').count() {
        wrong.join(", ")
    } else {
        address.text()
    };
    let message = format!("{what} is neither a resource nor a key");
    let failure = Failure::not_found(message);
    if near.is_empty() {
        failure.hint("`ls` lists the keys")
    } else {
        failure.hint(format!("did you mean {}?", near.join(", ")))
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
            let name = last_of(key);
            let bonus = if name == wanted_name {
                1.0
            } else {
                shared_start(&name, &wanted_name) / 2.0
            };
            (likeness + bonus >= ALIKE).then(|| (likeness + bonus, key.to_owned()))
        })
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    alike.into_iter().take(NAMED).map(|(_, key)| key).collect()
}

/// The part of a wanted name with which a name begins too: pods of one Deployment begin alike.
fn shared_start(name: &str, wanted: &str) -> f64 {
    let shared = name
        .bytes()
        .zip(wanted.bytes())
        .take_while(|(a, b)| a == b)
        .count();
    // Both are at most as long as what is measured.
    let of = |length: usize| f64::from(u16::try_from(length).unwrap_or(u16::MAX));
    of(shared) / of(wanted.len().max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn a_name_that_begins_alike_is_nearer_than_a_short_one() {
        let keys: [&[u8]; 2] = [
            b"/registry/pods/prod/db-1",
            b"/registry/pods/prod/web-5dfb8fd985-4z2zt",
        ];
        let near = nearest("/registry/pods/prod/web-1", keys.into_iter());
        assert!(near.first().is_some_and(|key| key.contains("/web-")));
    }
}
