//! Fights: two field managers that flip the same field.
//!
//! A flip is a change that restores the value which the change of the field before it replaced, if other managers wrote
//! it. Example: manager `a` sets `spec.replicas` from 3 to 5, then `b` from 5 to 3: one flip. One flip may be a
//! correction, so a fight has at least [`LEAST_FLIPS`].

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;

use crate::arrange::Arrange as _;
use crate::k8s::diff::{FieldChange, Op};

/// Fewer flips are no fight.
pub const LEAST_FLIPS: u64 = 2;

/// Events with more managers than this are left out, because it is not known which of them wrote a field. Without the
/// limit the work would grow with the number of managers times the number of changed fields.
pub const MOST_MANAGERS: usize = 8;

/// Two managers that flip a field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fight {
    /// The key of the object.
    pub key: Box<[u8]>,
    /// The path of the field.
    pub path: String,
    /// The two managers, in the order of their names. Of an event with several managers it is the first one.
    pub managers: [String; 2],
    /// How often one of them restored the value that the other had replaced.
    pub flips: u64,
    /// Main revision of the newest flip.
    pub example: i64,
}

/// The last change of a field.
#[derive(Debug)]
struct LastChange {
    /// Hashes of the values before and after.
    old: u64,
    new: u64,
    /// The managers of its event.
    managers: Vec<String>,
}

/// The key, the path of the field, and the two managers in the order of their names.
type Opponents = (Box<[u8]>, String, [String; 2]);

/// How many flips there were, and the main revision of the newest.
type Flips = (u64, i64);

/// The changes of fields up to an event.
#[derive(Debug, Default)]
pub(super) struct Fights {
    /// The key whose changes were added last.
    key: Box<[u8]>,
    /// The last change of each of its fields, by path.
    last: HashMap<String, LastChange>,
    flips: BTreeMap<Opponents, Flips>,
}

impl Fights {
    /// Adds a change of a field. Changes are added key by key, those of a key in the order of revisions.
    pub(super) fn add(&mut self, key: &[u8], change: &FieldChange, managers: &[String], main: i64) {
        let is_known = (1..=MOST_MANAGERS).contains(&managers.len());
        // A move within a list replaces no value.
        if change.op == Op::Move || !is_known {
            return;
        }
        let path = change.path.to_string();
        let now = LastChange {
            old: hash(change.old.as_ref()),
            new: hash(change.new.as_ref()),
            managers: managers.to_vec(),
        };
        if *self.key != *key {
            self.key = key.into();
            self.last.clear();
        }
        let before = self.last.insert(path.clone(), now);
        let Some(before) = before else { return };
        let restores =
            hash(change.old.as_ref()) == before.new && hash(change.new.as_ref()) == before.old;
        let is_other = !before.managers.iter().any(|known| managers.contains(known));
        if let (true, true, Some(one), Some(other)) = (
            restores,
            is_other,
            before.managers.first(),
            managers.first(),
        ) {
            let mut pair = [one.clone(), other.clone()];
            pair.sort_unstable();
            let (flips, newest) = self.flips.entry((key.into(), path, pair)).or_default();
            *flips = flips.saturating_add(1);
            *newest = main;
        }
    }

    /// The fights, those with the most flips first.
    pub(super) fn finish(self) -> Vec<Fight> {
        let flips = self.flips.into_iter();
        let fights = flips.map(|((key, path, managers), (flips, example))| Fight {
            key,
            path,
            managers,
            flips,
            example,
        });
        let mut fights: Vec<Fight> = fights.filter(|fight| fight.flips >= LEAST_FLIPS).collect();
        fights.arrange_by_key(|fight| std::cmp::Reverse(fight.flips));
        fights
    }
}

/// The hash of a value, so that large values are not kept. It is the same in every run.
fn hash(value: Option<&Value>) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
