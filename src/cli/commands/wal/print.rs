//! The log as text and as JSON lines.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::query::Notice;
use crate::query::compare::Masker;
use crate::query::evidence::{Evidence, Verify};
use crate::query::log_contradictions::LogContradictions;
use crate::query::logs::{
    AppliedEntries, Entry, Logs, Request, SegmentFile, Snap, SnapError, State, Wal, writes,
};
use crate::query::objects::{Keyring, Order, is_secret_key};
use crate::query::v2_store::V2Key;
use crate::view::answer_part::AnswerPart;
use crate::view::human::plural;
use crate::view::json::write_value;
use crate::view::json_rows::{Form, JsonRows};
use crate::view::record::{insert_text, key_text};
use crate::view::v2_store;
use crate::view::wal as view;
use crate::view::yaml::YamlWriter;

use super::{Args, Output};

/// The database beside a log, if it can be read.
pub struct Beside(Option<Evidence>);

impl Beside {
    /// Opens the database beside a log, if it has one.
    pub fn open(logs: &Logs) -> Result<Self, Failure> {
        let evidence = logs
            .db()
            .and_then(|db| Evidence::open(db, Verify::IfSmall).ok());
        Ok(Self(evidence))
    }

    /// The revisions of the entries, as far as they are certain.
    pub fn revisions(&self, wal: &Wal<'_>) -> Revisions {
        let store = self.0.as_ref().and_then(|evidence| evidence.store().ok());
        let store = store.as_ref();
        let known = AppliedEntries::from_wal(wal, store);
        Revisions {
            contradictions: store
                .map(|store| LogContradictions::read(wal, &known, store))
                .unwrap_or_default(),
            known,
            in_database: store.and_then(|store| store.meta().consistent_index),
        }
    }
}

/// What is certain of the revisions of a log.
#[derive(Debug, Default)]
pub struct Revisions {
    known: AppliedEntries,
    /// The entries whose writes the database beside it does not have.
    contradictions: LogContradictions,
    /// The last index that the database beside it has.
    in_database: Option<u64>,
}

impl Revisions {
    /// That the database contradicts the log, if it does.
    pub fn contradiction(&self) -> Option<Notice> {
        self.contradictions.notice()
    }
}

/// Prints a log.
pub struct Printer<'p> {
    args: &'p Args,
    keyring: &'p Keyring,
    logs: &'p Logs,
    wal: &'p Wal<'p>,
    revisions: &'p Revisions,
    masker: Masker,
    out: &'p mut Out,
}

impl<'p> Printer<'p> {
    /// A printer for one run.
    pub fn new(
        args: &'p Args,
        keyring: &'p Keyring,
        logs: &'p Logs,
        wal: &'p Wal<'p>,
        revisions: &'p Revisions,
        out: &'p mut Out,
    ) -> Self {
        Self {
            masker: Masker::new(args.show_secrets),
            args,
            keyring,
            logs,
            wal,
            revisions,
            out,
        }
    }

    /// The log, its files, raft's snapshots and these entries.
    pub fn print(&mut self, entries: &[(&Entry<'_>, Request<'_>)]) -> Result<(), Failure> {
        let snaps = self.logs.snaps();
        if !self.args.output.is_text() {
            return self.print_json(entries, &snaps);
        }
        self.head()?;
        for (file, range) in files(self.wal) {
            let text = file_text(file, range);
            self.out.line(&text)?;
        }
        for name in self.logs.others() {
            let name = key_text(name.as_bytes());
            self.out
                .line(&format!("{name}  not read: no file of the log"))?;
        }
        for (name, snap) in &snaps {
            let name = key_text(name.as_bytes());
            self.out.line(&format!("{name}  {}", snap_text(snap)))?;
            // In a data directory each snapshot contains the same keys, so they are shown for a single file only.
            if let Ok(snap) = snap
                && snaps.len() == 1
            {
                self.v2_keys(snap)?;
            }
        }
        if !entries.is_empty() {
            writeln!(self.out)?;
            let revision = "REVISION";
            let head = format!(
                "{:>8}  {:>4}  {:<11}  {revision:>8}  REQUEST",
                "INDEX", "TERM", "STATE"
            );
            let header = self.out.style().header;
            writeln!(
                self.out.clipped(),
                "{}{head}{}",
                header.before,
                header.after
            )?;
        }
        for (entry, request) in entries {
            self.entry(entry, request)?;
        }
        if let Some((until, why)) = self.revisions.known.stopped {
            report::note(&format!(
                "revisions are certain up to entry {until}: after it {why}"
            ));
        }
        Ok(())
    }

    /// The keys of the v2 store in a raft snapshot.
    fn v2_keys(&mut self, snap: &Snap) -> Result<(), Failure> {
        let keys = snap.store.as_ref().map_or(&[][..], |store| &store.keys);
        if keys.is_empty() {
            return Ok(());
        }
        let masked: Vec<V2Key> = keys.iter().map(|key| self.masked(key)).collect();
        let masked: Vec<&V2Key> = masked.iter().collect();
        writeln!(self.out)?;
        self.out.table(&v2_store::table(&masked))?;
        Ok(())
    }

    /// A key of a v2 store, whose value is masked if it is that of a Secret.
    fn masked(&mut self, key: &V2Key) -> V2Key {
        let value = key.value.as_ref().map(|value| {
            let is_secret = is_secret_key(key.path.as_bytes());
            let mask = is_secret.then(|| self.masker.mask_bytes(value.as_bytes()));
            mask.flatten().unwrap_or_else(|| value.clone())
        });
        V2Key {
            value,
            ..key.clone()
        }
    }

    fn head(&mut self) -> Result<(), Failure> {
        if self.wal.files.is_empty() {
            return Ok(());
        }
        let metadata = self.wal.metadata.unwrap_or_default();
        let state = self.wal.hard_state;
        let head = format!(
            "member {:x} of cluster {:x}, term {}, vote {:x}, commit {}",
            metadata.node_id, metadata.cluster_id, state.term, state.vote, state.commit
        );
        self.out.parts(&[AnswerPart::line(head)])?;
        let count = |state| {
            self.wal
                .entries
                .iter()
                .filter(|entry| entry.state == state)
                .count()
        };
        let mut parts = Vec::new();
        for state in [State::Committed, State::Uncommitted, State::Replaced] {
            match count(state) {
                0 => {}
                count => parts.push(format!("{count} {}", state.as_str())),
            }
        }
        let in_database = match self.revisions.in_database {
            Some(index) => format!("; the database beside it has all up to {index}"),
            None => String::new(),
        };
        let parts = if parts.is_empty() {
            "none".to_owned()
        } else {
            parts.join(", ")
        };
        let entries = format!("entries: {parts}{in_database}");
        self.out.parts(&[AnswerPart::line(entries)])?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>, request: &Request<'_>) -> Result<(), Failure> {
        let applied = self.revisions.known.applied(entry);
        let revision = match applied {
            Some(applied) => applied
                .main
                .map_or_else(|| "none".to_owned(), |main| main.to_string()),
            None => "-".to_owned(),
        };
        let failed = match applied.and_then(|applied| applied.succeeded) {
            Some(false) => "  [else]",
            _ => "",
        };
        let user = view::user(request).map_or_else(String::new, |user| format!("  by {user}"));
        let masker = &mut self.masker;
        let text = view::sentence(request, &mut |secret| masker.mask_bytes(secret));
        let checksum = match entry.checksum.as_str() {
            "right" => String::new(),
            other => format!("  [checksum {other}]"),
        };
        self.out.line(&format!(
            "{:>8}  {:>4}  {:<11}  {revision:>8}  {text}{user}{failed}{checksum}",
            entry.index,
            entry.term,
            entry.state.as_str()
        ))?;
        if self.args.values {
            for (_, change) in writes::changes(request) {
                if let writes::Change::Put(put) = change {
                    self.value(put.key, put.value)?;
                }
            }
        }
        Ok(())
    }

    /// Prints a value as YAML, or as it is stored if it is no object.
    fn value(&mut self, key: &[u8], value: &[u8]) -> Result<(), Failure> {
        let text = match self.tree(key, value) {
            Ok(tree) => {
                let mut writer = YamlWriter::new(Vec::new());
                write_value(&tree, Order::Natural, &mut writer);
                writer.finish().unwrap_or_default()
            }
            Err(text) => text.into_bytes(),
        };
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        for line in text.split(|byte| *byte == b'\n') {
            self.out.write_all(&[b"    ", line, b"\n"].concat())?;
        }
        Ok(())
    }

    /// The tree of a value, its secrets masked. Otherwise the text that is shown in its place.
    fn tree(&mut self, key: &[u8], value: &[u8]) -> Result<Value, String> {
        let opened = self
            .keyring
            .decrypt(key, value)
            .map_err(|error| format!("({error})"))?;
        let secret = is_secret_key(key);
        match self.masker.tree_of(&opened, secret) {
            Ok(tree) => Ok(self.masker.mask(&tree, secret).into_owned()),
            // It cannot be decoded, so any of its bytes may be secret.
            Err(error) => Err(match self.masker.mask_bytes(&opened) {
                Some(mask) => format!("{mask} ({})", error.text_of(key)),
                None => String::from_utf8_lossy(&opened).into_owned(),
            }),
        }
    }

    fn print_json(
        &mut self,
        entries: &[(&Entry<'_>, Request<'_>)],
        snaps: &[(String, Result<Snap, SnapError>)],
    ) -> Result<(), Failure> {
        let mut rows = JsonRows::new(Form::array_if(self.args.output == Output::Json));
        if !self.wal.files.is_empty() {
            rows.row(&log_json(self.wal, self.revisions), self.out)?;
        }
        for (file, range) in files(self.wal) {
            rows.row(&file_json(file, range), self.out)?;
        }
        for (name, snap) in snaps {
            let mut row = snap_json(name, snap);
            let store = snap.as_ref().ok().and_then(|snap| snap.store.as_ref().ok());
            if let (Some(store), Some(fields)) = (store, row.as_object_mut()) {
                let keys = store.keys.iter().map(|key| self.masked(key));
                let keys = keys.map(|key| v2_store::json(&key, key.value.as_deref()));
                fields.insert("v2_keys".to_owned(), keys.collect());
            }
            rows.row(&row, self.out)?;
        }
        for (entry, request) in entries {
            let line = self.entry_json(entry, request);
            rows.row(&line, self.out)?;
        }
        rows.finish(self.out)?;
        Ok(())
    }

    fn entry_json(&mut self, entry: &Entry<'_>, request: &Request<'_>) -> Value {
        let mut fields = Map::new();
        let mut put = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
        put("type", "entry".into());
        put("index", entry.index.into());
        put("term", entry.term.into());
        put("state", entry.state.as_str().into());
        put("checksum", entry.checksum.as_str().into());
        let file = self
            .wal
            .files
            .get(entry.segment)
            .map(|file| file.name.clone());
        put("file", file.unwrap_or_default().into());
        put("offset", entry.offset.into());
        if let Some(applied) = self.revisions.known.applied(entry) {
            put("revision", applied.main.into());
            if self.revisions.contradictions.contains(entry) {
                put("contradicts_database", true.into());
            }
            if let Some(succeeded) = applied.succeeded {
                put("succeeded", succeeded.into());
            }
        }
        put("request", view::kind(request).into());
        if let Request::Internal(internal) = request {
            let header = internal.header.as_ref();
            let id = header.map_or(internal.id, |header| header.id);
            put("request_id", format!("{id:016x}").into());
        }
        if let Some(user) = view::user(request) {
            put("user", user.into());
        }
        let values = self.args.values;
        let mut puts: Vec<Map<String, Value>> = Vec::new();
        if values {
            for (_, change) in writes::changes(request) {
                if let writes::Change::Put(put) = change {
                    puts.push(self.value_json(put.key, put.value));
                }
            }
        }
        let mut puts = puts.into_iter();
        let masker = &mut self.masker;
        let body = view::request_json(
            request,
            &mut |secret| masker.mask_bytes(secret),
            &mut |is_put, fields| {
                if is_put && let Some(of_put) = puts.next() {
                    fields.extend(of_put);
                }
            },
        );
        if !body.is_null() {
            fields.insert("message".to_owned(), body);
        }
        Value::Object(fields)
    }

    fn value_json(&mut self, key: &[u8], value: &[u8]) -> Map<String, Value> {
        let mut fields = Map::new();
        match self.tree(key, value) {
            Ok(tree) if tree.is_object() => drop(fields.insert("object".to_owned(), tree)),
            _ => match self.masker.mask_bytes(value).filter(|_| is_secret_key(key)) {
                Some(mask) => drop(fields.insert("value".to_owned(), mask.into())),
                None => insert_text(&mut fields, "value", value),
            },
        }
        fields
    }
}

/// The files of a log, each with the first and the last index in it.
fn files<'w, 'a>(
    wal: &'w Wal<'a>,
) -> impl Iterator<Item = (&'w SegmentFile<'a>, Option<(u64, u64)>)> {
    let mut ranges: Vec<Option<(u64, u64)>> = vec![None; wal.files.len()];
    for entry in &wal.entries {
        if let Some(range) = ranges.get_mut(entry.segment) {
            let (first, last) = range.unwrap_or((entry.index, entry.index));
            *range = Some((first.min(entry.index), last.max(entry.index)));
        }
    }
    wal.files.iter().zip(ranges)
}

fn file_text(file: &SegmentFile<'_>, range: Option<(u64, u64)>) -> String {
    let records = plural(file.segment.records.len(), "record", "records");
    let entries = match range {
        Some((first, last)) => format!("entries {first} to {last}"),
        None => "no entries".to_owned(),
    };
    let wrong = file.segment.faults.len();
    let faults = match wrong {
        0 => "checksums right".to_owned(),
        wrong => plural(wrong, "fault", "faults"),
    };
    format!(
        "{}  {} of {} bytes used, {records}, {entries}, {faults}",
        key_text(file.name.as_bytes()),
        file.segment.used_bytes,
        file.len_bytes
    )
}

fn snap_text(snap: &Result<Snap, SnapError>) -> String {
    let snap = match snap {
        Ok(snap) => snap,
        Err(error) => return format!("cannot be read: {error}"),
    };
    let ids = |ids: &[u64]| {
        let ids: Vec<String> = ids.iter().map(|id| format!("{id:x}")).collect();
        ids.join(" ")
    };
    let mut text = format!(
        "up to entry {} of term {}, voters {}",
        snap.index,
        snap.term,
        ids(&snap.voters)
    );
    if !snap.learners.is_empty() {
        text.push_str(", learners ");
        text.push_str(&ids(&snap.learners));
    }
    match &snap.store {
        Ok(store) => {
            for (id, member) in &store.members {
                let name = key_text(member.name.as_bytes()).into_owned();
                text.push_str(&format!(
                    ", member {} {name} {}",
                    key_text(id.as_bytes()),
                    member.peer_urls.join(" ")
                ));
            }
            if !store.removed.is_empty() {
                text.push_str(&format!(
                    ", removed {}",
                    key_text(store.removed.join(" ").as_bytes())
                ));
            }
            if !store.keys.is_empty() {
                text.push_str(&format!(
                    ", {} of the v2 store",
                    plural(store.keys.len(), "key", "keys")
                ));
            }
        }
        Err(why) => text.push_str(&format!(", {why}")),
    }
    text
}

fn log_json(wal: &Wal<'_>, revisions: &Revisions) -> Value {
    let metadata = wal.metadata.unwrap_or_default();
    let state = wal.hard_state;
    let marks: Vec<Value> = wal
        .snapshots
        .iter()
        .map(|mark| json!({"index": mark.index, "term": mark.term}))
        .collect();
    let mut json = json!({
        "type": "log",
        "member_id": format!("{:x}", metadata.node_id),
        "cluster_id": format!("{:x}", metadata.cluster_id),
        "term": state.term,
        "vote": format!("{:x}", state.vote),
        "commit": state.commit,
        "snapshots": marks,
    });
    if let (Some(index), Some(fields)) = (revisions.in_database, json.as_object_mut()) {
        fields.insert("consistent_index".to_owned(), index.into());
    }
    json
}

fn file_json(file: &SegmentFile<'_>, range: Option<(u64, u64)>) -> Value {
    json!({
        "type": "file",
        "name": file.name,
        "len_bytes": file.len_bytes,
        "used_bytes": file.segment.used_bytes,
        "records": file.segment.records.len(),
        "first_index": range.map(|range| range.0),
        "last_index": range.map(|range| range.1),
        "faults": file.segment.faults.len(),
    })
}

fn snap_json(name: &str, snap: &Result<Snap, SnapError>) -> Value {
    let ids = |ids: &[u64]| {
        ids.iter()
            .map(|id| Value::from(format!("{id:x}")))
            .collect::<Vec<_>>()
    };
    let snap = match snap {
        Ok(snap) => snap,
        Err(error) => return json!({"type": "snap", "name": name, "error": error.to_string()}),
    };
    let mut json = json!({
        "type": "snap",
        "name": name,
        "index": snap.index,
        "term": snap.term,
        "voters": ids(&snap.voters),
        "learners": ids(&snap.learners),
    });
    let Some(fields) = json.as_object_mut() else {
        return json;
    };
    match &snap.store {
        Ok(store) => {
            let members = store.members.iter().map(|(id, member)| {
                json!({
                    "id": id,
                    "name": member.name,
                    "peer_urls": member.peer_urls,
                    "client_urls": member.client_urls,
                })
            });
            fields.insert("members".to_owned(), members.collect());
            fields.insert("removed_members".to_owned(), json!(store.removed));
            fields.insert(
                "cluster_version".to_owned(),
                store.cluster_version.clone().into(),
            );
        }
        Err(why) => drop(fields.insert("error".to_owned(), why.clone().into())),
    }
    json
}
