//! Prints the events of `log`, as lines or as JSON. Below each line is what the flags ask for: changes, values,
//! reasons.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;

use serde_json::Value;

use crate::cli::args::RowFormat;
use crate::cli::failure::Failure;
use crate::cli::out::Out;
use crate::cli::unified;
use crate::query::compare::{Changed, Comparison};
use crate::query::event_list::EventList;
use crate::query::event_log::{Event, EventType};
use crate::query::manager_history::ManagerHistory;
use crate::query::timeline::{Bounds, Timeline};
use crate::query::updates::BATCH;
use crate::query::writers::managers_of;
use crate::view::diff::{PREVIOUS_UNKNOWN, StatRow, write_fields};
use crate::view::history::{Layout, Line, Place, Shown};
use crate::view::human::counted;
use crate::view::json_rows::{Form, JsonRows, with_object};
use crate::view::key_names::KeyNames;
use crate::view::record::{event_json, insert_text, key_text};
use crate::view::style::{Paint, Style};
use crate::view::time;
use crate::view::yaml::document;

use super::Log;

/// The indentation of the lines below an event.
const INDENT: &str = "    ";

/// How many events determine the width of the column of managers on a terminal. Each of them needs an object to be
/// decoded, so not all are looked at.
const SAMPLE: usize = 200;

impl<'g, 'a> Log<'g, 'a> {
    /// Prints the events in the given order, as lines or as JSON rows.
    pub fn print(&self, events: &EventList<'_, 'a>, out: &mut Out) -> Result<(), Failure> {
        match self.args.output {
            RowFormat::Table | RowFormat::Wide => self.print_lines(events, out),
            form => {
                let mut rows = JsonRows::new(Form::array_if(form == RowFormat::Json));
                for (event, managers) in self.with_managers(events) {
                    rows.row(&self.json_of(&event, &managers), out)?;
                }
                Ok(rows.finish(out)?)
            }
        }
    }

    /// Each event with its managers.
    fn with_managers<'e>(
        &'e self,
        events: &'e EventList<'_, 'a>,
    ) -> impl Iterator<Item = (Event<'a>, Vec<String>)> + use<'e, 'g, 'a> {
        let objects = self.log.objects();
        let history = ManagerHistory::new(events, objects);
        let batches = events.batches(BATCH).enumerate();
        batches.flat_map(move |(number, batch)| {
            let first = number.saturating_mul(BATCH);
            let managers = history.managers_of_each(first, &batch, objects);
            batch.into_iter().zip(managers)
        })
    }

    /// The times of the revisions.
    pub(super) fn timeline(&self) -> &Timeline {
        self.log.question().timeline()
    }

    /// When the event was written.
    fn bounds_of(&self, event: &Event<'_>) -> Bounds {
        self.timeline().bounds(event.record.revision.main)
    }

    /// An event as a JSON object with its time, and with its object or value if `--values` is given.
    fn json_of(&self, event: &Event<'_>, managers: &[String]) -> Value {
        let mut value = event_json(event, managers);
        if let Some(fields) = value.as_object_mut() {
            time::insert(fields, &self.bounds_of(event));
            if self.args.values && event.event_type != EventType::Delete {
                match self.log.objects().object(&event.record) {
                    Some(tree) => drop(fields.insert("object".to_owned(), tree)),
                    None => insert_text(fields, "value", event.record.value),
                }
            }
        }
        with_object(value, event.record.key, self.log.question().catalog())
    }

    /// An event as a line, without its managers: these need the object to be decoded. `place` is where the event is in
    /// its transaction.
    fn line(&self, event: &Event<'a>, place: Place) -> Line<'a> {
        let mut line = Line {
            event: *event,
            managers: Vec::new(),
            time: String::new(),
            age: None,
            place,
        };
        if self.args.shows_times() {
            let bounds = self.bounds_of(event);
            line.time = self.times.text(&bounds);
            line.age = self.age(&bounds);
        }
        line
    }

    /// How old a revision is compared with the newest time in the file, if `--ago` is given. `-` if the file has no
    /// times.
    pub(super) fn age(&self, bounds: &Bounds) -> Option<String> {
        if !self.args.ago {
            return None;
        }
        let newest = self.timeline().clock().newest();
        Some(newest.map_or_else(|| "-".to_owned(), |newest| time::age(bounds, newest)))
    }

    /// How this table writes keys: shortened on a terminal, whole in a pipe.
    pub(super) fn key_names(&self, out: &Out) -> KeyNames<'_> {
        if out.is_cut() {
            KeyNames::short(self.log.question().catalog())
        } else {
            KeyNames::whole()
        }
    }

    /// The columns of the table and their widths, for these events at their places in their transactions.
    fn layout(&self, events: &EventList<'_, 'a>, places: &[Place], out: &Out) -> Layout<'_> {
        let with_key = !self.log.names_one();
        let shown = Shown {
            key: with_key,
            ago: self.args.ago,
            brackets: out.is_cut()
                && !self.args.by_txn
                && places.iter().any(|place| *place != Place::Alone),
        };
        let names = if with_key {
            self.key_names(out)
        } else {
            KeyNames::whole()
        };
        let sampled = if out.is_cut() { SAMPLE } else { 0 };
        // Lines without columns need no widths.
        let measured = if self.args.is_oneline() {
            0
        } else {
            events.len()
        };
        let objects = self.log.objects();
        let lines = events.iter().take(measured).zip(places).enumerate();
        let lines = lines.map(|(index, (event, place))| {
            objects.forget_read(1);
            let mut line = self.line(&event, *place);
            if index < sampled {
                line.managers = managers_of(&event, objects);
            }
            line
        });
        Layout::new(lines, shown, names, out.style())
    }

    /// Prints each event as a line, with what the flags ask for below it. With `--by-txn` each transaction has a line
    /// of its own before its events.
    fn print_lines(&self, events: &EventList<'_, 'a>, out: &mut Out) -> Result<(), Failure> {
        let store = self.log.question().store();
        let mains: Vec<i64> = events.mains().collect();
        let places = Place::of_mains(&mains);
        let layout = self.layout(events, &places, out);
        let mut comparison = self.log.comparison();
        // The reasons of all revisions take one more pass over the store.
        let whys = if self.args.why_time {
            let mains = mains.iter().copied();
            self.timeline().why(store, self.run.keyring, mains)
        } else {
            BTreeMap::new()
        };
        let key_counts = match self.args.by_txn {
            true => keys_by_transaction(&mains),
            false => HashMap::new(),
        };
        drop(mains);
        // The main revision of the event before.
        let mut last_main = None;
        if !self.args.is_oneline() {
            writeln!(out.styled(), "{}", layout.head())?;
            out.leave_out(layout.left_out().iter().copied());
        }
        for ((event, managers), place) in self.with_managers(events).zip(places) {
            let main = event.record.revision.main;
            if self.args.by_txn && last_main != Some(main) {
                let keys = key_counts.get(&main).copied().unwrap_or_default();
                self.transaction_head(&event, keys, last_main.is_some(), out)?;
            }
            last_main = Some(main);
            let mut line = self.line(&event, place);
            line.managers = managers;
            self.print_line(line, &layout, out)?;
            // If `--carve` or `--wal` gave records, the reader expects the older versions. The line
            // shows how many are still missing.
            let missing = event.missing_versions();
            if missing > 0 && !store.additional().is_empty() && !self.args.oneline {
                out.line(&format!(
                    "{INDENT}({} in no page)",
                    counted(
                        missing.unsigned_abs(),
                        "version before it is",
                        "versions before it are"
                    )
                ))?;
            }
            self.print_below(&event, &mut comparison, out)?;
            for line in whys.get(&main).into_iter().flat_map(time::why_lines) {
                out.line(&format!("{INDENT}{line}"))?;
            }
        }
        Ok(())
    }

    /// Prints the line of an event with its managers.
    fn print_line(
        &self,
        mut line: Line<'_>,
        layout: &Layout<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if !line.managers.is_empty() && !self.args.oneline {
            self.log.question().notices().add_who();
        }
        if self.args.by_txn {
            // The line of the transaction has the age.
            line.age = None;
        }
        let text = match (self.args.oneline, self.args.by_txn) {
            (true, false) => layout.oneline(&line, ""),
            (_, true) => layout.oneline(&line, INDENT),
            _ => layout.row(&line),
        };
        writeln!(out.styled(), "{text}")?;
        Ok(())
    }

    /// Prints the line of a transaction: its revision, its time, how many of its keys are shown. `event` is its first
    /// event. `blank_before`: an empty line separates it from the transaction before.
    fn transaction_head(
        &self,
        event: &Event<'_>,
        keys: usize,
        blank_before: bool,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let main = event.record.revision.main;
        let many = if keys == 1 { "" } else { "s" };
        let bounds = self.bounds_of(event);
        let time = self.times.text(&bounds);
        let age = self.age(&bounds);
        let age = age.map_or_else(String::new, |age| format!(" ({age} ago)"));
        if blank_before {
            writeln!(out)?;
        }
        let Style { header, dim, .. } = out.style();
        writeln!(
            out.clipped(),
            "{}revision {main}{}  {}{time}{age}{}  {keys} key{many}",
            header.before,
            header.after,
            dim.before,
            dim.after
        )?;
        Ok(())
    }

    /// Prints below the line of an event what `--stat`, `--patch` and `--values` ask for.
    fn print_below(
        &self,
        event: &Event<'a>,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        if self.args.stat || self.args.patch {
            let changed = Changed::from_event(event);
            let fields = if changed.is_in_both() {
                comparison.fields(&changed)
            } else {
                Vec::new()
            };
            if self.args.stat && changed.is_in_both() {
                let row = StatRow::new(changed.change, &key_text(changed.key()), &fields);
                out.line(&format!(
                    "{INDENT}{} added, {} changed, {} removed",
                    row.added, row.changed, row.removed
                ))?;
            }
            if self.args.patch && event.event_type == EventType::Create {
                self.print_created(event, comparison, out)?;
            } else if self.args.patch {
                let style = out.style();
                write_fields(&mut out.clipped(), &fields, &style)?;
                if event.event_type == EventType::Update && event.previous.is_none() {
                    out.line(&format!("{INDENT}({PREVIOUS_UNKNOWN})"))?;
                }
            }
        }
        if self.args.values && event.event_type != EventType::Delete {
            self.print_value(event, out)?;
        }
        Ok(())
    }

    /// Prints the object that a creation wrote, as YAML with each line marked as added.
    fn print_created(
        &self,
        event: &Event<'a>,
        comparison: &mut Comparison<'_>,
        out: &mut Out,
    ) -> Result<(), Failure> {
        let text = unified::yaml(comparison, &event.record, self.log.objects());
        let style = out.style();
        let Paint { before, after } = style.added;
        for line in text.lines() {
            let line = style.cleaned(line);
            writeln!(out.clipped(), "{INDENT}{before}+{line}{after}")?;
        }
        Ok(())
    }

    /// Prints the value that an event wrote: an object as YAML, anything else as it is stored.
    fn print_value(&self, event: &Event<'_>, out: &mut Out) -> Result<(), Failure> {
        let text = match self.log.objects().object(&event.record) {
            Some(tree) => document(&tree),
            None => event.record.value.to_vec(),
        };
        for line in text
            .strip_suffix(b"\n")
            .unwrap_or(&text)
            .split(|byte| *byte == b'\n')
        {
            out.write_all(&[INDENT.as_bytes(), line, b"\n"].concat())?;
        }
        Ok(())
    }
}

/// How many of the events belong to each transaction, by main revision.
fn keys_by_transaction(mains: &[i64]) -> HashMap<i64, usize> {
    let mut keys: HashMap<i64, usize> = HashMap::new();
    for main in mains {
        let count = keys.entry(*main).or_default();
        *count = count.saturating_add(1);
    }
    keys
}

/// An event as a change from the put before it.
pub fn changed<'a>(event: &Event<'a>) -> Changed<'a> {
    Changed::from_event(event)
}
