//! Who writes how much: events by field manager, resource, namespace and key, over time; fights, writes without a
//! change, and leases.
//!
//! The managers of an event are those that `log` shows. An event with several managers counts for each of them.

mod fights;

use std::collections::BTreeMap;
use std::hash::BuildHasher as _;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::arrange::Arrange as _;
use crate::etcd::key_ids::to_usize;

use super::event_list::EventList;
use super::event_log::{Event, EventFilters, EventLog, EventType};
use super::no_answer::NoAnswer;
use super::question::Question;
use super::space::{Grouping, SpaceBy};
use super::updates::{Update, each_update};

pub use super::space::Group;
pub use fights::Fight;

use fights::{Fights, MOST_MANAGERS};

/// How many parts the period is cut into, for the counts over time.
pub const STEPS: usize = 16;

/// The events of one group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChurnRow {
    /// What they have in common.
    pub group: Group,
    /// How many events.
    pub writes: u64,
    /// How many of them are deletions.
    pub deletions: u64,
    /// Length of the values that were written, in bytes.
    pub bytes: u64,
    /// How many events were in each part of the period.
    pub over_time: [u32; STEPS],
    /// The estimated times of the first and the last event, in seconds since 1970; none in a store without times.
    pub times: Option<(i64, i64)>,
    /// Main revision of the newest event.
    pub example: i64,
}

impl ChurnRow {
    fn new(group: Group) -> Self {
        Self {
            group,
            writes: 0,
            deletions: 0,
            bytes: 0,
            over_time: [0; STEPS],
            times: None,
            example: 0,
        }
    }

    /// Adds an event.
    fn add(&mut self, event: &Event<'_>, step: usize, time: Option<i64>) {
        self.writes = self.writes.saturating_add(1);
        let is_deletion = event.event_type == EventType::Delete;
        self.deletions = self.deletions.saturating_add(is_deletion.into());
        let bytes = event.record.value.len() as u64;
        self.bytes = self.bytes.saturating_add(bytes);
        if let Some(count) = self.over_time.get_mut(step) {
            *count = count.saturating_add(1);
        }
        if let Some(time) = time {
            let (first, last) = self.times.unwrap_or((time, time));
            self.times = Some((first.min(time), last.max(time)));
        }
        self.example = self.example.max(event.record.revision.main);
    }
}

/// Updates of one key that changed nothing but managedFields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoChange {
    /// The key.
    pub key: Box<[u8]>,
    /// The managers that wrote them in the order of their first write, at most eight.
    pub managers: Vec<String>,
    /// How many.
    pub writes: u64,
    /// Length of the values that were written, in bytes.
    pub bytes: u64,
    /// Main revision of the newest.
    pub example: i64,
}

/// The period of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// Main revisions of the first and the last event.
    pub revisions: (i64, i64),
    /// Their estimated times, in seconds since 1970; none in a store without times.
    pub times: Option<(i64, i64)>,
}

/// Who writes how much.
#[derive(Debug)]
pub struct Churn {
    /// The period.
    pub period: Period,
    /// All events.
    pub total: ChurnRow,
    /// By field manager, most writes first.
    pub managers: Vec<ChurnRow>,
    /// By resource.
    pub resources: Vec<ChurnRow>,
    /// By namespace.
    pub namespaces: Vec<ChurnRow>,
    /// By key.
    pub keys: Vec<ChurnRow>,
    /// Fields that two managers flip, most flips first.
    pub fights: Vec<Fight>,
    /// Keys with updates that changed nothing but managedFields, most updates first.
    pub no_changes: Vec<NoChange>,
    /// Lease objects that were written more than once, most writes first.
    pub leases: Vec<ChurnRow>,
}

impl Churn {
    /// Counts the events of a question that pass the filters.
    ///
    /// # Errors
    /// If no event passes. The error has the reason.
    pub fn read(question: &Question<'_>, filters: &EventFilters) -> Result<Self, NoAnswer> {
        let log = EventLog::read(question, filters)?;
        let mut events = log.newest()?;
        events.reverse();
        let mut comparison = log.comparison();
        let mut count = Count::new(question, &events);
        each_update(&events, &mut comparison, |event, update| {
            count.event(event, update);
            Ok::<_, NoAnswer>(())
        })?;
        Ok(count.finish())
    }
}

/// Rows that are being counted. Each group is kept once, in its row: a store has as many groups as keys.
#[derive(Default)]
struct Rows {
    rows: Vec<ChurnRow>,
    hasher: RandomState,
    /// The index of the row of each group.
    indexes: HashTable<u32>,
}

impl Rows {
    /// The row of a group; a new one if it has none.
    fn row(&mut self, group: Group) -> Option<&mut ChurnRow> {
        let hash = self.hasher.hash_one(&group);
        let is_of_group = |index: &u32| self.group_at(*index) == Some(&group);
        let index = match self.indexes.find(hash, is_of_group) {
            Some(index) => *index,
            None => self.add(hash, group)?,
        };
        self.rows.get_mut(to_usize(index))
    }

    /// Adds the row of a group that has none, and returns its index.
    fn add(&mut self, hash: u64, group: Group) -> Option<u32> {
        let index = u32::try_from(self.rows.len()).ok()?;
        self.rows.push(ChurnRow::new(group));
        let (rows, hasher) = (&self.rows, &self.hasher);
        self.indexes.insert_unique(hash, index, |index| {
            let row = rows.get(to_usize(*index));
            row.map_or(0, |row| hasher.hash_one(&row.group))
        });
        Some(index)
    }

    fn group_at(&self, index: u32) -> Option<&Group> {
        let row = self.rows.get(to_usize(index))?;
        Some(&row.group)
    }

    /// The rows with the most writes first, then by name.
    fn sorted(self) -> Vec<ChurnRow> {
        let Self {
            mut rows, indexes, ..
        } = self;
        // It is only needed to add events.
        drop(indexes);
        rows.arrange_by(|a, b| (b.writes, &a.group).cmp(&(a.writes, &b.group)));
        rows
    }
}

/// The counts up to an event.
struct Count<'q, 'a> {
    question: &'q Question<'a>,
    period: Period,
    total: ChurnRow,
    managers: Rows,
    /// The rows by resource, by namespace and by key.
    groupings: [(Grouping<'q>, Rows); 3],
    fights: Fights,
    no_changes: BTreeMap<Box<[u8]>, NoChange>,
}

impl<'q, 'a> Count<'q, 'a> {
    /// No counts yet. The events, in the order of revisions, are needed for the period and for the groups.
    fn new(question: &'q Question<'a>, events: &EventList<'_, '_>) -> Self {
        let mut mains = events.mains();
        let first = mains.next().unwrap_or(0);
        let revisions = (first, mains.last().unwrap_or(first));
        let clock = question.timeline().clock();
        let times = clock.estimate(revisions.0).zip(clock.estimate(revisions.1));
        let keys = || events.iter().map(|event| event.record.key);
        let grouping = |by| {
            // The depth is for prefixes, which are not counted here.
            let grouping = Grouping::new(by, 1, question.catalog(), keys());
            (grouping, Rows::default())
        };
        Self {
            question,
            period: Period { revisions, times },
            total: ChurnRow::new(Group::Total),
            managers: Rows::default(),
            groupings: [SpaceBy::Resource, SpaceBy::Namespace, SpaceBy::Key].map(grouping),
            fights: Fights::default(),
            no_changes: BTreeMap::new(),
        }
    }

    /// Adds an event to every row that it belongs to.
    fn event(&mut self, event: &Event<'_>, update: Update) {
        let main = event.record.revision.main;
        let time = self.question.timeline().clock().estimate(main);
        let step = self.period.step_of(main, time);
        self.total.add(event, step, time);
        let add = |rows: &mut Rows, group: Group| {
            if let Some(row) = rows.row(group) {
                row.add(event, step, time);
            }
        };
        for (grouping, rows) in &mut self.groupings {
            add(rows, grouping.group_of(event.record.key));
        }
        let Update { managers, fields } = update;
        if managers.is_empty() {
            let is_deletion = event.event_type == EventType::Delete;
            add(
                &mut self.managers,
                match is_deletion {
                    true => Group::Deletions,
                    false => Group::UnknownManager,
                },
            );
        }
        for manager in &managers {
            add(&mut self.managers, Group::Manager(manager.clone()));
        }
        let main = event.record.revision.main;
        match fields {
            None => {}
            Some(fields) if fields.is_empty() => self.no_change(event, managers),
            Some(fields) => {
                for field in &fields {
                    self.fights.add(event.record.key, field, &managers, main);
                }
            }
        }
    }

    /// Adds an update that changed nothing but managedFields.
    fn no_change(&mut self, event: &Event<'_>, managers: Vec<String>) {
        let key = event.record.key;
        let row = self.no_changes.entry(key.into());
        let row = row.or_insert_with(|| NoChange {
            key: key.into(),
            managers: Vec::new(),
            writes: 0,
            bytes: 0,
            example: 0,
        });
        row.writes = row.writes.saturating_add(1);
        row.bytes = row.bytes.saturating_add(event.record.value.len() as u64);
        row.example = event.record.revision.main;
        for manager in managers {
            if row.managers.len() < MOST_MANAGERS && !row.managers.contains(&manager) {
                row.managers.push(manager);
            }
        }
    }

    /// The result, after the last event.
    fn finish(self) -> Churn {
        let [resources, namespaces, keys] = self.groupings.map(|(_, rows)| rows.sorted());
        let catalog = self.question.catalog();
        let is_lease = |row: &&ChurnRow| {
            let Group::Key(key) = &row.group else {
                return false;
            };
            let location = catalog.locate(key);
            let name = location.map(|location| location.resource.plural_with_group());
            row.writes > 1 && name.as_deref() == Some("leases.coordination.k8s.io")
        };
        let leases = keys.iter().filter(is_lease).cloned().collect();
        let mut no_changes: Vec<NoChange> = self.no_changes.into_values().collect();
        no_changes.arrange_by_key(|row| std::cmp::Reverse(row.writes));
        Churn {
            period: self.period,
            total: self.total,
            managers: self.managers.sorted(),
            resources,
            namespaces,
            keys,
            fights: self.fights.finish(),
            no_changes,
            leases,
        }
    }
}

impl Period {
    /// The part of the period that an event is in: by its time, or by its revision in a store without times.
    fn step_of(&self, main: i64, time: Option<i64>) -> usize {
        let (at, (first, last)) = match (time, self.times) {
            (Some(time), Some(times)) => (time, times),
            _ => (main, self.revisions),
        };
        let whole = i128::from(last) - i128::from(first) + 1;
        let before = i128::from(at) - i128::from(first);
        let step = (before * STEPS as i128).checked_div(whole);
        let step = step.and_then(|step| usize::try_from(step).ok());
        step.unwrap_or(0).min(STEPS.saturating_sub(1))
    }
}
