//! The sentences of etcd's client and server for what they refuse, and those for ranges without a key.

use crate::etcd::store::RevisionUnavailable;
use crate::query::refusal::{NothingInRange, Refusal};

use super::{Text, hinted, plain};

/// The sentence of etcd's client or server.
pub(super) fn text(refusal: &Refusal) -> Text {
    match refusal {
        Refusal::PrefixAndFromKey => {
            plain("`--prefix` and `--from-key` cannot be set at the same time, choose one")
        }
        Refusal::EndWithFlag => plain(
            "too many arguments, only accept one argument when `--prefix` or `--from-key` is set",
        ),
        Refusal::OneOrTwoKeys => hinted(
            "get command needs one argument as key and an optional argument as range_end",
            EVERY_KEY,
        ),
        Refusal::EmptyKey => hinted("etcdserver: key is not provided", EVERY_KEY),
        Refusal::EmptyWatchRange => hinted(
            "mvcc: watcher range is empty",
            "two keys are a range, and RANGE_END has to be after KEY",
        ),
        Refusal::Unavailable(error) => unavailable(error),
    }
}

const EVERY_KEY: &str = "`\"\" --prefix` is every key";

/// etcd's sentence for a revision that cannot be asked for, as etcdctl prints it.
fn unavailable(error: &RevisionUnavailable) -> Text {
    let (sentence, hint) = match error {
        RevisionUnavailable::Compacted { compacted, .. } => (
            "required revision has been compacted",
            if *compacted > 0 {
                format!(
                    "the store is compacted to {compacted}: `--rev {compacted}` is the oldest that can be asked for"
                )
            } else {
                "revisions begin with 1".to_owned()
            },
        ),
        RevisionUnavailable::BeforeDeltas { first, .. } => (
            "required revision has been compacted",
            format!("the delta snapshots begin with `--rev {first}`"),
        ),
        RevisionUnavailable::Future { current, .. } => (
            "required revision is a future revision",
            format!("the newest is `--rev {current}`"),
        ),
    };
    hinted(format!("etcdserver: mvcc: {sentence}"), hint)
}

/// The sentence for a range without a key to show.
pub(super) fn nothing_in_range(why: NothingInRange) -> Text {
    match why {
        NothingInRange::UpsideDown => hinted(
            "the range is reversed: RANGE_END is not after KEY",
            "RANGE_END itself is not in the range",
        ),
        NothingInRange::NoneSelected(1) => plain("the one key in this range is not selected"),
        NothingInRange::NoneSelected(count) => plain(format!("none of {count} keys is selected")),
        NothingInRange::NoKey => plain("no key is in this range"),
    }
}
