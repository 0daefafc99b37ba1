//! Who writes how much: events by field manager, resource, namespace and key, over time; fights, writes without a
//! change, and leases.
//!
//! The managers of an event are those that `log` shows. An event with several managers counts for each of them.

mod fights;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::arrange::Arrange as _;

use super::event_list::EventList;
use super::event_log::{EventFilters, EventLog, EventType};
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

    /// One event: the part of the period that it is in, and its time.
    fn of_event(event: &Update, step: usize, time: Option<i64>) -> Self {
        let is_deletion = event.event_type == EventType::Delete;
        let mut over_time = [0; STEPS];
        if let Some(count) = over_time.get_mut(step) {
            *count = 1;
        }
        Self {
            group: Group::Total,
            writes: 1,
            deletions: is_deletion.into(),
            bytes: event.value_bytes,
            over_time,
            times: time.zip(time),
            example: event.main,
        }
    }

    /// Adds the events of another row.
    fn add(&mut self, other: &Self) {
        self.writes = self.writes.saturating_add(other.writes);
        self.deletions = self.deletions.saturating_add(other.deletions);
        self.bytes = self.bytes.saturating_add(other.bytes);
        for (count, other) in self.over_time.iter_mut().zip(other.over_time) {
            *count = count.saturating_add(other);
        }
        if let Some((first, last)) = other.times {
            let (known_first, known_last) = self.times.unwrap_or((first, last));
            self.times = Some((known_first.min(first), known_last.max(last)));
        }
        self.example = self.example.max(other.example);
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
    /// By field manager.
    pub managers: ChurnRows,
    /// By resource.
    pub resources: ChurnRows,
    /// By namespace.
    pub namespaces: ChurnRows,
    /// By key.
    pub keys: ChurnRows,
    /// Fields that two managers flip, most flips first.
    pub fights: Vec<Fight>,
    /// Keys with updates that changed nothing but managedFields, most updates first.
    pub no_changes: Vec<NoChange>,
    /// Lease objects that were written more than once, most writes first.
    pub leases: ChurnRows,
}

impl Churn {
    /// Counts the events of a question that pass the filters. A list has at most so many rows.
    ///
    /// # Errors
    /// If no event passes. The error has the reason.
    pub fn read(
        question: &Question<'_>,
        filters: &EventFilters,
        most: usize,
    ) -> Result<Self, NoAnswer> {
        let log = EventLog::read(question, filters)?;
        let mut events = log.newest()?;
        events.reverse();
        let mut comparison = log.comparison();
        let mut count = Count::new(question, &events, most);
        // Key by key, so that of the changes of fields only those of one key are kept.
        let events = events.by_key();
        each_update(&events, &mut comparison, |update| {
            count.event(update);
            Ok::<_, NoAnswer>(())
        })?;
        Ok(count.finish())
    }
}

/// Rows that are being counted.
type Counting = BTreeMap<Group, ChurnRow>;

/// Adds the events of a row to the row of a group.
fn add_to(rows: &mut Counting, group: Group, events: &ChurnRow) {
    let row = rows.entry(group);
    let row = row.or_insert_with_key(|group| ChurnRow::new(group.clone()));
    row.add(events);
}

/// Which of two rows comes first: the one with more writes, then by name.
fn order(a: &ChurnRow, b: &ChurnRow) -> Ordering {
    (b.writes, &a.group).cmp(&(a.writes, &b.group))
}

/// The first rows of a list, in their order, and how many the list has.
#[derive(Debug, Default)]
pub struct ChurnRows {
    /// The first rows.
    pub first: Vec<ChurnRow>,
    /// The number of all rows.
    pub count: usize,
}

impl ChurnRows {
    /// Adds a row. Of the rows that come after the first `most` ones few are kept.
    fn add(&mut self, row: ChurnRow, most: usize) {
        /// How many rows are kept before they are sorted.
        const SPARE: usize = 1024;
        self.first.push(row);
        self.count = self.count.saturating_add(1);
        if self.first.len() > most.saturating_mul(2).saturating_add(SPARE) {
            self.sort(most);
        }
    }

    /// Sorts the rows, and leaves the first `most` ones.
    fn sort(&mut self, most: usize) {
        self.first.arrange_by(order);
        self.first.truncate(most);
    }

    /// The first `most` of all rows.
    fn new(rows: Counting, most: usize) -> Self {
        let (count, first) = (rows.len(), rows.into_values().collect());
        let mut rows = Self { first, count };
        rows.sort(most);
        rows
    }
}

/// The counts up to an event. Events are added key by key.
struct Count<'q, 'a> {
    question: &'q Question<'a>,
    /// How many rows a list has at most.
    most: usize,
    period: Period,
    total: ChurnRow,
    managers: Counting,
    /// The rows by resource and by namespace.
    groupings: [(Grouping<'q>, Counting); 2],
    /// The last key, and its events so far.
    key: Option<(Box<[u8]>, ChurnRow)>,
    keys: ChurnRows,
    leases: ChurnRows,
    fights: Fights,
    no_changes: BTreeMap<Box<[u8]>, NoChange>,
}

impl<'q, 'a> Count<'q, 'a> {
    /// No counts yet. The events, in the order of revisions, are needed for the period and for the groups.
    fn new(question: &'q Question<'a>, events: &EventList<'_, '_>, most: usize) -> Self {
        let mut mains = events.mains();
        let first = mains.next().unwrap_or(0);
        let revisions = (first, mains.last().unwrap_or(first));
        let clock = question.timeline().clock();
        let times = clock.estimate(revisions.0).zip(clock.estimate(revisions.1));
        let keys = || events.iter().map(|event| event.record.key);
        let grouping = |by| {
            // The depth is for prefixes, which are not counted here.
            let grouping = Grouping::new(by, 1, question.catalog(), keys());
            (grouping, Counting::new())
        };
        Self {
            question,
            most,
            period: Period { revisions, times },
            total: ChurnRow::new(Group::Total),
            managers: Counting::new(),
            groupings: [SpaceBy::Resource, SpaceBy::Namespace].map(grouping),
            key: None,
            keys: ChurnRows::default(),
            leases: ChurnRows::default(),
            fights: Fights::default(),
            no_changes: BTreeMap::new(),
        }
    }

    /// Adds an event to every row that it belongs to.
    fn event(&mut self, event: Update) {
        if self
            .key
            .as_ref()
            .is_none_or(|(known, _)| *known != event.key)
        {
            self.finish_key();
            self.key = Some((event.key.clone(), ChurnRow::new(Group::Total)));
        }
        let main = event.main;
        let time = self.question.timeline().clock().estimate(main);
        let step = self.period.step_of(main, time);
        let one = ChurnRow::of_event(&event, step, time);
        if let Some((_, row)) = &mut self.key {
            row.add(&one);
        }
        if event.managers.is_empty() {
            let is_deletion = event.event_type == EventType::Delete;
            let group = match is_deletion {
                true => Group::Deletions,
                false => Group::UnknownManager,
            };
            add_to(&mut self.managers, group, &one);
        }
        for manager in &event.managers {
            add_to(&mut self.managers, Group::Manager(manager.clone()), &one);
        }
        match &event.fields {
            None => {}
            Some(fields) if fields.is_empty() => self.no_change(event),
            Some(fields) => {
                for field in fields {
                    self.fights.add(&event.key, field, &event.managers, main);
                }
            }
        }
    }

    /// Adds the row of the last key to the rows that it belongs to.
    fn finish_key(&mut self) {
        let Some((key, row)) = self.key.take() else {
            return;
        };
        self.total.add(&row);
        for (grouping, rows) in &mut self.groupings {
            add_to(rows, grouping.group_of(&key), &row);
        }
        let location = self.question.catalog().locate(&key);
        let name = location.map(|location| location.resource.plural_with_group());
        let row = ChurnRow {
            group: Group::Key(key.clone()),
            ..row
        };
        if row.writes > 1 && name.as_deref() == Some("leases.coordination.k8s.io") {
            self.leases.add(row.clone(), self.most);
        }
        self.keys.add(row, self.most);
    }

    /// Adds an update that changed nothing but managedFields.
    fn no_change(&mut self, event: Update) {
        let row = self.no_changes.entry(event.key);
        let row = row.or_insert_with_key(|key| NoChange {
            key: key.clone(),
            managers: Vec::new(),
            writes: 0,
            bytes: 0,
            example: 0,
        });
        row.writes = row.writes.saturating_add(1);
        row.bytes = row.bytes.saturating_add(event.value_bytes);
        row.example = event.main;
        for manager in event.managers {
            if row.managers.len() < MOST_MANAGERS && !row.managers.contains(&manager) {
                row.managers.push(manager);
            }
        }
    }

    /// The result, after the last event.
    fn finish(mut self) -> Churn {
        self.finish_key();
        let most = self.most;
        self.keys.sort(most);
        self.leases.sort(most);
        let [resources, namespaces] = self.groupings.map(|(_, rows)| ChurnRows::new(rows, most));
        let mut no_changes: Vec<NoChange> = self.no_changes.into_values().collect();
        no_changes.arrange_by_key(|row| std::cmp::Reverse(row.writes));
        Churn {
            period: self.period,
            total: self.total,
            managers: ChurnRows::new(self.managers, most),
            resources,
            namespaces,
            keys: self.keys,
            fights: self.fights.finish(),
            no_changes,
            leases: self.leases,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_are_those_of_all_rows_sorted() {
        for (count, most) in [
            (5000, 10),
            (5000, 0),
            (3, 10),
            (1500, 200),
            (2000, usize::MAX),
        ] {
            let row = |number: u64| {
                let mut row = ChurnRow::new(Group::Key(number.to_be_bytes().into()));
                row.writes = number * 7919 % 613;
                row
            };
            let mut expected: Vec<ChurnRow> = (0..count).map(row).collect();
            let mut rows = ChurnRows::default();
            for row in &expected {
                rows.add(row.clone(), most);
            }
            rows.sort(most);
            expected.sort_by(order);
            assert_eq!(rows.count, expected.len());
            expected.truncate(most);
            assert_eq!(rows.first, expected);
        }
    }
}
