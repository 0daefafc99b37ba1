//! Revisions and times: the fold over all records that finds the anchors, and the questions by time.

mod fold;
mod when;

use std::collections::BTreeMap;

use crate::bbolt::Direction;
use crate::etcd::{Record, Revision, Store};
use crate::k8s::anchors::{Anchor, Evidence, lease_renewed};
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::{Meta, time_text};
use crate::k8s::wall_clock::{AtTime, Bounds, Certainty, Point, WallClock};
use crate::view::record::key_text;
use crate::view::time::{Reason, Why};

use super::failure::Failure;
use super::writers::manager_text;

pub use when::{When, parse_time};

/// When the revisions of a store were written, as far as its objects tell.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    clock: WallClock,
    /// Values that are encrypted, and that no key at hand opens.
    closed: u64,
}

impl Timeline {
    /// Reads the times in all values of a store, by one pass. Findings go where the store's go.
    #[must_use]
    pub fn of(store: &Store<'_>, keyring: &Keyring) -> Self {
        let folded = fold::fold(store, keyring);
        // Later revisions than the newest record's were compacted away whole.
        let oldest = folded.oldest.unwrap_or(1);
        let newest = folded
            .newest
            .unwrap_or_default()
            .max(store.compact_revision())
            .max(1);
        Self {
            clock: WallClock::new(folded.points, (oldest.min(newest), newest)),
            closed: folded.closed,
        }
    }

    /// The revisions on the wall clock.
    #[must_use]
    pub fn clock(&self) -> &WallClock {
        &self.clock
    }

    /// When a main revision was written.
    #[must_use]
    pub fn bounds(&self, main: i64) -> Bounds {
        self.clock.bounds(main)
    }

    /// A time as typed, in seconds since 1970. A duration is counted back from the newest time of the store and a clock
    /// time is one of its day: the clock of this machine is never read.
    ///
    /// # Errors
    /// When it is no time, or depends on the newest time of a store that has none.
    pub fn time(&self, text: &str) -> Result<i64, Failure> {
        self.resolve(text.parse()?)
    }

    /// The same, of a time that was parsed before the store was open.
    ///
    /// # Errors
    /// As [`Self::time`].
    pub fn resolve(&self, when: When) -> Result<i64, Failure> {
        match (when, self.clock.newest()) {
            (When::BeforeNewest(_) | When::Clock(_), None) => Err(self.no_time()),
            (when, newest) => when.resolve(newest),
        }
    }

    /// The revisions that may have been written between two times as typed, both included; a time that is not given
    /// bounds nothing.
    ///
    /// # Errors
    /// As [`Self::time`], and when the store has no times.
    pub fn range(
        &self,
        since: Option<&String>,
        until: Option<&String>,
    ) -> Result<(i64, i64), Failure> {
        let since = since.map(|text| self.since(self.time(text)?)).transpose()?;
        let until = until.map(|text| self.until(self.time(text)?)).transpose()?;
        Ok((since.unwrap_or(i64::MIN), until.unwrap_or(i64::MAX)))
    }

    /// The newest revision that was written by a time.
    ///
    /// # Errors
    /// When the store has no times, or is all younger.
    pub fn at_time(&self, time: i64) -> Result<AtTime, Failure> {
        self.known()?;
        self.clock.at_time(time).ok_or_else(|| {
            let oldest = self.clock.revisions().0;
            let from = self.clock.estimate(oldest).map(time_text);
            Failure::cannot(format!(
                "no retained revision is as old as {}",
                time_text(time)
            ))
            .hint(format!(
                "the oldest is {oldest}, of about {}",
                from.unwrap_or_default()
            ))
        })
    }

    /// The oldest revision that may have been written at or after a time; one above the newest
    /// where none may.
    ///
    /// # Errors
    /// When the store has no times.
    pub fn since(&self, time: i64) -> Result<i64, Failure> {
        self.known()?;
        let above = self.clock.revisions().1.saturating_add(1);
        Ok(self.clock.since(time).unwrap_or(above))
    }

    /// The newest revision that may have been written at or before a time; 0 where none may.
    ///
    /// # Errors
    /// When the store has no times.
    pub fn until(&self, time: i64) -> Result<i64, Failure> {
        self.known()?;
        Ok(self.clock.until(time).unwrap_or(0))
    }

    fn known(&self) -> Result<(), Failure> {
        self.clock
            .newest()
            .map(|_| ())
            .ok_or_else(|| self.no_time())
    }

    /// Why there are no times.
    #[must_use]
    pub fn no_time(&self) -> Failure {
        let failure = Failure::cannot(
            "nothing in this store says when it was written: etcd keeps no times, and no object in it has one",
        );
        match self.closed {
            0 => failure,
            closed => failure.hint(format!(
                "{closed} values are encrypted: with --encryption-config they may tell"
            )),
        }
    }

    /// On what the times of revisions rest, by main revision; by one more pass over the store.
    #[must_use]
    pub fn why(
        &self,
        store: &Store<'_>,
        keyring: &Keyring,
        mains: impl IntoIterator<Item = i64>,
    ) -> BTreeMap<i64, Why> {
        let mut answers: BTreeMap<i64, Why> = BTreeMap::new();
        for main in mains {
            let explained = || Why::of(main, self.bounds(main));
            answers.entry(main).or_insert_with(explained);
        }
        let mut reasons: BTreeMap<(i64, u32), Vec<Told>> = BTreeMap::new();
        for (main, Why { bounds, .. }) in &answers {
            let ends = [(End::Lower, bounds.lower), (End::Upper, bounds.upper)];
            for (end, point) in ends {
                if let Some(point) = point {
                    let told_by = (point.told_by, point.told_by_sub);
                    let main = *main;
                    let told = Told { main, end, point };
                    reasons.entry(told_by).or_default().push(told);
                }
            }
        }
        for record in store.records(Direction::Forward) {
            let Revision { main, sub } = record.revision;
            let told = u32::try_from(sub).ok();
            let told = told.and_then(|sub| reasons.get(&(main, sub)));
            if told.is_none() && !answers.contains_key(&main) {
                continue;
            }
            let Ok(value) = keyring.open(record.key, record.value) else {
                continue;
            };
            // A record tells one or two points, and each may bound any number of revisions.
            let mut of_point: Vec<(Point, Reason)> = Vec::new();
            for told in told.into_iter().flatten() {
                let known = of_point.iter().find(|(point, _)| *point == told.point);
                let reason = match known {
                    Some((_, reason)) => reason.clone(),
                    None => {
                        let reason = reason(&record, &value, &told.point);
                        of_point.push((told.point, reason.clone()));
                        reason
                    }
                };
                if let Some(answer) = answers.get_mut(&told.main) {
                    match told.end {
                        End::Lower => answer.lower = Some(reason),
                        End::Upper => answer.upper = Some(reason),
                    }
                }
            }
            if let Some(answer) = answers.get_mut(&main)
                && let Some(time) = lease_renewed(&value)
            {
                answer.hint = Some(time);
            }
        }
        answers
    }
}

/// What a point bounds.
#[derive(Debug, Clone, Copy)]
enum End {
    Lower,
    Upper,
}

/// A point that a record tells, and for which question.
#[derive(Debug, Clone, Copy)]
struct Told {
    main: i64,
    end: End,
    point: Point,
}

fn reason(record: &Record<'_>, value: &[u8], point: &Point) -> Reason {
    let Point { main, anchor, .. } = *point;
    let meta = Meta::read(value);
    let who = meta.as_ref().and_then(|meta| anchor.writer(meta));
    let by = who.map(|who| manager_text(record.key, who.manager, who.subresource));
    Reason {
        main,
        time: anchor.time,
        key: key_text(record.key).into_owned(),
        what: what(&anchor, by),
    }
}

fn what(anchor: &Anchor, by: Option<String>) -> String {
    let by = by.unwrap_or_default();
    match anchor.evidence {
        Evidence::Created => "creationTimestamp".to_owned(),
        Evidence::ManagedFields => format!("managedFields time of {by}"),
        Evidence::DeletionRequested => "deletionTimestamp less its grace".to_owned(),
        Evidence::Floor => {
            format!("managedFields time of {by}, at that revision or before it")
        }
    }
}

/// How certain the revision of a time is, as a sentence for standard error.
#[must_use]
pub fn inferred(at: &AtTime, time: i64) -> String {
    let AtTime {
        revision, possibly, ..
    } = at;
    let head = format!(
        "{} is revision {revision}, inferred from the times in objects",
        time_text(time)
    );
    match (at.certainty, at.surely) {
        (Certainty::Surely, _) => head,
        (Certainty::Probably, Some(surely)) => {
            format!("{head}: surely not before {surely}, and not after {possibly}")
        }
        (Certainty::Probably, None) => format!("{head}: surely not after {possibly}"),
    }
}
