//! The lives of a key, from its events, and what the versions of an object show about its deletion.

use std::borrow::Cow;

use crate::etcd::{AtRevision, KeyedEvents, PlacedEvent, Record, Store};
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;
use crate::source::Source;

use super::helm;
use super::history::ObjectHistory;

/// The newest put of a key that exists, from its events. None if the key does not exist.
pub fn live<'a>(store: &Store<'a>, events: &[PlacedEvent<'a>]) -> Option<PlacedEvent<'a>> {
    let evidence = events.iter().filter(|event| is_evidence(store, event));
    // In a damaged file the walk may not follow the order of revisions.
    let newest = evidence.max_by_key(|event| event.placed.revision);
    newest.filter(|event| !event.placed.tombstone).copied()
}

/// Whether an event is evidence for the keyspace at the newest revision.
pub(super) fn is_evidence(store: &Store<'_>, event: &PlacedEvent<'_>) -> bool {
    let placed = &event.placed;
    store.is_evidence(placed.origin(), placed.revision, AtRevision::HEAD)
}

/// One life of a key: its puts, and the main revision of its deletion, if that is known.
pub(super) struct Life<'a> {
    pub(super) puts: Vec<PlacedEvent<'a>>,
    pub(super) deleted_at: Option<i64>,
}

/// The lives of a key, oldest first. A life without a put in any page is left out.
pub(super) fn lives<'a>(events: &[PlacedEvent<'a>]) -> Vec<Life<'a>> {
    let mut lives: Vec<Life<'a>> = Vec::new();
    for event in events {
        let Some(generation) = event.placed.generation() else {
            // The first tombstone after a put ended it.
            if let Some(life) = lives.last_mut() {
                life.deleted_at.get_or_insert(event.placed.revision.main);
            }
            continue;
        };
        let continues = lives.last().is_some_and(|life| {
            let of_life = life.puts.last();
            of_life.is_some_and(|put| put.placed.generation() == Some(generation))
        });
        match lives.last_mut().filter(|_| continues) {
            Some(life) => life.puts.push(*event),
            None => lives.push(Life {
                puts: vec![*event],
                deleted_at: None,
            }),
        }
    }
    lives
}

impl<'a> Life<'a> {
    /// The last version before a deletion began. If that is not retained, the first one that is known, and true. None if
    /// the object was created after the deletion began.
    pub(super) fn before(&self, began: i64) -> (Option<&PlacedEvent<'a>>, bool) {
        let mut newest_first = self.puts.iter().rev();
        let known = newest_first.find(|event| event.placed.revision.main < began);
        let first = self.puts.first();
        let first = first.filter(|event| event.placed.create_revision < began);
        match (known, first) {
            (Some(event), _) => (Some(event), false),
            (None, Some(event)) => (Some(event), true),
            (None, None) => (None, false),
        }
    }

    /// How many versions are missing between a put and the next known one.
    pub(super) fn missing_after(&self, restored: Option<&PlacedEvent<'a>>) -> i64 {
        let Some(restored) = restored.map(|event| event.placed) else {
            return 0;
        };
        let mut placed = self.puts.iter().map(|event| event.placed);
        let next = placed.find(|placed| placed.revision > restored.revision);
        next.map_or(0, |next| {
            let between = next.version.saturating_sub(restored.version);
            between.saturating_sub(1).max(0)
        })
    }
}

/// Decrypts the value of a record. None if it stays encrypted.
pub(super) type Open<'o, 'a> = &'o dyn Fn(&Record<'a>) -> Option<Cow<'a, [u8]>>;

/// What the versions of an object show about its deletion.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The first main revision with a deletion timestamp.
    pub(super) marked: Option<i64>,
    /// The first main revision of the last versions in which it is an uninstalled Helm release.
    pub(super) uninstalled: Option<i64>,
    /// The uids of its owners, in the newest version.
    pub(super) owners: Vec<String>,
}

impl Shown {
    /// Reads all versions.
    pub(super) fn read<'a>(
        life: &Life<'a>,
        events: &KeyedEvents<'a>,
        cluster: Option<&[u8]>,
        open: Open<'_, 'a>,
    ) -> Self {
        let mut shown = Self::default();
        for event in life.puts.iter().filter_map(|event| events.read(event)) {
            let Some(value) = open(&event.record) else {
                continue;
            };
            let Some(meta) = Meta::read(&value) else {
                continue;
            };
            let main = event.record.revision.main;
            if meta.deletion_time.is_some() {
                shown.marked = shown.marked.or(Some(main));
            }
            shown.owners = owners_of(&meta);
            if helm::is_release_key(event.record.key) {
                let release = helm::Release::read(&value, cluster);
                let is_uninstall =
                    release.is_some_and(|release| helm::is_uninstall(&release.status));
                shown.uninstalled = is_uninstall.then(|| shown.uninstalled.unwrap_or(main));
            }
        }
        shown
    }

    /// The same for an object that is no Helm release: the history has read which versions have a deletion timestamp,
    /// so only the newest version is looked at, and older ones if it is no object.
    pub(super) fn from_history(
        (newest, life): (&Record<'_>, &Life<'_>),
        history: &ObjectHistory,
        (keyring, source): (&Keyring, &Source),
    ) -> Self {
        let placed = || life.puts.iter().map(|event| &event.placed);
        let marked = placed().find(|placed| history.has_mark(placed.revision));
        let owners = |record: &Record<'_>| {
            let value = keyring.decrypt(record.key, record.value).ok()?;
            Some(owners_of(&Meta::read(&value)?))
        };
        let mut buffer = Vec::new();
        let owners = owners(newest).or_else(|| {
            let mut older = placed().rev().skip(1);
            older.find_map(|placed| owners(&placed.copy(source, &mut buffer)?))
        });
        Self {
            marked: marked.map(|placed| placed.revision.main),
            uninstalled: None,
            owners: owners.unwrap_or_default(),
        }
    }
}

fn owners_of(meta: &Meta<'_>) -> Vec<String> {
    meta.owners.iter().map(|uid| uid.to_string()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use crate::diag::Diagnostics;
    use crate::etcd::Events;
    use crate::query::catalog::read_full;

    use super::*;

    fn stored<'a>(record: &Record<'a>) -> Option<Cow<'a, [u8]>> {
        Some(Cow::Borrowed(record.value))
    }

    #[test]
    fn the_history_shows_of_a_deletion_what_all_versions_show() {
        let healthy = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/healthy/k8s");
        let (mut compared, mut marked, mut owned) = (0, 0, 0);
        for name in ["before", "after"].map(|name| format!("{name}.db")) {
            let source = Source::open(healthy.join(name)).unwrap();
            let (diagnostics, keyring) = (Diagnostics::new(), Keyring::default());
            let store = Store::open(&source, &diagnostics).unwrap();
            let catalog = read_full(&[(&store, AtRevision::HEAD)], &keyring);
            let history = ObjectHistory::read(&store, &keyring, &catalog, None, None).0;
            let by_key = Events::read_by_key(&store, |_| true);
            for place in 0..by_key.keys().len() {
                for life in lives(&by_key.of_key(place)) {
                    let newest = by_key.read(life.puts.last().unwrap()).unwrap().record;
                    let reader = (&keyring, &source);
                    let shown = Shown::from_history((&newest, &life), &history, reader);
                    compared += 1;
                    marked += usize::from(shown.marked.is_some());
                    owned += usize::from(!shown.owners.is_empty());
                    let expected = Shown::read(&life, &by_key, None, &stored);
                    assert_eq!(shown, expected);
                }
            }
        }
        assert!(
            compared > 100 && marked > 0 && owned > 0,
            "{compared} {marked} {owned}"
        );
    }
}
