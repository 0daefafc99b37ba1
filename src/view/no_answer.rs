//! Why a question has no answer, as a sentence and a hint.

mod bucket;
mod log;
mod missing;
mod object;
mod packed;
mod refusal;

use std::path::Path;

use crate::Error;
use crate::etcd::store::RevisionUnavailable;
use crate::k8s::meta::time_text;
use crate::named::key_text;
use crate::query::NoAnswer;
use crate::query::filters::{Filter, LeftNothing};
use crate::query::revision::RevisionExpr;
use crate::source::{PIPE, SourceError};

use super::command::{Invocation, quoted};
use super::human::{counted, first_of, plural};

/// A sentence, and what can be done.
pub type Text = (String, Option<String>);

fn plain(message: impl Into<String>) -> Text {
    (message.into(), None)
}

fn hinted(message: impl Into<String>, hint: impl Into<String>) -> Text {
    (message.into(), Some(hint.into()))
}

/// The sentence and the hint for a question that has no answer.
#[must_use]
pub fn text(no: &NoAnswer, run: &Invocation) -> Text {
    match no {
        NoAnswer::Source {
            error: SourceError::Packed { path, error },
            ..
        } => packed::text(path, error, run),
        NoAnswer::Source { .. }
        | NoAnswer::NotBbolt { .. }
        | NoAnswer::NoState { .. }
        | NoAnswer::NoKeyBucket(_)
        | NoAnswer::DatabasesNeeded(_)
        | NoAnswer::NoLogFiles(_)
        | NoAnswer::NoLogNextTo(_) => file(no, run),
        NoAnswer::NoFullSnapshot { .. } | NoAnswer::NoDeltaEvents(_) => packed::of_backups(no, run),
        NoAnswer::NeverWritten(_)
        | NoAnswer::Unusable(_)
        | NoAnswer::RaftSnapshot { .. }
        | NoAnswer::NoV2Key(_) => log::unusable(no, run),
        NoAnswer::ForeignBuckets { .. }
        | NoAnswer::NoBucket { .. }
        | NoAnswer::SeveralBuckets { .. }
        | NoAnswer::NoKeyInBucket(_) => bucket::text(no, run),
        NoAnswer::BadEscape(word) => hinted(
            format!("{}: not an escape", key_text(word)),
            r"in key:TEXT a backslash is written \\, any byte \xNN; \n \t \r \0, \s (a space) and \/ are known",
        ),
        NoAnswer::Unavailable(_)
        | NoAnswer::RevisionOfObject
        | NoAnswer::EventNotRetained { .. }
        | NoAnswer::TwoRevisions { .. }
        | NoAnswer::RangeAndRevision(_)
        | NoAnswer::SeveralRanges
        | NoAnswer::NotARange(_)
        | NoAnswer::TwoAddressRevisions(..)
        | NoAnswer::RangeUpsideDown { .. } => revision(no, run),
        NoAnswer::NoTimes { .. }
        | NoAnswer::OlderThanAll { .. }
        | NoAnswer::NotATime(_)
        | NoAnswer::NoFixedLength(_)
        | NoAnswer::NothingToCountFrom => no_time(no),
        NoAnswer::ScopeWithKey { .. } | NoAnswer::OneNeeded | NoAnswer::SeveralKeys { .. } => {
            address_needed(no)
        }
        NoAnswer::Missing(missing) | NoAnswer::InNeither(missing) => missing::text(missing, run),
        NoAnswer::Emptied(left) => emptied(*left),
        NoAnswer::Refused(refusal) => refusal::text(refusal),
        NoAnswer::NothingInRange(why) => refusal::nothing_in_range(*why),
        NoAnswer::NothingFound
        | NoAnswer::SeveralObjects { .. }
        | NoAnswer::Unreadable { .. }
        | NoAnswer::TransactionNotRetained { .. }
        | NoAnswer::TransactionLeftOut(_)
        | NoAnswer::NotWrittenBy { .. }
        | NoAnswer::VersionOfDeletion
        | NoAnswer::RecordOfDeletion(_)
        | NoAnswer::VersionNotRetained { .. }
        | NoAnswer::NotAnItem
        | NoAnswer::FilterHoldsOfNoKey => object::text(no),
        NoAnswer::OrderOfDeletions
        | NoAnswer::NotDeleted(_)
        | NoAnswer::NoDeletions
        | NoAnswer::NotInNamespaces => no_keys(no),
        NoAnswer::NoPages { .. } | NoAnswer::NoBytesAt { .. } | NoAnswer::Unreachable(_) => {
            beyond(no)
        }
        no => of_one_verb(no),
    }
}

/// What only one verb asks.
fn of_one_verb(no: &NoAnswer) -> Text {
    match no {
        NoAnswer::RevisionAndTime { own, time, flag } => {
            plain(format!("two revisions are named: {own}, and {flag} {time}"))
        }
        NoAnswer::ToBeforeFirst { to, first } => plain(format!(
            "the range is reversed: --to {to} is before revision {first}"
        )),
        NoAnswer::NoEvent { from, current } => plain(match current {
            Some(current) => {
                format!("no event from revision {from} on: the store's revision is {current}")
            }
            None => format!("no such event from revision {} on", (*from).max(1)),
        }),
        NoAnswer::BadPattern { flag, error } => plain(format!("{flag}: {error}")),
        NoAnswer::TimesUpsideDown => plain("the times are reversed: --since is after --until"),
        NoAnswer::TwoStatesNeeded => hinted(
            "two databases, or two revisions of one, are needed",
            "`diff DB A..B ADDRESS` compares two revisions",
        ),
        NoAnswer::RevisionWithFlag { own, flag } => plain(format!(
            "the revision of an address, {own}, cannot be used with {flag}"
        )),
        NoAnswer::NoObjectsAtRevision => plain("no objects match at that revision"),
        NoAnswer::NoDeletedObjects => plain("no deleted objects match"),
        NoAnswer::BadFieldSelector(error) => plain(format!("--field-selector: {error}")),
        NoAnswer::CannotSort(error) => plain(format!("--sort-by: {error}")),
        NoAnswer::NoEvents => plain("no events are retained"),
        NoAnswer::FormerIsNewer([(former, is_at), (newest, newest_at)]) => plain(format!(
            "there is no former state to compare with: transaction {former} is at revision {is_at}, and the newest, {newest}, at {newest_at}"
        )),
        NoAnswer::FailsCheck(count) => plain(format!(
            "`etcdutl snapshot status` refuses this file: {}",
            counted(*count, "finding", "findings")
        )),
        _ => plain("nothing found"),
    }
}

/// The sentence for a filter that left nothing.
fn emptied(LeftNothing { filter, of }: LeftNothing) -> Text {
    let Filter(flag) = filter;
    let message = match of {
        0 => format!("nothing left: no object could be read to try {flag}"),
        1 => format!("nothing left: the only candidate does not match {flag}"),
        of => format!("nothing left: none of {of} candidates matches {flag}"),
    };
    match flag {
        "--custom" => hinted(
            message,
            "`--custom=NAME` names a custom resource, also one called like a built-in",
        ),
        _ => plain(message),
    }
}

/// Why pages, bytes or records cannot be reached.
fn beyond(no: &NoAnswer) -> Text {
    match no {
        NoAnswer::NoPages { ids, count } => {
            let ids: Vec<String> = ids.iter().map(u64::to_string).collect();
            hinted(
                format!("the file ends before page {}", ids.join(", page ")),
                format!("it has {count} pages, from 0"),
            )
        }
        NoAnswer::NoBytesAt { offset, length } => hinted(
            format!("the file ends before offset {offset}"),
            format!("it has {length} bytes"),
        ),
        NoAnswer::Unreachable(why) => hinted(
            why.to_string(),
            "no page holds records: `etcdive pages DB` lists what the pages say of themselves",
        ),
        _ => plain(""),
    }
}

/// A path as it is shown.
fn shown(path: &Path) -> String {
    match path.as_os_str() == "-" {
        true => "standard input".to_owned(),
        false => path.display().to_string(),
    }
}

/// What a file of Kine is called.
const SQLITE: &str = "an SQLite database";

/// What can be unpacked, by other programs.
const PACKED: [&str; 5] = [
    "an lz4 archive",
    "a 7z archive",
    "a compress archive (.Z)",
    "a file encrypted by age",
    "a file encrypted by openssl",
];

/// Why `ls` lists no keys.
fn no_keys(no: &NoAnswer) -> Text {
    match no {
        NoAnswer::OrderOfDeletions => hinted(
            "a deletion has no create_revision, no version and no value to sort by",
            "`--sort key` or `--sort mod`",
        ),
        NoAnswer::NotDeleted(address) => {
            plain(format!("no retained deletion: {} exists", address.text()))
        }
        NoAnswer::NoDeletions => plain("no deletion is retained"),
        _ => plain("no key is in a namespace"),
    }
}

/// Why a path cannot be opened. `is_word`: it looks like a word that belongs after the database.
fn source(error: &SourceError, is_word: bool, run: &Invocation) -> Text {
    match error {
        error if is_word => hinted(
            error.to_string(),
            "the database comes first: `etcdive get DB pods`",
        ),
        SourceError::NotRegular { path, kind } if *kind == PIPE => {
            let verb = if run.verb.is_empty() {
                "status"
            } else {
                run.verb
            };
            let path = quoted(&path.to_string_lossy());
            hinted(
                error.to_string(),
                format!("`cat {path} | etcdive {verb} -` reads it"),
            )
        }
        error => plain(error.to_string()),
    }
}

fn file(no: &NoAnswer, run: &Invocation) -> Text {
    match no {
        NoAnswer::Source { error, is_word } => source(error, *is_word, run),
        NoAnswer::NotBbolt {
            path,
            kind: Some(kind),
        } if kind.starts_with(SQLITE) => hinted(
            format!("{} is {kind}", path.display()),
            "Kine stores Kubernetes in tables, not in etcd's format: read it with `sqlite3`, or let k3s convert it to etcd with `k3s server --cluster-init`",
        ),
        NoAnswer::NotBbolt {
            path,
            kind: Some(kind),
        } if PACKED.contains(kind) => hinted(
            format!("{} is {kind}, which is not unpacked here", path.display()),
            "unpack it and give the file",
        ),
        NoAnswer::NotBbolt { path, kind } => hinted(
            match kind {
                None => format!("{} is not a bbolt database", shown(path)),
                Some(kind) => format!("{} is {kind}, not a bbolt database", shown(path)),
            },
            "expected a copied member/snap/db, an `etcdctl snapshot save` file, or a data directory",
        ),
        NoAnswer::NoState { path, error, .. } => match &**error {
            Error::NoMeta { .. } => hinted(
                format!("{}: {error}, and no page holds records", path.display()),
                "`etcdive pages DB` lists what each page contains",
            ),
            error => plain(format!("{}: {error}", path.display())),
        },
        NoAnswer::NoKeyBucket(path) => plain(format!(
            "{}: the records cannot be reached: no bucket key in the root",
            path.display()
        )),
        NoAnswer::DatabasesNeeded(1) => plain("one database is needed"),
        NoAnswer::NoLogFiles(path) => hinted(
            format!(
                "{}: no file of a write-ahead log (*.wal) and no raft snapshot (*.snap)",
                path.display()
            ),
            "expected a data directory, its member/wal folder, or such a file",
        ),
        NoAnswer::NoLogNextTo(path) => hinted(
            format!(
                "{}: no write-ahead log next to a single database file",
                path.display()
            ),
            "`--wal=DIR` names its folder; or give the data directory as DB",
        ),
        _ => plain("two databases are needed"),
    }
}

/// Why the store has no state of a revision.
fn unavailable(error: &RevisionUnavailable) -> Text {
    match error {
        RevisionUnavailable::Compacted { asked, compacted } if *asked < 1 => hinted(
            "there is no revision before revision 1",
            format!(
                "the oldest complete state is `--at {}`",
                (*compacted).max(1)
            ),
        ),
        RevisionUnavailable::Compacted { compacted, .. } => hinted(
            error.to_string(),
            format!(
                "the oldest complete state is `--at {compacted}`; `--carve` adds older versions that freed pages still contain"
            ),
        ),
        RevisionUnavailable::BeforeDeltas { first, .. } => {
            hinted(error.to_string(), format!("the oldest is `--at {first}`"))
        }
        RevisionUnavailable::Future { current, .. } => {
            hinted(error.to_string(), format!("the newest is `--at {current}`"))
        }
    }
}

fn revision(no: &NoAnswer, run: &Invocation) -> Text {
    match no {
        NoAnswer::Unavailable(error) => unavailable(error),
        NoAnswer::EventNotRetained {
            asked,
            name,
            retained,
        } => {
            let what = match asked {
                RevisionExpr::Version(number) => format!("no version {number}"),
                RevisionExpr::Back(back) => format!("no event {back} before the newest"),
                RevisionExpr::Created => "no creation".to_owned(),
                RevisionExpr::Deleted => "no deletion".to_owned(),
                RevisionExpr::Main(_) | RevisionExpr::Head(_) => "no event that old".to_owned(),
                RevisionExpr::Record(main, sub) => format!("no record {main}.{sub}"),
            };
            let message = format!("{name}: {what} is retained");
            match retained {
                None => plain(message),
                Some((count, first, last)) => hinted(
                    message,
                    format!(
                        "{}, revisions {first} to {last}",
                        plural(*count, "event is retained", "events are retained")
                    ),
                ),
            }
        }
        NoAnswer::TwoRevisions { own, given, flag } => plain(format!(
            "two revisions are named: {own}, and {flag} {given}"
        )),
        NoAnswer::RangeAndRevision(own) => plain(format!(
            "a range and a revision after an address, {own}: one of them is enough"
        )),
        NoAnswer::SeveralRanges => plain("one range of revisions, A..B, is enough"),
        NoAnswer::NotARange(why) => plain(why.clone()),
        NoAnswer::TwoAddressRevisions(first, second) => hinted(
            format!("the addresses name two revisions, {first} and {second}"),
            "`diff DB A..B ADDRESS` compares two revisions",
        ),
        NoAnswer::RangeUpsideDown { from, to } => hinted(
            format!("the range is reversed: {from} is after {to}"),
            "A..B goes from the older to the newer",
        ),
        // This verb takes no address.
        _ if run.verb == "restore" => hinted(
            "v3, ~1, created and deleted are revisions of one object",
            "revisions of the store are 123, @, @~5",
        ),
        _ => hinted(
            "v3, ~1, created and deleted are revisions of one object",
            format!(
                "name one: `{}`; revisions of the store are 123, @, @~5",
                run.line(run.verb, &["pod/web-1".to_owned(), "-n shop".to_owned()])
            ),
        ),
    }
}

fn address_needed(no: &NoAnswer) -> Text {
    /// How many keys are named.
    const NAMED: usize = 5;
    match no {
        NoAnswer::ScopeWithKey {
            flag,
            names,
            address,
        } => hinted(
            format!(
                "{flag} {} narrows resources, and {} is a key or a prefix of keys",
                key_text(names.as_bytes()),
                address.text()
            ),
            if *flag == "-n" {
                "a prefix can end in the namespace: /registry/pods/NS/"
            } else {
                "a prefix can end in the logical cluster: /registry/core/pods/CLUSTER/"
            },
        ),
        NoAnswer::SeveralKeys {
            address,
            count,
            keys,
        } => {
            let keys: Vec<_> = keys.iter().map(|key| key_text(key)).collect();
            hinted(
                format!("{} names {count} keys, and one is needed", address.text()),
                first_of(&keys, NAMED),
            )
        }
        _ => plain("one object or key is needed"),
    }
}

fn no_time(no: &NoAnswer) -> Text {
    match no {
        NoAnswer::NoTimes { encrypted } => {
            let message =
                "no time is known: etcd does not store times, and no object in this store has one";
            match encrypted {
                0 => plain(message),
                encrypted => hinted(
                    message,
                    format!(
                        "{} encrypted: `--encryption-config FILE` decrypts them",
                        counted(*encrypted, "value is", "values are")
                    ),
                ),
            }
        }
        NoAnswer::OlderThanAll {
            asked,
            oldest: (oldest, time),
        } => hinted(
            format!("no retained revision is as old as {}", time_text(*asked)),
            format!(
                "the oldest is {oldest}, written about {}",
                time.map(time_text).unwrap_or_default()
            ),
        ),
        NoAnswer::NotATime(text) => hinted(
            format!("{text:?} is not a time"),
            "a time is 2026-11-20T21:05:00Z, '2026-11-20 21:05', 2026-11-20 (UTC), 21:05 on the newest day in the store, or 10m, 2h, 1d before the newest time in the store",
        ),
        NoAnswer::NoFixedLength(text) => hinted(
            format!("{text:?}: months and years have no fixed length"),
            "give days, as 30d, or a date",
        ),
        _ => hinted(
            "no time in this store to count back from",
            "give the time itself, as 2026-11-20T21:05:00Z",
        ),
    }
}
