//! Why a revision has the time that it has: the objects whose times bound it.

use std::collections::BTreeMap;

use crate::bbolt::Direction;
use crate::etcd::{Record, Revision, Store};
use crate::k8s::anchors::{Evidence, lease_renewed};
use crate::k8s::encrypt::Keyring;
use crate::k8s::meta::Meta;
use crate::k8s::wall_clock::{Bounds, Point};

use super::Timeline;
use crate::query::writers::manager_text;

/// Where one end of the bounds of a revision comes from.
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
    /// The field manager, if the field is of one.
    pub by: Option<String>,
}

/// The time of a main revision with its reasons.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// The main revision.
    pub main: i64,
    /// When it was written.
    pub bounds: Bounds,
    /// Why it was not written before.
    pub lower: Option<Reason>,
    /// Why it was not written after.
    pub upper: Option<Reason>,
    /// The time at which the holder of the Lease that it wrote renewed it, by the holder's own clock.
    pub hint: Option<i64>,
}

impl Why {
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
            let explained = || Why::new(main, self.bounds(main));
            answers.entry(main).or_insert_with(explained);
        }
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
            // A record gives one or two points, and each may bound any number of revisions.
            let mut of_point: Vec<(Point, Reason)> = Vec::new();
            for point_use in uses.into_iter().flatten() {
                let known = of_point.iter().find(|(point, _)| *point == point_use.point);
                let reason = match known {
                    Some((_, reason)) => reason.clone(),
                    None => {
                        let reason = reason(&record, &value, &point_use.point);
                        of_point.push((point_use.point, reason.clone()));
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

/// What a point bounds.
#[derive(Debug, Clone, Copy)]
enum End {
    Lower,
    Upper,
}

/// A revision that a point bounds, and on which side.
#[derive(Debug, Clone, Copy)]
struct PointUse {
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
        key: record.key.into(),
        evidence: anchor.evidence,
        by,
    }
}
