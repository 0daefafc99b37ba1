//! Delta snapshots of gardener's etcd-backup-restore: the events of a watch over all keys, each with the time at which it was
//! received.
//!
//! A file is a JSON array followed by the 32 bytes of the SHA-256 over it (`pkg/snapshot/snapshotter/snapshotter.go`). An
//! element is `{"etcdEvent": EVENT, "time": RFC3339}`; EVENT is a `clientv3.Event` as Go's encoding/json writes it: `type` 1
//! of a deletion and absent of a put, `kv` with `key` and `value` in base64, `create_revision`, `mod_revision`, `version`,
//! `lease`. What is 0 or empty is absent. A deletion has a key and its revision alone.
//!
//! An event has no sub revision. Within a revision a watch delivers events in the order of their subs, without a gap, so the
//! place of an event among those of its revision is its sub.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde_json::{Deserializer, Value};
use sha2::{Digest as _, Sha256};

use crate::diag::{Code, Diagnostic, Diagnostics, Locus};

use super::record::{Origin, Record};
use super::revision::Revision;

/// Length of the SHA-256 at the end, in bytes.
const CHECKSUM: usize = 32;

/// What the SHA-256 at the end of a delta snapshot shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeltaChecksum {
    /// The JSON is as it was written.
    Right,
    /// It is not.
    Wrong,
    /// The file has no SHA-256.
    Absent,
}

impl DeltaChecksum {
    /// The word for it in output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "WRONG",
            Self::Absent => "MISSING",
        }
    }
}

/// A delta snapshot.
#[derive(Debug)]
pub struct Delta {
    /// What its checksum shows.
    pub checksum: DeltaChecksum,
    /// Keys and values one after another.
    bytes: Vec<u8>,
    /// In the order of revisions.
    events: Vec<Event>,
    /// From this main revision on events may be missing, because the file is damaged.
    incomplete_from: Option<i64>,
}

/// One event; key and value are places in the bytes of the file's [`Delta`].
#[derive(Debug, Clone)]
struct Event {
    revision: Revision,
    is_deletion: bool,
    key: Range<usize>,
    value: Range<usize>,
    create_revision: i64,
    version: i64,
    lease: i64,
    /// Of the element in the JSON text, in bytes.
    offset: u64,
    /// When it was received, in seconds since 1970.
    time: Option<i64>,
}

/// Reads the events of a file and reports what is wrong with them.
struct Reader<'r> {
    name: &'r str,
    diagnostics: &'r Diagnostics,
    delta: Delta,
    /// Whether an event before the first one that could be read is missing.
    lacks_first: bool,
}

impl Delta {
    /// Reads a file; `name` is for findings. Every event that is whole is read, whatever the others are.
    #[must_use]
    pub fn read(file: &[u8], name: &str, diagnostics: &Diagnostics) -> Self {
        let mut reader = Reader {
            name,
            diagnostics,
            delta: Self {
                checksum: DeltaChecksum::Absent,
                bytes: Vec::new(),
                events: Vec::new(),
                incomplete_from: None,
            },
            lacks_first: false,
        };
        if let Some(json) = checked(file) {
            reader.delta.checksum = DeltaChecksum::Right;
            if let Some(end) = reader.read_elements(json) {
                reader.report_rest(json, end);
            }
            return reader.finish();
        }
        let end = reader.read_elements(file);
        let after = end.map_or(0, |end| file.len().saturating_sub(end));
        let (checksum, found) = if after >= CHECKSUM {
            let found = "another SHA-256 than that of the events before it";
            (DeltaChecksum::Wrong, found)
        } else {
            (DeltaChecksum::Absent, "no whole SHA-256 after the events")
        };
        reader.delta.checksum = checksum;
        let at = end.unwrap_or(file.len());
        let effect = "the file is not what was written: any event in it may have changed";
        reader.report(Code::DeltaChecksum, at, found, effect);
        reader.finish()
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there is no event.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The first and the last main revision.
    #[must_use]
    pub fn revisions(&self) -> Option<(i64, i64)> {
        let main = |event: &Event| event.revision.main;
        Some((
            self.events.first().map(main)?,
            self.events.last().map(main)?,
        ))
    }

    /// From this main revision on events may be missing, because the file is damaged. An event that cannot be read may
    /// have the same revision as the event before it.
    #[must_use]
    pub fn incomplete_from(&self) -> Option<i64> {
        self.incomplete_from
    }

    /// When the first and the last event were received, in seconds since 1970.
    #[must_use]
    pub fn received(&self) -> Option<(i64, i64)> {
        let times = || self.events.iter().filter_map(|event| event.time);
        Some((times().min()?, times().max()?))
    }

    /// The main revisions with events, ascending, each with the time at which its last event was received.
    pub fn times(&self) -> impl Iterator<Item = (i64, Option<i64>)> {
        let of_one = self
            .events
            .chunk_by(|one, next| one.revision.main == next.revision.main);
        of_one.filter_map(|events| {
            let time = events.iter().filter_map(|event| event.time).max();
            Some((events.first()?.revision.main, time))
        })
    }

    /// What the events wrote, in the order of revisions.
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.events.iter().map(|event| {
            let bytes = |range: &Range<usize>| self.bytes.get(range.clone()).unwrap_or_default();
            let empty = Record::empty(event.revision, bytes(&event.key), Origin::Delta);
            let empty = Record {
                offset: event.offset,
                ..empty
            };
            if event.is_deletion {
                return Record {
                    tombstone: true,
                    ..empty
                };
            }
            Record {
                create_revision: event.create_revision,
                mod_revision: event.revision.main,
                version: event.version,
                value: bytes(&event.value),
                lease: event.lease,
                ..empty
            }
        })
    }
}

/// The JSON text of a file whose SHA-256 is right.
fn checked(file: &[u8]) -> Option<&[u8]> {
    let (json, stored) = file.split_at_checked(file.len().checked_sub(CHECKSUM)?)?;
    let computed: [u8; CHECKSUM] = Sha256::digest(json).into();
    (computed == stored).then_some(json)
}

impl Reader<'_> {
    fn locus(&self, offset: usize) -> Locus {
        Locus {
            file: Some(self.name.to_owned()),
            ..Locus::at(offset as u64)
        }
    }

    fn report(&self, code: Code, offset: usize, found: impl Into<String>, effect: &'static str) {
        let found = found.into();
        let finding = Diagnostic::new(code, self.locus(offset)).found(found);
        self.diagnostics.report(finding.effect(effect));
    }

    /// Reads one element of the array after another, so that those before a damaged place are known. Returns where the
    /// array ends, if it does.
    fn read_elements(&mut self, json: &[u8]) -> Option<usize> {
        let mut at = after_blanks(json, 0);
        if json.get(at) != Some(&b'[') {
            return self.cut(at, "no JSON array");
        }
        at = after_blanks(json, at.saturating_add(1));
        if json.get(at) == Some(&b']') {
            return at.checked_add(1);
        }
        loop {
            let rest = json.get(at..).unwrap_or_default();
            let mut stream = Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            let whole = matches!(stream.next(), Some(Ok(IgnoredAny)));
            let len = stream.byte_offset();
            if !whole {
                return self.cut(
                    at,
                    match rest {
                        [] => "the end of the JSON text",
                        _ => "no whole JSON value",
                    },
                );
            }
            let element = rest.get(..len).unwrap_or_default();
            if let Err(why) = self.read_event(element, at) {
                let effect = "this event is missing from this answer";
                self.note_missing();
                self.report(Code::DeltaEvent, at, why, effect);
            }
            at = after_blanks(json, at.saturating_add(len));
            match json.get(at) {
                Some(b',') => at = after_blanks(json, at.saturating_add(1)),
                Some(b']') => return at.checked_add(1),
                None => return self.cut(at, "the end of the JSON text"),
                Some(_) => return self.cut(at, "no comma after an event"),
            }
        }
    }

    /// Notes that the next event is missing.
    fn note_missing(&mut self) {
        match self.delta.events.last() {
            None => self.lacks_first = true,
            Some(last) => {
                let from = self.delta.incomplete_from.unwrap_or(i64::MAX);
                self.delta.incomplete_from = Some(from.min(last.revision.main));
            }
        }
    }

    /// Reports that the array cannot be followed from here on. Returns the end of the array, which is not known.
    fn cut(&mut self, at: usize, found: &str) -> Option<usize> {
        self.note_missing();
        self.report(
            Code::DeltaEvent,
            at,
            found,
            "the events from here on are missing",
        );
        None
    }

    /// Reports what is after the array and before the SHA-256.
    fn report_rest(&self, json: &[u8], end: usize) {
        let end = after_blanks(json, end);
        if end < json.len() {
            let found = "bytes after the JSON array";
            self.report(Code::DeltaEvent, end, found, "what follows is not read");
        }
    }

    /// Reads one event. The error names what is wrong with it. `at` is its offset in the file.
    fn read_event(&mut self, element: &[u8], at: usize) -> Result<(), &'static str> {
        let element: Value = serde_json::from_slice(element).map_err(|_| "no JSON object")?;
        let event = element.get("etcdEvent").ok_or("no field etcdEvent")?;
        let kv = event.get("kv").ok_or("an event without kv")?;
        let is_deletion = match event.get("type") {
            None | Some(Value::Null) => false,
            Some(kind) if *kind == 0 || *kind == "PUT" => false,
            Some(kind) if *kind == 1 || *kind == "DELETE" => true,
            Some(_) => return Err("an unknown type of event"),
        };
        let number = |name| match kv.get(name) {
            None => Ok(0),
            Some(value) => value.as_i64().ok_or("a field that is no whole number"),
        };
        let main = number("mod_revision")?;
        let (create_revision, version) = (number("create_revision")?, number("version")?);
        let lease = number("lease")?;
        if main < 1 {
            return Err("no mod_revision");
        }
        let start = self.delta.bytes.len();
        let ranges = self.decode(kv.get("key")).and_then(|key| {
            let value = self.decode(kv.get("value"))?;
            (!key.is_empty())
                .then_some((key, value))
                .ok_or("an event without a key")
        });
        let (key, value) = ranges.inspect_err(|_| self.delta.bytes.truncate(start))?;
        let time = element.get("time").and_then(Value::as_str);
        let time = time.and_then(|time| time.parse::<Timestamp>().ok());
        self.delta.events.push(Event {
            revision: Revision { main, sub: 0 },
            is_deletion,
            key,
            value,
            create_revision,
            version,
            lease,
            offset: at as u64,
            time: time.map(Timestamp::as_second),
        });
        Ok(())
    }

    /// Appends the bytes of a base64 text. An absent text has no bytes.
    fn decode(&mut self, text: Option<&Value>) -> Result<Range<usize>, &'static str> {
        let bytes = &mut self.delta.bytes;
        let start = bytes.len();
        match text {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => STANDARD
                .decode_vec(text, bytes)
                .map_err(|_| "wrong base64")?,
            Some(_) => return Err("a key or value that is no text"),
        }
        Ok(start..bytes.len())
    }

    /// Sorts the events, removes duplicates, and numbers the events of each transaction.
    fn finish(mut self) -> Delta {
        const EFFECT: &str = "they were put in the order of their revisions";
        let mut events = std::mem::take(&mut self.delta.events);
        let main = |event: &Event| event.revision.main;
        let pairs = events.iter().zip(events.iter().skip(1));
        let mut late = pairs
            .filter(|(one, next)| main(next) < main(one))
            .map(|(_, next)| next);
        if let Some(first) = late.next() {
            let found = format!("revision {} after a later one", main(first));
            let at = usize::try_from(first.offset).unwrap_or_default();
            self.report(Code::DeltaOrder, at, found, EFFECT);
        }
        events.sort_by_key(main);
        // Within one revision every key is written once.
        let mut kept: Vec<Event> = Vec::with_capacity(events.len());
        let mut keys = std::collections::HashSet::new();
        let bytes = std::mem::take(&mut self.delta.bytes);
        for event in events {
            let sub = match kept.last() {
                Some(last) if main(last) == main(&event) => last.revision.sub.saturating_add(1),
                _ => {
                    keys.clear();
                    0
                }
            };
            if !keys.insert(bytes.get(event.key.clone())) {
                let found = format!("a key twice in revision {}", main(&event));
                let at = usize::try_from(event.offset).unwrap_or_default();
                self.report(
                    Code::DeltaOrder,
                    at,
                    found,
                    "the first event of the key is taken",
                );
                continue;
            }
            let revision = Revision {
                main: main(&event),
                sub,
            };
            kept.push(Event { revision, ..event });
        }
        let first = kept.first().map(main).filter(|_| self.lacks_first);
        let missing = [self.delta.incomplete_from, first];
        Delta {
            bytes,
            events: kept,
            incomplete_from: missing.into_iter().flatten().min(),
            ..self.delta
        }
    }
}

/// The first position from `at` on that is not white space.
fn after_blanks(json: &[u8], at: usize) -> usize {
    let rest = json.get(at..).unwrap_or_default();
    let blanks = rest.iter().take_while(|byte| byte.is_ascii_whitespace());
    at.saturating_add(blanks.count())
}
