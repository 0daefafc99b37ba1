//! A finished restore as text: what was written, what is missing, and what to do next. Refusals are in [`refusal`].

pub mod directory;
mod log;
pub mod refusal;
pub mod report;

use std::path::Path;

use crate::named::key_text;
use crate::query::log_beside::LogBeside;
use crate::query::logs::HashedFile;
use crate::query::restore::{
    History, Likely, LossEffect, LossReason, LostRange, MissingRecord, Restore, TtlSource, Verified,
};

use directory::Directory;

use super::answer_part::AnswerPart;
use super::command::quoted;
use super::evidence::hex;
use super::human::{bytes, plural};
use super::rows::Rows;
use super::style::Paint;
use super::time;
use crate::k8s::wall_clock::Bounds;

/// How many missing records and ranges are listed for people; the report has all of them.
const LISTED: usize = 20;

/// How far the proposed bump raises the revision of a Kubernetes store above the newest known one. Clients may have
/// seen later revisions, and how many is often not known.
const BUMP: i64 = 1_000_000;

/// A restore that was written.
pub struct Written<'w, 'a> {
    /// What was decided.
    pub restore: &'w Restore<'w, 'a>,
    /// What was read back.
    pub verified: Verified,
    /// The new file.
    pub file: &'w Path,
    /// The report beside it.
    pub report: &'w Path,
    /// Whether the store has objects of Kubernetes.
    pub is_kubernetes: bool,
    /// The members, if data directories were written.
    pub directory: Option<&'w Directory>,
    /// A log next to the database that was not read, although it has later entries.
    pub beside: Option<LogBeside>,
    /// The files of the log that was read.
    pub log_files: Vec<HashedFile>,
}

/// A range of revisions as words.
#[must_use]
pub fn range_text(range: &LostRange) -> String {
    match range.until {
        Some(until) if until == range.from => format!("revision {}", range.from),
        Some(until) => format!("from revision {} up to {until}, not included", range.from),
        None => format!("from revision {} on", range.from),
    }
}

/// What shows that a range is lost.
#[must_use]
pub fn reason_text(reason: LossReason) -> &'static str {
    match reason {
        LossReason::Page => "a page cannot be read",
        LossReason::Numbers => "revision numbers are missing",
        LossReason::Key => "the records of a key contradict each other",
    }
}

/// What a missing record changes.
#[must_use]
pub fn effect_text(effect: LossEffect) -> &'static str {
    match effect {
        LossEffect::History => "only the history of the key is incomplete",
        LossEffect::Stale => "the key has an older value",
        LossEffect::Resurrected => "the key exists although it was deleted",
        LossEffect::Absent => "the key does not exist",
    }
}

/// What a missing record was.
#[must_use]
pub fn likely_text(likely: Likely) -> &'static str {
    match likely {
        Likely::Put => "put",
        Likely::Delete => "delete",
    }
}

/// The whole answer for people.
#[must_use]
pub fn parts(written: &Written<'_, '_>) -> Vec<AnswerPart> {
    let mut parts = vec![AnswerPart::Table(facts(written))];
    parts.extend(losses(written.restore));
    parts.extend(next_steps(written));
    parts
}

/// What was written, one fact per line.
fn facts(written: &Written<'_, '_>) -> Rows {
    let restore = written.restore;
    let verified = &written.verified;
    let mut rows = Rows::new(&["RESTORED", ""], &[]).wrapped();
    let mut add = |name: &str, fact: String| rows.add(&[name, &fact]);
    let what = match written.directory {
        Some(_) => "directory",
        None => "file",
    };
    add(what, written.file.display().to_string());
    add("report", written.report.display().to_string());
    add(
        "revision",
        match restore.at == restore.newest {
            true => format!("{} (the newest)", restore.at),
            false => format!("{} (the newest is {})", restore.at, restore.newest),
        },
    );
    if let Some(asked) = &restore.time {
        let bounds = Bounds {
            not_before: asked.bounds.0,
            not_after: asked.bounds.1,
            ..Bounds::default()
        };
        add(
            "time",
            format!(
                "revision {} was written {}; revisions {} to {} fit",
                asked.at.revision,
                time::text(&bounds),
                asked.at.certain.unwrap_or(1),
                asked.at.possible
            ),
        );
    }
    add("compacted", restore.new_compacted.to_string());
    add("keys", verified.keys.to_string());
    add(
        "records",
        format!(
            "{} written, {} left out",
            verified.records, restore.survey.dropped
        ),
    );
    if restore.survey.added > 0 {
        add(
            "added",
            format!(
                "{} that the tree does not reach, or from other sources",
                plural(count(restore.survey.added), "record", "records")
            ),
        );
    }
    add(
        "hashkv",
        format!("{} (at revision {})", verified.hash_kv, verified.revision),
    );
    add("size", bytes(verified.len_bytes));
    add("sha256", hex(&verified.sha256));
    let log = restore.log.map(|log| log::facts(log, restore.at));
    let beside = written.beside.as_ref();
    let beside = beside.map(|beside| ("log", log::beside_text(beside)));
    let members = written.directory.map(directory::facts);
    let more = log.into_iter().flatten().chain(beside);
    let more = more.chain(members.into_iter().flatten());
    for (name, fact) in more.chain(changes(restore)) {
        rows.add(&[name, fact.as_str()]);
    }
    rows
}

/// A number of members with its word.
fn plural_members(count: usize) -> String {
    plural(count, "member", "members")
}

/// A number for [`plural`].
fn count(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Where the new store differs from its source, apart from records: the name of a fact, and the fact.
fn changes(restore: &Restore<'_, '_>) -> Vec<(&'static str, String)> {
    let mut changes = leases(restore);
    let dropped = &restore.dropped;
    for (alarms, name) in [
        (&dropped.no_space, "NOSPACE"),
        (&dropped.corrupt, "CORRUPT"),
    ] {
        if !alarms.is_empty() {
            changes.push(("dropped", format!("alarm {name}: the new file has no free pages, and the members of the alarm do not exist any more")));
        }
    }
    if dropped.downgrade {
        changes.push((
            "dropped",
            "the requested downgrade of the cluster".to_owned(),
        ));
    }
    if dropped.authentication {
        changes.push(("dropped", "AUTHENTICATION IS OFF: users and roles are damaged, and every client can read and write".to_owned()));
    }
    for bucket in &dropped.buckets {
        let name = key_text(bucket);
        changes.push((
            "dropped",
            format!("bucket {name}: it is damaged, and no version of etcd uses it"),
        ));
    }
    for bucket in &restore.damaged_buckets {
        changes.push((
            "damaged",
            format!("bucket {bucket}: written as far as it can be read"),
        ));
    }
    if restore.request().selects_keys() {
        changes.push(("keys", "only some keys of the source: to clients all others look deleted, without an event. The history is compacted, so watches and lists at older revisions fail and start again".to_owned()));
    } else if restore.request().history == History::None {
        changes.push((
            "history",
            "none: watches and reads at older revisions fail with \"compacted\"".to_owned(),
        ));
    }
    if restore.at < restore.newest {
        let what = match restore.has_leases_of_log() {
            true => "authentication and members",
            false => "authentication, members and current leases",
        };
        changes.push((
            "users",
            format!("{what} are those of the newest revision: their history is not stored"),
        ));
    }
    changes
}

/// The leases that were written anew.
fn leases(restore: &Restore<'_, '_>) -> Vec<(&'static str, String)> {
    let mut leases = Vec::new();
    for lease in restore.leases.iter().take(LISTED) {
        let source = match lease.source {
            TtlSource::Log => "the write-ahead log",
            TtlSource::FreedPage => "a freed page",
            TtlSource::MasterLease => "a lease of an API server",
            TtlSource::Flag => "--lease-ttl",
        };
        leases.push((
            "lease",
            format!(
                "{:016x} written anew with {} s ({source}): {}, the first is {}",
                lease.id,
                lease.ttl,
                plural(count(lease.keys), "key is attached", "keys are attached"),
                key_text(&lease.first_key)
            ),
        ));
    }
    if let Some(more) = restore
        .leases
        .len()
        .checked_sub(LISTED)
        .filter(|more| *more > 0)
    {
        leases.push(("lease", format!("and {more} more, see the report")));
    }
    leases
}

/// The losses that were accepted, for people. Empty without losses.
fn losses(restore: &Restore<'_, '_>) -> Vec<AnswerPart> {
    if restore.accepted.is_empty() {
        return Vec::new();
    }
    let mut parts = vec![AnswerPart::line(""), heading("MISSING")];
    for reason in &restore.accepted {
        parts.push(AnswerPart::line(refusal::sentence(reason)));
    }
    if restore.judged < restore.compacted {
        parts.push(AnswerPart::line(format!(
            "any key may be missing, may have an older value, or may exist although it was deleted: compaction up to {} removed records, and only some of them are left in freed pages",
            restore.compacted
        )));
    }
    let ranges: Vec<_> = restore.survey.lost_up_to(restore.judged).collect();
    if !ranges.is_empty() {
        let mut rows = Rows::new(&["REVISIONS", "BECAUSE", "EFFECT"], &[]).sentences(&[2]);
        for range in ranges.iter().take(LISTED) {
            rows.add(&[
                range_text(range).as_str(),
                reason_text(range.reason),
                "any key may have an older value, be missing, or exist although it was deleted",
            ]);
        }
        parts.push(AnswerPart::Table(rows));
    }
    let missing = &restore.survey.missing;
    if !missing.is_empty() {
        let mut rows = Rows::new(&["KEY", "LIKELY", "AT", "EFFECT"], &[]).names(&[0]);
        for record in missing.iter().take(LISTED) {
            rows.add(&[
                key_text(&record.key).as_ref(),
                likely_text(record.likely),
                place_text(record).as_str(),
                missing_effect(record).as_str(),
            ]);
        }
        parts.push(AnswerPart::Table(rows));
    }
    let more = missing.len().max(ranges.len()).saturating_sub(LISTED);
    if more > 0 {
        parts.push(AnswerPart::line(format!("and {more} more, see the report")));
    }
    if !restore.cut().is_empty() {
        let cut: Vec<String> = restore
            .cut()
            .iter()
            .take(LISTED)
            .map(i64::to_string)
            .collect();
        parts.push(AnswerPart::line(format!(
            "left out completely, because a part of the transaction is missing: revision {}",
            cut.join(", ")
        )));
    }
    parts
}

/// The revision of a missing record, or the revisions between which it was.
#[must_use]
pub fn place_text(record: &MissingRecord) -> String {
    match record.is_exact {
        true => record.from.to_string(),
        false => format!("between {} and {}", record.from, record.until),
    }
}

/// What the absence of a record changes, or what is written in its place.
fn missing_effect(record: &MissingRecord) -> String {
    match record.tombstone {
        Some(revision) => format!("a deletion is written at {revision} in its place"),
        None => effect_text(record.effect).to_owned(),
    }
}

/// The heading of a section.
fn heading(text: &str) -> AnswerPart {
    AnswerPart::heading(text)
}

/// The `--bump-revision` that is proposed for a store of API servers: the revisions that are given up, and a reserve.
#[must_use]
pub fn proposed_bump(restore: &Restore<'_, '_>) -> i64 {
    let gap = restore.newest.saturating_sub(restore.at).max(0);
    gap.saturating_add(BUMP)
}

/// What to do next with the new file or directory: commands, and the order of steps for Kubernetes.
fn next_steps(written: &Written<'_, '_>) -> Vec<AnswerPart> {
    let plain = |text: String| AnswerPart::line(text);
    // A command stays on one line, so that it can be pasted.
    let command = |text: String| AnswerPart::unbroken(text, 0, |_| Paint::default());
    let file = quoted(&written.file.to_string_lossy());
    let mut parts = vec![AnswerPart::line(""), heading("NEXT")];
    if let Some(directory) = written.directory {
        parts.extend(next_of_directory(written, directory));
        return parts;
    }
    if !written.is_kubernetes {
        parts.push(command(format!(
            "etcdutl snapshot restore {file} --data-dir restored.etcd"
        )));
        parts.push(AnswerPart::line(
            "etcd 3.4 has `etcdctl snapshot restore` instead. A cluster needs --name, --initial-cluster and --initial-advertise-peer-urls too.",
        ));
        return parts;
    }
    let bump = proposed_bump(written.restore);
    parts.push(plain(
        "1. Stop all API servers, then all etcd members.".to_owned(),
    ));
    parts.push(command(format!(
        "2. etcdutl snapshot restore {file} --data-dir restored.etcd --bump-revision {bump} --mark-compacted"
    )));
    parts.push(AnswerPart::line(
        "   Once per member, with --name, --initial-cluster and --initial-advertise-peer-urls. The bump makes caches of clients start again; it must be at least two more than the number of revisions written since.",
    ));
    parts.push(plain("3. Start etcd, then the API servers.".to_owned()));
    parts.push(plain(
        "4. Restart the scheduler, the controller manager, operators and all kubelets: they keep newer objects in memory.".to_owned(),
    ));
    parts
}

/// What to do next with new data directories.
fn next_of_directory(written: &Written<'_, '_>, directory: &Directory) -> Vec<AnswerPart> {
    let plain = |text: &str| AnswerPart::line(text);
    let start = directory::start_lines(directory, written.file);
    if !written.is_kubernetes {
        let mut parts = start;
        parts.push(AnswerPart::line(
            "Add the flags for clients and certificates that the old member had. Old members cannot join the new cluster.",
        ));
        return parts;
    }
    let mut parts = vec![plain(
        "1. Stop all API servers, then all old etcd members: they must never run again.",
    )];
    parts.push(plain(
        "2. Put the directory in the place of the old one, and start etcd with the flags that the old member had:",
    ));
    parts.extend(start);
    parts.push(plain("3. Start the API servers."));
    parts.push(plain(
        "4. Restart the scheduler, the controller manager, operators and all kubelets: they keep newer objects in memory.",
    ));
    if directory.bump.is_none() {
        parts.push(AnswerPart::line(format!(
            "The revision was not raised, so clients may see it go back. --bump-revision {} --mark-compacted prevents that.",
            proposed_bump(written.restore)
        )));
    }
    parts
}
