//! One damaged image, read in every way that the library has, and compared with what must be there.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use etcdive::bbolt::{Db, Direction};
use etcdive::diag::{Code, Diagnostics, Severity};
use etcdive::etcd::hash::{Omit, backend_hash, hash_kv};
use etcdive::etcd::history::version_counts;
use etcdive::etcd::scan::{Scan, scanned_records};
use etcdive::etcd::status::{SnapshotStatus, StoreStatus};
use etcdive::etcd::{AtRevision, KeyHistory, Keyspace, Record, Store};
use etcdive::source::Source;

use super::Case;
use super::oracle::{Changed, Entry};
use crate::support::synth::mutate::{Kind, Mutation};

/// What a record says, wherever it is.
type Content<'a> = (i64, i64, bool, &'a [u8], i64, i64, i64, &'a [u8], i64);

fn content<'a>(record: &Record<'a>) -> Content<'a> {
    let Record {
        revision,
        tombstone,
        key,
        create_revision,
        mod_revision,
        version,
        value,
        lease,
        ..
    } = *record;
    (
        revision.main,
        revision.sub,
        tombstone,
        key,
        create_revision,
        mod_revision,
        version,
        value,
        lease,
    )
}

fn count<T: Eq + std::hash::Hash>(items: impl IntoIterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for item in items {
        *counts.entry(item).or_insert(0) += 1;
    }
    counts
}

/// An element as the library delivered it.
pub struct Seen<'a> {
    pub bucket: &'a [u8],
    pub key: &'a [u8],
    pub value: &'a [u8],
    pub body: Range<usize>,
}

impl<'a> Seen<'a> {
    fn what(&self) -> (&'a [u8], &'a [u8], &'a [u8]) {
        (self.bucket, self.key, self.value)
    }
}

/// All elements of all buckets of the root.
pub fn elements_of<'a>(
    db: &Db<'a>,
    diagnostics: &'a Diagnostics,
    direction: Direction,
) -> Vec<Seen<'a>> {
    let mut seen = Vec::new();
    for bucket in db.buckets() {
        let mut of_bucket: Vec<Seen<'a>> = bucket
            .elements(diagnostics, direction)
            .map(|(_, element)| {
                let value_at = element.value_offset as usize;
                Seen {
                    bucket: bucket.name,
                    key: element.key,
                    value: element.value,
                    body: value_at - element.key.len()..value_at + element.value.len(),
                }
            })
            .collect();
        if direction == Direction::Backward {
            of_bucket.reverse();
        }
        seen.extend(of_bucket);
    }
    seen
}

/// One damaged image under examination.
pub struct Trial<'c> {
    pub case: &'c Case,
    pub mutation: &'c Mutation,
    pub changed: Changed,
    pub source: &'c Source,
    pub problems: Vec<String>,
    /// Whether a reference leads to another whole state of the store, which no check can detect.
    pub excused: bool,
}

impl Trial<'_> {
    /// Notes what is wrong.
    pub fn problem(&mut self, text: String) {
        self.problems.push(text);
    }

    /// Reads the image in every way and compares with the oracle.
    pub fn run(&mut self) {
        self.scan();
        let told = self.case.etcd && self.etcd();
        self.bbolt(told);
    }

    /// Whether no meta can be read, which must be the damage's doing.
    fn unopened(&mut self, error: &etcdive::Error) {
        let metas = &self.case.oracle.references[..2];
        if !metas.iter().any(|meta| self.changed.touches(meta)) {
            self.problem(format!("not opened, though no meta is damaged: {error}"));
        }
    }

    fn bbolt(&mut self, told: bool) {
        let diagnostics = Diagnostics::new();
        let db = match Db::from_image(self.source.image(), None, &diagnostics) {
            Ok(db) => db,
            Err(error) => return self.unopened(&error),
        };
        let forward = elements_of(&db, &diagnostics, Direction::Forward);
        let backward = elements_of(&db, &diagnostics, Direction::Backward);
        let bound = self.source.image().len() / 8;
        if forward.len() > bound {
            self.problem(format!("{} elements, {bound} can be", forward.len()));
        }
        // Of a page with two parents each direction meets another one first.
        let same = if diagnostics.count(Code::PageTwice) > 0 {
            count(forward.iter().map(Seen::what)) == count(backward.iter().map(Seen::what))
        } else {
            forward
                .iter()
                .map(Seen::what)
                .eq(backward.iter().map(Seen::what))
        };
        if !same {
            self.problem("the two directions differ".into());
        }
        let told = told || diagnostics.found_damage() || self.has_no_check(&forward);
        self.compare(&forward, told);
        self.places(&diagnostics);
    }

    /// Whether the damage is to something that bbolt can check by nothing: a name, a value that
    /// is called a bucket, the sizes of the last
    /// element of a page, the root in a meta whose checksum is right or in a bucket's header, another
    /// intact page in the place of such a root. Of etcd's records nothing of this is an excuse.
    fn has_no_check(&self, seen: &[Seen<'_>]) -> bool {
        let oracle = &self.case.oracle;
        let at = self.mutation.offset as usize;
        let in_root = || oracle.roots.iter().any(|run| run.contains(&at));
        let older = || self.case.older.iter().map(|entry| &entry.key[..]);
        match self.mutation.kind {
            Kind::MetaField | Kind::ElementFlags => true,
            Kind::DuplicatePage if in_root() => true,
            Kind::ElementKeySize | Kind::ElementValueSize
                if oracle.last.iter().any(|element| element.contains(&at)) =>
            {
                true
            }
            _ if self.metas_are_in_place() && seen.iter().map(|one| one.key).eq(older()) => true,
            _ => oracle.references[2..]
                .iter()
                .any(|header| self.changed.touches(header)),
        }
    }

    /// Whether each meta page states its own id and kind: then an intact one with another content is
    /// that of another state.
    fn metas_are_in_place(&self) -> bool {
        let metas = &self.case.oracle.references[..2];
        let headers = metas.iter().map(|meta| meta.start - 16..meta.start);
        metas.iter().any(|meta| self.changed.touches(meta))
            && !headers
                .into_iter()
                .any(|header| self.changed.touches(&header))
    }

    /// What must be there is there; what is missing, or is made of intact bytes, is reported.
    fn compare(&mut self, seen: &[Seen<'_>], told: bool) {
        let mut left = count(seen.iter().map(Seen::what));
        let mut problems = Vec::new();
        for entry in &self.case.oracle.entries {
            let what = (&*entry.bucket, &*entry.key, &*entry.value);
            if let Some(n) = left.get_mut(&what).filter(|n| **n > 0) {
                *n -= 1;
                continue;
            }
            let name = format!(
                "{} {}",
                entry.bucket.escape_ascii(),
                entry.key.escape_ascii()
            );
            if self.changed.spares(entry) {
                problems.push(format!("untouched, yet lost: {name}"));
            } else if !told && !self.changed.touches(&entry.body) {
                problems.push(format!("hidden without a word: {name}"));
            }
        }
        for one in seen {
            let Some(n) = left.get_mut(&one.what()).filter(|n| **n > 0) else {
                continue;
            };
            *n -= 1;
            if !told && !self.changed.touches(&one.body) {
                problems.push(format!(
                    "no such element in the original, yet no word: {} {}",
                    one.bucket.escape_ascii(),
                    one.key.escape_ascii()
                ));
            }
        }
        if !told && seen.len() < self.case.oracle.entries.len() {
            problems.push("fewer elements without a word".into());
        }
        self.problems.extend(problems);
    }

    /// Every finding says where it is.
    fn places(&mut self, diagnostics: &Diagnostics) {
        for (code, _, kept) in diagnostics.by_code() {
            let of_file = [Code::FileTruncated, Code::TrailerMismatch].contains(&code);
            for finding in kept.iter().filter(|_| code.severity() > Severity::Info) {
                let locus = &finding.locus;
                if locus.offset.is_none() || (locus.pgid.is_none() && !of_file) {
                    self.problem(format!("without page or offset: {finding}"));
                }
            }
        }
    }

    /// Whether something was reported.
    fn etcd(&mut self) -> bool {
        let diagnostics = Diagnostics::new();
        let Ok(db) = Db::from_image(self.source.image(), None, &diagnostics) else {
            return true;
        };
        let store = Store::from_db(db);
        let forward: Vec<Record<'_>> = store.records(Direction::Forward).collect();
        let mut backward: Vec<Record<'_>> = store.records(Direction::Backward).collect();
        backward.reverse();
        let twice = diagnostics.count(Code::PageTwice) > 0;
        let same = if twice {
            count(forward.iter().map(content)) == count(backward.iter().map(content))
        } else {
            forward.iter().map(content).eq(backward.iter().map(content))
        };
        if !same {
            self.problem("the records of the two directions differ".into());
        }
        self.compare_records(&forward, &diagnostics);
        self.folds(&store, &forward);
        self.places(&diagnostics);
        diagnostics.found_damage()
    }

    /// As [`Self::compare`], of records, and with one excuse: another state that is whole, of which the
    /// caller allows few.
    fn compare_records(&mut self, records: &[Record<'_>], diagnostics: &Diagnostics) {
        let case = self.case;
        let before: Vec<&Entry> = case.older.iter().filter(|e| &*e.bucket == b"key").collect();
        let image = self.source.image();
        let seen: Vec<_> = records
            .iter()
            .map(|record| {
                let key_len = if record.tombstone { 18 } else { 17 };
                let at = record.offset as usize;
                (image[at - key_len..at].to_vec(), at, record)
            })
            .collect();
        let is_older = self.metas_are_in_place()
            && seen
                .iter()
                .map(|(key, ..)| key)
                .eq(before.iter().map(|entry| &entry.key));
        let told = diagnostics.found_damage() || is_older;
        let mut left = count(
            seen.iter()
                .map(|(key, _, record)| (key.clone(), content(record))),
        );
        let (mut problems, mut hidden) = (Vec::new(), Vec::new());
        let mut expected = 0;
        for entry in case.oracle.entries.iter().filter(|e| &*e.bucket == b"key") {
            expected += 1;
            let record = wire_content(&entry.key, &entry.value);
            if let Some(n) = left
                .get_mut(&(entry.key.clone(), record))
                .filter(|n| **n > 0)
            {
                *n -= 1;
            } else if self.changed.spares(entry) {
                problems.push(format!("untouched, yet lost: record {:?}", &record));
            } else if !told && !self.changed.touches(&entry.body) {
                hidden.push(format!("hidden without a word: record {:?}", &record));
            }
        }
        if !told && records.len() < expected {
            let n = records.len();
            hidden.push(format!("{n} of {expected} records without a word"));
        }
        let roots = [Kind::MetaField, Kind::BucketRoot, Kind::DuplicatePage];
        if !hidden.is_empty() && roots.contains(&self.mutation.kind) {
            self.excused = true;
        } else {
            problems.extend(hidden);
        }
        self.problems.extend(problems);
    }

    /// What folds the records runs, and agrees with them.
    fn folds(&mut self, store: &Store<'_>, records: &[Record<'_>]) {
        let at = AtRevision(i64::MAX);
        let keyspace = Keyspace::at(store, at, |_| true);
        let mut newest: BTreeMap<&[u8], &Record<'_>> = BTreeMap::new();
        for record in records {
            let old = newest.entry(record.key).or_insert(record);
            if record.revision >= old.revision {
                *old = record;
            }
        }
        let live = newest.values().filter(|record| !record.tombstone);
        if !live
            .map(|record| content(record))
            .eq(keyspace.live.iter().map(|entry| content(&entry.record)))
        {
            self.problem("the keyspace is not of the newest records".into());
        }
        version_counts(store, at, &keyspace);
        for key in newest.keys().take(3) {
            let of_key = records.iter().filter(|record| record.key == *key);
            let history = KeyHistory::read(store, key);
            if !history
                .events
                .iter()
                .map(|e| content(&e.record))
                .eq(of_key.map(content))
            {
                self.problem(format!("another history of {}", key.escape_ascii()));
            }
        }
        let _ = store.at(None).map(|at| Keyspace::at(store, at, |_| true));
        backend_hash(store, Omit::PerMember);
        hash_kv(store, store.current_revision());
        SnapshotStatus::read(store);
        StoreStatus::read(store);
    }

    fn scan(&mut self) {
        let diagnostics = Diagnostics::new();
        let mut records = 0;
        if let Ok(scan) = Scan::open(self.source, &diagnostics) {
            for leaf in scan.flatten() {
                records += scanned_records(&leaf).len();
            }
        }
        if records > self.source.image().len() / 8 {
            self.problem(format!("scan found {records} records"));
        }
    }
}

/// A record by the bytes of an intact element. Only its content matters: its position is compared
/// apart.
fn wire_content<'a>(key: &[u8], value: &'a [u8]) -> Content<'a> {
    let number = |at: usize| i64::from_be_bytes(key[at..at + 8].try_into().unwrap());
    let parsed = etcdive::etcd::KeyValue::parse(value).unwrap();
    (
        number(0),
        number(9),
        key.len() == 18,
        parsed.key,
        parsed.create_revision,
        parsed.mod_revision,
        parsed.version,
        parsed.value,
        parsed.lease,
    )
}
