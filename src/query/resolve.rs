//! From revisions as they are typed to main revisions of a store.

use crate::etcd::store::RevisionUnavailable;
use crate::etcd::{Event, EventType, KeyHistory, Store};

use super::address::Address;
use super::no_answer::NoAnswer;
use super::question::Question;
use super::revision::{RangeExpr, RevisionExpr};
use super::select::Which;

pub use crate::etcd::AtRevision;

/// The one revision that was named, as `ADDRESS@REV` or by a flag.
///
/// # Errors
/// When both were, and they differ.
pub fn only_one(
    own: Option<RevisionExpr>,
    given: Option<RevisionExpr>,
    flag: &'static str,
) -> Result<Option<RevisionExpr>, NoAnswer> {
    match (own, given) {
        (Some(own), Some(given)) if own != given => {
            Err(NoAnswer::TwoRevisions { own, given, flag })
        }
        (own, given) => Ok(own.or(given)),
    }
}

/// The main revision that an expression names; `which` names the object of a revision such as `v3`.
///
/// # Errors
/// When it is below the compaction or above the newest, or no such event of the object is retained.
pub fn resolve(
    revision: RevisionExpr,
    question: &Question<'_>,
    which: &Which,
) -> Result<AtRevision, NoAnswer> {
    let store = question.store();
    if !revision.is_of_object() || !which.is_given() {
        let resolved = revision_of_store(revision, store);
        if let Ok(at) = &resolved {
            question.note_older_full(*at);
        }
        return resolved.inspect_err(|error| {
            let is_compacted = matches!(
                error,
                NoAnswer::Unavailable(RevisionUnavailable::Compacted { .. })
            );
            if is_compacted {
                question.note_compacted(&|_| true, None);
            }
        });
    }
    let head = store.at(None)?;
    let selection = which.select(&[(store, head)], question.keyring())?;
    let key = selection.one_key(question, head)?;
    let address = selection.addresses().first();
    let name = address.map_or_else(String::new, Address::text);
    let history = KeyHistory::read(store, &key);
    let event = event_of_object(revision, &history, store, &name)?;
    Ok(AtRevision(event.record.revision.main))
}

/// The revisions that events are asked of, the first of them not included: those of `A..B`, or up to the revision
/// after an address, or all.
///
/// # Errors
/// As [`resolve_range`], and when both are given.
pub fn resolve_events(
    range: Option<RangeExpr>,
    own: Option<RevisionExpr>,
    question: &Question<'_>,
    which: &Which,
) -> Result<(AtRevision, AtRevision), NoAnswer> {
    match (range, own) {
        (Some(_), Some(own)) => Err(NoAnswer::RangeAndRevision(own)),
        (Some(range), None) => resolve_range(range, question, which),
        (None, Some(own)) => Ok((AtRevision(0), resolve(own, question, which)?)),
        (None, None) => Ok((AtRevision(0), AtRevision::HEAD)),
    }
}

/// The two states between the ends of a range: without a beginning the oldest that is whole, without an
/// end the newest.
///
/// # Errors
/// As [`resolve`], and when the range is reversed.
pub fn resolve_range(
    range: RangeExpr,
    question: &Question<'_>,
    which: &Which,
) -> Result<(AtRevision, AtRevision), NoAnswer> {
    let store = question.store();
    let from = match range.from {
        Some(from) => resolve(from, question, which)?,
        None => AtRevision(store.compact_revision()),
    };
    let to = match range.to {
        Some(to) => resolve(to, question, which)?,
        None => store.at(None)?,
    };
    if from.0 > to.0 && to != AtRevision::HEAD {
        return Err(NoAnswer::RangeUpsideDown {
            from: from.0,
            to: to.0,
        });
    }
    Ok((from, to))
}

/// The main revision of the store.
///
/// # Errors
/// When it is below the compaction, above the newest, or is one of an object.
pub fn revision_of_store(asked: RevisionExpr, store: &Store<'_>) -> Result<AtRevision, NoAnswer> {
    let current = store.current_revision();
    let main = match asked {
        RevisionExpr::Main(main) | RevisionExpr::Record(main, _) => main,
        RevisionExpr::Head(0) => return Ok(store.at(None)?),
        RevisionExpr::Head(back) => current.saturating_sub(back),
        RevisionExpr::Version(_)
        | RevisionExpr::Back(_)
        | RevisionExpr::Created
        | RevisionExpr::Deleted => {
            return Err(NoAnswer::RevisionOfObject);
        }
    };
    if main < 1 {
        return Err(RevisionUnavailable::Compacted {
            asked: main,
            compacted: store.compact_revision(),
        }
        .into());
    }
    Ok(store.at(Some(main))?)
}

/// The event of an object which this revision names: of a main revision the last event at or before it.
///
/// # Errors
/// When no such event is retained; the message says which are.
pub fn event_of_object<'h, 'a>(
    asked: RevisionExpr,
    history: &'h KeyHistory<'a>,
    store: &Store<'_>,
    name: &str,
) -> Result<&'h Event<'a>, NoAnswer> {
    let events = &history.events;
    let newest_first = || events.iter().rev();
    let found = match asked {
        RevisionExpr::Version(number) => newest_first()
            .find(|event| event.event_type != EventType::Delete && event.record.version == number),
        RevisionExpr::Back(back) => newest_first().nth(back),
        RevisionExpr::Created => newest_first().find(|event| event.event_type == EventType::Create),
        RevisionExpr::Deleted => newest_first().find(|event| event.event_type == EventType::Delete),
        RevisionExpr::Record(main, sub) => events
            .iter()
            .find(|event| (event.record.revision.main, event.record.revision.sub) == (main, sub)),
        RevisionExpr::Main(_) | RevisionExpr::Head(_) => {
            let at = revision_of_store(asked, store)?;
            newest_first().find(|event| event.record.revision.main <= at.0)
        }
    };
    found.ok_or_else(|| not_retained(asked, history, name))
}

fn not_retained(asked: RevisionExpr, history: &KeyHistory<'_>, name: &str) -> NoAnswer {
    let main = |event: &Event<'_>| event.record.revision.main;
    let ends = history.events.first().zip(history.events.last());
    NoAnswer::EventNotRetained {
        asked,
        name: name.to_owned(),
        retained: ends.map(|(first, last)| (history.events.len(), main(first), main(last))),
    }
}
