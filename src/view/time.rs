//! When a revision was written, as text: RFC 3339 in UTC.

use serde_json::{Map, Value};

use crate::k8s::anchors::Evidence;
use crate::k8s::meta::time_text;
use crate::k8s::wall_clock::Bounds;
use crate::named::key_text;
use crate::query::timeline::why::{Reason, Why};

/// The time of a revision and its reasons, in lines.
#[must_use]
pub fn why_lines(why: &Why) -> Vec<String> {
    let Bounds {
        not_before,
        not_after,
        exact,
        contradicted,
        ..
    } = why.bounds;
    let mut lines = vec![format!("revision {}: {}", why.main, text(&why.bounds))];
    let mut line = |what: &str, time: Option<i64>, reason: Option<&Reason>| {
        if let (Some(time), Some(reason)) = (time, reason) {
            lines.push(format!(
                "  {what} {}: {}",
                time_text(time),
                reason_text(reason)
            ));
        }
    };
    match exact {
        Some(time) if why.lower == why.upper => {
            line("at", Some(time), why.lower.as_ref());
        }
        _ => {
            line("not before", not_before, why.lower.as_ref());
            line("not after", not_after, why.upper.as_ref());
        }
    }
    if let Some(time) = contradicted {
        lines.push(format!(
            "  its own object says {}, which other revisions contradict: left out",
            time_text(time)
        ));
    }
    if let Some(time) = why.hint {
        lines.push(format!(
            "  hint: its Lease was renewed {}, by the clock of its holder",
            time_text(time)
        ));
    }
    lines
}
fn reason_text(reason: &Reason) -> String {
    let Reason {
        main,
        time,
        key,
        evidence,
        by,
    } = reason;
    let by = by.as_deref().unwrap_or_default();
    let what = match evidence {
        Evidence::Created => "creationTimestamp".to_owned(),
        Evidence::ManagedFields => format!("managedFields time of {by}"),
        Evidence::DeletionRequested => "deletionTimestamp less its grace".to_owned(),
        Evidence::Received => {
            return format!(
                "a backup received the event at {}, revision {main}",
                time_text(*time)
            );
        }
        Evidence::Floor => format!("managedFields time of {by}, at that revision or before it"),
    };
    format!(
        "{what} {} in {} at revision {main}",
        time_text(*time),
        key_text(key)
    )
}

/// A cell: the second where an object tells it, else the interval, `>=` or `<=` where one end is known, and `-`
/// where none is. An interval within one day has the day once.
#[must_use]
pub fn text(bounds: &Bounds) -> String {
    if let Some(time) = bounds.exact {
        return time_text(time);
    }
    match (bounds.not_before, bounds.not_after) {
        (Some(from), Some(to)) => {
            let (from, to) = (time_text(from), time_text(to));
            match (from.split_once('T'), to.split_once('T')) {
                (Some((day, _)), Some((same, clock))) if day == same => format!("{from}..{clock}"),
                _ => format!("{from}..{to}"),
            }
        }
        (Some(from), None) => format!(">={}", time_text(from)),
        (None, Some(to)) => format!("<={}", time_text(to)),
        (None, None) => "-".to_owned(),
    }
}

/// Puts the bounds into an event, by the output contract; what is not known is not there.
pub fn insert(into: &mut Map<String, Value>, bounds: &Bounds) {
    let ends = [
        ("time_not_before", bounds.not_before),
        ("time_not_after", bounds.not_after),
    ];
    for (name, time) in ends {
        if let Some(time) = time {
            into.insert(name.to_owned(), time_text(time).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_says_as_much_as_is_known() {
        let cell = |not_before, not_after, exact| {
            text(&Bounds {
                not_before,
                not_after,
                exact,
                ..Bounds::default()
            })
        };
        let at = 1_763_626_496;
        assert_eq!(
            cell(Some(at), Some(at + 1), Some(at)),
            "2025-11-20T08:14:56Z"
        );
        assert_eq!(
            cell(Some(at), Some(at + 2), None),
            "2025-11-20T08:14:56Z..08:14:58Z"
        );
        assert_eq!(
            cell(Some(at), Some(at + 86_400), None),
            "2025-11-20T08:14:56Z..2025-11-21T08:14:56Z"
        );
        assert_eq!(cell(Some(at), None, None), ">=2025-11-20T08:14:56Z");
        assert_eq!(cell(None, Some(at), None), "<=2025-11-20T08:14:56Z");
        assert_eq!(cell(None, None, None), "-");
    }
}
