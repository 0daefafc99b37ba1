//! `--why-time`: which objects in the file prove when a revision was written.

use std::collections::BTreeMap;

use crate::bbolt::Direction;
use crate::etcd::{Record, Revision, Store};
use crate::k8s::anchors::{Evidence, lease_renewed};
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;
use crate::k8s::wall_clock::{Bounds, Point};

use super::Timeline;
use crate::query::manager_text::manager_text;

/// The object that proves one end of the bounds of a revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The main revision of the object.
    pub main: i64,
    /// The time in it, in seconds since 1970.
    pub time: i64,
    /// The key of the object.
    pub key: Box<[u8]>,
    /// Which field of the object has the time.
    pub evidence: Evidence,
    /// The field manager, if the time is that of a managedFields entry.
    pub by: Option<String>,
}

/// The time of a main revision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The main revision.
    pub main: i64,
    /// When it was written.
    pub bounds: Bounds,
    /// Why it was not written before the lower bound.
    pub lower: Option<Reason>,
    /// Why it was not written after the upper bound.
    pub upper: Option<Reason>,
    /// If the revision wrote a Lease: the time at which the holder renewed it, by the holder's own clock. The clock may
    /// be wrong, so this is no bound.
    pub hint: Option<i64>,
}

impl Why {
    /// The bounds of a revision, without reasons yet.
    fn new(main: i64, bounds: Bounds) -> Self {
        Self {
            main,
            bounds,
            lower: None,
            upper: None,
            hint: None,
        }
    }
}

impl Timeline {
    /// The reasons for the times of these main revisions, by main revision. The timeline keeps only which record each
    /// bound comes from, so this reads the records once more: first it collects which records are needed, then it
    /// decodes them in one pass over the store.
    #[must_use]
    pub fn why(
        &self,
        store: &Store<'_>,
        keyring: &Keyring,
        mains: impl IntoIterator<Item = i64>,
    ) -> BTreeMap<i64, Why> {
        let mut answers: BTreeMap<i64, Why> = BTreeMap::new();
        for main in mains {
            let unexplained = || Why::new(main, self.bounds(main));
            answers.entry(main).or_insert_with(unexplained);
        }
        // By the revision of the record that contains the time: the bounds that come from it.
        let mut uses: BTreeMap<(i64, u32), Vec<PointUse>> = BTreeMap::new();
        for (main, Why { bounds, .. }) in &answers {
            let ends = [(End::Lower, bounds.lower), (End::Upper, bounds.upper)];
            for (end, point) in ends {
                if let Some(point) = point {
                    let record = (point.source, point.source_sub);
                    let main = *main;
                    let point_use = PointUse { main, end, point };
                    uses.entry(record).or_default().push(point_use);
                }
            }
        }
        for record in store.records(Direction::Forward) {
            let Revision { main, sub } = record.revision;
            let sub = u32::try_from(sub).ok();
            let uses = sub.and_then(|sub| uses.get(&(main, sub)));
            if uses.is_none() && !answers.contains_key(&main) {
                continue;
            }
            let Ok(value) = keyring.decrypt(record.key, record.value) else {
                continue;
            };
            // A record has only one or two points, but each may bound many revisions: its reason is made once.
            let mut reasons: Vec<(Point, Reason)> = Vec::new();
            for point_use in uses.into_iter().flatten() {
                let known = reasons.iter().find(|(point, _)| *point == point_use.point);
                let reason = match known {
                    Some((_, reason)) => reason.clone(),
                    None => {
                        let reason = reason(&record, &value, &point_use.point);
                        reasons.push((point_use.point, reason.clone()));
                        reason
                    }
                };
                if let Some(answer) = answers.get_mut(&point_use.main) {
                    match point_use.end {
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

/// Which end of the bounds a point is.
#[derive(Debug, Clone, Copy)]
enum End {
    Lower,
    Upper,
}

/// A revision, and the end of its bounds that a point proves.
#[derive(Debug, Clone, Copy)]
struct PointUse {
    main: i64,
    end: End,
    point: Point,
}

/// The reason that a point of a record gives. `value` is the decrypted value of the record.
fn reason(record: &Record<'_>, value: &[u8], point: &Point) -> Reason {
    let Point { main, anchor, .. } = *point;
    let meta = Meta::read(value);
    let who = meta.as_ref().and_then(|meta| anchor.writer(meta));
    let by = who.map(|who| manager_text(record.key, who.manager, who.subresource));
    Reason {
        main,
        time: anchor.time,
        key: record.key.into(),
        evidence: anchor.evidence,
        by,
    }
}
