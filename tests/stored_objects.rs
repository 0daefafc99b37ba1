//! What is read of two versions of an object as they are stored is what their decoded trees show: the managers that
//! wrote it, and the fields that changed.

use std::collections::BTreeSet;

use etcdive::bbolt::Db;
use etcdive::diag::Diagnostics;
use etcdive::etcd::{Event, Events, State, Store};
use etcdive::k8s::diff::{FieldChange, Scope};
use etcdive::k8s::managed_fields::{object_meta, writers};
use etcdive::k8s::object::{is_object, is_secret_key, tree_of};
use etcdive::k8s::redact::Masker;
use etcdive::k8s::search::{Document, Matcher, Pattern};
use etcdive::k8s::stored_diff::{secret_diff, stored_diff};
use etcdive::k8s::stored_writers::{Stored, StoredWriter, decoded_writers, stored_writers};
use etcdive::query::compare::Changed;
use etcdive::query::event_list::EventList;
use etcdive::query::event_log::{EventFilters, EventLog};
use etcdive::query::manager_history::ManagerHistory;
use etcdive::query::no_answer::NoAnswer;
use etcdive::query::updates::{BATCH, each_update, each_with_fields, managers_of_each};
use etcdive::query::writers::managers_of;
use etcdive::wire::{Content, Reader};

use crate::support::library::Database;
use crate::support::random::Random;
use crate::support::synth::wire::put_varint;
use crate::support::{case_roots, files_below, full_or, read_unpacked, testdata};
use etcdive::query::Answer;

/// How many results of each kind were compared.
#[derive(Debug, Default)]
struct Compared {
    pairs: usize,
    writers: usize,
    digests: usize,
    decoded: usize,
    diffs: usize,
    changes: usize,
    secrets: usize,
}

/// The managers by the decoded trees; None if a tree is no object or its metadata has another form.
fn writers_by_trees(old: Option<&[u8]>, new: &[u8]) -> Option<Vec<StoredWriter>> {
    let meta = |value| {
        let (tree, _) = tree_of(value).ok()?;
        object_meta(&tree).filter(|_| is_object(&tree))
    };
    let new = meta(new)?;
    let old = match old {
        Some(old) => Some(meta(old)?),
        None => None,
    };
    let writers = writers(old.as_ref(), &new).into_iter();
    let writers = writers.map(|writer| StoredWriter {
        manager: writer.manager,
        subresource: writer.subresource,
    });
    Some(writers.collect())
}

/// The managers by what is kept of the old version.
fn writers_by_digest(old: Option<&[u8]>, new: &[u8]) -> Option<Vec<StoredWriter>> {
    let old = match old {
        Some(old) => Some(Stored::read(old)?.digest()),
        None => None,
    };
    Stored::read(new)?.writers(old.as_ref())
}

const SCOPES: [Scope; 4] = [
    Scope::ALL,
    Scope {
        status: true,
        managed_fields: false,
    },
    Scope {
        status: false,
        managed_fields: true,
    },
    Scope {
        status: false,
        managed_fields: false,
    },
];

/// Compares two versions of what is named.
type Comparing = fn(&mut Compared, &[u8], &[u8], &str);

impl Compared {
    fn versions(&mut self, old: Option<&[u8]>, new: &[u8], what: &str) {
        self.pairs += 1;
        let expected = writers_by_trees(old, new);
        if let Some(found) = stored_writers(old, new) {
            assert_eq!(Some(found), expected, "{what}: the managers as stored");
            self.writers += 1;
        }
        if let Some(found) = writers_by_digest(old, new) {
            assert_eq!(Some(found), expected, "{what}: the managers by a digest");
            self.digests += 1;
        }
        if let Some(found) = decoded_writers(old, new) {
            let expected = expected.unwrap_or_default();
            assert_eq!(found, expected, "{what}: the managers of the metadata");
            self.decoded += 1;
        }
        let Some(old) = old else { return };
        for (scope, reveal) in SCOPES.into_iter().zip([true, false, true, false]) {
            let Some(changes) = stored_diff(old, new, scope, reveal) else {
                continue;
            };
            let (Ok((old, _)), Ok((new, _))) = (tree_of(old), tree_of(new)) else {
                panic!("{what}: a value that cannot be decoded was compared");
            };
            let expected = Masker::new(reveal).diff(&old, &new, scope, false);
            let rows = |changes: &[FieldChange]| -> Vec<String> {
                changes.iter().map(FieldChange::to_json).collect()
            };
            assert_eq!(rows(&changes), rows(&expected), "{what}: {scope:?}");
            self.diffs += 1;
            self.changes += changes.len();
        }
    }

    /// The same for versions under the key of a Secret.
    fn secrets(&mut self, old: &[u8], new: &[u8], what: &str) {
        for (scope, reveal) in SCOPES.into_iter().zip([true, false, false, true]) {
            let mut masker = Masker::new(reveal);
            let trees = [old, new].map(|value| masker.tree_of(value, true));
            let found = secret_diff(old, new, scope, reveal);
            let [Ok(old), Ok(new)] = &trees else {
                assert!(found.is_none(), "{what}: compared without trees");
                continue;
            };
            let Some(found) = found else { continue };
            let expected = masker.diff(old, new, scope, true);
            let found = Masker::new(reveal).number_changes(found);
            let rows = |changes: &[FieldChange]| -> Vec<String> {
                changes.iter().map(FieldChange::to_json).collect()
            };
            assert_eq!(rows(&found), rows(&expected), "{what}: {scope:?}, {reveal}");
            self.secrets += usize::from(!found.is_empty());
        }
    }

    /// Random edits of a value, compared with the value and with each other.
    fn edits(
        &mut self,
        value: &[u8],
        random: &mut Random,
        count: usize,
        compare: Comparing,
        what: &str,
    ) {
        let Some(body) = value.strip_prefix(b"k8s\0") else {
            return;
        };
        let mut last = value.to_vec();
        for number in 0..count {
            let mut edited = b"k8s\0".to_vec();
            edited.extend(match number % 2 {
                0 => edit(body, random, 0),
                _ => edit_list(body, random, 0),
            });
            compare(self, value, &edited, &format!("{what}, edit {number}"));
            compare(self, &edited, value, &format!("{what}, edit {number} back"));
            compare(self, &last, &edited, &format!("{what}, edits to {number}"));
            last = edited;
        }
    }
}

/// A field with its number.
type Field<'a> = (u32, Content<'a>);

fn fields(message: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut fields = Vec::new();
    let mut reader = Reader::new(message);
    while let Some(field) = reader.field().ok()? {
        fields.push((field.number, field.content));
    }
    Some(fields)
}

fn put(out: &mut Vec<u8>, number: u32, content: Content<'_>) {
    put_varint(out, u64::from(number) << 3 | u64::from(content.wire_type()));
    match content {
        Content::Varint(value) => put_varint(out, value),
        Content::Fixed64(value) => out.extend(value.to_le_bytes()),
        Content::Fixed32(value) => out.extend(value.to_le_bytes()),
        Content::Bytes(bytes) => {
            put_varint(out, bytes.len() as u64);
            out.extend(bytes);
        }
    }
}

/// A message with one change somewhere in it: a field less, twice, in another place, of another number, or with
/// another value.
fn edit(message: &[u8], random: &mut Random, depth: usize) -> Vec<u8> {
    let Some(mut fields) = fields(message).filter(|fields| !fields.is_empty()) else {
        return edit_text(message, random);
    };
    let at = random.below(fields.len());
    let (number, content) = fields[at];
    let nested;
    match (content, random.below(if depth < 2 { 60 } else { 12 })) {
        (_, 0) => drop(fields.remove(at)),
        (_, 1) => fields.push((number, content)),
        (_, 2) => fields.swap(at, random.below(at + 1)),
        (_, 3) => fields[at].0 = 1 + random.below(20) as u32,
        (_, 4) => fields[at].1 = Content::Varint(random.below(300) as u64),
        (Content::Varint(value), _) => fields[at].1 = Content::Varint(value.wrapping_add(1)),
        (Content::Bytes(bytes), 5) => {
            nested = edit_text(bytes, random);
            fields[at].1 = Content::Bytes(&nested);
        }
        (Content::Bytes(bytes), _) => {
            nested = edit(bytes, random, depth + 1);
            fields[at].1 = Content::Bytes(&nested);
        }
        _ => {}
    }
    let mut out = Vec::new();
    for (number, content) in fields {
        put(&mut out, number, content);
    }
    out
}

/// A message with one change of a list in it: two items are swapped, one becomes another one or a field of it, or one is
/// edited. The same as [`edit`] if no list is found.
fn edit_list(message: &[u8], random: &mut Random, depth: usize) -> Vec<u8> {
    let Some(mut fields) = fields(message).filter(|fields| !fields.is_empty()) else {
        return edit_text(message, random);
    };
    let at = random.below(fields.len());
    let (number, content) = fields[at];
    let Content::Bytes(bytes) = content else {
        return edit(message, random, depth);
    };
    let same: Vec<usize> = (0..fields.len())
        .filter(|index| fields[*index].0 == number)
        .collect();
    let other = same[random.below(same.len())];
    let nested;
    match random.below(if same.len() > 1 { 4 } else { 8 }) {
        0 if other != at => fields.swap(at, other),
        1 if other != at => fields[other].1 = content,
        2 if other != at => {
            nested = edit(bytes, random, depth + 2);
            fields[at].1 = fields[other].1;
            fields[other].1 = Content::Bytes(&nested);
        }
        _ => {
            nested = edit_list(bytes, random, depth + 1);
            fields[at].1 = Content::Bytes(&nested);
        }
    }
    let mut out = Vec::new();
    for (number, content) in fields {
        put(&mut out, number, content);
    }
    out
}

/// Bytes with another byte, one byte less or one more.
fn edit_text(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let at = random.below(bytes.len() + 1);
    match random.below(4) {
        0 if at < bytes.len() => drop(bytes.remove(at)),
        1 => bytes.insert(at, random.below(256) as u8),
        2 if at < bytes.len() => bytes[at] = b"0az{\xff"[random.below(5)],
        _ if at < bytes.len() => bytes[at] = bytes[at].wrapping_add(1),
        _ => {}
    }
    bytes
}

#[test]
fn versions_as_they_are_stored_differ_as_their_trees_do() {
    let mut compared = Compared::default();
    let mut random = Random::new(21);
    let is_store = |name: &str| name.ends_with(".db") || name.ends_with(".db.gz");
    for path in case_roots().iter().flat_map(|root| files_below(root)) {
        let name = path.display().to_string();
        if !is_store(&name) || std::fs::metadata(&path).unwrap().len() > full_or(64 << 20, 4 << 20)
        {
            continue;
        }
        let (image, diagnostics) = (read_unpacked(&path), Diagnostics::new());
        let Ok(db) = Db::from_image(&image, None, &diagnostics) else {
            continue;
        };
        let store = Store::new(State::from_db(db));
        let events = Events::read(&store, |_| true);
        for event in events.iter().filter(|event| !event.record.tombstone) {
            let (record, old) = (event.record, event.previous_record());
            let what = format!("{name}, revision {}", record.revision);
            let old = old.map(|old| old.value);
            let (compare, edited): (Comparing, _) = if is_secret_key(record.key) {
                if let Some(old) = old {
                    compared.secrets(old, record.value, &what);
                }
                (Compared::secrets, random.one_in(full_or(2, 4)))
            } else {
                compared.versions(old, record.value, &what);
                let compare = |compared: &mut Compared, old: &[u8], new: &[u8], what: &str| {
                    compared.versions(Some(old), new, what);
                };
                (compare, random.one_in(full_or(16, 64)))
            };
            if edited {
                compared.edits(record.value, &mut random, 12, compare, &what);
            }
        }
    }
    println!("{compared:?}");
    assert!(compared.pairs > 2000, "{compared:?}");
    assert!(compared.writers > 1000, "{compared:?}");
    assert!(compared.digests > 1000, "{compared:?}");
    assert!(compared.decoded > 1000, "{compared:?}");
    assert!(compared.diffs > 1000, "{compared:?}");
    assert!(compared.changes > 1000, "{compared:?}");
    assert!(compared.secrets > 100, "{compared:?}");
}

#[test]
fn many_events_have_the_managers_and_the_changes_that_each_of_them_has() {
    let (mut compared, mut with_managers, mut with_fields) = (0, 0, 0);
    for path in files_below(&testdata("healthy")) {
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let database = Database::open(&path);
        let asked = database.ask("log", |question| {
            let filters = EventFilters::default();
            let log = EventLog::read(question, &filters)?;
            let (events, objects) = (log.newest()?, log.objects());
            let each: Vec<Vec<String>> = events
                .iter()
                .map(|event| managers_of(&event, objects))
                .collect();
            let history = ManagerHistory::read(&events, objects);
            let (mut one, mut many) = (log.comparison(), log.comparison());
            for (number, batch) in events.batches(BATCH).enumerate() {
                let first = number * BATCH;
                let expected = &each[first..first + batch.len()];
                assert_eq!(managers_of_each(&batch, objects), expected);
                assert_eq!(history.managers_of_each(first, &batch, objects), expected);
            }
            let changes: Vec<_> = events
                .iter()
                .map(|event| Changed::from_event(&event))
                .collect();
            let mut places = 0..changes.len();
            let is_asked = |changed: &Changed<'_>| changed.new.is_some();
            each_with_fields(&changes, is_asked, &mut many, |_, changed, fields| {
                assert_eq!(changed.key(), changes[places.next().unwrap()].key());
                let expected = match is_asked(changed) {
                    true => one.fields(changed),
                    false => Vec::new(),
                };
                assert_eq!(fields, expected);
                Ok::<(), NoAnswer>(())
            })?;
            assert_eq!(places.next(), None);
            let mut expected = each.iter().zip(&changes);
            each_update(&events, &mut many, |update| {
                let (managers, changed) = expected.next().unwrap();
                assert_eq!((&*update.key, &update.managers), (changed.key(), managers));
                with_fields += usize::from(update.fields.is_some_and(|f| !f.is_empty()));
                Ok::<(), NoAnswer>(())
            })?;
            assert!(expected.next().is_none());
            check_by_key(&events);
            compared += events.len();
            with_managers += each.iter().filter(|managers| !managers.is_empty()).count();
            question.finish(Answer::Yes);
            Ok(())
        });
        assert!(asked.is_ok() || asked.is_err_and(|refused| refused.code == 1));
    }
    println!("{compared} events, {with_managers} with managers, {with_fields} updates");
    assert!(compared > 500 && with_managers > 100 && with_fields > 100);
}

/// Checks that the list by key has all events: those of a key one after the other, in the order of revisions.
fn check_by_key(events: &EventList<'_, '_>) {
    let revision = |event: Event<'_>| event.record.revision;
    let by_key = events.by_key();
    let mut revisions: Vec<_> = by_key.iter().map(revision).collect();
    let mut expected: Vec<_> = events.iter().map(revision).collect();
    revisions.sort();
    expected.sort();
    assert_eq!(revisions, expected);
    let all: Vec<_> = by_key.iter().collect();
    let mut seen = BTreeSet::new();
    for of_key in all.chunk_by(|a, b| a.record.key == b.record.key) {
        assert!(of_key.is_sorted_by_key(|event| event.record.revision));
        assert!(seen.insert(of_key[0].record.key));
    }
}

/// Patterns of every kind: words, anchors, boundaries, classes, parts of paths.
const PATTERNS: [&str; 18] = [
    "[xyz][0-9]{3}[ab]q",
    "^true$",
    r"\bkube",
    "[0-9]+m$",
    r"spec\.replicas",
    r": \{\}$",
    r"\[\]",
    "metadata.name: .*-[0-9]",
    "^$",
    "[A-Z][a-z]+:",
    "(?i)ready",
    "image: ",
    "0$",
    "uid",
    r"^\{\}$",
    r"containers\[0\]",
    "=$",
    r"labels\[",
];

#[test]
fn a_value_that_may_not_match_by_its_lines_has_no_line_that_matches() {
    let matchers = PATTERNS.map(|pattern| Matcher::regex(pattern).unwrap());
    let word = Pattern {
        alternatives: vec!["web".to_owned(), "a".to_owned()],
        fixed: true,
        word: true,
        ..Pattern::default()
    };
    let matchers: Vec<Matcher> = matchers
        .into_iter()
        .chain([
            Matcher::new(&word).unwrap(),
            Matcher::regex("Update").unwrap().with_managed_fields(true),
            Matcher::regex("^metadata").unwrap().with_whole_paths(),
        ])
        .collect();
    let (mut yes, mut no, mut wrong_yes) = (0, 0, 0);
    for path in files_below(&testdata("healthy")) {
        if path.extension().is_none_or(|extension| extension != "db") {
            continue;
        }
        let (image, diagnostics) = (read_unpacked(&path), Diagnostics::new());
        let store = Store::new(State::from_db(
            Db::from_image(&image, None, &diagnostics).unwrap(),
        ));
        for (number, event) in Events::read(&store, |_| true).iter().enumerate() {
            if event.record.tombstone || number % full_or(1, 3) != 0 {
                continue;
            }
            let value = event.record.value;
            let Ok(document) = Document::read(value) else {
                continue;
            };
            for (place, matcher) in matchers.iter().enumerate() {
                let matches = !matcher.search(&document, &document.tree).is_empty();
                let may_match = matcher.may_match_lines(value);
                assert!(
                    may_match || !matches,
                    "{}, revision {}, pattern {place}",
                    path.display(),
                    event.record.revision
                );
                yes += usize::from(matches);
                no += usize::from(!may_match);
                wrong_yes += usize::from(may_match && !matches);
            }
        }
    }
    println!("{yes} match, {no} do not by their lines, {wrong_yes} do not after all");
    assert!(yes > 500 && no > 500, "{yes} {no} {wrong_yes}");
}
