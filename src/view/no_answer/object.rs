//! The sentences for one object, record or transaction that cannot be shown.

use crate::named::key_text;
use crate::query::NoAnswer;
use crate::query::unreadable::Unreadable;

use super::super::encryption::encryption_hint;
use super::{Text, hinted, plain};

/// The sentence and the hint.
pub(super) fn text(no: &NoAnswer) -> Text {
    match no {
        NoAnswer::SeveralObjects { count, keys } => several(*count, keys),
        NoAnswer::Unreadable { key, revision, why } => {
            let head = format!("{} at revision {revision}", key_text(key));
            match &**why {
                Unreadable::Encrypted(error) => (
                    format!("{head}: {error}"),
                    encryption_hint(error).map(str::to_owned),
                ),
                Unreadable::Undecodable(error) => plain(format!("{head}: {error}")),
                Unreadable::NotAnObject | Unreadable::NotProtobuf(_) => hinted(
                    format!("{head}: it is no Kubernetes object"),
                    "`log` lists the revisions of a key",
                ),
            }
        }
        NoAnswer::TransactionNotRetained { main, sub } => {
            let sub = sub.map_or_else(String::new, |sub| format!(".{sub}"));
            plain(format!("nothing is retained of revision {main}{sub}"))
        }
        NoAnswer::TransactionLeftOut(main) => plain(format!("nothing of revision {main} is left")),
        NoAnswer::NotWrittenBy {
            name,
            main,
            manager,
        } => plain(format!(
            "{name}: revision {main} was not written by {manager}"
        )),
        NoAnswer::VersionOfDeletion => plain("version 0 is a deletion: it has no value"),
        NoAnswer::RecordOfDeletion(key) => plain(format!(
            "{}: this record is a deletion: it has no value",
            key_text(key)
        )),
        NoAnswer::VersionNotRetained {
            key,
            version,
            retained,
        } => no_version(key, *version, retained),
        NoAnswer::NotAnItem => hinted(
            "this is no leaf item of bucket key: no etcd record can be read from it",
            "expected what `bbolt page-item --value-only --format bytes DB PAGE ITEM` prints",
        ),
        NoAnswer::FilterHoldsOfNoKey => plain("the filter holds of no live key"),
        _ => plain("nothing found"),
    }
}

fn no_version(key: &[u8], version: i64, retained: &[i64]) -> Text {
    let retained: Vec<String> = retained.iter().map(ToString::to_string).collect();
    hinted(
        format!("{}: no version {version} is retained", key_text(key)),
        if retained.is_empty() {
            "`ls` lists the keys".to_owned()
        } else {
            format!("it has {} (0 is a deletion)", retained.join(", "))
        },
    )
}

fn several(count: usize, keys: &[Box<[u8]>]) -> Text {
    let named: Vec<_> = keys.iter().map(|key| key_text(key)).collect();
    let more = if count > keys.len() { ", ..." } else { "" };
    hinted(
        format!("blame takes one object, and these are {count}"),
        format!("{}{more}", named.join(", ")),
    )
}
