//! When a revision was written, as text: RFC 3339, in UTC or in a time zone that was asked for, and as an age.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::k8s::columns::human_duration;

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

/// In which time zone times are shown.
#[derive(Debug, Clone, Default)]
pub struct Times {
    zone: Option<TimeZone>,
}

impl Times {
    /// In this zone, each time with its offset. The default is UTC, with a `Z`.
    #[must_use]
    pub fn in_zone(zone: TimeZone) -> Self {
        Self { zone: Some(zone) }
    }

    /// A time in seconds since 1970.
    fn moment(&self, time: i64) -> String {
        let moment = Timestamp::from_second(time).ok();
        match self.zone.as_ref().zip(moment) {
            Some((zone, moment)) => {
                let zoned = moment.to_zoned(zone.clone());
                zoned.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
            }
            None => time_text(time),
        }
    }

    /// A cell: the second if an object has it, otherwise the interval. `>=` or `<=` if only one end is known, `-` if
    /// neither is. An interval within one day has the day once.
    #[must_use]
    pub fn text(&self, bounds: &Bounds) -> String {
        cell(bounds, |time| self.moment(time))
    }
}

/// How long before `newest` a revision was written, as kubectl writes ages; of an interval the shortest and the
/// longest age. `newest` is the newest time of the store: an answer about a file does not change from day to day.
#[must_use]
pub fn age(bounds: &Bounds, newest: i64) -> String {
    let age = |time: i64| human_duration(newest.saturating_sub(time).max(0));
    if let Some(time) = bounds.exact {
        return age(time);
    }
    match (bounds.not_before, bounds.not_after) {
        (Some(from), Some(to)) => match (age(to), age(from)) {
            (short, long) if short == long => long,
            (short, long) => format!("{short}..{long}"),
        },
        (Some(from), None) => format!("<={}", age(from)),
        (None, Some(to)) => format!(">={}", age(to)),
        (None, None) => "-".to_owned(),
    }
}

/// A cell in UTC, as [`Times::text`].
#[must_use]
pub fn text(bounds: &Bounds) -> String {
    cell(bounds, time_text)
}

fn cell(bounds: &Bounds, text_of: impl Fn(i64) -> String) -> String {
    if let Some(time) = bounds.exact {
        return text_of(time);
    }
    match (bounds.not_before, bounds.not_after) {
        (Some(from), Some(to)) => {
            let (from, to) = (text_of(from), text_of(to));
            match (from.split_once('T'), to.split_once('T')) {
                (Some((day, _)), Some((same, clock))) if day == same => format!("{from}..{clock}"),
                _ => format!("{from}..{to}"),
            }
        }
        (Some(from), None) => format!(">={}", text_of(from)),
        (None, Some(to)) => format!("<={}", text_of(to)),
        (None, None) => "-".to_owned(),
    }
}

/// Adds the bounds to an event, by the output contract. A bound that is not known is left out.
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
    fn a_zone_shifts_the_clock_and_shows_its_offset() {
        let zone = TimeZone::fixed(jiff::tz::offset(5));
        let at = 1_763_626_496;
        let times = Times::in_zone(zone);
        let exact = Bounds {
            exact: Some(at),
            ..Bounds::default()
        };
        assert_eq!(times.text(&exact), "2025-11-20T13:14:56+05:00");
        let interval = Bounds {
            not_before: Some(at),
            not_after: Some(at + 2),
            ..Bounds::default()
        };
        assert_eq!(
            times.text(&interval),
            "2025-11-20T13:14:56+05:00..13:14:58+05:00"
        );
        assert_eq!(Times::default().text(&exact), "2025-11-20T08:14:56Z");
    }

    #[test]
    fn an_age_is_counted_from_the_newest_time_of_the_store() {
        let newest = 1_763_626_496;
        let age = |not_before, not_after, exact| {
            let bounds = Bounds {
                not_before,
                not_after,
                exact,
                ..Bounds::default()
            };
            age(&bounds, newest)
        };
        assert_eq!(age(None, None, Some(newest)), "0s");
        assert_eq!(age(None, None, Some(newest - 300)), "5m");
        assert_eq!(age(Some(newest - 300), Some(newest - 60), None), "60s..5m");
        assert_eq!(
            age(Some(newest - 7200), Some(newest - 7210 + 20), None),
            "119m..120m"
        );
        assert_eq!(age(Some(newest - 300), None, None), "<=5m");
        assert_eq!(age(None, Some(newest - 300), None), ">=5m");
        assert_eq!(age(None, None, None), "-");
    }

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
