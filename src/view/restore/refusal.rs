//! Why nothing is restored, as text: a message with the first reason, notes with the others, and a hint.

use std::fmt::Write as _;

use crate::named::key_text;
use crate::query::replayed::LogFault;
use crate::query::restore::{LostRange, Outlook, RecordsAfter, Refusal, Refused, Writes};
use crate::view::command::Invocation;
use crate::view::human::plural;

use super::{range_text, reason_text};

/// How many ranges a message names.
const NAMED: usize = 3;

/// A refusal for standard error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalText {
    /// The message.
    pub message: String,
    /// What to type instead: a command that can be pasted, with words about it.
    pub hint: String,
    /// The other reasons.
    pub notes: Vec<String>,
}

/// The text of a refusal. `target` has the flags of the run, each with
/// its value, as a shell reads them.
#[must_use]
pub fn text(refused: &Refused, invocation: &Invocation, target: &[String]) -> RefusalText {
    let mut sentences = refused.reasons.iter().map(sentence);
    let first = sentences.next().unwrap_or_default();
    RefusalText {
        message: format!("{first}; nothing was written"),
        hint: hint(refused, invocation, target),
        notes: sentences.collect(),
    }
}

/// A reason as a sentence.
#[must_use]
pub fn sentence(reason: &Refusal) -> String {
    match reason {
        Refusal::Lost { at, ranges, .. } => lost(*at, ranges),
        Refusal::LostBelowCompaction { compacted, .. } => format!(
            "records at or below the compacted revision {compacted} may be missing: any key may be affected"
        ),
        Refusal::Unreached(count) => {
            let records = plural(usize::try_from(*count).unwrap_or(usize::MAX), "record is", "records are");
            format!("the tree leads to no record; {records} in pages that it does not reach")
        }
        Refusal::Compacted { asked, compacted } => {
            format!("revision {asked} is below the compacted revision {compacted}")
        }
        Refusal::Future { asked, current } => {
            format!("revision {asked} is above the newest revision {current}")
        }
        Refusal::InJump { asked, jump } => format!(
            "revision {asked} does not exist: an earlier restore left out revisions {} to {}",
            jump.0, jump.1
        ),
        Refusal::Auth { .. }
        | Refusal::Meta
        | Refusal::OlderMeta { .. }
        | Refusal::Trailer
        | Refusal::Torn => of_file(reason),
        Refusal::Log {
            fault,
            until,
            revision,
        } => log_fault(*fault, *until, *revision),
        Refusal::Damage(code) => format!("the file is damaged ({code})"),
        Refusal::CorruptAlarm => {
            "the cluster raised a CORRUPT alarm: its members had different data, and this may be the wrong one".to_owned()
        }
        Refusal::SeveralRevisions {
            revisions,
            keys,
            count,
        } => several(*revisions, keys, *count),
        Refusal::HistoryOfSomeKeys => {
            "--prefix and --exclude write the state only: a history of some keys would have gaps".to_owned()
        }
        Refusal::NoKeys => "no key matches --prefix and --exclude".to_owned(),
        Refusal::NoDatabase => {
            "delta snapshots without a full snapshot have no database to restore".to_owned()
        }
    }
}

/// The ranges in which records are missing.
fn lost(at: i64, ranges: &[LostRange]) -> String {
    let mut text = format!("records up to revision {at} are missing");
    for (place, range) in ranges.iter().take(NAMED).enumerate() {
        let separator = if place == 0 { ":" } else { ";" };
        let _ = write!(
            text,
            "{separator} {} ({})",
            range_text(range),
            reason_text(range.reason)
        );
    }
    if ranges.len() > NAMED {
        let _ = write!(text, "; and {} more", ranges.len().saturating_sub(NAMED));
    }
    text
}

/// The revisions that fit a time.
fn several(revisions: (i64, i64), keys: &[Vec<u8>], count: usize) -> String {
    let names: Vec<String> = keys.iter().map(|key| key_text(key).into_owned()).collect();
    format!(
        "revisions {} to {} fit that time, and {} created or deleted between them ({})",
        revisions.0,
        revisions.1,
        plural(count, "key was", "keys were"),
        names.join(", ")
    )
}

/// The sentence for a reason that is about the file as a whole, or about its small buckets. Empty for any other reason.
fn of_file(reason: &Refusal) -> String {
    match reason {
        Refusal::Auth { is_on: true } => {
            "authentication is on, and its users or roles are damaged: the restored store would be open to everybody, or nobody could log in".to_owned()
        }
        Refusal::Auth { is_on: false } => {
            "a bucket of authentication is damaged, and it is not known whether authentication is on: the restored store may be open to everybody".to_owned()
        }
        Refusal::Meta => {
            "bucket meta is damaged, so the compacted revision is not known".to_owned()
        }
        Refusal::OlderMeta { index: Some(index) } => format!(
            "one meta page is lost; meta page {index} may be that of the commit before the newest"
        ),
        Refusal::OlderMeta { index: None } => {
            "no meta page leads to the newest root page: the root was searched, and may be an older one".to_owned()
        }
        Refusal::Trailer => {
            "the SHA-256 of the snapshot is wrong: any byte of it may have changed".to_owned()
        }
        Refusal::Torn => {
            "this copy was taken while etcd was writing: its pages belong to several states".to_owned()
        }
        _ => String::new(),
    }
}

/// Why a log cannot be applied, or not up to its end.
fn log_fault(fault: LogFault, until: u64, revision: i64) -> String {
    match fault {
        LogFault::Stopped(why) => format!(
            "the write-ahead log gives certain records up to entry {until} (revision {revision}): after it {why}"
        ),
        LogFault::EndsBefore(index) => format!(
            "the write-ahead log ends with entry {until} (revision {revision}), and entry {index} was committed"
        ),
        LogFault::OtherCluster(member) => format!(
            "the write-ahead log is that of member {member:x}, which is not a member of this database's cluster"
        ),
        LogFault::DamagedDatabase => {
            "the database is damaged, and the write-ahead log does not go back to its first entry: the revisions of the entries are not certain".to_owned()
        }
        LogFault::NoPosition => {
            "the database has no consistent_index, so it is not known which entries of the write-ahead log it has".to_owned()
        }
        LogFault::Contradiction => {
            "the write-ahead log and the database have different records of the same revisions".to_owned()
        }
        LogFault::Skipped { index, main } => format!(
            "the database lacks writes of its write-ahead log although it claims to have applied them: the first is entry {index} (revision {main})"
        ),
    }
}

/// The hint for a log that cannot be applied.
fn without_log(invocation: &Invocation) -> String {
    format!(
        "without --wal the database is restored as it is; `{}` lists the entries of the log",
        invocation.line("wal", &[])
    )
}

/// The hint at the newest revision whose state is complete. `line` restores it.
fn earlier(refused: &Refused, complete: i64, line: &str) -> String {
    let left = match refused.reasons.iter().all(Refusal::is_loss) {
        true => "; --allow-loss writes what is left",
        false => "",
    };
    let also = match refused.reasons.first() {
        Some(Refusal::Lost { elsewhere, .. }) if *elsewhere > 0 => {
            "; --carve also uses records in pages that the tree does not reach"
        }
        _ => "",
    };
    format!("`{line}` writes revision {complete}, the newest whose state is complete{left}{also}")
}

/// What to type instead if the member skipped entries of its log. `complete` is the newest complete revision before the
/// difference, if it can be restored.
fn skipped(invocation: &Invocation, target: &[String], complete: Option<i64>) -> String {
    let wal = invocation.line("wal", &[]);
    let before = complete.map_or_else(String::new, |complete| {
        let words = with_flags(target, &[&format!("--at {complete}")]);
        format!(
            "`{}` writes the newest revision before the difference; ",
            invocation.line("restore", &words)
        )
    });
    format!(
        "restore from another member, or from the log alone: name its folder instead of the data directory and add --wal (`{wal}` lists it); {before}--allow-loss writes the database as it is"
    )
}

/// The name of a flag with its value.
fn flag_of(flag: &str) -> &str {
    flag.split([' ', '=']).next().unwrap_or_default()
}

/// The flags of the run with others. One that is given again has the new value, and a revision replaces a time.
fn with_flags(typed: &[String], words: &[&str]) -> Vec<String> {
    let is_replaced = |typed: &str| {
        words.iter().any(|word| {
            let flag = flag_of(word);
            flag == flag_of(typed) || (flag == "--at" && flag_of(typed) == "--at-time")
        })
    };
    let kept = typed.iter().filter(|flag| !is_replaced(flag)).cloned();
    kept.chain(words.iter().map(|word| (*word).to_owned()))
        .collect()
}

/// What to type instead.
fn hint(refused: &Refused, invocation: &Invocation, target: &[String]) -> String {
    let line = |words: &[&str]| invocation.line("restore", &with_flags(target, words));
    let skipped_at = refused.reasons.iter().find_map(|reason| match reason {
        Refusal::Log {
            fault: LogFault::Skipped { .. },
            ..
        } => Some(refused.details.complete),
        _ => None,
    });
    if let Some(complete) = skipped_at {
        return skipped(invocation, target, complete);
    }
    if let Some(complete) = refused.details.complete {
        return earlier(refused, complete, &line(&[&format!("--at {complete}")]));
    }
    match refused.reasons.first() {
        Some(Refusal::Unreached(_)) => {
            format!("`{}` uses them", line(&["--carve", "--allow-loss"]))
        }
        Some(Refusal::LostBelowCompaction { elsewhere, .. }) if *elsewhere > 0 => format!(
            "`{}` writes what is left, and what pages have that the tree does not reach; without --carve only what is left",
            line(&["--carve", "--allow-loss"])
        ),
        Some(Refusal::Auth { .. }) => format!(
            "`{}` writes a store that is open to everybody",
            line(&["--allow-loss", "--auth off"])
        ),
        Some(Refusal::Log { fault, .. }) if fault.is_about_database() => without_log(invocation),
        Some(Refusal::CorruptAlarm) => format!(
            "`etcdive hashkv` and `etcdive diff` compare members; `{}` restores this one",
            line(&["--drop-corrupt-alarm"])
        ),
        Some(Refusal::Compacted { compacted, .. }) => format!(
            "`{}` restores the oldest possible revision; --carve --allow-loss uses what freed pages still have of older ones",
            line(&[&format!("--at {compacted}")])
        ),
        Some(Refusal::Future { current, .. }) => {
            format!(
                "`{}` restores the newest one",
                line(&[&format!("--at {current}")])
            )
        }
        Some(Refusal::SeveralRevisions { revisions, .. }) => format!(
            "`{}` shows them; --at REV chooses one",
            invocation.line("log", &[format!("{}..{}", revisions.0, revisions.1)])
        ),
        Some(Refusal::HistoryOfSomeKeys) => {
            let of_keys = |flag: &&String| !matches!(flag_of(flag), "--prefix" | "--exclude");
            let all: Vec<String> = target.iter().filter(of_keys).cloned().collect();
            let line = invocation.line("restore", &all);
            format!("`{line}` has the history of all keys")
        }
        Some(Refusal::NoKeys) => format!("`{}` lists the keys", invocation.line("ls", &[])),
        Some(Refusal::InJump { jump, .. }) => {
            let before = jump.0.saturating_sub(1).to_string();
            format!(
                "`{}` restores the revision before them",
                line(&[&format!("--at {before}")])
            )
        }
        Some(reason) if reason.is_loss() => format!(
            "`{}` writes what is left, and lists what is missing",
            line(&["--allow-loss"])
        ),
        _ => format!("`{}` lists every finding", invocation.line("fsck", &[])),
    }
}

/// What `restore` could write of a damaged file, as a hint; none if it could write nothing.
#[must_use]
pub fn outlook(outlook: Outlook, invocation: &Invocation) -> Option<String> {
    let line = |words: &[String]| {
        let mut target = vec!["--out".to_owned(), "NEW.db".to_owned()];
        target.extend(outlook.uses_log.then(|| "--wal".to_owned()));
        invocation.line("restore", &[&target, words].concat())
    };
    let at = |main: i64| line(&["--at".to_owned(), main.to_string()]);
    match outlook.writes {
        Writes::Complete { newest } if outlook.uses_log => Some(format!(
            "`{}` writes an intact database: the write-ahead log has what is missing, up to revision {newest}",
            line(&[])
        )),
        Writes::Complete { newest } => Some(format!(
            "`{}` writes an intact database of it: revision {newest} is complete",
            line(&[])
        )),
        Writes::Earlier {
            complete,
            after,
            is_skipped: true,
        } => Some(format!(
            "restore from another member; `{}` writes the newest revision before the difference, without {}",
            at(complete),
            after_text(after)
        )),
        Writes::Earlier {
            complete, after, ..
        } if after.revisions == 0 => Some(format!(
            "`{}` writes the newest revision that is known",
            at(complete)
        )),
        Writes::Earlier {
            complete, after, ..
        } => Some(format!(
            "`{}` writes the newest revision that is complete, without {}",
            at(complete),
            after_text(after)
        )),
        Writes::Part => Some(format!(
            "`{}` writes what is left, and lists what is missing",
            line(&["--allow-loss".to_owned()])
        )),
        Writes::Nothing => None,
    }
}

/// What a restore of an earlier revision leaves out.
fn after_text(after: RecordsAfter) -> String {
    let count = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let revisions = count(u64::try_from(after.revisions).unwrap_or_default());
    match after.readable {
        0 => format!(
            "{} after it, whose records cannot be read",
            plural(revisions, "revision", "revisions")
        ),
        readable => format!(
            "{} after it, whose {} can still be read",
            plural(revisions, "revision", "revisions"),
            plural(count(readable), "record", "records")
        ),
    }
}
