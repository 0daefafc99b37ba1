//! The sentences for one object or one transaction that cannot be shown.

use crate::named::key_text;
use crate::query::NoAnswer;
use crate::query::unreadable::Unreadable;

use super::super::notice::encryption_hint;
use super::{Text, hinted, plain};

/// The sentence and the hint.
pub(super) fn text(no: &NoAnswer) -> Text {
    match no {
        NoAnswer::SeveralObjects { count, keys } => several(*count, keys),
        NoAnswer::Unreadable { key, revision, why } => {
            let head = format!("{} at revision {revision}", key_text(key));
            match why {
                Unreadable::Encrypted(error) => (
                    format!("{head}: {error}"),
                    encryption_hint(error).map(str::to_owned),
                ),
                Unreadable::Undecodable(error) => plain(format!("{head}: {error}")),
                Unreadable::NotAnObject => hinted(
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
        _ => plain("nothing found"),
    }
}

fn several(count: usize, keys: &[Box<[u8]>]) -> Text {
    let named: Vec<_> = keys.iter().map(|key| key_text(key)).collect();
    let more = if count > keys.len() { ", ..." } else { "" };
    hinted(
        format!("blame takes one object, and these are {count}"),
        format!("{}{more}", named.join(", ")),
    )
}
