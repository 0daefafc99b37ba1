//! `wal --style etcd-dump-logs`: what that program prints, by reading as etcd itself does (`server/storage/wal/wal.go`,
//! `ReadAll`): from the file that holds the index to begin with, up to the first record that etcd does not take.

use std::io::Write;

use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::report;
use crate::query::logs::{
    Checksum, Entry, Fault, File, HardState, Logs, Message, Metadata, RaftEntry, RaftHardState,
    Record, RecordType, Segment, Snap, SnapshotMark, WalMetadata, WalSnapshot, wire,
};
use crate::view::dump_logs::{self, EntryType, Release};

/// Its arguments.
#[derive(Debug)]
pub struct Style<'s> {
    /// Which release's output.
    pub release: Release,
    /// `-start-index`.
    pub start_index: Option<u64>,
    /// `-end-index`: the first index that is not printed.
    pub end_index: Option<u64>,
    /// `-entry-type`.
    pub entry_type: &'s str,
}

/// Where etcd's reader ends in a file.
enum End {
    /// It goes on with the next file.
    File,
    /// It takes what it has.
    Torn(String),
    /// It takes nothing.
    Failed(String),
}

/// Prints records one by one, whatever they are: `-raw`.
pub fn raw(logs: &Logs, style: &Style<'_>, out: &mut Out) -> Result<(), Failure> {
    let from = style.start_index.unwrap_or_default();
    for file in logs.files() {
        let segment = Segment::read(file.bytes, None);
        let (records, end) = taken(&segment, &file, true);
        for record in records {
            if let Some(line) = raw_line(record, from, style.end_index.unwrap_or(u64::MAX)) {
                out.write_all(&line)?;
                out.write_all(b"\n")?;
            }
        }
        match end {
            End::File => {}
            End::Torn(why) => {
                writeln!(
                    out,
                    "ErrUnexpectedEOF: The last record might be corrupted, error: {why}."
                )?;
                return Ok(());
            }
            End::Failed(why) => {
                report::note(&format!("Error: Reading failed: {why}"));
                return Ok(());
            }
        }
    }
    writeln!(out, "EOF: All entries were processed.")?;
    Ok(())
}

fn raw_line(record: &Record<'_>, from: u64, until: u64) -> Option<Vec<u8>> {
    let is_asked = |index: u64| (from..until).contains(&index);
    match record.record_type {
        RecordType::Metadata => {
            let metadata: WalMetadata<'_> = wire::read(record.data).ok()?;
            Some(message_line(&metadata))
        }
        RecordType::Entry => {
            let entry: RaftEntry<'_> = wire::read(record.data).ok()?;
            is_asked(entry.index).then(|| message_line(&entry))
        }
        RecordType::State => {
            let state: RaftHardState<'_> = wire::read(record.data).ok()?;
            is_asked(state.commit).then(|| message_line(&state))
        }
        RecordType::Snapshot => {
            let mark: WalSnapshot<'_> = wire::read(record.data).ok()?;
            is_asked(mark.index).then(|| message_line(&mark))
        }
        RecordType::Crc => Some(format!("CRC: {}", record.crc).into_bytes()),
        RecordType::Unknown(_) => None,
    }
}

fn message_line(message: &dyn Message<'_>) -> Vec<u8> {
    let mut line = format!("{}: ", message.name()).into_bytes();
    dump_logs::message(&mut line, message);
    line
}

/// The records of a file up to the first that etcd does not take, and how it ends there.
fn taken<'s, 'a>(
    segment: &'s Segment<'a>,
    file: &File<'_>,
    goes_on_after_checksum: bool,
) -> (&'s [Record<'a>], End) {
    let mut end = End::File;
    let mut at = u64::MAX;
    for fault in &segment.faults {
        let (offset, this) = match fault {
            Fault::Torn { offset } => (*offset, End::Torn("unexpected EOF".to_owned())),
            Fault::Frame {
                offset,
                is_cut: true,
                ..
            } => (*offset, End::Torn("unexpected EOF".to_owned())),
            Fault::Frame { offset, what, .. } if what.starts_with("zeros") => (*offset, End::File),
            Fault::Frame { offset, what, .. } => (*offset, End::Failed(what.clone())),
            Fault::Checksum { .. } if goes_on_after_checksum => continue,
            Fault::Checksum { offset, .. } if is_torn(segment, file, *offset) => {
                (*offset, End::Torn("unexpected EOF".to_owned()))
            }
            Fault::Checksum { offset, .. } => (
                *offset,
                End::Failed(format!(
                    "walpb: crc mismatch: in file '{}' at position: {offset}",
                    file.name
                )),
            ),
            Fault::Type { .. } => continue,
        };
        if offset < at {
            (at, end) = (offset, this);
        }
    }
    let count = segment.records.partition_point(|record| record.offset < at);
    (segment.records.get(..count).unwrap_or_default(), end)
}

/// How etcd recognises a record that was not written to its end: a sector of it is all zeros.
fn is_torn(segment: &Segment<'_>, file: &File<'_>, offset: u64) -> bool {
    const SECTOR: u64 = 512;
    let Some(record) = segment
        .records
        .iter()
        .find(|record| record.offset == offset)
    else {
        return false;
    };
    let (mut at, end) = (
        offset.saturating_add(8),
        offset.saturating_add(record.frame_bytes),
    );
    while at < end {
        let next = (at / SECTOR)
            .saturating_add(1)
            .saturating_mul(SECTOR)
            .min(end);
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let sector = file.bytes.get(place(at)..place(next)).unwrap_or_default();
        if sector.iter().all(|byte| *byte == 0) {
            return true;
        }
        at = next;
    }
    false
}

/// Prints the entries as that program lists them.
pub fn list(logs: &Logs, style: &Style<'_>, out: &mut Out) -> Result<(), Failure> {
    let (start, start_term) = begin(logs, style, out)?;
    let mut read = ReadAll {
        start,
        start_term,
        ..ReadAll::default()
    };
    read.files(logs)?;
    if !read.found_mark && style.start_index.is_none() {
        return Err(failed("wal: snapshot not found"));
    }
    let (metadata, state) = (read.metadata.unwrap_or_default(), read.state);
    writeln!(
        out,
        "WAL metadata:\nnodeID={:x} clusterID={:x} term={} commitIndex={} vote={:x}",
        metadata.node_id, metadata.cluster_id, state.term, state.commit, state.vote
    )?;
    let until = style.end_index.unwrap_or(u64::MAX);
    let entries: Vec<Entry<'_>> = read
        .entries
        .into_iter()
        .filter(|entry| entry.index < until)
        .collect();
    match style.release {
        Release::V3_5 => writeln!(out, "WAL entries:")?,
        Release::V3_6 => writeln!(out, "WAL entries: {}", entries.len())?,
    }
    if let Some(last) = entries.last() {
        writeln!(out, "lastIndex={}", last.index)?;
    }
    writeln!(out, "{:>4}\t{:>10}\ttype\tdata", "term", "index")?;
    let types: Vec<EntryType> = style
        .entry_type
        .split(',')
        .filter_map(EntryType::of)
        .collect();
    let mut count = 0_u64;
    for entry in &entries {
        let request = entry.request();
        if types.iter().any(|one| one.passes(entry, &request)) {
            count = count.saturating_add(1);
            out.write_all(&dump_logs::entry(entry, &request, style.release))?;
            out.write_all(b"\n")?;
        }
    }
    writeln!(
        out,
        "\nEntry types ({}) count is : {count}",
        style.entry_type
    )?;
    Ok(())
}

/// The index and term after which the output begins.
fn begin(logs: &Logs, style: &Style<'_>, out: &mut Out) -> Result<(u64, u64), Failure> {
    if let Some(index) = style.start_index {
        writeln!(out, "Start dumping log entries from index {index}.")?;
        return Ok((index, 0));
    }
    let snap = logs.newest_snap().map(|(_, snap)| snap);
    match &snap {
        Some(snap) => {
            let voters: Vec<String> = snap.voters.iter().map(|id| format!("{id:x}")).collect();
            writeln!(
                out,
                "Snapshot:\nterm={} index={} nodes=[{}] confstate={}",
                snap.term,
                snap.index,
                voters.join(" "),
                conf_state(snap)
            )?;
        }
        None => writeln!(out, "Snapshot:\nempty")?,
    }
    writeln!(out, "Start dumping log entries from snapshot.")?;
    Ok(snap.map_or((0, 0), |snap| (snap.index, snap.term)))
}

fn conf_state(snap: &Snap) -> String {
    let list = |name: &str, ids: &[u64]| match ids {
        [] => String::new(),
        ids => {
            let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
            format!("\"{name}\":[{}],", ids.join(","))
        }
    };
    format!(
        "{{{}{}\"auto_leave\":{}}}",
        list("voters", &snap.voters),
        list("learners", &snap.learners),
        snap.auto_leave
    )
}

/// What etcd's reader makes of a log.
#[derive(Default)]
struct ReadAll<'a> {
    start: u64,
    start_term: u64,
    entries: Vec<Entry<'a>>,
    state: HardState,
    metadata: Option<Metadata>,
    found_mark: bool,
}

fn failed(why: &str) -> Failure {
    Failure::cannot(format!("Failed reading WAL: {why}")).hint(
        "without `--style`, everything that can be read is shown, before and after the damage",
    )
}

impl<'a> ReadAll<'a> {
    fn files(&mut self, logs: &'a Logs) -> Result<(), Failure> {
        let files = logs.files();
        let holds = |file: &File<'_>| file.first_index.is_none_or(|first| first <= self.start);
        let first = files.iter().rposition(holds);
        let Some(first) = first else {
            return Err(Failure::cannot("Failed opening WAL: wal: file not found"));
        };
        let mut running = None;
        for (place, file) in files.iter().enumerate().skip(first) {
            let segment = Segment::read(file.bytes, running);
            running = segment.running();
            let (records, end) = taken(&segment, file, false);
            for record in records {
                self.take(record, place)?;
            }
            match end {
                End::File => {}
                End::Torn(_) => return Ok(()),
                End::Failed(why) => return Err(failed(&why)),
            }
        }
        Ok(())
    }

    fn take(&mut self, record: &Record<'a>, segment: usize) -> Result<(), Failure> {
        let unreadable = |_| failed("a record that cannot be read");
        match record.record_type {
            RecordType::Entry => {
                let entry = Entry::read(record, segment).map_err(unreadable)?;
                if let Some(place) = entry
                    .index
                    .checked_sub(self.start)
                    .and_then(|n| n.checked_sub(1))
                {
                    let place = usize::try_from(place).unwrap_or(usize::MAX);
                    if place > self.entries.len() {
                        return Err(failed("wal: slice bounds out of range"));
                    }
                    self.entries.truncate(place);
                    self.entries.push(entry);
                }
            }
            RecordType::State => {
                self.state = HardState::read(record.data).map_err(unreadable)?;
            }
            RecordType::Metadata => {
                let metadata = Metadata::read(record.data).map_err(unreadable)?;
                if self.metadata.is_some_and(|known| known != metadata) {
                    return Err(failed("wal: conflicting metadata found"));
                }
                self.metadata = Some(metadata);
            }
            RecordType::Snapshot => {
                let mark = SnapshotMark::read(record.data).map_err(unreadable)?;
                if mark.index == self.start {
                    if mark.term != self.start_term {
                        return Err(failed("wal: snapshot mismatch"));
                    }
                    self.found_mark = true;
                }
            }
            RecordType::Crc if record.checksum == Checksum::Wrong => {
                return Err(failed("wal: crc mismatch"));
            }
            RecordType::Crc => {}
            RecordType::Unknown(number) => {
                return Err(failed(&format!("unexpected block type {number}")));
            }
        }
        Ok(())
    }
}
