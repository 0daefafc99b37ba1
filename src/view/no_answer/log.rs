//! Messages for a database that cannot be used, with a hint at what its write-ahead log or raft snapshot contains
//! instead.

use std::path::Path;

use crate::named::key_text;
use crate::query::NoAnswer;
use crate::query::log_reach::LogReach;
use crate::query::no_answer::Unusable;

use super::super::command::{Invocation, quoted};
use super::super::human::plural;
use super::{Text, hinted, plain, text};

/// The verbs that work with `--wal` and without an address: a hint can name them as they are.
const WITHOUT_ADDRESS: [&str; 3] = ["ls", "log", "recover"];

/// The message for an unusable database, and the hint at what can be read instead.
pub(super) fn unusable(no: &NoAnswer, run: &Invocation) -> Text {
    match no {
        NoAnswer::Unusable(unusable) => hinted(text(&unusable.why, run).0, beside(unusable, run)),
        NoAnswer::RaftSnapshot { path, keys } => raft_snapshot(path, keys),
        NoAnswer::NoV2Key(path) => plain(format!(
            "the v2 store has no key {} and none below it",
            key_text(path.as_bytes())
        )),
        NoAnswer::NeverWritten(path) => plain(format!(
            "{}: a bbolt file that nothing was written to yet",
            path.display()
        )),
        _ => plain("no database"),
    }
}

/// The hint: what the write-ahead log and the newest raft snapshot next to the database contain.
fn beside(unusable: &Unusable, run: &Invocation) -> String {
    let Unusable {
        given,
        log,
        reach,
        v2,
        ..
    } = unusable;
    let Some((path, count)) = v2 else {
        return with_log(given, log, reach, run);
    };
    let v2_keys = v2_keys(path, *count);
    match reach {
        // At revision 1 the log wrote no key of the v3 store: its requests are those of the v2 store. A log that is
        // only a part of the history helps less than the snapshot.
        LogReach::NoEntries | LogReach::All { revision: 1, .. } | LogReach::BeginsAt(_) => v2_keys,
        reach => format!("{}; {v2_keys}", with_log(given, log, reach, run)),
    }
}

/// How many keys the v2 store of a raft snapshot has, and the command that lists them.
fn v2_keys(path: &Path, count: usize) -> String {
    format!(
        "its newest raft snapshot has {} of a v2 store: `etcdive ls {}`",
        plural(count, "key", "keys"),
        quoted(&path.to_string_lossy())
    )
}

/// How much of the history the write-ahead log has, and the command that reads it: the user's own verb if that needs no
/// address, otherwise `ls`.
fn with_log(given: &Path, log: &Path, reach: &LogReach, run: &Invocation) -> String {
    let word = |path: &Path| quoted(&path.to_string_lossy());
    let verb = WITHOUT_ADDRESS.iter().find(|verb| **verb == run.verb);
    let read = format!("`etcdive {} {} --wal`", verb.unwrap_or(&"ls"), word(given));
    let list = format!("`etcdive wal {}`", word(log));
    match reach {
        LogReach::All {
            until,
            revision,
            stopped: None,
        } => format!(
            "its write-ahead log has every write, entries 1 to {until}, up to revision {revision}: {read}"
        ),
        LogReach::All {
            until,
            revision,
            stopped: Some(why),
        } => format!(
            "its write-ahead log has the writes up to revision {revision} (entry {until}; after it {why}): {read}"
        ),
        LogReach::Continues(path) => format!(
            "its write-ahead log continues {}, which can be read: {read}",
            path.display()
        ),
        LogReach::BeginsAt(first) => format!(
            "its write-ahead log begins with entry {first}, after records that only the database had: {list} lists its requests"
        ),
        LogReach::Restored => format!(
            "its write-ahead log follows a restored snapshot, whose records only the database had: {list} lists its requests"
        ),
        LogReach::NoEntries => format!("its write-ahead log has no entry: {list}"),
    }
}

/// The message for a raft snapshot that was given as a database. `keys` is how many keys its v2 store has, or why that
/// store cannot be read.
fn raft_snapshot(path: &Path, keys: &Result<usize, String>) -> Text {
    let word = quoted(&path.to_string_lossy());
    let is = format!(
        "{} is a raft snapshot of etcd (.snap), not a database",
        path.display()
    );
    match keys {
        Ok(0) => hinted(
            format!("{is}: it has the membership and no keys; the records are in member/snap/db"),
            format!("`etcdive wal {word}` shows the membership"),
        ),
        Ok(keys) => hinted(
            format!(
                "{is}: it has the membership and {} of the v2 store",
                plural(*keys, "key", "keys")
            ),
            format!("`etcdive get {word}` shows them, `etcdive wal {word}` the membership too"),
        ),
        Err(why) => hinted(
            format!("{is}: {why}"),
            format!("`etcdive wal {word}` shows what can be read"),
        ),
    }
}
