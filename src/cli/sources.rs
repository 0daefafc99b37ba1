//! Where records are taken from beside the state of the database.

use crate::etcd::carve::proof::unproved;
use crate::etcd::carve::{Carved, Class, Search};
use crate::etcd::record::Grade;
use crate::etcd::{AtRevision, KeyEntry, Record, Store};
use crate::view::record::key_text;

use super::report;

/// Where records are looked for beside the state of the database.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Sources {
    /// Take in what freed pages still hold: versions that were compacted away, and lost commits
    #[arg(long)]
    pub carve: bool,
}

impl Sources {
    /// Takes in what was asked for, and says what was found.
    pub fn add_to(&self, store: &mut Store<'_>) {
        if self.carve {
            let search = store.carve();
            report::note(&carved_text(store, &search));
        }
    }
}

/// How many objects are named that are not proved.
const NAMED: usize = 3;

/// Says which objects of a keyspace below the compaction may not be as they were then.
pub fn note_unproved(store: &Store<'_>, at: AtRevision, entries: &[KeyEntry<'_>]) {
    let unproved = unproved(store, at, entries);
    let keys = unproved.iter().filter_map(|index| entries.get(*index));
    let names: Vec<_> = keys.take(NAMED).map(|entry| key_text(&entry.key)).collect();
    if names.is_empty() {
        return;
    }
    let more = if unproved.len() > NAMED { ", ..." } else { "" };
    report::note(&format!(
        "{} of these {} objects may have been changed or deleted by revision {}: the next versions of them are in no page ({}{more})",
        unproved.len(),
        entries.len(),
        at.0,
        names.join(", ")
    ));
}

/// What freed pages gave, in a sentence.
fn carved_text(store: &Store<'_>, search: &Search) -> String {
    let records = store.beside();
    let (Some(first), Some(last)) = (records.first(), records.last()) else {
        return format!(
            "freed pages hold nothing that the state has not: {}",
            why_none(store, search)
        );
    };
    let (compacted, current) = (store.compact_revision(), store.current_revision());
    let of = |class| {
        let is_of = |record: &&Record<'_>| {
            Carved::class_of(record.revision.main, compacted, current) == class
        };
        records.iter().filter(is_of).count()
    };
    let mut parts = Vec::new();
    for (class, what) in [
        (
            Class::Compacted,
            format!("compacted (up to revision {compacted})"),
        ),
        (
            Class::Lost,
            "of the state, to which the tree does not lead".to_owned(),
        ),
        (
            Class::Beyond,
            format!("newer than the state (above revision {current})"),
        ),
    ] {
        match of(class) {
            0 => {}
            count => parts.push(format!("{count} {what}")),
        }
    }
    let unproven = records
        .iter()
        .filter(|record| record.grade() > Some(Grade::A));
    let unproven = match unproven.count() {
        0 => String::new(),
        count => format!("; {count} of them by their own bytes alone (carved-b, carved-c)"),
    };
    format!(
        "freed pages hold {} records that the state has not: {}, of the revisions {} to {}{unproven}",
        records.len(),
        parts.join(", "),
        first.revision.main,
        last.revision.main
    )
}

/// Why nothing was carved.
fn why_none(store: &Store<'_>, search: &Search) -> String {
    let metas = store.db().metas();
    let initial = metas.iter().flatten().any(|meta| meta.is_initial());
    let (leaves, copies) = (search.leaves, search.copies);
    if initial {
        return "the file was just defragmented, which writes a new one without the old pages"
            .to_owned();
    }
    if store.compact_revision() == 0 {
        return "nothing was ever compacted, so all that was written is in the state".to_owned();
    }
    let searched = format!(
        "{leaves} of its {} pages are leaf pages out of use, with {copies} copies of records that the state has",
        search.pages
    );
    format!(
        "{searched}; the file was defragmented since the compaction, or what was freed has been written over"
    )
}
