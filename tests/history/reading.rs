//! A reading of etcd's records that shares no code with the program, what was recorded of them from outside, and
//! the states and events that follow from them by etcd's own rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Map, Value, json};

use crate::support::truth::healthy;
use crate::support::{Scratch, case_roots, files_below, read_unpacked};

/// One put or deletion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    pub main: i64,
    pub sub: i64,
    pub tombstone: bool,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub create_revision: i64,
    pub version: i64,
    pub lease: i64,
}

/// A database with its history.
pub struct Case {
    pub db: PathBuf,
    /// The revision it was compacted to, or 0.
    pub compacted: i64,
    /// Everything that was ever written, as far as the file shows it.
    pub whole: Vec<Record>,
    /// What is left of it in the database.
    pub retained: Vec<Record>,
    /// Whether a watch recorded the history.
    pub recorded: bool,
}

impl Case {
    pub fn path(&self) -> &str {
        self.db.to_str().unwrap()
    }

    /// The store's revision: nothing in these databases is newer than their last record.
    pub fn newest(&self) -> i64 {
        self.retained.last().unwrap().main
    }

    /// The live keys as of a main revision.
    pub fn state(&self, at: i64) -> BTreeMap<&[u8], &Record> {
        let mut live = BTreeMap::new();
        for record in self.whole.iter().filter(|record| record.main <= at) {
            if record.tombstone {
                live.remove(&record.key[..]);
            } else {
                live.insert(&record.key[..], record);
            }
        }
        live
    }

    /// The retained events as `log -o jsonl` has to have them, oldest first.
    pub fn events(&self) -> Vec<Value> {
        let mut puts: BTreeMap<&[u8], &Record> = BTreeMap::new();
        let rows = self.retained.iter().map(|record| {
            let old = puts.remove(&record.key[..]);
            let mut row = Map::new();
            row.insert("main".into(), record.main.into());
            row.insert("sub".into(), record.sub.into());
            let what = match (record.tombstone, record.version) {
                (true, _) => "delete",
                (false, 1) => "create",
                _ => "update",
            };
            row.insert("type".into(), what.into());
            insert_bytes(&mut row, "key", &record.key);
            if !record.tombstone {
                insert_counters(&mut row, record);
                puts.insert(&record.key, record);
            }
            if let Some(old) = old.filter(|_| what != "create") {
                row.insert("prev_mod_revision".into(), old.main.into());
                row.insert("prev_version".into(), old.version.into());
                row.insert("prev_value_size".into(), old.value.len().into());
            }
            row.insert("origin".into(), "live".into());
            Value::Object(row)
        });
        rows.collect()
    }
}

/// A live key as `ls -o jsonl` has to have it.
pub fn listed(record: &Record) -> Value {
    let mut row = Map::new();
    insert_bytes(&mut row, "key", &record.key);
    insert_counters(&mut row, record);
    Value::Object(row)
}

fn insert_counters(row: &mut Map<String, Value>, record: &Record) {
    row.insert("create_revision".into(), record.create_revision.into());
    row.insert("mod_revision".into(), record.main.into());
    row.insert("version".into(), record.version.into());
    if record.lease != 0 {
        row.insert("lease".into(), json!(format!("{:016x}", record.lease)));
    }
    row.insert("value_size".into(), record.value.len().into());
}

fn insert_bytes(row: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => row.insert(name.into(), text.into()),
        Err(_) => {
            let text = base64::engine::general_purpose::STANDARD.encode(bytes);
            row.insert(format!("{name}_base64"), text.into())
        }
    };
}

/// Every healthy database, and one made here in which transactions write many keys.
pub fn cases(scratch: &Scratch) -> Vec<Case> {
    let made = made();
    let path = scratch.file("made.db", &made.builder().build().bytes);
    let known = made.history().iter().map(|record| Record {
        main: record.main,
        sub: record.sub,
        tombstone: record.tombstone,
        key: record.key.clone(),
        value: record.value.clone(),
        create_revision: record.create_revision,
        version: record.version,
        lease: record.lease,
    });
    let mut cases = vec![case(path, known.collect(), true)];
    for root in case_roots() {
        for db in files_below(&healthy(&root)) {
            if db.extension().is_some_and(|extension| extension == "db") {
                let known = recorded_beside(&db);
                cases.push(case(db, known, false));
            }
        }
    }
    assert!(cases.len() >= 7);
    cases
}

/// A compacted store of transactions: puts and deletions of few keys, in any order.
fn made() -> crate::support::synth::etcd::Store {
    use crate::support::random::Random;
    use crate::support::synth::etcd::{Op, Store, Version, delete, put};
    let mut random = Random::new(5);
    let mut store = Store::new(Version::V3_6);
    store.grant(0x5eed, 60);
    for round in 0..150_usize {
        let mut ops: Vec<Op> = Vec::new();
        for name in ["a", "b", "c/1", "c/2", "d"] {
            match random.below(6) {
                0 => ops.push(put(name, "x".repeat(random.below(40)))),
                1 => ops.push(delete(name)),
                2 if round % 9 == 0 => {
                    ops.push(Op::Put(name.into(), round.to_string().into(), 0x5eed));
                }
                _ => {}
            }
        }
        store.txn(&ops);
    }
    store.compact(store.revision() / 3);
    store
}

fn case(db: PathBuf, mut whole: Vec<Record>, is_made: bool) -> Case {
    let bytes = std::fs::read(&db).unwrap();
    let file = File::of(&bytes);
    let compacted = file.bucket("meta").into_iter().find_map(|(name, value)| {
        (name == b"finishedCompactRev").then(|| i64::from_be_bytes(value[..8].try_into().unwrap()))
    });
    let compacted = compacted.unwrap_or(0);
    let retained: Vec<Record> = file.bucket("key").into_iter().map(record_of).collect();
    let recorded = !whole.is_empty();
    let newest = retained.last().unwrap().main;
    let last = whole.last().map_or(0, |record| record.main);
    whole.retain(|record| record.main <= newest);
    whole.extend(retained.iter().filter(|record| record.main > last).cloned());
    if recorded {
        let keeps_tombstone = is_made || !db.to_str().unwrap().contains("3.4");
        let left = left_by_compaction(&whole, compacted, keeps_tombstone);
        assert!(left == retained, "{}: the recorded history", db.display());
    }
    Case {
        db,
        compacted,
        whole,
        retained,
        recorded,
    }
}

/// etcd keeps what is newer than the compaction, and of each key the newest put at or below it; and from 3.5 on a
/// deletion at the very revision.
fn left_by_compaction(whole: &[Record], compacted: i64, keeps_tombstone: bool) -> Vec<Record> {
    let mut newest: BTreeMap<&[u8], (i64, i64)> = BTreeMap::new();
    for record in whole.iter().filter(|record| record.main <= compacted) {
        newest.insert(&record.key, (record.main, record.sub));
    }
    let is_left = |record: &&Record| {
        record.main > compacted
            || (newest[&record.key[..]] == (record.main, record.sub)
                && (!record.tombstone || (keeps_tombstone && record.main == compacted)))
    };
    whole.iter().filter(is_left).cloned().collect()
}

/// What a watch from revision 1 recorded of a database, if any did.
fn recorded_beside(db: &Path) -> Vec<Record> {
    let name = db.file_name().unwrap().to_str().unwrap();
    let beside = ["allrevs.jsonl", "compacted-later.newrevs.jsonl"];
    let wanted = if name.starts_with("compacted-later") {
        2
    } else {
        1
    };
    let same_cluster = name != "cbor.db";
    let files = beside[..wanted].iter().map(|file| db.with_file_name(file));
    files
        .filter(|file| same_cluster && file.is_file())
        .flat_map(|file| {
            let text = String::from_utf8(read_unpacked(&file)).unwrap();
            text.lines().map(recorded).collect::<Vec<_>>()
        })
        .collect()
}

fn recorded(line: &str) -> Record {
    let row: Value = serde_json::from_str(line).unwrap();
    let number = |name: &str| row[name].as_i64().unwrap_or(0);
    let bytes = |name: &str| {
        let text = row[name].as_str().unwrap_or_default();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .unwrap()
    };
    Record {
        main: number("rev"),
        sub: number("sub"),
        tombstone: row["type"] == "DELETE",
        key: bytes("key_b64"),
        value: bytes("value_b64"),
        create_revision: number("create_revision"),
        version: number("version"),
        lease: number("lease"),
    }
}

/// The state of a bbolt file that its newer meta page names.
struct File<'a> {
    bytes: &'a [u8],
    page_size: usize,
    root: u64,
}

type Element<'a> = (&'a [u8], &'a [u8]);

impl<'a> File<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let page_size = u32_at(bytes, 16 + 8) as usize;
        let newer = (0..2)
            .map(|page| page * page_size + 16)
            .max_by_key(|meta| u64_at(bytes, meta + 48))
            .unwrap();
        Self {
            bytes,
            page_size,
            root: u64_at(bytes, newer + 16),
        }
    }

    /// The elements of a top-level bucket.
    fn bucket(&self, name: &str) -> Vec<Element<'a>> {
        let mut buckets = Vec::new();
        self.walk(self.page(self.root), &mut buckets);
        let (_, header) = buckets
            .into_iter()
            .find(|(found, _)| *found == name.as_bytes())
            .unwrap();
        let mut elements = Vec::new();
        match u64_at(header, 0) {
            0 => self.walk(&header[16..], &mut elements),
            root => self.walk(self.page(root), &mut elements),
        }
        elements
    }

    fn page(&self, id: u64) -> &'a [u8] {
        &self.bytes[id as usize * self.page_size..]
    }

    fn walk(&self, page: &'a [u8], elements: &mut Vec<Element<'a>>) {
        let is_branch = page[8] & 1 != 0;
        let count = usize::from(u16::from_le_bytes([page[10], page[11]]));
        for at in (0..count).map(|index| 16 + index * 16) {
            if is_branch {
                self.walk(self.page(u64_at(page, at + 8)), elements);
            } else {
                let place = at + u32_at(page, at + 4) as usize;
                let (key, value) = (u32_at(page, at + 8), u32_at(page, at + 12));
                let (key, rest) = page[place..].split_at(key as usize);
                elements.push((key, &rest[..value as usize]));
            }
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// A record of the bucket `key`: main, `_`, sub, and `t` for a deletion; the value is mvccpb.KeyValue.
fn record_of((key, mut value): Element<'_>) -> Record {
    let mut record = Record {
        main: i64::from_be_bytes(key[..8].try_into().unwrap()),
        sub: i64::from_be_bytes(key[9..17].try_into().unwrap()),
        tombstone: key.len() == 18,
        ..Record::default()
    };
    while !value.is_empty() {
        let tag = varint(&mut value);
        let number = varint(&mut value);
        let mut bytes = || {
            let (bytes, rest) = value.split_at(number as usize);
            value = rest;
            bytes.to_vec()
        };
        match tag {
            0x0a => record.key = bytes(),
            0x10 => record.create_revision = number as i64,
            0x18 => assert_eq!(record.main, number as i64),
            0x20 => record.version = number as i64,
            0x2a => record.value = bytes(),
            0x30 => record.lease = number as i64,
            tag => panic!("tag {tag}"),
        }
    }
    record
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut number = 0;
    for shift in (0..).step_by(7) {
        let (first, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        number |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            break;
        }
    }
    number
}
