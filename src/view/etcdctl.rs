//! The texts of `etcdctl get` and `etcdctl watch` of etcd 3.6, in three of its formats
//! (`etcdctl/ctlv3/command/printer_*.go`; the field names of its JSON are those of `api/etcdserverpb/rpc.pb.go`
//! and `api/mvccpb/kv.pb.go`).
//!
//! Of a response's header a file knows the revision alone. The ids of cluster and member and the raft
//! term are the answering server's: in JSON they are absent, as etcd leaves out whatever is 0; as
//! fields they are 0.

use std::io::{self, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::etcd::{KeyEntry, KeyValue, Record};

use crate::go::quote::quote_into;

/// What `-w` chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Key and value, a line each.
    Simple,
    /// One JSON object a response.
    Json,
    /// A line for each field.
    Fields,
}

/// What `etcdctl get` was answered.
#[derive(Debug)]
pub struct GetResponse<'r, 'a> {
    /// The store's newest revision, whichever was asked for.
    pub revision: i64,
    /// The keys, in the order asked for.
    pub kvs: Vec<&'r KeyEntry<'a>>,
    /// Whether the keys are without their values.
    pub keys_only: bool,
    /// Whether a limit left out keys.
    pub more: bool,
    /// How many keys are in the range, whatever was left out.
    pub count: usize,
}

impl GetResponse<'_, '_> {
    /// Writes it as etcdctl prints it. `value_only` is `--print-value-only`, which only the simple
    /// format knows.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn write(&self, format: Format, value_only: bool, out: &mut impl Write) -> io::Result<()> {
        // The key is the index's copy: the one in the map would bring in its page.
        let kvs = self.kvs.iter().map(|entry| {
            let kv = kv_of(&entry.record);
            let value = if self.keys_only { b"" } else { kv.value };
            let key = &*entry.key;
            KeyValue { key, value, ..kv }
        });
        match format {
            Format::Simple => {
                for kv in kvs {
                    write_simple(&kv, value_only, out)?;
                }
            }
            Format::Json => {
                write!(out, "{{\"header\":{}", header_json(self.revision))?;
                for (index, kv) in kvs.enumerate() {
                    out.write_all(if index == 0 { b",\"kvs\":[" } else { b"," })?;
                    write_json(&kv, out)?;
                }
                if !self.kvs.is_empty() {
                    out.write_all(b"]")?;
                }
                if self.more {
                    out.write_all(b",\"more\":true")?;
                }
                if self.count > 0 {
                    write!(out, ",\"count\":{}", self.count)?;
                }
                out.write_all(b"}\n")?;
            }
            Format::Fields => {
                write_header_fields(self.revision, out)?;
                for kv in kvs {
                    write_fields("", &kv, out)?;
                }
                let Self { more, count, .. } = self;
                write!(out, "\"More\" : {more}\n\"Count\" : {count}\n")?;
            }
        }
        Ok(())
    }
}

/// One event of a watch: the record, and the put before it where it was asked for and is known.
#[derive(Debug, Clone, Copy)]
pub struct WatchEvent<'r, 'a> {
    /// The put or the deletion.
    pub record: &'r Record<'a>,
    /// The key's value before it.
    pub previous: Option<&'r Record<'a>>,
}

/// Revisions that a server sends in one response to a watch that has to catch up
/// (`watchBatchMaxRevs` in `server/storage/mvcc/watcher_group.go`).
const BATCH_REVISIONS: usize = 1000;

/// Writes the events of a watch as etcdctl prints the responses they come in.
#[derive(Debug)]
pub struct WatchWriter<W: Write> {
    out: W,
    format: Format,
    /// The store's newest revision, which is in every header.
    revision: i64,
    /// Main revisions in the response that is being written; 0 for none.
    revisions: usize,
    last_main: i64,
}

impl<W: Write> WatchWriter<W> {
    /// A writer for a store of this revision.
    pub fn new(out: W, format: Format, revision: i64) -> Self {
        Self {
            out,
            format,
            revision,
            revisions: 0,
            last_main: 0,
        }
    }

    /// Writes one event; they come in the order of writing.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn event(&mut self, event: WatchEvent<'_, '_>) -> io::Result<()> {
        let is_first = self.enter_response(event.record.revision.main)?;
        let kv = kv_of(event.record);
        let previous = event.previous.map(kv_of);
        let out = &mut self.out;
        match self.format {
            Format::Simple => {
                writeln!(out, "{}", type_text(event.record))?;
                if let Some(previous) = &previous {
                    write_simple(previous, false, out)?;
                }
                write_simple(&kv, false, out)
            }
            Format::Json => {
                out.write_all(if is_first { b"{" } else { b",{" })?;
                if event.record.tombstone {
                    out.write_all(b"\"type\":1,")?;
                }
                out.write_all(b"\"kv\":")?;
                write_json(&kv, out)?;
                if let Some(previous) = &previous {
                    out.write_all(b",\"prev_kv\":")?;
                    write_json(previous, out)?;
                }
                out.write_all(b"}")
            }
            Format::Fields => {
                writeln!(out, "\"Type\" : {}", type_text(event.record))?;
                if let Some(previous) = &previous {
                    write_fields("Prev", previous, out)?;
                }
                write_fields("", &kv, out)
            }
        }
    }

    /// Ends the last response.
    ///
    /// # Errors
    /// Those of the destination.
    pub fn finish(mut self) -> io::Result<()> {
        self.end_response()
    }

    /// Begins the response that an event of this revision is in, unless it is being written; whether
    /// the event is the first in it. A response never parts a revision.
    fn enter_response(&mut self, main: i64) -> io::Result<bool> {
        let is_next_revision = self.revisions > 0 && main != self.last_main;
        self.last_main = main;
        if is_next_revision && self.revisions >= BATCH_REVISIONS {
            self.end_response()?;
        } else if self.revisions > 0 {
            self.revisions = self.revisions.saturating_add(usize::from(is_next_revision));
            return Ok(false);
        }
        self.revisions = 1;
        begin_watch_response(self.format, self.revision, &mut self.out)?;
        Ok(true)
    }

    fn end_response(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.revisions) == 0 {
            return Ok(());
        }
        end_watch_response(self.format, &mut self.out)
    }
}

/// Writes what etcdctl prints of a watch that a server cancels, because of a compaction to a revision or
/// because the request has no meaning; the sentence about it is on standard error.
///
/// # Errors
/// Those of the destination.
pub fn write_watch_canceled(
    format: Format,
    compact_revision: Option<i64>,
    out: &mut impl Write,
) -> io::Result<()> {
    // The header of such a response is without a revision.
    match format {
        Format::Simple => Ok(()),
        Format::Fields => write_header_fields(0, out),
        Format::Json => {
            let (events, revision) =
                compact_revision.map_or(("null", 0), |revision| ("[]", revision));
            writeln!(
                out,
                "{{\"Header\":{},\"Events\":{events},\"CompactRevision\":{revision},\"Canceled\":true,\"Created\":false}}",
                header_json(0)
            )
        }
    }
}

fn begin_watch_response(format: Format, revision: i64, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Simple => Ok(()),
        Format::Json => write!(out, "{{\"Header\":{},\"Events\":[", header_json(revision)),
        Format::Fields => write_header_fields(revision, out),
    }
}

fn end_watch_response(format: Format, out: &mut impl Write) -> io::Result<()> {
    if format != Format::Json {
        return Ok(());
    }
    out.write_all(b"],\"CompactRevision\":0,\"Canceled\":false,\"Created\":false}\n")
}

/// mvccpb.KeyValue as etcd sends it: a deletion has its key, and as mod_revision the revision of the deletion.
fn kv_of<'a>(record: &Record<'a>) -> KeyValue<'a> {
    if record.tombstone {
        return KeyValue {
            key: record.key,
            mod_revision: record.revision.main,
            ..KeyValue::default()
        };
    }
    record.key_value()
}

fn type_text(record: &Record<'_>) -> &'static str {
    if record.tombstone { "DELETE" } else { "PUT" }
}

fn write_simple(kv: &KeyValue<'_>, value_only: bool, out: &mut impl Write) -> io::Result<()> {
    if !value_only {
        out.write_all(kv.key)?;
        out.write_all(b"\n")?;
    }
    out.write_all(kv.value)?;
    out.write_all(b"\n")
}

/// proto3 in Go's JSON: what is 0 or empty is left out.
fn write_json(kv: &KeyValue<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut separator = '{';
    let mut name = |name: &str| {
        let text = format!("{separator}\"{name}\":");
        separator = ',';
        text
    };
    let numbers = [
        ("create_revision", kv.create_revision),
        ("mod_revision", kv.mod_revision),
        ("version", kv.version),
    ];
    let mut text = String::new();
    if !kv.key.is_empty() {
        text += &format!("{}\"{}\"", name("key"), STANDARD.encode(kv.key));
    }
    for (field, number) in numbers.into_iter().filter(|(_, number)| *number != 0) {
        text += &format!("{}{number}", name(field));
    }
    if !kv.value.is_empty() {
        text += &name("value");
        text.push('"');
        STANDARD.encode_string(kv.value, &mut text);
        text.push('"');
    }
    if kv.lease != 0 {
        text += &format!("{}{}", name("lease"), kv.lease);
    }
    if text.is_empty() {
        text.push('{');
    }
    text.push('}');
    out.write_all(text.as_bytes())
}

fn write_fields(prefix: &str, kv: &KeyValue<'_>, out: &mut impl Write) -> io::Result<()> {
    let KeyValue {
        create_revision,
        mod_revision,
        version,
        lease,
        ..
    } = kv;
    let mut text = format!("\"{prefix}Key\" : ").into_bytes();
    quote_into(kv.key, &mut text);
    write!(
        text,
        "\n\"{prefix}CreateRevision\" : {create_revision}\n\"{prefix}ModRevision\" : {mod_revision}\n\"{prefix}Version\" : {version}\n\"{prefix}Value\" : "
    )?;
    quote_into(kv.value, &mut text);
    write!(text, "\n\"{prefix}Lease\" : {lease}\n")?;
    out.write_all(&text)
}

fn header_json(revision: i64) -> String {
    if revision == 0 {
        return "{}".to_owned();
    }
    format!("{{\"revision\":{revision}}}")
}

fn write_header_fields(revision: i64, out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"\"ClusterID\" : 0\n\"MemberID\" : 0\n")?;
    if revision > 0 {
        writeln!(out, "\"Revision\" : {revision}")?;
    }
    out.write_all(b"\"RaftTerm\" : 0\n")
}
