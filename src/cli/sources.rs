//! Where records are taken from beside the state of the database.

use std::path::{Path, PathBuf};

use crate::bbolt::Direction;
use crate::etcd::carve::proof::unproved;
use crate::etcd::carve::{Carved, Class, Search, leaves_out_of_use};
use crate::etcd::cluster::member_ids;
use crate::etcd::record::{Grade, Origin};
use crate::etcd::wal::Wal;
use crate::etcd::wal::replay::{self, Replay};
use crate::etcd::wal::revision_inference::infer_records;
use crate::etcd::{AtRevision, KeyEntry, Record, Store};
use crate::view::record::key_text;

use super::failure::Failure;
use super::logs::Logs;
use super::report;

/// Where records are looked for beside the state of the database.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Sources {
    /// Take in what freed pages still hold: versions that were compacted away, and lost commits
    #[arg(long)]
    pub carve: bool,
    /// Take in what the write-ahead log has: writes that were acknowledged and are not in the database yet, and versions
    /// that were compacted away, where their revisions are certain. The log is that in the data directory, or in DIR
    #[arg(long, value_name = "DIR", num_args = 0..=1, require_equals = true)]
    pub wal: Option<Option<PathBuf>>,
    /// Whether a log that is not there is none that is missed.
    #[arg(skip)]
    if_there: bool,
}

impl Sources {
    /// Takes in what was asked for, and says what was found.
    pub fn add_to<'a>(&self, mut store: Store<'a>, logs: Option<&'a Logs>) -> Store<'a> {
        if self.carve {
            let carved = Carved::from_state(store.state());
            store = store.with_carved(carved.records);
            report::note(&carved_text(&store, &carved.search));
        }
        match logs {
            Some(logs) => with_log(store, logs),
            None => store,
        }
    }

    /// All of them, as far as they are there.
    #[must_use]
    pub fn all(self) -> Self {
        Self {
            carve: true,
            if_there: self.wal.is_none(),
            wal: self.wal.or(Some(None)),
        }
    }

    /// The log that is asked for, of a database at a path.
    ///
    /// # Errors
    /// When there is none.
    pub fn logs(&self, db: &Path, given: &Path) -> Result<Option<Logs>, Failure> {
        let Some(wal) = &self.wal else {
            return Ok(None);
        };
        // A database in a data directory is DIR/member/snap/db.
        let beside = || db.ancestors().nth(2).filter(|_| db.ends_with("snap/db"));
        let dir = match wal {
            Some(dir) => dir.as_path(),
            None if given.is_dir() => given,
            None if self.if_there && beside().is_none() => return Ok(None),
            None => beside().ok_or_else(|| {
                Failure::cannot(format!(
                    "{}: there is no write-ahead log beside a database file alone",
                    given.display()
                ))
                .hint("--wal=DIR names its folder, or give the data directory as DB")
            })?,
        };
        match Logs::open(dir) {
            Err(_) if self.if_there => Ok(None),
            opened => opened.map(Some),
        }
    }
}

/// Adds what a write-ahead log has and the state does not have, and says what that is.
fn with_log<'a>(store: Store<'a>, logs: &'a Logs) -> Store<'a> {
    let wal = logs.wal();
    if let Some(member) = stranger(&store, &wal) {
        report::note(&format!(
            "the write-ahead log is of another cluster (member {member:x}): nothing of it is taken"
        ));
        return store;
    }
    let state = store.current_revision();
    let whole = replay::whole_log(&wal).filter(|whole| agrees(&store, whole));
    let reaches = whole
        .as_ref()
        .is_some_and(|whole| whole.stopped.is_none() && whole.revision >= state);
    let mut records = whole.map_or_else(Vec::new, |whole| whole.records);
    let damaged = store.db().diagnostics().found_damage();
    let mut stopped = None;
    if !reaches
        && !damaged
        && let Some(beyond) = replay::after_database(&store, &wal)
    {
        stopped = beyond.stopped.map(|why| (beyond.until, why));
        records.extend(beyond.records);
    }
    if !reaches && !damaged {
        records.extend(infer_records(&store, &wal, state));
        records.sort_by_key(|record| record.revision);
    }
    let before = store.additional().len();
    let store = store.with(records);
    let of_log = || {
        store
            .additional()
            .iter()
            .filter(|record| record.origin == Origin::Wal)
    };
    let behind = of_log()
        .filter(|record| record.revision.main > state)
        .count();
    let compacted = of_log().count().saturating_sub(behind);
    let mut parts = Vec::new();
    if behind > 0 {
        let newest = store.current_revision();
        parts.push(format!(
            "{behind} records behind the database, up to revision {newest} (it ends at {state})"
        ));
    }
    if compacted > 0 {
        parts.push(format!("{compacted} that were compacted"));
    }
    let what = if parts.is_empty() {
        "nothing whose revision is certain and that is not there already".to_owned()
    } else {
        parts.join(", ")
    };
    report::note(&format!("the write-ahead log has {what}"));
    if let Some((until, why)) = stopped {
        report::note(&format!(
            "revisions of the log are certain up to entry {until}: behind it {why}"
        ));
    }
    if before == 0 && parts.is_empty() {
        report::hint("`etcdive wal DIR` lists every request in it");
    }
    store
}

/// The member whose log it is, where the database names its members and not this one.
fn stranger(store: &Store<'_>, wal: &Wal<'_>) -> Option<u64> {
    let id = wal.metadata?.node_id;
    let known = member_ids(store);
    let is_it = |member: &String| u64::from_str_radix(member, 16) == Ok(id);
    (!known.is_empty() && !known.iter().any(is_it)).then_some(id)
}

/// Whether a replay of a whole log says what the database says, of every revision that both have.
fn agrees(store: &Store<'_>, whole: &Replay<'_>) -> bool {
    let mut replayed = whole.records.iter().peekable();
    store.state().records(Direction::Forward).all(|known| {
        while replayed
            .next_if(|record| record.revision < known.revision)
            .is_some()
        {}
        match replayed.peek() {
            Some(record) if record.revision == known.revision => record.has_same_content(&known),
            // A revision in the middle that the replay has not.
            Some(_) => known.is_bump_mark(),
            None => true,
        }
    })
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
    let records = store.additional();
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
            Class::NewerThanState,
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
    if initial {
        return "the file was just defragmented, which writes a new one without the old pages"
            .to_owned();
    }
    if store.compact_revision() == 0 {
        return "nothing was ever compacted, so all that was written is in the state".to_owned();
    }
    let leaves = leaves_out_of_use(store.state());
    let copies = search.copies;
    let searched = format!(
        "{leaves} of its {} pages are leaf pages out of use, with {copies} copies of records that the state has",
        search.pages
    );
    format!(
        "{searched}; the file was defragmented since the compaction, or what was freed has been written over"
    )
}
