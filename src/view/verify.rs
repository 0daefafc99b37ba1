//! Whether a file is a usable backup: one line for people, one JSON object.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::arrange::Arrange as _;
use crate::diag::{Severity, shown};
use crate::etcd::status::RecordStatus;
use crate::k8s::audit::Protection;
use crate::k8s::columns::human_duration;
use crate::k8s::meta::time_text;
use crate::query::NoAnswer;
use crate::query::log_beside::LogBeside;
use crate::query::verify::{CLOCK_SKEW_SECONDS, Outcome, Reach, Restore, Unmet, VerifiedFile};
use crate::source::TrailerCheck;

use super::answer_part::AnswerPart;
use super::command::Invocation;
use super::encryption::protection_json;
use super::human::{self, first_of};
use super::log_beside;
use super::no_answer;
use super::record::insert_text;
use super::style::{Paint, Style};
use super::verdict;

/// How many codes of findings the line names.
const NAMED_CODES: usize = 4;

/// The result for one file.
pub type Verified = Result<VerifiedFile, NoAnswer>;

/// The outcome of a result.
#[must_use]
pub fn outcome(result: &Verified) -> Outcome {
    match result {
        Ok(file) => file.outcome(),
        Err(no) => Outcome::without_answer(no),
    }
}

/// The first word after the path. A file with a warning is `DAMAGED` as in `fsck`, although every record could be read.
fn mark(result: &Verified) -> &'static str {
    match (outcome(result), result) {
        (Outcome::Ok, _) => "OK",
        (Outcome::Damaged, _) => "DAMAGED",
        (_, Ok(file)) if !file.verdict.is_intact() => "DAMAGED",
        _ => "FAILED",
    }
}

/// The line about a file. `now` is the time from which ages are counted, in seconds since 1970.
#[must_use]
pub fn line(path: &Path, result: &Verified, now: i64) -> AnswerPart {
    let (path, mark) = (path.display().to_string(), mark(result));
    let text = match result {
        Ok(file) if file.verdict.is_intact() => {
            let mut parts: Vec<String> = file.unmet.iter().map(unmet_text).collect();
            parts.push(facts(file, now));
            parts.extend(remarks(file));
            parts.join("; ")
        }
        Ok(file) => damage(file),
        Err(no) => reason(&path, no),
    };
    let paint: fn(&Style) -> Paint = match outcome(result) {
        Outcome::Ok => |style| style.added,
        _ => |style| style.error,
    };
    let start = format!("{path}: {mark}");
    AnswerPart::painted(format!("{start}: {text}"), start.len(), paint)
}

/// What an intact file has: revision, newest write, keys, size, SHA-256.
fn facts(file: &VerifiedFile, now: i64) -> String {
    let mut facts = Vec::new();
    if let Some(reach) = file.reach {
        facts.push(format!("revision {}", reach.revision));
        facts.push(match reach.newest_time {
            Some(newest) => format!(
                "newest write {}{}",
                time_text(newest),
                age_text(newest, now)
            ),
            None => "time of the newest write unknown".to_owned(),
        });
    }
    if let Some(reach) = file.reach {
        facts.push(keys_text(reach.live_keys));
    }
    facts.push(human::bytes(file.size_bytes));
    if matches!(file.trailer, Some(TrailerCheck::Good)) {
        facts.push("SHA-256 is correct".to_owned());
    }
    facts.join(", ")
}

fn keys_text(keys: u64) -> String {
    human::counted(keys, "key", "keys")
}

/// How long before `now` the newest write was, in parentheses.
fn age_text(newest: i64, now: i64) -> String {
    let age = now.saturating_sub(newest);
    match age {
        0.. => format!(" ({} ago)", human_duration(age)),
        // A little in the future: the clocks of the cluster and of this machine differ.
        age if age >= -CLOCK_SKEW_SECONDS => " (0s ago)".to_owned(),
        _ => " (in the future)".to_owned(),
    }
}

/// What to know before an intact file is restored.
fn remarks(file: &VerifiedFile) -> Vec<String> {
    let mut remarks = Vec::new();
    if file.restore == Restore::NeedsSkipHashCheck {
        remarks.push("no SHA-256: `etcdutl snapshot restore` needs --skip-hash-check".to_owned());
    }
    if file.is_packed {
        remarks.push("unpack it before the restore".to_owned());
    }
    let (log_files, deltas) = file.beside_in_archive;
    for (count, one, many) in [
        (
            log_files,
            "file of a write-ahead log",
            "files of a write-ahead log",
        ),
        (deltas, "delta snapshot", "delta snapshots"),
    ] {
        if count > 0 {
            let what = human::plural(count, one, many);
            remarks.push(format!("{what} in the archive not checked"));
        }
    }
    remarks.extend(file.full_revision.map(|full| {
        format!("`etcdutl snapshot restore` restores revision {full}, without the delta snapshots: use `etcdive restore` or etcd-backup-restore")
    }));
    remarks.extend(file.log.as_ref().map(log_text));
    if !file.encrypted_by.is_empty() {
        let keys: Vec<String> = file.encrypted_by.iter().map(encryption_key).collect();
        let keys = keys.join(", ");
        remarks.push(match file.is_decrypted {
            true => format!("every encrypted value was decrypted: {keys}"),
            false => format!("values are encrypted, keep their keys: {keys}"),
        });
    }
    remarks
}

/// That the write-ahead log next to a database has requests which the database lacks.
fn log_text(log: &LogBeside) -> String {
    let entries = human::plural(log.entries, "more entry", "more entries");
    format!(
        "its write-ahead log has {entries}, up to {}, which `etcdutl snapshot restore` does not read",
        log_beside::end(log)
    )
}

/// The key of a protection, with the provider.
fn encryption_key(protection: &Protection) -> String {
    match protection {
        Protection::Encrypted {
            provider,
            version,
            key_name,
            key_id,
        } => {
            let [provider, version, key_name] =
                [provider, version, key_name].map(|name| shown(name.as_bytes()));
            let id = key_id.as_ref();
            let id = id.map_or_else(String::new, |id| format!(", key id {}", shown(id)));
            format!("{key_name} ({provider} {version}{id})")
        }
        Protection::Damaged => "a key whose name is damaged".to_owned(),
        Protection::Clear => "no key".to_owned(),
    }
}

/// What is wrong with a file that is not intact, what can be read of it, and whether etcdutl restores it.
fn damage(file: &VerifiedFile) -> String {
    let mut parts = vec![verdict::sentence(&file.verdict).to_owned()];
    parts.extend(
        file.reach
            .map(|reach| match file.verdict.has_skipped_entries {
                true => own_reach_text(reach),
                false => reach_text(reach),
            }),
    );
    parts.extend(file.unmet.iter().map(unmet_text));
    parts.extend(file.log.as_ref().map(log_text));
    parts.push(
        match file.restore {
            Restore::Accepts => "`etcdutl snapshot restore` accepts it",
            Restore::NeedsSkipHashCheck => {
                "no SHA-256: `etcdutl snapshot restore` needs --skip-hash-check"
            }
            Restore::Refuses => "`etcdutl snapshot restore` refuses it",
            Restore::Unknown => "try `etcdutl snapshot restore` into an empty folder",
            Restore::Unsafe if file.verdict.has_skipped_entries => {
                "do not restore it: restore from another member"
            }
            Restore::Unsafe => "do not restore it: etcdutl may not find the damage",
        }
        .to_owned(),
    );
    parts.push(codes(file));
    parts.join("; ")
}

/// How far the records of a file reach, and how many keys are live there.
fn reach_text(reach: Reach) -> String {
    let about = reach
        .complete_time
        .map_or_else(String::new, |time| format!(", about {}", time_text(time)));
    let lost = match reach.missing_revisions {
        0 if reach.complete < reach.revision => " (later revisions may be incomplete)".to_owned(),
        0 => String::new(),
        1 => " (at least 1 later revision is missing)".to_owned(),
        missing => format!(" (at least {missing} later revisions are missing)"),
    };
    format!(
        "readable to revision {}{lost}{about}; {} at that revision",
        reach.complete,
        keys_text(reach.live_keys)
    )
}

/// How far the records of a member reach that skipped entries: its revisions after the first skipped entry are of other
/// writes than in the rest of the cluster.
fn own_reach_text(reach: Reach) -> String {
    format!(
        "by its own count it is at revision {} with {}",
        reach.revision,
        keys_text(reach.live_keys)
    )
}

/// The codes of the findings above info, the worst first.
fn codes(file: &VerifiedFile) -> String {
    let mut found: Vec<_> = file
        .findings
        .iter()
        .map(|(code, count, _)| (*code, *count))
        .collect();
    found.retain(|(code, _)| code.severity() > Severity::Info);
    found.arrange_by_key(|(code, _)| (std::cmp::Reverse(code.severity()), *code));
    let names: Vec<String> = found
        .iter()
        .map(|(code, count)| match count {
            1 => code.to_string(),
            count => format!("{code} ({count})"),
        })
        .collect();
    match names.is_empty() {
        true => "no finding".to_owned(),
        false => first_of(&names, NAMED_CODES),
    }
}

fn unmet_text(unmet: &Unmet) -> String {
    match *unmet {
        Unmet::Empty => "the store has no keys".to_owned(),
        Unmet::NoFullSnapshot => {
            "delta snapshots without a full snapshot cannot be restored".to_owned()
        }
        Unmet::NoSha { has_other: false } => "no SHA-256 at its end (--require-sha)".to_owned(),
        Unmet::NoSha { .. } => "no correct SHA-256 at its end (--require-sha)".to_owned(),
        Unmet::TooOld { age, most } => format!(
            "the newest write is {} old (--max-age {})",
            human_duration(age),
            human_duration(most)
        ),
        Unmet::NoTimes { is_encrypted: true } => {
            "its age is unknown, because its values are encrypted (--max-age)".to_owned()
        }
        Unmet::NoTimes { .. } => {
            "its age is unknown, because no value has a time (--max-age)".to_owned()
        }
        Unmet::InFuture(seconds) => format!(
            "the newest write is {} in the future: a clock is wrong (--max-age)",
            human_duration(seconds)
        ),
        Unmet::RevisionBelow {
            revision: Some(revision),
            least,
        } => format!("readable to revision {revision} only (--min-revision {least})"),
        Unmet::RevisionBelow { least, .. } => {
            format!("its revision is unknown (--min-revision {least})")
        }
    }
}

/// The short word of an unmet requirement.
fn unmet_word(unmet: &Unmet) -> &'static str {
    match unmet {
        Unmet::Empty => "empty",
        Unmet::NoFullSnapshot => "no-full-snapshot",
        Unmet::NoSha { .. } => "no-sha",
        Unmet::TooOld { .. } => "too-old",
        Unmet::NoTimes { .. } => "no-times",
        Unmet::InFuture(_) => "in-future",
        Unmet::RevisionBelow { .. } => "revision-below",
    }
}

/// Why a file could not be read. If the message begins with the path, that is removed: the line begins with it.
fn reason(path: &str, no: &NoAnswer) -> String {
    let run = Invocation::new("verify", Some(Path::new(path)));
    let (message, _) = no_answer::text(no, &run);
    let rest = message.strip_prefix(path);
    let rest = rest.and_then(|rest| rest.strip_prefix(": ").or(rest.strip_prefix(" is ")));
    rest.map_or(message.clone(), str::to_owned)
}

/// What can be done about a file that could not be read, or is damaged.
#[must_use]
pub fn hint(path: &Path, result: &Verified) -> Option<String> {
    let run = Invocation::new("verify", Some(path));
    match result {
        Ok(file) if file.verdict.is_intact() => None,
        Ok(_) => Some(format!("`{}` lists every finding", run.line("fsck", &[]))),
        // Every word is a database here, so a missing one is not an address in the wrong place.
        Err(NoAnswer::Source { .. }) => None,
        Err(no) => no_answer::text(no, &run).1,
    }
}

/// The result as one JSON object; what is not known is absent.
#[must_use]
pub fn json(path: &Path, result: &Verified, now: i64) -> Value {
    let mut fields = Map::new();
    insert_text(&mut fields, "path", path.as_os_str().as_encoded_bytes());
    let outcome = outcome(result);
    fields.insert("ok".to_owned(), (outcome == Outcome::Ok).into());
    fields.insert("outcome".to_owned(), outcome_word(outcome).into());
    let more = match result {
        Ok(file) => [verdict_json(file), store_json(file, now)].to_vec(),
        Err(no) => vec![json!({ "error": reason(&path.display().to_string(), no) })],
    };
    for part in more {
        if let Value::Object(part) = part {
            fields.extend(part.into_iter().filter(|(_, value)| !value.is_null()));
        }
    }
    Value::Object(fields)
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Failed => "failed",
        Outcome::Unreadable => "unreadable",
        Outcome::Damaged => "damaged",
    }
}

fn verdict_json(file: &VerifiedFile) -> Value {
    let restore = match file.restore {
        Restore::Accepts => "accepts",
        Restore::NeedsSkipHashCheck => "needs-skip-hash-check",
        Restore::Refuses => "refuses",
        Restore::Unknown => "unknown",
        Restore::Unsafe => "unsafe",
    };
    json!({
        "sound": file.verdict.is_intact(),
        "verdict": verdict::sentence(&file.verdict),
        "torn": file.verdict.torn.is_some(),
        "unmet": file.unmet.iter().map(|unmet| json!({
            "requirement": unmet_word(unmet),
            "text": unmet_text(unmet),
        })).collect::<Vec<_>>(),
        "restore": restore,
        "trailer": verdict::trailer_word(file.trailer.as_ref()),
        "packed": file.is_packed,
    })
}

fn store_json(file: &VerifiedFile, now: i64) -> Value {
    let store = file.store.as_ref();
    let records = store.and_then(|store| store.records.as_ref().ok());
    let newest = file.reach.and_then(|reach| reach.newest_time);
    json!({
        "file_size": file.size_bytes,
        "total_size": store.map(|store| store.total_size),
        "revision": file.reach.map(|reach| reach.revision),
        "complete_revision": file.reach.map(|reach| reach.complete),
        "complete_time": file.reach.and_then(|reach| reach.complete_time).map(time_text),
        "missing_revisions": file.reach.map(|reach| reach.missing_revisions),
        "newest_time": newest.map(time_text),
        "age_seconds": newest.map(|newest| now.saturating_sub(newest)),
        "live_keys": file.reach.map(|reach| reach.live_keys),
        "records": file.reach.map(|reach| reach.records),
        "hash": records.map(|records| records.hash),
        "hash_kv": records.map(|records| records.hash_kv),
        "salvaged_records": records.and_then(RecordStatus::salvaged_if_any),
        "full_revision": file.full_revision,
        "log_not_read": file.log.as_ref().map(log_beside::json),
        "encrypted_by": file.encrypted_by.iter().map(protection_json).collect::<Vec<_>>(),
        "decrypted": (!file.encrypted_by.is_empty()).then_some(file.is_decrypted),
        "findings": verdict::findings_json(&file.findings),
    })
}
