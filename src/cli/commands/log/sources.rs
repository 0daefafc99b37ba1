//! `log --timeline`: all that database, freed pages and write-ahead log have of the objects asked for, in one list,
//! each row with where it stands and how certain it is.

use std::collections::{BTreeMap, HashSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::cli::args::RowFormat;
use crate::cli::commands::wal::may_change;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::{Answer, report};
use crate::etcd::record::{Grade, Origin};
use crate::etcd::wal::replay::{Applied, AppliedEntries};
use crate::etcd::wal::writes::Change;
use crate::etcd::wal::{Checksum, Entry, Request, State, Wal, writes};
use crate::etcd::{Event, EventType, Events};
use crate::query::logs::Logs;
use crate::query::select::Selection;
use crate::query::writers::managers_of;
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::record::{event_json, insert_text, key_text};
use crate::view::rows::Rows;
use crate::view::time;
use crate::view::wal as view;

use super::{Log, Op, Period};

/// A line of the list: an event, a request, or both.
struct Row<'r, 'a> {
    event: Option<Event<'a>>,
    /// Shared by the events of one transaction.
    request: Option<(&'r Entry<'r>, Rc<Request<'r>>)>,
    applied: Option<Applied>,
}

impl Row<'_, '_> {
    /// Where it stands.
    fn source(&self) -> String {
        let mut parts = Vec::new();
        if let Some(event) = &self.event {
            let record = &event.record;
            let origin = record.origin.as_str();
            match record.pgid.filter(|_| record.origin != Origin::Wal) {
                Some(pgid) => parts.push(format!("{origin} page {pgid}")),
                None if self.request.is_none() => parts.push(origin.to_owned()),
                None => {}
            }
        }
        if let Some((entry, _)) = &self.request {
            parts.push(format!("wal entry {}", entry.index));
        }
        parts.join(", ")
    }

    /// How certain it is.
    fn certainty(&self) -> &'static str {
        if let Some(event) = &self.event {
            return match event.record.origin {
                Origin::Live => "certain",
                Origin::Salvaged => "certain, found by a scan",
                Origin::Carved(Grade::A) => "certain, of a freed page",
                Origin::Carved(Grade::B) => "by its own bytes",
                Origin::Carved(Grade::C) => "unproven, over two pages",
                Origin::Wal => "certain, by replaying the log",
            };
        }
        match (&self.request, self.applied) {
            (Some((entry, _)), _) if entry.checksum == Checksum::Wrong => "damaged",
            (Some((entry, _)), _) if entry.state == State::Replaced => "never applied: replaced",
            (Some((entry, _)), _) if entry.state == State::Uncommitted => {
                "not known to be committed"
            }
            (_, Some(Applied { main: None, .. })) => "applied, changed nothing",
            (_, Some(_)) => "applied, not to this key",
            _ => "applied, revision not known",
        }
    }
}

impl<'a> Log<'_, 'a> {
    /// Prints the events, given oldest first, and what the log has of the selected keys beside them: at most so many
    /// rows, the newest. `known_events` are those too that a filter left out.
    pub fn print_sources(
        &self,
        events: &[Event<'a>],
        known_events: &Events<'a>,
        (period, most): (&Period, usize),
        selection: &Selection,
        out: &mut Out,
    ) -> Result<Answer, Failure> {
        let logs: Option<&Logs> = self.question.evidence().logs();
        let wal = logs.map(Logs::wal).unwrap_or_default();
        let known = AppliedEntries::from_wal(&wal, Some(self.store));
        let mains = known_events.iter().map(|event| event.record.revision.main);
        let mains: HashSet<i64> = mains.collect();
        let mut left_out = 0_usize;
        let mut rows = rows(events, &mains, &wal, &known, &mut |request, after| {
            let is_in_time = period.first() <= after.saturating_add(1) && after <= period.last();
            if !is_in_time || !may_change(request, &|key| selection.covers(key)) {
                return false;
            }
            let is_filtered = self.asks_of_objects(selection);
            left_out = left_out.saturating_add(usize::from(is_filtered));
            !is_filtered && self.is_of_op(request)
        });
        if left_out > 0 {
            report::note(&format!(
                "{left_out} requests of the write-ahead log are left out: they are no events, and a filter asks for what events changed"
            ));
        }
        rows.drain(..rows.len().saturating_sub(most));
        let answer = if rows.is_empty() {
            Answer::No
        } else {
            Answer::Yes
        };
        if !self.args.reverse {
            rows.reverse();
        }
        if self.args.output == RowFormat::Table {
            let heads = ["REVISION", "TIME", "WHAT", "SOURCE", "CERTAINTY", "BY"];
            let mut table = Rows::new(&heads, &[0]);
            for row in &rows {
                table.add(&self.cells(row));
            }
            table.write(out)?;
            return Ok(answer);
        }
        let mut json = JsonRows::new(Form::array_if(self.args.output == RowFormat::Json));
        for row in &rows {
            let value = self.row_json(row);
            let key = row.event.map_or(&[][..], |event| event.record.key);
            json.row(&with_object(value, key, self.question.catalog()), out)?;
        }
        json.finish(out)?;
        Ok(answer)
    }

    /// Whether a filter looks at the objects of an event.
    fn asks_of_objects(&self, selection: &Selection) -> bool {
        selection.labels().is_some()
            || self.text.is_some()
            || self.regex.is_some()
            || self.args.by_manager.filter().name().is_some()
            || self.args.exclude_status
    }

    /// Whether a request asks for one of the operations. A put may create a key or update it.
    fn is_of_op(&self, request: &Request<'_>) -> bool {
        let ops = &self.args.op;
        let changes = writes::changes(request);
        let is_asked_for = |change: &Change<'_>| match change {
            Change::Put(_) => ops.iter().any(|op| *op != Op::Delete),
            Change::Delete(_) => ops.contains(&Op::Delete),
        };
        ops.is_empty() || changes.iter().any(|(_, change)| is_asked_for(change))
    }

    fn cells(&self, row: &Row<'_, 'a>) -> Vec<String> {
        let main = row.event.map(|event| event.record.revision);
        let what = match (&row.event, &row.request) {
            (Some(event), _) => self.event_text(event),
            (None, Some((_, request))) => {
                let text = view::sentence(request, &mut |_| Some("<masked>".to_owned()));
                format!("request: {text}")
            }
            (None, None) => String::new(),
        };
        let by = row
            .request
            .as_ref()
            .and_then(|(_, request)| view::user(request));
        let by = match row.event {
            Some(event) => managers_of(&event, &self.objects)
                .into_iter()
                .chain(by)
                .collect(),
            None => Vec::from_iter(by),
        };
        vec![
            main.map_or_else(|| "-".to_owned(), |main| main.to_string()),
            main.map_or_else(
                || "-".to_owned(),
                |main| time::text(&self.timeline.bounds(main.main)),
            ),
            what,
            row.source(),
            row.certainty().to_owned(),
            by.join(", "),
        ]
    }

    fn event_text(&self, event: &Event<'_>) -> String {
        let key = if self.single {
            String::new()
        } else {
            format!(" {}", key_text(event.record.key))
        };
        let kind = event.event_type.as_str();
        if event.event_type == EventType::Delete {
            return format!("{kind}{key}");
        }
        let record = &event.record;
        format!(
            "{kind}{key} version {}, {} bytes",
            record.version,
            record.value.len()
        )
    }

    fn row_json(&self, row: &Row<'_, 'a>) -> Value {
        let mut fields = match &row.event {
            Some(event) => match event_json(event, &managers_of(event, &self.objects)) {
                Value::Object(fields) => fields,
                _ => Map::new(),
            },
            None => Map::new(),
        };
        if let Some(event) = &row.event {
            time::insert(
                &mut fields,
                &self.timeline.bounds(event.record.revision.main),
            );
        }
        if let Some((entry, request)) = &row.request {
            fields.insert("entry".to_owned(), entry.index.into());
            fields.insert("state".to_owned(), entry.state.as_str().into());
            fields.insert("request".to_owned(), view::kind(request).into());
            if let Some(user) = view::user(request) {
                fields.insert("user".to_owned(), user.into());
            }
            if row.event.is_none() {
                let changes = writes::changes(request);
                if let Some((_, change)) = changes.first() {
                    insert_text(&mut fields, "key", change.key());
                }
            }
        }
        fields.insert("source".to_owned(), row.source().into());
        fields.insert("certainty".to_owned(), row.certainty().into());
        Value::Object(fields)
    }
}

/// The events, each with its request, and the wanted requests that are no event, oldest first. `wanted` gets a request
/// and the revision that it follows. `all_mains` are the revisions of all events, left out or not.
fn rows<'r, 'a>(
    events: &[Event<'a>],
    all_mains: &HashSet<i64>,
    wal: &'r Wal<'r>,
    known: &AppliedEntries,
    wanted: &mut dyn FnMut(&Request<'_>, i64) -> bool,
) -> Vec<Row<'r, 'a>> {
    let mains: HashSet<i64> = events
        .iter()
        .map(|event| event.record.revision.main)
        .collect();
    let mut by_main: BTreeMap<i64, (&Entry<'_>, Rc<Request<'_>>)> = BTreeMap::new();
    // Behind which revision a request without one stands: that of the entry before it.
    let mut beside: Vec<(i64, Row<'_, '_>)> = Vec::new();
    let mut newest = 0_i64;
    for entry in &wal.entries {
        let done = known.applied(entry);
        newest = done
            .and_then(|done| done.main)
            .unwrap_or(newest)
            .max(newest);
        let main = done.and_then(|done| done.main);
        let request = entry.request();
        if let Some(main) = main.filter(|main| mains.contains(main)) {
            // Also one that names no key of them: a deletion of a range.
            by_main.insert(main, (entry, Rc::new(request)));
        } else if main.is_none_or(|main| !all_mains.contains(&main)) && wanted(&request, newest) {
            let row = Row {
                event: None,
                request: Some((entry, Rc::new(request))),
                applied: done,
            };
            beside.push((newest, row));
        }
    }
    let mut rows: Vec<((i64, u8), Row<'_, '_>)> = events
        .iter()
        .map(|event| {
            let main = event.record.revision.main;
            let row = Row {
                event: Some(*event),
                request: by_main.get(&main).cloned(),
                applied: None,
            };
            ((main, 0), row)
        })
        .collect();
    rows.extend(beside.into_iter().map(|(main, row)| ((main, 1), row)));
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}
