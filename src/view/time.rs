//! When a revision was written, as text: RFC 3339 in UTC.

use serde_json::{Map, Value};

use crate::k8s::meta::time_text;
use crate::k8s::wall_clock::Bounds;

/// What tells one end of the bounds of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The main revision which it tells of.
    pub main: i64,
    /// What it tells, in seconds since 1970.
    pub time: i64,
    /// The key of the object that tells it, for people.
    pub key: String,
    /// Where in the object it stands.
    pub what: String,
}

/// On what the time of a main revision rests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The main revision.
    pub main: i64,
    /// When it was written.
    pub bounds: Bounds,
    /// What tells that it was not before.
    pub lower: Option<Reason>,
    /// What tells that it was not after.
    pub upper: Option<Reason>,
    /// When the holder of the Lease that it wrote says it renewed it, by the holder's own clock.
    pub hint: Option<i64>,
}

impl Why {
    /// The bounds, with nothing said of them yet.
    #[must_use]
    pub fn of(main: i64, bounds: Bounds) -> Self {
        Self {
            main,
            bounds,
            lower: None,
            upper: None,
            hint: None,
        }
    }

    /// A line for each thing there is to say.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let Bounds {
            not_before,
            not_after,
            exact,
            contradicted,
            ..
        } = self.bounds;
        let mut lines = vec![format!("revision {}: {}", self.main, text(&self.bounds))];
        let mut line = |what: &str, time: Option<i64>, reason: Option<&Reason>| {
            if let (Some(time), Some(reason)) = (time, reason) {
                lines.push(format!("  {what} {}: {}", time_text(time), reason.text()));
            }
        };
        match exact {
            Some(time) if self.lower == self.upper => {
                line("at", Some(time), self.lower.as_ref());
            }
            _ => {
                line("not before", not_before, self.lower.as_ref());
                line("not after", not_after, self.upper.as_ref());
            }
        }
        if let Some(time) = contradicted {
            lines.push(format!(
                "  its own object says {}, which other revisions contradict: left out",
                time_text(time)
            ));
        }
        if let Some(time) = self.hint {
            lines.push(format!(
                "  hint: its Lease was renewed {}, by the clock of its holder",
                time_text(time)
            ));
        }
        lines
    }
}

impl Reason {
    fn text(&self) -> String {
        let Self {
            main,
            time,
            key,
            what,
        } = self;
        format!("{what} {} in {key} at revision {main}", time_text(*time))
    }
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
